// SPDX-License-Identifier: Apache-2.0

package object

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

var thingKind = &Kind{Name: "Thing", Mapping: security.EventMapping, Valid: 0x1F0003}

type thing struct{ Header }

func newThing(name string, last func()) *thing {
	t := &thing{}
	t.Init(thingKind, name, nil, last)
	return t
}

func newTable(max int) *Table {
	t := &Table{}
	t.Init(max)
	return t
}

func TestTable(t *testing.T) {
	conform.Rule(t, "HND-1", "HND-2", "HND-4", "HND-10", "HN-2", "HN-6")
	tab := newTable(600)
	closed := 0
	o := newThing("o", func() { closed++ })
	for i := range 600 {
		h, err := tab.Insert(o, 1, 0)
		if err != nil || h != win32.Handle(4*(i+1)) {
			t.Fatalf("handle %d is %v, %v", i, h, err)
		}
	}
	if _, err := tab.Insert(o, 1, 0); win32.Code(err) != win32.ERROR_NOT_ENOUGH_QUOTA {
		t.Fatalf("a full table gives %v", err)
	}
	for _, h := range []win32.Handle{0, 1, 3, 4 * 601, 0xFFFFFFFF, 0x80000000} {
		if tab.Get(h) != nil || tab.Remove(h) != nil || tab.Acquire(h) != nil || tab.SetFlags(h, 1, 1) {
			t.Errorf("handle %v exists", h)
		}
	}
	// Lowest free first, across pages.
	for _, h := range []win32.Handle{4 * 500, 4*7 + 3, 4 * 300} {
		if tab.Remove(h) == nil {
			t.Fatalf("handle %v is gone", h)
		}
		o.Release()
	}
	for _, want := range []win32.Handle{4 * 7, 4 * 300, 4 * 500} {
		if h, err := tab.Insert(o, 1, 0); h != want || err != nil {
			t.Fatalf("got %v, %v, want %v", h, err, want)
		}
	}
	tab.SetFlags(4*300, win32.HANDLE_FLAG_INHERIT, win32.HANDLE_FLAG_INHERIT)
	tab.SetFlags(8, 3, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE)
	tab.SetFlags(12, 3, 3)
	child := newTable(600)
	child.Inherit(tab)
	var got []win32.Handle
	child.Each(func(h win32.Handle, e *Entry) bool {
		got = append(got, h)
		if *e != *tab.Get(h) {
			t.Errorf("handle %v differs", h)
		}
		return true
	})
	if !slices.Equal(got, []win32.Handle{12, 4 * 300}) || child.Len() != 2 || o.Handles() != 602 {
		t.Fatalf("inherited %v, %d handles of the object", got, o.Handles())
	}
	if h, _ := child.Insert(o, 1, 0); h != 4 {
		t.Fatalf("first free handle of the child is %v", h)
	}
	for _, x := range []*Table{tab, child} {
		for range x.Close() {
			o.Release()
		}
		if _, err := x.Insert(o, 1, 0); win32.Code(err) != win32.ERROR_INVALID_HANDLE || x.Get(4) != nil {
			t.Fatalf("a closed table gives %v", err)
		}
	}
	if closed != 1 || o.Handles() != 0 {
		t.Fatalf("last ran %d times, %d handles left", closed, o.Handles())
	}
	defer func() {
		if recover() == nil {
			t.Error("a release too many is not noticed")
		}
	}()
	o.Release()
}

