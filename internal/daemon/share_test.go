// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/internal/wire"
	"stationmaster/win32"
)

// stubborn gives a descriptor whose last close would take an hour: a socket
// with data that nobody reads and a linger time.
func stubborn(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for full := make([]byte, 1<<20); err == nil; {
		_, err = c.Write(full)
	}
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptLinger(int(f.Fd()), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600}); err != nil {
		t.Fatal(err)
	}
	return f
}

// A descriptor that takes long to close holds no thread of the daemon.
func TestPassedSocketDoesNotLinger(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	c := p.raw(true)
	for _, op := range []uint16{wire.OpPing, wire.OpCreateProcess} {
		f := stubborn(t)
		frame := append(wire.BeginRequest(nil), 0, 0, 0, 0)
		wire.EndRequest(frame, 7, op, 1)
		if err := wire.Send(c.nc, frame, []*os.File{f}); err != nil {
			t.Fatal(err)
		}
		f.Close() // the daemon's copy is the last
		c.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		r, err := c.r.ReadReply()
		if err != nil || r.Code == 0 {
			t.Fatalf("op %d: %+v %v", op, r, err)
		}
		if op == wire.OpPing && r.Code != win32.ERROR_INVALID_PARAMETER {
			t.Errorf("op %d: %+v", op, r)
		}
	}
}

// Requests that are begun and never finished hold a bounded part of the
// daemon's memory; whoever has begun too many of them is cut off, nobody else.
func TestHalfRequestsAreBounded(t *testing.T) {
	p := newPlane(t, Limits{}, nil)
	p.identify.Store(func(n int64) (Peer, error) {
		uid := uint32(1)
		if n > 80 {
			uid = 2
		}
		return Peer{PID: 1<<23 + int(n), UID: uid}, nil
	})
	var cut atomic.Int64
	var all sync.WaitGroup
	for range 80 {
		c := p.raw(true)
		frame := append(wire.BeginRequest(nil), make([]byte, api.MaxRequest)...)
		wire.EndRequest(frame, 9, wire.OpPing, 0)
		all.Go(func() {
			c.nc.SetDeadline(time.Now().Add(3 * time.Second))
			if _, err := c.nc.Write(frame[:len(frame)-1]); err != nil {
				cut.Add(1)
				return
			}
			if _, err := c.r.ReadReply(); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
				cut.Add(1)
			}
		})
	}
	all.Wait()
	if n := cut.Load(); n < 80-shareBytes/api.MaxRequest || n == 80 {
		t.Errorf("%d of 80 were cut off", n)
	}
	if _, err := p.dial().Ping(t.Context(), client.PingRequest{Payload: make([]byte, api.MaxRequest/2)}); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// What was taken is given back.
func TestShareIsGivenBack(t *testing.T) {
	sh := newShare()
	if !sh.take(shareBytes, shareFiles) || sh.take(1, 0) || sh.take(0, 1) || !sh.take(-1, 0) || !sh.take(1, 0) {
		t.Errorf("%+v", sh)
	}
	p := newPlane(t, Limits{}, nil)
	c := p.dial()
	for range 3 * shareBytes / api.MaxRequest {
		if _, err := c.Ping(t.Context(), client.PingRequest{Payload: make([]byte, api.MaxRequest-4)}); err != nil {
			t.Fatal(err)
		}
	}
}
