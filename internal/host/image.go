// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// imageFD is above every number that a holder's own descriptors get, which the
// child puts in place before it executes the image by its number.
const imageFD = 64

// placeImage puts a program into sealed anonymous memory, where nobody can
// replace it, and gives the file and the path that executes it.
func placeImage(image []byte) (*os.File, string, error) {
	fd, err := unix.MemfdCreate("station-holder", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3, where all such memory is executable
		fd, err = unix.MemfdCreate("station-holder", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, "", fmt.Errorf("cannot make memory for the holder's program: %w", err)
	}
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, imageFD)
	unix.Close(fd)
	if err != nil {
		return nil, "", fmt.Errorf("cannot keep the holder's program: %w", err)
	}
	f := os.NewFile(uintptr(high), "station-holder")
	_, err = f.Write(image)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(high), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("cannot write the holder's program: %w", err)
	}
	return f, fmt.Sprintf("/proc/self/fd/%d", high), nil
}
