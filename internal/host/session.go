// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/station"
)

// Session is the place one session's processes live in. It implements
// station.HostSession.
type Session struct {
	h      *Host         // immutable
	rec    *record       // immutable once run has been called, but for State in finish
	holder *selfProc     // immutable after run
	conn   *wireConn     // immutable after run; to the holder
	done   chan struct{} // closed by watch when the session is gone

	mu     sync.Mutex
	lastID uint32              // guarded by mu
	calls  map[uint32]*call    // guarded by mu; requests under way
	procs  map[uint64]*Process // guarded by mu
	early  map[uint64]procMsg  // guarded by mu; ended before we knew of them
	broken error               // guarded by mu; why the holder cannot be asked any more
	ending bool                // guarded by mu
}

// call is one request under way.
type call struct {
	reply   chan *frame // buffered; closed without a frame when the connection breaks
	orphan  bool        // guarded by Session.mu; who asked has given up
	isSpawn bool        // immutable
}

var (
	_ station.HostSession = (*Session)(nil)
	_ station.HostProcess = (*Process)(nil)
)

// ID is the session's ID.
func (s *Session) ID() uint32 { return s.rec.ID }

// HolderPID is the holder's process ID on the host. Killing it ends the session.
func (s *Session) HolderPID() int { return s.rec.HolderPID }

// RuntimeDir is the private runtime directory of the session's owner, as seen
// inside.
func (s *Session) RuntimeDir() string { return s.RuntimeDirOf(s.rec.UID) }

// RuntimeDirOf is the runtime directory of another uid in the session. It
// exists once a program of that uid was started or a file written for it.
func (s *Session) RuntimeDirOf(uid uint32) string {
	if !s.rec.SwitchUID {
		uid = uint32(os.Geteuid())
	}
	return s.rec.Runtime + "/" + strconv.FormatUint(uint64(uid), 10)
}

// PublicPath is where programs of the session see Options.PublicDir, "" when
// there is none.
func (s *Session) PublicPath() string { return s.rec.Public }

// Done implements station.HostSession.
func (s *Session) Done() <-chan struct{} { return s.done }

// errGone is what calls on a session that has ended return.
func (s *Session) errGone() error {
	return fmt.Errorf("session %d has ended: %w", s.rec.ID, os.ErrProcessDone)
}

// read takes the holder's frames until the connection ends.
func (s *Session) read() {
	defer s.h.wg.Done()
	for {
		f, err := s.conn.recv()
		if err != nil {
			s.fail(fmt.Errorf("the holder of session %d cannot be reached: %w", s.rec.ID, err))
			return
		}
		s.dispatch(f)
	}
}

// dispatch routes one frame of the holder.
func (s *Session) dispatch(f *frame) {
	switch f.kind {
	case eventExit:
		var m procMsg
		if json.Unmarshal(f.body, &m) == nil {
			s.exited(m)
		}
		f.close()
		return
	case eventSpawned:
		var m spawnReply
		if json.Unmarshal(f.body, &m) == nil {
			s.addProcess(m.Proc, f.takeFD())
		}
		f.close()
		return
	}
	s.mu.Lock()
	c := s.calls[f.id]
	delete(s.calls, f.id)
	orphan := c != nil && c.orphan
	s.mu.Unlock()
	switch {
	case c != nil && !orphan:
		c.reply <- f
	case c != nil && c.isSpawn: // nobody waits for this program any more
		var m spawnReply
		if json.Unmarshal(f.body, &m) == nil && m.Err == nil {
			p := s.addProcess(m.Proc, f.takeFD())
			p.Signal(int(syscall.SIGKILL))
			s.h.wg.Add(1)
			go func() {
				defer s.h.wg.Done()
				select {
				case <-p.Done():
					p.Forget()
				case <-s.done:
				case <-s.h.closed:
				}
			}()
		}
		f.close()
	default:
		f.close()
	}
}

// fail makes every call, now and later, fail with err.
func (s *Session) fail(err error) {
	s.mu.Lock()
	if s.broken == nil {
		s.broken = err
	}
	calls := s.calls
	s.calls = map[uint32]*call{}
	s.mu.Unlock()
	for _, c := range calls {
		close(c.reply)
	}
}

