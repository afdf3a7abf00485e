// SPDX-License-Identifier: Apache-2.0

package encode_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/rfb/rfbtest"
)

type viewer struct {
	d           *rfbtest.Decoder
	zrleStarted bool
}

// show decodes an update; exactly its bytes and rectangles, no more.
func (v *viewer) show(u *encode.Update) error {
	b := u.Bytes
	if u.ZRLE >= 0 && !v.zrleStarted {
		v.zrleStarted = true
		h := encode.ZRLEHeader()
		b = slices.Insert(slices.Clone(b), u.ZRLE+4, h[:]...)
		binary.BigEndian.PutUint32(b[u.ZRLE:], binary.BigEndian.Uint32(b[u.ZRLE:])+2)
	}
	r := bytes.NewReader(b)
	for i := range u.Count {
		var h struct {
			X, Y, W, H uint16
			Encoding   int32
		}
		if err := binary.Read(r, binary.BigEndian, &h); err != nil {
			return err
		}
		rect := image.Rect(int(h.X), int(h.Y), int(h.X)+int(h.W), int(h.Y)+int(h.H))
		if err := v.d.Rect(r, rect, h.Encoding); err != nil {
			return fmt.Errorf("rectangle %d of %d: %w", i, u.Count, err)
		}
	}
	if r.Len() != 0 {
		return fmt.Errorf("%d bytes left over", r.Len())
	}
	return nil
}

var pictures = []struct {
	name string
	make func(w, h int, seed uint64) *image.RGBA
}{{"text", rfbtest.Text}, {"photo", rfbtest.Photo}, {"noise", rfbtest.Noise}, {"mixed", rfbtest.Mixed}}

func toEncode(f rfbtest.Format) encode.Format {
	e, err := encode.ParseFormat(f.Wire())
	if err != nil {
		panic(err)
	}
	return e
}

// Every exact encoding in every format gives the same pixels back, for whole
// pictures and for random rectangles of any place and size, in one go on over
// one viewer's streams.
func TestExact(t *testing.T) {
	formats := map[string]rfbtest.Format{"rgbx": rfbtest.RGBX, "bgrx": rfbtest.BGRX, "xrgbBE": rfbtest.XRGBBE, "xbgr": rfbtest.XBGR, "rgb565": rfbtest.RGB565, "bgr233": rfbtest.BGR233}
	for fname, f := range formats {
		for _, p := range []encode.Params{{Encoding: encode.EncodingRaw}, {Encoding: encode.EncodingZRLE}, {Encoding: encode.EncodingTight}, {Encoding: encode.EncodingTight, Gradient: true}} {
			p.Format = toEncode(f)
			if p.Encoding == encode.EncodingTight && !p.Format.Tight() {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d/gradient=%v", fname, p.Encoding, p.Gradient), func(t *testing.T) {
				r := rand.New(rand.NewPCG(5, uint64(p.Encoding)))
				v := viewer{d: rfbtest.NewDecoder(333, 270, f)}
				for n, pic := range pictures {
					img := pic.make(333, 270, uint64(n))
					var u encode.Update
					u.Reset()
					if n%2 == 0 {
						u.Rect(img, img.Rect, p)
					} else { // the same by small parts, each its own rectangle
						for y := 0; y < 270; {
							h := min(1+r.IntN(150), 270-y)
							for x := 0; x < 333; {
								w := min(1+r.IntN(200), 333-x)
								u.Rect(img, image.Rect(x, y, x+w, y+h), p)
								x += w
							}
							y += h
						}
					}
					if err := v.show(&u); err != nil {
						t.Fatalf("%s: %v", pic.name, err)
					}
					if len(u.Lossy) != 0 {
						t.Errorf("%s: lossy areas %v", pic.name, u.Lossy)
					}
					for y := range 270 {
						for x := range 333 {
							if got, want := v.d.Img.RGBAAt(x, y), f.Lossy(img.RGBAAt(x, y)); got != want {
								t.Fatalf("%s: pixel %d,%d is %v, want %v", pic.name, x, y, got, want)
							}
						}
					}
				}
				t.Log(v.d.Counts)
			})
		}
	}
}

// A wide screen is cut where decoders' row buffers end, and a large lossless
// photo where a Tight length would overflow.
func TestTightLimits(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 4096, 600))
	r := rand.New(rand.NewPCG(1, 1))
	for i := 0; i < len(img.Pix); i += 4 {
		binary.LittleEndian.PutUint32(img.Pix[i:], r.Uint32()|0xff000000)
	}
	v := viewer{d: rfbtest.NewDecoder(4096, 600, rfbtest.RGBX)}
	var u encode.Update
	u.Reset()
	u.Rect(img, img.Rect, encode.Params{Encoding: encode.EncodingTight, Format: encode.RGBX})
	if err := v.show(&u); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(v.d.Img.Pix, img.Pix) {
		t.Error("the picture differs")
	}
}

