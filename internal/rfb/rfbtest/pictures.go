// SPDX-License-Identifier: Apache-2.0

package rfbtest

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Text makes a desktop of w x h pixels with windows full of text.
func Text(w, h int, seed uint64) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	fill(img, img.Rect, color.RGBA{58, 110, 165, 255})
	for range 4 {
		win := image.Rect(0, 0, w/2, h/2).Add(image.Pt(r.IntN(w/2+1), r.IntN(h/2+1)))
		fill(img, win.Inset(-2), color.RGBA{60, 60, 60, 255})
		fill(img, win, color.RGBA{255, 255, 255, 255})
		title := win
		title.Max.Y = title.Min.Y + 18
		fill(img, title, color.RGBA{0, 0, uint8(100 + r.IntN(100)), 255})
		for y := win.Min.Y + 32; y < win.Max.Y; y += 14 {
			line := make([]byte, r.IntN(max(1, win.Dx()/7)))
			for i := range line {
				line[i] = byte(33 + r.IntN(90))
			}
			d := font.Drawer{Dst: img, Src: image.NewUniform(color.RGBA{uint8(r.IntN(2) * 160), 0, 0, 255}), Face: basicfont.Face7x13,
				Dot: fixed.P(win.Min.X+4, y)}
			d.DrawBytes(line)
		}
	}
	return img
}

// Photo makes a picture of smooth colours with some noise.
func Photo(w, h int, seed uint64) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 2))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	a, b, c := 40+r.Float64()*60, 30+r.Float64()*90, r.Float64()*6
	for y := range h {
		for x := range w {
			fx, fy := float64(x), float64(y)
			v := 120 + 70*math.Sin(fx/a+c) + 50*math.Cos(fy/b+fx/200)
			n := r.Float64()*8 - 4
			img.SetRGBA(x, y, color.RGBA{clip(v + n), clip(v*0.8 + 30*math.Sin(fy/37) + n), clip(200 - v/2 + n), 255})
		}
	}
	return img
}

// Noise makes a picture in which no two pixels have to do with each other.
func Noise(w, h int, seed uint64) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 3))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(img.Pix); i += 4 {
		v := r.Uint32()
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byte(v), byte(v>>8), byte(v>>16), 255
	}
	return img
}

// Mixed makes a text desktop with a photo and some noise on it.
func Mixed(w, h int, seed uint64) *image.RGBA {
	img := Text(w, h, seed)
	r := image.Rect(w/3, h/4, w*3/4, h*2/3)
	draw.Draw(img, r, Photo(max(1, r.Dx()), max(1, r.Dy()), seed), image.Point{}, draw.Src)
	r = image.Rect(w/10, h/2, w/4, h*3/4)
	draw.Draw(img, r, Noise(max(1, r.Dx()), max(1, r.Dy()), seed), image.Point{}, draw.Src)
	return img
}

// PSNR gives the likeness of two pictures of one size in dB over r; +Inf when
// equal.
func PSNR(a, b *image.RGBA, r image.Rectangle) float64 {
	sum := 0.0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p, q := a.RGBAAt(x, y), b.RGBAAt(x, y)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				sum += float64(d * d)
			}
		}
	}
	return 10 * math.Log10(255*255*3*float64(r.Dx()*r.Dy())/sum)
}

func fill(img *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

func clip(v float64) uint8 { return uint8(max(0, min(255, v))) }
