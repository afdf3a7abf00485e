// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// echo answers a message with its WParam plus one.
func echo(d station.Delivery) (uint64, []byte) { return d.Message.WParam + 1, d.Data }

func TestIsolation(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	w.makeDesktop(alice, "Other")
	sys := w.system()
	me := w.guiOn(alice, "")
	// Somebody on the same desktop, on another one, in another station and in
	// another session.
	near, far := w.guiOn(alice, ""), w.guiOn(alice, `WinSta0\Other`)
	// A service in alice's session has a station of its own.
	service := newGUI(t, w.start(security.SystemToken(alice.session.ID()), text("")))
	w.ok(service.Connect())
	if where := location(t, service.Thread); where != `Service-0x0-3e7$\Default` {
		t.Fatalf("the service is on %s", where)
	}
	bob := w.guiOn(w.logon(1002), "")
	zero := newGUI(t, sys)
	for _, c := range []struct {
		name string
		to   *gui
	}{{"MSG-7/another desktop", far}, {"MSG-7/another station", service}, {"MSG-7/another session", bob}, {"MSG-7/session 0", zero}} {
		t.Run(c.name, func(t *testing.T) {
			conform.Rule(t, "MSG-1", "MSG-2", "MSG-7", "MSG-9", "MSG-10", "UI-12", "HK-1")
			w.ok(c.to.Connect())
			h := c.to.create(station.WindowOptions{Title: "target"})
			audit := w.audits()
			for _, o := range []station.SendOptions{{}, {Limited: true, Timeout: 100}, {Mode: station.SendNotify}, {Mode: station.SendCallback}} {
				o.Window, o.Message = h, win32.WM_USER
				_, err := me.send(o)
				code(t, err, win32.ERROR_INVALID_WINDOW_HANDLE)
			}
			code(t, me.post(h, win32.WM_USER), win32.ERROR_INVALID_WINDOW_HANDLE)
			rule(t, me.PostThreadMessage(c.to.ID(), win32.WM_USER, 0, 0), win32.ERROR_INVALID_THREAD_ID, "MSG-9")
			_, err := me.SetWindowsHook(win32.WH_KEYBOARD, 1, true, c.to.ID())
			if win32.Code(err) != win32.ERROR_ACCESS_DENIED && win32.Code(err) != win32.ERROR_INVALID_PARAMETER {
				t.Fatalf("SetWindowsHookEx gives %v", err)
			}
			if err := me.AttachThreadInput(me.ID(), c.to.ID(), true); err == nil {
				t.Fatal("AttachThreadInput works")
			}
			me.create(station.WindowOptions{}) // has a queue now
			w.ok(me.post(win32.HWND_BROADCAST, win32.WM_USER))
			_, err = me.send(station.SendOptions{Window: win32.HWND_BROADCAST, Message: win32.WM_USER, Limited: true, Timeout: 50})
			w.ok(err)
			_, err = me.run(func() (station.Delivery, error) {
				return me.BroadcastSystemMessage(context.Background(), station.BroadcastOptions{Recipients: win32.BSM_APPLICATIONS, Message: win32.WM_USER, Flags: win32.BSF_POSTMESSAGE})
			})
			w.ok(err)
			for _, m := range c.to.drain() {
				t.Fatalf("it got %+v", m)
			}
			after := w.audits()
			if c.to == far && len(after) < len(audit)+6 {
				t.Fatalf("%d audit records, want 6 and more", len(after)-len(audit))
			}
		})
	}
	t.Run("MSG-10/own desktop", func(t *testing.T) {
		conform.Rule(t, "MSG-10", "MSG-11")
		h := near.create(station.WindowOptions{})
		near.drain()
		w.ok(me.post(win32.HWND_BROADCAST, win32.WM_APP+1))
		if l := near.drain(); len(l) != 1 || l[0].Window != h || l[0].Message != win32.WM_APP+1 {
			t.Fatalf("got %+v", l)
		}
	})
	t.Run("MSG-9/privilege", func(t *testing.T) {
		conform.Rule(t, "MSG-9")
		// The same logon session and SeTcb: LocalSystem of the same session.
		other := newGUI(t, w.start(security.SystemToken(alice.session.ID()), text(`WinSta0\Other`)))
		w.ok(other.Connect())
		service.create(station.WindowOptions{})
		w.ok(other.PostThreadMessage(service.ID(), win32.WM_APP, 1, 2))
		m, ok := service.peek(win32.ThreadMessages, 0, 0, win32.PM_REMOVE)
		if !ok || m.Window != 0 || m.WParam != 1 || m.LParam != 2 {
			t.Fatalf("got %+v", m)
		}
		// Its logon session is not alice's.
		code(t, other.PostThreadMessage(near.ID(), win32.WM_APP, 1, 2), win32.ERROR_INVALID_THREAD_ID)
	})
	t.Run("MSG-12/all desktops", func(t *testing.T) {
		conform.Rule(t, "MSG-12", "MSG-28")
		bsm := func(g *gui, o station.BroadcastOptions) (station.Delivery, error) {
			return g.run(func() (station.Delivery, error) { return g.BroadcastSystemMessage(context.Background(), o) })
		}
		all := station.BroadcastOptions{Recipients: win32.BSM_ALLDESKTOPS, Message: win32.WM_APP + 2, Flags: win32.BSF_POSTMESSAGE}
		_, err := bsm(me, all)
		rule(t, err, win32.ERROR_PRIVILEGE_NOT_HELD, "MSG-12")
		for _, g := range []*gui{near, far, service, bob, zero} {
			g.drain()
		}
		_, err = bsm(service, all)
		w.ok(err)
		for g, want := range map[*gui]bool{near: true, far: true, service: true, bob: false, zero: false} {
			if got := len(g.drain()) > 0; got != want {
				t.Errorf("thread 0x%x got it: %v, want %v", g.ID(), got, want)
			}
		}
		_, err = bsm(me, station.BroadcastOptions{Message: win32.WM_APP, Flags: win32.BSF_QUERY | win32.BSF_POSTMESSAGE})
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "MSG-28")
	})
}

