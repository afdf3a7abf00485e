// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestACEForms(t *testing.T) {
	t.Run("SE-35/wire form", func(t *testing.T) {
		conform.Rule(t, "SE-35", "SE-36", "SE-38", "SE-39")
		const g1, g2 = "67452301ab89efcd0123456789abcdef", "98badcfe54761032fedcba9876543210"
		for acl, want := range map[*security.ACL]string{
			security.NewACL(): "0200080000000000",
			security.NewACL(security.Deny(3, security.Everyone).WithFlags(security.InheritOnly | security.FailureAudit)):                                                                                             "02001c0001000000" + "01881400" + "03000000" + "010100000000000100000000",
			security.NewACL(security.ACE{Type: security.AllowObjectACE, Mask: 1, SID: security.Everyone, ObjectFlags: 3, ObjectType: security.GUID(unhex(t, g1)), InheritedObjectType: security.GUID(unhex(t, g2))}): "0400400001000000" + "05003800" + "01000000" + "03000000" + g1 + g2 + "010100000000000100000000",
			security.NewACL(security.ACE{Type: security.AllowObjectACE, Mask: 1, SID: security.Everyone, ObjectFlags: 2, InheritedObjectType: security.GUID(unhex(t, g2))}):                                          "0400300001000000" + "05002800" + "01000000" + "02000000" + g2 + "010100000000000100000000",
			security.NewACL(security.ACE{Type: security.AllowCallbackACE, Raw: unhex(t, "0100000001010000000000010000000061727478")}):                                                                                "0200200001000000" + "09001800" + "0100000001010000000000010000000061727478",
			security.NewACL(security.ACE{Type: security.AllowACE, Mask: 1}):                                                                                                                                          "02001c0001000000" + "00001400" + "01000000" + "010100000000000000000000",
		} {
			if got := hex.EncodeToString(acl.Bytes()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			back, err := security.ParseACL(acl.Bytes())
			if err != nil || !back.Equal(acl) {
				t.Errorf("%s reads back as %v, %v", want, back, err)
			}
		}
		// What follows the SID, and bytes after the last ACE, are taken.
		extra := unhex(t, "0200280001000000"+"00001800"+"01000000"+"010100000000000100000000"+"deadbeef"+"ffffffff"+"ffffffff")
		acl, err := security.ParseACL(extra)
		if err != nil || hex.EncodeToString(acl.ACEs[0].Extra) != "deadbeef" {
			t.Fatalf("%+v, %v", acl, err)
		}
		if got := hex.EncodeToString(acl.Bytes()); got != "0200200001000000"+"00001800"+"01000000"+"010100000000000100000000"+"deadbeef" {
			t.Errorf("written as %s", got)
		}
	})
	t.Run("SE-39/limits", func(t *testing.T) {
		conform.Rule(t, "SE-39")
		aces := make([]security.ACE, 3277) // 8 + 3277·20 = 65548
		for i := range aces {
			aces[i] = security.Allow(1, security.Everyone)
		}
		if err := security.NewACL(aces...).Valid(); win32.Code(err) != win32.ERROR_INVALID_ACL {
			t.Errorf("too long: %v", err)
		}
		if security.NewACL(aces...).Bytes() != nil {
			t.Error("an ACL that is too long has bytes")
		}
		if err := security.NewACL(aces[:3276]...).Valid(); err != nil {
			t.Errorf("just fits: %v", err)
		}
		if err := (&security.ACL{Revision: 9}).Valid(); win32.Code(err) != win32.ERROR_INVALID_ACL {
			t.Errorf("revision: %v", err)
		}
		defer func() {
			if recover() == nil {
				t.Error("NewDescriptor takes an ACL that has no binary form")
			}
		}()
		security.NewDescriptor(security.System, security.System, security.NewACL(aces...), nil, 0)
	})
	t.Run("SE-40/canonical order", func(t *testing.T) {
		conform.Rule(t, "SE-40")
		for sddl, want := range map[string]bool{
			"D:": true, "D:NO_ACCESS_CONTROL": true, "D:(D;;GA;;;BG)(A;;GA;;;WD)(D;ID;GA;;;BG)(A;ID;GA;;;BU)(D;ID;CC;;;BU)": true,
			"D:(A;;GA;;;WD)(D;;GA;;;BG)": false, "D:(A;ID;GA;;;WD)(A;;GA;;;BG)": false,
		} {
			d := security.MustSDDL(sddl)
			acl, _ := d.DACL()
			if got := acl.Canonical(); got != want {
				t.Errorf("%s canonical: %v", sddl, got)
			}
			if d.String() != sddl {
				t.Errorf("%s was put in the order %s", sddl, d)
			}
		}
	})
	t.Run("SDDL-9/GUIDs", func(t *testing.T) {
		conform.Rule(t, "SDDL-9")
		g, err := security.ParseGUID("01234567-89AB-cdef-0123-456789abcdef")
		if err != nil || g.String() != "01234567-89ab-cdef-0123-456789abcdef" {
			t.Errorf("%v, %v", g, err)
		}
		for _, s := range []string{"", "01234567-89AB-cdef-0123-456789abcdeg", "0123456789AB-cdef-0123-456789abcdef0", "01234567-89AB-cdef-0123_456789abcdef"} {
			if _, err := security.ParseGUID(s); win32.Code(err) != win32.RPC_S_INVALID_STRING_UUID {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}

func TestParseDescriptor(t *testing.T) {
	conform.Rule(t, "SE-41", "SE-42", "SE-37")
	const (
		everyone = "010100000000000100000000"
		system   = "010100000000000512000000"
		dacl     = "02001c0001000000000014000000001001010000000000010000" + "0000"
	)
	t.Run("any order of parts", func(t *testing.T) {
		// owner at 48, group at 60, DACL at 20; then owner first.
		for _, h := range []string{
			"01000480" + "30000000" + "3c000000" + "00000000" + "14000000" + dacl + system + everyone,
			"01000480" + "14000000" + "20000000" + "00000000" + "2c000000" + system + everyone + dacl,
			"01000480" + "18000000" + "24000000" + "00000000" + "30000000" + "ffffffff" + system + everyone + dacl,
			"01000480" + "14000000" + "20000000" + "ffffffff" + "2c000000" + system + everyone + dacl, // SACL offset without its bit
			"01ff0480" + "14000000" + "20000000" + "00000000" + "2c000000" + system + everyone + dacl, // Sbz1
		} {
			d, err := security.ParseDescriptor(unhex(t, h))
			if err != nil {
				t.Errorf("%s: %v", h, err)
				continue
			}
			if d.String() != "O:SYG:WDD:(A;;GA;;;WD)" || !slices.Equal(d.Bytes(), security.MustSDDL(d.String()).Bytes()) {
				t.Errorf("%s reads as %s", h, d)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		for name, c := range map[string]struct {
			hex  string
			code win32.Errno
		}{
			"empty":              {"", win32.ERROR_INVALID_SECURITY_DESCR},
			"short":              {"01000080000000000000000000000000000000", win32.ERROR_INVALID_SECURITY_DESCR},
			"revision":           {"0200008000000000000000000000000000000000", win32.ERROR_UNKNOWN_REVISION},
			"absolute":           {"0100000000000000000000000000000000000000", win32.ERROR_INVALID_SECURITY_DESCR},
			"owner unaligned":    {"01000080" + "15000000" + "00000000" + "00000000" + "00000000" + "00" + system + "000000", win32.ERROR_INVALID_SECURITY_DESCR},
			"owner outside":      {"01000080" + "20000000" + "00000000" + "00000000" + "00000000" + system, win32.ERROR_INVALID_SECURITY_DESCR},
			"owner far outside":  {"01000080" + "fcffffff" + "00000000" + "00000000" + "00000000" + system, win32.ERROR_INVALID_SECURITY_DESCR},
			"owner in header":    {"01000080" + "04000000" + "00000000" + "00000000" + "00000000" + system, win32.ERROR_INVALID_SID},
			"owner over header":  {"01000080" + "08000000" + "01010000" + "00000005" + "12000000" + system, win32.ERROR_INVALID_SECURITY_DESCR},
			"owner cut":          {"01000080" + "14000000" + "00000000" + "00000000" + "00000000" + "0101000000000005", win32.ERROR_INVALID_SID},
			"owner is group":     {"01000080" + "14000000" + "14000000" + "00000000" + "00000000" + system, win32.ERROR_INVALID_SECURITY_DESCR},
			"owner in DACL":      {"01000480" + "24000000" + "00000000" + "00000000" + "14000000" + dacl, win32.ERROR_INVALID_SECURITY_DESCR},
			"ACL revision":       {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0500080000000000", win32.ERROR_INVALID_ACL},
			"ACL cut":            {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "02000800", win32.ERROR_INVALID_ACL},
			"ACL too long":       {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "02000c0000000000", win32.ERROR_INVALID_ACL},
			"ACL size unaligned": {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0200090000000000" + "00000000", win32.ERROR_INVALID_ACL},
			"too many ACEs":      {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "020008000100" + "0000", win32.ERROR_INVALID_ACL},
			"ACE outside":        {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "02000c0001000000" + "00001400", win32.ERROR_INVALID_ACL},
			"ACE size 0":         {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "02000c0001000000" + "00000000", win32.ERROR_INVALID_ACL},
			"ACE without mask":   {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "02000c0001000000" + "00000400", win32.ERROR_INVALID_ACL},
			"ACE without SID":    {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0200100001000000" + "0000080001000000", win32.ERROR_INVALID_SID},
			"SID outside ACE":    {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "02001c0001000000" + "0000140001000000" + "010200000000000100000000", win32.ERROR_INVALID_SID},
			"object ACE cut":     {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0400100001000000" + "0500080001000000", win32.ERROR_INVALID_ACL},
			"object GUID cut":    {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0400140001000000" + "05000c000100000001000000", win32.ERROR_INVALID_ACL},
			"inherited GUID cut": {"01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0400140001000000" + "05000c000100000002000000", win32.ERROR_INVALID_ACL},
		} {
			if d, err := security.ParseDescriptor(unhex(t, c.hex)); win32.Code(err) != c.code {
				t.Errorf("%s: %v, %v; want %d", name, d, err, uint32(c.code))
			}
		}
	})
	t.Run("unsupported ACEs are kept untouched", func(t *testing.T) {
		h := "01000480" + "00000000" + "00000000" + "00000000" + "14000000" + "0200200001000000" + "12001800" + "00000000" + everyone + "61727478"
		d, err := security.ParseDescriptor(unhex(t, h))
		if err != nil || hex.EncodeToString(d.Bytes()) != h {
			t.Errorf("%v, %v", d, err)
		}
	})
	t.Run("resource manager control", func(t *testing.T) {
		h := "01420040"[:4] + "00c0" + "00000000" + "00000000" + "00000000" + "00000000"
		d, err := security.ParseDescriptor(unhex(t, h))
		if err != nil || hex.EncodeToString(d.Bytes()) != h {
			t.Errorf("%v, %v", d, err)
		}
	})
}

func TestDescriptorEdits(t *testing.T) {
	conform.Rule(t, "SE-41", "SE-43")
	d := security.MustSDDL("O:SYG:BAD:P(A;;GA;;;WD)S:(AU;FA;GA;;;WD)")
	for want, n := range map[string]*security.Descriptor{
		"O:BUG:BAD:P(A;;GA;;;WD)S:(AU;FA;GA;;;WD)":                d.WithOwner(security.Users),
		"O:SYG:BUD:P(A;;GA;;;WD)S:(AU;FA;GA;;;WD)":                d.WithGroup(security.Users),
		"O:SYG:BAD:P(D;;CC;;;BU)S:(AU;FA;GA;;;WD)":                d.WithDACL(security.NewACL(security.Deny(1, security.Users))),
		"O:SYG:BAD:PNO_ACCESS_CONTROLS:(AU;FA;GA;;;WD)":           d.WithDACL(nil),
		"O:SYG:BAS:(AU;FA;GA;;;WD)":                               d.WithoutDACL(),
		"O:SYG:BAD:P(A;;GA;;;WD)":                                 d.WithSACL(nil),
		"O:SYG:BAD:P(A;;GA;;;WD)S:":                               d.WithSACL(security.NewACL()),
		"O:SYG:BAD:P(A;;GA;;;WD)S:(AU;FA;GA;;;WD)(ML;;NW;;;HI)":   d.WithLabel(security.LevelHigh, security.LabelNoWriteUp),
		"O:SYG:BAD:P(A;;GA;;;WD)S:(AU;FA;GA;;;WD)(ML;;NWNR;;;LW)": d.WithLabel(security.LevelHigh, 1).WithLabel(security.LevelLow, 3),
	} {
		if n.String() != want {
			t.Errorf("got  %s\nwant %s", n, want)
		}
		if n.Generation() == d.Generation() {
			t.Errorf("%s has the generation of the original", want)
		}
		if again, err := security.ParseSDDL(n.String(), security.SID{}); err != nil || !again.Equal(n) {
			t.Errorf("%s does not read back: %v", want, err)
		}
	}
	if d.String() != "O:SYG:BAD:P(A;;GA;;;WD)S:(AU;FA;GA;;;WD)" {
		t.Errorf("the original became %s", d)
	}
	// Neither what was handed in nor what is handed out is shared.
	acl := security.NewACL(security.Allow(1, security.Everyone))
	n := security.NewDescriptor(security.System, security.System, acl, nil, 0)
	acl.ACEs[0].Mask = 2
	got, _ := n.DACL()
	got.ACEs[0].Mask = 4
	if again, _ := n.DACL(); again.ACEs[0].Mask != 1 {
		t.Error("a descriptor can be changed from outside")
	}
}

func TestDescriptorText(t *testing.T) {
	in := struct {
		D *security.Descriptor
		A *security.ACL
	}{security.MustSDDL("O:SYD:P(A;;GA;;;WD)"), security.NewACL(security.Allow(win32.GENERIC_ALL, security.System))}
	b, err := json.Marshal(in)
	if err != nil || string(b) != `{"D":"O:SYD:P(A;;GA;;;WD)","A":"D:(A;;GA;;;SY)"}` {
		t.Fatalf("%s, %v", b, err)
	}
	odd := security.NewACL(security.ACE{Type: security.DenyCallbackACE, Raw: make([]byte, 16)})
	for _, d := range []*security.Descriptor{in.D, security.NewDescriptor(security.System, security.SID{}, odd, odd, security.ControlDACLDefaulted)} {
		in.D, in.A = d, odd
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		out := in
		out.D, out.A = nil, nil
		if err := json.Unmarshal(b, &out); err != nil || !out.D.Equal(d) || !out.A.Equal(odd) || out.D.Control() != d.Control() {
			t.Errorf("%s reads back as %v, %v", b, out, err)
		}
	}
	for _, bad := range []string{`{"D":"nonsense"}`, `{"D":"hex:zz"}`, `{"D":"hex:00"}`, `{"A":"D:NO_ACCESS_CONTROL"}`, `{"A":"hex:zz"}`, `{"A":"hex:00"}`, `{"A":"x"}`} {
		if err := json.Unmarshal([]byte(bad), &in); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// randomSDDL makes a descriptor of all that the SDDL parser can make.
func randomSDDL(r *rand.Rand) *security.Descriptor {
	sids := append(slices.Clone(pool), security.System, security.OwnerRights, security.MustSID("S-1-0x123456789abc-1-2-3"), security.MustSID("S-1-5"), security.UserModeDrivers)
	mask := func() win32.AccessMask {
		return pick(r, randomMask(r), win32.AccessMask(r.Uint32()), 0, 0x1F01FF, 0x120089, 0x120116, 0x1200A0, 0xF003F, 0x20019, 0x20006, 0x1FF)
	}
	acl := func(types ...uint8) *security.ACL {
		var aces []security.ACE
		for n := r.IntN(6); n > 0; n-- {
			a := security.ACE{Type: pick(r, types...), Flags: uint8(r.Uint32()) & 0xDF, Mask: mask(), SID: pick(r, sids...)}
			switch a.Type {
			case security.AllowObjectACE, security.DenyObjectACE, security.AuditObjectACE:
				a.ObjectFlags = uint32(1 + r.IntN(3))
				for i := range 16 {
					if a.ObjectFlags&1 != 0 {
						a.ObjectType[i] = byte(r.Uint32())
					}
					if a.ObjectFlags&2 != 0 {
						a.InheritedObjectType[i] = byte(r.Uint32())
					}
				}
			case security.LabelACE:
				a.SID = security.LevelSID(security.Level(r.IntN(6) * 0x1000))
			}
			aces = append(aces, a)
		}
		return security.NewACL(aces...)
	}
	var dacl, sacl *security.ACL
	control := uint16(0)
	if r.IntN(4) > 0 {
		control |= security.ControlDACLPresent | uint16(r.Uint32())&(security.ControlDACLProtected|security.ControlDACLAutoInherited|security.ControlDACLAutoInheritReq)
		if r.IntN(6) > 0 {
			dacl = acl(security.AllowACE, security.DenyACE, security.AllowObjectACE, security.DenyObjectACE)
		}
	}
	if r.IntN(2) > 0 {
		control |= security.ControlSACLPresent | uint16(r.Uint32())&(security.ControlSACLProtected|security.ControlSACLAutoInherited|security.ControlSACLAutoInheritReq)
		if r.IntN(6) > 0 {
			sacl = acl(security.AuditACE, security.AuditObjectACE, security.LabelACE)
		}
	}
	return security.NewDescriptor(pick(r, append(sids, security.SID{})...), pick(r, append(sids, security.SID{})...), dacl, sacl, control)
}

func TestPrintParse(t *testing.T) {
	conform.Rule(t, "SDDL-14")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	n := 100_000
	if raceEnabled || testing.Short() {
		n = 10_000
	}
	for i := range n {
		d := randomSDDL(r)
		text := d.String()
		back, err := security.ParseSDDL(text, security.SID{})
		if err != nil {
			t.Fatalf("seed %d case %d: %s: %v", seed, i, text, err)
		}
		if !slices.Equal(back.Bytes(), d.Bytes()) {
			t.Fatalf("seed %d case %d: %s\n%x reads back as\n%x", seed, i, text, d.Bytes(), back.Bytes())
		}
		bin, err := security.ParseDescriptor(d.Bytes())
		if err != nil || !bin.Equal(d) || bin.String() != text {
			t.Fatalf("seed %d case %d: %x reads back as %v, %v", seed, i, d.Bytes(), bin, err)
		}
	}
}
