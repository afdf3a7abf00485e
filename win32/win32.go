// SPDX-License-Identifier: Apache-2.0

// Package win32 is the vocabulary of Stationmaster: error numbers, handles,
// access masks and the constants of the Windows headers that the rules of
// docs/spec name. Constants keep their Windows spelling because people search
// for them. It holds no behaviour beyond printing, and imports only the
// standard library.
package win32

import "fmt"

// Handle is a process-local handle value (HANDLE, HWINSTA, HDESK) or a
// session-wide one (HWND, HHOOK). 0 is never valid.
type Handle uint32

// Pseudo-handles (HND-1). They are 32-bit images of -1, -2, -4, -5 and -6.
const (
	CurrentProcess        Handle = 0xFFFFFFFF
	CurrentThread         Handle = 0xFFFFFFFE
	CurrentProcessToken   Handle = 0xFFFFFFFC
	CurrentThreadToken    Handle = 0xFFFFFFFB
	CurrentEffectiveToken Handle = 0xFFFFFFFA
)

// AccessMask is a set of rights (ACCESS_MASK).
type AccessMask uint32

// String prints the mask as 0x000f037f.
func (m AccessMask) String() string { return fmt.Sprintf("0x%08x", uint32(m)) }

// Has reports whether every bit of want is in m.
func (m AccessMask) Has(want AccessMask) bool { return m&want == want }

// Rights that every object type shares (AR-1).
const (
	DELETE                   AccessMask = 0x00010000
	READ_CONTROL             AccessMask = 0x00020000
	WRITE_DAC                AccessMask = 0x00040000
	WRITE_OWNER              AccessMask = 0x00080000
	SYNCHRONIZE              AccessMask = 0x00100000
	STANDARD_RIGHTS_REQUIRED AccessMask = 0x000F0000
	STANDARD_RIGHTS_READ     AccessMask = READ_CONTROL
	STANDARD_RIGHTS_WRITE    AccessMask = READ_CONTROL
	STANDARD_RIGHTS_EXECUTE  AccessMask = READ_CONTROL
	STANDARD_RIGHTS_ALL      AccessMask = 0x001F0000
	SPECIFIC_RIGHTS_ALL      AccessMask = 0x0000FFFF
	ACCESS_SYSTEM_SECURITY   AccessMask = 0x01000000
	MAXIMUM_ALLOWED          AccessMask = 0x02000000
	GENERIC_ALL              AccessMask = 0x10000000
	GENERIC_EXECUTE          AccessMask = 0x20000000
	GENERIC_WRITE            AccessMask = 0x40000000
	GENERIC_READ             AccessMask = 0x80000000
)

// Window-station rights (AR-4 to AR-13).
const (
	WINSTA_ENUMDESKTOPS      AccessMask = 0x0001
	WINSTA_READATTRIBUTES    AccessMask = 0x0002
	WINSTA_ACCESSCLIPBOARD   AccessMask = 0x0004
	WINSTA_CREATEDESKTOP     AccessMask = 0x0008
	WINSTA_WRITEATTRIBUTES   AccessMask = 0x0010
	WINSTA_ACCESSGLOBALATOMS AccessMask = 0x0020
	WINSTA_EXITWINDOWS       AccessMask = 0x0040
	WINSTA_ENUMERATE         AccessMask = 0x0100
	WINSTA_READSCREEN        AccessMask = 0x0200
	WINSTA_ALL_ACCESS        AccessMask = 0x037F
)

// Desktop rights (AR-14 to AR-23).
const (
	DESKTOP_READOBJECTS     AccessMask = 0x0001
	DESKTOP_CREATEWINDOW    AccessMask = 0x0002
	DESKTOP_CREATEMENU      AccessMask = 0x0004
	DESKTOP_HOOKCONTROL     AccessMask = 0x0008
	DESKTOP_JOURNALRECORD   AccessMask = 0x0010
	DESKTOP_JOURNALPLAYBACK AccessMask = 0x0020
	DESKTOP_ENUMERATE       AccessMask = 0x0040
	DESKTOP_WRITEOBJECTS    AccessMask = 0x0080
	DESKTOP_SWITCHDESKTOP   AccessMask = 0x0100
	DESKTOP_ALL_ACCESS      AccessMask = 0x01FF
)

// Window-station and desktop flags (WS-5, WS-20, DT-15).
const (
	CWF_CREATE_ONLY          = 0x0001
	WSF_VISIBLE              = 0x0001
	DF_ALLOWOTHERACCOUNTHOOK = 0x0001
)

// GetUserObjectInformation indexes (UO-1 to UO-6).
const (
	UOI_FLAGS    = 1
	UOI_NAME     = 2
	UOI_TYPE     = 3
	UOI_USER_SID = 4
	UOI_HEAPSIZE = 5
	UOI_IO       = 6
)

