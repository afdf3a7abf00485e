// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/win32"
)

// OpenThreadToken opens the token a thread impersonates with. Win32: OpenThreadToken. Rules: SE-27.
func (s *Services) OpenThreadToken(_ context.Context, c *Call, q *api.OpenThreadTokenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenThreadToken(q.Thread, q.Access, q.AsSelf))
}

// AdjustTokenPrivileges enables, disables or removes privileges of a token. What was answered
// outlives the daemon. Win32: AdjustTokenPrivileges. Rules: SE-22.
func (s *Services) AdjustTokenPrivileges(ctx context.Context, c *Call, q *api.AdjustPrivilegesRequest) (*api.AdjustPrivilegesReply, error) {
	var changes []security.PrivilegeState
	for _, p := range q.Changes {
		state, err := privilege("AdjustTokenPrivileges", p.Name)
		if err != nil {
			return nil, err
		}
		changes = append(changes, security.PrivilegeState{Privilege: state, Attributes: p.Attributes})
	}
	previous, all, err := c.Thread.AdjustPrivileges(q.Token, q.DisableAll, changes)
	if err != nil {
		return nil, err
	}
	r := &api.AdjustPrivilegesReply{LastError: notAll(all)}
	for _, p := range previous {
		r.Previous = append(r.Previous, api.TokenPrivilege{Name: p.Privilege.String(), Attributes: uint32(p.Attributes)})
	}
	return settled(ctx, s, r, nil)
}

// AdjustTokenGroups enables or disables groups of a token. Win32: AdjustTokenGroups. Rules: SE-23.
func (s *Services) AdjustTokenGroups(ctx context.Context, c *Call, q *api.AdjustGroupsRequest) (*api.AdjustGroupsReply, error) {
	var changes []security.Group
	for _, g := range q.Changes {
		sid, err := s.sid("AdjustTokenGroups", g.SID)
		if err != nil {
			return nil, err
		}
		changes = append(changes, security.Group{SID: sid, Attributes: security.Attributes(g.Attributes)})
	}
	previous, all, err := c.Thread.AdjustGroups(q.Token, q.Reset, changes)
	if err != nil {
		return nil, err
	}
	r := &api.AdjustGroupsReply{LastError: notAll(all)}
	for _, g := range previous {
		r.Previous = append(r.Previous, api.TokenGroup{SID: g.SID.String(), Name: s.nameOf(g.SID), Attributes: uint32(g.Attributes)})
	}
	return settled(ctx, s, r, nil)
}

// CreateRestrictedToken makes a token that can do less than another one. Win32:
// CreateRestrictedToken. Rules: SE-29, SE-30, SE-31.
func (s *Services) CreateRestrictedToken(_ context.Context, c *Call, q *api.RestrictTokenRequest) (*api.HandleReply, error) {
	const op = "CreateRestrictedToken"
	spec := security.RestrictSpec{Flags: q.Flags}
	var err error
	if spec.DenyOnly, err = s.sids(op, q.DenyOnly); err != nil {
		return nil, err
	}
	if spec.Restricting, err = s.sids(op, q.Restricting); err != nil {
		return nil, err
	}
	if spec.Delete, err = privileges(op, q.Delete); err != nil {
		return nil, err
	}
	return handle(c.Thread.RestrictToken(q.Token, spec))
}

// SetTokenInformation sets one class of facts about a token. Win32: SetTokenInformation. Rules:
// SE-21, PRC-6.
func (s *Services) SetTokenInformation(ctx context.Context, c *Call, q *api.SetTokenInformationRequest) error {
	data := append([]byte{}, q.Data...) // not nil: no bytes are too few, and not "none"
	if q.None {
		data = nil
	}
	_, err := settled(ctx, s, struct{}{}, c.Thread.SetTokenInformation(q.Token, q.Class, data))
	return err
}

