// SPDX-License-Identifier: Apache-2.0

package station

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// maxSectionSize bounds one section, in bytes. Memory is only taken as pages
// are written, and counts then for who writes.
const maxSectionSize = 1 << 40

// Memory is what a section is made of: memory of a fixed size that begins
// with zeros.
type Memory interface {
	// File gives a descriptor of the memory that can't grow or shrink it, and
	// can't write unless write is set. The caller closes it.
	File(write bool) (*os.File, error)
	// Close gives the memory back; mappings that exist go on.
	Close() error
}

// section is memory that several processes can map.
type section struct {
	named
	size    uint64   // immutable, bytes
	protect uint32   // immutable: PAGE_…
	memory  Memory   // immutable; nil in an engine without memory
	session *Session // immutable: whose count it is on
}

// Facts implements Described.
func (s *section) Facts() []Fact {
	return facts("bytes", s.size, "protection", fmt.Sprintf("0x%02x", s.protect))
}

func (s *section) destroy() {
	s.session.sections.Add(-1)
	if s.memory != nil {
		_ = s.memory.Close() // nothing was written through this descriptor
	}
}

// sectionAccess gives the rights of the handle that CreateFileMapping makes, 0
// for a protection that no section may have (SYN-11).
func sectionAccess(protect uint32) win32.AccessMask {
	const read = win32.STANDARD_RIGHTS_REQUIRED | win32.SECTION_QUERY | win32.SECTION_MAP_READ
	switch protect {
	case win32.PAGE_READWRITE:
		return read | win32.SECTION_MAP_WRITE
	case win32.PAGE_READONLY, win32.PAGE_WRITECOPY:
		return read
	case win32.PAGE_EXECUTE_READ:
		return read | win32.SECTION_MAP_EXECUTE
	case win32.PAGE_EXECUTE_READWRITE:
		return read | win32.SECTION_MAP_WRITE | win32.SECTION_MAP_EXECUTE
	}
	return 0
}

// CreateFileMapping creates a section of size bytes backed by memory, or opens
// the one of that name; existed says which, and then size does not count. The
// rights of the handle follow from protect, a PAGE constant; Access of the
// options does not count.
//
// Win32: CreateFileMapping. Rules: OBJ-5 to OBJ-9, OBJ-11, SYN-11.
func (t *Thread) CreateFileMapping(o NamedOptions, protect uint32, size uint64) (h win32.Handle, existed bool, err error) {
	const op = "CreateFileMapping"
	lockrank.AssertNoneHeld()
	if o.Access = sectionAccess(protect); o.Access == 0 || size == 0 || size > maxSectionSize {
		return 0, false, t.errorOf(op, o.Name, win32.ERROR_INVALID_PARAMETER, "SYN-11")
	}
	return t.createNamed(op, sectionKind, o, func(at spot, sd *security.Descriptor) (object.Object, error) {
		ses := t.process.session
		if int(ses.sections.Add(1)) > ses.engine.settings.MaxSections {
			ses.sections.Add(-1)
			return nil, t.errorOf(op, at.path(), win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
		}
		s := &section{size: size, protect: protect, session: ses}
		if f := ses.engine.names.memory; f != nil {
			var err error
			if s.memory, err = f(at.leaf, size); err != nil {
				ses.sections.Add(-1)
				return nil, fmt.Errorf("cannot make a section of %d bytes: %w: %w", size, err, t.errorOf(op, at.path(), memoryCode(err), "SYN-11"))
			}
		}
		s.named.set(sectionKind, at, sd, s, s.destroy)
		return s, nil
	})
}

func memoryCode(err error) win32.Errno {
	if errors.Is(err, syscall.EINVAL) {
		return win32.ERROR_INVALID_PARAMETER
	}
	return win32.ERROR_NOT_ENOUGH_MEMORY
}

// OpenFileMapping opens a section by name.
//
// Win32: OpenFileMapping. Rules: OBJ-17, SE-50c, SYN-11.
func (t *Thread) OpenFileMapping(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openNamed("OpenFileMapping", sectionKind, name, desired, inherit)
}

// MapViewOfFile gives the memory of a section to be mapped, and its size in
// bytes. access names what the view is for: SECTION_MAP_READ,
// SECTION_MAP_WRITE, SECTION_MAP_EXECUTE; the handle needs those rights. The
// file can write only when access says so. The caller closes it.
//
// Win32: MapViewOfFile. Rules: SYN-11, SYN-12.
func (t *Thread) MapViewOfFile(h win32.Handle, access win32.AccessMask) (f *os.File, size uint64, err error) {
	const op = "MapViewOfFile"
	const views = win32.SECTION_MAP_READ | win32.SECTION_MAP_WRITE | win32.SECTION_MAP_EXECUTE
	if access&views == 0 || access&^views != 0 {
		return nil, 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_PARAMETER, "SYN-11")
	}
	// Held, so that the memory is there until the descriptor is made.
	if isPseudo(h) {
		return nil, 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "SYN-11")
	}
	e := t.process.handles.Acquire(h)
	if e == nil {
		return nil, 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "SYN-11")
	}
	defer e.Object.Head().Release()
	s, ok := e.Object.(*section)
	switch {
	case !ok:
		return nil, 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "SYN-11")
	case !e.Granted.Has(access):
		return nil, 0, t.refuseRight(op, nameOfObject(s), access, e.Granted, "SYN-11")
	case s.memory == nil:
		return nil, 0, t.errorOf(op, nameOfObject(s), win32.ERROR_NOT_SUPPORTED, "SYN-11")
	}
	lockrank.AssertNoneHeld()
	if f, err = s.memory.File(access.Has(win32.SECTION_MAP_WRITE)); err != nil {
		return nil, 0, fmt.Errorf("cannot open the memory of %s: %w: %w", nameOfObject(s), err, t.errorOf(op, nameOfObject(s), memoryCode(err), "SYN-11"))
	}
	return f, s.size, nil
}
