// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// CreateWindowStation creates a window station of the caller's session, or
// opens an existing one; existed says which. An empty name means the one of
// the caller's logon session. A station that is created is not made the
// process's.
//
// Win32: CreateWindowStation. Rules: WS-10 to WS-29.
func (t *Thread) CreateWindowStation(name string, flags uint32, desired win32.AccessMask, sa *SecurityAttributes) (h win32.Handle, existed bool, err error) {
	const op = "CreateWindowStation"
	p := t.process
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, false, err
	}
	tok := t.EffectiveToken()
	if flags&^win32.CWF_CREATE_ONLY != 0 {
		return 0, false, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "WS-20")
	}
	if code := checkName(name, win32.ERROR_PATH_NOT_FOUND); code != 0 {
		return 0, false, t.errorOf(op, name, code, "WS-11")
	}
	own := tok.LogonID().StationName()
	auto := name == ""
	if auto {
		name = own
	}
	if sa == nil {
		sa = &SecurityAttributes{}
	}

	if w := s.lookupLocked(name); w != nil {
		if flags&win32.CWF_CREATE_ONLY != 0 {
			return 0, true, t.errorOf(op, name, win32.ERROR_ALREADY_EXISTS, "WS-21")
		}
		granted, err := t.open(op, name, w, desired, "WS-22")
		if err != nil {
			return 0, true, err
		}
		h, err := t.insert(op, name, w, granted, sa.Inherit)
		return h, true, err
	}

	switch {
	case !auto && !tok.IsAdministrator():
		return 0, false, t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "WS-15", "only administrators give a new window station a name")
	case isServiceName(name) && !sameName(name, own) && !tok.IsSystem():
		return 0, false, t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "WS-16", "the name belongs to another logon session")
	case tok.Type() == security.TokenImpersonation && tok.Level() < security.SecurityImpersonation:
		return 0, false, t.Refuse(op, name, win32.ERROR_BAD_IMPERSONATION_LEVEL, "SE-27", "the impersonation level is too low")
	case !s.usableLocked():
		return 0, false, t.errorOf(op, name, win32.ERROR_SHUTDOWN_IN_PROGRESS, "LGN-20")
	case s.stations.Len() >= s.engine.settings.MaxStations:
		return 0, false, t.errorOf(op, name, win32.ERROR_NOT_ENOUGH_MEMORY, "WS-18")
	}
	granted, code := creationAccess(tok, stationKind, desired, stationKind.Mapping.All)
	if code != 0 {
		return 0, false, t.Refuse(op, name, code, "WS-24", "a right that no window station has")
	}
	var sd *security.Descriptor
	if auto && sa.Descriptor == nil {
		sd = serviceStationDescriptor(tok.User()) // WS-29
	} else if sd, err = security.Assign(nil, sa.Descriptor, tok, true, stationKind.Mapping, 0); err != nil {
		return 0, false, t.errorOf(op, name, win32.Code(err), "WS-27")
	}
	w := s.newStationLocked(name, sd, false)
	if h, err = t.insert(op, name, w, granted, sa.Inherit); err != nil {
		w.unnameLocked()
		return 0, false, err
	}
	return h, false, nil
}

// insert gives the process a handle.
func (t *Thread) insert(op, name string, o object.Object, granted win32.AccessMask, inherit bool) (win32.Handle, error) {
	flags := uint32(0)
	if inherit {
		flags = win32.HANDLE_FLAG_INHERIT
	}
	h, err := t.process.handles.Insert(o, granted, flags)
	if err != nil {
		return 0, t.errorOf(op, name, win32.Code(err), "HND-10")
	}
	return h, nil
}

// OpenWindowStation opens a window station of the caller's session. An empty
// name means the one of the caller's logon session.
//
// Win32: OpenWindowStation. Rules: WS-2, WS-11, WS-14, WS-30.
func (t *Thread) OpenWindowStation(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	const op = "OpenWindowStation"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, err
	}
	if code := checkName(name, win32.ERROR_PATH_NOT_FOUND); code != 0 {
		return 0, t.errorOf(op, name, code, "WS-11")
	}
	if name == "" || sameName(name, ownStationAlias) {
		name = t.EffectiveToken().LogonID().StationName()
	}
	w := s.lookupLocked(name)
	if w == nil {
		return 0, t.errorOf(op, name, win32.ERROR_FILE_NOT_FOUND, "WS-30")
	}
	granted, err := t.open(op, name, w, desired, "WS-30")
	if err != nil {
		return 0, err
	}
	return t.insert(op, name, w, granted, inherit)
}

// CloseWindowStation closes a window-station handle. That of the process's own
// station is refused.
//
// Win32: CloseWindowStation. Rules: WS-37, WS-39, WS-40, HN-3.
func (t *Thread) CloseWindowStation(h win32.Handle) error {
	const op = "CloseWindowStation"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, _, err := t.stationHandle(op, h, "WS-39"); err != nil {
		return err
	}
	if t.process.inUseLocked(h) != "" {
		return t.errorOf(op, handleText(h), win32.ERROR_ACCESS_DENIED, "WS-37")
	}
	return t.closeLocked(op, h)
}

// closeLocked closes a handle that is not in use, unless it is protected.
func (t *Thread) closeLocked(op string, h win32.Handle) error {
	p := t.process
	e := p.handles.Get(h)
	if e == nil {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "HND-3")
	}
	if e.Flags&win32.HANDLE_FLAG_PROTECT_FROM_CLOSE != 0 {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "HND-2")
	}
	p.takeBackLocked(h)
	return nil
}

// EnumWindowStations gives the names of the session's stations in which the
// caller's token is granted WINSTA_ENUMERATE, in the order they were made. No
// station at all is an error, 2.
//
// Win32: EnumWindowStations. Rules: WS-31.
func (t *Thread) EnumWindowStations() ([]string, error) {
	const op = "EnumWindowStations"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return nil, err
	}
	tok := t.EffectiveToken()
	var names []string
	for _, w := range s.Stations() {
		if _, err := checkAccess(tok, w, win32.WINSTA_ENUMERATE); err == nil {
			names = append(names, w.name)
		}
	}
	if len(names) == 0 {
		return nil, t.errorOf(op, "", win32.ERROR_FILE_NOT_FOUND, "WS-31")
	}
	return names, nil
}

// ProcessWindowStation gives the handle of the process's window station: the
// same value each time, not to be closed. A process without one is connected
// first.
//
// Win32: GetProcessWindowStation. Rules: WS-33, PC-2.
func (t *Thread) ProcessWindowStation() (win32.Handle, error) {
	const op = "GetProcessWindowStation"
	p := t.process
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, err
	}
	if p.station == nil {
		if err := t.ensureLocked(op); err != nil {
			return 0, err
		}
	}
	return p.stationH, nil
}

// SetProcessWindowStation makes a window station the process's. The threads'
// desktops stay as they are, and the handle used before becomes closable.
//
// Win32: SetProcessWindowStation. Rules: WS-34, WS-35, WS-36.
func (t *Thread) SetProcessWindowStation(h win32.Handle) error {
	const op = "SetProcessWindowStation"
	p := t.process
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	w, _, err := t.stationHandle(op, h, "WS-34")
	if err != nil {
		return err
	}
	if w.session != s {
		return t.Refuse(op, w.Path(), win32.ERROR_ACCESS_DENIED, "WS-34", "the window station belongs to another session")
	}
	if w.dead {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	p.station, p.stationH = w, h&^3
	return nil
}
