// SPDX-License-Identifier: Apache-2.0

package display

import (
	"fmt"
	"image"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stationmaster/internal/surface"
)

// session is the display of one session: its desktops, which one is shown, and
// what is pressed there.
type session struct {
	m         *Manager     // immutable
	id        uint32       // immutable
	lastInput atomic.Int64 // Unix nanoseconds

	mu       sync.Mutex
	desktops []*desktop          // guarded by mu
	wanted   [2]string           // guarded by mu; station and desktop to show
	active   *desktop            // guarded by mu; nil when there is no such desktop
	none     *surface.Compositor // guarded by mu; shown while active is nil
	held     *hold               // guarded by mu; shown for a moment instead of active
	ended    bool                // guarded by mu
	boxes    []*box              // guarded by mu; in order of arrival
	secure   SecureScreen        // guarded by mu
	pointer  image.Point         // guarded by mu; kept over switches (IN-8)
	width    int                 // guarded by mu; what a viewer asked for, or 0
	height   int                 // guarded by mu

	// What is held on the active desktop's base. epoch changes when all of it
	// was released, so that what a viewer still holds counts no more.
	epoch   uint64               // guarded by mu; of the keys
	gen     uint64               // guarded by mu; of the buttons
	keys    map[uint32]int       // guarded by mu; how many viewers hold a key down
	buttons map[*hands]uint8     // guarded by mu; only entries that are not zero
	api     hands                // guarded by mu; what the API holds
	drops   map[dropKey]*dropped // guarded by mu
	typed   time.Time            // guarded by mu; when a person last typed below the windows
	guard   time.Time            // guarded by mu; until then keys answer no window (see typingPause)

	viewMu  sync.Mutex
	changed chan struct{} // guarded by viewMu; closed when viewers must look again
}

func newSession(m *Manager, id uint32) *session {
	s := &session{
		m: m, id: id,
		keys: map[uint32]int{}, buttons: map[*hands]uint8{}, drops: map[dropKey]*dropped{},
		changed: make(chan struct{}),
		pointer: image.Pt(m.o.Width/2, m.o.Height/2), // as an X server begins
	}
	s.api = hands{name: "API"}
	return s
}

// bump tells viewers that another frame is to be shown.
func (s *session) bump() {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// frame is what to show now, and a channel that is closed when that changes.
func (s *session) frame() (*surface.Frame, <-chan struct{}) {
	// The channel first: a change after this line closes it.
	s.viewMu.Lock()
	changed := s.changed
	s.viewMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		return s.held.comp.Frame(), changed
	}
	return s.compLocked(s.active).Frame(), changed
}

// size is the size desktops of this session are to have.
func (s *session) sizeLocked(d *desktop) (w, h int) {
	if s.width != 0 {
		return s.width, s.height
	}
	if d != nil {
		return d.width, d.height
	}
	return s.m.o.Width, s.m.o.Height
}

// compLocked gives the picture of a desktop, making it if nobody looked at it
// lately; d nil means the notice that no desktop is active.
func (s *session) compLocked(d *desktop) *surface.Compositor {
	if d == nil {
		if s.none == nil {
			w, h := s.sizeLocked(nil)
			s.none = surface.NewCompositor(s.background(nil), w, h)
			n := surface.Notice{Title: "No desktop", Text: fmt.Sprintf("Session %d has no active desktop.", s.id), Scale: s.m.o.Scale}
			if s.ended {
				n = surface.Notice{Title: "The session has ended", Text: fmt.Sprintf("Session %d is no more.", s.id), Scale: s.m.o.Scale}
			}
			s.none.Show(n.Window(), surface.LayerOptions{Scale: s.m.o.Scale, Still: true})
		}
		return s.none
	}
	if d.comp == nil {
		d.openLocked()
	}
	return d.comp
}

func (s *session) background(d *desktop) surface.Background {
	b := surface.EmptyBackground
	b.Label = fmt.Sprintf("session %d", s.id)
	if d != nil {
		switch {
		case strings.EqualFold(d.spec.Desktop, "Screen-saver"):
			b = surface.DarkBackground
		case d.spec.Secure:
			b = surface.SecureBackground
		case strings.EqualFold(d.spec.Desktop, "Disconnect"):
		default:
			b = surface.DesktopBackground
		}
		b.Label = fmt.Sprintf("session %d  ·  %s", s.id, d)
	}
	b.Scale = s.m.o.Scale
	return b
}

// add registers a desktop. It may be the one that is to be shown.
func (s *session) add(d *desktop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desktops = append(s.desktops, d)
	if d.is(s.wanted[0], s.wanted[1]) {
		s.activateLocked(d)
	}
	s.placeBoxesLocked()
}

func (s *session) findLocked(stationName, desktop string) *desktop {
	for _, d := range s.desktops {
		if d.is(stationName, desktop) {
			return d
		}
	}
	return nil
}

