// SPDX-License-Identifier: Apache-2.0

package wts

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
	"unicode/utf16"

	"stationmaster/internal/api"
	"stationmaster/internal/layout"
	"stationmaster/internal/surface"
	"stationmaster/station"
	"stationmaster/win32"
)

// Bounds of message boxes.
const (
	maxText       = 64 << 10        // bytes of UTF-16 of a title, and of a text (WTS-30)
	maxBoxes      = 64              // that wait in one session
	keySize       = 16              // bytes of a request's key
	keepAnswer    = 2 * time.Minute // how long an answer waits for its asker to come back
	timeoutAnswer = win32.IDTIMEOUT
)

// EventMessage is published when a box is shown and when it is answered;
// fields id, state (shown, answered, timeout, withdrawn), response, pid.
const EventMessage = "session-message"

// record is a box as it is kept across restarts of the daemon.
type record struct {
	ID       uint64
	Session  uint32
	Desktop  string
	Title    string
	Text     string
	Style    uint32
	Key      []byte
	Sender   string // SID of who asked: only the same user attaches again
	PID      uint32
	Created  time.Time
	Deadline time.Time // zero: none
	Done     bool
	Response uint32
	Ended    time.Time // when it was answered
}

// box is a message box that waits for a person, or was answered lately.
type box struct {
	rec    record        // guarded by Manager.mu
	gone   bool          // guarded by Manager.mu: its session ended
	done   chan struct{} // closed when Done or gone
	hide   func()        // guarded by Manager.mu; takes it off the screen
	timer  *time.Timer   // guarded by Manager.mu; nil without a deadline
	waiter int           // guarded by Manager.mu: askers that wait
}

