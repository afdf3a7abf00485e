// SPDX-License-Identifier: Apache-2.0

package rfbtest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Pseudo-encodings a viewer can list.
const (
	DesktopSize         int32 = -223
	LastRect            int32 = -224
	CursorShape         int32 = -239
	ExtendedDesktopSize int32 = -308
	Fence               int32 = -312
	Continuous          int32 = -313
)

// Quality gives the pseudo-encoding of a JPEG quality level, 0 to 9.
func Quality(level int) int32 { return int32(-32 + level) }

// ClientOptions say what kind of viewer to be.
type ClientOptions struct {
	Version   string // "003.008" when empty
	Format    Format // RGBX when zero
	Encodings []int32
	Limit     int // bytes a second that are read; 0: no limit
}

// Client is a viewer on one connection.
type Client struct {
	c  net.Conn
	r  io.Reader
	o  ClientOptions
	wm sync.Mutex // held while writing

	Name   string // immutable after Connect
	native bool   // the server's own pixel format is the one wanted

	mu       sync.Mutex
	cond     *sync.Cond
	d        *Decoder
	updates  int
	bytes    atomic.Int64
	resizes  []Resize
	cursors  int
	fences   [][]byte
	contEnds int
	err      error
	done     chan struct{}
}

// Resize is what an ExtendedDesktopSize or DesktopSize rectangle said.
type Resize struct{ Reason, Status, W, H int }

// Connect makes the handshake on c, says what the viewer can do and, unless
// Encodings contain Continuous, keeps one request for an update out.
func Connect(c net.Conn, o ClientOptions) (*Client, error) {
	if o.Version == "" {
		o.Version = "003.008"
	}
	if o.Format == (Format{}) {
		o.Format = RGBX
	}
	cl := &Client{c: c, o: o, done: make(chan struct{})}
	cl.cond = sync.NewCond(&cl.mu)
	cl.r = bufio.NewReaderSize(&limited{c: c, rate: o.Limit, cl: cl}, 8192)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if err := cl.handshake(); err != nil {
		return nil, err
	}
	c.SetDeadline(time.Time{})
	if !cl.native {
		cl.Write(append([]byte{0, 0, 0, 0}, o.Format.Wire()...))
	}
	cl.SetEncodings(o.Encodings...)
	cl.Request(false)
	go cl.run()
	return cl, nil
}

// limited reads not faster than rate bytes a second.
type limited struct {
	c    net.Conn
	rate int
	cl   *Client
}

func (l *limited) Read(b []byte) (int, error) {
	if l.rate > 0 {
		b = b[:min(len(b), 4096)]
	}
	n, err := l.c.Read(b)
	if l.rate > 0 && n > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(l.rate))
	}
	l.cl.bytes.Add(int64(n))
	return n, err
}

func (c *Client) handshake() error {
	var banner [12]byte
	if _, err := io.ReadFull(c.r, banner[:]); err != nil {
		return err
	}
	if string(banner[:]) != "RFB 003.008\n" {
		return fmt.Errorf("banner %q", banner)
	}
	c.Write([]byte("RFB " + c.o.Version + "\n"))
	b := make([]byte, 4)
	if c.o.Version < "003.007" {
		if _, err := io.ReadFull(c.r, b); err != nil || b[3] != 1 {
			return fmt.Errorf("security type %v, %v", b, err)
		}
	} else {
		if _, err := io.ReadFull(c.r, b[:2]); err != nil || b[0] != 1 || b[1] != 1 {
			return fmt.Errorf("security types %v, %v", b[:2], err)
		}
		c.Write([]byte{1})
		if c.o.Version >= "003.008" {
			if _, err := io.ReadFull(c.r, b); err != nil || b[3] != 0 {
				return fmt.Errorf("security result %v, %v", b, err)
			}
		}
	}
	c.Write([]byte{1})
	head := make([]byte, 24)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return err
	}
	c.native = bytes.Equal(head[4:20], c.o.Format.Wire())
	name := make([]byte, binary.BigEndian.Uint32(head[20:]))
	if _, err := io.ReadFull(c.r, name); err != nil {
		return err
	}
	c.Name = string(name)
	c.d = NewDecoder(int(binary.BigEndian.Uint16(head)), int(binary.BigEndian.Uint16(head[2:])), c.o.Format)
	return nil
}

