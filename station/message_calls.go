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

// SendMode says how a message is sent.
type SendMode uint8

const (
	SendWait     SendMode = iota // SendMessage, SendMessageTimeout
	SendNotify                   // SendNotifyMessage
	SendCallback                 // SendMessageCallback
)

// SendOptions say what to send.
type SendOptions struct {
	Window       win32.HWND // HWND_BROADCAST: every top-level window of the desktop
	Message      uint32
	WParam       uint64
	LParam       uint64
	Data         []byte // what a pointer of a system message leads to, such as the text of WM_SETTEXT
	Staged       bool   // Data is what StageData collected
	Mode         SendMode
	Flags        uint32 // SMTO_*
	Timeout      uint32 // milliseconds; 0 with Limited is no time at all
	Limited      bool   // SendMessageTimeout
	Callback     uint64 // SendCallback: the procedure, in numbers of the process
	CallbackData uint64
}

// carriesPointer reports whether a system message has a pointer in it, which
// means something only while the sender waits (MSG-5, MSG-6).
func carriesPointer(msg uint32) bool {
	switch msg {
	case win32.WM_CREATE, win32.WM_SETTEXT, win32.WM_GETTEXT, 0x24, 0x2B, 0x2C, 0x2D, 0x39, 0x46, 0x47, win32.WM_COPYDATA,
		0x4E, 0x53, 0x7C, 0x7D, win32.WM_NCCREATE, 0x83, 0x87, 0xB2, 0xB3, 0xC2, 0xC4, 0x143, 0x148, 0x14A, 0x14C, 0x158,
		0x180, 0x181, 0x189, 0x18C, 0x18D, 0x18F, 0x1A2, 0x213, 0x214, 0x216, 0x219, 0x220:
		return true
	}
	return false
}

// chargePayloadLocked counts bytes that the session's messages and clipboards
// hold.
func (s *Session) chargePayloadLocked(n int) bool {
	if s.ui.payload+int64(n) > maxPayload {
		return false
	}
	s.ui.payload += int64(n)
	return true
}

// StageData collects data that is too long for one request: what follows is
// appended to what is there. The next call that says so takes all of it.
//
// Rules: MSG-31, CB-9.
func (t *Thread) StageData(data []byte) error {
	const op = "StageData"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if err := t.aliveLocked(op); err != nil {
		return err
	}
	s.uiLocked()
	if len(t.staged)+len(data) > maxClipData || !s.chargePayloadLocked(len(data)) {
		return t.errorOf(op, "", win32.ERROR_NOT_ENOUGH_MEMORY, "CB-9")
	}
	t.staged = append(t.staged, data...)
	return nil
}

func (t *Thread) takeStagedLocked() []byte {
	data := t.staged
	t.process.session.dropStagedLocked(t)
	return data
}

func (s *Session) dropStagedLocked(t *Thread) {
	if s.ui != nil {
		s.ui.payload -= int64(len(t.staged))
	}
	t.staged = nil
}

// newCallLocked makes a sent message for a window.
func (s *Session) newCallLocked(from *Thread, r *userRecord, m Message, data []byte) *call {
	s.ui.nextCall++
	to := s.ui.threads[r.thread]
	m.Time = s.engine.ticks()
	return &call{id: s.ui.nextCall, kind: CallWindow, to: to.queue, msg: m, data: data, proc: r.proc, sender: from, ismex: win32.ISMEX_SEND, direct: to == from}
}

// targetLocked does the checks of MSG-3 for a message to a window, in their
// order. A nil thread is a window of the system's, which takes everything and
// answers 0.
func (t *Thread) targetLocked(op string, h win32.HWND, msg uint32) (*userRecord, *Thread, error) {
	s := t.process.session
	r, err := t.windowLocked(op, h, useWrite, "MSG-7")
	if err != nil {
		return nil, nil, err
	}
	if err := t.needDesktopLocked(op, win32.DESKTOP_WRITEOBJECTS, "MSG-3"); err != nil {
		return nil, nil, err
	}
	to := s.ui.threads[r.thread]
	if to != nil && !t.process.maySendLocked(to.process, h, msg) {
		return nil, nil, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "UI-3", fmt.Sprintf("message 0x%x from lower integrity", msg))
	}
	return r, to, nil
}

