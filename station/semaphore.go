// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// semaphore is a count that waits take from.
type semaphore struct {
	named
	gate object.Gate
	max  int32 // immutable

	count int32 // guarded by gate
}

// Signaled implements object.Signal.
func (s *semaphore) Signaled(*object.Owner) bool { return s.count > 0 }

// Consume implements object.Signal.
func (s *semaphore) Consume(*object.Owner) bool {
	s.count--
	return false
}

func (s *semaphore) waitGate() *object.Gate { return &s.gate }

// Facts implements Described.
func (s *semaphore) Facts() []Fact {
	var count int32
	s.gate.View(func() { count = s.count })
	return facts("count", count, "maximum", s.max)
}

// addLocked gives n back, and the count before. n≤0 is ERROR_INVALID_PARAMETER.
func (s *semaphore) addLocked(n int32) (before int32, code win32.Errno) {
	switch {
	case n <= 0:
		return 0, win32.ERROR_INVALID_PARAMETER
	case n > s.max-s.count:
		return 0, win32.ERROR_TOO_MANY_POSTS
	}
	before = s.count
	s.count += n
	return before, 0
}

// CreateSemaphore creates a semaphore or opens the one of that name; existed
// says which. The count begins at initial and never exceeds max.
//
// Win32: CreateSemaphore, CreateSemaphoreEx. Rules: OBJ-5 to OBJ-9, SYN-9.
func (t *Thread) CreateSemaphore(o NamedOptions, initial, max int32) (h win32.Handle, existed bool, err error) {
	const op = "CreateSemaphore"
	if max < 1 || initial < 0 || initial > max {
		return 0, false, t.errorOf(op, o.Name, win32.ERROR_INVALID_PARAMETER, "SYN-9")
	}
	return t.createNamed(op, semaphoreKind, o, func(at spot, sd *security.Descriptor) (object.Object, error) {
		s := &semaphore{max: max, count: initial}
		s.gate.InitGate(s)
		s.named.set(semaphoreKind, at, sd, s, nil)
		return s, nil
	})
}

// OpenSemaphore opens a semaphore by name.
//
// Win32: OpenSemaphore. Rules: OBJ-17, SE-50c.
func (t *Thread) OpenSemaphore(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openNamed("OpenSemaphore", semaphoreKind, name, desired, inherit)
}

// ReleaseSemaphore adds n to a semaphore's count and gives the count before.
// What would exceed the maximum changes nothing (298). The handle needs
// SEMAPHORE_MODIFY_STATE.
//
// Win32: ReleaseSemaphore. Rules: SYN-9.
func (t *Thread) ReleaseSemaphore(h win32.Handle, n int32) (before int32, err error) {
	const op = "ReleaseSemaphore"
	s, err := objectOfType[*semaphore](t, op, h, win32.SEMAPHORE_MODIFY_STATE, "SYN-9")
	if err != nil {
		return 0, err
	}
	err = s.gate.Change(func() error {
		var code win32.Errno
		if before, code = s.addLocked(n); code != 0 {
			return t.errorOf(op, nameOfObject(s), code, "SYN-9")
		}
		return nil
	})
	return before, err
}
