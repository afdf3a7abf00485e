// SPDX-License-Identifier: Apache-2.0

package security

import (
	"slices"

	"stationmaster/win32"
)

// UserLogon says who logged on and how; UserToken makes the tokens of it.
type UserLogon struct {
	User         SID
	Name, Domain string // for messages and logs only
	PrimaryGroup SID    // zero means User's machine SID with RID 513
	Groups       []SID  // groups of the account beyond those every logon gets
	Admin        bool   // member of Administrators
	Split        bool   // split an administrator's interactive logon in two (SE-32)
	LogonID      LUID   // the new logon session
	LogonType    uint32 // LOGON32_LOGON_…, or win32.LogonRemoteInteractive
	SessionID    uint32 // terminal session
	Origin       LUID   // logon session of whoever asked
	TokenID      LUID   // TokenId of the token
	LinkedID     LUID   // TokenId of the other half when split

	ExtraPrivileges []Privilege // held and disabled, of both halves
	ServiceSID      SID         // added when not zero (SE-9, SCM-36)
}

// limitedDenyOnly are the groups that the limited half keeps for deny ACEs
// only (SE-32).
var limitedDenyOnly = []SID{Administrators, PowerUsers, LocalAccountAndAdmin}

// userPrivilegeSet is what ordinary users hold.
func userPrivilegeSet() PrivilegeSet {
	var s PrivilegeSet
	for _, p := range defaultPrivileges(columnUser) {
		s |= Privileges(p.Privilege)
	}
	return s
}

// UserToken makes the token of a logon. When Split asks for it and the logon is
// an administrator's at a terminal, it is the limited half and linked the full
// one; otherwise linked is nil. A network logon (type 3) gives an
// impersonation token, every other a primary one.
//
// Rules: LGN-3, LGN-8, SE-17, SE-18, SE-24, SE-32, SE-34.
func UserToken(u UserLogon) (token, linked *Token) {
	full := userSpec(u)
	if !u.Admin || !u.Split || !atTerminal(u.LogonType) {
		return NewToken(full), nil
	}
	full.Elevation = ElevationFull
	limited := newToken(full).restrict(RestrictSpec{Flags: LUATokenFlag}).spec
	limited.Elevation = ElevationLimited
	limited.DefaultDACL = userDefaultDACL(limited.Owner, u.LogonID)
	limited.Privileges = addPrivileges(limited.Privileges, extraPrivileges(u.ExtraPrivileges))
	full.ID = u.LinkedID
	token, linked = newToken(limited), newToken(full)
	linkTokens(token, linked)
	return token, linked
}

// atTerminal reports whether a logon type is a person at a terminal.
func atTerminal(logonType uint32) bool {
	switch logonType {
	case win32.LOGON32_LOGON_INTERACTIVE, win32.LOGON32_LOGON_UNLOCK, win32.LogonRemoteInteractive:
		return true
	}
	return false
}

// userSpec is the whole token, unsplit.
func userSpec(u UserLogon) TokenSpec {
	s := TokenSpec{
		ID: u.TokenID, AuthenticationID: u.LogonID, ModifiedID: u.TokenID, Origin: u.Origin,
		Type: TokenPrimary, SessionID: u.SessionID,
		User: u.User, Owner: u.User, PrimaryGroup: u.PrimaryGroup,
		Source: TokenSource{Name: "Advapi"}, Integrity: LevelMedium, Policy: PolicyDefault, Elevation: ElevationDefault,
	}
	if s.PrimaryGroup.IsZero() {
		s.PrimaryGroup = u.User.Domain().Child(RIDUsers)
	}
	groups := []SID{s.PrimaryGroup, Everyone, AuthenticatedUsers, Users, ThisOrganization, LocalAccount}
	column := columnUser
	if u.Admin {
		groups = append(groups, Administrators)
		column = columnAdmin
		s.Owner, s.Integrity = Administrators, LevelHigh
	}
	groups = append(groups, logonTypeSIDs(u.LogonType)...)
	for _, g := range append(groups, u.Groups...) {
		if g.IsZero() || g == u.User || slices.ContainsFunc(s.Groups, func(o Group) bool { return o.SID == g }) {
			continue
		}
		a := GroupDefault
		if g == Administrators {
			a |= GroupOwner
		}
		s.Groups = append(s.Groups, Group{g, a})
	}
	s.Groups = append(s.Groups, Group{LogonSID(u.LogonID), GroupDefault | GroupLogonID})
	if !u.ServiceSID.IsZero() {
		s.Groups = append(s.Groups, Group{u.ServiceSID, GroupEnabledByDefault | GroupEnabled | GroupOwner})
	}
	s.Privileges = addPrivileges(defaultPrivileges(column), extraPrivileges(u.ExtraPrivileges))
	s.DefaultDACL = userDefaultDACL(s.Owner, u.LogonID)
	switch u.LogonType {
	case win32.LOGON32_LOGON_INTERACTIVE, win32.LOGON32_LOGON_UNLOCK, win32.LogonRemoteInteractive:
		s.Source.Name = "User32"
	case win32.LOGON32_LOGON_NETWORK:
		s.Type, s.Level = TokenImpersonation, SecurityImpersonation
	}
	return s
}

func extraPrivileges(ps []Privilege) []PrivilegeState {
	var out []PrivilegeState
	for _, p := range ps {
		if p.Valid() {
			out = append(out, PrivilegeState{Privilege: p})
		}
	}
	return out
}

