// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"stationmaster/internal/api"
	"stationmaster/internal/daemon"
	"stationmaster/internal/display"
	"stationmaster/internal/host"
	"stationmaster/internal/host/small"
	"stationmaster/internal/layout"
	"stationmaster/internal/logon"
	"stationmaster/internal/scm"
	"stationmaster/internal/wts"
	"stationmaster/internal/xserver"
	"stationmaster/station"
	"stationmaster/win32"
)

// The holder's sessions are what an X server runs in.
var _ xserver.Session = (*host.Session)(nil)

// endTime bounds how long the end of everything may take.
const endTime = 60 * time.Second

// config is what `station serve` was asked for.
type config struct {
	layout layout.Layout
	mode   station.Mode
	level  string // isolation level, "" for the highest
	listen string // address of the console, "" for none
	// settings are the engine's; zero values are its defaults.
	settings station.Settings
	xvnc     string // path of the X server, "" to look it up
	log      *slog.Logger
}

// executive is the daemon: every part, wired together. Data flows one way: the
// kernel's processes and pictures come from host and display, the engine
// decides, the subsystems give it its words, the server answers.
type executive struct {
	cfg     config
	started time.Time
	adopted uint32 // sessions taken over

	host     *host.Host
	db       *bolt.DB
	display  *display.Manager
	engine   *station.Engine
	winlogon *logon.Winlogon
	services *scm.Manager
	sessions *wts.Manager
	screens  *daemon.Screens
	binder   *daemon.EngineBinder
	handlers *daemon.Services
	server   *daemon.Server
	live     *liveState
	system   *station.Thread // the daemon's own, as LocalSystem
	public   string          // this binary as services see it
	console  string          // address of the console, or empty
	idle     *time.Timer     // gives memory back when nothing has happened for a while

	work   sync.WaitGroup // what the daemon does by itself once it runs
	workMu sync.Mutex
	ending bool // guarded by workMu

	endOnce sync.Once
	end     chan bool // gets whether sessions are kept, once, when the daemon is asked to end
	close   []func()  // what to undo, last first
}

// newExecutive starts the daemon. On error nothing runs any more, except
// sessions of an earlier daemon.
func newExecutive(ctx context.Context, cfg config) (*executive, error) {
	x := &executive{cfg: cfg, started: time.Now(), end: make(chan bool, 1)}
	if err := x.start(ctx); err != nil {
		if x.adopted > 0 {
			x.detach() // they run on, for a daemon that can start
			return nil, err
		}
		return nil, errors.Join(err, x.shutdown())
	}
	return x, nil
}

