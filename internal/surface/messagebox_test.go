// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"stationmaster/conform"
	"stationmaster/win32"
)

var screen = image.Pt(1280, 800)

func laidOut(t *testing.T, style uint32) *messageWindow {
	t.Helper()
	w := mustBox(t, MessageBox{Title: "T", Text: "Text", Style: style}).(*messageWindow)
	w.Layout(screen)
	return w
}

// press is a key down and up.
func press(w Window, sym uint32) uint32 {
	a := w.Key(true, sym).Answer
	if b := w.Key(false, sym).Answer; a == 0 {
		a = b
	}
	return a
}

func click(w Window, down, up image.Point) uint32 {
	w.Pointer(PointerEvent{At: down, Buttons: ButtonLeft, Down: ButtonLeft})
	return w.Pointer(PointerEvent{At: up, Up: ButtonLeft}).Answer
}

func middle(r image.Rectangle) image.Point { return r.Min.Add(r.Size().Div(2)) }

func TestMessageBoxButtons(t *testing.T) {
	sets := []struct {
		style uint32
		ids   []uint32
		close uint32
		keys  map[rune]uint32
	}{
		{win32.MB_OK, []uint32{win32.IDOK}, win32.IDOK, nil},
		{win32.MB_OKCANCEL, []uint32{win32.IDOK, win32.IDCANCEL}, win32.IDCANCEL, nil},
		{win32.MB_ABORTRETRYIGNORE, []uint32{win32.IDABORT, win32.IDRETRY, win32.IDIGNORE}, 0, map[rune]uint32{'a': win32.IDABORT, 'R': win32.IDRETRY, 'i': win32.IDIGNORE}},
		{win32.MB_YESNOCANCEL, []uint32{win32.IDYES, win32.IDNO, win32.IDCANCEL}, win32.IDCANCEL, map[rune]uint32{'y': win32.IDYES, 'n': win32.IDNO}},
		{win32.MB_YESNO, []uint32{win32.IDYES, win32.IDNO}, 0, map[rune]uint32{'Y': win32.IDYES, 'N': win32.IDNO}},
		{win32.MB_RETRYCANCEL, []uint32{win32.IDRETRY, win32.IDCANCEL}, win32.IDCANCEL, map[rune]uint32{'r': win32.IDRETRY}},
		{win32.MB_CANCELTRYCONTINUE, []uint32{win32.IDCANCEL, win32.IDTRYAGAIN, win32.IDCONTINUE}, win32.IDCANCEL, map[rune]uint32{'t': win32.IDTRYAGAIN, 'c': win32.IDCONTINUE}},
	}
	for _, set := range sets {
		t.Run(fmt.Sprintf("WTS-32/style %d", set.style), func(t *testing.T) {
			conform.Rule(t, "WTS-32", "WTS-33")
			if got := (MessageBox{Style: set.style}).Answers(); !slices.Equal(got, set.ids) {
				t.Fatalf("answers %v, want %v", got, set.ids)
			}
			for i, id := range set.ids {
				w := laidOut(t, set.style)
				at := middle(w.buttons[i].r)
				if got := click(w, at, at); got != id {
					t.Errorf("click on button %d answers %d, want %d", i, got, id)
				}
				// Arrows and Tab reach it, Enter and Space press it.
				for _, step := range []uint32{KeyRight, KeyTab, KeyDown} {
					for _, enter := range []uint32{KeyReturn, KeyKPEnter, ' '} {
						w := laidOut(t, set.style)
						for range i {
							press(w, step)
						}
						if got := press(w, enter); got != id {
							t.Errorf("%d times %#x, then %#x answers %d, want %d", i, step, enter, got, id)
						}
					}
				}
				// The default button bits name it.
				w = laidOut(t, set.style|uint32(i)<<8)
				if got := press(w, KeyReturn); got != id {
					t.Errorf("Enter with default %d answers %d, want %d", i, got, id)
				}
			}
			for r, id := range set.keys {
				if got := press(laidOut(t, set.style), uint32(r)); got != id {
					t.Errorf("letter %c answers %d, want %d", r, got, id)
				}
			}
			for _, other := range []uint32{'x', 'z', '1', 0xFFBE, 0x01001234} {
				if got := press(laidOut(t, set.style), other); got != 0 {
					t.Errorf("key %#x answers %d", other, got)
				}
			}
			// A default beyond the last button is the first.
			if got := press(laidOut(t, set.style|0xF00), KeyReturn); got != set.ids[0] {
				t.Errorf("Enter with a default that does not exist answers %d", got)
			}
		})
		t.Run(fmt.Sprintf("WTS-34/style %d", set.style), func(t *testing.T) {
			conform.Rule(t, "WTS-34")
			if got := press(laidOut(t, set.style), KeyEscape); got != set.close {
				t.Errorf("Esc answers %d, want %d", got, set.close)
			}
			w := laidOut(t, set.style)
			at := middle(w.close)
			if got := click(w, at, at); got != set.close {
				t.Errorf("the close button answers %d, want %d", got, set.close)
			}
		})
	}
	for style := uint32(7); style < 16; style++ {
		_, err := MessageBox{Style: style}.Window()
		if win32.Code(err) != win32.ERROR_INVALID_MSGBOX_STYLE {
			t.Errorf("style %d: %v", style, err)
		}
	}
}

