// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"image"

	"stationmaster/win32"
)

// MaxText is the longest title and text of a message box in bytes. What is
// longer is cut at a character.
const MaxText = 64 << 10

// Bits of MessageBox.Style that only concern its looks.
const (
	mbRight      uint32 = 0x80000
	mbRTLReading uint32 = 0x100000
)

// MessageBox says what a message box asks. Text that does not fit on the screen
// is scrolled: by the wheel, Page Up and Page Down, Home and End, Up and Down.
type MessageBox struct {
	Title string
	Text  string
	Style uint32 // MB_… bits
	Scale int    // 1 or 2: how many pixels a unit of the layout has; 0 means 1
}

type buttonKind struct {
	id       uint32
	label    string
	mnemonic rune
}

var (
	okButton       = buttonKind{win32.IDOK, "OK", 0}
	cancelButton   = buttonKind{win32.IDCANCEL, "Cancel", 0}
	abortButton    = buttonKind{win32.IDABORT, "Abort", 'a'}
	retryButton    = buttonKind{win32.IDRETRY, "Retry", 'r'}
	ignoreButton   = buttonKind{win32.IDIGNORE, "Ignore", 'i'}
	yesButton      = buttonKind{win32.IDYES, "Yes", 'y'}
	noButton       = buttonKind{win32.IDNO, "No", 'n'}
	tryAgainButton = buttonKind{win32.IDTRYAGAIN, "Try Again", 't'}
	continueButton = buttonKind{win32.IDCONTINUE, "Continue", 'c'}
)

// buttonSets is indexed by the low nibble of the style (WTS-33).
var buttonSets = [...][]buttonKind{
	win32.MB_OK:                {okButton},
	win32.MB_OKCANCEL:          {okButton, cancelButton},
	win32.MB_ABORTRETRYIGNORE:  {abortButton, retryButton, ignoreButton},
	win32.MB_YESNOCANCEL:       {yesButton, noButton, cancelButton},
	win32.MB_YESNO:             {yesButton, noButton},
	win32.MB_RETRYCANCEL:       {retryButton, cancelButton},
	win32.MB_CANCELTRYCONTINUE: {cancelButton, tryAgainButton, continueButton},
}

// Check gives ERROR_INVALID_MSGBOX_STYLE for a style that names no set of
// buttons. Rules: WTS-33.
func (b MessageBox) Check() error {
	if int(b.Style&win32.MB_TYPEMASK) >= len(buttonSets) {
		return &win32.Error{Op: "WTSSendMessage", Code: win32.ERROR_INVALID_MSGBOX_STYLE, Rule: "WTS-33"}
	}
	return nil
}

// Answers lists what the buttons answer, from left to right.
func (b MessageBox) Answers() []uint32 {
	if b.Check() != nil {
		return nil
	}
	var ids []uint32
	for _, k := range buttonSets[b.Style&win32.MB_TYPEMASK] {
		ids = append(ids, k.id)
	}
	return ids
}

// CloseAnswer is what Esc and the close button answer, or 0 when a box of this
// style cannot be closed without an answer. Rules: WTS-34.
func (b MessageBox) CloseAnswer() uint32 {
	if b.Check() != nil {
		return 0
	}
	if b.Style&win32.MB_TYPEMASK == win32.MB_OK {
		return win32.IDOK
	}
	for _, id := range b.Answers() {
		if id == win32.IDCANCEL {
			return id
		}
	}
	return 0
}

// messageWindow is a MessageBox on the screen.
type messageWindow struct {
	dialog
	b       MessageBox
	icon    icon
	iconR   image.Rectangle
	lines   []string
	wrapped int             // width the lines were broken for
	textR   image.Rectangle // where lines are shown
	footTop int
	top     int // first line shown
	shown   int // lines that fit
}

// Window makes the window of a message box. The error is that of Check.
func (b MessageBox) Window() (Window, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	b.Title, b.Text = cutText(b.Title), cutText(b.Text)
	w := &messageWindow{dialog: newDialog(b.Title, b.Scale), b: b}
	switch b.Style & win32.MB_ICONMASK {
	case win32.MB_ICONERROR:
		w.icon = errorIcon
	case win32.MB_ICONQUESTION:
		w.icon = questionIcon
	case win32.MB_ICONWARNING:
		w.icon = warningIcon
	case win32.MB_ICONINFORMATION:
		w.icon = informationIcon
	}
	for _, k := range buttonSets[b.Style&win32.MB_TYPEMASK] {
		w.buttons = append(w.buttons, button{label: k.label, mnemonic: k.mnemonic, id: k.id})
	}
	w.def = int(b.Style & win32.MB_DEFMASK >> 8)
	if w.def >= len(w.buttons) {
		w.def = 0
	}
	w.buttons[w.def].primary = true
	w.focus = w.def
	w.closeID = b.CloseAnswer()
	return w, nil
}

