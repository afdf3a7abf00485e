// SPDX-License-Identifier: Apache-2.0

package stationtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/win32"
)

// How long a daemon may take, on a slow machine and under the race detector.
const (
	readyTime = 60 * time.Second
	endTime   = 90 * time.Second
)

// Ready is what a daemon says when it answers.
type Ready struct {
	Ready          bool
	Socket         string
	Console        string // address of the web console, or empty
	Level          string // isolation level
	PID            int
	Adopted        uint32 // sessions taken over
	Demo           string // demo only: everything printed
	SignIn         string // demo only: the one-time address
	Password       string // demo only: of its users
	raw            []string
	readyAfterExec time.Duration
}

// Daemon is one real daemon in a directory of its own.
type Daemon struct {
	Dir   string // immutable
	Ready Ready  // of the daemon that runs now, or ran last

	t      testing.TB
	args   []string // immutable: verb and flags
	binary string   // immutable: a link to the binary under test, in Dir
	log    string   // immutable: file that gets standard error

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been waited for
	err  error         // of Wait; valid after done
}

// Serve starts `station serve` in a fresh directory with some more flags and
// waits until it answers. At the end of the test it is shut down, and the test
// fails when anything is left of it or when it reported a data race.
func Serve(t testing.TB, flags ...string) *Daemon {
	t.Helper()
	return start(t, append([]string{"serve", "--json"}, flags...))
}

// Demo starts `station demo` likewise.
func Demo(t testing.TB, flags ...string) *Daemon {
	t.Helper()
	return start(t, append([]string{"demo"}, flags...))
}

func start(t testing.TB, args []string) *Daemon {
	t.Helper()
	binary := Binary(t)
	dir, err := os.MkdirTemp(root, "station-test-")
	if err != nil {
		t.Fatal(err)
	}
	// Users of sessions run programs from here and have their homes below.
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Dir: dir, t: t, args: args, binary: filepath.Join(dir, "station"), log: filepath.Join(dir, "daemon.log")}
	t.Cleanup(func() { d.finish() })
	if err := copyFile(binary, d.binary); err != nil {
		t.Fatalf("cannot put the binary into place: %v", err)
	}
	d.Start(t)
	return d
}

// Start starts a daemon on the directory, after Kill, and waits until it
// answers. It gives the time from the start of the process to its answer.
func (d *Daemon) Start(t testing.TB) time.Duration {
	t.Helper()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	return d.Ready.readyAfterExec
}

func (d *Daemon) start() error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(d.binary, append(d.args, "--dir", d.Dir)...)
	cmd.Stderr = log
	cmd.Dir = "/"
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the daemon: %w", err)
	}
	d.cmd, d.done = cmd, make(chan struct{})
	lines := make(chan string, 100)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(lines)
		r := bufio.NewScanner(out)
		for r.Scan() {
			select {
			case lines <- r.Text():
			default: // nobody asks for so many
			}
		}
	})
	go func(done chan struct{}) {
		reader.Wait()
		d.err = cmd.Wait()
		close(done)
	}(d.done)

	d.Ready = Ready{}
	timer := time.NewTimer(readyTime)
	defer timer.Stop()
	for !d.Ready.Ready {
		select {
		case line, ok := <-lines:
			if !ok {
				<-d.done
				return fmt.Errorf("the daemon ended at start: %v\n%s", d.err, d.Log())
			}
			if err := d.hear(line); err != nil {
				return err
			}
		case <-timer.C:
			return fmt.Errorf("the daemon was not ready after %v\n%s", readyTime, d.Log())
		}
	}
	d.Ready.readyAfterExec = time.Since(began)
	return nil
}

// hear takes one line that the daemon printed.
func (d *Daemon) hear(line string) error {
	r := &d.Ready
	r.raw = append(r.raw, line)
	r.Demo = strings.Join(r.raw, "\n")
	if d.args[0] == "serve" {
		raw := r.raw
		if err := json.Unmarshal([]byte(line), r); err != nil {
			return fmt.Errorf("the daemon said %q: %w", line, err)
		}
		r.raw = raw
		return nil
	}
	if _, after, ok := strings.Cut(line, "(password "); ok {
		r.Password, _, _ = strings.Cut(after, ")")
	}
	if f := strings.TrimSpace(line); strings.HasPrefix(f, "http://") {
		r.SignIn = f
		r.Console, _, _ = strings.Cut(f, "/signin")
	}
	if strings.HasPrefix(line, "Press Ctrl+C") {
		r.Ready, r.PID, r.Socket = true, d.cmd.Process.Pid, client.SocketIn(d.Dir)
	}
	return nil
}

// Log gives what the daemon wrote to standard error.
func (d *Daemon) Log() string {
	b, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// PID gives the process of the daemon that runs now.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Running reports whether a daemon runs.
func (d *Daemon) Running() bool {
	if d.done == nil {
		return false
	}
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// Kill ends the daemon with SIGKILL, and nothing else.
func (d *Daemon) Kill(t testing.TB) {
	t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatalf("cannot kill the daemon: %v", err)
	}
	<-d.done
}

// Dial connects to the daemon as the operator; the connection is closed at the
// end of the test.
func (d *Daemon) Dial(t testing.TB) *client.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, client.SocketIn(d.Dir))
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Result is what a run of the command line gave.
type Result struct {
	Out, Err string
	Code     int
}

