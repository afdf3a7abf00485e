// SPDX-License-Identifier: Apache-2.0

// Package user is the window side of a program: classes with procedures,
// windows, messages, hooks and the clipboard, over one connection. A
// connection is a thread, and so is a Thread here: it belongs to one goroutine,
// and procedures run on that goroutine, while it retrieves messages or waits
// for the answer to one it sent.
//
// It imports client and win32 only.
package user

import (
	"context"
	"errors"

	"stationmaster/client"
	"stationmaster/win32"
)

// stageSize is how much data one request carries at most.
const stageSize = 512 << 10

// Message is one message.
type Message struct {
	Window  win32.HWND
	Message uint32
	WParam  uint64
	LParam  uint64
	Time    uint32 // milliseconds, wrapping
	Data    []byte // what a pointer of a system message leads to: the text of WM_SETTEXT, the bytes of WM_COPYDATA
}

// WindowProc is a window procedure. A procedure that does not know a message
// gives it to DefWindowProc. data goes back to the sender, as the text of
// WM_GETTEXT does.
type WindowProc func(t *Thread, m Message) (result uint64, data []byte)

// HookProc is a hook procedure; it calls Next for the other hooks to see the
// event too.
type HookProc func(t *Thread, kind, code int32, m Message) uint64

// CallbackProc gets the result of a message that was sent without waiting.
type CallbackProc func(t *Thread, m Message, data, result uint64)

// Thread is a thread with windows.
type Thread struct {
	c         *client.Conn
	last      uint64 // number given to a procedure last
	windows   map[uint64]WindowProc
	hooks     map[uint64]HookProc
	hookNames map[win32.HWND]uint64
	callbacks map[uint64]CallbackProc
}

// New makes a connection a thread with windows. The connection stays the
// caller's; nothing else may retrieve messages on it.
func New(c *client.Conn) *Thread {
	return &Thread{c: c, windows: map[uint64]WindowProc{}, hooks: map[uint64]HookProc{}, hookNames: map[win32.HWND]uint64{}, callbacks: map[uint64]CallbackProc{}}
}

// Conn gives the connection, for the calls that have no face here.
func (t *Thread) Conn() *client.Conn { return t.c }

// ID gives the thread's number.
func (t *Thread) ID() uint32 { return t.c.Hello().ThreadID }

// RegisterClass registers a window class.
//
// Win32: RegisterClassEx. Rules: WN-10.
func (t *Thread) RegisterClass(ctx context.Context, name string, proc WindowProc) error {
	t.last++
	_, err := t.c.RegisterClass(ctx, client.RegisterClassRequest{Name: name, Procedure: t.last})
	if err == nil {
		t.windows[t.last] = proc
	}
	return err
}

// CreateWindow makes a window and gives its handle, 0 when its own procedure
// or a hook refused it.
//
// Win32: CreateWindowEx. Rules: WN-3, WN-6, WN-8.
func (t *Thread) CreateWindow(ctx context.Context, q client.CreateWindowRequest) (win32.HWND, error) {
	d, err := t.run(ctx, func() (client.DeliveryReply, error) { return t.c.CreateWindow(ctx, q) })
	return win32.HWND(d.Result), err
}

// DestroyWindow destroys a window of the thread.
//
// Win32: DestroyWindow. Rules: MSG-26, CB-11.
func (t *Thread) DestroyWindow(ctx context.Context, h win32.HWND) error {
	_, err := t.run(ctx, func() (client.DeliveryReply, error) {
		return t.c.DestroyWindow(ctx, client.WindowRequest{Window: h})
	})
	return err
}

// SendMessage sends a message and waits for its result and data.
//
// Win32: SendMessage. Rules: MSG-7, MSG-23, MSG-31.
func (t *Thread) SendMessage(ctx context.Context, m Message) (uint64, []byte, error) {
	return t.Send(ctx, client.SendWindowMessageRequest{Window: m.Window, Message: m.Message, WParam: m.WParam, LParam: m.LParam, Data: m.Data})
}

// Send is SendMessage with all it can do: time-outs, notification.
//
// Win32: SendMessageTimeout, SendNotifyMessage. Rules: MSG-24.
func (t *Thread) Send(ctx context.Context, q client.SendWindowMessageRequest) (uint64, []byte, error) {
	if len(q.Data) > stageSize {
		if err := t.stage(ctx, q.Data); err != nil {
			return 0, nil, err
		}
		q.Data, q.Staged = nil, true
	}
	d, err := t.run(ctx, func() (client.DeliveryReply, error) { return t.c.SendWindowMessage(ctx, q) })
	return d.Result, d.Data, err
}

