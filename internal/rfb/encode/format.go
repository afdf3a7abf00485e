// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"fmt"
	"image"
)

// Format is an RFB pixel format with true colour.
type Format struct {
	BitsPerPixel uint8 // 8, 16 or 32
	Depth        uint8
	BigEndian    bool
	RedMax       uint16
	GreenMax     uint16
	BlueMax      uint16
	RedShift     uint8
	GreenShift   uint8
	BlueShift    uint8
}

// RGBX is the format whose bytes are those of *image.RGBA.
var RGBX = Format{BitsPerPixel: 32, Depth: 24, RedMax: 255, GreenMax: 255, BlueMax: 255, GreenShift: 8, BlueShift: 16}

// FormatSize is the length in bytes of a pixel format on the wire.
const FormatSize = 16

// ParseFormat reads a pixel format as it stands in SetPixelFormat and ServerInit
// and refuses what nothing could be drawn in.
func ParseFormat(b []byte) (Format, error) {
	if len(b) < FormatSize {
		return Format{}, fmt.Errorf("pixel format of %d bytes", len(b))
	}
	f := Format{
		BitsPerPixel: b[0], Depth: b[1], BigEndian: b[2] != 0,
		RedMax: binary.BigEndian.Uint16(b[4:]), GreenMax: binary.BigEndian.Uint16(b[6:]), BlueMax: binary.BigEndian.Uint16(b[8:]),
		RedShift: b[10], GreenShift: b[11], BlueShift: b[12],
	}
	if f.BitsPerPixel != 8 && f.BitsPerPixel != 16 && f.BitsPerPixel != 32 {
		return Format{}, fmt.Errorf("pixel format with %d bits per pixel", f.BitsPerPixel)
	}
	if b[3] == 0 {
		return Format{}, fmt.Errorf("pixel format with a colour map")
	}
	if f.Depth == 0 || f.Depth > f.BitsPerPixel {
		return Format{}, fmt.Errorf("pixel format of depth %d with %d bits per pixel", f.Depth, f.BitsPerPixel)
	}
	var used uint64
	for _, c := range []struct {
		max   uint16
		shift uint8
	}{{f.RedMax, f.RedShift}, {f.GreenMax, f.GreenShift}, {f.BlueMax, f.BlueShift}} {
		if c.max == 0 || c.max&(c.max+1) != 0 {
			return Format{}, fmt.Errorf("pixel format with maximum %d", c.max)
		}
		if c.shift >= f.BitsPerPixel || uint64(c.max)<<c.shift >= 1<<f.BitsPerPixel {
			return Format{}, fmt.Errorf("pixel format with maximum %d shifted by %d in %d bits", c.max, c.shift, f.BitsPerPixel)
		}
		if bits := uint64(c.max) << c.shift; used&bits != 0 {
			return Format{}, fmt.Errorf("pixel format whose colours overlap")
		} else {
			used |= bits
		}
	}
	return f, nil
}

// Append writes the format as it stands on the wire.
func (f Format) Append(dst []byte) []byte {
	big := byte(0)
	if f.BigEndian {
		big = 1
	}
	dst = append(dst, f.BitsPerPixel, f.Depth, big, 1)
	dst = binary.BigEndian.AppendUint16(dst, f.RedMax)
	dst = binary.BigEndian.AppendUint16(dst, f.GreenMax)
	dst = binary.BigEndian.AppendUint16(dst, f.BlueMax)
	return append(dst, f.RedShift, f.GreenShift, f.BlueShift, 0, 0, 0)
}

// Bytes gives the bytes of one pixel.
func (f Format) Bytes() int { return int(f.BitsPerPixel) / 8 }

// full reports whether each colour has all its 8 bits in 32: the formats that
// Tight is offered for.
func (f Format) full() bool {
	return f.BitsPerPixel == 32 && f.Depth == 24 && f.RedMax == 255 && f.GreenMax == 255 && f.BlueMax == 255
}

// Tight reports whether Tight can be used: its short pixels are then R, G, B
// whatever the shifts are.
func (f Format) Tight() bool { return f.full() }

// value gives the pixel's number in this format. px is R, G, B, 255 read little
// endian.
func (f Format) value(px uint32) uint32 {
	r, g, b := px&255, px>>8&255, px>>16&255
	if f.RedMax == 255 && f.GreenMax == 255 && f.BlueMax == 255 {
		return r<<f.RedShift | g<<f.GreenShift | b<<f.BlueShift
	}
	scale := func(c uint32, max uint16) uint32 { return (c*uint32(max) + 127) / 255 }
	return scale(r, f.RedMax)<<f.RedShift | scale(g, f.GreenMax)<<f.GreenShift | scale(b, f.BlueMax)<<f.BlueShift
}

func (f Format) appendPixel(dst []byte, px uint32) []byte {
	v := f.value(px)
	switch {
	case f.BitsPerPixel == 8:
		return append(dst, byte(v))
	case f.BitsPerPixel == 16 && f.BigEndian:
		return binary.BigEndian.AppendUint16(dst, uint16(v))
	case f.BitsPerPixel == 16:
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	case f.BigEndian:
		return binary.BigEndian.AppendUint32(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, v)
}

// compact says how ZRLE writes a pixel: as 3 bytes when the format leaves one of
// its four unused, and from which of the four they begin.
func (f Format) compact() (size, first int) {
	if f.BitsPerPixel != 32 || f.Depth > 24 {
		return f.Bytes(), 0
	}
	all := uint32(f.RedMax)<<f.RedShift | uint32(f.GreenMax)<<f.GreenShift | uint32(f.BlueMax)<<f.BlueShift
	switch {
	case all < 1<<24: // the most significant byte is free
		if f.BigEndian {
			return 3, 1
		}
		return 3, 0
	case all&255 == 0: // the least significant byte is free
		if f.BigEndian {
			return 3, 0
		}
		return 3, 1
	}
	return 4, 0
}

// Raw appends the pixels of r.
func Raw(dst []byte, img *image.RGBA, r image.Rectangle, f Format) []byte {
	if f == RGBX {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			o := img.PixOffset(r.Min.X, y)
			dst = append(dst, img.Pix[o:o+4*r.Dx()]...)
		}
		return dst
	}
	bgrx := RGBX
	bgrx.RedShift, bgrx.BlueShift = 16, 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		if f == bgrx {
			n := len(dst)
			dst = append(dst, row...)
			swapRow(dst[n:])
			continue
		}
		for ; len(row) >= 4; row = row[4:] {
			dst = f.appendPixel(dst, binary.LittleEndian.Uint32(row))
		}
	}
	return dst
}

// swapRow exchanges red and blue.
func swapRow(row []byte) {
	for ; len(row) >= 4; row = row[4:] {
		v := binary.LittleEndian.Uint32(row)
		binary.LittleEndian.PutUint32(row, v&0xff00ff00|v>>16&0xff|v&0xff<<16)
	}
}
