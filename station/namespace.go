// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// maxObjectName is how long a name with its prefix may be, in UTF-16 units
// (OBJ-9).
const maxObjectName = 260

// names is the part of the object tree that named objects live in.
type names struct {
	global *object.Directory                              // immutable: \BaseNamedObjects
	links  *object.Directory                              // immutable: \Sessions\BNOLINKS
	rpc    *object.Directory                              // immutable: \RPC Control
	memory func(name string, size uint64) (Memory, error) // immutable; may be nil

	mu      lockrank.Mutex
	private map[string]*namespace // guarded by mu; by boundary
}

// globalNamesDescriptor protects \BaseNamedObjects: everybody may make names
// there, low-integrity programs too (OBJ-4).
func globalNamesDescriptor() *security.Descriptor {
	return security.MustSDDL("O:SYG:SYD:(A;;0xf000f;;;SY)(A;;0xf;;;WD)S:(ML;;NW;;;LW)")
}

// sessionNamesDescriptor protects the names of a session from everybody but
// the logons that have programs in it (OBJ-4).
func sessionNamesDescriptor(logons []security.SID) *security.Descriptor {
	s := "O:SYG:SYD:(A;;0xf000f;;;SY)(A;;0x3;;;BA)"
	for _, sid := range logons {
		s += fmt.Sprintf("(A;;0xf000f;;;%s)", sid)
	}
	return security.MustSDDL(s + "S:(ML;;NW;;;LW)")
}

// maxLogons bounds the logons that reach the names of one session.
const maxLogons = 256

// admitLocked lets a logon reach the session's names: that of its user, and
// those of programs that somebody with the privileges for it started in the
// session as somebody else. The logons of the service accounts are those of
// session 0's services too and stay out.
func (s *Session) admitLocked(tok *security.Token) {
	s.mu.AssertHeld()
	if s.id == 0 {
		return
	}
	if tok != nil {
		sid := tok.LogonSID()
		switch tok.LogonID() {
		case security.SystemLUID, security.LocalServiceLUID, security.NetworkServiceLUID, security.AnonymousLUID:
			return
		}
		if sid.IsZero() || slices.Contains(s.logons, sid) || len(s.logons) >= maxLogons {
			return
		}
		s.logons = append(s.logons, sid)
	}
	s.bno.SetDescriptor(sessionNamesDescriptor(s.logons))
}

// makeNames makes what every engine has of the tree of named objects (OBJ-2,
// OBJ-3).
func (e *Engine) makeNames(memory func(string, uint64) (Memory, error)) {
	sd := directoryDescriptor()
	n := &names{
		global: object.NewDirectory("BaseNamedObjects", false, globalNamesDescriptor()),
		links:  object.NewDirectory("BNOLINKS", false, sd),
		rpc:    object.NewDirectory("RPC Control", false, sd),
		memory: memory, private: make(map[string]*namespace),
	}
	n.mu.Init(lockrank.Object, 0)
	addNameLinks(n.global, `\BaseNamedObjects`)
	e.root.Add(n.global)
	e.root.Add(n.rpc)
	e.sessDir.Add(n.links)
	zero := object.NewDirectory("0", false, sd)
	zero.Add(object.NewLink("BaseNamedObjects", `\BaseNamedObjects`, linkDescriptor()))
	e.sessDir.Add(zero)
	n.links.Add(object.NewLink("0", `\BaseNamedObjects`, linkDescriptor()))
	e.names = n
}

// linkDescriptor lets everybody follow the links that the engine makes.
func linkDescriptor() *security.Descriptor {
	return security.MustSDDL("O:SYG:SYD:(A;;0xf0001;;;SY)(A;;0x1;;;WD)")
}

// addNameLinks adds the links that every BaseNamedObjects has (OBJ-3).
func addNameLinks(dir *object.Directory, self string) {
	sd := linkDescriptor()
	dir.Add(object.NewLink("Global", `\BaseNamedObjects`, sd))
	dir.Add(object.NewLink("Local", self, sd))
	dir.Add(object.NewLink("Session", `\Sessions\BNOLINKS`, sd))
}

// newSessionNames makes the BaseNamedObjects of a session other than 0.
func newSessionNames() *object.Directory {
	dir := object.NewDirectory("BaseNamedObjects", false, sessionNamesDescriptor(nil))
	dir.Guard()
	return dir
}

// link makes a session's names reachable through Session\N\.
func (n *names) link(s *Session) {
	if s.id != 0 {
		self := s.bno.Path()
		addNameLinks(s.bno, self)
		n.links.Add(object.NewLink(s.ObjectName(), self, linkDescriptor()))
	}
}

// unlink undoes link. Objects that other sessions' programs have handles to go
// on without a name (SYN-15).
func (n *names) unlink(s *Session) {
	if s.id == 0 {
		return
	}
	if l, ok := n.links.Lookup(s.ObjectName()); ok {
		n.links.Remove(l)
	}
}

