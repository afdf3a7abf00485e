// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"testing"

	"stationmaster/station"
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

// FakeTree makes the groups of a session below dir, a directory that looks like
// a v2 tree with the given controllers, and lists the files that were written.
func FakeTree(dir, ctl string, cloneInto bool, lim station.Limits) (map[string]string, []string, error) {
	for name, data := range map[string]string{"cgroup.controllers": ctl, "cgroup.subtree_control": "", "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			return nil, nil, err
		}
	}
	t := &cgroupTree{name: "station-test", v1: map[string]string{}, limits: map[string]bool{}, cloneInto: cloneInto}
	t.findV2(dir, dir)
	g := t.plan("s1-x", lim)
	o, err := t.create(g, lim)
	if err != nil {
		return nil, nil, err
	}
	o.close()
	files := map[string]string{}
	filepath.Walk(t.base(), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			b, _ := os.ReadFile(path)
			rel, _ := filepath.Rel(t.base(), path)
			files[rel] = string(b)
		}
		return nil
	})
	return files, t.unlimited(lim), nil
}

// StatFields gives parent and start time of a parsed stat.
func StatFields(st procStat) [2]uint64 { return [2]uint64{uint64(st.ppid), st.start} }

// ReadFrames lets the frame reader have b as all that comes.
func ReadFrames(t testing.TB, b []byte) {
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.close()
	c, err := net.FileConn(theirs)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c.Write(b)
		c.Close()
	}()
	for {
		f, err := ours.recv()
		if err != nil {
			return
		}
		if len(f.fds) != 0 {
			t.Errorf("descriptors came from nowhere: %v", f.fds)
		}
		f.close()
	}
}
