// SPDX-License-Identifier: Apache-2.0

package rfb_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
	"stationmaster/win32"
)

// xserver plays the X server at the other end of a Backend, well or badly.
type xserver struct {
	t testing.TB
	c net.Conn
}

func (x *xserver) write(b ...byte) error {
	_, err := x.c.Write(b)
	return err
}

func (x *xserver) read(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(x.c, b); err != nil {
		return nil
	}
	return b
}

func (x *xserver) banner() {
	x.write([]byte("RFB 003.008\n")...)
	x.read(12)
}

// hello makes the handshake with a screen of w x h and reads the settings.
func (x *xserver) hello(w, h int) {
	x.banner()
	x.write(1, 1)
	x.read(1)
	x.write(0, 0, 0, 0)
	x.read(1)
	x.write(byte(w>>8), byte(w), byte(h>>8), byte(h))
	x.write(rfbtest.BGRX.Wire()...)
	x.write(0, 0, 0, 4, 'X', ':', '4', '2')
	x.read(20)
	if b := x.read(4); b != nil {
		x.read(4 * int(b[3]))
	}
}

// request waits for a request for an update and reports whether it is for
// everything. Other messages are read over.
func (x *xserver) request() (full, ok bool) {
	for {
		k := x.read(1)
		if k == nil {
			return false, false
		}
		switch k[0] {
		case 3:
			b := x.read(9)
			return b != nil && b[0] == 0, b != nil
		case 4:
			x.read(7)
		case 5:
			x.read(5)
		case 251:
			x.read(23)
		}
	}
}

func rect(x, y, w, h int, encoding int32) []byte {
	var b []byte
	for _, v := range []int{x, y, w, h} {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return binary.BigEndian.AppendUint32(b, uint32(encoding))
}

// whole is an update of one raw rectangle; the fourth byte of each pixel is 0.
func whole(img *image.RGBA) []byte {
	b := append([]byte{0, 0, 0, 1}, rect(0, 0, img.Rect.Dx(), img.Rect.Dy(), 0)...)
	n := len(b)
	b = append(b, img.Pix...)
	for i := n + 3; i < len(b); i += 4 {
		b[i] = 0
	}
	return b
}

func backend(t testing.TB, f *surface.Frame, o rfb.BackendOptions, play func(x *xserver)) (*rfb.BackendConn, error) {
	t.Helper()
	ours, theirs := socketpair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		play(&xserver{t, theirs})
	}()
	b, err := rfb.Backend(t.Context(), ours, f, o)
	t.Cleanup(func() {
		if b != nil {
			b.Close()
		}
		theirs.Close()
		<-done
	})
	return b, err
}

