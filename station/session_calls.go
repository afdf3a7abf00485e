// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"errors"
	"fmt"

	"stationmaster/internal/lockrank"
	"stationmaster/security"
	"stationmaster/win32"
)

// Logon says who logs on to a session.
type Logon struct {
	// Token is the user's primary token. Its session must be the session's.
	Token        *security.Token
	Domain, Name string // the account, for listings
}

// transitions are the changes of SES-16. Init and Idle come before Connected
// only; a session that is deleted passes Reset.
var transitions = map[[2]win32.ConnectState]bool{
	{win32.WTSInit, win32.WTSConnectQuery}:      true,
	{win32.WTSInit, win32.WTSConnected}:         true,
	{win32.WTSInit, win32.WTSIdle}:              true,
	{win32.WTSIdle, win32.WTSConnected}:         true,
	{win32.WTSConnectQuery, win32.WTSConnected}: true,
	{win32.WTSConnected, win32.WTSActive}:       true,
	{win32.WTSConnected, win32.WTSReset}:        true,
	{win32.WTSActive, win32.WTSDisconnected}:    true,
	{win32.WTSActive, win32.WTSReset}:           true,
	{win32.WTSActive, win32.WTSShadow}:          true,
	{win32.WTSShadow, win32.WTSActive}:          true,
	{win32.WTSDisconnected, win32.WTSActive}:    true,
	{win32.WTSDisconnected, win32.WTSReset}:     true,
	{win32.WTSDown, win32.WTSReset}:             true,
}

// sharedTransitions are those that only the shared session 0 has: it is never
// deleted, so after its user's logoff it is a logon screen again, and without
// a terminal it waits for the console to come back (SES-14h).
var sharedTransitions = map[[2]win32.ConnectState]bool{
	{win32.WTSActive, win32.WTSConnected}:       true,
	{win32.WTSDisconnected, win32.WTSConnected}: true,
}

// setStateLocked changes the connect state; what SES-16 does not list is refused.
func (s *Session) setStateLocked(op string, to win32.ConnectState) error {
	s.mu.AssertHeld()
	if to == s.state {
		return nil
	}
	change := [2]win32.ConnectState{s.state, to}
	allowed := transitions[change] || to == win32.WTSDown || s.id == 0 && s.user == nil && sharedTransitions[change]
	if !allowed || s.services && to != win32.WTSReset {
		return &win32.Error{Op: op, Object: fmt.Sprintf("session %d from %v to %v", s.id, s.state, to), Code: win32.ERROR_INVALID_FUNCTION, Rule: "SES-16"}
	}
	from := s.state
	s.state = to
	now := s.engine.now()
	switch {
	case to == win32.WTSDisconnected:
		s.times.Disconnect = now
	case from == win32.WTSDisconnected && to == win32.WTSActive, to == win32.WTSConnected:
		s.times.Connect = now
	}
	s.retargetLocked()
	s.engine.publish(EventSessionState, s.id, "from", from.String(), "to", to.String())
	return nil
}

// SetConnectState changes a session's connect state along SES-16; any other
// change is refused with 1.
func (e *Engine) SetConnectState(s *Session, state win32.ConnectState) error {
	s.mu.Lock()
	defer s.unlock()
	return s.setStateLocked("SetConnectState", state)
}

// SetTerminal names the terminal a session is attached to, empty for none.
func (e *Engine) SetTerminal(s *Session, name string) {
	s.mu.Lock()
	defer s.unlock()
	s.setTerminalLocked(name)
}

func (s *Session) setTerminalLocked(name string) {
	if from := s.Terminal(); from != name {
		s.terminal.Store(name)
		s.engine.publish(EventSessionTerminal, s.id, "from", from, "to", name)
	}
}

// Disconnect takes a session's terminal away; its programs go on (SES-19).
func (e *Engine) Disconnect(s *Session) error {
	s.mu.Lock()
	defer s.unlock()
	if s.user == nil {
		return &win32.Error{Op: "DisconnectSession", Object: s.ObjectName(), Code: win32.ERROR_ACCESS_DENIED, Rule: "SES-16"}
	}
	if err := s.setStateLocked("DisconnectSession", win32.WTSDisconnected); err != nil {
		return err
	}
	s.setTerminalLocked("")
	return nil
}

