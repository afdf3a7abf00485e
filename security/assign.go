// SPDX-License-Identifier: Apache-2.0

package security

import (
	"stationmaster/win32"
)

// AssignFlags are special wishes for Assign.
type AssignFlags uint32

// The wishes.
const (
	// AssignAutoInherit appends the parent's inheritable ACEs to a supplied
	// DACL (SE-55). Named objects do not ask for it.
	AssignAutoInherit AssignFlags = 1 << iota
	// AssignLabel gives the object a mandatory label whatever the creator's
	// level: processes, threads and tokens (SE-53).
	AssignLabel
	// AssignNoPrivileges leaves out the checks of owner, SACL and label, for
	// objects that the system itself makes.
	AssignNoPrivileges
)

// Assign makes the descriptor of a new object. parent is the descriptor of
// the directory or window station it is made in, supplied what the caller
// gave; both may be nil. t is the creator's token, container says whether the
// new object can hold others, m maps the generic rights of its type. The
// creating call gets the access it asked for without a check against the
// result (SE-59).
//
// Errors: 1307 for an owner the token may not give, 1314 for a SACL without
// SeSecurityPrivilege or a label above the creator's, 50 for ACE types the
// engine does not take.
//
// Win32: CreatePrivateObjectSecurity. Rules: SE-53 to SE-58.
func Assign(parent, supplied *Descriptor, t *Token, container bool, m *Mapping, flags AssignFlags) (*Descriptor, error) {
	a := assignment{parent: parent, supplied: supplied, t: t, container: container, m: m, flags: flags, d: &Descriptor{}}
	for _, step := range []func() error{a.ownerAndGroup, a.dacl, a.sacl, a.label} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for _, acl := range []*ACL{a.d.dacl, a.d.sacl} {
		if err := acl.Valid(); err != nil {
			return nil, err
		}
	}
	return a.d.seal(), nil
}

// Created is the access mask of the handle that the creating call gets:
// generic bits mapped, MAXIMUM_ALLOWED as the type's ALL.
// ACCESS_SYSTEM_SECURITY still needs its privilege, else
// ERROR_PRIVILEGE_NOT_HELD. Rules: SE-59, SE-45.
func Created(t *Token, desired win32.AccessMask, m *Mapping) (win32.AccessMask, error) {
	if desired&win32.MAXIMUM_ALLOWED != 0 {
		desired = desired&^win32.MAXIMUM_ALLOWED | allRights(m)
	}
	if desired&win32.ACCESS_SYSTEM_SECURITY != 0 && !t.HasPrivilege(SeSecurityPrivilege) {
		return 0, errPrivilege
	}
	return m.Map(desired), nil
}

type assignment struct {
	parent, supplied *Descriptor
	t                *Token
	container        bool
	m                *Mapping
	flags            AssignFlags
	d                *Descriptor // the result so far
}

func (a *assignment) trusted() bool { return a.flags&AssignNoPrivileges != 0 }

func (a *assignment) ownerAndGroup() error {
	a.d.owner, a.d.group = a.t.spec.Owner, a.t.spec.PrimaryGroup
	if a.supplied == nil {
		return nil
	}
	if o := a.supplied.owner; !o.IsZero() {
		if !a.trusted() && !mayAssignOwner(a.t, o) {
			return ownerError(o, "SE-54")
		}
		a.d.owner = o
	}
	if g := a.supplied.group; !g.IsZero() {
		a.d.group = g
	}
	return nil
}

// mayAssignOwner is the owner rule of SE-54.
func mayAssignOwner(t *Token, owner SID) bool {
	return t.mayOwn(owner) || t.on.Has(SeRestorePrivilege)
}

func ownerError(owner SID, rule string) error {
	return &win32.Error{Op: "SetSecurityDescriptorOwner", Object: owner.Name(), Code: win32.ERROR_INVALID_OWNER, Rule: rule}
}

func (a *assignment) dacl() error {
	d, s := a.d, a.supplied
	var inherited []ACE
	if a.parent != nil && a.parent.dacl != nil {
		inherited = a.inherit(a.parent.dacl.ACEs)
	}
	switch {
	case s != nil && s.control&ControlDACLPresent != 0: // SE-55a
		if err := s.dacl.Settable(); err != nil {
			return err
		}
		d.control |= s.control & (ControlDACLPresent | ControlDACLProtected | ControlDACLAutoInherited)
		if s.dacl == nil {
			return nil
		}
		d.dacl = &ACL{Revision: s.dacl.Revision, ACEs: a.supplyACEs(s.dacl.ACEs, s.control&ControlDACLProtected != 0)}
		if a.flags&AssignAutoInherit != 0 && s.control&ControlDACLProtected == 0 {
			d.dacl.ACEs = append(d.dacl.ACEs, inherited...)
			d.control |= ControlDACLAutoInherited
		}
	case len(inherited) > 0: // SE-55b
		d.dacl = &ACL{ACEs: inherited}
		d.control |= ControlDACLPresent
		if a.flags&AssignAutoInherit != 0 {
			d.control |= ControlDACLAutoInherited
		}
	case a.t.spec.DefaultDACL != nil: // SE-55c
		def := a.t.spec.DefaultDACL
		d.dacl = &ACL{Revision: def.Revision, ACEs: a.supplyACEs(def.ACEs, false)}
		d.control |= ControlDACLPresent | ControlDACLDefaulted
	}
	d.dacl = fitRevision(d.dacl)
	return nil
}

