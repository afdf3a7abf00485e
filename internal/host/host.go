// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stationmaster/station"
)

// Options say where a Host keeps its live state and how it isolates.
type Options struct {
	// Dir is the daemon's run directory, memory-backed if possible: journal,
	// holder sockets. It is made with mode 0700 if missing, and hidden in
	// every session. Only one Host at a time can have it.
	Dir string
	// Level asks for an isolation level (LevelFull …); "" takes the highest
	// this machine gives.
	Level string
	// PublicDir holds the call socket. Every session sees it read-only at
	// Session.PublicPath. "" for none. It must stay the same directory while
	// sessions run.
	PublicDir string
	// Mask lists directories that sessions see empty: the daemon's other state.
	Mask []string
	// SingleUID accepts specs with any uid where programs can only have the
	// daemon's own (rootless) and ignores their UID, GID and Groups. Without it
	// a uid other than the daemon's is refused with fs.ErrPermission there.
	SingleUID bool
	// Logger gets what an operator must know; nil drops it.
	Logger *slog.Logger
	// Executable is started as holder; "" means HolderImage, or this binary
	// (/proc/self/exe) where there is none or memory cannot be executed.
	Executable string
	// HolderImage is a program that does nothing but HolderMain, started from
	// memory: it is smaller than this binary. nil for none.
	HolderImage []byte
	// Without names features (see Isolation) that count as missing, so that
	// tests and careful operators can use the fallbacks.
	Without []string
}

// Host starts and kills the processes of sessions on this machine. It
// implements station.Host. Its methods may be called from any goroutine.
type Host struct {
	opts      Options  // immutable, like all up to wg
	lock      *os.File // flock on Dir
	holderLog *os.File // standard error of holders
	image     *os.File // the holder's program; nil: none
	trees     *cgroupTree
	iso       Isolation
	scopes    uint64 // Landlock scopes of sessions
	keyring   bool
	peerPidfd bool // what the kernel can say about a caller
	pidfdInfo bool
	pidfdNS   bool

	wg     sync.WaitGroup // every goroutine of the host and its sessions
	closed chan struct{}  // closed by Close

	mu       sync.Mutex
	sessions map[uint32]*Session // guarded by mu
	cgroups  map[uint64]*Session // guarded by mu; by cgroup ID
	pidns    map[uint64]*Session // guarded by mu; by inode of the PID namespace
	children []*selfProc         // guarded by mu; reservers waiting to be reaped
	isClosed bool                // guarded by mu
}

var noLimits station.Limits

var _ station.Host = (*Host)(nil)

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Open takes over a run directory and probes the machine. The daemon calls
// Adopt next, before it starts sessions.
func Open(opts Options) (*Host, error) {
	if opts.Dir == "" || !filepath.IsAbs(opts.Dir) {
		return nil, fmt.Errorf("cannot use run directory %q: it must be an absolute path: %w", opts.Dir, fs.ErrInvalid)
	}
	if os.Getenv(holderEnv) != "" {
		return nil, errors.New("cannot start sessions: this program does not call host.IsHolder first thing in main")
	}
	if opts.Logger == nil {
		opts.Logger = discardLogger()
	}
	switch opts.Level {
	case "", LevelFull, LevelUser, LevelLandlock, LevelNone:
	default:
		return nil, fmt.Errorf("cannot isolate sessions at level %q: there is no such level: %w", opts.Level, fs.ErrInvalid)
	}
	h := &Host{
		opts:     opts,
		closed:   make(chan struct{}),
		sessions: map[uint32]*Session{}, cgroups: map[uint64]*Session{}, pidns: map[uint64]*Session{},
	}
	if err := h.openDir(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(h.opts.Dir))
	h.chooseHolder()
	h.trees = findCgroups("station-"+hex.EncodeToString(sum[:6]), h.without)
	if err := h.probe(); err != nil {
		h.closeFiles()
		return nil, err
	}
	return h, nil
}

// chooseHolder decides what is started as holder.
func (h *Host) chooseHolder() {
	if h.opts.Executable != "" {
		return
	}
	h.opts.Executable = "/proc/self/exe"
	if len(h.opts.HolderImage) == 0 {
		return
	}
	image, path, err := placeImage(h.opts.HolderImage)
	if err == nil {
		if err = unix.Access(path, unix.X_OK); err == nil {
			h.image, h.opts.Executable = image, path
			return
		}
		image.Close()
	}
	h.opts.Logger.Warn("the holder's own program cannot be used; this one is, which takes more memory", "err", err)
}

