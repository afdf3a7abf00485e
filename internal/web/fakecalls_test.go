// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"net"
	"slices"
	"strings"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

func (c *fakeConn) WTSEnumerateSessions(ctx context.Context) (api.SessionsReply, error) {
	if err := c.enter(ctx, "WTSEnumerateSessions", true); err != nil {
		return api.SessionsReply{}, err
	}
	defer c.d.mu.Unlock()
	return api.SessionsReply{Sessions: slices.Clone(c.d.sessions)}, nil
}

// session finds a session; the lock is held.
func (c *fakeConn) session(op string, id uint32) (*api.Session, error) {
	for i := range c.d.sessions {
		if c.d.sessions[i].ID == id {
			return &c.d.sessions[i], nil
		}
	}
	return nil, &win32.Error{Op: op, Object: fmt.Sprintf("session %d", id), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND, Rule: "WTS-4"}
}

func (c *fakeConn) onSession(ctx context.Context, op string, id uint32, do func(*api.Session) error) error {
	if err := c.enter(ctx, op, true); err != nil {
		return err
	}
	defer c.d.mu.Unlock()
	s, err := c.session(op, id)
	if err != nil {
		return err
	}
	return do(s)
}

func (c *fakeConn) WTSSendMessage(ctx context.Context, q api.SendMessageRequest) (r api.SendMessageReply, err error) {
	var wait chan uint32
	err = c.onSession(ctx, "WTSSendMessage", q.SessionID, func(*api.Session) error {
		c.d.sent = append(c.d.sent, q)
		if wait = c.d.answers[string(q.Key)]; wait == nil {
			wait = make(chan uint32, 1)
			c.d.answers[string(q.Key)] = wait
			c.d.messages = append(c.d.messages, api.Message{ID: uint64(len(c.d.sent) + 100), SessionID: q.SessionID, Title: q.Title, Text: q.Text, Style: q.Style, SenderPID: 4101})
		}
		c.d.emitLocked("message-show", q.SessionID, q.Title)
		return nil
	})
	if err != nil {
		return r, err
	}
	if !q.Wait {
		return api.SendMessageReply{Response: win32.IDASYNC}, nil
	}
	select {
	case a := <-wait:
		return api.SendMessageReply{Response: a}, nil
	case <-ctx.Done():
		return r, ctx.Err()
	case <-c.gone:
		return r, &win32.Error{Op: "WTSSendMessage", Code: win32.RPC_S_SERVER_UNAVAILABLE}
	}
}

// answerAll answers every box that somebody waits for.
func (d *fakeDaemon) answerAll(id uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.answers {
		select {
		case a <- id:
		default:
		}
	}
	d.messages = nil
	for i := range d.sessions {
		d.sessions[i].Messages = 0
	}
	d.emitLocked("message-answer", 1, answer(id))
}

func (c *fakeConn) WTSDisconnectSession(ctx context.Context, q api.SessionWaitRequest) error {
	return c.onSession(ctx, "WTSDisconnectSession", q.SessionID, func(s *api.Session) error {
		s.State, s.Name = win32.WTSDisconnected, ""
		c.d.emitLocked("session-disconnect", q.SessionID, "")
		return nil
	})
}

func (c *fakeConn) WTSConnectSession(ctx context.Context, q api.ConnectSessionRequest) error {
	return c.onSession(ctx, "WTSConnectSession", q.SessionID, func(s *api.Session) error {
		if q.Target != win32.WTS_CURRENT_SESSION {
			return &win32.Error{Op: "WTSConnectSession", Code: win32.ERROR_NOT_SUPPORTED}
		}
		s.State, s.Name = win32.WTSActive, "VNC-Tcp#9"
		c.d.emitLocked("session-connect", q.SessionID, "")
		return nil
	})
}

func (c *fakeConn) WTSLogoffSession(ctx context.Context, q api.SessionWaitRequest) error {
	return c.onSession(ctx, "WTSLogoffSession", q.SessionID, func(*api.Session) error {
		c.d.sessions = slices.DeleteFunc(c.d.sessions, func(s api.Session) bool { return s.ID == q.SessionID })
		c.d.procs = slices.DeleteFunc(c.d.procs, func(p api.Process) bool { return p.SessionID == q.SessionID })
		c.d.messages = slices.DeleteFunc(c.d.messages, func(m api.Message) bool { return m.SessionID == q.SessionID })
		c.d.emitLocked("session-logoff", q.SessionID, "")
		return nil
	})
}

