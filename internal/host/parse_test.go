// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stationmaster/internal/host"
	"stationmaster/station"
)

func TestParseStat(t *testing.T) {
	fields := " S 42 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0"
	for _, comm := range []string{"sh", "a b", "x) S 1 (y", ""} {
		st, err := host.ParseStat([]byte("7 (" + comm + ")" + fields))
		if err != nil {
			t.Errorf("%q: %v", comm, err)
			continue
		}
		if got := host.StatFields(st); got != [2]uint64{42, 987654} {
			t.Errorf("%q: parent and start are %v", comm, got)
		}
	}
	for _, bad := range []string{"", "7 (sh", "7 (sh) S", "7 (sh) S x 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0"} {
		if _, err := host.ParseStat([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestCgroupMounts(t *testing.T) {
	for _, row := range []struct {
		name, mountinfo, self string
		want                  map[string]string
	}{
		{"hybrid",
			"30 23 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
			"8:cpu,cpuacct:/\n4:memory:/box/1\n0::/\n",
			map[string]string{"": "/sys/fs/cgroup/unified", "/own": "/sys/fs/cgroup/unified", "memory": "/sys/fs/cgroup/memory", "memory/own": "/sys/fs/cgroup/memory/box/1"}},
		{"unified, in a unit",
			"30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n",
			"0::/system.slice/station.service\n",
			map[string]string{"": "/sys/fs/cgroup", "/own": "/sys/fs/cgroup/system.slice/station.service"}},
		{"container that sees its own part only",
			"30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"0::/docker/abc\n",
			map[string]string{"": "/sys/fs/cgroup", "/own": "/sys/fs/cgroup"}},
		{"mounted elsewhere, with a blank",
			`30 23 0:26 / /mnt/c\040g rw - cgroup2 none rw` + "\n",
			"0::/a\n",
			map[string]string{"": "/mnt/c g", "/own": "/mnt/c g/a"}},
		{"none", "25 30 0:23 / /proc rw - proc proc rw\n", "", map[string]string{}},
	} {
		if diff := cmp.Diff(row.want, host.CgroupMounts(row.mountinfo, row.self)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

// TestUnifiedLimits: limits in a v2 tree that has the controllers, which not
// every machine that runs the tests has.
func TestUnifiedLimits(t *testing.T) {
	lim := station.Limits{Processes: 10, MemoryBytes: 1 << 20}
	for _, row := range []struct {
		ctl       string
		cloneInto bool
		want      map[string]string
		missing   []string
	}{
		{"cpu memory pids", true, map[string]string{"s1-x/run/pids.max": "10", "s1-x/run/memory.max": "1048576"}, nil},
		{"cpu memory pids", false, map[string]string{"s1-x/run/pids.max": "26", "s1-x/run/memory.max": "1048576"}, nil},
		{"cpu pids", true, map[string]string{"s1-x/run/pids.max": "10"}, []string{"memory"}},
		{"", true, map[string]string{}, []string{"processes", "memory"}},
	} {
		got, missing, err := host.FakeTree(t.TempDir(), row.ctl, row.cloneInto, lim)
		if err != nil {
			t.Errorf("%q: %v", row.ctl, err)
			continue
		}
		for name := range got {
			if strings.HasSuffix(name, "cgroup.subtree_control") {
				delete(got, name)
			}
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%q: %s", row.ctl, diff)
		}
		if diff := cmp.Diff(row.missing, missing); diff != "" {
			t.Errorf("%q: %s", row.ctl, diff)
		}
	}
}

func TestParseXNames(t *testing.T) {
	got, err := host.ParseXNames(strings.NewReader(`Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 111 @/tmp/.X11-unix/X0
0000000000000000: 00000003 00000000 00000000 0001 03 112 @/tmp/.X11-unix/X0
0000000000000000: 00000002 00000000 00000000 0001 01 113 @/tmp/.X11-unix/X7
0000000000000000: 00000002 00000000 00010000 0001 01 114 @/tmp/.X11-unix/X64
0000000000000000: 00000002 00000000 00010000 0001 01 115 /tmp/.X11-unix/X1
0000000000000000: 00000003 00000000 00000000 0001 03 116
`))
	if diff := cmp.Diff(map[int]uint64{0: 111, 7: 113}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// FuzzParseStat reads what the kernel writes; a program chooses the name in it.
func FuzzParseStat(f *testing.F) {
	f.Add("7 (sh) S 42 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0")
	f.Fuzz(func(t *testing.T, s string) { host.ParseStat([]byte(s)) })
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00{}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) { host.ReadFrames(t, b) })
}
