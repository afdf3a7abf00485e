// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stationmaster/internal/host"
	"stationmaster/station"
)

func TestPrivate(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		a := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		b := th.start(t, station.SessionSpec{ID: 2, UID: 20001, GID: 20001})
		sh(t, a, 20001, "echo secret > /tmp/x; echo secret > /dev/shm/x; echo secret > "+a.RuntimeDir()+"/x")
		for _, path := range []string{"/tmp/x", "/dev/shm/x", b.RuntimeDir() + "/x"} {
			if got := sh(t, b, 20001, "cat "+path+" 2>&1 || true"); !strings.Contains(got, "No such file") {
				t.Errorf("session 2 sees %s: %s", path, got)
			}
			if _, err := os.Stat("/proc/1/root" + path); err == nil {
				t.Errorf("the host has %s", path)
			}
		}
		for _, row := range []struct{ script, want string }{
			{"ls -A /tmp", ".ICE-unix\n.X11-unix\nx"},
			{"stat -c %a /tmp /tmp/.X11-unix", "1777\n1777"},
			{"stat -c %a " + a.RuntimeDir(), "700"},
			{"stat -c %F /dev/pts/ptmx", "character special file"},
			{"ls /dev/pts", "ptmx"},
			{"ls -A " + th.dir + " 2>&1 || true", ""},
			{"ls -d /proc/[0-9]* | wc -l", "3"}, // holder, sh, and ls or wc
			{"touch " + a.PublicPath() + "/x 2>/dev/null || echo refused", "refused"},
			{"awk '{print $1, $2}' /proc/1/cmdline | tr '\\0' ' ' | cut -d' ' -f2", "holder"},
			{"umount /tmp 2>/dev/null || echo refused", "refused"},
			{"unshare -Urm umount /tmp 2>/dev/null || echo refused", "refused"},
			{"unshare -Urm umount /proc 2>/dev/null || echo refused", "refused"},
		} {
			if level == host.LevelFull && strings.Contains(row.script, th.dir) {
				continue // closed to the user by its mode anyway; seen as root below
			}
			got := sh(t, a, 20001, row.script)
			if row.want == "3" && (got == "3" || got == "4") {
				continue
			}
			if got != row.want && !strings.Contains(got, "No such file") {
				t.Errorf("%s: got %q, want %q", row.script, got, row.want)
			}
		}
		if got := sh(t, a, 0, "ls -A "+th.dir+" 2>&1 || true"); got != "" && !strings.Contains(got, "No such file") {
			t.Errorf("the run directory is open inside: %q", got)
		}
	})
}

func TestWriteFile(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		// The user prepares a link where the cookie will be.
		sh(t, s, 20001, "ln -s /tmp/stolen "+s.RuntimeDir()+"/cookie")
		path, err := s.WriteFile(t.Context(), "cookie", []byte("sesame"), 0o600, 20001, 20001)
		if err != nil || path != s.RuntimeDir()+"/cookie" {
			t.Fatalf("got %s, %v", path, err)
		}
		if got := sh(t, s, 20001, "cat "+path+"; stat -c ' %a %F' "+path+"; ls /tmp"); got != "sesame 600 regular file" {
			t.Errorf("file is %q", got)
		}
		if _, err := s.WriteFile(t.Context(), "cookie", []byte("again"), 0o600, 20001, 20001); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"", ".", "..", "a/b", "../x", "a\x00"} {
			if _, err := s.WriteFile(t.Context(), name, nil, 0o600, 20001, 20001); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("file name %q: %v", name, err)
			}
		}
		for _, p := range []string{"/etc/passwd", "/tmp/x", s.RuntimeDir(), s.RuntimeDir() + "/a/b", s.RuntimeDir() + "/../x"} {
			if err := s.Remove(t.Context(), p); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("remove %s: %v", p, err)
			}
		}
		for range 2 {
			if err := s.Remove(t.Context(), path); err != nil {
				t.Error(err)
			}
		}
		if got := sh(t, s, 20001, "ls -A "+s.RuntimeDir()); got != "" {
			t.Errorf("left in the runtime directory: %q", got)
		}
		if level == host.LevelFull {
			other, err := s.WriteFile(t.Context(), "cookie", []byte("x"), 0o600, 20900, 20900)
			if err != nil || other != s.RuntimeDirOf(20900)+"/cookie" {
				t.Errorf("file of another uid: %s, %v", other, err)
			}
			if got := sh(t, s, 20001, "cat "+other+" 2>&1 || true"); !strings.Contains(got, "Permission denied") {
				t.Errorf("the user reads another's file: %q", got)
			}
		}
	})
}

