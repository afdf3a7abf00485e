// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestLiveStateAfterAKill kills the daemon, as it were, in each step of a
// replacement: what is read is the old state or the new one.
func TestLiveStateAfterAKill(t *testing.T) {
	const older, newer = `{"id":4,"terminal":"older"}`, `{"id":4,"terminal":"newer"}`
	for _, row := range []struct {
		name, old, fresh, want string
	}{
		{"before", older, "", "older"},
		{"new one half written", older, newer[:12], "older"},
		{"new one written", older, newer, "older"},
		{"old one gone", "", newer, "newer"},
		{"after", newer, "", "newer"},
		{"first one half written", "", newer[:12], ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := openLiveState(dir, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"session-4.json": row.old, "session-4.json.new": row.fresh} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			for _, st := range l.sessions() {
				got += st.Terminal
			}
			if got != row.want {
				t.Errorf("read %q, want %q", got, row.want)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if err := supersede(l.path(4), []byte(older)); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(l.path(4)); err != nil || string(b) != older {
				t.Errorf("after another change: %q, %v", b, err)
			}
		})
	}
}
