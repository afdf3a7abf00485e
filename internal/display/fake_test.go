// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"stationmaster/internal/display"
	"stationmaster/internal/host"
	"stationmaster/internal/surface"
	"stationmaster/internal/xserver"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestMain(m *testing.M) {
	if host.IsHolder(os.Args) {
		os.Exit(host.HolderMain(os.Args))
	}
	goleak.VerifyTestMain(m)
}

// fakeServer is an X server without a process.
type fakeServer struct {
	name    string
	display int
	done    chan struct{}
	once    sync.Once
	mu      sync.Mutex
	err     error // guarded by mu
	closed  bool  // guarded by mu
}

func (f *fakeServer) Env() []string { return []string{fmt.Sprintf("DISPLAY=:%d", f.display)} }
func (f *fakeServer) State() string { return fmt.Sprintf("fake %d", f.display) }
func (f *fakeServer) Dial(ctx context.Context) (net.Conn, error) {
	a, b := net.Pipe()
	b.Close()
	return a, nil
}
func (f *fakeServer) Done() <-chan struct{} { return f.done }
func (f *fakeServer) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
func (f *fakeServer) die(err error) {
	f.once.Do(func() {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
		close(f.done)
	})
}
func (f *fakeServer) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.die(errors.New("closed"))
}

// fakeBackend writes down what it is sent and paints its frame in one colour.
type fakeBackend struct {
	frame  *surface.Frame
	done   chan struct{}
	synced chan struct{}
	once   sync.Once
	mu     sync.Mutex
	got    []string // guarded by mu
	err    error    // guarded by mu
}

func (b *fakeBackend) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, fmt.Sprintf(format, args...))
}
func (b *fakeBackend) Key(down bool, k uint32) {
	if down {
		b.note("down %c", rune(k))
	} else {
		b.note("up %c", rune(k))
	}
}
func (b *fakeBackend) Pointer(x, y int, buttons uint8) { b.note("at %d,%d %d", x, y, buttons) }
func (b *fakeBackend) SetSize(_ context.Context, w, h int) error {
	b.frame.Update(func(p *surface.Paint) { p.Resize(w, h) })
	b.note("size %dx%d", w, h)
	return nil
}
func (b *fakeBackend) Synced() <-chan struct{} { return b.synced }
func (b *fakeBackend) Done() <-chan struct{}   { return b.done }
func (b *fakeBackend) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
func (b *fakeBackend) fail(err error) {
	b.once.Do(func() {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
		close(b.done)
	})
}
func (b *fakeBackend) Close() { b.fail(nil) }

// take gives what was sent since the last take.
func (b *fakeBackend) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// world is a manager whose X servers are fakes. It lives in a synctest bubble.
type world struct {
	t *testing.T
	m *display.Manager

	mu       sync.Mutex
	servers  []*fakeServer           // guarded by mu
	backends map[string]*fakeBackend // guarded by mu; the newest, by name of the desktop
	dials    int                     // guarded by mu
	startErr error                   // guarded by mu
	dropped  []display.Dropped       // guarded by mu
	sas      []uint32                // guarded by mu
}

// fakeSession is a host session in which nothing runs.
type fakeSession struct {
	station.HostSession
	xserver.Session
}

func (fakeSession) Spawn(context.Context, station.ProcessSpec) (station.HostProcess, error) {
	return nil, errors.ErrUnsupported
}
func (fakeSession) Processes() []station.HostProcess { return nil }
func (fakeSession) Done() <-chan struct{}            { return nil }

var palette = []color.RGBA{{200, 30, 30, 255}, {30, 200, 30, 255}, {30, 30, 200, 255}, {200, 200, 30, 255}}