func TestMessageBoxMouse(t *testing.T) {
	conform.Rule(t, "WTS-33")
	w := laidOut(t, win32.MB_YESNO)
	yes, no := middle(w.buttons[0].r), middle(w.buttons[1].r)
	out := image.Pt(1, w.size.Y-1)
	for _, c := range [][2]image.Point{{yes, no}, {no, yes}, {yes, out}, {out, yes}} {
		if got := click(w, c[0], c[1]); got != 0 {
			t.Errorf("down at %v, up at %v answers %d", c[0], c[1], got)
		}
	}
	// The right button presses nothing.
	w.Pointer(PointerEvent{At: yes, Buttons: 4, Down: 4})
	if got := w.Pointer(PointerEvent{At: yes, Up: 4}).Answer; got != 0 {
		t.Errorf("the right button answers %d", got)
	}
	// A release without a press answers nothing.
	if got := w.Pointer(PointerEvent{At: yes, Up: ButtonLeft}).Answer; got != 0 {
		t.Errorf("a release alone answers %d", got)
	}
	// Shift+Tab goes back.
	w.Key(true, KeyShiftL)
	press(w, KeyTab)
	w.Key(false, KeyShiftL)
	if got := press(w, KeyReturn); got != win32.IDNO {
		t.Errorf("Shift+Tab, Enter answers %d", got)
	}
}

// TestMessageBoxFits lays out boxes of any length on screens of any size.
func TestMessageBoxFits(t *testing.T) {
	texts := []string{
		"", "x", strings.Repeat("word ", 13000), strings.Repeat("w", 64<<10), strings.Repeat("\n", 2000),
		strings.Repeat("漢", 20000), "\xff\xfe broken \x00", strings.Repeat("a-b/c ", 3000), "\u202eright to left\u202c",
	}
	for i, text := range texts {
		for _, size := range []image.Point{{320, 200}, {1280, 800}} {
			for scale := 1; scale <= 2; scale++ {
				w := mustBox(t, MessageBox{Title: text, Text: text, Style: win32.MB_CANCELTRYCONTINUE | win32.MB_ICONERROR, Scale: scale}).(*messageWindow)
				got := w.Layout(size)
				if scale == 1 && (got.X > max(size.X, 420) || got.Y > size.Y+60) {
					t.Errorf("text %d on %v: the window is %v", i, size, got)
				}
				for _, b := range w.buttons {
					if !b.r.In(image.Rectangle{Max: got}) {
						t.Errorf("text %d on %v: a button lies outside", i, size)
					}
				}
				w.Draw(image.NewRGBA(image.Rectangle{Max: got}), true)
				for range 3 {
					w.Key(true, KeyPageDown)
				}
				w.Key(true, KeyEnd)
				w.Draw(image.NewRGBA(image.Rectangle{Max: got}), false)
				if w.top+w.shown != len(w.lines) {
					t.Errorf("text %d on %v: End shows lines %d to %d of %d", i, size, w.top, w.top+w.shown, len(w.lines))
				}
			}
		}
	}
}

func TestWrapLosesNothing(t *testing.T) {
	style := textStyle{regular, 14}
	for _, text := range []string{
		"The quick brown fox jumps over the lazy dog", strings.Repeat("x", 500), "a " + strings.Repeat("y", 300) + " b", "  leading", "one-two/three",
	} {
		for width := 20; width < 400; width += 37 {
			lines := style.wrap(text, width)
			strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
			if got := strip(strings.Join(lines, "")); got != strip(text) {
				t.Fatalf("width %d: %q became %q", width, text, lines)
			}
			for _, l := range lines {
				if utf8.RuneCountInString(l) > 1 && style.width(l) > width+1 {
					t.Errorf("width %d: line %q is %d wide", width, l, style.width(l))
				}
			}
		}
	}
}

