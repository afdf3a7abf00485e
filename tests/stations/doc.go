// SPDX-License-Identifier: Apache-2.0

// Package stations proves the rules of window stations and desktops with real
// programs: this test binary runs again inside sessions, calls the daemon over
// the call socket, and says what it found.
package stations
