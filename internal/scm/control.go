// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/station"
	"stationmaster/win32"
)

// Controls that package win32 has no name for.
const (
	controlParamChange    = 6
	controlNetBindAdd     = 7
	controlNetBindDisable = 0xA
	controlUserFirst      = 128
	controlUserLast       = 255

	acceptParamChange   = 0x8
	acceptNetBindChange = 0x10
)

// Signals of plain services.
const (
	sigTERM = 15
	sigKILL = 9
)

// control is one control on its way to a program.
type control struct {
	code, event, session uint32
	done                 chan win32.Errno // capacity 1: what the handler gave
}

// notice is a session change that a service is to be told.
type notice struct{ event, session uint32 }

// controlRule gives the right that a control needs on the handle and the bit
// that must be in the service's accepts (SCM-22); ok is false for one that
// can't be sent by a caller.
func controlRule(code uint32) (right win32.AccessMask, accept uint32, ok bool) {
	switch {
	case code == win32.SERVICE_CONTROL_STOP:
		return win32.SERVICE_STOP, win32.SERVICE_ACCEPT_STOP, true
	case code == win32.SERVICE_CONTROL_PAUSE || code == win32.SERVICE_CONTROL_CONTINUE:
		return win32.SERVICE_PAUSE_CONTINUE, win32.SERVICE_ACCEPT_PAUSE_CONTINUE, true
	case code == win32.SERVICE_CONTROL_INTERROGATE:
		return win32.SERVICE_INTERROGATE, 0, true
	case code == controlParamChange:
		return win32.SERVICE_PAUSE_CONTINUE, acceptParamChange, true
	case code >= controlNetBindAdd && code <= controlNetBindDisable:
		return win32.SERVICE_PAUSE_CONTINUE, acceptNetBindChange, true
	case code >= controlUserFirst && code <= controlUserLast:
		return win32.SERVICE_USER_DEFINED_CONTROL, 0, true
	}
	return 0, 0, false
}

// ControlService sends a control to a service and waits until it was handled.
// The reply's status is filled in on success and for 1051, 1052, 1061 and 1062.
// It fails with 87 for a control that can't be sent, 5 without the right, 1062
// when the service is stopped, 1061 when its state takes no such control, 1052
// when it does not accept it, 1051 for a stop while another running service
// depends on it, 1053 when it does not handle it in time.
//
// Win32: ControlService. Rules: SCM-19, SCM-20, SCM-21, SCM-22, SCM-23, SCM-24, SCM-25.
func (m *Manager) ControlService(ctx context.Context, t *station.Thread, q api.ControlServiceRequest) (api.ServiceStatusReply, error) {
	const op = "ControlService"
	right, accept, ok := controlRule(q.Control)
	s, err := m.serviceHandle(t, op, q.Service, right, "SCM-23")
	if err != nil {
		return api.ServiceStatusReply{}, err
	}
	if !ok {
		return api.ServiceStatusReply{}, &win32.Error{Op: op, Object: fmt.Sprintf("%s (control %d)", s.name, q.Control), Code: win32.ERROR_INVALID_PARAMETER, Rule: "SCM-22"}
	}
	code, rule := m.control(ctx, s, q.Control, accept)
	st, _ := s.snapshot()
	switch code {
	case 0:
		return api.ServiceStatusReply{Status: st}, nil
	case win32.ERROR_DEPENDENT_SERVICES_RUNNING, win32.ERROR_INVALID_SERVICE_CONTROL, win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL, win32.ERROR_SERVICE_NOT_ACTIVE:
	default:
		st = api.ServiceStatus{}
	}
	return api.ServiceStatusReply{Status: st}, &win32.Error{Op: op, Object: s.name, Code: code, Rule: rule}
}

