// SPDX-License-Identifier: Apache-2.0

package surface

import "image"

const (
	cellShift = 4
	cellSize  = 1 << cellShift // pixels a side of the cells that damage is kept in
	bandCells = 4              // cell rows of one band: 64 pixels, the grid encoders work on
	maxCopies = 8              // copies kept for one viewer; more become damage

	// DefaultSlack is how many unchanged pixels the joining of two boxes may
	// add: about what a rectangle of its own costs in Tight or ZRLE.
	DefaultSlack = 720
)

// Copy is a move inside the frame: Dst gets what lay at Src before.
type Copy struct {
	Dst image.Rectangle
	Src image.Point
}

// Damage is what a viewer has to be sent to have the frame's picture again:
// first the copies, in order, then the pixels of the rectangles.
type Damage struct {
	Copies  []Copy
	Rects   []image.Rectangle // may overlap; never outside the frame
	Resized bool              // the size changed, or this is the first time
	More    bool              // TakeSome left damage behind

	NewCursor bool    // Cursor is another one than before, or this is the first time
	Cursor    *Cursor // as Paint.SetCursor set it
	// Version counts the frame's changes. Two viewers that take the same
	// rectangles at the same version of the same frame see the same pixels.
	Version uint64
}

// Pixels gives the number of pixels of all rectangles.
func (d Damage) Pixels() int {
	n := 0
	for _, r := range d.Rects {
		n += r.Dx() * r.Dy()
	}
	return n
}

// box is the damaged part of one cell, in pixels from the cell's corner;
// x1 == 0 means nothing is damaged.
type box struct{ x0, y0, x1, y1 uint8 }

// Watch is one viewer's damage: a box for each cell of 16x16 pixels, and the
// copies that come before it. Always true: the viewer's picture, after the copies
// were carried out on it in order, differs from the frame at most inside the
// boxes. One goroutine at a time may call Take and TakeSome.
type Watch struct {
	f     *Frame
	ready chan struct{} // immutable

	// All below is guarded by f.mu: held for writing, or for reading by the one
	// goroutine inside TakeSome.
	closed   bool
	w, h     int // pixels
	cw, ch   int // cells
	cells    []box
	rows     []bool // row of cells that has damage
	dirty    int    // number of such rows
	next     int    // row where the next TakeSome begins
	copies   []Copy
	resized  bool
	recursor bool
	moved    []image.Rectangle // scratch of copyLocked
}

// Watch begins to watch the frame. At first all of it is damaged and Resized is
// set. The caller closes the watch when done.
func (f *Frame) Watch() *Watch {
	w := &Watch{f: f, ready: make(chan struct{}, 1)}
	f.mu.Lock()
	w.resetLocked(f.img.Rect.Dx(), f.img.Rect.Dy())
	w.resized, w.recursor = true, true
	f.watches[w] = struct{}{}
	f.mu.Unlock()
	w.signal()
	f.tellWatched()
	return w
}

// Close ends the watch. It may be called twice.
func (w *Watch) Close() {
	w.f.mu.Lock()
	delete(w.f.watches, w)
	w.closed = true
	w.f.mu.Unlock()
	w.f.tellWatched()
}

// Damage damages r for this viewer alone: it is to be sent although the frame did
// not change there.
func (w *Watch) Damage(r image.Rectangle) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.addLocked(r.Intersect(image.Rect(0, 0, w.w, w.h))); !w.closed && !w.emptyLocked() {
		w.signal()
	}
}

// Ready gives a channel that receives when there is something to take. A receive
// may find nothing left when it was taken in between.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Take hands over all damage. fn runs while the frame cannot change: it copies
// or encodes what it needs, without I/O and without waiting. It is not called
// when there is nothing to take.
func (w *Watch) Take(fn func(img *image.RGBA, d Damage)) {
	w.TakeSome(TakeOptions{}, fn)
}

// TakeOptions says how damage is handed over. The zero value means all of it,
// with copies, boxes joined by DefaultSlack.
type TakeOptions struct {
	MaxPixels int  // stop at the end of the 64-row band that reaches this; 0: no limit
	Slack     int  // unchanged pixels that joining two boxes may add; 0: DefaultSlack
	NoCopies  bool // the viewer cannot copy: give the targets as rectangles
}

