// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

// opens checks one access and says where it went wrong.
func opens(t *testing.T, tok *security.Token, sddl string, desired win32.AccessMask, m *security.Mapping, want win32.AccessMask, code win32.Errno) {
	t.Helper()
	d := security.MustSDDL(sddl)
	got, err := security.Check(tok, d, desired, m)
	if got != want || win32.Code(err) != code {
		t.Errorf("%s asks %v of %s: %v, %d; want %v, %d", tok.User().Name(), desired, sddl, got, win32.Code(err), want, code)
	}
}

func with(tok *security.Token, ps ...security.Privilege) *security.Token {
	for _, p := range ps {
		tok = tok.WithPrivileges(security.PrivilegeState{Privilege: p, Attributes: security.PrivilegeEnabled})
	}
	return tok
}

const (
	all    = win32.MAXIMUM_ALLOWED
	sacl   = win32.ACCESS_SYSTEM_SECURITY
	denied = win32.ERROR_ACCESS_DENIED
)

func TestCheckRules(t *testing.T) {
	u, event := user(t), security.EventMapping
	me := u.User().String()
	t.Run("SE-27/levels", func(t *testing.T) {
		conform.Rule(t, "SE-27")
		for level, code := range map[security.ImpersonationLevel]win32.Errno{
			security.SecurityAnonymous: win32.ERROR_BAD_IMPERSONATION_LEVEL, security.SecurityIdentification: win32.ERROR_BAD_IMPERSONATION_LEVEL,
			security.SecurityImpersonation: 0, security.SecurityDelegation: 0,
		} {
			tok, err := u.Duplicate(security.TokenImpersonation, level, 1)
			if err != nil {
				t.Fatal(err)
			}
			want := win32.AccessMask(1)
			if code != 0 {
				want = 0
			}
			opens(t, tok, "D:NO_ACCESS_CONTROL", 1, event, want, code)
		}
	})
	t.Run("SE-43/no DACL, empty DACL", func(t *testing.T) {
		conform.Rule(t, "SE-43", "SE-48")
		for _, s := range []string{"", "O:SY", "D:NO_ACCESS_CONTROL"} {
			opens(t, u, s, win32.DELETE|0x8000, event, win32.DELETE|0x8000, 0)
			opens(t, u, s, all, event, 0x1F0003, 0)
			opens(t, u, s, all|0x8000, event, 0x1F8003, 0)
		}
		opens(t, u, "D:", 1, event, 0, denied)
		opens(t, u, "D:", all, event, 0, denied)
	})
	t.Run("SE-45/system security", func(t *testing.T) {
		conform.Rule(t, "SE-45")
		opens(t, u, "D:(A;;0xffffffff;;;WD)", sacl, event, 0, win32.ERROR_PRIVILEGE_NOT_HELD)
		opens(t, u, "D:NO_ACCESS_CONTROL", sacl, event, 0, win32.ERROR_PRIVILEGE_NOT_HELD)
		s := with(u, security.SeSecurityPrivilege)
		opens(t, s, "D:", sacl, event, sacl, 0)
		opens(t, s, "D:(A;;CC;;;WD)", all, event, 1, 0)
		opens(t, s, "D:(A;;0x1ffffff;;;WD)", all, event, 0xFFFFFF, 0)
		opens(t, s, "D:(A;;CC;;;WD)", all|sacl, event, 1|sacl, 0)
		// A held but disabled privilege does not count (SE-25).
		opens(t, admin(t), "D:(A;;GA;;;WD)", sacl, event, 0, win32.ERROR_PRIVILEGE_NOT_HELD)
		if dec := security.Explain(s, security.MustSDDL("D:"), sacl, event); dec.Used != security.Privileges(security.SeSecurityPrivilege) {
			t.Errorf("privileges used: %v", dec.Used)
		}
	})
	t.Run("SE-46/take ownership", func(t *testing.T) {
		conform.Rule(t, "SE-46")
		opens(t, u, "D:", win32.WRITE_OWNER, event, 0, denied)
		tok := with(u, security.SeTakeOwnershipPrivilege)
		opens(t, tok, "D:", win32.WRITE_OWNER, event, win32.WRITE_OWNER, 0)
		opens(t, tok, "D:", win32.WRITE_OWNER|1, event, 0, denied)
		opens(t, tok, "D:(A;;CC;;;WD)", all, event, 1, 0)
		opens(t, tok, "D:(A;;CC;;;WD)", all|win32.WRITE_OWNER, event, 1|win32.WRITE_OWNER, 0)
		if dec := security.Explain(tok, security.MustSDDL("D:"), win32.WRITE_OWNER, event); dec.Used != security.Privileges(security.SeTakeOwnershipPrivilege) {
			t.Errorf("privileges used: %v", dec.Used)
		}
	})
	t.Run("SE-47/label before everything", func(t *testing.T) {
		conform.Rule(t, "SE-47", "SE-52")
		low := u.WithIntegrity(security.LevelLow)
		opens(t, low, "D:NO_ACCESS_CONTROL", 2, event, 0, denied)
		opens(t, low, "D:NO_ACCESS_CONTROL", all, event, event.Read|event.Execute, 0)
		opens(t, low, "O:"+me+"D:", win32.WRITE_DAC, event, 0, denied)
		opens(t, low, "O:"+me+"D:", win32.READ_CONTROL, event, win32.READ_CONTROL, 0)
		opens(t, with(low, security.SeTakeOwnershipPrivilege), "D:", win32.WRITE_OWNER, event, 0, denied)
		opens(t, with(low, security.SeRelabelPrivilege), "D:(A;;GA;;;WD)", win32.WRITE_OWNER, event, win32.WRITE_OWNER, 0)
		opens(t, with(low, security.SeSecurityPrivilege), "D:", sacl, event, sacl, 0)
	})
	t.Run("SE-52/labels", func(t *testing.T) {
		conform.Rule(t, "SE-52")
		const everyone = "D:(A;;GA;;;WD)"
		fm := security.FileMapping
		for _, c := range []struct {
			name  string
			sacl  string
			level security.Level
			want  win32.AccessMask
		}{
			{"default medium NW, medium", "", security.LevelMedium, 0x1F01FF},
			{"default medium NW, low", "", security.LevelLow, 0x1200A9},
			{"low NW, low", "S:(ML;;NW;;;LW)", security.LevelLow, 0x1F01FF},
			{"low NW, untrusted", "S:(ML;;NW;;;LW)", security.LevelUntrusted, 0x1200A9},
			{"high NW, medium", "S:(ML;;NW;;;HI)", security.LevelMedium, 0x1200A9},
			{"high NR takes shared bits of execute too", "S:(ML;;NWNR;;;HI)", security.LevelMedium, 0x20},
			{"high NX takes shared bits of read too", "S:(ML;;NWNX;;;HI)", security.LevelMedium, 0x9},
			{"high NWNRNX", "S:(ML;;NWNRNX;;;HI)", security.LevelMedium, 0},
			{"high without NW gives writing, not DELETE", "S:(ML;;;;;HI)", security.LevelMedium, 0x1201BF},
			{"inherit-only label is none", "S:(ML;OICIIO;NW;;;HI)", security.LevelMedium, 0x1F01FF},
			{"the first label counts", "S:(ML;;NW;;;LW)(ML;;NW;;;HI)", security.LevelMedium, 0x1F01FF},
		} {
			code := win32.Errno(0)
			if c.want == 0 {
				code = denied
			}
			t.Run(c.name, func(t *testing.T) {
				opens(t, u.WithIntegrity(c.level), everyone+c.sacl, all, fm, c.want, code)
			})
		}
		opens(t, u.WithIntegrity(security.LevelLow).WithPolicy(0), everyone, all, fm, 0x1F01FF, 0)
	})
	t.Run("SE-49/owner", func(t *testing.T) {
		conform.Rule(t, "SE-49")
		opens(t, u, "O:"+me+"D:", win32.READ_CONTROL|win32.WRITE_DAC, event, win32.READ_CONTROL|win32.WRITE_DAC, 0)
		opens(t, u, "O:"+me+"D:", all, event, win32.READ_CONTROL|win32.WRITE_DAC, 0)
		opens(t, u, "O:BUD:", win32.WRITE_DAC, event, win32.WRITE_DAC, 0)
		opens(t, u, "O:BAD:", win32.WRITE_DAC, event, 0, denied)
		opens(t, u, "O:"+me+"D:(D;;RCWD;;;WD)", win32.WRITE_DAC, event, win32.WRITE_DAC, 0)
		opens(t, u, "O:"+me+"D:(A;;RC;;;OW)", win32.READ_CONTROL, event, win32.READ_CONTROL, 0)
		opens(t, u, "O:"+me+"D:(A;;RC;;;OW)", win32.WRITE_DAC, event, 0, denied)
		opens(t, u, "O:SYD:(A;;RC;;;OW)", win32.READ_CONTROL, event, 0, denied)
		opens(t, u, "O:"+me+"D:(A;IO;RC;;;OW)", win32.WRITE_DAC, event, win32.WRITE_DAC, 0)
		opens(t, u, "O:"+me+"D:(D;;CC;;;OW)(A;;GA;;;WD)", 1, event, 0, denied)
		// A deny-only owner has no rights as owner, but is denied as one.
		r, err := u.Restrict(security.RestrictSpec{DenyOnly: []security.SID{u.User()}})
		if err != nil {
			t.Fatal(err)
		}
		opens(t, r, "O:"+me+"D:", win32.READ_CONTROL, event, 0, denied)
		opens(t, r, "O:"+me+"D:(A;;RC;;;OW)", win32.READ_CONTROL, event, 0, denied)
		opens(t, r, "O:"+me+"D:(D;;CC;;;OW)(A;;GA;;;WD)", 1, event, 0, denied)
	})
	t.Run("SE-50/the walk", func(t *testing.T) {
		conform.Rule(t, "SE-50", "SE-50a", "SE-50b")
		opens(t, u, "D:(A;;CC;;;BU)(A;;DC;;;WD)", 3, event, 3, 0)
		opens(t, u, "D:(A;;CC;;;WD)", 3, event, 0, denied)
		opens(t, u, "D:(A;;GR;;;WD)", win32.GENERIC_READ, event, 0x20001, 0)
		opens(t, u, "D:(A;;0x20001;;;WD)", win32.GENERIC_READ, event, 0x20001, 0)
		// Order: first come, first served, also in a maximum.
		opens(t, u, "D:(A;;CC;;;WD)(D;;CC;;;WD)", 1, event, 1, 0)
		opens(t, u, "D:(A;;CC;;;WD)(D;;CCDC;;;WD)(A;;DCLC;;;WD)", all, event, 5, 0)
		opens(t, u, "D:(D;;;;;WD)(A;;CC;;;WD)", 1, event, 1, 0)
		opens(t, u, "D:(D;;DC;;;WD)(A;;GA;;;WD)", 1, event, 1, 0)
		opens(t, u, "D:(D;;CC;;;BG)(A;;GA;;;WD)", 1, event, 1, 0)
		opens(t, u, "D:(A;;GA;;;PS)", 1, event, 0, denied)
		opens(t, u, "D:(A;;CC;;;WD)", all|2, event, 0, denied)
		opens(t, u, "D:(A;;GA;;;BG)", all, event, 0, denied)
		// A deny-only group is denied and never allowed.
		r, err := admin(t).Restrict(security.RestrictSpec{DenyOnly: []security.SID{security.Administrators}})
		if err != nil {
			t.Fatal(err)
		}
		opens(t, r, "D:(A;;GA;;;BA)", 1, event, 0, denied)
		opens(t, r, "D:(D;;CC;;;BA)(A;;GA;;;WD)", 1, event, 0, denied)
	})
	t.Run("SE-50/object ACEs without a tree", func(t *testing.T) {
		conform.Rule(t, "SE-50")
		const guid = "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb"
		opens(t, u, "D:(OA;;CC;"+guid+";;WD)", 1, event, 0, denied)
		opens(t, u, "D:(OA;;CC;;"+guid+";WD)", 1, event, 1, 0)
		opens(t, u, "D:(OD;;CC;"+guid+";;WD)(A;;GA;;;WD)", 1, event, 0, denied)
	})
	t.Run("SE-50c/desired nothing", func(t *testing.T) {
		conform.Rule(t, "SE-50c", "AR-30")
		opens(t, u, "D:", 0, security.DesktopMapping, 0, 0)
	})
	t.Run("SE-50d/two passes", func(t *testing.T) {
		conform.Rule(t, "SE-50d", "SE-30")
		r, err := u.Restrict(security.RestrictSpec{Restricting: []security.SID{security.Restricted}})
		if err != nil {
			t.Fatal(err)
		}
		opens(t, r, "D:(A;;GA;;;WD)", 1, event, 0, denied)
		opens(t, r, "D:(A;;GA;;;RC)", 1, event, 0, denied)
		opens(t, r, "D:(A;;GA;;;WD)(A;;GR;;;RC)", 1, event, 1, 0)
		opens(t, r, "D:(A;;GA;;;WD)(A;;GR;;;RC)", 3, event, 0, denied)
		opens(t, r, "D:(A;;GA;;;WD)(A;;GR;;;RC)", all, event, 0x20001, 0)
		opens(t, r, "O:"+me+"D:(A;;CC;;;RC)", win32.WRITE_DAC, event, 0, denied)
		if dec := security.Explain(r, security.MustSDDL("D:(A;;GA;;;WD)"), 1, event); !dec.Second || dec.Rule != "SE-50d" {
			t.Errorf("%+v", dec)
		}
	})
	t.Run("SE-37/ACEs that cannot be evaluated", func(t *testing.T) {
		conform.Rule(t, "SE-37")
		for _, typ := range []uint8{security.DenyCallbackACE, security.DenyCallbackObjectACE} {
			d := security.NewDescriptor(security.System, security.System, security.NewACL(security.Allow(1, security.Everyone),
				security.ACE{Type: typ, Raw: make([]byte, 16)}, security.Allow(2, security.Everyone)), nil, 0)
			for desired, code := range map[win32.AccessMask]win32.Errno{1: 0, 2: denied, 3: denied, all: denied} {
				if _, err := security.Check(u, d, desired, event); win32.Code(err) != code {
					t.Errorf("type %#x, desired %v: %v", typ, desired, err)
				}
			}
			if dec := security.Explain(u, d, 2, event); dec.ACE != 1 || dec.Rule != "SE-37" {
				t.Errorf("%+v", dec)
			}
			inherit := security.NewDescriptor(security.System, security.System, security.NewACL(
				security.ACE{Type: typ, Flags: security.InheritOnly, Raw: make([]byte, 16)}, security.Allow(2, security.Everyone)), nil, 0)
			if _, err := security.Check(u, inherit, 2, event); err != nil {
				t.Errorf("inherit-only: %v", err)
			}
		}
		for _, typ := range []uint8{3, 4, 8, 9, 0xB, 0xD, 0xE, 0xF, 0x10, 0x12, 0x13, 0x14, 0x15, 0x40} {
			acl := security.NewACL(security.ACE{Type: typ, Raw: make([]byte, 16)}, security.Allow(1, security.Everyone))
			if err := acl.Settable(); win32.Code(err) != win32.ERROR_NOT_SUPPORTED || !strings.Contains(err.Error(), "0x"+strconv.FormatUint(uint64(typ)|0x100, 16)[1:]) {
				t.Errorf("setting type %#x: %v", typ, err)
			}
			if _, err := security.Check(u, security.NewDescriptor(security.System, security.System, acl, nil, 0), 1, event); err != nil {
				t.Errorf("type %#x, which cannot deny, denies: %v", typ, err)
			}
		}
	})
	t.Run("SE-51/examples", func(t *testing.T) {
		conform.Rule(t, "SE-51")
		key := &security.Mapping{Read: 0x20019, Write: 0x20006, Execute: 0x20019, All: 0xF003F}
		a := admin(t)
		const keySD = "O:SYG:SYD:(A;;KR;;;WD)(D;;0x2;;;BA)"
		opens(t, a, keySD, 0x20019, key, 0x20019, 0)
		opens(t, a, keySD, all, key, 0x20019, 0)
		opens(t, a, "O:SYD:(D;;0x2;;;BA)(A;;KA;;;WD)", all, key, 0xF003F&^2, 0)
		opens(t, a, "O:SYD:(A;IO;KR;;;WD)", 0x20019, key, 0, denied)
		opens(t, u, "O:"+me+"D:", win32.READ_CONTROL, event, win32.READ_CONTROL, 0)
		opens(t, u, "O:"+me+"D:", win32.READ_CONTROL|win32.SYNCHRONIZE, event, 0, denied)
	})
	t.Run("SE-61/services", func(t *testing.T) {
		conform.Rule(t, "SE-61", "SE-62")
		sd := security.DefaultServiceDescriptor
		svc := security.ServiceMapping
		if got, err := security.Check(u, sd, win32.SERVICE_QUERY_STATUS|win32.SERVICE_USER_DEFINED_CONTROL, svc); err != nil {
			t.Errorf("a user queries: %v, %v", got, err)
		}
		for _, right := range []win32.AccessMask{win32.SERVICE_START, win32.SERVICE_STOP, win32.SERVICE_CHANGE_CONFIG, win32.DELETE} {
			if _, err := security.Check(u, sd, right, svc); err != denied {
				t.Errorf("a user gets %v of a service: %v", right, err)
			}
			if _, err := security.Check(admin(t), sd, right, svc); err != nil {
				t.Errorf("an administrator gets no %v of a service: %v", right, err)
			}
		}
		if got, _ := security.Check(u, security.DefaultScmDescriptor, all, security.ScmMapping); got != 0x20015 {
			t.Errorf("a user gets %v of the service manager", got)
		}
	})
	t.Run("nothing to check", func(t *testing.T) {
		if _, err := security.Check(nil, security.MustSDDL(""), 1, event); err != win32.ERROR_NO_TOKEN {
			t.Errorf("no token: %v", err)
		}
		if _, err := security.Check(u, nil, 1, event); err != win32.ERROR_INVALID_SECURITY_DESCR {
			t.Errorf("no descriptor: %v", err)
		}
		if got, err := security.Check(u, security.MustSDDL(""), 1|win32.GENERIC_ALL, nil); got != 1 || err != nil {
			t.Errorf("no mapping: %v, %v", got, err)
		}
		for _, d := range []security.Decision{security.Explain(nil, security.MustSDDL(""), 1, event), security.Explain(u, nil, 1, event)} {
			if d.Err == nil || d.ACE != -1 || d.Remaining != 1 {
				t.Errorf("%+v", d)
			}
		}
	})
}

