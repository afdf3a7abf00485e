// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/lockrank"
	"stationmaster/station"
	"stationmaster/win32"
)

// guiOn makes a program of a user on a desktop.
func (w *world) guiOn(p person, desktop string) *gui {
	w.t.Helper()
	th := w.start(p.token, text(desktop))
	w.ok(th.Connect())
	return newGUI(w.t, th)
}

func (w *world) makeDesktop(p person, name string) {
	w.t.Helper()
	th := w.start(p.token, nil)
	w.ok(th.Connect())
	_, _, err := th.CreateDesktop(desk(name))
	w.ok(err)
}

func TestWindows(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	a, b := w.guiOn(alice, ""), w.guiOn(alice, "")

	t.Run("WN-1/handles", func(t *testing.T) {
		conform.Rule(t, "WN-1", "WN-3", "WN-4", "HN-1")
		h := a.create(station.WindowOptions{Title: "one", Style: win32.WS_VISIBLE, Width: 10})
		if h>>16 == 0 || h&0xFFFF == 0 {
			t.Fatalf("handle 0x%x", uint32(h))
		}
		for _, g := range []*gui{a, b} {
			f, err := g.Window(h)
			w.ok(err)
			same(t, "title", f.Title, "one")
			same(t, "class", f.Class, "plain")
			same(t, "thread", f.Thread, a.ID())
			same(t, "process", f.Process, a.Process().ID())
			same(t, "visible", f.Visible, true)
		}
		w.ok(a.destroy(h))
		again := a.create(station.WindowOptions{})
		if again == h || again&0xFFFF != h&0xFFFF || again>>16 != h>>16+1 {
			t.Fatalf("handle 0x%x after 0x%x", uint32(again), uint32(h))
		}
		_, err := b.Window(h)
		rule(t, err, win32.ERROR_INVALID_WINDOW_HANDLE, "WN-1")
		is, err := b.IsWindow(again)
		w.ok(err)
		same(t, "IsWindow", is, true)
		rule(t, b.destroy(again), win32.ERROR_ACCESS_DENIED, "WN-3")
		w.ok(a.destroy(again))
	})
	t.Run("WN-10/classes", func(t *testing.T) {
		conform.Rule(t, "WN-10", "AT-17")
		_, err := a.RegisterClass("PLAIN", 0, 5)
		rule(t, err, win32.ERROR_CLASS_ALREADY_EXISTS, "WN-10")
		n, err := a.RegisterClass("mine", 0, 5)
		w.ok(err)
		m, err := b.RegisterUserAtom("MINE")
		w.ok(err)
		same(t, "user atom", m, n)
		_, err = b.tryCreate(station.WindowOptions{Class: "mine"})
		rule(t, err, win32.ERROR_CANNOT_FIND_WND_CLASS, "WN-10")
		a.procs[5] = passive
		h := a.create(station.WindowOptions{Class: "mine"})
		code(t, a.UnregisterClass("mine"), win32.ERROR_CLASS_HAS_WINDOWS)
		w.ok(a.destroy(h))
		w.ok(a.UnregisterClass("mine"))
		code(t, a.UnregisterClass("mine"), win32.ERROR_CLASS_DOES_NOT_EXIST)
	})
	t.Run("WN-4/another desktop", func(t *testing.T) {
		conform.Rule(t, "WN-4", "WN-5", "WN-6", "WN-7", "MSG-8")
		w.makeDesktop(alice, "Other")
		far := w.guiOn(alice, `WinSta0\Other`)
		theirs := far.create(station.WindowOptions{Title: "far"})
		is, err := a.IsWindow(theirs)
		w.ok(err)
		same(t, "IsWindow", is, false)
		for name, f := range map[string]func() error{
			"GetWindowInfo":       func() error { _, err := a.Window(theirs); return err },
			"SetWindowText":       func() error { return a.SetWindowText(theirs, "x") },
			"SetWindowPos":        func() error { return a.SetWindowPos(theirs, 0, 0, 0, 1, 1, 0) },
			"SetParent":           func() error { _, err := a.SetParent(theirs, 0); return err },
			"CreateWindow":        func() error { _, err := a.tryCreate(station.WindowOptions{Parent: theirs}); return err },
			"DestroyWindow":       func() error { return a.destroy(theirs) },
			"GetWindow":           func() error { _, err := a.RelatedWindow(theirs, win32.GW_HWNDNEXT); return err },
			"SetForegroundWindow": func() error { _, err := a.SetForegroundWindow(theirs); return err },
			"SetTimer":            func() error { _, err := a.SetTimer(theirs, 1, 10, 0); return err },
			"InvalidateRect":      func() error { return a.Invalidate(theirs) },
			"EnumChildWindows":    func() error { _, err := a.EnumChildWindows(theirs); return err },
			"SetWindowLongPtr":    func() error { _, err := a.SetWindowLong(theirs, station.FieldUserData, 1); return err },
			"filter":              func() error { _, err := a.ChangeWindowFilter(theirs, 1, 1); return err },
			"SetProp":             func() error { return a.SetProp(theirs, "p", 1) },
			"IsHungAppWindow":     func() error { _, err := a.IsHung(theirs); return err },
		} {
			if err := f(); win32.Code(err) != win32.ERROR_INVALID_WINDOW_HANDLE {
				t.Errorf("%s with a window of another desktop gives %v", name, err)
			}
		}
		got, err := a.FindWindow(0, 0, "plain", text("far"), true)
		w.ok(err)
		same(t, "FindWindow", got, 0)
		list, err := a.EnumWindows(0)
		w.ok(err)
		if slices.Contains(list, theirs) {
			t.Fatal("EnumWindows shows a window of another desktop")
		}
		// The own process's windows may be looked at, nothing more.
		second := newGUI(t, w.attach(far.Process()))
		w.ok(second.Connect())
		h, err := second.OpenDesktop("Default", 0, maxAllowed, false)
		w.ok(err)
		w.ok(second.SetThreadDesktop(h))
		f, err := second.Window(theirs)
		w.ok(err)
		same(t, "title", f.Title, "far")
		is, err = second.IsWindow(theirs)
		w.ok(err)
		same(t, "IsWindow", is, true)
		code(t, second.SetWindowText(theirs, "x"), win32.ERROR_ACCESS_DENIED)
		_, err = second.tryCreate(station.WindowOptions{Parent: theirs})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WN-6")
		mine := second.create(station.WindowOptions{})
		_, err = second.SetParent(mine, theirs)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WN-6")
		_, err = second.send(station.SendOptions{Window: theirs, Message: win32.WM_USER})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "MSG-7")
		code(t, second.post(theirs, win32.WM_USER), win32.ERROR_ACCESS_DENIED)
	})
	t.Run("WN-1/another session", func(t *testing.T) {
		conform.Rule(t, "WN-1", "MSG-2", "MSG-7")
		h := a.create(station.WindowOptions{})
		defer a.destroy(h)
		sys := newGUI(t, w.system())
		bob := w.guiOn(w.logon(1002), "")
		for _, g := range []*gui{sys, bob} {
			is, err := g.IsWindow(h)
			w.ok(err)
			same(t, "IsWindow", is, false)
			_, err = g.send(station.SendOptions{Window: h, Message: win32.WM_CLOSE})
			rule(t, err, win32.ERROR_INVALID_WINDOW_HANDLE, "WN-1")
			code(t, g.post(h, win32.WM_CLOSE), win32.ERROR_INVALID_WINDOW_HANDLE)
		}
	})
	t.Run("WN-8/message-only", func(t *testing.T) {
		conform.Rule(t, "WN-8", "WN-9", "DT-35", "DT-34")
		h := b.create(station.WindowOptions{Parent: win32.HWND_MESSAGE, Title: "hidden", Style: win32.WS_VISIBLE})
		list, err := a.EnumWindows(0)
		w.ok(err)
		if slices.Contains(list, h) {
			t.Fatal("a message-only window is enumerated")
		}
		f, _ := a.Window(h)
		same(t, "visible", f.Visible, false)
		for _, c := range []struct {
			parent win32.HWND
			ex     bool
			want   win32.HWND
		}{{0, false, 0}, {0, true, h}, {win32.HWND_MESSAGE, true, h}} {
			got, err := a.FindWindow(c.parent, 0, "plain", text("hidden"), c.ex)
			w.ok(err)
			same(t, fmt.Sprint(c), got, c.want)
		}
		w.ok(a.PostMessage(win32.HWND_BROADCAST, win32.WM_APP, 0, 0))
		if m, ok := b.peek(0, win32.WM_APP, win32.WM_APP, win32.PM_REMOVE); ok {
			t.Fatalf("a message-only window got a broadcast: %+v", m)
		}
		own, _ := b.OpenDesktop("Default", 0, maxAllowed, false)
		w.ok(b.SetThreadDesktop(own)) // the same desktop: always
		other, err := b.OpenDesktop("Other", 0, maxAllowed, false)
		w.ok(err)
		rule(t, b.SetThreadDesktop(other), win32.ERROR_BUSY, "DT-34")
		w.ok(b.destroy(h))
		w.ok(b.SetThreadDesktop(other))
		w.ok(b.SetThreadDesktop(own))
	})
	t.Run("WN-7/order", func(t *testing.T) {
		conform.Rule(t, "WN-7", "WN-9", "DT-32", "WN-12", "DT-4")
		c := w.guiOn(w.logon(1004), "")
		list, err := c.EnumWindows(0)
		w.ok(err)
		same(t, "windows of an empty desktop", len(list), 0)
		x, y, z := c.create(station.WindowOptions{Title: "x"}), c.create(station.WindowOptions{}), c.create(station.WindowOptions{})
		check := func(want ...win32.HWND) {
			t.Helper()
			list, err := c.EnumWindows(0)
			w.ok(err)
			if !slices.Equal(list, want) {
				t.Fatalf("z-order %x, want %x", list, want)
			}
		}
		const stay = win32.SWP_NOMOVE | win32.SWP_NOSIZE
		check(z, y, x)
		w.ok(c.SetWindowPos(x, win32.HWND_TOPMOST, 0, 0, 0, 0, stay))
		check(x, z, y)
		w.ok(c.SetWindowPos(y, win32.HWND_TOP, 0, 0, 0, 0, stay))
		check(x, y, z)
		w.ok(c.SetWindowPos(x, win32.HWND_BOTTOM, 0, 0, 0, 0, stay))
		check(y, z, x)
		w.ok(c.SetWindowPos(y, x, 0, 0, 0, 0, stay))
		check(z, x, y)
		next, err := c.RelatedWindow(z, win32.GW_HWNDNEXT)
		w.ok(err)
		same(t, "next", next, x)
		top, err := c.RelatedWindow(0, win32.GW_CHILD)
		w.ok(err)
		same(t, "GetTopWindow", top, z)
		_, err = c.FindWindow(0, 0, "no such class", nil, false)
		rule(t, err, win32.ERROR_CANNOT_FIND_WND_CLASS, "WN-7")
		got, err := c.FindWindow(0, 0, "", text("nobody"), false)
		w.ok(err)
		same(t, "not found", got, 0)
		kid := c.create(station.WindowOptions{Parent: x, Style: win32.WS_CHILD, Title: "kid"})
		list, err = c.EnumChildWindows(x)
		w.ok(err)
		if !slices.Equal(list, []win32.HWND{kid}) {
			t.Fatalf("children %x", list)
		}
		_, err = c.SetParent(x, kid)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		root, err := c.DesktopWindow()
		w.ok(err)
		f, err := c.Window(root)
		w.ok(err)
		same(t, "desktop window's class", f.Class, "#32769")
		same(t, "desktop window's thread", f.Thread, 0)
		w.ok(c.destroy(x))
		if is, _ := c.IsWindow(kid); is {
			t.Fatal("a child outlives its parent")
		}
		// Another desktop is listed with a handle that may read it.
		c.Process().Session().Interactive()
		h, err := c.OpenDesktop("Default", 0, win32.DESKTOP_CREATEWINDOW, false)
		w.ok(err)
		_, err = c.EnumWindows(h)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "DT-32")
		h, err = c.OpenDesktop("Default", 0, win32.DESKTOP_READOBJECTS, false)
		w.ok(err)
		list, err = c.EnumWindows(h)
		w.ok(err)
		same(t, "windows", len(list), 2)
	})
	t.Run("WN-11/death", func(t *testing.T) {
		conform.Rule(t, "WN-11", "DT-41")
		c := w.guiOn(alice, "")
		h := c.create(station.WindowOptions{})
		used := alice.session.ActiveDesktop().HeapUsed()
		c.Detach()
		if is, _ := a.IsWindow(h); is {
			t.Fatal("a window outlives its thread")
		}
		same(t, "heap", alice.session.ActiveDesktop().HeapUsed(), used-1024-2-512)
	})
	t.Run("AR-15/rights", func(t *testing.T) {
		conform.Rule(t, "WN-3", "AR-14", "AR-15", "AR-21", "MSG-3", "DT-37")
		h := a.create(station.WindowOptions{})
		defer a.destroy(h)
		c := w.guiOn(alice, "")
		d, err := c.OpenDesktop("Default", 0, win32.DESKTOP_ENUMERATE, false)
		w.ok(err)
		w.ok(c.SetThreadDesktop(d))
		_, err = c.tryCreate(station.WindowOptions{})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "WN-3")
		_, err = c.Window(h)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "AR-14")
		_, err = c.FindWindow(0, 0, "", nil, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "AR-14")
		rule(t, c.post(h, win32.WM_USER), win32.ERROR_ACCESS_DENIED, "MSG-3")
		rule(t, c.post(win32.HWND_BROADCAST, win32.WM_USER), win32.ERROR_ACCESS_DENIED, "MSG-3")
		rule(t, c.SetWindowText(h, "x"), win32.ERROR_ACCESS_DENIED, "MSG-3")
		_, err = c.send(station.SendOptions{Window: h, Message: win32.WM_USER})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "MSG-3")
		// An invalid window comes before the right.
		code(t, c.post(0x12345678, win32.WM_USER), win32.ERROR_INVALID_WINDOW_HANDLE)
	})
}

