// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// startHint is the wait hint of a service that has just been started, in
// milliseconds (SCM-26).
const startHint = 2000

// run is one start of a service: its program from then until it ends.
type run struct {
	service *service // immutable
	plain   bool     // immutable: it does not speak to us
	args    []string // immutable: of ServiceMain, its name first
	tag     string   // immutable: of the process

	connected chan struct{} // closed when the program has called StartServiceCtrlDispatcher
	ended     chan struct{} // closed when the program has ended
	serial    chan struct{} // capacity 1: full while a control is delivered to it
	wake      chan struct{} // capacity 1: there may be a control for NextServiceControl

	process *station.Process // nil until it was started; guarded by manager.mu

	// All guarded by manager.mu.
	dispatched bool     // connected is closed
	stopSent   bool     // STOP was delivered (SCM-25)
	waiting    *control // not taken by the program yet
	current    *control // taken, not answered
	notices    []notice // session changes not delivered yet
	noticing   bool     // a goroutine delivers notices
}

var runNumber atomic.Uint64

// StartService starts a service and returns when its main function has been
// called, or a plain program has begun. It fails in the order of SCM-26: 5,
// 1058 disabled, 1072, 1056 not stopped, 1075 and 1068 for dependencies, 2, 3,
// 5 or 193 for the program, 1069 for the account, 1053 when the program ends or
// does not connect in time. A driver is 50.
//
// Win32: StartService. Rules: SCM-2, SCM-26, SCM-27, SCM-32.
func (m *Manager) StartService(ctx context.Context, t *station.Thread, q api.StartServiceRequest) error {
	s, err := m.serviceHandle(t, "StartService", q.Service, win32.SERVICE_START, "SCM-26")
	if err != nil {
		return err
	}
	if err := m.startable(s); err != nil {
		return err
	}
	// A service that starts another before it runs itself would wait for ever:
	// its own start is under way (SCM-32).
	wait := ctx
	if m.startPending(t.Process()) {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, m.o.PipeTimeout)
		defer cancel()
	}
	return m.start(ctx, wait, s, q.Args)
}

// startPending says whether a process runs a service whose start is under way.
func (m *Manager) startPending(p *station.Process) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runOfLocked(p)
	return r != nil && r.service.status.State == win32.SERVICE_START_PENDING
}

// startable makes the checks of a start that need no work.
func (m *Manager) startable(s *service) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fail := func(code win32.Errno, rule string) error {
		return &win32.Error{Op: "StartService", Object: s.name, Code: code, Rule: rule}
	}
	switch {
	case s.deleted:
		return fail(win32.ERROR_SERVICE_MARKED_FOR_DELETE, "SCM-9")
	case s.rec.StartType == win32.SERVICE_DISABLED:
		return fail(win32.ERROR_SERVICE_DISABLED, "SCM-26")
	case s.status.State != win32.SERVICE_STOPPED:
		return fail(win32.ERROR_SERVICE_ALREADY_RUNNING, "SCM-26")
	case s.rec.isDriver():
		return fail(win32.ERROR_NOT_SUPPORTED, "SCM-2")
	case m.closed:
		return fail(win32.ERROR_SHUTDOWN_IN_PROGRESS, "SCM-38")
	}
	return nil
}

// start starts a service and what it depends on. It waits for its turn as long
// as wait lasts, and for the service as long as ctx; what has begun goes on
// when ctx ends.
func (m *Manager) start(ctx, wait context.Context, s *service, args []string) error {
	select {
	case m.starting <- struct{}{}:
	case <-wait.Done():
		code := win32.ERROR_SERVICE_REQUEST_TIMEOUT
		if ctx.Err() != nil {
			code = win32.ERROR_CANCELLED
		}
		return &win32.Error{Op: "StartService", Object: s.name, Code: code, Rule: "SCM-32"}
	case <-m.ctx.Done():
		return &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SCM-38"}
	}
	result := make(chan error, 1)
	going := m.goWork(func() {
		defer func() { <-m.starting }()
		r, err := m.startWithDependencies(s, args, nil)
		result <- err
		if err == nil {
			_ = m.settle(r) // the next start waits for it (SCM-32); what went wrong is in its status
		}
	})
	if !going {
		<-m.starting
		return &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SCM-38"}
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_CANCELLED}
	}
}

