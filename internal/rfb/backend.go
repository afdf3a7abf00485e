// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"sync"
	"time"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
	"stationmaster/win32"
)

// BackendOptions are settings of a connection to an X server. The zero value is
// fine.
type BackendOptions struct {
	// MaxRate is the most updates a second that are asked for while changes go
	// on; 0: 60. The first change after a rest comes at once.
	MaxRate int
	// Patience is how long the handshake and any one message may take; 0: 10 s.
	Patience time.Duration
	// Pointer is where the pointer is; it is moved there. An X server draws it
	// into the picture for a viewer that is not known to have put it there. nil
	// sends no input at all.
	Pointer *image.Point
}

const (
	maxServerName = 64 << 10 // bytes
	maxReason     = 4 << 10  // bytes of the X server's reason to refuse
	maxQueue      = 64 << 10 // bytes of input that wait for an X server that does not read
	maxWaiters    = 16       // wishes for a size without an answer
	resizePace    = 50 * time.Millisecond
	backendBuffer = 64 << 10
)

// ErrBackendClosed is what Err gives after Close.
var ErrBackendClosed = errors.New("rfb: the connection to the X server was closed")

// BackendConn is the connection to a desktop's own X server. It keeps the frame
// up to date while somebody watches it, and passes input on. Its methods may be
// called from any goroutine and do not wait for the X server, except SetSize.
type BackendConn struct {
	c     net.Conn       // immutable
	in    *reader        // used by Backend, then by the reading goroutine
	frame *surface.Frame // immutable
	o     BackendOptions // immutable

	done   chan struct{} // closed when both goroutines have ended
	synced chan struct{} // closed when the frame holds a whole picture
	poke   chan struct{} // the writing goroutine has something to look at
	stop   context.CancelCauseFunc

	mu        sync.Mutex
	out       []byte // messages to write
	pointer   int    // position of the last message in out if it is a pointer's, else -1
	watched   bool
	asked     bool // a request is out
	full      bool // the next request is for the whole picture
	awaited   bool // the whole picture was asked for, and no pixels have come since
	again     bool // the next request needs no pace: pixels are still owed
	owed      bool // the last update left the pixels owed
	askTime   time.Time
	earliest  time.Time // of the next request, after a change of size
	resizable bool      // the X server told ExtendedDesktopSize
	screenID  uint32
	waiters   []chan error // of SetSize, in order
	err       error        // why it ended
	w, h      int          // written by the reading goroutine, which also reads them without mu

	// Used by the reading goroutine alone.
	stage staging
}

// Backend makes the handshake with the X server at the other end of c and keeps f
// up to date from then on, until ctx ends, Close is called, or the X server does
// something that it must not. It owns c. The frame gets the X server's size.
//
// The picture is asked for only while somebody watches f.
func Backend(ctx context.Context, c net.Conn, f *surface.Frame, o BackendOptions) (*BackendConn, error) {
	if o.MaxRate <= 0 {
		o.MaxRate = 60
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	b := &BackendConn{
		c: c, in: &reader{r: bufio.NewReaderSize(c, backendBuffer)}, frame: f, o: o,
		done: make(chan struct{}), synced: make(chan struct{}), poke: make(chan struct{}, 1),
		pointer: -1, full: true,
	}
	unhook := context.AfterFunc(ctx, func() { c.Close() })
	err := b.handshake()
	unhook()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("cannot use the X server's picture: %w", err)
	}
	f.Update(func(p *surface.Paint) { p.Resize(b.w, b.h) })

	ctx, b.stop = context.WithCancelCause(ctx)
	unfollow := f.FollowWatched(func(watched bool) {
		b.mu.Lock()
		b.watched = watched
		b.mu.Unlock()
		b.wake()
	})
	readDone, writeDone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(readDone)
		b.stop(b.read())
	}()
	go func() {
		defer close(writeDone)
		b.stop(b.write(ctx))
	}()
	go func() { // the owner of both: ends them together
		<-ctx.Done()
		c.Close()
		<-readDone
		<-writeDone
		unfollow()
		b.mu.Lock()
		b.err = context.Cause(ctx)
		for _, w := range b.waiters {
			w <- b.err
		}
		b.waiters = nil
		b.mu.Unlock()
		close(b.done)
	}()
	return b, nil
}

