// SPDX-License-Identifier: Apache-2.0

package wts

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"go.uber.org/goleak"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/internal/surface"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a manager on an engine with a memory host and a real winlogon. The
// accounts alice (in session 1, on the console), bob (in session 2) and carl,
// an administrator, are there.
type world struct {
	t        *testing.T
	host     *station.MemoryHost
	engine   *station.Engine
	store    *logon.Store
	winlogon *logon.Winlogon
	display  *screens
	m        *Manager
	operator *station.Thread // LocalSystem
	ctx      context.Context
	end      context.CancelFunc
	close    []func()
}

// screens is a display that a test's person looks at.
type screens struct {
	mu      sync.Mutex
	boxes   []*shown      // guarded by mu: those on the screen, lowest first
	changed chan struct{} // guarded by mu
}

type shown struct {
	session uint32
	desktop string
	b       surface.MessageBox
	answer  func(uint32)
}

func (s *screens) ShowMessage(session uint32, desktop string, b surface.MessageBox, answer func(uint32)) func() {
	x := &shown{session, desktop, b, answer}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boxes = append(s.boxes, x)
	s.tellLocked()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.boxes = slices.DeleteFunc(s.boxes, func(y *shown) bool { return x == y })
		s.tellLocked()
	}
}

func (s *screens) LastInput(uint32) time.Time { return time.Time{} }

func (s *screens) tellLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until n boxes are on the screen and gives them.
func (s *screens) await(t *testing.T, n int) []*shown {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		boxes, changed := slices.Clone(s.boxes), s.changed
		s.mu.Unlock()
		if len(boxes) == n {
			return boxes
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d boxes are shown, not %d", len(boxes), n)
		}
	}
}

