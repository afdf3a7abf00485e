// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stationmaster/win32"
)

// body is the codec of one request or reply; the generated table bodies has
// one for each.
type body struct {
	name   string
	new    func() any
	append func([]byte, any) []byte
	decode func([]byte) (any, error)
}

// fill gives v random values, nested slices and pointers included.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - 8*v.Type().Size()))
	case reflect.String:
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		v.SetString(string(b))
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth)
		}
	case reflect.Slice:
		if n := r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(r, v.Index(i), depth+1)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), depth)
		}
	}
}

// Every request and reply comes back as it was sent, and every cut of it is an
// error: no field is optional.
func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, c := range bodies {
		t.Run(c.name, func(t *testing.T) {
			for range 50 {
				want := c.new()
				fill(r, reflect.ValueOf(want).Elem(), 0)
				enc := c.append([]byte("before"), want)[6:]
				got, err := c.decode(enc)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Fatal(d)
				}
				if again := c.append(nil, got); !bytes.Equal(again, enc) {
					t.Fatal("encoding again gives other bytes")
				}
				for n := range enc {
					if _, err := c.decode(enc[:n]); err == nil {
						t.Fatalf("the first %d of %d bytes decode", n, len(enc))
					}
				}
				if _, err := c.decode(append(enc, 0)); !errors.Is(err, ErrTrailing) {
					t.Fatalf("a byte too many: %v", err)
				}
			}
		})
	}
}

// A length that is not covered by what was sent allocates nothing.
func TestLengthBomb(t *testing.T) {
	for _, c := range bodies {
		bomb := bytes.Repeat([]byte{0xff, 0xff, 0xff, 0x7f}, 64)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			c.decode(bomb)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: 256 bytes made the decoder allocate %d", c.name, n/10)
		}
	}
}

// FuzzBodies runs arbitrary bytes through the decoder the first byte chooses.
// What decodes must encode to the same bytes again.
func FuzzBodies(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for i, c := range bodies {
		v := c.new()
		f.Add(byte(i), c.append(nil, v))
		fill(r, reflect.ValueOf(v).Elem(), 0)
		f.Add(byte(i), c.append(nil, v))
	}
	f.Fuzz(func(t *testing.T, i byte, b []byte) {
		c := bodies[int(i)%len(bodies)]
		v, err := c.decode(b)
		if err != nil {
			return
		}
		if again := c.append(nil, v); !bytes.Equal(again, b) {
			t.Fatalf("%s: %x decodes and encodes as %x", c.name, b, again)
		}
	})
}

// An error comes out of the wire as it went in; the machine's troubles get the
// number Windows has for them and keep their words.
func TestErrorFidelity(t *testing.T) {
	refused := &win32.Error{Op: "OpenDesktop", Object: `WinSta0\Default`, Code: win32.ERROR_ACCESS_DENIED, Rule: "DT-29"}
	for _, c := range []struct {
		err  error
		code win32.Errno
		text string
	}{
		{refused, win32.ERROR_ACCESS_DENIED, refused.Error()},
		{&win32.Error{Object: "x", Code: win32.ERROR_BUSY}, win32.ERROR_BUSY, "Op x: " + win32.ERROR_BUSY.Error() + " (170)"},
		{fmt.Errorf("cannot do it: %w", refused), win32.ERROR_ACCESS_DENIED, "cannot do it: " + refused.Error()},
		{win32.ERROR_CTX_WINSTATION_NOT_FOUND, win32.ERROR_CTX_WINSTATION_NOT_FOUND, win32.ERROR_CTX_WINSTATION_NOT_FOUND.Error()},
		{fmt.Errorf("cannot start /nope: %w", fs.ErrNotExist), win32.ERROR_FILE_NOT_FOUND, "cannot start /nope: file does not exist"},
		{fmt.Errorf("cannot start x: %w", syscall.ENOEXEC), win32.ERROR_BAD_EXE_FORMAT, "cannot start x: exec format error"},
		{errors.New("the disk is on fire"), win32.ERROR_GEN_FAILURE, "the disk is on fire"},
		{&win32.Error{Op: "X"}, win32.ERROR_GEN_FAILURE, ""},
		{errors.New(strings.Repeat("x", 1<<20)), win32.ERROR_GEN_FAILURE, strings.Repeat("x", maxErrorText)},
	} {
		b, code := AppendError(nil, "Op", c.err)
		got := DecodeError(code, b)
		if code != c.code || win32.Code(got) != c.code {
			t.Errorf("%.60q: code %d, want %d", c.err, code, c.code)
		}
		if c.text != "" && got.Error() != c.text {
			t.Errorf("got text %.60q, want %.60q", got, c.text)
		}
		var w *win32.Error
		if !errors.As(got, &w) {
			t.Errorf("%.60q is no *win32.Error", c.err)
		}
	}
	b, code := AppendError(nil, "Op", refused)
	if d := cmp.Diff(error(refused), DecodeError(code, b)); d != "" {
		t.Error(d)
	}
	if err := DecodeError(win32.ERROR_BUSY, []byte{1, 2, 3}); !errors.Is(err, win32.ERROR_BUSY) {
		t.Errorf("a garbled error reply lost its code: %v", err)
	}
}
