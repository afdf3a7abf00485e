// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
)

// engineLine finds the results of go test -bench.
var engineLine = regexp.MustCompile(`(?m)^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op(?:\s+\d+ B/op\s+(\d+) allocs/op)?`)

// engineRow is a figure of the engine that has a goal, in nanoseconds.
type engineRow struct {
	pkg, bench, what string
	goal             float64
	noAlloc          bool
}

var engineRows = []engineRow{
	{"./security", "BenchmarkCheck/cached", "access check, seen before (10 ACEs, 15 SIDs)", 20, true},
	{"./security", "BenchmarkCheck/uncached", "access check, new (10 ACEs, 15 SIDs)", 300, false},
	{"./internal/object", "BenchmarkLookup/one", "handle look-up among 1,000", 10, false},
	{"./station", "BenchmarkNameLookup/plain", "name look-up among 10,000, plain name", 300, true},
	{"./station", "BenchmarkNameLookup/local", `name look-up among 10,000, Local\ name`, 300, true},
	{"./station", "BenchmarkOpenEvent", "open and close an event by name, in the engine", 0, false},
}

// engine runs the Go benchmarks of the engine's packages. It needs the source
// and the go command, and is left out without them.
func (b *bench) engine() error {
	if _, err := os.Stat("go.mod"); errors.Is(err, fs.ErrNotExist) {
		b.note("no figures of the engine itself: not run in the source directory")
		return nil
	}
	count := "6"
	if b.quick {
		count = "2"
	}
	type result struct {
		ns     []float64
		allocs string
	}
	got := map[string]*result{}
	cmd := exec.CommandContext(b.ctx, "go", "test", "-run", "^$", "-bench", "^(BenchmarkCheck|BenchmarkLookup|BenchmarkNameLookup|BenchmarkOpenEvent)$",
		"-benchmem", "-benchtime", "200ms", "-count", count, "./security", "./internal/object", "./station")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("cannot run the benchmarks of the engine: %w\n%s%s", err, stderr.String(), out)
	}
	for _, m := range engineLine.FindAllSubmatch(out, -1) {
		ns, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			continue // the expression matches numbers only
		}
		name := string(m[1])
		if got[name] == nil {
			got[name] = &result{}
		}
		got[name].ns, got[name].allocs = append(got[name].ns, ns), string(m[3])
	}
	for _, r := range engineRows {
		g := got[r.bench]
		if g == nil {
			return fmt.Errorf("%s has no benchmark %s any more", r.pkg, r.bench)
		}
		slices.Sort(g.ns)
		mid := g.ns[len(g.ns)/2]
		goal, met := "", true
		if r.goal > 0 {
			goal, met = fmt.Sprintf("≤ %.0f ns", r.goal), mid <= r.goal
		}
		if r.noAlloc {
			goal, met = goal+", no allocation", met && g.allocs == "0"
		}
		if goal != "" {
			goal = verdict(met, goal)
		}
		b.add(r.what, fmt.Sprintf("**%.3g** ns (%.3g–%.3g, n=%d), %s allocations", mid, g.ns[0], g.ns[len(g.ns)-1], len(g.ns), g.allocs), "", "", goal)
	}
	return nil
}
