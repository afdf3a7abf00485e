// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// noSession is what the console is attached to while it is attached to nothing
// (SES-21).
const noSession uint32 = 0xFFFFFFFF

// remotePrefix begins the names of terminals other than the console (SES-11).
const remotePrefix = "VNC-Tcp#"

// undoTime bounds how long it may take to clean up after a step that failed,
// whoever gave up waiting meanwhile.
const undoTime = 30 * time.Second

// WinlogonOptions say what a Winlogon works with.
type WinlogonOptions struct {
	Engine  *station.Engine
	Store   *Store
	Display Display // nil: nothing is shown
	Logger  *slog.Logger

	// Homes is where home directories of accounts are made that are no Linux
	// user. Their users must be able to reach it, from inside sessions too.
	Homes string
	Path  string // PATH of sessions; empty: the usual directories
	Lang  string // LANG of sessions; empty: the daemon's, else C.UTF-8

	Limits     station.Limits // of each user session
	OwnNetwork bool           // each user session has a network of its own

	// Surface, Width and Height are for the Default desktop of user sessions
	// where a logon does not say; empty and 0 leave it to the display.
	Surface       string
	Width, Height int

	// OnEnd is called when a session with a user is about to be logged off,
	// with no lock held; internal/wts withdraws its boxes there. May be nil.
	OnEnd func(session uint32)
}

// Winlogon is the session manager: it has a seat for every session that users
// log on to, which in mode shared session 0 is too, and moves each along the
// states of LGN-10.
type Winlogon struct {
	o       WinlogonOptions    // immutable, defaults filled in
	engine  *station.Engine    // immutable
	store   *Store             // immutable
	display Display            // immutable
	log     *slog.Logger       // immutable
	ctx     context.Context    // of flows that viewers start; cancelled by Close
	cancel  context.CancelFunc // immutable
	work    sync.WaitGroup     // flows that viewers start

	consoleFlow chan struct{} // held while the console is given a session

	mu      sync.Mutex
	seats   map[uint32]*seat // guarded by mu
	closed  bool             // guarded by mu: no new sessions
	remotes map[int]uint32   // guarded by mu: terminal number → session
	watched func()           // guarded by mu: ends the subscription to engine events
}

// seat is winlogon's side of a session.
type seat struct {
	session *station.Session // immutable
	flow    chan struct{}    // capacity 1: full while a logon, logoff, … of this session is under way

	// All guarded by Winlogon.mu.
	account   Account         // who is logged on
	token     *security.Token // of who is logged on; nil for nobody
	env       []string        // environment of the session's programs
	home      string          // home directory of the user
	remote    int             // number of its remote terminal, -1 for none
	attention bool            // the security screen is shown
	switching bool            // mode shared: locked, and the logon screen is shown for somebody else (SES-14f)
	busy      bool            // a password is being checked
	problem   string          // why the last try did not work
	gone      bool            // the session is being deleted
}