func (c *fakeConn) lock(op string, ctx context.Context, id uint32, locked bool) error {
	return c.onSession(ctx, op, id, func(s *api.Session) error {
		s.Locked = locked
		c.activate(id, map[bool]string{true: "Winlogon", false: "Default"}[locked])
		c.d.emitLocked(op, id, "")
		return nil
	})
}

func (c *fakeConn) LockSession(ctx context.Context, q api.SessionRequest) error {
	return c.lock("session-lock", ctx, q.SessionID, true)
}

func (c *fakeConn) UnlockSession(ctx context.Context, q api.UnlockSessionRequest) error {
	if q.Password != "secret" {
		return &win32.Error{Op: "UnlockSession", Code: win32.ERROR_LOGON_FAILURE, Rule: "LGN-16"}
	}
	return c.lock("session-unlock", ctx, q.SessionID, false)
}

func (c *fakeConn) SecureAttention(ctx context.Context, q api.SessionRequest) error {
	return c.lock("session-sas", ctx, q.SessionID, true)
}

// activate makes a desktop the active one; the lock is held.
func (c *fakeConn) activate(id uint32, name string) bool {
	found := false
	for _, w := range c.d.trees[id] {
		for i := range w.Desktops {
			w.Desktops[i].Active = w.Interactive && w.Desktops[i].Name == name
			found = found || w.Desktops[i].Active
		}
	}
	return found
}

func (c *fakeConn) LogonSession(ctx context.Context, q api.LogonSessionRequest) (api.LogonSessionReply, error) {
	if err := c.enter(ctx, "LogonSession", true); err != nil {
		return api.LogonSessionReply{}, err
	}
	defer c.d.mu.Unlock()
	if !q.NoPassword && q.Password != "secret" {
		return api.LogonSessionReply{}, &win32.Error{Op: "LogonUser", Object: q.User, Code: win32.ERROR_LOGON_FAILURE, Rule: "LGN-5"}
	}
	id := c.d.sessions[len(c.d.sessions)-1].ID + 1
	c.d.sessions = append(c.d.sessions, api.Session{ID: id, Name: fmt.Sprintf("VNC-Tcp#%d", id), State: win32.WTSActive, User: q.User, Domain: "DEMO"})
	c.d.trees[id] = []api.WindowStation{{Name: "WinSta0", Interactive: true, Desktops: []api.Desktop{
		{Name: "Default", Active: true, Surface: "x11", Width: 1280, Height: 800}, {Name: "Winlogon", Secure: true, Surface: "builtin", Width: 1280, Height: 800},
	}}}
	c.d.emitLocked("session-logon", id, q.User)
	return api.LogonSessionReply{SessionID: id}, nil
}

func (c *fakeConn) ListMessages(ctx context.Context, q api.SessionRequest) (r api.MessagesReply, err error) {
	err = c.onSession(ctx, "ListMessages", q.SessionID, func(*api.Session) error {
		for _, m := range c.d.messages {
			if m.SessionID == q.SessionID {
				r.Messages = append(r.Messages, m)
			}
		}
		return nil
	})
	return r, err
}

func (c *fakeConn) ListDesktops(ctx context.Context, q api.SessionRequest) (r api.TreeReply, err error) {
	err = c.onSession(ctx, "ListDesktops", q.SessionID, func(*api.Session) error {
		for _, w := range c.d.trees[q.SessionID] {
			w.Desktops = slices.Clone(w.Desktops)
			r.Stations = append(r.Stations, w)
		}
		return nil
	})
	return r, err
}

func (c *fakeConn) CreateSessionDesktop(ctx context.Context, q api.SessionDesktopRequest) (r api.DesktopReply, err error) {
	err = c.onSession(ctx, "CreateDesktop", q.SessionID, func(*api.Session) error {
		for _, b := range q.Desktop {
			if b == '\\' {
				return &win32.Error{Op: "CreateDesktop", Object: q.Desktop, Code: win32.ERROR_INVALID_NAME, Rule: "DT-4"}
			}
		}
		r.Desktop = api.Desktop{Station: "WinSta0", Name: q.Desktop, Surface: "builtin", Width: 1280, Height: 800}
		if q.Surface != "" {
			r.Desktop.Surface = q.Surface
		}
		c.d.trees[q.SessionID][0].Desktops = append(c.d.trees[q.SessionID][0].Desktops, r.Desktop)
		c.d.emitLocked("desktop-create", q.SessionID, q.Desktop)
		return nil
	})
	return r, err
}