// Reconnect gives a disconnected session a terminal.
func (e *Engine) Reconnect(s *Session, terminal string) error {
	s.mu.Lock()
	defer s.unlock()
	if s.user == nil || s.state != win32.WTSDisconnected {
		return &win32.Error{Op: "ConnectSession", Object: s.ObjectName(), Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "SES-16"}
	}
	s.setTerminalLocked(terminal)
	return s.setStateLocked("ConnectSession", win32.WTSActive)
}

// SetSessionDescriptor replaces the descriptor that CheckSession checks.
func (e *Engine) SetSessionDescriptor(s *Session, sd *security.Descriptor) { s.SetDescriptor(sd) }

// StartHost makes the place a session's processes live in. It is called once a
// session: for session 0 when the machine starts, for others at logon.
func (e *Engine) StartHost(ctx context.Context, s *Session, spec SessionSpec) error {
	spec.ID = s.id
	s.mu.Lock()
	if s.host != nil || s.hosting || s.ending {
		s.unlock()
		return fmt.Errorf("cannot start the host of session %d: it has one already or is ending", s.id)
	}
	s.hosting = true
	s.unlock()

	lockrank.AssertNoneHeld()
	h, err := e.host.StartSession(ctx, spec)

	s.mu.Lock()
	s.hosting = false
	ending := s.ending
	if err == nil && !ending {
		s.adoptHostLocked(h, spec)
	}
	s.unlock()
	switch {
	case err != nil:
		return fmt.Errorf("cannot start the host of session %d: %w", s.id, err)
	case ending:
		return errors.Join(fmt.Errorf("cannot start the host of session %d: it is ending", s.id), h.End(ctx))
	}
	return nil
}

// adoptHostLocked ties a host to the session and watches it.
func (s *Session) adoptHostLocked(h HostSession, spec SessionSpec) {
	s.mu.AssertHeld()
	s.host, s.spec = h, spec
	e := s.engine
	e.publish(EventSessionHost, s.id, "state", "started")
	e.goWork(func() {
		select {
		case <-h.Done():
			s.mu.Lock()
			if s.services && s.host == h && !s.ending {
				s.host = nil // another can be started: session 0 lives as long as the engine (SES-6)
			}
			s.unlock()
			e.publish(EventSessionHost, s.id, "state", "gone")
		case <-e.stop:
		}
	})
}

// LogonSession makes a user the user of a session: WinSta0 is associated with
// the logon (WS-7), the DACLs let the logon SID in (LGN-12), the session's own
// descriptor its user (WTS-1). The state becomes Active when there is a
// terminal. The desktop shown stays Winlogon until DesktopReady.
func (e *Engine) LogonSession(s *Session, l Logon) error {
	const op = "LogonSession"
	s.mu.Lock()
	defer s.unlock()
	switch {
	case l.Token == nil || l.Token.Type() != security.TokenPrimary || l.Token.SessionID() != s.id:
		return &win32.Error{Op: op, Object: l.Name, Code: win32.ERROR_BAD_TOKEN_TYPE, Rule: "LGN-13"}
	case s.services:
		return &win32.Error{Op: op, Object: l.Name, Code: win32.ERROR_ACCESS_DENIED, Rule: "SES-7"}
	case s.user != nil || !s.usableLocked():
		return &win32.Error{Op: op, Object: l.Name, Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "SES-20"}
	}
	s.user, s.domain, s.name = l.Token, l.Domain, l.Name
	s.ready, s.locked, s.secure = false, false, screenNone
	s.times.Logon = e.now()
	s.associateLocked(l.Token)
	if s.state == win32.WTSConnected {
		if err := s.setStateLocked(op, win32.WTSActive); err != nil {
			return err
		}
	}
	s.retargetLocked()
	e.publish(EventSessionLogon, s.id, "user", l.Name, "domain", l.Domain, "sid", l.Token.User().String(), "logon", l.Token.LogonID().String())
	return nil
}

