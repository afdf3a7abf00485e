// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/rfb/rfbtest"
)

// target is a place with an X server that a viewer can see: an Xvnc alone, or a
// session of ours.
type target interface {
	// command runs a program on the desktop to its end.
	command(args ...string) error
	// view opens a viewer with what a browser asks for.
	view() (*rfbtest.Client, io.Closer, error)
	// cpu is what the servers, not the programs, have used so far.
	cpu() (time.Duration, error)
}

var browser = []int32{encode.EncodingTight, 1, rfbtest.DesktopSize, rfbtest.CursorShape, rfbtest.LastRect, rfbtest.Quality(6), -256 + 2}

// direct is an Xvnc that viewers look at without anything between.
type direct struct {
	ctx     context.Context
	x       *exec.Cmd
	display string
	socket  string
}

// startDirect starts an Xvnc with the flags of ours, but its own frame rate if
// rate is empty.
func startDirect(ctx context.Context, dir string, number int, rate string) (*direct, error) {
	d := &direct{ctx: ctx, display: ":" + strconv.Itoa(number), socket: filepath.Join(dir, "rfb"+strconv.Itoa(number))}
	args := []string{d.display, "-ac", "-nolisten", "tcp", "-nolisten", "local", "-extension", "GLX", "-geometry", "1280x800", "-depth", "24",
		"-rfbunixpath", d.socket, "-rfbport", "-1", "-SecurityTypes", "None", "-AlwaysShared", "-dpi", "96", "-noreset", "-s", "0"}
	if rate != "" {
		args = append(args, "-FrameRate", rate)
	}
	d.x = exec.CommandContext(ctx, "Xvnc", args...)
	if err := d.x.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", "/tmp/.X11-unix/X"+strconv.Itoa(number))
		if err == nil {
			c.Close()
			return d, nil
		}
		if time.Now().After(end) {
			d.stop()
			return nil, fmt.Errorf("cannot reach Xvnc %s: %w", d.display, err)
		}
	}
}

func (d *direct) stop() {
	_ = d.x.Process.Signal(os.Interrupt)
	_ = d.x.Wait()
}

func (d *direct) command(args ...string) error {
	cmd := exec.CommandContext(d.ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.display)
	return cmd.Run()
}

func (d *direct) view() (*rfbtest.Client, io.Closer, error) {
	c, err := net.Dial("unix", d.socket)
	if err != nil {
		return nil, nil, err
	}
	v, err := rfbtest.Connect(c, rfbtest.ClientOptions{Encodings: browser})
	return v, c, err
}

func (d *direct) cpu() (time.Duration, error) { return cpuTime(d.x.Process.Pid) }

// session is a session of ours. What it costs is the daemon and its Xvnc.
type session struct {
	b    *bench
	id   uint32
	xvnc int // host's number of its X server
}

func (s *session) command(args ...string) error { return s.b.program(s.id, args...) }

func (s *session) view() (*rfbtest.Client, io.Closer, error) { return s.b.viewer(s.id, browser...) }

func (s *session) cpu() (time.Duration, error) {
	own, err := cpuTime(s.b.daemon.Process.Pid)
	if err != nil {
		return 0, err
	}
	x, err := cpuTime(s.xvnc)
	return own + x, err
}

// newSession logs a user on and finds the X server.
func (b *bench) newSession(user string) (*session, error) {
	id, err := b.logon(user, "x11")
	if err != nil {
		return nil, err
	}
	if err := b.program(id, "/bin/true"); err != nil { // starts the X server
		return nil, err
	}
	holders, err := childrenOf(b.daemon.Process.Pid)
	if err != nil {
		return nil, err
	}
	for _, h := range holders {
		if args := commandLine(h); len(args) < 3 || args[2] != fmt.Sprintf("session-%d", id) {
			continue
		}
		inside, err := childrenOf(h)
		if err != nil {
			return nil, err
		}
		for _, pid := range inside {
			if filepath.Base(commandLine(pid)[0]) == "Xvnc" {
				return &session{b, id, pid}, nil
			}
		}
	}
	return nil, errors.New("the session's X server was not found")
}

