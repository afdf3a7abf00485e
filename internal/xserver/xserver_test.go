// SPDX-License-Identifier: Apache-2.0

package xserver_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"image/color"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stationmaster/internal/rfb"
	"stationmaster/internal/surface"
	"stationmaster/internal/xserver"
	"stationmaster/internal/xserver/xservertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startServer(t *testing.T, s *xservertest.Session, display int) *xserver.Server {
	t.Helper()
	xservertest.NeedXvnc(t)
	x, err := xserver.Start(t.Context(), xserver.Options{Session: s, Name: `WinSta0\Default`, Width: 640, Height: 400, Display: display})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// xConnect opens an X connection and gives the server's first byte: 1 accepted,
// 0 refused.
func xConnect(t *testing.T, display int, cookie []byte) byte {
	t.Helper()
	c, err := net.Dial("unix", "/tmp/.X11-unix/X"+strconv.Itoa(display))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	name := ""
	if cookie != nil {
		name = "MIT-MAGIC-COOKIE-1"
	}
	b := []byte{'l', 0, 11, 0, 0, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(cookie)))
	b = append(b, 0, 0)
	b = append(b, name...)
	b = append(b, make([]byte, -len(name)&3)...)
	b = append(b, cookie...)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	var first [1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		t.Fatal(err)
	}
	return first[0]
}

