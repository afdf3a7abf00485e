// SPDX-License-Identifier: Apache-2.0

package rfb_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
)

var shake = []byte("RFB 003.008\n\x01\x01")

// deflated packs b as zlib.
func deflated(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func cut(n uint32, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{6, 0, 0, 0}, n), data...)
}

// extendedCut is an extended clipboard message that provides text.
func extendedCut(size uint32, text []byte) []byte {
	z := deflated(append(binary.BigEndian.AppendUint32(nil, size), text...))
	b := append([]byte{0x10, 0, 0, 1}, z...)
	return cut(uint32(-int32(len(b))), b)
}

// What a viewer must not do ends its connection with a reason, at once, and
// without the screen hearing of it.
func TestViewerHostile(t *testing.T) {
	format := func(change func(b []byte)) []byte {
		b := rfbtest.RGBX.Wire()
		change(b)
		return append([]byte{0, 0, 0, 0}, b...)
	}
	for name, c := range map[string]struct {
		send []byte
		want string
	}{
		"text instead of RFB":          {[]byte("GET / HTTP/1.1\r\n\r\n"), "instead of a version"},
		"version 2":                    {[]byte("RFB 002.002\n\x01\x01"), "instead of a version"},
		"security type 2":              {[]byte("RFB 003.008\n\x02\x01"), "security type 2"},
		"clipboard of 2 GB":            {append(shake, cut(0x7fffffff, nil)...), "clipboard of 2147483647 bytes"},
		"clipboard of minus 2 GB":      {append(shake, cut(0x80000000, nil)...), "clipboard of 2147483648 bytes"},
		"extended clipboard, no flags": {append(shake, cut(0xffffffff, []byte{1})...), "extended clipboard"},
		"extended clipboard, no zlib":  {append(shake, cut(uint32(0xfffffff0), append([]byte{0x10, 0, 0, 1}, make([]byte, 12)...))...), "extended clipboard"},
		"extended clipboard, lies":     {append(shake, extendedCut(100, []byte("short"))...), "extended clipboard"},
		"maximum 0":                    {append(shake, format(func(b []byte) { b[4], b[5] = 0, 0 })...), "maximum 0"},
		"shift 200":                    {append(shake, format(func(b []byte) { b[10] = 200 })...), "shifted by 200"},
		"colour map":                   {append(shake, format(func(b []byte) { b[3] = 0 })...), "colour map"},
		"fence of 65 bytes":            {append(shake, append([]byte{248, 0, 0, 0, 0x80, 0, 0, 0, 65}, make([]byte, 65)...)...), "fence with 65 bytes"},
		"unknown message":              {append(shake, 77), "message 77"},
		"unknown QEMU message":         {append(shake, 255, 1), "QEMU message 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(surface.NewFrame(64, 64))
			conn, sv := serve(t, s, rfb.Options{})
			go io.Copy(io.Discard, conn)
			conn.Write(c.send)
			if err := sv.wait(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ended by %v, want …%s…", err, c.want)
			}
			if got := s.got(); len(got) != 0 {
				t.Errorf("the screen was told %q", got)
			}
		})
	}
}

