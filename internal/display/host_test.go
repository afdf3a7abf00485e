// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"fmt"
	"image"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stationmaster/internal/display"
	"stationmaster/internal/host"
	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
	"stationmaster/internal/xserver"
	"stationmaster/internal/xserver/xservertest"
	"stationmaster/station"
)

var _ xserver.Session = (*host.Session)(nil)

// TestIsolatedDesktop runs an X server and an xterm in a real session, as another
// user, and adopts both after the daemon's part was started anew.
func TestIsolatedDesktop(t *testing.T) {
	xservertest.NeedXvnc(t)
	xservertest.Need(t, "xterm", "xterm")
	dir, err := os.MkdirTemp("", "xh")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	open := func() *host.Host {
		h, err := host.Open(host.Options{Dir: filepath.Join(dir, "run"), SingleUID: true, Logger: log})
		if err != nil {
			t.Skipf("SKIPPED: no sessions on this machine: %v", err)
		}
		return h
	}
	h := open()
	if level := h.Isolation().Level; level != host.LevelFull && level != host.LevelUser {
		h.Close()
		t.Skipf("SKIPPED: isolation is only %q: %s", level, h.Isolation().Why)
	}
	var uid, gid uint32 = 20001, 20001
	hs, err := h.StartSession(t.Context(), station.SessionSpec{ID: 1, UID: uid, GID: gid})
	if err != nil {
		h.Close()
		t.Fatal(err)
	}
	defer func() {
		if err := hs.End(t.Context()); err != nil {
			t.Error(err)
		}
		h.Close()
	}()
	m := display.New(display.Options{Logger: log, DefaultKind: station.SurfaceX11, Width: 700, Height: 500})
	defer func() { m.Close() }()
	desktop := func(name, state string) station.Surface {
		f, err := m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Session: hs, Station: "WinSta0", Desktop: name, UID: uid, GID: gid, State: state})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	def, work := desktop("Default", ""), desktop("Work", "")
	m.Switch(1, "WinSta0", "Default")
	envDef, err := def.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	envWork, err := work.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if envDef[0] != "DISPLAY=:1" || envWork[0] != "DISPLAY=:2" {
		t.Errorf("environments %q and %q", envDef, envWork)
	}
	p, err := hs.Spawn(t.Context(), station.ProcessSpec{
		Path: "xterm", Args: []string{"xterm", "-geometry", "80x24+20+20", "-bg", "#fffbe8", "-fg", "black", "-e", "sh", "-c", "echo ready > /tmp/typed; exec cat >> /tmp/typed"},
		Env: append(envDef, "PATH=/usr/bin:/bin", "HOME=/tmp"), UID: uid, GID: gid, Tag: "xterm",
	})
	if err != nil {
		t.Fatal(err)
	}
	typed := func() string {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/root/tmp/typed", p.PID()))
		return string(b)
	}
	until(t, "the xterm is ready", func() bool { return typed() == "ready\n" })
	if err := m.Input(1, "Default", []display.InputEvent{{X: 300, Y: 200}}); err != nil {
		t.Fatal(err)
	}
	typeText := func(text string) {
		t.Helper()
		var ev []display.InputEvent
		for _, c := range text {
			ev = append(ev, display.InputEvent{Key: true, Down: true, Keysym: surface.Keysym(c)}, display.InputEvent{Key: true, Keysym: surface.Keysym(c)})
		}
		if err := m.Input(1, "Default", ev); err != nil {
			t.Fatal(err)
		}
	}
	typeText("Hello, isolated World\n")
	until(t, "what was typed arrives", func() bool { return strings.HasSuffix(typed(), "Hello, isolated World\n") })
	until(t, "the xterm is seen", func() bool {
		img, err := m.Capture(t.Context(), 1, "WinSta0", "Default")
		if err != nil {
			t.Fatal(err)
		}
		return paper(img)
	})

	// The daemon starts anew.
	stateDef, stateWork := def.State(), work.State()
	m.Close()
	h.Close()
	h = open()
	sessions, err := h.Adopt(t.Context())
	if err != nil || len(sessions) != 1 {
		t.Fatalf("adopted %d sessions: %v", len(sessions), err)
	}
	hs = sessions[0]
	for _, q := range hs.Processes() {
		if q.Tag() == "xterm" {
			p = q
		}
	}
	m = display.New(display.Options{Logger: log, DefaultKind: station.SurfaceX11, Width: 700, Height: 500})
	def, work = desktop("Default", stateDef), desktop("Work", stateWork)
	m.Switch(1, "WinSta0", "Default")
	a, b := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- rfb.Serve(t.Context(), a, m.Viewer(1, display.ViewerOptions{Person: true}), rfb.Options{})
	}()
	c, err := rfbtest.Connect(b, rfbtest.ClientOptions{Encodings: []int32{16, 1}})
	if err != nil {
		t.Fatal(err)
	}
	(&real{t: t}).sees(c, "the xterm is still there", func(img *image.RGBA) bool { return paper(img) })
	c.Close()
	b.Close()
	<-served
	typeText("again\n")
	until(t, "what was typed arrives", func() bool { return strings.HasSuffix(typed(), "again\n") })

	def.Close()
	work.Close()
	left, err := filepath.Glob(fmt.Sprintf("/proc/%d/root%s/*", hs.(*host.Session).HolderPID(), hs.(*host.Session).RuntimeDir()))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the runtime directory: %v, %v", left, err)
	}
	for _, q := range hs.Processes() {
		if strings.HasPrefix(q.Tag(), "xvnc:") {
			t.Errorf("X server %s is left", q.Tag())
		}
	}
}
