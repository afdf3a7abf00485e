// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"stationmaster/station"
	"stationmaster/win32"
)

// Logoff ends a session and every program in it. The caller has checked the
// rights. Sessions other than the console's go; the console gets a fresh logon
// screen. A session at its logon screen has nobody to log off: 7022-class 7045.
//
// Rules: LGN-19, LGN-20, SES-16, SES-22, NTF-11.
func (w *Winlogon) Logoff(ctx context.Context, id uint32) error {
	st := w.seat(id)
	if st == nil {
		return w.noSeat("WTSLogoffSession", id)
	}
	release, err := w.enter(ctx, st)
	if err != nil {
		return err
	}
	defer release()
	return w.logoff(ctx, st)
}

// noSeat is the error for a session that winlogon does not move: the services'
// session or one that does not exist.
func (w *Winlogon) noSeat(op string, id uint32) error {
	code, rule := win32.ERROR_CTX_WINSTATION_NOT_FOUND, "WTS-3"
	if _, ok := w.engine.Session(id); ok {
		code, rule = win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, "WTS-39a"
	}
	return &win32.Error{Op: op, Object: "session " + strconv.FormatUint(uint64(id), 10), Code: code, Rule: rule}
}

// logoff logs the user of a session off and deletes it. The caller has entered
// its flow. What it has begun it finishes, whether or not its caller waits.
func (w *Winlogon) logoff(ctx context.Context, st *seat) error {
	s := st.session
	ctx, cancel := undo(ctx)
	defer cancel()
	if s.User() == nil {
		w.mu.Lock()
		half := st.token != nil // an earlier logoff did not come to its end
		w.mu.Unlock()
		if !half {
			return &win32.Error{Op: "WTSLogoffSession", Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, Rule: "LGN-19"}
		}
	} else {
		if w.o.OnEnd != nil {
			w.o.OnEnd(s.ID())
		}
		if err := w.engine.LogoffSession(ctx, s); err != nil && s.User() != nil {
			return err
		} else if err != nil {
			w.log.Error("logged off with trouble", "session", s.ID(), "err", err)
		}
	}
	if s.ID() == 0 && s.Terminal() == consoleTerminal {
		return w.drop(ctx, st) // it stays on the console, at its logon screen (NTF-11 f)
	}
	w.detach(st)
	// Whichever session ends, the console gets a logon screen if it has none:
	// there may have been no room for one before (SES-28).
	return errors.Join(w.drop(ctx, st), w.freshConsole(ctx))
}

// Disconnect takes the terminal away from a session; its programs run on. The
// caller has checked the rights. The console gets a fresh logon screen. A
// session without a terminal stays as it is; one at its logon screen, and the
// services' session, is 7045.
//
// Rules: WTS-39a, SES-16, SES-19, NTF-11.
func (w *Winlogon) Disconnect(ctx context.Context, id uint32) error {
	const op = "WTSDisconnectSession"
	st := w.seat(id)
	if st == nil {
		return w.noSeat(op, id)
	}
	release, err := w.enter(ctx, st)
	if err != nil {
		return err
	}
	defer release()
	s := st.session
	switch {
	case s.State() == win32.WTSDisconnected:
		return nil
	case s.User() == nil:
		return &win32.Error{Op: op, Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, Rule: "WTS-39a"}
	}
	console := s.Terminal() == consoleTerminal
	if err := w.engine.Disconnect(s); err != nil {
		return err
	}
	w.freeTerminal(st)
	if console {
		ctx, cancel := undo(ctx)
		defer cancel()
		if err := w.freshConsole(ctx); err != nil {
			w.log.Error("the console has no session until another one ends", "err", err)
		}
	}
	return nil
}

// SwitchUser leaves the session on the console as it is, locked, and gives the
// console a logon screen for somebody else. The user comes back by logging on
// there again. In mode shared the session stays on the console and shows a logon
// screen; it leaves when another user logs on there. Any other session is 7045.
// Rules: SES-14f, NTF-11.
func (w *Winlogon) SwitchUser(ctx context.Context, id uint32) error {
	st := w.seat(id)
	if st == nil {
		return w.noSeat("SwitchUser", id)
	}
	if st.session.Terminal() != consoleTerminal || st.session.User() == nil {
		return &win32.Error{Op: "SwitchUser", Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, Rule: "SES-14f"}
	}
	if err := w.Lock(id); err != nil {
		return err
	}
	if w.engine.Mode() != station.Shared {
		return w.Disconnect(ctx, id)
	}
	w.mu.Lock()
	st.switching = true
	w.mu.Unlock()
	w.show(st)
	return nil
}

