// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func desk(name string) station.DesktopOptions {
	return station.DesktopOptions{Name: name, Access: maxAllowed}
}

func TestCreateDesktop(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)

	t.Run("DT-3/names", func(t *testing.T) {
		conform.Rule(t, "DT-3", "DT-14", "DT-15", "DT-24")
		for _, c := range []struct {
			o    station.DesktopOptions
			want win32.Errno
			rule string
		}{
			{desk(""), win32.ERROR_INVALID_HANDLE, "DT-3"},
			{desk(`a\b`), win32.ERROR_BAD_PATHNAME, "DT-3"},
			{desk(strings.Repeat("x", 260)), win32.ERROR_FILENAME_EXCED_RANGE, "DT-3"},
			{station.DesktopOptions{Name: "f", Flags: 2, Access: maxAllowed}, win32.ERROR_INVALID_PARAMETER, "DT-15"},
			{station.DesktopOptions{Name: "h", HeapKB: 63, Access: maxAllowed}, win32.ERROR_INVALID_PARAMETER, "DT-24"},
			{station.DesktopOptions{Name: "h", HeapKB: 65537, Access: maxAllowed}, win32.ERROR_INVALID_PARAMETER, "DT-24"},
			{station.DesktopOptions{Name: "s", Surface: "wayland", Access: maxAllowed}, win32.ERROR_INVALID_PARAMETER, "DT-14"},
			{station.DesktopOptions{Name: "s", Width: -1, Height: 1, Access: maxAllowed}, win32.ERROR_INVALID_PARAMETER, "DT-14"},
		} {
			_, _, err := th.CreateDesktop(c.o)
			rule(t, err, c.want, c.rule)
		}
		for _, name := range []string{"", `a\b`} {
			_, err := th.OpenDesktop(name, 0, maxAllowed, false)
			rule(t, err, map[string]win32.Errno{"": win32.ERROR_INVALID_HANDLE, `a\b`: win32.ERROR_BAD_PATHNAME}[name], "DT-3")
		}
		_, _, err := th.CreateDesktop(desk("MiXed"))
		w.ok(err)
		h, err := th.OpenDesktop("mIxED", 0, maxAllowed, false)
		w.ok(err)
		name, _ := th.UserObjectInformation(h, win32.UOI_NAME)
		same(t, "name", utf16Text(name), "MiXed")
	})
	t.Run("DT-16/existing", func(t *testing.T) {
		conform.Rule(t, "DT-16", "DT-18", "DT-19", "DT-20", "DT-1")
		before, err := th.ThreadDesktop(th.ID())
		w.ok(err)
		a, existed, err := th.CreateDesktop(desk("Work"))
		w.ok(err)
		same(t, "existed", existed, false)
		same(t, "creator's access", granted(t, th, a), win32.AccessMask(0x000F01FF))
		b, existed, err := th.CreateDesktop(station.DesktopOptions{Name: "work", Access: win32.DESKTOP_READOBJECTS, HeapKB: 64,
			Descriptor: security.MustSDDL("D:")})
		w.ok(err)
		same(t, "existed", existed, true)
		if a == b {
			t.Fatal("the same handle value was given twice")
		}
		same(t, "granted", granted(t, th, b), win32.DESKTOP_READOBJECTS)
		size, _ := th.UserObjectInformation(b, win32.UOI_HEAPSIZE)
		if size[0] != 0 || size[1] != 20480>>8 {
			t.Fatalf("heap % x", size)
		}
		after, _ := th.ThreadDesktop(th.ID())
		same(t, "thread desktop", after, before)
		ws := alice.session.Interactive()
		if _, ok := ws.Desktop("Work"); !ok {
			t.Fatal("the desktop is not in the process's station")
		}
	})
	t.Run("DT-8/descriptor", func(t *testing.T) {
		conform.Rule(t, "DT-8", "AR-26", "AR-27")
		_, _, err := th.CreateDesktop(desk("Inherits"))
		w.ok(err)
		d, _ := alice.session.Interactive().Desktop("Inherits")
		sid := alice.token.LogonSID().String()
		sameSDDL(t, "inherited", d.Descriptor(), security.DACLInformation, "D:(A;ID;0xf01ff;;;SY)(A;ID;0xc7;;;BA)(A;ID;0xf01ff;;;"+sid+")")
		// A station without inheritable ACEs: the token's default DACL.
		svc := w.start(w.userToken(0, 1100, false), nil)
		_, _, err = svc.CreateDesktop(desk("Own"))
		w.ok(err)
		st, _ := w.zero.Station(svc.Process().Token().LogonID().StationName())
		d, _ = st.Desktop("Own")
		sameSDDL(t, "default", d.Descriptor(), security.DACLInformation, fmt.Sprintf("D:(A;;0xf01ff;;;%s)(A;;0xf01ff;;;SY)(A;;0x20141;;;%s)",
			svc.Process().Token().User(), svc.Process().Token().LogonSID()))
		// Generic bits of a given one are mapped.
		_, _, err = th.CreateDesktop(station.DesktopOptions{Name: "Given", Access: maxAllowed, Descriptor: security.MustSDDL("D:(A;;GR;;;WD)")})
		w.ok(err)
		d, _ = alice.session.Interactive().Desktop("Given")
		sameSDDL(t, "given", d.Descriptor(), security.DACLInformation, "D:(A;;0x20041;;;WD)")
	})
	t.Run("DT-16/right to create", func(t *testing.T) {
		conform.Rule(t, "DT-16", "AR-7", "AR-29")
		own := w.start(alice.token, nil)
		ws, err := own.OpenWindowStation("WinSta0", win32.WINSTA_ENUMDESKTOPS, false)
		w.ok(err)
		w.ok(own.SetProcessWindowStation(ws))
		_, _, err = own.CreateDesktop(desk("Nope"))
		rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-16")
		// An existing one needs no such right.
		_, existed, err := own.CreateDesktop(desk("Default"))
		w.ok(err)
		same(t, "existed", existed, true)
	})
	t.Run("DT-17/create window", func(t *testing.T) {
		conform.Rule(t, "DT-17", "DT-13", "AR-2", "WS-24")
		_, _, err := th.CreateDesktop(station.DesktopOptions{Name: "X", Access: win32.DESKTOP_READOBJECTS})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-17")
		_, _, err = th.CreateDesktop(station.DesktopOptions{Name: "X", Access: win32.SYNCHRONIZE | win32.DESKTOP_CREATEWINDOW})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WS-24")
		for _, right := range []win32.AccessMask{win32.READ_CONTROL, win32.WRITE_DAC, win32.WRITE_OWNER} {
			_, _, err = th.CreateDesktop(station.DesktopOptions{Name: "X", Access: right | win32.DESKTOP_CREATEWINDOW})
			rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-13")
			_, err = th.OpenDesktop("Default", 0, right, false)
			rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-13")
			_, err = th.OpenDesktop("Default", 0, right|win32.DESKTOP_READOBJECTS|win32.DESKTOP_WRITEOBJECTS, false)
			w.ok(err)
			_, err = th.OpenDesktop("Default", 0, right|win32.GENERIC_READ|win32.GENERIC_WRITE, false)
			w.ok(err)
		}
		_, err = th.OpenDesktop("Default", 0, win32.READ_CONTROL|maxAllowed, false)
		w.ok(err)
		_, err = th.OpenInputDesktop(0, win32.WRITE_DAC, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-13")
	})
	t.Run("DT-29/open", func(t *testing.T) {
		conform.Rule(t, "DT-29", "DT-10", "DT-12", "DT-5", "AR-30")
		_, err := th.OpenDesktop("Nothing", 0, maxAllowed, false)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "DT-29")
		for _, name := range []string{"Winlogon", "Disconnect"} {
			_, err = th.OpenDesktop(name, 0, maxAllowed, false)
			rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-29")
		}
		for _, name := range []string{"Screen-saver", "screensaver"} {
			h, err := th.OpenDesktop(name, 0, maxAllowed, false)
			w.ok(err)
			same(t, name, granted(t, th, h), win32.AccessMask(0x00020043))
		}
		h, err := th.OpenDesktop("Default", 0, 0, false)
		w.ok(err)
		same(t, "access 0", granted(t, th, h), win32.AccessMask(0))
		// MAXIMUM_ALLOWED that comes to nothing is a refusal.
		_, _, err = th.CreateDesktop(station.DesktopOptions{Name: "Closed", Access: maxAllowed, Descriptor: security.MustSDDL("D:")})
		w.ok(err)
		other := w.start(w.userToken(alice.session.ID(), 1009, false), text(""))
		_, err = other.OpenWindowStation("WinSta0", maxAllowed, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
	})
}

