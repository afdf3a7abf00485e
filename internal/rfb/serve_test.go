// SPDX-License-Identifier: Apache-2.0

package rfb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"stationmaster/conform"
	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// screen is a Screen that writes down what is asked of it.
type screen struct {
	mu      sync.Mutex
	frame   *surface.Frame
	changed chan struct{}
	log     []string
	refuse  error
	follow  bool // SetSize resizes the frame
	wake    chan struct{}
}

func newScreen(f *surface.Frame) *screen {
	return &screen{frame: f, changed: make(chan struct{}), wake: make(chan struct{}, 1), follow: true}
}

func (s *screen) note(format string, args ...any) {
	s.mu.Lock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *screen) Frame() (*surface.Frame, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frame, s.changed
}

func (s *screen) show(f *surface.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.frame, s.changed = f, make(chan struct{})
}

func (s *screen) Key(down bool, k uint32) {
	s.note("%s %x", map[bool]string{true: "down", false: "up"}[down], k)
}
func (s *screen) Pointer(x, y int, b uint8) { s.note("pointer %d,%d %d", x, y, b) }
func (s *screen) SecureAttention()          { s.note("attention") }
func (s *screen) CutText(t string) {
	if len(t) > 40 {
		t = fmt.Sprintf("%d bytes", len(t))
	}
	s.note("cut %q", t)
}
func (s *screen) Name() string { return "alice on WinSta0" }
func (s *screen) SetSize(w, h int) error {
	s.note("size %dx%d", w, h)
	if s.refuse != nil {
		return s.refuse
	}
	if s.follow {
		f, _ := s.Frame()
		f.Update(func(p *surface.Paint) { p.Resize(w, h) })
	}
	return nil
}

func (s *screen) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// expect waits until the log is want.
func (s *screen) expect(t *testing.T, want ...string) {
	t.Helper()
	limit := time.After(patience)
	for !slices.Equal(s.got(), want) {
		select {
		case <-s.wake:
		case <-limit:
			t.Fatalf("the screen was told\n %q, want\n %q", s.got(), want)
		}
	}
}

// socketpair gives the two ends of a Unix stream.
func socketpair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := func(fd int) net.Conn {
		f := os.NewFile(uintptr(fd), "socketpair")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return conn(fds[0]), conn(fds[1])
}

// serving is a running Serve.
type serving struct {
	done chan struct{}
	err  error
	end  context.CancelFunc
}

func serve(t testing.TB, s rfb.Screen, o rfb.Options) (net.Conn, *serving) {
	t.Helper()
	server, client := socketpair(t)
	ctx, cancel := context.WithCancel(t.Context())
	sv := &serving{done: make(chan struct{}), end: cancel}
	go func() {
		defer close(sv.done)
		sv.err = rfb.Serve(ctx, server, s, o)
	}()
	t.Cleanup(func() {
		cancel()
		client.Close()
		<-sv.done
	})
	return client, sv
}

// wait gives how Serve ended.
func (s *serving) wait(t testing.TB) error {
	t.Helper()
	select {
	case <-s.done:
		return s.err
	case <-time.After(patience):
		t.Fatal("Serve does not end")
		return nil
	}
}