func badMessage(msg uint32) bool { return msg > 0xFFFF }

func sendName(o *SendOptions) string {
	switch {
	case o.Mode == SendNotify:
		return "SendNotifyMessage"
	case o.Mode == SendCallback:
		return "SendMessageCallback"
	case o.Limited:
		return "SendMessageTimeout"
	}
	return "SendMessage"
}

// SendMessage sends a message to a window, or with HWND_BROADCAST to every
// top-level window of the desktop. While it waits for the result the thread
// runs what is sent to it; see Delivery. ctx ends the wait, not the message.
//
// Win32: SendMessage, SendMessageTimeout, SendNotifyMessage,
// SendMessageCallback. Rules: MSG-3 to MSG-8, MSG-10, MSG-23 to MSG-26, MSG-31.
func (t *Thread) SendMessage(ctx context.Context, o SendOptions) (Delivery, error) {
	op := sendName(&o)
	lockrank.AssertNoneHeld()
	s := t.process.session
	s.mu.Lock()
	w, err := t.sendLocked(op, &o)
	s.unlock()
	if err != nil || w == nil {
		return Delivery{Kind: DeliverDone, Result: 1}, err
	}
	return t.wait(ctx, w)
}

// sendLocked starts a send and gives what to wait for, nil for nothing.
func (t *Thread) sendLocked(op string, o *SendOptions) (*pendingOp, error) {
	ui, err := t.guiLocked(op)
	if err != nil {
		return nil, err
	}
	data := o.Data
	if o.Staged {
		data = t.takeStagedLocked()
	}
	if badMessage(o.Message) || o.Flags&^(win32.SMTO_BLOCK|win32.SMTO_ABORTIFHUNG|win32.SMTO_NOTIMEOUTIFNOTHUNG|win32.SMTO_ERRORONEXIT) != 0 {
		return nil, t.errorOf(op, fmt.Sprintf("message 0x%x", o.Message), win32.ERROR_INVALID_PARAMETER, "MSG-4")
	}
	if o.Message == win32.WM_COPYDATA && len(data) > maxCopyData {
		return nil, t.errorOf(op, fmt.Sprintf("%d bytes", len(data)), win32.ERROR_INVALID_PARAMETER, "MSG-31")
	}
	q := t.queueLocked()
	var list []win32.HWND
	if o.Window == win32.HWND_BROADCAST {
		if err := t.needDesktopLocked(op, win32.DESKTOP_WRITEOBJECTS, "MSG-3"); err != nil {
			return nil, err
		}
		if o.Mode != SendWait && carriesPointer(o.Message) {
			return nil, t.errorOf(op, fmt.Sprintf("message 0x%x", o.Message), win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
		}
		list = t.desktop.topLevelLocked()
		if o.Mode == SendWait {
			return t.sendEachLocked(op, o, list, data, nil)
		}
		for _, h := range list {
			if r := ui.table.get(h, userWindow); r != nil && t.process.maySendLocked(ui.threads[r.thread].process, h, o.Message) {
				t.sendAsyncLocked(r, h, o, data)
			}
		}
		return nil, nil
	}
	r, to, err := t.targetLocked(op, o.Window, o.Message)
	if err != nil {
		return nil, err
	}
	if o.Mode != SendWait && to != t && carriesPointer(o.Message) {
		return nil, t.errorOf(op, fmt.Sprintf("message 0x%x", o.Message), win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
	}
	if to == nil { // the desktop's own windows
		w, code := q.beginOp(false)
		if code != 0 {
			return nil, t.errorOf(op, "", code, "MSG-23")
		}
		q.complete(w, 0, nil, nil)
		return w, nil
	}
	if o.Mode != SendWait && to != t {
		if code := t.sendAsyncLocked(r, o.Window, o, data); code != 0 {
			return nil, t.errorOf(op, windowText(o.Window), code, "MSG-16")
		}
		return nil, nil
	}
	if o.Limited && o.Flags&win32.SMTO_ABORTIFHUNG != 0 && to != t && to.queue.hung() {
		return nil, t.errorOf(op, windowText(o.Window), win32.ERROR_TIMEOUT, "MSG-24")
	}
	w, code := q.beginOp(o.Limited && o.Flags&win32.SMTO_BLOCK != 0)
	if code == 0 {
		code = t.sendOneLocked(r, o, o.Window, data, func(result uint64, reply []byte, err error) {
			if err != nil {
				err = t.errorOf(op, windowText(o.Window), win32.Code(err), "MSG-26")
			}
			if o.Mode == SendCallback {
				t.callback(o, result)
			}
			q.complete(w, result, reply, err)
		})
		if code != 0 {
			q.endOp(w)
		}
	}
	if code != 0 {
		return nil, t.errorOf(op, windowText(o.Window), code, "MSG-23")
	}
	return w, nil
}

func (q *queue) hung() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.hungLocked(q.thread.process.engine.now())
}

// sendOneLocked puts a message that somebody waits for into the queue of a
// window's thread.
func (t *Thread) sendOneLocked(r *userRecord, o *SendOptions, h win32.HWND, data []byte, fin finishFunc) win32.Errno {
	s := t.process.session
	if !s.chargePayloadLocked(len(data)) {
		return win32.ERROR_NOT_ENOUGH_MEMORY
	}
	c := s.newCallLocked(t, r, Message{Window: h, Message: o.Message, WParam: o.WParam, LParam: o.LParam}, data)
	c.bytes, c.fin = int64(len(data)), fin
	if code := c.to.putLocked(c, c.direct); code != 0 {
		s.ui.payload -= c.bytes
		return code
	}
	if o.Limited && !c.direct {
		var again func() bool
		if o.Flags&win32.SMTO_NOTIMEOUTIFNOTHUNG != 0 {
			again = func() bool { return !c.to.hung() }
		}
		c.limit(time.Duration(max(o.Timeout, 1))*time.Millisecond, win32.ERROR_TIMEOUT, again)
	}
	return 0
}

// sendAsyncLocked puts a message that nobody waits for into the queue of a
// window's thread.
func (t *Thread) sendAsyncLocked(r *userRecord, h win32.HWND, o *SendOptions, data []byte) win32.Errno {
	s := t.process.session
	c := s.newCallLocked(t, r, Message{Window: h, Message: o.Message, WParam: o.WParam, LParam: o.LParam}, data)
	c.direct = false
	c.ismex = win32.ISMEX_NOTIFY
	if o.Mode == SendCallback {
		c.ismex = win32.ISMEX_CALLBACK
		c.fin = func(result uint64, _ []byte, err error) {
			opts := *o
			opts.Window = h
			if err == nil {
				t.callback(&opts, result)
			}
		}
	}
	return c.to.putLocked(c, false)
}

// callback lets the sender run its SendMessageCallback procedure. The caller
// holds no lock.
func (t *Thread) callback(o *SendOptions, result uint64) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	s.ui.nextCall++
	c := &call{id: s.ui.nextCall, kind: CallCallback, to: t.queue, proc: o.Callback, state: callReady,
		msg: Message{Window: o.Window, Message: o.Message, WParam: o.CallbackData, LParam: result, Time: s.engine.ticks()}}
	t.queue.putLocked(c, false)
}

