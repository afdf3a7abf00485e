// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

// oracle is a second access check, written from the rules to be obviously
// right: it asks about one bit after the other and keeps nothing between
// them. SE-50a says that a maximum is the union of those answers.
type oracle struct {
	t  security.TokenSpec
	d  *security.Descriptor
	m  *security.Mapping
	cb bool // met a deny ACE that cannot be evaluated
}

func (o *oracle) enabledPrivilege(p security.Privilege) bool {
	for _, s := range o.t.Privileges {
		if s.Privilege == p && s.Attributes&security.PrivilegeEnabled != 0 {
			return true
		}
	}
	return false
}

// holds says whether one pass has the SID, for allowing or for denying.
func (o *oracle) holds(sid security.SID, second, deny bool) bool {
	if second {
		for _, g := range o.t.RestrictingSIDs {
			if g.SID == sid {
				return true
			}
		}
		return false
	}
	if sid == o.t.User {
		return deny || o.t.UserAttributes&security.GroupUseForDenyOnly == 0
	}
	for _, g := range o.t.Groups {
		if g.SID != sid {
			continue
		}
		if g.Attributes&security.GroupUseForDenyOnly != 0 {
			if deny {
				return true
			}
			continue
		}
		if g.Attributes&security.GroupEnabled != 0 {
			return true
		}
	}
	return false
}

func (o *oracle) mapped(mask win32.AccessMask) win32.AccessMask {
	var out win32.AccessMask
	for bit := win32.AccessMask(1); bit != 0; bit <<= 1 {
		if mask&bit == 0 {
			continue
		}
		switch bit {
		case win32.GENERIC_READ:
			out |= o.m.Read
		case win32.GENERIC_WRITE:
			out |= o.m.Write
		case win32.GENERIC_EXECUTE:
			out |= o.m.Execute
		case win32.GENERIC_ALL:
			out |= o.m.All
		default:
			out |= bit
		}
	}
	return out
}

// mandatory says whether the label lets the token have the bit (SE-52).
func (o *oracle) mandatory(bit win32.AccessMask) bool {
	level, mask := security.LevelMedium, security.LabelNoWriteUp
	if sacl, _ := o.d.SACL(); sacl != nil {
		for _, a := range sacl.ACEs {
			if a.Type == security.LabelACE && a.Flags&security.InheritOnly == 0 {
				level, mask = security.Level(a.SID.RID()), a.Mask
				break
			}
		}
	}
	if o.t.Policy&security.PolicyNoWriteUp == 0 || o.t.Integrity >= level {
		return true
	}
	reads, executes, writes := o.m.Read&bit != 0, o.m.Execute&bit != 0, o.m.Write&bit != 0
	ok := reads || executes
	if reads && mask&security.LabelNoReadUp != 0 {
		ok = false
	}
	if executes && mask&security.LabelNoExecuteUp != 0 {
		ok = false
	}
	if writes && mask&security.LabelNoWriteUp == 0 {
		ok = true
	}
	if bit == win32.WRITE_OWNER && o.enabledPrivilege(security.SeRelabelPrivilege) {
		ok = true
	}
	return ok
}

