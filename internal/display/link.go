// SPDX-License-Identifier: Apache-2.0

package display

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"time"

	"stationmaster/internal/surface"
)

// maxOps is how many events may wait for an X server that does not read.
const maxOps = 8192

// connectTimeout bounds the way to an X server that runs already.
const connectTimeout = 10 * time.Second

type opKind uint8

const (
	opKey opKind = iota
	opPointer
	opSize
)

// op is one thing to be sent to an X server.
type op struct {
	kind    opKind
	down    bool
	keysym  uint32
	x, y    int // of the pointer, or the size
	buttons uint8
}

// link is the way to a desktop's X server: its picture comes into base, input
// goes out in order. One goroutine runs it.
type link struct {
	d      *desktop       // immutable
	base   *surface.Frame // immutable
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}   // cap 1
	synced <-chan struct{} // guarded by session.mu; of the backend, nil until there is one

	mu  sync.Mutex
	ops []op // guarded by mu
}

func newLink(d *desktop, base *surface.Frame) *link {
	l := &link{d: d, base: base, wake: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(d.s.m.ctx)
	return l
}

// stop ends the link; it does not wait.
func (l *link) stop() { l.cancel() }

// send queues an event. Movements that nobody waits for are merged; what an X
// server that does not read cannot take is thrown away.
func (l *link) send(o op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.ops)
	switch {
	case n > 0 && o.kind == opPointer && l.ops[n-1].kind == opPointer && l.ops[n-1].buttons == o.buttons:
		l.ops[n-1] = o
	case n > 0 && o.kind == opSize && l.ops[n-1].kind == opSize:
		l.ops[n-1] = o
	case n >= maxOps:
		return
	default:
		l.ops = append(l.ops, o)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) take() []op {
	l.mu.Lock()
	defer l.mu.Unlock()
	ops := l.ops
	l.ops = nil
	return ops
}

// run serves the link and makes the desktop say why when it breaks.
func (l *link) run() {
	err := l.serve()
	l.cancel()
	s := l.d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.d.link == l {
		l.d.link = nil
		if err != nil && l.d.fault == "" {
			l.d.faultLocked(slog.LevelWarn, err.Error())
		}
	}
}

// serve returns nil when the link was stopped or the X server has ended.
func (l *link) serve() error {
	d := l.d
	x, err := d.ensure(l.ctx)
	if err != nil {
		if l.ctx.Err() != nil {
			return nil
		}
		return err
	}
	// The pointer is where it was (IN-8); a desktop that is not active gets no
	// input (IN-1).
	var pointer *image.Point
	d.s.mu.Lock()
	if d.s.active == d {
		at := d.s.pointer
		pointer = &at
	}
	d.s.mu.Unlock()
	b, err := d.dial(l.ctx, x, l.base, pointer)
	if err != nil {
		if l.ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("cannot read the picture of %s: %w", d, err)
	}
	// Closing unblocks a write to a server that does not read.
	stop := context.AfterFunc(l.ctx, func() { b.Close() })
	defer func() {
		stop()
		b.Close()
		<-b.Done()
	}()
	d.s.mu.Lock()
	if d.link == l {
		d.clearFaultLocked()
		l.synced = b.Synced()
		if d.s.held != nil && d.s.active == d {
			d.s.endHoldWhen(l, b.Synced(), b.Done())
		}
	}
	d.s.mu.Unlock()
	for {
		for _, o := range l.take() {
			switch o.kind {
			case opKey:
				b.Key(o.down, o.keysym)
			case opPointer:
				b.Pointer(o.x, o.y, o.buttons)
			case opSize:
				l.resize(b, o.x, o.y)
			}
		}
		select {
		case <-l.wake:
		case <-l.ctx.Done():
			return nil
		case <-b.Done():
			if l.ctx.Err() != nil {
				return nil
			}
			// When the server itself is gone it says more than its socket.
			select {
			case <-x.Done():
				return nil // desktop.await tells why
			case <-l.ctx.Done():
				return nil
			case <-time.After(200 * time.Millisecond):
			}
			if err := b.Err(); err != nil {
				return fmt.Errorf("cannot read the picture of %s: %w", d, err)
			}
			return errors.New("the X server ended the connection")
		}
	}
}

// resize asks the X server for another size and waits for it, so that what comes
// next meets the new one.
func (l *link) resize(b Backend, w, h int) {
	ctx, cancel := context.WithTimeout(l.ctx, connectTimeout)
	defer cancel()
	if err := b.SetSize(ctx, w, h); err != nil && l.ctx.Err() == nil {
		l.d.s.m.o.Logger.Info("a desktop keeps its size", "session", l.d.s.id, "desktop", l.d.String(), "error", err)
	}
}

// dial connects to the picture of a running X server.
// pointer is where the pointer is to be, nil to leave it alone.
func (d *desktop) dial(ctx context.Context, x XServer, f *surface.Frame, pointer *image.Point) (Backend, error) {
	short, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := x.Dial(short)
	if err != nil {
		return nil, err
	}
	b, err := d.s.m.o.Connect(ctx, c, f, pointer)
	if err != nil {
		c.Close()
		return nil, err
	}
	return b, nil
}
