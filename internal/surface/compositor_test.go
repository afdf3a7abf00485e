// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"bytes"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"stationmaster/win32"
)

func sameImage(t *testing.T, what string, got, want *image.RGBA) {
	t.Helper()
	if got.Bounds() != want.Bounds() {
		t.Fatalf("%s: %v, want %v", what, got.Bounds(), want.Bounds())
	}
	if bytes.Equal(got.Pix, want.Pix) {
		return
	}
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			if got.RGBAAt(x, y) != want.RGBAAt(x, y) {
				t.Fatalf("%s: pixel %d,%d is %v, want %v", what, x, y, got.RGBAAt(x, y), want.RGBAAt(x, y))
			}
		}
	}
}

// TestComposedEqualsModel draws, copies and resizes at random under windows that
// come, go and move, and compares with the base and the windows drawn at once.
func TestComposedEqualsModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	synctest.Test(t, func(t *testing.T) {
		base := NewFrame(400, 300)
		changes := 0
		c := NewXCompositor(base, func() { changes++ })
		defer c.Close()
		var layers []*Layer
		var watch *Watch
		watchFrame := func() {
			if watch != nil {
				watch.Close()
			}
			watch = c.Frame().Watch()
		}
		watchFrame()
		defer func() { watch.Close() }()
		rect := func(w, h int) image.Rectangle {
			x, y := rnd.IntN(w), rnd.IntN(h)
			return image.Rect(x, y, x+1+rnd.IntN(w-x), y+1+rnd.IntN(h-y))
		}
		for range 120 {
			w, h := base.Size()
			switch n := rnd.IntN(12); {
			case n == 0 && len(layers) < 3:
				was := changes
				layers = append(layers, c.Show(mustBox(t, MessageBox{Title: "T", Text: "text", Style: uint32(rnd.IntN(7))}), LayerOptions{}))
				if (changes > was) != (len(layers) == 1) {
					t.Fatal("the frame changed when it should not, or did not when it should")
				}
			case n == 1 && len(layers) > 0:
				i := rnd.IntN(len(layers))
				layers[i].Close()
				layers = append(layers[:i:i], layers[i+1:]...)
			case n == 2:
				base.Update(func(p *Paint) { p.Resize(200+rnd.IntN(300), 150+rnd.IntN(200)) })
			case n == 3 && len(layers) > 0: // drag a window
				l := layers[rnd.IntN(len(layers))]
				c.mu.Lock()
				at := l.at.Add(image.Pt(20, 10))
				c.mu.Unlock()
				to := image.Pt(rnd.IntN(w), rnd.IntN(h))
				c.Pointer(PointerEvent{At: at, Buttons: 1, Down: 1}, false)
				c.Pointer(PointerEvent{At: to, Buttons: 1}, false)
				c.Pointer(PointerEvent{At: to, Up: 1}, false)
			case n == 4:
				c.Key(true, false, KeyTab)
			case n < 8:
				base.Update(func(p *Paint) {
					r := rect(w, h)
					p.Copy(r, image.Pt(rnd.IntN(w), rnd.IntN(h)))
				})
			default:
				base.Update(func(p *Paint) {
					r := rect(w, h)
					fill(p.Image(), r, color.RGBA{R: uint8(rnd.IntN(256)), G: uint8(rnd.IntN(256)), B: uint8(rnd.IntN(256)), A: 255})
					p.Damage(r)
				})
			}
			if rnd.IntN(2) == 0 {
				continue // let damage pile up
			}
			synctest.Wait()
			f := c.Frame()
			if (f == base) != (len(layers) == 0) {
				t.Fatalf("with %d windows the base is shown: %v", len(layers), f == base)
			}
			if watch.f != f {
				watchFrame()
				synctest.Wait()
			}
			sameImage(t, "shown frame", f.Snapshot(), c.Over(base.Snapshot()))
		}
	})
}

// TestDamageUnderWindow checks that a change under a box costs only its area.
func TestDamageUnderWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := NewFrame(800, 600)
		c := NewXCompositor(base, func() {})
		defer c.Close()
		c.Show(mustBox(t, MessageBox{Title: "T", Text: "text"}), LayerOptions{})
		w := c.Frame().Watch()
		defer w.Close()
		synctest.Wait()
		w.Take(func(*image.RGBA, Damage) {})
		base.Update(func(p *Paint) {
			r := image.Rect(390, 290, 422, 306)
			fill(p.Image(), r, inkColor)
			p.Damage(r)
		})
		synctest.Wait()
		pixels := 0
		w.Take(func(_ *image.RGBA, d Damage) { pixels = d.Pixels() })
		if pixels == 0 || pixels > 2*32*16 {
			t.Errorf("%d pixels of damage for a change of %d", pixels, 32*16)
		}
	})
}

func TestUnwatchedComposesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := NewFrame(200, 150)
		c := NewXCompositor(base, func() {})
		defer c.Close()
		l := c.Show(mustBox(t, MessageBox{Title: "T", Text: "text"}), LayerOptions{})
		if base.Watched() {
			t.Error("the base is watched though nobody watches the desktop")
		}
		w := c.Frame().Watch()
		synctest.Wait()
		if !base.Watched() {
			t.Error("the base is not watched though somebody watches the desktop")
		}
		w.Close()
		synctest.Wait()
		if base.Watched() {
			t.Error("the base is still watched")
		}
		l.Close()
		if c.Frame() != base {
			t.Error("a composed frame without windows")
		}
	})
}

