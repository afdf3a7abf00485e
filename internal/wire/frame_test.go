// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// pair gives two connected Unix sockets.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := func(fd int) *net.UnixConn {
		f := os.NewFile(uintptr(fd), "")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(*net.UnixConn)
	}
	return conn(fds[0]), conn(fds[1])
}

// openFDs counts the process's descriptors.
func openFDs(t testing.TB) int {
	t.Helper()
	l, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(l)
}

func request(id uint32, op uint16, body string, fds int) []byte {
	b := append(BeginRequest(nil), body...)
	EndRequest(b, id, op, fds)
	return b
}

// chunks feeds bytes to a Reader a few at a time, as a slow peer would.
type chunks struct {
	b    []byte
	size int
}

func (c *chunks) ReadMsgUnix(b, _ []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	if len(c.b) == 0 {
		return 0, 0, 0, nil, io.EOF
	}
	n = copy(b[:min(len(b), c.size)], c.b)
	c.b = c.b[n:]
	return n, 0, 0, nil, nil
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	var stream []byte
	bodies := []string{"", "a", long, "b", strings.Repeat("y", firstRead), "", long}
	for i, s := range bodies {
		stream = append(stream, request(uint32(i), OpPing, s, 0)...)
	}
	for _, size := range []int{1, 7, 12, 4096, 1 << 20} {
		r := NewReader(&chunks{stream, size}, api.MaxRequest)
		for i, want := range bodies {
			q, err := r.ReadRequest()
			if err != nil {
				t.Fatalf("chunks of %d, frame %d: %v", size, i, err)
			}
			if q.ID != uint32(i) || q.Op != OpPing || string(q.Body) != want {
				t.Fatalf("chunks of %d: frame %d came as id %d op %d with %d bytes", size, i, q.ID, q.Op, len(q.Body))
			}
		}
		if _, err := r.ReadRequest(); err != io.EOF {
			t.Fatalf("after the last frame: %v", err)
		}
		if len(r.buf) > len(long)+firstRead {
			t.Errorf("the buffer kept %d bytes", len(r.buf))
		}
	}
}

func TestReplies(t *testing.T) {
	a, b := pair(t)
	frame := append(BeginReply(nil), "body"...)
	EndReply(frame, 7, win32.ERROR_BUSY, 1)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Send(a, frame, []*os.File{f}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	r := NewReader(b, api.MaxReply)
	defer r.Close()
	p, err := r.ReadReply()
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != 7 || p.Code != win32.ERROR_BUSY || string(p.Body) != "body" || len(p.Files) != 1 {
		t.Errorf("got %+v", p)
	}
	p.Files[0].Close()
	if _, err := r.ReadReply(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestBadFrames(t *testing.T) {
	good := request(1, OpPing, "ab", 0)
	flags := bytes.Clone(good)
	flags[10] = 1
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint32(huge, api.MaxRequest+1)
	fds := bytes.Clone(good)
	fds[11] = 1
	many := bytes.Clone(good)
	many[11] = MaxFiles + 1
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"cut header":             {good[:5], io.ErrUnexpectedEOF},
		"cut body":               {good[:13], io.ErrUnexpectedEOF},
		"flags":                  {flags, ErrFlags},
		"too long":               {huge, ErrTooLong},
		"descriptors that lack":  {fds, ErrFiles},
		"descriptors past limit": {many, ErrFiles},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(&chunks{c.in, 4096}, api.MaxRequest)
			q, err := r.ReadRequest()
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want == ErrTooLong && q.ID != 1 {
				t.Error("the id of a frame that is too long is lost, so it cannot be answered")
			}
			if len(r.buf) > 2*firstRead {
				t.Errorf("the reader took %d bytes of memory on the word of a header", len(r.buf))
			}
		})
	}
}

// Descriptors come out with the frame they were sent with, whatever frames
// without any are around it, and frames may be long.
func TestDescriptors(t *testing.T) {
	before := openFDs(t)
	func() {
		a, b := pair(t)
		defer a.Close()
		defer b.Close()
		want := map[uint32]string{2: "two", 4: "four", 5: "five"}
		go func() {
			for id := uint32(1); id <= 6; id++ {
				body := strings.Repeat("z", int(id)*40_000)
				text, ok := want[id]
				if !ok {
					Send(a, request(id, OpPing, body, 0), nil)
					continue
				}
				r, w, err := os.Pipe()
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprint(w, text)
				w.Close()
				if err := Send(a, request(id, OpCreateProcess, body, 1), []*os.File{r}); err != nil {
					t.Error(err)
				}
				r.Close()
			}
		}()
		r := NewReader(b, api.MaxRequest)
		defer r.Close()
		for id := uint32(1); id <= 6; id++ {
			q, err := r.ReadRequest()
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, f := range q.Files {
				p, _ := io.ReadAll(f)
				text += string(p)
				f.Close()
			}
			if q.ID != id || text != want[id] {
				t.Errorf("frame %d brought descriptors %q, want %q", q.ID, text, want[id])
			}
		}
	}()
	if n := openFDs(t); n > before {
		t.Errorf("%d descriptors before, %d after", before, n)
	}
}

