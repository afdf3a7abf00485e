// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

var (
	machine = security.MustSID("S-1-5-21-1-2-3")
	alice   = machine.Child(1001)
	bob     = machine.Child(1002)
)

const aliceLogon security.LUID = 0x10001

// user is an ordinary user's token at a terminal, admin an administrator's
// that is not split.
func user(t testing.TB) *security.Token {
	t.Helper()
	tok, linked := security.UserToken(security.UserLogon{User: alice, LogonID: aliceLogon, LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: 1, TokenID: 0x10002})
	if linked != nil {
		t.Fatal("an ordinary user's token is split")
	}
	return tok
}

func admin(t testing.TB) *security.Token {
	t.Helper()
	tok, linked := security.UserToken(security.UserLogon{User: alice, Admin: true, LogonID: aliceLogon, LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: 1, TokenID: 0x10002})
	if linked != nil {
		t.Fatal("a token is split that should not be")
	}
	return tok
}

func attributesOf(t testing.TB, tok *security.Token, sid security.SID) security.Attributes {
	t.Helper()
	for _, g := range tok.Groups() {
		if g.SID == sid {
			return g.Attributes
		}
	}
	t.Errorf("%s is not in the token of %s", sid.Name(), tok.User().Name())
	return 0
}

func groupSIDs(tok *security.Token) []string {
	var out []string
	for _, g := range tok.Groups() {
		out = append(out, g.SID.String())
	}
	slices.Sort(out)
	return out
}

