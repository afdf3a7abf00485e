// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// The types of named objects and of threads (SE-60).
var (
	eventKind     = &object.Kind{Name: "Event", Mapping: security.EventMapping, Valid: win32.EVENT_ALL_ACCESS, Synchronize: true}
	mutexKind     = &object.Kind{Name: "Mutant", Mapping: security.MutexMapping, Valid: win32.MUTEX_ALL_ACCESS, Synchronize: true}
	semaphoreKind = &object.Kind{Name: "Semaphore", Mapping: security.SemaphoreMapping, Valid: win32.SEMAPHORE_ALL_ACCESS, Synchronize: true}
	timerKind     = &object.Kind{Name: "Timer", Mapping: security.TimerMapping, Valid: win32.TIMER_ALL_ACCESS, Synchronize: true}
	sectionKind   = &object.Kind{Name: "Section", Mapping: security.SectionMapping, Valid: win32.SECTION_ALL_ACCESS}
	jobKind       = &object.Kind{Name: "Job", Mapping: security.JobMapping, Valid: win32.JOB_OBJECT_ALL_ACCESS, Synchronize: true}
	threadKind    = &object.Kind{Name: "Thread", Mapping: security.ThreadMapping, Valid: win32.THREAD_ALL_ACCESS, Synchronize: true}
)

// NamedOptions say how a named object is to be made, or opened when it exists.
type NamedOptions struct {
	Name    string           // empty: an object without a name
	Access  win32.AccessMask // 0: the type's ALL access, as CreateEvent and its like ask for
	Inherit bool
	// Descriptor is that of a new object; nil is the default (SE-55).
	Descriptor *security.Descriptor
}

// Fact is one thing to tell about an object.
type Fact struct{ Name, Value string }

// Described is an object that tools can tell something about.
type Described interface{ Facts() []Fact }

func facts(pairs ...any) []Fact {
	out := make([]Fact, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, Fact{pairs[i].(string), fmt.Sprint(pairs[i+1])})
	}
	return out
}

// named is what every object that may have a name begins with.
type named struct {
	object.Header
	dir *object.Directory // immutable; nil for an object without a name
}

