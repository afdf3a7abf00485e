// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/win32"
)

// destroyTime is how long EmptyClipboard waits for the old owner to take
// WM_DESTROYCLIPBOARD.
const destroyTime = 5 * time.Second

// clipLocked gives the clipboard of the process's station (CB-3).
func (t *Thread) clipLocked(op string) (*WindowStation, *clipboard, error) {
	w, err := t.userStationLocked(op, win32.WINSTA_ACCESSCLIPBOARD, "CB-3")
	if err != nil {
		return nil, nil, err
	}
	t.process.session.uiLocked()
	return w, &w.clip, nil
}

// clipMineLocked fails with 1418 unless the clipboard was opened by the process.
func (t *Thread) clipMineLocked(op string, c *clipboard, rule string) error {
	if !c.open || c.thread.process != t.process {
		return t.errorOf(op, "", win32.ERROR_CLIPBOARD_NOT_OPEN, rule)
	}
	return nil
}

// clipWindowLocked checks a window of the station, on whatever desktop.
func (t *Thread) clipWindowLocked(op string, w *WindowStation, h win32.HWND) error {
	s := t.process.session
	if s.stationOfLocked(h) != w {
		return t.errorOf(op, windowText(h), win32.ERROR_INVALID_WINDOW_HANDLE, "CB-4")
	}
	return nil
}

// OpenClipboard opens the clipboard of the process's station for a window of
// it, 0 for none.
//
// Win32: OpenClipboard. Rules: CB-1, CB-3 to CB-5.
func (t *Thread) OpenClipboard(h win32.HWND) error {
	const op = "OpenClipboard"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	w, c, err := t.clipLocked(op)
	if err != nil {
		return err
	}
	if h != 0 {
		if err := t.clipWindowLocked(op, w, h); err != nil {
			return err
		}
	}
	if c.open && (c.window != h || h == 0 && c.thread.process != t.process) {
		return t.errorOf(op, "opened by another window", win32.ERROR_ACCESS_DENIED, "CB-4")
	}
	c.open, c.window, c.thread = true, h, t
	t.clip = c
	return nil
}

// CloseClipboard closes the clipboard.
//
// Win32: CloseClipboard. Rules: CB-6, CB-14, CB-15, CB-18.
func (t *Thread) CloseClipboard() error {
	const op = "CloseClipboard"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	_, c, err := t.clipLocked(op)
	if err == nil {
		err = t.clipMineLocked(op, c, "CB-6")
	}
	if err == nil {
		c.closeLocked(s)
	}
	return err
}

