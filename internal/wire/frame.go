// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"stationmaster/win32"
)

// OpCancel in a request asks the daemon to stop the call with the same id.
const OpCancel uint16 = 0

const (
	// RequestHeader and ReplyHeader are the sizes of the headers in bytes.
	RequestHeader = 12
	ReplyHeader   = 16
	// MaxFiles is how many descriptors travel with one frame at most.
	MaxFiles = 16
)

// firstRead is the size of a connection's read buffer while nothing longer
// came; most frames are far shorter.
const firstRead = 2048

// What can be wrong with a frame. A stream with such a frame cannot be read on.
var (
	ErrTooLong = errors.New("frame longer than allowed")
	ErrFlags   = errors.New("frame with unknown flags")
	ErrFiles   = errors.New("descriptors do not match the frame")
)

// Request is one request as it came. Body is valid until the next read.
type Request struct {
	ID    uint32
	Op    uint16
	Files []*os.File // owned by the receiver
	Body  []byte
}

// Reply is one reply as it came. Body is the receiver's.
type Reply struct {
	ID    uint32
	Code  win32.Errno
	Files []*os.File // owned by the receiver
	Body  []byte
}

// MsgReader is what frames are read from; *net.UnixConn is one.
type MsgReader interface {
	ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
}

// Reader reads frames and the descriptors that come with them. It is for one
// goroutine at a time.
type Reader struct {
	src   MsgReader
	raw   *rawReceiver // src without detours, nil when it is no socket
	limit int          // payload bytes

	// Budget, when set before the first read, is asked before the buffer grows
	// by so many bytes beyond its first size and told, with a negative number,
	// when it has shrunk; false ends the stream with ErrTooLong.
	Budget func(bytes int) bool

	buf   []byte // buf[r:w] has been read and not been used
	r, w  int
	total uint64 // bytes that came so far
	oob   []byte
	files []arrived
}

// arrived is a descriptor nobody took yet. Linux gives descriptors with the
// read that ends in the bytes they were sent with, so one that belongs to a
// frame came at or before the frame's last byte.
type arrived struct {
	fd  int
	end uint64 // Reader.total after the read it came with
}

// NewReader reads frames of at most limit payload bytes from src.
func NewReader(src MsgReader, limit int) *Reader {
	return &Reader{src: src, raw: newRawReceiver(src), limit: limit, oob: make([]byte, unix.CmsgSpace(4*MaxFiles))}
}

// ReadRequest reads the next request. io.EOF means the peer closed between two
// frames. After ErrTooLong the request's header fields are valid, so that it
// can be answered.
func (r *Reader) ReadRequest() (Request, error) {
	h, err := r.peek(RequestHeader)
	if err != nil {
		return Request{}, err
	}
	n := binary.LittleEndian.Uint32(h)
	q := Request{ID: binary.LittleEndian.Uint32(h[4:]), Op: binary.LittleEndian.Uint16(h[8:])}
	flags, fds := h[10], int(h[11])
	if flags != 0 {
		return q, ErrFlags
	}
	q.Body, q.Files, err = r.rest(RequestHeader, n, fds)
	return q, err
}

// ReadReply reads the next reply.
func (r *Reader) ReadReply() (Reply, error) {
	h, err := r.peek(ReplyHeader)
	if err != nil {
		return Reply{}, err
	}
	n := binary.LittleEndian.Uint32(h)
	p := Reply{ID: binary.LittleEndian.Uint32(h[4:]), Code: win32.Errno(binary.LittleEndian.Uint32(h[8:]))}
	flags, fds := h[12], int(h[13])
	if flags != 0 || h[14] != 0 || h[15] != 0 {
		return p, ErrFlags
	}
	body, files, err := r.rest(ReplyHeader, n, fds)
	p.Body, p.Files = append([]byte(nil), body...), files
	return p, err
}

// rest reads the payload behind a header and takes the frame's descriptors.
func (r *Reader) rest(header int, n uint32, fds int) ([]byte, []*os.File, error) {
	if uint64(n) > uint64(r.limit) {
		return nil, nil, ErrTooLong
	}
	if fds > MaxFiles {
		return nil, nil, ErrFiles
	}
	frame, err := r.peek(header + int(n))
	if err != nil {
		return nil, nil, err
	}
	r.r += len(frame)
	files, err := r.claim(fds, r.total-uint64(r.w-r.r))
	return frame[header:], files, err
}

// claim takes the n descriptors of the frame that ends at stream offset end.
// Too few, or one too many that came with the frame's bytes, breaks the stream.
func (r *Reader) claim(n int, end uint64) ([]*os.File, error) {
	if n > len(r.files) {
		return nil, ErrFiles
	}
	if len(r.files) > n && r.files[n].end <= end {
		return nil, ErrFiles
	}
	if n == 0 {
		return nil, nil
	}
	out := make([]*os.File, n)
	for i := range out {
		out[i] = os.NewFile(uintptr(r.files[i].fd), "passed")
	}
	r.files = append(r.files[:0], r.files[n:]...)
	return out, nil
}

// peek gives the next n bytes without using them up. The buffer grows as bytes
// come, not as a header promises.
func (r *Reader) peek(n int) ([]byte, error) {
	for r.w-r.r < n {
		if err := r.fill(n); err != nil {
			if errors.Is(err, io.EOF) {
				if r.w > r.r {
					return nil, io.ErrUnexpectedEOF
				}
				return nil, io.EOF
			}
			return nil, err
		}
	}
	return r.buf[r.r : r.r+n], nil
}

