// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/security"
	"stationmaster/win32"
)

// User-interface privilege isolation: what a program of lower integrity may
// do to one of higher, on the same desktop. It comes on top of the desktop's
// border, never instead of it (UI-12).

// level gives the integrity a token sends with: UIAccess counts as high
// (UI-11).
func level(tok *security.Token) security.Level {
	l := tok.Integrity()
	if tok.UIAccess() {
		l = max(l, security.LevelHigh)
	}
	return l
}

// harmless are the messages that always pass (UI-4).
func harmless(msg uint32) bool {
	switch msg {
	case win32.WM_NULL, win32.WM_MOVE, win32.WM_SIZE, win32.WM_GETTEXT, win32.WM_GETTEXTLENGTH, 0x33, 0x7F,
		win32.WM_RENDERFORMAT, win32.WM_DRAWCLIPBOARD, win32.WM_CHANGECBCHAIN, 0x31A:
		return true
	}
	return false
}

// maySendLocked reports whether a message may go from a process to another, to
// a window or, with window 0, to a thread (UI-2, UI-5).
func (p *Process) maySendLocked(to *Process, window win32.HWND, msg uint32) bool {
	if p == to || level(p.Token()) >= to.Token().Integrity() || harmless(msg) {
		return true
	}
	if _, ok := to.ui.filter[msg]; ok {
		return true
	}
	_, ok := p.session.ui.filters[window][msg]
	return ok
}

// maxFilter bounds message filters: there are no more messages, and all
// windows of a process together have no more entries.
const maxFilter = 0xFFFF

// ChangeMessageFilter lets a message from lower integrity through to every
// window of the process, or stops that.
//
// Win32: ChangeWindowMessageFilter. Rules: UI-6 to UI-8.
func (t *Thread) ChangeMessageFilter(msg, action uint32) error {
	const op = "ChangeWindowMessageFilter"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.guiLocked(op); err != nil {
		return err
	}
	p := t.process
	switch {
	case action != win32.MSGFLT_ADD && action != win32.MSGFLT_REMOVE, msg > maxFilter:
		return t.errorOf(op, "", win32.ERROR_INVALID_PARAMETER, "UI-6")
	case p.Token().Integrity() <= security.LevelLow:
		return t.Refuse(op, "", win32.ERROR_ACCESS_DENIED, "UI-7", "the process has low integrity")
	case harmless(msg): // UI-8
	case action == win32.MSGFLT_REMOVE:
		delete(p.ui.filter, msg)
	default:
		if p.ui.filter == nil {
			p.ui.filter = make(map[uint32]struct{})
		}
		p.ui.filter[msg] = struct{}{}
	}
	return nil
}

// ChangeWindowFilter does the same for one window of the process, and gives
// what CHANGEFILTERSTRUCT reports.
//
// Win32: ChangeWindowMessageFilterEx. Rules: UI-6 to UI-8.
func (t *Thread) ChangeWindowFilter(h win32.HWND, msg, action uint32) (status uint32, err error) {
	const op = "ChangeWindowMessageFilterEx"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return 0, err
	}
	r, err := t.windowLocked(op, h, useQuery, "UI-6")
	if err != nil {
		return 0, err
	}
	p := t.process
	if owner := ui.threads[r.thread]; owner == nil || owner.process != p {
		return 0, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "UI-6", "the window belongs to another process")
	}
	_, on := ui.filters[h][msg]
	_, higher := p.ui.filter[msg]
	switch {
	case action > win32.MSGFLT_DISALLOW, msg > maxFilter:
		return 0, t.errorOf(op, windowText(h), win32.ERROR_INVALID_PARAMETER, "UI-6")
	case p.Token().Integrity() <= security.LevelLow:
		return 0, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "UI-7", "the process has low integrity")
	case action == win32.MSGFLT_RESET:
		p.ui.allowed -= len(ui.filters[h])
		delete(ui.filters, h)
	case harmless(msg): // UI-8
	case action == win32.MSGFLT_ALLOW && on:
		status = win32.MSGFLTINFO_ALREADYALLOWED_FORWND
	case action == win32.MSGFLT_ALLOW && p.ui.allowed >= maxFilter:
		return 0, t.errorOf(op, windowText(h), win32.ERROR_NOT_ENOUGH_MEMORY, "UI-6")
	case action == win32.MSGFLT_ALLOW:
		if ui.filters[h] == nil {
			ui.filters[h] = make(map[uint32]struct{})
		}
		ui.filters[h][msg] = struct{}{}
		p.ui.allowed++
		if higher {
			status = win32.MSGFLTINFO_ALLOWED_HIGHER
		}
	default: // disallow
		if on {
			delete(ui.filters[h], msg)
			p.ui.allowed--
		}
		switch {
		case higher:
			status = win32.MSGFLTINFO_ALLOWED_HIGHER
		case !on:
			status = win32.MSGFLTINFO_ALREADYDISALLOWED_FORWND
		}
	}
	return status, nil
}
