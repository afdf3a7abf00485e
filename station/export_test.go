// SPDX-License-Identifier: Apache-2.0

package station

import (
	"unsafe"

	"stationmaster/win32"
)

// OwnWindows lets a test say how many windows and hooks a thread owns, without
// making any.
func (t *Thread) OwnWindows(windows, hooks int) {
	t.process.session.mu.Lock()
	defer t.process.session.mu.Unlock()
	t.windows, t.hooks = windows, hooks
}

// Threads gives the number of thread records on a desktop.
func (d *Desktop) Threads() int {
	d.station.session.mu.Lock()
	defer d.station.session.mu.Unlock()
	return d.threads
}

// HeapTotalKB gives the sum of the session's desktop heaps.
func (s *Session) HeapTotalKB() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heapKB
}

// HeapProfile reads a setting of DT-23.
func HeapProfile(setting string) (shared, interactive, nonInteractive, winlogon, disconnect, total uint32, err error) {
	p, err := parseHeap(setting, 0)
	return p.shared, p.interactive, p.nonInteractive, p.winlogon, p.disconnect, p.sessionTotal, err
}

// LookupHandle is the handle look-up of every call, for the benchmark.
func (t *Thread) LookupHandle(h win32.Handle, need win32.AccessMask) bool {
	e := t.process.handles.Get(h)
	return e != nil && e.Granted.Has(need)
}

// LookupName finds the object of a name as every call by name does.
func (t *Thread) LookupName(name string) bool {
	at, err := t.spotOf("test", name)
	if err != nil {
		return false
	}
	o, err := t.find("test", at)
	if err != nil {
		return false
	}
	o.Head().Release()
	return true
}

// Payload gives the bytes that messages and clipboards of a session hold.
func (e *Engine) Payload(s *Session) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ui.payload
}

// WindowRecordSize is the size of a window in its table.
const WindowRecordSize = unsafe.Sizeof(userRecord{})
