// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stationmaster/internal/host"
	"stationmaster/station"
)

func progCall(path string) int {
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Fprintf(c, "hello\n")
	bufio.NewReader(c).ReadString('\n')
	return 0
}

func progListen(path string) int {
	l, err := net.Listen("unix", path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("listening")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "inside\n")
			c.Close()
		}
	}()
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM)
	<-ch
	return 0
}

func TestProbe(t *testing.T) {
	iso := host.Probe()
	t.Logf("level %s, why %q", iso.Level, iso.Why)
	if os.Getuid() == 0 && iso.Level == host.LevelFull && iso.Why != "" {
		t.Errorf("level full has a reason not to be higher: %q", iso.Why)
	}
	if iso.Level != host.LevelFull && iso.Why == "" {
		t.Errorf("level %s without a reason", iso.Level)
	}
	if len(iso.Features) < 10 {
		t.Errorf("only %d features listed", len(iso.Features))
	}
	for _, f := range iso.Features {
		t.Logf("%-24s %-5v %s", f.Name, f.Available, f.Instead)
		if !f.Available && f.Instead == "" {
			t.Errorf("feature %s is missing and nothing says what is used instead", f.Name)
		}
	}
}

func TestRootless(t *testing.T) {
	asUnprivileged(t, "^(TestProbe|TestSpawn|TestExit|TestPrivate|TestBadPrograms|TestFiles|TestWriteFile|TestDial|TestIdentify|TestHolderKilled|TestAdopt|TestManySessions|TestEndKillsAll|TestOtherUID|TestFallbacks|TestReserve|TestOwnNetwork)")
}

func TestSpawn(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		out, st := run(t, s, station.ProcessSpec{
			Path: "/bin/sh", Args: []string{"sh", "-c", `echo "$X|$0|$1|$(pwd)|$(id -u):$(id -g)|$(umask)"; exit 7`, "a b"},
			Env: append([]string{"X=y z\xff"}, baseEnv...), Dir: "/usr", UID: 20001, GID: 20001, Groups: []uint32{20009},
		})
		want := "y z\xff|a b||/usr|20001:20001|0022\n"
		if level == host.LevelUser {
			want = fmt.Sprintf("y z\xff|a b||/usr|%d:%d|0022\n", os.Getuid(), os.Getgid())
		}
		if out != want || st.Code != 7 || st.Signal != 0 {
			t.Errorf("got %q, %+v, want %q and code 7", out, st, want)
		}
		if level == host.LevelFull {
			out, _ := run(t, s, station.ProcessSpec{Path: "id", Args: []string{"id", "-G"}, UID: 20001, GID: 20001, Groups: []uint32{20009}})
			if strings.TrimSpace(out) != "20001 20009" {
				t.Errorf("groups are %q", out)
			}
		}
		// Confinement of every program.
		status := sh(t, s, 20001, "cat /proc/self/status")
		for _, line := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "CapEff:\t0000000000000000", "SigIgn:\t0000000000000000", "SigBlk:\t0000000000000000"} {
			if !strings.Contains(status, line+"\n") {
				t.Errorf("a program's status lacks %q:\n%s", line, status)
			}
		}
	})
}

func TestExit(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1})
		p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "sleep", Args: []string{"sleep", "1000"}, Env: baseEnv, Tag: "tag \x01"})
		if err != nil {
			t.Fatal(err)
		}
		if p.Tag() != "tag \x01" || p.PID() <= 0 || p.StartTime() == 0 {
			t.Errorf("process is %d, start %d, tag %q", p.PID(), p.StartTime(), p.Tag())
		}
		eventually(t, "the host's process of that number is another", func() bool {
			cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID()))
			return err == nil && string(cmd) == "sleep\x001000\x00"
		})
		if err := p.Signal(0); err != nil {
			t.Errorf("test signal: %v", err)
		}
		p.Forget() // still runs
		if len(s.Processes()) != 1 {
			t.Errorf("a running process was forgotten")
		}
		if err := p.Signal(int(syscall.SIGTERM)); err != nil {
			t.Fatal(err)
		}
		waitDone(t, p)
		if st := p.ExitStatus(); st.Code != 128+15 || st.Signal != 15 {
			t.Errorf("exit status %+v", st)
		}
		if err := p.Signal(0); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("signal to an ended process: %v", err)
		}
		if len(s.Processes()) != 1 {
			t.Errorf("an ended process is not kept")
		}
		p.Forget()
		if len(s.Processes()) != 0 {
			t.Errorf("a forgotten process is listed")
		}
	})
}

