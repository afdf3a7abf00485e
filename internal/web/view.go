// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// Bounds of a viewer's WebSocket.
const (
	viewerMessage = 1 << 20          // largest message of a browser: clipboard text
	viewerChunk   = 64 << 10         // bytes of the RFB stream in one message
	viewerPing    = 30 * time.Second // how often a silent browser is asked for a sign of life
	viewerStall   = 60 * time.Second // a browser that takes nothing for so long is gone
	viewerClosing = 5 * time.Second
)

// view joins a WebSocket with the RFB stream of a session. The stream is opened
// first, so that a refusal is an ordinary HTTP error.
func (s *Server) view(w http.ResponseWriter, r *http.Request) {
	v := s.visitOf(r)
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		writeProblem(w, newProblem(http.StatusBadRequest, win32.ERROR_INVALID_PARAMETER, fmt.Sprintf("cannot view session %q: not a number", r.PathValue("id"))))
		return
	}
	readOnly, err := strconv.ParseBool(r.URL.Query().Get("readonly"))
	if q := r.URL.Query().Get("readonly"); err != nil && q != "" {
		writeProblem(w, newProblem(http.StatusBadRequest, win32.ERROR_INVALID_PARAMETER, fmt.Sprintf("cannot view: readonly=%q is neither true nor false", q)))
		return
	}
	if r.Header.Get("Upgrade") == "" {
		w.Header().Set("Upgrade", "websocket")
		writeProblem(w, newProblem(http.StatusUpgradeRequired, win32.ERROR_INVALID_PARAMETER, "cannot view: this address speaks WebSocket, subprotocol binary"))
		return
	}
	if v == nil || !v.hold(&v.viewers, maxViewers) {
		writeProblem(w, newProblem(http.StatusTooManyRequests, win32.ERROR_NOT_ENOUGH_QUOTA, "cannot view: this sign-in has too many viewers"))
		return
	}
	defer v.release(&v.viewers)
	if !s.addRelay() {
		writeProblem(w, newProblem(http.StatusServiceUnavailable, win32.ERROR_SHUTDOWN_IN_PROGRESS, "cannot view: the console is going"))
		return
	}
	defer s.relays.Done()

	c, err := v.conn(r.Context(), true)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	stream, err := c.OpenViewer(r.Context(), api.OpenViewerRequest{SessionID: uint32(id), ReadOnly: readOnly})
	if err != nil {
		v.put(c, err)
		writeProblem(w, problemOf(err))
		return
	}
	// From here the connection is the stream; closing it unblocks both copies.
	defer v.drop(c)
	defer stream.Close()

	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{"binary"},
		CompressionMode: websocket.CompressionDisabled, // the stream is compressed already
	})
	if err != nil {
		return // Accept has answered
	}
	defer ws.CloseNow()
	relay(s.ctx, ws, stream)
}

// relay copies both ways until either side ends, then ends the other.
// going ends when the console does; it is not the context of the copies, whose
// end would break the WebSocket off without a word.
func relay(going context.Context, ws *websocket.Conn, stream io.ReadWriteCloser) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ws.SetReadLimit(viewerMessage)

	up := make(chan error, 1)    // browser to daemon
	alive := make(chan error, 1) // pings
	down := make(chan error, 1)  // daemon to browser
	go func() { up <- copyUp(ctx, ws, stream) }()
	go func() { alive <- keepAlive(ctx, ws) }()
	go func() { down <- copyDown(ctx, ws, stream) }()

	left := 3
	code, reason := websocket.StatusNormalClosure, "the viewer ended"
	select {
	case <-up:
		left--
	case <-alive:
		left--
	case err := <-down:
		left--
		if err != nil && !errors.Is(err, io.EOF) {
			code, reason = websocket.StatusGoingAway, "the daemon went away"
		} else {
			code, reason = websocket.StatusGoingAway, "the session or the daemon ended the view"
		}
	case <-going.Done():
		code, reason = websocket.StatusGoingAway, "the console is going"
	}
	stream.Close()
	// Close waits for the browser's answer, but not for long; the reader must
	// still run for that.
	closing := make(chan struct{})
	go func() {
		defer close(closing)
		_ = ws.Close(code, reason) // the browser may be gone already
	}()
	select {
	case <-closing:
	case <-time.After(viewerClosing):
	}
	cancel()
	ws.CloseNow()
	<-closing
	for range left {
		select {
		case <-up:
		case <-alive:
		case <-down:
		}
	}
}

func copyUp(ctx context.Context, ws *websocket.Conn, stream io.Writer) error {
	buf := make([]byte, 4<<10)
	for {
		kind, r, err := ws.Reader(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageBinary {
			return errors.New("cannot take a text message: the stream is binary")
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{stream}, struct{ io.Reader }{r}, buf); err != nil {
			return err
		}
	}
}

func copyDown(ctx context.Context, ws *websocket.Conn, stream io.Reader) error {
	buf := make([]byte, viewerChunk)
	for {
		n, err := stream.Read(buf)
		if n > 0 {
			if err := writeOnce(ctx, ws, buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

func writeOnce(ctx context.Context, ws *websocket.Conn, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, viewerStall)
	defer cancel()
	return ws.Write(ctx, websocket.MessageBinary, b)
}

// keepAlive notices a browser that vanished without a word.
func keepAlive(ctx context.Context, ws *websocket.Conn) error {
	t := time.NewTicker(viewerPing)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		pctx, cancel := context.WithTimeout(ctx, viewerPing)
		err := ws.Ping(pctx)
		cancel()
		if err != nil {
			return err
		}
	}
}
