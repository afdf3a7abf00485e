// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/win32"
)

// maxClasses bounds the classes of one process, so that none takes all the
// user atoms of its session.
const maxClasses = 4096

// class is a window class of a process (WN-10). Guarded by the session's mu.
type class struct {
	id      uint32
	name    string
	atom    uint16 // user atom; 0 for the system's classes
	process *Process
	style   uint32
	proc    uint64 // the procedure, in numbers of its process
	windows int
}

// systemClass gives a class that no process registered.
func (ui *sessionUI) systemClass(name string) *class {
	for _, c := range ui.classes {
		if c.process == nil && c.name == name {
			return c
		}
	}
	ui.nextClass++
	c := &class{id: ui.nextClass, name: name}
	ui.classes[c.id] = c
	return c
}

func (s *Session) dropClassLocked(c *class) {
	if s.ui == nil {
		return
	}
	delete(s.ui.classes, c.id)
	s.ui.atoms.drop(c.atom)
}

// RegisterClass registers a window class of the process with its procedure, a
// number that means something to the process only. It gives the class atom.
//
// Win32: RegisterClassEx. Rules: WN-10, AT-17.
func (t *Thread) RegisterClass(name string, style uint32, proc uint64) (uint32, error) {
	const op = "RegisterClass"
	a, code := parseAtom(&name, 0)
	if code != 0 || a.text == "" {
		return 0, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "WN-10")
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return 0, err
	}
	p := t.process
	key := object.Fold(name)
	if p.ui.classes[key] != nil {
		return 0, t.errorOf(op, name, win32.ERROR_CLASS_ALREADY_EXISTS, "WN-10")
	}
	if len(p.ui.classes) >= maxClasses {
		return 0, t.errorOf(op, name, win32.ERROR_NOT_ENOUGH_MEMORY, "WN-10")
	}
	atom := ui.atoms.add(name)
	if atom == 0 {
		return 0, t.errorOf(op, name, win32.ERROR_NOT_ENOUGH_MEMORY, "AT-17")
	}
	ui.nextClass++
	c := &class{id: ui.nextClass, name: name, atom: atom, process: p, style: style, proc: proc}
	ui.classes[c.id] = c
	if p.ui.classes == nil {
		p.ui.classes = make(map[string]*class)
	}
	p.ui.classes[key] = c
	return uint32(atom), nil
}

// UnregisterClass takes a class away that has no windows.
//
// Win32: UnregisterClass. Rules: WN-10.
func (t *Thread) UnregisterClass(name string) error {
	const op = "UnregisterClass"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	key := object.Fold(name)
	c := t.process.ui.classes[key]
	switch {
	case c == nil:
		return t.errorOf(op, name, win32.ERROR_CLASS_DOES_NOT_EXIST, "WN-10")
	case c.windows > 0:
		return t.errorOf(op, name, win32.ERROR_CLASS_HAS_WINDOWS, "WN-10")
	}
	delete(t.process.ui.classes, key)
	s.dropClassLocked(c)
	return nil
}
