// SPDX-License-Identifier: Apache-2.0

package api

var displayCalls = []Call{
	{600, "ListDesktops", "", 0, of[SessionRequest](), of[TreeReply](), "Lists the window stations and desktops of a session that the caller may see, with their facts.", "WS-31,DT-30"},
	{601, "CreateSessionDesktop", "", Blocking, of[SessionDesktopRequest](), of[DesktopReply](), "Creates a desktop in another session and lets the session manager hold it; needs WINSTA_CREATEDESKTOP on that station.", "DT-16,DT-26,DT-42"},
	{602, "CloseSessionDesktop", "", Blocking, of[SessionDesktopRequest](), nil, "Releases a desktop that the session manager holds.", "DT-41,DT-43"},
	{603, "SwitchSessionDesktop", "", 0, of[SessionDesktopRequest](), nil, "Makes a desktop of a session active; needs DESKTOP_SWITCHDESKTOP, refused while a secure desktop is active.", "DT-46"},
	{604, "CaptureDesktop", "", Blocking, of[CaptureRequest](), of[CaptureReply](), "Takes a picture of a desktop, active or not; needs DESKTOP_READOBJECTS and WINSTA_READSCREEN. Never of Winlogon.", "IN-11"},
	{605, "SendInput", "SendInput", 0, of[SendInputRequest](), nil, "Sends keys and pointer moves to the active desktop of a session; needs DESKTOP_JOURNALPLAYBACK. It is marked as injected and answers no box of the session manager.", "IN-2,IN-3,IN-9,IN-10,IN-11"},
	{606, "OpenViewer", "", Takeover, of[OpenViewerRequest](), of[OpenViewerReply](), "Turns the connection into an RFB stream that shows a session and, unless it is read-only, takes a person's input.", "IN-9,SES-23"},
	{607, "SecureAttention", "", 0, of[SessionRequest](), nil, "Does what Ctrl+Alt+Del does; only for a viewer's person, through a ticket of that kind.", "LGN-14"},
	{608, "CreateSessionStation", "", 0, of[SessionDesktopRequest](), nil, "Creates a window station in a session and lets the session manager hold it.", "WS-15,WS-26"},
}

// SessionDesktopRequest names a desktop of a session from outside.
type SessionDesktopRequest struct {
	SessionID uint32
	Station   string // empty: WinSta0
	Desktop   string
	Surface   string
	Width     uint32
	Height    uint32
	HeapKB    uint32
}

type DesktopReply struct{ Desktop Desktop }

type TreeReply struct{ Stations []WindowStation }

// WindowStation is a station as tools show it.
type WindowStation struct {
	Name        string
	Interactive bool
	User        string // SID of the associated user
	LogonID     uint64
	SDDL        string // empty when the caller may not read it
	Desktops    []Desktop
}

// Desktop is a desktop as tools show it.
type Desktop struct {
	Station   string
	Name      string
	Active    bool // receives the session's input
	Secure    bool
	Surface   string
	Width     uint32
	Height    uint32
	HeapKB    uint32
	HeapUsed  uint32 // bytes
	Threads   uint32
	Processes uint32
	SDDL      string
	Display   string // DISPLAY of an X desktop that runs, or empty
	Trouble   string // why it has no picture, or empty
}

type CaptureRequest struct {
	SessionID uint32
	Station   string
	Desktop   string // empty: the active one
}

type CaptureReply struct {
	PNG    []byte
	Width  uint32
	Height uint32
}

type SendInputRequest struct {
	SessionID uint32
	Desktop   string // must be active; empty: the active one
	Events    []InputEvent
}

// InputEvent is a key (Kind 1: Keysym, Down), a pointer state (Kind 2: X, Y,
// Buttons) or text to type (Kind 3).
type InputEvent struct {
	Kind    uint8
	Down    bool
	Keysym  uint32
	X       int32
	Y       int32
	Buttons uint8
	Text    string
}

type OpenViewerRequest struct {
	SessionID uint32
	ReadOnly  bool
}

type OpenViewerReply struct{ Name string }