// SendCallback sends a message and lets f have the result, while the thread
// retrieves messages.
//
// Win32: SendMessageCallback. Rules: MSG-6, MSG-27.
func (t *Thread) SendCallback(ctx context.Context, m Message, data uint64, f CallbackProc) error {
	t.last++
	t.callbacks[t.last] = f
	_, _, err := t.Send(ctx, client.SendWindowMessageRequest{Window: m.Window, Message: m.Message, WParam: m.WParam, LParam: m.LParam, Mode: 2, Callback: t.last, CallbackData: data})
	if err != nil {
		delete(t.callbacks, t.last)
	}
	return err
}

// stage sends data that is too long for one request ahead.
func (t *Thread) stage(ctx context.Context, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), stageSize)
		if err := t.c.StageData(ctx, client.DataRequest{Data: data[:n]}); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// PostMessage posts a message.
//
// Win32: PostMessage. Rules: MSG-7, MSG-15, MSG-16.
func (t *Thread) PostMessage(ctx context.Context, h win32.HWND, msg uint32, wParam, lParam uint64) error {
	return t.c.PostMessage(ctx, client.PostMessageRequest{Window: h, Message: msg, WParam: wParam, LParam: lParam})
}

// GetMessage waits for the next message; ok is false for WM_QUIT. Procedures
// of windows and hooks run meanwhile.
//
// Win32: GetMessage. Rules: MSG-17, MSG-18, MSG-23.
func (t *Thread) GetMessage(ctx context.Context) (m Message, ok bool, err error) {
	d, err := t.run(ctx, func() (client.DeliveryReply, error) { return t.c.GetMessage(ctx, client.GetMessageRequest{}) })
	if err != nil {
		return Message{}, false, err
	}
	return message(d), d.Message.Message != win32.WM_QUIT, nil
}

// PeekMessage gives a message if one is there, and runs the procedures that
// wait. flags are PM_*.
//
// Win32: PeekMessage. Rules: MSG-17, MSG-20.
func (t *Thread) PeekMessage(ctx context.Context, h win32.HWND, min, max, flags uint32) (m Message, ok bool, err error) {
	d, err := t.run(ctx, func() (client.DeliveryReply, error) {
		return t.c.PeekMessage(ctx, client.GetMessageRequest{Window: h, Min: min, Max: max, Flags: flags})
	})
	return message(d), err == nil && d.Kind == deliverMessage, err
}

// DispatchMessage runs the procedure of the message's window. A message to the
// thread is left alone (MSG-15).
//
// Win32: DispatchMessage. Rules: MSG-15.
func (t *Thread) DispatchMessage(ctx context.Context, m Message) (uint64, error) {
	if m.Window == 0 {
		return 0, nil
	}
	info, err := t.c.GetWindowInfo(ctx, client.WindowRequest{Window: m.Window})
	if err != nil {
		return 0, err
	}
	r, _ := t.window(info.Procedure, m)
	return r, nil
}

// Loop retrieves and dispatches messages until WM_QUIT, and gives its code.
// A message to a window that has gone is dropped.
func (t *Thread) Loop(ctx context.Context) (code uint64, err error) {
	for {
		m, ok, err := t.GetMessage(ctx)
		if err != nil || !ok {
			return m.WParam, err
		}
		if _, err := t.DispatchMessage(ctx, m); err != nil && !errors.Is(err, win32.ERROR_INVALID_WINDOW_HANDLE) {
			return 0, err
		}
	}
}

// PostQuitMessage ends the thread's Loop.
//
// Win32: PostQuitMessage. Rules: MSG-18.
func (t *Thread) PostQuitMessage(ctx context.Context, code uint32) error {
	return t.c.PostQuitMessage(ctx, client.NumberRequest{Number: code})
}

// SetHook installs a hook for a thread, or for every thread of the desktop
// when thread is 0.
//
// Win32: SetWindowsHookEx. Rules: HK-4, HK-8.
func (t *Thread) SetHook(ctx context.Context, kind int32, thread uint32, proc HookProc) (win32.HWND, error) {
	t.last++
	t.hooks[t.last] = proc
	r, err := t.c.SetWindowsHook(ctx, client.SetHookRequest{Type: kind, Procedure: t.last, Module: true, ThreadID: thread})
	if err != nil {
		delete(t.hooks, t.last)
		return 0, err
	}
	t.hookNames[r.Window] = t.last
	return r.Window, nil
}

// Unhook removes a hook.
//
// Win32: UnhookWindowsHookEx. Rules: HK-6.
func (t *Thread) Unhook(ctx context.Context, h win32.HWND) error {
	err := t.c.UnhookWindowsHook(ctx, client.WindowRequest{Window: h})
	if err == nil {
		delete(t.hooks, t.hookNames[h])
		delete(t.hookNames, h)
	}
	return err
}

// Next lets the next hook see the event of the hook procedure that runs.
//
// Win32: CallNextHookEx. Rules: HK-5.
func (t *Thread) Next(ctx context.Context) (uint64, error) {
	d, err := t.run(ctx, func() (client.DeliveryReply, error) { return t.c.CallNextHook(ctx) })
	return d.Result, err
}