// startWithDependencies starts what a service depends on, deepest first, and
// then the service. above are the services whose start asked for this one.
func (m *Manager) startWithDependencies(s *service, args []string, above []*service) (*run, error) {
	if err := m.startable(s); err != nil {
		return nil, err
	}
	m.mu.Lock()
	depends := slices.Clone(s.rec.Depends)
	m.mu.Unlock()
	fail := func(code win32.Errno, on string) (*run, error) {
		err := &win32.Error{Op: "StartService", Object: s.name + " depends on " + on, Code: code, Rule: "SCM-26"}
		m.failed(s, code)
		return nil, err
	}
	for _, name := range depends {
		d := m.find(name)
		if d == nil || strings.HasPrefix(name, "+") {
			return fail(win32.ERROR_SERVICE_DEPENDENCY_DELETED, name)
		}
		if slices.Contains(above, d) || d == s {
			return fail(win32.ERROR_CIRCULAR_DEPENDENCY, name)
		}
		if st, _ := d.snapshot(); st.State == win32.SERVICE_STOPPED {
			r, err := m.startWithDependencies(d, nil, append(above, s))
			if err == nil {
				err = m.settle(r)
			}
			if err != nil {
				return fail(win32.ERROR_SERVICE_DEPENDENCY_FAIL, name)
			}
		}
		if st, _ := d.snapshot(); st.State != win32.SERVICE_RUNNING {
			return fail(win32.ERROR_SERVICE_DEPENDENCY_FAIL, name)
		}
	}
	return m.startOne(s, args)
}

// failed notes in the status of a stopped service why it could not be started.
func (m *Manager) failed(s *service, code win32.Errno) {
	m.mu.Lock()
	st := s.status
	if st.State == win32.SERVICE_STOPPED || s.run == nil || s.run.process == nil {
		st = api.ServiceStatus{Type: s.rec.Type, State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(code)}
		s.run = nil
		s.setStatusLocked(st)
	}
	m.mu.Unlock()
	m.told(s, st)
	s.vanish()
}

// startOne starts one service's program and waits until it has connected.
func (m *Manager) startOne(s *service, args []string) (*run, error) {
	m.mu.Lock()
	if s.deleted || s.status.State != win32.SERVICE_STOPPED {
		m.mu.Unlock()
		if err := m.startable(s); err != nil {
			return nil, err
		}
		return nil, &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_SERVICE_ALREADY_RUNNING, Rule: "SCM-26"}
	}
	rec := s.rec
	r := &run{
		service: s, plain: rec.Plain, args: append([]string{s.name}, args...),
		tag:       fmt.Sprintf("%s%s:%d.%d", tagPrefix, serviceKey(s.name), os.Getpid(), runNumber.Add(1)),
		connected: make(chan struct{}), ended: make(chan struct{}),
		serial: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	s.run = r
	st := api.ServiceStatus{Type: rec.Type, State: win32.SERVICE_START_PENDING, WaitHint: startHint}
	s.setStatusLocked(st)
	m.mu.Unlock()
	m.told(s, st)

	p, err := m.spawn(r, &rec)
	if err != nil {
		m.failed(s, win32.Code(err))
		return nil, err
	}
	m.mu.Lock()
	r.process = p
	st = s.status
	st.ProcessID = uint32(p.ID())
	if r.plain {
		st.State, st.WaitHint = win32.SERVICE_RUNNING, 0
		st.Accepts = win32.SERVICE_ACCEPT_STOP | win32.SERVICE_ACCEPT_SHUTDOWN
	}
	s.setStatusLocked(st)
	m.mu.Unlock()
	m.told(s, st)
	m.watch(r)
	if r.plain {
		return r, nil
	}

	timer := time.NewTimer(m.o.PipeTimeout)
	defer timer.Stop()
	select {
	case <-r.connected:
		return r, nil
	case <-r.ended: // its status says 1053 already
	case <-timer.C:
		m.trouble(s, fmt.Sprintf("did not connect to the service manager within %v and was ended", m.o.PipeTimeout))
		m.over(r, api.ServiceStatus{Type: rec.Type, State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT)})
		if err := m.engine.TerminateProcess(p, uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT)); err != nil {
			m.log.Error("cannot end a service", "service", s.name, "err", err)
		}
	case <-m.ctx.Done():
		return nil, &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SCM-38"}
	}
	select { // it may have connected and ended at once
	case <-r.connected:
		return r, nil
	default:
	}
	return nil, &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_SERVICE_REQUEST_TIMEOUT, Rule: "SCM-26"}
}

