// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"image/draw"
	"sync"
)

// Compositor makes one desktop's picture: a base, and the session manager's
// windows over it. The base is either a background drawn by us or the picture of
// an X server, which somebody else draws into the frame given to
// NewXCompositor. Without windows that frame is the desktop's picture itself; a
// second, composed frame exists only while windows lie over it.
//
// Locks: Compositor.mu, then the base frame's, then the composed frame's. The
// change function is called with none held.
type Compositor struct {
	background Background // immutable
	base       *Frame     // immutable; the X picture, or nil
	changed    func()     // immutable; told when Frame gives another frame

	mu     sync.Mutex
	out    *Frame        // guarded by mu; what is composed; nil when base is shown as it is
	in     *Watch        // guarded by mu; our watch on base while out is watched
	stop   chan struct{} // guarded by mu; ends the pump that goes with in
	layers []*Layer      // guarded by mu; bottom to top
	focus  *Layer        // guarded by mu; nil: the base has the keyboard
	drag   *Layer        // guarded by mu; being moved by its caption
	grip   image.Point   // guarded by mu; where in it
	hot    *Layer        // guarded by mu; under the pointer
	held   *Layer        // guarded by mu; where a button went down
	closed bool          // guarded by mu
	cursor *Cursor       // guarded by mu; that of the base
	ours   bool          // guarded by mu; out shows our own cursor, not the base's

	pumps sync.WaitGroup
}

// Layer is a window that lies on a Compositor.
type Layer struct {
	c      *Compositor
	w      Window              // guarded by c.mu
	answer func(uint32)        // immutable; runs without locks
	scale  int                 // immutable
	img    *image.RGBA         // guarded by c.mu; window and shadow
	size   image.Point         // guarded by c.mu; of the window
	at     image.Point         // guarded by c.mu; of the window on the screen
	moved  bool                // guarded by c.mu; a person placed it
	rim    shadow              // guarded by c.mu
	keys   map[uint32]struct{} // guarded by c.mu; keys that went down in this window
	still  bool                // immutable; takes no focus
}

// NewCompositor makes the picture of a desktop drawn by us, w x h pixels.
func NewCompositor(b Background, w, h int) *Compositor {
	c := &Compositor{background: b, out: NewFrame(w, h), changed: func() {}}
	c.paintAllLocked()
	return c
}

// NewXCompositor makes the picture of a desktop whose base is drawn into base by
// an X server. changed is told, without locks, when another frame is to be shown.
func NewXCompositor(base *Frame, changed func()) *Compositor {
	return &Compositor{base: base, changed: changed}
}

// Frame is the frame to show now.
func (c *Compositor) Frame() *Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frameLocked()
}

func (c *Compositor) frameLocked() *Frame {
	if c.out != nil {
		return c.out
	}
	return c.base
}

// Size is the size of the picture in pixels.
func (c *Compositor) Size() (w, h int) {
	if c.base != nil {
		return c.base.Size()
	}
	return c.Frame().Size()
}

// Resize changes the size of a desktop drawn by us. One with an X server follows
// its server.
func (c *Compositor) Resize(w, h int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil || c.closed {
		return
	}
	if ow, oh := c.out.Size(); ow == w && oh == h {
		return
	}
	c.out.Update(func(p *Paint) { p.Resize(w, h) })
	c.arrangeLocked()
	c.paintAllLocked()
}

// SetBackground changes what a desktop drawn by us shows under its windows.
func (c *Compositor) SetBackground(b Background) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil && b != c.background {
		c.background = b
		c.paintAllLocked()
	}
}

// Snapshot gives a copy of the picture with its windows.
func (c *Compositor) Snapshot() *image.RGBA {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil {
		return c.out.Snapshot()
	}
	return c.overLocked(c.base.Snapshot())
}

// Over lays the windows over a picture of the base taken elsewhere.
func (c *Compositor) Over(base *image.RGBA) *image.RGBA {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.overLocked(base)
}

func (c *Compositor) overLocked(img *image.RGBA) *image.RGBA {
	for _, l := range c.layers {
		r := l.boundsLocked()
		draw.Draw(img, r, l.img, image.Point{}, draw.Over)
	}
	return img
}

// LayerOptions says how a window is shown.
type LayerOptions struct {
	Scale int // 1 or 2, for the shadow
	// Answer is called, without locks, when a person chose a button. The
	// window stays until Layer.Close.
	Answer func(answer uint32)
	// Still is a window that is only looked at: it never gets the keyboard and
	// its place is the middle.
	Still bool
}

// Show lays a window over the picture, on top of the others, and gives it the
// keyboard.
func (c *Compositor) Show(w Window, o LayerOptions) *Layer {
	l := &Layer{c: c, w: w, answer: o.Answer, scale: clampScale(o.Scale), still: o.Still, keys: map[uint32]struct{}{}}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return l
	}
	before := c.focus
	c.layers = append(c.layers, l)
	if !l.still {
		c.focus = l
	}
	show := c.startLocked()
	l.placeLocked()
	l.renderLocked()
	if before != nil && before != c.focus {
		before.redrawLocked()
	}
	if !show {
		c.paintLocked(l.boundsLocked())
	}
	c.mu.Unlock()
	if show {
		c.changed()
	}
	return l
}

