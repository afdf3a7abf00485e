// SPDX-License-Identifier: Apache-2.0

package rfb_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
)

// startXvnc starts an X server as desktops have it, on a display number that the
// server picks itself, and gives DISPLAY and the path of its picture socket.
func startXvnc(t testing.TB) (display, socket string) {
	t.Helper()
	for _, name := range []string{"Xvnc", "xterm"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %s is not installed (Debian: tigervnc-standalone-server, xterm): the way to a real X server is NOT tested", name)
		}
	}
	dir := t.TempDir()
	socket = filepath.Join(dir, "rfb")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvnc", "-displayfd", "3", "-nolisten", "tcp", "-nolisten", "local", "-extension", "GLX", "-geometry", "640x480", "-depth", "24",
		"-rfbunixpath", socket, "-rfbport", "-1", "-SecurityTypes", "None", "-FrameRate", "500")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = diesWithUs()
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("Xvnc said:\n%s", log.Bytes())
		}
		os.Remove("/tmp/.X11-unix/X" + display[1:])
		os.Remove("/tmp/.X" + display[1:] + "-lock")
	})
	r.SetReadDeadline(time.Now().Add(patience))
	var n int
	if _, err := fmt.Fscanln(r, &n); err != nil {
		display = ":none"
		t.Fatalf("Xvnc gives no display: %v\n%s", err, log.Bytes())
	}
	return fmt.Sprintf(":%d", n), socket
}

// diesWithUs ends a program also when the test binary is killed.
func diesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

