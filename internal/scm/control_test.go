// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestControlsAreDeliveredOneAtATime(t *testing.T) {
	conform.Rule(t, "SCM-20", "SCM-21")
	for _, perProcess := range []bool{false, true} {
		t.Run(fmt.Sprintf("per process %v", perProcess), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(o *Options) { o.PerProcessControls = perProcess })
				defer w.close()
				slow := func(p *program, c api.NextControlReply) uint32 {
					if c.Control == 128 {
						time.Sleep(20 * time.Second)
					}
					return 0
				}
				var hs []win32.Handle
				for _, n := range []string{"a", "b"} {
					w.install("/bin/"+n, behaves(acceptStop, slow))
					h := w.create(api.CreateServiceRequest{Name: n})
					w.mustStart(h)
					hs = append(hs, h)
				}
				synctest.Wait()
				began := time.Now()
				var wg sync.WaitGroup
				took := make([]time.Duration, 3)
				errs := make([]error, 3)
				for i, h := range []win32.Handle{hs[0], hs[0], hs[1]} {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Second)
						_, errs[i] = w.control(h, 128)
						took[i] = time.Since(began)
					})
				}
				wg.Wait()
				// The second waits for the first. Engine-wide, the third's turn
				// comes after 40 seconds: it has given up at 30 by then.
				want, code := []time.Duration{20 * time.Second, 40 * time.Second, 32 * time.Second}, win32.ERROR_SERVICE_REQUEST_TIMEOUT
				if perProcess {
					want[2], code = 22*time.Second, 0
				}
				if !slices.Equal(took, want) || errs[0] != nil || errs[1] != nil || win32.Code(errs[2]) != code {
					t.Errorf("took %v, %v; want %v", took, errs, want)
				}
			})
		})
	}
}

