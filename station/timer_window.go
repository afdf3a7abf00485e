// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"
	"time"

	"stationmaster/win32"
)

// Window timers run at 10 ms at least and 24.8 days at most (MSG-36).
const (
	minTimer = 10
	maxTimer = 0x7FFFFFFF
)

// timerKey names a timer of a thread.
type timerKey struct {
	window win32.HWND // 0: of the thread
	id     uint64
}

// windowTimer is one timer. While its WM_TIMER waits it does not run, so that
// a program that looks at nothing costs nothing (MSG-19).
type windowTimer struct {
	period time.Duration
	proc   uint64
	timer  *time.Timer
	due    bool // its message waits
}

// fire makes a timer's message wait.
func (q *queue) fire(key timerKey, w *windowTimer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dead || q.timers[key] != w || w.due {
		return
	}
	w.due = true
	had := q.workLocked()
	q.fired = append(q.fired, Message{Window: key.window, Message: win32.WM_TIMER, WParam: key.id, LParam: w.proc})
	q.cameLocked(win32.QS_TIMER, had)
}

// timerTaken lets a timer run again. The caller holds q.mu.
func (q *queue) timerTaken(m Message) {
	if w := q.timers[timerKey{m.Window, m.WParam}]; w != nil && w.due {
		w.due = false
		w.timer.Reset(w.period)
	}
}

// timerQueueLocked gives the queue that a window's timers are in.
func (t *Thread) timerQueueLocked(op string, h win32.HWND) (*queue, error) {
	ui, err := t.guiLocked(op)
	if err != nil {
		return nil, err
	}
	if h == 0 {
		return t.queueLocked(), nil
	}
	r, err := t.windowLocked(op, h, useQuery, "MSG-36")
	if err != nil {
		return nil, err
	}
	owner := ui.threads[r.thread]
	if owner == nil || owner.process != t.process {
		return nil, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, "MSG-36", "the window belongs to another process")
	}
	return owner.queue, nil
}

// SetTimer starts a timer, or starts the one of that window and number anew,
// and gives its number: for window 0 a new one, unless id is the number of one
// that runs. millis is its period, proc goes into the message's LParam.
//
// Win32: SetTimer. Rules: MSG-36.
func (t *Thread) SetTimer(h win32.HWND, id uint64, millis uint32, proc uint64) (uint64, error) {
	const op = "SetTimer"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	q, err := t.timerQueueLocked(op, h)
	if err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	key := timerKey{h, id}
	if h == 0 && q.timers[key] == nil {
		q.nextTimer++
		key.id = q.nextTimer
	}
	if old := q.timers[key]; old != nil {
		old.timer.Stop()
		delete(q.timers, key)
	} else if len(q.timers) >= maxTimers {
		return 0, t.errorOf(op, windowText(h), win32.ERROR_NOT_ENOUGH_MEMORY, "MSG-36")
	}
	w := &windowTimer{period: time.Duration(min(max(millis, minTimer), maxTimer)) * time.Millisecond, proc: proc}
	w.timer = time.AfterFunc(w.period, func() { q.fire(key, w) })
	q.timers[key] = w
	if h != 0 && key.id == 0 {
		return 1, nil // TRUE: the number 0 is allowed for windows
	}
	return key.id, nil
}

// KillTimer stops a timer. A message that waits already stays.
//
// Win32: KillTimer. Rules: MSG-36.
func (t *Thread) KillTimer(h win32.HWND, id uint64) error {
	const op = "KillTimer"
	s := t.process.session
	s.mu.Lock()
	defer s.unlock()
	q, err := t.timerQueueLocked(op, h)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.timers[timerKey{h, id}]
	if w == nil {
		return t.errorOf(op, fmt.Sprintf("timer %d", id), win32.ERROR_INVALID_PARAMETER, "MSG-36")
	}
	w.timer.Stop()
	delete(q.timers, timerKey{h, id})
	return nil
}
