// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// maxWaitsForAll bounds the waits for all of several objects that the programs
// of one session make at a time. Who signals one of their objects looks at all
// of them, and that may be another session's service.
const maxWaitsForAll = 1024

// waitable is an object that can be waited for.
type waitable interface {
	object.Object
	waitGate() *object.Gate
}

// processSignal makes a process signaled once it has ended.
type processSignal struct{ p *Process }

// Signaled implements object.Signal.
func (s processSignal) Signaled(*object.Owner) bool { return s.p.exited.Load() }

// Consume implements object.Signal.
func (processSignal) Consume(*object.Owner) bool { return false }

func (p *Process) waitGate() *object.Gate { return &p.gate }

// signalExit ends the waits for the process.
func (p *Process) signalExit() {
	_ = p.gate.Change(func() error { // it fails with nothing
		p.exited.Store(true)
		return nil
	})
}

// threadObject is what handles to a thread refer to. It is signaled when the
// thread has ended.
type threadObject struct {
	object.Header
	gate   object.Gate
	thread *Thread // immutable

	over bool // guarded by gate
}

// Signaled implements object.Signal.
func (o *threadObject) Signaled(*object.Owner) bool { return o.over }

// Consume implements object.Signal.
func (o *threadObject) Consume(*object.Owner) bool { return false }

func (o *threadObject) waitGate() *object.Gate { return &o.gate }

func (t *Thread) initWaits() {
	t.owner.Init()
	t.object.thread = t
	t.object.Init(threadKind, strconv.FormatUint(uint64(t.id), 10), defaultDescriptor(t.process.Token(), threadKind), nil)
	t.object.gate.InitGate(&t.object)
}

// endWaits abandons the mutexes of a thread that has ended (SYN-8) and signals
// whoever waits for it. The caller holds no lock.
func (t *Thread) endWaits() {
	t.owner.End()
	_ = t.object.gate.Change(func() error { // it fails with nothing
		t.object.over = true
		return nil
	})
}

// waitTarget gives what a handle in a wait refers to.
func (t *Thread) waitTarget(op string, h win32.Handle, single bool) (waitable, error) {
	var o object.Object
	if isPseudo(h) {
		if single {
			switch h { // the tokens are nothing to wait for
			case win32.CurrentProcess, win32.CurrentThread:
				o, _ = t.pseudo(h)
			}
		}
	} else if e := t.process.handles.Get(h); e != nil {
		o = e.Object
		if _, ok := o.(waitable); ok && !e.Granted.Has(win32.SYNCHRONIZE) {
			return nil, t.refuseRight(op, nameOfObject(o), win32.SYNCHRONIZE, e.Granted, "SYN-2")
		}
	}
	w, ok := o.(waitable)
	if !ok {
		return nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, "SYN-2")
	}
	return w, nil
}

// WaitForSingleObject waits until an object is signaled or millis milliseconds
// are over, INFINITE for ever, and gives WAIT_OBJECT_0, WAIT_ABANDONED_0 or
// WAIT_TIMEOUT. The handle needs SYNCHRONIZE.
//
// Win32: WaitForSingleObject. Rules: SYN-1, SYN-2, SYN-4, SYN-8, AR-2.
func (t *Thread) WaitForSingleObject(ctx context.Context, h win32.Handle, millis uint32) (uint32, error) {
	const op = "WaitForSingleObject"
	lockrank.AssertNoneHeld()
	if err := t.alive(op); err != nil {
		return win32.WAIT_FAILED, err
	}
	o, err := t.waitTarget(op, h, true)
	if err != nil {
		return win32.WAIT_FAILED, err
	}
	g := o.waitGate()
	if r, ok := g.Poll(&t.owner); ok {
		return result(r), nil
	}
	if millis == 0 {
		return uint32(win32.WAIT_TIMEOUT), nil
	}
	w, err := object.Begin(&t.owner, []*object.Gate{g}, false, nil, nil)
	if err != nil {
		return win32.WAIT_FAILED, err
	}
	return t.park(ctx, w, []waitable{o}, millis)
}

// WaitForMultipleObjects waits until one object of several is signaled, the
// first in order counts, or until all are at once; it gives WAIT_OBJECT_0 or
// WAIT_ABANDONED_0, for one with its index added, or WAIT_TIMEOUT. millis is
// as for WaitForSingleObject.
//
// Win32: WaitForMultipleObjects. Rules: SYN-1 to SYN-4, SYN-8.
func (t *Thread) WaitForMultipleObjects(ctx context.Context, handles []win32.Handle, all bool, millis uint32) (uint32, error) {
	const op = "WaitForMultipleObjects"
	lockrank.AssertNoneHeld()
	if err := t.alive(op); err != nil {
		return win32.WAIT_FAILED, err
	}
	if n := len(handles); n == 0 || n > object.MaxWait {
		return win32.WAIT_FAILED, t.errorOf(op, fmt.Sprintf("%d handles", n), win32.ERROR_INVALID_PARAMETER, "SYN-3")
	}
	objects := make([]waitable, len(handles))
	gates := make([]*object.Gate, len(handles))
	for i, h := range handles {
		o, err := t.waitTarget(op, h, false)
		if err != nil {
			return win32.WAIT_FAILED, err
		}
		objects[i], gates[i] = o, o.waitGate()
	}
	if all && object.Twice(gates) {
		return win32.WAIT_FAILED, t.errorOf(op, "an object named twice", win32.ERROR_INVALID_PARAMETER, "SYN-3")
	}
	if all && len(handles) > 1 {
		n := &t.process.session.waitsAll
		defer n.Add(-1)
		if n.Add(1) > maxWaitsForAll {
			return win32.WAIT_FAILED, t.errorOf(op, "waits for all", win32.ERROR_NOT_ENOUGH_QUOTA, "HND-10")
		}
	}
	w, err := object.Begin(&t.owner, gates, all, nil, nil)
	if err != nil {
		return win32.WAIT_FAILED, err
	}
	return t.park(ctx, w, objects, millis)
}

