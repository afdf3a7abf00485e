// SPDX-License-Identifier: Apache-2.0

package surface_test

import (
	"bytes"
	"image"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"stationmaster/internal/surface"
)

// mirror is a viewer that keeps a picture up to date from a Watch alone.
type mirror struct {
	w   *surface.Watch
	img *image.RGBA
	// last tells what the last catchUp moved.
	copies, pixels int
}

func (m *mirror) catchUp(o surface.TakeOptions) (called bool) {
	m.w.TakeSome(o, func(img *image.RGBA, d surface.Damage) {
		called = true
		m.copies, m.pixels = len(d.Copies), d.Pixels()
		if d.Resized {
			m.img = image.NewRGBA(img.Rect)
		}
		for _, c := range d.Copies {
			old := append([]byte(nil), m.img.Pix...)
			for y := range c.Dst.Dy() {
				s := m.img.PixOffset(c.Src.X, c.Src.Y+y)
				copy(m.img.Pix[m.img.PixOffset(c.Dst.Min.X, c.Dst.Min.Y+y):], old[s:s+4*c.Dst.Dx()])
			}
		}
		for _, r := range d.Rects {
			if !r.In(img.Rect) || r.Empty() {
				panic("rectangle outside the frame: " + r.String())
			}
			for y := r.Min.Y; y < r.Max.Y; y++ {
				o := img.PixOffset(r.Min.X, y)
				copy(m.img.Pix[o:o+4*r.Dx()], img.Pix[o:])
			}
		}
	})
	return called
}

func genRect(t *rapid.T, w, h int) image.Rectangle {
	x, y := rapid.IntRange(-8, w+4).Draw(t, "x"), rapid.IntRange(-8, h+4).Draw(t, "y")
	return image.Rect(x, y, x+rapid.IntRange(0, w).Draw(t, "w"), y+rapid.IntRange(0, h).Draw(t, "h"))
}

// Random drawing, moves and sizes against viewers that look rarely, take only
// part, or cannot copy: in the end each has the frame's picture, and between
// times a viewer that took everything has it too.
func TestWatchModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 150).Draw(t, "width"), rapid.IntRange(1, 200).Draw(t, "height")
		f := surface.NewFrame(w, h)
		model := f.Snapshot()
		options := []surface.TakeOptions{{}, {NoCopies: true}, {MaxPixels: 1}, {MaxPixels: 2000, Slack: 12}}
		var viewers []*mirror
		var colour byte
		steps := rapid.IntRange(1, 40).Draw(t, "steps")
		for range steps {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				viewers = append(viewers, &mirror{w: f.Watch()})
			case 1:
				if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					w, h = rapid.IntRange(1, 150).Draw(t, "width"), rapid.IntRange(1, 200).Draw(t, "height")
					f.Update(func(p *surface.Paint) { p.Resize(w, h) })
					model = f.Snapshot()
				}
			case 2, 3, 4:
				r := genRect(t, w, h)
				colour++
				f.Update(func(p *surface.Paint) {
					c := r.Intersect(p.Image().Rect)
					for y := c.Min.Y; y < c.Max.Y; y++ {
						for x := c.Min.X; x < c.Max.X; x++ {
							o := model.PixOffset(x, y)
							px := []byte{colour, byte(x), byte(y), 255}
							copy(p.Image().Pix[o:], px)
							copy(model.Pix[o:], px)
						}
					}
					p.Damage(r)
				})
			case 5, 6, 7:
				r := genRect(t, w, h)
				src := image.Pt(rapid.IntRange(-8, w+8).Draw(t, "sx"), rapid.IntRange(-8, h+8).Draw(t, "sy"))
				f.Update(func(p *surface.Paint) { p.Copy(r, src) })
				// The model moves pixel by pixel from a copy of itself.
				old := append([]byte(nil), model.Pix...)
				for y := r.Min.Y; y < r.Max.Y; y++ {
					for x := r.Min.X; x < r.Max.X; x++ {
						from, to := image.Pt(x, y).Sub(r.Min).Add(src), image.Pt(x, y)
						if from.In(model.Rect) && to.In(model.Rect) {
							copy(model.Pix[model.PixOffset(x, y):][:4], old[model.PixOffset(from.X, from.Y):])
						}
					}
				}
			default:
				if len(viewers) > 0 {
					v := rapid.IntRange(0, len(viewers)-1).Draw(t, "viewer")
					viewers[v].catchUp(options[v%len(options)])
				}
			}
		}
		if !bytes.Equal(f.Snapshot().Pix, model.Pix) {
			t.Fatal("the frame itself is not what was drawn")
		}
		for i, v := range viewers {
			for n := 0; v.catchUp(options[i%len(options)]); n++ {
				if n > 100 {
					t.Fatalf("viewer %d never gets to the end", i)
				}
			}
			if !bytes.Equal(v.img.Pix, model.Pix) {
				t.Fatalf("viewer %d (%+v) has another picture", i, options[i%len(options)])
			}
			v.w.Close()
		}
	})
}