func (a *assignment) sacl() error {
	d, s := a.d, a.supplied
	if s != nil && s.control&ControlSACLPresent != 0 {
		if err := s.sacl.Settable(); err != nil {
			return err
		}
		if !a.trusted() {
			if err := maySetSACL(a.t, s.sacl); err != nil {
				return err
			}
		}
		d.control |= s.control & (ControlSACLPresent | ControlSACLProtected | ControlSACLAutoInherited)
		if s.sacl != nil {
			d.sacl = fitRevision(&ACL{Revision: s.sacl.Revision, ACEs: a.supplyACEs(s.sacl.ACEs, s.control&ControlSACLProtected != 0)})
		}
		return nil
	}
	if a.parent != nil && a.parent.sacl != nil {
		if in := a.inherit(a.parent.sacl.ACEs); len(in) > 0 {
			d.sacl = fitRevision(&ACL{ACEs: in})
			d.control |= ControlSACLPresent
		}
	}
	return nil
}

// maySetSACL is the SACL rule of SE-57: SeSecurityPrivilege, or nothing but
// labels not above the token's own level. A label above needs
// SeRelabelPrivilege (SE-53).
func maySetSACL(t *Token, sacl *ACL) error {
	refuse := func(what, rule string) error {
		return &win32.Error{Op: "SetSecurityDescriptorSacl", Object: what, Code: win32.ERROR_PRIVILEGE_NOT_HELD, Rule: rule}
	}
	onlyLabels := sacl != nil && len(sacl.ACEs) > 0
	if sacl != nil {
		for i := range sacl.ACEs {
			ace := &sacl.ACEs[i]
			if ace.Type != LabelACE {
				onlyLabels = false
				continue
			}
			l, ok := ace.SID.LabelLevel()
			if !ok {
				return &win32.Error{Op: "SetSecurityDescriptorSacl", Object: ace.SID.String(), Code: win32.ERROR_INVALID_SID, Rule: "SE-52"}
			}
			if l > t.spec.Integrity && !t.on.Has(SeRelabelPrivilege) {
				return refuse("label "+l.String(), "SE-53")
			}
		}
	}
	if !onlyLabels && !t.on.Has(SeSecurityPrivilege) {
		return refuse("SACL", "SE-57")
	}
	return nil
}

// label adds the explicit label of SE-53.
func (a *assignment) label() error {
	if _, _, has := a.d.Label(); has {
		return nil
	}
	if l := a.t.spec.Integrity; l < LevelMedium || a.flags&AssignLabel != 0 {
		a.d.sacl = withLabels(a.d.sacl, []ACE{Label(LabelNoWriteUp, l)})
	}
	return nil
}

// supplyACEs takes over explicit ACEs: those that came as inherited are
// dropped, or kept as explicit ones in a protected ACL (SE-55); effective
// ones are completed (SE-56).
func (a *assignment) supplyACEs(aces []ACE, protected bool) []ACE {
	out := make([]ACE, 0, len(aces))
	for _, ace := range aces {
		if ace.Flags&Inherited != 0 {
			if !protected {
				continue
			}
			ace.Flags &^= Inherited
		}
		if ace.Flags&InheritOnly == 0 {
			ace, _ = a.complete(ace)
		}
		out = append(out, ace)
	}
	return out
}

// complete puts the owner for CREATOR OWNER, the group for CREATOR GROUP and
// what the generic bits mean for them; changed says whether there was
// anything to do (SE-56).
func (a *assignment) complete(ace ACE) (out ACE, changed bool) {
	out = ace
	if ace.Type != LabelACE {
		out.Mask = a.m.Map(ace.Mask)
	}
	switch ace.SID {
	case CreatorOwner:
		if !a.d.owner.IsZero() {
			out.SID = a.d.owner
		}
	case CreatorGroup:
		if !a.d.group.IsZero() {
			out.SID = a.d.group
		}
	}
	return out, out.Mask != ace.Mask || out.SID != ace.SID
}

