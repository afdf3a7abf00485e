// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// Desktop is a logical display surface inside a window station. It holds the
// windows, hooks and heap of the threads connected to it (DT-1).
type Desktop struct {
	object.Header

	station *WindowStation // immutable
	name    string         // immutable, as first given
	kind    string         // guarded by station.session.mu: surface kind asked for
	width   int            // guarded by station.session.mu: surface size asked for, 0 for the default
	height  int            // guarded by station.session.mu
	heapKB  uint32         // immutable: size of the heap

	// All guarded by station.session.mu.
	secure    bool          // Winlogon, Screen-saver, Disconnect: drawn by us, never X
	held      bool          // the session manager has a hold (DT-42)
	dead      bool          // the last handle closed, or the session is deleted
	heapUsed  uint32        // bytes
	exhausted time.Time     // when the full heap was last told about
	threads   int           // threads assigned to the desktop
	surface   Surface       // nil until somebody needs it
	making    chan struct{} // closed when a NewSurface under way is over; nil when there is none
	epoch     int           // counts surfaces thrown away, so that one under way is not kept
	ui        *desktopUI    // windows and hooks; nil until there are any
	restore   string        // Surface.State of an earlier run, for the first NewSurface
}

// newDesktopLocked makes a desktop. It fails with 8 when the session has no
// desktop heap left (DT-26).
func (w *WindowStation) newDesktopLocked(o DesktopOptions, sd *security.Descriptor) (*Desktop, error) {
	s := w.session
	s.mu.AssertHeld()
	size := s.engine.heap.sizeFor(o.HeapKB, w.interactive, o.Name)
	if uint64(s.heapKB)+uint64(size) > uint64(s.engine.heap.sessionTotal) {
		s.engine.publish(EventHeapCreateFailed, s.id, "number", "244", "station", w.name, "desktop", o.Name,
			"heapKB", strconv.FormatUint(uint64(size), 10), "usedKB", strconv.FormatUint(uint64(s.heapKB), 10),
			"totalKB", strconv.FormatUint(uint64(s.engine.heap.sessionTotal), 10))
		return nil, win32.ERROR_NOT_ENOUGH_MEMORY
	}
	s.heapKB += size
	d := &Desktop{station: w, name: o.Name, kind: o.Surface, width: o.Width, height: o.Height, heapKB: size, heapUsed: chargeDesktop}
	d.Header.Init(desktopKind, o.Name, sd, d.lastClosed)
	w.desktops[object.Fold(o.Name)] = d
	w.order = append(w.order, d)
	s.engine.publish(EventDesktopCreate, s.id, "station", w.name, "desktop", o.Name)
	return d, nil
}

// lastClosed runs when the last handle was closed: the name disappears and
// what is on the desktop is destroyed (DT-41). An active desktop is switched
// away from first (DT-43).
func (d *Desktop) lastClosed() {
	s := d.station.session
	s.mu.Lock()
	defer s.unlock()
	if d.Handles() > 0 {
		return // opened again by name meanwhile
	}
	d.destroyLocked()
}

func (d *Desktop) destroyLocked() {
	w := d.station
	s := w.session
	s.mu.AssertHeld()
	if d.dead {
		return
	}
	d.dead = true
	d.endUserLocked()
	if w.app == d {
		w.app = w.desktopLocked(defaultName)
		s.retargetLocked()
	}
	delete(w.desktops, object.Fold(d.name))
	w.order = slices.DeleteFunc(w.order, func(x *Desktop) bool { return x == d })
	s.heapKB -= d.heapKB
	d.dropSurfaceLocked()
	s.engine.publish(EventDesktopClose, s.id, "station", w.name, "desktop", d.name)
}

// dropSurfaceLocked closes the desktop's surface when the lock is gone; one
// that is being made is closed by its maker.
func (d *Desktop) dropSurfaceLocked() {
	s := d.station.session
	s.mu.AssertHeld()
	d.epoch++
	d.restore = ""
	if f := d.surface; f != nil {
		d.surface = nil
		s.engine.publish(EventSurface, s.id, "station", d.station.name, "desktop", d.name, "kind", "")
		s.laterLocked(f.Close)
	}
}

