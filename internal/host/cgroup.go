// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/station"
)

// Where sessions live in the cgroup trees. In v2:
//
//	BASE/station-HASH/s3-NONCE/holder   the holder
//	                          /run      every program, limits are here
//
// so that a fork bomb cannot take the holder's threads from it. In v1 only the
// thread that forks joins the limited group (tasks counts threads there), and
// a group exists only while a limit needs it.
const (
	groupHolder = "holder"
	groupRun    = "run"
	// holderTasks is what a holder may need where it must share the group.
	holderTasks = 16
)

// cgroupTree is what this machine lets us use.
type cgroupTree struct {
	name string            // directory of this daemon below each base; immutable, like all here
	v2   string            // directory that holds ours in v2; "" when unusable
	v1   map[string]string // the same by v1 controller: pids, memory

	v2mount string // where the v2 tree is mounted

	limits    map[string]bool // limits that v2 can set: pids, memory
	cloneInto bool            // programs can be born into a group
	kill      bool            // cgroup.kill exists
	why       string          // why v2 is not usable
}

// cgroupMounts reads mountinfo and /proc/self/cgroup: the mount point and our
// own group of the v2 tree ("" key) and of the v1 pids and memory trees.
func cgroupMounts(mountinfo, self string) map[string]string {
	own := map[string]string{}
	for _, line := range strings.Split(self, "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) == 3 {
			for _, c := range strings.Split(f[1], ",") {
				own[c] = f[2]
			}
		}
	}
	out := map[string]string{}
	for _, line := range strings.Split(mountinfo, "\n") {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		root, point := unescapeMount(l[3]), unescapeMount(l[4])
		var names []string
		switch r[0] {
		case "cgroup2":
			names = []string{""}
		case "cgroup":
			names = strings.Split(r[2], ",")
		}
		for _, c := range names {
			path, have := own[c]
			if c != "" && c != "pids" && c != "memory" || !have {
				continue
			}
			rel, err := filepath.Rel(root, path)
			if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
				rel = "." // mounted by somebody in another cgroup namespace
			}
			if _, seen := out[c]; !seen {
				out[c] = point
				out[c+"/own"] = filepath.Join(point, rel)
			}
		}
	}
	return out
}

// unescapeMount undoes the octal escapes of mountinfo.
func unescapeMount(s string) string {
	for _, e := range []struct{ from, to string }{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, e.from, e.to)
	}
	return s
}

// findCgroups tries out what can be used. name is this daemon's directory;
// without names features that count as missing.
func findCgroups(name string, without func(string) bool) *cgroupTree {
	t := &cgroupTree{name: name, v1: map[string]string{}, limits: map[string]bool{}}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.why = err.Error()
		return t
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.why = err.Error()
		return t
	}
	m := cgroupMounts(string(info), string(self))
	switch {
	case without(featureCgroup):
		t.why = "switched off"
	case m[""] == "":
		t.why = "no cgroup2 file system is mounted"
	default:
		t.v2mount = m[""]
		t.findV2(m["/own"], m[""])
	}
	t.kill = t.kill && !without(featureCgroupKill)
	for _, c := range []string{"pids", "memory"} {
		if without("limit-"+c) || without(featureCgroup) {
			delete(t.limits, c)
			continue
		}
		if dir := m[c+"/own"]; dir != "" && !t.limits[c] && tryGroup(filepath.Join(dir, name)) == nil {
			t.v1[c] = dir
		}
	}
	return t
}

// findV2 picks the first place where groups can be made, preferring one where
// limits can be set. Our own group comes first, as the limits a container or
// unit has must go on to hold; but its controllers cannot be handed down while
// processes are in it, unless it is the root.
func (t *cgroupTree) findV2(own, root string) {
	var reasons []string
	for _, dir := range slices.Compact([]string{own, root}) {
		probe := filepath.Join(dir, t.name)
		if err := tryGroup(probe); err != nil {
			reasons = append(reasons, err.Error())
			continue
		}
		limits := map[string]bool{}
		for _, c := range controllers(filepath.Join(dir, "cgroup.controllers")) {
			if c != "pids" && c != "memory" {
				continue
			}
			on := slices.Contains(controllers(filepath.Join(dir, "cgroup.subtree_control")), c)
			if on || os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0) == nil {
				limits[c] = true
			}
		}
		if t.v2 == "" || len(limits) > len(t.limits) {
			t.v2, t.limits = dir, limits
			made := os.Mkdir(probe, 0o755) == nil
			_, err := os.Stat(filepath.Join(probe, "cgroup.kill"))
			if made {
				os.Remove(probe)
			}
			t.kill = err == nil
		}
	}
	t.why = strings.Join(reasons, "; ")
}

