// SPDX-License-Identifier: Apache-2.0

// Package stationtest runs the real binary for integration tests: it builds
// cmd/station once a test run, starts daemons in fresh directories, kills and
// restarts them, and fails a test when a daemon that has ended left anything
// behind: a process, a mount, a cgroup, a socket or live state.
//
// Daemons live under /var/tmp, because sessions have a /tmp of their own. It
// imports client, win32 and the standard library, and no part of the daemon.
package stationtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root is where binaries and daemons of tests live.
const root = "/var/tmp"

// env are the variables that tests take.
const (
	envArtefacts = "STATION_ARTEFACTS" // directory that keeps pictures and logs
	envBinary    = "STATION_BINARY"    // a built binary to test, instead of building one
	envNoRace    = "STATION_NO_RACE"   // build without the race detector
)

var build struct {
	once sync.Once
	dir  string // removed by Main
	path string
	err  error
}

// Main runs the tests of a package, or one of its programs: a test that needs a
// program of its own (a service, a prober) gives it a name in programs and
// starts it through Daemon.Program. What a program returns is its exit code.
func Main(m *testing.M, programs map[string]func(args []string) int) {
	if len(os.Args) > 2 && os.Args[1] == programFlag {
		if f := programs[os.Args[2]]; f != nil {
			os.Exit(f(os.Args[3:]))
		}
		fmt.Fprintf(os.Stderr, "there is no program %q in this test binary\n", os.Args[2])
		os.Exit(127)
	}
	code := m.Run()
	if build.dir != "" {
		os.RemoveAll(build.dir)
	}
	os.Exit(code)
}

// programFlag as the first argument of a test binary makes it one of its programs.
const programFlag = "-station.program"

// Binary gives the path of the binary under test. It is built with the race
// detector where that is possible.
func Binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		if build.path = os.Getenv(envBinary); build.path != "" {
			return
		}
		if build.dir, build.err = os.MkdirTemp(root, "station-build-"); build.err != nil {
			return
		}
		build.path = filepath.Join(build.dir, "station")
		start := time.Now()
		if os.Getenv(envNoRace) == "" {
			cmd := exec.Command("go", "build", "-race", "-o", build.path, "stationmaster/cmd/station")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Logf("built with the race detector in %v", time.Since(start).Round(time.Millisecond))
				return
			}
			t.Logf("NOT BUILT WITH THE RACE DETECTOR (%v): %s", err, out)
		}
		cmd := exec.Command("go", "build", "-o", build.path, "stationmaster/cmd/station")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("cannot build cmd/station: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// NeedRoot skips a test, loudly, when it does not run as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root: users of their own uid, namespaces and cgroups")
	}
}

// unprivileged is the Linux user that Rootless runs tests as.
const unprivileged = 20002

// Rootless runs the calling test again as an unprivileged user when this is
// root, and reports true: the caller then returns. The tests of that user start
// their daemons rootless.
func Rootless(t testing.TB) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	binary := Binary(t)
	if build.dir != "" {
		if err := os.Chmod(build.dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	home, err := os.MkdirTemp(root, "station-home-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	if err := os.Chown(home, unprivileged, unprivileged); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "XDG_RUNTIME_DIR="+home, envBinary+"="+binary, "USER=station-test")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := cmd.CombinedOutput()
	t.Logf("as uid %d:\n%s", unprivileged, out)
	switch {
	case err != nil:
		t.Fatalf("as uid %d: %v", unprivileged, err)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("SKIPPED: as uid %d the test was skipped, see above", unprivileged)
	case !bytes.Contains(out, []byte("--- PASS")):
		t.Fatalf("as uid %d: no test ran", unprivileged)
	}
	return true
}

// NeedPrograms skips a test, loudly, when a program is not installed.
func NeedPrograms(t testing.TB, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skipf("SKIPPED: %s is not installed: %v", n, err)
		}
	}
}

// Artefact keeps a file for people to look at: in $STATION_ARTEFACTS/TEST when
// that is set, else in the test's temporary directory.
func Artefact(t testing.TB, name string, data []byte) {
	t.Helper()
	var to string
	if keep := os.Getenv(envArtefacts); keep != "" {
		test, _, _ := strings.Cut(t.Name(), "/")
		to = filepath.Join(keep, test)
	} else {
		to = t.TempDir()
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Errorf("cannot keep %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
		t.Errorf("cannot keep %s: %v", name, err)
	}
}

// Wait polls until ok is true; ok may say what it sees, for the failure's
// message.
func Wait(t testing.TB, limit time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		done, seen := ok()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s; %s", limit, what, seen)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// copyFile copies an executable to a place that sessions can see.
func copyFile(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