// EmptyClipboard drops the contents and makes the window that opened the
// clipboard its owner. The old owner is sent WM_DESTROYCLIPBOARD before.
//
// Win32: EmptyClipboard. Rules: CB-6, CB-7, CB-13.
func (t *Thread) EmptyClipboard(ctx context.Context) (Delivery, error) {
	const op = "EmptyClipboard"
	lockrank.AssertNoneHeld()
	s := t.process.session
	s.mu.Lock()
	w, err := func() (*pendingOp, error) {
		_, c, err := t.clipLocked(op)
		if err != nil {
			return nil, err
		}
		if !c.open || c.thread != t {
			return nil, t.errorOf(op, "", win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-7")
		}
		p, code := t.queueLocked().beginOp(false)
		if code != 0 {
			return nil, t.errorOf(op, "", code, "MSG-23")
		}
		empty := func() {
			if c.open && c.thread == t {
				c.dropLocked(s, func(*clipFormat) bool { return true })
				c.owner = c.window
				c.sequence++
				c.changed = true
			}
			t.queue.complete(p, 1, nil, nil)
		}
		r := s.ui.table.get(c.owner, userWindow)
		if r == nil || r.thread == 0 {
			empty()
			return p, nil
		}
		m := s.newCallLocked(t, r, Message{Window: c.owner, Message: win32.WM_DESTROYCLIPBOARD}, nil)
		m.fin = func(uint64, []byte, error) {
			s.mu.Lock()
			defer s.unlock()
			empty()
		}
		if m.to.putLocked(m, m.direct) != 0 {
			empty()
		} else if !m.direct {
			m.limit(destroyTime, win32.ERROR_TIMEOUT, nil)
		}
		return p, nil
	}()
	s.unlock()
	if err != nil {
		return Delivery{Kind: DeliverDone}, err
	}
	return t.wait(ctx, w)
}

// renderingLocked reports whether the thread answers WM_RENDERFORMAT now.
func (t *Thread) renderingLocked() bool {
	if t.queue == nil {
		return false
	}
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	return slices.ContainsFunc(t.queue.running, func(c *call) bool {
		return c.kind == CallWindow && (c.msg.Message == win32.WM_RENDERFORMAT || c.msg.Message == win32.WM_RENDERALLFORMATS)
	})
}

// SetClipboardData places data in a format; promise says that the owner will
// render it when somebody asks. With staged the data is what StageData
// collected.
//
// Win32: SetClipboardData. Rules: CB-6, CB-8 to CB-10, CB-13.
func (t *Thread) SetClipboardData(format uint32, data []byte, promise, staged bool) error {
	const op = "SetClipboardData"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	_, c, err := t.clipLocked(op)
	if err != nil {
		return err
	}
	if staged {
		data = t.takeStagedLocked()
	}
	owned := false
	if r := s.ui.table.get(c.owner, userWindow); r != nil && r.thread != 0 {
		owned = s.ui.threads[r.thread].process == t.process
	}
	rendering := owned && t.renderingLocked()
	if !rendering && (!c.open || c.window != c.owner || c.thread.process != t.process) || format == 0 {
		return t.errorOf(op, fmt.Sprintf("format %d", format), win32.ERROR_CLIPBOARD_NOT_OPEN, "CB-8")
	}
	f := c.find(format)
	switch {
	case len(data) > maxClipData, f == nil && len(c.formats) >= maxClipFormats:
		return t.errorOf(op, fmt.Sprintf("format %d", format), win32.ERROR_NOT_ENOUGH_MEMORY, "CB-9")
	case !promise && !s.chargePayloadLocked(len(data)):
		return t.errorOf(op, fmt.Sprintf("format %d", format), win32.ERROR_NOT_ENOUGH_MEMORY, "CB-9")
	}
	if f == nil {
		f = &clipFormat{format: format}
		c.formats = append(c.formats, f)
	}
	s.ui.payload -= int64(len(f.data))
	f.data, f.promised, f.from = nil, promise, 0
	if !promise {
		f.data = slices.Clone(data)
		c.sequence++
	}
	if c.open && c.thread.process == t.process && !rendering {
		c.changed = true
	}
	return nil
}

// ClipboardData gives the data of a format, from offset on and as much as one
// answer holds; Delivery.Op 0 and Result is the whole length. What was promised
// is rendered by the owner first.
//
// Win32: GetClipboardData. Rules: CB-6, CB-10, CB-18.
func (t *Thread) ClipboardData(ctx context.Context, format uint32, offset uint64) (Delivery, error) {
	lockrank.AssertNoneHeld()
	s := t.process.session
	s.mu.Lock()
	p, err := t.clipDataLocked(format, offset)
	s.unlock()
	if err != nil {
		return Delivery{Kind: DeliverDone}, err
	}
	return t.wait(ctx, p)
}

func (t *Thread) clipDataLocked(format uint32, offset uint64) (*pendingOp, error) {
	const op = "GetClipboardData"
	s := t.process.session
	_, c, err := t.clipLocked(op)
	if err == nil {
		err = t.clipMineLocked(op, c, "CB-6")
	}
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("format %d", format)
	f := c.find(format)
	if f == nil {
		return nil, t.errorOf(op, name, win32.ERROR_NOT_FOUND, "CB-10")
	}
	source := f
	if f.from != 0 {
		if source = c.find(f.from); source == nil {
			return nil, t.errorOf(op, name, win32.ERROR_NOT_FOUND, "CB-18")
		}
	}
	p, code := t.queueLocked().beginOp(false)
	if code != 0 {
		return nil, t.errorOf(op, name, code, "MSG-23")
	}
	give := func() {
		src := c.find(source.format)
		if src == nil || src.promised {
			t.queue.complete(p, 0, nil, t.errorOf(op, name, win32.ERROR_NOT_FOUND, "CB-10"))
			return
		}
		data := src.data
		if f.from != 0 {
			data = convert(data, f.from, format)
		}
		whole := uint64(len(data))
		data = data[min(offset, whole):]
		t.queue.complete(p, whole, data[:min(len(data), clipReply)], nil)
	}
	if !source.promised || f.format == win32.CF_LOCALE && f.from != 0 {
		if f.from != 0 && f.format == win32.CF_LOCALE {
			t.queue.complete(p, 4, convert(nil, 0, win32.CF_LOCALE), nil)
		} else {
			give()
		}
		return p, nil
	}
	r := s.ui.table.get(c.owner, userWindow)
	if r == nil || r.thread == 0 { // nobody will render it (CB-8)
		give()
		return p, nil
	}
	m := s.newCallLocked(t, r, Message{Window: c.owner, Message: win32.WM_RENDERFORMAT, WParam: uint64(source.format)}, nil)
	m.fin = func(_ uint64, _ []byte, err error) {
		s.mu.Lock()
		defer s.unlock()
		if win32.Code(err) == win32.ERROR_TIMEOUT {
			t.queue.complete(p, 0, nil, t.errorOf(op, name, win32.ERROR_TIMEOUT, "CB-10"))
			return
		}
		give()
	}
	if m.to.putLocked(m, m.direct) != 0 {
		give()
	} else if !m.direct {
		m.limit(pointerTimeout, win32.ERROR_TIMEOUT, nil)
	}
	return p, nil
}

// ClipboardFormats lists the formats there are, in order. The clipboard must
// be open.
//
// Win32: EnumClipboardFormats. Rules: CB-6, CB-18, CB-19.
func (t *Thread) ClipboardFormats() ([]uint32, error) {
	const op = "EnumClipboardFormats"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	_, c, err := t.clipLocked(op)
	if err == nil {
		err = t.clipMineLocked(op, c, "CB-6")
	}
	if err != nil {
		return nil, err
	}
	return c.list(), nil
}

func (c *clipboard) list() []uint32 {
	out := make([]uint32, len(c.formats))
	for i, f := range c.formats {
		out[i] = f.format
	}
	return out
}

// ClipboardState is what can be asked of a clipboard that is not open.
type ClipboardState struct {
	Sequence uint32
	Owner    win32.HWND
	Opener   win32.HWND
	Viewer   win32.HWND
	Formats  []uint32
}

// Clipboard gives the state of the clipboard.
//
// Win32: GetClipboardSequenceNumber, GetClipboardOwner, GetOpenClipboardWindow,
// GetClipboardViewer, CountClipboardFormats, IsClipboardFormatAvailable. Rules:
// CB-3, CB-13, CB-19.
func (t *Thread) Clipboard() (ClipboardState, error) {
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	_, c, err := t.clipLocked("GetClipboardState")
	if err != nil {
		return ClipboardState{}, err
	}
	return ClipboardState{Sequence: c.sequence, Owner: c.owner, Opener: c.window, Viewer: c.viewer, Formats: c.list()}, nil
}

// ListenClipboard makes a window a listener that gets WM_CLIPBOARDUPDATE, or
// ends that.
//
// Win32: AddClipboardFormatListener, RemoveClipboardFormatListener. Rules: CB-14.
func (t *Thread) ListenClipboard(h win32.HWND, on bool) error {
	op := "AddClipboardFormatListener"
	if !on {
		op = "RemoveClipboardFormatListener"
	}
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	_, c, err := t.clipOwnWindowLocked(op, h)
	if err != nil {
		return err
	}
	there := slices.Contains(c.listeners, h)
	switch {
	case there == on:
		return t.errorOf(op, windowText(h), win32.ERROR_INVALID_PARAMETER, "CB-14")
	case on && len(c.listeners) >= maxListeners:
		return t.errorOf(op, windowText(h), win32.ERROR_NOT_ENOUGH_MEMORY, "CB-14")
	case on:
		c.listeners = append(c.listeners, h)
	default:
		c.listeners = slices.DeleteFunc(c.listeners, func(x win32.HWND) bool { return x == h })
	}
	return nil
}

// clipOwnWindowLocked gives the clipboard for a window of the calling process.
func (t *Thread) clipOwnWindowLocked(op string, h win32.HWND) (*WindowStation, *clipboard, error) {
	w, c, err := t.clipLocked(op)
	if err == nil {
		err = t.clipWindowLocked(op, w, h)
	}
	if err != nil {
		return nil, nil, err
	}
	s := t.process.session
	if r := s.ui.table.get(h, userWindow); r.thread == 0 || s.ui.threads[r.thread].process != t.process {
		return nil, nil, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "CB-14", "the window belongs to another process")
	}
	return w, c, nil
}

