// SPDX-License-Identifier: Apache-2.0

package station

import (
	"encoding/binary"

	"stationmaster/security"
	"stationmaster/win32"
)

// adjust replaces the immutable token inside an object. A process whose token
// it is gets the new one for its next call, and the change is kept: a program
// that has given rights up does not have them again when the daemon restarts.
func (t *Thread) adjust(o *tokenObject, change func(*security.Token) (*security.Token, error)) error {
	for {
		old := o.tok.Load()
		n, err := change(old)
		if err != nil {
			return err
		}
		n = n.WithModifiedID(t.process.engine.AllocateLUID())
		if !o.tok.CompareAndSwap(old, n) {
			continue
		}
		if o.used.Load() {
			s := t.process.session
			s.mu.Lock()
			s.noteLocked(n)
			s.mu.Unlock()
			t.process.engine.publish(EventTokenChange, n.SessionID(), "pid", pidText(t.process.pid))
		}
		return nil
	}
}

// AdjustPrivileges enables, disables or removes privileges of a token. all
// tells whether every change was made; when it is false the Win32 call succeeds
// with the last error 1300 (SE-22).
//
// Win32: AdjustTokenPrivileges. Rules: SE-22.
func (t *Thread) AdjustPrivileges(h win32.Handle, disableAll bool, changes []security.PrivilegeState) (previous []security.PrivilegeState, all bool, err error) {
	o, _, err := t.tokenHandle("AdjustTokenPrivileges", h, win32.TOKEN_ADJUST_PRIVILEGES, "SE-22")
	if err != nil {
		return nil, false, err
	}
	err = t.adjust(o, func(old *security.Token) (n *security.Token, _ error) {
		n, previous, all = old.AdjustPrivileges(disableAll, changes)
		return n, nil
	})
	return previous, all, err
}

// AdjustGroups enables or disables groups of a token, or with reset gives each
// its default state. all is as for AdjustPrivileges. Errors: 1311 for a
// mandatory group, the user and deny-only SIDs; nothing is changed then.
//
// Win32: AdjustTokenGroups. Rules: SE-23.
func (t *Thread) AdjustGroups(h win32.Handle, reset bool, changes []security.Group) (previous []security.Group, all bool, err error) {
	const op = "AdjustTokenGroups"
	o, _, err := t.tokenHandle(op, h, win32.TOKEN_ADJUST_GROUPS, "SE-23")
	if err != nil {
		return nil, false, err
	}
	err = t.adjust(o, func(old *security.Token) (n *security.Token, err error) {
		n, previous, all, err = old.AdjustGroups(reset, changes)
		return n, err
	})
	if err != nil {
		return nil, false, t.refusedBy(op, err, "SE-23", "a mandatory group, the user or a deny-only SID")
	}
	return previous, all, nil
}

// refusedBy audits a refusal that package security has made, with its object,
// number and rule.
func (t *Thread) refusedBy(op string, err error, rule, why string) error {
	return t.Refuse(op, objectOfError(err), win32.Code(err), ruleOf(err, rule), why)
}