// refusalLocked says why a service can't be sent a control now (SCM-19), 0
// when it can.
func (s *service) refusalLocked(code, accept uint32) (win32.Errno, string) {
	stop := code == win32.SERVICE_CONTROL_STOP || code == win32.SERVICE_CONTROL_SHUTDOWN
	switch s.status.State {
	case win32.SERVICE_STOPPED:
		return win32.ERROR_SERVICE_NOT_ACTIVE, "SCM-19"
	case win32.SERVICE_STOP_PENDING:
		return win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL, "SCM-19"
	case win32.SERVICE_START_PENDING:
		if !stop {
			return win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL, "SCM-19"
		}
	}
	switch {
	case s.run == nil || s.run.stopSent:
		return win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL, "SCM-25"
	case accept != 0 && s.status.Accepts&accept == 0:
		return win32.ERROR_INVALID_SERVICE_CONTROL, "SCM-23"
	case s.run.plain && code >= controlUserFirst:
		return win32.ERROR_INVALID_SERVICE_CONTROL, "SCM-23"
	}
	if code == win32.SERVICE_CONTROL_STOP {
		for _, d := range s.manager.services {
			if d.status.State != win32.SERVICE_STOPPED && slices.ContainsFunc(d.rec.Depends, func(n string) bool { return strings.EqualFold(n, s.name) }) {
				return win32.ERROR_DEPENDENT_SERVICES_RUNNING, "SCM-24"
			}
		}
	}
	return 0, ""
}

// control sends one control.
func (m *Manager) control(ctx context.Context, s *service, code, accept uint32) (win32.Errno, string) {
	m.mu.Lock()
	if no, rule := s.refusalLocked(code, accept); no != 0 {
		m.mu.Unlock()
		return no, rule
	}
	r := s.run
	m.mu.Unlock()
	if r.plain {
		return m.controlPlain(r, code)
	}
	return m.deliver(ctx, r, &control{code: code, done: make(chan win32.Errno, 1)}, accept)
}

// controlPlain does for a program that does not know us what its handler
// would.
func (m *Manager) controlPlain(r *run, code uint32) (win32.Errno, string) {
	if code != win32.SERVICE_CONTROL_STOP && code != win32.SERVICE_CONTROL_SHUTDOWN {
		return 0, "" // INTERROGATE: the status is known
	}
	s := r.service
	m.mu.Lock()
	if s.run != r || r.stopSent || r.process == nil {
		m.mu.Unlock()
		return win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL, "SCM-25"
	}
	r.stopSent = true
	st := s.status
	st.State, st.Accepts, st.WaitHint = win32.SERVICE_STOP_PENDING, 0, uint32(m.o.StopGrace/time.Millisecond)
	s.setStatusLocked(st)
	p := r.process
	m.mu.Unlock()
	m.told(s, st)
	m.endPlain(r, p)
	return 0, ""
}

// endPlain sends SIGTERM, and SIGKILL when that was not enough.
func (m *Manager) endPlain(r *run, p *station.Process) {
	if err := m.engine.SignalProcess(p, sigTERM); err != nil {
		m.log.Warn("cannot send SIGTERM to a service", "service", r.service.name, "err", err)
	}
	m.goWork(func() {
		timer := time.NewTimer(m.o.StopGrace)
		defer timer.Stop()
		select {
		case <-p.Done():
			return
		case <-m.ctx.Done():
			return
		case <-timer.C:
		}
		m.trouble(r.service, fmt.Sprintf("did not stop within %v of SIGTERM and was killed", m.o.StopGrace))
		if err := m.engine.SignalProcess(p, sigKILL); err != nil {
			m.log.Error("cannot kill a service", "service", r.service.name, "err", err)
		}
	})
}

// acquire takes a turn within the pipe time-out.
func (m *Manager) acquire(ctx context.Context, turn chan struct{}, timer *time.Timer) win32.Errno {
	select {
	case turn <- struct{}{}:
		return 0
	case <-timer.C:
		return win32.ERROR_SERVICE_REQUEST_TIMEOUT
	case <-ctx.Done():
		return win32.ERROR_CANCELLED
	case <-m.ctx.Done():
		return win32.ERROR_SHUTDOWN_IN_PROGRESS
	}
}

