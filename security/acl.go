// SPDX-License-Identifier: Apache-2.0

package security

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"stationmaster/win32"
)

// ACE types (SE-36).
const (
	AllowACE               uint8 = 0x00
	DenyACE                uint8 = 0x01
	AuditACE               uint8 = 0x02
	AlarmACE               uint8 = 0x03
	AllowObjectACE         uint8 = 0x05
	DenyObjectACE          uint8 = 0x06
	AuditObjectACE         uint8 = 0x07
	AlarmObjectACE         uint8 = 0x08
	AllowCallbackACE       uint8 = 0x09
	DenyCallbackACE        uint8 = 0x0A
	AllowCallbackObjectACE uint8 = 0x0B
	DenyCallbackObjectACE  uint8 = 0x0C
	AuditCallbackACE       uint8 = 0x0D
	AlarmCallbackACE       uint8 = 0x0E
	AuditCallbackObjectACE uint8 = 0x0F
	AlarmCallbackObjectACE uint8 = 0x10
	LabelACE               uint8 = 0x11
	ResourceAttributeACE   uint8 = 0x12
	ScopedPolicyACE        uint8 = 0x13
	ProcessTrustACE        uint8 = 0x14
	AccessFilterACE        uint8 = 0x15
)

// ACE flags (SE-38).
const (
	ObjectInherit    uint8 = 0x01
	ContainerInherit uint8 = 0x02
	NoPropagate      uint8 = 0x04
	InheritOnly      uint8 = 0x08
	Inherited        uint8 = 0x10
	SuccessAudit     uint8 = 0x40
	FailureAudit     uint8 = 0x80
)

// Flags of an object ACE: which of its GUIDs are there (SE-35).
const (
	ObjectTypePresent          uint32 = 1
	InheritedObjectTypePresent uint32 = 2
)

// Mask bits of a mandatory label ACE (SE-52).
const (
	LabelNoWriteUp   win32.AccessMask = 1
	LabelNoReadUp    win32.AccessMask = 2
	LabelNoExecuteUp win32.AccessMask = 4
)

// GUID is in the byte order of the wire: the first three groups little-endian.
type GUID [16]byte

// String prints the 8-4-4-4-12 form in lower case.
func (g GUID) String() string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(g[0:]), le.Uint16(g[4:]), le.Uint16(g[6:]), g[8:10], g[10:])
}

// ParseGUID reads the 8-4-4-4-12 form. Anything else gives
// RPC_S_INVALID_STRING_UUID. Rules: SDDL-9.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	bad := &win32.Error{Op: "UuidFromString", Object: clip(s), Code: win32.RPC_S_INVALID_STRING_UUID, Rule: "SDDL-9"}
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, bad
	}
	b, err := hex.DecodeString(s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return g, bad
	}
	copy(g[:], b)
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5] = g[5], g[4]
	g[6], g[7] = g[7], g[6]
	return g, nil
}

// ACE is an access control entry. Types this package does not evaluate are
// kept as they came in Raw, and the other fields but Type and Flags are empty
// then (SE-37).
type ACE struct {
	Type  uint8
	Flags uint8
	Mask  win32.AccessMask
	SID   SID

	// Of object ACEs only: which GUIDs are there, and the GUIDs.
	ObjectFlags         uint32
	ObjectType          GUID
	InheritedObjectType GUID

	Extra []byte // what follows the SID in a foreign descriptor
	Raw   []byte // body after the 4-byte header, of types that are only carried
}

// Allow makes an allow ACE.
func Allow(mask win32.AccessMask, sid SID) ACE { return ACE{Type: AllowACE, Mask: mask, SID: sid} }

// Deny makes a deny ACE.
func Deny(mask win32.AccessMask, sid SID) ACE { return ACE{Type: DenyACE, Mask: mask, SID: sid} }

// Label makes a mandatory label ACE with the given LabelNo… bits.
func Label(mask win32.AccessMask, l Level) ACE {
	return ACE{Type: LabelACE, Mask: mask, SID: LevelSID(l)}
}

