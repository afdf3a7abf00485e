// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"image"
	"log/slog"
	"net"
	"sync"

	"stationmaster/internal/api"
	"stationmaster/internal/display"
	"stationmaster/internal/rfb"
)

// Screens is the Display of the handlers: the pictures of internal/display,
// shown to viewers by internal/rfb. Viewers of one session share what is
// encoded for them.
type Screens struct {
	m   *display.Manager // immutable
	log *slog.Logger     // immutable

	mu      sync.Mutex
	viewers map[uint32]*viewers // guarded by mu, by session
}

// viewers are those who look at one session.
type viewers struct {
	group rfb.Group
	n     int // guarded by Screens.mu
}

var _ Display = (*Screens)(nil)

// NewScreens shows what m draws.
func NewScreens(m *display.Manager, log *slog.Logger) *Screens {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Screens{m: m, log: log, viewers: map[uint32]*viewers{}}
}

// Capture takes a picture of a desktop.
func (s *Screens) Capture(ctx context.Context, session uint32, stationName, desktop string) (*image.RGBA, error) {
	return s.m.Capture(ctx, session, stationName, desktop)
}

// Viewers gives the number of viewers of a session.
func (s *Screens) Viewers(session uint32) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.viewers[session]; v != nil {
		return v.n
	}
	return 0
}

// View serves a viewer until it leaves.
func (s *Screens) View(ctx context.Context, c net.Conn, session uint32, o ViewOptions) error {
	s.mu.Lock()
	v := s.viewers[session]
	if v == nil {
		v = &viewers{}
		s.viewers[session] = v
	}
	v.n++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if v.n--; v.n == 0 {
			delete(s.viewers, session)
		}
	}()
	screen := s.m.Viewer(session, display.ViewerOptions{Person: o.Person, ReadOnly: o.ReadOnly, Name: o.Name})
	return rfb.Serve(ctx, c, screen, rfb.Options{ReadOnly: o.ReadOnly, Logger: s.log, Group: &v.group})
}

// Inject feeds injected input to a session's active desktop.
func (s *Screens) Inject(session uint32, desktop string, events []api.InputEvent) error {
	return s.m.Input(session, desktop, inputEvents(events))
}

// inputEvents turns the events of a call into those of a keyboard and mouse:
// text is typed.
func inputEvents(in []api.InputEvent) []display.InputEvent {
	var out []display.InputEvent
	for _, e := range in {
		switch e.Kind {
		case inputKey:
			out = append(out, display.InputEvent{Key: true, Down: e.Down, Keysym: e.Keysym})
		case inputPointer:
			out = append(out, display.InputEvent{X: int(e.X), Y: int(e.Y), Buttons: e.Buttons})
		case inputText:
			for _, r := range e.Text {
				sym := keysym(r)
				out = append(out, display.InputEvent{Key: true, Down: true, Keysym: sym}, display.InputEvent{Key: true, Keysym: sym})
			}
		}
	}
	return out
}

// Kinds of api.InputEvent.
const (
	inputKey     = 1
	inputPointer = 2
	inputText    = 3
)

// keysym gives the X key symbol that types a character.
func keysym(r rune) uint32 {
	switch {
	case r == '\n' || r == '\r':
		return 0xff0d // Return
	case r == '\t':
		return 0xff09
	case r == '\b':
		return 0xff08
	case r == 0x1b:
		return 0xff1b // Escape
	case r == 0x7f:
		return 0xffff // Delete
	case r >= 0x20 && r < 0x7f, r >= 0xa0 && r <= 0xff:
		return uint32(r)
	}
	return 0x01000000 | uint32(r)
}
