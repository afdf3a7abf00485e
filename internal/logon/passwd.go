// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// linuxUser is one line of the password file with the groups it is in.
type linuxUser struct {
	name   string
	uid    uint32
	gid    uint32
	groups []uint32 // supplementary, ascending
	home   string
	shell  string
}

// passwd reads the machine's user and group files afresh on every question, so
// that a user made after the daemon started is seen. It is not a name service:
// users of LDAP and the like are not known by it.
type passwd struct {
	users  string // path of /etc/passwd
	groups string // path of /etc/group
}

// byName gives the user of that exact name, or fs.ErrNotExist.
func (p passwd) byName(name string) (linuxUser, error) {
	return p.find(func(u linuxUser) bool { return u.name == name })
}

// byUID gives the first user with that uid, or fs.ErrNotExist.
func (p passwd) byUID(uid uint32) (linuxUser, error) {
	return p.find(func(u linuxUser) bool { return u.uid == uid })
}

func (p passwd) find(match func(linuxUser) bool) (linuxUser, error) {
	var found linuxUser
	ok := false
	err := eachLine(p.users, func(f []string) bool {
		if len(f) < 7 {
			return false
		}
		uid, err1 := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err1 != nil || err2 != nil {
			return false
		}
		u := linuxUser{name: f[0], uid: uint32(uid), gid: uint32(gid), home: f[5], shell: f[6]}
		if match(u) {
			found, ok = u, true
		}
		return ok
	})
	if err != nil {
		return linuxUser{}, err
	}
	if !ok {
		return linuxUser{}, fs.ErrNotExist
	}
	err = eachLine(p.groups, func(f []string) bool {
		if len(f) < 4 || !slices.Contains(strings.Split(f[3], ","), found.name) {
			return false
		}
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil && uint32(gid) != found.gid {
			found.groups = append(found.groups, uint32(gid))
		}
		return false
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return linuxUser{}, err
	}
	slices.Sort(found.groups)
	found.groups = slices.Compact(found.groups)
	return found, nil
}

// eachLine calls f with the colon-separated fields of each line until f says
// that it has seen enough.
func eachLine(path string, f func(fields []string) bool) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read the users of this machine: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if f(strings.Split(line, ":")) {
			break
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}