// openDir makes the run directory and locks it.
func (h *Host) openDir() error {
	wrap := func(err error) error {
		h.closeFiles()
		return fmt.Errorf("cannot use run directory %s: %w", h.opts.Dir, err)
	}
	if err := os.MkdirAll(h.opts.Dir, 0o700); err != nil {
		return wrap(err)
	}
	dir, err := filepath.EvalSymlinks(h.opts.Dir)
	if err != nil {
		return wrap(err)
	}
	h.opts.Dir = dir
	if err := os.Chmod(dir, 0o700); err != nil {
		return wrap(err)
	}
	if h.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return wrap(err)
	}
	if err := h.lockDir(); err != nil {
		return wrap(err)
	}
	h.lock.Truncate(0)
	h.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	for _, d := range []string{h.journalDir(), h.holderDir()} {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return wrap(err)
		}
	}
	h.holderLog, err = os.OpenFile(filepath.Join(dir, "holder.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return wrap(err)
	}
	return nil
}

// lockDir waits a little: a daemon that was killed while it forked has its lock
// kept by the child until that has come to its exec.
func (h *Host) lockDir() error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Flock(int(h.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		b := make([]byte, 32)
		n, _ := h.lock.ReadAt(b, 0)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
		st, serr := readStat("/proc", pid)
		dead := serr != nil || st.state == 'Z'
		if waited := time.Since(began); waited > 3*time.Second || !dead && waited > 200*time.Millisecond {
			return fmt.Errorf("process %d uses it already: %w", pid, syscall.EBUSY)
		}
	}
}

func (h *Host) closeFiles() {
	for _, f := range []*os.File{h.lock, h.holderLog, h.image} {
		if f != nil {
			f.Close()
		}
	}
}

// Isolation says what Open found.
func (h *Host) Isolation() Isolation { return h.iso }

// Close detaches from all sessions and ends none of them; a later Open and
// Adopt on the same directory find them again. When it returns no goroutine of
// the host runs. Done of a session stays open unless the session has ended.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.isClosed {
		h.mu.Unlock()
		h.wg.Wait()
		return nil
	}
	h.isClosed = true
	close(h.closed)
	var all []*Session
	for _, s := range h.sessions {
		all = append(all, s)
	}
	for _, p := range h.children {
		p.close()
	}
	h.mu.Unlock()
	for _, s := range all {
		s.detach()
	}
	h.wg.Wait()
	h.trees.removeBase()
	h.closeFiles()
	return nil
}

// adoptChild reaps p when it ends, as long as the host is open.
func (h *Host) adoptChild(p *selfProc) {
	h.mu.Lock()
	if h.isClosed {
		h.mu.Unlock()
		p.close()
		return
	}
	h.children = append(h.children, p)
	h.wg.Add(1)
	h.mu.Unlock()
	go func() {
		defer h.wg.Done()
		p.wait(context.Background())
		p.close()
	}()
}

func newNonce() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// setupFor says what a holder of the level makes of itself for r.
func (h *Host) setupFor(level string, r *record) *setupMsg {
	ns := level == LevelFull || level == LevelUser
	m := &setupMsg{
		Version: protoVersion, ID: r.ID, UID: r.UID, GID: r.GID,
		Namespaces: ns,
		UserNS:     level == LevelUser,
		SwitchUID:  level != LevelUser && os.Geteuid() == 0,
		Memory:     r.Limits.MemoryBytes,
		Keyring:    h.keyring,
		OwnNetwork: r.OwnNetwork && ns,
		Key:        r.Key,
	}
	if !m.SwitchUID {
		m.UID, m.GID = uint32(os.Geteuid()), uint32(os.Getegid())
	}
	if level != LevelNone {
		m.Scopes = h.scopes
	}
	if m.OwnNetwork {
		m.Reserve = xNames
	}
	if h.opts.PublicDir != "" {
		m.Public = []byte(h.opts.PublicDir)
	}
	if ns {
		mask := append([]string{h.opts.Dir, h.trees.base()}, h.opts.Mask...)
		for _, dir := range h.trees.v1 {
			mask = append(mask, filepath.Join(dir, h.trees.name))
		}
		for _, dir := range mask {
			if real, err := filepath.EvalSymlinks(dir); dir != "" && err == nil {
				m.Mask = append(m.Mask, []byte(real))
			}
		}
	}
	return m
}

