// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"image"
)

const zrleTile = 64

// ZRLE appends the length and the data of r, without the two bytes that open the
// viewer's one zlib stream: the first ZRLE payload a viewer gets must have
// ZRLEHeader put in front of its data (and counted in its length).
func ZRLE(dst []byte, img *image.RGBA, r image.Rectangle, f Format) []byte {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	s.data = s.data[:0]
	for y := r.Min.Y; y < r.Max.Y; y += zrleTile {
		for x := r.Min.X; x < r.Max.X; x += zrleTile {
			s.zrleTile(img, image.Rect(x, y, min(x+zrleTile, r.Max.X), min(y+zrleTile, r.Max.Y)), f)
		}
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = s.deflate(dst, s.data)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// ZRLEHeader opens the one zlib stream of ZRLE.
func ZRLEHeader() [2]byte { return zlibHeader }

// appendCompact writes a pixel as ZRLE wants it.
func (f Format) appendCompact(dst []byte, px uint32) []byte {
	size, first := f.compact()
	if size != 3 || f.BitsPerPixel != 32 {
		return f.appendPixel(dst, px)
	}
	var four [4]byte
	if v := f.value(px); f.BigEndian {
		binary.BigEndian.PutUint32(four[:], v)
	} else {
		binary.LittleEndian.PutUint32(four[:], v)
	}
	return append(dst, four[first:first+3]...)
}

// zrleTile appends one tile to s.data in the form estimated to be the shortest
// before deflate.
func (s *scratch) zrleTile(img *image.RGBA, r image.Rectangle, f Format) {
	w, h := r.Dx(), r.Dy()
	if c, ok := solid(img, r); ok {
		s.data = append(s.data, 1)
		s.data = f.appendCompact(s.data, c)
		return
	}
	size, _ := f.compact()
	raw := w * h * size
	if !s.palette.build(img, r, 127) {
		s.zrleRaw(img, r, f, raw)
		return
	}
	p := &s.palette
	// Runs go on from row to row within the tile.
	runs, single := 0, 0
	for i := 0; i < len(p.index); {
		j := i + 1
		for j < len(p.index) && p.index[j] == p.index[i] {
			j++
		}
		runs++
		if j == i+1 {
			single++
		}
		i = j
	}
	colours := len(p.colours)
	indexed := 1 + colours*size + 2*(runs-single) + single
	if colours <= 16 {
		bits := 4
		switch {
		case colours <= 2:
			bits = 1
		case colours <= 4:
			bits = 2
		}
		if packed := 1 + colours*size + (w*bits+7)/8*h; packed <= indexed && packed < raw {
			s.data = append(s.data, byte(colours))
			s.zrlePalette(f)
			s.data = packBits(s.data, p.index, w, h, bits)
			return
		}
	}
	if indexed >= raw {
		s.zrleRaw(img, r, f, raw)
		return
	}
	s.data = append(s.data, byte(128+colours))
	s.zrlePalette(f)
	for i := 0; i < len(p.index); {
		j := i + 1
		for j < len(p.index) && p.index[j] == p.index[i] {
			j++
		}
		if n := j - i; n == 1 {
			s.data = append(s.data, p.index[i])
		} else {
			s.data = append(s.data, p.index[i]|0x80)
			for n--; n >= 255; n -= 255 {
				s.data = append(s.data, 255)
			}
			s.data = append(s.data, byte(n))
		}
		i = j
	}
}

func (s *scratch) zrlePalette(f Format) {
	for _, c := range s.palette.colours {
		s.data = f.appendCompact(s.data, c)
	}
}

func (s *scratch) zrleRaw(img *image.RGBA, r image.Rectangle, f Format, size int) {
	s.data = append(s.data, 0)
	if f == RGBX {
		s.appendRGB(img, r)
		return
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		for ; len(row) >= 4; row = row[4:] {
			s.data = f.appendCompact(s.data, pixel(row))
		}
	}
}

// appendRGB appends the pixels of r as three bytes each.
func (s *scratch) appendRGB(img *image.RGBA, r image.Rectangle) {
	n := len(s.data)
	need := 3*r.Dx()*r.Dy() + 1 // one spare: pixels are stored four bytes at a time
	if cap(s.data)-n < need {
		grown := make([]byte, n, 2*cap(s.data)+need)
		copy(grown, s.data)
		s.data = grown
	}
	out := s.data[n : n+need]
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		for ; len(row) >= 4; row = row[4:] {
			binary.LittleEndian.PutUint32(out, binary.LittleEndian.Uint32(row))
			out = out[3:]
		}
	}
	s.data = s.data[:n+need-1]
}
