// SPDX-License-Identifier: Apache-2.0

package api

import "stationmaster/win32"

// Calls that may run a procedure of the caller first are answered with a
// DeliveryReply of kind 2: the program runs the procedure, gives the result to
// AnswerCall and asks again, with ContinueCall and the Op, or for retrievals
// with the same call.
var windowCalls = []Call{
	{900, "AddAtom", "GlobalAddAtom", 0, of[AtomNameRequest](), of[NumberReply](), "Gives a string its atom, or counts one more reference to it.", "AT-1,AT-3,AT-4,AT-5,AT-6,AT-7,AT-8,AT-9,AT-10"},
	{901, "FindAtom", "GlobalFindAtom", 0, of[AtomNameRequest](), of[NumberReply](), "Gives the atom of a string, without a reference.", "AT-4,AT-11"},
	{902, "DeleteAtom", "GlobalDeleteAtom", 0, of[AtomRequest](), nil, "Gives one reference to an atom back.", "AT-4,AT-8,AT-12"},
	{903, "GetAtomName", "GlobalGetAtomName", 0, of[AtomRequest](), of[NameReply](), "Gives the string of an atom, as it was first spelled.", "AT-4,AT-13,AT-14"},
	{904, "RegisterWindowMessage", "RegisterWindowMessage", 0, of[NamedRequest](), of[NumberReply](), "Registers a message or clipboard format by name, for the whole session.", "MSG-29,AT-17,CB-17"},
	{905, "GetClipboardFormatName", "GetClipboardFormatName", 0, of[NumberRequest](), of[NameReply](), "Gives the name of a registered clipboard format.", "CB-17"},
	{910, "RegisterClass", "RegisterClassEx", 0, of[RegisterClassRequest](), of[NumberReply](), "Registers a window class of the process; the procedure is a number of the process.", "WN-10,AT-17"},
	{911, "UnregisterClass", "UnregisterClass", 0, of[NamedRequest](), nil, "Takes a class away that has no windows.", "WN-10"},
	{912, "CreateWindow", "CreateWindowEx", Blocking, of[CreateWindowRequest](), of[DeliveryReply](), "Makes a window on the thread's desktop; the result is its handle, 0 when its procedure refused.", "WN-1,WN-2,WN-3,WN-6,WN-8,DT-27,DT-28"},
	{913, "DestroyWindow", "DestroyWindow", Blocking, of[WindowRequest](), of[DeliveryReply](), "Destroys a window of the thread and those below and owned by it.", "MSG-26,CB-11"},
	{914, "IsWindow", "IsWindow", 0, of[WindowRequest](), of[BoolReply](), "Tells whether a handle names a window that the caller may know of.", "WN-1,WN-4,WN-5"},
	{915, "GetWindowInfo", "GetWindowInfo", 0, of[WindowRequest](), of[WindowInfoReply](), "Gives owner, class, title, place and styles of a window.", "WN-3,WN-4"},
	{916, "GetWindow", "GetWindow", 0, of[RelatedWindowRequest](), of[WindowReply](), "Gives a window that stands in a relation to another.", "WN-7"},
	{917, "FindWindow", "FindWindowEx", 0, of[FindWindowRequest](), of[WindowReply](), "Finds a window of the thread's desktop by class and title; 0 when there is none.", "WN-7,WN-8"},
	{918, "EnumDesktopWindows", "EnumDesktopWindows", 0, of[HandleRequest](), of[WindowsReply](), "Lists the top-level windows of a desktop in z-order; handle 0 is the thread's own.", "DT-32,WN-7"},
	{919, "EnumChildWindows", "EnumChildWindows", 0, of[WindowRequest](), of[WindowsReply](), "Lists the windows below one.", "WN-7"},
	{920, "SetWindowText", "DefWindowProc", 0, of[SetWindowTextRequest](), nil, "Sets a window's title, as the default procedure does for WM_SETTEXT.", "DT-27,DT-28,AR-21"},
	{921, "SetWindowPos", "SetWindowPos", 0, of[SetWindowPosRequest](), nil, "Moves, sizes, shows, hides and reorders a window.", "WN-9,AR-21"},
	{922, "SetParent", "SetParent", 0, of[SetParentRequest](), of[WindowReply](), "Puts a window below another and gives the parent it had.", "WN-6"},
	{923, "SetWindowLong", "SetWindowLongPtr", 0, of[SetWindowLongRequest](), of[ResultReply](), "Changes a number of a window of the process: user data 0, procedure 1, style 2, extended style 3, id 4.", "WN-3"},
	{924, "InvalidateWindow", "InvalidateRect", 0, of[WindowRequest](), nil, "Makes a WM_PAINT due for a window.", "MSG-19"},
	{925, "ValidateWindow", "ValidateRect", 0, of[WindowRequest](), nil, "Says that a window has been painted.", "MSG-19"},
	{926, "GetDesktopWindow", "GetDesktopWindow", 0, nil, of[WindowReply](), "Gives the root window of the thread's desktop.", "WN-12"},
	{927, "GetForegroundWindow", "GetForegroundWindow", 0, nil, of[WindowReply](), "Gives the foreground window, to threads on the input desktop.", "WN-13"},
	{928, "SetForegroundWindow", "SetForegroundWindow", 0, of[WindowRequest](), of[BoolReply](), "Makes a window of the input desktop the foreground window and tells whether it did.", "WN-14,WN-15"},
	{929, "AllowSetForegroundWindow", "AllowSetForegroundWindow", 0, of[NumberRequest](), nil, "Lets a process take the foreground once.", "WN-15"},
	{930, "AttachThreadInput", "AttachThreadInput", 0, of[AttachThreadInputRequest](), nil, "Lets two threads of a desktop share their input state, or ends that.", "WN-16,UI-9"},
	{931, "SetProp", "SetProp", 0, of[PropRequest](), nil, "Keeps a number with a window under a name.", "DT-28"},
	{932, "GetProp", "GetProp", 0, of[PropRequest](), of[ResultReply](), "Gives a number that is kept with a window, 0 for none.", "WN-4"},
	{933, "RemoveProp", "RemoveProp", 0, of[PropRequest](), of[ResultReply](), "Takes a number that is kept with a window away and gives it.", "DT-28"},
	{940, "SendWindowMessage", "SendMessageTimeout", Blocking, of[SendWindowMessageRequest](), of[DeliveryReply](), "Sends a message to a window or to every top-level window of the desktop, and gives the result.", "MSG-3,MSG-7,MSG-8,MSG-10,MSG-23,MSG-24,MSG-26,MSG-31"},
	{941, "PostMessage", "PostMessage", 0, of[PostMessageRequest](), nil, "Posts a message to a window, to the calling thread for 0, or to every top-level window of the desktop.", "MSG-3,MSG-6,MSG-7,MSG-10,MSG-15,MSG-16"},
	{942, "PostThreadMessage", "PostThreadMessage", 0, of[PostThreadMessageRequest](), nil, "Posts a message to a thread that has a queue.", "MSG-9,MSG-14,MSG-16"},
	{943, "PostQuitMessage", "PostQuitMessage", 0, of[NumberRequest](), nil, "Makes the thread's next retrieval with no posted message left give WM_QUIT.", "MSG-18"},
	{944, "GetMessage", "GetMessage", Blocking, of[GetMessageRequest](), of[DeliveryReply](), "Retrieves the next message that fits, waiting for it.", "MSG-17,MSG-18,MSG-20,MSG-23"},
	{945, "PeekMessage", "PeekMessage", Blocking, of[GetMessageRequest](), of[DeliveryReply](), "Retrieves a message if one is there.", "MSG-17,MSG-18,MSG-20,MSG-23"},
	{946, "AnswerCall", "", 0, of[AnswerCallRequest](), nil, "Gives the result of a procedure that the thread ran.", "MSG-23"},
	{947, "ContinueCall", "", Blocking, of[ContinueRequest](), of[DeliveryReply](), "Goes on with a call that gave a procedure to be run.", "MSG-23"},
	{948, "ReplyMessage", "ReplyMessage", 0, of[ResultRequest](), of[BoolReply](), "Lets the sender of the message that the thread runs go on.", "MSG-27"},
	{949, "InSendMessageEx", "InSendMessageEx", 0, nil, of[NumberReply](), "Gives how the message came that the thread runs.", "MSG-27"},
	{950, "GetQueueStatus", "GetQueueStatus", 0, of[NumberRequest](), of[NumberReply](), "Gives which kinds of messages are there and which are new.", "MSG-21"},
	{951, "IsHungAppWindow", "IsHungAppWindow", 0, of[WindowRequest](), of[BoolReply](), "Tells whether the thread of a window lets messages wait.", "MSG-25"},
	{952, "SetWindowTimer", "SetTimer", 0, of[WindowTimerRequest](), of[ResultReply](), "Starts a window timer and gives its number.", "MSG-36"},
	{953, "KillWindowTimer", "KillTimer", 0, of[WindowTimerRequest](), nil, "Stops a window timer.", "MSG-36"},
	{954, "BroadcastSystemMessage", "BroadcastSystemMessage", Blocking, of[BroadcastRequest](), of[DeliveryReply](), "Sends a message to the top-level windows of the desktop, or of all desktops of the session.", "MSG-11,MSG-12,MSG-28"},
	{955, "StageData", "", 0, of[DataRequest](), nil, "Collects data that is too long for one request; the next call that says so takes it.", "MSG-31,CB-9"},
	{960, "SetWindowsHook", "SetWindowsHookEx", 0, of[SetHookRequest](), of[WindowReply](), "Installs a hook procedure for a thread, or for all of the thread's desktop.", "HK-2,HK-3,HK-4,HK-5,HK-8,UI-9"},
	{961, "UnhookWindowsHook", "UnhookWindowsHookEx", 0, of[WindowRequest](), nil, "Removes a hook of the process.", "HK-6"},
	{962, "CallNextHook", "CallNextHookEx", Blocking, nil, of[DeliveryReply](), "Passes the event of the hook procedure that the thread runs on to the next hook.", "HK-5"},
	{963, "ChangeWindowMessageFilter", "ChangeWindowMessageFilterEx", 0, of[MessageFilterRequest](), of[NumberReply](), "Lets a message from lower integrity through, to the process for window 0 or to one window, or stops that.", "UI-6,UI-7,UI-8"},
	{970, "OpenClipboard", "OpenClipboard", 0, of[WindowRequest](), nil, "Opens the clipboard of the process's window station.", "CB-1,CB-3,CB-4"},
	{971, "CloseClipboard", "CloseClipboard", 0, nil, nil, "Closes the clipboard and tells those who watch it.", "CB-6,CB-14,CB-18"},
	{972, "EmptyClipboard", "EmptyClipboard", Blocking, nil, of[DeliveryReply](), "Drops the contents and makes the window that opened the clipboard its owner.", "CB-7,CB-13"},
	{973, "SetClipboardData", "SetClipboardData", 0, of[SetClipboardRequest](), nil, "Places data in a format, or promises it.", "CB-8,CB-9,CB-10,CB-13"},
	{974, "GetClipboardData", "GetClipboardData", Blocking, of[GetClipboardRequest](), of[DeliveryReply](), "Gives data of a format from an offset on; the result is the whole length.", "CB-6,CB-10,CB-18"},
	{975, "EnumClipboardFormats", "EnumClipboardFormats", 0, nil, of[NumbersReply](), "Lists the formats of the clipboard, which must be open.", "CB-6,CB-18,CB-19"},
	{976, "GetClipboardState", "GetClipboardSequenceNumber", 0, nil, of[ClipboardStateReply](), "Gives sequence number, owner, opener, viewer and formats of the clipboard.", "CB-3,CB-13,CB-19"},
	{977, "ClipboardListener", "AddClipboardFormatListener", 0, of[ClipboardListenerRequest](), nil, "Makes a window a listener of the clipboard, or ends that.", "CB-14"},
	{978, "SetClipboardViewer", "SetClipboardViewer", 0, of[WindowRequest](), of[WindowReply](), "Puts a window at the head of the clipboard's viewers and gives the one that was there.", "CB-15"},
	{979, "ChangeClipboardChain", "ChangeClipboardChain", 0, of[ClipboardChainRequest](), nil, "Takes a window out of the chain of the clipboard's viewers.", "CB-15"},
}

