// SPDX-License-Identifier: Apache-2.0

// Package tokens tests what real programs can do with tokens, their own and
// those of others, and that each refusal is in the audit log.
package tokens

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) {
	stationtest.Main(m, map[string]func([]string) int{"agent": func(args []string) int { return stationtest.ServeAgent(args, nil) }})
}

const modify = win32.SYNCHRONIZE | win32.EVENT_MODIFY_STATE

func sd(text string) []byte { return security.MustSDDL(text).Bytes() }

type agent = stationtest.Agent

// scene is a daemon with a service, a user and an administrator.
type scene struct {
	t        *testing.T
	d        *stationtest.Daemon
	h        *stationtest.Hall
	c        *client.Conn
	serv     *agent
	alice    *agent
	session  uint32 // alice's
	ann      *agent
	annsSess uint32
}

// own opens an agent's process token with all rights.
func own(t *testing.T, a *agent, access win32.AccessMask) win32.Handle {
	t.Helper()
	return a.Handle(t, 0, "OpenProcessToken", client.OpenTokenRequest{Process: win32.CurrentProcess, Access: access})
}

// about reads one class of facts about a token.
func about(t *testing.T, a *agent, h win32.Handle, class uint32) client.TokenReply {
	t.Helper()
	var r client.TokenReply
	a.Do(t, 0, 1, "GetTokenInformation", client.IndexRequest{Handle: h, Index: class}, &r)
	return r
}

func open(t *testing.T, a *agent, code win32.Errno, thread int, name string, access win32.AccessMask) win32.Handle {
	t.Helper()
	return a.HandleOn(t, code, thread, "OpenEvent", client.OpenRequest{Name: name, Access: access})
}

