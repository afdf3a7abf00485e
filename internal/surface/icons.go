// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"image/color"

	"golang.org/x/image/vector"
)

// icon is one of the four pictures of a message box, or none.
type icon uint8

const (
	noIcon icon = iota
	errorIcon
	questionIcon
	warningIcon
	informationIcon
	lockIcon // secure screens only
)

// draw paints the icon into the square r.
func (i icon) draw(dst *image.RGBA, r image.Rectangle) {
	s := float32(r.Dx())
	at := func(v float32) float32 { return v * s }
	white := rgb(0xFFFFFF)
	disc := func(c color.RGBA) {
		fillPath(dst, r, c, func(z *vector.Rasterizer) { circlePath(z, s/2, s/2, s/2-0.5) })
	}
	switch i {
	case errorIcon:
		disc(errorColor)
		fillPath(dst, r, white, func(z *vector.Rasterizer) {
			linePath(z, at(.32), at(.32), at(.68), at(.68), at(.1))
		})
		fillPath(dst, r, white, func(z *vector.Rasterizer) {
			linePath(z, at(.68), at(.32), at(.32), at(.68), at(.1))
		})
	case questionIcon:
		disc(accentColor)
		mark(dst, r, white, "?")
	case informationIcon:
		disc(accentColor)
		fillPath(dst, r, white, func(z *vector.Rasterizer) {
			circlePath(z, at(.5), at(.28), at(.065))
			linePath(z, at(.5), at(.42), at(.5), at(.76), at(.11))
		})
	case warningIcon:
		fillPath(dst, r, warnColor, func(z *vector.Rasterizer) {
			// A triangle with softened corners.
			z.MoveTo(at(.44), at(.10))
			z.QuadTo(at(.5), at(.0), at(.56), at(.10))
			z.LineTo(at(.985), at(.86))
			z.QuadTo(at(1.03), at(.97), at(.92), at(.97))
			z.LineTo(at(.08), at(.97))
			z.QuadTo(at(-.03), at(.97), at(.015), at(.86))
			z.ClosePath()
		})
		fillPath(dst, r, inkColor, func(z *vector.Rasterizer) {
			circlePath(z, at(.5), at(.83), at(.06))
			z.MoveTo(at(.435), at(.32))
			z.LineTo(at(.565), at(.32))
			z.LineTo(at(.535), at(.70))
			z.LineTo(at(.465), at(.70))
			z.ClosePath()
		})
	case lockIcon:
		body := image.Rect(r.Min.X+int(at(.2)), r.Min.Y+int(at(.45)), r.Min.X+int(at(.8)), r.Min.Y+int(at(.92)))
		shackle := image.Rect(r.Min.X+int(at(.3)), r.Min.Y+int(at(.1)), r.Min.X+int(at(.7)), r.Min.Y+int(at(.75)))
		strokeRound(dst, shackle, at(.2), int(at(.09)), white)
		fillRound(dst, body, at(.08), allCorners, white)
		fillPath(dst, r, accentColor, func(z *vector.Rasterizer) {
			circlePath(z, at(.5), at(.65), at(.06))
			linePath(z, at(.5), at(.65), at(.5), at(.8), at(.06))
		})
	}
}

// mark writes one bold character into the middle of r.
func mark(dst *image.RGBA, r image.Rectangle, c color.RGBA, text string) {
	style := textStyle{bold, r.Dy() * 7 / 10}
	p := image.Pt(r.Min.X+(r.Dx()-style.width(text)+1)/2, r.Min.Y+(r.Dy()-style.height())/2-r.Dy()/24)
	style.text(dst, p, c, text)
}
