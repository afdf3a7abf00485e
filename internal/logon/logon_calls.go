// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// LogonSession logs a user on. A user with a disconnected session gets that one
// back, with a headless terminal, unless New is set; else the logon screen of
// the console is taken over; else a new session is made on a headless terminal.
// NoPassword is for LocalSystem only. It fails with 1326, 1331, 1909, 1327 (see
// Verify), 1385 when the account may not log on there, 1115 while the machine
// shuts down, 7024 when there are too many sessions. On failure nothing is left
// behind.
//
// Rules: LGN-13, SES-8, SES-10, SES-18, NTF-11.
func (w *Winlogon) LogonSession(ctx context.Context, t *station.Thread, q api.LogonSessionRequest) (api.LogonSessionReply, error) {
	account, err := w.authenticate(ctx, t, q)
	if err != nil {
		return api.LogonSessionReply{}, err
	}
	if !q.New {
		id, ok, err := w.reconnectUser(ctx, account)
		if ok || err != nil {
			return api.LogonSessionReply{SessionID: id, Reconnected: ok && err == nil}, err
		}
	}
	st, release, err := w.takeSeat(ctx)
	if err != nil {
		return api.LogonSessionReply{}, err
	}
	defer release()
	if err := w.logon(ctx, st, account, q); err != nil {
		return api.LogonSessionReply{}, err
	}
	return api.LogonSessionReply{SessionID: st.session.ID()}, nil
}

func (w *Winlogon) authenticate(ctx context.Context, t *station.Thread, q api.LogonSessionRequest) (Account, error) {
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return Account{}, &win32.Error{Op: "LogonUser", Object: q.User, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "LGN-6"}
	}
	if !q.NoPassword {
		return w.store.Verify(ctx, q.User, q.Password)
	}
	if !t.EffectiveToken().IsSystem() {
		return Account{}, t.Refuse("LogonSession", q.User, win32.ERROR_ACCESS_DENIED, "LGN-13", "only LocalSystem logs others on without a password")
	}
	return w.store.Trusted(q.User)
}

