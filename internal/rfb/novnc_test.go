// SPDX-License-Identifier: Apache-2.0

package rfb_test

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"stationmaster/internal/rfb"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/internal/surface"
)

// novncPage shows our server in noVNC and posts the pixels of its canvas until the
// server says that they are the ones it waits for.
const novncPage = `<!doctype html><body><div id="screen"></div><script type="module">
import RFB from './novnc/core/rfb.js';
import { encodings } from './novnc/core/encodings.js';
const want = new URLSearchParams(location.search).get('only');
if (want) { // this encoding first: hide the others from the list
  for (const name of ['encodingTight', 'encodingTightPNG', 'encodingZRLE', 'encodingHextile', 'encodingRRE', 'encodingZlib', 'encodingJPEG', 'encodingH264'])
    if (name !== want) encodings[name] = -9000 - name.length;
}
const rfb = new RFB(document.getElementById('screen'), 'ws://' + location.host + '/ws');
rfb.addEventListener('disconnect', e => fetch('/said', { method: 'POST', body: 'disconnect ' + e.detail.clean }));
window.addEventListener('error', e => fetch('/said', { method: 'POST', body: e.message }));
while (true) {
  await new Promise(r => setTimeout(r, 30));
  const c = document.querySelector('#screen canvas');
  if (!c || !c.width) continue;
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);
  await fetch('/pixels?w=' + c.width + '&h=' + c.height, { method: 'POST', body: d.data });
}
</script>`

// noVNC, the viewer of the console, in a real browser shows exactly our pictures in
// each of the encodings: whole ones, changes, moves and another size.
func TestNoVNC(t *testing.T) {
	const novnc = "../web/static/novnc"
	for _, need := range []string{"/usr/bin/chromium", novnc + "/core/rfb.js"} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("SKIPPED, nothing is tested with noVNC: %v (Debian package chromium)", err)
		}
	}
	for _, kind := range []struct {
		only     string
		gradient bool
	}{{"", true}, {"encodingTight", false}, {"encodingZRLE", false}, {"none", false}} {
		t.Run(fmt.Sprintf("only=%s,gradient=%v", kind.only, kind.gradient), func(t *testing.T) {
			f := newFrame(rfbtest.Mixed(500, 400, 1))
			s := newScreen(f)
			var mu sync.Mutex
			var said string
			var shown *image.RGBA
			var serving sync.WaitGroup
			news := make(chan struct{}, 1)
			mux := http.NewServeMux()
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, novncPage) })
			mux.Handle("/novnc/", http.StripPrefix("/novnc/", http.FileServer(http.Dir(novnc))))
			mux.HandleFunc("/said", func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				mu.Lock()
				said += string(b) + "\n"
				mu.Unlock()
			})
			mux.HandleFunc("/pixels", func(w http.ResponseWriter, r *http.Request) {
				var width, height int
				fmt.Sscan(r.FormValue("w"), &width)
				fmt.Sscan(r.FormValue("h"), &height)
				pix, err := io.ReadAll(r.Body)
				if err == nil && len(pix) == 4*width*height {
					mu.Lock()
					shown = &image.RGBA{Pix: pix, Stride: 4 * width, Rect: image.Rect(0, 0, width, height)}
					mu.Unlock()
					select {
					case news <- struct{}{}:
					default:
					}
				}
			})
			mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
				serving.Add(1)
				defer serving.Done()
				c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"binary"}})
				if err != nil {
					t.Error(err)
					return
				}
				c.SetReadLimit(1 << 20)
				err = rfb.Serve(t.Context(), websocket.NetConn(t.Context(), c, websocket.MessageBinary), s, rfb.Options{Gradient: kind.gradient})
				t.Logf("the viewer left: %v", err)
			})
			web := httptest.NewServer(mux)
			defer web.Close()
			cmd := exec.Command("/usr/bin/chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
				"--disable-background-networking", "--user-data-dir="+t.TempDir(), web.URL+"/?only="+kind.only)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				cmd.Wait()
				web.CloseClientConnections()
				serving.Wait()
			}()
			limit := time.After(60 * time.Second)
			see := func(what string) {
				t.Helper()
				want := f.Snapshot()
				for {
					mu.Lock()
					ok := shown != nil && shown.Rect == want.Rect && bytes.Equal(shown.Pix, want.Pix)
					mu.Unlock()
					if ok {
						return
					}
					select {
					case <-news:
					case <-limit:
						mu.Lock()
						defer mu.Unlock()
						if shown == nil {
							t.Fatalf("%s: no canvas; the page said %q", what, said)
						}
						t.Fatalf("%s: noVNC shows another picture (%v, want %v); the page said %q", what, shown.Rect, want.Rect, said)
					}
				}
			}
			see("first picture")
			paint(f, rfbtest.Mixed(500, 400, 2))
			f.Update(func(p *surface.Paint) { p.Copy(image.Rect(20, 30, 400, 300), image.Pt(25, 20)) })
			see("another picture and a move")
			paint(f, rfbtest.Mixed(333, 444, 3))
			see("another size")
			other := newFrame(rfbtest.Photo(333, 444, 4))
			f = other
			s.show(other)
			see("another desktop")
			mu.Lock()
			defer mu.Unlock()
			if said != "" {
				t.Errorf("the page said %q", said)
			}
		})
	}
}
