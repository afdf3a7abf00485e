// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// heldProc is the holder's record of one program.
type heldProc struct {
	id    uint64 // immutable, like all up to tag
	pid   int    // in our PID namespace
	host  int    // in the host's
	start uint64
	tag   []byte

	pidfd  int  // guarded by holder.mu; -1 once ended
	ended  bool // guarded by holder.mu, like the rest
	code   int
	signal int
}

// message describes p and copies its pidfd, -1 when it has ended. The caller
// holds holder.mu.
func (p *heldProc) message() (procMsg, int) {
	m := procMsg{ID: p.id, PID: p.host, Start: p.start, Tag: p.tag, Ended: p.ended, Code: p.code, Signal: p.signal}
	fd := -1
	if !p.ended {
		if d, err := unix.FcntlInt(uintptr(p.pidfd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			fd, m.HasFD = d, true
		}
	}
	return m, fd
}

// forkJob asks the spawner thread for one fork and exec.
type forkJob struct {
	path string
	argv []string
	tag  []byte
	attr *syscall.ProcAttr
	done chan error // exec's verdict

	proc *heldProc // set before done, if exec succeeded
}

// spawner is the one thread that forks. It confines itself first and never
// unlocks, so that programs, and they alone, inherit the confinement.
func (hd *holder) spawner(ready chan<- error) {
	runtime.LockOSThread()
	for _, fd := range hd.tasks {
		// v1 counts threads: this one joins the limited group and programs are
		// born into it, while the rest of the holder stays outside.
		_, err := unix.Write(fd, []byte("0"))
		unix.Close(fd)
		if err != nil {
			ready <- fmt.Errorf("cannot join the session's v1 cgroup: %w", err)
			return
		}
	}
	if err := confineThread(&hd.setup); err != nil {
		ready <- err
		return
	}
	ready <- nil
	for job := range hd.forks {
		pidfd := -1
		job.attr.Sys.PidFD = &pidfd
		hd.forkMu.Lock()
		pid, err := syscall.ForkExec(job.path, job.argv, job.attr)
		if err == nil {
			job.proc = hd.record(pid, pidfd, job.tag)
		} else if pidfd >= 0 {
			unix.Close(pidfd)
		}
		hd.forkMu.Unlock()
		job.done <- err
	}
}

// answerSpawn starts a program and tells whoever is the daemon by then.
func (hd *holder) answerSpawn(c *wireConn, f *frame) {
	var m spawnMsg
	err := json.Unmarshal(f.body, &m)
	var p *heldProc
	if err == nil {
		p, err = hd.spawn(&m, f)
	}
	if err != nil {
		c.send(f.id, kindSpawn|kindReply, spawnReply{Err: toWire(err)}, nil)
		return
	}
	hd.mu.Lock()
	cur := hd.conn
	msg, fd := p.message()
	hd.mu.Unlock()
	var fds []int
	if fd >= 0 {
		fds = []int{fd}
	}
	if cur == c {
		c.send(f.id, kindSpawn|kindReply, spawnReply{Proc: msg}, fds)
	} else if cur != nil { // asked for by a daemon that is gone
		cur.send(0, eventSpawned, spawnReply{Proc: msg}, fds)
	}
	closeFDs(fds)
}

func (hd *holder) spawn(m *spawnMsg, f *frame) (*heldProc, error) {
	files := make([]uintptr, max(3, len(m.Files)))
	for i := range files {
		files[i] = uintptr(hd.null)
		if i < len(m.Files) && m.Files[i] {
			fd := f.takeFD()
			if fd < 0 {
				return nil, fmt.Errorf("descriptor %d did not arrive: %w", i, syscall.EBADF)
			}
			defer unix.Close(fd)
			files[i] = uintptr(fd)
		}
	}
	env := stringSlice(m.Env)
	if hd.setup.Marker != "" {
		env = append(env, hd.setup.Marker)
	}
	attr := &syscall.ProcAttr{Dir: string(m.Dir), Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}}
	if attr.Dir == "" {
		attr.Dir = "/"
	}
	if hd.setup.SwitchUID {
		attr.Sys.Credential = &syscall.Credential{Uid: m.UID, Gid: m.GID, Groups: m.Groups}
	}
	if !hd.setup.Namespaces { // there nothing else ends it with the holder
		attr.Sys.Pdeathsig = syscall.SIGKILL
	}
	if hd.cgroup >= 0 {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, hd.cgroup
	}
	if hd.setup.Namespaces {
		if _, err := hd.ensureRuntime(m.UID, m.GID); err != nil {
			return nil, err
		}
	}
	paths, err := candidates(string(m.Path), env)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		job := &forkJob{path: path, argv: stringSlice(m.Args), tag: m.Tag, attr: attr, done: make(chan error)}
		hd.forks <- job
		if err = <-job.done; err == nil {
			return job.proc, nil
		}
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EACCES) {
			break
		}
	}
	return nil, spawnError(string(m.Path), attr.Dir, err)
}

