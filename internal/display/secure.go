// SPDX-License-Identifier: Apache-2.0

package display

import (
	"fmt"
	"strings"

	"stationmaster/internal/surface"
)

// SecureKind is what a Winlogon desktop shows.
type SecureKind uint8

// Kinds of SecureScreen.
const (
	SecureNone    SecureKind = iota // nothing but the background
	SecureWelcome                   // press Ctrl+Alt+Del to sign in
	SecureLogon                     // user and password
	SecureMenu                      // lock, log off, …
	SecureUnlock                    // the password of the session's user
	SecureLocked                    // press Ctrl+Alt+Del to unlock
	SecureWait                      // Text only, such as "Signing in …"
)

// SecureScreen is what the Winlogon desktop of a session shows, and what to call
// for what a person chooses there. The callbacks run without locks; nil ones are
// not called. Between OnLogon or OnUnlock and the next SetSecureScreen the prompt
// is disabled.
//
// Rules: LGN-14, LGN-16.
type SecureScreen struct {
	Kind       SecureKind
	User       string // filled in, or who is signed in
	Text       string // a line above the fields
	Error      string // why the last attempt was refused
	Busy       bool   // a password is being checked: the prompt is disabled
	SwitchUser bool   // offer it
	TaskList   bool   // offer it

	OnLogon      func(user, password string)
	OnUnlock     func(user, password string)
	OnLock       func()
	OnLogoff     func()
	OnSwitchUser func()
	OnTaskList   func()
	OnCancel     func()
}

// SetSecureScreen says what the Winlogon desktop of a session shows from now on.
func (m *Manager) SetSecureScreen(session uint32, screen SecureScreen) {
	s := m.session(session, true)
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secure = screen
	for _, d := range s.desktops {
		if d.comp != nil {
			d.showSecureLocked()
		}
	}
}

// showSecureLocked puts the secure window on a Winlogon desktop.
func (d *desktop) showSecureLocked() {
	if !d.spec.Secure || !strings.EqualFold(d.spec.Desktop, "Winlogon") {
		return
	}
	s := d.s
	scale := s.m.o.Scale
	c := s.secure
	o := surface.LayerOptions{Scale: scale}
	var w surface.Window
	notice := func(title, text string) {
		if c.Text != "" {
			text = c.Text
		}
		w, o.Still = surface.Notice{Title: title, Text: text, Scale: scale}.Window(), true
	}
	switch c.Kind {
	case SecureLogon, SecureUnlock:
		p := surface.CredentialPrompt{Unlock: c.Kind == SecureUnlock, User: c.User, Text: c.Text, Error: c.Error, Session: s.id, Scale: scale}.Window()
		p.SetBusy(c.Busy)
		w = p
	case SecureMenu:
		w = surface.SecurityScreen{User: c.User, Session: s.id, SwitchUser: c.SwitchUser, TaskList: c.TaskList, Scale: scale}.Window()
	case SecureWait:
		notice("Please wait", "")
	case SecureWelcome:
		notice("Welcome", fmt.Sprintf("Press Ctrl+Alt+Delete to sign in to session %d.", s.id))
	case SecureLocked:
		notice("Locked", fmt.Sprintf("%s has locked session %d. Press Ctrl+Alt+Delete to unlock it.", c.User, s.id))
	}
	old := d.secureLayer
	d.secureLayer = nil
	var layer *surface.Layer
	o.Answer = func(a uint32) { s.m.run(func() { d.secureAnswer(layer, a) }) }
	if w != nil {
		layer = d.comp.Show(w, o)
		d.secureLayer = layer
	}
	if old != nil {
		old.Close()
	}
}

// secureAnswer carries out what a person chose on the Winlogon desktop.
func (d *desktop) secureAnswer(layer *surface.Layer, a uint32) {
	s := d.s
	s.mu.Lock()
	if layer == nil || d.secureLayer != layer {
		s.mu.Unlock()
		return // that window is gone already
	}
	c := s.secure
	var user, password string
	if a == surface.CommandSignIn {
		busy := true
		layer.Update(func(w surface.Window) {
			if w, ok := w.(*surface.CredentialWindow); ok && !w.Busy() {
				busy = false
				user, password = w.Credentials()
				w.SetBusy(true)
			}
		})
		if busy {
			s.mu.Unlock()
			return
		}
	}
	s.mu.Unlock()

	var fn func()
	switch a {
	case surface.CommandSignIn:
		check := c.OnLogon
		if c.Kind == SecureUnlock {
			check = c.OnUnlock
		}
		if check != nil {
			fn = func() { check(user, password) }
		}
	case surface.CommandLock:
		fn = c.OnLock
	case surface.CommandLogoff:
		fn = c.OnLogoff
	case surface.CommandSwitchUser:
		fn = c.OnSwitchUser
	case surface.CommandTaskList:
		fn = c.OnTaskList
	case surface.CommandCancel:
		fn = c.OnCancel
	}
	if fn != nil {
		fn()
	}
}
