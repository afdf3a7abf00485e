// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"image"
	"io"
)

const (
	pngRGB     = 2
	pngPalette = 3
	pngPaeth   = 4
)

// PNG writes img, whose pixels are opaque, as an exact PNG file: with a palette
// of 1, 2, 4 or 8 bits when it has at most 256 colours, else as RGB. It is made
// for screenshots: several times faster than image/png, and smaller on text.
func PNG(w io.Writer, img *image.RGBA) error {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	r := img.Rect
	out := append(make([]byte, 0, 64<<10), "\x89PNG\r\n\x1a\n"...)
	head := binary.BigEndian.AppendUint32(nil, uint32(r.Dx()))
	head = binary.BigEndian.AppendUint32(head, uint32(r.Dy()))

	if s.palette.build(img, r, 256) {
		n := len(s.palette.colours)
		bits := 8
		switch {
		case n <= 2:
			bits = 1
		case n <= 4:
			bits = 2
		case n <= 16:
			bits = 4
		}
		out = chunk(out, "IHDR", append(head, byte(bits), pngPalette, 0, 0, 0))
		var colours []byte
		for _, c := range s.palette.colours {
			colours = append(colours, byte(c), byte(c>>8), byte(c>>16))
		}
		out = chunk(out, "PLTE", colours)
		s.pngIndexed(r.Dx(), r.Dy(), bits)
	} else {
		out = chunk(out, "IHDR", append(head, 8, pngRGB, 0, 0, 0))
		s.pngTrue(img)
	}

	at := len(out)
	out = append(out, 0, 0, 0, 0, 'I', 'D', 'A', 'T', zlibHeader[0], zlibHeader[1])
	s.out.b = out
	s.flate.Reset(&s.out)
	s.flate.Write(s.data)
	s.flate.Close()
	out, s.out.b = s.out.b, nil
	out = binary.BigEndian.AppendUint32(out, adler32.Checksum(s.data))
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-8))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[at+4:]))
	out = chunk(out, "IEND", nil)
	if cap(s.data) > 4<<20 { // a large screenshot is rare: keep the pool small
		s.data = nil
	}
	_, err := w.Write(out)
	return err
}

func chunk(out []byte, name string, data []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	at := len(out)
	out = append(out, name...)
	out = append(out, data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[at:]))
}

func (s *scratch) pngIndexed(w, h, bits int) {
	s.data = s.data[:0]
	for y := range h {
		s.data = append(s.data, 0)
		s.data = packBits(s.data, s.palette.index[y*w:(y+1)*w], w, 1, bits)
	}
}

// pngTrue fills s.data with the rows as differences from the neighbour that
// Paeth's rule picks.
func (s *scratch) pngTrue(img *image.RGBA) {
	r := img.Rect
	w := r.Dx()
	n := (3*w + 1) * r.Dy()
	if cap(s.data) < n {
		s.data = make([]byte, n)
	}
	s.data = s.data[:n]
	out := s.data
	above := make([]byte, 4*w)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*w]
		above = above[:len(row)]
		out[0] = pngPaeth
		out = out[1:]
		var l0, l1, l2, a0, a1, a2 int
		for x := 0; x+3 < len(row) && len(out) >= 3; x += 4 {
			u := binary.LittleEndian.Uint32(above[x:])
			v := binary.LittleEndian.Uint32(row[x:])
			u0, u1, u2 := int(u&255), int(u>>8&255), int(u>>16&255)
			v0, v1, v2 := int(v&255), int(v>>8&255), int(v>>16&255)
			out[0] = byte(v0 - paeth(l0, u0, a0))
			out[1] = byte(v1 - paeth(l1, u1, a1))
			out[2] = byte(v2 - paeth(l2, u2, a2))
			out = out[3:]
			l0, l1, l2, a0, a1, a2 = v0, v1, v2, u0, u1, u2
		}
		above = row
	}
}

// paeth picks of left, above and above left the one nearest to
// left + above - above left.
func paeth(a, b, c int) int {
	pa, pb := b-c, a-c
	pc := pa + pb
	pa, pb, pc = abs(pa), abs(pb), abs(pc)
	if pa <= pb && pa <= pc {
		return a
	}
	if pb <= pc {
		return b
	}
	return c
}

func abs(v int) int {
	m := v >> 63
	return (v ^ m) - m
}