// tryFork forks as spawn does it, for a program that cannot exist.
func (hd *holder) tryFork() error {
	_, err := hd.spawn(&spawnMsg{Path: []byte("/proc/self/fd/none"), Args: [][]byte{[]byte("none")}, UID: hd.setup.UID, GID: hd.setup.GID}, &frame{})
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return fmt.Errorf("cannot start programs: %w", err)
}

// record enters a started program. The caller holds forkMu.
func (hd *holder) record(pid, pidfd int, tag []byte) *heldProc {
	p := &heldProc{pid: pid, tag: tag, pidfd: pidfd}
	p.host, p.start = hd.hostIdentity(pidfd)
	hd.mu.Lock()
	defer hd.mu.Unlock()
	hd.lastID++
	p.id = hd.lastID
	hd.procs[p.id] = p
	hd.byPID[p.pid] = p
	return p
}

// maxCandidates bounds how many files of a PATH are tried: each try is a fork.
const maxCandidates = 64

// candidates lists the files a program's path may mean. A bare name is looked
// up in PATH as execvp does it, but here, inside the session.
func candidates(path string, env []string) ([]string, error) {
	if filepath.IsAbs(path) {
		return []string{path}, nil
	}
	if path == "" || strings.Contains(path, "/") {
		return nil, fmt.Errorf("%q is neither an absolute path nor a bare name: %w", path, syscall.EINVAL)
	}
	dirs := "/usr/local/bin:/usr/bin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			dirs = v
		}
	}
	var out []string
	for _, dir := range filepath.SplitList(dirs) {
		file := filepath.Join(dir, path)
		if !filepath.IsAbs(file) {
			continue // never what lies in the working directory
		}
		st, err := os.Stat(file)
		if err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
			continue
		}
		if out = append(out, file); len(out) == maxCandidates {
			break
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s is not in PATH %s: %w", path, dirs, syscall.ENOENT)
	}
	return out, nil
}

// spawnError says whether the program or its working directory is at fault,
// which the errno of fork and exec does not.
//
// The holder sees more than the program's user does: where that user was
// refused, nothing is looked up for him.
func spawnError(path, dir string, err error) error {
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		if dir != "/" {
			return fmt.Errorf("%s in working directory %s: %w", path, dir, err)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	if st, derr := os.Stat(dir); derr != nil {
		return fmt.Errorf("working directory %s: %w", dir, errors.Unwrap(derr))
	} else if !st.IsDir() {
		return fmt.Errorf("working directory %s: %w", dir, syscall.ENOTDIR)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// reap collects everything that ended, orphans included, and tells the daemon
// about the programs it asked for.
func (hd *holder) reap() {
	for {
		hd.forkMu.Lock()
		var st unix.WaitStatus
		pid, err := unix.Wait4(-1, &st, unix.WNOHANG, nil)
		if err == unix.EINTR {
			hd.forkMu.Unlock()
			continue
		}
		if err != nil || pid <= 0 {
			hd.forkMu.Unlock()
			return
		}
		hd.mu.Lock()
		p := hd.byPID[pid]
		var msg procMsg
		if p != nil {
			delete(hd.byPID, pid)
			unix.Close(p.pidfd)
			p.pidfd, p.ended = -1, true
			p.code = st.ExitStatus()
			if st.Signaled() {
				p.signal = int(st.Signal())
				p.code = 128 + p.signal
			}
			msg, _ = p.message()
		}
		c := hd.conn
		hd.mu.Unlock()
		hd.forkMu.Unlock()
		if p != nil && c != nil {
			c.send(0, eventExit, msg, nil)
		}
	}
}
