// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/wire"
	"stationmaster/station"
	"stationmaster/win32"
)

// conn is one connection: one thread of the calling process.
type conn struct {
	server  *Server         // immutable
	nc      *net.UnixConn   // immutable
	peer    Peer            // set before the first call, then immutable
	thread  *station.Thread // set before the first call, then immutable
	uncount func()          // set before the first call; called under Server.mu
	share   *share          // set before the first call, then immutable

	work sync.WaitGroup // calls that wait

	mu    sync.Mutex
	calls map[uint32]context.CancelFunc // guarded by mu: calls that wait, by id

	wmu sync.Mutex   // held while a reply is written
	out *wire.Sender // guarded by wmu
	buf []byte       // the read loop's own: reply under construction
}

// Errors that end a connection.
var (
	errNoHello = errors.New("the first call is not Hello")
	errSameID  = errors.New("an id is used again before its answer")
)

// serve reads calls and answers them until the peer closes, breaks the rules
// or a call takes the connection over.
func (c *conn) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	r := wire.NewReader(c.nc, api.MaxRequest)
	r.Budget = func(n int) bool { return c.share.take(n, 0) }
	defer r.Close()
	// The order matters: calls that wait are told to stop before they are
	// waited for, and none of them writes to a thread that is gone.
	defer c.work.Wait()
	defer c.nc.Close()
	defer cancel()
	c.nc.SetReadDeadline(time.Now().Add(c.server.o.Limits.HelloTime))
	greeted := false
	for {
		q, err := r.ReadRequest()
		if err == nil {
			var serve func(context.Context, net.Conn)
			serve, err = c.handle(ctx, q, &greeted)
			if serve != nil {
				c.nc.SetDeadline(time.Time{})
				serve(ctx, &rawConn{UnixConn: c.nc, rest: r.Buffered()})
				return
			}
		}
		if err != nil {
			c.bad(q, err)
			return
		}
	}
}

// bad ends the connection after a read error or a rule broken. The caller gets
// an error reply where the frame told enough to address it.
func (c *conn) bad(q wire.Request, err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		return
	}
	var e *net.OpError
	if errors.As(err, &e) {
		return // the peer is gone
	}
	c.share.closeAll(q.Files)
	code := win32.ERROR_INVALID_PARAMETER
	switch {
	case errors.Is(err, wire.ErrTooLong):
		code = win32.ERROR_BAD_LENGTH
	case errors.Is(err, errNoHello):
		code = win32.RPC_S_INVALID_BINDING
	}
	var body *bodyError
	if !errors.As(err, &body) && !errors.Is(err, errVersion) { // those have been answered
		c.replyError(q.ID, callName(q.Op), &win32.Error{Op: callName(q.Op), Code: code})
	}
	c.server.o.Logger.Debug("bad frame", "pid", c.peer.PID, "uid", c.peer.UID, "session", c.peer.Session, "err", err)
	c.server.o.Binder.Malformed(c.thread, c.peer, err)
}

// handle runs one call, or starts it when it may wait. A non-nil function takes
// the connection over; an error ends it.
func (c *conn) handle(ctx context.Context, q wire.Request, greeted *bool) (func(context.Context, net.Conn), error) {
	if q.Op == wire.OpCancel {
		c.share.closeAll(q.Files)
		c.mu.Lock()
		cancel := c.calls[q.ID]
		c.mu.Unlock()
		if cancel != nil {
			cancel()
		}
		return nil, nil // a call that has just been answered needs no cancelling
	}
	if !*greeted && q.Op != wire.OpHello {
		c.share.closeAll(q.Files)
		return nil, errNoHello
	}
	_, name, flags, ok := wire.Describe(q.Op)
	switch {
	case !ok:
		c.share.closeAll(q.Files)
		return nil, c.replyError(q.ID, "Call", errNoCall(q.Op))
	case len(q.Files) > 0 && flags&api.Files == 0:
		c.share.closeAll(q.Files)
		return nil, c.replyError(q.ID, name, &win32.Error{Op: name, Object: "descriptors", Code: win32.ERROR_INVALID_PARAMETER})
	}
	call := &Call{Thread: c.thread, Peer: c.peer, Files: q.Files, server: c.server, share: c.share}
	switch {
	case flags&api.Blocking != 0:
		return nil, c.start(ctx, call, q, name)
	case flags&api.Takeover != 0 && c.waiting() > 0:
		return nil, c.replyError(q.ID, name, &win32.Error{Op: name, Object: "calls wait on this connection", Code: win32.ERROR_BUSY})
	}
	if c.inUse(q.ID) {
		c.share.closeAll(q.Files)
		return nil, errSameID
	}
	out, err := c.run(ctx, call, q, name, c.buf[:0])
	if cap(out) <= 64<<10 {
		c.buf = out
	} else {
		c.buf = nil
	}
	if werr := c.write(out, call.give...); werr != nil {
		return nil, werr
	}
	if err != nil {
		return nil, err
	}
	if q.Op == wire.OpHello {
		*greeted = true
		c.nc.SetReadDeadline(time.Time{})
	}
	return call.takeover, nil
}

