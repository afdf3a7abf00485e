// SPDX-License-Identifier: Apache-2.0

package display

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"stationmaster/internal/surface"
	"stationmaster/internal/xserver"
	"stationmaster/station"
)

// desktop is what one desktop draws on. It implements station.Surface. Its
// picture exists only while somebody looks or acts, and some seconds longer.
type desktop struct {
	s           *session            // immutable
	kind        string              // immutable
	interactive bool                // immutable; on WinSta0
	spec        station.SurfaceSpec // immutable
	host        xserver.Session     // immutable; nil: no place for an X server
	gone        chan struct{}       // closed by Close

	// The rest is guarded by s.mu.
	width       int // pixels, as asked for
	height      int
	closed      bool
	comp        *surface.Compositor // the picture; nil while nobody looks
	base        *surface.Frame      // what its X server draws, or comp's own frame
	drop        *time.Timer         // ends the picture when nobody looks any more
	secureLayer *surface.Layer      // what Winlogon shows

	server     XServer       // nil: none runs
	starting   chan struct{} // closed when the start under way is over
	startErr   error         // how the last start went
	link       *link         // the way to the server, while needed
	fault      string        // why there is no picture; "" if there is one
	faultLayer *surface.Layer
	retryAt    time.Time // no new attempt before, unless the desktop is switched to
	died       bool      // the server ended by itself: only a program brings a new one
}

