// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"slices"
	"strings"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/win32"
)

func init() {
	scenarios["desktops"] = func(i *inside) {
		first := i.desktop()
		want(i, "the desktop", i.where(), `WinSta0\Default`)
		want(i, "fInherit", i.flag(first, win32.UOI_FLAGS), 0)
		h, existed, err := i.createDesktop("Work")
		i.ok("CreateDesktop", err)
		want(i, "existed", existed, false)
		want(i, "the thread's desktop after a creation", i.desktop(), first)
		again, existed, err := i.createDesktop("WORK")
		i.ok("CreateDesktop again", err)
		want(i, "existed", existed, true)
		want(i, "a new handle", again != h, true)
		want(i, "the name as first given", i.name(again), "Work")
		want(i, "the heap stays", i.flag(again, win32.UOI_HEAPSIZE), 64)
		for name, code := range map[string]win32.Errno{"": win32.ERROR_INVALID_HANDLE, `a\b`: win32.ERROR_BAD_PATHNAME, strings.Repeat("d", 260): win32.ERROR_FILENAME_EXCED_RANGE} {
			_, _, err = i.createDesktop(name)
			i.code("CreateDesktop "+name, err, code)
			_, err = i.openDesktop(name, maxAllowed)
			i.code("OpenDesktop "+name, err, code)
		}
		_, err = i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: "No", Access: win32.DESKTOP_READOBJECTS})
		i.code("without DESKTOP_CREATEWINDOW", err, win32.ERROR_ACCESS_DENIED)
		for _, kb := range []uint32{63, 65537} {
			_, err = i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: "No", Access: maxAllowed, HeapKB: kb})
			i.code("a heap of that size", err, win32.ERROR_INVALID_PARAMETER)
		}
		_, err = i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: "No", Access: maxAllowed, Flags: 2})
		i.code("unknown flags", err, win32.ERROR_INVALID_PARAMETER)
		_, err = i.openDesktop("Default", win32.READ_CONTROL)
		i.code("READ_CONTROL alone", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.openDesktop("Winlogon", win32.DESKTOP_READOBJECTS)
		i.code("Winlogon", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.openDesktop("Disconnect", win32.DESKTOP_READOBJECTS)
		i.code("Disconnect", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.openDesktop("ScreenSaver", win32.DESKTOP_ENUMERATE)
		i.ok("ScreenSaver, by its other name", err)
		names, err := i.c.EnumDesktops(i.ctx, client.HandleRequest{})
		i.ok("EnumDesktops", err)
		want(i, "the list", strings.Join(names.Names, " "), "Default Screen-saver Work")
		weak, err := i.openStation("WinSta0", win32.WINSTA_READATTRIBUTES)
		i.ok("OpenWindowStation", err)
		_, err = i.c.EnumDesktops(i.ctx, client.HandleRequest{Handle: weak})
		i.code("EnumDesktops without the right", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.c.EnumDesktops(i.ctx, client.HandleRequest{Handle: self})
		i.code("EnumDesktops of no station", err, win32.ERROR_INVALID_HANDLE)
		i.ok("SetProcessWindowStation", i.setStation(weak))
		_, _, err = i.createDesktop("No")
		i.code("without WINSTA_CREATEDESKTOP", err, win32.ERROR_ACCESS_DENIED)
		_, _, err = i.createDesktop("Work")
		i.ok("opening needs no WINSTA_CREATEDESKTOP", err)
	}
	// dt/busy and dt/close, as far as they need no windows
	scenarios["thread desktop"] = func(i *inside) {
		first := i.desktop()
		h, _, err := i.createDesktop("Work")
		i.ok("CreateDesktop", err)
		spare := i.duplicate(h)
		i.code("SetThreadDesktop of a station", i.setDesktop(i.station()), win32.ERROR_INVALID_HANDLE)
		i.ok("SetThreadDesktop", i.setDesktop(h))
		want(i, "the desktop", i.desktop(), h)
		i.ok("SetThreadDesktop to the same", i.setDesktop(spare))
		want(i, "the handle", i.desktop(), spare)
		i.code("CloseDesktop of the thread's", i.closeDesktop(spare), win32.ERROR_BUSY)
		i.code("CloseHandle of the thread's", i.closeHandle(spare), win32.ERROR_INVALID_HANDLE)
		i.code("CloseDesktop of the startup one", i.closeDesktop(first), win32.ERROR_BUSY)
		i.ok("CloseDesktop of the one before", i.closeDesktop(h))

		other, err := i.c.Redial(i.ctx) // a new thread
		i.ok("another connection", err)
		defer other.Close()
		r, err := other.GetThreadDesktop(i.ctx, client.ThreadRequest{ThreadID: other.Hello().ThreadID})
		i.ok("GetThreadDesktop", err)
		want(i, "a new thread's desktop", r.Handle, first)
		_, err = i.c.GetThreadDesktop(i.ctx, client.ThreadRequest{})
		i.code("thread 0", err, win32.ERROR_INVALID_PARAMETER)

		p := i.station()
		s, _, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		i.ok("SetProcessWindowStation", i.setStation(s))
		away, _, err := i.createDesktop("Away")
		i.ok("CreateDesktop", err)
		i.ok("a desktop of the process's station", i.setDesktop(away))
		i.ok("back to the startup desktop", i.setDesktop(first))
		i.ok("SetProcessWindowStation", i.setStation(p))
		i.code("a desktop of another station", i.setDesktop(away), win32.ERROR_ACCESS_DENIED)

		i.ok("SetHandleInformation", i.c.SetHandleInformation(i.ctx, client.SetHandleInformationRequest{Handle: away, Mask: 2, Flags: 2}))
		i.code("CloseDesktop of a protected handle", i.closeDesktop(away), win32.ERROR_INVALID_HANDLE)
		i.ok("SetHandleInformation", i.c.SetHandleInformation(i.ctx, client.SetHandleInformationRequest{Handle: away, Mask: 2}))
		i.ok("CloseHandle like CloseDesktop", i.closeHandle(away))
		i.ok("CloseDesktop", i.closeDesktop(spare))
		_, err = i.openDesktop("Work", maxAllowed)
		i.code("the name after the last handle", err, win32.ERROR_FILE_NOT_FOUND)
		i.code("CloseDesktop of nothing", i.closeDesktop(spare), win32.ERROR_INVALID_HANDLE)
	}
	// dt/switch-matrix and dt/input-desktop
	scenarios["switch"] = func(i *inside) {
		first := i.desktop()
		input := func() string {
			h, err := i.inputDesktop(win32.DESKTOP_READOBJECTS)
			i.ok("OpenInputDesktop", err)
			defer i.closeDesktop(h)
			want(i, "UOI_IO of the input desktop", i.flag(h, win32.UOI_IO), 1)
			return i.name(h)
		}
		want(i, "the input desktop", input(), "Default")
		h, _, err := i.createDesktop("Work")
		i.ok("CreateDesktop", err)
		i.code("(1) a station", i.switchTo(i.station()), win32.ERROR_INVALID_HANDLE)
		weak, err := i.openDesktop("Work", win32.DESKTOP_READOBJECTS)
		i.ok("OpenDesktop", err)
		i.code("(2) without the right", i.switchTo(weak), win32.ERROR_ACCESS_DENIED)
		p := i.station()
		s, _, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		i.ok("SetProcessWindowStation", i.setStation(s))
		away, _, err := i.createDesktop("Away")
		i.ok("CreateDesktop", err)
		i.code("(3) a station without a display", i.switchTo(away), win32.ERROR_ACCESS_DENIED)
		_, err = i.inputDesktop(win32.DESKTOP_READOBJECTS)
		i.code("OpenInputDesktop there", err, win32.ERROR_INVALID_FUNCTION)
		i.code("(4) not the process's station", i.switchTo(h), win32.ERROR_ACCESS_DENIED)
		i.ok("SetProcessWindowStation", i.setStation(p))
		i.ok("(5) active already", i.switchTo(first))
		i.ok("(8) a switch", i.switchTo(h))
		want(i, "the input desktop", input(), "Work")
		want(i, "UOI_IO of the one before", i.flag(first, win32.UOI_IO), 0)
		i.ok("CloseDesktop of the active one", errorsJoin(i.closeDesktop(weak), i.closeDesktop(h)))
		want(i, "the input desktop", input(), "Default") // DT-43
	}
	scenarios["at the locked screen"] = func(i *inside) {
		_, err := i.inputDesktop(win32.DESKTOP_READOBJECTS)
		i.code("OpenInputDesktop", err, win32.ERROR_ACCESS_DENIED)
		i.code("SwitchDesktop", i.switchTo(i.desktop()), win32.ERROR_ACCESS_DENIED)
		i.code("LockWorkStation", i.c.LockSession(i.ctx, client.SessionRequest{SessionID: win32.WTS_CURRENT_SESSION}), win32.ERROR_ACCESS_DENIED)
		i.code("SendInput", i.c.SendInput(i.ctx, client.SendInputRequest{SessionID: i.c.Hello().SessionID, Desktop: "Default", Events: []client.InputEvent{{Kind: 3, Text: "x"}}}), win32.ERROR_ACCESS_DENIED)
		h, _, err := i.createDesktop("Behind") // programs go on
		i.ok("CreateDesktop", err)
		i.ok("SetThreadDesktop", i.setDesktop(h))
	}
	// uo/sizes: the engine's answers; buffers are the client library's
	scenarios["information"] = func(i *inside) {
		s, d := i.station(), i.desktop()
		for _, c := range []struct {
			what  string
			h     win32.Handle
			index uint32
			bytes int
			code  win32.Errno
		}{
			{"flags of a station", s, win32.UOI_FLAGS, 12, 0}, {"flags of a desktop", d, win32.UOI_FLAGS, 12, 0},
			{"name of a station", s, win32.UOI_NAME, 2 * len("WinSta0."), 0}, {"name of a desktop", d, win32.UOI_NAME, 2 * len("Default."), 0},
			{"type of a station", s, win32.UOI_TYPE, 2 * len("WindowStation."), 0}, {"type of a desktop", d, win32.UOI_TYPE, 2 * len("Desktop."), 0},
			{"heap of a station", s, win32.UOI_HEAPSIZE, 0, win32.ERROR_INVALID_PARAMETER}, {"heap of a desktop", d, win32.UOI_HEAPSIZE, 4, 0},
			{"input of a station", s, win32.UOI_IO, 4, 0}, {"input of a desktop", d, win32.UOI_IO, 4, 0},
			{"class 0", s, 0, 0, win32.ERROR_INVALID_PARAMETER}, {"class 7", d, 7, 0, win32.ERROR_INVALID_PARAMETER}, {"class 99", d, 99, 0, win32.ERROR_INVALID_PARAMETER},
			{"no handle", 0, win32.UOI_NAME, 0, win32.ERROR_INVALID_HANDLE}, {"a stale handle", 0x4000, win32.UOI_NAME, 0, win32.ERROR_INVALID_HANDLE},
		} {
			b, err := i.info(c.h, c.index)
			i.code(c.what, err, c.code)
			want(i, "bytes of "+c.what, len(b), c.bytes)
		}
		want(i, "type", i.text(s, win32.UOI_TYPE), "WindowStation")
		want(i, "type", i.text(d, win32.UOI_TYPE), "Desktop")
		want(i, "heap", i.flag(d, win32.UOI_HEAPSIZE), 20480)
		for _, h := range []win32.Handle{s, d} {
			b, err := i.info(h, win32.UOI_USER_SID)
			i.ok("UOI_USER_SID", err)
			sid, err := parseSID(b)
			i.ok("the SID", err)
			want(i, "the station's user", sid, i.token().User)
		}
		flags := make([]byte, 12)
		flags[0] = 1
		h, err := i.openStation("WinSta0", 0)
		i.ok("OpenWindowStation with no right", err)
		i.code("a flag that is not there to set", i.c.SetUserObjectInformation(i.ctx, client.SetIndexRequest{Handle: h, Index: win32.UOI_FLAGS, Data: flags}), win32.ERROR_ACCESS_DENIED)
		flags[8] = 1
		i.ok("SetUserObjectInformation", i.c.SetUserObjectInformation(i.ctx, client.SetIndexRequest{Handle: h, Index: win32.UOI_FLAGS, Data: flags}))
		want(i, "fInherit", i.flag(h, win32.UOI_FLAGS), 1)
		i.code("too short", i.c.SetUserObjectInformation(i.ctx, client.SetIndexRequest{Handle: h, Index: win32.UOI_FLAGS, Data: flags[:11]}), win32.ERROR_INVALID_PARAMETER)
		i.code("another class", i.c.SetUserObjectInformation(i.ctx, client.SetIndexRequest{Handle: h, Index: win32.UOI_NAME, Data: flags}), win32.ERROR_INVALID_PARAMETER)
		_, err = i.c.GetUserObjectSecurity(i.ctx, client.SecurityRequest{Handle: h, Parts: 4})
		i.code("GetUserObjectSecurity without READ_CONTROL", err, win32.ERROR_ACCESS_DENIED)
		i.code("SetUserObjectSecurity without WRITE_DAC", i.c.SetUserObjectSecurity(i.ctx, client.SetSecurityRequest{Handle: h, Parts: 4, Descriptor: everybody}), win32.ERROR_ACCESS_DENIED)
		want(i, "the logon is the station's", slices.ContainsFunc(aclSIDs(i, s), func(sid string) bool { return strings.HasPrefix(sid, "S-1-5-5-") }), true)
		mine, _, err := i.createDesktop("Open")
		i.ok("CreateDesktop", err)
		weak, err := i.openDesktop("Open", win32.DESKTOP_READOBJECTS)
		i.ok("OpenDesktop", err)
		i.ok("SetUserObjectSecurity", i.c.SetUserObjectSecurity(i.ctx, client.SetSecurityRequest{Handle: mine, Parts: 4, Descriptor: nobody}))
		_, err = i.openDesktop("Open", win32.DESKTOP_READOBJECTS)
		i.code("a later open", err, win32.ERROR_ACCESS_DENIED)
		want(i, "an earlier handle", i.name(weak), "Open")
		i.ok("the right that the handle has", i.switchTo(mine))
		i.ok("back", i.switchTo(d))
	}
}

func TestDesktops(t *testing.T) {
	s := newStage(t)
	t.Run("create, open, list", func(t *testing.T) {
		conform.Rule(t, "DT-3", "DT-5", "DT-10", "DT-12", "DT-13", "DT-15", "DT-16", "DT-17", "DT-18", "DT-19", "DT-20", "DT-24", "DT-25", "DT-29", "DT-30", "DT-31", "TC-6")
		s.play(t, s.alice, "desktops")
	})
	t.Run("dt/busy, dt/close", func(t *testing.T) {
		conform.Rule(t, "DT-33", "DT-34", "DT-36", "DT-38", "DT-39", "DT-40", "DT-41", "TC-8", "HN-3")
		s.play(t, s.alice, "thread desktop")
	})
	t.Run("dt/switch-matrix, dt/input-desktop", func(t *testing.T) {
		conform.Rule(t, "DT-43", "DT-44", "DT-46", "DT-51", "UO-6")
		s.play(t, s.alice, "switch")
	})
	t.Run("uo/sizes", func(t *testing.T) {
		conform.Rule(t, "UO-1", "UO-2", "UO-3", "UO-4", "UO-5", "UO-6", "UO-7", "UO-12", "UO-13", "UO-14", "UO-15", "UO-16", "AR-29", "AR-30")
		s.play(t, s.alice, "information")
	})
	t.Run("locked", func(t *testing.T) {
		conform.Rule(t, "DT-44", "DT-46", "DT-49", "DT-52", "IN-11", "LGN-17")
		if err := s.c.LockSession(t.Context(), client.SessionRequest{SessionID: s.alice}); err != nil {
			t.Fatal(err)
		}
		s.play(t, s.alice, "at the locked screen")
		if err := s.c.UnlockSession(t.Context(), client.UnlockSessionRequest{SessionID: s.alice, Password: "alice-pw"}); err != nil {
			t.Fatal(err)
		}
		s.play(t, s.alice, "switch")
	})
}
