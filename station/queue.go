// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/win32"
)

// Message is one message as a program retrieves it (MSG-22).
type Message struct {
	Window  win32.HWND
	Message uint32
	WParam  uint64
	LParam  uint64
	Time    uint32 // milliseconds since the engine began, wrapping
	X, Y    int32  // of the pointer
}

// DeliveryKind says what a thread is to do next.
type DeliveryKind uint8

const (
	DeliverNone    DeliveryKind = iota // PeekMessage found nothing
	DeliverMessage                     // a message was retrieved
	DeliverCall                        // run a procedure, give its result to AnswerCall, then go on
	DeliverDone                        // the call is over; Result and Data are what it gives
)

// CallKind says which procedure a DeliverCall is for.
type CallKind uint8

const (
	CallWindow   CallKind = iota // window procedure: Message
	CallHook                     // hook procedure: HookType, Code, WParam and LParam of the message
	CallCallback                 // what SendMessageCallback was given: Message, Result, and WParam the caller's value
)

// Delivery is the answer of every call that may wait. While it waits a thread
// runs what is sent to it: then Kind is DeliverCall, the program runs the
// procedure, answers, and asks again, with the same GetMessage or PeekMessage,
// or with Continue and the number in Op.
type Delivery struct {
	Kind     DeliveryKind
	Call     CallKind
	CallID   uint64
	Op       uint64 // of the call to be continued, 0 for retrievals
	Proc     uint64 // procedure, in numbers of the process
	HookType int32
	Code     int32
	Message  Message
	Result   uint64
	Data     []byte
}

const (
	defaultPostLimit = 10000            // posted messages per queue (MSG-16)
	minPostLimit     = 4000             //
	maxSent          = 16384            // messages sent to one thread that it has not taken
	maxOps           = 256              // calls of one thread that wait inside each other
	maxTimers        = 4096             // timers of one thread
	hungTime         = 5 * time.Second  // MSG-25
	maxPayload       = 256 << 20        // bytes in messages and clipboards of one session
	maxCopyData      = 16 << 20         // MSG-31
	pointerTimeout   = 30 * time.Second // a clipboard owner's time to render (CB-10)
)

// States of a call on its way.
const (
	callNew     uint8 = iota // hooks have not seen it
	callHooking              // hooks are looking at it
	callReady                // it may be run
)

// call is a procedure that a thread is to run: of a window for a sent message,
// of a hook for an event, or the callback of an asynchronous send.
type call struct {
	id     uint64     // immutable
	kind   CallKind   // immutable
	to     *queue     // immutable
	msg    Message    // immutable
	data   []byte     // immutable
	proc   uint64     // immutable
	sender *Thread    // immutable: nil for the engine
	ismex  uint32     // immutable: what InSendMessageEx says
	direct bool       // immutable: of the thread to itself; served even where others must wait
	hook   *hookRun   // immutable: of a hook call
	pos    int        // immutable: its place in the chain
	bytes  int64      // immutable: charged to the session
	fin    finishFunc // immutable: called once, with no lock held; nil when nobody waits

	state    uint8 // guarded by session.mu
	replied  bool  // guarded by to.mu
	finished atomic.Bool
	timer    atomic.Pointer[time.Timer]
}

// finishFunc takes the result of a call, or why there is none.
type finishFunc func(result uint64, data []byte, err error)

// finish ends a call for its sender. Later answers count for nothing (MSG-26).
// The caller holds no lock.
func (c *call) finish(result uint64, data []byte, err error) bool {
	if !c.finished.CompareAndSwap(false, true) {
		return false
	}
	if t := c.timer.Load(); t != nil {
		t.Stop()
	}
	if c.bytes > 0 {
		s := c.to.thread.process.session
		s.mu.Lock()
		s.ui.payload -= c.bytes
		s.unlock()
	}
	if c.fin != nil {
		c.fin(result, data, err)
	}
	return true
}

