// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"strings"

	"stationmaster/win32"
)

// SDDLError says where a security descriptor string is wrong. It unwraps to a
// *win32.Error and through it to the Win32 number.
type SDDLError struct {
	Text string // the whole string
	Pos  int    // offset in bytes of what is wrong
	What string // what is wrong there
	Code win32.Errno
	Rule string
}

// Error reads `cannot read SDDL at offset 6: unknown right "ZZ" (1336)`.
func (e *SDDLError) Error() string {
	return fmt.Sprintf("cannot read SDDL at offset %d: %s (%d)", e.Pos, e.What, uint32(e.Code))
}

// Unwrap gives the error as calls and the wire carry it.
func (e *SDDLError) Unwrap() error {
	return &win32.Error{Op: "ConvertStringSecurityDescriptorToSecurityDescriptor", Object: fmt.Sprintf("at offset %d, %s", e.Pos, e.What), Code: e.Code, Rule: e.Rule}
}

type sddlParser struct {
	s       string
	pos     int
	machine SID
}

func (p *sddlParser) fail(pos int, code win32.Errno, rule, format string, args ...any) error {
	return &SDDLError{Text: p.s, Pos: pos, What: fmt.Sprintf(format, args...), Code: code, Rule: rule}
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func (p *sddlParser) skipBlanks() {
	for p.pos < len(p.s) && isBlank(p.s[p.pos]) {
		p.pos++
	}
}

// peek is the next byte in upper case, 0 at the end.
func (p *sddlParser) peek() byte {
	if p.pos >= len(p.s) {
		return 0
	}
	return upper(p.s[p.pos])
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 32
	}
	return c
}

// word takes w, whatever its case, if it comes next.
func (p *sddlParser) word(w string) bool {
	if len(p.s)-p.pos >= len(w) && strings.EqualFold(p.s[p.pos:p.pos+len(w)], w) {
		p.pos += len(w)
		return true
	}
	return false
}

// ParseSDDL reads a descriptor in the security descriptor definition
// language. machine is the SID on which LA and LG stand; with the zero SID
// they are refused. Errors are *SDDLError and carry the position.
//
// Win32: ConvertStringSecurityDescriptorToSecurityDescriptor.
// Rules: SDDL-1 to SDDL-10, SDDL-20, SDDL-21.
func ParseSDDL(s string, machine SID) (*Descriptor, error) {
	p := &sddlParser{s: s, machine: machine}
	d := &Descriptor{}
	seen := map[byte]bool{}
	for {
		p.skipBlanks()
		if p.pos == len(p.s) {
			return d.seal(), nil
		}
		start, c := p.pos, p.peek()
		p.pos++
		if p.peek() != ':' || strings.IndexByte("OGDS", c) < 0 {
			return nil, p.fail(start, win32.ERROR_INVALID_PARAMETER, "SDDL-8", "unknown component %q", clip(p.s[start:]))
		}
		p.pos++
		if seen[c] {
			return nil, p.fail(start, win32.ERROR_INVALID_PARAMETER, "SDDL-1", "component %c: comes twice", c)
		}
		seen[c] = true
		p.skipBlanks()
		var err error
		switch c {
		case 'O':
			d.owner, err = p.ownerSID()
		case 'G':
			d.group, err = p.ownerSID()
		case 'D':
			d.dacl, err = p.acl(d, false)
		case 'S':
			d.sacl, err = p.acl(d, true)
		}
		if err != nil {
			return nil, err
		}
	}
}

// MustSDDL is ParseSDDL without a machine SID for constants of the program;
// it panics on a mistake.
func MustSDDL(s string) *Descriptor {
	d, err := ParseSDDL(s, SID{})
	if err != nil {
		panic(fmt.Sprintf("security: %q: %v", s, err))
	}
	return d
}

// ownerSID reads the SID after O: or G:. It ends where no SID can go on: an
// alias after two letters, an S-form before the next component.
func (p *sddlParser) ownerSID() (SID, error) {
	start := p.pos
	if p.word("S-") {
		for p.pos < len(p.s) && sidChar(p.s[p.pos]) {
			// In "…-513D:" the D is hexadecimal only after 0x; a component
			// letter before a colon always ends the SID.
			if p.pos+1 < len(p.s) && p.s[p.pos+1] == ':' {
				break
			}
			p.pos++
		}
	} else {
		p.pos = min(p.pos+2, len(p.s))
	}
	return p.sid(start, p.pos, win32.ERROR_INVALID_SID)
}

func sidChar(c byte) bool {
	c = upper(c)
	return c == '-' || c == 'X' || c >= '0' && c <= '9' || c >= 'A' && c <= 'F'
}

