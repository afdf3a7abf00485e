// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"encoding/hex"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

// example is a row of the table SDDL-30 in docs/spec/security.md.
type example struct {
	n       int
	sddl    string
	control uint16
	length  int
	prints  string
	binary  string // hex
	whole   bool   // binary is all of it, not only its beginning
}

var exampleRow = regexp.MustCompile("^\\| ([0-9]+) \\| `([^`]*)` \\| 0x([0-9A-Fa-f]+) \\| ([0-9]+) \\| (same|`[^`]*`) \\| .* \\| `([0-9a-f]+)(…?)` \\|$")

// examples reads the worked examples out of the rules themselves.
func examples(t testing.TB) []example {
	t.Helper()
	text, err := os.ReadFile("../docs/spec/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "### 6.3 SDDL-30")
	if !ok {
		t.Fatal("docs/spec/security.md has no section 6.3")
	}
	var out []example
	for _, line := range strings.Split(section, "\n") {
		m := exampleRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		control, _ := strconv.ParseUint(m[3], 16, 16)
		length, _ := strconv.Atoi(m[4])
		e := example{n: n, sddl: m[2], control: uint16(control), length: length, prints: strings.Trim(m[5], "`"), binary: m[6], whole: m[7] == ""}
		if e.sddl == "(empty string)" {
			e.sddl = ""
		}
		if e.prints == "same" {
			e.prints = e.sddl
		}
		out = append(out, e)
	}
	if len(out) != 32 {
		t.Fatalf("found %d of the 32 examples of SDDL-30", len(out))
	}
	return out
}

func TestExamples(t *testing.T) {
	for _, e := range examples(t) {
		t.Run("SDDL-30/"+strconv.Itoa(e.n), func(t *testing.T) {
			conform.Rule(t, "SDDL-30", "SDDL-11", "SDDL-14")
			d, err := security.ParseSDDL(e.sddl, security.SID{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Control() != e.control {
				t.Errorf("control %#x, want %#x", d.Control(), e.control)
			}
			b := d.Bytes()
			if len(b) != e.length {
				t.Errorf("%d bytes, want %d", len(b), e.length)
			}
			got := hex.EncodeToString(b)
			if e.whole && got != e.binary || !strings.HasPrefix(got, e.binary) {
				t.Errorf("bytes\n%s, want\n%s", got, e.binary)
			}
			printed := d.SDDL(security.AllInformation, security.SID{})
			if printed != e.prints {
				t.Errorf("prints %q, want %q", printed, e.prints)
			}
			again, err := security.ParseSDDL(printed, security.SID{})
			if err != nil {
				t.Fatal(err)
			}
			if string(again.Bytes()) != string(b) {
				t.Errorf("parse(print) is %x, want %x", again.Bytes(), b)
			}
			back, err := security.ParseDescriptor(b)
			if err != nil {
				t.Fatal(err)
			}
			if !back.Equal(d) {
				t.Errorf("read back as %s", back)
			}
		})
	}
}

// refused checks that a string is refused with the number, and where.
func refused(t *testing.T, sddl string, code win32.Errno, pos int) {
	t.Helper()
	_, err := security.ParseSDDL(sddl, security.SID{})
	if err == nil {
		t.Errorf("%q is accepted, want %d", sddl, uint32(code))
		return
	}
	var se *security.SDDLError
	if !errors.As(err, &se) {
		t.Fatalf("%q: error %T is no *SDDLError", sddl, err)
	}
	if win32.Code(err) != code {
		t.Errorf("%q: %v, want code %d", sddl, err, uint32(code))
	}
	var we *win32.Error
	if !errors.As(err, &we) || we.Rule == "" {
		t.Errorf("%q: no *win32.Error with a rule in %v", sddl, err)
	}
	if pos >= 0 && se.Pos != pos {
		t.Errorf("%q: position %d, want %d (%v)", sddl, se.Pos, pos, err)
	}
}

func printsAs(t *testing.T, sddl, want string) {
	t.Helper()
	d, err := security.ParseSDDL(sddl, security.SID{})
	if err != nil {
		t.Errorf("%q: %v", sddl, err)
		return
	}
	if got := d.String(); got != want {
		t.Errorf("%q prints %q, want %q", sddl, got, want)
	}
}

func TestSDDLComponents(t *testing.T) {
	t.Run("SDDL-1/any order, printed O G D S", func(t *testing.T) {
		conform.Rule(t, "SDDL-1")
		printsAs(t, "S:(AU;FA;GA;;;WD)D:(A;;GA;;;WD)G:BAO:SY", "O:SYG:BAD:(A;;GA;;;WD)S:(AU;FA;GA;;;WD)")
		printsAs(t, "", "")
		refused(t, "O:SYO:SY", win32.ERROR_INVALID_PARAMETER, 4)
		refused(t, "D:D:", win32.ERROR_INVALID_PARAMETER, 2)
	})
	t.Run("SDDL-2/flags", func(t *testing.T) {
		conform.Rule(t, "SDDL-2", "SDDL-10")
		d := security.MustSDDL("D:aIpAr(A;;GA;;;WD)S:AIAR")
		const want = security.ControlSelfRelative | security.ControlDACLPresent | security.ControlSACLPresent |
			security.ControlDACLProtected | security.ControlDACLAutoInherited | security.ControlDACLAutoInheritReq |
			security.ControlSACLAutoInherited | security.ControlSACLAutoInheritReq
		if d.Control() != want {
			t.Errorf("control %#x, want %#x", d.Control(), want)
		}
		if got := d.String(); got != "D:PARAI(A;;GA;;;WD)S:ARAI" {
			t.Errorf("prints %q", got)
		}
		null := security.MustSDDL("D:no_access_control")
		if acl, present := null.DACL(); acl != nil || !present {
			t.Errorf("NULL DACL is %v, present %v", acl, present)
		}
		printsAs(t, "D:NO_ACCESS_CONTROLS:NO_ACCESS_CONTROL", "D:NO_ACCESS_CONTROLS:NO_ACCESS_CONTROL")
		refused(t, "D:NO_ACCESS_CONTROL(A;;GA;;;WD)", win32.ERROR_INVALID_ACL, 19)
		refused(t, "D:Q(A;;GA;;;WD)", win32.ERROR_INVALID_ACL, 2)
		defaulted := security.NewDescriptor(security.System, security.System, security.NewACL(), nil,
			security.ControlOwnerDefaulted|security.ControlDACLDefaulted)
		if again := security.MustSDDL(defaulted.String()); again.Control() != security.ControlSelfRelative|security.ControlDACLPresent {
			t.Errorf("the DEFAULTED bits survive SDDL: %#x", again.Control())
		}
	})
	t.Run("SDDL-2/the XP form of a NULL ACL", func(t *testing.T) {
		conform.Todo(t, "SDDL-2", "compat.xp_sddl, which prints a NULL DACL as D:, has no switch yet", nil)
	})
	t.Run("SDDL-8/unknown component", func(t *testing.T) {
		conform.Rule(t, "SDDL-8")
		refused(t, "X:SY", win32.ERROR_INVALID_PARAMETER, 0)
		refused(t, "O:SYX:SY", win32.ERROR_INVALID_PARAMETER, 4)
		refused(t, "O", win32.ERROR_INVALID_PARAMETER, 0)
		refused(t, "nonsense", win32.ERROR_INVALID_PARAMETER, 0)
		refused(t, "D:(A;;GA;;;WD)X", win32.ERROR_INVALID_ACL, 14)
	})
	t.Run("SDDL-8/SIDs", func(t *testing.T) {
		conform.Rule(t, "SDDL-8")
		refused(t, "O:QQ", win32.ERROR_INVALID_SID, 2)
		refused(t, "G:", win32.ERROR_INVALID_SID, 2)
		refused(t, "O:G:SY", win32.ERROR_INVALID_SID, 2)
		refused(t, "O:S-1-", win32.ERROR_INVALID_SID, 2)
		refused(t, "D:(A;;GA;;;QQ)", win32.ERROR_INVALID_ACL, 11)
		refused(t, "D:(A;;GA;;;)", win32.ERROR_INVALID_ACL, 11)
		refused(t, "D:(A;;GA;;;S-1-5-)", win32.ERROR_INVALID_ACL, 11)
	})
	t.Run("SDDL-8/unbalanced", func(t *testing.T) {
		conform.Rule(t, "SDDL-8")
		for _, s := range []string{"D:(", "D:)", "D:(A;;GA;;;WD", "D:(A;;GA;;;WD))", "D:((A;;GA;;;WD)", "D:(A;;GA;;;WD)(", "D:(A"} {
			refused(t, s, win32.ERROR_INVALID_ACL, -1)
		}
	})
	t.Run("SDDL-13/parts", func(t *testing.T) {
		conform.Rule(t, "SDDL-13")
		d := security.MustSDDL("O:SYG:BAD:(A;;GA;;;WD)S:(ML;;NW;;;LW)(AU;FA;GA;;;WD)")
		for parts, want := range map[uint32]string{
			0:                         "",
			security.OwnerInformation: "O:SY",
			security.GroupInformation: "G:BA",
			security.DACLInformation:  "D:(A;;GA;;;WD)",
			security.SACLInformation:  "S:(ML;;NW;;;LW)(AU;FA;GA;;;WD)",
			security.LabelInformation: "S:(ML;;NW;;;LW)",
			security.OwnerInformation | security.DACLInformation: "O:SYD:(A;;GA;;;WD)",
		} {
			if got := d.SDDL(parts, security.SID{}); got != want {
				t.Errorf("parts %#x print %q, want %q", parts, got, want)
			}
			if got := d.Part(parts).String(); got != want {
				t.Errorf("Part(%#x) prints %q, want %q", parts, got, want)
			}
		}
		if got := security.MustSDDL("O:SYG:SY").SDDL(security.DACLInformation, security.SID{}); got != "" {
			t.Errorf("an absent DACL prints %q", got)
		}
		if got := security.MustSDDL("S:(AU;FA;GA;;;WD)").SDDL(security.LabelInformation, security.SID{}); got != "" {
			t.Errorf("an absent label prints %q", got)
		}
	})
	t.Run("SDDL-15/no words of our own", func(t *testing.T) {
		conform.Rule(t, "SDDL-15")
		refused(t, "D:(A;;WINSTA_READATTRIBUTES;;;WD)", win32.ERROR_INVALID_ACL, 6)
	})
}

func TestSDDLACEs(t *testing.T) {
	t.Run("SDDL-3/case and semicolons", func(t *testing.T) {
		conform.Rule(t, "SDDL-3")
		printsAs(t, "d:(a;oici;gA;;;wd)", "D:(A;OICI;GA;;;WD)")
		for _, s := range []string{"D:(A;;GA;;WD)", "D:(A;;GA;;;;WD)", "D:(A)", "D:(;;;;;)", "D:(A;;GA;;;WD;)"} {
			refused(t, s, win32.ERROR_INVALID_ACL, -1)
		}
	})
	t.Run("SDDL-4/types", func(t *testing.T) {
		conform.Rule(t, "SDDL-4")
		for _, w := range []string{"XA", "XD", "ZA", "XU", "RA", "SP", "TL", "FL", "AL", "OL"} {
			refused(t, "D:("+w+";;GA;;;WD)", win32.ERROR_NOT_SUPPORTED, 3)
		}
		refused(t, "D:(QQ;;GA;;;WD)", win32.ERROR_INVALID_ACL, 3)
		for _, s := range []string{"D:(ML;;NW;;;LW)", "D:(AU;SA;GA;;;WD)", "D:(OU;SA;GA;;;WD)", "S:(A;;GA;;;WD)", "S:(D;;GA;;;WD)", "S:(OA;;GA;;;WD)", "S:(OD;;GA;;;WD)"} {
			refused(t, s, win32.ERROR_INVALID_ACL, 3)
		}
		refused(t, "S:(ML;;NW;;;WD)", win32.ERROR_INVALID_ACL, 12)
		const guid = "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb"
		d := security.MustSDDL("D:(A;;1;;;WD)(D;;1;;;WD)(OA;;1;" + guid + ";;WD)(OD;;1;" + guid + ";;WD)S:(AU;SA;1;;;WD)(OU;SA;1;" + guid + ";;WD)(ML;;NW;;;LW)")
		dacl, _ := d.DACL()
		sacl, _ := d.SACL()
		var types []uint8
		for _, a := range append(dacl.ACEs, sacl.ACEs...) {
			types = append(types, a.Type)
		}
		if string(types) != "\x00\x01\x05\x06\x02\x07\x11" {
			t.Errorf("types %v", types)
		}
	})
	t.Run("SDDL-5/flags", func(t *testing.T) {
		conform.Rule(t, "SDDL-5")
		printsAs(t, "S:(AU;FASAIDIONPCIOI;GA;;;WD)", "S:(AU;OICINPIOIDSAFA;GA;;;WD)")
		printsAs(t, "D:(A;OIOI;GA;;;WD)", "D:(A;OI;GA;;;WD)")
		refused(t, "D:(A;CR;GA;;;WD)", win32.ERROR_NOT_SUPPORTED, 5)
		refused(t, "D:(A;OITP;GA;;;WD)", win32.ERROR_NOT_SUPPORTED, 7)
		refused(t, "D:(A;QQ;GA;;;WD)", win32.ERROR_INVALID_ACL, 5)
		refused(t, "D:(A;O;GA;;;WD)", win32.ERROR_INVALID_ACL, 5)
	})
	t.Run("SDDL-6/rights", func(t *testing.T) {
		conform.Rule(t, "SDDL-6", "SDDL-21")
		for rights, want := range map[string]win32.AccessMask{
			"": 0, "GR0xFFFFFFFF": 0xFFFFFFFF, "0xFFFFFGR": 0x800FFFFF, "0X1f": 0x1F, "010": 8, "10": 10, "0": 0,
			"020000000000": 0x80000000, "0x100000001": 1, "4294967297": 1, "CC0x10": 0x11, "GAGXGWGR": 0xF0000000,
			"SDRCWDWO": 0xF0000, "CCDCLCSWRPWPDTLOCR": 0x1FF, "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
			"KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019, "krGA": 0x10020019,
		} {
			d, err := security.ParseSDDL("D:(A;;"+rights+";;;WD)", security.SID{})
			if err != nil {
				t.Errorf("%q: %v", rights, err)
				continue
			}
			if acl, _ := d.DACL(); acl.ACEs[0].Mask != want {
				t.Errorf("%q is %v, want %v", rights, acl.ACEs[0].Mask, want)
			}
		}
		for _, r := range []string{"QQ", "G", "GAR", "0x", "08", "0xG", "-1", "1.5", "NW"} {
			refused(t, "D:(A;;"+r+";;;WD)", win32.ERROR_INVALID_ACL, -1)
		}
		refused(t, "D:(A;;GAQQ;;;WD)", win32.ERROR_INVALID_ACL, 8)
		refused(t, "S:(ML;;GA;;;LW)", win32.ERROR_INVALID_ACL, 7)
		printsAs(t, "S:(ML;;NWNRNX;;;ME)", "S:(ML;;NWNRNX;;;ME)")
		printsAs(t, "S:(ML;;0x9;;;ME)", "S:(ML;;0x9;;;ME)")
	})
	t.Run("SDDL-7/blanks", func(t *testing.T) {
		conform.Rule(t, "SDDL-7")
		printsAs(t, " O:SY G:BA D: ( A; OI; GA; ; ; WD )", "O:SYG:BAD:(A;OI;GA;;;WD)")
		printsAs(t, "\tD:\n(A;;GA;;;WD)", "D:(A;;GA;;;WD)")
		refused(t, "D:(A ;;GA;;;WD)", win32.ERROR_INVALID_ACL, 4)
		refused(t, "D:(A;;GA ;;;WD)", win32.ERROR_INVALID_ACL, 8)
		refused(t, "D:(A;OI CI;GA;;;WD)", win32.ERROR_INVALID_ACL, -1)
		refused(t, "D:(A;;GA GR;;;WD)", win32.ERROR_INVALID_ACL, -1)
		refused(t, "D:(A;;GA;;;WD) (A;;GA;;;WD)", win32.ERROR_INVALID_ACL, 15)
	})
	t.Run("SDDL-9/GUIDs", func(t *testing.T) {
		conform.Rule(t, "SDDL-9", "SDDL-10")
		const g1, g2 = "01234567-89ab-cdef-0123-456789abcdef", "fedcba98-7654-3210-fedc-ba9876543210"
		printsAs(t, "D:(OA;;CC;"+strings.ToUpper(g1)+";"+g2+";WD)", "D:(OA;;CC;"+g1+";"+g2+";WD)")
		printsAs(t, "D:(OD;;CC;;"+g2+";WD)", "D:(OD;;CC;;"+g2+";WD)")
		printsAs(t, "D:(OA;;CC;;;WD)(OD;;CC;;;WD)", "D:(A;;CC;;;WD)(D;;CC;;;WD)")
		d := security.MustSDDL("D:(OA;;CC;" + g1 + ";;WD)")
		acl, _ := d.DACL()
		if acl.Revision != 4 {
			t.Errorf("revision %d with an object ACE, want 4", acl.Revision)
		}
		if got := hex.EncodeToString(acl.ACEs[0].ObjectType[:]); got != "67452301ab89efcd0123456789abcdef" {
			t.Errorf("GUID is %s on the wire", got)
		}
		if plain, _ := security.MustSDDL("D:(OA;;CC;;;WD)").DACL(); plain.Revision != 2 {
			t.Errorf("revision %d without object ACEs, want 2", plain.Revision)
		}
		refused(t, "D:(OA;;CC;nonsense;;WD)", win32.RPC_S_INVALID_STRING_UUID, 10)
		refused(t, "D:(OA;;CC;"+g1+"0;;WD)", win32.RPC_S_INVALID_STRING_UUID, 10)
		refused(t, "D:(OA;;CC;;0123456789abcdef0123456789abcdef0123;WD)", win32.RPC_S_INVALID_STRING_UUID, 11)
		refused(t, "D:(A;;CC;"+g1+";;WD)", win32.ERROR_INVALID_ACL, 9)
	})
	t.Run("SDDL-11/printing rights", func(t *testing.T) {
		conform.Rule(t, "SDDL-11", "SDDL-21")
		for mask, want := range map[win32.AccessMask]string{
			0: "", 0xF0000000: "GAGXGWGR", 0x2001D &^ 8: "CCLCRPRC", 0x12019F: "0x12019f", 0xFFFFFFFF: "0xffffffff",
			0x1F01FF: "FA", 0x120089: "FR", 0x120116: "FW", 0x1200A0: "FX", 0xF003F: "KA", 0x20019: "KR", 0x20006: "KW",
			0x100000: "0x100000", 0xF01FF: "CCDCLCSWRPWPDTLOCRSDRCWDWO", 0x200: "0x200",
		} {
			d := security.NewDescriptor(security.SID{}, security.SID{}, security.NewACL(security.Allow(mask, security.Everyone)), nil, 0)
			if got := d.String(); got != "D:(A;;"+want+";;;WD)" {
				t.Errorf("%v prints %q, want %q", mask, got, want)
			}
		}
	})
	t.Run("SDDL-12/machine accounts", func(t *testing.T) {
		conform.Rule(t, "SDDL-12", "SDDL-20")
		machine := security.MustSID("S-1-5-21-1-2-3")
		const in = "O:LAG:LGD:(A;;GA;;;LA)"
		d, err := security.ParseSDDL(in, machine)
		if err != nil {
			t.Fatal(err)
		}
		if d.Owner() != machine.Child(500) || d.Group() != machine.Child(501) {
			t.Errorf("owner %v, group %v", d.Owner(), d.Group())
		}
		if got := d.SDDL(security.AllInformation, machine); got != in {
			t.Errorf("prints %q on its own machine", got)
		}
		if got := d.SDDL(security.OwnerInformation, security.MustSID("S-1-5-21-9-9-9")); got != "O:S-1-5-21-1-2-3-500" {
			t.Errorf("prints %q on another machine", got)
		}
		refused(t, "O:LA", win32.ERROR_INVALID_SID, 2)
		refused(t, "D:(A;;GA;;;LG)", win32.ERROR_INVALID_SID, 11)
	})
	t.Run("SE-39/too long", func(t *testing.T) {
		conform.Rule(t, "SE-39")
		refused(t, "D:"+strings.Repeat("(A;;GA;;;WD)", 3300), win32.ERROR_INVALID_ACL, 2)
	})
}

func TestSDDLAliases(t *testing.T) {
	conform.Rule(t, "SDDL-20", "SDDL-12", "SE-2")
	text, err := os.ReadFile("../docs/spec/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### 6.1 SDDL-20")
	section, _, _ = strings.Cut(section, "### 6.2")
	pair := regexp.MustCompile(`\| ([A-Z]{2}) \| (S-1-[0-9-]+)`)
	found := 0
	for _, m := range pair.FindAllStringSubmatch(section, -1) {
		found++
		for _, alias := range []string{m[1], strings.ToLower(m[1])} {
			sid, err := security.ParseSID(alias)
			if err != nil || sid.String() != m[2] {
				t.Errorf("alias %s is %v (%v), want %s", alias, sid, err, m[2])
			}
		}
		printsAs(t, "O:"+m[2], "O:"+m[1])
	}
	if found != 51 {
		t.Errorf("%d aliases in SDDL-20, want 51", found)
	}
	for _, alias := range []string{"DA", "DU", "DG", "DC", "DD", "CA", "SA", "EA", "PA", "RO", "CN", "AP", "KA", "EK", "RS"} {
		refused(t, "O:"+alias, win32.ERROR_INVALID_SID, 2)
		refused(t, "D:(A;;GA;;;"+alias+")", win32.ERROR_INVALID_SID, 11)
	}
}
