// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stationmaster/internal/layout"
	"stationmaster/station"
)

// The journal is one small file per session in Dir/journal. It is written
// before anything it names is made, and removed after all of it is gone, so
// whatever a dead daemon left is either in it or nobody's. The run directory is
// live state: it is not synced, as sessions do not outlive a boot.

// State of a session in the journal.
const (
	stateIntent = "intent" // about to be made, or half made
	stateLive   = "live"
	stateEnding = "ending"
)

// record is the journal's line about one session.
type record struct {
	Version    int
	State      string
	Boot       string // boot ID; everything else is void in another boot
	ID         uint32
	Nonce      string
	UID        uint32
	GID        uint32
	Groups     []uint32 `json:",omitempty"`
	Limits     station.Limits
	OwnNetwork bool
	Level      string
	SwitchUID  bool
	Group      group
	HolderPID  int    `json:",omitempty"`
	Start      uint64 `json:",omitempty"`
	PIDNS      uint64 `json:",omitempty"` // inode of the session's PID namespace
	Key        []byte
	Runtime    string // directory of the runtime directories, inside
	Public     string // where the public directory is seen, inside
	HostDir    string `json:",omitempty"` // directory on the host to remove at the end
	Marker     string `json:",omitempty"`
}

// name is the session's name in file names: unique also across restarts.
func (r *record) name() string { return fmt.Sprintf("s%d-%s", r.ID, r.Nonce) }

func (h *Host) journalDir() string           { return filepath.Join(h.opts.Dir, "journal") }
func (h *Host) holderDir() string            { return filepath.Join(h.opts.Dir, "holder") }
func (h *Host) journalPath(r *record) string { return filepath.Join(h.journalDir(), r.name()+".json") }
func (h *Host) socketPath(r *record) string  { return filepath.Join(h.holderDir(), r.name()+".sock") }

func (h *Host) writeRecord(r *record) error {
	b, err := json.Marshal(r)
	if err == nil {
		err = layout.Replace(h.journalPath(r), b)
	}
	if err != nil {
		return fmt.Errorf("cannot write the journal of session %d: %w", r.ID, err)
	}
	return nil
}

// readJournal gives every record. A file that cannot be read is reported in
// errs and left for a person to look at, its name in the error.
func (h *Host) readJournal() (recs []*record, errs []error) {
	ents, err := os.ReadDir(h.journalDir())
	if err != nil {
		return nil, []error{err}
	}
	for _, e := range ents {
		path := filepath.Join(h.journalDir(), e.Name())
		if !strings.HasSuffix(e.Name(), ".json") {
			os.Remove(path) // half a layout.Replace
			continue
		}
		b, err := os.ReadFile(path)
		var r record
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err == nil && r.name()+".json" != e.Name() {
			err = fmt.Errorf("it is about %s", r.name())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot read %s: %w", path, err))
			continue
		}
		recs = append(recs, &r)
	}
	return recs, errs
}

// removeIfThere removes a file that may be gone already.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