// startProg starts the test binary as a program of s and waits for its first
// line of output when line is wanted.
func startProg(t *testing.T, th *testHost, s *host.Session, uid uint32, wantLine string, args ...string) station.HostProcess {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := s.Spawn(t.Context(), station.ProcessSpec{
		Path: th.program(t, s), Args: append([]string{"prog", "prog"}, args...), Env: baseEnv, UID: uid, GID: uid, Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if wantLine != "" {
		r.SetReadDeadline(time.Now().Add(20 * time.Second))
		line, err := bufio.NewReader(r).ReadString('\n')
		if strings.TrimSpace(line) != wantLine {
			t.Fatalf("program said %q, %v", line, err)
		}
	}
	return p
}

func TestDial(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		other := th.start(t, station.SessionSpec{ID: 2, UID: 20001, GID: 20001})
		startProg(t, th, s, 20001, "listening", "listen", "/tmp/.X11-unix/X1")
		c, err := s.Dial(t.Context(), "/tmp/.X11-unix/X1")
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if b, err := io.ReadAll(c); string(b) != "inside\n" {
			t.Errorf("read %q, %v", b, err)
		}
		c.Close()

		sh(t, s, 20001, "ln -s /tmp/.X11-unix/X1 /tmp/link; ln -s /tmp/.X11-unix /tmp/dir; touch /tmp/file")
		// A socket of the host in a directory that every session sees.
		l, err := net.Listen("unix", "@"+filepath.Base(filepath.Dir(th.dir)))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		foreign, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(th.public, "sock"), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer foreign.Close()
		os.Chmod(filepath.Join(th.public, "sock"), 0o777)
		for _, row := range []struct {
			s    *host.Session
			path string
			want error
		}{
			{s, "/tmp/link", syscall.ELOOP},
			{s, "/tmp/dir/X1", syscall.ELOOP},
			{s, "/tmp/none", errNotExist},
			{s, "/tmp/file", syscall.ENOTSOCK},
			{s, "/tmp", syscall.ENOTSOCK},
			{s, "tmp/x", syscall.EINVAL},
			{s, "/proc/self/root/tmp/.X11-unix/X1", syscall.ELOOP},
			{s, s.PublicPath() + "/sock", errPermission},
			{other, "/tmp/.X11-unix/X1", errNotExist},
		} {
			c, err := row.s.Dial(t.Context(), row.path)
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, row.want) {
				t.Errorf("session %d, %s: %v, want %v", row.s.ID(), row.path, err, row.want)
			}
		}
	})
}

// caller accepts one connection on l and identifies it.
func caller(t *testing.T, h *host.Host, l *net.UnixListener) (host.Peer, func()) {
	t.Helper()
	l.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Identify(c)
	if err != nil {
		c.Close()
		t.Fatal(err)
	}
	return p, func() { c.Write([]byte("bye\n")); c.Close(); p.PIDFD.Close() }
}

func callSocket(t *testing.T, th *testHost) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(th.public, "call"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Join(th.public, "call"), 0o666)
	t.Cleanup(func() { l.Close() })
	return l
}

func TestIdentify(t *testing.T) {
	levels(t, func(t *testing.T, level string) { testIdentify(t, host.Options{Level: level}) })
}

