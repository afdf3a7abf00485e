// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Adopt takes over the sessions that outlived an earlier daemon, with all
// their programs and the exit statuses kept meanwhile, lowest ID first. What
// is half made or belongs to no session is ended and removed; the log says
// which. The error names what could not be cleaned up; the sessions are valid
// all the same. It is called once, after Open.
func (h *Host) Adopt(ctx context.Context) ([]*Session, error) {
	recs, errs := h.readJournal()
	keep := map[string]bool{} // names of sessions that live
	bad := len(errs) > 0      // then a group without a record may have one that cannot be read
	var out []*Session
	for _, r := range recs {
		s, err := h.adoptOne(ctx, r)
		if err == nil {
			keep[r.name()] = true
			out = append(out, s)
			h.opts.Logger.Info("session adopted", "session", r.ID, "holder", r.HolderPID, "processes", len(s.procs))
			continue
		}
		h.opts.Logger.Warn("session of an earlier daemon ended and removed", "session", r.ID, "state", r.State, "why", err)
		if err := h.clean(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("cannot remove session %d of an earlier daemon: %w", r.ID, err))
			keep[r.name()] = true
		}
	}
	if !bad {
		errs = append(errs, h.removeStrays(ctx, keep)...)
	}
	slices.SortFunc(out, func(a, b *Session) int { return int(int64(a.rec.ID) - int64(b.rec.ID)) })
	return out, errors.Join(errs...)
}

// adoptOne connects to the holder of a live record. An error means that the
// session must be cleaned up.
func (h *Host) adoptOne(ctx context.Context, r *record) (*Session, error) {
	if r.Boot != bootID() {
		return nil, errors.New("it is of an earlier boot")
	}
	if r.State != stateLive {
		return nil, fmt.Errorf("it was in state %s", r.State)
	}
	p, err := reopen(r.HolderPID, r.Start)
	if err != nil {
		return nil, fmt.Errorf("its holder, process %d, is gone: %w", r.HolderPID, err)
	}
	c, err := dialUnix(h.socketPath(r))
	if err != nil {
		p.close()
		return nil, err
	}
	s := &Session{h: h, rec: r, done: make(chan struct{}), calls: map[uint32]*call{}, procs: map[uint64]*Process{}, early: map[uint64]procMsg{}}
	s.holder, s.conn = p, c
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.close() })
	procs, err := s.greet()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil && !h.enter(s) {
		err = fmt.Errorf("another session %d runs: %w", r.ID, fs.ErrExist)
	}
	if err == nil && !h.run(s, p, c, procs) {
		h.leave(s)
		err = errors.New("the host is closed")
	}
	if err != nil {
		for _, p := range procs {
			p.release()
		}
		c.close()
		p.close()
		return nil, err
	}
	return s, nil
}

// greet says hello and lists the programs, before anything else reads the
// connection. Exits reported in between are in the list too.
func (s *Session) greet() (procs []*Process, err error) {
	var hello helloReply
	if err := s.roundTrip(1, kindHello, helloMsg{Version: protoVersion, Key: s.rec.Key}, &hello, nil); err != nil {
		return nil, fmt.Errorf("its holder does not answer: %w", err)
	}
	if err := fromWire(hello.Err); err != nil {
		return nil, err
	}
	if hello.ID != s.rec.ID {
		return nil, fmt.Errorf("its holder says it is session %d", hello.ID)
	}
	known := map[uint64]*Process{}
	var after uint64
	for id := uint32(2); ; id++ {
		var list listReply
		err = s.roundTrip(id, kindList, listMsg{After: after}, &list, func(f *frame) {
			for _, m := range list.Procs {
				fd := -1
				if m.HasFD {
					fd = f.takeFD()
				}
				known[m.ID] = newProcess(s, m, fd)
				procs = append(procs, known[m.ID])
				after = m.ID
			}
		})
		if err == nil {
			err = fromWire(list.Err)
		}
		if err != nil {
			for _, p := range procs {
				p.release()
			}
			return nil, err
		}
		if !list.More {
			break
		}
	}
	s.lastID = 1 << 16
	for id, m := range s.early { // ended while the list was under way
		if p := known[id]; p != nil {
			p.end(m)
			delete(s.early, id)
		}
	}
	return procs, nil
}