func TestPosted(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
	h := b.create(station.WindowOptions{})
	t.Run("MSG-14/queue", func(t *testing.T) {
		conform.Rule(t, "MSG-14", "MSG-15")
		c := w.guiOn(alice, "")
		rule(t, a.PostThreadMessage(c.ID(), win32.WM_USER, 0, 0), win32.ERROR_INVALID_THREAD_ID, "MSG-14")
		rule(t, a.PostThreadMessage(4711, win32.WM_USER, 0, 0), win32.ERROR_INVALID_THREAD_ID, "MSG-14")
		w.ok(c.PostThreadMessage(c.ID(), win32.WM_USER, 0, 0))
		w.ok(a.PostThreadMessage(c.ID(), win32.WM_USER+1, 5, 6))
		w.ok(c.PostMessage(0, win32.WM_USER+2, 0, 0))
		l := c.drain()
		if len(l) != 3 || l[1].WParam != 5 || l[2].Message != win32.WM_USER+2 || l[2].Window != 0 {
			t.Fatalf("got %+v", l)
		}
	})
	t.Run("MSG-16/limit", func(t *testing.T) {
		conform.Rule(t, "MSG-16")
		for i := range 10000 {
			if err := a.PostMessage(h, win32.WM_USER, uint64(i), 0); err != nil {
				t.Fatalf("post %d: %v", i, err)
			}
		}
		rule(t, a.post(h, win32.WM_USER), win32.ERROR_NOT_ENOUGH_QUOTA, "MSG-16")
		_, err := b.SetTimer(h, 1, 10, 0)
		w.ok(err)
		w.ok(b.KillTimer(h, 1))
		l := b.drain()
		same(t, "messages", len(l), 10000)
		if !slices.IsSortedFunc(l, func(x, y station.Message) int { return int(x.WParam) - int(y.WParam) }) {
			t.Fatal("out of order")
		}
		w.ok(a.post(h, win32.WM_USER))
		b.drain()
	})
	t.Run("MSG-4/numbers", func(t *testing.T) {
		conform.Rule(t, "MSG-4", "MSG-6", "MSG-5", "MSG-31")
		rule(t, a.post(h, 0x10000), win32.ERROR_INVALID_PARAMETER, "MSG-4")
		for _, msg := range []uint32{win32.WM_SETTEXT, win32.WM_GETTEXT, win32.WM_COPYDATA} {
			rule(t, a.post(h, msg), win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
			for _, mode := range []station.SendMode{station.SendNotify, station.SendCallback} {
				_, err := a.send(station.SendOptions{Window: h, Message: msg, Mode: mode})
				rule(t, err, win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
			}
			w.ok(b.post(h, msg)) // to itself
		}
		b.drain()
	})
	t.Run("MSG-20/filters", func(t *testing.T) {
		conform.Rule(t, "MSG-20", "MSG-21", "MSG-22")
		kid := b.create(station.WindowOptions{Parent: h, Style: win32.WS_CHILD})
		other := b.create(station.WindowOptions{})
		w.ok(a.post(other, win32.WM_USER+1))
		w.ok(a.post(kid, win32.WM_USER+2))
		w.ok(a.PostThreadMessage(b.ID(), win32.WM_USER+3, 0, 0))
		w.ok(a.post(h, win32.WM_USER+4))
		status, err := b.QueueStatus(0xFFFF)
		w.ok(err)
		same(t, "status", status, (win32.QS_POSTMESSAGE|win32.QS_ALLPOSTMESSAGE)*0x10001)
		m, _ := b.peek(h, 0, 0, win32.PM_NOREMOVE)
		same(t, "window and children", m.Message, win32.WM_USER+2)
		m, _ = b.peek(h, win32.WM_USER+3, win32.WM_USER+9, win32.PM_REMOVE)
		same(t, "range", m.Message, win32.WM_USER+4)
		m, _ = b.peek(win32.ThreadMessages, 0, 0, win32.PM_REMOVE)
		same(t, "thread's", m.Message, win32.WM_USER+3)
		_, ok := b.peek(0, 0, 0, win32.PM_REMOVE|win32.QS_TIMER<<16)
		same(t, "only timers", ok, false)
		same(t, "left", len(b.drain()), 2)
		_, err = a.PeekMessage(context.Background(), h, 0, 0, 0)
		rule(t, err, win32.ERROR_INVALID_WINDOW_HANDLE, "MSG-20")
		_, err = a.GetMessage(context.Background(), h, 0, 0)
		rule(t, err, win32.ERROR_INVALID_WINDOW_HANDLE, "MSG-20")
		w.ok(b.destroy(other))
		w.ok(b.destroy(kid))
	})
	t.Run("MSG-17/order", func(t *testing.T) {
		conform.Rule(t, "MSG-17", "MSG-18", "MSG-19")
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			alice := w.logon(1001)
			a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
			var order []string
			h := b.withProc("ordered", func(d station.Delivery) (uint64, []byte) {
				order = append(order, "sent")
				return 0, nil
			})
			order = nil
			_, err := b.SetTimer(h, 7, 1, 0)
			w.ok(err)
			time.Sleep(35 * time.Millisecond) // three periods: coalesced
			w.ok(b.Invalidate(h))
			w.ok(b.Invalidate(h))
			w.ok(b.PostQuitMessage(9))
			w.ok(a.post(h, win32.WM_USER))
			w.ok(a.post(h, win32.WM_USER+1))
			_, err = a.send(station.SendOptions{Window: h, Message: win32.WM_APP, Mode: station.SendNotify})
			w.ok(err)
			for range 6 {
				m, ok := b.peek(0, 0, 0, win32.PM_REMOVE)
				if !ok {
					break
				}
				order = append(order, fmt.Sprintf("%x/%d", m.Message, m.WParam))
				if m.Message == win32.WM_PAINT {
					w.ok(b.Validate(h))
				}
			}
			want := []string{"sent", "400/0", "401/0", "12/9", "f/0", "113/7"}
			if !slices.Equal(order, want) {
				t.Fatalf("order %q, want %q", order, want)
			}
			w.ok(b.PostQuitMessage(3)) // ignores the filter
			m, _ := b.peek(h, win32.WM_APP, win32.WM_APP, win32.PM_REMOVE)
			same(t, "filtered", m.Message, win32.WM_QUIT)
			w.ok(b.KillTimer(h, 7))
		})
	})
}

