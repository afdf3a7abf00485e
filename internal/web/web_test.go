// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stationmaster/win32"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const alice = `DEMO\alice`

// site is a console with a fake daemon, and a script that is signed in.
type site struct {
	t      *testing.T
	d      *fakeDaemon
	s      *Server
	url    string
	host   string
	token  string
	client *http.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	d := newFakeDaemon()
	s, err := New(Options{Listen: "127.0.0.1:7070", Dial: d.Dial})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(s)
	srv.Config.BaseContext = func(net.Listener) context.Context { return s.ctx }
	srv.Start()
	tr := &http.Transport{}
	x := &site{t: t, d: d, s: s, url: srv.URL, host: strings.TrimPrefix(srv.URL, "http://"), client: &http.Client{
		Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(func() {
		s.Close()
		tr.CloseIdleConnections()
		srv.Close()
		if n := d.openConns(); n != 0 {
			t.Errorf("%d connections to the daemon are left", n)
		}
		for _, kind := range []string{"scm", "user token", "process", "service backup", "service updates"} {
			if n := d.openHandles(kind); n != 0 {
				t.Errorf("%d handles of kind %q are left open", n, kind)
			}
		}
	})
	return x
}

// signedIn is newSite with a bearer token.
func signedIn(t *testing.T) *site {
	t.Helper()
	x := newSite(t)
	x.d.ticket("script", alice)
	var got struct{ Token string }
	x.call(http.MethodPost, "/v1/signin", `{"ticket":"script"}`, http.StatusOK, &got)
	if len(got.Token) < 43 {
		t.Fatalf("token %q is shorter than 256 bits", got.Token)
	}
	x.token = got.Token
	return x
}

func (x *site) request(method, path, body string, header ...string) *http.Response {
	x.t.Helper()
	r, err := http.NewRequest(method, x.url+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if x.token != "" {
		r.Header.Set("Authorization", "Bearer "+x.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		switch header[i] {
		case "Host":
			r.Host = header[i+1]
		case "Authorization":
			r.Header.Del("Authorization")
			fallthrough
		default:
			if header[i+1] != "" {
				r.Header.Set(header[i], header[i+1])
			}
		}
	}
	res, err := x.client.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	return res
}

// call makes a request, wants a status and decodes the answer into out.
func (x *site) call(method, path, body string, want int, out any, header ...string) []byte {
	x.t.Helper()
	res := x.request(method, path, body, header...)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	if res.StatusCode != want {
		x.t.Fatalf("%s %s: status %d, want %d; %s", method, path, res.StatusCode, want, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			x.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return b
}

// refused makes a request that must fail with a status and a Win32 number.
func (x *site) refused(method, path, body string, status int, code win32.Errno, header ...string) Problem {
	x.t.Helper()
	var p Problem
	res := x.request(method, path, body, header...)
	defer res.Body.Close()
	if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
		x.t.Errorf("%s %s: content type %q", method, path, ct)
	}
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		x.t.Fatal(err)
	}
	if res.StatusCode != status || p.Status != status || win32.Errno(p.Code) != code {
		x.t.Fatalf("%s %s: status %d code %d, want %d %d; %+v", method, path, res.StatusCode, p.Code, status, code, p)
	}
	if p.Detail == "" || p.Text == "" || p.CodeName == "" {
		x.t.Errorf("%s %s: the problem is not told in full: %+v", method, path, p)
	}
	return p
}

func TestSignInPage(t *testing.T) {
	x := newSite(t)
	x.d.ticket("once", alice)

	res := x.request(http.MethodGet, "/signin?ticket=once", "")
	page, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !bytes.Contains(page, []byte(`content="1;url=/"`)) {
		t.Fatalf("status %d, page %s", res.StatusCode, page)
	}
	cookies := res.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies, want 1", len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || len(c.Value) < 43 {
		t.Errorf("cookie %+v: want HttpOnly, SameSite=Strict, Path=/, 256 random bits", c)
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("a page with a ticket in its address may be kept or told on")
	}
	cookie := c.Name + "=" + c.Value

	var me Me
	x.call(http.MethodGet, "/v1/me", "", http.StatusOK, &me, "Cookie", cookie)
	if me != (Me{User: alice, Person: true, Admin: true}) {
		t.Errorf("signed in as %+v", me)
	}
	// The same browser may load the page again; another may not.
	x.call(http.MethodGet, "/signin?ticket=once", "", http.StatusOK, nil, "Cookie", cookie)
	for name, target := range map[string]string{"used": "/signin?ticket=once", "wrong": "/signin?ticket=nonsense"} {
		res := x.request(http.MethodGet, target, "")
		page, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden || len(res.Cookies()) != 0 || !bytes.Contains(page, []byte("station view")) {
			t.Errorf("%s ticket: status %d, cookies %v, page %s", name, res.StatusCode, res.Cookies(), page)
		}
	}
	x.call(http.MethodGet, "/signin", "", http.StatusBadRequest, nil)

	// Signing out gives the token back and ends the cookie.
	if n := x.d.openHandles("token " + alice); n != 1 {
		t.Fatalf("%d tokens are open, want 1", n)
	}
	res = x.request(http.MethodPost, "/v1/signout", "", "Cookie", cookie, "Origin", x.url)
	res.Body.Close()
	if got := res.Cookies(); res.StatusCode != http.StatusNoContent || len(got) != 1 || got[0].MaxAge >= 0 {
		t.Errorf("sign-out: status %d, cookies %v", res.StatusCode, got)
	}
	x.refused(http.MethodGet, "/v1/me", "", http.StatusUnauthorized, win32.ERROR_NO_TOKEN, "Cookie", cookie)
	if n := x.d.openHandles("token " + alice); n != 0 {
		t.Errorf("%d tokens are open after signing out", n)
	}
}

func TestSignInWithoutDaemon(t *testing.T) {
	x := newSite(t)
	x.d.ticket("later", alice)
	x.d.stop()
	x.call(http.MethodGet, "/signin?ticket=later", "", http.StatusServiceUnavailable, nil)
	x.refused(http.MethodPost, "/v1/signin", `{"ticket":"later"}`, http.StatusServiceUnavailable, win32.RPC_S_SERVER_UNAVAILABLE)
	x.d.restart()
	x.call(http.MethodGet, "/signin?ticket=later", "", http.StatusOK, nil) // the ticket was not used up
}

// Two browsers with one ticket at once: one is let in.
func TestTicketRace(t *testing.T) {
	x := newSite(t)
	x.d.ticket("race", alice)
	status := make(chan int, 8)
	for range cap(status) {
		go func() {
			res, err := x.client.Post(x.url+"/v1/signin", "application/json", strings.NewReader(`{"ticket":"race"}`))
			if err != nil {
				status <- 0
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			status <- res.StatusCode
		}()
	}
	in := 0
	for range cap(status) {
		switch s := <-status; s {
		case http.StatusOK:
			in++
		case http.StatusForbidden:
		default:
			t.Errorf("status %d", s)
		}
	}
	if in != 1 {
		t.Errorf("%d were let in, want 1", in)
	}
}

func TestGate(t *testing.T) {
	x := newSite(t)
	x.d.ticket("browser", alice)
	res := x.request(http.MethodGet, "/signin?ticket=browser", "")
	res.Body.Close()
	cookie := res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	port := x.host[strings.LastIndex(x.host, ":"):]

	t.Run("host", func(t *testing.T) {
		for host, want := range map[string]int{
			x.host: 200, "localhost" + port: 200, "LOCALHOST": 200, "[::1]" + port: 200, "127.0.0.1": 200, "127.0.0.1:9999": 200,
			"evil.example": 421, "localhost.evil.example" + port: 421, "127.0.0.1.evil.example": 421, "10.0.0.1" + port: 421, "station": 421,
		} {
			res := x.request(http.MethodGet, "/", "", "Host", host)
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("Host %s: status %d, want %d", host, res.StatusCode, want)
			}
		}
	})
	t.Run("origin", func(t *testing.T) {
		lock := func(want int, header ...string) {
			t.Helper()
			x.call(http.MethodPost, "/v1/sessions/1/lock", "", want, nil, append(header, "Cookie", cookie)...)
		}
		lock(204, "Origin", x.url)
		lock(204, "Sec-Fetch-Site", "same-origin")
		lock(403)
		lock(403, "Origin", "null")
		lock(403, "Origin", "http://evil.example")
		lock(403, "Origin", "http://127.0.0.1:1")
		lock(403, "Origin", x.url, "Sec-Fetch-Site", "cross-site")
		lock(403, "Sec-Fetch-Site", "same-site")
		// Reading is kept from other sites' pages, too: they could show a screenshot.
		x.call(http.MethodGet, "/v1/sessions/1/screenshot.png", "", 403, nil, "Cookie", cookie, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors")
		x.call(http.MethodGet, "/v1/sessions/1/screenshot.png", "", 200, nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors")
		// A link to the console may be on any page.
		x.call(http.MethodGet, "/", "", 200, nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
		// A wrong bearer token is not made good by the cookie.
		x.call(http.MethodGet, "/v1/me", "", 401, nil, "Cookie", cookie, "Authorization", "Bearer wrong")
	})
	t.Run("headers", func(t *testing.T) {
		res := x.request(http.MethodGet, "/", "")
		res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "connect-src 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("policy %q has no %q", csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("policy %q allows too much", csp)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Error("types may be guessed")
		}
	})
	t.Run("signed out", func(t *testing.T) {
		for _, path := range []string{"/v1/sessions", "/v1/tree", "/v1/events", "/v1/sessions/1/view", "/v1/nothing"} {
			x.refused(http.MethodGet, path, "", http.StatusUnauthorized, win32.ERROR_NO_TOKEN)
		}
		x.refused(http.MethodGet, "/v1/events", "", http.StatusUnauthorized, win32.ERROR_NO_TOKEN, "Accept", "text/event-stream")
	})
}

// A wildcard address is reached by the literal address it came in by.
func TestGateWildcard(t *testing.T) {
	s, err := New(Options{Listen: "0.0.0.0:7070", Dial: newFakeDaemon().Dial, Hosts: []string{"console.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for host, want := range map[string]int{"192.0.2.7:7070": 200, "192.0.2.8:7070": 421, "console.example": 200, "other.example": 421} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil)
		local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7070}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local))))
		if w.Code != want {
			t.Errorf("Host %s: status %d, want %d", host, w.Code, want)
		}
	}
}

func TestMainErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := ln.Addr().String()
	err = Main(t.Context(), Options{Listen: addr, Dial: newFakeDaemon().Dial})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot listen on "+addr+": ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("port taken: %v", err)
	}
	if err := Main(t.Context(), Options{Listen: "nonsense", Dial: newFakeDaemon().Dial}); err == nil || !strings.HasPrefix(err.Error(), "cannot listen on nonsense: ") {
		t.Errorf("no port: %v", err)
	}
}

