// SPDX-License-Identifier: Apache-2.0

package security

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"stationmaster/win32"
)

// Control bits of a descriptor (SE-41).
const (
	ControlOwnerDefaulted     uint16 = 0x0001
	ControlGroupDefaulted     uint16 = 0x0002
	ControlDACLPresent        uint16 = 0x0004
	ControlDACLDefaulted      uint16 = 0x0008
	ControlSACLPresent        uint16 = 0x0010
	ControlSACLDefaulted      uint16 = 0x0020
	ControlDACLAutoInheritReq uint16 = 0x0100
	ControlSACLAutoInheritReq uint16 = 0x0200
	ControlDACLAutoInherited  uint16 = 0x0400
	ControlSACLAutoInherited  uint16 = 0x0800
	ControlDACLProtected      uint16 = 0x1000
	ControlSACLProtected      uint16 = 0x2000
	ControlRMControlValid     uint16 = 0x4000
	ControlSelfRelative       uint16 = 0x8000
	controlPresent                   = ControlSelfRelative | ControlDACLPresent
	controlOfDACL                    = ControlDACLPresent | ControlDACLDefaulted | ControlDACLAutoInheritReq | ControlDACLAutoInherited | ControlDACLProtected
	controlOfSACL                    = ControlSACLPresent | ControlSACLDefaulted | ControlSACLAutoInheritReq | ControlSACLAutoInherited | ControlSACLProtected
	descriptorHeader                 = 20
	descriptorRevision               = 1
)

// Parts of a descriptor (SECURITY_INFORMATION, SDDL-13).
const (
	OwnerInformation uint32 = 0x01
	GroupInformation uint32 = 0x02
	DACLInformation  uint32 = 0x04
	SACLInformation  uint32 = 0x08
	LabelInformation uint32 = 0x10

	// When setting: make the ACL protected from, or open to, inheritance.
	ProtectedDACLInformation   uint32 = 0x80000000
	ProtectedSACLInformation   uint32 = 0x40000000
	UnprotectedDACLInformation uint32 = 0x20000000
	UnprotectedSACLInformation uint32 = 0x10000000

	// AllInformation is every part there is.
	AllInformation = OwnerInformation | GroupInformation | DACLInformation | SACLInformation | LabelInformation
)

// generations numbers descriptors, so that a cached decision can name the
// descriptor it was made on without keeping it alive.
var generations atomic.Uint64

// Descriptor is a security descriptor. It is immutable; a change gives a new
// one with a new generation.
type Descriptor struct {
	generation uint64 // immutable; unique in this process
	control    uint16 // immutable; SELF_RELATIVE always set
	rm         uint8  // immutable; Sbz1, kept when RM_CONTROL_VALID
	owner      SID    // immutable; zero if absent
	group      SID    // immutable; zero if absent
	dacl       *ACL   // immutable; nil while present: NULL DACL
	sacl       *ACL   // immutable; nil while present: NULL SACL

	// For the access check, worked out once. Immutable.
	ownerRights bool             // an effective ACE for OWNER RIGHTS is in the DACL (SE-49)
	label       Level            // SE-52
	labelMask   win32.AccessMask // LabelNo… bits
}

// NewDescriptor makes a descriptor. The ACLs are copied. A nil dacl is absent
// unless control holds ControlDACLPresent, then it is a NULL DACL; likewise
// the SACL. ACLs that ACL.Valid refuses have no place in a descriptor and
// panic; so callers with foreign data ask Valid first.
func NewDescriptor(owner, group SID, dacl, sacl *ACL, control uint16) *Descriptor {
	for _, a := range []*ACL{dacl, sacl} {
		if err := a.Valid(); err != nil {
			panic("security: " + err.Error())
		}
	}
	return (&Descriptor{owner: owner, group: group, dacl: normalACL(dacl), sacl: normalACL(sacl), control: control}).seal()
}

