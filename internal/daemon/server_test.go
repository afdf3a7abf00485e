// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/internal/wire"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plane is a call plane around an engine without a machine.
type plane struct {
	t        testing.TB
	engine   *station.Engine
	host     *station.MemoryHost
	services *Services
	server   *Server
	path     string
	limits   Limits

	peers     atomic.Int64 // connections identified so far
	identify  atomic.Value // func(n int64) (Peer, error)
	malformed chan error
}

// Identify makes every connection another process of the operator's.
func (p *plane) Identify(*net.UnixConn) (Peer, error) {
	n := p.peers.Add(1)
	if f, ok := p.identify.Load().(func(int64) (Peer, error)); ok {
		return f(n)
	}
	return Peer{PID: 1<<23 + int(n), UID: 0}, nil
}

func (p *plane) Attach(peer Peer) (*station.Thread, error) {
	spec := station.AttachSpec{PID: peer.PID, Session: peer.Session, InSession: peer.InSession, Program: "test"}
	if !peer.InSession {
		spec.Fallback = security.SystemToken(0)
	}
	return p.engine.AttachThread(spec)
}

func (p *plane) Detach(t *station.Thread, peer Peer) {
	t.Detach()
	if t.Process().Forked() {
		p.engine.ForgetProcess(peer.PID, peer.StartTime)
	}
}

func (p *plane) Malformed(_ *station.Thread, _ Peer, why error) {
	select {
	case p.malformed <- why:
	default:
	}
}

