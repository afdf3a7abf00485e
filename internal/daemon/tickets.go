// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/layout"
	"stationmaster/internal/logon"
	"stationmaster/security"
	"stationmaster/win32"
)

// Origins of a token (IN-9).
const (
	originPerson     = "person"
	originAutomation = "automation"
)

const (
	ticketDefault = 600 * time.Second
	ticketLongest = 24 * time.Hour
	maxTickets    = 256 // waiting to be redeemed; the oldest goes first
)

// tickets are the one-time tickets, of which only hashes are kept. A restart of
// the daemon makes void what was not redeemed. Who redeemed one may show it to
// each daemon that comes after, once, because its token went with the daemon
// before: so a console that goes on keeps its people signed in.
type tickets struct {
	mu       sync.Mutex
	open     []ticket   // guarded by mu; oldest first
	redeemed []redeemed // guarded by mu; oldest first; renewals take the path's file
	loaded   bool       // guarded by mu: redeemed has what the file had
}

// redeemed is a ticket that has been redeemed, in the live state.
type redeemed struct {
	Hash    []byte
	Subject string
	Person  bool
	PID     int    // who redeemed it
	Start   uint64 // when that process started, so that the number is nobody else's
	Daemon  uint64 // which redeemed it last
}

type ticket struct {
	hash    [sha256.Size]byte
	subject string // account; empty: the operator
	person  bool
	until   time.Time
}

// add makes a ticket of 256 random bits.
func (ts *tickets) add(subject string, person bool, life time.Duration) string {
	raw := make([]byte, 32)
	rand.Read(raw)
	text := base64.RawURLEncoding.EncodeToString(raw)
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.expireLocked()
	if len(ts.open) >= maxTickets {
		ts.open = ts.open[1:]
	}
	ts.open = append(ts.open, ticket{sha256.Sum256([]byte(text)), subject, person, time.Now().Add(life)})
	return text
}

// take redeems a ticket, once. Every open ticket is compared in constant time.
func (ts *tickets) take(text string) (ticket, bool) {
	hash := sha256.Sum256([]byte(text))
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.expireLocked()
	at := -1
	for i := range ts.open {
		if subtle.ConstantTimeCompare(hash[:], ts.open[i].hash[:]) == 1 {
			at = i
		}
	}
	if at < 0 {
		return ticket{}, false
	}
	t := ts.open[at]
	ts.open = append(ts.open[:at], ts.open[at+1:]...)
	return t, true
}

// known reports whether a ticket is waiting to be redeemed.
func (ts *tickets) known(text string) bool {
	hash := sha256.Sum256([]byte(text))
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.expireLocked()
	found := 0
	for i := range ts.open {
		found |= subtle.ConstantTimeCompare(hash[:], ts.open[i].hash[:])
	}
	return found == 1
}

// redeem takes a ticket for a process, or renews one that the same process
// redeemed with an earlier daemon. path is the file that outlives the daemon,
// empty for none.
func (ts *tickets) redeem(text, path string, pid int, start, daemon uint64, log *slog.Logger) (ticket, bool) {
	t, fresh := ts.take(text)
	hash := sha256.Sum256([]byte(text))
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if !ts.loaded {
		ts.loaded = true
		ts.redeemed = loadRedeemed(path, log)
	}
	switch {
	case fresh:
		if len(ts.redeemed) >= maxTickets {
			ts.redeemed = ts.redeemed[1:]
		}
		ts.redeemed = append(ts.redeemed, redeemed{hash[:], t.subject, t.person, pid, start, daemon})
	default:
		at := slices.IndexFunc(ts.redeemed, func(r redeemed) bool {
			return subtle.ConstantTimeCompare(hash[:], r.Hash) == 1 && r.PID == pid && r.Start == start && start != 0 && r.Daemon != daemon
		})
		if at < 0 {
			return ticket{}, false
		}
		r := &ts.redeemed[at]
		r.Daemon = daemon
		t = ticket{hash: hash, subject: r.Subject, person: r.Person}
	}
	if path == "" {
		return t, true
	}
	b, err := json.Marshal(ts.redeemed)
	if err == nil {
		err = layout.Replace(path, b)
	}
	if err != nil {
		log.Error("a sign-in will not outlive the daemon", "error", err)
	}
	return t, true
}

