// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what fits into sockaddr_un with its terminator.
const maxSocketPath = 107

// Dial connects to the Unix socket at path, however long the path is.
func Dial(ctx context.Context, path string) (*net.UnixConn, error) {
	var d net.Dialer
	var out *net.UnixConn
	err := shortPath(path, func(short string) error {
		c, err := d.DialContext(ctx, "unix", short)
		if err != nil {
			return err
		}
		out = c.(*net.UnixConn)
		return nil
	})
	return out, err
}

// Listen makes a Unix socket at path, however long the path is, with the given
// mode. The file is not removed when the listener is closed.
func Listen(path string, mode os.FileMode) (*net.UnixListener, error) {
	var out *net.UnixListener
	err := shortPath(path, func(short string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		if err := os.Chmod(path, mode); err != nil {
			l.Close()
			return err
		}
		out = l
		return nil
	})
	return out, err
}

// shortPath calls fn with a path that names the same socket and fits into a
// socket address: a long one goes through a descriptor of its directory.
func shortPath(path string, fn func(string) error) error {
	if len(path) <= maxSocketPath {
		return fn(path)
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	defer unix.Close(dir)
	return fn(fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(path)))
}
