// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func (g *gui) empty() error {
	_, err := g.run(func() (station.Delivery, error) { return g.EmptyClipboard(context.Background()) })
	return err
}

func (g *gui) data(format uint32) (string, error) {
	d, err := g.run(func() (station.Delivery, error) { return g.ClipboardData(context.Background(), format, 0) })
	return string(d.Data), err
}

func (g *gui) place(format uint32, s string) error {
	return g.SetClipboardData(format, []byte(s), false, false)
}

func (g *gui) state() station.ClipboardState {
	g.t.Helper()
	st, err := g.Clipboard()
	if err != nil {
		g.t.Fatal(err)
	}
	return st
}

func TestClipboard(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	w.makeDesktop(alice, "Other")
	a, b, far := w.guiOn(alice, ""), w.guiOn(alice, ""), w.guiOn(alice, `WinSta0\Other`)
	ha, hb := a.create(station.WindowOptions{}), b.create(station.WindowOptions{})
	hfar := far.create(station.WindowOptions{})
	t.Run("CB-4/open", func(t *testing.T) {
		conform.Rule(t, "CB-2", "CB-4", "CB-5", "CB-6", "CB-7")
		w.ok(a.OpenClipboard(ha))
		rule(t, b.OpenClipboard(hb), win32.ERROR_ACCESS_DENIED, "CB-4")
		rule(t, b.OpenClipboard(0), win32.ERROR_ACCESS_DENIED, "CB-4")
		rule(t, b.CloseClipboard(), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-6")
		rule(t, b.empty(), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-7")
		rule(t, b.place(1, "x"), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-8")
		_, err := b.data(1)
		rule(t, err, win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-6")
		_, err = b.ClipboardFormats()
		rule(t, err, win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-6")
		w.ok(a.OpenClipboard(ha))
		second := newGUI(t, w.attach(a.Process()))
		rule(t, second.empty(), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-7")
		w.ok(a.CloseClipboard())
		rule(t, a.CloseClipboard(), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-6")
		w.ok(a.OpenClipboard(0))
		w.ok(second.OpenClipboard(0))
		rule(t, b.OpenClipboard(0), win32.ERROR_ACCESS_DENIED, "CB-4")
		second.Detach() // opened it last
		w.ok(b.OpenClipboard(ha))
		w.ok(b.CloseClipboard())
		w.ok(a.OpenClipboard(hfar)) // any desktop of the station
		w.ok(a.CloseClipboard())
		sys := newGUI(t, w.start(security.SystemToken(alice.session.ID()), text("")))
		w.ok(sys.Connect())
		rule(t, a.OpenClipboard(sys.create(station.WindowOptions{})), win32.ERROR_INVALID_WINDOW_HANDLE, "CB-4")
		rule(t, a.OpenClipboard(0xABCD1234), win32.ERROR_INVALID_WINDOW_HANDLE, "CB-4")
	})
	t.Run("CB-8/data", func(t *testing.T) {
		conform.Rule(t, "CB-1", "CB-7", "CB-8", "CB-9", "CB-12", "CB-13", "CB-18", "CB-19", "CB-16", "CB-21")
		c := w.guiOn(w.logon(1005), "")
		h := c.create(station.WindowOptions{})
		same(t, "sequence", c.state().Sequence, 0)
		w.ok(c.OpenClipboard(h))
		rule(t, c.place(win32.CF_TEXT, "x"), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-8") // not emptied
		w.ok(c.empty())
		same(t, "sequence", c.state().Sequence, 1)
		same(t, "owner", c.state().Owner, h)
		rule(t, c.place(0, "x"), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-8")
		w.ok(c.place(0x201, "private"))
		w.ok(c.place(win32.CF_UNICODETEXT, "h\x00\xfc\x00\x00\x00"))
		w.ok(c.SetClipboardData(0xDEADBEEF, nil, true, false))
		same(t, "sequence", c.state().Sequence, 3)
		w.ok(c.CloseClipboard())
		if f := c.state().Formats; !slices.Equal(f, []uint32{0x201, 13, 0xDEADBEEF, 16, 1, 7}) {
			t.Fatalf("formats %d", f)
		}
		same(t, "sequence after closing", c.state().Sequence, 3)
		w.ok(c.OpenClipboard(0))
		s, err := c.data(win32.CF_TEXT)
		w.ok(err)
		same(t, "text", s, "hü\x00")
		s, err = c.data(0x201)
		w.ok(err)
		same(t, "private", s, "private")
		s, err = c.data(win32.CF_LOCALE)
		w.ok(err)
		same(t, "locale", s, "\x09\x04\x00\x00")
		_, err = c.data(4711)
		code(t, err, win32.ERROR_NOT_FOUND)
		w.ok(c.CloseClipboard())
		w.ok(c.destroy(h))
		same(t, "owner", c.state().Owner, 0)
		if f := c.state().Formats; !slices.Equal(f, []uint32{0x201, 13, 16, 1, 7}) { // the promise is gone
			t.Fatalf("formats %d", f)
		}
		same(t, "sequence", c.state().Sequence, 4)
	})
	t.Run("CB-1/stations", func(t *testing.T) {
		conform.Rule(t, "CB-1", "CB-20")
		w.ok(a.OpenClipboard(ha))
		w.ok(a.empty())
		w.ok(a.place(win32.CF_TEXT, "of WinSta0\x00"))
		w.ok(a.CloseClipboard())
		w.ok(far.OpenClipboard(0))
		s, err := far.data(win32.CF_TEXT)
		w.ok(err)
		same(t, "on another desktop", s, "of WinSta0\x00")
		w.ok(far.CloseClipboard())
		for _, g := range []*gui{newGUI(t, w.start(security.SystemToken(alice.session.ID()), text(""))), w.guiOn(w.logon(1006), ""), newGUI(t, w.system())} {
			same(t, "formats elsewhere", len(g.state().Formats), 0)
		}
		// It stays over a switch.
		w.ok(w.e.Lock(alice.session))
		w.ok(w.e.Unlock(alice.session))
		same(t, "formats", len(b.state().Formats), 4)
	})
	t.Run("CB-3/right", func(t *testing.T) {
		conform.Rule(t, "CB-3", "AR-6")
		th := w.guiOn(alice, "")
		h, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMDESKTOPS, false)
		w.ok(err)
		w.ok(th.SetProcessWindowStation(h))
		rule(t, th.OpenClipboard(0), win32.ERROR_ACCESS_DENIED, "CB-3")
		st, err := th.Clipboard()
		rule(t, err, win32.ERROR_ACCESS_DENIED, "CB-3")
		same(t, "sequence", st.Sequence, 0)
	})
	t.Run("CB-14/listeners", func(t *testing.T) {
		conform.Rule(t, "CB-14", "CB-15")
		w.ok(far.ListenClipboard(hfar, true))
		rule(t, far.ListenClipboard(hfar, true), win32.ERROR_INVALID_PARAMETER, "CB-14")
		drawn := 0
		v := b.withProc("viewer", func(d station.Delivery) (uint64, []byte) {
			if d.Message.Message == win32.WM_DRAWCLIPBOARD {
				drawn++
			}
			return 0, nil
		})
		old, err := b.SetClipboardViewer(v)
		w.ok(err)
		same(t, "viewer before", old, 0)
		b.drain()
		same(t, "drawn at once", drawn, 1)
		w.ok(a.OpenClipboard(ha))
		w.ok(a.CloseClipboard()) // nothing changed
		same(t, "told", len(far.drain()), 0)
		w.ok(a.OpenClipboard(ha))
		w.ok(a.empty())
		same(t, "told before the end", len(far.drain()), 0)
		w.ok(a.CloseClipboard())
		if l := far.drain(); len(l) != 1 || l[0].Message != win32.WM_CLIPBOARDUPDATE || l[0].Window != hfar {
			t.Fatalf("got %+v", l)
		}
		b.drain()
		same(t, "drawn", drawn, 2)
		w.ok(far.ListenClipboard(hfar, false))
		rule(t, far.ListenClipboard(hfar, false), win32.ERROR_INVALID_PARAMETER, "CB-14")
		w.ok(b.ChangeClipboardChain(v, 0))
		same(t, "viewer", b.state().Viewer, 0)
	})
}

func TestDelayedRendering(t *testing.T) {
	conform.Rule(t, "CB-8", "CB-10", "CB-11", "CB-12", "CB-13")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.logon(1001)
		a, b := w.guiOn(alice, ""), w.guiOn(alice, "")
		var opened error
		answer := true
		var h win32.HWND
		h = a.withProc("owner", func(d station.Delivery) (uint64, []byte) {
			switch d.Message.Message {
			case win32.WM_RENDERFORMAT:
				opened = a.OpenClipboard(h)
				if answer {
					w.ok(a.place(uint32(d.Message.WParam), "rendered\x00"))
				}
			case win32.WM_RENDERALLFORMATS:
				w.ok(a.OpenClipboard(h))
				w.ok(a.place(win32.CF_TEXT, "at the end\x00"))
				w.ok(a.CloseClipboard())
			}
			return 0, nil
		})
		promise := func() {
			w.ok(a.OpenClipboard(h))
			w.ok(a.empty())
			w.ok(a.SetClipboardData(win32.CF_TEXT, nil, true, false))
			w.ok(a.SetClipboardData(0x250, nil, true, false))
			w.ok(a.CloseClipboard())
		}
		promise()
		w.ok(b.OpenClipboard(0))
		start := time.Now()
		_, err := b.data(win32.CF_TEXT) // the owner looks at nothing
		rule(t, err, win32.ERROR_TIMEOUT, "CB-10")
		same(t, "time", time.Since(start), 30*time.Second)
		stop := a.serve()
		seq := b.state().Sequence
		s, err := b.data(win32.CF_UNICODETEXT) // follows from the promised text
		w.ok(err)
		same(t, "rendered", s, "r\x00e\x00n\x00d\x00e\x00r\x00e\x00d\x00\x00\x00")
		code(t, opened, win32.ERROR_ACCESS_DENIED)
		same(t, "sequence", b.state().Sequence, seq+1)
		answer = false
		_, err = b.data(0x250)
		code(t, err, win32.ERROR_NOT_FOUND)
		w.ok(b.CloseClipboard())
		stop()
		// Destroyed with promises: what it renders then stays.
		promise()
		w.ok(a.destroy(h))
		st := b.state()
		same(t, "owner", st.Owner, 0)
		if !slices.Contains(st.Formats, win32.CF_TEXT) || slices.Contains(st.Formats, 0x250) {
			t.Fatalf("formats %d", st.Formats)
		}
	})
}

func TestClipboardAtLogoff(t *testing.T) {
	conform.Rule(t, "CB-20", "CB-9")
	w := newWorld(t, func(o *station.Options) { o.Mode = station.Shared })
	alice := w.logon(1001)
	a := w.guiOn(alice, "")
	w.ok(a.OpenClipboard(0))
	w.ok(a.empty())
	for range 64 {
		w.ok(a.StageData(make([]byte, 1<<20)))
	}
	code(t, a.StageData([]byte{1}), win32.ERROR_NOT_ENOUGH_MEMORY)
	w.ok(a.SetClipboardData(0x201, nil, false, true))
	same(t, "bytes held", w.e.Payload(alice.session), 64<<20)
	w.ok(w.e.LogoffSession(context.Background(), alice.session))
	same(t, "bytes held", w.e.Payload(alice.session), 0)
}
