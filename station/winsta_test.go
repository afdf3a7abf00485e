// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"slices"
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

const maxAllowed = win32.MAXIMUM_ALLOWED

func TestWindowStationNames(t *testing.T) {
	w := newWorld(t)
	sys := w.system()

	t.Run("WS-12/automatic name", func(t *testing.T) {
		conform.Rule(t, "WS-12", "WS-13", "WS-14", "WS-25", "WS-26")
		h, existed, err := sys.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		same(t, "existed", existed, true) // its own connection plan made it (PC-12)
		name, err := sys.ObjectName(h)
		w.ok(err)
		same(t, "path", name, `\Windows\WindowStations\Service-0x0-3e7$`)
		for _, alias := range []string{"", "Service-0x00000000-00000000$", "SERVICE-0X0-3E7$"} {
			o, err := sys.OpenWindowStation(alias, maxAllowed, false)
			w.ok(err)
			eq, err := sys.CompareObjectHandles(h, o)
			w.ok(err)
			same(t, "opened by "+alias, eq, true)
		}
		ns := w.start(security.NetworkServiceToken(0), nil)
		h, _, err = ns.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		if name, _ := ns.ObjectName(h); name != `\Windows\WindowStations\Service-0x0-3e4$` {
			t.Fatalf("NetworkService's station is %s", name)
		}
	})
	t.Run("WS-10/case", func(t *testing.T) {
		conform.Rule(t, "WS-10", "WS-2")
		_, _, err := sys.CreateWindowStation("Foo\u00e4", 0, maxAllowed, nil)
		w.ok(err)
		h, err := sys.OpenWindowStation("fOO\u00c4", maxAllowed, false)
		w.ok(err)
		name, err := sys.UserObjectInformation(h, win32.UOI_NAME)
		w.ok(err)
		same(t, "UOI_NAME", utf16Text(name), "Foo\u00e4")
	})
	t.Run("WS-11/bad names", func(t *testing.T) {
		conform.Rule(t, "WS-11", "WS-17", "WS-20")
		for _, c := range []struct {
			name string
			want win32.Errno
		}{
			{`a\b`, win32.ERROR_PATH_NOT_FOUND}, {`\Windows\WindowStations\WinSta0`, win32.ERROR_PATH_NOT_FOUND},
			{strings.Repeat("x", 260), win32.ERROR_FILENAME_EXCED_RANGE}, {strings.Repeat("\U0001F600", 130), win32.ERROR_FILENAME_EXCED_RANGE},
			{"a\x00b", win32.ERROR_INVALID_NAME}, {"a\xffb", win32.ERROR_INVALID_NAME},
		} {
			_, _, err := sys.CreateWindowStation(c.name, 0, maxAllowed, nil)
			code(t, err, c.want)
			_, err = sys.OpenWindowStation(c.name, maxAllowed, false)
			code(t, err, c.want)
		}
		_, _, err := sys.CreateWindowStation(strings.Repeat("x", 259), 0, maxAllowed, nil)
		w.ok(err)
		_, _, err = sys.CreateWindowStation("flags", 2, maxAllowed, nil)
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "WS-20")
	})
	t.Run("WS-15/who may create", func(t *testing.T) {
		conform.Rule(t, "WS-15", "WS-16", "WS-3")
		alice := w.logon(1001)
		user := w.start(alice.token, nil)
		_, _, err := user.CreateWindowStation("Mine", 0, maxAllowed, nil)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WS-15")
		_, _, err = user.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		// Opening an existing one is not creating: the DACL decides.
		_, existed, err := user.CreateWindowStation("WinSta0", 0, maxAllowed, nil)
		w.ok(err)
		same(t, "existed", existed, true)
		root := w.logonAs(1002, true)
		admin := w.start(root.token, nil)
		_, _, err = admin.CreateWindowStation("Mine", 0, maxAllowed, nil)
		w.ok(err)
		_, _, err = admin.CreateWindowStation("Service-0x0-3e5$", 0, maxAllowed, nil)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WS-16")
		_, _, err = sys.CreateWindowStation("Service-0x9-9$", 0, maxAllowed, nil)
		w.ok(err)
	})
	t.Run("WS-18/quota", func(t *testing.T) {
		conform.Rule(t, "WS-18")
		w := newWorld(t, func(o *station.Options) { o.Settings.MaxStations = 3 })
		sys := w.system() // WinSta0 and its own are two
		_, _, err := sys.CreateWindowStation("three", 0, maxAllowed, nil)
		w.ok(err)
		_, _, err = sys.CreateWindowStation("four", 0, maxAllowed, nil)
		rule(t, err, win32.ERROR_NOT_ENOUGH_MEMORY, "WS-18")
	})
}

