// SPDX-License-Identifier: Apache-2.0

// Package house holds no code, only the test that keeps the house in order:
// which package may reach which. STYLE: a package imports only what stands
// above it, and most import far less.
package house

import (
	"os/exec"
	"strings"
	"testing"
)

// edge forbids from (and everything below it in from's own tree) to reach to,
// directly or through others.
type edge struct{ from, to, why string }

var forbidden = []edge{
	{"stationmaster/win32", "stationmaster/", "win32 is vocabulary; it stands above everything"},
	{"stationmaster/security", "stationmaster/station", "security is pure: it decides from values"},
	{"stationmaster/security", "stationmaster/internal/", "security is public and pure"},
	{"stationmaster/internal/api", "stationmaster/station", "the call table is data only"},
	{"stationmaster/internal/wire", "stationmaster/station", "frames and codecs know no engine"},
	{"stationmaster/station", "net", "the engine decides; sockets are the daemon's"},
	{"stationmaster/station", "os/exec", "the engine starts processes through Host"},
	{"stationmaster/station", "stationmaster/internal/host", "the engine sees the machine only through Host"},
	{"stationmaster/station", "stationmaster/internal/display", "the engine sees screens only through Surface"},
	{"stationmaster/station", "stationmaster/internal/surface", "the engine sees screens only through Surface"},
	{"stationmaster/station", "stationmaster/internal/daemon", "data flows one way"},
	{"stationmaster/client", "stationmaster/station", "a client talks to the daemon, it does not contain it"},
	{"stationmaster/client", "stationmaster/internal/daemon", "a client talks to the daemon, it does not contain it"},
	{"stationmaster/internal/cli", "stationmaster/station", "the command line is a client like any other"},
	{"stationmaster/internal/cli", "stationmaster/internal/daemon", "the command line is a client like any other; cmd wires the daemon"},
	{"stationmaster/internal/web", "stationmaster/station", "the console is a client without privilege"},
	{"stationmaster/internal/web", "stationmaster/internal/daemon", "the console is a client without privilege"},
	{"stationmaster/internal/host", "stationmaster/internal/daemon", "data flows one way"},
	{"stationmaster/internal/rfb", "stationmaster/station", "pixels know no objects"},
	{"stationmaster/internal/daemon", "net/http", "the only HTTP is internal/web's"},
}

// onlyHTTP lists the packages that may reach net/http: cmd wires web.
var onlyHTTP = []string{"stationmaster/internal/web", "stationmaster/cmd/", "stationmaster/tests", "stationmaster/bench"}

func TestImportEdges(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`, "stationmaster/...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v\n%s", err, stderr.String())
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		packages++
		name, deps := fields[0], fields[1:]
		for _, e := range forbidden {
			if name != e.from && !strings.HasPrefix(name, e.from+"/") {
				continue
			}
			for _, d := range deps {
				if d == e.to || strings.HasSuffix(e.to, "/") && strings.HasPrefix(d, e.to) {
					t.Errorf("%s reaches %s: %s", name, d, e.why)
				}
			}
		}
		for _, d := range deps {
			if d == "net/http" && !hasAnyPrefix(name, onlyHTTP) {
				t.Errorf("%s reaches net/http: the only HTTP is internal/web's", name)
			}
		}
	}
	if packages < 10 {
		t.Fatalf("go list named only %d packages", packages)
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
