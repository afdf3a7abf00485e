// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"encoding/binary"
	"image"
	"math"
	"math/bits"
	"sync"
)

// zigzag gives for each place in the file's order the place in the block.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// Quantisation tables of ITU-T T.81 annex K.1, in block order: brightness, colour.
var baseQuant = [2][64]uint8{{
	16, 11, 10, 16, 24, 40, 51, 61,
	12, 12, 14, 19, 26, 58, 60, 55,
	14, 13, 16, 24, 40, 57, 69, 56,
	14, 17, 22, 29, 51, 87, 80, 62,
	18, 22, 37, 56, 68, 109, 103, 77,
	24, 35, 55, 64, 81, 104, 113, 92,
	49, 64, 78, 87, 103, 121, 120, 101,
	72, 92, 95, 98, 112, 100, 103, 99,
}, {
	17, 18, 24, 47, 99, 99, 99, 99,
	18, 21, 26, 66, 99, 99, 99, 99,
	24, 26, 56, 99, 99, 99, 99, 99,
	47, 66, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
}}

// huffSpec is a Huffman table of T.81 annex K.3: how many codes of each length,
// and the values in order.
type huffSpec struct {
	class  byte
	count  [16]uint8
	values []byte
}

var huffSpecs = [4]huffSpec{
	{0x00, [16]uint8{0, 1, 5, 1, 1, 1, 1, 1, 1}, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	{0x10, [16]uint8{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}, acValues(
		"010203000411051221314106135161072271143281 91a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa")},
	{0x01, [16]uint8{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	{0x11, [16]uint8{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77}, acValues(
		"0001020311040521310612415107617113223281 08144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa")},
}

func acValues(hex string) []byte {
	var out []byte
	high, half := byte(0), false
	for _, c := range []byte(hex) {
		if c == ' ' {
			continue
		}
		v := c - '0'
		if c >= 'a' {
			v = c - 'a' + 10
		}
		if half {
			out = append(out, high<<4|v)
		} else {
			high = v
		}
		half = !half
	}
	return out
}

// huffTable gives code<<8 | length by value.
type huffTable [256]uint32

var huffTables = func() (t [4]huffTable) {
	for i, s := range huffSpecs {
		code, k := uint32(0), 0
		for n, count := range s.count {
			for range count {
				t[i][s.values[k]] = code<<8 | uint32(n+1)
				code++
				k++
			}
			code <<= 1
		}
	}
	return t
}()

// jpegTables is what depends on the quality alone.
type jpegTables struct {
	quant [2][64]uint8 // block order
	// recip is 2^recipBits / (divisor × scale of the transform), in zigzag order.
	recip [2][64]int32
	// A coefficient v becomes zero if and only if uint32(v+least) <= span; block order.
	least [2][64]int32
	span  [2][64]uint32
}

const recipBits = 22

// quantise divides and rounds; v has four bits more than its value.
func quantise(v, recip int32) int32 {
	return int32((int64(v)*int64(recip) + 1<<(recipBits+3)) >> (recipBits + 4))
}

// zigzagOf gives for each place in the block the place in the file's order.
var zigzagOf = func() (t [64]uint8) {
	for z, n := range zigzag {
		t[n] = uint8(z)
	}
	return t
}()

var jpegTablesOf [101]struct {
	once sync.Once
	t    jpegTables
}

func tablesFor(quality int) *jpegTables {
	quality = min(max(quality, 1), 100)
	e := &jpegTablesOf[quality]
	e.once.Do(func() { e.t = makeTables(quality) })
	return &e.t
}

func makeTables(quality int) (t jpegTables) {
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	// The fast transform of Arai, Agui and Nakajima leaves coefficient (u, v)
	// multiplied by 8·a(u)·a(v).
	var a [8]float64
	a[0] = 1
	for k := 1; k < 8; k++ {
		a[k] = math.Cos(float64(k)*math.Pi/16) * math.Sqrt2
	}
	for i := range 2 {
		for n := range 64 {
			t.quant[i][n] = uint8(min(max((int(baseQuant[i][n])*scale+50)/100, 1), 255))
		}
		for z, n := range zigzag {
			d := float64(t.quant[i][n]) * 8 * a[n/8] * a[n%8]
			recip := int32(math.Round((1 << recipBits) / d))
			const half = 1 << (recipBits + 3) // see quantise
			t.recip[i][z] = recip
			t.least[i][n] = half / recip
			t.span[i][n] = uint32(half/recip + (half-1)/recip)
		}
	}
	return t
}

// dctState is the working memory of one JPEG.
type dctState struct {
	block [6][64]int32
	q     [64]int32 // quantised, in the file's order; only those of the mask in emit hold
	edge  [16 * 16 * 4]byte
	acc   uint64
	n     uint
	out   []byte
}

// JPEG appends the pixels of r as a baseline JPEG file. quality is 1…100 as in
// the reference implementation; fullChroma keeps colour at full resolution,
// otherwise it is halved both ways.
func JPEG(dst []byte, img *image.RGBA, r image.Rectangle, quality int, fullChroma bool) []byte {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	return s.jpeg(dst, img, r, quality, fullChroma)
}

func (s *scratch) jpeg(dst []byte, img *image.RGBA, r image.Rectangle, quality int, fullChroma bool) []byte {
	t := tablesFor(quality)
	sampling := byte(0x22)
	if fullChroma {
		sampling = 0x11
	}
	dst = append(dst, 0xff, 0xd8)
	dst = append(dst, 0xff, 0xdb, 0, 132)
	for i := range 2 {
		dst = append(dst, byte(i))
		for _, n := range zigzag {
			dst = append(dst, t.quant[i][n])
		}
	}
	dst = append(dst, 0xff, 0xc0, 0, 17, 8)
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Dy()))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Dx()))
	dst = append(dst, 3, 1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1)
	n := 2
	for _, h := range huffSpecs {
		n += 17 + len(h.values)
	}
	dst = append(dst, 0xff, 0xc4, byte(n>>8), byte(n))
	for _, h := range huffSpecs {
		dst = append(dst, h.class)
		dst = append(dst, h.count[:]...)
		dst = append(dst, h.values...)
	}
	dst = append(dst, 0xff, 0xda, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)

	d := &s.dct
	d.out, d.acc, d.n = dst, 0, 0
	var dc [3]int32
	unit := 16
	if fullChroma {
		unit = 8
	}
	for y := r.Min.Y; y < r.Max.Y; y += unit {
		for x := r.Min.X; x < r.Max.X; x += unit {
			pix, stride := img.Pix[img.PixOffset(x, y):], img.Stride
			if x+unit > r.Max.X || y+unit > r.Max.Y {
				d.fillEdge(img, image.Rect(x, y, min(x+unit, r.Max.X), min(y+unit, r.Max.Y)), unit)
				pix, stride = d.edge[:], 4*unit
			}
			if fullChroma {
				d.load444(pix, stride)
				dc[0] = d.emit(0, dc[0], t, 0)
				dc[1] = d.emit(4, dc[1], t, 1)
				dc[2] = d.emit(5, dc[2], t, 1)
				continue
			}
			d.load420(pix, stride)
			for b := range 4 {
				dc[0] = d.emit(b, dc[0], t, 0)
			}
			dc[1] = d.emit(4, dc[1], t, 1)
			dc[2] = d.emit(5, dc[2], t, 1)
		}
	}
	d.put(0x7f, 7) // fill the last byte with ones
	for d.n >= 8 {
		d.byte()
	}
	dst = append(d.out, 0xff, 0xd9)
	d.out = nil
	return dst
}

