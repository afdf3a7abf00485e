// SPDX-License-Identifier: Apache-2.0

package display

import (
	"image"
	"strings"
	"time"

	"stationmaster/internal/surface"
	"stationmaster/station"
	"stationmaster/win32"
)

// hands is what one source of input holds: a viewer, or the API. Guarded by the
// session's mu, but for name and person, which are immutable.
type hands struct {
	name    string
	person  bool // origin viewer; otherwise injected (IN-9)
	held    map[uint32]heldKey
	buttons uint8 // as last told
	ignore  uint8 // held from before a switch, or dropped: nothing until released
	base    uint8 // that the base of the active desktop got
	// windowButtons are those the windows got.
	windowButtons uint8
	gen           uint64
}

// heldKey is where a key went when it was pressed.
type heldKey struct {
	epoch uint64
	to    target
}

type target uint8

const (
	toNowhere target = iota
	toBase
	toWindow
)

func isCtrl(k uint32) bool { return k == surface.KeyControlL || k == surface.KeyControlR }
func isAlt(k uint32) bool  { return k == surface.KeyAltL || k == surface.KeyAltR }
func isDelete(k uint32) bool {
	return k == surface.KeyDelete || k == surface.KeyKPDelete
}

func (h *hands) holds(is func(uint32) bool) bool {
	for k := range h.held {
		if is(k) {
			return true
		}
	}
	return false
}

// maxHeld is how many keys one source can hold down at once. More are no keys.
const maxHeld = 64

// keyLocked routes one key event: to the window that has the keyboard, else to
// the X server of the active desktop, else nowhere.
//
// Rules: IN-1, IN-7, IN-10, LGN-14.
func (s *session) keyLocked(h *hands, down bool, keysym uint32) {
	d := s.active
	k, known := h.held[keysym]
	if !down {
		if !known {
			return
		}
		delete(h.held, keysym)
		switch {
		case d == nil:
		case k.to == toWindow:
			// A window minds only keys that went down in it.
			s.compLocked(d).Key(false, false, keysym)
		case k.to == toBase && k.epoch == s.epoch: // else released when the desktop was switched
			if s.keys[keysym]--; s.keys[keysym] <= 0 {
				delete(s.keys, keysym)
				s.sendLocked(d, op{kind: opKey, keysym: keysym})
			}
		}
		return
	}
	if !known && len(h.held) >= maxHeld {
		return
	}
	if h.held == nil {
		h.held = map[uint32]heldKey{}
	}
	if isDelete(keysym) && h.holds(isCtrl) && h.holds(isAlt) {
		// The viewer's server takes this out of the stream already; it
		// reaches no program on any other way either.
		if h.person && !known {
			s.attentionLocked()
		} else if !h.person {
			s.dropLocked(h, "LGN-14")
		}
		h.held[keysym] = heldKey{s.epoch, toNowhere}
		return
	}
	if known && k.epoch != s.epoch {
		return // repeats of a key that another desktop or window got
	}
	to := k.to
	if !known {
		to = toNowhere
		if d != nil {
			to = toBase
			if s.compLocked(d).Focused() {
				to = toWindow
			}
		}
	}
	if to == toWindow && !h.person || d != nil && d.spec.Secure && !h.person {
		s.dropLocked(h, "IN-10")
		h.held[keysym] = heldKey{s.epoch, toNowhere}
		return
	}
	now := time.Now()
	s.lastInput.Store(now.UnixNano())
	switch {
	case to == toWindow && now.Before(s.guard):
		to = toNowhere
		s.guard = now.Add(typingPause)
	case to == toBase && h.person && d.kind == station.SurfaceX11:
		s.typed = now
	}
	h.held[keysym] = heldKey{s.epoch, to}
	switch to {
	case toWindow:
		s.compLocked(d).Key(true, known, keysym)
	case toBase:
		if !known {
			s.keys[keysym]++
		}
		s.sendLocked(d, op{kind: opKey, down: true, keysym: keysym})
	}
}

