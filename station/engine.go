// SPDX-License-Identifier: Apache-2.0

package station

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// errClosed is given by calls on an engine that has been closed or detached.
var errClosed = errors.New("the engine is closed")

const (
	// firstThreadID is where thread numbers begin: above every Linux pid
	// (2^22), so that a thread ID is never taken for a process.
	firstThreadID = 0x40000000
	// firstDeadPID numbers processes that ended before they were started
	// (PC-17) and so never had a pid.
	firstDeadPID = 0x60000000
)

// Engine is one machine's worth of sessions. Its methods are the session
// manager's: they check nothing. What a program may do goes through Thread.
type Engine struct {
	outsiders *object.Quota // immutable: handles of callers from outside, the operator left aside
	mode      Mode
	host      Host
	surfaces  Surfaces
	machine   security.SID
	now       func() time.Time
	identity  func(*security.Token) (Identity, error) // may be nil
	socket    string
	foreign   func(tag string) bool // immutable; may be nil
	settings  Settings
	heap      heapProfile
	root      *object.Directory // \
	sessDir   *object.Directory // \Sessions
	names     *names            // named objects
	began     time.Time         // messages' times count from here (MSG-22)
	// All of the above is immutable.

	luid    atomic.Uint64 // next LUID
	tid     atomic.Uint32 // last thread ID
	deadPID atomic.Uint32 // last ID of a process that never ran

	mu          lockrank.Mutex
	sessions    map[uint32]*Session // guarded by mu
	nextSession uint32              // guarded by mu
	processes   map[int]*Process    // guarded by mu: those that live
	ended       []*Process          // guarded by mu: the last ones that ended, oldest first
	threads     map[uint32]*Thread  // guarded by mu
	closed      bool                // guarded by mu

	events    ring[Event]
	observers observers
	audit     auditLog

	stop     chan struct{} // closed by Close and Detach
	stopOnce sync.Once
	work     sync.WaitGroup // goroutines besides the observers'
	watch    sync.WaitGroup // the observers' goroutine
}

// New makes an engine with session 0 and nothing else. The caller ends it with
// Close or Detach.
func New(o Options) (*Engine, error) {
	if o.Host == nil || o.Surfaces == nil {
		return nil, errors.New("cannot make an engine without a host and surfaces")
	}
	heap, err := parseHeap(o.Settings.DesktopHeap, o.Settings.SessionTotalKB)
	if err != nil {
		return nil, err
	}
	set := o.Settings
	set.MaxStations = cmp.Or(set.MaxStations, 1024)
	set.MaxHandles = cmp.Or(set.MaxHandles, 65536)
	set.MaxSessionHandles = cmp.Or(set.MaxSessionHandles, 262144)
	set.MaxSections = cmp.Or(set.MaxSections, 1024)
	set.MaxSessions = cmp.Or(set.MaxSessions, 64)
	set.EventRing = cmp.Or(set.EventRing, 4096)
	set.AuditRing = cmp.Or(set.AuditRing, 4096)
	set.AuditRate = cmp.Or(set.AuditRate, 50)
	set.UserHandles = min(max(cmp.Or(set.UserHandles, 10000), 200), 18000)
	set.PostLimit = max(cmp.Or(set.PostLimit, defaultPostLimit), minPostLimit)
	set.HookTimeout = cmp.Or(set.HookTimeout, 300*time.Millisecond)

	e := &Engine{
		mode: o.Mode, host: o.Host, surfaces: o.Surfaces, machine: o.Machine,
		now: o.Clock, identity: o.Identity, socket: o.CallSocket, foreign: o.Foreign, settings: set, heap: heap,
		sessions:  make(map[uint32]*Session),
		processes: make(map[int]*Process),
		threads:   make(map[uint32]*Thread),
		stop:      make(chan struct{}),
		outsiders: object.NewQuota(set.MaxSessionHandles),
	}
	if e.now == nil {
		e.now = time.Now
	}
	e.began = e.now()
	e.mu.Init(lockrank.Engine, 0)
	e.events.init(set.EventRing)
	e.audit.init(set.AuditRing, set.AuditRate)
	e.observers.wake = make(chan struct{}, 1)
	e.luid.Store(uint64(cmp.Or(o.FirstLUID, security.FirstFreeLUID)))
	e.tid.Store(firstThreadID)
	e.deadPID.Store(firstDeadPID)
	for _, st := range o.Restore {
		e.nextSession = max(e.nextSession, st.NextSession, st.ID+1)
		e.luid.Store(max(e.luid.Load(), uint64(st.NextLUID)))
		e.deadPID.Store(max(e.deadPID.Load(), st.DeadPID))
	}
	e.makeRoot()
	e.makeNames(o.Memory)
	if o.Observer != nil {
		e.Subscribe(o.Observer)
	}
	e.watch.Go(func() { e.observers.run(e.stop) })

	zero := e.newSession(0, SessionOptions{})
	e.mu.Lock()
	e.nextSession = max(e.nextSession, 1)
	e.addSessionLocked(zero)
	e.mu.Unlock()
	return e, nil
}