func TestExplain(t *testing.T) {
	conform.Rule(t, "SE-64")
	u := user(t)
	me := u.User().String()
	for sddl, want := range map[string]security.Decision{
		"D:(A;;CC;;;BA)(A;;GA;;;WD)":        {Granted: 3, ACE: 1, Rule: "SE-50"},
		"D:(A;;CC;;;WD)(D;;DC;;;WD)":        {Err: denied, ACE: 1, Rule: "SE-50", Remaining: 2},
		"D:(A;;CC;;;WD)":                    {Err: denied, ACE: -1, Rule: "SE-50", Remaining: 2},
		"D:NO_ACCESS_CONTROL":               {Granted: 3, ACE: -1, Rule: "SE-48"},
		"D:(A;;GA;;;WD)S:(ML;;NWNRNX;;;SI)": {Err: denied, ACE: -1, Rule: "SE-47", Remaining: 3},
	} {
		if diff := cmp.Diff(want, security.Explain(u, security.MustSDDL(sddl), 3, security.EventMapping)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sddl, diff)
		}
	}
	owner := security.Decision{Granted: win32.WRITE_DAC, ACE: -1, Rule: "SE-49", Owner: true}
	if diff := cmp.Diff(owner, security.Explain(u, security.MustSDDL("O:"+me+"D:"), win32.WRITE_DAC, security.EventMapping)); diff != "" {
		t.Errorf("owner (-want +got):\n%s", diff)
	}
}

