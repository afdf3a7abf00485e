// SPDX-License-Identifier: Apache-2.0

package display

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"stationmaster/internal/surface"
	"stationmaster/station"
	"stationmaster/win32"
)

// captureTimeout bounds the wait for the picture of an X server.
const captureTimeout = 10 * time.Second

// Capture gives the picture of any desktop of a session, active or not, with the
// session manager's windows on it. A secure desktop is refused with
// ERROR_ACCESS_DENIED. An X desktop that nobody has used yet gets its X server.
//
// Rules: IN-11.
func (m *Manager) Capture(ctx context.Context, session uint32, stationName, desktop string) (*image.RGBA, error) {
	const opName = "CaptureDesktop"
	s, err := m.find(opName, session)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	d := s.findLocked(stationName, desktop)
	switch {
	case d == nil:
		s.mu.Unlock()
		return nil, &win32.Error{Op: opName, Object: stationName + `\` + desktop, Code: win32.ERROR_FILE_NOT_FOUND}
	case d.spec.Secure:
		s.mu.Unlock()
		return nil, &win32.Error{Op: opName, Object: d.String(), Code: win32.ERROR_ACCESS_DENIED, Rule: "IN-11"}
	}
	comp := s.compLocked(d)
	x := d.kind == station.SurfaceX11
	died := d.died
	// A picture that somebody looks at is the present one.
	live := d.link != nil && isClosed(d.link.synced) && d.base.Watched()
	s.mu.Unlock()
	if !x || live {
		return comp.Snapshot(), nil
	}
	if died {
		return nil, fmt.Errorf("cannot take a picture of %s: it has no display", d)
	}
	ctx, cancel := context.WithTimeout(ctx, captureTimeout)
	defer cancel()
	img, err := d.fresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot take a picture of %s: %w", d, err)
	}
	return comp.Over(img), nil
}

// fresh reads the whole picture of the X server over a connection of its own: a
// frame that nobody watches is of any age.
func (d *desktop) fresh(ctx context.Context) (*image.RGBA, error) {
	x, err := d.ensure(ctx)
	if err != nil {
		return nil, err
	}
	w, h := d.Size()
	f := surface.NewFrame(w, h)
	watch := f.Watch() // it is asked for only while somebody watches
	defer watch.Close()
	b, err := d.dial(ctx, x, f, nil)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	select {
	case <-b.Synced():
		return f.Snapshot(), nil
	case <-b.Done():
		if err := b.Err(); err != nil {
			return nil, err
		}
		return nil, errors.New("the X server ended the connection")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false // nil too
	}
}
