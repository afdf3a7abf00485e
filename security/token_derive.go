// SPDX-License-Identifier: Apache-2.0

package security

import (
	"slices"

	"stationmaster/win32"
)

// derive makes a new token with one change. It stays one half of the pair it
// belonged to: its Linked is the same, and the other half keeps pointing at
// the original.
func (t *Token) derive(change func(*TokenSpec)) *Token {
	s := t.spec.clone()
	change(&s)
	n := newToken(s)
	n.linked = t.linked
	return n
}

// WithSession gives the token for another terminal session; the other half of
// a split token goes with it. Rules: PRC-6 has the conditions, which are the
// caller's to check.
func (t *Token) WithSession(id uint32) *Token {
	n := t.derive(func(s *TokenSpec) { s.SessionID = id })
	if t.linked != nil {
		linkTokens(n, t.linked.derive(func(s *TokenSpec) { s.SessionID = id }))
	}
	return n
}

// WithID gives the token another TokenId.
func (t *Token) WithID(id LUID) *Token { return t.derive(func(s *TokenSpec) { s.ID = id }) }

// WithModifiedID gives the token another ModifiedId, as every adjustment does.
func (t *Token) WithModifiedID(id LUID) *Token {
	return t.derive(func(s *TokenSpec) { s.ModifiedID = id })
}

// WithIntegrity gives the token another mandatory level. MaySetIntegrity has
// the condition.
func (t *Token) WithIntegrity(l Level) *Token {
	return t.derive(func(s *TokenSpec) { s.Integrity = l })
}

// WithPolicy gives the token another mandatory policy.
func (t *Token) WithPolicy(policy uint32) *Token {
	return t.derive(func(s *TokenSpec) { s.Policy = policy })
}

// WithDescriptor gives the token object another descriptor; nil is the
// default one (SE-19).
func (t *Token) WithDescriptor(d *Descriptor) *Token {
	return t.derive(func(s *TokenSpec) { s.Descriptor = d })
}

// MaySetIntegrity reports as an error whether caller may set the level of t:
// lowering always, raising with SeRelabelPrivilege enabled, else
// ERROR_PRIVILEGE_NOT_HELD. Rules: SE-21.
func (t *Token) MaySetIntegrity(caller *Token, l Level) error {
	if l > t.spec.Integrity && !caller.HasPrivilege(SeRelabelPrivilege) {
		return &win32.Error{Op: "SetTokenInformation", Object: "integrity level " + l.String(), Code: win32.ERROR_PRIVILEGE_NOT_HELD, Rule: "SE-21"}
	}
	return nil
}

// WithOwner gives the token another default owner. A SID that cannot own
// gives ERROR_INVALID_OWNER. Rules: SE-21.
func (t *Token) WithOwner(owner SID) (*Token, error) {
	if !t.mayOwn(owner) {
		return nil, &win32.Error{Op: "SetTokenInformation", Object: "owner " + owner.String(), Code: win32.ERROR_INVALID_OWNER, Rule: "SE-21"}
	}
	return t.derive(func(s *TokenSpec) { s.Owner = owner }), nil
}

// WithPrimaryGroup gives the token another default group, which the token
// must hold; else ERROR_INVALID_PRIMARY_GROUP (1308). Rules: SE-21.
func (t *Token) WithPrimaryGroup(group SID) (*Token, error) {
	if !t.Holds(group) {
		return nil, &win32.Error{Op: "SetTokenInformation", Object: "primary group " + group.String(), Code: errInvalidPrimaryGroup, Rule: "SE-21"}
	}
	return t.derive(func(s *TokenSpec) { s.PrimaryGroup = group }), nil
}

// WithDefaultDACL gives the token another default DACL; nil is none. An ACL
// that ACL.Settable refuses gives its error. Rules: SE-21.
func (t *Token) WithDefaultDACL(dacl *ACL) (*Token, error) {
	if err := dacl.Settable(); err != nil {
		return nil, err
	}
	return t.derive(func(s *TokenSpec) { s.DefaultDACL = normalACL(dacl) }), nil
}