// TestOwnCursorOverWindows: a program's cursor is shown over its desktop, not
// over a box above it.
func TestOwnCursorOverWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := NewFrame(800, 600)
		c := NewXCompositor(base, func() {})
		defer c.Close()
		hidden := &Cursor{Image: image.NewRGBA(image.Rect(0, 0, 1, 1))}
		base.Update(func(p *Paint) { p.SetCursor(hidden) })
		l := c.Show(mustBox(t, MessageBox{Title: "T", Text: "text"}), LayerOptions{})
		defer l.Close()
		w := c.Frame().Watch()
		defer w.Close()
		cursor := func() (got *Cursor) {
			synctest.Wait()
			c.Frame().Update(func(p *Paint) { p.Damage(image.Rect(0, 0, 1, 1)) })
			w.Take(func(_ *image.RGBA, d Damage) { got = d.Cursor })
			return got
		}
		if cursor() != hidden {
			t.Error("the base's cursor is not shown over the base")
		}
		over := l.at.Add(l.size.Div(2))
		c.Pointer(PointerEvent{At: over}, false)
		if cursor() != nil {
			t.Error("the base's cursor is shown over a box")
		}
		other := &Cursor{Image: image.NewRGBA(image.Rect(0, 0, 2, 2))}
		base.Update(func(p *Paint) { p.SetCursor(other) })
		if cursor() != nil {
			t.Error("the base changes the cursor over a box")
		}
		c.Pointer(PointerEvent{At: image.Pt(1, 1)}, false)
		if cursor() != other {
			t.Error("the base's cursor does not come back")
		}
	})
}

// TestFocusAndKeys: the newest window has the keyboard; keys held from before
// do nothing in it; a click beside it gives the keyboard back.
func TestFocusAndKeys(t *testing.T) {
	c := NewCompositor(DesktopBackground, 800, 600)
	defer c.Close()
	var answers []uint32
	answer := func(a uint32) { answers = append(answers, a) }
	if c.Key(true, false, KeyReturn) {
		t.Error("a key is taken without a window")
	}
	first := c.Show(mustBox(t, MessageBox{Title: "1", Text: "one", Style: win32.MB_OKCANCEL}), LayerOptions{Answer: answer})
	second := c.Show(mustBox(t, MessageBox{Title: "2", Text: "two", Style: win32.MB_YESNO}), LayerOptions{Answer: answer})
	if first.at == second.at {
		t.Error("two boxes lie on each other exactly")
	}
	if !c.Key(true, true, KeyReturn) || len(answers) != 0 {
		t.Errorf("a key held from before answers %v", answers)
	}
	c.Key(false, false, KeyReturn)
	c.Key(true, false, KeyReturn)
	if len(answers) != 1 || answers[0] != win32.IDYES {
		t.Fatalf("answers %v", answers)
	}
	second.Close()
	second.Close()
	c.Key(false, false, KeyReturn)
	c.Key(true, false, KeyEscape)
	if len(answers) != 2 || answers[1] != win32.IDCANCEL {
		t.Fatalf("answers %v", answers)
	}
	if c.Pointer(PointerEvent{At: image.Pt(2, 2), Buttons: 1, Down: 1}, false) || c.Focused() {
		t.Error("a click beside the window is taken, or leaves it the keyboard")
	}
	if !c.Pointer(PointerEvent{At: first.at.Add(image.Pt(5, 60)), Buttons: 1, Down: 1}, false) || !c.Focused() {
		t.Error("a click on the window does not give it the keyboard")
	}
	c.Pointer(PointerEvent{At: first.at.Add(image.Pt(5, 60)), Up: 1}, false)
	first.Close()
	if c.Windows() != 0 || c.Focused() {
		t.Error("a window is left")
	}
	sameImage(t, "background", c.Snapshot(), func() *image.RGBA {
		img := image.NewRGBA(image.Rect(0, 0, 800, 600))
		DesktopBackground.Paint(img, img.Bounds())
		return img
	}())
}

func BenchmarkShowMessageBox(b *testing.B) {
	c := NewCompositor(DesktopBackground, 1280, 800)
	defer c.Close()
	for b.Loop() {
		w, err := MessageBox{Title: "Update", Text: "A new version is ready. Restart now?", Style: win32.MB_YESNO | win32.MB_ICONQUESTION}.Window()
		if err != nil {
			b.Fatal(err)
		}
		c.Show(w, LayerOptions{}).Close()
	}
}

func BenchmarkComposeUnderBox(b *testing.B) {
	base := NewFrame(1280, 800)
	c := NewXCompositor(base, func() {})
	defer c.Close()
	w, err := MessageBox{Title: "Update", Text: "A new version is ready. Restart now?"}.Window()
	if err != nil {
		b.Fatal(err)
	}
	c.Show(w, LayerOptions{})
	c.mu.Lock()
	defer c.mu.Unlock()
	for b.Loop() {
		base.View(func(img *image.RGBA) {
			c.out.Update(func(p *Paint) { c.composeLocked(p, img, img.Bounds()) })
		})
	}
}
