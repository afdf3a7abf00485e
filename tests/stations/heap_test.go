// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"fmt"
	"strings"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/win32"
)

func init() {
	// dt/heap, with threads, which are what takes heap as long as there are no
	// windows: one of 64 KB has room for exactly 112 beside the desktop itself.
	scenarios["fill a heap"] = func(i *inside) {
		h, _, err := i.createDesktop("Small")
		i.ok("CreateDesktop", err)
		const room = (64*1024 - 8192) / 512
		var threads []*client.Conn
		for k := range room {
			c, err := i.c.Redial(i.ctx)
			i.ok("another connection", err)
			threads = append(threads, c)
			i.ok(fmt.Sprintf("SetThreadDesktop of thread %d", k), c.SetThreadDesktop(i.ctx, client.HandleRequest{Handle: h}))
		}
		for range 3 {
			i.code("the thread that has no room", i.setDesktop(h), win32.ERROR_NOT_ENOUGH_MEMORY)
		}
		want(i, "it stays where it was", i.where(), `WinSta0\Default`)
		code, out := i.child(text(`WinSta0\Small`), false, "where", `WinSta0\Small`)
		want(i, "a process that has no room "+out, code, exitFailed)
		i.ok("a thread that ends", threads[0].Close())
		// Its end is told by the kernel; the room comes back soon after.
		for range 3000 {
			if err = i.setDesktop(h); err == nil {
				break
			}
			if _, err := i.c.Ping(i.ctx, client.PingRequest{}); err != nil {
				i.fatalf("%v", err)
			}
		}
		i.ok("the room it leaves", err)
	}
	scenarios["fill a session"] = func(i *inside) {
		var made int
		for k := 0; ; k++ {
			_, err := i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: fmt.Sprint("D", k), Access: maxAllowed, Surface: "builtin"})
			if err != nil {
				i.code("the desktop that has no room", err, win32.ERROR_NOT_ENOUGH_MEMORY)
				_, err = i.openDesktop(fmt.Sprint("D", k), maxAllowed)
				i.code("its name", err, win32.ERROR_FILE_NOT_FOUND)
				break
			}
			made++
		}
		want(i, "desktops made", made, 4)
		_, err := i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: "Tiny", Access: maxAllowed, HeapKB: 64, Surface: "builtin"})
		i.ok("a smaller one still fits", err)
		h, _, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		i.ok("SetProcessWindowStation", i.setStation(h))
		d, err := i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: "Service", Access: maxAllowed})
		i.ok("CreateDesktop", err)
		want(i, "the third size", i.flag(d.Handle, win32.UOI_HEAPSIZE), 128)
	}
}

func TestDesktopHeap(t *testing.T) {
	s := newStage(t, "--desktop-heap", "8,256,128", "--session-heap", "2048")
	t.Run("session total", func(t *testing.T) {
		conform.Rule(t, "DT-22", "DT-23", "DT-26")
		s.play(t, s.alice, "fill a session")
		events := s.events(t, "desktop-heap-create-failed")
		if len(events) != 1 || !strings.Contains(events[0].Text, "number=244") || events[0].SessionID != s.alice {
			t.Errorf("events %+v", events)
		}
	})
	t.Run("dt/heap", func(t *testing.T) {
		conform.Rule(t, "DT-27", "DT-28", "DT-34", "PC-17", "TC-4")
		s.play(t, s.alice, "fill a heap")
		events := s.events(t, "desktop-heap-exhausted")
		if len(events) != 1 || !strings.Contains(events[0].Text, "number=243") || !strings.HasSuffix(events[0].Object, "Small") {
			t.Errorf("events %+v, want one within the minute", events)
		}
	})
}
