// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestCreateProcessToken(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	user := w.start(alice.token, nil)
	sys := w.system()
	run := func(of *station.Thread, h win32.Handle) error {
		_, _, err := of.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Token: h})
		return err
	}
	t.Run("PRC-2/privileges", func(t *testing.T) {
		conform.Rule(t, "PRC-2", "PRC-1")
		h, err := user.InsertToken(w.userToken(1, 1002, false), 0, "")
		w.ok(err)
		rule(t, run(user, h), win32.ERROR_PRIVILEGE_NOT_HELD, "PRC-2")
		low := w.start(alice.token, nil)
		mine, err := low.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_ALL_ACCESS)
		w.ok(err)
		less, err := low.RestrictToken(mine, security.RestrictSpec{Restricting: []security.SID{security.Restricted}})
		w.ok(err)
		w.ok(run(low, less))
		before, err := low.DuplicateToken(mine, 0, security.TokenPrimary, security.SecurityAnonymous, false)
		w.ok(err)
		w.ok(low.SetTokenInformation(mine, station.TokenIntegrityLevel, append(make([]byte, 4), security.LevelSID(security.LevelLow).Bytes()...)))
		rule(t, run(low, before), win32.ERROR_PRIVILEGE_NOT_HELD, "PRC-2")
		// An administrator holds SeIncreaseQuota but not SeAssignPrimaryToken: a
		// copy or a restricted version of its own token it may use, no other.
		user := w.start(w.logonAs(1003, true).token, nil)
		h, err = user.InsertToken(w.userToken(1, 1002, false), 0, "")
		w.ok(err)
		rule(t, run(user, h), win32.ERROR_PRIVILEGE_NOT_HELD, "PRC-2")
		own, err := user.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_ALL_ACCESS)
		w.ok(err)
		w.ok(run(user, own))
		dup, err := user.DuplicateToken(own, 0, security.TokenPrimary, security.SecurityAnonymous, false)
		w.ok(err)
		w.ok(run(user, dup))
		again, err := user.DuplicateToken(dup, 0, security.TokenPrimary, security.SecurityAnonymous, false)
		w.ok(err)
		w.ok(run(user, again))
		restricted, err := user.RestrictToken(own, security.RestrictSpec{Flags: security.DisableMaxPrivilege})
		w.ok(err)
		w.ok(run(user, restricted))
		// Held is enough for LocalSystem, whose privileges are partly disabled.
		h, err = sys.InsertToken(alice.token, 0, "")
		w.ok(err)
		w.ok(run(sys, h))
	})
	t.Run("PRC-3/handles", func(t *testing.T) {
		conform.Rule(t, "PRC-3", "PRC-4")
		h, err := sys.InsertToken(alice.token, win32.TOKEN_QUERY, "")
		w.ok(err)
		rule(t, run(sys, h), win32.ERROR_ACCESS_DENIED, "PRC-3")
		h, err = sys.InsertToken(alice.token, win32.TOKEN_QUERY|win32.TOKEN_ASSIGN_PRIMARY, "")
		w.ok(err)
		w.ok(run(sys, h))
		rule(t, run(sys, win32.CurrentProcessToken), win32.ERROR_INVALID_HANDLE, "PRC-4")
		code(t, run(sys, 0x4000), win32.ERROR_INVALID_HANDLE)
		full, err := sys.InsertToken(alice.token, 0, "")
		w.ok(err)
		for level, want := range map[security.ImpersonationLevel]win32.Errno{
			security.SecurityIdentification: win32.ERROR_BAD_IMPERSONATION_LEVEL, security.SecurityImpersonation: 0, security.SecurityDelegation: 0,
		} {
			imp, err := sys.DuplicateToken(full, 0, security.TokenImpersonation, level, false)
			w.ok(err)
			code(t, run(sys, imp), want)
		}
	})
	t.Run("PRC-6/session of a token", func(t *testing.T) {
		conform.Rule(t, "PRC-6", "PRC-7")
		own, err := sys.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_ALL_ACCESS)
		w.ok(err)
		rule(t, sys.SetTokenSession(own, 1), win32.ERROR_INVALID_PARAMETER, "PRC-6")
		dup, err := sys.DuplicateToken(own, 0, security.TokenPrimary, security.SecurityAnonymous, false)
		w.ok(err)
		w.ok(sys.SetTokenSession(dup, 99))
		rule(t, run(sys, dup), win32.ERROR_CTX_WINSTATION_NOT_FOUND, "PRC-7")
		w.ok(sys.SetTokenSession(dup, 1))
		child, _ := w.child(sys, station.ProcessOptions{Token: dup, Desktop: text(`WinSta0\Winlogon`)})
		same(t, "session", child.Process().Session().ID(), 1)
		weak, err := sys.DuplicateToken(own, win32.TOKEN_QUERY, security.TokenPrimary, security.SecurityAnonymous, false)
		w.ok(err)
		rule(t, sys.SetTokenSession(weak, 1), win32.ERROR_ACCESS_DENIED, "PRC-6")
		low := w.start(alice.token, nil)
		mine, err := low.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_DUPLICATE|win32.TOKEN_ADJUST_SESSIONID)
		w.ok(err)
		udup, err := user.DuplicateToken(mine, 0, security.TokenPrimary, security.SecurityAnonymous, false)
		w.ok(err)
		rule(t, user.SetTokenSession(udup, 2), win32.ERROR_PRIVILEGE_NOT_HELD, "PRC-6")
	})
	t.Run("shared", func(t *testing.T) {
		conform.Rule(t, "PRC-3", "PRC-4", "PRC-7", "SES-9", "SES-1")
		w := newWorld(t, func(o *station.Options) { o.Mode = station.Shared })
		sys := w.system()
		run := func(h win32.Handle) error {
			_, _, err := sys.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Token: h})
			return err
		}
		tok := w.userToken(0, 1001, false)
		w.ok(w.e.LogonSession(w.zero, station.Logon{Token: tok, Name: "first"})) // session 0 is the console's
		h, err := sys.InsertToken(tok, win32.TOKEN_QUERY|win32.TOKEN_ASSIGN_PRIMARY, "")
		w.ok(err)
		rule(t, run(h), win32.ERROR_ACCESS_DENIED, "PRC-3")
		h, err = sys.InsertToken(w.userToken(5, 1001, false), 0, "")
		w.ok(err)
		rule(t, run(h), win32.ERROR_PIPE_NOT_CONNECTED, "PRC-7")
		h, err = sys.InsertToken(tok, 0, "")
		w.ok(err)
		imp, err := sys.DuplicateToken(h, 0, security.TokenImpersonation, security.SecurityImpersonation, false)
		w.ok(err)
		rule(t, run(imp), win32.ERROR_BAD_TOKEN_TYPE, "PRC-4")
		// Logging off ends the user's programs; services stay.
		child, _ := w.child(sys, station.ProcessOptions{Token: h, Desktop: text(`WinSta0\Default`)})
		w.ok(w.e.LogoffSession(t.Context(), w.zero))
		<-child.Process().Done()
		_, _, alive := sys.Process().ExitCode()
		same(t, "service ended", alive, false)
	})
}

