// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// drawPicture is the program of the moving picture: a gradient that moves, with noise,
// 640×400 at 25 pictures a second for two seconds and a half. The benchmark starts itself
// with -draw on the desktops it measures.
func drawPicture() error {
	const w, h, pictures, strip = 640, 400, 60, 50 // a request holds 256 kB
	x, err := xgb.NewConn()
	if err != nil {
		return err
	}
	defer x.Close()
	screen := xproto.Setup(x).DefaultScreen(x)
	win, err := xproto.NewWindowId(x)
	if err != nil {
		return err
	}
	if err := xproto.CreateWindowChecked(x, screen.RootDepth, win, screen.Root, 100, 100, w, h, 0, xproto.WindowClassInputOutput, screen.RootVisual, 0, nil).Check(); err != nil {
		return err
	}
	if err := xproto.MapWindowChecked(x, win).Check(); err != nil {
		return err
	}
	gc, err := xproto.NewGcontextId(x)
	if err != nil {
		return err
	}
	if err := xproto.CreateGCChecked(x, gc, xproto.Drawable(win), 0, nil).Check(); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	pix := make([]byte, w*strip*4)
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for n := range pictures {
		for top := 0; top < h; top += strip {
			for y := range strip {
				for i := range w {
					p := pix[(y*w+i)*4:]
					v := random.Uint32()
					p[0], p[1], p[2] = byte((i+4*n)/3)+byte(v&7), byte((top+y+2*n)/2)+byte(v>>8&7), byte((i+top+y)/5)+byte(v>>16&7)
				}
			}
			xproto.PutImage(x, xproto.ImageFormatZPixmap, xproto.Drawable(win), gc, w, strip, 0, int16(top), 0, screen.RootDepth, pix)
		}
		if _, err := xproto.GetInputFocus(x).Reply(); err != nil { // the server has drawn it
			return err
		}
		<-tick.C
	}
	return nil
}