// fillEdge makes a full unit from what is left at the right and bottom border by
// repeating the last pixel and the last row.
func (d *dctState) fillEdge(img *image.RGBA, r image.Rectangle, unit int) {
	for y := range unit {
		row := img.Pix[img.PixOffset(r.Min.X, min(r.Min.Y+y, r.Max.Y-1)):][:4*r.Dx()]
		out := d.edge[y*4*unit : (y+1)*4*unit]
		n := copy(out, row)
		for ; n < len(out); n += 4 {
			copy(out[n:n+4], row[len(row)-4:])
		}
	}
}

// Colour conversion of JFIF in 16-bit fixed point, around zero, with four more
// bits for the rounding inside the transform.
func luma(r, g, b int32) int32 { return ((19595*r+38470*g+7471*b+1<<15)>>16 - 128) << 4 }
func blue(r, g, b int32) int32 { return (-11059*r - 21709*g + 32768*b + 1<<15) >> 16 << 4 }
func red(r, g, b int32) int32  { return (32768*r - 27439*g - 5329*b + 1<<15) >> 16 << 4 }

func (d *dctState) load444(pix []byte, stride int) {
	for y := range 8 {
		row := pix[y*stride:][:32]
		for x := range 8 {
			v := binary.LittleEndian.Uint32(row[4*x:])
			r, g, b := int32(v&255), int32(v>>8&255), int32(v>>16&255)
			o := (8*y + x) & 63
			d.block[0][o] = luma(r, g, b)
			d.block[4][o] = blue(r, g, b)
			d.block[5][o] = red(r, g, b)
		}
	}
}

