// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"context"
	"encoding/binary"
	"image"
	"time"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
)

const (
	bandPixels    = 256 << 10 // a larger update is made, sent and shown in such parts
	wholePixels   = 1 << 20   // the same for viewers without LastRect: each part is a message
	refreshPixels = 128 << 10 // sent again without loss in one update
	refreshAfter  = 300 * time.Millisecond
	fullEvery     = 100 * time.Millisecond // pace of updates that are asked for although nothing changed
	joinWrites    = 64 << 10               // shorter updates are sent in one write with their head
)

// writer sends updates and answers to one viewer. It runs on one goroutine.
type writer struct {
	v       *viewer
	frame   *surface.Frame
	changed <-chan struct{}
	watch   *surface.Watch

	dirty      bool // the watch has, or may have, something
	refreshing bool // what is damaged now is to be sent without loss
	fixed      bool // the viewer cannot change its size, and the frame's is another
	border     bool // the part of such a viewer's screen outside the frame is to be blackened
	zrle       bool // a ZRLE payload was sent: the stream is open
	toldSize   bool // ExtendedDesktopSize was announced
	full       image.Rectangle
	lossy      lossy
	cursor     *surface.Cursor // to be sent if newCursor
	newCursor  bool

	lastSent time.Time // when the last update began
	lastFull time.Time
	quiet    time.Time     // when something was sent last that was not a refresh
	stuck    time.Duration // time the last update spent in writes

	out []byte
	u   encode.Update
}

// turn is what the writer needs to know from the viewer for one pass.
type turn struct {
	format     encode.Format
	caps       caps
	wanted     bool // an update may be sent
	continuous bool
	busy       bool
	idle       bool
}

func newWriter(v *viewer, f *surface.Frame, changed <-chan struct{}) *writer {
	w := &writer{v: v, frame: f, changed: changed, watch: f.Watch(), dirty: true}
	w.lossy.reset(v.w, v.h)
	return w
}

// run sends until ctx ends or a write fails.
func (w *writer) run(ctx context.Context) error {
	defer func() { w.watch.Close() }()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-w.changed:
			w.attach()
		case <-w.watch.Ready():
			w.dirty = true
		default:
		}
		t, err := w.control()
		if err != nil {
			return err
		}
		wait, err := w.work(t)
		if err != nil {
			return err
		}
		if wait == 0 {
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.v.wake:
		case <-due:
		case <-w.watch.Ready():
			w.dirty = true
		case <-w.changed:
			w.attach()
		}
	}
}

// attach goes over to the frame that the screen shows now.
func (w *writer) attach() {
	w.v.input.release()
	var f *surface.Frame
	f, w.changed = w.v.screen.Frame()
	if f == w.frame {
		return
	}
	old := w.watch
	w.frame, w.watch = f, f.Watch()
	old.Close()
	w.dirty, w.refreshing, w.border = true, false, true
	w.lastSent = time.Time{} // the new picture does not wait for the pace of the old one
	w.lossy.reset(w.v.w, w.v.h)
}

// control sends what is not an update, and gives the state for this turn.
func (w *writer) control() (turn, error) {
	v := w.v
	w.out = w.out[:0]
	v.mu.Lock()
	for _, f := range v.fences {
		w.out = appendFence(w.out, f.flags, f.payload)
	}
	v.fences = nil
	if v.sayFence {
		v.sayFence, v.link.on = false, true
		w.out = appendFence(w.out, fenceRequest|fenceSyncNext, nil)
	}
	if v.endCont {
		v.endCont = false
		w.out = append(w.out, msgContinuous)
	}
	// Answers to wishes for a size are updates, but need not be asked for.
	for _, status := range v.sizes {
		if v.caps.extendedSize {
			w.out = appendExtendedSize(updateHead(w.out, 1), 1, status, v.w, v.h)
		}
	}
	v.sizes = nil
	w.full = w.full.Union(v.full)
	v.full = image.Rectangle{}
	if !v.caps.fence {
		v.link.on = false
	}
	t := turn{
		format: v.format, caps: v.caps, wanted: v.requested || v.continuous, continuous: v.continuous,
		busy: v.continuous && v.link.busy(), idle: v.link.idle(),
	}
	v.mu.Unlock()
	if len(w.out) == 0 {
		return t, nil
	}
	_, err := v.c.Write(w.out)
	return t, err
}

