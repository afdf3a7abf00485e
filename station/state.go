// SPDX-License-Identifier: Apache-2.0

package station

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// SessionState is what is needed to bring a session back after the daemon was
// gone and its programs were not. It is written after every event that
// changes it.
type SessionState struct {
	ID       uint32              `json:"id"`
	Terminal string              `json:"terminal"`
	State    win32.ConnectState  `json:"state"`
	Domain   string              `json:"domain,omitempty"`
	Name     string              `json:"name,omitempty"`
	User     *security.TokenSpec `json:"user,omitempty"` // nil: nobody is logged on
	Ready    bool                `json:"ready,omitempty"`
	Locked   bool                `json:"locked,omitempty"`
	Weaker   bool                `json:"weaker,omitempty"` // a program had less than the user
	Screen   uint8               `json:"screen,omitempty"`
	Times    SessionTimes        `json:"times"`
	Spec     SessionSpec         `json:"spec"`
	Hosted   bool                `json:"hosted"` // it has a host to be adopted

	Descriptor *security.Descriptor `json:"descriptor,omitempty"`
	Stations   []StationState       `json:"stations"`
	Processes  []ProcessState       `json:"processes,omitempty"`

	// Counters of the engine, so that no number is given twice.
	NextSession uint32        `json:"nextSession"`
	NextLUID    security.LUID `json:"nextLuid"`
	DeadPID     uint32        `json:"deadPid"`
}

// StationState is a window station in a SessionState.
type StationState struct {
	Name       string               `json:"name"`
	Held       bool                 `json:"held,omitempty"`
	Auto       bool                 `json:"auto,omitempty"` // made by PC-12
	App        string               `json:"app,omitempty"`  // WinSta0: the application desktop
	Descriptor *security.Descriptor `json:"descriptor"`
	Desktops   []DesktopState       `json:"desktops"`
}

// DesktopState is a desktop in a SessionState.
type DesktopState struct {
	Name        string               `json:"name"`
	Held        bool                 `json:"held,omitempty"`
	Kind        string               `json:"kind,omitempty"`
	Width       int                  `json:"width,omitempty"`
	Height      int                  `json:"height,omitempty"`
	HeapKB      uint32               `json:"heapKb"`
	Surface     string               `json:"surface,omitempty"` // Surface.State
	SurfaceKind string               `json:"surfaceKind,omitempty"`
	Descriptor  *security.Descriptor `json:"descriptor"`
}

// ProcessState is a process in a SessionState.
type ProcessState struct {
	PID     int                `json:"pid"`
	Start   uint64             `json:"start"`
	Parent  int                `json:"parent,omitempty"`
	Program string             `json:"program"`
	Args    []string           `json:"args,omitempty"`
	Tag     string             `json:"tag,omitempty"`
	Started int64              `json:"started"` // Unix nanoseconds
	Token   security.TokenSpec `json:"token"`
	Station string             `json:"station,omitempty"`
	Desktop string             `json:"desktop,omitempty"`
	Forced  *uint32            `json:"forced,omitempty"` // exit code that was given to it
	Compat  bool               `json:"compat,omitempty"` // ProcessOptions.CompatXP
}

// SessionState tells all that RestoreSession needs to know of a session.
func (e *Engine) SessionState(id uint32) (SessionState, error) {
	s, ok := e.Session(id)
	if !ok {
		return SessionState{}, &win32.Error{Op: "SessionState", Object: fmt.Sprintf("session %d", id), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "WTS-3"}
	}
	e.mu.Lock()
	next := e.nextSession
	e.mu.Unlock()
	st, surfaces := s.stateLocking()
	st.NextSession, st.NextLUID, st.DeadPID = next, security.LUID(e.luid.Load()), e.deadPID.Load()
	lockrank.AssertNoneHeld()
	for ds, f := range surfaces {
		ds.Surface, ds.SurfaceKind = f.State(), f.Kind()
	}
	return st, nil
}

