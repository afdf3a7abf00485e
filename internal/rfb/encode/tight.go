// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"image"
)

const (
	tightGrid     = 64      // cells and bands, on the frame's own grid
	tightPiece    = 512     // widest palette rectangle
	tightMaxWidth = 2048    // widest rectangle of any kind: decoders have row buffers of this size
	tightMaxArea  = 1 << 19 // pixels of one photo rectangle: its length must fit 22 bits
	tightMinSolid = 2048    // pixels from which a cell of one colour becomes a rectangle of its own
	tightMinJPEG  = 800     // pixels from which JPEG pays for its header of 600 bytes
	tightMinZlib  = 12      // bytes below which data is sent plain
)

// Control bytes of Tight. Each basic rectangle uses stream 0 and resets it, so
// no rectangle depends on another one.
const (
	tightBasic = 0x01 | 0x40 // reset stream 0; a filter byte follows
	tightFill  = 0x80
	tightJPEG  = 0x90

	filterCopy     = 0
	filterPalette  = 1
	filterGradient = 2
)

// tightWriter encodes one damaged rectangle.
type tightWriter struct {
	s   *scratch
	u   *Update
	img *image.RGBA
	p   Params

	fills  []fill            // may still grow downwards
	photos []image.Rectangle // the same
}

type fill struct {
	r image.Rectangle
	c uint32
}

// tight encodes r: cells of one colour are filled, areas of at most 256 colours
// get a palette, and what is left is one JPEG or a lossless rectangle.
func (s *scratch) tight(u *Update, img *image.RGBA, r image.Rectangle, p Params) {
	for x := r.Min.X; x < r.Max.X; x += tightMaxWidth {
		t := tightWriter{s: s, u: u, img: img, p: p}
		t.rect(image.Rect(x, r.Min.Y, min(x+tightMaxWidth, r.Max.X), r.Max.Y))
	}
}

// grid gives the end of the cell or band that v lies in, at most end.
func grid(v, end int) int { return min(v&^(tightGrid-1)+tightGrid, end) }

func (t *tightWriter) rect(r image.Rectangle) {
	var flags [tightMaxWidth/tightGrid + 1]bool
	var colours [tightMaxWidth/tightGrid + 1]uint32
	for y := r.Min.Y; y < r.Max.Y; y = grid(y, r.Max.Y) {
		band := image.Rect(r.Min.X, y, r.Max.X, grid(y, r.Max.Y))
		n := 0
		for x := band.Min.X; x < band.Max.X; x = grid(x, band.Max.X) {
			c := image.Rect(x, band.Min.Y, grid(x, band.Max.X), band.Max.Y)
			flags[n] = false
			if c.Dx()*c.Dy() >= tightMinSolid || c == r {
				colours[n], flags[n] = solid(t.img, c)
			}
			n++
		}
		for i, x := 0, band.Min.X; i < n; {
			piece := band
			piece.Min.X = x
			first := i
			for x = grid(x, band.Max.X); i+1 < n && flags[i+1] == flags[first]; x = grid(x, band.Max.X) {
				if flags[first] && colours[i+1] != colours[first] || !flags[first] && x-piece.Min.X >= tightPiece {
					break
				}
				i++
			}
			i++
			piece.Max.X = x
			if flags[first] {
				t.addFill(piece, colours[first])
			} else {
				t.busy(piece)
			}
		}
	}
	for _, f := range t.fills {
		t.fill(f)
	}
	for _, r := range t.photos {
		t.photo(r)
	}
}

func (t *tightWriter) addFill(r image.Rectangle, c uint32) {
	for i, f := range t.fills {
		if f.c == c && f.r.Max.Y == r.Min.Y && f.r.Min.X == r.Min.X && f.r.Max.X == r.Max.X {
			t.fills[i].r.Max.Y = r.Max.Y
			return
		}
	}
	t.fills = append(t.fills, fill{r, c})
}

// busy encodes a piece of one band that is not of one colour: as a palette, or
// cell by cell when it has too many colours.
func (t *tightWriter) busy(r image.Rectangle) {
	if t.palette(r) {
		return
	}
	var run image.Rectangle
	for x := r.Min.X; x < r.Max.X; x = grid(x, r.Max.X) {
		c := image.Rect(x, r.Min.Y, grid(x, r.Max.X), r.Max.Y)
		if c != r && t.palette(c) {
			t.addPhoto(run)
			run = image.Rectangle{}
			continue
		}
		run = run.Union(c)
	}
	t.addPhoto(run)
}

func (t *tightWriter) addPhoto(r image.Rectangle) {
	if r.Empty() {
		return
	}
	for i, p := range t.photos {
		if p.Max.Y == r.Min.Y && p.Min.X == r.Min.X && p.Max.X == r.Max.X && p.Dx()*(p.Dy()+r.Dy()) <= tightMaxArea {
			t.photos[i].Max.Y = r.Max.Y
			return
		}
	}
	t.photos = append(t.photos, r)
}

