// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// OpenDatabase opens the durable database of a state directory, which holds
// accounts, services and settings; it is made when it is not there. A database
// that another daemon has open is an error after one second.
func OpenDatabase(path string) (*bolt.DB, error) {
	if err := notCutOff(path); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("cannot open %s: another daemon uses it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return db, nil
}

// notCutOff reports an error for a database file that is shorter than it says
// itself. The file gets mapped: reading a page that is not there would end the
// process. What else may be wrong with it is up to bbolt.
//
// A meta page, of which pages 0 and 1 are one each, the one with the higher
// transaction counting:
//
//	page header 16 | magic u32 | version u32 | page size u32 | flags u32 | root 16 | freelist u64 | pages u64 | tx u64 | FNV-1a of all that u64
func notCutOff(path string) error {
	const header, length, magic = 16, 64, 0xED0CDAED
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	var newest, need uint64
	at := int64(0)
	for range 2 {
		var b [header + length]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			break // bbolt says what it misses
		}
		le, m := binary.LittleEndian, b[header:]
		size := int64(le.Uint32(m[8:]))
		if le.Uint32(m) != magic || size < 512 || size > 1<<20 {
			size = int64(os.Getpagesize())
		} else {
			sum := fnv.New64a()
			sum.Write(m[:length-8])
			if tx := le.Uint64(m[48:]); sum.Sum64() == le.Uint64(m[56:]) && tx >= newest {
				newest, need = tx, le.Uint64(m[40:])*uint64(size)
			}
		}
		at = size
	}
	if uint64(st.Size()) < need {
		return fmt.Errorf("it was cut off: it has %d bytes of %d", st.Size(), need)
	}
	return nil
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
