// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"strings"
	"testing"

	"stationmaster/win32"
)

// FuzzObjectPath gives hostile names and paths: each call answers or refuses
// with a number, an object made can be opened by the same name, and nothing is
// made outside the places for names.
func FuzzObjectPath(f *testing.F) {
	for _, s := range []string{"x", `Local\x`, `Global\x`, `Session\1\x`, `Session\0\x`, `a\b`, `\`, `\\`, `Local\`, "\x00", "\xff", `\BaseNamedObjects\x`,
		`\Sessions\1\BaseNamedObjects\Local\Global\Session\1\y`, `\Sessions\BNOLINKS\1\x\`, strings.Repeat(`Local\`, 300)} {
		f.Add(s)
	}
	w := newWorld(f)
	user := w.start(w.logon(1001).token, nil)
	before := len(w.e.Root().List())
	f.Fuzz(func(t *testing.T, s string) {
		h, _, err := user.CreateEvent(name(s), false, false)
		if err == nil {
			if path, err := user.ObjectName(h); s != "" && (err != nil || !strings.Contains(path, `BaseNamedObjects\`)) {
				t.Errorf("%q made %q, %v", s, path, err)
			}
			if s != "" {
				again, err := user.OpenEvent(s, win32.SYNCHRONIZE, false)
				if err != nil {
					t.Errorf("%q can't be opened again: %v", s, err)
				}
				_ = user.CloseHandle(again)
			}
			if err := user.CloseHandle(h); err != nil {
				t.Error(err)
			}
		} else if win32.Code(err) == 0 {
			t.Errorf("%q: %v has no number", s, err)
		}
		if _, err := user.ObjectAt("test", s); err != nil && win32.Code(err) == 0 {
			t.Errorf("%q: %v has no number", s, err)
		}
		if h, _, err := user.CreateDirectoryObject(name(s), false); err == nil {
			_ = user.CloseHandle(h)
		} else if win32.Code(err) == 0 {
			t.Errorf("directory %q: %v has no number", s, err)
		}
		if n := len(w.e.Root().List()); n != before || user.Process().HandleCount() > 4 {
			t.Errorf("%q left something: %d entries, %d handles", s, n, user.Process().HandleCount())
		}
	})
}
