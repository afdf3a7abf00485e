// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/layout"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func init() {
	scenarios["other logon"] = func(i *inside) {
		want(i, "the desktop", i.where(), i.own()+`\Default`)
		_, err := i.openStation("WinSta0", win32.WINSTA_READATTRIBUTES)
		i.code("WinSta0", err, win32.ERROR_ACCESS_DENIED)
	}
	// The published attack on "secure desktops" of password managers and the
	// like, which a program makes with CreateDesktop: list the desktops, open
	// each, start a key logger on it. Arguments: the session of the desktops,
	// and their names, which the attacker is told.
	scenarios["attack"] = func(i *inside) {
		done := attack(i, i.args[0], i.args[1:])
		for _, what := range done {
			i.errorf("it could %s", what)
		}
	}
	scenarios["attack from within"] = func(i *inside) {
		done := attack(i, i.args[0], i.args[1:])
		for _, what := range []string{"list", "open", "record the keys of", "start a program on", "photograph", "switch to"} {
			want(i, "the control can "+what, slices.Contains(done, what+" "+i.args[1]), true)
		}
	}
	scenarios["idle"] = func(i *inside) {
		i.ok("IsGUIThread", i.c.IsGUIThread(i.ctx))
		fmt.Println("on", i.where())
	}
}

