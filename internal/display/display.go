// SPDX-License-Identifier: Apache-2.0

// Package display ties desktops to what people see of them: it makes the
// surface of each desktop (drawn by us, or an Xvnc of its own), shows the active
// desktop of a session to the session's viewers, lays the session manager's
// windows over it, and routes input to where it belongs, by its origin.
//
// It decides nothing about rights: which desktop is active, who may look and
// who may answer is the engine's and the daemon's business. It imports station
// (for the seam), surface, xserver and rfb.
//
// # Locks
//
//	session.mu          everything of one session's display; never two
//	  Compositor.mu     one desktop's windows
//	    Frame           pixels
//	  link.mu           what waits to be sent to an X server
//	  session.viewMu    the channel viewers wait on
//	  Manager.mu        the session table; a leaf
//
// No lock is held over I/O, and every callback runs in a goroutine of its own.
package display

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"stationmaster/internal/rfb"
	"stationmaster/internal/surface"
	"stationmaster/internal/xserver"
	"stationmaster/station"
	"stationmaster/win32"
)

// Defaults of Options.
const (
	DefaultWidth     = 1280
	DefaultHeight    = 800
	defaultDropAfter = 10 * time.Second
)

// Options configure a Manager. The zero value works.
type Options struct {
	Logger *slog.Logger
	// DefaultKind is what WinSta0\Default of a user's session is made of:
	// station.SurfaceX11, station.SurfaceBuiltin, or "" for X if Xvnc is
	// installed.
	DefaultKind string
	Width       int    // of desktops, in pixels; 0 for DefaultWidth
	Height      int    // 0 for DefaultHeight
	Scale       int    // of the session manager's windows: 1 or 2
	XvncPath    string // "" looks it up
	// FirstDisplay is the lowest X display number given; 0 means 1.
	FirstDisplay int
	// DropAfter is how long the picture of a desktop is kept after the last
	// viewer has gone; 0 means ten seconds.
	DropAfter time.Duration

	// The seams below are for tests; nil means the real thing.
	StartServer func(context.Context, xserver.Options) (XServer, error)
	AdoptServer func(s xserver.Session, state string, l *slog.Logger) (XServer, error)
	Connect     func(ctx context.Context, c net.Conn, f *surface.Frame, pointer *image.Point) (Backend, error)
}

// XServer is a running X server. *xserver.Server is one.
type XServer interface {
	Env() []string
	State() string
	Dial(ctx context.Context) (net.Conn, error)
	Done() <-chan struct{}
	Err() error
	Close()
}

// Backend reads the picture of an X server into a frame and sends it input.
// *rfb.BackendConn is one. What it reads is not trusted.
type Backend interface {
	Key(down bool, keysym uint32)
	Pointer(x, y int, buttons uint8)
	SetSize(ctx context.Context, w, h int) error
	Synced() <-chan struct{} // closed when the frame held a whole picture once
	Done() <-chan struct{}
	Err() error
	Close()
}

// Manager makes surfaces and shows them. It implements station.Surfaces.
type Manager struct {
	o      Options // immutable, defaults filled in
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // every goroutine of this package
	why    string         // immutable; why the default kind is what it is

	mu        sync.Mutex
	sessions  map[uint32]*session // guarded by mu
	closed    bool                // guarded by mu
	attention func(uint32)        // guarded by mu
	dropped   func(Dropped)       // guarded by mu
}

// New makes a manager.
func New(o Options) *Manager {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Width == 0 {
		o.Width = DefaultWidth
	}
	if o.Height == 0 {
		o.Height = DefaultHeight
	}
	if o.DropAfter == 0 {
		o.DropAfter = defaultDropAfter
	}
	if o.StartServer == nil {
		o.StartServer = func(ctx context.Context, xo xserver.Options) (XServer, error) {
			x, err := xserver.Start(ctx, xo)
			if err != nil {
				return nil, err
			}
			return x, nil
		}
	}
	if o.AdoptServer == nil {
		o.AdoptServer = func(s xserver.Session, state string, l *slog.Logger) (XServer, error) {
			x, err := xserver.Adopt(s, state, l)
			if err != nil {
				return nil, err
			}
			return x, nil
		}
	}
	if o.Connect == nil {
		o.Connect = func(ctx context.Context, c net.Conn, f *surface.Frame, pointer *image.Point) (Backend, error) {
			b, err := rfb.Backend(ctx, c, f, rfb.BackendOptions{Pointer: pointer})
			if err != nil {
				return nil, err
			}
			return b, nil
		}
	}
	m := &Manager{o: o, sessions: map[uint32]*session{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	switch o.DefaultKind {
	case "":
		if p, err := xserver.Find(o.XvncPath); err == nil {
			m.o.DefaultKind, m.why = station.SurfaceX11, p
		} else {
			m.o.DefaultKind, m.why = station.SurfaceBuiltin, err.Error()
			o.Logger.Warn("desktops have NO X server: programs that draw cannot be shown", "reason", err)
		}
	default:
		m.why = "by configuration"
	}
	return m
}

// DefaultKind tells what users' desktops are made of, and why.
func (m *Manager) DefaultKind() (kind, why string) { return m.o.DefaultKind, m.why }

// Close stops everything this process does for displays. X servers go on, to be
// adopted by the next daemon; a desktop that is to be ended is closed by its
// surface before.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	var list []*session
	for _, s := range m.sessions {
		list = append(list, s)
	}
	m.mu.Unlock()
	m.cancel()
	for _, s := range list {
		s.detach()
	}
	m.work.Wait()
}

// run starts a goroutine of the manager's, unless it is closed.
func (m *Manager) run(fn func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.work.Go(fn)
	return true
}

// session gives the display of a session, making it if asked to.
func (m *Manager) session(id uint32, create bool) *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s == nil && create && !m.closed {
		s = newSession(m, id)
		m.sessions[id] = s
	}
	return s
}