func testIdentify(t *testing.T, opts host.Options) {
	th := newHost(t, opts)
	l := callSocket(t, th)
	sessions := []*host.Session{th.start(t, station.SessionSpec{ID: 7, UID: 20001, GID: 20001}), th.start(t, station.SessionSpec{ID: 8, UID: 20001, GID: 20001})}
	for _, s := range sessions {
		path := s.PublicPath() + "/call"
		wantUID := uint32(20001)
		if opts.Level == host.LevelUser || os.Getuid() != 0 {
			wantUID = uint32(os.Getuid())
		}
		p := startProg(t, th, s, 20001, "", "call", path)
		peer, done := caller(t, th.Host, l)
		if !peer.InSession || peer.Session != s.ID() || peer.PID != p.PID() || peer.StartTime != p.StartTime() || peer.UID != wantUID {
			t.Errorf("direct child %d of session %d is identified as %+v", p.PID(), s.ID(), peer)
		}
		if anc := host.Ancestors(peer.PID); len(anc) < 2 || anc[0] != s.HolderPID() {
			t.Errorf("ancestors of %d are %v, holder %d", peer.PID, anc, s.HolderPID())
		}
		done()
		waitDone(t, p)

		p = startProg(t, th, s, 20001, "", "forkcall", path)
		waitDone(t, p)
		peer, done = caller(t, th.Host, l)
		if !peer.InSession || peer.Session != s.ID() || peer.PID == p.PID() {
			t.Errorf("grandchild in session %d is identified as %+v", s.ID(), peer)
		}
		done()

		// A session inside the session: a PID namespace of the user's own.
		if out, st := run(t, s, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "unshare -Urpf true"}, UID: 20001, GID: 20001}); st.Code == 0 {
			p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "unshare", Args: []string{"unshare", "-Urpf", th.program(t, s), "prog", "call", path}, Env: baseEnv, UID: 20001, GID: 20001})
			if err != nil {
				t.Fatal(err)
			}
			peer, done = caller(t, th.Host, l)
			if !peer.InSession || peer.Session != s.ID() {
				t.Errorf("program in a nested PID namespace of session %d is identified as %+v", s.ID(), peer)
			}
			done()
			waitDone(t, p)
		} else {
			t.Logf("no nested PID namespace here: %s", out)
		}
	}
	c, err := net.Dial("unix", filepath.Join(th.public, "call"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer, done := caller(t, th.Host, l)
	if peer.InSession || peer.PID != os.Getpid() || peer.UID != uint32(os.Getuid()) {
		t.Errorf("a program outside is identified as %+v", peer)
	}
	done()

	// One that has ended already.
	p := startProg(t, th, sessions[0], 20001, "", "call", sessions[0].PublicPath()+"/call")
	l.SetDeadline(time.Now().Add(20 * time.Second))
	uc, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close()
	p.Signal(9)
	waitDone(t, p)
	if peer, err := th.Identify(uc); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a caller that ended is identified as %+v, %v", peer, err)
	}
}

func TestHolderKilled(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		var all []station.HostProcess
		for range 3 {
			p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 1000 & sleep 1000"}, UID: 20001, GID: 20001})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		if err := syscall.Kill(s.HolderPID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitDone(t, s)
		for _, p := range all {
			waitDone(t, p)
			if st := p.ExitStatus(); st.Signal != 9 || st.Code != 137 {
				t.Errorf("status %+v", st)
			}
			if err := syscall.Kill(p.PID(), 0); err != syscall.ESRCH {
				t.Errorf("process %d: %v", p.PID(), err)
			}
		}
		checkNothingLeft(t, th.dir+"/"+strconv.Itoa(0)) // no file of another directory
		if _, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/true"}); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("start in an ended session: %v", err)
		}
		if _, err := s.Dial(t.Context(), "/tmp/x"); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("dial in an ended session: %v", err)
		}
		for range 2 {
			if err := s.End(t.Context()); err != nil {
				t.Errorf("end of an ended session: %v", err)
			}
		}
		// The number is free again.
		again := th.start(t, station.SessionSpec{ID: 1})
		if got := sh(t, again, 0, "echo ok"); got != "ok" {
			t.Errorf("got %q", got)
		}
	})
}

func TestEndKillsAll(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c",
			"trap '' TERM HUP; (setsid sleep 1000 &) ; setsid setsid sleep 1000 & sleep 1000"}, UID: 20001, GID: 20001})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the programs do not start", func() bool { return len(s.Members()) >= 5 })
		pids := s.Members()
		if _, err := th.StartSession(t.Context(), station.SessionSpec{ID: 1}); !errors.Is(err, os.ErrExist) {
			t.Errorf("second session 1: %v", err)
		}
		if err := s.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitDone(t, p)
		for _, pid := range pids {
			// An adopted zombie would still have its number; there is none, as
			// PID 1 of the namespace went last.
			if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
				t.Errorf("process %d: %v", pid, err)
			}
		}
	})
}

