// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/display"
	"stationmaster/internal/surface"
	"stationmaster/win32"
)

func TestInputGoesToActiveDesktop(t *testing.T) {
	conform.Rule(t, "IN-1", "DT-48")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		w.desktop(1, "WinSta0", "Work")
		x := w.watch(1, person)
		defer x.leave()
		def := w.backend()
		def.take()
		x.v.Key(true, 'a')
		x.v.Pointer(10, 20, 1)
		w.wantSent(def, "down a", "at 10,20 1")

		// The switch releases both on the old desktop, and the pointer stays
		// where it was.
		w.m.Switch(1, "WinSta0", "Work")
		work := w.backend()
		if work == def {
			t.Fatal("both desktops have one X server")
		}
		w.wantSent(def, "up a", "at 10,20 0")
		work.take()
		// What was held counts no more: no up, no repeat, no drag.
		x.v.Key(true, 'a')
		x.v.Key(false, 'a')
		x.v.Pointer(11, 20, 1)
		w.wantSent(work, "at 11,20 0")
		x.v.Pointer(11, 20, 0)
		x.v.Pointer(11, 20, 4)
		x.v.Key(true, 'b')
		w.wantSent(work, "at 11,20 0", "at 11,20 4", "down b")
		w.wantSent(def)

		// Winlogon is drawn by us: nothing reaches an X server.
		w.m.Switch(1, "WinSta0", "Winlogon")
		w.wantSent(work, "up b", "at 11,20 0")
		for _, k := range "secret" {
			x.v.Key(true, uint32(k))
			x.v.Key(false, uint32(k))
		}
		x.v.Pointer(1, 1, 1)
		w.wantSent(work)
		w.wantSent(def)
	})
}

func TestPointerIsKept(t *testing.T) {
	conform.Rule(t, "IN-8")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, person)
		defer x.leave()
		def := w.backend()
		x.v.Pointer(33, 44, 0)
		w.m.Switch(1, "WinSta0", "Winlogon")
		synctest.Wait()
		def.take()
		w.m.Switch(1, "WinSta0", "Default")
		w.wantSent(def, "at 33,44 0")
	})
}

func TestTwoViewersOneKey(t *testing.T) {
	conform.Rule(t, "IN-1")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x, y := w.watch(1, person), w.watch(1, robot)
		defer x.leave()
		defer y.leave()
		b := w.backend()
		b.take()
		x.v.Key(true, 'k')
		y.v.Key(true, 'k')
		x.v.Key(false, 'k')
		w.wantSent(b, "down k", "down k")
		y.v.Key(false, 'k')
		w.wantSent(b, "up k")
		x.v.Pointer(5, 5, 1)
		synctest.Wait()
		y.v.Pointer(6, 6, 4)
		synctest.Wait()
		x.v.Pointer(7, 7, 0)
		synctest.Wait()
		y.v.Pointer(8, 8, 0)
		w.wantSent(b, "at 5,5 1", "at 6,6 5", "at 7,7 4", "at 8,8 0")
		// A key that is not held is not released.
		x.v.Key(false, 'z')
		w.wantSent(b)
	})
}

// TestInputIsContiguous: nothing comes between the events of one call.
func TestInputIsContiguous(t *testing.T) {
	conform.Rule(t, "IN-4")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, person)
		defer x.leave()
		b := w.backend()
		b.take()
		var events []display.InputEvent
		for _, k := range "abcdefghijklmnopqrstuvwxyz" {
			events = append(events, display.InputEvent{Key: true, Down: true, Keysym: uint32(k)}, display.InputEvent{Key: true, Keysym: uint32(k)})
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 100 {
				x.v.Key(true, 'X')
				x.v.Key(false, 'X')
			}
		}()
		for range 20 {
			if err := w.m.Input(1, "Default", events); err != nil {
				t.Fatal(err)
			}
		}
		<-done
		synctest.Wait()
		got := b.take()
		calls := 0
		for i := 0; i < len(got); i++ {
			if got[i] != "down a" {
				continue
			}
			calls++
			for j, k := range "abcdefghijklmnopqrstuvwxyz" {
				if got[i+2*j] != "down "+string(k) || got[i+2*j+1] != "up "+string(k) {
					t.Fatalf("between the events of a call: %q", got[i:i+52])
				}
			}
		}
		if calls != 20 {
			t.Errorf("%d of 20 calls arrived", calls)
		}
	})
}