// TakeSome is Take with a limit: what does not fit stays, Ready is signalled
// again, and the next call goes on below, so no part of the frame can starve.
func (w *Watch) TakeSome(o TakeOptions, fn func(img *image.RGBA, d Damage)) {
	w.f.mu.RLock()
	defer w.f.mu.RUnlock()
	if w.closed || w.emptyLocked() {
		return
	}
	if o.Slack == 0 {
		o.Slack = DefaultSlack
	}
	d := Damage{Resized: w.resized, Version: w.f.version}
	d.NewCursor, d.Cursor = w.recursor, w.f.cursor
	w.resized, w.recursor = false, false
	if o.NoCopies {
		// Without the copies the viewer's picture differs from the frame
		// inside the boxes and the targets, and nowhere else.
		for _, c := range w.copies {
			w.addLocked(c.Dst)
		}
		w.copies = nil
	}
	d.Copies, w.copies = w.copies, nil
	d.Rects = w.collectLocked(o)
	d.More = w.dirty > 0
	if d.More {
		w.signal()
	} else { // nobody can signal meanwhile: that takes the lock for writing
		select {
		case <-w.ready:
		default:
		}
	}
	fn(w.f.img, d)
}

func (w *Watch) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *Watch) emptyLocked() bool {
	return w.dirty == 0 && len(w.copies) == 0 && !w.resized && !w.recursor
}

// resetLocked sets the size and damages everything.
func (w *Watch) resetLocked(width, height int) {
	w.w, w.h = width, height
	w.cw, w.ch = (width+cellSize-1)/cellSize, (height+cellSize-1)/cellSize
	w.cells = make([]box, w.cw*w.ch)
	w.rows = make([]bool, w.ch)
	w.dirty, w.next = 0, 0
	w.copies = nil
	w.addLocked(image.Rect(0, 0, width, height))
}

// addLocked damages r, which lies inside the frame.
func (w *Watch) addLocked(r image.Rectangle) {
	if r.Empty() {
		return
	}
	cx0, cx1 := r.Min.X>>cellShift, (r.Max.X-1)>>cellShift
	cy0, cy1 := r.Min.Y>>cellShift, (r.Max.Y-1)>>cellShift
	for cy := cy0; cy <= cy1; cy++ {
		top := cy << cellShift
		y0, y1 := uint8(max(r.Min.Y-top, 0)), uint8(min(r.Max.Y-top, cellSize))
		row := w.cells[cy*w.cw : (cy+1)*w.cw]
		for cx := cx0; cx <= cx1; cx++ {
			left := cx << cellShift
			n := box{uint8(max(r.Min.X-left, 0)), y0, uint8(min(r.Max.X-left, cellSize)), y1}
			if b := row[cx]; b.x1 != 0 {
				n = box{min(n.x0, b.x0), min(n.y0, b.y0), max(n.x1, b.x1), max(n.y1, b.y1)}
			}
			row[cx] = n
		}
		if !w.rows[cy] {
			w.rows[cy] = true
			w.dirty++
		}
	}
}

// rectLocked gives the box of a cell in the frame's pixels.
func (w *Watch) rectLocked(cx, cy int) image.Rectangle {
	b := w.cells[cy*w.cw+cx]
	x, y := cx<<cellShift, cy<<cellShift
	return image.Rect(x+int(b.x0), y+int(b.y0), x+int(b.x1), y+int(b.y1))
}

// copyLocked records a move that lies inside the frame. Damage not yet sent that
// lies in the source comes to the target with it. The move becomes plain damage
// of the target when there are too many, or when at least half of the source
// would have to be sent anyway.
func (w *Watch) copyLocked(c Copy) {
	source := image.Rectangle{Min: c.Src, Max: c.Src.Add(c.Dst.Size())}
	delta := c.Dst.Min.Sub(c.Src)
	w.moved = w.moved[:0]
	stale := 0
	if len(w.copies) < maxCopies {
		w.eachLocked(source, func(cx, cy int, r image.Rectangle) {
			r = r.Intersect(source)
			if !r.Empty() {
				stale += r.Dx() * r.Dy()
				w.moved = append(w.moved, r.Add(delta))
			}
		})
	}
	if len(w.copies) == maxCopies || 2*stale >= c.Dst.Dx()*c.Dst.Dy() {
		w.addLocked(c.Dst)
		return
	}
	// What was damaged inside the target is overwritten by the move.
	w.eachLocked(c.Dst, func(cx, cy int, r image.Rectangle) {
		if r.In(c.Dst) {
			w.cells[cy*w.cw+cx] = box{}
		}
	})
	for _, r := range w.moved {
		w.addLocked(r)
	}
	w.copies = append(w.copies, c)
}

