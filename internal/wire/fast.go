// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawReceiver reads messages from a socket as net.UnixConn.ReadMsgUnix does, but
// without making the sender's address, which takes two allocations a message
// and which nobody asks for: a caller is known by its connection.
type rawReceiver struct {
	conn syscall.RawConn
	recv func(fd uintptr) bool // r.receive, made once

	iov unix.Iovec // the message of the call under way, like all below
	hdr unix.Msghdr
	n   int
	err syscall.Errno
}

// newRawReceiver gives nil for a source that is no socket.
func newRawReceiver(src MsgReader) *rawReceiver {
	c, ok := src.(*net.UnixConn)
	if !ok {
		return nil
	}
	conn, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawReceiver{conn: conn}
	r.recv = r.receive
	return r
}

// read waits for a message. b and oob must not be empty.
func (r *rawReceiver) read(b, oob []byte) (n, oobn, flags int, err error) {
	r.iov.Base = &b[0]
	r.iov.SetLen(len(b))
	r.hdr = unix.Msghdr{Iov: &r.iov, Iovlen: 1, Control: &oob[0]}
	r.hdr.SetControllen(len(oob))
	err = r.conn.Read(r.recv)
	switch {
	case err != nil:
		return 0, 0, 0, err
	case r.err != 0:
		return 0, 0, 0, &net.OpError{Op: "read", Net: "unix", Err: r.err}
	}
	return r.n, int(r.hdr.Controllen), int(r.hdr.Flags), nil
}

// receive tries once and reports whether that settled it.
func (r *rawReceiver) receive(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.hdr)), unix.MSG_CMSG_CLOEXEC)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		}
		r.n, r.err = int(n), errno
		return true
	}
}

// Sender writes frames without files to a connection. It is for one goroutine
// at a time.
type Sender struct {
	conn syscall.RawConn
	send func(fd uintptr) bool // s.try, made once

	frame []byte // the frame of the call under way
	n     int
	err   error
}

// NewSender makes a sender for c.
func NewSender(c *net.UnixConn) (*Sender, error) {
	conn, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Sender{conn: conn}
	s.send = s.try
	return s, nil
}

// Try writes as much of frame as the socket takes at once and gives the number
// of bytes. It never waits, so that a deadline, which costs a timer, is needed
// only for a peer that does not read.
func (s *Sender) Try(frame []byte) (int, error) {
	s.frame, s.n, s.err = frame, 0, nil
	err := s.conn.Write(s.send)
	s.frame = nil
	if err == nil {
		err = s.err
	}
	return s.n, err
}

func (s *Sender) try(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), s.frame)
		switch err {
		case nil:
			s.n = n
		case unix.EINTR:
			continue
		case unix.EAGAIN:
		default:
			s.err = &net.OpError{Op: "write", Net: "unix", Err: err}
		}
		return true
	}
}