func TestCreateWindowStation(t *testing.T) {
	w := newWorld(t)
	sys := w.system()
	t.Run("ws/createonly", func(t *testing.T) {
		conform.Rule(t, "WS-21", "WS-22")
		a, existed, err := sys.CreateWindowStation("A", win32.CWF_CREATE_ONLY, maxAllowed, nil)
		w.ok(err)
		same(t, "existed", existed, false)
		_, _, err = sys.CreateWindowStation("a", win32.CWF_CREATE_ONLY, maxAllowed, nil)
		rule(t, err, win32.ERROR_ALREADY_EXISTS, "WS-21")
		// The descriptor of the second call does not count.
		b, existed, err := sys.CreateWindowStation("A", 0, win32.WINSTA_ENUMERATE, &station.SecurityAttributes{Descriptor: security.MustSDDL("D:")})
		w.ok(err)
		same(t, "existed", existed, true)
		if a == b {
			t.Fatal("the same handle value was given twice")
		}
		same(t, "granted", granted(t, sys, b), win32.WINSTA_ENUMERATE)
	})
	t.Run("WS-24/creator's access", func(t *testing.T) {
		conform.Rule(t, "WS-24", "AR-2", "AR-3", "AR-13", "AR-25", "AR-28")
		empty := &station.SecurityAttributes{Descriptor: security.MustSDDL("D:")} // grants nobody anything
		for _, c := range []struct {
			name          string
			desired, want win32.AccessMask
		}{
			{"max", maxAllowed, 0x000F016F}, {"all", win32.GENERIC_ALL, 0x000F016F}, {"read", win32.GENERIC_READ, 0x00020103},
			{"write", win32.GENERIC_WRITE, 0x0002000C}, {"exec", win32.GENERIC_EXECUTE, 0x00020060},
			{"named", 0x000F037F, 0x000F037F}, {"none", 0, 0},
		} {
			h, _, err := sys.CreateWindowStation(c.name, 0, c.desired, empty)
			w.ok(err)
			same(t, c.name, granted(t, sys, h), c.want)
		}
		for _, bad := range []win32.AccessMask{win32.SYNCHRONIZE, 0x80, 0x400, 0x8000, 0x04000000} {
			_, _, err := sys.CreateWindowStation("bad", 0, bad, nil)
			rule(t, err, win32.ERROR_ACCESS_DENIED, "WS-24")
		}
		// SYNCHRONIZE is refused on open too, whatever the DACL says.
		_, _, err := sys.CreateWindowStation("open", 0, maxAllowed, &station.SecurityAttributes{Descriptor: security.MustSDDL("D:(A;;GA;;;WD)(A;;0x1f037f;;;WD)")})
		w.ok(err)
		_, err = sys.OpenWindowStation("open", win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
	})
	t.Run("AR-3/system security", func(t *testing.T) {
		conform.Rule(t, "AR-3")
		user := w.start(w.logon(1001).token, nil)
		_, _, err := user.CreateWindowStation("", 0, win32.ACCESS_SYSTEM_SECURITY, nil)
		code(t, err, win32.ERROR_PRIVILEGE_NOT_HELD)
		_, err = user.OpenWindowStation("WinSta0", win32.ACCESS_SYSTEM_SECURITY, false)
		code(t, err, win32.ERROR_PRIVILEGE_NOT_HELD)
	})
	t.Run("WS-27/default descriptor", func(t *testing.T) {
		conform.Rule(t, "WS-27", "WS-28", "WS-29")
		h, _, err := sys.CreateWindowStation("def", 0, maxAllowed, nil)
		w.ok(err)
		sd, err := sys.UserObjectSecurity(h, security.OwnerInformation|security.DACLInformation)
		w.ok(err)
		// Owner and DACL of the LocalSystem token (SE-18), mapped.
		sameSDDL(t, "descriptor", sd, security.AllInformation, "O:BAD:(A;;0xf016f;;;SY)(A;;0x20163;;;BA)")
		if f, _ := sys.HandleInformation(h); f != 0 {
			t.Fatalf("flags %x without attributes", f)
		}
		h, _, err = sys.CreateWindowStation("inh", 0, maxAllowed, &station.SecurityAttributes{Inherit: true})
		w.ok(err)
		if f, _ := sys.HandleInformation(h); f != win32.HANDLE_FLAG_INHERIT {
			t.Fatalf("flags %x of an inheritable handle", f)
		}
		alice := w.logon(1003)
		user := w.start(alice.token, nil)
		h, existed, err := user.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		same(t, "existed", existed, false)
		ws, _ := alice.session.Station(alice.token.LogonID().StationName())
		sameSDDL(t, "WS-47", ws.Descriptor(), security.AllInformation,
			"O:SYG:SYD:(A;;0xf006e;;;"+alice.token.User().String()+")(A;;0xf016f;;;SY)")
		same(t, "creator's access", granted(t, user, h), win32.AccessMask(0x000F016F))
	})
}

func TestEnumWindowStations(t *testing.T) {
	conform.Rule(t, "WS-31", "WS-8", "WS-9", "AR-11")
	w := newWorld(t)
	sys := w.system()
	_, _, err := sys.CreateWindowStation("B", 0, maxAllowed, nil)
	w.ok(err)
	_, _, err = sys.CreateWindowStation("A", 0, maxAllowed, &station.SecurityAttributes{Descriptor: security.MustSDDL("D:(A;;0xf006e;;;SY)")})
	w.ok(err)
	names, err := sys.EnumWindowStations()
	w.ok(err)
	if want := []string{"WinSta0", "Service-0x0-3e7$", "B"}; !slices.Equal(names, want) {
		t.Fatalf("got %q, want %q", names, want)
	}
	alice := w.logon(1001)
	names, err = w.start(alice.token, nil).EnumWindowStations()
	w.ok(err)
	if want := []string{"WinSta0"}; !slices.Equal(names, want) {
		t.Fatalf("alice sees %q, want %q", names, want)
	}
	_, err = w.start(security.NetworkServiceToken(0), nil).EnumWindowStations()
	rule(t, err, win32.ERROR_FILE_NOT_FOUND, "WS-31")
}

func TestCloseProcessStation(t *testing.T) { // ws/close-process-station
	w := newWorld(t)
	th := w.start(w.logon(1001).token, nil)
	h, err := th.ProcessWindowStation()
	w.ok(err)
	again, err := th.ProcessWindowStation()
	w.ok(err)
	same(t, "handle asked for again", again, h)

	t.Run("WS-37/CloseWindowStation", func(t *testing.T) {
		conform.Rule(t, "WS-37", "WS-33", "PC-16")
		rule(t, th.CloseWindowStation(h), win32.ERROR_ACCESS_DENIED, "WS-37")
		rule(t, th.CloseWindowStation(h|3), win32.ERROR_ACCESS_DENIED, "WS-37") // HND-1
	})
	t.Run("WS-38/CloseHandle", func(t *testing.T) {
		conform.Rule(t, "WS-38", "HN-3")
		rule(t, th.CloseHandle(h), win32.ERROR_INVALID_HANDLE, "WS-38")
		f, err := th.HandleInformation(h)
		w.ok(err)
		same(t, "flags", f, 0)
	})
	t.Run("WS-39/wrong handles", func(t *testing.T) {
		conform.Rule(t, "WS-39", "DT-39")
		d, err := th.OpenDesktop("Default", 0, maxAllowed, false)
		w.ok(err)
		for _, bad := range []win32.Handle{0, 0x4000, d, win32.CurrentProcess} {
			rule(t, th.CloseWindowStation(bad), win32.ERROR_INVALID_HANDLE, "WS-39")
		}
		for _, bad := range []win32.Handle{0, 0x4000, h} {
			rule(t, th.CloseDesktop(bad), win32.ERROR_INVALID_HANDLE, "DT-39")
		}
	})
	t.Run("WS-40/duplicate", func(t *testing.T) {
		conform.Rule(t, "WS-40", "HN-4")
		for _, close := range []func(win32.Handle) error{th.CloseWindowStation, th.CloseHandle} {
			d, err := th.DuplicateHandle(win32.CurrentProcess, h, win32.CurrentProcess, 0, false, win32.DUPLICATE_SAME_ACCESS)
			w.ok(err)
			same(t, "granted", granted(t, th, d), granted(t, th, h))
			w.ok(close(d))
		}
		_, err := th.DuplicateHandle(win32.CurrentProcess, h, win32.CurrentProcess, 0, false, win32.DUPLICATE_SAME_ACCESS|win32.DUPLICATE_CLOSE_SOURCE)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "HN-4")
		_, err = th.HandleInformation(h)
		w.ok(err)
	})
	t.Run("WS-34/SetProcessWindowStation", func(t *testing.T) {
		conform.Rule(t, "WS-34", "WS-35", "WS-36", "WS-25")
		tid := th.ID()
		before, err := th.ThreadDesktop(tid)
		w.ok(err)
		n, _, err := th.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		if got, _ := th.ProcessWindowStation(); got != h {
			t.Fatal("CreateWindowStation changed the process's station")
		}
		for _, bad := range []win32.Handle{0, 0x4000, before, win32.CurrentProcess} {
			rule(t, th.SetProcessWindowStation(bad), win32.ERROR_INVALID_HANDLE, "WS-34")
		}
		w.ok(th.SetProcessWindowStation(n))
		got, err := th.ProcessWindowStation()
		w.ok(err)
		same(t, "station handle", got, n)
		after, err := th.ThreadDesktop(tid)
		w.ok(err)
		same(t, "thread desktop", after, before)
		rule(t, th.CloseWindowStation(n), win32.ERROR_ACCESS_DENIED, "WS-37")
		w.ok(th.CloseWindowStation(h)) // closable again
		_, err = th.OpenDesktop("Default", 0, maxAllowed, false)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "DT-29") // the new station has none
	})
}

