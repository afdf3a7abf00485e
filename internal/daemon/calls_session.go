// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// WTSEnumerateSessions lists the sessions that the caller may query, by ID. Win32:
// WTSEnumerateSessions. Rules: WTS-5.
func (s *Services) WTSEnumerateSessions(_ context.Context, c *Call) (*api.SessionsReply, error) {
	return reply(s.Sessions.WTSEnumerateSessions(c.Thread))
}

// WTSQuerySessionInformation gives one class of facts about a session. Win32:
// WTSQuerySessionInformation. Rules: WTS-8, WTS-10.
func (s *Services) WTSQuerySessionInformation(_ context.Context, c *Call, q *api.SessionInformationRequest) (*api.BytesReply, error) {
	return reply(s.Sessions.WTSQuerySessionInformation(c.Thread, *q))
}

// WTSQueryUserToken gives the primary token of the user logged on to a session; LocalSystem only.
// Win32: WTSQueryUserToken. Rules: WTS-20, WTS-21, WTS-22, WTS-23.
func (s *Services) WTSQueryUserToken(_ context.Context, c *Call, q *api.SessionRequest) (*api.HandleReply, error) {
	return reply(s.Sessions.WTSQueryUserToken(c.Thread, *q))
}

// WTSSendMessage shows a message box in a session and gives the answer of the person there. Win32:
// WTSSendMessage. Rules: WTS-30, WTS-31, WTS-32, WTS-33, WTS-35, WTS-36.
func (s *Services) WTSSendMessage(ctx context.Context, c *Call, q *api.SendMessageRequest) (*api.SendMessageReply, error) {
	return reply(s.Sessions.WTSSendMessage(ctx, c.Thread, *q))
}

// WTSDisconnectSession takes the terminal away from a session; its programs run on. Win32:
// WTSDisconnectSession. Rules: WTS-39a, SES-19.
func (s *Services) WTSDisconnectSession(ctx context.Context, c *Call, q *api.SessionWaitRequest) error {
	_, err := settled(ctx, s, 0, s.Sessions.WTSDisconnectSession(ctx, c.Thread, *q))
	return err
}

// WTSLogoffSession ends a session and every program in it. Win32: WTSLogoffSession. Rules:
// WTS-39b, LGN-19.
func (s *Services) WTSLogoffSession(ctx context.Context, c *Call, q *api.SessionWaitRequest) error {
	return s.Sessions.WTSLogoffSession(ctx, c.Thread, *q)
}

// WTSConnectSession gives a disconnected session a terminal again. Win32: WTSConnectSession.
// Rules: WTS-39c.
func (s *Services) WTSConnectSession(ctx context.Context, c *Call, q *api.ConnectSessionRequest) error {
	if q.Password != "" {
		done, err := c.checkingPassword(ctx, "WTSConnectSession")
		if err != nil {
			return err
		}
		defer done()
	}
	_, err := settled(ctx, s, 0, s.Sessions.WTSConnectSession(ctx, c.Thread, *q))
	return err
}

// ListMessages lists the message boxes that wait in a session; answering them is for a person at a
// viewer only. Rules: IN-10.
func (s *Services) ListMessages(_ context.Context, c *Call, q *api.SessionRequest) (*api.MessagesReply, error) {
	return reply(s.Sessions.ListMessages(c.Thread, *q))
}

// EnumProcesses lists the processes of one session, or of all for 0xFFFFFFFE. Win32:
// WTSEnumerateProcesses. Rules: WTS-7.
func (s *Services) EnumProcesses(_ context.Context, c *Call, q *api.SessionRequest) (*api.ProcessesReply, error) {
	return reply(s.Sessions.EnumProcesses(c.Thread, *q))
}

// LockSession locks the caller's own session as LockWorkStation does, and
// another one for who may disconnect it.
func (s *Services) LockSession(_ context.Context, c *Call, q *api.SessionRequest) error {
	if s.Winlogon == nil {
		return without("LockWorkStation", "accounts")
	}
	if q.SessionID == win32.WTS_CURRENT_SESSION {
		return s.Winlogon.LockWorkStation(c.Thread)
	}
	se, err := c.Thread.CheckSession("LockSession", q.SessionID, win32.WINSTATION_DISCONNECT)
	if err != nil {
		return err
	}
	return s.Winlogon.Lock(se.ID())
}

// UnlockSession unlocks a session for who may connect to it and knows its
// user's password.
func (s *Services) UnlockSession(ctx context.Context, c *Call, q *api.UnlockSessionRequest) error {
	if s.Winlogon == nil {
		return without("UnlockSession", "accounts")
	}
	se, err := c.Thread.CheckSession("UnlockSession", q.SessionID, win32.WINSTATION_CONNECT)
	if err != nil {
		return err
	}
	done, err := c.checkingPassword(ctx, "UnlockSession")
	if err != nil {
		return err
	}
	defer done()
	return s.Winlogon.Unlock(ctx, c.Thread, se.ID(), q.Password)
}

// GetActiveConsoleSession gives the session on the console, 0xFFFFFFFF for none. Win32:
// WTSGetActiveConsoleSessionId. Rules: SES-21.
func (s *Services) GetActiveConsoleSession(_ context.Context, _ *Call) (*api.SessionRequest, error) {
	if s.Winlogon == nil {
		return &api.SessionRequest{SessionID: 0xFFFFFFFF}, nil
	}
	return &api.SessionRequest{SessionID: s.Winlogon.Console()}, nil
}

// LogonSession logs a user on: takes over the console's logon screen, reconnects the user's
// disconnected session or makes a new one. Rules: LGN-13, SES-8, SES-10, SES-18.
func (s *Services) LogonSession(ctx context.Context, c *Call, q *api.LogonSessionRequest) (*api.LogonSessionReply, error) {
	if s.Winlogon == nil {
		return nil, without("LogonSession", "accounts")
	}
	if !q.NoPassword {
		done, err := c.checkingPassword(ctx, "LogonSession")
		if err != nil {
			return nil, err
		}
		defer done()
	}
	r, err := reply(s.Winlogon.LogonSession(ctx, c.Thread, *q))
	return settled(ctx, s, r, err)
}
