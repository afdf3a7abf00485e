// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"

	"stationmaster/internal/object"
	"stationmaster/win32"
)

// isPseudo reports whether a value is a pseudo-handle, which stands for an
// object without being in any table (HND-1).
func isPseudo(h win32.Handle) bool {
	switch h {
	case win32.CurrentProcess, win32.CurrentThread, win32.CurrentProcessToken, win32.CurrentThreadToken, win32.CurrentEffectiveToken:
		return true
	}
	return false
}

// CloseHandle closes a handle of any type. One that the process uses itself,
// as its station or a thread's desktop, is refused with 6; a pseudo-handle is
// left alone.
//
// Win32: CloseHandle. Rules: WS-38, DT-40, HND-2, HND-3, HN-3.
func (t *Thread) CloseHandle(h win32.Handle) error {
	const op = "CloseHandle"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	if isPseudo(h) {
		return nil
	}
	switch t.process.inUseLocked(h) {
	case "station":
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-38")
	case "desktop":
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "DT-40")
	}
	return t.closeLocked(op, h)
}

// HandleInformation gives a handle's flags: HANDLE_FLAG_INHERIT and
// HANDLE_FLAG_PROTECT_FROM_CLOSE. Handles in use show no protection, although
// they can't be closed.
//
// Win32: GetHandleInformation. Rules: HN-3, HND-2.
func (t *Thread) HandleInformation(h win32.Handle) (uint32, error) {
	if isPseudo(h) {
		return 0, nil
	}
	e := t.process.handles.Get(h)
	if e == nil {
		return 0, t.errorOf("GetHandleInformation", handleText(h), win32.ERROR_INVALID_HANDLE, "HN-3")
	}
	return e.Flags, nil
}

// SetHandleInformation sets those of a handle's flags that mask names.
//
// Win32: SetHandleInformation. Rules: HN-3, HND-2.
func (t *Thread) SetHandleInformation(h win32.Handle, mask, flags uint32) error {
	const op = "SetHandleInformation"
	if (mask|flags&mask)&^(win32.HANDLE_FLAG_INHERIT|win32.HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0 {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_PARAMETER, "HN-3")
	}
	if isPseudo(h) || !t.process.handles.SetFlags(h, mask, flags) {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "HN-3")
	}
	return nil
}

// GrantedAccess gives the rights a handle carries, as the basic information of
// NtQueryObject does.
//
// Rules: UO-17, AR-29.
func (t *Thread) GrantedAccess(h win32.Handle) (win32.AccessMask, error) {
	e := t.process.handles.Get(h)
	if e == nil {
		return 0, t.errorOf("NtQueryObject", handleText(h), win32.ERROR_INVALID_HANDLE, "UO-17")
	}
	return e.Granted, nil
}

