// SPDX-License-Identifier: Apache-2.0

//go:build lockdep

package lockrank

import (
	"fmt"
	"runtime"
	"sync"
)

// Checked reports whether this build checks the lock order.
const Checked = true

// Mutex is a mutual exclusion lock with a rank. Init gives it its rank.
type Mutex struct {
	mu    sync.Mutex
	rank  Rank
	order uint64
}

// held maps a goroutine to the locks it holds, in the order they were taken.
var held struct {
	mu sync.Mutex
	by map[uint64][]*Mutex
}

// goroutine gives the number of the calling goroutine. It reads it from the
// first line of a stack trace, which is slow and good enough for a test build.
func goroutine() uint64 {
	var buf [64]byte
	n := runtime.Stack(buf[:], false)
	var id uint64
	for _, c := range buf[len("goroutine "):n] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	return id
}

// Init gives the lock its rank and, for locks of which several may be held,
// its order among those of the same rank. It must be called before first use.
func (m *Mutex) Init(rank Rank, order uint64) { m.rank, m.order = rank, order }

// Lock locks m and panics when that breaks the lock order.
func (m *Mutex) Lock() {
	if m.rank == 0 {
		panic("lockrank: Lock of a mutex without a rank")
	}
	g := goroutine()
	held.mu.Lock()
	for _, h := range held.by[g] {
		ascending := h.rank == m.rank && (m.rank == Session || m.rank == Dispatch) && h.order < m.order
		if h == m {
			held.mu.Unlock()
			panic(fmt.Sprintf("lockrank: %v lock %d taken twice by one goroutine", m.rank, m.order))
		}
		if h.rank >= m.rank && !ascending {
			held.mu.Unlock()
			panic(fmt.Sprintf("lockrank: %v lock %d taken while %v lock %d is held", m.rank, m.order, h.rank, h.order))
		}
	}
	held.mu.Unlock()
	m.mu.Lock()
	held.mu.Lock()
	if held.by == nil {
		held.by = make(map[uint64][]*Mutex)
	}
	held.by[g] = append(held.by[g], m)
	held.mu.Unlock()
}

// Unlock unlocks m and panics when the calling goroutine does not hold it.
func (m *Mutex) Unlock() {
	g := goroutine()
	held.mu.Lock()
	list := held.by[g]
	at := -1
	for i, h := range list {
		if h == m {
			at = i
		}
	}
	if at < 0 {
		held.mu.Unlock()
		panic(fmt.Sprintf("lockrank: %v lock %d unlocked by a goroutine that does not hold it", m.rank, m.order))
	}
	list = append(list[:at:at], list[at+1:]...)
	if len(list) == 0 {
		delete(held.by, g)
	} else {
		held.by[g] = list
	}
	held.mu.Unlock()
	m.mu.Unlock()
}

// AssertHeld panics when the calling goroutine does not hold m.
func (m *Mutex) AssertHeld() {
	g := goroutine()
	held.mu.Lock()
	defer held.mu.Unlock()
	for _, h := range held.by[g] {
		if h == m {
			return
		}
	}
	panic(fmt.Sprintf("lockrank: %v lock %d is not held", m.rank, m.order))
}

// AssertNoneHeld panics when the calling goroutine holds any ranked lock. It
// stands before every call to a host, a surface or an observer.
func AssertNoneHeld() {
	g := goroutine()
	held.mu.Lock()
	defer held.mu.Unlock()
	if list := held.by[g]; len(list) > 0 {
		panic(fmt.Sprintf("lockrank: %v lock %d is held over a call that may block", list[0].rank, list[0].order))
	}
}
