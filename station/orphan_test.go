// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// A program that has given rights up, or never had them, does not get the
// session user's by forking twice.
func TestOrphanOfWeakerProgram(t *testing.T) {
	conform.Rule(t, "HND-12a")
	for name, weaken := range map[string]func(*testing.T, *world, person){
		"lower integrity from the start": func(_ *testing.T, w *world, alice person) { w.start(alice.token.WithIntegrity(security.LevelLow), nil) },
		"another logon":                  func(_ *testing.T, w *world, _ person) { w.start(w.userToken(1, 1002, false), nil) },
		"restricted": func(_ *testing.T, w *world, alice person) {
			tok, err := alice.token.Restrict(security.RestrictSpec{Restricting: []security.SID{alice.token.LogonSID()}})
			w.ok(err)
			w.start(tok, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.logon(1001)
			orphan := station.AttachSpec{PID: 5001, StartTime: 9, Session: 1, InSession: true}
			w.start(alice.token, nil) // as much as the user has: nothing changes
			w.start(security.SystemToken(1), nil)
			th, err := w.e.AttachThread(orphan)
			w.ok(err)
			same(t, "orphan before", th.Process().Token().User(), alice.token.User())
			th.Detach()
			w.e.ForgetProcess(5001, 9)

			weaken(t, w, alice)
			_, err = w.e.AttachThread(orphan)
			rule(t, err, win32.ERROR_ACCESS_DENIED, "HND-12")
			st, err := w.e.SessionState(1)
			w.ok(err)
			same(t, "kept over a restart", st.Weaker, true)
		})
	}
}
