// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/station"
	"stationmaster/win32"
)

const timeout = uint32(win32.WAIT_TIMEOUT)

// second connects one more thread of a thread's process.
func (w *world) second(of *station.Thread) *station.Thread { return w.attach(of.Process()) }

// answer is what a wait on a goroutine of its own gave.
type answer struct {
	r   uint32
	err error
}

// waits lets a thread wait and returns when it does, inside a synctest bubble.
func waits(f func() (uint32, error)) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		r, err := f()
		c <- answer{r, err}
	}()
	synctest.Wait()
	return c
}

// came fails unless the wait has ended with want by now.
func came(t testing.TB, c <-chan answer, want uint32) {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-c:
		if a.err != nil || a.r != want {
			t.Fatalf("the wait gives %#x, %v, want %#x", a.r, a.err, want)
		}
	default:
		t.Fatalf("the wait goes on, want %#x", want)
	}
}

func parked(t testing.TB, c <-chan answer) {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-c:
		t.Fatalf("the wait ended with %#x, %v", a.r, a.err)
	default:
	}
}

// bubble runs a test in a synctest bubble with a world and a user's thread.
func bubble(t *testing.T, f func(t *testing.T, w *world, th *station.Thread)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f(t, w, w.start(w.logon(1001).token, nil))
	})
}

func one(th *station.Thread, h win32.Handle, millis uint32) func() (uint32, error) {
	return func() (uint32, error) { return th.WaitForSingleObject(context.Background(), h, millis) }
}

func many(th *station.Thread, all bool, millis uint32, h ...win32.Handle) func() (uint32, error) {
	return func() (uint32, error) { return th.WaitForMultipleObjects(context.Background(), h, all, millis) }
}

func got(t testing.TB, f func() (uint32, error), want uint32) {
	t.Helper()
	if r, err := f(); err != nil || r != want {
		t.Fatalf("the wait gives %#x, %v, want %#x", r, err, want)
	}
}

