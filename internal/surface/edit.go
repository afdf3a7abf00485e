// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"slices"
	"strings"

	"golang.org/x/image/vector"
)

// maxEdit is how many characters a field takes.
const maxEdit = 256

// edit is a field of one line. A password field shows discs.
type edit struct {
	r        image.Rectangle
	label    string
	text     []rune
	at       int // of the insertion point, in characters
	secret   bool
	disabled bool
	scroll   int // pixels the text is moved to the left
	k        int
}

func (e *edit) style() textStyle { return textStyle{regular, fontSize * max(e.k, 1)} }

// set replaces the text.
func (e *edit) set(s string) {
	e.wipe()
	e.text = []rune(cutRunes(s, maxEdit))
	e.at = len(e.text)
}

// wipe forgets the text, in memory too.
func (e *edit) wipe() {
	clear(e.text[:cap(e.text)])
	e.text, e.at, e.scroll = e.text[:0], 0, 0
}

// shown is what a reader sees of the first n characters.
func (e *edit) shown(n int) string {
	if e.secret {
		return strings.Repeat("●", n)
	}
	return string(e.text[:n])
}

// width is the width in pixels of the first n characters.
func (e *edit) width(n int) int {
	if e.secret {
		return n * e.discStep()
	}
	return e.style().width(e.shown(n))
}

func (e *edit) discStep() int { return 10 * max(e.k, 1) }

// key changes the text and reports whether anything changed.
func (e *edit) key(sym uint32) bool {
	switch sym {
	case KeyBackSpace:
		if e.at == 0 {
			return false
		}
		e.at--
		e.remove()
	case KeyDelete, KeyKPDelete:
		if e.at == len(e.text) {
			return false
		}
		e.remove()
	case KeyLeft:
		e.at = max(0, e.at-1)
	case KeyRight:
		e.at = min(len(e.text), e.at+1)
	case KeyHome:
		e.at = 0
	case KeyEnd:
		e.at = len(e.text)
	default:
		r := Rune(sym)
		if r == 0 || len(e.text) >= maxEdit {
			return false
		}
		if e.text == nil {
			// At full size from the start: growing would leave copies of a
			// password behind.
			e.text = make([]rune, 0, maxEdit)
		}
		e.text = slices.Insert(e.text, e.at, r)
		e.at++
	}
	return true
}

func (e *edit) remove() {
	last := len(e.text) - 1
	copy(e.text[e.at:], e.text[e.at+1:])
	e.text[last] = 0
	e.text = e.text[:last]
}

// click sets the insertion point to where the mouse went down.
func (e *edit) click(x int) {
	x += e.scroll - e.r.Min.X - 10*max(e.k, 1)
	e.at = len(e.text)
	for i := range e.text {
		if x < (e.width(i)+e.width(i+1))/2 {
			e.at = i
			break
		}
	}
}

func (e *edit) draw(dst *image.RGBA, focused bool, k int) {
	e.k = k
	o := dst.Bounds().Min
	r := e.r.Add(o)
	style := e.style()
	label := textStyle{regular, smallSize * k}
	label.text(dst, image.Pt(r.Min.X, r.Min.Y-label.height()-3*k), softInk, e.label)

	face, edge, ink := paperColor, edgeColor, inkColor
	if e.disabled {
		face, ink = footColor, softInk
	}
	radius := float32(buttonRadius * k)
	fillRound(dst, r, radius, allCorners, face)
	if focused {
		strokeRound(dst, r, radius, 2*k, accentColor)
	} else {
		strokeRound(dst, r, radius, k, edge)
	}

	room := image.Rect(r.Min.X+10*k, r.Min.Y+2*k, r.Max.X-10*k, r.Max.Y-2*k)
	caret := e.width(e.at)
	e.scroll = max(min(e.scroll, caret), caret-room.Dx()+2*k)
	e.scroll = max(0, e.scroll)
	clip := dst.SubImage(room).(*image.RGBA)
	x := room.Min.X - e.scroll
	y := r.Min.Y + (r.Dy()-style.height())/2
	if e.secret {
		radius := float32(7*k) / 2
		for i := range e.text {
			c := image.Rect(x+i*e.discStep(), r.Min.Y+r.Dy()/2-4*k, x+i*e.discStep()+8*k, r.Min.Y+r.Dy()/2+4*k)
			fillPath(clip, c, ink, func(z *vector.Rasterizer) { circlePath(z, float32(4*k), float32(4*k), radius) })
		}
	} else {
		style.text(clip, image.Pt(x, y), ink, string(e.text))
	}
	if focused {
		fill(clip, image.Rect(x+caret, y+2*k, x+caret+k, y+style.height()-2*k), accentColor)
	}
}
