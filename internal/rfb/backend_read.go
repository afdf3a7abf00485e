// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"os"
	"time"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
	"stationmaster/win32"
)

const (
	stageBytes     = 256 << 10 // bytes of pixels that are read before they are drawn
	maxServerCut   = 64 << 20
	maxServerSide  = 512 // of a cursor that is read over; larger ends the connection
	maxSizes       = 4   // changes of size in one update
	maxSizeRects   = 256 // all tellings of the size in one update: Xvnc may have an answer to each of many wishes
	maxCursors     = 4   // shapes of the pointer in one update
	maxScreenTimes = 4   // times the screen's pixels that one update may hold
)

// read handles the X server's messages until something is wrong.
func (b *BackendConn) read() error {
	defer b.draw(false) // also wakes for what a broken update brought
	for {
		b.c.SetReadDeadline(time.Time{}) // an X server may be silent for ever
		kind := b.in.u8()
		b.c.SetReadDeadline(time.Now().Add(b.o.Patience)) // but not inside a message
		err := b.in.err
		if err == nil {
			err = b.message(kind)
		}
		if err == nil {
			err = b.in.err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return serverError("stopped inside a message for %v", b.o.Patience)
		}
		if err != nil {
			return fmt.Errorf("the X server's picture ended: %w", err)
		}
	}
}

func (b *BackendConn) message(kind uint8) error {
	in := b.in
	switch kind {
	case msgFramebufferUpdate:
		return b.update()
	case msgBell:
		return nil
	case msgServerCutText:
		in.bytes(3)
		n := int64(int32(in.u32()))
		if n < 0 {
			n = -n
		}
		if n > maxServerCut {
			return serverError("sends a clipboard of %d bytes", n)
		}
		in.skip(n)
		return nil
	}
	return serverError("sends message %d", kind)
}

// update reads one update. The frame's lock is never held while reading: an X
// server that stops in the middle stops nobody who looks.
func (b *BackendConn) update() error {
	b.mu.Lock()
	asked := b.asked
	b.mu.Unlock()
	if !asked {
		return serverError("sends an update that was not asked for")
	}
	in := b.in
	in.u8()
	n := int(in.u16())
	budget := maxScreenTimes * surface.MaxWidth * surface.MaxHeight
	pixels, sizes, sizeRects, cursors, drawn := 0, 0, 0, 0, false
	for i := 0; i < n && in.err == nil; i++ {
		r := in.rect()
		e := int32(in.u32())
		if in.err != nil {
			return nil
		}
		var err error
		switch e {
		case encode.EncodingRaw:
			if pixels += r.Dx() * r.Dy(); pixels > budget {
				return serverError("sends %d pixels in one update", pixels)
			}
			drawn = true
			err = b.raw(r)
		case encode.EncodingCopyRect:
			src := image.Pt(int(in.u16()), int(in.u16()))
			from := image.Rectangle{Min: src, Max: src.Add(r.Size())}
			if screen := image.Rect(0, 0, b.w, b.h); in.err == nil && (!inside(r, screen) || !inside(from, screen)) {
				return serverError("copies %v to %v on a screen of %dx%d", from, r, b.w, b.h)
			}
			// A copy is work although it is short: it counts like pixels.
			if pixels += r.Dx() * r.Dy(); pixels > budget {
				return serverError("copies %d pixels in one update", pixels)
			}
			if !r.Empty() {
				b.stage.ops = append(b.stage.ops, stageOp{kind: stageCopy, r: r, src: src})
			}
		case pseudoExtendedDesktopSize, pseudoDesktopSize:
			if sizeRects++; sizeRects > maxSizeRects {
				return serverError("tells its size more than %d times in one update", maxSizeRects)
			}
			if r.Dx() != b.w || r.Dy() != b.h {
				if sizes++; sizes > maxSizes {
					return serverError("changes its size more than %d times in one update", maxSizes)
				}
			}
			err = b.size(r, e == pseudoExtendedDesktopSize)
		case pseudoCursor:
			if cursors++; cursors > maxCursors {
				return serverError("changes the pointer more than %d times in one update", maxCursors)
			}
			err = b.cursor(r)
		case pseudoLEDState:
			in.u8()
		default:
			return serverError("sends encoding %d, which was not asked for", e)
		}
		if err != nil {
			return err
		}
		if len(b.stage.ops) >= 1024 {
			b.draw(true)
		}
	}
	if in.err != nil {
		return nil
	}
	b.draw(false)

	b.mu.Lock()
	b.asked = false
	// Xvnc answers a request for everything with its size alone, notes that
	// everything is to be sent, and forgets the request: ask again, at once, but
	// not for everything, or it goes on like that for ever.
	b.again = b.awaited && !drawn && !b.owed
	b.owed = b.again
	if b.awaited && drawn {
		b.awaited = false
		select {
		case <-b.synced:
		default:
			close(b.synced)
		}
	}
	b.mu.Unlock()
	b.wake()
	return nil
}

// inside reports whether r lies in bounds; unlike image.Rectangle.In also for an
// empty one.
func inside(r, bounds image.Rectangle) bool {
	return r.Min.X >= bounds.Min.X && r.Min.Y >= bounds.Min.Y && r.Max.X <= bounds.Max.X && r.Max.Y <= bounds.Max.Y
}