// WithGroup adds a group, or replaces the attributes of one that is there.
// Only who makes tokens may call it.
func (t *Token) WithGroup(g Group) *Token {
	return t.derive(func(s *TokenSpec) {
		if i := slices.IndexFunc(s.Groups, func(o Group) bool { return o.SID == g.SID }); i >= 0 {
			s.Groups[i] = g
			return
		}
		s.Groups = append(s.Groups, g)
	})
}

// WithServiceSID adds a service's SID as the service manager does for SID
// type 1: enabled, and able to own. Rules: SE-9, SCM-36.
func (t *Token) WithServiceSID(sid SID) *Token {
	return t.WithGroup(Group{sid, GroupEnabledByDefault | GroupEnabled | GroupOwner})
}

// RestrictService adds the service's SID and the write-restricted pass of SID
// type 3. Rules: SE-31, SCM-36.
func (t *Token) RestrictService(sid SID) *Token {
	list := []SID{sid, Everyone, WriteRestricted}
	if !t.logonSID.IsZero() {
		list = append(list, t.logonSID)
	}
	return t.WithServiceSID(sid).restrict(RestrictSpec{Flags: WriteRestrictedFlag, Restricting: list})
}

// KeepPrivileges removes every privilege that is not in keep; SeChangeNotify
// always stays. Rules: SCM-36.
func (t *Token) KeepPrivileges(keep PrivilegeSet) *Token {
	keep |= Privileges(SeChangeNotifyPrivilege)
	return t.derive(func(s *TokenSpec) {
		s.Privileges = slices.DeleteFunc(s.Privileges, func(p PrivilegeState) bool { return !keep.Has(p.Privilege) })
	})
}

// WithPrivileges adds privileges with the given states, or changes those that
// are there. Only who makes tokens may call it.
func (t *Token) WithPrivileges(add ...PrivilegeState) *Token {
	return t.derive(func(s *TokenSpec) { s.Privileges = addPrivileges(s.Privileges, add) })
}

func addPrivileges(list, add []PrivilegeState) []PrivilegeState {
	for _, a := range add {
		if i := slices.IndexFunc(list, func(p PrivilegeState) bool { return p.Privilege == a.Privilege }); i >= 0 {
			list[i] = a
		} else {
			list = append(list, a)
		}
	}
	return list
}