// find gives a session that exists.
func (m *Manager) find(op string, id uint32) (*session, error) {
	if s := m.session(id, false); s != nil {
		return s, nil
	}
	return nil, &win32.Error{Op: op, Object: fmt.Sprintf("session %d", id), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND}
}

// NewSurface implements station.Surfaces. Winlogon, Screen-saver, Disconnect and
// the desktops of other stations than WinSta0 are drawn by us; others are what
// the spec or Options.DefaultKind says. An X server is refused with the name of
// the missing package when there is none.
//
// Rules: LGN-11, DT-50, DT-51.
func (m *Manager) NewSurface(ctx context.Context, spec station.SurfaceSpec) (station.Surface, error) {
	s := m.session(spec.SessionID, true)
	if s == nil {
		return nil, errors.New("cannot make a surface: the displays are closed")
	}
	d := &desktop{
		s: s, spec: spec, kind: spec.Kind,
		interactive: strings.EqualFold(spec.Station, "WinSta0"),
		width:       spec.Width, height: spec.Height,
		gone: make(chan struct{}),
	}
	if d.width == 0 {
		d.width = m.o.Width
	}
	if d.height == 0 {
		d.height = m.o.Height
	}
	if !surface.ValidSize(d.width, d.height) {
		return nil, &win32.Error{Op: "CreateDesktop", Object: d.String(), Code: win32.ERROR_INVALID_PARAMETER}
	}
	d.host, _ = spec.Session.(xserver.Session)
	switch {
	case spec.Secure || !d.interactive || strings.EqualFold(spec.Desktop, "Disconnect"):
		if spec.Kind == station.SurfaceX11 && spec.Secure {
			return nil, &win32.Error{Op: "CreateDesktop", Object: d.String(), Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-11"}
		}
		if spec.Kind == "" {
			d.kind = station.SurfaceBuiltin
		}
	case spec.Kind == "" && spec.SessionID == 0:
		d.kind = station.SurfaceBuiltin
	case spec.Kind == "":
		d.kind = m.o.DefaultKind
		if d.kind == station.SurfaceX11 && d.host == nil && spec.Session != nil {
			d.kind = station.SurfaceBuiltin
			m.o.Logger.Warn("a desktop has NO X server: the host cannot run one", "session", spec.SessionID, "desktop", d.String())
		}
	}
	switch d.kind {
	case station.SurfaceBuiltin:
	case station.SurfaceX11:
		if spec.Kind == station.SurfaceX11 && m.o.DefaultKind != station.SurfaceX11 {
			if _, err := xserver.Find(m.o.XvncPath); err != nil {
				return nil, fmt.Errorf("cannot make desktop %s: %w", d, err)
			}
		}
		if spec.State != "" && d.host != nil {
			x, err := m.o.AdoptServer(d.host, spec.State, m.o.Logger)
			if err != nil {
				m.o.Logger.Warn("the X server of a desktop is lost", "session", spec.SessionID, "desktop", d.String(), "error", err)
				d.fault, d.died = err.Error(), true
			} else {
				d.server = x
				m.run(func() { d.await(x) })
			}
		}
	default:
		return nil, &win32.Error{Op: "CreateDesktop", Object: spec.Kind, Code: win32.ERROR_INVALID_PARAMETER}
	}
	s.add(d)
	return d, nil
}

// Dropped says that input was thrown away because of where it came from or where
// it would have gone.
type Dropped struct {
	Session uint32
	Desktop string // where it would have gone
	Name    string // of the viewer, or "API"
	Events  int    // since the last report
	Rule    string // IN-10, IN-11, LGN-14
}

// OnDropped sets what is told of dropped input, for the audit log: at once about
// the first, then at most once a second.
func (m *Manager) OnDropped(fn func(Dropped)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped = fn
}

// OnSecureAttention sets what is told that a person pressed Ctrl+Alt+Del.
func (m *Manager) OnSecureAttention(fn func(session uint32)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attention = fn
}

// Switch makes a desktop of a session the one that is shown and takes input.
// Viewers follow with their next frame. Empty names mean that no desktop is
// active.
//
// Rules: DT-48, IN-8.
func (m *Manager) Switch(session uint32, stationName, desktop string) {
	if s := m.session(session, true); s != nil {
		s.show(stationName, desktop)
	}
}

// EndSession forgets a session: its boxes are taken away without an answer, its
// viewers see a notice. The surfaces of its desktops are closed by the engine.
func (m *Manager) EndSession(session uint32) {
	m.mu.Lock()
	s := m.sessions[session]
	delete(m.sessions, session)
	m.mu.Unlock()
	if s != nil {
		s.end()
	}
}

// LastInput is when the session last got input, or the zero time.
func (m *Manager) LastInput(session uint32) time.Time {
	if s := m.session(session, false); s != nil {
		if n := s.lastInput.Load(); n != 0 {
			return time.Unix(0, n)
		}
	}
	return time.Time{}
}
