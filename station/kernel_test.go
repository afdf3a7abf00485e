// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestJobs(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	t.Run("terminate", func(t *testing.T) {
		conform.Rule(t, "SE-60", "OBJ-7")
		j, _, err := th.CreateJobObject(name("job"))
		w.ok(err)
		child, h := w.child(th, station.ProcessOptions{})
		in, err := th.IsProcessInJob(h, 0)
		w.ok(err)
		same(t, "in a job", in, false)
		w.ok(th.AssignProcessToJob(j, h))
		rule(t, th.AssignProcessToJob(j, h), win32.ERROR_ACCESS_DENIED, "SE-60")
		_, grand := w.child(child, station.ProcessOptions{}) // what a member starts is one too
		ids, err := th.JobProcesses(j)
		w.ok(err)
		same(t, "members", len(ids), 2)
		in, err = th.IsProcessInJob(h, j)
		w.ok(err)
		same(t, "in the job", in, true)
		weak, err := th.OpenJobObject("job", win32.JOB_OBJECT_QUERY, false)
		w.ok(err)
		rule(t, th.TerminateJob(weak, 9), win32.ERROR_ACCESS_DENIED, "SE-60")
		rule(t, th.AssignProcessToJob(weak, win32.CurrentProcess), win32.ERROR_ACCESS_DENIED, "SE-60")
		got(t, one(th, j, 0), timeout)
		_ = grand
		w.ok(th.TerminateJob(j, 99))
		same(t, "exit code", ended(t, th, h), 99)
		eventually(t, "the end of all members", func() bool {
			ids, _ := th.JobProcesses(j)
			return len(ids) == 0
		})
		_, _, ok := child.Process().ExitCode()
		same(t, "ended", ok, true)
		rule(t, th.AssignProcessToJob(j, h), win32.ERROR_ACCESS_DENIED, "SE-60") // ended
	})
	t.Run("one session", func(t *testing.T) {
		conform.Rule(t, "SES-4")
		sys := w.system()
		j, _, err := sys.CreateJobObject(station.NamedOptions{})
		w.ok(err)
		w.ok(sys.AssignProcessToJob(j, win32.CurrentProcess))
		p, err := sys.OpenProcess(th.Process().ID(), win32.PROCESS_ALL_ACCESS, false)
		w.ok(err)
		rule(t, sys.AssignProcessToJob(j, p), win32.ERROR_ACCESS_DENIED, "SES-4")
	})
}

