// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/win32"
)

// What subsystems (the service manager, winlogon) need of the engine: handles
// to objects of their own in their callers' tables, signals to processes they
// started, and the surface that a logon asks for.

// InsertObject gives the calling process a handle to a subsystem's object.
func (t *Thread) InsertObject(o object.Object, granted win32.AccessMask, inherit bool) (win32.Handle, error) {
	flags := uint32(0)
	if inherit {
		flags = win32.HANDLE_FLAG_INHERIT
	}
	h, err := t.process.handles.Insert(o, granted, flags)
	if err != nil {
		return 0, t.errorOf("InsertObject", o.Head().Kind().Name, win32.Code(err), "HND-10")
	}
	return h, nil
}

// ObjectHandle gives a subsystem's object behind a handle that must have the
// rights in need. It fails with 6 for a handle that is not open or of another
// kind, and with 5, audited, when the handle lacks a right.
func (t *Thread) ObjectHandle(op string, h win32.Handle, kind *object.Kind, need win32.AccessMask, rule string) (object.Object, error) {
	e := t.process.handles.Get(h)
	if e == nil || e.Object.Head().Kind() != kind {
		return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
	}
	if !e.Granted.Has(need) {
		return nil, t.refuseRight(op, e.Object.Head().ObjectName(), need, e.Granted, rule)
	}
	return e.Object, nil
}

// SignalProcess sends a Linux signal to a process, for the session manager. A
// process that the engine did not start is 50.
func (e *Engine) SignalProcess(p *Process, signal int) error {
	if p.host == nil {
		return win32.ERROR_NOT_SUPPORTED
	}
	return p.host.Signal(signal)
}

// ChooseSurface says what the Default desktop of a session is to draw on from
// its next surface on: kind as in SurfaceSpec, width and height in pixels, 0
// for the default. A surface it has already stays.
func (e *Engine) ChooseSurface(s *Session, kind string, width, height int) {
	s.mu.Lock()
	defer s.unlock()
	if d := s.winsta0.desktopLocked(defaultName); d != nil {
		d.kind, d.width, d.height = kind, width, height
	}
}
