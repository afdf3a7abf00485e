// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"

	"stationmaster/security"
	"stationmaster/win32"
)

// OpenProcess opens a process by its Linux pid. One that has ended can be
// opened for a while, for its exit code. With SeDebugPrivilege the descriptor
// does not count.
//
// Win32: OpenProcess. Rules: HND-14, SE-60.
func (t *Thread) OpenProcess(pid int, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	const op = "OpenProcess"
	name := fmt.Sprintf("process %d", pid)
	p := t.process.engine.processEver(pid)
	if p == nil {
		return 0, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "HND-14")
	}
	if desired.Has(win32.PROCESS_QUERY_INFORMATION) {
		desired |= win32.PROCESS_QUERY_LIMITED_INFORMATION
	}
	tok := t.EffectiveToken()
	if tok.HasPrivilege(security.SeDebugPrivilege) && desired&^validRights(processKind) == 0 {
		granted, code := creationAccess(tok, processKind, desired, win32.PROCESS_ALL_ACCESS)
		if code == 0 {
			return t.insert(op, name, p, granted, inherit)
		}
	}
	granted, err := t.open(op, name, p, desired, "HND-14")
	if err != nil {
		return 0, err
	}
	return t.insert(op, name, p, granted, inherit)
}

// TerminateProcess ends a process; code becomes its exit code. The handle
// needs PROCESS_TERMINATE.
//
// Win32: TerminateProcess. Rules: SE-60.
func (t *Thread) TerminateProcess(h win32.Handle, code uint32) error {
	const op = "TerminateProcess"
	p, err := t.processHandle(op, h, win32.PROCESS_TERMINATE, "SE-60")
	if err != nil {
		return err
	}
	if p.hasEnded() {
		return t.errorOf(op, fmt.Sprintf("process %d", p.pid), win32.ERROR_ACCESS_DENIED, "SE-60")
	}
	if err := t.process.engine.terminate(p, code); err != nil {
		return fmt.Errorf("cannot end process %d: %w", p.pid, err)
	}
	return nil
}

// SignalProcess sends a Linux signal to a process, 0 to test for it. The
// handle needs PROCESS_TERMINATE.
func (t *Thread) SignalProcess(h win32.Handle, signal int) error {
	const op = "SignalProcess"
	p, err := t.processHandle(op, h, win32.PROCESS_TERMINATE, "SE-60")
	if err != nil {
		return err
	}
	name := fmt.Sprintf("process %d", p.pid)
	switch {
	case signal < 0 || signal > 64:
		return t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "SE-60")
	case p.hasEnded():
		return t.errorOf(op, name, win32.ERROR_ACCESS_DENIED, "SE-60")
	case p.host == nil:
		return t.errorOf(op, name, win32.ERROR_NOT_SUPPORTED, "SE-60")
	}
	if err := p.host.Signal(signal); err != nil {
		return fmt.Errorf("cannot signal process %d: %w", p.pid, err)
	}
	return nil
}

func (p *Process) hasEnded() bool {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return p.ended
}

// ExitCode gives a process's exit code, 259 (STILL_ACTIVE) while it runs, and
// the Linux signal that ended it, or 0. The handle needs
// PROCESS_QUERY_LIMITED_INFORMATION.
//
// Win32: GetExitCodeProcess.
func (t *Thread) ExitCode(h win32.Handle) (code uint32, signal int, err error) {
	p, err := t.processHandle("GetExitCodeProcess", h, win32.PROCESS_QUERY_LIMITED_INFORMATION, "SE-60")
	if err != nil {
		return 0, 0, err
	}
	code, signal, _ = p.ExitCode()
	return code, signal, nil
}

// ProcessOf gives the process behind a handle that has a right, for
// subsystems.
func (t *Thread) ProcessOf(op string, h win32.Handle, need win32.AccessMask) (*Process, error) {
	return t.processHandle(op, h, need, "SE-60")
}