func TestBadPrograms(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1})
		uid := uint32(20001)
		os.WriteFile(filepath.Join(th.public, "noexec"), []byte("#!/bin/sh\n"), 0o644)
		os.WriteFile(filepath.Join(th.public, "garbage"), []byte("no program"), 0o755)
		os.Mkdir(filepath.Join(th.public, "dir"), 0o755)
		for _, row := range []struct {
			path, dir, env string
			want           error
			text           string
		}{
			{path: "/no/such/program", want: errNotExist, text: "/no/such/program"},
			{path: "no-such-program", want: errNotExist, text: "PATH"},
			{path: "dir/relative", want: syscall.EINVAL, text: "absolute"},
			{path: "", want: syscall.EINVAL},
			{path: s.PublicPath() + "/noexec", want: errPermission},
			{path: s.PublicPath() + "/dir", want: errPermission},
			{path: s.PublicPath() + "/garbage", want: syscall.ENOEXEC},
			{path: "/bin/true", dir: "/no/such/dir", want: errNotExist, text: "working directory /no/such/dir"},
			{path: "/bin/true", dir: "/etc/passwd", want: syscall.ENOTDIR, text: "working directory"},
			{path: "/bin/true\x00x", want: syscall.EINVAL},
		} {
			p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: row.path, Dir: row.dir, Env: baseEnv, UID: uid, GID: uid})
			if err == nil {
				t.Errorf("%q in %q started as %d", row.path, row.dir, p.PID())
				continue
			}
			if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("%q in %q: %v, want %v with %q", row.path, row.dir, err, row.want, row.text)
			}
		}
		if level == host.LevelFull {
			if _, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/true", Dir: "/root", UID: uid, GID: uid}); !errors.Is(err, errPermission) {
				t.Errorf("start in a closed working directory: %v", err)
			}
		}
		if len(s.Processes()) != 0 {
			t.Errorf("failed starts are listed: %v", s.Processes())
		}
	})
}

func TestFiles(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1})
		prog := th.program(t, s)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: prog, Args: []string{"prog", "prog", "fds"}, Env: baseEnv, Files: []*os.File{nil, w, nil, nil, w}})
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(r)
		waitDone(t, p)
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if strings.Contains(line, "pipe:") {
				line = line[:strings.Index(line, "pipe:")+4]
			}
			got = append(got, line)
		}
		want := []string{"0 /dev/null", "1 pipe", "2 /dev/null", "3 /dev/null", "4 pipe"}
		if strings.Join(got, ";") != strings.Join(want, ";") {
			t.Errorf("descriptors of a program are %q, want %q", got, want)
		}
		if p.ExitStatus().Code != 0 {
			t.Errorf("status %+v", p.ExitStatus())
		}
	})
}

func TestSpawnCancelled(t *testing.T) {
	th := newHost(t, host.Options{})
	s := th.start(t, station.SessionSpec{ID: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Spawn(ctx, station.ProcessSpec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	// Given up at all moments of the start: whatever did start is killed.
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
			defer cancel()
			if p, err := s.Spawn(ctx, station.ProcessSpec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}}); err == nil {
				p.Signal(9)
				<-p.Done()
				p.Forget()
			}
		}()
	}
	wg.Wait()
	eventually(t, "programs nobody waits for still run", func() bool { return len(s.Members()) <= 1 && len(s.Processes()) == 0 })
}

func TestOtherUID(t *testing.T) {
	th := newHost(t, host.Options{Level: host.LevelUser})
	th.Close()
	// The same without leave to ignore uids.
	h, err := host.Open(host.Options{Dir: th.dir, Level: host.LevelUser})
	if err != nil {
		t.Skip(err)
	}
	defer h.Close()
	if _, err := h.StartSession(t.Context(), station.SessionSpec{ID: 1, UID: 4711}); !errors.Is(err, errPermission) {
		t.Errorf("session of another uid: %v", err)
	}
	hs, err := h.StartSession(t.Context(), station.SessionSpec{ID: 1, UID: uint32(os.Getuid())})
	if err != nil {
		t.Fatal(err)
	}
	defer endSession(t, hs.(*host.Session))
	if _, err := hs.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/true", UID: 4711}); !errors.Is(err, errPermission) {
		t.Errorf("program of another uid: %v", err)
	}
}
