// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/layout"
	"stationmaster/internal/wire"
	"stationmaster/win32"
)

// cancelGrace is how long a cancelled call waits for the daemon to say whether
// it stopped or had already been done.
const cancelGrace = time.Second

// Conn is one connection to the daemon: one thread. It is safe for use by
// several goroutines.
type Conn struct {
	path     string     // immutable
	identity HelloReply // immutable after Dial

	nc   *net.UnixConn // immutable
	done chan struct{} // closed when the reader has ended

	work sync.WaitGroup // Cancel frames on their way

	wmu sync.Mutex // held while a frame is written; taken before mu
	buf []byte     // guarded by wmu: frame under construction

	mu      sync.Mutex
	pending map[uint32]*pending // guarded by mu: calls without an answer
	last    uint32              // guarded by mu: id given last
	err     error               // guarded by mu: why the connection is over
	closed  bool                // guarded by mu: Close was called
	taken   bool                // guarded by mu: the stream has been handed out
}

// pending is one call under way.
type pending struct {
	takeover bool
	answer   chan answer // capacity 1
}

// free keeps records of calls for the next ones.
var free = sync.Pool{New: func() any { return &pending{answer: make(chan answer, 1)} }}

type answer struct {
	reply wire.Reply
	rest  []byte // takeover: bytes that followed the reply
	err   error
}

// DialError says that no daemon answered at a path. It unwraps to a
// *win32.Error with RPC_S_SERVER_UNAVAILABLE and to the cause.
type DialError struct {
	Path string
	Err  error
}

// Error names the path and the cause.
func (e *DialError) Error() string {
	return fmt.Sprintf("cannot reach the daemon at %s: %s (%d): %v", e.Path, win32.RPC_S_SERVER_UNAVAILABLE.Error(), uint32(win32.RPC_S_SERVER_UNAVAILABLE), e.Err)
}

// Unwrap gives the Win32 error and the cause.
func (e *DialError) Unwrap() []error {
	return []error{&win32.Error{Op: "Connect", Object: e.Path, Code: win32.RPC_S_SERVER_UNAVAILABLE}, e.Err}
}

// SocketIn gives the path of the call socket of a daemon that runs with
// --dir dir.
func SocketIn(dir string) string { return layout.For(dir).Socket }

// DefaultSocket gives the path of the call socket that Dial uses when it is
// told none: $STATION_SOCKET, else the one of $STATION_DIR, else the system's
// usual place for this user.
func DefaultSocket() string { return layout.Socket("") }

// Dial connects to the daemon whose call socket is at path, DefaultSocket if
// that is empty, and says hello. Errors: *DialError when nobody answers,
// ERROR_UNKNOWN_REVISION when the versions do not fit, ERROR_ACCESS_DENIED when
// the daemon does not know the caller.
func Dial(ctx context.Context, path string) (*Conn, error) {
	if path == "" {
		path = DefaultSocket()
	}
	nc, err := wire.Dial(ctx, path)
	if err != nil {
		return nil, &DialError{path, err}
	}
	c := &Conn{path: path, nc: nc, done: make(chan struct{}), pending: map[uint32]*pending{}}
	go c.read()
	program, _ := os.Executable()
	c.identity, err = c.hello(ctx, HelloRequest{Version: api.Version, Program: filepath.Base(program)})
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Redial makes a new connection to the same daemon, or to the one that took
// its place. The new connection is a new thread: it neither impersonates nor
// has the desktop that c had. c itself is left as it is.
func (c *Conn) Redial(ctx context.Context) (*Conn, error) { return Dial(ctx, c.path) }

// RedialWithin is Redial that tries again, with growing pauses, until a daemon
// answers or grace is over.
func (c *Conn) RedialWithin(ctx context.Context, grace time.Duration) (*Conn, error) {
	return redial(ctx, c.path, grace)
}

// Path gives the path of the call socket.
func (c *Conn) Path() string { return c.path }

// Hello gives what the daemon said when the connection was made: its version
// and whom it takes the caller for.
func (c *Conn) Hello() HelloReply { return c.identity }

// Done is closed when the connection is over, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection and the calls under way, and waits for the
// connection's goroutine.
func (c *Conn) Close() error {
	c.mu.Lock()
	taken := c.taken
	c.closed = true
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.mu.Unlock()
	if !taken {
		c.nc.Close()
	}
	<-c.done
	c.work.Wait()
	return nil
}

// call makes one call and gives the body of its reply.
func (c *Conn) call(ctx context.Context, op uint16, body []byte, files []*os.File) ([]byte, error) {
	a, err := c.roundTrip(ctx, op, body, files, false)
	if err != nil {
		return nil, err
	}
	closeFiles(a.reply.Files) // such a call gives none
	if a.reply.Code != 0 {
		return nil, wire.DecodeError(a.reply.Code, a.reply.Body)
	}
	return a.reply.Body, nil
}

// callGives makes a call whose reply comes with files.
func (c *Conn) callGives(ctx context.Context, op uint16, body []byte) ([]byte, []*os.File, error) {
	a, err := c.roundTrip(ctx, op, body, nil, false)
	if err != nil {
		return nil, nil, err
	}
	if a.reply.Code != 0 {
		closeFiles(a.reply.Files)
		return nil, nil, wire.DecodeError(a.reply.Code, a.reply.Body)
	}
	return a.reply.Body, a.reply.Files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// takeover makes a call that ends the framing and gives the raw stream.
func (c *Conn) takeover(ctx context.Context, op uint16, body []byte) ([]byte, net.Conn, error) {
	a, err := c.roundTrip(ctx, op, body, nil, true)
	if err != nil {
		return nil, nil, err
	}
	if a.reply.Code != 0 {
		return nil, nil, wire.DecodeError(a.reply.Code, a.reply.Body)
	}
	return a.reply.Body, &stream{UnixConn: c.nc, rest: a.rest}, nil
}

func (c *Conn) roundTrip(ctx context.Context, op uint16, body []byte, files []*os.File, takeover bool) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, c.cancelled(op, err)
	}
	p := free.Get().(*pending)
	p.takeover = takeover
	id, err := c.send(op, p, body, files)
	if err != nil {
		return answer{}, err
	}
	select {
	case a := <-p.answer:
		free.Put(p) // answered, so nobody else has it any more
		return a, c.gone(op, a.err)
	case <-ctx.Done():
	}
	// The call may have been done at this very moment; then its result counts,
	// or a handle would be lost. The daemon answers a Cancel at once.
	c.mu.Lock()
	if !c.closed { // then Close does not wait for it yet
		c.work.Go(func() { c.sendCancel(id) }) // beside us: another frame may be stuck before it
	}
	c.mu.Unlock()
	t := time.NewTimer(cancelGrace)
	defer t.Stop()
	select {
	case a := <-p.answer:
		if a.err == nil && a.reply.Code == 0 {
			return a, nil
		}
	case <-t.C:
		c.abandon(id, takeover)
	}
	return answer{}, c.cancelled(op, ctx.Err())
}

