// SPDX-License-Identifier: Apache-2.0

// Package outside tries, with real programs inside sessions, to reach what
// belongs to another session: a service a user's desktop, a user's program
// session 0 and the other users.
package outside

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { stationtest.Main(m, programs) }

// scene is alice in session 1, bob in session 2, each with an xterm where there
// are X servers, and a program of each that takes orders.
type scene struct {
	*stationtest.Daemon
	*hall
	c          *client.Conn
	alice, bob *agent
}

func newScene(t *testing.T) *scene {
	t.Helper()
	stationtest.NeedRoot(t)
	stationtest.NeedPrograms(t, "Xvnc", "xterm")
	d := stationtest.Serve(t, "--listen", "none")
	s := &scene{Daemon: d, hall: newHall(t, d), c: d.Dial(t)}
	for _, user := range []string{"alice", "bob"} {
		stationtest.AddUser(t, s.c, user, false)
		id := stationtest.Logon(t, s.c, user)
		stationtest.Spawn(t, s.c, id, `WinSta0\Default`, "xterm")
		stationtest.Spawn(t, s.c, id, `WinSta0\Default`, s.command(t, "agent")...)
		a := s.accept(t)
		if a.Session != id {
			t.Fatalf("the agent of %s is in session %d, want %d", user, a.Session, id)
		}
		if user == "alice" {
			s.alice = a
		} else {
			s.bob = a
		}
	}
	return s
}

