// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"stationmaster/client"
	"stationmaster/win32"
)

// desktopLimits are what issue 4 asks of a desktop per agent.
const (
	builtinLimit = 5 * time.Millisecond
	xLimit       = 60 * time.Millisecond
)

// winsta measures a desktop per agent and the calls on stations and desktops.
func (b *bench) winsta() error {
	return errors.Join(b.agentDesktops(), b.desktopCalls())
}

func (b *bench) agentDesktops() error {
	user, err := b.user()
	if err != nil {
		return err
	}
	id, err := b.logon(user, "builtin")
	if err != nil {
		return err
	}
	token, err := b.conn.WTSQueryUserToken(b.ctx, client.SessionRequest{SessionID: id})
	if err != nil {
		return err
	}
	n := 0
	create := func(surface string, use bool) (time.Duration, error) {
		n++
		q := client.SessionDesktopRequest{SessionID: id, Desktop: fmt.Sprint("Agent", n), Surface: surface, HeapKB: 512}
		start := time.Now()
		if _, err := b.conn.CreateSessionDesktop(b.ctx, q); err != nil {
			return 0, err
		}
		took := time.Since(start)
		if use { // the X server starts with the first program or viewer
			name := `WinSta0\` + q.Desktop
			p, err := b.conn.CreateProcess(b.ctx, client.CreateProcessRequest{Token: token.Handle, Path: "/bin/true", Args: []string{"true"}, Desktop: &name})
			if err != nil {
				return 0, err
			}
			took = time.Since(start)
			if _, err := b.conn.WaitForSingleObject(b.ctx, client.WaitRequest{Handle: p.Process, Millis: 10_000}); err != nil {
				return 0, err
			}
			if err := b.conn.CloseHandle(b.ctx, client.HandleRequest{Handle: p.Process}); err != nil {
				return 0, err
			}
			return took, b.conn.CloseSessionDesktop(b.ctx, q)
		}
		return took, nil // these stay: fifty in one session
	}
	d, err := measure(50, func() (time.Duration, error) { return create("builtin", false) })
	if err != nil {
		return err
	}
	b.add("CreateSessionDesktop, built-in, 50 in one session", text(d, time.Millisecond, "ms"), "", "", verdict(median(d) <= builtinLimit, "≤ 5 ms"))
	if _, err := exec.LookPath("Xvnc"); err != nil {
		b.note("no Xvnc here: X desktops are not measured")
		return b.logoff(id)
	}
	d, err = measure(b.n(20), func() (time.Duration, error) { return create("x11", true) })
	if err != nil {
		return err
	}
	bare, err := measure(b.n(20), bareXvnc)
	if err != nil {
		return err
	}
	b.add("new X desktop until a program has been started on it", text(d, time.Millisecond, "ms"), "bare `Xvnc` until it takes clients "+text(bare, time.Millisecond, "ms"),
		ratio(median(d), median(bare)), verdict(median(d) <= xLimit, "≤ 60 ms"))
	return b.logoff(id)
}

// bareXvnc starts an X server with the flags that matter and waits until it has
// written its display number, which it does when it takes clients.
func bareXvnc() (time.Duration, error) {
	dir, err := os.MkdirTemp("/var/tmp", "station-bench-x-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cmd := exec.Command("Xvnc", "-displayfd", "3", "-SecurityTypes", "None", "-rfbport", "-1", "-rfbunixpath", filepath.Join(dir, "rfb"), "-nolisten", "tcp",
		"-geometry", "1280x800", "-depth", "24", "-extension", "GLX")
	cmd.ExtraFiles = []*os.File{w}
	start := time.Now()
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, err
	}
	line := make([]byte, 16)
	_, err = r.Read(line)
	took := time.Since(start)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if err != nil {
		return 0, fmt.Errorf("cannot measure: Xvnc said no display number: %w", err)
	}
	return took, nil
}

// desktopCalls measures the calls on stations and desktops beside Wine's.
func (b *bench) desktopCalls() error {
	const maximum = win32.MAXIMUM_ALLOWED
	c, err := b.conn.Redial(b.ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.IsGUIThread(b.ctx); err != nil {
		return err
	}
	first, err := c.GetThreadDesktop(b.ctx, client.ThreadRequest{ThreadID: c.Hello().ThreadID})
	if err != nil {
		return err
	}
	second, err := c.CreateDesktop(b.ctx, client.CreateDesktopRequest{Name: "Second", Access: maximum})
	if err != nil {
		return err
	}
	const calls = 500
	each := func(f func() error) ([]time.Duration, error) {
		return measure(b.n(20), func() (time.Duration, error) {
			start := time.Now()
			for range calls {
				if err := f(); err != nil {
					return 0, err
				}
			}
			return time.Since(start) / calls, nil
		})
	}
	peer, why := b.wine()
	if why != nil {
		b.note("NO WINE to compare with: %v", why)
	}
	for _, m := range []struct {
		name, key string
		run       func() error
	}{
		{"OpenWindowStation + CloseWindowStation", "station", func() error {
			h, err := c.OpenWindowStation(b.ctx, client.OpenRequest{Name: "WinSta0", Access: maximum})
			if err != nil {
				return err
			}
			return c.CloseWindowStation(b.ctx, client.HandleRequest{Handle: h.Handle})
		}},
		{"CreateDesktop (built-in) + CloseDesktop", "desktop", func() error {
			h, err := c.CreateDesktop(b.ctx, client.CreateDesktopRequest{Name: "Made", Access: maximum, Surface: "builtin"})
			if err != nil {
				return err
			}
			return c.CloseDesktop(b.ctx, client.HandleRequest{Handle: h.Handle})
		}},
		{"SetThreadDesktop there and back", "thread", func() error {
			if err := c.SetThreadDesktop(b.ctx, client.HandleRequest{Handle: second.Handle}); err != nil {
				return err
			}
			return c.SetThreadDesktop(b.ctx, client.HandleRequest{Handle: first.Handle})
		}},
	} {
		d, err := each(m.run)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		ours := text(d, time.Microsecond, "µs")
		p, ok := peer[m.key]
		if !ok {
			b.add(m.name+", over the socket", ours, "", "", "")
			continue
		}
		goal := ""
		if m.key == "station" {
			goal = verdict(p >= 5*median(d), "Wine ÷ ours ≥ 5")
		}
		b.add(m.name+", over the socket", ours, fmt.Sprintf("Wine 8 **%.3g** µs", float64(p)/1e3), ratio(p, median(d))+" (Wine ÷ ours)", goal)
	}
	return nil
}

// wineCalls is a Windows program that makes the same calls and prints the
// median of its rounds in nanoseconds a pair, one line a measurement.
const wineCalls = `
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#define ROUNDS 9
#define CALLS 500
static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return (x > y) - (x < y); }
static HDESK first, second;
static int station(void) { HWINSTA h = OpenWindowStationA("WinSta0", FALSE, MAXIMUM_ALLOWED); return h && CloseWindowStation(h); }
static int desktop(void) { HDESK h = CreateDesktopA("Made", NULL, NULL, 0, GENERIC_ALL, NULL); return h && CloseDesktop(h); }
static int thread(void) { return SetThreadDesktop(second) && SetThreadDesktop(first); }
static int run(const char *name, int (*f)(void)) {
	double r[ROUNDS]; LARGE_INTEGER hz, a, b; int i, j;
	QueryPerformanceFrequency(&hz);
	for (i = 0; i < ROUNDS; i++) {
		QueryPerformanceCounter(&a);
		for (j = 0; j < CALLS; j++) if (!f()) { fprintf(stderr, "%s: error %lu\n", name, GetLastError()); return 1; }
		QueryPerformanceCounter(&b);
		r[i] = (b.QuadPart - a.QuadPart) * 1e9 / hz.QuadPart / CALLS;
	}
	qsort(r, ROUNDS, sizeof r[0], cmp);
	printf("%s %.0f\n", name, r[ROUNDS / 2]);
	return 0;
}
int main(void) {
	first = GetThreadDesktop(GetCurrentThreadId());
	second = CreateDesktopA("Second", NULL, NULL, 0, GENERIC_ALL, NULL);
	if (!first || !second) return 2;
	return run("station", station) | run("desktop", desktop) | run("thread", thread);
}
`

// wine builds the program with mingw and runs it under Wine, in a prefix of its
// own that is removed afterwards.
func (b *bench) wine() (map[string]time.Duration, error) {
	for _, p := range []string{"wine", "x86_64-w64-mingw32-gcc"} {
		if _, err := exec.LookPath(p); err != nil {
			return nil, fmt.Errorf("%s is not installed (apt-get install wine wine64 gcc-mingw-w64-x86-64)", p)
		}
	}
	dir, err := os.MkdirTemp("/var/tmp", "station-bench-wine-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, exe := filepath.Join(dir, "calls.c"), filepath.Join(dir, "calls.exe")
	if err := os.WriteFile(source, []byte(wineCalls), 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.Command("x86_64-w64-mingw32-gcc", "-O2", "-o", exe, source, "-luser32").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mingw: %w: %s", err, out)
	}
	env := append(os.Environ(), "WINEPREFIX="+filepath.Join(dir, "prefix"), "WINEDEBUG=-all", "WINEARCH=win64", "DISPLAY=", "HOME="+dir,
		"WINEDLLOVERRIDES=mscoree,mshtml=") // no dialogs about what is not installed
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
		cmd.Env, cmd.Dir = env, dir
		cmd.WaitDelay = 10 * time.Second
		out, err := cmd.Output()
		return string(out), err
	}
	defer func() { // ends the prefix's own server and nothing else
		for _, server := range []string{"wineserver", "/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver"} {
			if _, err := run(server, "-k"); err == nil {
				_, _ = run(server, "-w")
				return
			}
		}
	}()
	if _, err := run("wine", exe); err != nil { // the first makes the prefix
		return nil, fmt.Errorf("wine: %w", err)
	}
	out, err := run("wine", exe)
	if err != nil {
		return nil, fmt.Errorf("wine: %w", err)
	}
	found := map[string]time.Duration{}
	for line := range strings.Lines(out) {
		if name, n, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			if ns, err := strconv.ParseInt(n, 10, 64); err == nil {
				found[name] = time.Duration(ns)
			}
		}
	}
	return found, nil
}