// String names the desktop as Windows does: WinSta0\Default.
func (d *desktop) String() string { return d.spec.Station + `\` + d.spec.Desktop }

func (d *desktop) is(stationName, desktop string) bool {
	return strings.EqualFold(d.spec.Station, stationName) && strings.EqualFold(d.spec.Desktop, desktop)
}

// Kind implements station.Surface.
func (d *desktop) Kind() string { return d.kind }

// Size implements station.Surface.
func (d *desktop) Size() (width, height int) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if d.comp != nil {
		return d.comp.Size()
	}
	return d.width, d.height
}

// State implements station.Surface.
func (d *desktop) State() string {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if d.server == nil {
		return ""
	}
	return d.server.State()
}

// Prepare implements station.Surface: it starts the X server when there is none,
// also when an earlier one died.
func (d *desktop) Prepare(ctx context.Context) ([]string, error) {
	if d.kind != station.SurfaceX11 {
		return nil, nil
	}
	x, err := d.ensure(ctx)
	if err != nil {
		return nil, err
	}
	return x.Env(), nil
}

// Close implements station.Surface.
func (d *desktop) Close() {
	d.s.mu.Lock()
	if d.closed {
		d.s.mu.Unlock()
		return
	}
	d.closed = true
	close(d.gone)
	server, starting := d.server, d.starting
	d.server = nil
	d.s.mu.Unlock()
	d.s.remove(d)
	if starting != nil {
		<-starting // its goroutine closes what it started
	}
	if server != nil {
		server.Close()
	}
}

// openLocked makes the picture.
func (d *desktop) openLocked() {
	s := d.s
	if d.kind == station.SurfaceX11 {
		d.base = surface.NewFrame(d.width, d.height)
		d.base.Update(func(p *surface.Paint) { s.background(d).Paint(p.Image(), p.Image().Bounds()) })
		d.comp = surface.NewXCompositor(d.base, s.bump)
	} else {
		w, h := s.sizeLocked(d)
		d.comp = surface.NewCompositor(s.background(d), w, h)
		d.base = d.comp.Frame()
	}
	comp, base := d.comp, d.base
	base.OnWatched(func(bool) {
		// In a goroutine of its own, as the caller may hold any lock. It
		// looks at how things are then.
		s.m.run(func() { s.checkWatch(d, comp, base) })
	})
	d.armLocked()
	d.showFaultLocked()
	d.showSecureLocked()
	s.placeBoxesLocked()
}

// checkWatch connects to the X server when somebody looks, and sees to it that
// the picture ends some time after nobody does.
func (s *session) checkWatch(d *desktop, comp *surface.Compositor, base *surface.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	watched := base.Watched()
	switch {
	case d.comp != comp:
		if watched {
			s.bump() // somebody took the frame just before it was dropped
		}
	case watched:
		d.drop.Stop()
		d.connectLocked()
	default:
		d.armLocked()
	}
}

// retryAfter is how long a picture that failed is left alone.
const retryAfter = 5 * time.Second

// armLocked begins the time after which the picture is dropped.
func (d *desktop) armLocked() {
	if d.drop != nil {
		d.drop.Stop()
	}
	comp, base := d.comp, d.base
	d.drop = time.AfterFunc(d.s.m.o.DropAfter, func() {
		d.s.m.run(func() {
			d.s.mu.Lock()
			defer d.s.mu.Unlock()
			if d.comp == comp && !base.Watched() {
				d.dropLocked()
			}
		})
	})
}

// dropLocked ends the picture and the way to the X server. Windows that lay on
// it are shown again when it is made again.
func (d *desktop) dropLocked() {
	if d.drop != nil {
		d.drop.Stop()
	}
	if d.link != nil {
		d.link.stop()
		d.link = nil
	}
	if d.comp == nil {
		return
	}
	for _, b := range d.s.boxes {
		if b.on == d {
			b.hideLocked()
		}
	}
	if h := d.s.held; h != nil && h.comp == d.comp {
		d.s.endHoldLocked()
	}
	d.comp.Close()
	d.comp, d.base, d.secureLayer, d.faultLayer = nil, nil, nil, nil
}

func (d *desktop) resizeLocked(w, h int) {
	if d.width == w && d.height == h {
		return
	}
	d.width, d.height = w, h
	switch {
	case d.link != nil:
		d.link.send(op{kind: opSize, x: w, y: h})
	case d.comp != nil && d.kind != station.SurfaceX11:
		d.comp.Resize(w, h)
	}
}

// faultLocked makes the desktop say why it has no picture.
func (d *desktop) faultLocked(level slog.Level, why string) {
	if d.fault == why {
		return
	}
	d.fault = why
	d.retryAt = time.Now().Add(retryAfter)
	d.s.m.o.Logger.Log(context.Background(), level, "a desktop has no display", "session", d.s.id, "desktop", d.String(), "reason", why)
	if d.comp != nil {
		d.showFaultLocked()
	}
}

func (d *desktop) showFaultLocked() {
	old := d.faultLayer
	d.faultLayer = nil
	scale := d.s.m.o.Scale
	var n surface.Notice
	switch {
	case d.fault != "":
		n = surface.Notice{Title: "This desktop has no display", Text: d.fault, Error: true, Scale: scale}
	case strings.EqualFold(d.spec.Desktop, "Disconnect"):
		n = surface.Notice{Title: "This session is disconnected", Text: fmt.Sprintf("The programs of session %d go on. Connect it to see its desktop.", d.s.id), Scale: scale}
	}
	if n.Title != "" {
		d.faultLayer = d.comp.Show(n.Window(), surface.LayerOptions{Scale: scale, Still: true})
	}
	if old != nil {
		old.Close()
	}
}

func (d *desktop) clearFaultLocked() {
	if d.fault == "" {
		return
	}
	d.fault = ""
	if d.comp != nil {
		d.showFaultLocked()
	}
}

// ensure gives the running X server, starting one when there is none.
func (d *desktop) ensure(ctx context.Context) (XServer, error) {
	s := d.s
	for tried := false; ; tried = true {
		s.mu.Lock()
		switch {
		case d.closed:
			s.mu.Unlock()
			return nil, fmt.Errorf("cannot start an X server for %s: the desktop is closed", d)
		case d.server != nil:
			x := d.server
			s.mu.Unlock()
			return x, nil
		case tried && d.starting == nil && d.startErr != nil:
			err := d.startErr
			s.mu.Unlock()
			return nil, err
		case d.starting == nil:
			if d.host == nil {
				s.mu.Unlock()
				return nil, fmt.Errorf("cannot start an X server for %s: session %d has no place for programs", d, s.id)
			}
			d.starting, d.startErr = make(chan struct{}), nil
			options := xserver.Options{
				Session: d.host, Path: s.m.o.XvncPath, Name: d.String(),
				Width: d.width, Height: d.height,
				UID: d.spec.UID, GID: d.spec.GID, Groups: d.spec.Groups,
				Display: s.m.o.FirstDisplay, Logger: s.m.o.Logger,
			}
			if !s.m.run(func() { d.start(options) }) {
				d.starting = nil
				s.mu.Unlock()
				return nil, fmt.Errorf("cannot start an X server for %s: the displays are closed", d)
			}
		}
		wait := d.starting
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot start an X server for %s: %w", d, context.Cause(ctx))
		}
	}
}

// start starts the X server for all who wait in ensure.
func (d *desktop) start(o xserver.Options) {
	s := d.s
	ctx, cancel := context.WithCancel(s.m.ctx)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-d.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	x, err := s.m.o.StartServer(ctx, o)

	s.mu.Lock()
	wait := d.starting
	d.starting, d.startErr = nil, err
	unwanted := x != nil && (d.closed || s.m.ctx.Err() != nil)
	switch {
	case unwanted:
		d.startErr = errors.New("cannot start an X server: it is no longer wanted")
	case err != nil:
		d.faultLocked(slog.LevelWarn, err.Error())
	default:
		d.server, d.died = x, false
		d.clearFaultLocked()
		if d.base != nil && d.base.Watched() {
			d.connectLocked()
		}
		s.m.run(func() { d.await(x) })
	}
	s.mu.Unlock()
	if unwanted {
		x.Close()
	}
	close(wait)
}

// await notices that an X server ended by itself. Its programs live on as they
// can; the desktop says that it has no display.
func (d *desktop) await(x XServer) {
	select {
	case <-x.Done():
	case <-d.gone:
		return
	case <-d.s.m.ctx.Done():
		return
	}
	d.s.mu.Lock()
	mine := d.server == x
	if mine {
		d.server, d.died = nil, true
		if d.link != nil {
			d.link.stop()
			d.link = nil
		}
		// At each log-off, too, so it is no warning.
		d.faultLocked(slog.LevelInfo, x.Err().Error())
	}
	d.s.mu.Unlock()
	if mine {
		x.Close() // removes its files
	}
}

// connectLocked makes the way to the X server, starting that when needed.
func (d *desktop) connectLocked() {
	if d.kind != station.SurfaceX11 || d.link != nil || d.closed || d.died || d.base == nil {
		return
	}
	// Showing a fault makes viewers look at another frame, which brings them
	// here: that is no reason to try again.
	if d.fault != "" && time.Now().Before(d.retryAt) {
		return
	}
	l := newLink(d, d.base)
	if d.s.width != 0 {
		l.send(op{kind: opSize, x: d.s.width, y: d.s.height})
	}
	d.link = l
	if !d.s.m.run(l.run) {
		l.stop()
		d.link = nil
	}
}