func (c *fakeConn) CloseSessionDesktop(ctx context.Context, q api.SessionDesktopRequest) error {
	return c.onSession(ctx, "CloseDesktop", q.SessionID, func(*api.Session) error {
		for i, w := range c.d.trees[q.SessionID] {
			for j, k := range w.Desktops {
				if k.Name != q.Desktop {
					continue
				}
				if k.Active {
					return &win32.Error{Op: "CloseDesktop", Object: q.Desktop, Code: win32.ERROR_BUSY, Rule: "DT-41"}
				}
				c.d.trees[q.SessionID][i].Desktops = slices.Delete(w.Desktops, j, j+1)
				c.d.emitLocked("desktop-close", q.SessionID, q.Desktop)
				return nil
			}
		}
		return &win32.Error{Op: "CloseDesktop", Object: q.Desktop, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "DT-13"}
	})
}

func (c *fakeConn) SwitchSessionDesktop(ctx context.Context, q api.SessionDesktopRequest) error {
	return c.onSession(ctx, "SwitchDesktop", q.SessionID, func(s *api.Session) error {
		if s.Locked {
			return &win32.Error{Op: "SwitchDesktop", Object: q.Desktop, Code: win32.ERROR_ACCESS_DENIED, Rule: "DT-46"}
		}
		if !c.activate(q.SessionID, q.Desktop) {
			return &win32.Error{Op: "SwitchDesktop", Object: q.Desktop, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "DT-13"}
		}
		c.d.emitLocked("desktop-switch", q.SessionID, q.Desktop)
		return nil
	})
}

func (c *fakeConn) CaptureDesktop(ctx context.Context, q api.CaptureRequest) (r api.CaptureReply, err error) {
	if q.Desktop == "Winlogon" {
		return r, &win32.Error{Op: "CaptureDesktop", Object: `WinSta0\Winlogon`, Code: win32.ERROR_ACCESS_DENIED, Rule: "IN-11"}
	}
	err = c.onSession(ctx, "CaptureDesktop", q.SessionID, func(s *api.Session) error {
		var b bytes.Buffer
		if err := png.Encode(&b, picture(s.User, q.Desktop, "", nil)); err != nil {
			return err
		}
		r = api.CaptureReply{PNG: b.Bytes(), Width: 1280, Height: 800}
		return nil
	})
	return r, err
}

func (c *fakeConn) SendInput(ctx context.Context, q api.SendInputRequest) error {
	return c.onSession(ctx, "SendInput", q.SessionID, func(*api.Session) error {
		c.d.inputs = append(c.d.inputs, q.Events...)
		return nil
	})
}

func (c *fakeConn) OpenViewer(ctx context.Context, q api.OpenViewerRequest) (rwc io.ReadWriteCloser, err error) {
	err = c.onSession(ctx, "OpenViewer", q.SessionID, func(s *api.Session) error {
		near, far := net.Pipe()
		c.stream = near
		rwc = near
		if c.d.raw != nil {
			c.d.raw <- far
			return nil
		}
		go serveRFB(far, c.d, s.ID)
		return nil
	})
	return rwc, err
}

func (c *fakeConn) EnumProcesses(ctx context.Context, q api.SessionRequest) (api.ProcessesReply, error) {
	if err := c.enter(ctx, "EnumProcesses", true); err != nil {
		return api.ProcessesReply{}, err
	}
	defer c.d.mu.Unlock()
	var r api.ProcessesReply
	for _, p := range c.d.procs {
		if q.SessionID == win32.WTS_ANY_SESSION || p.SessionID == q.SessionID {
			r.Processes = append(r.Processes, p)
		}
	}
	return r, nil
}

