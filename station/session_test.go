// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestSessions(t *testing.T) {
	w := newWorld(t, func(o *station.Options) { o.Settings.MaxSessions = 2 })
	t.Run("SES-6/session 0", func(t *testing.T) {
		conform.Rule(t, "SES-1", "SES-2", "SES-5", "SES-6", "SES-7", "SES-11", "SES-12")
		same(t, "terminal", w.zero.Terminal(), "Services")
		same(t, "state", w.zero.State(), win32.WTSDisconnected)
		code(t, w.e.EndSession(t.Context(), 0), win32.ERROR_ACCESS_DENIED)
		code(t, w.e.LogonSession(w.zero, station.Logon{Token: w.userToken(0, 1001, false)}), win32.ERROR_ACCESS_DENIED)
		code(t, w.e.SetConnectState(w.zero, win32.WTSActive), win32.ERROR_INVALID_FUNCTION)
	})
	t.Run("SES-8/numbers", func(t *testing.T) {
		conform.Rule(t, "SES-8", "SES-10", "SES-28", "WTS-3")
		one, err := w.e.CreateSession(t.Context(), station.SessionOptions{Terminal: "Console"})
		w.ok(err)
		two, err := w.e.CreateSession(t.Context(), station.SessionOptions{Terminal: "VNC-Tcp#0"})
		w.ok(err)
		same(t, "ids", one.ID()*10+two.ID(), 12)
		_, err = w.e.CreateSession(t.Context(), station.SessionOptions{})
		rule(t, err, win32.ERROR_CTX_WINSTATION_BUSY, "SES-28")
		w.ok(w.e.EndSession(t.Context(), 1))
		rule(t, w.e.EndSession(t.Context(), 1), win32.ERROR_CTX_WINSTATION_NOT_FOUND, "WTS-3")
		select {
		case <-one.Done():
		default:
			t.Fatal("Done of a deleted session is open")
		}
		three, err := w.e.CreateSession(t.Context(), station.SessionOptions{})
		w.ok(err)
		same(t, "never reused", three.ID(), 3)
		w.ok(w.e.EndSession(t.Context(), 2))
		w.ok(w.e.EndSession(t.Context(), 3))
	})
	t.Run("SES-16/states", func(t *testing.T) {
		conform.Rule(t, "SES-15", "SES-16", "SES-19")
		alice := w.logon(1001)
		s := alice.session
		for _, to := range []win32.ConnectState{win32.WTSConnected, win32.WTSInit, win32.WTSListen, win32.WTSIdle} {
			rule(t, w.e.SetConnectState(s, to), win32.ERROR_INVALID_FUNCTION, "SES-16")
		}
		th := w.start(alice.token, nil)
		h, _, err := th.CreateDesktop(desk("Work"))
		w.ok(err)
		w.ok(w.e.Disconnect(s))
		same(t, "terminal", s.Terminal(), "")
		same(t, "state", s.State(), win32.WTSDisconnected)
		_, err = th.UserObjectInformation(h, win32.UOI_NAME) // everything is still there
		w.ok(err)
		w.ok(w.e.Disconnect(s)) // again: nothing to do
		w.ok(w.e.Reconnect(s, "VNC-Tcp#3"))
		same(t, "terminal", s.Terminal(), "VNC-Tcp#3")
		code(t, w.e.Reconnect(s, "x"), win32.ERROR_CTX_WINSTATION_BUSY)
		code(t, w.e.LogonSession(s, station.Logon{Token: alice.token}), win32.ERROR_CTX_WINSTATION_BUSY)
		times := s.Times()
		if times.Created.IsZero() || times.Logon.IsZero() || times.Connect.IsZero() || times.Disconnect.IsZero() {
			t.Fatalf("times %+v", times)
		}
		w.ok(w.e.LogoffSession(t.Context(), s))
		code(t, w.e.LogoffSession(t.Context(), s), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
		w.ok(w.e.EndSession(t.Context(), s.ID()))
	})
	t.Run("OBJ-2/tree", func(t *testing.T) {
		conform.Rule(t, "OBJ-2", "WS-2", "LGN-20")
		alice := w.logon(1002)
		id := alice.session.ID()
		for path, want := range map[string]string{
			`\BaseNamedObjects`: "Directory", `\Sessions`: "Directory", `\Sessions\BNOLINKS`: "Directory",
			`\Windows\WindowStations\winsta0`: "WindowStation", `\Device\NamedPipe`: "Directory", `\RPC Control`: "Directory",
			fmt.Sprintf(`\Sessions\%d\BaseNamedObjects`, id): "Directory", fmt.Sprintf(`\Sessions\%d\DosDevices`, id): "Directory",
			fmt.Sprintf(`\Sessions\%d\Windows\WindowStations\WinSta0`, id): "WindowStation",
		} {
			o, err := object.Resolve(w.e.Root(), path)
			if err != nil || o.Head().Kind().Name != want {
				t.Errorf("%s: %v %v", path, o, err)
			}
		}
		w.ok(w.e.EndSession(t.Context(), id))
		_, err := object.Resolve(w.e.Root(), fmt.Sprintf(`\Sessions\%d`, id))
		code(t, err, win32.ERROR_FILE_NOT_FOUND)
	})
	t.Run("closed engine", func(t *testing.T) {
		conform.Rule(t, "SES-27")
		w := newWorld(t)
		w.logon(1001)
		sys := w.system()
		w.ok(w.e.Close(t.Context()))
		_, err := w.e.CreateSession(t.Context(), station.SessionOptions{})
		code(t, err, win32.ERROR_SHUTDOWN_IN_PROGRESS)
		same(t, "sessions", len(w.e.Sessions()), 0)
		_, err = w.e.AttachThread(station.AttachSpec{PID: sys.Process().ID(), InSession: true})
		if err == nil {
			t.Fatal("a closed engine takes callers")
		}
	})
}

