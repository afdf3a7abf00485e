// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// docRules finds the line of a docstring that names the rules a declaration
// keeps: `Win32: OpenDesktop. Rules: DT-4, DT-7.`
var docRules = regexp.MustCompile(`Rules?: ([A-Z]+[0-9]*-[0-9]+[^.]*)`)

// listed finds rule numbers in such a line. A range such as IN-9…IN-11 names
// its ends.
var listed = regexp.MustCompile(`[A-Z]+[0-9]*-[0-9]+[a-z]?\b`)

// unknown gives one line for each citation of a rule that no specification
// defines: in tests, in docstrings and in the call table. A number such as
// WS-3 is known, too, where only its parts WS-3a, WS-3b are.
func unknown(root string, cited map[string][]citation) ([]string, error) {
	known := map[string]bool{}
	for _, name := range specs {
		text, err := os.ReadFile(filepath.Join(root, "docs", "spec", name))
		if err != nil {
			return nil, err
		}
		for _, r := range rulesIn(string(text)) {
			known[r] = true
			known[strings.TrimRight(r, "abcdefghijklmnopqrstuvwxyz")] = true
		}
	}
	var lines []string
	for _, r := range slices.Sorted(maps.Keys(cited)) {
		if !known[r] {
			for _, c := range cited[r] {
				lines = append(lines, fmt.Sprintf("%s cites %s, which docs/spec does not have", c.test, r))
			}
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipDir(path, root, d) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		say := func(pos token.Pos, rules string) {
			for _, r := range listed.FindAllString(rules, -1) {
				if !known[r] {
					lines = append(lines, fmt.Sprintf("%s:%d cites %s, which docs/spec does not have", path, fset.Position(pos).Line, r))
				}
			}
		}
		for _, group := range file.Comments {
			for _, m := range docRules.FindAllStringSubmatch(strings.Join(strings.Fields(group.Text()), " "), -1) {
				say(group.Pos(), m[1])
			}
		}
		if filepath.ToSlash(filepath.Dir(path)) == filepath.ToSlash(filepath.Join(root, "internal/api")) {
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && ruleList.MatchString(lit.Value) {
					say(lit.Pos(), lit.Value)
				}
				return true
			})
		}
		return nil
	})
	return lines, err
}

// ruleList is a string of rule numbers, as rows of the call table have it.
var ruleList = regexp.MustCompile(`^["` + "`" + `][A-Z]+[0-9]*-[0-9]+[a-z]?(, ?[A-Z]+[0-9]*-[0-9]+[a-z]?)*["` + "`" + `]$`)

// skipDir tells directories that hold no code of ours.
func skipDir(path, root string, d fs.DirEntry) bool {
	return d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root
}
