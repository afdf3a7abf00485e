// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"

	"golang.org/x/image/vector"
)

// The colours of everything the session manager draws. They are few on
// purpose: a person should recognise its windows at once.
var (
	inkColor      = rgb(0x1B2733) // text
	softInk       = rgb(0x5B6876) // secondary text
	paperColor    = rgb(0xFFFFFF) // window body
	footColor     = rgb(0xF1F4F7) // strip below the body, with the buttons
	lineColor     = rgb(0xD5DBE2) // borders between parts
	edgeColor     = rgb(0xA9B4C0) // borders of controls
	captionColor  = rgb(0x24394F) // caption of the window with the focus
	captionFaded  = rgb(0x7C8A99) // caption of every other window
	captionInk    = rgb(0xF4F7FA)
	accentColor   = rgb(0x1F66B5) // default button, focus, links
	accentHot     = rgb(0x2B77CB)
	accentPressed = rgb(0x17508F)
	hotColor      = rgb(0xE6EDF5)
	pressedColor  = rgb(0xD2DDE9)
	disabledInk   = rgb(0xA3ADB8)
	errorColor    = rgb(0xC0322B)
	warnColor     = rgb(0xE9A400)
)

func rgb(v uint32) color.RGBA {
	return color.RGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xFF}
}

// shade gives c with the opacity a (0 to 255).
func shade(c color.RGBA, a uint8) color.RGBA {
	m := func(v uint8) uint8 { return uint8(uint32(v) * uint32(a) / 255) }
	return color.RGBA{R: m(c.R), G: m(c.G), B: m(c.B), A: a}
}

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	op := draw.Src
	if c.A != 0xFF {
		op = draw.Over
	}
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, op)
}

// fillPath fills what build describes inside r. Coordinates of the path are
// relative to r's corner. The rasteriser does not clip, so r is clipped here by
// drawing through a mask when it sticks out.
func fillPath(dst *image.RGBA, r image.Rectangle, c color.RGBA, build func(*vector.Rasterizer)) {
	if r.Empty() || !r.Overlaps(dst.Bounds()) {
		return
	}
	z := vector.NewRasterizer(r.Dx(), r.Dy())
	build(z)
	if r.In(dst.Bounds()) {
		z.Draw(dst, r, image.NewUniform(c), image.Point{})
		return
	}
	mask := image.NewAlpha(image.Rect(0, 0, r.Dx(), r.Dy()))
	z.DrawOp = draw.Src
	z.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	draw.DrawMask(dst, r, image.NewUniform(c), image.Point{}, mask, image.Point{}, draw.Over)
}

// corners says which corners of a box are rounded.
type corners uint8

const (
	topCorners corners = 1 << iota
	bottomCorners
	allCorners = topCorners | bottomCorners
)

// fillRound fills r with corners of the given radius in pixels. Only the rows
// with corners go through the rasteriser.
func fillRound(dst *image.RGBA, r image.Rectangle, radius float32, which corners, c color.RGBA) {
	rows := int(radius) + 1
	if r.Dy() <= 2*rows || which == 0 {
		fillPath(dst, r, c, func(z *vector.Rasterizer) {
			roundPath(z, 0, 0, float32(r.Dx()), float32(r.Dy()), radius, which)
		})
		return
	}
	middle := r
	for _, strip := range []corners{topCorners, bottomCorners} {
		if which&strip == 0 {
			continue
		}
		part := r
		if strip == topCorners {
			part.Max.Y = part.Min.Y + rows
			middle.Min.Y = part.Max.Y
		} else {
			part.Min.Y = part.Max.Y - rows
			middle.Max.Y = part.Min.Y
		}
		fillPath(dst, part, c, func(z *vector.Rasterizer) {
			roundPath(z, 0, 0, float32(r.Dx()), float32(rows), radius, strip)
		})
	}
	fill(dst, middle, c)
}

