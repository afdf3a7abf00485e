// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/win32"
)

// WindowOptions say what CreateWindow is to make.
type WindowOptions struct {
	Class         string
	Title         string
	Style         uint32 // WS_*
	ExStyle       uint32
	X, Y          int32
	Width, Height int32
	Parent        win32.HWND // parent of a child, else owner; HWND_MESSAGE for a message-only window
	ID            uint64     // menu, or number of a control
	Param         uint64     // goes into the LParam of WM_NCCREATE and WM_CREATE
}

// WindowFacts is what can be asked about a window.
type WindowFacts struct {
	Thread    uint32
	Process   int
	Class     string
	Title     string
	Style     uint32
	ExStyle   uint32
	X, Y      int32
	Width     int32
	Height    int32
	Parent    win32.HWND
	Owner     win32.HWND
	Visible   bool // it and those above it have WS_VISIBLE
	ID        uint64
	UserData  uint64 // 0 for windows of other processes
	Proc      uint64 // likewise
	Attention bool   // it wanted the foreground and did not get it (WN-15)
}

// CreateWindow makes a window on the thread's desktop; the result of its
// Delivery is the handle. WM_NCCREATE and WM_CREATE are given to the thread
// before that; a window that refuses them is gone again and the result 0.
//
// Win32: CreateWindowEx. Rules: WN-1 to WN-3, WN-6, WN-8, WN-10, DT-27, DT-28.
func (t *Thread) CreateWindow(ctx context.Context, o WindowOptions) (Delivery, error) {
	lockrank.AssertNoneHeld()
	s := t.process.session
	s.mu.Lock()
	w, err := t.createWindowLocked(&o)
	s.unlock()
	if err != nil {
		return Delivery{Kind: DeliverDone}, err
	}
	return t.wait(ctx, w)
}

