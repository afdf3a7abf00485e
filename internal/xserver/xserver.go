// SPDX-License-Identifier: Apache-2.0

// Package xserver runs one Xvnc per X desktop, inside the desktop's session: it
// finds a free display number, writes the cookie, starts the server and waits
// until it takes connections, finds it again after a restart of the daemon, and
// ends it. What the server draws is read over its Unix socket by internal/rfb.
//
// It knows no desktops and no viewers. It imports station (for the Host seam)
// and the standard library; every process is started through the session.
package xserver

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"stationmaster/station"
)

// Session is what an X server needs of the session it runs in. A
// host.Session has all of it.
type Session interface {
	Spawn(ctx context.Context, spec station.ProcessSpec) (station.HostProcess, error)
	Processes() []station.HostProcess
	Done() <-chan struct{}
	// WriteFile makes a file in the uid's private runtime directory in the
	// session and gives its path as programs of the session see it.
	WriteFile(ctx context.Context, name string, data []byte, mode os.FileMode, uid, gid uint32) (path string, err error)
	// Remove removes a file that WriteFile made, or a socket next to it.
	Remove(ctx context.Context, path string) error
	// Dial connects to a Unix socket as it is seen inside the session.
	Dial(ctx context.Context, path string) (net.Conn, error)
}

// ErrNotInstalled is in the error of Start when there is no Xvnc.
var ErrNotInstalled = errors.New("the program Xvnc is not installed (Debian package tigervnc-standalone-server)")

// Bounds of what a server is given.
const (
	startTimeout = 20 * time.Second // a loaded machine; 30 ms on a quiet one
	endTimeout   = 3 * time.Second  // between asking a server to end and killing it
	removeTime   = 5 * time.Second  // to take a server's files away
	maxTries     = 32               // display numbers tried
	maxDisplay   = 1000
)

// Options says which server to start.
type Options struct {
	Session Session
	Path    string // of Xvnc; "" looks it up
	Name    string // of the desktop, shown by viewers that connect directly
	Width   int    // pixels
	Height  int
	UID     uint32
	GID     uint32
	Groups  []uint32
	// Display is the first display number to try.
	Display int
	Logger  *slog.Logger
}

// Find gives the path of Xvnc, or ErrNotInstalled.
func Find(path string) (string, error) {
	if path != "" {
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return "", fmt.Errorf("%s: %w", path, ErrNotInstalled)
		}
		return path, nil
	}
	for _, name := range []string{"Xvnc", "Xtigervnc"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	// A daemon's PATH may be short.
	for _, p := range []string{"/usr/bin/Xvnc", "/usr/bin/Xtigervnc", "/usr/local/bin/Xvnc"} {
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", ErrNotInstalled
}

// tagPrefix begins the tags of X servers.
const tagPrefix = "xvnc:"

// OwnsTag reports whether a host's process with this tag is an X server.
func OwnsTag(tag string) bool { return strings.HasPrefix(tag, tagPrefix) }

// Server is one running X server.
type Server struct {
	session Session             // immutable
	process station.HostProcess // immutable
	state   state               // immutable
	log     *serverLog          // immutable; nil for an adopted server
	logger  *slog.Logger        // immutable

	closing sync.Once
	closed  chan struct{} // closed when Close is done
}

// state is what finds a server again.
type state struct {
	Version int
	Display int
	RFB     string // path of its RFB socket
	Auth    string // path of its cookie file
	Tag     string // of its process
	PID     int
	Start   uint64 // start time of the process
}

// Start starts a server and returns when it takes X and RFB connections.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("cannot start an X server for %s: %w", o.Name, err)
	}
	return s, nil
}