// pass answers for one bit in one pass over the DACL (SE-49, SE-50).
func (o *oracle) pass(bit win32.AccessMask, second bool) bool {
	dacl, _ := o.d.DACL()
	if dacl == nil {
		return true
	}
	ownerRights := false
	for _, a := range dacl.ACEs {
		if a.Flags&security.InheritOnly == 0 && a.SID == security.OwnerRights {
			ownerRights = true
		}
	}
	ownerEnabled := !o.d.Owner().IsZero() && o.holds(o.d.Owner(), second, false)
	if !ownerRights && ownerEnabled && (bit == win32.READ_CONTROL || bit == win32.WRITE_DAC) {
		return true
	}
	for _, a := range dacl.ACEs {
		if a.Flags&security.InheritOnly != 0 {
			continue
		}
		if a.Type == security.DenyCallbackACE || a.Type == security.DenyCallbackObjectACE {
			o.cb = true
			return false
		}
		allow := a.Type == security.AllowACE || a.Type == security.AllowObjectACE && a.ObjectFlags&security.ObjectTypePresent == 0
		deny := a.Type == security.DenyACE || a.Type == security.DenyObjectACE
		if !allow && !deny || o.mapped(a.Mask)&bit == 0 {
			continue
		}
		sid := a.SID
		if sid == security.PrincipalSelf {
			continue // no self SID is given
		}
		if sid == security.OwnerRights {
			if sid = o.d.Owner(); sid.IsZero() {
				continue
			}
		}
		if allow && o.holds(sid, second, false) {
			return true
		}
		if deny && o.holds(sid, second, true) {
			return false
		}
	}
	return false
}

// bit answers for one bit that no privilege gave.
func (o *oracle) bit(bit win32.AccessMask) bool {
	if !o.pass(bit, false) {
		return false
	}
	if dacl, _ := o.d.DACL(); !o.t.IsRestricted || dacl == nil {
		return true
	}
	writes := o.m.Write | win32.DELETE | win32.WRITE_DAC | win32.WRITE_OWNER
	if o.t.WriteRestricted && bit&writes == 0 {
		return true
	}
	return o.pass(bit, true)
}

// check is the whole decision.
func (o *oracle) check(desired win32.AccessMask) (win32.AccessMask, win32.Errno) {
	if o.t.Type == security.TokenImpersonation && o.t.Level < security.SecurityImpersonation {
		return 0, win32.ERROR_BAD_IMPERSONATION_LEVEL
	}
	desired = o.mapped(desired)
	maximum := desired&win32.MAXIMUM_ALLOWED != 0
	var granted win32.AccessMask
	if desired&win32.ACCESS_SYSTEM_SECURITY != 0 {
		if !o.enabledPrivilege(security.SeSecurityPrivilege) {
			return 0, win32.ERROR_PRIVILEGE_NOT_HELD
		}
		granted |= win32.ACCESS_SYSTEM_SECURITY
	}
	for bit := win32.AccessMask(1); bit != 0; bit <<= 1 {
		if bit == win32.ACCESS_SYSTEM_SECURITY || bit == win32.MAXIMUM_ALLOWED {
			continue
		}
		asked := desired&bit != 0
		if !asked && !maximum {
			continue
		}
		ok := o.mandatory(bit)
		byPrivilege := asked && bit == win32.WRITE_OWNER && o.enabledPrivilege(security.SeTakeOwnershipPrivilege)
		if ok && !byPrivilege {
			ok = o.bit(bit)
			if dacl, _ := o.d.DACL(); dacl == nil && !asked {
				ok = o.m.All&bit != 0 // SE-48: the maximum of no DACL is ALL
			}
			if !asked && bit >= win32.GENERIC_ALL {
				ok = false // a generic right is a request, never a grant
			}
		}
		switch {
		case ok:
			granted |= bit
		case asked:
			return 0, win32.ERROR_ACCESS_DENIED
		}
	}
	if maximum {
		dacl, _ := o.d.DACL()
		if dacl != nil {
			for _, a := range dacl.ACEs { // SE-37: a maximum looks at every ACE
				if a.Flags&security.InheritOnly == 0 && (a.Type == security.DenyCallbackACE || a.Type == security.DenyCallbackObjectACE) {
					return 0, win32.ERROR_ACCESS_DENIED
				}
			}
		}
		if granted == 0 {
			return 0, win32.ERROR_ACCESS_DENIED
		}
	}
	return granted, 0
}