func TestManySessions(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		var wg sync.WaitGroup
		all := make([]*host.Session, 20)
		for i := range all {
			wg.Add(1)
			go func() {
				defer wg.Done()
				hs, err := th.StartSession(t.Context(), station.SessionSpec{ID: uint32(i), UID: uint32(20001 + i%2), GID: 20001})
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = hs.(*host.Session)
				p, err := hs.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", fmt.Sprintf("echo %d > /tmp/mine; exit %d", i, i)}, UID: uint32(20001 + i%2), GID: 20001})
				if err != nil {
					t.Error(err)
					return
				}
				<-p.Done()
				if st := p.ExitStatus(); st.Code != i {
					t.Errorf("session %d: status %+v", i, st)
				}
			}()
		}
		wg.Wait()
		for i, s := range all {
			if s == nil {
				continue
			}
			if got := sh(t, s, uint32(20001+i%2), "cat /tmp/mine"); got != strconv.Itoa(i) {
				t.Errorf("session %d reads %q in its /tmp", i, got)
			}
		}
		for _, s := range all {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if s != nil {
					endSession(t, s)
				}
			}()
		}
		wg.Wait()
	})
}

func TestOwnNetwork(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001, OwnNetwork: true})
		if got := sh(t, s, 20001, "ls /sys/class/net; grep -c . /proc/net/dev; awk 'NR>2{print $1}' /proc/net/dev"); !strings.HasSuffix(got, "lo:") {
			t.Errorf("interfaces are %q", got)
		}
		if got := sh(t, s, 20001, "grep -c '@/tmp/.X11-unix/X' /proc/net/unix"); got != "64" {
			t.Errorf("%s abstract X names are reserved", got)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if got := sh(t, s, 20001, fmt.Sprintf("bash -c 'echo > /dev/tcp/127.0.0.1/%d' 2>&1 || echo refused", port)); !strings.Contains(got, "refused") {
			t.Errorf("loopback of the host: %q", got)
		}
	})
}

func TestLimits(t *testing.T) {
	th := newHost(t, host.Options{Level: host.LevelFull})
	iso := th.Isolation()
	if !iso.Feature("limit-pids") || !iso.Feature("limit-memory") {
		hs, err := th.StartSession(t.Context(), station.SessionSpec{ID: 1, Limits: station.Limits{Processes: 10}})
		if err == nil {
			hs.End(t.Context())
			t.Fatal("a limit that cannot be kept was accepted")
		}
		t.Skipf("this machine's cgroups have no limits: %v", err)
	}
	s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001, Limits: station.Limits{Processes: 12, MemoryBytes: 64 << 20}})
	// A fork bomb, sized: the holder is none of the twelve.
	out, _ := run(t, s, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c",
		"i=0; while [ $i -lt 30 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i+1)); done"}, UID: 20001, GID: 20001})
	if !strings.Contains(strings.ToLower(out), "fork") {
		t.Errorf("30 programs started under a limit of 12: %q", out)
	}
	if n := len(s.Members()); n > 13 {
		t.Errorf("%d processes run under a limit of 12", n)
	}
	// The holder is not hindered by the full session.
	if _, err := s.WriteFile(t.Context(), "x", []byte("x"), 0o600, 20001, 20001); err != nil {
		t.Error(err)
	}
	if _, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/true", UID: 20001, GID: 20001}); err == nil {
		t.Log("a thirteenth program started: one had ended")
	} else if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("program beyond the limit: %v", err)
	}
	s2 := th.start(t, station.SessionSpec{ID: 2, UID: 20001, GID: 20001, Limits: station.Limits{MemoryBytes: 48 << 20}})
	out, st := run(t, s2, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c"}, UID: 20001, GID: 20001})
	if st.Code == 0 && strings.TrimSpace(out) == "190000000" {
		t.Errorf("190 MB under a limit of 48: %q, %+v", out, st)
	}
	out, st = run(t, s2, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "head -c 100000000 /dev/zero > /tmp/big"}, UID: 20001, GID: 20001})
	if st.Code == 0 {
		t.Errorf("100 MB in /tmp under a limit of 48: %q", out)
	}
}