func TestEnumDesktops(t *testing.T) {
	conform.Rule(t, "DT-30", "DT-31", "DT-5", "DT-12", "DT-2")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	for _, name := range []string{"Zebra", "Apple"} {
		_, _, err := th.CreateDesktop(desk(name))
		w.ok(err)
	}
	h, err := th.ProcessWindowStation()
	w.ok(err)
	for _, station := range []win32.Handle{0, h} {
		names, err := th.EnumDesktops(station)
		w.ok(err)
		if want := []string{"Default", "Screen-saver", "Zebra", "Apple"}; !slices.Equal(names, want) {
			t.Fatalf("got %q, want %q", names, want)
		}
	}
	_, err = th.EnumDesktops(0xFFFFFFFF)
	rule(t, err, win32.ERROR_INVALID_HANDLE, "DT-30")
	_, err = th.EnumDesktops(0x4000)
	rule(t, err, win32.ERROR_INVALID_HANDLE, "DT-30")
	d, err := th.ThreadDesktop(th.ID())
	w.ok(err)
	_, err = th.EnumDesktops(d)
	rule(t, err, win32.ERROR_INVALID_HANDLE, "DT-30")
	weak, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMERATE, false)
	w.ok(err)
	_, err = th.EnumDesktops(weak)
	rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-30")
	// Disconnect is not listed even for LocalSystem.
	sys := w.start(security.SystemToken(alice.session.ID()), text(`WinSta0\Winlogon`))
	names, err := sys.EnumDesktops(0)
	w.ok(err)
	if slices.Contains(names, "Disconnect") || !slices.Contains(names, "Winlogon") {
		t.Fatalf("LocalSystem sees %q", names)
	}
}

