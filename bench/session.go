// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sessions measures a new session with full isolation and its first program.
func (b *bench) sessions() error {
	user, err := b.user()
	if err != nil {
		return err
	}
	run := func() (time.Duration, error) {
		start := time.Now()
		id, err := b.logon(user, "builtin")
		if err != nil {
			return 0, err
		}
		if err := b.program(id, "/bin/true"); err != nil {
			return 0, err
		}
		d := time.Since(start)
		return d, b.logoff(id)
	}
	if _, err := run(); err != nil { // the first makes the home directory
		return err
	}
	d, err := measure(b.n(50), run)
	if err != nil {
		return err
	}
	peer, err := measure(b.n(50), command("unshare", "--mount", "--ipc", "--pid", "--fork", "--mount-proc", "/bin/true"))
	if err != nil {
		return err
	}
	b.add("new session, full isolation, + /bin/true to its end", text(d, time.Millisecond, "ms"),
		"`unshare` mount+ipc+pid+proc "+text(peer, time.Millisecond, "ms"), ratio(median(d), median(peer)),
		verdict(median(d) <= 6*time.Millisecond, "≤ 6 ms"))
	return nil
}

// command measures a whole program from start to end.
func command(args ...string) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		start := time.Now()
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
		return time.Since(start), nil
	}
}

// spawn measures a program in a session that lives.
func (b *bench) spawn() error {
	user, err := b.user()
	if err != nil {
		return err
	}
	id, err := b.logon(user, "builtin")
	if err != nil {
		return err
	}
	d, err := measure(b.n(200), func() (time.Duration, error) {
		start := time.Now()
		err := b.program(id, "/bin/true")
		return time.Since(start), err
	})
	if err != nil {
		return err
	}
	ours := text(d, time.Millisecond, "ms")
	goal := verdict(median(d) <= 3*time.Millisecond, "≤ 3 ms")
	for _, peer := range []struct {
		name string
		args []string
	}{
		{"exec alone", []string{"/bin/true"}},
		{"`bwrap` tmpfs /tmp, ipc+pid+proc", []string{"bwrap", "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm", "--proc", "/proc", "--unshare-ipc", "--unshare-pid", "/bin/true"}},
		{"`runuser`", []string{"runuser", "-u", "nobody", "--", "/bin/true"}},
	} {
		if _, err := exec.LookPath(peer.args[0]); err != nil {
			b.note("no %s here", peer.args[0])
			continue
		}
		p, err := measure(b.n(50), command(peer.args...))
		if err != nil {
			b.note("%s: %v", peer.name, err)
			continue
		}
		b.add("/bin/true in a live session, call to end", ours, peer.name+" "+text(p, time.Millisecond, "ms"), ratio(median(d), median(p)), goal)
		goal = ""
	}
	return b.logoff(id)
}

// mapped is a shell script that starts an xterm and ends when its window is
// mapped.
const mapped = `xterm -T bench-window >/dev/null 2>&1 & until xwininfo -name bench-window 2>/dev/null | grep -q IsViewable; do :; done`

// xterm measures a session with an X desktop and a mapped window, beside the
// VNC server's own ways to start one.
func (b *bench) xterm() error {
	for _, p := range []string{"Xvnc", "xterm", "xwininfo"} {
		if _, err := exec.LookPath(p); err != nil {
			b.note("no %s here: the X desktop is not measured", p)
			return nil
		}
	}
	user, err := b.user()
	if err != nil {
		return err
	}
	d, err := measure(b.n(15), func() (time.Duration, error) {
		start := time.Now()
		id, err := b.logon(user, "x11")
		if err != nil {
			return 0, err
		}
		if err := b.program(id, "/bin/sh", "-c", mapped); err != nil {
			return 0, err
		}
		d := time.Since(start)
		return d, b.logoff(id)
	})
	if err != nil {
		return err
	}
	ours := text(d, time.Millisecond, "ms")
	if peer, err := measure(b.n(5), b.vncserver); err != nil {
		b.note("vncserver: %v", err)
		b.add("new session + X desktop + mapped xterm", ours, "", "", "")
	} else {
		b.add("new session + X desktop + mapped xterm", ours, "`vncserver` to a mapped xterm "+text(peer, time.Millisecond, "ms"), ratio(median(peer), median(d)), verdict(median(peer) >= 3*median(d), "peer ÷ ours ≥ 3"))
	}
	return nil
}

// vncserver starts a desktop with the wrapper of the same X server and stops
// when its xterm is mapped.
func (b *bench) vncserver() (time.Duration, error) {
	home, err := os.MkdirTemp("/var/tmp", "station-bench-vnc-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(home)
	stamp := filepath.Join(home, "mapped")
	startup := filepath.Join(home, "xstartup")
	script := "#!/bin/sh\n" + mapped + "\ndate +%s.%N > " + stamp + ".new && mv " + stamp + ".new " + stamp + "\nwait\n"
	if err := os.WriteFile(startup, []byte(script), 0o755); err != nil {
		return 0, err
	}
	env := append(os.Environ(), "HOME="+home, "USER=root")
	start := time.Now()
	cmd := exec.Command("vncserver", ":77", "-localhost", "yes", "-SecurityTypes", "None", "-xstartup", startup, "-geometry", "1280x800")
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Wait()
		kill := exec.Command("vncserver", "-kill", ":77")
		kill.Env = env
		_ = kill.Run()
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		text, err := os.ReadFile(stamp)
		if err == nil {
			at, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
			return time.Unix(0, int64(at*1e9)).Sub(start), err
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("no xterm within 20 s: %s", out.String())
		}
		time.Sleep(time.Millisecond)
	}
}
