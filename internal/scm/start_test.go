// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestStartAndStop(t *testing.T) {
	conform.Rule(t, "SCM-18", "SCM-19", "SCM-21", "SCM-22", "SCM-23", "SCM-25", "SCM-26", "SCM-27", "SCM-28", "SCM-30")
	w := newWorld(t, nil)
	defer w.close()
	args := make(chan string, 1)
	go1 := make(chan struct{})
	w.install("/bin/clock", func(p *program) {
		ctx, cancel := p.alive()
		defer cancel()
		r, err := p.dispatch(ctx, "whatever")
		if err != nil {
			t.Error(err)
		}
		args <- strings.Join(r.Args, " ")
		_, err = p.dispatch(ctx)
		wantCode(t, err, win32.ERROR_SERVICE_ALREADY_RUNNING)
		<-go1
		_ = p.report(win32.SERVICE_RUNNING, win32.SERVICE_ACCEPT_STOP, 0)
		handled := uint32(0)
		for {
			c, err := w.m.NextServiceControl(ctx, p.t, api.NextControlRequest{Handled: handled})
			if err != nil {
				return
			}
			handled = 0
			switch c.Control {
			case 200:
				handled = 4711
			case win32.SERVICE_CONTROL_STOP:
				_ = p.report(win32.SERVICE_STOP_PENDING, 0, 0)
				_ = p.report(win32.SERVICE_STOPPED, 0, 0)
				p.proc.Exit(0)
				return
			}
		}
	})
	h := w.create(api.CreateServiceRequest{Name: "clock", BinaryPath: "/bin/clock --image-argument"})
	st, err := w.control(h, win32.SERVICE_CONTROL_STOP)
	wantCode(t, err, win32.ERROR_SERVICE_NOT_ACTIVE)
	if st.State != win32.SERVICE_STOPPED {
		t.Errorf("1062 comes with %+v", st)
	}
	if err := w.start(h, "a", "b"); err != nil {
		t.Fatal(err)
	}
	// StartService returned: main was called, the service is not running yet.
	st = w.status(h)
	if st.State != win32.SERVICE_START_PENDING || st.Accepts != 0 || st.CheckPoint != 0 || st.WaitHint != 2000 || st.ProcessID == 0 {
		t.Errorf("after StartService: %+v", st)
	}
	if got := <-args; got != "clock a b" {
		t.Errorf("arguments %q", got)
	}
	wantCode(t, w.start(h), win32.ERROR_SERVICE_ALREADY_RUNNING)
	_, err = w.control(h, win32.SERVICE_CONTROL_INTERROGATE)
	wantCode(t, err, win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
	close(go1)
	w.await(h, win32.SERVICE_RUNNING)
	wantCode(t, w.start(h), win32.ERROR_SERVICE_ALREADY_RUNNING)
	if got := w.m.ServiceOf(int(w.status(h).ProcessID)); got != "clock" {
		t.Errorf("the process runs %q", got)
	}
	for code, want := range map[uint32]win32.Errno{
		win32.SERVICE_CONTROL_INTERROGATE: 0, 129: 0, 200: 4711,
		win32.SERVICE_CONTROL_PAUSE: win32.ERROR_INVALID_SERVICE_CONTROL, 6: win32.ERROR_INVALID_SERVICE_CONTROL, 7: win32.ERROR_INVALID_SERVICE_CONTROL,
		5: win32.ERROR_INVALID_PARAMETER, 0xE: win32.ERROR_INVALID_PARAMETER, 0: win32.ERROR_INVALID_PARAMETER, 0x7F: win32.ERROR_INVALID_PARAMETER, 256: win32.ERROR_INVALID_PARAMETER,
	} {
		if _, err := w.control(h, code); win32.Code(err) != want {
			t.Errorf("control %d: got %v, want %d", code, err, uint32(want))
		}
	}
	if _, err := w.control(h, win32.SERVICE_CONTROL_STOP); err != nil {
		t.Fatal(err)
	}
	st = w.await(h, win32.SERVICE_STOPPED)
	if st.Win32ExitCode != 0 || st.ProcessID != 0 || st.Accepts != 0 {
		t.Errorf("stopped: %+v", st)
	}
	_, err = w.control(h, win32.SERVICE_CONTROL_STOP)
	wantCode(t, err, win32.ERROR_SERVICE_NOT_ACTIVE)

	go func() { // nobody asks for the arguments again
		select {
		case <-args:
		case <-w.ctx.Done():
		}
	}()
	w.mustStart(h) // and once more
}

