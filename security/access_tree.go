// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"slices"

	"stationmaster/win32"
)

// ObjectNode is a line of an object type list: the object at level 0, its
// property sets at level 1, their properties at level 2, each after what it
// belongs to (OBJECT_TYPE_LIST).
type ObjectNode struct {
	Level uint16
	Type  GUID
}

// AccessCheckByType is AccessCheck for an object with properties: access is
// granted when every property of the tree grants it.
// ERROR_INVALID_PARAMETER is given for a tree that is none.
//
// Win32: AccessCheckByType. Rules: SE-44, SE-50.
func AccessCheckByType(t *Token, d *Descriptor, self SID, tree []ObjectNode, desired win32.AccessMask, m *Mapping) (AccessCheckStatus, error) {
	if len(tree) == 0 {
		return AccessCheck(t, d, self, desired, m)
	}
	list, err := AccessCheckByTypeResultList(t, d, self, tree, desired, m)
	if err != nil {
		return AccessCheckStatus{}, err
	}
	return list[0], nil
}

// AccessCheckByTypeResultList gives one answer for each node of the tree.
//
// Win32: AccessCheckByTypeResultList. Rules: SE-44, SE-50.
func AccessCheckByTypeResultList(t *Token, d *Descriptor, self SID, tree []ObjectNode, desired win32.AccessMask, m *Mapping) ([]AccessCheckStatus, error) {
	if err := accessCheckReady(t, d, desired); err != nil {
		return nil, err
	}
	if err := validTree(tree); err != nil {
		return nil, err
	}
	out := make([]AccessCheckStatus, len(tree))
	if desired == 0 {
		return out, nil
	}
	// What a node grants is what all of its leaves grant: an ACE for a node
	// speaks of everything below it, and a deny below a node keeps the whole
	// node from being granted. So only leaves are walked, last ones first.
	for i := len(tree) - 1; i >= 0; i-- {
		children := childrenOf(tree, i)
		if len(children) == 0 {
			out[i] = statusOf(decide(t, d, subjectOf{self: self, types: pathTo(tree, i)}, desired, m))
			continue
		}
		out[i] = out[children[0]]
		for _, c := range children[1:] {
			out[i] = bothGrant(out[i], out[c], desired)
		}
	}
	return out, nil
}

// bothGrant joins the answers of two parts of one node.
func bothGrant(a, b AccessCheckStatus, desired win32.AccessMask) AccessCheckStatus {
	switch {
	case !a.Allowed:
		return a
	case !b.Allowed:
		return b
	}
	a.Granted &= b.Granted
	a.Used |= b.Used
	if want := desired &^ win32.MAXIMUM_ALLOWED; a.Granted == 0 || a.Granted&want != want {
		return AccessCheckStatus{Err: win32.ERROR_ACCESS_DENIED}
	}
	return a
}

// validTree checks that there is one root and that no level is left out.
func validTree(tree []ObjectNode) error {
	for i, n := range tree {
		if (i == 0) != (n.Level == 0) || i > 0 && n.Level > tree[i-1].Level+1 {
			return &win32.Error{Op: "AccessCheckByType", Object: fmt.Sprintf("object type %d of level %d", i, n.Level), Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-50"}
		}
	}
	if len(tree) == 0 {
		return &win32.Error{Op: "AccessCheckByType", Object: "empty object type list", Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-50"}
	}
	return nil
}

func childrenOf(tree []ObjectNode, i int) []int {
	var out []int
	for j := i + 1; j < len(tree) && tree[j].Level > tree[i].Level; j++ {
		if tree[j].Level == tree[i].Level+1 {
			out = append(out, j)
		}
	}
	return out
}

// pathTo gives the types from a node up to the root.
func pathTo(tree []ObjectNode, i int) []GUID {
	path := []GUID{tree[i].Type}
	for level := tree[i].Level; i >= 0 && level > 0; i-- {
		if tree[i].Level < level {
			level = tree[i].Level
			path = append(path, tree[i].Type)
		}
	}
	return path
}

// AuditMatch is an AUDIT ACE that asks for a record of an access.
type AuditMatch struct {
	ACE     int              // index in the SACL
	Mask    win32.AccessMask // the bits it asks about that were granted or refused
	Success bool
}

// Audit gives the AUDIT ACEs of d that ask for a record of an access that
// was decided: desired is what was asked for, dec what came out.
// Rules: SE-64.
func Audit(t *Token, d *Descriptor, desired win32.AccessMask, dec Decision, m *Mapping) []AuditMatch {
	if t == nil || d == nil || d.sacl == nil {
		return nil
	}
	flag, bits := SuccessAudit, dec.Granted
	if dec.Err != nil {
		flag, bits = FailureAudit, m.Map(desired)
		if bits&win32.MAXIMUM_ALLOWED != 0 {
			bits = bits&^win32.MAXIMUM_ALLOWED | allRights(m)
		}
	}
	var out []AuditMatch
	for i := range d.sacl.ACEs {
		a := &d.sacl.ACEs[i]
		if a.Type != AuditACE || a.Flags&InheritOnly != 0 || a.Flags&flag == 0 || !slices.Contains(t.enabled, a.SID) {
			continue
		}
		if hit := m.Map(a.Mask) & bits; hit != 0 {
			out = append(out, AuditMatch{ACE: i, Mask: hit, Success: dec.Err == nil})
		}
	}
	return out
}
