// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"stationmaster/internal/lockrank"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// tokenObject is a token as an object that handles refer to. Adjusting a token
// replaces the immutable one inside.
type tokenObject struct {
	object.Header
	tok    atomic.Pointer[security.Token]
	origin string       // immutable: whose input the token's user acts with (IN-9): "", "person", "automation"
	root   *tokenObject // immutable: the process token it is a copy of, nil for none (PRC-2)
	used   atomic.Bool  // it is or was a process's primary token (PRC-6)
}

func newTokenObject(tok *security.Token) *tokenObject {
	o := &tokenObject{}
	o.Header.Init(tokenKind, "", tok.Descriptor(), nil)
	o.tok.Store(tok)
	return o
}

// checkAccess is the one place where an object's rights are granted (AR-29):
// rights its type does not know are refused (AR-2, WS-24), the rest is up to
// its descriptor. An empty grant of MAXIMUM_ALLOWED is a refusal (AR-30).
func checkAccess(tok *security.Token, o object.Object, desired win32.AccessMask) (win32.AccessMask, error) {
	h := o.Head()
	if desired&^validRights(h.Kind()) != 0 {
		return 0, win32.ERROR_ACCESS_DENIED
	}
	granted, err := security.Check(tok, h.Descriptor(), desired, h.Kind().Mapping)
	if err == nil && granted == 0 && desired&win32.MAXIMUM_ALLOWED != 0 {
		return 0, win32.ERROR_ACCESS_DENIED
	}
	return granted, err
}

// validRights are the bits that may be asked of an object of a kind.
func validRights(k *object.Kind) win32.AccessMask {
	v := k.Valid | requestable
	if k.Synchronize {
		v |= win32.SYNCHRONIZE
	}
	return v
}

// creationAccess gives what the maker of a new object gets: what was asked
// for, without a look at the DACL (WS-24, SE-59). all is what MAXIMUM_ALLOWED
// means.
func creationAccess(tok *security.Token, k *object.Kind, desired, all win32.AccessMask) (win32.AccessMask, win32.Errno) {
	if desired&^validRights(k) != 0 {
		return 0, win32.ERROR_ACCESS_DENIED
	}
	if desired&win32.ACCESS_SYSTEM_SECURITY != 0 && !tok.HasPrivilege(security.SeSecurityPrivilege) {
		return 0, win32.ERROR_PRIVILEGE_NOT_HELD // AR-3
	}
	granted := k.Mapping.Map(desired)
	if desired&win32.MAXIMUM_ALLOWED != 0 {
		granted = granted&^win32.MAXIMUM_ALLOWED | all
	}
	return granted, 0
}

// defaultDescriptor is what a new object without a parent gets (SE-55 (c)).
func defaultDescriptor(tok *security.Token, k *object.Kind) *security.Descriptor {
	sd, err := security.Assign(nil, nil, tok, false, k.Mapping, security.AssignLabel|security.AssignNoPrivileges)
	if err != nil {
		// Nothing was supplied that could be wrong.
		panic("station: no default descriptor for a " + k.Name + ": " + err.Error())
	}
	return sd
}

// errorOf makes the error of a refused call.
func (t *Thread) errorOf(op, obj string, code win32.Errno, rule string) error {
	return &win32.Error{Op: op, Object: obj, Code: code, Rule: rule}
}

// open checks the effective token against an object and gives the granted
// rights. A refusal is audited.
func (t *Thread) open(op, name string, o object.Object, desired win32.AccessMask, rule string) (win32.AccessMask, error) {
	return t.openAs(t.EffectiveToken(), op, name, o, desired, rule)
}

// openAs is open with a token that need not be the effective one.
func (t *Thread) openAs(tok *security.Token, op, name string, o object.Object, desired win32.AccessMask, rule string) (win32.AccessMask, error) {
	h := o.Head()
	granted, err := checkAccess(tok, o, desired)
	if err != nil {
		return 0, t.denied(tok, op, name, h.Descriptor(), desired, h.Kind().Mapping, err, rule)
	}
	t.granted(op, name, h.Descriptor(), desired, security.Audit(tok, h.Descriptor(), desired, security.Decision{Granted: granted}, h.Kind().Mapping))
	return granted, nil
}

