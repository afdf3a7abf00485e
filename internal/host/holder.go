// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	holderVerb = "holder"         // hidden verb of the binary
	holderEnv  = "STATION_HOLDER" // set for a holder, so that a binary that does not know the verb cannot start itself over and over

	// idleAfter is long enough that a busy holder does not collect all the time.
	idleAfter = 300 * time.Millisecond

	fdListen = 3 // listening socket, or /dev/null where there is none
	fdParent = 4 // connection to the daemon that started the holder
)

// IsHolder reports whether this process was started as a holder; args is
// os.Args. It must be asked first thing in main, and in TestMain of a test
// binary that uses this package; HolderMain then does the work.
func IsHolder(args []string) bool {
	return len(args) >= 3 && args[1] == holderVerb && os.Getenv(holderEnv) != ""
}

// deadly are the signals that would end or stop a Go program that does not ask
// for them. The runtime catches and drops all others by itself. Asking for each
// of the 62 would take most of a millisecond: the runtime hands every one to
// another thread and waits for it.
var deadly = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS,
	syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGSTKFLT, syscall.SIGTSTP, syscall.SIGTTIN,
	syscall.SIGTTOU, syscall.SIGSYS,
}

// HolderMain is the whole life of a holder; args is os.Args. It returns the
// exit code of the process. As PID 1 of a session its end is the session's.
func HolderMain(args []string) int {
	os.Unsetenv(holderEnv)
	// No program may inherit what the daemon forgot to close.
	if err := unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		for fd := 3; fd < 256; fd++ {
			unix.CloseOnExec(fd)
		}
	}
	unix.Umask(0o022)
	resetIgnored()
	// Programs of the session may be able to signal us. Everything is caught
	// and dropped; unlike ignoring, that is not inherited by exec.
	signal.Notify(make(chan os.Signal, 1), deadly...)

	conn, err := newWireConn(fdParent)
	if err != nil {
		fmt.Fprintf(os.Stderr, "station holder: cannot reach the daemon: %v\n", err)
		return 1
	}
	if args[2] == "reserve" {
		return reserverMain(conn)
	}
	// Nobody of the same uid may trace us or open our descriptors.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintf(os.Stderr, "station holder: cannot become undumpable: %v\n", err)
		return 1
	}
	hd := &holder{procs: map[uint64]*heldProc{}, byPID: map[int]*heldProc{}, forks: make(chan *forkJob),
		idle: time.AfterFunc(idleAfter, debug.FreeOSMemory)}
	if err = hd.run(conn); !hd.setup.Trial {
		fmt.Fprintf(os.Stderr, "station holder: %s: %v\n", args[2], err)
	}
	return 1
}

// holder is the state of one session's holder.
type holder struct {
	setup    setupMsg  // immutable after run's beginning, like all up to forks
	runtime  string    // directory of the runtime directories, such as /run/user
	public   string    // where setup.Public is seen
	features []Feature // what only the inside can know
	hostProc int       // directory of the host's procfs
	hostPID  int       // our number there
	cgroup   int       // directory programs are born into; -1 for none
	tasks    []int     // v1 tasks files the spawner thread joins
	null     int       // /dev/null
	uid      uint32    // the daemon's uid as we see it
	forks    chan *forkJob
	idle     *time.Timer // gives memory back when nothing has been asked for a while

	// forkMu is held from a fork until its record exists, and by the reaper:
	// a program cannot be reaped before its host PID is known.
	forkMu sync.Mutex

	mu     sync.Mutex
	conn   *wireConn            // guarded by mu; the daemon, nil while there is none
	lastID uint64               // guarded by mu
	procs  map[uint64]*heldProc // guarded by mu; until Forget
	byPID  map[int]*heldProc    // guarded by mu; running ones by PID in our namespace
}

