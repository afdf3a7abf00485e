// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stationmaster/win32"
)

// writePNG keeps a picture for people where STATION_ARTEFACTS says; without it
// nobody would see the picture, and encoding takes a while.
func writePNG(t *testing.T, name string, img image.Image) {
	t.Helper()
	dir := os.Getenv("STATION_ARTEFACTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	t.Log("wrote " + path)
}

func mustBox(t *testing.T, b MessageBox) Window {
	t.Helper()
	w, err := b.Window()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestContactSheet draws every window once, for people to look at, and checks
// that each one drew more than a plain area.
func TestContactSheet(t *testing.T) {
	long := strings.Repeat("The quick brown fox jumps over the lazy dog. Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ", 40)
	busy := CredentialPrompt{User: "alice", Session: 1}.Window()
	for _, r := range "secret" {
		busy.Key(true, uint32(r))
	}
	busy.SetBusy(true)
	typed := CredentialPrompt{User: "alice", Unlock: true, Session: 1, Error: "The user name or password is incorrect."}.Window()
	for _, r := range "pass" {
		typed.Key(true, uint32(r))
	}
	for _, scale := range []int{1, 2} {
		windows := []Window{
			mustBox(t, MessageBox{Title: "Backup", Text: "The backup of last night is complete.", Style: win32.MB_OK | win32.MB_ICONINFORMATION, Scale: scale}),
			mustBox(t, MessageBox{Title: "Update service", Text: "A new version is ready. The machine has to be restarted to use it; running programs are closed.\n\nRestart now?", Style: win32.MB_YESNO | win32.MB_ICONQUESTION | 0x100, Scale: scale}),
			mustBox(t, MessageBox{Title: "Disk", Text: "/srv/data is almost full (97 %).", Style: win32.MB_CANCELTRYCONTINUE | win32.MB_ICONWARNING, Scale: scale}),
			mustBox(t, MessageBox{Title: "Print spooler", Text: "The document could not be printed.", Style: win32.MB_ABORTRETRYIGNORE | win32.MB_ICONERROR, Scale: scale}),
			mustBox(t, MessageBox{Title: "A very long text " + strings.Repeat("title ", 40), Text: long, Style: win32.MB_YESNOCANCEL | win32.MB_ICONINFORMATION, Scale: scale}),
			mustBox(t, MessageBox{Title: "No icon", Text: "漢字 and \x07 control and emoji 🚉 are boxes, not gone.\r\nhttps://example.org/a/very/long/path/without/any/space/that/does/not/fit/on/one/line/at/all/index.html", Style: win32.MB_RETRYCANCEL, Scale: scale}),
			SecurityScreen{User: "alice", Session: 1, Scale: scale}.Window(),
			CredentialPrompt{Session: 1, Scale: scale}.Window(),
			Notice{Title: "This session is disconnected", Text: "Its programs go on. Connect again to see its desktop.", Scale: scale}.Window(),
			Notice{Title: "This desktop has no display", Text: "cannot start an X server: Xvnc is not installed (Debian package tigervnc-standalone-server)", Error: true, Scale: scale}.Window(),
		}
		if scale == 1 {
			windows = append(windows, busy, typed)
		}
		cell := image.Pt(620*scale, 420*scale)
		sheet := image.NewRGBA(image.Rect(0, 0, 3*cell.X, (len(windows)+2)/3*cell.Y))
		for i, w := range windows {
			c := NewCompositor([]Background{DesktopBackground, SecureBackground, EmptyBackground}[i%3], cell.X, cell.Y)
			c.Show(w, LayerOptions{Scale: scale})
			img := c.Snapshot()
			at := image.Pt(i%3*cell.X, i/3*cell.Y)
			draw.Draw(sheet, img.Bounds().Add(at), img, image.Point{}, draw.Src)
			colours := map[[3]uint8]bool{}
			for p := 0; p < len(img.Pix); p += 4 {
				colours[[3]uint8(img.Pix[p:p+3])] = true
				if img.Pix[p+3] != 0xFF {
					t.Fatalf("window %d left a pixel that is not opaque", i)
				}
			}
			if len(colours) < 100 {
				t.Errorf("window %d drew only %d colours", i, len(colours))
			}
			c.Close()
		}
		writePNG(t, fmt.Sprintf("windows-%dx.png", scale), sheet)
	}
}
