// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestFirstLogonTakesTheConsole(t *testing.T) {
	conform.Rule(t, "SES-8", "SES-10", "SES-11", "SES-12", "SES-15", "SES-20", "SES-21", "SES-26", "LGN-10", "LGN-11", "LGN-13", "NTF-11", "NTF-1", "NTF-8")
	w := newWorld(t, nil)
	if got := w.winlogon.Console(); got != 0xFFFFFFFF {
		t.Errorf("the console is on session %d before start", got)
	}
	w.start()
	w.wantSessions("0:Services:Disc 1:Console:Conn")
	if got := w.winlogon.Console(); got != 1 {
		t.Errorf("the console is on session %d", got)
	}
	if got := w.activeDesktop(1); got != "Winlogon" {
		t.Errorf("desktop %s at the logon screen", got)
	}
	if w.session(1).Host() != nil {
		t.Error("a logon-screen session has a holder")
	}
	if sc := w.display.screen(1); sc.Kind != ScreenLogon {
		t.Errorf("the logon screen shows %+v", sc)
	}

	if id := w.logon("alice"); id != 1 {
		t.Errorf("alice is in session %d", id)
	}
	w.wantSessions("0:Services:Disc 1:Console:Active")
	w.wantChanges("CONSOLE_CONNECT(1) LOGON(1) DESKTOP_READY(1)")
	if got := w.activeDesktop(1); got != "Default" {
		t.Errorf("desktop %s after logon", got)
	}
	if sc := w.display.screen(1); sc.Kind != ScreenNone {
		t.Errorf("after logon the Winlogon desktop shows %+v", sc)
	}
	tok := w.session(1).User()
	alice, _ := w.store.Lookup("alice")
	if tok.User() != alice.SID || tok.SessionID() != 1 || !tok.IsMember(security.Interactive) || !tok.IsMember(security.ConsoleLogon) || !tok.IsMember(tok.LogonSID()) {
		t.Errorf("token %+v", tok.Spec())
	}
	if got := w.session(1).Spec(); got.UID != alice.UID || got.GID != alice.GID {
		t.Errorf("the holder runs with %+v", got)
	}
}

