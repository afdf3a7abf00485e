// SPDX-License-Identifier: Apache-2.0

package object

import (
	"strings"
	"sync/atomic"
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
	fold   bool                      // immutable: names are compared without regard to case
	closed bool                      // immutable: see Guard
	parent atomic.Pointer[Directory] // where it was added last; nil for a root

	mu          lockrank.Mutex
	entries     map[string]*dirEntry // guarded by mu; key folded when fold is set
	first, last *dirEntry            // guarded by mu: in the order they were added
}

// dirEntry is one name. All fields are guarded by Directory.mu.
type dirEntry struct {
	object     Object
	prev, next *dirEntry
}

// NewDirectory makes an empty directory. fold says that names are compared
// without regard to case, as those of window stations and pipes are (OBJ-18).
func NewDirectory(name string, fold bool, sd *security.Descriptor) *Directory {
	d := &Directory{}
	d.InitDirectory(name, fold, sd)
	return d
}

// InitDirectory sets up a directory that is part of another object.
func (d *Directory) InitDirectory(name string, fold bool, sd *security.Descriptor) {
	d.fold, d.entries = fold, make(map[string]*dirEntry)
	d.Init(DirectoryKind, name, sd, nil)
	d.mu.Init(lockrank.Object, 0)
}

// Guard says that whoever passes through the directory needs TRAVERSE on it,
// whatever privileges he has (OBJ-4). It must be called before anybody else
// knows the directory.
func (d *Directory) Guard() { d.closed = true }

// Guarded reports whether Guard was called.
func (d *Directory) Guarded() bool { return d.closed }

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
	e := d.findLocked(name)
	if e == nil {
		return nil, false
	}
	return e.object, true
}

// Acquire gives the object of a name and counts one more handle on it, so that
// its name can't go meanwhile. The caller releases it.
func (d *Directory) Acquire(name string) (Object, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.findLocked(name)
	if e == nil {
		return nil, false
	}
	e.object.Head().Retain()
	return e.object, true
}

func (d *Directory) findLocked(name string) *dirEntry {
	d.mu.AssertHeld()
	if !d.fold {
		return d.entries[name]
	}
	// Most names are short and ASCII: fold them on the stack.
	var buf [64]byte
	if len(name) > len(buf) {
		return d.entries[Fold(name)]
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 0x80 {
			return d.entries[Fold(name)]
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[i] = c
	}
	return d.entries[string(buf[:len(name)])]
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
	if child, ok := o.(*Directory); ok {
		child.parent.Store(d)
	}
	e := &dirEntry{object: o, prev: d.last}
	if d.last == nil {
		d.first = e
	} else {
		d.last.next = e
	}
	d.last = e
	d.entries[key] = e
	return true
}

// Remove takes an object out of the directory. It does nothing when the name
// stands for another object by now.
func (d *Directory) Remove(o Object) { d.remove(o, false) }

// RemoveUnused takes an object that has no handle out of the directory. It
// reports false when the object was opened again meanwhile, or was not there
// any more.
func (d *Directory) RemoveUnused(o Object) bool { return d.remove(o, true) }

func (d *Directory) remove(o Object, unused bool) bool {
	key := d.key(o.Head().name)
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[key]
	if e == nil || e.object != o || unused && o.Head().Handles() > 0 {
		return false
	}
	delete(d.entries, key)
	if e.prev == nil {
		d.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		d.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	return true
}

// List gives the objects in the order they were made.
func (d *Directory) List() []Object {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Object, 0, len(d.entries))
	for e := d.first; e != nil; e = e.next {
		list = append(list, e.object)
	}
	return list
}

// Len gives the number of objects.
func (d *Directory) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.entries)
}

// Parent gives the directory that the directory was added to, nil for a root.
func (d *Directory) Parent() *Directory { return d.parent.Load() }

// Path gives the directory's place in the tree; that of the root is empty.
func (d *Directory) Path() string {
	parent := d.parent.Load()
	if parent == nil {
		return d.name
	}
	return parent.Path() + `\` + d.name
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