func start(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Session == nil {
		return nil, errors.New("there is no session to run it in")
	}
	program, err := Find(o.Path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for display, tries := max(o.Display, 1), 0; tries < maxTries && display <= maxDisplay; display, tries = display+1, tries+1 {
		s, err := startAt(ctx, o, program, display)
		if errors.Is(err, errTaken) {
			o.Logger.Debug("display number is taken", "display", display)
			continue
		}
		return s, err
	}
	return nil, fmt.Errorf("no display number from %d on is free", max(o.Display, 1))
}

// errTaken says that another server has the display number.
var errTaken = errors.New("the display number is taken")

func startAt(ctx context.Context, o Options, program string, display int) (_ *Server, err error) {
	socket := xSocket(display)
	// Somebody's server on that number would be found by our clients instead of
	// ours, so it is asked for first. Xvnc checks again by its lock file.
	if c, err := o.Session.Dial(ctx, socket); err == nil {
		c.Close()
		return nil, errTaken
	}
	cookie, err := random(16)
	if err != nil {
		return nil, err
	}
	unique, err := random(4)
	if err != nil {
		return nil, err
	}
	number := strconv.Itoa(display)
	// Each attempt has file names of its own: two servers that start at once may
	// try the same number, and the one that loses must not take the other's
	// cookie away.
	name := "station-x" + number + "-" + hex.EncodeToString(unique)
	st := state{Version: 1, Display: display, Tag: tagPrefix + number + ":" + hex.EncodeToString(unique)}
	if st.Auth, err = o.Session.WriteFile(ctx, name+".auth", xauthority(display, cookie), 0o600, o.UID, o.GID); err != nil {
		return nil, fmt.Errorf("cannot write its cookie: %w", err)
	}
	st.RFB = path.Join(path.Dir(st.Auth), name+".rfb")
	defer func() {
		if err != nil {
			removeFiles(o.Session, o.Logger, st)
		}
	}()
	log, err := newServerLog()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			log.Close()
		}
	}()
	process, err := o.Session.Spawn(ctx, station.ProcessSpec{
		Path: program,
		Args: []string{"Xvnc", ":" + number,
			"-auth", st.Auth,
			"-nolisten", "tcp", "-nolisten", "local",
			"-extension", "GLX",
			"-geometry", strconv.Itoa(o.Width) + "x" + strconv.Itoa(o.Height), "-depth", "24",
			"-rfbunixpath", st.RFB, "-rfbunixmode", "0600", "-rfbport", "-1",
			"-SecurityTypes", "None", "-AlwaysShared",
			"-desktop", o.Name,
			"-FrameRate", "500", "-dpi", "96", "-noreset",
			"-s", "0", // no screen saver of X's own
			"-SendCutText=0", "-SendPrimary=0", "-AcceptCutText=0", // clipboards are not carried this way
		},
		Env:    []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/"},
		UID:    o.UID,
		GID:    o.GID,
		Groups: o.Groups,
		Files:  []*os.File{nil, log.file, log.file},
		Tag:    st.Tag,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{session: o.Session, process: process, state: st, log: log, logger: o.Logger, closed: make(chan struct{})}
	s.state.PID, s.state.Start = process.PID(), process.StartTime()
	if err := s.await(ctx); err != nil {
		text := log.text(true)
		s.log = nil // closed by our caller's defer
		s.Close()
		if strings.Contains(text, "already active") || strings.Contains(text, "in use") {
			return nil, errTaken
		}
		if text != "" {
			err = fmt.Errorf("%w; it says: %s", err, text)
		}
		return nil, err
	}
	if err := s.dress(ctx, cookie); err != nil {
		o.Logger.Warn("an X desktop stays black", "display", display, "error", err)
	}
	return s, nil
}

// await returns when the server takes connections, proved by connecting to both of
// its sockets. It asks again and again, in growing steps, until ctx ends: the
// server can tell by itself (-displayfd), but then it takes no lock on its
// display number, and the next server takes its socket away.
func (s *Server) await(ctx context.Context) error {
	step := 2 * time.Millisecond
	for _, p := range []string{s.state.RFB, xSocket(s.state.Display)} {
		for {
			c, err := s.session.Dial(ctx, p)
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-s.process.Done():
				return fmt.Errorf("the X server ended with code %d", s.process.ExitStatus().Code)
			case <-ctx.Done():
				return fmt.Errorf("the X server did not get ready (%s): %w", p, err)
			case <-time.After(step):
				step = min(step*9/8, 50*time.Millisecond) // at most an eighth of the wait too late
			}
		}
	}
	return nil
}

