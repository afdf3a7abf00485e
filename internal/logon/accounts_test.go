// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

const testPasswd = `root:x:0:0:root:/root:/bin/bash
carol:x:1001:1001:Carol:/home/carol:/bin/zsh
squatter:x:60002:60002::/:/usr/sbin/nologin
`

const testGroup = `root:x:0:
audio:x:29:other,carol
carol:x:1001:carol
video:x:44:carol
`

// newStore opens a store in a fresh directory; change edits its options.
func newStore(t *testing.T, change func(*Options)) *Store {
	t.Helper()
	dir := t.TempDir()
	db, err := OpenDatabase(filepath.Join(dir, "station.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return storeOn(t, db, dir, change)
}

func storeOn(t *testing.T, db *bolt.DB, dir string, change func(*Options)) *Store {
	t.Helper()
	o := Options{DB: db, Root: true, Computer: "HOST", PasswdFile: filepath.Join(dir, "passwd"), GroupFile: filepath.Join(dir, "group")}
	for path, text := range map[string]string{o.PasswdFile: testPasswd, o.GroupFile: testGroup} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustAdd(t *testing.T, s *Store, n NewAccount) Account {
	t.Helper()
	a, err := s.Add(n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantCode fails the test unless err carries the Win32 number.
func wantCode(t *testing.T, err error, code win32.Errno) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("got %v, want %s (%d)", err, code.Name(), uint32(code))
	}
}

func TestAccountsAreDurable(t *testing.T) {
	conform.Rule(t, "LGN-1", "SE-7")
	dir := t.TempDir()
	path := filepath.Join(dir, "station.db")
	db, err := OpenDatabase(path)
	if err != nil {
		t.Fatal(err)
	}
	s := storeOn(t, db, dir, nil)
	alice := mustAdd(t, s, NewAccount{Name: "Alice", Password: "secret"})
	bob := mustAdd(t, s, NewAccount{Name: "bob", Password: "secret", Admin: true})
	if got := s.Machine().String(); !strings.HasPrefix(got, "S-1-5-21-") || strings.Count(got, "-") != 6 {
		t.Errorf("machine SID %s", got)
	}
	if alice.SID != s.Machine().Child(1001) || bob.SID != s.Machine().Child(1002) {
		t.Errorf("SIDs %s and %s, want RIDs 1001 and 1002", alice.SID, bob.SID)
	}
	if err := s.Remove("BOB"); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDatabase(path); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("opening the database twice: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db, err = OpenDatabase(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	again := storeOn(t, db, dir, nil)
	if again.Machine() != s.Machine() {
		t.Errorf("machine SID changed from %s to %s", s.Machine(), again.Machine())
	}
	got, err := again.Verify(context.Background(), "ALICE", "secret")
	if err != nil || got.SID != alice.SID || got.Name != "Alice" {
		t.Errorf("got %+v, %v", got, err)
	}
	carol := mustAdd(t, again, NewAccount{Name: "dora"})
	if carol.SID != again.Machine().Child(1003) {
		t.Errorf("SID %s: the RID of a removed account was given again", carol.SID)
	}
}

func TestBuiltInAccounts(t *testing.T) {
	conform.Rule(t, "LGN-1", "SE-7")
	s := newStore(t, nil)
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]Account)
	for _, a := range all {
		got[a.Name] = a
	}
	for name, want := range map[string]Account{
		"Administrator":  {SID: s.Machine().Child(500), UID: 60900, Admin: true},
		"Guest":          {SID: s.Machine().Child(501), UID: 60903, Disabled: true},
		"LocalSystem":    {SID: security.System, UID: 0, Admin: true},
		"LocalService":   {SID: security.LocalService, UID: 60901},
		"NetworkService": {SID: security.NetworkService, UID: 60902},
	} {
		a := got[name]
		if a.SID != want.SID || a.UID != want.UID || a.Admin != want.Admin || a.Disabled != want.Disabled || !a.BuiltIn || a.HasHash {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	if len(all) != 5 {
		t.Errorf("%d accounts, want 5", len(all))
	}
	for _, name := range []string{"Administrator", "guest"} {
		wantCode(t, s.Remove(name), win32.ERROR_ACCESS_DENIED)
	}
	for _, name := range []string{"SYSTEM", "localsystem", "LocalService", "Network Service", "administrators", "Guest"} {
		_, err := s.Add(NewAccount{Name: name})
		wantCode(t, err, win32.ERROR_USER_EXISTS)
	}
}

func TestVerify(t *testing.T) {
	conform.Rule(t, "LGN-6")
	s := newStore(t, nil)
	ctx := context.Background()
	mustAdd(t, s, NewAccount{Name: "alice", Password: "pässword"})
	mustAdd(t, s, NewAccount{Name: "bob", Password: "b"})
	mustAdd(t, s, NewAccount{Name: "nopass"})
	if err := s.SetDisabled("bob", true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		want           win32.Errno
	}{
		{"alice", "pässword", 0},
		{"ALICE", "pässword", 0},
		{`.\alice`, "pässword", 0},
		{`host\alice`, "pässword", 0},
		{`ELSEWHERE\alice`, "pässword", win32.ERROR_LOGON_FAILURE},
		{"alice", "pässwort", win32.ERROR_LOGON_FAILURE},
		{"alice", "", win32.ERROR_LOGON_FAILURE},
		{"alice", strings.Repeat("x", 5000), win32.ERROR_LOGON_FAILURE},
		{"nobody", "pässword", win32.ERROR_LOGON_FAILURE},
		{"", "", win32.ERROR_LOGON_FAILURE},
		{"nopass", "", win32.ERROR_LOGON_FAILURE},
		{"bob", "b", win32.ERROR_ACCOUNT_DISABLED},
		{"bob", "wrong", win32.ERROR_LOGON_FAILURE},
		{"Guest", "", win32.ERROR_ACCOUNT_DISABLED},
		{"Administrator", "", win32.ERROR_LOGON_FAILURE},
		{"LocalSystem", "", win32.ERROR_LOGON_FAILURE},
	} {
		_, err := s.Verify(ctx, c.name, c.password)
		if win32.Code(err) != c.want {
			t.Errorf("%q %q: got %v, want %d", c.name, c.password, err, uint32(c.want))
		}
	}
	_, unknown := s.Verify(ctx, "x", "y")
	_, wrong := s.Verify(ctx, "alice", "y")
	if a, b := strings.ReplaceAll(unknown.Error(), "x", "N"), strings.ReplaceAll(wrong.Error(), "alice", "N"); a != b {
		t.Errorf("an unknown name is told apart: %q, %q", a, b)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	s.hashing <- struct{}{}
	s.hashing <- struct{}{}
	_, err := s.Verify(done, "alice", "pässword")
	wantCode(t, err, win32.ERROR_CANCELLED)
}

func TestLockout(t *testing.T) {
	conform.Rule(t, "LGN-6")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newStore(t, func(o *Options) {
		o.MaxFailures, o.FailureWindow = 3, time.Minute
		o.Clock = func() time.Time { return now }
	})
	ctx := context.Background()
	mustAdd(t, s, NewAccount{Name: "alice", Password: "secret"})
	for _, name := range []string{"alice", "nobody"} {
		for i := range 3 {
			_, err := s.Verify(ctx, name, "wrong")
			if win32.Code(err) != win32.ERROR_LOGON_FAILURE {
				t.Fatalf("%s, failure %d: %v", name, i+1, err)
			}
		}
		_, err := s.Verify(ctx, strings.ToUpper(name), "secret")
		wantCode(t, err, win32.ERROR_ACCOUNT_LOCKED_OUT)
	}
	now = now.Add(59 * time.Second)
	_, err := s.Verify(ctx, "alice", "secret")
	wantCode(t, err, win32.ERROR_ACCOUNT_LOCKED_OUT)
	now = now.Add(time.Second)
	if _, err := s.Verify(ctx, "alice", "secret"); err != nil {
		t.Errorf("after the window: %v", err)
	}
	for range 2 {
		_, _ = s.Verify(ctx, "alice", "wrong")
	}
	if _, err := s.Verify(ctx, "alice", "secret"); err != nil {
		t.Errorf("after two failures: %v", err)
	}
	for range 2 { // the success before cleared the count
		_, _ = s.Verify(ctx, "alice", "wrong")
	}
	if _, err := s.Verify(ctx, "alice", "secret"); err != nil {
		t.Errorf("the count was not cleared: %v", err)
	}
	for i := range maxFailureNames + 10 {
		s.countFailure(fmt.Sprint("made-up", i))
	}
	if len(s.failures) > maxFailureNames {
		t.Errorf("%d names remembered", len(s.failures))
	}
}

func TestSetPassword(t *testing.T) {
	s := newStore(t, nil)
	ctx := context.Background()
	mustAdd(t, s, NewAccount{Name: "alice", Password: "one"})
	if err := s.SetPassword("alice", "two"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Verify(ctx, "alice", "one")
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	if _, err := s.Verify(ctx, "alice", "two"); err != nil {
		t.Error(err)
	}
	if err := s.SetPassword("alice", ""); err != nil {
		t.Fatal(err)
	}
	_, err = s.Verify(ctx, "alice", "")
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
	wantCode(t, s.SetPassword("nobody", "x"), win32.ERROR_NO_SUCH_USER)
	wantCode(t, s.SetPassword("alice", strings.Repeat("x", MaxPassword+1)), win32.ERROR_INVALID_PARAMETER)
	wantCode(t, s.Remove("nobody"), win32.ERROR_NO_SUCH_USER)
}

func TestLinuxIdentities(t *testing.T) {
	conform.Rule(t, "LGN-1", "SE-13")
	s := newStore(t, nil)
	carol := mustAdd(t, s, NewAccount{Name: "carol", Password: "c"})
	if carol.UID != 1001 || carol.GID != 1001 || !carol.Linux || carol.Home != "/home/carol" || carol.Shell != "/bin/zsh" || fmt.Sprint(carol.Groups) != "[29 44]" {
		t.Errorf("the Linux user carol: got %+v", carol)
	}
	a := mustAdd(t, s, NewAccount{Name: "alice"})
	b := mustAdd(t, s, NewAccount{Name: "bob"})
	if a.UID != 60001 || b.UID != 60003 || a.Linux { // 60002 is in /etc/passwd
		t.Errorf("uids %d and %d, want 60001 and 60003", a.UID, b.UID)
	}
	d := mustAdd(t, s, NewAccount{Name: "dora", UID: 70000})
	if d.UID != 70000 {
		t.Errorf("uid %d, want 70000", d.UID)
	}
	for name, uid := range map[string]uint32{"root": 0, "e": 70000, "f": 60002, "g": 60901, "h": 60900} {
		_, err := s.Add(NewAccount{Name: name, UID: uid})
		wantCode(t, err, win32.ERROR_INVALID_PARAMETER)
	}
	if got, ok := s.ByUID(60003); !ok || got.Name != "bob" {
		t.Errorf("uid 60003 is %+v, %v", got, ok)
	}
	if _, ok := s.ByUID(0); ok {
		t.Error("uid 0 is an account")
	}

	// The Linux user disappears, and a new one takes alice's uid.
	text := "root:x:0:0::/root:/bin/sh\nmallory:x:60001:60001::/:/bin/sh\n"
	if err := os.WriteFile(s.o.PasswdFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.Verify(context.Background(), "carol", "c")
	wantCode(t, err, win32.ERROR_ACCOUNT_RESTRICTION)
	_, err = s.Trusted("alice")
	wantCode(t, err, win32.ERROR_ACCOUNT_RESTRICTION)
	if _, err := s.Trusted("bob"); err != nil {
		t.Error(err)
	}
	_, err = s.Trusted("nobody")
	wantCode(t, err, win32.ERROR_LOGON_FAILURE)
}

func TestRootlessHasOneUID(t *testing.T) {
	conform.Rule(t, "LGN-1")
	s := newStore(t, func(o *Options) { o.Root, o.UID, o.GID = false, 1234, 1235 })
	for _, name := range []string{"alice", "carol"} {
		if a := mustAdd(t, s, NewAccount{Name: name}); a.UID != 1234 || a.GID != 1235 || a.Linux {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	_, err := s.Add(NewAccount{Name: "bob", UID: 7})
	wantCode(t, err, win32.ERROR_INVALID_PARAMETER)
	if _, ok := s.ByUID(1234); ok {
		t.Error("the shared uid names an account")
	}
}

func TestAccountNames(t *testing.T) {
	s := newStore(t, nil)
	mustAdd(t, s, NewAccount{Name: "Ünal"})
	_, err := s.Add(NewAccount{Name: "üNAL"})
	wantCode(t, err, win32.ERROR_USER_EXISTS)
	for _, bad := range []string{"", "a/b", `a\b`, "..", ".", " a", "a ", "-x", "a:b", "a\nb", "a\x00", strings.Repeat("n", 33), "a\xff"} {
		_, err := s.Add(NewAccount{Name: bad})
		if win32.Code(err) != win32.ERROR_INVALID_NAME {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestLookupAccount(t *testing.T) {
	conform.Rule(t, "SE-12")
	s := newStore(t, nil)
	alice := mustAdd(t, s, NewAccount{Name: "Alice"})
	for _, name := range []string{"alice", `.\ALICE`, `HOST\Alice`} {
		if sid, err := s.LookupName(name); err != nil || sid != alice.SID {
			t.Errorf("%s: %v, %v", name, sid, err)
		}
	}
	if sid, err := s.LookupName(`nt authority\system`); err != nil || sid != security.System {
		t.Errorf("SYSTEM: %v, %v", sid, err)
	}
	if sid, err := s.LookupName(`NT SERVICE\Spooler`); err != nil || sid != security.ServiceSID("Spooler") {
		t.Errorf("service: %v, %v", sid, err)
	}
	_, err := s.LookupName("nobody")
	wantCode(t, err, win32.ERROR_NONE_MAPPED)
	for sid, want := range map[security.SID]string{
		alice.SID:                    `HOST\Alice`,
		s.Machine().Child(500):       `HOST\Administrator`,
		security.System:              `NT AUTHORITY\SYSTEM`,
		security.Everyone:            `Everyone`,
		security.Administrators:      `BUILTIN\Administrators`,
		security.UnixUserSID(1001):   `Unix User\carol`,
		security.UnixUserSID(424242): `Unix User\424242`,
	} {
		if got := s.DisplayName(sid); got != want {
			t.Errorf("%s is %q, want %q", sid, got, want)
		}
	}
	_, _, err = s.LookupSID(s.Machine().Child(4000))
	wantCode(t, err, win32.ERROR_NONE_MAPPED)
	_, _, err = s.LookupSID(security.MustSID("S-1-5-21-1-2-3-1001"))
	wantCode(t, err, win32.ERROR_NONE_MAPPED)
}

func TestPasswordHashes(t *testing.T) {
	a, b := hashPassword("x"), hashPassword("x")
	if a == b || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hashes %s, %s", a, b)
	}
	for phc, want := range map[string]bool{a: true, b: true, hashPassword("y"): false, nobodyHash: false} {
		if got, err := verifyPassword(phc, "x"); err != nil || got != want {
			t.Errorf("%s: %v, %v", phc, got, err)
		}
	}
	for _, bad := range []string{"", "x", "$argon2id$v=19$m=0,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=4294967295,t=1,p=1$YQ$YQ",
		"$argon2id$v=16$m=64,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=64,t=1,p=1$?$YQ", "$argon2i$v=19$m=64,t=1,p=1$YWFhYWFhYWE$YQ"} {
		if _, err := verifyPassword(bad, "x"); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