func TestWindowQuotas(t *testing.T) {
	conform.Rule(t, "WN-2", "DT-27", "DT-28", "DT-21")
	w := newWorld(t, func(o *station.Options) { o.Settings.UserHandles = 200 })
	alice := w.logon(1001)
	g := w.guiOn(alice, "")
	var all []win32.HWND
	for range 200 {
		all = append(all, g.create(station.WindowOptions{}))
	}
	_, err := g.tryCreate(station.WindowOptions{})
	rule(t, err, win32.ERROR_NO_MORE_USER_HANDLES, "WN-2")
	w.ok(g.destroy(all[0]))
	g.create(station.WindowOptions{})

	// A heap of 64 KB: 8192 for the desktop, 512 for the thread, and the rest.
	th := w.start(alice.token, nil)
	w.ok(th.Connect())
	o := desk("Small")
	o.HeapKB = 64
	_, _, err = th.CreateDesktop(o)
	w.ok(err)
	s := w.guiOn(alice, `WinSta0\Small`)
	d, _ := alice.session.Interactive().Desktop("Small")
	room := int(64*1024-d.HeapUsed()) / 1026
	for range room {
		s.create(station.WindowOptions{})
	}
	_, err = s.tryCreate(station.WindowOptions{})
	rule(t, err, win32.ERROR_NOT_ENOUGH_MEMORY, "DT-27")
	last, err := s.EnumWindows(0)
	w.ok(err)
	left := 64*1024 - d.HeapUsed()
	code(t, s.SetWindowText(last[0], string(make([]byte, left/2+1))), win32.ERROR_NOT_ENOUGH_MEMORY)
	w.ok(s.SetWindowText(last[0], string(make([]byte, left/2))))
	same(t, "heap left", 64*1024-d.HeapUsed(), left%2)
	_, err = s.SetWindowsHook(win32.WH_KEYBOARD, 1, false, s.ID())
	rule(t, err, win32.ERROR_NOT_ENOUGH_MEMORY, "HK-4")
	code(t, s.SetProp(last[0], "p", 1), win32.ERROR_NOT_ENOUGH_MEMORY)
	w.ok(s.destroy(last[1]))
	w.ok(s.SetProp(last[0], "p", 77))
	v, err := s.Prop(last[0], "P")
	w.ok(err)
	same(t, "property", v, 77)
	before := d.HeapUsed()
	_, err = s.RemoveProp(last[0], "p")
	w.ok(err)
	same(t, "freed", before-d.HeapUsed(), 32)
	for _, h := range last {
		if is, _ := s.IsWindow(h); is {
			w.ok(s.destroy(h))
		}
	}
	same(t, "heap at the end", d.HeapUsed(), 8192+512)
}