// startLocked makes the composed frame of an X desktop when it is needed now,
// and reports whether it did.
func (c *Compositor) startLocked() bool {
	if c.base == nil || c.out != nil {
		return false
	}
	w, h := c.base.Size()
	out := NewFrame(w, h)
	c.out, c.ours = out, false
	out.OnWatched(func(watched bool) { c.watched(out, watched) })
	return true
}

// watched starts and stops the pump that keeps the composed frame up to date.
func (c *Compositor) watched(out *Frame, watched bool) {
	c.mu.Lock()
	if c.out != out || c.closed {
		watched = false
	}
	var old *Watch
	if watched && c.in == nil {
		c.mu.Unlock()
		// Watching calls the hook of the base frame, so not under mu.
		in := c.base.Watch()
		c.mu.Lock()
		if c.in != nil || c.out != out || c.closed {
			old = in
		} else {
			c.in, c.stop = in, make(chan struct{})
			c.syncLocked()
			c.pumps.Add(1)
			go c.pump(in, c.stop)
		}
	} else if !watched && c.out == out || c.closed {
		old = c.stopLocked()
	}
	c.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// stopLocked ends the pump; the caller closes the watch without the lock.
func (c *Compositor) stopLocked() *Watch {
	if c.in == nil {
		return nil
	}
	in := c.in
	close(c.stop)
	c.in, c.stop = nil, nil
	return in
}

// pump carries what changed in the base over to the composed frame.
func (c *Compositor) pump(in *Watch, stop chan struct{}) {
	defer c.pumps.Done()
	for {
		select {
		case <-stop:
			return
		case <-in.Ready():
		}
		c.mu.Lock()
		if c.in == in {
			c.syncLocked()
		}
		c.mu.Unlock()
	}
}

// syncLocked takes the base's damage into the composed frame.
func (c *Compositor) syncLocked() {
	c.in.Take(func(img *image.RGBA, d Damage) {
		c.out.Update(func(p *Paint) {
			if d.NewCursor {
				c.cursor = d.Cursor
				if !c.ours {
					p.SetCursor(c.cursor)
				}
			}
			all := img.Bounds()
			if p.Image().Bounds() != all {
				p.Resize(all.Dx(), all.Dy())
				c.arrangeLocked()
				d = Damage{Rects: []image.Rectangle{all}}
			} else if d.Resized {
				d = Damage{Rects: []image.Rectangle{all}}
			}
			// The composed picture is one more viewer of the base: copies
			// hold for it, except where a window lies on either end.
			var dirty []image.Rectangle
			for _, cp := range d.Copies {
				from := cp.Dst.Sub(cp.Dst.Min).Add(cp.Src)
				if c.coveredLocked(cp.Dst) || c.coveredLocked(from) || overlapsAny(from, dirty) {
					dirty = append(dirty, cp.Dst)
				} else {
					p.Copy(cp.Dst, cp.Src)
				}
			}
			for _, r := range append(d.Rects, dirty...) {
				c.composeLocked(p, img, r)
			}
		})
	})
}

func overlapsAny(r image.Rectangle, list []image.Rectangle) bool {
	for _, o := range list {
		if r.Overlaps(o) {
			return true
		}
	}
	return false
}

func (c *Compositor) coveredLocked(r image.Rectangle) bool {
	for _, l := range c.layers {
		if r.Overlaps(l.boundsLocked()) {
			return true
		}
	}
	return false
}

// composeLocked draws the part r of the composed picture and records it.
func (c *Compositor) composeLocked(p *Paint, base *image.RGBA, r image.Rectangle) {
	dst := p.Image()
	if base != nil {
		draw.Draw(dst, r, base, r.Min, draw.Src)
	} else {
		c.background.Paint(dst, r)
	}
	for _, l := range c.layers {
		b := l.boundsLocked()
		if part := b.Intersect(r); !part.Empty() {
			draw.Draw(dst, part, l.img, part.Min.Sub(b.Min), draw.Over)
		}
	}
	p.Damage(r)
}

// paintLocked draws a part of the composed picture again because a window
// changed there. An X desktop that nobody watches is drawn when somebody does.
func (c *Compositor) paintLocked(r image.Rectangle) {
	switch {
	case c.out == nil:
	case c.base == nil:
		c.out.Update(func(p *Paint) { c.composeLocked(p, nil, r.Intersect(p.Image().Bounds())) })
	case c.in != nil:
		c.base.View(func(img *image.RGBA) {
			c.out.Update(func(p *Paint) {
				// Where base and composed frame differ in size just now, the
				// pump is about to do all of it.
				if p.Image().Bounds() == img.Bounds() {
					c.composeLocked(p, img, r.Intersect(img.Bounds()))
				}
			})
		})
	}
}

func (c *Compositor) paintAllLocked() {
	c.paintLocked(image.Rect(0, 0, MaxWidth, MaxHeight))
}

// arrangeLocked lays the windows out anew after a change of size. It does not
// paint.
func (c *Compositor) arrangeLocked() {
	for _, l := range c.layers {
		l.placeLocked()
		l.renderLocked()
	}
}

// screenLocked is the size to lay windows out for.
func (c *Compositor) screenLocked() image.Point {
	if c.base != nil && c.out == nil {
		w, h := c.base.Size()
		return image.Pt(w, h)
	}
	return image.Pt(c.sizeLocked())
}

// sizeLocked reads the composed frame's size. Only the compositor draws into
// that frame, and only under mu, so the frame's own lock is not needed (the
// caller may hold it).
func (c *Compositor) sizeLocked() (int, int) {
	b := c.out.img.Bounds()
	return b.Dx(), b.Dy()
}

// boundsLocked is where the layer lies on the screen, its shadow included.
func (l *Layer) boundsLocked() image.Rectangle {
	m := l.rim.margin
	return image.Rectangle{Min: l.at, Max: l.at.Add(l.size)}.Inset(-m)
}

// placeLocked lays the window out and puts it in the middle, a step away from
// where another lies already.
func (l *Layer) placeLocked() {
	screen := l.c.screenLocked()
	size := l.w.Layout(screen)
	if size != l.size || l.rim.mask == nil {
		l.size = size
		l.rim = makeShadow(size, l.scale)
		l.img = nil
	}
	if l.moved {
		l.at = l.keepLocked(l.at, screen)
		return
	}
	at := screen.Sub(size).Div(2)
	if !l.still {
		at.Y = max(0, at.Y-screen.Y/12)
		step := 26 * l.scale
		for i := 0; i < 12; i++ {
			taken := false
			for _, o := range l.c.layers {
				taken = taken || o != l && !o.still && o.at == at
			}
			if !taken {
				break
			}
			at = at.Add(image.Pt(step, step))
		}
	}
	l.at = at
}

// keepLocked moves a place so that the caption can still be reached.
func (l *Layer) keepLocked(at, screen image.Point) image.Point {
	const grip = 48
	at.X = max(grip-l.size.X, min(at.X, screen.X-grip))
	at.Y = max(0, min(at.Y, screen.Y-grip))
	return at
}

// renderLocked draws window and shadow into the layer's own picture.
func (l *Layer) renderLocked() {
	m := l.rim.margin
	b := image.Rect(0, 0, l.size.X+2*m, l.size.Y+2*m)
	if l.img == nil || l.img.Bounds() != b {
		l.img = image.NewRGBA(b)
	}
	for i := range l.rim.mask.Pix {
		l.img.Pix[4*i], l.img.Pix[4*i+1], l.img.Pix[4*i+2], l.img.Pix[4*i+3] = 0, 0, 0, l.rim.mask.Pix[i]
	}
	inner := image.Rectangle{Min: image.Pt(m, m), Max: image.Pt(m, m).Add(l.size)}
	l.w.Draw(l.img.SubImage(inner).(*image.RGBA), l.c.focus == l)
}

// redrawLocked shows a window whose looks have changed.
func (l *Layer) redrawLocked() {
	if l.img == nil {
		return
	}
	l.renderLocked()
	m := l.rim.margin
	l.c.paintLocked(l.boundsLocked().Inset(m))
}

// Update runs fn, which may change the window, and shows the result. It does
// nothing when the layer is closed.
func (l *Layer) Update(fn func(Window)) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if !l.onLocked() {
		return
	}
	fn(l.w)
	old := l.boundsLocked()
	l.placeLocked()
	l.renderLocked()
	l.c.paintLocked(old)
	l.c.paintLocked(l.boundsLocked())
}