// strokeRound draws the border of r, width pixels thick, inside r: an arch at the
// top, one at the bottom and straight sides between.
func strokeRound(dst *image.RGBA, r image.Rectangle, radius float32, width int, c color.RGBA) {
	rows := max(int(radius), width) + 1
	w, h, t := float32(r.Dx()), float32(rows), float32(width)
	inner := max(0, radius-t)
	if r.Dy() < 2*rows || r.Dx() < 2*rows {
		fillPath(dst, r, c, func(z *vector.Rasterizer) {
			// The inner border runs the other way round, which leaves a hole.
			x0, y0, x1, y1 := t, t, w-t, float32(r.Dy())-t
			roundPath(z, 0, 0, w, float32(r.Dy()), radius, allCorners)
			z.MoveTo(x0+inner, y0)
			arc(z, x0, y0, x0, y0+inner)
			z.LineTo(x0, y1-inner)
			arc(z, x0, y1, x0+inner, y1)
			z.LineTo(x1-inner, y1)
			arc(z, x1, y1, x1, y1-inner)
			z.LineTo(x1, y0+inner)
			arc(z, x1, y0, x1-inner, y0)
			z.ClosePath()
		})
		return
	}
	for _, top := range []bool{true, false} {
		part := r
		y := func(v float32) float32 { return v }
		if top {
			part.Max.Y = part.Min.Y + rows
		} else {
			part.Min.Y = part.Max.Y - rows
			y = func(v float32) float32 { return h - v }
		}
		fillPath(dst, part, c, func(z *vector.Rasterizer) {
			z.MoveTo(0, y(h))
			z.LineTo(0, y(radius))
			arc(z, 0, y(0), radius, y(0))
			z.LineTo(w-radius, y(0))
			arc(z, w, y(0), w, y(radius))
			z.LineTo(w, y(h))
			z.LineTo(w-t, y(h))
			z.LineTo(w-t, y(t+inner))
			arc(z, w-t, y(t), w-t-inner, y(t))
			z.LineTo(t+inner, y(t))
			arc(z, t, y(t), t, y(t+inner))
			z.LineTo(t, y(h))
			z.ClosePath()
		})
	}
	fill(dst, image.Rect(r.Min.X, r.Min.Y+rows, r.Min.X+width, r.Max.Y-rows), c)
	fill(dst, image.Rect(r.Max.X-width, r.Min.Y+rows, r.Max.X, r.Max.Y-rows), c)
}

// arc draws a quarter circle from the pen to x, y around the corner cx, cy.
func arc(z *vector.Rasterizer, cx, cy, x, y float32) {
	const k = 0.5523 // of the radius, from the end points towards the corner
	px, py := z.Pen()
	z.CubeTo(px+(cx-px)*k, py+(cy-py)*k, x+(cx-x)*k, y+(cy-y)*k, x, y)
}

func roundPath(z *vector.Rasterizer, x0, y0, x1, y1, radius float32, which corners) {
	top, bottom := float32(0), float32(0)
	if which&topCorners != 0 {
		top = radius
	}
	if which&bottomCorners != 0 {
		bottom = radius
	}
	z.MoveTo(x0+top, y0)
	z.LineTo(x1-top, y0)
	arc(z, x1, y0, x1, y0+top)
	z.LineTo(x1, y1-bottom)
	arc(z, x1, y1, x1-bottom, y1)
	z.LineTo(x0+bottom, y1)
	arc(z, x0, y1, x0, y1-bottom)
	z.LineTo(x0, y0+top)
	arc(z, x0, y0, x0+top, y0)
	z.ClosePath()
}

func circlePath(z *vector.Rasterizer, cx, cy, radius float32) {
	roundPath(z, cx-radius, cy-radius, cx+radius, cy+radius, radius, allCorners)
}

// linePath adds a straight stroke of the given width with flat ends.
func linePath(z *vector.Rasterizer, x0, y0, x1, y1, width float32) {
	dx, dy := x1-x0, y1-y0
	l := float32(math.Hypot(float64(dx), float64(dy)))
	if l == 0 {
		return
	}
	nx, ny := -dy/l*width/2, dx/l*width/2
	z.MoveTo(x0+nx, y0+ny)
	z.LineTo(x1+nx, y1+ny)
	z.LineTo(x1-nx, y1-ny)
	z.LineTo(x0-nx, y0-ny)
	z.ClosePath()
}

