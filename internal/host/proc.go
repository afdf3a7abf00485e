// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procStat is what /proc/PID/stat says of a process.
type procStat struct {
	state byte
	ppid  int
	start uint64 // clock ticks since boot
}

// readStat reads stat of pid below proc, the mount point of a procfs.
func readStat(proc string, pid int) (procStat, error) {
	b, err := os.ReadFile(proc + "/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	return parseStat(b)
}

// parseStat finds the fields behind the command name, which may hold blanks
// and parentheses itself: only the last ")" ends it.
func parseStat(b []byte) (procStat, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return procStat{}, fmt.Errorf("cannot read a process's stat: no command name in %q", b)
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 20 {
		return procStat{}, fmt.Errorf("cannot read a process's stat: %d fields", len(f))
	}
	ppid, err1 := strconv.Atoi(string(f[1]))
	start, err2 := strconv.ParseUint(string(f[19]), 10, 64)
	if err1 != nil || err2 != nil {
		return procStat{}, fmt.Errorf("cannot read a process's stat: %q", b)
	}
	return procStat{state: f[0][0], ppid: ppid, start: start}, nil
}

// Ancestors lists the parent of pid, its parent and so on, up to PID 1. It ends
// early where a process went away meanwhile; a reused number is told apart by
// its start time, as nobody is older than his parent.
func Ancestors(pid int) []int {
	var out []int
	st, err := readStat("/proc", pid)
	for err == nil && st.ppid > 0 {
		parent, perr := readStat("/proc", st.ppid)
		again, aerr := readStat("/proc", pid)
		if perr != nil || aerr != nil || again.ppid != st.ppid || again.start != st.start || parent.start > st.start {
			break
		}
		out = append(out, st.ppid)
		pid, st = st.ppid, parent
	}
	return out
}

// pidOfPidfd asks the fdinfo of a pidfd for the process's number as the procfs
// mounted at proc counts. ok is false once the process was reaped.
func pidOfPidfd(proc string, fd int) (pid int, ok bool) {
	b, err := os.ReadFile(proc + "/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, false
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, found := strings.CutPrefix(line, "Pid:"); found {
			pid, err := strconv.Atoi(strings.TrimSpace(v))
			return pid, err == nil && pid > 0
		}
	}
	return 0, false
}

// pidfdAlive reports whether the process behind fd has not ended yet.
func pidfdAlive(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, 0)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n == 0
	}
}

// openPidfd opens a pidfd of pid if it is still the process that started at
// start; fs.ErrNotExist otherwise.
func openPidfd(pid int, start uint64) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		if err == unix.ESRCH {
			return -1, fs.ErrNotExist
		}
		return -1, os.NewSyscallError("pidfd_open", err)
	}
	st, err := readStat("/proc", pid)
	if err != nil || st.start != start || !pidfdAlive(fd) {
		unix.Close(fd)
		return -1, fs.ErrNotExist
	}
	return fd, nil
}

// inode gives the inode number of path, 0 when there is none.
func inode(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// bootID tells one boot of the machine from the next.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// unixConnOf wraps a connected Unix socket; it takes fd over.
func unixConnOf(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close() // FileConn works on a copy
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("cannot use descriptor %d: no Unix socket", fd)
	}
	return u, nil
}

// listenUnix makes a listening socket at path. It goes through the directory's
// descriptor, as a socket's path may only have 107 bytes.
func listenUnix(path string) (*os.File, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	addr := &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))}
	if err = unix.Bind(fd, addr); err == nil {
		if err = os.Chmod(path, 0o600); err == nil {
			err = unix.Listen(fd, 16)
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "listen", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// dialUnix connects to the socket at path, however long the path is.
func dialUnix(path string) (*wireConn, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{
		Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))})
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", path, err)
	}
	return &wireConn{c: c}, nil
}

// socketPair makes the first connection to a new holder: ours, and the end the
// child inherits.
func socketPair() (*wireConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	w, err := newWireConn(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return w, os.NewFile(uintptr(fds[1]), "holder"), nil
}