func (l *Layer) onLocked() bool {
	for _, o := range l.c.layers {
		if o == l {
			return true
		}
	}
	return false
}

// Close takes the window away. It may be called twice.
func (l *Layer) Close() {
	c := l.c
	c.mu.Lock()
	if !l.onLocked() {
		c.mu.Unlock()
		return
	}
	rest := make([]*Layer, 0, len(c.layers)-1)
	for _, o := range c.layers {
		if o != l {
			rest = append(rest, o)
		}
	}
	c.layers = rest
	for _, p := range []**Layer{&c.drag, &c.hot, &c.held} {
		if *p == l {
			*p = nil
		}
	}
	if c.focus == l {
		c.focus = nil
		for _, o := range rest {
			if !o.still {
				c.focus = o
			}
		}
		if c.focus != nil {
			c.focus.redrawLocked()
		}
	}
	if len(rest) > 0 || c.base == nil {
		c.paintLocked(l.boundsLocked())
		c.mu.Unlock()
		return
	}
	c.out = nil
	in := c.stopLocked()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.changed()
	}
	if in != nil {
		in.Close()
	}
}

// Close ends the compositor's goroutine and forgets its windows.
func (c *Compositor) Close() {
	c.mu.Lock()
	c.closed = true
	c.layers, c.focus, c.drag, c.hot, c.held = nil, nil, nil, nil, nil
	in := c.stopLocked()
	c.mu.Unlock()
	if in != nil {
		in.Close()
	}
	c.pumps.Wait()
}