// fill reads once more, making room when a frame of want bytes needs it.
func (r *Reader) fill(want int) error {
	have := r.w - r.r
	switch {
	case have == 0 && want <= firstRead && len(r.buf) != firstRead:
		r.giveBack()
		r.buf, r.r, r.w = make([]byte, firstRead), 0, 0 // small again after a long frame
	case r.r > 0 && (have == 0 || r.r+want > len(r.buf)):
		copy(r.buf, r.buf[r.r:r.w])
		r.r, r.w = 0, have
	}
	if r.w == len(r.buf) {
		size := min(2*len(r.buf), max(want, firstRead))
		if r.Budget != nil && !r.Budget(size-len(r.buf)) {
			return ErrTooLong
		}
		bigger := make([]byte, size)
		copy(bigger, r.buf[:r.w])
		r.buf = bigger
	}
	var n, oobn, flags int
	var err error
	if r.raw != nil {
		n, oobn, flags, err = r.raw.read(r.buf[r.w:], r.oob)
	} else {
		n, oobn, flags, _, err = r.src.ReadMsgUnix(r.buf[r.w:], r.oob)
	}
	r.w += n
	r.total += uint64(n)
	if oobn > 0 {
		if e := r.receive(r.oob[:oobn]); e != nil {
			return e
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return ErrFiles // more descriptors in one message than a frame may have
	}
	if err == nil && n == 0 {
		return io.EOF
	}
	return err
}

// giveBack tells Budget that the buffer has its first size again.
func (r *Reader) giveBack() {
	if r.Budget != nil && len(r.buf) > firstRead {
		r.Budget(firstRead - len(r.buf))
	}
}

// receive keeps the descriptors of one control message.
func (r *Reader) receive(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return ErrFiles
	}
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // credentials or the like: not asked for
		}
		for _, fd := range fds {
			r.files = append(r.files, arrived{fd, r.total})
		}
	}
	if len(r.files) > MaxFiles {
		return ErrFiles
	}
	return nil
}

// Buffered gives the bytes that were read beyond the last frame and leaves the
// reader empty: what a takeover call goes on with.
func (r *Reader) Buffered() []byte {
	b := append([]byte(nil), r.buf[r.r:r.w]...)
	r.r = r.w
	return b
}

// Close closes every descriptor that came and was not taken. It does not close
// the source.
func (r *Reader) Close() {
	r.giveBack()
	r.buf, r.r, r.w = nil, 0, 0
	for _, f := range r.files {
		unix.Close(f.fd)
	}
	r.files = nil
}

// BeginRequest appends room for a request's header to b.
func BeginRequest(b []byte) []byte { return append(b, make([]byte, RequestHeader)...) }

// BeginReply appends room for a reply's header to b.
func BeginReply(b []byte) []byte { return append(b, make([]byte, ReplyHeader)...) }

// EndRequest fills in the header of the request frame b, which BeginRequest
// began and to which the payload was appended.
func EndRequest(b []byte, id uint32, op uint16, fds int) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-RequestHeader))
	binary.LittleEndian.PutUint32(b[4:], id)
	binary.LittleEndian.PutUint16(b[8:], op)
	b[10], b[11] = 0, uint8(fds)
}

// EndReply fills in the header of the reply frame b.
func EndReply(b []byte, id uint32, code win32.Errno, fds int) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-ReplyHeader))
	binary.LittleEndian.PutUint32(b[4:], id)
	binary.LittleEndian.PutUint32(b[8:], uint32(code))
	b[12], b[13], b[14], b[15] = 0, uint8(fds), 0, 0
}

// Send writes a whole frame, with the files attached to its first bytes. The
// caller keeps the files. The caller sees to it that frames do not mix. With
// os.ErrClosed (a file is closed) and ErrFiles (too many) nothing was sent;
// any other error may leave part of a frame behind.
func Send(c *net.UnixConn, frame []byte, files []*os.File) error {
	if len(files) == 0 {
		_, err := c.Write(frame)
		return err
	}
	if len(files) > MaxFiles {
		return fmt.Errorf("%d descriptors in one frame: %w", len(files), ErrFiles)
	}
	fds := make([]int, len(files))
	// The descriptors must not be closed under us by another goroutine, so each
	// is held through its SyscallConn while the message is sent.
	return withFDs(files, fds, 0, func() error {
		n, _, err := c.WriteMsgUnix(frame, unix.UnixRights(fds...), nil)
		if err == nil && n < len(frame) {
			_, err = c.Write(frame[n:])
		}
		return err
	})
}

// withFDs fills fds with the numbers of files[i:] and calls fn while they are
// held open.
func withFDs(files []*os.File, fds []int, i int, fn func() error) error {
	if i == len(files) {
		return fn()
	}
	var inner error
	rc, err := files[i].SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) {
			fds[i] = int(fd)
			inner = withFDs(files, fds, i+1, fn)
		})
	}
	if err != nil { // only a file that is nil or closed has none
		return fmt.Errorf("cannot pass descriptor %d: %w", i, os.ErrClosed)
	}
	return inner
}
