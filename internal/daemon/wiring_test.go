// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"time"

	"stationmaster/internal/display"
	"stationmaster/internal/logon"
	"stationmaster/station"
)

// Follow keeps the screens in step with an engine event, as the daemon's wiring
// does: which desktop of a session is shown, and that a session is gone.
func (s *Screens) Follow(e *station.Engine, ev station.Event) {
	switch ev.Kind {
	case station.EventSessionTerminate:
		s.m.EndSession(ev.Session)
		return
	case station.EventSessionCreate, station.EventDesktopSwitch:
	default:
		return
	}
	se, ok := e.Session(ev.Session)
	if !ok {
		return // its end follows
	}
	name := ev.Fields["to"]
	if ev.Kind == station.EventSessionCreate {
		d := se.ActiveDesktop()
		if d == nil {
			return
		}
		name = d.Name()
	}
	w := se.Interactive()
	if d, ok := w.Desktop(name); ok {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := d.Surface(ctx); err != nil {
			s.log.Warn("a desktop has no surface", "desktop", d.Path(), "session", se.ID(), "err", err)
		}
	}
	s.m.Switch(se.ID(), w.Name(), name)
}

// SetSecureScreen shows what winlogon has to say on the session's Winlogon
// desktop.
func (s *Screens) SetSecureScreen(session uint32, q logon.Screen) {
	out := display.SecureScreen{
		User: q.User, Error: q.Error, Busy: q.Busy, OnLogon: q.OnLogon, OnLock: q.OnLock, OnLogoff: q.OnLogoff, OnCancel: q.OnCancel,
	}
	if q.OnUnlock != nil {
		out.OnUnlock = func(_, password string) { q.OnUnlock(password) }
	}
	switch q.Kind {
	case logon.ScreenLogon:
		out.Kind = display.SecureLogon
	case logon.ScreenSecurity:
		out.Kind = display.SecureMenu
	case logon.ScreenUnlock:
		out.Kind = display.SecureUnlock
	default:
		out.Kind = display.SecureWait
	}
	s.m.SetSecureScreen(session, out)
}

var _ logon.Display = (*Screens)(nil)
