// SPDX-License-Identifier: Apache-2.0

package station

import (
	"strings"
	"unicode/utf8"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// maxTreePath bounds a path of the object tree, maxLinks the links followed on
// the way.
const (
	maxTreePath = 1024
	maxLinks    = 8
)

// walk goes along a path of the object tree up to its last part: it gives the
// object that holds the last part, a directory or a window station, and that
// part, which is empty for the root itself. Links on the way are followed and
// each directory asks for TRAVERSE (OBJ-3, OBJ-4).
func (t *Thread) walk(op, path string) (at object.Object, leaf string, err error) {
	fail := func(code win32.Errno) (object.Object, string, error) {
		return nil, "", t.errorOf(op, path, code, "OBJ-16")
	}
	if !strings.HasPrefix(path, `\`) {
		return fail(win32.ERROR_BAD_PATHNAME)
	}
	if len(path) > maxTreePath {
		return fail(win32.ERROR_FILENAME_EXCED_RANGE)
	}
	at = t.process.engine.root
	rest := strings.TrimSuffix(path[1:], `\`)
	for links := 0; ; {
		dir, isDir := at.(*object.Directory)
		if isDir {
			if err := t.traverse(op, dir); err != nil {
				return nil, "", err
			}
		}
		name, tail, more := strings.Cut(rest, `\`)
		if !more {
			if _, station := at.(*WindowStation); !isDir && !station {
				return fail(win32.ERROR_PATH_NOT_FOUND)
			}
			return at, name, nil
		}
		if !isDir || name == "" {
			return fail(win32.ERROR_PATH_NOT_FOUND)
		}
		o, ok := dir.Lookup(name)
		if !ok {
			return fail(win32.ERROR_PATH_NOT_FOUND)
		}
		if l, ok := o.(*object.Link); ok {
			if links++; links > maxLinks || !strings.HasPrefix(l.Target(), `\`) {
				return fail(win32.ERROR_PATH_NOT_FOUND)
			}
			at, rest = t.process.engine.root, strings.Trim(l.Target(), `\`)+`\`+tail
			continue
		}
		at, rest = o, tail
	}
}

// ObjectAt gives the object at a path of the object tree such as
// `\Sessions\1\BaseNamedObjects\x`; desktops are below their station. Links are
// followed on the way, not at the end. What may be done with the object the
// caller checks. Errors: 161 for a path that does not begin with a backslash, 3
// when a part on the way is missing, 2 when the last one is, 5 for a directory
// that may not be passed.
//
// Rules: OBJ-1, OBJ-3, OBJ-4, OBJ-16.
func (t *Thread) ObjectAt(op, path string) (object.Object, error) {
	at, leaf, err := t.walk(op, path)
	if err != nil {
		return nil, err
	}
	switch at := at.(type) {
	case *object.Directory:
		if leaf == "" {
			return at, nil
		}
		if o, ok := at.Lookup(leaf); ok {
			return o, nil
		}
	case *WindowStation:
		if d, ok := at.Desktop(leaf); ok {
			return d, nil
		}
	}
	return nil, t.errorOf(op, path, win32.ERROR_FILE_NOT_FOUND, "OBJ-16")
}

// treeSpot gives where a new object of the tree goes: below a BaseNamedObjects
// or \RPC Control. The other directories are the engine's own.
func (t *Thread) treeSpot(op, path string) (spot, error) {
	if err := t.alive(op); err != nil {
		return spot{}, err
	}
	at, leaf, err := t.walk(op, path)
	if err != nil {
		return spot{}, err
	}
	dir, ok := at.(*object.Directory)
	switch {
	case !ok:
		return spot{}, t.errorOf(op, path, win32.ERROR_PATH_NOT_FOUND, "OBJ-16")
	case leaf == "":
		return spot{}, t.errorOf(op, path, win32.ERROR_ALREADY_EXISTS, "OBJ-16")
	}
	if code := checkName(leaf, win32.ERROR_INVALID_NAME); code != 0 {
		return spot{}, t.errorOf(op, path, code, "OBJ-16")
	}
	n := t.process.engine.names
	for d := dir; d != n.global && d != n.rpc && !d.Guarded(); d = d.Parent() {
		if d.Parent() == nil {
			return spot{}, t.Refuse(op, path, win32.ERROR_ACCESS_DENIED, "OBJ-4", "only the session manager makes objects here")
		}
	}
	return spot{dir: dir, leaf: leaf, foreign: true}, nil
}

// createTree makes a directory or a link, or opens the one of that name.
func (t *Thread) createTree(op string, k *object.Kind, o NamedOptions, permanent bool, right win32.AccessMask, build func(leaf string, sd *security.Descriptor) object.Object) (h win32.Handle, existed bool, err error) {
	at, err := t.treeSpot(op, o.Name)
	if err != nil {
		return 0, false, err
	}
	if permanent {
		if err := t.RequirePrivilege(op, security.SeCreatePermanentPrivilege, "OBJ-10"); err != nil {
			return 0, false, err
		}
	}
	access := o.Access
	if access == 0 {
		access = k.Mapping.All
	}
	for {
		if old, ok := at.dir.Acquire(at.leaf); ok {
			h, err := t.openFound(op, at, k, old, access, o.Inherit, "OBJ-8")
			old.Head().Release()
			return h, true, err
		}
		if _, err := t.open(op, dirName(at.dir), at.dir, right, "OBJ-4"); err != nil {
			return 0, false, err
		}
		if err := t.globalOnly(op, at, k); err != nil {
			return 0, false, err
		}
		granted, code := creationAccess(t.EffectiveToken(), k, access, k.Mapping.All)
		if code != 0 {
			return 0, false, t.Refuse(op, at.path(), code, "SE-59", "a right that this type of object does not have, or that needs a privilege")
		}
		sd, err := t.newDescriptor(at, o.Descriptor, k)
		if err != nil {
			return 0, false, t.errorOf(op, at.path(), win32.Code(err), ruleOf(err, "SE-54"))
		}
		obj := build(at.leaf, sd)
		obj.Head().OnLast(func() { at.dir.RemoveUnused(obj) })
		obj.Head().Retain()
		if !at.dir.Add(obj) {
			continue // somebody else was first
		}
		if permanent {
			obj.Head().SetPermanent(true)
		}
		h, err := t.insert(op, at.path(), obj, granted, o.Inherit)
		obj.Head().Release()
		return h, false, err
	}
}

// CreateDirectoryObject makes a directory of the object tree at the path that
// is the options' name, or opens it; existed says which. A permanent one stays
// without handles and needs SeCreatePermanentPrivilege.
//
// Native: NtCreateDirectoryObject. Rules: OBJ-1, OBJ-4, OBJ-10.
func (t *Thread) CreateDirectoryObject(o NamedOptions, permanent bool) (h win32.Handle, existed bool, err error) {
	return t.createTree("NtCreateDirectoryObject", object.DirectoryKind, o, permanent, win32.DIRECTORY_CREATE_SUBDIRECTORY,
		func(leaf string, sd *security.Descriptor) object.Object { return object.NewDirectory(leaf, false, sd) })
}

// CreateSymbolicLink makes a link at the path that is the options' name to an
// absolute path of the tree, or opens it; existed says which.
//
// Native: NtCreateSymbolicLinkObject. Rules: OBJ-1, OBJ-7, OBJ-10, OBJ-11.
func (t *Thread) CreateSymbolicLink(o NamedOptions, target string, permanent bool) (h win32.Handle, existed bool, err error) {
	const op = "NtCreateSymbolicLinkObject"
	if !strings.HasPrefix(target, `\`) || len(target) > maxTreePath || !utf8.ValidString(target) || strings.ContainsRune(target, 0) {
		return 0, false, t.errorOf(op, o.Name, win32.ERROR_INVALID_PARAMETER, "OBJ-16")
	}
	return t.createTree(op, object.LinkKind, o, permanent, win32.DIRECTORY_CREATE_OBJECT,
		func(leaf string, sd *security.Descriptor) object.Object { return object.NewLink(leaf, target, sd) })
}

// openTree opens a directory or a link at a path.
func (t *Thread) openTree(op string, k *object.Kind, path string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	if err := t.alive(op); err != nil {
		return 0, err
	}
	o, err := t.ObjectAt(op, path)
	if err != nil {
		return 0, err
	}
	if l, ok := o.(*object.Link); ok && k == object.DirectoryKind {
		if o, err = t.ObjectAt(op, l.Target()); err != nil {
			return 0, err
		}
	}
	if o.Head().Kind() != k {
		return 0, t.errorOf(op, path, win32.ERROR_INVALID_HANDLE, "OBJ-7")
	}
	granted, err := t.open(op, path, o, desired, "OBJ-4")
	if err != nil {
		return 0, err
	}
	return t.insert(op, path, o, granted, inherit)
}

// OpenDirectoryObject opens a directory of the object tree; a link at the end
// of the path is followed.
//
// Native: NtOpenDirectoryObject. Rules: OBJ-1, OBJ-4.
func (t *Thread) OpenDirectoryObject(path string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openTree("NtOpenDirectoryObject", object.DirectoryKind, path, desired, inherit)
}

// OpenSymbolicLink opens a link of the object tree itself.
//
// Native: NtOpenSymbolicLinkObject. Rules: OBJ-1.
func (t *Thread) OpenSymbolicLink(path string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openTree("NtOpenSymbolicLinkObject", object.LinkKind, path, desired, inherit)
}

// SymbolicLinkTarget gives where a link leads. The handle needs
// SYMBOLIC_LINK_QUERY.
//
// Native: NtQuerySymbolicLinkObject. Rules: OBJ-3.
func (t *Thread) SymbolicLinkTarget(h win32.Handle) (string, error) {
	l, err := objectOfType[*object.Link](t, "NtQuerySymbolicLinkObject", h, win32.SYMBOLIC_LINK_QUERY, "OBJ-3")
	if err != nil {
		return "", err
	}
	return l.Target(), nil
}

// SetPermanent makes a directory or link stay without handles, which needs
// SeCreatePermanentPrivilege, or go with its last one, which needs DELETE.
//
// Native: NtMakePermanentObject, NtMakeTemporaryObject. Rules: OBJ-10.
func (t *Thread) SetPermanent(h win32.Handle, on bool) error {
	op := "NtMakeTemporaryObject"
	need := win32.DELETE
	if on {
		op, need = "NtMakePermanentObject", 0
		if err := t.RequirePrivilege(op, security.SeCreatePermanentPrivilege, "OBJ-10"); err != nil {
			return err
		}
	}
	o, err := objectOfType[object.Object](t, op, h, need, "OBJ-10")
	if err != nil {
		return err
	}
	if k := o.Head().Kind(); k != object.DirectoryKind && k != object.LinkKind {
		return t.errorOf(op, nameOfObject(o), win32.ERROR_INVALID_HANDLE, "OBJ-10")
	}
	o.Head().SetPermanent(on)
	return nil
}