// sendEachLocked sends a message to one window after another and waits for
// each. Windows that have gone meanwhile and those of higher integrity are left
// out; each may take the full time (MSG-24). look sees every result and may
// end it.
func (t *Thread) sendEachLocked(op string, o *SendOptions, list []win32.HWND, data []byte, look func(result uint64) (stop bool)) (*pendingOp, error) {
	s, q := t.process.session, t.queue
	w, code := q.beginOp(o.Limited && o.Flags&win32.SMTO_BLOCK != 0)
	if code != 0 {
		return nil, t.errorOf(op, "", code, "MSG-10")
	}
	var next func(i int)
	next = func(i int) {
		s.mu.AssertHeld()
		for ; i < len(list) && t.aliveLocked(op) == nil; i++ {
			h := list[i]
			r := s.ui.table.get(h, userWindow)
			if r == nil || r.flags&windowSystem != 0 {
				continue
			}
			to := s.ui.threads[r.thread]
			if !t.process.maySendLocked(to.process, h, o.Message) || o.Flags&win32.SMTO_ABORTIFHUNG != 0 && to != t && to.queue.hung() {
				continue
			}
			code := t.sendOneLocked(r, o, h, data, func(result uint64, _ []byte, err error) {
				if err == nil && look != nil && look(result) {
					q.complete(w, 0, nil, nil)
					return
				}
				s.mu.Lock()
				defer s.unlock()
				next(i + 1)
			})
			if code == 0 {
				return
			}
		}
		q.complete(w, 1, nil, nil)
	}
	next(0)
	return w, nil
}

