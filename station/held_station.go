// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/security"
	"stationmaster/win32"
)

// CreateHeldStation makes a named window station in a session and lets the
// session manager hold it until the session ends. owner is the token it is
// made for: its descriptor is what that token's CreateWindowStation would give.
// Whether the caller may is for the caller of this to check.
//
// Rules: WS-11, WS-18, WS-26, WS-45.
func (e *Engine) CreateHeldStation(s *Session, name string, owner *security.Token) (*WindowStation, error) {
	const op = "CreateWindowStation"
	fail := func(code win32.Errno, rule string) (*WindowStation, error) {
		return nil, &win32.Error{Op: op, Object: name, Code: code, Rule: rule}
	}
	if name == "" {
		return fail(win32.ERROR_INVALID_NAME, "WS-11")
	}
	if code := checkName(name, win32.ERROR_PATH_NOT_FOUND); code != 0 {
		return fail(code, "WS-11")
	}
	s.mu.Lock()
	defer s.unlock()
	switch {
	case s.lookupLocked(name) != nil:
		return fail(win32.ERROR_ALREADY_EXISTS, "WS-21")
	case isServiceName(name):
		return fail(win32.ERROR_ACCESS_DENIED, "WS-16")
	case !s.usableLocked():
		return fail(win32.ERROR_SHUTDOWN_IN_PROGRESS, "LGN-20")
	case s.stations.Len() >= e.settings.MaxStations:
		return fail(win32.ERROR_NOT_ENOUGH_MEMORY, "WS-18")
	}
	sd, err := security.Assign(nil, nil, owner, true, stationKind.Mapping, 0)
	if err != nil {
		return fail(win32.Code(err), "WS-27")
	}
	w := s.newStationLocked(name, sd, false)
	w.held = true
	w.Retain()
	return w, nil
}

// Users gives the number of threads assigned to the desktop, and of processes
// whose first desktop it is.
func (d *Desktop) Users() (threads, processes uint32) {
	s := d.station.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.procs {
		if p.startup == d || p.startup == nil && p.plan != nil && p.plan.desktop == d {
			processes++
		}
	}
	return uint32(d.threads), processes
}