// load420 reckons with two pixels at a time, one in each half of a 64-bit word:
// brightness stays below 2^24, so neither half reaches into the other.
func (d *dctState) load420(pix []byte, stride int) {
	const pair = 0x000000ff000000ff
	for y := 0; y < 16; y += 2 {
		upper := pix[y*stride:][:64]
		lower := pix[(y+1)*stride:][:64]
		for x := 0; x < 16; x += 2 {
			blk := &d.block[(y>>3*2+x>>3)&3]
			o := (y&7*8 + x&7) & 63
			a := binary.LittleEndian.Uint64(upper[4*x:])
			c := binary.LittleEndian.Uint64(lower[4*x:])
			ar, ag, ab := a&pair, a>>8&pair, a>>16&pair
			cr, cg, cb := c&pair, c>>8&pair, c>>16&pair
			l := 19595*ar + 38470*ag + 7471*ab + (1<<15 | 1<<47)
			blk[o] = (int32(l>>16&255) - 128) << 4
			blk[(o+1)&63] = (int32(l>>48) - 128) << 4
			l = 19595*cr + 38470*cg + 7471*cb + (1<<15 | 1<<47)
			blk[(o+8)&63] = (int32(l>>16&255) - 128) << 4
			blk[(o+9)&63] = (int32(l>>48) - 128) << 4
			ar, ag, ab = ar+cr, ag+cg, ab+cb
			r, g, b := int32(ar)+int32(ar>>32), int32(ag)+int32(ag>>32), int32(ab)+int32(ab>>32)
			o = (y<<2 + x>>1) & 63
			d.block[4][o] = (-11059*r - 21709*g + 32768*b + 1<<17) >> 18 << 4
			d.block[5][o] = (32768*r - 27439*g - 5329*b + 1<<17) >> 18 << 4
		}
	}
}

// Constants of the fast transform in 12-bit fixed point.
const (
	dctBits = 12
	c382683 = 1567 // cos(6π/16)
	c541196 = 2217 // cos(2π/16) − cos(6π/16)
	c707106 = 2896 // cos(4π/16)
	c130656 = 5352 // cos(2π/16) + cos(6π/16)
)

// dct transforms a block in place, rows, then columns.
func dct(b *[64]int32) {
	for k := 0; k < 64; k += 8 {
		r := (*[8]int32)(b[k:])
		r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7] = dct8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
	}
	for k := range 8 {
		b[k], b[k+8], b[k+16], b[k+24], b[k+32], b[k+40], b[k+48], b[k+56] =
			dct8(b[k], b[k+8], b[k+16], b[k+24], b[k+32], b[k+40], b[k+48], b[k+56])
	}
}

