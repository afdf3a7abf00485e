// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	runUser      = "/run/user"      // holds the runtime directories
	runUserInTmp = "/tmp/.run-user" // the same where the machine has no /run/user
)

// enterSession makes the mounts of the session. The process is alone in new
// mount and IPC namespaces, PID 1 of a new PID namespace.
func (hd *holder) enterSession() error {
	m := &hd.setup
	// The host's procfs knows host-wide PIDs; /proc will soon not.
	hostProc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /proc: %w", err)
	}
	if err := hd.keepHostProc(hostProc); err != nil {
		return err
	}
	if !m.Namespaces {
		hd.runtime, hd.public = string(m.RuntimeDir), string(m.Public)
		return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	public := -1
	if len(m.Public) > 0 {
		if public, err = unix.Open(string(m.Public), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("cannot open %s: %w", m.Public, err)
		}
		defer unix.Close(public)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("cannot cut the mounts off from the host's: %w", err)
	}
	size := ""
	if m.Memory > 0 {
		size = ",size=" + strconv.FormatUint(m.Memory, 10)
	}
	if err := mountTmpfs("/tmp", "mode=1777"+size); err != nil {
		return err
	}
	// Nobody may be first to make these and own them.
	for _, dir := range []string{"/tmp/.X11-unix", "/tmp/.ICE-unix"} {
		if err := makeDir(dir, 0o1777, 0, 0, false); err != nil {
			return err
		}
	}
	if isDir("/dev/shm") {
		if err := mountTmpfs("/dev/shm", "mode=1777"+size); err != nil {
			return err
		}
	}
	hd.runtime = runUser
	if isDir(runUser) || !m.UserNS && os.Mkdir(runUser, 0o755) == nil {
		if err := mountTmpfs(runUser, "mode=0755,size=10%"); err != nil {
			return err
		}
	} else {
		hd.runtime = runUserInTmp
		if err := makeDir(runUserInTmp, 0o755, 0, 0, false); err != nil {
			return err
		}
		hd.features = append(hd.features, Feature{Name: featureRunUser, Instead: "the session's runtime directories are below " + runUserInTmp})
	}
	if isDir("/dev/mqueue") { // a view of the IPC namespace it was mounted in
		if err := unix.Mount("mqueue", "/dev/mqueue", "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("cannot mount /dev/mqueue: %w", err)
		}
	}
	if err := mountDevpts(m.UserNS); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	if public >= 0 {
		hd.public = hd.runtime + "/station"
		if err := bindReadOnly(public, hd.public); err != nil {
			return err
		}
	}
	for _, dir := range m.Mask {
		if err := maskDir(string(dir), hd.public); err != nil {
			return err
		}
	}
	if m.OwnNetwork {
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("cannot bring up loopback: %w", err)
		}
	}
	return nil
}

// keepHostProc keeps fd, an open host procfs, and asks it for our own number.
func (hd *holder) keepHostProc(fd int) error {
	hd.hostProc = fd
	buf := make([]byte, 32)
	n, err := unix.Readlinkat(fd, "self", buf)
	if err != nil {
		return fmt.Errorf("cannot read /proc/self: %w", err)
	}
	if hd.hostPID, err = strconv.Atoi(string(buf[:n])); err != nil {
		return fmt.Errorf("cannot read /proc/self: %w", err)
	}
	return nil
}

// readHostProc reads a small file of the host's procfs.
func (hd *holder) readHostProc(name string) ([]byte, error) {
	fd, err := unix.Openat(hd.hostProc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// hostIdentity gives the host's number and the start time of the process
// behind pidfd, which must not have been reaped yet.
func (hd *holder) hostIdentity(pidfd int) (pid int, start uint64) {
	b, err := hd.readHostProc("self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, _ = strconv.Atoi(strings.TrimSpace(v))
		}
	}
	if pid <= 0 {
		return 0, 0
	}
	if b, err = hd.readHostProc(strconv.Itoa(pid) + "/stat"); err != nil {
		return pid, 0
	}
	st, err := parseStat(b)
	if err != nil {
		return pid, 0
	}
	return pid, st.start
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func mountTmpfs(dir, opts string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, opts); err != nil {
		return fmt.Errorf("cannot mount a private %s: %w", dir, err)
	}
	return nil
}

// makeDir makes dir with exactly mode and, if chown, owner. A directory that
// is there already is left alone.
func makeDir(dir string, mode uint32, uid, gid uint32, chown bool) error {
	err := unix.Mkdir(dir, 0o700)
	if err == unix.EEXIST {
		return nil
	}
	if err == nil && chown {
		err = unix.Lchown(dir, int(uid), int(gid))
	}
	if err == nil {
		err = unix.Chmod(dir, mode)
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", dir, err)
	}
	return nil
}

// mountDevpts gives the session pseudo terminals of its own. The host's
// /dev/ptmx would open the host's instance, so ours is bound over it; where it
// is a link to pts/ptmx it leads to ours anyway.
func mountDevpts(userNS bool) error {
	opts := "newinstance,ptmxmode=0666,mode=0620"
	if !userNS {
		opts += ",gid=5"
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, opts); err != nil {
		return fmt.Errorf("cannot mount /dev/pts: %w", err)
	}
	st, err := os.Lstat("/dev/ptmx")
	if err == nil && st.Mode()&os.ModeSymlink == 0 {
		if err := unix.Mount("/dev/pts/ptmx", "/dev/ptmx", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot bind /dev/ptmx: %w", err)
		}
	}
	return nil
}

// bindReadOnly shows the directory behind fd at target. Sockets in it can be
// connected to: a read-only mount stops only changes of files.
func bindReadOnly(fd int, target string) error {
	if err := makeDir(target, 0o755, 0, 0, false); err != nil {
		return err
	}
	src := "/proc/self/fd/" + strconv.Itoa(fd)
	if err := unix.Mount(src, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot bind %s: %w", target, err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return fmt.Errorf("cannot look at %s: %w", target, err)
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	// What the source's mount already forbids may be locked and must be repeated.
	for _, f := range []struct{ st, ms uintptr }{
		{unix.ST_NOEXEC, unix.MS_NOEXEC},
		{unix.ST_NOATIME, unix.MS_NOATIME},
		{unix.ST_NODIRATIME, unix.MS_NODIRATIME},
		{unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if uintptr(st.Flags)&f.st != 0 {
			flags |= f.ms
		}
	}
	if err := unix.Mount("", target, "", flags, ""); err != nil {
		return fmt.Errorf("cannot make %s read-only: %w", target, err)
	}
	return nil
}

// maskDir hides dir behind an empty read-only tmpfs. What a private mount has
// hidden already needs nothing; keep is never hidden.
func maskDir(dir, keep string) error {
	if keep != "" && (dir == keep || strings.HasPrefix(keep, dir+"/")) {
		return fmt.Errorf("cannot hide %s: %s is in it: %w", dir, keep, syscall.EINVAL)
	}
	if _, err := os.Stat(filepath.Clean(dir)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("cannot hide %s: %w", dir, err)
	}
	flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, "mode=0555,size=4k,nr_inodes=2"); err != nil {
		return fmt.Errorf("cannot hide %s: %w", dir, err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// ensureRuntime makes the runtime directory of uid: private, as programs keep
// cookies and sockets there.
func (hd *holder) ensureRuntime(uid, gid uint32) (string, error) {
	if hd.setup.UserNS {
		uid, gid = hd.setup.UID, hd.setup.GID
	}
	dir := hd.runtime + "/" + strconv.FormatUint(uint64(uid), 10)
	return dir, makeDir(dir, 0o700, uid, gid, hd.setup.SwitchUID)
}
