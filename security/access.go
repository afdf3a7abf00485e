// SPDX-License-Identifier: Apache-2.0

package security

import (
	"slices"

	"stationmaster/win32"
)

// The errors of a check, boxed once so that a refusal allocates nothing.
var (
	errDenied       error = win32.ERROR_ACCESS_DENIED
	errPrivilege    error = win32.ERROR_PRIVILEGE_NOT_HELD
	errLevel        error = win32.ERROR_BAD_IMPERSONATION_LEVEL
	errNoToken      error = win32.ERROR_NO_TOKEN
	errNoDescriptor error = win32.ERROR_INVALID_SECURITY_DESCR
)

// Decision is the outcome of an access check and what brought it about, for
// the audit log.
type Decision struct {
	Granted   win32.AccessMask // 0 when refused
	Err       error            // nil, or win32.Errno 5, 1008, 1314, 1338 or 1346
	ACE       int              // index in the DACL of the ACE that decided, -1 if none did
	Rule      string           // rule that decided, such as "SE-50"
	Remaining win32.AccessMask // the desired bits that were not granted
	Used      PrivilegeSet     // privileges that granted something (SE-45, SE-46)
	Owner     bool             // the owner's implicit rights granted something (SE-49)
	Second    bool             // the pass over the restricting SIDs refused (SE-50d)
}

// Check decides whether the token may open an object with the given
// descriptor for the desired rights, and gives the granted mask, which the
// handle keeps (SE-50e). Generic bits of desired are mapped through m first.
// With MAXIMUM_ALLOWED everything that is allowed is granted. desired 0 is
// granted as 0; types that refuse such an open do so themselves (SE-50c,
// AR-30).
//
// The error is a win32.Errno: ERROR_ACCESS_DENIED, ERROR_PRIVILEGE_NOT_HELD
// when ACCESS_SYSTEM_SECURITY lacks its privilege, or
// ERROR_BAD_IMPERSONATION_LEVEL for a token that is not good for opening
// things (SE-27). A nil token or descriptor is refused with ERROR_NO_TOKEN
// and ERROR_INVALID_SECURITY_DESCR.
//
// Rules: SE-27, SE-45 to SE-52.
func Check(t *Token, d *Descriptor, desired win32.AccessMask, m *Mapping) (win32.AccessMask, error) {
	if t == nil {
		return 0, errNoToken
	}
	if d == nil {
		return 0, errNoDescriptor
	}
	if e := t.cache.find(d.generation, desired, m); e != nil {
		return e.granted, e.err
	}
	dec := open(t, d, desired, m)
	t.cache.store(d.generation, desired, m, dec.Granted, dec.Err)
	return dec.Granted, dec.Err
}

// Explain decides as Check does, without the cache, and says why.
func Explain(t *Token, d *Descriptor, desired win32.AccessMask, m *Mapping) Decision {
	switch {
	case t == nil:
		return Decision{Err: errNoToken, ACE: -1, Rule: "SE-27", Remaining: desired}
	case d == nil:
		return Decision{Err: errNoDescriptor, ACE: -1, Rule: "SE-43", Remaining: desired}
	}
	return open(t, d, desired, m)
}

// open is the check of an open by name: identity-only tokens are refused.
func open(t *Token, d *Descriptor, desired win32.AccessMask, m *Mapping) Decision {
	if t.spec.Type == TokenImpersonation && t.spec.Level < SecurityImpersonation {
		return Decision{Err: errLevel, ACE: -1, Rule: "SE-27", Remaining: desired}
	}
	return decide(t, d, subjectOf{}, m.Map(desired), m)
}

// AccessCheckStatus is the answer of the function AccessCheck.
type AccessCheckStatus struct {
	Granted win32.AccessMask
	Allowed bool         // AccessStatus
	Err     win32.Errno  // last error when not Allowed: 5 or 1314; 0 for desired 0
	Used    PrivilegeSet // privileges used, for the PRIVILEGE_SET
}