// run serves until something ends the session; it always returns why.
func (hd *holder) run(conn *wireConn) error {
	hd.uid = uint32(os.Getuid())
	f, err := conn.recv()
	if err != nil {
		return fmt.Errorf("cannot read the set-up: %w", err)
	}
	id := f.id
	err = hd.begin(f)
	reply := setupReply{Err: toWire(err), Version: protoVersion, Runtime: []byte(hd.runtime), PublicDir: []byte(hd.public), Features: hd.features}
	if serr := conn.send(id, kindSetup|kindReply, reply, nil); serr != nil {
		return serr
	}
	if err != nil {
		return err
	}
	// Until the daemon has written the session down, its end is ours.
	if f, err = conn.recv(); err != nil {
		return fmt.Errorf("the daemon went away before the session was recorded: %w", err)
	}
	f.close()
	if f.kind != kindCommit {
		return fmt.Errorf("got frame %#x instead of a commit", f.kind)
	}
	if err := conn.send(f.id, kindCommit|kindReply, pathReply{}, nil); err != nil {
		return err
	}
	lf := os.NewFile(fdListen, "listener")
	l, err := net.FileListener(lf)
	lf.Close()
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	hd.setConn(conn)
	go hd.serve(conn)
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) {
				time.Sleep(100 * time.Millisecond)
				continue
			}
			return err
		}
		go hd.welcome(&wireConn{c: c.(*net.UnixConn)})
	}
}

// begin makes the session from the set-up frame and starts the spawner thread.
func (hd *holder) begin(f *frame) error {
	defer f.close()
	if f.kind != kindSetup {
		return fmt.Errorf("got frame %#x instead of a set-up: %w", f.kind, syscall.EPROTO)
	}
	if err := json.Unmarshal(f.body, &hd.setup); err != nil {
		return fmt.Errorf("cannot read the set-up: %w", err)
	}
	m := &hd.setup
	hd.cgroup = -1
	if m.Cgroup {
		hd.cgroup = f.takeFD()
	}
	for range m.Tasks {
		hd.tasks = append(hd.tasks, f.takeFD())
	}
	var err error
	if hd.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("cannot open /dev/null: %w", err)
	}
	if err := hd.enterSession(); err != nil {
		return err
	}
	if m.Reserve > 0 {
		_, failed := bindXNames(m.Reserve)
		if len(failed) > 0 {
			return fmt.Errorf("cannot reserve the abstract names of X displays %v in a new network namespace", failed)
		}
	}
	if _, err := hd.ensureRuntime(m.UID, m.GID); err != nil {
		return err
	}
	ready := make(chan error)
	go hd.spawner(ready)
	if err := <-ready; err != nil {
		return err
	}
	if m.Trial {
		if err := hd.tryFork(); err != nil {
			return err
		}
	}
	chld := make(chan os.Signal, 1)
	signal.Notify(chld, syscall.SIGCHLD)
	go func() {
		for range chld {
			hd.reap()
		}
	}()
	return nil
}

// welcome checks who connects. Only the daemon's uid outside our PID namespace
// that knows the key is let in; the newest daemon replaces the one before, so
// that a hung one cannot lock its successor out (the daemon's own lock on its
// directory keeps two from running).
func (hd *holder) welcome(c *wireConn) {
	c.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := hd.checkPeer(c); err != nil {
		fmt.Fprintf(os.Stderr, "station holder: session %d: refused a connection: %v\n", hd.setup.ID, err)
		c.close()
		return
	}
	f, err := c.recv()
	if err != nil {
		c.close()
		return
	}
	f.close()
	var hello helloMsg
	if f.kind != kindHello || json.Unmarshal(f.body, &hello) != nil || len(hd.setup.Key) == 0 ||
		subtle.ConstantTimeCompare(hello.Key, hd.setup.Key) != 1 {
		c.send(f.id, kindHello|kindReply, helloReply{Err: toWire(fmt.Errorf("hello refused: %w", syscall.EACCES))}, nil)
		c.close()
		return
	}
	c.c.SetReadDeadline(time.Time{})
	hd.setConn(c) // before the reply: no event after it may be missed
	if c.send(f.id, kindHello|kindReply, helloReply{Version: protoVersion, ID: hd.setup.ID}, nil) != nil {
		return
	}
	hd.serve(c)
}