// fillLine draws a straight stroke on dst.
func fillLine(dst *image.RGBA, c color.RGBA, x0, y0, x1, y1, width float32) {
	pad := int(width) + 1
	r := image.Rect(int(x0), int(y0), int(x1), int(y1)).Canon().Inset(-pad)
	ox, oy := float32(r.Min.X), float32(r.Min.Y)
	fillPath(dst, r, c, func(z *vector.Rasterizer) {
		linePath(z, x0-ox, y0-oy, x1-ox, y1-oy, width)
	})
}

// shadow is the soft dark rim of a window.
type shadow struct {
	mask   *image.Alpha
	margin int // pixels the rim sticks out on each side
}

// makeShadow makes the shadow of a window of the given size. All windows of one
// scale share one blurred box, of which only the middle row and column are
// stretched.
func makeShadow(size image.Point, scale int) shadow {
	t := shadowTemplates[scale-1]()
	m := image.NewAlpha(image.Rect(0, 0, size.X+2*t.margin, size.Y+2*t.margin))
	side := t.mask.Rect.Dx()
	corner := min(side/2, m.Rect.Dx()/2, m.Rect.Dy()/2)
	// from gives the row or column of the template for one of n.
	from := func(i, n int) int {
		switch {
		case i < corner:
			return i
		case i >= n-corner:
			return side - (n - i)
		}
		return side / 2
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := range h {
		row := m.Pix[y*m.Stride:][:w]
		src := t.mask.Pix[from(y, h)*t.mask.Stride:][:side]
		copy(row[:corner], src)
		copy(row[w-corner:], src[side-corner:])
		for x := corner; x < w-corner; x++ {
			row[x] = src[side/2]
		}
	}
	return shadow{mask: m, margin: t.margin}
}

var shadowTemplates = [2]func() shadow{
	sync.OnceValue(func() shadow { return blurredBox(1) }),
	sync.OnceValue(func() shadow { return blurredBox(2) }),
}

// blurredBox blurs a box just large enough to have a middle. Three passes of a box
// filter are close enough to a Gaussian for the eye.
func blurredBox(scale int) shadow {
	margin, drop := 22*scale, 5*scale
	side := 2*30*scale + 1 // of the box: twice the reach of blur and corners
	m := image.NewAlpha(image.Rect(0, 0, side+2*margin, side+2*margin))
	inner := image.Rect(margin, margin+drop, margin+side, margin+drop+side).Inset(2 * scale)
	z := vector.NewRasterizer(inner.Dx(), inner.Dy())
	roundPath(z, 0, 0, float32(inner.Dx()), float32(inner.Dy()), float32(windowRadius*scale), allCorners)
	z.DrawOp = draw.Src
	z.Draw(m, inner, image.NewUniform(color.Alpha{A: 0x70}), image.Point{})
	tmp := make([]uint8, len(m.Pix))
	for range 3 {
		blurRows(tmp, m.Pix, m.Rect.Dx(), m.Rect.Dy(), 5*scale)
		blurRows(m.Pix, tmp, m.Rect.Dy(), m.Rect.Dx(), 5*scale)
	}
	return shadow{mask: m, margin: margin}
}

// blurRows averages each row of src (w wide, h high) over 2r+1 pixels and writes
// it to dst transposed, so that two calls blur both ways.
func blurRows(dst, src []uint8, w, h, r int) {
	n := 2*r + 1
	for y := range h {
		row := src[y*w : (y+1)*w]
		sum := 0
		for x := range min(r, w) {
			sum += int(row[x])
		}
		for x := range w {
			if x+r < w {
				sum += int(row[x+r])
			}
			if x-r-1 >= 0 {
				sum -= int(row[x-r-1])
			}
			dst[x*h+y] = uint8(sum / n)
		}
	}
}