func TestTimers(t *testing.T) {
	conform.Rule(t, "MSG-36", "MSG-19", "MSG-22")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.logon(1001)
		a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
		h := a.create(station.WindowOptions{})
		start := time.Now()
		id, err := a.SetTimer(h, 5, 1, 0xABC) // 10 ms at least
		w.ok(err)
		same(t, "id", id, 5)
		get := func() station.Message {
			d, err := a.run(func() (station.Delivery, error) { return a.GetMessage(context.Background(), 0, 0, 0) })
			w.ok(err)
			return d.Message
		}
		for i := range 3 {
			m := get()
			if m.Message != win32.WM_TIMER || m.WParam != 5 || m.LParam != 0xABC || m.Window != h {
				t.Fatalf("got %+v", m)
			}
			same(t, "time", time.Since(start), time.Duration(i+1)*10*time.Millisecond)
			same(t, "stamp", m.Time, uint32(time.Since(start).Milliseconds()))
		}
		_, err = a.SetTimer(h, 5, 1000, 0) // replaces
		w.ok(err)
		get()
		same(t, "replaced", time.Since(start), 1030*time.Millisecond)
		w.ok(a.KillTimer(h, 5))
		rule(t, a.KillTimer(h, 5), win32.ERROR_INVALID_PARAMETER, "MSG-36")
		x, err := a.SetTimer(0, 77, 10, 0)
		w.ok(err)
		y, err := a.SetTimer(0, 77, 10, 0)
		w.ok(err)
		if x == y || x == 77 {
			t.Fatalf("timers %d and %d", x, y)
		}
		time.Sleep(15 * time.Millisecond)
		w.ok(a.KillTimer(0, x)) // what waits already stays
		if l := a.drain(); len(l) != 2 || l[0].Window != 0 {
			t.Fatalf("got %+v", l)
		}
		w.ok(a.KillTimer(0, y))
		_, err = b.SetTimer(h, 1, 10, 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "MSG-36")
		second := newGUI(t, w.attach(a.Process()))
		w.ok(second.Connect())
		_, err = second.SetTimer(h, 9, 10, 0)
		w.ok(err)
		same(t, "in the window's thread", get().WParam, 9)
		w.ok(second.KillTimer(h, 9))
	})
}