// associateLocked ties WinSta0 and its desktops to a user's logon, nil for
// nobody (WS-7). Surfaces that were made for somebody else go; the next one
// who needs one makes it for the right user.
func (s *Session) associateLocked(tok *security.Token) {
	s.mu.AssertHeld()
	w := s.winsta0
	var user, logon security.SID
	w.userSID, w.logonID = security.SID{}, 0
	if tok != nil {
		user, logon = tok.User(), tok.LogonSID()
		w.userSID, w.logonID = user, tok.LogonID()
	}
	w.SetDescriptor(winsta0Descriptor(logon))
	for _, d := range w.order {
		if d.builtin() {
			d.SetDescriptor(builtinDesktopDescriptor(d.name, logon))
		}
		if !d.secure {
			d.dropSurfaceLocked()
		}
	}
	s.SetDescriptor(sessionDescriptor(user))
	s.logons = nil
	s.admitLocked(tok)
}

// LogoffSession ends every process of the session, or in the shared session 0
// only the user's own, and makes it a session without a user again (LGN-19).
// The caller ends the session afterwards, except the shared session 0.
func (e *Engine) LogoffSession(ctx context.Context, s *Session) error {
	s.mu.Lock()
	tok, name := s.user, s.name
	if tok == nil || s.services {
		s.unlock()
		return &win32.Error{Op: "LogoffSession", Object: s.ObjectName(), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "LGN-19"}
	}
	shared := s.id == 0
	if !shared {
		s.ending = true // nothing new from here on
		if err := s.setStateLocked("LogoffSession", win32.WTSReset); err != nil {
			s.ending = false
			s.unlock()
			return err
		}
	}
	var kill []*Process
	for _, p := range s.procs {
		if !shared || p.Token().IsMember(tok.LogonSID()) {
			kill = append(kill, p)
		}
	}
	s.unlock()

	var err error
	if shared {
		for _, p := range kill {
			e.terminate(p, 0)
		}
	} else {
		err = s.endHost(ctx)
	}
	for _, p := range kill {
		if p.host == nil {
			p.end(exitRecord{})
			continue
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("cannot end process %d of session %d: %w", p.pid, s.id, ctx.Err()))
		}
	}

	s.mu.Lock()
	defer s.unlock()
	if s.user == nil {
		return err // somebody else logged it off meanwhile
	}
	s.user, s.domain, s.name = nil, "", ""
	s.ready, s.locked, s.secure = false, false, screenNone
	s.winsta0.app = s.winsta0.desktopLocked(defaultName)
	s.winsta0.clip.clearLocked(s) // CB-20
	s.associateLocked(nil)
	if shared && s.state != win32.WTSConnected && !s.ending {
		err = errors.Join(err, s.setStateLocked("LogoffSession", win32.WTSConnected))
	}
	s.retargetLocked()
	e.publish(EventSessionLogoff, s.id, "user", name, "sid", tok.User().String(), "logon", tok.LogonID().String())
	return err
}

// endHost ends the session's host, if it has one, and every process with it.
func (s *Session) endHost(ctx context.Context) error {
	lockrank.AssertNoneHeld()
	s.mu.Lock()
	h := s.host
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	if err := h.End(ctx); err != nil {
		return fmt.Errorf("cannot end the processes of session %d: %w", s.id, err)
	}
	return nil
}

// EndSession deletes a session: its processes end, its stations and desktops
// go, and handles that other sessions' processes still have do nothing any
// more but close (WS-45, LGN-20). Session 0 is never deleted while the engine
// runs (SES-6).
func (e *Engine) EndSession(ctx context.Context, id uint32) error {
	s, ok := e.Session(id)
	if !ok {
		return &win32.Error{Op: "EndSession", Object: fmt.Sprint(id), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "WTS-3"}
	}
	if id == 0 {
		return &win32.Error{Op: "EndSession", Object: "0", Code: win32.ERROR_ACCESS_DENIED, Rule: "SES-6"}
	}
	return e.endSession(ctx, s)
}