// EmptyClipboard drops the contents of the clipboard, which must be open.
//
// Win32: EmptyClipboard. Rules: CB-7.
func (t *Thread) EmptyClipboard(ctx context.Context) error {
	_, err := t.run(ctx, func() (client.DeliveryReply, error) { return t.c.EmptyClipboard(ctx) })
	return err
}

// SetClipboardData places data in a format; nil promises it.
//
// Win32: SetClipboardData. Rules: CB-8 to CB-10.
func (t *Thread) SetClipboardData(ctx context.Context, format uint32, data []byte) error {
	q := client.SetClipboardRequest{Format: format, Promise: data == nil, Data: data}
	if len(data) > stageSize {
		if err := t.stage(ctx, data); err != nil {
			return err
		}
		q.Data, q.Staged = nil, true
	}
	return t.c.SetClipboardData(ctx, q)
}

// ClipboardData gives the data of a format.
//
// Win32: GetClipboardData. Rules: CB-10, CB-18.
func (t *Thread) ClipboardData(ctx context.Context, format uint32) ([]byte, error) {
	var all []byte
	for {
		d, err := t.run(ctx, func() (client.DeliveryReply, error) {
			return t.c.GetClipboardData(ctx, client.GetClipboardRequest{Format: format, Offset: uint64(len(all))})
		})
		if err != nil {
			return nil, err
		}
		all = append(all, d.Data...)
		if uint64(len(all)) >= d.Result || len(d.Data) == 0 {
			return all, nil
		}
	}
}

// What a reply says is next (station.DeliveryKind, station.CallKind).
const (
	deliverMessage = 1
	deliverCall    = 2

	callHook     = 1
	callCallback = 2
)

// run makes a call and runs the procedures that it gives meanwhile.
func (t *Thread) run(ctx context.Context, call func() (client.DeliveryReply, error)) (client.DeliveryReply, error) {
	for {
		d, err := call()
		if err != nil || d.Kind != deliverCall {
			return d, err
		}
		r, data := t.procedure(d)
		if err := t.answer(ctx, d.CallID, r, data); err != nil {
			return d, err
		}
		if op := d.Op; op != 0 {
			call = func() (client.DeliveryReply, error) { return t.c.ContinueCall(ctx, client.ContinueRequest{Op: op}) }
		}
	}
}

// answer gives the result of a procedure. Data that is too long for one
// request is cut: nothing that programs answer with is that long.
func (t *Thread) answer(ctx context.Context, id, result uint64, data []byte) error {
	return t.c.AnswerCall(ctx, client.AnswerCallRequest{CallID: id, Result: result, Data: data[:min(len(data), stageSize)]})
}

func message(d client.DeliveryReply) Message {
	m := d.Message
	return Message{Window: m.Window, Message: m.Message, WParam: m.WParam, LParam: m.LParam, Time: m.Time, Data: d.Data}
}

// procedure runs what a delivery asks for. A program may have forgotten the
// procedure meanwhile; then the default counts.
func (t *Thread) procedure(d client.DeliveryReply) (uint64, []byte) {
	m := message(d)
	switch d.Call {
	case callHook:
		if f := t.hooks[d.Procedure]; f != nil {
			return f(t, d.HookType, d.Code, m), nil
		}
		return 0, nil
	case callCallback:
		if f := t.callbacks[d.Procedure]; f != nil {
			delete(t.callbacks, d.Procedure)
			f(t, m, m.WParam, m.LParam)
		}
		return 0, nil
	}
	return t.window(d.Procedure, m)
}

func (t *Thread) window(proc uint64, m Message) (uint64, []byte) {
	if f := t.windows[proc]; f != nil {
		return f(t, m)
	}
	return t.DefWindowProc(context.Background(), m)
}

// DefWindowProc does what a window does when its own procedure does nothing.
//
// Win32: DefWindowProc. Rules: MSG-30.
func (t *Thread) DefWindowProc(ctx context.Context, m Message) (uint64, []byte) {
	switch m.Message {
	case win32.WM_NCCREATE, win32.WM_QUERYENDSESSION:
		return 1, nil
	case win32.WM_CLOSE:
		_ = t.DestroyWindow(ctx, m.Window) // it fails only when the window has gone
	case win32.WM_SETTEXT:
		if t.c.SetWindowText(ctx, client.SetWindowTextRequest{Window: m.Window, Title: string(m.Data)}) == nil {
			return 1, nil
		}
	case win32.WM_GETTEXT, win32.WM_GETTEXTLENGTH:
		info, err := t.c.GetWindowInfo(ctx, client.WindowRequest{Window: m.Window})
		if err != nil {
			return 0, nil
		}
		if m.Message == win32.WM_GETTEXT {
			return uint64(len(info.Title)), []byte(info.Title)
		}
		return uint64(len(info.Title)), nil
	case win32.WM_PAINT:
		_ = t.c.ValidateWindow(ctx, client.WindowRequest{Window: m.Window}) // likewise
	}
	return 0, nil
}
