// SPDX-License-Identifier: Apache-2.0

package station

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// stillActive is the exit code of a process that has not ended (STILL_ACTIVE).
const stillActive = 259

// endedKept is how many ended processes can still be opened by their ID, so
// that an exit code is not lost between two calls of whoever asks for it.
const endedKept = 256

// Process is a program in a session: its token, its handles and its
// connection to a window station. Its ID is the Linux pid on the host.
type Process struct {
	object.Header

	engine  *Engine
	session *Session
	pid     int
	start   uint64 // clock ticks since boot, 0 when not known
	parent  int    // pid of who created it, 0 for the session manager
	program string
	args    []string
	tag     string
	started time.Time
	token   *tokenObject // primary token; replaced never, adjusted inside
	host    HostProcess  // nil for a process that was not started by the engine
	outside bool         // not in a session: it came from outside to call us
	done    chan struct{}
	compat  bool         // its plain names are global ones (OBJ-14)
	gate    object.Gate  // signaled when it has ended
	names   privateNames // private namespaces it has open
	// All of the above is immutable once the process is in the tables.

	handles   object.Table
	hookable  sync.Map    // of *Desktop: where DF_ALLOWOTHERACCOUNTHOOK is set (UO-14)
	exited    atomic.Bool // it has ended; set with gate locked
	timerproc atomic.Bool // UOI_TIMERPROC_EXCEPTION_SUPPRESSION: kept, no effect

	// All guarded by session.mu.
	spec     connectSpec
	station  *WindowStation // process window station; nil while not connected
	stationH win32.Handle   // its handle
	startup  *Desktop       // startup desktop (TC-1)
	startupH win32.Handle
	ui       processUI
	plan     *plan // where the process will connect; held until it does
	threads  map[uint32]*Thread
	reported bool    // the event of a failed connection is written
	job      *job    // nil for none; set once
	forced   *uint32 // exit code that TerminateProcess or PC-17 gave
	ended    bool
	exit     exitRecord
}

// exitRecord is how a process ended.
type exitRecord struct {
	code   uint32
	signal int
}

// newProcess makes a process that is in no table yet.
func (e *Engine) newProcess(s *Session, tok *security.Token) *Process {
	p := &Process{
		engine: e, session: s, started: e.now(), done: make(chan struct{}), threads: make(map[uint32]*Thread),
	}
	p.token = newTokenObject(tok)
	p.token.Retain() // the process itself; a token in use can't change session (PRC-6)
	p.token.used.Store(true)
	p.Header.Init(processKind, "", defaultDescriptor(tok, processKind), nil)
	p.handles.Init(e.settings.MaxHandles)
	p.handles.Share(s.handles)
	p.gate.InitGate(processSignal{p})
	p.names.mu.Init(lockrank.Object, 0)
	return p
}

// enterLocked puts the process into the tables. The caller holds Engine.mu and
// the session's.
func (p *Process) enterLocked() {
	e := p.engine
	e.mu.AssertHeld()
	p.session.mu.AssertHeld()
	e.processes[p.pid] = p
	p.session.procs[p.pid] = p
	p.session.admitLocked(p.Token())
	p.session.noteLocked(p.Token())
	station, desktop := p.locationLocked()
	e.publish(EventProcessStart, p.session.id, "pid", pidText(p.pid), "parent", pidText(p.parent), "program", p.program,
		"user", p.Token().User().String(), "station", station, "desktop", desktop, "tag", p.tag)
}

// watch waits for a started process to end.
func (p *Process) watch() {
	p.engine.goWork(func() {
		select {
		case <-p.host.Done():
			st := p.host.ExitStatus()
			p.end(exitRecord{code: uint32(st.Code), signal: st.Signal})
		case <-p.engine.stop:
		}
	})
}

