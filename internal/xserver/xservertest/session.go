// SPDX-License-Identifier: Apache-2.0

// Package xservertest is a session for tests of X servers: plain processes of
// this machine in a directory of their own, without any isolation.
package xservertest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stationmaster/station"
)

// Session starts programs on this machine. It has what a host.Session has.
type Session struct {
	dir  string        // immutable
	done chan struct{} // closed by End

	mu        sync.Mutex
	processes []*process // guarded by mu
	ended     bool       // guarded by mu
}

// New makes a session whose processes and files are gone after the test.
func New(t testing.TB) *Session {
	t.Helper()
	// Paths of sockets are short, and a test's own directory need not be.
	dir, err := os.MkdirTemp("", "xs")
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{dir: dir, done: make(chan struct{})}
	t.Cleanup(func() {
		s.End(context.Background())
		s.sweep()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sweep removes what X servers that were killed left in /tmp.
func (s *Session) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		f := strings.Split(p.tag, ":")
		if len(f) < 2 || f[0] != "xvnc" {
			continue
		}
		lock := "/tmp/.X" + f[1] + "-lock"
		b, err := os.ReadFile(lock)
		if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(p.PID()) {
			continue
		}
		os.Remove(lock)
		os.Remove("/tmp/.X11-unix/X" + f[1])
	}
}

// NeedXvnc skips the test, and says so, where there is no Xvnc.
func NeedXvnc(t testing.TB) {
	t.Helper()
	Need(t, "Xvnc", "tigervnc-standalone-server")
}

// Need skips the test, and says so, where a program is missing.
func Need(t testing.TB, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED: %s is not installed (Debian package %s)", program, debian)
	}
}

// FreeDisplay gives a display number from 90 on that nobody uses now.
func FreeDisplay(t testing.TB) int {
	t.Helper()
	for n := 90 + os.Getpid()%100*8; n < 1000; n++ {
		_, lock := os.Lstat(fmt.Sprintf("/tmp/.X%d-lock", n))
		_, sock := os.Lstat(fmt.Sprintf("/tmp/.X11-unix/X%d", n))
		if lock != nil && sock != nil {
			return n
		}
	}
	t.Fatal("no free display number")
	return 0
}

type process struct {
	cmd    *exec.Cmd
	start  uint64
	tag    string
	done   chan struct{}
	status station.ExitStatus // valid when done is closed
}

// Spawn implements station.HostSession. The uid of the spec is not used.
func (s *Session) Spawn(ctx context.Context, spec station.ProcessSpec) (station.HostProcess, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: spec.Path, Args: spec.Args, Env: spec.Env, Dir: spec.Dir}
	if !strings.Contains(cmd.Path, "/") {
		p, err := exec.LookPath(cmd.Path)
		if err != nil {
			return nil, err
		}
		cmd.Path = p
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	file := func(i int) *os.File {
		if i < len(spec.Files) {
			return spec.Files[i]
		}
		return nil
	}
	if f := file(0); f != nil {
		cmd.Stdin = f
	}
	if f := file(1); f != nil {
		cmd.Stdout = f
	}
	if f := file(2); f != nil {
		cmd.Stderr = f
	}
	for i := 3; i < len(spec.Files); i++ {
		cmd.ExtraFiles = append(cmd.ExtraFiles, spec.Files[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, fmt.Errorf("the session has ended")
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, tag: spec.Tag, done: make(chan struct{}), start: startTime(cmd.Process.Pid)}
	s.processes = append(s.processes, p)
	go func() {
		defer close(p.done)
		cmd.Wait()
		p.status.Code = cmd.ProcessState.ExitCode()
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			p.status = station.ExitStatus{Code: 128 + int(ws.Signal()), Signal: int(ws.Signal())}
		}
	}()
	return p, nil
}

func startTime(pid int) uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(f[19], 10, 64)
	return n
}

func (p *process) PID() int                       { return p.cmd.Process.Pid }
func (p *process) StartTime() uint64              { return p.start }
func (p *process) Tag() string                    { return p.tag }
func (p *process) Done() <-chan struct{}          { return p.done }
func (p *process) ExitStatus() station.ExitStatus { return p.status }
func (p *process) Signal(sig int) error           { return p.cmd.Process.Signal(syscall.Signal(sig)) }
func (p *process) Forget()                        {}

// Processes implements station.HostSession.
func (s *Session) Processes() []station.HostProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []station.HostProcess
	for _, p := range s.processes {
		list = append(list, p)
	}
	return list
}

// Running lists the tags of the processes that have not ended.
func (s *Session) Running() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tags []string
	for _, p := range s.processes {
		select {
		case <-p.done:
		default:
			tags = append(tags, p.tag)
		}
	}
	return tags
}

// End implements station.HostSession.
func (s *Session) End(ctx context.Context) error {
	s.mu.Lock()
	if !s.ended {
		s.ended = true
		close(s.done)
	}
	list := s.processes
	s.mu.Unlock()
	for _, p := range list {
		select {
		case <-p.done:
			continue
		default:
		}
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(3 * time.Second):
			p.cmd.Process.Kill()
			<-p.done
		}
	}
	return nil
}

// Done implements station.HostSession.
func (s *Session) Done() <-chan struct{} { return s.done }

// WriteFile makes a file in the session's directory.
func (s *Session) WriteFile(_ context.Context, name string, data []byte, mode os.FileMode, uid, gid uint32) (string, error) {
	p := filepath.Join(s.dir, name)
	os.Remove(p)
	return p, os.WriteFile(p, data, mode)
}

// Remove removes a file of the session's directory.
func (s *Session) Remove(_ context.Context, path string) error { return os.Remove(path) }

// Dial connects to a Unix socket.
func (s *Session) Dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// RuntimeDir is the session's directory.
func (s *Session) RuntimeDir() string { return s.dir }
