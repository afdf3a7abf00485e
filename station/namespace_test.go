// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"fmt"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestTreeCalls(t *testing.T) {
	w := newWorld(t)
	sys := w.system()
	user := w.start(w.logon(1001).token, nil)
	t.Run("OBJ-10/temporary and permanent", func(t *testing.T) {
		conform.Rule(t, "OBJ-10", "OBJ-1", "OBJ-7")
		const dir = `\Sessions\1\BaseNamedObjects\dir`
		h, existed, err := user.CreateDirectoryObject(name(dir), false)
		w.ok(err)
		same(t, "existed", existed, false)
		h2, existed, err := user.CreateDirectoryObject(name(dir), false)
		w.ok(err)
		same(t, "existed", existed, true)
		w.ok(user.CloseHandle(h2))
		_, err = user.OpenEvent("dir", win32.SYNCHRONIZE, false)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "OBJ-7")
		link, _, err := user.CreateSymbolicLink(name(dir+`\link`), `\BaseNamedObjects`, false)
		w.ok(err)
		target, err := user.SymbolicLinkTarget(link)
		w.ok(err)
		same(t, "target", target, `\BaseNamedObjects`)
		_, err = user.OpenEvent("link", win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_FILE_NOT_FOUND) // it is in dir
		_, err = user.OpenDirectoryObject(dir+`\link`, win32.DIRECTORY_QUERY, false)
		w.ok(err)
		again, err := user.OpenSymbolicLink(dir+`\link`, win32.SYMBOLIC_LINK_QUERY, false)
		w.ok(err)
		w.ok(user.CloseHandle(again))
		w.ok(user.CloseHandle(link))
		_, err = user.ObjectAt("test", dir+`\link`)
		code(t, err, win32.ERROR_FILE_NOT_FOUND) // temporary: gone with its handle
		rule(t, user.SetPermanent(h, true), win32.ERROR_PRIVILEGE_NOT_HELD, "OBJ-10")
		_, _, err = user.CreateDirectoryObject(name(dir+"2"), true)
		rule(t, err, win32.ERROR_PRIVILEGE_NOT_HELD, "OBJ-10")
		w.ok(user.CloseHandle(h))
		_, err = user.ObjectAt("test", dir)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)

		h, _, err = sys.CreateDirectoryObject(name(`\BaseNamedObjects\stay`), true)
		w.ok(err)
		w.ok(sys.CloseHandle(h))
		h, err = sys.OpenDirectoryObject(`\BaseNamedObjects\stay`, win32.DELETE, false)
		w.ok(err)
		w.ok(sys.SetPermanent(h, false))
		w.ok(sys.CloseHandle(h))
		_, err = sys.ObjectAt("test", `\BaseNamedObjects\stay`)
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
		w.ok(err2(sys.CreateDirectoryObject(name(`\BaseNamedObjects\stay`), false)))
	})
	t.Run("OBJ-4/only in named places", func(t *testing.T) {
		conform.Rule(t, "OBJ-4")
		admin := w.start(w.logonAs(1002, true).token, nil)
		for _, path := range []string{`\Sessions\77`, `\Sessions\BNOLINKS\77`, `\Sessions\1\Windows\WindowStations\Evil`, `\Windows\WindowStations\Evil`, `\Evil`, `\Device\NamedPipe\x`} {
			code(t, err2(admin.CreateDirectoryObject(name(path), false)), win32.ERROR_ACCESS_DENIED)
			_, _, err := admin.CreateSymbolicLink(name(path), `\BaseNamedObjects`, false)
			code(t, err, win32.ERROR_ACCESS_DENIED)
		}
		w.ok(err2(admin.CreateDirectoryObject(name(`\RPC Control\x`), false)))
		code(t, err2(user.CreateDirectoryObject(name(`\RPC Control\y`), false)), win32.ERROR_ACCESS_DENIED)
		_, _, err := user.CreateSymbolicLink(name(`\Sessions\1\BaseNamedObjects\bad`), `relative`, false)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		// A circle of links ends.
		a, _, err := user.CreateSymbolicLink(name(`\Sessions\1\BaseNamedObjects\a`), `\Sessions\1\BaseNamedObjects\b`, false)
		w.ok(err)
		b, _, err := user.CreateSymbolicLink(name(`\Sessions\1\BaseNamedObjects\b`), `\Sessions\1\BaseNamedObjects\a`, false)
		w.ok(err)
		_, err = user.ObjectAt("test", `\Sessions\1\BaseNamedObjects\a\x`)
		code(t, err, win32.ERROR_PATH_NOT_FOUND)
		_ = user.CloseHandle(a)
		_ = user.CloseHandle(b)
	})
}

func err2(_ win32.Handle, _ bool, err error) error { return err }

