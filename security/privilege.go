// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"math/bits"
	"strings"

	"stationmaster/win32"
)

// Privilege is the low part of a privilege's LUID; the high part is 0.
// Rules: SE-24.
type Privilege uint32

// The privileges (SE-24).
const (
	SeCreateTokenPrivilege                    Privilege = 2
	SeAssignPrimaryTokenPrivilege             Privilege = 3
	SeLockMemoryPrivilege                     Privilege = 4
	SeIncreaseQuotaPrivilege                  Privilege = 5
	SeMachineAccountPrivilege                 Privilege = 6
	SeTcbPrivilege                            Privilege = 7
	SeSecurityPrivilege                       Privilege = 8
	SeTakeOwnershipPrivilege                  Privilege = 9
	SeLoadDriverPrivilege                     Privilege = 10
	SeSystemProfilePrivilege                  Privilege = 11
	SeSystemtimePrivilege                     Privilege = 12
	SeProfileSingleProcessPrivilege           Privilege = 13
	SeIncreaseBasePriorityPrivilege           Privilege = 14
	SeCreatePagefilePrivilege                 Privilege = 15
	SeCreatePermanentPrivilege                Privilege = 16
	SeBackupPrivilege                         Privilege = 17
	SeRestorePrivilege                        Privilege = 18
	SeShutdownPrivilege                       Privilege = 19
	SeDebugPrivilege                          Privilege = 20
	SeAuditPrivilege                          Privilege = 21
	SeSystemEnvironmentPrivilege              Privilege = 22
	SeChangeNotifyPrivilege                   Privilege = 23
	SeRemoteShutdownPrivilege                 Privilege = 24
	SeUndockPrivilege                         Privilege = 25
	SeSyncAgentPrivilege                      Privilege = 26
	SeEnableDelegationPrivilege               Privilege = 27
	SeManageVolumePrivilege                   Privilege = 28
	SeImpersonatePrivilege                    Privilege = 29
	SeCreateGlobalPrivilege                   Privilege = 30
	SeTrustedCredManAccessPrivilege           Privilege = 31
	SeRelabelPrivilege                        Privilege = 32
	SeIncreaseWorkingSetPrivilege             Privilege = 33
	SeTimeZonePrivilege                       Privilege = 34
	SeCreateSymbolicLinkPrivilege             Privilege = 35
	SeDelegateSessionUserImpersonatePrivilege Privilege = 36

	firstPrivilege = SeCreateTokenPrivilege
	lastPrivilege  = SeDelegateSessionUserImpersonatePrivilege
)

// Attributes of a privilege in a token (SE-22).
const (
	PrivilegeEnabledByDefault uint32 = 0x1
	PrivilegeEnabled          uint32 = 0x2
	PrivilegeRemoved          uint32 = 0x4
	PrivilegeUsedForAccess    uint32 = 0x80000000
)

// privilegeTable holds SE-24: the name, and the state in the tokens of
// LocalSystem (S), LocalService and NetworkService (L), administrators (A) and
// users (U). E is held and enabled, d held, - not held.
var privilegeTable = [lastPrivilege + 1]struct {
	name  string
	state string // S, L, A, U
}{
	2:  {"SeCreateTokenPrivilege", "d---"},
	3:  {"SeAssignPrimaryTokenPrivilege", "dd--"},
	4:  {"SeLockMemoryPrivilege", "E---"},
	5:  {"SeIncreaseQuotaPrivilege", "ddd-"},
	6:  {"SeMachineAccountPrivilege", "----"},
	7:  {"SeTcbPrivilege", "E---"},
	8:  {"SeSecurityPrivilege", "d-d-"},
	9:  {"SeTakeOwnershipPrivilege", "d-d-"},
	10: {"SeLoadDriverPrivilege", "d-d-"},
	11: {"SeSystemProfilePrivilege", "--d-"},
	12: {"SeSystemtimePrivilege", "d-d-"},
	13: {"SeProfileSingleProcessPrivilege", "E-d-"},
	14: {"SeIncreaseBasePriorityPrivilege", "E-d-"},
	15: {"SeCreatePagefilePrivilege", "E-d-"},
	16: {"SeCreatePermanentPrivilege", "E---"},
	17: {"SeBackupPrivilege", "d-d-"},
	18: {"SeRestorePrivilege", "d-d-"},
	19: {"SeShutdownPrivilege", "dddd"},
	20: {"SeDebugPrivilege", "E-d-"},
	21: {"SeAuditPrivilege", "Ed--"},
	22: {"SeSystemEnvironmentPrivilege", "d-d-"},
	23: {"SeChangeNotifyPrivilege", "EEEE"},
	24: {"SeRemoteShutdownPrivilege", "--d-"},
	25: {"SeUndockPrivilege", "dddd"},
	26: {"SeSyncAgentPrivilege", "----"},
	27: {"SeEnableDelegationPrivilege", "----"},
	28: {"SeManageVolumePrivilege", "d-d-"},
	29: {"SeImpersonatePrivilege", "EEE-"},
	30: {"SeCreateGlobalPrivilege", "EEE-"},
	31: {"SeTrustedCredManAccessPrivilege", "----"},
	32: {"SeRelabelPrivilege", "----"},
	33: {"SeIncreaseWorkingSetPrivilege", "--dd"},
	34: {"SeTimeZonePrivilege", "--dd"},
	35: {"SeCreateSymbolicLinkPrivilege", "--d-"},
	36: {"SeDelegateSessionUserImpersonatePrivilege", "--d-"},
}

