// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"bytes"
	"errors"
	"image"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/display"
	"stationmaster/internal/surface"
	"stationmaster/station"
	"stationmaster/win32"
)

type slogLogger = slog.Logger

var (
	person = display.ViewerOptions{Person: true, Name: "person"}
	robot  = display.ViewerOptions{Name: "robot"}
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

// center is the middle of the one window on a 640x400 picture: somewhere in it.
var center = image.Pt(320, 180)

func TestBoxTakesPersonsOnly(t *testing.T) {
	conform.Rule(t, "IN-9", "IN-10", "WTS-35")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		p, r := w.watch(1, person), w.watch(1, robot)
		defer p.leave()
		defer r.leave()
		b := w.backend()
		var answers []uint32
		closeBox := w.m.ShowMessage(1, "", surface.MessageBox{Title: "Q", Text: "Delete everything?", Style: win32.MB_YESNO}, func(id uint32) {
			answers = append(answers, id)
		})
		defer closeBox()
		synctest.Wait()
		b.take()

		// A program of the session, the API and a robot's viewer press all
		// they can.
		for _, k := range []uint32{surface.KeyReturn, 'y', ' ', surface.KeyTab, surface.KeyEscape} {
			r.v.Key(true, k)
			r.v.Key(false, k)
			if err := w.m.Input(1, "Default", []display.InputEvent{{Key: true, Down: true, Keysym: k}, {Key: true, Keysym: k}}); err != nil {
				t.Fatal(err)
			}
		}
		seen := p.picture()
		for y := 60; y < 340; y += 6 {
			for x := 150; x < 500; x += 6 {
				if !boxAt(seen, x, y) {
					continue
				}
				r.v.Pointer(x, y, 1)
				r.v.Pointer(x, y, 0)
				if err := w.m.Input(1, "Default", []display.InputEvent{{X: x, Y: y, Buttons: 1}, {X: x, Y: y}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if len(answers) != 0 {
			t.Fatalf("injected input answered %v", answers)
		}
		w.wantSent(b)
		time.Sleep(5 * time.Second) // of the bubble: reports come once a second
		events, rules := w.takeDropped()
		if events < 20 || !slices.Contains(rules, "IN-10") {
			t.Errorf("%d dropped events were reported, by %v", events, rules)
		}

		// Beside the box the robot's input goes on as ever, and a click there
		// gives the keyboard back to the desktop.
		r.v.Pointer(3, 3, 1)
		synctest.Wait()
		r.v.Pointer(3, 3, 0)
		r.v.Key(true, 'x')
		r.v.Key(false, 'x')
		w.wantSent(b, "at 3,3 1", "at 3,3 0", "down x", "up x")

		// The person clicks on the box and answers.
		p.v.Pointer(center.X, center.Y, 1)
		p.v.Pointer(center.X, center.Y, 0)
		p.v.Key(true, 'n')
		p.v.Key(false, 'n')
		synctest.Wait()
		if !slices.Equal(answers, []uint32{win32.IDNO}) {
			t.Fatalf("answers %v", answers)
		}
		w.wantSent(b)
		p.v.Key(true, 'n')
		w.wantSent(b, "down n")
	})
}

// boxAt reports whether a pixel of the 640x400 picture belongs to a window: the
// fake X servers paint in plain strong colours.
func boxAt(img *image.RGBA, x, y int) bool {
	c := img.RGBAAt(x, y)
	return c.R > 0xE0 && c.G > 0xE0 && c.B > 0xE0
}

// TestDragOverBox: what is pressed beside the box belongs to the desktop until
// it is released, and the other way round.
func TestDragOverBox(t *testing.T) {
	conform.Rule(t, "IN-10")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, person)
		defer x.leave()
		b := w.backend()
		answered := uint32(0)
		closeBox := w.m.ShowMessage(1, "", surface.MessageBox{Title: "Q", Text: "?"}, func(id uint32) { answered = id })
		synctest.Wait()
		b.take()
		x.v.Pointer(3, 3, 1)
		synctest.Wait()
		x.v.Pointer(center.X, center.Y, 1)
		synctest.Wait()
		x.v.Pointer(center.X, center.Y, 0)
		w.wantSent(b, "at 3,3 1", "at 320,180 1", "at 320,180 0")
		x.v.Pointer(center.X, center.Y, 1)
		x.v.Pointer(3, 3, 1)
		w.wantSent(b)
		// The box goes while the button is down: the rest of the press is
		// nobody's.
		closeBox()
		x.v.Pointer(4, 4, 1)
		x.v.Pointer(4, 4, 0)
		w.wantSent(b, "at 4,4 0")
		if answered != 0 {
			t.Errorf("answered %d", answered)
		}
		x.v.Pointer(4, 4, 1)
		w.wantSent(b, "at 4,4 1")
	})
}