// normalACL copies an ACL and settles its revision and missing SIDs.
func normalACL(a *ACL) *ACL {
	a = a.Clone()
	if a == nil {
		return nil
	}
	a.Revision = a.revision()
	for i := range a.ACEs {
		if !a.ACEs[i].carried() {
			a.ACEs[i].SID = a.ACEs[i].sid()
		}
	}
	return a
}

// seal finishes a descriptor that only its maker has seen: control bits that
// follow from the parts, what the access check needs, the generation.
func (d *Descriptor) seal() *Descriptor {
	d.generation = generations.Add(1)
	d.control |= ControlSelfRelative
	if d.dacl != nil {
		d.control |= ControlDACLPresent
	}
	if d.sacl != nil {
		d.control |= ControlSACLPresent
	}
	if d.dacl != nil {
		for i := range d.dacl.ACEs {
			if a := &d.dacl.ACEs[i]; a.Flags&InheritOnly == 0 && a.SID == OwnerRights {
				d.ownerRights = true
				break
			}
		}
	}
	d.label, d.labelMask = LevelMedium, LabelNoWriteUp
	if l, mask, ok := d.Label(); ok {
		d.label, d.labelMask = l, mask
	}
	return d
}

// edit copies the descriptor for a change; the caller seals it.
func (d *Descriptor) edit() *Descriptor {
	return &Descriptor{control: d.control, rm: d.rm, owner: d.owner, group: d.group, dacl: d.dacl, sacl: d.sacl}
}

// Generation is a number that no other descriptor of this process has.
func (d *Descriptor) Generation() uint64 { return d.generation }

// Owner is the owner, zero if absent.
func (d *Descriptor) Owner() SID { return d.owner }

// Group is the primary group, zero if absent.
func (d *Descriptor) Group() SID { return d.group }

// Control gives the control bits.
func (d *Descriptor) Control() uint16 { return d.control }

// DACL gives a copy of the DACL. present with a nil ACL is a NULL DACL.
func (d *Descriptor) DACL() (acl *ACL, present bool) {
	return d.dacl.Clone(), d.control&ControlDACLPresent != 0
}

// SACL gives a copy of the SACL. present with a nil ACL is a NULL SACL.
func (d *Descriptor) SACL() (acl *ACL, present bool) {
	return d.sacl.Clone(), d.control&ControlSACLPresent != 0
}

// Label gives the explicit mandatory label: the first effective label ACE of
// the SACL. ok is false when the default holds, medium with NO_WRITE_UP.
// Rules: SE-52.
func (d *Descriptor) Label() (level Level, mask win32.AccessMask, ok bool) {
	if d.sacl == nil {
		return LevelMedium, LabelNoWriteUp, false
	}
	for i := range d.sacl.ACEs {
		a := &d.sacl.ACEs[i]
		if a.Type != LabelACE || a.Flags&InheritOnly != 0 {
			continue
		}
		if l, is := a.SID.LabelLevel(); is {
			return l, a.Mask, true
		}
	}
	return LevelMedium, LabelNoWriteUp, false
}

// WithOwner gives the descriptor with another owner; zero removes it.
func (d *Descriptor) WithOwner(owner SID) *Descriptor {
	n := d.edit()
	n.owner = owner
	n.control &^= ControlOwnerDefaulted
	return n.seal()
}

// WithGroup gives the descriptor with another primary group; zero removes it.
func (d *Descriptor) WithGroup(group SID) *Descriptor {
	n := d.edit()
	n.group = group
	n.control &^= ControlGroupDefaulted
	return n.seal()
}

// WithDACL gives the descriptor with another DACL; nil is a NULL DACL. An
// ACL that Valid refuses panics, as in NewDescriptor.
func (d *Descriptor) WithDACL(dacl *ACL) *Descriptor {
	if err := dacl.Valid(); err != nil {
		panic("security: " + err.Error())
	}
	n := d.edit()
	n.dacl = normalACL(dacl)
	n.control = n.control&^ControlDACLDefaulted | ControlDACLPresent
	return n.seal()
}

// WithoutDACL gives the descriptor without a DACL.
func (d *Descriptor) WithoutDACL() *Descriptor {
	n := d.edit()
	n.dacl = nil
	n.control &^= controlOfDACL
	return n.seal()
}