// With loss: what JPEG covers is like the picture (35 dB at least), everything
// else is equal, and the loss is reported exactly.
func TestTightLossy(t *testing.T) {
	for _, pic := range pictures {
		if pic.name == "noise" { // no lossy coder is near white noise
			continue
		}
		for _, full := range []bool{false, true} {
			img := pic.make(500, 411, 9)
			if pic.name == "mixed" {
				img = rfbtest.Text(500, 411, 9)
				ph := rfbtest.Photo(301, 222, 3)
				for y := range 222 {
					copy(img.Pix[img.PixOffset(101, 77+y):][:4*301], ph.Pix[ph.PixOffset(0, y):])
				}
			}
			v := viewer{d: rfbtest.NewDecoder(500, 411, rfbtest.RGBX)}
			var u encode.Update
			u.Reset()
			u.Rect(img, img.Rect, encode.Params{Encoding: encode.EncodingTight, Format: encode.RGBX, JPEG: 79, FullChroma: full})
			if err := v.show(&u); err != nil {
				t.Fatal(err)
			}
			if pic.name != "text" && len(u.Lossy) == 0 {
				t.Errorf("%s: no JPEG", pic.name)
			}
			exact := img.Rect.Dx() * img.Rect.Dy()
			for _, r := range u.Lossy {
				exact -= r.Dx() * r.Dy()
				least := 35.0
				if pic.name == "mixed" { // letters at the border of the photo lie in its cells
					least = 30
				}
				if db := rfbtest.PSNR(v.d.Img, img, r); db < least {
					t.Errorf("%s full=%v: %v is only %.1f dB like the picture", pic.name, full, r, db)
				}
				for y := r.Min.Y; y < r.Max.Y; y++ {
					copy(v.d.Img.Pix[v.d.Img.PixOffset(r.Min.X, y):][:4*r.Dx()], img.Pix[img.PixOffset(r.Min.X, y):])
				}
			}
			if !bytes.Equal(v.d.Img.Pix, img.Pix) {
				t.Errorf("%s: pixels outside the reported loss differ", pic.name)
			}
			if pic.name == "text" && exact != 500*411 {
				t.Error("text was sent with loss")
			}
		}
	}
}

// JPEG files of every small size and quality decode with image/jpeg, and are as
// near to the picture as those of image/jpeg.
func TestJPEG(t *testing.T) {
	img := rfbtest.Photo(64, 64, 1)
	for w := 1; w <= 33; w++ {
		for _, h := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31} {
			for _, full := range []bool{false, true} {
				r := image.Rect(5, 3, 5+w, 3+h)
				got := decodeJPEG(t, encode.JPEG(nil, img, r, 90, full))
				if got.Rect != image.Rect(0, 0, w, h) {
					t.Fatalf("%dx%d decodes as %v", w, h, got.Rect)
				}
			}
		}
	}
	big := rfbtest.Photo(400, 300, 2)
	noise := rfbtest.Noise(200, 200, 2)
	for _, q := range []int{1, 10, 29, 42, 62, 79, 92, 100} {
		for _, full := range []bool{false, true} {
			decodeJPEG(t, encode.JPEG(nil, noise, noise.Rect, q, full))
			ours := encode.JPEG(nil, big, big.Rect, q, full)
			db := rfbtest.PSNR(decodeJPEG(t, ours), big, big.Rect)
			var std bytes.Buffer
			if err := jpeg.Encode(&std, big, &jpeg.Options{Quality: q}); err != nil {
				t.Fatal(err)
			}
			stdDB := rfbtest.PSNR(decodeJPEG(t, std.Bytes()), big, big.Rect)
			t.Logf("quality %3d full=%-5v: %6d bytes %.2f dB; image/jpeg %6d bytes %.2f dB", q, full, len(ours), db, std.Len(), stdDB)
			if db < stdDB-0.3 {
				t.Errorf("quality %d full=%v: %.2f dB, image/jpeg %.2f", q, full, db, stdDB)
			}
			if !full && len(ours) > std.Len()*21/20 {
				t.Errorf("quality %d: %d bytes, image/jpeg %d", q, len(ours), std.Len())
			}
		}
	}
}

func decodeJPEG(t *testing.T, b []byte) *image.RGBA {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return toRGBA(m)
}

func toRGBA(m image.Image) *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, m.At(x, y))
		}
	}
	return out
}