// pendingOp is a call of a thread that waits for an answer.
type pendingOp struct {
	id    uint64
	block bool // SMTO_BLOCK: nothing is served meanwhile

	// guarded by queue.mu
	done   bool
	result uint64
	data   []byte
	err    error
}

// queue is what one thread has to do. Its lock is the innermost, and no two
// queues are ever locked at once.
type queue struct {
	thread *Thread // immutable

	mu        lockrank.Mutex
	bell      chan struct{} // guarded by mu: closed and replaced to wake those who wait
	waiting   int           // guarded by mu: who waits for the bell
	getting   int           // guarded by mu: of these, for messages
	sent      []*call       // guarded by mu: to be run, first come first
	running   []*call       // guarded by mu: taken and not answered, the latest last
	posted    postRing      // guarded by mu
	quit      bool          // guarded by mu: PostQuitMessage was called
	quitCode  uint64        // guarded by mu
	timers    map[timerKey]*windowTimer
	fired     []Message // guarded by mu: WM_TIMERs that are due, of killed timers too
	paints    []win32.HWND
	held      *heldMessage // guarded by mu: retrieved, hooks are looking at it
	ops       map[uint64]*pendingOp
	nextOp    uint64
	nextTimer uint64
	retrieved time.Time // guarded by mu: when it last looked for messages
	since     time.Time // guarded by mu: since when something waits
	fresh     uint32    // guarded by mu: QS bits that came since GetQueueStatus
	dead      bool      // guarded by mu
}

// heldMessage is a message that WH_GETMESSAGE hooks see before the program.
type heldMessage struct {
	msg  Message
	done bool
}

// postRing is a queue of posted messages that gives its memory back when it is
// empty.
type postRing struct {
	list []Message
	head int
}

func (r *postRing) len() int { return len(r.list) - r.head }

func (r *postRing) push(m Message) {
	if r.head > 1024 && r.head > len(r.list)/2 {
		r.list = append(r.list[:0], r.list[r.head:]...)
		r.head = 0
	}
	r.list = append(r.list, m)
}

// remove takes message i, counted from the oldest.
func (r *postRing) remove(i int) {
	if i == 0 {
		r.head++
	} else {
		r.list = slices.Delete(r.list, r.head+i, r.head+i+1)
	}
	if r.len() == 0 {
		if cap(r.list) > 64 {
			r.list = nil
		}
		r.list, r.head = r.list[:0], 0
	}
}

// queueLocked gives the thread's queue, made at its first call that needs one
// (MSG-14).
func (t *Thread) queueLocked() *queue {
	s := t.process.session
	s.mu.AssertHeld()
	if t.queue == nil {
		now := s.engine.now()
		q := &queue{thread: t, bell: make(chan struct{}), timers: make(map[timerKey]*windowTimer), ops: make(map[uint64]*pendingOp), retrieved: now, since: now}
		q.mu.Init(lockrank.Queue, 0)
		t.queue = q
		s.uiLocked().threads[t.id] = t
	}
	return t.queue
}

func (q *queue) ringLocked() {
	if q.waiting > 0 {
		close(q.bell)
		q.bell = make(chan struct{})
	}
}

// workLocked reports whether something waits for the thread.
func (q *queue) workLocked() bool {
	return len(q.sent) > 0 || q.posted.len() > 0 || q.quit || len(q.fired) > 0 || len(q.paints) > 0
}

// cameLocked notes that something came, and wakes the thread.
func (q *queue) cameLocked(bits uint32, had bool) {
	if !had {
		q.since = q.thread.process.engine.now()
	}
	q.fresh |= bits
	q.ringLocked()
}

// hungLocked reports whether the thread lets messages wait (MSG-25).
func (q *queue) hungLocked(now time.Time) bool {
	if q.getting > 0 || !q.workLocked() {
		return false
	}
	last := q.since
	if q.retrieved.After(last) {
		last = q.retrieved
	}
	return now.Sub(last) >= hungTime
}