func TestAccessCheckFunction(t *testing.T) {
	conform.Rule(t, "SE-44", "SE-45", "SE-50c")
	u := user(t)
	imp := func(l security.ImpersonationLevel) *security.Token {
		n, err := u.Duplicate(security.TokenImpersonation, l, 1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	id := imp(security.SecurityIdentification)
	sd := security.MustSDDL("O:SYG:SYD:(A;;CC;;;WD)(A;;DC;;;PS)")
	event := security.EventMapping
	for _, c := range []struct {
		name    string
		tok     *security.Token
		d       *security.Descriptor
		desired win32.AccessMask
		code    win32.Errno
	}{
		{"primary token", u, sd, 1, win32.ERROR_NO_IMPERSONATION_TOKEN},
		{"anonymous level", imp(security.SecurityAnonymous), sd, 1, win32.ERROR_BAD_IMPERSONATION_LEVEL},
		{"no owner", id, security.MustSDDL("G:SYD:"), 1, win32.ERROR_INVALID_SECURITY_DESCR},
		{"no group", id, security.MustSDDL("O:SYD:"), 1, win32.ERROR_INVALID_SECURITY_DESCR},
		{"no descriptor", id, nil, 1, win32.ERROR_INVALID_SECURITY_DESCR},
		{"generic bits", id, sd, win32.GENERIC_READ, win32.ERROR_GENERIC_NOT_MAPPED},
		{"no token", nil, sd, 1, win32.ERROR_NO_TOKEN},
	} {
		st, err := security.AccessCheck(c.tok, c.d, security.SID{}, c.desired, event)
		if win32.Code(err) != c.code || st != (security.AccessCheckStatus{}) {
			t.Errorf("%s: %+v, %v", c.name, st, err)
		}
	}
	for _, c := range []struct {
		name    string
		self    security.SID
		desired win32.AccessMask
		want    security.AccessCheckStatus
	}{
		{"granted", security.SID{}, 1, security.AccessCheckStatus{Granted: 1, Allowed: true}},
		{"refused", security.SID{}, 3, security.AccessCheckStatus{Err: denied}},
		{"self", alice, 3, security.AccessCheckStatus{Granted: 3, Allowed: true}},
		{"another self", bob, 3, security.AccessCheckStatus{Err: denied}},
		{"nothing", security.SID{}, 0, security.AccessCheckStatus{}},
		{"system security", security.SID{}, sacl, security.AccessCheckStatus{Err: win32.ERROR_PRIVILEGE_NOT_HELD}},
	} {
		if st, err := security.AccessCheck(id, sd, c.self, c.desired, event); st != c.want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", c.name, st, err, c.want)
		}
	}
	st, err := security.AccessCheck(with(id, security.SeSecurityPrivilege), sd, security.SID{}, sacl|1, event)
	if err != nil || st.Granted != sacl|1 || len(st.Used.List()) != 1 {
		t.Errorf("with SeSecurity: %+v, %v", st, err)
	}
}

func TestAccessCheckByType(t *testing.T) {
	conform.Rule(t, "SE-50")
	id, err := user(t).Duplicate(security.TokenImpersonation, security.SecurityIdentification, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := func(n byte) security.GUID { return security.GUID{n} }
	//	1 ─┬─ 2 ─┬─ 3
	//	   │     └─ 4
	//	   └─ 5
	tree := []security.ObjectNode{{Level: 0, Type: g(1)}, {Level: 1, Type: g(2)}, {Level: 2, Type: g(3)}, {Level: 2, Type: g(4)}, {Level: 1, Type: g(5)}}
	ace := func(typ, n byte, mask win32.AccessMask) security.ACE {
		a := security.ACE{Type: typ, Mask: mask, SID: security.Everyone}
		if n != 0 {
			a.ObjectFlags, a.ObjectType = security.ObjectTypePresent, g(n)
		}
		return a
	}
	const allow, deny = security.AllowObjectACE, security.DenyObjectACE
	for _, c := range []struct {
		name    string
		aces    []security.ACE
		desired win32.AccessMask
		want    string // per node: Y or n
	}{
		{"one leaf", []security.ACE{ace(allow, 3, 1)}, 1, "nnYnn"},
		{"both leaves make the set", []security.ACE{ace(allow, 3, 1), ace(allow, 4, 1)}, 1, "nYYYn"},
		{"a set makes its leaves", []security.ACE{ace(allow, 2, 1)}, 1, "nYYYn"},
		{"all", []security.ACE{ace(allow, 2, 1), ace(allow, 5, 1)}, 1, "YYYYY"},
		{"the root makes all", []security.ACE{ace(allow, 1, 1)}, 1, "YYYYY"},
		{"an ACE for no property makes all", []security.ACE{ace(allow, 0, 1)}, 1, "YYYYY"},
		{"another property", []security.ACE{ace(allow, 9, 1)}, 1, "nnnnn"},
		{"deny below", []security.ACE{ace(deny, 4, 1), ace(allow, 1, 1)}, 1, "nnYnY"},
		{"deny after allow", []security.ACE{ace(allow, 1, 1), ace(deny, 4, 1)}, 1, "YYYYY"},
		{"deny another property", []security.ACE{ace(deny, 9, 1), ace(allow, 1, 1)}, 1, "YYYYY"},
		{"maximum", []security.ACE{ace(allow, 3, 3), ace(allow, 4, 1), ace(allow, 5, 2)}, all, "nYYYY"},
		{"inherit only", []security.ACE{ace(allow, 1, 1).WithFlags(security.InheritOnly)}, 1, "nnnnn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := security.NewDescriptor(security.System, security.System, security.NewACL(c.aces...), nil, 0)
			list, err := security.AccessCheckByTypeResultList(id, d, security.SID{}, tree, c.desired, security.EventMapping)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, s := range list {
				if s.Allowed {
					got += "Y"
				} else {
					got += "n"
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			one, err := security.AccessCheckByType(id, d, security.SID{}, tree, c.desired, security.EventMapping)
			if err != nil || one != list[0] {
				t.Errorf("AccessCheckByType %+v, %v", one, err)
			}
			if c.desired == all && list[1].Granted != 1 {
				t.Errorf("maximum of the set is %v, want what both leaves grant", list[1].Granted)
			}
		})
	}
	sd := security.MustSDDL("O:SYG:SYD:(A;;GA;;;WD)")
	for _, bad := range [][]security.ObjectNode{{{Level: 1}}, {{Level: 0}, {Level: 0}}, {{Level: 0}, {Level: 2}}} {
		if _, err := security.AccessCheckByType(id, sd, security.SID{}, bad, 1, security.EventMapping); win32.Code(err) != win32.ERROR_INVALID_PARAMETER {
			t.Errorf("tree %v: %v", bad, err)
		}
	}
	if st, err := security.AccessCheckByType(id, sd, security.SID{}, nil, 1, security.EventMapping); !st.Allowed || err != nil {
		t.Errorf("no tree: %+v, %v", st, err)
	}
	if st, err := security.AccessCheckByType(id, sd, security.SID{}, tree, 0, security.EventMapping); st.Allowed || err != nil {
		t.Errorf("nothing desired: %+v, %v", st, err)
	}
}

func TestAudit(t *testing.T) {
	conform.Rule(t, "SE-64")
	u, event := user(t), security.EventMapping
	d := security.MustSDDL("D:(A;;CC;;;WD)S:(AU;SA;CC;;;WD)(AU;FA;DC;;;BU)(AU;SAFA;GA;;;BA)(AU;SAFAIO;GA;;;WD)(AU;SAFA;LC;;;WD)(ML;;NW;;;LW)")
	audit := func(desired win32.AccessMask) []security.AuditMatch {
		return security.Audit(u, d, desired, security.Explain(u, d, desired, event), event)
	}
	if diff := cmp.Diff([]security.AuditMatch{{ACE: 0, Mask: 1, Success: true}}, audit(1)); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]security.AuditMatch{{ACE: 1, Mask: 2}}, audit(win32.GENERIC_WRITE)); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	none := security.MustSDDL("D:S:(AU;FA;DC;;;WD)")
	if got := security.Audit(u, none, all, security.Explain(u, none, all, event), event); len(got) != 1 || got[0].Mask != 2 {
		t.Errorf("refused maximum: %v", got)
	}
	if got := security.Audit(u, security.MustSDDL("D:"), 1, security.Decision{}, event); got != nil {
		t.Errorf("without SACL: %v", got)
	}
}

func TestMappings(t *testing.T) {
	t.Run("SE-60/table", func(t *testing.T) {
		conform.Rule(t, "SE-60")
		text, err := os.ReadFile("../docs/spec/security.md")
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]*security.Mapping{
			"Event": security.EventMapping, "Mutex (Mutant)": security.MutexMapping, "Semaphore": security.SemaphoreMapping, "Timer": security.TimerMapping,
			"Section": security.SectionMapping, "Directory": security.DirectoryMapping, "SymbolicLink": security.SymlinkMapping, "Pipe/File": security.FileMapping,
			"Process": security.ProcessMapping, "Thread": security.ThreadMapping, "Job": security.JobMapping, "Token": security.TokenMapping,
			"SCM": security.ScmMapping, "Service": security.ServiceMapping, "WinStation session": security.SessionMapping,
		}
		row := regexp.MustCompile(`(?m)^\| ([A-Za-z/ ()]+) \| [^|]* \| (0x[0-9A-F]+) \| (0x[0-9A-F]+) \| (0x[0-9A-F]+) \| (0x[0-9A-F]+) \|`)
		checkMappings(t, row, string(text), names, len(names))
	})
	t.Run("SE-60/implied rights", func(t *testing.T) {
		conform.Rule(t, "SE-60")
		for granted, want := range map[win32.AccessMask][2]win32.AccessMask{
			0x400: {0x1400, 0x400}, 0x40: {0x40, 0x840}, 0x1000: {0x1000, 0x1000}, 0: {},
		} {
			if p, th := security.ProcessImplied(granted), security.ThreadImplied(granted); p != want[0] || th != want[1] {
				t.Errorf("%v implies %v on a process and %v on a thread, want %v", granted, p, th, want)
			}
		}
	})
	t.Run("AR-24/stations and desktops", func(t *testing.T) {
		conform.Rule(t, "AR-24", "AR-25", "AR-26", "AR-27", "AR-28")
		text, err := os.ReadFile("../docs/spec/winsta.md")
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]*security.Mapping{"AR-24": security.InteractiveStationMapping, "AR-25": security.StationMapping, "AR-26": security.DesktopMapping}
		row := regexp.MustCompile(`(?m)^\| (AR-2[456]) \| [^|]* \| (0x[0-9A-F]+) \| (0x[0-9A-F]+) \| (0x[0-9A-F]+) \| (0x[0-9A-F]+) \|`)
		checkMappings(t, row, string(text), names, 3)
		if m := security.StationMapping.Map(win32.GENERIC_ALL | win32.GENERIC_READ | win32.GENERIC_WRITE | win32.GENERIC_EXECUTE); m&(win32.WINSTA_READSCREEN|win32.WINSTA_WRITEATTRIBUTES) != 0 {
			t.Errorf("generic rights imply %v on a non-interactive station", m)
		}
	})
	t.Run("SE-63/parts", func(t *testing.T) {
		conform.Rule(t, "SE-63")
		for parts, want := range map[uint32][2]win32.AccessMask{
			security.OwnerInformation: {win32.READ_CONTROL, win32.WRITE_OWNER}, security.GroupInformation: {win32.READ_CONTROL, win32.WRITE_OWNER},
			security.DACLInformation: {win32.READ_CONTROL, win32.WRITE_DAC}, security.SACLInformation: {sacl, sacl},
			security.LabelInformation: {win32.READ_CONTROL, win32.WRITE_OWNER}, 0: {},
			security.UnprotectedDACLInformation: {0, win32.WRITE_DAC},
		} {
			if q, s := security.RightsToQuery(parts), security.RightsToSet(parts); q != want[0] || s != want[1] {
				t.Errorf("parts %#x need %v and %v, want %v", parts, q, s, want)
			}
		}
	})
}

