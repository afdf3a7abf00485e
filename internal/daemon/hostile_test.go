// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/win32"
)

// A token that a caller may only look at gives it nothing: not through access
// checks, not where a call asks for administrators or LocalSystem, not through
// the privileges in it.
func TestIdentificationIsNoPower(t *testing.T) {
	conform.Rule(t, "SE-27")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	if _, err := op.AddAccount(ctx, client.AddAccountRequest{Name: "boss", Password: "secret", Admin: true}); err != nil {
		t.Fatal(err)
	}
	me, err := op.GetTokenInformation(ctx, client.IndexRequest{Handle: win32.CurrentProcessToken, Index: 1})
	if err != nil || me.User != "S-1-5-18" {
		t.Fatalf("the operator is %+v %v", me, err)
	}
	h.as(one, func() {
		al := h.dial()
		boss, err := al.LogonUser(ctx, client.LogonUserRequest{Name: "boss", Password: "secret", Type: win32.LOGON32_LOGON_NETWORK})
		if err != nil {
			t.Fatal(err)
		}
		if err := al.ImpersonateLoggedOnUser(ctx, client.HandleRequest{Handle: boss.Handle}); err != nil {
			t.Fatal(err)
		}
		now, err := al.GetTokenInformation(ctx, client.IndexRequest{Handle: win32.CurrentEffectiveToken, Index: 1})
		if err != nil || now.Level != 1 || now.UserName != `TEST\boss` {
			t.Fatalf("impersonates %+v %v", now, err)
		}
		_, err = al.AddAccount(ctx, client.AddAccountRequest{Name: "mallory", Admin: true})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		_, err = al.ReadAudit(ctx, client.ReadLogRequest{})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.RemoveAccount(ctx, client.AccountRequest{Name: "boss"}), win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.SetAccountPassword(ctx, client.SetPasswordRequest{Name: "alice", New: "x"}), win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.Shutdown(ctx, client.ShutdownRequest{}), win32.ERROR_ACCESS_DENIED)
		_, err = al.CreateWindowStation(ctx, client.CreateWindowStationRequest{Name: "mine", Access: win32.GENERIC_ALL})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		ev, err := al.ReadEvents(ctx, client.ReadLogRequest{})
		if err != nil || len(ev.Events) != 0 {
			t.Errorf("sees %d events %v", len(ev.Events), err)
		}
	})
}

// Events of session 0 are not for who is only counted to it: the console while
// it acts for a user, and callers from outside.
func TestEventsAreTheUsersOwn(t *testing.T) {
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	two := h.logon(op, "bob")
	h.services.Engine.Publish("test", 0, map[string]string{"of": "services"})
	h.services.Engine.Publish("test", one, map[string]string{"of": "alice"})
	h.services.Engine.Publish("test", two, map[string]string{"of": "bob"})
	want := func(who string, c *client.Conn, want ...string) {
		t.Helper()
		r, err := c.ReadEvents(ctx, client.ReadLogRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range r.Events {
			if e.Kind == "test" {
				got = append(got, e.Text)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s sees %q, want %q", who, got, want)
		}
	}
	want("the operator", op, "of=services", "of=alice", "of=bob")
	h.as(one, func() { want("alice", h.dial(), "of=alice") })
	tk, err := op.CreateTicket(ctx, client.CreateTicketRequest{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := op.RedeemTicket(ctx, client.RedeemTicketRequest(tk))
	if err != nil {
		t.Fatal(err)
	}
	if err := op.ImpersonateLoggedOnUser(ctx, client.HandleRequest{Handle: win32.Handle(r.Token)}); err != nil {
		t.Fatal(err)
	}
	want("alice by the console", op, "of=alice")
}

// Names that a caller makes up do not fill the logs: a record keeps the
// beginning of a long one.
func TestLongNamesAreNotKept(t *testing.T) {
	conform.Rule(t, "SE-64")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	long := strings.Repeat("ä", 400_000)
	h.as(h.logon(op, "alice"), func() {
		al := h.dial()
		_, err := al.AddAccount(ctx, client.AddAccountRequest{Name: long})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	})
	a, err := op.ReadAudit(ctx, client.ReadLogRequest{})
	if err != nil || len(a.Records) == 0 {
		t.Fatal(err)
	}
	kept := a.Records[len(a.Records)-1].Object
	if len(kept) > 1100 || !strings.HasPrefix(long, strings.TrimSuffix(kept, "…")) {
		t.Errorf("%d bytes are kept: %.20q", len(kept), kept)
	}
}

// The secure screen of a session is called up by who may sit at that session's
// screen; that a user may log on here is not enough.
func TestSecureAttentionOfOthers(t *testing.T) {
	conform.Rule(t, "LGN-14")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	two := h.logon(op, "bob")
	tk, err := op.CreateTicket(ctx, client.CreateTicketRequest{Subject: "alice", Person: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := op.RedeemTicket(ctx, client.RedeemTicketRequest(tk))
	if err != nil || !r.Person {
		t.Fatalf("%+v %v", r, err)
	}
	if err := op.ImpersonateLoggedOnUser(ctx, client.HandleRequest{Handle: win32.Handle(r.Token)}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, op.SecureAttention(ctx, client.SessionRequest{SessionID: two}), win32.ERROR_ACCESS_DENIED)
	if err := op.SecureAttention(ctx, client.SessionRequest{SessionID: one}); err != nil {
		t.Error(err)
	}
}
