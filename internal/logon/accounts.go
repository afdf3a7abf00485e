// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"stationmaster/security"
	"stationmaster/win32"
)

// Options say where the accounts are and how they map to Linux users.
type Options struct {
	DB *bolt.DB // the durable database, see OpenDatabase; stays the caller's

	// Root says that the daemon may start programs as other users: an account
	// is then the Linux user of its name, or gets a uid of its own. Otherwise
	// every account has the daemon's uid and gid.
	Root bool
	UID  uint32 // of the daemon; used when Root is false
	GID  uint32

	// FirstUID to LastUID is the range for accounts that are no Linux user; 0
	// is 60001 to 60899. A uid that /etc/passwd has is never given away.
	FirstUID, LastUID uint32
	// Linux users of the built-in accounts when Root; 0 is 60900 to 60903.
	AdministratorUID, LocalServiceUID, NetworkServiceUID, GuestUID uint32

	PasswdFile, GroupFile string // empty: /etc/passwd, /etc/group

	Computer string // name of this machine as account domain; empty: the host name in capitals

	// MaxFailures wrong passwords within FailureWindow lock an account until
	// the window is over (LGN-6); 0 is 10 in 10 minutes.
	MaxFailures   int
	FailureWindow time.Duration
	Clock         func() time.Time // nil: time.Now
}

// Store is the account store. All methods may be called at the same time.
type Store struct {
	o       Options       // immutable, defaults filled in
	db      *bolt.DB      // immutable
	machine security.SID  // immutable: S-1-5-21-a-b-c (SE-7)
	passwd  passwd        // immutable
	hashing chan struct{} // immutable: bounds how much memory hashing takes at a time

	mu       sync.Mutex
	failures map[string]*failure // guarded by mu: recent wrong passwords by lower-case name
	records  map[uint32]record   // guarded by mu: what the database holds, by RID, so that lists of processes need not read it
}

// failure counts the wrong passwords of one name.
type failure struct {
	count int       // guarded by Store.mu
	first time.Time // guarded by Store.mu
}

// maxFailureNames bounds how many names the store remembers failures of.
const maxFailureNames = 4096

// Account is one account as the rest of the program sees it; no secret is in it.
type Account struct {
	Name     string
	SID      security.SID
	UID      uint32
	GID      uint32
	Groups   []uint32 // supplementary Linux groups
	Admin    bool     // member of Administrators
	Remote   bool     // member of Remote Desktop Users
	Disabled bool
	BuiltIn  bool
	HasHash  bool   // it can be logged on by password
	Linux    bool   // UID, home and shell are those of the Linux user of this name
	Home     string // of the Linux user; empty: made under the state directory
	Shell    string // of the Linux user; empty: /bin/sh
}

// record is what the database holds of an account.
type record struct {
	Name     string
	RID      uint32
	Hash     string `json:",omitempty"` // argon2id PHC string; empty: no logon by password
	Linux    bool   `json:",omitempty"`
	UID      uint32
	GID      uint32
	Admin    bool `json:",omitempty"`
	Remote   bool `json:",omitempty"`
	Disabled bool `json:",omitempty"`
	BuiltIn  bool `json:",omitempty"`
	Created  time.Time
}

// NewAccount says what account to add.
type NewAccount struct {
	Name     string
	Password string // empty: it cannot be logged on by password
	UID      uint32 // 0: the Linux user of that name, else one from the range
	Admin    bool
	// ConsoleOnly keeps the account out of Remote Desktop Users: it can't be
	// logged on to a session other than the console's (LGN-5).
	ConsoleOnly bool
}