// cpuTime sums what the threads of a process have run.
func cpuTime(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("process %d has no threads to measure", pid)
	}
	var sum time.Duration
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has just ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// workloads are what a person might look at, for a few seconds each.
func workloads(tool string) []struct {
	name string
	args []string
} {
	drag := []string{}
	for i := range 150 {
		drag = append(drag, fmt.Sprintf("windowmove $id %d %d sleep 0.016", 20+i*2, 20+i))
	}
	return []struct {
		name string
		args []string
	}{
		{"terminal, 20 lines each 30 ms", []string{"xterm", "-geometry", "120x50+0+0", "-e", "sh", "-c",
			`ls -lR /usr/share 2>/dev/null | head -1600 | awk '{print} NR%20==0{fflush(); system("sleep 0.03")}'`}},
		{"window dragged at 60 Hz", []string{"sh", "-c", `xterm -geometry 100x30+0+0 -T bench-drag -e sh -c 'ls -l /usr/bin | head -28; exec sleep 30' & x=$!
id=$(xdotool search --sync --onlyvisible --name bench-drag | head -1); sleep 0.3; xdotool ` + strings.Join(drag, " ") + `; kill $x; wait $x; true`}},
		{"moving picture, 640×400 at 25 Hz", []string{tool, "-draw"}},
	}
}

