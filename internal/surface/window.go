// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"
	"unicode"
)

// Window is one of the session manager's own windows. It draws itself and turns
// keys and clicks of a person into an Action. It knows nothing of where on the
// screen it lies. A window is used by one goroutine at a time (its Compositor
// sees to that).
type Window interface {
	// Layout arranges the window for a screen of the given size in pixels and
	// returns its own size. It is called before anything else and again when
	// the screen changes its size.
	Layout(screen image.Point) image.Point
	// Draw paints the window with its top left corner at dst's. active tells
	// whether it has the keyboard.
	Draw(dst *image.RGBA, active bool)
	// Key takes one key event, as an X key symbol.
	Key(down bool, keysym uint32) Action
	// Pointer takes one event of the mouse.
	Pointer(e PointerEvent) Action
	// Caption is where the window can be dragged; empty when nowhere.
	Caption() image.Rectangle
}

// PointerEvent is one event of a viewer's mouse, relative to the window.
type PointerEvent struct {
	At      image.Point
	Buttons uint8 // held after the event: bit 0 left, 1 middle, 2 right, 3 and 4 the wheel
	Down    uint8 // pressed by this event
	Up      uint8 // released by this event
	Leave   bool  // the pointer left the window; the rest is zero
}

// Buttons of PointerEvent.
const (
	ButtonLeft      uint8 = 1 << 0
	ButtonWheelUp   uint8 = 1 << 3
	ButtonWheelDown uint8 = 1 << 4
)

// Action is what a window wants after an event.
type Action struct {
	Redraw bool   // what it shows has changed
	Answer uint32 // button chosen: IDOK… of a message box, Command… of a secure screen; 0 for none
}

// Geometry of every window, in pixels at scale 1.
const (
	fontSize      = 14
	smallSize     = 12
	captionHeight = 36
	padding       = 22
	buttonHeight  = 32
	buttonMin     = 92
	buttonGap     = 10
	windowRadius  = 8
	buttonRadius  = 5
)

// clampScale allows the two scales there are.
func clampScale(k int) int {
	if k >= 2 {
		return 2
	}
	return 1
}

// button is one push button of a dialog.
type button struct {
	r        image.Rectangle
	label    string
	mnemonic rune // lower case; 0 for none
	id       uint32
	disabled bool
	primary  bool // drawn in the accent colour
	row      bool // drawn as a wide row of a menu, text at the left
}

// dialog is what windows with a caption and buttons have in common: keyboard
// focus, hovering, pressing. Items are its edit fields followed by its buttons.
type dialog struct {
	k       int // scale
	title   string
	head    int // height of the dark part at the top
	size    image.Point
	caption image.Rectangle
	close   image.Rectangle // the X of the caption; empty for none
	closeID uint32          // what Esc and the X answer; 0: disabled
	edits   []*edit
	buttons []button
	focus   int // item; -1 for none
	def     int // button that Enter presses when no button has the focus; -1 for none
	hot     int // button under the pointer, closeItem for the X, -1 for none
	pressed int // button held by the mouse, closeItem, -1
	spaceOn int // button held by the space bar, -1
	shift   bool
	frozen  bool // takes no input (a check is going on)
}

const closeItem = 1 << 16

func newDialog(title string, scale int) dialog {
	return dialog{k: clampScale(scale), title: title, focus: -1, def: -1, hot: -1, pressed: -1, spaceOn: -1}
}

func (d *dialog) body() textStyle  { return textStyle{regular, fontSize * d.k} }
func (d *dialog) small() textStyle { return textStyle{regular, smallSize * d.k} }
func (d *dialog) bold() textStyle  { return textStyle{bold, fontSize * d.k} }

// Caption implements Window. The close button is no handle to drag by.
func (d *dialog) Caption() image.Rectangle {
	r := d.caption
	if !d.close.Empty() {
		r.Max.X = d.close.Min.X
	}
	return r
}

func (d *dialog) items() int { return len(d.edits) + len(d.buttons) }

func (d *dialog) enabled(item int) bool {
	if item < len(d.edits) {
		return !d.edits[item].disabled
	}
	return !d.buttons[item-len(d.edits)].disabled
}

// step moves the focus to the next item that takes it.
func (d *dialog) step(by int) {
	n := d.items()
	if n == 0 {
		return
	}
	at := d.focus
	if at < 0 && by < 0 {
		at = 0
	}
	for range n {
		at = (at + by + n) % n
		if d.enabled(at) {
			d.focus = at
			return
		}
	}
}

// stepButton moves the focus among the buttons, as the arrow keys do.
func (d *dialog) stepButton(by int) {
	if len(d.buttons) == 0 {
		return
	}
	if d.focus < len(d.edits) {
		return
	}
	at := d.focus - len(d.edits)
	for range d.buttons {
		at = (at + by + len(d.buttons)) % len(d.buttons)
		if !d.buttons[at].disabled {
			d.focus = at + len(d.edits)
			return
		}
	}
}