// Open reads the account store out of the database, makes the machine SID and
// the built-in accounts if they are not there yet. Rules: LGN-1, SE-7.
func Open(o Options) (*Store, error) {
	if o.FirstUID == 0 {
		o.FirstUID, o.LastUID = 60001, 60899
	}
	for _, d := range []struct {
		uid *uint32
		def uint32
	}{{&o.AdministratorUID, 60900}, {&o.LocalServiceUID, 60901}, {&o.NetworkServiceUID, 60902}, {&o.GuestUID, 60903}} {
		if *d.uid == 0 {
			*d.uid = d.def
		}
	}
	if o.PasswdFile == "" {
		o.PasswdFile = "/etc/passwd"
	}
	if o.GroupFile == "" {
		o.GroupFile = "/etc/group"
	}
	if o.Computer == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "localhost"
		}
		o.Computer, _, _ = strings.Cut(strings.ToUpper(host), ".")
	}
	if o.MaxFailures == 0 {
		o.MaxFailures = 10
	}
	if o.FailureWindow == 0 {
		o.FailureWindow = 10 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Store{
		o:        o,
		db:       o.DB,
		passwd:   passwd{o.PasswdFile, o.GroupFile},
		hashing:  make(chan struct{}, 2),
		failures: make(map[string]*failure),
		records:  make(map[uint32]record),
	}
	if err := s.db.Update(s.prepare); err != nil {
		return nil, fmt.Errorf("cannot prepare the account store: %w", err)
	}
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketAccounts).ForEach(func(k, v []byte) error {
			var r record
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("record of %s: %w", k, err)
			}
			s.records[r.RID] = r
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the account store: %w", err)
	}
	return s, nil
}

// remember keeps a record that was written.
func (s *Store) remember(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[r.RID] = r
}

// known gives the records, in no order.
func (s *Store) known() []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.records))
}