func TestCreateProcessErrors(t *testing.T) {
	conform.Rule(t, "PRC-22")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	before := th.Process().HandleCount()
	running := w.host.Running()
	for _, c := range []struct {
		host error
		want win32.Errno
	}{
		{fs.ErrNotExist, win32.ERROR_FILE_NOT_FOUND}, {syscall.ENOENT, win32.ERROR_FILE_NOT_FOUND},
		{fs.ErrPermission, win32.ERROR_ACCESS_DENIED}, {syscall.EACCES, win32.ERROR_ACCESS_DENIED},
		{syscall.ENOEXEC, win32.ERROR_BAD_EXE_FORMAT}, {syscall.ENOTDIR, win32.ERROR_PATH_NOT_FOUND},
		{syscall.EAGAIN, win32.ERROR_NOT_ENOUGH_MEMORY}, {errors.New("the holder is gone"), win32.ERROR_GEN_FAILURE},
	} {
		w.host.OnSpawn(func(*station.MemoryProcess) error { return fmt.Errorf("spawn: %w", c.host) })
		_, _, err := th.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x"})
		code(t, err, c.want)
		if !errors.Is(err, c.host) {
			t.Errorf("%v does not say %v", err, c.host)
		}
	}
	w.host.OnSpawn(nil)
	for _, o := range []station.ProcessOptions{{}, {Path: "a\x00b"}, {Path: "/x", Args: []string{"\x00"}}, {Path: "/x", Env: []string{"A=\x00"}}} {
		_, _, err := th.CreateProcess(t.Context(), o)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
	}
	// A session without a host has nowhere to run programs.
	s, err := w.e.CreateSession(t.Context(), station.SessionOptions{})
	w.ok(err)
	_, err = w.e.StartProcess(t.Context(), security.SystemToken(s.ID()), station.ProcessOptions{Path: "/x"})
	code(t, err, win32.ERROR_NOT_SUPPORTED)
	same(t, "handles", th.Process().HandleCount(), before)
	same(t, "programs", w.host.Running(), running)
}

