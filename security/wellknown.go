// SPDX-License-Identifier: Apache-2.0

package security

import (
	"strconv"
	"strings"
)

// The well-known SIDs (SE-11).
var (
	NullSID                = makeSID(0, 0)
	Everyone               = makeSID(1, 0)
	Local                  = makeSID(2, 0)
	ConsoleLogon           = makeSID(2, 1)
	CreatorOwner           = makeSID(3, 0)
	CreatorGroup           = makeSID(3, 1)
	OwnerRights            = makeSID(3, 4)
	Dialup                 = makeSID(5, 1)
	Network                = makeSID(5, 2)
	Batch                  = makeSID(5, 3)
	Interactive            = makeSID(5, 4)
	Service                = makeSID(5, 6)
	Anonymous              = makeSID(5, 7)
	PrincipalSelf          = makeSID(5, 10)
	AuthenticatedUsers     = makeSID(5, 11)
	Restricted             = makeSID(5, 12)
	TerminalServerUser     = makeSID(5, 13)
	RemoteInteractive      = makeSID(5, 14)
	ThisOrganization       = makeSID(5, 15)
	System                 = makeSID(5, 18)
	LocalService           = makeSID(5, 19)
	NetworkService         = makeSID(5, 20)
	WriteRestricted        = makeSID(5, 33)
	NTLMAuthentication     = makeSID(5, 64, 10)
	AllServices            = makeSID(5, 80, 0)
	UserModeDrivers        = makeSID(5, 84, 0, 0, 0, 0, 0)
	WindowManagerGroup     = makeSID(5, 90, 0)
	LocalAccount           = makeSID(5, 113)
	LocalAccountAndAdmin   = makeSID(5, 114)
	Administrators         = makeSID(5, 32, 544)
	Users                  = makeSID(5, 32, 545)
	Guests                 = makeSID(5, 32, 546)
	PowerUsers             = makeSID(5, 32, 547)
	RemoteDesktopUsers     = makeSID(5, 32, 555)
	PerformanceLogUsers    = makeSID(5, 32, 559)
	DistributedCOMUsers    = makeSID(5, 32, 562)
	EventLogReaders        = makeSID(5, 32, 573)
	AllApplicationPackages = makeSID(15, 2, 1)
	UntrustedLabel         = LevelSID(LevelUntrusted)
	LowLabel               = LevelSID(LevelLow)
	MediumLabel            = LevelSID(LevelMedium)
	MediumPlusLabel        = LevelSID(LevelMediumPlus)
	HighLabel              = LevelSID(LevelHigh)
	SystemLabel            = LevelSID(LevelSystem)
	ProtectedProcessLabel  = LevelSID(LevelProtected)
)

// RIDs of the accounts every machine has (SE-7, SE-11).
const (
	RIDAdministrator uint32 = 500
	RIDGuest         uint32 = 501
	RIDUsers         uint32 = 513 // the group "None", every account's primary group
	RIDFirstAccount  uint32 = 1000
)

// Domains in which well-known names live (SE-12).
const (
	DomainNTAuthority = "NT AUTHORITY"
	DomainBuiltin     = "BUILTIN"
	DomainNTService   = "NT SERVICE"
	DomainLabel       = "Mandatory Label"
	domainPackages    = "APPLICATION PACKAGE AUTHORITY"
	domainWindowMgr   = "Window Manager"
	domainUnixUser    = "Unix User"
	domainUnixGroup   = "Unix Group"
)

type wellKnown struct {
	sid          SID
	domain, name string
}

