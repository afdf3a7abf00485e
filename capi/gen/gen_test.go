// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stationmaster/conform"
)

const root = "../.."

// The generated files are committed; this fails when they do not follow from
// functions.txt as it is now.
func TestCurrent(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is not current: run `make generate`", name)
		}
	}
}

// specNames gives the exported names of part 8 of the specification.
func specNames(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/spec/cabi.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## 8. ")
	part, _, _ = strings.Cut(part, "\n## 9. ")
	word := regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*\*?`)
	var names []string
	for i, block := range strings.Split(part, "```") {
		if i%2 == 0 {
			continue
		}
		for l := range strings.Lines(block) {
			if !strings.HasPrefix(l, " ") { // "Title: names"
				_, l, _ = strings.Cut(l, ": ")
			}
			for _, w := range word.FindAllString(l, -1) {
				if base, pair := strings.CutSuffix(w, "*"); pair {
					names = append(names, base+"A", base+"W")
				} else {
					names = append(names, w)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ABI-2, ABI-5: the list of functions is the one of the specification, in both
// directions.
func TestListIsTheSpecs(t *testing.T) {
	conform.Rule(t, "ABI-2", "ABI-5")
	text, err := os.ReadFile(filepath.Join(root, "capi/functions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range all {
		have = append(have, f.name)
	}
	slices.Sort(have)
	want := specNames(t)
	if len(want) < 800 {
		t.Fatalf("the specification names only %d functions", len(want))
	}
	for _, n := range want {
		if _, ok := slices.BinarySearch(have, n); !ok {
			t.Errorf("%s is in the specification and not in functions.txt", n)
		}
	}
	for _, n := range have {
		if _, ok := slices.BinarySearch(want, n); !ok {
			t.Errorf("%s is in functions.txt and not in the specification", n)
		}
	}
}
