// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"

	"stationmaster/win32"
)

// The atom functions come in two families with the same rules: the global ones
// (GlobalAddAtom, …) use the table of the process's window station, the local
// ones (AddAtom, …) a table of the process. A nil name is MAKEINTATOM(integer).

// atomsLocked gives the table that a call uses. String atoms of the station
// need WINSTA_ACCESSGLOBALATOMS (AT-4).
func (t *Thread) atomsLocked(op string, local bool) (*atomTable, error) {
	if local {
		return &t.process.ui.atoms, nil
	}
	w, err := t.userStationLocked(op, win32.WINSTA_ACCESSGLOBALATOMS, "AT-4")
	if err != nil {
		return nil, err
	}
	return &w.atoms, nil
}

// userStationLocked gives the process's station, connected, when its handle
// has a right.
func (t *Thread) userStationLocked(op string, need win32.AccessMask, rule string) (*WindowStation, error) {
	if err := t.aliveLocked(op); err != nil {
		return nil, err
	}
	if err := t.ensureLocked(op); err != nil {
		return nil, err
	}
	w, granted, err := t.stationLocked(op)
	if err != nil {
		return nil, err
	}
	if !granted.Has(need) {
		return nil, t.refuseRight(op, w.name, need, granted, rule)
	}
	return w, nil
}

func atomOp(op string, local bool) string {
	if local {
		return op
	}
	return "Global" + op
}

func atomText(name *string, integer uint32) string {
	if name == nil {
		return fmt.Sprintf("#%d", integer)
	}
	return *name
}

// AddAtom gives a string its atom, or counts one more reference to it.
//
// Win32: GlobalAddAtom, AddAtom. Rules: AT-1, AT-3 to AT-10.
func (t *Thread) AddAtom(local bool, name *string, integer uint32) (uint32, error) {
	op := atomOp("AddAtom", local)
	a, code := parseAtom(name, integer)
	if code != 0 {
		return 0, t.errorOf(op, atomText(name, integer), code, "AT-7")
	}
	if a.text == "" {
		return uint32(a.integer), nil
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	table, err := t.atomsLocked(op, local)
	if err != nil {
		return 0, err
	}
	n := table.add(a.text)
	if n == 0 {
		return 0, t.errorOf(op, a.text, win32.ERROR_NOT_ENOUGH_MEMORY, "AT-5")
	}
	return uint32(n), nil
}

// FindAtom gives the atom of a string, without a reference.
//
// Win32: GlobalFindAtom, FindAtom. Rules: AT-4, AT-7, AT-9 to AT-11.
func (t *Thread) FindAtom(local bool, name *string, integer uint32) (uint32, error) {
	op := atomOp("FindAtom", local)
	a, code := parseAtom(name, integer)
	if code != 0 {
		return 0, t.errorOf(op, atomText(name, integer), code, "AT-7")
	}
	if a.text == "" {
		return uint32(a.integer), nil
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	table, err := t.atomsLocked(op, local)
	if err != nil {
		return 0, err
	}
	n := table.find(a.text)
	if n == 0 {
		return 0, t.errorOf(op, a.text, win32.ERROR_FILE_NOT_FOUND, "AT-11")
	}
	return uint32(n), nil
}

// DeleteAtom gives one reference back. An integer atom has none: nothing
// happens.
//
// Win32: GlobalDeleteAtom, DeleteAtom. Rules: AT-4, AT-8, AT-12.
func (t *Thread) DeleteAtom(local bool, atom uint32) error {
	op := atomOp("DeleteAtom", local)
	if atom < firstAtom {
		return nil
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	table, err := t.atomsLocked(op, local)
	if err != nil {
		return err
	}
	if atom > 0xFFFF || !table.drop(uint16(atom)) {
		return t.errorOf(op, fmt.Sprintf("atom 0x%x", atom), win32.ERROR_INVALID_HANDLE, "AT-12")
	}
	return nil
}

// AtomName gives the string of an atom, as it was first spelled.
//
// Win32: GlobalGetAtomName, GetAtomName. Rules: AT-4, AT-6, AT-13, AT-14.
func (t *Thread) AtomName(local bool, atom uint32) (string, error) {
	op := atomOp("GetAtomName", local)
	var table *atomTable
	if atom >= firstAtom && atom <= 0xFFFF {
		s := t.process.session
		s.mu.Lock()
		defer s.unlock()
		var err error
		if table, err = t.atomsLocked(op, local); err != nil {
			return "", err
		}
	}
	name, code := table.name(atom)
	if code != 0 {
		return "", t.errorOf(op, fmt.Sprintf("atom 0x%x", atom), code, "AT-14")
	}
	return name, nil
}

// RegisterUserAtom registers a window message or clipboard format by name. The
// same name has the same number for every program of the session until it
// ends. A format's name `#1234` stands for 1234.
//
// Win32: RegisterWindowMessage, RegisterClipboardFormat. Rules: MSG-29, AT-17,
// CB-17.
func (t *Thread) RegisterUserAtom(name string) (uint32, error) {
	const op = "RegisterWindowMessage"
	a, code := parseAtom(&name, 0)
	if code != 0 {
		return 0, t.errorOf(op, name, code, "AT-7")
	}
	if a.text == "" {
		return uint32(a.integer), nil
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, err
	}
	if err := t.ensureLocked(op); err != nil {
		return 0, err
	}
	ui := s.uiLocked()
	n := ui.atoms.add(a.text)
	if n == 0 {
		return 0, t.errorOf(op, name, win32.ERROR_NOT_ENOUGH_MEMORY, "AT-17")
	}
	ui.atoms.pin(n)
	return uint32(n), nil
}

// UserAtomName gives the name of a registered clipboard format or message.
//
// Win32: GetClipboardFormatName. Rules: CB-17.
func (t *Thread) UserAtomName(n uint32) (string, error) {
	const op = "GetClipboardFormatName"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if n < firstAtom || n > 0xFFFF {
		return "", t.errorOf(op, fmt.Sprintf("format %d", n), win32.ERROR_INVALID_PARAMETER, "CB-17")
	}
	name, code := s.uiLocked().atoms.name(n)
	if code != 0 {
		return "", t.errorOf(op, fmt.Sprintf("format 0x%x", n), win32.ERROR_INVALID_PARAMETER, "CB-17")
	}
	return name, nil
}