func TestWaitRules(t *testing.T) {
	w := newWorld(t)
	th := w.start(w.logon(1001).token, nil)
	manual, _, err := th.CreateEvent(station.NamedOptions{}, true, true)
	w.ok(err)
	auto := event(t, th, station.NamedOptions{})
	t.Run("SYN-2/rights", func(t *testing.T) {
		conform.Rule(t, "SYN-2", "SYN-1", "AR-2")
		weak := event(t, th, station.NamedOptions{Access: win32.EVENT_MODIFY_STATE})
		r, err := th.WaitForSingleObject(t.Context(), weak, 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SYN-2")
		same(t, "result", r, win32.WAIT_FAILED)
		m, _, err := th.CreateMutex(name("gen"), false)
		w.ok(err)
		h, err := th.OpenMutex("gen", win32.GENERIC_READ|win32.GENERIC_WRITE, false)
		w.ok(err)
		_, err = th.WaitForSingleObject(t.Context(), h, 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SYN-2")
		_, err = th.WaitForMultipleObjects(t.Context(), []win32.Handle{manual, h}, false, 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SYN-2")
		_, err = th.SignalObjectAndWait(t.Context(), auto, h, 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SYN-2")
		w.ok(th.ReleaseMutex(m2(t, th, m)))
		sect, _, err := th.CreateFileMapping(station.NamedOptions{}, win32.PAGE_READWRITE, 1)
		w.ok(err)
		for _, bad := range []win32.Handle{0, 4000, sect, win32.CurrentProcessToken} {
			_, err := th.WaitForSingleObject(t.Context(), bad, 0)
			rule(t, err, win32.ERROR_INVALID_HANDLE, "SYN-2")
		}
	})
	t.Run("SYN-3/arguments", func(t *testing.T) {
		conform.Rule(t, "SYN-3")
		wait := func(all bool, h ...win32.Handle) error {
			_, err := th.WaitForMultipleObjects(t.Context(), h, all, 0)
			return err
		}
		rule(t, wait(false), win32.ERROR_INVALID_PARAMETER, "SYN-3")
		rule(t, wait(false, make([]win32.Handle, 65)...), win32.ERROR_INVALID_PARAMETER, "SYN-3")
		all := make([]win32.Handle, 64)
		for i := range all {
			all[i] = manual
		}
		w.ok(wait(false, all...)) // twice is fine for any
		rule(t, wait(true, manual, manual), win32.ERROR_INVALID_PARAMETER, "SYN-3")
		dup, err := th.DuplicateHandle(win32.CurrentProcess, manual, win32.CurrentProcess, 0, false, win32.DUPLICATE_SAME_ACCESS)
		w.ok(err)
		rule(t, wait(true, manual, dup), win32.ERROR_INVALID_PARAMETER, "SYN-3") // the object counts
		rule(t, wait(false, win32.CurrentProcess, manual), win32.ERROR_INVALID_HANDLE, "SYN-2")
		got(t, one(th, win32.CurrentProcess, 0), timeout)
		got(t, one(th, win32.CurrentThread, 0), timeout)
	})
	t.Run("SYN-4/consumption", func(t *testing.T) {
		conform.Rule(t, "SYN-4", "SYN-1", "SYN-3")
		got(t, one(th, manual, 0), 0)
		got(t, one(th, manual, 0), 0)
		w.ok(th.SetEvent(auto))
		got(t, one(th, auto, 0), 0)
		got(t, one(th, auto, 0), timeout)
		s, _, err := th.CreateSemaphore(station.NamedOptions{}, 2, 5)
		w.ok(err)
		got(t, one(th, s, 0), 0)
		got(t, one(th, s, 0), 0)
		got(t, one(th, s, 0), timeout)
		// Any: the lowest index wins, and only it is consumed.
		w.ok(th.SetEvent(auto))
		_, err = th.ReleaseSemaphore(s, 1)
		w.ok(err)
		got(t, many(th, false, 0, s, auto), 0)
		got(t, many(th, false, 0, s, auto), 1)
		got(t, many(th, false, 0, s, auto), timeout)
		// All: nothing is taken until all are there.
		w.ok(th.SetEvent(auto))
		got(t, many(th, true, 0, s, auto, manual), timeout)
		got(t, one(th, auto, 0), 0)
		w.ok(th.SetEvent(auto))
		_, err = th.ReleaseSemaphore(s, 1)
		w.ok(err)
		got(t, many(th, true, 0, s, auto, manual), 0)
		got(t, many(th, false, 0, s, auto), timeout)
	})
	t.Run("SYN-5/rights", func(t *testing.T) {
		conform.Rule(t, "SYN-5")
		h, err := th.DuplicateHandle(win32.CurrentProcess, auto, win32.CurrentProcess, win32.SYNCHRONIZE, false, 0)
		w.ok(err)
		for _, f := range []func(win32.Handle) error{th.SetEvent, th.ResetEvent, th.PulseEvent} {
			rule(t, f(h), win32.ERROR_ACCESS_DENIED, "SYN-5")
			rule(t, f(4000), win32.ERROR_INVALID_HANDLE, "SYN-5")
			rule(t, f(win32.CurrentProcess), win32.ERROR_INVALID_HANDLE, "SYN-5")
		}
	})
	t.Run("SYN-6/mutex", func(t *testing.T) {
		conform.Rule(t, "SYN-6")
		other := w.second(th)
		m, _, err := th.CreateMutex(name("m"), true)
		w.ok(err)
		rule(t, other.ReleaseMutex(m), win32.ERROR_NOT_OWNER, "SYN-6")
		got(t, one(other, m, 0), timeout)
		got(t, one(th, m, 0), 0) // again, by the owner
		w.ok(th.ReleaseMutex(m))
		got(t, one(other, m, 0), timeout)
		weak, err := th.OpenMutex("m", win32.READ_CONTROL, false)
		w.ok(err)
		w.ok(th.ReleaseMutex(weak)) // no right needed
		got(t, one(other, m, 0), 0)
		rule(t, th.ReleaseMutex(m), win32.ERROR_NOT_OWNER, "SYN-6")
		// bInitialOwner says nothing about one that existed.
		_, existed, err := th.CreateMutex(name("m"), true)
		w.ok(err)
		same(t, "existed", existed, true)
		rule(t, th.ReleaseMutex(m), win32.ERROR_NOT_OWNER, "SYN-6")
		w.ok(other.ReleaseMutex(m))
		got(t, one(th, m, 0), 0)
		w.ok(th.ReleaseMutex(m))
	})
	t.Run("SYN-9/semaphore", func(t *testing.T) {
		conform.Rule(t, "SYN-9")
		for _, c := range [][2]int32{{-1, 1}, {2, 1}, {0, 0}, {0, -1}} {
			_, _, err := th.CreateSemaphore(station.NamedOptions{}, c[0], c[1])
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "SYN-9")
		}
		s, _, err := th.CreateSemaphore(station.NamedOptions{}, 1, 0x7FFFFFFF)
		w.ok(err)
		n, err := th.ReleaseSemaphore(s, 0x7FFFFFFE)
		w.ok(err)
		same(t, "previous", n, 1)
		_, err = th.ReleaseSemaphore(s, 1)
		rule(t, err, win32.ERROR_TOO_MANY_POSTS, "SYN-9")
		for _, bad := range []int32{0, -1, -0x80000000} {
			_, err = th.ReleaseSemaphore(s, bad)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "SYN-9")
		}
		got(t, one(th, s, 0), 0)
		n, err = th.ReleaseSemaphore(s, 1)
		w.ok(err)
		same(t, "unchanged by failures", n, 0x7FFFFFFE)
	})
	t.Run("SYN-11/section", func(t *testing.T) {
		conform.Rule(t, "SYN-11", "SYN-12")
		for protect, want := range map[uint32]win32.AccessMask{
			win32.PAGE_READWRITE: 0xF0007, win32.PAGE_READONLY: 0xF0005, win32.PAGE_WRITECOPY: 0xF0005,
			win32.PAGE_EXECUTE_READ: 0xF000D, win32.PAGE_EXECUTE_READWRITE: 0xF000F,
		} {
			h, _, err := th.CreateFileMapping(station.NamedOptions{}, protect, 10)
			w.ok(err)
			same(t, "granted", granted(t, th, h), want)
			w.ok(th.CloseHandle(h))
		}
		for _, bad := range []uint32{0, win32.PAGE_NOACCESS, win32.PAGE_EXECUTE, 0x99} {
			_, _, err := th.CreateFileMapping(station.NamedOptions{}, bad, 10)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "SYN-11")
		}
		for _, size := range []uint64{0, 1 << 63} {
			_, _, err := th.CreateFileMapping(station.NamedOptions{}, win32.PAGE_READWRITE, size)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "SYN-11")
		}
		h, _, err := th.CreateFileMapping(name("s"), win32.PAGE_READWRITE, 10)
		w.ok(err)
		ro, err := th.OpenFileMapping("s", win32.SECTION_MAP_READ, false)
		w.ok(err)
		_, _, err = th.MapViewOfFile(ro, win32.SECTION_MAP_WRITE)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SYN-11")
		_, _, err = th.MapViewOfFile(h, win32.SECTION_MAP_EXECUTE)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SYN-11")
		for _, bad := range []win32.AccessMask{0, win32.SECTION_QUERY, 0xF001F} {
			_, _, err = th.MapViewOfFile(h, bad)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "SYN-11")
		}
		for _, bad := range []win32.Handle{0, auto, win32.CurrentProcess} {
			_, _, err = th.MapViewOfFile(bad, win32.SECTION_MAP_READ)
			rule(t, err, win32.ERROR_INVALID_HANDLE, "SYN-11")
		}
		_, _, err = th.MapViewOfFile(h, win32.SECTION_MAP_READ) // this engine has no memory
		rule(t, err, win32.ERROR_NOT_SUPPORTED, "SYN-11")
	})
}