func TestProcessEnd(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	t.Run("exit code", func(t *testing.T) {
		conform.Rule(t, "HND-8", "HND-9", "PRC-15")
		h, pid, err := th.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", Tag: "job"})
		w.ok(err)
		c, _, err := th.ExitCode(h)
		w.ok(err)
		same(t, "exit code while it runs", c, 259)
		r, err := th.WaitForSingleObject(t.Context(), h, 0)
		w.ok(err)
		same(t, "wait of 0 ms", r, uint32(win32.WAIT_TIMEOUT))
		w.host.Process(pid).Exit(42)
		same(t, "exit code", ended(t, th, h), 42)
		code(t, th.TerminateProcess(h, 1), win32.ERROR_ACCESS_DENIED)
		// Its record can be opened a while longer, and the host is not told to
		// forget it before.
		h2, err := th.OpenProcess(pid, win32.PROCESS_QUERY_LIMITED_INFORMATION|win32.SYNCHRONIZE, false)
		w.ok(err)
		same(t, "through another handle", ended(t, th, h2), 42)
		if w.host.Process(pid) == nil {
			t.Fatal("the host forgot the exit code")
		}
	})
	t.Run("signals", func(t *testing.T) {
		h, pid, err := th.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x"})
		w.ok(err)
		w.ok(th.SignalProcess(h, 0))
		code(t, th.SignalProcess(h, 65), win32.ERROR_INVALID_PARAMETER)
		w.ok(th.SignalProcess(h, 15))
		same(t, "exit code", ended(t, th, h), 143)
		_, sig, err := th.ExitCode(h)
		w.ok(err)
		same(t, "signal", sig, 15)
		_, alive := w.e.Process(pid)
		same(t, "listed", alive, false)
		weak, err := th.OpenProcess(th.Process().ID(), win32.PROCESS_QUERY_LIMITED_INFORMATION, false)
		w.ok(err)
		code(t, th.SignalProcess(weak, 15), win32.ERROR_ACCESS_DENIED)
		code(t, th.TerminateProcess(weak, 0), win32.ERROR_ACCESS_DENIED)
	})
	t.Run("AR-2/wait for a desktop", func(t *testing.T) {
		conform.Rule(t, "AR-2", "SYN-1")
		d, err := th.OpenDesktop("Default", 0, maxAllowed, false)
		w.ok(err)
		_, err = th.WaitForSingleObject(t.Context(), d, 0)
		code(t, err, win32.ERROR_INVALID_HANDLE)
	})
	t.Run("time-out and cancel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			sys := w.system()
			h, _, err := sys.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x"})
			w.ok(err)
			from := time.Now()
			r, err := sys.WaitForSingleObject(t.Context(), h, 1500)
			w.ok(err)
			same(t, "result", r, uint32(win32.WAIT_TIMEOUT))
			same(t, "waited", time.Since(from), 1500*time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if _, err := sys.WaitForSingleObject(ctx, h, 0xFFFFFFFF); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
		})
	})
	t.Run("host gone", func(t *testing.T) {
		before := w.e.LastEvent()
		w.ok(alice.session.Host().End(t.Context()))
		<-th.Process().Done()
		eventually(t, "the event of the host's end", func() bool {
			evs, err := w.e.ReadEvents(t.Context(), before, 0)
			w.ok(err)
			for _, ev := range evs {
				if ev.Kind == station.EventSessionHost && ev.Fields["state"] == "gone" && ev.Session == 1 {
					return true
				}
			}
			return false
		})
	})
}

func TestManyEndedProcesses(t *testing.T) {
	w := newWorld(t)
	sys := w.system()
	var first int
	for i := range 300 {
		h, pid, err := sys.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x"})
		w.ok(err)
		if i == 0 {
			first = pid
		}
		w.host.Process(pid).Exit(0)
		ended(t, sys, h)
		w.ok(sys.CloseHandle(h))
	}
	eventually(t, "forgetting", func() bool { return w.host.Process(first) == nil })
	_, err := sys.OpenProcess(first, win32.PROCESS_QUERY_LIMITED_INFORMATION, false)
	code(t, err, win32.ERROR_INVALID_PARAMETER)
}
