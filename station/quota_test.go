// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// One session's programs use up their own handles and nobody else's; callers
// from outside use up neither session 0's nor the operator's.
func TestHandlesOfASession(t *testing.T) {
	conform.Rule(t, "HND-10")
	w := newWorld(t, func(o *station.Options) { o.Settings.MaxSessionHandles = 10 })
	alice, bob := w.logon(1001), w.logon(1002)
	open := func(th *station.Thread, n int) (win32.Handle, error) {
		var h win32.Handle
		for range n {
			var err error
			if h, err = th.OpenProcess(th.Process().ID(), win32.PROCESS_QUERY_INFORMATION, false); err != nil {
				return 0, err
			}
		}
		return h, nil
	}
	first, second := w.start(alice.token, nil), w.start(alice.token, nil)
	_, err := open(first, 6)
	w.ok(err)
	h, err := open(second, 4)
	w.ok(err)
	_, err = open(first, 1)
	rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
	w.ok(second.CloseHandle(h))
	_, err = open(first, 1)
	w.ok(err)
	_, err = open(w.start(bob.token, nil), 10)
	w.ok(err)

	outside := func(pid int, tok *security.Token) *station.Thread {
		th, err := w.e.AttachThread(station.AttachSpec{PID: pid, Fallback: tok, NoStation: true})
		w.ok(err)
		t.Cleanup(th.Detach)
		return th
	}
	stranger, operator := outside(1<<24, alice.token), outside(1<<24+1, security.SystemToken(0))
	_, err = open(stranger, 11)
	rule(t, err, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
	_, err = open(operator, 20)
	w.ok(err)
	_, err = open(w.start(security.SystemToken(0), nil), 10)
	w.ok(err)
}
