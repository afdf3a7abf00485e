// SPDX-License-Identifier: Apache-2.0

// Package lockrank is a mutex that knows its place in the engine's lock order.
// Built with the tag lockdep every Lock is checked: ranks only ever grow on a
// goroutine, and two locks of one rank are taken only by ascending order
// number. Without the tag a Mutex is a sync.Mutex and nothing more.
//
// It imports the standard library only.
package lockrank

// Rank is a lock's place in the order; a goroutine that holds a lock may only
// take locks of a higher rank.
type Rank uint8

// The ranks, outermost first (STYLE.md, "Locks").
const (
	Engine   Rank = iota + 1 // session table, process table
	Session                  // all of one session; two only by ascending session ID
	Object                   // handle table, directory: one object's own
	Dispatch                 // signal state and wait list of one object; several only by ascending number
	Queue                    // one thread's messages; never two
	Leaf                     // event and audit rings: nothing is taken under them
)

// String names the rank.
func (r Rank) String() string {
	switch r {
	case Engine:
		return "Engine"
	case Session:
		return "Session"
	case Object:
		return "Object"
	case Dispatch:
		return "Dispatch"
	case Queue:
		return "Queue"
	case Leaf:
		return "Leaf"
	}
	return "unranked"
}
