// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"testing"

	"stationmaster/conform"
)

// TestGaps names the rules of this package's area of which a part is not
// kept yet, because it needs handles, buffers, an account store or a log.
func TestGaps(t *testing.T) {
	for _, gap := range []struct{ id, why string }{
		{"SE-12", "names of accounts, and the computer's name as domain, need the account store"},
		{"SE-13", "the table of SIDs and Linux ids belongs to the account store; only the SIDs are made here"},
		{"SE-20", "information classes and buffer lengths belong to GetTokenInformation"},
		{"SE-21", "87 for elevation and 24 for a short length belong to SetTokenInformation"},
		{"SE-33", "WTSQueryUserToken picks the limited half"},
		{"SE-44", "buffer lengths of the function AccessCheck (122, 998) belong to the call"},
		{"SE-50c", "types that refuse an open for nothing are the engine's"},
		{"SE-50e", "the granted mask is kept in the handle by the engine"},
		{"SE-61", "CONNECT as the only right of NETWORK callers belongs to the service manager"},
		{"SE-64", "the audit record is written by the engine; Audit only finds the ACEs"},
		{"SDDL-8", "revision (1305) and NULL pointers (87) belong to the call"},
	} {
		t.Run(gap.id, func(t *testing.T) { conform.Todo(t, gap.id, gap.why, nil) })
	}
}
