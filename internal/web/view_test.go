// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"stationmaster/win32"
)

// dialView opens a viewer and gives the browser's end and the daemon's.
func (x *site) dialView(header ...string) (*websocket.Conn, net.Conn) {
	x.t.Helper()
	x.d.mu.Lock()
	x.d.raw = make(chan net.Conn, 1)
	x.d.mu.Unlock()
	h := http.Header{"Authorization": {"Bearer " + x.token}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ws, res, err := websocket.Dial(x.t.Context(), "ws"+strings.TrimPrefix(x.url, "http")+"/v1/sessions/1/view", &websocket.DialOptions{
		HTTPClient: x.client, HTTPHeader: h, Subprotocols: []string{"binary"},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	if res.Header.Get("Sec-WebSocket-Protocol") != "binary" {
		x.t.Errorf("subprotocol %q", res.Header.Get("Sec-WebSocket-Protocol"))
	}
	ws.SetReadLimit(-1)
	far := <-x.d.raw
	x.t.Cleanup(func() {
		ws.CloseNow()
		far.Close()
	})
	return ws, far
}

func TestViewRelaysBothWays(t *testing.T) {
	x := signedIn(t)
	ws, far := x.dialView()
	if err := ws.Write(t.Context(), websocket.MessageBinary, []byte("RFB 003.008\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 12)
	if _, err := io.ReadFull(far, b); err != nil || string(b) != "RFB 003.008\n" {
		t.Fatalf("the daemon read %q, %v", b, err)
	}
	go far.Write([]byte("hello"))
	kind, got, err := ws.Read(t.Context())
	if err != nil || kind != websocket.MessageBinary || string(got) != "hello" {
		t.Fatalf("the browser read %v %q, %v", kind, got, err)
	}
}

func TestViewBigFrames(t *testing.T) {
	x := signedIn(t)
	ws, far := x.dialView()
	const size = 5<<20 + 13
	picture := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	go far.Write(picture)
	sum := sha256.New()
	for n := 0; n < size; {
		_, b, err := ws.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > viewerChunk {
			t.Fatalf("a message of %d bytes", len(b))
		}
		n += len(b)
		sum.Write(b)
	}
	if want := sha256.Sum256(picture); !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Error("the picture came through changed")
	}
	// Up: a message as large as allowed passes, a larger one ends the viewer.
	go ws.Write(t.Context(), websocket.MessageBinary, picture[:viewerMessage])
	up := make([]byte, viewerMessage)
	if _, err := io.ReadFull(far, up); err != nil || !bytes.Equal(up, picture[:viewerMessage]) {
		t.Fatalf("the clipboard came through changed: %v", err)
	}
	go ws.Write(t.Context(), websocket.MessageBinary, picture[:viewerMessage+2])
	far.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, far); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the daemon's end: %v", err)
	}
}

func TestViewBrowserLeaves(t *testing.T) {
	x := signedIn(t)
	before := x.d.openConns()
	for _, leave := range []func(*websocket.Conn){
		func(ws *websocket.Conn) { ws.Close(websocket.StatusNormalClosure, "") },
		func(ws *websocket.Conn) { ws.CloseNow() },
	} {
		ws, far := x.dialView()
		leave(ws)
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Error("the daemon's end is still open")
		}
		eventually(t, "the viewer's connection is closed", func() bool { return x.d.openConns() <= before })
	}
}

func TestViewDaemonLeaves(t *testing.T) {
	x := signedIn(t)
	ws, far := x.dialView()
	far.Close()
	_, _, err := ws.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the browser read %v", err)
	}
	ws, _ = x.dialView()
	x.d.stop()
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the browser read %v", err)
	}
	x.d.restart()
	x.dialView() // and back
}

// Signing out ends the viewers, too.
func TestViewSignOut(t *testing.T) {
	x := signedIn(t)
	ws, far := x.dialView()
	ended := make(chan error, 1)
	go func() { // answers the closing handshake while the request waits
		_, _, err := ws.Read(t.Context())
		ended <- err
	}()
	x.call(http.MethodPost, "/v1/signout", "", 204, nil)
	if err := <-ended; err == nil {
		t.Error("the viewer goes on")
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the daemon's end is still open")
	}
}

// A text message is no RFB: the viewer ends, nothing reaches the daemon.
func TestViewText(t *testing.T) {
	x := signedIn(t)
	ws, far := x.dialView()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n, err := far.Read(make([]byte, 8)); n != 0 || err == nil {
		t.Errorf("the daemon read %d bytes, %v", n, err)
	}
}

func TestViewRefused(t *testing.T) {
	x := signedIn(t)
	upgrade := []string{"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	x.refused(http.MethodGet, "/v1/sessions/77/view", "", 404, win32.ERROR_CTX_WINSTATION_NOT_FOUND, upgrade...)
	x.refused(http.MethodGet, "/v1/sessions/x/view", "", 400, win32.ERROR_INVALID_PARAMETER, upgrade...)
	x.refused(http.MethodGet, "/v1/sessions/1/view?readonly=maybe", "", 400, win32.ERROR_INVALID_PARAMETER, upgrade...)
	x.refused(http.MethodGet, "/v1/sessions/1/view", "", 426, win32.ERROR_INVALID_PARAMETER)
	x.refused(http.MethodGet, "/v1/sessions/1/view", "", 403, win32.ERROR_ACCESS_DENIED, append(upgrade, "Origin", "http://evil.example")...)
	x.d.mu.Lock()
	x.d.fail["OpenViewer"] = &win32.Error{Op: "OpenViewer", Code: win32.ERROR_ACCESS_DENIED, Rule: "SES-23"}
	x.d.mu.Unlock()
	if p := x.refused(http.MethodGet, "/v1/sessions/1/view", "", 403, win32.ERROR_ACCESS_DENIED, upgrade...); p.Rule != "SES-23" {
		t.Errorf("problem %+v", p)
	}

	// With a cookie a WebSocket must come from our own page.
	x.d.ticket("browser", alice)
	res := x.request(http.MethodGet, "/signin?ticket=browser", "")
	res.Body.Close()
	c := res.Cookies()[0]
	x.token = ""
	x.refused(http.MethodGet, "/v1/sessions/1/view", "", 403, win32.ERROR_ACCESS_DENIED, append(upgrade, "Cookie", c.Name+"="+c.Value)...)
	x.d.mu.Lock()
	delete(x.d.fail, "OpenViewer")
	x.d.mu.Unlock()
	x.dialView("Authorization", "", "Cookie", c.Name+"="+c.Value, "Origin", x.url)
}

// Close ends viewers that run and waits for them; nothing is left after it.
func TestCloseEndsViewers(t *testing.T) {
	x := signedIn(t)
	ws, _ := x.dialView()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		x.s.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, _, err := ws.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the browser read %v", err)
	}
	select {
	case <-closed:
	case <-ctx.Done():
		t.Fatal("Close does not end")
	}
}
