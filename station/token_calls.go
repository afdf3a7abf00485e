// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// tokenHandle gives the token behind a handle that has the rights need.
func (t *Thread) tokenHandle(op string, h win32.Handle, need win32.AccessMask, rule string) (*tokenObject, *object.Entry, error) {
	var e *object.Entry
	if o, granted := t.pseudo(h); o != nil {
		e = &object.Entry{Object: o, Granted: granted}
	} else if !isPseudo(h) {
		e = t.process.handles.Get(h)
	}
	if e != nil {
		if o, ok := e.Object.(*tokenObject); ok {
			if !e.Granted.Has(need) {
				return nil, nil, t.refuseRight(op, "token", need, e.Granted, rule)
			}
			return o, e, nil
		}
	}
	return nil, nil, t.errorOf(op, handleText(h), win32.ERROR_INVALID_HANDLE, rule)
}

// Token gives the token behind a handle that has the rights need.
func (t *Thread) Token(h win32.Handle, need win32.AccessMask) (*security.Token, error) {
	o, _, err := t.tokenHandle("OpenToken", h, need, "SE-19")
	if err != nil {
		return nil, err
	}
	return o.tok.Load(), nil
}

// InsertToken puts a token into the caller's handle table: what a logon or a
// ticket gives. desired 0 means every right. origin says whose input the token
// acts with (IN-9).
func (t *Thread) InsertToken(tok *security.Token, desired win32.AccessMask, origin string) (win32.Handle, error) {
	const op = "InsertToken"
	if desired == 0 || desired&win32.MAXIMUM_ALLOWED != 0 {
		desired = win32.TOKEN_ALL_ACCESS
	}
	o := newTokenObject(tok)
	o.origin = origin
	return t.insert(op, "token", o, tokenKind.Mapping.Map(desired)&tokenKind.Valid, false)
}

// OpenProcessToken opens the primary token of a process. Its handle needs
// PROCESS_QUERY_INFORMATION.
//
// Win32: OpenProcessToken. Rules: SE-19.
func (t *Thread) OpenProcessToken(process win32.Handle, desired win32.AccessMask) (win32.Handle, error) {
	const op = "OpenProcessToken"
	p, err := t.processHandle(op, process, win32.PROCESS_QUERY_LIMITED_INFORMATION, "SE-19")
	if err != nil {
		return 0, err
	}
	granted, err := t.open(op, "token", p.token, desired, "SE-19")
	if err != nil {
		return 0, err
	}
	return t.insert(op, "token", p.token, granted, false)
}

// DuplicateToken makes a new token from one: other type, level, TokenId, and
// the same logon session and session. desired 0 means the rights of the
// source handle.
//
// Win32: DuplicateTokenEx. Rules: SE-28.
func (t *Thread) DuplicateToken(h win32.Handle, desired win32.AccessMask, typ security.TokenType, level security.ImpersonationLevel, inherit bool) (win32.Handle, error) {
	const op = "DuplicateTokenEx"
	o, e, err := t.tokenHandle(op, h, win32.TOKEN_DUPLICATE, "SE-28")
	if err != nil {
		return 0, err
	}
	tok, err := o.tok.Load().Duplicate(typ, level, t.process.engine.AllocateLUID())
	if err != nil {
		return 0, err
	}
	n := o.copyOf(tok)
	granted := e.Granted
	if desired != 0 {
		if granted, err = t.open(op, "token", n, desired, "SE-28"); err != nil {
			return 0, err
		}
	}
	return t.insert(op, "token", n, granted, inherit)
}

// copyOf makes the object of a token derived from o: same origin, and still a
// copy of the process token that o is one of (PRC-2).
func (o *tokenObject) copyOf(tok *security.Token) *tokenObject {
	n := newTokenObject(tok)
	n.origin, n.root = o.origin, o.root
	if o.used.Load() {
		n.root = o
	}
	return n
}

// RestrictToken makes a token that can do less.
//
// Win32: CreateRestrictedToken. Rules: SE-29.
func (t *Thread) RestrictToken(h win32.Handle, r security.RestrictSpec) (win32.Handle, error) {
	const op = "CreateRestrictedToken"
	o, e, err := t.tokenHandle(op, h, win32.TOKEN_DUPLICATE, "SE-29")
	if err != nil {
		return 0, err
	}
	r.ID = t.process.engine.AllocateLUID()
	tok, err := o.tok.Load().Restrict(r)
	if err != nil {
		return 0, err
	}
	return t.insert(op, "token", o.copyOf(tok), e.Granted, false)
}

// Impersonate lets the thread act with another token until Revert. Without
// SeImpersonatePrivilege only a token of the process's own user and logon
// session, or one below the level Impersonation, is taken as it is; any other
// can be looked at only (level Identification).
//
// Win32: ImpersonateLoggedOnUser, SetThreadToken. Rules: SE-27.
func (t *Thread) Impersonate(h win32.Handle) error {
	const op = "ImpersonateLoggedOnUser"
	e := t.process.handles.Get(h)
	need := win32.TOKEN_QUERY | win32.TOKEN_IMPERSONATE
	if e != nil {
		if o, ok := e.Object.(*tokenObject); ok && o.tok.Load().Type() == security.TokenPrimary {
			need = win32.TOKEN_QUERY | win32.TOKEN_DUPLICATE
		}
	}
	o, _, err := t.tokenHandle(op, h, need, "SE-27")
	if err != nil {
		return err
	}
	tok := o.tok.Load()
	level := security.SecurityImpersonation
	if tok.Type() == security.TokenImpersonation {
		level = tok.Level()
	}
	own := t.process.Token()
	same := tok.User() == own.User() && tok.LogonID() == own.LogonID()
	if level >= security.SecurityImpersonation && !same && !own.HasPrivilege(security.SeImpersonatePrivilege) {
		level = security.SecurityIdentification
	}
	dup, err := tok.Duplicate(security.TokenImpersonation, level, t.process.engine.AllocateLUID())
	if err != nil {
		return err
	}
	return t.impersonate(op, o.copyOf(dup))
}

// Revert ends the thread's impersonation.
//
// Win32: RevertToSelf. Rules: SE-27.
func (t *Thread) Revert() error {
	if old := t.impersonation.Swap(nil); old != nil {
		old.Release()
	}
	return nil
}
