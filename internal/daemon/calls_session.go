// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

func (s *Services) WTSEnumerateSessions(_ context.Context, c *Call) (*api.SessionsReply, error) {
	return reply(s.Sessions.WTSEnumerateSessions(c.Thread))
}

func (s *Services) WTSQuerySessionInformation(_ context.Context, c *Call, q *api.SessionInformationRequest) (*api.BytesReply, error) {
	return reply(s.Sessions.WTSQuerySessionInformation(c.Thread, *q))
}

func (s *Services) WTSQueryUserToken(_ context.Context, c *Call, q *api.SessionRequest) (*api.HandleReply, error) {
	return reply(s.Sessions.WTSQueryUserToken(c.Thread, *q))
}

func (s *Services) WTSSendMessage(ctx context.Context, c *Call, q *api.SendMessageRequest) (*api.SendMessageReply, error) {
	return reply(s.Sessions.WTSSendMessage(ctx, c.Thread, *q))
}

func (s *Services) WTSDisconnectSession(ctx context.Context, c *Call, q *api.SessionWaitRequest) error {
	return s.Sessions.WTSDisconnectSession(ctx, c.Thread, *q)
}

func (s *Services) WTSLogoffSession(ctx context.Context, c *Call, q *api.SessionWaitRequest) error {
	return s.Sessions.WTSLogoffSession(ctx, c.Thread, *q)
}

func (s *Services) WTSConnectSession(ctx context.Context, c *Call, q *api.ConnectSessionRequest) error {
	return s.Sessions.WTSConnectSession(ctx, c.Thread, *q)
}

func (s *Services) ListMessages(_ context.Context, c *Call, q *api.SessionRequest) (*api.MessagesReply, error) {
	return reply(s.Sessions.ListMessages(c.Thread, *q))
}

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
	se, err := c.Thread.CheckSession(q.SessionID, win32.WINSTATION_DISCONNECT)
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
	se, err := c.Thread.CheckSession(q.SessionID, win32.WINSTATION_CONNECT)
	if err != nil {
		return err
	}
	return s.Winlogon.Unlock(ctx, c.Thread, se.ID(), q.Password)
}

func (s *Services) GetActiveConsoleSession(_ context.Context, _ *Call) (*api.SessionRequest, error) {
	if s.Winlogon == nil {
		return &api.SessionRequest{SessionID: 0xFFFFFFFF}, nil
	}
	return &api.SessionRequest{SessionID: s.Winlogon.Console()}, nil
}

func (s *Services) LogonSession(ctx context.Context, c *Call, q *api.LogonSessionRequest) (*api.LogonSessionReply, error) {
	if s.Winlogon == nil {
		return nil, without("LogonSession", "accounts")
	}
	return reply(s.Winlogon.LogonSession(ctx, c.Thread, *q))
}