// WithSACL gives the descriptor with another SACL; nil removes it. An ACL
// that Valid refuses panics, as in NewDescriptor.
func (d *Descriptor) WithSACL(sacl *ACL) *Descriptor {
	if err := sacl.Valid(); err != nil {
		panic("security: " + err.Error())
	}
	n := d.edit()
	n.sacl = normalACL(sacl)
	n.control &^= controlOfSACL
	return n.seal()
}

// WithLabel gives the descriptor with this mandatory label in the place of
// any other.
func (d *Descriptor) WithLabel(l Level, mask win32.AccessMask) *Descriptor {
	n := d.edit()
	n.sacl = withLabels(d.sacl, []ACE{Label(mask, l)})
	return n.seal()
}

// withLabels gives a SACL whose label ACEs are those of labels.
func withLabels(sacl *ACL, labels []ACE) *ACL {
	n := &ACL{}
	if sacl != nil {
		n.Revision = sacl.Revision
		for _, a := range sacl.ACEs {
			if a.Type != LabelACE {
				n.ACEs = append(n.ACEs, a)
			}
		}
	}
	n.ACEs = append(n.ACEs, labels...)
	return normalACL(n)
}

// labelsOf gives the label ACEs of a SACL.
func labelsOf(sacl *ACL) []ACE {
	if sacl == nil {
		return nil
	}
	var out []ACE
	for _, a := range sacl.ACEs {
		if a.Type == LabelACE {
			out = append(out, a)
		}
	}
	return out
}

// Part gives a descriptor that holds only the parts asked for, as
// GetSecurityInfo does. LabelInformation without SACLInformation gives the
// label ACEs alone.
func (d *Descriptor) Part(parts uint32) *Descriptor {
	n := &Descriptor{rm: d.rm, control: d.control & ControlRMControlValid}
	if parts&OwnerInformation != 0 {
		n.owner = d.owner
		n.control |= d.control & ControlOwnerDefaulted
	}
	if parts&GroupInformation != 0 {
		n.group = d.group
		n.control |= d.control & ControlGroupDefaulted
	}
	if parts&DACLInformation != 0 {
		n.dacl = d.dacl
		n.control |= d.control & controlOfDACL
	}
	switch {
	case parts&SACLInformation != 0:
		n.sacl = d.sacl
		n.control |= d.control & controlOfSACL
	case parts&LabelInformation != 0:
		if labels := labelsOf(d.sacl); labels != nil {
			n.sacl = normalACL(&ACL{ACEs: labels})
		}
	}
	return n.seal()
}

// Equal reports whether both have the same binary form.
func (d *Descriptor) Equal(o *Descriptor) bool {
	if d == nil || o == nil {
		return d == o
	}
	return string(d.Bytes()) == string(o.Bytes())
}

// Bytes gives the self-relative binary form, parts in the order SACL, DACL,
// owner, group. Rules: SE-42.
func (d *Descriptor) Bytes() []byte {
	b := make([]byte, descriptorHeader, descriptorHeader+128)
	b[0] = descriptorRevision
	if d.control&ControlRMControlValid != 0 {
		b[1] = d.rm
	}
	le := binary.LittleEndian
	le.PutUint16(b[2:], d.control)
	place := func(at int, present bool) {
		if present {
			le.PutUint32(b[at:], uint32(len(b)))
		}
	}
	if place(12, d.sacl != nil); d.sacl != nil {
		b = d.sacl.append(b)
	}
	if place(16, d.dacl != nil); d.dacl != nil {
		b = d.dacl.append(b)
	}
	place(4, !d.owner.IsZero())
	b = append(b, d.owner.raw()...)
	place(8, !d.group.IsZero())
	b = append(b, d.group.raw()...)
	return b
}

