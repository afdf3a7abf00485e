// SPDX-License-Identifier: Apache-2.0

package object

import (
	"slices"
	"sync/atomic"

	"stationmaster/internal/lockrank"
)

// MaxWait is how many objects one wait may name (SYN-3).
const MaxWait = 64

// Signal is what a type of waitable object says about its state. The gate is
// locked when its methods are called, and so is owner.
type Signal interface {
	// Signaled reports whether a wait of owner would end now.
	Signaled(owner *Owner) bool
	// Consume does what the end of a wait does to the object (SYN-4), and reports
	// whether the object had been abandoned (SYN-8).
	Consume(owner *Owner) (abandoned bool)
}

// Gate is the part of an object that can be waited for: its lock, which guards
// the signal state, and the list of those who wait, longest first.
//
// Several gates are locked by ascending number only. Whoever changes a state
// first locks every gate that a wait for all of several objects needs, so that
// such a wait ends at the very moment all of its objects are signaled, and
// takes all of them or none (SYN-3).
type Gate struct {
	signal Signal // immutable
	number uint64 // immutable

	mu         lockrank.Mutex
	head, tail *block // guarded by mu
	all        int    // guarded by mu: blocks of waits for all
}

var lastGate atomic.Uint64

// InitGate sets the gate up for an object whose state s tells.
func (g *Gate) InitGate(s Signal) {
	g.signal = s
	g.number = lastGate.Add(1)
	g.mu.Init(lockrank.Dispatch, g.number)
}

// Owner is who waits, and what it owns of what it waited for: a thread with
// its mutexes. The zero value is not usable; see Init.
type Owner struct {
	mu   lockrank.Mutex
	gone bool               // guarded by mu
	held map[Owned]struct{} // guarded by mu
}

// Owned is an object that an Owner can own.
type Owned interface {
	// Abandon is called when the owner ends; no lock is held.
	Abandon(o *Owner)
}

// Init sets the owner up.
func (o *Owner) Init() { o.mu.Init(lockrank.Leaf, 0) }

// AddLocked records that the owner got an object. It is called by Consume.
func (o *Owner) AddLocked(x Owned) {
	o.mu.AssertHeld()
	if o.held == nil {
		o.held = make(map[Owned]struct{})
	}
	o.held[x] = struct{}{}
}

// Take records, outside a wait, that the owner got an object. It reports false
// when the owner has ended.
func (o *Owner) Take(x Owned) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return false
	}
	o.AddLocked(x)
	return true
}

// Drop records that the owner gave an object back.
func (o *Owner) Drop(x Owned) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.held, x)
}

// End says that the owner is gone: it gets nothing any more, and what it owns
// is abandoned (SYN-8). The caller holds no lock.
func (o *Owner) End() {
	o.mu.Lock()
	o.gone = true
	held := o.held
	o.held = nil
	o.mu.Unlock()
	for x := range held {
		x.Abandon(o)
	}
}

// Result is how a wait ended.
type Result struct {
	Index     int  // of the object that ended it; 0 for a wait for all
	Abandoned bool // SYN-8
}

// Wait is a wait under way.
type Wait struct {
	owner *Owner   // immutable
	gates []*Gate  // immutable: in the caller's order
	sort  []*Gate  // immutable: each gate once, by number
	all   bool     // immutable
	claim claimBit // taken by whoever ends the wait or gives it up
	done  chan struct{}
	res   Result // written before done is closed
	block []block
}

// claimBit is taken by whoever ends the wait.
type claimBit struct{ v atomic.Bool }

func (c *claimBit) take() bool { return c.v.CompareAndSwap(false, true) }

// block is a wait's place in the list of one gate.
type block struct {
	wait       *Wait
	index      int // of the gate in the caller's order
	gate       *Gate
	prev, next *block // guarded by gate.mu
	queued     bool   // guarded by gate.mu
}

func (g *Gate) pushLocked(b *block) {
	g.mu.AssertHeld()
	b.queued, b.prev, b.next = true, g.tail, nil
	if g.tail == nil {
		g.head = b
	} else {
		g.tail.next = b
	}
	g.tail = b
	if b.wait.all {
		g.all++
	}
}

func (g *Gate) removeLocked(b *block) {
	g.mu.AssertHeld()
	if !b.queued {
		return
	}
	b.queued = false
	if b.prev == nil {
		g.head = b.next
	} else {
		b.prev.next = b.next
	}
	if b.next == nil {
		g.tail = b.prev
	} else {
		b.next.prev = b.prev
	}
	if b.wait.all {
		g.all--
	}
}

// Waiting reports whether anybody waits.
func (g *Gate) Waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.head != nil
}