func (e *Engine) endSession(ctx context.Context, s *Session) error {
	s.mu.Lock()
	s.ending = true
	if s.state != win32.WTSReset && !s.services {
		from := s.state
		s.state = win32.WTSReset
		e.publish(EventSessionState, s.id, "from", from.String(), "to", s.state.String())
	}
	for _, w := range s.Stations() {
		for _, d := range w.order {
			d.dropSurfaceLocked() // X servers end in order, before their session is killed
		}
	}
	s.unlock()

	err := s.endHost(ctx)
	if err != nil {
		return err // still there, to be tried again
	}
	for _, p := range s.Processes() {
		if p.host == nil {
			p.end(exitRecord{})
			continue
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("cannot end process %d of session %d: %w", p.pid, s.id, ctx.Err())
		}
	}
	s.mu.Lock()
	for _, w := range s.Stations() {
		for len(w.order) > 0 {
			d := w.order[0]
			if w.app == d {
				w.app = nil
			}
			d.destroyLocked()
		}
		w.active = nil
		w.dead = true
		w.unnameLocked()
	}
	gone := s.deleted
	s.deleted = true
	s.unlock()
	if gone {
		return nil
	}
	e.removeSession(s)
	e.publish(EventSessionTerminate, s.id)
	close(s.done)
	return nil
}

// HoldDesktop keeps a desktop although no program has a handle to it, until
// ReleaseDesktop or the session's end.
func (e *Engine) HoldDesktop(d *Desktop) error {
	s := d.station.session
	s.mu.Lock()
	defer s.unlock()
	if d.dead {
		return &win32.Error{Op: "HoldDesktop", Object: d.Path(), Code: win32.ERROR_INVALID_HANDLE, Rule: "DT-41"}
	}
	if !d.held {
		d.held = true
		d.Retain()
	}
	return nil
}

// ReleaseDesktop ends what HoldDesktop or CreateHeldDesktop began. The
// desktops that came with the session stay (DT-42).
func (e *Engine) ReleaseDesktop(d *Desktop) {
	s := d.station.session
	s.mu.Lock()
	defer s.unlock()
	if d.held && !d.dead && !d.builtin() {
		d.held = false
		s.laterLocked(d.Release)
	}
}

// builtin reports whether the desktop came with the session (DT-5).
func (d *Desktop) builtin() bool {
	return d.station.interactive && (d.secure || d.name == defaultName)
}

// CreateHeldDesktop makes a desktop for the session manager and holds it. Its
// descriptor, when none is given, is made of the station's inheritable ACEs
// (DT-8). Access and Inherit of the options do not count.
func (e *Engine) CreateHeldDesktop(s *Session, station string, o DesktopOptions) (*Desktop, error) {
	const op = "CreateDesktop"
	if rule := badDesktopOptions(o); rule != "" {
		return nil, &win32.Error{Op: op, Object: o.Name, Code: win32.ERROR_INVALID_PARAMETER, Rule: rule}
	}
	if code := checkDesktopName(o.Name); code != 0 {
		return nil, &win32.Error{Op: op, Object: o.Name, Code: code, Rule: "DT-3"}
	}
	s.mu.Lock()
	defer s.unlock()
	w := s.lookupLocked(station)
	switch {
	case w == nil:
		return nil, &win32.Error{Op: op, Object: station, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "WS-30"}
	case w.desktopLocked(o.Name) != nil:
		return nil, &win32.Error{Op: op, Object: w.name + `\` + o.Name, Code: win32.ERROR_ALREADY_EXISTS, Rule: "DT-3"}
	case !s.usableLocked():
		return nil, &win32.Error{Op: op, Object: o.Name, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "LGN-20"}
	}
	sd := o.Descriptor
	if sd == nil {
		var err error
		if sd, err = security.Assign(w.Descriptor(), nil, security.SystemToken(s.id), false, desktopKind.Mapping, security.AssignNoPrivileges); err != nil {
			return nil, &win32.Error{Op: op, Object: o.Name, Code: win32.Code(err), Rule: "DT-8"}
		}
	}
	d, err := w.newDesktopLocked(o, sd)
	if err != nil {
		return nil, &win32.Error{Op: op, Object: w.name + `\` + o.Name, Code: win32.Code(err), Rule: "DT-26"}
	}
	d.held = true
	d.Retain()
	return d, nil
}