// Check checks the effective token against a descriptor for a subsystem's
// object and gives the granted rights. The refusal's error names op and
// object; an audit record says why.
func (t *Thread) Check(op, name string, sd *security.Descriptor, desired win32.AccessMask, m *security.Mapping, rule string) (win32.AccessMask, error) {
	tok := t.EffectiveToken()
	granted, err := security.Check(tok, sd, desired, m)
	if err != nil {
		return 0, t.denied(tok, op, name, sd, desired, m, err, rule)
	}
	t.granted(op, name, sd, desired, security.Audit(tok, sd, desired, security.Decision{Granted: granted}, m))
	return granted, nil
}

// granted leaves an audit record of an access when an AUDIT ACE for success
// asks for one (SE-64).
func (t *Thread) granted(op, name string, sd *security.Descriptor, desired win32.AccessMask, asks []security.AuditMatch) {
	if len(asks) == 0 {
		return
	}
	i := asks[0].ACE
	t.process.engine.audit.add(t, AuditRecord{Op: op, Object: name, Desired: desired, Rule: "SE-64", ACE: i,
		Why: fmt.Sprintf("ACE %d of the SACL, %s, asks for a record", i, t.aceText(sd.SACL, i))})
}

// aceText gives an ACE of a list in SDDL.
func (t *Thread) aceText(list func() (*security.ACL, bool), i int) string {
	acl, _ := list()
	if acl == nil || i < 0 || i >= len(acl.ACEs) {
		return "()"
	}
	return acl.ACEs[i].SDDL(t.process.engine.Machine())
}

// RequirePrivilege fails with 1314 unless the effective token holds and
// enables a privilege; SeTcb and SeAudit are looked up in the process's token
// (SE-25).
func (t *Thread) RequirePrivilege(op string, p security.Privilege, rule string) error {
	tok := t.EffectiveToken()
	if p == security.SeTcbPrivilege || p == security.SeAuditPrivilege {
		tok = t.process.Token()
	}
	if tok.HasPrivilege(p) {
		return nil
	}
	return t.Refuse(op, p.String(), win32.ERROR_PRIVILEGE_NOT_HELD, rule, "the privilege is not held and enabled")
}

// Refuse makes the error of a call that is refused for a reason other than a
// descriptor, and leaves an audit record that says why.
func (t *Thread) Refuse(op, name string, code win32.Errno, rule, why string) error {
	t.process.engine.audit.add(t, AuditRecord{Op: op, Object: name, Code: code, Rule: rule, ACE: -1, Why: why})
	return t.errorOf(op, name, code, rule)
}

// refuseRight refuses because a handle lacks rights.
func (t *Thread) refuseRight(op, name string, need, has win32.AccessMask, rule string) error {
	t.process.engine.audit.add(t, AuditRecord{Op: op, Object: name, Desired: need, Missing: need &^ has,
		Code: win32.ERROR_ACCESS_DENIED, Rule: rule, ACE: -1, Why: fmt.Sprintf("the handle has %v only", has)})
	return t.errorOf(op, name, win32.ERROR_ACCESS_DENIED, rule)
}

// denied makes the error of a failed access check and audits it.
func (t *Thread) denied(tok *security.Token, op, name string, sd *security.Descriptor, desired win32.AccessMask, m *security.Mapping, err error, rule string) error {
	code := win32.Code(err)
	e := t.process.engine
	if e.audit.wants(t.process.pid, e.now()) {
		d := security.Explain(tok, sd, desired, m)
		why := "no ACE grants it"
		switch {
		case d.Err == nil:
			why = "a right that this type of object does not have"
		case d.Second:
			why = "the restricting SIDs do not grant it"
		case d.ACE >= 0:
			why = fmt.Sprintf("ACE %d of the DACL, %s, denies it", d.ACE, t.aceText(sd.DACL, d.ACE))
		case code == win32.ERROR_PRIVILEGE_NOT_HELD:
			why = "the privilege is not held and enabled"
		}
		if d.Rule != "" {
			why += " (" + d.Rule + ")"
		}
		if asks := security.Audit(tok, sd, desired, d, m); len(asks) > 0 && d.Err != nil {
			why += fmt.Sprintf("; ACE %d of the SACL asks for a record", asks[0].ACE)
		}
		missing := d.Remaining
		if d.Err == nil {
			missing = desired
		}
		e.audit.write(t, AuditRecord{Op: op, Object: name, Desired: desired, Missing: missing, Code: code, Rule: rule, ACE: d.ACE, Why: why}, e.now())
	}
	return t.errorOf(op, name, code, rule)
}