// newWorld makes a world; state is the file the boxes are kept in.
func newWorld(t *testing.T, state string) *world {
	t.Helper()
	w := &world{t: t, host: station.NewMemoryHost(), display: &screens{changed: make(chan struct{})}}
	w.ctx, w.end = context.WithCancel(context.Background())
	db, err := logon.OpenDatabase(filepath.Join(t.TempDir(), "station.db"))
	if err != nil {
		t.Fatal(err)
	}
	w.later(func() { _ = db.Close() })
	w.store, err = logon.Open(logon.Options{DB: db, Root: true, Computer: "HOST", PasswdFile: "/dev/null", GroupFile: "/dev/null"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob", "carl"} {
		if _, err := w.store.Add(logon.NewAccount{Name: name, Password: name, Admin: name == "carl"}); err != nil {
			t.Fatal(err)
		}
	}
	w.engine, err = station.New(station.Options{Host: w.host, Surfaces: station.NewMemorySurfaces(), Machine: w.store.Machine(), Identity: w.store.Identity})
	if err != nil {
		t.Fatal(err)
	}
	w.later(func() { _ = w.engine.Close(context.Background()) })
	w.winlogon = logon.NewWinlogon(logon.WinlogonOptions{
		Engine: w.engine, Store: w.store, OnEnd: func(id uint32) { w.m.EndSession(id) },
	})
	w.later(w.winlogon.Close)
	w.m = w.manager(state)
	w.later(func() { w.m.Close() })
	if err := errors.Join(w.winlogon.StartServices(w.ctx), w.winlogon.Start(w.ctx)); err != nil {
		t.Fatal(err)
	}
	w.operator = w.thread(1, security.SystemToken(0))
	for i, name := range []string{"alice", "bob"} {
		r, err := w.winlogon.LogonSession(w.ctx, w.operator, api.LogonSessionRequest{User: name, NoPassword: true})
		if err != nil || r.SessionID != uint32(i+1) {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
	}
	t.Cleanup(func() {
		w.end()
		for _, f := range slices.Backward(w.close) {
			f()
		}
		if n := len(w.display.boxes); n != 0 {
			t.Errorf("%d boxes are left on the screen", n)
		}
	})
	return w
}

func (w *world) later(f func()) { w.close = append(w.close, f) }

func (w *world) manager(state string) *Manager {
	return New(Options{
		Engine: w.engine, Store: w.store, Winlogon: w.winlogon, Display: w.display, State: state,
		ServiceOf: func(pid int) string {
			if pid == 1001 {
				return "clock"
			}
			return ""
		},
		Viewers: func(session uint32) int { return int(session) },
	})
}

// thread is a caller from outside every session.
func (w *world) thread(pid int, tok *security.Token) *station.Thread {
	w.t.Helper()
	t, err := w.engine.AttachThread(station.AttachSpec{PID: pid, Fallback: tok})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// program starts a program of a session's user and gives its connection.
func (w *world) program(session uint32) *station.Thread {
	w.t.Helper()
	s, _ := w.engine.Session(session)
	p, err := w.engine.StartProcess(w.ctx, s.User(), station.ProcessOptions{Path: "/bin/tool", Args: []string{"tool", "--secret=x"}})
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := w.engine.AttachThread(station.AttachSpec{PID: p.ID(), Session: session, InSession: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// user is a caller from outside with a network logon of an account.
func (w *world) user(pid int, name string) *station.Thread {
	w.t.Helper()
	a, err := w.store.Lookup(name)
	if err != nil {
		w.t.Fatal(err)
	}
	tok, err := w.store.NewToken(a, logon.TokenRequest{Type: win32.LOGON32_LOGON_NETWORK, Allocate: w.engine.AllocateLUID})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.thread(pid, tok)
}

func wantCode(t *testing.T, err error, code win32.Errno) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("got %v, want %s (%d)", err, code.Name(), uint32(code))
	}
}

func TestEnumerateSessions(t *testing.T) {
	conform.Rule(t, "WTS-1", "WTS-2", "WTS-5", "SES-11", "SES-12", "SES-13", "SES-17")
	w := newWorld(t, "")
	if err := w.winlogon.Lock(2); err != nil {
		t.Fatal(err)
	}
	r, err := w.m.WTSEnumerateSessions(w.operator)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, s := range r.Sessions {
		rows = append(rows, fmt.Sprintf("%d %q %v type %d %s\\%s locked %v on %s viewers %d", s.ID, s.Name, s.State, s.Type, s.Domain, s.User, s.Locked, s.InputDesktop, s.Viewers))
	}
	want := []string{
		`0 "Services" Disc type 1 \ locked false on  viewers 0`,
		`1 "Console" Active type 3 HOST\alice locked false on WinSta0\Default viewers 1`,
		`2 "VNC-Tcp#0" Active type 3 HOST\bob locked true on WinSta0\Winlogon viewers 2`,
	}
	if !slices.Equal(rows, want) {
		t.Errorf("sessions\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	alice, _ := w.store.Lookup("alice")
	if s := r.Sessions[1]; s.UserSID != alice.SID.String() || s.LogonID == 0 || s.LogonNanos == 0 || s.ConnectNanos == 0 || s.DisconnectNanos != 0 {
		t.Errorf("alice's session: %+v", s)
	}

	// Only sessions on which the caller has QUERY, without an error.
	if _, err := w.store.Add(logon.NewAccount{Name: "dora", ConsoleOnly: true}); err != nil {
		t.Fatal(err)
	}
	r, err = w.m.WTSEnumerateSessions(w.user(60, "dora"))
	if err != nil || len(r.Sessions) != 0 {
		t.Errorf("a user without rights sees %+v, %v", r.Sessions, err)
	}
	r, err = w.m.WTSEnumerateSessions(w.thread(61, security.NetworkServiceToken(0)))
	if err != nil || len(r.Sessions) != 3 {
		t.Errorf("NetworkService sees %+v, %v", r.Sessions, err)
	}
}

// parse turns UTF-16 with a terminator into a string.
func parse(t *testing.T, b []byte) string {
	t.Helper()
	if len(b) < 2 || len(b)%2 != 0 || b[len(b)-1] != 0 || b[len(b)-2] != 0 {
		t.Fatalf("% x is no terminated UTF-16", b)
	}
	var u []uint16
	for i := 0; i+2 < len(b); i += 2 {
		u = append(u, binary.LittleEndian.Uint16(b[i:]))
	}
	return string(utf16.Decode(u))
}

func TestQuerySessionInformation(t *testing.T) {
	conform.Rule(t, "WTS-3", "WTS-8", "WTS-9", "WTS-10", "SES-17")
	w := newWorld(t, "")
	query := func(th *station.Thread, session, class uint32) ([]byte, error) {
		r, err := w.m.WTSQuerySessionInformation(th, api.SessionInformationRequest{SessionID: session, Class: class})
		return r.Data, err
	}
	for class, want := range map[uint32]string{0: "", 1: "", 2: "", 3: "", 5: "bob", 6: "VNC-Tcp#0", 7: "HOST", 10: "", 11: ""} {
		b, err := query(w.operator, 2, class)
		if err != nil {
			t.Errorf("class %d: %v", class, err)
		} else if got := parse(t, b); got != want {
			t.Errorf("class %d: %q, want %q", class, got, want)
		}
	}
	for class, want := range map[uint32]string{4: "02000000", 8: "00000000", 9: "00000000", 12: "0000", 13: "00000000", 16: "0200", 29: "01000000"} {
		if b, err := query(w.operator, 2, class); err != nil || fmt.Sprintf("%x", b) != want {
			t.Errorf("class %d: %x, %v, want %s", class, b, err, want)
		}
	}
	if b, err := query(w.operator, 1, 16); err != nil || fmt.Sprintf("%x", b) != "0000" {
		t.Errorf("protocol of the console: %x, %v", b, err)
	}
	for class, size := range map[uint32]int{14: 24, 15: 12, 23: 2304, 24: 216, 25: 232, 26: 1668} {
		if b, err := query(w.operator, 2, class); err != nil || len(b) != size {
			t.Errorf("class %d: %d bytes, %v, want %d", class, len(b), err, size)
		}
	}
	for _, class := range []uint32{17, 18, 19, 20, 21, 22, 27, 28} {
		_, err := query(w.operator, 2, class)
		wantCode(t, err, win32.ERROR_NOT_SUPPORTED)
	}
	for _, class := range []uint32{30, 99, 0xFFFFFFFF} {
		_, err := query(w.operator, 2, class)
		wantCode(t, err, win32.ERROR_INVALID_PARAMETER)
	}
	_, err := query(w.operator, 9, 4)
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	_, err = query(w.thread(60, security.LocalServiceToken(0)), 1, 5)
	if err != nil {
		t.Errorf("LocalService has QUERY: %v", err)
	}

	// The flags of WTSINFOEX, and WTS_CURRENT_SESSION.
	own := w.program(2)
	flags := func() uint32 {
		b, err := query(own, win32.WTS_CURRENT_SESSION, 25)
		if err != nil {
			t.Fatal(err)
		}
		if level, id := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:]); level != 1 || id != 2 {
			t.Errorf("level %d, session %d", level, id)
		}
		return binary.LittleEndian.Uint32(b[16:])
	}
	if got := flags(); got != 1 {
		t.Errorf("unlocked: %d", got)
	}
	if err := w.winlogon.Lock(2); err != nil {
		t.Fatal(err)
	}
	if got := flags(); got != 0 {
		t.Errorf("locked: %d", got)
	}
	if b, err := query(w.operator, 0, 25); err != nil || binary.LittleEndian.Uint32(b[16:]) != 0xFFFFFFFF {
		t.Errorf("nobody logged on: % x, %v", b[16:20], err)
	}
	// WTSINFO: name, domain and user at their places, times since 1601.
	b, err := query(w.operator, 2, 24)
	if err != nil {
		t.Fatal(err)
	}
	field := func(at, units int) string {
		return strings.TrimRight(parse(t, append(b[at:at+2*units:at+2*units], 0, 0)), "\x00")
	}
	if field(32, 32) != "VNC-Tcp#0" || field(96, 17) != "HOST" || field(130, 21) != "bob" {
		t.Errorf("names %q %q %q", field(32, 32), field(96, 17), field(130, 21))
	}
	now := int64(binary.LittleEndian.Uint64(b[208:]))
	if at := time.Unix(0, (now-116444736000000000)*100); time.Since(at) > time.Minute || time.Since(at) < -time.Minute {
		t.Errorf("the current time is told as %v", at)
	}

	// Gone with the session.
	if err := w.winlogon.Logoff(w.ctx, 2); err != nil {
		t.Fatal(err)
	}
	_, err = query(w.operator, 2, 4)
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
}

func TestQueryUserToken(t *testing.T) {
	conform.Rule(t, "WTS-20", "WTS-21", "WTS-22", "WTS-23", "SES-14k", "SE-33")
	w := newWorld(t, "")
	ask := func(th *station.Thread, session uint32) (win32.Handle, error) {
		r, err := w.m.WTSQueryUserToken(th, api.SessionRequest{SessionID: session})
		return r.Handle, err
	}
	for _, c := range []struct {
		who     *station.Thread
		session uint32
		want    win32.Errno
	}{
		{w.operator, 1, 0},
		{w.operator, 9, win32.ERROR_FILE_NOT_FOUND},
		{w.operator, 0, win32.ERROR_NO_TOKEN},
		{w.thread(60, security.NetworkServiceToken(0)), 1, win32.ERROR_PRIVILEGE_NOT_HELD},
		{w.thread(60, security.NetworkServiceToken(0)), 9, win32.ERROR_PRIVILEGE_NOT_HELD}, // before the session
		{w.user(61, "carl"), 1, win32.ERROR_PRIVILEGE_NOT_HELD},
		{w.program(1), 1, win32.ERROR_PRIVILEGE_NOT_HELD},
	} {
		h, err := ask(c.who, c.session)
		if win32.Code(err) != c.want || (h == 0) != (c.want != 0) {
			t.Errorf("session %d: handle %#x, %v, want %d", c.session, h, err, uint32(c.want))
		}
	}
	h, err := ask(w.operator, 1)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := w.operator.Token(h, win32.TOKEN_ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := w.engine.Session(1)
	if tok.Type() != security.TokenPrimary || tok.SessionID() != 1 || tok.User() != s.User().User() || tok.LogonID() != s.User().LogonID() || tok.ID() == s.User().ID() {
		t.Errorf("token %+v", tok.Spec())
	}
	// Locked or disconnected, there is still a user.
	if err := w.winlogon.Lock(1); err != nil {
		t.Fatal(err)
	}
	if err := w.winlogon.Disconnect(w.ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(w.operator, 1); err != nil {
		t.Error(err)
	}
	_, err = ask(w.operator, w.winlogon.Console()) // the logon screen
	wantCode(t, err, win32.ERROR_NO_TOKEN)
	// Of an administrator it is the limited half.
	r, err := w.winlogon.LogonSession(w.ctx, w.operator, api.LogonSessionRequest{User: "carl", NoPassword: true})
	if err != nil {
		t.Fatal(err)
	}
	if h, err = ask(w.operator, r.SessionID); err != nil {
		t.Fatal(err)
	}
	tok, _ = w.operator.Token(h, win32.TOKEN_QUERY)
	if tok.ElevationType() != security.ElevationLimited || tok.IsAdministrator() || tok.Linked() == nil {
		t.Errorf("an administrator's token: %v", tok.ElevationType())
	}
}

func TestDisconnectConnectLogoff(t *testing.T) {
	conform.Rule(t, "WTS-2", "WTS-3", "WTS-39a", "WTS-39b", "WTS-39c")
	w := newWorld(t, "")
	alice, bob := w.user(60, "alice"), w.user(61, "bob")
	disconnect := func(th *station.Thread, id uint32) error {
		return w.m.WTSDisconnectSession(w.ctx, th, api.SessionWaitRequest{SessionID: id, Wait: true})
	}
	connect := func(th *station.Thread, id, target uint32, password string) error {
		return w.m.WTSConnectSession(w.ctx, th, api.ConnectSessionRequest{SessionID: id, Target: target, Password: password})
	}
	const headless = win32.WTS_CURRENT_SESSION
	wantCode(t, disconnect(w.operator, 9), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	wantCode(t, disconnect(w.operator, 0), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	wantCode(t, disconnect(bob, 1), win32.ERROR_ACCESS_DENIED)
	if err := disconnect(bob, 2); err != nil { // one's own
		t.Fatal(err)
	}
	if err := disconnect(w.operator, 2); err != nil { // without terminal: succeeds
		t.Error(err)
	}
	wantCode(t, connect(w.operator, 9, headless, ""), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	wantCode(t, connect(alice, 2, headless, "bob"), win32.ERROR_ACCESS_DENIED) // no DISCONNECT on it
	wantCode(t, connect(bob, 2, headless, "wrong"), win32.ERROR_LOGON_FAILURE)
	wantCode(t, connect(w.operator, 2, headless, "wrong"), win32.ERROR_LOGON_FAILURE)
	wantCode(t, connect(w.user(62, "carl"), 2, headless, ""), win32.ERROR_LOGON_FAILURE) // not the same user
	wantCode(t, connect(bob, 2, 1, ""), win32.ERROR_ACCESS_DENIED)                       // alice's terminal
	if err := connect(bob, 2, headless, ""); err != nil {
		t.Fatal(err)
	}
	wantCode(t, connect(bob, 2, headless, ""), win32.ERROR_CTX_WINSTATION_BUSY)
	if err := disconnect(w.operator, 1); err != nil {
		t.Fatal(err)
	}
	if err := connect(w.operator, 1, 2, "alice"); err != nil { // takes bob's terminal
		t.Fatal(err)
	}
	one, _ := w.engine.Session(1)
	two, _ := w.engine.Session(2)
	if one.State() != win32.WTSActive || one.Terminal() != "VNC-Tcp#0" || two.State() != win32.WTSDisconnected || two.Terminal() != "" {
		t.Errorf("1 is %v on %q, 2 is %v on %q", one.State(), one.Terminal(), two.State(), two.Terminal())
	}

	logoff := func(th *station.Thread, id uint32, wait bool) error {
		return w.m.WTSLogoffSession(w.ctx, th, api.SessionWaitRequest{SessionID: id, Wait: wait})
	}
	wantCode(t, logoff(w.operator, 9, true), win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	wantCode(t, logoff(w.operator, 0, true), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	wantCode(t, logoff(w.operator, w.winlogon.Console(), true), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED)
	wantCode(t, logoff(bob, 1, true), win32.ERROR_ACCESS_DENIED)
	wantCode(t, logoff(w.thread(63, security.NetworkServiceToken(0)), 1, true), win32.ERROR_ACCESS_DENIED)
	if err := logoff(w.program(1), win32.WTS_CURRENT_SESSION, false); err != nil { // its own, which ends it
		t.Fatal(err)
	}
	<-one.Done()
	if err := logoff(w.operator, 2, true); err != nil {
		t.Fatal(err)
	}
	<-two.Done()
}

func TestEnumProcesses(t *testing.T) {
	conform.Rule(t, "WTS-7")
	w := newWorld(t, "")
	own, other := w.program(1), w.program(2)
	list := func(th *station.Thread, id uint32) ([]api.Process, error) {
		r, err := w.m.EnumProcesses(th, api.SessionRequest{SessionID: id})
		return r.Processes, err
	}
	all, err := list(w.operator, win32.WTS_ANY_SESSION)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if p := all[0]; p.SessionID != 1 || p.Name != "tool" || p.User != `HOST\alice` || p.WindowStation != "WinSta0" || p.Desktop != "Default" || p.Service != "clock" || p.StartedNanos == 0 || len(p.Args) != 2 {
		t.Errorf("%+v", p)
	}
	mine, err := list(own, win32.WTS_CURRENT_SESSION)
	if err != nil || len(mine) != 1 || mine[0].ProcessID != uint32(own.Process().ID()) || len(mine[0].Args) != 2 {
		t.Errorf("%+v, %v", mine, err)
	}
	his, err := list(own, other.Process().Session().ID())
	if err != nil || len(his) != 0 {
		t.Errorf("somebody else's: %+v, %v", his, err)
	}
	_, err = list(w.operator, 9)
	wantCode(t, err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
}