// What is odd but no harm is borne: the viewer sees the picture afterwards.
func TestViewerOdd(t *testing.T) {
	bomb := extendedCut(1<<30, make([]byte, 8<<20))
	many := []byte{2, 0, 0xff, 0xff}
	for i := range 65535 {
		many = binary.BigEndian.AppendUint32(many, uint32(1000+i))
	}
	screens := append([]byte{251, 0, 2, 0, 1, 0, 255, 0}, make([]byte, 255*16)...)
	for name, c := range map[string]struct {
		send []byte
		want []string
	}{
		"65,535 encodings":        {many, nil},
		"zlib bomb":               {bomb, nil},
		"clipboard above the cap": {cut(2<<20, make([]byte, 2<<20)), nil},
		"clipboard":               {cut(4, []byte("caf\xe9")), []string{`cut "café"`}},
		"extended clipboard":      {extendedCut(9, []byte("gr\u00fc\u00df\r\n\x00")), []string{"cut \"gr\u00fc\u00df\\n\""}},
		"extended, only a notice": {cut(uint32(0xfffffffc), []byte{0x08, 0, 0, 1}), nil},
		"request outside":         {[]byte{3, 0, 0xff, 0, 0xff, 0, 0xff, 0xff, 0xff, 0xff}, nil},
		"empty request":           {[]byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0}, nil},
		"255 screens":             {screens, []string{"size 512x256"}},
		"no screens":              {[]byte{251, 0, 2, 0, 1, 0, 0, 0}, nil},
		"xvp":                     {[]byte{250, 0, 1, 2}, nil},
		"pointer far outside":     {[]byte{5, 0, 0xff, 0xff, 0xff, 0xff}, []string{"pointer 63,63 0"}},
		"answer to no fence":      {[]byte{248, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4}, nil},
		"keysym 0":                {[]byte{4, 1, 0, 0, 0, 0, 0, 0, 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 99}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFrame(rfbtest.Text(64, 64, 1))
			s := newScreen(f)
			s.follow = false
			cl := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{})
			cl.Write(c.send)
			cl.Write([]byte{4, 1, 0, 0, 0, 0, 0, 'q'})
			s.expect(t, append(slices.Clone(c.want), "down 71")...)
			cl.SetEncodings()
			paint(f, rfbtest.Photo(64, 64, 2))
			if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Half a greeting and then silence is not waited for; half a message later is, for
// a viewer may be slow.
func TestViewerSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, start := range []string{"", "RFB 0", "RFB 003.008\n", "RFB 003.008\n\x01"} {
			server, client := net.Pipe()
			go io.Copy(io.Discard, client)
			go client.Write([]byte(start))
			began := time.Now()
			err := rfb.Serve(t.Context(), server, newScreen(surface.NewFrame(8, 8)), rfb.Options{})
			if took := time.Since(began); err == nil || took != 10*time.Second {
				t.Errorf("%q: ended after %v by %v", start, took, err)
			}
			client.Close()
		}
		server, client := net.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- rfb.Serve(t.Context(), server, newScreen(surface.NewFrame(8, 8)), rfb.Options{})
		}()
		cl, err := rfbtest.Connect(client, rfbtest.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // its own requests are through
		cl.Write([]byte{4, 1})
		time.Sleep(time.Hour)
		synctest.Wait()
		cl.Write([]byte{0, 0, 0, 0, 0, 'a'})
		synctest.Wait()
		if cl.Err() != nil {
			t.Error(cl.Err())
		}
		cl.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A viewer that asks for everything ten thousand times, or floods with fences, and
// reads nothing: no memory, and it can be ended. Another one is not held up.
func TestViewerFloods(t *testing.T) {
	f := newFrame(rfbtest.Mixed(640, 480, 1))
	s := newScreen(f)
	g := &rfb.Group{}
	good := connect(t, s, rfb.Options{Group: g}, rfbtest.ClientOptions{Encodings: with(7)})
	conn, sv := serve(t, s, rfb.Options{Group: g})
	conn.Write(shake)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	request := bytes.Repeat([]byte{3, 0, 0, 0, 0, 0, 2, 128, 1, 224}, 1000)
	for range 10 {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		scribble(f, r)
	}
	if err := good.WaitPicture(patience, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	sv.end()
	sv.wait(t)

	conn, sv = serve(t, s, rfb.Options{})
	conn.Write(shake)
	conn.Write([]byte{3, 0, 0, 0, 0, 0, 2, 128, 1, 224}) // 1.2 MB that nobody reads: the writer is stuck
	fence := []byte{248, 0, 0, 0, 0x80, 0, 0, 0, 0}
	go conn.Write(bytes.Repeat(fence, 5000))
	if err := sv.wait(t); err == nil || !strings.Contains(err.Error(), "fences at once") {
		t.Errorf("ended by %v", err)
	}
}

// Bytes may come one at a time, as in WebSocket frames of one byte.
func TestViewerByteByByte(t *testing.T) {
	s := newScreen(newFrame(rfbtest.Text(64, 64, 1)))
	server, client := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- rfb.Serve(t.Context(), server, s, rfb.Options{}) }()
	cl, err := rfbtest.Connect(oneByte{client}, rfbtest.ClientOptions{Encodings: with(16)})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := s.Frame()
	if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
		t.Error(err)
	}
	cl.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// oneByte writes and reads single bytes.
type oneByte struct{ net.Conn }

func (c oneByte) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

func (c oneByte) Read(b []byte) (int, error) { return c.Conn.Read(b[:min(1, len(b))]) }

// More keys than a keyboard has are not remembered.
func TestViewerManyKeys(t *testing.T) {
	s := newScreen(surface.NewFrame(8, 8))
	cl := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{})
	for k := range 1000 {
		cl.Key(true, uint32(0x1000+k))
	}
	cl.Pointer(1, 1, 0)
	limit := time.Now().Add(patience)
	for !slices.Contains(s.got(), "pointer 1,1 0") {
		if time.Now().After(limit) {
			t.Fatal("input got lost")
		}
		select {
		case <-s.wake:
		case <-time.After(time.Second):
		}
	}
	if n := len(s.got()); n != 65 {
		t.Errorf("%d events", n)
	}
}