// start starts the parts, ground first.
func (x *executive) start(ctx context.Context) (err error) {
	cfg := x.cfg
	if err := x.makeDirectories(); err != nil {
		return err
	}
	lay := cfg.layout
	if x.host, err = host.Open(host.Options{
		Dir: filepath.Join(lay.Run, "host"), PublicDir: lay.Public, Mask: []string{lay.State, filepath.Join(lay.Run, "live")},
		Level: cfg.level, SingleUID: true, Logger: cfg.log, HolderImage: small.Holder(),
	}); err != nil {
		return err
	}
	x.later(func() { x.host.Close() })
	if x.db, err = logon.OpenDatabase(filepath.Join(lay.State, "station.db")); err != nil {
		return err
	}
	x.later(func() { x.db.Close() })
	if err := x.placeBinary(); err != nil {
		return err
	}
	if _, err := x.host.Reserve(ctx); err != nil {
		cfg.log.Warn("abstract X names are not all reserved; a program could squat one", "error", err)
	}

	root := x.host.Isolation().Level == host.LevelFull
	store, err := logon.Open(logon.Options{DB: x.db, Root: root, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())})
	if err != nil {
		return err
	}
	x.display = display.New(display.Options{Logger: cfg.log, XvncPath: cfg.xvnc})
	x.later(x.display.Close)

	if x.live, err = openLiveState(filepath.Join(lay.Run, "live"), cfg.log); err != nil {
		return err
	}
	states := x.live.sessions()
	// The first events come while New is still at work: the observer waits for
	// the engine it looks at. New fails only before there is an event.
	wired := make(chan struct{})
	x.idle = time.AfterFunc(quiet, debug.FreeOSMemory)
	x.later(func() { x.idle.Stop() })
	if x.engine, err = station.New(station.Options{
		Mode: cfg.mode, Settings: cfg.settings, Host: x.host, Surfaces: x.display, Machine: store.Machine(),
		Identity: store.Identity, CallSocket: lay.Socket, Restore: states, Foreign: xserver.OwnsTag, Memory: host.SectionMemory,
		Observer: func(ev station.Event) { <-wired; x.observe(ev) },
	}); err != nil {
		return err
	}
	close(wired)
	x.later(x.engine.Detach)
	if err := x.adopt(ctx, states); err != nil {
		return err
	}

	x.winlogon = logon.NewWinlogon(logon.WinlogonOptions{
		Engine: x.engine, Store: store, Display: secureScreens{x.display}, Logger: cfg.log, Homes: x.homes(), Limits: sessionLimits(x.host.Isolation()),
		OnEnd: func(session uint32) { x.sessions.EndSession(session) },
	})
	x.later(x.winlogon.Close)
	x.screens = daemon.NewScreens(x.display, cfg.log)
	x.display.OnSecureAttention(x.winlogon.SecureAttention)
	x.display.OnDropped(x.inputDropped)
	x.sessions = wts.New(wts.Options{
		Engine: x.engine, Store: store, Winlogon: x.winlogon, Display: x.display, Logger: cfg.log, State: x.live.messagesPath(),
		ServiceOf: func(pid int) string { return x.services.ServiceOf(pid) },
		Viewers:   x.screens.Viewers,
	})
	x.later(x.sessions.Close)
	if err := x.winlogon.StartServices(ctx); err != nil {
		return err
	}
	if x.services, err = scm.Open(scm.Options{
		DB: x.db, Engine: x.engine, Store: store, Logger: cfg.log, Environment: x.winlogon.EnvironmentFor,
		NoInteractiveServices: cfg.settings.NoInteractiveServices,
		LogDir:                filepath.Join(lay.State, "services"), Journal: x.live.servicesPath(),
	}); err != nil {
		return err
	}
	x.later(x.services.Close)
	if err := x.winlogon.Start(ctx); err != nil {
		return err
	}
	if err := x.sessions.Restore(); err != nil {
		cfg.log.Error("message boxes of the daemon before are lost", "error", err)
	}
	x.handlers = &daemon.Services{
		Engine: x.engine, Store: store, Winlogon: x.winlogon, Sessions: x.sessions, SCM: x.services, Display: x.screens,
		FillStatus: x.fillStatus, BeginShutdown: x.begin, TicketState: x.live.ticketsPath(),
		Version: version(), Product: "Stationmaster " + version(), Daemon: randomID(), Started: x.started, Logger: cfg.log,
	}
	x.binder = daemon.NewEngineBinder(x.engine, x.handlers, host.Ancestors, cfg.log)
	x.later(x.binder.Close)
	if x.server, err = daemon.Serve(daemon.ServerOptions{
		Socket: lay.Socket, Identifier: identifier{x.host}, Binder: x.binder, Handler: x.handlers, Logger: cfg.log,
	}); err != nil {
		return err
	}
	x.later(func() { x.server.Close() })
	if x.system, err = x.binder.Attach(daemon.Peer{PID: os.Getpid(), UID: uint32(os.Geteuid())}); err != nil {
		return fmt.Errorf("cannot be a process of its own: %w", err)
	}
	x.later(func() { x.system.Detach() })
	if err := x.startConsole(ctx); err != nil {
		return err
	}
	x.services.StartAuto(ctx)
	return nil
}

func (x *executive) later(undo func()) { x.close = append(x.close, undo) }