// TestRootIsDressed: an empty desktop is not black.
func TestRootIsDressed(t *testing.T) {
	s := xservertest.New(t)
	var log strings.Builder
	xservertest.NeedXvnc(t)
	x, err := xserver.Start(t.Context(), xserver.Options{Session: s, Name: "D", Width: 320, Height: 200, Display: xservertest.FreeDisplay(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if log.Len() != 0 {
		t.Errorf("it complains: %s", log.String())
	}
	c, err := x.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := surface.NewFrame(320, 200)
	w := f.Watch()
	defer w.Close()
	b, err := rfb.Backend(t.Context(), c, f, rfb.BackendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	select {
	case <-b.Synced():
	case <-time.After(20 * time.Second):
		t.Fatal("no picture")
	}
	if got := f.Snapshot().RGBAAt(100, 100); got != (color.RGBA{0x4D, 0x5E, 0x70, 0xFF}) {
		t.Errorf("the root window is %v", got)
	}
}

func env(x *xserver.Server, name string) string {
	for _, e := range x.Env() {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

func TestServer(t *testing.T) {
	s := xservertest.New(t)
	x := startServer(t, s, xservertest.FreeDisplay(t))

	auth := env(x, "XAUTHORITY")
	info, err := os.Stat(auth)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the cookie file has mode %v", info.Mode())
	}
	record, err := os.ReadFile(auth)
	if err != nil {
		t.Fatal(err)
	}
	cookie := record[len(record)-16:]
	if got := env(x, "DISPLAY"); got != ":"+strconv.Itoa(x.Display()) {
		t.Errorf("DISPLAY=%s", got)
	}
	if xConnect(t, x.Display(), cookie) != 1 {
		t.Error("the cookie is not accepted")
	}
	if xConnect(t, x.Display(), nil) != 0 {
		t.Error("a client without a cookie is accepted")
	}
	wrong := append([]byte(nil), cookie...)
	wrong[3] ^= 1
	if xConnect(t, x.Display(), wrong) != 0 {
		t.Error("a wrong cookie is accepted")
	}

	// Only the two path sockets are open: no TCP, no abstract name.
	if c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(6000+x.Display())); err == nil {
		c.Close()
		t.Error("the server listens on TCP")
	}
	if c, err := net.Dial("unix", "@/tmp/.X11-unix/X"+strconv.Itoa(x.Display())); err == nil {
		c.Close()
		t.Error("the server listens on an abstract name")
	}
	c, err := x.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "RFB 003.008\n" {
		t.Errorf("RFB banner %q, %v", line, err)
	}

	x.Close()
	x.Close()
	for _, p := range []string{auth, "/tmp/.X11-unix/X" + strconv.Itoa(x.Display()), "/tmp/.X" + strconv.Itoa(x.Display()) + "-lock"} {
		if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind", p)
		}
	}
	if left, _ := filepath.Glob(s.RuntimeDir() + "/*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if left := s.Running(); len(left) != 0 {
		t.Errorf("still running: %v", left)
	}
}

func TestTwoServersGetTwoNumbers(t *testing.T) {
	s := xservertest.New(t)
	n := xservertest.FreeDisplay(t)
	a, b := startServer(t, s, n), startServer(t, s, n)
	if a.Display() == b.Display() {
		t.Fatalf("both have :%d", a.Display())
	}
	if env(a, "XAUTHORITY") == env(b, "XAUTHORITY") {
		t.Error("both have one cookie file")
	}
	// The cookie of one does not open the other.
	record, err := os.ReadFile(env(a, "XAUTHORITY"))
	if err != nil {
		t.Fatal(err)
	}
	if xConnect(t, b.Display(), record[len(record)-16:]) != 0 {
		t.Error("the cookie of one desktop opens the other")
	}
}

// TestStartsAtOnce starts servers that all want the same number.
func TestStartsAtOnce(t *testing.T) {
	xservertest.NeedXvnc(t)
	s := xservertest.New(t)
	n := xservertest.FreeDisplay(t)
	const servers = 4
	got := make(chan *xserver.Server, servers)
	for range servers {
		go func() {
			x, err := xserver.Start(t.Context(), xserver.Options{Session: s, Name: "D", Width: 64, Height: 48, Display: n})
			if err != nil {
				t.Error(err)
			}
			got <- x
		}()
	}
	seen := map[int]bool{}
	for range servers {
		x := <-got
		if x == nil {
			continue
		}
		defer x.Close()
		record, err := os.ReadFile(env(x, "XAUTHORITY"))
		if err != nil {
			t.Error(err)
		} else if xConnect(t, x.Display(), record[len(record)-16:]) != 1 {
			t.Errorf(":%d does not take the cookie in its file", x.Display())
		}
		if seen[x.Display()] {
			t.Errorf(":%d was given twice", x.Display())
		}
		seen[x.Display()] = true
	}
}

func TestAdopt(t *testing.T) {
	s := xservertest.New(t)
	x := startServer(t, s, xservertest.FreeDisplay(t))
	again, err := xserver.Adopt(s, x.State(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.PID() != x.PID() || again.Env()[0] != x.Env()[0] || again.State() != x.State() {
		t.Errorf("adopted another server: %s, want %s", again.State(), x.State())
	}
	c, err := again.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	again.Close()
	if _, err := xserver.Adopt(s, x.State(), nil); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("adopting a dead server: %v", err)
	}
	for _, bad := range []string{"", "{", `{"Version":2}`, `{"Version":1,"Tag":"xvnc:1","PID":1}`} {
		if _, err := xserver.Adopt(s, bad, nil); err == nil {
			t.Errorf("record %q is adopted", bad)
		}
	}
}

func TestServerDies(t *testing.T) {
	s := xservertest.New(t)
	x := startServer(t, s, xservertest.FreeDisplay(t))
	if err := x.Err(); err != nil {
		t.Errorf("a running server says %v", err)
	}
	if err := syscall.Kill(x.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-x.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("Done is not closed")
	}
	if err := x.Err(); err == nil || !strings.Contains(err.Error(), "signal 9") {
		t.Errorf("Err = %v", err)
	}
	x.Close()
	if left, _ := filepath.Glob(s.RuntimeDir() + "/*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	// A killed server leaves its lock and socket in /tmp of the session; the
	// next one on that number takes them over.
	y := startServer(t, s, x.Display())
	if y.Display() != x.Display() {
		t.Logf("number %d is not used again, but %d", x.Display(), y.Display())
	}
}

func TestCannotStart(t *testing.T) {
	s := xservertest.New(t)
	dir := t.TempDir()
	script := func(name, body string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for _, test := range []struct {
		name, path, want string
		ctx              context.Context
	}{
		{"missing", filepath.Join(dir, "none"), "tigervnc-standalone-server", t.Context()},
		{"ends with an error", script("fails", "echo 'Fatal server error: no keymap' >&2; exit 1"), "no keymap", t.Context()},
		{"never gets ready", script("hangs", "exec sleep 60"), "did not get ready", short},
	} {
		t.Run(test.name, func(t *testing.T) {
			x, err := xserver.Start(test.ctx, xserver.Options{Session: s, Path: test.path, Name: "D", Width: 64, Height: 48, Display: xservertest.FreeDisplay(t)})
			if err == nil {
				x.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cannot start an X server for D: ") {
				t.Errorf("error %q does not say %q", err, test.want)
			}
			if left := s.Running(); len(left) != 0 {
				t.Errorf("still running: %v", left)
			}
			if left, _ := filepath.Glob(s.RuntimeDir() + "/*"); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestServerTalks makes a server write more than is kept; it must not block.
func TestServerTalks(t *testing.T) {
	s := xservertest.New(t)
	p := filepath.Join(t.TempDir(), "talks")
	body := "#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' 'x' >&2\nprintf '\\033[2J\\n' >&2\nexit 3\n"
	if err := os.WriteFile(p, []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := xserver.Start(t.Context(), xserver.Options{Session: s, Path: p, Name: "D", Width: 64, Height: 48, Display: xservertest.FreeDisplay(t)})
	if err == nil || !strings.Contains(err.Error(), "code 3") || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\033") {
		t.Errorf("error %.300q", err)
	}
}
