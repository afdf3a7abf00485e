// SPDX-License-Identifier: Apache-2.0

package display

import (
	"fmt"

	"stationmaster/internal/surface"
	"stationmaster/win32"
)

// ViewerOptions says who looks.
type ViewerOptions struct {
	// Person is a viewer behind which a person sits: its input has origin
	// viewer and may answer the session manager's windows. Without it the
	// input is injected (IN-9).
	Person   bool
	ReadOnly bool   // input is ignored
	Name     string // for the audit log
}

// Viewer is what one viewer of a session sees and acts on. It is an rfb.Screen.
// It holds nothing that must be closed; who serves it lets go of keys and buttons
// when the viewer leaves.
type Viewer struct {
	s     *session
	o     ViewerOptions
	hands hands
}

// Viewer lets somebody look at a session, whatever its state: attaching a viewer
// changes nothing. A session that does not exist shows a notice.
func (m *Manager) Viewer(session uint32, o ViewerOptions) *Viewer {
	s := m.session(session, false)
	if s == nil {
		s = newSession(m, session)
		s.ended = true
	}
	if o.Name == "" {
		o.Name = "viewer"
	}
	return &Viewer{s: s, o: o, hands: hands{name: o.Name, person: o.Person}}
}

// Frame gives what to show now; changed is closed when another frame is to be
// shown.
func (v *Viewer) Frame() (f *surface.Frame, changed <-chan struct{}) { return v.s.frame() }

// Key takes a key event, as an X key symbol.
func (v *Viewer) Key(down bool, keysym uint32) {
	if v.o.ReadOnly {
		return
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.keyLocked(&v.hands, down, keysym)
}

// Pointer takes an event of the mouse: position in pixels, buttons held.
func (v *Viewer) Pointer(x, y int, buttons uint8) {
	if v.o.ReadOnly {
		return
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.pointerLocked(&v.hands, x, y, buttons)
}

// SecureAttention says that Ctrl+Alt+Del was taken out of the viewer's stream.
// Only a person can press it. Rules: LGN-14, IN-7.
func (v *Viewer) SecureAttention() {
	if v.o.ReadOnly {
		return
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if v.s.ended {
		return
	}
	if !v.o.Person {
		v.s.dropLocked(&v.hands, "LGN-14")
		return
	}
	v.s.attentionLocked()
}

// CutText takes text from the viewer's clipboard. Clipboards come later; it is
// dropped.
func (v *Viewer) CutText(text string) {}

// SetSize asks for another size of the session's desktops, in pixels.
func (v *Viewer) SetSize(w, h int) error {
	const minWidth, minHeight = 320, 200 // a credential prompt still fits
	object := fmt.Sprintf("%dx%d", w, h)
	if v.o.ReadOnly {
		return &win32.Error{Op: "SetDesktopSize", Object: object, Code: win32.ERROR_ACCESS_DENIED}
	}
	if w < minWidth || h < minHeight || !surface.ValidSize(w, h) {
		return &win32.Error{Op: "SetDesktopSize", Object: object, Code: win32.ERROR_INVALID_PARAMETER}
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if v.s.ended {
		return &win32.Error{Op: "SetDesktopSize", Object: object, Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND}
	}
	v.s.resizeLocked(w, h)
	return nil
}

// Name is what the viewer's window is called.
func (v *Viewer) Name() string { return fmt.Sprintf("Session %d", v.s.id) }
