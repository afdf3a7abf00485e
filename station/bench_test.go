// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"runtime"
	"testing"

	"stationmaster/station"
	"stationmaster/win32"
)

func BenchmarkLookupHandle(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	h, err := th.ProcessWindowStation()
	w.ok(err)
	for b.Loop() {
		if !th.LookupHandle(h, win32.WINSTA_CREATEDESKTOP) {
			b.Fatal("lost")
		}
	}
}

func BenchmarkOpenDesktop(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	w.ok(th.Connect())
	b.ReportAllocs()
	for b.Loop() {
		h, err := th.OpenDesktop("Default", 0, win32.DESKTOP_READOBJECTS, false)
		if err != nil {
			b.Fatal(err)
		}
		if err := th.CloseDesktop(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenWindowStation(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	b.ReportAllocs()
	for b.Loop() {
		h, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMERATE, false)
		if err != nil {
			b.Fatal(err)
		}
		if err := th.CloseWindowStation(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateDesktop(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	w.ok(th.Connect())
	b.ReportAllocs()
	for b.Loop() {
		h, _, err := th.CreateDesktop(station.DesktopOptions{Name: "bench", Access: maxAllowed})
		if err != nil {
			b.Fatal(err)
		}
		if err := th.CloseDesktop(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenRefused(b *testing.B) {
	w := newWorld(b)
	th := w.start(w.logon(1001).token, nil)
	w.ok(th.Connect())
	for b.Loop() {
		if _, err := th.OpenDesktop("Winlogon", 0, win32.DESKTOP_READOBJECTS, false); err == nil {
			b.Fatal("granted")
		}
	}
}

// BenchmarkSession makes sessions with a user and no processes and tells their
// size.
func BenchmarkSession(b *testing.B) {
	w := newWorld(b, func(o *station.Options) { o.Settings.MaxSessions = 1 << 30 })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		s, err := w.e.CreateSession(b.Context(), station.SessionOptions{})
		w.ok(err)
		w.ok(w.e.LogonSession(s, station.Logon{Token: w.userToken(s.ID(), 1001, false), Name: "u"}))
		n++
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "bytes/session")
}
