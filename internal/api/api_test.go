// SPDX-License-Identifier: Apache-2.0

package api

import "testing"

// Numbers are the wire contract: ascending and unique, names unique.
func TestTable(t *testing.T) {
	last, names := uint16(0), map[string]bool{}
	for _, c := range Table() {
		if c.Op <= last {
			t.Errorf("%s: number %d does not ascend after %d", c.Name, c.Op, last)
		}
		if names[c.Name] {
			t.Errorf("%s appears twice", c.Name)
		}
		if c.Doc == "" {
			t.Errorf("%s has no sentence about it", c.Name)
		}
		last, names[c.Name] = c.Op, true
	}
}