// Handle flags and DuplicateHandle options (HN-3, HN-4).
const (
	HANDLE_FLAG_INHERIT            = 0x1
	HANDLE_FLAG_PROTECT_FROM_CLOSE = 0x2
	DUPLICATE_CLOSE_SOURCE         = 0x1
	DUPLICATE_SAME_ACCESS          = 0x2
)

// Token rights (SE-19).
const (
	TOKEN_ASSIGN_PRIMARY    AccessMask = 0x0001
	TOKEN_DUPLICATE         AccessMask = 0x0002
	TOKEN_IMPERSONATE       AccessMask = 0x0004
	TOKEN_QUERY             AccessMask = 0x0008
	TOKEN_QUERY_SOURCE      AccessMask = 0x0010
	TOKEN_ADJUST_PRIVILEGES AccessMask = 0x0020
	TOKEN_ADJUST_GROUPS     AccessMask = 0x0040
	TOKEN_ADJUST_DEFAULT    AccessMask = 0x0080
	TOKEN_ADJUST_SESSIONID  AccessMask = 0x0100
	TOKEN_ALL_ACCESS        AccessMask = 0xF01FF
)

// Process rights used by the rules (SE-60).
const (
	PROCESS_TERMINATE                 AccessMask = 0x0001
	PROCESS_DUP_HANDLE                AccessMask = 0x0040
	PROCESS_QUERY_INFORMATION         AccessMask = 0x0400
	PROCESS_QUERY_LIMITED_INFORMATION AccessMask = 0x1000
	PROCESS_ALL_ACCESS                AccessMask = 0x1FFFFF
)

// Session permissions, checked against a session's descriptor (sessions.md 3).
const (
	WINSTATION_QUERY      AccessMask = 0x001
	WINSTATION_SET        AccessMask = 0x002
	WINSTATION_RESET      AccessMask = 0x004
	WINSTATION_VIRTUAL    AccessMask = 0x008
	WINSTATION_SHADOW     AccessMask = 0x010
	WINSTATION_LOGON      AccessMask = 0x020
	WINSTATION_LOGOFF     AccessMask = 0x040
	WINSTATION_MSG        AccessMask = 0x080
	WINSTATION_CONNECT    AccessMask = 0x100
	WINSTATION_DISCONNECT AccessMask = 0x200
	WINSTATION_ALL_ACCESS AccessMask = 0xF03FF
)

// Service and service-manager rights (SE-60).
const (
	SC_MANAGER_CONNECT            AccessMask = 0x0001
	SC_MANAGER_CREATE_SERVICE     AccessMask = 0x0002
	SC_MANAGER_ENUMERATE_SERVICE  AccessMask = 0x0004
	SC_MANAGER_LOCK               AccessMask = 0x0008
	SC_MANAGER_QUERY_LOCK_STATUS  AccessMask = 0x0010
	SC_MANAGER_MODIFY_BOOT_CONFIG AccessMask = 0x0020
	SC_MANAGER_ALL_ACCESS         AccessMask = 0xF003F

	SERVICE_QUERY_CONFIG         AccessMask = 0x0001
	SERVICE_CHANGE_CONFIG        AccessMask = 0x0002
	SERVICE_QUERY_STATUS         AccessMask = 0x0004
	SERVICE_ENUMERATE_DEPENDENTS AccessMask = 0x0008
	SERVICE_START                AccessMask = 0x0010
	SERVICE_STOP                 AccessMask = 0x0020
	SERVICE_PAUSE_CONTINUE       AccessMask = 0x0040
	SERVICE_INTERROGATE          AccessMask = 0x0080
	SERVICE_USER_DEFINED_CONTROL AccessMask = 0x0100
	SERVICE_ALL_ACCESS           AccessMask = 0xF01FF
)

// STATUS_DLL_INIT_FAILED is the exit code of a process that could not connect
// to its window station or desktop (PC-17).
const STATUS_DLL_INIT_FAILED uint32 = 0xC0000142

// Session ids with a meaning of their own (SES-10).
const (
	WTS_CURRENT_SESSION uint32 = 0xFFFFFFFF
	WTS_ANY_SESSION     uint32 = 0xFFFFFFFE
)

// ConnectState is a session's connect state (SES-15).
type ConnectState uint32

// The connect states, in the order of WTS_CONNECTSTATE_CLASS.
const (
	WTSActive ConnectState = iota
	WTSConnected
	WTSConnectQuery
	WTSShadow
	WTSDisconnected
	WTSIdle
	WTSListen
	WTSReset
	WTSDown
	WTSInit
)

