// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/station"
)

// Process is one program that Spawn started. It implements
// station.HostProcess.
type Process struct {
	s     *Session // immutable, like all up to done
	id    uint64   // the holder's number of it
	pid   int
	start uint64
	tag   string
	done  chan struct{} // closed once status is valid

	mu     sync.Mutex
	pidfd  int                // guarded by mu; -1 once ended or let go
	status station.ExitStatus // guarded by mu until done is closed
	ended  bool               // guarded by mu
}

// newProcess takes fd, the pidfd, over; -1 when m has ended.
func newProcess(s *Session, m procMsg, fd int) *Process {
	p := &Process{s: s, id: m.ID, pid: m.PID, start: m.Start, tag: string(m.Tag), pidfd: fd, done: make(chan struct{})}
	if m.Ended {
		p.end(m)
	}
	return p
}

// PID implements station.HostProcess.
func (p *Process) PID() int { return p.pid }

// StartTime implements station.HostProcess.
func (p *Process) StartTime() uint64 { return p.start }

// Tag implements station.HostProcess.
func (p *Process) Tag() string { return p.tag }

// Done implements station.HostProcess.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitStatus implements station.HostProcess.
func (p *Process) ExitStatus() station.ExitStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// end records how the program ended; only the first report counts.
func (p *Process) end(m procMsg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	p.status = station.ExitStatus{Code: m.Code, Signal: m.Signal}
	p.releaseLocked()
	close(p.done)
}

// release closes the pidfd.
func (p *Process) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.releaseLocked()
}

func (p *Process) releaseLocked() {
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = -1
	}
}

// Signal implements station.HostProcess. It goes through the pidfd, so it
// cannot hit a process that got the number later; os.ErrProcessDone once the
// program has ended.
func (p *Process) Signal(sig int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pidfd < 0 {
		return fmt.Errorf("cannot signal process %d: %w", p.pid, os.ErrProcessDone)
	}
	if err := unix.PidfdSendSignal(p.pidfd, syscall.Signal(sig), nil, 0); err != nil {
		if err == unix.ESRCH {
			err = nil
			return fmt.Errorf("cannot signal process %d: %w", p.pid, os.ErrProcessDone)
		}
		return fmt.Errorf("cannot signal process %d: %w", p.pid, err)
	}
	return nil
}

// Forget implements station.HostProcess. A program that still runs is not
// forgotten.
func (p *Process) Forget() {
	select {
	case <-p.done:
	default:
		return
	}
	p.s.mu.Lock()
	delete(p.s.procs, p.id)
	p.s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var reply pathReply
	if f, err := p.s.ask(ctx, kindForget, forgetMsg{ID: p.id}, nil, &reply); err == nil {
		f.close()
	}
}