// SetTokenInformation changes one class of facts about a token: its default
// owner (a SID), primary group (a SID), default DACL (an ACL; nil for none),
// session (4 bytes) or integrity level (4 bytes of attributes and a SID), all
// as TokenInformation gives them. Errors: 87 for a class that cannot be set, 24
// for data that is too short, 1337 and 1336 for data that is no SID or ACL,
// 1307 for an owner and 1308 for a group the token may not assign, 1314 for a
// higher level without SeRelabelPrivilege.
//
// Win32: SetTokenInformation. Rules: SE-21, PRC-6.
func (t *Thread) SetTokenInformation(h win32.Handle, class uint32, data []byte) error {
	const op = "SetTokenInformation"
	fail := func(code win32.Errno, what string) error { return t.errorOf(op, what, code, "SE-21") }
	if class == TokenSessionId {
		if len(data) < 4 {
			return fail(win32.ERROR_BAD_LENGTH, "session")
		}
		return t.SetTokenSession(h, binary.LittleEndian.Uint32(data))
	}
	var change func(*security.Token) (*security.Token, error)
	switch class {
	case TokenOwner, TokenPrimaryGroup:
		if len(data) < 8 {
			return fail(win32.ERROR_BAD_LENGTH, "SID")
		}
		sid, err := security.SIDFromBytes(data)
		if err != nil {
			return fail(win32.ERROR_INVALID_SID, "SID")
		}
		change = func(old *security.Token) (*security.Token, error) { return old.WithOwner(sid) }
		if class == TokenPrimaryGroup {
			change = func(old *security.Token) (*security.Token, error) { return old.WithPrimaryGroup(sid) }
		}
	case TokenDefaultDacl:
		var acl *security.ACL
		if data != nil {
			if len(data) < 8 {
				return fail(win32.ERROR_BAD_LENGTH, "default DACL")
			}
			var err error
			if acl, err = security.ParseACL(data); err != nil {
				return fail(win32.Code(err), "default DACL")
			}
		}
		change = func(old *security.Token) (*security.Token, error) { return old.WithDefaultDACL(acl) }
	case TokenIntegrityLevel:
		if len(data) < 12 {
			return fail(win32.ERROR_BAD_LENGTH, "integrity level")
		}
		sid, err := security.SIDFromBytes(data[4:])
		level, ok := sid.LabelLevel()
		if err != nil || !ok {
			return fail(win32.ERROR_INVALID_SID, "integrity level")
		}
		caller := t.EffectiveToken()
		change = func(old *security.Token) (*security.Token, error) {
			if err := old.MaySetIntegrity(caller, level); err != nil {
				return nil, err
			}
			return old.WithIntegrity(level), nil
		}
	default: // also ElevationType and Elevation
		return fail(win32.ERROR_INVALID_PARAMETER, "information class")
	}
	o, _, err := t.tokenHandle(op, h, win32.TOKEN_ADJUST_DEFAULT, "SE-21")
	if err != nil {
		return err
	}
	if err := t.adjust(o, change); err != nil {
		return t.refusedBy(op, err, "SE-21", "the token may not have it")
	}
	return nil
}

// SetTokenSession moves a token that no process uses to another session, which
// need not exist yet. The handle needs TOKEN_ADJUST_SESSIONID, the caller
// SeTcbPrivilege.
//
// Win32: SetTokenInformation(TokenSessionId). Rules: PRC-6.
func (t *Thread) SetTokenSession(h win32.Handle, session uint32) error {
	const op = "SetTokenInformation"
	o, _, err := t.tokenHandle(op, h, win32.TOKEN_ADJUST_SESSIONID, "PRC-6")
	if err != nil {
		return err
	}
	if err := t.RequirePrivilege(op, security.SeTcbPrivilege, "PRC-6"); err != nil {
		return err
	}
	return t.adjust(o, func(old *security.Token) (*security.Token, error) {
		if o.used.Load() {
			return nil, t.errorOf(op, "token in use", win32.ERROR_INVALID_PARAMETER, "PRC-6")
		}
		return old.WithSession(session), nil
	})
}

// queryToken gives the token behind a handle that has TOKEN_QUERY.
func (t *Thread) queryToken(op string, h win32.Handle, rule string) (*security.Token, error) {
	o, _, err := t.tokenHandle(op, h, win32.TOKEN_QUERY, rule)
	if err != nil {
		return nil, err
	}
	return o.tok.Load(), nil
}

// AccessCheck decides for a server whether a client may use an object of the
// server's own: h is a handle of an impersonation token with TOKEN_QUERY, sd
// the object's descriptor, self stands in for PRINCIPAL SELF, tree names the
// object's properties or is empty. A denial is an answer and no error; it leaves
// no audit record, since the object is the server's. Errors: 1309 for a primary
// token, 1346 below Identification, 1338 for a descriptor without owner or
// group, 1360 for generic bits in desired, 87 for a tree that is none.
//
// Win32: AccessCheck, AccessCheckByTypeResultList. Rules: SE-44, SE-45, SE-50c.
func (t *Thread) AccessCheck(h win32.Handle, sd *security.Descriptor, self security.SID, tree []security.ObjectNode, desired win32.AccessMask, m *security.Mapping) ([]security.AccessCheckStatus, error) {
	tok, err := t.queryToken("AccessCheck", h, "SE-44")
	if err != nil {
		return nil, err
	}
	if len(tree) > 0 {
		return security.AccessCheckByTypeResultList(tok, sd, self, tree, desired, m)
	}
	one, err := security.AccessCheck(tok, sd, self, desired, m)
	if err != nil {
		return nil, err
	}
	return []security.AccessCheckStatus{one}, nil
}

// PrivilegeCheck tells whether a token has privileges enabled: all of them, or
// with any one of them. The handle needs TOKEN_QUERY. Errors: 1346 for a token
// of level Anonymous.
//
// Win32: PrivilegeCheck. Rules: SE-25, SE-26.
func (t *Thread) PrivilegeCheck(h win32.Handle, want []security.Privilege, any bool) (bool, error) {
	tok, err := t.queryToken("PrivilegeCheck", h, "SE-26")
	if err != nil {
		return false, err
	}
	return tok.PrivilegeCheck(want, any)
}

