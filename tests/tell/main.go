// SPDX-License-Identifier: Apache-2.0

// Command tell reads the output of `go test -json` and prints what go test
// prints without -json, and before each package's closing line the tests that
// were skipped and why: go test alone keeps quiet about them unless asked for
// everything. It fails when a test or a build failed, or nothing was tested.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of go test -json (see go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

// result is what was heard of one package.
type result struct {
	tests  []string            // in the order they were first heard of
	output map[string][]string // of each test; "" is the package itself
	ended  map[string]string   // how each test ended
}

func main() {
	if !tell(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// tell copies a run and reports whether all of it passed.
func tell(r io.Reader, w io.Writer) bool {
	packages := map[string]*result{}
	passed, failed := 0, 0
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(w, line) // go's own words, not an event
			} else if e.Action == "build-output" {
				fmt.Fprint(w, e.Output)
			} else if e.Package != "" {
				p := packages[e.Package]
				if p == nil {
					p = &result{output: map[string][]string{}, ended: map[string]string{}}
					packages[e.Package] = p
				}
				switch {
				case e.Action == "output":
					p.hear(e.Test, e.Output)
				case e.Action != "pass" && e.Action != "fail" && e.Action != "skip":
				case e.Test != "":
					p.ended[e.Test] = e.Action
				default:
					p.close(w, e.Action == "fail")
					if delete(packages, e.Package); e.Action == "fail" {
						failed++
					} else {
						passed++
					}
				}
			}
		}
		if err != nil {
			break
		}
	}
	// What has no end was cut short.
	for name, p := range packages {
		p.close(w, true)
		fmt.Fprintf(w, "FAIL\t%s [ended without a result]\n", name)
		failed++
	}
	if passed+failed == 0 {
		fmt.Fprintln(w, "FAIL: nothing was tested")
	}
	return failed == 0 && passed > 0
}

func (p *result) hear(test, text string) {
	if strings.HasPrefix(text, "=== ") {
		return
	}
	if _, ok := p.output[test]; !ok && test != "" {
		p.tests = append(p.tests, test)
	}
	p.output[test] = append(p.output[test], text)
}

// close prints a package: what failed, what was skipped, its own lines.
func (p *result) close(w io.Writer, failed bool) {
	for _, t := range p.tests {
		switch end := p.ended[t]; {
		case end == "skip":
			fmt.Fprintf(w, "SKIP\t%s: %s\n", t, reason(p.output[t]))
		case failed && end != "pass":
			for _, text := range p.output[t] {
				fmt.Fprint(w, text)
			}
		}
	}
	for _, text := range p.output[""] {
		if text != "PASS\n" {
			fmt.Fprint(w, text)
		}
	}
}

// reason gives what a skipped test logged last, without file and line.
func reason(output []string) string {
	why := "no reason given"
	for _, text := range output {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "--- SKIP") || text == "" {
			continue
		}
		if at, rest, ok := strings.Cut(text, ": "); ok && strings.Contains(at, ".go:") {
			text = rest
		}
		why = text
	}
	return why
}