func TestSent(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
	var how, replied uint32
	var nested win32.HWND
	h := b.withProc("answers", func(d station.Delivery) (uint64, []byte) {
		how = b.InSendMessage()
		switch d.Message.Message {
		case win32.WM_USER + 1: // reply early
			b.ReplyMessage(77)
			replied = b.InSendMessage()
			return 1, nil
		case win32.WM_USER + 2: // send back
			r, err := b.send(station.SendOptions{Window: nested, Message: win32.WM_USER, WParam: d.Message.WParam})
			if err != nil {
				t.Error(err)
			}
			return r.Result * 10, nil
		}
		return echo(d)
	})
	nested = a.withProc("nested", echo)
	b.serve()
	t.Run("MSG-23/result", func(t *testing.T) {
		conform.Rule(t, "MSG-23", "MSG-27", "MSG-5")
		d, err := a.send(station.SendOptions{Window: h, Message: win32.WM_USER, WParam: 41})
		w.ok(err)
		same(t, "result", d.Result, 42)
		same(t, "InSendMessageEx", how, win32.ISMEX_SEND)
		d, err = a.send(station.SendOptions{Window: h, Message: win32.WM_USER + 2, WParam: 6})
		w.ok(err)
		same(t, "nested", d.Result, 70)
		d, err = a.send(station.SendOptions{Window: h, Message: win32.WM_USER + 1})
		w.ok(err)
		same(t, "replied", d.Result, 77)
		_, err = a.send(station.SendOptions{Window: h, Message: win32.WM_USER})
		w.ok(err)
		same(t, "ISMEX", replied, win32.ISMEX_SEND|win32.ISMEX_REPLIED)
		same(t, "outside", a.InSendMessage(), win32.ISMEX_NOSEND)
		// To itself: directly.
		d, err = a.send(station.SendOptions{Window: nested, Message: win32.WM_USER, WParam: 1, Limited: true, Timeout: 1})
		w.ok(err)
		same(t, "itself", d.Result, 2)
	})
	t.Run("MSG-27/callback", func(t *testing.T) {
		conform.Rule(t, "MSG-27")
		var got station.Delivery
		a.procs[500] = func(d station.Delivery) (uint64, []byte) { got = d; return 0, nil }
		_, err := a.send(station.SendOptions{Window: h, Message: win32.WM_USER, WParam: 8, Mode: station.SendCallback, Callback: 500, CallbackData: 99})
		w.ok(err)
		eventually(t, "the callback", func() bool { a.drain(); return got.Kind == station.DeliverCall })
		same(t, "kind", got.Call, station.CallCallback)
		same(t, "result", got.Message.LParam, 9)
		same(t, "data", got.Message.WParam, 99)
		same(t, "ISMEX", how, win32.ISMEX_CALLBACK)
	})
	t.Run("MSG-31/copydata", func(t *testing.T) {
		conform.Rule(t, "MSG-31", "MSG-5")
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		d, err := a.send(station.SendOptions{Window: h, Message: win32.WM_COPYDATA, Data: data})
		w.ok(err)
		if !bytes.Equal(d.Data, data) {
			t.Fatal("the bytes are not the same")
		}
		for range 16 {
			w.ok(a.StageData(data))
		}
		d, err = a.send(station.SendOptions{Window: h, Message: win32.WM_COPYDATA, Staged: true})
		w.ok(err)
		same(t, "16 MiB", len(d.Data), 16<<20)
		for range 16 {
			w.ok(a.StageData(data))
		}
		w.ok(a.StageData([]byte{1}))
		_, err = a.send(station.SendOptions{Window: h, Message: win32.WM_COPYDATA, Staged: true})
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "MSG-31")
		same(t, "bytes held", w.e.Payload(alice.session), 0)
	})
	t.Run("MSG-26/death", func(t *testing.T) {
		conform.Rule(t, "MSG-26", "WN-11")
		for name, die := range map[string]func(g *gui, h win32.HWND){
			"thread":  func(g *gui, h win32.HWND) { g.Detach() },
			"process": func(g *gui, h win32.HWND) { _ = w.e.TerminateProcess(g.Process(), 1) },
			"window":  func(g *gui, h win32.HWND) { w.ok(g.destroy(h)) },
		} {
			c := w.guiOn(alice, "")
			target := c.create(station.WindowOptions{})
			errs := make(chan error)
			go func() {
				_, err := a.send(station.SendOptions{Window: target, Message: win32.WM_USER, Limited: true, Timeout: 60000, Flags: win32.SMTO_ERRORONEXIT})
				errs <- err
			}()
			// Once taken and not answered, and once not even taken.
			if name == "process" {
				eventually(t, "the send", func() bool {
					d, err := c.PeekMessage(context.Background(), 0, 0, 0, 0)
					return err == nil && d.Kind == station.DeliverCall
				})
			} else {
				eventually(t, "the send", func() bool { s, _ := c.QueueStatus(win32.QS_SENDMESSAGE); return s>>16 != 0 })
			}
			if name == "window" {
				c.procs[1] = passive
			}
			die(c, target)
			rule(t, <-errs, win32.ERROR_INVALID_WINDOW_HANDLE, "MSG-26")
		}
	})
}

