// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"slices"
	"sync/atomic"

	"stationmaster/win32"
)

// Attributes of a SID in a token (SE-15).
type Attributes uint32

// The attributes (SE-15).
const (
	GroupMandatory        Attributes = 0x00000001
	GroupEnabledByDefault Attributes = 0x00000002
	GroupEnabled          Attributes = 0x00000004
	GroupOwner            Attributes = 0x00000008
	GroupUseForDenyOnly   Attributes = 0x00000010
	GroupIntegrity        Attributes = 0x00000020
	GroupIntegrityEnabled Attributes = 0x00000040
	GroupResource         Attributes = 0x20000000
	GroupLogonID          Attributes = 0xC0000000

	// GroupDefault is what an ordinary group of a logon carries.
	GroupDefault = GroupMandatory | GroupEnabledByDefault | GroupEnabled
)

// Group is a SID of a token with its attributes (SID_AND_ATTRIBUTES).
type Group struct {
	SID        SID        `json:"sid"`
	Attributes Attributes `json:"attributes"`
}

// Enabled reports whether the group takes part in allow ACEs (SE-15).
func (g Group) Enabled() bool { return g.Attributes&(GroupEnabled|GroupUseForDenyOnly) == GroupEnabled }

// DenyOnly reports whether the group takes part in deny ACEs only (SE-15).
func (g Group) DenyOnly() bool { return g.Attributes&GroupUseForDenyOnly != 0 }

// Level is a mandatory integrity level, the last part of its label SID.
type Level uint32

// The levels (SE-11, SE-34).
const (
	LevelUntrusted  Level = 0x0000
	LevelLow        Level = 0x1000
	LevelMedium     Level = 0x2000
	LevelMediumPlus Level = 0x2100
	LevelHigh       Level = 0x3000
	LevelSystem     Level = 0x4000
	LevelProtected  Level = 0x5000
)

// String gives the level's word, or its number when it has none.
func (l Level) String() string {
	switch l {
	case LevelUntrusted:
		return "untrusted"
	case LevelLow:
		return "low"
	case LevelMedium:
		return "medium"
	case LevelMediumPlus:
		return "medium-plus"
	case LevelHigh:
		return "high"
	case LevelSystem:
		return "system"
	case LevelProtected:
		return "protected"
	}
	return fmt.Sprintf("0x%x", uint32(l))
}

// TokenType tells primary from impersonation tokens (SE-14).
type TokenType uint32

// The token types. The zero value counts as TokenPrimary in a TokenSpec.
const (
	TokenPrimary       TokenType = 1
	TokenImpersonation TokenType = 2
)

// String gives the type's word.
func (t TokenType) String() string {
	switch t {
	case TokenPrimary:
		return "primary"
	case TokenImpersonation:
		return "impersonation"
	}
	return fmt.Sprintf("TokenType(%d)", uint32(t))
}

// ImpersonationLevel says what a server may do with a client's token.
type ImpersonationLevel uint32

// The impersonation levels (SE-14).
const (
	SecurityAnonymous ImpersonationLevel = iota
	SecurityIdentification
	SecurityImpersonation
	SecurityDelegation
)

// String gives the level's word.
func (l ImpersonationLevel) String() string {
	words := [...]string{"anonymous", "identification", "impersonation", "delegation"}
	if int(l) < len(words) {
		return words[l]
	}
	return fmt.Sprintf("ImpersonationLevel(%d)", uint32(l))
}

// ElevationType tells the halves of a split token apart (SE-32).
type ElevationType uint32

// The elevation types. The zero value counts as ElevationDefault in a
// TokenSpec.
const (
	ElevationDefault ElevationType = 1 // not split
	ElevationFull    ElevationType = 2
	ElevationLimited ElevationType = 3
)

// String gives the type's word.
func (e ElevationType) String() string {
	switch e {
	case ElevationDefault:
		return "default"
	case ElevationFull:
		return "full"
	case ElevationLimited:
		return "limited"
	}
	return fmt.Sprintf("ElevationType(%d)", uint32(e))
}

// Mandatory policy of a token (SE-34).
const (
	PolicyNoWriteUp     uint32 = 1
	PolicyNewProcessMin uint32 = 2
	PolicyDefault              = PolicyNoWriteUp | PolicyNewProcessMin
)

// TokenSource says who made a token.
type TokenSource struct {
	Name string `json:"name"` // at most 8 characters, such as "User32"
	ID   LUID   `json:"id"`
}

