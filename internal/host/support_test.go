// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stationmaster/internal/host"
	"stationmaster/station"
)

const unprivileged = 20002 // uid the tests run again as

func TestMain(m *testing.M) {
	if host.IsHolder(os.Args) {
		os.Exit(host.HolderMain(os.Args))
	}
	if len(os.Args) > 1 && os.Args[1] == "prog" {
		os.Exit(progMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// levels runs f at each isolation level this user can have here: full and user
// as root, user otherwise. A level that cannot be had is skipped aloud.
func levels(t *testing.T, f func(t *testing.T, level string)) {
	all := []string{host.LevelFull, host.LevelUser}
	if os.Getuid() != 0 {
		all = all[1:]
	}
	for _, level := range all {
		t.Run(level, func(t *testing.T) { f(t, level) })
	}
}

// testHost is a host with its directories, and what it logged.
type testHost struct {
	*host.Host
	dir, public string
	log         *logBuffer
}

// logBuffer collects a log for reading while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newHost opens a host on fresh directories and checks at the end of the test
// that nothing of it is left on the machine.
func newHost(t *testing.T, opts host.Options) *testHost {
	t.Helper()
	base, err := os.MkdirTemp("", "sm-host-")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(base, 0o755)
	th := &testHost{dir: filepath.Join(base, "run"), public: filepath.Join(base, "public"), log: &logBuffer{}}
	if err := os.Mkdir(th.public, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkNothingLeft(t, th.dir)
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(th.dir, "holder.log"))
			t.Logf("log:\n%s\nholders:\n%s", th.log, b)
		}
		os.RemoveAll(base)
	})
	opts.Dir, opts.PublicDir = th.dir, th.public
	if os.Getuid() != 0 || opts.Level == host.LevelUser {
		opts.SingleUID = true
	}
	th.open(t, opts)
	return th
}

func (th *testHost) open(t *testing.T, opts host.Options) {
	t.Helper()
	opts.Dir, opts.PublicDir = th.dir, th.public
	opts.Logger = slog.New(slog.NewTextHandler(th.log, nil))
	h, err := host.Open(opts)
	if err != nil {
		if opts.Level != "" && strings.Contains(err.Error(), "cannot isolate sessions at level "+opts.Level) && os.Getenv("STATION_NEED_LEVELS") == "" {
			t.Skipf("this machine has no level %s: %v", opts.Level, err)
		}
		t.Fatal(err)
	}
	th.Host = h
	t.Cleanup(func() {
		h.Close()
		os.Remove(th.dir + "/x")
	})
}

// start starts a session that ends with the test.
func (th *testHost) start(t *testing.T, spec station.SessionSpec) *host.Session {
	t.Helper()
	hs, err := th.StartSession(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	s := hs.(*host.Session)
	t.Cleanup(func() { endSession(t, s) })
	return s
}

func endSession(t *testing.T, s *host.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.End(ctx); err != nil && !strings.Contains(err.Error(), "host is closed") {
		t.Error(err)
	}
}

var baseEnv = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C", "GORACE=atexit_sleep_ms=0"}

// run runs a program to its end and gives its output and exit status.
func run(t *testing.T, s *host.Session, spec station.ProcessSpec) (string, station.ExitStatus) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	spec.Files = []*os.File{nil, w, w}
	if spec.Env == nil {
		spec.Env = baseEnv
	}
	p, err := s.Spawn(t.Context(), spec)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(r)
	waitDone(t, p)
	st := p.ExitStatus()
	p.Forget()
	return string(out), st
}

// sh runs a shell script as uid and gives its trimmed output.
func sh(t *testing.T, s *host.Session, uid uint32, script string) string {
	t.Helper()
	out, st := run(t, s, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, UID: uid, GID: uid})
	if st.Code != 0 {
		t.Fatalf("script %q ended with %+v:\n%s", script, st, out)
	}
	return strings.TrimSpace(out)
}

func waitDone(t *testing.T, p interface{ Done() <-chan struct{} }) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("not done after 20 s")
	}
}

// eventually polls until ok or ten seconds have passed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("after 10 s: %s", what)
}

