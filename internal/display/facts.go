// SPDX-License-Identifier: Apache-2.0

package display

import "strings"

// Facts tells what a listing shows of a desktop's surface: the DISPLAY of its
// X server while one runs, and why it has no picture. Both may be empty.
func (d *desktop) Facts() (display, trouble string) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	trouble = d.fault
	if trouble == "" && d.startErr != nil {
		trouble = d.startErr.Error()
	}
	if d.server != nil {
		for _, kv := range d.server.Env() {
			if v, ok := strings.CutPrefix(kv, "DISPLAY="); ok {
				display = v
			}
		}
	}
	return display, trouble
}
