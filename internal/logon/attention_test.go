// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"runtime"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/win32"
)

func TestSecureAttention(t *testing.T) {
	conform.Rule(t, "LGN-10", "LGN-14")
	w := newWorld(t, nil)
	w.start()

	// Logged off: the prompt.
	w.winlogon.SecureAttention(1)
	sc := w.display.screen(1)
	if sc.Kind != ScreenLogon {
		t.Fatalf("logged off: %+v", sc)
	}
	sc.OnLogon("alice", "wrong")
	sc = w.display.await(t, 1, "the error", func(s Screen) bool { return s.Error != "" && !s.Busy })
	if sc.Kind != ScreenLogon || sc.Error != win32.ERROR_LOGON_FAILURE.Error() {
		t.Errorf("after a wrong password: %+v", sc)
	}
	w.wantSessions("0:Services:Disc 1:Console:Conn")
	sc.OnLogon("alice", password("alice"))
	w.display.await(t, 1, "nothing", func(s Screen) bool { return s.Kind == ScreenNone })
	w.wantSessions("0:Services:Disc 1:Console:Active")

	// Logged on: the security screen, and back.
	w.winlogon.SecureAttention(1)
	sc = w.display.screen(1)
	if sc.Kind != ScreenSecurity || sc.User != `HOST\alice` || w.activeDesktop(1) != "Winlogon" {
		t.Fatalf("logged on: %+v on %s", sc, w.activeDesktop(1))
	}
	sc.OnCancel()
	if got := w.activeDesktop(1); got != "Default" {
		t.Errorf("after cancel: %s", got)
	}

	// Lock from there, unlock from the prompt.
	w.winlogon.SecureAttention(1)
	w.display.screen(1).OnLock()
	sc = w.display.await(t, 1, "the unlock prompt", func(s Screen) bool { return s.Kind == ScreenUnlock })
	w.winlogon.SecureAttention(1) // locked: stays the prompt
	sc.OnUnlock("wrong")
	w.display.await(t, 1, "the error", func(s Screen) bool { return s.Kind == ScreenUnlock && s.Error != "" && !s.Busy })
	if !w.session(1).Locked() {
		t.Fatal("unlocked by a wrong password")
	}
	sc.OnUnlock(password("alice"))
	w.display.await(t, 1, "nothing", func(s Screen) bool { return s.Kind == ScreenNone })
	if w.session(1).Locked() || w.activeDesktop(1) != "Default" {
		t.Errorf("locked %v, desktop %s", w.session(1).Locked(), w.activeDesktop(1))
	}

	// Log off from there.
	w.changes()
	w.winlogon.SecureAttention(1)
	done := w.session(1).Done()
	w.display.screen(1).OnLogoff()
	<-done
	w.display.await(t, 2, "the logon screen", func(s Screen) bool { return s.Kind == ScreenLogon })
	w.wantChanges("LOGOFF(1) CONSOLE_DISCONNECT(1) CONSOLE_CONNECT(2)")
	w.winlogon.SecureAttention(1) // it is gone: nothing happens
	w.winlogon.SecureAttention(0)
}

