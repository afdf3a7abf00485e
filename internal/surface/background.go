// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"image/color"
)

// Background is what lies under the windows of a built-in desktop: a plain
// vertical gradient and, at the lower right, a line that says what one looks at.
type Background struct {
	Top, Bottom color.RGBA
	Label       string
	Scale       int
}

// The backgrounds there are.
var (
	// SecureBackground is that of the Winlogon desktop, and of nothing else.
	SecureBackground = Background{Top: rgb(0x12263B), Bottom: rgb(0x2C4F70)}
	// DesktopBackground is that of a desktop drawn by us.
	DesktopBackground = Background{Top: rgb(0x3C4C5C), Bottom: rgb(0x5E7183)}
	// DarkBackground is that of the screen saver.
	DarkBackground = Background{Top: rgb(0x06090C), Bottom: rgb(0x10161C)}
	// EmptyBackground is that of a notice where no desktop can be shown.
	EmptyBackground = Background{Top: rgb(0x2A3138), Bottom: rgb(0x3A434C)}
)

// Paint draws the part r of the background. The whole of it is dst.
func (b Background) Paint(dst *image.RGBA, r image.Rectangle) {
	all := dst.Bounds()
	r = r.Intersect(all)
	if r.Empty() {
		return
	}
	h := max(1, all.Dy()-1)
	mix := func(x, y uint8, at int) uint8 {
		return uint8((int(x)*(h-at) + int(y)*at + h/2) / h)
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		at := y - all.Min.Y
		row := dst.Pix[dst.PixOffset(r.Min.X, y):dst.PixOffset(r.Max.X, y)]
		px := [4]byte{mix(b.Top.R, b.Bottom.R, at), mix(b.Top.G, b.Bottom.G, at), mix(b.Top.B, b.Bottom.B, at), 0xFF}
		copy(row, px[:])
		for done := 4; done < len(row); done *= 2 {
			copy(row[done:], row[:done])
		}
	}
	if b.Label == "" {
		return
	}
	style := textStyle{regular, smallSize * clampScale(b.Scale)}
	w := style.width(b.Label)
	at := image.Rect(all.Max.X-w-2*style.size, all.Max.Y-2*style.height(), all.Max.X, all.Max.Y)
	if at.Overlaps(r) {
		clip := dst.SubImage(r).(*image.RGBA)
		style.text(clip, at.Min, shade(rgb(0xFFFFFF), 0x90), b.Label)
	}
}