// audited fails the test unless the log has the record of one refusal.
func (s *scene) audited(t *testing.T, a *agent, op, object string, code win32.Errno, why string) client.AuditRecord {
	t.Helper()
	log, err := s.c.ReadAudit(t.Context(), client.ReadLogRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var near []string
	for _, r := range log.Records {
		if r.ProcessID != a.PID || r.Op != op {
			continue
		}
		near = append(near, fmt.Sprintf("%+v", r))
		if strings.HasSuffix(r.Object, object) && r.Code == uint32(code) && strings.Contains(r.ACEText, why) && r.Rule != "" && r.Nanos > 0 && strings.HasPrefix(r.User, "S-1-") {
			return r
		}
	}
	t.Errorf("no record of %s on %q by process %d with code %d because of %q; there are\n%s", op, object, a.PID, uint32(code), why, strings.Join(near, "\n"))
	return client.AuditRecord{}
}

func TestTokens(t *testing.T) {
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	s := &scene{t: t, d: d, h: stationtest.NewHall(t, d), c: d.Dial(t)}
	s.serv = s.h.Service(t, s.c, "Tokens")
	s.alice, s.session = s.h.LogonAgent(t, s.c, "alice", false)
	s.ann, s.annsSess = s.h.LogonAgent(t, s.c, "ann", true)
	t.Run("SE-20/facts", s.facts)
	t.Run("SE-22/privileges", s.privileges)
	t.Run("SE-29/restricted", s.restricted)
	t.Run("SE-31/write-restricted", s.writeRestricted)
	t.Run("SE-32/split", s.split)
	t.Run("SE-27/impersonation", s.impersonation)
	t.Run("SE-21/defaults", s.defaults)
	t.Run("SE-44/access check", s.accessCheck)
	t.Run("SE-64/audit of success", s.success)
	t.Run("SE-63/descriptors", s.descriptors)
	t.Run("SE-52/integrity", s.integrity) // starts another daemon
}

func (s *scene) facts(t *testing.T) {
	conform.Rule(t, "SE-20", "SE-12", "SE-8", "SE-15", "SE-18")
	h := own(t, s.alice, win32.TOKEN_QUERY|win32.TOKEN_QUERY_SOURCE)
	length := map[uint32]int{7: 16, 8: 4, 10: 56, 12: 4, 18: 4, 20: 4, 21: 4, 26: 4, 27: 4, 29: 4, 40: 4}
	for _, class := range []uint32{1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 18, 20, 21, 25, 26, 27, 28, 29, 40} {
		r := about(t, s.alice, h, class)
		if want, fixed := length[class]; len(r.Data) == 0 || fixed && len(r.Data) != want {
			t.Errorf("class %d has %d bytes", class, len(r.Data))
		}
	}
	r := about(t, s.alice, h, 6)
	if acl, err := security.ParseACL(r.Data); err != nil || len(acl.ACEs) != 3 {
		t.Errorf("the default DACL: %v, %v", acl, err)
	}
	s.alice.Do(t, win32.ERROR_INVALID_PARAMETER, 1, "GetTokenInformation", client.IndexRequest{Handle: h, Index: 9}, nil)
	s.alice.Do(t, win32.ERROR_NO_TOKEN, 1, "GetTokenInformation", client.IndexRequest{Handle: h, Index: 19}, nil) // not split
	s.alice.Do(t, win32.ERROR_INVALID_PARAMETER, 1, "GetTokenInformation", client.IndexRequest{Handle: h, Index: 99}, nil)
	blind := own(t, s.alice, win32.TOKEN_QUERY)
	s.alice.Do(t, win32.ERROR_ACCESS_DENIED, 1, "GetTokenInformation", client.IndexRequest{Handle: blind, Index: 7}, nil)

	var name client.AccountNameReply
	s.alice.Do(t, 0, 1, "LookupAccountName", client.AccountRequest{Name: "ALICE"}, &name)
	if name.SID != s.alice.User || name.Name != "alice" || name.Domain == "" || name.Use != 1 {
		t.Errorf("alice is %+v", name)
	}
	s.alice.Do(t, 0, 1, "LookupAccountSid", client.SIDRequest{SID: "S-1-5-32-544"}, &name)
	if name.Domain != "BUILTIN" || name.Name != "Administrators" || name.Use != 4 {
		t.Errorf("Administrators are %+v", name)
	}
	s.alice.Do(t, win32.ERROR_NONE_MAPPED, 1, "LookupAccountSid", client.SIDRequest{SID: "S-1-5-21-1-2-3-4"}, nil)
	s.alice.Do(t, win32.ERROR_NONE_MAPPED, 1, "LookupAccountName", client.AccountRequest{Name: "nobody"}, nil)
	s.alice.Do(t, win32.ERROR_INVALID_SID, 1, "LookupAccountSid", client.SIDRequest{SID: "S-1"}, nil)
	var a, b client.LUIDReply
	s.alice.Do(t, 0, 1, "AllocateLocallyUniqueId", struct{}{}, &a)
	s.serv.Do(t, 0, 1, "AllocateLocallyUniqueId", struct{}{}, &b)
	if b.LUID <= a.LUID {
		t.Errorf("numbers %d and then %d", a.LUID, b.LUID)
	}
	for sid, want := range map[string]bool{"S-1-5-4": true, s.alice.User: true, "S-1-5-32-544": false} {
		var in client.BoolReply
		s.alice.Do(t, 0, 1, "CheckTokenMembership", client.TokenMemberRequest{SID: sid}, &in)
		if in.Value != want {
			t.Errorf("alice is %s: %v", sid, in.Value)
		}
	}
}

func (s *scene) privileges(t *testing.T) {
	conform.Rule(t, "SE-22", "SE-23", "SE-24", "SE-25", "SE-26", "SE-64")
	h := own(t, s.alice, win32.TOKEN_QUERY|win32.TOKEN_ADJUST_PRIVILEGES|win32.TOKEN_ADJUST_GROUPS)
	adjust := func(h win32.Handle, name string, attributes, last uint32) {
		t.Helper()
		var r client.AdjustPrivilegesReply
		s.alice.Do(t, 0, 1, "AdjustTokenPrivileges", client.AdjustPrivilegesRequest{Token: h, Changes: []client.TokenPrivilege{{Name: name, Attributes: attributes}}}, &r)
		if r.LastError != last {
			t.Errorf("%s to %d: last error %d, want %d", name, attributes, r.LastError, last)
		}
	}
	has := func(name string) bool {
		t.Helper()
		var r client.BoolReply
		s.alice.Do(t, 0, 1, "PrivilegeCheck", client.PrivilegeCheckRequest{Token: h, Privileges: []string{name}}, &r)
		return r.Value
	}
	if has("SeUndockPrivilege") {
		t.Error("SeUndockPrivilege is enabled from the start")
	}
	adjust(h, "SeUndockPrivilege", 2, 0)
	if !has("SeUndockPrivilege") {
		t.Error("SeUndockPrivilege was not enabled")
	}
	adjust(h, "SeDebugPrivilege", 2, uint32(win32.ERROR_NOT_ALL_ASSIGNED))
	adjust(h, "SeUndockPrivilege", 4, 0)
	adjust(h, "SeUndockPrivilege", 2, uint32(win32.ERROR_NOT_ALL_ASSIGNED)) // gone for good
	s.alice.Do(t, 1313, 1, "AdjustTokenPrivileges", client.AdjustPrivilegesRequest{Token: h, Changes: []client.TokenPrivilege{{Name: "SeNonsense"}}}, nil)

	weak := own(t, s.alice, win32.TOKEN_QUERY)
	s.alice.Do(t, win32.ERROR_ACCESS_DENIED, 1, "AdjustTokenPrivileges", client.AdjustPrivilegesRequest{Token: weak, DisableAll: true}, nil)
	s.audited(t, s.alice, "AdjustTokenPrivileges", "token", win32.ERROR_ACCESS_DENIED, "the handle has")
	s.alice.Do(t, win32.ERROR_CANT_DISABLE_MANDATORY, 1, "AdjustTokenGroups", client.AdjustGroupsRequest{Token: h, Changes: []client.TokenGroup{{SID: "S-1-1-0"}}}, nil)
	s.alice.Do(t, win32.ERROR_CANT_DISABLE_MANDATORY, 1, "AdjustTokenGroups", client.AdjustGroupsRequest{Token: h, Changes: []client.TokenGroup{{SID: s.alice.User}}}, nil)
	s.audited(t, s.alice, "AdjustTokenGroups", "", win32.ERROR_CANT_DISABLE_MANDATORY, "mandatory")
	var r client.AdjustGroupsReply
	s.alice.Do(t, 0, 1, "AdjustTokenGroups", client.AdjustGroupsRequest{Token: h, Changes: []client.TokenGroup{{SID: "S-1-5-32-544", Attributes: 4}}}, &r)
	if r.LastError != uint32(win32.ERROR_NOT_ALL_ASSIGNED) {
		t.Errorf("enabling Administrators: last error %d", r.LastError)
	}
}

// A program restricts itself: what it could open before it cannot any more.
func (s *scene) restricted(t *testing.T) {
	conform.Rule(t, "SE-29", "SE-30", "SE-50d", "PRC-2", "SE-64")
	s.alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "mine"})
	s.alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "theirs", Descriptor: sd("D:(A;;GA;;;" + s.alice.User + ")(A;;0x100000;;;RC)")})
	open(t, s.alice, 0, 1, "mine", modify)
	h := own(t, s.alice, win32.TOKEN_ALL_ACCESS)
	// The desktop is her logon SID's: without it the program could not start.
	logon, err := security.SIDFromBytes(about(t, s.alice, h, 28).Data[8:])
	if err != nil {
		t.Fatal(err)
	}
	r := s.alice.Handle(t, 0, "CreateRestrictedToken", client.RestrictTokenRequest{
		Token: h, Flags: security.DisableMaxPrivilege, Restricting: []string{"S-1-5-12", logon.String()}})
	got := about(t, s.alice, r, 40)
	if binary.LittleEndian.Uint32(got.Data) != 1 || len(got.Privileges) != 1 {
		t.Errorf("the restricted token: %+v", got)
	}
	kid := s.h.Child(t, s.alice, r, "alice's restricted program")
	if kid.User != s.alice.User {
		t.Errorf("it is %s", kid.User)
	}
	open(t, kid, win32.ERROR_ACCESS_DENIED, 1, "mine", modify)
	s.audited(t, kid, "OpenEvent", `\mine`, win32.ERROR_ACCESS_DENIED, "restricting SIDs")
	open(t, kid, win32.ERROR_ACCESS_DENIED, 1, "theirs", modify)
	open(t, kid, 0, 1, "theirs", win32.SYNCHRONIZE)
	kid.Do(t, win32.ERROR_ACCESS_DENIED, 1, "ImpersonateAnonymousToken", struct{}{}, nil)
	// Its children are as restricted, and it gets no other token.
	grandchild := s.h.Child(t, kid, 0, "its child")
	open(t, grandchild, win32.ERROR_ACCESS_DENIED, 1, "mine", modify)
	kid.Do(t, win32.ERROR_ACCESS_DENIED, 1, "OpenProcess", client.OpenProcessRequest{ProcessID: s.alice.PID, Access: win32.PROCESS_ALL_ACCESS}, nil)

	// One thread is enough, too.
	s.alice.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: r}, nil)
	open(t, s.alice, win32.ERROR_ACCESS_DENIED, 2, "mine", modify)
	open(t, s.alice, 0, 1, "mine", modify)
	s.alice.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	open(t, s.alice, 0, 2, "mine", modify)

	deny := s.alice.Handle(t, 0, "CreateRestrictedToken", client.RestrictTokenRequest{Token: h, DenyOnly: []string{s.alice.User}})
	s.alice.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: deny}, nil)
	open(t, s.alice, win32.ERROR_ACCESS_DENIED, 2, "mine", modify) // its own logon SID has read and execute
	open(t, s.alice, 0, 2, "mine", win32.SYNCHRONIZE)
	s.alice.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	s.alice.Do(t, win32.ERROR_INVALID_PARAMETER, 1, "CreateRestrictedToken", client.RestrictTokenRequest{Token: h, Flags: 64}, nil)
	s.alice.Do(t, win32.ERROR_INVALID_SID, 1, "CreateRestrictedToken", client.RestrictTokenRequest{Token: h, Restricting: []string{"x"}}, nil)
}

