// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

//go:embed README.tmpl
var readme string

// machine is where and when figures were taken.
type machine struct {
	Date, CPU, Linux, Go string
	Cores                int
	Load                 [2]string // before and after
	Runs                 int
	Took                 time.Duration
}

func thisMachine() machine {
	m := machine{Date: time.Now().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version()}
	var u syscall.Utsname
	_ = syscall.Uname(&u)
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		m.Linux += string(rune(c))
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
				m.CPU = strings.TrimSpace(v)
				break
			}
		}
	}
	return m
}

// load gives the load averages as the kernel shows them.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	f := strings.Fields(string(b))
	return strings.Join(f[:min(3, len(f))], " ")
}

var bold = regexp.MustCompile(`\*\*([-+0-9.e]+)\*\*`)

// figure is the median in a cell; every one is better when it is lower.
func figure(cell string) (float64, bool) {
	m := bold.FindStringSubmatch(cell)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return v, err == nil
}

// worse joins the tables of two runs: where the medians differ by more than a
// fifth it takes the worse one and says so.
func worse(a, b []row) []row {
	out := append([]row(nil), a...)
	for i, r := range out {
		for _, s := range b {
			if s.what != r.what || !samePeer(s.peer, r.peer) {
				continue
			}
			x, okX := figure(r.ours)
			y, okY := figure(s.ours)
			if okX && okY && math.Abs(x-y) > 0.2*min(x, y) {
				if y > x {
					out[i] = s
				}
				out[i].ours += fmt.Sprintf("; the other run %.3g", min(x, y))
			}
			p, errP := strconv.ParseFloat(r.ratio, 64)
			q, errQ := strconv.ParseFloat(s.ratio, 64)
			if errP == nil && errQ == nil && math.Abs(p-q) > 0.2*min(p, q) {
				out[i].ratio = r.ratio + " and " + s.ratio // which is worse depends on the row
			}
			break
		}
	}
	return out
}

// samePeer tells rows of one thing beside several peers apart.
func samePeer(a, b string) bool {
	name := func(s string) string { n, _, _ := strings.Cut(s, "**"); return n }
	return name(a) == name(b)
}

// reasons say, for what may miss its goal, why. They hold no figures.
var reasons = []struct{ row, why string }{
	{"call round trip", "both sides wait in Go's poller, which takes an epoll round and a read that finds nothing where the C program only blocks in read; and the client's reader hands each answer to its caller. A ring of shared memory (the relay) is what is to change this."},
	{"new session", "most of it is the start of a Go program in new namespaces and nine mounts, all of which wait for a processor when the machine is busy."},
	{"xterm", "the time is the X server's and the terminal's own."},
	{"holder, private memory", "the Go runtime takes most of it."},
	{"terminal, 20 lines", "the X server's pixels are read, kept and encoded a second time, in Go; text is deflated without history so that one encoding serves every viewer."},
	{"OpenWindowStation", "each call is a round trip over a socket, as wineserver's is; Wine opens and closes in two that a thread of its own serves. The ring between client and daemon is not built yet."},
	{"window dragged", "the same; each move is a handful of small rectangles whose cost is wake-ups, not bytes."},
	{"moving picture", "JPEG is written in Go, without the vector instructions that Xvnc's library uses; from several viewers on it is cheaper, because all get the same bytes."},
	{"switch", "the whole picture is read from the other X server first."},
	{"taken over", "each session's holder is asked for its programs."},
}

// write writes the report: the README's template when w is its file.
func write(w io.Writer, m machine, rows []row, notes []string) error {
	var unmet []string
	met := 0
	seen := map[string]bool{}
	for _, r := range rows {
		if strings.HasSuffix(r.goal, ": met") {
			met++
		}
		if !strings.Contains(r.goal, "**not met**") || seen[r.what] {
			continue
		}
		seen[r.what] = true
		why := "not known yet."
		for _, x := range reasons {
			if strings.Contains(r.what, x.row) {
				why = x.why
				break
			}
		}
		unmet = append(unmet, fmt.Sprintf("**%s** (goal %s): %s", r.what, strings.TrimSuffix(r.goal, ": **not met**"), why))
	}
	t, err := template.New("README").Parse(readme)
	if err != nil {
		return err
	}
	var table bytes.Buffer
	fmt.Fprintln(&table, "| What | Ours | Peer or limit, same run | Ratio | Goal |\n|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", r.what, r.ours, r.peer, r.ratio, r.goal)
	}
	return t.Execute(w, struct {
		Machine      machine
		Table        string
		Met          int
		Unmet, Notes []string
	}{m, table.String(), met, unmet, notes})
}