func TestThreadDesktop(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	second := w.attach(th.Process())

	t.Run("DT-33/GetThreadDesktop", func(t *testing.T) {
		conform.Rule(t, "DT-33", "DT-38", "TC-1")
		for _, tid := range []uint32{0, 12345, second.ID()} { // the second is no GUI thread yet
			_, err := th.ThreadDesktop(tid)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "DT-33")
		}
		h, err := th.ThreadDesktop(th.ID())
		w.ok(err)
		again, _ := th.ThreadDesktop(th.ID())
		same(t, "asked again", again, h)
		w.ok(second.Connect())
		other, err := th.ThreadDesktop(second.ID())
		w.ok(err)
		same(t, "second thread", other, h)

		sys := w.start(security.SystemToken(alice.session.ID()), text(`WinSta0\Winlogon`))
		sh, err := sys.ThreadDesktop(th.ID())
		w.ok(err)
		same(t, "granted to LocalSystem", granted(t, sys, sh), win32.AccessMask(0x000F01FF))
		sh2, err := sys.ThreadDesktop(th.ID())
		w.ok(err)
		same(t, "found again", sh2, sh)
		w.ok(sys.Connect())
		_, err = th.ThreadDesktop(sys.ID())
		rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-33")
		bob := w.start(w.logon(1002).token, nil)
		_, err = bob.ThreadDesktop(th.ID())
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "DT-33") // another session's
	})
	t.Run("DT-34/SetThreadDesktop", func(t *testing.T) { // dt/busy
		conform.Rule(t, "DT-34", "DT-36", "DT-37", "TC-8")
		start, err := th.ThreadDesktop(th.ID())
		w.ok(err)
		work, _, err := th.CreateDesktop(desk("Work"))
		w.ok(err)
		ws, _ := th.ProcessWindowStation()
		for _, bad := range []win32.Handle{0, 0x4000, ws} {
			rule(t, th.SetThreadDesktop(bad), win32.ERROR_INVALID_HANDLE, "DT-34")
		}
		// (2) the same desktop, through another handle, even with windows
		dup, err := th.OpenDesktop("Default", 0, win32.DESKTOP_READOBJECTS, false)
		w.ok(err)
		th.OwnWindows(1, 0)
		w.ok(th.SetThreadDesktop(dup))
		h, _ := th.ThreadDesktop(th.ID())
		same(t, "handle", h, dup)
		// (4) windows or hooks on the current one
		rule(t, th.SetThreadDesktop(work), win32.ERROR_BUSY, "DT-34")
		th.OwnWindows(0, 1)
		rule(t, th.SetThreadDesktop(work), win32.ERROR_BUSY, "DT-34")
		th.OwnWindows(0, 0)
		w.ok(th.SetThreadDesktop(work))
		d, _ := alice.session.Interactive().Desktop("Work")
		same(t, "threads on Work", d.Threads(), 1)
		same(t, "heap of Work", d.HeapUsed(), 8192+512)
		// (3) another station's is refused, except the startup desktop
		own, _, err := th.CreateWindowStation("", 0, maxAllowed, nil)
		w.ok(err)
		w.ok(th.SetProcessWindowStation(own))
		side, _, err := th.CreateDesktop(desk("Side"))
		w.ok(err)
		w.ok(th.SetThreadDesktop(side))
		rule(t, th.SetThreadDesktop(work), win32.ERROR_ACCESS_DENIED, "DT-34")
		w.ok(th.SetThreadDesktop(start))
		w.ok(th.SetProcessWindowStation(ws))
		same(t, "threads on Work afterwards", d.Threads(), 0)
	})
}