// stateLocking tells what the session's lock guards, and which surfaces are to
// be asked for their state when it is gone.
func (s *Session) stateLocking() (SessionState, map[*DesktopState]Surface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	surfaces := make(map[*DesktopState]Surface)
	st := SessionState{
		ID: s.id, Terminal: s.Terminal(), State: s.state, Domain: s.domain, Name: s.name,
		Ready: s.ready, Locked: s.locked, Weaker: s.weaker, Screen: uint8(s.secure), Times: s.times,
		Spec: s.spec, Hosted: s.host != nil, Descriptor: s.Descriptor(),
	}
	st.Spec.Groups = slices.Clone(s.spec.Groups)
	if s.user != nil {
		spec := s.user.Spec()
		st.User = &spec
	}
	for _, w := range s.Stations() {
		ws := StationState{Name: w.name, Held: w.held, Auto: w.auto != nil, Descriptor: w.Descriptor()}
		if w.interactive && w.app != nil {
			ws.App = w.app.name
		}
		ws.Desktops = make([]DesktopState, len(w.order))
		for i, d := range w.order {
			ds := &ws.Desktops[i]
			*ds = DesktopState{Name: d.name, Held: d.held, Kind: d.kind, Width: d.width, Height: d.height, HeapKB: d.heapKB, Descriptor: d.Descriptor()}
			if d.surface != nil {
				surfaces[ds] = d.surface
			} else {
				ds.Surface = d.restore
			}
		}
		st.Stations = append(st.Stations, ws)
	}
	for _, p := range s.procs {
		if p.host == nil {
			continue // it comes back with its next call
		}
		ps := ProcessState{PID: p.pid, Start: p.start, Parent: p.parent, Program: p.program, Args: p.args, Tag: p.tag,
			Started: p.started.UnixNano(), Token: p.Token().Spec(), Forced: p.forced, Compat: p.compat}
		ps.Station, ps.Desktop = p.locationLocked()
		st.Processes = append(st.Processes, ps)
	}
	slices.SortFunc(st.Processes, func(a, b ProcessState) int { return cmp.Compare(a.PID, b.PID) })
	return st, surfaces
}

// RestoreSession brings a session back whose programs outlived an earlier
// engine. hs is the host it has, nil if it had none. Handles are gone: each
// process connects again to where it was when it calls. A program the state
// does not know was started while the daemon died: in a user's session it is
// counted to the user, elsewhere it is ended, because nobody can say any more
// who it is. Programs that ended meanwhile can be asked for their exit code.
func (e *Engine) RestoreSession(ctx context.Context, st SessionState, hs HostSession) (*Session, error) {
	lockrank.AssertNoneHeld()
	s, err := e.placeForRestore(st)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if !s.services {
		s.state = st.State
		s.terminal.Store(st.Terminal)
	}
	s.domain, s.name, s.ready, s.locked, s.secure, s.times = st.Domain, st.Name, st.Ready, st.Locked, secureScreen(st.Screen), st.Times
	s.weaker = st.Weaker
	if st.User != nil {
		s.user = security.NewToken(*st.User)
		s.associateLocked(s.user)
	}
	if st.Descriptor != nil {
		s.SetDescriptor(st.Descriptor)
	}
	holds, err := s.restoreStationsLocked(st.Stations)
	if err != nil {
		s.unlock()
		return nil, fmt.Errorf("cannot restore session %d: %w", st.ID, err)
	}
	if hs != nil {
		s.adoptHostLocked(hs, st.Spec)
	}
	s.retargetLocked()
	s.unlock()

	var errs []error
	if hs != nil {
		errs = e.restoreProcesses(s, st, hs)
	}
	for _, h := range slices.Backward(holds) {
		h.Release()
	}
	return s, errors.Join(errs...)
}

// placeForRestore gives the session to be filled: the one that New made, for
// session 0, else a new one with the old number.
func (e *Engine) placeForRestore(st SessionState) (*Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nextSession = max(e.nextSession, st.NextSession, st.ID+1)
	for {
		now := e.luid.Load()
		if now >= uint64(st.NextLUID) || e.luid.CompareAndSwap(now, uint64(st.NextLUID)) {
			break
		}
	}
	s := e.sessions[st.ID]
	switch {
	case e.closed:
		return nil, errClosed
	case st.ID == 0:
		return s, nil
	case s != nil:
		return nil, fmt.Errorf("cannot restore session %d: it exists: %w", st.ID, win32.ERROR_CTX_WINSTATION_ALREADY_EXISTS)
	}
	s = e.newSession(st.ID, SessionOptions{Terminal: st.Terminal})
	e.addSessionLocked(s)
	return s, nil
}

