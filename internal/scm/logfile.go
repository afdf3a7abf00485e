// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxLog is how large a service's log grows before its older half is moved to
// NAME.log.1, in bytes.
const maxLog = 1 << 20

// logs holds what services write to their standard output and error. A program
// gets the file itself, not a pipe to us, so that a restart of the daemon
// neither loses a line nor breaks a pipe. The files are therefore cut from
// outside: the kernel says when one was written to, and a file that is too
// large is copied away and truncated. All writers append, so they go on at the
// new end; what one writes between the copy and the cut is lost.
type logs struct {
	dir    string       // immutable; empty: services write to /dev/null
	logger *slog.Logger // immutable
	limit  int64        // immutable, bytes

	mu sync.Mutex // held while a file is cut

	watch *os.File       // immutable: inotify, or nil
	done  sync.WaitGroup // the watching goroutine
}

// openLogs makes the directory and starts watching it.
func openLogs(dir string, limit int64, logger *slog.Logger) (*logs, error) {
	l := &logs{dir: dir, limit: limit, logger: logger}
	if dir == "" {
		return l, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory of service logs: %w", err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		if _, err = unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY); err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot watch the service logs: %w", err)
	}
	l.watch = os.NewFile(uintptr(fd), "inotify")
	l.done.Go(l.run)
	return l, nil
}

func (l *logs) close() {
	if l.watch != nil {
		_ = l.watch.Close()
		l.done.Wait()
	}
}

// run cuts files that grew too large. It wakes at most ten times a second, and
// not at all while nobody writes.
func (l *logs) run() {
	buf := make([]byte, 64*1024)
	for {
		n, err := l.watch.Read(buf)
		if err != nil {
			return
		}
		seen := make(map[string]bool)
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			length := int(uint32(buf[at+12]) | uint32(buf[at+13])<<8 | uint32(buf[at+14])<<16 | uint32(buf[at+15])<<24)
			at += unix.SizeofInotifyEvent
			if at+length > n {
				break
			}
			seen[strings.TrimRight(string(buf[at:at+length]), "\x00")] = true
			at += length
		}
		for name := range seen {
			if strings.HasSuffix(name, ".log") {
				l.cut(filepath.Join(l.dir, name))
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// cut moves a file's contents to PATH.1 when it is larger than the limit.
func (l *logs) cut(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil || info.Size() <= l.limit {
		return
	}
	if err := copyTail(path, path+".1", info.Size(), l.limit); err != nil {
		l.logger.Error("cannot keep the older part of a service log", "path", path, "err", err)
	}
	if err := os.Truncate(path, 0); err != nil {
		l.logger.Error("cannot cut a service log", "path", path, "err", err)
	}
}

// copyTail writes the last limit bytes of from, which has size bytes, to to.
func copyTail(from, to string, size, limit int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if size > limit {
		if _, err := in.Seek(size-limit, io.SeekStart); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(out, in, limit); err != nil && !errors.Is(err, io.EOF) {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// path gives the log of a service. Names may hold what a file name may not.
func (l *logs) path(service string) string {
	name := url.PathEscape(serviceKey(service))
	if len(name) > 200 {
		name = fmt.Sprintf("%s-%08x", name[:180], crc32.ChecksumIEEE([]byte(name)))
	}
	if strings.HasPrefix(name, ".") {
		name = "%2E" + name[1:]
	}
	return filepath.Join(l.dir, name+".log")
}

// open opens the log of a service for its program to append to. The caller
// closes it.
func (l *logs) open(service string) (*os.File, error) {
	if l.dir == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	f, err := os.OpenFile(l.path(service), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log of service %s: %w", service, err)
	}
	return f, nil
}

// tail gives the last bytes a service wrote, at most max, beginning with a
// whole line where there is one.
func (l *logs) tail(_ context.Context, service string, max int64) ([]byte, error) {
	if l.dir == "" {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	for _, path := range []string{l.path(service) + ".1", l.path(service)} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the log of service %s: %w", service, err)
		}
		b, err := io.ReadAll(io.LimitReader(f, 64<<20))
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot read the log of service %s: %w", service, err)
		}
		out = append(out, b...)
	}
	if int64(len(out)) > max {
		out = out[int64(len(out))-max:]
		for i, c := range out {
			if c == '\n' && i+1 < len(out) {
				out = out[i+1:]
				break
			}
		}
	}
	return out, nil
}

// remove takes the log of a deleted service away.
func (l *logs) remove(service string) {
	if l.dir == "" {
		return
	}
	for _, path := range []string{l.path(service), l.path(service) + ".1"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.logger.Error("cannot remove a service log", "path", path, "err", err)
		}
	}
}
