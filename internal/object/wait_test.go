// SPDX-License-Identifier: Apache-2.0

package object

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/lockrank"
)

// counter is a semaphore; one that is sticky is a manual event.
type counter struct {
	gate   Gate
	n      int
	sticky bool
}

func (c *counter) Signaled(*Owner) bool { return c.n > 0 }

func (c *counter) Consume(*Owner) bool {
	if !c.sticky {
		c.n--
	}
	return false
}

func (c *counter) add(n int) { _ = c.gate.Change(func() error { c.n += n; return nil }) }

func newCounters(n int) []*counter {
	out := make([]*counter, n)
	for i := range out {
		out[i] = &counter{sticky: i%4 == 3}
		out[i].gate.InitGate(out[i])
	}
	return out
}

func newOwner() *Owner {
	o := &Owner{}
	o.Init()
	return o
}

// naive is the model: one list of waits, the whole of it looked at each time.
type naive struct {
	n      []int
	sticky []bool
	waits  []*naiveWait
}

type naiveWait struct {
	set   []int // objects in the caller's order
	all   bool
	done  bool
	index int
}

func (m *naive) try(w *naiveWait) bool {
	ready := func(i int) bool { return m.n[i] > 0 }
	take := func(i int) {
		if !m.sticky[i] {
			m.n[i]--
		}
	}
	if w.all {
		for _, i := range w.set {
			if !ready(i) {
				return false
			}
		}
		for _, i := range w.set {
			take(i)
		}
		w.done = true
		return true
	}
	for k, i := range w.set {
		if ready(i) {
			take(i)
			w.done, w.index = true, k
			return true
		}
	}
	return false
}

func (m *naive) add(i, n int) {
	m.n[i] += n
	for _, w := range m.waits {
		if !w.done && slices.Contains(w.set, i) {
			m.try(w)
		}
	}
}

