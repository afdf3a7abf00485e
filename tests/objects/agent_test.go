// SPDX-License-Identifier: Apache-2.0

// Package objects tests named objects, waits and shared memory between real
// processes of two sessions and a service, through the daemon.
package objects

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/client"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

// An agent is a program in a session that makes the calls the test tells it,
// on connections of its own: each is a thread. Orders run beside each other.

type order struct {
	ID      int
	Thread  int    // which connection; made when it is named first, closed by "close"
	Call    string // method of client.Conn, or one of the agent's own
	Request json.RawMessage
}

type outcome struct {
	ID    int
	Code  uint32 // Win32 number; 0 for success
	Text  string
	Reply json.RawMessage
}

// view asks the agent to map a section and write to it, or read it.
type view struct {
	Handle win32.Handle
	Access win32.AccessMask
	Write  string
	Length int
	Force  bool // map for writing whatever the access is
}

// agent is the test's end.
type agent struct {
	conn net.Conn
	name string
	PID  uint32

	mu      sync.Mutex
	last    int                  // guarded by mu
	pending map[int]chan outcome // guarded by mu
}

// hall is where agents of a daemon come in.
type hall struct {
	d *stationtest.Daemon
	l *net.UnixListener
}

func newHall(t *testing.T, d *stationtest.Daemon) *hall {
	t.Helper()
	path := filepath.Join(d.Dir, "agents")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	return &hall{d, l}
}

func (h *hall) command(t *testing.T) []string { return h.d.Program(t, "agent", h.l.Addr().String()) }

// accept waits for the agent that has been started.
func (h *hall) accept(t *testing.T, name string) *agent {
	t.Helper()
	_ = h.l.SetDeadline(time.Now().Add(30 * time.Second))
	c, err := h.l.Accept()
	if err != nil {
		t.Fatalf("no agent came: %v\n%s", err, h.d.Log())
	}
	a := &agent{conn: c, name: name, pending: map[int]chan outcome{}}
	var reader sync.WaitGroup
	reader.Go(a.read)
	t.Cleanup(func() {
		c.Close()
		reader.Wait()
	})
	var hello client.HelloReply
	a.do(t, 0, 1, "hello", struct{}{}, &hello)
	a.PID = hello.ProcessID // its own number for itself is another one
	return a
}