// What a restart of the daemon does to a sign-in: handles of before are never
// used, the ticket is shown again, and only this process may.
func TestDaemonRestart(t *testing.T) {
	x := signedIn(t)
	x.call(http.MethodGet, "/v1/sessions", "", 200, nil)
	x.d.stop()
	p := x.refused(http.MethodGet, "/v1/sessions", "", 503, win32.RPC_S_SERVER_UNAVAILABLE)
	if p.Text == "" {
		t.Error("no text")
	}
	x.d.restart()
	// The new daemon gives somebody else the handle value that was ours.
	x.d.mu.Lock()
	x.d.nextH = 0x1000
	x.d.handles[0x1004] = `token DEMO\mallory`
	x.d.nextH = 0x1004
	x.d.mu.Unlock()
	x.call(http.MethodGet, "/v1/sessions", "", 200, nil)
	x.d.mu.Lock()
	for c := range x.d.conns {
		if c.user != alice {
			t.Errorf("a connection acts as %q", c.user)
		}
	}
	delete(x.d.tickets, "script") // a daemon that does not know it
	x.d.mu.Unlock()
	x.d.stop()
	x.d.restart()
	x.refused(http.MethodGet, "/v1/sessions", "", 401, win32.ERROR_NO_TOKEN)
	x.refused(http.MethodGet, "/v1/sessions", "", 401, win32.ERROR_NO_TOKEN)
}

