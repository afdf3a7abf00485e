// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A sign-in outlives the daemon for the process that made it, and for no other.
func TestTicketRenewal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tickets.json")
	log := slog.New(slog.DiscardHandler)
	var ts tickets
	text := ts.add("alice", true, time.Hour)
	unused := ts.add("bob", true, time.Hour)
	try := func(ts *tickets, text string, pid int, start, daemon uint64, want bool) {
		t.Helper()
		got, ok := ts.redeem(text, path, pid, start, daemon, log)
		if ok != want || ok && (got.subject != "alice" || !got.person) {
			t.Errorf("redeem by %d/%d at daemon %d: %+v %v, want %v", pid, start, daemon, got, ok, want)
		}
	}
	try(&ts, text, 10, 1, 1, true)
	try(&ts, text, 10, 1, 1, false) // one-time
	for daemon := uint64(2); daemon < 4; daemon++ {
		var next tickets
		try(&next, unused, 10, 1, daemon, false)
		try(&next, text, 11, 1, daemon, false)
		try(&next, text, 10, 2, daemon, false) // another process of that number
		try(&next, text+"x", 10, 1, daemon, false)
		try(&next, text, 10, 1, daemon, true)
		try(&next, text, 10, 1, daemon, false)
	}
	b, err := os.ReadFile(path)
	if err != nil || bytes.Contains(b, []byte(text)) {
		t.Errorf("the file has the ticket itself: %s %v", b, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var broken tickets
	try(&broken, text, 10, 1, 9, false)
}
