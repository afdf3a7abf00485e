// SPDX-License-Identifier: Apache-2.0

//go:build skeleton

package station

import (
	"context"
	"errors"
	"time"

	"stationmaster/security"
	"stationmaster/win32"
)

var errNotYet = errors.New("not built yet")

// --- objects -------------------------------------------------------------

type Engine struct{}
type Session struct{}
type WindowStation struct{}
type Desktop struct{}
type Process struct{}
type Thread struct{}

// --- trusted: the session manager's, no access check -----------------------

func New(o Options) (*Engine, error)              { panic(errNotYet) }
func (e *Engine) Close(ctx context.Context) error { panic(errNotYet) } // ends every session
func (e *Engine) Detach()                         { panic(errNotYet) } // keeps them; all goroutines of the engine stop

func (e *Engine) CreateSession(ctx context.Context, o SessionOptions) (*Session, error) {
	panic(errNotYet)
}
func (e *Engine) StartHost(ctx context.Context, s *Session, spec SessionSpec) error { panic(errNotYet) }
func (e *Engine) LogonSession(s *Session, l Logon) error                            { panic(errNotYet) }
func (e *Engine) DesktopReady(s *Session) error                                     { panic(errNotYet) } // DT-50: Default becomes active
func (e *Engine) LogoffSession(ctx context.Context, s *Session) error               { panic(errNotYet) }
func (e *Engine) EndSession(ctx context.Context, id uint32) error                   { panic(errNotYet) }
func (e *Engine) SetConnectState(s *Session, state win32.ConnectState) error        { panic(errNotYet) }
func (e *Engine) SetTerminal(s *Session, name string)                               { panic(errNotYet) }
func (e *Engine) Lock(s *Session) error                                             { panic(errNotYet) }
func (e *Engine) Unlock(s *Session) error                                           { panic(errNotYet) }
func (e *Engine) Disconnect(s *Session) error                                       { panic(errNotYet) }
func (e *Engine) Reconnect(s *Session, terminal string) error                       { panic(errNotYet) }
func (e *Engine) SecureAttention(s *Session) error                                  { panic(errNotYet) }
func (e *Engine) DismissAttention(s *Session) error                                 { panic(errNotYet) }
func (e *Engine) ScreenSaver(s *Session, on bool) error                             { panic(errNotYet) }
func (e *Engine) SwitchDesktop(s *Session, name string) error                       { panic(errNotYet) }
func (e *Engine) AllocateLUID() security.LUID                                       { panic(errNotYet) }
func (e *Engine) StartProcess(ctx context.Context, tok *security.Token, o ProcessOptions) (*Process, error) {
	panic(errNotYet)
}
func (e *Engine) TerminateProcess(p *Process, code uint32) error { panic(errNotYet) }
func (e *Engine) HoldDesktop(d *Desktop) error                   { panic(errNotYet) }
func (e *Engine) ReleaseDesktop(d *Desktop)                      { panic(errNotYet) }
func (e *Engine) CreateHeldDesktop(s *Session, station string, o DesktopOptions) (*Desktop, error) {
	panic(errNotYet)
}
func (e *Engine) SetSessionDescriptor(s *Session, sd *security.Descriptor) { panic(errNotYet) }

func (e *Engine) AttachThread(spec AttachSpec) (*Thread, error) { panic(errNotYet) }
func (t *Thread) Detach()                                       { panic(errNotYet) }
func (e *Engine) ForgetProcess(pid int, start uint64)           { panic(errNotYet) } // an adopted process (fork) is dead

func (e *Engine) Session(id uint32) (*Session, bool) { panic(errNotYet) }
func (e *Engine) Sessions() []*Session               { panic(errNotYet) }
func (e *Engine) Process(pid int) (*Process, bool)   { panic(errNotYet) }
func (e *Engine) Processes() []*Process              { panic(errNotYet) } // by session, then pid
func (e *Engine) Mode() Mode                         { panic(errNotYet) }

func (e *Engine) ReadEvents(ctx context.Context, after uint64, max int) ([]Event, error) {
	panic(errNotYet)
}
func (e *Engine) ReadAudit(ctx context.Context, after uint64, max int) ([]AuditRecord, error) {
	panic(errNotYet)
}
func (e *Engine) Subscribe(f func(Event)) (cancel func())                       { panic(errNotYet) }
func (e *Engine) Publish(kind string, session uint32, fields map[string]string) { panic(errNotYet) } // for subsystems

func (e *Engine) SessionState(id uint32) (SessionState, error) { panic(errNotYet) }
func (e *Engine) RestoreSession(ctx context.Context, st SessionState, hs HostSession) (*Session, error) {
	panic(errNotYet)
}