// eachLocked calls fn for each damaged cell that touches r.
func (w *Watch) eachLocked(r image.Rectangle, fn func(cx, cy int, damaged image.Rectangle)) {
	for cy := r.Min.Y >> cellShift; cy <= (r.Max.Y-1)>>cellShift; cy++ {
		if !w.rows[cy] {
			continue
		}
		for cx := r.Min.X >> cellShift; cx <= (r.Max.X-1)>>cellShift; cx++ {
			if w.cells[cy*w.cw+cx].x1 != 0 {
				fn(cx, cy, w.rectLocked(cx, cy))
			}
		}
	}
}

// collectLocked takes boxes out, joined into rectangles, beginning at the row
// where the last call stopped.
func (w *Watch) collectLocked(o TakeOptions) []image.Rectangle {
	j := joiner{slack: o.Slack}
	pixels := 0
	for range w.ch {
		if w.dirty == 0 {
			break
		}
		if w.next == 0 {
			j.flush() // wrapped around: not below the row before
		}
		cy := w.next
		w.next++
		if w.next == w.ch {
			w.next = 0
		}
		if w.rows[cy] {
			j.row()
			for cx := range w.cw {
				if w.cells[cy*w.cw+cx].x1 != 0 {
					r := w.rectLocked(cx, cy)
					pixels += r.Dx() * r.Dy()
					j.add(r)
					w.cells[cy*w.cw+cx] = box{}
				}
			}
			w.rows[cy] = false
			w.dirty--
		}
		if o.MaxPixels > 0 && pixels >= o.MaxPixels && w.next%bandCells == 0 {
			break
		}
	}
	if w.dirty == 0 {
		w.next = 0
	}
	return j.finish()
}

// joiner makes rectangles from the boxes of cells that come row by row: first
// along the row, then with the row above.
type joiner struct {
	slack int
	out   []image.Rectangle // done
	above []image.Rectangle // may still grow downwards
	line  []image.Rectangle // the row being read
}

// row begins the next row of cells.
func (j *joiner) row() {
	j.settle()
}

func (j *joiner) add(r image.Rectangle) {
	if n := len(j.line); n > 0 && j.cheap(j.line[n-1], r) {
		j.line[n-1] = j.line[n-1].Union(r)
		return
	}
	j.line = append(j.line, r)
}

// settle joins the row just read with the rectangles above it. Rectangles above
// that nothing joined are done once they end before the row.
func (j *joiner) settle() {
	if len(j.line) == 0 {
		return
	}
	next := make([]image.Rectangle, 0, len(j.line))
	for _, r := range j.line {
		for i, a := range j.above {
			if a.Empty() || a.Max.X < r.Min.X || a.Min.X > r.Max.X || !j.cheap(a, r) {
				continue
			}
			r = r.Union(a)
			j.above[i] = image.Rectangle{}
			break
		}
		next = append(next, r)
	}
	j.flush()
	j.above = next
	j.line = j.line[:0]
}

// flush moves everything that may still grow to what is done.
func (j *joiner) flush() {
	for _, a := range j.above {
		if !a.Empty() {
			j.out = append(j.out, a)
		}
	}
	j.above = nil
}

func (j *joiner) finish() []image.Rectangle {
	j.settle()
	j.flush()
	return j.out
}

// cheap reports whether the union of the two adds no more pixels than slack.
func (j *joiner) cheap(a, b image.Rectangle) bool {
	u := a.Union(b)
	both := a.Intersect(b)
	return u.Dx()*u.Dy()-a.Dx()*a.Dy()-b.Dx()*b.Dy()+both.Dx()*both.Dy() <= j.slack
}