func TestBackendPicture(t *testing.T) {
	img := rfbtest.Mixed(300, 200, 1)
	next := make(chan []byte)
	f := surface.NewFrame(10, 10)
	b, err := backend(t, f, rfb.BackendOptions{}, func(x *xserver) {
		x.hello(300, 200)
		// As Xvnc does: the first answer is the size alone.
		if full, ok := x.request(); !full && ok {
			t.Error("the first request is not for everything")
		}
		x.write(append([]byte{0, 0, 0, 1}, append(rect(0, 0, 300, 200, rfbtest.ExtendedDesktopSize), 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 1, 44, 0, 200, 0, 0, 0, 0)...)...)
		if full, ok := x.request(); full && ok {
			t.Error("the second request is for everything again: Xvnc would answer like before")
		}
		x.write(whole(img)...)
		for u := range next {
			if full, ok := x.request(); full && ok {
				t.Error("a request for everything without need")
			}
			x.write(u...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer close(next)
	if w, h := f.Size(); w != 300 || h != 200 {
		t.Errorf("the frame is %dx%d", w, h)
	}
	m := f.Watch()
	defer m.Close()
	select {
	case <-b.Synced():
	case <-time.After(patience):
		t.Fatal("no picture")
	}
	if !bytes.Equal(f.Snapshot().Pix, img.Pix) {
		t.Error("the picture differs")
	}
	m.Take(func(*image.RGBA, surface.Damage) {})

	// Pixels, a copy, a bell, a clipboard, a pointer and lights, in one stream.
	u := []byte{2, 3, 0, 0, 0, 0, 0, 0, 2, 'h', 'i', 0, 0, 0, 4}
	u = append(u, rect(10, 20, 2, 1, 0)...)
	u = append(u, 1, 2, 3, 0, 4, 5, 6, 0)
	u = append(u, append(rect(100, 100, 50, 50, 1), 0, 5, 0, 15)...)
	u = append(u, append(rect(1, 2, 3, 2, rfbtest.CursorShape), append(make([]byte, 3*2*4), 0xa0, 0x40)...)...)
	u = append(u, append(rect(0, 0, 0, 0, -261), 3)...)
	next <- u
	copy(img.Pix[img.PixOffset(10, 20):], []byte{1, 2, 3, 255, 4, 5, 6, 255})
	draw.Draw(img, image.Rect(100, 100, 150, 150), img, image.Pt(5, 15), draw.Src)
	var copies, pixels int
	var cursor *surface.Cursor
	select {
	case <-m.Ready():
	case <-time.After(patience):
		t.Fatal("no damage")
	}
	m.Take(func(got *image.RGBA, d surface.Damage) {
		copies, pixels, cursor = len(d.Copies), d.Pixels(), d.Cursor
		if !bytes.Equal(got.Pix, img.Pix) {
			t.Error("the picture differs after pixels and a copy")
		}
	})
	if copies != 1 || pixels > 100 {
		t.Errorf("%d copies, %d pixels", copies, pixels)
	}
	if cursor == nil || cursor.Hot != image.Pt(1, 2) || cursor.Image.Pix[3] != 255 || cursor.Image.Pix[7] != 0 || cursor.Image.RGBAAt(1, 1).A != 255 {
		t.Errorf("pointer %+v", cursor)
	}
}

// The X server is asked only while somebody watches, at once after a rest, and at
// the pace while changes go on.
func TestBackendPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := surface.NewFrame(10, 10)
		ours, theirs := net.Pipe()
		x := &xserver{t, theirs}
		var times []time.Duration
		start := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			x.hello(10, 10)
			img := image.NewRGBA(image.Rect(0, 0, 10, 10))
			for {
				if _, ok := x.request(); !ok {
					return
				}
				times = append(times, time.Since(start))
				x.write(whole(img)...)
			}
		}()
		b, err := rfb.Backend(t.Context(), ours, f, rfb.BackendOptions{MaxRate: 50})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(times) != 0 {
			t.Errorf("asked %d times while nobody watches", len(times))
		}
		w := f.Watch()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(times) < 49 || len(times) > 52 || times[0] != time.Hour {
			t.Errorf("asked %d times in a second, first at %v", len(times), times[0])
		}
		w.Close()
		synctest.Wait()
		n := len(times)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(times) > n+1 {
			t.Errorf("asked %d times after the watcher left", len(times)-n)
		}
		b.Close()
		if !errors.Is(b.Err(), rfb.ErrBackendClosed) {
			t.Errorf("after Close: %v", b.Err())
		}
		theirs.Close()
		<-ended
	})
}