func TestSecondUserGetsASessionOfTheirOwn(t *testing.T) {
	conform.Rule(t, "SES-8", "SES-10", "SES-11", "SES-14a", "NTF-11", "LGN-5", "LGN-8")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	w.changes()
	if id := w.logon("bob"); id != 2 {
		t.Errorf("bob is in session %d", id)
	}
	w.wantSessions("0:Services:Disc 1:Console:Active 2:VNC-Tcp#0:Active")
	w.wantChanges("REMOTE_CONNECT(2) LOGON(2) DESKTOP_READY(2)")
	tok := w.session(2).User()
	if !tok.IsMember(security.RemoteInteractive) || tok.IsMember(security.ConsoleLogon) {
		t.Errorf("token %+v", tok.Spec())
	}
	if w.session(1).User().LogonID() == tok.LogonID() {
		t.Error("two logons share a logon session")
	}
	// Numbers are not reused, names are.
	if err := w.winlogon.Logoff(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	if id := w.logon("bob"); id != 3 {
		t.Errorf("bob's second session is %d", id)
	}
	w.wantSessions("0:Services:Disc 1:Console:Active 3:VNC-Tcp#0:Active")
}

func TestLockAndUnlock(t *testing.T) {
	conform.Rule(t, "LGN-15", "LGN-16", "SES-17", "NTF-11")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	w.changes()
	ctx := context.Background()
	if err := w.winlogon.Lock(1); err != nil {
		t.Fatal(err)
	}
	if !w.session(1).Locked() || w.session(1).State() != win32.WTSActive || w.activeDesktop(1) != "Winlogon" {
		t.Errorf("locked %v, state %v, desktop %s", w.session(1).Locked(), w.session(1).State(), w.activeDesktop(1))
	}
	if sc := w.display.screen(1); sc.Kind != ScreenUnlock || sc.User != `HOST\alice` {
		t.Errorf("the locked session shows %+v", sc)
	}
	person := w.thread(50, security.NetworkServiceToken(0))
	wantCode(t, w.winlogon.Unlock(ctx, person, 1, "wrong"), win32.ERROR_LOGON_FAILURE)
	wantCode(t, w.winlogon.Unlock(ctx, person, 1, ""), win32.ERROR_LOGON_FAILURE)
	wantCode(t, w.winlogon.Unlock(ctx, person, 1, password("bob")), win32.ERROR_LOGON_FAILURE)
	wantCode(t, w.winlogon.Unlock(ctx, person, 9, "x"), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	if !w.session(1).Locked() {
		t.Fatal("a wrong password unlocked the session")
	}
	if err := w.winlogon.Unlock(ctx, person, 1, password("alice")); err != nil {
		t.Fatal(err)
	}
	if w.session(1).Locked() || w.activeDesktop(1) != "Default" {
		t.Errorf("locked %v, desktop %s", w.session(1).Locked(), w.activeDesktop(1))
	}
	w.wantChanges("LOCK(1) UNLOCK(1)")
	wantCode(t, w.winlogon.Lock(0), win32.ERROR_ACCESS_DENIED)
	wantCode(t, w.winlogon.Lock(9), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	if err := w.winlogon.Logoff(ctx, 1); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.winlogon.Lock(w.winlogon.Console()), win32.ERROR_ACCESS_DENIED)
	wantCode(t, w.winlogon.Unlock(ctx, person, w.winlogon.Console(), "x"), win32.ERROR_ACCESS_DENIED)
}

func TestLogoff(t *testing.T) {
	conform.Rule(t, "LGN-19", "LGN-20", "SES-14g", "SES-16", "SES-22", "SES-24", "NTF-11", "NTF-9")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	w.logon("bob")
	w.changes()
	ctx := context.Background()
	tok := w.session(1).User()
	desktop := `WinSta0\Default`
	p, err := w.engine.StartProcess(ctx, tok, station.ProcessOptions{Path: "/bin/xterm", Desktop: &desktop})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.winlogon.Logoff(ctx, 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("a program outlived its session")
	}
	w.wantSessions("0:Services:Disc 2:VNC-Tcp#0:Active 3:Console:Conn")
	w.wantChanges("LOGOFF(1) CONSOLE_DISCONNECT(1) CONSOLE_CONNECT(3)")
	if err := w.winlogon.Logoff(ctx, 2); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("LOGOFF(2) REMOTE_DISCONNECT(2)")
	w.wantSessions("0:Services:Disc 3:Console:Conn")
	wantCode(t, w.winlogon.Logoff(ctx, 2), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	wantCode(t, w.winlogon.Logoff(ctx, 0), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	wantCode(t, w.winlogon.Logoff(ctx, 3), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	w.wantSessions("0:Services:Disc 3:Console:Conn")
}

func TestDisconnectAndReconnect(t *testing.T) {
	conform.Rule(t, "SES-16", "SES-18", "SES-19", "SES-22", "NTF-11", "WTS-39a", "WTS-39c")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	w.logon("alice")
	w.logon("bob")
	w.changes()

	// h: a remote session
	p, err := w.engine.StartProcess(ctx, w.session(2).User(), station.ProcessOptions{Path: "/bin/sleep"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.winlogon.Disconnect(ctx, 2); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("REMOTE_DISCONNECT(2)")
	w.wantSessions("0:Services:Disc 1:Console:Active 2::Disc")
	if got := w.activeDesktop(2); got != "Disconnect" {
		t.Errorf("a disconnected session shows %s", got)
	}
	if err := w.winlogon.Disconnect(ctx, 2); err != nil { // without a terminal: succeeds, no event
		t.Fatal(err)
	}
	w.wantChanges("")

	// i: the same user logs on again
	r, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "bob", Password: password("bob")})
	if err != nil || r.SessionID != 2 || !r.Reconnected {
		t.Fatalf("got %+v, %v", r, err)
	}
	w.wantChanges("REMOTE_CONNECT(3) REMOTE_DISCONNECT(3) REMOTE_CONNECT(2) UNLOCK(2)")
	w.wantSessions("0:Services:Disc 1:Console:Active 2:VNC-Tcp#0:Active")
	if got := w.activeDesktop(2); got != "Default" {
		t.Errorf("a reconnected session shows %s", got)
	}
	select {
	case <-p.Done():
		t.Error("a program ended while its session was disconnected")
	default:
	}

	// the console's session
	if err := w.winlogon.Disconnect(ctx, 1); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("CONSOLE_DISCONNECT(1) CONSOLE_CONNECT(4)")
	w.wantSessions("0:Services:Disc 1::Disc 2:VNC-Tcp#0:Active 4:Console:Conn")
	if err := w.winlogon.Connect(ctx, 1, win32.WTS_CURRENT_SESSION); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("REMOTE_CONNECT(1) UNLOCK(1)")
	w.wantSessions("0:Services:Disc 1:VNC-Tcp#1:Active 2:VNC-Tcp#0:Active 4:Console:Conn")

	// k: log off of a disconnected session
	if err := w.winlogon.Disconnect(ctx, 1); err != nil {
		t.Fatal(err)
	}
	w.changes()
	if err := w.winlogon.Logoff(ctx, 1); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("LOGOFF(1)")

	// onto another session's terminal
	if err := w.winlogon.Disconnect(ctx, 2); err != nil {
		t.Fatal(err)
	}
	w.changes()
	if err := w.winlogon.Connect(ctx, 2, 4); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("CONSOLE_DISCONNECT(4) CONSOLE_CONNECT(2) UNLOCK(2)")
	w.wantSessions("0:Services:Disc 2:Console:Active")

	wantCode(t, w.winlogon.Connect(ctx, 2, win32.WTS_CURRENT_SESSION), win32.ERROR_CTX_WINSTATION_BUSY)
	wantCode(t, w.winlogon.Connect(ctx, 9, win32.WTS_CURRENT_SESSION), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	wantCode(t, w.winlogon.Connect(ctx, 2, 2), win32.ERROR_INVALID_PARAMETER)
	wantCode(t, w.winlogon.Disconnect(ctx, 0), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	wantCode(t, w.winlogon.Disconnect(ctx, 9), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
}

func TestNewSessionForAUserWhoHasOne(t *testing.T) {
	conform.Rule(t, "SES-18")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	w.logon("alice")
	if id := w.logon("alice"); id != 2 { // the first one is not disconnected
		t.Errorf("session %d", id)
	}
	for _, id := range []uint32{1, 2} {
		if err := w.winlogon.Disconnect(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	r, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "alice", NoPassword: true, New: true})
	if err != nil || r.Reconnected || r.SessionID != 3 {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "ALICE", NoPassword: true})
	if err != nil || !r.Reconnected || r.SessionID != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRefusedLogonsLeaveNothing(t *testing.T) {
	conform.Rule(t, "LGN-5", "LGN-6", "LGN-13")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	if err := w.store.SetDisabled("bob", true); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, w.store, NewAccount{Name: "dora", ConsoleOnly: true})
	person := w.thread(51, security.NetworkServiceToken(0))
	before := w.sessions()
	w.changes()
	for _, c := range []struct {
		q    api.LogonSessionRequest
		by   *station.Thread
		want win32.Errno
	}{
		{api.LogonSessionRequest{User: "alice", Password: "wrong"}, w.operator, win32.ERROR_LOGON_FAILURE},
		{api.LogonSessionRequest{User: "nobody", Password: "wrong"}, w.operator, win32.ERROR_LOGON_FAILURE},
		{api.LogonSessionRequest{User: "nobody", NoPassword: true}, w.operator, win32.ERROR_LOGON_FAILURE},
		{api.LogonSessionRequest{User: "bob", Password: password("bob")}, w.operator, win32.ERROR_ACCOUNT_DISABLED},
		{api.LogonSessionRequest{User: "bob", NoPassword: true}, w.operator, win32.ERROR_ACCOUNT_DISABLED},
		{api.LogonSessionRequest{User: "alice", NoPassword: true}, person, win32.ERROR_ACCESS_DENIED},
		{api.LogonSessionRequest{User: "LocalSystem", NoPassword: true}, w.operator, win32.ERROR_LOGON_FAILURE},
	} {
		_, err := w.winlogon.LogonSession(ctx, c.by, c.q)
		if win32.Code(err) != c.want {
			t.Errorf("%+v: got %v, want %d", c.q, err, uint32(c.want))
		}
	}
	w.wantSessions(before)
	w.wantChanges("")

	// The right to log on at the console is not that to log on elsewhere.
	w.logon("alice")
	w.changes()
	_, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "dora", NoPassword: true})
	wantCode(t, err, win32.ERROR_LOGON_TYPE_NOT_GRANTED)
	w.wantSessions("0:Services:Disc 1:Console:Active")
	if err := w.store.SetRight("SeDenyRemoteInteractiveLogonRight", security.Administrators); err != nil {
		t.Fatal(err)
	}
	_, err = w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "carl", NoPassword: true})
	wantCode(t, err, win32.ERROR_LOGON_TYPE_NOT_GRANTED)
}

func TestFailingHostLeavesNothing(t *testing.T) {
	conform.Rule(t, "LGN-13", "SES-22")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	w.host.fail(errHost)
	_, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "alice", NoPassword: true})
	if !errors.Is(err, errHost) {
		t.Errorf("got %v", err)
	}
	w.wantSessions("0:Services:Disc 1:Console:Conn")
	if sc := w.display.screen(1); sc.Kind != ScreenLogon {
		t.Errorf("the console shows %+v", sc)
	}
	w.host.fail(nil)
	w.logon("alice")
	w.host.fail(errHost)
	_, err = w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "bob", NoPassword: true})
	if !errors.Is(err, errHost) {
		t.Errorf("got %v", err)
	}
	w.wantSessions("0:Services:Disc 1:Console:Active")
	w.host.fail(nil)
	w.logon("bob")
	w.wantSessions("0:Services:Disc 1:Console:Active 3:VNC-Tcp#0:Active")
}

