// SPDX-License-Identifier: Apache-2.0

package object

import (
	"math/bits"
	"sync/atomic"

	"stationmaster/internal/lockrank"
	"stationmaster/win32"
)

// Entry is what a handle stands for. It is immutable: changing the flags of a
// handle replaces its entry.
type Entry struct {
	Object  Object
	Granted win32.AccessMask
	Flags   uint32 // HANDLE_FLAG_INHERIT, HANDLE_FLAG_PROTECT_FROM_CLOSE
}

const (
	pageSlots = 256
	pageWords = pageSlots / 64
)

type page struct {
	slots [pageSlots]atomic.Pointer[Entry]
	used  [pageWords]uint64 // bit set: slot taken; guarded by Table.mu
	count int               // slots taken; guarded by Table.mu
}

// Table is the handle table of one process. Values are multiples of 4 from 4
// on, lowest free first, and the two low bits of a value are ignored (HND-1).
// Get reads without a lock; changes are made under one.
//
// A value h is slot h/4-1, slot n is in page n/256:
//
//	h = 4·(slot+1)      page = slot >> 8      index = slot & 255
type Table struct {
	pages atomic.Pointer[[]*page] // replaced whole when it grows

	mu     lockrank.Mutex
	max    int    // immutable
	quota  *Quota // immutable after Share; nil: none
	count  int    // guarded by mu
	hint   int    // guarded by mu: no page below it has a free slot
	closed bool   // guarded by mu: the process is gone, nothing may be added
}

// Init sets the table up for at most max handles.
func (t *Table) Init(max int) {
	t.mu.Init(lockrank.Object, 0)
	t.max = max
	t.pages.Store(new([]*page))
}

// Quota bounds the handles of several tables together.
type Quota struct {
	max   int64 // immutable
	count atomic.Int64
}

// NewQuota makes a quota of max handles.
func NewQuota(max int) *Quota { return &Quota{max: int64(max)} }

// Count gives how many handles the tables have.
func (q *Quota) Count() int { return int(q.count.Load()) }

// Share lets a table that is still empty and not shared count against a quota.
func (t *Table) Share(q *Quota) { t.quota = q }

// Get gives what a handle stands for, or nil. It takes no lock.
func (t *Table) Get(h win32.Handle) *Entry {
	slot := int(h>>2) - 1
	pages := *t.pages.Load()
	if p := slot >> 8; slot >= 0 && p < len(pages) {
		return pages[p].slots[slot&(pageSlots-1)].Load()
	}
	return nil
}

// Insert adds a handle and counts it on the object. It fails with 1816 when
// the table or its quota is full and with 6 when the table was closed (HND-10).
func (t *Table) Insert(o Object, granted win32.AccessMask, flags uint32) (win32.Handle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, win32.ERROR_INVALID_HANDLE
	}
	if t.count >= t.max || t.quota != nil && t.quota.count.Load() >= t.quota.max {
		return 0, win32.ERROR_NOT_ENOUGH_QUOTA
	}
	pages := *t.pages.Load()
	for n := t.hint; ; n++ {
		if n == len(pages) {
			grown := append(pages[:n:n], new(page))
			t.pages.Store(&grown)
			pages = grown
		}
		p := pages[n]
		if p.count == pageSlots {
			continue
		}
		t.hint = n
		for w := range p.used {
			if p.used[w] == ^uint64(0) {
				continue
			}
			i := w*64 + bits.TrailingZeros64(^p.used[w])
			t.putLocked(p, i, &Entry{Object: o, Granted: granted, Flags: flags})
			o.Head().Retain()
			return win32.Handle(n*pageSlots+i+1) << 2, nil
		}
	}
}

func (t *Table) putLocked(p *page, i int, e *Entry) {
	t.mu.AssertHeld()
	p.used[i/64] |= 1 << (i % 64)
	p.count++
	t.count++
	if t.quota != nil {
		t.quota.count.Add(1)
	}
	p.slots[i].Store(e)
}

// Acquire gives what a handle stands for and counts one more handle on the
// object, so that it can't be destroyed while the caller passes it on. The
// caller releases it.
func (t *Table) Acquire(h win32.Handle) *Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.Get(h)
	if e != nil {
		e.Object.Head().Retain()
	}
	return e
}

// Remove takes a handle out and gives what it stood for; it is nil when there
// was no such handle. The caller releases the object when it holds no lock.
func (t *Table) Remove(h win32.Handle) *Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.Get(h)
	if e == nil {
		return nil
	}
	slot := int(h>>2) - 1
	n, i := slot>>8, slot&(pageSlots-1)
	p := (*t.pages.Load())[n]
	p.slots[i].Store(nil)
	p.used[i/64] &^= 1 << (i % 64)
	p.count--
	t.count--
	if t.quota != nil {
		t.quota.count.Add(-1)
	}
	t.hint = min(t.hint, n)
	return e
}

// SetFlags sets the flags in mask to those of flags and reports whether the
// handle exists.
func (t *Table) SetFlags(h win32.Handle, mask, flags uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.Get(h)
	if e == nil {
		return false
	}
	changed := *e
	changed.Flags = e.Flags&^mask | flags&mask
	slot := int(h>>2) - 1
	(*t.pages.Load())[slot>>8].slots[slot&(pageSlots-1)].Store(&changed)
	return true
}

// Each calls f for every handle in ascending order until it returns false. It
// takes no lock; handles that come or go meanwhile may be missed.
func (t *Table) Each(f func(h win32.Handle, e *Entry) bool) {
	for n, p := range *t.pages.Load() {
		for i := range p.slots {
			if e := p.slots[i].Load(); e != nil && !f(win32.Handle(n*pageSlots+i+1)<<2, e) {
				return
			}
		}
	}
}

// Len gives the number of handles.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Inherit copies the inheritable handles of parent into t, which must be new
// and not yet shared: same value, same rights, same flags (HND-4). They count
// against t's quota, also beyond it.
func (t *Table) Inherit(parent *Table) {
	type handle struct {
		slot int
		e    *Entry
	}
	var list []handle
	parent.mu.Lock()
	parent.Each(func(h win32.Handle, e *Entry) bool {
		if e.Flags&win32.HANDLE_FLAG_INHERIT != 0 {
			e.Object.Head().Retain()
			list = append(list, handle{int(h>>2) - 1, e})
		}
		return true
	})
	parent.mu.Unlock()

	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range list {
		pages := *t.pages.Load()
		for len(pages) <= l.slot>>8 {
			pages = append(pages[:len(pages):len(pages)], new(page))
		}
		t.pages.Store(&pages)
		t.putLocked(pages[l.slot>>8], l.slot&(pageSlots-1), l.e)
	}
}

// Close takes every handle out and refuses new ones from now on. The caller
// releases the objects of the entries it gets when it holds no lock.
func (t *Table) Close() []*Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*Entry
	t.Each(func(_ win32.Handle, e *Entry) bool {
		all = append(all, e)
		return true
	})
	if t.quota != nil {
		t.quota.count.Add(-int64(t.count))
	}
	t.pages.Store(new([]*page))
	t.closed, t.count, t.hint = true, 0, 0
	return all
}