func (s *scene) writeRestricted(t *testing.T) {
	conform.Rule(t, "SE-31", "SE-50e")
	h := own(t, s.alice, win32.TOKEN_ALL_ACCESS)
	r := s.alice.Handle(t, 0, "CreateRestrictedToken", client.RestrictTokenRequest{Token: h, Flags: security.WriteRestrictedFlag, Restricting: []string{"S-1-5-33"}})
	s.alice.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: r}, nil)
	open(t, s.alice, 0, 2, "mine", win32.SYNCHRONIZE|win32.EVENT_QUERY_STATE)
	open(t, s.alice, win32.ERROR_ACCESS_DENIED, 2, "mine", modify)
	// A handle keeps what it was opened with, whoever uses it and however
	// little the thread could open by now.
	weak := open(t, s.alice, 0, 2, "mine", win32.SYNCHRONIZE)
	s.alice.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	full := open(t, s.alice, 0, 2, "mine", modify)
	s.alice.Do(t, win32.ERROR_ACCESS_DENIED, 2, "SetEvent", client.HandleRequest{Handle: weak}, nil)
	s.alice.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: r}, nil)
	s.alice.Do(t, 0, 2, "SetEvent", client.HandleRequest{Handle: full}, nil)
	s.alice.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
}

// An administrator's programs run with the limited half of a split token.
func (s *scene) split(t *testing.T) {
	conform.Rule(t, "SE-32", "SE-33", "SE-34", "SE-17")
	h := own(t, s.ann, win32.TOKEN_ALL_ACCESS)
	limited := about(t, s.ann, h, 18)
	if limited.Elevation != 3 || limited.Integrity != uint32(security.LevelMedium) {
		t.Errorf("ann's token: elevation type %d, level %#x", limited.Elevation, limited.Integrity)
	}
	s.ann.Do(t, win32.ERROR_ACCESS_DENIED, 1, "ReadAudit", client.ReadLogRequest{}, nil)
	s.audited(t, s.ann, "ReadAudit", "audit log", win32.ERROR_ACCESS_DENIED, "Administrators")
	linked := func(a *agent, h win32.Handle) win32.Handle {
		t.Helper()
		return win32.Handle(binary.LittleEndian.Uint32(about(t, a, h, 19).Data))
	}
	l := linked(s.ann, h)
	full := about(t, s.ann, l, 18)
	if full.Elevation != 2 || full.Type != 2 || full.Level != 1 || full.Integrity != uint32(security.LevelHigh) {
		t.Errorf("the other half for ann: %+v", full)
	}
	if back := about(t, s.ann, linked(s.ann, l), 18); back.Elevation != 3 {
		t.Errorf("the half of the half: elevation type %d", back.Elevation)
	}
	// It can be looked at and not be used.
	s.ann.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: l}, nil)
	s.ann.HandleOn(t, win32.ERROR_BAD_IMPERSONATION_LEVEL, 2, "CreateEvent", client.CreateEventRequest{Name: "elevated"})
	s.ann.Do(t, win32.ERROR_ACCESS_DENIED, 2, "ReadAudit", client.ReadLogRequest{}, nil)
	s.ann.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	s.ann.Do(t, win32.ERROR_BAD_IMPERSONATION_LEVEL, 1, "DuplicateToken", client.DuplicateTokenRequest{Token: l, Type: 1, Level: 2}, nil)

	// LocalSystem gets it as a primary token and may start programs with it.
	p := s.serv.Handle(t, 0, "OpenProcess", client.OpenProcessRequest{ProcessID: s.ann.PID, Access: win32.PROCESS_ALL_ACCESS})
	theirs := s.serv.Handle(t, 0, "OpenProcessToken", client.OpenTokenRequest{Process: p, Access: win32.TOKEN_ALL_ACCESS})
	l = linked(s.serv, theirs)
	if full = about(t, s.serv, l, 18); full.Elevation != 2 || full.Type != 1 {
		t.Errorf("the other half for the service: %+v", full)
	}
	elevated := s.h.Child(t, s.serv, l, "ann's elevated program")
	elevated.Do(t, 0, 1, "ReadAudit", client.ReadLogRequest{}, nil)
	if got := about(t, elevated, own(t, elevated, win32.TOKEN_QUERY), 20); got.Integrity != uint32(security.LevelHigh) || got.SessionID != s.annsSess || binary.LittleEndian.Uint32(got.Data) != 1 {
		t.Errorf("the elevated program: %+v", got)
	}
	elevated.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "high", Descriptor: sd("D:(A;;GA;;;WD)S:(ML;;NW;;;HI)")})
	open(t, s.ann, 0, 1, "high", win32.SYNCHRONIZE)
	open(t, s.ann, win32.ERROR_ACCESS_DENIED, 1, "high", modify)
}

