// SPDX-License-Identifier: Apache-2.0

package security

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unique"

	"stationmaster/win32"
)

// maxSubAuthorities is SID_MAX_SUB_AUTHORITIES (SE-1).
const maxSubAuthorities = 15

// SID is a security identifier. It is interned, so two SIDs are the same
// exactly when == says so (SE-3), and it can be a map key. The zero value is
// no SID at all, which is not the same as NullSID (S-1-0-0).
type SID struct {
	h unique.Handle[string] // the binary form of SE-1; immutable
}

// makeSID interns a SID made of parts that are known to be in range.
func makeSID(authority uint64, subs ...uint32) SID {
	if len(subs) > maxSubAuthorities || authority>>48 != 0 {
		panic(fmt.Sprintf("security: SID with authority %#x and %d sub-authorities", authority, len(subs)))
	}
	var b [8 + 4*maxSubAuthorities]byte
	b[0], b[1] = 1, byte(len(subs))
	b[2], b[3] = byte(authority>>40), byte(authority>>32)
	binary.BigEndian.PutUint32(b[4:], uint32(authority))
	for i, s := range subs {
		binary.LittleEndian.PutUint32(b[8+4*i:], s)
	}
	return SID{unique.Make(string(b[:8+4*len(subs)]))}
}

// SIDFromBytes reads a binary SID that takes up the whole of b. Anything else
// gives ERROR_INVALID_SID.
//
// Rules: SE-1.
func SIDFromBytes(b []byte) (SID, error) {
	s, n, ok := sidPrefix(b)
	if !ok || n != len(b) {
		return SID{}, &win32.Error{Op: "IsValidSid", Object: fmt.Sprintf("%d bytes", len(b)), Code: win32.ERROR_INVALID_SID, Rule: "SE-1"}
	}
	return s, nil
}

// sidPrefix reads the SID at the start of b and says how many bytes it took.
func sidPrefix(b []byte) (SID, int, bool) {
	if len(b) < 8 || b[0] != 1 || b[1] > maxSubAuthorities {
		return SID{}, 0, false
	}
	n := 8 + 4*int(b[1])
	if len(b) < n {
		return SID{}, 0, false
	}
	return SID{unique.Make(string(b[:n]))}, n, true
}

// ParseSID reads the string form S-1-…, in which the authority and the
// sub-authorities may be decimal or 0x hexadecimal, or one of the SDDL
// aliases that do not depend on a machine or domain (`SY`, `WD`, …).
// Anything else gives ERROR_INVALID_SID.
//
// Win32: ConvertStringSidToSid. Rules: SE-2.
func ParseSID(s string) (SID, error) { return parseSIDFor(s, SID{}) }

// parseSIDFor is ParseSID with the machine SID that LA and LG stand on.
func parseSIDFor(s string, machine SID) (SID, error) {
	bad := func(why string) (SID, error) {
		return SID{}, &win32.Error{Op: "ConvertStringSidToSid", Object: fmt.Sprintf("%q: %s", clip(s), why), Code: win32.ERROR_INVALID_SID, Rule: "SE-2"}
	}
	if len(s) == 2 {
		sid, st := aliasSID(s, machine)
		switch st {
		case aliasKnown:
			return sid, nil
		case aliasNeedsDomain:
			return bad("alias of a domain, and no domain is configured")
		case aliasNeedsMachine:
			return bad("alias of a machine account, and no machine SID is given")
		}
		return bad("unknown alias")
	}
	if len(s) < 2 || (s[0] != 'S' && s[0] != 's') || s[1] != '-' {
		return bad("does not begin with S-")
	}
	parts := strings.Split(s[2:], "-")
	if len(parts) < 2 {
		return bad("too short")
	}
	if parts[0] != "1" {
		return bad("revision is not 1")
	}
	authority, ok := sidNumber(parts[1], 48)
	if !ok {
		return bad("bad identifier authority")
	}
	if len(parts)-2 > maxSubAuthorities {
		return bad("more than 15 sub-authorities")
	}
	subs := make([]uint32, 0, maxSubAuthorities)
	for _, p := range parts[2:] {
		v, ok := sidNumber(p, 32)
		if !ok {
			return bad("bad sub-authority")
		}
		subs = append(subs, uint32(v))
	}
	return makeSID(authority, subs...), nil
}

// sidNumber reads a decimal or 0x number of at most the given bits. Signs,
// blanks and underscores, which strconv might take, are refused.
func sidNumber(s string, bits int) (uint64, bool) {
	base := 10
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s, base = s[2:], 16
	}
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	v, err := strconv.ParseUint(s, base, bits)
	return v, err == nil
}

// clip keeps error messages short whatever a caller sent.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// MustSID is ParseSID for constants of the program; it panics on a mistake.
func MustSID(s string) SID {
	sid, err := ParseSID(s)
	if err != nil {
		panic(err)
	}
	return sid
}

// IsZero reports whether s is no SID at all.
func (s SID) IsZero() bool { return s == SID{} }

// raw gives the binary form without copying; "" for the zero SID.
func (s SID) raw() string {
	if s.IsZero() {
		return ""
	}
	return s.h.Value()
}

// Bytes gives a copy of the binary form; nil for the zero SID. Rules: SE-1.
func (s SID) Bytes() []byte {
	if s.IsZero() {
		return nil
	}
	return []byte(s.raw())
}

// Len is the length of the binary form in bytes, 0 for the zero SID.
func (s SID) Len() int { return len(s.raw()) }

// Authority is the 48-bit identifier authority, such as 5 for NT.
func (s SID) Authority() uint64 {
	r := s.raw()
	if r == "" {
		return 0
	}
	var v uint64
	for i := 2; i < 8; i++ {
		v = v<<8 | uint64(r[i])
	}
	return v
}

