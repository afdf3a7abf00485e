// SPDX-License-Identifier: Apache-2.0

// Package e2e walks the whole path in a real browser: the demo with its users,
// X desktops and service, the console, the message box, the secure desktop.
// Pictures of each step are kept in $STATION_ARTEFACTS.
package e2e

import (
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { stationtest.Main(m, nil) }

// corner is a part of the xterms that no box covers: the lines at the top.
var corner = image.Pt(200, 90)

// waitLimit bounds what a program in a session may take to act.
const waitLimit = 20 * time.Second

// TestWholePath does what a newcomer is promised.
func TestWholePath(t *testing.T) {
	stationtest.NeedRoot(t)
	stationtest.NeedPrograms(t, "Xvnc", "xterm")
	d := stationtest.Demo(t, "--listen", "127.0.0.1:0")
	c := d.Dial(t)
	p := open(t)
	run := func(name string, f func(t *testing.T)) {
		ok := t.Run(name, func(t *testing.T) {
			p.t = t
			f(t)
		})
		p.t = t
		if !ok {
			t.FailNow()
		}
	}

	run("sign in", func(t *testing.T) {
		p.do("sign in", chromedp.Navigate(d.Ready.SignIn), chromedp.WaitReady(chromedp.CSS(`[data-testid="console"][data-loaded="true"]`)),
			visible("tree-session-0"), visible("tree-session-1"), visible("tree-session-2"))
		for id, user := range map[string]string{"tree-session-1": "alice", "tree-session-2": "bob"} {
			p.until(id+" names "+user, func() bool {
				return strings.Contains(js[string](p, `document.querySelector('[data-testid="`+id+`"]').textContent`), user)
			})
		}
		p.until("the page is live", func() bool {
			return js[string](p, `document.querySelector('[data-testid="live"]').dataset.state`) == "live"
		})
	})

	run("a ticket works once", func(t *testing.T) {
		second := open(t)
		second.do("second use", chromedp.Navigate(d.Ready.SignIn), visible("signin-error"),
			chromedp.Navigate(d.Ready.Console+"/"), visible("signed-out"))
		second.keep("second use")
	})

	var yes image.Point
	run("the box lies above an X desktop", func(t *testing.T) {
		p.view(1)
		p.until("the box and her desktop are drawn", func() bool {
			img := p.picture()
			var ok bool
			yes, ok = stationtest.DefaultButton(img)
			return ok && stationtest.Drawn(img) > 0.01
		})
		p.keep("message box above the X desktop")
		if m, err := c.ListMessages(t.Context(), client.SessionRequest{SessionID: 1}); err != nil || len(m.Messages) != 1 || !strings.Contains(m.Messages[0].Text, "May I go on?") {
			t.Errorf("messages of session 1: %+v, %v", m, err)
		}
	})

	run("typing reaches alice alone", func(t *testing.T) {
		before := p.picture()
		p.clickAt(corner.X, corner.Y)
		p.typeText("touch /tmp/hello-alice\r")
		inTmp(t, d, 1, "hello-alice")
		p.until("the typed line is seen", func() bool { return stationtest.Differ(before, p.picture()) > 0.0003 })
		p.keep("typed in the xterm of alice")
		if names := listTmp(t, d, 2); slices.Contains(names, "hello-alice") {
			t.Errorf("/tmp of bob holds %q", names)
		}
	})

	run("the click is the answer", func(t *testing.T) {
		conform.Rule(t, "IN-10")
		if log := serviceLog(t, c, "Asker"); strings.Contains(log, "answered") {
			t.Fatalf("answered before anybody clicked: %q", log)
		}
		p.clickAt(yes.X, yes.Y)
		p.until("the service's log holds the answer", func() bool { return strings.Contains(serviceLog(t, c, "Asker"), "session 1 answered yes (6)") })
		p.until("the box is gone", func() bool { _, ok := stationtest.DefaultButton(p.picture()); return !ok })
		p.keep("answered")
	})

	run("Ctrl+Alt+Del", func(t *testing.T) {
		conform.Rule(t, "LGN-14")
		before := p.rest()
		p.do("the button", click("viewer-sas"))
		var cancel image.Point
		p.until("the Winlogon desktop is shown", func() bool {
			img := p.picture()
			var ok bool
			cancel, ok = stationtest.DefaultButton(img)
			return ok && stationtest.Differ(before, img) > 0.3
		})
		p.keep("Winlogon desktop")
		_, err := c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: 1, Desktop: "Winlogon"})
		stationtest.Want(t, "a picture of Winlogon", err, win32.ERROR_ACCESS_DENIED)
		_, err = c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: 1})
		stationtest.Want(t, "a picture of the active desktop, Winlogon", err, win32.ERROR_ACCESS_DENIED)
		err = c.SendInput(t.Context(), client.SendInputRequest{SessionID: 1, Events: []client.InputEvent{{Kind: 3, Text: "x"}}})
		stationtest.Want(t, "input to Winlogon by a program", err, win32.ERROR_ACCESS_DENIED)

		p.typeText(">/dev/shm/nope") // no letter that chooses something there
		p.clickAt(cancel.X, cancel.Y)
		p.until("her desktop is back", func() bool { return stationtest.Differ(before, p.picture()) < 0.02 })
		p.clickAt(corner.X, corner.Y)
		p.typeText("\rtouch /tmp/back\r")
		inTmp(t, d, 1, "back")
		if names := d.In(t, 1, "ls", "-A", "/dev/shm"); strings.Contains(names, "nope") {
			t.Errorf("what was typed at Winlogon reached the xterm: /dev/shm holds %q", names)
		}
		p.keep("back from Winlogon")
	})

	run("typing reaches bob alone", func(t *testing.T) {
		p.view(2)
		p.until("his desktop is drawn", func() bool { return stationtest.Drawn(p.picture()) > 0.01 })
		p.clickAt(corner.X, corner.Y)
		p.typeText("touch /tmp/hello-bob\r")
		inTmp(t, d, 2, "hello-bob")
		p.keep("typed in the xterm of bob")
		if names := listTmp(t, d, 1); slices.Contains(names, "hello-bob") {
			t.Errorf("/tmp of alice holds %q", names)
		}
	})

	run("the rest of the console", func(t *testing.T) {
		p.do("session 0", click("tree-session-0"), visible("session-zero"))
		p.keep("session 0")
		p.do("services", click("tab-services"), visible("service-Asker"), click("service-log-Asker"), visible("service-log-text"))
		p.until("the log is shown", func() bool {
			return strings.Contains(js[string](p, `document.querySelector('[data-testid="service-log-text"]').textContent`), "answered yes")
		})
		p.keep("the log of the service")
		p.do("refusals", click("tab-audit"), visible("audit"))
		p.keep("refusals")
		p.do("log off", click("dock-hide"), click("tree-session-2"), click("session-logoff"), visible("dialog-logoff"), click("dialog-go"),
			chromedp.WaitNotPresent(at("tree-session-2")), visible("session-ended"))
		p.keep("bob is logged off")
	})
}

func listTmp(t *testing.T, d *stationtest.Daemon, session uint32) []string {
	t.Helper()
	return strings.Fields(d.In(t, session, "ls", "-A", "/tmp"))
}

func inTmp(t *testing.T, d *stationtest.Daemon, session uint32, name string) {
	t.Helper()
	stationtest.Wait(t, waitLimit, "/tmp holds "+name, func() (bool, string) {
		names := listTmp(t, d, session)
		return slices.Contains(names, name), strings.Join(names, " ")
	})
}

func serviceLog(t *testing.T, c *client.Conn, name string) string {
	t.Helper()
	m, err := c.OpenSCManager(t.Context(), client.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseHandle(t.Context(), client.HandleRequest{Handle: m.Handle})
	s, err := c.OpenService(t.Context(), client.OpenServiceRequest{Manager: m.Handle, Name: name, Access: win32.SERVICE_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseHandle(t.Context(), client.HandleRequest{Handle: s.Handle})
	r, err := c.ServiceLog(t.Context(), client.ServiceLogRequest{Service: s.Handle})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Data)
}