func TestSendTimes(t *testing.T) {
	conform.Rule(t, "MSG-24", "MSG-25", "MSG-23", "MSG-10")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.logon(1001)
		a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
		h := b.withProc("slow", func(d station.Delivery) (uint64, []byte) {
			if d.Message.Message == win32.WM_USER+9 {
				time.Sleep(time.Duration(d.Message.WParam) * time.Millisecond)
			}
			return 1, nil
		})
		send := func(flags, timeout uint32) (time.Duration, error) {
			start := time.Now()
			_, err := a.send(station.SendOptions{Window: h, Message: win32.WM_USER, Limited: true, Timeout: timeout, Flags: flags})
			return time.Since(start), err
		}
		// Nobody retrieves: the time is over.
		d, err := send(0, 200)
		rule(t, err, win32.ERROR_TIMEOUT, "MSG-26")
		same(t, "time", d, 200*time.Millisecond)
		if l := b.drain(); len(l) != 0 {
			t.Fatalf("a message that timed out was delivered: %v", l)
		}
		// Messages wait for 5 s: hung.
		w.ok(a.post(h, win32.WM_USER))
		time.Sleep(4999 * time.Millisecond)
		hung, _ := a.IsHung(h)
		same(t, "hung before 5 s", hung, false)
		time.Sleep(time.Millisecond)
		hung, _ = a.IsHung(h)
		same(t, "hung", hung, true)
		d, err = send(win32.SMTO_ABORTIFHUNG, 60000)
		code(t, err, win32.ERROR_TIMEOUT)
		same(t, "at once", d, 0)
		// With NOTIMEOUTIFNOTHUNG the time does not count until it hangs.
		b.drain()
		hung, _ = a.IsHung(h)
		same(t, "hung after a retrieval", hung, false)
		d, err = send(win32.SMTO_NOTIMEOUTIFNOTHUNG, 1000)
		code(t, err, win32.ERROR_TIMEOUT)
		same(t, "until it hangs", d, 5*time.Second)
		// Broadcast: each may use the time.
		c := w.guiOn(alice, "")
		c.create(station.WindowOptions{})
		start := time.Now()
		_, err = a.send(station.SendOptions{Window: win32.HWND_BROADCAST, Message: win32.WM_USER, Limited: true, Timeout: 300})
		w.ok(err)
		same(t, "two windows", time.Since(start), 600*time.Millisecond)
		// A thread that waits is served, except with SMTO_BLOCK.
		mine := a.create(station.WindowOptions{})
		stop := b.serve()
		for _, flags := range []uint32{0, win32.SMTO_BLOCK} {
			blocked := make(chan error, 1)
			go func() {
				_, err := a.send(station.SendOptions{Window: h, Message: win32.WM_USER + 9, WParam: 500, Limited: true, Timeout: 5000, Flags: flags})
				blocked <- err
			}()
			time.Sleep(10 * time.Millisecond)
			start = time.Now()
			_, err = c.send(station.SendOptions{Window: mine, Message: win32.WM_USER, Limited: true, Timeout: 100})
			if flags == 0 {
				w.ok(err)
				same(t, "served at once", time.Since(start), 0)
			} else {
				code(t, err, win32.ERROR_TIMEOUT)
			}
			w.ok(<-blocked)
		}
		stop()
	})
}

