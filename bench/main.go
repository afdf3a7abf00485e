// SPDX-License-Identifier: Apache-2.0

// Command bench measures what DESIGN part 10 and docs promise: sessions,
// programs, screens and calls, each beside a peer or the physical limit in the
// same run. `make bench` runs it and writes bench/README.md. It wants root, and
// says what it leaves out when something is missing.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stationmaster/client"
	"stationmaster/internal/layout"
)

func main() {
	binary := flag.String("station", "bin/station", "the binary to measure")
	quick := flag.Bool("quick", false, "a tenth of the runs: only to see that it works")
	only := flag.String("only", "", "run only parts whose name contains this")
	out := flag.String("o", "", "write the report to this file instead of standard output")
	runs := flag.Int("runs", 1, "run everything this often (1 or 2) and take the worse medians")
	drawing := flag.Bool("draw", false, "draw a moving picture and end: what the benchmark runs on the desktops it measures")
	flag.Parse()
	if *drawing {
		if err := drawPicture(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := report(*binary, *quick, *only, *runs, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the benchmarks.
type bench struct {
	ctx    context.Context
	binary string
	dir    string
	daemon *exec.Cmd
	quick  bool
	conn   *client.Conn
	users  int
	rows   []row
	notes  []string
}

// row is one line of the table.
type row struct{ what, ours, peer, ratio, goal string }

func (b *bench) add(what, ours, peer, ratio, goal string) {
	b.rows = append(b.rows, row{what, ours, peer, ratio, goal})
	fmt.Fprintf(os.Stderr, "%-70s %s  %s  %s\n", what, ours, peer, ratio)
}

func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
	fmt.Fprintf(os.Stderr, "note: "+format+"\n", args...)
}

// n gives the number of runs.
func (b *bench) n(full int) int {
	if b.quick {
		return max(3, full/10)
	}
	return full
}

// report runs everything and writes what came out.
func report(binary string, quick bool, only string, runs int, out string) error {
	if os.Geteuid() != 0 {
		return errors.New("not root: full sessions cannot be measured")
	}
	m := thisMachine()
	m.Load[0], m.Runs = load(), max(1, min(runs, 2))
	start := time.Now()
	var rows []row
	var notes []string
	for i := range m.Runs {
		b, err := run(binary, quick, only)
		if err != nil {
			return err
		}
		if i == 0 {
			rows, notes = b.rows, b.notes
		} else {
			rows = worse(rows, b.rows)
		}
	}
	m.Load[1], m.Took = load(), time.Since(start).Round(time.Second)
	if out == "" {
		return write(os.Stdout, m, rows, notes)
	}
	var text bytes.Buffer
	if err := write(&text, m, rows, notes); err != nil {
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644)
}

func run(binary string, quick bool, only string) (b *bench, err error) {
	abs, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/var/tmp", "station-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	b = &bench{ctx: ctx, binary: abs, dir: dir, quick: quick}
	if err := b.start(); err != nil {
		return nil, err
	}
	own := b
	defer func() { err = errors.Join(err, own.stop()) }()

	parts := []struct {
		name string
		run  func() error
	}{
		{"call", b.calls}, {"session", b.sessions}, {"spawn", b.spawn}, {"xterm", b.xterm},
		{"memory", b.memory}, {"switch", b.switching}, {"static", b.static},
		{"adopt", b.killed}, {"desktop", b.desktop}, {"winsta", b.winsta}, {"engine", b.engine},
	}
	for _, p := range parts {
		if !strings.Contains(p.name, only) {
			continue
		}
		if err := p.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return b, nil
}

// start starts a daemon without a console and connects to it.
func (b *bench) start() error {
	var err error
	if b.daemon, _, err = b.daemonIn(b.dir); err != nil {
		return err
	}
	b.conn, err = client.Dial(b.ctx, layout.For(b.dir).Socket)
	return err
}

func (b *bench) stop() error {
	if b.conn == nil {
		return nil
	}
	err := b.conn.Shutdown(b.ctx, client.ShutdownRequest{})
	b.conn.Close()
	return errors.Join(err, b.daemon.Wait())
}

// user adds an account and gives its name.
func (b *bench) user() (string, error) {
	b.users++
	name := fmt.Sprintf("bench%d", b.users)
	_, err := b.conn.AddAccount(b.ctx, client.AddAccountRequest{Name: name})
	return name, err
}

// logon makes a session of its own for a user.
func (b *bench) logon(user, surface string) (uint32, error) {
	r, err := b.conn.LogonSession(b.ctx, client.LogonSessionRequest{User: user, NoPassword: true, New: true, Surface: surface})
	return r.SessionID, err
}

func (b *bench) logoff(session uint32) error {
	return b.conn.WTSLogoffSession(b.ctx, client.SessionWaitRequest{SessionID: session, Wait: true})
}

// program runs a program in a session and waits for its end.
func (b *bench) program(session uint32, args ...string) error {
	p, err := b.begin(session, args...)
	if err != nil {
		return err
	}
	if _, err := b.conn.WaitForSingleObject(b.ctx, client.WaitRequest{Handle: p.Process, Millis: 0xFFFFFFFF}); err != nil {
		return err
	}
	return b.conn.CloseHandle(b.ctx, client.HandleRequest{Handle: p.Process})
}

func (b *bench) begin(session uint32, args ...string) (client.CreateProcessReply, error) {
	token, err := b.conn.WTSQueryUserToken(b.ctx, client.SessionRequest{SessionID: session})
	if err != nil {
		return client.CreateProcessReply{}, err
	}
	desktop := `WinSta0\Default`
	p, err := b.conn.CreateProcess(b.ctx, client.CreateProcessRequest{Token: token.Handle, Path: args[0], Args: args, Desktop: &desktop})
	return p, errors.Join(err, b.conn.CloseHandle(b.ctx, client.HandleRequest{Handle: token.Handle}))
}

// measure runs f n times and gives the durations in ascending order.
func measure(n int, f func() (time.Duration, error)) ([]time.Duration, error) {
	var all []time.Duration
	for range n {
		d, err := f()
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	slices.Sort(all)
	return all, nil
}

func median(d []time.Duration) time.Duration { return d[len(d)/2] }

// text prints a median with its range.
func text(d []time.Duration, unit time.Duration, name string) string {
	f := func(x time.Duration) string { return fmt.Sprintf("%.3g", float64(x)/float64(unit)) }
	return fmt.Sprintf("**%s** %s (%s–%s, n=%d)", f(median(d)), name, f(d[0]), f(d[len(d)-1]), len(d))
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

func verdict(ok bool, goal string) string {
	if ok {
		return goal + ": met"
	}
	return goal + ": **not met**"
}
