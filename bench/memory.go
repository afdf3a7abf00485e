// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// memory measures what 20 sessions with an X desktop each take.
func (b *bench) memory() error {
	if _, err := exec.LookPath("Xvnc"); err != nil {
		b.note("no Xvnc here: memory of X desktops is not measured")
		return nil
	}
	const sessions = 20
	user, err := b.user()
	if err != nil {
		return err
	}
	before, err := rollup(b.daemon.Process.Pid)
	if err != nil {
		return err
	}
	var ids []uint32
	for range sessions {
		id, err := b.logon(user, "x11")
		if err != nil {
			return err
		}
		ids = append(ids, id)
		if err := b.program(id, "/bin/true"); err != nil { // starts the X server
			return err
		}
	}
	time.Sleep(2 * time.Second) // servers and holders settle
	var holders, servers []map[string]int64
	children, err := childrenOf(b.daemon.Process.Pid)
	if err != nil {
		return err
	}
	for _, pid := range children {
		args := commandLine(pid)
		if len(args) < 3 || args[1] != "holder" || !strings.HasPrefix(args[2], "session-") || args[2] == "session-0" {
			continue
		}
		m, err := rollup(pid)
		if err != nil {
			return err
		}
		holders = append(holders, m)
		inside, err := childrenOf(pid)
		if err != nil {
			return err
		}
		for _, x := range inside {
			if filepath.Base(commandLine(x)[0]) != "Xvnc" {
				continue
			}
			if m, err = rollup(x); err != nil {
				return err
			}
			servers = append(servers, m)
		}
	}
	if len(holders) != sessions || len(servers) != sessions {
		return fmt.Errorf("%d holders and %d X servers for %d sessions", len(holders), len(servers), sessions)
	}
	after, err := rollup(b.daemon.Process.Pid)
	if err != nil {
		return err
	}
	kb := func(list []map[string]int64, field string) int64 {
		var all []int64
		for _, m := range list {
			all = append(all, m[field])
		}
		if len(all) == 0 {
			return 0
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	mb := func(v int64) string { return fmt.Sprintf("**%.2f** MB", float64(v)/1024) }
	private := kb(holders, "Private_Clean") + kb(holders, "Private_Dirty")
	b.add(fmt.Sprintf("holder, private memory (median of %d)", len(holders)), mb(private), "PSS "+mb(kb(holders, "Pss")), "", verdict(private <= 1536, "≤ 1.5 MB"))
	b.add(fmt.Sprintf("X desktop: Xvnc, PSS (median of %d)", len(servers)), mb(kb(servers, "Pss")), "private "+mb(kb(servers, "Private_Clean")+kb(servers, "Private_Dirty")), "", verdict(kb(servers, "Pss") <= 12*1024, "≤ 12 MB"))
	b.add(fmt.Sprintf("daemon, private memory per session (%d sessions)", sessions), fmt.Sprintf("**%d** KB", (after["Private_Dirty"]-before["Private_Dirty"])/sessions), "", "", "")
	b.add(fmt.Sprintf("daemon, PSS with %d sessions that nobody looks at", sessions), mb(after["Pss"]), "", "", "")
	if err := b.watching(ids, after); err != nil {
		return err
	}
	for _, id := range ids {
		if err := b.logoff(id); err != nil {
			return err
		}
	}
	return nil
}

// rollup reads a process's memory in kilobytes.
func rollup(pid int) (map[string]int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := map[string]int64{}
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) == 3 && fields[2] == "kB" {
			m[strings.TrimSuffix(fields[0], ":")], _ = strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return m, nil
}

// childrenOf lists the children of a process.
func childrenOf(pid int) ([]int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("cannot list the children of process %d", pid)
	}
	var all []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has just ended
		}
		for _, field := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			all = append(all, child)
		}
	}
	return all, nil
}

// commandLine gives what a process was started with; never empty.
func commandLine(pid int) []string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(string(b), "\x00")
}
