// SPDX-License-Identifier: Apache-2.0

package station

import "stationmaster/win32"

// Which desktop is active follows from the session's state, worked out in one
// place (DT-50), first row that holds:
//
//	session 0 of an isolated engine     Default: there is no winlogon
//	disconnected with a user            Disconnect
//	nobody logged on, or not ready yet  Winlogon
//	locked, or Ctrl+Alt+Del             Winlogon
//	secure screen saver                 Screen-saver
//	otherwise                           the application desktop: the last one
//	                                    that SwitchDesktop chose, at first Default
//
// So "back to the previous desktop" needs no memory of its own, and a desktop
// that goes away while a secure one is shown is never returned to.

// targetLocked gives the desktop that the table names. behind leaves the first
// row out: what becomes active again at reconnect (DT-45).
func (s *Session) targetLocked(behind bool) *Desktop {
	s.mu.AssertHeld()
	w := s.winsta0
	switch {
	case s.services:
		return w.app // no winlogon there (LGN-10)
	case !behind && s.user != nil && s.state == win32.WTSDisconnected:
		return w.desktopLocked(disconnectName)
	case s.user == nil && s.secure == screenSaver:
		return w.desktopLocked(screenSaverName) // LGN-18
	case s.user == nil || !s.ready || s.locked || s.secure == screenAttention:
		return w.desktopLocked(winlogonName)
	case s.secure == screenSaver:
		return w.desktopLocked(screenSaverName)
	}
	return w.app
}

// retargetLocked makes the desktop active that the session's state asks for.
func (s *Session) retargetLocked() {
	w := s.winsta0
	to := s.targetLocked(false)
	from := w.active
	if to == from {
		return
	}
	w.active = to
	// What DT-48 does with windows, hooks and pressed keys joins in here, in
	// its order, when windows, hooks and input are there. Viewers follow the
	// event to the new desktop's surface.
	fields := []string{"from", "", "to", "", "secure", "false"}
	if from != nil {
		fields[1] = from.name
	}
	if to != nil {
		fields[3] = to.name
		if to.secure {
			fields[5] = "true"
		}
	}
	s.engine.publish(EventDesktopSwitch, s.id, fields...)
}

// secureActiveLocked reports whether a program's SwitchDesktop is refused,
// because the station is locked or a desktop of the session manager is shown
// (DT-46 (7)).
func (s *Session) secureActiveLocked() bool {
	return s.locked || s.winsta0.active != nil && s.winsta0.active.secure
}

// Lock locks a session: Winlogon becomes active and stays so until Unlock
// (LGN-15). It fails with 5 when nobody is logged on.
func (e *Engine) Lock(s *Session) error {
	s.mu.Lock()
	defer s.unlock()
	if s.user == nil || s.ending {
		return &win32.Error{Op: "LockSession", Object: s.ObjectName(), Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-15"}
	}
	if s.locked {
		return nil
	}
	s.locked = true
	s.retargetLocked()
	e.publish(EventSessionLock, s.id)
	return nil
}

// Unlock unlocks a session: the desktop that was active before comes back
// (LGN-16). Whoever calls it has verified the user.
func (e *Engine) Unlock(s *Session) error {
	s.mu.Lock()
	defer s.unlock()
	if !s.locked {
		return nil
	}
	s.locked, s.secure, s.ready = false, screenNone, true
	s.retargetLocked()
	e.publish(EventSessionUnlock, s.id)
	return nil
}

// SecureAttention shows the Winlogon desktop: somebody at the terminal pressed
// Ctrl+Alt+Del (LGN-14).
func (e *Engine) SecureAttention(s *Session) error { return s.setScreen(screenAttention) }

// DismissAttention goes back to the user's desktop; it changes nothing while
// the session is locked or nobody is logged on.
func (e *Engine) DismissAttention(s *Session) error { return s.setScreen(screenNone) }

// ScreenSaver shows the Screen-saver desktop, or ends that (LGN-18).
func (e *Engine) ScreenSaver(s *Session, on bool) error {
	if on {
		return s.setScreen(screenSaver)
	}
	return s.setScreen(screenNone)
}

func (s *Session) setScreen(screen secureScreen) error {
	s.mu.Lock()
	defer s.unlock()
	if s.services {
		return &win32.Error{Op: "SwitchDesktop", Object: s.ObjectName(), Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-10"}
	}
	s.secure = screen
	s.retargetLocked()
	return nil
}

// DesktopReady makes the user's desktop active for the first time after logon:
// the shell is ready, or it took too long (DT-50).
func (e *Engine) DesktopReady(s *Session) error {
	s.mu.Lock()
	defer s.unlock()
	if s.user == nil {
		return &win32.Error{Op: "DesktopReady", Object: s.ObjectName(), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "DT-50"}
	}
	s.ready = true
	s.retargetLocked()
	return nil
}

// SwitchDesktop makes a desktop of WinSta0 active for the session manager,
// which no DACL and no secure desktop stops. Winlogon and Screen-saver are
// shown until another switch; an application desktop is remembered even while
// the session is locked or disconnected, and then becomes active afterwards.
// Disconnect can't be chosen: it follows from the session's state.
func (e *Engine) SwitchDesktop(s *Session, name string) error {
	const op = "SwitchDesktop"
	s.mu.Lock()
	defer s.unlock()
	d := s.winsta0.desktopLocked(name)
	switch {
	case d == nil || s.ending:
		return &win32.Error{Op: op, Object: name, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "DT-29"}
	case d.name == disconnectName, s.services && d.secure:
		return &win32.Error{Op: op, Object: name, Code: win32.ERROR_ACCESS_DENIED, Rule: "DT-50"}
	case d.name == winlogonName:
		s.secure = screenAttention
	case d.name == screenSaverName:
		s.secure = screenSaver
	default:
		s.secure = screenNone
		s.winsta0.app = d
		if s.user != nil {
			s.ready = true
		}
	}
	s.retargetLocked()
	return nil
}