func TestLogonAtTheConsoleGivesTheDisconnectedSessionBack(t *testing.T) {
	conform.Rule(t, "SES-18", "NTF-11")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	if err := w.winlogon.Disconnect(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	w.changes()
	w.display.screen(2).OnLogon("alice", password("alice"))
	w.display.await(t, 2, "nothing", func(s Screen) bool { return s.Kind == ScreenNone })
	w.display.await(t, 1, "nothing", func(s Screen) bool { return s.Kind == ScreenNone })
	for w.session(1).State() != win32.WTSActive { // the flow ends with it
		runtime.Gosched() // and not changes, which would take what is wanted below
	}
	w.winlogon.work.Wait()
	w.wantChanges("CONSOLE_DISCONNECT(2) CONSOLE_CONNECT(1) UNLOCK(1)")
	w.wantSessions("0:Services:Disc 1:Console:Active")
}

func TestSwitchUser(t *testing.T) {
	conform.Rule(t, "SES-14f", "SES-18", "NTF-11")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	w.changes()
	// c: to somebody new
	w.winlogon.SecureAttention(1)
	w.display.screen(1).OnSwitch()
	sc := w.display.await(t, 2, "the logon screen", func(s Screen) bool { return s.Kind == ScreenLogon })
	sc.OnLogon("bob", password("bob"))
	w.display.await(t, 2, "nothing", func(s Screen) bool { return s.Kind == ScreenNone })
	w.winlogon.work.Wait()
	w.wantChanges("LOCK(1) CONSOLE_DISCONNECT(1) CONSOLE_CONNECT(2) LOGON(2) DESKTOP_READY(2)")
	w.wantSessions("0:Services:Disc 1::Disc 2:Console:Active")
	// e: to a session that is there; d: and back
	w.winlogon.SecureAttention(2)
	w.display.screen(2).OnSwitch()
	w.display.await(t, 3, "the logon screen", func(s Screen) bool { return s.Kind == ScreenLogon }).OnLogon("alice", password("alice"))
	w.display.await(t, 1, "nothing", func(s Screen) bool { return s.Kind == ScreenNone })
	w.winlogon.work.Wait()
	w.wantChanges("LOCK(2) CONSOLE_DISCONNECT(2) CONSOLE_CONNECT(3) CONSOLE_DISCONNECT(3) CONSOLE_CONNECT(1) UNLOCK(1)")
	w.wantSessions("0:Services:Disc 1:Console:Active 2::Disc")
	if w.session(1).Locked() || !w.session(2).Locked() {
		t.Errorf("1 locked %v, 2 locked %v", w.session(1).Locked(), w.session(2).Locked())
	}
	ctx := context.Background()
	wantCode(t, w.winlogon.SwitchUser(ctx, 2), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	wantCode(t, w.winlogon.SwitchUser(ctx, 9), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
}

func TestLogonUser(t *testing.T) {
	conform.Rule(t, "LGN-2", "LGN-3", "LGN-5", "LGN-6", "LGN-8", "SE-16")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	try := func(name string, typ uint32) (*security.Token, error) {
		r, err := w.winlogon.LogonUser(ctx, w.operator, api.LogonUserRequest{Name: name, Domain: ".", Password: password(name), Type: typ})
		if err != nil {
			return nil, err
		}
		return w.operator.Token(r.Handle, win32.TOKEN_QUERY)
	}
	tok, err := try("alice", win32.LOGON32_LOGON_INTERACTIVE)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Type() != security.TokenPrimary || tok.SessionID() != 0 || tok.LogonSID() != security.LogonSID(tok.LogonID()) || !tok.IsMember(tok.LogonSID()) {
		t.Errorf("token %+v", tok.Spec())
	}
	net, err := try("alice", win32.LOGON32_LOGON_NETWORK)
	if err != nil {
		t.Fatal(err)
	}
	if net.Type() != security.TokenImpersonation || net.Level() != security.SecurityImpersonation || !net.IsMember(security.Network) || net.IsMember(security.Interactive) {
		t.Errorf("network token %+v", net.Spec())
	}
	if net.LogonID() == tok.LogonID() {
		t.Error("two logons share a logon session")
	}
	admin, err := try("carl", win32.LOGON32_LOGON_INTERACTIVE)
	if err != nil {
		t.Fatal(err)
	}
	if admin.ElevationType() != security.ElevationLimited || admin.IsAdministrator() {
		t.Errorf("an administrator's interactive token is %v", admin.ElevationType())
	}
	for _, c := range []struct {
		name string
		typ  uint32
		want win32.Errno
	}{
		{"alice", win32.LOGON32_LOGON_BATCH, win32.ERROR_LOGON_TYPE_NOT_GRANTED},
		{"carl", win32.LOGON32_LOGON_BATCH, 0},
		{"alice", win32.LOGON32_LOGON_SERVICE, win32.ERROR_LOGON_TYPE_NOT_GRANTED},
		{"alice", win32.LogonRemoteInteractive, win32.ERROR_INVALID_PARAMETER},
		{"alice", 6, win32.ERROR_INVALID_PARAMETER},
		{"alice", 0, win32.ERROR_INVALID_PARAMETER},
		{"nobody", win32.LOGON32_LOGON_INTERACTIVE, win32.ERROR_LOGON_FAILURE},
	} {
		if _, err := try(c.name, c.typ); win32.Code(err) != c.want {
			t.Errorf("%s, type %d: got %v, want %d", c.name, c.typ, err, uint32(c.want))
		}
	}
	if err := w.store.SetRight("SeBatchLogonRight", security.Users); err != nil {
		t.Fatal(err)
	}
	if _, err := try("alice", win32.LOGON32_LOGON_BATCH); err != nil {
		t.Error(err)
	}
	if err := w.store.SetRight("SeBatchLogonRight"); err != nil {
		t.Fatal(err)
	}
	_, err = try("carl", win32.LOGON32_LOGON_BATCH)
	wantCode(t, err, win32.ERROR_LOGON_TYPE_NOT_GRANTED)
	wantCode(t, w.store.SetRight("SeNoSuchRight"), win32.ERROR_INVALID_PARAMETER)
}

func TestIdentity(t *testing.T) {
	conform.Rule(t, "SE-13")
	s := newStore(t, nil)
	mustAdd(t, s, NewAccount{Name: "carol"})
	luid := security.FirstFreeLUID
	next := func() security.LUID { luid++; return luid }
	a, _ := s.Lookup("carol")
	tok, err := s.NewToken(a, TokenRequest{Type: win32.LOGON32_LOGON_INTERACTIVE, Session: 1, Allocate: next})
	if err != nil {
		t.Fatal(err)
	}
	for tok, want := range map[*security.Token]uint32{
		tok: 1001, security.SystemToken(0): 0, security.LocalServiceToken(0): 60901, security.NetworkServiceToken(0): 60902,
	} {
		id, err := s.Identity(tok)
		if err != nil || id.UID != want {
			t.Errorf("%s: got %+v, %v", tok.User(), id, err)
		}
	}
	id, _ := s.Identity(tok)
	if len(id.Groups) != 2 {
		t.Errorf("groups %v", id.Groups)
	}
	if err := s.Remove("carol"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Identity(tok)
	wantCode(t, err, win32.ERROR_NONE_MAPPED)
}

func TestServiceCredential(t *testing.T) {
	conform.Rule(t, "SCM-17")
	s := newStore(t, nil)
	ctx := context.Background()
	mustAdd(t, s, NewAccount{Name: "svc", Password: "one"})
	good, err := s.ServiceCredential(`.\SVC`, "one")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := s.ServiceCredential("svc", "two")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.VerifyService(ctx, `.\svc`, good); err != nil {
		t.Error(err)
	}
	_, err = s.VerifyService(ctx, "svc", bad)
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	_, err = s.VerifyService(ctx, "svc", "")
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	if err := s.SetPassword("svc", "three"); err != nil {
		t.Fatal(err)
	}
	_, err = s.VerifyService(ctx, "svc", good)
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	_, err = s.ServiceCredential("nobody", "x")
	wantCode(t, err, win32.ERROR_INVALID_SERVICE_ACCOUNT)
}