// raw reads pixels, in parts when there are many.
func (b *BackendConn) raw(r image.Rectangle) error {
	if !inside(r, image.Rect(0, 0, b.w, b.h)) {
		return serverError("sends pixels of %v on a screen of %dx%d", r, b.w, b.h)
	}
	if r.Empty() {
		return nil
	}
	s := &b.stage
	if s.pix == nil {
		s.pix = make([]byte, stageBytes)
	}
	stride := 4 * r.Dx()
	for r.Dy() > 0 && b.in.err == nil {
		used := s.used()
		rows := min(r.Dy(), (len(s.pix)-used)/stride) // stride is at most 16 kB
		if rows == 0 {
			b.draw(true)
			continue
		}
		part := r
		part.Max.Y = r.Min.Y + rows
		b.in.full(s.pix[used : used+rows*stride])
		if b.in.err != nil {
			return nil
		}
		s.ops = append(s.ops, stageOp{kind: stagePixels, r: part, at: used})
		r.Min.Y = part.Max.Y
	}
	return nil
}

// used gives how much of pix holds pixels that were not drawn yet.
func (s *staging) used() int {
	for i := len(s.ops) - 1; i >= 0; i-- {
		if o := s.ops[i]; o.kind == stagePixels {
			return o.at + 4*o.r.Dx()*o.r.Dy()
		}
	}
	return 0
}

// draw brings what was read into the frame. Viewers are woken at the end of the
// X server's update: if a part of it woke them, the rest would wait for their pace.
func (b *BackendConn) draw(more bool) {
	s := &b.stage
	b.frame.Update(func(p *surface.Paint) {
		if more {
			p.More()
		}
		for _, o := range s.ops {
			switch o.kind {
			case stagePixels:
				putPixels(p.Image(), o.r, s.pix[o.at:])
				p.Damage(o.r)
			case stageCopy:
				p.Copy(o.r, o.src)
			case stageSize:
				p.Resize(o.r.Dx(), o.r.Dy())
			case stageCursor:
				p.SetCursor(s.cursor)
			}
		}
	})
	s.ops = s.ops[:0]
}

// putPixels copies rows of R, G, B, anything into img and makes them opaque. It
// handles every pixel that the X server sends, so it works on eight at a time.
func putPixels(img *image.RGBA, r image.Rectangle, pix []byte) {
	const opaque = 0xff000000ff000000
	n := 4 * r.Dx()
	at := img.PixOffset(r.Min.X, r.Min.Y)
	for range r.Dy() {
		dst, src := img.Pix[at:at+n:at+n], pix[:n:n]
		at += img.Stride
		pix = pix[n:]
		i := 0
		for ; i <= n-32; i += 32 {
			d, s := (*[32]byte)(dst[i:]), (*[32]byte)(src[i:])
			binary.LittleEndian.PutUint64(d[0:], binary.LittleEndian.Uint64(s[0:])|opaque)
			binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:])|opaque)
			binary.LittleEndian.PutUint64(d[16:], binary.LittleEndian.Uint64(s[16:])|opaque)
			binary.LittleEndian.PutUint64(d[24:], binary.LittleEndian.Uint64(s[24:])|opaque)
		}
		for ; i < n; i += 4 {
			binary.LittleEndian.PutUint32(dst[i:], binary.LittleEndian.Uint32(src[i:])|opaque>>32)
		}
	}
}

// size takes the X server's size, or its answer to a wish for one. Whoever changed
// it, a program by RandR or we, it stays within bounds.
func (b *BackendConn) size(r image.Rectangle, extended bool) error {
	in := b.in
	reason, status := 0, 0
	w, h := r.Dx(), r.Dy()
	var id uint32
	if extended {
		reason, status = r.Min.X, r.Min.Y
		screens := int64(in.u8())
		in.bytes(3)
		if screens > 0 {
			id = in.u32()
			in.bytes(12)
			screens--
		}
		in.skip(16 * screens)
	}
	if in.err != nil {
		return nil
	}
	if status == sizeOK {
		if !surface.ValidSize(w, h) {
			return serverError("changes its size to %dx%d", w, h)
		}
		if w != b.w || h != b.h {
			b.stage.ops = append(b.stage.ops, stageOp{kind: stageSize, r: image.Rect(0, 0, w, h)})
			b.draw(true)
			b.mu.Lock()
			b.w, b.h = w, h
			b.full = true
			if reason != 1 || len(b.waiters) == 0 { // not our own wish, whose pixels are waited for
				b.earliest = time.Now().Add(resizePace)
			}
			b.mu.Unlock()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if extended {
		b.resizable, b.screenID = true, id
	}
	if reason == 1 && len(b.waiters) > 0 {
		var err error
		if status != sizeOK {
			err = &win32.Error{Op: "SetSize", Object: fmt.Sprintf("X server, status %d", status), Code: win32.ERROR_ACCESS_DENIED}
		}
		b.waiters[0] <- err
		b.waiters = b.waiters[1:]
	}
	return nil
}

// cursor takes the pointer's shape. One larger than viewers are sent is read over.
func (b *BackendConn) cursor(r image.Rectangle) error {
	w, h := r.Dx(), r.Dy()
	if w > maxServerSide || h > maxServerSide {
		return serverError("sends a pointer of %dx%d", w, h)
	}
	maskStride := (w + 7) / 8
	if w > surface.MaxCursor || h > surface.MaxCursor {
		b.in.skip(int64(4*w*h + maskStride*h))
		return nil
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	b.in.full(img.Pix)
	mask := make([]byte, maskStride*h)
	b.in.full(mask)
	if b.in.err != nil {
		return nil
	}
	for y := range h {
		for x := range w {
			if o := img.PixOffset(x, y); mask[y*maskStride+x/8]&(0x80>>(x%8)) != 0 {
				img.Pix[o+3] = 255
			} else {
				copy(img.Pix[o:o+4], []byte{0, 0, 0, 0})
			}
		}
	}
	b.stage.cursor = &surface.Cursor{Image: img, Hot: r.Min}
	b.stage.ops = append(b.stage.ops, stageOp{kind: stageCursor})
	return nil
}
