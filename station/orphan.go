// SPDX-License-Identifier: Apache-2.0

package station

import (
	"slices"

	"stationmaster/security"
)

// An orphan is a process of a session whose parents have ended, so that nothing
// tells which program it comes from. It is taken for the session's user as long
// as nobody in the session has ever had less than that user: a restricted
// program, or one of another logon with the same Linux user, could else fork
// twice and come back with everything (HND-12a).

// noteLocked remembers that a program of the session has, or had, less than the
// session's user.
func (s *Session) noteLocked(tok *security.Token) {
	s.mu.AssertHeld()
	if s.user != nil && !asStrong(tok, s.user) {
		s.weaker = true
	}
}

// orphanToken gives the token of an orphan, or why it gets none.
func (s *Session) orphanToken() (*security.Token, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.id == 0 || s.user == nil:
		return nil, "no process that is known started it"
	case s.weaker:
		return nil, "no process that is known started it, and some of its session have less than the session's user"
	}
	return s.user, ""
}

// asStrong reports whether a token has all that the session user's has.
// Privileges count when held: a program may enable those again.
func asStrong(tok, user *security.Token) bool {
	if tok.IsSystem() {
		return true
	}
	if tok.User() != user.User() || tok.LogonID() != user.LogonID() || tok.IsRestricted() || tok.Integrity() < user.Integrity() {
		return false
	}
	groups := tok.Groups()
	for _, g := range user.Groups() {
		at := slices.IndexFunc(groups, func(x security.Group) bool { return x.SID == g.SID })
		if at < 0 || g.Attributes&security.GroupEnabled != 0 && groups[at].Attributes&security.GroupEnabled == 0 {
			return false
		}
	}
	for _, p := range user.Privileges() {
		if !tok.HoldsPrivilege(p.Privilege) {
			return false
		}
	}
	return true
}
