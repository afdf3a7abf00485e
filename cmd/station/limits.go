// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stationmaster/internal/host"
	"stationmaster/station"
)

// sessionLimits are what a user's session may take of the machine, so that one
// session's fork bomb, or what it fills memory with, ends there: a quarter of
// the tasks the kernel allows and three quarters of the memory, each where a
// cgroup can limit it.
func sessionLimits(iso host.Isolation) station.Limits {
	can := func(name string) bool {
		return slices.ContainsFunc(iso.Features, func(f host.Feature) bool { return f.Name == name && f.Available })
	}
	var l station.Limits
	if can("limit-pids") {
		tasks := uint64(1 << 16)
		for _, file := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
			if b, err := os.ReadFile(file); err == nil {
				if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
					tasks = min(tasks, n)
				}
			}
		}
		l.Processes = max(tasks/4, 256)
	}
	var info unix.Sysinfo_t
	if can("limit-memory") && unix.Sysinfo(&info) == nil {
		l.MemoryBytes = uint64(info.Totalram) * uint64(info.Unit) / 4 * 3
	}
	return l
}