// SubAuthorities gives the sub-authorities in order.
func (s SID) SubAuthorities() []uint32 {
	r := s.raw()
	if len(r) <= 8 {
		return nil
	}
	subs := make([]uint32, 0, (len(r)-8)/4)
	for i := 8; i < len(r); i += 4 {
		subs = append(subs, sidWord(r, i))
	}
	return subs
}

func sidWord(r string, i int) uint32 {
	return uint32(r[i]) | uint32(r[i+1])<<8 | uint32(r[i+2])<<16 | uint32(r[i+3])<<24
}

// RID is the last sub-authority, 0 when there is none.
func (s SID) RID() uint32 {
	r := s.raw()
	if len(r) <= 8 {
		return 0
	}
	return sidWord(r, len(r)-4)
}

// Child gives the SID with one more sub-authority. The zero SID is given back
// when s is zero or already has 15.
func (s SID) Child(rid uint32) SID {
	r := s.raw()
	if r == "" || r[1] >= maxSubAuthorities {
		return SID{}
	}
	b := make([]byte, len(r), len(r)+4)
	copy(b, r)
	b[1]++
	return SID{unique.Make(string(binary.LittleEndian.AppendUint32(b, rid)))}
}

// Domain gives the SID without its last sub-authority: the machine SID of an
// account. It is the zero SID when s has no sub-authority.
func (s SID) Domain() SID {
	r := s.raw()
	if len(r) <= 8 {
		return SID{}
	}
	b := []byte(r[:len(r)-4])
	b[1]--
	return SID{unique.Make(string(b))}
}

// EqualPrefix reports whether s and o agree in all but the last
// sub-authority.
//
// Win32: EqualPrefixSid. Rules: SE-3.
func (s SID) EqualPrefix(o SID) bool {
	a, b := s.raw(), o.raw()
	if len(a) != len(b) || a == "" {
		return a == b
	}
	if len(a) == 8 {
		return a == b
	}
	return a[:len(a)-4] == b[:len(b)-4]
}

// String gives S-1-…; the authority is 0x and 12 hex digits when it does not
// fit 32 bits. The zero SID prints as an empty string.
//
// Win32: ConvertSidToStringSid. Rules: SE-2.
func (s SID) String() string {
	r := s.raw()
	if r == "" {
		return ""
	}
	var buf [8 + 16 + 11*maxSubAuthorities]byte
	out := append(buf[:0], "S-1-"...)
	if a := s.Authority(); a>>32 != 0 {
		out = fmt.Appendf(out, "0x%012x", a)
	} else {
		out = strconv.AppendUint(out, a, 10)
	}
	for i := 8; i < len(r); i += 4 {
		out = append(out, '-')
		out = strconv.AppendUint(out, uint64(sidWord(r, i)), 10)
	}
	return string(out)
}

// MarshalText gives String.
func (s SID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gave, and everything ParseSID reads.
// An empty text is the zero SID.
func (s *SID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = SID{}
		return nil
	}
	v, err := ParseSID(string(b))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// LogonSID is the SID of a logon session, S-1-5-5-X-Y with X and Y the high
// and low part of its LUID. Rules: SE-4, SE-5.
func LogonSID(l LUID) SID { return makeSID(5, 5, l.High(), l.Low()) }

// IsLogonSID reports whether s has the form S-1-5-5-X-Y.
func (s SID) IsLogonSID() bool {
	r := s.raw()
	return len(r) == 20 && r[:8] == ntAuthority && sidWord(r, 8) == 5
}

const (
	ntAuthority    = "\x01\x03\x00\x00\x00\x00\x00\x05" // header of S-1-5-a-b-c
	labelAuthority = "\x01\x01\x00\x00\x00\x00\x00\x10" // header of S-1-16-a
)

// ServiceSID is the SID of the service with the given name,
// S-1-5-80-h0-…-h4 where the h are SHA-1 of the upper-cased name in UTF-16LE.
// The account is `NT SERVICE\name`. Rules: SE-9, SE-10.
func ServiceSID(name string) SID {
	// One rune for one rune, as the Windows upper-case table maps: ß stays ß.
	units := utf16.Encode([]rune(strings.ToUpper(name)))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	h := sha1.Sum(b)
	subs := []uint32{80}
	for i := 0; i < len(h); i += 4 {
		subs = append(subs, binary.LittleEndian.Uint32(h[i:]))
	}
	return makeSID(5, subs...)
}

// LevelSID is the mandatory label S-1-16-level. Rules: SE-11.
func LevelSID(l Level) SID { return makeSID(16, uint32(l)) }

// LabelLevel gives the level of a mandatory label SID; ok is false for a SID
// of another kind.
func (s SID) LabelLevel() (l Level, ok bool) {
	r := s.raw()
	if len(r) != 12 || r[:8] != labelAuthority {
		return 0, false
	}
	return Level(sidWord(r, 8)), true
}

// UnixUserSID is the SID of a Linux user without an account of our own
// store, S-1-22-1-uid. Rules: SE-13.
func UnixUserSID(uid uint32) SID { return makeSID(22, 1, uid) }

// UnixGroupSID is the SID of a Linux group, S-1-22-2-gid. Rules: SE-13.
func UnixGroupSID(gid uint32) SID { return makeSID(22, 2, gid) }

// NewMachineSID makes the account-domain SID S-1-5-21-a-b-c of a new store
// from 12 bytes of random. Accounts are its Child RIDs. Rules: SE-7.
func NewMachineSID(random io.Reader) (SID, error) {
	var b [12]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return SID{}, fmt.Errorf("cannot make a machine SID: %w", err)
	}
	le := binary.LittleEndian
	return makeSID(5, 21, le.Uint32(b[0:]), le.Uint32(b[4:]), le.Uint32(b[8:])), nil
}
