// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"slices"
	"strings"

	"stationmaster/internal/api"
	"stationmaster/station"
	"stationmaster/win32"
)

// runOfLocked gives the run whose program a process is, nil for none.
func (m *Manager) runOfLocked(p *station.Process) *run {
	for _, s := range m.services {
		if s.run != nil && s.run.process == p && p != nil {
			return s.run
		}
	}
	return nil
}

// program gives the run that the caller is the program of; 1063 for everybody
// else. A program may call before its start is written down here.
func (m *Manager) program(ctx context.Context, t *station.Thread, op string) (*run, error) {
	fail := &win32.Error{Op: op, Code: win32.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, Rule: "SCM-28"}
	tag := t.Process().Tag()
	if !strings.HasPrefix(tag, tagPrefix) {
		return nil, fail
	}
	for {
		m.mu.Lock()
		if r := m.runOfLocked(t.Process()); r != nil {
			m.mu.Unlock()
			return r, nil
		}
		var changed <-chan struct{}
		for _, s := range m.services {
			if s.run != nil && s.run.tag == tag && s.run.process == nil {
				changed = s.changed
			}
		}
		m.mu.Unlock()
		if changed == nil {
			return nil, fail
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &win32.Error{Op: op, Code: win32.ERROR_CANCELLED}
		}
	}
}

// StartServiceCtrlDispatcher connects a service's program and gives the name
// and the arguments of the service to run. It fails with 1063 outside a
// service's program, 1056 the second time, 1083 when a program of several
// services does not have the one that was started.
//
// Win32: StartServiceCtrlDispatcher. Rules: SCM-27, SCM-28.
func (m *Manager) StartServiceCtrlDispatcher(ctx context.Context, t *station.Thread, q api.DispatcherRequest) (api.DispatcherReply, error) {
	const op = "StartServiceCtrlDispatcher"
	r, err := m.program(ctx, t, op)
	if err != nil {
		return api.DispatcherReply{}, err
	}
	if r.plain {
		return api.DispatcherReply{}, &win32.Error{Op: op, Object: r.service.name + " is a plain service", Code: win32.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, Rule: "SCM-28"}
	}
	m.mu.Lock()
	if r.dispatched {
		m.mu.Unlock()
		return api.DispatcherReply{}, &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_SERVICE_ALREADY_RUNNING, Rule: "SCM-28"}
	}
	shared := r.service.rec.Type&win32.SERVICE_WIN32_SHARE_PROCESS != 0
	if shared && !slices.ContainsFunc(q.Names, func(n string) bool { return strings.EqualFold(n, r.service.name) }) {
		m.mu.Unlock()
		return api.DispatcherReply{}, &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_SERVICE_NOT_IN_EXE, Rule: "SCM-28"}
	}
	r.dispatched = true
	close(r.connected)
	m.mu.Unlock()
	m.saveJournal()
	return api.DispatcherReply{Name: r.service.name, Args: slices.Clone(r.args)}, nil
}

// moves are the changes of state that SCM-18 allows.
var moves = map[uint32][]uint32{
	win32.SERVICE_STOPPED:          {win32.SERVICE_START_PENDING, win32.SERVICE_RUNNING},
	win32.SERVICE_START_PENDING:    {win32.SERVICE_RUNNING, win32.SERVICE_STOP_PENDING, win32.SERVICE_STOPPED},
	win32.SERVICE_STOP_PENDING:     {win32.SERVICE_STOPPED},
	win32.SERVICE_RUNNING:          {win32.SERVICE_PAUSED, win32.SERVICE_PAUSE_PENDING, win32.SERVICE_STOPPED, win32.SERVICE_STOP_PENDING},
	win32.SERVICE_PAUSE_PENDING:    {win32.SERVICE_PAUSED, win32.SERVICE_STOP_PENDING, win32.SERVICE_STOPPED},
	win32.SERVICE_PAUSED:           {win32.SERVICE_RUNNING, win32.SERVICE_CONTINUE_PENDING, win32.SERVICE_STOP_PENDING, win32.SERVICE_STOPPED},
	win32.SERVICE_CONTINUE_PENDING: {win32.SERVICE_RUNNING, win32.SERVICE_STOP_PENDING, win32.SERVICE_STOPPED},
}

