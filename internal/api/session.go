// SPDX-License-Identifier: Apache-2.0

package api

import "stationmaster/win32"

var sessionCalls = []Call{
	{300, "WTSEnumerateSessions", "WTSEnumerateSessions", 0, nil, of[SessionsReply](), "Lists the sessions that the caller may query, by ID.", "WTS-5"},
	{301, "WTSQuerySessionInformation", "WTSQuerySessionInformation", 0, of[SessionInformationRequest](), of[BytesReply](), "Gives one class of facts about a session.", "WTS-8,WTS-10"},
	{302, "WTSQueryUserToken", "WTSQueryUserToken", 0, of[SessionRequest](), of[HandleReply](), "Gives the primary token of the user logged on to a session; LocalSystem only.", "WTS-20,WTS-21,WTS-22,WTS-23"},
	{303, "WTSSendMessage", "WTSSendMessage", Blocking, of[SendMessageRequest](), of[SendMessageReply](), "Shows a message box in a session and gives the answer of the person there.", "WTS-30,WTS-31,WTS-32,WTS-33,WTS-35,WTS-36"},
	{304, "WTSDisconnectSession", "WTSDisconnectSession", Blocking, of[SessionWaitRequest](), nil, "Takes the terminal away from a session; its programs run on.", "WTS-39a,SES-19"},
	{305, "WTSLogoffSession", "WTSLogoffSession", Blocking, of[SessionWaitRequest](), nil, "Ends a session and every program in it.", "WTS-39b,LGN-19"},
	{306, "WTSConnectSession", "WTSConnectSession", Blocking, of[ConnectSessionRequest](), nil, "Gives a disconnected session a terminal again.", "WTS-39c"},
	{307, "LockSession", "LockWorkStation", 0, of[SessionRequest](), nil, "Locks a session: the Winlogon desktop becomes active. 0xFFFFFFFF is the caller's own session.", "LGN-15,DT-52"},
	{308, "UnlockSession", "", Blocking, of[UnlockSessionRequest](), nil, "Unlocks a session with the password of its user.", "LGN-16"},
	{309, "GetActiveConsoleSession", "WTSGetActiveConsoleSessionId", 0, nil, of[SessionRequest](), "Gives the session on the console, 0xFFFFFFFF for none.", "SES-21"},
	{310, "LogonSession", "", Blocking, of[LogonSessionRequest](), of[LogonSessionReply](), "Logs a user on: takes over the console's logon screen, reconnects the user's disconnected session or makes a new one.", "LGN-13,SES-8,SES-10,SES-18"},
	{311, "ListMessages", "", 0, of[SessionRequest](), of[MessagesReply](), "Lists the message boxes that wait in a session; answering them is for a person at a viewer only.", "IN-10"},
}

type SessionsReply struct{ Sessions []Session }

// Session is one session as WTS shows it.
type Session struct {
	ID              uint32
	Name            string // Services, Console, VNC-Tcp#0, or empty when disconnected
	State           win32.ConnectState
	Type            uint32
	User            string
	Domain          string
	UserSID         string
	LogonID         uint64
	Locked          bool
	InputDesktop    string // station\desktop, or empty
	ConnectNanos    int64  // Unix times in nanoseconds; 0 for never
	DisconnectNanos int64
	LogonNanos      int64
	LastInputNanos  int64
	Viewers         uint32
	Messages        uint32 // message boxes that wait
	ProcessCount    uint32
}

type SessionInformationRequest struct {
	SessionID uint32
	Class     uint32
}

type SendMessageRequest struct {
	SessionID uint32
	Title     string
	Text      string
	Style     uint32
	Seconds   uint32 // 0: wait for ever
	Wait      bool
	// Key is 16 random bytes made by the client: the same key again attaches
	// to the box that is still there, so a restart of the daemon loses nothing.
	Key []byte
}

type SendMessageReply struct{ Response uint32 }

type SessionWaitRequest struct {
	SessionID uint32
	Wait      bool
}

type ConnectSessionRequest struct {
	SessionID uint32
	Target    uint32 // session whose terminal is taken; 0xFFFFFFFF: a headless terminal
	Password  string
}

type UnlockSessionRequest struct {
	SessionID uint32
	Password  string
}

type LogonSessionRequest struct {
	User     string
	Password string
	// NoPassword is allowed to LocalSystem only: the operator logs a user on
	// without knowing the password.
	NoPassword bool
	New        bool // a new session even if the user has one
	Width      uint32
	Height     uint32
	Surface    string // kind of the Default desktop: "", "builtin" or "x11"
}

type LogonSessionReply struct {
	SessionID   uint32
	Reconnected bool
}

type MessagesReply struct{ Messages []Message }

// Message is a message box that waits for a person.
type Message struct {
	ID            uint64
	SessionID     uint32
	Desktop       string
	Title         string
	Text          string
	Style         uint32
	SenderPID     uint32
	CreatedNanos  int64
	DeadlineNanos int64 // 0: none
}