// Readers must never see a torn or stale-forever entry while others write.
func TestTableConcurrent(t *testing.T) {
	tab := newTable(4096)
	objs := make([]*thing, 8)
	for i := range objs {
		objs[i] = newThing(fmt.Sprint(i), nil)
	}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for h := win32.Handle(4); h < 4*64; h += 4 {
					if e := tab.Get(h); e != nil && fmt.Sprint(uint32(e.Granted)) != e.Object.Head().ObjectName() {
						t.Error("entry of one object with the rights of another")
						return
					}
				}
			}
		})
	}
	for seed := range 2 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			var mine []win32.Handle
			for range 5000 {
				if len(mine) < 20 && r.IntN(2) == 0 {
					i := r.IntN(len(objs))
					h, err := tab.Insert(objs[i], win32.AccessMask(i), 0)
					if err != nil {
						t.Error(err)
						return
					}
					mine = append(mine, h)
				} else if len(mine) > 0 {
					i := r.IntN(len(mine))
					if e := tab.Acquire(mine[i]); e != nil {
						e.Object.Head().Release()
					}
					e := tab.Remove(mine[i])
					if e == nil {
						t.Error("somebody else took the handle")
						return
					}
					e.Object.Head().Release()
					mine = slices.Delete(mine, i, i+1)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	for _, e := range tab.Close() {
		e.Object.Head().Release()
	}
	for _, o := range objs {
		if o.Handles() != 0 {
			t.Errorf("object %s has %d handles", o.ObjectName(), o.Handles())
		}
	}
}

func TestDirectory(t *testing.T) {
	conform.Rule(t, "OBJ-1", "OBJ-3", "OBJ-9", "OBJ-16", "OBJ-18", "WS-10")
	root := NewDirectory("", false, nil)
	ws := NewDirectory("WindowStations", true, nil)
	root.Add(ws)
	long := strings.Repeat("é", 100)
	for _, name := range []string{"WinSta0", "Straße", long} {
		if !ws.Add(newThing(name, nil)) {
			t.Fatalf("%s is taken", name)
		}
	}
	if ws.Add(newThing("WINSTA0", nil)) {
		t.Fatal("a name that differs in case only was taken twice")
	}
	for _, name := range []string{"winsta0", "WinSta0", "STRAßE", strings.Repeat("É", 100)} {
		if _, ok := ws.Lookup(name); !ok {
			t.Errorf("%s is not found", name)
		}
	}
	if _, ok := root.Lookup("windowstations"); ok {
		t.Error("a directory that minds case found another spelling")
	}
	var names []string
	for _, o := range ws.List() {
		names = append(names, o.Head().ObjectName())
	}
	if want := []string{"WinSta0", "Straße", long}; !slices.Equal(names, want) || ws.Len() != 3 {
		t.Fatalf("listed %q", names)
	}
	root.Add(NewLink("Global", `\WindowStations`, nil))
	root.Add(NewLink("Loop", `\Loop\x`, nil))
	for _, c := range []struct {
		path string
		want win32.Errno
	}{
		{`\`, 0}, {`\WindowStations`, 0}, {`\WindowStations\winsta0`, 0}, {`\Global\winsta0`, 0}, {`\Global`, 0},
		{``, win32.ERROR_BAD_PATHNAME}, {`x`, win32.ERROR_BAD_PATHNAME}, {`\x`, win32.ERROR_FILE_NOT_FOUND},
		{`\x\y`, win32.ERROR_PATH_NOT_FOUND}, {`\WindowStations\WinSta0\y`, win32.ERROR_PATH_NOT_FOUND},
		{`\Loop\y`, win32.ERROR_PATH_NOT_FOUND},
	} {
		if _, err := Resolve(root, c.path); win32.Code(err) != c.want {
			t.Errorf("%s: %v, want %d", c.path, err, c.want)
		}
	}
	first, _ := ws.Lookup("winsta0")
	ws.Remove(newThing("WinSta0", nil)) // another object of that name
	if _, ok := ws.Lookup("winsta0"); !ok {
		t.Fatal("the wrong object was removed")
	}
	ws.Remove(first)
	if _, ok := ws.Lookup("winsta0"); ok {
		t.Fatal("the object is still there")
	}
}

func BenchmarkLookup(b *testing.B) {
	tab := newTable(4096)
	o := newThing("o", nil)
	for range 1000 {
		if _, err := tab.Insert(o, 0x37F, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		h := win32.Handle(4)
		for b.Loop() {
			if e := tab.Get(h); e == nil || !e.Granted.Has(0x8) {
				b.Fatal("lost")
			}
			if h += 4; h > 4000 {
				h = 4
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			h := win32.Handle(4)
			for pb.Next() {
				if e := tab.Get(h); e == nil || !e.Granted.Has(0x8) {
					b.Error("lost")
				}
				if h += 4; h > 4000 {
					h = 4
				}
			}
		})
	})
}

func BenchmarkInsertRemove(b *testing.B) {
	tab := newTable(4096)
	o := newThing("o", nil)
	for range 1000 {
		if _, err := tab.Insert(o, 0x37F, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		h, err := tab.Insert(o, 1, 0)
		if err != nil {
			b.Fatal(err)
		}
		tab.Remove(h).Object.Head().Release()
	}
}

func BenchmarkDirectoryLookup(b *testing.B) {
	d := NewDirectory("d", true, nil)
	for i := range 10000 {
		d.Add(newThing(fmt.Sprintf("Service-0x0-%x$", i), nil))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Lookup("service-0x0-1fff$"); !ok {
			b.Fatal("lost")
		}
	}
}