func checkMappings(t *testing.T, row *regexp.Regexp, text string, names map[string]*security.Mapping, want int) {
	t.Helper()
	n := 0
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		mapping, ok := names[m[1]]
		if !ok {
			t.Errorf("no mapping for %q", m[1])
			continue
		}
		n++
		var v [4]win32.AccessMask
		for i := range v {
			x, err := strconv.ParseUint(m[2+i], 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			v[i] = win32.AccessMask(x)
		}
		if *mapping != (security.Mapping{Read: v[0], Write: v[1], Execute: v[2], All: v[3]}) {
			t.Errorf("%s is %v, want %v", m[1], *mapping, v)
		}
		if got := mapping.Map(win32.GENERIC_READ | win32.GENERIC_EXECUTE | 0x8000); got != v[0]|v[2]|0x8000 {
			t.Errorf("%s maps to %v", m[1], got)
		}
	}
	if n != want {
		t.Errorf("%d mappings in the rules, want %d", n, want)
	}
}

// Concurrent checks of one token must agree, and the race detector must see
// nothing.
func TestCheckConcurrently(t *testing.T) {
	tok := user(t)
	var ds []*security.Descriptor
	for i := range uint32(100) {
		ds = append(ds, security.NewDescriptor(security.System, security.System, security.NewACL(security.Allow(win32.AccessMask(i), security.Everyone)), nil, 0))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for i, d := range ds {
					got, err := security.Check(tok, d, win32.MAXIMUM_ALLOWED, security.DesktopMapping)
					if got != win32.AccessMask(i) || (err != nil) != (i == 0) {
						t.Errorf("descriptor %d: %v, %v", i, got, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// The decision cache must not keep descriptors alive.
func TestCacheHoldsNoDescriptor(t *testing.T) {
	tok := user(t)
	collected := make(chan struct{})
	func() {
		d := security.MustSDDL("D:(A;;GA;;;WD)")
		if _, err := security.Check(tok, d, 1, security.EventMapping); err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(d, func(c chan struct{}) { close(c) }, collected)
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-collected:
			runtime.KeepAlive(tok)
			return
		default:
			runtime.Gosched()
		}
	}
	t.Error("a descriptor that was checked is never collected")
}

func TestCachedCheckAllocatesNothing(t *testing.T) {
	tok := user(t)
	d := security.MustSDDL("D:(A;;CC;;;WD)")
	for _, desired := range []win32.AccessMask{1, 2, sacl} {
		if n := testing.AllocsPerRun(100, func() { _, _ = security.Check(tok, d, desired, security.EventMapping) }); n != 0 {
			t.Errorf("desired %v: %v allocations", desired, n)
		}
	}
}
