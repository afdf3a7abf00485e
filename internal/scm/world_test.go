// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a service manager on an engine with a memory host. Programs are
// functions that run when their path is started.
type world struct {
	t        *testing.T
	dir      string
	db       *bolt.DB
	host     *station.MemoryHost
	engine   *station.Engine
	store    *logon.Store
	m        *Manager
	operator *station.Thread // LocalSystem
	scm      win32.Handle    // of operator, every right
	ctx      context.Context // ends with the world
	end      context.CancelFunc
	work     sync.WaitGroup // programs

	mu       sync.Mutex
	programs map[string]func(*program) // guarded by mu
	ignore   map[string]int            // guarded by mu: signal that a program ignores
	started  []string                  // guarded by mu: paths in the order they were started
	events   []string                  // guarded by mu: service-trouble texts
}

// program is a running program of the test.
type program struct {
	w    *world
	proc *station.MemoryProcess
	t    *station.Thread // its connection
}

// stubbornHost lets programs ignore a signal.
type stubbornHost struct {
	*station.MemoryHost
	w *world
}

type stubbornSession struct {
	*station.MemorySession
	w *world
}

type stubbornProcess struct {
	*station.MemoryProcess
	w *world
}

func (h stubbornHost) StartSession(ctx context.Context, spec station.SessionSpec) (station.HostSession, error) {
	s, err := h.MemoryHost.StartSession(ctx, spec)
	if err != nil {
		return nil, err
	}
	return stubbornSession{s.(*station.MemorySession), h.w}, nil
}

func (s stubbornSession) Spawn(ctx context.Context, spec station.ProcessSpec) (station.HostProcess, error) {
	p, err := s.MemorySession.Spawn(ctx, spec)
	if err != nil {
		return nil, err
	}
	return stubbornProcess{p.(*station.MemoryProcess), s.w}, nil
}

func (p stubbornProcess) Signal(sig int) error {
	p.w.mu.Lock()
	ignored := p.w.ignore[p.Spec().Path]
	p.w.mu.Unlock()
	if sig != 0 && sig == ignored {
		return nil
	}
	return p.MemoryProcess.Signal(sig)
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), host: station.NewMemoryHost(),
		programs: make(map[string]func(*program)), ignore: make(map[string]int),
	}
	w.ctx, w.end = context.WithCancel(context.Background())
	var err error
	w.db, err = logon.OpenDatabase(filepath.Join(w.dir, "station.db"))
	if err != nil {
		t.Fatal(err)
	}
	w.store, err = logon.Open(logon.Options{DB: w.db, Root: true, Computer: "HOST", PasswdFile: "/dev/null", GroupFile: "/dev/null"})
	if err != nil {
		t.Fatal(err)
	}
	w.host.OnSpawn(w.spawned)
	w.boot(change, nil, nil)
	return w
}

// close ends the world and says what it left behind.
func (w *world) close() {
	w.m.Close()
	w.end()
	if err := w.engine.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
	w.work.Wait()
	if n := w.host.Running(); n != 0 {
		w.t.Errorf("%d programs are left", n)
	}
	if err := w.db.Close(); err != nil {
		w.t.Error(err)
	}
}