func TestWindowStationLifetime(t *testing.T) { // ws/lifetime
	w := newWorld(t)
	sys := w.system()
	t.Run("WS-42/last handle", func(t *testing.T) {
		conform.Rule(t, "WS-42", "WS-30", "HN-4")
		h, _, err := sys.CreateWindowStation("gone", 0, maxAllowed, nil)
		w.ok(err)
		h2, err := sys.DuplicateHandle(win32.CurrentProcess, h, win32.CurrentProcess, 0, false, win32.DUPLICATE_SAME_ACCESS)
		w.ok(err)
		w.ok(sys.CloseWindowStation(h))
		h3, err := sys.OpenWindowStation("gone", maxAllowed, false)
		w.ok(err)
		w.ok(sys.CloseHandle(h2))
		w.ok(sys.CloseHandle(h3))
		_, err = sys.OpenWindowStation("gone", maxAllowed, false)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "WS-30")
	})
	t.Run("WS-43/a desktop outlives the name", func(t *testing.T) {
		conform.Rule(t, "WS-43", "DT-41", "DT-20")
		own, err := sys.ProcessWindowStation()
		w.ok(err)
		h, _, err := sys.CreateWindowStation("short", 0, maxAllowed, nil)
		w.ok(err)
		w.ok(sys.SetProcessWindowStation(h))
		d, _, err := sys.CreateDesktop(station.DesktopOptions{Name: "D", Access: maxAllowed})
		w.ok(err)
		w.ok(sys.SetProcessWindowStation(own))
		w.ok(sys.CloseWindowStation(h))
		_, err = sys.OpenWindowStation("short", maxAllowed, false)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "WS-30")
		name, err := sys.UserObjectInformation(d, win32.UOI_NAME)
		w.ok(err)
		same(t, "name of the desktop", utf16Text(name), "D")
		// The same name makes another station, without that desktop.
		h, existed, err := sys.CreateWindowStation("short", 0, maxAllowed, nil)
		w.ok(err)
		same(t, "existed", existed, false)
		_, err = sys.EnumDesktops(h)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "DT-30")
		w.ok(sys.CloseDesktop(d))
		w.ok(sys.CloseWindowStation(h))
	})
	t.Run("WS-41/process exit", func(t *testing.T) {
		conform.Rule(t, "WS-41", "HND-8", "WS-42")
		other := w.start(security.SystemToken(0), nil)
		_, _, err := other.CreateWindowStation("exit", 0, maxAllowed, nil)
		w.ok(err)
		w.host.Process(other.Process().ID()).Exit(0)
		<-other.Process().Done()
		_, err = sys.OpenWindowStation("exit", maxAllowed, false)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "WS-30")
		_, _, err = other.CreateWindowStation("late", 0, maxAllowed, nil)
		code(t, err, win32.ERROR_INVALID_HANDLE)
	})
	t.Run("WS-45/held stations", func(t *testing.T) {
		conform.Rule(t, "WS-45", "WS-8", "WS-50")
		ns := w.start(security.NetworkServiceToken(0), nil)
		same(t, "location", location(t, ns), `Service-0x0-3e4$\Default`)
		w.host.Process(ns.Process().ID()).Exit(0)
		<-ns.Process().Done()
		ws, ok := w.zero.Station("service-0x0-3e4$")
		if !ok || len(ws.Desktops()) != 1 {
			t.Fatal("the station of NetworkService went with its last process")
		}
		// Another service's goes, each has its own.
		a, b := w.userToken(0, 1100, false), w.userToken(0, 1100, false)
		one, two := w.start(a, nil), w.start(b, nil)
		if location(t, one) == location(t, two) {
			t.Fatal("two logons of one account share a station")
		}
		w.host.Process(one.Process().ID()).Exit(0)
		<-one.Process().Done()
		if _, ok := w.zero.Station(a.LogonID().StationName()); ok {
			t.Fatal("the station of a service that ended is still there")
		}
	})
}

