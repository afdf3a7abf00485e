// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// weight chooses one of the two fonts everything is written in.
type weight uint8

const (
	regular weight = iota
	bold
)

// textStyle is a font in one size. It is comparable and free to copy.
type textStyle struct {
	weight weight
	size   int // pixels per em, the scale already applied
}

// maxGlyphs bounds the glyph cache. A message in many scripts only has boxes
// for what the fonts lack, so real use stays far below it.
const maxGlyphs = 4096

// subpixels is how many horizontal positions of a glyph are told apart. Four
// give even spacing without hinted (and so uneven) advances.
const subpixels = 4

type glyphKey struct {
	style textStyle
	r     rune
	sub   uint8 // position right of the pixel border, in quarters of a pixel
}

type glyph struct {
	mask    *image.Alpha // nil when there is nothing to draw
	at      image.Point  // of the mask's corner, from the dot
	advance fixed.Int26_6
}

// typesetter holds the fonts and the text cache. There is one for the process:
// it is the only state that every window shares, and it has no owner to live in.
type typesetter struct {
	mu     sync.Mutex
	fonts  [2]*sfnt.Font           // immutable
	faces  map[textStyle]font.Face // guarded by mu
	glyphs map[glyphKey]glyph      // guarded by mu
	buf    sfnt.Buffer             // guarded by mu
}

var theTypesetter = sync.OnceValue(func() *typesetter {
	t := &typesetter{faces: map[textStyle]font.Face{}, glyphs: map[glyphKey]glyph{}}
	for i, ttf := range [][]byte{goregular.TTF, gobold.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			panic("cannot read the built-in font: " + err.Error())
		}
		t.fonts[i] = f
	}
	return t
})

// height is the line height of a style and ascent the distance from the top of
// a line to its baseline, both in pixels.
func (s textStyle) height() int { return (s.size*27 + 10) / 20 }
func (s textStyle) ascent() int { return (s.height()*3 + 2) / 4 }

// glyphLocked draws r once and keeps it.
func (t *typesetter) glyphLocked(k glyphKey) glyph {
	if g, ok := t.glyphs[k]; ok {
		return g
	}
	if len(t.glyphs) >= maxGlyphs {
		clear(t.glyphs)
	}
	g := t.drawGlyphLocked(k)
	t.glyphs[k] = g
	return g
}

