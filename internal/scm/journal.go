// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"stationmaster/internal/api"
	"stationmaster/internal/layout"
	"stationmaster/station"
	"stationmaster/win32"
)

// tagPrefix begins the tag of every service's process. The tag is kept by the
// host, so a process can be told to be a service's whatever the journal says.
const tagPrefix = "service:"

// journal is the file from which the next daemon learns which process runs
// which service and how far it has come.
type journal struct {
	path string // immutable; empty: none

	mu sync.Mutex // held while the file is written, so that the last state wins
}

// journalEntry is what the journal says of one service that is not stopped.
type journalEntry struct {
	Name       string
	Tag        string
	PID        int
	StartTime  uint64
	Status     api.ServiceStatus
	Args       []string
	Dispatched bool
	StopSent   bool
}

// saveJournal writes which services run. A journal that can't be written is
// said in the log; the services run on.
func (m *Manager) saveJournal() {
	j := &m.journal
	if j.path == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := []journalEntry{}
	m.mu.Lock()
	for _, s := range m.orderedLocked() {
		r := s.run
		if r == nil || s.status.State == win32.SERVICE_STOPPED {
			continue
		}
		e := journalEntry{Name: s.name, Tag: r.tag, Status: s.status, Args: r.args, Dispatched: r.dispatched, StopSent: r.stopSent}
		if r.process != nil {
			e.PID, e.StartTime = r.process.ID(), r.process.StartTime()
		}
		entries = append(entries, e)
	}
	m.mu.Unlock()
	b, err := json.Marshal(entries)
	if err == nil {
		err = layout.Replace(j.path, b)
	}
	if err != nil {
		m.log.Error("cannot write the journal of services", "err", err)
	}
}

func (j *journal) load() ([]journalEntry, error) {
	if j.path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []journalEntry
	if err == nil {
		err = json.Unmarshal(b, &entries)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal of services: %w", err)
	}
	return entries, nil
}

// adopt takes over the services that run in session 0 since an earlier daemon.
// One whose program ended meanwhile is stopped as if we had seen it end; a
// program that the journal does not know was started at the very end of the
// earlier daemon: a plain one runs, any other is ended.
func (m *Manager) adopt() error {
	entries, err := m.journal.load()
	if err != nil {
		return err
	}
	byTag := make(map[string]journalEntry)
	for _, e := range entries {
		byTag[e.Tag] = e
	}
	zero, ok := m.engine.Session(0)
	if !ok {
		return errors.New("cannot take over the services: the engine has no session 0")
	}
	living := make(map[string]bool)
	for _, p := range zero.Processes() {
		if !strings.HasPrefix(p.Tag(), tagPrefix) {
			continue
		}
		name := strings.TrimPrefix(p.Tag(), tagPrefix)
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			name = name[:i]
		}
		s := m.services[name]
		e, known := byTag[p.Tag()]
		if s == nil || s.run != nil || !known && !s.rec.Plain {
			m.log.Warn("ending a program whose service is not known", "tag", p.Tag(), "pid", p.ID())
			if err := m.engine.TerminateProcess(p, uint32(win32.ERROR_PROCESS_ABORTED)); err != nil {
				m.log.Error("cannot end a program", "pid", p.ID(), "err", err)
			}
			continue
		}
		living[p.Tag()] = true
		m.adoptRun(s, p, e, known)
	}
	for _, e := range entries {
		s := m.services[serviceKey(e.Name)]
		if s == nil || living[e.Tag] || s.run != nil {
			continue
		}
		st := api.ServiceStatus{Type: s.rec.Type, State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_PROCESS_ABORTED)}
		code, found := endedWithTag(zero.Host(), e.Tag)
		if s.rec.Plain && (e.StopSent || found && code == 0) {
			st.Win32ExitCode = 0
		} else if s.rec.Plain {
			st.SpecificExitCode = code
		}
		s.status = st
	}
	m.saveJournal()
	return nil
}

// adoptRun makes a living process the program of a service again.
func (m *Manager) adoptRun(s *service, p *station.Process, e journalEntry, known bool) {
	r := &run{
		service: s, plain: s.rec.Plain, args: e.Args, tag: p.Tag(), process: p,
		connected: make(chan struct{}), ended: make(chan struct{}),
		serial: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		dispatched: e.Dispatched, stopSent: e.StopSent,
	}
	st := e.Status
	if !known || r.plain && st.State == win32.SERVICE_START_PENDING {
		st = api.ServiceStatus{Type: s.rec.Type, State: win32.SERVICE_RUNNING, Accepts: win32.SERVICE_ACCEPT_STOP | win32.SERVICE_ACCEPT_SHUTDOWN}
	}
	if len(r.args) == 0 {
		r.args = []string{s.name}
	}
	st.ProcessID = uint32(p.ID())
	if r.dispatched {
		close(r.connected)
	}
	s.run, s.status = r, st
	m.watch(r)
	switch {
	case r.plain && r.stopSent:
		m.endPlain(r, p)
	case !r.plain && st.State == win32.SERVICE_START_PENDING:
		m.goWork(func() {
			select {
			case m.starting <- struct{}{}:
				defer func() { <-m.starting }()
			case <-m.ctx.Done():
				return
			}
			_ = m.settle(r)
		})
	}
	m.log.Info("taking over a service", "service", s.name, "pid", p.ID(), "state", stateName(st.State))
}

// endedWithTag gives the exit code of an ended process that the host still
// keeps.
func endedWithTag(h station.HostSession, tag string) (uint32, bool) {
	if h == nil {
		return 0, false
	}
	for _, p := range h.Processes() {
		if p.Tag() != tag {
			continue
		}
		select {
		case <-p.Done():
			return uint32(p.ExitStatus().Code), true
		default:
		}
	}
	return 0, false
}
