// SPDX-License-Identifier: Apache-2.0

package logon

// ScreenKind says what a Winlogon desktop shows.
type ScreenKind uint8

const (
	ScreenNone     ScreenKind = iota // nothing but the background
	ScreenLogon                      // user name and password
	ScreenSecurity                   // lock, switch user, log off, cancel
	ScreenUnlock                     // password of the user of the session
)

// Screen is what winlogon wants shown on the Winlogon desktop of a session.
// The functions run what the person there chose; they return at once and may
// be called with no lock held from any goroutine. Those that do not belong to
// the kind are nil.
type Screen struct {
	Kind  ScreenKind
	User  string // account to show or to begin with, DOMAIN\name
	Error string // why the last try did not work; empty for none
	Busy  bool   // a password is being checked: fields and buttons are disabled

	OnLogon  func(user, password string)
	OnUnlock func(password string)
	OnLock   func()
	OnLogoff func()
	OnSwitch func() // switch user; nil where that is not offered
	OnCancel func()
}

// Display shows what winlogon has to say. internal/display implements it
// through the daemon.
type Display interface {
	// SetSecureScreen replaces what the session's Winlogon desktop shows. It
	// does not wait for anybody.
	SetSecureScreen(session uint32, s Screen)
}

// noDisplay shows nothing.
type noDisplay struct{}

func (noDisplay) SetSecureScreen(uint32, Screen) {}