// pointerLocked routes one event of a mouse: to the window under it, else to the
// X server of the active desktop, else nowhere. Who presses a button keeps the
// pointer until it is released.
//
// Rules: IN-1, IN-8, IN-10.
func (s *session) pointerLocked(h *hands, x, y int, buttons uint8) {
	d := s.active
	if h.gen != s.gen {
		h.gen, h.base = s.gen, 0
		h.ignore = h.buttons
	}
	h.buttons = buttons
	h.ignore &= buttons
	if d == nil {
		h.ignore = buttons
		return
	}
	comp := s.compLocked(d)
	w, ht := comp.Size()
	p := image.Pt(max(0, min(x, w-1)), max(0, min(y, ht-1)))
	now := buttons &^ h.ignore

	if !h.person && (d.spec.Secure || h.base == 0 && comp.Covered(p)) {
		s.dropLocked(h, "IN-10")
		h.ignore |= buttons
		return
	}
	s.pointer = p
	s.lastInput.Store(time.Now().UnixNano())
	switch {
	case h.base != 0: // what the base holds stays with the base
	case h.person:
		was := h.windowButtons
		if comp.Pointer(surface.PointerEvent{At: p, Buttons: now, Down: now &^ was, Up: was &^ now}, false) {
			h.windowButtons = now
			return
		}
		// The window a button went down in is gone: the rest of that press
		// is nobody's.
		h.windowButtons = 0
		h.ignore |= was & buttons
		now &^= was
	case now != 0:
		comp.FocusBase()
	}
	h.base = now
	if h.base == 0 {
		delete(s.buttons, h)
	} else {
		s.buttons[h] = h.base
	}
	var all uint8
	for _, b := range s.buttons {
		all |= b
	}
	s.sendLocked(d, op{kind: opPointer, x: p.X, y: p.Y, buttons: all})
}

// sendLocked gives an event to the X server of a desktop, if it has one.
func (s *session) sendLocked(d *desktop, o op) {
	if d.base == nil {
		s.compLocked(d)
	}
	if d.link == nil {
		d.connectLocked()
	}
	if d.link == nil {
		return
	}
	d.link.send(o)
	if !d.base.Watched() {
		d.armLocked()
	}
}

// attentionLocked tells the daemon that a person pressed Ctrl+Alt+Del.
func (s *session) attentionLocked() {
	s.lastInput.Store(time.Now().UnixNano())
	s.m.run(func() {
		s.m.mu.Lock()
		fn := s.m.attention
		s.m.mu.Unlock()
		if fn != nil {
			fn(s.id)
		}
	})
}

// InputEvent is one event of Manager.Input.
type InputEvent struct {
	Key     bool   // a key; otherwise the pointer
	Down    bool   // of the key
	Keysym  uint32 // of the key, an X key symbol
	X, Y    int    // of the pointer, in pixels
	Buttons uint8  // held: bit 0 left, 1 middle, 2 right, 3 and 4 the wheel
}

// maxEvents is how many events one call of Input takes.
const maxEvents = 4096

// Input gives events to a desktop of WinSta0 as if they came from a keyboard and
// a mouse, with origin injected; nothing else comes in between. It is refused
// with ERROR_ACCESS_DENIED when the desktop is not the active one of its session
// or is a secure one. Events over or focused on a window of the session manager
// are dropped and counted.
//
// Win32: SendInput. Rules: IN-1, IN-4, IN-9, IN-10, IN-11.
func (m *Manager) Input(session uint32, desktop string, events []InputEvent) error {
	const opName = "SendInput"
	if len(events) > maxEvents {
		return &win32.Error{Op: opName, Object: desktop, Code: win32.ERROR_INVALID_PARAMETER}
	}
	s, err := m.find(opName, session)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.findLocked("WinSta0", desktop)
	switch {
	case d == nil:
		return &win32.Error{Op: opName, Object: desktop, Code: win32.ERROR_FILE_NOT_FOUND}
	case d != s.active:
		return &win32.Error{Op: opName, Object: desktop, Code: win32.ERROR_ACCESS_DENIED, Rule: "IN-11"}
	case d.spec.Secure || strings.EqualFold(desktop, "Disconnect"):
		s.dropLocked(&s.api, "IN-10")
		return &win32.Error{Op: opName, Object: desktop, Code: win32.ERROR_ACCESS_DENIED, Rule: "IN-10"}
	}
	for _, e := range events {
		if e.Key {
			s.keyLocked(&s.api, e.Down, e.Keysym)
		} else {
			s.pointerLocked(&s.api, e.X, e.Y, e.Buttons)
		}
	}
	return nil
}