// Write sends raw bytes.
func (c *Client) Write(b []byte) error {
	c.wm.Lock()
	defer c.wm.Unlock()
	_, err := c.c.Write(b)
	return err
}

// SetEncodings says what the viewer can do.
func (c *Client) SetEncodings(encodings ...int32) error {
	b := []byte{2, 0, byte(len(encodings) >> 8), byte(len(encodings))}
	for _, e := range encodings {
		b = binary.BigEndian.AppendUint32(b, uint32(e))
	}
	return c.Write(b)
}

// Request asks for an update of the whole screen.
func (c *Client) Request(incremental bool) error {
	c.mu.Lock()
	size := c.d.Img.Rect.Max
	c.mu.Unlock()
	b := []byte{3, 0, 0, 0, 0, 0, byte(size.X >> 8), byte(size.X), byte(size.Y >> 8), byte(size.Y)}
	if incremental {
		b[1] = 1
	}
	return c.Write(b)
}

// Key sends a key event.
func (c *Client) Key(down bool, keysym uint32) error {
	b := []byte{4, 0, 0, 0, 0, 0, 0, 0}
	if down {
		b[1] = 1
	}
	binary.BigEndian.PutUint32(b[4:], keysym)
	return c.Write(b)
}

// Pointer sends a pointer event.
func (c *Client) Pointer(x, y int, buttons uint8) error {
	return c.Write([]byte{5, buttons, byte(x >> 8), byte(x), byte(y >> 8), byte(y)})
}

// SetSize asks for a size.
func (c *Client) SetSize(w, h int) error {
	b := []byte{251, 0, byte(w >> 8), byte(w), byte(h >> 8), byte(h), 1, 0}
	return c.Write(append(b, 0, 0, 0, 1, 0, 0, 0, 0, byte(w>>8), byte(w), byte(h>>8), byte(h), 0, 0, 0, 0))
}

// Close ends the connection and waits until the reader has ended.
func (c *Client) Close() {
	c.c.Close()
	<-c.done
}

// Err gives why the reader ended, or nil while it reads.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// See runs fn with the picture.
func (c *Client) See(fn func(d *Decoder)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(c.d)
}

// Stats gives how many updates and bytes came.
func (c *Client) Stats() (updates, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.updates, int(c.bytes.Load())
}

// State is what came besides pixels.
type State struct {
	Resizes  []Resize
	Cursors  int
	Fences   [][]byte // payloads of answers
	ContEnds int      // EndOfContinuousUpdates
}

// State gives what came besides pixels.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stateLocked()
}

func (c *Client) stateLocked() State {
	return State{append([]Resize(nil), c.resizes...), c.cursors, append([][]byte(nil), c.fences...), c.contEnds}
}

// WaitFor waits until ok, which is asked after each message, is true.
func (c *Client) WaitFor(limit time.Duration, ok func(d *Decoder) bool) error {
	timer := time.AfterFunc(limit, func() {
		c.mu.Lock()
		//lint:ignore SA2001 it orders the Broadcast after the Wait
		c.mu.Unlock()
		c.cond.Broadcast()
	})
	defer timer.Stop()
	end := time.Now().Add(limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if ok(c.d) {
			return nil
		}
		if c.err != nil {
			return fmt.Errorf("the connection ended: %w", c.err)
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("not within %v", limit)
		}
		c.cond.Wait()
	}
}

// WaitState waits until ok is true of what came besides pixels.
func (c *Client) WaitState(limit time.Duration, ok func(s State) bool) error {
	err := c.WaitFor(limit, func(*Decoder) bool { return ok(c.stateLocked()) })
	if err != nil {
		return fmt.Errorf("%w; got %+v", err, c.State())
	}
	return nil
}

