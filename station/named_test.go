// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// maker creates an object of one type.
type maker struct {
	kind   string
	create func(th *station.Thread, o station.NamedOptions) (win32.Handle, bool, error)
	open   func(th *station.Thread, name string, desired win32.AccessMask, inherit bool) (win32.Handle, error)
	all    win32.AccessMask
}

var makers = []maker{
	{"Event", func(th *station.Thread, o station.NamedOptions) (win32.Handle, bool, error) {
		return th.CreateEvent(o, false, false)
	}, (*station.Thread).OpenEvent, win32.EVENT_ALL_ACCESS},
	{"Mutant", func(th *station.Thread, o station.NamedOptions) (win32.Handle, bool, error) {
		return th.CreateMutex(o, false)
	}, (*station.Thread).OpenMutex, win32.MUTEX_ALL_ACCESS},
	{"Semaphore", func(th *station.Thread, o station.NamedOptions) (win32.Handle, bool, error) {
		return th.CreateSemaphore(o, 0, 1)
	}, (*station.Thread).OpenSemaphore, win32.SEMAPHORE_ALL_ACCESS},
	{"Timer", func(th *station.Thread, o station.NamedOptions) (win32.Handle, bool, error) {
		return th.CreateWaitableTimer(o, false)
	}, (*station.Thread).OpenWaitableTimer, win32.TIMER_ALL_ACCESS},
	{"Section", func(th *station.Thread, o station.NamedOptions) (win32.Handle, bool, error) {
		return th.CreateFileMapping(o, win32.PAGE_READWRITE, 4096)
	}, (*station.Thread).OpenFileMapping, 0xF0007},
	{"Job", (*station.Thread).CreateJobObject, (*station.Thread).OpenJobObject, win32.JOB_OBJECT_ALL_ACCESS},
}

func name(s string) station.NamedOptions { return station.NamedOptions{Name: s} }