// TestBoxReleasesKeys: what is held when a box comes is released below, and
// answers nothing in the box.
func TestBoxReleasesKeys(t *testing.T) {
	conform.Rule(t, "IN-10")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, person)
		defer x.leave()
		b := w.backend()
		b.take()
		x.v.Key(true, '\r') // any key of the fake
		x.v.Key(true, surface.KeyReturn)
		synctest.Wait()
		b.take()
		answered := uint32(0)
		defer w.m.ShowMessage(1, "", surface.MessageBox{Title: "Q", Text: "?"}, func(id uint32) { answered = id })()
		synctest.Wait()
		if got := b.take(); len(got) != 2 {
			t.Errorf("released %q", got)
		}
		x.v.Key(true, surface.KeyReturn) // repeats
		x.v.Key(true, surface.KeyReturn)
		synctest.Wait()
		if answered != 0 {
			t.Fatal("the repeat of a held key answers the box")
		}
		x.v.Key(false, surface.KeyReturn)
		// Who was typing when it came does not answer it unseen.
		for range 10 {
			time.Sleep(100 * time.Millisecond) // of the bubble
			x.v.Key(true, surface.KeyReturn)
			x.v.Key(false, surface.KeyReturn)
		}
		synctest.Wait()
		if answered != 0 {
			t.Fatal("typing on answers the box")
		}
		time.Sleep(time.Second) // of the bubble
		x.v.Key(true, surface.KeyReturn)
		synctest.Wait()
		if answered != win32.IDOK {
			t.Errorf("answered %d", answered)
		}
		x.v.Key(true, surface.KeyReturn) // repeats, now without the box
		x.v.Key(false, surface.KeyReturn)
		w.wantSent(b)
	})
}

func TestBoxWaitsForItsDesktop(t *testing.T) {
	conform.Rule(t, "WTS-35", "WTS-36")
	bubble(t, func(t *testing.T, w *world) {
		var answers []uint32
		answer := func(id uint32) { answers = append(answers, id) }
		// Before the session has desktops at all.
		w.m.ShowMessage(1, "", surface.MessageBox{Title: "1", Text: "one", Style: win32.MB_YESNO}, answer)
		w.session(1)
		w.m.Switch(1, "WinSta0", "Winlogon")
		x := w.watch(1, person)
		defer x.leave()
		blank := x.picture()
		w.m.ShowMessage(1, "", surface.MessageBox{Title: "2", Text: "two", Style: win32.MB_OKCANCEL}, answer)
		if !bytes.Equal(blank.Pix, x.picture().Pix) {
			t.Error("a box of Default is seen on Winlogon")
		}
		x.v.Key(true, surface.KeyReturn)
		x.v.Key(false, surface.KeyReturn)
		// One that follows is seen there.
		w.m.ShowMessage(1, "", surface.MessageBox{Title: "3", Text: "three", Style: win32.MB_ABORTRETRYIGNORE | win32.MB_SERVICE_NOTIFICATION}, answer)
		if bytes.Equal(blank.Pix, x.picture().Pix) {
			t.Error("a service notification is not seen on Winlogon")
		}
		if len(answers) != 0 {
			t.Fatalf("answers %v", answers)
		}
		// It moves on, and each gets its own answer, the newest first.
		w.m.Switch(1, "WinSta0", "Default")
		synctest.Wait()
		for range 3 {
			x.v.Key(true, surface.KeyReturn)
			x.v.Key(false, surface.KeyReturn)
			synctest.Wait()
		}
		slices.Sort(answers)
		if !slices.Equal(answers, []uint32{win32.IDOK, win32.IDABORT, win32.IDYES}) {
			t.Errorf("answers %v", answers)
		}
	})
}

