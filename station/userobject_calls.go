// SPDX-License-Identifier: Apache-2.0

package station

import (
	"encoding/binary"
	"unicode/utf16"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// uoiTimerproc is UOI_TIMERPROC_EXCEPTION_SUPPRESSION (UO-13).
const uoiTimerproc = 7

// userObject gives the station or desktop behind a handle.
func (t *Thread) userObject(op string, h win32.Handle, rule string) (*object.Entry, *WindowStation, *Desktop, error) {
	if e := t.process.handles.Get(h); e != nil && !isPseudo(h) {
		switch o := e.Object.(type) {
		case *WindowStation:
			return e, o, nil, nil
		case *Desktop:
			return e, o.station, o, nil
		}
	}
	return nil, nil, nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
}

// UserObjectInformation gives facts about a station or desktop handle, in the
// bytes of the Win32 structure: names are UTF-16LE with a terminator. An empty
// answer means there is nothing to tell (UO-4). No right is needed.
//
// Win32: GetUserObjectInformation. Rules: UO-1 to UO-7, UO-12.
func (t *Thread) UserObjectInformation(h win32.Handle, index uint32) ([]byte, error) {
	const op = "GetUserObjectInformation"
	e, w, d, err := t.userObject(op, h, "UO-10")
	if err != nil {
		return nil, err
	}
	// The object may be another session's (HN-5): its own lock counts.
	s := w.session
	s.mu.Lock()
	defer s.unlock()
	if w.dead || d != nil && d.dead {
		return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	le := binary.LittleEndian
	switch index {
	case win32.UOI_FLAGS: // BOOL fInherit, BOOL fReserved, DWORD dwFlags
		var inherit, flags uint32
		if e.Flags&win32.HANDLE_FLAG_INHERIT != 0 {
			inherit = 1
		}
		if d == nil {
			flags = w.flagsLocked()
		} else if t.process.allowsHooks(d) {
			flags = win32.DF_ALLOWOTHERACCOUNTHOOK
		}
		return le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, inherit), 0), flags), nil
	case win32.UOI_NAME:
		return utf16z(e.Object.Head().ObjectName()), nil
	case win32.UOI_TYPE:
		return utf16z(e.Object.Head().Kind().Name), nil
	case win32.UOI_USER_SID:
		if w.userSID.IsZero() {
			return nil, nil
		}
		return w.userSID.Bytes(), nil
	case win32.UOI_HEAPSIZE:
		if d != nil {
			return le.AppendUint32(nil, d.heapKB), nil
		}
		return nil, t.errorOf(op, w.name, win32.ERROR_INVALID_PARAMETER, "UO-5")
	case win32.UOI_IO:
		var io uint32
		if d != nil && s.winsta0.active == d {
			io = 1
		}
		return le.AppendUint32(nil, io), nil
	}
	return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_PARAMETER, "UO-7")
}

// utf16z gives a string as UTF-16LE with a terminator.
func utf16z(s string) []byte {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// SetUserObjectInformation sets the flags of a station or desktop handle.
//
// Win32: SetUserObjectInformation. Rules: UO-13, UO-14.
func (t *Thread) SetUserObjectInformation(h win32.Handle, index uint32, data []byte) error {
	const op = "SetUserObjectInformation"
	if index == uoiTimerproc {
		switch {
		case h != win32.CurrentProcess:
			return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "UO-13")
		case len(data) != 4:
			return t.errorOf(op, handleText(h), win32.ERROR_INVALID_PARAMETER, "UO-13")
		}
		t.process.timerproc.Store(binary.LittleEndian.Uint32(data) != 0)
		return nil
	}
	_, w, d, err := t.userObject(op, h, "UO-10")
	if err != nil {
		return err
	}
	if index != win32.UOI_FLAGS || len(data) < 12 {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_PARAMETER, "UO-13")
	}
	inherit := binary.LittleEndian.Uint32(data) != 0
	flags := binary.LittleEndian.Uint32(data[8:])
	s := w.session
	s.mu.Lock()
	defer s.unlock()
	switch {
	case w.dead || d != nil && d.dead:
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-45")
	case d == nil && flags != w.flagsLocked():
		return t.Refuse(op, w.name, win32.ERROR_ACCESS_DENIED, "UO-14", "WSF_VISIBLE can't be changed")
	case d != nil && flags&^win32.DF_ALLOWOTHERACCOUNTHOOK != 0:
		return t.errorOf(op, d.Path(), win32.ERROR_INVALID_PARAMETER, "DT-15")
	case d != nil:
		t.process.allowHooks(d, flags != 0)
	}
	set := uint32(0)
	if inherit {
		set = win32.HANDLE_FLAG_INHERIT
	}
	t.process.handles.SetFlags(h, win32.HANDLE_FLAG_INHERIT, set)
	return nil
}