// A descriptor no frame announced, and more of them than a frame may carry,
// break the stream; none stays open.
func TestDescriptorFlood(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	rights := func(n int) []byte {
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		return unix.UnixRights(fds...)
	}
	for name, send := range map[string]func(a *net.UnixConn){
		"not announced": func(a *net.UnixConn) { a.WriteMsgUnix(request(1, OpPing, "", 0), rights(1), nil) },
		"one too many":  func(a *net.UnixConn) { a.WriteMsgUnix(request(1, OpCreateProcess, "", 1), rights(2), nil) },
		"200 in one":    func(a *net.UnixConn) { a.WriteMsgUnix(request(1, OpCreateProcess, "", 16), rights(200), nil) },
		"byte by byte":  func(a *net.UnixConn) { drip(a, request(1, OpCreateProcess, "", 16), rights(4)) },
		"inside a body": func(a *net.UnixConn) {
			a.Write(request(1, OpPing, "ab", 0)[:13])
			a.WriteMsgUnix([]byte("b"), rights(1), nil)
		},
		"before a frame": func(a *net.UnixConn) {
			a.WriteMsgUnix([]byte{0}, rights(16), nil)
			a.WriteMsgUnix([]byte{0}, rights(16), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := openFDs(t)
			a, b := pair(t)
			send(a)
			a.CloseWrite()
			r := NewReader(b, api.MaxRequest)
			q, err := r.ReadRequest()
			if !errors.Is(err, ErrFiles) {
				t.Errorf("got %v, want %v", err, ErrFiles)
			}
			for _, f := range q.Files {
				f.Close()
			}
			r.Close()
			a.Close()
			b.Close()
			if n := openFDs(t); n > before {
				t.Errorf("%d descriptors before, %d after", before, n)
			}
		})
	}
}

func drip(a *net.UnixConn, b, oob []byte) {
	for i := range b {
		a.WriteMsgUnix(b[i:i+1], oob, nil)
	}
}

func TestSendRefusesClosedFiles(t *testing.T) {
	a, _ := pair(t)
	f, _ := os.Open(os.DevNull)
	f.Close()
	if err := Send(a, request(1, OpCreateProcess, "", 1), []*os.File{f}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
	if err := Send(a, request(1, OpCreateProcess, "", 1), []*os.File{nil}); err == nil {
		t.Error("a nil file was sent")
	}
	if err := Send(a, nil, make([]*os.File, MaxFiles+1)); !errors.Is(err, ErrFiles) {
		t.Errorf("too many files: %v", err)
	}
}

// A socket's path may be longer than a socket address holds.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "call")
	l, err := Listen(path, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
		t.Errorf("the socket: %v %v", st, err)
	}
	c, err := Dial(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// FuzzFrame reads arbitrary bytes as requests and as replies: it must end, not
// panic, and give no frame longer than allowed.
func FuzzFrame(f *testing.F) {
	f.Add(request(1, OpPing, "hello", 0), uint8(3))
	f.Add(append(request(1, OpHello, "", 0), request(2, OpCancel, "", 0)...), uint8(200))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(1))
	reply := BeginReply(nil)
	EndReply(reply, 3, win32.ERROR_BUSY, 0)
	f.Add(reply, uint8(16))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		const limit = 4096
		src := func() *chunks { return &chunks{bytes.Clone(b), int(size) + 1} }
		used := 0
		r := NewReader(src(), limit)
		for {
			q, err := r.ReadRequest()
			if err != nil {
				break
			}
			again := append(BeginRequest(nil), q.Body...)
			EndRequest(again, q.ID, q.Op, 0)
			if used+len(again) > len(b) || !bytes.Equal(again, b[used:used+len(again)]) {
				t.Fatalf("frame at %d does not encode to what was sent", used)
			}
			if used += len(again); len(q.Body) > limit {
				t.Fatalf("a body of %d bytes", len(q.Body))
			}
		}
		r = NewReader(src(), limit)
		for {
			p, err := r.ReadReply()
			if err != nil {
				break
			}
			if p.Code != 0 && win32.Code(DecodeError(p.Code, p.Body)) != p.Code {
				t.Fatal("an error reply lost its code")
			}
		}
	})
}