// run dispatches a call and gives the reply frame. An error says that the
// connection cannot go on after the reply.
func (c *conn) run(ctx context.Context, call *Call, q wire.Request, name string, buf []byte) ([]byte, error) {
	defer c.share.closeAll(call.Files)
	out, err := dispatch(ctx, c.server.o.Handler, call, q.Op, q.Body, wire.BeginReply(buf))
	if err == nil && len(out)-wire.ReplyHeader > api.MaxReply {
		err = &win32.Error{Op: name, Object: "reply", Code: win32.ERROR_MORE_DATA}
	}
	if err == nil {
		wire.EndReply(out, q.ID, 0, len(call.give))
		return out, nil
	}
	closeAll(call.give)
	call.give = nil
	out, code := wire.AppendError(wire.BeginReply(out[:0]), name, err)
	wire.EndReply(out, q.ID, code, 0)
	var body *bodyError
	if errors.As(err, &body) || errors.Is(err, errVersion) {
		return out, err
	}
	return out, nil
}

// start runs a call that may wait in a goroutine of its own. The ids of
// waiting calls are the connection's to keep apart.
func (c *conn) start(ctx context.Context, call *Call, q wire.Request, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	_, again := c.calls[q.ID]
	full := len(c.calls) >= c.server.o.Limits.Waiting
	body := max(0, len(q.Body)-smallBody)
	if !again && !full {
		if full = !c.share.take(body, len(q.Files)); !full {
			c.calls[q.ID] = cancel
		}
	}
	c.mu.Unlock()
	if again || full {
		cancel()
		c.share.closeAll(q.Files)
		if again {
			return errSameID
		}
		return c.replyError(q.ID, name, &win32.Error{Op: name, Object: "calls that wait", Code: win32.ERROR_NOT_ENOUGH_QUOTA})
	}
	q.Body = slices.Clone(q.Body) // the reader uses its memory for the next frame
	c.work.Go(func() {
		defer cancel()
		out, err := c.run(ctx, call, q, name, nil)
		c.mu.Lock()
		delete(c.calls, q.ID)
		c.mu.Unlock()
		c.share.take(-body, -len(q.Files))
		werr := c.write(out, call.give...)
		if call.after != nil {
			call.after()
		}
		if err != nil {
			c.server.o.Binder.Malformed(c.thread, c.peer, err)
		}
		if err != nil || werr != nil {
			c.nc.Close() // the read loop ends
		}
	})
	return nil
}

func (c *conn) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}

func (c *conn) inUse(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.calls[id]
	return ok
}

func (c *conn) replyError(id uint32, name string, err error) error {
	out, code := wire.AppendError(wire.BeginReply(nil), name, err)
	wire.EndReply(out, id, code, 0)
	return c.write(out)
}

// write sends one reply with its files, which it closes. A peer that does not
// take it in time loses the connection, so that nothing piles up here.
func (c *conn) write(frame []byte, files ...*os.File) error {
	defer closeAll(files)
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if len(files) == 0 {
		n, err := c.out.Try(frame)
		if err != nil || n == len(frame) {
			return err
		}
		frame = frame[n:]
	}
	c.nc.SetWriteDeadline(time.Now().Add(c.server.o.Limits.WriteTime))
	return wire.Send(c.nc, frame, files)
}

func callName(op uint16) string {
	if _, name, _, ok := wire.Describe(op); ok {
		return name
	}
	return "Call"
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// rawConn is a connection after a takeover: first what was read too far.
type rawConn struct {
	*net.UnixConn
	mu   sync.Mutex
	rest []byte // guarded by mu
}

// Read gives what was read too far before it reads the socket.
func (r *rawConn) Read(p []byte) (int, error) {
	r.mu.Lock()
	if len(r.rest) > 0 {
		n := copy(p, r.rest)
		r.rest = r.rest[n:]
		r.mu.Unlock()
		return n, nil
	}
	r.mu.Unlock()
	return r.UnixConn.Read(p)
}