// AccessCheck tells a server what a client's token may do with an object of the server's own.
// Win32: AccessCheckByTypeResultList. Rules: SE-44, SE-45, SE-50c.
func (s *Services) AccessCheck(_ context.Context, c *Call, q *api.AccessCheckRequest) (*api.AccessCheckReply, error) {
	const op = "AccessCheck"
	sd, err := descriptor(op, q.Descriptor)
	if err != nil {
		return nil, err
	}
	var self security.SID
	if q.Self != "" {
		if self, err = s.sid(op, q.Self); err != nil {
			return nil, err
		}
	}
	var tree []security.ObjectNode
	for i, n := range q.Types {
		node := security.ObjectNode{Level: uint16(n.Level)}
		if len(n.GUID) != len(node.Type) || n.Level > 4 {
			return nil, &win32.Error{Op: op, Object: fmt.Sprintf("object type %d", i), Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-50"}
		}
		copy(node.Type[:], n.GUID)
		tree = append(tree, node)
	}
	m := &security.Mapping{Read: q.Read, Write: q.Write, Execute: q.Execute, All: q.All}
	results, err := c.Thread.AccessCheck(q.Token, sd, self, tree, q.Desired, m)
	if err != nil {
		return nil, err
	}
	r := &api.AccessCheckReply{}
	var used security.PrivilegeSet
	for _, one := range results {
		r.Results = append(r.Results, api.AccessResult{Granted: one.Granted, Allowed: one.Allowed, Code: uint32(one.Err)})
		used |= one.Used
	}
	for _, p := range used.List() {
		r.Used = append(r.Used, p.String())
	}
	return r, nil
}

// PrivilegeCheck tells whether a token has privileges enabled. Win32: PrivilegeCheck. Rules: SE-25,
// SE-26.
func (s *Services) PrivilegeCheck(_ context.Context, c *Call, q *api.PrivilegeCheckRequest) (*api.BoolReply, error) {
	want, err := privileges("PrivilegeCheck", q.Privileges)
	if err != nil {
		return nil, err
	}
	has, err := c.Thread.PrivilegeCheck(q.Token, want, q.Any)
	return &api.BoolReply{Value: has}, err
}

// CheckTokenMembership tells whether a SID is enabled in a token. Win32: CheckTokenMembership.
// Rules: SE-15.
func (s *Services) CheckTokenMembership(_ context.Context, c *Call, q *api.TokenMemberRequest) (*api.BoolReply, error) {
	sid, err := s.sid("CheckTokenMembership", q.SID)
	if err != nil {
		return nil, err
	}
	is, err := c.Thread.CheckTokenMembership(q.Token, sid)
	return &api.BoolReply{Value: is}, err
}

// ImpersonateSelf lets the calling thread act with a copy of its process's token. Win32:
// ImpersonateSelf. Rules: SE-27.
func (s *Services) ImpersonateSelf(_ context.Context, c *Call, q *api.ImpersonateSelfRequest) error {
	return c.Thread.ImpersonateSelf(security.ImpersonationLevel(q.Level))
}

// ImpersonateAnonymousToken lets the calling thread act as nobody. Win32: ImpersonateAnonymousToken.
// Rules: SE-27.
func (s *Services) ImpersonateAnonymousToken(_ context.Context, c *Call) error {
	return c.Thread.ImpersonateAnonymous()
}

// LookupAccountSid finds domain and name of a SID; unknown is 1332. Win32: LookupAccountSid. Rules:
// SE-12.
func (s *Services) LookupAccountSid(_ context.Context, _ *Call, q *api.SIDRequest) (*api.AccountNameReply, error) {
	const op = "LookupAccountSid"
	if s.Store == nil {
		return nil, without(op, "accounts")
	}
	sid, err := s.sid(op, q.SID)
	if err != nil {
		return nil, err
	}
	domain, name, err := s.Store.LookupSID(sid)
	if err != nil {
		return nil, err
	}
	return &api.AccountNameReply{SID: sid.String(), Domain: domain, Name: name, Use: s.use(sid)}, nil
}

// LookupAccountName finds the SID of a name; unknown is 1332. Win32: LookupAccountName. Rules:
// SE-12.
func (s *Services) LookupAccountName(_ context.Context, _ *Call, q *api.AccountRequest) (*api.AccountNameReply, error) {
	const op = "LookupAccountName"
	if s.Store == nil {
		return nil, without(op, "accounts")
	}
	sid, err := s.Store.LookupName(q.Name)
	if err != nil {
		return nil, err
	}
	domain, name, err := s.Store.LookupSID(sid)
	if err != nil {
		return nil, err
	}
	return &api.AccountNameReply{SID: sid.String(), Domain: domain, Name: name, Use: s.use(sid)}, nil
}

// AllocateLocallyUniqueId gives a number of its own. Win32: AllocateLocallyUniqueId. Rules: SE-8.
func (s *Services) AllocateLocallyUniqueId(context.Context, *Call) (*api.LUIDReply, error) {
	return &api.LUIDReply{LUID: uint64(s.Engine.AllocateLUID())}, nil
}

// Values of SID_NAME_USE.
const (
	sidTypeUser           = 1
	sidTypeGroup          = 2
	sidTypeAlias          = 4
	sidTypeWellKnownGroup = 5
	sidTypeLabel          = 10
)

// use tells what kind of account a SID names.
func (s *Services) use(sid security.SID) uint32 {
	switch {
	case sid.Domain() == s.Engine.Machine() && sid.RID() == 513, sid.Domain() == security.UnixGroupSID(0).Domain():
		return sidTypeGroup
	case sid.Domain() == s.Engine.Machine(), sid.Domain() == security.UnixUserSID(0).Domain():
		return sidTypeUser
	case sid.Domain() == security.Administrators.Domain():
		return sidTypeAlias
	case sid.Authority() == 16:
		return sidTypeLabel
	}
	return sidTypeWellKnownGroup
}

// sid parses a SID of a request.
func (s *Services) sid(op, text string) (security.SID, error) {
	sid, err := security.ParseSID(text)
	if err != nil {
		return security.SID{}, &win32.Error{Op: op, Object: text, Code: win32.ERROR_INVALID_SID, Rule: "SE-2"}
	}
	return sid, nil
}

func (s *Services) sids(op string, list []string) ([]security.SID, error) {
	var out []security.SID
	for _, text := range list {
		sid, err := s.sid(op, text)
		if err != nil {
			return nil, err
		}
		out = append(out, sid)
	}
	return out, nil
}

// privilege parses the name of a privilege; unknown is 1313.
func privilege(op, name string) (security.Privilege, error) {
	p, err := security.ParsePrivilege(name)
	if err != nil {
		return 0, &win32.Error{Op: op, Object: name, Code: win32.Code(err), Rule: "SE-24"}
	}
	return p, nil
}

func privileges(op string, list []string) ([]security.Privilege, error) {
	var out []security.Privilege
	for _, name := range list {
		p, err := privilege(op, name)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// notAll is the last error of an adjusting call that succeeded.
func notAll(all bool) uint32 {
	if all {
		return 0
	}
	return uint32(win32.ERROR_NOT_ALL_ASSIGNED)
}
