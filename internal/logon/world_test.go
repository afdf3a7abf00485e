// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an engine with a memory host, an account store and a winlogon.
type world struct {
	t        *testing.T
	host     *failingHost
	surfaces *station.MemorySurfaces
	engine   *station.Engine
	store    *Store
	winlogon *Winlogon
	display  *recorder
	mode     station.Mode
	operator *station.Thread // LocalSystem, from outside every session

	mu     sync.Mutex
	events []string    // guarded by mu: session changes as KIND(session)
	marks  chan string // markers that came through
	cancel func()
}

// failingHost is a memory host that can be told to fail.
type failingHost struct {
	*station.MemoryHost
	mu  sync.Mutex
	err error // guarded by mu: what StartSession gives
}

func (h *failingHost) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

func (h *failingHost) StartSession(ctx context.Context, spec station.SessionSpec) (station.HostSession, error) {
	h.mu.Lock()
	err := h.err
	h.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return h.MemoryHost.StartSession(ctx, spec)
}

// recorder keeps what each session's Winlogon desktop shows.
type recorder struct {
	mu      sync.Mutex
	screens map[uint32]Screen // guarded by mu
	changed chan struct{}     // guarded by mu: closed and replaced at each change
}

func (r *recorder) SetSecureScreen(session uint32, s Screen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.screens[session] = s
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) screen(session uint32) Screen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.screens[session]
}

// await waits until the screen of a session fits.
func (r *recorder) await(t *testing.T, session uint32, what string, fits func(Screen) bool) Screen {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		s, changed := r.screens[session], r.changed
		r.mu.Unlock()
		if fits(s) {
			return s
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("session %d never showed %s; it shows %+v", session, what, s)
		}
	}
}

var accountTemplate = sync.OnceValues(func() (map[string]string, error) {
	hashes := make(map[string]string)
	for _, name := range []string{"alice", "bob", "carl"} {
		hashes[name] = hashPassword(name + "'s password")
	}
	return hashes, nil
})

func password(name string) string { return name + "'s password" }

func newWorld(t *testing.T, change func(*WinlogonOptions)) *world {
	t.Helper()
	return newWorldOf(t, station.Isolated, change)
}