// newPlane starts a call plane; wrap may replace its handler.
func newPlane(t testing.TB, limits Limits, wrap func(*plane) Handler) *plane {
	t.Helper()
	p := &plane{t: t, host: station.NewMemoryHost(), limits: limits, malformed: make(chan error, 100)}
	var err error
	p.engine, err = station.New(station.Options{Host: p.host, Surfaces: station.NewMemorySurfaces()})
	if err != nil {
		t.Fatal(err)
	}
	zero, _ := p.engine.Session(0)
	if err := p.engine.StartHost(context.Background(), zero, station.SessionSpec{}); err != nil {
		t.Fatal(err)
	}
	p.services = &Services{Engine: p.engine, Product: "test", Daemon: 1, Started: time.Now()}
	p.path = filepath.Join(t.TempDir(), "call")
	p.start(wrap)
	t.Cleanup(func() {
		p.server.Close()
		if err := p.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *plane) start(wrap func(*plane) Handler) {
	p.t.Helper()
	var h Handler = p.services
	if wrap != nil {
		h = wrap(p)
	}
	var err error
	p.server, err = Serve(ServerOptions{Socket: p.path, Identifier: p, Binder: p, Handler: h, Limits: p.limits})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *plane) dial() *client.Conn {
	p.t.Helper()
	c, err := client.Dial(context.Background(), p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c
}

// raw connects without the client; hello says whether to greet.
func (p *plane) raw(hello bool) *rawPeer {
	p.t.Helper()
	nc, err := wire.Dial(context.Background(), p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	r := &rawPeer{p.t, nc, wire.NewReader(nc, api.MaxReply)}
	if hello {
		r.send(frame(1, wire.OpHello, wire.AppendHelloRequest(nil, &api.HelloRequest{Version: api.Version})))
		if q := r.reply(); q.Code != 0 {
			p.t.Fatalf("hello: %v", wire.DecodeError(q.Code, q.Body))
		}
	}
	return r
}

type rawPeer struct {
	t  testing.TB
	nc *net.UnixConn
	r  *wire.Reader
}

func (r *rawPeer) send(b []byte) {
	r.t.Helper()
	if _, err := r.nc.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rawPeer) reply() wire.Reply {
	r.t.Helper()
	q, err := r.r.ReadReply()
	if err != nil {
		r.t.Fatal(err)
	}
	return q
}

// wantClosed reads until the daemon has closed the connection.
func (r *rawPeer) wantClosed() {
	r.t.Helper()
	for {
		if _, err := r.r.ReadReply(); errors.Is(err, os.ErrDeadlineExceeded) {
			r.t.Fatal("the connection stays open")
		} else if err != nil {
			return
		}
	}
}

func frame(id uint32, op uint16, body []byte) []byte {
	b := append(wire.BeginRequest(nil), body...)
	wire.EndRequest(b, id, op, 0)
	return b
}

func wantCode(t testing.TB, err error, code win32.Errno) {
	t.Helper()
	if win32.Code(err) != code {
		t.Errorf("got %v, want error %d", err, code)
	}
}

// until waits for something that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func TestHello(t *testing.T) {
	conform.Rule(t, "HND-12")
	p := newPlane(t, Limits{}, nil)
	c, d := p.dial(), p.dial()
	h := c.Hello()
	if h.Version != api.Version || h.ProductString != "test" || h.User != security.System.String() || h.Mode != "isolated" || h.ThreadID == 0 || h.DaemonID != 1 {
		t.Errorf("hello: %+v", h)
	}
	if d.Hello().ThreadID == h.ThreadID {
		t.Error("two connections are one thread")
	}
	r, err := c.Ping(t.Context(), client.PingRequest{Payload: []byte("x")})
	if err != nil || string(r.Payload) != "x" {
		t.Errorf("ping: %q %v", r.Payload, err)
	}
	if n := p.server.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// The error a client gets is the one the engine made, in every part.
func TestErrorFidelity(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	c := p.dial()
	_, err := c.OpenWindowStation(t.Context(), client.OpenRequest{Name: "NoSuch", Access: win32.WINSTA_ENUMERATE})
	th, aerr := p.Attach(Peer{PID: 1 << 24})
	if aerr != nil {
		t.Fatal(aerr)
	}
	defer p.Detach(th, Peer{PID: 1 << 24})
	_, want := th.OpenWindowStation("NoSuch", win32.WINSTA_ENUMERATE, false)
	var got, w *win32.Error
	if !errors.As(err, &got) || !errors.As(want, &w) || *got != *w {
		t.Errorf("the client got %#v, the engine made %#v", err, want)
	}
}

func TestObjects(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	c, ctx := p.dial(), t.Context()
	ws, err := c.CreateWindowStation(ctx, client.CreateWindowStationRequest{Name: "Tools", Access: win32.WINSTA_ALL_ACCESS})
	if err != nil || ws.Existed {
		t.Fatalf("create: %+v %v", ws, err)
	}
	if again, err := c.CreateWindowStation(ctx, client.CreateWindowStationRequest{Name: "tools", Access: win32.WINSTA_ENUMERATE}); err != nil || !again.Existed {
		t.Errorf("create again: %+v %v", again, err)
	}
	if err := c.SetProcessWindowStation(ctx, client.HandleRequest{Handle: ws.Handle}); err != nil {
		t.Fatal(err)
	}
	d, err := c.CreateDesktop(ctx, client.CreateDesktopRequest{Name: "Work", Access: win32.DESKTOP_ALL_ACCESS | win32.READ_CONTROL | win32.WRITE_DAC})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := c.EnumDesktops(ctx, client.HandleRequest{}); err != nil || fmt.Sprint(l.Names) != "[Work]" {
		t.Errorf("desktops: %v %v", l.Names, err)
	}
	info, err := c.GetUserObjectInformation(ctx, client.IndexRequest{Handle: d.Handle, Index: win32.UOI_NAME})
	if err != nil || string(info.Data) != "W\x00o\x00r\x00k\x00\x00\x00" {
		t.Errorf("name: %q %v", info.Data, err)
	}
	sd, err := c.GetUserObjectSecurity(ctx, client.SecurityRequest{Handle: d.Handle, Parts: security.DACLInformation})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := security.ParseDescriptor(sd.Data); err != nil {
		t.Errorf("descriptor: %v", err)
	}
	if err := c.SetUserObjectSecurity(ctx, client.SetSecurityRequest{Handle: d.Handle, Parts: security.DACLInformation, Descriptor: sd.Data}); err != nil {
		t.Error(err)
	}
	wantCode(t, c.SetUserObjectSecurity(ctx, client.SetSecurityRequest{Handle: d.Handle, Parts: security.DACLInformation, Descriptor: []byte("junk")}), win32.ERROR_INVALID_SECURITY_DESCR)
	if err := c.CloseDesktop(ctx, client.HandleRequest{Handle: d.Handle}); err != nil {
		t.Error(err)
	}
	wantCode(t, c.CloseHandle(ctx, client.HandleRequest{Handle: d.Handle}), win32.ERROR_INVALID_HANDLE)
}

// Descriptors reach the program and none stays behind in the daemon.
func TestCreateProcess(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	before := fdCount(t)
	var got atomic.Pointer[string]
	p.host.OnSpawn(func(mp *station.MemoryProcess) error {
		b, err := io.ReadAll(mp.Spec().Files[0])
		text := string(b)
		got.Store(&text)
		return err
	})
	c, ctx := p.dial(), t.Context()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "standard input")
	w.Close()
	q := client.CreateProcessRequest{Path: "/bin/prog", Args: []string{"prog", "-x"}, Env: []string{"A=1"}}
	proc, err := c.CreateProcess(ctx, q, r)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if s := got.Load(); s == nil || *s != "standard input" {
		t.Error("the program did not get the descriptor")
	}
	if e, err := c.GetExitCodeProcess(ctx, client.HandleRequest{Handle: proc.Process}); err != nil || e.Code != 259 {
		t.Errorf("exit code while it runs: %+v %v", e, err)
	}
	if w, err := c.WaitForSingleObject(ctx, client.WaitRequest{Handle: proc.Process, Millis: 1}); err != nil || w.Result != uint32(win32.WAIT_TIMEOUT) {
		t.Errorf("wait: %+v %v", w, err)
	}
	p.host.Process(int(proc.ProcessID)).Exit(7)
	if w, err := c.WaitForSingleObject(ctx, client.WaitRequest{Handle: proc.Process, Millis: 0xFFFFFFFF}); err != nil || w.Result != 0 {
		t.Errorf("wait: %+v %v", w, err)
	}
	if e, err := c.GetExitCodeProcess(ctx, client.HandleRequest{Handle: proc.Process}); err != nil || e.Code != 7 {
		t.Errorf("exit code: %+v %v", e, err)
	}
	// A file that is closed is told before anything is sent.
	if _, err := c.CreateProcess(ctx, q, r); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
	// Descriptors with a call that takes none, and a wrong count of them.
	raw := p.raw(true)
	b := append(wire.BeginRequest(nil), wire.AppendPingRequest(nil, &api.PingRequest{})...)
	wire.EndRequest(b, 2, wire.OpPing, 1)
	raw.nc.WriteMsgUnix(b, unix.UnixRights(0), nil)
	wantCode(t, win32.Errno(raw.reply().Code), win32.ERROR_INVALID_PARAMETER)
	b = append(wire.BeginRequest(nil), wire.AppendCreateProcessRequest(nil, &api.CreateProcessRequest{FileCount: 2})...)
	wire.EndRequest(b, 3, wire.OpCreateProcess, 1)
	raw.nc.WriteMsgUnix(b, unix.UnixRights(0), nil)
	wantCode(t, win32.Errno(raw.reply().Code), win32.ERROR_INVALID_PARAMETER)
	raw.nc.Close()
	c.Close()
	until(t, "the connections are gone", func() bool { return p.server.Connections() == 0 })
	if n := fdCount(t); n > before {
		t.Errorf("%d descriptors before, %d after", before, n)
	}
}

func fdCount(t testing.TB) int {
	l, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(l)
}

// A call that waits lets the connection's other calls through; cancelling it
// keeps the connection; closing the connection ends it.
func TestBlocking(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	c := p.dial()
	proc, err := c.CreateProcess(t.Context(), client.CreateProcessRequest{Path: "/bin/prog"})
	if err != nil {
		t.Fatal(err)
	}
	forever := client.WaitRequest{Handle: proc.Process, Millis: 0xFFFFFFFF}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 3)
	go func() { _, err := c.WaitForSingleObject(ctx, forever); waited <- err }()
	for range 100 {
		if _, err := c.Ping(t.Context(), client.PingRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-waited:
		t.Fatalf("the wait ended: %v", err)
	default:
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := c.Ping(t.Context(), client.PingRequest{}); err != nil {
		t.Errorf("after a cancel: %v", err)
	}
	// A deadline of the caller's is kept too.
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.WaitForSingleObject(short, forever); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	go func() { _, err := c.WaitForSingleObject(t.Context(), forever); waited <- err }()
	if _, err := c.Ping(t.Context(), client.PingRequest{}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	wantCode(t, <-waited, win32.RPC_S_SERVER_UNAVAILABLE)
	until(t, "the connection is gone", func() bool { return p.server.Connections() == 0 })
	if _, err := c.Ping(t.Context(), client.PingRequest{}); win32.Code(err) != win32.RPC_S_SERVER_UNAVAILABLE {
		t.Errorf("on a closed connection: %v", err)
	}
}

// Cancel stops the daemon's side at once, also for a raw client.
func TestCancelFrame(t *testing.T) {
	p := newPlane(t, Limits{Waiting: 2}, nil)
	c := p.dial()
	proc, err := c.CreateProcess(t.Context(), client.CreateProcessRequest{Path: "/bin/prog"})
	if err != nil {
		t.Fatal(err)
	}
	r := p.raw(true)
	open := wire.AppendOpenProcessRequest(nil, &api.OpenProcessRequest{ProcessID: proc.ProcessID, Access: win32.SYNCHRONIZE})
	r.send(frame(2, wire.OpOpenProcess, open))
	h, err := wire.DecodeHandleReply(r.reply().Body)
	if err != nil {
		t.Fatal(err)
	}
	wait := wire.AppendWaitRequest(nil, &api.WaitRequest{Handle: h.Handle, Millis: 0xFFFFFFFF})
	r.send(frame(3, wire.OpWaitForSingleObject, wait))
	r.send(frame(4, wire.OpWaitForSingleObject, wait))
	r.send(frame(5, wire.OpWaitForSingleObject, wait))
	if q := r.reply(); q.ID != 5 || q.Code != win32.ERROR_NOT_ENOUGH_QUOTA {
		t.Errorf("a wait too many: id %d code %d", q.ID, q.Code)
	}
	r.send(frame(99, wire.OpCancel, nil)) // of no call: nothing
	r.send(frame(4, wire.OpCancel, nil))
	if q := r.reply(); q.ID != 4 || q.Code != win32.ERROR_OPERATION_ABORTED {
		t.Errorf("cancelled: id %d code %d", q.ID, q.Code)
	}
	r.send(frame(3, wire.OpPing, []byte{0, 0, 0, 0})) // the id is in use
	if q := r.reply(); q.ID != 3 || q.Code != win32.ERROR_INVALID_PARAMETER {
		t.Errorf("an id used twice: id %d code %d", q.ID, q.Code)
	}
	r.wantClosed()
}

// Whoever breaks the rules gets an error where one can be addressed and is cut
// off; it is recorded, and nobody else notices.
func TestBadFrames(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	bystander := p.dial()
	huge := frame(9, wire.OpPing, nil)
	binary.LittleEndian.PutUint32(huge, api.MaxRequest+1)
	flags := frame(9, wire.OpPing, []byte{0, 0, 0, 0})
	flags[10] = 0x80
	for name, c := range map[string]struct {
		hello bool
		in    []byte
		code  win32.Errno // of the reply; 0: none is awaited
	}{
		"no hello":        {false, frame(9, wire.OpPing, []byte{0, 0, 0, 0}), win32.RPC_S_INVALID_BINDING},
		"another version": {false, frame(9, wire.OpHello, wire.AppendHelloRequest(nil, &api.HelloRequest{Version: 99})), win32.ERROR_UNKNOWN_REVISION},
		"oversize":        {true, huge, win32.ERROR_BAD_LENGTH},
		"flags":           {true, flags, win32.ERROR_INVALID_PARAMETER},
		"short body":      {true, frame(9, wire.OpCloseHandle, []byte{1}), win32.ERROR_INVALID_USER_BUFFER},
		"trailing body":   {true, frame(9, wire.OpCloseHandle, []byte{1, 0, 0, 0, 0}), win32.ERROR_INVALID_USER_BUFFER},
		"body for none":   {true, frame(9, wire.OpIsGUIThread, []byte{1}), win32.ERROR_INVALID_USER_BUFFER},
		"blocking body":   {true, frame(9, wire.OpWaitForSingleObject, []byte{1}), win32.ERROR_INVALID_USER_BUFFER},
		"length bomb":     {true, frame(9, wire.OpPing, []byte{0xff, 0xff, 0xff, 0x7f}), win32.ERROR_INVALID_USER_BUFFER},
		"http":            {false, []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0},
		"garbage":         {true, []byte(strings.Repeat("\xa5", 4096)), 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.raw(c.hello)
			r.send(c.in)
			if c.code != 0 {
				if q := r.reply(); q.ID != 9 || q.Code != c.code {
					t.Errorf("reply to %d with code %d, want %d", q.ID, q.Code, c.code)
				}
			}
			r.wantClosed()
			<-p.malformed
		})
	}
	if _, err := bystander.Ping(t.Context(), client.PingRequest{}); err != nil {
		t.Errorf("somebody else was disturbed: %v", err)
	}
	// A call that this daemon does not know is no offence.
	r := p.raw(true)
	r.send(frame(2, 60000, []byte("whatever")))
	if q := r.reply(); q.Code != win32.ERROR_CALL_NOT_IMPLEMENTED {
		t.Errorf("an unknown call: code %d", q.Code)
	}
	r.send(frame(3, wire.OpPing, []byte{0, 0, 0, 0}))
	if q := r.reply(); q.ID != 3 || q.Code != 0 {
		t.Errorf("after it: id %d code %d", q.ID, q.Code)
	}
	// Half a frame and then nothing holds nobody up, and is no offence either.
	half := p.raw(true)
	half.send(frame(2, wire.OpPing, []byte("12345"))[:9])
	if _, err := bystander.Ping(t.Context(), client.PingRequest{}); err != nil {
		t.Error(err)
	}
}

// Descriptors that were not asked for are closed, and end the connection.
func TestDescriptorFlood(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	before := fdCount(t)
	for range 50 {
		r := p.raw(true)
		fds := make([]int, 100)
		r.nc.WriteMsgUnix(frame(2, wire.OpPing, []byte{0, 0, 0, 0}), unix.UnixRights(fds...), nil)
		r.wantClosed()
		r.nc.Close()
	}
	until(t, "the connections are gone", func() bool { return p.server.Connections() == 0 })
	if n := fdCount(t); n > before {
		t.Errorf("%d descriptors before, %d after", before, n)
	}
}

// A peer that asks without taking the answers loses the connection; others are
// served meanwhile.
func TestSlowReader(t *testing.T) {
	p := newPlane(t, Limits{WriteTime: 50 * time.Millisecond}, nil)
	bystander := p.dial()
	r := p.raw(true)
	ping := frame(2, wire.OpPing, wire.AppendPingRequest(nil, &api.PingRequest{Payload: make([]byte, 1<<19)}))
	for {
		if _, err := r.nc.Write(ping); err != nil {
			break // the daemon has closed
		}
		if _, err := bystander.Ping(t.Context(), client.PingRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the slow one is gone", func() bool { return p.server.Connections() == 1 })
}

func TestCaps(t *testing.T) {
	p := newPlane(t, Limits{PerUID: 3, PerSession: 1}, nil)
	p.identify.Store(func(n int64) (Peer, error) {
		if n == 1 {
			return Peer{}, errors.New("nobody knows")
		}
		return Peer{PID: 1<<23 + int(n)}, nil
	})
	_, err := client.Dial(t.Context(), p.path)
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	a := p.dial()
	p.dial()
	p.dial()
	_, err = client.Dial(t.Context(), p.path)
	wantCode(t, err, win32.ERROR_NOT_ENOUGH_QUOTA)
	a.Close()
	until(t, "there is room", func() bool { return p.server.Connections() == 2 })
	p.dial()
}

// A stranger in session 0 is refused, and told so.
func TestRefused(t *testing.T) {
	conform.Rule(t, "HND-12")
	p := newPlane(t, Limits{}, nil)
	p.identify.Store(func(int64) (Peer, error) { return Peer{PID: 1 << 24, InSession: true, Session: 0}, nil })
	_, err := client.Dial(t.Context(), p.path)
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
}

// A thousand connections come and go, some in the middle of a call, and nothing
// stays: no goroutine, descriptor, thread or process record.
func TestChurn(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	before := fdCount(t)
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for j := range 125 {
				c, err := client.Dial(t.Context(), p.path)
				if err != nil {
					t.Error(err)
					return
				}
				if (i+j)%2 == 0 {
					go c.ReadEvents(t.Context(), client.ReadLogRequest{After: 1 << 60, Millis: 60_000})
				}
				if _, err := c.Ping(t.Context(), client.PingRequest{}); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	work.Wait()
	until(t, "the connections are gone", func() bool { return p.server.Connections() == 0 })
	if n := len(p.engine.Processes()); n != 0 {
		t.Errorf("%d process records stay", n)
	}
	if n := fdCount(t); n > before {
		t.Errorf("%d descriptors before, %d after", before, n)
	}
}

// Close ends calls that wait, and the clients learn that the daemon is gone.
func TestClose(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	c := p.dial()
	waiting := make(chan error, 1)
	go func() {
		_, err := c.ReadEvents(t.Context(), client.ReadLogRequest{After: 1 << 60, Millis: 60_000})
		waiting <- err
	}()
	if _, err := c.Ping(t.Context(), client.PingRequest{}); err != nil {
		t.Fatal(err)
	}
	p.server.Close()
	wantCode(t, <-waiting, win32.RPC_S_SERVER_UNAVAILABLE)
	<-c.Done()
	_, err := c.Redial(t.Context())
	wantCode(t, err, win32.RPC_S_SERVER_UNAVAILABLE)
	var de *client.DialError
	if !errors.As(err, &de) || !strings.Contains(err.Error(), p.path) || !strings.Contains(err.Error(), "1722") {
		t.Errorf("the error does not tell what is wrong: %v", err)
	}
	p.start(nil)
	d, err := c.Redial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

func TestSecondDaemon(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	if _, err := Serve(ServerOptions{Socket: p.path, Identifier: p, Binder: p, Handler: p.services}); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("a second daemon on the same socket: %v", err)
	}
	if _, err := Serve(ServerOptions{Socket: filepath.Join(t.TempDir(), "no", "call")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	// A socket that nobody serves any more is replaced.
	path := filepath.Join(t.TempDir(), "call")
	l, err := wire.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s, err := Serve(ServerOptions{Socket: path, Identifier: p, Binder: p, Handler: p.services})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
		t.Errorf("socket: %v %v", st, err)
	}
	s.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}