func TestBackendInput(t *testing.T) {
	got := make(chan []byte, 1)
	b, err := backend(t, surface.NewFrame(10, 10), rfb.BackendOptions{Pointer: &image.Point{X: 2, Y: 258}}, func(x *xserver) {
		x.hello(10, 10)
		got <- x.read(6 + 8 + 6 + 8)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Key(true, 0xff0d)
	b.Pointer(-5, 300, 3)
	b.Key(false, 0xff0d)
	want := []byte{5, 0, 0, 2, 1, 2, 4, 1, 0, 0, 0, 0, 0xff, 0x0d, 5, 3, 0, 0, 1, 44, 4, 0, 0, 0, 0, 0, 0xff, 0x0d}
	select {
	case g := <-got:
		if !bytes.Equal(g, want) {
			t.Errorf("the X server got %v, want %v", g, want)
		}
	case <-time.After(patience):
		t.Fatal("no input")
	}
}

// An X server that does not read gets no more than a bounded queue, and is given
// up; nobody who types waits for it.
func TestBackendDeaf(t *testing.T) {
	hold := make(chan struct{})
	b, err := backend(t, surface.NewFrame(10, 10), rfb.BackendOptions{Patience: 300 * time.Millisecond}, func(x *xserver) {
		x.hello(10, 10)
		<-hold
	})
	defer close(hold)
	if err != nil {
		t.Fatal(err)
	}
	limit := time.After(patience)
	for {
		for range 1000 {
			b.Key(true, 'a')
			b.Pointer(1, 1, 0)
		}
		select {
		case <-b.Done():
			if err := b.Err(); err == nil || !strings.Contains(err.Error(), "cannot write") {
				t.Errorf("ended by %v", err)
			}
			return
		case <-limit:
			t.Fatal("never given up")
		default:
		}
	}
}

func extended(reason, status, w, h int) []byte {
	b := append(rect(reason, status, w, h, rfbtest.ExtendedDesktopSize), 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(w))
	b = binary.BigEndian.AppendUint16(b, uint16(h))
	return append(b, 0, 0, 0, 0)
}

func TestBackendSetSize(t *testing.T) {
	f := surface.NewFrame(10, 10)
	asked := make(chan []byte, 4)
	b, err := backend(t, f, rfb.BackendOptions{}, func(x *xserver) {
		x.hello(10, 10)
		x.request()
		x.write(append([]byte{0, 0, 0, 1}, extended(0, 0, 10, 10)...)...)
		x.request()
		x.write(whole(image.NewRGBA(image.Rect(0, 0, 10, 10)))...)
		answers := [][]byte{extended(1, 0, 640, 480), extended(1, 1, 640, 480)}
		for _, a := range answers {
			// The answer comes as an update, which has to be asked for, too.
			for wish, request := false, false; !wish || !request; {
				k := x.read(1)
				switch {
				case k == nil:
					return
				case k[0] == 251:
					asked <- x.read(23)
					wish = true
				case k[0] == 3:
					x.read(9)
					request = true
				}
			}
			x.write(append([]byte{0, 0, 0, 1}, a...)...)
		}
		for {
			if full, ok := x.request(); !ok {
				return
			} else if full {
				x.write(whole(image.NewRGBA(image.Rect(0, 0, 640, 480)))...)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w := f.Watch()
	defer w.Close()
	<-b.Synced()
	if err := b.SetSize(t.Context(), 640, 480); err != nil {
		t.Fatal(err)
	}
	if w, h := f.Size(); w != 640 || h != 480 {
		t.Errorf("the frame is %dx%d", w, h)
	}
	if m := <-asked; !bytes.Equal(m[1:11], []byte{2, 128, 1, 224, 1, 0, 0, 0, 0, 9}) {
		t.Errorf("asked %v", m)
	}
	if err := b.SetSize(t.Context(), 800, 600); !errors.Is(err, win32.ERROR_ACCESS_DENIED) {
		t.Errorf("a refusal gives %v", err)
	}
	if err := b.SetSize(t.Context(), 0, 600); !errors.Is(err, win32.ERROR_INVALID_PARAMETER) {
		t.Errorf("0x600 gives %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.SetSize(ctx, 700, 600); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer gives %v", err)
	}
}

// Whatever the X server does in the handshake that it must not, ends it with a
// reason and at once.
func TestBackendHandshakeHostile(t *testing.T) {
	ok := []byte("RFB 003.008\n")
	init := func(w, h int, name uint32) []byte {
		b := []byte{1, 1, 0, 0, 0, 0, byte(w >> 8), byte(w), byte(h >> 8), byte(h)}
		b = append(b, rfbtest.BGRX.Wire()...)
		return binary.BigEndian.AppendUint32(b, name)
	}
	for name, c := range map[string]struct {
		send []byte
		want string
	}{
		"old banner":    {[]byte("RFB 003.003\n\x00\x00\x00\x01"), "instead of RFB 3.8"},
		"not RFB":       {[]byte("SSH-2.0-OpenSSH_9"), "instead of RFB 3.8"},
		"password":      {append(ok[:12:12], 1, 2), "wants a password"},
		"refusal":       {append(ok[:12:12], 0, 0, 0, 0, 3, 'n', 'o', '!'), `refuses: "no!"`},
		"long refusal":  {append(append(ok[:12:12], 0, 255, 255, 255, 255), bytes.Repeat([]byte("x"), 1<<16)...), "refuses"},
		"late refusal":  {append(ok[:12:12], 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'x'), `refuses: "x"`},
		"empty screen":  {append(ok[:12:12], init(0, 10, 0)...), "screen of 0x10"},
		"giant screen":  {append(ok[:12:12], init(16384, 16384, 0)...), "screen of 16384x16384"},
		"name of 4 GB":  {append(ok[:12:12], init(10, 10, 1<<32-1)...), "name of 4294967295 bytes"},
		"ends early":    {ok, "EOF"},
		"says nothing":  {nil, "timeout"},
		"stops midways": {append(ok[:12:12], 1, 1, 0), "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			defer close(hold)
			f := surface.NewFrame(7, 7)
			_, err := backend(t, f, rfb.BackendOptions{Patience: 200 * time.Millisecond}, func(x *xserver) {
				x.write(c.send...)
				if name == "ends early" {
					x.c.(*net.UnixConn).CloseWrite()
				}
				<-hold
			})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot use the X server's picture") {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
			if w, h := f.Size(); w != 7 || h != 7 {
				t.Errorf("the frame became %dx%d", w, h)
			}
		})
	}
}

// The same for what comes later. The frame stays as it was and can be used.
func TestBackendHostile(t *testing.T) {
	up := func(n int, rects ...[]byte) []byte {
		return append([]byte{0, 0, byte(n >> 8), byte(n)}, bytes.Join(rects, nil)...)
	}
	one := append(rect(0, 0, 1, 1, 0), 9, 9, 9, 9)
	for name, c := range map[string]struct {
		send []byte
		want string
	}{
		"outside to the right":      {up(1, rect(20, 0, 100, 10, 0)), "sends pixels of (20,0)-(120,10)"},
		"outside below":             {up(1, rect(0, 99, 1, 2, 0)), "sends pixels of"},
		"largest numbers":           {up(1, rect(65535, 65535, 65535, 65535, 0)), "in one update"},
		"copy from outside":         {up(1, append(rect(0, 0, 50, 50, 1), 0, 60, 0, 0)), "copies"},
		"copy to outside":           {up(1, append(rect(90, 0, 50, 50, 1), 0, 0, 0, 0)), "copies"},
		"giant size":                {up(1, extended(0, 0, 16384, 16384)), "changes its size to 16384x16384"},
		"size 0":                    {up(1, rect(0, 0, 0, 0, rfbtest.DesktopSize)), "changes its size to 0x0"},
		"too many sizes":            {up(10, bytes.Repeat(append(rect(0, 0, 20, 20, rfbtest.DesktopSize), rect(0, 0, 30, 20, rfbtest.DesktopSize)...), 5)), "changes its size more than 4 times"},
		"size without end":          {up(300, bytes.Repeat(rect(0, 0, 100, 100, rfbtest.DesktopSize), 300)), "tells its size more than 256 times"},
		"smaller in the middle":     {up(2, rect(0, 0, 20, 20, rfbtest.DesktopSize), rect(50, 50, 1, 1, 0)), "on a screen of 20x20"},
		"giant pointer":             {up(1, rect(0, 0, 65535, 65535, rfbtest.CursorShape)), "pointer of 65535x65535"},
		"too many pointers":         {up(9, bytes.Repeat(rect(0, 0, 0, 0, rfbtest.CursorShape), 9)), "pointer more than"},
		"zrle":                      {up(1, rect(0, 0, 10, 10, 16), []byte{0, 0, 0, 1, 0}), "encoding 16, which was not asked for"},
		"LastRect":                  {up(65535, one, rect(0, 0, 0, 0, rfbtest.LastRect)), "encoding -224"},
		"count without end":         {up(65535, one, one), "stopped inside a message"},
		"stops in pixels":           {up(1, rect(0, 0, 100, 100, 0), make([]byte, 4000)), "stopped inside a message"},
		"stops in a head":           {up(1, []byte{0, 0, 0}), "stopped inside a message"},
		"clipboard of 4 GB":         {append([]byte{3, 0, 0, 0}, 0x7f, 255, 255, 255), "clipboard of 2147483647 bytes"},
		"clipboard of minus 2 GB":   {append([]byte{3, 0, 0, 0}, 0x80, 0, 0, 0), "clipboard of 2147483648 bytes"},
		"clipboard that never is":   {[]byte{3, 0, 0, 0, 0, 0, 1, 0}, "stopped inside a message"},
		"colour map":                {[]byte{1, 0, 0, 0, 0, 1}, "message 1"},
		"fence":                     {[]byte{248, 0, 0, 0}, "message 248"},
		"more than was asked for":   {append(up(1, one), up(1, one)...), "not asked for"},
		"the screen a hundred fold": {up(65535, bytes.Repeat(append(rect(0, 0, 100, 100, 1), 0, 0, 0, 0), 5000)), "copies"},
		"leaves":                    {nil, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			defer close(hold)
			f := newFrame(rfbtest.Text(100, 100, 1))
			b, err := backend(t, f, rfb.BackendOptions{Patience: 200 * time.Millisecond, MaxRate: 1}, func(x *xserver) {
				x.hello(100, 100)
				x.request()
				if c.send == nil {
					x.c.(*net.UnixConn).CloseWrite()
				}
				x.write(c.send...)
				<-hold
			})
			if err != nil {
				t.Fatal(err)
			}
			w := f.Watch()
			defer w.Close()
			select {
			case <-b.Done():
			case <-time.After(patience):
				t.Fatal("goes on")
			}
			if name == "the screen a hundred fold" {
				return // allowed within the budget, and then stops
			}
			if err := b.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ended by %v, want …%s…", err, c.want)
			}
			if w, h := f.Size(); w > 100 || h > 100 {
				t.Errorf("the frame is %dx%d", w, h)
			}
			f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 1, 1)) })
		})
	}
}

