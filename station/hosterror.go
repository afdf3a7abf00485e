// SPDX-License-Identifier: Apache-2.0

package station

import (
	"errors"
	"io/fs"
	"syscall"

	"stationmaster/win32"
)

// hostCode gives the Win32 number of a host's refusal to start a program
// (PRC-23), 0 when there is none that fits better than the host's own words.
func hostCode(err error) win32.Errno {
	var code win32.Errno
	switch {
	case errors.As(err, &code):
		return 0 // it has one
	case errors.Is(err, fs.ErrNotExist):
		return win32.ERROR_FILE_NOT_FOUND
	case errors.Is(err, fs.ErrPermission):
		return win32.ERROR_ACCESS_DENIED
	case errors.Is(err, syscall.ENOTDIR):
		return win32.ERROR_PATH_NOT_FOUND
	case errors.Is(err, syscall.ENOEXEC):
		return win32.ERROR_BAD_EXE_FORMAT
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EAGAIN):
		return win32.ERROR_NOT_ENOUGH_MEMORY
	case errors.Is(err, syscall.E2BIG):
		return win32.ERROR_FILENAME_EXCED_RANGE
	}
	return 0
}
