// SPDX-License-Identifier: Apache-2.0

package wts

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/internal/surface"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// Winlogon changes sessions; internal/logon has it.
type Winlogon interface {
	Logoff(ctx context.Context, id uint32) error
	Disconnect(ctx context.Context, id uint32) error
	Connect(ctx context.Context, id, target uint32) error
	VerifyUser(ctx context.Context, id uint32, password string) error
}

// Display shows message boxes; internal/display has it.
type Display interface {
	ShowMessage(session uint32, desktop string, b surface.MessageBox, answer func(id uint32)) (close func())
	LastInput(session uint32) time.Time
}

// Options say what a Manager works with.
type Options struct {
	Engine   *station.Engine
	Store    *logon.Store
	Winlogon Winlogon
	Display  Display
	Logger   *slog.Logger
	// State is the file that message boxes are kept in, so that they are there
	// again after a restart of the daemon; empty: none.
	State string
	// ServiceOf names the service a process runs; nil: none does.
	ServiceOf func(pid int) string
	// Viewers counts who looks at a session; nil: nobody.
	Viewers func(session uint32) int
}

// Manager answers the WTS calls. Its methods may be called from any goroutine.
type Manager struct {
	o Options // immutable

	work   sync.WaitGroup // calls that nobody waits for
	saving sync.Mutex     // held while the state is written; taken before mu

	mu     sync.Mutex
	boxes  map[uint64]*box // guarded by mu: those that wait and those answered lately
	next   uint64          // guarded by mu: the last box's number
	closed bool            // guarded by mu
}

// New makes a manager. Restore brings message boxes of an earlier daemon back;
// Close ends its work.
func New(o Options) *Manager {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ServiceOf == nil {
		o.ServiceOf = func(int) string { return "" }
	}
	if o.Viewers == nil {
		o.Viewers = func(uint32) int { return 0 }
	}
	return &Manager{o: o, boxes: map[uint64]*box{}}
}

// nanos gives Unix nanoseconds, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// WTSEnumerateSessions lists the sessions that the caller may query, by ID;
// the others are left out without an error.
//
// Win32: WTSEnumerateSessions. Rules: WTS-5, SES-11, SES-12.
func (m *Manager) WTSEnumerateSessions(t *station.Thread) (api.SessionsReply, error) {
	var r api.SessionsReply
	for _, s := range m.o.Engine.Sessions() {
		if _, err := security.Check(t.EffectiveToken(), s.Descriptor(), win32.WINSTATION_QUERY, security.SessionMapping); err != nil {
			continue
		}
		r.Sessions = append(r.Sessions, m.session(s))
	}
	return r, nil
}