// putLocked gives the thread a call to run. The caller holds the session's mu.
// It reports false when the thread has ended or has too many.
func (q *queue) putLocked(c *call, front bool) win32.Errno {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.dead:
		return win32.ERROR_INVALID_WINDOW_HANDLE
	case len(q.sent) >= maxSent:
		return win32.ERROR_NOT_ENOUGH_QUOTA
	}
	had := q.workLocked()
	if front {
		q.sent = slices.Insert(q.sent, 0, c)
	} else {
		q.sent = append(q.sent, c)
	}
	q.cameLocked(win32.QS_SENDMESSAGE, had)
	return 0
}

// drop takes a call back that nobody has begun to run.
func (q *queue) drop(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = slices.DeleteFunc(q.sent, func(x *call) bool { return x == c })
}

// limit lets a call fail after a time; again is asked then and may give it
// more.
func (c *call) limit(d time.Duration, code win32.Errno, again func() bool) {
	var expire func()
	expire = func() {
		if again != nil && !c.finished.Load() && again() {
			c.timer.Store(time.AfterFunc(d, expire))
			if c.finished.Load() {
				c.timer.Load().Stop()
			}
			return
		}
		if c.finish(0, nil, code) {
			c.to.drop(c)
		}
	}
	c.timer.Store(time.AfterFunc(d, expire))
}

// postLocked puts a posted message into the queue (MSG-16).
func (q *queue) postLocked(m Message) win32.Errno {
	e := q.thread.process.engine
	m.Time = e.ticks()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.dead:
		return win32.ERROR_INVALID_THREAD_ID
	case q.posted.len() >= e.settings.PostLimit:
		return win32.ERROR_NOT_ENOUGH_QUOTA
	}
	had := q.workLocked()
	q.posted.push(m)
	q.cameLocked(win32.QS_POSTMESSAGE|win32.QS_ALLPOSTMESSAGE, had)
	return 0
}

// ticks gives the milliseconds since the engine began (MSG-22).
func (e *Engine) ticks() uint32 { return uint32(e.now().Sub(e.began).Milliseconds()) }

// beginOp makes a call that waits.
func (q *queue) beginOp(block bool) (*pendingOp, win32.Errno) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ops) >= maxOps {
		return nil, win32.ERROR_NOT_ENOUGH_QUOTA
	}
	q.nextOp++
	op := &pendingOp{id: q.nextOp, block: block}
	q.ops[op.id] = op
	return op, 0
}

func (q *queue) endOp(op *pendingOp) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.ops, op.id)
}

// complete ends a call that waits.
func (q *queue) complete(op *pendingOp, result uint64, data []byte, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !op.done {
		op.done, op.result, op.data, op.err = true, result, data, err
		q.ringLocked()
	}
}

// endLocked throws the queue's content away: the thread has ended. Who waits
// for it is let go when the session's lock is gone.
func (q *queue) endLocked(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dead = true
	all := append(q.sent, q.running...)
	q.sent, q.running = nil, nil
	for _, w := range q.timers {
		w.timer.Stop()
	}
	clear(q.timers)
	q.posted, q.fired, q.paints, q.held = postRing{}, nil, nil, nil
	q.ringLocked()
	if len(all) > 0 {
		s.laterLocked(func() {
			for _, c := range all {
				c.finish(0, nil, win32.ERROR_INVALID_WINDOW_HANDLE)
			}
		})
	}
}

// forgetWindowLocked drops what waits for a window that goes, and lets those
// go who sent to it (MSG-26). Posted messages to it stay until the program
// retrieves them and finds the window gone, as everywhere.
func (s *Session) forgetWindowLocked(t *Thread, h win32.HWND) {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	var gone []*call
	mine := func(c *call) bool {
		if c.kind == CallWindow && c.msg.Window == h {
			gone = append(gone, c)
			return true
		}
		return false
	}
	q.sent = slices.DeleteFunc(q.sent, mine)
	for _, c := range q.running {
		if c.kind == CallWindow && c.msg.Window == h && !c.direct { // its own it answers itself
			gone = append(gone, c)
		}
	}
	q.paints = slices.DeleteFunc(q.paints, func(x win32.HWND) bool { return x == h })
	for k, w := range q.timers {
		if k.window == h {
			w.timer.Stop()
			delete(q.timers, k)
		}
	}
	q.fired = slices.DeleteFunc(q.fired, func(m Message) bool { return m.Window == h })
	if len(gone) > 0 {
		s.laterLocked(func() {
			for _, c := range gone {
				c.finish(0, nil, win32.ERROR_INVALID_WINDOW_HANDLE)
			}
		})
	}
}

