// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stationmaster/internal/host"
	"stationmaster/station"
)

// TestImage runs sessions whose holder is the small program, from memory.
func TestImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "holder")
	cmd := exec.Command("go", "build", "-o", file, "stationmaster/cmd/station-holder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the holder: %v\n%s", err, out)
	}
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level, HolderImage: image})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		// The holder lets nobody look at its own link; its name is the file's.
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(s.HolderPID()) + "/maps")
		if os.Getuid() == 0 && (err != nil || !strings.Contains(string(comm), "/memfd:station-holder")) {
			t.Errorf("the holder runs another program: %v\n%s", err, comm)
		}
		if got := sh(t, s, 20001, "echo here; ls /proc/self/fd | wc -l"); !strings.HasPrefix(got, "here\n") {
			t.Errorf("got %q", got)
		}
		if strings.Contains(th.log.String(), "cannot be used") {
			t.Errorf("log: %s", th.log)
		}
	})
}

// TestImageBroken starts no session with a program that cannot run, and says
// so when the host is opened.
func TestImageBroken(t *testing.T) {
	if h, err := host.Open(host.Options{Dir: t.TempDir(), HolderImage: []byte("no program"), Level: host.LevelNone}); err == nil {
		s, err := h.StartSession(t.Context(), station.SessionSpec{ID: 1, UID: uint32(os.Getuid())})
		if err == nil {
			s.End(t.Context())
			t.Error("a session started")
		}
		h.Close()
	}
}

// TestHolderSignals sends a holder everything from outside its namespace, where
// the kernel holds nothing back: it stays, and goes on working.
func TestHolderSignals(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		for sig := syscall.Signal(1); sig <= 64; sig++ {
			switch {
			case sig == syscall.SIGKILL, sig == syscall.SIGSTOP:
				continue
			case 32 <= sig && sig <= 34: // the C library's own, which Go leaves alone
				continue
			}
			if err := syscall.Kill(s.HolderPID(), sig); err != nil {
				t.Fatalf("signal %d: %v", sig, err)
			}
			if got := sh(t, s, 20001, "echo here"); got != "here" {
				t.Fatalf("after signal %d (%v): %q", sig, sig, got)
			}
		}
	})
}