// ask sends a request and decodes the answer into reply. The frame it returns
// holds the answer's descriptors; the caller closes it.
func (s *Session) ask(ctx context.Context, kind uint16, req any, fds []int, reply any) (*frame, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &call{reply: make(chan *frame, 1), isSpawn: kind == kindSpawn}
	s.mu.Lock()
	if s.broken != nil {
		err := s.broken
		s.mu.Unlock()
		return nil, s.reason(err)
	}
	s.lastID++
	id := s.lastID
	s.calls[id] = c
	s.mu.Unlock()
	if err := s.conn.send(id, kind, req, fds); err != nil {
		s.mu.Lock()
		delete(s.calls, id)
		s.mu.Unlock()
		return nil, s.reason(err)
	}
	select {
	case f, ok := <-c.reply:
		if !ok {
			s.mu.Lock()
			err := s.broken
			s.mu.Unlock()
			return nil, s.reason(err)
		}
		if err := json.Unmarshal(f.body, reply); err != nil {
			f.close()
			return nil, fmt.Errorf("the holder's answer cannot be read: %w", err)
		}
		return f, nil
	case <-ctx.Done():
		s.mu.Lock()
		c.orphan = true
		_, waiting := s.calls[id]
		s.mu.Unlock()
		if !waiting { // it came at the same moment
			if f, ok := <-c.reply; ok {
				f.kind = kind | kindReply
				s.mu.Lock()
				s.calls[f.id] = c
				s.mu.Unlock()
				s.dispatch(f)
			}
		}
		return nil, ctx.Err()
	}
}

// reason prefers to say that the session is gone.
func (s *Session) reason(err error) error {
	select {
	case <-s.done:
		return s.errGone()
	default:
	}
	if !pidfdFileAlive(s.holder.fd) {
		return s.errGone()
	}
	return err
}

// Spawn implements station.HostSession. A program whose start outlasts ctx is
// killed when it does start.
func (s *Session) Spawn(ctx context.Context, spec station.ProcessSpec) (station.HostProcess, error) {
	p, err := s.spawn(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s in session %d: %w", spec.Path, s.rec.ID, err)
	}
	return p, nil
}

func (s *Session) spawn(ctx context.Context, spec station.ProcessSpec) (*Process, error) {
	if err := s.h.checkUID(spec.UID); err != nil {
		return nil, err
	}
	m := spawnMsg{
		Path: []byte(spec.Path), Args: byteSlices(spec.Args), Env: byteSlices(spec.Env), Dir: []byte(spec.Dir),
		UID: spec.UID, GID: spec.GID, Groups: spec.Groups, Tag: []byte(spec.Tag),
	}
	if len(m.Args) == 0 {
		m.Args = [][]byte{m.Path}
	}
	var fds []int
	for _, f := range spec.Files {
		m.Files = append(m.Files, f != nil)
		if f != nil {
			// The number is borrowed until the frame is out; f stays blocking
			// or not as it was.
			rc, err := f.SyscallConn()
			if err != nil {
				return nil, err
			}
			dup := -1
			cerr := rc.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
			if err = errors.Join(cerr, err); err != nil {
				return nil, err
			}
			defer unix.Close(dup)
			fds = append(fds, dup)
		}
	}
	var reply spawnReply
	f, err := s.ask(ctx, kindSpawn, m, fds, &reply)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if reply.Err != nil {
		return nil, reply.Err
	}
	return s.addProcess(reply.Proc, f.takeFD()), nil
}

// addProcess enters a process; fd is its pidfd or -1 when it has ended.
func (s *Session) addProcess(m procMsg, fd int) *Process {
	p := newProcess(s, m, fd)
	s.mu.Lock()
	if have := s.procs[m.ID]; have != nil {
		s.mu.Unlock()
		p.release()
		if m.Ended {
			have.end(m)
		}
		return have
	}
	s.procs[m.ID] = p
	end, ended := s.early[m.ID]
	delete(s.early, m.ID)
	s.mu.Unlock()
	if ended {
		p.end(end)
	}
	return p
}

func (s *Session) exited(m procMsg) {
	s.mu.Lock()
	p := s.procs[m.ID]
	if p == nil {
		s.early[m.ID] = m
	}
	s.mu.Unlock()
	if p != nil {
		p.end(m)
	}
}

// Processes implements station.HostSession, oldest first.
func (s *Session) Processes() []station.HostProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Process, 0, len(s.procs))
	for _, p := range s.procs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *Process) int { return int(int64(a.id - b.id)) })
	out := make([]station.HostProcess, len(all))
	for i, p := range all {
		out[i] = p
	}
	return out
}

// WriteFile makes or replaces the file name in the private runtime directory
// of uid, with mode and owner, as one step. It returns the path inside the
// session. Nothing that the user puts in the way is followed.
func (s *Session) WriteFile(ctx context.Context, name string, data []byte, mode os.FileMode, uid, gid uint32) (string, error) {
	if err := s.h.checkUID(uid); err != nil {
		return "", fmt.Errorf("cannot write %s in session %d: %w", name, s.rec.ID, err)
	}
	var reply pathReply
	m := writeMsg{Name: []byte(name), Data: data, Mode: uint32(mode.Perm()), UID: uid, GID: gid}
	f, err := s.ask(ctx, kindWrite, m, nil, &reply)
	if err == nil {
		f.close()
		err = fromWire(reply.Err)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write %s in session %d: %w", name, s.rec.ID, err)
	}
	return string(reply.Path), nil
}

