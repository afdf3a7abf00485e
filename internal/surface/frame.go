// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"slices"
	"sync"
)

// The largest frame there is, in pixels. An X program can ask its server for
// any size, so what comes from there is held to the same bounds.
const (
	MaxWidth  = 4096
	MaxHeight = 2304
)

// ValidSize reports whether a frame may have this size: 1x1 to
// MaxWidth x MaxHeight pixels.
func ValidSize(w, h int) bool {
	return w >= 1 && h >= 1 && w <= MaxWidth && h <= MaxHeight
}

// Frame is the one framebuffer of a desktop: four bytes a pixel, R, G, B, 255,
// so that it can be viewed as *image.RGBA. What draws calls Update; each viewer
// has a Watch of its own, which collects what changed since that viewer last
// looked. Nothing runs while nobody watches or nothing changes.
type Frame struct {
	// mu is a RWMutex because a viewer encodes straight from the pixels: several
	// viewers with different encodings read at the same time.
	mu      sync.RWMutex
	img     *image.RGBA         // guarded by mu; replaced whole by Resize
	version uint64              // guarded by mu; one more with each Update that changed something
	watches map[*Watch]struct{} // guarded by mu
	cursor  *Cursor             // guarded by mu; nil: the viewer's usual arrow
	silent  bool                // guarded by mu; changes were made that viewers were not woken for
	hooks   []*hook             // guarded by mu; replaced whole, the first is OnWatched's
	telling bool                // guarded by mu; one goroutine is calling hooks
}

// NewFrame makes a black frame of w x h pixels. A size out of bounds is brought
// to the nearest one within (see ValidSize).
func NewFrame(w, h int) *Frame {
	f := &Frame{watches: make(map[*Watch]struct{})}
	f.img = newImage(clampSize(w, h))
	return f
}

func clampSize(w, h int) (int, int) {
	return min(max(w, 1), MaxWidth), min(max(h, 1), MaxHeight)
}

func newImage(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	return img
}

// Size gives the size in pixels.
func (f *Frame) Size() (w, h int) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.img.Rect.Dx(), f.img.Rect.Dy()
}

// Update runs fn with the frame locked. fn draws, says what it drew by
// Paint.Damage, and must be short: no I/O, no waiting, no call of the frame.
func (f *Frame) Update(fn func(p *Paint)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := Paint{f: f}
	fn(&p)
	p.f = nil // a Paint kept beyond the call must not write unseen
	if p.changed {
		f.version++
	}
	f.silent = f.silent || p.changed
	if !f.silent || p.more {
		return
	}
	f.silent = false
	for w := range f.watches {
		if !w.emptyLocked() {
			w.signal()
		}
	}
}

// Snapshot gives a copy of the pixels.
func (f *Frame) Snapshot() *image.RGBA {
	f.mu.RLock()
	defer f.mu.RUnlock()
	c := *f.img
	c.Pix = append([]byte(nil), f.img.Pix...)
	return &c
}

// View runs fn with the pixels, which fn may only read. Drawing waits until fn
// returns. It is Snapshot without the copy.
func (f *Frame) View(fn func(img *image.RGBA)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	fn(f.img)
}

// Watched reports whether anybody watches.
func (f *Frame) Watched() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.watches) > 0
}

// hook is a function that is told whether anybody watches.
type hook struct {
	fn   func(watched bool) // immutable; nil: none
	told bool               // guarded by Frame.mu; what it was last told
}

// OnWatched sets what is called with true when the first watcher comes and with
// false when the last one has gone. It is called without the frame's lock, one
// call at a time, and the last call always tells the present state; when
// somebody watches already, it is called at once. A frame has one such function;
// nil takes it away.
func (f *Frame) OnWatched(fn func(watched bool)) {
	f.mu.Lock()
	f.hooks = append([]*hook{{fn: fn}}, f.hooks[min(1, len(f.hooks)):]...)
	f.mu.Unlock()
	f.tellWatched()
}

// FollowWatched adds a function that is called like the one of OnWatched, beside
// it, until stop is called. A call that has begun may still be running then.
func (f *Frame) FollowWatched(fn func(watched bool)) (stop func()) {
	h := &hook{fn: fn}
	f.mu.Lock()
	if len(f.hooks) == 0 {
		f.hooks = append(f.hooks, &hook{}) // OnWatched's place
	}
	f.hooks = append(slices.Clip(f.hooks), h)
	f.mu.Unlock()
	f.tellWatched()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hooks = slices.DeleteFunc(slices.Clone(f.hooks), func(other *hook) bool { return other == h })
	}
}

