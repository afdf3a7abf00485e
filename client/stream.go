// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net"
	"sync"
)

// stream is the connection after a takeover: the bytes that came with the
// reply first, then the socket.
type stream struct {
	*net.UnixConn

	mu   sync.Mutex
	rest []byte // guarded by mu
}

// Read gives what was read too far before it reads the socket.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	if len(s.rest) > 0 {
		n := copy(p, s.rest)
		s.rest = s.rest[n:]
		s.mu.Unlock()
		return n, nil
	}
	s.mu.Unlock()
	return s.UnixConn.Read(p)
}