// makeDirectories makes the places of the layout with the modes it promises.
func (x *executive) makeDirectories() error {
	lay := x.cfg.layout
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{{lay.Run, 0o711}, {filepath.Join(lay.Run, "live"), 0o700}, {lay.Public, 0o755}, {lay.State, 0o700}} {
		if err := os.MkdirAll(d.path, d.mode); err != nil {
			return fmt.Errorf("cannot make directory %s: %w", d.path, err)
		}
		if err := os.Chmod(d.path, d.mode); err != nil {
			return fmt.Errorf("cannot use directory %s: %w", d.path, err)
		}
	}
	probe, err := os.CreateTemp(lay.State, "probe-*")
	if err != nil {
		return fmt.Errorf("cannot write to %s: %w", lay.State, err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// hiddenInSessions are the places of which every session has its own.
var hiddenInSessions = []string{"/tmp", "/dev/shm", "/run/user"}

func hidden(path string) bool {
	for _, dir := range hiddenInSessions {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// homes gives where homes of accounts without a Linux user are made, or ""
// when sessions could not see them.
func (x *executive) homes() string {
	if hidden(x.cfg.layout.Homes) {
		x.cfg.log.Warn("accounts that are no Linux users get / as HOME: sessions cannot see the directory of homes", "directory", x.cfg.layout.Homes)
		return ""
	}
	return x.cfg.layout.Homes
}

// placeBinary makes this program reachable for services: as it is, or as a
// copy in the public directory when sessions cannot see where it lies.
func (x *executive) placeBinary() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	if !hidden(self) {
		x.public = self
		return nil
	}
	x.public = publicBinary
	to := filepath.Join(x.cfg.layout.Public, "station")
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("cannot copy this program: %w", err)
	}
	defer in.Close()
	out, err := os.CreateTemp(x.cfg.layout.Public, ".station-*")
	if err != nil {
		return fmt.Errorf("cannot copy this program: %w", err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o755), out.Close()); err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		os.Remove(out.Name())
		return fmt.Errorf("cannot copy this program to %s: %w", to, err)
	}
	return nil
}

// publicBinary stands in a service's command line for the copy of this program
// in the public directory, which sessions see next to their call socket.
const publicBinary = "station"

// adopt takes over the sessions that outlived an earlier daemon.
func (x *executive) adopt(ctx context.Context, states []station.SessionState) error {
	held, err := x.host.Adopt(ctx)
	if err != nil {
		x.cfg.log.Error("not everything of the daemon before could be taken over", "error", err)
	}
	byID := make(map[uint32]*host.Session, len(held))
	for _, s := range held {
		byID[s.ID()] = s
	}
	for _, st := range states {
		hs := byID[st.ID]
		if hs == nil {
			if st.Hosted {
				x.cfg.log.Warn("a session did not outlive the daemon before", "session", st.ID)
			}
			x.live.remove(st.ID)
			continue
		}
		delete(byID, st.ID)
		s, err := x.engine.RestoreSession(ctx, st, hs)
		if s != nil && err != nil {
			x.cfg.log.Error("not every process of a session could be taken over", "session", st.ID, "error", err)
		} else if err != nil {
			x.cfg.log.Error("cannot take over a session; it is ended", "session", st.ID, "error", err)
			_ = hs.End(ctx)
			x.live.remove(st.ID)
			continue
		}
		x.adopted++
		x.show(s)
	}
	for id, hs := range byID {
		x.cfg.log.Warn("a session has no record; it is ended", "session", id)
		if err := hs.End(ctx); err != nil {
			return fmt.Errorf("cannot end session %d, which has no record: %w", id, err)
		}
	}
	return nil
}

// show lets viewers of a session see its active desktop, and makes the
// surfaces that an earlier daemon had.
func (x *executive) show(s *station.Session) {
	if d := s.ActiveDesktop(); d != nil {
		x.display.Switch(s.ID(), d.Station().Name(), d.Name())
	}
	for _, w := range s.Stations() {
		for _, d := range w.Desktops() {
			if d.Active() || d.Restorable() {
				x.surface(d)
			}
		}
	}
}

// surface makes what a desktop draws on, so that a viewer sees it before any
// program runs there.
func (x *executive) surface(d *station.Desktop) {
	if _, err := d.Surface(context.Background()); err != nil && !errors.Is(err, win32.ERROR_INVALID_HANDLE) {
		x.cfg.log.Error("a desktop has no surface", "session", d.Session().ID(), "desktop", d.Path(), "error", err)
	}
}

// quiet is how long nothing must have happened before memory is given back. A
// logon with a password takes 19 MB for a moment, and a burst of sessions more;
// without this it would be kept until the next burst.
const quiet = time.Second

// observe follows the engine's events: viewers see the active desktop, the
// live state is written.
func (x *executive) observe(ev station.Event) {
	x.idle.Reset(quiet)
	switch ev.Kind {
	case station.EventSessionCreate, station.EventsLost:
		if s, ok := x.engine.Session(ev.Session); ok {
			x.show(s)
		}
	case station.EventDesktopSwitch:
		name := "WinSta0"
		if ev.Fields["to"] == "" {
			name = ""
		}
		x.display.Switch(ev.Session, name, ev.Fields["to"])
		if s, ok := x.engine.Session(ev.Session); ok {
			if d := s.ActiveDesktop(); d != nil {
				x.surface(d)
			}
		}
	case station.EventSessionHost:
		if ev.Session == 0 && ev.Fields["state"] == "gone" {
			x.reviveServices()
		}
	case station.EventSessionTerminate:
		x.display.EndSession(ev.Session)
		x.live.remove(ev.Session)
		return
	}
	x.live.changed(x.engine, ev)
}

// reviveServices starts session 0 again after its holder was killed: the users'
// sessions have gone on, but their services are gone, the console among them.
func (x *executive) reviveServices() {
	x.workMu.Lock()
	defer x.workMu.Unlock()
	if x.ending {
		return
	}
	x.cfg.log.Error("the holder of session 0 was killed: services are started again")
	x.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), endTime)
		defer cancel()
		err := x.winlogon.StartServices(ctx)
		if err == nil {
			x.system.Detach() // it went with the session
			x.system, err = x.binder.Attach(daemon.Peer{PID: os.Getpid(), UID: uint32(os.Geteuid())})
		}
		if err == nil {
			err = x.startConsole(ctx)
		}
		if err != nil {
			x.cfg.log.Error("cannot start session 0 again", "error", err)
			return
		}
		x.services.StartAuto(ctx)
	})
}

