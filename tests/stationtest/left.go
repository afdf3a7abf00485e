// SPDX-License-Identifier: Apache-2.0

package stationtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group is the name of the daemon's cgroup directory, as internal/host makes it
// from the path of its run directory.
func (d *Daemon) group() string {
	sum := sha256.Sum256([]byte(filepath.Join(d.Dir, "run", "host")))
	return "station-" + hex.EncodeToString(sum[:6])
}

// Leftovers tells what is on this machine of the daemon, which should be
// nothing once it has ended.
func (d *Daemon) Leftovers() []string {
	var found []string
	for _, pid := range d.processes() {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		found = append(found, fmt.Sprintf("process %d: %s", pid, strings.ReplaceAll(string(line), "\x00", " ")))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		found = append(found, err.Error())
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, d.Dir) {
			found = append(found, "mount: "+strings.TrimSpace(line))
		}
	}
	found = append(found, d.cgroups()...)
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		found = append(found, err.Error())
	}
	for line := range strings.Lines(string(sockets)) {
		if strings.Contains(line, d.Dir) {
			found = append(found, "open socket: "+strings.TrimSpace(line))
		}
	}
	// The lock and the holders' log stay; all else is live state.
	stay := []string{"host/lock", "host/holder.log"}
	_ = filepath.WalkDir(filepath.Join(d.Dir, "run"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if rel, _ := filepath.Rel(filepath.Join(d.Dir, "run"), path); !slices.Contains(stay, rel) {
			found = append(found, "file: "+path)
		}
		return nil
	})
	return found
}

// Processes gives the ids of everything that runs in the daemon's sessions,
// holders and X servers included, but not of the daemon itself.
func (d *Daemon) Processes() []int { return d.processes() }

// processes gives what runs from the daemon's directory, in one of its cgroups
// or with its directory in the command line, but for this process and the
// daemon itself.
func (d *Daemon) processes() []int {
	var found []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if strings.HasPrefix(exe, d.Dir+"/") || strings.Contains(string(line), d.Dir+"/") || strings.Contains(string(groups), "/"+d.group()) {
			if d.Running() && pid == d.PID() || state(pid) == "Z" {
				continue
			}
			found = append(found, pid)
		}
	}
	return found
}

// state gives the state letter of a process; a zombie waits for its parent
// and is nothing of the daemon's any more.
func state(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "Z"
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return after[:min(1, len(after))]
}

// cgroups gives the daemon's groups in every tree.
func (d *Daemon) cgroups() (found []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		if e.Name() == d.group() {
			found = append(found, "cgroup: "+path)
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// endByForce ends, after a failure, what a test must not leave on the machine.
// Everything is found by the daemon's own directory.
func (d *Daemon) endByForce() {
	if d.Running() {
		_ = d.cmd.Process.Kill()
		<-d.done
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		pids := d.processes()
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, c := range d.cgroups() {
		var dirs []string
		_ = filepath.WalkDir(strings.TrimPrefix(c, "cgroup: "), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs)
		for _, dir := range dirs {
			_ = os.Remove(dir)
		}
	}
}
