// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"io"
	"sync"

	"stationmaster/client"
	"stationmaster/internal/api"
)

// socketConn is a Conn over the daemon's call socket.
type socketConn struct {
	*client.Conn

	mu     sync.Mutex
	stream io.Closer // guarded by mu: what OpenViewer handed out
	closed bool      // guarded by mu
}

// dialSocket dials the call socket at path; the client's default when empty.
func dialSocket(path string) Dialer {
	return func(ctx context.Context) (Conn, error) {
		c, err := client.Dial(ctx, path)
		if err != nil {
			return nil, err
		}
		return &socketConn{Conn: c}, nil
	}
}

func (c *socketConn) DaemonID() uint64 { return c.Hello().DaemonID }

// Close ends the connection, and the viewer's stream when it has become one.
func (c *socketConn) Close() error {
	c.mu.Lock()
	c.closed = true
	stream := c.stream
	c.mu.Unlock()
	if stream != nil {
		stream.Close()
	}
	return c.Conn.Close()
}

func (c *socketConn) RunInSession(ctx context.Context, q api.RunInSessionRequest) (api.CreateProcessReply, error) {
	return c.Conn.RunInSession(ctx, q)
}

func (c *socketConn) OpenViewer(ctx context.Context, q api.OpenViewerRequest) (io.ReadWriteCloser, error) {
	_, stream, err := c.Conn.OpenViewer(ctx, q)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.stream = stream
	closed := c.closed
	c.mu.Unlock()
	if closed {
		stream.Close()
	}
	return stream, nil
}
