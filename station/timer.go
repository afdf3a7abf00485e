// SPDX-License-Identifier: Apache-2.0

package station

import (
	"math"
	"time"

	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// timer becomes signaled at a time, and again every period. A synchronization
// timer lets one wait go and is reset by that.
type timer struct {
	named
	engine *Engine
	gate   object.Gate
	manual bool // immutable

	// All guarded by gate.
	set    bool
	clock  *time.Timer // nil while it is not running
	period time.Duration
	turn   uint64 // counts SetTimer and Cancel: a clock of an earlier turn does nothing
	due    time.Time
	closed bool // nobody has a handle any more
}

// Signaled implements object.Signal.
func (tm *timer) Signaled(*object.Owner) bool { return tm.set }

// Consume implements object.Signal.
func (tm *timer) Consume(*object.Owner) bool {
	if !tm.manual {
		tm.set = false
	}
	return false
}

func (tm *timer) waitGate() *object.Gate { return &tm.gate }

// Facts implements Described.
func (tm *timer) Facts() []Fact {
	var set, running bool
	var period time.Duration
	tm.gate.View(func() { set, running, period = tm.set, tm.clock != nil, tm.period })
	return facts("manual", tm.manual, "signaled", set, "running", running, "period", period)
}

// stopLocked stops the clock. A signal that is there stays.
func (tm *timer) stopLocked() {
	tm.turn++
	if tm.clock != nil {
		tm.clock.Stop()
		tm.clock = nil
	}
}

// startLocked lets the clock run for d, and fire belong to the present turn.
func (tm *timer) startLocked(d time.Duration) {
	turn := tm.turn
	tm.clock = time.AfterFunc(d, func() { tm.fire(turn) })
}

// fire runs when the time has come.
func (tm *timer) fire(turn uint64) {
	select {
	case <-tm.engine.stop:
		return
	default:
	}
	_ = tm.gate.Change(func() error { // it fails with nothing
		if turn != tm.turn {
			return nil
		}
		tm.clock = nil
		tm.set = true
		if tm.period > 0 {
			// Counted from when it was due, so that periods do not add up delays;
			// what was missed is left out.
			now := tm.engine.now()
			tm.due = tm.due.Add(tm.period)
			if late := now.Sub(tm.due); late > 0 {
				tm.due = tm.due.Add(late.Truncate(tm.period) + tm.period)
			}
			tm.startLocked(tm.due.Sub(now))
		}
		return nil
	})
	tm.settle()
}

// settle stops the clock of a timer that nobody can see any more: no handle
// and nobody who waits.
func (tm *timer) settle() {
	waiting := tm.gate.Waiting()
	tm.gate.View(func() {
		if tm.closed && !waiting {
			tm.stopLocked()
		}
	})
}

// CreateWaitableTimer creates a timer that does not run, or opens the one of
// that name; existed says which. A manual one stays signaled until it is set
// again.
//
// Win32: CreateWaitableTimer, CreateWaitableTimerEx. Rules: OBJ-5 to OBJ-9, SYN-10.
func (t *Thread) CreateWaitableTimer(o NamedOptions, manual bool) (h win32.Handle, existed bool, err error) {
	return t.createNamed("CreateWaitableTimer", timerKind, o, func(at spot, sd *security.Descriptor) (object.Object, error) {
		tm := &timer{engine: t.process.engine, manual: manual}
		tm.gate.InitGate(tm)
		tm.named.set(timerKind, at, sd, tm, func() {
			tm.gate.View(func() { tm.closed = true })
			tm.settle()
		})
		return tm, nil
	})
}

// OpenWaitableTimer opens a timer by name.
//
// Win32: OpenWaitableTimer. Rules: OBJ-17, SE-50c.
func (t *Thread) OpenWaitableTimer(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	return t.openNamed("OpenWaitableTimer", timerKind, name, desired, inherit)
}

// epochGap is the time from 1601 to 1970 in units of 100 ns.
const epochGap = 116444736000000000

// untilDue gives how long a due time is away: negative ones are relative in
// units of 100 ns, others absolute since 1601 in UTC (SYN-10).
func untilDue(due int64, now time.Time) time.Duration {
	const most = math.MaxInt64 / 100
	if due < 0 {
		if due < -most {
			return math.MaxInt64
		}
		return time.Duration(-due) * 100
	}
	unix := due - epochGap // 100 ns
	at := time.Unix(unix/1e7, unix%1e7*100)
	return max(0, at.Sub(now))
}

// SetWaitableTimer starts a timer anew and makes it nonsignaled. due is
// relative when negative, in units of 100 ns, else a time since 1601 in UTC;
// period is in milliseconds, 0 for once. The handle needs TIMER_MODIFY_STATE.
//
// Win32: SetWaitableTimer. Rules: SYN-10.
func (t *Thread) SetWaitableTimer(h win32.Handle, due int64, period int32) error {
	const op = "SetWaitableTimer"
	tm, err := objectOfType[*timer](t, op, h, win32.TIMER_MODIFY_STATE, "SYN-10")
	if err != nil {
		return err
	}
	if period < 0 {
		return t.errorOf(op, nameOfObject(tm), win32.ERROR_INVALID_PARAMETER, "SYN-10")
	}
	tm.gate.View(func() {
		now := tm.engine.now()
		d := untilDue(due, now)
		tm.stopLocked()
		tm.set, tm.period, tm.due = false, time.Duration(period)*time.Millisecond, now.Add(d)
		tm.startLocked(d)
	})
	return nil
}

// CancelWaitableTimer stops a timer; whether it is signaled does not change.
// The handle needs TIMER_MODIFY_STATE.
//
// Win32: CancelWaitableTimer. Rules: SYN-10.
func (t *Thread) CancelWaitableTimer(h win32.Handle) error {
	tm, err := objectOfType[*timer](t, "CancelWaitableTimer", h, win32.TIMER_MODIFY_STATE, "SYN-10")
	if err != nil {
		return err
	}
	tm.gate.View(tm.stopLocked)
	return nil
}