// CheckTokenMembership tells whether a SID takes part in the allow ACEs of a
// token; handle 0 is the effective one. The handle needs TOKEN_QUERY and must
// be of an impersonation token, else 1309.
//
// Win32: CheckTokenMembership. Rules: SE-15.
func (t *Thread) CheckTokenMembership(h win32.Handle, sid security.SID) (bool, error) {
	const op = "CheckTokenMembership"
	if h == 0 {
		return t.EffectiveToken().IsMember(sid), nil
	}
	tok, err := t.queryToken(op, h, "SE-15")
	if err != nil {
		return false, err
	}
	if tok.Type() != security.TokenImpersonation {
		return false, t.errorOf(op, "", win32.ERROR_NO_IMPERSONATION_TOKEN, "SE-15")
	}
	return tok.IsMember(sid), nil
}

// impersonate puts a token in force for the thread.
func (t *Thread) impersonate(op string, n *tokenObject) error {
	n.Retain()
	if old := t.impersonation.Swap(n); old != nil {
		old.Release()
	}
	if t.dead.Load() { // Detach may have looked before we set it
		_ = t.Revert() // never fails
		return t.errorOf(op, "", win32.ERROR_INVALID_HANDLE, "SE-27")
	}
	return nil
}

// ImpersonateSelf lets the thread act with a copy of its process's token, of a
// level: what it then changes in its token is its own.
//
// Win32: ImpersonateSelf. Rules: SE-27.
func (t *Thread) ImpersonateSelf(level security.ImpersonationLevel) error {
	const op = "ImpersonateSelf"
	dup, err := t.process.Token().Duplicate(security.TokenImpersonation, level, t.process.engine.AllocateLUID())
	if err != nil {
		return err
	}
	return t.impersonate(op, t.process.token.copyOf(dup))
}

// ImpersonateAnonymous lets the thread act as nobody. A restricted process may
// not: its limits would be gone.
//
// Win32: ImpersonateAnonymousToken. Rules: SE-27.
func (t *Thread) ImpersonateAnonymous() error {
	const op = "ImpersonateAnonymousToken"
	own := t.process.Token()
	if own.IsRestricted() {
		return t.Refuse(op, "token", win32.ERROR_ACCESS_DENIED, "SE-27", "the process's token is restricted")
	}
	tok, err := security.AnonymousToken(own.SessionID()).Duplicate(security.TokenImpersonation, security.SecurityImpersonation, t.process.engine.AllocateLUID())
	if err != nil {
		return err
	}
	return t.impersonate(op, newTokenObject(tok))
}

// threadOf gives the thread behind a handle.
func (t *Thread) threadOf(op string, h win32.Handle, need win32.AccessMask) (*Thread, error) {
	if h == win32.CurrentThread {
		return t, nil
	}
	o, err := objectOfType[*threadObject](t, op, h, need, "SE-27")
	if err != nil {
		return nil, err
	}
	return o.thread, nil
}

// OpenThreadToken opens the token a thread impersonates with. The handle needs
// THREAD_QUERY_INFORMATION. With asSelf the check is made with the token of the
// caller's process, else with the one it acts with. Errors: 1008 when the
// thread does not impersonate, 1347 for a token of level Anonymous.
//
// Win32: OpenThreadToken. Rules: SE-27.
func (t *Thread) OpenThreadToken(thread win32.Handle, desired win32.AccessMask, asSelf bool) (win32.Handle, error) {
	const op = "OpenThreadToken"
	from, err := t.threadOf(op, thread, win32.THREAD_QUERY_INFORMATION)
	if err != nil {
		return 0, err
	}
	o := from.impersonation.Load()
	if o == nil {
		return 0, t.errorOf(op, "", win32.ERROR_NO_TOKEN, "SE-27")
	}
	if o.tok.Load().Level() == security.SecurityAnonymous {
		return 0, t.errorOf(op, "", win32.ERROR_CANT_OPEN_ANONYMOUS, "SE-27")
	}
	var granted win32.AccessMask
	if asSelf {
		granted, err = t.openAs(t.process.Token(), op, "token", o, desired, "SE-27")
	} else {
		granted, err = t.open(op, "token", o, desired, "SE-27")
	}
	if err != nil {
		return 0, err
	}
	return t.insert(op, "token", o, granted, false)
}