// AccessCheck is the function servers call for objects of their own, with the
// token of an impersonated client. self stands in for PRINCIPAL SELF, zero
// for none. An error is a failure of the call itself: 1309 for a primary
// token, 1346 below Identification, 1338 for a descriptor without owner or
// group, 1360 for generic bits in desired.
//
// Win32: AccessCheck. Rules: SE-44, SE-45, SE-50c.
func AccessCheck(t *Token, d *Descriptor, self SID, desired win32.AccessMask, m *Mapping) (AccessCheckStatus, error) {
	if err := accessCheckReady(t, d, desired); err != nil {
		return AccessCheckStatus{}, err
	}
	if desired == 0 { // SE-50c
		return AccessCheckStatus{}, nil
	}
	return statusOf(decide(t, d, subjectOf{self: self}, desired, m)), nil
}

func statusOf(dec Decision) AccessCheckStatus {
	if dec.Err != nil {
		return AccessCheckStatus{Err: win32.Code(dec.Err)}
	}
	return AccessCheckStatus{Granted: dec.Granted, Allowed: true, Used: dec.Used}
}

// accessCheckReady holds the preconditions of SE-44 that are not about
// buffers.
func accessCheckReady(t *Token, d *Descriptor, desired win32.AccessMask) error {
	fail := func(code win32.Errno) error {
		return &win32.Error{Op: "AccessCheck", Code: code, Rule: "SE-44"}
	}
	switch {
	case t == nil:
		return fail(win32.ERROR_NO_TOKEN)
	case t.spec.Type != TokenImpersonation:
		return fail(win32.ERROR_NO_IMPERSONATION_TOKEN)
	case t.spec.Level < SecurityIdentification:
		return fail(win32.ERROR_BAD_IMPERSONATION_LEVEL)
	case d == nil || d.owner.IsZero() || d.group.IsZero():
		return fail(win32.ERROR_INVALID_SECURITY_DESCR)
	case desired&genericBits != 0:
		return fail(win32.ERROR_GENERIC_NOT_MAPPED)
	}
	return nil
}

// ownerImplied are the rights an owner has without an ACE (SE-49).
const ownerImplied = win32.READ_CONTROL | win32.WRITE_DAC

// subjectOf says what a check is about besides token and descriptor.
type subjectOf struct {
	self  SID    // stands in for PRINCIPAL SELF; zero matches nobody
	types []GUID // a property and what holds it, in a check with an object tree
}

