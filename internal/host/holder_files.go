// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// openNoLinks opens path without following any symbolic or magic link, in any
// of its parts.
func openNoLinks(path string, flags uint64) (int, error) {
	return unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// writeFile puts data under name into the runtime directory of the file's
// owner. The user can write there too, so the file is made under a name of our
// own, finished, and moved into place: nothing he prepares is followed or
// written to.
func (hd *holder) writeFile(m *writeMsg) (string, error) {
	name := string(m.Name)
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 200 {
		return "", fmt.Errorf("%q is no file name: %w", name, syscall.EINVAL)
	}
	path, err := hd.ensureRuntime(m.UID, m.GID)
	if err != nil {
		return "", err
	}
	dir, err := openNoLinks(path, unix.O_DIRECTORY|unix.O_PATH)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(dir)
	tmp := "." + rand.Text()
	fd, err := unix.Openat(dir, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return "", fmt.Errorf("%s/%s: %w", path, name, err)
	}
	for data := m.Data; len(data) > 0 && err == nil; {
		var n int
		n, err = unix.Write(fd, data)
		data = data[max(n, 0):]
	}
	if err == nil && hd.setup.SwitchUID {
		err = unix.Fchown(fd, int(m.UID), int(m.GID))
	}
	if err == nil {
		err = unix.Fchmod(fd, m.Mode&0o777)
	}
	unix.Close(fd)
	if err == nil {
		err = unix.Renameat(dir, tmp, dir, name)
	}
	if err != nil {
		unix.Unlinkat(dir, tmp, 0)
		return "", fmt.Errorf("%s/%s: %w", path, name, err)
	}
	return path + "/" + name, nil
}

// removeFile removes a file of one of the runtime directories; one that is not
// there is fine.
func (hd *holder) removeFile(path string) error {
	dir, name := filepath.Split(filepath.Clean(path))
	dir = filepath.Clean(dir)
	if _, err := strconv.ParseUint(filepath.Base(dir), 10, 32); err != nil || filepath.Dir(dir) != hd.runtime {
		return fmt.Errorf("%s is not in a runtime directory of the session: %w", path, syscall.EINVAL)
	}
	fd, err := openNoLinks(dir, unix.O_DIRECTORY|unix.O_PATH)
	if err == nil {
		err = unix.Unlinkat(fd, name, 0)
		unix.Close(fd)
	}
	if err != nil && err != unix.ENOENT {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// dialInside connects to the Unix socket at path as the session sees it. The
// socket is opened first and connected to through its descriptor, so that
// nothing can be put in its place in between.
func dialInside(path string) (int, error) {
	if !filepath.IsAbs(path) {
		return -1, fmt.Errorf("%q is no absolute path: %w", path, syscall.EINVAL)
	}
	at, err := openNoLinks(path, unix.O_PATH)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
	case unix.S_IFLNK:
		return -1, fmt.Errorf("%s is a symbolic link: %w", path, syscall.ELOOP)
	default:
		return -1, fmt.Errorf("%s is no socket: %w", path, syscall.ENOTSOCK)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(at)})
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}
