// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"strings"
	"syscall"
	"time"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
)

const (
	maxCutText  = 1 << 20  // bytes of clipboard text that are taken
	maxCutSkip  = 64 << 20 // bytes of it that are read over; more ends the connection
	maxFences   = 16       // fence answers that may wait for the writer
	sizeBurst   = 8        // wishes for a size (len of askedTimes) within …
	sizeWindow  = time.Second
	cutTextBits = 1 // extended clipboard: the text format
)

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// read handles messages until the viewer leaves (nil or io.EOF) or breaks the
// protocol.
func (v *viewer) read() error {
	for {
		kind := v.in.u8()
		if v.in.err != nil {
			return v.in.err // between two messages: it just left
		}
		if err := v.message(kind); err != nil {
			return err
		}
		if errors.Is(v.in.err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if v.in.err != nil {
			return v.in.err
		}
	}
}

// message handles one message; it returns nil when reading failed, too.
func (v *viewer) message(kind uint8) error {
	in := v.in
	switch kind {
	case msgSetPixelFormat:
		in.bytes(3)
		b := in.bytes(encode.FormatSize)
		if in.err != nil {
			return nil
		}
		f, err := encode.ParseFormat(b)
		if err != nil {
			return protocolError("viewer", "%v", err)
		}
		v.mu.Lock()
		v.format = f
		v.mu.Unlock()
	case msgSetEncodings:
		v.setEncodings()
	case msgUpdateRequest:
		incremental := in.u8() != 0
		r := in.rect()
		if in.err != nil {
			return nil
		}
		v.mu.Lock()
		v.requested = true
		if !incremental {
			v.full = v.full.Union(r.Intersect(image.Rect(0, 0, v.w, v.h)))
		}
		v.mu.Unlock()
		v.poke()
	case msgKeyEvent:
		down := in.u8() != 0
		in.bytes(2)
		v.key(down, in.u32(), 0)
	case msgPointerEvent:
		buttons := in.u8()
		x, y := int(in.u16()), int(in.u16())
		if in.err != nil || v.o.ReadOnly {
			return nil
		}
		v.mu.Lock()
		x, y = min(x, v.w-1), min(y, v.h-1)
		v.mu.Unlock()
		v.input.pointer(x, y, buttons)
	case msgClientCutText:
		return v.cutText()
	case msgContinuous:
		on := in.u8() != 0
		in.rect() // always the whole screen
		if in.err != nil {
			return nil
		}
		v.mu.Lock()
		if v.continuous && !on {
			v.endCont = true
		}
		v.continuous = on
		v.mu.Unlock()
		v.poke()
	case msgFence:
		return v.fence()
	case msgXVP: // shutdown, reboot: not offered
		in.bytes(3)
	case msgSetDesktopSize:
		v.setSize()
	case msgQEMU:
		if sub := in.u8(); in.err == nil && sub != msgQEMUExtendedKey {
			return protocolError("viewer", "QEMU message %d", sub)
		}
		down := in.u16() != 0
		keysym := in.u32()
		v.key(down, keysym, in.u32())
	default:
		return protocolError("viewer", "message %d", kind)
	}
	return nil
}

func (v *viewer) key(down bool, keysym, scan uint32) {
	if v.in.err == nil && !v.o.ReadOnly {
		v.input.key(down, keysym, scan)
	}
}

// setEncodings takes what it knows from the list, the first of several ways to
// send pixels being the viewer's wish. A list has at most 65,535 entries and is
// not kept.
func (v *viewer) setEncodings() {
	in := v.in
	in.u8()
	c := caps{encoding: encode.EncodingRaw, quality: -1}
	chosen := false
	for range in.u16() {
		e := int32(in.u32())
		if in.err != nil {
			return
		}
		switch e {
		case encode.EncodingRaw, encode.EncodingZRLE, encode.EncodingTight:
			if !chosen {
				c.encoding, chosen = e, true
			}
		case encode.EncodingCopyRect:
			c.copyRect = true
		case pseudoDesktopSize:
			c.desktopSize = true
		case pseudoExtendedDesktopSize:
			c.extendedSize = true
		case pseudoCursor:
			c.cursor = true
		case pseudoLastRect:
			c.lastRect = true
		case pseudoFence:
			c.fence = true
		case pseudoContinuous:
			c.continuous = true
		default:
			if e >= pseudoQuality0 && e <= pseudoQuality9 {
				c.quality = int(e - pseudoQuality0)
			}
		}
	}
	v.mu.Lock()
	v.sayFence = v.sayFence || c.fence && !v.caps.fence
	v.endCont = v.endCont || c.continuous && !v.caps.continuous
	v.caps = c
	v.mu.Unlock()
	v.poke()
}

// fence takes a question, to be answered by the writer after everything before
// it, or the answer to one of ours.
func (v *viewer) fence() error {
	in := v.in
	in.bytes(3)
	flags := in.u32()
	n := in.u8()
	if in.err == nil && n > fenceMaxPayload {
		return protocolError("viewer", "fence with %d bytes", n)
	}
	payload := make([]byte, n)
	in.full(payload)
	if in.err != nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if flags&fenceRequest == 0 {
		v.link.answered(payload, time.Now())
		v.poke()
		return nil
	}
	if len(v.fences) == maxFences {
		return protocolError("viewer", "more than %d fences at once", maxFences)
	}
	v.fences = append(v.fences, fence{flags & (fenceBlockBefore | fenceBlockAfter | fenceSyncNext), payload})
	v.poke()
	return nil
}

// setSize asks the screen for another size and notes the answer to give. A viewer
// that asks gets an answer always; some ask nothing more until it came.
func (v *viewer) setSize() {
	in := v.in
	in.u8()
	w, h := int(in.u16()), int(in.u16())
	screens := int64(in.u8())
	in.u8()
	in.skip(16 * screens)
	if in.err != nil {
		return
	}
	refuse := func(status int) {
		v.mu.Lock()
		if len(v.sizes) < maxFences { // an answer to many is as good as many
			v.sizes = append(v.sizes, status)
		}
		v.mu.Unlock()
		v.poke()
	}
	if v.o.ReadOnly {
		refuse(sizeProhibited)
		return
	}
	if !surface.ValidSize(w, h) || screens == 0 {
		refuse(sizeInvalid)
		return
	}
	now := time.Now()
	v.mu.Lock()
	oldest := v.askedTimes[0]
	busy := !oldest.IsZero() && now.Sub(oldest) < sizeWindow
	if !busy {
		copy(v.askedTimes[:], v.askedTimes[1:])
		v.askedTimes[sizeBurst-1] = now
		v.sizeAsked = true
	}
	v.mu.Unlock()
	if busy {
		refuse(sizeBusy)
		return
	}
	if err := v.screen.SetSize(w, h); err != nil {
		v.mu.Lock()
		v.sizeAsked = false
		v.mu.Unlock()
		refuse(sizeProhibited)
		return
	}
	v.mu.Lock()
	same := v.sizeAsked && v.w == w && v.h == h
	if same { // it has that size already; no change will come to tell of
		v.sizeAsked = false
	}
	v.mu.Unlock()
	if same {
		refuse(sizeOK)
	}
}

// cutText takes the viewer's clipboard: Latin-1, or when the length is negative
// the extended form.
func (v *viewer) cutText() error {
	in := v.in
	in.bytes(3)
	n := int64(int32(in.u32()))
	if in.err != nil {
		return nil
	}
	extended := n < 0
	if extended {
		n = -n
	}
	if n > maxCutSkip {
		return protocolError("viewer", "clipboard of %d bytes", n)
	}
	if n > maxCutText || v.o.ReadOnly {
		in.skip(n)
		return nil
	}
	var data bytes.Buffer // grows with what really comes
	if _, err := io.CopyN(&data, in.r, n); err != nil {
		in.err = err
		return nil
	}
	if !extended {
		v.screen.CutText(latin1(data.Bytes()))
		return nil
	}
	text, ok, err := extendedText(data.Bytes())
	if err != nil {
		return protocolError("viewer", "extended clipboard: %v", err)
	}
	if ok {
		v.screen.CutText(text)
	}
	return nil
}

func latin1(b []byte) string {
	var s strings.Builder
	s.Grow(len(b))
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// extendedText gives the text of an extended clipboard message, if it provides
// one. What it unpacks to is bounded before it is unpacked.
func extendedText(b []byte) (text string, ok bool, err error) {
	const provide = 1 << 28
	if len(b) < 4 {
		return "", false, errors.New("shorter than its flags")
	}
	flags := binary.BigEndian.Uint32(b)
	if flags&provide == 0 || flags&cutTextBits == 0 {
		return "", false, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(b[4:]))
	if err != nil {
		return "", false, err
	}
	defer z.Close()
	var size uint32
	if err := binary.Read(z, binary.BigEndian, &size); err != nil {
		return "", false, err
	}
	if size > maxCutText {
		return "", false, nil
	}
	var out bytes.Buffer
	if _, err := io.CopyN(&out, z, int64(size)); err != nil {
		return "", false, err
	}
	text = strings.TrimSuffix(out.String(), "\x00")
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n"), true, nil
}