// Random waits for any and all against the model: the same waits end, with the
// same results, in the same order.
func TestWaitModel(t *testing.T) {
	conform.Rule(t, "SYN-3", "SYN-4", "SYN-5")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 60 {
		const objects = 6
		c := newCounters(objects)
		m := &naive{n: make([]int, objects), sticky: make([]bool, objects)}
		for i := range c {
			m.sticky[i] = c[i].sticky
		}
		type pair struct {
			real  *Wait
			model *naiveWait
		}
		var open []pair
		owner := newOwner()
		for step := range 200 {
			switch r.IntN(5) {
			case 0, 1: // begin
				set := r.Perm(objects)[:1+r.IntN(4)]
				w := &naiveWait{set: set, all: r.IntN(2) == 0}
				gates := make([]*Gate, len(set))
				for k, i := range set {
					gates[k] = &c[i].gate
				}
				real, err := Begin(owner, gates, w.all, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !m.try(w) {
					m.waits = append(m.waits, w)
				}
				open = append(open, pair{real, w})
			case 2, 3: // signal
				i, n := r.IntN(objects), 1+r.IntN(2)
				c[i].add(n)
				m.add(i, n)
			case 4: // give up, or reset a manual event
				if i := r.IntN(objects); c[i].sticky {
					c[i].gate.View(func() { c[i].n = 0 })
					m.n[i] = 0
				} else if len(open) > 0 {
					k := r.IntN(len(open))
					if res, ok := open[k].real.Finish(); ok != open[k].model.done || ok && !open[k].model.all && res.Index != open[k].model.index {
						t.Fatalf("step %d: a wait that is given up: %v %+v, model %+v", step, ok, res, open[k].model)
					}
					m.waits = slices.DeleteFunc(m.waits, func(w *naiveWait) bool { return w == open[k].model })
					open = slices.Delete(open, k, k+1)
				}
			}
			for i := range c {
				if c[i].n != m.n[i] {
					t.Fatalf("step %d: object %d has %d, model %d", step, i, c[i].n, m.n[i])
				}
			}
			for _, p := range open {
				done := false
				select {
				case <-p.real.Done():
					done = true
				default:
				}
				if done != p.model.done {
					t.Fatalf("step %d: a wait for %v (all %v) ended: %v, model %v", step, p.model.set, p.model.all, done, p.model.done)
				}
			}
		}
		for _, p := range open {
			p.real.Finish()
		}
		for i := range c {
			if c[i].gate.Waiting() || c[i].gate.all != 0 {
				t.Fatalf("object %d still has waits in its list", i)
			}
		}
	}
}

// Waits for all over random sets, signals and pulses from many goroutines:
// neither a lock out of order nor a signal lost.
func TestWaitRace(t *testing.T) {
	conform.Rule(t, "SYN-3", "SYN-14")
	c := newCounters(3)
	var wg sync.WaitGroup
	taken := make([]int, 6)
	const rounds = 400
	for g := range taken {
		wg.Go(func() {
			owner := newOwner()
			r := rand.New(rand.NewPCG(uint64(g), 3))
			for range rounds {
				set := r.Perm(3)[:1+r.IntN(3)]
				gates := make([]*Gate, len(set))
				for k, i := range set {
					gates[k] = &c[i].gate
				}
				all := r.IntN(2) == 0
				var w *Wait
				if r.IntN(4) == 0 { // with a signal of its own in the same breath
					i := r.IntN(3)
					w, _ = Begin(owner, gates, all, &c[i].gate, func() error { c[i].n++; return nil })
					taken[g]--
				} else {
					w, _ = Begin(owner, gates, all, nil, nil)
				}
				if r.IntN(2) == 0 {
					c[r.IntN(3)].add(1)
					taken[g]--
				}
				if _, ok := w.Finish(); ok {
					taken[g]++
					if all {
						taken[g] += len(set) - 1
					}
				}
			}
		})
	}
	wg.Wait()
	left := c[0].n + c[1].n + c[2].n
	for _, n := range taken {
		left += n
	}
	if left != 0 {
		t.Errorf("%d units too many or lost", left)
	}
}

// thingOwned is what an owner has.
type thingOwned struct{ abandoned int }

func (x *thingOwned) Abandon(*Owner) { x.abandoned++ }

func TestOwner(t *testing.T) {
	conform.Rule(t, "SYN-8")
	o, c := newOwner(), newCounters(1)[0]
	a, b := &thingOwned{}, &thingOwned{}
	if !o.Take(a) || !o.Take(b) {
		t.Fatal("a living owner takes nothing")
	}
	o.Drop(b)
	w, err := Begin(o, []*Gate{&c.gate}, false, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.End()
	o.End()
	if a.abandoned != 1 || b.abandoned != 0 {
		t.Errorf("abandoned %d and %d times, want 1 and 0", a.abandoned, b.abandoned)
	}
	c.add(1)
	if _, ok := w.Finish(); ok || c.n != 1 {
		t.Errorf("an owner that is gone got something: %v, %d left", ok, c.n)
	}
	if _, ok := c.gate.Poll(o); ok || o.Take(b) {
		t.Error("an owner that is gone takes something")
	}
	if w, _ = Begin(o, []*Gate{&c.gate}, false, nil, nil); w == nil {
		t.Fatal("no wait")
	} else if _, ok := w.Finish(); ok {
		t.Error("an owner that is gone waits")
	}
	failed := errors.New("no")
	if _, err := Begin(newOwner(), []*Gate{&c.gate}, false, &c.gate, func() error { return failed }); err != failed || c.n != 1 {
		t.Errorf("a signal that fails: %v, %d left", err, c.n)
	}
	lockrank.AssertNoneHeld()
}

func TestDirectoryOrder(t *testing.T) {
	conform.Rule(t, "OBJ-9", "OBJ-1")
	root := NewDirectory("", false, nil)
	d := NewDirectory("d", false, nil)
	root.Add(d)
	if d.Path() != `\d` || root.Path() != "" || d.Parent() != root {
		t.Errorf("paths %q and %q", d.Path(), root.Path())
	}
	var all []*thing
	for _, n := range []string{"a", "b", "c", "d"} {
		o := newThing(n, nil)
		all = append(all, o)
		if !d.Add(o) || d.Add(newThing(n, nil)) {
			t.Fatal("Add")
		}
	}
	d.Remove(all[1])
	d.Remove(all[1])
	all[0].Retain()
	if d.RemoveUnused(all[0]) {
		t.Error("an object with a handle lost its name")
	}
	if o, ok := d.Acquire("c"); !ok || o.Head().Handles() != 1 {
		t.Error("Acquire counts no handle")
	}
	if _, ok := d.Acquire("b"); ok {
		t.Error("Acquire of what is gone")
	}
	if !d.RemoveUnused(all[3]) || d.RemoveUnused(all[3]) {
		t.Error("RemoveUnused")
	}
	d.Add(newThing("e", nil))
	var names string
	for _, o := range d.List() {
		names += o.Head().ObjectName()
	}
	if names != "ace" || d.Len() != 3 {
		t.Errorf("the directory lists %q of %d", names, d.Len())
	}
}