// decide is the check itself, on a desired mask without generic bits.
func decide(t *Token, d *Descriptor, on subjectOf, desired win32.AccessMask, m *Mapping) Decision {
	dec := Decision{ACE: -1}
	maximum := desired&win32.MAXIMUM_ALLOWED != 0
	want := desired &^ win32.MAXIMUM_ALLOWED
	var byPrivilege win32.AccessMask

	// SE-45: only the privilege gives the right to the SACL.
	if want&win32.ACCESS_SYSTEM_SECURITY != 0 {
		if !t.on.Has(SeSecurityPrivilege) {
			dec.Err, dec.Rule, dec.Remaining = errPrivilege, "SE-45", desired
			return dec
		}
		byPrivilege = win32.ACCESS_SYSTEM_SECURITY
		dec.Used |= 1 << SeSecurityPrivilege
	}

	// SE-47: what a token of this level may get at all.
	mandatory := mandatoryMask(t, d, m)
	want &^= win32.ACCESS_SYSTEM_SECURITY
	if want&^mandatory != 0 {
		dec.Err, dec.Rule, dec.Remaining = errDenied, "SE-47", want&^mandatory
		dec.Used = 0
		return dec
	}

	// SE-46: taking ownership.
	remaining := want
	if want&win32.WRITE_OWNER != 0 && t.on.Has(SeTakeOwnershipPrivilege) {
		byPrivilege |= win32.WRITE_OWNER
		remaining &^= win32.WRITE_OWNER
		dec.Used |= 1 << SeTakeOwnershipPrivilege
	}

	// SE-48: no DACL, no questions.
	if d.dacl == nil {
		dec.Granted = want | byPrivilege
		if maximum {
			dec.Granted |= allRights(m) & mandatory
		}
		dec.Rule = "SE-48"
		return checkGranted(dec, maximum, desired)
	}

	first := walker{d: d, on: on, m: m, enabled: t.enabled, denyOnly: t.denyOnly}
	if !maximum {
		dec.ACE, dec.Rule, dec.Remaining, dec.Owner = first.specific(remaining)
		if dec.Remaining == 0 && t.spec.IsRestricted {
			second := walker{d: d, on: on, m: m, enabled: t.restricting}
			if ace, _, left, _ := second.specific(remaining & secondPass(t, m)); left != 0 {
				dec.ACE, dec.Rule, dec.Remaining, dec.Second = ace, "SE-50d", left, true
			}
		}
		if dec.Remaining != 0 {
			dec.Err, dec.Used, dec.Owner = errDenied, 0, false
			return dec
		}
		dec.Granted = want | byPrivilege
		return dec
	}

	allowed, bad := first.maximum()
	dec.Rule = "SE-50a"
	if t.spec.IsRestricted && bad < 0 {
		second := walker{d: d, on: on, m: m, enabled: t.restricting}
		var more win32.AccessMask
		if more, bad = second.maximum(); bad < 0 {
			dec.Second = allowed&^(more|^secondPass(t, m)) != 0
			allowed &= more | ^secondPass(t, m)
		}
	}
	if bad >= 0 { // SE-37
		return Decision{Err: errDenied, ACE: bad, Rule: "SE-37", Remaining: want}
	}
	dec.Granted = allowed&mandatory | byPrivilege
	if left := want &^ dec.Granted; left != 0 {
		return Decision{Err: errDenied, ACE: -1, Rule: "SE-50", Remaining: left, Second: dec.Second}
	}
	return checkGranted(dec, true, desired)
}

// checkGranted refuses a maximum that came to nothing.
func checkGranted(dec Decision, maximum bool, desired win32.AccessMask) Decision {
	if maximum && dec.Granted == 0 {
		return Decision{Err: errDenied, ACE: -1, Rule: dec.Rule, Remaining: desired, Second: dec.Second}
	}
	dec.Second = false
	return dec
}

// allRights is what GENERIC_ALL means.
func allRights(m *Mapping) win32.AccessMask {
	if m == nil {
		return 0
	}
	return m.All
}

// secondPass gives the bits that a restricted token must be granted by its
// restricting SIDs as well: all, or what writes (SE-31).
func secondPass(t *Token, m *Mapping) win32.AccessMask {
	if !t.spec.WriteRestricted {
		return ^win32.AccessMask(0)
	}
	return m.Map(win32.GENERIC_WRITE) | win32.DELETE | win32.WRITE_DAC | win32.WRITE_OWNER
}

// mandatoryMask computes the set of rights that the label of the object lets
// the token have (SE-52). ACCESS_SYSTEM_SECURITY is not affected.
func mandatoryMask(t *Token, d *Descriptor, m *Mapping) win32.AccessMask {
	if t.spec.Policy&PolicyNoWriteUp == 0 || t.spec.Integrity >= d.label {
		return ^win32.AccessMask(0)
	}
	if m == nil {
		m = &Mapping{}
	}
	mask := m.Read | m.Execute
	if d.labelMask&LabelNoReadUp != 0 {
		mask &^= m.Read
	}
	if d.labelMask&LabelNoExecuteUp != 0 {
		mask &^= m.Execute
	}
	if d.labelMask&LabelNoWriteUp == 0 {
		mask |= m.Write
	}
	if t.on.Has(SeRelabelPrivilege) {
		mask |= win32.WRITE_OWNER
	}
	return mask
}

// walker is one pass over a DACL with one set of SIDs (SE-50).
type walker struct {
	d        *Descriptor
	on       subjectOf
	m        *Mapping
	enabled  []SID
	denyOnly []SID
}

// owns reports whether the pass holds the owner enabled.
func (w *walker) owns() bool { return !w.d.owner.IsZero() && slices.Contains(w.enabled, w.d.owner) }

