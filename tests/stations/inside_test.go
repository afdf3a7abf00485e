// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
	"unicode/utf16"

	"stationmaster/client"
	"stationmaster/security"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

// inside is a program in a session, with its connection to the daemon. What it
// finds wrong goes to its standard error and makes its exit code 1.
type inside struct {
	ctx  context.Context
	c    *client.Conn
	args []string
	bad  int
}

const (
	maxAllowed = win32.MAXIMUM_ALLOWED
	self       = win32.Handle(0xFFFFFFFF) // GetCurrentProcess
	exitFailed = win32.STATUS_DLL_INIT_FAILED
)

func (i *inside) errorf(format string, args ...any) {
	i.bad++
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// fatalf ends the program: what follows needs what failed.
func (i *inside) fatalf(format string, args ...any) {
	i.errorf(format, args...)
	os.Exit(1)
}

func (i *inside) ok(what string, err error) {
	if err != nil {
		i.fatalf("%s: %v", what, err)
	}
}

func (i *inside) code(what string, err error, want win32.Errno) {
	if got := win32.Code(err); got != want {
		i.errorf("%s: %d (%v), want %d", what, uint32(got), err, uint32(want))
	}
}

func want[T comparable](i *inside, what string, got, want T) {
	if got != want {
		i.errorf("%s is %v, want %v", what, got, want)
	}
}

// scenarios are what TestMain runs in sessions.
var scenarios = map[string]func(*inside){}

// programs wraps the scenarios for stationtest.Main.
func programs() map[string]func(args []string) int {
	all := map[string]func(args []string) int{}
	for name, f := range scenarios {
		all[name] = func(args []string) int {
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			defer cancel()
			c, err := client.Dial(ctx, "")
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer c.Close()
			i := &inside{ctx: ctx, c: c, args: args}
			f(i)
			if i.bad != 0 {
				return 1
			}
			fmt.Println("PASS")
			return 0
		}
	}
	return all
}

func TestMain(m *testing.M) { stationtest.Main(m, programs()) }

// --- what a program does

func (i *inside) createStation(name string, flags uint32, inherit bool) (win32.Handle, bool, error) {
	r, err := i.c.CreateWindowStation(i.ctx, client.CreateWindowStationRequest{Name: name, Flags: flags, Access: maxAllowed, Inherit: inherit})
	return r.Handle, r.Existed, err
}

func (i *inside) openStation(name string, access win32.AccessMask) (win32.Handle, error) {
	r, err := i.c.OpenWindowStation(i.ctx, client.OpenRequest{Name: name, Access: access})
	return r.Handle, err
}

func (i *inside) createDesktop(name string) (win32.Handle, bool, error) {
	r, err := i.c.CreateDesktop(i.ctx, client.CreateDesktopRequest{Name: name, Access: maxAllowed, HeapKB: 64, Surface: "builtin"})
	return r.Handle, r.Existed, err
}

func (i *inside) openDesktop(name string, access win32.AccessMask) (win32.Handle, error) {
	r, err := i.c.OpenDesktop(i.ctx, client.OpenDesktopRequest{Name: name, Access: access})
	return r.Handle, err
}

func (i *inside) inputDesktop(access win32.AccessMask) (win32.Handle, error) {
	r, err := i.c.OpenInputDesktop(i.ctx, client.OpenDesktopRequest{Access: access})
	return r.Handle, err
}

func (i *inside) closeDesktop(h win32.Handle) error {
	return i.c.CloseDesktop(i.ctx, client.HandleRequest{Handle: h})
}

func (i *inside) closeStation(h win32.Handle) error {
	return i.c.CloseWindowStation(i.ctx, client.HandleRequest{Handle: h})
}

func (i *inside) closeHandle(h win32.Handle) error {
	return i.c.CloseHandle(i.ctx, client.HandleRequest{Handle: h})
}

func (i *inside) setStation(h win32.Handle) error {
	return i.c.SetProcessWindowStation(i.ctx, client.HandleRequest{Handle: h})
}

func (i *inside) setDesktop(h win32.Handle) error {
	return i.c.SetThreadDesktop(i.ctx, client.HandleRequest{Handle: h})
}

func (i *inside) switchTo(h win32.Handle) error {
	return i.c.SwitchDesktop(i.ctx, client.HandleRequest{Handle: h})
}

func (i *inside) station() win32.Handle {
	r, err := i.c.GetProcessWindowStation(i.ctx)
	i.ok("GetProcessWindowStation", err)
	return r.Handle
}

func (i *inside) desktop() win32.Handle {
	r, err := i.c.GetThreadDesktop(i.ctx, client.ThreadRequest{ThreadID: i.c.Hello().ThreadID})
	i.ok("GetThreadDesktop", err)
	return r.Handle
}

func (i *inside) duplicate(h win32.Handle) win32.Handle {
	r, err := i.c.DuplicateHandle(i.ctx, client.DuplicateHandleRequest{SourceProcess: self, Source: h, TargetProcess: self, Options: win32.DUPLICATE_SAME_ACCESS})
	i.ok("DuplicateHandle", err)
	return r.Handle
}

func (i *inside) info(h win32.Handle, index uint32) ([]byte, error) {
	r, err := i.c.GetUserObjectInformation(i.ctx, client.IndexRequest{Handle: h, Index: index})
	return r.Data, err
}

func (i *inside) text(h win32.Handle, index uint32) string {
	b, err := i.info(h, index)
	i.ok("GetUserObjectInformation", err)
	units := make([]uint16, len(b)/2)
	for k := range units {
		units[k] = binary.LittleEndian.Uint16(b[2*k:])
	}
	if n := len(units); n == 0 || units[n-1] != 0 {
		i.errorf("the text %q of class %d has no terminator", b, index)
	} else {
		units = units[:n-1]
	}
	return string(utf16.Decode(units))
}

func (i *inside) name(h win32.Handle) string { return i.text(h, win32.UOI_NAME) }

func (i *inside) flag(h win32.Handle, index uint32) uint32 {
	b, err := i.info(h, index)
	i.ok("GetUserObjectInformation", err)
	if len(b) < 4 {
		i.fatalf("class %d has %d bytes", index, len(b))
	}
	return binary.LittleEndian.Uint32(b)
}

// where gives the desktop the program is on.
func (i *inside) where() string { return i.name(i.station()) + `\` + i.name(i.desktop()) }

func (i *inside) token() client.TokenReply {
	h, err := i.c.OpenProcessToken(i.ctx, client.OpenTokenRequest{Process: self, Access: win32.TOKEN_QUERY})
	i.ok("OpenProcessToken", err)
	r, err := i.c.GetTokenInformation(i.ctx, client.IndexRequest{Handle: h.Handle, Index: 1})
	i.ok("GetTokenInformation", err)
	return r
}

// own is the name of the station of the program's logon session.
func (i *inside) own() string {
	id := i.token().LogonID
	return fmt.Sprintf("Service-0x%x-%x$", id>>32, uint32(id))
}

func (i *inside) descriptor(h win32.Handle) *security.Descriptor {
	r, err := i.c.GetUserObjectSecurity(i.ctx, client.SecurityRequest{Handle: h, Parts: security.OwnerInformation | security.DACLInformation})
	i.ok("GetUserObjectSecurity", err)
	sd, err := security.ParseDescriptor(r.Data)
	i.ok("the descriptor", err)
	return sd
}

// child runs another scenario and gives its Win32 exit code and what it wrote.
func (i *inside) child(lpDesktop *string, inherit bool, scenario string, args ...string) (uint32, string) {
	return runProgram(i.ctx, i.c, 0, lpDesktop, inherit, append([]string{os.Args[0], os.Args[1], scenario}, args...), i.fatalf)
}

// runProgram starts a program, waits for its end and gives its Win32 exit code
// and its output.
func runProgram(ctx context.Context, c *client.Conn, token win32.Handle, lpDesktop *string, inherit bool, args []string, fatalf func(string, ...any)) (uint32, string) {
	r, w, err := os.Pipe()
	if err != nil {
		fatalf("%v", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		fatalf("%v", err)
	}
	p, err := c.CreateProcess(ctx, client.CreateProcessRequest{Token: token, Path: args[0], Args: args, Desktop: lpDesktop, Inherit: inherit}, null, w, w)
	w.Close()
	null.Close()
	defer r.Close()
	if err != nil {
		fatalf("CreateProcess %v: %v", args, err)
	}
	defer c.CloseHandle(ctx, client.HandleRequest{Handle: p.Process})
	var out bytes.Buffer
	read := make(chan struct{})
	go func() { _, _ = out.ReadFrom(r); close(read) }()
	if _, err := c.WaitForSingleObject(ctx, client.WaitRequest{Handle: p.Process, Millis: 90_000}); err != nil {
		fatalf("cannot wait for %v: %v", args, err)
	}
	end, err := c.GetExitCodeProcess(ctx, client.HandleRequest{Handle: p.Process})
	if err != nil {
		fatalf("GetExitCodeProcess: %v", err)
	}
	<-read
	return end.Code, out.String()
}

// --- the test's side

// stage is a daemon with alice in session 1, on built-in desktops.
type stage struct {
	*stationtest.Daemon
	c     *client.Conn
	alice uint32
}

func newStage(t *testing.T, flags ...string) *stage {
	t.Helper()
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, append([]string{"--listen", "none"}, flags...)...)
	s := &stage{Daemon: d, c: d.Dial(t)}
	stationtest.AddUser(t, s.c, "alice", false)
	s.alice = s.logon(t, "alice", "builtin")
	return s
}

func (s *stage) logon(t *testing.T, user, surface string) uint32 {
	t.Helper()
	r, err := s.c.LogonSession(t.Context(), client.LogonSessionRequest{User: user, Password: user + "-pw", New: true, Surface: surface})
	if err != nil {
		t.Fatalf("cannot log %s on: %v", user, err)
	}
	return r.SessionID
}

// userToken gives the token of a session's user, closed at the test's end.
func (s *stage) userToken(t *testing.T, session uint32) win32.Handle {
	t.Helper()
	r, err := s.c.WTSQueryUserToken(t.Context(), client.SessionRequest{SessionID: session})
	if err != nil {
		t.Fatal(err)
	}
	return r.Handle
}

// play runs a scenario as the user of a session and fails the test when it
// finds something wrong.
func (s *stage) play(t *testing.T, session uint32, scenario string, args ...string) string {
	t.Helper()
	return s.playWith(t, s.userToken(t, session), nil, scenario, args...)
}

// system runs a scenario in session 0 as LocalSystem.
func (s *stage) system(t *testing.T, scenario string, args ...string) string {
	t.Helper()
	empty := ""
	return s.playWith(t, 0, &empty, scenario, args...)
}

func (s *stage) playWith(t *testing.T, token win32.Handle, lpDesktop *string, scenario string, args ...string) string {
	t.Helper()
	code, out := runProgram(t.Context(), s.c, token, lpDesktop, false, s.Program(t, scenario, args...), t.Fatalf)
	if code != 0 {
		t.Fatalf("%s: exit code 0x%x\n%s", scenario, code, out)
	}
	return out
}

// events gives the daemon's events of a kind.
func (s *stage) events(t *testing.T, kind string) (found []client.Event) {
	t.Helper()
	r, err := s.c.ReadEvents(t.Context(), client.ReadLogRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(r.Events, func(e client.Event) bool { return e.Kind != kind })
}

func text(s string) *string { return &s }

var (
	everybody = mustSDDL("D:(A;;GA;;;WD)")
	nobody    = mustSDDL("D:")
)

func mustSDDL(s string) []byte { return security.MustSDDL(s).Bytes() }

func errorsJoin(errs ...error) error { return errors.Join(errs...) }

func parseSID(b []byte) (string, error) {
	sid, err := security.SIDFromBytes(b)
	return sid.String(), err
}

func aclSIDs(i *inside, h win32.Handle) (sids []string) {
	acl, _ := i.descriptor(h).DACL()
	for _, a := range acl.ACEs {
		sids = append(sids, a.SID.String())
	}
	return sids
}
