// SPDX-License-Identifier: Apache-2.0

package station

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// MemoryHost is a Host without a machine: its programs are records that end
// when they are told to. It is for tests, and for embedders that want the
// object model alone.
type MemoryHost struct {
	mu       sync.Mutex
	nextPID  int                        // guarded by mu
	sessions map[uint32]*MemorySession  // guarded by mu: those that live
	procs    map[int]*MemoryProcess     // guarded by mu: all that were not forgotten
	missing  map[string]bool            // guarded by mu: programs that do not exist
	onSpawn  func(*MemoryProcess) error // guarded by mu
}

// NewMemoryHost makes a host without sessions. Its pids begin at 1000.
func NewMemoryHost() *MemoryHost {
	return &MemoryHost{
		nextPID: 1000, sessions: make(map[uint32]*MemorySession),
		procs: make(map[int]*MemoryProcess), missing: make(map[string]bool),
	}
}

// Remove lets Spawn fail for a program as if its file did not exist.
func (h *MemoryHost) Remove(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missing[path] = true
}

// OnSpawn calls f for every program before Spawn returns; an error makes Spawn
// fail with it.
func (h *MemoryHost) OnSpawn(f func(*MemoryProcess) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onSpawn = f
}

// Process gives a program by its pid, ended ones included until they are
// forgotten; nil when there is none.
func (h *MemoryHost) Process(pid int) *MemoryProcess {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.procs[pid]
}

// Sessions gives the number of sessions that live.
func (h *MemoryHost) Sessions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}

// Running gives the number of programs that have not ended.
func (h *MemoryHost) Running() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, p := range h.procs {
		if !p.ended() {
			n++
		}
	}
	return n
}

// StartSession implements Host.
func (h *MemoryHost) StartSession(ctx context.Context, spec SessionSpec) (HostSession, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[spec.ID] != nil {
		return nil, fmt.Errorf("session %d exists: %w", spec.ID, fs.ErrExist)
	}
	s := &MemorySession{host: h, spec: spec, done: make(chan struct{})}
	h.sessions[spec.ID] = s
	return s, nil
}

// MemorySession is one session of a MemoryHost.
type MemorySession struct {
	host *MemoryHost
	spec SessionSpec
	done chan struct{}

	procs []*MemoryProcess // guarded by host.mu
	over  bool             // guarded by host.mu
}

// Spec gives what the session was started with.
func (s *MemorySession) Spec() SessionSpec { return s.spec }

// Spawn implements HostSession.
func (s *MemorySession) Spawn(ctx context.Context, spec ProcessSpec) (HostProcess, error) {
	h := s.host
	h.mu.Lock()
	if s.over {
		h.mu.Unlock()
		return nil, fmt.Errorf("session %d is over: %w", s.spec.ID, fs.ErrClosed)
	}
	if h.missing[spec.Path] {
		h.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", spec.Path, fs.ErrNotExist)
	}
	h.nextPID++
	p := &MemoryProcess{session: s, pid: h.nextPID, start: uint64(h.nextPID) * 10, spec: spec, done: make(chan struct{})}
	s.procs = append(s.procs, p)
	h.procs[p.pid] = p
	onSpawn := h.onSpawn
	h.mu.Unlock()
	if onSpawn != nil {
		if err := onSpawn(p); err != nil {
			p.Exit(127)
			p.Forget()
			return nil, err
		}
	}
	return p, nil
}

// Processes implements HostSession.
func (s *MemorySession) Processes() []HostProcess {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	out := make([]HostProcess, len(s.procs))
	for i, p := range s.procs {
		out[i] = p
	}
	slices.SortFunc(out, func(a, b HostProcess) int { return cmp.Compare(a.PID(), b.PID()) })
	return out
}

// End implements HostSession.
func (s *MemorySession) End(ctx context.Context) error {
	s.host.mu.Lock()
	procs := slices.Clone(s.procs)
	if !s.over {
		s.over = true
		delete(s.host.sessions, s.spec.ID)
		close(s.done)
	}
	s.host.mu.Unlock()
	for _, p := range procs {
		_ = p.Signal(9) // never fails
	}
	return nil
}

// Done implements HostSession.
func (s *MemorySession) Done() <-chan struct{} { return s.done }

// MemoryProcess is one program of a MemoryHost.
type MemoryProcess struct {
	session *MemorySession
	pid     int
	start   uint64
	spec    ProcessSpec
	once    sync.Once
	status  ExitStatus // valid when done is closed
	done    chan struct{}
}

// Spec gives what the program was started with.
func (p *MemoryProcess) Spec() ProcessSpec { return p.spec }

// Exit ends the program with an exit code.
func (p *MemoryProcess) Exit(code int) { p.finish(ExitStatus{Code: code}) }

func (p *MemoryProcess) finish(st ExitStatus) {
	p.once.Do(func() {
		p.status = st
		close(p.done)
	})
}

func (p *MemoryProcess) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// PID implements HostProcess.
func (p *MemoryProcess) PID() int { return p.pid }

// StartTime implements HostProcess.
func (p *MemoryProcess) StartTime() uint64 { return p.start }

// Tag implements HostProcess.
func (p *MemoryProcess) Tag() string { return p.spec.Tag }

// Done implements HostProcess.
func (p *MemoryProcess) Done() <-chan struct{} { return p.done }

// ExitStatus implements HostProcess.
func (p *MemoryProcess) ExitStatus() ExitStatus { return p.status }

// Signal implements HostProcess. Every signal but 0 ends the program.
func (p *MemoryProcess) Signal(sig int) error {
	if sig != 0 {
		p.finish(ExitStatus{Code: 128 + sig, Signal: sig})
	}
	return nil
}

// Forget implements HostProcess.
func (p *MemoryProcess) Forget() {
	h := p.session.host
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.procs, p.pid)
	p.session.procs = slices.DeleteFunc(p.session.procs, func(x *MemoryProcess) bool { return x == p })
}
