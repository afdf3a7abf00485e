// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// mutex belongs to one thread at a time, which may take it again and again.
type mutex struct {
	named
	gate object.Gate

	// All guarded by gate.
	owner     *object.Owner // nil: free
	count     uint32        // how often the owner took it
	abandoned bool          // its owner ended without giving it back (SYN-8)
	closed    bool          // nobody has a handle any more
}

// Signaled implements object.Signal.
func (m *mutex) Signaled(o *object.Owner) bool { return m.owner == nil || m.owner == o }

// Consume implements object.Signal.
func (m *mutex) Consume(o *object.Owner) (abandoned bool) {
	if m.owner == nil {
		m.owner = o
		o.AddLocked(m)
	}
	m.count++
	abandoned, m.abandoned = m.abandoned, false
	return abandoned
}

// Abandon implements object.Owned: the thread that owns the mutex has ended.
func (m *mutex) Abandon(o *object.Owner) {
	_ = m.gate.Change(func() error { // it fails with nothing
		if m.owner == o {
			m.owner, m.count, m.abandoned = nil, 0, true
		}
		return nil
	})
}

func (m *mutex) waitGate() *object.Gate { return &m.gate }

// Facts implements Described.
func (m *mutex) Facts() []Fact {
	var owned, abandoned bool
	var count uint32
	m.gate.View(func() { owned, count, abandoned = m.owner != nil, m.count, m.abandoned })
	return facts("owned", owned, "count", count, "abandoned", abandoned)
}

// releaseLocked gives the mutex back once.
func (m *mutex) releaseLocked(o *object.Owner) win32.Errno {
	if m.owner != o {
		return win32.ERROR_NOT_OWNER
	}
	if m.count--; m.count == 0 {
		m.owner = nil
		o.Drop(m)
	}
	return 0
}

// CreateMutex creates a mutex or opens the one of that name; existed says
// which. With owned the calling thread owns a new one; of one that existed it
// says nothing.
//
// Win32: CreateMutex, CreateMutexEx. Rules: OBJ-5 to OBJ-9, SYN-6.
func (t *Thread) CreateMutex(o NamedOptions, owned bool) (h win32.Handle, existed bool, err error) {
	return t.createNamed("CreateMutex", mutexKind, o, func(at spot, sd *security.Descriptor) (object.Object, error) {
		m := &mutex{}
		m.gate.InitGate(m)
		m.named.set(mutexKind, at, sd, m, func() {
			m.gate.View(func() { m.closed = true })
			m.settle()
		})
		if owned {
			// Before anybody else knows it.
			if !t.owner.Take(m) {
				return nil, t.alive("CreateMutex")
			}
			m.owner, m.count = &t.owner, 1
		}
		return m, nil
	})
}

// settle lets the owner forget a mutex that nobody can see any more: no handle
// and nobody who waits.
func (m *mutex) settle() {
	waiting := m.gate.Waiting()
	m.gate.View(func() {
		if m.closed && !waiting && m.owner != nil {
			m.owner.Drop(m)
			m.owner, m.count = nil, 0
		}
	})
}

// OpenMutex opens a mutex by name.
//
// Win32: OpenMutex. Rules: OBJ-17, SE-50c, SYN-7.
func (t *Thread) OpenMutex(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openNamed("OpenMutex", mutexKind, name, desired, inherit)
}

// ReleaseMutex gives a mutex back that the calling thread owns, once. No right
// is needed.
//
// Win32: ReleaseMutex. Rules: SYN-6.
func (t *Thread) ReleaseMutex(h win32.Handle) error {
	const op = "ReleaseMutex"
	m, err := objectOfType[*mutex](t, op, h, 0, "SYN-6")
	if err != nil {
		return err
	}
	return m.gate.Change(func() error {
		if code := m.releaseLocked(&t.owner); code != 0 {
			return t.errorOf(op, nameOfObject(m), code, "SYN-6")
		}
		return nil
	})
}
