// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"image"
	"sync"

	"github.com/klauspost/compress/flate"
)

// zlibHeader opens a zlib stream: deflate, 32 kB window, no dictionary.
var zlibHeader = [2]byte{0x78, 0x01}

// scratch is what one goroutine needs while it encodes. It is pooled: a deflate
// table alone is some hundred kilobytes.
type scratch struct {
	out     sink
	flate   *flate.Writer
	data    []byte // what is about to be compressed
	palette palette
	dct     dctState
}

// sink lets a flate.Writer append to a slice.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

var pool = sync.Pool{New: func() any {
	s := &scratch{}
	w, err := flate.NewWriter(&s.out, flate.BestSpeed)
	if err != nil {
		panic("flate refuses its own level: " + err.Error())
	}
	s.flate = w
	return s
}}

// deflate appends data as deflate blocks that refer to nothing before them and
// end on a byte border.
func (s *scratch) deflate(dst, data []byte) []byte {
	s.out.b = dst
	s.flate.Reset(&s.out)
	s.flate.Write(data) // a sink cannot fail
	s.flate.Flush()
	dst, s.out.b = s.out.b, nil
	return dst
}

// pixel reads one pixel as R, G, B without alpha, little endian.
func pixel(b []byte) uint32 { return binary.LittleEndian.Uint32(b) & 0xffffff }

// paletteSlots is the size of the hash table; four times the largest palette.
const paletteSlots = 1024

// palette collects the colours of an area and the index of each pixel.
type palette struct {
	colours []uint32
	index   []byte
	keys    [paletteSlots]uint32
	values  [paletteSlots]uint8
	used    [paletteSlots]uint32 // generation in which the slot was filled
	gen     uint32
}

// build reads r and reports whether it has at most limit (≤ 256) colours. Then
// colours holds them in order of appearance and index one byte a pixel.
func (p *palette) build(img *image.RGBA, r image.Rectangle, limit int) bool {
	p.gen++
	if p.gen == 0 { // wrapped: slots of the first generation look filled
		p.used = [paletteSlots]uint32{}
		p.gen = 1
	}
	p.colours = p.colours[:0]
	n := r.Dx() * r.Dy()
	if cap(p.index) < n {
		p.index = make([]byte, n)
	}
	p.index = p.index[:n]
	last := ^uint32(0) // no colour is that
	at := uint8(0)
	o := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		out := p.index[o : o+r.Dx()]
		o += r.Dx()
		for i := 0; i < len(out); i++ {
			// Runs of one colour, four pixels at a time.
			for i+4 <= len(out) && same4((*[16]byte)(row[4*i:]), last) {
				binary.LittleEndian.PutUint32(out[i:], uint32(at)*0x01010101)
				i += 4
			}
			if i >= len(out) {
				break
			}
			c := binary.LittleEndian.Uint32(row[4*i:]) & 0xffffff
			if c != last {
				h := c * 0x9E3779B1 >> 22
				for {
					if p.used[h] != p.gen {
						if len(p.colours) == limit {
							return false
						}
						p.used[h], p.keys[h], p.values[h] = p.gen, c, uint8(len(p.colours))
						p.colours = append(p.colours, c)
						break
					}
					if p.keys[h] == c {
						break
					}
					h = (h + 1) & (paletteSlots - 1)
				}
				at, last = p.values[h], c
			}
			out[i] = at
		}
	}
	return true
}

// same4 reports whether four pixels are c.
func same4(b *[16]byte, c uint32) bool {
	const colour = 0x00ffffff00ffffff
	two := uint64(c)<<32 | uint64(c)
	return ((binary.LittleEndian.Uint64(b[:])^two)|(binary.LittleEndian.Uint64(b[8:])^two))&colour == 0 && c>>24 == 0
}

// packBits packs indices of w x h pixels into bits a pixel, first pixel in the
// highest bits, each row filled up to a byte.
func packBits(dst, index []byte, w, h, bits int) []byte {
	if bits == 8 {
		return append(dst, index[:w*h]...)
	}
	for y := range h {
		row := index[y*w : (y+1)*w]
		if bits == 1 { // eight at once: the product moves byte i's bit to bit 7-i of the highest byte
			for ; len(row) >= 8; row = row[8:] {
				dst = append(dst, byte(binary.LittleEndian.Uint64(row)*0x8040201008040201>>56))
			}
		}
		acc, n := 0, 0
		for _, v := range row {
			acc = acc<<bits | int(v)
			n += bits
			if n == 8 {
				dst = append(dst, byte(acc))
				acc, n = 0, 0
			}
		}
		if n > 0 {
			dst = append(dst, byte(acc<<(8-n)))
		}
	}
	return dst
}

// solid reports whether all pixels of r are one colour, and which.
func solid(img *image.RGBA, r image.Rectangle) (uint32, bool) {
	c := binary.LittleEndian.Uint32(img.Pix[img.PixOffset(r.Min.X, r.Min.Y):])
	two := uint64(c)<<32 | uint64(c)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		for ; len(row) >= 8; row = row[8:] {
			if binary.LittleEndian.Uint64(row) != two {
				return 0, false
			}
		}
		if len(row) >= 4 && binary.LittleEndian.Uint32(row) != c {
			return 0, false
		}
	}
	return c & 0xffffff, true
}