// A window dragged over a quiet desktop costs moves and thin strips, not pixels.
func TestCopyIsCheap(t *testing.T) {
	f := surface.NewFrame(640, 480)
	m := &mirror{w: f.Watch()}
	defer m.w.Close()
	m.catchUp(surface.TakeOptions{})
	f.Update(func(p *surface.Paint) { p.Copy(image.Rect(103, 101, 403, 301), image.Pt(100, 100)) })
	m.catchUp(surface.TakeOptions{})
	if m.copies != 1 || m.pixels != 0 {
		t.Errorf("a move was handed over as %d copies and %d pixels", m.copies, m.pixels)
	}
	// More moves than are kept between two looks become damage.
	for i := range 20 {
		f.Update(func(p *surface.Paint) { p.Copy(image.Rect(i, 0, i+40, 40), image.Pt(300, 300)) })
	}
	m.catchUp(surface.TakeOptions{})
	if m.copies != 8 || m.pixels == 0 || m.pixels > 100*100 {
		t.Errorf("20 moves were handed over as %d copies and %d pixels", m.copies, m.pixels)
	}
}

func TestDamageIsTight(t *testing.T) {
	f := surface.NewFrame(1280, 800)
	m := &mirror{w: f.Watch()}
	defer m.w.Close()
	m.catchUp(surface.TakeOptions{})
	if m.pixels != 1280*800 {
		t.Errorf("at first %d pixels are damaged", m.pixels)
	}
	f.Update(func(p *surface.Paint) {
		p.Damage(image.Rect(5, 5, 7, 9))
		p.Damage(image.Rect(1000, 700, 1003, 701))
		p.Damage(image.Rect(-10, -10, 0, 0)) // outside
	})
	var got []image.Rectangle
	m.w.Take(func(_ *image.RGBA, d surface.Damage) { got = d.Rects })
	if len(got) != 2 || got[0] != image.Rect(5, 5, 7, 9) || got[1] != image.Rect(1000, 700, 1003, 701) {
		t.Errorf("damage is %v", got)
	}
}

// Drawing at the top must not starve a viewer that takes little at a time.
func TestTakeSomeGoesRound(t *testing.T) {
	f := surface.NewFrame(640, 640)
	m := &mirror{w: f.Watch()}
	defer m.w.Close()
	f.Update(func(p *surface.Paint) {
		p.Image().Pix[p.Image().PixOffset(0, 639)] = 77
		p.Damage(image.Rect(0, 639, 1, 640))
	})
	for i := 0; ; i++ {
		f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 640, 64)) })
		m.catchUp(surface.TakeOptions{MaxPixels: 1})
		if m.img.Pix[m.img.PixOffset(0, 639)] == 77 {
			return
		}
		if i > 20 {
			t.Fatal("the last row never came")
		}
	}
}

func TestReady(t *testing.T) {
	f := surface.NewFrame(64, 64)
	w := f.Watch()
	ready := func() bool {
		select {
		case <-w.Ready():
			return true
		default:
			return false
		}
	}
	if !ready() {
		t.Error("not ready at the start, with all damaged")
	}
	w.Take(func(*image.RGBA, surface.Damage) {})
	f.Update(func(*surface.Paint) {})
	if ready() {
		t.Error("ready although nothing changed")
	}
	for range 3 {
		f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 1, 1)) })
	}
	if !ready() || ready() {
		t.Error("three changes must be one signal")
	}
	w.Close()
	w.Close()
	f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 1, 1)) })
	w.Take(func(*image.RGBA, surface.Damage) { t.Error("a closed watch took something") })
}

func TestOnWatched(t *testing.T) {
	f := surface.NewFrame(8, 8)
	var said []bool
	f.OnWatched(func(watched bool) {
		f.Size() // would hang if the lock were held
		said = append(said, watched)
	})
	a := f.Watch()
	b := f.Watch()
	a.Close()
	b.Close()
	c := f.Watch()
	if want := []bool{true, false, true}; len(said) != 3 || said[0] != want[0] || said[1] != want[1] || said[2] != want[2] {
		t.Errorf("told %v, want %v", said, want)
	}
	late := false
	f.OnWatched(func(watched bool) { late = watched })
	if !late {
		t.Error("a hook set while somebody watches was not told")
	}
	c.Close()
	if late {
		t.Error("the hook was not told that the last watcher went")
	}
}

// The hook may watch and leave itself, and with watchers coming and going on
// many goroutines the last thing it hears is true.
func TestOnWatchedRace(t *testing.T) {
	f := surface.NewFrame(8, 8)
	var mu sync.Mutex
	state, busy := false, false
	f.OnWatched(func(watched bool) {
		mu.Lock()
		if busy {
			t.Error("two calls at once")
		}
		busy = true
		mu.Unlock()
		f.Watch().Close()
		mu.Lock()
		busy, state = false, watched
		mu.Unlock()
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				w := f.Watch()
				f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 4, 4)) })
				w.Take(func(*image.RGBA, surface.Damage) {})
				w.Close()
			}
		})
	}
	wg.Wait()
	f.Watch().Close()
	mu.Lock()
	defer mu.Unlock()
	if state {
		t.Error("the hook believes that somebody watches")
	}
}

