// SPDX-License-Identifier: Apache-2.0

// Package hostile lets programs do, in a session and outside of all, what
// nobody should get anything by, against a real daemon.
package hostile

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) {
	stationtest.Main(m, map[string]func([]string) int{"probe": probe, "bomb": bomb})
}

// found is what a probe got, by its name.
type found map[string]string

func (f found) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := strings.Join(want, " or "); f[what] != want[0] && (len(want) < 2 || f[what] != want[1]) {
		t.Errorf("%s: %q, want %s", what, f[what], got)
	}
}

func code(c win32.Errno) string { return fmt.Sprint(uint32(c)) }

func parse(t *testing.T, out string) found {
	t.Helper()
	var f found
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatalf("the probe said %q: %v", out, err)
	}
	t.Logf("%v", f)
	return f
}

// A user's program, and Linux users outside every session, against another
// user and the system.
func TestProbe(t *testing.T) {
	conform.Rule(t, "SE-27", "IN-9", "WTS-1", "WTS-7")
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	c := d.Dial(t)
	stationtest.AddUser(t, c, "alice", false)
	stationtest.AddUser(t, c, "bob", false)
	if _, err := c.AddAccount(t.Context(), client.AddAccountRequest{Name: "boss", Password: "boss-pw", Admin: true}); err != nil {
		t.Fatal(err)
	}
	one, two := stationtest.Logon(t, c, "alice"), stationtest.Logon(t, c, "bob")
	stationtest.Spawn(t, c, two, `WinSta0\Winlogon`, "/bin/true") // refused: there are refusals to be read
	secret := stationtest.Spawn(t, c, two, `WinSta0\Default`, "/bin/sleep", "1000")
	tickets := func() []string {
		var out []string
		for _, subject := range []string{"", "alice"} {
			tk, err := c.CreateTicket(t.Context(), client.CreateTicketRequest{Subject: subject, Person: true})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, tk.Ticket)
		}
		return out
	}
	args := func() []string {
		return d.Program(t, "probe", append(tickets(), fmt.Sprint(two), fmt.Sprint(secret.ProcessID), fmt.Sprint(one))...)
	}
	outside := func(uid uint32) found {
		a := args()
		cmd := exec.Command(a[0], a[1:]...)
		cmd.Env, cmd.Stderr, cmd.Dir = []string{"STATION_SOCKET=" + d.Ready.Socket}, os.Stderr, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return parse(t, string(out))
	}
	accounts, err := c.ListAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	uid := map[string]uint32{}
	for _, a := range accounts.Accounts {
		uid[a.Name] = a.UID
	}
	denied := code(win32.ERROR_ACCESS_DENIED)
	for _, who := range []struct {
		name string
		got  func() found
	}{
		{"alice in her session", func() found { return parse(t, d.In(t, one, args()...)) }},
		{"alice outside", func() found { return outside(uid["alice"]) }},
		{"an unknown user", func() found { return outside(65000) }},
	} {
		t.Run(who.name, func(t *testing.T) {
			f := who.got()
			for _, ticket := range []string{"operator's ticket", "alice's ticket"} {
				f.want(t, ticket, code(win32.ERROR_PRIVILEGE_NOT_HELD))
			}
			for _, call := range []string{"AddAccount", "ReadAudit", "Shutdown", "NoPassword", "CreateTicket"} {
				f.want(t, call, denied)
				f.want(t, call+" as boss", denied, code(win32.ERROR_BAD_IMPERSONATION_LEVEL))
			}
			for _, call := range []string{"OpenProcess", "OpenProcess as boss"} {
				f.want(t, call, denied, code(win32.ERROR_BAD_IMPERSONATION_LEVEL))
			}
			f.want(t, "SecureAttention", denied)
			f.want(t, "OpenViewer", denied)
			f.want(t, "CaptureDesktop", code(win32.ERROR_FILE_NOT_FOUND), denied)
			f.want(t, "SendInput", code(win32.ERROR_FILE_NOT_FOUND), denied)
			f.want(t, "bob's processes", "0", denied)
			f.want(t, "events of others", "0")
			f.want(t, "WTSQueryUserToken", code(win32.ERROR_PRIVILEGE_NOT_HELD))
		})
	}
	// None of the tickets was used up by those they are not for.
	tk := tickets()[0]
	if _, err := c.RedeemTicket(t.Context(), client.RedeemTicketRequest{Ticket: tk}); err != nil {
		t.Error(err)
	}
}

// A fork bomb ends at its session's border.
func TestForkBomb(t *testing.T) {
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	c := d.Dial(t)
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range status.Features {
		if f.Name == "limit-pids" && !f.Available {
			t.Skipf("SKIPPED: no cgroup limits processes here: %s", f.Instead)
		}
	}
	stationtest.AddUser(t, c, "alice", false)
	stationtest.AddUser(t, c, "bob", false)
	one, two := stationtest.Logon(t, c, "alice"), stationtest.Logon(t, c, "bob")
	if out := d.In(t, one, d.Program(t, "bomb", fmt.Sprint(two))...); strings.TrimSpace(out) != "stopped" {
		t.Errorf("the bomb: %q", out)
	}
	if out := d.In(t, two, "echo", "alive"); strings.TrimSpace(out) != "alive" {
		t.Errorf("bob: %q", out)
	}
}