// end takes an ended process out of the tables and closes its handles (HND-8).
// The record stays, with the exit code, while somebody has a handle to it and
// a while longer. It does nothing when it was called before.
func (p *Process) end(rec exitRecord) {
	s, e := p.session, p.engine
	s.mu.Lock()
	if p.ended {
		s.unlock()
		return
	}
	p.ended = true
	if p.forced != nil {
		rec = exitRecord{code: *p.forced}
	}
	p.exit = rec
	for _, t := range p.threads {
		t.endUserLocked()
		t.leaveDesktopLocked()
		t.dead.Store(true)
	}
	tids := make([]uint32, 0, len(p.threads))
	threads := make([]*Thread, 0, len(p.threads))
	for id, t := range p.threads {
		tids, threads = append(tids, id), append(threads, t)
	}
	clear(p.threads)
	p.endUserLocked()
	p.dropPlanLocked()
	p.station, p.stationH, p.startup, p.startupH = nil, 0, nil, 0
	delete(s.procs, p.pid)
	e.publish(EventProcessExit, s.id, "pid", pidText(p.pid), "code", strconv.FormatUint(uint64(rec.code), 10),
		"signal", strconv.Itoa(rec.signal), "tag", p.tag)
	s.unlock()

	for _, t := range threads {
		t.endWaits()
	}
	p.closeNamespaces()
	for _, entry := range p.handles.Close() {
		entry.Object.Head().Release()
	}
	p.token.Release()
	p.leaveJob()

	var forget *Process
	e.mu.Lock()
	if e.processes[p.pid] == p {
		delete(e.processes, p.pid)
	}
	for _, id := range tids {
		delete(e.threads, id)
	}
	if p.host != nil || p.pid > firstDeadPID { // of others nobody knows an exit code
		e.ended = append(e.ended, p)
	}
	if len(e.ended) > endedKept {
		forget = e.ended[0]
		e.ended = e.ended[1:]
	}
	e.mu.Unlock()
	close(p.done)
	p.signalExit()
	if forget != nil && forget.host != nil {
		forget.host.Forget()
	}
}

// terminate ends a process with an exit code, for the session manager.
func (e *Engine) terminate(p *Process, code uint32) error {
	s := p.session
	s.mu.Lock()
	if p.ended {
		s.unlock()
		return nil
	}
	if p.forced == nil {
		p.forced = &code
	}
	s.unlock()
	if p.host == nil {
		// Nobody gave us a way to kill it: it is a fork that the host's session
		// end will catch, or a caller from outside, which is not ours to kill.
		return win32.ERROR_NOT_SUPPORTED
	}
	return p.host.Signal(9)
}

// TerminateProcess ends a process for the session manager, with the exit code
// that GetExitCodeProcess will give.
func (e *Engine) TerminateProcess(p *Process, code uint32) error { return e.terminate(p, code) }

// ForgetProcess tells the engine that a process it did not start itself, such
// as a fork, has ended. start is its start time in clock ticks, 0 if unknown.
func (e *Engine) ForgetProcess(pid int, start uint64) {
	p, ok := e.Process(pid)
	if ok && p.host == nil && (start == 0 || p.start == 0 || p.start == start) {
		p.end(exitRecord{})
	}
}

// ID gives the Linux pid on the host.
func (p *Process) ID() int { return p.pid }

// ParentID gives the pid of the process that created this one, 0 when the
// session manager did.
func (p *Process) ParentID() int { return p.parent }

// StartTime gives the process's start in clock ticks since boot, 0 if unknown.
func (p *Process) StartTime() uint64 { return p.start }

// Session gives the session the process belongs to; it never changes (SES-3).
func (p *Process) Session() *Session { return p.session }

// Token gives the primary token as it is now.
func (p *Process) Token() *security.Token { return p.token.tok.Load() }

// Program gives the path of the program.
func (p *Process) Program() string { return p.program }

// Args gives the program's arguments.
func (p *Process) Args() []string { return p.args }

// Tag gives what ProcessOptions.Tag was.
func (p *Process) Tag() string { return p.tag }

// Started gives the time the process was created.
func (p *Process) Started() time.Time { return p.started }

// Outside reports whether the process is in no session: it came from outside
// to call us.
func (p *Process) Outside() bool { return p.outside }

// Forked reports whether the process was not started by the engine but is
// known because it called: a fork, or a caller from outside. The daemon tells
// ForgetProcess when it ends.
func (p *Process) Forked() bool { return p.host == nil }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Location gives the names of the station and desktop the process is connected
// to, or will be; they are empty while neither is known.
func (p *Process) Location() (station, desktop string) {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return p.locationLocked()
}

func (p *Process) locationLocked() (station, desktop string) {
	switch {
	case p.station != nil && p.startup != nil:
		return p.station.name, p.startup.name
	case p.station != nil:
		return p.station.name, ""
	case p.plan != nil:
		return p.plan.station.name, p.plan.desktop.name
	}
	return p.spec.parentStation, p.spec.parentDesktop
}

// Connected reports whether the process has a window station of its own
// (PC-1).
func (p *Process) Connected() bool {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return p.station != nil
}

// HandleCount gives the number of handles the process has.
func (p *Process) HandleCount() int { return p.handles.Len() }

// ExitCode gives how the process ended: its Win32 exit code, and the Linux
// signal that ended it or 0.
func (p *Process) ExitCode() (code uint32, signal int, ended bool) {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	if !p.ended {
		return stillActive, 0, false
	}
	return p.exit.code, p.exit.signal, true
}
