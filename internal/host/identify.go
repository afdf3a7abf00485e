// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Peer is who is at the other end of a Unix socket, as the kernel says.
type Peer struct {
	Session   uint32 // valid if InSession
	InSession bool
	PID       int    // on the host
	StartTime uint64 // clock ticks since boot
	UID       uint32 // effective when it connected, or listened
	GID       uint32
	PIDFD     *os.File // the caller closes it
}

// Identify says which process called, and in which session it lives. Nothing
// the process says itself is used: the kernel gives a pidfd of whoever
// connected, and the pidfd's cgroup or PID namespace belongs to one session,
// also for a program that has forked twice and changed its parent. It must be
// called right after accept. A caller that has ended already is an error that
// is os.ErrProcessDone.
func (h *Host) Identify(c *net.UnixConn) (Peer, error) {
	p, err := h.identify(c)
	if err != nil {
		if p.PIDFD != nil {
			p.PIDFD.Close()
		}
		return Peer{}, fmt.Errorf("cannot identify a caller: %w", err)
	}
	return p, nil
}

func (h *Host) identify(c *net.UnixConn) (Peer, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var (
		cred  *unix.Ucred
		pidfd = -1
	)
	cerr := rc.Control(func(fd uintptr) {
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		if h.peerPidfd {
			pidfd, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
			return
		}
		pidfd, err = peerByNumber(int(fd), cred)
	})
	if err = errors.Join(cerr, err); err != nil {
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENODATA) {
			err = fmt.Errorf("%w (%w)", os.ErrProcessDone, err)
		}
		return Peer{}, err
	}
	p := Peer{UID: cred.Uid, GID: cred.Gid, PIDFD: os.NewFile(uintptr(pidfd), "pidfd")}
	cgroup, err := h.describe(&p, pidfd)
	if err != nil {
		return p, err
	}
	s := h.sessionOf(cgroup, pidfd, p.PID)
	if !pidfdAlive(pidfd) { // then what /proc said may be of another
		return p, os.ErrProcessDone
	}
	if s != nil {
		p.InSession, p.Session = true, s.rec.ID
	}
	return p, nil
}

// peerByNumber opens a pidfd of the peer from its number. A reused number is
// told apart: the peer must still have the connection open after that, and
// have the uid the socket remembers.
func peerByNumber(fd int, cred *unix.Ucred) (int, error) {
	pidfd, err := unix.PidfdOpen(int(cred.Pid), 0)
	if err != nil {
		return -1, err
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	_, err = unix.Poll(poll, 0)
	var st unix.Stat_t
	serr := unix.Stat("/proc/"+strconv.Itoa(int(cred.Pid)), &st)
	if err != nil || serr != nil || poll[0].Revents&(unix.POLLHUP|unix.POLLRDHUP) != 0 || !pidfdAlive(pidfd) {
		unix.Close(pidfd)
		return -1, unix.ESRCH
	}
	// An undumpable process belongs to root there, which proves nothing.
	if st.Uid != cred.Uid && st.Uid != 0 {
		unix.Close(pidfd)
		return -1, unix.ESRCH
	}
	return pidfd, nil
}

// describe fills in PID and start time and returns the cgroup ID, 0 when
// unknown.
func (h *Host) describe(p *Peer, pidfd int) (cgroup uint64, err error) {
	if h.pidfdInfo {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_PID | unix.PIDFD_INFO_CGROUPID}
		if err := unix.IoctlPidfdInfo(pidfd, &info); err != nil {
			if err == unix.ESRCH {
				err = os.ErrProcessDone
			}
			return 0, err
		}
		p.PID = int(info.Pid)
		if info.Mask&unix.PIDFD_INFO_CGROUPID != 0 {
			cgroup = info.Cgroupid
		}
	} else {
		pid, ok := pidOfPidfd("/proc", pidfd)
		if !ok {
			return 0, os.ErrProcessDone
		}
		p.PID = pid
		cgroup = h.cgroupByProc(pid)
	}
	st, err := readStat("/proc", p.PID)
	if err != nil {
		return 0, fmt.Errorf("%w (%w)", os.ErrProcessDone, err)
	}
	p.StartTime = st.start
	return cgroup, nil
}

// cgroupByProc reads the inode of a process's v2 group. The caller checks
// afterwards that the process still runs.
func (h *Host) cgroupByProc(pid int) uint64 {
	if h.trees.v2 == "" {
		return 0
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			// The path counts from the root of the tree; ours from the mount.
			for _, base := range []string{h.trees.v2mount, h.trees.v2} {
				if ino := inode(filepath.Join(base, path)); ino != 0 {
					return ino
				}
			}
		}
	}
	return 0
}

// sessionOf finds the session by cgroup, else by the PID namespace or one
// above it, else, where sessions have neither, by the holder among the
// ancestors.
func (h *Host) sessionOf(cgroup uint64, pidfd, pid int) *Session {
	h.mu.Lock()
	s := h.cgroups[cgroup]
	h.mu.Unlock()
	if s != nil && cgroup != 0 {
		return s
	}
	if s := h.sessionByNamespace(pidfd, pid); s != nil {
		return s
	}
	return h.sessionByAncestor(pid)
}

func (h *Host) sessionByNamespace(pidfd, pid int) *Session {
	fd := -1
	var err error
	if h.pidfdNS {
		fd, err = unix.IoctlRetInt(pidfd, unix.PIDFD_GET_PID_NAMESPACE)
	} else {
		fd, err = unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	for range 33 { // the kernel nests at most 32
		if err != nil {
			return nil
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			break
		}
		h.mu.Lock()
		s := h.pidns[st.Ino]
		h.mu.Unlock()
		if s != nil {
			unix.Close(fd)
			return s
		}
		var up int
		up, err = unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		unix.Close(fd)
		fd = up
	}
	return nil
}

// sessionByAncestor serves the levels without namespaces.
func (h *Host) sessionByAncestor(pid int) *Session {
	h.mu.Lock()
	byHolder := map[int]*Session{}
	for _, s := range h.sessions {
		if s.holder != nil && s.rec.PIDNS == 0 {
			byHolder[s.rec.HolderPID] = s
		}
	}
	h.mu.Unlock()
	if len(byHolder) == 0 {
		return nil
	}
	for _, a := range slices.Concat([]int{pid}, Ancestors(pid)) {
		if s := byHolder[a]; s != nil {
			return s
		}
	}
	return nil
}
