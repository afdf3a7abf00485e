// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"fmt"
	"testing"

	"stationmaster/internal/lockrank"
	"stationmaster/station"
	"stationmaster/win32"
)

// BenchmarkNameLookup looks names up among 10,000.
func BenchmarkNameLookup(b *testing.B) {
	w := newWorld(b, func(o *station.Options) { o.Settings.MaxHandles = 20000 })
	th := w.start(w.logon(1001).token, nil)
	const n = 10000
	var plain, local [n]string
	for i := range n {
		plain[i] = fmt.Sprintf("MyProgram-Instance-%d", i)
		local[i] = `Local\` + plain[i]
		event(b, th, name(plain[i]))
	}
	for _, c := range []struct {
		name  string
		names *[n]string
	}{{"plain", &plain}, {"local", &local}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !th.LookupName(c.names[i%n]) {
					b.Fatal("a name is gone")
				}
			}
		})
	}
}

func BenchmarkOpenEvent(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	event(b, th, name("x"))
	b.ReportAllocs()
	for b.Loop() {
		h, err := th.OpenEvent("x", win32.SYNCHRONIZE, false)
		if err != nil {
			b.Fatal(err)
		}
		if err := th.CloseHandle(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	x, y := event(b, th, station.NamedOptions{}), event(b, th, station.NamedOptions{})
	ctx := context.Background()
	b.Run("set+wait", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = th.SetEvent(x)
			if r, err := th.WaitForSingleObject(ctx, x, 0); r != 0 || err != nil {
				b.Fatal(r, err)
			}
		}
	})
	b.Run("handoff", func(b *testing.B) {
		b.ReportAllocs()
		peer := w.second(th)
		done := make(chan struct{})
		stop := event(b, th, station.NamedOptions{})
		go func() {
			defer close(done)
			for {
				r, err := peer.WaitForMultipleObjects(ctx, []win32.Handle{stop, x}, false, win32.INFINITE)
				if r == 0 || err != nil {
					return
				}
				_ = peer.SetEvent(y)
			}
		}()
		for b.Loop() {
			if r, err := th.SignalObjectAndWait(ctx, x, y, win32.INFINITE); r != 0 || err != nil {
				b.Fatal(r, err)
			}
		}
		_ = th.SetEvent(stop)
		<-done
	})
	b.Run("mutex", func(b *testing.B) {
		b.ReportAllocs()
		m, _, err := th.CreateMutex(station.NamedOptions{}, false)
		w.ok(err)
		for b.Loop() {
			if r, err := th.WaitForSingleObject(ctx, m, 0); r != 0 || err != nil {
				b.Fatal(r, err)
			}
			_ = th.ReleaseMutex(m)
		}
	})
}

// Looking an ASCII name up allocates nothing.
func TestNameLookupAllocates(t *testing.T) {
	if lockrank.Checked {
		t.Skip("the lock checks allocate")
	}
	w := newWorld(t)
	th := w.start(w.logon(1001).token, nil)
	for _, n := range []string{"plain", `Local\plain2`, `Global\g`, `Session\1\s`} {
		event(t, th, name(n))
		limit := 0.0
		if n == `Session\1\s` {
			limit = 10 // a path of the tree is walked
		}
		if got := testing.AllocsPerRun(100, func() { th.LookupName(n) }); got > limit {
			t.Errorf("%s: %v allocations", n, got)
		}
	}
}
