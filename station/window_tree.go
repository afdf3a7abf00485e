// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/security"
	"stationmaster/win32"
)

// foregroundLock is how long after the last change of the foreground a program
// that has nothing to do with it may not take it (WN-15).
const foregroundLock = 200 * time.Second

// DesktopWindow gives the root window of the thread's desktop.
//
// Win32: GetDesktopWindow. Rules: WN-12, DT-4.
func (t *Thread) DesktopWindow() (win32.HWND, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked("GetDesktopWindow")
	if err != nil {
		return 0, err
	}
	return ui.table.handle(t.desktop.ui.root), nil
}

// FindWindow gives the first window below parent, and below after in z-order,
// that has a class and title; empty or nil ones fit every window. Parent 0 is
// the desktop; then, with ex and after 0, message-only windows are looked at
// too. 0 without an error: there is none.
//
// Win32: FindWindow, FindWindowEx. Rules: WN-7, WN-8.
func (t *Thread) FindWindow(parent, after win32.HWND, class string, title *string, ex bool) (win32.HWND, error) {
	const op = "FindWindow"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return 0, err
	}
	if err := t.needDesktopLocked(op, win32.DESKTOP_READOBJECTS, "AR-14"); err != nil {
		return 0, err
	}
	if class != "" && ui.atoms.find(class) == 0 && class != "#32769" && class != "Message" {
		return 0, t.errorOf(op, class, win32.ERROR_CANNOT_FIND_WND_CLASS, "WN-7")
	}
	d, u := t.desktop, &ui.table
	roots := []uint16{d.ui.root}
	switch {
	case parent == win32.HWND_MESSAGE:
		roots[0] = d.ui.message
	case parent != 0:
		if _, err := t.windowLocked(op, parent, useWrite, "WN-7"); err != nil {
			return 0, err
		}
		roots[0] = uint16(parent)
	case ex && after == 0:
		roots = append(roots, d.ui.message)
	}
	if after != 0 {
		a, err := t.windowLocked(op, after, useWrite, "WN-7")
		if err != nil {
			return 0, err
		}
		if a.parent != roots[0] {
			return 0, t.errorOf(op, windowText(after), win32.ERROR_INVALID_WINDOW_HANDLE, "WN-7")
		}
	}
	passed := after == 0
	for _, root := range roots {
		for _, i := range u.children(root) {
			r := u.at(i)
			if passed && (class == "" || sameClass(ui.classes[r.class], class)) && (title == nil || ui.titles.text(r) == *title) {
				return u.handle(i), nil
			}
			passed = passed || u.handle(i) == after
		}
	}
	return 0, nil
}

// RelatedWindow gives a window that stands in a relation (GW_*) to another, 0
// for none.
//
// Win32: GetWindow, GetTopWindow. Rules: WN-7.
func (t *Thread) RelatedWindow(h win32.HWND, relation uint32) (win32.HWND, error) {
	const op = "GetWindow"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return 0, err
	}
	if h == 0 && relation == win32.GW_CHILD {
		h = ui.table.handle(t.desktop.ui.root)
	}
	r, err := t.queryLocked(op, h)
	if err != nil {
		return 0, err
	}
	u := &ui.table
	switch relation {
	case win32.GW_HWNDFIRST, win32.GW_HWNDLAST:
		list := u.children(r.parent)
		switch {
		case len(list) == 0:
			return 0, nil
		case relation == win32.GW_HWNDFIRST:
			return u.handle(list[0]), nil
		}
		return u.handle(list[len(list)-1]), nil
	case win32.GW_HWNDNEXT:
		return u.handle(r.next), nil
	case win32.GW_HWNDPREV:
		return u.handle(r.prev), nil
	case win32.GW_OWNER:
		return u.handle(r.owner), nil
	case win32.GW_CHILD:
		return u.handle(r.first), nil
	}
	return 0, t.errorOf(op, fmt.Sprintf("relation %d", relation), win32.ERROR_INVALID_PARAMETER, "WN-7")
}

