// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Options are the settings of the console.
type Options struct {
	// Listen is the TCP address, such as 127.0.0.1:8080.
	Listen string
	// Socket is the daemon's call socket; unused when Dial is set.
	Socket string
	// Dial opens a connection to the daemon. Nil dials Socket.
	Dial Dialer
	// Hosts are names besides localhost and the one in Listen that browsers may
	// use for this machine, such as that of a reverse proxy.
	Hosts []string
	// Logger takes what an administrator should know. Nil logs nowhere.
	Logger *slog.Logger
	// Ready is called once with the address that is listened on.
	Ready func(net.Addr)
}

// Server is the console as an http.Handler. Make it with New, end it with Close.
type Server struct {
	log      *slog.Logger
	visits   *visits
	hosts    []string // immutable
	wildcard bool     // immutable: listens on every address
	cookie   string   // immutable: name of the cookie
	api      huma.API
	handler  http.Handler

	ctx    context.Context // ends with Close; streams and viewers watch it
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool           // guarded by mu
	relays sync.WaitGroup // added to under mu; viewers, whose connections net/http has given away
}

// New makes the console. It dials nothing until a browser signs in.
func New(o Options) (*Server, error) {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", o.Listen, err)
	}
	s := &Server{log: o.Logger, hosts: append([]string(nil), o.Hosts...), cookie: "station-" + port}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if ip, err := netip.ParseAddr(host); host == "" || (err == nil && ip.IsUnspecified()) {
		s.wildcard = true
	} else {
		s.hosts = append(s.hosts, strings.ToLower(host))
	}
	dial := o.Dial
	if dial == nil {
		dial = dialSocket(o.Socket)
	}
	s.visits = newVisits(dial, time.Now)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.handler = s.gate(s.routes())
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close ends every sign-in, stream and viewer and waits for the viewers.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.visits.close()
	s.relays.Wait()
}

// addRelay counts a viewer that Close waits for; false when it is too late.
func (s *Server) addRelay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.relays.Add(1)
	return true
}

// Main runs the console until ctx ends.
//
// Errors: "cannot listen on ADDR: …" when the address is taken or not ours.
func Main(ctx context.Context, o Options) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return fmt.Errorf("cannot listen on %s: %w", o.Listen, err)
	}
	// The cookie's name holds the port that was really taken.
	if host, _, err := net.SplitHostPort(o.Listen); err == nil {
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		o.Listen = net.JoinHostPort(host, port)
	}
	s, err := New(o)
	if err != nil {
		ln.Close()
		return err
	}
	return s.serve(ctx, ln, o.Ready)
}

func (s *Server) serve(ctx context.Context, ln net.Listener, ready func(net.Addr)) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	s.log.Info("the console listens", "address", ln.Addr().String())
	if ready != nil {
		ready(ln.Addr())
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-done:
		done <- nil
	}
	s.Close()
	stop, cancel := context.WithTimeout(context.Background(), closeDeadline)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close()
	}
	<-done
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot go on serving the console: %w", err)
	}
	return nil
}

// routes joins the page, the API and the streams.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.api = s.newAPI(mux)
	mux.HandleFunc("GET /v1/sessions/{id}/view", s.view)
	mux.HandleFunc("GET /signin", s.signInPage)
	mux.Handle("/", assets())
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, newProblem(http.StatusNotFound, 1168, "cannot find "+r.Method+" "+r.URL.Path))
	})
	return s.signedInOnly(s.streams(mux))
}

// open are the paths of the API that need no sign-in.
var open = map[string]bool{"/v1/signin": true, "/v1/openapi.json": true, "/v1/openapi.yaml": true}

// signedInOnly answers 401 to calls of the API by nobody.
func (s *Server) signedInOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header().Set("Cache-Control", "no-store")
			if !open[r.URL.Path] && s.visitOf(r) == nil {
				w.Header().Set("WWW-Authenticate", `Bearer realm="stationmaster"`)
				writeProblem(w, errSignedOut)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// visitOf finds who a request belongs to; a bearer token goes before a cookie.
func (s *Server) visitOf(r *http.Request) *visit {
	if r.Header.Get("Authorization") != "" {
		return s.visits.bySecret(bearer(r))
	}
	c, err := r.Cookie(s.cookie)
	if err != nil {
		return nil
	}
	return s.visits.bySecret(c.Value)
}