// attack tries everything and gives what worked.
func attack(i *inside, session string, names []string) (done []string) {
	did := func(what, name string, err error) {
		if err == nil {
			done = append(done, what+" "+name)
		}
	}
	var id uint32
	if _, err := fmt.Sscan(session, &id); err != nil {
		i.fatalf("%v", err)
	}
	in := i.c.Hello().SessionID == id
	h, err := i.openStation("WinSta0", win32.WINSTA_ENUMDESKTOPS|win32.WINSTA_READATTRIBUTES)
	if err == nil && in {
		if list, err := i.c.EnumDesktops(i.ctx, client.HandleRequest{Handle: h}); err == nil {
			for _, n := range list.Names {
				did("list", n, nil)
			}
		}
		_ = i.setStation(h)
	}
	tree, err := i.c.ListDesktops(i.ctx, client.SessionRequest{SessionID: id})
	if err == nil {
		for _, w := range tree.Stations {
			for _, d := range w.Desktops {
				if slices.Contains(names, d.Name) {
					did("list", d.Name, nil)
				}
			}
		}
	}
	for _, name := range names {
		for what, access := range map[string]win32.AccessMask{
			"open":               win32.DESKTOP_READOBJECTS,
			"enumerate":          win32.DESKTOP_ENUMERATE,
			"hook":               win32.DESKTOP_HOOKCONTROL,
			"record the keys of": win32.DESKTOP_JOURNALRECORD,
			"type into":          win32.DESKTOP_JOURNALPLAYBACK,
			"open with anything": maxAllowed,
		} {
			h, err := i.openDesktop(name, access)
			did(what, name, err)
			if err == nil {
				_ = i.closeDesktop(h)
			}
		}
		if h, err := i.openDesktop(name, win32.DESKTOP_SWITCHDESKTOP); err == nil {
			did("switch to", name, i.switchTo(h))
		}
		if p, err := i.c.CreateProcess(i.ctx, client.CreateProcessRequest{Path: "/bin/true", Args: []string{"true"}, Desktop: text(`WinSta0\` + name)}); err == nil {
			_, _ = i.c.WaitForSingleObject(i.ctx, client.WaitRequest{Handle: p.Process, Millis: 30_000})
			if end, err := i.c.GetExitCodeProcess(i.ctx, client.HandleRequest{Handle: p.Process}); err == nil && end.Code == 0 {
				did("start a program on", name, nil)
			}
		}
		_, err = i.c.CaptureDesktop(i.ctx, client.CaptureRequest{SessionID: id, Desktop: name})
		did("photograph", name, err)
		did("send keys to", name, i.c.SendInput(i.ctx, client.SendInputRequest{SessionID: id, Desktop: name, Events: []client.InputEvent{{Kind: 3, Text: "x"}}}))
		did("close", name, i.c.CloseSessionDesktop(i.ctx, client.SessionDesktopRequest{SessionID: id, Desktop: name}))
		for _, path := range []string{`\Sessions\` + session + `\Windows\WindowStations\WinSta0\` + name} {
			did("open up", name, i.c.SetObjectSecurity(i.ctx, client.SetObjectSecurityRequest{Path: path, SDDL: "D:(A;;GA;;;WD)"}))
		}
	}
	return done
}

// otherLogon gives a token of alice from another logon, in her own session:
// the same account and Linux user, another logon SID.
func (s *stage) otherLogon(t *testing.T) win32.Handle {
	t.Helper()
	r, err := s.c.LogonUser(t.Context(), client.LogonUserRequest{Name: "alice", Password: "alice-pw", Type: win32.LOGON32_LOGON_INTERACTIVE})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.c.SetTokenSession(t.Context(), client.SetTokenSessionRequest{Token: r.Handle, SessionID: s.alice}); err != nil {
		t.Fatal(err)
	}
	return r.Handle
}

func TestSecureDesktopAttack(t *testing.T) {
	conform.Rule(t, "DT-8", "DT-30", "DT-29", "LGN-12", "PC-17", "AR-18", "AR-20", "IN-11")
	s := newStage(t)
	// One that the daemon was asked for, one that a program of hers made.
	if _, err := s.c.CreateSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.alice, Desktop: "Agent", Surface: "builtin", HeapKB: 512}); err != nil {
		t.Fatal(err)
	}
	token := s.userToken(t, s.alice)
	holder := s.Program(t, "hold a desktop", "Vault")
	p, err := s.c.CreateProcess(t.Context(), client.CreateProcessRequest{Token: token, Path: holder[0], Args: holder, Desktop: text(`WinSta0\Default`)})
	if err != nil {
		t.Fatal(err)
	}
	stationtest.Wait(t, 30*time.Second, "the program has made its desktop", func() (bool, string) {
		tree, err := s.c.ListDesktops(t.Context(), client.SessionRequest{SessionID: s.alice})
		return err == nil && slices.ContainsFunc(tree.Stations[0].Desktops, func(d client.Desktop) bool { return d.Name == "Vault" }), fmt.Sprint(tree)
	})
	defer func() {
		if err := s.c.TerminateProcess(t.Context(), client.TerminateProcessRequest{Process: p.Process}); err != nil {
			t.Error(err)
		}
	}()
	args := []string{fmt.Sprint(s.alice), "Agent", "Vault"}

	t.Run("another session of the same user", func(t *testing.T) {
		second := s.logon(t, "alice", "builtin")
		// The names are of her first session; in the second there is a Default too.
		s.play(t, second, "attack", args...)
	})
	t.Run("another logon of the same user in the session", func(t *testing.T) {
		s.playWith(t, s.otherLogon(t), nil, "attack", args...) // it has a Default of its own
	})
	t.Run("the same Linux user outside every session", func(t *testing.T) {
		accounts, err := s.c.ListAccounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k := slices.IndexFunc(accounts.Accounts, func(a client.Account) bool { return a.Name == "alice" })
		a := accounts.Accounts[k]
		program := s.Program(t, "attack", args...)
		cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
		cmd.Env = append(os.Environ(), "STATION_SOCKET="+layout.For(s.Dir).Socket)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.UID, Gid: a.GID}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("somebody else", func(t *testing.T) {
		stationtest.AddUser(t, s.c, "mallory", false)
		id := s.logon(t, "mallory", "builtin")
		s.play(t, id, "attack", args...)
	})
	t.Run("control: within the logon it works", func(t *testing.T) {
		s.play(t, s.alice, "attack from within", fmt.Sprint(s.alice), "Vault")
	})
	refused := 0
	audit, err := s.c.ReadAudit(t.Context(), client.ReadLogRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range audit.Records {
		if strings.Contains(r.Object, "WinSta0") || strings.Contains(r.Object, "Agent") {
			refused++
		}
	}
	if refused == 0 {
		t.Error("the audit log says nothing of the attacks")
	}
}

func init() {
	scenarios["hold a desktop"] = func(i *inside) {
		_, _, err := i.createDesktop(i.args[0])
		i.ok("CreateDesktop", err)
		select {} // until it is ended
	}
}

func TestDesktopPerAgent(t *testing.T) {
	conform.Rule(t, "DT-1", "DT-2", "DT-26", "DT-41", "DT-49")
	stationtest.NeedPrograms(t, "Xvnc")
	s := newStage(t)
	const desktops, started = 50, 5
	name := func(k int) string { return fmt.Sprintf("Agent%02d", k) }
	var slowest, all time.Duration
	for k := range desktops {
		surface := "builtin"
		if k < started {
			surface = "x11"
		}
		begin := time.Now()
		_, err := s.c.CreateSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.alice, Desktop: name(k), Surface: surface, HeapKB: 512, Width: 640, Height: 480})
		took := time.Since(begin)
		slowest, all = max(slowest, took), all+took
		if err != nil {
			t.Fatalf("desktop %d: %v", k, err)
		}
	}
	t.Logf("%d desktops: %v each, the slowest %v", desktops, all/desktops, slowest)
	for _, k := range []int{0, 1, 2, 3, 4, 25, 49} {
		out := s.playWith(t, s.userToken(t, s.alice), text(`WinSta0\`+name(k)), "idle")
		if !strings.Contains(out, `on WinSta0\`+name(k)) {
			t.Errorf("a program on %s says %q", name(k), out)
		}
		r, err := s.c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: s.alice, Desktop: name(k)})
		if err != nil || !bytes.HasPrefix(r.PNG, []byte("\x89PNG")) || r.Width != 640 {
			t.Errorf("a picture of %s: %d bytes, %d wide, %v", name(k), len(r.PNG), r.Width, err)
		}
	}
	before, cookies := s.xservers(t), s.cookies(t)
	if len(before) != started || len(cookies) != started {
		t.Fatalf("%d X servers and %d cookies, want %d: %v %v", len(before), len(cookies), started, before, cookies)
	}
	gone := s.serverOf(t, name(2))
	if err := s.c.CloseSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.alice, Desktop: name(2)}); err != nil {
		t.Fatal(err)
	}
	stationtest.Wait(t, 20*time.Second, "the X server of the closed desktop ends", func() (bool, string) {
		now := s.xservers(t)
		return len(now) == started-1 && !slices.Contains(now, gone) && len(s.cookies(t)) == started-1, fmt.Sprint(now, s.cookies(t))
	})
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", gone)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process %d is still there: %v", gone, err)
	}
	if _, err := s.c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: s.alice, Desktop: name(2)}); !errors.Is(err, win32.ERROR_FILE_NOT_FOUND) {
		t.Errorf("a picture of the closed desktop: %v", err)
	}
	for _, k := range []int{0, 1, 3, 4} {
		s.playWith(t, s.userToken(t, s.alice), text(`WinSta0\`+name(k)), "idle")
	}
	for k := range desktops {
		if k == 2 {
			continue
		}
		if err := s.c.CloseSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.alice, Desktop: name(k)}); err != nil {
			t.Errorf("cannot close %s: %v", name(k), err)
		}
	}
	stationtest.Wait(t, 30*time.Second, "everything of the desktops is gone", func() (bool, string) {
		return len(s.xservers(t)) == 0 && len(s.cookies(t)) == 0, fmt.Sprint(s.xservers(t), s.cookies(t))
	})
}

// xservers gives the X servers of the daemon.
func (s *stage) xservers(t *testing.T) (pids []int) {
	t.Helper()
	for _, pid := range s.Processes() {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		program, _, _ := strings.Cut(string(line), "\x00")
		if err == nil && strings.HasPrefix(filepath.Base(program), "Xvnc") || strings.HasPrefix(filepath.Base(program), "Xtigervnc") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// serverOf gives the X server of a desktop, found by its display.
func (s *stage) serverOf(t *testing.T, desktop string) int {
	t.Helper()
	tree, err := s.c.ListDesktops(t.Context(), client.SessionRequest{SessionID: s.alice})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range tree.Stations[0].Desktops {
		if d.Name != desktop {
			continue
		}
		for _, pid := range s.xservers(t) {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if d.Display != "" && slices.Contains(strings.Split(string(line), "\x00"), d.Display) {
				return pid
			}
		}
		t.Fatalf("no X server has the display %q of %s", d.Display, desktop)
	}
	t.Fatalf("there is no desktop %s", desktop)
	return 0
}

// cookies lists the cookie files of the session's X servers, as its own
// programs see them.
func (s *stage) cookies(t *testing.T) []string {
	t.Helper()
	out := s.In(t, s.alice, "/bin/sh", "-c", `find "$XDG_RUNTIME_DIR" /run/user/$(id -u) -name '*.auth' 2>/dev/null | sort -u; true`)
	return strings.Fields(out)
}