// spawn starts the program of a service with the token and on the station that
// its account asks for (SCM-11, SCM-12, SCM-14).
func (m *Manager) spawn(r *run, rec *record) (*station.Process, error) {
	const op = "StartService"
	words, err := splitWords(rec.BinaryPath)
	if err != nil || len(words) == 0 {
		return nil, &win32.Error{Op: op, Object: rec.BinaryPath, Code: win32.ERROR_BAD_PATHNAME, Rule: "SCM-26"}
	}
	token, account, err := m.token(rec)
	if err != nil {
		return nil, err
	}
	env, home := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "/"
	if m.o.Environment != nil {
		if env, home, err = m.o.Environment(account); err != nil {
			return nil, fmt.Errorf("cannot start service %s: %w", rec.Name, err)
		}
	}
	if kindOf(rec.Account) != accountUser {
		home = "/"
	}
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return strings.HasPrefix(kv, "XDG_RUNTIME_DIR=") // session 0 makes none for accounts
	})
	env = append(env, "STATION_SERVICE="+rec.Name)
	env = append(env, rec.Env...)

	out, err := m.logs.open(rec.Name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	in, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("cannot start service %s: %w", rec.Name, err)
	}
	defer func() { _ = in.Close() }()

	o := station.ProcessOptions{
		Path: words[0], Args: words, Env: env, Dir: home,
		Files: []*os.File{in, out, out}, Tag: r.tag, Connect: true,
	}
	if rec.interactive() {
		if m.interactiveNow(rec) {
			desktop := `WinSta0\Default`
			o.Desktop = &desktop
		} else {
			m.trouble(r.service, "is marked interactive, but the system is set not to allow interactive services: it can show nothing")
		}
	}
	p, err := m.engine.StartProcess(m.ctx, token, o)
	if err != nil {
		return nil, programError(rec, err)
	}
	return p, nil
}

// programError gives the number for a program that could not be started.
func programError(rec *record, err error) error {
	var e *win32.Error
	if errors.As(err, &e) {
		return &win32.Error{Op: "StartService", Object: rec.Name + " (" + rec.BinaryPath + ")", Code: e.Code, Rule: "SCM-26"}
	}
	code := win32.Errno(0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = win32.ERROR_FILE_NOT_FOUND
	case errors.Is(err, fs.ErrPermission):
		code = win32.ERROR_ACCESS_DENIED
	default:
		return fmt.Errorf("cannot start service %s: %w", rec.Name, err)
	}
	return &win32.Error{Op: "StartService", Object: rec.Name + " (" + rec.BinaryPath + ")", Code: code, Rule: "SCM-26"}
}

// token makes the token of a service's account. Whatever is wrong with a user
// account is 1069 (SCM-17).
func (m *Manager) token(rec *record) (*security.Token, logon.Account, error) {
	bySID := func(t *security.Token) (*security.Token, logon.Account, error) {
		a, err := m.store.BySID(t.User())
		return t, a, err
	}
	switch kindOf(rec.Account) {
	case accountSystem:
		return bySID(security.SystemToken(0))
	case accountLocalService:
		return bySID(security.LocalServiceToken(0))
	case accountNetworkService:
		return bySID(security.NetworkServiceToken(0))
	}
	a, err := m.store.VerifyService(m.ctx, rec.Account, rec.Credential)
	var token *security.Token
	if err == nil {
		// An account that a service is configured with may log on as one, unless
		// that is denied to it (LGN-5).
		token, err = m.store.NewToken(a, logon.TokenRequest{
			Type: win32.LOGON32_LOGON_SERVICE, Allocate: m.engine.AllocateLUID, Origin: security.SystemLUID, HasRight: true,
		})
	}
	if err != nil {
		var e *win32.Error
		if errors.As(err, &e) {
			m.log.Warn("a service's account can't be logged on", "service", rec.Name, "account", rec.Account, "err", err)
			err = &win32.Error{Op: "StartService", Object: rec.Name + " as " + rec.Account, Code: win32.ERROR_SERVICE_LOGON_FAILED, Rule: "SCM-17"}
		}
		return nil, logon.Account{}, err
	}
	return token, a, nil
}

