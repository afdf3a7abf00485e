// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"bytes"
	"image"
	"image/png"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func init() {
	scenarios["switch to"] = func(i *inside) {
		for _, name := range i.args {
			h, err := i.openDesktop(name, win32.DESKTOP_SWITCHDESKTOP)
			i.ok("OpenDesktop", err)
			i.ok("SwitchDesktop", i.switchTo(h))
		}
	}
}

// A viewer follows a switch that a program in the session makes: the next
// picture that it gets whole is the new desktop's.
func TestViewerFollows(t *testing.T) {
	conform.Rule(t, "DT-46", "DT-2", "DT-48", "DT-49", "DT-50")
	stationtest.NeedPrograms(t, "Xvnc", "xterm")
	s := newStage(t)
	for name, color := range map[string]string{"Red": "#c02020", "Blue": "#2020c0"} {
		if _, err := s.c.CreateSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.alice, Desktop: name, Surface: "x11", HeapKB: 64}); err != nil {
			t.Fatal(err)
		}
		// No cursor, so that the picture stands still.
		stationtest.Spawn(t, s.c, s.alice, `WinSta0\`+name, "xterm", "-geometry", "300x100+0+0", "-bg", color, "-e", "sh", "-c", `printf '\033[?25l'; echo `+name+`; exec sleep 1000`)
	}
	pictures := map[string]*image.RGBA{}
	for _, name := range []string{"Default", "Red", "Blue"} {
		var last []byte
		stationtest.Wait(t, 60*time.Second, name+" is drawn", func() (bool, string) {
			r, err := s.c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: s.alice, Desktop: name})
			if err != nil {
				return false, err.Error()
			}
			img, err := png.Decode(bytes.NewReader(r.PNG))
			if err != nil {
				t.Fatal(err)
			}
			pictures[name] = stationtest.RGBA(img)
			still := bytes.Equal(last, r.PNG)
			last = r.PNG
			return still && (name == "Default" || reddish(pictures[name]) == (name == "Red") && blueish(pictures[name]) == (name == "Blue")), ""
		})
	}
	_, stream, err := s.Dial(t).OpenViewer(t.Context(), client.OpenViewerRequest{SessionID: s.alice, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	v, err := rfbtest.Connect(stream, rfbtest.ClientOptions{Encodings: []int32{rfbtest.DesktopSize, rfbtest.CursorShape}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := wait(v, pictures["Default"]); err != nil {
		t.Fatal(err)
	}
	shown := "Default"
	for _, name := range []string{"Red", "Blue", "Default", "Red", "Blue", "Default", "Blue"} {
		s.play(t, s.alice, "switch to", name)
		mixed := 0
		err := v.WaitFor(20*time.Second, func(d *rfbtest.Decoder) bool {
			img := stationtest.RGBA(d.Img)
			if same(img, pictures[name]) {
				return true
			}
			if !same(img, pictures[shown]) {
				mixed++
				var b bytes.Buffer
				_ = png.Encode(&b, img)
				stationtest.Artefact(t, name+".png", b.Bytes())
			}
			return false
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if mixed != 0 {
			t.Errorf("%d pictures between %s and %s were neither", mixed, shown, name)
		}
		shown = name
	}
	// Winlogon comes and goes the same way, and the programs' pictures stay.
	if err := s.c.LockSession(t.Context(), client.SessionRequest{SessionID: s.alice}); err != nil {
		t.Fatal(err)
	}
	if err := v.WaitFor(20*time.Second, func(d *rfbtest.Decoder) bool { return !blueish(d.Img) }); err != nil {
		t.Fatalf("locked: %v", err)
	}
	if err := s.c.UnlockSession(t.Context(), client.UnlockSessionRequest{SessionID: s.alice, Password: "alice-pw"}); err != nil {
		t.Fatal(err)
	}
	if err := wait(v, pictures["Blue"]); err != nil {
		t.Fatalf("unlocked: %v", err)
	}
}

// wait waits for a picture, but for the few pixels that xterm draws in another
// way when its window has the focus.
func wait(v *rfbtest.Client, img *image.RGBA) error {
	return v.WaitFor(20*time.Second, func(d *rfbtest.Decoder) bool { return same(stationtest.RGBA(d.Img), img) })
}

func same(a, b *image.RGBA) bool { return stationtest.Differ(a, b) < 0.001 }

func reddish(img *image.RGBA) bool {
	c := img.RGBAAt(300, 300)
	return c.R > 150 && c.G < 90 && c.B < 90
}

func blueish(img *image.RGBA) bool {
	c := img.RGBAAt(300, 300)
	return c.B > 150 && c.R < 90 && c.G < 90
}