// Duplicate gives a copy of the token with a TokenId of its own. From an
// impersonation token no higher level can be had, and a primary token only if
// it is of SecurityImpersonation or above; else
// ERROR_BAD_IMPERSONATION_LEVEL. A type or level that does not exist gives
// ERROR_INVALID_PARAMETER.
//
// Win32: DuplicateTokenEx. Rules: SE-28.
func (t *Token) Duplicate(typ TokenType, level ImpersonationLevel, id LUID) (*Token, error) {
	const op = "DuplicateTokenEx"
	if typ != TokenPrimary && typ != TokenImpersonation || level > SecurityDelegation {
		return nil, &win32.Error{Op: op, Object: typ.String(), Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-28"}
	}
	if t.spec.Type == TokenImpersonation {
		refused := level > t.spec.Level
		if typ == TokenPrimary && t.spec.Level < SecurityImpersonation {
			refused = true // a primary token opens things; this one may not
		}
		if refused {
			return nil, &win32.Error{Op: op, Object: level.String(), Code: win32.ERROR_BAD_IMPERSONATION_LEVEL, Rule: "SE-28"}
		}
	}
	return t.derive(func(s *TokenSpec) {
		s.Type, s.ID = typ, id
		s.Level = level
		s.Descriptor = nil // a new object, a new descriptor
	}), nil
}

// LinkedFor gives what a caller of TokenLinkedToken gets: a new token object
// each time, primary for a caller with SeTcbPrivilege enabled, else for
// identification only. ok is false for a token that is not split.
// Rules: SE-32.
func (t *Token) LinkedFor(caller *Token, id LUID) (linked *Token, ok bool) {
	if t.linked == nil {
		return nil, false
	}
	return t.linked.derive(func(s *TokenSpec) {
		s.ID = id
		s.Type, s.Level = TokenImpersonation, SecurityIdentification
		if caller.HasPrivilege(SeTcbPrivilege) {
			s.Type, s.Level = TokenPrimary, SecurityAnonymous
		}
	}), true
}

// Flags of RestrictSpec (SE-29).
const (
	DisableMaxPrivilege uint32 = 1
	SandboxInertFlag    uint32 = 2
	LUATokenFlag        uint32 = 4
	WriteRestrictedFlag uint32 = 8
)

// RestrictSpec says how to restrict a token (SE-29).
type RestrictSpec struct {
	Flags       uint32
	DenyOnly    []SID // these count for deny ACEs only from now on
	Delete      []Privilege
	Restricting []SID // both passes must grant (SE-50d)
	ID          LUID  // TokenId of the new token
}

// Restrict gives a token that can do no more than t, and less by what r says.
// It has no linked token. Flags that do not exist give
// ERROR_INVALID_PARAMETER.
//
// Win32: CreateRestrictedToken. Rules: SE-29, SE-30, SE-31, SE-32.
func (t *Token) Restrict(r RestrictSpec) (*Token, error) {
	if r.Flags&^(DisableMaxPrivilege|SandboxInertFlag|LUATokenFlag|WriteRestrictedFlag) != 0 {
		return nil, &win32.Error{Op: "CreateRestrictedToken", Object: "flags", Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-29"}
	}
	for _, p := range r.Delete {
		if !p.Valid() {
			return nil, &win32.Error{Op: "CreateRestrictedToken", Object: p.String(), Code: errNoSuchPrivilege, Rule: "SE-29"}
		}
	}
	for _, s := range r.Restricting {
		if s.IsZero() {
			return nil, &win32.Error{Op: "CreateRestrictedToken", Object: "restricting SIDs", Code: win32.ERROR_INVALID_SID, Rule: "SE-29"}
		}
	}
	n := t.restrict(r)
	n.linked = nil
	return n, nil
}

// restrict does the work on checked input and keeps the link.
func (t *Token) restrict(r RestrictSpec) *Token {
	denyOnly := slices.Clone(r.DenyOnly)
	remove := Privileges(r.Delete...)
	if r.Flags&DisableMaxPrivilege != 0 {
		remove |= t.held &^ Privileges(SeChangeNotifyPrivilege)
	}
	if r.Flags&LUATokenFlag != 0 {
		denyOnly = append(denyOnly, limitedDenyOnly...)
		remove |= t.held &^ userPrivilegeSet()
	}
	return t.derive(func(s *TokenSpec) {
		if r.ID != 0 {
			s.ID = r.ID
		}
		if slices.Contains(denyOnly, s.User) {
			s.UserAttributes |= GroupUseForDenyOnly
		}
		for i := range s.Groups {
			if slices.Contains(denyOnly, s.Groups[i].SID) {
				s.Groups[i].Attributes = denyOnlyAttributes(s.Groups[i].Attributes)
				if s.Owner == s.Groups[i].SID {
					s.Owner = s.User
				}
			}
		}
		s.Privileges = slices.DeleteFunc(s.Privileges, func(p PrivilegeState) bool { return remove.Has(p.Privilege) })
		s.SandboxInert = s.SandboxInert || r.Flags&SandboxInertFlag != 0
		if r.Flags&LUATokenFlag != 0 {
			s.Integrity = min(s.Integrity, LevelMedium)
		}
		restrictSIDs(s, r)
		s.Descriptor = nil
	})
}

// restrictSIDs puts the restricting list in force. A token that is restricted
// already never gets wider: lists are intersected, and the second pass of all
// bits is not turned into one of the writing bits (SE-29, SE-31).
func restrictSIDs(s *TokenSpec, r RestrictSpec) {
	writeOnly := r.Flags&WriteRestrictedFlag != 0
	if len(r.Restricting) == 0 {
		return
	}
	if !s.IsRestricted {
		s.IsRestricted, s.WriteRestricted = true, writeOnly
		for _, sid := range r.Restricting {
			if !slices.ContainsFunc(s.RestrictingSIDs, func(g Group) bool { return g.SID == sid }) {
				s.RestrictingSIDs = append(s.RestrictingSIDs, Group{sid, GroupDefault})
			}
		}
		return
	}
	s.WriteRestricted = s.WriteRestricted && writeOnly
	s.RestrictingSIDs = slices.DeleteFunc(s.RestrictingSIDs, func(g Group) bool { return !slices.Contains(r.Restricting, g.SID) })
}

// denyOnlyAttributes are the attributes a group has once it is deny-only.
func denyOnlyAttributes(a Attributes) Attributes {
	return a&^(GroupMandatory|GroupEnabledByDefault|GroupEnabled|GroupOwner) | GroupUseForDenyOnly
}

// AdjustPrivileges enables, disables or removes privileges, or with
// disableAll disables every one. Privileges that the token does not hold are
// skipped, and all is false then: the call succeeds with
// ERROR_NOT_ALL_ASSIGNED. previous holds the old states of what changed.
//
// Win32: AdjustTokenPrivileges. Rules: SE-22.
func (t *Token) AdjustPrivileges(disableAll bool, changes []PrivilegeState) (n *Token, previous []PrivilegeState, all bool) {
	all = true
	n = t.derive(func(s *TokenSpec) {
		if disableAll {
			for i := range s.Privileges {
				if p := &s.Privileges[i]; p.Enabled() {
					previous = append(previous, *p)
					p.Attributes &^= PrivilegeEnabled
				}
			}
			return
		}
		for _, c := range changes {
			i := slices.IndexFunc(s.Privileges, func(p PrivilegeState) bool { return p.Privilege == c.Privilege })
			if i < 0 {
				all = false
				continue
			}
			p := &s.Privileges[i]
			switch old := *p; {
			case c.Attributes&PrivilegeRemoved != 0:
				previous = append(previous, old)
				s.Privileges = slices.Delete(s.Privileges, i, i+1)
			case c.Enabled() != old.Enabled():
				previous = append(previous, old)
				p.Attributes = p.Attributes&^PrivilegeEnabled | c.Attributes&PrivilegeEnabled
			}
		}
	})
	return n, previous, all
}

// AdjustGroups enables or disables groups, or with reset puts every group back
// to its default. A change that would disable a mandatory group or the user,
// or that touches a deny-only SID, gives ERROR_CANT_DISABLE_MANDATORY and
// changes nothing. Groups that the token does not hold are skipped, and all is
// false then.
//
// Win32: AdjustTokenGroups. Rules: SE-23.
func (t *Token) AdjustGroups(reset bool, changes []Group) (n *Token, previous []Group, all bool, err error) {
	refuse := func(sid SID) error {
		return &win32.Error{Op: "AdjustTokenGroups", Object: sid.Name(), Code: win32.ERROR_CANT_DISABLE_MANDATORY, Rule: "SE-23"}
	}
	s := t.spec.clone()
	set := func(g *Group, enabled bool) {
		if on := g.Attributes&GroupEnabled != 0; on != enabled {
			previous = append(previous, *g)
			g.Attributes ^= GroupEnabled
		}
	}
	all = true
	if reset {
		for i := range s.Groups {
			if g := &s.Groups[i]; !g.DenyOnly() && g.Attributes&GroupMandatory == 0 {
				set(g, g.Attributes&GroupEnabledByDefault != 0)
			}
		}
		changes = nil
	}
	for _, c := range changes {
		enable := c.Attributes&GroupEnabled != 0
		if c.SID == s.User {
			if !enable || !t.userEnabled {
				return nil, nil, false, refuse(c.SID)
			}
			continue
		}
		i := slices.IndexFunc(s.Groups, func(g Group) bool { return g.SID == c.SID })
		if i < 0 {
			all = false
			continue
		}
		g := &s.Groups[i]
		if g.DenyOnly() || g.Attributes&GroupMandatory != 0 && !enable {
			return nil, nil, false, refuse(c.SID)
		}
		set(g, enable)
	}
	return t.derive(func(n *TokenSpec) { n.Groups = s.Groups }), previous, all, nil
}
