// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// ObjectInfo is what a handle tells about itself and its object.
type ObjectInfo struct {
	Type    string
	Name    string // path in the object tree, empty for none
	Access  win32.AccessMask
	Flags   uint32 // HANDLE_FLAG_…
	Handles int64  // of the object, in all processes
}

// QueryObject tells about the object behind a handle. No right is needed.
//
// Native: NtQueryObject. Rules: UO-17.
func (t *Thread) QueryObject(h win32.Handle) (ObjectInfo, error) {
	const op = "NtQueryObject"
	if o, granted := t.pseudo(h); o != nil {
		return ObjectInfo{Type: o.Head().Kind().Name, Access: granted, Handles: o.Head().Handles()}, nil
	}
	e := t.process.handles.Get(h)
	if e == nil || isPseudo(h) {
		return ObjectInfo{}, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "UO-17")
	}
	name, err := t.ObjectName(h)
	if err != nil {
		return ObjectInfo{}, err
	}
	hd := e.Object.Head()
	return ObjectInfo{hd.Kind().Name, name, e.Granted, e.Flags, hd.Handles()}, nil
}

// kernelObject gives any object behind a handle, pseudo-handles included.
func (t *Thread) kernelObject(op string, h win32.Handle) (object.Object, win32.AccessMask, error) {
	if o, granted := t.pseudo(h); o != nil {
		return o, granted, nil
	}
	if e := t.process.handles.Get(h); e != nil && !isPseudo(h) {
		return e.Object, e.Granted, nil
	}
	return nil, 0, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "SE-63")
}

// KernelObjectSecurity gives the parts asked for of any object's descriptor;
// parts are SECURITY_INFORMATION bits. The handle needs READ_CONTROL, for the
// SACL ACCESS_SYSTEM_SECURITY.
//
// Win32: GetKernelObjectSecurity. Rules: SE-63.
func (t *Thread) KernelObjectSecurity(h win32.Handle, parts uint32) (*security.Descriptor, error) {
	const op = "GetKernelObjectSecurity"
	o, granted, err := t.kernelObject(op, h)
	if err != nil {
		return nil, err
	}
	switch o.(type) {
	case *WindowStation, *Desktop:
		return t.UserObjectSecurity(h, parts)
	}
	if need := security.RightsToQuery(parts); !granted.Has(need) {
		return nil, t.refuseRight(op, nameOfObject(o), need, granted, "SE-63")
	}
	return o.Head().Descriptor().Part(parts), nil
}

// SetKernelObjectSecurity replaces parts of any object's descriptor. It
// decides later opens; handles that are open keep what they have. The handle
// needs WRITE_DAC, WRITE_OWNER or ACCESS_SYSTEM_SECURITY, as the parts say.
//
// Win32: SetKernelObjectSecurity. Rules: SE-63.
func (t *Thread) SetKernelObjectSecurity(h win32.Handle, parts uint32, sd *security.Descriptor) error {
	const op = "SetKernelObjectSecurity"
	o, granted, err := t.kernelObject(op, h)
	if err != nil {
		return err
	}
	switch o.(type) {
	case *WindowStation, *Desktop:
		return t.SetUserObjectSecurity(h, parts, sd)
	}
	name := nameOfObject(o)
	if sd == nil || parts == 0 {
		return t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "SE-63")
	}
	if need := security.RightsToSet(parts); !granted.Has(need) {
		return t.refuseRight(op, name, need, granted, "SE-63")
	}
	hd := o.Head()
	for {
		old := hd.Descriptor()
		merged, err := old.Merge(parts, sd, t.EffectiveToken(), hd.Kind().Mapping)
		if err != nil {
			return t.errorOf(op, name, win32.Code(err), ruleOf(err, "SE-63"))
		}
		if hd.ReplaceDescriptor(old, merged) {
			break
		}
	}
	p := t.process
	p.engine.publish(EventDescriptorChange, p.session.id, "object", name, "pid", pidText(p.pid))
	return nil
}
