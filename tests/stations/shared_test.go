// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os/exec"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func init() {
	// A service that is interactive in mode shared is on the user's desktop.
	scenarios["service at a desktop"] = func(i *inside) {
		want(i, "the desktop", i.where(), `WinSta0\Default`)
		want(i, "the desktop is shown", i.flag(i.desktop(), win32.UOI_IO), 1)
		h, err := i.openDesktop("Alices", win32.DESKTOP_READOBJECTS|win32.DESKTOP_ENUMERATE)
		i.ok("a desktop that the user made", err)
		want(i, "its name", i.name(h), "Alices")
		sid, err := i.info(i.station(), win32.UOI_USER_SID)
		i.ok("UOI_USER_SID", err)
		user, err := parseSID(sid)
		i.ok("the SID", err)
		want(i, "the station's user", user, i.args[0])
	}
	scenarios["user in session 0"] = func(i *inside) {
		want(i, "the session", i.c.Hello().SessionID, 0)
		want(i, "the mode", i.c.Hello().Mode, "shared")
		want(i, "the desktop", i.where(), `WinSta0\Default`)
		_, err := i.openStation("Service-0x0-3e7$", win32.WINSTA_READATTRIBUTES)
		i.code("the station of the services", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.openDesktop("Winlogon", win32.DESKTOP_READOBJECTS)
		i.code("Winlogon", err, win32.ERROR_ACCESS_DENIED)
		h, _, err := i.createDesktop("Work")
		i.ok("CreateDesktop", err)
		i.ok("SwitchDesktop", i.switchTo(h))
		i.ok("back", i.switchTo(i.desktop()))
	}
}

func TestSharedMode(t *testing.T) {
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none", "--mode", "shared")
	s := &stage{Daemon: d, c: d.Dial(t)}
	stationtest.AddUser(t, s.c, "alice", false)
	stationtest.AddUser(t, s.c, "bob", false)
	again := func() *client.Conn { return d.Dial(t) }
	sessions := func() string {
		r, err := s.c.WTSEnumerateSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, se := range r.Sessions {
			out = append(out, fmt.Sprintf("%d:%s:%v:%s:%s", se.ID, se.Name, se.State, se.User, se.InputDesktop))
		}
		return strings.Join(out, " ")
	}
	conform.Rule(t, "SES-13")
	if r, err := s.c.WTSEnumerateSessions(t.Context()); err != nil || len(r.Sessions) != 1 || r.Sessions[0].Type != 3 {
		t.Errorf("sessions %+v, %v; want one of type 3", r.Sessions, err)
	}
	is := func(want string) {
		t.Helper()
		if got := sessions(); got != want {
			t.Errorf("sessions\n got %s\nwant %s", got, want)
		}
	}
	conform.Rule(t, "SES-9", "SES-14a", "SES-14h", "SES-1")
	is(`0:Console:Conn::WinSta0\Winlogon`)
	conform.Rule(t, "SES-14k")
	if _, err := s.c.WTSQueryUserToken(t.Context(), client.SessionRequest{SessionID: 0}); !errors.Is(err, win32.ERROR_NO_TOKEN) {
		t.Errorf("a token at the logon screen: %v", err)
	}
	kind, user := "builtin", ""
	if _, err := exec.LookPath("Xvnc"); err == nil {
		kind = "x11"
	}
	if s.alice = s.logon(t, "alice", kind); s.alice != 0 {
		t.Fatalf("alice is in session %d", s.alice)
	}
	is(`0:Console:Active:alice:WinSta0\Default`)
	t.Run("the services' stations", func(t *testing.T) {
		conform.Rule(t, "WS-8", "WS-51")
		s.system(t, "system names")
	})
	t.Run("the user's programs", func(t *testing.T) {
		s.play(t, 0, "user in session 0")
		accounts, err := s.c.ListAccounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range accounts.Accounts {
			if a.Name == "alice" {
				user = a.SID
				if got := strings.TrimSpace(s.In(t, 0, "id", "-u")); got != fmt.Sprint(a.UID) {
					t.Errorf("uid %s, want %d", got, a.UID)
				}
			}
		}
	})
	t.Run("an interactive service is at the user's desktop", func(t *testing.T) {
		conform.Rule(t, "SES-14b", "SES-14c", "WS-52", "WS-53", "WS-7")
		if _, err := s.c.CreateSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: 0, Desktop: "Alices", Surface: "builtin", HeapKB: 64}); err != nil {
			t.Fatal(err)
		}
		s.service(t, "Dialog", "", "", win32.SERVICE_INTERACTIVE_PROCESS, "service at a desktop", user)
		s.service(t, "Quiet", "", "", 0, "interactive service", `Service-0x0-3e7$\Default`)
	})
	t.Run("an X desktop of session 0 is the user's", func(t *testing.T) {
		stationtest.NeedPrograms(t, "Xvnc", "xterm", "xdpyinfo")
		s.In(t, 0, "xdpyinfo")
		_, stream, err := d.Dial(t).OpenViewer(t.Context(), client.OpenViewerRequest{SessionID: 0})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		v, err := rfbtest.Connect(stream, rfbtest.ClientOptions{Encodings: []int32{rfbtest.DesktopSize}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		stationtest.Spawn(t, s.c, 0, `WinSta0\Default`, "xterm")
		stationtest.Wait(t, 30*time.Second, "an xterm is in the picture", func() (bool, string) {
			r, err := s.c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: 0, Desktop: "Default"})
			if err != nil {
				return false, err.Error()
			}
			img, err := png.Decode(bytes.NewReader(r.PNG))
			if err != nil {
				t.Fatal(err)
			}
			return stationtest.Drawn(stationtest.RGBA(img)) > 0.05, ""
		})
	})
	t.Run("the second user", func(t *testing.T) {
		conform.Rule(t, "SES-9", "SES-8")
		if id := s.logon(t, "bob", "builtin"); id != 1 {
			t.Errorf("bob is in session %d", id)
		}
		s.play(t, 1, "where", `WinSta0\Default`)
	})
	t.Run("a new daemon", func(t *testing.T) {
		d.Kill(t)
		d.Start(t)
		s.c = again()
		is(`0:Console:Active:alice:WinSta0\Default 1:VNC-Tcp#0:Active:bob:WinSta0\Default`)
		s.play(t, 0, "user in session 0")
	})
	t.Run("log off", func(t *testing.T) {
		if err := s.c.WTSLogoffSession(t.Context(), client.SessionWaitRequest{SessionID: 0, Wait: true}); err != nil {
			t.Fatal(err)
		}
		is(`0:Console:Conn::WinSta0\Winlogon 1:VNC-Tcp#0:Active:bob:WinSta0\Default`)
		s.system(t, "system names") // services go on
		if id := s.logon(t, "alice", "builtin"); id != 0 {
			t.Errorf("alice is in session %d", id)
		}
		s.play(t, 0, "user in session 0")
	})
}
