// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestHandles(t *testing.T) {
	w := newWorld(t, func(o *station.Options) { o.Settings.MaxHandles = 8 })
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	t.Run("HN-2/values", func(t *testing.T) {
		conform.Rule(t, "HN-1", "HN-2", "HND-1", "HND-3", "HND-10")
		var all []win32.Handle
		for i := range 8 {
			h, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMERATE, false)
			w.ok(err)
			same(t, "handle", h, win32.Handle(4*(i+1)))
			all = append(all, h)
		}
		_, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMERATE, false)
		rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
		w.ok(th.CloseHandle(all[5]))
		w.ok(th.CloseHandle(all[2] | 3)) // the two low bits do not count
		for _, want := range []win32.Handle{12, 24} {
			h, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMERATE, false)
			w.ok(err)
			same(t, "lowest free", h, want)
		}
		for _, h := range []win32.Handle{0, 1, 2, 3, 36, 0x7FFFFFFC, 0x80000000} {
			rule(t, th.CloseHandle(h), win32.ERROR_INVALID_HANDLE, "HND-3")
		}
		for _, h := range []win32.Handle{win32.CurrentProcess, win32.CurrentThread, win32.CurrentEffectiveToken} {
			w.ok(th.CloseHandle(h))
		}
		for _, h := range all {
			w.ok(th.CloseHandle(h))
		}
	})
}

