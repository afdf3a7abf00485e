// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"bytes"
	"errors"
	"image"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/display"
	"stationmaster/station"
	"stationmaster/win32"
)

type slogLogger = slog.Logger

var (
	person = display.ViewerOptions{Person: true, Name: "person"}
	robot  = display.ViewerOptions{Name: "robot"}
)

func TestViewerFollowsSwitch(t *testing.T) {
	conform.Rule(t, "DT-48", "DT-51")
	bubble(t, func(t *testing.T, w *world) {
		x := w.watch(1, person) // before there is such a session
		defer x.leave()
		w.session(1)
		y := w.watch(1, person)
		defer y.leave()
		red := y.picture()
		if got := red.RGBAAt(5, 5); got != palette[1] {
			t.Errorf("Default shows %v", got)
		}
		w.m.Switch(1, "WinSta0", "Winlogon")
		if got := y.picture().RGBAAt(5, 5); got == palette[1] {
			t.Error("Default is still seen")
		}
		w.m.Switch(1, "WinSta0", "Default")
		if !bytes.Equal(y.picture().Pix, red.Pix) {
			t.Error("another picture after switching there and back")
		}
		// A desktop of another station is never shown.
		w.desktop(1, "Service-0x0-3e7$", "Default")
		w.m.Switch(1, "Service-0x0-3e7$", "Default")
		none := y.picture()
		w.m.Switch(1, "WinSta0", "NoSuch")
		if !bytes.Equal(none.Pix, y.picture().Pix) {
			t.Error("a desktop that is not interactive is shown")
		}
		// But a picture of it can be taken.
		if _, err := w.m.Capture(t.Context(), 1, "Service-0x0-3e7$", "Default"); err != nil {
			t.Error(err)
		}
		// One that is made after it was switched to is shown then.
		w.desktop(1, "WinSta0", "NoSuch")
		if bytes.Equal(none.Pix, y.picture().Pix) {
			t.Error("the desktop is not shown when it comes")
		}
		w.m.EndSession(1)
		if bytes.Equal(none.Pix, y.picture().Pix) {
			t.Error("the viewer does not see that the session has ended")
		}
	})
}

func TestNobodyWatches(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		synctest.Wait()
		if len(w.servers) != 0 || w.dials != 0 {
			t.Errorf("%d X servers and %d connections that nobody needs", len(w.servers), w.dials)
		}
		x := w.watch(1, person)
		b := w.backend()
		x.leave()
		select {
		case <-b.done:
			t.Error("the connection is dropped at once")
		default:
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-b.done:
		default:
			t.Error("the connection is kept")
		}
		// The server goes on.
		if w.servers[0].closed {
			t.Error("the X server was closed")
		}
		// Again.
		y := w.watch(1, person)
		defer y.leave()
		if w.backend() == b || y.picture().RGBAAt(5, 5) != palette[1] {
			t.Error("no picture for the second viewer")
		}
	})
}

func TestServerDies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		f := w.desktop(1, "WinSta0", "Work")
		w.m.Switch(1, "WinSta0", "Work")
		if _, err := f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		x := w.watch(1, person)
		defer x.leave()
		good := x.picture()
		w.servers[0].die(errors.New("the X server was ended by signal 9"))
		bad := x.picture()
		if bytes.Equal(good.Pix, bad.Pix) {
			t.Error("nothing says that the display is gone")
		}
		if f.State() != "" {
			t.Errorf("State %q of a dead server", f.State())
		}
		// Looking does not bring it back, a program does.
		y := w.watch(1, person)
		y.leave()
		if len(w.servers) != 1 {
			t.Error("a viewer started an X server again")
		}
		env, err := f.Prepare(t.Context())
		if err != nil || !slices.Equal(env, []string{"DISPLAY=:2"}) {
			t.Errorf("Prepare: %v, %v", env, err)
		}
		if got := x.picture().RGBAAt(320, 200); got != palette[2] {
			t.Errorf("the new server's picture is not seen: %v", got)
		}
		// Its stream breaks: the desktop says so, the server goes on.
		w.backend().fail(errors.New("rectangle outside the frame"))
		time.Sleep(time.Second) // of the bubble: the server itself may have died
		if got := x.picture().RGBAAt(320, 200); got == palette[2] {
			t.Error("nothing says that the picture is gone")
		}
		if w.servers[1].closed {
			t.Error("the X server was closed")
		}
		// Nobody tries again and again; who looks anew later does, once.
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.dials != 2 {
			t.Errorf("%d connections", w.dials)
		}
		w.m.Switch(1, "WinSta0", "Winlogon")
		w.m.Switch(1, "WinSta0", "Work")
		if got := x.picture().RGBAAt(320, 200); got != palette[2] || w.dials != 3 {
			t.Errorf("the picture does not come back: %v, %d connections", got, w.dials)
		}
		f.Close()
		f.Close()
		if !w.servers[1].closed {
			t.Error("Close left the X server")
		}
	})
}

func TestServerDoesNotStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		w.startErr = errors.New("cannot start an X server: Xvnc is not installed (Debian package tigervnc-standalone-server)")
		f := w.desktop(1, "WinSta0", "Work")
		w.m.Switch(1, "WinSta0", "Work")
		if _, err := f.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "tigervnc-standalone-server") {
			t.Errorf("Prepare: %v", err)
		}
		x := w.watch(1, person)
		defer x.leave()
		bad := x.picture()
		x.v.Key(true, 'a')
		w.mu.Lock()
		w.startErr = nil
		w.mu.Unlock()
		if _, err := f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(bad.Pix, x.picture().Pix) {
			t.Error("the notice stays though there is a picture now")
		}
	})
}

func TestKinds(t *testing.T) {
	conform.Rule(t, "LGN-11", "DT-51")
	bubble(t, func(t *testing.T, w *world) {
		for _, test := range []struct {
			spec station.SurfaceSpec
			want string
		}{
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "Default"}, station.SurfaceX11},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "winsta0", Desktop: "Work"}, station.SurfaceX11},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "Winlogon", Secure: true}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "Disconnect"}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "Other", Desktop: "Default"}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 0, Session: fakeSession{}, Station: "WinSta0", Desktop: "Default"}, station.SurfaceBuiltin},
			{station.SurfaceSpec{SessionID: 1, Session: fakeSession{}, Station: "WinSta0", Desktop: "B", Kind: station.SurfaceBuiltin}, station.SurfaceBuiltin},
		} {
			f, err := w.m.NewSurface(t.Context(), test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if f.Kind() != test.want {
				t.Errorf(`%s\%s of session %d is %s`, test.spec.Station, test.spec.Desktop, test.spec.SessionID, f.Kind())
			}
			if env, err := f.Prepare(t.Context()); err != nil || (len(env) > 0) != (test.want == station.SurfaceX11) {
				t.Errorf("Prepare: %v, %v", env, err)
			}
			f.Close()
		}
		_, err := w.m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Station: "WinSta0", Desktop: "Winlogon", Secure: true, Kind: station.SurfaceX11})
		wantCode(t, "secure X", err, win32.ERROR_ACCESS_DENIED, "LGN-11")
		_, err = w.m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Station: "WinSta0", Desktop: "D", Kind: "svga"})
		wantCode(t, "unknown kind", err, win32.ERROR_INVALID_PARAMETER, "")
		_, err = w.m.NewSurface(t.Context(), station.SurfaceSpec{SessionID: 1, Station: "WinSta0", Desktop: "D", Width: 100000, Height: 1})
		wantCode(t, "size", err, win32.ERROR_INVALID_PARAMETER, "")
	})
}

func TestResize(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.session(1)
		x := w.watch(1, person)
		defer x.leave()
		b := w.backend()
		b.take()
		if err := x.v.SetSize(800, 600); err != nil {
			t.Fatal(err)
		}
		w.wantSent(b, "size 800x600")
		for _, name := range []string{"Default", "Winlogon", "NoSuch", "Disconnect"} {
			w.m.Switch(1, "WinSta0", name)
			if got := x.picture().Bounds().Size(); got != image.Pt(800, 600) {
				t.Errorf("%s is %v", name, got)
			}
		}
		for _, size := range [][2]int{{0, 0}, {-1, 600}, {100, 100}, {65535, 65535}, {16384, 16384}} {
			wantCode(t, "size", x.v.SetSize(size[0], size[1]), win32.ERROR_INVALID_PARAMETER, "")
		}
	})
}