// AtomNameRequest names an atom: nil is MAKEINTATOM(Integer). Local is the
// process's table instead of the window station's.
type AtomNameRequest struct {
	Local   bool
	Name    *string
	Integer uint32
}

type AtomRequest struct {
	Local bool
	Atom  uint32
}

type NumberRequest struct{ Number uint32 }
type NumberReply struct{ Number uint32 }
type NumbersReply struct{ Numbers []uint32 }
type NamedRequest struct{ Name string }
type NameReply struct{ Name string }
type ResultRequest struct{ Result uint64 }
type ResultReply struct{ Result uint64 }
type DataRequest struct{ Data []byte }
type WindowRequest struct{ Window win32.HWND }
type WindowReply struct{ Window win32.HWND }
type WindowsReply struct{ Windows []uint32 }

type RegisterClassRequest struct {
	Name      string
	Style     uint32
	Procedure uint64
}

type CreateWindowRequest struct {
	Class   string
	Title   string
	Style   uint32
	ExStyle uint32
	X       int32
	Y       int32
	Width   int32
	Height  int32
	Parent  win32.HWND
	ID      uint64
	Param   uint64
}

type WindowInfoReply struct {
	ThreadID  uint32
	ProcessID uint32
	Class     string
	Title     string
	Style     uint32
	ExStyle   uint32
	X         int32
	Y         int32
	Width     int32
	Height    int32
	Parent    win32.HWND
	Owner     win32.HWND
	Visible   bool
	Attention bool
	ID        uint64
	UserData  uint64 // of windows of the caller's process
	Procedure uint64 // likewise
}

