// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// Bounds of what one browser, and all of them, may hold.
const (
	maxVisits     = 256
	maxIdleConns  = 4
	maxViewers    = 64 // WebSockets of one visit
	maxStreams    = 32 // event streams of one visit
	visitIdle     = 12 * time.Hour
	closeDeadline = 5 * time.Second
)

// visit is a browser, or a script, that has signed in: a token handle in this
// process's table at the daemon and the connections that impersonate it.
type visit struct {
	user   string   // immutable
	person bool     // immutable: its viewers take a person's input (IN-9)
	admin  bool     // immutable
	ticket string   // immutable; shown again to a daemon that restarted
	key    [32]byte // immutable; hash of the secret the browser holds
	dial   Dialer   // immutable

	signIn sync.Mutex // held while the token is redeemed anew; before mu

	mu       sync.Mutex
	token    win32.Handle      // guarded by mu
	daemonID uint64            // guarded by mu; the daemon that gave token
	idle     []Conn            // guarded by mu
	busy     map[Conn]struct{} // guarded by mu
	ended    bool              // guarded by mu
	lastUsed time.Time         // guarded by mu
	viewers  int               // guarded by mu
	streams  int               // guarded by mu
}

// errSignedOut is what a request gets whose visit has ended.
var errSignedOut = newProblem(http.StatusUnauthorized, win32.ERROR_NO_TOKEN, "cannot go on: you are not signed in here any more")

