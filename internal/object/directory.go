// SPDX-License-Identifier: Apache-2.0

package object

import (
	"slices"
	"strings"
	"unicode"

	"stationmaster/internal/lockrank"
	"stationmaster/security"
	"stationmaster/win32"
)

// DirectoryKind is the type of Directory objects.
var DirectoryKind = &Kind{Name: "Directory", Mapping: security.DirectoryMapping, Valid: 0x000F000F}

// LinkKind is the type of Link objects.
var LinkKind = &Kind{Name: "SymbolicLink", Mapping: security.SymlinkMapping, Valid: 0x000F0001}

// Directory maps names to objects, in the order they were made. A directory
// does not count as a handle: an object leaves its directory when its last
// handle goes.
type Directory struct {
	Header
	fold bool // immutable: names are compared without regard to case

	mu      lockrank.Mutex
	entries map[string]Object // guarded by mu; key folded when fold is set
	order   []Object          // guarded by mu
}

// NewDirectory makes an empty directory. fold says that names are compared
// without regard to case, as those of window stations and pipes are (OBJ-18).
func NewDirectory(name string, fold bool, sd *security.Descriptor) *Directory {
	d := &Directory{fold: fold, entries: make(map[string]Object)}
	d.Init(DirectoryKind, name, sd, nil)
	d.mu.Init(lockrank.Object, 0)
	return d
}

// Link is a name that stands for another place in the tree (OBJ-3).
type Link struct {
	Header
	target string // immutable: absolute path
}

// NewLink makes a link to an absolute path.
func NewLink(name, target string, sd *security.Descriptor) *Link {
	l := &Link{target: target}
	l.Init(LinkKind, name, sd, nil)
	return l
}

// Target gives the absolute path the link stands for.
func (l *Link) Target() string { return l.target }

// Fold gives the form of a name in which names that differ only in case are
// equal: Unicode simple upper-casing, rune by rune (WS-10).
func Fold(name string) string {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= 0x80 || 'a' <= c && c <= 'z' {
			return strings.Map(unicode.ToUpper, name)
		}
	}
	return name
}

// Lookup gives the object of a name.
func (d *Directory) Lookup(name string) (Object, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fold {
		// Most names are short and ASCII: fold them on the stack.
		var buf [64]byte
		if len(name) <= len(buf) {
			ascii := true
			for i := 0; i < len(name); i++ {
				c := name[i]
				if c >= 0x80 {
					ascii = false
					break
				}
				if 'a' <= c && c <= 'z' {
					c -= 'a' - 'A'
				}
				buf[i] = c
			}
			if ascii {
				o, ok := d.entries[string(buf[:len(name)])]
				return o, ok
			}
		}
		name = Fold(name)
	}
	o, ok := d.entries[name]
	return o, ok
}

// Add gives an object its place under its own name and reports whether the
// name was free.
func (d *Directory) Add(o Object) bool {
	key := d.key(o.Head().name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.entries[key]; taken {
		return false
	}
	d.entries[key] = o
	d.order = append(d.order, o)
	return true
}

// Remove takes an object out of the directory. It does nothing when the name
// stands for another object by now.
func (d *Directory) Remove(o Object) {
	key := d.key(o.Head().name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries[key] != o {
		return
	}
	delete(d.entries, key)
	d.order = slices.DeleteFunc(d.order, func(x Object) bool { return x == o })
}

// List gives the objects in the order they were made.
func (d *Directory) List() []Object {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.order)
}

// Len gives the number of objects.
func (d *Directory) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.order)
}

func (d *Directory) key(name string) string {
	if d.fold {
		return Fold(name)
	}
	return name
}

// Resolve walks an absolute path such as `\Sessions\1\Windows` from root,
// following links, and gives the object there. It fails with 161 for a path
// that does not begin with a backslash, 3 when a part on the way is missing or
// no directory, and 2 when only the last part is missing (OBJ-16).
func Resolve(root *Directory, path string) (Object, error) {
	return resolve(root, path, 8)
}

func resolve(root *Directory, path string, depth int) (Object, error) {
	if !strings.HasPrefix(path, `\`) {
		return nil, win32.ERROR_BAD_PATHNAME
	}
	if depth == 0 {
		return nil, win32.ERROR_PATH_NOT_FOUND
	}
	var at Object = root
	rest := strings.Trim(path[1:], `\`)
	for rest != "" {
		dir, ok := at.(*Directory)
		if !ok {
			return nil, win32.ERROR_PATH_NOT_FOUND
		}
		name, tail, _ := strings.Cut(rest, `\`)
		o, ok := dir.Lookup(name)
		switch {
		case !ok && tail != "":
			return nil, win32.ERROR_PATH_NOT_FOUND
		case !ok:
			return nil, win32.ERROR_FILE_NOT_FOUND
		}
		if l, ok := o.(*Link); ok && tail != "" {
			to, err := resolve(root, l.target, depth-1)
			if err != nil {
				return nil, err
			}
			o = to
		}
		at, rest = o, tail
	}
	return at, nil
}
