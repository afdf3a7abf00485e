// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCurrent wants docs/CONFORMANCE.md to be what the specifications and the
// tests say today, and no rule cited that does not exist.
func TestCurrent(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

// house writes a small repository with one specification and one file each of
// tests, code and call table.
func house(t *testing.T, spec, test, code, table string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"docs/spec/winsta.md": spec, "docs/spec/sessions.md": "", "docs/spec/security.md": "", "docs/spec/cabi.md": "",
		"a/a_test.go": "package a\n" + test, "a/a.go": code + "\npackage a\n", "internal/api/t.go": "package api\n" + table,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const spec = "| WS-1 | first |\n| WS-2 | second |\n| WS-3a | a part |\n### 6.1 SD-4 names\nLists (SE-5; somewhere). More.\n**SE-6, the walk** does\n"

func TestReport(t *testing.T) {
	root := house(t, spec, `
import "conform"
func TestX(t *testing.T) { conform.Rule(t, "WS-1", "SD-4"); conform.Todo(t, "WS-2", "not yet", nil) }
func TestY(t *testing.T) {
	for id, why := range map[string]string{"SE-5": "later"} { conform.Todo(t, id, why, nil) }
	for _, r := range []struct{ id, why string }{{"SE-6", "much later"}} { conform.Todo(t, r.id, r.why, nil) }
}
`, "// Package a opens. Rules: WS-3, WS-3a,\n// SE-5.", `var x = "WS-1,SE-6"`)
	if err := run(root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Errorf("what was just written is not current: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(root, "docs/CONFORMANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, detail, _ := strings.Cut(string(b), "## winsta.md\n\n")
	detail, _, _ = strings.Cut(detail, "\n\n")
	want := "| Rule | Status | Tests |\n|---|---|---|\n| WS-1 | kept | a.TestX |\n| WS-2 | owed | todo: not yet |\n" +
		"| WS-3a | no test |  |\n| SD-4 | kept | a.TestX |\n| SE-5 | owed | todo: later |\n| SE-6 | owed | todo: much later |"
	if d := cmp.Diff(want, detail); d != "" {
		t.Error(d)
	}
	if err := os.WriteFile(filepath.Join(root, "docs/CONFORMANCE.md"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err == nil || !strings.Contains(err.Error(), "not current") {
		t.Errorf("an old report: %v", err)
	}
}

func TestUnknownRule(t *testing.T) {
	for what, root := range map[string]string{
		"a.TestX cites WS-9":    house(t, spec, `func TestX(t *testing.T) { conform.Rule(t, "WS-9") }`, "", ""),
		"a.TestX cites WS-3b":   house(t, spec, `func TestX(t *testing.T) { conform.Todo(t, "WS-3b", "why", nil) }`, "", ""),
		"a.go:1 cites WS-9":     house(t, spec, "", "// Package a. Rules: WS-1, WS-9.", ""),
		"api/t.go:2 cites WS-9": house(t, spec, "", "", `var x = "WS-1,WS-9"`),
	} {
		if err := run(root, false); err == nil || !strings.Contains(err.Error(), what+", which docs/spec does not have") {
			t.Errorf("want %q, got %v", what, err)
		}
		if _, err := os.Stat(filepath.Join(root, "docs/CONFORMANCE.md")); err == nil {
			t.Errorf("%s: a report was written all the same", what)
		}
	}
}
