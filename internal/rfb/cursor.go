// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"encoding/binary"
	"image"
	"image/color"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
)

// arrowShape is the usual arrow: X black, o white.
var arrowShape = [...]string{
	"X           ",
	"XX          ",
	"XoX         ",
	"XooX        ",
	"XoooX       ",
	"XooooX      ",
	"XoooooX     ",
	"XooooooX    ",
	"XoooooooX   ",
	"XooooooooX  ",
	"XoooooooooX ",
	"XooooooXXXXX",
	"XoooXooX    ",
	"XooX XooX   ",
	"XoX  XooX   ",
	"XX    XooX  ",
	"      XooX  ",
	"       XX   ",
}

// arrow is shown where nothing set another shape.
var arrow = func() *surface.Cursor {
	img := image.NewRGBA(image.Rect(0, 0, len(arrowShape[0]), len(arrowShape)))
	for y, row := range arrowShape {
		for x, c := range row {
			switch c {
			case 'X':
				img.SetRGBA(x, y, color.RGBA{0, 0, 0, 255})
			case 'o':
				img.SetRGBA(x, y, color.RGBA{255, 255, 255, 255})
			}
		}
	}
	return &surface.Cursor{Image: img}
}()

// appendCursor appends a Cursor pseudo-rectangle: the pixels, then a bit for each
// that is drawn.
func appendCursor(dst []byte, c *surface.Cursor, f encode.Format) []byte {
	if c == nil {
		c = arrow
	}
	r := c.Image.Rect
	hot := image.Pt(max(0, min(c.Hot.X, r.Dx()-1)), max(0, min(c.Hot.Y, r.Dy()-1)))
	dst = encode.AppendHeader(dst, image.Rectangle{Min: hot, Max: hot.Add(r.Size())}, pseudoCursor)
	dst = encode.Raw(dst, c.Image, r, f)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		var row [surface.MaxCursor / 8]byte
		for x := range r.Dx() {
			if binary.LittleEndian.Uint32(c.Image.Pix[c.Image.PixOffset(r.Min.X+x, y):])>>31 != 0 {
				row[x/8] |= 0x80 >> (x % 8)
			}
		}
		dst = append(dst, row[:(r.Dx()+7)/8]...)
	}
	return dst
}