// send writes the frame of a call. The id is given under the write lock, so
// that calls of one goroutine after another keep their order.
func (c *Conn) send(op uint16, p *pending, body []byte, files []*os.File) (uint32, error) {
	if len(body) > api.MaxRequest {
		return 0, &win32.Error{Op: opName(op), Code: win32.ERROR_BAD_LENGTH}
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.mu.Lock()
	if c.err != nil || c.taken {
		err := c.err
		c.mu.Unlock()
		if err == nil {
			err = net.ErrClosed
		}
		return 0, c.gone(op, err)
	}
	id := c.last + 1
	for id == 0 || c.pending[id] != nil {
		id++
	}
	c.last, c.pending[id] = id, p
	c.mu.Unlock()

	c.buf = append(wire.BeginRequest(c.buf[:0]), body...)
	wire.EndRequest(c.buf, id, op, len(files))
	err := wire.Send(c.nc, c.buf, files)
	if cap(c.buf) > 64<<10 {
		c.buf = nil
	}
	if err == nil {
		return id, nil
	}
	c.mu.Lock()
	delete(c.pending, id)
	c.mu.Unlock()
	if errors.Is(err, wire.ErrFiles) || errors.Is(err, os.ErrClosed) {
		return 0, fmt.Errorf("cannot send %s: %w", opName(op), err) // nothing was sent: a file was closed or too many
	}
	c.nc.Close() // part of a frame may be out: the stream is lost
	return 0, c.gone(op, err)
}

func (c *Conn) sendCancel(id uint32) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.mu.Lock()
	open := c.err == nil && !c.taken && c.pending[id] != nil
	c.mu.Unlock()
	if !open {
		return
	}
	b := wire.BeginRequest(nil)
	wire.EndRequest(b, id, wire.OpCancel, 0)
	if wire.Send(c.nc, b, nil) != nil {
		c.nc.Close()
	}
}

// abandon gives up on a call that is not answered. Its id stays in use until
// the answer comes; an abandoned takeover ends the connection, because nobody
// would read the stream.
func (c *Conn) abandon(id uint32, takeover bool) {
	if takeover {
		c.nc.Close()
	}
}

// read hands answers to their callers until the connection is over or has been
// taken over.
func (c *Conn) read() {
	defer close(c.done)
	r := wire.NewReader(c.nc, api.MaxReply)
	defer r.Close()
	for {
		reply, err := r.ReadReply()
		if err != nil {
			c.end(err)
			return
		}
		c.mu.Lock()
		p := c.pending[reply.ID]
		delete(c.pending, reply.ID)
		if p != nil && p.takeover && reply.Code == 0 {
			c.taken = true
		}
		taken := c.taken
		c.mu.Unlock()
		if p == nil {
			c.end(fmt.Errorf("reply to no call (id %d)", reply.ID))
			return
		}
		if taken {
			p.answer <- answer{reply: reply, rest: r.Buffered()}
			c.failAll(net.ErrClosed)
			return
		}
		p.answer <- answer{reply: reply}
	}
}

// end closes the connection and fails the calls under way.
func (c *Conn) end(err error) {
	c.nc.Close()
	c.failAll(err)
}

func (c *Conn) failAll(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	err = c.err
	all := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, p := range all {
		p.answer <- answer{err: err}
	}
}

// gone words the end of the connection as the Win32 error of a server that is
// not there; the cause stays visible to errors.Is.
func (c *Conn) gone(op uint16, err error) error {
	if err == nil {
		return nil
	}
	return &lost{&win32.Error{Op: opName(op), Object: c.path, Code: win32.RPC_S_SERVER_UNAVAILABLE}, err}
}

// lost is a *win32.Error that also knows what happened to the connection.
type lost struct {
	win *win32.Error
	err error
}

func (e *lost) Error() string   { return e.win.Error() }
func (e *lost) Unwrap() []error { return []error{e.win, e.err} }

func (c *Conn) cancelled(op uint16, err error) error {
	return fmt.Errorf("%s: %w", opName(op), err)
}

// garbled is the error for a reply that is not what the table says.
func (c *Conn) garbled(op uint16, err error) error {
	return fmt.Errorf("cannot read the reply of %s: %w", opName(op), err)
}

func opName(op uint16) string {
	_, name, _, _ := wire.Describe(op)
	return name
}
