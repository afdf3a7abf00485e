// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var machine = security.MustSID("S-1-5-21-10-20-30")

// world is an engine on a memory host, with session 0 hosted.
type world struct {
	t        testing.TB
	e        *station.Engine
	host     *station.MemoryHost
	surfaces *station.MemorySurfaces
	zero     *station.Session
}

// newWorld makes an engine that ends with the test, which fails when the
// engine leaves anything behind.
func newWorld(t testing.TB, change ...func(*station.Options)) *world {
	t.Helper()
	w := &world{t: t, host: station.NewMemoryHost(), surfaces: station.NewMemorySurfaces()}
	o := station.Options{Host: w.host, Surfaces: w.surfaces, Machine: machine, CallSocket: "/run/station/call"}
	for _, f := range change {
		f(&o)
	}
	e, err := station.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.e = e
	t.Cleanup(func() {
		if err := w.e.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := w.host.Running(); n != 0 {
			t.Errorf("%d programs run on after Close", n)
		}
		if n := w.host.Sessions(); n != 0 {
			t.Errorf("%d sessions of the host are left after Close", n)
		}
		if open := w.surfaces.Open(); len(open) != 0 {
			t.Errorf("%d surfaces are open after Close", len(open))
		}
	})
	w.zero, _ = e.Session(0)
	w.ok(e.StartHost(context.Background(), w.zero, station.SessionSpec{}))
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// code fails the test unless err carries a Win32 number.
func code(t testing.TB, err error, want win32.Errno) {
	t.Helper()
	if win32.Code(err) != want {
		t.Fatalf("got error %v (%d), want %d", err, win32.Code(err), want)
	}
}

// rule is code with the rule that decided.
func rule(t testing.TB, err error, want win32.Errno, id string) {
	t.Helper()
	code(t, err, want)
	var e *win32.Error
	if !errors.As(err, &e) || e.Rule != id {
		t.Fatalf("%v was decided by %q, want %s", err, e.Rule, id)
	}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

// sameSDDL compares descriptors by what they say, not by how it is spelled.
func sameSDDL(t testing.TB, what string, got *security.Descriptor, parts uint32, want string) {
	t.Helper()
	same(t, what, got.SDDL(parts, security.SID{}), security.MustSDDL(want).SDDL(parts, security.SID{}))
}

// person is a user with a logon of their own.
type person struct {
	session *station.Session
	token   *security.Token
}

func (w *world) userToken(session, rid uint32, admin bool) *security.Token {
	tok, _ := security.UserToken(security.UserLogon{
		User: machine.Child(rid), Name: fmt.Sprintf("user%d", rid), Admin: admin,
		LogonID: w.e.AllocateLUID(), LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: session, TokenID: w.e.AllocateLUID(),
	})
	return tok
}

// logon makes a session and logs a user on to it, desktop shown.
func (w *world) logon(rid uint32) person {
	w.t.Helper()
	return w.logonAs(rid, false)
}

func (w *world) logonAs(rid uint32, admin bool) person {
	w.t.Helper()
	s, err := w.e.CreateSession(context.Background(), station.SessionOptions{Terminal: "Console"})
	w.ok(err)
	tok := w.userToken(s.ID(), rid, admin)
	w.ok(w.e.StartHost(context.Background(), s, station.SessionSpec{UID: rid, GID: rid}))
	w.ok(w.e.LogonSession(s, station.Logon{Token: tok, Name: fmt.Sprintf("user%d", rid)}))
	w.ok(w.e.DesktopReady(s))
	return person{s, tok}
}

func text(s string) *string { return &s }

// start starts a program for the session manager and connects a thread of it.
func (w *world) start(tok *security.Token, desktop *string) *station.Thread {
	w.t.Helper()
	p, err := w.e.StartProcess(context.Background(), tok, station.ProcessOptions{Path: "/bin/app", Desktop: desktop})
	w.ok(err)
	return w.attach(p)
}

func (w *world) attach(p *station.Process) *station.Thread {
	w.t.Helper()
	th, err := w.e.AttachThread(station.AttachSpec{PID: p.ID(), StartTime: p.StartTime(), Session: p.Session().ID(), InSession: true})
	w.ok(err)
	w.t.Cleanup(th.Detach)
	return th
}

// system starts a LocalSystem program of session 0.
func (w *world) system() *station.Thread {
	w.t.Helper()
	return w.start(security.SystemToken(0), nil)
}

// child lets a thread create a process and connects a thread of it. It gives
// nil for a process that ended at once.
func (w *world) child(of *station.Thread, o station.ProcessOptions) (*station.Thread, win32.Handle) {
	w.t.Helper()
	if o.Path == "" {
		o.Path = "/bin/child"
	}
	h, pid, err := of.CreateProcess(context.Background(), o)
	w.ok(err)
	p, alive := w.e.Process(pid)
	if !alive {
		return nil, h
	}
	return w.attach(p), h
}

// location gives where a thread's process is connected, connecting it first.
func location(t testing.TB, th *station.Thread) string {
	t.Helper()
	if err := th.Connect(); err != nil {
		t.Fatal(err)
	}
	s, d := th.Process().Location()
	return s + `\` + d
}

// eventually polls until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// ended waits for a process behind a handle and gives its exit code.
func ended(t testing.TB, th *station.Thread, h win32.Handle) uint32 {
	t.Helper()
	if r, err := th.WaitForSingleObject(context.Background(), h, 5000); err != nil || r != 0 {
		t.Fatalf("WaitForSingleObject gives %d, %v", r, err)
	}
	c, _, err := th.ExitCode(h)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// granted gives the rights of a handle.
func granted(t testing.TB, th *station.Thread, h win32.Handle) win32.AccessMask {
	t.Helper()
	m, err := th.GrantedAccess(h)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