var systemCalls = []Call{
	{700, "Status", "", 0, nil, of[StatusReply](), "Tells mode, isolation level and why, version and counts.", "SES-1"},
	{701, "ReadEvents", "", Blocking, of[ReadLogRequest](), of[EventsReply](), "Gives the events after a sequence number, waiting for the next one if asked to.", "NTF-7,NTF-8"},
	{702, "ReadAudit", "", Blocking, of[ReadLogRequest](), of[AuditReply](), "Gives the refusals after a sequence number; administrators only.", "SE-64"},
	{703, "ListObjects", "", 0, of[PathRequest](), of[ObjectsReply](), "Lists a directory of the object tree.", "OBJ-1,OBJ-2"},
	{704, "ShowObject", "", 0, of[PathRequest](), of[ObjectReply](), "Tells the facts of one object of the tree, its descriptor included.", "OBJ-1"},
	{705, "SetObjectSecurity", "", 0, of[SetObjectSecurityRequest](), nil, "Replaces the descriptor of an object of the tree; open handles keep their rights.", "SE-63,UO-16"},
	{706, "CreateTicket", "", 0, of[CreateTicketRequest](), of[TicketReply](), "Makes a one-time sign-in ticket for the web console; LocalSystem only.", "IN-9"},
	{707, "RedeemTicket", "", 0, of[RedeemTicketRequest](), of[RedeemTicketReply](), "Takes a ticket, once, and gives a token of its subject; needs SeImpersonatePrivilege.", "IN-9"},
	{708, "Shutdown", "", Blocking, of[ShutdownRequest](), nil, "Ends the daemon, with all sessions unless they are kept; administrators with SeShutdownPrivilege.", "SES-27,WTS-41"},
}

type StatusReply struct {
	Version       string
	Mode          string
	Isolation     string // full, user, landlock or none
	IsolationWhy  string // why it is not higher; empty when full
	Features      []Feature
	Xserver       string // path of Xvnc, or empty
	XserverWhy    string // what is used instead and how to get it
	PID           uint32
	Dir           string
	StartedNanos  int64
	Sessions      uint32
	Processes     uint32
	Desktops      uint32
	Connections   uint32
	Adopted       uint32 // sessions taken over from an earlier daemon
	ConsoleURL    string // where the web console listens, or empty
	UptimeSeconds uint64
}

type Feature struct {
	Name      string
	Available bool
	Instead   string
}

type ReadLogRequest struct {
	After  uint64
	Max    uint32 // 0: 1000
	Millis uint32 // how long to wait for the first one; 0: not at all
}

type EventsReply struct {
	Events []Event
	Next   uint64 // After for the next request
	Lost   uint64 // records dropped before the first one given
}

// Event is one thing that happened.
type Event struct {
	Seq       uint64
	Nanos     int64
	Kind      string // such as session-logon, desktop-switch, process-start
	Code      uint32 // WTS_* number of a session change, else 0
	SessionID uint32
	ProcessID uint32
	Object    string
	Text      string
}

type AuditReply struct {
	Records []AuditRecord
	Next    uint64
	Lost    uint64
}

// AuditRecord is one refusal.
type AuditRecord struct {
	Seq       uint64
	Nanos     int64
	SessionID uint32
	ProcessID uint32
	User      string // SID
	UserName  string
	Op        string
	Object    string
	Desired   uint32
	Granted   uint32
	Code      uint32
	ACE       int32 // index of the deciding ACE, -1 for none
	ACEText   string
	Rule      string
}

type PathRequest struct{ Path string }

// ObjectsReply lists a directory, 4096 entries of it at most.
type ObjectsReply struct {
	Objects []Object
	Left    uint32 // entries that are left out
}

type ObjectReply struct{ Object Object }

// Object is one entry of the object tree.
type Object struct {
	Path    string
	Name    string
	Type    string // Directory, SymbolicLink, WindowStation, Desktop, …
	Target  string // of a link
	SDDL    string
	Handles uint32
	Facts   []Fact
}

type Fact struct{ Name, Value string }

type SetObjectSecurityRequest struct {
	Path  string
	SDDL  string
	Parts uint32 // SECURITY_INFORMATION; 0: the parts the text names
}

type CreateTicketRequest struct {
	Subject string // account, or empty for the operator
	Person  bool   // input through it counts as a person's (IN-9)
	Seconds uint32 // how long it can be redeemed; 0: 600
}

type TicketReply struct{ Ticket string }

type RedeemTicketRequest struct{ Ticket string }

type RedeemTicketReply struct {
	Token  uint32 // handle, in the caller's table
	Person bool
	User   string
	Admin  bool
}

type ShutdownRequest struct{ KeepSessions bool }
