// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/win32"
)

// Each refusal has one record, which names the call that was made.
func TestAuditNamesTheCall(t *testing.T) {
	conform.Rule(t, "SE-64", "WTS-3", "IN-10", "IN-11")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	two := h.logon(op, "bob")
	if err := op.LockSession(ctx, client.SessionRequest{SessionID: two}); err != nil {
		t.Fatal(err)
	}
	before, err := op.ReadAudit(ctx, client.ReadLogRequest{})
	if err != nil {
		t.Fatal(err)
	}
	typing := []client.InputEvent{{Kind: inputText, Text: "x"}}
	h.as(one, func() {
		c := h.dial()
		wantCode(t, c.WTSLogoffSession(ctx, client.SessionWaitRequest{SessionID: two}), win32.ERROR_ACCESS_DENIED)
		wantCode(t, c.WTSDisconnectSession(ctx, client.SessionWaitRequest{SessionID: two}), win32.ERROR_ACCESS_DENIED)
		wantCode(t, c.LockSession(ctx, client.SessionRequest{SessionID: two}), win32.ERROR_ACCESS_DENIED)
		_, err := c.ListMessages(ctx, client.SessionRequest{SessionID: two})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		_, _, err = c.OpenViewer(ctx, client.OpenViewerRequest{SessionID: two})
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	})
	wantCode(t, op.SendInput(ctx, client.SendInputRequest{SessionID: two, Desktop: "Winlogon", Events: typing}), win32.ERROR_ACCESS_DENIED)
	after, err := op.ReadAudit(ctx, client.ReadLogRequest{After: before.Next})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"WTSLogoffSession", "WTSDisconnectSession", "LockSession", "ListMessages", "OpenViewer", "SendInput"}
	var got []string
	for _, r := range after.Records {
		got = append(got, r.Op)
		if r.Code != uint32(win32.ERROR_ACCESS_DENIED) || r.ACEText == "" || r.Rule == "" || r.User == "" || r.Object == "" || r.Nanos == 0 || r.ProcessID == 0 {
			t.Errorf("not complete: %+v", r)
		}
		if r.Op != "SendInput" && (r.SessionID != one || r.Desired == 0) {
			t.Errorf("not complete: %+v", r)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("records of %v, want %v", got, want)
	}
}
