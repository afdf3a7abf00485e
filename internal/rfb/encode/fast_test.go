// SPDX-License-Identifier: Apache-2.0

package encode

import (
	"image"
	"math/rand/v2"
	"testing"
)

// TestPaletteRuns compares indices and packed bits with the pixels one by one:
// both take short cuts over runs, which end anywhere.
func TestPaletteRuns(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var p palette
	for range 500 {
		w, h := 1+random.IntN(40), 1+random.IntN(5)
		img := image.NewRGBA(image.Rect(0, 0, w+3, h+2))
		r := image.Rect(3, 2, w+3, h+2)
		colours := 1 + random.IntN(3)
		c := byte(0)
		for y := range h {
			for x := range w {
				if random.IntN(5) == 0 {
					c = byte(random.IntN(colours))
				}
				o := img.PixOffset(x+3, y+2)
				img.Pix[o], img.Pix[o+2], img.Pix[o+3] = c, 255*c, 255
			}
		}
		if !p.build(img, r, 256) {
			t.Fatalf("%d colours do not fit a palette", colours)
		}
		for y := range h {
			for x := range w {
				want := pixel(img.Pix[img.PixOffset(x+3, y+2):])
				if got := p.colours[p.index[y*w+x]]; got != want {
					t.Fatalf("%dx%d: pixel %d,%d is %06x, want %06x", w, h, x, y, got, want)
				}
			}
		}
		if len(p.colours) != 2 {
			continue
		}
		packed, stride := packBits(nil, p.index, w, h, 1), (w+7)/8
		if len(packed) != stride*h {
			t.Fatalf("%dx%d packed to %d bytes", w, h, len(packed))
		}
		for y := range h {
			for x := range w {
				if got := packed[y*stride+x/8] >> (7 - x%8) & 1; got != p.index[y*w+x] {
					t.Fatalf("%dx%d: bit %d,%d is %d", w, h, x, y, got)
				}
			}
		}
	}
}

// TestQuantiseBounds checks that the bounds say exactly which coefficients become
// zero.
func TestQuantiseBounds(t *testing.T) {
	for quality := 1; quality <= 100; quality++ {
		tables := tablesFor(quality)
		for i := range 2 {
			for n := range 64 {
				recip := tables.recip[i][zigzagOf[n]]
				least, span := tables.least[i][n], tables.span[i][n]
				most := int32(span) - least
				for _, v := range []int32{-1 << 20, -least - 1, -least, -1, 0, 1, most, most + 1, 1 << 20} {
					if zero := quantise(v, recip) == 0; zero != (uint32(v+least) <= span) {
						t.Fatalf("quality %d, table %d, place %d: %d becomes zero: %v", quality, i, n, v, zero)
					}
				}
			}
		}
	}
}
