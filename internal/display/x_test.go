// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/display"
	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
	"stationmaster/internal/xserver/xservertest"
	"stationmaster/station"
	"stationmaster/win32"
)

// until waits for something that other processes do.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// real is a session with X servers and xterms.
type real struct {
	t *testing.T
	m *display.Manager
	h *xservertest.Session
}

func newReal(t *testing.T) *real {
	t.Helper()
	xservertest.NeedXvnc(t)
	xservertest.Need(t, "xterm", "xterm")
	r := &real{t: t, h: xservertest.New(t)}
	r.m = r.manager()
	return r
}

func (r *real) manager() *display.Manager {
	m := display.New(display.Options{
		Logger: slog.New(slog.NewTextHandler(r.t.Output(), nil)), DefaultKind: station.SurfaceX11,
		Width: 700, Height: 500, FirstDisplay: xservertest.FreeDisplay(r.t),
	})
	r.t.Cleanup(m.Close)
	return m
}

func (r *real) desktop(name, state string) station.Surface {
	r.t.Helper()
	f, err := r.m.NewSurface(r.t.Context(), station.SurfaceSpec{
		SessionID: 1, Session: r.h, Station: "WinSta0", Desktop: name, Secure: name == "Winlogon", State: state,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

// xterm starts one that writes each line typed into the file it gives.
func (r *real) xterm(f station.Surface, title string) (file string) {
	r.t.Helper()
	env, err := f.Prepare(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	file = filepath.Join(r.h.RuntimeDir(), title+".typed")
	_, err = r.h.Spawn(r.t.Context(), station.ProcessSpec{
		Path: "xterm", Tag: title,
		Args: []string{"xterm", "-geometry", "80x24+20+20", "-bg", "#fffbe8", "-fg", "black", "-e", "sh", "-c", "echo ready > " + file + "; echo THIS IS " + title + "; exec cat >> " + file},
		Env:  append(env, "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/"),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	until(r.t, title+" is ready", func() bool { return strings.Contains(r.typed(file), "ready") })
	return file
}

func (r *real) typed(file string) string {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(b)
}

// viewer is a VNC program looking at session 1.
func (r *real) viewer(o display.ViewerOptions) *rfbtest.Client {
	r.t.Helper()
	a, b := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- rfb.Serve(r.t.Context(), a, r.m.Viewer(1, o), rfb.Options{}) }()
	c, err := rfbtest.Connect(b, rfbtest.ClientOptions{Encodings: []int32{16, 1, rfbtest.DesktopSize, rfbtest.ExtendedDesktopSize, rfbtest.LastRect}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		c.Close()
		b.Close()
		<-served
	})
	return c
}

func (r *real) text(c *rfbtest.Client, text string) {
	r.t.Helper()
	for _, ch := range text {
		for _, down := range []bool{true, false} {
			if err := c.Key(down, surface.Keysym(ch)); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// sees waits until the viewer's picture is as ok wants it.
func (r *real) sees(c *rfbtest.Client, what string, ok func(img *image.RGBA) bool) {
	r.t.Helper()
	if err := c.WaitFor(30*time.Second, func(d *rfbtest.Decoder) bool { return ok(d.Img) }); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// paper reports whether a pixel is of an xterm of ours.
func paper(img *image.RGBA) bool {
	c := img.RGBAAt(480, 300)
	return c.R == 0xFF && c.G == 0xFB && c.B == 0xE8
}

// white reports whether a pixel is of one of our windows.
func white(img *image.RGBA, x, y int) bool { return img.RGBAAt(x, y) == color.RGBA{255, 255, 255, 255} }

func (r *real) keep(name string, img image.Image) {
	dir := os.Getenv("STATION_ARTEFACTS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		r.t.Fatal(err)
	}
}

func TestRealDesktop(t *testing.T) {
	conform.Rule(t, "IN-1", "IN-10", "WTS-35", "DT-48", "LGN-11")
	r := newReal(t)
	r.desktop("Winlogon", "")
	def := r.desktop("Default", "")
	work := r.desktop("Work", "")
	r.m.Switch(1, "WinSta0", "Default")
	file := r.xterm(def, "DEFAULT")
	c := r.viewer(display.ViewerOptions{Person: true})
	r.sees(c, "the xterm is seen", paper)

	// Typing goes in. The pointer has to be over the xterm: there is no window
	// manager.
	if err := c.Pointer(300, 200, 0); err != nil {
		t.Fatal(err)
	}
	r.text(c, "hello World\n")
	until(t, "what was typed arrives", func() bool { return strings.Contains(r.typed(file), "hello World\n") })

	// A box above it: a robot cannot answer, a person can.
	answers := make(chan uint32, 1)
	r.m.ShowMessage(1, "", surface.MessageBox{Title: "Update service", Text: "A new version is ready. Restart now?", Style: win32.MB_YESNO | win32.MB_ICONQUESTION}, func(id uint32) { answers <- id })
	r.sees(c, "the box is seen", func(img *image.RGBA) bool { return white(img, 350, 215) })
	img, err := r.m.Capture(t.Context(), 1, "WinSta0", "Default")
	if err != nil {
		t.Fatal(err)
	}
	r.keep("desktop-box.png", img)
	robot := r.viewer(display.ViewerOptions{Name: "robot"})
	r.text(robot, "y\n ")
	if err := r.m.Input(1, "Default", []display.InputEvent{{Key: true, Down: true, Keysym: surface.KeyReturn}, {Key: true, Keysym: surface.KeyReturn}}); err != nil {
		t.Fatal(err)
	}
	// The person clicks on No.
	for _, buttons := range []uint8{0, 1, 0} {
		if err := c.Pointer(449, 266, buttons); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-answers; got != win32.IDNO {
		t.Errorf("answer %d", got)
	}
	if err := c.Pointer(300, 200, 0); err != nil {
		t.Fatal(err)
	}
	r.text(c, "after the box\n")
	until(t, "typing goes to the xterm again", func() bool { return strings.Contains(r.typed(file), "after the box\n") })
	if got := r.typed(file); got != "ready\nhello World\nafter the box\n" {
		t.Errorf("what the robot typed at the box arrived: %q", got)
	}

	// Another desktop of the session, with an X server of its own.
	other := r.xterm(work, "WORK")
	before := r.typed(file)
	r.m.Switch(1, "WinSta0", "Work")
	r.sees(c, "the other xterm is seen", paper)
	r.text(c, "only work\n")
	until(t, "typing arrives there", func() bool { return strings.Contains(r.typed(other), "only work\n") })
	one, err := r.m.Capture(t.Context(), 1, "WinSta0", "Default") // not active, not watched
	if err != nil {
		t.Fatal(err)
	}
	two, err := r.m.Capture(t.Context(), 1, "WinSta0", "Work")
	if err != nil {
		t.Fatal(err)
	}
	if !paper(one) || !paper(two) || string(one.Pix) == string(two.Pix) {
		t.Error("the pictures of the two desktops are wrong")
	}

	// The secure desktop: a password typed there reaches no X server.
	r.m.SetSecureScreen(1, display.SecureScreen{Kind: display.SecureUnlock, User: "alice"})
	r.m.Switch(1, "WinSta0", "Winlogon")
	r.sees(c, "Winlogon is seen", func(img *image.RGBA) bool { return !paper(img) })
	r.text(c, "sEcret")
	c.See(func(d *rfbtest.Decoder) { r.keep("winlogon.png", d.Img) })
	r.m.Switch(1, "WinSta0", "Default")
	r.sees(c, "Default is seen again", paper)
	r.text(c, "back\n")
	until(t, "typing goes to Default again", func() bool { return strings.Contains(r.typed(file), "back\n") })
	if got := strings.TrimPrefix(r.typed(file), before); got != "back\n" {
		t.Errorf("Default got %q", got)
	}
	if strings.Contains(r.typed(other), "cret") {
		t.Error("a password reached an X server")
	}

	// Another size.
	if err := c.SetSize(900, 600); err != nil {
		t.Fatal(err)
	}
	r.sees(c, "the new size", func(img *image.RGBA) bool { return img.Bounds().Size() == image.Pt(900, 600) })

	// Without a viewer, through the API.
	if err := r.m.Input(1, "Default", []display.InputEvent{
		{X: 300, Y: 200},
		{Key: true, Down: true, Keysym: 'q'}, {Key: true, Keysym: 'q'},
		{Key: true, Down: true, Keysym: surface.KeyReturn}, {Key: true, Keysym: surface.KeyReturn},
	}); err != nil {
		t.Fatal(err)
	}
	until(t, "the API's input arrives", func() bool { return strings.HasSuffix(r.typed(file), "q\n") })

	def.Close()
	work.Close()
	until(t, "everything has ended", func() bool { return len(r.h.Running()) == 0 })
}

func TestRealServerKilled(t *testing.T) {
	r := newReal(t)
	def := r.desktop("Default", "")
	r.m.Switch(1, "WinSta0", "Default")
	r.xterm(def, "FIRST")
	c := r.viewer(display.ViewerOptions{Person: true})
	r.sees(c, "the xterm is seen", paper)
	var state struct{ PID int }
	if err := json.Unmarshal([]byte(def.State()), &state); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.sees(c, "the desktop says it has no display", func(img *image.RGBA) bool { return white(img, 140, 250) })
	if _, err := r.m.Capture(t.Context(), 1, "WinSta0", "Default"); err == nil {
		t.Error("a picture of a desktop without display")
	}
	r.xterm(def, "SECOND")
	r.sees(c, "the new server is seen", paper)
	def.Close()
}

// TestRealAdoption: a second manager takes over what the first one started.
func TestRealAdoption(t *testing.T) {
	r := newReal(t)
	def := r.desktop("Default", "")
	r.m.Switch(1, "WinSta0", "Default")
	file := r.xterm(def, "KEPT")
	state := def.State()
	r.m.Close()

	r.m = r.manager()
	again := r.desktop("Default", state)
	r.m.Switch(1, "WinSta0", "Default")
	if again.State() != state {
		t.Fatalf("adopted %s, want %s", again.State(), state)
	}
	c := r.viewer(display.ViewerOptions{Person: true})
	r.sees(c, "the xterm is still there", paper)
	if err := c.Pointer(300, 200, 0); err != nil {
		t.Fatal(err)
	}
	r.text(c, "new daemon\n")
	until(t, "typing arrives", func() bool { return strings.Contains(r.typed(file), "new daemon\n") })
	again.Close()
	until(t, "everything has ended", func() bool { return len(r.h.Running()) == 0 })

	// A record of a server that is gone.
	gone := r.desktop("Gone", state)
	if gone.State() != "" {
		t.Error("a dead server was adopted")
	}
	if _, err := gone.Prepare(t.Context()); err != nil {
		t.Errorf("Prepare does not start a new one: %v", err)
	}
	gone.Close()
}

// TestXvncMissing: the error names the package, and nothing falls back.
func TestXvncMissing(t *testing.T) {
	m := display.New(display.Options{XvncPath: filepath.Join(t.TempDir(), "Xvnc")})
	defer m.Close()
	if kind, why := m.DefaultKind(); kind != station.SurfaceBuiltin || !strings.Contains(why, "tigervnc-standalone-server") {
		t.Errorf("default %s, %s", kind, why)
	}
	_, err := m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Session: xservertest.New(t), Station: "WinSta0", Desktop: "D", Kind: station.SurfaceX11})
	if err == nil || !strings.Contains(err.Error(), "tigervnc-standalone-server") {
		t.Errorf("an X desktop without Xvnc: %v", err)
	}
}
