// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// maxSurface bounds the size a desktop may be made with, in pixels.
const maxSurface = 16384

// CreateDesktop creates a desktop in the process's window station, or opens an
// existing one; existed says which. A process without a station is connected
// first. The new desktop is not made the thread's.
//
// Win32: CreateDesktopEx. Rules: DT-3, DT-8, DT-13 to DT-20, DT-24, DT-26.
func (t *Thread) CreateDesktop(o DesktopOptions) (h win32.Handle, existed bool, err error) {
	const op = "CreateDesktop"
	p := t.process
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, false, err
	}
	if rule := badDesktopOptions(o); rule != "" {
		return 0, false, t.errorOf(op, o.Name, win32.ERROR_INVALID_PARAMETER, rule)
	}
	if code := checkDesktopName(o.Name); code != 0 {
		return 0, false, t.errorOf(op, o.Name, code, "DT-3")
	}
	w, stationGranted, err := t.stationLocked(op)
	if err != nil {
		return 0, false, err
	}
	if lacksObjects(o.Access) {
		return 0, false, t.Refuse(op, o.Name, win32.ERROR_ACCESS_DENIED, "DT-13", "READOBJECTS and WRITEOBJECTS must be asked for too")
	}
	if d := w.desktopLocked(o.Name); d != nil {
		granted, err := t.open(op, d.Path(), d, o.Access, "DT-16")
		if err != nil {
			return 0, true, err
		}
		h, err := t.insert(op, d.Path(), d, granted, o.Inherit)
		if err == nil && o.Flags != 0 {
			t.process.allowHooks(d, true)
		}
		return h, true, err
	}

	path := w.name + `\` + o.Name
	tok := t.EffectiveToken()
	if !stationGranted.Has(win32.WINSTA_CREATEDESKTOP) {
		return 0, false, t.refuseRight(op, path, win32.WINSTA_CREATEDESKTOP, stationGranted, "DT-16")
	}
	granted, code := creationAccess(tok, desktopKind, o.Access, desktopKind.Mapping.All)
	if code != 0 {
		return 0, false, t.Refuse(op, path, code, "WS-24", "a right that no desktop has")
	}
	if !granted.Has(win32.DESKTOP_CREATEWINDOW) {
		return 0, false, t.Refuse(op, path, win32.ERROR_ACCESS_DENIED, "DT-17", "DESKTOP_CREATEWINDOW must be asked for")
	}
	if !s.usableLocked() || w.dead {
		return 0, false, t.errorOf(op, path, win32.ERROR_SHUTDOWN_IN_PROGRESS, "LGN-20")
	}
	sd, err := security.Assign(w.Descriptor(), o.Descriptor, tok, false, desktopKind.Mapping, 0)
	if err != nil {
		return 0, false, t.errorOf(op, path, win32.Code(err), "DT-8")
	}
	if w.interactive {
		sd = ownedByLogon(sd, o.Descriptor, tok)
	}
	d, err := w.newDesktopLocked(o, sd)
	if err != nil {
		return 0, false, t.errorOf(op, path, win32.Code(err), "DT-26")
	}
	if h, err = t.insert(op, path, d, granted, o.Inherit); err != nil {
		d.destroyLocked()
		return 0, false, err
	}
	if o.Flags != 0 {
		t.process.allowHooks(d, true)
	}
	return h, false, nil
}

// ownedByLogon makes the creator's logon the owner of a desktop of WinSta0 that
// would be the user's. An owner may always change the DACL: owned by the user,
// a desktop that lets only the logon in could be opened up by any other program
// of that user, from another session or from outside every one (DT-8).
func ownedByLogon(sd, given *security.Descriptor, tok *security.Token) *security.Descriptor {
	if given != nil && !given.Owner().IsZero() || sd.Owner() != tok.User() || tok.IsSystem() || tok.LogonSID().IsZero() {
		return sd
	}
	return sd.WithOwner(tok.LogonSID())
}

// badDesktopOptions gives the rule that an option breaks, or "".
func badDesktopOptions(o DesktopOptions) string {
	switch {
	case o.Flags&^win32.DF_ALLOWOTHERACCOUNTHOOK != 0:
		return "DT-15"
	case o.HeapKB != 0 && (o.HeapKB < minHeapKB || o.HeapKB > maxHeapKB):
		return "DT-24"
	case o.Surface != "" && o.Surface != SurfaceBuiltin && o.Surface != SurfaceX11:
		return "DT-14"
	case o.Width < 0 || o.Width > maxSurface || o.Height < 0 || o.Height > maxSurface, (o.Width == 0) != (o.Height == 0):
		return "DT-14"
	}
	return ""
}

// checkDesktopName gives the error of a name no desktop may have (DT-3).
func checkDesktopName(name string) win32.Errno {
	if name == "" {
		return win32.ERROR_INVALID_HANDLE
	}
	return checkName(name, win32.ERROR_BAD_PATHNAME)
}

// lacksObjects is DT-13: whoever asks for READ_CONTROL, WRITE_DAC or
// WRITE_OWNER by name must ask for READOBJECTS and WRITEOBJECTS too, by name
// or through a generic right. A generic right alone does not count as asking
// for READ_CONTROL, else GENERIC_READ could never be had.
func lacksObjects(desired win32.AccessMask) bool {
	const named = win32.READ_CONTROL | win32.WRITE_DAC | win32.WRITE_OWNER
	if desired&named == 0 || desired&win32.MAXIMUM_ALLOWED != 0 {
		return false
	}
	return !security.DesktopMapping.Map(desired).Has(win32.DESKTOP_READOBJECTS | win32.DESKTOP_WRITEOBJECTS)
}

// stationLocked gives the process's station and the rights of its handle,
// connecting first (PC-2).
func (t *Thread) stationLocked(op string) (*WindowStation, win32.AccessMask, error) {
	p := t.process
	if p.station == nil {
		if err := t.ensureLocked(op); err != nil {
			return nil, 0, err
		}
	}
	if p.station.dead {
		return nil, 0, t.errorOf(op, p.station.name, win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	return p.station, p.handles.Get(p.stationH).Granted, nil
}

// OpenDesktop opens a desktop of the process's window station. A process
// without a station is connected first.
//
// Win32: OpenDesktop. Rules: DT-3, DT-13, DT-15, DT-29.
func (t *Thread) OpenDesktop(name string, flags uint32, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	const op = "OpenDesktop"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, err
	}
	if flags&^win32.DF_ALLOWOTHERACCOUNTHOOK != 0 {
		return 0, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "DT-15")
	}
	if code := checkDesktopName(name); code != 0 {
		return 0, t.errorOf(op, name, code, "DT-3")
	}
	w, _, err := t.stationLocked(op)
	if err != nil {
		return 0, err
	}
	d := w.desktopLocked(name)
	if d == nil {
		return 0, t.errorOf(op, w.name+`\`+name, win32.ERROR_FILE_NOT_FOUND, "DT-29")
	}
	return t.openDesktopLocked(op, d, flags, desired, inherit, "DT-29")
}

func (t *Thread) openDesktopLocked(op string, d *Desktop, flags uint32, desired win32.AccessMask, inherit bool, rule string) (win32.Handle, error) {
	path := d.Path()
	if lacksObjects(desired) {
		return 0, t.Refuse(op, path, win32.ERROR_ACCESS_DENIED, "DT-13", "READOBJECTS and WRITEOBJECTS must be asked for too")
	}
	granted, err := t.open(op, path, d, desired, rule)
	if err != nil {
		return 0, err
	}
	h, err := t.insert(op, path, d, granted, inherit)
	if err == nil && flags != 0 {
		t.process.allowHooks(d, true)
	}
	return h, err
}

// OpenInputDesktop opens the desktop that receives the session's input. In a
// disconnected session that is the one that will again.
//
// Win32: OpenInputDesktop. Rules: DT-13, DT-15, DT-44, DT-45.
func (t *Thread) OpenInputDesktop(flags uint32, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	const op = "OpenInputDesktop"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, err
	}
	if flags&^win32.DF_ALLOWOTHERACCOUNTHOOK != 0 {
		return 0, t.errorOf(op, "", win32.ERROR_INVALID_PARAMETER, "DT-15")
	}
	w, _, err := t.stationLocked(op)
	if err != nil {
		return 0, err
	}
	if !w.interactive {
		return 0, t.errorOf(op, w.name, win32.ERROR_INVALID_FUNCTION, "DT-44")
	}
	d := s.targetLocked(true)
	if d == nil {
		return 0, t.errorOf(op, w.name, win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	return t.openDesktopLocked(op, d, flags, desired, inherit, "DT-44")
}

// CloseDesktop closes a desktop handle. One that a thread of the process uses,
// or the startup desktop's, is refused with 170.
//
// Win32: CloseDesktop. Rules: DT-39, DT-41.
func (t *Thread) CloseDesktop(h win32.Handle) error {
	const op = "CloseDesktop"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, _, err := t.desktopHandle(op, h, "DT-39"); err != nil {
		return err
	}
	if t.process.inUseLocked(h) != "" {
		return t.errorOf(op, handleText(h), win32.ERROR_BUSY, "DT-39")
	}
	return t.closeLocked(op, h)
}

// EnumDesktops gives the names of a station's desktops in which the caller's
// token is granted DESKTOP_ENUMERATE, in the order they were made. Handle 0 is
// the process's own station, connecting first. No desktop at all is an error, 2.
//
// Win32: EnumDesktops. Rules: DT-5, DT-30, DT-31.
func (t *Thread) EnumDesktops(station win32.Handle) ([]string, error) {
	const op = "EnumDesktops"
	s := t.process.session
	s.mu.Lock()
	if err := t.aliveLocked(op); err != nil {
		s.unlock()
		return nil, err
	}
	var w *WindowStation
	var granted win32.AccessMask
	var err error
	if station == 0 {
		w, granted, err = t.stationLocked(op)
	} else if station == 0xFFFFFFFF {
		err = t.errorOf(op, handleText(station), win32.ERROR_INVALID_HANDLE, "DT-30")
	} else if got, e, herr := t.stationHandle(op, station, "DT-30"); herr != nil {
		err = herr
	} else {
		w, granted = got, e.Granted
	}
	s.unlock()
	if err != nil {
		return nil, err
	}
	if !granted.Has(win32.WINSTA_ENUMDESKTOPS) {
		return nil, t.refuseRight(op, w.name, win32.WINSTA_ENUMDESKTOPS, granted, "DT-30")
	}
	// The station may be another session's, through a duplicated handle (HN-5):
	// its own lock counts, and ours is not held.
	w.session.mu.Lock()
	defer w.session.unlock()
	if w.dead {
		return nil, t.errorOf(op, w.name, win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	tok := t.EffectiveToken()
	var names []string
	for _, d := range w.order {
		if _, err := checkAccess(tok, d, win32.DESKTOP_ENUMERATE); err == nil && (d.name != disconnectName || !d.secure) {
			names = append(names, d.name)
		}
	}
	if len(names) == 0 {
		return nil, t.errorOf(op, w.name, win32.ERROR_FILE_NOT_FOUND, "DT-30")
	}
	return names, nil
}

// ThreadDesktop gives the desktop handle of a thread. For a thread of the
// calling process it is always the same value and not to be closed; for
// another process's it is a handle in the caller's table with what the caller
// is granted.
//
// Win32: GetThreadDesktop. Rules: DT-33, PC-2.
func (t *Thread) ThreadDesktop(tid uint32) (win32.Handle, error) {
	const op = "GetThreadDesktop"
	of := t.process.engine.thread(tid)
	name := fmt.Sprintf("thread 0x%x", tid)
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return 0, err
	}
	if of == nil || of.process.session != s {
		return 0, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "DT-33")
	}
	if of == t && t.desktop == nil {
		if err := t.ensureLocked(op); err != nil {
			return 0, err
		}
	}
	d := of.desktop
	if d == nil {
		return 0, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "DT-33")
	}
	if of.process == t.process {
		return of.desktopH, nil
	}
	if h := t.process.findHandle(d); h != 0 {
		return h, nil
	}
	granted, err := t.open(op, d.Path(), d, win32.MAXIMUM_ALLOWED, "DT-33")
	if err != nil {
		return 0, t.errorOf(op, d.Path(), win32.ERROR_ACCESS_DENIED, "DT-33")
	}
	return t.insert(op, d.Path(), d, granted, false)
}

// findHandle gives the lowest handle of the process to a desktop, or 0.
func (p *Process) findHandle(d *Desktop) win32.Handle {
	var found win32.Handle
	p.handles.Each(func(h win32.Handle, e *object.Entry) bool {
		if e.Object == d {
			found = h
		}
		return found == 0
	})
	return found
}

// SetThreadDesktop makes a desktop the calling thread's. What the thread does
// from then on has the rights of that handle.
//
// Win32: SetThreadDesktop. Rules: DT-34, DT-36, DT-37, TC-7.
func (t *Thread) SetThreadDesktop(h win32.Handle) error {
	const op = "SetThreadDesktop"
	p := t.process
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	d, _, err := t.desktopHandle(op, h, "DT-34")
	if err != nil {
		return err
	}
	if d.station.session != s {
		return t.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "DT-34", "the desktop belongs to another session")
	}
	if d.dead {
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	if t.desktop == d { // (2), also for a thread with windows
		t.desktopH = h &^ 3
		return nil
	}
	if p.station == nil { // TC-7
		var to place
		if f := p.connectStationLocked(&to); f != nil {
			p.reportLocked(f)
			return t.errorOf(op, f.object, f.code, "TC-7")
		}
	}
	switch {
	case d.station != p.station && d != p.startup: // (3)
		return t.errorOf(op, d.Path(), win32.ERROR_ACCESS_DENIED, "DT-34")
	case t.desktop != nil && (t.windows > 0 || t.hooks > 0): // (4)
		return t.errorOf(op, d.Path(), win32.ERROR_BUSY, "DT-34")
	case !d.chargeLocked(chargeThread): // (5)
		return t.errorOf(op, d.Path(), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-34")
	}
	t.leaveDesktopLocked()
	t.desktop, t.desktopH = d, h&^3
	d.threads++
	return nil
}

// SwitchDesktop makes a desktop the active one of its session.
//
// Win32: SwitchDesktop. Rules: DT-46, DT-47, DT-48.
func (t *Thread) SwitchDesktop(h win32.Handle) error {
	const op = "SwitchDesktop"
	p := t.process
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	d, e, err := t.desktopHandle(op, h, "DT-46")
	if err != nil {
		return err
	}
	w := d.station
	refuse := func(why string) error {
		return t.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "DT-46", why)
	}
	switch {
	case w.session != s || d.dead: // (1)
		return t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "DT-46")
	case !e.Granted.Has(win32.DESKTOP_SWITCHDESKTOP): // (2)
		return t.refuseRight(op, d.Path(), win32.DESKTOP_SWITCHDESKTOP, e.Granted, "DT-46")
	case !w.interactive: // (3)
		return refuse("the window station has no display")
	case w != p.station: // (4)
		return refuse("the desktop is not in the process's window station")
	case w.active == d: // (5)
		return nil
	case p.startup != nil && p.startup.secure || t.desktop != nil && t.desktop.secure: // (6)
		return refuse("the caller is on a secure desktop")
	case s.secureActiveLocked(): // (7)
		return refuse("the session is locked or a secure desktop is active")
	}
	switch { // (8)
	case d.secure && d.name == disconnectName:
		return refuse("the desktop is shown by disconnecting only (DT-50)")
	case d.secure && d.name == winlogonName:
		s.secure = screenAttention
	case d.secure:
		s.secure = screenSaver
	default:
		w.app = d
	}
	s.retargetLocked()
	return nil
}

// LockWorkStation asks the session manager to lock the session. The calling
// thread must be on the active desktop.
//
// Win32: LockWorkStation. Rules: DT-52, LGN-15.
func (t *Thread) LockWorkStation() error {
	const op = "LockWorkStation"
	s := t.process.session
	s.mu.Lock()
	if err := t.aliveLocked(op); err != nil {
		s.unlock()
		return err
	}
	err := t.ensureLocked(op)
	active := err == nil && t.desktop == s.winsta0.active
	user := s.user != nil
	s.unlock()
	switch {
	case err != nil:
		return err
	case !active:
		return t.Refuse(op, "", win32.ERROR_ACCESS_DENIED, "DT-52", "the caller is not on the active desktop")
	case !user:
		return t.Refuse(op, "", win32.ERROR_ACCESS_DENIED, "LGN-15", "nobody is logged on")
	}
	return t.process.engine.Lock(s)
}