func TestDuplicateHandle(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	a, b := w.start(alice.token, nil), w.start(alice.token, nil)
	me := win32.CurrentProcess
	weak, err := a.OpenDesktop("Default", 0, win32.DESKTOP_READOBJECTS|win32.DESKTOP_WRITEOBJECTS, false)
	w.ok(err)
	t.Run("HND-6/rights", func(t *testing.T) {
		conform.Rule(t, "HN-4", "HND-6", "HND-7", "HN-5")
		for _, c := range []struct {
			desired, want win32.AccessMask
			options       uint32
			code          win32.Errno
		}{
			{0, 0x81, win32.DUPLICATE_SAME_ACCESS, 0},
			{win32.DESKTOP_READOBJECTS, 0x1, 0, 0},
			{0, 0, 0, 0},
			{win32.DESKTOP_ALL_ACCESS, 0x1FF, 0, 0}, // more than the source: checked anew, granted
			{win32.GENERIC_READ, 0x20041, 0, 0},     // generic bits are mapped
			{win32.SYNCHRONIZE, 0, 0, win32.ERROR_ACCESS_DENIED},
			{0xFFFFFFFF, 0, 0, win32.ERROR_ACCESS_DENIED}, // unknown high bits
			{win32.ACCESS_SYSTEM_SECURITY, 0, 0, win32.ERROR_PRIVILEGE_NOT_HELD},
			{0, 0, 4, win32.ERROR_INVALID_PARAMETER},
		} {
			h, err := a.DuplicateHandle(me, weak, me, c.desired, true, c.options)
			code(t, err, c.code)
			if err != nil {
				same(t, "handle of a failure", h, 0)
				continue
			}
			same(t, "granted", granted(t, a, h), c.want)
			f, _ := a.HandleInformation(h)
			same(t, "flags", f, win32.HANDLE_FLAG_INHERIT)
		}
	})
	t.Run("HND-6/into another process", func(t *testing.T) {
		conform.Rule(t, "HN-4", "HND-6", "HN-5")
		noDup, err := a.OpenProcess(b.Process().ID(), win32.PROCESS_QUERY_INFORMATION, false)
		w.ok(err)
		_, err = a.DuplicateHandle(me, weak, noDup, 0, false, win32.DUPLICATE_SAME_ACCESS)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "HND-6")
		_, err = a.DuplicateHandle(noDup, weak, me, 0, false, win32.DUPLICATE_SAME_ACCESS)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "HND-6")
		_, err = a.DuplicateHandle(me, weak, 0x4000, 0, false, win32.DUPLICATE_SAME_ACCESS)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "HND-6")
		into, err := a.OpenProcess(b.Process().ID(), win32.PROCESS_DUP_HANDLE, false)
		w.ok(err)
		h, err := a.DuplicateHandle(me, weak, into, 0, false, win32.DUPLICATE_SAME_ACCESS)
		w.ok(err)
		same(t, "granted", granted(t, b, h), win32.AccessMask(0x81))
		back, err := a.DuplicateHandle(into, h, me, 0, false, win32.DUPLICATE_SAME_ACCESS|win32.DUPLICATE_CLOSE_SOURCE)
		w.ok(err)
		eq, err := a.CompareObjectHandles(back, weak)
		w.ok(err)
		same(t, "same object", eq, true)
		_, err = b.HandleInformation(h)
		code(t, err, win32.ERROR_INVALID_HANDLE)
	})
	t.Run("HND-6/close source", func(t *testing.T) {
		conform.Rule(t, "HN-4", "HND-6", "HND-2")
		h, _, err := a.CreateDesktop(desk("Once"))
		w.ok(err)
		// The rest fails, the source is closed all the same.
		_, err = a.DuplicateHandle(me, h, 0x4000, 0, false, win32.DUPLICATE_CLOSE_SOURCE|win32.DUPLICATE_SAME_ACCESS)
		code(t, err, win32.ERROR_INVALID_HANDLE)
		_, err = a.OpenDesktop("Once", 0, maxAllowed, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
		// The startup desktop's handle is in use.
		d, err := a.ThreadDesktop(a.ID())
		w.ok(err)
		_, err = a.DuplicateHandle(me, d, me, 0, false, win32.DUPLICATE_CLOSE_SOURCE|win32.DUPLICATE_SAME_ACCESS)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "HN-4")
	})
	t.Run("pseudo-handles", func(t *testing.T) {
		conform.Rule(t, "HND-1", "HND-11")
		h, err := a.DuplicateHandle(me, me, me, 0, false, win32.DUPLICATE_SAME_ACCESS)
		w.ok(err)
		eq, err := a.CompareObjectHandles(h, me)
		w.ok(err)
		same(t, "same process", eq, true)
		same(t, "granted", granted(t, a, h), win32.PROCESS_ALL_ACCESS)
		h, err = a.DuplicateHandle(me, win32.CurrentThread, me, 0, false, win32.DUPLICATE_SAME_ACCESS)
		w.ok(err)
		same(t, "granted", granted(t, a, h), win32.THREAD_ALL_ACCESS)
	})
	t.Run("HND-14/OpenProcess", func(t *testing.T) {
		conform.Rule(t, "HND-14", "SE-60", "PRC-14", "SES-3")
		bob := w.start(w.logon(1002).token, nil)
		_, err := a.OpenProcess(bob.Process().ID(), win32.PROCESS_QUERY_LIMITED_INFORMATION, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		_, err = a.OpenProcess(999999, win32.PROCESS_TERMINATE, false)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		root := w.start(w.logonAs(1003, true).token, nil)
		_, err = root.OpenProcess(bob.Process().ID(), win32.PROCESS_ALL_ACCESS, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		tok, err := root.OpenProcessToken(me, win32.TOKEN_ADJUST_PRIVILEGES|win32.TOKEN_QUERY)
		w.ok(err)
		_, all, err := root.AdjustPrivileges(tok, false, []security.PrivilegeState{{Privilege: security.SeDebugPrivilege, Attributes: security.PrivilegeEnabled}})
		w.ok(err)
		same(t, "all adjusted", all, true)
		h, err := root.OpenProcess(bob.Process().ID(), win32.PROCESS_ALL_ACCESS, false)
		w.ok(err)
		w.ok(root.TerminateProcess(h, 77))
		same(t, "exit code", ended(t, root, h), 77)
	})
}
