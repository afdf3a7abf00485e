// SPDX-License-Identifier: Apache-2.0

package win32

// HWND names a window, menu or hook of a session: index in the low 16 bits,
// reuse counter in the high ones (WN-1).
type HWND uint32

// Windows with a meaning of their own (WN-9).
const (
	HWND_BROADCAST HWND = 0xFFFF
	HWND_MESSAGE   HWND = 0xFFFFFFFD // -3
	HWND_TOP       HWND = 0
	HWND_BOTTOM    HWND = 1
	HWND_TOPMOST   HWND = 0xFFFFFFFF // -1
	HWND_NOTOPMOST HWND = 0xFFFFFFFE // -2
)

// ThreadMessages as the window of a filter means messages to the thread only
// (MSG-20).
const ThreadMessages HWND = 0xFFFFFFFF

// Window styles the engine knows.
const (
	WS_CHILD   uint32 = 0x40000000
	WS_VISIBLE uint32 = 0x10000000
	WS_POPUP   uint32 = 0x80000000
)

// Messages the engine knows (MSG-30 to MSG-35).
const (
	WM_NULL              uint32 = 0x0
	WM_CREATE            uint32 = 0x1
	WM_DESTROY           uint32 = 0x2
	WM_MOVE              uint32 = 0x3
	WM_SIZE              uint32 = 0x5
	WM_ACTIVATE          uint32 = 0x6
	WM_SETFOCUS          uint32 = 0x7
	WM_KILLFOCUS         uint32 = 0x8
	WM_SETTEXT           uint32 = 0xC
	WM_GETTEXT           uint32 = 0xD
	WM_GETTEXTLENGTH     uint32 = 0xE
	WM_PAINT             uint32 = 0xF
	WM_CLOSE             uint32 = 0x10
	WM_QUERYENDSESSION   uint32 = 0x11
	WM_QUIT              uint32 = 0x12
	WM_ENDSESSION        uint32 = 0x16
	WM_SHOWWINDOW        uint32 = 0x18
	WM_SETTINGCHANGE     uint32 = 0x1A
	WM_ACTIVATEAPP       uint32 = 0x1C
	WM_TIMECHANGE        uint32 = 0x1E
	WM_COPYDATA          uint32 = 0x4A
	WM_CANCELJOURNAL     uint32 = 0x4B
	WM_NCCREATE          uint32 = 0x81
	WM_NCDESTROY         uint32 = 0x82
	WM_KEYFIRST          uint32 = 0x100
	WM_KEYDOWN           uint32 = 0x100
	WM_KEYUP             uint32 = 0x101
	WM_CHAR              uint32 = 0x102
	WM_SYSKEYDOWN        uint32 = 0x104
	WM_SYSKEYUP          uint32 = 0x105
	WM_KEYLAST           uint32 = 0x109
	WM_COMMAND           uint32 = 0x111
	WM_TIMER             uint32 = 0x113
	WM_MOUSEFIRST        uint32 = 0x200
	WM_MOUSEMOVE         uint32 = 0x200
	WM_LBUTTONDOWN       uint32 = 0x201
	WM_LBUTTONUP         uint32 = 0x202
	WM_RBUTTONDOWN       uint32 = 0x204
	WM_RBUTTONUP         uint32 = 0x205
	WM_MOUSEWHEEL        uint32 = 0x20A
	WM_MOUSELAST         uint32 = 0x20E
	WM_WTSSESSION_CHANGE uint32 = 0x2B1
	WM_RENDERFORMAT      uint32 = 0x305
	WM_RENDERALLFORMATS  uint32 = 0x306
	WM_DESTROYCLIPBOARD  uint32 = 0x307
	WM_DRAWCLIPBOARD     uint32 = 0x308
	WM_CHANGECBCHAIN     uint32 = 0x30D
	WM_HOTKEY            uint32 = 0x312
	WM_CLIPBOARDUPDATE   uint32 = 0x31D
	WM_USER              uint32 = 0x400
	WM_APP               uint32 = 0x8000
)

// PeekMessage flags, and queue-status bits that go 16 bits further up in them
// (MSG-20, MSG-21).
const (
	PM_NOREMOVE uint32 = 0
	PM_REMOVE   uint32 = 1
	PM_NOYIELD  uint32 = 2

	QS_KEY            uint32 = 0x1
	QS_MOUSEMOVE      uint32 = 0x2
	QS_MOUSEBUTTON    uint32 = 0x4
	QS_POSTMESSAGE    uint32 = 0x8
	QS_TIMER          uint32 = 0x10
	QS_PAINT          uint32 = 0x20
	QS_SENDMESSAGE    uint32 = 0x40
	QS_HOTKEY         uint32 = 0x80
	QS_ALLPOSTMESSAGE uint32 = 0x100
	QS_RAWINPUT       uint32 = 0x400
)