// stopWork ends what the daemon does by itself.
func (x *executive) stopWork() {
	x.workMu.Lock()
	x.ending = true
	x.workMu.Unlock()
	x.work.Wait()
}

// inputDropped leaves an audit record about input that went nowhere.
func (x *executive) inputDropped(d display.Dropped) {
	x.engine.AuditDrop(d.Session, d.Desktop, d.Rule, fmt.Sprintf("%d input events of %s were dropped", d.Events, d.Name))
}

// begin asks the daemon to end.
func (x *executive) begin(keepSessions bool) { x.endOnce.Do(func() { x.end <- keepSessions }) }

// shutdown ends everything: users are logged off, services stopped, session 0
// ended (SES-27). It also ends what a start that failed has got to.
func (x *executive) shutdown() error {
	x.stopWork()
	if x.host == nil {
		x.detach()
		return nil // the directory is another daemon's
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	var err error
	if x.winlogon != nil {
		x.winlogon.Refuse()
		err = x.winlogon.Shutdown(ctx)
	}
	if x.services != nil {
		x.services.Shutdown(ctx)
	}
	if x.server != nil {
		x.server.Close()
	}
	if x.engine != nil {
		err = errors.Join(err, x.engine.Close(ctx))
	}
	err = errors.Join(err, x.host.Unreserve())
	x.detach()
	if x.live != nil {
		x.live.removeAll()
	}
	os.Remove(filepath.Join(x.cfg.layout.Public, "station"))
	os.Remove(x.cfg.layout.Socket)
	return err
}

// detach ends the daemon and leaves sessions running.
func (x *executive) detach() {
	x.stopWork()
	for i := len(x.close) - 1; i >= 0; i-- {
		x.close[i]()
	}
	x.close = nil
}

// fillStatus adds what only the wiring knows to the answer of Status.
func (x *executive) fillStatus(r *api.StatusReply) {
	iso := x.host.Isolation()
	r.Isolation, r.IsolationWhy = iso.Level, iso.Why
	for _, f := range iso.Features {
		r.Features = append(r.Features, api.Feature{Name: f.Name, Available: f.Available, Instead: f.Instead})
	}
	if path, err := xserver.Find(x.cfg.xvnc); err == nil {
		r.Xserver = path
	} else {
		r.XserverWhy = err.Error()
	}
	r.PID, r.Dir = uint32(os.Getpid()), filepath.Dir(x.cfg.layout.Run)
	r.Adopted = x.adopted
	r.ConsoleURL = x.console
}

// identifier asks the host who is calling.
type identifier struct{ h *host.Host }

func (i identifier) Identify(c *net.UnixConn) (daemon.Peer, error) {
	p, err := i.h.Identify(c)
	return daemon.Peer{Session: p.Session, InSession: p.InSession, PID: p.PID, StartTime: p.StartTime, UID: p.UID, GID: p.GID, PIDFD: p.PIDFD}, err
}

// secureScreens shows what winlogon has to say on the Winlogon desktops.
type secureScreens struct{ m *display.Manager }

func (s secureScreens) SetSecureScreen(session uint32, c logon.Screen) {
	d := display.SecureScreen{User: c.User, Error: c.Error, Busy: c.Busy, OnLogon: c.OnLogon, OnLock: c.OnLock, OnLogoff: c.OnLogoff, OnCancel: c.OnCancel,
		SwitchUser: c.OnSwitch != nil, OnSwitchUser: c.OnSwitch}
	if c.OnUnlock != nil {
		d.OnUnlock = func(_, password string) { c.OnUnlock(password) }
	}
	switch c.Kind {
	case logon.ScreenLogon:
		d.Kind = display.SecureLogon
	case logon.ScreenUnlock:
		d.Kind = display.SecureUnlock
	case logon.ScreenSecurity:
		d.Kind = display.SecureMenu
	default:
		d.Kind = display.SecureNone
	}
	s.m.SetSecureScreen(session, d)
}

func randomID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}
