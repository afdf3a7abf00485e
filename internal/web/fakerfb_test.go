// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"io"
	"net"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

const screenW, screenH = 1280, 800

// picture draws what a desktop of the fake daemon shows.
func picture(user, desktop, typed string, box []string) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, screenW, screenH))
	ground := map[string]color.RGBA{"Research": {0x3d, 0x2f, 0x4f, 255}, "Winlogon": {0x12, 0x2b, 0x4a, 255}, "Disconnect": {0x22, 0x25, 0x2b, 255}}[desktop]
	if ground == (color.RGBA{}) {
		ground = color.RGBA{0x2e, 0x4a, 0x4f, 255}
		if user == "bob" {
			ground = color.RGBA{0x4f, 0x40, 0x2e, 255}
		}
	}
	fill := func(r image.Rectangle, c color.Color) { draw.Draw(m, r, image.NewUniform(c), image.Point{}, draw.Src) }
	text := func(x, y int, c color.Color, s string) {
		d := font.Drawer{Dst: m, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
		d.DrawString(s)
	}
	fill(m.Bounds(), ground)
	switch desktop {
	case "Winlogon":
		text(560, 380, color.White, user+" is locked. Press Ctrl+Alt+Del and type the password.")
		return m
	case "Disconnect":
		text(560, 390, color.White, "This session is disconnected.")
		return m
	}
	window := image.Rect(80, 90, 780, 560)
	fill(window.Inset(-1), color.Black)
	fill(window, color.RGBA{0xfd, 0xfd, 0xfa, 255})
	fill(image.Rect(80, 66, 780, 90), color.RGBA{0x55, 0x6b, 0x7d, 255})
	text(90, 83, color.White, "xterm – "+user+"@demo")
	lines := []string{
		user + "@demo:~$ tty", "/dev/pts/0", user + "@demo:~$ ls -l /tmp", "total 4", "-rw-r--r-- 1 " + user + " " + user + " 27 Nov 21 08:00 notes.txt",
		user + "@demo:~$ ps -e | wc -l", "4", user + "@demo:~$ " + typed + "_",
	}
	for i, l := range lines {
		text(90, 112+i*16, color.Black, l)
	}
	for i, l := range box {
		if i == 0 {
			fill(image.Rect(430, 300, 850, 460), color.Black)
			fill(image.Rect(431, 301, 849, 459), color.RGBA{0xf3, 0xf4, 0xf6, 255})
			fill(image.Rect(431, 301, 849, 326), color.RGBA{0x1f, 0x5f, 0xbf, 255})
			text(442, 318, color.White, l)
			continue
		}
		text(450, 350+(i-1)*18, color.Black, l)
	}
	if len(box) > 0 {
		for i, l := range []string{"Yes", "No"} {
			fill(image.Rect(640+i*100, 418, 725+i*100, 444), color.RGBA{0xdd, 0xe1, 0xe6, 255})
			text(670+i*100, 435, color.Black, l)
		}
	}
	return m
}

// serveRFB is an RFB 3.8 server with Raw rectangles only: enough for a browser
// to show a picture and type.
func serveRFB(nc net.Conn, d *fakeDaemon, session uint32) {
	defer nc.Close()
	in := bufio.NewReader(nc)
	var wmu sync.Mutex
	write := func(b ...byte) error {
		wmu.Lock()
		defer wmu.Unlock()
		_, err := nc.Write(b)
		return err
	}
	if write([]byte("RFB 003.008\n")...) != nil {
		return
	}
	head := make([]byte, 20)
	if _, err := io.ReadFull(in, head[:12]); err != nil || write(1, 1) != nil {
		return
	}
	if _, err := io.ReadFull(in, head[:1]); err != nil || write(0, 0, 0, 0) != nil {
		return
	}
	if _, err := io.ReadFull(in, head[:1]); err != nil {
		return
	}
	init := binary.BigEndian.AppendUint16(nil, screenW)
	init = binary.BigEndian.AppendUint16(init, screenH)
	init = append(init, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0)
	init = binary.BigEndian.AppendUint32(init, 7)
	if write(append(init, "session"...)...) != nil {
		return
	}
	shifts := [3]byte{16, 8, 0}
	typed, drawn := "", false
	wanted := false
	show := func() error {
		if !wanted {
			return nil
		}
		wanted, drawn = false, true
		d.mu.Lock()
		user, desktop := "", "Default"
		for _, s := range d.sessions {
			if s.ID == session {
				user = s.User
			}
		}
		for _, w := range d.trees[session] {
			for _, k := range w.Desktops {
				if k.Active {
					desktop = k.Name
				}
			}
		}
		var box []string
		for _, m := range d.messages {
			if m.SessionID == session {
				box = []string{m.Title, m.Text}
			}
		}
		d.mu.Unlock()
		m := picture(user, desktop, typed, box)
		b := []byte{0, 0, 0, 1, 0, 0, 0, 0}
		b = binary.BigEndian.AppendUint16(b, screenW)
		b = binary.BigEndian.AppendUint16(b, screenH)
		b = append(b, 0, 0, 0, 0)
		for i := 0; i < len(m.Pix); i += 4 {
			v := uint32(m.Pix[i])<<shifts[0] | uint32(m.Pix[i+1])<<shifts[1] | uint32(m.Pix[i+2])<<shifts[2]
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return write(b...)
	}
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		size := map[byte]int{0: 19, 2: 3, 3: 9, 4: 7, 5: 5, 6: 7}[kind]
		if size == 0 {
			return
		}
		if _, err := io.ReadFull(in, head[:size]); err != nil {
			return
		}
		switch kind {
		case 0:
			copy(shifts[:], head[13:16])
		case 2:
			if _, err := in.Discard(4 * int(binary.BigEndian.Uint16(head[1:3]))); err != nil {
				return
			}
		case 3:
			wanted = true
			if head[0] == 0 || !drawn {
				if show() != nil {
					return
				}
			}
		case 4:
			if key := binary.BigEndian.Uint32(head[3:7]); head[0] == 1 && key >= 32 && key < 127 {
				typed += string(rune(key))
				d.mu.Lock()
				d.keys = append(d.keys, rune(key))
				d.mu.Unlock()
				if show() != nil {
					return
				}
			}
		case 6:
			if _, err := in.Discard(int(binary.BigEndian.Uint32(head[3:7]) & 0xFFFFF)); err != nil {
				return
			}
		}
	}
}