func TestPrivateNamespaces(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	user, second := w.start(alice.token, nil), w.start(alice.token, nil)
	bob := w.start(w.logon(1002).token, nil)
	mine := station.Boundary{Name: "B", SIDs: []security.SID{alice.token.User(), security.Everyone}}
	t.Run("OBJ-15/boundary", func(t *testing.T) {
		conform.Rule(t, "OBJ-15")
		_, err := user.CreatePrivateNamespace(station.Boundary{Name: "B"}, "ns", nil)
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "OBJ-15")
		_, err = bob.CreatePrivateNamespace(mine, "ns", nil)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-15")
		high, err := security.ParseSID("S-1-16-12288")
		w.ok(err)
		_, err = user.CreatePrivateNamespace(station.Boundary{Name: "B", SIDs: []security.SID{high}}, "ns", nil)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "OBJ-15")
		for _, bad := range []string{"", `a\b`, "Global", "Local", "Session"} {
			if _, err = user.CreatePrivateNamespace(mine, bad, nil); err == nil {
				t.Errorf("alias %q is taken", bad)
			}
		}
		_, err = user.OpenPrivateNamespace(mine, "ns")
		rule(t, err, win32.ERROR_PATH_NOT_FOUND, "OBJ-15")
	})
	t.Run("OBJ-15/use", func(t *testing.T) {
		conform.Rule(t, "OBJ-15", "OBJ-5")
		ns, err := user.CreatePrivateNamespace(mine, "ns", nil)
		w.ok(err)
		_, err = second.CreatePrivateNamespace(mine, "other", nil)
		rule(t, err, win32.ERROR_ALREADY_EXISTS, "OBJ-15")
		// The order of the SIDs and the alias do not count.
		swapped := station.Boundary{Name: "B", SIDs: []security.SID{security.Everyone, alice.token.User()}}
		h2, err := second.OpenPrivateNamespace(swapped, "theirs")
		w.ok(err)
		_, err = second.OpenPrivateNamespace(swapped, "theirs")
		rule(t, err, win32.ERROR_ALREADY_EXISTS, "OBJ-15")
		ev := event(t, user, name(`ns\x`))
		got, err := second.OpenEvent(`theirs\x`, win32.EVENT_MODIFY_STATE, false)
		w.ok(err)
		w.ok(second.SetEvent(got))
		r, err := user.WaitForSingleObject(t.Context(), ev, 0)
		w.ok(err)
		same(t, "wait", r, win32.WAIT_OBJECT_0)
		_, err = second.OpenEvent(`ns\x`, win32.SYNCHRONIZE, false)
		rule(t, err, win32.ERROR_PATH_NOT_FOUND, "OBJ-5") // aliases are the process's own
		_, err = bob.OpenPrivateNamespace(mine, "ns")
		code(t, err, win32.ERROR_ACCESS_DENIED) // its descriptor decides
		// Destroyed: nobody opens it any more, what is open goes on.
		w.ok(user.ClosePrivateNamespace(ns, true))
		_, err = user.OpenEvent(`ns\x`, win32.SYNCHRONIZE, false)
		rule(t, err, win32.ERROR_PATH_NOT_FOUND, "OBJ-5")
		_, err = user.OpenPrivateNamespace(mine, "ns")
		code(t, err, win32.ERROR_PATH_NOT_FOUND)
		event(t, second, name(`theirs\y`))
		w.ok(second.SetEvent(got))
		w.ok(second.ClosePrivateNamespace(h2, false))
		code(t, second.ClosePrivateNamespace(h2, false), win32.ERROR_INVALID_HANDLE)
	})
	t.Run("OBJ-15/many", func(t *testing.T) {
		conform.Rule(t, "OBJ-15", "HND-10")
		var open []win32.Handle
		for i := 0; ; i++ {
			h, err := second.CreatePrivateNamespace(station.Boundary{Name: fmt.Sprint(i), SIDs: mine.SIDs}, fmt.Sprint("a", i), nil)
			if err != nil {
				rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
				break
			}
			open = append(open, h)
		}
		same(t, "namespaces", len(open), 256)
		w.ok(second.CloseHandle(open[0])) // not by ClosePrivateNamespace: gone all the same
		h, err := second.CreatePrivateNamespace(station.Boundary{Name: "0", SIDs: mine.SIDs}, "again", nil)
		w.ok(err)
		for _, h := range append(open[1:], h) {
			w.ok(second.ClosePrivateNamespace(h, false))
		}
	})
	t.Run("OBJ-15/end of the creator", func(t *testing.T) {
		conform.Rule(t, "OBJ-15")
		p, err := w.e.StartProcess(t.Context(), alice.token, station.ProcessOptions{Path: "/bin/short"})
		w.ok(err)
		short := w.attach(p)
		b := station.Boundary{Name: "short", SIDs: []security.SID{security.Everyone}}
		_, err = short.CreatePrivateNamespace(b, "s", &station.SecurityAttributes{Descriptor: sddl("D:(A;;GA;;;WD)")})
		w.ok(err)
		h, err := bob.OpenPrivateNamespace(b, "s") // not inside the boundary's account, but let in
		w.ok(err)
		w.ok(w.e.TerminateProcess(p, 0))
		<-p.Done()
		_, err = second.OpenPrivateNamespace(b, "s")
		code(t, err, win32.ERROR_PATH_NOT_FOUND)
		event(t, bob, name(`s\still`))
		w.ok(bob.CloseHandle(h)) // the alias leads nowhere then
		_, err = bob.OpenEvent(`s\still`, win32.SYNCHRONIZE, false)
		code(t, err, win32.ERROR_PATH_NOT_FOUND)
	})
}
