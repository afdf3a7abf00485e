// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attack is one row: run returns nil when the attack succeeded.
type attack struct {
	name string
	run  func(v *victimInfo) error
}

// attackerMain reads where the victim's things are, tries every row and says
// which succeeded.
func attackerMain() int {
	runtime.LockOSThread() // ptrace is per thread
	var v victimInfo
	if err := json.NewDecoder(os.Stdin).Decode(&v); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out := map[string]string{}
	for _, a := range attacks {
		err := a.run(&v)
		if err == nil {
			out[a.name] = ""
		} else {
			out[a.name] = err.Error()
		}
	}
	json.NewEncoder(os.Stdout).Encode(out)
	return 0
}

var errNotFound = errors.New("not found")

func wantSecret(b []byte, err error) error {
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte(secret)) {
		return fmt.Errorf("no secret in %d bytes", len(b))
	}
	return nil
}

func proc(v *victimInfo, name string) string { return fmt.Sprintf("/proc/%d/%s", v.PID, name) }

func readSecret(path string) error { return wantSecret(os.ReadFile(path)) }

func dialSecret(network, addr string) error {
	c, err := net.DialTimeout(network, addr, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	return wantSecret(io.ReadAll(c))
}

// victimPidfd opens the victim by its number; another process of that number
// does not count.
func victimPidfd(v *victimInfo) (int, error) { return unix.PidfdOpen(v.PID, 0) }

var attacks = []attack{
	{"see its command line in /proc", func(v *victimInfo) error {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range all {
			b, _ := os.ReadFile(f)
			if bytes.Contains(b, []byte("victim\x00"+v.Nonce)) {
				return nil
			}
		}
		return errNotFound
	}},
	{"read /proc/V/environ", func(v *victimInfo) error { return readSecret(proc(v, "environ")) }},
	{"read /proc/V/mem", func(v *victimInfo) error {
		f, err := os.Open(proc(v, "mem"))
		if err != nil {
			return err
		}
		defer f.Close()
		b := make([]byte, 64)
		_, err = f.ReadAt(b, int64(v.Addr))
		return wantSecret(b, err)
	}},
	{"go through /proc/V/root", func(v *victimInfo) error { return readSecret(proc(v, "root") + v.File) }},
	{"open /proc/V/fd", func(v *victimInfo) error { return readSecret(proc(v, "fd/"+strconv.Itoa(v.FD))) }},
	{"open its namespaces", func(v *victimInfo) error {
		_, err := os.Readlink(proc(v, "ns/mnt"))
		return err
	}},
	{"kill", func(v *victimInfo) error { return syscall.Kill(v.PID, syscall.SIGUSR2) }},
	{"kill its threads", func(v *victimInfo) error { return unix.Tgkill(v.PID, v.PID, syscall.SIGUSR2) }},
	{"pidfd_open by number", func(v *victimInfo) error {
		fd, err := victimPidfd(v)
		unix.Close(fd)
		return err
	}},
	{"pidfd_send_signal", func(v *victimInfo) error {
		fd, err := victimPidfd(v)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.PidfdSendSignal(fd, syscall.SIGUSR2, nil, 0)
	}},
	{"pidfd_getfd", func(v *victimInfo) error {
		fd, err := victimPidfd(v)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		got, err := unix.PidfdGetfd(fd, v.FD, 0)
		if err != nil {
			return err
		}
		defer unix.Close(got)
		b := make([]byte, 64)
		n, err := unix.Pread(got, b, 0)
		return wantSecret(b[:max(n, 0)], err)
	}},
	{"setns by pidfd", func(v *victimInfo) error {
		fd, err := victimPidfd(v)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		// Only asks for what the check of ptrace lets through: a uid outside a
		// user namespace may not enter, but may look.
		ns, err := unix.IoctlRetInt(fd, unix.PIDFD_GET_MNT_NAMESPACE)
		unix.Close(ns)
		return err
	}},
	{"ptrace", func(v *victimInfo) error {
		if err := unix.PtraceSeize(v.PID); err != nil {
			return err
		}
		// A seized tracee must be stopped to be let go; our end does it too.
		return nil
	}},
	{"process_vm_readv", func(v *victimInfo) error {
		b := make([]byte, 64)
		local := []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}
		n, err := unix.ProcessVMReadv(v.PID, local, []unix.RemoteIovec{{Base: v.Addr, Len: len(b)}}, 0)
		return wantSecret(b[:max(n, 0)], err)
	}},
	{"prlimit", func(v *victimInfo) error {
		var old unix.Rlimit
		return unix.Prlimit(v.PID, unix.RLIMIT_CPU, nil, &old)
	}},
	{"setpriority", func(v *victimInfo) error { return unix.Setpriority(unix.PRIO_PROCESS, v.PID, 1) }},
	{"sched_setaffinity", func(v *victimInfo) error {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(v.PID, &set); err != nil {
			return err
		}
		return unix.SchedSetaffinity(v.PID, &set)
	}},
	{"read its file in /tmp", func(v *victimInfo) error { return readSecret(v.File) }},
	{"read its cookie", func(v *victimInfo) error { return readSecret(v.Cookie) }},
	{"POSIX shared memory", func(v *victimInfo) error { return readSecret(v.Shm) }},
	{"SysV shared memory by key", func(v *victimInfo) error {
		id, err := unix.SysvShmGet(v.ShmKey, 0, 0)
		if err != nil {
			return err
		}
		b, err := unix.SysvShmAttach(id, 0, 0)
		return wantSecret(b, err)
	}},
	{"SysV shared memory by number", func(v *victimInfo) error {
		b, err := unix.SysvShmAttach(v.ShmID, 0, 0)
		return wantSecret(b, err)
	}},
	{"POSIX message queue", func(v *victimInfo) error {
		fd, err := mqOpen(v.Queue, unix.O_RDWR)
		unix.Close(fd)
		return err
	}},
	{"its socket in /tmp", func(v *victimInfo) error { return dialSecret("unix", v.Path) }},
	{"its pseudo terminal", func(v *victimInfo) error {
		fd, err := unix.Open(v.TTY, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		return err
	}},
	{"its abstract socket", func(v *victimInfo) error { return dialSecret("unix", v.Abstract) }},
	{rowSquat, func(v *victimInfo) error {
		l, err := net.Listen("unix", "@squat-"+v.Nonce)
		if err == nil {
			l.Close()
		}
		return err
	}},
	{rowSquatX, func(v *victimInfo) error {
		l, err := net.Listen("unix", "@/tmp/.X11-unix/X5")
		if err == nil {
			l.Close()
		}
		return err
	}},
	{rowUnixNames, func(v *victimInfo) error {
		b, err := os.ReadFile("/proc/net/unix")
		if err == nil && !bytes.Contains(b, []byte(v.Abstract)) {
			err = errNotFound
		}
		return err
	}},
	{rowLoopback, func(v *victimInfo) error { return dialSecret("tcp", "127.0.0.1:"+strconv.Itoa(v.Port)) }},
	{"a key in the user keyring", func(v *victimInfo) error {
		if v.Key == "" {
			return errors.New("not tried: no key could be planted")
		}
		id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", v.Key, 0)
		if err != nil {
			return err
		}
		b := make([]byte, 64)
		n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, b, 0)
		return wantSecret(b[:max(n, 0)], err)
	}},
	{rowCgroup, func(v *victimInfo) error {
		if v.Cgroup == "" {
			return errors.New("not tried: there is no group")
		}
		f, err := os.OpenFile(v.Cgroup+"/cgroup.kill", os.O_WRONLY, 0)
		if err == nil {
			f.Close()
		}
		return err
	}},
	{rowHolderSocket, func(v *victimInfo) error {
		c, err := net.Dial("unix", v.Holder)
		if err == nil {
			c.Close()
		}
		return err
	}},
	{rowJournal, func(v *victimInfo) error {
		_, err := os.ReadFile(v.Journal)
		return err
	}},
	{"signal its holder", func(v *victimInfo) error {
		if v.HolderID == 0 {
			return errNotFound
		}
		return syscall.Kill(v.HolderID, 0)
	}},
	{rowOwnHolder, func(v *victimInfo) error {
		if !v.Session {
			return errors.New("not tried: not in a session")
		}
		if b, _ := os.ReadFile("/proc/1/cmdline"); !bytes.Contains(b, []byte("holder\x00session")) {
			return errors.New("the holder is not process 1")
		}
		var ok []string
		tids, _ := filepath.Glob("/proc/1/task/*")
		for _, dir := range append(tids, "/proc/1") {
			tid, _ := strconv.Atoi(filepath.Base(dir))
			if unix.PtraceSeize(tid) == nil {
				ok = append(ok, "ptrace "+dir)
			}
			for _, f := range []string{"mem", "environ", "fd/0", "fd/3"} {
				if fd, err := unix.Open(dir+"/"+f, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
					unix.Close(fd)
					ok = append(ok, "open "+dir+"/"+f)
				}
			}
			b := make([]byte, 8)
			if _, err := unix.ProcessVMReadv(tid, []unix.Iovec{{Base: &b[0], Len: 8}}, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&errNotFound)), Len: 8}}, 0); err == nil {
				ok = append(ok, "read memory of "+dir)
			}
		}
		if len(ok) == 0 {
			return errors.New("every way refused")
		}
		fmt.Fprintln(os.Stderr, "own holder:", strings.Join(ok, "; "))
		return nil
	}},
	{rowPeel, func(v *victimInfo) error {
		if !v.Session {
			return errors.New("not tried: not in a session")
		}
		// Mounts may be private to a user namespace of the attacker's own; what
		// was mounted over must stay covered there too.
		before := mustInode("/tmp")
		for _, prefix := range [][]string{nil, {"unshare", "-Urm"}, {"unshare", "-Um"}} {
			cmd := append(append([]string{}, prefix...), "/bin/sh", "-c", "umount /tmp && stat -c %i /tmp")
			if out, err := exec.Command(cmd[0], cmd[1:]...).Output(); err == nil && strings.TrimSpace(string(out)) != strconv.FormatUint(before, 10) {
				return nil
			}
		}
		return errors.New("umount refused")
	}},
	{rowCaps, func(v *victimInfo) error {
		if !v.Session {
			return errors.New("not tried: not in a session")
		}
		for _, cmd := range [][]string{{"cat"}, {"su", "-c", "cat /proc/self/status"}, {"sudo", "-n", "cat"}} {
			args := append(cmd, "/proc/self/status")
			out, _ := exec.Command(args[0], args[1:]...).Output()
			for _, line := range strings.Split(string(out), "\n") {
				if c, ok := strings.CutPrefix(line, "CapEff:\t"); ok && strings.Trim(c, "0") != "" {
					return nil
				}
			}
		}
		return errors.New("no capability")
	}},
}

func mustInode(path string) uint64 {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0
	}
	return st.Ino
}

// Rows that some configuration leaves open, or that only exist in a session.
const (
	rowSquat        = "bind an abstract name first"
	rowSquatX       = "bind an X server's abstract name"
	rowUnixNames    = "read names in /proc/net/unix"
	rowLoopback     = "loopback TCP"
	rowCgroup       = "write its cgroup.kill"
	rowHolderSocket = "connect to its holder"
	rowJournal      = "read the session's record"
	rowOwnHolder    = "trace or read the own holder"
	rowPeel         = "peel the private /tmp off"
	rowCaps         = "get a capability"
)