// ObjectName gives the name of the object behind a handle, as the name
// information of NtQueryObject does: of a station its path in the object tree,
// of a desktop a backslash and its own name.
//
// Rules: UO-17, WS-2.
func (t *Thread) ObjectName(h win32.Handle) (string, error) {
	e := t.process.handles.Get(h)
	if e == nil {
		return "", t.errorOf("NtQueryObject", handleText(h), win32.ERROR_INVALID_HANDLE, "UO-17")
	}
	switch o := e.Object.(type) {
	case *WindowStation:
		return o.Path(), nil
	case *Desktop:
		return `\` + o.name, nil
	case interface{ Path() string }:
		return o.Path(), nil
	}
	return e.Object.Head().ObjectName(), nil
}

// CompareObjectHandles reports whether two handles refer to the same object.
//
// Win32: CompareObjectHandles. Rules: HND-11.
func (t *Thread) CompareObjectHandles(a, b win32.Handle) (bool, error) {
	x, err := t.objectOf("CompareObjectHandles", a)
	if err != nil {
		return false, err
	}
	y, err := t.objectOf("CompareObjectHandles", b)
	if err != nil {
		return false, err
	}
	return x == y, nil
}

func (t *Thread) objectOf(op string, h win32.Handle) (object.Object, error) {
	if o, _ := t.pseudo(h); o != nil {
		return o, nil
	}
	if e := t.process.handles.Get(h); e != nil && !isPseudo(h) {
		return e.Object, nil
	}
	return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "HND-3")
}

// pseudo gives what a pseudo-handle stands for and the rights it has.
func (t *Thread) pseudo(h win32.Handle) (object.Object, win32.AccessMask) {
	const tokenRights = win32.TOKEN_QUERY | win32.TOKEN_QUERY_SOURCE
	switch h {
	case win32.CurrentProcess:
		return t.process, win32.PROCESS_ALL_ACCESS
	case win32.CurrentThread:
		return &t.object, win32.THREAD_ALL_ACCESS
	case win32.CurrentProcessToken:
		return t.process.token, tokenRights
	case win32.CurrentThreadToken:
		if o := t.impersonation.Load(); o != nil {
			return o, tokenRights
		}
	case win32.CurrentEffectiveToken:
		return t.effective(), tokenRights
	}
	return nil, 0
}

// processHandle gives the process behind a handle that has a right.
func (t *Thread) processHandle(op string, h win32.Handle, need win32.AccessMask, rule string) (*Process, error) {
	if h == win32.CurrentProcess {
		return t.process, nil
	}
	if e := t.process.handles.Get(h); e != nil && !isPseudo(h) {
		if p, ok := e.Object.(*Process); ok {
			granted := e.Granted
			if granted.Has(win32.PROCESS_QUERY_INFORMATION) {
				granted |= win32.PROCESS_QUERY_LIMITED_INFORMATION // SE-60
			}
			if !granted.Has(need) {
				return nil, t.refuseRight(op, fmt.Sprintf("process %d", p.pid), need, e.Granted, rule)
			}
			return p, nil
		}
	}
	return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
}

// DuplicateHandle copies a handle of one process into another. Rights within
// the source's are copied; more rights are checked anew, against the caller's
// token and the target process's. With DUPLICATE_CLOSE_SOURCE the source is
// closed even when the rest fails, except that a source in use is refused and
// nothing is done.
//
// Win32: DuplicateHandle. Rules: HN-4, HN-5, HND-6, HND-7.
func (t *Thread) DuplicateHandle(srcProcess, h, dstProcess win32.Handle, desired win32.AccessMask, inherit bool, options uint32) (win32.Handle, error) {
	const op = "DuplicateHandle"
	src, err := t.processHandle(op, srcProcess, win32.PROCESS_DUP_HANDLE, "HND-6")
	if err != nil {
		return 0, err
	}
	if options&^(win32.DUPLICATE_CLOSE_SOURCE|win32.DUPLICATE_SAME_ACCESS) != 0 {
		return 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_PARAMETER, "HND-6")
	}
	closing := options&win32.DUPLICATE_CLOSE_SOURCE != 0

	// Hold the source's object, so that it lives until the copy is made. When
	// the source is to be closed it leaves its table here, and its count is
	// the hold.
	var e *object.Entry
	switch o, granted := t.pseudo(h); {
	case o != nil && src == t.process:
		e = &object.Entry{Object: o, Granted: granted}
		o.Head().Retain()
	case isPseudo(h):
	case closing:
		s := src.session
		s.mu.Lock()
		used := src.inUseLocked(h)
		if old := src.handles.Get(h); used == "" && old != nil && old.Flags&win32.HANDLE_FLAG_PROTECT_FROM_CLOSE == 0 {
			e = src.handles.Remove(h)
		}
		s.unlock()
	default:
		e = src.handles.Acquire(h)
	}
	if e == nil {
		return 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "HN-4")
	}
	defer e.Object.Head().Release()

	dst, err := t.processHandle(op, dstProcess, win32.PROCESS_DUP_HANDLE, "HND-6")
	if err != nil {
		return 0, err
	}
	hd := e.Object.Head()
	granted := e.Granted
	if options&win32.DUPLICATE_SAME_ACCESS == 0 {
		k := hd.Kind()
		want := k.Mapping.Map(desired)
		switch {
		case desired&^validRights(k) != 0:
			return 0, t.Refuse(op, hd.ObjectName(), win32.ERROR_ACCESS_DENIED, "HND-6", "a right that this type of object does not have")
		case desired&win32.MAXIMUM_ALLOWED == 0 && e.Granted.Has(want):
			granted = want
		default:
			// More than the source has: a fresh check, of the caller and of the
			// process that is to have it.
			if granted, err = t.open(op, hd.ObjectName(), e.Object, desired, "HND-6"); err != nil {
				return 0, err
			}
			other, err := checkAccess(dst.Token(), e.Object, desired)
			if err != nil {
				return 0, t.Refuse(op, hd.ObjectName(), win32.ERROR_ACCESS_DENIED, "HND-6", "the target process's token is not granted it")
			}
			granted &= other
		}
	}
	flags := uint32(0)
	if inherit {
		flags = win32.HANDLE_FLAG_INHERIT
	}
	n, err := dst.handles.Insert(e.Object, granted, flags)
	if err != nil {
		return 0, t.errorOf(op, hd.ObjectName(), win32.Code(err), "HND-10")
	}
	return n, nil
}