type RelatedWindowRequest struct {
	Window   win32.HWND
	Relation uint32 // GW_*
}

// FindWindowRequest: an empty class and a nil title fit every window.
type FindWindowRequest struct {
	Parent win32.HWND
	After  win32.HWND
	Class  string
	Title  *string
	Ex     bool // FindWindowEx: without a parent, message-only windows too
}

type SetWindowTextRequest struct {
	Window win32.HWND
	Title  string
}

type SetWindowPosRequest struct {
	Window win32.HWND
	After  win32.HWND
	X      int32
	Y      int32
	Width  int32
	Height int32
	Flags  uint32 // SWP_*
}

type SetParentRequest struct {
	Window win32.HWND
	Parent win32.HWND
}

type SetWindowLongRequest struct {
	Window win32.HWND
	Field  uint32
	Value  uint64
}

type AttachThreadInputRequest struct {
	From   uint32
	To     uint32
	Attach bool
}

type PropRequest struct {
	Window win32.HWND
	Name   string
	Value  uint64 // SetProp
}

// WindowMessage is one message of a queue.
type WindowMessage struct {
	Window  win32.HWND
	Message uint32
	WParam  uint64
	LParam  uint64
	Time    uint32 // milliseconds, wrapping
	X       int32
	Y       int32
}