// Remove removes a file that WriteFile made, by its path inside; one that is
// gone is fine.
func (s *Session) Remove(ctx context.Context, path string) error {
	var reply pathReply
	f, err := s.ask(ctx, kindRemove, pathMsg{Path: []byte(path)}, nil, &reply)
	if err == nil {
		f.close()
		err = fromWire(reply.Err)
	}
	if err != nil {
		return fmt.Errorf("cannot remove %s in session %d: %w", path, s.rec.ID, err)
	}
	return nil
}

// Dial connects to the Unix stream socket at path, an absolute path as seen
// inside the session that leads over no symbolic link. It is refused with
// fs.ErrPermission when the process that listens there is not one of this
// session.
func (s *Session) Dial(ctx context.Context, path string) (net.Conn, error) {
	c, err := s.dial(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s in session %d: %w", path, s.rec.ID, err)
	}
	return c, nil
}

func (s *Session) dial(ctx context.Context, path string) (net.Conn, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		var reply pathReply
		f, err := s.ask(ctx, kindDial, pathMsg{Path: []byte(path)}, nil, &reply)
		if err != nil {
			return nil, err
		}
		err = fromWire(reply.Err)
		fd := f.takeFD()
		f.close()
		if errors.Is(err, syscall.EAGAIN) { // its backlog is full
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if fd < 0 {
			return nil, fmt.Errorf("the holder sent no socket: %w", syscall.EPROTO)
		}
		c, err := unixConnOf(fd)
		if err != nil {
			return nil, err
		}
		peer, err := s.h.Identify(c)
		if err == nil {
			peer.PIDFD.Close()
			if !peer.InSession || peer.Session != s.rec.ID {
				err = fmt.Errorf("process %d that listens there is not of this session: %w", peer.PID, fs.ErrPermission)
			}
		}
		if err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
}

// End implements station.HostSession.
func (s *Session) End(ctx context.Context) error {
	s.mu.Lock()
	first := !s.ending
	s.ending = true
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-s.h.closed:
		return fmt.Errorf("cannot end session %d: the host is closed: %w", s.rec.ID, os.ErrClosed)
	default:
	}
	if first {
		ending := *s.rec
		ending.State = stateEnding
		if err := s.h.writeRecord(&ending); err != nil {
			s.h.opts.Logger.Error("ending a session that cannot be journalled", "session", s.rec.ID, "err", err)
		}
		s.h.killSession(s.rec)
		s.holder.kill()
	}
	select {
	case <-s.done:
		return nil
	case <-s.h.closed:
		return fmt.Errorf("cannot end session %d: the host is closed: %w", s.rec.ID, os.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("cannot end session %d: %w", s.rec.ID, ctx.Err())
	}
}

// watch waits for the holder to end, by End or by accident, and removes what
// the session had.
func (s *Session) watch() {
	defer s.h.wg.Done()
	if s.holder.wait(context.Background()) != nil {
		return // detached
	}
	s.mu.Lock()
	expected := s.ending
	s.mu.Unlock()
	if !expected {
		s.h.opts.Logger.Warn("the holder of a session was killed: the session ends", "session", s.rec.ID, "holder", s.rec.HolderPID)
	}
	s.conn.close()
	s.fail(s.errGone())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.h.clean(ctx, s.rec); err != nil {
		s.h.opts.Logger.Error("cannot remove all of an ended session; the next start of the daemon tries again", "session", s.rec.ID, "err", err)
	}
	s.mu.Lock()
	var running []*Process
	for _, p := range s.procs {
		running = append(running, p)
	}
	s.mu.Unlock()
	for _, p := range running { // those whose end no holder could report any more
		p.end(procMsg{Ended: true, Code: 128 + int(syscall.SIGKILL), Signal: int(syscall.SIGKILL)})
	}
	s.h.leave(s)
	s.holder.close()
	close(s.done)
}

// detach lets go of the session and leaves it running.
func (s *Session) detach() {
	if s.conn == nil {
		return // about to start; run will see that the host is closed
	}
	s.holder.close()
	s.conn.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.procs {
		p.release()
	}
}

// pidfdFileAlive reports whether the process behind f runs.
func pidfdFileAlive(f *os.File) bool {
	rc, err := f.SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	rc.Control(func(fd uintptr) { alive = pidfdAlive(int(fd)) })
	return alive
}
