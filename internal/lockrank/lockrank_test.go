// SPDX-License-Identifier: Apache-2.0

package lockrank

import (
	"strings"
	"sync"
	"testing"
)

func panicText(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text, _ = r.(string)
		}
	}()
	f()
	return ""
}

func TestOrder(t *testing.T) {
	var engine, s1, s2, object, leaf Mutex
	engine.Init(Engine, 0)
	s1.Init(Session, 1)
	s2.Init(Session, 2)
	object.Init(Object, 0)
	leaf.Init(Leaf, 0)

	// The order of the house is always fine.
	for _, m := range []*Mutex{&engine, &s1, &s2, &object, &leaf} {
		m.Lock()
		m.AssertHeld()
	}
	for _, m := range []*Mutex{&leaf, &engine, &s1, &object, &s2} {
		m.Unlock()
	}
	AssertNoneHeld()
	if !Checked {
		t.Log("built without lockdep: only the good order is tried")
		return
	}
	for _, c := range []struct {
		first, second *Mutex
		want          string
	}{
		{&s1, &engine, "Engine lock 0 taken while Session lock 1 is held"},
		{&s2, &s1, "Session lock 1 taken while Session lock 2 is held"},
		{&s1, &s1, "taken twice"},
		{&leaf, &object, "Object lock 0 taken while Leaf"},
	} {
		c.first.Lock()
		if got := panicText(c.second.Lock); !strings.Contains(got, c.want) {
			t.Errorf("panic %q, want %q", got, c.want)
		}
		if got := panicText(AssertNoneHeld); !strings.Contains(got, "is held over a call") {
			t.Errorf("AssertNoneHeld: %q", got)
		}
		c.first.Unlock()
	}
	if got := panicText(s1.AssertHeld); !strings.Contains(got, "not held") {
		t.Errorf("AssertHeld: %q", got)
	}
	if got := panicText(s1.Unlock); !strings.Contains(got, "does not hold") {
		t.Errorf("Unlock: %q", got)
	}
	var none Mutex
	if got := panicText(none.Lock); !strings.Contains(got, "without a rank") {
		t.Errorf("unranked Lock: %q", got)
	}
}

func TestExclusion(t *testing.T) {
	var m Mutex
	m.Init(Session, 1)
	var wg sync.WaitGroup
	n := 0
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				m.Lock()
				n++
				m.Unlock()
			}
		})
	}
	wg.Wait()
	if n != 4000 {
		t.Fatalf("counted %d of 4000", n)
	}
}
