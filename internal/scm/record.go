// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	bolt "go.etcd.io/bbolt"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// Types and start types of the rules that package win32 has no use for.
const (
	typeKernelDriver     = 0x1
	typeFileSystemDriver = 0x2
	typeUserOwn          = 0x50
	typeUserShare        = 0x60

	startBoot   = 0
	startSystem = 1

	errorCritical = 3
)

// record is what the database holds of a service. Seq is its place in database
// order.
type record struct {
	Seq          uint64
	Name         string
	DisplayName  string
	Type         uint32
	StartType    uint32
	ErrorControl uint32
	BinaryPath   string
	Account      string // as QueryServiceConfig prints it
	Credential   string `json:",omitempty"` // of a user account, see logon.Store.ServiceCredential
	Depends      []string
	Description  string
	Plain        bool     `json:",omitempty"`
	Env          []string `json:",omitempty"`
	SDDL         string   `json:",omitempty"` // empty: the default of SE-62
	Deleted      bool     `json:",omitempty"` // marked; the next start of the daemon drops it
}

// isDriver says whether the record is of a driver, which is never started here.
func (r *record) isDriver() bool { return r.Type&(typeKernelDriver|typeFileSystemDriver) != 0 }

// interactive says whether the service asks for WinSta0 (SCM-12).
func (r *record) interactive() bool { return r.Type&win32.SERVICE_INTERACTIVE_PROCESS != 0 }

// checkName says whether a name can be a service's or a display name (SCM-1).
func checkName(name string) bool {
	return name != "" && len(utf16.Encode([]rune(name))) <= 256 && !strings.ContainsAny(name, "/\\\x00")
}

// checkConfig makes the checks of a new service that need no other one, in the
// order of SCM-6: names, binary, type, start type, error control, account.
func checkConfig(q *api.CreateServiceRequest) error {
	fail := func(code win32.Errno, rule string) error {
		return &win32.Error{Op: "CreateService", Object: q.Name, Code: code, Rule: rule}
	}
	if !checkName(q.Name) {
		return fail(win32.ERROR_INVALID_NAME, "SCM-1")
	}
	if q.DisplayName != "" && len(utf16.Encode([]rune(q.DisplayName))) > 256 {
		return fail(win32.ERROR_INVALID_NAME, "SCM-1")
	}
	words, err := splitWords(q.BinaryPath)
	if err != nil || len(words) == 0 || words[0] == "" {
		return fail(win32.ERROR_INVALID_PARAMETER, "SCM-6")
	}
	driver := false
	switch q.Type {
	case typeKernelDriver, typeFileSystemDriver:
		driver = true
	case win32.SERVICE_WIN32_OWN_PROCESS, win32.SERVICE_WIN32_SHARE_PROCESS,
		win32.SERVICE_WIN32_OWN_PROCESS | win32.SERVICE_INTERACTIVE_PROCESS,
		win32.SERVICE_WIN32_SHARE_PROCESS | win32.SERVICE_INTERACTIVE_PROCESS,
		typeUserOwn, typeUserShare:
	default:
		return fail(win32.ERROR_INVALID_PARAMETER, "SCM-2")
	}
	switch q.StartType {
	case startBoot, startSystem:
		if !driver {
			return fail(win32.ERROR_INVALID_PARAMETER, "SCM-3")
		}
	case win32.SERVICE_AUTO_START, win32.SERVICE_DEMAND_START, win32.SERVICE_DISABLED:
	default:
		return fail(win32.ERROR_INVALID_PARAMETER, "SCM-3")
	}
	if q.ErrorControl > errorCritical {
		return fail(win32.ERROR_INVALID_PARAMETER, "SCM-4")
	}
	if driver && q.Plain {
		return fail(win32.ERROR_INVALID_PARAMETER, "SCM-2")
	}
	for _, kv := range q.Env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" || strings.ContainsRune(kv, 0) {
			return fail(win32.ERROR_INVALID_PARAMETER, "SCM-6")
		}
	}
	return nil
}

var (
	bucketServices = []byte("services") // lower-case name → record
)

func serviceKey(name string) string { return strings.ToLower(name) }

// loadRecords reads the database, in no order, and drops what was marked for
// deletion when the last daemon ended.
func loadRecords(db *bolt.DB) ([]record, error) {
	var all []record
	err := db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketServices)
		if err != nil {
			return err
		}
		var dead [][]byte
		err = b.ForEach(func(k, v []byte) error {
			var r record
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("record of %s: %w", k, err)
			}
			if r.Deleted {
				dead = append(dead, append([]byte(nil), k...))
				return nil
			}
			all = append(all, r)
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range dead {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the service database: %w", err)
	}
	return all, nil
}

// storeRecord writes a record; a new one (Seq 0) gets its place in the order.
func storeRecord(db *bolt.DB, r *record) error {
	err := db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketServices)
		if r.Seq == 0 {
			seq, err := b.NextSequence()
			if err != nil {
				return err
			}
			r.Seq = seq
		}
		v, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return b.Put([]byte(serviceKey(r.Name)), v)
	})
	if err != nil {
		return fmt.Errorf("cannot write service %s: %w", r.Name, err)
	}
	return nil
}

// removeRecord takes a record out of the database.
func removeRecord(db *bolt.DB, name string) error {
	err := db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketServices).Delete([]byte(serviceKey(name)))
	})
	if err != nil {
		return fmt.Errorf("cannot remove service %s: %w", name, err)
	}
	return nil
}
