// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"stationmaster/security"
	"stationmaster/win32"
)

// hash makes the hash of a new password; at most two are made at a time.
func (s *Store) hash(password string) string {
	s.hashing <- struct{}{}
	defer func() { <-s.hashing }()
	return hashPassword(password)
}

// Verify checks a name and a password and gives the account. An unknown name,
// an account without a password and a wrong password all take the same work
// and give the same 1326. After too many wrong ones a name is locked for a
// while, 1909, whether it exists or not. A disabled account is 1331, told only
// to who knows the password, or for a built-in account, whose name is no
// secret. A Linux user that is gone, or a uid that another Linux user has by
// now, is 1327.
//
// Rules: LGN-6.
func (s *Store) Verify(ctx context.Context, name, password string) (Account, error) {
	const op = "LogonUser"
	fail := func(code win32.Errno) (Account, error) {
		return Account{}, &win32.Error{Op: op, Object: name, Code: code, Rule: "LGN-6"}
	}
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return Account{}, &win32.Error{Op: op, Object: name, Code: win32.ERROR_CANCELLED}
	}
	key := s.failureKey(name)
	if s.lockedOut(key) {
		return fail(win32.ERROR_ACCOUNT_LOCKED_OUT)
	}
	r, err := s.record(op, name)
	unknown := win32.Code(err) == win32.ERROR_NO_SUCH_USER
	if err != nil && !unknown {
		return Account{}, err
	}
	hash := r.Hash
	if hash == "" {
		hash = nobodyHash
	}
	if len(password) > MaxPassword {
		password = password[:MaxPassword+1] // matches nothing: stored ones are shorter
	}
	match, err := verifyPassword(hash, password)
	if err != nil {
		return Account{}, fmt.Errorf("cannot check the password of %s: %w", name, err)
	}
	if unknown || r.Hash == "" || !match {
		if r.BuiltIn && r.Disabled {
			return fail(win32.ERROR_ACCOUNT_DISABLED)
		}
		s.countFailure(key)
		return fail(win32.ERROR_LOGON_FAILURE)
	}
	s.forgetFailures(name)
	if err := s.usable(r); err != nil {
		return Account{}, err
	}
	return s.account(r), nil
}

// Trusted gives the account of a name without a password, for the operator's
// own logons; what Verify says of disabled accounts holds. An unknown name is
// 1326, so that both ways fail alike.
func (s *Store) Trusted(name string) (Account, error) {
	r, err := s.record("LogonUser", name)
	if win32.Code(err) == win32.ERROR_NO_SUCH_USER {
		return Account{}, &win32.Error{Op: "LogonUser", Object: name, Code: win32.ERROR_LOGON_FAILURE, Rule: "LGN-6"}
	}
	if err != nil {
		return Account{}, err
	}
	if err := s.usable(r); err != nil {
		return Account{}, err
	}
	return s.account(r), nil
}

// usable says whether an account whose password is right may log on at all.
func (s *Store) usable(r record) error {
	if r.Disabled {
		return &win32.Error{Op: "LogonUser", Object: r.Name, Code: win32.ERROR_ACCOUNT_DISABLED, Rule: "LGN-6"}
	}
	if !s.o.Root {
		return nil
	}
	u, err := s.passwd.byUID(r.UID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !r.Linux {
			return nil
		}
		return &win32.Error{Op: "LogonUser", Object: r.Name + " (its Linux user is gone)", Code: win32.ERROR_ACCOUNT_RESTRICTION, Rule: "LGN-6"}
	case err != nil:
		return err
	case !r.Linux || u.name != r.Name:
		return &win32.Error{Op: "LogonUser", Object: fmt.Sprintf("%s (its uid %d is now the Linux user %s)", r.Name, r.UID, u.name), Code: win32.ERROR_ACCOUNT_RESTRICTION, Rule: "LGN-6"}
	}
	return nil
}

func (s *Store) failureKey(name string) string {
	key, ok := s.localName(name)
	if !ok {
		key = name
	}
	if len(key) > 256 {
		key = key[:256]
	}
	return strings.ToLower(key)
}

// lockedOut reports whether a name has had too many wrong passwords lately.
func (s *Store) lockedOut(key string) bool {
	now := s.o.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.failures[key]
	if f == nil {
		return false
	}
	if now.Sub(f.first) >= s.o.FailureWindow {
		delete(s.failures, key)
		return false
	}
	return f.count >= s.o.MaxFailures
}

// countFailure counts a wrong password. Names are forgotten when their window
// is over, the oldest first when there are too many of them.
func (s *Store) countFailure(key string) {
	now := s.o.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.failures[key]
	if f == nil {
		if len(s.failures) >= maxFailureNames {
			s.evictLocked()
		}
		f = &failure{first: now}
		s.failures[key] = f
	}
	f.count++
	if f.count == s.o.MaxFailures {
		f.first = now // locked for a whole window from here
	}
}

// evictLocked drops the oldest name that is not locked out, so that a flood of
// made-up names does not unlock a real one; failing that, the oldest.
func (s *Store) evictLocked() {
	oldest, spare := "", ""
	for k, f := range s.failures {
		if oldest == "" || f.first.Before(s.failures[oldest].first) {
			oldest = k
		}
		if f.count < s.o.MaxFailures && (spare == "" || f.first.Before(s.failures[spare].first)) {
			spare = k
		}
	}
	if spare != "" {
		oldest = spare
	}
	delete(s.failures, oldest)
}

func (s *Store) forgetFailures(name string) {
	key := s.failureKey(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failures, key)
}

// LookupName finds the SID of an account name: well-known ones, `NT SERVICE\x`
// and those of the store, with or without their domain. Unknown is 1332.
//
// Win32: LookupAccountName. Rules: SE-12.
func (s *Store) LookupName(name string) (security.SID, error) {
	if sid, ok := security.LookupWellKnown(name); ok {
		return sid, nil
	}
	if r, err := s.record("LookupAccountName", name); err == nil {
		return s.machine.Child(r.RID), nil
	} else if win32.Code(err) != win32.ERROR_NO_SUCH_USER {
		return security.SID{}, err
	}
	return security.SID{}, &win32.Error{Op: "LookupAccountName", Object: name, Code: win32.ERROR_NONE_MAPPED, Rule: "SE-12"}
}

// LookupSID finds the domain and name of a SID; unknown is 1332.
//
// Win32: LookupAccountSid. Rules: SE-12.
func (s *Store) LookupSID(sid security.SID) (domain, name string, err error) {
	if domain, name, ok := security.WellKnownName(sid); ok {
		if sid.Authority() == 22 && sid.Domain() == security.UnixUserSID(0).Domain() {
			if u, err := s.passwd.byUID(sid.RID()); err == nil {
				name = u.name
			}
		}
		return domain, name, nil
	}
	if r, ok := s.bySID(sid); ok {
		return s.o.Computer, r.Name, nil
	}
	return "", "", &win32.Error{Op: "LookupAccountSid", Object: sid.String(), Code: win32.ERROR_NONE_MAPPED, Rule: "SE-12"}
}

// DisplayName gives DOMAIN\name of a SID, or its S-form when it has no name.
func (s *Store) DisplayName(sid security.SID) string {
	domain, name, err := s.LookupSID(sid)
	switch {
	case err != nil:
		return sid.String()
	case domain == "":
		return name
	}
	return domain + `\` + name
}
