// SPDX-License-Identifier: Apache-2.0

package station

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// Session is a terminal session: a collection of window stations and the
// processes that run on them. Nothing of the window system crosses it (SES-4).
type Session struct {
	object.Header // its descriptor is WTS-1

	engine   *Engine           // immutable
	id       uint32            // immutable
	services bool              // immutable: session 0 of an isolated engine (SES-7)
	dir      *object.Directory // immutable: \Sessions\N, nil for session 0
	bno      *object.Directory // immutable: where plain names of its programs are (OBJ-6)
	windows  *object.Directory // immutable: …\Windows
	stations *object.Directory // immutable: …\Windows\WindowStations
	winsta0  *WindowStation    // immutable
	done     chan struct{}     // closed when the session is deleted
	handles  *object.Quota     // immutable: of its programs together

	terminal atomic.Value // string

	mu       lockrank.Mutex
	state    win32.ConnectState // guarded by mu
	user     *security.Token    // guarded by mu: who is logged on, nil for nobody
	domain   string             // guarded by mu: of the user
	name     string             // guarded by mu: of the user
	ready    bool               // guarded by mu: the user's desktop was shown once (DT-50)
	locked   bool               // guarded by mu
	secure   secureScreen       // guarded by mu: what the session manager shows for the moment
	times    SessionTimes       // guarded by mu
	host     HostSession        // guarded by mu: nil until StartHost
	spec     SessionSpec        // guarded by mu: what host was started with
	hosting  bool               // guarded by mu: StartHost is at work
	procs    map[int]*Process   // guarded by mu: the living ones
	ui       *sessionUI         // guarded by mu: windows, hooks, user atoms
	heapKB   uint32             // guarded by mu: sum of the desktops' heaps (DT-26)
	weaker   bool               // guarded by mu: some program had less than user (HND-12a)
	logons   []security.SID     // guarded by mu: logon SIDs that reach its names (OBJ-4)
	ending   bool               // guarded by mu: no new processes, stations, desktops
	sections atomic.Int32       // sections that its programs made and that are open
	waitsAll atomic.Int32       // waits for all of several objects that its programs make
	spawning int                // guarded by mu: processes between decide and commit
	spawned  chan struct{}      // guarded by mu: closed and replaced when spawning falls
	deleted  bool               // guarded by mu: EndSession has done its work
	later    []func()           // guarded by mu: run by unlock, with no lock held
}

// secureScreen is a secure desktop that the session manager shows above the
// user's desktops for the moment.
type secureScreen uint8

const (
	screenNone      secureScreen = iota
	screenAttention              // Ctrl+Alt+Del: Winlogon
	screenSaver                  // secure screen saver: Screen-saver
)

// SessionOptions say what a new session begins with.
type SessionOptions struct {
	Terminal string             // "Console", "VNC-Tcp#0", …; empty for none
	State    win32.ConnectState // 0: WTSConnected, the logon screen on a terminal
}

// SessionTimes are the times a session keeps; a zero time has not come yet.
type SessionTimes struct {
	Created    time.Time `json:"created"`
	Logon      time.Time `json:"logon"`
	Connect    time.Time `json:"connect"`
	Disconnect time.Time `json:"disconnect"`
}

