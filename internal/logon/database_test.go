// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// A database that was cut off is an error, not the end of the process.
func TestDatabaseCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "station.db")
	db, err := OpenDatabase(path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		if err != nil {
			return err
		}
		return b.Put([]byte("k"), make([]byte, 64<<10))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{5000, 16 << 10, 32 << 10} {
		if err := os.Truncate(path, max(size, 0)); err != nil {
			t.Fatal(err)
		}
		if db, err := OpenDatabase(path); err == nil {
			db.Close()
			t.Errorf("%d bytes are taken for a database", size)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name the file", err)
		}
	}
}
