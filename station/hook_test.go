// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// hook installs a hook procedure.
func (g *gui) hook(kind int32, thread uint32, p procedure) win32.HWND {
	g.t.Helper()
	id := uint64(len(g.procs) + 1000)
	g.procs[id] = p
	h, err := g.SetWindowsHook(kind, id, true, thread)
	if err != nil {
		g.t.Fatal(err)
	}
	return h
}

// next is CallNextHookEx.
func (g *gui) next() uint64 {
	d, err := g.run(func() (station.Delivery, error) { return g.CallNextHook(context.Background()) })
	if err != nil {
		g.t.Error(err)
	}
	return d.Result
}

func TestSetHook(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	w.makeDesktop(alice, "Other")
	a, b, far := w.guiOn(alice, ""), w.guiOn(alice, ""), w.guiOn(alice, `WinSta0\Other`)
	set := func(kind int32, proc uint64, module bool, thread uint32) error {
		h, err := a.SetWindowsHook(kind, proc, module, thread)
		if err == nil {
			w.ok(a.UnhookWindowsHook(h))
		}
		return err
	}
	t.Run("HK-4/order", func(t *testing.T) {
		conform.Rule(t, "HK-2", "HK-3", "HK-4")
		rule(t, set(-2, 0, false, 99), win32.ERROR_INVALID_HOOK_FILTER, "HK-4")
		rule(t, set(15, 1, false, 0), win32.ERROR_INVALID_HOOK_FILTER, "HK-4")
		rule(t, set(win32.WH_KEYBOARD_LL, 0, false, 99), win32.ERROR_INVALID_FILTER_PROC, "HK-4")
		for _, kind := range []int32{win32.WH_JOURNALRECORD, win32.WH_JOURNALPLAYBACK, win32.WH_KEYBOARD_LL, win32.WH_MOUSE_LL, win32.WH_SYSMSGFILTER} {
			rule(t, set(kind, 1, true, 99), win32.ERROR_GLOBAL_ONLY_HOOK, "HK-4")
		}
		rule(t, set(win32.WH_CBT, 1, false, 99), win32.ERROR_INVALID_PARAMETER, "HK-4")
		rule(t, set(win32.WH_CBT, 1, false, far.ID()), win32.ERROR_ACCESS_DENIED, "HK-4")
		for _, kind := range []int32{win32.WH_GETMESSAGE, win32.WH_CALLWNDPROC, win32.WH_CALLWNDPROCRET, win32.WH_CBT, win32.WH_DEBUG, win32.WH_SHELL, win32.WH_FOREGROUNDIDLE} {
			rule(t, set(kind, 1, false, b.ID()), win32.ERROR_HOOK_NEEDS_HMOD, "HK-4")
			rule(t, set(kind, 1, false, 0), win32.ERROR_HOOK_NEEDS_HMOD, "HK-4")
			w.ok(set(kind, 1, true, b.ID()))
			w.ok(set(kind, 1, false, a.ID()))
		}
		rule(t, set(win32.WH_SYSMSGFILTER, 1, false, 0), win32.ERROR_HOOK_NEEDS_HMOD, "HK-4")
		w.ok(set(win32.WH_KEYBOARD_LL, 1, false, 0))
		one, err := a.SetWindowsHook(win32.WH_JOURNALRECORD, 1, false, 0)
		w.ok(err)
		_, err = b.SetWindowsHook(win32.WH_JOURNALRECORD, 1, false, 0)
		rule(t, err, win32.ERROR_JOURNAL_HOOK_SET, "HK-4")
		_, err = far.SetWindowsHook(win32.WH_JOURNALRECORD, 1, false, 0)
		w.ok(err) // another desktop's
		w.ok(a.UnhookWindowsHook(one))
	})
	t.Run("HK-4/rights", func(t *testing.T) {
		conform.Rule(t, "HK-4", "AR-17", "AR-18", "AR-19")
		c := w.guiOn(alice, "")
		for _, x := range []struct {
			rights win32.AccessMask
			kind   int32
			ok     bool
		}{
			{win32.DESKTOP_CREATEWINDOW, win32.WH_KEYBOARD, false}, {win32.DESKTOP_HOOKCONTROL, win32.WH_KEYBOARD, true},
			{win32.DESKTOP_HOOKCONTROL, win32.WH_JOURNALRECORD, false}, {win32.DESKTOP_HOOKCONTROL | win32.DESKTOP_JOURNALRECORD, win32.WH_JOURNALRECORD, true},
			{win32.DESKTOP_HOOKCONTROL | win32.DESKTOP_JOURNALRECORD, win32.WH_JOURNALPLAYBACK, false},
			{win32.DESKTOP_HOOKCONTROL | win32.DESKTOP_JOURNALPLAYBACK, win32.WH_JOURNALPLAYBACK, true},
		} {
			d, err := c.OpenDesktop("Default", 0, x.rights, false)
			w.ok(err)
			w.ok(c.SetThreadDesktop(d))
			h, err := c.SetWindowsHook(x.kind, 1, true, 0)
			if !x.ok {
				rule(t, err, win32.ERROR_ACCESS_DENIED, "HK-4")
				continue
			}
			w.ok(err)
			w.ok(c.UnhookWindowsHook(h))
		}
	})
	t.Run("HK-6/remove", func(t *testing.T) {
		conform.Rule(t, "HK-6", "HK-7", "DT-34", "DT-35", "DT-28")
		used := alice.session.ActiveDesktop().HeapUsed()
		h, err := a.SetWindowsHook(win32.WH_KEYBOARD, 1, true, 0)
		w.ok(err)
		same(t, "heap", alice.session.ActiveDesktop().HeapUsed(), used+256)
		rule(t, a.UnhookWindowsHook(h+1), win32.ERROR_INVALID_HOOK_HANDLE, "HK-6")
		rule(t, b.UnhookWindowsHook(h), win32.ERROR_INVALID_HOOK_HANDLE, "HK-6")
		d, err := a.OpenDesktop("Other", 0, maxAllowed, false)
		w.ok(err)
		rule(t, a.SetThreadDesktop(d), win32.ERROR_BUSY, "DT-34")
		w.ok(a.UnhookWindowsHook(h))
		rule(t, a.UnhookWindowsHook(h), win32.ERROR_INVALID_HOOK_HANDLE, "HK-6")
		same(t, "heap", alice.session.ActiveDesktop().HeapUsed(), used)
		// A thread hook of the own process counts for its target too, and goes
		// with the thread that set it.
		second := newGUI(t, w.attach(a.Process()))
		w.ok(second.Connect())
		_, err = second.SetWindowsHook(win32.WH_KEYBOARD, 1, false, a.ID())
		w.ok(err)
		rule(t, a.SetThreadDesktop(d), win32.ERROR_BUSY, "DT-34")
		second.Detach()
		w.ok(a.SetThreadDesktop(d))
	})
	t.Run("HK-9/accounts", func(t *testing.T) {
		conform.Rule(t, "HK-9")
		sys := newGUI(t, w.start(security.SystemToken(alice.session.ID()), text(`WinSta0\Default`)))
		w.ok(sys.Connect())
		_, err := sys.SetWindowsHook(win32.WH_KEYBOARD, 1, true, b.ID())
		rule(t, err, win32.ERROR_ACCESS_DENIED, "HK-9")
		seen := 0
		sys.hook(win32.WH_CALLWNDPROC, 0, func(station.Delivery) (uint64, []byte) { seen++; return sys.next(), nil })
		sys.serve()
		h := b.create(station.WindowOptions{})
		_, err = b.send(station.SendOptions{Window: h, Message: win32.WM_USER})
		w.ok(err)
		same(t, "seen", seen, 0)
		_, err = b.OpenDesktop("Default", win32.DF_ALLOWOTHERACCOUNTHOOK, maxAllowed, false)
		w.ok(err)
		_, err = b.send(station.SendOptions{Window: h, Message: win32.WM_USER})
		w.ok(err)
		same(t, "seen", seen, 1)
	})
}