// WithFlags gives the ACE with other flags.
func (a ACE) WithFlags(flags uint8) ACE { a.Flags = flags; return a }

// isObject reports whether the type has object flags and GUIDs that this
// package understands.
func (a *ACE) isObject() bool { return a.Type >= AllowObjectACE && a.Type <= AuditObjectACE }

// carried reports whether the type is only kept, not understood (SE-37).
func (a *ACE) carried() bool {
	switch a.Type {
	case AllowACE, DenyACE, AuditACE, AllowObjectACE, DenyObjectACE, AuditObjectACE, LabelACE:
		return false
	}
	return true
}

// hasObjectType reports whether the ACE is for one property only.
func (a *ACE) hasObjectType() bool { return a.isObject() && a.ObjectFlags&ObjectTypePresent != 0 }

// size is the length in bytes on the wire, a multiple of 4.
func (a *ACE) size() int {
	if a.carried() {
		return 4 + (len(a.Raw)+3)&^3
	}
	n := 8 + a.sid().Len() + (len(a.Extra)+3)&^3
	if a.isObject() {
		n += 4
		if a.ObjectFlags&ObjectTypePresent != 0 {
			n += 16
		}
		if a.ObjectFlags&InheritedObjectTypePresent != 0 {
			n += 16
		}
	}
	return n
}

// sid gives S-1-0-0, which no token holds, for an ACE made without a SID.
func (a *ACE) sid() SID {
	if a.SID.IsZero() {
		return NullSID
	}
	return a.SID
}

func (a *ACE) append(b []byte) []byte {
	start := len(b)
	b = append(b, a.Type, a.Flags)
	b = binary.LittleEndian.AppendUint16(b, uint16(a.size()))
	if a.carried() {
		b = append(b, a.Raw...)
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(a.Mask))
		if a.isObject() {
			b = binary.LittleEndian.AppendUint32(b, a.ObjectFlags)
			if a.ObjectFlags&ObjectTypePresent != 0 {
				b = append(b, a.ObjectType[:]...)
			}
			if a.ObjectFlags&InheritedObjectTypePresent != 0 {
				b = append(b, a.InheritedObjectType[:]...)
			}
		}
		b = append(b, a.sid().raw()...)
		b = append(b, a.Extra...)
	}
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// parseACE reads the ACE at the start of b and says how long it is. Nothing
// stays shared with b.
func parseACE(b []byte) (ACE, int, error) {
	le := binary.LittleEndian
	if len(b) < 4 {
		return ACE{}, 0, badACL("ACE header outside the ACL")
	}
	a := ACE{Type: b[0], Flags: b[1]}
	size := int(le.Uint16(b[2:]))
	if size < 4 || size%4 != 0 || size > len(b) {
		return ACE{}, 0, badACL("ACE size %d of %d bytes left", size, len(b))
	}
	body := b[4:size]
	if a.carried() {
		a.Raw = slices.Clone(body)
		return a, size, nil
	}
	if len(body) < 4 {
		return ACE{}, 0, badACL("ACE of type %d without mask", a.Type)
	}
	a.Mask, body = win32.AccessMask(le.Uint32(body)), body[4:]
	if a.isObject() {
		if len(body) < 4 {
			return ACE{}, 0, badACL("object ACE without flags")
		}
		a.ObjectFlags, body = le.Uint32(body), body[4:]
		if a.ObjectFlags&ObjectTypePresent != 0 {
			if len(body) < 16 {
				return ACE{}, 0, badACL("object ACE without its GUID")
			}
			body = body[copy(a.ObjectType[:], body):]
		}
		if a.ObjectFlags&InheritedObjectTypePresent != 0 {
			if len(body) < 16 {
				return ACE{}, 0, badACL("object ACE without its inherited GUID")
			}
			body = body[copy(a.InheritedObjectType[:], body):]
		}
	}
	sid, n, ok := sidPrefix(body)
	if !ok {
		return ACE{}, 0, &win32.Error{Op: "IsValidSid", Object: "SID of an ACE", Code: win32.ERROR_INVALID_SID, Rule: "SE-42"}
	}
	a.SID = sid
	if n < len(body) {
		a.Extra = slices.Clone(body[n:])
	}
	return a, size, nil
}

