// SPDX-License-Identifier: Apache-2.0

package api

import "stationmaster/win32"

var processCalls = []Call{
	{200, "CreateProcess", "CreateProcessAsUser", Blocking | Files, of[CreateProcessRequest](), of[CreateProcessReply](), "Starts a program, with the caller's token or another one, in that token's session.", "PRC-1,PRC-2,PRC-3,PRC-7,PRC-8,PRC-10,PC-17"},
	{201, "OpenProcess", "OpenProcess", 0, of[OpenProcessRequest](), of[HandleReply](), "Opens a process by its Linux process ID.", "HND-14"},
	{202, "TerminateProcess", "TerminateProcess", 0, of[TerminateProcessRequest](), nil, "Ends a process.", "WTS-42"},
	{203, "SignalProcess", "", 0, of[SignalProcessRequest](), nil, "Sends a Linux signal to a process; needs PROCESS_TERMINATE.", ""},
	{204, "WaitForSingleObject", "WaitForSingleObject", Blocking, of[WaitRequest](), of[WaitReply](), "Waits until an object is signaled or the time is over; 0xFFFFFFFF milliseconds is for ever.", "SYN-1,SYN-2,SYN-4,SYN-8,SYN-13"},
	{205, "GetExitCodeProcess", "GetExitCodeProcess", 0, of[HandleRequest](), of[ExitCodeReply](), "Gives the exit code, 259 while the process runs.", ""},
	{206, "EnumProcesses", "WTSEnumerateProcesses", 0, of[SessionRequest](), of[ProcessesReply](), "Lists the processes of one session, or of all for 0xFFFFFFFE.", "WTS-7"},
	{210, "OpenProcessToken", "OpenProcessToken", 0, of[OpenTokenRequest](), of[HandleReply](), "Opens the primary token of a process.", "SE-19"},
	{211, "DuplicateToken", "DuplicateTokenEx", 0, of[DuplicateTokenRequest](), of[HandleReply](), "Makes a new token from one.", "SE-28"},
	{212, "GetTokenInformation", "GetTokenInformation", 0, of[IndexRequest](), of[TokenReply](), "Gives facts about a token.", "SE-20"},
	{213, "SetTokenSession", "SetTokenInformation", 0, of[SetTokenSessionRequest](), nil, "Moves a token that is not in use to another session.", "PRC-6"},
	{214, "ImpersonateLoggedOnUser", "ImpersonateLoggedOnUser", 0, of[HandleRequest](), nil, "Lets the calling thread act with another token.", "SE-27"},
	{215, "RevertToSelf", "RevertToSelf", 0, nil, nil, "Ends the thread's impersonation.", "SE-27"},
	{216, "LogonUser", "LogonUser", Blocking, of[LogonUserRequest](), of[HandleReply](), "Verifies credentials and gives a token of a new logon session.", "LGN-2,LGN-3,LGN-5,LGN-6"},
	{217, "RunInSession", "", Blocking | Files, of[RunInSessionRequest](), of[CreateProcessReply](), "Starts a program in a session as the user logged on there: for LocalSystem and for that very user.", "PRC-24"},
}

type CreateProcessRequest struct {
	Token   win32.Handle // 0: the caller's own
	Path    string       // empty: Args[0]
	Args    []string
	Env     []string // empty: the caller's session gives a default environment
	Dir     string
	Desktop *string // STARTUPINFO.lpDesktop: nil, "", `D` or `S\D`
	Inherit bool
	// FileCount descriptors come with the frame and become 0, 1, 2, …
	FileCount uint32
	// CompatXP lets plain names of its objects be global ones (OBJ-14).
	CompatXP bool
}

// RunInSessionRequest says what to start where. Nobody's token is handed out.
type RunInSessionRequest struct {
	SessionID uint32 // 0xFFFFFFFF: the caller's own
	Path      string // empty: Args[0]
	Args      []string
	Env       []string // added to the environment of the session's user
	Dir       string   // empty: the user's home
	Desktop   string   // `S\D`; empty: WinSta0\Default
	// FileCount descriptors come with the frame and become 0, 1, 2, …
	FileCount uint32
	CompatXP  bool // OBJ-14: plain names of its objects are global ones
}

type CreateProcessReply struct {
	Process   win32.Handle
	ProcessID uint32
}

type OpenProcessRequest struct {
	ProcessID uint32
	Access    win32.AccessMask
	Inherit   bool
}

type TerminateProcessRequest struct {
	Process  win32.Handle
	ExitCode uint32
}

type SignalProcessRequest struct {
	Process win32.Handle
	Signal  uint32
}

type WaitRequest struct {
	Handle win32.Handle
	Millis uint32
}

// WaitReply holds WAIT_OBJECT_0 (0) or WAIT_ABANDONED_0 (0x80), with the index
// of the object added where several were named, or WAIT_TIMEOUT (258).
type WaitReply struct{ Result uint32 }

// ExitCodeReply: Code is the Win32 exit code; Signal is not 0 when a Linux
// signal ended the process.
type ExitCodeReply struct {
	Code   uint32
	Signal uint32
}

type SessionRequest struct{ SessionID uint32 }

type ProcessesReply struct{ Processes []Process }

// Process is one row of a process list.
type Process struct {
	SessionID     uint32
	ProcessID     uint32
	ParentID      uint32
	Name          string
	User          string // account name, DOMAIN\name
	UserSID       string
	WindowStation string // empty while not connected
	Desktop       string
	Service       string // name of the service it runs, or empty
	StartedNanos  int64  // Unix time in nanoseconds
	Args          []string
}

type OpenTokenRequest struct {
	Process win32.Handle // 0xFFFFFFFF: the caller's process
	Access  win32.AccessMask
}

type DuplicateTokenRequest struct {
	Token   win32.Handle
	Access  win32.AccessMask
	Level   uint32
	Type    uint32 // 1 primary, 2 impersonation
	Inherit bool
}

// TokenReply is a token told in typed fields; Data is the Win32 structure of
// the class asked for where one is defined by the rules.
type TokenReply struct {
	Data       []byte
	User       string
	UserName   string
	LogonID    uint64
	SessionID  uint32
	Integrity  uint32
	Type       uint32
	Level      uint32
	Elevation  uint32
	Groups     []TokenGroup
	Privileges []TokenPrivilege
}

type TokenGroup struct {
	SID        string
	Name       string
	Attributes uint32
}

type TokenPrivilege struct {
	Name       string
	Attributes uint32
}

type SetTokenSessionRequest struct {
	Token     win32.Handle
	SessionID uint32
}

type LogonUserRequest struct {
	Name     string
	Domain   string
	Password string
	Type     uint32
}
