// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"stationmaster/internal/lockrank"
	"stationmaster/security"
	"stationmaster/win32"
)

// CreateProcess starts a program with the caller's token or another one, in
// that token's session. It gives a handle with every right and the new pid. A
// process that can't connect to its station or desktop has been created all
// the same and ends at once with STATUS_DLL_INIT_FAILED: the program is never
// run (PC-17).
//
// Win32: CreateProcess, CreateProcessAsUser. Rules: PRC-1 to PRC-12, PRC-14,
// PRC-21, PC-4, PC-17, PC-20, HND-4.
func (t *Thread) CreateProcess(ctx context.Context, o ProcessOptions) (h win32.Handle, pid int, err error) {
	const op = "CreateProcess"
	p := t.process
	e := p.engine
	if p.hasEnded() || t.dead.Load() {
		return 0, 0, t.errorOf(op, o.Path, win32.ERROR_INVALID_HANDLE, "HND-12")
	}
	if o.Path == "" && len(o.Args) > 0 {
		o.Path = o.Args[0]
	}
	if code := badProgram(o); code != 0 {
		return 0, 0, t.errorOf(op, o.Path, code, "PRC-23")
	}
	tok, err := t.tokenForProcess(op, o)
	if err != nil {
		return 0, 0, err
	}
	s, ok := e.Session(tok.SessionID())
	if !ok {
		return 0, 0, t.noSession(op, tok.SessionID())
	}
	if s != p.session && o.InheritHandles {
		return 0, 0, t.errorOf(op, o.Path, win32.ERROR_INVALID_PARAMETER, "PRC-8")
	}
	if e.mode == Shared && s != p.session && s.User() == nil {
		// The creation is forwarded to the other session's winlogon, whose end
		// of the pipe is served only while a user is logged on there.
		return 0, 0, t.errorOf(op, fmt.Sprintf("session %d", s.id), win32.ERROR_PIPE_NOT_CONNECTED, "PRC-16")
	}
	o.Connect = false
	child, err := e.spawn(ctx, s, tok, p, o)
	if err != nil {
		return 0, 0, t.createError(op, o.Path, s.id, err)
	}
	if h, err = t.insert(op, o.Path, child, win32.PROCESS_ALL_ACCESS, false); err != nil {
		return 0, 0, errors.Join(err, e.terminate(child, 1))
	}
	return h, child.pid, nil
}

// badProgram gives the error of options that name no program.
func badProgram(o ProcessOptions) win32.Errno {
	if o.Path == "" {
		return win32.ERROR_INVALID_PARAMETER
	}
	for _, list := range [][]string{{o.Path, o.Dir}, o.Args, o.Env} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return win32.ERROR_INVALID_PARAMETER
			}
		}
	}
	return 0
}

// tokenForProcess gives the token a new process is to have, and checks that
// the caller may start programs with it (PRC-2, PRC-3, PRC-4).
func (t *Thread) tokenForProcess(op string, o ProcessOptions) (*security.Token, error) {
	own := t.process.token
	if o.Token == 0 {
		return own.tok.Load(), nil // also while impersonating (PRC-21)
	}
	if isPseudo(o.Token) {
		return nil, t.errorOf(op, handleText(o.Token), win32.ERROR_INVALID_HANDLE, "PRC-4")
	}
	need := win32.TOKEN_QUERY | win32.TOKEN_ASSIGN_PRIMARY
	shared := t.process.engine.mode == Shared
	if shared {
		need |= win32.TOKEN_DUPLICATE
	}
	obj, _, err := t.tokenHandle(op, o.Token, need, "PRC-3")
	if err != nil {
		return nil, err
	}
	tok := obj.tok.Load()
	if tok.Type() == security.TokenImpersonation {
		switch {
		case shared:
			return nil, t.errorOf(op, "token", win32.ERROR_BAD_TOKEN_TYPE, "PRC-4")
		case tok.Level() < security.SecurityImpersonation:
			return nil, t.errorOf(op, "token", win32.ERROR_BAD_IMPERSONATION_LEVEL, "PRC-4")
		}
	}
	// Held is enough: Windows enables them for the call.
	caller := own.tok.Load()
	// A program may lower itself, and start others with what it made of its own
	// token; not with a copy it made before it lowered itself.
	if (obj == own || obj.root == own) && tok.Integrity() <= caller.Integrity() {
		return tok, nil
	}
	switch {
	case !caller.HoldsPrivilege(security.SeIncreaseQuotaPrivilege):
		return nil, t.Refuse(op, security.SeIncreaseQuotaPrivilege.String(), win32.ERROR_PRIVILEGE_NOT_HELD, "PRC-2", "the process's token does not hold the privilege")
	case !caller.HoldsPrivilege(security.SeAssignPrimaryTokenPrivilege):
		return nil, t.Refuse(op, security.SeAssignPrimaryTokenPrivilege.String(), win32.ERROR_PRIVILEGE_NOT_HELD, "PRC-2", "the process's token does not hold the privilege")
	}
	return tok, nil
}

