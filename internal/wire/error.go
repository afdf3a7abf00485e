// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"stationmaster/win32"
)

// maxErrorText bounds each string of an error reply, in bytes.
const maxErrorText = 4096

// Trouble is an error whose cause was the machine and not the caller: it reads
// as the daemon worded it and unwraps to the *win32.Error.
type Trouble struct {
	Text string
	Err  *win32.Error
}

// Error gives the daemon's text.
func (t *Trouble) Error() string { return t.Text }

// Unwrap gives the error with the number.
func (t *Trouble) Unwrap() error { return t.Err }

// AppendError appends the payload of an error reply and gives its code. op
// names the call for errors that carry no operation of their own.
func AppendError(b []byte, op string, err error) ([]byte, win32.Errno) {
	e, text := &win32.Error{Op: op, Code: errorCode(err)}, ""
	var own *win32.Error
	if errors.As(err, &own) {
		copied := *own
		e = &copied
		if e.Op == "" {
			e.Op = op
		}
		if e.Code == 0 {
			e.Code = win32.ERROR_GEN_FAILURE // an error never looks like success
		}
	}
	if err != error(own) && err.Error() != e.Error() {
		text = err.Error()
	}
	for _, s := range []string{e.Op, e.Object, e.Rule, text} {
		b = appendString(b, s[:min(len(s), maxErrorText)])
	}
	return b, e.Code
}

// DecodeError makes the error of an error reply: a *win32.Error, or a *Trouble
// around one.
func DecodeError(code win32.Errno, body []byte) error {
	d := decoder{b: body}
	e := &win32.Error{Op: d.string(), Object: d.string(), Rule: d.string(), Code: code}
	text := d.string()
	if d.end() != nil {
		return &win32.Error{Op: "Reply", Code: code}
	}
	if text != "" {
		return &Trouble{text, e}
	}
	return e
}

// errorCode finds the Win32 number of an error that carries none: what Linux
// said is told in the words of Windows where there are such.
func errorCode(err error) win32.Errno {
	var code win32.Errno
	switch {
	case errors.As(err, &code) && code != 0:
		return code
	case errors.Is(err, context.DeadlineExceeded):
		return win32.ERROR_TIMEOUT
	case errors.Is(err, context.Canceled):
		return win32.ERROR_OPERATION_ABORTED
	case errors.Is(err, syscall.ENOEXEC):
		return win32.ERROR_BAD_EXE_FORMAT
	case errors.Is(err, syscall.ENAMETOOLONG):
		return win32.ERROR_FILENAME_EXCED_RANGE
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return win32.ERROR_NOT_ENOUGH_MEMORY
	case errors.Is(err, fs.ErrNotExist):
		return win32.ERROR_FILE_NOT_FOUND
	case errors.Is(err, fs.ErrPermission):
		return win32.ERROR_ACCESS_DENIED
	case errors.Is(err, fs.ErrExist):
		return win32.ERROR_ALREADY_EXISTS
	case errors.Is(err, errors.ErrUnsupported):
		return win32.ERROR_NOT_SUPPORTED
	}
	return win32.ERROR_GEN_FAILURE
}