// prepare makes what a new database lacks.
func (s *Store) prepare(tx *bolt.Tx) error {
	meta, err := tx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(bucketSettings); err != nil {
		return err
	}
	accounts, err := tx.CreateBucketIfNotExists(bucketAccounts)
	if err != nil {
		return err
	}
	if text := meta.Get(keyMachine); text != nil {
		if s.machine, err = security.ParseSID(string(text)); err != nil {
			return fmt.Errorf("machine SID %q: %w", text, err)
		}
	} else {
		if s.machine, err = security.NewMachineSID(rand.Reader); err != nil {
			return err
		}
		if err := meta.Put(keyMachine, []byte(s.machine.String())); err != nil {
			return err
		}
		if err := putUint32(meta, keyNextRID, firstRID); err != nil {
			return err
		}
	}
	for _, r := range []record{
		{Name: "Administrator", RID: 500, UID: s.o.AdministratorUID, GID: s.o.AdministratorUID, Admin: true, BuiltIn: true},
		{Name: "Guest", RID: 501, UID: s.o.GuestUID, GID: s.o.GuestUID, Disabled: true, BuiltIn: true},
	} {
		if accounts.Get(accountKey(r.Name)) == nil {
			r.Created = s.o.Clock()
			if err := putRecord(accounts, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Machine gives the machine SID, S-1-5-21-a-b-c, made once per store (SE-7).
func (s *Store) Machine() security.SID { return s.machine }

// Computer gives the name of this machine, which is the domain of its accounts.
func (s *Store) Computer() string { return s.o.Computer }

// Add adds an account. It fails with 1316 when the name is taken, 123 when it
// is no account name, 87 when the uid cannot be had. Rules: LGN-1, SE-7.
func (s *Store) Add(n NewAccount) (Account, error) {
	const op = "NetUserAdd"
	if !validName(n.Name) {
		return Account{}, &win32.Error{Op: op, Object: n.Name, Code: win32.ERROR_INVALID_NAME, Rule: "LGN-1"}
	}
	if reservedName(n.Name) {
		return Account{}, &win32.Error{Op: op, Object: n.Name, Code: win32.ERROR_USER_EXISTS, Rule: "LGN-1"}
	}
	if len(n.Password) > MaxPassword {
		return Account{}, &win32.Error{Op: op, Object: n.Name, Code: win32.ERROR_INVALID_PARAMETER}
	}
	r := record{Name: n.Name, Admin: n.Admin, Remote: !n.ConsoleOnly, Created: s.o.Clock()}
	if n.Password != "" {
		r.Hash = s.hash(n.Password)
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		accounts, meta := tx.Bucket(bucketAccounts), tx.Bucket(bucketMeta)
		if accounts.Get(accountKey(n.Name)) != nil {
			return &win32.Error{Op: op, Object: n.Name, Code: win32.ERROR_USER_EXISTS, Rule: "LGN-1"}
		}
		if err := s.chooseUID(accounts, n, &r); err != nil {
			return err
		}
		rid, ok := getUint32(meta, keyNextRID)
		if !ok || rid < firstRID {
			return errors.New("the account store has lost its next RID")
		}
		r.RID = rid
		if err := putUint32(meta, keyNextRID, rid+1); err != nil {
			return err
		}
		return putRecord(accounts, r)
	})
	if err != nil {
		return Account{}, s.wrap("add account "+n.Name, err)
	}
	s.remember(r)
	return s.account(r), nil
}

// List gives all accounts, the built-in ones included, ordered by name.
func (s *Store) List() ([]Account, error) {
	all := s.services()
	for _, r := range s.known() {
		all = append(all, s.account(r))
	}
	slices.SortStableFunc(all, func(a, b Account) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return all, nil
}

// services gives the accounts that are in no database.
func (s *Store) services() []Account {
	return []Account{s.localSystem(), s.localService(), s.networkService()}
}

// Lookup gives an account of the store by its name: `name`, `.\name` or
// `COMPUTER\name`. An unknown one is error 1317.
func (s *Store) Lookup(name string) (Account, error) {
	r, err := s.record("NetUserGetInfo", name)
	if err != nil {
		return Account{}, err
	}
	return s.account(r), nil
}

// BySID gives the account of a SID, service accounts included; 1332 when there
// is none. Rules: SE-13.
func (s *Store) BySID(sid security.SID) (Account, error) {
	for _, a := range s.services() {
		if a.SID == sid {
			return a, nil
		}
	}
	if r, ok := s.bySID(sid); ok {
		return s.account(r), nil
	}
	return Account{}, &win32.Error{Op: "LookupAccountSid", Object: sid.String(), Code: win32.ERROR_NONE_MAPPED, Rule: "SE-12"}
}

func (s *Store) bySID(sid security.SID) (record, bool) {
	if sid.Domain() != s.machine {
		return record{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[sid.RID()]
	return r, ok
}

// ByUID gives the account of the store that programs with this Linux uid
// belong to, false for none. Rootless, where all share one uid, there is none.
func (s *Store) ByUID(uid uint32) (Account, bool) {
	if !s.o.Root || uid == 0 {
		return Account{}, false
	}
	for _, a := range s.services() {
		if a.UID == uid {
			return a, true
		}
	}
	for _, r := range s.known() {
		if r.UID == uid {
			return s.account(r), true
		}
	}
	return Account{}, false
}

// SetPassword replaces the password of an account; empty takes the logon by
// password away. Failures counted against the account are forgotten.
func (s *Store) SetPassword(name, password string) error {
	if len(password) > MaxPassword {
		return &win32.Error{Op: "NetUserSetInfo", Object: name, Code: win32.ERROR_INVALID_PARAMETER}
	}
	if _, err := s.record("NetUserSetInfo", name); err != nil {
		return err
	}
	hash := ""
	if password != "" {
		hash = s.hash(password)
	}
	err := s.change("NetUserSetInfo", name, func(r *record) error { r.Hash = hash; return nil })
	if err == nil {
		s.forgetFailures(name)
	}
	return err
}

// SetDisabled disables or enables an account.
func (s *Store) SetDisabled(name string, disabled bool) error {
	return s.change("NetUserSetInfo", name, func(r *record) error { r.Disabled = disabled; return nil })
}

// Remove removes an account. Built-in ones stay (1371 has no number here: 5).
// Whether it has a session is for the caller to ask first.
func (s *Store) Remove(name string) error {
	const op = "NetUserDel"
	r, err := s.record(op, name)
	if err != nil {
		return err
	}
	if r.BuiltIn {
		return &win32.Error{Op: op, Object: name, Code: win32.ERROR_ACCESS_DENIED, Rule: "LGN-1"}
	}
	err = s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketAccounts).Delete(accountKey(r.Name)) })
	if err != nil {
		return s.wrap("remove account "+name, err)
	}
	s.mu.Lock()
	delete(s.records, r.RID)
	s.mu.Unlock()
	s.forgetFailures(name)
	return nil
}

// Setting gives a setting of the daemon, empty when it is not set.
func (s *Store) Setting(name string) string {
	var value string
	_ = s.db.View(func(tx *bolt.Tx) error { // a read of an open database cannot fail
		value = string(tx.Bucket(bucketSettings).Get([]byte(name)))
		return nil
	})
	return value
}

// SetSetting sets a setting of the daemon; empty removes it.
func (s *Store) SetSetting(name, value string) error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketSettings)
		if value == "" {
			return b.Delete([]byte(name))
		}
		return b.Put([]byte(name), []byte(value))
	})
	return s.wrap("set "+name, err)
}