// makeRoot makes the directories that exist before any session (OBJ-2).
func (e *Engine) makeRoot() {
	sd := directoryDescriptor()
	dir := func(parent *object.Directory, name string, fold bool) *object.Directory {
		d := object.NewDirectory(name, fold, sd)
		if parent != nil {
			parent.Add(d)
		}
		return d
	}
	e.root = dir(nil, "", false)
	e.sessDir = dir(e.root, "Sessions", false)
	device := dir(e.root, "Device", false)
	dir(device, "NamedPipe", true)
}

// Close ends every session, highest number first and session 0 last (SES-27),
// and stops the engine. On an engine that was detached it does nothing: the
// sessions are not its own any more.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	select {
	case <-e.stop:
		return nil
	default:
	}
	var errs []error
	for _, s := range slices.Backward(e.Sessions()) {
		if err := e.endSession(ctx, s); err != nil {
			errs = append(errs, err)
		}
	}
	e.halt()
	return errors.Join(errs...)
}

// Detach stops the engine and keeps every session running: processes, their
// holders and the surfaces' X servers go on, for a later engine to adopt.
func (e *Engine) Detach() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.halt()
}

func (e *Engine) halt() {
	e.stopOnce.Do(func() { close(e.stop) })
	e.work.Wait()
	e.watch.Wait()
}

// Mode gives the session model.
func (e *Engine) Mode() Mode { return e.mode }

// Machine gives the SID of this machine's account domain.
func (e *Engine) Machine() security.SID { return e.machine }

// Settings gives the engine's limits with the defaults filled in.
func (e *Engine) Settings() Settings { return e.settings }

// Root gives the root of the object tree, for listings.
func (e *Engine) Root() *object.Directory { return e.root }

// AllocateLUID gives a LUID that no logon session has had.
func (e *Engine) AllocateLUID() security.LUID { return security.LUID(e.luid.Add(1) - 1) }

// Session gives a session by its ID.
func (e *Engine) Session(id uint32) (*Session, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sessions[id]
	return s, ok
}

// Sessions gives the sessions by ascending ID.
func (e *Engine) Sessions() []*Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.SortedFunc(maps.Values(e.sessions), func(a, b *Session) int { return cmp.Compare(a.id, b.id) })
}

// Process gives a living process by its ID.
func (e *Engine) Process(pid int) (*Process, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.processes[pid]
	return p, ok
}

// Processes gives the living processes by session, then ID.
func (e *Engine) Processes() []*Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.SortedFunc(maps.Values(e.processes), func(a, b *Process) int {
		return cmp.Or(cmp.Compare(a.session.id, b.session.id), cmp.Compare(a.pid, b.pid))
	})
}

// thread gives a living thread by its ID.
func (e *Engine) thread(id uint32) *Thread {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.threads[id]
}

// processEver gives a living process, or one that ended a short while ago.
func (e *Engine) processEver(pid int) *Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.processes[pid]; p != nil {
		return p
	}
	for _, p := range slices.Backward(e.ended) {
		if p.pid == pid {
			return p
		}
	}
	return nil
}

// CreateSession makes a session with its WinSta0 and the desktops of it, the
// Winlogon desktop active (LGN-11). It has no processes until StartHost.
func (e *Engine) CreateSession(ctx context.Context, o SessionOptions) (*Session, error) {
	const op = "CreateSession"
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, &win32.Error{Op: op, Code: win32.ERROR_SHUTDOWN_IN_PROGRESS, Rule: "SES-27"}
	}
	if len(e.sessions) > e.settings.MaxSessions {
		return nil, &win32.Error{Op: op, Object: fmt.Sprintf("%d sessions", len(e.sessions)-1), Code: win32.ERROR_CTX_WINSTATION_BUSY, Rule: "SES-28"}
	}
	id := e.nextSession
	e.nextSession++
	s := e.newSession(id, o)
	e.addSessionLocked(s)
	return s, nil
}

func (e *Engine) addSessionLocked(s *Session) {
	e.mu.AssertHeld()
	e.sessions[s.id] = s
	if s.id == 0 {
		e.root.Add(s.windows)
	} else {
		e.sessDir.Add(s.dir)
	}
	e.names.link(s)
	e.publish(EventSessionCreate, s.id, "terminal", s.terminal.Load().(string))
}

// removeSession takes an ended session out of the table and the tree.
func (e *Engine) removeSession(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sessions[s.id] != s {
		return
	}
	delete(e.sessions, s.id)
	e.names.unlink(s)
	if s.id == 0 {
		e.root.Remove(s.windows)
	} else {
		e.sessDir.Remove(s.dir)
	}
}

// goWork runs f on a goroutine the engine waits for when it stops.
func (e *Engine) goWork(f func()) { e.work.Go(f) }

func pidText(pid int) string { return strconv.Itoa(pid) }