func (t *Thread) createWindowLocked(o *WindowOptions) (*pendingOp, error) {
	const op = "CreateWindowEx"
	s := t.process.session
	ui, err := t.guiLocked(op)
	if err != nil {
		return nil, err
	}
	d, u := t.desktop, &ui.table
	c := t.process.ui.classes[object.Fold(o.Class)]
	if c == nil {
		return nil, t.errorOf(op, o.Class, win32.ERROR_CANNOT_FIND_WND_CLASS, "WN-10")
	}
	if err := t.needDesktopLocked(op, win32.DESKTOP_CREATEWINDOW, "WN-3"); err != nil {
		return nil, err
	}
	if !validText(o.Title) {
		return nil, t.errorOf(op, o.Class, win32.ERROR_INVALID_PARAMETER, "DT-28")
	}
	parent, owner := d.ui.root, uint16(0)
	switch o.Parent {
	case 0:
	case win32.HWND_MESSAGE:
		parent = d.ui.message
	default:
		if _, err := t.windowLocked(op, o.Parent, useWrite, "WN-6"); err != nil {
			return nil, err
		}
		if o.Style&win32.WS_CHILD != 0 {
			parent = uint16(o.Parent)
			for p, n := parent, 0; p != 0; p = u.at(p).parent {
				if n++; n > maxNesting {
					return nil, t.errorOf(op, "windows inside each other", win32.ERROR_INVALID_PARAMETER, "WN-6")
				}
			}
		} else if x := uint16(o.Parent); x != d.ui.root && x != d.ui.message {
			for owner = x; u.at(owner).parent != d.ui.root && u.at(owner).parent != d.ui.message; {
				owner = u.at(owner).parent
			}
		}
	}
	if parent == 0 {
		return nil, t.errorOf(op, o.Class, win32.ERROR_NOT_ENOUGH_MEMORY, "WN-2")
	}
	charge := chargeWindow + 2*(uint32(utf16Len(o.Title))+1)
	if !d.chargeLocked(charge) {
		return nil, t.errorOf(op, d.Path(), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-27")
	}
	w, code := t.queueLocked().beginOp(false)
	if code != 0 {
		d.refundLocked(charge)
		return nil, t.errorOf(op, "", code, "MSG-23")
	}
	index, code := t.takeHandleLocked(userWindow)
	if code != 0 {
		t.queue.endOp(w)
		d.refundLocked(charge)
		return nil, t.errorOf(op, o.Class, code, "WN-2")
	}
	r := u.at(index)
	r.flags, r.thread, r.desktop, r.class, r.owner = windowCreating, t.id, d.ui.number, c.id, owner
	if parent == d.ui.message {
		r.flags |= windowMessageOnly
	}
	r.style, r.exStyle, r.x, r.y, r.w, r.h, r.id, r.proc = o.Style, o.ExStyle, o.X, o.Y, o.Width, o.Height, o.ID, c.proc
	ui.setTitleLocked(r, o.Title)
	if owner != 0 {
		u.at(owner).owned++
	}
	u.link(index, parent, false)
	c.windows++
	t.windows++
	h := u.handle(index)

	undo := func() {
		s.mu.Lock()
		defer s.unlock()
		if s.ui.table.get(h, userWindow) != nil {
			s.destroyWindowLocked(uint16(h))
		}
		t.queue.complete(w, 0, nil, nil)
	}
	created := func(result uint64, _ []byte, err error) {
		if err != nil || int64(result) == -1 || uint32(result) == 0xFFFFFFFF {
			undo()
			return
		}
		s.mu.Lock()
		if r := s.ui.table.get(h, userWindow); r != nil {
			r.flags &^= windowCreating
			if r.parent == d.ui.root {
				s.tellHooksLocked(t, win32.WH_SHELL, 1, h) // HSHELL_WINDOWCREATED
			}
		}
		s.unlock()
		t.queue.complete(w, uint64(h), nil, nil)
	}
	begin := func(prevent uint64, _ []byte, _ error) {
		if prevent != 0 { // a CBT hook does not want it
			undo()
			return
		}
		t.selfCall(h, win32.WM_NCCREATE, 0, o.Param, func(result uint64, _ []byte, err error) {
			if err != nil || result == 0 {
				undo()
				return
			}
			t.selfCall(h, win32.WM_CREATE, 0, o.Param, created)
		})
	}
	if run := s.hookRunLocked(t, win32.WH_CBT, win32.HCBT_CREATEWND, &Message{Window: h, WParam: uint64(h)}); run != nil {
		run.fin = begin
		run.nextLocked(0)
	} else {
		s.laterLocked(func() { begin(0, nil, nil) })
	}
	return w, nil
}

// maxNesting bounds how deep windows lie in each other.
const maxNesting = 100

// tellHooksLocked lets hooks know of an event without waiting for them.
func (s *Session) tellHooksLocked(t *Thread, kind, code int32, h win32.HWND) {
	if run := s.hookRunLocked(t, kind, code, &Message{Window: h, WParam: uint64(h)}); run != nil {
		run.nextLocked(0)
	}
}

// selfCall lets the thread run the procedure of a window of its own. The
// caller holds no lock.
func (t *Thread) selfCall(h win32.HWND, msg uint32, wParam, lParam uint64, fin finishFunc) {
	s := t.process.session
	s.mu.Lock()
	r := s.ui.table.get(h, userWindow)
	if r == nil || r.thread != t.id {
		s.unlock()
		fin(0, nil, win32.ERROR_INVALID_WINDOW_HANDLE)
		return
	}
	c := s.newCallLocked(t, r, Message{Window: h, Message: msg, WParam: wParam, LParam: lParam}, nil)
	c.fin = fin
	code := t.queue.putLocked(c, true)
	s.unlock()
	if code != 0 {
		fin(0, nil, code)
	}
}

// DestroyWindow destroys a window of the calling thread, with the windows
// below it and owned by it. WM_DESTROY and WM_NCDESTROY are given to the
// thread before, and to a clipboard owner WM_RENDERALLFORMATS.
//
// Win32: DestroyWindow. Rules: CB-11, MSG-26, DT-28.
func (t *Thread) DestroyWindow(ctx context.Context, h win32.HWND) (Delivery, error) {
	const op = "DestroyWindow"
	lockrank.AssertNoneHeld()
	s := t.process.session
	s.mu.Lock()
	w, err := func() (*pendingOp, error) {
		if _, err := t.guiLocked(op); err != nil {
			return nil, err
		}
		r, err := t.windowLocked(op, h, useQuery, "WN-4")
		if err != nil {
			return nil, err
		}
		if r.thread != t.id {
			return nil, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "WN-3", "the window belongs to another thread")
		}
		w, code := t.queue.beginOp(false)
		if code != 0 {
			return nil, t.errorOf(op, "", code, "MSG-23")
		}
		if r.flags&windowDying != 0 {
			t.queue.complete(w, 1, nil, nil) // it is at it
			return w, nil
		}
		r.flags |= windowDying
		t.destroyScriptLocked(h, w)
		return w, nil
	}()
	s.unlock()
	if err != nil {
		return Delivery{Kind: DeliverDone}, err
	}
	return t.wait(ctx, w)
}

