// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"encoding/binary"
	"fmt"
	"image"
	"io"

	"stationmaster/internal/rfb/encode"
)

// Messages from viewer to server.
const (
	msgSetPixelFormat    = 0
	msgSetEncodings      = 2
	msgUpdateRequest     = 3
	msgKeyEvent          = 4
	msgPointerEvent      = 5
	msgClientCutText     = 6
	msgContinuous        = 150 // EnableContinuousUpdates; back: EndOfContinuousUpdates
	msgFence             = 248 // both ways
	msgXVP               = 250
	msgSetDesktopSize    = 251
	msgQEMU              = 255
	msgQEMUExtendedKey   = 0
	msgFramebufferUpdate = 0 // from server to viewer from here on
	msgColourMap         = 1
	msgBell              = 2
	msgServerCutText     = 3
)

// Pseudo-encodings.
const (
	pseudoDesktopSize         int32 = -223
	pseudoLastRect            int32 = -224
	pseudoCursor              int32 = -239
	pseudoLEDState            int32 = -261
	pseudoExtendedDesktopSize int32 = -308
	pseudoFence               int32 = -312
	pseudoContinuous          int32 = -313
	pseudoQuality0            int32 = -32 // to -23: JPEG quality level 0 to 9
	pseudoQuality9            int32 = -23
	pseudoCompress0           int32 = -256 // to -247
)

// Flags of a fence.
const (
	fenceBlockBefore = 1 << 0
	fenceBlockAfter  = 1 << 1
	fenceSyncNext    = 1 << 2
	fenceRequest     = 1 << 31
	fenceMaxPayload  = 64
)

// Statuses of ExtendedDesktopSize.
const (
	sizeOK         = 0
	sizeProhibited = 1
	sizeBusy       = 2 // out of resources
	sizeInvalid    = 3
)

// reader reads numbers and keeps the first error.
type reader struct {
	r   io.Reader
	err error
	b   [16]byte
}

func (r *reader) bytes(n int) []byte {
	b := r.b[:n]
	if r.err == nil {
		_, r.err = io.ReadFull(r.r, b)
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

func (r *reader) u8() uint8   { return r.bytes(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }

// full fills b.
func (r *reader) full(b []byte) {
	if r.err == nil {
		_, r.err = io.ReadFull(r.r, b)
	}
}

// skip reads n bytes and drops them.
func (r *reader) skip(n int64) {
	if r.err == nil {
		_, r.err = io.CopyN(io.Discard, r.r, n)
	}
}

// rect reads x, y, width and height.
func (r *reader) rect() image.Rectangle {
	b := r.bytes(8)
	x, y := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	return image.Rect(x, y, x+int(binary.BigEndian.Uint16(b[4:])), y+int(binary.BigEndian.Uint16(b[6:])))
}

// appendExtendedSize appends an ExtendedDesktopSize rectangle with one screen of the
// whole size.
func appendExtendedSize(dst []byte, reason, status, w, h int) []byte {
	dst = encode.AppendHeader(dst, image.Rect(reason, status, reason+w, status+h), pseudoExtendedDesktopSize)
	dst = append(dst, 1, 0, 0, 0)
	dst = append(dst, 0, 0, 0, 1) // identity of the screen
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(w))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h))
	return append(dst, 0, 0, 0, 0)
}

// updateHead is the head of a FramebufferUpdate of n rectangles.
func updateHead(dst []byte, n int) []byte {
	return append(dst, msgFramebufferUpdate, 0, byte(n>>8), byte(n))
}

func appendFence(dst []byte, flags uint32, payload []byte) []byte {
	dst = append(dst, msgFence, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, flags)
	dst = append(dst, byte(len(payload)))
	return append(dst, payload...)
}

// protocolError is a fault of the other side.
func protocolError(who, format string, args ...any) error {
	return fmt.Errorf("rfb: %s: %s", who, fmt.Sprintf(format, args...))
}