// session tells a session as tools show it.
func (m *Manager) session(s *station.Session) api.Session {
	domain, name := s.UserName()
	times := s.Times()
	out := api.Session{
		ID: s.ID(), Name: s.Terminal(), State: s.State(), Type: typeOf(s), User: name, Domain: domain, Locked: s.Locked(),
		ConnectNanos: nanos(times.Connect), DisconnectNanos: nanos(times.Disconnect), LogonNanos: nanos(times.Logon),
		LastInputNanos: nanos(m.o.Display.LastInput(s.ID())),
		Viewers:        uint32(m.o.Viewers(s.ID())), ProcessCount: programs(s),
	}
	if u := s.User(); u != nil {
		out.UserSID, out.LogonID = u.User().String(), uint64(u.LogonID())
	}
	if d := s.ActiveDesktop(); d != nil && !s.Services() {
		out.InputDesktop = d.Path()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.boxes {
		if b.rec.Session == s.ID() && !b.rec.Done {
			out.Messages++
		}
	}
	return out
}

// programs counts the processes that run in a session; the operator's own
// tools, which speak for session 0 from outside, do not.
func programs(s *station.Session) uint32 {
	n := uint32(0)
	for _, p := range s.Processes() {
		if !p.Outside() {
			n++
		}
	}
	return n
}

// typeOf gives the session type (SES-13).
func typeOf(s *station.Session) uint32 {
	if s.Services() {
		return 1
	}
	return 3
}

// WTSQueryUserToken gives a duplicate of the primary token of the user logged
// on to a session. Errors, in this order: 1314 when the caller's process holds
// no SeTcbPrivilege, 5 when it is not LocalSystem, 2 for no such session, 1008
// when nobody is logged on.
//
// Win32: WTSQueryUserToken. Rules: WTS-20, WTS-21, WTS-22, WTS-23.
func (m *Manager) WTSQueryUserToken(t *station.Thread, q api.SessionRequest) (api.HandleReply, error) {
	const op = "WTSQueryUserToken"
	name := fmt.Sprintf("session %d", q.SessionID)
	own := t.Process().Token()
	if !own.HoldsPrivilege(security.SeTcbPrivilege) {
		return api.HandleReply{}, t.Refuse(op, name, win32.ERROR_PRIVILEGE_NOT_HELD, "WTS-20", "the process holds no SeTcbPrivilege")
	}
	if !t.EffectiveToken().IsSystem() {
		return api.HandleReply{}, t.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "WTS-20", "the caller is not LocalSystem")
	}
	id := q.SessionID
	if id == win32.WTS_CURRENT_SESSION {
		id = t.Process().Session().ID()
	}
	s, ok := m.o.Engine.Session(id)
	if !ok {
		return api.HandleReply{}, &win32.Error{Op: op, Object: name, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "WTS-20"}
	}
	user := s.User()
	if user == nil {
		return api.HandleReply{}, &win32.Error{Op: op, Object: name, Code: win32.ERROR_NO_TOKEN, Rule: "WTS-20"}
	}
	h, err := t.InsertToken(user.WithID(m.o.Engine.AllocateLUID()), win32.TOKEN_ALL_ACCESS, "")
	return api.HandleReply{Handle: h}, err
}

// WTSDisconnectSession takes the terminal away from a session; its programs
// run on.
//
// Win32: WTSDisconnectSession. Rules: WTS-39a, SES-19.
func (m *Manager) WTSDisconnectSession(ctx context.Context, t *station.Thread, q api.SessionWaitRequest) error {
	const op = "WTSDisconnectSession"
	s, err := t.CheckSession(op, q.SessionID, win32.WINSTATION_DISCONNECT)
	if err != nil {
		return err
	}
	if s.Services() {
		return t.Refuse(op, s.ObjectName(), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, "WTS-39a", "session 0 has no terminal")
	}
	return m.run(ctx, q.Wait, op, s.ID(), m.o.Winlogon.Disconnect)
}

// WTSLogoffSession ends a session and every program in it. The right RESET or
// LOGOFF is enough.
//
// Win32: WTSLogoffSession. Rules: WTS-39b, LGN-19.
func (m *Manager) WTSLogoffSession(ctx context.Context, t *station.Thread, q api.SessionWaitRequest) error {
	const op = "WTSLogoffSession"
	id := q.SessionID
	if id == win32.WTS_CURRENT_SESSION {
		id = t.Process().Session().ID()
	}
	right := win32.WINSTATION_RESET
	if s, ok := m.o.Engine.Session(id); ok {
		if _, err := security.Check(t.EffectiveToken(), s.Descriptor(), win32.WINSTATION_LOGOFF, security.SessionMapping); err == nil {
			right = win32.WINSTATION_LOGOFF
		}
	}
	s, err := t.CheckSession(op, id, right)
	if err != nil {
		return err
	}
	if s.Services() {
		return t.Refuse(op, s.ObjectName(), win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, "WTS-39b", "session 0 ends with the daemon only")
	}
	return m.run(ctx, q.Wait, op, id, m.o.Winlogon.Logoff)
}

