// SPDX-License-Identifier: Apache-2.0

package api

import "stationmaster/win32"

var tokenCalls = []Call{
	{220, "OpenThreadToken", "OpenThreadToken", 0, of[OpenThreadTokenRequest](), of[HandleReply](), "Opens the token a thread impersonates with.", "SE-27"},
	{221, "AdjustTokenPrivileges", "AdjustTokenPrivileges", 0, of[AdjustPrivilegesRequest](), of[AdjustPrivilegesReply](), "Enables, disables or removes privileges of a token; LastError is 1300 when the token does not hold all of them.", "SE-22"},
	{222, "AdjustTokenGroups", "AdjustTokenGroups", 0, of[AdjustGroupsRequest](), of[AdjustGroupsReply](), "Enables or disables groups of a token.", "SE-23"},
	{223, "CreateRestrictedToken", "CreateRestrictedToken", 0, of[RestrictTokenRequest](), of[HandleReply](), "Makes a token that can do less than another one.", "SE-29,SE-30,SE-31"},
	{224, "SetTokenInformation", "SetTokenInformation", 0, of[SetTokenInformationRequest](), nil, "Sets owner, primary group, default DACL, session or integrity level of a token.", "SE-21,PRC-6"},
	{225, "AccessCheck", "AccessCheckByTypeResultList", 0, of[AccessCheckRequest](), of[AccessCheckReply](), "Tells a server what a client's token may do with an object of the server's own.", "SE-44,SE-45,SE-50c"},
	{226, "PrivilegeCheck", "PrivilegeCheck", 0, of[PrivilegeCheckRequest](), of[BoolReply](), "Tells whether a token has privileges enabled.", "SE-25,SE-26"},
	{227, "CheckTokenMembership", "CheckTokenMembership", 0, of[TokenMemberRequest](), of[BoolReply](), "Tells whether a SID is enabled in a token.", "SE-15"},
	{228, "ImpersonateSelf", "ImpersonateSelf", 0, of[ImpersonateSelfRequest](), nil, "Lets the calling thread act with a copy of its process's token.", "SE-27"},
	{229, "ImpersonateAnonymousToken", "ImpersonateAnonymousToken", 0, nil, nil, "Lets the calling thread act as nobody.", "SE-27"},
	{230, "LookupAccountSid", "LookupAccountSid", 0, of[SIDRequest](), of[AccountNameReply](), "Finds domain and name of a SID.", "SE-12"},
	{231, "LookupAccountName", "LookupAccountName", 0, of[AccountRequest](), of[AccountNameReply](), "Finds the SID of an account's name, with or without its domain.", "SE-12"},
	{232, "AllocateLocallyUniqueId", "AllocateLocallyUniqueId", 0, nil, of[LUIDReply](), "Gives a number that this host gives only once until it restarts.", "SE-8"},
}

type OpenThreadTokenRequest struct {
	Thread win32.Handle // 0xFFFFFFFE: the calling thread
	Access win32.AccessMask
	AsSelf bool // check with the process's token
}

// AdjustPrivilegesRequest changes states as SE_PRIVILEGE_ENABLED (2) and
// SE_PRIVILEGE_REMOVED (4) in Attributes say.
type AdjustPrivilegesRequest struct {
	Token      win32.Handle
	DisableAll bool
	Changes    []TokenPrivilege
}

type AdjustPrivilegesReply struct {
	Previous  []TokenPrivilege // those that changed, as they were
	LastError uint32           // 0 or ERROR_NOT_ALL_ASSIGNED
}

// AdjustGroupsRequest changes states as SE_GROUP_ENABLED (4) in Attributes
// says. Names are ignored.
type AdjustGroupsRequest struct {
	Token   win32.Handle
	Reset   bool // each to its default state
	Changes []TokenGroup
}

type AdjustGroupsReply struct {
	Previous  []TokenGroup
	LastError uint32
}

type RestrictTokenRequest struct {
	Token       win32.Handle
	Flags       uint32   // DISABLE_MAX_PRIVILEGE 1, SANDBOX_INERT 2, LUA_TOKEN 4, WRITE_RESTRICTED 8
	DenyOnly    []string // SIDs that count for deny ACEs only
	Delete      []string // names of privileges
	Restricting []string // SIDs of the second pass
}

// SetTokenInformationRequest has the data as GetTokenInformation gives it:
// SIDs and ACLs in binary form, numbers in four bytes.
type SetTokenInformationRequest struct {
	Token win32.Handle
	Class uint32
	Data  []byte
	None  bool // class 6: no default DACL
}

type AccessCheckRequest struct {
	Token      win32.Handle
	Descriptor []byte // self-relative
	Self       string // SID for PRINCIPAL SELF, or empty
	Desired    win32.AccessMask
	Read       win32.AccessMask // the type's generic mapping
	Write      win32.AccessMask
	Execute    win32.AccessMask
	All        win32.AccessMask
	Types      []ObjectType // the object and its properties, or empty
}

// ObjectType is one entry of an OBJECT_TYPE_LIST.
type ObjectType struct {
	Level uint32
	GUID  []byte // 16 bytes as Windows stores them
}

// AccessCheckReply has one result, or one for each object type.
type AccessCheckReply struct {
	Results []AccessResult
	Used    []string // privileges that granted something
}

type AccessResult struct {
	Granted win32.AccessMask
	Allowed bool
	Code    uint32 // last error when it is not allowed
}

type PrivilegeCheckRequest struct {
	Token      win32.Handle
	Privileges []string
	Any        bool // one of them is enough
}

type TokenMemberRequest struct {
	Token win32.Handle // 0: the token the caller acts with
	SID   string
}

// ImpersonateSelfRequest: Level 0 Anonymous, 1 Identification,
// 2 Impersonation, 3 Delegation.
type ImpersonateSelfRequest struct{ Level uint32 }

type SIDRequest struct{ SID string }

type AccountNameReply struct {
	SID    string
	Domain string
	Name   string
	Use    uint32 // SID_NAME_USE: 1 user, 2 group, 4 alias, 5 well-known group, 10 label
}

type LUIDReply struct{ LUID uint64 }