// Surface gives what the desktop draws on and makes it when there is none yet.
func (d *Desktop) Surface(ctx context.Context) (Surface, error) {
	w := d.station
	s := w.session
	for {
		lockrank.AssertNoneHeld()
		s.mu.Lock()
		switch {
		case d.dead || s.ending:
			s.mu.Unlock()
			return nil, fmt.Errorf("cannot draw on %s: %w", d.Path(), win32.ERROR_INVALID_HANDLE)
		case d.surface != nil:
			defer s.mu.Unlock()
			return d.surface, nil
		case d.making != nil:
			making := d.making
			s.mu.Unlock()
			select {
			case <-making:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		making := make(chan struct{})
		d.making = making
		epoch := d.epoch
		spec := SurfaceSpec{
			SessionID: s.id, Session: s.host, Station: w.name, Desktop: d.name,
			Kind: d.kind, Width: d.width, Height: d.height,
			UID: s.spec.UID, GID: s.spec.GID, Groups: slices.Clone(s.spec.Groups),
			Secure: d.secure, State: d.restore,
		}
		if d.secure || !w.interactive || s.services || s.host == nil || s.user == nil {
			spec.Kind = SurfaceBuiltin // what nobody's programs draw on needs no X server
		}
		user := s.user
		s.mu.Unlock()
		if s.id == 0 && user != nil && s.engine.identity != nil {
			// The shared session 0 was started for the system: what its user's
			// programs draw on is the user's all the same.
			who, err := s.engine.identity(user)
			if err != nil {
				s.mu.Lock()
				d.making = nil
				close(making)
				s.mu.Unlock()
				return nil, fmt.Errorf("cannot make the surface of %s: %w", d.Path(), err)
			}
			spec.UID, spec.GID, spec.Groups = who.UID, who.GID, who.Groups
		}

		f, err := s.engine.surfaces.NewSurface(ctx, spec)
		kind := ""
		if err == nil {
			kind = f.Kind()
		}

		s.mu.Lock()
		d.making = nil
		close(making)
		if err != nil {
			s.mu.Unlock()
			return nil, fmt.Errorf("cannot make the surface of %s: %w", d.Path(), err)
		}
		if d.dead || s.ending || d.epoch != epoch {
			s.mu.Unlock()
			f.Close()
			continue // for another user, or gone
		}
		d.surface, d.restore = f, ""
		s.engine.publish(EventSurface, s.id, "station", w.name, "desktop", d.name, "kind", kind)
		s.mu.Unlock()
		return f, nil
	}
}

// CurrentSurface gives what the desktop draws on, nil when nobody has needed
// it yet.
func (d *Desktop) CurrentSurface() Surface {
	d.station.session.mu.Lock()
	defer d.station.session.mu.Unlock()
	return d.surface
}

// Restorable reports whether an earlier daemon had a surface for the desktop
// that has not been made again yet.
func (d *Desktop) Restorable() bool {
	d.station.session.mu.Lock()
	defer d.station.session.mu.Unlock()
	return d.surface == nil && d.restore != ""
}

// Name gives the desktop's name, as first given.
func (d *Desktop) Name() string { return d.name }

// Station gives the window station the desktop is in.
func (d *Desktop) Station() *WindowStation { return d.station }

// Session gives the session the desktop belongs to.
func (d *Desktop) Session() *Session { return d.station.session }

// Path gives the desktop's name with its station's, such as `WinSta0\Default`.
func (d *Desktop) Path() string { return d.station.name + `\` + d.name }

// Secure reports whether the desktop is one of the session manager's own,
// which programs never draw on.
func (d *Desktop) Secure() bool {
	d.station.session.mu.Lock()
	defer d.station.session.mu.Unlock()
	return d.secure
}

// Active reports whether the desktop has the session's input.
func (d *Desktop) Active() bool {
	d.station.session.mu.Lock()
	defer d.station.session.mu.Unlock()
	return d.station.active == d
}

// HeapKB gives the size of the desktop's heap in KB (DT-25).
func (d *Desktop) HeapKB() uint32 { return d.heapKB }

// HeapUsed gives the bytes of the heap that are taken (DT-28).
func (d *Desktop) HeapUsed() uint32 {
	d.station.session.mu.Lock()
	defer d.station.session.mu.Unlock()
	return d.heapUsed
}
