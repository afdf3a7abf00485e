// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"stationmaster/client"
	"stationmaster/tests/stationtest"
)

// TestPageOutlivesDaemon kills the daemon under a page that shows a session:
// the page says so, keeps the last picture and is back by itself, still signed
// in, within two seconds of the next daemon's start.
func TestPageOutlivesDaemon(t *testing.T) {
	stationtest.NeedRoot(t)
	stationtest.NeedPrograms(t, "Xvnc", "xterm")
	d := stationtest.Serve(t, "--listen", "127.0.0.1:0")
	c := d.Dial(t)
	stationtest.AddUser(t, c, "alice", false)
	id := stationtest.Logon(t, c, "alice")
	stationtest.Spawn(t, c, id, `WinSta0\Default`, "xterm", "-geometry", "100x30+40+40", "-e", "sh", "-c", "while :; do date +%s.%N; sleep 0.2; done")
	ticket, err := c.CreateTicket(t.Context(), client.CreateTicketRequest{Person: true})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t)
	p.do("sign in", chromedp.Navigate(d.Ready.Console+"/signin?ticket="+ticket.Ticket), visible(fmt.Sprintf("tree-session-%d", id)))
	p.view(id)
	moves := func(what string) {
		t.Helper()
		p.until(what+": the desktop is drawn", func() bool { return stationtest.Drawn(p.picture()) > 0.01 })
		first := p.picture()
		p.until(what+": the picture moves", func() bool { return stationtest.Differ(first, p.picture()) > 0 })
	}
	moves("before")

	d.Kill(t)
	p.do("the page notices", chromedp.WaitReady(chromedp.CSS(`[data-testid="viewer"][data-state="lost"]`)),
		chromedp.WaitReady(chromedp.CSS(`[data-testid="live"][data-state="gone"]`)))
	p.keep("no daemon")

	began := time.Now()
	took := d.Start(t)
	p.do("the view is back", chromedp.WaitReady(chromedp.CSS(`[data-testid="viewer"][data-state="connected"]`)))
	back := time.Since(began)
	t.Logf("answered after %v, view back after %v", took, back)
	if back > 2*time.Second {
		t.Errorf("the view was back after %v, want 2 s", back)
	}
	p.do("the page is live", chromedp.WaitReady(chromedp.CSS(`[data-testid="live"][data-state="live"]`)))
	moves("after")
	p.keep("back again")
	p.do("still signed in", visible("me"), visible(fmt.Sprintf("tree-session-%d", id)))
}