// desktop measures what a viewer of a live X desktop costs beside an Xvnc that
// is looked at directly, and how long a key takes to show.
func (b *bench) desktop() error {
	for _, p := range []string{"Xvnc", "xterm", "xdotool"} {
		if _, err := exec.LookPath(p); err != nil {
			b.note("no %s here: live desktops are not measured", p)
			return nil
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	tool := filepath.Join(b.dir, "draw") // sessions see this directory, but not /tmp
	if err := os.WriteFile(tool, self, 0o755); err != nil {
		return err
	}
	user, err := b.user()
	if err != nil {
		return err
	}
	x, err := startDirect(b.ctx, b.dir, 78, "")
	if err != nil {
		return err
	}
	defer x.stop()
	fast, err := startDirect(b.ctx, b.dir, 79, "500")
	if err != nil {
		return err
	}
	defer fast.stop()
	s, err := b.newSession(user)
	if err != nil {
		return err
	}
	for _, w := range workloads(tool) {
		var cpu, sizes [2][]int64
		for range b.n(3) {
			for i, t := range []target{x, s} {
				used, size, err := b.watch(t, w.args)
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				cpu[i], sizes[i] = append(cpu[i], int64(used)), append(sizes[i], int64(size))
			}
		}
		for i := range 2 {
			slices.Sort(cpu[i])
			slices.Sort(sizes[i])
		}
		mid := func(v []int64) int64 { return v[len(v)/2] }
		r := float64(mid(cpu[1])) / float64(mid(cpu[0]))
		b.add("one viewer, "+w.name+": CPU of daemon + Xvnc", fmt.Sprintf("**%d** ms, %d kB", mid(cpu[1])/1e6, mid(sizes[1])/1000),
			fmt.Sprintf("Xvnc direct **%d** ms, %d kB", mid(cpu[0])/1e6, mid(sizes[0])/1000), fmt.Sprintf("%.2f", r), verdict(r <= 1.6, "≤ 1.6"))
	}
	var lat [3][]time.Duration
	for i, t := range []target{s, x, fast} {
		if lat[i], err = b.typing(t); err != nil {
			return fmt.Errorf("typing: %w", err)
		}
	}
	b.add("key at the viewer to its letter at the viewer", text(lat[0], time.Millisecond, "ms"), "Xvnc direct "+text(lat[1], time.Millisecond, "ms")+", with our `-FrameRate 500` "+text(lat[2], time.Millisecond, "ms"),
		ratio(median(lat[0]), median(lat[2])), verdict(median(lat[0])-median(lat[2]) <= 500*time.Microsecond, "adds ≤ 0.5 ms"))
	return b.logoff(s.id)
}

// watch runs a workload with one viewer and gives the servers' CPU time and the
// bytes to the viewer.
func (b *bench) watch(t target, args []string) (time.Duration, int, error) {
	v, c, err := t.view()
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	if err := settle(v); err != nil {
		return 0, 0, err
	}
	cpu0, err := t.cpu()
	if err != nil {
		return 0, 0, err
	}
	_, size0 := v.Stats()
	if err := t.command(args...); err != nil {
		return 0, 0, err
	}
	if err := settle(v); err != nil {
		return 0, 0, err
	}
	cpu1, err := t.cpu()
	_, size1 := v.Stats()
	return cpu1 - cpu0, size1 - size0, errors.Join(err, v.Err())
}

// settle waits until nothing has come for a while.
func settle(v *rfbtest.Client) error {
	last := -1
	for quiet := 0; quiet < 6; time.Sleep(100 * time.Millisecond) {
		n, _ := v.Stats()
		if n == last {
			quiet++
		} else {
			last, quiet = n, 0
		}
	}
	return v.Err()
}

// typing types into a terminal and waits for each letter, in turn there and
// gone again.
func (b *bench) typing(t target) ([]time.Duration, error) {
	v, c, err := t.view()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	done := make(chan error, 1)
	go func() { done <- t.command("xterm", "+bc", "-geometry", "80x24+0+0", "-e", "cat") }()
	time.Sleep(700 * time.Millisecond)
	if err := v.Pointer(200, 100, 0); err != nil { // X gives keys to the window below
		return nil, err
	}
	if err := settle(v); err != nil {
		return nil, err
	}
	const letter, erase = 'x', 0xff08
	next := uint32(letter)
	key := func(k uint32) error { return errors.Join(v.Key(true, k), v.Key(false, k)) }
	line := make([]byte, 0, 1280*4*40)
	d, err := measure(b.n(100), func() (time.Duration, error) {
		v.See(func(d *rfbtest.Decoder) { line = append(line[:0], d.Img.Pix[:1280*4*40]...) })
		start := time.Now()
		if err := key(next); err != nil {
			return 0, err
		}
		if err := v.WaitFor(5*time.Second, func(d *rfbtest.Decoder) bool { return !bytes.Equal(line, d.Img.Pix[:1280*4*40]) }); err != nil {
			return 0, err
		}
		took := time.Since(start)
		next = letter + erase - next
		time.Sleep(30 * time.Millisecond) // a person is slower, too
		return took, nil
	})
	if err != nil {
		return nil, err
	}
	for _, k := range []uint32{0xffe3, 'd'} { // Ctrl+D ends cat
		if err := v.Key(true, k); err != nil {
			return nil, err
		}
	}
	err = errors.Join(v.Key(false, 'd'), v.Key(false, 0xffe3))
	select {
	case e := <-done:
		return d, errors.Join(err, e)
	case <-time.After(10 * time.Second):
		return nil, errors.Join(err, errors.New("the terminal did not end"))
	}
}

// watching measures the daemon's memory for sessions that are looked at.
func (b *bench) watching(ids []uint32, before map[string]int64) error {
	var open []io.Closer
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for _, id := range ids {
		v, c, err := b.viewer(id, browser...)
		if err != nil {
			return err
		}
		open = append(open, c)
		if err := v.WaitFor(20*time.Second, func(d *rfbtest.Decoder) bool { return len(d.Counts) > 0 }); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Second) // the daemon gives back what it needed for a moment
	after, err := rollup(b.daemon.Process.Pid)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("daemon, private memory per watched session (%d, 1280×800)", len(ids)), fmt.Sprintf("**%.2f** MB", float64(after["Private_Dirty"]-before["Private_Dirty"])/1024/float64(len(ids))), "its picture alone 4.10 MB", "", "")
	return nil
}
