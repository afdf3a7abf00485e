// SPDX-License-Identifier: Apache-2.0

package xserver

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// random gives n bytes nobody can guess: a cookie, a file name.
func random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("cannot make a secret: %w", err)
	}
	return b, nil
}

// familyWild matches whatever address the client connects to, so the file needs
// no host name (which a namespace may change).
const familyWild = 0xFFFF

// xauthority gives the content of an authority file with one cookie. A record is
//
//	| family | address | number | name | data |
//
// each after its length in two bytes, big endian, the family alone without one.
func xauthority(display int, cookie []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, familyWild)
	for _, field := range [][]byte{nil, []byte(strconv.Itoa(display)), []byte("MIT-MAGIC-COOKIE-1"), cookie} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
		b = append(b, field...)
	}
	return b
}

// logLimit is how much of a server's output is kept. What says why it did not
// start comes first.
const logLimit = 64 << 10

// serverLog takes a server's output: anonymous memory that cannot grow, so a
// program that makes its server talk fills nothing, no goroutine reads along, and
// the server's writes go on when the daemon is gone.
type serverLog struct {
	mu   sync.Mutex
	file *os.File // guarded by mu; nil when closed
}

func newServerLog() (*serverLog, error) {
	fd, err := unix.MemfdCreate("xserver-log", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make memory for its output: %w", err)
	}
	f := os.NewFile(uintptr(fd), "xserver-log")
	if err = f.Truncate(logLimit); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot make memory for its output: %w", err)
	}
	return &serverLog{file: f}, nil
}

// text gives what the server says went wrong, in one line of at most 600 bytes:
// the lines it marks as errors, and when there are none and any is set, its last
// lines. The server's owner may have written them, so nothing but printable text
// is kept.
func (l *serverLog) text(any bool) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return ""
	}
	b := make([]byte, logLimit)
	n, _ := l.file.ReadAt(b, 0)
	var faults, lines []string
	for line := range strings.Lines(string(b[:n])) {
		line = strings.Map(func(r rune) rune {
			if r < 0x20 || r >= 0x7F {
				return -1
			}
			return r
		}, line)
		bare := strings.TrimSpace(strings.ReplaceAll(line, "(EE)", ""))
		if bare == "" {
			continue
		}
		lines = append(lines, bare)
		if strings.Contains(line, "(EE)") || strings.Contains(strings.ToLower(line), "error") {
			faults = append(faults, bare)
		}
	}
	if len(faults) == 0 && any {
		faults = lines[max(0, len(lines)-3):]
	}
	s := strings.Join(faults, " / ")
	if len(s) > 600 {
		s = s[:300] + " … " + s[len(s)-300:]
	}
	return s
}

// Close frees the memory (the server has its own hold on it).
func (l *serverLog) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
