// SPDX-License-Identifier: Apache-2.0

package display

import (
	"context"
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
	s.mu.Unlock()
	if !x {
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
// frame that somebody watches is a moment behind, one that nobody watches is of
// any age.
func (d *desktop) fresh(ctx context.Context) (*image.RGBA, error) {
	x, err := d.ensure(ctx)
	if err != nil {
		return nil, err
	}
	w, h := d.Size()
	f := surface.NewFrame(w, h)
	watch := f.Watch()
	defer watch.Close()
	var todo covering
	watch.Take(func(img *image.RGBA, _ surface.Damage) { todo.reset(img.Bounds()) })
	b, err := d.dial(ctx, x, f)
	if err != nil {
		return nil, err
	}
	defer func() {
		b.Close()
		<-b.Done()
	}()
	for todo.left > 0 {
		select {
		case <-watch.Ready():
			watch.Take(func(img *image.RGBA, dm surface.Damage) {
				if dm.Resized {
					// The pixels follow.
					todo.reset(img.Bounds())
					return
				}
				for _, r := range dm.Rects {
					todo.done(r)
				}
				for _, c := range dm.Copies {
					todo.done(c.Dst)
				}
			})
		case <-b.Done():
			if err := b.Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("the X server ended the connection")
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return f.Snapshot(), nil
}

// covering tells when every cell of a picture was drawn.
type covering struct {
	w, h int
	cell []bool
	left int
}

const coverCell = 16

func (c *covering) reset(r image.Rectangle) {
	c.w, c.h = (r.Dx()+coverCell-1)/coverCell, (r.Dy()+coverCell-1)/coverCell
	c.cell = make([]bool, c.w*c.h)
	c.left = len(c.cell)
}

// done marks the cells that r touches. Servers send whole rows and blocks; a
// cell drawn in part is followed by the rest in the same update.
func (c *covering) done(r image.Rectangle) {
	for y := r.Min.Y / coverCell; y <= (r.Max.Y-1)/coverCell && y < c.h; y++ {
		for x := r.Min.X / coverCell; x <= (r.Max.X-1)/coverCell && x < c.w; x++ {
			if i := y*c.w + x; !c.cell[i] {
				c.cell[i] = true
				c.left--
			}
		}
	}
}