// auditLog keeps the last refusals. A process that is refused without end
// fills neither the ring nor the processor: past a number a second its
// refusals are only counted.
type auditLog struct {
	ring ring[AuditRecord]
	rate int // immutable

	mu   sync.Mutex
	from map[int]*auditRate // guarded by mu; by pid
}

type auditRate struct {
	second int64
	n      int
	lost   uint64
}

func (a *auditLog) init(size, rate int) {
	a.ring.init(size)
	a.rate = rate
	a.from = make(map[int]*auditRate)
}

// wants reports whether one more refusal of a process is to be written now.
func (a *auditLog) wants(pid int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.from[pid]
	if r == nil {
		if len(a.from) >= 4096 { // processes come and go; a fresh start loses nothing but counts
			clear(a.from)
		}
		r = &auditRate{}
		a.from[pid] = r
	}
	if sec := now.Unix(); r.second != sec {
		r.second, r.n = sec, 0
	}
	if r.n >= a.rate {
		r.lost++
		return false
	}
	r.n++
	return true
}

// add writes a record unless the process has had its share.
func (a *auditLog) add(t *Thread, rec AuditRecord) {
	now := t.process.engine.now()
	if a.wants(t.process.pid, now) {
		a.write(t, rec, now)
	}
}

func (a *auditLog) write(t *Thread, rec AuditRecord, now time.Time) {
	p := t.process
	rec.Op, rec.Object = clip(rec.Op), clip(rec.Object) // the caller chose them, and they stay
	rec.Time, rec.Session, rec.PID, rec.User = now, p.session.id, p.pid, t.EffectiveToken().User().String()
	a.mu.Lock()
	if r := a.from[p.pid]; r != nil {
		rec.Lost, r.lost = r.lost, 0
	}
	a.mu.Unlock()
	a.ring.mu.Lock()
	a.ring.addLocked(func(seq uint64) AuditRecord {
		rec.Seq = seq
		return rec
	})
	a.ring.mu.Unlock()
}

// AuditDrop leaves an audit record about input that the session manager threw
// away: it came from a viewer or the API and no thread made a call. The caller
// bounds how often.
//
// Rules: IN-10, IN-11.
func (e *Engine) AuditDrop(session uint32, object, rule, why string) {
	a := &e.audit
	a.ring.mu.Lock()
	defer a.ring.mu.Unlock()
	a.ring.addLocked(func(seq uint64) AuditRecord {
		return AuditRecord{Seq: seq, Time: e.now(), Session: session, Op: "Input", Object: clip(object), Code: win32.ERROR_ACCESS_DENIED, Rule: rule, ACE: -1, Why: clip(why)}
	})
}

// ReadAudit gives up to max refusals with numbers above after, oldest first,
// and waits until there is one.
func (e *Engine) ReadAudit(ctx context.Context, after uint64, max int) ([]AuditRecord, error) {
	return e.audit.ring.read(ctx, after, max, e.stop)
}

// CheckSession gives a session on which the effective token has the rights
// asked for: 7022 when there is no such session, 5 when its descriptor does
// not grant them. WTS_CURRENT_SESSION is the caller's own. op is the call that
// asks, for the error and the audit record.
//
// Rules: WTS-1, WTS-3, WTS-9.
func (t *Thread) CheckSession(op string, id uint32, rights win32.AccessMask) (*Session, error) {
	lockrank.AssertNoneHeld()
	if id == win32.WTS_CURRENT_SESSION {
		id = t.process.session.id
	}
	s, ok := t.process.engine.Session(id)
	if !ok {
		return nil, t.errorOf(op, fmt.Sprintf("session %d", id), win32.ERROR_CTX_WINSTATION_NOT_FOUND, "WTS-3")
	}
	if _, err := t.open(op, fmt.Sprintf("session %d", id), s, rights, "WTS-3"); err != nil {
		return nil, err
	}
	return s, nil
}
