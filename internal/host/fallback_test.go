// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stationmaster/internal/host"
	"stationmaster/station"
)

// TestFallbacks does without each kernel feature in turn, and without all that
// Debian 12's kernel (6.1) lacks.
func TestFallbacks(t *testing.T) {
	for _, without := range [][]string{
		{"SO_PEERPIDFD"},
		{"PIDFD_GET_INFO"},
		{"PIDFD_GET_PID_NAMESPACE"},
		{"clone-into-cgroup"},
		{"cgroup.kill"},
		{"cgroup-v2"},
		{"landlock-scopes"},
		{"keyring-closed"},
		{"SO_PEERPIDFD", "PIDFD_GET_INFO", "PIDFD_GET_PID_NAMESPACE", "landlock-scopes"}, // Linux 6.1
		{"SO_PEERPIDFD", "PIDFD_GET_INFO", "PIDFD_GET_PID_NAMESPACE", "landlock-scopes", "cgroup-v2", "clone-into-cgroup", "cgroup.kill"},
	} {
		t.Run(strings.Join(without, ","), func(t *testing.T) {
			levels(t, func(t *testing.T, level string) {
				th := newHost(t, host.Options{Level: level, Without: without})
				iso := th.Isolation()
				for _, name := range without {
					for _, f := range iso.Features {
						if f.Name == name && (f.Available || f.Instead == "") {
							t.Errorf("feature %s is listed as %+v", name, f)
						}
					}
				}
				s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
				if out, st := run(t, s, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "echo $$; exit 3"}, UID: 20001, GID: 20001}); st.Code != 3 {
					t.Errorf("got %q, %+v", out, st)
				}
				p, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "setsid sleep 1000 & sleep 1000"}, UID: 20001, GID: 20001})
				if err != nil {
					t.Fatal(err)
				}
				eventually(t, "the programs do not start", func() bool { return len(s.Members()) >= 4 })
				members := s.Members()
				if err := s.End(t.Context()); err != nil {
					t.Fatal(err)
				}
				waitDone(t, p)
				for _, pid := range members {
					if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
						t.Errorf("process %d: %v", pid, err)
					}
				}
				th.Close()
				testIdentify(t, host.Options{Level: level, Without: without})
			})
		})
	}
}

// TestLowLevels: what is kept without namespaces.
func TestLowLevels(t *testing.T) {
	for _, level := range []string{host.LevelLandlock, host.LevelNone} {
		for _, without := range [][]string{nil, {"cgroup-v2"}} {
			t.Run(level+strings.Join(without, ""), func(t *testing.T) {
				th := newHost(t, host.Options{Level: level, Without: without, SingleUID: true})
				iso := th.Isolation()
				if iso.Level != level || iso.Feature("namespaces") {
					t.Fatalf("isolation is %+v", iso)
				}
				a := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
				b := th.start(t, station.SessionSpec{ID: 2, UID: 20001, GID: 20001})
				path, err := a.WriteFile(t.Context(), "cookie", []byte("x"), 0o600, 20001, 20001)
				if err != nil {
					t.Fatal(err)
				}
				if got := sh(t, a, 20001, "cat "+path+"; stat -c ' %a' "+a.RuntimeDir()); got != "x 700" {
					t.Errorf("got %q", got)
				}
				if a.RuntimeDir() == b.RuntimeDir() || a.PublicPath() != th.public {
					t.Errorf("directories are %s, %s, %s", a.RuntimeDir(), b.RuntimeDir(), a.PublicPath())
				}
				spawnSleepers := func(s *host.Session) []int {
					if _, err := s.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", "setsid sleep 1000 & (setsid setsid sleep 1000 &); sleep 1000"}, Env: baseEnv, UID: 20001, GID: 20001}); err != nil {
						t.Fatal(err)
					}
					eventually(t, "the programs do not start", func() bool { return len(s.Members()) >= 5 })
					return s.Members()
				}
				inA, inB := spawnSleepers(a), spawnSleepers(b)
				if level == host.LevelLandlock {
					if got := sh(t, a, 20001, fmt.Sprintf("kill -0 %d 2>&1 || true", inB[len(inB)-1])); !strings.Contains(got, "ermitted") {
						t.Errorf("a signal to another session: %q", got)
					}
				}
				l := callSocket(t, th)
				p := startProg(t, th, a, 20001, "", "call", a.PublicPath()+"/call")
				peer, done := caller(t, th.Host, l)
				if !peer.InSession || peer.Session != 1 || peer.PID != p.PID() {
					t.Errorf("caller is identified as %+v", peer)
				}
				done()
				waitDone(t, p)
				if err := a.End(t.Context()); err != nil {
					t.Fatal(err)
				}
				syscall.Kill(b.HolderPID(), syscall.SIGKILL)
				waitDone(t, b)
				for _, pid := range append(inA, inB...) {
					eventually(t, "process "+strconv.Itoa(pid)+" runs", func() bool {
						st, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
						return err != nil || bytes.Contains(st, []byte(") Z ")) // init is slow to reap it
					})
				}
				for _, s := range []*host.Session{a, b} {
					if _, err := os.Stat(filepath.Dir(s.RuntimeDir())); !errors.Is(err, errNotExist) {
						t.Errorf("%s is left: %v", s.RuntimeDir(), err)
					}
				}
			})
		}
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	for _, row := range []struct {
		opts host.Options
		text string
	}{
		{host.Options{}, "absolute path"},
		{host.Options{Dir: "relative"}, "absolute path"},
		{host.Options{Dir: file}, "not a directory"},
		{host.Options{Dir: filepath.Join(filepath.Dir(file), "d"), Level: "high"}, "no such level"},
		{host.Options{Dir: filepath.Join(filepath.Dir(file), "d"), Executable: "/no/such/binary"}, ""},
	} {
		h, err := host.Open(row.opts)
		if row.text == "" {
			// Nothing can be started: the level is none and says why.
			if err == nil {
				if _, serr := h.StartSession(t.Context(), station.SessionSpec{ID: 1}); serr == nil || !strings.Contains(serr.Error(), "/no/such/binary") {
					t.Errorf("without a binary: %+v, %v", h.Isolation(), serr)
				}
				h.Close()
			}
			continue
		}
		if err == nil {
			h.Close()
		}
		if err == nil || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%+v: %v, want %q", row.opts, err, row.text)
		}
	}
}