func (a *agent) read() {
	in := bufio.NewScanner(a.conn)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var r outcome
		if json.Unmarshal(in.Bytes(), &r) != nil {
			break
		}
		a.mu.Lock()
		c := a.pending[r.ID]
		delete(a.pending, r.ID)
		a.mu.Unlock()
		if c != nil {
			c <- r
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.pending {
		close(c)
	}
	a.pending = nil
}

// begin has the agent make a call on one of its threads.
func (a *agent) begin(t *testing.T, thread int, call string, request any) <-chan outcome {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	c := make(chan outcome, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending == nil {
		t.Fatalf("%s: agent %s is gone", call, a.name)
	}
	a.last++
	a.pending[a.last] = c
	b, err := json.Marshal(order{a.last, thread, call, body})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.conn.Write(append(b, '\n')); err != nil {
		t.Fatalf("%s: agent %s is gone: %v", call, a.name, err)
	}
	return c
}

// end waits for a call's outcome and fails the test unless it has the number
// code. A reply is stored when wanted.
func (a *agent) end(t *testing.T, c <-chan outcome, code win32.Errno, call string, reply any) {
	t.Helper()
	select {
	case r, ok := <-c:
		if !ok {
			t.Fatalf("%s: agent %s is gone", call, a.name)
		}
		if r.Code != uint32(code) {
			t.Fatalf("%s by %s: %d (%s), want %d", call, a.name, r.Code, r.Text, uint32(code))
		}
		if reply != nil && r.Code == 0 {
			if err := json.Unmarshal(r.Reply, reply); err != nil {
				t.Fatal(err)
			}
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s by %s does not end", call, a.name)
	}
}

// do is begin and end.
func (a *agent) do(t *testing.T, code win32.Errno, thread int, call string, request, reply any) {
	t.Helper()
	a.end(t, a.begin(t, thread, call, request), code, call, reply)
}

// handle makes a call that gives a handle.
func (a *agent) handle(t *testing.T, code win32.Errno, call string, request any) win32.Handle {
	t.Helper()
	var r struct{ Handle win32.Handle }
	a.do(t, code, 1, call, request, &r)
	return r.Handle
}

// wait waits for one object without patience and fails unless it gives want.
func (a *agent) wait(t *testing.T, h win32.Handle, want uint32) {
	t.Helper()
	var r client.WaitReply
	a.do(t, 0, 1, "WaitForSingleObject", client.WaitRequest{Handle: h, Millis: 0}, &r)
	if r.Result != want {
		t.Fatalf("a wait of %s gives %#x, want %#x", a.name, r.Result, want)
	}
}

// serveAgent is the agent's end.
func serveAgent(socket string) error {
	nc, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	threads := map[int]*client.Conn{}
	thread := func(n int) (*client.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if threads[n] == nil {
			c, err := client.Dial(ctx, "")
			if err != nil {
				return nil, err
			}
			threads[n] = c
		}
		return threads[n], nil
	}
	var out sync.Mutex
	in := bufio.NewScanner(nc)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		if o.Call == "close" {
			mu.Lock()
			c := threads[o.Thread]
			delete(threads, o.Thread)
			mu.Unlock()
			if c != nil {
				c.Close()
			}
		}
		go func() {
			r := outcome{ID: o.ID}
			reply, err := run(ctx, thread, o)
			if err != nil {
				if r.Code = uint32(win32.Code(err)); r.Code == 0 {
					r.Code = 0xFFFFFFFF
				}
				r.Text = err.Error()
			} else if r.Reply, err = json.Marshal(reply); err != nil {
				r.Code, r.Text = 0xFFFFFFFF, err.Error()
			}
			b, _ := json.Marshal(r)
			out.Lock()
			defer out.Unlock()
			_, _ = nc.Write(append(b, '\n')) // the test has ended
		}()
	}
	return in.Err()
}

func run(ctx context.Context, thread func(int) (*client.Conn, error), o order) (any, error) {
	if o.Call == "close" {
		return nil, nil
	}
	c, err := thread(o.Thread)
	if err != nil {
		return nil, err
	}
	switch o.Call {
	case "hello":
		return c.Hello(), nil
	case "map":
		var v view
		if err := json.Unmarshal(o.Request, &v); err != nil {
			return nil, err
		}
		return mapView(ctx, c, v)
	}
	m := reflect.ValueOf(c).MethodByName(o.Call)
	if !m.IsValid() {
		return nil, fmt.Errorf("there is no call %s", o.Call)
	}
	q := reflect.New(m.Type().In(1))
	if err := json.Unmarshal(o.Request, q.Interface()); err != nil {
		return nil, err
	}
	res := m.Call([]reflect.Value{reflect.ValueOf(ctx), q.Elem()})
	err, _ = res[len(res)-1].Interface().(error)
	if len(res) == 1 {
		return nil, err
	}
	return res[0].Interface(), err
}

func mapView(ctx context.Context, c *client.Conn, v view) (any, error) {
	r, files, err := c.MapViewOfFile(ctx, client.MapViewRequest{Handle: v.Handle, Access: v.Access})
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("%d files came", len(files))
	}
	defer files[0].Close()
	prot := unix.PROT_READ
	if v.Force || v.Access&win32.SECTION_MAP_WRITE != 0 {
		prot |= unix.PROT_WRITE
	}
	mem, err := unix.Mmap(int(files[0].Fd()), 0, int(r.Size), prot, unix.MAP_SHARED)
	if err != nil {
		if errors.Is(err, unix.EACCES) {
			err = win32.ERROR_ACCESS_DENIED
		}
		return nil, fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(mem)
	copy(mem, v.Write)
	return string(mem[:v.Length]), nil
}
