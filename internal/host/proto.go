// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The protocol between daemon and holder. An old holder meets a new daemon, so
// it is frozen: fields and kinds are only added, never changed, and unknown
// ones are ignored. A frame is
//
//	0       4     8      10     12
//	| len   | id  | kind | fds  | len bytes of JSON |
//
// little endian; fds descriptors travel with its first byte. The holder
// answers a request with the same id and kind|kindReply, and sends events with
// id 0. Whatever may be no UTF-8 (paths, arguments) travels as base64.
const (
	protoVersion = 1
	frameHeader  = 12
	frameLimit   = 16 << 20
	framesFDs    = 128 // most descriptors in one frame
	listPage     = 64  // processes in one answer to kindList
)

const (
	kindSetup  uint16 = 1 // first frame a new holder gets, on its inherited socket
	kindCommit uint16 = 2 // the daemon has journalled the session: live on without me
	kindHello  uint16 = 3 // first frame of every later connection
	kindSpawn  uint16 = 4
	kindList   uint16 = 5
	kindForget uint16 = 6
	kindWrite  uint16 = 7
	kindRemove uint16 = 8
	kindDial   uint16 = 9

	kindReply uint16 = 0x8000

	eventExit    uint16 = 0x4001 // a process ended
	eventSpawned uint16 = 0x4002 // one that an earlier connection asked for has started
)

// setupMsg tells a new holder what to make of itself. With it travel, in this
// order: the cgroup directory for programs if Cgroup, then Tasks open v1 tasks
// files.
type setupMsg struct {
	Version    int
	ID         uint32
	Namespaces bool // private mounts, IPC, PIDs
	UserNS     bool // in a user namespace: one uid
	UID        uint32
	GID        uint32
	SwitchUID  bool     // programs get the uid of their spec
	Public     []byte   // directory bound read-only into the session
	Mask       [][]byte // directories hidden in the session
	RuntimeDir []byte   // without namespaces: made by the daemon
	Memory     uint64   // size limit of /tmp and /dev/shm in bytes; 0: half the machine
	Scopes     uint64   // Landlock scopes to enter
	Keyring    bool     // close the keyring
	OwnNetwork bool
	Reserve    int // X display numbers whose abstract names are bound
	Cgroup     bool
	Tasks      int
	Key        []byte // what a hello must carry
	Marker     string // environment entry that marks programs; "" when not needed
	Trial      bool   // also try a fork, then wait to be ended
}

// setupReply says what the holder made.
type setupReply struct {
	Err       *wireError `json:",omitempty"`
	Version   int
	Runtime   []byte // directory that holds the runtime directories
	PublicDir []byte
	Features  []Feature // rows only the inside can know
}

type helloMsg struct {
	Version int
	Key     []byte
}

type helloReply struct {
	Err     *wireError `json:",omitempty"`
	Version int
	ID      uint32
}

// spawnMsg starts a program; with it travel the descriptors of Files, one for
// each true.
type spawnMsg struct {
	Path   []byte
	Args   [][]byte
	Env    [][]byte
	Dir    []byte
	UID    uint32
	GID    uint32
	Groups []uint32
	Files  []bool
	Tag    []byte
}

// procMsg is one process; a running one's pidfd travels with it.
type procMsg struct {
	ID     uint64
	PID    int // as the host sees it
	Start  uint64
	Tag    []byte
	Ended  bool
	Code   int
	Signal int
	HasFD  bool
}

type spawnReply struct {
	Err  *wireError `json:",omitempty"`
	Proc procMsg
}

type listMsg struct{ After uint64 }

type listReply struct {
	Err   *wireError `json:",omitempty"`
	Procs []procMsg
	More  bool
}

type forgetMsg struct{ ID uint64 }

type writeMsg struct {
	Name []byte
	Data []byte
	Mode uint32
	UID  uint32
	GID  uint32
}

type pathMsg struct{ Path []byte }

// pathReply answers kindWrite, kindRemove, kindForget and kindDial; with the
// last travels the connected socket.
type pathReply struct {
	Err  *wireError `json:",omitempty"`
	Path []byte
}

// wireError carries an error across, its Linux number included, so that
// errors.Is keeps working in the daemon.
type wireError struct {
	Errno int
	Text  string
}

func (e *wireError) Error() string { return e.Text }

