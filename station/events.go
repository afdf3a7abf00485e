// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"stationmaster/internal/lockrank"
)

// heapEventEvery is how often a full heap is told about, per desktop (DT-27).
const heapEventEvery = time.Minute

// ring keeps the last records of a kind for readers that poll. Records are
// numbered from 1 without gaps.
type ring[T any] struct {
	mu      lockrank.Mutex
	size    int
	records []T           // guarded by mu: the last size records, oldest at start
	start   int           // guarded by mu: index of the oldest when the ring is full
	last    uint64        // guarded by mu: number of the newest record
	more    chan struct{} // guarded by mu: closed and replaced when a record comes; nil while nobody waits
}

func (r *ring[T]) init(size int) {
	r.mu.Init(lockrank.Leaf, 0)
	r.size = size
}

// addLocked appends what make gives for the next number.
func (r *ring[T]) addLocked(make func(seq uint64) T) T {
	r.mu.AssertHeld()
	r.last++
	rec := make(r.last)
	if len(r.records) < r.size {
		r.records = append(r.records, rec)
	} else {
		r.records[r.start] = rec
		r.start = (r.start + 1) % r.size
	}
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
	return rec
}

// read gives up to max records after the number after, oldest first, and waits
// for one when there is none yet. Records that the ring has dropped are
// skipped; the reader sees the gap in the numbers.
func (r *ring[T]) read(ctx context.Context, after uint64, max int, stop <-chan struct{}) ([]T, error) {
	if max <= 0 {
		max = r.size
	}
	for {
		r.mu.Lock()
		if r.last > after {
			n := len(r.records)
			skip := 0
			if have := r.last - uint64(n); after > have {
				skip = int(after - have)
			}
			out := make([]T, 0, min(max, n-skip))
			for i := skip; i < n && len(out) < max; i++ {
				out = append(out, r.records[(r.start+i)%n])
			}
			r.mu.Unlock()
			return out, nil
		}
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more := r.more
		r.mu.Unlock()
		select {
		case <-more:
		case <-stop:
			return nil, errClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// maxBacklog is how many events may wait for the observers before those that
// programs cause as often as they like are only counted.
const maxBacklog = 4096

// plentiful are the events that a program can cause in a loop, without the
// cost of starting a process.
var plentiful = map[string]bool{
	EventStationCreate: true, EventStationClose: true, EventDesktopCreate: true, EventDesktopClose: true,
	EventDesktopSwitch: true, EventDescriptorChange: true, EventProcessConnect: true, EventConnectFailed: true,
	EventHeapCreateFailed: true, EventSurface: true, EventTokenChange: true,
}

// observers run on one goroutine, get every event in order and hold no lock.
// An observer that falls behind must neither stop the engine nor lose the end
// of a session, and a program that makes and closes desktops in a loop must
// not fill the daemon's memory: past a backlog such events are left out, and
// EventsLost says so once the observers have caught up.
type observers struct {
	mu    sync.Mutex
	queue []Event           // guarded by mu
	lost  map[uint32]uint64 // guarded by mu: events left out, by session
	list  []*observer       // guarded by mu
	wake  chan struct{}     // capacity 1

	taken   uint64        // guarded by mu: number of the newest event put
	handled uint64        // guarded by mu: everything up to it has been handed out
	settled chan struct{} // guarded by mu: closed and replaced when handled grows; nil while nobody waits
}

type observer struct {
	f    func(Event)
	from uint64     // immutable: the first event that is the observer's
	mu   sync.Mutex // held while f runs, so that cancel can wait for it
	gone bool       // guarded by mu
}

func (o *observers) put(ev Event) {
	o.mu.Lock()
	o.taken = max(o.taken, ev.Seq)
	if len(o.queue) >= maxBacklog && plentiful[ev.Kind] {
		if o.lost == nil {
			o.lost = make(map[uint32]uint64)
		}
		o.lost[ev.Session]++
	} else {
		o.queue = append(o.queue, ev)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run hands events out until stop is closed; what was published before then is
// still handed out.
func (o *observers) run(stop <-chan struct{}) {
	for stopped := false; !stopped; {
		select {
		case <-o.wake:
		case <-stop:
			stopped = true
		}
		for {
			o.mu.Lock()
			queue, list, upTo := o.queue, slices.Clone(o.list), o.taken
			o.queue = nil
			for id, n := range o.lost { // they came after everything in the queue
				queue = append(queue, Event{Kind: EventsLost, Session: id, Fields: map[string]string{"count": strconv.FormatUint(n, 10)}})
			}
			o.lost = nil
			o.mu.Unlock()
			if len(queue) == 0 {
				break
			}
			for _, ev := range queue {
				for _, ob := range list {
					ob.call(ev)
				}
			}
			o.mu.Lock()
			o.handled = upTo
			if o.settled != nil {
				close(o.settled)
				o.settled = nil
			}
			o.mu.Unlock()
		}
	}
}

// Settle waits until the observers have had every event published so far. A
// daemon that answers a call only then has written down what the call did, so
// that nothing that was answered is lost when the daemon is killed. An observer
// must not call it. Errors: those of ctx, and that the engine has ended.
func (e *Engine) Settle(ctx context.Context) error {
	o := &e.observers
	o.mu.Lock()
	want := o.taken
	for o.handled < want {
		if o.settled == nil {
			o.settled = make(chan struct{})
		}
		settled := o.settled
		o.mu.Unlock()
		select {
		case <-settled:
		case <-e.stop:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
		o.mu.Lock()
	}
	o.mu.Unlock()
	return nil
}

func (ob *observer) call(ev Event) {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if !ob.gone && (ev.Seq >= ob.from || ev.Seq == 0) {
		ob.f(ev)
	}
}

// Subscribe calls f for every event from now on, in order, on the engine's
// observer goroutine with no lock held. f must not call cancel itself; cancel
// returns when f is not running and will not run again.
func (e *Engine) Subscribe(f func(Event)) (cancel func()) {
	o := &e.observers
	e.events.mu.Lock()
	ob := &observer{f: f, from: e.events.last + 1}
	o.mu.Lock()
	o.list = append(o.list, ob)
	o.mu.Unlock()
	e.events.mu.Unlock()
	return func() {
		o.mu.Lock()
		o.list = slices.DeleteFunc(o.list, func(x *observer) bool { return x == ob })
		o.mu.Unlock()
		ob.mu.Lock()
		ob.gone = true
		ob.mu.Unlock()
	}
}

// publish records an event. Fields are pairs of name and value. It may be
// called with any engine lock held: it never waits for anybody.
func (e *Engine) publish(kind string, session uint32, fields ...string) {
	var m map[string]string
	if len(fields) > 0 {
		m = make(map[string]string, len(fields)/2)
		for i := 0; i+1 < len(fields); i += 2 {
			m[fields[i]] = fields[i+1]
		}
	}
	e.publishMap(kind, session, m)
}

// maxKept bounds a text of a caller's that stays in the daemon: a name in an
// event or an audit record, an argument in a listing; in bytes. Requests may be
// a thousand times as long, and the logs hold thousands of them.
const maxKept = 1024

// clip cuts a text that stays to maxKept bytes, between two characters, and
// says so. What it gives does not keep the whole text in memory.
func clip(s string) string {
	if len(s) <= maxKept {
		return s
	}
	at := maxKept
	for at > maxKept-utf8.UTFMax && !utf8.RuneStart(s[at]) {
		at--
	}
	return strings.Clone(s[:at]) + "…"
}

func (e *Engine) publishMap(kind string, session uint32, fields map[string]string) {
	for k, v := range fields {
		if len(v) > maxKept {
			fields[k] = clip(v)
		}
	}
	now := e.now()
	e.events.mu.Lock()
	ev := e.events.addLocked(func(seq uint64) Event {
		return Event{Seq: seq, Time: now, Kind: kind, Session: session, Fields: fields}
	})
	e.observers.put(ev) // under the ring's lock, so that observers see the order of the numbers
	e.events.mu.Unlock()
}

// Publish records an event of a subsystem. The engine takes the map over.
func (e *Engine) Publish(kind string, session uint32, fields map[string]string) {
	e.publishMap(kind, session, fields)
}

// ReadEvents gives up to max events with numbers above after, oldest first, and
// waits until there is one. A gap in the numbers means that the reader was
// too slow for the ring (Settings.EventRing).
func (e *Engine) ReadEvents(ctx context.Context, after uint64, max int) ([]Event, error) {
	return e.events.read(ctx, after, max, e.stop)
}

// LastEvent gives the number of the newest event, 0 when there was none.
func (e *Engine) LastEvent() uint64 {
	e.events.mu.Lock()
	defer e.events.mu.Unlock()
	return e.events.last
}