// m2 takes a mutex and gives its handle, so that it can be released.
func m2(t testing.TB, th *station.Thread, m win32.Handle) win32.Handle {
	t.Helper()
	got(t, one(th, m, 0), 0)
	return m
}

func TestWaits(t *testing.T) {
	t.Run("SYN-1/time-out", func(t *testing.T) {
		conform.Rule(t, "SYN-1", "SYN-13")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			e := event(t, th, station.NamedOptions{})
			from := time.Now()
			got(t, one(th, e, 1500), timeout)
			got(t, many(th, true, 500, e), timeout)
			same(t, "waited", time.Since(from), 2*time.Second)
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			if _, err := th.WaitForSingleObject(ctx, e, win32.INFINITE); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a wait whose connection closed gives %v", err)
			}
			w.ok(th.SetEvent(e)) // nobody of those is in the list any more
			got(t, one(th, e, 0), 0)
		})
	})
	t.Run("SYN-5/event", func(t *testing.T) {
		conform.Rule(t, "SYN-5")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			auto := event(t, th, station.NamedOptions{})
			manual, _, err := th.CreateEvent(station.NamedOptions{}, true, false)
			w.ok(err)
			a := waits(one(w.second(th), auto, win32.INFINITE))
			b := waits(one(w.second(th), auto, win32.INFINITE))
			c := waits(many(w.second(th), false, win32.INFINITE, auto, manual))
			w.ok(th.SetEvent(auto)) // exactly one, the first
			came(t, a, 0)
			parked(t, b)
			w.ok(th.PulseEvent(auto))
			came(t, b, 0)
			parked(t, c)
			d := waits(one(w.second(th), manual, win32.INFINITE))
			w.ok(th.PulseEvent(manual)) // all who wait now; nothing is remembered
			came(t, c, 1)
			came(t, d, 0)
			got(t, one(th, manual, 0), timeout)
			w.ok(th.PulseEvent(auto))
			got(t, one(th, auto, 0), timeout)
			w.ok(th.SetEvent(auto))
			w.ok(th.SetEvent(auto)) // stays signaled, once
			got(t, one(th, auto, 0), 0)
			got(t, one(th, auto, 0), timeout)
			w.ok(th.SetEvent(manual))
			w.ok(th.ResetEvent(manual))
			got(t, one(th, manual, 0), timeout)
		})
	})
	t.Run("SYN-3/all at once", func(t *testing.T) {
		conform.Rule(t, "SYN-3", "SYN-4")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			x, y := event(t, th, station.NamedOptions{}), event(t, th, station.NamedOptions{})
			both := waits(many(w.second(th), true, win32.INFINITE, x, y))
			lone := waits(one(w.second(th), y, win32.INFINITE))
			w.ok(th.SetEvent(x))
			parked(t, both)
			got(t, one(th, x, 0), 0) // it took nothing while it waits
			w.ok(th.SetEvent(y))     // first in line can't have it: the next one does
			came(t, lone, 0)
			w.ok(th.SetEvent(x))
			w.ok(th.SetEvent(y))
			came(t, both, 0)
			got(t, many(th, false, 0, x, y), timeout)
			// A pulse counts only at its moment.
			both = waits(many(w.second(th), true, win32.INFINITE, x, y))
			w.ok(th.PulseEvent(x))
			w.ok(th.SetEvent(y))
			parked(t, both)
			w.ok(th.PulseEvent(x))
			came(t, both, 0)
			got(t, many(th, false, 0, x, y), timeout)
			// Set and reset in a row: whoever waits for all has got it.
			both = waits(many(w.second(th), true, win32.INFINITE, x, y))
			w.ok(th.SetEvent(y))
			w.ok(th.SetEvent(x))
			w.ok(th.ResetEvent(x))
			came(t, both, 0)
		})
	})
	t.Run("HND-10/many waits for all", func(t *testing.T) {
		conform.Rule(t, "HND-10", "SYN-3")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			x, y := event(t, th, station.NamedOptions{}), event(t, th, station.NamedOptions{})
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			for range 1024 {
				wg.Go(func() {
					_, err := th.WaitForMultipleObjects(ctx, []win32.Handle{x, y}, true, win32.INFINITE)
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			_, err := th.WaitForMultipleObjects(ctx, []win32.Handle{x, y}, true, 0)
			rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
			got(t, many(th, false, 0, x, y), timeout)
			cancel()
			wg.Wait()
			got(t, many(th, true, 0, x, y), timeout)
		})
	})
	t.Run("SYN-8/abandoned", func(t *testing.T) {
		conform.Rule(t, "SYN-8", "HND-8", "SYN-13")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			e, _, err := th.CreateEvent(station.NamedOptions{}, true, true)
			w.ok(err)
			owner := w.second(th)
			m, _, err := owner.CreateMutex(station.NamedOptions{}, true)
			w.ok(err)
			got(t, one(owner, m, 0), 0) // twice
			quiet := event(t, th, station.NamedOptions{})
			next := w.second(th)
			a := waits(many(next, false, win32.INFINITE, quiet, m))
			all := w.second(th)
			b := waits(many(all, true, win32.INFINITE, e, m))
			owner.Detach()
			came(t, a, win32.WAIT_ABANDONED_0+1)
			parked(t, b)
			next.Detach() // without a release again
			came(t, b, win32.WAIT_ABANDONED_0)
			w.ok(all.ReleaseMutex(m))
			got(t, one(th, m, 0), 0) // normal again
			w.ok(th.ReleaseMutex(m))
			// A mutex nobody waits for remembers it as well.
			last := w.second(th)
			got(t, one(last, m, 0), 0)
			last.Detach()
			got(t, one(th, m, 0), win32.WAIT_ABANDONED_0)
			got(t, one(th, m, 0), 0)
			// A thread that has ended waits for nothing.
			if _, err := last.WaitForSingleObject(context.Background(), m, 0); win32.Code(err) != win32.ERROR_INVALID_HANDLE {
				t.Fatalf("got %v", err)
			}
		})
	})
	t.Run("SYN-8/end of a process", func(t *testing.T) {
		conform.Rule(t, "SYN-8", "HND-8", "SYN-15", "SYN-14")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			sys := w.system()
			m, _, err := sys.CreateMutex(station.NamedOptions{Name: `Global\m`, Descriptor: sddl("D:(A;;GA;;;WD)")}, false)
			w.ok(err)
			e := event(t, sys, station.NamedOptions{Name: `Global\e`, Descriptor: sddl("D:(A;;GA;;;WD)")})
			um, err := th.OpenMutex(`Global\m`, win32.MUTEX_ALL_ACCESS, false)
			w.ok(err)
			ue, err := th.OpenEvent(`Global\e`, win32.EVENT_ALL_ACCESS, false)
			w.ok(err)
			mine := event(t, th, name("mine"))
			theirs, err := sys.OpenEvent(`Session\1\mine`, win32.SYNCHRONIZE, false)
			w.ok(err)
			p, err := sys.OpenProcess(th.Process().ID(), win32.SYNCHRONIZE, false)
			w.ok(err)
			tid, err := sys.OpenThread(th.ID(), win32.SYNCHRONIZE, false)
			w.ok(err)
			got(t, one(th, um, 0), 0)
			waiting := waits(one(w.second(th), ue, win32.INFINITE))
			for_m := waits(one(w.second(sys), m, win32.INFINITE))
			for_p := waits(many(w.second(sys), true, win32.INFINITE, p, tid))
			foreign := waits(one(w.second(sys), theirs, 60000))
			w.ok(w.e.EndSession(context.Background(), 1))
			synctest.Wait()
			if a := <-waiting; a.err == nil {
				t.Errorf("a wait of the ended session gives %#x", a.r)
			}
			came(t, for_m, win32.WAIT_ABANDONED_0)
			came(t, for_p, 0)
			parked(t, foreign) // the object lives by its handle
			w.ok(sys.SetEvent(e))
			got(t, one(sys, e, 0), 0)
			came2(t, foreign, timeout)
			_ = mine
		})
	})
	t.Run("SYN-10/timer", func(t *testing.T) {
		conform.Rule(t, "SYN-10", "SYN-4")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			const second = 10_000_000 // in units of 100 ns
			manual, _, err := th.CreateWaitableTimer(station.NamedOptions{}, true)
			w.ok(err)
			auto, _, err := th.CreateWaitableTimer(name("auto"), false)
			w.ok(err)
			w.ok(th.SetWaitableTimer(manual, -second, 0))
			got(t, one(th, manual, 999), timeout)
			got(t, one(th, manual, 2), 0)
			got(t, one(th, manual, 0), 0) // stays
			w.ok(th.CancelWaitableTimer(manual))
			got(t, one(th, manual, 0), 0) // also when cancelled
			w.ok(th.SetWaitableTimer(manual, -second, 0))
			got(t, one(th, manual, 0), timeout) // set anew: nonsignaled
			w.ok(th.CancelWaitableTimer(manual))
			got(t, one(th, manual, 5000), timeout)
			// Absolute, since 1601.
			at := time.Now().Add(3*time.Second).UnixNano()/100 + 116444736000000000
			w.ok(th.SetWaitableTimer(auto, at, 0))
			got(t, one(th, auto, 2999), timeout)
			got(t, one(th, auto, 2), 0)
			got(t, one(th, auto, 0), timeout) // a synchronization timer
			w.ok(th.SetWaitableTimer(auto, 1, 0))
			time.Sleep(time.Millisecond)
			got(t, one(th, auto, 0), 0) // long past
			// Periodic, without drift.
			w.ok(th.SetWaitableTimer(auto, -second, 250))
			from := time.Now()
			for range 5 {
				got(t, one(th, auto, 2000), 0)
			}
			same(t, "five periods", time.Since(from), 2*time.Second)
			time.Sleep(10*time.Second + 100*time.Millisecond)
			got(t, one(th, auto, 0), 0) // what was missed counts once
			got(t, one(th, auto, 0), timeout)
			rule(t, th.SetWaitableTimer(auto, -1, -1), win32.ERROR_INVALID_PARAMETER, "SYN-10")
			weak, err := th.OpenWaitableTimer("auto", win32.SYNCHRONIZE, false)
			w.ok(err)
			rule(t, th.SetWaitableTimer(weak, -1, 0), win32.ERROR_ACCESS_DENIED, "SYN-10")
			rule(t, th.CancelWaitableTimer(weak), win32.ERROR_ACCESS_DENIED, "SYN-10")
			w.ok(th.SetWaitableTimer(manual, -1<<63, 0)) // 29,000 years
			// Who waits for a timer without handles still gets its signal.
			lone, _, err := th.CreateWaitableTimer(station.NamedOptions{}, false)
			w.ok(err)
			w.ok(th.SetWaitableTimer(lone, -second, 100))
			c := waits(one(w.second(th), lone, win32.INFINITE))
			w.ok(th.CloseHandle(lone))
			time.Sleep(time.Second)
			came(t, c, 0)
		})
	})
	t.Run("SYN-14/signal and wait", func(t *testing.T) {
		conform.Rule(t, "SYN-14", "SYN-6", "SYN-9")
		bubble(t, func(t *testing.T, w *world, th *station.Thread) {
			e, f := event(t, th, station.NamedOptions{}), event(t, th, station.NamedOptions{})
			m, _, err := th.CreateMutex(station.NamedOptions{}, true)
			w.ok(err)
			s, _, err := th.CreateSemaphore(station.NamedOptions{}, 0, 1)
			w.ok(err)
			saw := func(signal, wait win32.Handle, millis uint32) func() (uint32, error) {
				return func() (uint32, error) { return th.SignalObjectAndWait(context.Background(), signal, wait, millis) }
			}
			a := waits(one(w.second(th), e, win32.INFINITE))
			b := waits(saw(e, f, win32.INFINITE))
			came(t, a, 0)
			parked(t, b)
			w.ok(w.second(th).SetEvent(f))
			came(t, b, 0)
			got(t, saw(m, e, 0), timeout) // released all the same
			other := w.second(th)
			got(t, one(other, m, 0), 0)
			rule2(t, saw(m, e, 0), win32.ERROR_NOT_OWNER, "SYN-6")
			got(t, saw(s, s, 0), 0) // its own signal
			_, err = th.ReleaseSemaphore(s, 1)
			w.ok(err)
			rule2(t, saw(s, e, 0), win32.ERROR_TOO_MANY_POSTS, "SYN-9")
			tm, _, err := th.CreateWaitableTimer(station.NamedOptions{}, false)
			w.ok(err)
			rule2(t, saw(tm, e, 0), win32.ERROR_INVALID_HANDLE, "SYN-14")
			rule2(t, saw(win32.CurrentProcess, e, 0), win32.ERROR_INVALID_HANDLE, "SYN-14")
			// Ping-pong never loses a signal.
			x, y := event(t, th, station.NamedOptions{}), event(t, th, station.NamedOptions{})
			peer := w.second(th)
			var wg sync.WaitGroup
			wg.Go(func() {
				for range 200 {
					if r, err := peer.WaitForSingleObject(context.Background(), x, 1000); r != 0 || err != nil {
						t.Errorf("peer: %#x, %v", r, err)
						return
					}
					if err := peer.SetEvent(y); err != nil {
						t.Error(err)
					}
				}
			})
			for range 200 {
				got(t, saw(x, y, 1000), 0)
			}
			wg.Wait()
		})
	})
}