func TestDispatcherIsForServicesOnly(t *testing.T) {
	conform.Rule(t, "SCM-28")
	w := newWorld(t, nil)
	defer w.close()
	_, err := w.m.StartServiceCtrlDispatcher(w.ctx, w.operator, api.DispatcherRequest{Names: []string{"clock"}})
	wantCode(t, err, win32.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)
	_, err = w.m.NextServiceControl(w.ctx, w.operator, api.NextControlRequest{})
	wantCode(t, err, win32.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)
	wantCode(t, w.m.SetServiceStatus(w.ctx, w.operator, api.SetServiceStatusRequest{}), win32.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)

	done := make(chan struct{})
	w.install("/bin/shared", func(p *program) {
		defer close(done)
		wantCode(t, p.report(win32.SERVICE_RUNNING, 0, 0), win32.ERROR_INVALID_HANDLE) // not dispatched
		_, err := p.dispatch(w.ctx, "other")
		wantCode(t, err, win32.ERROR_SERVICE_NOT_IN_EXE)
		if _, err := p.dispatch(w.ctx, "other", "SHARED"); err != nil {
			t.Error(err)
		}
		wantCode(t, p.report(8, 0, 0), win32.ERROR_INVALID_PARAMETER)
		wantCode(t, p.report(0, 0, 0), win32.ERROR_INVALID_PARAMETER)
		if err := p.report(win32.SERVICE_RUNNING, acceptStop, 0); err != nil {
			t.Error(err)
		}
	})
	h := w.create(api.CreateServiceRequest{Name: "shared", Type: win32.SERVICE_WIN32_SHARE_PROCESS})
	w.mustStart(h)
	<-done
	w.install("/bin/plain", nil)
	p := w.create(api.CreateServiceRequest{Name: "plain", Plain: true})
	w.mustStart(p)
	child, err := w.engine.AttachThread(station.AttachSpec{PID: int(w.status(p).ProcessID), InSession: true})
	if err != nil {
		t.Fatal(err)
	}
	defer child.Detach()
	_, err = w.m.StartServiceCtrlDispatcher(w.ctx, child, api.DispatcherRequest{})
	wantCode(t, err, win32.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)
}