// spot is where a name leads: a directory and the name in it.
type spot struct {
	dir     *object.Directory // nil: no name
	leaf    string
	foreign bool       // reached by a path of its own, not as the caller's own place
	inside  *namespace // the private namespace it is in, if any
}

// path gives the whole name, for messages and the audit log.
func (s spot) path() string {
	if s.dir == nil {
		return ""
	}
	return s.dir.Path() + `\` + s.leaf
}

// spotOf finds out where a Win32 name leads (OBJ-5, OBJ-6, OBJ-14, OBJ-15). It
// allocates nothing for the names that most programs use.
func (t *Thread) spotOf(op, name string) (spot, error) {
	if name == "" {
		return spot{}, nil
	}
	for i := 0; i < len(name); i++ {
		if name[i] == 0 || name[i] >= utf8.RuneSelf {
			if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
				return spot{}, t.errorOf(op, strconv.QuoteToASCII(name), win32.ERROR_INVALID_NAME, "OBJ-16")
			}
			break
		}
	}
	if len(name) > maxObjectName && utf16Len(name) > maxObjectName {
		return spot{}, t.errorOf(op, name[:32]+"…", win32.ERROR_FILENAME_EXCED_RANGE, "OBJ-9")
	}
	p := t.process
	n := p.engine.names
	i := strings.IndexByte(name, '\\')
	if i < 0 {
		if p.compat {
			return spot{dir: n.global, leaf: name}, nil // OBJ-14
		}
		return spot{dir: p.session.bno, leaf: name}, nil
	}
	at := spot{leaf: name[i+1:]}
	switch prefix := name[:i]; prefix {
	case "Global":
		at.dir = n.global
	case "Local":
		at.dir = p.session.bno
	case "Session":
		id, leaf, found := strings.Cut(at.leaf, `\`)
		if id == "" {
			return spot{}, t.errorOf(op, name, win32.ERROR_INVALID_NAME, "OBJ-5")
		}
		if !found {
			return spot{}, t.errorOf(op, name, win32.ERROR_PATH_NOT_FOUND, "OBJ-5")
		}
		at.leaf, at.foreign = leaf, true
		if at.dir = n.sessionNames(p.engine, id); at.dir == nil {
			return spot{}, t.errorOf(op, name, win32.ERROR_PATH_NOT_FOUND, "OBJ-5")
		}
	default:
		if at.inside = p.openNamespace(prefix); at.inside == nil {
			return spot{}, t.errorOf(op, name, win32.ERROR_PATH_NOT_FOUND, "OBJ-5")
		}
		at.dir = &at.inside.Directory
	}
	switch {
	case at.leaf == "":
		return spot{}, t.errorOf(op, name, win32.ERROR_INVALID_NAME, "OBJ-5")
	case strings.IndexByte(at.leaf, '\\') >= 0:
		return spot{}, t.errorOf(op, name, win32.ERROR_PATH_NOT_FOUND, "OBJ-5")
	}
	return at, nil
}

// sessionNames gives what BNOLINKS says of a session, nil when there is none.
func (n *names) sessionNames(e *Engine, id string) *object.Directory {
	o, ok := n.links.Lookup(id)
	if !ok {
		return nil
	}
	l, ok := o.(*object.Link)
	if !ok {
		return nil
	}
	to, err := object.Resolve(e.root, l.Target())
	if err != nil {
		return nil
	}
	dir, _ := to.(*object.Directory)
	return dir
}

// traverse checks that the caller may look for names in a directory. With
// SeChangeNotifyPrivilege, which everybody has, nothing is checked, except that
// into another session's names nobody gets without the right (OBJ-4).
func (t *Thread) traverse(op string, dir *object.Directory) error {
	if dir.Guarded() {
		if dir == t.process.session.bno && t.EffectiveToken().HasPrivilege(security.SeChangeNotifyPrivilege) {
			return nil
		}
	} else if t.EffectiveToken().HasPrivilege(security.SeChangeNotifyPrivilege) {
		return nil
	}
	_, err := t.open(op, dirName(dir), dir, win32.DIRECTORY_TRAVERSE, "OBJ-4")
	return err
}

func dirName(d *object.Directory) string {
	if p := d.Path(); p != "" {
		return p
	}
	return `\`
}

// globalOnly is OBJ-11: from another session than 0, a section or a link in
// the global directory is not for everybody to make.
func (t *Thread) globalOnly(op string, at spot, k *object.Kind) error {
	p := t.process
	if at.dir != p.engine.names.global || p.session.id == 0 || k != sectionKind && k != object.LinkKind {
		return nil
	}
	if p.compat && k == sectionKind && !at.foreign {
		return nil // OBJ-14: made on its behalf
	}
	if t.EffectiveToken().HasPrivilege(security.SeCreateGlobalPrivilege) {
		return nil
	}
	return t.Refuse(op, at.path(), win32.ERROR_ACCESS_DENIED, "OBJ-11", "SeCreateGlobalPrivilege is not held and enabled")
}