func badACL(format string, args ...any) error {
	return &win32.Error{Op: "IsValidAcl", Object: fmt.Sprintf(format, args...), Code: win32.ERROR_INVALID_ACL, Rule: "SE-42"}
}

// ACL is a list of ACEs, evaluated strictly in order (SE-40). A nil *ACL that
// is present in a descriptor is a NULL ACL: as a DACL it lets everybody do
// everything (SE-43).
type ACL struct {
	Revision uint8 // 2, or 4 with object ACEs; 0 means whichever fits
	ACEs     []ACE
}

// ACL revisions and the largest ACL in bytes (SE-39).
const (
	aclRevision       uint8 = 2
	aclRevisionObject uint8 = 4
	maxACL                  = 65535
)

// NewACL makes an ACL of the ACEs in the order given.
func NewACL(aces ...ACE) *ACL {
	a := &ACL{ACEs: aces}
	a = a.Clone()
	a.Revision = a.revision()
	return a
}

// revision is what the ACL has, or needs.
func (a *ACL) revision() uint8 {
	if a.Revision != 0 {
		return a.Revision
	}
	for i := range a.ACEs {
		if a.ACEs[i].isObject() {
			return aclRevisionObject
		}
	}
	return aclRevision
}

// Clone copies the ACL; nil stays nil.
func (a *ACL) Clone() *ACL {
	if a == nil {
		return nil
	}
	c := &ACL{Revision: a.Revision, ACEs: make([]ACE, len(a.ACEs))}
	copy(c.ACEs, a.ACEs)
	for i := range c.ACEs {
		c.ACEs[i].Extra = slices.Clone(c.ACEs[i].Extra)
		c.ACEs[i].Raw = slices.Clone(c.ACEs[i].Raw)
	}
	return c
}

// Size is the length in bytes on the wire (AclSize).
func (a *ACL) Size() int {
	n := 8
	for i := range a.ACEs {
		n += a.ACEs[i].size()
	}
	return n
}

// Valid reports as an error why the ACL has no binary form: it is longer than
// 65535 bytes, or its revision is not known.
//
// Win32: IsValidAcl. Rules: SE-39.
func (a *ACL) Valid() error {
	if a == nil {
		return nil
	}
	if r := a.revision(); r < aclRevision || r > aclRevisionObject {
		return badACL("ACL revision %d", r)
	}
	if n := a.Size(); n > maxACL {
		return badACL("ACL of %d bytes", n)
	}
	return nil
}

// Settable reports as an error whether the engine takes the ACL from a
// caller: ERROR_NOT_SUPPORTED names the first ACE of a type that it does not
// evaluate. Rules: SE-37.
func (a *ACL) Settable() error {
	if a == nil {
		return nil
	}
	for i := range a.ACEs {
		if a.ACEs[i].carried() {
			return &win32.Error{Op: "SetSecurityInfo", Object: fmt.Sprintf("ACE %d of type 0x%02x (%s)", i, a.ACEs[i].Type, aceTypeName(a.ACEs[i].Type)), Code: win32.ERROR_NOT_SUPPORTED, Rule: "SE-37"}
		}
	}
	return a.Valid()
}

func aceTypeName(t uint8) string {
	names := [...]string{"allow", "deny", "audit", "alarm", "compound", "object allow", "object deny", "object audit", "object alarm",
		"conditional allow", "conditional deny", "conditional object allow", "conditional object deny", "conditional audit",
		"conditional alarm", "conditional object audit", "conditional object alarm", "mandatory label", "resource attribute",
		"scoped policy", "process trust label", "access filter"}
	if int(t) < len(names) {
		return names[t]
	}
	return "unknown"
}

