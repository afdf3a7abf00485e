// SPDX-License-Identifier: Apache-2.0

package xserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// rootColor is what an empty X desktop shows: about the middle of the gradient of
// desktops drawn by us.
const rootColor = 0x4D5E70

// Requests of the X protocol that dress uses.
const (
	xChangeWindowAttributes = 2
	xGetInputFocus          = 43
	xOpenFont               = 45
	xClearArea              = 61
	xCreateGlyphCursor      = 94

	xBackPixel = 0x2
	xCursor    = 0x4000
	leftPtr    = 68 // glyph of the cursor font; its mask is the next one
)

// dress gives the root window a colour and the usual arrow instead of black and
// a cross, since there may be no window manager to do it. It speaks the few
// requests itself and reads two replies of bounded size.
func (s *Server) dress(ctx context.Context, cookie []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.session.Dial(ctx, xSocket(s.state.Display))
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	le := binary.LittleEndian
	const auth = "MIT-MAGIC-COOKIE-1"
	b := []byte{'l', 0, 11, 0, 0, 0, byte(len(auth)), 0, byte(len(cookie)), 0, 0, 0}
	b = append(b, auth+"\x00\x00"...)
	b = append(b, cookie...)
	if _, err := c.Write(b); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	body := make([]byte, 4*int(le.Uint16(head[6:])))
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	if head[0] != 1 || len(body) < 32 {
		return fmt.Errorf("the X server refuses us (%d)", head[0])
	}
	screen := 32 + (int(le.Uint16(body[16:]))+3)&^3 + 8*int(body[21])
	if screen+4 > len(body) {
		return fmt.Errorf("the X server's greeting of %d bytes has no screen", len(body))
	}
	base, root := le.Uint32(body[4:]), le.Uint32(body[screen:])
	font, cursor := base, base+1

	words := func(opcode byte, values ...uint32) {
		b = append(b, opcode, 0)
		b = le.AppendUint16(b, uint16(1+len(values)))
		for _, v := range values {
			b = le.AppendUint32(b, v)
		}
	}
	b = b[:0]
	words(xOpenFont, font, uint32(len("cursor")), le.Uint32([]byte("curs")), uint32('o')|uint32('r')<<8)
	words(xCreateGlyphCursor, cursor, font, font, leftPtr|(leftPtr+1)<<16, 0, 0xFFFF<<16, 0xFFFF|0xFFFF<<16)
	words(xChangeWindowAttributes, root, xBackPixel|xCursor, rootColor, cursor)
	words(xClearArea, root, 0, 0)
	words(xGetInputFocus)
	if _, err := c.Write(b); err != nil {
		return err
	}
	// Its reply, or the error of one before, comes when all is done.
	var reply [32]byte
	if _, err := io.ReadFull(c, reply[:]); err != nil {
		return err
	}
	if reply[0] != 1 {
		return fmt.Errorf("the X server answers with error %d to request %d", reply[1], reply[10])
	}
	return nil
}
