// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Isolation levels, highest first.
const (
	LevelFull     = "full"     // root: all namespaces, uids, cgroup, Landlock
	LevelUser     = "user"     // user namespaces: the same with one uid
	LevelLandlock = "landlock" // Landlock scopes only: memory, signals, tracing, abstract sockets
	LevelNone     = "none"     // nothing between programs of one uid
)

// Names of the kernel features that Isolation lists and Options.Without can
// switch off.
const (
	featureNamespaces = "namespaces"
	featureUID        = "own uid per user"
	featureLandlock   = "landlock-scopes"
	featureKeyring    = "keyring-closed"
	featureCgroup     = "cgroup-v2"
	featureCloneInto  = "clone-into-cgroup"
	featureCgroupKill = "cgroup.kill"
	featurePids       = "limit-pids"
	featureMemory     = "limit-memory"
	featurePeerPidfd  = "SO_PEERPIDFD"
	featurePidfdInfo  = "PIDFD_GET_INFO"
	featurePidfdNS    = "PIDFD_GET_PID_NAMESPACE"
	featureRunUser    = "/run/user"
)

// Feature is one thing the kernel or the machine may or may not give.
type Feature struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Instead   string `json:"instead,omitempty"` // what is used instead, or what stays open
}

// Isolation says how well sessions are kept apart on this machine.
type Isolation struct {
	Level    string    `json:"level"`         // full, user, landlock or none
	Why      string    `json:"why,omitempty"` // why it is not higher; "" at full
	Features []Feature `json:"features"`
}

// Feature reports whether the named feature is there.
func (i Isolation) Feature(name string) bool {
	for _, f := range i.Features {
		if f.Name == name {
			return f.Available
		}
	}
	return false
}

// Probe finds out what this machine gives, by doing it: it starts throw-away
// holders from the highest level down until one stands. The calling binary
// must know the holder verb (IsHolder).
func Probe() Isolation {
	h := &Host{opts: Options{Logger: discardLogger(), Executable: "/proc/self/exe"}}
	h.trees = findCgroups(fmt.Sprintf("station-probe-%d", os.Getpid()), h.without)
	h.probe()
	return h.iso
}

func (h *Host) without(name string) bool {
	for _, w := range h.opts.Without {
		if w == name {
			return true
		}
	}
	return false
}

// probe settles the level, or takes Options.Level, and fills in iso.
func (h *Host) probe() error {
	iso := &h.iso
	iso.Level = LevelNone
	h.scopes = 0
	abi := landlockABI()
	if abi >= 6 && !h.without(featureLandlock) {
		h.scopes = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	var why []string
	var inside []Feature
	for _, level := range []string{LevelFull, LevelUser, LevelLandlock, LevelNone} {
		if h.opts.Level != "" && h.opts.Level != level {
			continue
		}
		feats, err := h.tryLevel(level)
		if err == nil {
			iso.Level, inside = level, feats
			break
		}
		why = append(why, fmt.Sprintf("%s: %v", level, err))
		if h.opts.Level == level {
			return fmt.Errorf("cannot isolate sessions at level %s: %w", level, err)
		}
	}
	iso.Why = strings.Join(why, "; ")
	if h.opts.Level != "" && h.opts.Level != LevelFull {
		iso.Why = "asked for by the configuration"
	}
	h.tryCloneInto()
	h.features(abi, inside)
	return nil
}

// tryLevel starts a session of the level and throws it away.
func (h *Host) tryLevel(level string) ([]Feature, error) {
	switch {
	case os.Getenv(holderEnv) != "":
		return nil, fmt.Errorf("this program does not call host.IsHolder first")
	case level == LevelFull && os.Geteuid() != 0:
		return nil, fmt.Errorf("uid %d may not start programs as another user", os.Geteuid())
	case level == LevelLandlock && h.scopes == 0:
		return nil, fmt.Errorf("the kernel has no Landlock scopes (Landlock ABI %d, 6 needed: Linux 6.12)", landlockABI())
	case (level == LevelFull || level == LevelUser) && h.without(featureNamespaces):
		return nil, fmt.Errorf("namespaces are switched off")
	}
	try := func(keyring bool) ([]Feature, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		m := h.setupFor(level, &record{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())})
		m.Keyring, m.Trial = keyring, true
		if !m.Namespaces {
			dir, err := os.MkdirTemp("", "station-probe-")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(dir)
			m.RuntimeDir = []byte(dir)
		}
		st, err := h.startHolder(ctx, m, nil, nil)
		if err != nil {
			return nil, err
		}
		st.conn.close() // not committed: it ends by itself
		st.proc.kill()
		st.proc.wait(ctx)
		st.proc.close()
		return st.reply.Features, nil
	}
	h.keyring = !h.without(featureKeyring)
	feats, err := try(h.keyring)
	if err != nil && h.keyring {
		if f, again := try(false); again == nil {
			h.keyring = false
			return f, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, namespaceHint())
	}
	return feats, nil
}

// namespaceHint names the switch of a distribution that may be the reason.
func namespaceHint() string {
	for _, s := range []struct{ file, value, text string }{
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", " (AppArmor restricts unprivileged user namespaces: kernel.apparmor_restrict_unprivileged_userns=1)"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", " (kernel.unprivileged_userns_clone=0)"},
		{"/proc/sys/user/max_user_namespaces", "0", " (user.max_user_namespaces=0)"},
	} {
		if b, err := os.ReadFile(s.file); err == nil && strings.TrimSpace(string(b)) == s.value {
			return s.text
		}
	}
	return ""
}

