// SPDX-License-Identifier: Apache-2.0

package api

import "stationmaster/win32"

var connectionCalls = []Call{
	{1, "Hello", "", 0, of[HelloRequest](), of[HelloReply](), "Opens the conversation: versions are compared and the caller learns who the daemon takes it for.", "HND-12"},
	{2, "Ping", "", 0, of[PingRequest](), of[PingReply](), "Gives the payload back; measures a round trip.", ""},
}

type HelloRequest struct {
	Version uint32
	Program string // for logs only, never for decisions
}

type HelloReply struct {
	Version       uint32
	ProductString string
	ProcessID     uint32
	ThreadID      uint32
	SessionID     uint32
	User          string // SID of the process token's user
	Mode          string // "isolated" or "shared"
	DaemonID      uint64 // changes when the daemon restarts
}

type PingRequest struct{ Payload []byte }
type PingReply struct{ Payload []byte }

var objectCalls = []Call{
	{100, "CreateWindowStation", "CreateWindowStation", 0, of[CreateWindowStationRequest](), of[OpenedReply](), "Creates a window station of the caller's session, or opens an existing one.", "WS-12,WS-15,WS-16,WS-20,WS-21,WS-22,WS-23,WS-24"},
	{101, "OpenWindowStation", "OpenWindowStation", 0, of[OpenRequest](), of[HandleReply](), "Opens a window station of the caller's session.", "WS-14,WS-30"},
	{102, "CloseWindowStation", "CloseWindowStation", 0, of[HandleRequest](), nil, "Closes a window-station handle; the process's own is refused.", "WS-37,WS-39,WS-40"},
	{103, "EnumWindowStations", "EnumWindowStations", 0, nil, of[NamesReply](), "Lists the window stations of the session that the caller may enumerate.", "WS-31"},
	{104, "GetProcessWindowStation", "GetProcessWindowStation", 0, nil, of[HandleReply](), "Gives the process's window-station handle, connecting the process first if needed.", "WS-33,PC-2"},
	{105, "SetProcessWindowStation", "SetProcessWindowStation", 0, of[HandleRequest](), nil, "Assigns a window station to the calling process.", "WS-34,WS-35,WS-36"},
	{110, "CreateDesktop", "CreateDesktopEx", 0, of[CreateDesktopRequest](), of[OpenedReply](), "Creates a desktop in the process's window station, or opens an existing one.", "DT-14,DT-15,DT-16,DT-17,DT-18,DT-24"},
	{111, "OpenDesktop", "OpenDesktop", 0, of[OpenDesktopRequest](), of[HandleReply](), "Opens a desktop of the process's window station.", "DT-13,DT-29"},
	{112, "OpenInputDesktop", "OpenInputDesktop", 0, of[OpenDesktopRequest](), of[HandleReply](), "Opens the desktop that receives the session's input.", "DT-44,DT-45"},
	{113, "CloseDesktop", "CloseDesktop", 0, of[HandleRequest](), nil, "Closes a desktop handle that no thread of the process uses.", "DT-39,DT-41"},
	{114, "EnumDesktops", "EnumDesktops", 0, of[HandleRequest](), of[NamesReply](), "Lists the desktops of a window station; handle 0 is the process's own station.", "DT-30,DT-31"},
	{115, "GetThreadDesktop", "GetThreadDesktop", 0, of[ThreadRequest](), of[HandleReply](), "Gives the desktop handle of a thread; thread 0 is not the caller but an error.", "DT-33"},
	{116, "SetThreadDesktop", "SetThreadDesktop", 0, of[HandleRequest](), nil, "Assigns a desktop to the calling thread.", "DT-34,DT-37"},
	{117, "SwitchDesktop", "SwitchDesktop", 0, of[HandleRequest](), nil, "Makes a desktop the active one of its session.", "DT-46,DT-48"},
	{118, "GetUserObjectInformation", "GetUserObjectInformation", 0, of[IndexRequest](), of[BytesReply](), "Gives facts about a station or desktop handle; names are UTF-16LE with a terminator.", "UO-1,UO-7,UO-12"},
	{119, "SetUserObjectInformation", "SetUserObjectInformation", 0, of[SetIndexRequest](), nil, "Sets the flags of a station or desktop handle.", "UO-13,UO-14"},
	{120, "GetUserObjectSecurity", "GetUserObjectSecurity", 0, of[SecurityRequest](), of[BytesReply](), "Gives parts of an object's security descriptor, self-relative.", "UO-15"},
	{121, "SetUserObjectSecurity", "SetUserObjectSecurity", 0, of[SetSecurityRequest](), nil, "Replaces parts of an object's security descriptor; open handles keep their rights.", "UO-16"},
	{122, "IsGUIThread", "IsGUIThread", 0, nil, nil, "Connects the process to its window station and the thread to its desktop.", "PC-1,PC-2,TC-1"},
	{130, "CloseHandle", "CloseHandle", 0, of[HandleRequest](), nil, "Closes a handle.", "HND-2,HND-3,WS-38,DT-40"},
	{131, "DuplicateHandle", "DuplicateHandle", 0, of[DuplicateHandleRequest](), of[HandleReply](), "Copies a handle within or between processes.", "HN-4,HND-6"},
	{132, "GetHandleInformation", "GetHandleInformation", 0, of[HandleRequest](), of[FlagsReply](), "Gives a handle's flags.", "HN-3"},
	{133, "SetHandleInformation", "SetHandleInformation", 0, of[SetHandleInformationRequest](), nil, "Sets a handle's flags.", "HN-3"},
}

// OpenRequest asks for a named object.
type OpenRequest struct {
	Name    string
	Inherit bool
	Access  win32.AccessMask
}

type CreateWindowStationRequest struct {
	Name       string
	Flags      uint32
	Access     win32.AccessMask
	Inherit    bool
	Descriptor []byte // self-relative; empty for none
}

type CreateDesktopRequest struct {
	Name       string
	Flags      uint32
	Access     win32.AccessMask
	HeapKB     uint32
	Inherit    bool
	Descriptor []byte
	Surface    string // "", "builtin" or "x11"
	Width      uint32
	Height     uint32
}

type OpenDesktopRequest struct {
	Name    string // unused by OpenInputDesktop
	Flags   uint32
	Inherit bool
	Access  win32.AccessMask
}

// OpenedReply tells a new object from one that was there.
type OpenedReply struct {
	Handle  win32.Handle
	Existed bool
}

type HandleRequest struct{ Handle win32.Handle }
type HandleReply struct{ Handle win32.Handle }
type ThreadRequest struct{ ThreadID uint32 }
type NamesReply struct{ Names []string }
type BytesReply struct{ Data []byte }
type FlagsReply struct{ Flags uint32 }

type IndexRequest struct {
	Handle win32.Handle
	Index  uint32
}

type SetIndexRequest struct {
	Handle win32.Handle
	Index  uint32
	Data   []byte
}

// SecurityRequest names the parts by SECURITY_INFORMATION bits.
type SecurityRequest struct {
	Handle win32.Handle
	Parts  uint32
}

type SetSecurityRequest struct {
	Handle     win32.Handle
	Parts      uint32
	Descriptor []byte
}

type DuplicateHandleRequest struct {
	SourceProcess win32.Handle
	Source        win32.Handle
	TargetProcess win32.Handle
	Access        win32.AccessMask
	Inherit       bool
	Options       uint32
}

type SetHandleInformationRequest struct {
	Handle win32.Handle
	Mask   uint32
	Flags  uint32
}