func (t *typesetter) drawGlyphLocked(k glyphKey) glyph {
	f := t.fonts[k.style.weight]
	if index, err := f.GlyphIndex(&t.buf, k.r); err != nil || index == 0 {
		return boxGlyph(k)
	}
	face, ok := t.faces[k.style]
	if !ok {
		var err error
		face, err = opentype.NewFace(f, &opentype.FaceOptions{Size: float64(k.style.size), DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			return boxGlyph(k)
		}
		t.faces[k.style] = face
	}
	dot := fixed.Point26_6{X: fixed.Int26_6(k.sub) * (64 / subpixels)}
	r, mask, from, advance, ok := face.Glyph(dot, k.r)
	if !ok {
		return boxGlyph(k)
	}
	g := glyph{advance: advance, at: r.Min}
	if !r.Empty() {
		// The face draws into a buffer of its own and reuses it.
		g.mask = image.NewAlpha(image.Rect(0, 0, r.Dx(), r.Dy()))
		draw.Draw(g.mask, g.mask.Bounds(), mask, from, draw.Src)
	}
	return g
}

// boxGlyph stands for a character the fonts lack, so that a reader sees that
// something is there.
func boxGlyph(k glyphKey) glyph {
	size := k.style.size
	w := size*11/20 + 1
	if unicode.In(k.r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || k.r >= 0x1F000 {
		w = size*9/10 + 1
	}
	h := size*14/20 + 1
	line := max(1, size/14)
	m := image.NewAlpha(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Bounds(), image.NewUniform(color.Alpha{A: 200}), image.Point{}, draw.Src)
	draw.Draw(m, m.Bounds().Inset(line), image.Transparent, image.Point{}, draw.Src)
	return glyph{mask: m, at: image.Pt(line, -h), advance: fixed.I(w + 2*line)}
}

// visible maps what must not be interpreted (control characters, marks that
// turn the direction of text, bytes that are no UTF-8) to U+FFFD, which the
// fonts draw, and tabs to spaces.
func visible(r rune) rune {
	switch {
	case r == '\t', r == 0xA0:
		return ' '
	case r < 0x20, r >= 0x7F && r < 0xA0,
		r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F, r == 0xFEFF:
		return utf8.RuneError
	}
	return r
}

// width is the width of a text without line breaks, in pixels.
func (s textStyle) width(text string) int {
	t := theTypesetter()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.widthLocked(s, text).Ceil()
}

func (t *typesetter) widthLocked(s textStyle, text string) (w fixed.Int26_6) {
	for _, r := range text {
		w += t.glyphLocked(glyphKey{style: s, r: visible(r)}).advance
	}
	return w
}

// text writes one line with its top left corner at p and returns its width in
// pixels.
func (s textStyle) text(dst *image.RGBA, p image.Point, c color.Color, text string) int {
	t := theTypesetter()
	t.mu.Lock()
	defer t.mu.Unlock()
	src := image.NewUniform(c)
	x, base := fixed.I(p.X), p.Y+s.ascent()
	for _, r := range text {
		k := glyphKey{style: s, r: visible(r), sub: uint8(x&63) / (64 / subpixels)}
		g := t.glyphLocked(k)
		if g.mask != nil {
			at := image.Pt(x.Floor(), base).Add(g.at)
			draw.DrawMask(dst, g.mask.Bounds().Add(at), src, image.Point{}, g.mask, image.Point{}, draw.Over)
		}
		x += g.advance
	}
	return (x - fixed.I(p.X)).Ceil()
}

// ellipsis shortens text to width pixels, ending it with "…" when something
// was cut.
func (s textStyle) ellipsis(text string, width int) string {
	// One line only, and no more looked at than could ever fit.
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, cutRunes(text, 2048))
	t := theTypesetter()
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := fixed.I(width)
	if t.widthLocked(s, text) <= limit {
		return text
	}
	w := t.glyphLocked(glyphKey{style: s, r: '…'}).advance
	for i, r := range text {
		w += t.glyphLocked(glyphKey{style: s, r: visible(r)}).advance
		if w > limit {
			return strings.TrimRight(text[:i], " ") + "…"
		}
	}
	return text
}

// wrap breaks text into lines of at most width pixels: at line breaks, after
// spaces and hyphens, and inside a word only when the word alone is too long.
func (s textStyle) wrap(text string, width int) []string {
	t := theTypesetter()
	t.mu.Lock()
	defer t.mu.Unlock()
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	var lines []string
	for para := range strings.SplitSeq(text, "\n") {
		lines = t.wrapLocked(lines, s, para, fixed.I(width))
	}
	return lines
}

func (t *typesetter) wrapLocked(lines []string, s textStyle, para string, width fixed.Int26_6) []string {
	start, brk := 0, 0         // byte offsets: of this line, and where it may be broken
	var w, atBrk fixed.Int26_6 // width of the line, and of its part up to brk
	for i, r := range para {
		adv := t.glyphLocked(glyphKey{style: s, r: visible(r)}).advance
		if r == ' ' || r == '\t' {
			// A space never starts a line and may hang over its end.
			w += adv
			brk, atBrk = i+1, w
			continue
		}
		for w+adv > width && i > start {
			end, used := brk, atBrk
			if end <= start {
				end, used = i, w
			}
			lines = append(lines, strings.TrimRight(para[start:end], " \t"))
			start, w = end, w-used
			brk, atBrk = start, 0
		}
		w += adv
		if r == '-' || r == '/' || r == '\\' || r >= 0x2E80 {
			brk, atBrk = i+utf8.RuneLen(r), w
		}
	}
	return append(lines, strings.TrimRight(para[start:], " \t"))
}

// cutRunes keeps at most n characters of s.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