func TestKernelHandles(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	t.Run("HND-4/inheritance", func(t *testing.T) {
		conform.Rule(t, "HND-4", "HND-5")
		var inherit, private []win32.Handle
		for i, m := range makers {
			h, _, err := m.create(th, station.NamedOptions{Inherit: true})
			w.ok(err)
			inherit = append(inherit, h)
			h, _, err = m.create(th, station.NamedOptions{})
			w.ok(err)
			private = append(private, h)
			if i == 0 {
				w.ok(th.SetHandleInformation(inherit[0], win32.HANDLE_FLAG_PROTECT_FROM_CLOSE, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE))
			}
		}
		for _, pseudo := range []win32.Handle{win32.CurrentProcess, win32.CurrentThread} {
			h, err := th.DuplicateHandle(win32.CurrentProcess, pseudo, win32.CurrentProcess, 0, true, win32.DUPLICATE_SAME_ACCESS)
			w.ok(err)
			inherit = append(inherit, h)
		}
		child, _ := w.child(th, station.ProcessOptions{InheritHandles: true})
		for _, h := range inherit {
			a, err := th.QueryObject(h)
			w.ok(err)
			b, err := child.QueryObject(h)
			w.ok(err)
			a.Handles, b.Handles = 0, 0
			same(t, "inherited handle", b, a)
		}
		for _, h := range private {
			_, err := child.QueryObject(h)
			code(t, err, win32.ERROR_INVALID_HANDLE)
		}
		// The same object, not a copy.
		got(t, one(child, inherit[0], 0), timeout)
		w.ok(th.SetEvent(inherit[0]))
		got(t, one(child, inherit[0], 0), 0)
		none, _ := w.child(th, station.ProcessOptions{})
		_, err := none.QueryObject(inherit[1])
		code(t, err, win32.ERROR_INVALID_HANDLE)
	})
	t.Run("HND-2/protect", func(t *testing.T) {
		conform.Rule(t, "HND-2", "HND-3")
		h := event(t, th, station.NamedOptions{})
		w.ok(th.SetHandleInformation(h, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE))
		rule(t, th.CloseHandle(h), win32.ERROR_INVALID_HANDLE, "HND-2")
		w.ok(th.SetEvent(h))
		w.ok(th.SetHandleInformation(h, win32.HANDLE_FLAG_PROTECT_FROM_CLOSE, 0))
		w.ok(th.CloseHandle(h))
		rule(t, th.CloseHandle(h), win32.ERROR_INVALID_HANDLE, "HND-3")
	})
	t.Run("HND-6/duplicate", func(t *testing.T) {
		conform.Rule(t, "HND-6", "HND-7", "HND-11")
		m, _, err := th.CreateMutex(station.NamedOptions{Name: "dup"}, false)
		w.ok(err)
		h, err := th.DuplicateHandle(win32.CurrentProcess, m, win32.CurrentProcess, win32.GENERIC_WRITE, false, 0)
		w.ok(err)
		same(t, "GENERIC_WRITE of a mutex", granted(t, th, h), 0x20000)
		full, err := th.DuplicateHandle(win32.CurrentProcess, h, win32.CurrentProcess, win32.MUTEX_ALL_ACCESS, false, 0)
		w.ok(err) // more than the source: checked anew
		same(t, "checked anew", granted(t, th, full), win32.MUTEX_ALL_ACCESS)
		_, err = th.DuplicateHandle(win32.CurrentProcess, h, win32.CurrentProcess, 0xFFFFFFFF, false, 0)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		eq, err := th.CompareObjectHandles(h, m)
		w.ok(err)
		same(t, "same object", eq, true)
		eq, err = th.CompareObjectHandles(h, event(t, th, station.NamedOptions{}))
		w.ok(err)
		same(t, "another object", eq, false)
		_, err = th.CompareObjectHandles(h, 0)
		code(t, err, win32.ERROR_INVALID_HANDLE)
		// Into a process that would not be granted more.
		bob := w.start(w.logon(1002).token, nil)
		sys := w.system()
		from, err := sys.OpenProcess(th.Process().ID(), win32.PROCESS_DUP_HANDLE, false)
		w.ok(err)
		into, err := sys.OpenProcess(bob.Process().ID(), win32.PROCESS_DUP_HANDLE, false)
		w.ok(err)
		given, err := sys.DuplicateHandle(from, h, into, 0, false, win32.DUPLICATE_SAME_ACCESS)
		w.ok(err)
		same(t, "given", granted(t, bob, given), 0x20000)
		_, err = sys.DuplicateHandle(from, h, into, win32.MUTEX_ALL_ACCESS, false, 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "HND-6")
		// The number of a handle means nothing in another process.
		_, err = bob.QueryObject(m)
		code(t, err, win32.ERROR_INVALID_HANDLE)
	})
	t.Run("HND-10/quota", func(t *testing.T) {
		conform.Rule(t, "HND-10")
		w := newWorld(t, func(o *station.Options) { o.Settings.MaxHandles, o.Settings.MaxSections = 6, 2 })
		th := w.start(w.logon(1001).token, nil)
		for range 2 {
			_, _, err := th.CreateFileMapping(station.NamedOptions{}, win32.PAGE_READWRITE, 1)
			w.ok(err)
		}
		_, _, err := th.CreateFileMapping(name("s"), win32.PAGE_READWRITE, 1)
		rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
		w.ok(th.CloseHandle(4))
		_, _, err = th.CreateFileMapping(name("s"), win32.PAGE_READWRITE, 1)
		w.ok(err)
		for {
			if _, _, err = th.CreateEvent(name("full"), false, false); err != nil {
				break
			}
		}
		rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
		_, _, err = th.CreateMutex(name("nothing"), true)
		rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
		w.ok(th.CloseHandle(8))
		_, err = th.OpenMutex("nothing", win32.MUTEX_ALL_ACCESS, false) // what got no handle has no name
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
	})
	t.Run("HND-14/threads", func(t *testing.T) {
		conform.Rule(t, "HND-14", "HND-1", "SYN-4", "SE-53")
		other := w.second(th)
		h, err := th.OpenThread(other.ID(), win32.SYNCHRONIZE|win32.THREAD_QUERY_INFORMATION, false)
		w.ok(err)
		got(t, one(th, h, 0), timeout)
		other.Detach()
		got(t, one(th, h, 0), 0)
		got(t, one(th, h, 0), 0)
		_, err = th.OpenThread(other.ID(), win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		bob := w.start(w.logon(1003).token, nil)
		_, err = th.OpenThread(bob.ID(), win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		admin := w.start(w.logonAs(1004, true).token.WithPrivileges(security.PrivilegeState{Privilege: security.SeDebugPrivilege, Attributes: security.PrivilegeEnabled}), nil)
		_, err = admin.OpenThread(bob.ID(), win32.THREAD_ALL_ACCESS, false)
		w.ok(err)
	})
}