// destroyScriptLocked runs what DestroyWindow sends, and then destroys.
func (t *Thread) destroyScriptLocked(h win32.HWND, w *pendingOp) {
	s := t.process.session
	u := &s.ui.table
	type step struct {
		h   win32.HWND
		msg uint32
	}
	var steps []step
	var collect func(i uint16)
	collect = func(i uint16) {
		r := u.at(i)
		x := u.handle(i)
		if s.clipboardPromisesLocked(x) && r.thread == t.id {
			steps = append(steps, step{x, win32.WM_RENDERALLFORMATS})
		}
		steps = append(steps, step{x, win32.WM_DESTROY})
		for _, c := range u.children(i) {
			collect(c)
		}
		if d := s.ui.desktops[r.desktop]; d != nil && r.owned > 0 {
			for _, c := range u.children(d.ui.root) {
				if u.at(c).owner == i {
					collect(c)
				}
			}
		}
		steps = append(steps, step{x, win32.WM_NCDESTROY})
	}
	collect(uint16(h))
	var next func(i int)
	next = func(i int) {
		for ; i < len(steps); i++ {
			st := steps[i]
			if st.msg == win32.WM_DESTROY {
				s.mu.Lock()
				s.clipboardOwnerGoneLocked(st.h)
				s.unlock()
			}
			s.mu.Lock()
			r := s.ui.table.get(st.h, userWindow)
			mine := r != nil && r.thread == t.id
			s.unlock()
			if mine {
				t.selfCall(st.h, st.msg, 0, 0, func(uint64, []byte, error) { next(i + 1) })
				return
			}
		}
		s.mu.Lock()
		if s.ui.table.get(h, userWindow) != nil {
			s.tellHooksLocked(t, win32.WH_SHELL, 2, h) // HSHELL_WINDOWDESTROYED
			s.destroyWindowLocked(uint16(h))
		}
		s.unlock()
		t.queue.complete(w, 1, nil, nil)
	}
	if run := s.hookRunLocked(t, win32.WH_CBT, win32.HCBT_DESTROYWND, &Message{Window: h, WParam: uint64(h)}); run != nil {
		run.fin = func(prevent uint64, _ []byte, _ error) {
			if prevent == 0 {
				next(0)
				return
			}
			s.mu.Lock()
			if r := s.ui.table.get(h, userWindow); r != nil {
				r.flags &^= windowDying
			}
			s.unlock()
			t.queue.complete(w, 0, nil, nil)
		}
		run.nextLocked(0)
		return
	}
	s.laterLocked(func() { next(0) })
}

// IsWindow reports whether a handle names a window that the thread may know
// of.
//
// Win32: IsWindow. Rules: WN-1, WN-4, WN-5.
func (t *Thread) IsWindow(h win32.HWND) (bool, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked("IsWindow")
	if err != nil {
		return false, err
	}
	r := ui.table.get(h, userWindow)
	if r == nil {
		return false, nil
	}
	owner := ui.threads[r.thread]
	return r.desktop == t.desktop.ui.number || owner != nil && owner.process == t.process, nil
}

