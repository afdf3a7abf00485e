// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
)

// What can be wrong with a body.
var (
	ErrShort    = errors.New("body ends inside a field")
	ErrTrailing = errors.New("body goes on after its last field")
	ErrCount    = errors.New("a length exceeds the rest of the body")
	ErrBool     = errors.New("a truth value is neither 0 nor 1")
)

// decoder reads fields off a body. The first error sticks and every later
// field reads as zero, so generated code needs no test after each field.
type decoder struct {
	b   []byte
	err error
}

// take gives the next n bytes, or nil once the body is broken.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.b) {
		d.fail(ErrShort)
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.b = err, nil
	}
}

func (d *decoder) u8() uint8 {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if p := d.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if p := d.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (d *decoder) bool() bool {
	switch d.u8() {
	case 0:
		return false
	case 1:
		return true
	}
	d.fail(ErrBool)
	return false
}

// count reads the length of a slice whose elements take at least min bytes
// each. A length that the rest of the body cannot hold is an error, so what is
// allocated stays in proportion to what was sent.
func (d *decoder) count(min int) int {
	n := d.u32()
	if uint64(n)*uint64(max(min, 1)) > uint64(len(d.b)) {
		d.fail(ErrCount)
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return string(d.take(d.count(1))) }

// bytes copies, because the body's memory is used again for the next frame.
func (d *decoder) bytes() []byte {
	p := d.take(d.count(1))
	if len(p) == 0 {
		return nil
	}
	return append([]byte(nil), p...)
}

func (d *decoder) optional() *string {
	if !d.bool() {
		return nil
	}
	s := d.string()
	return &s
}

// end reports what was wrong; a body must be used up.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) != 0 {
		return ErrTrailing
	}
	return d.err
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendBytes(b, p []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(p))), p...)
}

func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0)
	}
	return appendString(append(b, 1), *s)
}