// Station runs the command line against the daemon.
func (d *Daemon) Station(ctx context.Context, args ...string) Result {
	cmd := exec.CommandContext(ctx, d.binary, append([]string{"--dir", d.Dir}, args...)...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	r := Result{Out: out.String(), Err: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.Err += err.Error()
	}
	return r
}

// Must runs the command line, fails the test unless its exit code is 0 and
// gives what it printed.
func (d *Daemon) Must(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	r := d.Station(ctx, args...)
	if r.Code != 0 {
		t.Fatalf("station %s: exit code %d\n%s%s", strings.Join(args, " "), r.Code, r.Out, r.Err)
	}
	return r.Out
}

// In runs a program in a session, as its user, and gives what it printed.
func (d *Daemon) In(t testing.TB, session uint32, args ...string) string {
	t.Helper()
	return d.Must(t, append([]string{"run", "--session", fmt.Sprint(session), "--"}, args...)...)
}

// Program gives the command that runs one of the programs of Main in a session:
// the test binary, where sessions can see it.
func (d *Daemon) Program(t testing.TB, name string, args ...string) []string {
	t.Helper()
	to := filepath.Join(d.Dir, "program")
	if _, err := os.Stat(to); err != nil {
		// Not by its path: Rootless runs it as a user who cannot reach that.
		if err := copyFile("/proc/self/exe", to); err != nil {
			t.Fatalf("cannot put the test's program into place: %v", err)
		}
	}
	return append([]string{to, programFlag, name}, args...)
}

// AddUser adds an account; its password is its name with "-pw" after it.
func AddUser(t testing.TB, c *client.Conn, name string, admin bool) {
	t.Helper()
	if _, err := c.AddAccount(t.Context(), client.AddAccountRequest{Name: name, Password: name + "-pw", Admin: admin}); err != nil {
		t.Fatalf("cannot add account %s: %v", name, err)
	}
}

// Logon logs a user of AddUser on to a new session.
func Logon(t testing.TB, c *client.Conn, user string) uint32 {
	t.Helper()
	r, err := c.LogonSession(t.Context(), client.LogonSessionRequest{User: user, Password: user + "-pw", New: true})
	if err != nil {
		t.Fatalf("cannot log %s on: %v", user, err)
	}
	return r.SessionID
}

// Spawn starts a program in a session as its user and gives a handle of it, in
// c's table, and its process id.
func Spawn(t testing.TB, c *client.Conn, session uint32, desktop string, args ...string) client.CreateProcessReply {
	t.Helper()
	token, err := c.WTSQueryUserToken(t.Context(), client.SessionRequest{SessionID: session})
	if err != nil {
		t.Fatalf("cannot get the token of session %d: %v", session, err)
	}
	defer c.CloseHandle(t.Context(), client.HandleRequest{Handle: token.Handle})
	p, err := c.CreateProcess(t.Context(), client.CreateProcessRequest{Token: token.Handle, Path: args[0], Args: args, Desktop: &desktop})
	if err != nil {
		t.Fatalf("cannot start %v in session %d: %v", args, session, err)
	}
	return p
}

// Want fails the test unless err is the Win32 error code.
func Want(t testing.TB, what string, err error, code win32.Errno) {
	t.Helper()
	if code == 0 && err != nil || code != 0 && !errors.Is(err, code) {
		t.Errorf("%s: %v, want %d (%v)", what, err, uint32(code), code)
	}
}

// finish shuts the daemon down, when need be after starting it once more, and
// tells what is left.
func (d *Daemon) finish() {
	t := d.t
	defer func() {
		d.endByForce()
		if err := os.RemoveAll(d.Dir); err != nil {
			t.Errorf("cannot remove the daemon's directory: %v", err)
		}
	}()
	if d.done == nil {
		return
	}
	if !d.Running() {
		if err := d.start(); err != nil {
			t.Errorf("the daemon does not start any more, so its sessions cannot be ended: %v", err)
			return
		}
	}
	d.ShutDown(t)
	if t.Failed() {
		Artefact(t, "daemon.log", []byte(d.Log()))
		if tail := d.Log(); tail != "" {
			t.Logf("the daemon's log ends with:\n%s", tail[max(0, len(tail)-4000):])
		}
	}
}

// ShutDown ends the daemon as an operator does, with all sessions, and checks
// that it leaves nothing. The end of a test does so too.
func (d *Daemon) ShutDown(t testing.TB) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("cannot end the daemon: %v", err)
		return
	}
	select {
	case <-d.done:
	case <-time.After(endTime):
		t.Errorf("the daemon did not end within %v", endTime)
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
		select {
		case <-d.done:
		case <-time.After(5 * time.Second):
			_ = d.cmd.Process.Kill()
			<-d.done
		}
	}
	if d.err != nil {
		t.Errorf("the daemon ended with %v:\n%s", d.err, d.Log())
	}
	for _, left := range d.Leftovers() {
		t.Errorf("left behind: %s", left)
	}
	for _, race := range d.races() {
		t.Errorf("data race in %s", race)
	}
}

// races looks for reports of the race detector in everything the binary wrote.
func (d *Daemon) races() (found []string) {
	files := []string{d.log, filepath.Join(d.Dir, "run/host/holder.log")}
	more, _ := filepath.Glob(filepath.Join(d.Dir, "state/services/*"))
	for _, f := range append(files, more...) {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if i := bytes.Index(b, []byte("WARNING: DATA RACE")); i >= 0 {
			found = append(found, fmt.Sprintf("%s:\n%s", f, b[i:min(len(b), i+6000)]))
		}
	}
	return found
}
