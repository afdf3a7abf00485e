// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf16"

	bolt "go.etcd.io/bbolt"

	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// Identity gives the Linux identity that programs with a token run as. It is
// meant for station.Options.Identity. Rules: SE-13.
func (s *Store) Identity(t *security.Token) (station.Identity, error) {
	sid := t.User()
	if !s.o.Root {
		return station.Identity{UID: s.o.UID, GID: s.o.GID}, nil
	}
	switch sid {
	case security.System:
		return station.Identity{}, nil
	case security.LocalService:
		return station.Identity{UID: s.o.LocalServiceUID, GID: s.o.LocalServiceUID}, nil
	case security.NetworkService:
		return station.Identity{UID: s.o.NetworkServiceUID, GID: s.o.NetworkServiceUID}, nil
	}
	if sid.Authority() == 22 && sid.Domain() == security.UnixUserSID(0).Domain() && sid.RID() != 0 {
		u, err := s.passwd.byUID(sid.RID())
		if err != nil {
			return station.Identity{}, fmt.Errorf("cannot find the Linux user of %s: %w", sid, err)
		}
		return station.Identity{UID: u.uid, GID: u.gid, Groups: u.groups}, nil
	}
	a, err := s.BySID(sid)
	if err != nil {
		return station.Identity{}, err
	}
	if a.UID == 0 {
		return station.Identity{}, fmt.Errorf("cannot run programs of %s: it has no Linux user of its own", a.Name)
	}
	return station.Identity{UID: a.UID, GID: a.GID, Groups: a.Groups}, nil
}

// chooseUID fills in the Linux identity of a new account.
func (s *Store) chooseUID(accounts *bolt.Bucket, n NewAccount, r *record) error {
	if !s.o.Root {
		if n.UID != 0 && n.UID != s.o.UID {
			return &win32.Error{Op: "NetUserAdd", Object: fmt.Sprintf("%s (uid %d: this daemon has uid %d only)", n.Name, n.UID, s.o.UID), Code: win32.ERROR_INVALID_PARAMETER, Rule: "LGN-1"}
		}
		r.UID, r.GID = s.o.UID, s.o.GID
		return nil
	}
	taken := make(map[uint32]string)
	for _, uid := range []uint32{s.o.LocalServiceUID, s.o.NetworkServiceUID} {
		taken[uid] = "a service account"
	}
	err := accounts.ForEach(func(_, v []byte) error {
		var other record
		if err := json.Unmarshal(v, &other); err != nil {
			return err
		}
		taken[other.UID] = other.Name
		return nil
	})
	if err != nil {
		return err
	}
	refuse := func(uid uint32, why string) error {
		return &win32.Error{Op: "NetUserAdd", Object: fmt.Sprintf("%s (uid %d: %s)", n.Name, uid, why), Code: win32.ERROR_INVALID_PARAMETER, Rule: "LGN-1"}
	}
	u, err := s.passwd.byName(n.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && (n.UID == 0 || n.UID == u.uid) {
		// Root is LocalSystem here; no account may be it by another name.
		if u.uid == 0 {
			return refuse(0, "root is LocalSystem")
		}
		if who := taken[u.uid]; who != "" {
			return refuse(u.uid, "belongs to "+who)
		}
		r.Linux, r.UID, r.GID = true, u.uid, u.gid
		return nil
	}
	if n.UID != 0 {
		if who := taken[n.UID]; who != "" {
			return refuse(n.UID, "belongs to "+who)
		}
		if other, err := s.passwd.byUID(n.UID); err == nil {
			return refuse(n.UID, "is the Linux user "+other.name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		r.UID, r.GID = n.UID, n.UID
		return nil
	}
	for uid := s.o.FirstUID; uid <= s.o.LastUID; uid++ {
		if taken[uid] != "" {
			continue
		}
		if _, err := s.passwd.byUID(uid); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		r.UID, r.GID = uid, uid
		return nil
	}
	return refuse(s.o.LastUID, "the range of uids is used up")
}

// validName says whether a name can be an account: up to 32 characters without
// those that Windows, paths and /etc/passwd give a meaning.
func validName(name string) bool {
	if name == "" || len(utf16.Encode([]rune(name))) > 32 || strings.ContainsAny(name, "\"/\\[]:;|=,+*?<>@") || strings.ContainsRune(name, unicode.ReplacementChar) {
		return false
	}
	if name[0] == '-' || strings.TrimSpace(name) != name || strings.Trim(name, ". ") == "" {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// reservedName says whether a name means a built-in account that is not in the
// database.
func reservedName(name string) bool {
	_, known := security.LookupWellKnown(name)
	return known || strings.EqualFold(name, "LocalSystem") || strings.EqualFold(name, "LocalService") || strings.EqualFold(name, "NetworkService")
}
