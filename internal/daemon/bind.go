// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// Accounts gives the tokens of callers from outside every session.
type Accounts interface {
	// NetworkToken makes a network logon of the account whose Linux user uid
	// is; ok is false when there is no such account.
	NetworkToken(uid uint32) (tok *security.Token, ok bool, err error)
}

// EngineBinder binds connections to threads of an engine by what the kernel
// says about the caller, never by what the caller says.
//
// Inside a session the engine finds the process by its pid, or by its nearest
// known ancestor. Outside, root and the user the daemon runs as are the
// operator and act as LocalSystem: whoever runs the daemon is the system. The
// Linux user of an account acts as that account, logged on over the network,
// and anybody else as the Unix user's SID with Everyone and NETWORK only.
// Neither has a window station.
type EngineBinder struct {
	engine    *station.Engine
	accounts  Accounts
	ancestors func(pid int) []int
	log       *slog.Logger
	uid       uint32 // the daemon's own
	// All of the above is immutable.

	work sync.WaitGroup

	mu      sync.Mutex
	watched map[process]*os.File // guarded by mu: pidfds of processes the engine did not start
	owners  map[owner]int        // guarded by mu: how many of them each has
	closed  bool                 // guarded by mu
}

// maxWatched is how many processes of one session, or of one Linux user
// outside, are known by their calls alone: each costs a descriptor while it
// lives.
const maxWatched = 2048

// owner is a session, or a Linux user outside of sessions.
type owner struct {
	inSession bool
	id        uint32
}

func ownerOf(p Peer) owner {
	if p.InSession {
		return owner{true, p.Session}
	}
	return owner{false, p.UID}
}

// process tells a process apart from a later one with the same number.
type process struct {
	pid   int
	start uint64
}

// NewEngineBinder makes a binder. ancestors lists the parents of a process,
// nearest first (host.Ancestors). Close ends its goroutines.
func NewEngineBinder(e *station.Engine, a Accounts, ancestors func(pid int) []int, log *slog.Logger) *EngineBinder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &EngineBinder{engine: e, accounts: a, ancestors: ancestors, log: log, uid: uint32(os.Geteuid()), watched: map[process]*os.File{}, owners: map[owner]int{}}
}

// Attach gives the thread of a connection.
//
// Rules: HND-12.
func (b *EngineBinder) Attach(p Peer) (*station.Thread, error) {
	spec := station.AttachSpec{PID: p.PID, StartTime: p.StartTime, Session: p.Session, InSession: p.InSession, UID: p.UID, HasUID: true}
	if p.InSession {
		spec.Ancestors = b.ancestors(p.PID)
	} else {
		var err error
		if spec.Fallback, spec.NoStation, err = b.outside(p); err != nil {
			return nil, err
		}
	}
	spec.Program, spec.Args = commandOf(p.PID)
	t, err := b.engine.AttachThread(spec)
	if err != nil {
		return nil, err
	}
	if t.Process().Forked() && !b.watch(p) {
		t.Detach()
		if t.Process().Threads() == 0 {
			b.engine.ForgetProcess(p.PID, p.StartTime)
		}
		return nil, &win32.Error{Op: "AttachThread", Object: "processes that call", Code: win32.ERROR_NOT_ENOUGH_QUOTA}
	}
	return t, nil
}

// outside gives the token of a caller from outside every session.
func (b *EngineBinder) outside(p Peer) (tok *security.Token, noStation bool, err error) {
	if p.UID == 0 || p.UID == b.uid {
		return security.SystemToken(0), false, nil
	}
	if b.accounts != nil {
		tok, ok, err := b.accounts.NetworkToken(p.UID)
		if err != nil {
			return nil, false, fmt.Errorf("cannot log Linux user %d on: %w", p.UID, err)
		}
		if ok {
			return tok, true, nil
		}
	}
	return b.stranger(p.UID), true, nil
}