func xSocket(display int) string {
	return "/tmp/.X11-unix/X" + strconv.Itoa(display)
}

// Adopt finds a server again that an earlier daemon started, from what its State
// gave. The server is not touched.
func Adopt(session Session, text string, logger *slog.Logger) (*Server, error) {
	var st state
	if err := json.Unmarshal([]byte(text), &st); err != nil || st.Version != 1 {
		return nil, fmt.Errorf("cannot adopt an X server: its record %.100q is not one", text)
	}
	if session == nil {
		return nil, errors.New("cannot adopt an X server: there is no session")
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	for _, p := range session.Processes() {
		if p.Tag() != st.Tag || p.PID() != st.PID || p.StartTime() != st.Start {
			continue
		}
		select {
		case <-p.Done():
			p.Forget()
			return nil, fmt.Errorf("cannot adopt the X server :%d: it has ended", st.Display)
		default:
		}
		return &Server{session: session, process: p, state: st, logger: logger, closed: make(chan struct{})}, nil
	}
	return nil, fmt.Errorf("cannot adopt the X server :%d: there is no such process", st.Display)
}

// Display is the server's display number.
func (s *Server) Display() int { return s.state.Display }

// PID is the server's process, in the host's numbers.
func (s *Server) PID() int { return s.process.PID() }

// Env is what a program needs in its environment to draw here.
func (s *Server) Env() []string {
	return []string{"DISPLAY=:" + strconv.Itoa(s.state.Display), "XAUTHORITY=" + s.state.Auth}
}

// State is what Adopt finds the server by.
func (s *Server) State() string {
	b, err := json.Marshal(s.state)
	if err != nil {
		panic(fmt.Sprintf("a record of numbers and strings does not marshal: %v", err))
	}
	return string(b)
}

// Dial connects to the server's RFB socket.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	for {
		c, err := s.session.Dial(ctx, s.state.RFB)
		// Its queue of waiting connections is short.
		if err == nil || !errors.Is(err, syscall.EAGAIN) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err says why the server ended; it is nil while it runs.
func (s *Server) Err() error {
	select {
	case <-s.process.Done():
	default:
		return nil
	}
	st := s.process.ExitStatus()
	why := fmt.Sprintf("the X server ended with code %d", st.Code)
	if st.Signal != 0 {
		why = "the X server was ended by signal " + strconv.Itoa(st.Signal)
	}
	if s.log != nil {
		if text := s.log.text(false); text != "" {
			return fmt.Errorf("%s; it says: %s", why, text)
		}
	}
	return errors.New(why)
}

// Close ends the server and removes its socket and cookie. It returns when that
// is done and may be called twice.
func (s *Server) Close() {
	s.closing.Do(func() {
		defer close(s.closed)
		s.end()
	})
	<-s.closed
}

func (s *Server) end() {
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if s.ended() {
			break
		}
		if err := s.process.Signal(int(sig)); err != nil && !s.ended() {
			s.logger.Warn("cannot signal the X server", "display", s.state.Display, "error", err)
		}
		select {
		case <-s.process.Done():
		case <-s.session.Done():
		case <-timer.C:
			timer.Reset(endTimeout)
		}
	}
	if s.log != nil {
		s.log.Close()
	}
	select {
	case <-s.session.Done():
		return // and with it every file
	default:
	}
	if !s.ended() {
		s.logger.Warn("the X server does not end", "display", s.state.Display, "pid", s.state.PID)
		return
	}
	s.process.Forget()
	removeFiles(s.session, s.logger, s.state)
}

// removeFiles removes socket and cookie of a server that has ended.
func removeFiles(session Session, logger *slog.Logger, st state) {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	for _, p := range []string{st.RFB, st.Auth} {
		if err := session.Remove(ctx, p); err != nil && !errors.Is(err, os.ErrNotExist) {
			select {
			case <-session.Done(): // and with it every file
			default:
				logger.Warn("cannot remove a file of an X server", "path", p, "error", err)
			}
		}
	}
}

func (s *Server) ended() bool {
	select {
	case <-s.process.Done():
		return true
	default:
		return false
	}
}
