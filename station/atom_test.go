// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"fmt"
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestAtoms(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	a, b := w.start(alice.token, nil), w.start(alice.token, nil)
	add := func(th *station.Thread, s string) uint32 {
		t.Helper()
		n, err := th.AddAtom(false, &s, 0)
		w.ok(err)
		return n
	}
	t.Run("AT-6/names", func(t *testing.T) {
		conform.Rule(t, "AT-3", "AT-5", "AT-6", "AT-8", "AT-11", "AT-12", "AT-13", "AT-14")
		n := add(a, "FooBar")
		if n < 0xC000 || n > 0xFFFF {
			t.Fatalf("atom 0x%x", n)
		}
		same(t, "second", add(b, "fOObAR"), n)
		name, err := b.AtomName(false, n)
		w.ok(err)
		same(t, "spelling", name, "FooBar")
		got, err := b.FindAtom(false, text("FOOBAR"), 0)
		w.ok(err)
		same(t, "found", got, n)
		w.ok(a.DeleteAtom(false, n))
		_, err = a.FindAtom(false, text("foobar"), 0)
		w.ok(err) // one reference is left
		w.ok(a.DeleteAtom(false, n))
		_, err = a.FindAtom(false, text("foobar"), 0)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
		rule(t, a.DeleteAtom(false, n), win32.ERROR_INVALID_HANDLE, "AT-12")
		_, err = a.AtomName(false, n)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "AT-14")
	})
	t.Run("AT-7/length", func(t *testing.T) {
		conform.Rule(t, "AT-7")
		add(a, strings.Repeat("ü", 255))
		for _, s := range []string{"", strings.Repeat("x", 256)} {
			for _, local := range []bool{false, true} {
				_, err := a.AddAtom(local, &s, 0)
				rule(t, err, win32.ERROR_INVALID_PARAMETER, "AT-7")
				_, err = a.FindAtom(local, &s, 0)
				rule(t, err, win32.ERROR_INVALID_PARAMETER, "AT-7")
			}
		}
	})
	t.Run("AT-9/integers", func(t *testing.T) {
		conform.Rule(t, "AT-9", "AT-10", "AT-12", "AT-14")
		for s, want := range map[string]uint32{"#1": 1, "#0042": 42, "#49151": 0xBFFF} {
			n, err := a.AddAtom(false, text(s), 0)
			w.ok(err)
			same(t, s, n, want)
		}
		for _, s := range []string{"#0", "#49152", "#70000", "#99999999999999999999"} {
			_, err := a.AddAtom(false, text(s), 0)
			code(t, err, win32.ERROR_INVALID_PARAMETER)
		}
		for _, s := range []string{"#12x", "#", "#x1"} {
			if n := add(a, s); n < 0xC000 {
				t.Fatalf("%s is 0x%x", s, n)
			}
		}
		n, err := a.AddAtom(false, nil, 0x1234)
		w.ok(err)
		same(t, "MAKEINTATOM", n, 0x1234)
		n, err = a.AddAtom(false, nil, 0)
		w.ok(err)
		same(t, "MAKEINTATOM(0)", n, 0)
		_, err = a.AddAtom(false, nil, 0xC000)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		w.ok(a.DeleteAtom(false, 17))
		name, err := a.AtomName(false, 17)
		w.ok(err)
		same(t, "name", name, "#17")
		_, err = a.AtomName(false, 0)
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "AT-14")
	})
	t.Run("AT-1/stations", func(t *testing.T) {
		conform.Rule(t, "AT-1", "AT-2", "AT-15", "AT-16", "WS-44", "WS-56")
		add(a, "mine")
		bob := w.logon(1002)
		for _, th := range []*station.Thread{w.start(bob.token, nil), w.system()} {
			_, err := th.FindAtom(false, text("mine"), 0)
			rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
		}
		// The process station decides, and a station's atoms go with it.
		sys := w.system()
		own, err := sys.ProcessWindowStation()
		w.ok(err)
		other, _, err := sys.CreateWindowStation("Atoms", 0, maxAllowed, nil)
		w.ok(err)
		add(sys, "here")
		w.ok(sys.SetProcessWindowStation(other))
		_, err = sys.FindAtom(false, text("here"), 0)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
		add(sys, "there")
		w.ok(sys.SetProcessWindowStation(own))
		_, err = sys.FindAtom(false, text("here"), 0)
		w.ok(err)
		w.ok(sys.CloseWindowStation(other))
		other, existed, err := sys.CreateWindowStation("Atoms", 0, maxAllowed, nil)
		w.ok(err)
		same(t, "existed", existed, false)
		w.ok(sys.SetProcessWindowStation(other))
		_, err = sys.FindAtom(false, text("there"), 0)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
	})
	t.Run("AT-4/right", func(t *testing.T) {
		conform.Rule(t, "AT-4", "AR-9")
		th := w.start(alice.token, nil)
		w.ok(th.Connect())
		h, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMDESKTOPS, false)
		w.ok(err)
		w.ok(th.SetProcessWindowStation(h))
		_, err = th.AddAtom(false, text("x"), 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "AT-4")
		_, err = th.FindAtom(false, text("x"), 0)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "AT-4")
		rule(t, th.DeleteAtom(false, 0xC000), win32.ERROR_ACCESS_DENIED, "AT-4")
		_, err = th.AtomName(false, 0xC000)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "AT-4")
		n, err := th.AddAtom(false, text("#7"), 0)
		w.ok(err)
		same(t, "integer atom", n, 7)
		_, err = th.AddAtom(true, text("x"), 0)
		w.ok(err)
	})
	t.Run("AT-3/local", func(t *testing.T) {
		conform.Rule(t, "AT-3")
		n, err := a.AddAtom(true, text("local"), 0)
		w.ok(err)
		_, err = b.FindAtom(true, text("local"), 0)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
		_, err = a.FindAtom(false, text("local"), 0)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
		second := w.attach(a.Process())
		got, err := second.FindAtom(true, text("LOCAL"), 0)
		w.ok(err)
		same(t, "another thread", got, n)
	})
	t.Run("AT-8/references", func(t *testing.T) {
		conform.Rule(t, "AT-8")
		th := w.start(alice.token, nil)
		n := add(th, "stays")
		th.Detach()
		got, err := b.FindAtom(false, text("stays"), 0)
		w.ok(err)
		same(t, "after its creator's end", got, n)
		for range 65534 {
			add(a, "stays")
		}
		for range 65536 {
			w.ok(a.DeleteAtom(false, n))
		}
		_, err = a.FindAtom(false, text("stays"), 0)
		w.ok(err) // saturated: permanent
	})
	t.Run("AT-5/full", func(t *testing.T) {
		conform.Rule(t, "AT-5")
		carol := w.logon(1003)
		th := w.start(carol.token, nil)
		for i := range 16384 {
			if _, err := th.AddAtom(false, text(fmt.Sprint("atom", i)), 0); err != nil {
				t.Fatalf("atom %d: %v", i, err)
			}
		}
		_, err := th.AddAtom(false, text("one more"), 0)
		rule(t, err, win32.ERROR_NOT_ENOUGH_MEMORY, "AT-5")
		n, _ := th.FindAtom(false, text("atom77"), 0)
		w.ok(th.DeleteAtom(false, n))
		got := add(th, "one more")
		same(t, "the freed number", got, n)
	})
	t.Run("AT-17/user atoms", func(t *testing.T) {
		conform.Rule(t, "AT-17", "MSG-29", "CB-17", "MSG-4")
		n, err := a.RegisterUserAtom("My.Message")
		w.ok(err)
		m, err := b.RegisterUserAtom("MY.MESSAGE")
		w.ok(err)
		same(t, "another process", m, n)
		sys := w.system() // of another session: a number of its own, which may be the same
		_, err = sys.UserAtomName(n)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		_, err = a.FindAtom(false, text("My.Message"), 0)
		rule(t, err, win32.ERROR_FILE_NOT_FOUND, "AT-11")
		name, err := a.UserAtomName(n)
		w.ok(err)
		same(t, "name", name, "My.Message")
		_, err = a.UserAtomName(win32.CF_TEXT)
		code(t, err, win32.ERROR_INVALID_PARAMETER)
		f, err := a.RegisterUserAtom("#1234")
		w.ok(err)
		same(t, "#1234", f, 1234)
	})
}