func (s *session) show(stationName, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.wanted = [2]string{stationName, name}
	d := s.findLocked(stationName, name)
	if d != nil && !d.interactive {
		d = nil // DT-51: never visible
	}
	s.activateLocked(d)
}

// activateLocked makes d the shown desktop. Keys and buttons are released on the
// old one first (DT-48).
func (s *session) activateLocked(d *desktop) {
	if s.active == d {
		return
	}
	s.releaseLocked()
	s.endHoldLocked()
	old := s.active
	s.active = d
	if d != nil {
		if s.none != nil {
			s.none.Close()
			s.none = nil
		}
		if s.width != 0 {
			d.resizeLocked(s.width, s.height)
		}
		d.retryAt = time.Time{}
		// The pointer is where it was (IN-8).
		if d.link != nil {
			d.link.send(op{kind: opPointer, x: s.pointer.X, y: s.pointer.Y})
		}
		s.holdLocked(old, d)
	}
	s.placeBoxesLocked()
	s.bump()
}

// releaseLocked lets go of everything held on the active desktop's base.
func (s *session) releaseLocked() {
	s.releaseKeysLocked()
	s.gen++
	if len(s.buttons) > 0 && s.active != nil && s.active.link != nil {
		s.active.link.send(op{kind: opPointer, x: s.pointer.X, y: s.pointer.Y})
	}
	clear(s.buttons)
}

// releaseKeysLocked lets go of the keys only: a window takes the keyboard.
func (s *session) releaseKeysLocked() {
	s.epoch++
	if s.active != nil && s.active.link != nil {
		for k := range s.keys {
			s.active.link.send(op{kind: opKey, keysym: k})
		}
	}
	clear(s.keys)
}

// end takes the session's boxes away and shows its viewers that it is gone.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wanted = [2]string{}
	s.releaseLocked()
	s.endHoldLocked()
	s.active = nil
	for _, b := range s.boxes {
		b.hideLocked()
		b.done = true
	}
	s.boxes = nil
	if s.none != nil {
		s.none.Close()
		s.none = nil
	}
	for _, d := range s.drops {
		d.timer.Stop()
	}
	clear(s.drops)
	s.bump()
}

// detach stops what the manager does for the session.
func (s *session) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endHoldLocked()
	for _, d := range s.desktops {
		d.dropLocked()
	}
	for _, d := range s.drops {
		d.timer.Stop()
	}
	if s.none != nil {
		s.none.Close()
		s.none = nil
	}
}

// remove forgets a desktop that is being closed.
func (s *session) remove(d *desktop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range s.desktops {
		if o == d {
			s.desktops = append(s.desktops[:i:i], s.desktops[i+1:]...)
			break
		}
	}
	if s.active == d {
		s.releaseLocked()
		s.endHoldLocked()
		s.active = nil
		s.bump()
	}
	d.dropLocked()
	s.placeBoxesLocked()
}

// resize gives all desktops that are looked at another size.
func (s *session) resizeLocked(w, h int) {
	s.width, s.height = w, h
	if s.none != nil {
		s.none.Resize(w, h)
	}
	if s.active != nil {
		s.active.resizeLocked(w, h)
	}
}

// dropKey tells kinds of dropped input apart.
type dropKey struct {
	name, rule string
}

// dropped counts input that was thrown away until it is reported.
type dropped struct {
	events  int // not yet reported
	desktop string
	timer   *time.Timer // until the next report
}

const dropInterval = time.Second

// dropLocked counts one event that was thrown away.
func (s *session) dropLocked(h *hands, rule string) {
	k := dropKey{h.name, rule}
	d := s.drops[k]
	if d == nil {
		if len(s.drops) >= 256 {
			k.name = "others" // names come from outside
			if d = s.drops[k]; d != nil {
				d.events++
				return
			}
		}
		d = &dropped{events: 1, desktop: s.activeNameLocked()}
		d.timer = time.AfterFunc(dropInterval, func() { s.m.run(func() { s.reportDrops(k, d) }) })
		s.drops[k] = d
		s.tellDropLocked(k, d)
		return
	}
	d.events++
	d.desktop = s.activeNameLocked()
}

func (s *session) activeNameLocked() string {
	if s.active == nil {
		return ""
	}
	return s.active.String()
}

func (s *session) tellDropLocked(k dropKey, d *dropped) {
	report := Dropped{Session: s.id, Desktop: d.desktop, Name: k.name, Events: d.events, Rule: k.rule}
	d.events = 0
	s.m.run(func() {
		s.m.mu.Lock()
		fn := s.m.dropped
		s.m.mu.Unlock()
		if fn != nil {
			fn(report)
		}
	})
}

// reportDrops runs a second after a report.
func (s *session) reportDrops(k dropKey, d *dropped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drops[k] != d {
		return
	}
	if d.events == 0 {
		delete(s.drops, k)
		return
	}
	d.timer.Reset(dropInterval)
	s.tellDropLocked(k, d)
}
