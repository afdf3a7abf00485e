// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Memory is what a session takes of the machine's memory, in bytes.
type Memory struct {
	HolderPrivate uint64 // the holder's own pages
	HolderPSS     uint64 // with its share of the pages it has in common with others
	PSS           uint64 // the whole session, holder included
	Processes     int    // how many processes that is, holder included
}

// Memory adds up what the session's processes take now. Processes that the
// daemon may not read (rootless: those of no uid of its own) do not count.
func (s *Session) Memory() (Memory, error) {
	private, pss, err := smaps(s.rec.HolderPID)
	if err != nil {
		return Memory{}, fmt.Errorf("cannot read the memory of session %d: %w", s.rec.ID, err)
	}
	m := Memory{HolderPrivate: private, HolderPSS: pss, PSS: pss, Processes: 1}
	for _, pid := range s.Members() {
		if pid == s.rec.HolderPID {
			continue
		}
		if _, pss, err := smaps(pid); err == nil {
			m.PSS += pss
			m.Processes++
		}
	}
	return m, nil
}

// Members lists the host's numbers of all processes of the session, holder and
// forks of programs included. It is a snapshot for display: a number may be
// another's a moment later.
func (s *Session) Members() []int {
	if s.rec.Group.V2 != "" {
		return s.rec.Group.pids()
	}
	var out []int
	for _, pid := range allPIDs() {
		if s.rec.PIDNS != 0 {
			if inode("/proc/"+strconv.Itoa(pid)+"/ns/pid") == s.rec.PIDNS {
				out = append(out, pid)
			}
		} else if pid == s.rec.HolderPID || slices.Contains(Ancestors(pid), s.rec.HolderPID) {
			out = append(out, pid)
		}
	}
	return out
}

// smaps reads private and proportional bytes of a process.
func smaps(pid int) (private, pss uint64, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0, 0, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			continue
		}
		switch f[0] {
		case "Private_Clean:", "Private_Dirty:":
			private += n << 10
		case "Pss:":
			pss += n << 10
		}
	}
	return private, pss, nil
}