func (c *fakeConn) RunInSession(ctx context.Context, q api.RunInSessionRequest) (r api.CreateProcessReply, err error) {
	err = c.onSession(ctx, "RunInSession", q.SessionID, func(s *api.Session) error {
		if s.User == "" {
			return &win32.Error{Op: "RunInSession", Code: win32.ERROR_NO_TOKEN, Rule: "PRC-24"}
		}
		if q.Args[0] == "nothing" {
			return &win32.Error{Op: "RunInSession", Object: "nothing", Code: win32.ERROR_FILE_NOT_FOUND, Rule: "PRC-23"}
		}
		pid := uint32(5000 + len(c.d.procs))
		c.d.procs = append(c.d.procs, api.Process{SessionID: q.SessionID, ProcessID: pid, Name: q.Args[0], User: `DEMO\alice`, WindowStation: "WinSta0", Desktop: "Default", Args: q.Args})
		c.d.emitLocked("process-start", q.SessionID, q.Args[0])
		r = api.CreateProcessReply{Process: c.open("process"), ProcessID: pid}
		return nil
	})
	return r, err
}

func (c *fakeConn) OpenProcess(ctx context.Context, q api.OpenProcessRequest) (api.HandleReply, error) {
	if err := c.enter(ctx, "OpenProcess", true); err != nil {
		return api.HandleReply{}, err
	}
	defer c.d.mu.Unlock()
	for _, p := range c.d.procs {
		if p.ProcessID == q.ProcessID {
			return api.HandleReply{Handle: c.open("process")}, nil
		}
	}
	return api.HandleReply{}, &win32.Error{Op: "OpenProcess", Code: win32.ERROR_INVALID_PARAMETER}
}

func (c *fakeConn) TerminateProcess(ctx context.Context, _ api.TerminateProcessRequest) error {
	if err := c.enter(ctx, "TerminateProcess", true); err != nil {
		return err
	}
	defer c.d.mu.Unlock()
	c.d.emitLocked("process-end", 1, "")
	return nil
}

func (c *fakeConn) OpenSCManager(ctx context.Context, _ api.OpenSCManagerRequest) (api.HandleReply, error) {
	if err := c.enter(ctx, "OpenSCManager", true); err != nil {
		return api.HandleReply{}, err
	}
	defer c.d.mu.Unlock()
	return api.HandleReply{Handle: c.open("scm")}, nil
}

func (c *fakeConn) OpenService(ctx context.Context, q api.OpenServiceRequest) (api.HandleReply, error) {
	if err := c.enter(ctx, "OpenService", true); err != nil {
		return api.HandleReply{}, err
	}
	defer c.d.mu.Unlock()
	for _, s := range c.d.services {
		if s.Name == q.Name {
			return api.HandleReply{Handle: c.open("service " + s.Name)}, nil
		}
	}
	return api.HandleReply{}, &win32.Error{Op: "OpenService", Object: q.Name, Code: win32.ERROR_SERVICE_DOES_NOT_EXIST, Rule: "SCM-8"}
}

// service finds the service of a handle and runs do on it.
func (c *fakeConn) service(ctx context.Context, op string, h win32.Handle, do func(*api.Service) error) error {
	if err := c.enter(ctx, op, true); err != nil {
		return err
	}
	defer c.d.mu.Unlock()
	for i := range c.d.services {
		if c.d.handles[h] == "service "+c.d.services[i].Name {
			return do(&c.d.services[i])
		}
	}
	return &win32.Error{Op: op, Code: win32.ERROR_INVALID_HANDLE}
}

func (c *fakeConn) StartService(ctx context.Context, q api.StartServiceRequest) error {
	return c.service(ctx, "StartService", q.Service, func(s *api.Service) error {
		if s.Status.State == win32.SERVICE_RUNNING {
			return &win32.Error{Op: "StartService", Object: s.Name, Code: win32.ERROR_SERVICE_ALREADY_RUNNING, Rule: "SCM-26"}
		}
		s.Status.State, s.Status.ProcessID, s.Status.Accepts = win32.SERVICE_RUNNING, 4199, win32.SERVICE_ACCEPT_STOP
		c.d.emitLocked("service-start", 0, s.Name)
		return nil
	})
}

func (c *fakeConn) ControlService(ctx context.Context, q api.ControlServiceRequest) (r api.ServiceStatusReply, err error) {
	err = c.service(ctx, "ControlService", q.Service, func(s *api.Service) error {
		s.Status = api.ServiceStatus{State: win32.SERVICE_STOPPED}
		r.Status = s.Status
		c.d.emitLocked("service-stop", 0, s.Name)
		return nil
	})
	return r, err
}