func TestHooks(t *testing.T) {
	t.Run("HK-5/chain", func(t *testing.T) {
		conform.Rule(t, "HK-5", "HK-8")
		w := newWorld(t)
		alice := w.logon(1001)
		a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
		h := b.withProc("hooked", echo)
		var order string
		stop := false
		mark := func(g *gui, s string) procedure {
			return func(d station.Delivery) (uint64, []byte) {
				if d.Message.Message != win32.WM_USER {
					return g.next(), nil
				}
				order += s
				if s == "2" && stop {
					return 0, nil
				}
				return g.next(), nil
			}
		}
		a.hook(win32.WH_CALLWNDPROC, 0, mark(a, "1"))
		a.hook(win32.WH_CALLWNDPROC, 0, mark(a, "2"))
		a.hook(win32.WH_CALLWNDPROC, b.ID(), mark(a, "t"))
		a.hook(win32.WH_CALLWNDPROCRET, 0, mark(a, "r"))
		b.hook(win32.WH_CALLWNDPROC, 0, mark(b, "b")) // in the receiving thread itself
		b.serve()
		d, err := a.send(station.SendOptions{Window: h, Message: win32.WM_USER, WParam: 5})
		w.ok(err)
		same(t, "result", d.Result, 6)
		same(t, "order", order, "tb21r")
		order, stop = "", true
		_, err = a.send(station.SendOptions{Window: h, Message: win32.WM_USER})
		w.ok(err)
		same(t, "order with a stop", order, "tb2r")
	})
	t.Run("HK-1/desktop", func(t *testing.T) {
		conform.Rule(t, "HK-1")
		w := newWorld(t)
		alice := w.logon(1001)
		w.makeDesktop(alice, "Other")
		a, far := w.guiOn(alice, ""), w.guiOn(alice, `WinSta0\Other`)
		seen := map[win32.HWND]int{}
		for _, kind := range []int32{win32.WH_CALLWNDPROC, win32.WH_GETMESSAGE, win32.WH_CBT, win32.WH_CALLWNDPROCRET} {
			a.hook(kind, 0, func(d station.Delivery) (uint64, []byte) { seen[d.Message.Window]++; return a.next(), nil })
		}
		a.serve()
		h := far.create(station.WindowOptions{})
		_, err := far.send(station.SendOptions{Window: h, Message: win32.WM_USER})
		w.ok(err)
		w.ok(far.post(h, win32.WM_USER))
		same(t, "posted", len(far.drain()), 1)
		near := w.guiOn(alice, "")
		n := near.create(station.WindowOptions{})
		w.ok(near.post(n, win32.WM_USER))
		same(t, "posted", len(near.drain()), 1)
		same(t, "of the other desktop", seen[h], 0)
		// CBT, NCCREATE and CREATE going and coming, and the posted one.
		same(t, "of this desktop", seen[n], 6)
	})
	t.Run("HK-8/late", func(t *testing.T) {
		conform.Rule(t, "HK-8")
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			alice := w.logon(1001)
			a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
			h := b.withProc("hooked", echo)
			hk := a.hook(win32.WH_CALLWNDPROC, 0, passive)
			b.serve()
			start := time.Now()
			d, err := b2send(w, alice, h)
			w.ok(err)
			same(t, "result", d.Result, 1)
			same(t, "skipped after", time.Since(start), 300*time.Millisecond)
			for range 8 {
				_, err = b2send(w, alice, h)
				w.ok(err)
			}
			if err := a.UnhookWindowsHook(hk); err != nil {
				t.Fatalf("gone too early: %v", err)
			}
			hk = a.hook(win32.WH_CALLWNDPROC, 0, passive)
			for range 10 {
				_, err = b2send(w, alice, h)
				w.ok(err)
			}
			start = time.Now()
			_, err = b2send(w, alice, h)
			w.ok(err)
			same(t, "without it", time.Since(start), 0)
			rule(t, a.UnhookWindowsHook(hk), win32.ERROR_INVALID_HOOK_HANDLE, "HK-6")
		})
	})
	t.Run("HK-1/CBT prevents", func(t *testing.T) {
		conform.Rule(t, "HK-2")
		w := newWorld(t)
		alice := w.logon(1001)
		a := w.guiOn(alice, "")
		a.hook(win32.WH_CBT, 0, func(d station.Delivery) (uint64, []byte) { return 1, nil })
		h, err := a.tryCreate(station.WindowOptions{})
		w.ok(err)
		same(t, "window", h, 0)
	})
}

// b2send sends WM_USER from a program that ends afterwards.
func b2send(w *world, p person, h win32.HWND) (station.Delivery, error) {
	c := w.guiOn(p, "")
	defer c.Detach()
	return c.send(station.SendOptions{Window: h, Message: win32.WM_USER})
}
