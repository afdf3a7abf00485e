// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"stationmaster/tests/stationtest"
)

const chromium = "/usr/bin/chromium"

type step = chromedp.Action[chromedp.Void]

// page is one browser with the console in it.
type page struct {
	t     testing.TB // of the step under way
	ctx   context.Context
	shots int
}

// open starts a headless Chromium. What the page complains about fails the test.
func open(t testing.TB) *page {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("SKIPPED, nothing is tested in a browser: %v (Debian package chromium)", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true),
		chromedp.WindowSize(1440, 1000), chromedp.UserDataDir(t.TempDir()))
	actx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(actx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1440, 1000)); err != nil {
		t.Fatalf("cannot start the browser: %v", err)
	}
	p := &page{t: t, ctx: ctx}
	p.watch(t)
	return p
}

// watch collects exceptions of the page and what its policy forbids.
func (p *page) watch(t testing.TB) {
	var mu sync.Mutex
	var complaints []string
	ctx, stop := context.WithCancel(p.ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			if m.IsException() || m.Source == "security" {
				mu.Lock()
				complaints = append(complaints, m.String())
				mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		stop()
		reader.Wait()
		for _, c := range complaints {
			t.Errorf("the page complains: %s", c)
		}
	})
}

// do performs steps on the page, with a picture of it when one fails.
func (p *page) do(what string, steps ...step) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 40*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.keep("failed-" + what)
		p.t.Fatalf("%s: %v", what, err)
	}
}

// js evaluates an expression in the page.
func js[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// keep keeps a picture of the whole page, numbered in the order of the test.
func (p *page) keep(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	b, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Logf("no picture of the page: %v", err)
		return
	}
	p.shots++
	stationtest.Artefact(p.t, fmt.Sprintf("%02d-%s.png", p.shots, strings.ReplaceAll(name, " ", "-")), b)
}

func at(id string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + id + `"]`) }
func visible(id string) step    { return chromedp.WaitVisible(at(id)) }
func click(id string) step      { return chromedp.Click(at(id)) }

// rest gives the picture once it no longer changes: an update that takes a box
// away comes in bands.
func (p *page) rest() *image.RGBA {
	p.t.Helper()
	last := p.picture()
	same := 0
	p.until("the picture rests", func() bool {
		img := p.picture()
		if stationtest.Differ(last, img) == 0 {
			same++
		} else {
			same = 0
		}
		last = img
		return same >= 3
	})
	return last
}

// until waits until ok, with a picture of the page when it does not come.
func (p *page) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			p.keep("failed-" + what)
			p.t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

// view opens the view of a session and waits until noVNC has connected.
func (p *page) view(session uint32) {
	p.t.Helper()
	p.do(fmt.Sprintf("view of session %d", session), click(fmt.Sprintf("tree-session-%d", session)),
		chromedp.WaitReady(chromedp.CSS(fmt.Sprintf(`[data-testid="session"][data-session="%d"]`, session))),
		chromedp.WaitReady(chromedp.CSS(`[data-testid="viewer"][data-state="connected"]`)), chromedp.WaitReady(chromedp.CSS(`.rfb canvas`)))
}

// picture reads what noVNC has drawn.
func (p *page) picture() *image.RGBA {
	p.t.Helper()
	url := js[string](p, `document.querySelector('.rfb canvas')?.toDataURL('image/png') || ''`)
	_, data, ok := strings.Cut(url, ",")
	if !ok {
		return image.NewRGBA(image.Rect(0, 0, 1, 1)) // connecting
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		p.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	return stationtest.RGBA(img)
}

// point is where a pixel of the canvas lies in the page.
func (p *page) point(x, y int) (float64, float64) {
	p.t.Helper()
	r := js[[]float64](p, `(() => { const c = document.querySelector('.rfb canvas'), r = c.getBoundingClientRect();
		return [r.left, r.top, r.width / c.width, r.height / c.height]; })()`)
	return r[0] + (float64(x)+0.5)*r[2], r[1] + (float64(y)+0.5)*r[3]
}

// clickAt clicks on a pixel of the session's picture.
func (p *page) clickAt(x, y int) {
	p.t.Helper()
	px, py := p.point(x, y)
	p.do(fmt.Sprintf("click at %d,%d", x, y), chromedp.MouseEvent("mouseMoved", px, py), chromedp.MouseClickXY(px, py))
}

// typeText types into whatever has the session's keyboard.
func (p *page) typeText(text string) {
	p.t.Helper()
	p.do("type "+text, chromedp.KeyEvent(text))
}