func TestAccountsAndStations(t *testing.T) {
	conform.Rule(t, "SCM-11", "SCM-12", "SCM-14", "LGN-5", "LGN-8", "WS-8", "WS-12")
	w := newWorld(t, nil)
	defer w.close()
	w.user(101, "alice", false)
	desktops := make(map[string]string)
	for _, c := range []struct {
		name, account, printed, station string
		typ                             uint32
		user                            security.SID
		uid                             uint32
	}{
		{"s1", "", "LocalSystem", `Service-0x0-3e7$\Default`, 0x10, security.System, 0},
		{"s2", `.\LocalSystem`, "LocalSystem", `Service-0x0-3e7$\Default`, 0x10, security.System, 0},
		{"s3", `host\localsystem`, "LocalSystem", `WinSta0\Default`, 0x110, security.System, 0},
		{"ls", `NT AUTHORITY\LocalService`, `NT AUTHORITY\LocalService`, `Service-0x0-3e5$\Default`, 0x10, security.LocalService, 60901},
		{"ns", `nt authority\NetworkService`, `NT AUTHORITY\NetworkService`, `Service-0x0-3e4$\Default`, 0x10, security.NetworkService, 60902},
		{"u1", `.\ALICE`, `.\alice`, "", 0x10, security.SID{}, 60001},
		{"u2", `HOST\alice`, `.\alice`, "", 0x10, security.SID{}, 60001},
	} {
		w.install("/bin/"+c.name, behaves(acceptStop, nil))
		h := w.create(api.CreateServiceRequest{Name: c.name, Account: c.account, Password: "p", Type: c.typ})
		if got := w.config(h).Account; got != c.printed {
			t.Errorf("%s: account %q, want %q", c.name, got, c.printed)
		}
		w.mustStart(h)
		p := w.process(h)
		tok := p.Token()
		station, desktop := p.Location()
		got := station + `\` + desktop
		if c.station == "" {
			c.station = tok.LogonID().StationName() + `\Default`
			c.user = w.store.Machine().Child(1001)
			if !tok.IsMember(security.Service) || tok.LogonID() < security.FirstFreeLUID {
				t.Errorf("%s: token %+v", c.name, tok.Spec())
			}
		}
		if !strings.EqualFold(got, c.station) || !p.Connected() {
			t.Errorf("%s runs on %s, want %s", c.name, got, c.station)
		}
		if tok.User() != c.user || tok.SessionID() != 0 {
			t.Errorf("%s runs as %s in session %d", c.name, tok.User(), tok.SessionID())
		}
		if uid := w.host.Process(p.ID()).Spec().UID; uid != c.uid {
			t.Errorf("%s runs as uid %d, want %d", c.name, uid, c.uid)
		}
		if ws := w.config(h).WindowStation; !strings.EqualFold(ws, c.station) {
			t.Errorf("%s: station in the configuration %s", c.name, ws)
		}
		desktops[c.name] = got
	}
	if desktops["u1"] == desktops["u2"] {
		t.Errorf("two services of one account share %s", desktops["u1"])
	}
}

func TestInteractiveServicesSwitchedOff(t *testing.T) {
	conform.Rule(t, "SCM-12", "UI0-4")
	w := newWorld(t, func(o *Options) { o.NoInteractiveServices = true })
	defer w.close()
	w.install("/bin/i", behaves(acceptStop, nil))
	h := w.create(api.CreateServiceRequest{Name: "i", Type: 0x110})
	w.mustStart(h)
	if s, _ := w.process(h).Location(); s != "Service-0x0-3e7$" {
		t.Errorf("it runs on %s", s)
	}
	if len(w.trouble()) != 1 {
		t.Errorf("warnings %q", w.trouble())
	}
}

// trouble gives the warnings about services so far.
func (w *world) trouble() []string {
	// Events are handed out in order: once this one is through, all before are.
	through := make(chan struct{})
	cancel := w.engine.Subscribe(func(ev station.Event) {
		if ev.Kind == "mark" {
			close(through)
		}
	})
	w.engine.Publish("mark", 0, nil)
	<-through
	cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.events...)
}

func TestStartFailures(t *testing.T) {
	conform.Rule(t, "SCM-17", "SCM-2", "SCM-26", "LGN-5")
	w := newWorld(t, nil)
	defer w.close()
	w.user(101, "alice", false)
	disabled := w.create(api.CreateServiceRequest{Name: "disabled", StartType: win32.SERVICE_DISABLED})
	wantCode(t, w.start(disabled), win32.ERROR_SERVICE_DISABLED)
	driver := w.create(api.CreateServiceRequest{Name: "driver", Type: 1})
	wantCode(t, w.start(driver), win32.ERROR_NOT_SUPPORTED)
	missing := w.create(api.CreateServiceRequest{Name: "missing"})
	for range 2 { // the same error each time
		wantCode(t, w.start(missing), win32.ERROR_FILE_NOT_FOUND)
	}
	if st := w.status(missing); st.State != win32.SERVICE_STOPPED || st.Win32ExitCode != uint32(win32.ERROR_FILE_NOT_FOUND) || st.ProcessID != 0 {
		t.Errorf("missing: %+v", st)
	}
	_, err := w.control(missing, win32.SERVICE_CONTROL_STOP)
	wantCode(t, err, win32.ERROR_SERVICE_NOT_ACTIVE)

	w.install("/bin/u", behaves(acceptStop, nil))
	wrong := w.create(api.CreateServiceRequest{Name: "wrong", BinaryPath: "/bin/u", Account: `.\alice`, Password: "no"})
	wantCode(t, w.start(wrong), win32.ERROR_SERVICE_LOGON_FAILED)
	right := w.create(api.CreateServiceRequest{Name: "right", BinaryPath: "/bin/u", Account: `.\alice`, Password: "p"})
	w.mustStart(right)
	denied := w.create(api.CreateServiceRequest{Name: "denied", BinaryPath: "/bin/u", Account: `.\alice`, Password: "p"})
	if err := w.store.SetRight("SeDenyServiceLogonRight", security.Users); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.start(denied), win32.ERROR_SERVICE_LOGON_FAILED)
	if err := w.store.SetRight("SeDenyServiceLogonRight"); err != nil {
		t.Fatal(err)
	}
	if err := w.store.SetDisabled("alice", true); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.start(denied), win32.ERROR_SERVICE_LOGON_FAILED)

	w.install("/bin/quits", func(p *program) { p.proc.Exit(3) })
	quits := w.create(api.CreateServiceRequest{Name: "quits"})
	for range 2 {
		wantCode(t, w.start(quits), win32.ERROR_SERVICE_REQUEST_TIMEOUT)
		if st := w.status(quits); st.State != win32.SERVICE_STOPPED || st.Win32ExitCode != uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT) {
			t.Errorf("quits: %+v", st)
		}
	}
	_, err = w.control(quits, win32.SERVICE_CONTROL_INTERROGATE)
	wantCode(t, err, win32.ERROR_SERVICE_NOT_ACTIVE)
}

func TestDiesWithoutStopping(t *testing.T) {
	conform.Rule(t, "SCM-30", "SCM-35")
	w := newWorld(t, nil)
	defer w.close()
	die := make(chan struct{})
	w.install("/bin/a", func(p *program) {
		if _, err := p.dispatch(w.ctx); err == nil {
			_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
			<-die
			p.proc.Exit(0)
		}
	})
	a := w.create(api.CreateServiceRequest{Name: "a"})
	w.mustStart(a)
	close(die)
	if st := w.await(a, win32.SERVICE_STOPPED); st.Win32ExitCode != uint32(win32.ERROR_PROCESS_ABORTED) || st.ProcessID != 0 {
		t.Errorf("after its end: %+v", st)
	}
	w.install("/bin/b", func(p *program) {
		if _, err := p.dispatch(w.ctx); err == nil {
			_ = w.m.SetServiceStatus(w.ctx, p.t, api.SetServiceStatusRequest{Status: api.ServiceStatus{
				State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_SERVICE_SPECIFIC_ERROR), SpecificExitCode: 42}})
			p.proc.Exit(1)
		}
	})
	b := w.create(api.CreateServiceRequest{Name: "b"})
	if err := w.start(b); err != nil {
		t.Fatal(err)
	}
	if st := w.await(b, win32.SERVICE_STOPPED); st.Win32ExitCode != 1066 || st.SpecificExitCode != 42 {
		t.Errorf("its own failure: %+v", st)
	}
}

func TestDependencies(t *testing.T) {
	conform.Rule(t, "SCM-24", "SCM-26", "SCM-31")
	w := newWorld(t, nil)
	defer w.close()
	for _, n := range []string{"top", "left", "right", "base"} {
		w.install("/bin/"+n, behaves(acceptStop, nil))
	}
	top := w.create(api.CreateServiceRequest{Name: "top", Depends: []string{"left", "RIGHT"}, StartType: win32.SERVICE_AUTO_START})
	left := w.create(api.CreateServiceRequest{Name: "left", Depends: []string{"base"}})
	right := w.create(api.CreateServiceRequest{Name: "right", Depends: []string{"base"}})
	base := w.create(api.CreateServiceRequest{Name: "base", StartType: win32.SERVICE_AUTO_START})
	w.m.StartAuto(w.ctx)
	w.await(top, win32.SERVICE_RUNNING)
	if got := w.order(); got != "/bin/base /bin/left /bin/right /bin/top" {
		t.Errorf("started %s", got)
	}
	for _, h := range []win32.Handle{base, left, right} {
		st, err := w.control(h, win32.SERVICE_CONTROL_STOP)
		wantCode(t, err, win32.ERROR_DEPENDENT_SERVICES_RUNNING)
		if st.State != win32.SERVICE_RUNNING {
			t.Errorf("1051 comes with %+v", st)
		}
	}
	for _, h := range []win32.Handle{top, left, right, base} {
		if _, err := w.control(h, win32.SERVICE_CONTROL_STOP); err != nil {
			t.Error(err)
		}
		w.await(h, win32.SERVICE_STOPPED)
	}
	none := w.create(api.CreateServiceRequest{Name: "none", Depends: []string{"nowhere"}})
	wantCode(t, w.start(none), win32.ERROR_SERVICE_DEPENDENCY_DELETED)
	broken := w.create(api.CreateServiceRequest{Name: "broken"})
	on := w.create(api.CreateServiceRequest{Name: "on", Depends: []string{"broken"}})
	wantCode(t, w.start(on), win32.ERROR_SERVICE_DEPENDENCY_FAIL)
	if st := w.status(on); st.State != win32.SERVICE_STOPPED || st.Win32ExitCode != uint32(win32.ERROR_SERVICE_DEPENDENCY_FAIL) {
		t.Errorf("on: %+v", st)
	}
	if st := w.status(broken); st.Win32ExitCode != uint32(win32.ERROR_FILE_NOT_FOUND) {
		t.Errorf("broken: %+v", st)
	}
}

func TestPlainService(t *testing.T) {
	conform.Rule(t, "SCM-18", "SCM-19", "SCM-23")
	w := newWorld(t, nil)
	defer w.close()
	w.install("/bin/sleep", nil)
	h := w.create(api.CreateServiceRequest{Name: "sleep", Plain: true, BinaryPath: "/bin/sleep 'a b' c", Env: []string{"X=1"}})
	if err := w.start(h); err != nil {
		t.Fatal(err)
	}
	st := w.status(h)
	if st.State != win32.SERVICE_RUNNING || st.ProcessID == 0 || st.Accepts != acceptStop {
		t.Errorf("started: %+v", st)
	}
	spec := w.host.Process(int(st.ProcessID)).Spec()
	if fmt.Sprintf("%q", spec.Args) != `["/bin/sleep" "a b" "c"]` {
		t.Errorf("arguments %q", spec.Args)
	}
	env := strings.Join(spec.Env, " ")
	if !strings.Contains(env, "X=1") || !strings.Contains(env, "STATION_SERVICE=sleep") {
		t.Errorf("environment %s", env)
	}
	for code, want := range map[uint32]win32.Errno{
		win32.SERVICE_CONTROL_INTERROGATE: 0, win32.SERVICE_CONTROL_PAUSE: win32.ERROR_INVALID_SERVICE_CONTROL, 128: win32.ERROR_INVALID_SERVICE_CONTROL,
	} {
		if _, err := w.control(h, code); win32.Code(err) != want {
			t.Errorf("control %d: %v", code, err)
		}
	}
	if _, err := w.control(h, win32.SERVICE_CONTROL_STOP); err != nil {
		t.Fatal(err)
	}
	if st := w.await(h, win32.SERVICE_STOPPED); st.Win32ExitCode != 0 {
		t.Errorf("stopped by SIGTERM: %+v", st)
	}
	for exit, want := range map[int]uint32{0: 0, 3: uint32(win32.ERROR_PROCESS_ABORTED)} {
		w.mustStart(h)
		w.host.Process(int(w.status(h).ProcessID)).Exit(exit)
		if st := w.await(h, win32.SERVICE_STOPPED); st.Win32ExitCode != want || st.SpecificExitCode != uint32(exit) {
			t.Errorf("exit code %d: %+v", exit, st)
		}
	}
}

func TestPlainServiceIgnoresSIGTERM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		w.install("/bin/deaf", nil)
		w.ignore["/bin/deaf"] = sigTERM
		h := w.create(api.CreateServiceRequest{Name: "deaf", Plain: true})
		w.mustStart(h)
		began := time.Now()
		st, err := w.control(h, win32.SERVICE_CONTROL_STOP)
		if err != nil || st.State != win32.SERVICE_STOP_PENDING || st.WaitHint != 10000 {
			t.Errorf("got %+v, %v", st, err)
		}
		_, err = w.control(h, win32.SERVICE_CONTROL_STOP)
		wantCode(t, err, win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
		st = w.await(h, win32.SERVICE_STOPPED)
		if took := time.Since(began); took != 10*time.Second || st.Win32ExitCode != 0 {
			t.Errorf("after %v: %+v", took, st)
		}
	})
}

func TestTimeouts(t *testing.T) {
	conform.Rule(t, "SCM-33", "SCM-21", "SCM-26")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		// Does not connect.
		w.install("/bin/silent", nil)
		silent := w.create(api.CreateServiceRequest{Name: "silent"})
		began := time.Now()
		wantCode(t, w.start(silent), win32.ERROR_SERVICE_REQUEST_TIMEOUT)
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("gave up after %v", took)
		}
		synctest.Wait()
		if n := w.host.Running(); n != 0 {
			t.Errorf("%d programs run on", n)
		}

		// Connects, makes no progress; then one that does for a while.
		w.install("/bin/stuck", func(p *program) { _, _ = p.dispatch(w.ctx) })
		stuck := w.create(api.CreateServiceRequest{Name: "stuck"})
		if err := w.start(stuck); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		st := w.await(stuck, win32.SERVICE_STOPPED)
		if took := time.Since(began); took != 82*time.Second || st.Win32ExitCode != uint32(win32.ERROR_SERVICE_REQUEST_TIMEOUT) {
			t.Errorf("after %v: %+v", took, st)
		}
		w.install("/bin/slow", func(p *program) {
			ctx, cancel := p.alive()
			defer cancel()
			if _, err := p.dispatch(ctx); err != nil {
				return
			}
			for i := range uint32(4) {
				time.Sleep(60 * time.Second)
				_ = w.m.SetServiceStatus(ctx, p.t, api.SetServiceStatusRequest{Status: api.ServiceStatus{State: win32.SERVICE_START_PENDING, CheckPoint: i + 1, WaitHint: 1000}})
			}
			_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
		})
		slow := w.create(api.CreateServiceRequest{Name: "slow"})
		if err := w.start(slow); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if st := w.status(slow); st.State != win32.SERVICE_RUNNING {
			t.Errorf("slow: %+v", st)
		}

		// A handler that does not return.
		w.install("/bin/hang", func(p *program) {
			ctx, cancel := p.alive()
			defer cancel()
			if _, err := p.dispatch(ctx); err != nil {
				return
			}
			_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
			_, _ = w.m.NextServiceControl(ctx, p.t, api.NextControlRequest{})
			<-ctx.Done()
		})
		hang := w.create(api.CreateServiceRequest{Name: "hang"})
		w.mustStart(hang)
		began = time.Now()
		_, err := w.control(hang, 128)
		wantCode(t, err, win32.ERROR_SERVICE_REQUEST_TIMEOUT)
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestOneStartAtATime(t *testing.T) {
	conform.Rule(t, "SCM-32")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		w.install("/bin/b", behaves(acceptStop, nil))
		b := w.create(api.CreateServiceRequest{Name: "b"})
		inside := make(chan error, 1)
		w.install("/bin/a", func(p *program) {
			ctx, cancel := p.alive()
			defer cancel()
			if _, err := p.dispatch(ctx); err != nil {
				return
			}
			// A service that starts another one before it runs itself.
			scm, err := w.m.OpenSCManager(p.t, api.OpenSCManagerRequest{})
			if err == nil {
				var h api.HandleReply
				h, err = w.m.OpenService(p.t, api.OpenServiceRequest{Manager: scm.Handle, Name: "b", Access: win32.SERVICE_START})
				if err == nil {
					err = w.m.StartService(ctx, p.t, api.StartServiceRequest{Service: h.Handle})
				}
			}
			inside <- err
			time.Sleep(5 * time.Second)
			_ = p.report(win32.SERVICE_RUNNING, acceptStop, 0)
			<-ctx.Done()
		})
		a := w.create(api.CreateServiceRequest{Name: "a"})
		began := time.Now()
		if err := w.start(a); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(w.ctx, time.Second)
		err := w.m.StartService(impatient, w.operator, api.StartServiceRequest{Service: b})
		cancel()
		wantCode(t, err, win32.ERROR_CANCELLED)
		if err := w.start(b); err != nil { // waits until a runs
			t.Fatal(err)
		}
		if took := time.Since(began); took != 35*time.Second {
			t.Errorf("the second start went ahead after %v", took)
		}
		wantCode(t, <-inside, win32.ERROR_SERVICE_REQUEST_TIMEOUT)
	})
}