// SendMessageTimeout flags and what InSendMessageEx answers (MSG-24, MSG-27).
const (
	SMTO_NORMAL             uint32 = 0
	SMTO_BLOCK              uint32 = 1
	SMTO_ABORTIFHUNG        uint32 = 2
	SMTO_NOTIMEOUTIFNOTHUNG uint32 = 8
	SMTO_ERRORONEXIT        uint32 = 0x20

	ISMEX_NOSEND   uint32 = 0
	ISMEX_SEND     uint32 = 1
	ISMEX_NOTIFY   uint32 = 2
	ISMEX_CALLBACK uint32 = 4
	ISMEX_REPLIED  uint32 = 8
)

// BroadcastSystemMessage (MSG-11, MSG-12, MSG-28).
const (
	BSM_APPLICATIONS uint32 = 0x8
	BSM_ALLDESKTOPS  uint32 = 0x10

	BSF_QUERY              uint32 = 0x1
	BSF_IGNORECURRENTTASK  uint32 = 0x2
	BSF_FLUSHDISK          uint32 = 0x4
	BSF_NOHANG             uint32 = 0x8
	BSF_POSTMESSAGE        uint32 = 0x10
	BSF_FORCEIFHUNG        uint32 = 0x20
	BSF_NOTIMEOUTIFNOTHUNG uint32 = 0x40
	BSF_ALLOWSFW           uint32 = 0x80
	BSF_SENDNOTIFYMESSAGE  uint32 = 0x100

	BROADCAST_QUERY_DENY uint32 = 0x424D5144
)

// Hook types (HK-2).
const (
	WH_MSGFILTER       int32 = -1
	WH_JOURNALRECORD   int32 = 0
	WH_JOURNALPLAYBACK int32 = 1
	WH_KEYBOARD        int32 = 2
	WH_GETMESSAGE      int32 = 3
	WH_CALLWNDPROC     int32 = 4
	WH_CBT             int32 = 5
	WH_SYSMSGFILTER    int32 = 6
	WH_MOUSE           int32 = 7
	WH_HARDWARE        int32 = 8
	WH_DEBUG           int32 = 9
	WH_SHELL           int32 = 10
	WH_FOREGROUNDIDLE  int32 = 11
	WH_CALLWNDPROCRET  int32 = 12
	WH_KEYBOARD_LL     int32 = 13
	WH_MOUSE_LL        int32 = 14

	HC_ACTION       int32 = 0
	HCBT_CREATEWND  int32 = 3
	HCBT_DESTROYWND int32 = 4
)

// Message filters (UI-6).
const (
	MSGFLT_ADD      uint32 = 1
	MSGFLT_REMOVE   uint32 = 2
	MSGFLT_RESET    uint32 = 0
	MSGFLT_ALLOW    uint32 = 1
	MSGFLT_DISALLOW uint32 = 2

	MSGFLTINFO_NONE                     uint32 = 0
	MSGFLTINFO_ALREADYALLOWED_FORWND    uint32 = 1
	MSGFLTINFO_ALREADYDISALLOWED_FORWND uint32 = 2
	MSGFLTINFO_ALLOWED_HIGHER           uint32 = 3
)

// GetWindow relations.
const (
	GW_HWNDFIRST uint32 = 0
	GW_HWNDLAST  uint32 = 1
	GW_HWNDNEXT  uint32 = 2
	GW_HWNDPREV  uint32 = 3
	GW_OWNER     uint32 = 4
	GW_CHILD     uint32 = 5
)

// SetWindowPos flags.
const (
	SWP_NOSIZE     uint32 = 0x1
	SWP_NOMOVE     uint32 = 0x2
	SWP_NOZORDER   uint32 = 0x4
	SWP_SHOWWINDOW uint32 = 0x40
	SWP_HIDEWINDOW uint32 = 0x80
)

// Clipboard formats (CB-16).
const (
	CF_TEXT            uint32 = 1
	CF_BITMAP          uint32 = 2
	CF_METAFILEPICT    uint32 = 3
	CF_SYLK            uint32 = 4
	CF_DIF             uint32 = 5
	CF_TIFF            uint32 = 6
	CF_OEMTEXT         uint32 = 7
	CF_DIB             uint32 = 8
	CF_PALETTE         uint32 = 9
	CF_PENDATA         uint32 = 10
	CF_RIFF            uint32 = 11
	CF_WAVE            uint32 = 12
	CF_UNICODETEXT     uint32 = 13
	CF_ENHMETAFILE     uint32 = 14
	CF_HDROP           uint32 = 15
	CF_LOCALE          uint32 = 16
	CF_DIBV5           uint32 = 17
	CF_OWNERDISPLAY    uint32 = 0x80
	CF_DSPTEXT         uint32 = 0x81
	CF_DSPBITMAP       uint32 = 0x82
	CF_DSPMETAFILEPICT uint32 = 0x83
	CF_DSPENHMETAFILE  uint32 = 0x8E
	CF_PRIVATEFIRST    uint32 = 0x200
	CF_PRIVATELAST     uint32 = 0x2FF
	CF_GDIOBJFIRST     uint32 = 0x300
	CF_GDIOBJLAST      uint32 = 0x3FF
)