func TestHomesAndEnvironment(t *testing.T) {
	conform.Rule(t, "LGN-13")
	homes := filepath.Join(t.TempDir(), "homes")
	w := newWorld(t, func(o *WinlogonOptions) { o.Homes, o.Lang = homes, "C.UTF-8" })
	if os.Geteuid() != 0 {
		w.store.o.Root = false // giving homes away needs root
	}
	w.start()
	id := w.logon("alice")
	env, ok := w.winlogon.Environment(id)
	home := filepath.Join(homes, "alice")
	alice, _ := w.store.Lookup("alice")
	for _, kv := range []string{"HOME=" + home, "USER=alice", "LOGNAME=alice", "SHELL=/bin/sh", "LANG=C.UTF-8", fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", alice.UID)} {
		if !ok || !hasEnv(env, kv) {
			t.Errorf("%s is missing in %q", kv, env)
		}
	}
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("home: %v, %v", info, err)
	}
	if _, ok := w.winlogon.Environment(9); ok {
		t.Error("a session that does not exist has an environment")
	}
	// Something else in the home's place is not given away.
	if err := os.WriteFile(filepath.Join(homes, "bob"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.winlogon.LogonSession(context.Background(), w.operator, api.LogonSessionRequest{User: "bob", NoPassword: true}); err == nil {
		t.Error("a file was taken for a home")
	}
	w.wantSessions("0:Services:Disc 1:Console:Active")
}

func TestShell(t *testing.T) {
	conform.Rule(t, "LGN-13")
	w := newWorld(t, nil)
	if err := w.store.SetSetting("shell", "exec xterm"); err != nil {
		t.Fatal(err)
	}
	w.start()
	id := w.logon("alice")
	procs := w.session(id).Processes()
	if len(procs) != 1 {
		t.Fatalf("%d processes", len(procs))
	}
	p := procs[0]
	if s, d := p.Location(); s != "WinSta0" || d != "Default" || fmt.Sprint(p.Args()) != "[/bin/sh -c exec xterm]" || p.Token().User() != w.session(id).User().User() {
		t.Errorf("the shell is %s %q on %s\\%s", p.Program(), p.Args(), s, d)
	}
	w.host.Remove("/bin/sh") // no shell is no reason to lock anybody out
	w.logon("bob")
}

func TestHolderKilled(t *testing.T) {
	conform.Rule(t, "SES-16", "SES-22")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	done := w.session(1).Done()
	if err := w.session(1).Host().End(context.Background()); err != nil { // stands for kill -9
		t.Fatal(err)
	}
	<-done
	w.display.await(t, 2, "the logon screen", func(s Screen) bool { return s.Kind == ScreenLogon })
	w.wantSessions("0:Services:Disc 2:Console:Conn")
}

func TestRestartKeepsSessions(t *testing.T) {
	conform.Rule(t, "SES-10", "SES-21")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	w.logon("bob")
	ctx := context.Background()
	if err := w.winlogon.Disconnect(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.winlogon.Lock(2); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.wantSessions("0:Services:Disc 1::Disc 2:VNC-Tcp#0:Active 3:Console:Conn")
	if sc := w.display.screen(2); sc.Kind != ScreenUnlock || sc.User != `HOST\bob` {
		t.Errorf("the locked session shows %+v", sc)
	}
	if _, ok := w.winlogon.Environment(1); !ok {
		t.Error("the adopted session has no environment")
	}
	r, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "alice", Password: password("alice")})
	if err != nil || !r.Reconnected || r.SessionID != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	w.wantSessions("0:Services:Disc 1:VNC-Tcp#1:Active 2:VNC-Tcp#0:Active 3:Console:Conn")
	if err := w.winlogon.Unlock(ctx, w.operator, 2, password("bob")); err != nil {
		t.Fatal(err)
	}
	if err := w.winlogon.Logoff(ctx, 2); err != nil {
		t.Fatal(err)
	}
}