// EnumWindows lists the top-level windows of a desktop in z-order, without
// message-only ones. Handle 0 is the thread's own desktop; another needs
// DESKTOP_READOBJECTS.
//
// Win32: EnumDesktopWindows, EnumWindows. Rules: DT-32, WN-7, WN-8.
func (t *Thread) EnumWindows(desktop win32.Handle) ([]win32.HWND, error) {
	const op = "EnumDesktopWindows"
	s := t.process.session
	s.mu.Lock()
	if _, err := t.guiLocked(op); err != nil {
		s.unlock()
		return nil, err
	}
	d, granted := t.desktop, t.desktopRights()
	if desktop != 0 {
		other, e, err := t.desktopHandle(op, desktop, "DT-32")
		if err != nil {
			s.unlock()
			return nil, err
		}
		d, granted = other, e.Granted
	}
	s.unlock()
	if !granted.Has(win32.DESKTOP_READOBJECTS) {
		return nil, t.refuseRight(op, d.Path(), win32.DESKTOP_READOBJECTS, granted, "DT-32")
	}
	of := d.station.session // maybe another's, through a duplicated handle (HN-5)
	of.mu.Lock()
	defer of.unlock()
	if d.dead {
		return nil, t.errorOf(op, d.Path(), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	return d.topLevelLocked(), nil
}

// EnumChildWindows lists the windows below one, each before those below it;
// for 0 the top-level ones of the desktop.
//
// Win32: EnumChildWindows. Rules: WN-7.
func (t *Thread) EnumChildWindows(parent win32.HWND) ([]win32.HWND, error) {
	const op = "EnumChildWindows"
	if parent == 0 {
		return t.EnumWindows(0)
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.queryLocked(op, parent); err != nil {
		return nil, err
	}
	if err := t.needDesktopLocked(op, win32.DESKTOP_READOBJECTS, "AR-14"); err != nil {
		return nil, err
	}
	u := &s.ui.table
	var out []win32.HWND
	var walk func(i uint16)
	walk = func(i uint16) {
		for _, c := range u.children(i) {
			out = append(out, u.handle(c))
			walk(c)
		}
	}
	walk(uint16(parent))
	return out, nil
}

// SetParent puts a window below another, 0 for the desktop, and gives the
// parent it had.
//
// Win32: SetParent. Rules: WN-6, AR-21.
func (t *Thread) SetParent(h, parent win32.HWND) (win32.HWND, error) {
	const op = "SetParent"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	r, err := t.changeLocked(op, h, 0x46)
	if err != nil {
		return 0, err
	}
	d, u := t.desktop, &s.ui.table
	to := d.ui.root
	switch parent {
	case 0:
	case win32.HWND_MESSAGE:
		to = d.ui.message
	default:
		if _, err := t.windowLocked(op, parent, useWrite, "WN-6"); err != nil {
			return 0, err
		}
		to = uint16(parent)
	}
	if u.within(to, uint16(h)) {
		return 0, t.errorOf(op, windowText(parent), win32.ERROR_INVALID_PARAMETER, "WN-6")
	}
	n := 0
	for p := to; p != 0; p = u.at(p).parent {
		n++
	}
	if n > maxNesting {
		return 0, t.errorOf(op, "windows inside each other", win32.ERROR_INVALID_PARAMETER, "WN-6")
	}
	old := win32.HWND(0)
	if u.at(r.parent).flags&windowSystem == 0 {
		old = u.handle(r.parent)
	}
	u.unlink(uint16(h))
	u.link(uint16(h), to, false)
	r.flags &^= windowMessageOnly
	if to == d.ui.message {
		r.flags |= windowMessageOnly
	}
	return old, nil
}

// ForegroundWindow gives the foreground window of the input desktop to a
// thread on it, and 0 to all others.
//
// Win32: GetForegroundWindow. Rules: WN-13.
func (t *Thread) ForegroundWindow() (win32.HWND, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.guiLocked("GetForegroundWindow"); err != nil {
		return 0, err
	}
	if t.desktop != s.winsta0.active {
		return 0, nil
	}
	return t.desktop.ui.foreground, nil
}

// SetForegroundWindow makes a window the foreground window of the input
// desktop and reports whether it did. A program that may not take the
// foreground gets its window marked instead.
//
// Win32: SetForegroundWindow. Rules: WN-14, WN-15.
func (t *Thread) SetForegroundWindow(h win32.HWND) (bool, error) {
	const op = "SetForegroundWindow"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return false, err
	}
	r, err := t.windowLocked(op, h, useQuery, "WN-14")
	if err != nil {
		return false, err
	}
	d := ui.desktops[r.desktop]
	if d == nil || d != s.winsta0.active {
		return false, nil
	}
	if !t.mayForegroundLocked(d) {
		r.flags |= windowAttention
		return false, nil
	}
	r.flags &^= windowAttention
	d.ui.foreground = h
	ui.foregroundAt, ui.foregroundFor = s.engine.now(), 0
	return true, nil
}

// mayForegroundLocked is WN-15, except for who received the last input, which
// comes with input.
func (t *Thread) mayForegroundLocked(d *Desktop) bool {
	s := t.process.session
	ui := s.ui
	r := ui.table.get(d.ui.foreground, userWindow)
	if r == nil {
		return true
	}
	owner := ui.threads[r.thread]
	switch {
	case owner == nil, owner.process == t.process, t.process.parent == owner.process.pid:
		return true
	case ui.foregroundFor == t.process.pid || ui.foregroundFor == anyProcess:
		return true
	}
	return s.engine.now().Sub(ui.foregroundAt) >= foregroundLock
}

// anyProcess is ASFW_ANY.
const anyProcess = -1

// AllowSetForegroundWindow lets a process take the foreground once; process
// 0xFFFFFFFF is any. Only who may take it may give it.
//
// Win32: AllowSetForegroundWindow. Rules: WN-15.
func (t *Thread) AllowSetForegroundWindow(process uint32) error {
	const op = "AllowSetForegroundWindow"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return err
	}
	if t.desktop != s.winsta0.active || !t.mayForegroundLocked(t.desktop) {
		return t.errorOf(op, "", win32.ERROR_ACCESS_DENIED, "WN-15")
	}
	ui.foregroundFor = int(int32(process))
	return nil
}

// AttachThreadInput lets two threads of a desktop share their input state, or
// ends that.
//
// Win32: AttachThreadInput. Rules: WN-16, UI-9.
func (t *Thread) AttachThreadInput(from, to uint32, attach bool) error {
	const op = "AttachThreadInput"
	e := t.process.engine
	a, b := e.thread(from), e.thread(to)
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("threads 0x%x and 0x%x", from, to)
	switch {
	case a == nil || b == nil || a == b || a.process.session != s || b.process.session != s || a.queue == nil || b.queue == nil:
		return t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "WN-16")
	case a.desktop != b.desktop || a.desktop != t.desktop:
		return t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "WN-16", "a thread is on another desktop")
	case len(a.desktop.ui.hooks[win32.WH_JOURNALRECORD]) > 0:
		return t.errorOf(op, name, win32.ERROR_ACCESS_DENIED, "WN-16")
	case level(t.process.Token()) < max(a.process.Token().Integrity(), b.process.Token().Integrity()):
		return t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "UI-9", "a thread has a higher integrity level")
	}
	key := [2]uint32{from, to}
	if !attach {
		if _, ok := ui.attached[key]; !ok {
			return t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "WN-16")
		}
		delete(ui.attached, key)
		return nil
	}
	ui.attached[key] = struct{}{}
	return nil
}

