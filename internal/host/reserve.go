// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stationmaster/internal/layout"
)

// X clients try the abstract name @/tmp/.X11-unix/XN before the socket in the
// file system, so whoever binds it first gets their cookie, whatever mount
// namespace they are in. A small process of ours binds the names and never
// listens: clients are refused there and go on to the file. It outlives the
// daemon, as the names would be free in between.

// xNames is how many display numbers are reserved.
const xNames = 64

// XName says who has the abstract socket name of one X display.
type XName struct {
	Display  int
	Reserved bool   // by our reserver
	PID      int    // who has it otherwise; 0 when that cannot be seen
	Program  string // its command line
}

func abstractX(display int) string { return "@/tmp/.X11-unix/X" + strconv.Itoa(display) }

// bindXNames binds the abstract names of displays 0 to n-1 without listening.
// The descriptors live as long as the process.
func bindXNames(n int) (bound, failed []int) {
	for d := range n {
		if bindXName(d) == nil {
			bound = append(bound, d)
		} else {
			failed = append(failed, d)
		}
	}
	return bound, failed
}

func bindXName(display int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: abstractX(display)}); err != nil {
		unix.Close(fd)
		return err
	}
	return nil
}

type reserveReply struct{ Bound []int }

// reserverMain is the life of the process that keeps the names. Names that
// somebody else has are tried again now and then.
func reserverMain(conn *wireConn) int {
	bound, missing := bindXNames(xNames)
	err := conn.send(0, kindReply, reserveReply{Bound: bound}, nil)
	if err == nil {
		var f *frame
		if f, err = conn.recv(); err == nil && f.kind != kindCommit {
			err = fmt.Errorf("got frame %#x instead of a commit", f.kind)
		}
	}
	if err != nil { // not written down: nobody would ever end us
		fmt.Fprintf(os.Stderr, "station holder: reserver: %v\n", err)
		return 1
	}
	conn.close()
	debug.FreeOSMemory()
	watchRecord(os.Args[len(os.Args)-1], func() []int {
		var still []int
		for _, d := range missing {
			if bindXName(d) != nil {
				still = append(still, d)
			}
		}
		missing = still
		return still
	})
	return 0
}

// watchRecord returns when the reserver's record is removed, be it by
// Unreserve or with the whole run directory: then nobody would ever end us.
// Every ten seconds, as long as retry gives a name back, it is asked again.
func watchRecord(path string, retry func() []int) {
	in, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err == nil {
		_, err = unix.InotifyAddWatch(in, path, unix.IN_ATTRIB|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "station holder: reserver: cannot watch %s: %v\n", path, err)
		in = -1
	}
	buf := make([]byte, 4096)
	for {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		wait := -1
		if len(retry()) > 0 || in < 0 {
			wait = 10_000
		}
		p := []unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, wait); n > 0 {
			unix.Read(in, buf)
		}
	}
}

// reserverRecord is what the run directory keeps about the reserver.
type reserverRecord struct {
	Boot  string
	PID   int
	Start uint64
}

func (h *Host) reserverPath() string { return filepath.Join(h.opts.Dir, "reserver.json") }

// reserver opens the running reserver of this directory, fs.ErrNotExist if
// there is none.
func (h *Host) reserver() (pidfd int, rec reserverRecord, err error) {
	b, err := os.ReadFile(h.reserverPath())
	if err != nil {
		return -1, rec, err
	}
	if err := json.Unmarshal(b, &rec); err != nil || rec.Boot != bootID() {
		return -1, rec, os.ErrNotExist
	}
	pidfd, err = openPidfd(rec.PID, rec.Start)
	return pidfd, rec, err
}

// Reserve makes sure that nobody can take the abstract socket names of X
// displays 0 to 63 in the daemon's network namespace: it starts the reserver
// unless one of an earlier daemon still runs. It reports each name; a name that
// somebody else has is not an error of the call, but the caller should say so.
// Sessions with OwnNetwork get their own reservation without this.
func (h *Host) Reserve(ctx context.Context) ([]XName, error) {
	fd, rec, err := h.reserver()
	switch {
	case err == nil:
		unix.Close(fd)
	case errors.Is(err, os.ErrNotExist):
		if rec, err = h.startReserver(ctx); err != nil {
			return nil, fmt.Errorf("cannot reserve the abstract names of X displays: %w", err)
		}
	default:
		return nil, fmt.Errorf("cannot look for the reserver of X display names: %w", err)
	}
	return xNameTable(rec.PID)
}