func TestNoControlAfterStop(t *testing.T) {
	conform.Rule(t, "SCM-25", "SCM-19")
	w := newWorld(t, nil)
	defer w.close()
	w.install("/bin/a", func(p *program) {
		ctx, cancel := p.alive()
		defer cancel()
		if _, err := p.dispatch(ctx); err != nil {
			return
		}
		_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
		for { // takes every control and stays as it is
			if _, err := w.m.NextServiceControl(ctx, p.t, api.NextControlRequest{}); err != nil {
				return
			}
		}
	})
	h := w.create(api.CreateServiceRequest{Name: "a"})
	w.mustStart(h)
	if _, err := w.control(h, win32.SERVICE_CONTROL_STOP); err != nil {
		t.Fatal(err)
	}
	for _, code := range []uint32{win32.SERVICE_CONTROL_STOP, win32.SERVICE_CONTROL_INTERROGATE, 128} {
		_, err := w.control(h, code)
		wantCode(t, err, win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
	}
}

func TestProtocolViolationIsTakenAndLogged(t *testing.T) {
	conform.Rule(t, "SCM-18")
	w := newWorld(t, nil)
	defer w.close()
	done := make(chan error, 1)
	w.install("/bin/a", func(p *program) {
		if _, err := p.dispatch(w.ctx); err != nil {
			return
		}
		_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
		done <- p.report(win32.SERVICE_START_PENDING, 0, 0)
	})
	h := w.create(api.CreateServiceRequest{Name: "a"})
	if err := w.start(h); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.await(h, win32.SERVICE_START_PENDING)
	if tr := w.trouble(); len(tr) != 1 || !strings.Contains(tr[0], "start-pending after running") {
		t.Errorf("logged %q", tr)
	}
}

func TestSessionChanges(t *testing.T) {
	conform.Rule(t, "NTF-2", "NTF-3", "NTF-7")
	w := newWorld(t, nil)
	defer w.close()
	var mu sync.Mutex
	got := make(map[string][]string)
	more := make(chan struct{}, 64)
	collect := func(name string) func(*program, api.NextControlReply) uint32 {
		return func(p *program, c api.NextControlReply) uint32 {
			if c.Control == win32.SERVICE_CONTROL_SESSIONCHANGE {
				mu.Lock()
				got[name] = append(got[name], fmt.Sprintf("%d(%d)", c.EventType, c.SessionID))
				mu.Unlock()
				more <- struct{}{}
			}
			return 0
		}
	}
	late := make(chan struct{})
	w.install("/bin/wants", behaves(acceptStop|win32.SERVICE_ACCEPT_SESSIONCHANGE, collect("wants")))
	w.install("/bin/deaf", behaves(acceptStop, collect("deaf")))
	w.install("/bin/plain", nil)
	w.install("/bin/late", func(p *program) {
		<-late
		behaves(acceptStop|win32.SERVICE_ACCEPT_SESSIONCHANGE, collect("late"))(p)
	})
	for _, n := range []string{"wants", "deaf", "plain"} {
		w.mustStart(w.create(api.CreateServiceRequest{Name: n, Plain: n == "plain"}))
	}
	lateHandle := w.create(api.CreateServiceRequest{Name: "late"})
	started := make(chan error, 1)
	w.work.Go(func() { started <- w.start(lateHandle) })

	s, err := w.engine.CreateSession(w.ctx, station.SessionOptions{Terminal: "Console"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.engine.CreateSession(w.ctx, station.SessionOptions{Terminal: "VNC-Tcp#0"})
	if err != nil {
		t.Fatal(err)
	}
	w.engine.SetTerminal(s, "")
	w.engine.SetTerminal(a, "")
	for range 4 {
		select {
		case <-more:
		case <-time.After(20 * time.Second):
			t.Fatal("session changes do not come")
		}
	}
	close(late)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	w.await(lateHandle, win32.SERVICE_RUNNING)
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != "map[wants:[1(1) 3(2) 2(1) 4(2)]]" {
		t.Errorf("delivered %v", got)
	}
}

func TestShutdown(t *testing.T) {
	conform.Rule(t, "SCM-38", "SCM-33")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		var mu sync.Mutex
		var told []string
		note := func(name string) func(*program, api.NextControlReply) uint32 {
			return func(p *program, c api.NextControlReply) uint32 {
				mu.Lock()
				told = append(told, fmt.Sprintf("%s:%d", name, c.Control))
				mu.Unlock()
				return 0
			}
		}
		w.install("/bin/nice", behaves(acceptStop, note("nice")))
		w.install("/bin/rude", behaves(win32.SERVICE_ACCEPT_STOP, note("rude")))
		w.install("/bin/plain", nil)
		w.install("/bin/deaf", nil)
		w.ignore["/bin/deaf"] = sigTERM
		for _, n := range []string{"nice", "rude", "plain", "deaf"} {
			w.mustStart(w.create(api.CreateServiceRequest{Name: n, Plain: n == "plain" || n == "deaf"}))
		}
		synctest.Wait()
		began := time.Now()
		w.m.Shutdown(context.Background())
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
		synctest.Wait()
		if n := w.host.Running(); n != 0 {
			t.Errorf("%d programs run on", n)
		}
		if fmt.Sprint(told) != "[nice:5]" {
			t.Errorf("controls %v", told)
		}
	})
}

func TestAdoption(t *testing.T) {
	conform.Rule(t, "SCM-30")
	dir := t.TempDir()
	journalled := func(o *Options) { o.Journal = filepath.Join(dir, "services.json") }
	w := newWorld(t, journalled)
	defer func() { w.close() }()
	// The program's loop goes on over the restart, as client/svc does.
	w.install("/bin/talks", func(p *program) {
		if _, err := p.dispatch(w.ctx); err != nil {
			return
		}
		_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
	})
	for _, n := range []string{"plain", "stops", "ends", "fails", "idle"} {
		w.install("/bin/"+n, nil)
	}
	w.ignore["/bin/stops"] = sigTERM
	pids := make(map[string]int)
	for _, n := range []string{"talks", "plain", "stops", "ends", "fails", "idle"} {
		h := w.create(api.CreateServiceRequest{Name: n, Plain: n != "talks"})
		if n == "idle" {
			continue
		}
		w.mustStart(h)
		pids[n] = int(w.status(h).ProcessID)
		if n == "stops" {
			if _, err := w.control(h, win32.SERVICE_CONTROL_STOP); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.work.Wait() // talks has reported

	st, err := w.engine.SessionState(0)
	if err != nil {
		t.Fatal(err)
	}
	zero, _ := w.engine.Session(0)
	host := zero.Host()
	w.m.Close()
	w.engine.Detach()
	w.host.Process(pids["ends"]).Exit(0) // while nobody looks
	w.host.Process(pids["fails"]).Exit(3)
	w.ignore["/bin/stops"] = 0
	w.boot(journalled, []station.SessionState{st}, host)

	open := func(name string) win32.Handle {
		r, err := w.m.OpenService(w.operator, api.OpenServiceRequest{Manager: w.scm, Name: name, Access: win32.SERVICE_ALL_ACCESS})
		if err != nil {
			t.Fatal(err)
		}
		return r.Handle
	}
	for name, want := range map[string]api.ServiceStatus{
		"plain": {State: win32.SERVICE_RUNNING, ProcessID: uint32(pids["plain"]), Accepts: acceptStop},
		"talks": {State: win32.SERVICE_RUNNING, ProcessID: uint32(pids["talks"]), Accepts: acceptStop},
		"ends":  {State: win32.SERVICE_STOPPED},
		"fails": {State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_PROCESS_ABORTED), SpecificExitCode: 3},
		"idle":  {State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_SERVICE_NEVER_STARTED)},
	} {
		want.Type = win32.SERVICE_WIN32_OWN_PROCESS
		if got := w.await(open(name), want.State); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	w.await(open("stops"), win32.SERVICE_STOPPED) // it had been told to

	// A new connection of the program takes its controls.
	th, err := w.engine.AttachThread(station.AttachSpec{PID: pids["talks"], InSession: true})
	if err != nil {
		t.Fatal(err)
	}
	w.work.Go(func() {
		defer th.Detach()
		p := &program{w, w.host.Process(pids["talks"]), th}
		c, err := w.m.NextServiceControl(w.ctx, th, api.NextControlRequest{})
		if err != nil || c.Control != win32.SERVICE_CONTROL_STOP {
			t.Errorf("got %+v, %v", c, err)
		}
		_ = p.report(win32.SERVICE_STOPPED, 0, 0)
		p.proc.Exit(0)
	})
	talks := open("talks")
	if _, err := w.control(talks, win32.SERVICE_CONTROL_STOP); err != nil {
		t.Error(err)
	}
	w.await(talks, win32.SERVICE_STOPPED)
	w.mustStart(open("ends"))
}

func TestDatabaseIsDurable(t *testing.T) {
	conform.Rule(t, "SCM-9", "SCM-11")
	w := newWorld(t, nil)
	defer func() { w.close() }()
	w.user(101, "alice", false)
	q := api.CreateServiceRequest{Name: "Kept", DisplayName: "Is Kept", Account: `.\alice`, Password: "p", Depends: []string{"other"},
		Description: "d", Env: []string{"A=b"}, StartType: win32.SERVICE_DISABLED, ErrorControl: 2, BinaryPath: "/bin/kept -x"}
	before := w.config(w.create(q))
	gone := w.create(api.CreateServiceRequest{Name: "gone"})
	if err := w.m.DeleteService(w.operator, api.HandleRequest{Handle: gone}); err != nil { // its handle stays open
		t.Fatal(err)
	}
	w.m.Close()
	if err := w.engine.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.boot(nil, nil, nil)
	r, err := w.m.OpenService(w.operator, api.OpenServiceRequest{Manager: w.scm, Name: "kept", Access: win32.SERVICE_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	if after := w.config(r.Handle); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("configuration\n got %+v\nwant %+v", after, before)
	}
	_, err = w.m.OpenService(w.operator, api.OpenServiceRequest{Manager: w.scm, Name: "gone"})
	wantCode(t, err, win32.ERROR_SERVICE_DOES_NOT_EXIST)
}
