// SPDX-License-Identifier: Apache-2.0

package host

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigAction is struct sigaction as the kernel of amd64 and arm64 has it.
type sigAction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const (
	sigIgnore = 1  // SIG_IGN
	sigLast   = 64 // _NSIG
)

// resetIgnored gives each signal that is ignored its default again. What the
// daemon's parent ignored (make leaves the C library's two internal signals
// that way, nohup SIGHUP, a shell's & SIGINT) would go along to every program
// of the session: an ignored signal stays ignored through exec.
func resetIgnored() {
	for sig := uintptr(1); sig <= sigLast; sig++ {
		var was, deflt sigAction
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&was)), unsafe.Sizeof(was.mask), 0, 0)
		if errno == 0 && was.handler == sigIgnore {
			// It cannot fail where reading it did not.
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&deflt)), 0, unsafe.Sizeof(deflt.mask), 0, 0)
		}
	}
}