// noSession is PRC-7: the token's session must exist.
func (t *Thread) noSession(op string, id uint32) error {
	code := win32.ERROR_CTX_WINSTATION_NOT_FOUND
	if t.process.engine.mode == Shared {
		code = win32.ERROR_PIPE_NOT_CONNECTED
	}
	return t.errorOf(op, fmt.Sprintf("session %d", id), code, "PRC-7")
}

var errSessionGone = errors.New("the session is gone")

// createError gives a failed creation its Win32 number (PRC-23); what the host
// said stays in the chain.
func (t *Thread) createError(op, program string, session uint32, err error) error {
	if errors.Is(err, errSessionGone) {
		return t.noSession(op, session)
	}
	if code := hostCode(err); code != 0 {
		return fmt.Errorf("cannot start %s: %w: %w", program, err, t.errorOf(op, program, code, "PRC-23"))
	}
	return fmt.Errorf("cannot start %s: %w", program, err)
}

// StartProcess starts a program for the session manager or the service
// manager, without a check of a caller. The process has no parent to inherit
// a station from.
func (e *Engine) StartProcess(ctx context.Context, tok *security.Token, o ProcessOptions) (*Process, error) {
	const op = "CreateProcess"
	if o.Path == "" && len(o.Args) > 0 {
		o.Path = o.Args[0]
	}
	if code := badProgram(o); code != 0 || tok == nil {
		return nil, &win32.Error{Op: op, Object: o.Path, Code: max(code, win32.ERROR_INVALID_PARAMETER), Rule: "PRC-23"}
	}
	s, ok := e.Session(tok.SessionID())
	if !ok {
		return nil, &win32.Error{Op: op, Object: fmt.Sprintf("session %d", tok.SessionID()), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "PRC-7"}
	}
	p, err := e.spawn(ctx, s, tok, nil, o)
	if err != nil {
		if errors.Is(err, errSessionGone) {
			err = &win32.Error{Op: op, Object: fmt.Sprintf("session %d", s.id), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "PRC-7"}
		} else if code := hostCode(err); code != 0 {
			err = fmt.Errorf("%w: %w", err, &win32.Error{Op: op, Object: o.Path, Code: code, Rule: "PRC-23"})
		}
		return nil, fmt.Errorf("cannot start %s: %w", o.Path, err)
	}
	return p, nil
}