func (h *Host) startReserver(ctx context.Context) (reserverRecord, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return reserverRecord{}, err
	}
	defer ours.close()
	p, err := h.spawnSelf(selfSpec{args: []string{"reserve", h.reserverPath()}, conn: theirs})
	theirs.Close()
	if err != nil {
		return reserverRecord{}, err
	}
	rec := reserverRecord{Boot: bootID(), PID: p.pid, Start: p.start}
	stop := context.AfterFunc(ctx, func() { ours.close() })
	defer stop()
	_, err = ours.recv()
	if err == nil {
		var b []byte
		if b, err = json.Marshal(rec); err == nil {
			err = layout.Replace(h.reserverPath(), b)
		}
	}
	if err == nil {
		err = ours.send(0, kindCommit, struct{}{}, nil)
	}
	if err != nil {
		p.kill()
		p.wait(context.Background())
		os.Remove(h.reserverPath())
		return reserverRecord{}, errors.Join(ctx.Err(), err)
	}
	h.adoptChild(p)
	return rec, nil
}

// Unreserve ends the reserver. The daemon calls it when it ends for good.
func (h *Host) Unreserve() error {
	fd, _, err := h.reserver()
	if err == nil {
		f := pidfdFile(fd)
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		waitExit(context.Background(), f)
		f.Close()
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Remove(h.reserverPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// xNameTable says who has each name, from the kernel's list of Unix sockets.
func xNameTable(reserver int) ([]XName, error) {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	inodes, err := parseXNames(f)
	if err != nil {
		return nil, err
	}
	ours := socketsOf(reserver)
	out := make([]XName, xNames)
	wanted := map[uint64]*XName{}
	for d := range out {
		out[d].Display = d
		ino, ok := inodes[d]
		if !ok {
			continue
		}
		if ours[ino] {
			out[d].Reserved = true
		} else {
			wanted[ino] = &out[d]
		}
	}
	findSocketOwners(wanted)
	return out, nil
}

// parseXNames reads /proc/net/unix for the inode of each bound X name:
// "Num RefCount Protocol Flags Type St Inode Path".
func parseXNames(r io.Reader) (map[int]uint64, error) {
	out := map[int]uint64{}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		if len(f) != 8 || f[5] != "01" { // 03 is a connection accepted under the name
			continue
		}
		num, ok := strings.CutPrefix(f[7], "@/tmp/.X11-unix/X")
		if !ok {
			continue
		}
		d, err := strconv.Atoi(num)
		ino, ierr := strconv.ParseUint(f[6], 10, 64)
		if err != nil || ierr != nil || d < 0 || d >= xNames {
			continue
		}
		out[d] = ino
	}
	return out, sc.Err()
}

// socketsOf lists the socket inodes a process has open.
func socketsOf(pid int) map[uint64]bool {
	out := map[uint64]bool{}
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	ents, err := os.ReadDir(dir)
	if err != nil {
		return out
	}
	for _, e := range ents {
		link, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			continue
		}
		if s, ok := strings.CutPrefix(link, "socket:["); ok {
			if ino, err := strconv.ParseUint(strings.TrimSuffix(s, "]"), 10, 64); err == nil {
				out[ino] = true
			}
		}
	}
	return out
}

// findSocketOwners fills in who has the wanted sockets, as far as we may see.
func findSocketOwners(wanted map[uint64]*XName) {
	if len(wanted) == 0 {
		return
	}
	ents, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range ents {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		for ino := range socketsOf(pid) {
			if n := wanted[ino]; n != nil && n.PID == 0 {
				n.PID = pid
				n.Program = commandLine(pid)
			}
		}
	}
}

// commandLine gives the command line of a process, blanks between its words.
func commandLine(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
}