// Path gives the object's place in the tree, empty for one without a name.
func (n *named) Path() string {
	if n.dir == nil {
		return ""
	}
	return n.dir.Path() + `\` + n.ObjectName()
}

// set sets the header up. o is the object that n is part of; destroy, which
// may be nil, runs when nobody can open o any more.
func (n *named) set(k *object.Kind, at spot, sd *security.Descriptor, o object.Object, destroy func()) {
	n.dir = at.dir
	n.Init(k, at.leaf, sd, func() {
		if n.dir != nil && !n.dir.RemoveUnused(o) {
			return // opened again by name meanwhile (OBJ-9)
		}
		if destroy != nil {
			destroy()
		}
	})
}

// alive fails when the process has ended or the connection is closed.
func (t *Thread) alive(op string) error {
	if t.dead.Load() {
		return fmt.Errorf("%s: %w: %w", op, errEnded, win32.ERROR_INVALID_HANDLE)
	}
	return nil
}

// createNamed makes an object of a type or opens the one that has the name
// already. build makes the object, with its header set up for the spot; it
// must undo itself when its last handle goes.
//
// Rules: OBJ-4 to OBJ-9, OBJ-11, OBJ-14, SE-54 to SE-59.
func (t *Thread) createNamed(op string, k *object.Kind, o NamedOptions, build func(at spot, sd *security.Descriptor) (object.Object, error)) (h win32.Handle, existed bool, err error) {
	if err := t.alive(op); err != nil {
		return 0, false, err
	}
	at, err := t.spotOf(op, o.Name)
	if err != nil {
		return 0, false, err
	}
	access := o.Access
	if access == 0 {
		access = k.Mapping.All
	}
	if at.dir != nil && at.inside == nil {
		if err := t.traverse(op, at.dir); err != nil {
			return 0, false, err
		}
	}
	for {
		if at.dir != nil {
			if old, ok := at.dir.Acquire(at.leaf); ok {
				h, err := t.openFound(op, at, k, old, access, o.Inherit, "OBJ-8")
				old.Head().Release()
				return h, true, err
			}
			if _, err := t.open(op, dirName(at.dir), at.dir, win32.DIRECTORY_CREATE_OBJECT, "OBJ-4"); err != nil {
				return 0, false, err
			}
			if err := t.globalOnly(op, at, k); err != nil {
				return 0, false, err
			}
		}
		tok := t.EffectiveToken()
		granted, code := creationAccess(tok, k, access, k.Mapping.All)
		if code != 0 {
			return 0, false, t.Refuse(op, at.path(), code, "SE-59", "a right that this type of object does not have, or that needs a privilege")
		}
		sd, err := t.newDescriptor(at, o.Descriptor, k)
		if err != nil {
			return 0, false, t.errorOf(op, at.path(), win32.Code(err), ruleOf(err, "SE-54"))
		}
		obj, err := build(at, sd)
		if err != nil {
			return 0, false, err
		}
		hd := obj.Head()
		hd.Retain() // until the handle is there
		if at.dir != nil && !at.dir.Add(obj) {
			hd.Release()
			continue // somebody else was first
		}
		h, err := t.insertAt(op, at, obj, granted, o.Inherit)
		hd.Release()
		return h, false, err
	}
}

// newDescriptor makes the descriptor of a new object (SE-54 to SE-58).
func (t *Thread) newDescriptor(at spot, supplied *security.Descriptor, k *object.Kind) (*security.Descriptor, error) {
	var parent *security.Descriptor
	if at.dir != nil {
		parent = at.dir.Descriptor()
	}
	tok := t.EffectiveToken()
	if t.process.compat && supplied == nil {
		tok = compatToken(tok, t.process.session.id == 0)
	}
	return security.Assign(parent, supplied, tok, k == object.DirectoryKind, k.Mapping, 0)
}

// compatToken gives a token whose default DACL lets SYSTEM in and, for a
// service, read and wait whoever is at a terminal (OBJ-14).
func compatToken(tok *security.Token, service bool) *security.Token {
	dacl := tok.DefaultDACL()
	if dacl == nil {
		return tok // everybody may do everything already
	}
	dacl.ACEs = append(dacl.ACEs, security.Allow(win32.GENERIC_ALL, security.System))
	if service {
		dacl.ACEs = append(dacl.ACEs, security.Allow(win32.GENERIC_READ|win32.GENERIC_EXECUTE, security.Interactive))
	}
	changed, err := tok.WithDefaultDACL(dacl)
	if err != nil {
		return tok // the token's own DACL has what can't be set again: it stays
	}
	return changed
}

// openFound opens an object that was found by name; the caller holds it.
func (t *Thread) openFound(op string, at spot, k *object.Kind, o object.Object, desired win32.AccessMask, inherit bool, rule string) (win32.Handle, error) {
	if o.Head().Kind() != k {
		return 0, t.errorOf(op, at.path(), win32.ERROR_INVALID_HANDLE, "OBJ-7")
	}
	granted, err := t.openObject(op, at, o, desired, rule)
	if err != nil {
		return 0, err
	}
	return t.insertAt(op, at, o, granted, inherit)
}

// insertAt is insert, but the name is only put together for a failure.
func (t *Thread) insertAt(op string, at spot, o object.Object, granted win32.AccessMask, inherit bool) (win32.Handle, error) {
	flags := uint32(0)
	if inherit {
		flags = win32.HANDLE_FLAG_INHERIT
	}
	h, err := t.process.handles.Insert(o, granted, flags)
	if err != nil {
		return 0, t.errorOf(op, at.path(), win32.Code(err), "HND-10")
	}
	return h, nil
}

// openObject is open, but the name is only put together for a refusal.
func (t *Thread) openObject(op string, at spot, o object.Object, desired win32.AccessMask, rule string) (win32.AccessMask, error) {
	tok, h := t.EffectiveToken(), o.Head()
	granted, err := checkAccess(tok, o, desired)
	if err != nil {
		return 0, t.denied(tok, op, at.path(), h.Descriptor(), desired, h.Kind().Mapping, err, rule)
	}
	if asks := security.Audit(tok, h.Descriptor(), desired, security.Decision{Granted: granted}, h.Kind().Mapping); len(asks) > 0 {
		t.granted(op, at.path(), h.Descriptor(), desired, asks)
	}
	return granted, nil
}

// openNamed opens an object by name.
//
// Rules: OBJ-4 to OBJ-7, OBJ-17, SE-50c.
func (t *Thread) openNamed(op string, k *object.Kind, name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	if err := t.alive(op); err != nil {
		return 0, err
	}
	if name == "" {
		return 0, t.errorOf(op, "", win32.ERROR_INVALID_PARAMETER, "OBJ-17")
	}
	at, err := t.spotOf(op, name)
	if err != nil {
		return 0, err
	}
	o, err := t.find(op, at)
	if err != nil {
		return 0, err
	}
	defer o.Head().Release()
	if desired == 0 && o.Head().Kind() == k {
		return 0, t.Refuse(op, at.path(), win32.ERROR_ACCESS_DENIED, "SE-50c", "no right was asked for")
	}
	return t.openFound(op, at, k, o, desired, inherit, "SE-50")
}

// find gives the object of a name with one more count on it, which the caller
// releases.
func (t *Thread) find(op string, at spot) (object.Object, error) {
	if at.inside == nil {
		if err := t.traverse(op, at.dir); err != nil {
			return nil, err
		}
	}
	o, ok := at.dir.Acquire(at.leaf)
	if !ok {
		return nil, t.errorOf(op, at.path(), win32.ERROR_FILE_NOT_FOUND, "OBJ-17")
	}
	return o, nil
}

// objectOfType gives the object of one type behind a handle that has a right.
func objectOfType[T object.Object](t *Thread, op string, h win32.Handle, need win32.AccessMask, rule string) (T, error) {
	var none T
	if isPseudo(h) {
		return none, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
	}
	e := t.process.handles.Get(h)
	if e == nil {
		return none, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
	}
	o, ok := e.Object.(T)
	if !ok {
		return none, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
	}
	if !e.Granted.Has(need) {
		return none, t.refuseRight(op, nameOfObject(e.Object), need, e.Granted, rule)
	}
	return o, nil
}

// nameOfObject names an object in messages.
func nameOfObject(o object.Object) string {
	if p, ok := o.(interface{ Path() string }); ok {
		if path := p.Path(); path != "" {
			return path
		}
	}
	if name := o.Head().ObjectName(); name != "" {
		return name
	}
	return "unnamed " + o.Head().Kind().Name
}

// objectOfError gives the object an error names.
func objectOfError(err error) string {
	if e, ok := err.(*win32.Error); ok {
		return e.Object
	}
	return ""
}

// ruleOf gives the rule an error names, or otherwise.
func ruleOf(err error, otherwise string) string {
	if e, ok := err.(*win32.Error); ok && e.Rule != "" {
		return e.Rule
	}
	return otherwise
}