func TestFrameBounds(t *testing.T) {
	for _, c := range []struct{ w, h, ww, wh int }{{0, -5, 1, 1}, {1, 1, 1, 1}, {9999, 100, surface.MaxWidth, 100}} {
		f := surface.NewFrame(c.w, c.h)
		if w, h := f.Size(); w != c.ww || h != c.wh {
			t.Errorf("NewFrame(%d, %d) is %dx%d", c.w, c.h, w, h)
		}
	}
	f := surface.NewFrame(10, 10)
	f.Update(func(p *surface.Paint) {
		p.Image().Pix[0] = 9
		p.Resize(20, 1<<30)
	})
	if w, h := f.Size(); w != 20 || h != surface.MaxHeight {
		t.Errorf("resized to %dx%d", w, h)
	}
	s := f.Snapshot()
	if s.Pix[0] != 9 || s.Pix[3] != 255 || s.Pix[len(s.Pix)-1] != 255 {
		t.Error("a new size loses pixels or is not opaque")
	}
}

func BenchmarkDamage(b *testing.B) {
	f := surface.NewFrame(1280, 800)
	w := f.Watch()
	defer w.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		for range 20 {
			x, y := r.IntN(1200), r.IntN(780)
			f.Update(func(p *surface.Paint) { p.Damage(image.Rect(x, y, x+60, y+14)) })
		}
		w.Take(func(*image.RGBA, surface.Damage) {})
	}
}

func TestCursor(t *testing.T) {
	f := surface.NewFrame(64, 64)
	w := f.Watch()
	defer w.Close()
	take := func() (d surface.Damage) {
		w.Take(func(_ *image.RGBA, got surface.Damage) { d = got })
		return d
	}
	if d := take(); !d.NewCursor || d.Cursor != nil {
		t.Errorf("at the start: %+v", d)
	}
	c := &surface.Cursor{Image: image.NewRGBA(image.Rect(0, 0, 5, 5))}
	f.Update(func(p *surface.Paint) { p.SetCursor(c) })
	<-w.Ready()
	if d := take(); !d.NewCursor || d.Cursor != c || len(d.Rects) != 0 {
		t.Errorf("after SetCursor: %+v", d)
	}
	f.Update(func(p *surface.Paint) {
		p.SetCursor(&surface.Cursor{Image: image.NewRGBA(image.Rect(0, 0, surface.MaxCursor+1, 5))})
	})
	if d := take(); d.NewCursor {
		t.Error("a cursor beyond the bound is taken")
	}
}

func TestWatchDamage(t *testing.T) {
	f := surface.NewFrame(64, 64)
	a, b := f.Watch(), f.Watch()
	defer a.Close()
	defer b.Close()
	for _, w := range []*surface.Watch{a, b} {
		<-w.Ready()
		w.Take(func(*image.RGBA, surface.Damage) {})
	}
	a.Damage(image.Rect(60, 60, 99, 99))
	<-a.Ready()
	a.Take(func(_ *image.RGBA, d surface.Damage) {
		if len(d.Rects) != 1 || d.Rects[0] != image.Rect(60, 60, 64, 64) {
			t.Errorf("damage %v", d.Rects)
		}
	})
	b.Take(func(*image.RGBA, surface.Damage) { t.Error("another viewer was damaged") })
	a.Damage(image.Rect(70, 70, 99, 99))
	a.Take(func(*image.RGBA, surface.Damage) { t.Error("damage outside the frame") })
}

func TestFollowWatched(t *testing.T) {
	f := surface.NewFrame(8, 8)
	var one, two, three []bool
	stop := f.FollowWatched(func(w bool) { one = append(one, w) })
	f.OnWatched(func(w bool) { two = append(two, w) })
	w := f.Watch()
	stop3 := f.FollowWatched(func(w bool) { three = append(three, w) })
	stop()
	f.OnWatched(nil)
	w.Close()
	stop3()
	f.Watch().Close()
	if len(one) != 1 || !one[0] || len(two) != 1 || !two[0] || len(three) != 2 || !three[0] || three[1] {
		t.Errorf("told %v, %v and %v", one, two, three)
	}
}

func TestMore(t *testing.T) {
	f := surface.NewFrame(64, 64)
	w := f.Watch()
	defer w.Close()
	w.Take(func(*image.RGBA, surface.Damage) {})
	f.Update(func(p *surface.Paint) {
		p.Damage(image.Rect(0, 0, 1, 1))
		p.More()
	})
	select {
	case <-w.Ready():
		t.Error("woken in the middle")
	default:
	}
	f.Update(func(*surface.Paint) {})
	select {
	case <-w.Ready():
	default:
		t.Error("not woken at the end")
	}
}