// tryCloneInto gives birth to a process in a group of ours; when that is not
// possible at all, v2 is not used.
func (h *Host) tryCloneInto() {
	t := h.trees
	if t.v2 == "" {
		return
	}
	t.cloneInto = !h.without(featureCloneInto)
	m := h.setupFor(h.iso.Level, &record{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())})
	m.Trial = true
	if !m.Namespaces {
		dir, err := os.MkdirTemp("", "station-probe-")
		if err != nil {
			t.v2, t.why = "", err.Error()
			return
		}
		defer os.RemoveAll(dir)
		m.RuntimeDir = []byte(dir)
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := h.tryInGroup(ctx, m)
		cancel()
		if err == nil {
			return
		}
		if !t.cloneInto {
			t.v2, t.why = "", err.Error()
			return
		}
		t.cloneInto = false
	}
}

// tryInGroup starts a holder in a group and lets it fork into it.
func (h *Host) tryInGroup(ctx context.Context, m *setupMsg) error {
	g := h.trees.plan("probe-"+newNonce(), noLimits)
	og, err := h.trees.create(g, noLimits)
	if err == nil {
		var st *startedHolder
		if st, err = h.startHolder(ctx, m, og, nil); err == nil {
			st.conn.close()
			g.killAll(h.trees.kill)
			st.proc.kill()
			st.proc.wait(ctx)
			st.proc.close()
		}
		og.close()
	}
	if rerr := g.remove(ctx, h.trees.kill); err == nil {
		err = rerr
	}
	h.trees.removeBase()
	return err
}

// features lists every row, so that nothing is replaced silently.
func (h *Host) features(abi int, inside []Feature) {
	level, t := h.iso.Level, h.trees
	ns := level == LevelFull || level == LevelUser
	row := func(name string, ok bool, instead string) {
		if ok {
			instead = ""
		}
		h.iso.Features = append(h.iso.Features, Feature{Name: name, Available: ok, Instead: instead})
	}
	row(featureNamespaces, ns, "nothing: /tmp, shared memory, pseudo terminals and the process list are shared by all sessions")
	switch {
	case level == LevelUser:
		row(featureUID, false, "rootless: every program has the daemon's uid; the uid, gid and groups of a program are not used")
	default:
		row(featureUID, os.Geteuid() == 0, "rootless: every program has the daemon's uid; the uid, gid and groups of a program are not used")
	}
	scopesOpen := fmt.Sprintf("Landlock ABI %d (6 needed): ", abi)
	if ns {
		scopesOpen += "the PID namespace stops signals; abstract sockets are open to all sessions"
	} else {
		scopesOpen += "nothing: signals and abstract sockets are open to all programs of one uid"
	}
	row(featureLandlock, h.scopes != 0 && level != LevelNone, scopesOpen)
	keyOpen := "nothing: the user keyring is shared by the sessions of one uid"
	if level == LevelUser {
		keyOpen = "the user namespace: each session has a user keyring of its own"
	}
	row(featureKeyring, h.keyring, keyOpen)
	noGroup := "the PID namespace: a session ends with its holder, a caller is known by its namespace"
	if !ns {
		noGroup = "the holder's descendants are killed one by one, a caller is known by its ancestors"
	}
	row(featureCgroup, t.v2 != "", fmt.Sprintf("%s (%s)", noGroup, t.why))
	cloneInstead, killInstead := "the holder is moved into its group before the first program starts and shares it with the programs", "the holder is killed, then what is left in the group, one by one"
	if t.v2 == "" {
		cloneInstead, killInstead = "nothing: there is no group to be born into", noGroup
	}
	row(featureCloneInto, t.v2 != "" && t.cloneInto, cloneInstead)
	row(featureCgroupKill, t.v2 != "" && t.kill, killInstead)
	for _, c := range []struct{ name, ctl string }{{featurePids, "pids"}, {featureMemory, "memory"}} {
		v1 := t.v1[c.ctl] != ""
		row(c.name, t.limits[c.ctl] || v1, "nothing: sessions are not limited")
		if v1 {
			h.iso.Features[len(h.iso.Features)-1].Instead = "cgroup v1 " + c.ctl
		}
	}
	h.peerPidfd, h.pidfdInfo, h.pidfdNS = probePidfd()
	h.peerPidfd = h.peerPidfd && !h.without(featurePeerPidfd)
	h.pidfdInfo = h.pidfdInfo && !h.without(featurePidfdInfo)
	h.pidfdNS = h.pidfdNS && !h.without(featurePidfdNS)
	row(featurePeerPidfd, h.peerPidfd, "SO_PEERCRED, pidfd_open, and a check that the caller has not hung up meanwhile")
	row(featurePidfdInfo, h.pidfdInfo, "fdinfo and /proc/PID/cgroup, with a check that the process still runs")
	row(featurePidfdNS, h.pidfdNS, "/proc/PID/ns/pid, with a check that the process still runs")
	h.iso.Features = append(h.iso.Features, inside...)
}

// probePidfd asks the kernel about each pidfd feature with our own process.
func probePidfd() (peer, info, ns bool) {
	if fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
		if fd, err := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
			unix.Close(fd)
			peer = true
		}
		closeFDs(fds[:])
	}
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return peer, false, false
	}
	defer unix.Close(self)
	i := unix.PidfdInfo{Mask: unix.PIDFD_INFO_PID | unix.PIDFD_INFO_CGROUPID}
	info = unix.IoctlPidfdInfo(self, &i) == nil
	if fd, err := unix.IoctlRetInt(self, unix.PIDFD_GET_PID_NAMESPACE); err == nil {
		unix.Close(fd)
		ns = true
	}
	return peer, info, ns
}