func loadRedeemed(path string, log *slog.Logger) (list []redeemed) {
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		log.Error("sign-ins of the daemon before are lost", "error", err)
		return nil
	}
	return list
}

func (ts *tickets) expireLocked() {
	now, keep := time.Now(), ts.open[:0]
	for _, t := range ts.open {
		if now.Before(t.until) {
			keep = append(keep, t)
		}
	}
	ts.open = keep
}

// CreateTicket makes a ticket for the operator or an account. One that counts
// as a person's is the operator's to give: no program in a session can make one
// (IN-9).
func (s *Services) CreateTicket(_ context.Context, c *Call, q *api.CreateTicketRequest) (*api.TicketReply, error) {
	const op = "CreateTicket"
	if err := requireSystem(c, op, q.Subject, "IN-9"); err != nil {
		return nil, err
	}
	if c.Peer.InSession && q.Person {
		return nil, c.Thread.Refuse(op, q.Subject, win32.ERROR_ACCESS_DENIED, "IN-9", "a program in a session asked for a person's ticket")
	}
	life := time.Duration(q.Seconds) * time.Second
	switch {
	case life == 0:
		life = ticketDefault
	case life > ticketLongest:
		return nil, &win32.Error{Op: op, Object: "Seconds", Code: win32.ERROR_INVALID_PARAMETER}
	}
	if q.Subject != "" {
		if s.Store == nil {
			return nil, without(op, "accounts")
		}
		if _, err := s.Store.Trusted(q.Subject); err != nil {
			return nil, err
		}
	}
	return &api.TicketReply{Ticket: s.tickets.add(q.Subject, q.Person, life)}, nil
}

// RedeemTicket gives the token of a ticket's subject to whoever has the
// ticket: LocalSystem for the operator's; for an account the token of its
// session if it is logged on, else that of a network logon. The caller's process
// must hold SeImpersonatePrivilege, as services do; the ticket stays good when
// it does not (1314). The process that redeemed a ticket may do so once more with each later daemon.
func (s *Services) RedeemTicket(_ context.Context, c *Call, q *api.RedeemTicketRequest) (*api.RedeemTicketReply, error) {
	const op = "RedeemTicket"
	// Whoever may not act as others has no use for a ticket but mischief: it was
	// caught on its way to the console (a browser told the wrong port, say).
	if !c.Thread.Process().Token().HoldsPrivilege(security.SeImpersonatePrivilege) {
		if !s.tickets.known(q.Ticket) {
			return nil, c.Thread.Refuse(op, "", win32.ERROR_LOGON_FAILURE, "IN-9", "no such ticket: used, expired or never made")
		}
		return nil, c.Thread.Refuse(op, "", win32.ERROR_PRIVILEGE_NOT_HELD, "IN-9", "somebody else's ticket: the process does not hold SeImpersonatePrivilege")
	}
	t, ok := s.tickets.redeem(q.Ticket, s.TicketState, c.Peer.PID, c.Peer.StartTime, s.Daemon, s.log())
	if !ok {
		return nil, c.Thread.Refuse(op, "", win32.ERROR_LOGON_FAILURE, "IN-9", "no such ticket: used, expired or never made")
	}
	tok, err := s.subjectToken(t.subject)
	if err != nil {
		return nil, err
	}
	origin := originAutomation
	if t.person {
		origin = originPerson
	}
	h, err := c.Thread.InsertToken(tok, win32.TOKEN_QUERY|win32.TOKEN_DUPLICATE|win32.TOKEN_IMPERSONATE, origin)
	if err != nil {
		return nil, err
	}
	return &api.RedeemTicketReply{Token: uint32(h), Person: t.person, User: s.nameOf(tok.User()), Admin: tok.IsAdministrator()}, nil
}

func (s *Services) subjectToken(subject string) (*security.Token, error) {
	if subject == "" {
		return security.SystemToken(0), nil
	}
	a, err := s.Store.Trusted(subject)
	if err != nil {
		return nil, err
	}
	for _, se := range s.Engine.Sessions() {
		if tok := se.User(); tok != nil && tok.User() == a.SID {
			return tok, nil
		}
	}
	return s.Store.NewToken(a, logon.TokenRequest{Type: win32.LOGON32_LOGON_NETWORK, Allocate: s.Engine.AllocateLUID})
}
