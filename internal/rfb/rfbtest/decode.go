// SPDX-License-Identifier: Apache-2.0

// Package rfbtest is an RFB viewer for tests: it speaks the protocol, decodes
// every encoding the server sends with code that shares nothing with the encoder,
// and keeps the picture. It is strict: what a careless viewer would let pass is an
// error here. Only tests import it.
package rfbtest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
)

// Format is a pixel format as this package decodes it: shifts of 8-bit colours
// in 32 bits, or fewer bits.
type Format struct {
	Bits, Depth                     int
	Big                             bool
	RedMax, GreenMax, BlueMax       uint32
	RedShift, GreenShift, BlueShift uint
}

// Formats that tests use.
var (
	RGBX   = Format{32, 24, false, 255, 255, 255, 0, 8, 16}
	BGRX   = Format{32, 24, false, 255, 255, 255, 16, 8, 0}
	XRGBBE = Format{32, 24, true, 255, 255, 255, 16, 8, 0}
	XBGR   = Format{32, 24, false, 255, 255, 255, 8, 16, 24}
	RGB565 = Format{16, 16, false, 31, 63, 31, 11, 5, 0}
	BGR233 = Format{8, 8, false, 7, 7, 3, 0, 3, 6}
)

// Wire gives the 16 bytes of the format.
func (f Format) Wire() []byte {
	b := make([]byte, 16)
	b[0], b[1] = byte(f.Bits), byte(f.Depth)
	if f.Big {
		b[2] = 1
	}
	b[3] = 1
	binary.BigEndian.PutUint16(b[4:], uint16(f.RedMax))
	binary.BigEndian.PutUint16(b[6:], uint16(f.GreenMax))
	binary.BigEndian.PutUint16(b[8:], uint16(f.BlueMax))
	b[10], b[11], b[12] = byte(f.RedShift), byte(f.GreenShift), byte(f.BlueShift)
	return b
}

func (f Format) number(b []byte) uint32 {
	var v uint32
	for i := range b {
		if f.Big {
			v = v<<8 | uint32(b[i])
		} else {
			v |= uint32(b[i]) << (8 * i)
		}
	}
	return v
}

func (f Format) colour(v uint32) color.RGBA {
	up := func(shift uint, most uint32) uint8 {
		return uint8(((v>>shift&most)*255 + most/2) / most)
	}
	return color.RGBA{up(f.RedShift, f.RedMax), up(f.GreenShift, f.GreenMax), up(f.BlueShift, f.BlueMax), 255}
}

// Lossy gives the colour as it comes back from this format.
func (f Format) Lossy(c color.RGBA) color.RGBA {
	down := func(x uint8, most uint32) uint8 {
		q := (uint32(x)*most + 127) / 255
		return uint8((q*255 + most/2) / most)
	}
	return color.RGBA{down(c.R, f.RedMax), down(c.G, f.GreenMax), down(c.B, f.BlueMax), 255}
}

// pixel reads a whole pixel.
func (f Format) pixel(r io.Reader) (color.RGBA, error) {
	b := make([]byte, f.Bits/8)
	if _, err := io.ReadFull(r, b); err != nil {
		return color.RGBA{}, err
	}
	return f.colour(f.number(b)), nil
}