// record reads an account's record; unknown is 1317.
func (s *Store) record(op, name string) (record, error) {
	var r record
	key, ok := s.localName(name)
	found := false
	err := s.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketAccounts).Get(accountKey(key))
		if v == nil || !ok {
			return nil
		}
		found = true
		return json.Unmarshal(v, &r)
	})
	if err != nil {
		return r, s.wrap("read account "+name, err)
	}
	if !found {
		return r, &win32.Error{Op: op, Object: name, Code: win32.ERROR_NO_SUCH_USER, Rule: "LGN-1"}
	}
	return r, nil
}

// change edits one record in a transaction.
func (s *Store) change(op, name string, edit func(*record) error) error {
	r, err := s.record(op, name)
	if err != nil {
		return err
	}
	key := accountKey(r.Name)
	err = s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketAccounts)
		v := b.Get(key)
		if v == nil {
			return &win32.Error{Op: op, Object: name, Code: win32.ERROR_NO_SUCH_USER, Rule: "LGN-1"}
		}
		var now record
		if err := json.Unmarshal(v, &now); err != nil {
			return err
		}
		if err := edit(&now); err != nil {
			return err
		}
		// Two changes at once are told in the order they are written.
		tx.OnCommit(func() { s.remember(now) })
		return putRecord(b, now)
	})
	return s.wrap("change account "+name, err)
}

// account turns a record into what others see; a Linux user is read afresh.
func (s *Store) account(r record) Account {
	a := Account{
		Name: r.Name, SID: s.machine.Child(r.RID), UID: r.UID, GID: r.GID,
		Admin: r.Admin, Remote: r.Remote, Disabled: r.Disabled, BuiltIn: r.BuiltIn, HasHash: r.Hash != "", Linux: r.Linux,
	}
	if !s.o.Root {
		a.UID, a.GID, a.Linux = s.o.UID, s.o.GID, false
		return a
	}
	if r.Linux {
		if u, err := s.passwd.byName(r.Name); err == nil && u.uid == r.UID {
			a.GID, a.Groups, a.Home, a.Shell = u.gid, u.groups, u.home, u.shell
		}
	}
	return a
}

func (s *Store) serviceAccount(name string, sid security.SID, uid uint32) Account {
	if !s.o.Root {
		return Account{Name: name, SID: sid, UID: s.o.UID, GID: s.o.GID, BuiltIn: true}
	}
	return Account{Name: name, SID: sid, UID: uid, GID: uid, BuiltIn: true}
}

func (s *Store) localSystem() Account {
	a := s.serviceAccount("LocalSystem", security.System, 0)
	a.Admin = true
	return a
}

func (s *Store) localService() Account {
	return s.serviceAccount("LocalService", security.LocalService, s.o.LocalServiceUID)
}

func (s *Store) networkService() Account {
	return s.serviceAccount("NetworkService", security.NetworkService, s.o.NetworkServiceUID)
}

// wrap says what could not be done when err is trouble with the database; what
// a caller did wrong passes as it is.
func (s *Store) wrap(what string, err error) error {
	var e *win32.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

// localName takes the domain off a name; false when it is another domain's.
func (s *Store) localName(name string) (string, bool) {
	domain, user, found := strings.Cut(name, `\`)
	if !found {
		return name, true
	}
	return user, domain == "." || strings.EqualFold(domain, s.o.Computer)
}

func accountKey(name string) []byte { return []byte(strings.ToLower(name)) }

func putRecord(b *bolt.Bucket, r record) error {
	v, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return b.Put(accountKey(r.Name), v)
}
