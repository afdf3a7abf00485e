// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/display"
	"stationmaster/internal/host"
	"stationmaster/internal/logon"
	"stationmaster/internal/scm"
	"stationmaster/internal/wts"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// house is a call plane with accounts, sessions and screens, on an engine
// without a machine.
type house struct {
	*plane
	screens *Screens
}

func newHouse(t *testing.T) *house {
	t.Helper()
	db, err := logon.OpenDatabase(filepath.Join(t.TempDir(), "station.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	passwd := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(passwd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := logon.Open(logon.Options{DB: db, Root: true, PasswdFile: passwd, GroupFile: passwd, Computer: "TEST"})
	if err != nil {
		t.Fatal(err)
	}
	m := display.New(display.Options{DefaultKind: station.SurfaceBuiltin, Width: 320, Height: 200})
	t.Cleanup(m.Close)
	screens := NewScreens(m, nil)
	p := &plane{t: t, host: station.NewMemoryHost(), malformed: make(chan error, 100)}
	p.engine, err = station.New(station.Options{Host: p.host, Surfaces: m, Machine: store.Machine(), Memory: host.SectionMemory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	p.engine.Subscribe(func(ev station.Event) { screens.Follow(p.engine, ev) })
	zero, _ := p.engine.Session(0)
	if err := p.engine.StartHost(t.Context(), zero, station.SessionSpec{}); err != nil {
		t.Fatal(err)
	}
	w := logon.NewWinlogon(logon.WinlogonOptions{Engine: p.engine, Store: store, Display: screens, Homes: t.TempDir()})
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	m.OnSecureAttention(w.SecureAttention)
	sessions := wts.New(wts.Options{Engine: p.engine, Store: store, Winlogon: w, Display: m, Viewers: screens.Viewers})
	t.Cleanup(sessions.Close)
	services, err := scm.Open(scm.Options{DB: db, Engine: p.engine, Store: store, Environment: w.EnvironmentFor, LogDir: t.TempDir(), StopGrace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(services.Close)
	p.services = &Services{Engine: p.engine, Store: store, Winlogon: w, Sessions: sessions, SCM: services, Display: screens, Product: "test", Started: time.Now(),
		Version: "1"}
	p.path = filepath.Join(t.TempDir(), "call")
	p.start(nil)
	t.Cleanup(func() { p.server.Close() })
	return &house{p, screens}
}

// as makes the next connections those of a program that runs in a session.
func (h *house) as(session uint32, f func()) {
	var n atomic.Int64
	h.identify.Store(func(int64) (Peer, error) {
		return Peer{PID: 1<<25 + int(session)<<10 + int(n.Add(1)), InSession: true, Session: session}, nil
	})
	f()
	h.identify.Store(func(n int64) (Peer, error) { return Peer{PID: 1<<23 + int(n)}, nil })
}

// logon adds an account and logs it on.
func (h *house) logon(c *client.Conn, name string) uint32 {
	h.t.Helper()
	if _, err := c.AddAccount(h.t.(*testing.T).Context(), client.AddAccountRequest{Name: name}); err != nil {
		h.t.Fatal(err)
	}
	r, err := c.LogonSession(h.t.(*testing.T).Context(), client.LogonSessionRequest{User: name, NoPassword: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return r.SessionID
}

func TestAccounts(t *testing.T) {
	conform.Rule(t, "LGN-1")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	a, err := op.AddAccount(ctx, client.AddAccountRequest{Name: "alice", Password: "secret", Admin: false})
	if err != nil || !strings.HasPrefix(a.Account.SID, "S-1-5-21-") {
		t.Fatalf("%+v %v", a, err)
	}
	_, err = op.AddAccount(ctx, client.AddAccountRequest{Name: "ALICE"})
	wantCode(t, err, win32.ERROR_USER_EXISTS)
	l, err := op.ListAccounts(ctx)
	if err != nil || len(l.Accounts) < 4 {
		t.Errorf("accounts: %+v %v", l, err)
	}
	r, err := op.LogonSession(ctx, client.LogonSessionRequest{User: "alice", Password: "secret"})
	if err != nil || r.SessionID != 1 {
		t.Fatalf("logon: %+v %v", r, err)
	}
	_, err = op.LogonSession(ctx, client.LogonSessionRequest{User: "alice", Password: "wrong"})
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	wantCode(t, op.RemoveAccount(ctx, client.AccountRequest{Name: "alice"}), win32.ERROR_BUSY)
	wantCode(t, op.RemoveAccount(ctx, client.AccountRequest{Name: "nobody"}), win32.ERROR_NO_SUCH_USER)
	h.as(1, func() {
		al := h.dial()
		if u := al.Hello(); u.SessionID != 1 || u.User != a.Account.SID {
			t.Errorf("alice's program is %+v", u)
		}
		_, err := al.AddAccount(ctx, client.AddAccountRequest{Name: "mallory"})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.RemoveAccount(ctx, client.AccountRequest{Name: "alice"}), win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.SetAccountPassword(ctx, client.SetPasswordRequest{Name: "Administrator", New: "x"}), win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.SetAccountPassword(ctx, client.SetPasswordRequest{Name: "alice", Old: "wrong", New: "x"}), win32.ERROR_LOGON_FAILURE)
		if err := al.SetAccountPassword(ctx, client.SetPasswordRequest{Name: "alice", Old: "secret", New: "other"}); err != nil {
			t.Error(err)
		}
		_, err = al.LogonSession(ctx, client.LogonSessionRequest{User: "alice", NoPassword: true})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		_, err = al.ReadAudit(ctx, client.ReadLogRequest{})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.Shutdown(ctx, client.ShutdownRequest{}), win32.ERROR_ACCESS_DENIED)
	})
	audit, err := op.ReadAudit(ctx, client.ReadLogRequest{})
	if err != nil || len(audit.Records) < 5 || audit.Records[0].UserName != `TEST\alice` {
		t.Errorf("audit: %+v %v", audit, err)
	}
	if tok, err := op.LogonUser(ctx, client.LogonUserRequest{Name: "alice", Password: "other", Type: win32.LOGON32_LOGON_INTERACTIVE}); err != nil {
		t.Error(err)
	} else if r, err := op.GetTokenInformation(ctx, client.IndexRequest{Handle: tok.Handle, Index: 1}); err != nil || r.UserName != `TEST\alice` || len(r.Groups) == 0 {
		t.Errorf("token: %+v %v", r, err)
	}
}

// A ticket works once; what it gives acts with the origin it was made for; no
// program in a session makes a person's ticket.
func TestTickets(t *testing.T) {
	conform.Rule(t, "IN-9")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	h.logon(op, "alice")
	tk, err := op.CreateTicket(ctx, client.CreateTicketRequest{Person: true})
	if err != nil || len(tk.Ticket) < 40 {
		t.Fatalf("%+v %v", tk, err)
	}
	h.as(1, func() { // a user's program that got hold of the ticket has no use for it
		thief := h.dial()
		_, err := thief.RedeemTicket(ctx, client.RedeemTicketRequest{Ticket: tk.Ticket + "x"})
		wantCode(t, err, win32.ERROR_LOGON_FAILURE)
		_, err = thief.RedeemTicket(ctx, client.RedeemTicketRequest(tk))
		wantCode(t, err, win32.ERROR_PRIVILEGE_NOT_HELD)
		_, err = thief.CreateTicket(ctx, client.CreateTicketRequest{})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	})
	_, err = op.RedeemTicket(ctx, client.RedeemTicketRequest{Ticket: tk.Ticket + "x"})
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	if r, err := op.RedeemTicket(ctx, client.RedeemTicketRequest(tk)); err != nil || !r.Person || !r.Admin {
		t.Fatalf("%+v %v", r, err)
	}
	_, err = op.RedeemTicket(ctx, client.RedeemTicketRequest(tk))
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	_, err = op.CreateTicket(ctx, client.CreateTicketRequest{Subject: "nobody"})
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	_, err = op.CreateTicket(ctx, client.CreateTicketRequest{Seconds: 1 << 31})
	wantCode(t, err, win32.ERROR_INVALID_PARAMETER)

	al, err := op.CreateTicket(ctx, client.CreateTicketRequest{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := op.RedeemTicket(ctx, client.RedeemTicketRequest(al))
	if err != nil || r.Person || r.Admin || r.User != `TEST\alice` {
		t.Fatalf("%+v %v", r, err)
	}
	if err := op.ImpersonateLoggedOnUser(ctx, client.HandleRequest{Handle: win32.Handle(r.Token)}); err != nil {
		t.Fatal(err)
	}
	_, err = op.CreateTicket(ctx, client.CreateTicketRequest{})
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	wantCode(t, op.SecureAttention(ctx, client.SessionRequest{SessionID: 1}), win32.ERROR_ACCESS_DENIED) // automation
	if err := op.RevertToSelf(ctx); err != nil {
		t.Fatal(err)
	}
	if err := op.SecureAttention(ctx, client.SessionRequest{SessionID: 1}); err != nil {
		t.Error(err)
	}
}

func TestTicketLimits(t *testing.T) {
	var ts tickets
	first := ts.add("", false, time.Hour)
	if ts.add("", false, -time.Second) == first {
		t.Error("two tickets are alike")
	}
	for range maxTickets {
		ts.add("", false, time.Hour)
	}
	if _, ok := ts.take(first); ok || len(ts.open) != maxTickets {
		t.Errorf("%d tickets are open", len(ts.open))
	}
	old := ts.add("", true, -time.Second)
	if _, ok := ts.take(old); ok {
		t.Error("an expired ticket was taken")
	}
}

// Desktops of a session as its owner, the operator and a stranger see them.
func TestTree(t *testing.T) {
	conform.Rule(t, "WS-31", "DT-30", "DT-42", "DT-46")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	two := h.logon(op, "bob")
	h.as(one, func() {
		al := h.dial()
		tree, err := al.ListDesktops(ctx, client.SessionRequest{SessionID: one})
		if err != nil || len(tree.Stations) != 1 || !tree.Stations[0].Interactive {
			t.Fatalf("%+v %v", tree, err)
		}
		names := ""
		for _, d := range tree.Stations[0].Desktops {
			names += d.Name + " "
			if d.Name == "Winlogon" {
				t.Errorf("a user sees %s", d.Name)
			}
		}
		if !strings.Contains(names, "Default") {
			t.Errorf("alice sees %s", names)
		}
		// That there is a session of bob's is no secret; what is in it is.
		if other, err := al.ListDesktops(ctx, client.SessionRequest{SessionID: two}); err != nil || len(other.Stations) != 0 {
			t.Errorf("of bob's session alice sees %+v %v", other, err)
		}
		_, err = al.ListDesktops(ctx, client.SessionRequest{SessionID: 99})
		wantCode(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
		_, err = al.CreateSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: two, Desktop: "Mine"})
		wantCode(t, err, win32.ERROR_FILE_NOT_FOUND)
		wantCode(t, al.CreateSessionStation(ctx, client.SessionDesktopRequest{SessionID: one, Station: "Mine"}), win32.ERROR_ACCESS_DENIED)
	})
	tree, err := op.ListDesktops(ctx, client.SessionRequest{SessionID: one})
	if err != nil || len(tree.Stations) != 1 || len(tree.Stations[0].Desktops) < 4 || tree.Stations[0].SDDL == "" {
		t.Fatalf("the operator sees %+v %v", tree, err)
	}
	d, err := op.CreateSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Second", Surface: "builtin", Width: 64, Height: 48})
	if err != nil || d.Desktop.Name != "Second" || d.Desktop.Surface != "builtin" || d.Desktop.Width != 64 {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = op.CreateSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Second"})
	wantCode(t, err, win32.ERROR_ALREADY_EXISTS)
	_, err = op.CreateSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: `a\b`})
	if err == nil {
		t.Error("a backslash in a name")
	}
	_, err = op.CreateSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Third", Surface: "paper"})
	if err == nil {
		t.Error("a desktop on paper")
	}
	if tree, _ := op.ListDesktops(ctx, client.SessionRequest{SessionID: one}); fmt.Sprint(tree) != "" && strings.Contains(fmt.Sprint(tree), "Third") {
		t.Error("the desktop that could not be made stays")
	}
	if err := op.SwitchSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Second"}); err != nil {
		t.Fatal(err)
	}
	se, _ := h.engine.Session(one)
	if a := se.ActiveDesktop(); a == nil || a.Name() != "Second" {
		t.Errorf("active: %v", a)
	}
	wantCode(t, op.SwitchSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Winlogon"}), win32.ERROR_ACCESS_DENIED)
	wantCode(t, op.SwitchSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Nope"}), win32.ERROR_FILE_NOT_FOUND)
	if err := op.LockSession(ctx, client.SessionRequest{SessionID: one}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, op.SwitchSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Default"}), win32.ERROR_ACCESS_DENIED)
	if err := op.UnlockSession(ctx, client.UnlockSessionRequest{SessionID: one}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, op.CloseSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Default"}), win32.ERROR_BUSY)
	if err := op.CloseSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Second"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, op.CloseSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Desktop: "Second"}), win32.ERROR_FILE_NOT_FOUND)

	if err := op.CreateSessionStation(ctx, client.SessionDesktopRequest{SessionID: one, Station: "Tools"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, op.CreateSessionStation(ctx, client.SessionDesktopRequest{SessionID: one, Station: "tools"}), win32.ERROR_ALREADY_EXISTS)
	if _, err := op.CreateSessionDesktop(ctx, client.SessionDesktopRequest{SessionID: one, Station: "Tools", Desktop: "Bench"}); err != nil {
		t.Error(err)
	}
	c, err := op.GetActiveConsoleSession(ctx)
	if err != nil || c.SessionID != one {
		t.Errorf("console: %+v %v", c, err)
	}
}

func TestObjectTree(t *testing.T) {
	conform.Rule(t, "OBJ-1", "SE-63")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	list := func(path string) string {
		t.Helper()
		r, err := op.ListObjects(ctx, client.PathRequest{Path: path})
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		var s []string
		for _, o := range r.Objects {
			s = append(s, o.Type+" "+o.Name)
		}
		return strings.Join(s, ", ")
	}
	if s := list(`\`); !strings.Contains(s, "Directory Sessions") {
		t.Errorf(`\: %s`, s)
	}
	if s := list(""); !strings.Contains(s, "Directory Sessions") {
		t.Errorf("empty path: %s", s)
	}
	if s := list(`\Sessions\1\Windows\WindowStations`); s != "WindowStation WinSta0" {
		t.Errorf("stations: %s", s)
	}
	const desk = `\Sessions\1\Windows\WindowStations\WinSta0\Default`
	if s := list(`\Sessions\1\Windows\WindowStations\WinSta0`); !strings.Contains(s, "Desktop Default") {
		t.Errorf("desktops: %s", s)
	}
	o, err := op.ShowObject(ctx, client.PathRequest{Path: desk})
	if err != nil || o.Object.Type != "Desktop" || o.Object.SDDL == "" || len(o.Object.Facts) == 0 {
		t.Errorf("%+v %v", o, err)
	}
	for _, path := range []string{`\Nope`, `\Sessions\1\Windows\WindowStations\WinSta0\Nope`} {
		_, err = op.ShowObject(ctx, client.PathRequest{Path: path})
		wantCode(t, err, win32.ERROR_FILE_NOT_FOUND)
	}
	_, err = op.ListObjects(ctx, client.PathRequest{Path: desk})
	wantCode(t, err, win32.ERROR_PATH_NOT_FOUND)

	h.as(one, func() {
		al := h.dial()
		_, err := al.ShowObject(ctx, client.PathRequest{Path: `\Sessions\1\Windows\WindowStations\WinSta0\Winlogon`})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.SetObjectSecurity(ctx, client.SetObjectSecurityRequest{Path: `\Sessions\1\Windows\WindowStations\WinSta0\Winlogon`, SDDL: "D:(A;;GA;;;WD)"}), win32.ERROR_ACCESS_DENIED)
	})
	// A rewritten DACL decides at once.
	if err := op.SetObjectSecurity(ctx, client.SetObjectSecurityRequest{Path: desk, SDDL: "D:(A;;GA;;;SY)"}); err != nil {
		t.Fatal(err)
	}
	if o, err := op.ShowObject(ctx, client.PathRequest{Path: desk}); err != nil || !strings.Contains(o.Object.SDDL, "D:(A;;") || strings.Contains(o.Object.SDDL, "S-1-5-5-") {
		t.Errorf("%s %v", o.Object.SDDL, err)
	}
	h.as(one, func() {
		al := h.dial()
		_, err := al.CaptureDesktop(ctx, client.CaptureRequest{SessionID: one, Desktop: "Default"})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	})
	wantCode(t, op.SetObjectSecurity(ctx, client.SetObjectSecurityRequest{Path: desk, SDDL: "rubbish"}), win32.ERROR_INVALID_PARAMETER)
}

// Pictures and input: of what, to what, and by whom.
func TestScreens(t *testing.T) {
	conform.Rule(t, "IN-2", "IN-11", "IN-9")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	two := h.logon(op, "bob")
	shot, err := op.CaptureDesktop(ctx, client.CaptureRequest{SessionID: one, Desktop: "Default"})
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(shot.PNG))
	if err != nil || img.Bounds().Dx() != 320 || shot.Width != 320 || shot.Height != 200 {
		t.Errorf("%v %v", img.Bounds(), err)
	}
	_, err = op.CaptureDesktop(ctx, client.CaptureRequest{SessionID: one, Desktop: "Winlogon"})
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	_, err = op.CaptureDesktop(ctx, client.CaptureRequest{SessionID: 99})
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	key := []client.InputEvent{{Kind: inputKey, Down: true, Keysym: 'a'}, {Kind: inputText, Text: "hé\n"}}
	if err := op.SendInput(ctx, client.SendInputRequest{SessionID: one, Events: key}); err != nil {
		t.Error(err)
	}
	wantCode(t, op.SendInput(ctx, client.SendInputRequest{SessionID: one, Desktop: "Winlogon", Events: key}), win32.ERROR_ACCESS_DENIED)
	wantCode(t, op.SendInput(ctx, client.SendInputRequest{SessionID: one, Events: []client.InputEvent{{Kind: 9}}}), win32.ERROR_INVALID_PARAMETER)
	wantCode(t, op.SendInput(ctx, client.SendInputRequest{SessionID: one, Events: make([]client.InputEvent, maxInputEvents+1)}), win32.ERROR_INVALID_PARAMETER)
	h.as(one, func() {
		al := h.dial()
		if _, err := al.CaptureDesktop(ctx, client.CaptureRequest{SessionID: one}); err != nil {
			t.Errorf("alice's own desktop: %v", err)
		}
		_, err := al.CaptureDesktop(ctx, client.CaptureRequest{SessionID: two})
		wantCode(t, err, win32.ERROR_FILE_NOT_FOUND)
		wantCode(t, al.SendInput(ctx, client.SendInputRequest{SessionID: two, Events: key}), win32.ERROR_FILE_NOT_FOUND)
		_, _, err = al.OpenViewer(ctx, client.OpenViewerRequest{SessionID: two})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		wantCode(t, al.SecureAttention(ctx, client.SessionRequest{SessionID: one}), win32.ERROR_ACCESS_DENIED)
	})
	_, _, err = op.OpenViewer(ctx, client.OpenViewerRequest{SessionID: 0})
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	r, view, err := op.OpenViewer(ctx, client.OpenViewerRequest{SessionID: one})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if !strings.Contains(r.Name, "alice") {
		t.Errorf("name: %s", r.Name)
	}
	b := make([]byte, 12)
	if _, err := io.ReadFull(view, b); err != nil || string(b) != "RFB 003.008\n" {
		t.Fatalf("%q %v", b, err)
	}
	if n := h.screens.Viewers(one); n != 1 {
		t.Errorf("%d viewers", n)
	}
	view.Close()
	until(t, "the viewer has left", func() bool { return h.screens.Viewers(one) == 0 })
}

func TestPerson(t *testing.T) {
	conform.Rule(t, "IN-9")
	h := newHouse(t)
	tok := security.SystemToken(0)
	th, err := h.engine.AttachThread(station.AttachSpec{PID: 1 << 26, Fallback: tok})
	if err != nil {
		t.Fatal(err)
	}
	defer th.Detach()
	if !person(&Call{Thread: th}) {
		t.Error("the operator's own viewer is no person's")
	}
	if person(&Call{Thread: th, Peer: Peer{InSession: true}}) {
		t.Error("a service with the system's token is a person")
	}
	for origin, want := range map[string]bool{originPerson: true, originAutomation: false} {
		hd, err := th.InsertToken(tok, win32.TOKEN_ALL_ACCESS, origin)
		if err != nil {
			t.Fatal(err)
		}
		if err := th.Impersonate(hd); err != nil {
			t.Fatal(err)
		}
		if got := person(&Call{Thread: th}); got != want {
			t.Errorf("impersonating a token of origin %s: person is %v", origin, got)
		}
		if got := person(&Call{Thread: th, Peer: Peer{InSession: true}}); got != want {
			t.Errorf("the web service impersonating origin %s: person is %v", origin, got)
		}
	}
}

func TestKeysyms(t *testing.T) {
	for r, want := range map[rune]uint32{'a': 'a', '~': '~', 'é': 0xe9, '\n': 0xff0d, '\t': 0xff09, '€': 0x010020ac, '中': 0x01004e2d} {
		if got := keysym(r); got != want {
			t.Errorf("%q: %#x, want %#x", r, got, want)
		}
	}
	ev := inputEvents([]client.InputEvent{{Kind: inputPointer, X: 3, Y: 4, Buttons: 1}, {Kind: inputText, Text: "é"}})
	if len(ev) != 3 || ev[0].X != 3 || ev[0].Key || !ev[1].Down || ev[2].Down || ev[2].Keysym != 0xe9 {
		t.Errorf("%+v", ev)
	}
}

// Events come in order, as far as the reader may see them, and a wait for news
// ends with news, with its time, or with the caller's patience.
func TestEvents(t *testing.T) {
	conform.Rule(t, "NTF-7")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	r, err := op.ReadEvents(ctx, client.ReadLogRequest{})
	if err != nil || len(r.Events) == 0 || r.Lost != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	logged := false
	for i, ev := range r.Events {
		if ev.Seq != uint64(i)+1 || ev.Nanos == 0 {
			t.Errorf("event %d: %+v", i, ev)
		}
		logged = logged || ev.Kind == station.EventSessionLogon && ev.Code == win32.WTS_SESSION_LOGON && ev.SessionID == one
	}
	if !logged {
		t.Error("no logon among the events")
	}
	if few, err := op.ReadEvents(ctx, client.ReadLogRequest{Max: 2}); err != nil || len(few.Events) != 2 || few.Next != 2 {
		t.Errorf("%+v %v", few, err)
	}
	var end uint64
	until(t, "the engine is at rest: all surfaces are made", func() bool {
		se, _ := h.engine.Session(one)
		end = h.engine.LastEvent()
		return se.ActiveDesktop().CurrentSurface() != nil && end == h.engine.LastEvent()
	})
	if r, err := op.ReadEvents(ctx, client.ReadLogRequest{After: end}); err != nil || len(r.Events) != 0 {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := op.ReadEvents(ctx, client.ReadLogRequest{After: end, Millis: 10}); err != nil || len(r.Events) != 0 {
		t.Errorf("%+v %v", r, err)
	}
	got := make(chan client.Event, 1)
	follow, stop := context.WithCancel(ctx)
	defer stop()
	watcher := h.dial()
	go func() {
		defer close(got)
		for ev, err := range watcher.Follow(follow, end) {
			if err != nil {
				t.Error(err)
			}
			if ev.Kind == "test-event" {
				got <- ev
				return
			}
		}
	}()
	h.engine.Publish("test-event", one, map[string]string{"pid": "42", "station": "WinSta0", "desktop": "Default", "b": "2", "a": "1", "none": ""})
	if ev := <-got; ev.Kind != "test-event" || ev.ProcessID != 42 || ev.Object != `WinSta0\Default` || ev.Text != "a=1 b=2" {
		t.Errorf("%+v", ev)
	}
	h.logon(op, "bob")
	h.as(one, func() {
		al := h.dial()
		r, err := al.ReadEvents(ctx, client.ReadLogRequest{})
		if err != nil || len(r.Events) == 0 {
			t.Fatalf("%+v %v", r, err)
		}
		for _, ev := range r.Events {
			if ev.SessionID != one && !strings.HasPrefix(ev.Kind, "session-") {
				t.Errorf("alice sees %s of session %d", ev.Kind, ev.SessionID)
			}
		}
		cancelled, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if _, err := al.ReadEvents(cancelled, client.ReadLogRequest{After: r.Next, Millis: 60_000}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	s, err := op.Status(ctx)
	if err != nil || s.Sessions < 3 || s.Mode != "isolated" || s.Version != "1" || s.Connections < 2 || s.Desktops < 8 {
		t.Errorf("%+v %v", s, err)
	}
}

// A program without an environment of its own begins with that of the user it
// runs as.
func TestEnvironment(t *testing.T) {
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	var spec atomic.Pointer[station.ProcessSpec]
	h.host.OnSpawn(func(p *station.MemoryProcess) error { s := p.Spec(); spec.Store(&s); return nil })
	h.as(one, func() {
		al := h.dial()
		if _, err := al.CreateProcess(ctx, client.CreateProcessRequest{Path: "/bin/prog"}); err != nil {
			t.Fatal(err)
		}
		s := spec.Load()
		env := strings.Join(s.Env, " ")
		if !strings.Contains(env, "USER=alice") || !strings.Contains(env, "STATION_SESSION=1") || s.Dir == "" {
			t.Errorf("%s in %s", env, s.Dir)
		}
	})
	if _, err := op.CreateProcess(ctx, client.CreateProcessRequest{Path: "/bin/prog", Env: []string{"A=1"}, Dir: "/etc"}); err != nil {
		t.Fatal(err)
	}
	if s := spec.Load(); !strings.Contains(strings.Join(s.Env, " "), "A=1") || strings.Contains(strings.Join(s.Env, " "), "HOME=") || s.Dir != "/etc" {
		t.Errorf("%s in %s", s.Env, s.Dir)
	}
	if _, err := op.CreateProcess(ctx, client.CreateProcessRequest{Path: "/bin/prog"}); err != nil {
		t.Fatal(err)
	}
	if s := spec.Load(); !strings.Contains(strings.Join(s.Env, " "), "PATH=") {
		t.Errorf("a program of the system's begins with %s", s.Env)
	}
	h.host.Remove("/bin/nothing")
	_, err := op.CreateProcess(ctx, client.CreateProcessRequest{Path: "/bin/nothing"})
	wantCode(t, err, win32.ERROR_FILE_NOT_FOUND)
}