func event(t testing.TB, th *station.Thread, o station.NamedOptions) win32.Handle {
	t.Helper()
	h, _, err := th.CreateEvent(o, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sddl(s string) *security.Descriptor { return security.MustSDDL(s) }

func TestObjectTree(t *testing.T) {
	w := newWorld(t)
	sys := w.system()
	alice := w.logon(1001)
	user := w.start(alice.token, nil)
	t.Run("OBJ-2/directories", func(t *testing.T) {
		conform.Rule(t, "OBJ-1", "OBJ-2", "OBJ-18", "SES-4")
		for _, path := range []string{`\`, `\BaseNamedObjects`, `\Sessions`, `\Sessions\BNOLINKS`, `\Windows\WindowStations`, `\Device\NamedPipe`, `\RPC Control`,
			`\Sessions\1\BaseNamedObjects`, `\Sessions\1\Windows\WindowStations`, `\Sessions\1\DosDevices`} {
			o, err := sys.ObjectAt("test", path)
			w.ok(err)
			same(t, path, o.Head().Kind().Name, "Directory")
		}
		for _, path := range []string{`\sessions`, `\Sessions\2`, `\Windows\WindowStations\winSTA9`} {
			_, err := sys.ObjectAt("test", path)
			code(t, err, win32.ERROR_FILE_NOT_FOUND)
		}
		if _, err := sys.ObjectAt("test", `\Sessions\1\Windows\WindowStations\winsta0\default`); err != nil {
			t.Errorf("names of stations and desktops are compared with case: %v", err)
		}
		for path, want := range map[string]win32.Errno{
			`x`: win32.ERROR_BAD_PATHNAME, ``: win32.ERROR_BAD_PATHNAME, `\No\x`: win32.ERROR_PATH_NOT_FOUND, `\BaseNamedObjects\\x`: win32.ERROR_PATH_NOT_FOUND,
			`\` + strings.Repeat("x", 2000): win32.ERROR_FILENAME_EXCED_RANGE,
		} {
			_, err := sys.ObjectAt("test", path)
			code(t, err, want)
		}
	})
	t.Run("OBJ-3/links", func(t *testing.T) {
		conform.Rule(t, "OBJ-3")
		x := event(t, user, name("x"))
		for _, path := range []string{`\Sessions\1\BaseNamedObjects\x`, `\Sessions\1\BaseNamedObjects\Local\x`, `\BaseNamedObjects\Session\1\x`,
			`\Sessions\BNOLINKS\1\x`, `\Sessions\1\BaseNamedObjects\Session\1\Local\x`} {
			o, err := user.ObjectAt("test", path)
			w.ok(err)
			same(t, path, o.Head().ObjectName(), "x")
		}
		g := event(t, user, name(`Global\g`))
		for _, path := range []string{`\BaseNamedObjects\g`, `\Sessions\0\BaseNamedObjects\g`, `\Sessions\1\BaseNamedObjects\Global\g`, `\Sessions\BNOLINKS\0\g`} {
			if _, err := user.ObjectAt("test", path); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		w.ok(user.CloseHandle(x))
		w.ok(user.CloseHandle(g))
		// The links and directories of a session go with it.
		bob := w.logon(1002)
		_, err := sys.ObjectAt("test", `\Sessions\BNOLINKS\2`)
		w.ok(err)
		w.ok(w.e.EndSession(context.Background(), bob.session.ID()))
		for _, path := range []string{`\Sessions\BNOLINKS\2`, `\Sessions\2`} {
			_, err := sys.ObjectAt("test", path)
			code(t, err, win32.ERROR_FILE_NOT_FOUND)
		}
	})
	t.Run("OBJ-4/descriptors", func(t *testing.T) {
		conform.Rule(t, "OBJ-4")
		sd := func(path string) *security.Descriptor {
			o, err := sys.ObjectAt("test", path)
			w.ok(err)
			return o.Head().Descriptor()
		}
		sameSDDL(t, "global", sd(`\BaseNamedObjects`), security.DACLInformation|security.LabelInformation, "D:(A;;0xf000f;;;SY)(A;;0xf;;;WD)S:(ML;;NW;;;LW)")
		const dacl = "D:(A;;0xf000f;;;SY)(A;;0x3;;;BA)(A;;0xf000f;;;%s)"
		sameSDDL(t, "session", sd(`\Sessions\1\BaseNamedObjects`), security.DACLInformation, fmt.Sprintf(dacl, alice.token.LogonSID()))
		// A program that was started in the session as somebody else, too.
		carol := w.userToken(1, 1009, false)
		event(t, w.start(carol, text("")), name("carol's"))
		sameSDDL(t, "session", sd(`\Sessions\1\BaseNamedObjects`), security.DACLInformation,
			fmt.Sprintf(dacl+"(A;;0xf000f;;;%s)", alice.token.LogonSID(), carol.LogonSID()))
		service := w.start(security.NetworkServiceToken(1), text(""))
		_, _, err := service.CreateEvent(name("x"), false, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-4")
		// A program without SeChangeNotify needs TRAVERSE on every directory.
		low := w.start(alice.token.WithPrivileges(security.PrivilegeState{Privilege: security.SeChangeNotifyPrivilege}), nil)
		x := event(t, low, name("own"))
		w.ok(low.CloseHandle(x))
		_, err = low.ObjectAt("test", `\Sessions\1\BaseNamedObjects`)
		w.ok(err) // \ and \Sessions grant it to everybody
		admin := w.start(w.logonAs(1003, true).token, nil)
		_, _, err = admin.CreateEvent(name(`Session\1\x`), false, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-4") // TRAVERSE, but not CREATE
	})
	t.Run("OBJ-4/another session", func(t *testing.T) {
		conform.Rule(t, "OBJ-4", "OBJ-5", "SES-4")
		mallory := w.start(w.logon(1004).token, nil)
		// Even an object that lets everybody in can't be reached.
		h := event(t, user, station.NamedOptions{Name: "open", Descriptor: sddl("D:NO_ACCESS_CONTROL")})
		defer user.CloseHandle(h)
		_, err := mallory.OpenEvent(`Session\1\open`, win32.SYNCHRONIZE, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-4")
		_, _, err = mallory.CreateEvent(name(`Session\1\new`), false, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-4")
		_, err = mallory.ObjectAt("test", `\Sessions\1\BaseNamedObjects\open`)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		_, err = mallory.OpenEvent(`open`, win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
		_, err = sys.OpenEvent(`Session\1\open`, win32.SYNCHRONIZE, false)
		w.ok(err)
	})
}

func TestObjectNames(t *testing.T) {
	w := newWorld(t)
	sys := w.system()
	alice := w.logon(1001)
	user := w.start(alice.token, nil)
	where := func(th *station.Thread, n string) string {
		h := event(t, th, name(n))
		defer th.CloseHandle(h)
		path, err := th.ObjectName(h)
		w.ok(err)
		return path
	}
	t.Run("OBJ-5/resolution", func(t *testing.T) {
		conform.Rule(t, "OBJ-5", "OBJ-6", "OBJ-9")
		same(t, "user x", where(user, `x`), `\Sessions\1\BaseNamedObjects\x`)
		same(t, `user Local\x`, where(user, `Local\x`), `\Sessions\1\BaseNamedObjects\x`)
		same(t, `user Global\x`, where(user, `Global\x`), `\BaseNamedObjects\x`)
		same(t, `user Session\1\x`, where(user, `Session\1\x`), `\Sessions\1\BaseNamedObjects\x`)
		same(t, `user Session\0\x`, where(user, `Session\0\x`), `\BaseNamedObjects\x`)
		for _, n := range []string{`x`, `Local\x`, `Global\x`, `Session\0\x`} {
			same(t, "service "+n, where(sys, n), `\BaseNamedObjects\x`)
		}
		same(t, "empty", where(user, ""), "")
		for n, want := range map[string]win32.Errno{
			`global\x`: win32.ERROR_PATH_NOT_FOUND, `LOCAL\x`: win32.ERROR_PATH_NOT_FOUND, `a\b`: win32.ERROR_PATH_NOT_FOUND, `\x`: win32.ERROR_PATH_NOT_FOUND,
			`Local\a\b`: win32.ERROR_PATH_NOT_FOUND, `Global\Global\x`: win32.ERROR_PATH_NOT_FOUND, `Session\9\x`: win32.ERROR_PATH_NOT_FOUND,
			`Session\one\x`: win32.ERROR_PATH_NOT_FOUND, `Session\1`: win32.ERROR_PATH_NOT_FOUND, `Session\1\a\b`: win32.ERROR_PATH_NOT_FOUND,
			`Local\`: win32.ERROR_INVALID_NAME, `Global\`: win32.ERROR_INVALID_NAME, `Session\1\`: win32.ERROR_INVALID_NAME, `Session\`: win32.ERROR_INVALID_NAME,
			"a\x00b": win32.ERROR_INVALID_NAME, "\xff": win32.ERROR_INVALID_NAME,
			strings.Repeat("x", 261): win32.ERROR_FILENAME_EXCED_RANGE, `Global\` + strings.Repeat("x", 254): win32.ERROR_FILENAME_EXCED_RANGE,
			strings.Repeat("\U00010000", 131): win32.ERROR_FILENAME_EXCED_RANGE,
		} {
			for _, m := range makers {
				_, _, err := m.create(user, name(n))
				code(t, err, want)
				_, err = m.open(user, n, m.all, false)
				code(t, err, want)
			}
		}
		for _, n := range []string{strings.Repeat("x", 260), strings.Repeat("ü", 260), strings.Repeat("\U00010000", 130), " ", "a/b", "Sessions"} {
			where(user, n)
		}
	})
	t.Run("OBJ-6/shared", func(t *testing.T) {
		conform.Rule(t, "OBJ-6", "OBJ-13")
		w := newWorld(t, func(o *station.Options) { o.Mode = station.Shared })
		sys := w.system()
		first := w.userToken(0, 1001, false)
		w.ok(w.e.LogonSession(w.zero, station.Logon{Token: first, Name: "u"}))
		w.ok(w.e.DesktopReady(w.zero))
		user := w.start(first, nil)
		h := event(t, sys, station.NamedOptions{Name: "x", Descriptor: sddl("D:(A;;GA;;;SY)(A;;0x100002;;;IU)")})
		defer sys.CloseHandle(h)
		for _, n := range []string{`x`, `Local\x`, `Global\x`} {
			_, err := user.OpenEvent(n, win32.SYNCHRONIZE|win32.EVENT_MODIFY_STATE, false)
			w.ok(err)
		}
		event(t, sys, name("y")) // default descriptor: only the SD stands between
		_, err := user.OpenEvent("y", win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
	})
	t.Run("OBJ-7/types", func(t *testing.T) {
		conform.Rule(t, "OBJ-7", "OBJ-16")
		for _, m := range makers {
			h, existed, err := m.create(user, name("one"))
			w.ok(err)
			same(t, "existed", existed, false)
			for _, other := range makers {
				if other.kind == m.kind {
					continue
				}
				_, _, err := other.create(user, name("one"))
				rule(t, err, win32.ERROR_INVALID_HANDLE, "OBJ-7")
				_, err = other.open(user, "one", other.all, false)
				rule(t, err, win32.ERROR_INVALID_HANDLE, "OBJ-7")
			}
			w.ok(user.CloseHandle(h))
		}
		// The links of the directory are names as well.
		_, _, err := user.CreateEvent(name("Global"), false, false)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "OBJ-7")
	})
	t.Run("OBJ-8/existing", func(t *testing.T) {
		conform.Rule(t, "OBJ-8", "SYN-6", "SYN-11")
		for _, m := range makers {
			a, existed, err := m.create(user, name("two"))
			w.ok(err)
			same(t, "existed", existed, false)
			b, existed, err := m.create(user, station.NamedOptions{Name: "two", Descriptor: sddl("D:")})
			w.ok(err)
			same(t, "existed", existed, true)
			same(t, m.kind+" rights", granted(t, user, b), m.all)
			eq, err := user.CompareObjectHandles(a, b)
			w.ok(err)
			same(t, "same object", eq, true)
			w.ok(user.CloseHandle(a))
			w.ok(user.CloseHandle(b))
			// Who is not granted ALL can only open it.
			a, _, err = m.create(sys, station.NamedOptions{Name: `Global\three`, Descriptor: sddl("D:(A;;GA;;;SY)(A;;GR;;;WD)")})
			w.ok(err)
			_, _, err = m.create(user, name(`Global\three`))
			rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-8")
			h, err := m.open(user, `Global\three`, win32.GENERIC_READ, false)
			w.ok(err)
			w.ok(user.CloseHandle(h))
			w.ok(sys.CloseHandle(a))
		}
	})
	t.Run("OBJ-9/case and end", func(t *testing.T) {
		conform.Rule(t, "OBJ-9", "HND-9")
		for _, m := range makers {
			a, _, err := m.create(user, name("Case"))
			w.ok(err)
			lower, existed, err := m.create(user, name("case"))
			w.ok(err)
			same(t, "another case", existed, false)
			second := w.start(alice.token, nil)
			b, err := m.open(second, "Case", m.all, false)
			w.ok(err)
			w.ok(user.CloseHandle(a))
			c, err := m.open(user, "Case", m.all, false)
			w.ok(err)
			w.ok(user.CloseHandle(c))
			w.ok(second.CloseHandle(b))
			_, err = m.open(user, "Case", m.all, false)
			rule(t, err, win32.ERROR_FILE_NOT_FOUND, "OBJ-17")
			h, err := m.open(user, "case", m.all, false)
			w.ok(err)
			w.ok(user.CloseHandle(h))
			w.ok(user.CloseHandle(lower))
		}
	})
	t.Run("OBJ-17/open", func(t *testing.T) {
		conform.Rule(t, "OBJ-17", "SE-50c", "OBJ-16")
		for _, m := range makers {
			_, err := m.open(user, "", m.all, false)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "OBJ-17")
			_, err = m.open(user, "nobody", m.all, false)
			rule(t, err, win32.ERROR_FILE_NOT_FOUND, "OBJ-17")
			h, _, err := m.create(user, name("there"))
			w.ok(err)
			_, err = m.open(user, "there", 0, false)
			rule(t, err, win32.ERROR_ACCESS_DENIED, "SE-50c")
			inh, err := m.open(user, "there", win32.GENERIC_READ, true)
			w.ok(err)
			f, _ := user.HandleInformation(inh)
			same(t, "inherit", f, win32.HANDLE_FLAG_INHERIT)
			w.ok(user.CloseHandle(inh))
			w.ok(user.CloseHandle(h))
		}
	})
	t.Run("OBJ-19/two machines", func(t *testing.T) {
		conform.Rule(t, "OBJ-19")
		other := newWorld(t)
		event(t, sys, name("machine"))
		_, err := other.system().OpenEvent(`Global\machine`, win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
	})
}

func TestObjectSecurity(t *testing.T) {
	w := newWorld(t)
	sys := w.system()
	alice := w.logon(1001)
	user := w.start(alice.token, nil)
	const want = win32.SYNCHRONIZE | win32.EVENT_MODIFY_STATE
	t.Run("OBJ-13/matrix", func(t *testing.T) {
		conform.Rule(t, "OBJ-13", "OBJ-11", "OBJ-12", "SE-18")
		event(t, sys, name("x1"))
		_, err := user.OpenEvent("x1", want, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
		_, err = user.OpenEvent(`Global\x1`, want, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		event(t, sys, station.NamedOptions{Name: `Global\x2`, Descriptor: sddl("D:(A;;GA;;;SY)(A;;0x100002;;;IU)")})
		_, err = user.OpenEvent(`Global\x2`, want, false)
		w.ok(err)
		_, _, err = user.CreateFileMapping(name(`Global\sect`), win32.PAGE_READWRITE, 4096)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-11")
		for _, m := range makers {
			if m.kind == "Section" {
				continue
			}
			h, _, err := m.create(user, name(`Global\ev`))
			w.ok(err)
			w.ok(user.CloseHandle(h))
		}
		event(t, user, name("ev2"))
		_, err = sys.OpenEvent("ev2", want, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
		_, err = sys.OpenEvent(`Session\1\ev2`, want, false)
		w.ok(err)
	})
	t.Run("OBJ-11/global sections", func(t *testing.T) {
		conform.Rule(t, "OBJ-11")
		sect := func(th *station.Thread, n string) error {
			_, _, err := th.CreateFileMapping(name(n), win32.PAGE_READWRITE, 4096)
			return err
		}
		w.ok(sect(sys, "serv"))
		rule(t, sect(user, `Session\0\new`), win32.ERROR_ACCESS_DENIED, "OBJ-11")
		w.ok(sect(user, "mine"))
		// An existing one is opened, by its descriptor.
		code(t, sect(user, `Global\serv`), win32.ERROR_ACCESS_DENIED)
		_, _, err := sys.CreateFileMapping(station.NamedOptions{Name: "open", Descriptor: sddl("D:(A;;GA;;;WD)")}, win32.PAGE_READWRITE, 4096)
		w.ok(err)
		w.ok(sect(user, `Global\open`))
		// With the privilege, which administrators have.
		admin := w.start(w.logonAs(1002, true).token, nil)
		w.ok(sect(admin, `Global\admins`))
		_, _, err = user.CreateSymbolicLink(name(`\BaseNamedObjects\link`), `\BaseNamedObjects\x1`, false)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-11")
		h, _, err := admin.CreateSymbolicLink(name(`\BaseNamedObjects\link`), `\BaseNamedObjects\x1`, false)
		w.ok(err)
		w.ok(admin.CloseHandle(h))
	})
	t.Run("OBJ-14/shim", func(t *testing.T) {
		conform.Rule(t, "OBJ-14")
		p, err := w.e.StartProcess(t.Context(), alice.token, station.ProcessOptions{Path: "/bin/old", CompatXP: true})
		w.ok(err)
		old := w.attach(p)
		h := event(t, old, name("plain"))
		path, _ := old.ObjectName(h)
		same(t, "plain name", path, `\BaseNamedObjects\plain`)
		_, err = sys.OpenEvent("plain", want, false)
		w.ok(err)
		path, _ = old.ObjectName(event(t, old, name(`Local\x`)))
		same(t, `Local\`, path, `\Sessions\1\BaseNamedObjects\x`)
		_, _, err = old.CreateFileMapping(name("section"), win32.PAGE_READWRITE, 4096)
		w.ok(err) // made on its behalf
		_, _, err = old.CreateFileMapping(name(`Session\0\section2`), win32.PAGE_READWRITE, 4096)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-11")
		// A service so marked lets whoever is at a terminal read and wait.
		p, err = w.e.StartProcess(t.Context(), security.SystemToken(0), station.ProcessOptions{Path: "/bin/oldservice", CompatXP: true})
		w.ok(err)
		event(t, w.attach(p), name("answer"))
		_, err = old.OpenEvent("answer", win32.GENERIC_READ|win32.SYNCHRONIZE, false)
		w.ok(err)
		_, err = old.OpenEvent("answer", win32.EVENT_MODIFY_STATE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		// A fork is the same program; a child is another one.
		fork, err := w.e.AttachThread(station.AttachSpec{PID: 900001, Ancestors: []int{old.Process().ID()}, Session: 1, InSession: true})
		w.ok(err)
		defer fork.Detach()
		path, _ = fork.ObjectName(event(t, fork, name("forked")))
		same(t, "fork", path, `\BaseNamedObjects\forked`)
		child, _ := w.child(old, station.ProcessOptions{})
		path, _ = child.ObjectName(event(t, child, name("child")))
		same(t, "child", path, `\Sessions\1\BaseNamedObjects\child`)
	})
	t.Run("SE-59/creator", func(t *testing.T) {
		conform.Rule(t, "SE-59", "SE-55", "SE-54", "SE-57", "SE-53")
		h := event(t, user, station.NamedOptions{Name: "empty", Descriptor: sddl("D:")})
		same(t, "granted", granted(t, user, h), win32.EVENT_ALL_ACCESS)
		_, err := user.OpenEvent("empty", win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		h = event(t, user, station.NamedOptions{Name: "max", Access: win32.MAXIMUM_ALLOWED, Descriptor: sddl("D:")})
		same(t, "MAXIMUM_ALLOWED", granted(t, user, h), win32.EVENT_ALL_ACCESS)
		h = event(t, user, station.NamedOptions{Access: win32.GENERIC_READ})
		same(t, "GENERIC_READ", granted(t, user, h), 0x20001)
		h = event(t, user, station.NamedOptions{Name: "default"})
		sd, err := user.KernelObjectSecurity(h, security.DACLInformation|security.OwnerInformation)
		w.ok(err)
		sameSDDL(t, "default", sd, security.DACLInformation|security.OwnerInformation,
			fmt.Sprintf("O:%[1]sD:(A;;0x1f0003;;;%[1]s)(A;;0x1f0003;;;SY)(A;;0x120001;;;%[2]s)", alice.token.User(), alice.token.LogonSID()))
		for sd, want := range map[string]win32.Errno{
			"O:SY": win32.ERROR_INVALID_OWNER, "S:(AU;SA;GA;;;WD)": win32.ERROR_PRIVILEGE_NOT_HELD,
			"S:(ML;;NW;;;HI)": win32.ERROR_PRIVILEGE_NOT_HELD, "S:(ML;;NW;;;ME)": 0, "D:NO_ACCESS_CONTROL": 0,
		} {
			_, _, err := user.CreateEvent(station.NamedOptions{Descriptor: sddl(sd)}, false, false)
			code(t, err, want)
		}
		for _, bad := range []win32.AccessMask{0x4, 0x200000, win32.ACCESS_SYSTEM_SECURITY} {
			_, _, err := user.CreateEvent(station.NamedOptions{Access: bad}, false, false)
			want := win32.ERROR_ACCESS_DENIED
			if bad == win32.ACCESS_SYSTEM_SECURITY {
				want = win32.ERROR_PRIVILEGE_NOT_HELD
			}
			code(t, err, want)
		}
		low := w.start(alice.token.WithIntegrity(security.LevelLow), nil)
		h = event(t, low, name("low")) // low-integrity programs may make names
		sd, err = low.KernelObjectSecurity(h, security.LabelInformation)
		w.ok(err)
		sameSDDL(t, "label", sd, security.LabelInformation, "S:(ML;;NW;;;LW)")
		_, err = low.OpenEvent("default", win32.EVENT_MODIFY_STATE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
	})
	t.Run("SYN-7/mutex rights", func(t *testing.T) {
		conform.Rule(t, "SYN-7", "SE-45", "SE-60")
		h, _, err := user.CreateMutex(name("map"), false)
		w.ok(err)
		defer user.CloseHandle(h)
		var failed uint32
		for bit := range 32 {
			h, err := user.OpenMutex("map", 1<<bit, false)
			if err != nil {
				failed |= 1 << bit
				want := win32.ERROR_ACCESS_DENIED
				if 1<<bit == win32.ACCESS_SYSTEM_SECURITY {
					want = win32.ERROR_PRIVILEGE_NOT_HELD
				}
				code(t, err, want)
				continue
			}
			w.ok(user.CloseHandle(h))
		}
		same(t, "fail map", failed, 0x0DE0FFFE)
	})
	t.Run("SE-63/descriptor by handle", func(t *testing.T) {
		conform.Rule(t, "SE-63", "AR-29")
		h := event(t, user, name("sd"))
		ro, err := user.OpenEvent("sd", win32.SYNCHRONIZE, false)
		w.ok(err)
		_, err = user.KernelObjectSecurity(ro, security.DACLInformation)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "SE-63")
		rule(t, user.SetKernelObjectSecurity(ro, security.DACLInformation, sddl("D:")), win32.ERROR_ACCESS_DENIED, "SE-63")
		w.ok(user.SetKernelObjectSecurity(h, security.DACLInformation, sddl("D:(A;;GR;;;WD)")))
		_, err = user.OpenEvent("sd", win32.EVENT_MODIFY_STATE, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		w.ok(user.SetEvent(h)) // open handles keep their rights
		code(t, user.SetKernelObjectSecurity(h, 0, sddl("D:")), win32.ERROR_INVALID_PARAMETER)
		_, err = user.KernelObjectSecurity(0x7FFC, security.DACLInformation)
		code(t, err, win32.ERROR_INVALID_HANDLE)
		_, err = user.KernelObjectSecurity(win32.CurrentProcess, security.DACLInformation)
		w.ok(err)
	})
	t.Run("audit", func(t *testing.T) {
		conform.Rule(t, "SE-64")
		records, err := w.e.ReadAudit(t.Context(), 0, 1000)
		w.ok(err)
		for _, r := range records {
			if r.Op == "OpenEvent" && r.Object == `\BaseNamedObjects\x1` && r.Desired == want && r.User == alice.token.User().String() && r.Why != "" {
				return
			}
		}
		t.Errorf("no record of the refused OpenEvent among %d", len(records))
	})
	t.Run("SE-27/impersonation", func(t *testing.T) {
		conform.Rule(t, "SE-27")
		h, err := sys.InsertToken(alice.token, 0, "")
		w.ok(err)
		id, err := sys.DuplicateToken(h, 0, security.TokenImpersonation, security.SecurityIdentification, false)
		w.ok(err)
		w.ok(sys.Impersonate(id))
		_, err = sys.OpenEvent("x1", want, false)
		code(t, err, win32.ERROR_BAD_IMPERSONATION_LEVEL)
		_, _, err = sys.CreateEvent(name("as"), false, false)
		code(t, err, win32.ERROR_BAD_IMPERSONATION_LEVEL)
		w.ok(sys.Revert())
		w.ok(sys.Impersonate(h))
		_, err = sys.OpenEvent("x1", want, false)
		code(t, err, win32.ERROR_ACCESS_DENIED) // the user's rights count
		event(t, sys, name("as"))
		w.ok(sys.Revert())
	})
}