// getters
func (s *Session) ID() uint32                       { panic(errNotYet) }
func (s *Session) Terminal() string                 { panic(errNotYet) } // "Services", "Console", "VNC-Tcp#0", "" when disconnected
func (s *Session) State() win32.ConnectState        { panic(errNotYet) }
func (s *Session) Locked() bool                     { panic(errNotYet) }
func (s *Session) User() *security.Token            { panic(errNotYet) } // nil: nobody is logged on
func (s *Session) UserName() (domain, name string)  { panic(errNotYet) }
func (s *Session) Times() SessionTimes              { panic(errNotYet) }
func (s *Session) Host() HostSession                { panic(errNotYet) }
func (s *Session) Spec() SessionSpec                { panic(errNotYet) }
func (s *Session) Descriptor() *security.Descriptor { panic(errNotYet) }
func (s *Session) Stations() []*WindowStation       { panic(errNotYet) }
func (s *Session) Interactive() *WindowStation      { panic(errNotYet) } // WinSta0
func (s *Session) ActiveDesktop() *Desktop          { panic(errNotYet) } // what viewers see
func (s *Session) Processes() []*Process            { panic(errNotYet) }
func (s *Session) Done() <-chan struct{}            { panic(errNotYet) } // closed when the session is deleted

func (w *WindowStation) Name() string                         { panic(errNotYet) }
func (w *WindowStation) Session() *Session                    { panic(errNotYet) }
func (w *WindowStation) Interactive() bool                    { panic(errNotYet) }
func (w *WindowStation) Desktops() []*Desktop                 { panic(errNotYet) }
func (w *WindowStation) Desktop(name string) (*Desktop, bool) { panic(errNotYet) }
func (w *WindowStation) Descriptor() *security.Descriptor     { panic(errNotYet) }

func (d *Desktop) Name() string                                 { panic(errNotYet) }
func (d *Desktop) Station() *WindowStation                      { panic(errNotYet) }
func (d *Desktop) Session() *Session                            { panic(errNotYet) }
func (d *Desktop) Path() string                                 { panic(errNotYet) } // `WinSta0\Default`
func (d *Desktop) Secure() bool                                 { panic(errNotYet) } // Winlogon, Screen-saver, Disconnect
func (d *Desktop) Active() bool                                 { panic(errNotYet) }
func (d *Desktop) HeapKB() uint32                               { panic(errNotYet) }
func (d *Desktop) HeapUsed() uint32                             { panic(errNotYet) }
func (d *Desktop) Descriptor() *security.Descriptor             { panic(errNotYet) }
func (d *Desktop) Surface(ctx context.Context) (Surface, error) { panic(errNotYet) } // made on first call
func (d *Desktop) CurrentSurface() Surface                      { panic(errNotYet) } // nil when not made yet

func (p *Process) ID() int                                         { panic(errNotYet) }
func (p *Process) ParentID() int                                   { panic(errNotYet) }
func (p *Process) StartTime() uint64                               { panic(errNotYet) }
func (p *Process) Session() *Session                               { panic(errNotYet) }
func (p *Process) Token() *security.Token                          { panic(errNotYet) }
func (p *Process) Program() string                                 { panic(errNotYet) }
func (p *Process) Args() []string                                  { panic(errNotYet) }
func (p *Process) Tag() string                                     { panic(errNotYet) }
func (p *Process) Started() time.Time                              { panic(errNotYet) }
func (p *Process) Location() (station, desktop string)             { panic(errNotYet) } // empty while not connected
func (p *Process) Done() <-chan struct{}                           { panic(errNotYet) }
func (p *Process) ExitCode() (code uint32, signal int, ended bool) { panic(errNotYet) }

func (t *Thread) ID() uint32                      { panic(errNotYet) }
func (t *Thread) Process() *Process               { panic(errNotYet) }
func (t *Thread) EffectiveToken() *security.Token { panic(errNotYet) }
func (t *Thread) Origin() string                  { panic(errNotYet) } // origin of the effective token: "", "person" or "automation"