// PostMessage posts a message to a window, with 0 to the calling thread, with
// HWND_BROADCAST to every top-level window of the desktop.
//
// Win32: PostMessage. Rules: MSG-3 to MSG-8, MSG-10, MSG-15, MSG-16.
func (t *Thread) PostMessage(h win32.HWND, msg uint32, wParam, lParam uint64) error {
	const op = "PostMessage"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return err
	}
	if badMessage(msg) {
		return t.errorOf(op, fmt.Sprintf("message 0x%x", msg), win32.ERROR_INVALID_PARAMETER, "MSG-4")
	}
	m := Message{Window: h, Message: msg, WParam: wParam, LParam: lParam}
	switch h {
	case 0:
		if code := t.queueLocked().postLocked(m); code != 0 {
			return t.errorOf(op, "", code, "MSG-16")
		}
		return nil
	case win32.HWND_BROADCAST:
		if err := t.needDesktopLocked(op, win32.DESKTOP_WRITEOBJECTS, "MSG-3"); err != nil {
			return err
		}
		if carriesPointer(msg) {
			return t.errorOf(op, fmt.Sprintf("message 0x%x", msg), win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
		}
		for _, h := range t.desktop.topLevelLocked() {
			m.Window = h
			to := ui.threads[ui.table.get(h, userWindow).thread]
			if t.process.maySendLocked(to.process, h, msg) {
				to.queue.postLocked(m)
			}
		}
		return nil
	}
	_, to, err := t.targetLocked(op, h, msg)
	switch {
	case err != nil:
		return err
	case to == nil:
		return nil
	case to != t && carriesPointer(msg):
		return t.errorOf(op, fmt.Sprintf("message 0x%x", msg), win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
	}
	if code := to.queue.postLocked(m); code != 0 {
		return t.errorOf(op, windowText(h), code, "MSG-16")
	}
	return nil
}

// PostThreadMessage posts a message to a thread that has a queue. On another
// desktop of the session that takes the same logon session and SeTcbPrivilege.
//
// Win32: PostThreadMessage. Rules: MSG-9, MSG-14, MSG-16, UI-2.
func (t *Thread) PostThreadMessage(thread, msg uint32, wParam, lParam uint64) error {
	const op = "PostThreadMessage"
	to := t.process.engine.thread(thread)
	name := fmt.Sprintf("thread 0x%x", thread)
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.guiLocked(op); err != nil {
		return err
	}
	if badMessage(msg) {
		return t.errorOf(op, fmt.Sprintf("message 0x%x", msg), win32.ERROR_INVALID_PARAMETER, "MSG-4")
	}
	if to == t {
		t.queueLocked()
	}
	switch {
	case to == nil:
		return t.errorOf(op, name, win32.ERROR_INVALID_THREAD_ID, "MSG-14")
	case to.process.session != s:
		return t.Refuse(op, name, win32.ERROR_INVALID_THREAD_ID, "MSG-9", "the thread is in another session")
	case to.queue == nil:
		return t.errorOf(op, name, win32.ERROR_INVALID_THREAD_ID, "MSG-14")
	case to.desktop != t.desktop:
		mine := t.process.Token()
		if mine.LogonID() != to.process.Token().LogonID() || !mine.HasPrivilege(security.SeTcbPrivilege) {
			return t.Refuse(op, name, win32.ERROR_INVALID_THREAD_ID, "MSG-9", "the thread is on another desktop")
		}
	}
	if to != t {
		if err := t.needDesktopLocked(op, win32.DESKTOP_WRITEOBJECTS, "MSG-3"); err != nil {
			return err
		}
	}
	if !t.process.maySendLocked(to.process, 0, msg) {
		return t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "UI-3", fmt.Sprintf("message 0x%x from lower integrity", msg))
	}
	if to != t && carriesPointer(msg) {
		return t.errorOf(op, fmt.Sprintf("message 0x%x", msg), win32.ERROR_MESSAGE_SYNC_ONLY, "MSG-6")
	}
	if code := to.queue.postLocked(Message{Message: msg, WParam: wParam, LParam: lParam}); code != 0 {
		return t.errorOf(op, name, code, "MSG-16")
	}
	return nil
}

