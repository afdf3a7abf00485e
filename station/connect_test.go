// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"slices"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// want is what one CreateProcess should come to: a place, or a failure.
type want struct {
	place  string // station\desktop
	failed string // object that could not be had; "" for none
	step   string // rule that failed
}

// connects creates a process and checks where it connects.
func (w *world) connects(t *testing.T, of *station.Thread, o station.ProcessOptions, exp want) *station.Thread {
	t.Helper()
	th, h := w.child(of, o)
	if exp.failed == "" {
		if th == nil {
			ev := eventsOf(w, station.EventConnectFailed)
			t.Fatalf("the process ended: %+v", ev[len(ev)-1])
		}
		same(t, "location", location(t, th), exp.place)
		return th
	}
	same(t, "exit code", ended(t, of, h), win32.STATUS_DLL_INIT_FAILED)
	ev := eventsOf(w, station.EventConnectFailed)
	if len(ev) == 0 {
		t.Fatal("no event (PC-18)")
	}
	last := ev[len(ev)-1].Fields
	if last["object"] != exp.failed || last["step"] != exp.step {
		t.Fatalf("the event names %q by %s, want %q by %s", last["object"], last["step"], exp.failed, exp.step)
	}
	return nil
}

func TestLpDesktop(t *testing.T) { // pc/lpdesktop
	conform.Rule(t, "SD-1", "SD-2", "SD-3", "SD-4", "SD-5", "SD-6", "SD-7", "SD-8", "SD-9", "PC-8", "PC-9", "PC-10", "PC-11", "PC-17", "PC-18", "PRC-12", "TC-2", "TC-4")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	same(t, "interactive logon", location(t, th), `WinSta0\Default`)
	_, _, err := th.CreateDesktop(desk("Work"))
	w.ok(err)
	_, _, err = th.CreateDesktop(desk("x"))
	w.ok(err)
	for _, c := range []struct {
		lp  *string
		exp want
	}{
		{nil, want{place: `WinSta0\Default`}},
		{text(""), want{place: `WinSta0\Default`}},
		{text("Default"), want{place: `WinSta0\Default`}},
		{text("work"), want{place: `WinSta0\Work`}},
		{text("x"), want{place: `WinSta0\x`}},
		{text(`winsta0\default`), want{place: `WinSta0\Default`}},
		{text(`WinSta0\Work`), want{place: `WinSta0\Work`}},
		{text(`WinSta0\`), want{failed: `WinSta0\`, step: "SD-5"}},
		{text(`\Default`), want{failed: `\Default`, step: "SD-5"}},
		{text(`\`), want{failed: `\`, step: "SD-5"}},
		{text(`WinSta0\Default\`), want{failed: `WinSta0\Default\`, step: "SD-6"}},
		{text(`a\b\c`), want{failed: `a\b\c`, step: "SD-6"}},
		{text(`WinSta0/Default`), want{failed: `WinSta0\WinSta0/Default`, step: "SD-9"}},
		{text("Missing"), want{failed: `WinSta0\Missing`, step: "SD-9"}},
		{text(" Default"), want{failed: `WinSta0\ Default`, step: "SD-9"}},
		{text("Default "), want{failed: `WinSta0\Default `, step: "SD-9"}},
		{text(`Nowhere\Default`), want{failed: "Nowhere", step: "PC-10"}},
		{text(`WinSta0\Missing`), want{failed: `WinSta0\Missing`, step: "SD-9"}},
		{text(`WinSta0\Winlogon`), want{failed: `WinSta0\Winlogon`, step: "TC-4"}},
		{text(`Service-0x0-3e7$\Default`), want{failed: "Service-0x0-3e7$", step: "PC-10"}}, // there is none in this session
	} {
		name := "NULL"
		if c.lp != nil {
			name = *c.lp
		}
		t.Run(name, func(t *testing.T) { w.connects(t, th, station.ProcessOptions{Desktop: c.lp}, c.exp) })
	}
	t.Run("from another desktop", func(t *testing.T) {
		work := w.connects(t, th, station.ProcessOptions{Desktop: text("Work")}, want{place: `WinSta0\Work`})
		w.connects(t, work, station.ProcessOptions{}, want{place: `WinSta0\Work`})                     // NULL inherits
		w.connects(t, work, station.ProcessOptions{Desktop: text("")}, want{place: `WinSta0\Default`}) // "" does not
	})
}

func TestConnectionOrder(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)

	t.Run("PC-2/choosing before connecting", func(t *testing.T) {
		conform.Rule(t, "PC-1", "PC-2", "PC-5", "TC-7", "WS-33")
		th := w.start(alice.token, nil)
		same(t, "connected", th.Process().Connected(), false)
		// None of these connects.
		h, _, err := th.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		ws0, err := th.OpenWindowStation("WinSta0", maxAllowed, false)
		w.ok(err)
		_, err = th.EnumWindowStations()
		w.ok(err)
		_, err = th.EnumDesktops(ws0)
		w.ok(err)
		_, err = th.UserObjectInformation(ws0, win32.UOI_NAME)
		w.ok(err)
		_, err = th.UserObjectSecurity(ws0, security.DACLInformation)
		w.ok(err)
		w.ok(th.CloseWindowStation(ws0))
		same(t, "connected", th.Process().Connected(), false)
		w.ok(th.SetProcessWindowStation(h))
		d, _, err := th.CreateDesktop(desk("Default"))
		w.ok(err)
		w.ok(th.SetThreadDesktop(d))
		same(t, "location", location(t, th), alice.token.LogonID().StationName()+`\Default`)
		got, err := th.ThreadDesktop(th.ID())
		w.ok(err)
		same(t, "thread desktop", got, d)
	})
	t.Run("PC-2/what connects", func(t *testing.T) {
		conform.Rule(t, "PC-2", "WS-33", "DT-14", "DT-29")
		for name, call := range map[string]func(*station.Thread) error{
			"GetProcessWindowStation": func(th *station.Thread) error { _, err := th.ProcessWindowStation(); return err },
			"GetThreadDesktop":        func(th *station.Thread) error { _, err := th.ThreadDesktop(th.ID()); return err },
			"CreateDesktop":           func(th *station.Thread) error { _, _, err := th.CreateDesktop(desk("C")); return err },
			"OpenDesktop":             func(th *station.Thread) error { _, err := th.OpenDesktop("Default", 0, maxAllowed, false); return err },
			"OpenInputDesktop":        func(th *station.Thread) error { _, err := th.OpenInputDesktop(0, maxAllowed, false); return err },
			"EnumDesktops":            func(th *station.Thread) error { _, err := th.EnumDesktops(0); return err },
			"IsGUIThread":             (*station.Thread).Connect,
		} {
			th := w.start(alice.token, nil)
			w.ok(call(th))
			if !th.Process().Connected() {
				t.Errorf("%s did not connect the process", name)
			}
		}
	})
	t.Run("PC-6/inherited handles", func(t *testing.T) { // pc/inherit-two
		conform.Rule(t, "PC-6", "PC-7", "PC-19", "TC-2", "TC-3", "SD-10", "HN-6", "HND-4", "HND-13", "PC-16")
		root := w.logonAs(1002, true)
		th := w.start(root.token, nil)
		w.ok(th.Connect())
		inherit := &station.SecurityAttributes{Inherit: true}
		own, _ := th.ProcessWindowStation()
		var stations []win32.Handle
		for _, name := range []string{"First", "Second"} {
			h, _, err := th.CreateWindowStation(name, 0, maxAllowed, inherit)
			w.ok(err)
			w.ok(th.SetProcessWindowStation(h))
			for _, d := range []string{"Default", "Other"} {
				o := desk(d)
				o.Inherit = d == "Other"
				_, _, err = th.CreateDesktop(o)
				w.ok(err)
			}
			w.ok(th.SetProcessWindowStation(own))
			stations = append(stations, h)
		}
		// The lowest handle wins over lpDesktop, and keeps its value and mask.
		child := w.connects(t, th, station.ProcessOptions{InheritHandles: true, Desktop: text(`WinSta0\Default`)}, want{place: `First\Other`})
		h, err := child.ProcessWindowStation()
		w.ok(err)
		same(t, "station handle", h, stations[0])
		same(t, "mask", granted(t, child, h), granted(t, th, stations[0]))
		rule(t, child.CloseWindowStation(h), win32.ERROR_ACCESS_DENIED, "WS-37")
		// Without the first one the second: its desktop handle, not the first's.
		w.ok(th.SetHandleInformation(stations[0], win32.HANDLE_FLAG_INHERIT, 0))
		w.connects(t, th, station.ProcessOptions{InheritHandles: true}, want{place: `Second\Other`})
		// bInheritHandles FALSE: none.
		w.connects(t, th, station.ProcessOptions{}, want{place: `WinSta0\Default`})
		// A bad lpDesktop fails even so.
		w.connects(t, th, station.ProcessOptions{InheritHandles: true, Desktop: text(`\x`)}, want{failed: `\x`, step: "SD-5"})
	})
	t.Run("SD-10/desktop of an inherited station", func(t *testing.T) {
		conform.Rule(t, "SD-10", "TC-3", "TC-5")
		root := w.logonAs(1003, true)
		th := w.start(root.token, nil)
		w.ok(th.Connect())
		own, _ := th.ProcessWindowStation()
		h, _, err := th.CreateWindowStation("Custom", 0, maxAllowed, &station.SecurityAttributes{Inherit: true})
		w.ok(err)
		// No Default there: nothing is made (TC-5).
		w.connects(t, th, station.ProcessOptions{InheritHandles: true}, want{failed: `Custom\Default`, step: "TC-5"})
		w.ok(th.SetProcessWindowStation(h))
		_, _, err = th.CreateDesktop(desk("Room"))
		w.ok(err)
		w.ok(th.SetProcessWindowStation(own))
		w.connects(t, th, station.ProcessOptions{InheritHandles: true, Desktop: text("Room")}, want{place: `Custom\Room`})
		w.connects(t, th, station.ProcessOptions{InheritHandles: true, Desktop: text("Default")}, want{failed: `Custom\Default`, step: "SD-9"})
	})
	t.Run("PC-8/denied by the parent's station", func(t *testing.T) {
		conform.Rule(t, "PC-8", "PC-12", "PC-20", "PRC-10", "PRC-11")
		// Not interactive: the child's own station.
		sys := w.system()
		w.ok(sys.Connect())
		tok := w.userToken(0, 1100, false)
		h, err := sys.InsertToken(tok, 0, "")
		w.ok(err)
		w.connects(t, sys, station.ProcessOptions{Token: h}, want{place: tok.LogonID().StationName() + `\Default`})
		// Interactive: failure. Another logon session of the user has another SID.
		inside := w.start(security.SystemToken(alice.session.ID()), text(`WinSta0\Default`))
		w.ok(inside.Connect())
		again := w.userToken(alice.session.ID(), 1001, false)
		h, err = inside.InsertToken(again, 0, "")
		w.ok(err)
		w.connects(t, inside, station.ProcessOptions{Token: h}, want{failed: "WinSta0", step: "PC-8"})
		w.connects(t, inside, station.ProcessOptions{Token: h, Desktop: text(`WinSta0\Default`)}, want{failed: "WinSta0", step: "PC-10"})
		// Until the DACLs of both let it in (UO-16).
		for _, x := range []struct {
			open func() (win32.Handle, error)
			ace  string
		}{
			{func() (win32.Handle, error) { return inside.OpenWindowStation("WinSta0", maxAllowed, false) }, "(A;;0xf037f;;;"},
			{func() (win32.Handle, error) { return inside.OpenDesktop("Default", 0, maxAllowed, false) }, "(A;;0xf01ff;;;"},
		} {
			o, err := x.open()
			w.ok(err)
			sd, err := inside.UserObjectSecurity(o, security.DACLInformation)
			w.ok(err)
			w.ok(inside.SetUserObjectSecurity(o, security.DACLInformation,
				security.MustSDDL(sd.SDDL(security.DACLInformation, machine)+x.ace+again.LogonSID().String()+")")))
		}
		w.connects(t, inside, station.ProcessOptions{Token: h}, want{place: `WinSta0\Default`})
	})
	t.Run("PC-11/from another session", func(t *testing.T) {
		conform.Rule(t, "PC-11", "PC-13", "PC-14", "PC-20", "PC-21", "PRC-1", "PRC-8", "PRC-10")
		sys := w.system()
		w.ok(sys.Connect())
		user, err := sys.InsertToken(alice.token, 0, "")
		w.ok(err)
		child := w.connects(t, sys, station.ProcessOptions{Token: user}, want{place: `WinSta0\Default`})
		same(t, "session", child.Process().Session(), alice.session)
		_, _, err = sys.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Token: user, InheritHandles: true})
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "PRC-8")
		// LocalSystem moved there is not the interactive user.
		moved, err := sys.InsertToken(security.SystemToken(alice.session.ID()), 0, "")
		w.ok(err)
		child = w.connects(t, sys, station.ProcessOptions{Token: moved}, want{place: `Service-0x0-3e7$\Default`})
		ws, _ := alice.session.Station("Service-0x0-3e7$")
		if ws == nil || ws.Session() != child.Process().Session() {
			t.Fatal("the station is not in the session of the process")
		}
		w.connects(t, sys, station.ProcessOptions{Token: moved, Desktop: text(`winsta0\winlogon`)}, want{place: `WinSta0\Winlogon`})
		w.connects(t, sys, station.ProcessOptions{Token: moved, Desktop: text("")}, want{place: `Service-0x0-3e7$\Default`})
		// In session 0 too (PC-13).
		w.connects(t, sys, station.ProcessOptions{Desktop: text("")}, want{place: `Service-0x0-3e7$\Default`})
	})
	t.Run("PC-4/primary token", func(t *testing.T) {
		conform.Rule(t, "PC-4", "PRC-21")
		th := w.start(security.SystemToken(0), nil)
		h, err := th.InsertToken(w.userToken(0, 1100, false), 0, "")
		w.ok(err)
		w.ok(th.Impersonate(h))
		same(t, "location", location(t, th), `Service-0x0-3e7$\Default`)
		child, _ := w.child(th, station.ProcessOptions{})
		same(t, "child's user", child.Process().Token().User(), security.System)
	})
	t.Run("pc/noninheritable", func(t *testing.T) {
		conform.Rule(t, "PC-15", "TC-6", "UO-17", "UO-1")
		th := w.start(alice.token, nil)
		w.ok(th.Connect())
		ws, _ := th.ProcessWindowStation()
		d, _ := th.ThreadDesktop(th.ID())
		for _, h := range []win32.Handle{ws, d} {
			f, err := th.UserObjectInformation(h, win32.UOI_FLAGS)
			w.ok(err)
			same(t, "fInherit", f[0], 0)
		}
		same(t, "station rights", granted(t, th, ws), win32.AccessMask(0x000F037F))
		same(t, "desktop rights", granted(t, th, d), win32.AccessMask(0x000F01FF))
	})
	t.Run("PC-17/at the first call", func(t *testing.T) {
		conform.Rule(t, "PC-17", "TC-4", "TC-5")
		root := w.logonAs(1004, true)
		th := w.start(root.token, nil)
		h, _, err := th.CreateWindowStation("Bare", 0, maxAllowed, nil)
		w.ok(err)
		w.ok(th.SetProcessWindowStation(h))
		rule(t, th.Connect(), win32.ERROR_FILE_NOT_FOUND, "PC-17")
		<-th.Process().Done()
		c, _, _ := th.Process().ExitCode()
		same(t, "exit code", c, win32.STATUS_DLL_INIT_FAILED)
	})
}

func TestForkedProcess(t *testing.T) {
	conform.Rule(t, "HND-12", "PC-4", "PC-8", "LGN-21")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	_, _, err := th.CreateDesktop(desk("Work"))
	w.ok(err)
	work, _ := w.child(th, station.ProcessOptions{Desktop: text("Work")})

	attach := func(spec station.AttachSpec) *station.Thread {
		t.Helper()
		x, err := w.e.AttachThread(spec)
		w.ok(err)
		t.Cleanup(x.Detach)
		return x
	}
	fork := attach(station.AttachSpec{PID: 5001, StartTime: 9, Ancestors: []int{5000, work.Process().ID(), th.Process().ID()}, Session: 1, InSession: true})
	same(t, "token", fork.Process().Token().User(), alice.token.User())
	same(t, "parent", fork.Process().ParentID(), work.Process().ID())
	same(t, "location", location(t, fork), `WinSta0\Work`)
	same(t, "the same record", attach(station.AttachSpec{PID: 5001, StartTime: 9, Session: 1, InSession: true}).Process(), fork.Process())
	// Its number given to another process: another record.
	next := attach(station.AttachSpec{PID: 5001, StartTime: 10, Session: 1, InSession: true})
	if next.Process() == fork.Process() {
		t.Fatal("a reused pid got the old record")
	}
	same(t, "orphan's user", next.Process().Token().User(), alice.token.User())
	w.e.ForgetProcess(5001, 9)
	if _, ok := w.e.Process(5001); !ok {
		t.Fatal("the wrong record was forgotten")
	}
	w.e.ForgetProcess(5001, 10)
	if _, ok := w.e.Process(5001); ok {
		t.Fatal("the record was not forgotten")
	}

	for name, spec := range map[string]station.AttachSpec{
		"orphan of session 0":      {PID: 6000, Session: 0, InSession: true},
		"ancestor elsewhere":       {PID: 6001, Session: 0, InSession: true, Ancestors: []int{th.Process().ID()}},
		"no such session":          {PID: 6002, Session: 9, InSession: true},
		"known in another session": {PID: th.Process().ID(), Session: 0, InSession: true},
		"outsider without a token": {PID: 6003},
		"insider from the outside": {PID: th.Process().ID(), Fallback: security.SystemToken(0)},
	} {
		_, err := w.e.AttachThread(spec)
		if win32.Code(err) != win32.ERROR_ACCESS_DENIED {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The operator, and a network logon without a window station.
	op := attach(station.AttachSpec{PID: 7000, Fallback: security.SystemToken(0)})
	same(t, "operator", location(t, op), `Service-0x0-3e7$\Default`)
	guest := attach(station.AttachSpec{PID: 7001, Fallback: w.userToken(0, 1200, false), NoStation: true})
	rule(t, guest.Connect(), win32.ERROR_ACCESS_DENIED, "PC-17")
	same(t, "still there", guest.Process().Outside(), true)
}

// A set-uid program, or the orphan of a program that ran as somebody else, must
// not be taken for its parent or for the session's user.
func TestForkWithAnotherUser(t *testing.T) {
	conform.Rule(t, "HND-12")
	uids := map[security.SID]uint32{security.System: 0, machine.Child(1001): 1001, machine.Child(1002): 1002}
	w := newWorld(t, func(o *station.Options) {
		o.Identity = func(tok *security.Token) (station.Identity, error) {
			return station.Identity{UID: uids[tok.User()]}, nil
		}
	})
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	same(t, "uid of the program", w.host.Process(th.Process().ID()).Spec().UID, 1001)
	for _, c := range []struct {
		name string
		spec station.AttachSpec
		ok   bool
	}{
		{"the user's orphan", station.AttachSpec{PID: 5001, UID: 1001}, true},
		{"another user's orphan", station.AttachSpec{PID: 5002, UID: 1002}, false},
		{"set-uid child", station.AttachSpec{PID: 5003, UID: 0, Ancestors: []int{th.Process().ID()}}, false},
		{"the program after setuid", station.AttachSpec{PID: th.Process().ID(), UID: 1002}, false},
	} {
		c.spec.Session, c.spec.InSession, c.spec.HasUID = 1, true, true
		x, err := w.e.AttachThread(c.spec)
		if err == nil {
			x.Detach()
		}
		if (err == nil) != c.ok || err != nil && win32.Code(err) != win32.ERROR_ACCESS_DENIED {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestFirstCallBeforeCommit(t *testing.T) {
	conform.Rule(t, "HND-12")
	w := newWorld(t)
	alice := w.logon(1001)
	// The program calls before Spawn has returned: it must not be taken for an
	// orphan.
	result := make(chan *station.Thread, 1)
	w.host.OnSpawn(func(p *station.MemoryProcess) error {
		go func() {
			th, err := w.e.AttachThread(station.AttachSpec{PID: p.PID(), StartTime: p.StartTime(), Session: 1, InSession: true})
			if err != nil {
				t.Error(err)
			}
			result <- th
		}()
		return nil
	})
	p, err := w.e.StartProcess(context.Background(), alice.token, station.ProcessOptions{Path: "/bin/eager", Tag: "t"})
	w.ok(err)
	th := <-result
	defer th.Detach()
	same(t, "record", th.Process(), p)
}

func TestSessionLogoffWhileConnecting(t *testing.T) {
	conform.Rule(t, "PRC-7", "LGN-19")
	w := newWorld(t)
	alice := w.logon(1001)
	sys := w.system()
	h, err := sys.InsertToken(alice.token, 0, "")
	w.ok(err)
	w.ok(w.e.LogoffSession(t.Context(), alice.session))
	_, _, err = sys.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Token: h})
	rule(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND, "PRC-7")
	w.ok(w.e.EndSession(t.Context(), 1))
	_, _, err = sys.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Token: h})
	rule(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND, "PRC-7")
	if slices.ContainsFunc(w.e.Sessions(), func(s *station.Session) bool { return s.ID() == 1 }) {
		t.Fatal("session 1 is still listed")
	}
	bob := w.logon(1002)
	same(t, "next id", bob.session.ID(), 2)
}