// work sends one update if there is something to send and it may be sent. It
// gives how long to wait for the next one: 0 not at all, negative until something
// happens.
func (w *writer) work(t turn) (time.Duration, error) {
	if !t.wanted {
		return -1, nil
	}
	now := time.Now()
	v := w.v
	if !w.full.Empty() {
		if left := fullEvery - now.Sub(w.lastFull); left > 0 && !w.lastFull.IsZero() {
			if !w.dirty {
				return left, nil
			}
		} else {
			w.lastFull = now
			w.watch.Damage(w.full)
			if w.fixed {
				w.border = true
			}
			w.full = image.Rectangle{}
			w.dirty = true
		}
	}
	if !w.dirty {
		if w.lossy.count == 0 || t.busy {
			return -1, nil
		}
		if left := refreshAfter - now.Sub(w.quiet); left > 0 {
			return left, nil
		}
		if !t.idle { // the answer that makes it idle wakes the writer
			return -1, nil
		}
		w.refreshing = true
	}
	if t.busy {
		v.mu.Lock()
		v.link.hold(now)
		v.mu.Unlock()
		return -1, nil
	}
	if done, err := w.resize(t); done || err != nil {
		return 0, err
	}
	pace := time.Second / time.Duration(v.o.MaxRate)
	if left := pace - now.Sub(w.lastSent); left > 0 && !w.lastSent.IsZero() {
		return left, nil
	}
	if w.refreshing && !w.dirty {
		for _, r := range w.lossy.some(refreshPixels) {
			w.watch.Damage(r)
		}
	}

	w.answered() // what the reader is asked from here on is for the next update
	sent, err := w.update(t, now)
	if !sent && err == nil && !t.continuous {
		v.mu.Lock()
		v.requested = true
		v.mu.Unlock()
	}
	return 0, err
}

// answered notes that the viewer's request has been served.
func (w *writer) answered() {
	w.v.mu.Lock()
	w.v.requested = false
	w.v.mu.Unlock()
}

// resize tells the viewer of another size, in a message of its own, and reports
// whether it did. Pixels of the new size follow in the next one.
func (w *writer) resize(t turn) (bool, error) {
	v := w.v
	fw, fh := w.frame.Size()
	if fw == v.w && fh == v.h {
		w.fixed = false
		return false, nil
	}
	if !t.caps.extendedSize && !t.caps.desktopSize {
		w.border = w.border || !w.fixed
		w.fixed = true
		return false, nil
	}
	v.mu.Lock()
	v.w, v.h = fw, fh
	reason := 0
	if v.sizeAsked {
		reason, v.sizeAsked = 1, false
	}
	v.requested = false
	v.mu.Unlock()
	w.fixed = false
	w.lossy.reset(fw, fh)
	w.watch.Damage(image.Rect(0, 0, fw, fh))
	w.dirty = true
	out := updateHead(nil, 1)
	if t.caps.extendedSize {
		out = appendExtendedSize(out, reason, sizeOK, fw, fh)
		w.toldSize = true
	} else {
		out = encode.AppendHeader(out, image.Rect(0, 0, fw, fh), pseudoDesktopSize)
	}
	_, err := v.c.Write(out)
	return true, err
}

// params gives the settings of the update that is made now.
func (w *writer) params(t turn, now time.Time) encode.Params {
	p := encode.Params{Encoding: t.caps.encoding, Format: t.format}
	if p.Encoding == encode.EncodingTight && !t.format.Tight() {
		p.Encoding = encode.EncodingZRLE
	}
	w.v.mu.Lock()
	quality := w.v.link.quality(t.caps.quality, now)
	w.v.mu.Unlock()
	if p.Encoding == encode.EncodingTight {
		p.Gradient = w.v.o.Gradient
		if !w.refreshing {
			p.JPEG = quality
		}
		p.FullChroma = p.JPEG > 79
	}
	return p
}

// update makes and sends one message and reports whether there was anything to
// send. A large one goes out in bands: the first is on its way, and being decoded,
// while the next is made.
func (w *writer) update(t turn, now time.Time) (sent bool, err error) {
	p := w.params(t, now)
	refresh := w.refreshing
	w.refreshing = false
	limit := wholePixels
	if t.caps.lastRect {
		limit = bandPixels
	}
	b := w.take(t, p, limit)
	w.dirty = b.more
	head, count := w.head(t)
	if count += b.count(); count == 0 {
		return false, nil
	}
	stream := b.more && t.caps.lastRect
	if stream {
		count = 0xffff // until LastRect
	}
	head[2], head[3] = byte(count>>8), byte(count)

	total := 0
	w.stuck = 0
	for left := bandCount(w.v.w, w.v.h); ; left-- {
		var tail []byte
		last := !stream || !b.more || b.stop || left == 0
		if stream && last {
			tail = encode.AppendHeader(nil, image.Rectangle{}, pseudoLastRect)
		}
		if err := w.send(head, b.u, tail); err != nil {
			return true, err
		}
		head = head[:0]
		if b.u != nil {
			total += len(b.u.Bytes)
		}
		if last {
			break
		}
		b = w.take(t, p, limit)
	}
	w.dirty = b.more
	w.lastSent = now
	if !refresh {
		w.quiet = now
	}
	end := time.Now()
	w.v.mu.Lock()
	if w.stuck >= heldLong { // the link's buffers are full: the next change waited as well
		w.v.link.hold(end.Add(-w.stuck))
	}
	payload := w.v.link.wrote(total, end)
	w.v.mu.Unlock()
	if payload != nil {
		_, err = w.v.c.Write(appendFence(nil, fenceRequest|fenceBlockBefore, payload))
	}
	return true, err
}