// PostQuitMessage makes the thread's next retrieval with no posted message
// left give WM_QUIT.
//
// Win32: PostQuitMessage. Rules: MSG-18.
func (t *Thread) PostQuitMessage(code uint64) error {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.guiLocked("PostQuitMessage"); err != nil {
		return err
	}
	q := t.queueLocked()
	q.mu.Lock()
	defer q.mu.Unlock()
	had := q.workLocked()
	q.quit, q.quitCode = true, code
	q.cameLocked(win32.QS_POSTMESSAGE, had)
	return nil
}

// retrieval checks a filter (MSG-20).
func (t *Thread) retrieval(op string, f *filter) error {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked(op)
	if err != nil {
		return err
	}
	t.queueLocked()
	if f.window != 0 && f.window != win32.ThreadMessages {
		if r := ui.table.get(f.window, userWindow); r == nil || r.thread != t.id {
			return t.errorOf(op, windowText(f.window), win32.ERROR_INVALID_WINDOW_HANDLE, "MSG-20")
		}
	}
	return nil
}

// GetMessage retrieves the next message that fits, or gives a procedure to be
// run first; see Delivery. WM_QUIT is a message like any other here.
//
// Win32: GetMessage. Rules: MSG-17 to MSG-20, MSG-23.
func (t *Thread) GetMessage(ctx context.Context, window win32.HWND, min, max uint32) (Delivery, error) {
	f := &filter{window: window, min: min, max: max, remove: true}
	if err := t.retrieval("GetMessage", f); err != nil {
		return Delivery{}, err
	}
	return t.pump(ctx, nil, f, false)
}

// PeekMessage is GetMessage that does not wait: DeliverNone says that there is
// nothing. flags are PM_*.
//
// Win32: PeekMessage. Rules: MSG-17 to MSG-20, MSG-23.
func (t *Thread) PeekMessage(ctx context.Context, window win32.HWND, min, max, flags uint32) (Delivery, error) {
	f := &filter{window: window, min: min, max: max, remove: flags&win32.PM_REMOVE != 0, qs: flags >> 16}
	if err := t.retrieval("PeekMessage", f); err != nil {
		return Delivery{}, err
	}
	return t.pump(ctx, nil, f, true)
}

// Continue goes on with a call that gave a procedure to be run.
func (t *Thread) Continue(ctx context.Context, op uint64) (Delivery, error) {
	var w *pendingOp
	s := t.process.session
	s.mu.Lock()
	q := t.queue
	s.unlock()
	if q != nil {
		q.mu.Lock()
		w = q.ops[op]
		q.mu.Unlock()
	}
	if w == nil {
		return Delivery{}, t.errorOf("Continue", fmt.Sprint(op), win32.ERROR_INVALID_PARAMETER, "MSG-23")
	}
	return t.wait(ctx, w)
}

