// SPDX-License-Identifier: Apache-2.0

// Package object holds what every kernel-type object of the engine has: a
// header with its type, name, descriptor and handle count; the handle table of
// a process, which is read without a lock; and the directories that names live
// in. It knows nothing about window stations or processes.
//
// It may import win32, security, internal/lockrank and the standard library.
package object

import (
	"sync/atomic"

	"stationmaster/security"
	"stationmaster/win32"
)

// Kind is a type of object: what it is called and which rights it knows.
type Kind struct {
	Name    string            // as the object tree shows it, such as "Desktop"
	Mapping *security.Mapping // generic mapping of the type
	Valid   win32.AccessMask  // every right a handle of the type may carry
	// Synchronize says that SYNCHRONIZE may be asked for (AR-2: not for
	// stations and desktops).
	Synchronize bool
}

// Object is anything a handle or a directory entry can refer to.
type Object interface {
	Head() *Header
}

// Header is the part every object has. It is embedded in the object and set up
// once by Init.
type Header struct {
	kind *Kind                               // immutable
	name string                              // immutable; empty for an unnamed object
	last func()                              // immutable; may be nil
	sd   atomic.Pointer[security.Descriptor] // replaced whole, never edited
	refs atomic.Int64                        // handles, and holds that count like one
	keep atomic.Bool                         // it stays without handles; a hold of its own
}

// Init sets the header up. last is called each time the number of handles
// falls to zero, with no lock held by this package; an object that can be
// opened by name must look again under its own lock, since a name can be
// opened while the last handle is on its way out.
func (h *Header) Init(kind *Kind, name string, sd *security.Descriptor, last func()) {
	h.kind, h.name, h.last = kind, name, last
	h.sd.Store(sd)
}

// OnLast sets or replaces the last function of Init. It must be called before
// anybody else knows the object.
func (h *Header) OnLast(last func()) { h.last = last }

// Head lets a type that embeds a Header be an Object.
func (h *Header) Head() *Header { return h }

// Kind gives the object's type.
func (h *Header) Kind() *Kind { return h.kind }

// ObjectName gives the object's own name, without its directory.
func (h *Header) ObjectName() string { return h.name }

// Descriptor gives the object's security descriptor.
func (h *Header) Descriptor() *security.Descriptor { return h.sd.Load() }

// SetDescriptor replaces the descriptor; open handles keep their rights.
func (h *Header) SetDescriptor(sd *security.Descriptor) { h.sd.Store(sd) }

// ReplaceDescriptor is SetDescriptor, unless the descriptor is not old any more.
func (h *Header) ReplaceDescriptor(old, sd *security.Descriptor) bool {
	return h.sd.CompareAndSwap(old, sd)
}

// Retain counts one more handle, or one more hold that keeps the object like one.
func (h *Header) Retain() { h.refs.Add(1) }

// Release counts one handle less and runs the object's last function when it
// was the last. The caller holds no lock.
func (h *Header) Release() {
	n := h.refs.Add(-1)
	switch {
	case n < 0:
		panic("object: more handles of " + h.kind.Name + " " + h.name + " released than taken")
	case n == 0 && h.last != nil:
		h.last()
	}
}

// SetPermanent says whether the object stays when its last handle goes
// (OBJ-10). The caller has a handle and holds no lock.
func (h *Header) SetPermanent(on bool) {
	switch {
	case on && h.keep.CompareAndSwap(false, true):
		h.Retain()
	case !on && h.keep.CompareAndSwap(true, false):
		h.Release()
	}
}

// Permanent reports whether SetPermanent said so.
func (h *Header) Permanent() bool { return h.keep.Load() }

// Handles gives the number of handles and holds.
func (h *Header) Handles() int64 { return h.refs.Load() }