// dct8 transforms eight values. Inside a block they stay below 2^17, so products
// with the constants fit 32 bits.
func dct8(v0, v1, v2, v3, v4, v5, v6, v7 int32) (p0, p1, p2, p3, p4, p5, p6, p7 int32) {
	t0, t7 := v0+v7, v0-v7
	t1, t6 := v1+v6, v1-v6
	t2, t5 := v2+v5, v2-v5
	t3, t4 := v3+v4, v3-v4

	e0, e3 := t0+t3, t0-t3
	e1, e2 := t1+t2, t1-t2
	z := (e2 + e3) * c707106 >> dctBits
	p0, p4 = e0+e1, e0-e1
	p2, p6 = e3+z, e3-z

	o0, o1, o2 := t4+t5, t5+t6, t6+t7
	z5 := (o0 - o2) * c382683
	z2 := (o0*c541196 + z5) >> dctBits
	z4 := (o2*c130656 + z5) >> dctBits
	z3 := o1 * c707106 >> dctBits
	z11, z13 := t7+z3, t7-z3
	p5, p3 = z13+z2, z13-z2
	p1, p7 = z11+z4, z11-z4
	return
}

// emit transforms, quantises and writes block i; it returns the quantised first
// coefficient, which the next block of the component is counted from.
func (d *dctState) emit(i int, last int32, t *jpegTables, table int) int32 {
	b := &d.block[i]
	dct(b)
	recip, q := &t.recip[table], &d.q
	q[0] = quantise(b[0], recip[0])
	// Most coefficients become zero, which a look at the bounds tells.
	least, span := &t.least[table], &t.span[table]
	var mask uint64 // bit z: coefficient z is not zero
	for n := 0; n < 64; n += 4 {
		v, l, s := (*[4]int32)(b[n:]), (*[4]int32)(least[n:]), (*[4]uint32)(span[n:])
		if uint32(v[0]+l[0]) > s[0] {
			mask |= 1 << n
		}
		if uint32(v[1]+l[1]) > s[1] {
			mask |= 2 << n
		}
		if uint32(v[2]+l[2]) > s[2] {
			mask |= 4 << n
		}
		if uint32(v[3]+l[3]) > s[3] {
			mask |= 8 << n
		}
	}
	places := mask &^ 1
	mask = 0
	for ; places != 0; places &= places - 1 {
		n := bits.TrailingZeros64(places) & 63
		z := zigzagOf[n] & 63
		q[z] = quantise(b[n], recip[z])
		mask |= 1 << z
	}
	dc, ac := &huffTables[2*table], &huffTables[2*table+1]
	d.coefficient(dc, 0, q[0]-last)
	at := 0
	for mask != 0 {
		z := bits.TrailingZeros64(mask)
		mask &= mask - 1
		run := z - at - 1
		for ; run > 15; run -= 16 {
			e := ac[0xf0]
			d.put(uint64(e>>8), uint(e&255))
		}
		d.coefficient(ac, uint32(run), q[z&63])
		at = z
	}
	if at != 63 {
		e := ac[0]
		d.put(uint64(e>>8), uint(e&255))
	}
	return q[0]
}

// coefficient writes the code of (run, size) and the bits of v.
func (d *dctState) coefficient(t *huffTable, run uint32, v int32) {
	sign := v >> 31
	size := uint(bits.Len32(uint32((v ^ sign) - sign)))
	e := t[(run<<4|uint32(size))&255]
	low := uint64(uint32(v+sign)) & (1<<size - 1) // a negative number is written less one
	d.put(uint64(e>>8)<<size|low, uint(e&255)+size)
}

// put appends n ≤ 32 bits.
func (d *dctState) put(v uint64, n uint) {
	d.acc = d.acc<<n | v
	d.n += n
	if d.n < 32 {
		return
	}
	d.n -= 32
	w := uint32(d.acc >> d.n)
	if (w&^(w+0x01010101))&0x80808080 != 0 { // some byte is 0xff
		d.n += 32
		for d.n >= 8 {
			d.byte()
		}
		return
	}
	d.out = binary.BigEndian.AppendUint32(d.out, w)
}

// byte moves the oldest eight bits out; a 0xff is followed by a zero.
func (d *dctState) byte() {
	d.n -= 8
	b := byte(d.acc >> d.n)
	d.out = append(d.out, b)
	if b == 0xff {
		d.out = append(d.out, 0)
	}
}