// newSession makes a session that is not in the table yet.
func (e *Engine) newSession(id uint32, o SessionOptions) *Session {
	now := e.now()
	s := &Session{
		engine: e, id: id, services: id == 0 && e.mode == Isolated,
		done: make(chan struct{}), handles: object.NewQuota(e.settings.MaxSessionHandles), procs: make(map[int]*Process), spawned: make(chan struct{}),
		state: o.State, times: SessionTimes{Created: now},
	}
	s.Header.Init(sessionKind, strconv.FormatUint(uint64(id), 10), sessionDescriptor(security.SID{}), nil)
	s.mu.Init(lockrank.Session, uint64(id))
	switch {
	case s.services:
		o.Terminal, s.state = "Services", win32.WTSDisconnected // SES-11, SES-12
	case s.state == win32.WTSActive:
		s.state = win32.WTSConnected
	}
	if o.Terminal != "" && !s.services {
		s.times.Connect = now
	}
	s.terminal.Store(o.Terminal)

	sd := directoryDescriptor()
	s.windows = object.NewDirectory("Windows", false, sd)
	s.stations = object.NewDirectory("WindowStations", true, sd)
	s.windows.Add(s.stations)
	s.bno = e.names.global
	if id != 0 {
		s.dir = object.NewDirectory(strconv.FormatUint(uint64(id), 10), false, sd)
		s.bno = newSessionNames()
		s.dir.Add(s.bno)
		s.dir.Add(object.NewDirectory("DosDevices", true, sd))
		s.dir.Add(s.windows)
	}

	s.mu.Lock()
	defer s.unlock()
	w := s.newStationLocked(interactiveName, winsta0Descriptor(security.SID{}), true)
	w.Retain() // the session manager's hold (WS-45)
	s.winsta0 = w
	for _, name := range []string{defaultName, winlogonName, screenSaverName, disconnectName} {
		d, err := w.newDesktopLocked(DesktopOptions{Name: name}, builtinDesktopDescriptor(name, security.SID{}))
		if err != nil {
			panic("station: the desktop heap has no room for the desktops of WinSta0: " + err.Error())
		}
		d.secure = name != defaultName
		d.held = true
		d.Retain() // DT-42
	}
	w.app = w.desktopLocked(defaultName)
	s.retargetLocked()
	return s
}

// unlock unlocks s.mu and then does what had to wait for that: releasing
// objects, closing surfaces, killing processes.
func (s *Session) unlock() {
	later := s.later
	s.later = nil
	s.mu.Unlock()
	for _, f := range later {
		f()
	}
}

// laterLocked runs f when the lock is gone.
func (s *Session) laterLocked(f func()) {
	s.mu.AssertHeld()
	s.later = append(s.later, f)
}

// ID gives the session's number.
func (s *Session) ID() uint32 { return s.id }

// Services reports whether this is the services session: session 0 of an
// isolated engine.
func (s *Session) Services() bool { return s.services }

// Terminal gives the session's name as WTS shows it (SES-11): Services,
// Console, VNC-Tcp#0, or empty while it has no terminal.
func (s *Session) Terminal() string { return s.terminal.Load().(string) }

// State gives the connect state (SES-15).
func (s *Session) State() win32.ConnectState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Locked reports whether the session is locked (SES-17).
func (s *Session) Locked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked
}

// User gives the token of the user who is logged on, or nil.
func (s *Session) User() *security.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user
}

// UserName gives the account of the user who is logged on; both are empty when
// nobody is.
func (s *Session) UserName() (domain, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.domain, s.name
}

// Times gives the session's time stamps.
func (s *Session) Times() SessionTimes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.times
}

// Host gives the place the session's processes live in, nil before StartHost.
func (s *Session) Host() HostSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.host
}

// Spec gives what the session's host was started with.
func (s *Session) Spec() SessionSpec {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec
}

// Stations gives the window stations in the order they were made.
func (s *Session) Stations() []*WindowStation {
	list := s.stations.List()
	out := make([]*WindowStation, len(list))
	for i, o := range list {
		out[i] = o.(*WindowStation)
	}
	return out
}

// Station gives a window station by name, without regard to case.
func (s *Session) Station(name string) (*WindowStation, bool) {
	o, ok := s.stations.Lookup(name)
	if !ok {
		return nil, false
	}
	return o.(*WindowStation), true
}

// Interactive gives WinSta0.
func (s *Session) Interactive() *WindowStation { return s.winsta0 }

// ActiveDesktop gives the desktop that has the session's input and that
// viewers see (DT-2).
func (s *Session) ActiveDesktop() *Desktop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.winsta0.active
}

// Processes gives the living processes by ID.
func (s *Session) Processes() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Process, 0, len(s.procs))
	for _, p := range s.procs {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *Process) int { return a.pid - b.pid })
	return list
}

// Done is closed when the session has been deleted.
func (s *Session) Done() <-chan struct{} { return s.done }

// usableLocked reports whether the session still takes new things.
func (s *Session) usableLocked() bool {
	s.mu.AssertHeld()
	return !s.ending && s.state != win32.WTSReset && s.state != win32.WTSDown
}