// program copies the test binary to where sessions see it and gives its path
// inside.
func (th *testHost) program(t *testing.T, s *host.Session) string {
	t.Helper()
	dst := filepath.Join(th.public, "prog")
	if _, err := os.Stat(dst); err != nil {
		src, err := os.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		f, err := os.OpenFile(dst+".new", os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(f, src)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Rename(dst+".new", dst)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.PublicPath() + "/prog"
}

// checkNothingLeft looks for what a host with run directory dir must not
// leave: journal, sockets, groups, mounts, holders.
func checkNothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, sub := range []string{"journal", "holder"} {
		ents, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		for _, e := range ents {
			t.Errorf("left in the run directory: %s/%s", sub, e.Name())
		}
	}
	for _, g := range host.GroupDirs(dir) {
		t.Errorf("cgroup left: %s", g)
	}
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(b), "\n") {
		if strings.Contains(line, filepath.Dir(dir)) {
			t.Errorf("mount left: %s", line)
		}
	}
	// A holder whose daemon was killed before it was recorded ends by itself.
	left := holdersOf(dir)
	for end := time.Now().Add(10 * time.Second); len(left) > 0 && time.Now().Before(end); left = holdersOf(dir) {
		time.Sleep(5 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("holders left: %v", left)
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// holdersOf lists the running holders whose log is in dir: their standard
// error says whose they are.
func holdersOf(dir string) []int {
	var out []int
	ents, _ := os.ReadDir("/proc")
	for _, e := range ents {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cmd, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if !bytes.HasPrefix(cmd, []byte("station\x00holder\x00session")) {
			continue
		}
		link, err := os.Readlink("/proc/" + e.Name() + "/fd/2")
		if err == nil && strings.HasPrefix(link, dir+"/") {
			out = append(out, pid)
		}
	}
	return out
}

// asUnprivileged runs the named tests of this binary again as a uid without
// rights.
func asUnprivileged(t *testing.T, pattern string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("runs as an unprivileged uid already")
	}
	tmp, err := os.MkdirTemp("/tmp", "sm-rootless-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chown(tmp, unprivileged, unprivileged); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run", pattern, "-test.v")
	cmd.Env = append(slices.Clone(baseEnv), "TMPDIR="+tmp, "HOME="+tmp)
	cmd.Dir = tmp
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := cmd.CombinedOutput()
	t.Logf("as uid %d:\n%s", unprivileged, out)
	if err != nil {
		t.Fatalf("as uid %d: %v", unprivileged, err)
	}
	if !bytes.Contains(out, []byte("--- PASS")) {
		t.Fatalf("as uid %d: no test ran", unprivileged)
	}
}

// progMain is what the test binary does as a program inside a session.
func progMain(args []string) int {
	switch args[0] {
	case "fds": // the open descriptors
		ents, _ := os.ReadDir("/proc/self/fd")
		for _, e := range ents {
			// Not the one that reads this directory, nor the Go runtime's own.
			n, err := os.Readlink("/proc/self/fd/" + e.Name())
			if err == nil && !strings.HasSuffix(n, "/fd") && !strings.HasPrefix(n, "/sys/fs/cgroup/") && !strings.HasPrefix(n, "anon_inode:") {
				fmt.Println(e.Name(), n)
			}
		}
	case "call": // connect, say one line, wait for one
		return progCall(args[1])
	case "forkcall": // the same from a grandchild whose parent has gone
		if len(args) > 2 {
			for os.Getppid() != 1 && os.Getenv("NO_PID_NS") == "" {
				time.Sleep(time.Millisecond)
			}
			return progCall(args[1])
		}
		cmd := exec.Command("/proc/self/exe", "prog", "forkcall", args[1], "child")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	case "daemon": // a daemon to be killed
		return daemonMain(args[1], args[2], args[3])
	case "listen": // serve a socket until killed
		return progListen(args[1])
	default:
		fmt.Println("unknown program", args)
		return 2
	}
	return 0
}

// isExist and kin are spelled out for error checks.
var (
	errNotExist   = fs.ErrNotExist
	errPermission = fs.ErrPermission
)
