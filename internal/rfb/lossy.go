// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"image"

	"stationmaster/internal/surface"
)

const (
	lossyShift = 4
	lossyCell  = 1 << lossyShift
)

// lossy remembers which parts of a viewer's picture were sent with loss, by cells
// of 16x16 pixels, so that they can be sent again without. It may remember too
// much, never too little. Used by the writer alone.
type lossy struct {
	w, h  int // cells
	size  image.Rectangle
	cells []bool
	count int
}

func (l *lossy) reset(w, h int) {
	l.size = image.Rect(0, 0, w, h)
	l.w, l.h = (w+lossyCell-1)>>lossyShift, (h+lossyCell-1)>>lossyShift
	l.cells, l.count = nil, 0 // made when first needed
}

func (l *lossy) set(cx, cy int, on bool) {
	if c := &l.cells[cy*l.w+cx]; *c != on {
		*c = on
		if on {
			l.count++
		} else {
			l.count--
		}
	}
}

// cellsOf gives the cells that r touches.
func cellsOf(r image.Rectangle) image.Rectangle {
	return image.Rect(r.Min.X>>lossyShift, r.Min.Y>>lossyShift, (r.Max.X-1)>>lossyShift+1, (r.Max.Y-1)>>lossyShift+1)
}

// sent notes an update: copies carry loss along, what was sent is exact except
// where loss says otherwise.
func (l *lossy) sent(copies []surface.Copy, rects, loss []image.Rectangle) {
	if l.cells == nil {
		if len(loss) == 0 {
			return
		}
		l.cells = make([]bool, l.w*l.h)
	}
	if l.count > 0 {
		for _, c := range copies {
			source := image.Rectangle{Min: c.Src, Max: c.Src.Add(c.Dst.Size())}
			delta := c.Dst.Min.Sub(c.Src)
			var found []image.Rectangle
			cs := cellsOf(source)
			for cy := cs.Min.Y; cy < cs.Max.Y; cy++ {
				for cx := cs.Min.X; cx < cs.Max.X; cx++ {
					if l.cells[cy*l.w+cx] {
						r := image.Rect(cx<<lossyShift, cy<<lossyShift, (cx+1)<<lossyShift, (cy+1)<<lossyShift)
						found = append(found, r.Intersect(source).Add(delta))
					}
				}
			}
			for _, r := range found {
				l.mark(r)
			}
		}
		for _, r := range rects {
			l.clear(r)
		}
	}
	for _, r := range loss {
		l.mark(r)
	}
}

func (l *lossy) mark(r image.Rectangle) {
	cs := cellsOf(r.Intersect(l.size))
	for cy := cs.Min.Y; cy < cs.Max.Y; cy++ {
		for cx := cs.Min.X; cx < cs.Max.X; cx++ {
			l.set(cx, cy, true)
		}
	}
}

// clear forgets the cells that lie in r with all their pixels.
func (l *lossy) clear(r image.Rectangle) {
	for cy := (r.Min.Y + lossyCell - 1) >> lossyShift; cy < l.h && min((cy+1)<<lossyShift, l.size.Max.Y) <= r.Max.Y; cy++ {
		for cx := (r.Min.X + lossyCell - 1) >> lossyShift; cx < l.w && min((cx+1)<<lossyShift, l.size.Max.X) <= r.Max.X; cx++ {
			l.set(cx, cy, false)
		}
	}
}

// some gives cells with loss, as rectangles of at most about limit pixels. They
// stay remembered until sent says that they are exact.
func (l *lossy) some(limit int) []image.Rectangle {
	var out []image.Rectangle
	pixels := 0
	for cy := 0; cy < l.h && l.count > 0 && pixels < limit; cy++ {
		for cx := 0; cx < l.w; cx++ {
			if !l.cells[cy*l.w+cx] {
				continue
			}
			first := cx
			for cx < l.w && l.cells[cy*l.w+cx] {
				cx++
			}
			r := image.Rect(first<<lossyShift, cy<<lossyShift, cx<<lossyShift, (cy+1)<<lossyShift).Intersect(l.size)
			out = append(out, r)
			pixels += r.Dx() * r.Dy()
		}
	}
	return out
}