func TestServiceStation(t *testing.T) { // ws/service-dacl, pc/service
	conform.Rule(t, "WS-47", "WS-48", "WS-49", "WS-50", "WS-53", "PC-12", "PC-15", "PC-3", "DT-7", "AR-4", "AR-20")
	w := newWorld(t)
	tok := w.userToken(0, 1100, false)
	p, err := w.e.StartProcess(t.Context(), tok, station.ProcessOptions{Path: "/bin/service", Connect: true})
	w.ok(err)
	same(t, "connected before its first call", p.Connected(), true)
	th := w.attach(p)
	same(t, "location", location(t, th), tok.LogonID().StationName()+`\Default`)
	ws, err := th.ProcessWindowStation()
	w.ok(err)
	d, err := th.ThreadDesktop(th.ID())
	w.ok(err)
	same(t, "station rights", granted(t, th, ws), win32.AccessMask(0x000F006E))
	same(t, "desktop rights", granted(t, th, d), win32.AccessMask(0x000F00CF))
	_, err = th.EnumDesktops(0)
	rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-30")
	_, err = th.EnumWindowStations()
	code(t, err, win32.ERROR_FILE_NOT_FOUND)
	rule(t, th.SwitchDesktop(d), win32.ERROR_ACCESS_DENIED, "DT-46")
	for _, h := range []win32.Handle{ws, d} {
		flags, err := th.UserObjectInformation(h, win32.UOI_FLAGS)
		w.ok(err)
		if flags[0] != 0 || flags[8] != 0 {
			t.Fatalf("flags % x: inheritable or visible", flags)
		}
	}
	// A second service of the account may open it by name, LocalSystem too.
	other := w.start(w.userToken(0, 1100, false), nil)
	h, err := other.OpenWindowStation(tok.LogonID().StationName(), maxAllowed, false)
	w.ok(err)
	same(t, "second service", granted(t, other, h), win32.AccessMask(0x000F006E))
	sys := w.system()
	h, err = sys.OpenWindowStation(tok.LogonID().StationName(), maxAllowed, false)
	w.ok(err)
	same(t, "LocalSystem", granted(t, sys, h), win32.AccessMask(0x000F016F))
	stranger := w.start(w.userToken(0, 1101, false), nil)
	_, err = stranger.OpenWindowStation(tok.LogonID().StationName(), maxAllowed, false)
	code(t, err, win32.ERROR_ACCESS_DENIED)
}