// Columns of privilegeTable.
const (
	columnSystem = iota
	columnService
	columnAdmin
	columnUser
)

// defaultPrivileges gives one column of SE-24.
func defaultPrivileges(column int) []PrivilegeState {
	var out []PrivilegeState
	for p := firstPrivilege; p <= lastPrivilege; p++ {
		switch privilegeTable[p].state[column] {
		case 'E':
			out = append(out, PrivilegeState{p, PrivilegeEnabled | PrivilegeEnabledByDefault})
		case 'd':
			out = append(out, PrivilegeState{p, 0})
		}
	}
	return out
}

// String gives the name, such as SeTcbPrivilege.
func (p Privilege) String() string {
	if p >= firstPrivilege && p <= lastPrivilege {
		return privilegeTable[p].name
	}
	return fmt.Sprintf("Privilege(%d)", uint32(p))
}

// LUID gives the privilege's LUID.
func (p Privilege) LUID() LUID { return LUID(p) }

// Valid reports whether p is one of SE-24.
func (p Privilege) Valid() bool { return p >= firstPrivilege && p <= lastPrivilege }

// ParsePrivilege finds a privilege by its name, in any case. An unknown name
// gives ERROR_NO_SUCH_PRIVILEGE (1313).
//
// Win32: LookupPrivilegeValue. Rules: SE-24.
func ParsePrivilege(name string) (Privilege, error) {
	for p := firstPrivilege; p <= lastPrivilege; p++ {
		if strings.EqualFold(privilegeTable[p].name, name) {
			return p, nil
		}
	}
	return 0, &win32.Error{Op: "LookupPrivilegeValue", Object: clip(name), Code: errNoSuchPrivilege, Rule: "SE-24"}
}

// MarshalText gives String.
func (p Privilege) MarshalText() ([]byte, error) {
	if !p.Valid() {
		return nil, &win32.Error{Op: "LookupPrivilegeName", Object: p.String(), Code: errNoSuchPrivilege, Rule: "SE-24"}
	}
	return []byte(p.String()), nil
}

// UnmarshalText reads a privilege's name.
func (p *Privilege) UnmarshalText(b []byte) error {
	v, err := ParsePrivilege(string(b))
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// PrivilegeState is a privilege as a token holds it (LUID_AND_ATTRIBUTES).
type PrivilegeState struct {
	Privilege  Privilege `json:"privilege"`
	Attributes uint32    `json:"attributes"`
}

// Enabled reports whether the privilege is enabled.
func (s PrivilegeState) Enabled() bool { return s.Attributes&PrivilegeEnabled != 0 }

// PrivilegeSet is a set of privileges, one bit each.
type PrivilegeSet uint64

// Privileges makes a set.
func Privileges(ps ...Privilege) PrivilegeSet {
	var s PrivilegeSet
	for _, p := range ps {
		if p.Valid() {
			s |= 1 << p
		}
	}
	return s
}

// Has reports whether p is in the set.
func (s PrivilegeSet) Has(p Privilege) bool { return p.Valid() && s&(1<<p) != 0 }

// List gives the members in ascending order.
func (s PrivilegeSet) List() []Privilege {
	var out []Privilege
	for ; s != 0; s &= s - 1 {
		out = append(out, Privilege(bits.TrailingZeros64(uint64(s))))
	}
	return out
}

// String gives the names separated by blanks.
func (s PrivilegeSet) String() string {
	var b strings.Builder
	for i, p := range s.List() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Win32 numbers the rules name that the win32 package has no name for.
const (
	errInvalidPrimaryGroup win32.Errno = 1308
	errNoSuchPrivilege     win32.Errno = 1313
)
