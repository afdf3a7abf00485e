// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"time"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// Session is a session as the API tells it.
type Session struct {
	ID           uint32     `json:"id" doc:"Session ID." example:"1"`
	Name         string     `json:"name" doc:"Name of its terminal (WinStation), empty when disconnected." example:"Console"`
	State        string     `json:"state" doc:"Connect state as query session prints it." example:"Active"`
	User         string     `json:"user" doc:"User logged on, empty for none."`
	Domain       string     `json:"domain"`
	UserSID      string     `json:"userSid"`
	LogonID      string     `json:"logonId" doc:"LUID of the logon session." example:"0x0:0x3e7"`
	Locked       bool       `json:"locked"`
	InputDesktop string     `json:"inputDesktop" doc:"Desktop that receives input, as station\\desktop."`
	Connected    *time.Time `json:"connected,omitempty"`
	Disconnected *time.Time `json:"disconnected,omitempty"`
	LoggedOn     *time.Time `json:"loggedOn,omitempty"`
	LastInput    *time.Time `json:"lastInput,omitempty"`
	Viewers      uint32     `json:"viewers" doc:"Viewers that show it now."`
	Messages     uint32     `json:"messages" doc:"Message boxes that wait for a person."`
	Processes    uint32     `json:"processes"`
}

// WindowStation is a window station with its desktops.
type WindowStation struct {
	Name        string    `json:"name" example:"WinSta0"`
	Interactive bool      `json:"interactive"`
	User        string    `json:"user" doc:"SID of the user it is associated with."`
	LogonID     string    `json:"logonId"`
	SDDL        string    `json:"sddl,omitempty" doc:"Its descriptor, when the caller may read it."`
	Rights      []Right   `json:"rights" doc:"The descriptor's list in words."`
	Desktops    []Desktop `json:"desktops"`
}

// Desktop is a desktop with its facts.
type Desktop struct {
	Station   string  `json:"station" example:"WinSta0"`
	Name      string  `json:"name" example:"Default"`
	Active    bool    `json:"active" doc:"Receives the session's input."`
	Secure    bool    `json:"secure" doc:"Drawn by the session manager; never captured, never takes injected input."`
	Surface   string  `json:"surface" doc:"x11 or builtin."`
	Width     uint32  `json:"width"`
	Height    uint32  `json:"height"`
	HeapKB    uint32  `json:"heapKB"`
	HeapUsed  uint32  `json:"heapUsed" doc:"Bytes."`
	Threads   uint32  `json:"threads"`
	Processes uint32  `json:"processes"`
	SDDL      string  `json:"sddl,omitempty"`
	Rights    []Right `json:"rights" doc:"The descriptor's list in words."`
	Display   string  `json:"display,omitempty" doc:"DISPLAY of an X server that runs."`
	Trouble   string  `json:"trouble,omitempty" doc:"Why it has no picture."`
}

// Process is one process.
type Process struct {
	ID        uint32     `json:"id" doc:"Linux process ID."`
	SessionID uint32     `json:"sessionId"`
	ParentID  uint32     `json:"parentId"`
	Name      string     `json:"name"`
	User      string     `json:"user"`
	UserSID   string     `json:"userSid"`
	Station   string     `json:"station" doc:"Empty while it is not connected."`
	Desktop   string     `json:"desktop"`
	Service   string     `json:"service,omitempty"`
	Started   *time.Time `json:"started,omitempty"`
	Args      []string   `json:"args"`
}

// Message is a message box that waits for a person.
type Message struct {
	ID        string     `json:"id"`
	SessionID uint32     `json:"sessionId"`
	Desktop   string     `json:"desktop"`
	Title     string     `json:"title"`
	Text      string     `json:"text"`
	Style     uint32     `json:"style" doc:"MB_* bits."`
	Buttons   []string   `json:"buttons" doc:"Answers it offers; only a person at a viewer can give one."`
	Sender    uint32     `json:"sender" doc:"Process ID of the sender."`
	Created   *time.Time `json:"created,omitempty"`
	Deadline  *time.Time `json:"deadline,omitempty"`
}

// Tree is a session with everything in it.
type Tree struct {
	Session   Session         `json:"session"`
	Stations  []WindowStation `json:"stations"`
	Processes []Process       `json:"processes"`
	Messages  []Message       `json:"messages"`
	Trouble   []string        `json:"trouble,omitempty" doc:"What the caller may not see, and why."`
}

