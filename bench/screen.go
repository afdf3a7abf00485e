// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"stationmaster/client"
	"stationmaster/internal/layout"
	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/rfb/rfbtest"
)

// viewer opens a viewer of a session.
func (b *bench) viewer(session uint32, encodings ...int32) (*rfbtest.Client, net.Conn, error) {
	conn, err := client.Dial(b.ctx, layout.For(b.dir).Socket)
	if err != nil {
		return nil, nil, err
	}
	_, stream, err := conn.OpenViewer(b.ctx, client.OpenViewerRequest{SessionID: session})
	if err != nil {
		return nil, nil, err
	}
	v, err := rfbtest.Connect(stream, rfbtest.ClientOptions{Encodings: encodings})
	return v, stream, err
}

// textDesktop fills an X desktop with an xterm full of text.
func (b *bench) textDesktop(session uint32, desktop, background string) error {
	token, err := b.conn.WTSQueryUserToken(b.ctx, client.SessionRequest{SessionID: session})
	if err != nil {
		return err
	}
	name := `WinSta0\` + desktop
	script := `xterm -geometry 250x80+0+0 -bg ` + background + ` -T full -e sh -c 'printf "\\033[?25l"; seq 1 4000 | tr "\n" " "; touch /tmp/` + desktop + `; exec sleep 1000' >/dev/null 2>&1 & until [ -e /tmp/` + desktop + ` ]; do sleep 0.01; done; sleep 0.5`
	p, err := b.conn.CreateProcess(b.ctx, client.CreateProcessRequest{Token: token.Handle, Path: "/bin/sh", Args: []string{"sh", "-c", script}, Desktop: &name})
	if err != nil {
		return err
	}
	_, err = b.conn.WaitForSingleObject(b.ctx, client.WaitRequest{Handle: p.Process, Millis: 20_000})
	return err
}

// switching measures a switch of desktops until a viewer has the whole new
// picture, with text on both.
func (b *bench) switching() error {
	if _, err := exec.LookPath("xterm"); err != nil {
		b.note("no xterm here: switching is not measured")
		return nil
	}
	user, err := b.user()
	if err != nil {
		return err
	}
	id, err := b.logon(user, "x11")
	if err != nil {
		return err
	}
	if _, err := b.conn.CreateSessionDesktop(b.ctx, client.SessionDesktopRequest{SessionID: id, Desktop: "Work", Surface: "x11"}); err != nil {
		return err
	}
	if err := b.textDesktop(id, "Default", "white"); err != nil {
		return err
	}
	if err := b.textDesktop(id, "Work", "lightyellow"); err != nil {
		return err
	}
	// The pictures are taken while somebody looks: a viewer's pointer gives the
	// terminal below it the focus, which can be seen.
	look, lookStream, err := b.viewer(id, browser...)
	if err != nil {
		return err
	}
	defer lookStream.Close()
	pictures := map[string]*image.RGBA{}
	for _, d := range []string{"Work", "Default"} {
		if err := b.conn.SwitchSessionDesktop(b.ctx, client.SessionDesktopRequest{SessionID: id, Desktop: d}); err != nil {
			return err
		}
		if err := settle(look); err != nil {
			return err
		}
		r, err := b.conn.CaptureDesktop(b.ctx, client.CaptureRequest{SessionID: id, Desktop: d})
		if err != nil {
			return err
		}
		img, err := decodePNG(r.PNG)
		if err != nil {
			return err
		}
		pictures[d] = img
	}
	lookStream.Close()
	for _, enc := range []struct {
		name  string
		codes []int32
	}{{"Tight", []int32{encode.EncodingTight, rfbtest.DesktopSize, rfbtest.CursorShape}}, {"ZRLE", []int32{encode.EncodingZRLE, rfbtest.DesktopSize, rfbtest.CursorShape}}, {"Raw", []int32{encode.EncodingRaw, rfbtest.DesktopSize, rfbtest.CursorShape}}} {
		v, stream, err := b.viewer(id, enc.codes...)
		if err != nil {
			return err
		}
		if err := v.WaitPicture(20*time.Second, pictures["Default"]); err != nil {
			return fmt.Errorf("first picture by %s: %w", enc.name, err)
		}
		to := "Work"
		d, err := measure(b.n(40), func() (time.Duration, error) {
			start := time.Now()
			if err := b.conn.SwitchSessionDesktop(b.ctx, client.SessionDesktopRequest{SessionID: id, Desktop: to}); err != nil {
				return 0, err
			}
			if err := v.WaitPicture(20*time.Second, pictures[to]); err != nil {
				return 0, err
			}
			d := time.Since(start)
			if to == "Work" {
				to = "Default"
			} else {
				to = "Work"
			}
			return d, nil
		})
		stream.Close()
		if err != nil {
			return err
		}
		if to == "Default" { // the next viewer begins on Default
			if err := b.conn.SwitchSessionDesktop(b.ctx, client.SessionDesktopRequest{SessionID: id, Desktop: to}); err != nil {
				return err
			}
		}
		b.add("switch to a full 1280×800 frame of text at the viewer, "+enc.name, text(d, time.Millisecond, "ms"), "", "", verdict(median(d) <= 20*time.Millisecond, "≤ 20 ms"))
	}
	r, err := measure(b.n(20), func() (time.Duration, error) {
		start := time.Now()
		_, err := b.conn.CaptureDesktop(b.ctx, client.CaptureRequest{SessionID: id, Desktop: "Default"})
		return time.Since(start), err
	})
	if err != nil {
		return err
	}
	b.add("screenshot of a text desktop as PNG, call to answer", text(r, time.Millisecond, "ms"), "", "", "PNG alone ≤ 10 ms")
	return b.logoff(id)
}

func decodePNG(b []byte) (*image.RGBA, error) {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out, nil
}

// static measures what a screen on which nothing happens costs.
func (b *bench) static() error {
	user, err := b.user()
	if err != nil {
		return err
	}
	id, err := b.logon(user, "x11")
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("xterm"); err == nil {
		if _, err := b.begin(id, "xterm", "+bc", "-e", "sleep", "1000"); err != nil {
			return err
		}
	}
	v, stream, err := b.viewer(id, encode.EncodingTight, encode.EncodingZRLE, rfbtest.DesktopSize)
	if err != nil {
		return err
	}
	defer stream.Close()
	time.Sleep(3 * time.Second) // first picture, lossless refresh, focus
	const watch = 5 * time.Second
	_, bytes0 := v.Stats()
	wake0, err := wakeups(b.daemon.Process.Pid)
	if err != nil {
		return err
	}
	time.Sleep(watch)
	wake1, err := wakeups(b.daemon.Process.Pid)
	if err != nil {
		return err
	}
	_, bytes1 := v.Stats()
	b.add("static X desktop, one viewer, 5 s: bytes to the viewer", fmt.Sprintf("**%d**", bytes1-bytes0), "", "", verdict(bytes1 == bytes0, "0"))
	b.add("static X desktop, one viewer, 5 s: wake-ups of the daemon", fmt.Sprintf("**%d**", wake1-wake0), "", "", verdict(wake1 == wake0, "0"))
	return b.logoff(id)
}

// wakeups counts the voluntary context switches of all threads of a process.
func wakeups(pid int) (int64, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0, err
	}
	var n int64
	for _, t := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, t.Name()))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				k, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
				if err != nil {
					return 0, err
				}
				n += k
			}
		}
	}
	return n, nil
}