// String gives the short word `query session` prints.
func (s ConnectState) String() string {
	names := [...]string{"Active", "Conn", "ConnQ", "Shadow", "Disc", "Idle", "Listen", "Reset", "Down", "Init"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("ConnectState(%d)", uint32(s))
}

// Session-change notifications (NTF-1).
const (
	WTS_CONSOLE_CONNECT        uint32 = 0x1
	WTS_CONSOLE_DISCONNECT     uint32 = 0x2
	WTS_REMOTE_CONNECT         uint32 = 0x3
	WTS_REMOTE_DISCONNECT      uint32 = 0x4
	WTS_SESSION_LOGON          uint32 = 0x5
	WTS_SESSION_LOGOFF         uint32 = 0x6
	WTS_SESSION_LOCK           uint32 = 0x7
	WTS_SESSION_UNLOCK         uint32 = 0x8
	WTS_SESSION_REMOTE_CONTROL uint32 = 0x9
	WTS_SESSION_CREATE         uint32 = 0xA
	WTS_SESSION_TERMINATE      uint32 = 0xB
	WTS_SESSION_DESKTOP_READY  uint32 = 0xF
)

// Message-box styles and answers (WTS-31 to WTS-33).
const (
	MB_OK                   uint32 = 0x0
	MB_OKCANCEL             uint32 = 0x1
	MB_ABORTRETRYIGNORE     uint32 = 0x2
	MB_YESNOCANCEL          uint32 = 0x3
	MB_YESNO                uint32 = 0x4
	MB_RETRYCANCEL          uint32 = 0x5
	MB_CANCELTRYCONTINUE    uint32 = 0x6
	MB_TYPEMASK             uint32 = 0xF
	MB_ICONERROR            uint32 = 0x10
	MB_ICONQUESTION         uint32 = 0x20
	MB_ICONWARNING          uint32 = 0x30
	MB_ICONINFORMATION      uint32 = 0x40
	MB_ICONMASK             uint32 = 0xF0
	MB_DEFMASK              uint32 = 0xF00
	MB_SERVICE_NOTIFICATION uint32 = 0x200000

	IDOK       uint32 = 1
	IDCANCEL   uint32 = 2
	IDABORT    uint32 = 3
	IDRETRY    uint32 = 4
	IDIGNORE   uint32 = 5
	IDYES      uint32 = 6
	IDNO       uint32 = 7
	IDTRYAGAIN uint32 = 10
	IDCONTINUE uint32 = 11
	IDTIMEOUT  uint32 = 32000
	IDASYNC    uint32 = 32001
)

// Logon types (LGN-2).
const (
	LOGON32_LOGON_INTERACTIVE       uint32 = 2
	LOGON32_LOGON_NETWORK           uint32 = 3
	LOGON32_LOGON_BATCH             uint32 = 4
	LOGON32_LOGON_SERVICE           uint32 = 5
	LOGON32_LOGON_UNLOCK            uint32 = 7
	LOGON32_LOGON_NETWORK_CLEARTEXT uint32 = 8
	LOGON32_LOGON_NEW_CREDENTIALS   uint32 = 9
	LogonRemoteInteractive          uint32 = 10 // internal to Windows, no header name
)

// Service types, start types, states, controls and accepts (sessions.md 6).
const (
	SERVICE_WIN32_OWN_PROCESS   uint32 = 0x10
	SERVICE_WIN32_SHARE_PROCESS uint32 = 0x20
	SERVICE_INTERACTIVE_PROCESS uint32 = 0x100

	SERVICE_AUTO_START   uint32 = 2
	SERVICE_DEMAND_START uint32 = 3
	SERVICE_DISABLED     uint32 = 4

	SERVICE_STOPPED          uint32 = 1
	SERVICE_START_PENDING    uint32 = 2
	SERVICE_STOP_PENDING     uint32 = 3
	SERVICE_RUNNING          uint32 = 4
	SERVICE_CONTINUE_PENDING uint32 = 5
	SERVICE_PAUSE_PENDING    uint32 = 6
	SERVICE_PAUSED           uint32 = 7

	SERVICE_CONTROL_STOP          uint32 = 1
	SERVICE_CONTROL_PAUSE         uint32 = 2
	SERVICE_CONTROL_CONTINUE      uint32 = 3
	SERVICE_CONTROL_INTERROGATE   uint32 = 4
	SERVICE_CONTROL_SHUTDOWN      uint32 = 5
	SERVICE_CONTROL_SESSIONCHANGE uint32 = 0xE

	SERVICE_ACCEPT_STOP           uint32 = 0x1
	SERVICE_ACCEPT_PAUSE_CONTINUE uint32 = 0x2
	SERVICE_ACCEPT_SHUTDOWN       uint32 = 0x4
	SERVICE_ACCEPT_SESSIONCHANGE  uint32 = 0x80
)