var wellKnownTable = []wellKnown{
	{NullSID, "", "NULL SID"},
	{Everyone, "", "Everyone"},
	{Local, "", "LOCAL"},
	{ConsoleLogon, "", "CONSOLE LOGON"},
	{CreatorOwner, "", "CREATOR OWNER"},
	{CreatorGroup, "", "CREATOR GROUP"},
	{OwnerRights, "", "OWNER RIGHTS"},
	{Dialup, DomainNTAuthority, "DIALUP"},
	{Network, DomainNTAuthority, "NETWORK"},
	{Batch, DomainNTAuthority, "BATCH"},
	{Interactive, DomainNTAuthority, "INTERACTIVE"},
	{Service, DomainNTAuthority, "SERVICE"},
	{Anonymous, DomainNTAuthority, "ANONYMOUS LOGON"},
	{PrincipalSelf, DomainNTAuthority, "SELF"},
	{AuthenticatedUsers, DomainNTAuthority, "Authenticated Users"},
	{Restricted, DomainNTAuthority, "RESTRICTED"},
	{TerminalServerUser, DomainNTAuthority, "TERMINAL SERVER USER"},
	{RemoteInteractive, DomainNTAuthority, "REMOTE INTERACTIVE LOGON"},
	{ThisOrganization, DomainNTAuthority, "This Organization"},
	{System, DomainNTAuthority, "SYSTEM"},
	{LocalService, DomainNTAuthority, "LOCAL SERVICE"},
	{NetworkService, DomainNTAuthority, "NETWORK SERVICE"},
	{WriteRestricted, DomainNTAuthority, "WRITE RESTRICTED"},
	{NTLMAuthentication, DomainNTAuthority, "NTLM Authentication"},
	{LocalAccount, DomainNTAuthority, "Local account"},
	{LocalAccountAndAdmin, DomainNTAuthority, "Local account and member of Administrators group"},
	{UserModeDrivers, DomainNTAuthority, "USER MODE DRIVERS"},
	{AllServices, DomainNTService, "ALL SERVICES"},
	{WindowManagerGroup, domainWindowMgr, "Window Manager Group"},
	{Administrators, DomainBuiltin, "Administrators"},
	{Users, DomainBuiltin, "Users"},
	{Guests, DomainBuiltin, "Guests"},
	{PowerUsers, DomainBuiltin, "Power Users"},
	{RemoteDesktopUsers, DomainBuiltin, "Remote Desktop Users"},
	{PerformanceLogUsers, DomainBuiltin, "Performance Log Users"},
	{DistributedCOMUsers, DomainBuiltin, "Distributed COM Users"},
	{EventLogReaders, DomainBuiltin, "Event Log Readers"},
	{AllApplicationPackages, domainPackages, "ALL APPLICATION PACKAGES"},
	{UntrustedLabel, DomainLabel, "Untrusted Mandatory Level"},
	{LowLabel, DomainLabel, "Low Mandatory Level"},
	{MediumLabel, DomainLabel, "Medium Mandatory Level"},
	{MediumPlusLabel, DomainLabel, "Medium Plus Mandatory Level"},
	{HighLabel, DomainLabel, "High Mandatory Level"},
	{SystemLabel, DomainLabel, "System Mandatory Level"},
	{ProtectedProcessLabel, DomainLabel, "Protected Process Mandatory Level"},
}

var wellKnownBySID, wellKnownByName = indexWellKnown()

func indexWellKnown() (map[SID]wellKnown, map[string]wellKnown) {
	bySID := make(map[SID]wellKnown, len(wellKnownTable))
	byName := make(map[string]wellKnown, len(wellKnownTable))
	for _, w := range wellKnownTable {
		bySID[w.sid] = w
		byName[strings.ToUpper(w.name)] = w
	}
	return bySID, byName
}

// WellKnownName gives the account name of a well-known SID, and of a logon
// SID. ok is false for everything an account store must know.
//
// Win32: LookupAccountSid. Rules: SE-12.
func WellKnownName(s SID) (domain, name string, ok bool) {
	if w, ok := wellKnownBySID[s]; ok {
		return w.domain, w.name, true
	}
	if s.IsLogonSID() {
		subs := s.SubAuthorities()
		return DomainNTAuthority, "LogonSessionId_" + decimal(subs[1]) + "_" + decimal(subs[2]), true
	}
	if subs := s.SubAuthorities(); s.Authority() == 22 && len(subs) == 2 {
		switch subs[0] {
		case 1:
			return domainUnixUser, decimal(subs[1]), true
		case 2:
			return domainUnixGroup, decimal(subs[1]), true
		}
	}
	return "", "", false
}

