// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"encoding/binary"
	"time"
)

// qualities are the JPEG qualities of the levels 0 to 9 that viewers speak of.
var qualities = [10]int{15, 29, 41, 42, 62, 77, 79, 86, 92, 100}

// steps bound the quality on a slow link: none, then less and less.
var steps = [4]int{100, 62, 42, 29}

const (
	inFlightTime   = 100 * time.Millisecond // what may be on its way, in time
	inFlightLeast  = 16 << 10               // bytes that may be, however slow the link
	inFlightFirst  = 512 << 10              // bytes before anything was measured
	sampleLeast    = 4 << 10                // bytes an answer must stand for to be a measure
	heldLong       = 100 * time.Millisecond // a change held so long asks for less quality
	recoverTime    = 3 * time.Second        // without holding, one step more quality
	maxOutstanding = 64                     // fences without an answer
)

// link is what is known of the speed of a viewer's connection. How long a write
// takes says nothing, socket buffers swallow several pictures; so a fence follows
// each update, and its answer says when the viewer had read that far. Guarded by
// viewer.mu.
type link struct {
	on       bool   // the viewer answers fences
	seq      uint32 // of the last fence sent
	sent     uint64 // bytes of updates
	acked    uint64
	pending  []mark // fences without an answer, oldest first
	rate     float64
	trip     time.Duration // shortest time of an answer
	lastAck  time.Time
	step     int       // into steps
	held     time.Time // since when a change waits for the link; zero: none does
	lastHeld time.Time // when one last waited for long
}

type mark struct {
	seq  uint32
	sent uint64
	at   time.Time
}

// wrote notes n bytes of an update and gives the payload of the fence to send
// after it, or nil.
func (l *link) wrote(n int, now time.Time) []byte {
	if !l.on || len(l.pending) >= maxOutstanding {
		return nil
	}
	l.sent += uint64(n)
	l.seq++
	l.pending = append(l.pending, mark{l.seq, l.sent, now})
	return binary.BigEndian.AppendUint32(nil, l.seq)
}

// answered takes the answer to a fence. A payload that was never sent is ignored.
func (l *link) answered(payload []byte, now time.Time) {
	if len(payload) != 4 {
		return
	}
	seq := binary.BigEndian.Uint32(payload)
	for i, m := range l.pending {
		if m.seq != seq {
			continue
		}
		took := now.Sub(m.at)
		if l.trip == 0 || took < l.trip {
			l.trip = took
		}
		// The viewer was busy with these bytes since it had them, or since it
		// was done with the ones before.
		since := m.at
		if l.lastAck.After(since) {
			since = l.lastAck
		}
		busy := max(now.Sub(since)-l.trip/2, 500*time.Microsecond)
		if n := m.sent - l.acked; n >= sampleLeast {
			sample := float64(n) / busy.Seconds()
			if l.rate == 0 || sample > l.rate {
				l.rate = sample
			} else {
				l.rate += (sample - l.rate) / 4
			}
		}
		l.acked, l.lastAck = m.sent, now
		l.pending = append(l.pending[:0], l.pending[i+1:]...)
		return
	}
}

// busy reports whether so much is on its way that the next update has to wait
// for an answer.
func (l *link) busy() bool {
	if !l.on || len(l.pending) == 0 {
		return false
	}
	limit := uint64(inFlightFirst)
	if l.rate > 0 {
		limit = max(inFlightLeast, uint64(l.rate*(inFlightTime+l.trip).Seconds()))
	}
	return l.sent-l.acked >= limit
}

// idle reports whether everything sent has arrived, as far as one can know.
func (l *link) idle() bool { return len(l.pending) == 0 }

// hold notes that a change waits for the link.
func (l *link) hold(now time.Time) {
	if l.held.IsZero() {
		l.held = now
	}
}

// quality gives the JPEG quality for an update that is made now, for a viewer
// that asked for level (-1: no loss, 0).
func (l *link) quality(level int, now time.Time) int {
	if !l.held.IsZero() {
		if now.Sub(l.held) >= heldLong {
			l.step = min(l.step+1, len(steps)-1)
			l.lastHeld = now
		}
		l.held = time.Time{}
	}
	if l.step > 0 && now.Sub(l.lastHeld) >= recoverTime {
		l.step--
		l.lastHeld = now
	}
	if level < 0 {
		return 0
	}
	return min(qualities[level], steps[l.step])
}