// append writes the binary form.
func (a *ACL) append(b []byte) []byte {
	b = append(b, a.revision(), 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(a.Size()))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(a.ACEs)))
	b = append(b, 0, 0)
	for i := range a.ACEs {
		b = a.ACEs[i].append(b)
	}
	return b
}

// Bytes gives the binary form; nil for a nil ACL and for one that Valid
// refuses.
func (a *ACL) Bytes() []byte {
	if a == nil || a.Valid() != nil {
		return nil
	}
	return a.append(nil)
}

// ParseACL reads a binary ACL at the start of b. Rules: SE-39, SE-42.
func ParseACL(b []byte) (*ACL, error) {
	a, _, err := parseACL(b)
	return a, err
}

// parseACL also gives AclSize.
func parseACL(b []byte) (*ACL, int, error) {
	le := binary.LittleEndian
	if len(b) < 8 {
		return nil, 0, badACL("ACL of %d bytes", len(b))
	}
	if b[0] < aclRevision || b[0] > aclRevisionObject {
		return nil, 0, badACL("ACL revision %d", b[0])
	}
	size, count := int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	if size < 8 || size > len(b) || size%4 != 0 {
		return nil, 0, badACL("ACL size %d of %d bytes", size, len(b))
	}
	if 4*count > size-8 {
		return nil, 0, badACL("%d ACEs in %d bytes", count, size)
	}
	a := &ACL{Revision: b[0], ACEs: make([]ACE, 0, count)}
	for rest := b[8:size]; count > 0; count-- {
		ace, n, err := parseACE(rest)
		if err != nil {
			return nil, 0, err
		}
		a.ACEs = append(a.ACEs, ace)
		rest = rest[n:]
	}
	return a, size, nil
}

// Canonical reports whether a DACL is in canonical order: explicit deny,
// explicit allow, then inherited ones. Inherited ACEs of several levels cannot
// be told apart, so any order is taken among them. The engine never reorders;
// editors warn. Rules: SE-40.
func (a *ACL) Canonical() bool {
	if a == nil {
		return true
	}
	rank := 0
	for i := range a.ACEs {
		ace := &a.ACEs[i]
		r := 1 // explicit allow
		switch {
		case ace.Flags&Inherited != 0:
			r = 2
		case ace.Type == DenyACE, ace.Type == DenyObjectACE, ace.Type == DenyCallbackACE, ace.Type == DenyCallbackObjectACE:
			r = 0
		}
		if r < rank {
			return false
		}
		rank = r
	}
	return true
}

// Equal reports whether both have the same binary form; nil equals nil only.
func (a *ACL) Equal(o *ACL) bool {
	if a == nil || o == nil {
		return a == o
	}
	return string(a.append(nil)) == string(o.append(nil))
}

// MarshalText gives the ACL as an SDDL DACL, such as D:(A;;GA;;;SY), or as
// hex: and the binary form when SDDL cannot say it.
func (a *ACL) MarshalText() ([]byte, error) {
	text := (&Descriptor{control: controlPresent, dacl: a}).SDDL(DACLInformation, SID{})
	if d, err := ParseSDDL(text, SID{}); err == nil && d.dacl.Equal(a) {
		return []byte(text), nil
	}
	if err := a.Valid(); err != nil {
		return nil, err
	}
	return []byte("hex:" + hex.EncodeToString(a.append(nil))), nil
}

// UnmarshalText reads what MarshalText gave.
func (a *ACL) UnmarshalText(b []byte) error {
	if h, ok := strings.CutPrefix(string(b), "hex:"); ok {
		bin, err := hex.DecodeString(h)
		if err != nil {
			return badACL("bad hex digits")
		}
		v, err := ParseACL(bin)
		if err != nil {
			return err
		}
		*a = *v
		return nil
	}
	d, err := ParseSDDL(string(b), SID{})
	if err != nil {
		return err
	}
	if d.dacl == nil {
		return badACL("%s is no list of ACEs", clip(string(b)))
	}
	*a = *d.dacl.Clone()
	return nil
}