var serviceCalls = []Call{
	{400, "OpenSCManager", "OpenSCManager", 0, of[OpenSCManagerRequest](), of[HandleReply](), "Opens the service database.", "SCM-7,SE-61"},
	{401, "CreateService", "CreateService", 0, of[CreateServiceRequest](), of[HandleReply](), "Adds a service to the database.", "SCM-1,SCM-2,SCM-3,SCM-5,SCM-6"},
	{402, "OpenService", "OpenService", 0, of[OpenServiceRequest](), of[HandleReply](), "Opens a service.", "SCM-8"},
	{403, "StartService", "StartService", Blocking, of[StartServiceRequest](), nil, "Starts a service; returns when its main has been called, not when it runs.", "SCM-26"},
	{404, "ControlService", "ControlService", Blocking, of[ControlServiceRequest](), of[ServiceStatusReply](), "Sends a control to a service.", "SCM-19,SCM-21,SCM-22,SCM-23"},
	{405, "QueryServiceStatus", "QueryServiceStatusEx", 0, of[HandleRequest](), of[ServiceStatusReply](), "Gives a service's status.", "SCM-18,SCM-30"},
	{406, "QueryServiceConfig", "QueryServiceConfig", 0, of[HandleRequest](), of[ServiceConfigReply](), "Gives a service's configuration.", ""},
	{407, "EnumServicesStatus", "EnumServicesStatusEx", 0, of[HandleRequest](), of[ServicesReply](), "Lists the services that the caller may query.", "SCM-39"},
	{408, "DeleteService", "DeleteService", 0, of[HandleRequest](), nil, "Marks a service for deletion.", "SCM-9"},
	{409, "ServiceLog", "", 0, of[ServiceLogRequest](), of[BytesReply](), "Gives the last lines a service's program wrote to its standard output and error.", ""},
	{420, "StartServiceCtrlDispatcher", "StartServiceCtrlDispatcher", Blocking, of[DispatcherRequest](), of[DispatcherReply](), "Connects a service process to the service manager and waits for the service to start.", "SCM-28"},
	{421, "SetServiceStatus", "SetServiceStatus", 0, of[SetServiceStatusRequest](), nil, "Reports a service's status.", "SCM-18"},
	{422, "NextServiceControl", "HandlerEx", Blocking, of[NextControlRequest](), of[NextControlReply](), "Waits for the next control of a service; asking again says that the last one was handled.", "SCM-20,SCM-21,NTF-2"},
}

type OpenSCManagerRequest struct {
	Database string
	Access   win32.AccessMask
}

type CreateServiceRequest struct {
	Manager      win32.Handle
	Name         string
	DisplayName  string
	Access       win32.AccessMask
	Type         uint32
	StartType    uint32
	ErrorControl uint32
	BinaryPath   string   // command line, split like a shell splits words
	Account      string   // empty: LocalSystem
	Password     string   // of a user account
	Depends      []string // names of services that start first
	Description  string
	// Plain marks a program that does not talk to the service manager: it is
	// running as soon as it has started, and SIGTERM stops it.
	Plain bool
	Env   []string // added to the service's environment
}

type OpenServiceRequest struct {
	Manager win32.Handle
	Name    string
	Access  win32.AccessMask
}

type StartServiceRequest struct {
	Service win32.Handle
	Args    []string
}

type ControlServiceRequest struct {
	Service win32.Handle
	Control uint32
}

type ServiceStatusReply struct {
	Status ServiceStatus
}

// ServiceStatus is SERVICE_STATUS_PROCESS.
type ServiceStatus struct {
	Type             uint32
	State            uint32
	Accepts          uint32
	Win32ExitCode    uint32
	SpecificExitCode uint32
	CheckPoint       uint32
	WaitHint         uint32 // milliseconds
	ProcessID        uint32
}

type ServiceConfigReply struct {
	Config ServiceConfig
}

type ServiceConfig struct {
	Name          string
	DisplayName   string
	Type          uint32
	StartType     uint32
	ErrorControl  uint32
	BinaryPath    string
	Account       string
	Depends       []string
	Description   string
	Plain         bool
	Env           []string
	WindowStation string // station\desktop it runs on, or would
}

type ServicesReply struct{ Services []Service }

type Service struct {
	Name        string
	DisplayName string
	Account     string
	Station     string
	Status      ServiceStatus
}

type ServiceLogRequest struct {
	Service win32.Handle
	Bytes   uint32 // at most; 0: 64 KiB
}

type DispatcherRequest struct{ Names []string }

type DispatcherReply struct {
	Name string
	Args []string // argv of ServiceMain, argv[0] is the name
}

type SetServiceStatusRequest struct {
	Name   string
	Status ServiceStatus
}

type NextControlRequest struct {
	Name string
	// Handled is the Win32 code that the handler gave for the control before.
	Handled uint32
}

type NextControlReply struct {
	Control   uint32
	EventType uint32
	SessionID uint32 // for SESSIONCHANGE
}

var accountCalls = []Call{
	{500, "AddAccount", "NetUserAdd", Blocking, of[AddAccountRequest](), of[AccountReply](), "Adds an account; administrators only.", "LGN-1,SE-7"},
	{501, "ListAccounts", "NetUserEnum", 0, nil, of[AccountsReply](), "Lists the accounts.", "LGN-1"},
	{502, "SetAccountPassword", "NetUserSetInfo", Blocking, of[SetPasswordRequest](), nil, "Sets an account's password; administrators, or the account itself with its old one.", ""},
	{503, "RemoveAccount", "NetUserDel", 0, of[AccountRequest](), nil, "Removes an account that has no session.", ""},
}

type AddAccountRequest struct {
	Name     string
	Password string
	UID      uint32 // 0: the Linux user of that name, else one from the range
	Admin    bool
}

type AccountReply struct{ Account Account }
type AccountsReply struct{ Accounts []Account }
type AccountRequest struct{ Name string }

type Account struct {
	Name     string
	SID      string
	UID      uint32
	GID      uint32
	Admin    bool
	Disabled bool
	BuiltIn  bool
}

type SetPasswordRequest struct {
	Name string
	Old  string
	New  string
}