// watch waits for the program of a run to end.
func (m *Manager) watch(r *run) {
	m.goWork(func() {
		select {
		case <-r.process.Done():
			code, signal, _ := r.process.ExitCode()
			m.programEnded(r, code, signal)
		case <-m.ctx.Done():
		}
	})
}

// programEnded notes that the program of a run is gone: without a report of
// STOPPED before, that is a failure (SCM-30).
func (m *Manager) programEnded(r *run, code uint32, signal int) {
	s := r.service
	m.mu.Lock()
	st := api.ServiceStatus{Type: s.rec.Type, State: win32.SERVICE_STOPPED}
	switch {
	case r.plain && (r.stopSent || code == 0):
	case r.plain:
		st.Win32ExitCode, st.SpecificExitCode = uint32(win32.ERROR_PROCESS_ABORTED), code
	case !r.dispatched:
		st.Win32ExitCode = uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT)
	default:
		st.Win32ExitCode = uint32(win32.ERROR_PROCESS_ABORTED)
	}
	failed := s.run == r && s.status.State != win32.SERVICE_STOPPED && st.Win32ExitCode != 0
	m.mu.Unlock()
	m.over(r, st)
	m.mu.Lock()
	select {
	case <-r.ended:
	default:
		close(r.ended)
	}
	m.mu.Unlock()
	if failed {
		m.trouble(s, fmt.Sprintf("ended unexpectedly (exit code %d, signal %d)", code, signal))
	}
}

// over makes a service stopped, if this run is still its own.
func (m *Manager) over(r *run, st api.ServiceStatus) {
	s := r.service
	m.mu.Lock()
	mine := s.run == r
	if mine {
		s.run = nil
		if s.status.State == win32.SERVICE_STOPPED {
			mine = false // it has reported that itself
		} else {
			s.setStatusLocked(st)
		}
	}
	m.mu.Unlock()
	if mine {
		m.told(s, st)
	}
	s.vanish()
}

// settle waits until a started service is no longer START_PENDING. One that
// makes no progress for its wait hint and a grace is ended (SCM-33). It fails
// with 1053 then, and with the service's exit code when it stopped.
func (m *Manager) settle(r *run) error {
	s := r.service
	for {
		st, changed := s.snapshot()
		switch st.State {
		case win32.SERVICE_START_PENDING:
		case win32.SERVICE_STOPPED:
			code := win32.Errno(st.Win32ExitCode)
			if code == 0 {
				code = win32.ERROR_SERVICE_NOT_ACTIVE
			}
			return &win32.Error{Op: "StartService", Object: s.name, Code: code, Rule: "SCM-26"}
		default:
			return nil
		}
		timer := time.NewTimer(m.o.PendingGrace + time.Duration(st.WaitHint)*time.Millisecond)
		select {
		case <-changed:
			timer.Stop()
		case <-m.ctx.Done():
			timer.Stop()
			return &win32.Error{Op: "StartService", Object: s.name, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SCM-38"}
		case <-timer.C:
			m.trouble(s, "made no progress while it started and was ended")
			m.mu.Lock()
			p := r.process
			m.mu.Unlock()
			m.over(r, api.ServiceStatus{Type: st.Type, State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT)})
			if err := m.engine.TerminateProcess(p, uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT)); err != nil {
				m.log.Error("cannot end a service", "service", s.name, "err", err)
			}
		}
	}
}

// StartAuto starts the services that start by themselves, in database order
// with what they depend on first. One that fails is logged and does not keep
// the others from starting. Rules: SCM-31, SCM-4.
func (m *Manager) StartAuto(ctx context.Context) {
	for _, s := range m.ordered() {
		m.mu.Lock()
		wanted := s.rec.StartType == win32.SERVICE_AUTO_START && !s.rec.isDriver() && !s.deleted && s.status.State == win32.SERVICE_STOPPED
		m.mu.Unlock()
		if !wanted {
			continue
		}
		if err := m.start(ctx, ctx, s, nil); err != nil && !errors.Is(err, win32.ERROR_SERVICE_ALREADY_RUNNING) {
			m.trouble(s, "did not start: "+err.Error())
		}
	}
}