func (hd *holder) checkPeer(c *wireConn) error {
	rc, err := c.c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	cerr := rc.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(cerr, err); err != nil {
		return err
	}
	if cred.Uid != hd.uid {
		return fmt.Errorf("uid %d", cred.Uid)
	}
	if hd.setup.Namespaces && cred.Pid != 0 { // ours have a number here, the daemon has none
		return fmt.Errorf("process %d of this session", cred.Pid)
	}
	return nil
}

func (hd *holder) setConn(c *wireConn) {
	hd.mu.Lock()
	old := hd.conn
	hd.conn = c
	hd.mu.Unlock()
	if old != nil && old != c {
		old.close()
	}
}

// serve answers one daemon until it goes away.
func (hd *holder) serve(c *wireConn) {
	for {
		f, err := c.recv()
		if err != nil {
			break
		}
		switch f.kind {
		case kindSpawn, kindDial: // may take their time
			go hd.answer(c, f)
		default:
			hd.answer(c, f)
		}
	}
	hd.mu.Lock()
	if hd.conn == c {
		hd.conn = nil
	}
	hd.mu.Unlock()
	c.close()
}

// answer does one request and takes f's descriptors.
func (hd *holder) answer(c *wireConn, f *frame) {
	defer hd.idle.Reset(idleAfter)
	defer f.close()
	var (
		reply any
		fds   []int // closed after sending
	)
	switch f.kind {
	case kindSpawn:
		hd.answerSpawn(c, f)
		return
	case kindList:
		var m listMsg
		if err := json.Unmarshal(f.body, &m); err != nil {
			reply = listReply{Err: toWire(err)}
			break
		}
		reply, fds = hd.list(m.After)
	case kindForget:
		var m forgetMsg
		err := json.Unmarshal(f.body, &m)
		if err == nil {
			err = hd.forget(m.ID)
		}
		reply = pathReply{Err: toWire(err)}
	case kindWrite:
		var m writeMsg
		var path string
		err := json.Unmarshal(f.body, &m)
		if err == nil {
			path, err = hd.writeFile(&m)
		}
		reply = pathReply{Err: toWire(err), Path: []byte(path)}
	case kindRemove:
		var m pathMsg
		err := json.Unmarshal(f.body, &m)
		if err == nil {
			err = hd.removeFile(string(m.Path))
		}
		reply = pathReply{Err: toWire(err)}
	case kindDial:
		var m pathMsg
		err := json.Unmarshal(f.body, &m)
		if err == nil {
			var fd int
			if fd, err = dialInside(string(m.Path)); err == nil {
				fds = []int{fd}
			}
		}
		reply = pathReply{Err: toWire(err)}
	default:
		reply = pathReply{Err: toWire(fmt.Errorf("unknown request %#x: %w", f.kind, syscall.ENOSYS))}
	}
	c.send(f.id, f.kind|kindReply, reply, fds)
	closeFDs(fds)
}

// list gives the processes whose ID is above after, in ascending order, with a
// copy of the pidfd of each running one.
func (hd *holder) list(after uint64) (listReply, []int) {
	hd.mu.Lock()
	defer hd.mu.Unlock()
	var (
		out listReply
		fds []int
	)
	for id := after + 1; id <= hd.lastID; id++ {
		p := hd.procs[id]
		if p == nil {
			continue
		}
		if len(out.Procs) == listPage {
			out.More = true
			break
		}
		msg, fd := p.message()
		if fd >= 0 {
			fds = append(fds, fd)
		}
		out.Procs = append(out.Procs, msg)
	}
	return out, fds
}

// forget drops the record of an ended process.
func (hd *holder) forget(id uint64) error {
	hd.mu.Lock()
	defer hd.mu.Unlock()
	p := hd.procs[id]
	if p == nil {
		return nil
	}
	if !p.ended {
		return fmt.Errorf("process %d has not ended: %w", p.pid, syscall.EBUSY)
	}
	delete(hd.procs, id)
	return nil
}
