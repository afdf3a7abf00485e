// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"stationmaster/internal/host"
	"stationmaster/station"
)

// TestMask: directories outside /tmp, which sessions share otherwise.
func TestMask(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		dir, err := os.MkdirTemp("/var/tmp", "sm-mask-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		os.Chmod(dir, 0o755)
		os.WriteFile(filepath.Join(dir, "state"), []byte("secret"), 0o644)
		if err := os.Symlink(dir, dir+"-link"); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir + "-link")
		th := newHost(t, host.Options{Level: level, Mask: []string{dir + "-link", "/no/such/directory"}})
		s := th.start(t, station.SessionSpec{ID: 1, UID: 20001, GID: 20001})
		for _, path := range []string{dir, dir + "-link"} {
			if got := sh(t, s, 20001, "ls -A "+path+"/; touch "+path+"/x 2>&1 || true"); !strings.Contains(got, "Read-only") && !strings.Contains(got, "Permission denied") || strings.Contains(got, "state") {
				t.Errorf("inside, %s holds %q", path, got)
			}
		}
		if b, err := os.ReadFile(filepath.Join(dir, "state")); err != nil || string(b) != "secret" {
			t.Errorf("outside: %q, %v", b, err)
		}
	})
}

// TestSessionZero: services of several uids in one session.
func TestSessionZero(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: uids of their own for services")
	}
	th := newHost(t, host.Options{Level: host.LevelFull})
	s := th.start(t, station.SessionSpec{ID: 0})
	for _, uid := range []uint32{0, 20011, 20012} {
		if got := sh(t, s, uid, "id -u; stat -c '%a %u' "+s.RuntimeDirOf(uid)); got != strings.ReplaceAll("U\n700 U", "U", itoa(uid)) {
			t.Errorf("service of uid %d: %q", uid, got)
		}
	}
	if got := sh(t, s, 20011, "ls "+s.RuntimeDirOf(20012)+" 2>&1 || true"); !strings.Contains(got, "Permission denied") {
		t.Errorf("one service looks into another's runtime directory: %q", got)
	}
	// A service of root may do in its session what root may.
	if got := sh(t, s, 0, "mount -t tmpfs none /mnt && ls -A /mnt && umount /mnt && echo ok"); got != "ok" {
		t.Errorf("root in session 0: %q", got)
	}
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
