// SPDX-License-Identifier: Apache-2.0

package surface

import "image"

// What the windows of the secure desktop answer.
const (
	CommandSignIn     uint32 = iota + 1 // Credentials has what was typed
	CommandLock                         // lock the session
	CommandSwitchUser                   // leave it and sign in as somebody else
	CommandLogoff                       // log off
	CommandTaskList                     // show what runs
	CommandCancel                       // go back
)

// SecurityScreen is what Ctrl+Alt+Del shows while somebody is logged on.
// Rules: LGN-14.
type SecurityScreen struct {
	User       string // who is logged on
	Session    uint32
	SwitchUser bool // whether there is such a choice
	TaskList   bool
	Scale      int
}

type securityWindow struct {
	dialog
	s      SecurityScreen
	header int
}

// Window makes the window.
func (s SecurityScreen) Window() Window {
	w := &securityWindow{dialog: newDialog("", s.Scale), s: s}
	w.closeID = CommandCancel
	w.buttons = []button{
		{label: "Lock", mnemonic: 'k', id: CommandLock, row: true},
		{label: "Switch user", mnemonic: 'w', id: CommandSwitchUser, row: true, disabled: !s.SwitchUser},
		{label: "Log off", mnemonic: 'l', id: CommandLogoff, row: true},
		{label: "Task list", mnemonic: 't', id: CommandTaskList, row: true, disabled: !s.TaskList},
		{label: "Cancel", id: CommandCancel, primary: true},
	}
	w.focus = 0
	return w
}

// Layout implements Window.
func (w *securityWindow) Layout(image.Point) image.Point {
	k := w.k
	width := 340 * k
	w.header = 84 * k
	w.head = w.header - 14*k
	y := w.header + 6*k
	for i := range w.buttons {
		b := &w.buttons[i]
		if b.row {
			b.r = image.Rect(padding*k, y, width-padding*k, y+40*k)
			y += 48 * k
		} else {
			y += 14 * k
			b.r = image.Rect(width-padding*k-w.buttonWidth(i), y+13*k, width-padding*k, y+(13+buttonHeight)*k)
		}
	}
	w.size = image.Pt(width, y+(26+buttonHeight)*k)
	return w.size
}

// Draw implements Window.
func (w *securityWindow) Draw(dst *image.RGBA, active bool) {
	k := w.k
	w.drawFrame(dst, active, w.size.Y-(26+buttonHeight)*k)
	what := "Session " + itoa(w.s.Session)
	if w.s.User != "" {
		what = w.s.User + " is signed in · session " + itoa(w.s.Session)
	}
	w.drawHeader(dst, "Security", what, w.header)
}

// drawHeader paints the dark top part of a secure window.
func (d *dialog) drawHeader(dst *image.RGBA, title, sub string, height int) {
	k := d.k
	o := dst.Bounds().Min
	r := image.Rect(0, 0, d.size.X, height-14*k).Add(o)
	fillRound(dst, r, float32(windowRadius*k), topCorners, captionColor)
	lockIcon.draw(dst, image.Rect(padding*k, 15*k, (padding+36)*k, 51*k).Add(o))
	big := textStyle{bold, 18 * k}
	x := (padding + 50) * k
	big.text(dst, o.Add(image.Pt(x, 13*k)), captionInk, title)
	small := d.small()
	small.text(dst, o.Add(image.Pt(x, 37*k)), rgb(0xC3CFDB), small.ellipsis(sub, d.size.X-x-16*k))
}

// Key implements Window.
func (w *securityWindow) Key(down bool, sym uint32) Action { return w.key(down, sym) }

// Pointer implements Window.
func (w *securityWindow) Pointer(e PointerEvent) Action { return w.pointer(e) }

// CredentialPrompt asks for a user and a password. Rules: LGN-14, LGN-16.
type CredentialPrompt struct {
	Unlock  bool   // the session is locked: User cannot be changed; otherwise nobody is logged on
	User    string // filled in
	Text    string // a line above the fields, such as the name of the machine
	Error   string // why the last attempt was refused
	Session uint32
	Scale   int
}

// CredentialWindow is a CredentialPrompt on the screen.
type CredentialWindow struct {
	dialog
	c          CredentialPrompt
	header     int
	errorLines []string
	errorAt    image.Point
	busy       bool
}

// Window makes the window.
func (c CredentialPrompt) Window() *CredentialWindow {
	w := &CredentialWindow{dialog: newDialog("", c.Scale), c: c}
	user := &edit{label: "User name", k: w.k}
	user.set(c.User)
	w.edits = []*edit{user, {label: "Password", secret: true, k: w.k}}
	label := "Sign in"
	if c.Unlock {
		label = "Unlock"
	}
	w.buttons = []button{{label: label, id: CommandSignIn, primary: true}}
	w.def = 0
	w.focus = 0
	if c.User != "" {
		w.focus = 1
		user.disabled = c.Unlock
	}
	return w
}

// Busy reports whether the window is disabled by SetBusy.
func (w *CredentialWindow) Busy() bool { return w.busy }

// Credentials gives what was typed and forgets the password.
func (w *CredentialWindow) Credentials() (user, password string) {
	user, password = string(w.edits[0].text), string(w.edits[1].text)
	w.edits[1].wipe()
	return user, password
}