// SetClipboardViewer puts a window of the process at the head of the chain of
// viewers and gives the one that was there; 0 for none. The new one is sent
// WM_DRAWCLIPBOARD.
//
// Win32: SetClipboardViewer. Rules: CB-15.
func (t *Thread) SetClipboardViewer(h win32.HWND) (win32.HWND, error) {
	const op = "SetClipboardViewer"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	_, c, err := t.clipOwnWindowLocked(op, h)
	if err != nil {
		return 0, err
	}
	old := c.viewer
	c.viewer = h
	s.systemSendLocked(h, win32.WM_DRAWCLIPBOARD, 0, 0)
	return old, nil
}

// ChangeClipboardChain takes a window of the process out of the chain of
// viewers: of its head here, of others by WM_CHANGECBCHAIN to the head.
//
// Win32: ChangeClipboardChain. Rules: CB-15.
func (t *Thread) ChangeClipboardChain(h, next win32.HWND) error {
	const op = "ChangeClipboardChain"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	w, c, err := t.clipOwnWindowLocked(op, h)
	if err != nil {
		return err
	}
	if c.viewer != h {
		s.systemSendLocked(c.viewer, win32.WM_CHANGECBCHAIN, uint64(h), uint64(next))
		return nil
	}
	if next != 0 && t.clipWindowLocked(op, w, next) != nil {
		next = 0
	}
	c.viewer = next
	return nil
}