// BroadcastOptions say what BroadcastSystemMessage sends and to whom.
type BroadcastOptions struct {
	Flags      uint32 // BSF_*
	Recipients uint32 // BSM_*; 0: all
	Message    uint32
	WParam     uint64
	LParam     uint64
}

// BroadcastSystemMessage sends a message to the top-level windows of the
// desktop, or with BSM_ALLDESKTOPS and SeTcbPrivilege of every desktop of the
// session. The result is 1, or 0 when a window said no to BSF_QUERY.
//
// Win32: BroadcastSystemMessage. Rules: MSG-11, MSG-12, MSG-28.
func (t *Thread) BroadcastSystemMessage(ctx context.Context, o BroadcastOptions) (Delivery, error) {
	lockrank.AssertNoneHeld()
	s := t.process.session
	s.mu.Lock()
	w, err := t.broadcastLocked(&o)
	s.unlock()
	if err != nil || w == nil {
		return Delivery{Kind: DeliverDone, Result: 1}, err
	}
	return t.wait(ctx, w)
}

func (t *Thread) broadcastLocked(o *BroadcastOptions) (*pendingOp, error) {
	const op = "BroadcastSystemMessage"
	s := t.process.session
	ui, err := t.guiLocked(op)
	if err != nil {
		return nil, err
	}
	t.queueLocked()
	async := o.Flags & (win32.BSF_POSTMESSAGE | win32.BSF_SENDNOTIFYMESSAGE)
	switch {
	case o.Flags&win32.BSF_QUERY != 0 && async != 0, o.Flags&^uint32(0x1FF) != 0, badMessage(o.Message),
		o.Recipients&^(win32.BSM_APPLICATIONS|win32.BSM_ALLDESKTOPS) != 0:
		return nil, t.errorOf(op, "", win32.ERROR_INVALID_PARAMETER, "MSG-28")
	case async != 0 && carriesPointer(o.Message):
		return nil, t.errorOf(op, "", win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
	}
	if err := t.needDesktopLocked(op, win32.DESKTOP_WRITEOBJECTS, "MSG-3"); err != nil {
		return nil, err
	}
	list := t.desktop.topLevelLocked()
	if o.Recipients&win32.BSM_ALLDESKTOPS != 0 {
		if err := t.RequirePrivilege(op, security.SeTcbPrivilege, "MSG-12"); err != nil {
			return nil, err
		}
		list = list[:0]
		for _, w := range s.Stations() {
			for _, d := range w.order {
				list = append(list, d.topLevelLocked()...)
			}
		}
	}
	if o.Flags&win32.BSF_IGNORECURRENTTASK != 0 {
		kept := list[:0]
		for _, h := range list {
			if r := ui.table.get(h, userWindow); r != nil && r.thread != t.id {
				kept = append(kept, h)
			}
		}
		list = kept
	}
	send := &SendOptions{Message: o.Message, WParam: o.WParam, LParam: o.LParam}
	if async != 0 {
		send.Mode = SendNotify
		for _, h := range list {
			r := ui.table.get(h, userWindow)
			if r == nil || !t.process.maySendLocked(ui.threads[r.thread].process, h, o.Message) {
				continue
			}
			if o.Flags&win32.BSF_POSTMESSAGE != 0 {
				ui.threads[r.thread].queue.postLocked(Message{Window: h, Message: o.Message, WParam: o.WParam, LParam: o.LParam})
			} else {
				t.sendAsyncLocked(r, h, send, nil)
			}
		}
		return nil, nil
	}
	if o.Flags&(win32.BSF_NOHANG|win32.BSF_FORCEIFHUNG|win32.BSF_NOTIMEOUTIFNOTHUNG) != 0 {
		send.Flags, send.Limited, send.Timeout = win32.SMTO_ABORTIFHUNG, true, uint32(hungTime.Milliseconds())
		if o.Flags&win32.BSF_NOTIMEOUTIFNOTHUNG != 0 {
			send.Flags |= win32.SMTO_NOTIMEOUTIFNOTHUNG
		}
	}
	look := func(result uint64) bool {
		return o.Flags&win32.BSF_QUERY != 0 && uint32(result) == win32.BROADCAST_QUERY_DENY
	}
	return t.sendEachLocked(op, send, list, nil, look)
}
