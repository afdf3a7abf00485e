// SPDX-License-Identifier: Apache-2.0

package station

import (
	"encoding/binary"
	"slices"
	"unicode/utf16"

	"stationmaster/win32"
)

const (
	maxClipData    = 64 << 20 // of one format (CB-9)
	maxClipFormats = 4096
	maxListeners   = 4096
	clipReply      = 32 << 20 // given in one answer
	ansiLocale     = 0x0409   // CF_LOCALE of what is synthesised
)

// clipboard is what the programs of one window station exchange by copy and
// paste (CB-1, CB-2). Guarded by the session's mu.
type clipboard struct {
	open      bool
	window    win32.HWND // given to OpenClipboard
	thread    *Thread    // who opened it last
	owner     win32.HWND
	viewer    win32.HWND // head of the viewer chain
	listeners []win32.HWND
	sequence  uint32
	formats   []*clipFormat // in the order they were placed
	changed   bool          // since it was opened
}

// clipFormat is one representation of what was copied.
type clipFormat struct {
	format   uint32
	data     []byte
	promised bool   // the owner renders it when somebody asks (CB-10)
	from     uint32 // synthesised from this format (CB-18); 0: placed
}

func (c *clipboard) find(format uint32) *clipFormat {
	for _, f := range c.formats {
		if f.format == format {
			return f
		}
	}
	return nil
}

// dropLocked forgets formats.
func (c *clipboard) dropLocked(s *Session, which func(*clipFormat) bool) (n int) {
	c.formats = slices.DeleteFunc(c.formats, func(f *clipFormat) bool {
		if !which(f) {
			return false
		}
		n++
		s.uiLocked().payload -= int64(len(f.data))
		return true
	})
	return n
}

// clearLocked empties a clipboard without telling anybody (WS-44, CB-20).
func (c *clipboard) clearLocked(s *Session) {
	if c.dropLocked(s, func(*clipFormat) bool { return true }) > 0 {
		c.sequence++
	}
	c.open, c.window, c.thread, c.owner = false, 0, nil, 0
}

// closeLocked closes an open clipboard: formats that follow from others are
// added and those who watch are told (CB-14, CB-15, CB-18).
func (c *clipboard) closeLocked(s *Session) {
	c.open, c.window, c.thread = false, 0, nil
	if !c.changed {
		return
	}
	c.changed = false
	c.synthesise()
	c.tellLocked(s)
}

// synthesise adds the text formats that follow from those there are.
func (c *clipboard) synthesise() {
	var source uint32
	for _, f := range c.formats {
		switch f.format {
		case win32.CF_TEXT, win32.CF_OEMTEXT, win32.CF_UNICODETEXT:
			if source == 0 || f.format == win32.CF_UNICODETEXT {
				source = f.format
			}
		}
	}
	if source == 0 {
		return
	}
	for _, format := range []uint32{win32.CF_LOCALE, win32.CF_TEXT, win32.CF_OEMTEXT, win32.CF_UNICODETEXT} {
		if c.find(format) == nil {
			c.formats = append(c.formats, &clipFormat{format: format, from: source})
		}
	}
}

// tellLocked tells listeners and the viewer that the contents changed. That is
// the system's word and crosses desktops (CB-14).
func (c *clipboard) tellLocked(s *Session) {
	for _, h := range c.listeners {
		if r := s.ui.table.get(h, userWindow); r != nil {
			s.ui.threads[r.thread].queue.postLocked(Message{Window: h, Message: win32.WM_CLIPBOARDUPDATE})
		}
	}
	s.systemSendLocked(c.viewer, win32.WM_DRAWCLIPBOARD, 0, 0)
}

// systemSendLocked sends a message for the engine, which waits for nothing.
func (s *Session) systemSendLocked(h win32.HWND, msg uint32, wParam, lParam uint64) {
	if r := s.ui.table.get(h, userWindow); r != nil && r.thread != 0 {
		c := s.newCallLocked(nil, r, Message{Window: h, Message: msg, WParam: wParam, LParam: lParam}, nil)
		c.ismex = win32.ISMEX_NOTIFY
		c.to.putLocked(c, false)
	}
}

// forgetWindow drops a window that goes; its data stays (CB-12).
func (c *clipboard) forgetWindow(s *Session, h win32.HWND) {
	if c.owner == h && h != 0 {
		c.ownerGoneLocked(s)
	}
	if c.viewer == h {
		c.viewer = 0
	}
	if c.window == h && h != 0 {
		c.window = 0
	}
	c.listeners = slices.DeleteFunc(c.listeners, func(x win32.HWND) bool { return x == h })
}

// forgetThread closes the clipboard for a thread that ends (CB-5).
func (c *clipboard) forgetThread(t *Thread) {
	if c.open && c.thread == t {
		c.closeLocked(t.process.session)
	}
}

// ownerGoneLocked takes away what the owner promised and will not render any
// more (CB-11).
func (c *clipboard) ownerGoneLocked(s *Session) {
	c.owner = 0
	lost := func(f *clipFormat) bool { return f.promised }
	gone := make(map[uint32]bool)
	for _, f := range c.formats {
		if f.promised {
			gone[f.format] = true
		}
	}
	if c.dropLocked(s, lost) == 0 {
		return
	}
	c.dropLocked(s, func(f *clipFormat) bool { return f.from != 0 && gone[f.from] })
	c.sequence++
	c.tellLocked(s)
}

// stationOfLocked gives the station whose desktop a window is on.
func (s *Session) stationOfLocked(h win32.HWND) *WindowStation {
	if s.ui == nil {
		return nil
	}
	r := s.ui.table.get(h, userWindow)
	if r == nil {
		return nil
	}
	d := s.ui.desktops[r.desktop]
	if d == nil {
		return nil
	}
	return d.station
}

// clipboardPromisesLocked reports whether a window owns a clipboard with
// formats that it has still to render.
func (s *Session) clipboardPromisesLocked(h win32.HWND) bool {
	w := s.stationOfLocked(h)
	return w != nil && w.clip.owner == h && slices.ContainsFunc(w.clip.formats, func(f *clipFormat) bool { return f.promised })
}

// clipboardOwnerGoneLocked ends a window's ownership of its clipboard.
func (s *Session) clipboardOwnerGoneLocked(h win32.HWND) {
	if w := s.stationOfLocked(h); w != nil && w.clip.owner == h {
		w.clip.ownerGoneLocked(s)
	}
}

// convert makes a text format from another. ANSI and OEM text is UTF-8 here,
// UNICODETEXT UTF-16LE; all end with a NUL.
func convert(data []byte, from, to uint32) []byte {
	if to == win32.CF_LOCALE {
		return binary.LittleEndian.AppendUint32(nil, ansiLocale)
	}
	if (from == win32.CF_UNICODETEXT) == (to == win32.CF_UNICODETEXT) {
		return data
	}
	if to == win32.CF_UNICODETEXT {
		if i := slices.Index(data, 0); i >= 0 {
			data = data[:i]
		}
		var out []byte
		for _, u := range utf16.Encode([]rune(string(data))) {
			out = binary.LittleEndian.AppendUint16(out, u)
		}
		return append(out, 0, 0)
	}
	var units []uint16
	for i := 0; i+1 < len(data); i += 2 {
		u := binary.LittleEndian.Uint16(data[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return append([]byte(string(utf16.Decode(units))), 0)
}