// An X server that stops in the middle of a rectangle stops nobody who looks at
// what is there.
func TestBackendStallHoldsNoLock(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	f := newFrame(rfbtest.Text(100, 100, 1))
	stalled := make(chan struct{})
	b, err := backend(t, f, rfb.BackendOptions{}, func(x *xserver) {
		x.hello(100, 100)
		x.request()
		x.write(append([]byte{0, 0, 0, 1}, rect(0, 0, 100, 100, 0)...)...)
		x.write(make([]byte, 20000)...)
		close(stalled)
		<-hold
	})
	if err != nil {
		t.Fatal(err)
	}
	w := f.Watch()
	defer w.Close()
	<-stalled
	before := f.Snapshot()
	f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 1, 1)) })
	if !bytes.Equal(before.Pix, f.Snapshot().Pix) {
		t.Error("half a rectangle was drawn")
	}
	if b.Err() != nil {
		t.Error(b.Err())
	}
}

// Sizes that change all the time slow down and cost no memory.
func TestBackendFlappingSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := surface.NewFrame(10, 10)
		ours, theirs := net.Pipe()
		x := &xserver{t, theirs}
		n := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			x.hello(10, 10)
			for {
				if _, ok := x.request(); !ok {
					return
				}
				n++
				x.write(append([]byte{0, 0, 0, 1}, rect(0, 0, 10+n%2, 10, rfbtest.DesktopSize)...)...)
			}
		}()
		b, err := rfb.Backend(t.Context(), ours, f, rfb.BackendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w := f.Watch()
		time.Sleep(time.Second)
		synctest.Wait()
		if n > 22 {
			t.Errorf("%d sizes in a second", n)
		}
		w.Close()
		b.Close()
		theirs.Close()
		<-ended
	})
}
