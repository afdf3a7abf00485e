// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
)

// TestProgramByHTTP starts a program in a session through the HTTP API, as the
// console's button does: with the token of who signed in, and nobody's token
// handed out.
func TestProgramByHTTP(t *testing.T) {
	conform.Rule(t, "PRC-24")
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "127.0.0.1:0")
	c := d.Dial(t)
	for _, user := range []string{"alice", "bob"} {
		stationtest.AddUser(t, c, user, false)
	}
	r, err := c.LogonSession(t.Context(), client.LogonSessionRequest{User: "alice", NoPassword: true, Surface: "builtin"})
	if err != nil {
		t.Fatal(err)
	}
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	post := func(bearer, path string, q any) (int, string) {
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, status.ConsoleURL+path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	signIn := func(subject string) string {
		ticket, err := c.CreateTicket(t.Context(), client.CreateTicketRequest{Subject: subject})
		if err != nil {
			t.Fatal(err)
		}
		code, answer := post("", "/v1/signin", map[string]string{"ticket": ticket.Ticket})
		var got struct{ Token string }
		if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Token == "" {
			t.Fatalf("sign-in: %d %s (%v)", code, answer, err)
		}
		return got.Token
	}
	touch := func(name string) map[string][]string { return map[string][]string{"args": {"touch", "/tmp/" + name}} }
	for _, who := range []string{"", "alice"} {
		name := "by-http-" + who
		if code, answer := post(signIn(who), "/v1/sessions/1/processes", touch(name)); code != http.StatusCreated {
			t.Errorf("signed in as %q: %d %s", who, code, answer)
		}
		stationtest.Wait(t, 10*time.Second, "the program ran in her session", func() (bool, string) {
			list := d.In(t, r.SessionID, "ls", "/tmp")
			return strings.Contains(list, name), list
		})
	}
	code, answer := post(signIn("bob"), "/v1/sessions/1/processes", touch("by-bob"))
	if code != http.StatusForbidden || !strings.Contains(answer, "Access is denied") {
		t.Errorf("bob started a program in alice's session: %d %s", code, answer)
	}
	http.DefaultClient.CloseIdleConnections()
}
