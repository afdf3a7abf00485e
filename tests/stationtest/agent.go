// SPDX-License-Identifier: Apache-2.0

package stationtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"stationmaster/client"
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

// Agent is the test's end of a program that makes calls.
type Agent struct {
	PID  uint32
	User string // SID

	conn net.Conn
	name string

	mu      sync.Mutex
	last    int                  // guarded by mu
	pending map[int]chan outcome // guarded by mu
}

// Hall is where agents of a daemon come in.
type Hall struct {
	d *Daemon
	l *net.UnixListener
}

// NewHall opens a hall. The test's Main has to have a program "agent" that
// calls ServeAgent.
func NewHall(t testing.TB, d *Daemon) *Hall {
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
	return &Hall{d, l}
}

// Command gives the command that runs an agent.
func (h *Hall) Command(t testing.TB) []string { return h.d.Program(t, "agent", h.l.Addr().String()) }

// Accept waits for the agent that has been started.
func (h *Hall) Accept(t testing.TB, name string) *Agent {
	t.Helper()
	_ = h.l.SetDeadline(time.Now().Add(30 * time.Second))
	c, err := h.l.Accept()
	if err != nil {
		t.Fatalf("no agent came: %v\n%s", err, h.d.Log())
	}
	a := &Agent{conn: c, name: name, pending: map[int]chan outcome{}}
	var reader sync.WaitGroup
	reader.Go(a.read)
	t.Cleanup(func() {
		c.Close()
		reader.Wait()
	})
	var hello client.HelloReply
	a.Do(t, 0, 1, "hello", struct{}{}, &hello)
	a.PID, a.User = hello.ProcessID, hello.User // its own number for itself is another one
	return a
}

// Service starts an agent as a LocalSystem service of session 0.
func (h *Hall) Service(t testing.TB, c *client.Conn, name string) *Agent {
	t.Helper()
	m, err := c.OpenSCManager(t.Context(), client.OpenSCManagerRequest{Access: win32.SC_MANAGER_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.CreateService(t.Context(), client.CreateServiceRequest{
		Manager: m.Handle, Name: name, Access: win32.SERVICE_ALL_ACCESS, Type: win32.SERVICE_WIN32_OWN_PROCESS,
		StartType: win32.SERVICE_DEMAND_START, ErrorControl: 1, BinaryPath: strings.Join(h.Command(t), " "), Plain: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartService(t.Context(), client.StartServiceRequest{Service: s.Handle}); err != nil {
		t.Fatal(err)
	}
	return h.Accept(t, "service "+name)
}

// LogonAgent adds an account, logs it on and starts an agent in its session.
func (h *Hall) LogonAgent(t testing.TB, c *client.Conn, name string, admin bool) (*Agent, uint32) {
	t.Helper()
	AddUser(t, c, name, admin)
	id := Logon(t, c, name)
	Spawn(t, c, id, `WinSta0\Default`, h.Command(t)...)
	return h.Accept(t, name), id
}

// Child lets an agent start another one with a token; 0 is its own.
func (h *Hall) Child(t testing.TB, of *Agent, token win32.Handle, name string) *Agent {
	t.Helper()
	of.Do(t, 0, 1, "CreateProcess", client.CreateProcessRequest{Token: token, Path: h.Command(t)[0], Args: h.Command(t)}, nil)
	return h.Accept(t, name)
}

func (a *Agent) read() {
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

// Pending is a call that has not been answered.
type Pending <-chan outcome

// Begin has the agent make a call on one of its threads.
func (a *Agent) Begin(t testing.TB, thread int, call string, request any) Pending {
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

// End waits for a call's outcome and fails the test unless it has the number
// code. A reply is stored when wanted.
func (a *Agent) End(t testing.TB, c Pending, code win32.Errno, call string, reply any) {
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

// Do is Begin and End.
func (a *Agent) Do(t testing.TB, code win32.Errno, thread int, call string, request, reply any) {
	t.Helper()
	a.End(t, a.Begin(t, thread, call, request), code, call, reply)
}

// Handle makes a call that gives a handle, on thread 1.
func (a *Agent) Handle(t testing.TB, code win32.Errno, call string, request any) win32.Handle {
	t.Helper()
	return a.HandleOn(t, code, 1, call, request)
}

// HandleOn makes a call that gives a handle.
func (a *Agent) HandleOn(t testing.TB, code win32.Errno, thread int, call string, request any) win32.Handle {
	t.Helper()
	var r struct{ Handle win32.Handle }
	a.Do(t, code, thread, call, request, &r)
	return r.Handle
}

// Wait waits for one object without patience and fails unless it gives want.
func (a *Agent) Wait(t testing.TB, h win32.Handle, want uint32) {
	t.Helper()
	var r client.WaitReply
	a.Do(t, 0, 1, "WaitForSingleObject", client.WaitRequest{Handle: h, Millis: 0}, &r)
	if r.Result != want {
		t.Fatalf("a wait of %s gives %#x, want %#x", a.name, r.Result, want)
	}
}

// OwnCall is a call that an agent makes by itself, not through a method of
// client.Conn.
type OwnCall func(ctx context.Context, c *client.Conn, request json.RawMessage) (any, error)

// ServeAgent is the agent's end: args are those of the program, own its own
// calls by name. It gives the exit code.
func ServeAgent(args []string, own map[string]OwnCall) int {
	if err := serveAgent(args[0], own); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func serveAgent(socket string, own map[string]OwnCall) error {
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
			reply, err := carryOut(ctx, thread, o, own)
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

func carryOut(ctx context.Context, thread func(int) (*client.Conn, error), o order, own map[string]OwnCall) (any, error) {
	if o.Call == "close" {
		return nil, nil
	}
	c, err := thread(o.Thread)
	if err != nil {
		return nil, err
	}
	if o.Call == "hello" {
		return c.Hello(), nil
	}
	if f := own[o.Call]; f != nil {
		return f(ctx, c, o.Request)
	}
	m := reflect.ValueOf(c).MethodByName(o.Call)
	if !m.IsValid() {
		return nil, fmt.Errorf("there is no call %s", o.Call)
	}
	in := []reflect.Value{reflect.ValueOf(ctx)}
	if m.Type().NumIn() > 1 {
		q := reflect.New(m.Type().In(1))
		if err := json.Unmarshal(o.Request, q.Interface()); err != nil {
			return nil, err
		}
		in = append(in, q.Elem())
	}
	res := m.Call(in)
	err, _ = res[len(res)-1].Interface().(error)
	if len(res) == 1 {
		return nil, err
	}
	return res[0].Interface(), err
}