// tryGroup reports whether a group can be made at path; one that is there
// already must be writable.
func tryGroup(path string) error {
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return unix.Access(path, unix.W_OK)
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func controllers(file string) []string {
	b, _ := os.ReadFile(file)
	return strings.Fields(string(b))
}

// base is our directory in v2, "" without.
func (t *cgroupTree) base() string {
	if t.v2 == "" {
		return ""
	}
	return filepath.Join(t.v2, t.name)
}

// group is the cgroups of one session. Its fields are what the journal keeps.
type group struct {
	V2 string            `json:",omitempty"` // the session's directory
	V1 map[string]string `json:",omitempty"` // directory by controller
}

// plan names the groups of a session without making them.
func (t *cgroupTree) plan(name string, lim station.Limits) group {
	g := group{V1: map[string]string{}}
	if t.v2 != "" {
		g.V2 = filepath.Join(t.base(), name)
	}
	for c, dir := range t.v1 {
		if c == "pids" && lim.Processes > 0 || c == "memory" && lim.MemoryBytes > 0 {
			g.V1[c] = filepath.Join(dir, t.name, name)
		}
	}
	return g
}

// unlimited names the limits of lim that nothing here can enforce.
func (t *cgroupTree) unlimited(lim station.Limits) []string {
	var out []string
	if lim.Processes > 0 && !t.limits["pids"] && t.v1["pids"] == "" {
		out = append(out, "processes")
	}
	if lim.MemoryBytes > 0 && !t.limits["memory"] && t.v1["memory"] == "" {
		out = append(out, "memory")
	}
	return out
}

// openGroup is the descriptors of a session's groups while it starts.
type openGroup struct {
	holder *os.File   // v2: where the holder is born
	run    *os.File   // v2: where programs are born; nil if they follow the holder
	tasks  []*os.File // v1
}

func (o *openGroup) close() {
	for _, f := range append([]*os.File{o.holder, o.run}, o.tasks...) {
		if f != nil {
			f.Close()
		}
	}
}

// create makes the groups of g and sets the limits.
func (t *cgroupTree) create(g group, lim station.Limits) (*openGroup, error) {
	o := &openGroup{}
	err := t.createV2(g, lim, o)
	for c, dir := range g.V1 {
		if err != nil {
			break
		}
		value, file := lim.Processes+1, "pids.max" // the spawner thread is in it
		if c == "memory" {
			value, file = lim.MemoryBytes, "memory.limit_in_bytes"
		}
		if err = os.MkdirAll(dir, 0o755); err == nil {
			err = os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatUint(value, 10)), 0)
		}
		var f *os.File
		if err == nil {
			if f, err = os.OpenFile(filepath.Join(dir, "tasks"), os.O_WRONLY, 0); err == nil {
				o.tasks = append(o.tasks, f)
			}
		}
	}
	if err != nil {
		o.close()
		return nil, fmt.Errorf("cannot make the session's cgroup: %w", err)
	}
	return o, nil
}

func (t *cgroupTree) createV2(g group, lim station.Limits, o *openGroup) error {
	if g.V2 == "" {
		return nil
	}
	holder, run := filepath.Join(g.V2, groupHolder), filepath.Join(g.V2, groupRun)
	if err := os.MkdirAll(g.V2, 0o755); err != nil {
		return err
	}
	for c := range t.limits {
		for _, dir := range []string{t.base(), g.V2} {
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
				return err
			}
		}
	}
	dirs, extra := []string{holder, run}, uint64(0)
	if !t.cloneInto { // programs are born where the holder is
		dirs, extra = []string{run}, holderTasks
		holder = run
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if t.limits["pids"] && lim.Processes > 0 {
		if err := os.WriteFile(filepath.Join(run, "pids.max"), []byte(strconv.FormatUint(lim.Processes+extra, 10)), 0); err != nil {
			return err
		}
	}
	if t.limits["memory"] && lim.MemoryBytes > 0 {
		if err := os.WriteFile(filepath.Join(run, "memory.max"), []byte(strconv.FormatUint(lim.MemoryBytes, 10)), 0); err != nil {
			return err
		}
	}
	var err error
	if o.holder, err = os.Open(holder); err != nil {
		return err
	}
	if t.cloneInto {
		o.run, err = os.Open(run)
	}
	return err
}

// inodes lists the cgroup IDs of the session.
func (g group) inodes() []uint64 {
	var out []uint64
	if g.V2 != "" {
		for _, dir := range []string{g.V2, filepath.Join(g.V2, groupHolder), filepath.Join(g.V2, groupRun)} {
			if ino := inode(dir); ino != 0 {
				out = append(out, ino)
			}
		}
	}
	return out
}

// pids lists every process in the session's groups.
func (g group) pids() []int {
	var dirs []string
	if g.V2 != "" {
		filepath.WalkDir(g.V2, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
	}
	for _, dir := range g.V1 {
		dirs = append(dirs, dir)
	}
	var out []int
	for _, dir := range dirs {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 && !slices.Contains(out, pid) {
				out = append(out, pid)
			}
		}
	}
	return out
}

// killAll kills every process of the groups, at once where the kernel can.
func (g group) killAll(useKill bool) {
	if useKill && g.V2 != "" && os.WriteFile(filepath.Join(g.V2, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	for _, pid := range g.pids() {
		// A number read from the group may be reused by now: the pidfd is
		// taken first and the group asked again.
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if slices.Contains(g.pids(), pid) {
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
}

// remove waits until the groups are empty, killing what is left, and removes
// them. A group that is gone is fine.
func (g group) remove(ctx context.Context, useKill bool) error {
	var dirs []string
	if g.V2 != "" {
		filepath.WalkDir(g.V2, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs) // children first
	}
	for _, dir := range g.V1 {
		dirs = append(dirs, dir)
	}
	wait := time.Millisecond
	for _, dir := range dirs {
		for {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if !errors.Is(err, syscall.EBUSY) {
				return err
			}
			g.killAll(useKill)
			select {
			case <-ctx.Done():
				return fmt.Errorf("cannot remove %s: processes %v are still in it: %w", dir, g.pids(), ctx.Err())
			case <-time.After(wait):
			}
			wait = min(2*wait, 50*time.Millisecond)
		}
	}
	return nil
}

// removeBase removes our own directories where no session is left in them.
func (t *cgroupTree) removeBase() {
	if t.v2 != "" {
		os.Remove(t.base())
	}
	for _, dir := range t.v1 {
		os.Remove(filepath.Join(dir, t.name))
	}
}