// NewWinlogon makes the session manager of an engine. Start begins its work.
func NewWinlogon(o WinlogonOptions) *Winlogon {
	if o.Display == nil {
		o.Display = noDisplay{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Path = cmp.Or(o.Path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	w := &Winlogon{
		o: o, engine: o.Engine, store: o.Store, display: o.Display, log: o.Logger,
		consoleFlow: make(chan struct{}, 1),
		seats:       make(map[uint32]*seat),
		remotes:     make(map[int]uint32),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// StartServices makes the place the services' session runs in, if an earlier
// daemon has not left one. It comes before the service manager and Start
// (SES-26).
func (w *Winlogon) StartServices(ctx context.Context) error {
	zero, ok := w.engine.Session(0)
	if !ok {
		return errors.New("cannot start the services' session: the engine has none")
	}
	if zero.Host() != nil {
		return nil
	}
	return w.engine.StartHost(ctx, zero, station.SessionSpec{ID: 0, UID: w.store.o.UID, GID: w.store.o.GID})
}

// Start takes over the sessions that outlived an earlier daemon and gives the
// console a logon screen if no session has it (SES-8, SES-26).
func (w *Winlogon) Start(ctx context.Context) error {
	for _, s := range w.engine.Sessions() {
		if !s.Services() {
			w.tidy(ctx, w.adopt(s))
		}
	}
	cancel := w.engine.Subscribe(w.observe)
	w.mu.Lock()
	w.watched = cancel
	w.mu.Unlock()
	if w.Console() == noSession {
		return w.freshConsole(ctx)
	}
	return nil
}

// Close waits for what viewers started and stops answering them. It ends no
// session.
func (w *Winlogon) Close() {
	w.mu.Lock()
	w.closed = true
	cancel := w.watched
	w.watched = nil
	w.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	w.cancel()
	w.work.Wait()
}

// Refuse makes all later logons fail with 1115: the machine is shutting down
// (SES-27).
func (w *Winlogon) Refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// observe ends sessions whose holder was killed: on Windows the end of a
// session's critical process ends the session (DESIGN 2).
func (w *Winlogon) observe(ev station.Event) {
	if ev.Kind != station.EventSessionHost || ev.Fields["state"] != "gone" || ev.Session == 0 {
		return
	}
	st := w.seat(ev.Session)
	if st == nil {
		return
	}
	w.start(func(ctx context.Context) {
		release, err := w.enter(ctx, st)
		if err != nil {
			return // its logoff ended the holder
		}
		defer release()
		w.log.Warn("the holder of a session is gone: logging it off", "session", ev.Session)
		if err := w.logoff(ctx, st); err != nil {
			w.log.Error("cannot log off a session whose holder is gone", "session", ev.Session, "err", err)
		}
	})
}

// start runs a flow that nobody waits for; Close does.
func (w *Winlogon) start(f func(ctx context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.work.Go(func() { f(w.ctx) })
}

// adopt makes the seat of a session that was there before this daemon.
func (w *Winlogon) adopt(s *station.Session) *seat {
	st := &seat{session: s, flow: make(chan struct{}, 1), remote: -1}
	if tok := s.User(); tok != nil {
		a, err := w.store.BySID(tok.User())
		if err != nil {
			_, name := s.UserName()
			w.log.Error("the user of an adopted session has no account any more", "session", s.ID(), "user", name, "err", err)
			spec := s.Spec()
			a = Account{Name: name, SID: tok.User(), UID: spec.UID, GID: spec.GID, Groups: spec.Groups}
		}
		st.account, st.token = a, tok
		st.home = w.homePath(a)
		st.env = w.environment(a, st.home)
	}
	if n, ok := strings.CutPrefix(s.Terminal(), remotePrefix); ok {
		if n, err := strconv.Atoi(n); err == nil {
			st.remote = n
		}
	}
	w.mu.Lock()
	w.seats[s.ID()] = st
	if st.remote >= 0 {
		w.remotes[st.remote] = s.ID()
	}
	w.mu.Unlock()
	w.show(st)
	return st
}

// tidy brings to an end what an earlier daemon had begun on a session when it
// was killed: a logoff is finished, a logon that did not come to its user is
// undone, one that did gets its desktop. A logon screen without the console is
// of a terminal that went with that daemon.
func (w *Winlogon) tidy(ctx context.Context, st *seat) {
	s := st.session
	user := s.User() != nil
	switch {
	case s.ID() == 0 && !user:
		// The shared session 0 stays, whatever was under way in it.
	case s.State() == win32.WTSReset, !user && (s.Terminal() != consoleTerminal || s.Host() != nil):
		w.log.Warn("ending a session that an earlier daemon left half made", "session", s.ID(), "state", s.State(), "terminal", s.Terminal())
		w.detach(st)
		if err := w.drop(ctx, st); err != nil {
			w.log.Error("cannot end a session", "session", s.ID(), "err", err)
		}
	case user:
		if err := w.engine.DesktopReady(s); err != nil {
			w.log.Error("cannot show a user's desktop", "session", s.ID(), "err", err)
		}
		w.show(st)
	}
}

// seat gives the seat of a session, nil for none.
func (w *Winlogon) seat(id uint32) *seat {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seats[id]
}

// enter begins a flow on a session: one runs at a time. It fails with 7022 when
// the session went away meanwhile.
func (w *Winlogon) enter(ctx context.Context, st *seat) (release func(), err error) {
	select {
	case st.flow <- struct{}{}:
	case <-ctx.Done():
		return nil, &win32.Error{Op: "EnterSession", Object: st.name(), Code: win32.ERROR_CANCELLED}
	}
	w.mu.Lock()
	gone := st.gone
	w.mu.Unlock()
	if gone {
		<-st.flow
		return nil, &win32.Error{Op: "EnterSession", Object: st.name(), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "WTS-3"}
	}
	return func() { <-st.flow }, nil
}

func (st *seat) name() string { return fmt.Sprintf("session %d", st.session.ID()) }

// Console gives the session on the console, 0xFFFFFFFF while there is none.
// It needs no right. Rules: SES-21, NTF-8.
func (w *Winlogon) Console() uint32 {
	for _, s := range w.engine.Sessions() {
		if s.Terminal() == consoleTerminal {
			return s.ID()
		}
	}
	return noSession
}

// newSession makes a session with a logon screen on a terminal: the console
// when remote is false, else a fresh headless one.
func (w *Winlogon) newSession(ctx context.Context, remote bool) (*seat, error) {
	terminal, number := consoleTerminal, -1
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, &win32.Error{Op: "CreateSession", Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SES-27"}
	}
	if remote {
		number = w.remoteLocked()
		terminal = remotePrefix + strconv.Itoa(number)
	}
	w.mu.Unlock()
	s, err := w.engine.CreateSession(ctx, station.SessionOptions{Terminal: terminal, State: win32.WTSConnected})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		delete(w.remotes, number)
		return nil, err
	}
	st := &seat{session: s, flow: make(chan struct{}, 1), remote: number}
	w.seats[s.ID()] = st
	if remote {
		w.remotes[number] = s.ID()
	}
	return st, nil
}

// remoteLocked reserves the smallest free number of a remote terminal.
func (w *Winlogon) remoteLocked() int {
	n := 0
	for {
		if _, taken := w.remotes[n]; !taken {
			w.remotes[n] = noSession
			return n
		}
		n++
	}
}

// freshConsole gives the console a session with a logon screen if it has none
// (SES-8, SES-22). In mode shared that is session 0 as long as nobody is logged
// on to it, else a new one (SES-9).
func (w *Winlogon) freshConsole(ctx context.Context) error {
	select {
	case w.consoleFlow <- struct{}{}:
		defer func() { <-w.consoleFlow }()
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed || w.Console() != noSession {
		return nil // shutting down: no new logon screen
	}
	st, err := w.screenForConsole(ctx)
	if err != nil {
		return fmt.Errorf("cannot give the console a logon screen: %w", err)
	}
	w.show(st)
	return nil
}

// screenForConsole gives a session with a logon screen that is on the console
// from now on. The caller has entered consoleFlow.
func (w *Winlogon) screenForConsole(ctx context.Context) (*seat, error) {
	if zero := w.seat(0); zero != nil && zero.session.User() == nil && zero.session.Terminal() == "" {
		w.engine.SetTerminal(zero.session, consoleTerminal)
		return zero, nil
	}
	return w.newSession(ctx, false)
}

// detach takes a session's terminal away and frees its name. state says
// whether the session stays, Disconnected.
func (w *Winlogon) detach(st *seat) {
	w.engine.SetTerminal(st.session, "")
	w.freeTerminal(st)
}

func (w *Winlogon) freeTerminal(st *seat) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if st.remote >= 0 {
		delete(w.remotes, st.remote)
		st.remote = -1
	}
}

// drop deletes a session that is at its end and its seat. The shared session 0
// is no session that ends: nobody is in its seat any more, and it waits for the
// console (SES-14h).
func (w *Winlogon) drop(ctx context.Context, st *seat) error {
	if st.session.ID() == 0 {
		w.freeTerminal(st)
		w.mu.Lock()
		st.account, st.token, st.env, st.home = Account{}, nil, nil, ""
		st.attention, st.switching, st.busy, st.problem = false, false, false, ""
		w.mu.Unlock()
		w.show(st)
		return nil
	}
	w.mu.Lock()
	st.gone = true
	w.mu.Unlock()
	err := w.engine.EndSession(ctx, st.session.ID())
	if errors.Is(err, win32.ERROR_CTX_WINSTATION_NOT_FOUND) {
		err = nil
	}
	if err != nil {
		w.mu.Lock()
		st.gone = false // still there, to be tried again
		w.mu.Unlock()
		return err
	}
	w.freeTerminal(st)
	w.mu.Lock()
	delete(w.seats, st.session.ID())
	st.token, st.env = nil, nil
	w.mu.Unlock()
	w.display.SetSecureScreen(st.session.ID(), Screen{Kind: ScreenNone})
	return nil
}

// undo gives a context for cleaning up that outlives its caller's patience.
func undo(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoTime)
}
