// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// event is a flag that can be waited for. An auto-reset event lets one wait
// go and is reset by that.
type event struct {
	named
	gate   object.Gate
	manual bool // immutable

	set bool // guarded by gate
}

// Signaled implements object.Signal.
func (e *event) Signaled(*object.Owner) bool { return e.set }

// Consume implements object.Signal.
func (e *event) Consume(*object.Owner) bool {
	if !e.manual {
		e.set = false
	}
	return false
}

func (e *event) waitGate() *object.Gate { return &e.gate }

// Facts implements Described.
func (e *event) Facts() []Fact {
	var set bool
	e.gate.View(func() { set = e.set })
	return facts("manual", e.manual, "signaled", set)
}

// CreateEvent creates an event or opens the one of that name; existed says
// which. A manual event stays signaled until it is reset.
//
// Win32: CreateEvent, CreateEventEx. Rules: OBJ-5 to OBJ-9, SYN-5.
func (t *Thread) CreateEvent(o NamedOptions, manual, initial bool) (h win32.Handle, existed bool, err error) {
	return t.createNamed("CreateEvent", eventKind, o, func(at spot, sd *security.Descriptor) (object.Object, error) {
		e := &event{manual: manual, set: initial}
		e.gate.InitGate(e)
		e.named.set(eventKind, at, sd, e, nil)
		return e, nil
	})
}

// OpenEvent opens an event by name.
//
// Win32: OpenEvent. Rules: OBJ-17, SE-50c.
func (t *Thread) OpenEvent(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openNamed("OpenEvent", eventKind, name, desired, inherit)
}

// SetEvent makes an event signaled. The handle needs EVENT_MODIFY_STATE.
//
// Win32: SetEvent. Rules: SYN-5.
func (t *Thread) SetEvent(h win32.Handle) error {
	e, err := objectOfType[*event](t, "SetEvent", h, win32.EVENT_MODIFY_STATE, "SYN-5")
	if err != nil {
		return err
	}
	return e.gate.Change(e.signal)
}

func (e *event) signal() error {
	e.set = true
	return nil
}

// ResetEvent makes an event nonsignaled. The handle needs EVENT_MODIFY_STATE.
//
// Win32: ResetEvent. Rules: SYN-5.
func (t *Thread) ResetEvent(h win32.Handle) error {
	e, err := objectOfType[*event](t, "ResetEvent", h, win32.EVENT_MODIFY_STATE, "SYN-5")
	if err != nil {
		return err
	}
	e.gate.View(func() { e.set = false })
	return nil
}

// PulseEvent lets those go who wait now, all of a manual event and one of an
// auto-reset one, and leaves it nonsignaled. The handle needs
// EVENT_MODIFY_STATE.
//
// Win32: PulseEvent. Rules: SYN-5.
func (t *Thread) PulseEvent(h win32.Handle) error {
	e, err := objectOfType[*event](t, "PulseEvent", h, win32.EVENT_MODIFY_STATE, "SYN-5")
	if err != nil {
		return err
	}
	e.gate.Pulse(func() { e.set = true }, func() { e.set = false })
	return nil
}