func TestCloseDesktop(t *testing.T) { // dt/close
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	start, err := th.ThreadDesktop(th.ID())
	w.ok(err)
	t.Run("DT-39/in use", func(t *testing.T) {
		conform.Rule(t, "DT-39", "DT-40", "TC-6", "PC-16")
		rule(t, th.CloseDesktop(start), win32.ERROR_BUSY, "DT-39")
		rule(t, th.CloseHandle(start), win32.ERROR_INVALID_HANDLE, "DT-40")
		work, _, err := th.CreateDesktop(desk("Work"))
		w.ok(err)
		w.ok(th.SetThreadDesktop(work))
		rule(t, th.CloseDesktop(work), win32.ERROR_BUSY, "DT-39")
		rule(t, th.CloseDesktop(start), win32.ERROR_BUSY, "DT-39") // still the startup desktop
		w.ok(th.SetThreadDesktop(start))
		w.ok(th.CloseHandle(work)) // not in use any more: CloseHandle does too
	})
	t.Run("DT-41/last handle", func(t *testing.T) {
		conform.Rule(t, "DT-41", "DT-3")
		a, _, err := th.CreateDesktop(desk("Gone"))
		w.ok(err)
		b, err := th.OpenDesktop("Gone", 0, maxAllowed, false)
		w.ok(err)
		before := alice.session.HeapTotalKB()
		w.ok(th.CloseDesktop(a))
		_, err = th.OpenDesktop("Gone", 0, maxAllowed, false)
		w.ok(err)
		w.ok(th.CloseDesktop(b))
		w.ok(th.CloseDesktop(a)) // the third handle got the lowest free value
		_, err = th.OpenDesktop("Gone", 0, maxAllowed, false)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "DT-29")
		same(t, "heap given back", alice.session.HeapTotalKB(), before-20480)
	})
	t.Run("DT-42/held", func(t *testing.T) {
		conform.Rule(t, "DT-42")
		h, err := th.OpenDesktop("Screen-saver", 0, maxAllowed, false)
		w.ok(err)
		w.ok(th.CloseDesktop(h))
		_, err = th.OpenDesktop("Screen-saver", 0, maxAllowed, false)
		w.ok(err)
	})
	t.Run("DT-43/active desktop goes", func(t *testing.T) {
		conform.Rule(t, "DT-43")
		h, _, err := th.CreateDesktop(desk("Brief"))
		w.ok(err)
		w.ok(th.SwitchDesktop(h))
		same(t, "active", alice.session.ActiveDesktop().Name(), "Brief")
		w.ok(th.CloseDesktop(h))
		same(t, "active afterwards", alice.session.ActiveDesktop().Name(), "Default")
	})
	t.Run("HN-3/protected", func(t *testing.T) {
		conform.Rule(t, "HN-3", "HND-2")
		h, _, err := th.CreateDesktop(desk("Safe"))
		w.ok(err)
		w.ok(th.SetHandleInformation(h, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE))
		code(t, th.CloseDesktop(h), win32.ERROR_INVALID_HANDLE)
		code(t, th.CloseHandle(h), win32.ERROR_INVALID_HANDLE)
		w.ok(th.SetHandleInformation(h, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE, 0))
		w.ok(th.CloseDesktop(h))
		rule(t, th.SetHandleInformation(h, 1, 1), win32.ERROR_INVALID_HANDLE, "HN-3")
		rule(t, th.SetHandleInformation(start, 8, 8), win32.ERROR_INVALID_PARAMETER, "HN-3")
	})
}