// Service is one service and its status.
type Service struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Account     string `json:"account"`
	Station     string `json:"station" doc:"Window station and desktop it runs on, or would."`
	State       string `json:"state" example:"Running"`
	ProcessID   uint32 `json:"processId"`
	ExitCode    uint32 `json:"exitCode" doc:"Win32 exit code of the last run."`
	SpecificErr uint32 `json:"specificExitCode"`
	CanStop     bool   `json:"canStop"`
}

// ServiceDetail adds a service's configuration.
type ServiceDetail struct {
	Service
	BinaryPath  string   `json:"binaryPath"`
	StartType   string   `json:"startType"`
	Description string   `json:"description"`
	Depends     []string `json:"depends"`
	Plain       bool     `json:"plain" doc:"A program that does not talk to the service manager."`
}

// Account is an account of the machine's own store.
type Account struct {
	Name     string `json:"name"`
	SID      string `json:"sid"`
	UID      uint32 `json:"uid"`
	GID      uint32 `json:"gid"`
	Admin    bool   `json:"admin"`
	Disabled bool   `json:"disabled"`
	BuiltIn  bool   `json:"builtIn"`
}

// Event is one thing that happened.
type Event struct {
	Seq       uint64     `json:"seq"`
	Time      *time.Time `json:"time,omitempty"`
	Kind      string     `json:"kind" example:"session-logon"`
	Code      uint32     `json:"code,omitempty" doc:"WTS_* number of a session change."`
	SessionID uint32     `json:"sessionId"`
	ProcessID uint32     `json:"processId,omitempty"`
	Object    string     `json:"object,omitempty"`
	Text      string     `json:"text,omitempty"`
}

// Refusal is one record of the audit log.
type Refusal struct {
	Seq       uint64     `json:"seq"`
	Time      *time.Time `json:"time,omitempty"`
	SessionID uint32     `json:"sessionId"`
	ProcessID uint32     `json:"processId"`
	User      string     `json:"user"`
	UserSID   string     `json:"userSid"`
	Op        string     `json:"op"`
	Object    string     `json:"object"`
	Desired   string     `json:"desired" doc:"Access mask asked for." example:"0x00000100"`
	Granted   string     `json:"granted"`
	Code      uint32     `json:"code" doc:"Win32 error number."`
	CodeName  string     `json:"codeName"`
	Text      string     `json:"text"`
	ACE       int32      `json:"ace" doc:"Index of the ACE that decided, -1 for none."`
	ACEText   string     `json:"aceText,omitempty"`
	Rule      string     `json:"rule,omitempty"`
}

// Status is what the daemon says about itself.
type Status struct {
	Version      string     `json:"version"`
	Mode         string     `json:"mode" example:"isolated"`
	Isolation    string     `json:"isolation" doc:"full, user, landlock or none."`
	IsolationWhy string     `json:"isolationWhy,omitempty" doc:"Why it is not higher."`
	Features     []Feature  `json:"features"`
	Xserver      string     `json:"xserver,omitempty" doc:"Path of Xvnc."`
	XserverWhy   string     `json:"xserverWhy,omitempty" doc:"What is used instead, and how to get it."`
	PID          uint32     `json:"pid"`
	Dir          string     `json:"dir"`
	Started      *time.Time `json:"started,omitempty"`
	Sessions     uint32     `json:"sessions"`
	Processes    uint32     `json:"processes"`
	Desktops     uint32     `json:"desktops"`
	Connections  uint32     `json:"connections"`
	Adopted      uint32     `json:"adopted" doc:"Sessions taken over from an earlier daemon."`
	Uptime       uint64     `json:"uptimeSeconds"`
	Warnings     []string   `json:"warnings" doc:"What this machine falls back to; empty when nothing is missing."`
}

// Feature is a kernel feature and what is used in its place.
type Feature struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Instead   string `json:"instead,omitempty"`
}

// when turns Unix nanoseconds into a time, nil for 0.
func when(nanos int64) *time.Time {
	if nanos == 0 {
		return nil
	}
	t := time.Unix(0, nanos).UTC()
	return &t
}

