// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"stationmaster/win32"
)

// What the connections of one session, or of one Linux user outside, may hold
// of the daemon together, so that they leave something for the others.
const (
	shareBytes     = 64 << 20 // of requests that are read or wait
	shareFiles     = 1024     // descriptors that came with calls that wait
	shareClosing   = 16       // of those closed at the same time: a close may take its time
	sharePasswords = 4        // passwords checked at the same time: there is one queue for all
	smallBody      = 4 << 10  // bytes of a request that are not counted
)

// share is what one session, or one Linux user outside, holds.
type share struct {
	closing   chan struct{} // one token per close under way
	passwords chan struct{} // one token per call that checks a password
	conns     int           // guarded by Server.mu: connections that refer to it

	mu    sync.Mutex
	bytes int // guarded by mu
	files int // guarded by mu
}

func newShare() *share {
	return &share{closing: make(chan struct{}, shareClosing), passwords: make(chan struct{}, sharePasswords)}
}

// take counts bytes and files and reports whether there was room for them.
// Giving back is taking less than nothing.
func (sh *share) take(bytes, files int) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if bytes > 0 && sh.bytes+bytes > shareBytes || files > 0 && sh.files+files > shareFiles {
		return false
	}
	sh.bytes += bytes
	sh.files += files
	return true
}

// closeAll closes descriptors that came from a caller. The last close of a
// socket may take as long as its owner set it to, of a file what its file system
// takes: neither may cost more than a few threads, for the process has not many.
func (sh *share) closeAll(files []*os.File) {
	if len(files) == 0 {
		return
	}
	sh.closing <- struct{}{}
	defer func() { <-sh.closing }()
	closePassed(files)
}

// closePassed closes descriptors that came from a caller, sockets at once: what
// they have still to send is sent on by the kernel.
func closePassed(files []*os.File) {
	for _, f := range files {
		if rc, err := f.SyscallConn(); err == nil {
			_ = rc.Control(func(fd uintptr) {
				l, err := unix.GetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER)
				if err == nil && l.Onoff != 0 && l.Linger != 0 {
					_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
				}
			})
		}
		f.Close()
	}
}

// checkingPassword waits until the caller may have one more password checked
// and gives what ends that. Passwords are checked one after the other for
// everybody, which takes its time on purpose: without this, one session's
// guesses would keep all others from logging on.
func (c *Call) checkingPassword(ctx context.Context, op string) (done func(), err error) {
	if c.share == nil {
		return func() {}, nil
	}
	select {
	case c.share.passwords <- struct{}{}:
		return func() { <-c.share.passwords }, nil
	case <-ctx.Done():
		return nil, &win32.Error{Op: op, Code: win32.ERROR_CANCELLED}
	}
}
