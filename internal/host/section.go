// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"stationmaster/station"
)

// sectionMemory is the memory of a section: a memfd of a fixed size.
//
// Its mode lets nobody but the daemon's own uid open it again: a program that
// was given a read-only descriptor could otherwise get a writable one through
// /proc/self/fd. Programs that run as the daemon's uid, and root, can do that
// all the same; they are no other trust domain.
type sectionMemory struct {
	mu   sync.Mutex
	file *os.File // guarded by mu; nil once closed
}

// SectionMemory makes size bytes of new memory that nobody can grow or shrink
// (SYN-11, SYN-12). It is station.Options.Memory on Linux.
func SectionMemory(_ string, size uint64) (station.Memory, error) {
	if size > math.MaxInt64 {
		return nil, unix.EINVAL
	}
	fd, err := unix.MemfdCreate("station-section", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "section")
	err = unix.Ftruncate(fd, int64(size))
	if err == nil {
		err = unix.Fchmod(fd, 0o600)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot make %d bytes of memory: %w", size, err)
	}
	return &sectionMemory{file: f}, nil
}

// File implements station.Memory. Every descriptor is of an open of its own, so
// that one who has it changes no flag or offset of another's.
func (m *sectionMemory) File(write bool) (*os.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil, os.ErrClosed
	}
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", m.file.Fd()), flags, 0)
}

// Close implements station.Memory.
func (m *sectionMemory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.file
	m.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