func newWorldOf(t *testing.T, mode station.Mode, change func(*WinlogonOptions)) *world {
	t.Helper()
	w := &world{
		t: t, mode: mode, host: &failingHost{MemoryHost: station.NewMemoryHost()}, surfaces: station.NewMemorySurfaces(),
		display: &recorder{screens: make(map[uint32]Screen), changed: make(chan struct{})},
		marks:   make(chan string, 16),
	}
	w.store = newStore(t, func(o *Options) { o.MaxFailures = 100 })
	hashes, _ := accountTemplate()
	for _, name := range []string{"alice", "bob", "carl"} {
		mustAdd(t, w.store, NewAccount{Name: name, Admin: name == "carl"})
		if err := w.store.change("", name, func(r *record) error { r.Hash = hashes[name]; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	w.boot(change, nil)
	t.Cleanup(func() {
		w.winlogon.Close()
		w.cancel()
		if err := w.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := w.host.Sessions(); n != 0 {
			t.Errorf("%d host sessions are left", n)
		}
		if n := w.host.Running(); n != 0 {
			t.Errorf("%d programs are left", n)
		}
		if open := w.surfaces.Open(); len(open) != 0 {
			t.Errorf("%d surfaces are left", len(open))
		}
	})
	return w
}

// boot starts an engine and a winlogon, on restored sessions when there are any.
func (w *world) boot(change func(*WinlogonOptions), restore []station.SessionState) {
	t := w.t
	t.Helper()
	var err error
	w.engine, err = station.New(station.Options{
		Mode: w.mode, Host: w.host, Surfaces: w.surfaces, Machine: w.store.Machine(), Identity: w.store.Identity, Restore: restore,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.cancel = w.engine.Subscribe(w.observe)
	o := WinlogonOptions{Engine: w.engine, Store: w.store, Display: w.display}
	if change != nil {
		change(&o)
	}
	w.winlogon = NewWinlogon(o)
}

// start starts the services' session and the console.
func (w *world) start() {
	w.t.Helper()
	if err := w.winlogon.StartServices(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.winlogon.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.operator = w.thread(1, security.SystemToken(0))
}

// restart gives all sessions to a new engine and a new winlogon.
func (w *world) restart() {
	t := w.t
	t.Helper()
	ctx := context.Background()
	var states []station.SessionState
	hosts := make(map[uint32]station.HostSession)
	for _, s := range w.engine.Sessions() {
		st, err := w.engine.SessionState(s.ID())
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, st)
		hosts[s.ID()] = s.Host()
	}
	w.winlogon.Close()
	w.cancel()
	w.engine.Detach()
	for _, s := range w.surfaces.Open() {
		s.Close()
	}

	w.boot(nil, states)
	for _, st := range states {
		if _, err := w.engine.RestoreSession(ctx, st, hosts[st.ID]); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
}

// thread attaches a caller from outside every session.
func (w *world) thread(pid int, tok *security.Token) *station.Thread {
	w.t.Helper()
	t, err := w.engine.AttachThread(station.AttachSpec{PID: pid, Fallback: tok})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { t.Detach(); w.engine.ForgetProcess(pid, 0) })
	return t
}

var changeNames = map[uint32]string{
	win32.WTS_CONSOLE_CONNECT: "CONSOLE_CONNECT", win32.WTS_CONSOLE_DISCONNECT: "CONSOLE_DISCONNECT",
	win32.WTS_REMOTE_CONNECT: "REMOTE_CONNECT", win32.WTS_REMOTE_DISCONNECT: "REMOTE_DISCONNECT",
	win32.WTS_SESSION_LOGON: "LOGON", win32.WTS_SESSION_LOGOFF: "LOGOFF",
	win32.WTS_SESSION_LOCK: "LOCK", win32.WTS_SESSION_UNLOCK: "UNLOCK", win32.WTS_SESSION_DESKTOP_READY: "DESKTOP_READY",
}

func (w *world) observe(ev station.Event) {
	if ev.Kind == "mark" {
		w.marks <- ev.Fields["id"]
		return
	}
	if code, ok := SessionChange(ev); ok {
		w.mu.Lock()
		w.events = append(w.events, fmt.Sprintf("%s(%d)", changeNames[code], ev.Session))
		w.mu.Unlock()
	}
}

// changes gives the session changes since it was asked last.
func (w *world) changes() string {
	w.t.Helper()
	id := fmt.Sprint(time.Now().UnixNano())
	w.engine.Publish("mark", 0, map[string]string{"id": id})
	for {
		select {
		case got := <-w.marks:
			if got != id {
				continue
			}
		case <-time.After(20 * time.Second):
			w.t.Fatal("events do not come through")
		}
		break
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.events, " ")
	w.events = nil
	return all
}

func (w *world) wantChanges(want string) {
	w.t.Helper()
	if got := w.changes(); got != want {
		w.t.Errorf("session changes\n got %s\nwant %s", got, want)
	}
}

// logon logs a user on with the right password.
func (w *world) logon(user string) uint32 {
	w.t.Helper()
	r, err := w.winlogon.LogonSession(context.Background(), w.operator, api.LogonSessionRequest{User: user, Password: password(user)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.SessionID
}

func (w *world) session(id uint32) *station.Session {
	w.t.Helper()
	s, ok := w.engine.Session(id)
	if !ok {
		w.t.Fatalf("there is no session %d", id)
	}
	return s
}

// sessions gives the sessions as id:terminal:state.
func (w *world) sessions() string {
	var out []string
	for _, s := range w.engine.Sessions() {
		out = append(out, fmt.Sprintf("%d:%s:%v", s.ID(), s.Terminal(), s.State()))
	}
	return strings.Join(out, " ")
}

func (w *world) wantSessions(want string) {
	w.t.Helper()
	if got := w.sessions(); got != want {
		w.t.Errorf("sessions\n got %s\nwant %s", got, want)
	}
}

func (w *world) activeDesktop(id uint32) string {
	d := w.session(id).ActiveDesktop()
	if d == nil {
		return ""
	}
	return d.Name()
}

var errHost = errors.New("no room on this machine")

func hasEnv(env []string, kv string) bool { return slices.Contains(env, kv) }