// filter says which messages a retrieval wants (MSG-20).
type filter struct {
	window   win32.HWND
	min, max uint32
	qs       uint32 // 0: all
	remove   bool
}

func (f *filter) wants(u *userTable, m *Message) bool {
	switch {
	case f.window == win32.ThreadMessages && m.Window != 0:
		return false
	case f.window != 0 && f.window != win32.ThreadMessages && m.Window != f.window:
		if m.Window == 0 || u.get(m.Window, userWindow) == nil || !u.within(uint16(m.Window), uint16(f.window)) {
			return false
		}
	}
	return f.min == 0 && f.max == 0 || m.Message >= f.min && m.Message <= f.max
}

func (f *filter) class(bit uint32) bool { return f.qs == 0 || f.qs&bit != 0 }

// takeLocked retrieves a message in the order of MSG-17. The caller holds the
// session's mu and q.mu.
func (q *queue) takeLocked(u *userTable, f *filter) (Message, bool) {
	if f.class(win32.QS_POSTMESSAGE | win32.QS_ALLPOSTMESSAGE) {
		for i := range q.posted.len() {
			if m := q.posted.list[q.posted.head+i]; f.wants(u, &m) {
				if f.remove {
					q.posted.remove(i)
				}
				return m, true
			}
		}
		if q.quit && q.posted.len() == 0 { // MSG-18
			if f.remove {
				q.quit = false
			}
			return Message{Message: win32.WM_QUIT, WParam: q.quitCode, Time: q.thread.process.engine.ticks()}, true
		}
	}
	if f.class(win32.QS_PAINT) {
		for _, h := range q.paints {
			m := Message{Window: h, Message: win32.WM_PAINT, Time: q.thread.process.engine.ticks()}
			if f.wants(u, &m) {
				return m, true // until it is validated
			}
		}
	}
	if f.class(win32.QS_TIMER) {
		for i, m := range q.fired {
			if f.wants(u, &m) {
				if f.remove {
					q.fired = slices.Delete(q.fired, i, i+1)
					q.timerTaken(m)
				}
				m.Time = q.thread.process.engine.ticks()
				return m, true
			}
		}
	}
	return Message{}, false
}

// nextCallLocked takes the next procedure that may run. For an op that blocks
// only what the thread sent to itself is served. The caller holds the
// session's mu.
func (t *Thread) nextCallLocked(op *pendingOp) *call {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := 0; i < len(q.sent); i++ {
		c := q.sent[i]
		if c.state == callHooking || op != nil && op.block && !c.direct {
			continue
		}
		if c.state == callNew {
			if c.kind == CallWindow {
				if run := t.process.session.hookRunLocked(t, win32.WH_CALLWNDPROC, win32.HC_ACTION, &c.msg); run != nil {
					c.state = callHooking
					run.fin = func(uint64, []byte, error) { t.ready(c) }
					q.mu.Unlock()
					run.nextLocked(0)
					q.mu.Lock()
					i = -1
					continue
				}
			}
			c.state = callReady
		}
		q.sent = slices.Delete(q.sent, i, i+1)
		q.running = append(q.running, c)
		q.retrieved = t.process.engine.now()
		return c
	}
	return nil
}

// ready lets a call run that hooks have seen.
func (t *Thread) ready(c *call) {
	s := t.process.session
	s.mu.Lock()
	c.state = callReady
	s.unlock()
	q := c.to
	q.mu.Lock()
	q.ringLocked()
	q.mu.Unlock()
}

