// SPDX-License-Identifier: Apache-2.0

package security

import (
	"strconv"
	"strings"

	"stationmaster/win32"
)

// aceTypeWords are the SDDL names of the types that SDDL can say (SDDL-4).
var aceTypeWords = map[uint8]string{
	AllowACE: "A", DenyACE: "D", AllowObjectACE: "OA", DenyObjectACE: "OD",
	AuditACE: "AU", AuditObjectACE: "OU", LabelACE: "ML",
}

// aceTypesRefused are known to SDDL and refused by the engine (SDDL-4).
var aceTypesRefused = map[string]uint8{
	"XA": AllowCallbackACE, "XD": DenyCallbackACE, "ZA": AllowCallbackObjectACE, "XU": AuditCallbackACE,
	"RA": ResourceAttributeACE, "SP": ScopedPolicyACE, "TL": ProcessTrustACE, "FL": AccessFilterACE,
	"AL": AlarmACE, "OL": AlarmObjectACE,
}

// aceFlagWords in the order they are printed (SDDL-5).
var aceFlagWords = []struct {
	word string
	bit  uint8
}{
	{"OI", ObjectInherit}, {"CI", ContainerInherit}, {"NP", NoPropagate}, {"IO", InheritOnly},
	{"ID", Inherited}, {"SA", SuccessAudit}, {"FA", FailureAudit},
}

type rightWord struct {
	word string
	mask win32.AccessMask
}

// rightBits are the single-bit mnemonics in ascending order (SDDL-11, -21).
var rightBits = []rightWord{
	{"CC", 0x1}, {"DC", 0x2}, {"LC", 0x4}, {"SW", 0x8}, {"RP", 0x10}, {"WP", 0x20}, {"DT", 0x40}, {"LO", 0x80}, {"CR", 0x100},
	{"SD", win32.DELETE}, {"RC", win32.READ_CONTROL}, {"WD", win32.WRITE_DAC}, {"WO", win32.WRITE_OWNER},
	{"GA", win32.GENERIC_ALL}, {"GX", win32.GENERIC_EXECUTE}, {"GW", win32.GENERIC_WRITE}, {"GR", win32.GENERIC_READ},
}

// rightComposites stand for several bits. KX says the same as KR and is never
// printed (SDDL-11).
var rightComposites = []rightWord{
	{"FA", 0x1F01FF}, {"FR", 0x120089}, {"FW", 0x120116}, {"FX", 0x1200A0},
	{"KA", 0xF003F}, {"KR", 0x20019}, {"KW", 0x20006}, {"KX", 0x20019},
}

// labelBits are the rights of a mandatory label ACE.
var labelBits = []rightWord{{"NW", LabelNoWriteUp}, {"NR", LabelNoReadUp}, {"NX", LabelNoExecuteUp}}

// sddlRights prints a mask (SDDL-11).
func sddlRights(b *strings.Builder, mask win32.AccessMask, label bool) {
	if !label {
		for _, r := range rightComposites {
			if mask == r.mask {
				b.WriteString(r.word)
				return
			}
		}
	}
	words := rightBits
	if label {
		words = labelBits
	}
	var all win32.AccessMask
	for _, r := range words {
		all |= r.mask
	}
	if mask&^all != 0 {
		b.WriteString("0x")
		b.WriteString(strconv.FormatUint(uint64(mask), 16))
		return
	}
	for _, r := range words {
		if mask&r.mask != 0 {
			b.WriteString(r.word)
		}
	}
}

// SDDL prints the parts asked for (OwnerInformation and so on). machine is the
// SID whose Administrator and Guest print as LA and LG; zero for none. ACEs of
// types that SDDL has no words for print their type as a number, which
// ParseSDDL refuses.
//
// Win32: ConvertSecurityDescriptorToStringSecurityDescriptor.
// Rules: SDDL-1, SDDL-11, SDDL-12, SDDL-13.
func (d *Descriptor) SDDL(parts uint32, machine SID) string {
	var b strings.Builder
	if parts&OwnerInformation != 0 && !d.owner.IsZero() {
		b.WriteString("O:")
		b.WriteString(sddlSID(d.owner, machine))
	}
	if parts&GroupInformation != 0 && !d.group.IsZero() {
		b.WriteString("G:")
		b.WriteString(sddlSID(d.group, machine))
	}
	if parts&DACLInformation != 0 && d.control&ControlDACLPresent != 0 {
		b.WriteString("D:")
		sddlACLFlags(&b, d.control, ControlDACLProtected, ControlDACLAutoInheritReq, ControlDACLAutoInherited)
		sddlACL(&b, d.dacl, machine)
	}
	if d.control&ControlSACLPresent != 0 {
		switch labels := labelsOf(d.sacl); {
		case parts&SACLInformation != 0:
			b.WriteString("S:")
			sddlACLFlags(&b, d.control, ControlSACLProtected, ControlSACLAutoInheritReq, ControlSACLAutoInherited)
			sddlACL(&b, d.sacl, machine)
		case parts&LabelInformation != 0 && labels != nil:
			b.WriteString("S:")
			sddlACL(&b, &ACL{ACEs: labels}, machine)
		}
	}
	return b.String()
}

const nullACLWord = "NO_ACCESS_CONTROL"

func sddlACLFlags(b *strings.Builder, control, protected, req, inherited uint16) {
	if control&protected != 0 {
		b.WriteString("P")
	}
	if control&req != 0 {
		b.WriteString("AR")
	}
	if control&inherited != 0 {
		b.WriteString("AI")
	}
}

func sddlACL(b *strings.Builder, a *ACL, machine SID) {
	if a == nil {
		b.WriteString(nullACLWord)
		return
	}
	for i := range a.ACEs {
		sddlACE(b, &a.ACEs[i], machine)
	}
}

// SDDL gives the ACE as it stands in the text form of a descriptor. machine
// resolves the aliases of the machine's own accounts; zero for none.
// Rules: SDDL-3, SDDL-11, SDDL-12.
func (a *ACE) SDDL(machine SID) string {
	var b strings.Builder
	sddlACE(&b, a, machine)
	return b.String()
}

func sddlACE(b *strings.Builder, a *ACE, machine SID) {
	b.WriteByte('(')
	if w, ok := aceTypeWords[a.Type]; ok {
		b.WriteString(w)
	} else {
		b.WriteString("0x" + strconv.FormatUint(uint64(a.Type), 16))
	}
	b.WriteByte(';')
	for _, f := range aceFlagWords {
		if a.Flags&f.bit != 0 {
			b.WriteString(f.word)
		}
	}
	b.WriteByte(';')
	sddlRights(b, a.Mask, a.Type == LabelACE)
	b.WriteByte(';')
	if a.isObject() && a.ObjectFlags&ObjectTypePresent != 0 {
		b.WriteString(a.ObjectType.String())
	}
	b.WriteByte(';')
	if a.isObject() && a.ObjectFlags&InheritedObjectTypePresent != 0 {
		b.WriteString(a.InheritedObjectType.String())
	}
	b.WriteByte(';')
	b.WriteString(sddlSID(a.SID, machine))
	b.WriteByte(')')
}