// deliver hands a control to a service's program and waits until it was
// handled: one at a time for each program and, as on Windows, engine-wide.
func (m *Manager) deliver(ctx context.Context, r *run, c *control, accept uint32) (win32.Errno, string) {
	s := r.service
	timer := time.NewTimer(m.o.PipeTimeout)
	defer timer.Stop()
	if !m.o.PerProcessControls {
		if code := m.acquire(ctx, m.controlling, timer); code != 0 {
			return code, "SCM-20"
		}
		defer func() { <-m.controlling }()
	}
	if code := m.acquire(ctx, r.serial, timer); code != 0 {
		return code, "SCM-20"
	}
	defer func() { <-r.serial }()

	m.mu.Lock()
	no, rule := s.refusalLocked(c.code, accept) // much may have changed while we waited
	if no == 0 && s.run != r {
		no, rule = win32.ERROR_SERVICE_NOT_ACTIVE, "SCM-19"
	}
	if no != 0 {
		m.mu.Unlock()
		return no, rule
	}
	if c.code == win32.SERVICE_CONTROL_STOP || c.code == win32.SERVICE_CONTROL_SHUTDOWN {
		r.stopSent = true
	}
	r.waiting = c
	m.mu.Unlock()
	r.poke()
	m.saveJournal()

	timer.Reset(m.o.PipeTimeout)
	code := win32.Errno(0)
	select {
	case code = <-c.done:
	case <-r.ended:
		// A program that ends because it was told to stop has handled that.
		if c.code != win32.SERVICE_CONTROL_STOP && c.code != win32.SERVICE_CONTROL_SHUTDOWN {
			code = win32.ERROR_SERVICE_NOT_ACTIVE
		}
	case <-timer.C:
		code = win32.ERROR_SERVICE_REQUEST_TIMEOUT
	case <-m.ctx.Done():
		code = win32.ERROR_SHUTDOWN_IN_PROGRESS
	}
	m.mu.Lock()
	if r.waiting == c {
		r.waiting = nil
	}
	m.mu.Unlock()
	return code, "SCM-21"
}

// poke wakes a NextServiceControl.
func (r *run) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// observe tells services about session changes (NTF-2, NTF-3, NTF-7). It runs
// on the engine's observer goroutine and waits for nobody.
func (m *Manager) observe(ev station.Event) {
	code, ok := logon.SessionChange(ev)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	for _, s := range m.orderedLocked() {
		r := s.run
		up := s.status.State == win32.SERVICE_RUNNING || s.status.State == win32.SERVICE_PAUSED
		if r == nil || r.plain || !up || r.stopSent || s.status.Accepts&win32.SERVICE_ACCEPT_SESSIONCHANGE == 0 {
			continue
		}
		r.notices = append(r.notices, notice{code, ev.Session})
		if !r.noticing {
			r.noticing = true
			m.work.Go(func() { m.notify(r) })
		}
	}
}

// notify delivers session changes to one service until there are none left.
func (m *Manager) notify(r *run) {
	for {
		m.mu.Lock()
		if len(r.notices) == 0 || m.closed {
			r.noticing, r.notices = false, nil
			m.mu.Unlock()
			return
		}
		n := r.notices[0]
		r.notices = r.notices[1:]
		m.mu.Unlock()
		c := &control{code: win32.SERVICE_CONTROL_SESSIONCHANGE, event: n.event, session: n.session, done: make(chan win32.Errno, 1)}
		code, _ := m.deliver(m.ctx, r, c, win32.SERVICE_ACCEPT_SESSIONCHANGE)
		if code == win32.ERROR_SERVICE_REQUEST_TIMEOUT {
			m.trouble(r.service, "did not handle a session change in time")
		}
	}
}

// Shutdown stops every service: SHUTDOWN to those that accept it, SIGTERM to
// the plain ones, in database order; dependencies do not count. What still
// runs when the time is over is ended. Rules: SCM-38, SCM-33.
func (m *Manager) Shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.o.ShutdownTime)
	defer cancel()
	m.mu.Lock()
	all := m.orderedLocked()
	m.mu.Unlock()
	done := make(chan struct{}, len(all))
	sent := 0
	for _, s := range all {
		m.mu.Lock()
		r, accepts := s.run, s.status.Accepts&win32.SERVICE_ACCEPT_SHUTDOWN != 0
		up := s.status.State != win32.SERVICE_STOPPED
		m.mu.Unlock()
		if !up || r == nil || !accepts {
			continue
		}
		if m.goWork(func() {
			m.control(ctx, s, win32.SERVICE_CONTROL_SHUTDOWN, win32.SERVICE_ACCEPT_SHUTDOWN)
			done <- struct{}{}
		}) {
			sent++
		}
	}
	for range sent {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	for _, s := range all {
		m.mu.Lock()
		r := s.run
		var p *station.Process
		asked := false
		if r != nil {
			p, asked = r.process, r.stopSent
		}
		m.mu.Unlock()
		if p == nil {
			continue
		}
		if asked {
			select {
			case <-p.Done():
				continue
			case <-ctx.Done():
			}
		}
		if err := m.engine.TerminateProcess(p, uint32(win32.ERROR_SHUTDOWN_IN_PROGRESS)); err != nil {
			m.log.Error("cannot end a service", "service", s.name, "err", err)
		}
	}
}
