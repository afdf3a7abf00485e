// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/win32"
)

func init() {
	scenarios["where"] = func(i *inside) { want(i, "the desktop", i.where(), i.args[0]) }
	// pc/lpdesktop: a child for each string
	scenarios["lpDesktop"] = func(i *inside) {
		const home = `WinSta0\Default`
		work, _, err := i.createDesktop("Work")
		i.ok("CreateDesktop", err)
		if _, _, err := i.createDesktop("w"); err != nil { // a name of one character
			i.fatalf("CreateDesktop: %v", err)
		}
		for _, c := range []struct {
			lp    *string
			where string // empty: fails
		}{
			{nil, home}, {text(""), home}, {text("Default"), home}, {text("dEFAULT"), home}, {text("Work"), `WinSta0\Work`}, {text("w"), `WinSta0\w`},
			{text(home), home}, {text(`winsta0\WORK`), `WinSta0\Work`},
			{text("NoSuch"), ""}, {text(`WinSta0\NoSuch`), ""}, {text(`NoSta\Default`), ""}, {text(`WinSta0\`), ""}, {text(`\Default`), ""}, {text(`\`), ""},
			{text(`a\b\c`), ""}, {text("WinSta0/Default"), ""}, {text(" " + home), ""}, {text(home + " "), ""},
			{text(`WinSta0\Winlogon`), ""}, {text(`Service-0x0-3e7$\Default`), ""},
		} {
			said := "NULL"
			if c.lp != nil {
				said = strconv.Quote(*c.lp)
			}
			code, out := i.child(c.lp, false, "where", c.where)
			if c.where == "" {
				want(i, "exit code at "+said+" "+out, code, exitFailed)
			} else {
				want(i, "exit code at "+said+" "+out, code, 0)
			}
		}
		// What a child inherits by PC-8 is the startup desktop, not the thread's.
		i.ok("SetThreadDesktop", i.setDesktop(work))
		code, out := i.child(nil, false, "where", home)
		want(i, "a child of a thread that moved "+out, code, 0)
	}
	// pc/inherit-two: two stations and two desktops that the child inherits
	scenarios["inherit"] = func(i *inside) {
		var stations [2]win32.Handle
		start := i.station()
		for k, name := range []string{"InheritOne", "InheritTwo"} {
			h, _, err := i.createStation(name, win32.CWF_CREATE_ONLY, true)
			i.ok("CreateWindowStation", err)
			stations[k] = h
			i.ok("SetProcessWindowStation", i.setStation(h))
			for _, desk := range []string{"Default", "Other"} {
				_, _, err := i.createDesktop(desk)
				i.ok("CreateDesktop", err)
			}
		}
		i.ok("SetProcessWindowStation", i.setStation(start))
		first, second := stations[0], stations[1]
		if first > second {
			first, second = second, first
		}
		is := func(want win32.Handle, name string) []string { return []string{strconv.Itoa(int(want)), name} }
		code, out := i.child(text(`WinSta0\Default`), true, "inherited", is(first, `InheritOne\Default`)...)
		want(i, "the lowest of two handles, against lpDesktop "+out, code, 0)
		code, out = i.child(text("Other"), true, "inherited", is(first, `InheritOne\Other`)...)
		want(i, "a desktop named in an inherited station "+out, code, 0)
		i.ok("SetHandleInformation", i.c.SetHandleInformation(i.ctx, client.SetHandleInformationRequest{Handle: first, Mask: 1}))
		code, out = i.child(nil, true, "inherited", is(second, `InheritTwo\Default`)...)
		want(i, "the only handle that is inheritable "+out, code, 0)
		code, out = i.child(nil, false, "where", i.where())
		want(i, "without inheritance "+out, code, 0)
		// A desktop handle of the inherited station decides the desktop.
		i.ok("SetProcessWindowStation", i.setStation(second))
		d, err := i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: "Other", Access: maxAllowed, Inherit: true})
		i.ok("CreateDesktop", err)
		want(i, "fInherit", i.flag(d.Handle, win32.UOI_FLAGS), 1)
		code, out = i.child(nil, true, "inherited", is(second, `InheritTwo\Other`)...)
		want(i, "an inherited desktop "+out, code, 0)
	}
	scenarios["inherited"] = func(i *inside) {
		want(i, "the value of the station's handle", strconv.Itoa(int(i.station())), i.args[0])
		want(i, "the desktop", i.where(), i.args[1])
	}
	// Rule 1: SetProcessWindowStation before the connection.
	scenarios["choose first"] = func(i *inside) {
		h, _, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		i.ok("SetProcessWindowStation", i.setStation(h))
		_, _, err = i.createDesktop("Default")
		i.ok("CreateDesktop", err)
		i.ok("IsGUIThread", i.c.IsGUIThread(i.ctx))
		want(i, "the desktop", i.where(), i.own()+`\Default`)
	}
	// A program that the daemon has not started: a fork of one that it has.
	scenarios["fork"] = func(i *inside) {
		cmd := exec.Command(os.Args[0], os.Args[1], "where", i.args[0])
		if out, err := cmd.CombinedOutput(); err != nil {
			i.errorf("its fork: %v\n%s", err, out)
		}
		if len(i.args) > 1 { // one generation more, this one never having called
			cmd := exec.Command("/bin/sh", "-c", `"$@"; exit $?`, "sh", os.Args[0], os.Args[1], "where", i.args[0])
			if out, err := cmd.CombinedOutput(); err != nil {
				i.errorf("the fork of its fork: %v\n%s", err, out)
			}
		}
	}
}

func TestConnection(t *testing.T) {
	s := newStage(t)
	t.Run("pc/lpdesktop", func(t *testing.T) {
		conform.Rule(t, "SD-1", "SD-2", "SD-3", "SD-4", "SD-5", "SD-6", "SD-7", "SD-8", "SD-9", "PC-1", "PC-8", "PC-9", "PC-10", "PC-11", "PC-17", "PC-21", "TC-1", "TC-2", "TC-4")
		s.play(t, s.alice, "lpDesktop")
		conform.Rule(t, "PC-18")
		failed := s.events(t, "connect-failed")
		if len(failed) != 12 {
			t.Errorf("%d events of failed connections, want 12: %+v", len(failed), failed)
		}
	})
	t.Run("pc/inherit-two", func(t *testing.T) {
		conform.Rule(t, "PC-6", "PC-7", "PC-19", "SD-10", "TC-2", "TC-3", "HN-6", "WS-28", "UO-14")
		s.system(t, "inherit")
	})
	t.Run("set before the connection", func(t *testing.T) {
		conform.Rule(t, "PC-2", "PC-5", "WS-33")
		s.play(t, s.alice, "choose first")
	})
	t.Run("forks", func(t *testing.T) {
		conform.Rule(t, "HND-12", "PC-1", "PC-8", "TC-2")
		s.play(t, s.alice, "fork", `WinSta0\Default`)
		r, err := s.c.CreateSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.alice, Desktop: "Forks", Surface: "builtin", HeapKB: 64})
		if err != nil {
			t.Fatal(err)
		}
		s.playWith(t, s.userToken(t, s.alice), text(`WinSta0\`+r.Desktop.Name), "fork", `WinSta0\Forks`, "deep")
		empty := ""
		s.playWith(t, 0, &empty, "fork", `Service-0x0-3e7$\Default`, "deep")
	})
	t.Run("a token of another logon", func(t *testing.T) {
		conform.Rule(t, "PC-10", "PC-12", "PC-14", "PC-17", "PC-20", "LGN-12", "PRC-11")
		s.playWith(t, s.otherLogon(t), nil, "other logon")
		code, out := runProgram(t.Context(), s.c, s.otherLogon(t), text(`WinSta0\Default`), false, s.Program(t, "where", "?"), t.Fatalf)
		if code != exitFailed {
			t.Errorf("started on WinSta0\\Default: 0x%x %s", code, out)
		}
	})
}
