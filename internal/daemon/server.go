// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/internal/host"
	"stationmaster/internal/wire"
	"stationmaster/station"
	"stationmaster/win32"
)

// Limits bound what callers may take from the daemon. Zero means the default.
type Limits struct {
	Connections int           // all together, 4096
	PerUID      int           // connections of one Linux user outside of sessions, 1024
	PerSession  int           // connections from one session, 1024
	Waiting     int           // calls that wait, per connection, 64
	WriteTime   time.Duration // how long a reply may take to be taken, 10 s
	HelloTime   time.Duration // how long a connection may stay silent at first, 30 s
}

// Peer is what the kernel says about a calling process. Its PIDFD is owned by
// the receiver and may be nil in tests.
type Peer = host.Peer

// Identifier asks the kernel who is at the other end of a connection;
// *host.Host does.
type Identifier interface {
	Identify(c *net.UnixConn) (Peer, error)
}

// Binder makes the thread that a connection is, and undoes it.
type Binder interface {
	// Attach gives the thread, or says why this caller gets none.
	Attach(p Peer) (*station.Thread, error)
	// Detach ends the thread.
	Detach(t *station.Thread, p Peer)
	// Malformed records that a caller broke the wire's rules.
	Malformed(t *station.Thread, p Peer, why error)
}

// ServerOptions say how to serve.
type ServerOptions struct {
	Socket     string // path of the call socket
	Identifier Identifier
	Binder     Binder
	Handler    Handler
	Limits     Limits
	Logger     *slog.Logger // nil: none
}

// Server answers calls on the call socket.
type Server struct {
	o      ServerOptions // immutable, defaults filled in
	l      *net.UnixListener
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // accept loop and connections
	polite chan struct{}  // one token per refused caller that still gets a reply

	mu      sync.Mutex
	conns   map[*conn]struct{} // guarded by mu
	uids    map[uint32]int     // guarded by mu: connections per user outside of sessions
	session map[uint32]int     // guarded by mu: connections per session
	shares  map[owner]*share   // guarded by mu: of those that have connections
	closed  bool               // guarded by mu
	told    time.Time          // guarded by mu: when a refused caller was last logged
	untold  int                // guarded by mu: refused callers since then
}

// politeRefusals is how many refused callers are told why at the same time;
// more are cut off at once.
const politeRefusals = 32

// Serve makes the call socket, open to everybody (who may do what is decided
// by who calls, not by the file's mode), and answers calls on it until Close.
// A socket file that nobody serves any more is replaced.
func Serve(o ServerOptions) (*Server, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	// A connection is at least two descriptors, its caller's pidfd is the other;
	// it may have sent sixteen more. One session must not get at all of them.
	most := descriptors()
	def(&o.Limits.Connections, min(4096, most/4))
	def(&o.Limits.PerUID, min(1024, max(64, most/32)))
	def(&o.Limits.PerSession, min(1024, max(64, most/32)))
	def(&o.Limits.Waiting, 64)
	if o.Limits.WriteTime == 0 {
		o.Limits.WriteTime = 10 * time.Second
	}
	if o.Limits.HelloTime == 0 {
		o.Limits.HelloTime = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := listen(o.Socket)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", o.Socket, err)
	}
	s := &Server{
		o: o, l: l, polite: make(chan struct{}, politeRefusals),
		conns: map[*conn]struct{}{}, uids: map[uint32]int{}, session: map[uint32]int{}, shares: map[owner]*share{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work.Go(s.accept)
	return s, nil
}

// descriptors gives how many descriptors this process may have.
func descriptors() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<20))
}

// listen makes the socket under another name and moves it into place, so that
// a caller never meets one that is not ready.
func listen(path string) (*net.UnixListener, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if c, err := wire.Dial(ctx, path); err == nil {
		c.Close()
		return nil, errors.New("another daemon serves it")
	}
	fresh := filepath.Join(filepath.Dir(path), fmt.Sprintf(".call.%d", os.Getpid()))
	os.Remove(fresh)
	l, err := wire.Listen(fresh, 0o666)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(fresh, path); err != nil {
		l.Close()
		os.Remove(fresh)
		return nil, err
	}
	return l, nil
}

