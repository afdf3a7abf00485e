// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"slices"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// CreateProcess starts a program, with the caller's token or another one, in that token's session.
// Win32: CreateProcessAsUser. Rules: PRC-1, PRC-2, PRC-3, PRC-7, PRC-8, PRC-10, PC-17.
func (s *Services) CreateProcess(ctx context.Context, c *Call, q *api.CreateProcessRequest) (*api.CreateProcessReply, error) {
	if int(q.FileCount) != len(c.Files) {
		return nil, &win32.Error{Op: "CreateProcessAsUser", Object: "descriptors", Code: win32.ERROR_INVALID_PARAMETER}
	}
	env, dir, err := s.environment(c, q)
	if err != nil {
		return nil, err
	}
	h, pid, err := c.Thread.CreateProcess(ctx, station.ProcessOptions{
		Token: q.Token, Path: q.Path, Args: q.Args, Env: env, Dir: dir, Desktop: q.Desktop,
		InheritHandles: q.Inherit, Files: c.Files, CompatXP: q.CompatXP,
	})
	if err != nil {
		return nil, err
	}
	return settled(ctx, s, &api.CreateProcessReply{Process: h, ProcessID: uint32(pid)}, nil)
}

// RunInSession starts a program in a session as the user logged on there. The
// session manager has that user's token; no handle to it leaves the daemon, so
// the console and a user's own tools need not be LocalSystem for it.
// Rules: PRC-24.
func (s *Services) RunInSession(ctx context.Context, c *Call, q *api.RunInSessionRequest) (*api.CreateProcessReply, error) {
	const op = "RunInSession"
	id := q.SessionID
	if id == win32.WTS_CURRENT_SESSION {
		id = c.Thread.Process().Session().ID()
	}
	name := fmt.Sprintf("session %d", id)
	se, ok := s.Engine.Session(id)
	if !ok {
		return nil, &win32.Error{Op: op, Object: name, Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "WTS-3"}
	}
	user, tok := se.User(), c.Thread.EffectiveToken()
	if !tok.IsSystem() && (user == nil || !tok.MayAct() || tok.User() != user.User()) {
		return nil, c.Thread.Refuse(op, name, win32.ERROR_ACCESS_DENIED, "PRC-24", "the caller is neither LocalSystem nor the session's user")
	}
	if user == nil {
		return nil, &win32.Error{Op: op, Object: name, Code: win32.ERROR_NO_TOKEN, Rule: "PRC-24"}
	}
	if int(q.FileCount) != len(c.Files) {
		return nil, &win32.Error{Op: op, Object: "descriptors", Code: win32.ERROR_INVALID_PARAMETER}
	}
	env, dir, desktop := q.Env, q.Dir, q.Desktop
	if s.Winlogon != nil {
		own, _ := s.Winlogon.Environment(id)
		env = append(slices.Clone(own), q.Env...)
		if dir == "" {
			dir, _ = s.Winlogon.Home(id)
		}
	}
	if desktop == "" {
		desktop = `WinSta0\Default`
	}
	p, err := s.Engine.StartProcess(ctx, user, station.ProcessOptions{
		Path: q.Path, Args: q.Args, Env: env, Dir: dir, Desktop: &desktop, Files: c.Files, CompatXP: q.CompatXP,
	})
	if err != nil {
		return nil, err
	}
	h, err := c.Thread.OpenProcess(p.ID(), win32.MAXIMUM_ALLOWED, false)
	if err != nil {
		return nil, err
	}
	return settled(ctx, s, &api.CreateProcessReply{Process: h, ProcessID: uint32(p.ID())}, nil)
}

// environment gives the environment and directory of a new program: what the
// caller says, else those of the user whose token the program gets.
func (s *Services) environment(c *Call, q *api.CreateProcessRequest) (env []string, dir string, err error) {
	env, dir = q.Env, q.Dir
	if len(env) > 0 && dir != "" || s.Winlogon == nil || s.Store == nil {
		return env, dir, nil
	}
	tok := c.Thread.Process().Token()
	if q.Token != 0 {
		if tok, err = c.Thread.Token(q.Token, win32.TOKEN_QUERY); err != nil {
			return nil, "", err
		}
	}
	var userEnv []string
	var home string
	if se, ok := s.Engine.Session(tok.SessionID()); ok && se.User() != nil && se.User().User() == tok.User() {
		userEnv, _ = s.Winlogon.Environment(se.ID())
		home, _ = s.Winlogon.Home(se.ID())
	} else if a, err := s.Store.BySID(tok.User()); err == nil {
		if userEnv, home, err = s.Winlogon.EnvironmentFor(a); err != nil {
			return nil, "", err
		}
	}
	if len(env) == 0 {
		env = userEnv
	}
	if dir == "" {
		dir = home
	}
	return env, dir, nil
}

