// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"stationmaster/station"
)

// liveState keeps what is needed to take sessions over after a crash: one file
// a session in the memory-backed run directory, replaced whole after every
// event that changes it. Only the engine's observer goroutine writes sessions.
type liveState struct {
	dir string       // immutable
	log *slog.Logger // immutable

	mu sync.Mutex
	// written has the checksum of each session's file: many an event changes
	// nothing that is kept. Guarded by mu.
	written map[uint32][sha256.Size]byte
}

func openLiveState(dir string, log *slog.Logger) (*liveState, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make directory %s: %w", dir, err)
	}
	return &liveState{dir: dir, log: log, written: map[uint32][sha256.Size]byte{}}, nil
}

func (l *liveState) messagesPath() string { return filepath.Join(l.dir, "messages.json") }
func (l *liveState) ticketsPath() string  { return filepath.Join(l.dir, "tickets.json") }
func (l *liveState) servicesPath() string { return filepath.Join(l.dir, "services.json") }

func (l *liveState) path(id uint32) string {
	return filepath.Join(l.dir, "session-"+strconv.FormatUint(uint64(id), 10)+".json")
}

// sessions reads what an earlier daemon left. A file that cannot be read is
// told about and skipped: its session is ended as one without a record.
func (l *liveState) sessions() []station.SessionState {
	var states []station.SessionState
	l.finish()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.log.Error("cannot read the live state", "error", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "session-") || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(l.dir, e.Name()))
		var st station.SessionState
		if err == nil {
			err = json.Unmarshal(b, &st)
		}
		if err != nil {
			l.log.Error("cannot read the live state of a session", "file", e.Name(), "error", err)
			continue
		}
		states = append(states, st)
	}
	return states
}

// changed writes the state of the session an event is about.
func (l *liveState) changed(e *station.Engine, ev station.Event) {
	st, err := e.SessionState(ev.Session)
	if err != nil {
		return // it ended meanwhile; its file goes with the event that says so
	}
	b, err := json.Marshal(st)
	sum := sha256.Sum256(b)
	if err == nil && l.keep(ev.Session, sum) {
		return
	}
	if err == nil {
		err = supersede(l.path(ev.Session), b)
	}
	if err != nil {
		l.forget(ev.Session)
		l.log.Error("cannot write the live state of a session", "session", ev.Session, "error", err)
	}
}

// keep notes what a session's file will hold, and reports whether it holds that
// already.
func (l *liveState) keep(id uint32, sum [sha256.Size]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.written[id]; ok && old == sum {
		return true
	}
	l.written[id] = sum
	return false
}

func (l *liveState) forget(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.written, id)
}

func (l *liveState) remove(id uint32) {
	l.forget(id)
	if err := os.Remove(l.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Error("cannot remove the live state of a session", "session", id, "error", err)
	}
}

func (l *liveState) removeAll() {
	if err := os.RemoveAll(l.dir); err != nil {
		l.log.Error("cannot remove the live state", "error", err)
	}
}

// supersede puts a file in place whole, in three steps of which any may be the
// last: the new one is written beside the old one, the old one goes, the new one
// takes its name. A rename over the old one would be one step less, but ext4
// then sends the new one to the disk at once, and the next replacement waits for
// that: a millisecond for each change of a state that no loss of power outlives.
func supersede(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(path+".new", path)
}

// finish ends what a killed daemon was at in supersede: a new file whose old one
// is gone is whole and takes its place, any other is half written.
func (l *liveState) finish() {
	fresh, _ := filepath.Glob(filepath.Join(l.dir, "session-*.json.new")) // the pattern is good
	for _, f := range fresh {
		path := strings.TrimSuffix(f, ".new")
		var err error
		if _, serr := os.Lstat(path); errors.Is(serr, fs.ErrNotExist) {
			var b []byte
			if b, err = os.ReadFile(f); err == nil && json.Valid(b) {
				if err = os.Rename(f, path); err == nil {
					continue
				}
			}
		}
		err = errors.Join(err, os.Remove(f))
		if err != nil {
			l.log.Error("cannot tidy up the live state", "file", f, "error", err)
		}
	}
}