// sid resolves s[from:to]. A bad SID gives the code the place calls for, a
// relative alias without its base always 1337 (SDDL-8, SDDL-20).
func (p *sddlParser) sid(from, to int, code win32.Errno) (SID, error) {
	text := p.s[from:to]
	if len(text) == 2 {
		sid, st := aliasSID(text, p.machine)
		switch st {
		case aliasKnown:
			return sid, nil
		case aliasNeedsDomain:
			return SID{}, p.fail(from, win32.ERROR_INVALID_SID, "SDDL-20", "SID %q needs a domain, and none is configured", text)
		case aliasNeedsMachine:
			return SID{}, p.fail(from, win32.ERROR_INVALID_SID, "SDDL-20", "SID %q needs the machine SID", text)
		}
	}
	sid, err := parseSIDFor(text, p.machine)
	if err != nil {
		return SID{}, p.fail(from, code, "SDDL-8", "bad SID %q", clip(text))
	}
	return sid, nil
}

// acl reads flags and ACEs after D: or S: and sets the control bits of d.
func (p *sddlParser) acl(d *Descriptor, sacl bool) (*ACL, error) {
	present, protected, req, inherited := ControlDACLPresent, ControlDACLProtected, ControlDACLAutoInheritReq, ControlDACLAutoInherited
	if sacl {
		present, protected, req, inherited = ControlSACLPresent, ControlSACLProtected, ControlSACLAutoInheritReq, ControlSACLAutoInherited
	}
	start := p.pos
	d.control |= present
flags:
	for {
		switch {
		case p.word(nullACLWord):
			if p.peek() == '(' {
				return nil, p.fail(p.pos, win32.ERROR_INVALID_ACL, "SDDL-2", "ACE after %s", nullACLWord)
			}
			return nil, nil
		case p.word("AR"):
			d.control |= req
		case p.word("AI"):
			d.control |= inherited
		case p.word("P"):
			d.control |= protected
		default:
			break flags
		}
	}
	a := &ACL{}
	for p.peek() == '(' {
		ace, err := p.ace(sacl)
		if err != nil {
			return nil, err
		}
		a.ACEs = append(a.ACEs, ace)
	}
	if err := p.aclEnd(); err != nil {
		return nil, err
	}
	a.Revision = a.revision()
	if err := a.Valid(); err != nil {
		return nil, p.fail(start, win32.ERROR_INVALID_ACL, "SE-39", "ACL of %d bytes is too long", a.Size())
	}
	return a, nil
}

// aclEnd checks that after an ACL only the end or another component comes.
// A stray bracket or flag belongs to the ACL, so it is 1336 and not the 87 of
// an unknown component.
func (p *sddlParser) aclEnd() error {
	at := p.pos
	for at < len(p.s) && isBlank(p.s[at]) {
		at++
	}
	if at == len(p.s) || at+1 < len(p.s) && p.s[at+1] == ':' {
		return nil
	}
	switch c := p.s[at]; {
	case c == '(' || c == ')':
		return p.fail(at, win32.ERROR_INVALID_ACL, "SDDL-8", "unexpected %q", string(c))
	case at == p.pos:
		return p.fail(at, win32.ERROR_INVALID_ACL, "SDDL-2", "unknown ACL flag %q", clip(p.s[at:]))
	}
	return nil
}

// field takes what stands before the next semicolon, after leading blanks.
func (p *sddlParser) field(what string) (string, int, error) {
	p.skipBlanks()
	start := p.pos
	for p.pos < len(p.s) && p.s[p.pos] != ';' && p.s[p.pos] != ')' && p.s[p.pos] != '(' {
		p.pos++
	}
	if p.peek() != ';' {
		return "", 0, p.fail(p.pos, win32.ERROR_INVALID_ACL, "SDDL-3", "the ACE ends in its %s: it needs 5 semicolons", what)
	}
	text := p.s[start:p.pos]
	if text != "" && isBlank(text[len(text)-1]) {
		return "", 0, p.fail(p.pos-1, win32.ERROR_INVALID_ACL, "SDDL-7", "blank before a semicolon")
	}
	p.pos++
	return text, start, nil
}