// stranger makes the token of a Linux user who has no account here.
func (b *EngineBinder) stranger(uid uint32) *security.Token {
	sid := security.UnixUserSID(uid)
	on := security.GroupMandatory | security.GroupEnabledByDefault | security.GroupEnabled
	return security.NewToken(security.TokenSpec{
		ID:               b.engine.AllocateLUID(),
		AuthenticationID: b.engine.AllocateLUID(),
		Type:             security.TokenPrimary,
		User:             sid,
		Groups:           []security.Group{{SID: security.Everyone, Attributes: on}, {SID: security.Network, Attributes: on}},
		Owner:            sid,
		PrimaryGroup:     sid,
		Integrity:        security.LevelLow,
	})
}

// Detach ends a connection's thread.
func (b *EngineBinder) Detach(t *station.Thread, p Peer) { t.Detach() }

// Malformed leaves an audit record about a caller that broke the wire's rules.
func (b *EngineBinder) Malformed(t *station.Thread, p Peer, why error) {
	_ = t.Refuse("Frame", fmt.Sprintf("pid %d", p.PID), win32.ERROR_INVALID_PARAMETER, "HND-12", why.Error())
}

// watch waits for the end of a process that the engine did not start: nobody
// else would tell the engine. It reports false when there are too many of them.
func (b *EngineBinder) watch(p Peer) bool {
	key, who := process{p.PID, p.StartTime}, ownerOf(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.watched[key] != nil {
		return true
	}
	if b.owners[who] >= maxWatched {
		return false
	}
	f, err := pidfd(p)
	if errors.Is(err, syscall.ESRCH) {
		b.engine.ForgetProcess(p.PID, p.StartTime)
		return true // its connection ends by itself
	}
	if err != nil {
		b.log.Warn("cannot watch a process that calls", "pid", p.PID, "err", err)
		return false
	}
	b.watched[key] = f
	b.owners[who]++
	b.work.Go(func() {
		ended := waitPidfd(f)
		b.mu.Lock()
		delete(b.watched, key)
		if b.owners[who]--; b.owners[who] == 0 {
			delete(b.owners, who)
		}
		b.mu.Unlock()
		f.Close()
		if ended {
			b.engine.ForgetProcess(p.PID, p.StartTime)
		}
	})
	return true
}

// Close ends the watching. The engine keeps its records.
func (b *EngineBinder) Close() {
	b.mu.Lock()
	b.closed = true
	for _, f := range b.watched {
		f.Close()
	}
	b.mu.Unlock()
	b.work.Wait()
}

// pidfd gives a pidfd of our own that the runtime's poller can wait on. The
// peer is still connected or has just been, so its number names it or nobody;
// a pidfd from the identifier is preferred because it cannot be anybody else.
func pidfd(p Peer) (*os.File, error) {
	fd := -1
	var err error
	if p.PIDFD != nil {
		rc, cerr := p.PIDFD.SyscallConn()
		if cerr != nil {
			return nil, cerr
		}
		cerr = rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
		err = errors.Join(cerr, err)
	} else {
		fd, err = unix.PidfdOpen(p.PID, 0)
	}
	if err != nil {
		return nil, err
	}
	// The flag belongs to the open file, which may be shared with the
	// identifier's descriptor: that one is only polled too.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// waitPidfd waits until the process ended, and gives false when the file was
// closed before.
func waitPidfd(f *os.File) bool {
	rc, err := f.SyscallConn()
	if err != nil {
		return false
	}
	ended := false
	err = rc.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		ended = err == nil && n == 1
		return ended
	})
	return err == nil && ended
}

// commandOf reads what a process runs, for listings only.
func commandOf(pid int) (program string, args []string) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	program, _ = os.Readlink(filepath.Join(dir, "exe"))
	b, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	if len(b) > 64<<10 {
		b = b[:64<<10]
	}
	for _, a := range bytes.Split(bytes.TrimSuffix(b, []byte{0}), []byte{0}) {
		args = append(args, string(a))
	}
	return program, args
}