func (d *dialog) focusedEdit() *edit {
	if d.focus >= 0 && d.focus < len(d.edits) {
		return d.edits[d.focus]
	}
	return nil
}

func (d *dialog) press(i int) Action {
	if i < 0 || i >= len(d.buttons) || d.buttons[i].disabled {
		return Action{}
	}
	d.focus = i + len(d.edits)
	return Action{Redraw: true, Answer: d.buttons[i].id}
}

// key handles a key event that the window itself had no use for.
func (d *dialog) key(down bool, sym uint32) Action {
	switch sym {
	case KeyShiftL, KeyShiftR:
		d.shift = down
		return Action{}
	}
	if d.frozen {
		return Action{}
	}
	if !down {
		if (sym == ' ') && d.spaceOn >= 0 {
			i := d.spaceOn
			d.spaceOn = -1
			a := d.press(i)
			a.Redraw = true
			return a
		}
		return Action{}
	}
	e := d.focusedEdit()
	switch sym {
	case KeyTab:
		if d.shift {
			d.step(-1)
		} else {
			d.step(1)
		}
		d.spaceOn = -1
		return Action{Redraw: true}
	case KeyLeftTab:
		d.step(-1)
		d.spaceOn = -1
		return Action{Redraw: true}
	case KeyEscape:
		return Action{Redraw: d.closeID != 0, Answer: d.closeID}
	case KeyReturn, KeyKPEnter:
		if i := d.focus - len(d.edits); d.focus >= 0 && i >= 0 {
			return d.press(i)
		}
		// Enter in a field goes on to the next empty one, and only then to the
		// default button.
		for i, next := range d.edits {
			if i > d.focus && len(next.text) == 0 && !next.disabled {
				d.focus = i
				return Action{Redraw: true}
			}
		}
		return d.press(d.def)
	}
	if e != nil {
		if sym == KeyUp || sym == KeyDown {
			d.step(map[bool]int{true: -1, false: 1}[sym == KeyUp])
			return Action{Redraw: true}
		}
		return Action{Redraw: e.key(sym)}
	}
	switch sym {
	case ' ':
		if i := d.focus - len(d.edits); d.focus >= 0 && i >= 0 && !d.buttons[i].disabled {
			d.spaceOn = i
			return Action{Redraw: true}
		}
		return Action{}
	case KeyLeft, KeyUp:
		d.stepButton(-1)
		return Action{Redraw: true}
	case KeyRight, KeyDown:
		d.stepButton(1)
		return Action{Redraw: true}
	}
	if r := unicode.ToLower(Rune(sym)); r != 0 {
		for i, b := range d.buttons {
			switch {
			case b.mnemonic != r || b.disabled:
			case b.row:
				// A row of the security screen is chosen by its letter and
				// taken by Enter: one stray key must not log anybody off.
				d.focus = i + len(d.edits)
				return Action{Redraw: true}
			default:
				return d.press(i)
			}
		}
	}
	return Action{}
}

// hit gives the button at p, closeItem, or -1.
func (d *dialog) hit(p image.Point) int {
	if d.closeID != 0 && p.In(d.close) {
		return closeItem
	}
	for i, b := range d.buttons {
		if !b.disabled && p.In(b.r) {
			return i
		}
	}
	return -1
}

// pointer handles an event of the mouse: a button answers when it was pressed
// and released inside.
func (d *dialog) pointer(e PointerEvent) Action {
	if e.Leave {
		redraw := d.hot >= 0
		d.hot = -1
		return Action{Redraw: redraw}
	}
	if d.frozen {
		return Action{}
	}
	var a Action
	at := d.hit(e.At)
	if d.hot != at {
		d.hot = at
		a.Redraw = true
	}
	if e.Down&ButtonLeft != 0 {
		d.pressed = at
		a.Redraw = a.Redraw || at >= 0
		if at >= 0 && at != closeItem {
			d.focus = at + len(d.edits)
		}
		for i, ed := range d.edits {
			if e.At.In(ed.r) && !ed.disabled {
				d.focus = i
				ed.click(e.At.X)
				a.Redraw = true
			}
		}
	}
	if e.Up&ButtonLeft != 0 && d.pressed >= 0 {
		was := d.pressed
		d.pressed = -1
		a.Redraw = true
		switch {
		case was != at:
		case at == closeItem:
			a.Answer = d.closeID
		default:
			a.Answer = d.buttons[at].id
		}
	}
	return a
}

