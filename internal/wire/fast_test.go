// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func socketPair(t *testing.T) (*net.UnixConn, *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[i] = c.(*net.UnixConn)
		t.Cleanup(func() { out[i].Close() })
	}
	return out[0], out[1]
}

func TestSenderNeverWaits(t *testing.T) {
	a, b := socketPair(t)
	s, err := NewSender(a)
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	total := 0
	for {
		n, err := s.Try(frame)
		if err != nil {
			t.Fatal(err)
		}
		total += n
		if n < len(frame) {
			break // the socket is full, and we are still here
		}
	}
	got := make([]byte, total)
	if _, err := io.ReadFull(b, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:len(frame)], frame) {
		t.Error("the first frame came out different")
	}
	b.Close()
	if n, err := s.Try(frame); n != 0 || !errors.Is(err, unix.EPIPE) {
		t.Errorf("to a closed peer: %d bytes, %v", n, err)
	}
	a.Close()
	if _, err := s.Try(frame); !errors.Is(err, net.ErrClosed) {
		t.Errorf("on a closed connection: %v", err)
	}
}

func TestReaderOnSocket(t *testing.T) {
	a, b := socketPair(t)
	r := NewReader(b, 1<<20)
	defer r.Close()
	if r.raw == nil {
		t.Fatal("a socket is read by detours")
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	body := bytes.Repeat([]byte{7}, 5000)
	frame := append(BeginRequest(nil), body...)
	EndRequest(frame, 3, 9, 1)
	if err := Send(a, frame, []*os.File{pr}); err != nil {
		t.Fatal(err)
	}
	pr.Close()
	q, err := r.ReadRequest()
	if err != nil || q.ID != 3 || q.Op != 9 || !bytes.Equal(q.Body, body) || len(q.Files) != 1 {
		t.Fatalf("got %d %d, %d bytes, %d files, %v", q.ID, q.Op, len(q.Body), len(q.Files), err)
	}
	if flags, err := unix.FcntlInt(q.Files[0].Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a descriptor that came is inherited by programs: %#x, %v", flags, err)
	}
	q.Files[0].Close()
	b.SetReadDeadline(time.Unix(1, 0))
	if _, err := r.ReadRequest(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	b.SetReadDeadline(time.Time{})
	a.Close()
	if _, err := r.ReadRequest(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
