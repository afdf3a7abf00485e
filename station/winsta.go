// SPDX-License-Identifier: Apache-2.0

package station

import (
	"slices"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// WindowStation is a securable collection of desktops inside one session, with
// the session's clipboard and atoms for the programs connected to it (WS-1).
type WindowStation struct {
	object.Header

	session     *Session // immutable
	name        string   // immutable, as first given (WS-10)
	interactive bool     // immutable: WinSta0; WSF_VISIBLE (WS-5)

	// All guarded by session.mu.
	desktops map[string]*Desktop // by folded name
	order    []*Desktop          // creation order
	userSID  security.SID        // of the logon associated with the station (WS-7)
	logonID  security.LUID       // its LUID, 0 for none
	active   *Desktop            // interactive only: has the session's input
	app      *Desktop            // interactive only: active when no secure desktop is shown
	named    bool                // found by name; false once the last handle closed (WS-42)
	dead     bool                // the session is deleted: every operation fails with 6 (WS-45)
	held     bool                // kept by the session manager until the session ends
	atoms    atomTable           // global atoms (AT-1)
	clip     clipboard
	auto     *Desktop // the Default desktop that PC-12 made with the station, held for its life
}

// newStationLocked makes a station and gives it its name.
func (s *Session) newStationLocked(name string, sd *security.Descriptor, interactive bool) *WindowStation {
	s.mu.AssertHeld()
	w := &WindowStation{session: s, name: name, interactive: interactive, named: true, desktops: make(map[string]*Desktop)}
	kind := stationKind
	if interactive {
		kind = interactiveStationKind
	}
	w.Header.Init(kind, name, sd, w.lastClosed)
	if !s.stations.Add(w) {
		panic("station: " + name + " is made twice")
	}
	s.engine.publish(EventStationCreate, s.id, "station", name)
	return w
}

// lookupLocked gives a station by name.
func (s *Session) lookupLocked(name string) *WindowStation {
	s.mu.AssertHeld()
	if o, ok := s.stations.Lookup(name); ok {
		return o.(*WindowStation)
	}
	return nil
}

// lastClosed runs when the last handle was closed: the name disappears at once
// (WS-42). Desktops that are still open keep working without it (WS-43).
func (w *WindowStation) lastClosed() {
	s := w.session
	s.mu.Lock()
	defer s.unlock()
	if w.Handles() > 0 {
		return // opened again by name meanwhile
	}
	w.unnameLocked()
}

func (w *WindowStation) unnameLocked() {
	s := w.session
	s.mu.AssertHeld()
	if !w.named {
		return
	}
	w.named = false
	w.clip.clearLocked(s) // WS-44
	w.atoms = atomTable{}
	s.stations.Remove(w)
	if d := w.auto; d != nil {
		w.auto = nil
		s.laterLocked(d.Release)
	}
	s.engine.publish(EventStationClose, s.id, "station", w.name)
}

// desktopLocked gives a desktop by name, ScreenSaver included (DT-5).
func (w *WindowStation) desktopLocked(name string) *Desktop {
	w.session.mu.AssertHeld()
	key := object.Fold(name)
	d := w.desktops[key]
	if d == nil && w.interactive && key == foldedAlias {
		d = w.desktops[object.Fold(screenSaverName)]
	}
	return d
}

var foldedAlias = object.Fold(screenSaverAlias)

// Name gives the station's name, as first given.
func (w *WindowStation) Name() string { return w.name }

// Session gives the session the station belongs to.
func (w *WindowStation) Session() *Session { return w.session }

// Interactive reports whether the station is WinSta0, the one with keyboard,
// mouse and display (WS-4).
func (w *WindowStation) Interactive() bool { return w.interactive }

// Desktops gives the desktops in the order they were made.
func (w *WindowStation) Desktops() []*Desktop {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	return slices.Clone(w.order)
}

// Desktop gives a desktop by name, without regard to case.
func (w *WindowStation) Desktop(name string) (*Desktop, bool) {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	d := w.desktopLocked(name)
	return d, d != nil
}

// UserSID gives the SID of the user associated with the station (WS-7); it is
// zero for a station without one.
func (w *WindowStation) UserSID() security.SID {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	return w.userSID
}

// Path gives the station's place in the object tree (WS-2).
func (w *WindowStation) Path() string {
	if w.session.id == 0 {
		return `\Windows\WindowStations\` + w.name
	}
	return `\Sessions\` + w.session.ObjectName() + `\Windows\WindowStations\` + w.name
}

// flagsLocked gives what UOI_FLAGS reports.
func (w *WindowStation) flagsLocked() uint32 {
	if w.interactive {
		return win32.WSF_VISIBLE
	}
	return 0
}
