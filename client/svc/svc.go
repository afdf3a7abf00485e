// SPDX-License-Identifier: Apache-2.0

// Package svc helps to write a service: a program that the service manager
// starts and that takes controls from it. Its words are those of
// golang.org/x/sys/windows/svc, so that a service written for that package
// moves here by changing an import.
//
//	func main() {
//		if err := svc.Run("clock", clock{}); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// A program that does not call Run is a plain service: running as soon as it
// has started, stopped by SIGTERM.
//
// It may import client, win32 and the standard library.
package svc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stationmaster/client"
	"stationmaster/win32"
)

// State is what a service is doing (SERVICE_STATUS.dwCurrentState).
type State uint32

// The states of a service.
const (
	Stopped         = State(win32.SERVICE_STOPPED)
	StartPending    = State(win32.SERVICE_START_PENDING)
	StopPending     = State(win32.SERVICE_STOP_PENDING)
	Running         = State(win32.SERVICE_RUNNING)
	ContinuePending = State(win32.SERVICE_CONTINUE_PENDING)
	PausePending    = State(win32.SERVICE_PAUSE_PENDING)
	Paused          = State(win32.SERVICE_PAUSED)
)

// Cmd is a control that a service gets.
type Cmd uint32

// The controls.
const (
	Stop          = Cmd(win32.SERVICE_CONTROL_STOP)
	Pause         = Cmd(win32.SERVICE_CONTROL_PAUSE)
	Continue      = Cmd(win32.SERVICE_CONTROL_CONTINUE)
	Interrogate   = Cmd(win32.SERVICE_CONTROL_INTERROGATE)
	Shutdown      = Cmd(win32.SERVICE_CONTROL_SHUTDOWN)
	SessionChange = Cmd(win32.SERVICE_CONTROL_SESSIONCHANGE)
)

// Accepted is the set of controls a service takes.
type Accepted uint32

// The sets of controls.
const (
	AcceptStop             = Accepted(win32.SERVICE_ACCEPT_STOP)
	AcceptPauseAndContinue = Accepted(win32.SERVICE_ACCEPT_PAUSE_CONTINUE)
	AcceptShutdown         = Accepted(win32.SERVICE_ACCEPT_SHUTDOWN)
	AcceptSessionChange    = Accepted(win32.SERVICE_ACCEPT_SESSIONCHANGE)
)

// Status is what a service tells the service manager.
type Status struct {
	State                   State
	Accepts                 Accepted
	CheckPoint              uint32 // progress of a pending state
	WaitHint                uint32 // milliseconds until the next check point or state
	Win32ExitCode           uint32
	ServiceSpecificExitCode uint32
}

// ChangeRequest is one control.
type ChangeRequest struct {
	Cmd           Cmd
	EventType     uint32 // of SessionChange: a WTS_* number
	SessionID     uint32 // of SessionChange
	CurrentStatus Status // what the service told last
}

// Handler is a service. Execute runs it: it reports on status, takes controls
// from requests and returns when the service has stopped. The first of args is
// the service's name. Its results become the exit code: a Win32 number, or one
// of the service's own when specific is true. Controls are handed over one at a
// time (SCM-20); the next comes when Execute has taken the one before.
type Handler interface {
	Execute(args []string, requests <-chan ChangeRequest, status chan<- Status) (specific bool, exitCode uint32)
}

// restartGrace is how long a service waits for a daemon that went away.
const restartGrace = 60 * time.Second

// Run connects the process to the service manager, waits until the service is
// started, runs it and returns when it has stopped. It outlives a restart of
// the daemon. Errors: ERROR_FAILED_SERVICE_CONTROLLER_CONNECT when the process
// is no service.
//
// Win32: StartServiceCtrlDispatcher. Rules: SCM-18, SCM-20, SCM-28.
func Run(name string, h Handler) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	conn, err := client.Dial(ctx, "")
	if err != nil {
		return err
	}
	return run(ctx, conn, name, h)
}