func luid(v uint64) string { return fmt.Sprintf("0x%x:0x%x", v>>32, v&0xFFFFFFFF) }

// list makes a slice of T from one of F; never nil, so that JSON says [].
func list[F, T any](from []F, to func(F) T) []T {
	out := make([]T, 0, len(from))
	for _, f := range from {
		out = append(out, to(f))
	}
	return out
}

func same[T any](t T) T { return t }

func sessionOf(s api.Session) Session {
	return Session{
		ID: s.ID, Name: s.Name, State: s.State.String(), User: s.User, Domain: s.Domain, UserSID: s.UserSID,
		LogonID: luid(s.LogonID), Locked: s.Locked, InputDesktop: s.InputDesktop,
		Connected: when(s.ConnectNanos), Disconnected: when(s.DisconnectNanos), LoggedOn: when(s.LogonNanos), LastInput: when(s.LastInputNanos),
		Viewers: s.Viewers, Messages: s.Messages, Processes: s.ProcessCount,
	}
}

func stationOf(w api.WindowStation) WindowStation {
	return WindowStation{
		Name: w.Name, Interactive: w.Interactive, User: w.User, LogonID: luid(w.LogonID), SDDL: w.SDDL,
		Rights: rightsOf(w.SDDL, false, w.Interactive),
		Desktops: list(w.Desktops, func(d api.Desktop) Desktop {
			if d.Station == "" {
				d.Station = w.Name
			}
			return desktopOf(d)
		}),
	}
}

func desktopOf(d api.Desktop) Desktop {
	return Desktop{
		Station: d.Station, Name: d.Name, Active: d.Active, Secure: d.Secure, Surface: d.Surface, Width: d.Width, Height: d.Height,
		HeapKB: d.HeapKB, HeapUsed: d.HeapUsed, Threads: d.Threads, Processes: d.Processes, SDDL: d.SDDL, Rights: rightsOf(d.SDDL, true, false), Display: d.Display, Trouble: d.Trouble,
	}
}

func processOf(p api.Process) Process {
	return Process{
		ID: p.ProcessID, SessionID: p.SessionID, ParentID: p.ParentID, Name: p.Name, User: p.User, UserSID: p.UserSID,
		Station: p.WindowStation, Desktop: p.Desktop, Service: p.Service, Started: when(p.StartedNanos), Args: list(p.Args, same),
	}
}

func messageOf(m api.Message) Message {
	return Message{
		ID: fmt.Sprint(m.ID), SessionID: m.SessionID, Desktop: m.Desktop, Title: m.Title, Text: m.Text, Style: m.Style,
		Buttons: buttons(m.Style), Sender: m.SenderPID, Created: when(m.CreatedNanos), Deadline: when(m.DeadlineNanos),
	}
}

// buttons gives the captions of a message box's style (WTS-33).
func buttons(style uint32) []string {
	switch style & win32.MB_TYPEMASK {
	case win32.MB_OK:
		return []string{"OK"}
	case win32.MB_OKCANCEL:
		return []string{"OK", "Cancel"}
	case win32.MB_ABORTRETRYIGNORE:
		return []string{"Abort", "Retry", "Ignore"}
	case win32.MB_YESNOCANCEL:
		return []string{"Yes", "No", "Cancel"}
	case win32.MB_YESNO:
		return []string{"Yes", "No"}
	case win32.MB_RETRYCANCEL:
		return []string{"Retry", "Cancel"}
	case win32.MB_CANCELTRYCONTINUE:
		return []string{"Cancel", "Try Again", "Continue"}
	}
	return []string{}
}

// styles are the words for a message box's buttons, icons its pictures.
var styles = map[string]uint32{
	"ok": win32.MB_OK, "okcancel": win32.MB_OKCANCEL, "abortretryignore": win32.MB_ABORTRETRYIGNORE, "yesnocancel": win32.MB_YESNOCANCEL,
	"yesno": win32.MB_YESNO, "retrycancel": win32.MB_RETRYCANCEL, "canceltrycontinue": win32.MB_CANCELTRYCONTINUE,
}

var icons = map[string]uint32{
	"none": 0, "error": win32.MB_ICONERROR, "question": win32.MB_ICONQUESTION, "warning": win32.MB_ICONWARNING, "information": win32.MB_ICONINFORMATION,
}

