// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

// part parses SDDL, "-" for no descriptor.
func part(t *testing.T, sddl string) *security.Descriptor {
	t.Helper()
	if sddl == "-" {
		return nil
	}
	d, err := security.ParseSDDL(sddl, security.SID{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type assignCase struct {
	name             string
	parent, supplied string
	container        bool
	flags            security.AssignFlags
	want             string // DACL and SACL of the result
}

func assigns(t *testing.T, tok *security.Token, cases []assignCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := security.Assign(part(t, c.parent), part(t, c.supplied), tok, c.container, security.DesktopMapping, c.flags)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.SDDL(security.DACLInformation|security.SACLInformation, security.SID{}); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func notAssigned(t *testing.T, tok *security.Token, supplied string, code win32.Errno) {
	t.Helper()
	if d, err := security.Assign(nil, part(t, supplied), tok, false, security.DesktopMapping, 0); win32.Code(err) != code {
		t.Errorf("%s: %v, %v; want %d", supplied, d, err, uint32(code))
	}
}

const (
	ownDefault = "D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;S-1-5-21-1-2-3-1001)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)(A;;CCDTCRRC;;;S-1-5-5-0-65537)"
)

func TestAssign(t *testing.T) {
	u := user(t)
	t.Run("SE-54/owner and group", func(t *testing.T) {
		conform.Rule(t, "SE-54")
		for supplied, want := range map[string][2]security.SID{
			"-":                              {alice, machine.Child(513)},
			"O:" + alice.String():            {alice, machine.Child(513)},
			"G:BU":                           {alice, security.Users},
			"G:" + bob.String():              {alice, bob},
			"O:" + alice.String() + "G:SYD:": {alice, security.System},
		} {
			d, err := security.Assign(nil, part(t, supplied), u, false, security.EventMapping, 0)
			if err != nil || d.Owner() != want[0] || d.Group() != want[1] {
				t.Errorf("%s: %v, %v", supplied, d, err)
			}
		}
		notAssigned(t, u, "O:BU", win32.ERROR_INVALID_OWNER)
		notAssigned(t, u, "O:SY", win32.ERROR_INVALID_OWNER)
		denyOnly := security.NewToken(security.TokenSpec{User: alice, Groups: []security.Group{{SID: security.Administrators, Attributes: security.GroupOwner | security.GroupUseForDenyOnly}}})
		notAssigned(t, denyOnly, "O:BA", win32.ERROR_INVALID_OWNER)
		a := admin(t)
		if d, err := security.Assign(nil, part(t, "O:BA"), a, false, security.EventMapping, 0); err != nil || d.Owner() != security.Administrators {
			t.Errorf("Administrators as owner: %v", err)
		}
		if d, err := security.Assign(nil, part(t, "O:SY"), with(u, security.SeRestorePrivilege), false, security.EventMapping, 0); err != nil || d.Owner() != security.System {
			t.Errorf("with SeRestore: %v", err)
		}
		if d, err := security.Assign(nil, part(t, "O:SYS:(AU;FA;GA;;;WD)"), u, false, security.EventMapping, security.AssignNoPrivileges); err != nil || d.Owner() != security.System {
			t.Errorf("made by the system itself: %v", err)
		}
	})
	t.Run("SE-55/DACL", func(t *testing.T) {
		conform.Rule(t, "SE-55", "DT-8")
		const parent = "D:(A;OICI;CC;;;BU)"
		assigns(t, u, []assignCase{
			{"no descriptor, no parent: token default", "-", "-", false, 0, ownDefault},
			{"parent without inheritable ACEs", "D:(A;;CC;;;BU)", "-", false, 0, ownDefault},
			{"parent with NULL DACL", "D:NO_ACCESS_CONTROL", "-", false, 0, ownDefault},
			{"parent with inheritable ACEs", parent, "-", false, 0, "D:(A;ID;CC;;;BU)"},
			{"descriptor without DACL inherits", parent, "G:BU", false, 0, "D:(A;ID;CC;;;BU)"},
			{"auto-inherited", parent, "-", false, security.AssignAutoInherit, "D:AI(A;ID;CC;;;BU)"},
			{"supplied wins", parent, "D:(A;;DC;;;WD)", false, 0, "D:(A;;DC;;;WD)"},
			{"NULL DACL", parent, "D:NO_ACCESS_CONTROL", false, 0, "D:NO_ACCESS_CONTROL"},
			{"empty DACL", parent, "D:", false, 0, "D:"},
			{"auto-inherit appends", parent, "D:(A;;DC;;;WD)", false, security.AssignAutoInherit, "D:AI(A;;DC;;;WD)(A;ID;CC;;;BU)"},
			{"protected does not", parent, "D:P(A;;DC;;;WD)", false, security.AssignAutoInherit, "D:P(A;;DC;;;WD)"},
			{"inherited ACEs of a caller are dropped", "-", "D:(A;ID;CC;;;BU)(A;;DC;;;WD)", false, 0, "D:(A;;DC;;;WD)"},
			{"or become explicit when protected", "-", "D:P(A;ID;CC;;;BU)(A;;DC;;;WD)", false, 0, "D:P(A;;CC;;;BU)(A;;DC;;;WD)"},
		})
		none, err := u.WithDefaultDACL(nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := security.Assign(nil, nil, none, false, security.DesktopMapping, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, present := d.DACL(); present {
			t.Errorf("no default DACL gives %s", d)
		}
	})
	t.Run("SE-56/substitution", func(t *testing.T) {
		conform.Rule(t, "SE-56")
		const me = "S-1-5-21-1-2-3-1001"
		assigns(t, u, []assignCase{
			{"supplied", "-", "D:(A;;GA;;;CO)(A;;CC;;;CG)(A;IO;GA;;;CO)", false, 0, "D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;" + me + ")(A;;CC;;;S-1-5-21-1-2-3-513)(A;IO;GA;;;CO)"},
			{"inherited by a leaf", "D:(A;OIIO;GR;;;CO)", "-", false, 0, "D:(A;ID;CCDTRC;;;" + me + ")"},
			{"inherited by a container: two", "D:(A;OICI;GR;;;CO)", "-", true, 0, "D:(A;ID;CCDTRC;;;" + me + ")(A;OICIIOID;GR;;;CO)"},
			{"generic bits alone: two", "D:(A;CI;GR;;;BU)", "-", true, 0, "D:(A;ID;CCDTRC;;;BU)(A;CIIOID;GR;;;BU)"},
			{"not passed on: one", "D:(A;CINP;GR;;;CO)", "-", true, 0, "D:(A;ID;CCDTRC;;;" + me + ")"},
			{"nothing to do: one", "D:(A;CI;CC;;;BU)", "-", true, 0, "D:(A;CIID;CC;;;BU)"},
		})
		// CREATOR OWNER is the owner of the new object, not the creator.
		d, err := security.Assign(part(t, "D:(A;OI;CC;;;CO)"), part(t, "O:BA"), admin(t), false, security.DesktopMapping, 0)
		if err != nil || d.SDDL(security.DACLInformation, security.SID{}) != "D:(A;ID;CC;;;BA)" {
			t.Errorf("%v, %v", d, err)
		}
	})
	t.Run("SE-57/SACL", func(t *testing.T) {
		conform.Rule(t, "SE-57", "SE-53")
		notAssigned(t, u, "S:(AU;FA;GA;;;WD)", win32.ERROR_PRIVILEGE_NOT_HELD)
		notAssigned(t, u, "S:(ML;;NW;;;LW)(AU;FA;GA;;;WD)", win32.ERROR_PRIVILEGE_NOT_HELD)
		notAssigned(t, u, "S:", win32.ERROR_PRIVILEGE_NOT_HELD)
		notAssigned(t, u, "S:(ML;;NW;;;HI)", win32.ERROR_PRIVILEGE_NOT_HELD)
		notAssigned(t, with(u, security.SeSecurityPrivilege), "S:(ML;;NW;;;HI)", win32.ERROR_PRIVILEGE_NOT_HELD)
		s := with(u, security.SeSecurityPrivilege)
		assigns(t, u, []assignCase{
			{"label below", "-", "D:S:(ML;;NW;;;LW)", false, 0, "D:S:(ML;;NW;;;LW)"},
			{"own label", "-", "D:S:(ML;;NWNR;;;ME)", false, 0, "D:S:(ML;;NWNR;;;ME)"},
			{"inherited", "S:(AU;OIFA;GR;;;WD)(ML;OI;NW;;;LW)", "D:", false, 0, "D:S:(AU;IDFA;CCDTRC;;;WD)(ML;ID;NW;;;LW)"},
			{"nothing to inherit", "S:(AU;FA;GR;;;WD)", "D:", false, 0, "D:"},
		})
		assigns(t, s, []assignCase{
			{"with SeSecurity", "S:(AU;OIFA;GR;;;WD)", "D:S:P(AU;SA;GR;;;WD)", false, 0, "D:S:P(AU;SA;CCDTRC;;;WD)"},
		})
		assigns(t, with(u, security.SeRelabelPrivilege), []assignCase{
			{"label above with SeRelabel", "-", "D:S:(ML;;NW;;;HI)", false, 0, "D:S:(ML;;NW;;;HI)"},
		})
	})
	t.Run("SE-53/label of new objects", func(t *testing.T) {
		conform.Rule(t, "SE-53")
		low := u.WithIntegrity(security.LevelLow)
		assigns(t, low, []assignCase{
			{"below medium", "-", "D:", false, 0, "D:S:(ML;;NW;;;LW)"},
			{"below medium, supplied", "-", "D:S:(ML;;NR;;;S-1-16-0)", false, 0, "D:S:(ML;;NR;;;S-1-16-0)"},
			{"inherit-only label is none", "S:(ML;CIIO;NW;;;LW)", "D:", false, 0, "D:S:(ML;;NW;;;LW)"},
		})
		assigns(t, u, []assignCase{
			{"medium", "-", "D:", false, 0, "D:"},
			{"processes, threads, tokens", "-", "D:", false, security.AssignLabel, "D:S:(ML;;NW;;;ME)"},
		})
		assigns(t, admin(t), []assignCase{{"high", "-", "D:", false, 0, "D:"}})
	})
	t.Run("SE-37/unsupported ACEs", func(t *testing.T) {
		conform.Rule(t, "SE-37")
		odd := security.NewACL(security.ACE{Type: security.ResourceAttributeACE, Raw: make([]byte, 16)})
		for _, d := range []*security.Descriptor{security.NewDescriptor(alice, alice, odd, nil, 0), security.NewDescriptor(alice, alice, nil, odd, 0)} {
			if _, err := security.Assign(nil, d, with(u, security.SeSecurityPrivilege), false, security.EventMapping, 0); win32.Code(err) != win32.ERROR_NOT_SUPPORTED {
				t.Errorf("assign: %v", err)
			}
			if _, err := security.MustSDDL("D:").Merge(security.DACLInformation|security.SACLInformation, d, u, security.EventMapping); win32.Code(err) != win32.ERROR_NOT_SUPPORTED {
				t.Errorf("merge: %v", err)
			}
		}
		// A parent's are not inherited either.
		parent := security.NewDescriptor(alice, alice, security.NewACL(security.ACE{Type: security.AllowCallbackACE, Flags: security.ObjectInherit, Raw: make([]byte, 16)}), nil, 0)
		if d, err := security.Assign(parent, nil, u, false, security.DesktopMapping, 0); err != nil || d.SDDL(security.DACLInformation, security.SID{}) != ownDefault {
			t.Errorf("%v, %v", d, err)
		}
	})
	t.Run("SE-59/the creating call", func(t *testing.T) {
		conform.Rule(t, "SE-59")
		for desired, want := range map[win32.AccessMask]win32.AccessMask{
			win32.MAXIMUM_ALLOWED: 0x1F0003, win32.GENERIC_ALL: 0x1F0003, win32.GENERIC_READ: 0x20001, 0: 0, 2: 2, win32.MAXIMUM_ALLOWED | 0x8000: 0x1F8003,
		} {
			if got, err := security.Created(u, desired, security.EventMapping); got != want || err != nil {
				t.Errorf("%v gives %v, %v", desired, got, err)
			}
		}
		if _, err := security.Created(u, sacl, security.EventMapping); err != win32.ERROR_PRIVILEGE_NOT_HELD {
			t.Errorf("system security: %v", err)
		}
		if got, err := security.Created(with(u, security.SeSecurityPrivilege), sacl, security.EventMapping); got != sacl || err != nil {
			t.Errorf("system security with its privilege: %v, %v", got, err)
		}
	})
}

func TestInheritanceTable(t *testing.T) {
	conform.Rule(t, "SE-58")
	const guid = "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb"
	for parent, want := range map[string][2]string{ // leaf, container
		"(A;;CC;;;BU)":                  {"", ""},
		"(A;IO;CC;;;BU)":                {"", ""},
		"(A;NP;CC;;;BU)":                {"", ""},
		"(A;OI;CC;;;BU)":                {"(A;ID;CC;;;BU)", "(A;OIIOID;CC;;;BU)"},
		"(A;OIIO;CC;;;BU)":              {"(A;ID;CC;;;BU)", "(A;OIIOID;CC;;;BU)"},
		"(A;OINP;CC;;;BU)":              {"(A;ID;CC;;;BU)", ""},
		"(A;CI;CC;;;BU)":                {"", "(A;CIID;CC;;;BU)"},
		"(A;CIIO;CC;;;BU)":              {"", "(A;CIID;CC;;;BU)"},
		"(A;CINP;CC;;;BU)":              {"", "(A;ID;CC;;;BU)"},
		"(A;OICI;CC;;;BU)":              {"(A;ID;CC;;;BU)", "(A;OICIID;CC;;;BU)"},
		"(A;OICINP;CC;;;BU)":            {"(A;ID;CC;;;BU)", "(A;ID;CC;;;BU)"},
		"(A;OICIIOID;CC;;;BU)":          {"(A;ID;CC;;;BU)", "(A;OICIID;CC;;;BU)"},
		"(D;OICI;CC;;;BU)":              {"(D;ID;CC;;;BU)", "(D;OICIID;CC;;;BU)"},
		"(OA;OICI;CC;" + guid + ";;BU)": {"(OA;ID;CC;" + guid + ";;BU)", "(OA;OICIID;CC;" + guid + ";;BU)"},
		"(OA;OICI;CC;;" + guid + ";BU)": {"", "(OA;OICIIOID;CC;;" + guid + ";BU)"},
		"(A;OI;CC;;;BU)(A;CI;DC;;;WD)":  {"(A;ID;CC;;;BU)", "(A;OIIOID;CC;;;BU)(A;CIID;DC;;;WD)"},
	} {
		for i, container := range []bool{false, true} {
			wantDACL := "D:" + want[i]
			if want[i] == "" {
				wantDACL = ownDefault
			}
			d, err := security.Assign(security.MustSDDL("D:"+parent), nil, user(t), container, security.DesktopMapping, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.SDDL(security.DACLInformation, security.SID{}); got != wantDACL {
				t.Errorf("%s, container %v:\ngot  %s\nwant %s", parent, container, got, wantDACL)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	conform.Rule(t, "SE-63", "SE-56", "SE-54", "SE-53")
	u := user(t)
	const me = "S-1-5-21-1-2-3-1001"
	const old = "O:" + me + "G:BUD:PAI(A;;CC;;;WD)S:(AU;FA;GA;;;WD)(ML;;NW;;;LW)"
	for _, c := range []struct {
		name  string
		parts uint32
		from  string
		want  string
		code  win32.Errno
	}{
		{"nothing", 0, "O:SYG:SYD:S:", old, 0},
		{"DACL", security.DACLInformation, "O:SYD:(A;;GR;;;CO)(A;IO;GR;;;CO)", "O:" + me + "G:BUD:(A;;CCDTRC;;;" + me + ")(A;IO;GR;;;CO)S:(AU;FA;GA;;;WD)(ML;;NW;;;LW)", 0},
		{"NULL DACL", security.DACLInformation, "D:NO_ACCESS_CONTROL", "O:" + me + "G:BUD:NO_ACCESS_CONTROLS:(AU;FA;GA;;;WD)(ML;;NW;;;LW)", 0},
		{"protected DACL", security.DACLInformation | security.ProtectedDACLInformation, "D:", "O:" + me + "G:BUD:PS:(AU;FA;GA;;;WD)(ML;;NW;;;LW)", 0},
		{"unprotect only", security.UnprotectedDACLInformation, "", "O:" + me + "G:BUD:AI(A;;CC;;;WD)S:(AU;FA;GA;;;WD)(ML;;NW;;;LW)", 0},
		{"group", security.GroupInformation, "G:SY", "O:" + me + "G:SYD:PAI(A;;CC;;;WD)S:(AU;FA;GA;;;WD)(ML;;NW;;;LW)", 0},
		{"owner that may not be", security.OwnerInformation, "O:SY", "", win32.ERROR_INVALID_OWNER},
		{"owner missing", security.OwnerInformation, "", "", win32.ERROR_INVALID_SID},
		{"group missing", security.GroupInformation, "", "", win32.ERROR_INVALID_SID},
		{"SACL keeps the label", security.SACLInformation, "S:P(AU;SA;GR;;;BU)(ML;;NW;;;HI)", "O:" + me + "G:BUD:PAI(A;;CC;;;WD)S:P(AU;SA;CCDTRC;;;BU)(ML;;NW;;;LW)", 0},
		{"label keeps the SACL", security.LabelInformation, "S:(ML;;NR;;;ME)(AU;SA;GA;;;BU)", "O:" + me + "G:BUD:PAI(A;;CC;;;WD)S:(AU;FA;GA;;;WD)(ML;;NR;;;ME)", 0},
		{"label above", security.LabelInformation, "S:(ML;;NW;;;HI)", "", win32.ERROR_PRIVILEGE_NOT_HELD},
		{"label taken away", security.LabelInformation, "", "O:" + me + "G:BUD:PAI(A;;CC;;;WD)S:(AU;FA;GA;;;WD)", 0},
		{"both", security.SACLInformation | security.LabelInformation, "S:(ML;;NR;;;ME)", "O:" + me + "G:BUD:PAI(A;;CC;;;WD)S:(ML;;NR;;;ME)", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := security.MustSDDL(old)
			n, err := d.Merge(c.parts, security.MustSDDL(c.from), u, security.DesktopMapping)
			if win32.Code(err) != c.code {
				t.Fatal(err)
			}
			if d.String() != old {
				t.Errorf("the original became %s", d)
			}
			if err == nil && n.String() != c.want {
				t.Errorf("got  %s\nwant %s", n, c.want)
			}
			if err == nil && n.Generation() == d.Generation() {
				t.Error("a changed descriptor has the generation of the original")
			}
		})
	}
}