// TokenSpec is everything a token is made of (SE-14). It marshals to JSON and
// back without loss, so that a token can be journalled and restored.
type TokenSpec struct {
	ID               LUID               `json:"id"`               // TokenId
	AuthenticationID LUID               `json:"authenticationId"` // logon session
	ModifiedID       LUID               `json:"modifiedId"`
	Origin           LUID               `json:"origin"` // logon session of whoever asked for the logon
	Type             TokenType          `json:"type"`
	Level            ImpersonationLevel `json:"level"` // of an impersonation token
	SessionID        uint32             `json:"sessionId"`

	User           SID        `json:"user"`
	UserAttributes Attributes `json:"userAttributes,omitempty"` // 0 or GroupUseForDenyOnly
	Groups         []Group    `json:"groups,omitempty"`

	// IsRestricted says that RestrictingSIDs are in force. An empty list
	// then grants nothing (SE-29, SE-50d).
	IsRestricted    bool    `json:"isRestricted,omitempty"`
	RestrictingSIDs []Group `json:"restrictingSids,omitempty"`

	Privileges []PrivilegeState `json:"privileges,omitempty"`

	Owner        SID `json:"owner"`        // default owner of new objects; zero means User
	PrimaryGroup SID `json:"primaryGroup"` // default group of new objects
	// DefaultDACL goes to new objects that inherit nothing; nil is none (SE-55).
	DefaultDACL *ACL `json:"defaultDacl,omitempty"`

	Source    TokenSource   `json:"source"`
	Integrity Level         `json:"integrity"`
	Policy    uint32        `json:"policy"` // PolicyNoWriteUp | PolicyNewProcessMin
	Elevation ElevationType `json:"elevation"`
	// Linked is the other half of a split token; its own Linked is ignored,
	// because it points back (SE-32).
	Linked *TokenSpec `json:"linked,omitempty"`

	SandboxInert    bool `json:"sandboxInert,omitempty"`
	WriteRestricted bool `json:"writeRestricted,omitempty"` // SE-31
	UIAccess        bool `json:"uiAccess,omitempty"`

	// Descriptor protects the token object itself; nil means
	// DefaultTokenDescriptor (SE-19).
	Descriptor *Descriptor `json:"descriptor,omitempty"`
}

// clone copies a spec so that no slice is shared. Linked is dropped.
func (s TokenSpec) clone() TokenSpec {
	s.Groups = slices.Clone(s.Groups)
	s.RestrictingSIDs = slices.Clone(s.RestrictingSIDs)
	s.Privileges = slices.Clone(s.Privileges)
	s.DefaultDACL = s.DefaultDACL.Clone()
	s.Linked = nil
	return s
}

// Token is the identity of a process or thread. It is immutable; every
// adjustment gives a new one.
type Token struct {
	spec TokenSpec // immutable; Linked is nil, see linked

	// What the access check asks for, worked out once. Immutable.
	enabled     []SID        // user and groups that count for allow and deny
	denyOnly    []SID        // those that count for deny only
	restricting []SID        // second pass, SE-50d
	held        PrivilegeSet // privileges held
	on          PrivilegeSet // privileges held and enabled
	logonSID    SID
	userEnabled bool

	linked *Token // other half of a split token, set before the token is handed out

	descriptor atomic.Pointer[Descriptor] // the token object's, made when first asked for
	cache      decisionCache              // atomic
}

// NewToken makes a token. Nothing of spec stays shared with the caller. A
// spec with Linked gives the pair; Linked gives the other half. Privileges
// that do not exist are left out.
func NewToken(spec TokenSpec) *Token {
	t := newToken(spec)
	if spec.Linked != nil {
		linkTokens(t, newToken(*spec.Linked))
	}
	return t
}

// linkTokens makes a pair of two tokens that nobody else has seen yet.
func linkTokens(a, b *Token) { a.linked, b.linked = b, a }