// answer gives the name of a message box's answer (WTS-31, WTS-32).
func answer(id uint32) string {
	switch id {
	case win32.IDOK:
		return "IDOK"
	case win32.IDCANCEL:
		return "IDCANCEL"
	case win32.IDABORT:
		return "IDABORT"
	case win32.IDRETRY:
		return "IDRETRY"
	case win32.IDIGNORE:
		return "IDIGNORE"
	case win32.IDYES:
		return "IDYES"
	case win32.IDNO:
		return "IDNO"
	case win32.IDTRYAGAIN:
		return "IDTRYAGAIN"
	case win32.IDCONTINUE:
		return "IDCONTINUE"
	case win32.IDTIMEOUT:
		return "IDTIMEOUT"
	case win32.IDASYNC:
		return "IDASYNC"
	}
	return fmt.Sprint(id)
}

func serviceOf(s api.Service) Service {
	return Service{
		Name: s.Name, DisplayName: s.DisplayName, Account: s.Account, Station: s.Station, State: serviceState(s.Status.State),
		ProcessID: s.Status.ProcessID, ExitCode: s.Status.Win32ExitCode, SpecificErr: s.Status.SpecificExitCode,
		CanStop: s.Status.State == win32.SERVICE_RUNNING && s.Status.Accepts&win32.SERVICE_ACCEPT_STOP != 0,
	}
}

func serviceState(state uint32) string {
	names := [...]string{"Unknown", "Stopped", "StartPending", "StopPending", "Running", "ContinuePending", "PausePending", "Paused"}
	if int(state) < len(names) {
		return names[state]
	}
	return fmt.Sprint(state)
}

func startType(t uint32) string {
	switch t {
	case win32.SERVICE_AUTO_START:
		return "auto"
	case win32.SERVICE_DEMAND_START:
		return "demand"
	case win32.SERVICE_DISABLED:
		return "disabled"
	}
	return fmt.Sprint(t)
}

func accountOf(a api.Account) Account {
	return Account{Name: a.Name, SID: a.SID, UID: a.UID, GID: a.GID, Admin: a.Admin, Disabled: a.Disabled, BuiltIn: a.BuiltIn}
}

func eventOf(e api.Event) Event {
	return Event{Seq: e.Seq, Time: when(e.Nanos), Kind: e.Kind, Code: e.Code, SessionID: e.SessionID, ProcessID: e.ProcessID, Object: e.Object, Text: e.Text}
}

func refusalOf(r api.AuditRecord) Refusal {
	code := win32.Errno(r.Code)
	return Refusal{
		Seq: r.Seq, Time: when(r.Nanos), SessionID: r.SessionID, ProcessID: r.ProcessID, User: r.UserName, UserSID: r.User, Op: r.Op, Object: r.Object,
		Desired: win32.AccessMask(r.Desired).String(), Granted: win32.AccessMask(r.Granted).String(),
		Code: r.Code, CodeName: code.Name(), Text: code.Error(), ACE: r.ACE, ACEText: r.ACEText, Rule: r.Rule,
	}
}

func statusReport(s api.StatusReply) Status {
	out := Status{
		Version: s.Version, Mode: s.Mode, Isolation: s.Isolation, IsolationWhy: s.IsolationWhy, Xserver: s.Xserver, XserverWhy: s.XserverWhy,
		PID: s.PID, Dir: s.Dir, Started: when(s.StartedNanos), Sessions: s.Sessions, Processes: s.Processes, Desktops: s.Desktops,
		Connections: s.Connections, Adopted: s.Adopted, Uptime: s.UptimeSeconds, Warnings: []string{},
		Features: list(s.Features, func(f api.Feature) Feature {
			return Feature{Name: f.Name, Available: f.Available, Instead: f.Instead}
		}),
	}
	if s.Isolation != "full" {
		out.Warnings = append(out.Warnings, "Isolation is only at level "+s.Isolation+": "+s.IsolationWhy)
	}
	if s.Xserver == "" {
		out.Warnings = append(out.Warnings, "No X servers: "+s.XserverWhy)
	}
	for _, f := range s.Features {
		if !f.Available {
			out.Warnings = append(out.Warnings, "The kernel has no "+f.Name+": "+f.Instead)
		}
	}
	return out
}
