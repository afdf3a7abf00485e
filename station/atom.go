// SPDX-License-Identifier: Apache-2.0

package station

import (
	"strconv"

	"stationmaster/internal/object"
	"stationmaster/win32"
)

const (
	firstAtom     = 0xC000 // string atoms are 0xC000…0xFFFF (AT-5)
	atomCount     = 0x4000
	maxAtomLen    = 255   // characters (AT-7)
	atomPermanent = 65535 // references at which an atom stays for good (AT-8)
)

// atomTable gives strings numbers: the global atoms of a window station, the
// local ones of a process, or the user atoms of a session. It is guarded by
// the session's mu.
type atomTable struct {
	numbers map[string]uint16    // by folded name
	entries map[uint16]atomEntry // by number
	hint    uint16               // where the look for a free number begins
}

type atomEntry struct {
	name string // as first given (AT-6)
	refs uint16 // atomPermanent: permanent
}

// atomName is a name as programs give it, looked at: an integer atom, a string,
// or wrong.
type atomName struct {
	integer uint16 // of an integer atom; 0 for none
	text    string
	none    bool // MAKEINTATOM(0): nothing, without an error (AT-9)
}

// parseAtom reads the name of an atom. A nil name is MAKEINTATOM(integer).
func parseAtom(name *string, integer uint32) (atomName, win32.Errno) {
	if name == nil {
		switch {
		case integer == 0:
			return atomName{none: true}, 0
		case integer >= firstAtom:
			return atomName{}, win32.ERROR_INVALID_PARAMETER
		}
		return atomName{integer: uint16(integer)}, 0
	}
	s := *name
	if n := utf16Len(s); n == 0 || n > maxAtomLen {
		return atomName{}, win32.ERROR_INVALID_PARAMETER
	}
	if s[0] != '#' || len(s) == 1 {
		return atomName{text: s}, 0
	}
	n := 0
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return atomName{text: s}, 0 // AT-10: an ordinary string
		}
		n = min(n*10+int(c-'0'), firstAtom)
	}
	if n == 0 || n >= firstAtom {
		return atomName{}, win32.ERROR_INVALID_PARAMETER
	}
	return atomName{integer: uint16(n)}, 0
}

// find gives the number of a string, 0 for none.
func (a *atomTable) find(text string) uint16 {
	if a == nil {
		return 0
	}
	return a.numbers[object.Fold(text)]
}

// add gives a string its number and counts one more reference. It gives 0 when
// the table is full.
func (a *atomTable) add(text string) uint16 {
	key := object.Fold(text)
	if n := a.numbers[key]; n != 0 {
		if e := a.entries[n]; e.refs < atomPermanent {
			e.refs++
			a.entries[n] = e
		}
		return n
	}
	if len(a.entries) >= atomCount {
		return 0
	}
	if a.numbers == nil {
		a.numbers, a.entries = make(map[string]uint16), make(map[uint16]atomEntry)
	}
	n := a.hint
	for {
		if _, taken := a.entries[firstAtom+n]; !taken {
			break
		}
		n = (n + 1) % atomCount
	}
	a.hint = (n + 1) % atomCount
	a.numbers[key] = firstAtom + n
	a.entries[firstAtom+n] = atomEntry{name: text, refs: 1}
	return firstAtom + n
}

// pin makes an atom stay as long as its table.
func (a *atomTable) pin(n uint16) {
	if e, ok := a.entries[n]; ok {
		e.refs = atomPermanent
		a.entries[n] = e
	}
}

// drop gives one reference back and reports whether there was such an atom.
func (a *atomTable) drop(n uint16) bool {
	if a == nil {
		return false
	}
	e, ok := a.entries[n]
	switch {
	case !ok:
		return false
	case e.refs == atomPermanent:
	case e.refs == 1:
		delete(a.entries, n)
		delete(a.numbers, object.Fold(e.name))
		a.hint = min(a.hint, n-firstAtom)
	default:
		e.refs--
		a.entries[n] = e
	}
	return true
}

// name gives the spelling of an atom (AT-14).
func (a *atomTable) name(n uint32) (string, win32.Errno) {
	switch {
	case n == 0 || n > 0xFFFF:
		return "", win32.ERROR_INVALID_PARAMETER
	case n < firstAtom:
		return "#" + strconv.FormatUint(uint64(n), 10), 0
	}
	if a != nil {
		if e, ok := a.entries[uint16(n)]; ok {
			return e.name, 0
		}
	}
	return "", win32.ERROR_INVALID_HANDLE
}
