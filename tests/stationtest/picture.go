// SPDX-License-Identifier: Apache-2.0

package stationtest

import (
	"image"
	"image/color"
	"image/draw"
)

// RGBA gives a copy of a picture in the one form that the functions here read.
func RGBA(img image.Image) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out
}

// near allows for what JPEG does to a colour.
func near(a, b color.RGBA) bool {
	d := func(x, y uint8) bool { return max(x, y)-min(x, y) <= 6 }
	return d(a.R, b.R) && d(a.G, b.G) && d(a.B, b.B)
}

// Differ gives the share of pixels that differ, 1 when the sizes do.
func Differ(a, b *image.RGBA) float64 {
	if a.Rect != b.Rect {
		return 1
	}
	n := 0
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			if !near(a.RGBAAt(x, y), b.RGBAAt(x, y)) {
				n++
			}
		}
	}
	return float64(n) / float64(max(1, a.Rect.Dx()*a.Rect.Dy()))
}

// Drawn gives the share of pixels that have not the colour of the corner: 0 of
// an empty desktop.
func Drawn(img *image.RGBA) float64 {
	first := img.RGBAAt(0, 0)
	n := 0
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			if !near(img.RGBAAt(x, y), first) {
				n++
			}
		}
	}
	return float64(n) / float64(max(1, img.Rect.Dx()*img.Rect.Dy()))
}

// accent is the colour of a default button in what the session manager draws.
var accent = color.RGBA{0x1F, 0x66, 0xB5, 0xFF}

// DefaultButton finds the default button of a box: rows with a long run of its
// colour. It gives the middle of them; false when there is no such thing.
func DefaultButton(img *image.RGBA) (image.Point, bool) {
	const wide = 40 // wider than an icon
	var rows image.Rectangle
	for y := range img.Rect.Dy() {
		run := 0
		for x := 0; x <= img.Rect.Dx(); x++ {
			if x < img.Rect.Dx() && near(img.RGBAAt(x, y), accent) {
				run++
				continue
			}
			if run >= wide {
				rows = rows.Union(image.Rect(x-run, y, x, y+1))
			}
			run = 0
		}
	}
	if rows.Empty() || rows.Dy() > 80 || rows.Dx() > 200 {
		return image.Point{}, false
	}
	return image.Pt((rows.Min.X+rows.Max.X)/2, (rows.Min.Y+rows.Max.Y)/2), true
}
