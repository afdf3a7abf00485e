// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"testing"

	"pgregory.net/rapid"
)

// TestAnyEvents throws events of every kind at every window, in and outside of
// it, through a compositor whose size changes: nothing panics, and only buttons
// that a window has are answered.
func TestAnyEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCompositor(SecureBackground, 400, 300)
		defer c.Close()
		style := rapid.Uint32Range(0, 6).Draw(t, "style") | rapid.SampledFrom([]uint32{0, 0x10, 0x100, 0x200, 0x80000}).Draw(t, "bits")
		box := MessageBox{Title: rapid.StringN(0, 20, 60).Draw(t, "title"), Text: rapid.StringN(0, 300, 900).Draw(t, "text"), Style: style}
		w, err := box.Window()
		if err != nil {
			t.Fatal(err)
		}
		allowed := map[uint32]bool{}
		for _, id := range box.Answers() {
			allowed[id] = true
		}
		boxLayer := c.Show(w, LayerOptions{Answer: func(a uint32) {
			if !allowed[a] {
				t.Fatalf("a box of style %#x answers %d", style, a)
			}
		}})
		prompt := CredentialPrompt{User: "u", Error: "wrong"}.Window()
		c.Show(prompt, LayerOptions{Answer: func(a uint32) {
			if a != CommandSignIn {
				t.Fatalf("a prompt answers %d", a)
			}
			prompt.Credentials()
		}})
		c.Show(SecurityScreen{User: "u"}.Window(), LayerOptions{Answer: func(a uint32) {
			if a == CommandSwitchUser || a == CommandTaskList || a == CommandSignIn {
				t.Fatalf("the security screen answers %d", a)
			}
		}})
		c.Show(Notice{Title: "n"}.Window(), LayerOptions{Still: true, Answer: func(a uint32) { t.Fatalf("a notice answers %d", a) }})
		keys := []uint32{KeyTab, KeyLeftTab, KeyReturn, KeyEscape, ' ', 'y', 'n', 'a', KeyLeft, KeyRight, KeyUp, KeyDown, KeyHome, KeyEnd, KeyPageUp, KeyPageDown, KeyBackSpace, KeyDelete, KeyShiftL, 0, 0xFFFFFFFF}
		var buttons uint8
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			switch rapid.IntRange(0, 19).Draw(t, "kind") {
			case 0:
				c.Resize(rapid.IntRange(1, 700).Draw(t, "w"), rapid.IntRange(1, 500).Draw(t, "h"))
			case 1:
				c.FocusBase()
			case 2:
				if rapid.IntRange(0, 9).Draw(t, "close") == 0 {
					boxLayer.Close()
				}
			case 3, 4, 5, 6, 7, 8, 9:
				k := rapid.SampledFrom(keys).Draw(t, "key")
				c.Key(rapid.Bool().Draw(t, "down"), rapid.Bool().Draw(t, "repeat"), k)
			default:
				now := rapid.SampledFrom([]uint8{0, 1, 2, 4, 8, 16, 1 | 4}).Draw(t, "buttons")
				at := image.Pt(rapid.IntRange(-5, 705).Draw(t, "x"), rapid.IntRange(-5, 505).Draw(t, "y"))
				c.Pointer(PointerEvent{At: at, Buttons: now, Down: now &^ buttons, Up: buttons &^ now}, rapid.Bool().Draw(t, "base"))
				buttons = now
			}
		}
		img := c.Snapshot()
		for i := 3; i < len(img.Pix); i += 4 {
			if img.Pix[i] != 255 {
				t.Fatal("a pixel is not opaque")
			}
		}
	})
}
