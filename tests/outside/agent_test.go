// SPDX-License-Identifier: Apache-2.0

package outside

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/client/svc"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

// An agent is a program in a session that does what the test tells it, over a
// socket in the file system, with a connection of its own to the daemon: what
// it may do is what the kernel and the daemon know about it.

// order is one thing to try.
type order struct {
	Op      string
	Text    string
	Handle  win32.Handle
	Session uint32
	Access  win32.AccessMask
	Args    []string
}

// outcome is what came of it.
type outcome struct {
	Code   uint32 // Win32 number; 0 for success
	Handle win32.Handle
	Text   string
	Names  []string
}

// agent is the test's end.
type agent struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Scanner

	PID     uint32
	Session uint32
	User    string
}

// hall is where agents of a daemon come in.
type hall struct {
	d *stationtest.Daemon
	l *net.UnixListener
}

func newHall(t *testing.T, d *stationtest.Daemon) *hall {
	t.Helper()
	path := filepath.Join(d.Dir, "agents")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	return &hall{d, l}
}

// command gives the command line of an agent.
func (h *hall) command(t *testing.T, kind string) []string {
	return h.d.Program(t, kind, h.l.Addr().String())
}

// accept waits for the agent that has been started.
func (h *hall) accept(t *testing.T) *agent {
	t.Helper()
	_ = h.l.SetDeadline(time.Now().Add(30 * time.Second))
	c, err := h.l.Accept()
	if err != nil {
		t.Fatalf("no agent came: %v\n%s", err, h.d.Log())
	}
	t.Cleanup(func() { c.Close() })
	a := &agent{t: t, conn: c, in: bufio.NewScanner(c)}
	a.in.Buffer(nil, 1<<20)
	hello := a.do(order{Op: "hello"})
	a.PID, a.User = uint32(hello.Handle), hello.Text
	if _, err := fmt.Sscan(hello.Names[0], &a.Session); err != nil {
		t.Fatal(err)
	}
	return a
}

// do has the agent try something.
func (a *agent) do(o order) outcome {
	a.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = a.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := a.conn.Write(append(b, '\n')); err != nil {
		a.t.Fatalf("%s: the agent is gone: %v", o.Op, err)
	}
	if !a.in.Scan() {
		a.t.Fatalf("%s: the agent is gone: %v", o.Op, a.in.Err())
	}
	var r outcome
	if err := json.Unmarshal(a.in.Bytes(), &r); err != nil {
		a.t.Fatalf("%s: %q: %v", o.Op, a.in.Bytes(), err)
	}
	return r
}

// want fails the test unless the outcome of something is a Win32 number.
func (a *agent) want(t *testing.T, code win32.Errno, o order) outcome {
	t.Helper()
	r := a.do(o)
	if r.Code != uint32(code) {
		t.Errorf("%s %q of session %d, handle %#x, as %s in session %d: %d (%s), want %d", o.Op, o.Text, o.Session, uint32(o.Handle), a.User, a.Session, r.Code, r.Text, uint32(code))
	}
	return r
}

// programs are what stationtest.Main runs inside sessions.
var programs = map[string]func(args []string) int{
	"agent": func(args []string) int {
		if err := serveAgent(args[0]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	},
	"service": func(args []string) int {
		if err := svc.Run("Outsider", serviceAgent(args[0])); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	},
}

// serviceAgent is an agent that runs as a service.
type serviceAgent string

// Execute implements svc.Handler.
func (s serviceAgent) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	go func() {
		if err := serveAgent(string(s)); err != nil {
			fmt.Println(err)
		}
	}()
	for r := range requests {
		switch r.Cmd {
		case svc.Stop, svc.Shutdown:
			return false, 0
		case svc.Interrogate:
			status <- r.CurrentStatus
		}
	}
	return false, 0
}

// serveAgent takes orders until the test hangs up.
func serveAgent(path string) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	station, err := client.Dial(context.Background(), "")
	if err != nil {
		return err
	}
	defer station.Close()
	in := bufio.NewScanner(c)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		r, err := obey(ctx, station, o)
		cancel()
		if err != nil {
			r.Text, r.Code = err.Error(), uint32(win32.Code(err))
		}
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := c.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return in.Err()
}