// Unwrap gives the errno, which answers errors.Is for fs.ErrNotExist and kin.
func (e *wireError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return syscall.Errno(e.Errno)
}

func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		w.Errno = int(errno)
	}
	return w
}

// fromWire turns a reply's error back into an error, nil included.
func fromWire(w *wireError) error {
	if w == nil {
		return nil
	}
	return w
}

// frame is one received frame. Who reads it owns its descriptors.
type frame struct {
	id   uint32
	kind uint16
	body []byte
	fds  []int
}

// close closes the descriptors nobody took.
func (f *frame) close() {
	closeFDs(f.fds)
	f.fds = nil
}

// takeFD hands over the next descriptor, or -1.
func (f *frame) takeFD() int {
	if len(f.fds) == 0 {
		return -1
	}
	fd := f.fds[0]
	f.fds = f.fds[1:]
	return fd
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// wireConn is one end of a connection between daemon and holder.
type wireConn struct {
	c *net.UnixConn // immutable

	mu sync.Mutex // one frame at a time
}

// newWireConn wraps an inherited or passed socket; it takes fd over.
func newWireConn(fd int) (*wireConn, error) {
	c, err := unixConnOf(fd)
	if err != nil {
		return nil, err
	}
	return &wireConn{c: c}, nil
}

func (w *wireConn) close() error { return w.c.Close() }

// send writes one frame. A peer that reads nothing for ten seconds is taken
// for hung, and the connection is unusable afterwards.
func (w *wireConn) send(id uint32, kind uint16, body any, fds []int) error {
	js, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("cannot encode frame %#x: %w", kind, err)
	}
	if len(js) > frameLimit || len(fds) > framesFDs {
		return fmt.Errorf("cannot send frame of %d bytes with %d descriptors: %w", len(js), len(fds), syscall.E2BIG)
	}
	buf := make([]byte, frameHeader+len(js))
	binary.LittleEndian.PutUint32(buf[0:], uint32(len(js)))
	binary.LittleEndian.PutUint32(buf[4:], id)
	binary.LittleEndian.PutUint16(buf[8:], kind)
	binary.LittleEndian.PutUint16(buf[10:], uint16(len(fds)))
	copy(buf[frameHeader:], js)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	n, _, err := w.c.WriteMsgUnix(buf, oob, nil)
	if err == nil && n < len(buf) {
		_, err = w.c.Write(buf[n:])
	}
	if err != nil {
		w.c.Close() // half a frame may be out
	}
	return err
}

// recv reads one frame. Only one goroutine may read.
func (w *wireConn) recv() (*frame, error) {
	var (
		head [frameHeader]byte
		oob  = make([]byte, unix.CmsgSpace(4*framesFDs))
		f    = &frame{}
		got  int
	)
	for got < frameHeader {
		n, oobn, flags, _, err := w.c.ReadMsgUnix(head[got:], oob)
		fds, perr := parseRights(oob[:oobn])
		f.fds = append(f.fds, fds...)
		if err == nil && perr != nil {
			err = perr
		}
		if err == nil && flags&unix.MSG_CTRUNC != 0 {
			err = fmt.Errorf("cannot take over the descriptors of a frame: %w", syscall.EMFILE)
		}
		if err == nil && n == 0 && oobn == 0 {
			err = io.EOF
		}
		if err != nil {
			f.close()
			return nil, err
		}
		got += n
	}
	size := binary.LittleEndian.Uint32(head[0:])
	f.id = binary.LittleEndian.Uint32(head[4:])
	f.kind = binary.LittleEndian.Uint16(head[8:])
	if size > frameLimit || int(binary.LittleEndian.Uint16(head[10:])) != len(f.fds) {
		n := len(f.fds)
		f.close()
		return nil, fmt.Errorf("cannot read frame %#x: %d bytes announced, %d descriptors came", f.kind, size, n)
	}
	f.body = make([]byte, size)
	if _, err := io.ReadFull(w.c, f.body); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func parseRights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var fds []int
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // not SCM_RIGHTS
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

func byteSlices(in []string) [][]byte {
	out := make([][]byte, len(in))
	for i, s := range in {
		out[i] = []byte(s)
	}
	return out
}

func stringSlice(in [][]byte) []string {
	out := make([]string, len(in))
	for i, b := range in {
		out[i] = string(b)
	}
	return out
}
