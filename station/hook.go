// SPDX-License-Identifier: Apache-2.0

package station

import (
	"slices"

	"stationmaster/win32"
)

// maxSkips is how often in a row a hook may be late before it is removed
// (HK-8).
const maxSkips = 10

// hook is a hook procedure of a program (HK-1). Guarded by the session's mu.
type hook struct {
	handle  win32.HWND
	kind    int32
	proc    uint64  // in numbers of the installing process
	thread  *Thread // who installed it and runs it (HK-8)
	target  *Thread // nil: every thread of the desktop
	desktop *Desktop
	owners  []*Thread // threads whose hook it counts as (DT-35)
	skips   int       // how often in a row it was late
	gone    bool
}

// hookRun is one event on its way along a chain of hooks. The engine runs each
// hook in the process that installed it; whether the next one is asked is up
// to that one (CallNextHookEx), except when it is late.
type hookRun struct {
	session *Session
	kind    int32
	code    int32
	msg     Message
	data    []byte
	chain   []*hook
	fin     finishFunc // called once, with no lock held; nil when nobody waits
}

// hookRunLocked gives the run of an event of a thread, nil when no hook sees
// it. It takes no lock.
func (s *Session) hookRunLocked(t *Thread, kind, code int32, msg *Message) *hookRun {
	if t.desktop == nil || t.desktop.ui == nil {
		return nil
	}
	all := t.desktop.ui.hooks[kind]
	if len(all) == 0 {
		return nil
	}
	r := &hookRun{session: s, kind: kind, code: code, msg: *msg}
	for _, h := range all { // HK-5: thread hooks first
		if h.target == t {
			r.chain = append(r.chain, h)
		}
	}
	for _, h := range all {
		if h.target == nil && h.reaches(t) {
			r.chain = append(r.chain, h)
		}
	}
	if len(r.chain) == 0 {
		return nil
	}
	return r
}

// reaches reports whether a global hook may see a thread of its desktop: not
// one of higher integrity (UI-9), and one of another account only if that
// process allows it (HK-9).
func (h *hook) reaches(t *Thread) bool {
	from, to := h.thread.process, t.process
	if from == to {
		return true
	}
	if level(from.Token()) < to.Token().Integrity() {
		return false
	}
	return from.Token().User() == to.Token().User() || to.allowsHooks(h.desktop)
}

// nextLocked gives the event to the first hook from pos on that still lives,
// and ends the run when there is none. The caller holds the session's mu and
// no queue's.
func (r *hookRun) nextLocked(pos int) {
	s := r.session
	s.mu.AssertHeld()
	for ; pos < len(r.chain); pos++ {
		h := r.chain[pos]
		if h.gone {
			continue
		}
		s.ui.nextCall++
		c := &call{id: s.ui.nextCall, kind: CallHook, to: h.thread.queue, msg: r.msg, data: r.data, proc: h.proc, hook: r, pos: pos, state: callReady}
		c.fin = func(result uint64, data []byte, err error) {
			s.mu.Lock()
			defer s.unlock()
			if err == nil {
				h.skips = 0
				r.endLocked(result, data)
				return
			}
			if h.skips++; h.skips >= maxSkips && !h.gone {
				s.removeHookLocked(h)
			}
			r.nextLocked(pos + 1)
		}
		if h.thread.queue.putLocked(c, false) == 0 {
			c.limit(s.engine.settings.HookTimeout, win32.ERROR_TIMEOUT, nil)
			return
		}
	}
	r.endLocked(0, nil)
}

func (r *hookRun) endLocked(result uint64, data []byte) {
	if fin := r.fin; fin != nil {
		r.session.laterLocked(func() { fin(result, data, nil) })
	}
}

// removeHookLocked takes a hook away.
func (s *Session) removeHookLocked(h *hook) {
	s.mu.AssertHeld()
	if h.gone {
		return
	}
	h.gone = true
	delete(s.ui.hooks, h.handle)
	s.ui.table.remove(uint16(h.handle))
	if d := h.desktop; d.ui != nil {
		d.ui.hooks[h.kind] = slices.DeleteFunc(d.ui.hooks[h.kind], func(x *hook) bool { return x == h })
		d.refundLocked(chargeHook)
	}
	for _, t := range h.owners {
		t.hooks--
	}
	h.thread.process.ui.handles--
}
