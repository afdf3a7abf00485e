// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/security"
	"stationmaster/win32"
)

// AddAccount adds an account; administrators only. Win32: NetUserAdd. Rules: LGN-1, SE-7.
func (s *Services) AddAccount(_ context.Context, c *Call, q *api.AddAccountRequest) (*api.AccountReply, error) {
	if s.Store == nil {
		return nil, without("NetUserAdd", "accounts")
	}
	if err := requireAdministrator(c, "NetUserAdd", q.Name, "LGN-1"); err != nil {
		return nil, err
	}
	a, err := s.Store.Add(logon.NewAccount{Name: q.Name, Password: q.Password, UID: q.UID, Admin: q.Admin})
	if err != nil {
		return nil, err
	}
	return &api.AccountReply{Account: account(a)}, nil
}

// ListAccounts lists the accounts. Win32: NetUserEnum. Rules: LGN-1.
func (s *Services) ListAccounts(_ context.Context, _ *Call) (*api.AccountsReply, error) {
	if s.Store == nil {
		return nil, without("NetUserEnum", "accounts")
	}
	all, err := s.Store.List()
	if err != nil {
		return nil, err
	}
	r := &api.AccountsReply{}
	for _, a := range all {
		r.Accounts = append(r.Accounts, account(a))
	}
	return r, nil
}

// SetAccountPassword lets administrators set any password, and a user replace
// the own one by telling it. A wrong old one counts as a failed logon.
func (s *Services) SetAccountPassword(ctx context.Context, c *Call, q *api.SetPasswordRequest) error {
	const op = "NetUserSetInfo"
	if s.Store == nil {
		return without(op, "accounts")
	}
	if tok := c.Thread.EffectiveToken(); !tok.IsAdministrator() {
		a, err := s.Store.Lookup(q.Name)
		if err != nil || a.SID != tok.User() {
			return c.Thread.Refuse(op, q.Name, win32.ERROR_ACCESS_DENIED, "LGN-1", "another user's password is for administrators")
		}
		done, err := c.checkingPassword(ctx, op)
		if err != nil {
			return err
		}
		defer done()
		if _, err := s.Store.Verify(ctx, q.Name, q.Old); err != nil {
			return err
		}
	}
	return s.Store.SetPassword(q.Name, q.New)
}

// RemoveAccount removes an account nobody is logged on with (170 otherwise).
func (s *Services) RemoveAccount(_ context.Context, c *Call, q *api.AccountRequest) error {
	const op = "NetUserDel"
	if s.Store == nil {
		return without(op, "accounts")
	}
	if err := requireAdministrator(c, op, q.Name, "LGN-1"); err != nil {
		return err
	}
	a, err := s.Store.Lookup(q.Name)
	if err != nil {
		return err
	}
	if s.hasSession(a.SID) {
		return &win32.Error{Op: op, Object: q.Name, Code: win32.ERROR_BUSY}
	}
	return s.Store.Remove(q.Name)
}

// hasSession reports whether a user is logged on to some session.
func (s *Services) hasSession(user security.SID) bool {
	for _, se := range s.Engine.Sessions() {
		if tok := se.User(); tok != nil && tok.User() == user {
			return true
		}
	}
	return false
}

func account(a logon.Account) api.Account {
	return api.Account{Name: a.Name, SID: a.SID.String(), UID: a.UID, GID: a.GID, Admin: a.Admin, Disabled: a.Disabled, BuiltIn: a.BuiltIn}
}

// LogonUser verifies credentials and gives a token of a new logon session. Win32: LogonUser.
// Rules: LGN-2, LGN-3, LGN-5, LGN-6.
func (s *Services) LogonUser(ctx context.Context, c *Call, q *api.LogonUserRequest) (*api.HandleReply, error) {
	if s.Winlogon == nil {
		return nil, without("LogonUser", "accounts")
	}
	done, err := c.checkingPassword(ctx, "LogonUser")
	if err != nil {
		return nil, err
	}
	defer done()
	return reply(s.Winlogon.LogonUser(ctx, c.Thread, *q))
}

// reply turns what a subsystem gives into what dispatch takes.
func reply[T any](v T, err error) (*T, error) { return &v, err }