func (c *fakeConn) QueryServiceStatus(ctx context.Context, q api.HandleRequest) (r api.ServiceStatusReply, err error) {
	err = c.service(ctx, "QueryServiceStatus", q.Handle, func(s *api.Service) error { r.Status = s.Status; return nil })
	return r, err
}

func (c *fakeConn) QueryServiceConfig(ctx context.Context, q api.HandleRequest) (r api.ServiceConfigReply, err error) {
	err = c.service(ctx, "QueryServiceConfig", q.Handle, func(s *api.Service) error {
		r.Config = api.ServiceConfig{Name: s.Name, DisplayName: s.DisplayName, Account: s.Account, StartType: win32.SERVICE_AUTO_START, BinaryPath: "/usr/sbin/" + s.Name}
		return nil
	})
	return r, err
}

func (c *fakeConn) EnumServicesStatus(ctx context.Context, _ api.HandleRequest) (api.ServicesReply, error) {
	if err := c.enter(ctx, "EnumServicesStatus", true); err != nil {
		return api.ServicesReply{}, err
	}
	defer c.d.mu.Unlock()
	return api.ServicesReply{Services: slices.Clone(c.d.services)}, nil
}

func (c *fakeConn) ServiceLog(ctx context.Context, q api.ServiceLogRequest) (r api.BytesReply, err error) {
	err = c.service(ctx, "ServiceLog", q.Service, func(s *api.Service) error {
		r.Data = []byte("08:00:00 " + s.Name + " started\n08:00:02 asking session 1: back up now?\n")
		return nil
	})
	return r, err
}

func (c *fakeConn) ListAccounts(ctx context.Context) (api.AccountsReply, error) {
	if err := c.enter(ctx, "ListAccounts", true); err != nil {
		return api.AccountsReply{}, err
	}
	defer c.d.mu.Unlock()
	return api.AccountsReply{Accounts: slices.Clone(c.d.accounts)}, nil
}

// object finds an object; the lock is held. One without a descriptor is one
// that the caller may not read.
func (c *fakeConn) object(op, path string) (*api.Object, error) {
	for i := range c.d.objects {
		if o := &c.d.objects[i]; o.Path == path {
			if o.SDDL == "" {
				return nil, &win32.Error{Op: op, Object: path, Code: win32.ERROR_ACCESS_DENIED, Rule: "SE-63"}
			}
			return o, nil
		}
	}
	return nil, &win32.Error{Op: op, Object: path, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "OBJ-16"}
}

func (c *fakeConn) ShowObject(ctx context.Context, q api.PathRequest) (r api.ObjectReply, err error) {
	if err := c.enter(ctx, "ShowObject", true); err != nil {
		return r, err
	}
	defer c.d.mu.Unlock()
	o, err := c.object("ShowObject", q.Path)
	if err == nil {
		r.Object = *o
	}
	return r, err
}

func (c *fakeConn) ListObjects(ctx context.Context, q api.PathRequest) (r api.ObjectsReply, err error) {
	if err := c.enter(ctx, "ListObjects", true); err != nil {
		return r, err
	}
	defer c.d.mu.Unlock()
	o, err := c.object("ListObjects", q.Path)
	if err != nil {
		return r, err
	}
	if o.Type != "Directory" {
		return r, &win32.Error{Op: "ListObjects", Object: q.Path, Code: win32.ERROR_PATH_NOT_FOUND, Rule: "OBJ-1"}
	}
	for _, e := range c.d.objects {
		if e.Name != "" && e.Path == strings.TrimSuffix(q.Path, `\`)+`\`+e.Name {
			r.Objects = append(r.Objects, e)
		}
	}
	return r, nil
}

func (c *fakeConn) SetObjectSecurity(ctx context.Context, q api.SetObjectSecurityRequest) error {
	if err := c.enter(ctx, "SetObjectSecurity", true); err != nil {
		return err
	}
	defer c.d.mu.Unlock()
	o, err := c.object("SetObjectSecurity", q.Path)
	if err != nil {
		return err
	}
	if !strings.Contains(q.SDDL, ":") {
		return &win32.Error{Op: "ConvertStringSecurityDescriptorToSecurityDescriptor", Object: q.SDDL, Code: win32.ERROR_INVALID_PARAMETER, Rule: "SDDL-8"}
	}
	o.SDDL = q.SDDL
	return nil
}