func TestCredentialPrompt(t *testing.T) {
	conform.Rule(t, "LGN-14")
	w := CredentialPrompt{Session: 1}.Window()
	w.Layout(screen)
	typeText := func(s string) (answer uint32) {
		for _, r := range s {
			if a := w.Key(true, Keysym(r)).Answer; a != 0 {
				answer = a
			}
			w.Key(false, Keysym(r))
		}
		return answer
	}
	if got := typeText("\n"); got != 0 {
		t.Errorf("Enter without a user answers %d", got)
	}
	// Enter in the user field goes on to the password.
	if got := typeText("alicf\be\n"); got != 0 {
		t.Errorf("Enter in the user field answers %d", got)
	}
	if got := typeText("s€crêt 漢\n"); got != CommandSignIn {
		t.Errorf("Enter in the password field answers %d", got)
	}
	user, password := w.Credentials()
	if user != "alice" || password != "s€crêt 漢" {
		t.Errorf("credentials %q, %q", user, password)
	}
	if _, again := w.Credentials(); again != "" {
		t.Error("the password is kept")
	}
	for _, r := range w.edits[1].text[:cap(w.edits[1].text)] {
		if r != 0 {
			t.Fatal("the password is still in memory")
		}
	}
	w.SetBusy(true)
	if got := typeText("x\n"); got != 0 || len(w.edits[1].text) != 0 {
		t.Error("a busy prompt takes input")
	}
	w.SetBusy(false)
	typeText(strings.Repeat("p", 1000))
	if n := len(w.edits[1].text); n != maxEdit {
		t.Errorf("a field takes %d characters", n)
	}
	// Editing in the middle.
	e := &edit{}
	for _, k := range []uint32{'a', 'c', KeyLeft, 'b', KeyHome, KeyDelete, KeyEnd, 'd', KeyLeft, KeyBackSpace} {
		e.key(k)
	}
	if string(e.text) != "bd" {
		t.Errorf("edited to %q", string(e.text))
	}
}

func TestSecurityScreen(t *testing.T) {
	conform.Rule(t, "LGN-14")
	for want, keys := range map[uint32][]uint32{
		CommandLock:   {KeyReturn},
		CommandLogoff: {KeyDown, ' '}, // past the disabled one
		CommandCancel: {KeyEscape},
	} {
		w := SecurityScreen{User: "alice", Session: 1}.Window()
		w.Layout(screen)
		var got uint32
		for _, k := range keys {
			got = press(w, k)
		}
		if got != want {
			t.Errorf("keys %#x answer %d, want %d", keys, got, want)
		}
	}
	w := SecurityScreen{}.Window().(*securityWindow)
	w.Layout(screen)
	if at := middle(w.buttons[1].r); click(w, at, at) != 0 {
		t.Error("a disabled button answers")
	}
}

func TestKeysym(t *testing.T) {
	for _, r := range "aZ ~é€漢🚉" {
		if got := Rune(Keysym(r)); got != r {
			t.Errorf("%q is %#x is %q", r, Keysym(r), got)
		}
	}
	for _, k := range []uint32{0, 0x1F, 0x7F, KeyReturn, KeyShiftL, 0x01000000, 0x0100D800, 0x01110000, 0xFFFFFFFF, 0x01000007} {
		if got := Rune(k); got != 0 {
			t.Errorf("key %#x writes %q", k, got)
		}
	}
}

func TestMissingCharactersAreBoxes(t *testing.T) {
	style := textStyle{regular, 14}
	for _, s := range []string{"漢", "🚉", "\x07", "\u202e", "ᚠ", "\xff"} {
		img := image.NewRGBA(image.Rect(0, 0, 40, 30))
		style.text(img, image.Pt(4, 4), inkColor, s)
		drawn := 0
		for i := 3; i < len(img.Pix); i += 4 {
			if img.Pix[i] != 0 {
				drawn++
			}
		}
		if drawn < 8 || style.width(s) < 5 {
			t.Errorf("%q draws %d pixels, %d wide", s, drawn, style.width(s))
		}
	}
}