// WTSSendMessage shows a message box in a session, for a person to answer. It
// returns the button (IDOK …), IDTIMEOUT when the time was over, or IDASYNC at
// once when the caller does not wait. Errors: 7022 for no such session, also
// when it ends while the box waits; 5; 1438 for a bad style; 87 for a text
// over 64 KiB; 1816 when too many boxes wait in the session.
//
// Win32: WTSSendMessage. Rules: WTS-30, WTS-31, WTS-32, WTS-33, WTS-35, WTS-36.
func (m *Manager) WTSSendMessage(ctx context.Context, t *station.Thread, q api.SendMessageRequest) (api.SendMessageReply, error) {
	const op = "WTSSendMessage"
	s, err := t.CheckSession(op, q.SessionID, win32.WINSTATION_MSG)
	if err != nil {
		return api.SendMessageReply{}, err
	}
	fail := func(code win32.Errno, rule string) (api.SendMessageReply, error) {
		return api.SendMessageReply{}, &win32.Error{Op: op, Object: s.ObjectName(), Code: code, Rule: rule}
	}
	b := surface.MessageBox{Title: q.Title, Text: q.Text, Style: q.Style}
	if err := b.Check(); err != nil {
		return fail(win32.Code(err), "WTS-33")
	}
	if tooLong(q.Title) || tooLong(q.Text) {
		return fail(win32.ERROR_INVALID_PARAMETER, "WTS-30")
	}
	if len(q.Key) != 0 && len(q.Key) != keySize {
		return fail(win32.ERROR_INVALID_PARAMETER, "WTS-30")
	}
	sender := t.EffectiveToken().User().String()

	m.mu.Lock()
	x := m.findLocked(s.ID(), sender, q.Key)
	fresh := false
	if x == nil {
		if m.closed || m.countLocked(s.ID()) >= maxBoxes {
			m.mu.Unlock()
			return fail(win32.ERROR_NOT_ENOUGH_QUOTA, "WTS-36")
		}
		m.next++
		x = &box{done: make(chan struct{}), rec: record{
			ID: m.next, Session: s.ID(), Desktop: desktopFor(s), Title: q.Title, Text: q.Text, Style: q.Style, Key: bytes.Clone(q.Key),
			Sender: sender, PID: uint32(t.Process().ID()), Created: time.Now(),
		}}
		if q.Seconds > 0 {
			x.rec.Deadline = x.rec.Created.Add(time.Duration(q.Seconds) * time.Second)
		}
		m.boxes[x.rec.ID] = x
		fresh = true
	}
	if q.Wait {
		x.waiter++
	}
	m.mu.Unlock()
	m.save() // intent before the act: a box that a person sees is one that is known
	if fresh {
		m.show(x)
	}
	if !q.Wait {
		return api.SendMessageReply{Response: win32.IDASYNC}, nil
	}

	defer func() {
		m.mu.Lock()
		x.waiter--
		over := x.waiter == 0 && x.rec.Done
		if over {
			delete(m.boxes, x.rec.ID)
		}
		m.mu.Unlock()
		if over {
			m.save()
		}
	}()
	select {
	case <-x.done:
	case <-ctx.Done():
		// The asker is gone. Its box stays: the asker may come back with its
		// key, and a person may just be answering (WTS-31's box outlives the
		// caller on Windows too).
		return api.SendMessageReply{}, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !x.rec.Done {
		return fail(win32.ERROR_CTX_WINSTATION_NOT_FOUND, "WTS-36")
	}
	return api.SendMessageReply{Response: x.rec.Response}, nil
}

// tooLong says whether a text has more than 64 KiB in UTF-16 (WTS-30).
func tooLong(s string) bool {
	if len(s) <= maxText/2 {
		return false // a byte of UTF-8 is at most one unit of UTF-16
	}
	return len(s) > 2*maxText || 2*len(utf16.Encode([]rune(s))) > maxText
}

// desktopFor gives the desktop a box belongs to: Default, or Winlogon while
// nobody is logged on (WTS-35).
func desktopFor(s *station.Session) string {
	if s.User() == nil && !s.Services() {
		return "Winlogon"
	}
	return "Default"
}

// findLocked finds the box that a request with a key belongs to.
func (m *Manager) findLocked(session uint32, sender string, key []byte) *box {
	if len(key) == 0 {
		return nil
	}
	for _, x := range m.boxes {
		if x.rec.Session == session && x.rec.Sender == sender && !x.gone && bytes.Equal(x.rec.Key, key) {
			return x
		}
	}
	return nil
}

func (m *Manager) countLocked(session uint32) int {
	n := 0
	for _, x := range m.boxes {
		if x.rec.Session == session && !x.rec.Done {
			n++
		}
	}
	return n
}

// show puts a box on the screen and starts its clock, without a lock: the
// display is not ours. A session that ended since the box was asked for takes
// it along.
func (m *Manager) show(x *box) {
	m.mu.Lock()
	over := x.rec.Done || x.gone || m.closed
	rec := x.rec
	if !over {
		m.publishLocked(x, "shown")
	}
	m.mu.Unlock()
	if over {
		return
	}
	b := surface.MessageBox{Title: rec.Title, Text: rec.Text, Style: rec.Style}
	hide := m.o.Display.ShowMessage(rec.Session, rec.Desktop, b, func(id uint32) { m.finish(x, id, "answered") })

	m.mu.Lock()
	over = x.rec.Done || x.gone || m.closed
	if !over {
		x.hide = hide
		if !rec.Deadline.IsZero() {
			x.timer = time.AfterFunc(time.Until(rec.Deadline), func() { m.finish(x, timeoutAnswer, "timeout") })
		}
	}
	m.mu.Unlock()
	if over {
		hide()
		return
	}
	if s, ok := m.o.Engine.Session(rec.Session); !ok || rec.Desktop == "Default" && s.User() == nil && !s.Services() {
		m.withdraw(func(y *box) bool { return y == x })
	}
}

// finish gives a box its answer, once.
func (m *Manager) finish(x *box, response uint32, state string) {
	m.mu.Lock()
	if m.closed || x.rec.Done || x.gone {
		m.mu.Unlock()
		return
	}
	x.rec.Done, x.rec.Response, x.rec.Ended = true, response, time.Now()
	close(x.done)
	hide := x.stopLocked()
	if x.waiter == 0 && len(x.rec.Key) == 0 {
		delete(m.boxes, x.rec.ID) // nobody can ask for the answer
	}
	m.dropOldLocked()
	m.publishLocked(x, state)
	m.mu.Unlock()
	hide()
	m.save()
}

// stopLocked ends a box's clock and gives what takes it off the screen.
func (x *box) stopLocked() func() {
	if x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
	hide := x.hide
	x.hide = nil
	if hide == nil {
		return func() {}
	}
	return hide
}

// dropOldLocked forgets answers that nobody came for.
func (m *Manager) dropOldLocked() {
	for id, x := range m.boxes {
		if x.rec.Done && x.waiter == 0 && time.Since(x.rec.Ended) > keepAnswer {
			delete(m.boxes, id)
		}
	}
}

// EndSession withdraws the boxes of a session that ends; who waits gets 7022.
func (m *Manager) EndSession(session uint32) {
	m.withdraw(func(x *box) bool { return x.rec.Session == session })
}

// withdraw takes the boxes that match, which looks at them under the lock.
func (m *Manager) withdraw(match func(*box) bool) {
	var hides []func()
	m.mu.Lock()
	for id, x := range m.boxes {
		if !match(x) {
			continue
		}
		if !x.rec.Done {
			x.gone = true
			close(x.done)
			hides = append(hides, x.stopLocked())
			m.publishLocked(x, "withdrawn")
		}
		delete(m.boxes, id)
	}
	m.mu.Unlock()
	for _, hide := range hides {
		hide()
	}
	m.save()
}

// ListMessages lists the boxes that wait in a session; it answers none of
// them. What they say is for the session's user and for administrators: besides
// QUERY, which every service has, it needs VIRTUAL.
//
// Rules: WTS-2, IN-10.
func (m *Manager) ListMessages(t *station.Thread, q api.SessionRequest) (api.MessagesReply, error) {
	s, err := t.CheckSession("ListMessages", q.SessionID, win32.WINSTATION_QUERY|win32.WINSTATION_VIRTUAL)
	if err != nil {
		return api.MessagesReply{}, err
	}
	var r api.MessagesReply
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.boxes {
		if x.rec.Session == s.ID() && !x.rec.Done {
			r.Messages = append(r.Messages, api.Message{
				ID: x.rec.ID, SessionID: x.rec.Session, Desktop: x.rec.Desktop, Title: x.rec.Title, Text: x.rec.Text, Style: x.rec.Style,
				SenderPID: x.rec.PID, CreatedNanos: nanos(x.rec.Created), DeadlineNanos: nanos(x.rec.Deadline),
			})
		}
	}
	slices.SortFunc(r.Messages, func(a, b api.Message) int { return cmp.Compare(a.ID, b.ID) })
	return r, nil
}

func (m *Manager) publishLocked(x *box, state string) {
	m.o.Engine.Publish(EventMessage, x.rec.Session, map[string]string{
		"id": fmt.Sprint(x.rec.ID), "state": state, "response": fmt.Sprint(x.rec.Response), "pid": fmt.Sprint(x.rec.PID),
	})
}

// state is the file that boxes are kept in.
type state struct {
	Next  uint64
	Boxes []record
}

// save writes the boxes to the memory-backed live state; the file is replaced
// whole. What is saved is what stands when the file's turn has come, so a later
// save never loses to an earlier one.
func (m *Manager) save() {
	if m.o.State == "" {
		return
	}
	m.saving.Lock()
	defer m.saving.Unlock()
	m.mu.Lock()
	st, closed := state{Next: m.next}, m.closed
	for _, x := range m.boxes {
		st.Boxes = append(st.Boxes, x.rec)
	}
	m.mu.Unlock()
	if closed {
		return // the file is the next daemon's
	}
	b, err := json.Marshal(st)
	if err == nil {
		err = layout.Replace(m.o.State, b)
	}
	if err != nil {
		m.o.Logger.Error("cannot keep the message boxes", "error", err)
	}
}

// Restore shows the boxes of an earlier daemon again, in sessions that are
// still there.
func (m *Manager) Restore() error {
	b, err := os.ReadFile(m.o.State)
	if m.o.State == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("cannot read %s: %w", m.o.State, err)
	}
	var waiting []*box
	m.mu.Lock()
	m.next = max(m.next, st.Next)
	for _, r := range st.Boxes {
		if _, ok := m.o.Engine.Session(r.Session); !ok {
			continue
		}
		x := &box{rec: r, done: make(chan struct{})}
		m.boxes[r.ID] = x
		if r.Done {
			close(x.done)
			continue
		}
		waiting = append(waiting, x)
	}
	m.dropOldLocked()
	m.mu.Unlock()
	slices.SortFunc(waiting, func(a, b *box) int { return cmp.Compare(a.rec.ID, b.rec.ID) }) // as they lay above each other
	for _, x := range waiting {
		m.show(x)
	}
	m.save()
	return nil
}

// Close ends the clocks and takes the boxes off the screen; the state keeps
// them for the next daemon.
func (m *Manager) Close() {
	var hides []func()
	m.mu.Lock()
	m.closed = true
	for _, x := range m.boxes {
		if !x.rec.Done {
			hides = append(hides, x.stopLocked())
		}
	}
	m.mu.Unlock()
	for _, hide := range hides {
		hide()
	}
	m.work.Wait()
}
