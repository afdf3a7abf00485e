// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const secret = "the victim's secret"

// victimInfo is where the victim's things are. The test passes it on to the
// attacker, who so knows more than a real one would.
type victimInfo struct {
	Nonce    string // in the name of everything
	PID      int    // as the attacker would guess it: the host's number
	Thread   int
	Addr     uintptr // of the secret in memory
	FD       int     // an open file with the secret
	File     string
	Cookie   string
	Shm      string
	ShmKey   int
	ShmID    int
	Queue    string
	Path     string // path socket
	Abstract string // abstract socket
	TTY      string
	Port     int
	Key      string // name of a key in the user keyring, planted outside
	Cgroup   string // the session's group on the host, "" for none
	Holder   string // the holder's socket on the host
	Journal  string // the session's record on the host
	HolderID int    // the holder's number on the host
	Session  bool   // the attacker is in a session
}

var keep []any // what must not be collected

// victimMain makes one of everything, says where, and waits to be killed.
func victimMain(nonce, runtimeDir string) int {
	v := victimInfo{Nonce: nonce, PID: os.Getpid()}
	if err := v.make(runtimeDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	signal.Ignore(syscall.SIGUSR2)
	b, _ := json.Marshal(v)
	fmt.Printf("%s\n", b)
	io.Copy(io.Discard, os.Stdin) // until the test closes it
	v.unmake()
	return 0
}

func (v *victimInfo) make(runtimeDir string) error {
	// A page of its own, so that its address is stable.
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	copy(mem, secret)
	v.Addr = uintptr(unsafe.Pointer(&mem[0]))

	v.File = "/tmp/secret-" + v.Nonce
	v.Cookie = runtimeDir + "/cookie-" + v.Nonce
	v.Shm = "/dev/shm/shm-" + v.Nonce
	for _, f := range []string{v.File, v.Cookie, v.Shm} {
		if err := os.WriteFile(f, []byte(secret), 0o600); err != nil {
			return err
		}
	}
	file, err := os.Open(v.File)
	if err != nil {
		return err
	}
	v.FD = int(file.Fd())
	n, _ := strconv.ParseInt(v.Nonce[:6], 16, 32)
	v.ShmKey = 0x53000000 | int(n)
	if v.ShmID, err = unix.SysvShmGet(v.ShmKey, 4096, 0o1000|0o600); err != nil {
		return fmt.Errorf("shmget: %w", err)
	}
	shm, err := unix.SysvShmAttach(v.ShmID, 0, 0)
	if err != nil {
		return fmt.Errorf("shmat: %w", err)
	}
	copy(shm, secret)
	v.Queue = "queue-" + v.Nonce
	if _, err := mqOpen(v.Queue, unix.O_CREAT|unix.O_RDWR); err != nil {
		return fmt.Errorf("mq_open: %w", err)
	}
	v.Path = "/tmp/sock-" + v.Nonce
	path, err := net.Listen("unix", v.Path)
	if err != nil {
		return err
	}
	v.Abstract = "@abstract-" + v.Nonce
	abstract, err := net.Listen("unix", v.Abstract)
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	v.Port = tcp.Addr().(*net.TCPAddr).Port
	for _, l := range []net.Listener{path, abstract, tcp} {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, secret)
				c.Close()
			}
		}()
	}
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0)
	tty, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		return err
	}
	v.TTY = "/dev/pts/" + strconv.Itoa(tty)
	// Sessions have the keyring closed; the control run has not.
	v.Key = "key-" + v.Nonce
	if id, err := unix.AddKey("user", v.Key, []byte(secret), unix.KEY_SPEC_USER_KEYRING); err == nil {
		unix.KeyctlSetperm(id, 0x3f3f0000)
	} else {
		v.Key = ""
	}
	keep = []any{mem, file, shm, path, abstract, tcp, ptmx}
	return nil
}

// unmake removes what outlives a process; a session would do it itself.
func (v *victimInfo) unmake() {
	for _, f := range []string{v.File, v.Cookie, v.Shm, v.Path} {
		os.Remove(f)
	}
	unix.SysvShmCtl(v.ShmID, unix.IPC_RMID, nil)
	name, _ := unix.BytePtrFromString(v.Queue)
	unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
	if v.Key != "" {
		if id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", v.Key, 0); err == nil {
			unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
		}
	}
}

func mqOpen(name string, flags int) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), uintptr(flags), 0o600, 0, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