func TestOtherSession(t *testing.T) { // ws/other-session
	conform.Rule(t, "WS-2", "WS-34", "HN-5", "DT-34", "DT-46", "WS-45", "SES-4", "LGN-20")
	w := newWorld(t)
	alice := w.logon(1001)
	bob := w.logonAs(1002, true)
	a, b := w.start(alice.token, nil), w.start(bob.token, nil)
	_, _, err := b.CreateWindowStation("Bobs", 0, maxAllowed, nil)
	w.ok(err)
	_, err = a.OpenWindowStation("Bobs", maxAllowed, false)
	rule(t, err, win32.ERROR_FILE_NOT_FOUND, "WS-30")

	// Through a handle that LocalSystem puts into alice's process.
	sys := w.system()
	hb, err := sys.OpenProcess(b.Process().ID(), win32.PROCESS_ALL_ACCESS, false)
	w.ok(err)
	ha, err := sys.OpenProcess(a.Process().ID(), win32.PROCESS_ALL_ACCESS, false)
	w.ok(err)
	ws, err := b.ProcessWindowStation()
	w.ok(err)
	desk, err := b.ThreadDesktop(b.ID())
	w.ok(err)
	foreignWS, err := sys.DuplicateHandle(hb, ws, ha, 0, false, win32.DUPLICATE_SAME_ACCESS)
	w.ok(err)
	foreignDesk, err := sys.DuplicateHandle(hb, desk, ha, 0, false, win32.DUPLICATE_SAME_ACCESS)
	w.ok(err)

	name, err := a.UserObjectInformation(foreignWS, win32.UOI_NAME)
	w.ok(err)
	same(t, "name", utf16Text(name), "WinSta0")
	rule(t, a.SetProcessWindowStation(foreignWS), win32.ERROR_ACCESS_DENIED, "WS-34")
	rule(t, a.SetThreadDesktop(foreignDesk), win32.ERROR_ACCESS_DENIED, "DT-34")
	rule(t, a.SwitchDesktop(foreignDesk), win32.ERROR_INVALID_HANDLE, "DT-46")

	// When bob's session is gone the handles can be closed and nothing else.
	w.ok(w.e.EndSession(t.Context(), bob.session.ID()))
	for _, h := range []win32.Handle{foreignWS, foreignDesk} {
		_, err = a.UserObjectInformation(h, win32.UOI_NAME)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "WS-45")
		_, err = a.UserObjectSecurity(h, security.DACLInformation)
		code(t, err, win32.ERROR_INVALID_HANDLE)
	}
	_, err = a.EnumDesktops(foreignWS)
	code(t, err, win32.ERROR_INVALID_HANDLE)
	rule(t, a.SetThreadDesktop(foreignDesk), win32.ERROR_ACCESS_DENIED, "DT-34")
	w.ok(a.CloseHandle(foreignWS))
	w.ok(a.CloseDesktop(foreignDesk))
}