func TestRestartFinishesWhatWasBegun(t *testing.T) {
	conform.Rule(t, "SES-16", "SES-22")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	w.logon("alice") // in session 1
	alice, _ := w.store.Lookup("alice")
	begin := func(terminal string) *station.Session {
		s, err := w.engine.CreateSession(ctx, station.SessionOptions{Terminal: terminal})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.engine.StartHost(ctx, s, station.SessionSpec{ID: s.ID(), UID: alice.UID}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	logon := func(s *station.Session) {
		tok, err := w.store.NewToken(alice, TokenRequest{Type: win32.LOGON32_LOGON_INTERACTIVE, Session: s.ID(), Allocate: w.engine.AllocateLUID})
		if err == nil {
			err = w.engine.LogonSession(s, station.Logon{Token: tok, Name: "alice"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	begin("VNC-Tcp#0")         // 2: holder, no user
	logon(begin("VNC-Tcp#1"))  // 3: user, no desktop
	four := begin("VNC-Tcp#2") // 4: logged off, not deleted
	logon(four)                //
	if err := w.engine.LogoffSession(ctx, four); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.CreateSession(ctx, station.SessionOptions{}); err != nil { // 5: a logon screen without terminal
		t.Fatal(err)
	}
	w.restart()
	w.wantSessions("0:Services:Disc 1:Console:Active 3:VNC-Tcp#1:Active")
	if got := w.activeDesktop(3); got != "Default" {
		t.Errorf("session 3 shows %s", got)
	}
	if n := w.host.Sessions(); n != 3 {
		t.Errorf("%d holders", n)
	}
	if id := w.logon("bob"); id != 6 {
		t.Errorf("bob is in session %d", id)
	}
	w.wantSessions("0:Services:Disc 1:Console:Active 3:VNC-Tcp#1:Active 6:VNC-Tcp#0:Active")
}

func TestManyLogonsAtOnce(t *testing.T) {
	conform.Rule(t, "SES-10", "SES-18")
	w := newWorld(t, nil)
	w.start()
	ctx := context.Background()
	var mu sync.Mutex
	seen := make(map[uint32]int)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			user := []string{"alice", "bob", "carl"}[i%3]
			r, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: user, NoPassword: true, New: true})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			seen[r.SessionID]++
			mu.Unlock()
			if i%2 == 0 {
				if err := w.winlogon.Disconnect(ctx, r.SessionID); err != nil {
					t.Error(err)
				}
				if err := w.winlogon.Connect(ctx, r.SessionID, win32.WTS_CURRENT_SESSION); err != nil {
					t.Error(err)
				}
			}
			if i%4 == 0 {
				if err := w.winlogon.Logoff(ctx, r.SessionID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	terminals := make(map[string]uint32)
	for _, s := range w.engine.Sessions() {
		if name := s.Terminal(); name != "" {
			if other, dup := terminals[name]; dup {
				t.Errorf("sessions %d and %d are both on %s", other, s.ID(), name)
			}
			terminals[name] = s.ID()
		}
	}
	if terminals["Console"] == 0 {
		t.Error("no session has the console")
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("session %d was given %d times", id, n)
		}
	}
	if err := w.winlogon.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	w.wantSessions("0:Services:Disc")
	_, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "alice", NoPassword: true})
	wantCode(t, err, win32.ERROR_SHUTDOWN_IN_PROGRESS)
}

func TestShutdownLogsEverybodyOff(t *testing.T) {
	conform.Rule(t, "SES-27")
	w := newWorld(t, nil)
	w.start()
	w.logon("alice")
	w.logon("bob")
	w.changes()
	if err := w.winlogon.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.wantChanges("LOGOFF(2) REMOTE_DISCONNECT(2) LOGOFF(1) CONSOLE_DISCONNECT(1)")
	w.wantSessions("0:Services:Disc")
	if got := w.winlogon.Console(); got != 0xFFFFFFFF {
		t.Errorf("the console is on session %d", got)
	}
}

func TestTooManySessions(t *testing.T) {
	conform.Rule(t, "SES-28")
	w := newWorld(t, nil)
	w.start()
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = w.winlogon.LogonSession(context.Background(), w.operator, api.LogonSessionRequest{User: "alice", NoPassword: true, New: true})
	}
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_BUSY)
	if n != 65 {
		t.Errorf("the logon number %d failed", n)
	}
	// A full house keeps nobody from their session, and the console gets its
	// logon screen back when there is room.
	ctx := context.Background()
	if err := w.winlogon.Disconnect(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if got := w.winlogon.Console(); got != noSession {
		t.Errorf("the console is on session %d", got)
	}
	r, err := w.winlogon.LogonSession(ctx, w.operator, api.LogonSessionRequest{User: "alice", NoPassword: true})
	if err != nil || !r.Reconnected || r.SessionID != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := w.winlogon.Logoff(ctx, 5); err != nil {
		t.Fatal(err)
	}
	if got := w.winlogon.Console(); got == noSession {
		t.Error("the console has no session")
	}
}
