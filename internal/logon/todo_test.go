// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

// TestGaps names the rules of this package's area that are not kept yet.
func TestGaps(t *testing.T) {
	t.Run("LGN-4", func(t *testing.T) {
		w := newWorld(t, nil)
		w.start()
		conform.Todo(t, "LGN-4", "new credentials are of use on other hosts only", func() error {
			_, err := w.winlogon.LogonUser(context.Background(), w.operator, api.LogonUserRequest{Name: "alice", Password: "x", Type: win32.LOGON32_LOGON_NEW_CREDENTIALS})
			return err
		})
	})
	t.Run("LGN-16/another user unlocks", func(t *testing.T) {
		w := newWorld(t, nil)
		w.start()
		w.logon("alice")
		if err := w.winlogon.Lock(1); err != nil {
			t.Fatal(err)
		}
		conform.Todo(t, "LGN-16", "another user's credentials at the unlock prompt do not switch user", func() error {
			return w.winlogon.Unlock(context.Background(), w.operator, 1, password("bob"))
		})
	})
	for _, gap := range []struct{ id, why string }{
		{"LGN-6", "passwords do not expire, and there are no logon hours"},
		{"LGN-7", "a logon session's number is not given back when its last token goes; its station goes with its processes"},
		{"LGN-18", "no screen saver starts by itself"},
		{"LGN-19", "programs are not asked before a logoff (WM_QUERYENDSESSION): windows are a later issue"},
		{"LGN-14", "the security screen has no change password and no task list"},
		{"SES-23", "the console is headless: no listener is bound to it"},
		{"SES-25", "a logon of a user whose session is on the console makes a new session"},
		{"SES-26", "there are no named events yet, so no Global\\TermSrvReadyEvent"},
		{"NTF-11", "rows j and l need a logon that takes a session off the console, and shadowing"},
		{"PRC-19", "there is no CreateProcessWithToken"},
		{"PRC-20", "there is no CreateProcessWithLogon"},
	} {
		t.Run(gap.id, func(t *testing.T) { conform.Todo(t, gap.id, gap.why, nil) })
	}
}
