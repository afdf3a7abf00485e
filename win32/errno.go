// SPDX-License-Identifier: Apache-2.0

package win32

import (
	"errors"
	"fmt"
	"io/fs"
)

// Errno is a Win32 error number as GetLastError gives it. It is an error, and
// errors.Is matches it against the io/fs errors a Go program expects.
type Errno uint32

// Error gives the text of the number as Windows words it.
func (e Errno) Error() string {
	if s, ok := errnoText[e]; ok {
		return s
	}
	return fmt.Sprintf("Win32 error %d", uint32(e))
}

// Name gives the symbolic name, such as ERROR_ACCESS_DENIED, or the number
// when this package does not know it.
func (e Errno) Name() string {
	if s, ok := errnoName[e]; ok {
		return s
	}
	return fmt.Sprintf("%d", uint32(e))
}

// Is lets errors.Is(err, fs.ErrPermission) and its kin work on a Win32 number.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrPermission:
		return e == ERROR_ACCESS_DENIED || e == ERROR_PRIVILEGE_NOT_HELD
	case fs.ErrNotExist:
		return e == ERROR_FILE_NOT_FOUND || e == ERROR_PATH_NOT_FOUND || e == ERROR_CTX_WINSTATION_NOT_FOUND || e == ERROR_SERVICE_DOES_NOT_EXIST
	case fs.ErrExist:
		return e == ERROR_ALREADY_EXISTS || e == ERROR_SERVICE_EXISTS
	case errors.ErrUnsupported:
		return e == ERROR_NOT_SUPPORTED || e == ERROR_CALL_NOT_IMPLEMENTED
	}
	return false
}

// Error says which operation on which object failed, with the number of the
// rule that refused it. It unwraps to its code. The wire carries it whole, so
// a client sees the same error the engine made.
type Error struct {
	Op     string // Win32 name of the call, such as "OpenDesktop"
	Object string // what it was asked about, such as `WinSta0\Default`; may be empty
	Code   Errno
	Rule   string // rule of docs/spec that decided, such as "DT-29"; may be empty
}

// Error reads `OpenDesktop Default: Access is denied. (5)`.
func (e *Error) Error() string {
	if e.Object == "" {
		return fmt.Sprintf("%s: %s (%d)", e.Op, e.Code.Error(), uint32(e.Code))
	}
	return fmt.Sprintf("%s %s: %s (%d)", e.Op, e.Object, e.Code.Error(), uint32(e.Code))
}

// Unwrap gives the code, so errors.Is(err, win32.ERROR_BUSY) works.
func (e *Error) Unwrap() error { return e.Code }

// Code gives the Win32 number behind err: 0 for nil, ERROR_GEN_FAILURE for an
// error that carries none.
func Code(err error) Errno {
	if err == nil {
		return ERROR_SUCCESS
	}
	var code Errno
	if errors.As(err, &code) {
		return code
	}
	return ERROR_GEN_FAILURE
}