func connect(t testing.TB, s rfb.Screen, o rfb.Options, co rfbtest.ClientOptions) *rfbtest.Client {
	t.Helper()
	c, _ := serve(t, s, o)
	cl, err := rfbtest.Connect(c, co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func newFrame(img *image.RGBA) *surface.Frame {
	f := surface.NewFrame(img.Rect.Dx(), img.Rect.Dy())
	paint(f, img)
	return f
}

func paint(f *surface.Frame, img *image.RGBA) {
	f.Update(func(p *surface.Paint) {
		p.Resize(img.Rect.Dx(), img.Rect.Dy())
		copy(p.Image().Pix, img.Pix)
		p.Damage(img.Rect)
	})
}

// scribble changes the frame at random: text, photos, fills and moves.
func scribble(f *surface.Frame, r *rand.Rand) {
	f.Update(func(p *surface.Paint) {
		b := p.Image().Rect
		at := image.Pt(r.IntN(b.Dx()), r.IntN(b.Dy()))
		size := image.Pt(1+r.IntN(b.Dx()), 1+r.IntN(b.Dy()/2+1))
		area := image.Rectangle{Min: at, Max: at.Add(size)}.Intersect(b)
		switch r.IntN(4) {
		case 0:
			p.Copy(area, image.Pt(r.IntN(b.Dx()), r.IntN(b.Dy())))
			return
		case 1:
			draw.Draw(p.Image(), area, rfbtest.Text(area.Dx(), area.Dy(), r.Uint64()), image.Point{}, draw.Src)
		case 2:
			draw.Draw(p.Image(), area, rfbtest.Photo(area.Dx(), area.Dy(), r.Uint64()), image.Point{}, draw.Src)
		default:
			draw.Draw(p.Image(), area, image.White, image.Point{}, draw.Src)
		}
		p.Damage(area)
	})
}

var everything = []int32{1, rfbtest.DesktopSize, rfbtest.ExtendedDesktopSize, rfbtest.LastRect, rfbtest.CursorShape, rfbtest.Fence, rfbtest.Continuous}

func with(encodings ...int32) []int32 { return append(encodings, everything...) }

// Each kind of viewer ends with exactly the frame's picture, while it changes and
// gets other sizes.
func TestIdentity(t *testing.T) {
	kinds := map[string]rfbtest.ClientOptions{
		"raw only, 3.3":        {Version: "003.003"},
		"raw only, 3.7":        {Version: "003.007", Encodings: []int32{rfbtest.DesktopSize}},
		"raw, all else":        {Encodings: with(0)},
		"zrle":                 {Encodings: with(16)},
		"zrle, plain":          {Encodings: []int32{16, rfbtest.DesktopSize}},
		"zrle, bgrx":           {Encodings: with(16, 0), Format: rfbtest.BGRX},
		"tight, no loss":       {Encodings: with(7)},
		"tight as noVNC":       {Encodings: with(7, 16, 0, rfbtest.Quality(6))},
		"tight, low, bgrx":     {Encodings: with(7, rfbtest.Quality(2)), Format: rfbtest.BGRX},
		"tight without extras": {Encodings: []int32{7, 1, rfbtest.Quality(6), rfbtest.DesktopSize}},
	}
	for name, o := range kinds {
		t.Run(name, func(t *testing.T) {
			f := newFrame(rfbtest.Mixed(320, 240, 1))
			cl := connect(t, newScreen(f), rfb.Options{Gradient: true}, o)
			if cl.Name != "alice on WinSta0" {
				t.Errorf("name %q", cl.Name)
			}
			r := rand.New(rand.NewPCG(7, 7))
			for range 4 {
				for range 12 {
					scribble(f, r)
				}
				if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
					t.Fatal(err)
				}
			}
			if len(o.Encodings) > 0 { // can follow a size
				paint(f, rfbtest.Mixed(200, 333, 2))
				if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
					t.Fatal(err)
				}
			}
			cl.See(func(d *rfbtest.Decoder) { t.Log(d.Counts) })
		})
	}
}