// compact reads a pixel of ZRLE.
func (f Format) compact(r io.Reader) (color.RGBA, error) {
	mask := f.RedMax<<f.RedShift | f.GreenMax<<f.GreenShift | f.BlueMax<<f.BlueShift
	if f.Bits != 32 || f.Depth > 24 || mask>>24 != 0 && mask&255 != 0 {
		return f.pixel(r)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(r, b); err != nil {
		return color.RGBA{}, err
	}
	v := f.number(b)
	if mask>>24 != 0 {
		v <<= 8
	}
	return f.colour(v), nil
}

// stream inflates payloads of one zlib stream that goes on from one to the next.
type stream struct {
	in bytes.Buffer
	z  io.ReadCloser
}

func (s *stream) feed(b []byte) error {
	s.in.Write(b)
	if s.z == nil {
		z, err := zlib.NewReader(&s.in)
		if err != nil {
			return err
		}
		s.z = z
	}
	return nil
}

// Decoder keeps a viewer's picture.
type Decoder struct {
	Img    *image.RGBA
	Format Format
	zrle   stream
	tight  [4]stream
	// Counts of rectangles by what they were.
	Counts map[string]int
}

// NewDecoder makes a decoder with a picture of w x h, all in a colour that no
// desktop starts with.
func NewDecoder(w, h int, f Format) *Decoder {
	d := &Decoder{Format: f, Counts: map[string]int{}}
	d.Resize(w, h)
	return d
}

// Resize gives the picture another size and forgets its pixels.
func (d *Decoder) Resize(w, h int) {
	d.Img = image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(d.Img, d.Img.Rect, image.NewUniform(color.RGBA{255, 0, 255, 255}), image.Point{}, draw.Src)
}

// Rect decodes the body of one rectangle.
func (d *Decoder) Rect(r io.Reader, rect image.Rectangle, encoding int32) error {
	if !rect.In(d.Img.Rect) || rect.Empty() {
		return fmt.Errorf("rectangle %v in a picture of %v", rect, d.Img.Rect)
	}
	switch encoding {
	case 0:
		d.Counts["raw"]++
		if d.Format == RGBX { // the picture's own order but for the fourth byte
			for y := rect.Min.Y; y < rect.Max.Y; y++ {
				row := d.Img.Pix[d.Img.PixOffset(rect.Min.X, y):][:4*rect.Dx()]
				if _, err := io.ReadFull(r, row); err != nil {
					return err
				}
				for i := 3; i < len(row); i += 4 {
					row[i] = 255
				}
			}
			return nil
		}
		for y := rect.Min.Y; y < rect.Max.Y; y++ {
			for x := rect.Min.X; x < rect.Max.X; x++ {
				c, err := d.Format.pixel(r)
				if err != nil {
					return err
				}
				d.Img.SetRGBA(x, y, c)
			}
		}
		return nil
	case 1:
		d.Counts["copy"]++
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		src := image.Pt(int(binary.BigEndian.Uint16(b[:])), int(binary.BigEndian.Uint16(b[2:])))
		if !(image.Rectangle{Min: src, Max: src.Add(rect.Size())}).In(d.Img.Rect) {
			return fmt.Errorf("copy from %v to %v", src, rect)
		}
		tmp := image.NewRGBA(rect)
		draw.Draw(tmp, rect, d.Img, src, draw.Src)
		draw.Draw(d.Img, rect, tmp, rect.Min, draw.Src)
		return nil
	case 7:
		return d.tightRect(r, rect)
	case 16:
		d.Counts["zrle"]++
		return d.zrleRect(r, rect)
	}
	return fmt.Errorf("encoding %d", encoding)
}

func (d *Decoder) zrleRect(r io.Reader, rect image.Rectangle) error {
	var n uint32
	if err := binary.Read(r, binary.BigEndian, &n); err != nil {
		return err
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	if err := d.zrle.feed(data); err != nil {
		return err
	}
	for y := rect.Min.Y; y < rect.Max.Y; y += 64 {
		for x := rect.Min.X; x < rect.Max.X; x += 64 {
			if err := d.zrleTile(image.Rect(x, y, x+64, y+64).Intersect(rect)); err != nil {
				return fmt.Errorf("ZRLE tile at %d,%d: %w", x, y, err)
			}
		}
	}
	return nil
}

func (d *Decoder) zrleTile(t image.Rectangle) error {
	z := d.zrle.z
	one := func() (int, error) {
		var b [1]byte
		_, err := io.ReadFull(z, b[:])
		return int(b[0]), err
	}
	kind, err := one()
	if err != nil {
		return err
	}
	count := 0
	switch {
	case kind >= 1 && kind <= 16:
		count = kind
	case kind >= 130:
		count = kind - 128
	case kind != 0 && kind != 128:
		return fmt.Errorf("unused kind %d", kind)
	}
	colours := make([]color.RGBA, count)
	for i := range colours {
		if colours[i], err = d.Format.compact(z); err != nil {
			return err
		}
	}
	pos, total := 0, t.Dx()*t.Dy()
	set := func(c color.RGBA) {
		d.Img.SetRGBA(t.Min.X+pos%t.Dx(), t.Min.Y+pos/t.Dx(), c)
		pos++
	}
	switch {
	case kind == 0:
		for pos < total {
			c, err := d.Format.compact(z)
			if err != nil {
				return err
			}
			set(c)
		}
	case kind == 1:
		for pos < total {
			set(colours[0])
		}
	case kind <= 16:
		bits := map[bool]int{true: 1}[kind == 2]
		if kind == 3 || kind == 4 {
			bits = 2
		} else if kind > 4 {
			bits = 4
		}
		row := make([]byte, (t.Dx()*bits+7)/8)
		for range t.Dy() {
			if _, err := io.ReadFull(z, row); err != nil {
				return err
			}
			for x := range t.Dx() {
				v := int(row[x*bits/8]) >> (8 - bits - x*bits%8) & (1<<bits - 1)
				if v >= count {
					return fmt.Errorf("colour %d of %d", v, count)
				}
				set(colours[v])
			}
		}
	default:
		for pos < total {
			var c color.RGBA
			run := 1
			long := true
			if kind == 128 {
				if c, err = d.Format.compact(z); err != nil {
					return err
				}
			} else {
				v, err := one()
				if err != nil {
					return err
				}
				long = v >= 128
				if v &= 127; v >= count {
					return fmt.Errorf("colour %d of %d", v, count)
				}
				c = colours[v]
			}
			for long {
				v, err := one()
				if err != nil {
					return err
				}
				run += v
				long = v == 255
			}
			if pos+run > total {
				return fmt.Errorf("a run of %d at %d of %d", run, pos, total)
			}
			for range run {
				set(c)
			}
		}
	}
	return nil
}

func (d *Decoder) tightRect(r io.Reader, rect image.Rectangle) error {
	if rect.Dx() > 2048 {
		return fmt.Errorf("tight rectangle %d pixels wide", rect.Dx())
	}
	var one [1]byte
	get := func() (int, error) {
		_, err := io.ReadFull(r, one[:])
		return int(one[0]), err
	}
	control, err := get()
	if err != nil {
		return err
	}
	for i := range d.tight {
		if control>>i&1 != 0 {
			d.tight[i] = stream{}
		}
	}
	rgb := func(b []byte) color.RGBA { return color.RGBA{b[0], b[1], b[2], 255} }
	switch kind := control >> 4; {
	case kind == 8:
		d.Counts["fill"]++
		b := make([]byte, 3)
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		draw.Draw(d.Img, rect, image.NewUniform(rgb(b)), image.Point{}, draw.Src)
		return nil
	case kind == 9:
		d.Counts["jpeg"]++
		data, err := compactData(r)
		if err != nil {
			return err
		}
		img, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			return err
		}
		if img.Bounds() != image.Rect(0, 0, rect.Dx(), rect.Dy()) {
			return fmt.Errorf("JPEG of %v for %v", img.Bounds(), rect)
		}
		draw.Draw(d.Img, rect, img, image.Point{}, draw.Src)
		return nil
	case kind > 9:
		return fmt.Errorf("tight control %#x", control)
	}
	filter := 0
	if control&0x40 != 0 {
		if filter, err = get(); err != nil {
			return err
		}
	}
	var colours []color.RGBA
	rowBytes := 3 * rect.Dx()
	switch filter {
	case 0:
		d.Counts["tightcopy"]++
	case 1:
		d.Counts["palette"]++
		n, err := get()
		if err != nil {
			return err
		}
		b := make([]byte, 3*(n+1))
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		for i := 0; i < len(b); i += 3 {
			colours = append(colours, rgb(b[i:]))
		}
		rowBytes = rect.Dx()
		if n+1 == 2 {
			rowBytes = (rect.Dx() + 7) / 8
		}
	case 2:
		d.Counts["gradient"]++
	default:
		return fmt.Errorf("tight filter %d", filter)
	}
	data := make([]byte, rowBytes*rect.Dy())
	if len(data) < 12 {
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
	} else {
		packed, err := compactData(r)
		if err != nil {
			return err
		}
		s := &d.tight[control>>4&3]
		if err := s.feed(packed); err != nil {
			return err
		}
		if _, err := io.ReadFull(s.z, data); err != nil {
			return err
		}
	}
	at := func(x, y, c int) int { // decoded colour, 0 outside
		if x < rect.Min.X || y < rect.Min.Y {
			return 0
		}
		return int(d.Img.Pix[d.Img.PixOffset(x, y)+c])
	}
	for y := range rect.Dy() {
		row := data[y*rowBytes:]
		for x := range rect.Dx() {
			px, py := rect.Min.X+x, rect.Min.Y+y
			switch {
			case filter == 0:
				d.Img.SetRGBA(px, py, rgb(row[3*x:]))
			case filter == 2:
				var c [3]byte
				for k := range c {
					guess := at(px-1, py, k) + at(px, py-1, k) - at(px-1, py-1, k)
					c[k] = row[3*x+k] + byte(max(0, min(255, guess)))
				}
				d.Img.SetRGBA(px, py, rgb(c[:]))
			case len(colours) == 2:
				d.Img.SetRGBA(px, py, colours[row[x/8]>>(7-x%8)&1])
			default:
				if int(row[x]) >= len(colours) {
					return fmt.Errorf("colour %d of %d", row[x], len(colours))
				}
				d.Img.SetRGBA(px, py, colours[row[x]])
			}
		}
	}
	return nil
}

// compactData reads a compact length and so many bytes.
func compactData(r io.Reader) ([]byte, error) {
	n := 0
	for i := range 3 {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, err
		}
		if i == 2 {
			n |= int(b[0]) << 14
			break
		}
		n |= int(b[0]&127) << (7 * i)
		if b[0] < 128 {
			break
		}
	}
	data := make([]byte, n)
	_, err := io.ReadFull(r, data)
	return data, err
}