// obey tries one thing.
func obey(ctx context.Context, c *client.Conn, o order) (r outcome, err error) {
	handle := client.HandleRequest{Handle: o.Handle}
	session := client.SessionRequest{SessionID: o.Session}
	end := client.SessionWaitRequest{SessionID: o.Session}
	named := client.SessionDesktopRequest{SessionID: o.Session, Desktop: o.Text}
	switch o.Op {
	case "hello":
		h := c.Hello()
		return outcome{Handle: win32.Handle(h.ProcessID), Text: h.User, Names: []string{fmt.Sprint(h.SessionID)}}, nil
	case "OpenWindowStation":
		q, err := c.OpenWindowStation(ctx, client.OpenRequest{Name: o.Text, Access: o.Access})
		return outcome{Handle: q.Handle}, err
	case "EnumWindowStations":
		q, err := c.EnumWindowStations(ctx)
		return outcome{Names: q.Names}, err
	case "SetProcessWindowStation":
		err = c.SetProcessWindowStation(ctx, handle)
	case "OpenDesktop":
		q, err := c.OpenDesktop(ctx, client.OpenDesktopRequest{Name: o.Text, Access: o.Access})
		return outcome{Handle: q.Handle}, err
	case "SetThreadDesktop":
		err = c.SetThreadDesktop(ctx, handle)
	case "SwitchDesktop":
		err = c.SwitchDesktop(ctx, handle)
	case "OpenProcess":
		q, err := c.OpenProcess(ctx, client.OpenProcessRequest{ProcessID: uint32(o.Session), Access: o.Access})
		return outcome{Handle: q.Handle}, err
	case "CaptureDesktop":
		_, err = c.CaptureDesktop(ctx, client.CaptureRequest{SessionID: o.Session, Desktop: o.Text})
	case "SendInput":
		err = c.SendInput(ctx, client.SendInputRequest{SessionID: o.Session, Events: []client.InputEvent{{Kind: 3, Text: "x"}}})
	case "OpenViewer":
		v, err := c.Redial(ctx) // the call takes the connection
		if err != nil {
			return r, err
		}
		defer v.Close()
		_, stream, err := v.OpenViewer(ctx, client.OpenViewerRequest{SessionID: o.Session})
		if err == nil {
			stream.Close()
		}
		return r, err
	case "SecureAttention":
		err = c.SecureAttention(ctx, session)
	case "CreateSessionDesktop":
		_, err = c.CreateSessionDesktop(ctx, named)
	case "SwitchSessionDesktop":
		err = c.SwitchSessionDesktop(ctx, named)
	case "CreateSessionStation":
		named.Station = o.Text
		err = c.CreateSessionStation(ctx, named)
	case "WTSLogoffSession":
		err = c.WTSLogoffSession(ctx, end)
	case "WTSDisconnectSession":
		err = c.WTSDisconnectSession(ctx, end)
	case "LockSession":
		err = c.LockSession(ctx, session)
	case "RunInSession":
		_, err = c.RunInSession(ctx, client.RunInSessionRequest{SessionID: o.Session, Args: []string{"/bin/true"}})
	case "WTSQueryUserToken":
		_, err = c.WTSQueryUserToken(ctx, session)
	case "WTSSendMessage":
		_, err = c.WTSSendMessage(ctx, client.SendMessageRequest{SessionID: o.Session, Text: o.Text, Style: win32.MB_OK, Key: make([]byte, 16)})
	case "ListMessages":
		_, err = c.ListMessages(ctx, session)
	case "LogonSession":
		_, err = c.LogonSession(ctx, client.LogonSessionRequest{User: o.Text, NoPassword: true, New: true})
	case "ReadAudit":
		_, err = c.ReadAudit(ctx, client.ReadLogRequest{})
	case "CreateTicket":
		_, err = c.CreateTicket(ctx, client.CreateTicketRequest{Person: true})
	case "RedeemTicket":
		_, err = c.RedeemTicket(ctx, client.RedeemTicketRequest{Ticket: o.Text})
	case "Shutdown":
		err = c.Shutdown(ctx, client.ShutdownRequest{})
	case "AddAccount":
		_, err = c.AddAccount(ctx, client.AddAccountRequest{Name: "mallory", Password: "x", Admin: true})
	case "SetAccountPassword":
		err = c.SetAccountPassword(ctx, client.SetPasswordRequest{Name: o.Text, New: "x"})
	case "RemoveAccount":
		err = c.RemoveAccount(ctx, client.AccountRequest{Name: o.Text})
	case "OpenSCManager":
		_, err = c.OpenSCManager(ctx, client.OpenSCManagerRequest{Access: o.Access})
	case "ServiceLog", "StopService":
		m, err := c.OpenSCManager(ctx, client.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT})
		if err != nil {
			return r, err
		}
		_, err = c.OpenService(ctx, client.OpenServiceRequest{Manager: m.Handle, Name: o.Text, Access: o.Access})
		return r, err
	case "SetObjectSecurity":
		err = c.SetObjectSecurity(ctx, client.SetObjectSecurityRequest{Path: o.Text, SDDL: "D:(A;;GA;;;WD)"})
	case "Connect": // a socket of somebody else: Args are network and address
		n, err := net.DialTimeout(o.Args[0], o.Args[1], 2*time.Second)
		if err == nil {
			n.Close()
			return outcome{Text: "connected"}, nil
		}
		return outcome{Code: 1, Text: err.Error()}, nil
	case "Run": // a program in the agent's own session
		b, err := exec.CommandContext(ctx, o.Args[0], o.Args[1:]...).CombinedOutput()
		if err != nil {
			return outcome{Code: 1, Text: string(b) + err.Error()}, nil
		}
		return outcome{Text: string(b)}, nil
	default:
		return outcome{Code: uint32(win32.ERROR_CALL_NOT_IMPLEMENTED), Text: "the agent knows no " + o.Op}, nil
	}
	return r, err
}