// Viewers come and go, some slow, of all kinds, while the picture changes, is
// moved, gets other sizes and other desktops. At rest every one has exactly the
// picture, and equal viewers shared their updates.
func TestGroup(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	frames := []*surface.Frame{newFrame(rfbtest.Mixed(400, 300, 1)), newFrame(rfbtest.Text(400, 300, 2))}
	s := newScreen(frames[0])
	g := &rfb.Group{}
	kinds := [][]int32{with(0), with(16), with(7), with(7, rfbtest.Quality(6)), with(7, rfbtest.Quality(6)), {16, rfbtest.DesktopSize}, {7, 1, rfbtest.DesktopSize}}
	rounds, most := 12, 20
	if testing.Short() {
		rounds, most = 4, 8
	}
	var viewers []*rfbtest.Client
	join := func() {
		o := rfbtest.ClientOptions{Encodings: kinds[r.IntN(len(kinds))]}
		if r.IntN(5) == 0 {
			o.Limit = 2 << 20
		}
		if r.IntN(4) == 0 {
			o.Format = rfbtest.BGRX
		}
		viewers = append(viewers, connect(t, s, rfb.Options{Group: g}, o))
	}
	join()
	join()
	for round := range rounds {
		for range r.IntN(5) {
			if len(viewers) < most {
				join()
			}
		}
		if len(viewers) > 2 && r.IntN(2) == 0 {
			i := r.IntN(len(viewers))
			viewers[i].Close()
			viewers = slices.Delete(viewers, i, i+1)
		}
		f, _ := s.Frame()
		for range 1 + r.IntN(20) {
			scribble(f, r)
		}
		switch r.IntN(6) {
		case 0:
			w, h := 100+r.IntN(400), 100+r.IntN(300)
			f.Update(func(p *surface.Paint) { p.Resize(w, h) })
		case 1:
			f = frames[round%2]
			s.show(f)
			scribble(f, r)
		}
		if round%3 != 2 {
			continue
		}
		want := f.Snapshot()
		var wg sync.WaitGroup
		for i, v := range viewers {
			wg.Go(func() {
				if err := v.WaitPicture(patience, want); err != nil {
					t.Errorf("round %d, viewer %d of %d: %v", round, i, len(viewers), err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
	}
	made, shared := g.Shared()
	t.Logf("%d viewers at the end; updates encoded %d, shared %d more", len(viewers), made, shared)
}

// Twenty equal viewers of a moving picture cost about as many encodings as one.
func TestGroupShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFrame(rfbtest.Text(200, 150, 1))
		s := newScreen(f)
		g := &rfb.Group{}
		var wg sync.WaitGroup
		var viewers []*rfbtest.Client
		for range 20 {
			server, client := net.Pipe()
			wg.Go(func() { rfb.Serve(t.Context(), server, s, rfb.Options{Group: g}) })
			cl, err := rfbtest.Connect(client, rfbtest.ClientOptions{Encodings: with(7, rfbtest.Quality(6))})
			if err != nil {
				t.Fatal(err)
			}
			viewers = append(viewers, cl)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		madeBefore, sharedBefore := g.Shared()
		for n := range 50 {
			paint(f, rfbtest.Text(200, 150, uint64(n)))
			time.Sleep(40 * time.Millisecond)
		}
		synctest.Wait()
		made, shared := g.Shared()
		made, shared = made-madeBefore, shared-sharedBefore
		if made > 60 || shared < 19*45 {
			t.Errorf("50 pictures for 20 viewers: %d encoded, %d shared", made, shared)
		}
		for i, v := range viewers {
			v.See(func(d *rfbtest.Decoder) {
				if !bytes.Equal(d.Img.Pix, f.Snapshot().Pix) {
					t.Errorf("viewer %d has another picture", i)
				}
			})
			v.Close()
		}
		wg.Wait()
	})
}

// A slow viewer skips pictures, is sent less quality, and holds up nobody.
func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFrame(rfbtest.Photo(320, 240, 1))
		s := newScreen(f)
		var wg sync.WaitGroup
		var viewers []*rfbtest.Client
		for _, limit := range []int{0, 30 << 10} {
			server, client := net.Pipe()
			wg.Go(func() { rfb.Serve(t.Context(), server, s, rfb.Options{}) })
			cl, err := rfbtest.Connect(client, rfbtest.ClientOptions{Encodings: with(7, rfbtest.Quality(6)), Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			viewers = append(viewers, cl)
		}
		fast, slow := viewers[0], viewers[1]
		for n := range 100 {
			paint(f, rfbtest.Photo(320, 240, uint64(n%5)))
			time.Sleep(40 * time.Millisecond)
		}
		fastUpdates, fastBytes := fast.Stats()
		slowUpdates, slowBytes := slow.Stats()
		t.Logf("fast: %d updates, %d bytes; slow: %d, %d", fastUpdates, fastBytes, slowUpdates, slowBytes)
		if fastUpdates < 95 || slowUpdates < 5 || slowUpdates > 60 {
			t.Errorf("of 100 pictures the fast viewer got %d, the slow one %d", fastUpdates, slowUpdates)
		}
		if fastBytes*slowUpdates <= slowBytes*fastUpdates*11/10 {
			t.Errorf("the slow viewer's pictures are as large: %d bytes, the fast one's %d", slowBytes/slowUpdates, fastBytes/fastUpdates)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, v := range viewers {
			v.See(func(d *rfbtest.Decoder) {
				if !bytes.Equal(d.Img.Pix, f.Snapshot().Pix) {
					t.Errorf("viewer %d has another picture at rest", i)
				}
			})
			v.Close()
		}
		wg.Wait()
	})
}

// silent is a connection whose other end says b and then nothing more.
type silent struct {
	net.Conn
	r *bytes.Reader
}

func (c *silent) Read(b []byte) (int, error)         { return c.r.Read(b) }
func (c *silent) Write(b []byte) (int, error)        { return len(b), nil }
func (c *silent) Close() error                       { return nil }
func (c *silent) SetDeadline(time.Time) error        { return nil }
func (c *silent) SetReadDeadline(time.Time) error    { return nil }
func (c *silent) SetWriteDeadline(t time.Time) error { return nil }

// FuzzViewer: whatever a viewer sends, Serve ends without a panic, holds the keys
// balanced, and tells the screen nothing outside of it.
func FuzzViewer(f *testing.F) {
	f.Add(shake)
	f.Add(append(slices.Clone(shake), 4, 1, 0, 0, 0, 0, 0xff, 0xe3, 4, 1, 0, 0, 0, 0, 0xff, 0xe9, 4, 1, 0, 0, 0, 0, 0xff, 0xff, 5, 7, 0, 99, 0, 99))
	f.Add(append(slices.Clone(shake), append(extendedCut(3, []byte("hi\x00")), 3, 0, 0, 0, 0, 0, 0, 64, 0, 64)...))
	f.Add(append(slices.Clone(shake), 2, 0, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0xfe, 0xc8, 0xff, 0xff, 0xfe, 0xc7, 150, 1, 0, 0, 0, 0, 0, 9, 0, 9, 251, 0, 0, 99, 0, 99, 1, 0))
	f.Add(append(slices.Clone(shake), append([]byte{0, 0, 0, 0}, rfbtest.RGB565.Wire()...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &counting{screen: newScreen(surface.NewFrame(32, 32)), down: map[uint32]bool{}}
		rfb.Serve(t.Context(), &silent{r: bytes.NewReader(b)}, s, rfb.Options{})
		for k := range s.down {
			t.Errorf("key %x stays pressed", k)
		}
		if s.buttons != 0 {
			t.Errorf("buttons %x stay pressed", s.buttons)
		}
		if s.bad != "" {
			t.Error(s.bad)
		}
	})
}

// counting is a screen that checks what it is told.
type counting struct {
	*screen
	down    map[uint32]bool
	buttons uint8
	bad     string
}

func (c *counting) Key(down bool, k uint32) {
	if down {
		c.down[k] = true
	} else if !c.down[k] {
		c.bad = fmt.Sprintf("release of %x, which is not pressed", k)
	} else {
		delete(c.down, k)
	}
}

func (c *counting) Pointer(x, y int, b uint8) {
	c.buttons = b
	if f, _ := c.Frame(); x < 0 || y < 0 {
		c.bad = fmt.Sprintf("pointer at %d,%d", x, y)
	} else if w, h := f.Size(); x >= max(w, 32) || y >= max(h, 32) {
		c.bad = fmt.Sprintf("pointer at %d,%d of %dx%d", x, y, w, h)
	}
}

func (c *counting) SecureAttention() {
	if len(c.down) != 0 || c.buttons != 0 {
		c.bad = "attention with keys pressed"
	}
}

func (c *counting) SetSize(w, h int) error {
	if !surface.ValidSize(w, h) {
		c.bad = fmt.Sprintf("size %dx%d", w, h)
	}
	return nil
}

// FuzzBackend: whatever an X server sends, the connection ends with a reason and
// without a panic, and the frame stays within bounds.
func FuzzBackend(f *testing.F) {
	hello := append([]byte("RFB 003.008\n\x01\x01\x00\x00\x00\x00\x00\x40\x00\x40"), rfbtest.BGRX.Wire()...)
	hello = append(hello, 0, 0, 0, 0)
	add := func(b ...[]byte) { f.Add(append(slices.Clone(hello), bytes.Join(b, nil)...)) }
	f.Add([]byte("RFB 003.003\n"))
	add([]byte{0, 0, 0, 2}, rect(1, 1, 2, 2, 0), make([]byte, 16), rect(0, 0, 30, 30, 1), []byte{0, 3, 0, 3})
	add([]byte{0, 0, 0, 1}, extended(0, 0, 100, 80), []byte{2, 3, 0, 0, 0, 0, 0, 0, 1, 'x'})
	add([]byte{0, 0, 0, 2}, rect(1, 1, 3, 2, rfbtest.CursorShape), make([]byte, 26), rect(0, 0, 0, 0, -261), []byte{7})
	add([]byte{0, 0, 0xff, 0xff}, rect(0, 0, 10, 10, rfbtest.DesktopSize), rect(0, 0, 65535, 65535, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame := surface.NewFrame(16, 16)
		w := frame.Watch()
		defer w.Close()
		c, err := rfb.Backend(t.Context(), &slowStart{silent: silent{r: bytes.NewReader(b)}, asked: make(chan struct{}), closed: make(chan struct{})}, frame, rfb.BackendOptions{})
		if err != nil {
			return
		}
		<-c.Done()
		if c.Err() == nil {
			t.Error("ended without a reason")
		}
		c.Close()
		if w, h := frame.Size(); !surface.ValidSize(w, h) {
			t.Errorf("the frame is %dx%d", w, h)
		}
		img := frame.Snapshot()
		for i := 3; i < len(img.Pix); i += 4 {
			if img.Pix[i] != 255 {
				t.Fatal("the frame is not opaque")
			}
		}
	})
}

// slowStart says only once it was asked for an update what comes after the
// handshake, so that it is not refused as not asked for.
type slowStart struct {
	silent
	asked, closed chan struct{}
	once, end     sync.Once
	ready         atomic.Bool // the handshake is over
}

func (c *slowStart) Write(b []byte) (int, error) {
	if len(b) >= 20+4 && b[0] == 0 { // the settings
		c.ready.Store(true)
	}
	if c.ready.Load() && b[0] == 3 {
		c.once.Do(func() { close(c.asked) })
	}
	return len(b), nil
}

func (c *slowStart) Close() error {
	c.end.Do(func() { close(c.closed) })
	return nil
}

func (c *slowStart) Read(b []byte) (int, error) {
	if !c.ready.Load() {
		return c.r.Read(b[:min(len(b), 1)])
	}
	select {
	case <-c.asked:
	case <-c.closed:
		return 0, net.ErrClosed
	}
	return c.r.Read(b)
}