// Formats with fewer colours get the nearest ones.
func TestFewColours(t *testing.T) {
	for name, format := range map[string]rfbtest.Format{"565": rfbtest.RGB565, "233": rfbtest.BGR233} {
		for _, enc := range []int32{0, 16, 7} {
			t.Run(fmt.Sprintf("%s/%d", name, enc), func(t *testing.T) {
				img := rfbtest.Mixed(200, 150, 3)
				want := image.NewRGBA(img.Rect)
				for y := range 150 {
					for x := range 200 {
						want.SetRGBA(x, y, format.Lossy(img.RGBAAt(x, y)))
					}
				}
				// Tight falls back to ZRLE.
				cl := connect(t, newScreen(newFrame(img)), rfb.Options{}, rfbtest.ClientOptions{Format: format, Encodings: []int32{enc, 16}})
				if err := cl.WaitPicture(patience, want); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// With JPEG the first picture is near (35 dB), and after a rest it is exact.
func TestLosslessRefresh(t *testing.T) {
	img := rfbtest.Photo(640, 480, 5)
	f := newFrame(img)
	cl := connect(t, newScreen(f), rfb.Options{}, rfbtest.ClientOptions{Encodings: with(7, rfbtest.Quality(6))})
	var first float64
	err := cl.WaitFor(patience, func(d *rfbtest.Decoder) bool {
		first = rfbtest.PSNR(d.Img, img, img.Rect)
		return first >= 35
	})
	if err != nil {
		t.Fatalf("%.1f dB: %v", first, err)
	}
	if first > 90 {
		t.Errorf("the first picture was sent without loss (%.1f dB)", first)
	}
	if err := cl.WaitPicture(patience, img); err != nil {
		t.Fatal(err)
	}
}

// A move costs a few bytes, not the pixels.
func TestCopyRect(t *testing.T) {
	f := newFrame(rfbtest.Mixed(640, 480, 5))
	cl := connect(t, newScreen(f), rfb.Options{}, rfbtest.ClientOptions{Encodings: with(16)})
	if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	_, before := cl.Stats()
	f.Update(func(p *surface.Paint) { p.Copy(image.Rect(10, 10, 600, 400), image.Pt(20, 50)) })
	if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if _, after := cl.Stats(); after-before > 100 {
		t.Errorf("the move cost %d bytes", after-before)
	}
}

// A still picture costs nothing at all: an hour passes without a byte.
func TestStillPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFrame(rfbtest.Photo(320, 240, 5))
		server, client := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rfb.Serve(t.Context(), server, newScreen(f), rfb.Options{})
		}()
		cl, err := rfbtest.Connect(client, rfbtest.ClientOptions{Encodings: with(7, rfbtest.Quality(6))})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // the refresh included
		synctest.Wait()
		cl.See(func(d *rfbtest.Decoder) {
			if !bytes.Equal(d.Img.Pix, f.Snapshot().Pix) || d.Counts["jpeg"] == 0 {
				t.Errorf("the picture is not there: %v", d.Counts)
			}
		})
		updates, bytes := cl.Stats()
		time.Sleep(time.Hour)
		synctest.Wait()
		if u, b := cl.Stats(); u != updates || b != bytes {
			t.Errorf("%d updates and %d bytes for a picture that stands still", u-updates, b-bytes)
		}
		// Changes that go on are paced: a second of them is at most 60 updates.
		for range 1000 {
			f.Update(func(p *surface.Paint) { p.Damage(image.Rect(0, 0, 8, 8)) })
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if u, _ := cl.Stats(); u-updates < 50 || u-updates > 62 {
			t.Errorf("%d updates in a second of changes", u-updates)
		}
		cl.Close()
		<-ended
	})
}

func TestDesktopSwitch(t *testing.T) {
	conform.Rule(t, "DT-48", "IN-1")
	a, b := newFrame(rfbtest.Text(320, 240, 1)), newFrame(rfbtest.Mixed(400, 200, 2))
	s := newScreen(a)
	cl := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{Encodings: with(7)})
	if err := cl.WaitPicture(patience, a.Snapshot()); err != nil {
		t.Fatal(err)
	}
	cl.Key(true, 'a')
	cl.Pointer(5, 6, 1)
	s.expect(t, "down 61", "pointer 5,6 1")
	s.show(b)
	if err := cl.WaitPicture(patience, b.Snapshot()); err != nil {
		t.Fatal(err)
	}
	// Released on the switch; what is still held does nothing on the new desktop
	// until let go.
	s.expect(t, "down 61", "pointer 5,6 1", "up 61", "pointer 5,6 0")
	cl.Key(true, 'a')
	cl.Pointer(7, 8, 1)
	cl.Key(false, 'a')
	cl.Pointer(7, 8, 0)
	cl.Pointer(7, 8, 1)
	cl.Key(true, 'a')
	s.expect(t, "down 61", "pointer 5,6 1", "up 61", "pointer 5,6 0", "pointer 7,8 0", "pointer 7,8 0", "pointer 7,8 1", "down 61")
	if a.Watched() {
		t.Error("the old desktop is still watched")
	}
	s.show(a)
	if err := cl.WaitPicture(patience, a.Snapshot()); err != nil {
		t.Fatal(err)
	}
	cl.Close()
}

// Leaving releases everything and stops watching.
func TestLeaving(t *testing.T) {
	f := newFrame(rfbtest.Text(64, 64, 1))
	s := newScreen(f)
	c, sv := serve(t, s, rfb.Options{})
	cl, err := rfbtest.Connect(c, rfbtest.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cl.Key(true, 'x')
	cl.Pointer(100, 3, 4) // beyond the border
	s.expect(t, "down 78", "pointer 63,3 4")
	cl.Close()
	if err := sv.wait(t); err != nil {
		t.Errorf("a viewer that left is an error: %v", err)
	}
	s.expect(t, "down 78", "pointer 63,3 4", "up 78", "pointer 63,3 0")
	if f.Watched() {
		t.Error("still watched")
	}

	c, sv = serve(t, s, rfb.Options{})
	cl, err = rfbtest.Connect(c, rfbtest.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	sv.end()
	if err := sv.wait(t); !errors.Is(err, context.Canceled) {
		t.Errorf("the end of ctx gives %v", err)
	}
}

func TestSecureAttention(t *testing.T) {
	conform.Rule(t, "IN-7", "LGN-14")
	const ctrlL, ctrlR, altL, altR, level3, del, kpDel = 0xffe3, 0xffe4, 0xffe9, 0xffea, 0xfe03, 0xffff, 0xff9f
	type event struct {
		down bool
		key  uint32
	}
	for name, c := range map[string]struct {
		events []event
		want   []string
	}{
		"left": {[]event{{true, ctrlL}, {true, altL}, {true, del}, {false, del}, {false, altL}, {false, ctrlL}, {true, 'a'}},
			[]string{"down ffe3", "down ffe9", "up ffe3", "up ffe9", "attention", "down 61"}},
		"right, other order, keypad": {[]event{{true, altR}, {true, ctrlR}, {true, kpDel}, {false, ctrlR}, {false, kpDel}, {false, altR}, {true, 'a'}},
			[]string{"down ffea", "down ffe4", "up ffe4", "up ffea", "attention", "down 61"}},
		"repeats": {[]event{{true, ctrlL}, {true, ctrlL}, {true, altL}, {true, altL}, {true, del}, {true, del}, {true, del}, {true, ctrlL}, {true, altL}, {false, del}, {true, del}, {false, del}, {false, ctrlL}, {false, altL}, {true, del}},
			[]string{"down ffe3", "down ffe3", "down ffe9", "down ffe9", "up ffe3", "up ffe9", "attention", "attention", "down ffff"}},
		"delete first, then repeated": {[]event{{true, del}, {true, ctrlL}, {true, altL}, {true, del}},
			[]string{"down ffff", "down ffe3", "down ffe9", "up ffe3", "up ffe9", "up ffff", "attention"}},
		"AltGr":         {[]event{{true, ctrlR}, {true, level3}, {true, del}}, []string{"down ffe4", "down fe03", "up ffe4", "up fe03", "attention"}},
		"no alt":        {[]event{{true, ctrlL}, {true, del}}, []string{"down ffe3", "down ffff"}},
		"alt let go":    {[]event{{true, ctrlL}, {true, altL}, {false, altL}, {true, del}}, []string{"down ffe3", "down ffe9", "up ffe9", "down ffff"}},
		"stray release": {[]event{{false, del}, {false, 'x'}, {true, 'a'}}, []string{"down 61"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(surface.NewFrame(64, 64))
			cl := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{})
			for _, e := range c.events {
				cl.Key(e.down, e.key)
			}
			limit := time.Now().Add(patience)
			for len(s.got()) < len(c.want) && time.Now().Before(limit) {
				select {
				case <-s.wake:
				case <-time.After(time.Second):
				}
			}
			got := s.got()
			// Releases come in any order.
			norm := func(l []string) []string {
				l = slices.Clone(l)
				for i := 0; i < len(l); i++ {
					j := i
					for j < len(l) && l[j][0] == 'u' {
						j++
					}
					slices.Sort(l[i:j])
					i = j
				}
				return l
			}
			if !slices.Equal(norm(got), norm(c.want)) {
				t.Errorf("the desktop was told\n %q, want\n %q", got, c.want)
			}
		})
	}
	t.Run("QEMU events", func(t *testing.T) {
		s := newScreen(surface.NewFrame(64, 64))
		cl := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{})
		for _, e := range []struct{ keysym, scan uint32 }{{ctrlL, 0x1d}, {0, 0x38}, {0, 0xd3}} {
			b := []byte{255, 0, 0, 1, 0, 0, byte(e.keysym >> 8), byte(e.keysym), 0, 0, 0, byte(e.scan)}
			cl.Write(b)
		}
		limit := time.Now().Add(patience)
		for !slices.Contains(s.got(), "attention") {
			if time.Now().After(limit) {
				t.Fatalf("told %q", s.got())
			}
			select {
			case <-s.wake:
			case <-time.After(time.Second):
			}
		}
	})
}

func TestResizeByViewer(t *testing.T) {
	f := newFrame(rfbtest.Text(320, 240, 1))
	s := newScreen(f)
	cl := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{Encodings: with(16)})
	other := connect(t, s, rfb.Options{}, rfbtest.ClientOptions{Encodings: with(16)})
	last := func(want rfbtest.Resize) {
		t.Helper()
		err := cl.WaitState(patience, func(s rfbtest.State) bool {
			return len(s.Resizes) > 0 && s.Resizes[len(s.Resizes)-1] == want
		})
		if err != nil {
			t.Fatalf("want %v at the end: %v", want, err)
		}
	}
	last(rfbtest.Resize{Reason: 0, Status: 0, W: 320, H: 240}) // tells that it can be asked
	cl.SetSize(500, 300)
	last(rfbtest.Resize{Reason: 1, Status: 0, W: 500, H: 300})
	for _, c := range []*rfbtest.Client{cl, other} {
		if err := c.WaitPicture(patience, f.Snapshot()); err != nil {
			t.Fatal(err)
		}
	}
	if r := other.State().Resizes; r[len(r)-1] != (rfbtest.Resize{Reason: 0, Status: 0, W: 500, H: 300}) {
		t.Errorf("the other viewer was told %v", r)
	}
	cl.SetSize(500, 300) // the same once more: still an answer
	last(rfbtest.Resize{Reason: 1, Status: 0, W: 500, H: 300})
	for _, bad := range [][2]int{{0, 0}, {65535, 65535}, {4097, 100}, {100, 2305}} {
		cl.SetSize(bad[0], bad[1])
		last(rfbtest.Resize{Reason: 1, Status: 3, W: 500, H: 300})
	}
	s.mu.Lock()
	s.refuse = errors.New("no")
	s.mu.Unlock()
	cl.SetSize(640, 480)
	last(rfbtest.Resize{Reason: 1, Status: 1, W: 500, H: 300})
	for range 20 {
		cl.SetSize(700, 500)
	}
	last(rfbtest.Resize{Reason: 1, Status: 2, W: 500, H: 300})
	n := 0
	for _, l := range s.got() {
		if l == "size 700x500" {
			n++
		}
	}
	if n > 8 {
		t.Errorf("%d of 20 wishes within a second reached the screen", n)
	}
}

