// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"bytes"
	"image"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/display"
	"stationmaster/internal/surface"
	"stationmaster/win32"
)

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
		typeKeys(p.v, "lk") // a letter alone chooses, and takes nothing
		typeKeys(p.v, "\n")
		typeKeys(p.v, "l\n")
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
