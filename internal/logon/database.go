// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// OpenDatabase opens the durable database of a state directory, which holds
// accounts, services and settings; it is made when it is not there. A database
// that another daemon has open is an error after one second.
func OpenDatabase(path string) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("cannot open %s: another daemon uses it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return db, nil
}

// Buckets and keys of this package. Values of accounts are JSON records.
var (
	bucketMeta     = []byte("logon")    // machine SID, next RID
	bucketAccounts = []byte("accounts") // lower-case name → record
	bucketSettings = []byte("settings") // name → text

	keyMachine = []byte("machine")
	keyNextRID = []byte("next-rid")
)

// firstRID is the RID of the first account that is not built in (LGN-1).
const firstRID = 1001

func putUint32(b *bolt.Bucket, key []byte, v uint32) error {
	return b.Put(key, binary.LittleEndian.AppendUint32(nil, v))
}

func getUint32(b *bolt.Bucket, key []byte) (uint32, bool) {
	v := b.Get(key)
	if len(v) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(v), true
}