// leave takes the console from a session that shows a logon screen for
// somebody else and gives it to a session with nobody in it, whose flow is
// entered (SES-14f, NTF-11 c). The caller has entered st's flow.
func (w *Winlogon) leave(ctx context.Context, st *seat) (*seat, func(), error) {
	w.mu.Lock()
	st.switching, st.busy, st.problem = false, false, ""
	w.mu.Unlock()
	if err := w.engine.Disconnect(st.session); err != nil {
		return nil, nil, err
	}
	w.freeTerminal(st)
	select {
	case w.consoleFlow <- struct{}{}:
		defer func() { <-w.consoleFlow }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	w.show(st)
	next, err := w.screenForConsole(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot give the console a logon screen: %w", err)
	}
	release, err := w.enter(ctx, next)
	return next, release, err
}

// Connect gives a disconnected session a terminal: that of the session target,
// which becomes disconnected, or a headless one when target is 0xFFFFFFFF. The
// caller has checked rights and password. Rules: WTS-39c, SES-16, SES-25.
func (w *Winlogon) Connect(ctx context.Context, id, target uint32) error {
	const op = "WTSConnectSession"
	st := w.seat(id)
	if st == nil {
		return w.noSeat(op, id)
	}
	if target != win32.WTS_CURRENT_SESSION {
		return w.steal(ctx, st, target)
	}
	release, err := w.enter(ctx, st)
	if err != nil {
		return err
	}
	defer release()
	s := st.session
	if s.User() == nil || s.State() != win32.WTSDisconnected {
		return &win32.Error{Op: op, Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "WTS-39c"}
	}
	return w.attach(st)
}

// attach gives a disconnected session a headless terminal of its own. The
// caller has entered its flow.
func (w *Winlogon) attach(st *seat) error {
	w.mu.Lock()
	number := w.remoteLocked()
	w.remotes[number], st.remote = st.session.ID(), number
	w.mu.Unlock()
	if err := w.engine.Reconnect(st.session, remotePrefix+strconv.Itoa(number)); err != nil {
		w.freeTerminal(st)
		return err
	}
	w.unlocked(st)
	return nil
}

// steal shows a disconnected session on the terminal of another one.
func (w *Winlogon) steal(ctx context.Context, st *seat, target uint32) error {
	const op = "WTSConnectSession"
	from := w.seat(target)
	if from == nil {
		return w.noSeat(op, target)
	}
	if from == st {
		return &win32.Error{Op: op, Object: st.name(), Code: win32.ERROR_INVALID_PARAMETER, Rule: "WTS-39c"}
	}
	// Two flows are entered by ascending session only.
	first, second := st, from
	if second.session.ID() < first.session.ID() {
		first, second = second, first
	}
	for _, x := range []*seat{first, second} {
		release, err := w.enter(ctx, x)
		if err != nil {
			return err
		}
		defer release()
	}
	if st.session.User() == nil || st.session.State() != win32.WTSDisconnected {
		return &win32.Error{Op: op, Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "WTS-39c"}
	}
	terminal := from.session.Terminal()
	if terminal == "" {
		return &win32.Error{Op: op, Object: from.name() + " has no terminal", Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "WTS-39c"}
	}
	w.mu.Lock()
	number := from.remote
	w.mu.Unlock()
	if from.session.User() != nil {
		if err := w.engine.Disconnect(from.session); err != nil {
			return err
		}
	} else {
		w.engine.SetTerminal(from.session, "")
	}
	if number >= 0 {
		w.moveTerminal(from, st, number)
	}
	if from.session.User() == nil { // its reason to exist is gone (SES-16)
		undoCtx, cancel := undo(ctx)
		defer cancel()
		if err := w.drop(undoCtx, from); err != nil {
			w.log.Error("cannot end the logon screen of a terminal", "session", target, "err", err)
		}
	}
	if err := w.engine.Reconnect(st.session, terminal); err != nil {
		w.freeTerminal(st)
		return err
	}
	w.unlocked(st)
	return nil
}

// Lock locks a session; the caller has checked the rights. Nobody logged on
// is 5. Rules: LGN-15.
func (w *Winlogon) Lock(id uint32) error {
	st := w.seat(id)
	if st == nil {
		if _, ok := w.engine.Session(id); ok {
			return &win32.Error{Op: "LockWorkStation", Object: "session " + strconv.FormatUint(uint64(id), 10), Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-15"}
		}
		return w.noSeat("LockWorkStation", id)
	}
	if err := w.engine.Lock(st.session); err != nil {
		return err
	}
	w.mu.Lock()
	st.attention, st.problem = false, ""
	w.mu.Unlock()
	w.show(st)
	return nil
}

// LockWorkStation locks the caller's own session; DT-52 says when a program
// may. Rules: LGN-15, DT-52.
func (w *Winlogon) LockWorkStation(t *station.Thread) error {
	if err := t.LockWorkStation(); err != nil {
		return err
	}
	if st := w.seat(t.Process().Session().ID()); st != nil {
		w.mu.Lock()
		st.attention, st.problem = false, ""
		w.mu.Unlock()
		w.show(st)
	}
	return nil
}

// Unlock unlocks a session with its user's password. LocalSystem needs none.
// It fails with 1326 for a wrong password, 1909 after too many, 5 when nobody
// is logged on. A session that is not locked stays as it is, and the password
// is checked all the same. Rules: LGN-16.
func (w *Winlogon) Unlock(ctx context.Context, t *station.Thread, id uint32, password string) error {
	st := w.seat(id)
	if st == nil {
		return w.noSeat("UnlockSession", id)
	}
	if !t.EffectiveToken().IsSystem() || password != "" {
		if err := w.verifyUser(ctx, st, password); err != nil {
			return err
		}
	}
	return w.unlock(ctx, st)
}

// VerifyUser checks the password of the user logged on to a session: 1326 for
// a wrong one, 5 when nobody is logged on.
func (w *Winlogon) VerifyUser(ctx context.Context, id uint32, password string) error {
	st := w.seat(id)
	if st == nil {
		return w.noSeat("LogonUser", id)
	}
	return w.verifyUser(ctx, st, password)
}

func (w *Winlogon) verifyUser(ctx context.Context, st *seat, password string) error {
	w.mu.Lock()
	name, loggedOn := st.account.Name, st.token != nil
	w.mu.Unlock()
	if !loggedOn {
		return &win32.Error{Op: "LogonUser", Object: st.name(), Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-16"}
	}
	_, err := w.store.Verify(ctx, name, password)
	return err
}

func (w *Winlogon) unlock(ctx context.Context, st *seat) error {
	release, err := w.enter(ctx, st)
	if err != nil {
		return err
	}
	defer release()
	if st.session.User() == nil {
		return &win32.Error{Op: "UnlockSession", Object: st.name(), Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-16"}
	}
	if err := w.engine.Unlock(st.session); err != nil {
		return err
	}
	w.mu.Lock()
	st.attention, st.switching, st.problem, st.busy = false, false, "", false
	w.mu.Unlock()
	w.show(st)
	return nil
}

// Shutdown logs every user off, the highest session first, and deletes the
// sessions at their logon screens. Later logons are refused. Rules: SES-27.
func (w *Winlogon) Shutdown(ctx context.Context) error {
	w.Refuse()
	var errs []error
	sessions := w.engine.Sessions()
	for i := len(sessions) - 1; i >= 0; i-- {
		st := w.seat(sessions[i].ID())
		if st == nil {
			continue
		}
		release, err := w.enter(ctx, st)
		if err != nil {
			continue // it went by itself
		}
		if st.session.User() != nil {
			if w.o.OnEnd != nil {
				w.o.OnEnd(st.session.ID())
			}
			err = w.engine.LogoffSession(ctx, st.session)
		}
		if err == nil {
			w.detach(st)
			err = w.drop(ctx, st)
		}
		release()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
