// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"

	"stationmaster/internal/api"
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

// tickets are the one-time tickets that have not been redeemed. Only hashes
// are kept, in memory: a restart of the daemon makes them void.
type tickets struct {
	mu   sync.Mutex
	open []ticket // guarded by mu; oldest first
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
// session if it is logged on, else that of a network logon.
func (s *Services) RedeemTicket(_ context.Context, c *Call, q *api.RedeemTicketRequest) (*api.RedeemTicketReply, error) {
	const op = "RedeemTicket"
	t, ok := s.tickets.take(q.Ticket)
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