// restoreStationsLocked makes the stations and desktops again. Each has one
// hold too many until the processes that are on them have theirs; the caller
// releases those.
func (s *Session) restoreStationsLocked(list []StationState) (holds []*object.Header, err error) {
	hold := func(h *object.Header) {
		h.Retain()
		holds = append(holds, h)
	}
	for _, ws := range list {
		w := s.lookupLocked(ws.Name)
		if w == nil {
			w = s.newStationLocked(ws.Name, ws.Descriptor, false)
			hold(w.Head())
			if ws.Held {
				w.held = true
				w.Retain()
			}
		} else if ws.Descriptor != nil {
			w.SetDescriptor(ws.Descriptor)
		}
		for _, ds := range ws.Desktops {
			d := w.desktopLocked(ds.Name)
			if d == nil {
				o := DesktopOptions{Name: ds.Name, HeapKB: ds.HeapKB, Surface: ds.Kind, Width: ds.Width, Height: ds.Height}
				if d, err = w.newDesktopLocked(o, ds.Descriptor); err != nil {
					return holds, err
				}
				hold(d.Head())
				if ds.Held {
					d.held = true
					d.Retain()
				}
				if ws.Auto && sameName(ds.Name, defaultName) {
					d.Retain()
					w.auto = d
				}
			} else if ds.Descriptor != nil {
				d.SetDescriptor(ds.Descriptor)
			}
			d.restore = ds.Surface
		}
		if d := w.desktopLocked(ws.App); w.interactive && d != nil {
			w.app = d
		}
	}
	return holds, nil
}

// restoreProcesses makes the records of the programs that the host has.
func (e *Engine) restoreProcesses(s *Session, st SessionState, hs HostSession) (errs []error) {
	known := make(map[int]ProcessState, len(st.Processes))
	for _, ps := range st.Processes {
		known[ps.PID] = ps
	}
	for _, hp := range hs.Processes() {
		ps, ok := known[hp.PID()]
		if !ok || ps.Start != hp.StartTime() {
			select {
			case <-hp.Done():
				hp.Forget() // it ended before, and everybody who cared knew
				continue
			default:
			}
			if e.foreign != nil && e.foreign(hp.Tag()) {
				continue
			}
			user := s.User()
			if user == nil {
				errs = append(errs, fmt.Errorf("cannot say who process %d of session %d is: it was ended", hp.PID(), s.id))
				if err := hp.Signal(9); err != nil {
					errs = append(errs, fmt.Errorf("cannot end process %d: %w", hp.PID(), err))
				}
				continue
			}
			ps = ProcessState{PID: hp.PID(), Start: hp.StartTime(), Tag: hp.Tag(), Token: user.Spec(), Started: e.now().UnixNano(),
				Station: interactiveName, Desktop: defaultName}
		}
		p := e.newProcess(s, security.NewToken(ps.Token))
		p.pid, p.start, p.parent, p.program, p.args, p.tag, p.host = ps.PID, ps.Start, ps.Parent, ps.Program, ps.Args, hp.Tag(), hp
		p.started, p.forced, p.compat = time.Unix(0, ps.Started), ps.Forced, ps.Compat
		e.mu.Lock()
		s.mu.Lock()
		p.spec.parentStation, p.spec.parentDesktop = ps.Station, ps.Desktop
		if w := s.lookupLocked(ps.Station); w != nil {
			p.spec.parentInteractive = w.interactive
			if d := w.desktopLocked(ps.Desktop); d != nil {
				w.Retain()
				d.Retain()
				p.plan = &plan{w, d}
			}
		}
		e.processes[p.pid] = p
		s.procs[p.pid] = p
		s.admitLocked(p.Token())
		s.mu.Unlock()
		e.mu.Unlock()
		p.watch()
	}
	return errs
}