func TestBoxOutlivesItsPicture(t *testing.T) {
	conform.Rule(t, "WTS-36")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		answered := uint32(0)
		w.m.ShowMessage(1, "", surface.MessageBox{Title: "1", Text: "one"}, func(id uint32) { answered = id })
		x := w.watch(1, person)
		x.leave()
		time.Sleep(time.Minute) // of the bubble: the picture is dropped
		y := w.watch(1, person)
		defer y.leave()
		y.v.Key(true, surface.KeyReturn)
		synctest.Wait()
		if answered != win32.IDOK {
			t.Errorf("answered %d", answered)
		}
		// The end of the session takes boxes away without an answer.
		answered = 0
		closeBox := w.m.ShowMessage(1, "", surface.MessageBox{Title: "2", Text: "two"}, func(id uint32) { answered = id })
		w.m.EndSession(1)
		closeBox()
		y.v.Key(false, surface.KeyReturn)
		y.v.Key(true, surface.KeyReturn)
		synctest.Wait()
		if answered != 0 {
			t.Errorf("answered %d", answered)
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

func TestSecureAttention(t *testing.T) {
	conform.Rule(t, "LGN-14", "IN-7")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		p, r := w.watch(1, person), w.watch(1, robot)
		defer p.leave()
		defer r.leave()
		b := w.backend()
		synctest.Wait()
		b.take()
		sas := func() int {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.sas)
		}
		r.v.SecureAttention()
		for _, k := range []uint32{surface.KeyControlL, surface.KeyAltR, surface.KeyDelete} {
			r.v.Key(true, k)
			if err := w.m.Input(1, "Default", []display.InputEvent{{Key: true, Down: true, Keysym: k}}); err != nil {
				t.Fatal(err)
			}
		}
		if n := sas(); n != 0 {
			t.Fatalf("a program pressed Ctrl+Alt+Del %d times", n)
		}
		for _, e := range b.take() {
			if e == "down "+string(rune(surface.KeyDelete)) {
				t.Error("Delete of Ctrl+Alt+Del reaches the X server")
			}
		}
		if _, rules := w.takeDropped(); !slices.Contains(rules, "LGN-14") {
			t.Errorf("dropped by %v", rules)
		}
		p.v.SecureAttention()
		if n := sas(); n != 1 {
			t.Errorf("a person's Ctrl+Alt+Del was told %d times", n)
		}
	})
}

func TestSecureScreens(t *testing.T) {
	conform.Rule(t, "LGN-14", "IN-10")
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		w.m.Switch(1, "WinSta0", "Winlogon")
		p, r := w.watch(1, person), w.watch(1, robot)
		defer p.leave()
		defer r.leave()
		var got []string
		screen := display.SecureScreen{
			Kind:     display.SecureLogon,
			OnLogon:  func(u, pw string) { got = append(got, "logon "+u+" "+pw) },
			OnUnlock: func(u, pw string) { got = append(got, "unlock "+u+" "+pw) },
			OnLock:   func() { got = append(got, "lock") },
			OnLogoff: func() { got = append(got, "logoff") },
			OnCancel: func() { got = append(got, "cancel") },
		}
		typeKeys := func(v *display.Viewer, text string) {
			for _, c := range text {
				v.Key(true, surface.Keysym(c))
				v.Key(false, surface.Keysym(c))
			}
			synctest.Wait()
		}
		w.m.SetSecureScreen(1, screen)
		typeKeys(r.v, "mallory\nx\n")
		typeKeys(p.v, "alice\npw1\n\n\n") // once only, however often Enter is pressed
		screen.Error = "The user name or password is incorrect."
		screen.User = "alice"
		w.m.SetSecureScreen(1, screen)
		typeKeys(p.v, "pw2\n")
		screen.Kind = display.SecureUnlock
		w.m.SetSecureScreen(1, screen)
		typeKeys(p.v, "pw3\n")
		screen.Kind = display.SecureMenu
		w.m.SetSecureScreen(1, screen)
		typeKeys(r.v, "\n")
		typeKeys(p.v, "k")
		typeKeys(p.v, "l")
		typeKeys(p.v, "\x1b")
		want := []string{"logon alice pw1", "logon alice pw2", "unlock alice pw3", "lock", "logoff", "cancel"}
		if !slices.Equal(got, want) {
			t.Errorf("chosen %q, want %q", got, want)
		}
		for _, kind := range []display.SecureKind{display.SecureNone, display.SecureWelcome, display.SecureLocked, display.SecureWait} {
			w.m.SetSecureScreen(1, display.SecureScreen{Kind: kind, User: "alice", Text: "…", OnLogon: screen.OnLogon})
			typeKeys(p.v, "\n\x1b l")
		}
		if len(got) != len(want) {
			t.Errorf("a notice answers: %q", got[len(want):])
		}
	})
}