func TestTokenMakers(t *testing.T) {
	t.Run("LGN-8/groups by logon type", func(t *testing.T) {
		conform.Rule(t, "LGN-8", "LGN-3", "SE-4", "SE-16")
		base := []string{"S-1-1-0", "S-1-5-11", "S-1-5-113", "S-1-5-15", "S-1-5-21-1-2-3-513", "S-1-5-32-545", "S-1-5-5-0-65537"}
		for logonType, adds := range map[uint32][]string{
			win32.LOGON32_LOGON_INTERACTIVE:       {"S-1-5-4", "S-1-2-0", "S-1-2-1"},
			win32.LogonRemoteInteractive:          {"S-1-5-14", "S-1-5-4", "S-1-2-0"},
			win32.LOGON32_LOGON_NETWORK:           {"S-1-5-2"},
			win32.LOGON32_LOGON_NETWORK_CLEARTEXT: {"S-1-5-2"},
			win32.LOGON32_LOGON_BATCH:             {"S-1-5-3", "S-1-2-0"},
			win32.LOGON32_LOGON_SERVICE:           {"S-1-5-6", "S-1-2-0"},
		} {
			tok, _ := security.UserToken(security.UserLogon{User: alice, LogonID: aliceLogon, LogonType: logonType, SessionID: 3})
			want := append(slices.Clone(base), adds...)
			slices.Sort(want)
			if diff := cmp.Diff(want, groupSIDs(tok)); diff != "" {
				t.Errorf("groups of logon type %d (-want +got):\n%s", logonType, diff)
			}
			if tok.Integrity() != security.LevelMedium || tok.SessionID() != 3 || tok.LogonID() != aliceLogon {
				t.Errorf("type %d: level %v, session %d, logon %v", logonType, tok.Integrity(), tok.SessionID(), tok.LogonID())
			}
			wantType := security.TokenPrimary
			if logonType == win32.LOGON32_LOGON_NETWORK {
				wantType = security.TokenImpersonation
			}
			if tok.Type() != wantType || wantType == security.TokenImpersonation && tok.Level() != security.SecurityImpersonation {
				t.Errorf("type %d gives a token of type %v, level %v", logonType, tok.Type(), tok.Level())
			}
			if a := attributesOf(t, tok, security.LogonSID(aliceLogon)); a != 0xC0000007 {
				t.Errorf("logon SID attributes %#x", a)
			}
			if tok.LogonSID() != security.LogonSID(aliceLogon) {
				t.Errorf("logon SID %v", tok.LogonSID())
			}
		}
		svc, _ := security.UserToken(security.UserLogon{User: alice, Admin: true, Split: true, LogonID: aliceLogon, LogonType: win32.LOGON32_LOGON_SERVICE,
			ServiceSID: security.ServiceSID("Spooler"), Groups: []security.SID{security.RemoteDesktopUsers, security.Users, {}}})
		if svc.Integrity() != security.LevelHigh || svc.Linked() != nil {
			t.Error("an administrator's service is not high and whole")
		}
		if a := attributesOf(t, svc, security.ServiceSID("Spooler")); a != security.GroupEnabledByDefault|security.GroupEnabled|security.GroupOwner {
			t.Errorf("service SID attributes %#x", a)
		}
		if !svc.IsMember(security.RemoteDesktopUsers) {
			t.Error("a group of the account is missing")
		}
	})
	t.Run("LGN-8/service accounts", func(t *testing.T) {
		conform.Rule(t, "LGN-8", "SE-4", "SE-34")
		sys := security.SystemToken(2)
		if diff := cmp.Diff([]string{"S-1-1-0", "S-1-5-11", "S-1-5-32-544"}, groupSIDs(sys)); diff != "" {
			t.Errorf("LocalSystem (-want +got):\n%s", diff)
		}
		if !sys.LogonSID().IsZero() || sys.LogonID() != security.SystemLUID || sys.Owner() != security.Administrators || sys.SessionID() != 2 || !sys.IsSystem() || !sys.IsAdministrator() {
			t.Errorf("LocalSystem is %+v", sys.Spec())
		}
		for tok, want := range map[*security.Token]security.SID{
			security.LocalServiceToken(0): security.LocalService, security.NetworkServiceToken(0): security.NetworkService,
		} {
			if tok.User() != want || tok.Owner() != want || tok.IsAdministrator() || tok.IsSystem() || tok.Integrity() != security.LevelSystem {
				t.Errorf("%s is %+v", want.Name(), tok.Spec())
			}
			for _, g := range []security.SID{security.Service, security.Everyone, security.Users, security.AuthenticatedUsers, security.Local, tok.LogonSID()} {
				if !tok.IsMember(g) {
					t.Errorf("%s is not in %s", want.Name(), g.Name())
				}
			}
			if tok.LogonSID() != security.LogonSID(tok.LogonID()) || tok.IsMember(security.Interactive) {
				t.Errorf("%s has logon SID %v", want.Name(), tok.LogonSID())
			}
		}
		if security.SystemToken(0).Integrity() != security.LevelSystem || security.AnonymousToken(0).Integrity() != security.LevelUntrusted {
			t.Error("integrity defaults are wrong")
		}
		if p := user(t).MandatoryPolicy(); p != 3 {
			t.Errorf("mandatory policy %d", p)
		}
	})
	t.Run("SE-17/owner", func(t *testing.T) {
		conform.Rule(t, "SE-17")
		if u := user(t); u.Owner() != alice || u.PrimaryGroup() != machine.Child(513) {
			t.Errorf("user: owner %v, group %v", u.Owner(), u.PrimaryGroup())
		}
		a := admin(t)
		if a.Owner() != security.Administrators || attributesOf(t, a, security.Administrators)&security.GroupOwner == 0 || !a.IsAdministrator() || a.Integrity() != security.LevelHigh {
			t.Errorf("administrator: %+v", a.Spec())
		}
	})
	t.Run("SE-18/default DACL", func(t *testing.T) {
		conform.Rule(t, "SE-18")
		for tok, want := range map[*security.Token]string{
			user(t):                       "D:(A;;GA;;;S-1-5-21-1-2-3-1001)(A;;GA;;;SY)(A;;GXGR;;;S-1-5-5-0-65537)",
			admin(t):                      "D:(A;;GA;;;BA)(A;;GA;;;SY)(A;;GXGR;;;S-1-5-5-0-65537)",
			security.SystemToken(0):       "D:(A;;GA;;;SY)(A;;RCGXGR;;;BA)",
			security.LocalServiceToken(0): "D:(A;;GA;;;LS)(A;;GA;;;SY)(A;;RCGXGR;;;S-1-5-5-0-997)",
		} {
			got, err := tok.DefaultDACL().MarshalText()
			if err != nil || string(got) != want {
				t.Errorf("%s: %s (%v), want %s", tok.User().Name(), got, err, want)
			}
		}
		// The consequence: a service's event without descriptor is closed to users.
		d, err := security.Assign(nil, nil, security.SystemToken(0), false, security.EventMapping, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := security.Check(user(t), d, win32.SYNCHRONIZE|2, security.EventMapping); err != win32.ERROR_ACCESS_DENIED {
			t.Errorf("a user opens a service's event: %v", err)
		}
	})
	t.Run("SE-24/privileges", func(t *testing.T) {
		conform.Rule(t, "SE-24")
		text, err := os.ReadFile("../docs/spec/security.md")
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(string(text), "### 2.1 Privileges (SE-24)")
		section, _, _ = strings.Cut(section, "| Rule |")
		toks := []*security.Token{security.SystemToken(0), security.NetworkServiceToken(0), admin(t), user(t)}
		rows := 0
		line := regexp.MustCompile(`(?m)^\| ([0-9 /]+) \| ([A-Za-z /]+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|`)
		for _, m := range line.FindAllStringSubmatch(section, -1) {
			for i, number := range strings.Split(m[1], " / ") {
				rows++
				name := strings.TrimSuffix(strings.TrimSpace(strings.Split(m[2], " / ")[i]), "Privilege") + "Privilege"
				p, err := security.ParsePrivilege(strings.ToUpper(name))
				if err != nil || p.String() != name || number != jsonText(t, uint32(p)) {
					t.Errorf("row %s %s: privilege %v, %v", number, name, p, err)
				}
				for c, tok := range toks {
					states := strings.Split(strings.TrimSpace(m[3+c]), " / ")
					state := states[min(i, len(states)-1)]
					got := "–"
					if tok.HasPrivilege(p) {
						got = "E"
					} else if tok.HoldsPrivilege(p) {
						got = "d"
					}
					if got != state {
						t.Errorf("%s of %s is %s, want %s", name, tok.User().Name(), got, state)
					}
				}
			}
		}
		if rows != 35 {
			t.Errorf("%d privileges in SE-24, want 35", rows)
		}
		if _, err := security.ParsePrivilege("SeNonsensePrivilege"); win32.Code(err) != 1313 {
			t.Errorf("unknown privilege: %v", err)
		}
	})
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTokenJournal(t *testing.T) {
	conform.Rule(t, "SE-14")
	limited, full := security.UserToken(security.UserLogon{User: alice, Admin: true, Split: true, LogonID: aliceLogon, LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: 1, TokenID: 5, LinkedID: 6})
	restricted, err := limited.Restrict(security.RestrictSpec{Flags: security.WriteRestrictedFlag | security.SandboxInertFlag, Restricting: []security.SID{security.Everyone}, ID: 9})
	if err != nil {
		t.Fatal(err)
	}
	odd := security.NewToken(security.TokenSpec{User: bob, Descriptor: security.MustSDDL("O:SYD:(A;;GA;;;WD)"), UIAccess: true,
		DefaultDACL: security.NewACL(security.ACE{Type: security.DenyCallbackACE, Raw: make([]byte, 16)}), Origin: 1 << 40, ModifiedID: 3,
		Type: security.TokenImpersonation, Level: security.SecurityDelegation, Source: security.TokenSource{Name: "x", ID: 4}})
	for _, tok := range []*security.Token{security.SystemToken(0), limited, full, restricted, odd} {
		b := jsonText(t, tok.Spec())
		var spec security.TokenSpec
		if err := json.Unmarshal([]byte(b), &spec); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		back := security.NewToken(spec)
		if again := jsonText(t, back.Spec()); again != b {
			t.Errorf("journalled\n%s, restored\n%s", b, again)
		}
		if (back.Linked() == nil) != (tok.Linked() == nil) {
			t.Error("the link is lost")
		}
		if l := back.Linked(); l != nil && l.Linked() != back {
			t.Error("the link does not lead back")
		}
	}
	if spec := odd.Spec(); spec.Elevation != security.ElevationDefault || spec.Owner != bob {
		t.Errorf("defaults of a spec: %+v", spec)
	}
	if tok := security.NewToken(security.TokenSpec{User: bob, Privileges: []security.PrivilegeState{{Privilege: 99}, {Privilege: security.SeTcbPrivilege}}}); len(tok.Privileges()) != 1 {
		t.Errorf("a privilege that does not exist is in the token: %v", tok.Privileges())
	}
	if d := limited.Descriptor(); d != limited.Descriptor() {
		t.Error("each look at a token makes a new descriptor")
	}
	// Nothing is shared with who made it or who looks at it.
	spec := limited.Spec()
	tok := security.NewToken(spec)
	spec.Groups[0].SID, spec.Privileges[0].Privilege, spec.DefaultDACL.ACEs[0].SID = bob, security.SeTcbPrivilege, bob
	tok.Groups()[0].SID, tok.Privileges()[0].Privilege, tok.DefaultDACL().ACEs[0].SID = bob, security.SeTcbPrivilege, bob
	if tok.Holds(bob) || tok.HoldsPrivilege(security.SeTcbPrivilege) || tok.DefaultDACL().ACEs[0].SID == bob || tok.Groups()[0].SID == bob {
		t.Error("a token can be changed from outside")
	}
}

func TestTokenQueries(t *testing.T) {
	t.Run("SE-15/attributes", func(t *testing.T) {
		conform.Rule(t, "SE-15")
		tok := security.NewToken(security.TokenSpec{User: alice, UserAttributes: security.GroupUseForDenyOnly, Groups: []security.Group{
			{SID: security.Users, Attributes: security.GroupEnabled}, {SID: security.Guests}, {SID: security.Administrators, Attributes: security.GroupUseForDenyOnly | security.GroupEnabled}}})
		if !tok.IsMember(security.Users) || tok.IsMember(security.Guests) || tok.IsMember(security.Administrators) || tok.IsMember(alice) || tok.IsMember(security.SID{}) {
			t.Error("IsMember does not go by ENABLED")
		}
		if !tok.Holds(security.Guests) || !tok.Holds(alice) || tok.Holds(bob) || tok.Holds(security.SID{}) || tok.IsAdministrator() {
			t.Error("Holds does not go by presence")
		}
		sys := security.NewToken(security.TokenSpec{User: security.System, UserAttributes: security.GroupUseForDenyOnly})
		if sys.IsSystem() || sys.IsAdministrator() {
			t.Error("a deny-only LocalSystem counts")
		}
	})
	t.Run("SE-19/token object", func(t *testing.T) {
		conform.Rule(t, "SE-19")
		if got := user(t).Descriptor().String(); got != "O:S-1-5-21-1-2-3-1001G:S-1-5-21-1-2-3-513D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;S-1-5-21-1-2-3-1001)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)S:(ML;;NW;;;ME)" {
			t.Errorf("a user's token: %s", got)
		}
		d := admin(t).Descriptor()
		if l, mask, ok := d.Label(); l != security.LevelHigh || mask != security.LabelNoWriteUp || !ok {
			t.Errorf("label %v, %v, %v", l, mask, ok)
		}
		if acl, _ := d.DACL(); len(acl.ACEs) != 3 || acl.ACEs[2].SID != security.Administrators {
			t.Errorf("an administrator's token: %s", d)
		}
		if got, err := security.Check(admin(t), d, win32.MAXIMUM_ALLOWED, security.TokenMapping); got != win32.TOKEN_ALL_ACCESS || err != nil {
			t.Errorf("an administrator gets %v, %v of the own token", got, err)
		}
	})
	t.Run("statistics", func(t *testing.T) {
		u := user(t)
		s := u.Statistics()
		if s.ID != 0x10002 || s.AuthenticationID != aliceLogon || s.GroupCount != 10 || s.PrivilegeCount != 5 || s.Type != security.TokenPrimary {
			t.Errorf("%+v", s)
		}
	})
	t.Run("SE-25/privilege check", func(t *testing.T) {
		conform.Rule(t, "SE-25", "SE-26")
		sys := security.SystemToken(0)
		check := func(tok *security.Token, any, want bool, ps ...security.Privilege) {
			t.Helper()
			if got, err := tok.PrivilegeCheck(ps, any); got != want || err != nil {
				t.Errorf("%v any=%v: %v, %v", ps, any, got, err)
			}
		}
		check(sys, false, true, security.SeTcbPrivilege, security.SeDebugPrivilege)
		check(sys, false, false, security.SeTcbPrivilege, security.SeSecurityPrivilege) // held, disabled
		check(sys, true, true, security.SeSecurityPrivilege, security.SeTcbPrivilege)
		check(sys, true, false, security.SeSecurityPrivilege)
		check(sys, false, true)
		check(sys, true, true)
		anonymous, err := sys.Duplicate(security.TokenImpersonation, security.SecurityAnonymous, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := anonymous.PrivilegeCheck(nil, false); win32.Code(err) != win32.ERROR_BAD_IMPERSONATION_LEVEL {
			t.Errorf("Anonymous level: %v", err)
		}
	})
	t.Run("words", func(t *testing.T) {
		for got, want := range map[string]string{
			security.LevelMediumPlus.String(): "medium-plus", security.Level(5).String(): "0x5", security.TokenPrimary.String(): "primary",
			security.SecurityDelegation.String(): "delegation", security.ElevationLimited.String(): "limited", security.SeTcbPrivilege.String(): "SeTcbPrivilege",
			security.Privilege(99).String(): "Privilege(99)",
			security.Privileges(security.SeTcbPrivilege, security.SeDebugPrivilege, 99).String(): "SeTcbPrivilege SeDebugPrivilege",
		} {
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if l := security.SeTcbPrivilege.LUID(); l.String() != "0x0:0x7" {
			t.Errorf("LUID of SeTcb is %v", l)
		}
	})
}

func TestTokenDerivations(t *testing.T) {
	t.Run("SE-21/set information", func(t *testing.T) {
		conform.Rule(t, "SE-21")
		u := user(t)
		if err := u.MaySetIntegrity(u, security.LevelLow); err != nil {
			t.Errorf("lowering: %v", err)
		}
		if err := u.MaySetIntegrity(u, security.LevelHigh); win32.Code(err) != win32.ERROR_PRIVILEGE_NOT_HELD {
			t.Errorf("raising: %v", err)
		}
		relabel := u.WithPrivileges(security.PrivilegeState{Privilege: security.SeRelabelPrivilege, Attributes: security.PrivilegeEnabled})
		if err := u.MaySetIntegrity(relabel, security.LevelHigh); err != nil {
			t.Errorf("raising with SeRelabel: %v", err)
		}
		if l := u.WithIntegrity(security.LevelLow); l.Integrity() != security.LevelLow || u.Integrity() != security.LevelMedium {
			t.Error("WithIntegrity does not give a new token")
		}
		if _, err := u.WithOwner(security.Users); win32.Code(err) != win32.ERROR_INVALID_OWNER {
			t.Errorf("owner Users: %v", err)
		}
		if n, err := admin(t).WithOwner(alice); err != nil || n.Owner() != alice {
			t.Errorf("owner alice: %v", err)
		}
		if _, err := u.WithPrimaryGroup(security.Guests); win32.Code(err) != 1308 {
			t.Errorf("group Guests: %v", err)
		}
		if n, err := u.WithPrimaryGroup(security.Users); err != nil || n.PrimaryGroup() != security.Users {
			t.Errorf("group Users: %v", err)
		}
		if n, err := u.WithDefaultDACL(nil); err != nil || n.DefaultDACL() != nil {
			t.Errorf("no default DACL: %v", err)
		}
		if _, err := u.WithDefaultDACL(security.NewACL(security.ACE{Type: security.DenyCallbackACE})); win32.Code(err) != win32.ERROR_NOT_SUPPORTED {
			t.Errorf("callback ACE: %v", err)
		}
	})
	t.Run("SE-22/adjust privileges", func(t *testing.T) {
		conform.Rule(t, "SE-22")
		u := user(t)
		n, prev, all := u.AdjustPrivileges(false, []security.PrivilegeState{
			{Privilege: security.SeShutdownPrivilege, Attributes: security.PrivilegeEnabled},
			{Privilege: security.SeTcbPrivilege, Attributes: security.PrivilegeEnabled},
			{Privilege: security.SeUndockPrivilege, Attributes: security.PrivilegeRemoved},
			{Privilege: security.SeTimeZonePrivilege}, // disabled already: no change
		})
		if all || !n.HasPrivilege(security.SeShutdownPrivilege) || n.HoldsPrivilege(security.SeTcbPrivilege) || n.HoldsPrivilege(security.SeUndockPrivilege) {
			t.Errorf("all %v, privileges %v", all, n.Privileges())
		}
		if u.HasPrivilege(security.SeShutdownPrivilege) || !u.HoldsPrivilege(security.SeUndockPrivilege) {
			t.Error("the original token changed")
		}
		if diff := cmp.Diff([]security.PrivilegeState{{Privilege: security.SeShutdownPrivilege}, {Privilege: security.SeUndockPrivilege}}, prev); diff != "" {
			t.Errorf("previous (-want +got):\n%s", diff)
		}
		back, _, all := n.AdjustPrivileges(false, prev[:1])
		if !all || back.HasPrivilege(security.SeShutdownPrivilege) {
			t.Error("previous does not restore")
		}
		none, prev, all := security.SystemToken(0).AdjustPrivileges(true, nil)
		if !all || none.EnabledPrivileges() != 0 || none.HeldPrivileges() != security.SystemToken(0).HeldPrivileges() || len(prev) == 0 {
			t.Errorf("disable all: %v enabled", none.EnabledPrivileges())
		}
		// What is removed is gone for good.
		gone, _, all := n.AdjustPrivileges(false, []security.PrivilegeState{{Privilege: security.SeUndockPrivilege, Attributes: security.PrivilegeEnabled}})
		if all || gone.HoldsPrivilege(security.SeUndockPrivilege) {
			t.Error("a removed privilege came back")
		}
		if gone.ID() != u.ID() {
			t.Error("an adjustment changes the TokenId")
		}
	})
	t.Run("SE-23/adjust groups", func(t *testing.T) {
		conform.Rule(t, "SE-23")
		tok := security.NewToken(security.TokenSpec{User: alice, Groups: []security.Group{
			{SID: security.Users, Attributes: security.GroupDefault},
			{SID: security.Guests, Attributes: security.GroupEnabled},
			{SID: security.PowerUsers, Attributes: security.GroupEnabledByDefault},
			{SID: security.Administrators, Attributes: security.GroupUseForDenyOnly},
		}})
		for _, g := range []security.Group{{SID: security.Users}, {SID: alice}, {SID: security.Administrators, Attributes: security.GroupEnabled}} {
			if n, _, _, err := tok.AdjustGroups(false, []security.Group{{SID: security.Guests}, g}); n != nil || win32.Code(err) != win32.ERROR_CANT_DISABLE_MANDATORY {
				t.Errorf("%s: %v", g.SID.Name(), err)
			}
		}
		n, prev, all, err := tok.AdjustGroups(false, []security.Group{{SID: security.Guests}, {SID: security.Batch}, {SID: alice, Attributes: security.GroupEnabled}})
		if err != nil || all || n.IsMember(security.Guests) || !tok.IsMember(security.Guests) || len(prev) != 1 || prev[0].SID != security.Guests {
			t.Errorf("disable Guests: all %v, previous %v, %v", all, prev, err)
		}
		n, prev, all, err = tok.AdjustGroups(true, nil)
		if err != nil || !all || n.IsMember(security.Guests) || !n.IsMember(security.PowerUsers) || n.IsMember(security.Administrators) || len(prev) != 2 {
			t.Errorf("reset: %v, previous %v, %v", n.Groups(), prev, err)
		}
	})
	t.Run("SE-28/duplicate", func(t *testing.T) {
		conform.Rule(t, "SE-28")
		u := user(t).WithDescriptor(security.MustSDDL("D:"))
		for _, level := range []security.ImpersonationLevel{0, 1, 2, 3} {
			d, err := u.Duplicate(security.TokenImpersonation, level, 77)
			if err != nil || d.Level() != level || d.Type() != security.TokenImpersonation || d.ID() != 77 || d.LogonID() != u.LogonID() || d.SessionID() != u.SessionID() {
				t.Errorf("primary to level %v: %v", level, err)
				continue
			}
			if d.Descriptor().String() == "D:" {
				t.Error("the duplicate has the descriptor of the original")
			}
			for _, to := range []security.ImpersonationLevel{0, 1, 2, 3} {
				_, err := d.Duplicate(security.TokenImpersonation, to, 78)
				if (err != nil) != (to > level) || err != nil && win32.Code(err) != win32.ERROR_BAD_IMPERSONATION_LEVEL {
					t.Errorf("level %v to level %v: %v", level, to, err)
				}
			}
			_, err = d.Duplicate(security.TokenPrimary, security.SecurityAnonymous, 79)
			if (err != nil) != (level < security.SecurityImpersonation) {
				t.Errorf("level %v to primary: %v", level, err)
			}
		}
		for _, bad := range []func() (*security.Token, error){
			func() (*security.Token, error) { return u.Duplicate(3, 0, 1) },
			func() (*security.Token, error) { return u.Duplicate(security.TokenPrimary, 4, 1) },
		} {
			if _, err := bad(); win32.Code(err) != win32.ERROR_INVALID_PARAMETER {
				t.Errorf("bad type or level: %v", err)
			}
		}
	})
	t.Run("PRC-6/session", func(t *testing.T) {
		limited, _ := security.UserToken(security.UserLogon{User: alice, Admin: true, Split: true, LogonID: aliceLogon, LogonType: win32.LogonRemoteInteractive, SessionID: 1})
		n := limited.WithSession(4)
		if n.SessionID() != 4 || n.Linked().SessionID() != 4 || n.Linked().Linked() != n || limited.SessionID() != 1 || limited.Linked().SessionID() != 1 {
			t.Error("the pair does not move to the session together, or the original did")
		}
	})
}

func TestRestrictedTokens(t *testing.T) {
	t.Run("SE-29/what is taken away", func(t *testing.T) {
		conform.Rule(t, "SE-29", "SE-30")
		a := admin(t)
		n, err := a.Restrict(security.RestrictSpec{DenyOnly: []security.SID{security.Administrators, security.Guests, alice}, Delete: []security.Privilege{security.SeDebugPrivilege}, ID: 8})
		if err != nil {
			t.Fatal(err)
		}
		if got := attributesOf(t, n, security.Administrators); got != security.GroupUseForDenyOnly {
			t.Errorf("deny-only attributes %#x", got)
		}
		if n.IsMember(alice) || n.UserAttributes() != security.GroupUseForDenyOnly || n.Holds(security.Guests) || n.Owner() != alice || n.ID() != 8 {
			t.Errorf("%+v", n.Spec())
		}
		if n.HoldsPrivilege(security.SeDebugPrivilege) || !n.HoldsPrivilege(security.SeBackupPrivilege) || n.IsRestricted() {
			t.Error("privileges, or a second pass, are wrong")
		}
		again, _, _, err := n.AdjustGroups(false, []security.Group{{SID: security.Administrators, Attributes: security.GroupEnabled}})
		if again != nil || err == nil {
			t.Error("deny-only can be undone")
		}
		bare, err := a.Restrict(security.RestrictSpec{Flags: security.DisableMaxPrivilege | security.SandboxInertFlag})
		if err != nil || bare.HeldPrivileges() != security.Privileges(security.SeChangeNotifyPrivilege) || !bare.SandboxInert() || bare.IsRestricted() || bare.ID() != a.ID() {
			t.Errorf("DISABLE_MAX_PRIVILEGE leaves %v, %v", bare.HeldPrivileges(), err)
		}
		lua, err := a.Restrict(security.RestrictSpec{Flags: security.LUATokenFlag})
		if err != nil || lua.IsAdministrator() || lua.Integrity() != security.LevelMedium || lua.HeldPrivileges() != user(t).HeldPrivileges() {
			t.Errorf("LUA_TOKEN gives %+v, %v", lua.Spec(), err)
		}
		for _, r := range []security.RestrictSpec{{Flags: 16}, {Delete: []security.Privilege{1}}, {Restricting: []security.SID{{}}}} {
			if _, err := a.Restrict(r); err == nil {
				t.Errorf("%+v is accepted", r)
			}
		}
	})
	t.Run("SE-29/restricting lists are intersected", func(t *testing.T) {
		conform.Rule(t, "SE-29", "SE-31")
		u := user(t)
		restrict := func(tok *security.Token, flags uint32, sids ...security.SID) *security.Token {
			t.Helper()
			n, err := tok.Restrict(security.RestrictSpec{Flags: flags, Restricting: sids})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		list := func(tok *security.Token) (out []security.SID) {
			for _, g := range tok.RestrictingSIDs() {
				out = append(out, g.SID)
			}
			return out
		}
		one := restrict(u, 0, security.Users, security.Everyone, security.Users)
		if !one.IsRestricted() || !slices.Equal(list(one), []security.SID{security.Users, security.Everyone}) {
			t.Errorf("first list %v", list(one))
		}
		two := restrict(one, security.WriteRestrictedFlag, security.Everyone, security.Guests)
		if !slices.Equal(list(two), []security.SID{security.Everyone}) || two.IsWriteRestricted() {
			t.Errorf("second list %v, write only %v", list(two), two.IsWriteRestricted())
		}
		if kept := restrict(one, 0); !slices.Equal(list(kept), list(one)) {
			t.Errorf("an empty list changes the restriction to %v", list(kept))
		}
		none := restrict(two, 0, security.Guests)
		if !none.IsRestricted() || len(list(none)) != 0 {
			t.Errorf("disjoint lists give %v, restricted %v", list(none), none.IsRestricted())
		}
		if _, err := security.Check(none, security.MustSDDL("D:(A;;GA;;;WD)"), 1, security.EventMapping); err != win32.ERROR_ACCESS_DENIED {
			t.Errorf("an empty restricting list lets through: %v", err)
		}
		wide := restrict(u, security.WriteRestrictedFlag, security.Everyone)
		if !wide.IsWriteRestricted() || restrict(wide, 0, security.Everyone).IsWriteRestricted() {
			t.Error("a write-restricted token restricted anew is not restricted for all bits")
		}
		if !restrict(wide, security.WriteRestrictedFlag, security.Everyone).IsWriteRestricted() || !restrict(wide, 0).IsWriteRestricted() {
			t.Error("write-restricted does not stay so")
		}
		if tok := restrict(u, security.WriteRestrictedFlag); tok.IsRestricted() || tok.IsWriteRestricted() {
			t.Error("WRITE_RESTRICTED without SIDs restricts")
		}
	})
	t.Run("SE-31/restricted service", func(t *testing.T) {
		conform.Rule(t, "SE-31", "SCM-36")
		sid := security.ServiceSID("Spooler")
		tok := security.NetworkServiceToken(0).RestrictService(sid)
		var got []string
		for _, g := range tok.RestrictingSIDs() {
			got = append(got, g.SID.String())
		}
		want := []string{sid.String(), "S-1-1-0", "S-1-5-33", tok.LogonSID().String()}
		if diff := cmp.Diff(want, got); diff != "" || !tok.IsWriteRestricted() || !tok.IsMember(sid) {
			t.Errorf("restricting list (-want +got):\n%s", diff)
		}
		d := security.MustSDDL("D:(A;;GA;;;NS)(A;;CC;;;" + sid.String() + ")")
		if got, err := security.Check(tok, d, 1|win32.SYNCHRONIZE, security.EventMapping); err != nil {
			t.Errorf("reading: %v, %v", got, err)
		}
		if _, err := security.Check(tok, d, 2, security.EventMapping); err != win32.ERROR_ACCESS_DENIED {
			t.Errorf("writing: %v", err)
		}
		kept := security.SystemToken(0).KeepPrivileges(security.Privileges(security.SeTcbPrivilege, security.SeRelabelPrivilege))
		if kept.HeldPrivileges() != security.Privileges(security.SeTcbPrivilege, security.SeChangeNotifyPrivilege) {
			t.Errorf("required privileges leave %v", kept.HeldPrivileges())
		}
	})
	t.Run("SE-32/split tokens", func(t *testing.T) {
		conform.Rule(t, "SE-32", "SE-34")
		logon := security.UserLogon{User: alice, Admin: true, Split: true, LogonID: aliceLogon, LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: 1,
			TokenID: 5, LinkedID: 6, ExtraPrivileges: []security.Privilege{security.SeRelabelPrivilege}}
		limited, full := security.UserToken(logon)
		if limited.ElevationType() != security.ElevationLimited || full.ElevationType() != security.ElevationFull || limited.IsElevated() || !full.IsElevated() {
			t.Errorf("types %v and %v", limited.ElevationType(), full.ElevationType())
		}
		if limited.Integrity() != security.LevelMedium || full.Integrity() != security.LevelHigh || limited.IsAdministrator() || !full.IsAdministrator() {
			t.Error("levels or groups of the halves are wrong")
		}
		if a := attributesOf(t, limited, security.Administrators); a != security.GroupUseForDenyOnly {
			t.Errorf("Administrators in the limited half: %#x", a)
		}
		if limited.HeldPrivileges() != user(t).HeldPrivileges()|security.Privileges(security.SeRelabelPrivilege) || limited.Owner() != alice || full.Owner() != security.Administrators {
			t.Errorf("limited half holds %v, owner %v", limited.HeldPrivileges(), limited.Owner())
		}
		if limited.ID() != 5 || full.ID() != 6 || limited.LogonID() != full.LogonID() || limited.LogonSID() != full.LogonSID() {
			t.Error("the halves are not of one logon")
		}
		plain, ok := limited.LinkedFor(limited, 20)
		if !ok || plain.Type() != security.TokenImpersonation || plain.Level() != security.SecurityIdentification || plain.ID() != 20 || plain.ElevationType() != security.ElevationFull {
			t.Errorf("linked token of an ordinary caller: %+v", plain.Spec())
		}
		other, _ := limited.LinkedFor(security.SystemToken(0), 21)
		if other.Type() != security.TokenPrimary || other == plain || other.ID() != 21 {
			t.Error("SeTcb does not give a primary token of its own")
		}
		if back, ok := plain.LinkedFor(limited, 22); !ok || back.ElevationType() != security.ElevationLimited {
			t.Error("the partner of the partner is not of the first one's type")
		}
		dup, err := limited.Duplicate(security.TokenImpersonation, security.SecurityImpersonation, 23)
		if err != nil || dup.ElevationType() != security.ElevationLimited || dup.Linked() == nil {
			t.Error("a duplicate loses its type")
		}
		r, err := limited.Restrict(security.RestrictSpec{Flags: security.DisableMaxPrivilege})
		if err != nil || r.ElevationType() != security.ElevationLimited || r.Linked() != nil {
			t.Error("a restricted token has a link or lost its type")
		}
		if _, ok := user(t).LinkedFor(limited, 1); ok || user(t).ElevationType() != security.ElevationDefault {
			t.Error("an ordinary user's token is linked")
		}
		for _, logonType := range []uint32{win32.LOGON32_LOGON_SERVICE, win32.LOGON32_LOGON_BATCH, win32.LOGON32_LOGON_NETWORK} {
			l := logon
			l.LogonType = logonType
			if _, linked := security.UserToken(l); linked != nil {
				t.Errorf("logon type %d is split", logonType)
			}
		}
	})
}
