// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
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
func (p *page) picture() *image.NRGBA {
	p.t.Helper()
	url := js[string](p, `document.querySelector('.rfb canvas')?.toDataURL('image/png') || ''`)
	_, data, ok := strings.Cut(url, ",")
	if !ok {
		return image.NewNRGBA(image.Rect(0, 0, 1, 1)) // connecting
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		p.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	out := image.NewNRGBA(img.Bounds())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
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

// count gives how many pixels of r have a colour.
func count(img *image.NRGBA, r image.Rectangle, c color.NRGBA) (n int) {
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if near(img.NRGBAAt(x, y), c) {
				n++
			}
		}
	}
	return n
}

// near allows for what JPEG does to a colour.
func near(a, b color.NRGBA) bool {
	d := func(x, y uint8) bool { return max(x, y)-min(x, y) <= 6 }
	return d(a.R, b.R) && d(a.G, b.G) && d(a.B, b.B)
}

// differ gives the share of pixels that differ, 1 when the sizes do.
func differ(a, b *image.NRGBA) float64 {
	if a.Rect != b.Rect {
		return 1
	}
	n := 0
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			if !near(a.NRGBAAt(x, y), b.NRGBAAt(x, y)) {
				n++
			}
		}
	}
	return float64(n) / float64(a.Rect.Dx()*a.Rect.Dy())
}

// accent is the colour of a default button in what the session manager draws.
var accent = color.NRGBA{0x1F, 0x66, 0xB5, 0xFF}

// button finds the default button: the widest solid row of the accent colour,
// and gives the middle of the block of rows it belongs to.
func button(img *image.NRGBA) (image.Point, bool) {
	const wide = 40 // wider than any icon
	var rows image.Rectangle
	for y := range img.Rect.Dy() {
		run := 0
		for x := 0; x <= img.Rect.Dx(); x++ {
			if x < img.Rect.Dx() && near(img.NRGBAAt(x, y), accent) {
				run++
				continue
			}
			if run >= wide {
				rows = rows.Union(image.Rect(x-run, y, x, y+1))
			}
			run = 0
		}
	}
	if rows.Empty() || rows.Dy() > 80 || rows.Dx() > 200 {
		return image.Point{}, false
	}
	return image.Pt((rows.Min.X+rows.Max.X)/2, (rows.Min.Y+rows.Max.Y)/2), true
}
