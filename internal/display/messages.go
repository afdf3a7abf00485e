// SPDX-License-Identifier: Apache-2.0

package display

import (
	"time"

	"stationmaster/internal/surface"
	"stationmaster/win32"
)

// box is one message box that waits for its answer. Guarded by the session's
// mu, but for what is set when it is made.
type box struct {
	s       *session
	b       surface.MessageBox // immutable
	desktop string             // immutable; on WinSta0
	follow  bool               // immutable; lies on whatever desktop is active
	answer  func(uint32)       // immutable

	on    *desktop       // where it is shown
	layer *surface.Layer // nil while nobody looks there
	done  bool
}

// ShowMessage shows a message box on a desktop of WinSta0 of a session ("" for
// Default); it waits there unseen until that desktop is active. A box with
// MB_SERVICE_NOTIFICATION lies on whatever desktop is active. Only a person can
// answer it. answer gets the button (IDOK …) once, without locks; close takes
// the box away without an answer and may be called at any time.
//
// The caller has checked the style (surface.MessageBox.Check); a bad one gets a
// single OK button.
//
// Rules: WTS-32…WTS-36, IN-10.
func (m *Manager) ShowMessage(session uint32, desktop string, b surface.MessageBox, answer func(id uint32)) (close func()) {
	s := m.session(session, true)
	if s == nil {
		return func() {}
	}
	if desktop == "" {
		desktop = "Default"
	}
	if b.Check() != nil {
		b.Style &^= win32.MB_TYPEMASK
	}
	if b.Scale == 0 {
		b.Scale = m.o.Scale
	}
	x := &box{s: s, b: b, desktop: desktop, follow: b.Style&win32.MB_SERVICE_NOTIFICATION != 0, answer: answer}
	s.mu.Lock()
	s.boxes = append(s.boxes, x)
	s.placeBoxesLocked()
	s.mu.Unlock()
	return func() { x.finish(0) }
}

// typingPause protects a person who types while a box appears from answering it
// unseen: keys do nothing until the person has paused for so long.
const typingPause = 400 * time.Millisecond

// placeBoxesLocked shows each box where it belongs now. What nobody looks at has
// no window; it gets one when somebody does.
func (s *session) placeBoxesLocked() {
	for _, b := range s.boxes {
		to := s.active
		if !b.follow {
			to = s.findLocked("WinSta0", b.desktop)
		}
		if b.layer != nil && b.on == to {
			continue
		}
		b.hideLocked()
		if to == nil || to.comp == nil || b.done {
			continue
		}
		w, err := b.b.Window()
		if err != nil {
			continue // ShowMessage has seen to it that there is none
		}
		b.on = to
		b.layer = to.comp.Show(w, surface.LayerOptions{
			Scale:  b.b.Scale,
			Answer: func(id uint32) { s.m.run(func() { b.finish(id) }) },
		})
		if to == s.active {
			s.releaseKeysLocked() // the keyboard is the box's now
			if now := time.Now(); now.Sub(s.typed) < typingPause {
				s.guard = now.Add(typingPause)
			}
		}
	}
}

func (b *box) hideLocked() {
	if b.layer != nil {
		b.layer.Close()
	}
	b.layer, b.on = nil, nil
}

// finish takes the box away; id 0 means without an answer.
func (b *box) finish(id uint32) {
	b.s.mu.Lock()
	if b.done {
		b.s.mu.Unlock()
		return
	}
	b.done = true
	b.hideLocked()
	for i, o := range b.s.boxes {
		if o == b {
			b.s.boxes = append(b.s.boxes[:i:i], b.s.boxes[i+1:]...)
			break
		}
	}
	b.s.mu.Unlock()
	if id != 0 && b.answer != nil {
		b.answer(id)
	}
}