// takeSeat gives a session at its logon screen with its flow entered: the
// console's when nobody is using it, else a new headless one.
func (w *Winlogon) takeSeat(ctx context.Context) (*seat, func(), error) {
	if st := w.seat(w.Console()); st != nil && w.isSwitching(st) {
		release, err := w.enter(ctx, st)
		if err != nil {
			return nil, nil, err
		}
		defer release()
		if w.isSwitching(st) {
			return w.leave(ctx, st)
		}
	}
	if st := w.seat(w.Console()); st != nil && st.session.State() == win32.WTSConnected {
		select {
		case st.flow <- struct{}{}:
			w.mu.Lock()
			free := !st.gone && st.token == nil
			w.mu.Unlock()
			if free && st.session.State() == win32.WTSConnected && st.session.Terminal() == consoleTerminal {
				return st, func() { <-st.flow }, nil
			}
			<-st.flow
		default: // somebody else is logging on there right now
		}
	}
	st, err := w.newSession(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	st.flow <- struct{}{}
	return st, func() { <-st.flow }, nil
}

// logon takes a session from its logon screen to its user's desktop. The
// caller has entered the session's flow. When a step fails, what the steps
// before it made is taken away: a headless session goes, the console gets a
// fresh logon screen if its own was used up.
func (w *Winlogon) logon(ctx context.Context, st *seat, a Account, q api.LogonSessionRequest) (err error) {
	s := st.session
	console := s.Terminal() == consoleTerminal
	hosted := false
	defer func() {
		if err != nil {
			w.abandon(ctx, st, console, hosted)
		}
	}()
	typ := win32.LogonRemoteInteractive
	if console {
		typ = win32.LOGON32_LOGON_INTERACTIVE
	}
	token, err := w.store.NewToken(a, TokenRequest{Type: typ, Session: s.ID(), Allocate: w.engine.AllocateLUID, Origin: security.SystemLUID})
	if err != nil {
		return err
	}
	env, home, err := w.EnvironmentFor(a)
	if err != nil {
		return err
	}
	if s.Host() == nil || s.ID() != 0 { // the shared session 0 has had one since the start
		err = w.engine.StartHost(ctx, s, station.SessionSpec{
			ID: s.ID(), UID: a.UID, GID: a.GID, Groups: a.Groups, Limits: w.o.Limits, OwnNetwork: w.o.OwnNetwork,
		})
	}
	if err != nil {
		return err // the host left nothing behind: the session is as it was
	}
	hosted = true
	w.engine.ChooseSurface(s, orSurface(q.Surface, w.o.Surface), orSize(q.Width, w.o.Width), orSize(q.Height, w.o.Height))
	w.mu.Lock()
	st.account, st.token, st.env, st.home = a, token, env, home
	st.attention, st.switching, st.busy, st.problem = false, false, false, ""
	w.mu.Unlock()
	if err := w.engine.LogonSession(s, station.Logon{Token: token, Domain: w.store.Computer(), Name: a.Name}); err != nil {
		return err
	}
	w.startShell(ctx, st)
	if err := w.engine.DesktopReady(s); err != nil {
		return err
	}
	w.engine.Publish(EventDesktopReady, s.ID(), nil)
	w.show(st)
	w.log.Info("logged on", "user", a.Name, "session", s.ID())
	return nil
}

// abandon undoes a logon that failed.
func (w *Winlogon) abandon(ctx context.Context, st *seat, console, hosted bool) {
	ctx, cancel := undo(ctx)
	defer cancel()
	if console && !hosted {
		w.show(st) // the logon screen is as it was
		return
	}
	if st.session.User() != nil {
		if err := w.engine.LogoffSession(ctx, st.session); err != nil {
			w.log.Error("cannot undo a logon", "session", st.session.ID(), "err", err)
		}
	}
	w.detach(st)
	if err := w.drop(ctx, st); err != nil {
		w.log.Error("cannot undo a logon", "session", st.session.ID(), "err", err)
	}
	if console {
		if err := w.freshConsole(ctx); err != nil {
			w.log.Error("cannot undo a logon", "session", st.session.ID(), "err", err)
		}
	}
}

// startShell starts the command of the setting "shell" on the user's desktop,
// if there is one. A shell that does not start is no reason to lock a user
// out: it is said in the log.
func (w *Winlogon) startShell(ctx context.Context, st *seat) {
	command := w.store.Setting("shell")
	if command == "" {
		return
	}
	desktop := `WinSta0\Default`
	shell := "/bin/sh"
	if st.account.Shell != "" {
		shell = st.account.Shell
	}
	_, err := w.engine.StartProcess(ctx, st.token, station.ProcessOptions{
		Path: shell, Args: []string{shell, "-c", command}, Env: st.env, Dir: st.home, Desktop: &desktop,
	})
	if err != nil {
		w.log.Error("cannot start the shell", "user", st.account.Name, "session", st.session.ID(), "command", command, "err", err)
	}
}

// reconnectUser gives a user's disconnected session a headless terminal; ok is
// false when the user has none. As on Windows the user is let in through a
// logon screen of that terminal, which then ends (NTF-11 i).
func (w *Winlogon) reconnectUser(ctx context.Context, a Account) (id uint32, ok bool, err error) {
	for {
		st := w.disconnectedOf(a.SID)
		if st == nil {
			return 0, false, nil
		}
		release, err := w.enter(ctx, st)
		if errors.Is(err, win32.ERROR_CTX_WINSTATION_NOT_FOUND) {
			continue // it was logged off meanwhile; perhaps there is another
		}
		if err != nil {
			return 0, false, err
		}
		if st.session.State() != win32.WTSDisconnected {
			release()
			continue
		}
		err = w.reconnect(ctx, st)
		release()
		return st.session.ID(), true, err
	}
}

// reconnect does the work of reconnectUser in the session's flow.
func (w *Winlogon) reconnect(ctx context.Context, st *seat) error {
	screen, err := w.newSession(ctx, true)
	if errors.Is(err, win32.ERROR_CTX_WINSTATION_BUSY) {
		return w.attach(st) // no room for the logon screen; the session itself needs none
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	number := screen.remote
	w.mu.Unlock()
	terminal := screen.session.Terminal()
	w.engine.SetTerminal(screen.session, "")
	w.moveTerminal(screen, st, number)
	undoCtx, cancel := undo(ctx)
	defer cancel()
	if err := w.drop(undoCtx, screen); err != nil {
		w.log.Error("cannot end the logon screen of a terminal", "session", screen.session.ID(), "err", err)
	}
	if err := w.engine.Reconnect(st.session, terminal); err != nil {
		w.freeTerminal(st)
		return err
	}
	w.unlocked(st)
	return nil
}

// moveTerminal gives the number of a remote terminal from one seat to another.
func (w *Winlogon) moveTerminal(from, to *seat, number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	from.remote, to.remote = -1, number
	w.remotes[number] = to.session.ID()
}

// unlocked lets the user of a reconnected session in. The UNLOCK event is told
// even when the session was not locked before: a reconnect goes through a lock
// that nobody sees (NTF-11 h, i).
func (w *Winlogon) unlocked(st *seat) {
	if st.session.Locked() {
		if err := w.engine.Unlock(st.session); err != nil {
			w.log.Error("cannot unlock a session", "session", st.session.ID(), "err", err)
		}
	} else {
		w.engine.Publish(station.EventSessionUnlock, st.session.ID(), nil)
	}
	w.mu.Lock()
	st.attention, st.switching, st.problem, st.busy = false, false, "", false
	w.mu.Unlock()
	w.show(st)
}

// disconnectedOf gives the user's disconnected session with the lowest ID, nil
// for none.
func (w *Winlogon) disconnectedOf(user security.SID) *seat {
	for _, s := range w.engine.Sessions() {
		if s.State() != win32.WTSDisconnected {
			continue
		}
		w.mu.Lock()
		st := w.seats[s.ID()]
		mine := st != nil && st.token != nil && st.token.User() == user && !st.gone
		w.mu.Unlock()
		if mine {
			return st
		}
	}
	return nil
}

// LogonUser verifies credentials and gives the caller a token of a new logon
// session, with the caller's terminal session in it. Type 3 gives an
// impersonation token. It fails with 87 for a type that is not known, 50 for
// type 9, and as Verify and NewToken do.
//
// Win32: LogonUser. Rules: LGN-2, LGN-3, LGN-5, LGN-6.
func (w *Winlogon) LogonUser(ctx context.Context, t *station.Thread, q api.LogonUserRequest) (api.HandleReply, error) {
	const op = "LogonUser"
	switch q.Type {
	case win32.LOGON32_LOGON_INTERACTIVE, win32.LOGON32_LOGON_NETWORK, win32.LOGON32_LOGON_BATCH,
		win32.LOGON32_LOGON_SERVICE, win32.LOGON32_LOGON_UNLOCK, win32.LOGON32_LOGON_NETWORK_CLEARTEXT:
	case win32.LOGON32_LOGON_NEW_CREDENTIALS:
		return api.HandleReply{}, &win32.Error{Op: op, Object: q.Name, Code: win32.ERROR_NOT_SUPPORTED, Rule: "LGN-4"}
	default:
		return api.HandleReply{}, &win32.Error{Op: op, Object: fmt.Sprintf("logon type %d", q.Type), Code: win32.ERROR_INVALID_PARAMETER, Rule: "LGN-2"}
	}
	name := q.Name
	if q.Domain != "" && !strings.Contains(name, `\`) {
		name = q.Domain + `\` + name
	}
	a, err := w.store.Verify(ctx, name, q.Password)
	if err != nil {
		return api.HandleReply{}, err
	}
	token, err := w.store.NewToken(a, TokenRequest{
		Type: q.Type, Session: t.Process().Session().ID(), Allocate: w.engine.AllocateLUID, Origin: t.EffectiveToken().LogonID(),
	})
	if err != nil {
		return api.HandleReply{}, err
	}
	h, err := t.InsertToken(token, win32.TOKEN_ALL_ACCESS, "")
	return api.HandleReply{Handle: h}, err
}

func orSurface(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// maxSide bounds the size of a desktop, in pixels a side.
const maxSide = 8192

func orSize(a uint32, b int) int {
	if a != 0 {
		return int(min(a, maxSide))
	}
	return b
}
