// SPDX-License-Identifier: Apache-2.0

package station

import (
	"errors"
	"fmt"
	"slices"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// job is a group of processes of one session that can be ended together. What
// a member starts is a member too. A process leaves its job when it ends.
type job struct {
	named
	gate object.Gate // never signaled: no time limits are kept

	mu      lockrank.Mutex
	members map[*Process]struct{} // guarded by mu
}

// Signaled implements object.Signal.
func (j *job) Signaled(*object.Owner) bool { return false }

// Consume implements object.Signal.
func (j *job) Consume(*object.Owner) bool { return false }

func (j *job) waitGate() *object.Gate { return &j.gate }

func (j *job) list() []*Process {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]*Process, 0, len(j.members))
	for p := range j.members {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Process) int { return a.pid - b.pid })
	return out
}

// Facts implements Described.
func (j *job) Facts() []Fact { return facts("processes", len(j.list())) }

// joinLocked makes a process a member of a job, nil for none.
func (p *Process) joinLocked(j *job) {
	p.session.mu.AssertHeld()
	if j == nil {
		return
	}
	p.job = j
	j.mu.Lock()
	j.members[p] = struct{}{}
	j.mu.Unlock()
}

// leaveJob takes an ended process out of its job.
func (p *Process) leaveJob() {
	p.session.mu.Lock()
	j := p.job
	p.session.mu.Unlock()
	if j != nil {
		j.mu.Lock()
		delete(j.members, p)
		j.mu.Unlock()
	}
}

// endIfForced ends a process whose job was ended while it was being started.
func (p *Process) endIfForced() {
	p.session.mu.Lock()
	forced := p.forced != nil
	p.session.mu.Unlock()
	if forced {
		_ = p.host.Signal(9) // it may have ended by itself
	}
}

// CreateJobObject creates a job or opens the one of that name; existed says
// which.
//
// Win32: CreateJobObject. Rules: OBJ-5 to OBJ-9.
func (t *Thread) CreateJobObject(o NamedOptions) (h win32.Handle, existed bool, err error) {
	return t.createNamed("CreateJobObject", jobKind, o, func(at spot, sd *security.Descriptor) (object.Object, error) {
		j := &job{members: make(map[*Process]struct{})}
		j.mu.Init(lockrank.Object, 0)
		j.gate.InitGate(j)
		j.named.set(jobKind, at, sd, j, nil)
		return j, nil
	})
}

// OpenJobObject opens a job by name.
//
// Win32: OpenJobObject. Rules: OBJ-17.
func (t *Thread) OpenJobObject(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openNamed("OpenJobObject", jobKind, name, desired, inherit)
}

// AssignProcessToJob makes a process a member of a job. The job's handle needs
// JOB_OBJECT_ASSIGN_PROCESS, the process's PROCESS_SET_QUOTA and
// PROCESS_TERMINATE. A process that is in a job already, or in another session
// than the job's members, is refused with 5.
//
// Win32: AssignProcessToJobObject.
func (t *Thread) AssignProcessToJob(h, process win32.Handle) error {
	const op = "AssignProcessToJobObject"
	j, err := objectOfType[*job](t, op, h, win32.JOB_OBJECT_ASSIGN_PROCESS, "SE-60")
	if err != nil {
		return err
	}
	p, err := t.processHandle(op, process, win32.PROCESS_SET_QUOTA|win32.PROCESS_TERMINATE, "SE-60")
	if err != nil {
		return err
	}
	name := fmt.Sprintf("process %d", p.pid)
	for _, m := range j.list() {
		if m.session != p.session {
			return t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "SES-4", "the job has processes of another session")
		}
	}
	p.session.mu.Lock()
	defer p.session.unlock()
	switch {
	case p.ended:
		return t.errorOf(op, name, win32.ERROR_ACCESS_DENIED, "SE-60")
	case p.job != nil:
		return t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "SE-60", "the process is in a job already")
	}
	p.joinLocked(j)
	return nil
}

// TerminateJob ends every process of a job; code becomes their exit code. The
// handle needs JOB_OBJECT_TERMINATE.
//
// Win32: TerminateJobObject.
func (t *Thread) TerminateJob(h win32.Handle, code uint32) error {
	const op = "TerminateJobObject"
	j, err := objectOfType[*job](t, op, h, win32.JOB_OBJECT_TERMINATE, "SE-60")
	if err != nil {
		return err
	}
	lockrank.AssertNoneHeld()
	var errs []error
	for _, p := range j.list() {
		err := t.process.engine.terminate(p, code)
		if err != nil && !(p.pid == 0 && errors.Is(err, win32.ERROR_NOT_SUPPORTED)) { // 0: on its way; it is ended when it is there
			errs = append(errs, fmt.Errorf("cannot end process %d: %w", p.pid, err))
		}
	}
	return errors.Join(errs...)
}

// IsProcessInJob reports whether a process is in a job, or with handle 0 in
// any. The handles need JOB_OBJECT_QUERY and PROCESS_QUERY_LIMITED_INFORMATION.
//
// Win32: IsProcessInJob.
func (t *Thread) IsProcessInJob(process, h win32.Handle) (bool, error) {
	const op = "IsProcessInJob"
	p, err := t.processHandle(op, process, win32.PROCESS_QUERY_LIMITED_INFORMATION, "SE-60")
	if err != nil {
		return false, err
	}
	var j *job
	if h != 0 {
		if j, err = objectOfType[*job](t, op, h, win32.JOB_OBJECT_QUERY, "SE-60"); err != nil {
			return false, err
		}
	}
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return p.job != nil && (j == nil || p.job == j), nil
}

// JobProcesses gives the IDs of a job's processes. The handle needs
// JOB_OBJECT_QUERY.
//
// Win32: QueryInformationJobObject.
func (t *Thread) JobProcesses(h win32.Handle) ([]uint32, error) {
	j, err := objectOfType[*job](t, "QueryInformationJobObject", h, win32.JOB_OBJECT_QUERY, "SE-60")
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, p := range j.list() {
		if p.pid != 0 {
			out = append(out, uint32(p.pid))
		}
	}
	return out, nil
}