// Done is closed when the connection has ended and nothing touches the frame any
// more.
func (b *BackendConn) Done() <-chan struct{} { return b.done }

// Err gives why the connection ended, nil while it has not.
func (b *BackendConn) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Synced is closed when the frame has held a whole picture of the X server for
// the first time.
func (b *BackendConn) Synced() <-chan struct{} { return b.synced }

// Close ends the connection and waits until nothing touches the frame any more.
func (b *BackendConn) Close() {
	b.stop(ErrBackendClosed)
	<-b.done
}

// Key presses or releases a key, by X keysym.
func (b *BackendConn) Key(down bool, keysym uint32) {
	m := []byte{msgKeyEvent, 0, 0, 0, 0, 0, 0, 0}
	if down {
		m[1] = 1
	}
	binary.BigEndian.PutUint32(m[4:], keysym)
	b.send(m, false)
}

// Pointer moves the mouse to x, y in pixels and sets which buttons are down.
func (b *BackendConn) Pointer(x, y int, buttons uint8) {
	x, y = max(0, min(x, surface.MaxWidth-1)), max(0, min(y, surface.MaxHeight-1))
	b.send([]byte{msgPointerEvent, buttons, byte(x >> 8), byte(x), byte(y >> 8), byte(y)}, true)
}

// SetSize asks the X server for another size in pixels and waits for its answer,
// which comes with the picture. The frame has its new size when it returns nil.
func (b *BackendConn) SetSize(ctx context.Context, w, h int) error {
	const op = "SetSize"
	size := fmt.Sprintf("%dx%d", w, h)
	if !surface.ValidSize(w, h) {
		return &win32.Error{Op: op, Object: size, Code: win32.ERROR_INVALID_PARAMETER}
	}
	answer := make(chan error, 1)
	b.mu.Lock()
	switch {
	case b.err != nil:
		err := b.err
		b.mu.Unlock()
		return fmt.Errorf("cannot set the size of the X server to %s: %w", size, err)
	case !b.resizable:
		b.mu.Unlock()
		return &win32.Error{Op: op, Object: size, Code: win32.ERROR_NOT_SUPPORTED}
	case len(b.waiters) == maxWaiters:
		b.mu.Unlock()
		return &win32.Error{Op: op, Object: size, Code: win32.ERROR_BUSY}
	}
	b.waiters = append(b.waiters, answer)
	m := []byte{msgSetDesktopSize, 0, byte(w >> 8), byte(w), byte(h >> 8), byte(h), 1, 0}
	m = binary.BigEndian.AppendUint32(m, b.screenID)
	m = append(m, 0, 0, 0, 0, byte(w>>8), byte(w), byte(h>>8), byte(h), 0, 0, 0, 0)
	b.queueLocked(m)
	b.mu.Unlock()
	b.wake()
	select {
	case err := <-answer:
		if err != nil {
			return fmt.Errorf("cannot set the size of the X server to %s: %w", size, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot set the size of the X server to %s: %w", size, context.Cause(ctx))
	}
}

func (b *BackendConn) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// send queues a message. Positions of the mouse that have not been written yet
// give way to newer ones with the same buttons.
func (b *BackendConn) send(m []byte, pointer bool) {
	b.mu.Lock()
	if pointer && b.pointer >= 0 && b.out[b.pointer+1] == m[1] {
		copy(b.out[b.pointer:], m)
	} else {
		at := len(b.out)
		if b.queueLocked(m) && pointer {
			b.pointer = at
		}
	}
	b.mu.Unlock()
	b.wake()
}

// queueLocked queues a message and reports whether there was room. An X server that
// leaves so much unread has stopped reading, and will be given up by the writer.
func (b *BackendConn) queueLocked(m []byte) bool {
	if b.err != nil || len(b.out)+len(m) > maxQueue {
		return false
	}
	b.out = append(b.out, m...)
	b.pointer = -1
	return true
}

// write writes what is queued, and asks for the next update when somebody watches
// and the pace allows.
func (b *BackendConn) write(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	pace := time.Second / time.Duration(b.o.MaxRate)
	var spare []byte
	for {
		now := time.Now()
		b.mu.Lock()
		wait := time.Duration(-1)
		if (b.watched || len(b.waiters) > 0) && !b.asked {
			wait = 0
			if !b.askTime.IsZero() && !b.again {
				wait = pace - now.Sub(b.askTime)
			}
			wait = max(wait, b.earliest.Sub(now))
			if wait <= 0 {
				b.asked, b.askTime, b.again = true, now, false
				incremental := byte(1)
				if b.full {
					incremental = 0
					b.full, b.awaited = false, true
				}
				b.out = append(b.out, msgUpdateRequest, incremental, 0, 0, 0, 0, byte(b.w>>8), byte(b.w), byte(b.h>>8), byte(b.h))
				wait = -1
			}
		}
		data := b.out
		b.out, b.pointer = spare[:0], -1
		b.mu.Unlock()
		if len(data) > 0 {
			b.c.SetWriteDeadline(now.Add(b.o.Patience))
			if _, err := b.c.Write(data); err != nil {
				return fmt.Errorf("cannot write to the X server: %w", err)
			}
			spare = data
			continue
		}
		spare = data
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.poke:
		case <-due:
		}
	}
}

// handshake goes as far as the first settings.
func (b *BackendConn) handshake() error {
	b.c.SetDeadline(time.Now().Add(b.o.Patience))
	in := b.in
	var banner [12]byte
	in.full(banner[:])
	if in.err != nil {
		return in.err
	}
	if string(banner[:]) != "RFB 003.008\n" {
		return serverError("begins with %q instead of RFB 3.8", banner[:])
	}
	if _, err := b.c.Write(banner[:]); err != nil {
		return err
	}
	types := make([]byte, in.u8())
	in.full(types)
	if in.err != nil {
		return in.err
	}
	if len(types) == 0 {
		return serverError("refuses: %q", in.text(maxReason))
	}
	if bytes.IndexByte(types, 1) < 0 {
		return serverError("wants a password (security types %v)", types)
	}
	if _, err := b.c.Write([]byte{1}); err != nil {
		return err
	}
	if result := in.u32(); in.err == nil && result != 0 {
		return serverError("refuses: %q", in.text(maxReason))
	}
	if _, err := b.c.Write([]byte{1}); err != nil { // shared
		return err
	}
	w, h := int(in.u16()), int(in.u16())
	in.bytes(encode.FormatSize)
	n := in.u32()
	if in.err != nil {
		return in.err
	}
	if !surface.ValidSize(w, h) {
		return serverError("has a screen of %dx%d", w, h)
	}
	if n > maxServerName {
		return serverError("has a name of %d bytes", n)
	}
	in.skip(int64(n))
	if in.err != nil {
		return in.err
	}
	b.w, b.h = w, h
	// Compression level 1 keeps the X server from comparing pixels itself.
	m := encode.RGBX.Append([]byte{msgSetPixelFormat, 0, 0, 0})
	encodings := []int32{encode.EncodingCopyRect, encode.EncodingRaw, pseudoExtendedDesktopSize, pseudoDesktopSize, pseudoCursor, pseudoCompress0 + 1}
	m = append(m, msgSetEncodings, 0, 0, byte(len(encodings)))
	for _, e := range encodings {
		m = binary.BigEndian.AppendUint32(m, uint32(e))
	}
	if at := b.o.Pointer; at != nil {
		m = append(m, msgPointerEvent, 0, byte(at.X>>8), byte(at.X), byte(at.Y>>8), byte(at.Y))
	}
	if _, err := b.c.Write(m); err != nil {
		return err
	}
	b.c.SetDeadline(time.Time{})
	return nil
}

func serverError(format string, args ...any) error {
	return protocolError("X server", format, args...)
}

// text reads a length of four bytes and so much text, at most limit.
func (r *reader) text(limit uint32) string {
	n := min(r.u32(), limit)
	var s bytes.Buffer
	if r.err == nil {
		_, r.err = io.CopyN(&s, r.r, int64(n))
	}
	return s.String()
}

// staging is what was read of an update and is not yet in the frame. It is drawn
// in one go, so viewers see small updates whole.
type staging struct {
	pix    []byte
	ops    []stageOp
	cursor *surface.Cursor
}

// stageOp is a rectangle of pixels (at its place in pix), a copy, or a new size.
type stageOp struct {
	kind stageKind
	r    image.Rectangle
	src  image.Point // of a copy
	at   int         // in pix
}

type stageKind uint8

const (
	stagePixels stageKind = iota
	stageCopy
	stageSize
	stageCursor
)
