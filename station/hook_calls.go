// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"
	"slices"

	"stationmaster/win32"
)

func hookGlobalOnly(kind int32) bool {
	switch kind {
	case win32.WH_JOURNALRECORD, win32.WH_JOURNALPLAYBACK, win32.WH_KEYBOARD_LL, win32.WH_MOUSE_LL, win32.WH_SYSMSGFILTER:
		return true
	}
	return false
}

func hookNeedsModule(kind int32) bool {
	switch kind {
	case win32.WH_GETMESSAGE, win32.WH_CALLWNDPROC, win32.WH_CALLWNDPROCRET, win32.WH_CBT, win32.WH_DEBUG, win32.WH_SHELL, win32.WH_FOREGROUNDIDLE:
		return true
	}
	return false
}

// SetWindowsHook installs a hook procedure for one thread, or for all of the
// thread's desktop when thread is 0. proc is a number of the process; module
// says that a module was given. Procedures run in the calling thread while it
// retrieves messages.
//
// Win32: SetWindowsHookEx. Rules: HK-2 to HK-5, HK-8, UI-9, DT-28.
func (t *Thread) SetWindowsHook(kind int32, proc uint64, module bool, thread uint32) (win32.HWND, error) {
	const op = "SetWindowsHookEx"
	name := fmt.Sprintf("hook type %d", kind)
	refuse := func(code win32.Errno) (win32.HWND, error) { return 0, t.errorOf(op, name, code, "HK-4") }
	var target *Thread
	if thread != 0 {
		target = t.process.engine.thread(thread)
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return 0, err
	}
	d := t.desktop
	switch {
	case kind < win32.WH_MSGFILTER || kind > win32.WH_MOUSE_LL:
		return refuse(win32.ERROR_INVALID_HOOK_FILTER)
	case proc == 0:
		return refuse(win32.ERROR_INVALID_FILTER_PROC)
	case thread != 0 && hookGlobalOnly(kind):
		return refuse(win32.ERROR_GLOBAL_ONLY_HOOK)
	case thread != 0 && (target == nil || target.process.session != s || target.dead.Load()):
		return refuse(win32.ERROR_INVALID_PARAMETER)
	case thread != 0 && target.desktop != d:
		return 0, t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "HK-4", "the thread is on another desktop")
	case thread != 0 && target.process != t.process && !module && hookNeedsModule(kind):
		return refuse(win32.ERROR_HOOK_NEEDS_HMOD)
	case thread == 0 && !module && (hookNeedsModule(kind) || kind == win32.WH_SYSMSGFILTER):
		return refuse(win32.ERROR_HOOK_NEEDS_HMOD)
	}
	if err := t.needDesktopLocked(op, win32.DESKTOP_HOOKCONTROL, "HK-4"); err != nil {
		return 0, err
	}
	journal := kind == win32.WH_JOURNALRECORD || kind == win32.WH_JOURNALPLAYBACK
	if journal {
		need := win32.DESKTOP_JOURNALRECORD
		if kind == win32.WH_JOURNALPLAYBACK {
			need = win32.DESKTOP_JOURNALPLAYBACK
		}
		if err := t.needDesktopLocked(op, need, "HK-4"); err != nil {
			return 0, err
		}
		if len(d.ui.hooks[kind]) > 0 {
			return refuse(win32.ERROR_JOURNAL_HOOK_SET)
		}
	}
	if target != nil && level(t.process.Token()) < target.process.Token().Integrity() {
		return 0, t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "UI-9", "the thread has a higher integrity level")
	}
	if target != nil && target.process != t.process && target.process.Token().User() != t.process.Token().User() && !target.process.allowsHooks(d) {
		return 0, t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "HK-9", "the process of another account does not allow hooks")
	}
	if !d.chargeLocked(chargeHook) {
		return refuse(win32.ERROR_NOT_ENOUGH_MEMORY)
	}
	index, code := t.takeHandleLocked(userHook)
	if code != 0 {
		d.refundLocked(chargeHook)
		return refuse(code)
	}
	t.queueLocked()
	h := &hook{handle: ui.table.handle(index), kind: kind, proc: proc, thread: t, target: target, desktop: d, owners: []*Thread{t}}
	if target != nil && target != t && target.process == t.process {
		h.owners = append(h.owners, target)
	}
	for _, o := range h.owners {
		o.hooks++
	}
	ui.hooks[h.handle] = h
	d.ui.hooks[kind] = slices.Insert(d.ui.hooks[kind], 0, h)
	return h.handle, nil
}

// takeHandleLocked takes a place in the table of USER handles (WN-2).
func (t *Thread) takeHandleLocked(kind userKind) (uint16, win32.Errno) {
	p := t.process
	if p.ui.handles >= p.engine.settings.UserHandles {
		return 0, win32.ERROR_NO_MORE_USER_HANDLES
	}
	index := p.session.ui.table.insert(kind)
	if index == 0 {
		return 0, win32.ERROR_NOT_ENOUGH_MEMORY
	}
	p.ui.handles++
	return index, 0
}

// UnhookWindowsHook removes a hook of the process.
//
// Win32: UnhookWindowsHookEx. Rules: HK-6.
func (t *Thread) UnhookWindowsHook(handle win32.HWND) error {
	const op = "UnhookWindowsHookEx"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	h := s.uiLocked().hooks[handle]
	if h == nil || h.thread.process != t.process {
		return t.errorOf(op, fmt.Sprintf("hook 0x%x", uint32(handle)), win32.ERROR_INVALID_HOOK_HANDLE, "HK-6")
	}
	s.removeHookLocked(h)
	return nil
}

// CallNextHook passes the event of the hook procedure that the thread runs on
// to the next hook, and gives its result; 0 when there is none.
//
// Win32: CallNextHookEx. Rules: HK-5.
func (t *Thread) CallNextHook(ctx context.Context) (Delivery, error) {
	const op = "CallNextHookEx"
	s := t.process.session
	s.mu.Lock()
	q := t.queue
	if err := t.aliveLocked(op); err != nil || q == nil {
		s.unlock()
		return Delivery{Kind: DeliverDone}, err
	}
	q.mu.Lock()
	var c *call
	if n := len(q.running); n > 0 && q.running[n-1].kind == CallHook {
		c = q.running[n-1]
	}
	q.mu.Unlock()
	if c == nil {
		s.unlock()
		return Delivery{Kind: DeliverDone}, nil
	}
	w, code := q.beginOp(false)
	if code != 0 {
		s.unlock()
		return Delivery{}, t.errorOf(op, "", code, "HK-5")
	}
	run := *c.hook
	run.fin = func(result uint64, data []byte, err error) { q.complete(w, result, data, err) }
	run.nextLocked(c.pos + 1)
	s.unlock()
	return t.wait(ctx, w)
}