// DeliveryReply says what the thread is to do next. Kind: 0 nothing is there,
// 1 a message was retrieved, 2 run a procedure, 3 the call is over. Call: 0 a
// window's procedure, 1 a hook's, 2 a SendMessageCallback's.
type DeliveryReply struct {
	Kind      uint8
	Call      uint8
	HookType  int32
	Code      int32
	CallID    uint64
	Op        uint64
	Procedure uint64
	Message   WindowMessage
	Result    uint64
	Data      []byte
}

// SendWindowMessageRequest: Mode 0 waits, 1 is SendNotifyMessage, 2
// SendMessageCallback. Timeout counts with Limited only.
type SendWindowMessageRequest struct {
	Window       win32.HWND
	Message      uint32
	WParam       uint64
	LParam       uint64
	Mode         uint8
	Limited      bool
	Staged       bool
	Flags        uint32 // SMTO_*
	Timeout      uint32 // milliseconds
	Callback     uint64
	CallbackData uint64
	Data         []byte
}

type PostMessageRequest struct {
	Window  win32.HWND
	Message uint32
	WParam  uint64
	LParam  uint64
}

type PostThreadMessageRequest struct {
	ThreadID uint32
	Message  uint32
	WParam   uint64
	LParam   uint64
}

type GetMessageRequest struct {
	Window win32.HWND
	Min    uint32
	Max    uint32
	Flags  uint32 // PM_*, of PeekMessage
}

type AnswerCallRequest struct {
	CallID uint64
	Result uint64
	Data   []byte
}

type ContinueRequest struct{ Op uint64 }

type WindowTimerRequest struct {
	Window    win32.HWND
	ID        uint64
	Millis    uint32
	Procedure uint64
}

type BroadcastRequest struct {
	Flags      uint32 // BSF_*
	Recipients uint32 // BSM_*
	Message    uint32
	WParam     uint64
	LParam     uint64
}

type SetHookRequest struct {
	Type      int32
	Procedure uint64
	Module    bool
	ThreadID  uint32
}

type MessageFilterRequest struct {
	Window  win32.HWND
	Message uint32
	Action  uint32 // MSGFLT_*
}

type SetClipboardRequest struct {
	Format  uint32
	Promise bool
	Staged  bool
	Data    []byte
}

type GetClipboardRequest struct {
	Format uint32
	Offset uint64
}

type ClipboardStateReply struct {
	Sequence uint32
	Owner    win32.HWND
	Opener   win32.HWND
	Viewer   win32.HWND
	Formats  []uint32
}

type ClipboardListenerRequest struct {
	Window win32.HWND
	On     bool
}

type ClipboardChainRequest struct {
	Window win32.HWND
	Next   win32.HWND
}