func newToken(spec TokenSpec) *Token {
	s := spec.clone()
	if s.Type == 0 {
		s.Type = TokenPrimary
	}
	if s.Elevation == 0 {
		s.Elevation = ElevationDefault
	}
	if s.Owner.IsZero() {
		s.Owner = s.User
	}
	s.DefaultDACL = normalACL(s.DefaultDACL)
	s.Privileges = slices.DeleteFunc(s.Privileges, func(p PrivilegeState) bool { return !p.Privilege.Valid() })
	t := &Token{spec: s}
	t.userEnabled = s.UserAttributes&GroupUseForDenyOnly == 0
	if !s.User.IsZero() {
		if t.userEnabled {
			t.enabled = append(t.enabled, s.User)
		} else {
			t.denyOnly = append(t.denyOnly, s.User)
		}
	}
	for _, g := range s.Groups {
		if g.SID.IsZero() {
			continue
		}
		switch {
		case g.DenyOnly():
			t.denyOnly = append(t.denyOnly, g.SID)
		case g.Enabled():
			t.enabled = append(t.enabled, g.SID)
		}
		if g.Attributes&GroupLogonID == GroupLogonID && t.logonSID.IsZero() {
			t.logonSID = g.SID
		}
	}
	for _, g := range s.RestrictingSIDs {
		if !g.SID.IsZero() {
			t.restricting = append(t.restricting, g.SID)
		}
	}
	for _, p := range s.Privileges {
		t.held |= Privileges(p.Privilege)
		if p.Enabled() {
			t.on |= Privileges(p.Privilege)
		}
	}
	return t
}

// Spec gives all of the token, to be journalled; the caller may change it.
func (t *Token) Spec() TokenSpec {
	s := t.spec.clone()
	if t.linked != nil {
		l := t.linked.spec.clone()
		s.Linked = &l
	}
	return s
}

// ID is the TokenId.
func (t *Token) ID() LUID { return t.spec.ID }

// ModifiedID changes with every adjustment the engine makes.
func (t *Token) ModifiedID() LUID { return t.spec.ModifiedID }

// LogonID is the logon session (AuthenticationId).
func (t *Token) LogonID() LUID { return t.spec.AuthenticationID }

// Origin is the logon session that asked for this one.
func (t *Token) Origin() LUID { return t.spec.Origin }

// LogonSID is the SID with the LOGON_ID attribute; zero for LocalSystem's own
// token (SE-4).
func (t *Token) LogonSID() SID { return t.logonSID }

// SessionID is the terminal session.
func (t *Token) SessionID() uint32 { return t.spec.SessionID }

// Type tells primary from impersonation.
func (t *Token) Type() TokenType { return t.spec.Type }

// Level is the impersonation level; it means nothing on a primary token.
func (t *Token) Level() ImpersonationLevel { return t.spec.Level }

// User is the account.
func (t *Token) User() SID { return t.spec.User }

// UserAttributes is 0, or GroupUseForDenyOnly.
func (t *Token) UserAttributes() Attributes { return t.spec.UserAttributes }

// Groups gives a copy of the groups in token order.
func (t *Token) Groups() []Group { return slices.Clone(t.spec.Groups) }

// RestrictingSIDs gives a copy of the restricting SIDs.
func (t *Token) RestrictingSIDs() []Group { return slices.Clone(t.spec.RestrictingSIDs) }

// IsRestricted reports whether the access check makes a second pass (SE-50d).
func (t *Token) IsRestricted() bool { return t.spec.IsRestricted }

// IsWriteRestricted reports whether the second pass is for writing only
// (SE-31).
func (t *Token) IsWriteRestricted() bool { return t.spec.WriteRestricted }

// Privileges gives a copy of the privileges in token order.
func (t *Token) Privileges() []PrivilegeState { return slices.Clone(t.spec.Privileges) }

// HeldPrivileges is the set of privileges held.
func (t *Token) HeldPrivileges() PrivilegeSet { return t.held }

// EnabledPrivileges is the set of privileges held and enabled.
func (t *Token) EnabledPrivileges() PrivilegeSet { return t.on }

// Owner is the default owner of new objects (SE-17).
func (t *Token) Owner() SID { return t.spec.Owner }

// PrimaryGroup is the default group of new objects.
func (t *Token) PrimaryGroup() SID { return t.spec.PrimaryGroup }

// DefaultDACL gives a copy of the DACL for new objects; nil is none.
func (t *Token) DefaultDACL() *ACL { return t.spec.DefaultDACL.Clone() }

// Source says who made the token.
func (t *Token) Source() TokenSource { return t.spec.Source }

// Integrity is the mandatory level.
func (t *Token) Integrity() Level { return t.spec.Integrity }

// MandatoryPolicy is a set of PolicyNoWriteUp and PolicyNewProcessMin.
func (t *Token) MandatoryPolicy() uint32 { return t.spec.Policy }

// ElevationType tells the halves of a split token apart.
func (t *Token) ElevationType() ElevationType { return t.spec.Elevation }

// IsElevated answers TokenElevation: a full half, or an unsplit token of high
// level or above.
func (t *Token) IsElevated() bool {
	switch t.spec.Elevation {
	case ElevationFull:
		return true
	case ElevationLimited:
		return false
	}
	return t.spec.Integrity >= LevelHigh
}