func dialXvnc(t testing.TB, socket string) net.Conn {
	t.Helper()
	limit := time.Now().Add(patience)
	for {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return c
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// program runs an X program until the end of the test.
func program(t testing.TB, display string, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	cmd.SysProcAttr = diesWithUs()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// truth asks the X server itself for its picture, raw, over a connection of its
// own.
func truth(t testing.TB, socket string) *rfbtest.Client {
	t.Helper()
	cl, err := rfbtest.Connect(dialXvnc(t, socket), rfbtest.ClientOptions{Encodings: []int32{0, rfbtest.DesktopSize, rfbtest.CursorShape}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// The whole way, real: Xvnc with an xterm → Backend → frame → Serve → viewers of
// several kinds. At rest each viewer has exactly the picture of the X server; keys
// typed at a viewer change it; so does another size.
func TestXvnc(t *testing.T) {
	display, socket := startXvnc(t)
	f := surface.NewFrame(64, 64)
	b, err := rfb.Backend(t.Context(), dialXvnc(t, socket), f, rfb.BackendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if w, h := f.Size(); w != 640 || h != 480 {
		t.Fatalf("the X server has %dx%d", w, h)
	}
	s := &xscreen{screen: newScreen(f), b: b}
	group := &rfb.Group{}
	var viewers []*rfbtest.Client
	for _, enc := range [][]int32{with(0), with(16), with(7), with(7, rfbtest.Quality(6)), {7, 1, rfbtest.DesktopSize}} {
		viewers = append(viewers, connect(t, s, rfb.Options{Gradient: true, Group: group}, rfbtest.ClientOptions{Encodings: enc}))
	}
	real := truth(t, socket)

	// settle waits until the X server's picture passes ok, and every viewer has it.
	settle := func(what string, ok func(*image.RGBA) bool) *image.RGBA {
		t.Helper()
		var img *image.RGBA
		err := real.WaitFor(patience, func(d *rfbtest.Decoder) bool {
			if !ok(d.Img) {
				return false
			}
			c := *d.Img
			c.Pix = append([]byte(nil), d.Img.Pix...)
			img = &c
			return true
		})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		limit := time.Now().Add(patience)
		for i, v := range viewers {
			for same := false; !same; {
				v.See(func(d *rfbtest.Decoder) {
					real.See(func(r *rfbtest.Decoder) {
						same = d.Img.Rect == r.Img.Rect && bytes.Equal(d.Img.Pix, r.Img.Pix)
						img = r.Img
					})
				})
				if !same && time.Now().After(limit) {
					t.Fatalf("%s: viewer %d has another picture (its connection: %v, the X server's: %v)", what, i, v.Err(), b.Err())
				}
				if !same { // two connections get there each in its own time
					time.Sleep(2 * time.Millisecond)
				}
			}
		}
		return img
	}
	program(t, display, "xterm", "-geometry", "60x20+10+10", "-bg", "white", "-fg", "black", "-e", "sh", "-c", "PS1='> ' exec sh")
	white := func(img *image.RGBA) int {
		n := 0
		for i := 0; i < len(img.Pix); i += 4 {
			if img.Pix[i] == 255 && img.Pix[i+1] == 255 && img.Pix[i+2] == 255 {
				n++
			}
		}
		return n
	}
	start := settle("xterm", func(img *image.RGBA) bool { return white(img) > 60*20*40 })
	before := white(start)

	// Type at a viewer. The pointer must be over the window: no window manager.
	v := viewers[1]
	v.Pointer(100, 100, 0)
	for _, c := range "seq 1 40" {
		v.Key(true, uint32(c))
		v.Key(false, uint32(c))
	}
	v.Key(true, 0xff0d)
	v.Key(false, 0xff0d)
	settle("typing and scrolling", func(img *image.RGBA) bool { return white(img) < before-500 })

	// Another size, asked by a viewer.
	v.SetSize(800, 600)
	settle("size by viewer", func(img *image.RGBA) bool { return img.Rect.Dx() == 800 && img.Rect.Dy() == 600 })
	if err := b.SetSize(t.Context(), 500, 400); err != nil {
		t.Error(err)
	}
	settle("size by us", func(img *image.RGBA) bool { return img.Rect.Dx() == 500 && img.Rect.Dy() == 400 })
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	made, shared := group.Shared()
	t.Logf("updates encoded %d, shared %d more", made, shared)
}

// xscreen passes input on to a Backend, as a session does.
type xscreen struct {
	*screen
	b *rfb.BackendConn
}

func (s *xscreen) Key(down bool, k uint32)      { s.b.Key(down, k) }
func (s *xscreen) Pointer(x, y int, btns uint8) { s.b.Pointer(x, y, btns) }
func (s *xscreen) SetSize(w, h int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.b.SetSize(ctx, w, h)
}

// Debian's own viewer as a second opinion: what TigerVNC's viewer shows of our
// server, read back from the X server it runs on.
func TestTigerVNCViewer(t *testing.T) {
	if _, err := exec.LookPath("vncviewer"); err != nil {
		t.Skip("SKIPPED: vncviewer is not installed (Debian: tigervnc-viewer): no viewer program of others is tested")
	}
	display, socket := startXvnc(t)
	for _, prefer := range [][]string{
		{"-PreferredEncoding=Tight", "-NoJPEG=1"}, {"-PreferredEncoding=Tight", "-QualityLevel=6"}, {"-PreferredEncoding=ZRLE"}, {"-PreferredEncoding=Raw"},
	} {
		t.Run(prefer[0][len("-PreferredEncoding="):]+fmt.Sprint(len(prefer)), func(t *testing.T) {
			f := newFrame(rfbtest.Mixed(400, 300, 9))
			path := filepath.Join(t.TempDir(), "view")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ended := make(chan error, 1)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				c, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				ended <- rfb.Serve(ctx, c, newScreen(f), rfb.Options{Gradient: true})
			}()
			args := append([]string{"vncviewer", "-AutoSelect=0", "-RemoteResize=0", "-FullColour=1", "-AlertOnFatalError=0", "-Shared=1"}, prefer...)
			cmd := exec.Command(args[0], append(args[1:], path)...)
			cmd.Env = append(os.Environ(), "DISPLAY="+display, "HOME="+t.TempDir())
			cmd.SysProcAttr = diesWithUs()
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cancel()
				cmd.Process.Kill()
				cmd.Wait()
				l.Close()
				<-ended
				if t.Failed() {
					t.Logf("vncviewer said:\n%s", out.Bytes())
				}
			}()
			real := truth(t, socket)
			for n := range 3 {
				if n > 0 {
					paint(f, rfbtest.Mixed(400, 300, uint64(20+n)))
					f.Update(func(p *surface.Paint) { p.Copy(image.Rect(50, 60, 200, 200), image.Pt(55, 50)) })
				}
				want := f.Snapshot()
				err := real.WaitFor(patience, func(d *rfbtest.Decoder) bool { return contains(d.Img, want) })
				if err != nil {
					t.Fatalf("picture %d is not on vncviewer's screen: %v", n, err)
				}
			}
		})
	}
}

// contains reports whether part is somewhere in img, exactly, except where the
// viewer's own pointer lies (its centre is left out).
func contains(img, part *image.RGBA) bool {
	row := part.Pix[:4*part.Rect.Dx()]
	for y := 0; y+part.Rect.Dy() <= img.Rect.Dy(); y++ {
		for x := 0; x+part.Rect.Dx() <= img.Rect.Dx(); x++ {
			if !bytes.Equal(img.Pix[img.PixOffset(x, y):][:len(row)], row) {
				continue
			}
			wrong := 0
			for py := range part.Rect.Dy() {
				a, b := img.Pix[img.PixOffset(x, y+py):][:len(row)], part.Pix[py*part.Stride:][:len(row)]
				if bytes.Equal(a, b) {
					continue
				}
				for i := 0; i < len(a); i += 4 {
					if !bytes.Equal(a[i:i+3], b[i:i+3]) {
						wrong++
					}
				}
			}
			return wrong <= 24*24 // a pointer
		}
	}
	return false
}
