// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"os"
)

// Host starts and kills the Linux processes of sessions. The engine calls it
// with no lock held. Two implementations exist: internal/host (namespaces,
// cgroups, uids, pidfds) and NewMemoryHost for tests and embedders.
type Host interface {
	// StartSession makes the place the processes of one session live in and
	// returns when Spawn can be called. On error nothing is left behind.
	StartSession(ctx context.Context, spec SessionSpec) (HostSession, error)
}

// SessionSpec says what a session's processes run in. The zero values of UID
// and GID mean root: session 0.
type SessionSpec struct {
	ID     uint32   // session ID
	UID    uint32   // owner of the private runtime directory
	GID    uint32   // its primary group
	Groups []uint32 // supplementary groups
	Limits Limits
	// OwnNetwork gives the session a network namespace of its own, with
	// loopback only.
	OwnNetwork bool
}

// Limits bound what a session may take from the machine. Zero means no limit.
type Limits struct {
	Processes   uint64 // tasks
	MemoryBytes uint64
}

// HostSession is the place one session's processes live in.
type HostSession interface {
	// Spawn starts a program. It returns once exec succeeded, or with the
	// reason why it did not (fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC
	// stay visible to errors.Is).
	Spawn(ctx context.Context, spec ProcessSpec) (HostProcess, error)
	// Processes lists what Spawn started and Forget has not dropped yet,
	// ended ones included.
	Processes() []HostProcess
	// End kills every process of the session and removes every mount, cgroup,
	// socket and file it had. It is idempotent.
	End(ctx context.Context) error
	// Done is closed when the session is gone, whether by End or because its
	// holder was killed.
	Done() <-chan struct{}
}

// ProcessSpec says what to start and as whom.
type ProcessSpec struct {
	Path   string   // absolute, or a bare name looked up in Env's PATH inside the session
	Args   []string // argv, argv[0] included
	Env    []string // KEY=value, complete
	Dir    string   // working directory inside the session; "/" if empty
	UID    uint32
	GID    uint32
	Groups []uint32
	// Files become descriptors 0, 1, 2, … of the program; a nil entry or a
	// short slice gives /dev/null. The caller keeps its copies.
	Files []*os.File
	// Tag is kept with the process and given back by HostProcess.Tag, also
	// after a restart of the daemon.
	Tag string
}

// HostProcess is one started program.
type HostProcess interface {
	PID() int          // in the host's PID namespace
	StartTime() uint64 // clock ticks since boot, tells a reused PID apart
	Tag() string
	// Done is closed when the program ended; ExitStatus is valid then.
	Done() <-chan struct{}
	ExitStatus() ExitStatus
	// Signal sends a signal to the process alone; 0 only tests.
	Signal(sig int) error
	// Forget lets the host drop an ended process's record; its exit status is
	// kept until then, across restarts of the daemon.
	Forget()
}

// ExitStatus is how a program ended.
type ExitStatus struct {
	Code   int // exit code, or 128+Signal
	Signal int // number of the signal that ended it, or 0
}

// PublicViewer is a HostSession whose programs see the daemon's public
// directory, with the call socket in it, at a place of its own.
type PublicViewer interface {
	// PublicPath is that place as programs see it, or "" for none.
	PublicPath() string
}
