// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// The states of LGN-10 and what the Winlogon desktop shows in them:
//
//	              nothing asked       Ctrl+Alt+Del
//	logged off    ScreenLogon         ScreenLogon (a fresh prompt)
//	logged on     ScreenNone          ScreenSecurity: lock, switch user, log off, cancel
//	locked        ScreenUnlock        ScreenUnlock (a fresh prompt)
//
// Windows asks for Ctrl+Alt+Del first before it shows a prompt; here a viewer
// of the Winlogon desktop knows already that we draw it, so the prompt is there
// at once.

// SecureAttention does what Ctrl+Alt+Del does at a session's terminal. It is
// for the display, which takes the three keys out of a person's stream; it
// does not wait. Rules: LGN-14.
func (w *Winlogon) SecureAttention(id uint32) {
	st := w.seat(id)
	if st == nil {
		return
	}
	loggedOn := st.session.User() != nil
	w.mu.Lock()
	if !st.busy {
		st.problem = ""
	}
	st.attention = loggedOn && !st.session.Locked()
	attention := st.attention
	w.mu.Unlock()
	if attention {
		if err := w.engine.SecureAttention(st.session); err != nil {
			w.log.Error("cannot show the security screen", "session", id, "err", err)
		}
	}
	w.show(st)
}

// show tells the display what the session's Winlogon desktop shows now.
func (w *Winlogon) show(st *seat) {
	locked, user := st.session.Locked(), st.session.User()
	console := st.session.Terminal() == consoleTerminal
	w.mu.Lock()
	sc := Screen{Error: st.problem, Busy: st.busy}
	switch {
	case st.gone:
		w.mu.Unlock()
		return
	case user == nil:
		sc.Kind = ScreenLogon
		sc.OnLogon = func(name, password string) { w.tryLogon(st, name, password) }
		sc.OnCancel = func() { w.SecureAttention(st.session.ID()) }
	case locked && st.switching:
		sc.Kind = ScreenLogon
		sc.OnLogon = func(name, password string) { w.tryLogon(st, name, password) }
		sc.OnCancel = func() { w.stay(st) }
	case locked:
		sc.Kind = ScreenUnlock
		sc.User = w.store.Computer() + `\` + st.account.Name
		sc.OnUnlock = func(password string) { w.tryUnlock(st, password) }
		sc.OnCancel = func() { w.SecureAttention(st.session.ID()) }
	case st.attention:
		sc.Kind = ScreenSecurity
		sc.User = w.store.Computer() + `\` + st.account.Name
		sc.OnLock = func() { w.start(func(context.Context) { w.report(st, w.Lock(st.session.ID())) }) }
		sc.OnLogoff = func() { w.start(func(ctx context.Context) { w.report(st, w.Logoff(ctx, st.session.ID())) }) }
		if console {
			sc.OnSwitch = func() {
				w.start(func(ctx context.Context) { w.report(st, w.SwitchUser(ctx, st.session.ID())) })
			}
		}
		sc.OnCancel = func() { w.dismiss(st) }
	default:
		sc.Kind = ScreenNone
	}
	id := st.session.ID()
	w.mu.Unlock()
	w.display.SetSecureScreen(id, sc)
}

// report shows a problem on the secure screen it came from.
func (w *Winlogon) report(st *seat, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	w.mu.Lock()
	st.problem, st.busy = message(err), false
	w.mu.Unlock()
	w.log.Warn("a person's request at the secure desktop was not done", "session", st.session.ID(), "err", err)
	w.show(st)
}

// message gives the text of an error without what only a caller needs.
func message(err error) string {
	var e *win32.Error
	if errors.As(err, &e) {
		return e.Code.Error()
	}
	return err.Error()
}

// dismiss leaves the security screen.
func (w *Winlogon) dismiss(st *seat) {
	w.mu.Lock()
	st.attention, st.problem = false, ""
	w.mu.Unlock()
	if err := w.engine.DismissAttention(st.session); err != nil {
		w.log.Error("cannot leave the security screen", "session", st.session.ID(), "err", err)
	}
	w.show(st)
}

// isSwitching reports whether a locked session shows a logon screen for
// somebody else (SES-14f).
func (w *Winlogon) isSwitching(st *seat) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return st.switching && st.session.Locked()
}

// stay ends switching to another user: the prompt of the locked session again.
func (w *Winlogon) stay(st *seat) {
	w.mu.Lock()
	st.switching, st.problem = false, ""
	w.mu.Unlock()
	w.show(st)
}

// begin marks a session's prompt busy; false when it is already.
func (w *Winlogon) begin(st *seat) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if st.busy || st.gone || w.closed {
		return false
	}
	st.busy, st.problem = true, ""
	return true
}

// tryUnlock is an unlock from the prompt.
func (w *Winlogon) tryUnlock(st *seat, password string) {
	if !w.begin(st) {
		return
	}
	w.show(st)
	w.start(func(ctx context.Context) {
		err := w.verifyUser(ctx, st, password)
		if err == nil {
			err = w.unlock(ctx, st)
		}
		w.report(st, err)
	})
}

// tryLogon is a logon from the prompt of a session: the user gets this session,
// or the disconnected one they have, on this terminal (SES-18, NTF-11 d).
func (w *Winlogon) tryLogon(st *seat, name, password string) {
	if !w.begin(st) {
		return
	}
	w.show(st)
	w.start(func(ctx context.Context) { w.report(st, w.logonHere(ctx, st, name, password)) })
}

func (w *Winlogon) logonHere(ctx context.Context, st *seat, name, password string) error {
	a, err := w.store.Verify(ctx, name, password)
	if err != nil {
		return err
	}
	if w.isSwitching(st) {
		if tok := st.session.User(); tok != nil && tok.User() == a.SID {
			return w.unlock(ctx, st) // they came back (NTF-11 d)
		}
	}
	if old := w.disconnectedOf(a.SID); old != nil {
		err := w.steal(ctx, old, st.session.ID())
		if !errors.Is(err, win32.ERROR_CTX_WINSTATION_BUSY) && !errors.Is(err, win32.ERROR_CTX_WINSTATION_NOT_FOUND) {
			return err
		}
	}
	release, err := w.enter(ctx, st)
	if err != nil {
		return err
	}
	defer release()
	if st.session.User() != nil && w.isSwitching(st) {
		next, done, err := w.leave(ctx, st)
		if err != nil {
			return err
		}
		defer done()
		return w.logon(ctx, next, a, api.LogonSessionRequest{User: name})
	}
	if st.session.User() != nil {
		return &win32.Error{Op: "LogonSession", Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "SES-20"}
	}
	return w.logon(ctx, st, a, api.LogonSessionRequest{User: name})
}