func TestSessionWindows(t *testing.T) {
	conform.Rule(t, "WN-2")
	if testing.Short() || lockrank.Checked {
		t.Skip("SKIPPED: 65,531 windows take long with every lock checked; done without -short and lockdep")
	}
	w := newWorld(t, func(o *station.Options) {
		o.Settings.UserHandles, o.Settings.DesktopHeap = 18000, "1024,65536,512"
		o.Settings.SessionTotalKB = 1 << 20
	})
	alice := w.logon(1001)
	n := 0
	var err error
	w.makeDesktop(alice, "More")
	for i := range 5 {
		g := w.guiOn(alice, []string{"", `WinSta0\More`}[i%2])
		for err == nil {
			_, err = g.tryCreate(station.WindowOptions{Class: "plain"})
			if err == nil {
				n++
			}
		}
		if win32.Code(err) != win32.ERROR_NO_MORE_USER_HANDLES {
			break
		}
		err = nil
	}
	rule(t, err, win32.ERROR_NOT_ENOUGH_MEMORY, "WN-2")
	// Index 0 is not used, and each desktop has its own two (DT-4).
	same(t, "windows", n, 65535-4)
}

func TestForeground(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(o *station.Options) { o.Clock = func() time.Time { return now } })
	alice := w.logon(1001)
	w.makeDesktop(alice, "Back")
	front, back := w.guiOn(alice, ""), w.guiOn(alice, `WinSta0\Back`)
	h, hidden := front.create(station.WindowOptions{}), back.create(station.WindowOptions{})
	t.Run("WN-14/table", func(t *testing.T) {
		conform.Rule(t, "WN-13", "WN-14")
		ok, err := front.SetForegroundWindow(h)
		w.ok(err)
		same(t, "D=I=T", ok, true)
		got, _ := front.ForegroundWindow()
		same(t, "foreground", got, h)
		got, _ = back.ForegroundWindow()
		same(t, "foreground for another desktop", got, 0)
		ok, err = back.SetForegroundWindow(hidden)
		w.ok(err)
		same(t, "D≠I", ok, false)
		// D = I ≠ T: the own window on the input desktop, from another desktop.
		second := newGUI(t, w.attach(front.Process()))
		w.ok(second.Connect())
		d, err := second.OpenDesktop("Back", 0, maxAllowed, false)
		w.ok(err)
		w.ok(second.SetThreadDesktop(d))
		ok, err = second.SetForegroundWindow(h)
		w.ok(err)
		same(t, "D=I≠T", ok, true)
	})
	t.Run("WN-15/allowed", func(t *testing.T) {
		conform.Rule(t, "WN-15")
		other := w.guiOn(alice, "")
		o := other.create(station.WindowOptions{})
		ok, err := other.SetForegroundWindow(o)
		w.ok(err)
		same(t, "a stranger", ok, false)
		f, _ := other.Window(o)
		same(t, "attention", f.Attention, true)
		code(t, other.AllowSetForegroundWindow(uint32(other.Process().ID())), win32.ERROR_ACCESS_DENIED)
		w.ok(front.AllowSetForegroundWindow(uint32(other.Process().ID())))
		ok, _ = other.SetForegroundWindow(o)
		same(t, "allowed", ok, true)
		ok, _ = front.SetForegroundWindow(h)
		same(t, "the first one", ok, false)
		now = now.Add(200 * time.Second)
		ok, _ = front.SetForegroundWindow(h)
		same(t, "after the time-out", ok, true)
	})
	t.Run("WN-16/attach", func(t *testing.T) {
		conform.Rule(t, "WN-16")
		c := w.attach(front.Process()) // has no queue
		w.ok(c.Connect())
		code(t, front.AttachThreadInput(front.ID(), c.ID(), true), win32.ERROR_INVALID_PARAMETER)
		code(t, front.AttachThreadInput(front.ID(), front.ID(), true), win32.ERROR_INVALID_PARAMETER)
		code(t, front.AttachThreadInput(front.ID(), back.ID(), true), win32.ERROR_ACCESS_DENIED)
		g := w.guiOn(alice, "")
		g.create(station.WindowOptions{})
		w.ok(front.AttachThreadInput(front.ID(), g.ID(), true))
		w.ok(front.AttachThreadInput(front.ID(), g.ID(), false))
		code(t, front.AttachThreadInput(front.ID(), g.ID(), false), win32.ERROR_INVALID_PARAMETER)
		_, err := g.SetWindowsHook(win32.WH_JOURNALRECORD, 1, false, 0)
		w.ok(err)
		code(t, front.AttachThreadInput(front.ID(), g.ID(), true), win32.ERROR_ACCESS_DENIED)
	})
}