// A service acts as the user whose token it has a handle of.
func (s *scene) impersonation(t *testing.T) {
	conform.Rule(t, "SE-27", "SE-28", "SE-26", "SE-54")
	at := fmt.Sprintf(`Session\%d\`, s.session)
	p := s.serv.Handle(t, 0, "OpenProcess", client.OpenProcessRequest{ProcessID: s.alice.PID, Access: win32.PROCESS_ALL_ACCESS})
	token := s.serv.Handle(t, 0, "OpenProcessToken", client.OpenTokenRequest{Process: p, Access: win32.TOKEN_ALL_ACCESS})
	s.ann.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "anns"})
	anns := fmt.Sprintf(`Session\%d\anns`, s.annsSess)
	open(t, s.serv, 0, 2, anns, modify)
	s.serv.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: token}, nil)
	open(t, s.serv, win32.ERROR_ACCESS_DENIED, 2, anns, modify)
	if r := s.audited(t, s.serv, "OpenEvent", "BaseNamedObjects", win32.ERROR_ACCESS_DENIED, ""); r.User != s.alice.User {
		t.Errorf("the record names %s and not alice", r.User)
	}
	open(t, s.serv, 0, 2, at+"mine", modify)
	made := s.serv.HandleOn(t, 0, 2, "CreateEvent", client.CreateEventRequest{Name: `Global\as-alice`})
	var b client.BytesReply
	s.serv.Do(t, 0, 2, "GetKernelObjectSecurity", client.SecurityRequest{Handle: made, Parts: security.OwnerInformation}, &b)
	if d, err := security.ParseDescriptor(b.Data); err != nil || d.Owner().String() != s.alice.User {
		t.Errorf("the owner of what it made is %v, %v", d, err)
	}
	th := s.serv.HandleOn(t, 0, 2, "OpenThreadToken", client.OpenThreadTokenRequest{Thread: win32.CurrentThread, Access: win32.TOKEN_QUERY, AsSelf: true})
	if got := about(t, s.serv, th, 8); got.User != s.alice.User || got.Type != 2 || got.Level != 2 {
		t.Errorf("the thread's token: %+v", got)
	}
	s.serv.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	s.serv.HandleOn(t, win32.ERROR_NO_TOKEN, 2, "OpenThreadToken", client.OpenThreadTokenRequest{Thread: win32.CurrentThread, Access: win32.TOKEN_QUERY})

	nobody := s.serv.Handle(t, 0, "DuplicateToken", client.DuplicateTokenRequest{Token: token, Type: 2, Level: 0})
	s.serv.Do(t, win32.ERROR_BAD_IMPERSONATION_LEVEL, 1, "PrivilegeCheck", client.PrivilegeCheckRequest{Token: nobody, Privileges: []string{"SeTcbPrivilege"}}, nil)
	s.serv.Do(t, win32.ERROR_BAD_IMPERSONATION_LEVEL, 1, "DuplicateToken", client.DuplicateTokenRequest{Token: nobody, Type: 2, Level: 2}, nil)
	s.serv.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: nobody}, nil)
	s.serv.HandleOn(t, win32.ERROR_CANT_OPEN_ANONYMOUS, 2, "OpenThreadToken", client.OpenThreadTokenRequest{Thread: win32.CurrentThread, Access: win32.TOKEN_QUERY, AsSelf: true})
	open(t, s.serv, win32.ERROR_BAD_IMPERSONATION_LEVEL, 2, at+"mine", modify)
	s.serv.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	s.serv.Do(t, 0, 2, "ImpersonateAnonymousToken", struct{}{}, nil)
	open(t, s.serv, win32.ERROR_ACCESS_DENIED, 2, at+"mine", modify)
	s.serv.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
	s.serv.Do(t, 0, 2, "ImpersonateSelf", client.ImpersonateSelfRequest{Level: 1}, nil)
	open(t, s.serv, win32.ERROR_BAD_IMPERSONATION_LEVEL, 2, at+"mine", modify)
	s.serv.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)

	// Whoever has not SeImpersonatePrivilege can only look at another's token.
	to := s.serv.Handle(t, 0, "OpenProcess", client.OpenProcessRequest{ProcessID: s.ann.PID, Access: win32.PROCESS_ALL_ACCESS})
	given := s.serv.Handle(t, 0, "DuplicateHandle", client.DuplicateHandleRequest{SourceProcess: win32.CurrentProcess, Source: token, TargetProcess: to, Options: 2})
	s.ann.Do(t, 0, 2, "ImpersonateLoggedOnUser", client.HandleRequest{Handle: given}, nil)
	open(t, s.ann, win32.ERROR_BAD_IMPERSONATION_LEVEL, 2, `Global\as-alice`, win32.SYNCHRONIZE)
	s.ann.Do(t, 0, 2, "RevertToSelf", struct{}{}, nil)
}

func (s *scene) defaults(t *testing.T) {
	conform.Rule(t, "SE-21", "SE-55", "PRC-6")
	kid := s.h.Child(t, s.alice, 0, "alice's second program")
	h := own(t, kid, win32.TOKEN_ALL_ACCESS)
	set := func(code win32.Errno, class uint32, data []byte) {
		t.Helper()
		kid.Do(t, code, 1, "SetTokenInformation", client.SetTokenInformationRequest{Token: h, Class: class, Data: data}, nil)
	}
	set(win32.ERROR_INVALID_PARAMETER, 18, make([]byte, 4))
	set(win32.ERROR_INVALID_PARAMETER, 20, make([]byte, 4))
	set(win32.ERROR_BAD_LENGTH, 6, nil)
	set(win32.ERROR_INVALID_OWNER, 4, security.Administrators.Bytes())
	set(1308, 5, security.Administrators.Bytes())
	set(win32.ERROR_PRIVILEGE_NOT_HELD, 12, make([]byte, 4))
	s.audited(t, kid, "SetTokenInformation", "SeTcbPrivilege", win32.ERROR_PRIVILEGE_NOT_HELD, "")
	set(0, 4, security.MustSID(s.alice.User).Bytes())
	set(0, 6, security.NewACL(security.Allow(win32.GENERIC_ALL, security.System)).Bytes())
	kid.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "system-only"})
	open(t, s.alice, win32.ERROR_ACCESS_DENIED, 1, "system-only", win32.SYNCHRONIZE)
	s.audited(t, s.alice, "OpenEvent", "system-only", win32.ERROR_ACCESS_DENIED, "no ACE grants it")
	kid.Do(t, 0, 1, "SetTokenInformation", client.SetTokenInformationRequest{Token: h, Class: 6, None: true}, nil)
	kid.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "everybody's"})
	open(t, s.alice, 0, 1, "everybody's", win32.EVENT_ALL_ACCESS)
}

func (s *scene) accessCheck(t *testing.T) {
	conform.Rule(t, "SE-44", "SE-45", "SE-50c")
	p := s.serv.Handle(t, 0, "OpenProcess", client.OpenProcessRequest{ProcessID: s.alice.PID, Access: win32.PROCESS_ALL_ACCESS})
	primary := s.serv.Handle(t, 0, "OpenProcessToken", client.OpenTokenRequest{Process: p, Access: win32.TOKEN_ALL_ACCESS})
	tok := s.serv.Handle(t, 0, "DuplicateToken", client.DuplicateTokenRequest{Token: primary, Type: 2, Level: 1})
	q := client.AccessCheckRequest{Token: tok, Descriptor: sd("O:SYG:SYD:(D;;4;;;IU)(A;;7;;;" + s.alice.User + ")"), Desired: 1, Read: 1, Write: 2, Execute: 4, All: 7}
	check := func(code win32.Errno, want ...client.AccessResult) {
		t.Helper()
		var r client.AccessCheckReply
		s.serv.Do(t, code, 1, "AccessCheck", q, &r)
		if code == 0 && fmt.Sprint(r.Results) != fmt.Sprint(want) {
			t.Errorf("%v gives %v, want %v", q.Desired, r.Results, want)
		}
	}
	no := client.AccessResult{Code: uint32(win32.ERROR_ACCESS_DENIED)}
	check(0, client.AccessResult{Granted: 1, Allowed: true})
	q.Desired = 5
	check(0, no)
	q.Desired = win32.MAXIMUM_ALLOWED
	check(0, client.AccessResult{Granted: 3, Allowed: true})
	q.Desired = 0
	check(0, client.AccessResult{})
	q.Desired = win32.ACCESS_SYSTEM_SECURITY
	check(0, client.AccessResult{Code: uint32(win32.ERROR_PRIVILEGE_NOT_HELD)})
	q.Desired = win32.GENERIC_READ
	check(win32.ERROR_GENERIC_NOT_MAPPED)
	q.Desired, q.Token = 1, primary
	check(win32.ERROR_NO_IMPERSONATION_TOKEN)
	q.Token, q.Descriptor = tok, sd("D:(A;;7;;;WD)")
	check(win32.ERROR_INVALID_SECURITY_DESCR)
	q.Descriptor = []byte{1, 2, 3}
	check(win32.ERROR_INVALID_SECURITY_DESCR)
	whole, part := security.GUID{1}, security.GUID{2}
	q.Descriptor = sd("O:SYG:SYD:(OA;;1;" + part.String() + ";;AU)")
	q.Types = []client.ObjectType{{Level: 0, GUID: whole[:]}, {Level: 1, GUID: part[:]}}
	check(0, client.AccessResult{Granted: 1, Allowed: true}, client.AccessResult{Granted: 1, Allowed: true})
	q.Types[0].GUID = nil
	check(win32.ERROR_INVALID_PARAMETER)
}

// An AUDIT ACE asks for records of what was granted.
func (s *scene) success(t *testing.T) {
	conform.Rule(t, "SE-64", "SE-57", "SE-45")
	audit := sd("D:(A;;GA;;;WD)S:(AU;SA;0x2;;;AU)")
	s.serv.Handle(t, win32.ERROR_PRIVILEGE_NOT_HELD, "CreateEvent", client.CreateEventRequest{Name: `Global\watched`, Descriptor: audit})
	h := own(t, s.serv, win32.TOKEN_QUERY|win32.TOKEN_ADJUST_PRIVILEGES)
	var r client.AdjustPrivilegesReply
	s.serv.Do(t, 0, 1, "AdjustTokenPrivileges", client.AdjustPrivilegesRequest{Token: h, Changes: []client.TokenPrivilege{{Name: "SeSecurityPrivilege", Attributes: 2}}}, &r)
	s.serv.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: `Global\watched`, Descriptor: audit})
	open(t, s.alice, 0, 1, `Global\watched`, win32.SYNCHRONIZE) // not what the ACE is about
	open(t, s.alice, 0, 1, `Global\watched`, modify)
	if rec := s.audited(t, s.alice, "OpenEvent", `\watched`, 0, "asks for a record"); rec.Desired != uint32(modify) || rec.Granted != uint32(modify) || rec.ACE != 0 {
		t.Errorf("the record of a success: %+v", rec)
	}
	if out := s.d.Must(t, "audit"); !strings.Contains(out, "was granted OpenEvent") {
		t.Error("station audit does not tell what was granted")
	}
}

// The command line shows and sets the descriptor of every kind of object that
// has a place in the tree.
func (s *scene) descriptors(t *testing.T) {
	conform.Rule(t, "SE-63", "SE-56", "OBJ-1", "SDDL-8")
	names := fmt.Sprintf(`\Sessions\%d\BaseNamedObjects\`, s.session)
	for call, request := range map[string]any{
		"CreateEvent": client.CreateEventRequest{Name: "kind-Event"}, "CreateMutex": client.CreateMutexRequest{Name: "kind-Mutant"},
		"CreateSemaphore":          client.CreateSemaphoreRequest{Name: "kind-Semaphore", Maximum: 1},
		"CreateWaitableTimer":      client.CreateTimerRequest{Name: "kind-Timer"},
		"CreateFileMapping":        client.CreateSectionRequest{Name: "kind-Section", Protect: win32.PAGE_READWRITE, Size: 1},
		"CreateJobObject":          client.CreateObjectRequest{Name: "kind-Job"},
		"CreateDirectoryObject":    client.CreateTreeRequest{Path: names + "kind-Directory"},
		"CreateSymbolicLinkObject": client.CreateTreeRequest{Path: names + "kind-SymbolicLink", Target: `\BaseNamedObjects`},
	} {
		s.alice.Handle(t, 0, call, request)
	}
	stations := fmt.Sprintf(`\Sessions\%d\Windows\WindowStations\`, s.session)
	if _, err := s.c.CreateSessionDesktop(t.Context(), client.SessionDesktopRequest{SessionID: s.session, Desktop: "kind-Desktop"}); err != nil {
		t.Fatal(err)
	}
	if err := s.c.CreateSessionStation(t.Context(), client.SessionDesktopRequest{SessionID: s.session, Station: "kind-WindowStation"}); err != nil {
		t.Fatal(err)
	}
	for kind, path := range map[string]string{
		"Event": names, "Mutant": names, "Semaphore": names, "Timer": names, "Section": names, "Job": names, "Directory": names,
		"SymbolicLink": names, "WindowStation": stations, "Desktop": stations + `WinSta0\`,
	} {
		path += "kind-" + kind
		if out := s.d.Must(t, "sd", "show", path); !strings.Contains(out, "O:") || !strings.Contains(out, "D:") {
			t.Errorf("%s has the descriptor %q", path, out)
		}
		s.d.Must(t, "sd", "set", path, "O:SYD:P(A;;GA;;;SY)(A;;RC;;;AU)") // no longer its maker's
		if out := s.d.Must(t, "sd", "show", path); !strings.Contains(out, "O:SY") || !strings.Contains(out, "D:P(A;;") || !strings.Contains(out, "(A;;RC;;;AU)") || strings.Contains(out, "GA") {
			t.Errorf("%s has after it was set the descriptor %q", path, out)
		}
		s.alice.Do(t, 0, 1, "ShowObject", client.PathRequest{Path: path}, nil)
		s.alice.Do(t, win32.ERROR_ACCESS_DENIED, 1, "SetObjectSecurity", client.SetObjectSecurityRequest{Path: path, SDDL: "D:(A;;GA;;;WD)"}, nil)
		s.audited(t, s.alice, "SetObjectSecurity", "kind-"+kind, win32.ERROR_ACCESS_DENIED, "")
	}
	if r := s.d.Station(t.Context(), "sd", "set", names+"kind-Event", "D:(A;;QQ;;;WD)"); r.Code == 0 || !strings.Contains(r.Err, "(1336)") {
		t.Errorf("a bad descriptor: %+v", r)
	}
}

// A program that lowers its level writes no object of the old one, also after
// the daemon was killed.
func (s *scene) integrity(t *testing.T) {
	conform.Rule(t, "SE-52", "SE-47", "SE-53", "SE-21")
	s.alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "medium", Descriptor: sd("D:(A;;GA;;;WD)")})
	kid := s.h.Child(t, s.alice, 0, "alice's careful program")
	open(t, kid, 0, 1, "medium", modify)
	h := own(t, kid, win32.TOKEN_QUERY|win32.TOKEN_ADJUST_DEFAULT)
	set := func(code win32.Errno, l security.Level) {
		t.Helper()
		kid.Do(t, code, 1, "SetTokenInformation", client.SetTokenInformationRequest{Token: h, Class: 25, Data: append(make([]byte, 4), security.LevelSID(l).Bytes()...)}, nil)
	}
	set(win32.ERROR_PRIVILEGE_NOT_HELD, security.LevelHigh)
	s.audited(t, kid, "SetTokenInformation", "", win32.ERROR_PRIVILEGE_NOT_HELD, "")
	set(0, security.LevelLow)
	open(t, kid, 0, 1, "medium", win32.SYNCHRONIZE)
	open(t, kid, win32.ERROR_ACCESS_DENIED, 1, "medium", modify)
	s.audited(t, kid, "OpenEvent", `\medium`, win32.ERROR_ACCESS_DENIED, "SE-47")
	set(win32.ERROR_PRIVILEGE_NOT_HELD, security.LevelMedium) // there is no way back
	kid.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "low"})
	open(t, kid, 0, 1, "low", modify)
	open(t, s.alice, 0, 1, "low", modify)
	if out := s.d.Must(t, "sd", "show", fmt.Sprintf(`\Sessions\%d\BaseNamedObjects\low`, s.session)); !strings.Contains(out, "S:(ML;;NW;;;LW)") {
		t.Errorf("the descriptor of what it made is %s", out)
	}
	s.d.Kill(t)
	s.d.Start(t)
	var r client.TokenReply
	stationtest.Wait(t, 20*time.Second, "the careful program to be known again", func() (bool, string) {
		kid.Do(t, 0, 7, "GetTokenInformation", client.IndexRequest{Handle: win32.CurrentProcessToken, Index: 25}, &r)
		return r.User != "", ""
	})
	if r.Integrity != uint32(security.LevelLow) || r.User != s.alice.User {
		t.Errorf("under the new daemon it is %s of level %#x", r.UserName, r.Integrity)
	}
}