func TestDesktopHeap(t *testing.T) {
	t.Run("DT-22/sizes", func(t *testing.T) {
		conform.Rule(t, "DT-21", "DT-22", "DT-23", "DT-25", "UO-5")
		for setting, want := range map[string][6]uint32{
			"":         {1024, 20480, 768, 192, 96, 524288},
			"xp":       {1024, 3072, 512, 128, 64, 49152},
			"vista32":  {1024, 12288, 512, 128, 64, 524288},
			"safe":     {1024, 512, 128, 128, 64, 20480},
			"1,300,":   {},
			"1,2,3":    {},
			"big":      {},
			"8,256":    {8, 256, 256, 192, 96, 524288},
			"8,256,64": {8, 256, 64, 192, 96, 524288},
		} {
			a, b, c, wl, dc, total, err := station.HeapProfile(setting)
			if got := [6]uint32{a, b, c, wl, dc, total}; err == nil && got != want || err != nil && want != [6]uint32{} {
				t.Errorf("%q: %v %v, want %v", setting, got, err, want)
			}
		}
		w := newWorld(t)
		for name, want := range map[string]uint32{"Default": 20480, "Winlogon": 192, "Screen-saver": 20480, "Disconnect": 96} {
			d, _ := w.zero.Interactive().Desktop(name)
			same(t, name, d.HeapKB(), want)
		}
		w.ok(w.system().Connect())
		ws, _ := w.zero.Station("Service-0x0-3e7$")
		same(t, "non-interactive", ws.Desktops()[0].HeapKB(), 768)
	})
	t.Run("DT-26/session total", func(t *testing.T) {
		conform.Rule(t, "DT-26", "DT-24")
		w := newWorld(t, func(o *station.Options) { o.Settings.SessionTotalKB = 41248 + 100 }) // the four of WinSta0 and 100
		th := w.start(w.logon(1001).token, nil)
		_, _, err := th.CreateDesktop(station.DesktopOptions{Name: "a", HeapKB: 101, Access: maxAllowed})
		rule(t, err, win32.ERROR_NOT_ENOUGH_MEMORY, "DT-26")
		_, err = th.OpenDesktop("a", 0, maxAllowed, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
		h, _, err := th.CreateDesktop(station.DesktopOptions{Name: "a", HeapKB: 100, Access: maxAllowed})
		w.ok(err)
		w.ok(th.CloseDesktop(h))
		_, _, err = th.CreateDesktop(station.DesktopOptions{Name: "b", HeapKB: 100, Access: maxAllowed})
		w.ok(err)
		ev := eventsOf(w, station.EventHeapCreateFailed)
		if len(ev) != 1 || ev[0].Fields["number"] != "244" || ev[0].Fields["desktop"] != "a" {
			t.Fatalf("events %+v", ev)
		}
	})
	t.Run("DT-27/full heap", func(t *testing.T) { // dt/heap, the part that needs no windows
		conform.Rule(t, "DT-27", "DT-28", "DT-34", "TC-4")
		now := time.Unix(1_000_000, 0)
		w := newWorld(t, func(o *station.Options) { o.Clock = func() time.Time { return now } })
		alice := w.logon(1001)
		th := w.start(alice.token, nil)
		small, _, err := th.CreateDesktop(station.DesktopOptions{Name: "small", HeapKB: 64, Access: maxAllowed})
		w.ok(err)
		d, _ := alice.session.Interactive().Desktop("small")
		n := (64*1024 - 8192) / 512
		threads := make([]*station.Thread, 0, n)
		for range n {
			x := w.attach(th.Process())
			w.ok(x.SetThreadDesktop(small))
			threads = append(threads, x)
		}
		same(t, "heap used", d.HeapUsed(), 64*1024)
		rule(t, th.SetThreadDesktop(small), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-34")
		rule(t, w.attach(th.Process()).SetThreadDesktop(small), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-34")
		same(t, "events in one minute", len(eventsOf(w, station.EventHeapExhausted)), 1)
		now = now.Add(time.Minute)
		rule(t, th.SetThreadDesktop(small), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-34")
		same(t, "events in the next", len(eventsOf(w, station.EventHeapExhausted)), 2)
		// A process that is to start there can't: it ends with 0xC0000142.
		_, h := w.child(th, station.ProcessOptions{Desktop: text(`WinSta0\small`)})
		same(t, "exit code", ended(t, th, h), win32.STATUS_DLL_INIT_FAILED)
		threads[0].Detach()
		w.ok(th.SetThreadDesktop(small))
	})
}

// eventsOf gives the events of a kind so far.
func eventsOf(w *world, kind string) (out []station.Event) {
	w.t.Helper()
	if w.e.LastEvent() == 0 {
		return nil
	}
	all, err := w.e.ReadEvents(w.t.Context(), 0, 0)
	w.ok(err)
	for _, ev := range all {
		if ev.Kind == kind {
			out = append(out, ev)
		}
	}
	return out
}

func TestInputDesktop(t *testing.T) { // dt/input-desktop
	conform.Rule(t, "DT-44", "DT-45", "DT-50", "LGN-17", "DT-15")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	h, err := th.OpenInputDesktop(0, maxAllowed, false)
	w.ok(err)
	name, _ := th.UserObjectInformation(h, win32.UOI_NAME)
	same(t, "input desktop", utf16Text(name), "Default")
	again, err := th.OpenInputDesktop(0, maxAllowed, false)
	w.ok(err)
	if again == h {
		t.Fatal("the same handle value was given twice")
	}
	_, err = th.OpenInputDesktop(4, maxAllowed, false)
	rule(t, err, win32.ERROR_INVALID_PARAMETER, "DT-15")

	w.ok(w.e.SecureAttention(alice.session))
	_, err = th.OpenInputDesktop(0, maxAllowed, false)
	rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-44")
	w.ok(w.e.DismissAttention(alice.session))
	w.ok(w.e.Lock(alice.session))
	_, err = th.OpenInputDesktop(0, maxAllowed, false)
	rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-44")
	w.ok(w.e.Unlock(alice.session))

	w.ok(w.e.Disconnect(alice.session))
	same(t, "shown", alice.session.ActiveDesktop().Name(), "Disconnect")
	h, err = th.OpenInputDesktop(0, maxAllowed, false)
	w.ok(err)
	name, _ = th.UserObjectInformation(h, win32.UOI_NAME)
	same(t, "while disconnected", utf16Text(name), "Default")

	sys := w.system()
	_, err = sys.OpenInputDesktop(0, maxAllowed, false)
	rule(t, err, win32.ERROR_INVALID_FUNCTION, "DT-44")
}

func TestSwitchDesktop(t *testing.T) { // dt/switch-matrix
	conform.Rule(t, "DT-46", "DT-47", "DT-49", "DT-51", "DT-2", "WS-57", "AR-22")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	def, err := th.ThreadDesktop(th.ID())
	w.ok(err)
	work, _, err := th.CreateDesktop(desk("Work"))
	w.ok(err)
	ws, _ := th.ProcessWindowStation()
	active := func(want string) {
		t.Helper()
		same(t, "active", alice.session.ActiveDesktop().Name(), want)
	}
	// (1)
	for _, bad := range []win32.Handle{0, 0x4000, ws} {
		rule(t, th.SwitchDesktop(bad), win32.ERROR_INVALID_HANDLE, "DT-46")
	}
	// (2)
	weak, err := th.OpenDesktop("Work", 0, win32.DESKTOP_READOBJECTS, false)
	w.ok(err)
	rule(t, th.SwitchDesktop(weak), win32.ERROR_ACCESS_DENIED, "DT-46")
	// (8), and (5) twice the same
	w.ok(th.SwitchDesktop(work))
	active("Work")
	w.ok(th.SwitchDesktop(work))
	if n := len(eventsOf(w, station.EventDesktopSwitch)); n == 0 {
		t.Fatal("no event of the switch")
	}
	io, _ := th.UserObjectInformation(work, win32.UOI_IO)
	same(t, "UOI_IO", io[0], 1)
	io, _ = th.UserObjectInformation(def, win32.UOI_IO)
	same(t, "UOI_IO of the other", io[0], 0)
	// The program on the desktop that is hidden goes on.
	_, _, err = th.CreateDesktop(desk("More"))
	w.ok(err)
	// (3), (4)
	own, _, err := th.CreateWindowStation("", 0, maxAllowed, nil)
	w.ok(err)
	w.ok(th.SetProcessWindowStation(own))
	side, _, err := th.CreateDesktop(desk("Side"))
	w.ok(err)
	rule(t, th.SwitchDesktop(side), win32.ERROR_ACCESS_DENIED, "DT-46")
	rule(t, th.SwitchDesktop(def), win32.ERROR_ACCESS_DENIED, "DT-46")
	w.ok(th.SetProcessWindowStation(ws))
	// (7) locked, or a secure desktop is active
	w.ok(w.e.Lock(alice.session))
	active("Winlogon")
	rule(t, th.SwitchDesktop(def), win32.ERROR_ACCESS_DENIED, "DT-46")
	rule(t, th.SwitchDesktop(work), win32.ERROR_ACCESS_DENIED, "DT-46") // it is not active now
	w.ok(w.e.Unlock(alice.session))
	active("Work")
	w.ok(w.e.SecureAttention(alice.session))
	rule(t, th.SwitchDesktop(def), win32.ERROR_ACCESS_DENIED, "DT-46")
	w.ok(w.e.DismissAttention(alice.session))
	// (6) a caller on a secure desktop
	sys := w.start(security.SystemToken(alice.session.ID()), text(`WinSta0\Winlogon`))
	same(t, "location", location(t, sys), `WinSta0\Winlogon`)
	h, err := sys.OpenDesktop("Default", 0, maxAllowed, false)
	w.ok(err)
	rule(t, sys.SwitchDesktop(h), win32.ERROR_ACCESS_DENIED, "DT-46")
	active("Work")
	w.ok(th.SwitchDesktop(def))
	active("Default")
	// Destroyed through the session's end is (1) too: TestOtherSession.
}

func TestAutomaticSwitches(t *testing.T) {
	conform.Rule(t, "DT-50", "DT-6", "DT-52", "LGN-15", "LGN-16", "LGN-18", "SES-17", "SES-20", "SES-12", "LGN-10")
	w := newWorld(t)
	s, err := w.e.CreateSession(t.Context(), station.SessionOptions{Terminal: "Console"})
	w.ok(err)
	active := func(want string) {
		t.Helper()
		same(t, "active", s.ActiveDesktop().Name(), want)
	}
	same(t, "state", s.State(), win32.WTSConnected)
	active("Winlogon")
	code(t, w.e.Lock(s), win32.ERROR_ACCESS_DENIED) // nobody is logged on
	w.ok(w.e.ScreenSaver(s, true))
	active("Screen-saver")
	w.ok(w.e.ScreenSaver(s, false))

	tok := w.userToken(s.ID(), 1001, false)
	w.ok(w.e.StartHost(t.Context(), s, station.SessionSpec{UID: 1001}))
	w.ok(w.e.LogonSession(s, station.Logon{Token: tok, Name: "alice"}))
	active("Winlogon") // until the shell is ready
	same(t, "state", s.State(), win32.WTSActive)
	w.ok(w.e.DesktopReady(s))
	active("Default")

	th := w.start(tok, nil)
	w.ok(th.LockWorkStation())
	active("Winlogon")
	same(t, "locked", s.Locked(), true)
	same(t, "still Active", s.State(), win32.WTSActive)
	rule(t, th.LockWorkStation(), win32.ERROR_ACCESS_DENIED, "DT-52")
	w.ok(w.e.Disconnect(s))
	active("Disconnect")
	w.ok(w.e.Reconnect(s, "VNC-Tcp#0"))
	active("Winlogon") // still locked
	w.ok(w.e.Unlock(s))
	active("Default")
	w.ok(w.e.ScreenSaver(s, true))
	active("Screen-saver")
	w.ok(w.e.ScreenSaver(s, false))
	active("Default")
	work, err := w.e.CreateHeldDesktop(s, "WinSta0", station.DesktopOptions{Name: "Agent"})
	w.ok(err)
	w.ok(w.e.SwitchDesktop(s, "agent"))
	active("Agent")
	w.ok(w.e.Lock(s))
	w.ok(w.e.Unlock(s))
	active("Agent")
	w.ok(w.e.SwitchDesktop(s, "Winlogon"))
	active("Winlogon")
	w.ok(w.e.SwitchDesktop(s, "Default"))
	active("Default")
	code(t, w.e.SwitchDesktop(s, "Disconnect"), win32.ERROR_ACCESS_DENIED)
	code(t, w.e.SwitchDesktop(s, "Nothing"), win32.ERROR_FILE_NOT_FOUND)
	w.ok(w.e.HoldDesktop(work)) // twice is once
	w.e.ReleaseDesktop(work)
	if _, ok := s.Interactive().Desktop("Agent"); ok {
		t.Fatal("a released desktop is still there")
	}
	code(t, w.e.HoldDesktop(work), win32.ERROR_INVALID_HANDLE)
	w.ok(w.e.LogoffSession(t.Context(), s))
	active("Winlogon")
	// Session 0 has no logon screen and is never shown.
	same(t, "session 0", w.zero.ActiveDesktop().Name(), "Default")
	same(t, "session 0", w.zero.State(), win32.WTSDisconnected)
	code(t, w.e.SecureAttention(w.zero), win32.ERROR_ACCESS_DENIED)
}

func TestSurfaces(t *testing.T) {
	conform.Rule(t, "DT-1", "DT-51", "SES-7", "WS-4")
	w := newWorld(t)
	alice := w.logon(1001)
	same(t, "surfaces before anybody needs one", len(w.surfaces.Open()), 0)
	th := w.start(alice.token, nil)
	spec := w.host.Process(th.Process().ID()).Spec()
	for _, want := range []string{"DISPLAY=:1", "XAUTHORITY=/run/cookie-1", `STATION_DESKTOP=WinSta0\Default`, "STATION_SESSION=1", "STATION_SOCKET=/run/station/call"} {
		if !slices.Contains(spec.Env, want) {
			t.Errorf("environment %q lacks %s", spec.Env, want)
		}
	}
	def, _ := alice.session.Interactive().Desktop("Default")
	f, err := def.Surface(t.Context())
	w.ok(err)
	ms := f.(*station.MemorySurface).Spec()
	if ms.UID != 1001 || ms.SessionID != 1 || ms.Session == nil || ms.Secure || ms.Kind != "" {
		t.Fatalf("surface for %+v", ms)
	}
	wl, _ := alice.session.Interactive().Desktop("Winlogon")
	f, err = wl.Surface(t.Context())
	w.ok(err)
	same(t, "Winlogon", f.Kind(), station.SurfaceBuiltin)
	sys := w.system()
	if env := w.host.Process(sys.Process().ID()).Spec().Env; slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "DISPLAY=") }) {
		t.Fatalf("a service has a display: %q", env)
	}
	zd, _ := w.zero.Interactive().Desktop("Default")
	f, err = zd.Surface(t.Context())
	w.ok(err)
	same(t, "session 0", f.Kind(), station.SurfaceBuiltin)

	// A surface that can't be made stops the program, and says why.
	why := errors.New("Xvnc is not installed")
	w.surfaces.Fail(why)
	h, _, err := th.CreateDesktop(desk("Work"))
	w.ok(err)
	_, _, err = th.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Desktop: text("Work")})
	if !errors.Is(err, why) || !strings.Contains(err.Error(), `WinSta0\Work`) {
		t.Fatalf("got %v", err)
	}
	w.surfaces.Fail(nil)
	_, _, err = th.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Desktop: text("Work")})
	w.ok(err)
	same(t, "surfaces", len(w.surfaces.Open()), 4)
	w.ok(th.CloseDesktop(h)) // the program is on it still
	same(t, "surfaces while a program is on it", len(w.surfaces.Open()), 4)
	for _, p := range alice.session.Processes() {
		if _, d := p.Location(); d == "Work" {
			w.host.Process(p.ID()).Exit(0)
			<-p.Done()
		}
	}
	same(t, "surfaces afterwards", len(w.surfaces.Open()), 3)
}