// A viewer that cannot change its size sees what fits; the rest is black.
func TestFixedViewer(t *testing.T) {
	f := newFrame(rfbtest.Text(320, 240, 1))
	cl := connect(t, newScreen(f), rfb.Options{}, rfbtest.ClientOptions{Encodings: []int32{7, 1}})
	if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for _, size := range []image.Point{{200, 300}, {400, 100}, {500, 500}, {10, 10}, {320, 240}} {
		paint(f, rfbtest.Mixed(size.X, size.Y, 3))
		f.Update(func(p *surface.Paint) { p.Copy(image.Rect(0, 0, 50, 50), image.Pt(5, 5)) })
		want := image.NewRGBA(image.Rect(0, 0, 320, 240))
		draw.Draw(want, want.Rect, image.Black, image.Point{}, draw.Src)
		draw.Draw(want, want.Rect, f.Snapshot(), image.Point{}, draw.Src)
		if size.X < 320 || size.Y < 240 {
			draw.Draw(want, image.Rect(size.X, 0, 320, 240), image.Black, image.Point{}, draw.Src)
			draw.Draw(want, image.Rect(0, size.Y, 320, 240), image.Black, image.Point{}, draw.Src)
		}
		if err := cl.WaitPicture(patience, want); err != nil {
			t.Fatalf("%v: %v", size, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	f := newFrame(rfbtest.Text(320, 240, 1))
	s := newScreen(f)
	cl := connect(t, s, rfb.Options{ReadOnly: true}, rfbtest.ClientOptions{Encodings: with(16)})
	cl.Key(true, 0xffe3)
	cl.Key(true, 0xffe9)
	cl.Key(true, 0xffff)
	cl.Pointer(1, 1, 1)
	cl.Write([]byte{6, 0, 0, 0, 0, 0, 0, 2, 'h', 'i'})
	cl.Write([]byte{255, 0, 0, 1, 0, 0, 0, 'a', 0, 0, 0, 30})
	cl.SetSize(100, 100)
	refused := rfbtest.Resize{Reason: 1, Status: 1, W: 320, H: 240}
	if err := cl.WaitState(patience, func(s rfbtest.State) bool { return slices.Contains(s.Resizes, refused) }); err != nil {
		t.Fatal(err)
	}
	paint(f, rfbtest.Photo(320, 240, 4))
	if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if got := s.got(); len(got) != 0 {
		t.Errorf("a view-only viewer did %q", got)
	}
}

func TestFencesAndContinuous(t *testing.T) {
	f := newFrame(rfbtest.Text(320, 240, 1))
	cl := connect(t, newScreen(f), rfb.Options{}, rfbtest.ClientOptions{Encodings: with(16)})
	cl.Write(append([]byte{248, 0, 0, 0, 0x80, 0, 0, 7, 3}, "abc"...))
	err := cl.WaitState(patience, func(s rfbtest.State) bool { return len(s.Fences) > 0 && s.ContEnds > 0 && s.Cursors > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if st := cl.State(); !bytes.Equal(st.Fences[0], []byte("abc")) || st.ContEnds != 1 || st.Cursors != 1 {
		t.Errorf("got %+v", st)
	}
	// Updates come without being asked for.
	r := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		scribble(f, r)
		if err := cl.WaitPicture(patience, f.Snapshot()); err != nil {
			t.Fatal(err)
		}
	}
	cl.Write([]byte{150, 0, 0, 0, 0, 0, 1, 0, 1, 0})
	if err := cl.WaitState(patience, func(s rfbtest.State) bool { return s.ContEnds == 2 }); err != nil {
		t.Fatal(err)
	}
}