// PNG is exact for every number of colours and odd widths.
func TestPNG(t *testing.T) {
	check := func(name string, img *image.RGBA) {
		t.Helper()
		var b bytes.Buffer
		if err := encode.PNG(&b, img); err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(&b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.Len() != 0 {
			t.Errorf("%s: %d bytes after the end", name, b.Len())
		}
		if got := toRGBA(m); got.Rect != img.Rect || !bytes.Equal(got.Pix, img.Pix) {
			t.Errorf("%s: decodes to another picture (%v)", name, got.Rect)
		}
	}
	for _, pic := range pictures {
		check(pic.name, pic.make(401, 203, 4))
	}
	for _, colours := range []int{1, 2, 3, 4, 5, 16, 17, 255, 256, 257} {
		for _, w := range []int{1, 7, 8, 9, 300} {
			img := image.NewRGBA(image.Rect(0, 0, w, 40))
			for i := 0; i < len(img.Pix); i += 4 {
				c := i / 4 % colours
				img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byte(c), byte(c>>8), 9, 255
			}
			check(fmt.Sprintf("%d colours, width %d", colours, w), img)
		}
	}
}

func TestParseFormat(t *testing.T) {
	ok := encode.RGBX.Append(nil)
	if f, err := encode.ParseFormat(ok); err != nil || f != encode.RGBX {
		t.Errorf("RGBX comes back as %+v, %v", f, err)
	}
	for name, change := range map[string]func(b []byte){
		"0 bits":            func(b []byte) { b[0] = 0 },
		"24 bits":           func(b []byte) { b[0] = 24 },
		"colour map":        func(b []byte) { b[3] = 0 },
		"maximum 0":         func(b []byte) { b[4], b[5] = 0, 0 },
		"maximum 254":       func(b []byte) { b[5] = 254 },
		"maximum 65535":     func(b []byte) { b[4], b[5] = 255, 255 },
		"shift 200":         func(b []byte) { b[11] = 200 },
		"shift 31":          func(b []byte) { b[12] = 31 },
		"depth 33":          func(b []byte) { b[1] = 33 },
		"depth 0":           func(b []byte) { b[1] = 0 },
		"overlapping":       func(b []byte) { b[11] = 4 },
		"8 bits, 24 colour": func(b []byte) { b[0], b[1] = 8, 8 },
	} {
		b := slices.Clone(ok)
		change(b)
		if f, err := encode.ParseFormat(b); err == nil {
			t.Errorf("%s is taken: %+v", name, f)
		}
	}
	if _, err := encode.ParseFormat(ok[:15]); err == nil {
		t.Error("15 bytes are taken")
	}
}

func BenchmarkRect(b *testing.B) {
	for _, pic := range []string{"text", "photo"} {
		img := rfbtest.Text(1280, 800, 1)
		if pic == "photo" {
			img = rfbtest.Photo(1280, 800, 1)
		}
		for _, c := range []struct {
			name string
			p    encode.Params
		}{
			{"raw", encode.Params{Encoding: encode.EncodingRaw}},
			{"zrle", encode.Params{Encoding: encode.EncodingZRLE}},
			{"tight-q79", encode.Params{Encoding: encode.EncodingTight, JPEG: 79}},
			{"tight-q79-444", encode.Params{Encoding: encode.EncodingTight, JPEG: 79, FullChroma: true}},
			{"tight-copy", encode.Params{Encoding: encode.EncodingTight}},
			{"tight-gradient", encode.Params{Encoding: encode.EncodingTight, Gradient: true}},
		} {
			c.p.Format = encode.RGBX
			b.Run(pic+"/"+c.name, func(b *testing.B) {
				var u encode.Update
				for b.Loop() {
					u.Reset()
					u.Rect(img, img.Rect, c.p)
				}
				b.ReportMetric(float64(len(u.Bytes))/1000, "kB")
			})
		}
	}
}

func BenchmarkImage(b *testing.B) {
	for _, pic := range []string{"text", "photo"} {
		img := rfbtest.Text(1280, 800, 1)
		if pic == "photo" {
			img = rfbtest.Photo(1280, 800, 1)
		}
		for _, c := range []struct {
			name string
			fn   func(w io.Writer) error
		}{
			{"png-own", func(w io.Writer) error { return encode.PNG(w, img) }},
			{"png-std-best-speed", func(w io.Writer) error {
				return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, img)
			}},
			{"jpeg-own-420", func(w io.Writer) error {
				_, err := w.Write(encode.JPEG(nil, img, img.Rect, 80, false))
				return err
			}},
			{"jpeg-own-444", func(w io.Writer) error {
				_, err := w.Write(encode.JPEG(nil, img, img.Rect, 80, true))
				return err
			}},
			{"jpeg-std", func(w io.Writer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: 80}) }},
		} {
			b.Run(pic+"/"+c.name, func(b *testing.B) {
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					if err := c.fn(&out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(out.Len())/1000, "kB")
			})
		}
	}
}