func (t *tightWriter) fill(f fill) {
	t.u.header(f.r, EncodingTight)
	t.u.Bytes = append(t.u.Bytes, tightFill, byte(f.c), byte(f.c>>8), byte(f.c>>16))
}

// palette encodes r with a palette and reports whether that was possible and
// shorter than plain pixels.
func (t *tightWriter) palette(r image.Rectangle) bool {
	pal := &t.s.palette
	// A palette longer than half of the pixels saves nothing.
	if !pal.build(t.img, r, min(256, max(2, r.Dx()*r.Dy()/2))) {
		return false
	}
	if len(pal.colours) == 1 {
		t.fill(fill{r, pal.colours[0]})
		return true
	}
	t.u.header(r, EncodingTight)
	t.u.Bytes = append(t.u.Bytes, tightBasic, filterPalette, byte(len(pal.colours)-1))
	for _, c := range pal.colours {
		t.u.Bytes = append(t.u.Bytes, byte(c), byte(c>>8), byte(c>>16))
	}
	bits := 8
	if len(pal.colours) == 2 {
		bits = 1
	}
	t.s.data = packBits(t.s.data[:0], pal.index, r.Dx(), r.Dy(), bits)
	t.data()
	return true
}

// photo encodes r as JPEG, or without loss when that is asked for or shorter.
func (t *tightWriter) photo(r image.Rectangle) {
	t.u.header(r, EncodingTight)
	if t.p.JPEG > 0 && r.Dx()*r.Dy() >= tightMinJPEG {
		t.u.Bytes = append(t.u.Bytes, tightJPEG)
		at := len(t.u.Bytes)
		t.u.Bytes = append(t.u.Bytes, 0, 0, 0)
		t.u.Bytes = t.s.jpeg(t.u.Bytes, t.img, r, t.p.JPEG, t.p.FullChroma)
		t.length(at)
		t.u.Lossy = append(t.u.Lossy, r)
		return
	}
	if t.p.Gradient {
		t.u.Bytes = append(t.u.Bytes, tightBasic, filterGradient)
		t.s.gradient(t.img, r)
	} else {
		t.u.Bytes = append(t.u.Bytes, tightBasic, filterCopy)
		t.s.data = t.s.data[:0]
		t.s.appendRGB(t.img, r)
	}
	t.data()
}

// data appends s.data, compressed unless it is very short.
func (t *tightWriter) data() {
	if len(t.s.data) < tightMinZlib {
		t.u.Bytes = append(t.u.Bytes, t.s.data...)
		return
	}
	at := len(t.u.Bytes)
	t.u.Bytes = append(t.u.Bytes, 0, 0, 0, zlibHeader[0], zlibHeader[1])
	t.u.Bytes = t.s.deflate(t.u.Bytes, t.s.data)
	t.length(at)
}

// length fills in the compact length of what follows the three bytes at position
// at, and closes the gap when it needs fewer.
func (t *tightWriter) length(at int) {
	b := t.u.Bytes
	n := len(b) - at - 3
	size := 3
	switch {
	case n < 1<<7:
		b[at], size = byte(n), 1
	case n < 1<<14:
		b[at], b[at+1], size = byte(n)|0x80, byte(n>>7), 2
	case n < 1<<22:
		b[at], b[at+1], b[at+2] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)
	default:
		panic("encode: a Tight rectangle of 4 MiB") // tightMaxArea makes it impossible
	}
	if size < 3 {
		copy(b[at+size:], b[at+3:])
		t.u.Bytes = b[:len(b)-3+size]
	}
}

// gradient fills s.data with what each colour differs from left + above - above
// left, which is near zero in photos.
func (s *scratch) gradient(img *image.RGBA, r image.Rectangle) {
	n := 3 * r.Dx() * r.Dy()
	if cap(s.data) < n {
		s.data = make([]byte, n)
	}
	out := s.data[:n]
	s.data = out
	w := r.Dx()
	zero := make([]byte, 4*w)
	above := zero
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*w]
		above = above[:len(row)]
		var l0, l1, l2, a0, a1, a2 int
		for x := 0; x+3 < len(row) && len(out) >= 3; x += 4 {
			u := binary.LittleEndian.Uint32(above[x:])
			v := binary.LittleEndian.Uint32(row[x:])
			u0, u1, u2 := int(u&255), int(u>>8&255), int(u>>16&255)
			v0, v1, v2 := int(v&255), int(v>>8&255), int(v>>16&255)
			out[0] = byte(v0 - clamp(l0+u0-a0))
			out[1] = byte(v1 - clamp(l1+u1-a1))
			out[2] = byte(v2 - clamp(l2+u2-a2))
			out = out[3:]
			l0, l1, l2, a0, a1, a2 = v0, v1, v2, u0, u1, u2
		}
		above = row
	}
}

func clamp(v int) int {
	if uint(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return v
}