// roundTrip is ask for a connection that nobody else reads yet.
func (s *Session) roundTrip(id uint32, kind uint16, req, reply any, take func(*frame)) error {
	if err := s.conn.send(id, kind, req, nil); err != nil {
		return err
	}
	for {
		f, err := s.conn.recv()
		if err != nil {
			return err
		}
		if f.id != id || f.kind != kind|kindReply {
			s.dispatch(f)
			continue
		}
		err = json.Unmarshal(f.body, reply)
		if err == nil && take != nil {
			take(f)
		}
		f.close()
		return err
	}
}

// killSession kills every process of a session but, perhaps, its holder.
func (h *Host) killSession(r *record) {
	r.Group.killAll(h.trees.kill)
	if r.PIDNS == 0 && r.HolderPID != 0 {
		// No namespace ends them with the holder: its descendants go first, as
		// orphans of a dead holder are no longer known as such.
		for range 100 {
			st, err := readStat("/proc", r.HolderPID)
			if err != nil || st.start != r.Start || killDescendants(r.HolderPID) == 0 {
				break
			}
		}
	}
}

// killDescendants kills what descends from pid and says how many that were.
func killDescendants(pid int) int {
	n := 0
	for _, d := range allPIDs() {
		if d == pid || !slices.Contains(Ancestors(d), pid) {
			continue
		}
		fd, err := unix.PidfdOpen(d, 0)
		if err != nil {
			continue
		}
		st, err := readStat("/proc", d)
		if err == nil && st.state != 'Z' && slices.Contains(Ancestors(d), pid) {
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			n++
		}
		unix.Close(fd)
	}
	return n
}

// killMarked kills the programs whose environment has the marker: what a dead
// holder of a session without namespaces left. A program can hide from it.
func killMarked(marker string) {
	want := []byte("\x00" + marker + "\x00")
	for range 10 {
		n := 0
		for _, pid := range allPIDs() {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
			if err == nil && bytes.Contains(append([]byte{0}, env...), want) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
				n++
			}
			unix.Close(fd)
		}
		if n == 0 {
			return
		}
	}
}

func allPIDs() []int {
	ents, _ := os.ReadDir("/proc")
	var out []int
	for _, e := range ents {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// clean ends and removes everything a record names, then the record. It may be
// called for any state, again and again.
func (h *Host) clean(ctx context.Context, r *record) error {
	if r.Boot == bootID() {
		h.killSession(r)
		if r.HolderPID != 0 {
			if p, err := reopen(r.HolderPID, r.Start); err == nil {
				p.kill()
				err = p.wait(ctx)
				p.close()
				if err != nil {
					return fmt.Errorf("the holder, process %d, does not end: %w", r.HolderPID, err)
				}
			}
		}
		if r.Marker != "" {
			killMarked(r.Marker)
		}
		if err := r.Group.remove(ctx, h.trees.kill); err != nil {
			return err
		}
	}
	if err := removeIfThere(h.socketPath(r)); err != nil {
		return err
	}
	// Only a name of our own making is removed with all in it.
	if r.HostDir != "" && filepath.Base(r.HostDir) == "station-"+r.name() {
		if err := os.RemoveAll(r.HostDir); err != nil {
			return err
		}
	}
	return removeIfThere(h.journalPath(r))
}

// removeStrays ends and removes groups and sockets that no record names.
func (h *Host) removeStrays(ctx context.Context, keep map[string]bool) (errs []error) {
	bases := []string{h.trees.base()}
	for _, dir := range h.trees.v1 {
		bases = append(bases, filepath.Join(dir, h.trees.name))
	}
	for i, base := range bases {
		if base == "" {
			continue
		}
		ents, _ := os.ReadDir(base)
		for _, e := range ents {
			if !e.IsDir() || keep[e.Name()] {
				continue
			}
			g := group{V2: filepath.Join(base, e.Name())}
			if i > 0 {
				g = group{V1: map[string]string{"": filepath.Join(base, e.Name())}}
			}
			h.opts.Logger.Warn("cgroup without a session ended and removed", "cgroup", filepath.Join(base, e.Name()), "processes", g.pids())
			g.killAll(h.trees.kill)
			if err := g.remove(ctx, h.trees.kill); err != nil {
				errs = append(errs, err)
			}
		}
	}
	ents, _ := os.ReadDir(h.holderDir())
	for _, e := range ents {
		if !keep[strings.TrimSuffix(e.Name(), ".sock")] {
			h.opts.Logger.Warn("holder socket without a session removed", "socket", e.Name())
			if err := removeIfThere(filepath.Join(h.holderDir(), e.Name())); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}