// SandboxInert reports the SANDBOX_INERT flag.
func (t *Token) SandboxInert() bool { return t.spec.SandboxInert }

// UIAccess reports the UIAccess flag.
func (t *Token) UIAccess() bool { return t.spec.UIAccess }

// Linked is the other half of a split token, nil if there is none. What a
// caller of TokenLinkedToken gets is LinkedFor.
func (t *Token) Linked() *Token { return t.linked }

// Descriptor protects the token object (SE-19).
func (t *Token) Descriptor() *Descriptor {
	if t.spec.Descriptor != nil {
		return t.spec.Descriptor
	}
	if d := t.descriptor.Load(); d != nil {
		return d
	}
	t.descriptor.CompareAndSwap(nil, DefaultTokenDescriptor(t))
	return t.descriptor.Load()
}

// IsMember reports whether the token holds sid enabled, the user SID
// included.
func (t *Token) IsMember(sid SID) bool { return !sid.IsZero() && slices.Contains(t.enabled, sid) }

// Holds reports whether sid is in the token in whatever state.
func (t *Token) Holds(sid SID) bool {
	if sid.IsZero() {
		return false
	}
	return sid == t.spec.User || slices.ContainsFunc(t.spec.Groups, func(g Group) bool { return g.SID == sid })
}

// HasPrivilege reports whether the privilege is held and enabled (SE-25), in a
// token that may be acted with.
func (t *Token) HasPrivilege(p Privilege) bool { return t.on.Has(p) && t.MayAct() }

// HoldsPrivilege reports whether the privilege is held, enabled or not.
func (t *Token) HoldsPrivilege(p Privilege) bool { return t.held.Has(p) }

// IsAdministrator reports whether who acts with the token acts as an
// administrator: Administrators is enabled in it, or its user is LocalSystem.
// A token that only says who somebody is (MayAct) makes nobody one.
func (t *Token) IsAdministrator() bool {
	return t.IsSystem() || t.MayAct() && t.IsMember(Administrators)
}

// IsSystem reports whether who acts with the token acts as LocalSystem.
func (t *Token) IsSystem() bool { return t.userEnabled && t.spec.User == System && t.MayAct() }

// MayAct reports whether the token may be acted with. An impersonation token
// below the level Impersonation only tells who somebody is: whoever lacks
// SeImpersonatePrivilege gets nothing better of another user (SE-27).
func (t *Token) MayAct() bool {
	return t.spec.Type != TokenImpersonation || t.spec.Level >= SecurityImpersonation
}

// mayOwn reports whether sid can be the owner of what the token makes
// (SE-54), SeRestore left aside.
func (t *Token) mayOwn(sid SID) bool {
	if sid.IsZero() {
		return false
	}
	if sid == t.spec.User {
		return t.userEnabled
	}
	for _, g := range t.spec.Groups {
		if g.SID == sid && g.Attributes&GroupOwner != 0 && !g.DenyOnly() {
			return true
		}
	}
	return false
}

// PrivilegeCheck reports whether the token has all the privileges enabled, or
// with any set at least one of them. A token of level Anonymous gives
// ERROR_BAD_IMPERSONATION_LEVEL.
//
// Win32: PrivilegeCheck. Rules: SE-25, SE-26.
func (t *Token) PrivilegeCheck(want []Privilege, any bool) (bool, error) {
	if t.spec.Type == TokenImpersonation && t.spec.Level == SecurityAnonymous {
		return false, &win32.Error{Op: "PrivilegeCheck", Code: win32.ERROR_BAD_IMPERSONATION_LEVEL, Rule: "SE-26"}
	}
	for _, p := range want {
		switch has := t.on.Has(p); {
		case has && any:
			return true, nil
		case !has && !any:
			return false, nil
		}
	}
	return !any || len(want) == 0, nil
}

// TokenStatistics is what TOKEN_STATISTICS holds.
type TokenStatistics struct {
	ID, AuthenticationID, ModifiedID LUID
	Type                             TokenType
	Level                            ImpersonationLevel
	GroupCount, PrivilegeCount       int
}

// Statistics gives the token's numbers (class 10 of SE-20).
func (t *Token) Statistics() TokenStatistics {
	return TokenStatistics{
		ID: t.spec.ID, AuthenticationID: t.spec.AuthenticationID, ModifiedID: t.spec.ModifiedID,
		Type: t.spec.Type, Level: t.spec.Level,
		GroupCount: len(t.spec.Groups), PrivilegeCount: len(t.spec.Privileges),
	}
}