// logonTypeSIDs are the SIDs a logon type adds (LGN-8).
func logonTypeSIDs(logonType uint32) []SID {
	switch logonType {
	case win32.LOGON32_LOGON_INTERACTIVE, win32.LOGON32_LOGON_UNLOCK:
		return []SID{Interactive, Local, ConsoleLogon}
	case win32.LogonRemoteInteractive:
		return []SID{RemoteInteractive, Interactive, Local}
	case win32.LOGON32_LOGON_NETWORK, win32.LOGON32_LOGON_NETWORK_CLEARTEXT:
		return []SID{Network}
	case win32.LOGON32_LOGON_BATCH:
		return []SID{Batch, Local}
	case win32.LOGON32_LOGON_SERVICE:
		return []SID{Service, Local}
	}
	return nil
}

// userDefaultDACL is D:(A;;GA;;;owner)(A;;GA;;;SY)(A;;GXGR;;;logon SID)
// (SE-18).
func userDefaultDACL(owner SID, logon LUID) *ACL {
	return NewACL(
		Allow(win32.GENERIC_ALL, owner),
		Allow(win32.GENERIC_ALL, System),
		Allow(win32.GENERIC_READ|win32.GENERIC_EXECUTE, LogonSID(logon)),
	)
}

// SystemToken is LocalSystem's token in a session. It has no logon SID of its
// own. Rules: LGN-8, SE-4, SE-17, SE-18, SE-24, SE-34.
func SystemToken(session uint32) *Token {
	return NewToken(TokenSpec{
		AuthenticationID: SystemLUID, Type: TokenPrimary, SessionID: session,
		User: System, Owner: Administrators, PrimaryGroup: System,
		Groups: []Group{
			{Administrators, GroupEnabledByDefault | GroupEnabled | GroupOwner},
			{Everyone, GroupDefault},
			{AuthenticatedUsers, GroupDefault},
		},
		Privileges: defaultPrivileges(columnSystem),
		DefaultDACL: NewACL(
			Allow(win32.GENERIC_ALL, System),
			Allow(win32.READ_CONTROL|win32.GENERIC_EXECUTE|win32.GENERIC_READ, Administrators),
		),
		Source: TokenSource{Name: "*SYSTEM*"}, Integrity: LevelSystem, Policy: PolicyDefault, Elevation: ElevationDefault,
	})
}

// LocalServiceToken is the token of NT AUTHORITY\LOCAL SERVICE in a session.
// Rules: LGN-8, SE-18, SE-24, SE-34.
func LocalServiceToken(session uint32) *Token {
	return serviceAccountToken(LocalService, LocalServiceLUID, session)
}

// NetworkServiceToken is the token of NT AUTHORITY\NETWORK SERVICE in a
// session. Rules: LGN-8, SE-18, SE-24, SE-34.
func NetworkServiceToken(session uint32) *Token {
	return serviceAccountToken(NetworkService, NetworkServiceLUID, session)
}

func serviceAccountToken(user SID, logon LUID, session uint32) *Token {
	var groups []Group
	for _, g := range []SID{Service, Everyone, Users, AuthenticatedUsers, Local} {
		groups = append(groups, Group{g, GroupDefault})
	}
	groups = append(groups, Group{LogonSID(logon), GroupDefault | GroupLogonID})
	return NewToken(TokenSpec{
		AuthenticationID: logon, Type: TokenPrimary, SessionID: session,
		User: user, Owner: user, PrimaryGroup: user, Groups: groups,
		Privileges: defaultPrivileges(columnService),
		DefaultDACL: NewACL(
			Allow(win32.GENERIC_ALL, user),
			Allow(win32.GENERIC_ALL, System),
			Allow(win32.READ_CONTROL|win32.GENERIC_EXECUTE|win32.GENERIC_READ, LogonSID(logon)),
		),
		Source: TokenSource{Name: "Advapi"}, Integrity: LevelSystem, Policy: PolicyDefault, Elevation: ElevationDefault,
	})
}

// AnonymousToken is the token of NT AUTHORITY\ANONYMOUS LOGON in a session.
// Rules: SE-34.
func AnonymousToken(session uint32) *Token {
	return NewToken(TokenSpec{
		AuthenticationID: AnonymousLUID, Type: TokenPrimary, SessionID: session,
		User: Anonymous, Owner: Anonymous, PrimaryGroup: NullSID,
		Groups:      []Group{{Everyone, GroupDefault}, {LogonSID(AnonymousLUID), GroupDefault | GroupLogonID}},
		Privileges:  []PrivilegeState{{SeChangeNotifyPrivilege, PrivilegeEnabled | PrivilegeEnabledByDefault}},
		DefaultDACL: NewACL(Allow(win32.GENERIC_ALL, Anonymous), Allow(win32.GENERIC_ALL, System)),
		Source:      TokenSource{Name: "*SYSTEM*"}, Integrity: LevelUntrusted, Policy: PolicyDefault, Elevation: ElevationDefault,
	})
}

// DefaultTokenDescriptor protects a token object that got no descriptor of
// its own: its user and SYSTEM may do everything, Administrators too if the
// token is an administrator's; the label is the token's level. Rules: SE-19.
func DefaultTokenDescriptor(t *Token) *Descriptor {
	aces := []ACE{Allow(win32.TOKEN_ALL_ACCESS, t.spec.User), Allow(win32.TOKEN_ALL_ACCESS, System)}
	if t.IsMember(Administrators) {
		aces = append(aces, Allow(win32.TOKEN_ALL_ACCESS, Administrators))
	}
	return NewDescriptor(t.spec.Owner, t.spec.PrimaryGroup, NewACL(aces...),
		NewACL(Label(LabelNoWriteUp, t.spec.Integrity)), 0)
}
