// SPDX-License-Identifier: Apache-2.0

// Package attack holds the attack suite: a victim in one session owns one of
// everything, and an attacker in another tries to see, read, signal, trace or
// reach it, one row per attack. The rows that stay open are named with the
// reason; any other row that opens, or closes, fails the test. The same
// attacks run once outside any session, where they must succeed, so that a
// blocked row means a border and not a mistake in the attack.
//
// The package has tests only. They use internal/host and golang.org/x/sys/unix.
package attack
