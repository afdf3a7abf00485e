// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// Mode shared: session 0 is the services' and the first console user's.
func TestShared(t *testing.T) {
	begin := func(t *testing.T) *world {
		w := newWorldOf(t, station.Shared, nil)
		w.start()
		return w
	}
	t.Run("the first user", func(t *testing.T) {
		conform.Rule(t, "SES-9", "SES-14a", "LGN-10", "NTF-11")
		w := begin(t)
		w.wantSessions("0:Console:Conn")
		if got := w.activeDesktop(0); got != "Winlogon" {
			t.Errorf("session 0 shows %s", got)
		}
		w.changes()
		if id := w.logon("alice"); id != 0 {
			t.Fatalf("alice is in session %d", id)
		}
		w.wantChanges("LOGON(0) DESKTOP_READY(0)")
		w.wantSessions("0:Console:Active")
		if got := w.activeDesktop(0); got != "Default" {
			t.Errorf("session 0 shows %s", got)
		}
		if id := w.logon("bob"); id != 1 {
			t.Errorf("bob is in session %d", id)
		}
		w.wantSessions("0:Console:Active 1:VNC-Tcp#0:Active")
	})
	t.Run("services stay when the user goes", func(t *testing.T) {
		conform.Rule(t, "SES-14h", "SES-6", "LGN-19", "NTF-11")
		w := begin(t)
		service, err := w.engine.StartProcess(context.Background(), security.SystemToken(0), station.ProcessOptions{Path: "/bin/service"})
		if err != nil {
			t.Fatal(err)
		}
		w.logon("alice")
		program, err := w.engine.StartProcess(context.Background(), w.session(0).User(), station.ProcessOptions{Path: "/bin/program"})
		if err != nil {
			t.Fatal(err)
		}
		w.changes()
		if err := w.winlogon.Logoff(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		w.wantChanges("LOGOFF(0)")
		w.wantSessions("0:Console:Conn")
		<-program.Done()
		select {
		case <-service.Done():
			t.Error("the service was ended with the user")
		default:
		}
		if got := w.activeDesktop(0); got != "Winlogon" {
			t.Errorf("session 0 shows %s", got)
		}
		if id := w.logon("bob"); id != 0 {
			t.Errorf("the next user is in session %d", id)
		}
	})
	t.Run("switch user and back", func(t *testing.T) {
		conform.Rule(t, "SES-14f", "NTF-11")
		w := begin(t)
		w.logon("alice")
		w.changes()
		if err := w.winlogon.SwitchUser(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		w.wantSessions("0:Console:Active") // attached, with a logon screen
		sc := w.display.await(t, 0, "a logon screen", func(s Screen) bool { return s.Kind == ScreenLogon })
		sc.OnLogon("alice", password("alice"))
		w.display.await(t, 0, "her desktop", func(s Screen) bool { return s.Kind == ScreenNone })
		w.wantChanges("LOCK(0) UNLOCK(0)")
		if err := w.winlogon.SwitchUser(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		w.display.await(t, 0, "a logon screen", func(s Screen) bool { return s.Kind == ScreenLogon }).OnCancel()
		w.display.await(t, 0, "the unlock prompt", func(s Screen) bool { return s.Kind == ScreenUnlock })
	})
	t.Run("the comment's steps", func(t *testing.T) { // of the reader who met error 233
		conform.Rule(t, "SES-14f", "SES-14g", "SES-14i", "NTF-11", "PRC-16", "PC-23")
		w := begin(t)
		w.logon("alice")
		w.changes()
		into := func(session uint32) error {
			tok := security.SystemToken(session)
			h, err := w.operator.InsertToken(tok, win32.TOKEN_ALL_ACCESS, "")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = w.operator.CreateProcess(context.Background(), station.ProcessOptions{Token: h, Path: "/bin/x"})
			return err
		}
		// Step 2: a logon screen in session 0.
		if err := w.winlogon.SwitchUser(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if err := into(0); err != nil {
			t.Errorf("at the logon screen of session 0: %v", err)
		}
		// Step 3: another user, in session 1.
		w.display.await(t, 0, "a logon screen", func(s Screen) bool { return s.Kind == ScreenLogon }).OnLogon("bob", password("bob"))
		w.display.await(t, 1, "bob's desktop", func(s Screen) bool {
			se, ok := w.engine.Session(1)
			return s.Kind == ScreenNone && ok && se.User() != nil && se.ActiveDesktop().Name() == "Default"
		})
		w.wantSessions("0::Disc 1:Console:Active")
		w.wantChanges("LOCK(0) CONSOLE_DISCONNECT(0) CONSOLE_CONNECT(1) LOGON(1) DESKTOP_READY(1)")
		if err := into(1); err != nil {
			t.Errorf("into the session of bob: %v", err)
		}
		// Step 4: he logs off; the screen is in session 2.
		if err := w.winlogon.Logoff(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		w.wantSessions("0::Disc 2:Console:Conn")
		w.wantChanges("LOGOFF(1) CONSOLE_DISCONNECT(1) CONSOLE_CONNECT(2)")
		if err := into(2); win32.Code(err) != win32.ERROR_PIPE_NOT_CONNECTED {
			t.Errorf("at the logon screen of session 2: %v, want 233", err)
		}
		// Alice comes back to session 0 from there.
		w.display.await(t, 2, "a logon screen", func(s Screen) bool { return s.Kind == ScreenLogon }).OnLogon("alice", password("alice"))
		w.display.await(t, 0, "her desktop", func(s Screen) bool {
			return s.Kind == ScreenNone && w.session(0).Terminal() == consoleTerminal && !w.session(0).Locked()
		})
		w.wantSessions("0:Console:Active")
	})
	t.Run("logged off while another has the console", func(t *testing.T) {
		conform.Rule(t, "SES-14h", "SES-22")
		w := begin(t)
		w.logon("alice")
		if err := w.winlogon.SwitchUser(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if id := w.logon("bob"); id != 1 { // by call: the same as at the prompt
			t.Fatalf("bob is in session %d", id)
		}
		w.wantSessions("0::Disc 1:Console:Active")
		if err := w.winlogon.Logoff(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		w.wantSessions("0::Conn 1:Console:Active")
		if err := w.winlogon.Logoff(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		w.wantSessions("0:Console:Conn")
		if id := w.logon("carl"); id != 0 {
			t.Errorf("carl is in session %d", id)
		}
	})
	t.Run("a logon that fails leaves session 0 as it was", func(t *testing.T) {
		conform.Rule(t, "LGN-13", "SES-6")
		w := begin(t)
		if _, err := w.winlogon.LogonSession(context.Background(), w.operator, api.LogonSessionRequest{User: "alice", Password: "wrong"}); win32.Code(err) != win32.ERROR_LOGON_FAILURE {
			t.Errorf("%v", err)
		}
		w.wantSessions("0:Console:Conn")
	})
	t.Run("a new daemon", func(t *testing.T) {
		conform.Rule(t, "SES-9", "SES-6")
		w := begin(t)
		w.logon("alice")
		w.restart()
		w.wantSessions("0:Console:Active")
		if err := w.winlogon.Logoff(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.wantSessions("0:Console:Conn")
		if id := w.logon("bob"); id != 0 {
			t.Errorf("bob is in session %d", id)
		}
		if err := w.winlogon.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