// SignalObjectAndWait sets an event, releases a mutex or adds one to a
// semaphore, and begins to wait for another object in the same breath. The
// first handle needs the right to modify, the second SYNCHRONIZE.
//
// Win32: SignalObjectAndWait. Rules: SYN-14.
func (t *Thread) SignalObjectAndWait(ctx context.Context, signal, wait win32.Handle, millis uint32) (uint32, error) {
	const op = "SignalObjectAndWait"
	lockrank.AssertNoneHeld()
	if err := t.alive(op); err != nil {
		return win32.WAIT_FAILED, err
	}
	var first object.Object
	var granted win32.AccessMask
	if e := t.process.handles.Get(signal); e != nil && !isPseudo(signal) {
		first, granted = e.Object, e.Granted
	}
	var act func() error
	need := win32.AccessMask(0)
	switch o := first.(type) {
	case *event:
		need, act = win32.EVENT_MODIFY_STATE, o.signal
	case *mutex:
		act = func() error {
			if code := o.releaseLocked(&t.owner); code != 0 {
				return t.errorOf(op, nameOfObject(o), code, "SYN-6")
			}
			return nil
		}
	case *semaphore:
		need, act = win32.SEMAPHORE_MODIFY_STATE, func() error {
			if _, code := o.addLocked(1); code != 0 {
				return t.errorOf(op, nameOfObject(o), code, "SYN-9")
			}
			return nil
		}
	default:
		return win32.WAIT_FAILED, t.errorOf(op, handleText(signal), win32.ERROR_INVALID_HANDLE, "SYN-14")
	}
	if !granted.Has(need) {
		return win32.WAIT_FAILED, t.refuseRight(op, nameOfObject(first), need, granted, "SYN-14")
	}
	o, err := t.waitTarget(op, wait, true)
	if err != nil {
		return win32.WAIT_FAILED, err
	}
	w, err := object.Begin(&t.owner, []*object.Gate{o.waitGate()}, false, first.(waitable).waitGate(), act)
	if err != nil {
		return win32.WAIT_FAILED, err
	}
	return t.park(ctx, w, []waitable{o}, millis)
}

// park waits for a wait's end, with no lock held: by its objects, the time,
// the caller, the process or the engine.
func (t *Thread) park(ctx context.Context, w *object.Wait, objects []waitable, millis uint32) (uint32, error) {
	select {
	case <-w.Done():
		r, _ := w.Finish()
		return result(r), nil
	default:
	}
	var over <-chan time.Time
	if millis != win32.INFINITE && millis != 0 {
		timer := time.NewTimer(time.Duration(millis) * time.Millisecond)
		defer timer.Stop()
		over = timer.C
	}
	var err error
	if millis != 0 {
		select {
		case <-w.Done():
		case <-over:
		case <-ctx.Done():
			err = ctx.Err()
		case <-t.process.done:
			err = fmt.Errorf("the wait is over: %w: %w", errEnded, win32.ERROR_INVALID_HANDLE)
		case <-t.process.engine.stop:
			err = errClosed
		}
	}
	r, ok := w.Finish()
	for _, o := range objects {
		if s, ok := o.(interface{ settle() }); ok {
			s.settle()
		}
	}
	switch {
	case ok:
		return result(r), nil // also when the time ran out at the same moment
	case err != nil:
		return win32.WAIT_FAILED, err
	}
	return uint32(win32.WAIT_TIMEOUT), nil
}

func result(r object.Result) uint32 {
	if r.Abandoned {
		return win32.WAIT_ABANDONED_0 + uint32(r.Index)
	}
	return win32.WAIT_OBJECT_0 + uint32(r.Index)
}

// OpenThread opens a thread by its ID.
//
// Win32: OpenThread. Rules: HND-14, SE-60.
func (t *Thread) OpenThread(id uint32, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	const op = "OpenThread"
	name := fmt.Sprintf("thread %d", id)
	o := t.process.engine.thread(id)
	if o == nil {
		return 0, t.errorOf(op, name, win32.ERROR_INVALID_PARAMETER, "HND-14")
	}
	if desired.Has(win32.THREAD_QUERY_INFORMATION) {
		desired |= win32.THREAD_QUERY_LIMITED_INFORMATION
	}
	granted, code := win32.AccessMask(0), win32.ERROR_ACCESS_DENIED
	if tok := t.EffectiveToken(); tok.HasPrivilege(security.SeDebugPrivilege) {
		granted, code = creationAccess(tok, threadKind, desired, win32.THREAD_ALL_ACCESS)
	}
	if code != 0 {
		var err error
		if granted, err = t.open(op, name, &o.object, desired, "HND-14"); err != nil {
			return 0, err
		}
	}
	return t.insert(op, name, &o.object, granted, inherit)
}
