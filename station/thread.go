// SPDX-License-Identifier: Apache-2.0

package station

import (
	"cmp"
	"fmt"
	"strings"
	"sync/atomic"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// Thread is one caller: a connection of a process. Its methods are the calls a
// program may make; each checks what the caller may do.
type Thread struct {
	id            uint32   // immutable
	process       *Process // immutable
	dead          atomic.Bool
	impersonation atomic.Pointer[tokenObject] // nil: the process token counts
	object        threadObject                // what handles to the thread refer to
	owner         object.Owner                // mutexes it owns, waits it makes

	// All guarded by process.session.mu.
	desktop  *Desktop // nil while the thread is not a GUI thread
	desktopH win32.Handle
	queue    *queue     // what it has to do; nil until its first call that needs one (MSG-14)
	clip     *clipboard // that it opened last
	staged   []byte     // what StageData collected
	windows  int        // windows the thread owns (DT-35)
	hooks    int        // hooks the thread owns (DT-35)
}

// AttachSpec says who is behind a connection, as the kernel told the daemon.
// Nothing in it comes from the caller itself.
type AttachSpec struct {
	PID       int
	StartTime uint64 // clock ticks since boot, 0 when not known
	Ancestors []int  // parents of the process, nearest first
	Session   uint32
	InSession bool            // it runs inside that session
	UID       uint32          // Linux user, when HasUID is set
	HasUID    bool            // a process inside a session must have its token's Linux user
	Fallback  *security.Token // of a caller outside every session
	NoStation bool            // such a caller has no window station
	Program   string          // for listings
	Args      []string        // for listings
}

// AttachThread makes a connection a thread of its process. A process that is
// not known yet gets its record now: inside a session it takes token, station
// and desktop from its nearest known ancestor there, else the token of the
// session's user; outside every session it gets the Fallback token and is
// counted to session 0. A stranger inside session 0, and one without a token,
// is refused with 5.
//
// Rules: HND-12, PC-4.
func (e *Engine) AttachThread(spec AttachSpec) (*Thread, error) {
	const op = "AttachThread"
	if !spec.InSession {
		spec.Session = 0
	}
	refuse := func(why string) (*Thread, error) {
		return nil, fmt.Errorf("cannot tell who process %d is: %s: %w", spec.PID, why,
			&win32.Error{Op: op, Object: pidText(spec.PID), Code: win32.ERROR_ACCESS_DENIED, Rule: "HND-12"})
	}
	for {
		s, ok := e.Session(spec.Session)
		if !ok {
			return refuse(fmt.Sprintf("there is no session %d", spec.Session))
		}
		p, _ := e.Process(spec.PID)
		if p != nil && p.start != 0 && spec.StartTime != 0 && p.start != spec.StartTime {
			// Its number was given to another process: it is long dead.
			if p.host == nil {
				p.end(exitRecord{})
			} else if !p.waitEnd(e.stop) {
				return nil, errClosed
			}
			continue
		}
		if p != nil && (p.session != s || p.outside == spec.InSession) {
			return refuse(fmt.Sprintf("it is known as a process of session %d", p.session.id))
		}
		if p != nil && !e.isUser(p.Token(), spec) {
			return refuse("its Linux user is not that of its token")
		}
		if p != nil && p.outside && spec.Fallback != nil && p.Token().User() != spec.Fallback.User() {
			// It changed its user, as a set-uid program does: the old record goes
			// unless it is in use.
			if p.threadCount() > 0 {
				return refuse("it is connected as another user")
			}
			p.end(exitRecord{})
			continue
		}
		if p == nil && spec.InSession {
			// It may be a program whose start is not noted yet.
			s.mu.Lock()
			spawning, spawned := s.spawning, s.spawned
			s.mu.Unlock()
			if spawning > 0 {
				select {
				case <-spawned:
					continue
				case <-e.stop:
					return nil, errClosed
				}
			}
		}
		if p == nil {
			var why string
			if p, why = e.stranger(s, spec); p == nil {
				return refuse(why)
			}
		}
		t, err := e.addThread(p)
		if err == errEnded && p.waitEnd(e.stop) {
			continue
		}
		return t, err
	}
}

// stranger makes the record of a process that the engine did not start.
func (e *Engine) stranger(s *Session, spec AttachSpec) (*Process, string) {
	var from *Process
	for _, pid := range spec.Ancestors {
		if a, ok := e.Process(pid); ok && a.session == s && a.outside == !spec.InSession {
			from = a
			break
		}
	}
	var tok *security.Token
	switch {
	case !spec.InSession:
		// What the kernel says about a caller outside counts, not its ancestors.
		from, tok = nil, spec.Fallback
	case from != nil:
		tok = from.Token()
	default:
		var why string
		if tok, why = s.orphanToken(); tok == nil {
			return nil, why
		}
	}
	if tok == nil {
		return nil, "no process that is known started it"
	}
	if !e.isUser(tok, spec) {
		// A set-uid program, or the orphan of a program that ran as somebody
		// else: taking it for its parent or for the session's user would give
		// it rights that its Linux user does not have.
		return nil, "its Linux user is not that of the process it comes from"
	}
	p := e.newProcess(s, tok)
	p.pid, p.start, p.program, p.args = spec.PID, spec.StartTime, clip(spec.Program), keptArgs(spec.Args)
	if p.outside = !spec.InSession; p.outside {
		// They are counted to session 0 but must not use up what its services
		// have, nor what the operator needs.
		p.handles.Share(e.outsiders)
		if tok.IsSystem() {
			p.handles.Share(nil)
		}
	}
	p.spec.none = spec.NoStation
	e.mu.Lock()
	s.mu.Lock()
	if e.processes[p.pid] != nil || e.closed || s.deleted {
		s.mu.Unlock()
		e.mu.Unlock()
		p.token.Release()
		if q, ok := e.Process(spec.PID); ok {
			return q, "" // two connections at once: the other one was first
		}
		return nil, "its session is ending"
	}
	if from != nil {
		p.parent = from.pid
		p.spec.inheritLocked(from)
		p.compat = from.compat
		p.joinLocked(from.job)
	}
	p.enterLocked()
	s.mu.Unlock()
	e.mu.Unlock()
	return p, ""
}

// isUser reports whether the caller's Linux user is the one that programs with
// a token run as. It is asked inside sessions only; outside the user is what
// the Fallback token was chosen by.
func (e *Engine) isUser(tok *security.Token, spec AttachSpec) bool {
	if !spec.InSession || !spec.HasUID || e.identity == nil {
		return true
	}
	id, err := e.identity(tok)
	return err == nil && id.UID == spec.UID
}

// inheritLocked records where the parent is connected, or will be (PC-4). A
// program that never calls us is on the desktop it was started on all the same.
func (c *connectSpec) inheritLocked(parent *Process) {
	parent.session.mu.AssertHeld()
	switch {
	case parent.station != nil && parent.startup != nil:
		c.parentStation, c.parentDesktop = parent.station.name, parent.startup.name
		c.parentInteractive = parent.station.interactive
	case parent.station != nil:
		c.parentStation, c.parentInteractive = parent.station.name, parent.station.interactive
		c.parentDesktop = defaultName
	case parent.plan != nil:
		c.parentStation, c.parentDesktop = parent.plan.station.name, parent.plan.desktop.name
		c.parentInteractive = parent.plan.station.interactive
	default:
		c.parentStation, c.parentDesktop = parent.spec.parentStation, parent.spec.parentDesktop
		c.parentInteractive = parent.spec.parentInteractive
	}
}

func (e *Engine) addThread(p *Process) (*Thread, error) {
	t := &Thread{id: e.tid.Add(1), process: p}
	t.initWaits()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	if p.ended {
		return nil, errEnded
	}
	e.threads[t.id] = t
	p.threads[t.id] = t
	return t, nil
}

// waitEnd waits until the process is out of the tables and reports whether
// that came before stop.
func (p *Process) waitEnd(stop <-chan struct{}) bool {
	select {
	case <-p.done:
		return true
	case <-stop:
		return false
	}
}

func (p *Process) threadCount() int {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return len(p.threads)
}

// Threads gives the number of connections the process has.
func (p *Process) Threads() int { return p.threadCount() }

// Detach ends the thread: its connection was closed. The handles stay with the
// process.
func (t *Thread) Detach() {
	e, p := t.process.engine, t.process
	t.dead.Store(true)
	e.mu.Lock()
	delete(e.threads, t.id)
	e.mu.Unlock()
	p.session.mu.Lock()
	if p.threads[t.id] == t {
		delete(p.threads, t.id)
		t.endUserLocked()
		t.leaveDesktopLocked()
	}
	p.session.unlock()
	t.endWaits()
	if o := t.impersonation.Swap(nil); o != nil {
		o.Release()
	}
}

// leaveDesktopLocked gives back the thread's record on its desktop. When a
// thread leaves a desktop that is neither the startup desktop nor used by
// another thread its handle stays open, as any handle does.
func (t *Thread) leaveDesktopLocked() {
	if d := t.desktop; d != nil {
		t.desktop, t.desktopH = nil, 0
		d.threads--
		d.refundLocked(chargeThread)
	}
}

// aliveLocked fails when the process has ended or the connection is closed.
func (t *Thread) aliveLocked(op string) error {
	t.process.session.mu.AssertHeld()
	if t.dead.Load() || t.process.ended {
		return fmt.Errorf("%s: %w: %w", op, errEnded, win32.ERROR_INVALID_HANDLE)
	}
	return nil
}

// ID gives the thread's number, which is never a process's.
func (t *Thread) ID() uint32 { return t.id }

// Process gives the thread's process.
func (t *Thread) Process() *Process { return t.process }

// Engine gives the engine the thread calls.
func (t *Thread) Engine() *Engine { return t.process.engine }

// EffectiveToken gives the token that access checks are made with: the
// impersonation token, else the process's (SE-27).
func (t *Thread) EffectiveToken() *security.Token {
	return t.effective().tok.Load()
}

func (t *Thread) effective() *tokenObject { return cmp.Or(t.impersonation.Load(), t.process.token) }

// Origin gives whose input the effective token acts with (IN-9): "person",
// "automation", or "" for an ordinary program.
func (t *Thread) Origin() string { return t.effective().origin }

// stationHandle gives the station behind a handle. A station of a deleted
// session is as good as none (WS-45).
func (t *Thread) stationHandle(op string, h win32.Handle, rule string) (*WindowStation, *object.Entry, error) {
	if e := t.process.handles.Get(h); e != nil {
		if w, ok := e.Object.(*WindowStation); ok {
			return w, e, nil
		}
	}
	return nil, nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
}

func (t *Thread) desktopHandle(op string, h win32.Handle, rule string) (*Desktop, *object.Entry, error) {
	if e := t.process.handles.Get(h); e != nil {
		if d, ok := e.Object.(*Desktop); ok {
			return d, e, nil
		}
	}
	return nil, nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
}

func handleText(h win32.Handle) string { return fmt.Sprintf("handle 0x%x", uint32(h)) }

// inUseLocked reports what a handle is used for by the process itself, which
// keeps it from being closed: "station", "desktop" or "" (WS-37, DT-39).
func (p *Process) inUseLocked(h win32.Handle) string {
	p.session.mu.AssertHeld()
	h &^= 3
	switch {
	case p.station != nil && p.stationH == h:
		return "station"
	case p.startup != nil && p.startupH == h:
		return "desktop"
	}
	for _, t := range p.threads {
		if t.desktop != nil && t.desktopH == h {
			return "desktop"
		}
	}
	return ""
}

// sameName reports whether two names differ at most in case.
func sameName(a, b string) bool {
	return a == b || strings.EqualFold(a, b) && object.Fold(a) == object.Fold(b)
}