// boot starts an engine and a manager; restore and zero are those of an earlier
// one.
func (w *world) boot(change func(*Options), restore []station.SessionState, zero station.HostSession) {
	w.t.Helper()
	var err error
	w.engine, err = station.New(station.Options{
		Host: stubbornHost{w.host, w}, Surfaces: station.NewMemorySurfaces(), Machine: w.store.Machine(),
		Identity: w.store.Identity, Restore: restore,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, st := range restore {
		if _, err := w.engine.RestoreSession(w.ctx, st, zero); err != nil {
			w.t.Fatal(err)
		}
	}
	s, _ := w.engine.Session(0)
	if zero == nil {
		if err := w.engine.StartHost(w.ctx, s, station.SessionSpec{}); err != nil {
			w.t.Fatal(err)
		}
	}
	o := Options{DB: w.db, Engine: w.engine, Store: w.store, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	w.m, err = Open(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.Subscribe(func(ev station.Event) {
		if ev.Kind == EventServiceTrouble {
			w.mu.Lock()
			w.events = append(w.events, ev.Fields["service"]+" "+ev.Fields["text"])
			w.mu.Unlock()
		}
	})
	w.operator = w.thread(1, security.SystemToken(0))
	r, err := w.m.OpenSCManager(w.operator, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_ALL_ACCESS})
	if err != nil {
		w.t.Fatal(err)
	}
	w.scm = r.Handle
}

func (w *world) thread(pid int, tok *security.Token) *station.Thread {
	w.t.Helper()
	t, err := w.engine.AttachThread(station.AttachSpec{PID: pid, Fallback: tok})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// user makes an account and gives a caller with an interactive token of it.
func (w *world) user(pid int, name string, admin bool) *station.Thread {
	w.t.Helper()
	a, err := w.store.Add(logon.NewAccount{Name: name, Password: "p", Admin: admin})
	if err != nil {
		w.t.Fatal(err)
	}
	tok, err := w.store.NewToken(a, logon.TokenRequest{Type: win32.LOGON32_LOGON_INTERACTIVE, Allocate: w.engine.AllocateLUID})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.thread(pid, tok)
}

// install says what the program of a path does.
func (w *world) install(path string, f func(*program)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.programs[path] = f
}

func (w *world) spawned(p *station.MemoryProcess) error {
	w.mu.Lock()
	f, ok := w.programs[p.Spec().Path]
	w.started = append(w.started, p.Spec().Path)
	w.mu.Unlock()
	if !ok {
		return fmt.Errorf("%s: %w", p.Spec().Path, fs.ErrNotExist)
	}
	if f == nil {
		return nil // runs until it is ended
	}
	engine := w.engine
	w.work.Go(func() {
		t, err := engine.AttachThread(station.AttachSpec{PID: p.PID(), StartTime: p.StartTime(), InSession: true})
		if err != nil {
			return // it ended before it could call
		}
		defer t.Detach()
		f(&program{w, p, t})
	})
	return nil
}

// order gives the programs that were started since it was asked last.
func (w *world) order() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := strings.Join(w.started, " ")
	w.started = nil
	return s
}

// alive gives a context that ends with the program or the world.
func (p *program) alive() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(p.w.ctx)
	stop := context.AfterFunc(ctx, func() {})
	go func() {
		select {
		case <-p.proc.Done():
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx, func() { stop(); cancel() }
}

// dispatch is StartServiceCtrlDispatcher.
func (p *program) dispatch(ctx context.Context, names ...string) (api.DispatcherReply, error) {
	return p.w.m.StartServiceCtrlDispatcher(ctx, p.t, api.DispatcherRequest{Names: names})
}

// report is SetServiceStatus.
func (p *program) report(state, accepts uint32, exit win32.Errno) error {
	return p.w.m.SetServiceStatus(p.w.ctx, p.t, api.SetServiceStatusRequest{Status: api.ServiceStatus{State: state, Accepts: accepts, Win32ExitCode: uint32(exit)}})
}

// behaves is a well-behaved service: handle, when not nil, is called for every
// control and gives what the handler returns; STOP and SHUTDOWN end it.
func behaves(accepts uint32, handle func(*program, api.NextControlReply) uint32) func(*program) {
	return func(p *program) {
		ctx, cancel := p.alive()
		defer cancel()
		if _, err := p.dispatch(ctx); err != nil {
			p.proc.Exit(1)
			return
		}
		_ = p.report(win32.SERVICE_RUNNING, accepts, 0)
		handled := uint32(0)
		for {
			c, err := p.w.m.NextServiceControl(ctx, p.t, api.NextControlRequest{Handled: handled})
			if err != nil {
				return
			}
			handled = 0
			if handle != nil {
				handled = handle(p, c)
			}
			if c.Control == win32.SERVICE_CONTROL_STOP || c.Control == win32.SERVICE_CONTROL_SHUTDOWN {
				_ = p.report(win32.SERVICE_STOPPED, 0, 0)
				p.proc.Exit(0)
				return
			}
		}
	}
}

const acceptStop = win32.SERVICE_ACCEPT_STOP | win32.SERVICE_ACCEPT_SHUTDOWN

// create creates a service with every right, by default own-process and demand
// start with the program /bin/NAME.
func (w *world) create(q api.CreateServiceRequest) win32.Handle {
	w.t.Helper()
	r, err := w.tryCreate(q)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) tryCreate(q api.CreateServiceRequest) (win32.Handle, error) {
	q.Manager, q.Access = w.scm, win32.SERVICE_ALL_ACCESS
	if q.Type == 0 {
		q.Type = win32.SERVICE_WIN32_OWN_PROCESS
	}
	if q.StartType == 0 {
		q.StartType = win32.SERVICE_DEMAND_START
	}
	if q.BinaryPath == "" {
		q.BinaryPath = "/bin/" + q.Name
	}
	r, err := w.m.CreateService(w.operator, q)
	return r.Handle, err
}

func (w *world) start(h win32.Handle, args ...string) error {
	return w.m.StartService(w.ctx, w.operator, api.StartServiceRequest{Service: h, Args: args})
}

func (w *world) control(h win32.Handle, code uint32) (api.ServiceStatus, error) {
	r, err := w.m.ControlService(w.ctx, w.operator, api.ControlServiceRequest{Service: h, Control: code})
	return r.Status, err
}

func (w *world) status(h win32.Handle) api.ServiceStatus {
	w.t.Helper()
	r, err := w.m.QueryServiceStatus(w.operator, api.HandleRequest{Handle: h})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Status
}

func (w *world) config(h win32.Handle) api.ServiceConfig {
	w.t.Helper()
	r, err := w.m.QueryServiceConfig(w.operator, api.HandleRequest{Handle: h})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Config
}

// await waits until a service is in a state.
func (w *world) await(h win32.Handle, state uint32) api.ServiceStatus {
	w.t.Helper()
	o, err := w.operator.ObjectHandle("await", h, serviceKind, 0, "")
	if err != nil {
		w.t.Fatal(err)
	}
	deadline := time.After(100 * time.Second)
	for {
		st, changed := o.(*service).snapshot()
		if st.State == state {
			return st
		}
		select {
		case <-changed:
		case <-deadline:
			w.t.Fatalf("the service is %s, not %s", stateName(st.State), stateName(state))
		}
	}
}

func (w *world) mustStart(h win32.Handle) api.ServiceStatus {
	w.t.Helper()
	if err := w.start(h); err != nil {
		w.t.Fatal(err)
	}
	return w.await(h, win32.SERVICE_RUNNING)
}

func (w *world) process(h win32.Handle) *station.Process {
	w.t.Helper()
	p, ok := w.engine.Process(int(w.status(h).ProcessID))
	if !ok {
		w.t.Fatal("the service has no process")
	}
	return p
}

func wantCode(t *testing.T, err error, code win32.Errno) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("got %v, want %s (%d)", err, code.Name(), uint32(code))
	}
}