func TestBroadcastQuery(t *testing.T) {
	conform.Rule(t, "MSG-28", "MSG-10")
	w := newWorld(t)
	alice := w.logon(1001)
	a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
	asked, answer := 0, uint64(1)
	for i := range 3 {
		b.withProc(fmt.Sprint("q", i), func(d station.Delivery) (uint64, []byte) {
			if d.Message.Message == win32.WM_APP {
				asked++
			}
			return answer, nil
		})
	}
	b.serve()
	ask := func() uint64 {
		d, err := a.run(func() (station.Delivery, error) {
			return a.BroadcastSystemMessage(context.Background(), station.BroadcastOptions{Flags: win32.BSF_QUERY, Message: win32.WM_APP})
		})
		w.ok(err)
		return d.Result
	}
	same(t, "all agree", ask(), 1)
	same(t, "asked", asked, 3)
	answer = uint64(win32.BROADCAST_QUERY_DENY)
	same(t, "denied", ask(), 0)
	same(t, "asked once more", asked, 4)
}

func TestIntegrity(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	// A program of low integrity can't write to a desktop without a label at
	// all; of those that can, the user's own are below an elevated one.
	low := w.guiOn(alice, "")
	untrusted := w.start(alice.token.WithIntegrity(security.LevelLow), text(`WinSta0\Default`))
	high := newGUI(t, w.start(alice.token.WithIntegrity(security.LevelHigh), nil))
	w.ok(high.Connect())
	h := high.create(station.WindowOptions{})
	high.drain()
	t.Run("UI-2/blocked", func(t *testing.T) {
		conform.Rule(t, "UI-1", "UI-2", "UI-3", "UI-4", "UI-5")
		rule(t, low.post(h, win32.WM_USER), win32.ERROR_ACCESS_DENIED, "UI-3")
		_, err := low.send(station.SendOptions{Window: h, Message: win32.WM_USER, Limited: true, Timeout: 10})
		rule(t, err, win32.ERROR_ACCESS_DENIED, "UI-3")
		rule(t, low.PostThreadMessage(high.ID(), win32.WM_USER, 0, 0), win32.ERROR_ACCESS_DENIED, "UI-3")
		rule(t, low.SetWindowText(h, "x"), win32.ERROR_ACCESS_DENIED, "UI-3")
		for _, msg := range []uint32{0, 3, 5, 0xE, 0x33, 0x7F, 0x305, 0x308, 0x30D, 0x31A} {
			w.ok(low.post(h, msg))
		}
		w.ok(low.post(win32.HWND_BROADCAST, win32.WM_APP))
		same(t, "got", len(high.drain()), 10)
		mine := low.create(station.WindowOptions{})
		w.ok(high.post(mine, win32.WM_USER))
	})
	t.Run("UI-6/filters", func(t *testing.T) {
		conform.Rule(t, "UI-5", "UI-6", "UI-7", "UI-8")
		w.ok(high.ChangeMessageFilter(win32.WM_USER, win32.MSGFLT_ADD))
		w.ok(low.post(h, win32.WM_USER))
		st, err := high.ChangeWindowFilter(h, win32.WM_USER, win32.MSGFLT_DISALLOW)
		w.ok(err)
		same(t, "status", st, win32.MSGFLTINFO_ALLOWED_HIGHER)
		w.ok(high.ChangeMessageFilter(win32.WM_USER, win32.MSGFLT_REMOVE))
		code(t, low.post(h, win32.WM_USER), win32.ERROR_ACCESS_DENIED)
		for _, c := range []struct{ action, want uint32 }{
			{win32.MSGFLT_DISALLOW, win32.MSGFLTINFO_ALREADYDISALLOWED_FORWND}, {win32.MSGFLT_ALLOW, win32.MSGFLTINFO_NONE},
			{win32.MSGFLT_ALLOW, win32.MSGFLTINFO_ALREADYALLOWED_FORWND},
		} {
			st, err := high.ChangeWindowFilter(h, win32.WM_APP, c.action)
			w.ok(err)
			same(t, "status", st, c.want)
		}
		w.ok(low.post(h, win32.WM_APP))
		_, err = high.ChangeWindowFilter(h, 0, win32.MSGFLT_RESET)
		w.ok(err)
		code(t, low.post(h, win32.WM_APP), win32.ERROR_ACCESS_DENIED)
		_, err = high.ChangeWindowFilter(h, win32.WM_APP, 3)
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "UI-6")
		code(t, high.ChangeMessageFilter(win32.WM_APP, 0), win32.ERROR_INVALID_PARAMETER)
		_, err = low.ChangeWindowFilter(h, win32.WM_APP, 1)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "UI-6")
		rule(t, untrusted.ChangeMessageFilter(win32.WM_APP, 1), win32.ERROR_ACCESS_DENIED, "UI-7")
		w.ok(high.ChangeMessageFilter(win32.WM_GETTEXT, win32.MSGFLT_REMOVE))
		w.ok(low.post(h, win32.WM_MOVE))
	})
	t.Run("UI-9/hooks", func(t *testing.T) {
		conform.Rule(t, "UI-9", "UI-10")
		_, err := low.SetWindowsHook(win32.WH_KEYBOARD, 1, true, high.ID())
		rule(t, err, win32.ERROR_ACCESS_DENIED, "UI-9")
		rule(t, low.AttachThreadInput(low.ID(), high.ID(), true), win32.ERROR_ACCESS_DENIED, "UI-9")
		// Atoms and the desktop window are shared all the same.
		n, err := high.AddAtom(false, text("shared"), 0)
		w.ok(err)
		got, err := low.FindAtom(false, text("shared"), 0)
		w.ok(err)
		same(t, "atom", got, n)
	})
}

