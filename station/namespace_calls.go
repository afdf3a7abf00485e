// SPDX-License-Identifier: Apache-2.0

package station

import (
	"slices"
	"strings"
	"sync/atomic"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// maxBoundary bounds the SIDs of one boundary, maxNamespaces the private
// namespaces one process has open.
const (
	maxBoundary   = 64
	maxNamespaces = 256
)

// Boundary is who a private namespace is for: its name and SIDs together are
// its identity (OBJ-15). A SID of an integrity level means at least that level.
type Boundary struct {
	Name string
	SIDs []security.SID
}

// key gives the identity of a boundary; the order of the SIDs does not count.
func (b Boundary) key() string {
	sids := make([]string, 0, len(b.SIDs))
	for _, s := range b.SIDs {
		sids = append(sids, s.String())
	}
	slices.Sort(sids)
	return b.Name + "\x00" + strings.Join(slices.Compact(sids), "\x00")
}

// namespace is a directory outside the tree, that only who knows its boundary
// finds.
type namespace struct {
	object.Directory
	key     string   // immutable
	creator *Process // immutable
}

// privateNames are the private namespaces a process has open, by its own
// aliases.
type privateNames struct {
	made atomic.Bool // it created one

	mu    lockrank.Mutex
	alias map[string]win32.Handle // guarded by mu
}

// openNamespace gives the private namespace of an alias, nil when the process
// has none of that name open.
func (p *Process) openNamespace(alias string) *namespace {
	p.names.mu.Lock()
	h, ok := p.names.alias[alias]
	p.names.mu.Unlock()
	if !ok {
		return nil
	}
	if e := p.handles.Get(h); e != nil {
		ns, _ := e.Object.(*namespace)
		return ns
	}
	return nil
}

// checkNamespace gives the error of a boundary or alias that can't be.
func (t *Thread) checkNamespace(op string, b Boundary, alias string) error {
	switch {
	case len(b.SIDs) == 0 || len(b.SIDs) > maxBoundary || b.Name == "" || utf16Len(b.Name) > maxObjectName:
		return t.errorOf(op, b.Name, win32.ERROR_INVALID_PARAMETER, "OBJ-15")
	case alias == "" || checkName(alias, win32.ERROR_INVALID_NAME) != 0 || checkName(b.Name, 0) != 0:
		return t.errorOf(op, alias, win32.ERROR_INVALID_NAME, "OBJ-15")
	case alias == "Global" || alias == "Local" || alias == "Session":
		return t.errorOf(op, alias, win32.ERROR_INVALID_PARAMETER, "OBJ-15")
	}
	p := t.process
	if p.openNamespace(alias) != nil {
		return t.errorOf(op, alias, win32.ERROR_ALREADY_EXISTS, "OBJ-15")
	}
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	if len(p.names.alias) >= maxNamespaces {
		for alias, h := range p.names.alias { // those that CloseHandle closed
			if e := p.handles.Get(h); e == nil || e.Object.Head().Kind() != object.DirectoryKind {
				delete(p.names.alias, alias)
			}
		}
	}
	if len(p.names.alias) >= maxNamespaces {
		return t.errorOf(op, alias, win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
	}
	return nil
}

// insideBoundary reports whether a token holds every SID of a boundary.
func insideBoundary(tok *security.Token, b Boundary) bool {
	for _, sid := range b.SIDs {
		if level, ok := sid.LabelLevel(); ok {
			if tok.Integrity() < level {
				return false
			}
		} else if !tok.IsMember(sid) && tok.User() != sid {
			return false
		}
	}
	return true
}

// CreatePrivateNamespace makes a private namespace, which the process calls by
// alias from now on: its objects are `alias\x`. The caller must be inside the
// boundary (5). A namespace that exists already is not opened (183).
//
// Win32: CreatePrivateNamespace. Rules: OBJ-15.
func (t *Thread) CreatePrivateNamespace(b Boundary, alias string, sa *SecurityAttributes) (win32.Handle, error) {
	const op = "CreatePrivateNamespace"
	if err := t.alive(op); err != nil {
		return 0, err
	}
	if err := t.checkNamespace(op, b, alias); err != nil {
		return 0, err
	}
	tok := t.EffectiveToken()
	if !insideBoundary(tok, b) {
		return 0, t.Refuse(op, b.Name, win32.ERROR_ACCESS_DENIED, "OBJ-15", "the caller's token does not hold every SID of the boundary")
	}
	if sa == nil {
		sa = &SecurityAttributes{}
	}
	sd, err := t.newDescriptor(spot{}, sa.Descriptor, object.DirectoryKind)
	if err != nil {
		return 0, t.errorOf(op, b.Name, win32.Code(err), ruleOf(err, "SE-54"))
	}
	n := t.process.engine.names
	ns := &namespace{key: b.key(), creator: t.process}
	ns.InitDirectory(b.Name, false, sd)
	ns.OnLast(func() { n.drop(ns) })
	n.mu.Lock()
	taken := n.private[ns.key] != nil
	if !taken {
		n.private[ns.key] = ns
	}
	n.mu.Unlock()
	t.process.names.made.Store(true)
	if taken {
		return 0, t.errorOf(op, b.Name, win32.ERROR_ALREADY_EXISTS, "OBJ-15")
	}
	ns.Retain()
	defer ns.Release()
	return t.useNamespace(op, alias, ns, win32.DIRECTORY_ALL_ACCESS, sa.Inherit)
}

// useNamespace gives the process a handle and an alias.
func (t *Thread) useNamespace(op, alias string, ns *namespace, granted win32.AccessMask, inherit bool) (win32.Handle, error) {
	h, err := t.insert(op, alias, ns, granted, inherit)
	if err != nil {
		return 0, err
	}
	p := t.process
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	if p.names.alias == nil {
		p.names.alias = make(map[string]win32.Handle)
	}
	p.names.alias[alias] = h
	return h, nil
}

// OpenPrivateNamespace opens a private namespace of an equal boundary, to be
// called by alias. The caller need not be inside the boundary; the namespace's
// descriptor decides. An unknown one gives 3.
//
// Win32: OpenPrivateNamespace. Rules: OBJ-15.
func (t *Thread) OpenPrivateNamespace(b Boundary, alias string) (win32.Handle, error) {
	const op = "OpenPrivateNamespace"
	if err := t.alive(op); err != nil {
		return 0, err
	}
	if err := t.checkNamespace(op, b, alias); err != nil {
		return 0, err
	}
	n := t.process.engine.names
	n.mu.Lock()
	ns := n.private[b.key()]
	if ns != nil {
		ns.Retain()
	}
	n.mu.Unlock()
	if ns == nil {
		return 0, t.errorOf(op, b.Name, win32.ERROR_PATH_NOT_FOUND, "OBJ-15")
	}
	defer ns.Release()
	granted, err := t.open(op, b.Name, ns, win32.MAXIMUM_ALLOWED, "OBJ-15")
	if err != nil {
		return 0, err
	}
	return t.useNamespace(op, alias, ns, granted, false)
}

// ClosePrivateNamespace closes the handle of a private namespace and forgets
// its alias. With destroy nobody opens the namespace any more; objects in it
// that are open go on.
//
// Win32: ClosePrivateNamespace. Rules: OBJ-15.
func (t *Thread) ClosePrivateNamespace(h win32.Handle, destroy bool) error {
	const op = "ClosePrivateNamespace"
	ns, err := objectOfType[*namespace](t, op, h, 0, "OBJ-15")
	if err != nil {
		return err
	}
	if err := t.CloseHandle(h); err != nil {
		return err
	}
	p := t.process
	p.names.mu.Lock()
	for alias, v := range p.names.alias {
		if v&^3 == h&^3 {
			delete(p.names.alias, alias)
		}
	}
	p.names.mu.Unlock()
	if destroy {
		p.engine.names.hide(ns)
	}
	return nil
}

// hide lets nobody open a namespace any more.
func (n *names) hide(ns *namespace) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.private[ns.key] == ns {
		delete(n.private, ns.key)
	}
}

// drop forgets a namespace that nobody has open.
func (n *names) drop(ns *namespace) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.private[ns.key] == ns && ns.Handles() == 0 {
		delete(n.private, ns.key)
	}
}

// closeNamespaces hides what an ended process made (OBJ-15).
func (p *Process) closeNamespaces() {
	if !p.names.made.Load() {
		return
	}
	n := p.engine.names
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, ns := range n.private {
		if ns.creator == p {
			delete(n.private, key)
		}
	}
}