// inherit gives what a new object inherits from its parent's ACEs (SE-58).
func (a *assignment) inherit(aces []ACE) []ACE {
	const inheritFlags = ObjectInherit | ContainerInherit | NoPropagate | InheritOnly
	var out []ACE
	for _, ace := range aces {
		if ace.carried() {
			continue // not evaluated, so not spread either
		}
		oi, ci, np := ace.Flags&ObjectInherit != 0, ace.Flags&ContainerInherit != 0, ace.Flags&NoPropagate != 0
		base := ace
		base.Flags = ace.Flags&^inheritFlags | Inherited
		// An ACE for children of one kind only passes through containers and
		// takes effect nowhere: our types have no GUIDs.
		oneKind := ace.isObject() && ace.ObjectFlags&InheritedObjectTypePresent != 0

		if !a.container {
			if oi && !oneKind {
				e, _ := a.complete(base)
				out = append(out, e)
			}
			continue
		}
		pass := base // what goes on to the container's own children
		if !np {
			pass.Flags |= ace.Flags & (ObjectInherit | ContainerInherit)
		}
		passes := !np && (oi || ci)
		switch effective := ci && !oneKind; {
		case !effective && passes:
			pass.Flags |= InheritOnly
			out = append(out, pass)
		case effective:
			e, changed := a.complete(base)
			if !changed || !passes {
				e.Flags = pass.Flags
				out = append(out, e)
				break
			}
			pass.Flags |= InheritOnly
			out = append(out, e, pass)
		}
	}
	return out
}

// fitRevision gives an ACL the revision its ACEs need.
func fitRevision(a *ACL) *ACL {
	if a == nil {
		return nil
	}
	n := &ACL{ACEs: a.ACEs}
	n.Revision = max(a.Revision, n.revision())
	return n
}

// Merge gives the descriptor that results when a caller with token t sets the
// given parts of d to those of from, as SetSecurityInfo does. The caller's
// handle must have RightsToSet(parts); that is checked by whoever knows the
// handle. Generic bits are mapped through m.
//
// Errors: 1307 for an owner the token may not give, 1314 for a label above
// the caller's, 1337 for a missing owner or group, 50 for ACE types the engine
// does not take.
//
// Win32: SetSecurityInfo, SetUserObjectSecurity. Rules: SE-37, SE-53, SE-54,
// SE-56, SE-63.
func (d *Descriptor) Merge(parts uint32, from *Descriptor, t *Token, m *Mapping) (*Descriptor, error) {
	n := d.edit()
	noSID := func(what string) error {
		return &win32.Error{Op: "SetSecurityInfo", Object: what, Code: win32.ERROR_INVALID_SID, Rule: "SE-63"}
	}
	if parts&OwnerInformation != 0 {
		switch {
		case from.owner.IsZero():
			return nil, noSID("owner")
		case !mayAssignOwner(t, from.owner):
			return nil, ownerError(from.owner, "SE-54")
		}
		n.owner = from.owner
		n.control &^= ControlOwnerDefaulted
	}
	if parts&GroupInformation != 0 {
		if from.group.IsZero() {
			return nil, noSID("group")
		}
		n.group = from.group
		n.control &^= ControlGroupDefaulted
	}
	a := assignment{t: t, m: m, d: n} // completes ACEs for the new owner and group
	if parts&DACLInformation != 0 {
		if err := from.dacl.Settable(); err != nil {
			return nil, err
		}
		n.control = n.control&^controlOfDACL | ControlDACLPresent | from.control&(ControlDACLProtected|ControlDACLAutoInherited)
		n.dacl = a.setACL(from.dacl)
	}
	n.control = protect(n.control, parts, ControlDACLProtected, ProtectedDACLInformation, UnprotectedDACLInformation)
	if parts&(SACLInformation|LabelInformation) != 0 {
		if err := a.setSACL(parts, d, from); err != nil {
			return nil, err
		}
	}
	n.control = protect(n.control, parts, ControlSACLProtected, ProtectedSACLInformation, UnprotectedSACLInformation)
	for _, acl := range []*ACL{n.dacl, n.sacl} {
		if err := acl.Valid(); err != nil {
			return nil, err
		}
	}
	return n.seal(), nil
}

func protect(control uint16, parts uint32, bit uint16, on, off uint32) uint16 {
	switch {
	case parts&on != 0:
		return control | bit
	case parts&off != 0:
		return control &^ bit
	}
	return control
}

// setACL completes the effective ACEs of an ACL a caller sets and keeps the
// rest as it is.
func (a *assignment) setACL(from *ACL) *ACL {
	if from == nil {
		return nil
	}
	n := from.Clone()
	for i := range n.ACEs {
		if n.ACEs[i].Flags&InheritOnly == 0 {
			n.ACEs[i], _ = a.complete(n.ACEs[i])
		}
	}
	return fitRevision(n)
}

// setSACL sets the SACL, its label ACEs or both. Without LabelInformation the
// labels of the object stay what they were.
func (a *assignment) setSACL(parts uint32, old, from *Descriptor) error {
	if err := from.sacl.Settable(); err != nil {
		return err
	}
	labels := labelsOf(old.sacl)
	if parts&LabelInformation != 0 {
		labels = labelsOf(from.sacl)
		if len(labels) > 0 {
			if err := maySetSACL(a.t, &ACL{ACEs: labels}); err != nil {
				return err
			}
		}
	}
	rest := old.sacl
	if parts&SACLInformation != 0 {
		rest = a.setACL(from.sacl)
		a.d.control = a.d.control&^controlOfSACL | ControlSACLPresent | from.control&(ControlSACLProtected|ControlSACLAutoInherited)
	}
	if a.d.sacl = rest; rest != nil || len(labels) > 0 {
		a.d.sacl = fitRevision(withLabels(rest, labels))
	}
	return nil
}