// LookupWellKnown finds a well-known SID by its account name, with or without
// its domain (`SYSTEM`, `NT AUTHORITY\SYSTEM`, also the LocalSystem and
// NT AUTHORITY\LocalService spellings of the service manager). A name of the
// form `NT SERVICE\name` gives the service SID. Case does not matter.
//
// Win32: LookupAccountName. Rules: SE-9, SE-12.
func LookupWellKnown(account string) (SID, bool) {
	domain, name, qualified := strings.Cut(account, `\`)
	if !qualified {
		domain, name = "", account
	}
	upper := strings.ToUpper(name)
	switch upper {
	case "LOCALSYSTEM":
		upper = "SYSTEM"
	case "LOCALSERVICE":
		upper = "LOCAL SERVICE"
	case "NETWORKSERVICE":
		upper = "NETWORK SERVICE"
	}
	if domain == "." && upper == "SYSTEM" { // .\LocalSystem
		return System, true
	}
	w, ok := wellKnownByName[upper]
	if ok && (!qualified || strings.EqualFold(domain, w.domain)) {
		return w.sid, true
	}
	if qualified && name != "" && strings.EqualFold(domain, DomainNTService) {
		return ServiceSID(name), true
	}
	return SID{}, false
}

// Name gives DOMAIN\name of a well-known SID and the S-form of any other.
func (s SID) Name() string {
	domain, name, ok := WellKnownName(s)
	if !ok {
		return s.String()
	}
	if domain == "" {
		return name
	}
	return domain + `\` + name
}

// sddlAliases are the two-letter SIDs of SDDL-20 that stand on their own.
var sddlAliases = map[string]SID{
	"AA": makeSID(5, 32, 579),
	"AC": AllApplicationPackages,
	"AN": Anonymous,
	"AO": makeSID(5, 32, 548),
	"AS": makeSID(18, 1),
	"AU": AuthenticatedUsers,
	"BA": Administrators,
	"BG": Guests,
	"BO": makeSID(5, 32, 551),
	"BU": Users,
	"CD": makeSID(5, 32, 574),
	"CG": CreatorGroup,
	"CO": CreatorOwner,
	"CY": makeSID(5, 32, 569),
	"ED": makeSID(5, 9),
	"ER": EventLogReaders,
	"ES": makeSID(5, 32, 576),
	"HA": makeSID(5, 32, 578),
	"HI": HighLabel,
	"HO": makeSID(5, 32, 584),
	"IS": makeSID(5, 32, 568),
	"IU": Interactive,
	"LS": LocalService,
	"LU": PerformanceLogUsers,
	"LW": LowLabel,
	"ME": MediumLabel,
	"MP": MediumPlusLabel,
	"MS": makeSID(5, 32, 577),
	"MU": makeSID(5, 32, 558),
	"NO": makeSID(5, 32, 556),
	"NS": NetworkService,
	"NU": Network,
	"OW": OwnerRights,
	"PO": makeSID(5, 32, 550),
	"PS": PrincipalSelf,
	"PU": PowerUsers,
	"RA": makeSID(5, 32, 575),
	"RC": Restricted,
	"RD": RemoteDesktopUsers,
	"RE": makeSID(5, 32, 552),
	"RM": makeSID(5, 32, 580),
	"RU": makeSID(5, 32, 554),
	"SH": makeSID(5, 32, 585),
	"SI": SystemLabel,
	"SO": makeSID(5, 32, 549),
	"SS": makeSID(18, 2),
	"SU": Service,
	"SY": System,
	"UD": UserModeDrivers,
	"WD": Everyone,
	"WR": WriteRestricted,
}

// sddlDomainAliases need a domain SID, which an engine does not have (SDDL-20).
var sddlDomainAliases = map[string]uint32{
	"DA": 512, "DU": 513, "DG": 514, "DC": 515, "DD": 516, "CA": 517, "SA": 518, "EA": 519,
	"PA": 520, "RO": 498, "CN": 522, "AP": 525, "KA": 526, "EK": 527, "RS": 553,
}

var sddlAliasOf = invertAliases()

func invertAliases() map[SID]string {
	m := make(map[SID]string, len(sddlAliases))
	for a, s := range sddlAliases {
		m[s] = a
	}
	return m
}

type aliasState int

const (
	aliasUnknown aliasState = iota
	aliasKnown
	aliasNeedsDomain
	aliasNeedsMachine
)

// aliasSID resolves a two-letter SID in any case (SDDL-20).
func aliasSID(s string, machine SID) (SID, aliasState) {
	u := strings.ToUpper(s)
	if sid, ok := sddlAliases[u]; ok {
		return sid, aliasKnown
	}
	switch u {
	case "LA", "LG":
		if machine.IsZero() {
			return SID{}, aliasNeedsMachine
		}
		if u == "LA" {
			return machine.Child(RIDAdministrator), aliasKnown
		}
		return machine.Child(RIDGuest), aliasKnown
	}
	if _, ok := sddlDomainAliases[u]; ok {
		return SID{}, aliasNeedsDomain
	}
	return SID{}, aliasUnknown
}

// sddlSID prints a SID as SDDL does: the alias where there is one (SDDL-12).
func sddlSID(s, machine SID) string {
	if a, ok := sddlAliasOf[s]; ok {
		return a
	}
	if !machine.IsZero() {
		switch s {
		case machine.Child(RIDAdministrator):
			return "LA"
		case machine.Child(RIDGuest):
			return "LG"
		}
	}
	return s.String()
}

func decimal(v uint32) string { return strconv.FormatUint(uint64(v), 10) }
