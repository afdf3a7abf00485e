// SPDX-License-Identifier: Apache-2.0

package stationtest_test

import (
	"testing"

	"stationmaster/client"
	"stationmaster/tests/stationtest"
)

func TestMain(m *testing.M) { stationtest.Main(m, nil) }

// TestNothingLeft starts, kills, restarts and ends a daemon; what it leaves
// fails the test in the cleanup.
func TestNothingLeft(t *testing.T) {
	d := stationtest.Serve(t, "--listen", "none")
	if len(d.Leftovers()) == 0 {
		t.Error("a running daemon is not noticed")
	}
	before := d.Dial(t)
	if _, err := before.Ping(t.Context(), client.PingRequest{}); err != nil {
		t.Fatal(err)
	}
	d.Kill(t)
	if d.Running() {
		t.Error("runs after SIGKILL")
	}
	took := d.Start(t)
	status, err := d.Dial(t).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if int(status.PID) != d.PID() || d.Ready.Adopted == 0 {
		t.Errorf("process %d adopted %d sessions, want %d and at least session 0", status.PID, d.Ready.Adopted, d.PID())
	}
	t.Logf("answered again after %v", took)
}