// WaitPicture waits until the picture is exactly img.
func (c *Client) WaitPicture(limit time.Duration, img *image.RGBA) error {
	err := c.WaitFor(limit, func(d *Decoder) bool {
		return d.Img.Rect == img.Rect && bytes.Equal(d.Img.Pix, img.Pix)
	})
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("the picture (%v, want %v, %d pixels differ) was not shown: %w", c.d.Img.Rect, img.Rect, differ(c.d.Img, img), err)
	}
	return nil
}

func differ(a, b *image.RGBA) (n int) {
	if a.Rect != b.Rect {
		return -1
	}
	for i := 0; i < len(a.Pix); i += 4 {
		if !bytes.Equal(a.Pix[i:i+4], b.Pix[i:i+4]) {
			n++
		}
	}
	return n
}

func (c *Client) run() {
	defer close(c.done)
	for {
		err := c.message()
		c.mu.Lock()
		c.err = err
		c.cond.Broadcast()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *Client) message() error {
	var kind [1]byte
	if _, err := io.ReadFull(c.r, kind[:]); err != nil {
		return err
	}
	switch kind[0] {
	case 0:
		return c.update()
	case 2: // bell
		return nil
	case 150:
		c.mu.Lock()
		c.contEnds++
		first := c.contEnds == 1
		c.mu.Unlock()
		if first {
			return c.Write([]byte{150, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
		}
		return nil
	case 248:
		b := make([]byte, 8)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return err
		}
		payload := make([]byte, b[7])
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return err
		}
		if b[3]&0x80 != 0 {
			return c.Write(append([]byte{248, 0, 0, 0, 0, 0, 0, b[6] & 3, b[7]}, payload...))
		}
		c.mu.Lock()
		c.fences = append(c.fences, payload)
		c.mu.Unlock()
		return nil
	}
	return fmt.Errorf("message %d", kind[0])
}

func (c *Client) update() error {
	var head [3]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(head[1:]))
	c.mu.Lock()
	ask := c.contEnds == 0
	c.mu.Unlock()
	if ask {
		if err := c.Request(true); err != nil {
			return err
		}
	}
	for i := 0; i < n; i++ {
		var h struct {
			X, Y, W, H uint16
			Encoding   int32
		}
		if err := binary.Read(c.r, binary.BigEndian, &h); err != nil {
			return err
		}
		if h.Encoding == LastRect {
			if n != 0xffff {
				return fmt.Errorf("LastRect after %d of %d rectangles", i, n)
			}
			break
		}
		if err := c.rect(image.Rect(int(h.X), int(h.Y), int(h.X)+int(h.W), int(h.Y)+int(h.H)), h.Encoding); err != nil {
			return fmt.Errorf("rectangle %d of %d: %w", i+1, n, err)
		}
	}
	c.mu.Lock()
	c.updates++
	c.mu.Unlock()
	return nil
}

func (c *Client) rect(r image.Rectangle, encoding int32) error {
	asked := false
	for _, e := range c.o.Encodings {
		asked = asked || e == encoding
	}
	if !asked && encoding != 0 {
		return fmt.Errorf("encoding %d was not asked for", encoding)
	}
	switch encoding {
	case DesktopSize:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.resizes = append(c.resizes, Resize{0, 0, r.Dx(), r.Dy()})
		c.d.Resize(r.Dx(), r.Dy())
		return nil
	case ExtendedDesktopSize:
		b := make([]byte, 4)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return err
		}
		if _, err := io.ReadFull(c.r, make([]byte, 16*int(b[0]))); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.resizes = append(c.resizes, Resize{r.Min.X, r.Min.Y, r.Dx(), r.Dy()})
		if c.d.Img.Rect.Size() != r.Size() {
			c.d.Resize(r.Dx(), r.Dy())
		}
		return nil
	case CursorShape:
		n := r.Dx()*r.Dy()*c.o.Format.Bits/8 + (r.Dx()+7)/8*r.Dy()
		if _, err := io.ReadFull(c.r, make([]byte, n)); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cursors++
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.d.Rect(c.r, r, encoding)
}
