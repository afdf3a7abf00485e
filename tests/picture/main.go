// SPDX-License-Identifier: Apache-2.0

// Command picture takes the picture of the README: the console in one browser
// for each address that `station view ID` printed, side by side in one PNG.
//
//	go run ./tests/picture -o docs/images/console.png "$(station view 1)" "$(station view 2)"
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	xdraw "golang.org/x/image/draw"
)

// Size of each browser's page, and of what the picture keeps of it.
const (
	pageWidth, pageHeight = 1280, 960
	keptWidth, keptHeight = 960, 720
	gap                   = 12 // pixels, white
)

func main() {
	out := flag.String("o", "console.png", "file to write")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(out string, addresses []string) error {
	if len(addresses) == 0 {
		return fmt.Errorf("usage: picture [-o FILE] ADDRESS …")
	}
	all := image.NewRGBA(image.Rect(0, 0, len(addresses)*(keptWidth+gap)-gap, keptHeight))
	draw.Draw(all, all.Rect, image.White, image.Point{}, draw.Src)
	for i, address := range addresses {
		img, err := page(address)
		if err != nil {
			return fmt.Errorf("cannot take the picture of %s: %w", address, err)
		}
		at := image.Rect(0, 0, keptWidth, keptHeight).Add(image.Pt(i*(keptWidth+gap), 0))
		xdraw.CatmullRom.Scale(all, at, img, img.Bounds(), xdraw.Src, nil)
	}
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&b, paletted(all)); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// page opens one address in a browser of its own and gives the page's picture
// when its view is connected.
func page(address string) (image.Image, error) {
	profile, err := os.MkdirTemp("", "picture-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(profile)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(profile))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ctx, end := chromedp.NewContext(ctx)
	defer end()
	_, fragment, _ := strings.Cut(address, "#session=")
	err = chromedp.Do(ctx, chromedp.EmulateViewport(pageWidth, pageHeight), chromedp.Navigate(address),
		chromedp.WaitReady(chromedp.CSS(fmt.Sprintf(`[data-testid="session"][data-session="%s"]`, fragment))),
		chromedp.WaitReady(chromedp.CSS(`[data-testid="viewer"][data-state="connected"]`)),
		chromedp.Sleep(6*time.Second)) // small pictures of desktops come at most every three seconds
	if err != nil {
		return nil, err
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return nil, err
	}
	return png.Decode(bytes.NewReader(shot))
}

// paletted gives the picture in the 256 colours it uses most: a console has few.
func paletted(img *image.RGBA) *image.Paletted {
	count := map[color.RGBA]int{}
	for y := img.Rect.Min.Y; y < img.Rect.Max.Y; y++ {
		for x := img.Rect.Min.X; x < img.Rect.Max.X; x++ {
			c := img.RGBAAt(x, y)
			count[color.RGBA{c.R &^ 7, c.G &^ 7, c.B &^ 7, 255}]++
		}
	}
	// Exact colours that fill areas come first, so that areas stay flat.
	exact := map[color.RGBA]int{}
	for y := img.Rect.Min.Y; y < img.Rect.Max.Y; y++ {
		for x := img.Rect.Min.X; x < img.Rect.Max.X; x++ {
			exact[img.RGBAAt(x, y)]++
		}
	}
	p := append(top(exact, 64), top(count, 192)...)
	out := image.NewPaletted(img.Rect, p)
	draw.Draw(out, img.Rect, img, img.Rect.Min, draw.Src)
	return out
}

func top(count map[color.RGBA]int, n int) color.Palette {
	var p color.Palette
	for range n {
		var best color.RGBA
		most := 0
		for c, k := range count {
			if k > most {
				best, most = c, k
			}
		}
		if most == 0 {
			break
		}
		delete(count, best)
		p = append(p, best)
	}
	return p
}