// bandCount bounds the bands of one message, so that a picture that changes all
// the time does not make it endless.
func bandCount(width, height int) int { return width*height/bandPixels + 2 }

// band is a part of an update. u may be shared: it is not to be changed.
type band struct {
	u    *encode.Update
	more bool // there is more to take
	stop bool // but not in this message
}

func (b band) count() int {
	if b.u == nil {
		return 0
	}
	return b.u.Count
}

// take takes damage from the watch and encodes it, or has it from another viewer.
func (w *writer) take(t turn, p encode.Params, limit int) band {
	v := w.v
	screen := image.Rect(0, 0, v.w, v.h)
	var b band
	var row *groupRow
	var d surface.Damage
	resized := false
	o := surface.TakeOptions{MaxPixels: limit, Slack: p.Slack(), NoCopies: !t.caps.copyRect || w.fixed}
	w.watch.TakeSome(o, func(img *image.RGBA, got surface.Damage) {
		d = got
		if d.NewCursor {
			w.cursor, w.newCursor = d.Cursor, true
		}
		if w.fixed {
			b.u = &w.u
			w.encodeFixed(img, &d, screen, p)
			return
		}
		if img.Rect != screen { // the size changed just now; the next turn tells of it
			resized = true
			return
		}
		if v.o.Group != nil {
			row = v.o.Group.encode(groupKey{w.frame, d.Version, p}, img, d)
		}
		if row == nil {
			b.u = &w.u
			encodeDamage(&w.u, img, d, p)
		}
	})
	if resized {
		w.watch.Damage(image.Rect(0, 0, surface.MaxWidth, surface.MaxHeight))
		return band{more: true, stop: true}
	}
	b.more = d.More
	if row != nil {
		<-row.done
		b.u = &row.u
	}
	if b.u != nil {
		w.lossy.sent(d.Copies, d.Rects, b.u.Lossy)
	}
	return b
}

// encodeFixed encodes for a viewer whose screen has another size than the frame
// and cannot change: what fits is shown at the top left, the rest is black.
func (w *writer) encodeFixed(img *image.RGBA, d *surface.Damage, screen image.Rectangle, p encode.Params) {
	w.u.Reset()
	for i, r := range d.Rects {
		d.Rects[i] = r.Intersect(screen)
		w.u.Rect(img, d.Rects[i], p)
	}
	if !w.border && !d.Resized {
		return
	}
	w.border = false
	// One row of black, read again for every row: its stride is 0.
	black := &image.RGBA{Pix: make([]byte, 4*screen.Dx()), Rect: screen}
	for i := 3; i < len(black.Pix); i += 4 {
		black.Pix[i] = 255
	}
	right, below := screen, screen
	right.Min.X = img.Rect.Max.X
	below.Min.Y, below.Max.X = img.Rect.Max.Y, min(below.Max.X, img.Rect.Max.X)
	w.u.Rect(black, right, p)
	w.u.Rect(black, below, p)
}

// head gives the head of a message and the pseudo-rectangles that come before the
// pixels, and their number.
func (w *writer) head(t turn) ([]byte, int) {
	out, n := updateHead(w.out[:0], 0), 0
	if t.caps.extendedSize && !w.toldSize && !w.v.o.ReadOnly {
		out = appendExtendedSize(out, 0, sizeOK, w.v.w, w.v.h)
		w.toldSize = true
		n++
	}
	if t.caps.cursor && w.newCursor {
		out = appendCursor(out, w.cursor, t.format)
		w.newCursor = false
		n++
	}
	return out, n
}

// send writes head, u and tail. The first ZRLE data of a viewer gets the opening
// of its stream.
func (w *writer) send(head []byte, u *encode.Update, tail []byte) error {
	begin := time.Now()
	defer func() { w.stuck += time.Since(begin) }()
	out := head
	if u != nil {
		b := u.Bytes
		if u.ZRLE >= 0 && !w.zrle {
			w.zrle = true
			open := encode.ZRLEHeader()
			out = append(out, b[:u.ZRLE]...)
			out = binary.BigEndian.AppendUint32(out, binary.BigEndian.Uint32(b[u.ZRLE:])+uint32(len(open)))
			out = append(out, open[:]...)
			b = b[u.ZRLE+4:]
		}
		if len(b) > joinWrites {
			if len(out) > 0 {
				if _, err := w.v.c.Write(out); err != nil {
					return err
				}
				out = out[:0]
			}
			if _, err := w.v.c.Write(b); err != nil {
				return err
			}
		} else {
			out = append(out, b...)
		}
	}
	out = append(out, tail...)
	w.out = out[:0]
	if len(out) == 0 {
		return nil
	}
	_, err := w.v.c.Write(out)
	return err
}