// Random material. The pool is small so that SIDs meet.
var pool = []security.SID{
	security.MustSID("S-1-5-21-1-2-3-1001"), security.MustSID("S-1-5-21-1-2-3-1002"), security.Everyone, security.Users,
	security.Administrators, security.Interactive, security.LogonSID(7), security.Restricted,
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomMask(r *rand.Rand) win32.AccessMask {
	bits := []win32.AccessMask{1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, win32.DELETE, win32.READ_CONTROL, win32.WRITE_DAC,
		win32.WRITE_OWNER, win32.SYNCHRONIZE, win32.GENERIC_READ, win32.GENERIC_WRITE, win32.GENERIC_EXECUTE, win32.GENERIC_ALL}
	var m win32.AccessMask
	for n := r.IntN(4); n >= 0; n-- {
		m |= pick(r, bits...)
	}
	if r.IntN(40) == 0 {
		m = win32.AccessMask(r.Uint32())
	}
	return m
}

func randomToken(r *rand.Rand) *security.Token {
	s := security.TokenSpec{
		User: pool[r.IntN(2)], Policy: pick(r, security.PolicyDefault, security.PolicyDefault, 0),
		Integrity: pick(r, security.LevelUntrusted, security.LevelLow, security.LevelMedium, security.LevelHigh, security.LevelSystem),
		Type:      security.TokenPrimary,
	}
	if r.IntN(12) == 0 {
		s.UserAttributes = security.GroupUseForDenyOnly
	}
	if r.IntN(8) == 0 {
		s.Type, s.Level = security.TokenImpersonation, security.ImpersonationLevel(r.IntN(4))
	}
	for _, sid := range pool[2:] {
		if r.IntN(3) > 0 {
			s.Groups = append(s.Groups, security.Group{SID: sid, Attributes: pick(r, security.GroupDefault, security.GroupDefault,
				security.GroupUseForDenyOnly, 0, security.GroupEnabled, security.GroupEnabled|security.GroupUseForDenyOnly)})
		}
	}
	for _, p := range []security.Privilege{security.SeSecurityPrivilege, security.SeTakeOwnershipPrivilege, security.SeRelabelPrivilege} {
		if r.IntN(4) == 0 {
			s.Privileges = append(s.Privileges, security.PrivilegeState{Privilege: p, Attributes: pick(r, 0, security.PrivilegeEnabled)})
		}
	}
	if r.IntN(3) == 0 {
		s.IsRestricted, s.WriteRestricted = true, r.IntN(2) == 0
		for _, sid := range pool {
			if r.IntN(2) == 0 {
				s.RestrictingSIDs = append(s.RestrictingSIDs, security.Group{SID: sid, Attributes: security.GroupDefault})
			}
		}
	}
	return security.NewToken(s)
}

func randomDescriptor(r *rand.Rand) *security.Descriptor {
	owner := security.SID{}
	if r.IntN(5) > 0 {
		owner = pick(r, pool...)
	}
	var dacl, sacl *security.ACL
	control := uint16(0)
	switch r.IntN(12) {
	case 0:
	case 1:
		control = security.ControlDACLPresent
	default:
		var aces []security.ACE
		for n := r.IntN(8); n > 0; n-- {
			a := security.ACE{Mask: randomMask(r), SID: pick(r, pool...)}
			a.Type = pick(r, security.AllowACE, security.AllowACE, security.AllowACE, security.DenyACE, security.AllowObjectACE, security.DenyObjectACE)
			switch r.IntN(30) {
			case 0, 1:
				a.SID = security.OwnerRights
			case 2:
				a.SID = security.PrincipalSelf
			case 3:
				a = security.ACE{Type: pick(r, security.DenyCallbackACE, security.AllowCallbackACE, security.DenyCallbackObjectACE), Raw: make([]byte, 20)}
			}
			if a.Type == security.AllowObjectACE || a.Type == security.DenyObjectACE {
				a.ObjectFlags = uint32(r.IntN(4))
			}
			if r.IntN(8) == 0 {
				a.Flags = pick(r, security.InheritOnly, security.InheritOnly|security.ContainerInherit, security.Inherited)
			}
			aces = append(aces, a)
		}
		dacl = security.NewACL(aces...)
	}
	if r.IntN(3) == 0 {
		var aces []security.ACE
		for n := r.IntN(3); n > 0; n-- {
			a := security.Label(win32.AccessMask(r.IntN(8)), pick(r, security.LevelLow, security.LevelMedium, security.LevelHigh, security.LevelSystem))
			if r.IntN(4) == 0 {
				a.Flags = security.InheritOnly
			}
			aces = append(aces, a)
		}
		sacl = security.NewACL(aces...)
	}
	return security.NewDescriptor(owner, security.Users, dacl, sacl, control)
}

func TestCheckAgainstOracle(t *testing.T) {
	conform.Rule(t, "SE-15", "SE-27", "SE-30", "SE-31", "SE-37", "SE-43", "SE-45", "SE-46", "SE-47", "SE-48", "SE-49", "SE-50", "SE-50a", "SE-50b", "SE-50d", "SE-52")
	cases := 1_000_000
	if raceEnabled || testing.Short() {
		cases = 100_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	mappings := []*security.Mapping{security.EventMapping, security.InteractiveStationMapping, security.DesktopMapping, security.FileMapping, security.TokenMapping, security.ServiceMapping}
	outcomes := map[win32.Errno]int{}
	var tok *security.Token
	var spec security.TokenSpec
	var d *security.Descriptor
	for i := range cases {
		if i%4 == 0 {
			tok = randomToken(r)
			spec = tok.Spec()
		}
		if i%2 == 0 {
			d = randomDescriptor(r)
		}
		m := pick(r, mappings...)
		desired := randomMask(r)
		switch r.IntN(6) {
		case 0:
			desired = win32.MAXIMUM_ALLOWED
		case 1:
			desired |= win32.MAXIMUM_ALLOWED
		case 2:
			if r.IntN(4) == 0 {
				desired |= win32.ACCESS_SYSTEM_SECURITY
			}
		}
		o := oracle{t: spec, d: d, m: m}
		want, code := o.check(desired)
		outcomes[code]++
		got, err := security.Check(tok, d, desired, m)
		again, err2 := security.Check(tok, d, desired, m) // from the cache
		e := security.Explain(tok, d, desired, m)
		if got != want || win32.Code(err) != code || again != got || err2 != err || e.Granted != got || e.Err != err {
			t.Fatalf("seed %d case %d: desired %v, mapping %v\ntoken %s\ndescriptor %s\nCheck %v, %v; cached %v, %v; Explain %+v; want %v, %d",
				seed, i, desired, *m, describe(spec), d, got, err, again, err2, e, want, code)
		}
		if (e.Err == nil) != (e.Remaining == 0) && e.Err == nil || e.Rule == "" {
			t.Fatalf("seed %d case %d: Explain says %+v", seed, i, e)
		}
	}
	for _, code := range []win32.Errno{0, win32.ERROR_ACCESS_DENIED, win32.ERROR_PRIVILEGE_NOT_HELD, win32.ERROR_BAD_IMPERSONATION_LEVEL} {
		if outcomes[code] < cases/1000 {
			t.Errorf("only %d of %d cases end in %d: the cases are not random enough", outcomes[code], cases, code)
		}
	}
}

func describe(s security.TokenSpec) string {
	out := fmt.Sprintf("user %v(%x) level %v policy %d type %v/%v restricted %v/%v groups", s.User, s.UserAttributes, s.Integrity, s.Policy, s.Type, s.Level, s.IsRestricted, s.WriteRestricted)
	for _, g := range s.Groups {
		out += fmt.Sprintf(" %v(%x)", g.SID, uint32(g.Attributes))
	}
	return out + fmt.Sprintf(" restricting %v privileges %v", s.RestrictingSIDs, s.Privileges)
}
