// SPDX-License-Identifier: Apache-2.0

package display

import (
	"time"

	"stationmaster/internal/surface"
	"stationmaster/station"
)

// holdTime bounds how long viewers go on seeing the desktop before while the X
// server of the new one sends its picture.
const holdTime = 250 * time.Millisecond

// hold is the picture that viewers see for a moment after a switch to an X
// desktop whose picture nobody has read yet. Without it they would see that
// desktop's empty background for one frame.
type hold struct {
	comp  *surface.Compositor
	watch *surface.Watch // keeps the new picture coming
	timer *time.Timer
}

// holdLocked lets viewers see old until the picture of d, which is the active
// desktop now, is there. It does nothing when nobody looks, or when there is
// nothing to wait for.
func (s *session) holdLocked(old, d *desktop) {
	switch {
	case old == nil || old.comp == nil || !old.base.Watched():
		return // nobody looks
	case d.kind != station.SurfaceX11 || d.server == nil || d.died || d.fault != "":
		return
	case d.link != nil && isClosed(d.link.synced):
		return // it is there
	}
	s.compLocked(d)
	h := &hold{comp: old.comp, watch: d.base.Watch()}
	h.timer = time.AfterFunc(holdTime, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held == h {
			s.endHoldLocked()
		}
	})
	s.held = h
}

// endHoldLocked shows what is to be shown.
func (s *session) endHoldLocked() {
	h := s.held
	if h == nil {
		return
	}
	s.held = nil
	h.timer.Stop()
	s.bump()
	h.watch.Close()
}

// endHoldWhen ends the hold when the link's picture is there, or will not come.
func (s *session) endHoldWhen(l *link, synced, done <-chan struct{}) {
	s.m.run(func() {
		select {
		case <-synced:
		case <-done:
		case <-l.ctx.Done():
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.active == l.d {
			s.endHoldLocked()
		}
	})
}
