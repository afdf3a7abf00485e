// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
)

// Screen is what one viewer of one session sees and acts on. Its methods are
// called one at a time for input, return soon, and never wait for the viewer.
type Screen interface {
	// Frame gives what to show now; changed is closed when another frame is to
	// be shown (a switch of desktop). It never gives nil.
	Frame() (f *surface.Frame, changed <-chan struct{})
	// Key presses or releases a key, by X keysym.
	Key(down bool, keysym uint32)
	// Pointer tells where the mouse is, in pixels of the frame, and which buttons
	// are down: bit 0 left, 1 middle, 2 right, 3 and 4 the wheel.
	Pointer(x, y int, buttons uint8)
	// SecureAttention: Ctrl+Alt+Del was taken out of the stream. All keys and
	// buttons have already been released on the old desktop.
	SecureAttention()
	// CutText gives the text that the viewer has on its clipboard.
	CutText(text string)
	// SetSize asks for a size in pixels on the viewer's wish; an error refuses.
	SetSize(w, h int) error
	// Name is the title of the viewer's window.
	Name() string
}

// Options are settings of one viewer. The zero value is fine.
type Options struct {
	// ReadOnly drops the viewer's input, clipboard and wishes for a size.
	ReadOnly bool
	// Logger gets one line for a viewer that was thrown out; nil: none.
	Logger *slog.Logger
	// MaxRate is the most updates a second while changes go on; 0: 60. The first
	// change after a rest is sent at once.
	MaxRate int
	// Group shares encoded updates with other viewers of the session; nil: none.
	Group *Group
	// Gradient says that the viewer's program is known to decode Tight's gradient
	// filter, as noVNC 1.7 does. It makes lossless photos half as large.
	Gradient bool
}

const (
	handshakeTime = 10 * time.Second
	maxName       = 256 // bytes of the name sent to a viewer
)

// viewer is one connection of Serve. Its reader and its writer meet in the
// fields under mu.
type viewer struct {
	c      net.Conn      // immutable
	in     *reader       // used by the reader (and before it starts by the handshake)
	screen Screen        // immutable
	o      Options       // immutable
	input  *input        // immutable
	wake   chan struct{} // immutable; the writer has something to look at
	minor  int           // RFB 3.minor; immutable after the handshake

	mu sync.Mutex
	// What the viewer said, guarded by mu.
	format     encode.Format
	caps       caps
	requested  bool            // an update is asked for
	continuous bool            // updates are wanted without being asked for
	full       image.Rectangle // asked for even if unchanged
	// What the writer has to say, guarded by mu.
	fences     []fence // answers
	sizes      []int   // statuses of refused or already true sizes
	sizeAsked  bool    // the next change of size is the viewer's own wish
	endCont    bool    // say that continuous updates have ended or are known
	sayFence   bool    // say that fences are known
	askedTimes [8]time.Time
	// What the writer has told the viewer, guarded by mu.
	w, h int
	link link // speed of the connection
}

// caps is what a viewer said it can do.
type caps struct {
	encoding     int32
	quality      int // JPEG quality level 0…9; -1: no loss
	copyRect     bool
	desktopSize  bool
	extendedSize bool
	cursor       bool
	lastRect     bool
	fence        bool
	continuous   bool
}

type fence struct {
	flags   uint32
	payload []byte
}

// Serve shows s to the viewer at the other end of c until the viewer leaves or
// ctx ends, and closes c. It returns nil when the viewer left, the cause when ctx
// ended, and otherwise what went wrong. Every key and button the viewer holds is
// released on leaving and on a switch of desktops.
//
// Rules: IN-1, IN-7, LGN-14.
func Serve(ctx context.Context, c net.Conn, s Screen, o Options) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if o.MaxRate <= 0 {
		o.MaxRate = 60
	}
	v := &viewer{
		c: c, in: &reader{r: bufio.NewReaderSize(c, 4096)}, screen: s, o: o, input: newInput(s),
		wake: make(chan struct{}, 1), format: encode.RGBX, caps: caps{quality: -1},
	}
	err := v.run(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil || gone(err):
		return nil
	}
	if o.Logger != nil {
		o.Logger.Info("viewer ended", "session", s.Name(), "error", err)
	}
	return err
}

// gone reports whether err says that the other side is no longer there.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) || isReset(err)
}

func (v *viewer) run(ctx context.Context) error {
	frame, changed := v.screen.Frame()
	v.c.SetDeadline(time.Now().Add(handshakeTime))
	if err := v.handshake(frame); err != nil {
		return err
	}
	v.c.SetDeadline(time.Time{})

	if v.o.Group != nil {
		v.o.Group.join()
		defer v.o.Group.leave()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	readerDone := make(chan struct{})
	go func() {
		defer close(readerDone)
		cancel(v.read())
		v.c.Close() // the writer may be stuck in a write that nobody reads
	}()
	w := newWriter(v, frame, changed)
	err := w.run(ctx)
	// Closing ends the reader, which may sit in Read; only then nothing can be
	// pressed any more.
	v.c.Close()
	<-readerDone
	v.input.release()
	if cause := context.Cause(ctx); err == nil || ctx.Err() != nil && gone(err) {
		err = cause
	}
	return err
}

// handshake goes as far as ServerInit.
func (v *viewer) handshake(f *surface.Frame) error {
	if _, err := io.WriteString(v.c, "RFB 003.008\n"); err != nil {
		return err
	}
	var version [12]byte
	v.in.full(version[:])
	if v.in.err != nil {
		return v.in.err
	}
	var major, minor int
	if n, err := fmt.Sscanf(string(version[:]), "RFB %03d.%03d\n", &major, &minor); n != 2 || err != nil || major < 3 {
		return protocolError("viewer", "begins with %q instead of a version", version[:])
	}
	switch {
	case major > 3 || minor >= 8:
		v.minor = 8
	case minor == 7:
		v.minor = 7
	default:
		v.minor = 3
	}
	const none = 1
	if v.minor == 3 {
		if _, err := v.c.Write([]byte{0, 0, 0, none}); err != nil {
			return err
		}
	} else {
		if _, err := v.c.Write([]byte{1, none}); err != nil {
			return err
		}
		if t := v.in.u8(); v.in.err == nil && t != none {
			return protocolError("viewer", "chose security type %d, which was not offered", t)
		}
		if v.minor == 8 && v.in.err == nil {
			if _, err := v.c.Write([]byte{0, 0, 0, 0}); err != nil {
				return err
			}
		}
	}
	v.in.u8() // shared or not: the session decides that
	if v.in.err != nil {
		return v.in.err
	}
	v.w, v.h = f.Size()
	name := v.screen.Name()
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	b := []byte{byte(v.w >> 8), byte(v.w), byte(v.h >> 8), byte(v.h)}
	b = encode.RGBX.Append(b)
	b = append(b, 0, 0, byte(len(name)>>8), byte(len(name)))
	_, err := v.c.Write(append(b, name...))
	return err
}

// poke makes the writer look again.
func (v *viewer) poke() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}