func TestReserve(t *testing.T) {
	th := newHost(t, host.Options{})
	// Somebody has X63 unless a reserver on this machine does.
	l, lerr := net.Listen("unix", "@/tmp/.X11-unix/X63")
	if lerr == nil {
		defer l.Close()
	}
	names, err := th.Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer th.Unreserve()
	if len(names) != 64 {
		t.Fatalf("%d names", len(names))
	}
	ours := 0
	for _, n := range names {
		switch {
		case n.Reserved:
			ours++
			if _, err := net.Dial("unix", "@/tmp/.X11-unix/X"+strconv.Itoa(n.Display)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("reserved name %d: %v", n.Display, err)
			}
			if l, err := net.Listen("unix", "@/tmp/.X11-unix/X"+strconv.Itoa(n.Display)); err == nil {
				l.Close()
				t.Errorf("reserved name %d was taken", n.Display)
			}
		case n.Display == 63 && lerr == nil:
			if n.PID != os.Getpid() || n.Program == "" {
				t.Errorf("X63 is said to be of process %d, %q", n.PID, n.Program)
			}
		default:
			t.Logf("X%d is of process %d, %q", n.Display, n.PID, n.Program)
		}
	}
	if ours == 0 && lerr == nil {
		t.Errorf("no name was reserved")
	}
	// It outlives the host, and the next host finds it.
	th.Close()
	th.open(t, host.Options{})
	again, err := th.Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range again {
		if again[i].Reserved != names[i].Reserved {
			t.Errorf("X%d: reserved %v, then %v", i, names[i].Reserved, again[i].Reserved)
		}
	}
	for range 2 {
		if err := th.Unreserve(); err != nil {
			t.Error(err)
		}
	}
	if ours > 0 {
		for _, n := range names {
			if n.Reserved {
				eventually(t, "the name is not free", func() bool {
					l, err := net.Listen("unix", "@/tmp/.X11-unix/X"+strconv.Itoa(n.Display))
					if err == nil {
						l.Close()
					}
					return err == nil
				})
				break
			}
		}
	}
}

// TestReserverEnds: with its run directory gone, nobody could end it.
func TestReserverEnds(t *testing.T) {
	th := newHost(t, host.Options{})
	if _, err := th.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(th.dir, "reserver.json"))
	var rec struct{ PID int }
	if err == nil {
		err = json.Unmarshal(b, &rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	th.Close()
	os.RemoveAll(th.dir)
	eventually(t, "the reserver runs on", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", rec.PID))
		return err != nil || bytes.Contains(b, []byte(") Z "))
	})
	syscall.Wait4(rec.PID, nil, syscall.WNOHANG, nil)
}

func TestHolderMemory(t *testing.T) {
	th := newHost(t, host.Options{})
	var all []*host.Session
	for id := range uint32(5) {
		s := th.start(t, station.SessionSpec{ID: id, UID: 20001, GID: 20001})
		for range 10 {
			sh(t, s, 20001, "true")
		}
		all = append(all, s)
	}
	for _, s := range all {
		m, err := s.Memory()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("session %d: holder private %d kB, PSS %d kB; session PSS %d kB in %d processes", s.ID(), m.HolderPrivate>>10, m.HolderPSS>>10, m.PSS>>10, m.Processes)
		if m.HolderPrivate > 1536<<10 && !raceEnabled {
			t.Errorf("the holder of session %d has %d kB of its own, 1536 at most", s.ID(), m.HolderPrivate>>10)
		}
		if m.PSS < m.HolderPSS || m.Processes < 1 {
			t.Errorf("sums are wrong: %+v", m)
		}
	}
}