// ParseDescriptor reads a self-relative descriptor. Parts may stand in any
// order; they must be aligned to 4 bytes, lie inside b and not overlap.
// Errors are 1305 for another revision, 1338 for the frame, 1336 for an ACL
// and 1337 for a SID. Rules: SE-41, SE-42.
func ParseDescriptor(b []byte) (*Descriptor, error) {
	le := binary.LittleEndian
	if len(b) < descriptorHeader {
		return nil, badDescriptor("descriptor of %d bytes", len(b))
	}
	if b[0] != descriptorRevision {
		return nil, &win32.Error{Op: "IsValidSecurityDescriptor", Object: fmt.Sprintf("revision %d", b[0]), Code: win32.ERROR_UNKNOWN_REVISION, Rule: "SE-42"}
	}
	d := &Descriptor{control: le.Uint16(b[2:]), rm: b[1]}
	if d.control&ControlSelfRelative == 0 {
		return nil, badDescriptor("not self-relative")
	}
	if d.control&ControlRMControlValid == 0 {
		d.rm = 0
	}
	type span struct{ from, to int }
	spans := []span{{0, descriptorHeader}}
	at := func(what string, field int) (int, error) {
		off := le.Uint32(b[field:])
		if off == 0 {
			return 0, nil
		}
		if off%4 != 0 || uint64(off) >= uint64(len(b)) {
			return 0, badDescriptor("%s at offset %d of %d", what, off, len(b))
		}
		return int(off), nil
	}
	take := func(what string, from, n int) error {
		for _, s := range spans {
			if from < s.to && s.from < from+n {
				return badDescriptor("%s overlaps another part", what)
			}
		}
		spans = append(spans, span{from, from + n})
		return nil
	}
	sid := func(what string, field int, to *SID) error {
		off, err := at(what, field)
		if err != nil || off == 0 {
			return err
		}
		s, n, ok := sidPrefix(b[off:])
		if !ok {
			return &win32.Error{Op: "IsValidSid", Object: what, Code: win32.ERROR_INVALID_SID, Rule: "SE-42"}
		}
		*to = s
		return take(what, off, n)
	}
	acl := func(what string, field int, present uint16, to **ACL) error {
		if d.control&present == 0 {
			return nil // an offset without the bit means nothing
		}
		off, err := at(what, field)
		if err != nil || off == 0 {
			return err
		}
		a, n, err := parseACL(b[off:])
		if err != nil {
			return err
		}
		*to = a
		return take(what, off, n)
	}
	for _, err := range []error{
		sid("owner", 4, &d.owner),
		sid("group", 8, &d.group),
		acl("SACL", 12, ControlSACLPresent, &d.sacl),
		acl("DACL", 16, ControlDACLPresent, &d.dacl),
	} {
		if err != nil {
			return nil, err
		}
	}
	return d.seal(), nil
}

func badDescriptor(format string, args ...any) error {
	return &win32.Error{Op: "IsValidSecurityDescriptor", Object: fmt.Sprintf(format, args...), Code: win32.ERROR_INVALID_SECURITY_DESCR, Rule: "SE-42"}
}

// MarshalText gives the descriptor as SDDL, or as hex: and the binary form
// when SDDL cannot say all of it.
func (d *Descriptor) MarshalText() ([]byte, error) {
	text, bin := d.SDDL(AllInformation, SID{}), d.Bytes()
	if p, err := ParseSDDL(text, SID{}); err == nil && slices.Equal(p.Bytes(), bin) {
		return []byte(text), nil
	}
	return []byte("hex:" + hex.EncodeToString(bin)), nil
}

// UnmarshalText reads what MarshalText gave. It is meant for a Descriptor
// that nobody else has seen yet.
func (d *Descriptor) UnmarshalText(b []byte) error {
	var v *Descriptor
	var err error
	if h, ok := strings.CutPrefix(string(b), "hex:"); ok {
		var bin []byte
		if bin, err = hex.DecodeString(h); err != nil {
			return badDescriptor("bad hex digits")
		}
		v, err = ParseDescriptor(bin)
	} else {
		v, err = ParseSDDL(string(b), SID{})
	}
	if err != nil {
		return err
	}
	*d = *v
	return nil
}

// String gives the descriptor as SDDL.
func (d *Descriptor) String() string { return d.SDDL(AllInformation, SID{}) }
