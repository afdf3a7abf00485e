// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"stationmaster/client"
	"stationmaster/client/svc"
	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/station"
	"stationmaster/win32"
)

// boxes stands for the message boxes of internal/wts: they outlive the server.
type boxes struct {
	Sessions
	mu   sync.Mutex
	open map[string]chan uint32 // guarded by mu, by key
	made int                    // guarded by mu
	came chan struct{}
}

func (b *boxes) WTSSendMessage(ctx context.Context, _ *station.Thread, q api.SendMessageRequest) (api.SendMessageReply, error) {
	b.mu.Lock()
	answer := b.open[string(q.Key)]
	if answer == nil {
		answer = make(chan uint32, 1)
		b.open[string(q.Key)] = answer
		b.made++
	}
	b.mu.Unlock()
	b.came <- struct{}{}
	select {
	case r := <-answer:
		return api.SendMessageReply{Response: r}, nil
	case <-ctx.Done():
		return api.SendMessageReply{}, ctx.Err()
	}
}

// A question outlives the daemon it was asked through: one box, one answer.
func TestMessageOverRestart(t *testing.T) {
	b := &boxes{open: map[string]chan uint32{}, came: make(chan struct{}, 10)}
	p := newPlane(t, Limits{}, func(p *plane) Handler { p.services.Sessions = b; return p.services })
	c := p.dial()
	type result struct {
		r   uint32
		err error
	}
	got := make(chan result, 1)
	go func() {
		r, err := c.SendMessage(t.Context(), client.SendMessageRequest{SessionID: 1, Text: "Really?", Wait: true})
		got <- result{r, err}
	}()
	<-b.came
	p.server.Close()
	p.start(nil)
	<-b.came
	p.server.Close() // and once more
	p.start(nil)
	<-b.came
	b.mu.Lock()
	for _, a := range b.open {
		a <- win32.IDYES
	}
	made := b.made
	b.mu.Unlock()
	if r := <-got; r.err != nil || r.r != win32.IDYES || made != 1 {
		t.Errorf("answer %d, error %v, %d boxes", r.r, r.err, made)
	}
	// A caller who gives up is not kept waiting for a daemon.
	c = p.dial()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		r, err := c.SendMessage(ctx, client.SendMessageRequest{SessionID: 1})
		got <- result{r, err}
	}()
	<-b.came
	p.server.Close()
	cancel()
	if r := <-got; r.err == nil {
		t.Error("an answer from nobody")
	}
	p.start(nil)
	// Closing the connection ends the call, too.
	c = p.dial()
	go func() {
		r, err := c.SendMessage(t.Context(), client.SendMessageRequest{SessionID: 1})
		got <- result{r, err}
	}()
	<-b.came
	c.Close()
	if r := <-got; !errors.Is(r.err, win32.RPC_S_SERVER_UNAVAILABLE) {
		t.Errorf("closed: %v", r.err)
	}
}

// manager stands for internal/scm: one service, whose controls it hands out.
type manager struct {
	ServiceManager
	mu       sync.Mutex
	status   []api.ServiceStatus // guarded by mu
	controls chan uint32
	asked    chan struct{} // NextServiceControl was called
	told     chan struct{} // SetServiceStatus was called
}

func (m *manager) StartServiceCtrlDispatcher(_ context.Context, _ *station.Thread, q api.DispatcherRequest) (api.DispatcherReply, error) {
	if len(q.Names) != 1 || q.Names[0] != "clock" {
		return api.DispatcherReply{}, &win32.Error{Op: "StartServiceCtrlDispatcher", Code: win32.ERROR_SERVICE_NOT_IN_EXE}
	}
	return api.DispatcherReply{Name: "clock", Args: []string{"clock", "-fast"}}, nil
}

func (m *manager) SetServiceStatus(_ context.Context, _ *station.Thread, q api.SetServiceStatusRequest) error {
	m.mu.Lock()
	m.status = append(m.status, q.Status)
	m.mu.Unlock()
	m.told <- struct{}{}
	return nil
}

func (m *manager) NextServiceControl(ctx context.Context, _ *station.Thread, q api.NextControlRequest) (api.NextControlReply, error) {
	m.asked <- struct{}{}
	select {
	case c := <-m.controls:
		return api.NextControlReply{Control: c, EventType: 5, SessionID: 1}, nil
	case <-ctx.Done():
		return api.NextControlReply{}, ctx.Err()
	}
}

type clock struct {
	got []svc.ChangeRequest
}

func (c *clock) Execute(args []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	if len(args) != 2 || args[1] != "-fast" {
		return true, 99
	}
	status <- svc.Status{State: svc.StartPending, WaitHint: 1000}
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptSessionChange}
	for r := range requests {
		c.got = append(c.got, r)
		if r.Cmd == svc.Stop {
			status <- svc.Status{State: svc.StopPending}
			return true, 42
		}
	}
	return false, 0
}

// A service written with package svc reports, takes controls one at a time,
// goes on over a restart of the daemon and tells its exit code.
func TestService(t *testing.T) {
	conform.Rule(t, "SCM-18", "SCM-20")
	m := &manager{controls: make(chan uint32), asked: make(chan struct{}, 100), told: make(chan struct{}, 100)}
	p := newPlane(t, Limits{}, func(p *plane) Handler { p.services.SCM = m; return p.services })
	t.Setenv("STATION_SOCKET", p.path)
	if err := svc.Run("other", &clock{}); win32.Code(err) != win32.ERROR_SERVICE_NOT_IN_EXE {
		t.Errorf("a name that is not in the table: %v", err)
	}
	c, done := &clock{}, make(chan error, 1)
	go func() { done <- svc.Run("clock", c) }()
	<-m.told
	<-m.told
	<-m.asked
	m.controls <- win32.SERVICE_CONTROL_SESSIONCHANGE
	<-m.asked
	p.server.Close()
	p.start(nil)
	<-m.asked // by the service, of the new daemon
	m.controls <- win32.SERVICE_CONTROL_STOP
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(c.got) != 2 || c.got[0].Cmd != svc.SessionChange || c.got[0].EventType != 5 || c.got[0].CurrentStatus.State != svc.Running {
		t.Errorf("controls: %+v", c.got)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.status[len(m.status)-1]
	if len(m.status) != 4 || last.State != win32.SERVICE_STOPPED || last.Win32ExitCode != uint32(win32.ERROR_SERVICE_SPECIFIC_ERROR) || last.SpecificExitCode != 42 {
		t.Errorf("reports: %+v", m.status)
	}
}

func TestDefaultSocket(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATION_DIR", dir)
	t.Setenv("STATION_SOCKET", "")
	if got := client.DefaultSocket(); got != client.SocketIn(dir) {
		t.Errorf("with STATION_DIR: %s", got)
	}
	t.Setenv("STATION_SOCKET", "/x/call")
	if got := client.DefaultSocket(); got != "/x/call" {
		t.Errorf("with STATION_SOCKET: %s", got)
	}
	_, err := client.Dial(t.Context(), "")
	if !errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no daemon: %v", err)
	}
}