func TestReadOnlyViewer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, display.ViewerOptions{Person: true, ReadOnly: true})
		defer x.leave()
		b := w.backend()
		b.take()
		x.v.Key(true, 'a')
		x.v.Pointer(1, 1, 1)
		x.v.SecureAttention()
		wantCode(t, "SetSize", x.v.SetSize(800, 600), win32.ERROR_ACCESS_DENIED, "")
		w.wantSent(b)
		if len(w.sas) != 0 || !w.m.LastInput(1).IsZero() {
			t.Error("a read-only viewer acts")
		}
	})
}

func TestInactiveDesktopRefusesInput(t *testing.T) {
	conform.Rule(t, "IN-11", "IN-10")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		w.desktop(1, "WinSta0", "Work")
		event := []display.InputEvent{{Key: true, Down: true, Keysym: 'a'}}
		wantCode(t, "inactive", w.m.Input(1, "Work", event), win32.ERROR_ACCESS_DENIED, "IN-11")
		wantCode(t, "no such desktop", w.m.Input(1, "None", event), win32.ERROR_FILE_NOT_FOUND, "")
		wantCode(t, "no such session", w.m.Input(7, "Default", event), win32.ERROR_CTX_WINSTATION_NOT_FOUND, "")
		wantCode(t, "too many", w.m.Input(1, "Default", make([]display.InputEvent, 5000)), win32.ERROR_INVALID_PARAMETER, "")
		wantCode(t, "inactive Winlogon", w.m.Input(1, "Winlogon", event), win32.ERROR_ACCESS_DENIED, "IN-11")
		if err := w.m.Input(1, "default", event); err != nil {
			t.Errorf("active: %v", err)
		}
		w.wantSent(w.backend(), "down a")
		w.m.Switch(1, "WinSta0", "Winlogon")
		wantCode(t, "Winlogon", w.m.Input(1, "Winlogon", event), win32.ERROR_ACCESS_DENIED, "IN-10")
		wantCode(t, "Default, hidden", w.m.Input(1, "Default", event), win32.ERROR_ACCESS_DENIED, "IN-11")
		for _, name := range []string{"Winlogon", "Screen-saver"} {
			_, err := w.m.Capture(t.Context(), 1, "WinSta0", name)
			wantCode(t, "picture of "+name, err, win32.ERROR_ACCESS_DENIED, "IN-11")
		}
		_, err := w.m.Capture(t.Context(), 1, "WinSta0", "None")
		wantCode(t, "picture of nothing", err, win32.ERROR_FILE_NOT_FOUND, "")
	})
}

func TestTwoSessionsApart(t *testing.T) {
	conform.Rule(t, "IN-1")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		a := w.watch(1, person)
		defer a.leave()
		first := w.backend()
		w.session(2)
		b := w.watch(2, person)
		defer b.leave()
		second := w.backend()
		first.take()
		second.take()
		b.v.Key(true, 'b')
		a.v.Key(true, 'a')
		w.wantSent(first, "down a")
		w.wantSent(second, "down b")
		w.m.ShowMessage(1, "", surface.MessageBox{Text: "?"}, nil)
		if boxAt(b.picture(), center.X, center.Y) || !boxAt(a.picture(), center.X, center.Y) {
			t.Error("the box is in the wrong session")
		}
	})
}

func TestLastInput(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		if !w.m.LastInput(1).IsZero() || !w.m.LastInput(9).IsZero() {
			t.Error("input before any")
		}
		x := w.watch(1, person)
		defer x.leave()
		time.Sleep(time.Hour)
		x.v.Key(true, 'a')
		if got := w.m.LastInput(1); !got.Equal(time.Now()) {
			t.Errorf("last input %v", got)
		}
	})
}