func TestEvents(t *testing.T) {
	w := newWorld(t, func(o *station.Options) { o.Settings.EventRing = 8 })
	var mu sync.Mutex
	var seen []station.Event
	cancel := w.e.Subscribe(func(ev station.Event) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, ev)
	})
	from := w.e.LastEvent()
	for i := range 20 {
		w.e.Publish("test", 0, map[string]string{"n": fmt.Sprint(i)})
	}
	last := w.e.LastEvent()
	eventually(t, "the last event", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == 20
	})
	cancel()
	w.e.Publish("test", 0, nil)
	mu.Lock()
	for i, ev := range seen {
		if ev.Seq != from+uint64(i)+1 || ev.Fields["n"] != fmt.Sprint(i) {
			t.Fatalf("event %d is %+v", i, ev)
		}
	}
	mu.Unlock()
	// The ring keeps the last eight; a slow reader sees the gap in the numbers.
	got, err := w.e.ReadEvents(t.Context(), from, 3)
	w.ok(err)
	if len(got) != 3 || got[0].Seq != last+1-7 {
		t.Fatalf("got %+v", got)
	}
	// A reader that is up to date waits for the next one.
	next := make(chan []station.Event, 1)
	go func() {
		evs, err := w.e.ReadEvents(t.Context(), w.e.LastEvent(), 0)
		if err != nil {
			t.Error(err)
		}
		next <- evs
	}()
	for published := false; !published; {
		select {
		case evs := <-next:
			if len(evs) != 1 {
				t.Fatalf("got %+v", evs)
			}
			published = true
		default:
			w.e.Publish("more", 0, nil)
			time.Sleep(time.Millisecond)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := w.e.ReadEvents(ctx, w.e.LastEvent(), 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestSlowObserver(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	w.ok(th.Connect())
	gate := make(chan struct{})
	var mu sync.Mutex
	kinds := make(map[string]int)
	cancel := w.e.Subscribe(func(ev station.Event) {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		kinds[ev.Kind]++
		if ev.Kind == station.EventsLost && ev.Session != 1 {
			t.Errorf("lost events of session %d", ev.Session)
		}
	})
	defer cancel()
	for range 5000 {
		h, _, err := th.CreateDesktop(desk("loop"))
		w.ok(err)
		w.ok(th.CloseDesktop(h))
	}
	w.ok(w.e.Lock(alice.session)) // this one must come through
	close(gate)
	eventually(t, "the end of the backlog", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return kinds[station.EventsLost] > 0 && kinds[station.EventSessionLock] == 1
	})
	mu.Lock()
	defer mu.Unlock()
	if n := kinds[station.EventDesktopCreate]; n >= 5000 {
		t.Errorf("%d events waited for a slow observer", n)
	}
}

func TestAudit(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	w := newWorld(t, func(o *station.Options) {
		o.Settings.AuditRate = 5
		o.Clock = func() time.Time { return now }
	})
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	for range 12 {
		_, err := th.OpenDesktop("Winlogon", 0, win32.DESKTOP_READOBJECTS, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
	}
	recs, err := w.e.ReadAudit(t.Context(), 0, 0)
	w.ok(err)
	if len(recs) != 5 {
		t.Fatalf("%d records in one second, want 5", len(recs))
	}
	r := recs[0]
	if r.PID != th.Process().ID() || r.Session != 1 || r.User != alice.token.User().String() || r.Op != "OpenDesktop" ||
		r.Object != `WinSta0\Winlogon` || r.Desired != win32.DESKTOP_READOBJECTS || r.Missing != win32.DESKTOP_READOBJECTS ||
		r.Code != win32.ERROR_ACCESS_DENIED || r.Rule != "DT-29" || r.ACE != -1 || r.Why == "" {
		t.Fatalf("record %+v", r)
	}
	now = now.Add(time.Second)
	_, _, err = th.CreateDesktop(station.DesktopOptions{Name: "d", Access: maxAllowed, Descriptor: security.MustSDDL("D:(D;;0x1;;;WD)(A;;GA;;;WD)")})
	w.ok(err)
	_, err = th.OpenDesktop("d", 0, win32.DESKTOP_READOBJECTS, false)
	code(t, err, win32.ERROR_ACCESS_DENIED)
	recs, err = w.e.ReadAudit(t.Context(), 5, 0)
	w.ok(err)
	if len(recs) != 1 || recs[0].Lost != 7 || recs[0].ACE != 0 {
		t.Fatalf("records %+v", recs)
	}
}

// restart gives the world a second engine on the same host and surfaces, as a
// daemon that was killed and came back would.
func (w *world) restart(t *testing.T) *world {
	t.Helper()
	var states []station.SessionState
	for _, s := range w.e.Sessions() {
		st, err := w.e.SessionState(s.ID())
		w.ok(err)
		b, err := json.Marshal(st)
		w.ok(err)
		var back station.SessionState
		w.ok(json.Unmarshal(b, &back))
		states = append(states, back)
	}
	hosts := make(map[uint32]station.HostSession)
	for _, s := range w.e.Sessions() {
		hosts[s.ID()] = s.Host()
	}
	w.e.Detach()
	n := &world{t: t, host: w.host, surfaces: station.NewMemorySurfaces()}
	e, err := station.New(station.Options{Host: n.host, Surfaces: n.surfaces, Machine: machine, Restore: states})
	w.ok(err)
	n.e = e
	for _, st := range states {
		_, err := e.RestoreSession(t.Context(), st, hosts[st.ID])
		w.ok(err)
	}
	n.zero, _ = e.Session(0)
	return n
}

func TestRestore(t *testing.T) {
	conform.Rule(t, "SES-10", "WS-45", "DT-42")
	w := newWorld(t)
	alice := w.logon(1001)
	bob := w.logon(1002)
	th := w.start(alice.token, nil)
	_, _, err := th.CreateDesktop(station.DesktopOptions{Name: "Work", Access: maxAllowed, HeapKB: 256, Descriptor: security.MustSDDL("D:(A;;GA;;;WD)")})
	w.ok(err)
	_, _, err = th.CreateDesktop(desk("Unused"))
	w.ok(err)
	work, _ := w.child(th, station.ProcessOptions{Path: "/bin/onwork", Desktop: text("Work"), Tag: "tag"})
	_, err = w.e.CreateHeldDesktop(bob.session, "WinSta0", station.DesktopOptions{Name: "Agent"})
	w.ok(err)
	w.ok(w.e.SwitchDesktop(bob.session, "Agent"))
	w.ok(w.e.Lock(bob.session))
	w.ok(w.e.Disconnect(alice.session))
	svc := w.start(w.userToken(0, 1100, false), nil)
	dying, _ := w.child(th, station.ProcessOptions{Path: "/bin/dying"})
	dead := dying.Process().ID()
	luid := w.e.AllocateLUID()
	sameDisplay := w.host.Process(work.Process().ID()).Spec().Env

	n := w.restart(t)
	w.host.Process(dead).Exit(9) // after the first engine, before anybody asks
	defer func() {
		if err := n.e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		same(t, "surfaces after Close", len(n.surfaces.Open()), 0)
		for _, s := range w.surfaces.Open() { // the first engine was only detached
			s.Close()
		}
	}()
	if l := n.e.AllocateLUID(); l <= luid {
		t.Fatalf("LUID %v is given again (last was %v)", l, luid)
	}
	s, ok := n.e.Session(1)
	if !ok || s.State() != win32.WTSDisconnected || s.User().User() != alice.token.User() || s.ActiveDesktop().Name() != "Disconnect" {
		t.Fatalf("session 1: %v", s)
	}
	var names []string
	for _, d := range s.Interactive().Desktops() {
		names = append(names, d.Name())
	}
	if want := []string{"Default", "Winlogon", "Screen-saver", "Disconnect", "Work"}; !slices.Equal(names, want) {
		t.Fatalf("desktops %q, want %q", names, want)
	}
	d, _ := s.Interactive().Desktop("Work")
	same(t, "heap", d.HeapKB(), 256)
	f, err := d.Surface(t.Context())
	w.ok(err)
	env, err := f.Prepare(t.Context())
	w.ok(err)
	if !slices.Contains(sameDisplay, env[0]) {
		t.Fatalf("the surface came back as %q, the program has %q", env, sameDisplay)
	}
	p, ok := n.e.Process(work.Process().ID())
	if !ok || p.Tag() != "tag" || p.Program() != "/bin/onwork" || p.Token().User() != alice.token.User() {
		t.Fatalf("process %+v", p)
	}
	n.t = t
	back := n.attach(p)
	same(t, "location", location(t, back), `WinSta0\Work`)
	bs, _ := n.e.Session(2)
	same(t, "bob is locked", bs.Locked(), true)
	same(t, "bob sees", bs.ActiveDesktop().Name(), "Winlogon")
	w.ok(n.e.Unlock(bs))
	same(t, "bob sees", bs.ActiveDesktop().Name(), "Agent")
	sp, ok := n.e.Process(svc.Process().ID())
	if !ok {
		t.Fatal("the service was not adopted")
	}
	st, _ := n.attach(sp).ProcessWindowStation()
	name, _ := n.attach(sp).ObjectName(st)
	same(t, "service's station", name, `\Windows\WindowStations\`+svc.Process().Token().LogonID().StationName())

	eventually(t, "the exit of a process that ended meanwhile", func() bool { _, alive := n.e.Process(dead); return !alive })
	h, err := back.OpenProcess(dead, win32.PROCESS_QUERY_LIMITED_INFORMATION|win32.SYNCHRONIZE, false)
	w.ok(err)
	same(t, "exit code", ended(t, back, h), 9)
	next, err := n.e.CreateSession(t.Context(), station.SessionOptions{})
	w.ok(err)
	same(t, "next session", next.ID(), 3)
	w.e = n.e // the cleanup closes what is left
}

func TestRestoreUnknownProcess(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	st1, err := w.e.SessionState(1)
	w.ok(err)
	st0, err := w.e.SessionState(0)
	w.ok(err)
	// Started after the state was written.
	th := w.start(alice.token, nil)
	sys := w.system()
	gone := w.system()
	w.host.Process(gone.Process().ID()).Exit(0) // nobody's concern any more
	<-gone.Process().Done()
	hosts := []station.HostSession{w.zero.Host(), alice.session.Host()}
	var others []station.HostProcess // of a subsystem, such as an X server
	for _, h := range hosts {
		p, err := h.Spawn(t.Context(), station.ProcessSpec{Path: "/bin/prog", Tag: "other:1"})
		w.ok(err)
		others = append(others, p)
	}
	w.e.Detach()
	w.surfaces = station.NewMemorySurfaces() // the old ones belong to the first engine
	e, err := station.New(station.Options{Host: w.host, Surfaces: w.surfaces, Restore: []station.SessionState{st0, st1},
		Foreign: func(tag string) bool { return strings.HasPrefix(tag, "other:") }})
	w.ok(err)
	w.e = e
	if s, err := e.RestoreSession(t.Context(), st0, hosts[0]); err == nil || strings.Contains(err.Error(), fmt.Sprint(gone.Process().ID())) || s == nil {
		t.Errorf("told of the process that had to be ended: %v", err)
	}
	if w.host.Process(gone.Process().ID()) != nil {
		t.Error("a program that had ended before is kept for ever")
	}
	_, err = e.RestoreSession(t.Context(), st1, hosts[1])
	w.ok(err)
	p, ok := e.Process(th.Process().ID())
	if !ok || p.Token().User() != alice.token.User() {
		t.Fatal("a program of a user's session was not counted to the user")
	}
	<-w.host.Process(sys.Process().ID()).Done()
	for _, p := range others {
		if _, ok := e.Process(p.PID()); ok || w.host.Process(p.PID()) == nil {
			t.Errorf("process %d of a subsystem became a program, or was ended", p.PID())
		}
		w.ok(p.Signal(9))
	}
	_, err = e.RestoreSession(t.Context(), st1, nil)
	code(t, err, win32.ERROR_CTX_WINSTATION_ALREADY_EXISTS)
}