// caller-checked calls
func (t *Thread) CreateWindowStation(name string, flags uint32, desired win32.AccessMask, sa *SecurityAttributes) (h win32.Handle, existed bool, err error) {
	panic(errNotYet)
}
func (t *Thread) OpenWindowStation(name string, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) CloseWindowStation(h win32.Handle) error      { panic(errNotYet) }
func (t *Thread) EnumWindowStations() ([]string, error)        { panic(errNotYet) }
func (t *Thread) ProcessWindowStation() (win32.Handle, error)  { panic(errNotYet) }
func (t *Thread) SetProcessWindowStation(h win32.Handle) error { panic(errNotYet) }
func (t *Thread) CreateDesktop(o DesktopOptions) (h win32.Handle, existed bool, err error) {
	panic(errNotYet)
}
func (t *Thread) OpenDesktop(name string, flags uint32, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) OpenInputDesktop(flags uint32, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) CloseDesktop(h win32.Handle) error                   { panic(errNotYet) }
func (t *Thread) EnumDesktops(station win32.Handle) ([]string, error) { panic(errNotYet) }
func (t *Thread) ThreadDesktop(tid uint32) (win32.Handle, error)      { panic(errNotYet) }
func (t *Thread) SetThreadDesktop(h win32.Handle) error               { panic(errNotYet) }
func (t *Thread) SwitchDesktop(h win32.Handle) error                  { panic(errNotYet) }
func (t *Thread) LockWorkStation() error                              { panic(errNotYet) } // DT-52 check, then Engine.Lock
func (t *Thread) Connect() error                                      { panic(errNotYet) } // IsGUIThread(TRUE)
func (t *Thread) UserObjectInformation(h win32.Handle, index uint32) ([]byte, error) {
	panic(errNotYet)
}
func (t *Thread) SetUserObjectInformation(h win32.Handle, index uint32, data []byte) error {
	panic(errNotYet)
}
func (t *Thread) UserObjectSecurity(h win32.Handle, parts uint32) (*security.Descriptor, error) {
	panic(errNotYet)
}
func (t *Thread) SetUserObjectSecurity(h win32.Handle, parts uint32, sd *security.Descriptor) error {
	panic(errNotYet)
}
func (t *Thread) CloseHandle(h win32.Handle) error { panic(errNotYet) }
func (t *Thread) DuplicateHandle(srcProcess, h, dstProcess win32.Handle, desired win32.AccessMask, inherit bool, options uint32) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) HandleInformation(h win32.Handle) (uint32, error)              { panic(errNotYet) }
func (t *Thread) SetHandleInformation(h win32.Handle, mask, flags uint32) error { panic(errNotYet) }
func (t *Thread) OpenProcess(pid int, desired win32.AccessMask, inherit bool) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) TerminateProcess(h win32.Handle, code uint32) error           { panic(errNotYet) }
func (t *Thread) SignalProcess(h win32.Handle, signal int) error               { panic(errNotYet) }
func (t *Thread) ExitCode(h win32.Handle) (code uint32, signal int, err error) { panic(errNotYet) } // 259 while it runs
func (t *Thread) WaitProcess(ctx context.Context, h win32.Handle, millis uint32) (result uint32, err error) {
	panic(errNotYet)
}
func (t *Thread) CreateProcess(ctx context.Context, o ProcessOptions) (h win32.Handle, pid int, err error) {
	panic(errNotYet)
}
func (t *Thread) OpenProcessToken(process win32.Handle, desired win32.AccessMask) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) OpenThreadToken(thread win32.Handle, desired win32.AccessMask) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) DuplicateToken(h win32.Handle, desired win32.AccessMask, typ security.TokenType, level security.ImpersonationLevel, inherit bool) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) TokenInformation(h win32.Handle, class uint32) (*security.Token, []byte, error) {
	panic(errNotYet)
}
func (t *Thread) SetTokenSession(h win32.Handle, session uint32) error              { panic(errNotYet) }
func (t *Thread) Impersonate(h win32.Handle) error                                  { panic(errNotYet) }
func (t *Thread) Revert() error                                                     { panic(errNotYet) }
func (t *Thread) CheckSession(id uint32, rights win32.AccessMask) (*Session, error) { panic(errNotYet) } // 7022, 5; WTS_CURRENT_SESSION is the caller's own
func (t *Thread) InsertToken(tok *security.Token, desired win32.AccessMask, origin string) (win32.Handle, error) {
	panic(errNotYet)
}
func (t *Thread) Token(h win32.Handle, need win32.AccessMask) (*security.Token, error) {
	panic(errNotYet)
} // token behind a handle that has the rights

// for subsystems: refuse with the caller's checks and leave an audit record
func (t *Thread) Check(op, object string, sd *security.Descriptor, desired win32.AccessMask, m *security.Mapping, rule string) (win32.AccessMask, error) {
	panic(errNotYet)
}
func (t *Thread) RequirePrivilege(op string, p security.Privilege, rule string) error {
	panic(errNotYet)
}
func (t *Thread) Refuse(op, object string, code win32.Errno, rule, why string) error {
	panic(errNotYet)
}

type SessionOptions struct {
	Terminal string             // "Console", "VNC-Tcp#0", …; empty: none
	State    win32.ConnectState // WTSConnected unless given
}
type SessionTimes struct{ Created, Logon, Connect, Disconnect time.Time }

// Logon says who logs on to a session.
type Logon struct {
	Token        *security.Token // primary; its session becomes the session's
	Domain, Name string
}

// AttachSpec says who is behind a connection, as the kernel told the daemon.
type AttachSpec struct {
	PID       int
	StartTime uint64 // 0: not known
	Ancestors []int  // nearest first
	Session   uint32
	InSession bool            // inside a session's cgroup or namespaces
	Fallback  *security.Token // for callers outside every session
	NoStation bool            // such a caller has no window station
	Program   string          // for listings only
}
type SessionState struct{}