func bubble(t *testing.T, fn func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, backends: map[string]*fakeBackend{}}
		w.m = display.New(display.Options{
			DefaultKind: station.SurfaceX11, Width: 640, Height: 400, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			StartServer: func(ctx context.Context, o xserver.Options) (display.XServer, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if w.startErr != nil {
					return nil, w.startErr
				}
				f := &fakeServer{name: o.Name, display: len(w.servers) + 1, done: make(chan struct{})}
				w.servers = append(w.servers, f)
				return f, nil
			},
			AdoptServer: func(_ xserver.Session, state string, _ *slogLogger) (display.XServer, error) {
				return nil, fmt.Errorf("cannot adopt %q", state)
			},
			Connect: func(ctx context.Context, c net.Conn, f *surface.Frame, _ *image.Point) (display.Backend, error) {
				c.Close()
				w.mu.Lock()
				defer w.mu.Unlock()
				b := &fakeBackend{frame: f, done: make(chan struct{}), synced: make(chan struct{})}
				close(b.synced)
				w.dials++
				w.backends[fmt.Sprint(len(w.servers))] = b
				f.Update(func(p *surface.Paint) {
					draw.Draw(p.Image(), p.Image().Bounds(), image.NewUniform(palette[len(w.servers)%len(palette)]), image.Point{}, draw.Src)
					p.Damage(p.Image().Bounds())
				})
				return b, nil
			},
		})
		w.m.OnDropped(func(d display.Dropped) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.dropped = append(w.dropped, d)
		})
		w.m.OnSecureAttention(func(id uint32) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sas = append(w.sas, id)
		})
		fn(t, w)
		w.m.Close()
		synctest.Wait()
	})
}

func (w *world) desktop(session uint32, stationName, name string) station.Surface {
	w.t.Helper()
	f, err := w.m.NewSurface(w.t.Context(), station.SurfaceSpec{
		SessionID: session, Session: fakeSession{}, Station: stationName, Desktop: name,
		Secure: name == "Winlogon" || name == "Screen-saver",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// session makes the desktops every session has, Default active.
func (w *world) session(id uint32) {
	for _, name := range []string{"Winlogon", "Default", "Screen-saver", "Disconnect"} {
		w.desktop(id, "WinSta0", name)
	}
	w.m.Switch(id, "WinSta0", "Default")
}

// backend gives the way to the newest X server.
func (w *world) backend() *fakeBackend {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.backends[fmt.Sprint(len(w.servers))]
	if b == nil {
		w.t.Fatal("no X server is connected")
	}
	return b
}

func (w *world) wantSent(b *fakeBackend, want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := b.take(); !slices.Equal(got, want) {
		w.t.Errorf("the X server got %q, want %q", got, want)
	}
}

func (w *world) takeDropped() (events int, rules []string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.dropped {
		events += d.Events
		rules = append(rules, d.Rule)
	}
	w.dropped = nil
	return events, rules
}

// watcher looks at a session as a served viewer does.
type watcher struct {
	v     *display.Viewer
	stop  chan struct{}
	done  chan struct{}
	mu    sync.Mutex
	frame *surface.Frame // guarded by mu
}

func (w *world) watch(session uint32, o display.ViewerOptions) *watcher {
	x := &watcher{v: w.m.Viewer(session, o), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(x.done)
		for {
			f, changed := x.v.Frame()
			x.mu.Lock()
			x.frame = f
			x.mu.Unlock()
			watch := f.Watch()
			for again := true; again; {
				select {
				case <-watch.Ready():
					watch.Take(func(*image.RGBA, surface.Damage) {})
				case <-changed:
					again = false
				case <-x.stop:
					watch.Close()
					return
				}
			}
			watch.Close()
		}
	}()
	synctest.Wait()
	return x
}

func (x *watcher) leave() {
	close(x.stop)
	<-x.done
	synctest.Wait()
}

// picture is what the viewer sees now.
func (x *watcher) picture() *image.RGBA {
	synctest.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.frame.Snapshot()
}

func wantCode(t *testing.T, what string, err error, code win32.Errno, rule string) {
	t.Helper()
	var e *win32.Error
	if !errors.As(err, &e) || e.Code != code || rule != "" && e.Rule != rule {
		t.Errorf("%s: %v, want %d by %s", what, err, code, rule)
	}
}