// came2 waits for the end of a wait, time going by.
func came2(t testing.TB, c <-chan answer, want uint32) {
	t.Helper()
	if a := <-c; a.err != nil || a.r != want {
		t.Fatalf("the wait gives %#x, %v, want %#x", a.r, a.err, want)
	}
}

func rule2(t testing.TB, f func() (uint32, error), want win32.Errno, id string) {
	t.Helper()
	r, err := f()
	rule(t, err, want, id)
	same(t, "result", r, win32.WAIT_FAILED)
}

// Many threads of two sessions wait for any and all of a few objects while
// others signal: every unit that was given is taken once or left over.
func TestWaitStress(t *testing.T) {
	conform.Rule(t, "SYN-3", "SYN-4")
	w := newWorld(t)
	sys := w.system()
	const objects, threads, rounds = 4, 8, 300
	everybody := sddl("D:(A;;GA;;;WD)")
	var sems []win32.Handle
	for i := range objects {
		h, _, err := sys.CreateSemaphore(station.NamedOptions{Name: `Global\s` + string(rune('0'+i)), Descriptor: everybody}, 0, 1<<30)
		w.ok(err)
		sems = append(sems, h)
	}
	users := []*station.Thread{w.start(w.logon(1001).token, nil), w.start(w.logon(1002).token, nil)}
	var mu sync.Mutex
	taken := 0
	var wg sync.WaitGroup
	for i := range threads {
		th := w.second(users[i%2])
		var own []win32.Handle
		for k := range objects {
			h, err := th.OpenSemaphore(`Global\s`+string(rune('0'+k)), win32.SYNCHRONIZE|win32.SEMAPHORE_MODIFY_STATE, false)
			w.ok(err)
			own = append(own, h)
		}
		r := rand.New(rand.NewPCG(uint64(i), 7))
		wg.Go(func() {
			n := 0
			for range rounds {
				set := append([]win32.Handle(nil), own...)
				r.Shuffle(len(set), func(a, b int) { set[a], set[b] = set[b], set[a] })
				set = set[:1+r.IntN(objects)]
				all := r.IntN(2) == 0
				res, err := th.WaitForMultipleObjects(context.Background(), set, all, uint32(r.IntN(3)))
				switch {
				case err != nil:
					t.Error(err)
					return
				case res == timeout:
				case all:
					n += len(set)
				default:
					n++
				}
			}
			mu.Lock()
			taken += n
			mu.Unlock()
		})
	}
	given := 0
	for i := range 3000 {
		if _, err := sys.ReleaseSemaphore(sems[i%objects], 1); err != nil {
			t.Fatal(err)
		}
		given++
	}
	wg.Wait()
	left := 0
	for _, h := range sems {
		for {
			r, err := sys.WaitForSingleObject(t.Context(), h, 0)
			w.ok(err)
			if r == timeout {
				break
			}
			left++
		}
	}
	same(t, "taken and left", taken+left, given)
}
