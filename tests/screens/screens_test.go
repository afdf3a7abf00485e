// SPDX-License-Identifier: Apache-2.0

// Package screens tries to see, hear and type on the X desktop of another
// session with the tools every X system has: xwd, xinput and xdotool, by path,
// abstract name, TCP and with a stolen cookie.
package screens

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
)

// The victim's screen is of this colour; victimPixel is a pixel of it as xwd
// writes it (blue, green, red, padding).
const victimColour = "#d01ee5"

var victimPixel = []byte{0xe5, 0x1e, 0xd0, 0x00}

func TestMain(m *testing.M) { stationtest.Main(m, map[string]func([]string) int{"spy": spy}) }

// TestOtherSessionsScreen has a victim type on her desktop while spies in her
// own session (they must succeed, or the test shows nothing), in another
// session of hers and in another user's do what they can.
func TestOtherSessionsScreen(t *testing.T) {
	stationtest.NeedRoot(t)
	spyOnOthers(t, "full")
}

// TestOtherSessionsScreenRootless does the same where all sessions have one
// Linux uid.
func TestOtherSessionsScreenRootless(t *testing.T) {
	if !stationtest.Rootless(t) {
		spyOnOthers(t, "user")
	}
}

func spyOnOthers(t *testing.T, level string) {
	conform.Rule(t, "SES-4", "DT-2", "IN-1")
	stationtest.NeedPrograms(t, "Xvnc", "xterm", "xwd", "xinput", "xdotool")
	d := stationtest.Serve(t, "--listen", "none", "--isolation", level)
	c := d.Dial(t)
	stationtest.AddUser(t, c, "alice", false)
	stationtest.AddUser(t, c, "bob", false)
	victim := stationtest.Logon(t, c, "alice")
	second := stationtest.Logon(t, c, "alice")
	bob := stationtest.Logon(t, c, "bob")

	typed := "/tmp/typed"
	stationtest.Spawn(t, c, victim, `WinSta0\Default`, "xterm", "-bg", victimColour, "-geometry", "220x70+0+0", "-e", "sh", "-c", "exec cat > "+typed)
	stationtest.Wait(t, 20*time.Second, "the victim's program reads", func() (bool, string) {
		r := d.Station(t.Context(), "run", "--session", fmt.Sprint(victim), "--", "test", "-e", typed)
		return r.Code == 0, r.Err
	})
	cookie := cookieOf(t, d)
	for _, s := range []uint32{second, bob} { // each has an X server of its own
		d.In(t, s, "true")
	}

	own := spyIn(t, d, c, victim, victim, "own-word", cookie)
	if len(own.Pictures) == 0 || !strings.Contains(own.Keys, "KeyPress") {
		t.Fatalf("a spy in the victim's own session got too little (%+v): the test has no power", own)
	}
	for name, session := range map[string]uint32{"another session of hers": second, "another user's session": bob} {
		l := spyIn(t, d, c, session, victim, fmt.Sprintf("stolen-%d", session), cookie)
		if len(l.Pictures) > 0 || len(l.Sockets) > 0 || strings.Contains(l.Keys, "KeyPress") {
			t.Errorf("a spy in %s got %+v", name, l)
		}
		if l.Tried == 0 {
			t.Errorf("a spy in %s tried nothing", name)
		}
	}
	got := d.In(t, victim, "cat", typed)
	if !strings.Contains(got, "own-word") {
		t.Errorf("the victim's program read %q: typing from her own session did not arrive, so the test has no power", got)
	}
	if strings.Contains(got, "stolen") {
		t.Errorf("the victim's program read what was typed in another session: %q", got)
	}
}

// spyIn runs a spy in a session while the victim types, and gives its loot.
func spyIn(t *testing.T, d *stationtest.Daemon, c *client.Conn, session, victim uint32, word string, cookie []byte) loot {
	t.Helper()
	program := d.Program(t, "spy", word, "5s", hex.EncodeToString(cookie))
	args := append([]string{"run", "--session", fmt.Sprint(session), "--"}, program...)
	cmd := exec.CommandContext(t.Context(), stationtest.Binary(t), args...)
	cmd.Env = append(os.Environ(), "STATION_DIR="+d.Dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	var l loot
	for lines.Scan() {
		if lines.Text() == "listening" {
			// The pointer of an X server without a window manager decides who
			// gets keys: over the victim's window.
			events := []client.InputEvent{{Kind: 2, X: 300, Y: 300}, {Kind: 3, Text: "secret\n"}}
			if err := c.SendInput(t.Context(), client.SendInputRequest{SessionID: victim, Events: events}); err != nil {
				t.Fatalf("the victim cannot type: %v", err)
			}
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("the spy said %q: %v", lines.Text(), err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the spy in session %d: %v", session, err)
	}
	return l
}

// cookieOf reads the cookie file of the first X server of a daemon, as the
// daemon's own user can from outside.
func cookieOf(t *testing.T, d *stationtest.Daemon) []byte {
	t.Helper()
	pids := d.Processes()
	if os.Geteuid() != 0 { // without cgroups: all of this user's
		dirs, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			var st syscall.Stat_t
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err == nil && syscall.Stat(dir, &st) == nil && int(st.Uid) == os.Geteuid() {
				pids = append(pids, pid)
			}
		}
	}
	for _, pid := range pids {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		words := strings.Split(string(args), "\x00")
		for i, w := range words {
			if w == "-auth" && filepath.Base(words[0]) == "Xvnc" {
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s", pid, words[i+1]))
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
		}
	}
	t.Fatal("there is no X server")
	return nil
}
