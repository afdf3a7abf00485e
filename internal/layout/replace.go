// SPDX-License-Identifier: Apache-2.0

package layout

import "os"

// Replace puts a file of the daemon in place whole: readers, and a daemon that
// starts after a crash, find the old content or the new one. It is for live
// state, which no loss of power outlives, and so does not wait for the disk.
func Replace(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