// service starts an agent as a service under an account.
func (s *scene) service(t *testing.T, account string) *agent {
	t.Helper()
	m, err := s.c.OpenSCManager(t.Context(), client.OpenSCManagerRequest{Access: win32.SC_MANAGER_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	password := ""
	if name, ok := strings.CutPrefix(account, `.\`); ok {
		stationtest.AddUser(t, s.c, name, false)
		password = name + "-pw"
	}
	h, err := s.c.CreateService(t.Context(), client.CreateServiceRequest{
		Manager: m.Handle, Name: "Outsider", Access: win32.SERVICE_ALL_ACCESS, Type: win32.SERVICE_WIN32_OWN_PROCESS,
		StartType: win32.SERVICE_DEMAND_START, ErrorControl: 1, BinaryPath: strings.Join(s.command(t, "service"), " "), Account: account, Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.c.StartService(t.Context(), client.StartServiceRequest{Service: h.Handle}); err != nil {
		log, _ := s.c.ServiceLog(t.Context(), client.ServiceLogRequest{Service: h.Handle})
		t.Fatalf("cannot start the service: %v\n%s", err, log.Data)
	}
	a := s.accept(t)
	if a.Session != 0 {
		t.Fatalf("the service is in session %d", a.Session)
	}
	return a
}

// give duplicates a handle of one agent into another, as only the system can.
func (s *scene) give(t *testing.T, from *agent, h win32.Handle, to *agent) win32.Handle {
	t.Helper()
	open := func(a *agent) win32.Handle {
		p, err := s.c.OpenProcess(t.Context(), client.OpenProcessRequest{ProcessID: a.PID, Access: win32.PROCESS_DUP_HANDLE})
		if err != nil {
			t.Fatalf("cannot open process %d: %v", a.PID, err)
		}
		return p.Handle
	}
	r, err := s.c.DuplicateHandle(t.Context(), client.DuplicateHandleRequest{SourceProcess: open(from), Source: h, TargetProcess: open(to), Options: win32.DUPLICATE_SAME_ACCESS})
	if err != nil {
		t.Fatalf("cannot duplicate a handle of %s for %s: %v", from.User, to.User, err)
	}
	return r.Handle
}

// display gives the DISPLAY of a session and its number.
func (s *scene) display(t *testing.T, session uint32) (string, int) {
	t.Helper()
	text := strings.TrimSpace(s.In(t, session, "printenv", "DISPLAY"))
	var n int
	if _, err := fmt.Sscanf(text, ":%d", &n); err != nil {
		t.Fatalf("DISPLAY of session %d is %q", session, text)
	}
	return text, n
}

// sockets gives every address by which somebody may look for a session's X
// server from elsewhere, one process of it included.
func (s *scene) sockets(t *testing.T, session uint32) [][]string {
	t.Helper()
	_, n := s.display(t, session)
	to := [][]string{
		{"unix", fmt.Sprintf("@/tmp/.X11-unix/X%d", n)},
		{"tcp", fmt.Sprintf("127.0.0.1:%d", 6000+n)}, {"tcp", fmt.Sprintf("127.0.0.1:%d", 5900+n)}, {"tcp", fmt.Sprintf("[::1]:%d", 6000+n)},
	}
	found := false
	for _, pid := range s.Processes() {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || !bytes.Contains(line, []byte("Xvnc")) {
			continue
		}
		group, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil || !bytes.Contains(group, fmt.Appendf(nil, "/s%d-", session)) {
			continue
		}
		found = true
		for _, word := range strings.Split(string(line), "\x00") {
			if strings.HasPrefix(word, "/") && strings.Contains(strings.ToLower(word), "rfb") {
				to = append(to, []string{"unix", word}, []string{"unix", fmt.Sprintf("/proc/%d/root%s", pid, word)})
			}
		}
		to = append(to, []string{"unix", fmt.Sprintf("/proc/%d/root/tmp/.X11-unix/X%d", pid, n)})
	}
	if !found {
		t.Fatal("no X server runs")
	}
	return to
}

// refusal is the number of a refused call: calls that name a desktop of a
// station which the caller may not even see answer as if it were not there.
func refusal(op string) win32.Errno {
	switch op {
	case "CaptureDesktop", "SendInput", "CreateSessionDesktop", "SwitchSessionDesktop":
		return win32.ERROR_FILE_NOT_FOUND
	}
	return win32.ERROR_ACCESS_DENIED
}

func TestServiceAtAUsersDesktop(t *testing.T) {
	for _, account := range []string{`.\svc`, `NT AUTHORITY\LocalService`, `NT AUTHORITY\NetworkService`, ""} {
		name := account
		if name == "" {
			name = "LocalSystem"
		}
		t.Run(name[strings.LastIndex(name, `\`)+1:], func(t *testing.T) {
			s := newScene(t)
			a := s.service(t, account)
			system := account == ""
			alice := s.alice.Session

			t.Run("by name", func(t *testing.T) {
				conform.Rule(t, "WS-2")
				for _, name := range []string{`\Sessions\1\Windows\WindowStations\WinSta0`, `Sessions\1\WinSta0`, `1\WinSta0`} {
					if r := a.do(order{Op: "OpenWindowStation", Text: name, Access: win32.WINSTA_READATTRIBUTES}); r.Code == 0 {
						t.Errorf("%s was opened", name)
					}
				}
				a.want(t, win32.ERROR_FILE_NOT_FOUND, order{Op: "OpenWindowStation", Text: "OfAlice", Access: win32.WINSTA_READATTRIBUTES})
				a.want(t, win32.ERROR_FILE_NOT_FOUND, order{Op: "OpenDesktop", Text: "OfAlice", Access: win32.DESKTOP_READOBJECTS | win32.DESKTOP_WRITEOBJECTS})
			})
			t.Run("through a duplicated handle", func(t *testing.T) {
				conform.Rule(t, "WS-34")
				conform.Rule(t, "HN-5")
				w := s.alice.want(t, 0, order{Op: "OpenWindowStation", Text: "WinSta0", Access: win32.WINSTA_READATTRIBUTES})
				d := s.alice.want(t, 0, order{Op: "OpenDesktop", Text: "Default", Access: win32.DESKTOP_READOBJECTS | win32.DESKTOP_WRITEOBJECTS | win32.DESKTOP_CREATEWINDOW | win32.DESKTOP_SWITCHDESKTOP})
				if t.Failed() {
					return
				}
				a.want(t, win32.ERROR_ACCESS_DENIED, order{Op: "SetProcessWindowStation", Handle: s.give(t, s.alice, w.Handle, a)})
				h := s.give(t, s.alice, d.Handle, a)
				a.want(t, win32.ERROR_ACCESS_DENIED, order{Op: "SetThreadDesktop", Handle: h})
				a.want(t, win32.ERROR_INVALID_HANDLE, order{Op: "SwitchDesktop", Handle: h}) // DT-46 (1)
			})
			t.Run("her X server", func(t *testing.T) {
				for _, at := range s.sockets(t, alice) {
					if r := a.do(order{Op: "Connect", Args: at}); r.Code == 0 {
						t.Errorf("connected to %v", at)
					}
				}
				_, n := s.display(t, alice)
				if r := s.alice.do(order{Op: "Connect", Args: []string{"unix", fmt.Sprintf("/tmp/.X11-unix/X%d", n)}}); r.Code != 0 {
					t.Errorf("alice herself cannot connect, so this shows nothing: %s", r.Text)
				}
				if r := a.do(order{Op: "Connect", Args: []string{"unix", fmt.Sprintf("/tmp/.X11-unix/X%d", n)}}); r.Code == 0 {
					t.Error("session 0 has an X server at her path")
				}
			})
			if system {
				return // it is the system, and may do what follows
			}
			t.Run("calls", func(t *testing.T) {
				for _, op := range []string{"CaptureDesktop", "SendInput", "OpenViewer", "SecureAttention", "CreateSessionDesktop", "SwitchSessionDesktop", "WTSLogoffSession", "WTSDisconnectSession", "LockSession", "CreateTicket", "ReadAudit", "AddAccount"} {
					o := order{Op: op, Session: alice}
					if strings.HasSuffix(op, "SessionDesktop") {
						o.Text = "Default"
					}
					a.want(t, refusal(op), o)
				}
				// LocalService and NetworkService have no SeTcbPrivilege either.
				a.want(t, win32.ERROR_PRIVILEGE_NOT_HELD, order{Op: "WTSQueryUserToken", Session: alice})
			})
			t.Run("the one way there is", func(t *testing.T) {
				a.want(t, 0, order{Op: "WTSSendMessage", Session: alice, Text: "hello"})
				m, err := s.c.ListMessages(t.Context(), client.SessionRequest{SessionID: alice})
				if err != nil || len(m.Messages) != 1 || m.Messages[0].Text != "hello" {
					t.Errorf("%+v, %v", m, err)
				}
			})
		})
	}
}

func TestUserAtEverythingElse(t *testing.T) {
	s := newScene(t)
	a, bob := s.alice, s.bob.Session
	s.service(t, `.\svc`)

	t.Run("stations of session 0", func(t *testing.T) {
		conform.Rule(t, "WS-2")
		conform.Rule(t, "WS-31")
		tree, err := s.c.ListDesktops(t.Context(), client.SessionRequest{SessionID: 0})
		if err != nil {
			t.Fatal(err)
		}
		names := a.want(t, 0, order{Op: "EnumWindowStations"}).Names
		seen := 0
		for _, w := range tree.Stations {
			if w.Name == "WinSta0" {
				continue // every session has one of that name, alice sees hers
			}
			seen++
			a.want(t, win32.ERROR_FILE_NOT_FOUND, order{Op: "OpenWindowStation", Text: w.Name, Access: win32.WINSTA_READATTRIBUTES})
			if slices.Contains(names, w.Name) {
				t.Errorf("alice sees station %s of session 0", w.Name)
			}
		}
		if seen == 0 {
			t.Error("session 0 has no station of a service")
		}
		if !slices.Contains(names, "WinSta0") {
			t.Errorf("alice sees the stations %v and not her own", names)
		}
	})
	t.Run("through a duplicated handle", func(t *testing.T) {
		conform.Rule(t, "WS-34")
		h, err := s.c.OpenWindowStation(t.Context(), client.OpenRequest{Name: "WinSta0", Access: win32.WINSTA_ALL_ACCESS})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.c.OpenProcess(t.Context(), client.OpenProcessRequest{ProcessID: a.PID, Access: win32.PROCESS_DUP_HANDLE})
		if err != nil {
			t.Fatal(err)
		}
		const self = win32.Handle(0xFFFFFFFF) // GetCurrentProcess
		r, err := s.c.DuplicateHandle(t.Context(), client.DuplicateHandleRequest{SourceProcess: self, Source: h.Handle, TargetProcess: p.Handle, Options: win32.DUPLICATE_SAME_ACCESS})
		if err != nil {
			t.Fatal(err)
		}
		a.want(t, win32.ERROR_ACCESS_DENIED, order{Op: "SetProcessWindowStation", Handle: r.Handle})
	})
	t.Run("the session of bob", func(t *testing.T) {
		for _, o := range []order{
			{Op: "CaptureDesktop"}, {Op: "CaptureDesktop", Text: "Default"}, {Op: "CaptureDesktop", Text: "Winlogon"}, {Op: "SendInput"}, {Op: "OpenViewer"}, {Op: "SecureAttention"},
			{Op: "CreateSessionDesktop", Text: "Mine"}, {Op: "SwitchSessionDesktop", Text: "Default"}, {Op: "CreateSessionStation", Text: "Mine"},
			{Op: "WTSLogoffSession"}, {Op: "WTSDisconnectSession"}, {Op: "LockSession"}, {Op: "WTSSendMessage", Text: "click here"}, {Op: "ListMessages"},
		} {
			o.Session = bob
			a.want(t, refusal(o.Op), o)
		}
		for _, access := range []win32.AccessMask{win32.PROCESS_TERMINATE, win32.PROCESS_DUP_HANDLE, win32.PROCESS_QUERY_INFORMATION} {
			a.want(t, win32.ERROR_ACCESS_DENIED, order{Op: "OpenProcess", Session: s.bob.PID, Access: access})
		}
		for _, at := range s.sockets(t, bob) {
			if r := a.do(order{Op: "Connect", Args: at}); r.Code == 0 {
				t.Errorf("alice connected to %v", at)
			}
		}
	})
	t.Run("the machine", func(t *testing.T) {
		for _, o := range []order{
			{Op: "ReadAudit"}, {Op: "CreateTicket"}, {Op: "AddAccount"}, {Op: "SetAccountPassword", Text: "bob"}, {Op: "RemoveAccount", Text: "bob"}, {Op: "LogonSession", Text: "bob"},
			{Op: "OpenSCManager", Access: win32.SC_MANAGER_CREATE_SERVICE}, {Op: "ServiceLog", Text: "Outsider", Access: win32.SERVICE_START}, {Op: "StopService", Text: "Outsider", Access: win32.SERVICE_STOP},
		} {
			a.want(t, win32.ERROR_ACCESS_DENIED, o)
		}
		a.want(t, win32.ERROR_PRIVILEGE_NOT_HELD, order{Op: "WTSQueryUserToken", Session: bob})
		conform.Rule(t, "PRC-24")
		a.want(t, win32.ERROR_ACCESS_DENIED, order{Op: "RunInSession", Session: bob})
		a.want(t, win32.ERROR_ACCESS_DENIED, order{Op: "RunInSession", Session: 0})
		a.want(t, win32.ERROR_CTX_WINSTATION_NOT_FOUND, order{Op: "RunInSession", Session: 4711})
		a.want(t, 0, order{Op: "RunInSession", Session: s.alice.Session})
		a.want(t, win32.ERROR_LOGON_FAILURE, order{Op: "RedeemTicket", Text: "guessed"})
		for _, path := range []string{`\Sessions\2\Windows\WindowStations\WinSta0`, `\Windows\WindowStations\WinSta0`} {
			if r := a.do(order{Op: "SetObjectSecurity", Text: path}); r.Code == 0 {
				t.Errorf("alice set the descriptor of %s", path)
			}
		}
		if r := a.do(order{Op: "Shutdown"}); r.Code != uint32(win32.ERROR_PRIVILEGE_NOT_HELD) && r.Code != uint32(win32.ERROR_ACCESS_DENIED) {
			t.Errorf("Shutdown: %d %s", r.Code, r.Text)
		}
	})
	t.Run("nothing came of it", func(t *testing.T) {
		r, err := s.c.WTSEnumerateSessions(t.Context())
		if err != nil || len(r.Sessions) != 3 {
			t.Errorf("sessions %+v, %v", r.Sessions, err)
		}
		for _, se := range r.Sessions {
			if se.ID != 0 && (se.State != win32.WTSActive || se.Locked || se.Messages != 0) {
				t.Errorf("%+v", se)
			}
		}
		audit, err := s.c.ReadAudit(t.Context(), client.ReadLogRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"CaptureDesktop WinSta0", "SendInput WinSta0", "WTSLogoffSession session 2", "ReadAudit", "CreateTicket"} {
			if !slices.ContainsFunc(audit.Records, func(r client.AuditRecord) bool {
				return strings.HasPrefix(r.Op+" "+r.Object, what) && r.ProcessID == a.PID && strings.Contains(r.UserName, "alice")
			}) {
				t.Errorf("no refusal of %q is in the audit log", what)
			}
		}
	})
}
