// SPDX-License-Identifier: Apache-2.0

// Package conform ties tests to the numbered rules of docs/spec. A test names
// the rules it proves with Rule; a rule that the code does not keep yet is
// named with Todo, which fails on the day the rule starts to hold. The
// conformance report is made from both.
package conform

import (
	"regexp"
	"testing"
)

var ruleID = regexp.MustCompile(`^[A-Z]+[0-9]*-[0-9]+[a-z]?$`)

// Rule records that the running test proves the given rules, such as "WS-12".
func Rule(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if !ruleID.MatchString(id) {
			t.Fatalf("%q is not a rule number of docs/spec", id)
		}
		t.Logf("rule %s", id)
	}
}

// Todo runs the check of a rule that is not kept yet. It skips, loudly, while
// check reports an error; when check succeeds the test fails, so that the
// Todo is turned into a Rule. A nil check only records the gap.
func Todo(t testing.TB, id, why string, check func() error) {
	t.Helper()
	Rule(t, id)
	if check != nil {
		if err := check(); err == nil {
			t.Fatalf("rule %s works now: replace conform.Todo by conform.Rule", id)
		} else {
			t.Skipf("TODO rule %s: %s (now: %v)", id, why, err)
		}
	}
	t.Skipf("TODO rule %s: %s", id, why)
}