// The numbers are those that programs were compiled with.
func TestMessageNumbers(t *testing.T) {
	conform.Rule(t, "MSG-30", "MSG-33", "MSG-35", "MSG-21", "HK-2", "CB-16", "UI-1")
	for _, c := range []struct{ got, want uint32 }{
		{win32.WM_CREATE, 1}, {win32.WM_DESTROY, 2}, {win32.WM_SETTEXT, 0xC}, {win32.WM_CLOSE, 0x10}, {win32.WM_QUIT, 0x12}, {win32.WM_COPYDATA, 0x4A},
		{win32.WM_NCDESTROY, 0x82}, {win32.WM_KEYDOWN, 0x100}, {win32.WM_KEYLAST, 0x109}, {win32.WM_TIMER, 0x113}, {win32.WM_MOUSELAST, 0x20E},
		{win32.WM_RENDERFORMAT, 0x305}, {win32.WM_CLIPBOARDUPDATE, 0x31D}, {win32.QS_SENDMESSAGE, 0x40}, {win32.QS_RAWINPUT, 0x400},
		{uint32(win32.WH_MOUSE_LL), 14}, {win32.CF_DSPENHMETAFILE, 0x8E}, {uint32(security.LevelHigh), 0x3000}, {uint32(win32.HWND_BROADCAST), 0xFFFF},
	} {
		same(t, "number", c.got, c.want)
	}
}

func TestRecordSize(t *testing.T) {
	if n := station.WindowRecordSize; n > 100 {
		t.Fatalf("a window takes %d bytes, want 100 at most", n)
	}
}
