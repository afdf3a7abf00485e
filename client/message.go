// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"stationmaster/win32"
)

// restartGrace is how long SendMessage and the followers wait for a daemon
// that went away to come back.
const restartGrace = 30 * time.Second

// SendMessage shows a message box in a session and gives the number of the
// button pressed (IDOK, IDYES, …), IDTIMEOUT when q.Seconds are over, or
// IDASYNC when q.Wait is false. The box has a key, made here unless q.Key is
// set, and lives in the session: when the daemon is replaced while the question
// is open, SendMessage connects to the new one and waits for the one box's
// answer. It gives up when no daemon answers for 30 seconds. A new connection
// does not impersonate, so neither does the repeated call.
//
// Win32: WTSSendMessage. Rules: WTS-30, WTS-31, WTS-36.
func (c *Conn) SendMessage(ctx context.Context, q SendMessageRequest) (uint32, error) {
	if len(q.Key) == 0 {
		q.Key = make([]byte, 16)
		rand.Read(q.Key)
	}
	conn := c
	for {
		r, err := conn.WTSSendMessage(ctx, q)
		if conn != c {
			if err == nil || !errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) {
				conn.Close()
				return r.Response, err
			}
			conn.Close()
		}
		if err == nil || !errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) || c.isClosed() {
			return r.Response, err
		}
		next, again := redial(ctx, c.path, restartGrace)
		if again != nil {
			return 0, err
		}
		conn = next
	}
}

// isClosed reports whether Close ended the connection, and not the daemon.
func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// redial connects to whatever daemon serves path within grace, trying again
// with growing pauses.
func redial(ctx context.Context, path string, grace time.Duration) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := Dial(ctx, path)
		if err == nil || !errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) {
			return c, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, err
		}
	}
}