// drawFrame paints body, caption and the strip the buttons lie on (from footTop
// down; 0 for none).
func (d *dialog) drawFrame(dst *image.RGBA, active bool, footTop int) {
	o := dst.Bounds().Min
	r := image.Rectangle{Min: o, Max: o.Add(d.size)}
	radius := float32(windowRadius * d.k)
	if d.head > 0 {
		// Body and top part share no rounded corner, so none shines through.
		below := r
		below.Min.Y += d.head
		fillRound(dst, below, radius, bottomCorners, paperColor)
	} else {
		fillRound(dst, r, radius, allCorners, paperColor)
	}
	if footTop > 0 {
		foot := r
		foot.Min.Y += footTop
		fillRound(dst, foot, radius, bottomCorners, footColor)
		fill(dst, image.Rect(foot.Min.X, foot.Min.Y, foot.Max.X, foot.Min.Y+d.k), lineColor)
	}
	if !d.caption.Empty() {
		c := captionFaded
		if active {
			c = captionColor
		}
		bar := d.caption.Add(o)
		fillRound(dst, bar, radius, topCorners, c)
		style := d.bold()
		style.size = 13 * d.k
		room := bar.Dx() - 2*padding*d.k/2
		if !d.close.Empty() {
			room -= d.close.Dx()
			d.drawClose(dst, d.close.Add(o))
		}
		p := image.Pt(bar.Min.X+16*d.k, bar.Min.Y+(bar.Dy()-style.height())/2)
		style.text(dst, p, captionInk, style.ellipsis(d.title, room-16*d.k))
	}
	strokeRound(dst, r, radius, d.k, shade(rgb(0x0B1722), 0x60))
	for i := range d.edits {
		d.edits[i].draw(dst, active && d.focus == i && !d.frozen, d.k)
	}
	for i := range d.buttons {
		d.drawButton(dst, i, active)
	}
}

func (d *dialog) drawClose(dst *image.RGBA, r image.Rectangle) {
	ink := captionInk
	switch {
	case d.closeID == 0:
		ink = shade(captionInk, 0x50)
	case d.pressed == closeItem && d.hot == closeItem:
		fillRound(dst, r, float32(4*d.k), allCorners, shade(rgb(0xFFFFFF), 0x50))
	case d.hot == closeItem:
		fillRound(dst, r, float32(4*d.k), allCorners, shade(rgb(0xFFFFFF), 0x30))
	}
	c := r.Min.Add(r.Size().Div(2))
	l := float32(4*d.k) + 0.5
	x, y := float32(c.X), float32(c.Y)
	fillLine(dst, ink, x-l, y-l, x+l, y+l, 1.5*float32(d.k))
	fillLine(dst, ink, x+l, y-l, x-l, y+l, 1.5*float32(d.k))
}

func (d *dialog) drawButton(dst *image.RGBA, i int, active bool) {
	b := d.buttons[i]
	r := b.r.Add(dst.Bounds().Min)
	radius := float32(buttonRadius * d.k)
	disabled := b.disabled || d.frozen
	down := d.spaceOn == i || d.pressed == i && d.hot == i
	hot := d.hot == i && d.pressed < 0
	focused := active && d.focus == i+len(d.edits) && !d.frozen
	primary := b.primary && !disabled
	ink, face, edge := inkColor, paperColor, edgeColor
	switch {
	case disabled:
		ink, face, edge = disabledInk, footColor, lineColor
	case primary:
		ink, face = rgb(0xFFFFFF), accentColor
		if down {
			face = accentPressed
		} else if hot {
			face = accentHot
		}
		edge = face
	case down:
		face = pressedColor
	case hot:
		face = hotColor
	}
	if focused {
		// A ring around the button, apart from it by a pixel.
		strokeRound(dst, r.Inset(-3*d.k), radius+float32(3*d.k), 2*d.k, shade(accentColor, 0xB0))
	}
	fillRound(dst, r, radius, allCorners, face)
	strokeRound(dst, r, radius, d.k, edge)

	style := d.body()
	w := style.width(b.label)
	p := image.Pt(r.Min.X+(r.Dx()-w)/2, r.Min.Y+(r.Dy()-style.height())/2)
	if b.row {
		p.X = r.Min.X + 16*d.k
	}
	style.text(dst, p, ink, b.label)
	for at, c := range b.label {
		if b.mnemonic != 0 && unicode.ToLower(c) == b.mnemonic {
			x0 := p.X + style.width(b.label[:at])
			x1 := x0 + style.width(string(c))
			y := p.Y + style.ascent() + 2*d.k
			fill(dst, image.Rect(x0, y, x1, y+d.k), ink)
			break
		}
	}
}

// placeButtons lays the buttons out in one row that ends at the right edge
// right, each as wide as its label needs.
func (d *dialog) placeButtons(right, top int) {
	x := right
	for i := len(d.buttons) - 1; i >= 0; i-- {
		w := d.buttonWidth(i)
		d.buttons[i].r = image.Rect(x-w, top, x, top+buttonHeight*d.k)
		x -= w + buttonGap*d.k
	}
}

func (d *dialog) buttonWidth(i int) int {
	return max(buttonMin*d.k, d.body().width(d.buttons[i].label)+28*d.k)
}

func (d *dialog) buttonsWidth() int {
	w := (len(d.buttons) - 1) * buttonGap * d.k
	for i := range d.buttons {
		w += d.buttonWidth(i)
	}
	return w
}