// SetServiceStatus takes a service's report. A state that does not exist is
// 87; a change that SCM-18 does not list is taken and logged.
//
// Win32: SetServiceStatus. Rules: SCM-18, SCM-30.
func (m *Manager) SetServiceStatus(ctx context.Context, t *station.Thread, q api.SetServiceStatusRequest) error {
	const op = "SetServiceStatus"
	r, err := m.program(ctx, t, op)
	if err != nil {
		return err
	}
	if _, known := moves[q.Status.State]; !known {
		return &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_INVALID_PARAMETER, Rule: "SCM-18"}
	}
	s := r.service
	m.mu.Lock()
	if s.run != r || r.plain || !r.dispatched {
		m.mu.Unlock()
		return &win32.Error{Op: op, Object: s.name, Code: win32.ERROR_INVALID_HANDLE, Rule: "SCM-18"}
	}
	from := s.status.State
	odd := from != q.Status.State && !slices.Contains(moves[from], q.Status.State)
	st := api.ServiceStatus{
		Type: s.rec.Type, State: q.Status.State, Accepts: q.Status.Accepts, Win32ExitCode: q.Status.Win32ExitCode,
		SpecificExitCode: q.Status.SpecificExitCode, CheckPoint: q.Status.CheckPoint, WaitHint: q.Status.WaitHint,
		ProcessID: s.status.ProcessID,
	}
	switch st.State {
	case win32.SERVICE_STOPPED:
		st.Accepts, st.ProcessID = 0, 0
	case win32.SERVICE_START_PENDING, win32.SERVICE_STOP_PENDING:
		st.Accepts &^= win32.SERVICE_ACCEPT_PAUSE_CONTINUE
	}
	s.setStatusLocked(st)
	m.mu.Unlock()
	m.told(s, st)
	if odd {
		m.trouble(s, "reported "+stateName(st.State)+" after "+stateName(from)+", which is no move a service makes")
	}
	if st.State == win32.SERVICE_STOPPED {
		s.vanish()
	}
	return nil
}

// NextServiceControl waits for the next control of the caller's service. Asking
// again says that the control before was handled, with the code in Handled.
// Once the service has stopped it waits for its program to end.
//
// Win32: HandlerEx. Rules: SCM-20, SCM-21, NTF-2.
func (m *Manager) NextServiceControl(ctx context.Context, t *station.Thread, q api.NextControlRequest) (api.NextControlReply, error) {
	const op = "NextServiceControl"
	r, err := m.program(ctx, t, op)
	if err != nil {
		return api.NextControlReply{}, err
	}
	m.mu.Lock()
	if !r.dispatched || r.plain {
		m.mu.Unlock()
		return api.NextControlReply{}, &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_INVALID_HANDLE, Rule: "SCM-28"}
	}
	if c := r.current; c != nil {
		r.current = nil
		c.done <- win32.Errno(q.Handled)
	}
	m.mu.Unlock()
	for {
		m.mu.Lock()
		if c := r.waiting; c != nil {
			r.waiting = nil
			if old := r.current; old != nil { // another connection took over the loop
				old.done <- win32.ERROR_SERVICE_REQUEST_TIMEOUT
			}
			r.current = c
			m.mu.Unlock()
			return api.NextControlReply{Control: c.code, EventType: c.event, SessionID: c.session}, nil
		}
		m.mu.Unlock()
		select {
		case <-r.wake:
		case <-r.ended:
			return api.NextControlReply{}, &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_SERVICE_NOT_ACTIVE, Rule: "SCM-28"}
		case <-ctx.Done():
			return api.NextControlReply{}, &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_CANCELLED}
		case <-m.ctx.Done():
			return api.NextControlReply{}, &win32.Error{Op: op, Object: r.service.name, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SCM-38"}
		}
	}
}
