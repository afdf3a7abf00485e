// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/win32"
)

// Input that is thrown away leaves a record that says whose, where and by which
// rule.
func TestAuditDrop(t *testing.T) {
	conform.Rule(t, "IN-10")
	w := newWorld(t)
	w.e.AuditDrop(1, `WinSta0\Default`, "IN-10", "3 input events of API were dropped")
	got, err := w.e.ReadAudit(t.Context(), 0, 0)
	w.ok(err)
	r := got[len(got)-1]
	if r.Session != 1 || r.Op != "Input" || r.Object != `WinSta0\Default` || r.Rule != "IN-10" || r.Code != win32.ERROR_ACCESS_DENIED || r.Why == "" || r.ACE != -1 {
		t.Errorf("the record is %+v", r)
	}
}