// Connections gives the number of connections.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Close stops listening, ends every connection, cancels the calls that wait
// and returns when all goroutines have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	for c := range s.conns {
		c.nc.Close()
	}
	s.mu.Unlock()
	if first {
		os.Remove(s.o.Socket)
	}
	s.cancel()
	s.l.Close()
	s.work.Wait()
	return nil
}

// accept takes connections until the listener is closed. Running out of
// descriptors is waited out: connections that end give some back.
func (s *Server) accept() {
	pause := 5 * time.Millisecond
	for {
		nc, err := s.l.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.o.Logger.Warn("cannot accept a call connection", "err", err)
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-s.ctx.Done():
				t.Stop()
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		out, err := wire.NewSender(nc)
		if err != nil { // only of a connection that is closed
			nc.Close()
			continue
		}
		c := &conn{server: s, nc: nc, out: out, calls: map[uint32]context.CancelFunc{}}
		s.mu.Lock()
		if s.closed || len(s.conns) >= s.o.Limits.Connections {
			s.mu.Unlock()
			nc.Close()
			continue
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.work.Go(func() {
			defer s.drop(c)
			s.serve(c)
		})
	}
}

// serve finds out who calls and answers the connection's calls to its end.
func (s *Server) serve(c *conn) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	peer, err := s.o.Identifier.Identify(c.nc)
	if err != nil {
		if !errors.Is(err, os.ErrProcessDone) { // it did not wait for an answer
			s.o.Logger.Warn("cannot tell who is calling", "err", err)
		}
		s.refuse(c, &win32.Error{Op: "Hello", Code: win32.ERROR_ACCESS_DENIED, Rule: "HND-12"})
		return
	}
	if peer.PIDFD != nil {
		defer peer.PIDFD.Close()
	}
	c.peer = peer
	if !s.count(c) {
		s.refuse(c, &win32.Error{Op: "Hello", Object: "connections", Code: win32.ERROR_NOT_ENOUGH_QUOTA})
		return
	}
	thread, err := s.o.Binder.Attach(peer)
	if err != nil {
		s.tell(peer, err)
		s.refuse(c, err)
		return
	}
	defer s.o.Binder.Detach(thread, peer)
	c.thread = thread
	c.serve(ctx)
}

// count enters a connection under its user or session and reports whether
// there is room for it.
func (s *Server) count(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, key, limit := s.uids, c.peer.UID, s.o.Limits.PerUID
	if c.peer.InSession {
		table, key, limit = s.session, c.peer.Session, s.o.Limits.PerSession
	}
	if table[key] >= limit {
		return false
	}
	table[key]++
	who := ownerOf(c.peer)
	if s.shares[who] == nil {
		s.shares[who] = newShare()
	}
	c.share = s.shares[who]
	c.share.conns++
	c.uncount = func() { // under s.mu
		if c.share.conns--; c.share.conns == 0 {
			delete(s.shares, who)
		}
		if table[key]--; table[key] == 0 {
			delete(table, key)
		}
	}
	return true
}

// tell logs a caller who gets no thread, and so no audit record: once a second
// at most, with the number of those left out.
func (s *Server) tell(p Peer, err error) {
	s.mu.Lock()
	now := time.Now()
	if now.Sub(s.told) < time.Second {
		s.untold++
		s.mu.Unlock()
		return
	}
	untold := s.untold
	s.told, s.untold = now, 0
	s.mu.Unlock()
	s.o.Logger.Warn("a caller is refused", "pid", p.PID, "uid", p.UID, "in-session", p.InSession, "session", p.Session, "err", err, "others", untold)
}

// refuse answers the first call of a connection that is not served with err,
// if the caller makes it at once, and there are not too many of its kind.
func (s *Server) refuse(c *conn, err error) {
	select {
	case s.polite <- struct{}{}:
		defer func() { <-s.polite }()
	default:
		return
	}
	c.nc.SetDeadline(time.Now().Add(2 * time.Second))
	r := wire.NewReader(c.nc, 4096)
	defer r.Close()
	q, readErr := r.ReadRequest()
	closePassed(q.Files)
	if readErr == nil {
		c.replyError(q.ID, "Hello", err)
	}
}

// drop forgets a connection that has ended.
func (s *Server) drop(c *conn) {
	c.nc.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.uncount != nil {
		c.uncount()
	}
}