func TestViewerFollowsSwitch(t *testing.T) {
	conform.Rule(t, "DT-48", "DT-51")
	bubble(t, func(t *testing.T, w *world) {
		x := w.watch(1, person) // before there is such a session
		defer x.leave()
		w.session(1)
		y := w.watch(1, person)
		defer y.leave()
		red := y.picture()
		if got := red.RGBAAt(5, 5); got != palette[1] {
			t.Errorf("Default shows %v", got)
		}
		w.m.Switch(1, "WinSta0", "Winlogon")
		if got := y.picture().RGBAAt(5, 5); got == palette[1] {
			t.Error("Default is still seen")
		}
		w.m.Switch(1, "WinSta0", "Default")
		if !bytes.Equal(y.picture().Pix, red.Pix) {
			t.Error("another picture after switching there and back")
		}
		// A desktop of another station is never shown.
		w.desktop(1, "Service-0x0-3e7$", "Default")
		w.m.Switch(1, "Service-0x0-3e7$", "Default")
		none := y.picture()
		w.m.Switch(1, "WinSta0", "NoSuch")
		if !bytes.Equal(none.Pix, y.picture().Pix) {
			t.Error("a desktop that is not interactive is shown")
		}
		// But a picture of it can be taken.
		if _, err := w.m.Capture(t.Context(), 1, "Service-0x0-3e7$", "Default"); err != nil {
			t.Error(err)
		}
		// One that is made after it was switched to is shown then.
		w.desktop(1, "WinSta0", "NoSuch")
		if bytes.Equal(none.Pix, y.picture().Pix) {
			t.Error("the desktop is not shown when it comes")
		}
		w.m.EndSession(1)
		if bytes.Equal(none.Pix, y.picture().Pix) {
			t.Error("the viewer does not see that the session has ended")
		}
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

func TestNobodyWatches(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		synctest.Wait()
		if len(w.servers) != 0 || w.dials != 0 {
			t.Errorf("%d X servers and %d connections that nobody needs", len(w.servers), w.dials)
		}
		x := w.watch(1, person)
		b := w.backend()
		x.leave()
		select {
		case <-b.done:
			t.Error("the connection is dropped at once")
		default:
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-b.done:
		default:
			t.Error("the connection is kept")
		}
		// The server goes on.
		if w.servers[0].closed {
			t.Error("the X server was closed")
		}
		// Again.
		y := w.watch(1, person)
		defer y.leave()
		if w.backend() == b || y.picture().RGBAAt(5, 5) != palette[1] {
			t.Error("no picture for the second viewer")
		}
	})
}

func TestServerDies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		f := w.desktop(1, "WinSta0", "Work")
		w.m.Switch(1, "WinSta0", "Work")
		if _, err := f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		x := w.watch(1, person)
		defer x.leave()
		good := x.picture()
		w.servers[0].die(errors.New("the X server was ended by signal 9"))
		bad := x.picture()
		if bytes.Equal(good.Pix, bad.Pix) {
			t.Error("nothing says that the display is gone")
		}
		if f.State() != "" {
			t.Errorf("State %q of a dead server", f.State())
		}
		// Looking does not bring it back, a program does.
		y := w.watch(1, person)
		y.leave()
		if len(w.servers) != 1 {
			t.Error("a viewer started an X server again")
		}
		env, err := f.Prepare(t.Context())
		if err != nil || !slices.Equal(env, []string{"DISPLAY=:2"}) {
			t.Errorf("Prepare: %v, %v", env, err)
		}
		if got := x.picture().RGBAAt(320, 200); got != palette[2] {
			t.Errorf("the new server's picture is not seen: %v", got)
		}
		// Its stream breaks: the desktop says so, the server goes on.
		w.backend().fail(errors.New("rectangle outside the frame"))
		time.Sleep(time.Second) // of the bubble: the server itself may have died
		if got := x.picture().RGBAAt(320, 200); got == palette[2] {
			t.Error("nothing says that the picture is gone")
		}
		if w.servers[1].closed {
			t.Error("the X server was closed")
		}
		// Nobody tries again and again; who looks anew later does, once.
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.dials != 2 {
			t.Errorf("%d connections", w.dials)
		}
		w.m.Switch(1, "WinSta0", "Winlogon")
		w.m.Switch(1, "WinSta0", "Work")
		if got := x.picture().RGBAAt(320, 200); got != palette[2] || w.dials != 3 {
			t.Errorf("the picture does not come back: %v, %d connections", got, w.dials)
		}
		f.Close()
		f.Close()
		if !w.servers[1].closed {
			t.Error("Close left the X server")
		}
	})
}

func TestServerDoesNotStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		w.startErr = errors.New("cannot start an X server: Xvnc is not installed (Debian package tigervnc-standalone-server)")
		f := w.desktop(1, "WinSta0", "Work")
		w.m.Switch(1, "WinSta0", "Work")
		if _, err := f.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "tigervnc-standalone-server") {
			t.Errorf("Prepare: %v", err)
		}
		x := w.watch(1, person)
		defer x.leave()
		bad := x.picture()
		x.v.Key(true, 'a')
		w.mu.Lock()
		w.startErr = nil
		w.mu.Unlock()
		if _, err := f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(bad.Pix, x.picture().Pix) {
			t.Error("the notice stays though there is a picture now")
		}
	})
}

func TestKinds(t *testing.T) {
	conform.Rule(t, "LGN-11", "DT-51")
	bubble(t, func(t *testing.T, w *world) {
		for _, test := range []struct {
			spec station.SurfaceSpec
			want string
		}{
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "Default"}, station.SurfaceX11},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "winsta0", Desktop: "Work"}, station.SurfaceX11},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "Winlogon", Secure: true}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "Disconnect"}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "Other", Desktop: "Default"}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 0, Session: fakeSession{}, Station: "WinSta0", Desktop: "Default"}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "B", Kind: station.SurfaceBuiltin}, station.SurfaceBuiltin},
		} {
			f, err := w.m.NewSurface(t.Context(), test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if f.Kind() != test.want {
				t.Errorf(`%s\%s of session %d is %s`, test.spec.Station, test.spec.Desktop, test.spec.SessionID, f.Kind())
			}
			if env, err := f.Prepare(t.Context()); err != nil || (len(env) > 0) != (test.want == station.SurfaceX11) {
				t.Errorf("Prepare: %v, %v", env, err)
			}
			f.Close()
		}
		_, err := w.m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Station: "WinSta0", Desktop: "Winlogon", Secure: true, Kind: station.SurfaceX11})
		wantCode(t, "secure X", err, win32.ERROR_ACCESS_DENIED, "LGN-11")
		_, err = w.m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Station: "WinSta0", Desktop: "D", Kind: "svga"})
		wantCode(t, "unknown kind", err, win32.ERROR_INVALID_PARAMETER, "")
		_, err = w.m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Station: "WinSta0", Desktop: "D", Width: 100000, Height: 1})
		wantCode(t, "size", err, win32.ERROR_INVALID_PARAMETER, "")
	})
}

func TestResize(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, person)
		defer x.leave()
		b := w.backend()
		b.take()
		if err := x.v.SetSize(800, 600); err != nil {
			t.Fatal(err)
		}
		w.wantSent(b, "size 800x600")
		for _, name := range []string{"Default", "Winlogon", "NoSuch", "Disconnect"} {
			w.m.Switch(1, "WinSta0", name)
			if got := x.picture().Bounds().Size(); got != image.Pt(800, 600) {
				t.Errorf("%s is %v", name, got)
			}
		}
		for _, size := range [][2]int{{0, 0}, {-1, 600}, {100, 100}, {65535, 65535}, {16384, 16384}} {
			wantCode(t, "size", x.v.SetSize(size[0], size[1]), win32.ERROR_INVALID_PARAMETER, "")
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