// spawn starts a program: it decides under the session's lock, acts without
// it, and commits under it again. Between the two the process is in no table;
// Session.spawning counts it, so that its first call waits for the commit.
func (e *Engine) spawn(ctx context.Context, s *Session, tok *security.Token, parent *Process, o ProcessOptions) (*Process, error) {
	lockrank.AssertNoneHeld()
	id := e.AllocateLUID()
	primary, err := tok.Duplicate(security.TokenPrimary, tok.Level(), id)
	if err != nil {
		return nil, err
	}
	p := e.newProcess(s, primary)
	p.program, p.args, p.tag = clip(o.Path), keptArgs(o.Args), o.Tag
	p.spec.lpDesktop = o.Desktop
	p.compat = o.CompatXP
	if len(p.args) == 0 {
		p.args = []string{p.program}
	}
	if parent != nil {
		p.parent = parent.pid
		if o.InheritHandles {
			p.handles.Inherit(&parent.handles)
			p.spec.stations, p.spec.desktops = inheritedHandles(&p.handles)
		}
	}

	// Decide.
	s.mu.Lock()
	if !s.usableLocked() {
		s.unlock()
		p.discard()
		return nil, errSessionGone
	}
	if parent != nil && parent.session == s {
		p.spec.inheritLocked(parent)
		p.joinLocked(parent.job)
	}
	host, spec := s.host, s.spec
	if host == nil {
		s.unlock()
		p.discard()
		return nil, fmt.Errorf("session %d runs no programs: nobody is logged on: %w", s.id, win32.ERROR_NOT_SUPPORTED)
	}
	if f := p.makePlanLocked(); f != nil {
		s.unlock()
		return p, p.failStart(f, s)
	}
	station, desktop := p.plan.station, p.plan.desktop
	s.unlock()

	// Act: the desktop, which may have to start an X server, and then the
	// program. Only between the program's start and the commit is there
	// somebody who may call before he is in a table.
	ps, err := e.prepare(ctx, host, spec, p, station, desktop, o)
	if err != nil {
		p.discard()
		return nil, err
	}
	s.mu.Lock()
	s.spawning++
	s.unlock()
	hp, err := host.Spawn(ctx, ps)
	if err == nil {
		p.pid, p.start, p.host = hp.PID(), hp.StartTime(), hp
	}

	// Commit.
	e.mu.Lock()
	s.mu.Lock()
	s.spawning--
	close(s.spawned)
	s.spawned = make(chan struct{})
	gone := s.ending
	if err == nil && !gone {
		p.enterLocked()
	}
	s.mu.Unlock()
	e.mu.Unlock()
	switch {
	case err != nil:
		p.discard()
		return nil, err
	case gone:
		err := hp.Signal(9) // the session's end takes it anyway
		p.discard()
		return nil, errors.Join(errSessionGone, err)
	}
	p.watch()
	p.endIfForced()
	if o.Connect {
		if err := p.connectNow(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// prepare makes the desktop ready and says what the host is to start.
func (e *Engine) prepare(ctx context.Context, host HostSession, spec SessionSpec, p *Process, w *WindowStation, d *Desktop, o ProcessOptions) (ProcessSpec, error) {
	lockrank.AssertNoneHeld()
	who := Identity{UID: spec.UID, GID: spec.GID, Groups: spec.Groups}
	if e.identity != nil {
		var err error
		if who, err = e.identity(p.Token()); err != nil {
			return ProcessSpec{}, fmt.Errorf("no Linux identity for %v: %w", p.Token().User(), err)
		}
	}
	env, args := slices.Clone(o.Env), o.Args
	if len(args) == 0 {
		args = []string{o.Path}
	}
	if w.interactive { // others have no display to reach (WS-4)
		f, err := d.Surface(ctx)
		if err != nil {
			return ProcessSpec{}, err
		}
		more, err := f.Prepare(ctx)
		if err != nil {
			return ProcessSpec{}, fmt.Errorf("desktop %s is not ready: %w", d.Path(), err)
		}
		env = append(env, more...)
	}
	env = append(env, "STATION_SESSION="+w.session.ObjectName(), "STATION_DESKTOP="+d.Path())
	if socket := e.socketIn(host); socket != "" {
		env = append(env, "STATION_SOCKET="+socket)
	}
	return ProcessSpec{
		Path: o.Path, Args: args, Env: uniqueEnv(env), Dir: o.Dir,
		UID: who.UID, GID: who.GID, Groups: who.Groups, Files: o.Files, Tag: o.Tag,
	}, nil
}

// maxArgsKept bounds the arguments that are kept of one process, in bytes.
const maxArgsKept = 8 << 10

// keptArgs gives the arguments of a process as listings show them: what is long
// is cut, since the record outlives the process.
func keptArgs(args []string) []string {
	var out []string
	room := maxArgsKept
	for _, a := range args {
		if room <= 0 {
			return append(out, "…")
		}
		a = clip(a)
		room -= len(a) + 16
		out = append(out, a)
	}
	return out
}

// socketIn gives the call socket as programs of a host session see it.
func (e *Engine) socketIn(host HostSession) string {
	if v, ok := host.(PublicViewer); ok && e.socket != "" {
		if dir := v.PublicPath(); dir != "" {
			return path.Join(dir, path.Base(e.socket))
		}
	}
	return e.socket
}

// uniqueEnv keeps the last of each variable, in the order of first appearance.
func uniqueEnv(env []string) []string {
	at := make(map[string]int, len(env))
	out := env[:0:0]
	for _, kv := range env {
		k, _, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			continue
		}
		if i, have := at[k]; have {
			out[i] = kv
			continue
		}
		at[k] = len(out)
		out = append(out, kv)
	}
	return out
}

// discard undoes a process that was never in the tables.
func (p *Process) discard() {
	s := p.session
	s.mu.Lock()
	p.ended = true
	p.dropPlanLocked()
	s.unlock()
	p.leaveJob()
	for _, entry := range p.handles.Close() {
		entry.Object.Head().Release()
	}
	p.token.Release()
}

// failStart makes a process that could not be connected: it has ended before
// the program ran, with the exit code that says so (PC-17).
func (p *Process) failStart(f *connectFailure, s *Session) error {
	e := p.engine
	p.pid = int(e.deadPID.Add(1))
	e.mu.Lock()
	s.mu.Lock()
	p.enterLocked()
	p.reportLocked(f)
	s.mu.Unlock()
	e.mu.Unlock()
	p.end(exitRecord{code: win32.STATUS_DLL_INIT_FAILED})
	return nil
}

// connectNow connects a process right away, as the service manager does for a
// service (PC-3).
func (p *Process) connectNow() error {
	t, err := p.engine.addThread(p)
	if err != nil {
		if err == errEnded {
			return nil // it ended by itself: its exit code says how
		}
		return err
	}
	defer t.Detach()
	if err := t.Connect(); err != nil && !p.hasEnded() {
		return err
	}
	return nil // a program that has ended by now says with its exit code how
}
