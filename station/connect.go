// SPDX-License-Identifier: Apache-2.0

package station

import (
	"errors"
	"fmt"
	"slices"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// connectSpec is what decides where a process connects, as recorded when it
// was created (PC-4).
type connectSpec struct {
	lpDesktop *string // STARTUPINFO.lpDesktop

	// The parent's connection; empty when there was none to inherit.
	parentStation     string
	parentDesktop     string
	parentInteractive bool

	// Station and desktop handles that came with the process, ascending (PC-6,
	// TC-2).
	stations []win32.Handle
	desktops []win32.Handle

	none bool // a caller from outside that has no window station at all
}

// place is a station and a desktop with the rights that the rules give, before
// anything is opened. A handle of 0 is still to be made.
type place struct {
	station        *WindowStation
	stationH       win32.Handle
	stationGranted win32.AccessMask
	desktop        *Desktop
	desktopH       win32.Handle
	desktopGranted win32.AccessMask
}

// plan keeps the place where a process will connect alive until it does: its
// DISPLAY is in the program's environment already.
type plan struct {
	station *WindowStation
	desktop *Desktop
}

// connectFailure is why a process can't be connected (PC-17, PC-18).
type connectFailure struct {
	object string      // what could not be had
	rule   string      // step of the algorithm
	code   win32.Errno // 2 missing, 5 denied, 3 bad name, 8 heap
}

func (f *connectFailure) reason() string {
	switch f.code {
	case win32.ERROR_FILE_NOT_FOUND:
		return "missing"
	case win32.ERROR_ACCESS_DENIED:
		return "denied"
	case win32.ERROR_NOT_ENOUGH_MEMORY:
		return "heap"
	}
	return f.code.Error()
}

func fail(obj, rule string, code win32.Errno) *connectFailure {
	return &connectFailure{object: obj, rule: rule, code: code}
}

// inheritedHandles lists the station and desktop handles that a new process
// got from its parent.
func inheritedHandles(t *object.Table) (stations, desktops []win32.Handle) {
	t.Each(func(h win32.Handle, e *object.Entry) bool {
		switch e.Object.(type) {
		case *WindowStation:
			stations = append(stations, h)
		case *Desktop:
			desktops = append(desktops, h)
		}
		return true
	})
	return stations, desktops
}

// stationForLocked finds the process's window station by PC-5 to PC-12; the
// first rule that applies decides. It may make the station of PC-12.
func (p *Process) stationForLocked(to *place) *connectFailure {
	s := p.session
	s.mu.AssertHeld()
	tok := p.Token()

	// PC-5: SetProcessWindowStation was called before.
	if p.station != nil {
		to.station, to.stationH = p.station, p.stationH
		return nil
	}
	lp := parseDesktop(p.spec.lpDesktop)
	if lp.bad != "" {
		return fail(*p.spec.lpDesktop, lp.bad, win32.ERROR_PATH_NOT_FOUND)
	}
	if p.spec.none {
		return fail(tok.LogonID().StationName(), "PC-12", win32.ERROR_ACCESS_DENIED)
	}

	// PC-6: the lowest inherited station handle, before lpDesktop. One of
	// another session is skipped (PC-7).
	for _, h := range p.spec.stations {
		e := p.handles.Get(h)
		if e == nil {
			continue
		}
		if w, ok := e.Object.(*WindowStation); ok && w.session == s && !w.dead {
			to.station, to.stationH, to.stationGranted = w, h, e.Granted
			return nil
		}
	}

	// PC-8: the parent's station, opened with our own token.
	if p.spec.lpDesktop == nil && p.spec.parentStation != "" {
		w, granted, code := s.openStationLocked(p.spec.parentStation, tok)
		if code == 0 {
			to.station, to.stationGranted = w, granted
			return nil
		}
		if p.spec.parentInteractive {
			return fail(p.spec.parentStation, "PC-8", code)
		}
	}

	// PC-10: lpDesktop names it. It is never made.
	if lp.station != "" {
		w, granted, code := s.openStationLocked(lp.station, tok)
		if code != 0 {
			return fail(lp.station, "PC-10", code)
		}
		to.station, to.stationGranted = w, granted
		return nil
	}

	// PC-11: the interactive user of this session. LocalSystem never is (PC-13).
	luid := tok.LogonID()
	if luid != security.SystemLUID && luid != 0 && luid == s.winsta0.logonID {
		w, granted, code := s.openStationLocked(interactiveName, tok)
		if code != 0 {
			return fail(interactiveName, "PC-11", code)
		}
		to.station, to.stationGranted = w, granted
		return nil
	}

	// PC-12: the station of the logon session, made by the system when it is
	// not there, and then opened with our own token (WS-49).
	name := luid.StationName()
	if s.lookupLocked(name) == nil {
		if err := s.makeServiceStationLocked(name, tok); err != nil {
			return fail(name, "PC-12", win32.Code(err))
		}
	}
	w, granted, code := s.openStationLocked(name, tok)
	if code != 0 {
		return fail(name, "PC-12", code)
	}
	to.station, to.stationGranted = w, granted
	return nil
}

// openStationLocked does what opening a station by name with MAXIMUM_ALLOWED
// does, without a handle.
func (s *Session) openStationLocked(name string, tok *security.Token) (*WindowStation, win32.AccessMask, win32.Errno) {
	w := s.lookupLocked(name)
	if w == nil {
		return nil, 0, win32.ERROR_FILE_NOT_FOUND
	}
	granted, err := checkAccess(tok, w, win32.MAXIMUM_ALLOWED)
	if err != nil {
		return nil, 0, win32.ERROR_ACCESS_DENIED
	}
	return w, granted, 0
}

// makeServiceStationLocked makes Service-0xHI-LO$ with its Default desktop
// (PC-12, WS-47, WS-48). Those of the three well-known accounts stay until the
// session ends (WS-45), others as long as somebody has a handle.
func (s *Session) makeServiceStationLocked(name string, tok *security.Token) error {
	if !s.usableLocked() {
		return win32.ERROR_SHUTDOWN_IN_PROGRESS
	}
	if s.stations.Len() >= s.engine.settings.MaxStations {
		return win32.ERROR_NOT_ENOUGH_MEMORY // WS-18
	}
	w := s.newStationLocked(name, serviceStationDescriptor(tok.User()), false)
	d, err := w.newDesktopLocked(DesktopOptions{Name: defaultName}, serviceDesktopDescriptor(tok.User()))
	if err != nil {
		w.unnameLocked()
		return err
	}
	d.Retain()
	w.auto = d
	switch tok.LogonID() {
	case security.SystemLUID, security.LocalServiceLUID, security.NetworkServiceLUID:
		w.held = true
		w.Retain()
	}
	return nil
}

// desktopForLocked finds the desktop of the process's first thread by TC-2.
// to.station is known.
func (p *Process) desktopForLocked(to *place, byParent bool) *connectFailure {
	w := to.station
	tok := p.Token()
	// (2) the lowest inherited desktop handle of this station; others are
	// ignored (TC-3).
	for _, h := range p.spec.desktops {
		e := p.handles.Get(h)
		if e == nil {
			continue
		}
		if d, ok := e.Object.(*Desktop); ok && d.station == w && !d.dead {
			to.desktop, to.desktopH, to.desktopGranted = d, h, e.Granted
			return nil
		}
	}
	lp := parseDesktop(p.spec.lpDesktop)
	name, rule := defaultName, "TC-5"
	switch {
	case byParent:
		name, rule = p.spec.parentDesktop, "TC-2" // (2) the parent's startup desktop
	case lp.desktop != "":
		name, rule = lp.desktop, "SD-9" // (3a)
	}
	path := w.name + `\` + name
	d := w.desktopLocked(name)
	if d == nil {
		return fail(path, rule, win32.ERROR_FILE_NOT_FOUND)
	}
	granted, err := checkAccess(tok, d, win32.MAXIMUM_ALLOWED)
	if err != nil {
		return fail(path, "TC-4", win32.ERROR_ACCESS_DENIED)
	}
	to.desktop, to.desktopGranted = d, granted
	return nil
}

// placeLocked finds station and desktop of an unconnected process.
func (p *Process) placeLocked() (place, *connectFailure) {
	var to place
	if f := p.stationForLocked(&to); f != nil {
		return to, f
	}
	// The station came from PC-8 when nothing before it applied and its name is
	// the parent's.
	byParent := p.station == nil && to.stationH == 0 && p.spec.lpDesktop == nil &&
		p.spec.parentDesktop != "" && object.Fold(to.station.name) == object.Fold(p.spec.parentStation)
	if f := p.desktopForLocked(&to, byParent); f != nil {
		p.undoStationLocked(&to)
		return to, f
	}
	return to, nil
}

// undoStationLocked lets a station that PC-12 made for nothing go again.
func (p *Process) undoStationLocked(to *place) {
	if w := to.station; w != nil && w.auto != nil && w.Handles() == 0 {
		w.unnameLocked()
	}
}

// makePlanLocked works out where the process will connect and holds that
// place. It also checks that a thread record fits there (DT-27).
func (p *Process) makePlanLocked() *connectFailure {
	to, f := p.placeLocked()
	if f != nil {
		return f
	}
	if !to.desktop.chargeLocked(chargeThread) {
		p.undoStationLocked(&to)
		return fail(to.desktop.Path(), "DT-27", win32.ERROR_NOT_ENOUGH_MEMORY)
	}
	to.desktop.refundLocked(chargeThread)
	to.station.Retain()
	to.desktop.Retain()
	p.plan = &plan{to.station, to.desktop}
	return nil
}

// dropPlanLocked lets the planned place go.
func (p *Process) dropPlanLocked() {
	if pl := p.plan; pl != nil {
		p.plan = nil
		p.session.laterLocked(func() {
			pl.desktop.Release()
			pl.station.Release()
		})
	}
}

// connectStationLocked gives the process its window station (PC-5 to PC-12),
// when it has none. The handle is not inheritable (PC-15).
func (p *Process) connectStationLocked(to *place) *connectFailure {
	if p.station != nil {
		to.station, to.stationH = p.station, p.stationH
		return nil
	}
	if f := p.stationForLocked(to); f != nil {
		return f
	}
	if to.stationH == 0 {
		h, err := p.handles.Insert(to.station, to.stationGranted, 0)
		if err != nil {
			p.undoStationLocked(to)
			return fail(to.station.name, "HND-10", win32.Code(err))
		}
		to.stationH = h
	}
	p.station, p.stationH = to.station, to.stationH
	return nil
}

// connectLocked connects the process to a station and the thread to a desktop,
// as far as they are not yet (PC-1, TC-1).
func (t *Thread) connectLocked() *connectFailure {
	p := t.process
	s := p.session
	s.mu.AssertHeld()
	if t.desktop != nil && p.station != nil && p.startup != nil {
		return nil
	}
	byParent := p.station == nil && p.spec.lpDesktop == nil && p.spec.parentDesktop != ""
	hadStation := p.station != nil
	var to place
	if f := p.connectStationLocked(&to); f != nil {
		return f
	}
	byParent = byParent && object.Fold(to.station.name) == object.Fold(p.spec.parentStation) &&
		!slices.Contains(p.spec.stations, to.stationH)
	switch {
	case p.startup != nil: // a later thread (DT-38)
	case t.desktop != nil: // TC-2 (1): it called SetThreadDesktop before
		p.startup, p.startupH = t.desktop, t.desktopH
	default:
		f := p.desktopForLocked(&to, byParent)
		if f == nil && to.desktopH == 0 {
			h, err := p.handles.Insert(to.desktop, to.desktopGranted, 0)
			if err != nil {
				f = fail(to.desktop.Path(), "HND-10", win32.Code(err))
			}
			to.desktopH = h
		}
		if f != nil {
			if !hadStation && !slices.Contains(p.spec.stations, p.stationH) {
				p.takeBackLocked(p.stationH)
			}
			if !hadStation {
				p.station, p.stationH = nil, 0
			}
			return f
		}
		p.startup, p.startupH = to.desktop, to.desktopH
	}
	if t.desktop == nil {
		if !p.startup.chargeLocked(chargeThread) {
			return fail(p.startup.Path(), "DT-27", win32.ERROR_NOT_ENOUGH_MEMORY)
		}
		t.desktop, t.desktopH = p.startup, p.startupH
		t.desktop.threads++
	}
	if p.plan != nil || !hadStation {
		p.dropPlanLocked()
		p.engine.publish(EventProcessConnect, s.id, "pid", pidText(p.pid), "station", p.station.name, "desktop", p.startup.name)
	}
	return nil
}

// takeBackLocked closes a handle that a failed connection made.
func (p *Process) takeBackLocked(h win32.Handle) {
	if e := p.handles.Remove(h); e != nil {
		p.session.laterLocked(e.Object.Head().Release)
	}
}

// reportLocked writes the event of a failed connection (PC-18, PRC-12).
func (p *Process) reportLocked(f *connectFailure) {
	if p.reported {
		return // a caller that goes on trying has been told about
	}
	p.reported = true
	p.engine.publish(EventConnectFailed, p.session.id, "pid", pidText(p.pid), "program", p.program, "object", f.object,
		"step", f.rule, "reason", f.reason(), "code", fmt.Sprint(uint32(f.code)), "user", p.Token().User().String())
}

// ensureLocked connects for a call that can't answer without (PC-2). When the
// process's first thread fails the process ends with STATUS_DLL_INIT_FAILED
// (PC-17); later threads only get the error (TC-4).
func (t *Thread) ensureLocked(op string) error {
	p := t.process
	first := p.startup == nil
	f := t.connectLocked()
	if f == nil {
		return nil
	}
	code := f.code
	rule := "TC-4"
	if first {
		rule = "PC-17"
		p.reportLocked(f)
		if p.host != nil && p.forced == nil {
			st := win32.STATUS_DLL_INIT_FAILED
			if p.session.ending {
				st = statusInitFailedLogoff
			}
			p.forced = &st
			p.session.laterLocked(func() { _ = p.host.Signal(9) }) // it ends by itself if that fails: it was told
		}
	}
	if code == win32.ERROR_PATH_NOT_FOUND {
		code = win32.ERROR_FILE_NOT_FOUND
	}
	return t.errorOf(op, f.object, code, rule)
}

// statusInitFailedLogoff is STATUS_DLL_INIT_FAILED_LOGOFF (PC-17).
const statusInitFailedLogoff uint32 = 0xC000026B

// Connect connects the process to its window station and the thread to its
// desktop, as the first USER call of a program does.
//
// Win32: IsGUIThread(TRUE). Rules: PC-1, PC-2, TC-1, TC-4.
func (t *Thread) Connect() error {
	const op = "IsGUIThread"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	return t.ensureLocked(op)
}

var errEnded = errors.New("the process has ended")