func TestInteractiveStation(t *testing.T) {
	w := newWorld(t)
	t.Run("WS-46/before logon", func(t *testing.T) {
		conform.Rule(t, "WS-46", "WS-3", "WS-4", "WS-5", "WS-6", "DT-5", "DT-6", "DT-9", "DT-10", "DT-11", "DT-12", "LGN-11")
		s, err := w.e.CreateSession(t.Context(), station.SessionOptions{})
		w.ok(err)
		ws := s.Interactive()
		same(t, "name", ws.Name(), "WinSta0")
		same(t, "interactive", ws.Interactive(), true)
		sameSDDL(t, "WinSta0", ws.Descriptor(), security.DACLInformation, "D:(A;;0xf037f;;;SY)(A;OICIIO;GA;;;SY)(A;;0x102;;;BA)(A;OICIIO;0xc7;;;BA)")
		want := map[string]string{
			"Default":      "D:(A;;0xf01ff;;;SY)(A;;0xc7;;;BA)",
			"Winlogon":     "D:(A;;0xf01ff;;;SY)(A;;0x20040;;;BA)",
			"Screen-saver": "D:(A;;0xf01ff;;;SY)(A;;0xc7;;;BA)",
			"Disconnect":   "D:(A;;0xf01ff;;;SY)",
		}
		var names []string
		for _, d := range ws.Desktops() {
			names = append(names, d.Name())
			sameSDDL(t, d.Name(), d.Descriptor(), security.DACLInformation, want[d.Name()])
			same(t, d.Name()+" secure", d.Secure(), d.Name() != "Default")
		}
		if len(names) != 4 {
			t.Fatalf("desktops %q", names)
		}
		same(t, "active", s.ActiveDesktop().Name(), "Winlogon")
	})
	t.Run("WS-7/logon and logoff", func(t *testing.T) {
		conform.Rule(t, "WS-7", "WS-46", "DT-9", "DT-11", "LGN-12", "WTS-1", "WTS-2")
		alice := w.logon(1001)
		ws := alice.session.Interactive()
		sid := alice.token.LogonSID().String()
		sameSDDL(t, "WinSta0", ws.Descriptor(), security.DACLInformation, "D:(A;;0xf037f;;;SY)(A;OICIIO;GA;;;SY)(A;;0x102;;;BA)(A;OICIIO;0xc7;;;BA)(A;;0xf037f;;;"+sid+")(A;OICIIO;GA;;;"+sid+")")
		d, _ := ws.Desktop("Default")
		sameSDDL(t, "Default", d.Descriptor(), security.DACLInformation, "D:(A;;0xf01ff;;;SY)(A;;0xc7;;;BA)(A;;0xf01ff;;;"+sid+")")
		d, _ = ws.Desktop("ScreenSaver")
		sameSDDL(t, "Screen-saver", d.Descriptor(), security.DACLInformation, "D:(A;;0xf01ff;;;SY)(A;;0xc7;;;BA)(A;;0x20043;;;"+sid+")")
		same(t, "user", ws.UserSID(), alice.token.User())
		th := w.start(alice.token, nil)
		_, err := th.CheckSession("Test", win32.WTS_CURRENT_SESSION, 0x36f)
		w.ok(err)
		_, err = th.CheckSession("Test", win32.WTS_CURRENT_SESSION, win32.WINSTATION_SHADOW)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WTS-3")
		_, err = th.CheckSession("Test", 0, win32.WINSTATION_QUERY)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WTS-3")
		_, err = th.CheckSession("Test", 77, win32.WINSTATION_QUERY)
		rule(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND, "WTS-3")

		w.ok(w.e.LogoffSession(t.Context(), alice.session))
		sameSDDL(t, "WinSta0 after logoff", ws.Descriptor(), security.DACLInformation, "D:(A;;0xf037f;;;SY)(A;OICIIO;GA;;;SY)(A;;0x102;;;BA)(A;OICIIO;0xc7;;;BA)")
		same(t, "user after logoff", ws.UserSID().IsZero(), true)
		same(t, "programs", w.host.Running(), 0)
	})
	t.Run("LGN-12/a second logon session of the same user", func(t *testing.T) {
		conform.Rule(t, "LGN-12", "AR-29", "PC-14")
		alice := w.logon(1005)
		again := w.userToken(alice.session.ID(), 1005, false)
		th := w.start(again, text(""))
		same(t, "location", location(t, th), again.LogonID().StationName()+`\Default`)
		_, err := th.OpenWindowStation("WinSta0", maxAllowed, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
	})
}

func utf16Text(b []byte) string {
	var r []rune
	for i := 0; i+3 < len(b); i += 2 {
		u := rune(b[i]) | rune(b[i+1])<<8
		r = append(r, u)
	}
	return string(r)
}