// OpenProcess opens a process by its Linux process ID. Win32: OpenProcess. Rules: HND-14.
func (s *Services) OpenProcess(_ context.Context, c *Call, q *api.OpenProcessRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenProcess(int(q.ProcessID), q.Access, q.Inherit))
}

// TerminateProcess ends a process. Win32: TerminateProcess. Rules: WTS-42.
func (s *Services) TerminateProcess(_ context.Context, c *Call, q *api.TerminateProcessRequest) error {
	return c.Thread.TerminateProcess(q.Process, q.ExitCode)
}

// SignalProcess sends a Linux signal to a process; needs PROCESS_TERMINATE.
func (s *Services) SignalProcess(_ context.Context, c *Call, q *api.SignalProcessRequest) error {
	if q.Signal > 64 {
		return &win32.Error{Op: "SignalProcess", Code: win32.ERROR_INVALID_PARAMETER}
	}
	return c.Thread.SignalProcess(q.Process, int(q.Signal))
}

// WaitForSingleObject waits until an object is signaled or the time is over; 0xFFFFFFFF milliseconds is
// for ever. Win32: WaitForSingleObject. Rules: SYN-1, SYN-2, SYN-4, SYN-8, SYN-13.
func (s *Services) WaitForSingleObject(ctx context.Context, c *Call, q *api.WaitRequest) (*api.WaitReply, error) {
	r, err := c.Thread.WaitForSingleObject(ctx, q.Handle, q.Millis)
	return &api.WaitReply{Result: r}, err
}

// GetExitCodeProcess gives the exit code, 259 while the process runs. Win32: GetExitCodeProcess.
func (s *Services) GetExitCodeProcess(_ context.Context, c *Call, q *api.HandleRequest) (*api.ExitCodeReply, error) {
	code, signal, err := c.Thread.ExitCode(q.Handle)
	return &api.ExitCodeReply{Code: code, Signal: uint32(signal)}, err
}

// OpenProcessToken opens the primary token of a process. Win32: OpenProcessToken. Rules: SE-19.
func (s *Services) OpenProcessToken(_ context.Context, c *Call, q *api.OpenTokenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenProcessToken(q.Process, q.Access))
}

// DuplicateToken makes a new token from one. Win32: DuplicateTokenEx. Rules: SE-28.
func (s *Services) DuplicateToken(_ context.Context, c *Call, q *api.DuplicateTokenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.DuplicateToken(q.Token, q.Access, security.TokenType(q.Type), security.ImpersonationLevel(q.Level), q.Inherit))
}

// GetTokenInformation gives facts about a token. Win32: GetTokenInformation. Rules: SE-20.
func (s *Services) GetTokenInformation(_ context.Context, c *Call, q *api.IndexRequest) (*api.TokenReply, error) {
	tok, raw, err := c.Thread.TokenInformation(q.Handle, q.Index)
	if err != nil {
		return nil, err
	}
	r := &api.TokenReply{
		Data: raw, User: tok.User().String(), UserName: s.nameOf(tok.User()),
		LogonID: uint64(tok.LogonID()), SessionID: tok.SessionID(), Integrity: uint32(tok.Integrity()),
		Type: uint32(tok.Type()), Level: uint32(tok.Level()), Elevation: uint32(tok.ElevationType()),
	}
	for _, g := range tok.Groups() {
		r.Groups = append(r.Groups, api.TokenGroup{SID: g.SID.String(), Name: s.nameOf(g.SID), Attributes: uint32(g.Attributes)})
	}
	for _, p := range tok.Privileges() {
		r.Privileges = append(r.Privileges, api.TokenPrivilege{Name: p.Privilege.String(), Attributes: uint32(p.Attributes)})
	}
	return r, nil
}

// SetTokenSession moves a token that is not in use to another session. Win32: SetTokenInformation.
// Rules: PRC-6.
func (s *Services) SetTokenSession(_ context.Context, c *Call, q *api.SetTokenSessionRequest) error {
	return c.Thread.SetTokenSession(q.Token, q.SessionID)
}

// ImpersonateLoggedOnUser lets the calling thread act with another token. Win32:
// ImpersonateLoggedOnUser. Rules: SE-27.
func (s *Services) ImpersonateLoggedOnUser(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.Impersonate(q.Handle)
}

// RevertToSelf ends the thread's impersonation. Win32: RevertToSelf. Rules: SE-27.
func (s *Services) RevertToSelf(_ context.Context, c *Call) error { return c.Thread.Revert() }