// tellWatched calls hooks until what each was told last is true. A second caller
// leaves it to the first, so a hook itself may come and go as a watcher.
func (f *Frame) tellWatched() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.telling {
		return
	}
	f.telling = true
	defer func() { f.telling = false }()
	for {
		now := len(f.watches) > 0
		i := slices.IndexFunc(f.hooks, func(h *hook) bool { return h.fn != nil && h.told != now })
		if i < 0 {
			return
		}
		h := f.hooks[i]
		h.told = now
		f.mu.Unlock()
		func() {
			defer f.mu.Lock() // also when the hook panics: the deferred Unlock needs it
			h.fn(now)
		}()
	}
}

// Paint is what the function given to Update draws with. It is valid only until
// that function returns.
type Paint struct {
	f       *Frame
	changed bool
	more    bool
}

// More says that another Update follows at once and belongs to the same change:
// viewers are woken only by the last one, which does not call More. It must come
// even if it draws nothing.
func (p *Paint) More() { p.more = true }

// Image gives the pixels. Only opaque ones may be written: alpha stays 255.
func (p *Paint) Image() *image.RGBA { return p.f.img }

// Damage says that the pixels of r were drawn. It is called after drawing and
// before a Copy that moves these pixels. The part outside the frame is ignored.
func (p *Paint) Damage(r image.Rectangle) {
	r = r.Intersect(p.f.img.Rect)
	if r.Empty() {
		return
	}
	p.changed = true
	for w := range p.f.watches {
		w.addLocked(r)
	}
}

// Copy moves pixels inside the frame: dst gets what lies at src, a rectangle of
// the same size, which may overlap it. It records the move, so viewers are sent
// the move instead of the pixels. Parts whose source or target lies outside the
// frame are left out.
func (p *Paint) Copy(dst image.Rectangle, src image.Point) {
	dst, src = clipCopy(p.f.img.Rect, dst, src)
	if dst.Empty() || dst.Min == src {
		return
	}
	moveRows(p.f.img, dst, src)
	p.changed = true
	for w := range p.f.watches {
		w.copyLocked(Copy{Dst: dst, Src: src})
	}
}

// Resize gives the frame another size. Pixels common to both are kept, new ones
// are black. The size is brought within bounds as by NewFrame; the same size
// changes nothing.
func (p *Paint) Resize(w, h int) {
	w, h = clampSize(w, h)
	old := p.f.img
	if old.Rect.Dx() == w && old.Rect.Dy() == h {
		return
	}
	img := newImage(w, h)
	n := 4 * min(w, old.Rect.Dx())
	for y := range min(h, old.Rect.Dy()) {
		copy(img.Pix[y*img.Stride:][:n], old.Pix[y*old.Stride:][:n])
	}
	p.f.img = img
	p.changed = true
	for wt := range p.f.watches {
		wt.resetLocked(w, h)
		wt.resized = true
	}
}

// Cursor is a shape of the pointer. It is immutable once handed over.
type Cursor struct {
	// Image has straight alpha: a pixel with alpha of at least 128 is drawn. An
	// empty one hides the pointer. At most MaxCursor pixels a side.
	Image *image.RGBA
	Hot   image.Point // the pixel that points
}

// MaxCursor is the largest side of a cursor in pixels.
const MaxCursor = 128

// SetCursor sets the shape of the pointer over this frame; nil is the usual
// arrow. One larger than MaxCursor is ignored.
func (p *Paint) SetCursor(c *Cursor) {
	if c != nil && (c.Image == nil || c.Image.Rect.Dx() > MaxCursor || c.Image.Rect.Dy() > MaxCursor) {
		return
	}
	p.f.cursor = c
	p.changed = true
	for w := range p.f.watches {
		w.recursor = true
	}
}

// clipCopy leaves of a copy what lies inside bounds on both sides.
func clipCopy(bounds, dst image.Rectangle, src image.Point) (image.Rectangle, image.Point) {
	delta := src.Sub(dst.Min)
	dst = dst.Intersect(bounds)
	dst = dst.Add(delta).Intersect(bounds).Sub(delta)
	return dst, dst.Min.Add(delta)
}

// moveRows copies a rectangle inside img; the two may overlap.
func moveRows(img *image.RGBA, dst image.Rectangle, src image.Point) {
	n := 4 * dst.Dx()
	y, step := 0, 1
	if src.Y < dst.Min.Y { // downwards: last row first
		y, step = dst.Dy()-1, -1
	}
	for range dst.Dy() {
		copy(img.Pix[img.PixOffset(dst.Min.X, dst.Min.Y+y):][:n], img.Pix[img.PixOffset(src.X, src.Y+y):][:n])
		y += step
	}
}