// run is Run on a connection, which it closes.
func run(ctx context.Context, conn *client.Conn, name string, h Handler) error {
	l := &link{conn: conn}
	defer l.close()
	start, err := conn.StartServiceCtrlDispatcher(ctx, client.DispatcherRequest{Names: []string{name}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	requests, status := make(chan ChangeRequest), make(chan Status)
	var (
		mu   sync.Mutex
		last Status // guarded by mu
		work sync.WaitGroup
		fail = make(chan error, 1)
	)
	current := func() Status { mu.Lock(); defer mu.Unlock(); return last }
	work.Go(func() {
		err := controls(ctx, l, start.Name, requests, current)
		if ctx.Err() == nil {
			fail <- err
		}
	})

	type result struct {
		specific bool
		code     uint32
	}
	ended := make(chan result, 1)
	args := start.Args
	if len(args) == 0 {
		args = []string{start.Name}
	}
	go func() {
		specific, code := h.Execute(args, requests, status)
		ended <- result{specific, code}
	}()
	for {
		select {
		case s := <-status:
			mu.Lock()
			last = s
			mu.Unlock()
			if err := l.report(ctx, start.Name, s); err != nil && !errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) {
				return fmt.Errorf("cannot report the status of service %s: %w", start.Name, err)
			}
		case err := <-fail:
			return fmt.Errorf("cannot wait for controls of service %s: %w", start.Name, err)
		case r := <-ended:
			cancel()
			work.Wait()
			s := Status{State: Stopped, Win32ExitCode: r.code}
			if r.specific {
				s.Win32ExitCode, s.ServiceSpecificExitCode = uint32(win32.ERROR_SERVICE_SPECIFIC_ERROR), r.code
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restartGrace)
			defer cancel()
			return l.report(ctx, start.Name, s)
		}
	}
}

// controls hands the service's controls to it until ctx ends.
func controls(ctx context.Context, l *link, name string, requests chan<- ChangeRequest, current func() Status) error {
	for {
		var c client.NextControlReply
		err := l.do(ctx, func(conn *client.Conn) (err error) {
			c, err = conn.NextServiceControl(ctx, client.NextControlRequest{Name: name})
			return err
		})
		if err != nil {
			return err
		}
		select {
		case requests <- ChangeRequest{Cmd(c.Control), c.EventType, c.SessionID, current()}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// link is the connection to the daemon, replaced when the daemon is.
type link struct {
	mu   sync.Mutex
	conn *client.Conn // guarded by mu
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn.Close()
}

func (l *link) report(ctx context.Context, name string, s Status) error {
	return l.do(ctx, func(conn *client.Conn) error {
		return conn.SetServiceStatus(ctx, client.SetServiceStatusRequest{Name: name, Status: client.ServiceStatus{
			Type: win32.SERVICE_WIN32_OWN_PROCESS, State: uint32(s.State), Accepts: uint32(s.Accepts),
			Win32ExitCode: s.Win32ExitCode, SpecificExitCode: s.ServiceSpecificExitCode,
			CheckPoint: s.CheckPoint, WaitHint: s.WaitHint,
		}})
	})
}

// do makes a call, again on a new connection when the daemon was replaced.
func (l *link) do(ctx context.Context, call func(*client.Conn) error) error {
	for {
		l.mu.Lock()
		conn := l.conn
		l.mu.Unlock()
		err := call(conn)
		if err == nil || !errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) || ctx.Err() != nil {
			return err
		}
		if again := l.renew(ctx, conn); again != nil {
			return err
		}
	}
}

// renew replaces the connection old unless somebody did already.
func (l *link) renew(ctx context.Context, old *client.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != old {
		return nil
	}
	conn, err := old.RedialWithin(ctx, restartGrace)
	if err != nil {
		return err
	}
	old.Close()
	l.conn = conn
	return nil
}