func (c *call) delivery(op *pendingOp) Delivery {
	d := Delivery{Kind: DeliverCall, Call: c.kind, CallID: c.id, Proc: c.proc, Message: c.msg, Data: c.data}
	if op != nil {
		d.Op = op.id
	}
	if c.hook != nil {
		d.HookType, d.Code = c.hook.kind, c.hook.code
	}
	return d
}

// stepLocked does one look: what a thread is to do next, or nothing. It gives
// the bell to wait for.
func (t *Thread) stepLocked(op *pendingOp, f *filter) (Delivery, bool, <-chan struct{}, error) {
	q := t.queue
	u := &t.process.session.ui.table
	if op != nil {
		q.mu.Lock()
		if op.done {
			delete(q.ops, op.id)
			q.mu.Unlock()
			return Delivery{Kind: DeliverDone, Result: op.result, Data: op.data}, true, nil, op.err
		}
		q.mu.Unlock()
	}
	if c := t.nextCallLocked(op); c != nil {
		return c.delivery(op), true, nil, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dead {
		return Delivery{}, true, nil, t.errorOf("GetMessage", "", win32.ERROR_INVALID_HANDLE, "MSG-26")
	}
	if f != nil {
		q.retrieved = t.process.engine.now()
		if q.held == nil {
			if m, ok := q.takeLocked(u, f); ok {
				run := (*hookRun)(nil)
				if f.remove {
					run = t.process.session.hookRunLocked(t, win32.WH_GETMESSAGE, win32.HC_ACTION, &m)
				}
				if run == nil {
					return Delivery{Kind: DeliverMessage, Message: m}, true, nil, nil
				}
				held := &heldMessage{msg: m}
				q.held = held
				run.fin = func(uint64, []byte, error) {
					q.mu.Lock()
					held.done = true
					q.ringLocked()
					q.mu.Unlock()
				}
				q.mu.Unlock()
				run.nextLocked(0)
				q.mu.Lock()
				// A hook of this very thread has put a call into the queue.
				return Delivery{}, false, closedBell, nil
			}
		} else if q.held.done {
			m := q.held.msg
			q.held = nil
			return Delivery{Kind: DeliverMessage, Message: m}, true, nil, nil
		}
	}
	if op != nil && op.done { // just now
		return Delivery{}, false, closedBell, nil
	}
	q.waiting++
	if f != nil {
		q.getting++
	}
	return Delivery{}, false, q.bell, nil
}

// closedBell means: look again at once.
var closedBell = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// pump looks until there is something to do. With peek it does not wait for
// messages, only for hooks that look at one.
func (t *Thread) pump(ctx context.Context, op *pendingOp, f *filter, peek bool) (Delivery, error) {
	lockrank.AssertNoneHeld()
	s, q := t.process.session, t.queue
	for {
		s.mu.Lock()
		d, ok, bell, err := t.stepLocked(op, f)
		s.unlock()
		if ok {
			return d, err
		}
		if bell == closedBell {
			continue
		}
		q.mu.Lock()
		again := q.held != nil
		q.mu.Unlock()
		if peek && !again {
			t.unwait(f)
			return Delivery{Kind: DeliverNone}, nil
		}
		select {
		case <-bell:
			t.unwait(f)
		case <-ctx.Done():
			t.unwait(f)
			return Delivery{}, ctx.Err()
		}
	}
}

func (t *Thread) unwait(f *filter) {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
	if f != nil {
		q.getting--
	}
}

// wait runs an op: it gives its result, or the first procedure to be run
// meanwhile. An op that its caller gives up is forgotten.
func (t *Thread) wait(ctx context.Context, op *pendingOp) (Delivery, error) {
	d, err := t.pump(ctx, op, nil, false)
	if err != nil && ctx.Err() != nil {
		t.queue.endOp(op)
	}
	return d, err
}
