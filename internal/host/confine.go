// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What the spawner thread gives up, in the order that matters: ambient and
// inheritable capabilities (they would survive exec and let a program peel our
// mounts off), no_new_privs (without it the next two need privilege), the
// Landlock domain, the keyring. The uid changes later, in the fork. Everything
// here belongs to the calling thread alone; the holder's other threads stay
// free.

const (
	securebitNoRoot        = 1 << 0
	securebitNoRootLocked  = 1 << 1
	securebitNoSetuid      = 1 << 2
	securebitNoSetuidLock  = 1 << 3
	securebitKeepCapsLock  = 1 << 5
	seccompFilterSpecAllow = 1 << 2 // no speculation penalty for programs
	landlockAttrSize       = 24     // fs, net, scoped: what ABI 6 knows
)

// confineThread makes the calling thread, which must be locked, the one that
// may fork programs.
func confineThread(m *setupMsg) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot clear the ambient capabilities: %w", err)
	}
	if err := clearInheritable(); err != nil {
		return fmt.Errorf("cannot clear the inheritable capabilities: %w", err)
	}
	if m.UserNS {
		if err := dropExecPrivilege(); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot set no_new_privs: %w", err)
	}
	if m.Scopes != 0 {
		if err := enterLandlock(m.Scopes); err != nil {
			return fmt.Errorf("cannot enter a Landlock domain: %w", err)
		}
	}
	if m.Keyring {
		if err := closeKeyring(); err != nil {
			return fmt.Errorf("cannot close the keyring: %w", err)
		}
	}
	return nil
}

func clearInheritable() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return err
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	return unix.Capset(&hdr, &data[0])
}

// dropExecPrivilege makes exec give no capability, whatever uid the user
// namespace maps: the holder itself has all of them there. The permitted set
// stays, as it keeps programs of the same uid from tracing this thread.
func dropExecPrivilege() error {
	for c := range capCount() {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return fmt.Errorf("cannot drop capability %d: %w", c, err)
		}
	}
	const bits = securebitNoRoot | securebitNoRootLocked | securebitNoSetuid | securebitNoSetuidLock | securebitKeepCapsLock
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, bits, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot lock the securebits: %w", err)
	}
	return nil
}

// capCount is the number of capabilities the kernel knows.
func capCount() int {
	b, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err == nil {
		if n, err := strconv.Atoi(string(b[:max(0, len(b)-1)])); err == nil {
			return n + 1
		}
	}
	return unix.CAP_LAST_CAP + 1
}

// landlockABI is the version of Landlock the kernel offers, 0 for none. The
// scopes came with 6.
func landlockABI() int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// enterLandlock puts the calling thread into a new domain whose only content
// is the scopes: its members cannot signal, trace or reach the abstract
// sockets of anything outside.
func enterLandlock(scopes uint64) error {
	attr := unix.LandlockRulesetAttr{Scoped: scopes}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), landlockAttrSize, 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(fd))
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// keyringCalls are add_key, request_key and keyctl of each instruction set a
// program on this machine can enter the kernel by.
func keyringCalls() map[uint32][]uint32 {
	own := []uint32{unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL}
	switch runtime.GOARCH {
	case "amd64":
		return map[uint32][]uint32{unix.AUDIT_ARCH_X86_64: own, unix.AUDIT_ARCH_I386: {286, 287, 288}}
	case "arm64":
		return map[uint32][]uint32{unix.AUDIT_ARCH_AARCH64: own, unix.AUDIT_ARCH_ARM: {309, 310, 311}}
	}
	return nil
}

// keyringFilter refuses the keyring calls with EPERM and lets all others
// through; an unknown instruction set gets nothing.
//
//	load arch
//	for each arch: if arch != A skip; load nr [clear x32 bit]; each call: == → EPERM; allow
//	EPERM
func keyringFilter() ([]unix.SockFilter, error) {
	const (
		offNR    = 0
		offArch  = 4
		x32Bit   = 0x40000000
		retAllow = 0x7fff0000
		retErrno = 0x00050000
	)
	calls := keyringCalls()
	if calls == nil {
		return nil, fmt.Errorf("no seccomp filter for %s: %w", runtime.GOARCH, syscall.ENOTSUP)
	}
	deny := bpf.RetConstant{Val: retErrno | uint32(unix.EPERM)}
	var prog []bpf.Instruction
	for arch, nrs := range calls {
		block := []bpf.Instruction{bpf.LoadAbsolute{Off: offNR, Size: 4}}
		if arch == unix.AUDIT_ARCH_X86_64 {
			block = append(block, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: ^uint32(x32Bit)})
		}
		for i, nr := range nrs {
			// over the calls still to compare and the allow
			block = append(block, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipTrue: uint8(len(nrs) - i)})
		}
		block = append(block, bpf.RetConstant{Val: retAllow}, deny)
		prog = append(prog, bpf.LoadAbsolute{Off: offArch, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: arch, SkipTrue: uint8(len(block))})
		prog = append(prog, block...)
	}
	raw, err := bpf.Assemble(append(prog, deny))
	if err != nil {
		return nil, err
	}
	out := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		out[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return out, nil
}

// closeKeyring refuses the keyring calls to the calling thread and all it
// forks: the user keyring is per uid, not per session.
func closeKeyring() error {
	filter, err := keyringFilter()
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	for _, flags := range []uintptr{seccompFilterSpecAllow, 0} {
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
		if errno == 0 {
			return nil
		}
		err = os.NewSyscallError("seccomp", errno)
	}
	return err
}