// queryLocked gives a window to be looked at. Those of other processes need
// DESKTOP_READOBJECTS.
func (t *Thread) queryLocked(op string, h win32.HWND) (*userRecord, error) {
	ui, err := t.guiLocked(op)
	if err != nil {
		return nil, err
	}
	r, err := t.windowLocked(op, h, useQuery, "WN-4")
	if err != nil {
		return nil, err
	}
	if owner := ui.threads[r.thread]; owner == nil || owner.process != t.process {
		if err := t.needDesktopLocked(op, win32.DESKTOP_READOBJECTS, "AR-14"); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Window gives the facts of a window.
//
// Win32: GetWindowThreadProcessId, GetWindowText, GetClassName,
// IsWindowVisible, GetWindowRect, GetParent, GetWindowLongPtr. Rules: WN-3, WN-4.
func (t *Thread) Window(h win32.HWND) (WindowFacts, error) {
	const op = "GetWindowInfo"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.queryLocked(op, h)
	if err != nil {
		return WindowFacts{}, err
	}
	ui := s.ui
	f := WindowFacts{Thread: r.thread, Title: ui.titles.text(r), Style: r.style, ExStyle: r.exStyle, X: r.x, Y: r.y, Width: r.w, Height: r.h,
		Owner: ui.table.handle(r.owner), ID: r.id, Attention: r.flags&windowAttention != 0}
	if r.owner != 0 && ui.table.at(r.owner).kind != userWindow {
		f.Owner = 0
	}
	if c := ui.classes[r.class]; c != nil {
		f.Class = c.name
	}
	if r.parent != 0 && ui.table.at(r.parent).flags&windowSystem == 0 {
		f.Parent = ui.table.handle(r.parent)
	}
	if owner := ui.threads[r.thread]; owner != nil {
		f.Process = owner.process.pid
		if owner.process == t.process {
			f.UserData, f.Proc = r.userData, r.proc
		}
	}
	f.Visible = ui.visible(r)
	return f, nil
}

// visible reports whether a window and those above it are to be seen.
func (ui *sessionUI) visible(r *userRecord) bool {
	for ; r.flags&windowSystem == 0; r = ui.table.at(r.parent) {
		if r.style&win32.WS_VISIBLE == 0 || r.flags&windowMessageOnly != 0 {
			return false
		}
	}
	return true
}

// changeLocked gives a window to be changed. It must be on the thread's
// desktop, whose handle needs DESKTOP_WRITEOBJECTS, and not of higher
// integrity (AR-21, UI-2).
func (t *Thread) changeLocked(op string, h win32.HWND, msg uint32) (*userRecord, error) {
	if _, err := t.guiLocked(op); err != nil {
		return nil, err
	}
	r, to, err := t.targetLocked(op, h, msg)
	if err == nil && to == nil {
		err = t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "DT-4", "the window belongs to the system")
	}
	return r, err
}

// SetWindowText sets a window's title. A longer one is charged to the
// desktop's heap.
//
// Win32: DefWindowProc(WM_SETTEXT). Rules: DT-27, DT-28, AR-21, UI-2.
func (t *Thread) SetWindowText(h win32.HWND, title string) error {
	const op = "SetWindowText"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.changeLocked(op, h, win32.WM_SETTEXT)
	if err != nil {
		return err
	}
	if !validText(title) {
		return t.errorOf(op, windowText(h), win32.ERROR_INVALID_PARAMETER, "DT-28")
	}
	d := s.ui.desktops[r.desktop]
	if n := uint32(utf16Len(title)); n > r.titleUnits {
		if !d.chargeLocked(2 * (n - r.titleUnits)) {
			return t.errorOf(op, d.Path(), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-27")
		}
	} else {
		d.refundLocked(2 * (r.titleUnits - n))
	}
	s.ui.setTitleLocked(r, title)
	return nil
}

// WindowField says which number of a window SetWindowLong changes.
type WindowField uint32

// Numbers of a window that its process may change.
const (
	FieldUserData WindowField = iota
	FieldProc
	FieldStyle
	FieldExStyle
	FieldID
)

// SetWindowLong changes a number of a window of the calling process and gives
// what it was.
//
// Win32: SetWindowLongPtr. Rules: WN-3.
func (t *Thread) SetWindowLong(h win32.HWND, field WindowField, value uint64) (uint64, error) {
	const op = "SetWindowLongPtr"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.queryLocked(op, h)
	if err != nil {
		return 0, err
	}
	if owner := s.ui.threads[r.thread]; owner == nil || owner.process != t.process {
		return 0, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "WN-3", "the window belongs to another process")
	}
	var old uint64
	switch field {
	case FieldUserData:
		old, r.userData = r.userData, value
	case FieldProc:
		old, r.proc = r.proc, value
	case FieldStyle:
		old, r.style = uint64(r.style), uint32(value)
	case FieldExStyle:
		old, r.exStyle = uint64(r.exStyle), uint32(value)
	case FieldID:
		old, r.id = r.id, value
	default:
		return 0, t.errorOf(op, fmt.Sprintf("field %d", field), win32.ERROR_INVALID_PARAMETER, "WN-3")
	}
	return old, nil
}

// SetWindowPos moves, sizes, shows, hides and reorders a window; flags are
// SWP_*, after a sibling or HWND_TOP, HWND_BOTTOM, HWND_TOPMOST,
// HWND_NOTOPMOST.
//
// Win32: SetWindowPos, ShowWindow, MoveWindow. Rules: WN-9, AR-21, UI-2.
func (t *Thread) SetWindowPos(h, after win32.HWND, x, y, width, height int32, flags uint32) error {
	const op = "SetWindowPos"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.changeLocked(op, h, 0x46) // WM_WINDOWPOSCHANGING
	if err != nil {
		return err
	}
	u := &s.ui.table
	if flags&win32.SWP_NOZORDER == 0 && r.flags&windowMessageOnly == 0 {
		index, parent := uint16(h), r.parent
		var sibling uint16
		switch after {
		case win32.HWND_TOP, win32.HWND_BOTTOM, win32.HWND_TOPMOST, win32.HWND_NOTOPMOST:
		default:
			a, err := t.windowLocked(op, after, useWrite, "WN-4")
			if err != nil {
				return err
			}
			if a.parent != parent || a == r {
				return t.errorOf(op, windowText(after), win32.ERROR_INVALID_PARAMETER, "WN-9")
			}
			sibling = uint16(after)
		}
		u.unlink(index)
		switch {
		case sibling != 0:
			u.linkAfter(index, sibling)
		default:
			if after == win32.HWND_TOPMOST {
				r.flags |= windowTopmost
			} else if after == win32.HWND_NOTOPMOST || after == win32.HWND_BOTTOM {
				r.flags &^= windowTopmost
			}
			u.link(index, parent, after == win32.HWND_BOTTOM)
		}
	}
	if flags&win32.SWP_NOMOVE == 0 {
		r.x, r.y = x, y
	}
	if flags&win32.SWP_NOSIZE == 0 {
		r.w, r.h = max(width, 0), max(height, 0)
	}
	if flags&win32.SWP_SHOWWINDOW != 0 {
		r.style |= win32.WS_VISIBLE
	}
	if flags&win32.SWP_HIDEWINDOW != 0 {
		r.style &^= win32.WS_VISIBLE
	}
	return nil
}

// Invalidate makes a WM_PAINT due for a window; however often, it comes once.
//
// Win32: InvalidateRect. Rules: MSG-17, MSG-19.
func (t *Thread) Invalidate(h win32.HWND) error { return t.paint("InvalidateRect", h, true) }

// Validate says that a window has been painted.
//
// Win32: ValidateRect, BeginPaint. Rules: MSG-19.
func (t *Thread) Validate(h win32.HWND) error { return t.paint("ValidateRect", h, false) }

func (t *Thread) paint(op string, h win32.HWND, due bool) error {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.changeLocked(op, h, win32.WM_PAINT)
	if err != nil {
		return err
	}
	if due == (r.flags&windowPaint != 0) {
		return nil
	}
	q := s.ui.threads[r.thread].queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if due {
		r.flags |= windowPaint
		had := q.workLocked()
		q.paints = append(q.paints, h)
		q.cameLocked(win32.QS_PAINT, had)
		return nil
	}
	r.flags &^= windowPaint
	for i, x := range q.paints {
		if x == h {
			q.paints = append(q.paints[:i:i], q.paints[i+1:]...)
			break
		}
	}
	return nil
}

// SetProp keeps a number with a window under a name, which is charged to the
// desktop's heap.
//
// Win32: SetProp. Rules: DT-28, AR-21.
func (t *Thread) SetProp(h win32.HWND, name string, value uint64) error {
	const op = "SetProp"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.changeLocked(op, h, 0x46)
	if err != nil {
		return err
	}
	if _, code := parseAtom(&name, 0); code != 0 {
		return t.errorOf(op, name, code, "AT-7")
	}
	key, d := object.Fold(name), s.ui.desktops[r.desktop]
	if _, ok := s.ui.props[h][key]; !ok {
		if !d.chargeLocked(chargeProperty) {
			return t.errorOf(op, d.Path(), win32.ERROR_NOT_ENOUGH_MEMORY, "DT-27")
		}
		if s.ui.props[h] == nil {
			s.ui.props[h] = make(map[string]uint64)
		}
	}
	s.ui.props[h][key] = value
	return nil
}

// Prop gives a number that is kept with a window, 0 when there is none.
//
// Win32: GetProp. Rules: WN-4.
func (t *Thread) Prop(h win32.HWND, name string) (uint64, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.queryLocked("GetProp", h); err != nil {
		return 0, err
	}
	return s.ui.props[h][object.Fold(name)], nil
}

// RemoveProp takes a number that is kept with a window away and gives it.
//
// Win32: RemoveProp. Rules: DT-28, AR-21.
func (t *Thread) RemoveProp(h win32.HWND, name string) (uint64, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.changeLocked("RemoveProp", h, 0x46)
	if err != nil {
		return 0, err
	}
	key := object.Fold(name)
	v, ok := s.ui.props[h][key]
	if ok {
		delete(s.ui.props[h], key)
		s.ui.desktops[r.desktop].refundLocked(chargeProperty)
	}
	return v, nil
}
