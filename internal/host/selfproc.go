// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selfSpec says how to start this binary again under the holder verb.
type selfSpec struct {
	args   []string // behind the verb
	conn   *os.File // becomes fdParent
	listen *os.File // becomes fdListen; nil: /dev/null
	setup  *setupMsg
	cgroup *os.File // born there; nil: nowhere special
}

// selfProc is a started holder or reserver.
type selfProc struct {
	pid   int    // immutable, like all here
	start uint64 // 0 when it ended before it could be read
	fd    *os.File
	child bool // of this daemon, so we must reap it
}

// ambient is what a holder needs in its user namespace: exec would take it
// from a uid other than 0. The spawner thread clears it again.
var ambient = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}

// spawnSelf starts this binary as a holder.
func (h *Host) spawnSelf(s selfSpec) (*selfProc, error) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	errs := h.holderLog
	if errs == nil {
		errs = null
	}
	listen := s.listen
	if listen == nil {
		listen = null
	}
	pidfd := -1
	sys := &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd}
	if m := s.setup; m != nil {
		if m.Namespaces {
			sys.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID
			if m.OwnNetwork {
				sys.Cloneflags |= syscall.CLONE_NEWNET
			}
		}
		if m.UserNS {
			sys.Cloneflags |= syscall.CLONE_NEWUSER
			sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
			sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
			sys.AmbientCaps = ambient
		}
	}
	if s.cgroup != nil {
		sys.UseCgroupFD, sys.CgroupFD = true, int(s.cgroup.Fd())
	}
	// One P, a small heap: a holder has little to do and there are many.
	env := []string{holderEnv + "=1", "GOMAXPROCS=1", "GOGC=50", "PATH=/usr/local/bin:/usr/bin:/bin"}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "GORACE=") || strings.HasPrefix(e, "GOCOVERDIR=") {
			env = append(env, e)
		}
	}
	argv := append([]string{"station", holderVerb}, s.args...)
	pid, _, err := syscall.StartProcess(h.opts.Executable, argv, &syscall.ProcAttr{
		Dir: "/", Env: env, Sys: sys,
		Files: []uintptr{null.Fd(), null.Fd(), errs.Fd(), listen.Fd(), s.conn.Fd()},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot start %s %s: %w", h.opts.Executable, strings.Join(argv[1:], " "), err)
	}
	if pidfd < 0 {
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
		return nil, fmt.Errorf("cannot watch a holder: the kernel gives no pidfd: %w", syscall.ENOSYS)
	}
	p := &selfProc{pid: pid, fd: pidfdFile(pidfd), child: true}
	if st, err := readStat("/proc", pid); err == nil {
		p.start = st.start
	}
	return p, nil
}

// reopen takes over a holder that an earlier daemon started; fs.ErrNotExist if
// it is gone.
func reopen(pid int, start uint64) (*selfProc, error) {
	fd, err := openPidfd(pid, start)
	if err != nil {
		return nil, err
	}
	return &selfProc{pid: pid, start: start, fd: pidfdFile(fd)}, nil
}

func (p *selfProc) kill() { p.signal(syscall.SIGKILL) }

func (p *selfProc) signal(sig syscall.Signal) error { return signalPidfd(p.fd, sig) }

// wait returns when the process has ended, and reaps it if it is ours. It
// returns early with an error when ctx ends or the descriptor is closed.
func (p *selfProc) wait(ctx context.Context) error {
	if err := waitExit(ctx, p.fd); err != nil {
		return err
	}
	if p.child {
		for {
			if _, err := syscall.Wait4(p.pid, nil, 0, nil); err != syscall.EINTR {
				break
			}
		}
	}
	return nil
}

func (p *selfProc) close() { p.fd.Close() }

// pidfdFile puts fd under the runtime's poller, so that waiting needs no
// thread.
func pidfdFile(fd int) *os.File {
	unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), "pidfd")
}

// waitExit waits for the process behind f to end.
func waitExit(ctx context.Context, f *os.File) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			f.SetReadDeadline(time.Time{})
		}
	}()
	err = rc.Read(func(fd uintptr) bool { return !pidfdAlive(int(fd)) })
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// signalPidfd signals the process behind f; os.ErrProcessDone once it ended.
func signalPidfd(f *os.File, sig syscall.Signal) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := rc.Control(func(fd uintptr) { serr = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(serr, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return serr
}