func cutText(s string) string {
	if len(s) <= MaxText {
		return s
	}
	n := MaxText
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// Layout implements Window.
func (w *messageWindow) Layout(screen image.Point) image.Point {
	k := w.k
	pad := padding * k
	left := pad
	if w.icon != noIcon {
		left += 36*k + 16*k
	}
	// Wide enough for the buttons and the title, but short lines are easier to read.
	limit := max(min(screen.X-40*k, 520*k), 120*k)
	room := max(limit-left-pad, 40*k)
	style := w.body()
	if w.wrapped != room {
		w.lines, w.wrapped = style.wrap(w.b.Text, room), room
		w.top = 0
	}
	textW := 0
	for _, l := range w.lines {
		if textW = max(textW, style.width(l)); textW >= room {
			textW = room
			break
		}
	}
	titleW := min(w.bold().width(cutRunes(w.b.Title, 200))+80*k, limit)
	width := max(left+textW+pad, w.buttonsWidth()+2*pad, titleW, 280*k)

	foot := (buttonHeight + 28) * k
	maxText := max(screen.Y*3/4-captionHeight*k-foot-2*pad, 3*style.height())
	w.shown = max(1, min(len(w.lines), maxText/style.height()))
	w.top = min(w.top, len(w.lines)-w.shown)
	textH := w.shown * style.height()
	bodyH := textH
	if w.icon != noIcon {
		bodyH = max(bodyH, 36*k)
	}
	y := captionHeight*k + pad
	w.iconR = image.Rect(pad, y, pad+36*k, y+36*k)
	textY := y + (bodyH-textH)/2
	w.textR = image.Rect(left, textY, width-pad, textY+textH)
	w.footTop = y + bodyH + pad
	w.size = image.Pt(width, w.footTop+foot)
	w.head = captionHeight * k
	w.caption = image.Rect(0, 0, width, captionHeight*k)
	w.close = image.Rect(width-34*k, 5*k, width-8*k, 31*k)
	w.placeButtons(width-pad+4*k, w.footTop+14*k)
	return w.size
}

// Draw implements Window.
func (w *messageWindow) Draw(dst *image.RGBA, active bool) {
	o := dst.Bounds().Min
	w.drawFrame(dst, active, w.footTop)
	if w.icon != noIcon {
		w.icon.draw(dst, w.iconR.Add(o))
	}
	style := w.body()
	y := w.textR.Min.Y + o.Y
	for _, l := range w.lines[w.top : w.top+w.shown] {
		x := w.textR.Min.X + o.X
		if w.b.Style&(mbRight|mbRTLReading) != 0 {
			x = w.textR.Max.X + o.X - style.width(l)
		}
		style.text(dst, image.Pt(x, y), inkColor, l)
		y += style.height()
	}
	if w.shown < len(w.lines) {
		w.drawScroll(dst)
	}
}

// drawScroll shows which part of a long text is seen.
func (w *messageWindow) drawScroll(dst *image.RGBA) {
	k := w.k
	track := image.Rect(w.size.X-14*k, w.textR.Min.Y, w.size.X-8*k, w.textR.Max.Y).Add(dst.Bounds().Min)
	fillRound(dst, track, float32(3*k), allCorners, hotColor)
	h := max(track.Dy()*w.shown/len(w.lines), 18*k)
	y := track.Min.Y + (track.Dy()-h)*w.top/(len(w.lines)-w.shown)
	fillRound(dst, image.Rect(track.Min.X, y, track.Max.X, y+h), float32(3*k), allCorners, edgeColor)
}

// scroll moves the text by lines and reports whether it moved.
func (w *messageWindow) scroll(by int) Action {
	top := max(0, min(w.top+by, len(w.lines)-w.shown))
	moved := top != w.top
	w.top = top
	return Action{Redraw: moved}
}

// Key implements Window.
func (w *messageWindow) Key(down bool, sym uint32) Action {
	if down && w.shown < len(w.lines) {
		switch sym {
		case KeyPageUp:
			return w.scroll(1 - w.shown)
		case KeyPageDown:
			return w.scroll(w.shown - 1)
		case KeyHome:
			return w.scroll(-len(w.lines))
		case KeyEnd:
			return w.scroll(len(w.lines))
		case KeyUp:
			return w.scroll(-1)
		case KeyDown:
			return w.scroll(1)
		}
	}
	return w.key(down, sym)
}

// Pointer implements Window.
func (w *messageWindow) Pointer(e PointerEvent) Action {
	switch {
	case e.Down&ButtonWheelUp != 0:
		return w.scroll(-3)
	case e.Down&ButtonWheelDown != 0:
		return w.scroll(3)
	}
	return w.pointer(e)
}