// run does what may take a while, in the background when the caller does not
// wait for it.
func (m *Manager) run(ctx context.Context, wait bool, op string, id uint32, do func(context.Context, uint32) error) error {
	// What has begun is brought to its end: a caller that goes away, perhaps
	// because it is in the session that ends, does not stop it.
	ctx = context.WithoutCancel(ctx)
	if wait {
		return do(ctx, id)
	}
	m.work.Go(func() {
		if err := do(ctx, id); err != nil {
			m.o.Logger.Warn("a session call that nobody waited for failed", "call", op, "session", id, "error", err)
		}
	})
	return nil
}

// WTSConnectSession gives a disconnected session a terminal: that of the
// target session, or a headless one of its own for WTS_CURRENT_SESSION. The
// password of the session's user may be left out by the user itself and by
// LocalSystem.
//
// Win32: WTSConnectSession. Rules: WTS-39c.
func (m *Manager) WTSConnectSession(ctx context.Context, t *station.Thread, q api.ConnectSessionRequest) error {
	const op = "WTSConnectSession"
	id := q.SessionID
	if id == win32.WTS_CURRENT_SESSION {
		id = t.Process().Session().ID()
	}
	s, err := t.CheckSession(op, id, win32.WINSTATION_CONNECT|win32.WINSTATION_DISCONNECT)
	if err != nil {
		return err
	}
	user := s.User()
	if user == nil {
		return &win32.Error{Op: op, Object: s.ObjectName(), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "WTS-39c"}
	}
	if q.Target != win32.WTS_CURRENT_SESSION {
		if _, err := t.CheckSession(op, q.Target, win32.WINSTATION_DISCONNECT); err != nil {
			return err
		}
	}
	tok := t.EffectiveToken()
	if q.Password != "" || !tok.IsSystem() && tok.User() != user.User() {
		if err := m.o.Winlogon.VerifyUser(ctx, id, q.Password); err != nil {
			return err
		}
	}
	return m.o.Winlogon.Connect(context.WithoutCancel(ctx), id, q.Target)
}

// EnumProcesses lists the processes of one session, or of all that the caller
// may query. What runs in another user's session is shown to administrators
// only: QUERY, which everybody has who may log on, tells who is logged on and
// not what they do. Arguments are shown to the process's own user and to
// administrators.
//
// Win32: WTSEnumerateProcesses. Rules: WTS-7.
func (m *Manager) EnumProcesses(t *station.Thread, q api.SessionRequest) (api.ProcessesReply, error) {
	var r api.ProcessesReply
	var sessions []*station.Session
	if q.SessionID == win32.WTS_ANY_SESSION {
		sessions = m.o.Engine.Sessions()
	} else {
		s, err := t.CheckSession("WTSEnumerateProcesses", q.SessionID, win32.WINSTATION_QUERY)
		if err != nil {
			return r, err
		}
		sessions = []*station.Session{s}
	}
	tok := t.EffectiveToken()
	for _, s := range sessions {
		if _, err := security.Check(tok, s.Descriptor(), win32.WINSTATION_QUERY, security.SessionMapping); err != nil {
			continue
		}
		for _, p := range s.Processes() {
			if p.Outside() {
				continue // the operator's own tools run in no session
			}
			user := p.Token().User()
			if others := s.User() != nil && s.User().User() != tok.User(); others && !tok.IsAdministrator() && user != tok.User() && s != t.Process().Session() {
				continue
			}
			winsta, desktop := p.Location()
			var args []string
			if tok.User() == user || tok.IsAdministrator() {
				args = p.Args() // programs are given secrets in them
			}
			r.Processes = append(r.Processes, api.Process{
				SessionID: s.ID(), ProcessID: uint32(p.ID()), ParentID: uint32(p.ParentID()), Name: filepath.Base(p.Program()),
				User: m.o.Store.DisplayName(user), UserSID: user.String(), WindowStation: winsta, Desktop: desktop,
				Service: m.o.ServiceOf(p.ID()), StartedNanos: nanos(p.Started()), Args: args,
			})
		}
	}
	return r, nil
}