// implied gives the owner's rights without ACE (SE-49).
func (w *walker) implied() win32.AccessMask {
	if !w.d.ownerRights && w.owns() {
		return ownerImplied
	}
	return 0
}

// subject is the SID that an ACE's SID stands for; zero matches nobody.
func (w *walker) subject(sid SID) SID {
	switch sid {
	case PrincipalSelf:
		return w.on.self
	case OwnerRights:
		return w.d.owner
	}
	return sid
}

// allows and denies report whether an ACE for sid speaks of this token.
func (w *walker) allows(sid SID) bool {
	sid = w.subject(sid)
	return !sid.IsZero() && slices.Contains(w.enabled, sid)
}

func (w *walker) denies(sid SID) bool {
	sid = w.subject(sid)
	return !sid.IsZero() && (slices.Contains(w.enabled, sid) || slices.Contains(w.denyOnly, sid))
}

// effect says what an ACE does in a check.
type effect int

const (
	effectNone effect = iota
	effectAllow
	effectDeny
	effectFail // a deny that this package cannot evaluate (SE-37)
)

func (w *walker) effect(a *ACE) effect {
	if a.Flags&InheritOnly != 0 {
		return effectNone
	}
	switch a.Type {
	case AllowACE:
		return effectAllow
	case DenyACE:
		return effectDeny
	case AllowObjectACE:
		// For one property only: ignored when no properties were asked about.
		if a.hasObjectType() && !slices.Contains(w.on.types, a.ObjectType) {
			return effectNone
		}
		return effectAllow
	case DenyObjectACE:
		// For one property only: denies all when no properties were asked about.
		if a.hasObjectType() && len(w.on.types) > 0 && !slices.Contains(w.on.types, a.ObjectType) {
			return effectNone
		}
		return effectDeny
	case DenyCallbackACE, DenyCallbackObjectACE:
		return effectFail
	}
	return effectNone
}

// specific looks for every bit of remaining and gives the ACE and rule that
// decided and what is still missing.
func (w *walker) specific(remaining win32.AccessMask) (ace int, rule string, left win32.AccessMask, owner bool) {
	if in := w.implied() & remaining; in != 0 {
		remaining &^= in
		owner = true
	}
	if remaining == 0 {
		if owner {
			return -1, "SE-49", 0, owner
		}
		return -1, "SE-50", 0, owner
	}
	aces := w.d.dacl.ACEs
	for i := range aces {
		a := &aces[i]
		switch w.effect(a) {
		case effectAllow:
			if m := w.m.Map(a.Mask); remaining&m != 0 && w.allows(a.SID) {
				if remaining &^= m; remaining == 0 {
					return i, "SE-50", 0, owner
				}
			}
		case effectDeny:
			if remaining&w.m.Map(a.Mask) != 0 && w.denies(a.SID) {
				return i, "SE-50", remaining, owner
			}
		case effectFail:
			return i, "SE-37", remaining, owner
		}
	}
	return -1, "SE-50", remaining, owner
}

// notFromACEs are bits that no ACE can grant: the SACL right (SE-45), the
// request flag, and generic bits, which are mapped away.
const notFromACEs = win32.ACCESS_SYSTEM_SECURITY | win32.MAXIMUM_ALLOWED | genericBits

// maximum gives all that the pass allows; per bit the first ACE wins
// (SE-50a). bad is the index of an ACE that makes the check fail, or -1.
func (w *walker) maximum() (allowed win32.AccessMask, bad int) {
	allowed = w.implied()
	var denied win32.AccessMask
	aces := w.d.dacl.ACEs
	for i := range aces {
		a := &aces[i]
		switch w.effect(a) {
		case effectAllow:
			if m := w.m.Map(a.Mask) &^ (denied | allowed); m != 0 && w.allows(a.SID) {
				allowed |= m
			}
		case effectDeny:
			if m := w.m.Map(a.Mask) &^ (denied | allowed); m != 0 && w.denies(a.SID) {
				denied |= m
			}
		case effectFail:
			return 0, i
		}
	}
	return allowed &^ notFromACEs, -1
}