// UserObjectSecurity gives the parts asked for of a station's or desktop's
// descriptor; parts are SECURITY_INFORMATION bits.
//
// Win32: GetUserObjectSecurity. Rules: UO-15, SE-63.
func (t *Thread) UserObjectSecurity(h win32.Handle, parts uint32) (*security.Descriptor, error) {
	const op = "GetUserObjectSecurity"
	e, w, d, err := t.userObject(op, h, "UO-15")
	if err != nil {
		return nil, err
	}
	name := w.name
	if d != nil {
		name = d.Path()
	}
	if need := security.RightsToQuery(parts); !e.Granted.Has(need) {
		return nil, t.refuseRight(op, name, need, e.Granted, "UO-15")
	}
	if !objectAlive(w, d) {
		return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	return e.Object.Head().Descriptor().Part(parts), nil
}

func objectAlive(w *WindowStation, d *Desktop) bool {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	return !w.dead && (d == nil || !d.dead)
}

// SetUserObjectSecurity replaces parts of a station's or desktop's descriptor.
// It decides later opens; handles that are open keep what they have (AR-29).
//
// Win32: SetUserObjectSecurity. Rules: UO-16, SE-63.
func (t *Thread) SetUserObjectSecurity(h win32.Handle, parts uint32, sd *security.Descriptor) error {
	const op = "SetUserObjectSecurity"
	e, w, d, err := t.userObject(op, h, "UO-16")
	if err != nil {
		return err
	}
	name := w.name
	if d != nil {
		name = d.Path()
	}
	if sd == nil {
		return t.errorOf(op, name, win32.ERROR_INVALID_SECURITY_DESCR, "UO-16")
	}
	s := w.session
	s.mu.Lock()
	defer s.unlock()
	if w.dead || d != nil && d.dead {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	tok := t.EffectiveToken()
	hd := e.Object.Head()
	old := hd.Descriptor()
	need := security.RightsToSet(parts)
	if parts&security.OwnerInformation != 0 && tok.HasPrivilege(security.SeTakeOwnershipPrivilege) {
		need &^= win32.WRITE_OWNER
		if parts&(security.GroupInformation|security.LabelInformation) != 0 {
			need |= win32.WRITE_OWNER
		}
	}
	if tok.IsMember(old.Owner()) {
		need &^= win32.WRITE_DAC // "or owner"
	}
	if !e.Granted.Has(need) {
		return t.refuseRight(op, name, need, e.Granted, "UO-16")
	}
	n, err := old.Merge(parts, sd, tok, hd.Kind().Mapping)
	if err != nil {
		return t.errorOf(op, name, win32.Code(err), "UO-16")
	}
	hd.SetDescriptor(n)
	s.engine.publish(EventDescriptorChange, s.id, "object", name, "pid", pidText(t.process.pid))
	return nil
}

// allowsHooks and allowHooks keep DF_ALLOWOTHERACCOUNTHOOK, which belongs to a
// process and a desktop (UO-14).
func (p *Process) allowsHooks(d *Desktop) bool {
	_, ok := p.hookable.Load(d)
	return ok
}

func (p *Process) allowHooks(d *Desktop, on bool) {
	if on {
		p.hookable.Store(d, nil)
	} else {
		p.hookable.Delete(d)
	}
}