// conn gives a connection that impersonates the visit's token, to be given
// back with put. With check set an idle connection is tried first, so that a
// request that must not be sent twice is not lost on a dead one.
func (v *visit) conn(ctx context.Context, check bool) (Conn, error) {
	for {
		v.mu.Lock()
		if v.ended {
			v.mu.Unlock()
			return nil, errSignedOut
		}
		n := len(v.idle)
		if n == 0 {
			v.mu.Unlock()
			return v.newConn(ctx)
		}
		c := v.idle[n-1]
		v.idle = v.idle[:n-1]
		v.busy[c] = struct{}{}
		v.mu.Unlock()
		if !check {
			return c, nil
		}
		if _, err := c.Ping(ctx, api.PingRequest{}); err == nil {
			return c, nil
		}
		v.drop(c)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// newConn dials and impersonates. When the daemon is another one than gave the
// token, its handles mean nothing there: the ticket is shown again, which the
// daemon allows to the process that redeemed it. An old handle value is never
// used with a new daemon; it may be another visit's by now.
func (v *visit) newConn(ctx context.Context) (Conn, error) {
	c, err := v.dial(ctx)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	if v.ended {
		v.mu.Unlock()
		c.Close()
		return nil, errSignedOut
	}
	v.busy[c] = struct{}{}
	v.mu.Unlock()

	token, err := v.tokenFor(ctx, c)
	if err == nil {
		err = c.ImpersonateLoggedOnUser(ctx, api.HandleRequest{Handle: token})
	}
	if err != nil {
		v.drop(c)
		return nil, err
	}
	return c, nil
}

func (v *visit) tokenFor(ctx context.Context, c Conn) (win32.Handle, error) {
	v.signIn.Lock()
	defer v.signIn.Unlock()
	v.mu.Lock()
	token, same := v.token, v.daemonID == c.DaemonID()
	v.mu.Unlock()
	if same {
		return token, nil
	}
	got, err := c.RedeemTicket(ctx, api.RedeemTicketRequest{Ticket: v.ticket})
	if err != nil {
		if unreachable(err) || ctx.Err() != nil {
			return 0, err
		}
		v.end()
		return 0, errSignedOut
	}
	v.mu.Lock()
	v.token, v.daemonID = win32.Handle(got.Token), c.DaemonID()
	v.mu.Unlock()
	return win32.Handle(got.Token), nil
}

// put gives a connection back after a call that ended with err.
func (v *visit) put(c Conn, err error) {
	if unreachable(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		v.drop(c)
		return
	}
	v.mu.Lock()
	delete(v.busy, c)
	keep := !v.ended && len(v.idle) < maxIdleConns && c.DaemonID() == v.daemonID
	if keep {
		v.idle = append(v.idle, c)
	}
	v.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// drop closes a connection that is not to be used again.
func (v *visit) drop(c Conn) {
	v.mu.Lock()
	delete(v.busy, c)
	v.mu.Unlock()
	c.Close()
}

// end closes every connection of the visit. Calls and viewers that run on them
// end with it.
func (v *visit) end() {
	v.mu.Lock()
	v.ended = true
	all := v.idle
	for c := range v.busy {
		all = append(all, c)
	}
	v.idle = nil
	v.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// hold counts a viewer or an event stream against its bound; release undoes it.
func (v *visit) hold(count *int, bound int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended || *count >= bound {
		return false
	}
	*count++
	return true
}

func (v *visit) release(count *int) {
	v.mu.Lock()
	*count--
	v.mu.Unlock()
}

// read runs a call that changes nothing. A connection that died while it was
// idle, or with a daemon that restarted, is replaced once.
func read[T any](ctx context.Context, v *visit, call func(context.Context, Conn) (T, error)) (T, error) {
	var zero T
	for try := 0; ; try++ {
		c, err := v.conn(ctx, false)
		if err != nil {
			return zero, problemOf(err)
		}
		t, err := call(ctx, c)
		v.put(c, err)
		if err == nil {
			return t, nil
		}
		if !unreachable(err) || try > maxIdleConns || ctx.Err() != nil {
			return zero, problemOf(err)
		}
	}
}

// change runs a call that changes something: it is sent once.
func change[T any](ctx context.Context, v *visit, call func(context.Context, Conn) (T, error)) (T, error) {
	var zero T
	c, err := v.conn(ctx, true)
	if err != nil {
		return zero, problemOf(err)
	}
	t, err := call(ctx, c)
	v.put(c, err)
	if err != nil {
		return zero, problemOf(err)
	}
	return t, nil
}

// act is change for calls without a reply.
func act(ctx context.Context, v *visit, call func(context.Context, Conn) error) error {
	_, err := change(ctx, v, func(ctx context.Context, c Conn) (struct{}, error) { return struct{}{}, call(ctx, c) })
	return err
}

// closeHandle gives back a handle even when the request it was for is over.
func closeHandle(ctx context.Context, c Conn, h win32.Handle) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeDeadline)
	defer cancel()
	// It fails only when the connection is gone, and the call before said so.
	_ = c.CloseHandle(ctx, api.HandleRequest{Handle: h})
}

// unreachable reports that the daemon, not the request, is the trouble.
func unreachable(err error) bool { return errors.Is(err, win32.RPC_S_SERVER_UNAVAILABLE) }

// visits is every browser that is signed in, by the hash of its secret.
type visits struct {
	now  func() time.Time // immutable
	dial Dialer           // immutable
	gate chan struct{}    // immutable; bounds sign-ins that run at once

	mu    sync.Mutex
	byKey map[[32]byte]*visit    // guarded by mu
	used  map[[32]byte]*visit    // guarded by mu; by the ticket's hash, for ever: one-time is ours to keep too
	held  map[[32]byte]time.Time // guarded by mu; tickets being redeemed right now
}

func newVisits(dial Dialer, now func() time.Time) *visits {
	return &visits{
		now: now, dial: dial, gate: make(chan struct{}, 4),
		byKey: map[[32]byte]*visit{}, used: map[[32]byte]*visit{}, held: map[[32]byte]time.Time{},
	}
}

var errTicket = newProblem(http.StatusForbidden, win32.ERROR_LOGON_FAILURE,
	"cannot sign in: this ticket is wrong, too old or was used before; a ticket is good for one sign-in")

// signIn redeems a ticket and gives the secret of the new visit.
func (vs *visits) signIn(ctx context.Context, ticket string) (string, *visit, error) {
	if ticket == "" || len(ticket) > 512 {
		return "", nil, errTicket
	}
	sum := sha256.Sum256([]byte(ticket))
	vs.mu.Lock()
	_, used := vs.used[sum]
	_, held := vs.held[sum]
	if used || held {
		vs.mu.Unlock()
		return "", nil, errTicket
	}
	vs.held[sum] = vs.now()
	vs.mu.Unlock()
	defer func() {
		vs.mu.Lock()
		delete(vs.held, sum)
		vs.mu.Unlock()
	}()

	select {
	case vs.gate <- struct{}{}:
		defer func() { <-vs.gate }()
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}

	c, err := vs.dial(ctx)
	if err != nil {
		return "", nil, problemOf(err)
	}
	got, err := c.RedeemTicket(ctx, api.RedeemTicketRequest{Ticket: ticket})
	if err != nil {
		c.Close()
		if unreachable(err) || ctx.Err() != nil {
			return "", nil, problemOf(err)
		}
		return "", nil, errTicket
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	secret := base64.RawURLEncoding.EncodeToString(raw)
	v := &visit{
		user: got.User, person: got.Person, admin: got.Admin, ticket: ticket, key: sha256.Sum256([]byte(secret)),
		dial: vs.dial, token: win32.Handle(got.Token), daemonID: c.DaemonID(),
		busy: map[Conn]struct{}{c: {}}, lastUsed: vs.now(),
	}
	if err := c.ImpersonateLoggedOnUser(ctx, api.HandleRequest{Handle: v.token}); err != nil {
		closeHandle(ctx, c, v.token)
		v.drop(c)
		return "", nil, problemOf(err)
	}
	v.put(c, nil)

	vs.mu.Lock()
	old := vs.sweepLocked()
	vs.byKey[v.key], vs.used[sum] = v, v
	vs.mu.Unlock()
	for _, o := range old {
		vs.finish(o)
	}
	return secret, v, nil
}

// sweepLocked takes out visits that nobody used for long, and the oldest one
// when there are too many.
func (vs *visits) sweepLocked() []*visit {
	var out []*visit
	var oldest *visit
	var oldestUse time.Time
	for key, v := range vs.byKey {
		v.mu.Lock()
		used, live := v.lastUsed, v.viewers+v.streams > 0
		v.mu.Unlock()
		if !live && vs.now().Sub(used) > visitIdle {
			delete(vs.byKey, key)
			out = append(out, v)
			continue
		}
		if oldest == nil || used.Before(oldestUse) {
			oldest, oldestUse = v, used
		}
	}
	if len(vs.byKey) >= maxVisits && oldest != nil {
		delete(vs.byKey, oldest.key)
		out = append(out, oldest)
	}
	return out
}

// bySecret finds the visit of a cookie or bearer token; nil when there is none.
func (vs *visits) bySecret(secret string) *visit {
	if secret == "" {
		return nil
	}
	key := sha256.Sum256([]byte(secret))
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v := vs.byKey[key]
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended || (v.viewers+v.streams == 0 && vs.now().Sub(v.lastUsed) > visitIdle) {
		return nil
	}
	v.lastUsed = vs.now()
	return v
}

// madeBy reports whether v came from this ticket: the sign-in page loaded
// again by the browser that used it goes on instead of complaining.
func (vs *visits) madeBy(v *visit, ticket string) bool {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return v != nil && vs.used[sha256.Sum256([]byte(ticket))] == v
}

// signOut ends a visit and gives its token back.
func (vs *visits) signOut(v *visit) {
	vs.mu.Lock()
	delete(vs.byKey, v.key)
	vs.mu.Unlock()
	vs.finish(v)
}

func (vs *visits) finish(v *visit) {
	v.end()
	v.mu.Lock()
	token, daemonID := v.token, v.daemonID
	v.token = 0
	v.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeDeadline)
	defer cancel()
	c, err := vs.dial(ctx)
	if err != nil {
		return // a daemon that is gone has no handle of ours either
	}
	defer c.Close()
	if token != 0 && c.DaemonID() == daemonID {
		_ = c.CloseHandle(ctx, api.HandleRequest{Handle: token})
	}
}

// close ends every visit; the process is going, and its handles with it.
func (vs *visits) close() {
	vs.mu.Lock()
	all := make([]*visit, 0, len(vs.byKey))
	for _, v := range vs.byKey {
		all = append(all, v)
	}
	vs.byKey = map[[32]byte]*visit{}
	vs.mu.Unlock()
	for _, v := range all {
		v.end()
	}
}