// View runs f with the gate locked. f makes nothing signaled.
func (g *Gate) View(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// Change runs f, which changes the object's state, and lets those go whose
// wait ends by it, longest waiting first. What f fails with, Change gives.
func (g *Gate) Change(f func() error) error {
	set := g.lockSet(nil)
	err := f()
	if err == nil {
		g.releaseLocked()
	}
	unlockAll(g, set)
	return err
}

// Pulse runs set, lets those go whose wait ends by it, and then runs reset
// before anybody else can look (SYN-5).
func (g *Gate) Pulse(set, reset func()) {
	locked := g.lockSet(nil)
	set()
	g.releaseLocked()
	reset()
	unlockAll(g, locked)
}

// lockSet locks the gate and all those that waits for all on it need, with the
// ones in more. It gives nil when that is the gate alone.
func (g *Gate) lockSet(more []*Gate) []*Gate {
	g.mu.Lock()
	if g.all == 0 && len(more) == 0 {
		return nil
	}
	for {
		set := g.neededLocked(append([]*Gate{g}, more...))
		g.mu.Unlock()
		for _, o := range set {
			o.mu.Lock()
		}
		// Others may have begun to wait while nothing was locked.
		if len(g.neededLocked(slices.Clone(set))) == len(set) {
			return set
		}
		for _, o := range set {
			if o != g {
				o.mu.Unlock()
			}
		}
	}
}

// neededLocked adds to set the gates of every wait for all on g, sorts it and
// leaves each gate once.
func (g *Gate) neededLocked(set []*Gate) []*Gate {
	if g.all > 0 {
		for b := g.head; b != nil; b = b.next {
			if b.wait.all {
				set = append(set, b.wait.sort...)
			}
		}
	}
	return sorted(set)
}

func sorted(set []*Gate) []*Gate {
	slices.SortFunc(set, func(a, b *Gate) int {
		switch {
		case a.number < b.number:
			return -1
		case a.number > b.number:
			return 1
		}
		return 0
	})
	return slices.Compact(set)
}

func unlockAll(g *Gate, set []*Gate) {
	if set == nil {
		g.mu.Unlock()
		return
	}
	for _, o := range set {
		o.mu.Unlock()
	}
}

// releaseLocked ends the waits that can end now. The gate and those of every
// wait for all on it are locked.
func (g *Gate) releaseLocked() {
	for b := g.head; b != nil; {
		next := b.next
		w := b.wait
		w.owner.mu.Lock()
		if !g.signal.Signaled(w.owner) {
			w.owner.mu.Unlock()
			return // nobody behind it can have it either
		}
		if (!w.all || w.readyLocked()) && !w.owner.gone && w.claim.take() {
			w.res = w.consumeLocked(b.index)
			close(w.done)
			// It can't be waited for any more: out of the list at once, so that one
			// signal does not look at the same waits again and again.
			g.removeLocked(b)
		}
		w.owner.mu.Unlock()
		b = next
	}
}

// readyLocked reports whether all objects of the wait are signaled.
func (w *Wait) readyLocked() bool {
	for _, g := range w.sort {
		if !g.signal.Signaled(w.owner) {
			return false
		}
	}
	return true
}

// consumeLocked takes what the wait was for.
func (w *Wait) consumeLocked(index int) Result {
	if !w.all {
		return Result{index, w.gates[index].signal.Consume(w.owner)}
	}
	var r Result
	for _, g := range w.sort {
		if g.signal.Consume(w.owner) {
			r.Abandoned = true
		}
	}
	return r
}

// Poll looks whether one object is signaled for owner, and takes it then. It
// allocates nothing.
func (g *Gate) Poll(owner *Owner) (r Result, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	owner.mu.Lock()
	defer owner.mu.Unlock()
	if owner.gone || !g.signal.Signaled(owner) {
		return Result{}, false
	}
	return Result{0, g.signal.Consume(owner)}, true
}

// Begin begins a wait for one, or all, of several objects. When it can end at
// once it has ended when Begin returns. For a wait for all no object may be
// named twice; Twice tells. With signal, first is run in the same breath, with
// signal's gate locked, and its error ends the call (SYN-14).
func Begin(owner *Owner, gates []*Gate, all bool, signal *Gate, first func() error) (*Wait, error) {
	w := &Wait{owner: owner, gates: gates, sort: sorted(slices.Clone(gates)), all: all, done: make(chan struct{})}
	var set []*Gate
	if signal != nil {
		set = signal.lockSet(w.sort)
	} else {
		set = w.sort
		for _, g := range set {
			g.mu.Lock()
		}
	}
	defer func() {
		for _, g := range set {
			g.mu.Unlock()
		}
	}()
	if signal != nil {
		if err := first(); err != nil {
			return nil, err
		}
		signal.releaseLocked()
	}
	owner.mu.Lock()
	defer owner.mu.Unlock()
	if owner.gone {
		return w, nil // it ends as whoever called is gone
	}
	if all {
		if w.readyLocked() {
			w.claim.take()
			w.res = w.consumeLocked(0)
			close(w.done)
			return w, nil
		}
	} else {
		for i, g := range gates {
			if g.signal.Signaled(owner) {
				w.claim.take()
				w.res = w.consumeLocked(i)
				close(w.done)
				return w, nil
			}
		}
	}
	w.block = make([]block, len(gates))
	for i, g := range gates {
		w.block[i] = block{wait: w, index: i, gate: g}
		g.pushLocked(&w.block[i])
	}
	return w, nil
}

// Twice reports whether an object is named twice.
func Twice(gates []*Gate) bool { return len(sorted(slices.Clone(gates))) != len(gates) }

// Done is closed when the wait has ended by what it waits for.
func (w *Wait) Done() <-chan struct{} { return w.done }

// Finish ends the wait, whether it has ended or is given up, and takes it out
// of every list. ok says that it ended by what it waited for. It is called
// once.
func (w *Wait) Finish() (r Result, ok bool) {
	given := w.claim.take()
	if !given {
		<-w.done // whoever claimed it is about to close it
	}
	for i := range w.block {
		b := &w.block[i]
		b.gate.mu.Lock()
		b.gate.removeLocked(b)
		b.gate.mu.Unlock()
	}
	return w.res, !given
}