// startedHolder is a holder that has answered its set-up.
type startedHolder struct {
	proc  *selfProc
	conn  *wireConn
	reply setupReply
}

// startHolder starts a holder and waits until it stands. On error nothing of
// it is left but its groups, which are the caller's.
func (h *Host) startHolder(ctx context.Context, m *setupMsg, og *openGroup, listen *os.File) (*startedHolder, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	spec := selfSpec{args: []string{"session-" + strconv.FormatUint(uint64(m.ID), 10)}, conn: theirs, listen: listen, setup: m}
	var fds []int
	if og != nil {
		if og.run != nil {
			m.Cgroup = true
			fds = append(fds, int(og.run.Fd()))
			spec.cgroup = og.holder
		}
		m.Tasks = len(og.tasks)
		for _, f := range og.tasks {
			fds = append(fds, int(f.Fd()))
		}
	}
	p, err := h.spawnSelf(spec)
	theirs.Close()
	if err != nil {
		ours.close()
		return nil, err
	}
	if og != nil && og.holder != nil && spec.cgroup == nil {
		// It waits for its set-up, so no program exists yet.
		err = os.WriteFile(filepath.Join(og.holder.Name(), "cgroup.procs"), []byte(strconv.Itoa(p.pid)), 0)
	}
	st := &startedHolder{proc: p, conn: ours}
	if err == nil {
		stop := context.AfterFunc(ctx, func() { ours.close() })
		err = st.handshake(m, fds)
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	if err != nil {
		ours.close()
		p.kill()
		p.wait(context.Background())
		p.close()
		return nil, err
	}
	return st, nil
}

func (st *startedHolder) handshake(m *setupMsg, fds []int) error {
	if err := st.conn.send(1, kindSetup, m, fds); err != nil {
		return fmt.Errorf("the holder ended at once: %w", err)
	}
	f, err := st.conn.recv()
	if err != nil {
		return fmt.Errorf("the holder ended before it was ready: %w", err)
	}
	defer f.close()
	if f.kind != kindSetup|kindReply {
		return fmt.Errorf("the holder answered frame %#x: %w", f.kind, syscall.EPROTO)
	}
	if err := json.Unmarshal(f.body, &st.reply); err != nil {
		return fmt.Errorf("the holder's answer cannot be read: %w", err)
	}
	return fromWire(st.reply.Err)
}

// commit tells the holder that the session is written down.
func (st *startedHolder) commit() error {
	if err := st.conn.send(2, kindCommit, struct{}{}, nil); err != nil {
		return err
	}
	f, err := st.conn.recv()
	if err != nil {
		return fmt.Errorf("the holder went away: %w", err)
	}
	f.close()
	return nil
}

// StartSession implements station.Host.
func (h *Host) StartSession(ctx context.Context, spec station.SessionSpec) (station.HostSession, error) {
	s, err := h.startSession(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("cannot start session %d: %w", spec.ID, err)
	}
	return s, nil
}

func (h *Host) startSession(ctx context.Context, spec station.SessionSpec) (*Session, error) {
	if err := h.checkUID(spec.UID); err != nil {
		return nil, err
	}
	r := &record{
		Version: 1, State: stateIntent, Boot: bootID(), ID: spec.ID, Nonce: newNonce(),
		UID: spec.UID, GID: spec.GID, Groups: spec.Groups, Limits: spec.Limits, OwnNetwork: spec.OwnNetwork,
		Level: h.iso.Level, Key: make([]byte, 32),
	}
	rand.Read(r.Key)
	if spec.OwnNetwork && h.iso.Level != LevelFull && h.iso.Level != LevelUser {
		return nil, fmt.Errorf("no network namespace at level %s: %w", h.iso.Level, errors.ErrUnsupported)
	}
	if missing := h.trees.unlimited(spec.Limits); len(missing) > 0 {
		return nil, fmt.Errorf("no cgroup can limit %s here: %w", strings.Join(missing, " and "), errors.ErrUnsupported)
	}
	r.Group = h.trees.plan(r.name(), spec.Limits)
	m := h.setupFor(h.iso.Level, r)
	r.SwitchUID = m.SwitchUID
	s := &Session{h: h, rec: r, done: make(chan struct{}), calls: map[uint32]*call{}, procs: map[uint64]*Process{}, early: map[uint64]procMsg{}}
	if !h.enter(s) {
		return nil, fmt.Errorf("it runs already, or the host is closed: %w", fs.ErrExist)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := h.launch(ctx, s, m)
	if err != nil {
		h.leave(s)
		if cerr := h.clean(context.Background(), r); cerr != nil {
			h.opts.Logger.Error("cannot remove what is left of a session that did not start", "session", r.ID, "err", cerr)
		}
		return nil, err
	}
	return s, nil
}

// launch does the acts of startSession; whatever it leaves on error, clean
// removes.
func (h *Host) launch(ctx context.Context, s *Session, m *setupMsg) error {
	r := s.rec
	if !m.Namespaces {
		r.HostDir = filepath.Join(os.TempDir(), "station-"+r.name())
		m.RuntimeDir = []byte(r.HostDir)
		r.Marker = "STATION_HOLDER_ID=" + r.Nonce
		m.Marker = r.Marker
	}
	if err := h.writeRecord(r); err != nil {
		return err
	}
	if r.HostDir != "" {
		if err := os.Mkdir(r.HostDir, 0o755); err != nil {
			return err
		}
	}
	og, err := h.trees.create(r.Group, r.Limits)
	if err != nil {
		return err
	}
	defer og.close()
	listen, err := listenUnix(h.socketPath(r))
	if err != nil {
		return err
	}
	defer listen.Close()
	st, err := h.startHolder(ctx, m, og, listen)
	if err != nil {
		return err
	}
	r.HolderPID, r.Start = st.proc.pid, st.proc.start
	r.Runtime, r.Public = string(st.reply.Runtime), string(st.reply.PublicDir)
	if m.Namespaces {
		r.PIDNS = inode("/proc/" + strconv.Itoa(r.HolderPID) + "/ns/pid")
	}
	r.State = stateLive
	if err = h.writeRecord(r); err == nil {
		err = st.commit()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && !h.run(s, st.proc, st.conn, nil) {
		err = errors.New("the host is closed")
	}
	if err != nil {
		st.conn.close()
		st.proc.kill()
		st.proc.wait(context.Background())
		st.proc.close()
	}
	return err
}

// checkUID refuses a uid that programs cannot have here, unless the caller
// said that he knows.
func (h *Host) checkUID(uid uint32) error {
	own := uint32(os.Geteuid())
	if uid == own || h.opts.SingleUID || h.iso.Level != LevelUser && own == 0 {
		return nil
	}
	return fmt.Errorf("programs can only have uid %d here, not %d: %w", own, uid, fs.ErrPermission)
}

// enter reserves the session's ID.
func (h *Host) enter(s *Session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isClosed || h.sessions[s.rec.ID] != nil {
		return false
	}
	h.sessions[s.rec.ID] = s
	return true
}

// leave undoes enter and run.
func (h *Host) leave(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.rec.ID] == s {
		delete(h.sessions, s.rec.ID)
	}
	for ino, owner := range h.cgroups {
		if owner == s {
			delete(h.cgroups, ino)
		}
	}
	if h.pidns[s.rec.PIDNS] == s {
		delete(h.pidns, s.rec.PIDNS)
	}
}

// run makes callers of the session known and starts its two goroutines. It
// reports false when the host was closed meanwhile.
func (h *Host) run(s *Session, p *selfProc, c *wireConn, procs []*Process) bool {
	inodes := s.rec.Group.inodes()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isClosed {
		return false
	}
	for _, ino := range inodes {
		h.cgroups[ino] = s
	}
	if s.rec.PIDNS != 0 {
		h.pidns[s.rec.PIDNS] = s
	}
	s.holder, s.conn = p, c
	for _, p := range procs {
		s.procs[p.id] = p
	}
	h.wg.Add(2)
	go s.read()
	go s.watch()
	return true
}
