// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"image"
)

// Encodings of rectangles by their RFB numbers.
const (
	EncodingRaw      int32 = 0
	EncodingCopyRect int32 = 1
	EncodingTight    int32 = 7
	EncodingZRLE     int32 = 16
)

// Params are all settings that the bytes of a rectangle depend on. They are
// comparable: equal settings and equal pixels give equal bytes.
type Params struct {
	Encoding   int32 // EncodingRaw, EncodingZRLE or EncodingTight (only when Format.Tight)
	Format     Format
	JPEG       int  // Tight: quality 1…100 for areas of many colours; 0: no loss
	FullChroma bool // Tight: JPEG keeps colour at full resolution (4:4:4)
	Gradient   bool // Tight: the viewer is known to decode the gradient filter
}

// Slack gives how many unchanged pixels the joining of two damaged boxes may add
// to save a rectangle.
func (p Params) Slack() int {
	if p.Encoding == EncodingRaw {
		return 12
	}
	return 720
}

// Update is a number of encoded rectangles, each with its header.
type Update struct {
	Bytes []byte
	Count int               // rectangles
	Lossy []image.Rectangle // what was sent with loss
	// ZRLE is the position of the length of the first ZRLE payload in Bytes,
	// or -1. A viewer that never had a ZRLE payload needs ZRLEHeader there.
	ZRLE int
}

// Reset empties u and keeps its memory.
func (u *Update) Reset() {
	u.Bytes, u.Count, u.Lossy, u.ZRLE = u.Bytes[:0], 0, nil, -1
}

func (u *Update) header(r image.Rectangle, encoding int32) {
	u.Bytes = AppendHeader(u.Bytes, r, encoding)
	u.Count++
}

// AppendHeader appends the head of a rectangle.
func AppendHeader(dst []byte, r image.Rectangle, encoding int32) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Min.X))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Min.Y))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Dx()))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Dy()))
	return binary.BigEndian.AppendUint32(dst, uint32(encoding))
}

// Copy appends a CopyRect: dst gets what the viewer has at src.
func (u *Update) Copy(dst image.Rectangle, src image.Point) {
	u.header(dst, EncodingCopyRect)
	u.Bytes = binary.BigEndian.AppendUint16(u.Bytes, uint16(src.X))
	u.Bytes = binary.BigEndian.AppendUint16(u.Bytes, uint16(src.Y))
}

// Rect appends the pixels of r, which lies inside img, as one or more
// rectangles.
func (u *Update) Rect(img *image.RGBA, r image.Rectangle, p Params) {
	if r.Empty() {
		return
	}
	switch p.Encoding {
	case EncodingTight:
		s := pool.Get().(*scratch)
		s.tight(u, img, r, p)
		pool.Put(s)
	case EncodingZRLE:
		u.header(r, EncodingZRLE)
		if u.ZRLE < 0 {
			u.ZRLE = len(u.Bytes)
		}
		u.Bytes = ZRLE(u.Bytes, img, r, p.Format)
	default:
		u.header(r, EncodingRaw)
		u.Bytes = Raw(u.Bytes, img, r, p.Format)
	}
}
