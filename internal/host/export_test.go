// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// GroupDirs lists every cgroup that a host on run directory dir still has.
func GroupDirs(dir string) []string {
	sum := sha256.Sum256([]byte(dir))
	t := findCgroups("station-"+hex.EncodeToString(sum[:6]), func(string) bool { return false })
	var out []string
	for _, base := range append([]string{t.v2}, t.v1["pids"], t.v1["memory"]) {
		if base == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(base, t.name)); err == nil {
			out = append(out, filepath.Join(base, t.name))
			subs, _ := filepath.Glob(filepath.Join(base, t.name, "*", "cgroup.procs"))
			out = append(out, subs...)
		}
	}
	return out
}

// Nonce is the part of the session's names that no other session has.
func (s *Session) Nonce() string { return s.rec.Nonce }

// Exported for tests.
var (
	ParseStat    = parseStat
	CgroupMounts = cgroupMounts
	ParseXNames  = parseXNames
)
