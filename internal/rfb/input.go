// SPDX-License-Identifier: Apache-2.0

package rfb

import "sync"

// Keysyms that the secure attention sequence is made of.
const (
	keyISOLevel3 = 0xfe03 // AltGr
	keyKPDelete  = 0xff9f
	keyControlL  = 0xffe3
	keyControlR  = 0xffe4
	keyMetaL     = 0xffe7 // what Alt becomes together with Shift
	keyMetaR     = 0xffe8
	keyAltL      = 0xffe9
	keyAltR      = 0xffea
	keyDelete    = 0xffff
)

func isControl(k uint32) bool { return k == keyControlL || k == keyControlR }
func isAlt(k uint32) bool {
	return k == keyAltL || k == keyAltR || k == keyMetaL || k == keyMetaR || k == keyISOLevel3
}
func isDelete(k uint32) bool { return k == keyDelete || k == keyKPDelete }

// scanKeysyms gives the keysym of the keys above by the number that a QEMU key
// event carries, for viewers that send that number alone.
var scanKeysyms = map[uint32]uint32{
	0x1d: keyControlL, 0x9d: keyControlR, 0x38: keyAltL, 0xb8: keyAltR, 0x53: keyKPDelete, 0xd3: keyDelete,
}

// maxKeys is how many keys one viewer can hold down. More are ignored: a keyboard
// has fewer, a person ten fingers.
const maxKeys = 64

// input is one viewer's keyboard and mouse: what it holds down, and what of that
// the desktop has been told.
type input struct {
	screen Screen // immutable

	// mu makes calls of the screen one at a time and in order. It is held over
	// them on purpose: a press and the release that a switch of desktops makes
	// must not overtake each other. The screen never waits for the viewer.
	mu      sync.Mutex
	down    map[uint32]bool // told to the screen as pressed
	ignored map[uint32]bool // held by the person, but released for the desktop; ends with the key's release
	buttons uint8           // told to the screen
	held    uint8           // buttons held since before a release of all
	x, y    int
}

func newInput(s Screen) *input {
	return &input{screen: s, down: make(map[uint32]bool), ignored: make(map[uint32]bool)}
}

// key handles one event of the keyboard. scan is the number of a QEMU event or 0.
func (in *input) key(down bool, keysym, scan uint32) {
	if keysym == 0 {
		keysym = scanKeysyms[scan]
	}
	if keysym == 0 {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ignored[keysym] { // a repeat, or the release at last
		if !down {
			delete(in.ignored, keysym)
		}
		return
	}
	if !down {
		if in.down[keysym] {
			delete(in.down, keysym)
			in.screen.Key(false, keysym)
		}
		return
	}
	if isDelete(keysym) && in.attentionLocked() {
		in.releaseLocked()
		in.ignored[keysym] = true
		in.screen.SecureAttention()
		return
	}
	if !in.down[keysym] {
		if len(in.down) >= maxKeys {
			return
		}
		in.down[keysym] = true
	}
	in.screen.Key(true, keysym)
}

// attentionLocked reports whether the person holds Control and Alt, so that Delete
// makes the secure attention sequence. Keys count that a desktop no longer knows of:
// the person who pressed Delete once may press it again without letting go.
func (in *input) attentionLocked() bool {
	control, alt := false, false
	for _, keys := range []map[uint32]bool{in.down, in.ignored} {
		for k := range keys {
			control = control || isControl(k)
			alt = alt || isAlt(k)
		}
	}
	return control && alt
}

// pointer handles one event of the mouse. x and y lie on the screen.
func (in *input) pointer(x, y int, buttons uint8) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.held &= buttons
	in.buttons, in.x, in.y = buttons&^in.held, x, y
	in.screen.Pointer(x, y, in.buttons)
}

// release lets go of every key and button for the desktop. What the person still
// holds is ignored until let go, so nothing held is typed into another desktop.
func (in *input) release() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.releaseLocked()
}

func (in *input) releaseLocked() {
	for k := range in.down {
		in.screen.Key(false, k)
		if len(in.ignored) < maxKeys {
			in.ignored[k] = true
		}
	}
	clear(in.down)
	if in.buttons != 0 {
		in.held |= in.buttons
		in.buttons = 0
		in.screen.Pointer(in.x, in.y, 0)
	}
}