// AnswerCall gives the result of a procedure that the thread ran, and what is
// to be copied to the sender, such as the text of WM_GETTEXT.
func (t *Thread) AnswerCall(id, result uint64, data []byte) error {
	s := t.process.session
	s.mu.Lock()
	q := t.queue
	if q == nil {
		s.unlock()
		return t.errorOf("AnswerCall", fmt.Sprint(id), win32.ERROR_INVALID_PARAMETER, "MSG-23")
	}
	var c *call
	q.mu.Lock()
	q.retrieved = s.engine.now()
	for i, x := range q.running {
		if x.id == id {
			c = x
			q.running = append(q.running[:i:i], q.running[i+1:]...)
			break
		}
	}
	q.mu.Unlock()
	if c == nil {
		s.unlock()
		return t.errorOf("AnswerCall", fmt.Sprint(id), win32.ERROR_INVALID_PARAMETER, "MSG-23")
	}
	if c.kind == CallWindow {
		if run := s.hookRunLocked(t, win32.WH_CALLWNDPROCRET, win32.HC_ACTION, &c.msg); run != nil {
			run.fin = func(uint64, []byte, error) { c.finish(result, data, nil) }
			run.nextLocked(0)
			s.unlock()
			return nil
		}
	}
	s.unlock()
	c.finish(result, data, nil)
	return nil
}

// topSendLocked gives the message of another thread that the thread is running.
func (q *queue) topSendLocked() *call {
	if n := len(q.running); n > 0 {
		if c := q.running[n-1]; c.kind == CallWindow && c.sender != q.thread {
			return c
		}
	}
	return nil
}

// ReplyMessage lets the sender of the message that the thread runs go on. It
// reports false when the thread runs none of another thread.
//
// Win32: ReplyMessage. Rules: MSG-27.
func (t *Thread) ReplyMessage(result uint64) bool {
	s := t.process.session
	s.mu.Lock()
	q := t.queue
	s.unlock()
	if q == nil {
		return false
	}
	q.mu.Lock()
	c := q.topSendLocked()
	if c != nil {
		c.replied = true
	}
	q.mu.Unlock()
	if c == nil {
		return false
	}
	c.finish(result, nil, nil)
	return true
}

// InSendMessage gives how the message came that the thread runs: ISMEX bits.
//
// Win32: InSendMessageEx. Rules: MSG-27.
func (t *Thread) InSendMessage() uint32 {
	s := t.process.session
	s.mu.Lock()
	q := t.queue
	s.unlock()
	if q == nil {
		return win32.ISMEX_NOSEND
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.topSendLocked()
	if c == nil {
		return win32.ISMEX_NOSEND
	}
	bits := c.ismex
	if c.replied {
		bits |= win32.ISMEX_REPLIED
	}
	return bits
}

// QueueStatus gives which kinds of messages are there, in the high word, and
// which came since it was last asked, in the low one.
//
// Win32: GetQueueStatus. Rules: MSG-21.
func (t *Thread) QueueStatus(flags uint32) (uint32, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	if _, err := t.guiLocked("GetQueueStatus"); err != nil {
		return 0, err
	}
	q := t.queueLocked()
	q.mu.Lock()
	defer q.mu.Unlock()
	var now uint32
	for _, b := range []struct {
		on   bool
		bits uint32
	}{
		{len(q.sent) > 0, win32.QS_SENDMESSAGE},
		{q.posted.len() > 0 || q.quit, win32.QS_POSTMESSAGE | win32.QS_ALLPOSTMESSAGE},
		{len(q.fired) > 0, win32.QS_TIMER},
		{len(q.paints) > 0, win32.QS_PAINT},
	} {
		if b.on {
			now |= b.bits
		}
	}
	fresh := q.fresh & now & flags
	q.fresh &^= flags
	return (now&flags)<<16 | fresh, nil
}

// IsHung reports whether the thread of a window lets messages wait.
//
// Win32: IsHungAppWindow. Rules: MSG-25.
func (t *Thread) IsHung(h win32.HWND) (bool, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	ui, err := t.guiLocked("IsHungAppWindow")
	if err != nil {
		return false, err
	}
	r, err := t.windowLocked("IsHungAppWindow", h, useQuery, "WN-4")
	if err != nil {
		return false, err
	}
	to := ui.threads[r.thread]
	return to != nil && to.queue.hung(), nil
}