func TestVisitsEnd(t *testing.T) {
	d := newFakeDaemon()
	now := time.Unix(1_800_000_000, 0)
	vs := newVisits(d.Dial, func() time.Time { return now })
	defer vs.close()
	secret, v, err := vs.signIn(t.Context(), d.ticket("a", alice))
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(visitIdle - time.Minute)
	if vs.bySecret(secret) != v {
		t.Error("the visit ended too soon")
	}
	now = now.Add(visitIdle + time.Minute)
	if vs.bySecret(secret) != nil {
		t.Error("the visit did not end")
	}
	for i := range maxVisits + 3 {
		if _, _, err := vs.signIn(t.Context(), d.ticket(fmt.Sprint("t", i), alice)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(vs.byKey); n > maxVisits {
		t.Errorf("%d visits, want at most %d", n, maxVisits)
	}
	if n := d.openHandles("token " + alice); n > maxVisits {
		t.Errorf("%d tokens are open, want at most %d", n, maxVisits)
	}
}

func TestAssets(t *testing.T) {
	x := newSite(t)
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8", "/vendor/preact/hooks.mjs": "text/javascript; charset=utf-8",
		"/novnc/core/rfb.js": "text/javascript; charset=utf-8", "/novnc/LICENSE.txt": "text/plain; charset=utf-8", "/style.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml",
	} {
		res := x.request(http.MethodGet, path, "")
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind || len(b) == 0 {
			t.Errorf("%s: status %d, type %q, %d bytes", path, res.StatusCode, res.Header.Get("Content-Type"), len(b))
		}
		x.call(http.MethodGet, path, "", 304, nil, "If-None-Match", res.Header.Get("ETag"))
	}
	x.call(http.MethodGet, "/web.go", "", 404, nil)
	x.call(http.MethodGet, "/nothing", "", 404, nil)
	x.call(http.MethodPost, "/", "", 405, nil)
}

// eventually polls until something is so; for what the other side of a socket does.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 10 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