// ace reads one ACE from its bracket on (SDDL-3).
func (p *sddlParser) ace(sacl bool) (ACE, error) {
	var a ACE
	p.pos++ // (
	word, at, err := p.field("type")
	if err != nil {
		return a, err
	}
	if a.Type, err = p.aceType(word, at, sacl); err != nil {
		return a, err
	}
	if word, at, err = p.field("flags"); err != nil {
		return a, err
	}
	if a.Flags, err = p.aceFlags(word, at); err != nil {
		return a, err
	}
	if word, at, err = p.field("rights"); err != nil {
		return a, err
	}
	if a.Mask, err = p.rights(word, at, a.Type == LabelACE); err != nil {
		return a, err
	}
	for _, g := range []struct {
		what string
		bit  uint32
		to   *GUID
	}{{"object GUID", ObjectTypePresent, &a.ObjectType}, {"inherited object GUID", InheritedObjectTypePresent, &a.InheritedObjectType}} {
		if word, at, err = p.field(g.what); err != nil {
			return a, err
		}
		if word == "" {
			continue
		}
		if !a.isObject() {
			return a, p.fail(at, win32.ERROR_INVALID_ACL, "SDDL-9", "an ACE of this type has no %s", g.what)
		}
		if *g.to, err = ParseGUID(word); err != nil {
			return a, p.fail(at, win32.RPC_S_INVALID_STRING_UUID, "SDDL-9", "bad %s %q", g.what, clip(word))
		}
		a.ObjectFlags |= g.bit
	}
	if a.isObject() && a.ObjectFlags == 0 { // SDDL-9: OA without GUIDs is A
		a.Type -= AllowObjectACE - AllowACE
	}
	p.skipBlanks()
	start := p.pos
	for p.pos < len(p.s) && p.s[p.pos] != ')' && p.s[p.pos] != '(' && p.s[p.pos] != ';' {
		p.pos++
	}
	if p.peek() != ')' {
		return a, p.fail(p.pos, win32.ERROR_INVALID_ACL, "SDDL-3", "the ACE has no end after its SID")
	}
	end := p.pos
	for end > start && isBlank(p.s[end-1]) {
		end--
	}
	if a.SID, err = p.sid(start, end, win32.ERROR_INVALID_ACL); err != nil {
		return a, err
	}
	if _, is := a.SID.LabelLevel(); a.Type == LabelACE && !is {
		return a, p.fail(start, win32.ERROR_INVALID_ACL, "SDDL-4", "SID %q is no mandatory label", clip(p.s[start:end]))
	}
	p.pos++
	return a, nil
}

func (p *sddlParser) aceType(word string, at int, sacl bool) (uint8, error) {
	w := strings.ToUpper(word)
	if t, ok := aceTypesRefused[w]; ok {
		return 0, p.fail(at, win32.ERROR_NOT_SUPPORTED, "SDDL-4", "ACE type %s (%s) is not supported", w, aceTypeName(t))
	}
	for t, known := range aceTypeWords {
		if known != w {
			continue
		}
		if inSACL := t == AuditACE || t == AuditObjectACE || t == LabelACE; inSACL != sacl {
			return 0, p.fail(at, win32.ERROR_INVALID_ACL, "SDDL-4", "ACE type %s is in the wrong list", w)
		}
		return t, nil
	}
	return 0, p.fail(at, win32.ERROR_INVALID_ACL, "SDDL-4", "unknown ACE type %q", clip(word))
}

func (p *sddlParser) aceFlags(word string, at int) (uint8, error) {
	var flags uint8
next:
	for i := 0; i < len(word); i += 2 {
		w := strings.ToUpper(word[i:min(i+2, len(word))])
		for _, f := range aceFlagWords {
			if f.word == w {
				flags |= f.bit
				continue next
			}
		}
		if w == "CR" || w == "TP" {
			return 0, p.fail(at+i, win32.ERROR_NOT_SUPPORTED, "SDDL-5", "ACE flag %s is not supported", w)
		}
		return 0, p.fail(at+i, win32.ERROR_INVALID_ACL, "SDDL-5", "unknown ACE flag %q", w)
	}
	return flags, nil
}

// rights reads mnemonics and numbers in any mix (SDDL-6).
func (p *sddlParser) rights(word string, at int, label bool) (win32.AccessMask, error) {
	var mask win32.AccessMask
next:
	for i := 0; i < len(word); {
		if c := word[i]; c >= '0' && c <= '9' {
			v, n := sddlNumber(word[i:])
			if n == 0 {
				return 0, p.fail(at+i, win32.ERROR_INVALID_ACL, "SDDL-6", "bad number %q", clip(word[i:]))
			}
			mask |= win32.AccessMask(v)
			i += n
			continue
		}
		w := strings.ToUpper(word[i:min(i+2, len(word))])
		tables := [][]rightWord{rightBits, rightComposites}
		if label {
			tables = [][]rightWord{labelBits}
		}
		for _, table := range tables {
			for _, r := range table {
				if r.word == w {
					mask |= r.mask
					i += 2
					continue next
				}
			}
		}
		return 0, p.fail(at+i, win32.ERROR_INVALID_ACL, "SDDL-6", "unknown right %q", w)
	}
	return mask, nil
}

// sddlNumber reads the hexadecimal, octal or decimal number at the start of
// s, modulo 2^32, and says how long it is; 0 for none. Rules: SDDL-6.
func sddlNumber(s string) (v uint32, n int) {
	base, i := uint32(10), 0
	if s[0] == '0' {
		base = 8
		if len(s) > 1 && upper(s[1]) == 'X' {
			base, i = 16, 2
		}
	}
	start := i
	for ; i < len(s); i++ {
		c := upper(s[i])
		digit := uint32(c - '0')
		if c >= 'A' && c <= 'F' && base == 16 {
			digit = uint32(c-'A') + 10
		} else if c < '0' || c > '9' {
			break
		}
		if digit >= base {
			return 0, 0 // 8 or 9 in an octal number
		}
		v = v*base + digit
	}
	if i == start {
		return 0, 0
	}
	return v, i
}