// SetBusy disables the window while the credentials are being checked.
func (w *CredentialWindow) SetBusy(busy bool) {
	w.busy, w.frozen = busy, busy
	if len(w.edits[0].text) > 0 {
		w.focus = 1 // another attempt begins with the password
	}
	w.edits[0].disabled = busy || w.c.Unlock && w.c.User != ""
	w.edits[1].disabled = busy
}

// Layout implements Window.
func (w *CredentialWindow) Layout(image.Point) image.Point {
	k := w.k
	width := 380 * k
	pad := padding * k
	w.header = 84 * k
	w.head = w.header - 14*k
	y := w.header + 22*k
	for _, e := range w.edits {
		e.r = image.Rect(pad, y, width-pad, y+36*k)
		y += 66 * k
	}
	y -= 18 * k
	w.errorLines = nil
	w.errorAt = image.Pt(pad, y)
	if w.c.Error != "" {
		w.errorLines = w.small().wrap(cutRunes(w.c.Error, 400), width-2*pad-24*k)
		w.errorLines = w.errorLines[:min(len(w.errorLines), 3)]
		y += len(w.errorLines)*w.small().height() + 12*k
	}
	w.size = image.Pt(width, y+(26+buttonHeight)*k)
	w.placeButtons(width-pad, y+13*k)
	return w.size
}

// Draw implements Window.
func (w *CredentialWindow) Draw(dst *image.RGBA, active bool) {
	k := w.k
	o := dst.Bounds().Min
	w.drawFrame(dst, active, w.size.Y-(26+buttonHeight)*k)
	title, sub := "Sign in", w.c.Text
	if w.c.Unlock {
		title = "Locked"
		if sub == "" {
			sub = "Session " + itoa(w.c.Session) + " of " + w.c.User + " is locked"
		}
	} else if sub == "" {
		sub = "Session " + itoa(w.c.Session)
	}
	w.drawHeader(dst, title, sub, w.header)
	if len(w.errorLines) > 0 {
		small := w.small()
		errorIcon.draw(dst, image.Rect(0, 0, 16*k, 16*k).Add(o).Add(w.errorAt))
		for i, l := range w.errorLines {
			small.text(dst, o.Add(w.errorAt).Add(image.Pt(24*k, i*small.height())), errorColor, l)
		}
	}
	if w.busy {
		small := w.small()
		r := w.buttons[0].r.Add(o)
		small.text(dst, image.Pt(o.X+padding*k, r.Min.Y+(r.Dy()-small.height())/2), softInk, "Checking …")
	}
}

// Key implements Window.
func (w *CredentialWindow) Key(down bool, sym uint32) Action {
	if down && (sym == KeyReturn || sym == KeyKPEnter) && len(w.edits[0].text) == 0 && !w.frozen {
		w.focus = 0
		return Action{Redraw: true}
	}
	a := w.key(down, sym)
	if a.Answer == CommandSignIn && len(w.edits[0].text) == 0 {
		w.focus = 0
		a.Answer = 0
	}
	return a
}

// Pointer implements Window.
func (w *CredentialWindow) Pointer(e PointerEvent) Action {
	a := w.pointer(e)
	if a.Answer == CommandSignIn && len(w.edits[0].text) == 0 {
		w.focus = 0
		a.Answer = 0
	}
	return a
}

// Notice is a plain statement that takes no answer: the session is
// disconnected, a desktop has no display and why.
type Notice struct {
	Title string
	Text  string
	Error bool // with the icon of an error instead of information
	Scale int
}

type noticeWindow struct {
	dialog
	n     Notice
	lines []string
}

// Window makes the window.
func (n Notice) Window() Window {
	return &noticeWindow{dialog: newDialog("", n.Scale), n: n}
}

// Layout implements Window.
func (w *noticeWindow) Layout(screen image.Point) image.Point {
	k := w.k
	width := max(min(440*k, screen.X-24*k), 160*k)
	left := (padding + 36 + 16) * k
	w.lines = w.body().wrap(cutRunes(w.n.Text, 2000), width-left-padding*k)
	most := max(1, (screen.Y-120*k)/w.body().height())
	if len(w.lines) > most {
		w.lines = w.lines[:most]
		w.lines[most-1] += " …"
	}
	h := max(36*k, 30*k+len(w.lines)*w.body().height())
	w.size = image.Pt(width, h+2*padding*k)
	return w.size
}

// Draw implements Window.
func (w *noticeWindow) Draw(dst *image.RGBA, active bool) {
	k := w.k
	o := dst.Bounds().Min
	w.drawFrame(dst, active, 0)
	i := informationIcon
	if w.n.Error {
		i = errorIcon
	}
	i.draw(dst, image.Rect(padding*k, padding*k, (padding+36)*k, (padding+36)*k).Add(o))
	x := (padding + 36 + 16) * k
	big := textStyle{bold, 16 * k}
	big.text(dst, o.Add(image.Pt(x, padding*k-2*k)), inkColor, big.ellipsis(w.n.Title, w.size.X-x-padding*k))
	for i, l := range w.lines {
		w.body().text(dst, o.Add(image.Pt(x, padding*k+28*k+i*w.body().height())), softInk, l)
	}
}

// Key implements Window.
func (w *noticeWindow) Key(bool, uint32) Action { return Action{} }

// Pointer implements Window.
func (w *noticeWindow) Pointer(PointerEvent) Action { return Action{} }

func itoa(n uint32) string {
	var b [10]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
