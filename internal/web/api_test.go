// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

func TestSessions(t *testing.T) {
	x := signedIn(t)
	var list []Session
	x.call(http.MethodGet, "/v1/sessions", "", 200, &list)
	if len(list) != 4 || list[1].User != "alice" || list[1].State != "Active" || list[1].LogonID != "0x0:0x2f0a1" || !list[2].Locked {
		t.Errorf("sessions %+v", list)
	}
	var one Session
	x.call(http.MethodGet, "/v1/sessions/3", "", 200, &one)
	if one.ID != 3 || one.State != "Disc" {
		t.Errorf("session 3 is %+v", one)
	}
	p := x.refused(http.MethodGet, "/v1/sessions/77", "", 404, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	if p.Object != "session 77" {
		t.Errorf("problem %+v does not name the session", p)
	}
	x.refused(http.MethodGet, "/v1/sessions/x", "", 422, win32.ERROR_INVALID_PARAMETER)

	var tree Tree
	x.call(http.MethodGet, "/v1/sessions/1/tree", "", 200, &tree)
	if tree.Session.ID != 1 || len(tree.Stations) != 1 || len(tree.Stations[0].Desktops) != 4 || len(tree.Processes) != 3 || len(tree.Messages) != 1 {
		t.Errorf("tree %+v", tree)
	}
	if d := tree.Stations[0].Desktops[0]; d.Station != "WinSta0" || d.Surface != "x11" || d.Display != ":101" || !d.Active {
		t.Errorf("desktop %+v", d)
	}
	if m := tree.Messages[0]; strings.Join(m.Buttons, ",") != "Yes,No" || m.Sender != 4102 {
		t.Errorf("message %+v", m)
	}
	var trees []Tree
	x.call(http.MethodGet, "/v1/tree", "", 200, &trees)
	if len(trees) != 4 || len(trees[0].Stations) != 3 || trees[3].Processes[0].Name != "make" {
		t.Errorf("%d trees", len(trees))
	}

	var on struct{ SessionID uint32 }
	x.call(http.MethodPost, "/v1/sessions", `{"user":"dora","password":"secret"}`, 201, &on)
	if on.SessionID != 4 {
		t.Errorf("logged on to %+v", on)
	}
	p = x.refused(http.MethodPost, "/v1/sessions", `{"user":"dora","password":"no"}`, 403, win32.ERROR_LOGON_FAILURE)
	if p.Rule != "LGN-5" || p.Object != "dora" {
		t.Errorf("problem %+v", p)
	}
	x.refused(http.MethodPost, "/v1/sessions", `{"password":"no"}`, 422, win32.ERROR_INVALID_PARAMETER)
	x.refused(http.MethodPost, "/v1/sessions", `{`, 400, win32.ERROR_INVALID_PARAMETER)

	for _, what := range []string{"lock", "disconnect", "connect", "logoff"} {
		body := ""
		if what == "connect" {
			body = "{}"
		}
		x.call(http.MethodPost, "/v1/sessions/4/"+what, body, 204, nil)
	}
	x.refused(http.MethodPost, "/v1/sessions/4/lock", "", 404, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	x.refused(http.MethodPost, "/v1/sessions/2/unlock", `{"password":"bad"}`, 403, win32.ERROR_LOGON_FAILURE)
	x.call(http.MethodPost, "/v1/sessions/2/unlock", `{"password":"secret"}`, 204, nil)
	x.call(http.MethodPost, "/v1/sessions/2/secure-attention", "", 204, nil)
	x.refused(http.MethodGet, "/v1/nothing", "", 404, win32.ERROR_NOT_FOUND)
	x.refused(http.MethodPost, "/v1/nothing", "{}", 404, win32.ERROR_NOT_FOUND)
}

func TestDesktops(t *testing.T) {
	x := signedIn(t)
	var d Desktop
	x.call(http.MethodPost, "/v1/sessions/1/desktops", `{"name":"Two words","surface":"x11"}`, 201, &d)
	if d.Name != "Two words" || d.Surface != "x11" {
		t.Errorf("created %+v", d)
	}
	p := x.refused(http.MethodPost, "/v1/sessions/1/desktops", `{"name":"a\\b"}`, 400, win32.ERROR_INVALID_NAME)
	if p.Rule != "DT-4" {
		t.Errorf("rule %q", p.Rule)
	}
	x.refused(http.MethodPost, "/v1/sessions/1/desktops", `{"name":"x","surface":"wayland"}`, 422, win32.ERROR_INVALID_PARAMETER)
	x.call(http.MethodPost, "/v1/sessions/1/desktops/Two%20words/switch", "", 204, nil)
	x.refused(http.MethodDelete, "/v1/sessions/1/desktops/Two%20words", "", 409, win32.ERROR_BUSY)
	x.call(http.MethodPost, "/v1/sessions/1/desktops/Default/switch?station=WinSta0", "", 204, nil)
	x.call(http.MethodDelete, "/v1/sessions/1/desktops/Two%20words", "", 204, nil)
	x.refused(http.MethodPost, "/v1/sessions/1/desktops/Nowhere/switch", "", 404, win32.ERROR_FILE_NOT_FOUND)
	x.refused(http.MethodPost, "/v1/sessions/2/desktops/Default/switch", "", 403, win32.ERROR_ACCESS_DENIED)

	res := x.request(http.MethodGet, "/v1/sessions/1/desktops/Research/screenshot.png?station=WinSta0", "")
	defer res.Body.Close()
	if res.Header.Get("Content-Type") != "image/png" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
	m, err := png.Decode(res.Body)
	if err != nil || m.Bounds().Dx() != screenW {
		t.Errorf("picture %v, %v", m, err)
	}
	conform.Rule(t, "IN-11")
	x.refused(http.MethodGet, "/v1/sessions/2/desktops/Winlogon/screenshot.png", "", 403, win32.ERROR_ACCESS_DENIED)

	x.call(http.MethodPost, "/v1/sessions/1/input", `{"events":[{"type":"text","text":"ls"},{"type":"key","keysym":65293,"down":true},{"type":"pointer","x":3,"y":-4,"buttons":1}]}`, 204, nil)
	want := []api.InputEvent{{Kind: 3, Text: "ls"}, {Kind: 1, Keysym: 65293, Down: true}, {Kind: 2, X: 3, Y: -4, Buttons: 1}}
	if got := fmt.Sprint(x.d.inputs); got != fmt.Sprint(want) {
		t.Errorf("input %v, want %v", got, want)
	}
	x.refused(http.MethodPost, "/v1/sessions/1/input", `{"events":[]}`, 422, win32.ERROR_INVALID_PARAMETER)
	x.refused(http.MethodPost, "/v1/sessions/1/input", `{"events":[{"type":"shout"}]}`, 422, win32.ERROR_INVALID_PARAMETER)
}

func TestProcesses(t *testing.T) {
	x := signedIn(t)
	var all []Process
	x.call(http.MethodGet, "/v1/processes", "", 200, &all)
	if len(all) != 9 {
		t.Errorf("%d processes", len(all))
	}
	var run struct{ ProcessID uint32 }
	x.call(http.MethodPost, "/v1/sessions/1/processes", `{"args":["xterm","-e","top"]}`, 201, &run)
	if run.ProcessID == 0 {
		t.Error("no process ID")
	}
	x.refused(http.MethodPost, "/v1/sessions/1/processes", `{"args":["nothing"]}`, 404, win32.ERROR_FILE_NOT_FOUND)
	x.refused(http.MethodPost, "/v1/sessions/0/processes", `{"args":["true"]}`, 409, win32.ERROR_NO_TOKEN)
	x.refused(http.MethodPost, "/v1/sessions/1/processes", `{"args":[]}`, 422, win32.ERROR_INVALID_PARAMETER)
	x.call(http.MethodDelete, "/v1/sessions/1/processes/4201", "", 204, nil)
	x.refused(http.MethodDelete, "/v1/sessions/1/processes/4301", "", 404, win32.ERROR_NOT_FOUND) // bob's
}

func TestServicesAndAccounts(t *testing.T) {
	x := signedIn(t)
	var list []Service
	x.call(http.MethodGet, "/v1/services", "", 200, &list)
	if len(list) != 4 || list[0].State != "Running" || !list[0].CanStop || list[3].State != "Stopped" {
		t.Errorf("services %+v", list)
	}
	x.call(http.MethodPost, "/v1/services/updates/start", "", 204, nil)
	x.refused(http.MethodPost, "/v1/services/updates/start", "", 409, win32.ERROR_SERVICE_ALREADY_RUNNING)
	x.call(http.MethodPost, "/v1/services/updates/stop", "", 204, nil)
	x.refused(http.MethodPost, "/v1/services/none/start", "", 404, win32.ERROR_SERVICE_DOES_NOT_EXIST)
	var one ServiceDetail
	x.call(http.MethodGet, "/v1/services/backup", "", 200, &one)
	if one.Name != "backup" || one.StartType != "auto" || one.State != "Running" {
		t.Errorf("service %+v", one)
	}
	if b := x.call(http.MethodGet, "/v1/services/backup/log", "", 200, nil); !bytes.Contains(b, []byte("back up now?")) {
		t.Errorf("log %q", b)
	}
	var accounts []Account
	x.call(http.MethodGet, "/v1/accounts", "", 200, &accounts)
	if len(accounts) != 4 || !accounts[0].Admin {
		t.Errorf("accounts %+v", accounts)
	}
	var st Status
	x.call(http.MethodGet, "/v1/status", "", 200, &st)
	if st.Isolation != "full" || len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "Landlock scopes") {
		t.Errorf("status %+v", st)
	}
	var audit struct{ Records []Refusal }
	x.call(http.MethodGet, "/v1/audit", "", 200, &audit)
	if len(audit.Records) != 2 || audit.Records[1].ACEText != "(A;;0x80;;;BA)" || audit.Records[1].Desired != "0x00000080" {
		t.Errorf("audit %+v", audit)
	}
}

func TestMessages(t *testing.T) {
	x := signedIn(t)
	var got struct {
		Answer string
		Code   uint32
	}
	x.call(http.MethodPost, "/v1/sessions/1/messages", `{"title":"a","text":"b"}`, 200, &got)
	if got.Answer != "IDASYNC" {
		t.Errorf("nobody waited, answer %+v", got)
	}
	if q := x.d.sent[0]; len(q.Key) != 16 || q.Wait || q.Style != win32.MB_OK {
		t.Errorf("sent %+v", q)
	}
	x.refused(http.MethodPost, "/v1/sessions/1/messages", `{"title":"a","text":"b","style":"maybe"}`, 422, win32.ERROR_INVALID_PARAMETER)
	conform.Rule(t, "IN-10") // the API lists boxes; no operation answers one
	var list []Message
	x.call(http.MethodGet, "/v1/sessions/1/messages", "", 200, &list)
	for _, path := range []string{"/v1/sessions/1/messages/7", "/v1/sessions/1/messages/7/answer"} {
		x.call(http.MethodPost, path, `{"answer":"IDYES"}`, 404, nil)
	}

	// The daemon restarts while a person thinks: the same key asks again.
	done := make(chan string, 1)
	go func() {
		res := x.request(http.MethodPost, "/v1/sessions/1/messages", `{"title":"q","text":"b","style":"yesno","icon":"question","wait":true}`)
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		done <- string(b)
	}()
	sent := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("message %d is sent", n), func() bool {
			x.d.mu.Lock()
			defer x.d.mu.Unlock()
			return len(x.d.sent) == n
		})
	}
	sent(2)
	x.d.stop()
	x.d.restart()
	sent(3)
	x.d.mu.Lock()
	a, b := x.d.sent[1], x.d.sent[2]
	x.d.mu.Unlock()
	if !bytes.Equal(a.Key, b.Key) || b.Style != win32.MB_YESNO|win32.MB_ICONQUESTION {
		t.Errorf("asked with key %x, then %x; style %#x", a.Key, b.Key, b.Style)
	}
	x.d.answerAll(win32.IDYES)
	if b := <-done; !strings.Contains(b, "IDYES") {
		t.Errorf("answer %s", b)
	}
}

// A script that goes away takes its question's call with it.
func TestMessageCancel(t *testing.T) {
	x := signedIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, x.url+"/v1/sessions/1/messages", strings.NewReader(`{"title":"q","text":"b","wait":true}`))
	r.Header.Set("Authorization", "Bearer "+x.token)
	r.Header.Set("Content-Type", "application/json")
	done := make(chan error, 1)
	go func() {
		_, err := x.client.Do(r)
		done <- err
	}()
	eventually(t, "the question is asked", func() bool {
		x.d.mu.Lock()
		defer x.d.mu.Unlock()
		return len(x.d.sent) == 1
	})
	before := x.d.openConns()
	cancel()
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
	eventually(t, "the connection is closed", func() bool { return x.d.openConns() < before })
}
