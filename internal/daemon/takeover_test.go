// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/internal/wire"
	"stationmaster/win32"
)

// echo answers a viewer by giving its bytes back.
type echo struct{ *Services }

func (e echo) OpenViewer(_ context.Context, c *Call, q *api.OpenViewerRequest) (*api.OpenViewerReply, error) {
	if q.SessionID == 404 {
		return nil, &win32.Error{Op: "OpenViewer", Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND}
	}
	c.Takeover(func(_ context.Context, nc net.Conn) {
		fmt.Fprint(nc, "RFB 003.008\n")
		io.Copy(nc, nc)
	})
	return &api.OpenViewerReply{Name: "echo"}, nil
}

func TestTakeover(t *testing.T) {
	p := newPlane(t, Limits{WriteTime: 100 * time.Millisecond}, func(p *plane) Handler { return echo{p.services} })
	c := p.dial()
	_, _, err := c.OpenViewer(t.Context(), client.OpenViewerRequest{SessionID: 404})
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	r, stream, err := c.OpenViewer(t.Context(), client.OpenViewerRequest{SessionID: 1})
	if err != nil || r.Name != "echo" {
		t.Fatalf("%+v %v", r, err)
	}
	defer stream.Close()
	b := make([]byte, 12)
	if _, err := io.ReadFull(stream, b); err != nil || string(b) != "RFB 003.008\n" {
		t.Fatalf("%q %v", b, err)
	}
	// The deadline of the reply does not outlive it.
	time.AfterFunc(150*time.Millisecond, func() { fmt.Fprint(stream, "hello, world") })
	if _, err := io.ReadFull(stream, b); err != nil || string(b) != "hello, world" {
		t.Fatalf("%q %v", b, err)
	}
	if _, err := c.Ping(t.Context(), client.PingRequest{}); err == nil {
		t.Error("a connection that was taken over took a call")
	}
	c.Close()
	fmt.Fprint(stream, "still there!")
	if _, err := io.ReadFull(stream, b); err != nil || string(b) != "still there!" {
		t.Errorf("closing the Conn cut the stream: %q %v", b, err)
	}
	stream.Close()
	until(t, "the viewer is gone", func() bool { return p.server.Connections() == 0 })

	// Bytes that were sent right behind the call belong to the stream.
	raw := p.raw(true)
	raw.send(append(frame(2, wire.OpOpenViewer, wire.AppendOpenViewerRequest(nil, &api.OpenViewerRequest{SessionID: 1})), "early"...))
	if q := raw.reply(); q.Code != 0 {
		t.Fatal(q.Code)
	}
	got := raw.r.Buffered()
	rest := make([]byte, len("RFB 003.008\nearly")-len(got))
	if _, err := io.ReadFull(raw.nc, rest); err != nil || string(got)+string(rest) != "RFB 003.008\nearly" {
		t.Errorf("%q %q %v", got, rest, err)
	}
	// While a call waits there is no taking over.
	c = p.dial()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go c.ReadEvents(ctx, client.ReadLogRequest{After: 1 << 60, Millis: 60_000})
	until(t, "the takeover is refused", func() bool {
		_, s, err := c.OpenViewer(t.Context(), client.OpenViewerRequest{SessionID: 404})
		if s != nil {
			t.Fatal("it was taken over")
		}
		return win32.Code(err) == win32.ERROR_BUSY
	})
}
