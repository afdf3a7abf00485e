// SPDX-License-Identifier: Apache-2.0

// Package logon keeps the accounts, verifies passwords, makes the tokens of
// logon sessions and is the session manager's winlogon: it logs users on and
// off, disconnects and reconnects their sessions, locks and unlocks them and
// answers the secure attention sequence.
//
// It is not for access checks on engine objects (package station) nor for the
// calls that look at sessions (internal/wts). It may import win32, security,
// station, internal/api, bbolt and x/crypto.
//
// Locks: Store.mu guards the failure counts and what is remembered of the
// database, and is never held over it. Winlogon.mu guards the table of winlogon states and is never held
// over the engine, the host or the display; what one session does is
// serialized by its own flow lock, which is taken before Winlogon.mu and may be
// held over slow work because only winlogon itself waits for it.
package logon
