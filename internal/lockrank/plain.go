// SPDX-License-Identifier: Apache-2.0

//go:build !lockdep

package lockrank

import "sync"

// Checked reports whether this build checks the lock order.
const Checked = false

// Mutex is a mutual exclusion lock with a rank. The zero value is unlocked;
// Init gives it its rank.
type Mutex struct{ mu sync.Mutex }

// Init gives the lock its rank and, for locks of which several may be held,
// its order among those of the same rank. It must be called before first use.
func (m *Mutex) Init(rank Rank, order uint64) {}

// Lock locks m.
func (m *Mutex) Lock() { m.mu.Lock() }

// Unlock unlocks m.
func (m *Mutex) Unlock() { m.mu.Unlock() }

// AssertHeld panics when the calling goroutine does not hold m, in builds with
// the tag lockdep; otherwise it does nothing.
func (m *Mutex) AssertHeld() {}

// AssertNoneHeld panics when the calling goroutine holds any ranked lock, in
// builds with the tag lockdep. It stands before every call to a host, a
// surface or an observer.
func AssertNoneHeld() {}
