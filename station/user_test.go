// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"testing"

	"stationmaster/station"
	"stationmaster/win32"
)

// procedure is what a program runs for a delivery.
type procedure func(d station.Delivery) (result uint64, data []byte)

// gui is a program's thread with procedures, as the client library makes one.
type gui struct {
	*station.Thread
	t     testing.TB
	procs map[uint64]procedure
	loop  chan struct{} // closed when the message loop has ended
	got   chan station.Message
}

// passive answers what a window procedure must to get a window.
func passive(d station.Delivery) (uint64, []byte) {
	if d.Message.Message == win32.WM_NCCREATE {
		return 1, nil
	}
	return 0, nil
}

func newGUI(t testing.TB, th *station.Thread) *gui {
	t.Helper()
	g := &gui{Thread: th, t: t, procs: map[uint64]procedure{0: passive, 1: passive}, got: make(chan station.Message, 20000)}
	if _, err := th.RegisterClass("plain", 0, 1); win32.Code(err) != win32.ERROR_CLASS_ALREADY_EXISTS && err != nil {
		t.Fatal(err)
	}
	return g
}

// run makes a call that may wait and runs procedures meanwhile.
func (g *gui) run(call func() (station.Delivery, error)) (station.Delivery, error) {
	for {
		d, err := call()
		if err != nil || d.Kind != station.DeliverCall {
			return d, err
		}
		p := g.procs[d.Proc]
		if p == nil {
			p = passive
		}
		result, data := p(d)
		if err := g.AnswerCall(d.CallID, result, data); err != nil {
			return d, err
		}
		if op := d.Op; op != 0 {
			call = func() (station.Delivery, error) { return g.Continue(context.Background(), op) }
		}
	}
}

func (g *gui) create(o station.WindowOptions) win32.HWND {
	g.t.Helper()
	h, err := g.tryCreate(o)
	if err != nil || h == 0 {
		g.t.Fatalf("CreateWindow gives 0x%x, %v", uint32(h), err)
	}
	return h
}

func (g *gui) tryCreate(o station.WindowOptions) (win32.HWND, error) {
	if o.Class == "" {
		o.Class = "plain"
	}
	d, err := g.run(func() (station.Delivery, error) { return g.CreateWindow(context.Background(), o) })
	return win32.HWND(d.Result), err
}

// withProc makes a window with a procedure of its own.
func (g *gui) withProc(class string, p procedure) win32.HWND {
	g.t.Helper()
	id := uint64(len(g.procs) + 100)
	g.procs[id] = func(d station.Delivery) (uint64, []byte) {
		if d.Message.Message == win32.WM_NCCREATE {
			return 1, nil
		}
		return p(d)
	}
	if _, err := g.RegisterClass(class, 0, id); err != nil {
		g.t.Fatal(err)
	}
	return g.create(station.WindowOptions{Class: class})
}

func (g *gui) destroy(h win32.HWND) error {
	_, err := g.run(func() (station.Delivery, error) { return g.DestroyWindow(context.Background(), h) })
	return err
}

func (g *gui) send(o station.SendOptions) (station.Delivery, error) {
	return g.run(func() (station.Delivery, error) { return g.SendMessage(context.Background(), o) })
}

// post is PostMessage without the numbers.
func (g *gui) post(h win32.HWND, msg uint32) error { return g.PostMessage(h, msg, 0, 0) }

// peek retrieves a message that is there.
func (g *gui) peek(h win32.HWND, min, max, flags uint32) (station.Message, bool) {
	g.t.Helper()
	d, err := g.run(func() (station.Delivery, error) { return g.PeekMessage(context.Background(), h, min, max, flags) })
	if err != nil {
		g.t.Fatalf("PeekMessage: %v", err)
	}
	return d.Message, d.Kind == station.DeliverMessage
}

// drain retrieves what is there.
func (g *gui) drain() (list []station.Message) {
	g.t.Helper()
	for {
		m, ok := g.peek(0, 0, 0, win32.PM_REMOVE)
		if !ok || m.Message == win32.WM_PAINT {
			return list
		}
		list = append(list, m)
	}
}

// serve runs a message loop until WM_QUIT or stop.
func (g *gui) serve() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	g.loop = done
	go func() {
		defer close(done)
		for {
			d, err := g.run(func() (station.Delivery, error) { return g.GetMessage(ctx, 0, 0, 0) })
			if err != nil || d.Message.Message == win32.WM_QUIT {
				return
			}
			select {
			case g.got <- d.Message:
			default:
			}
		}
	}()
	stop = func() { cancel(); <-done }
	g.t.Cleanup(stop)
	return stop
}

// audits gives the refusals there are.
func (w *world) audits() []station.AuditRecord {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	list, _ := w.e.ReadAudit(ctx, 0, 100000)
	return list
}
