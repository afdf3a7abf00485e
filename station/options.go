// SPDX-License-Identifier: Apache-2.0

package station

import (
	"os"
	"time"

	"stationmaster/security"
	"stationmaster/win32"
)

// Mode is the session model an engine runs in, fixed when it is made (SES-1).
type Mode uint8

const (
	// Isolated is the model of Windows Vista and later: services alone in session 0.
	Isolated Mode = iota
	// Shared is the model of Windows XP and Server 2003: the first user shares session 0 with the services.
	Shared
)

// String gives the word of the settings: isolated or shared.
func (m Mode) String() string {
	if m == Shared {
		return "shared"
	}
	return "isolated"
}

// Options say how an engine is to run. The zero value of each field is usable
// except Host and Surfaces, for which NewMemoryHost and NewMemorySurfaces do.
type Options struct {
	Mode     Mode
	Host     Host
	Surfaces Surfaces
	Machine  security.SID // S-1-5-21-a-b-c of this machine, for SDDL aliases and account SIDs
	Clock    func() time.Time
	Settings Settings

	// Identity gives the Linux identity a token's programs run with. Without it
	// they run with the identity of their session's SessionSpec.
	Identity func(*security.Token) (Identity, error)

	// CallSocket is the path of the call socket as programs inside a session
	// see it; it becomes STATION_SOCKET in their environment.
	CallSocket string

	// Foreign reports whether a host's process with this tag was started by a
	// subsystem for itself, such as an X server. Such a one has no record of its
	// own and is left alone when a session is restored; nil: there is none.
	Foreign func(tag string) bool

	// Memory makes the memory of sections. Without it sections have no memory:
	// their names and rights work, mapping one fails with ERROR_NOT_SUPPORTED.
	Memory func(name string, size uint64) (Memory, error)

	// Observer gets every event, in order, on one goroutine, with no lock held.
	Observer func(Event)

	// FirstLUID is the first LUID to be given to a logon session; 0 means
	// security.FirstFreeLUID.
	FirstLUID security.LUID

	// Restore holds what SessionState gave in an earlier run. New only takes
	// the counters from it, so that no ID is used twice; each session itself
	// comes back through RestoreSession.
	Restore []SessionState
}

// Settings are the engine's limits and switches. Zero values mean the default.
type Settings struct {
	DesktopHeap           string        // profile of DT-23: x64 (default), xp, vista32, safe, or "a,b,c" in KB
	SessionTotalKB        uint32        // sum of a session's desktop heaps; 0: the profile's
	NoInteractiveServices bool          // WS-52: ignore SERVICE_INTERACTIVE_PROCESS
	MaxStations           int           // window stations per session, 1024 (WS-18)
	MaxHandles            int           // handles per process, 65536 (HND-10)
	MaxSessionHandles     int           // handles of all processes of one session, 262144
	MaxSections           int           // sections that the programs of one session have open, 1024
	MaxSessions           int           // concurrent sessions besides session 0, 64 (SES-28)
	EventRing             int           // events kept for readers, 4096
	AuditRing             int           // refusals kept for readers, 4096
	AuditRate             int           // refusals recorded per second and process, 50; the rest is counted
	UserHandles           int           // windows and hooks per process, 10000; 200 to 18000 (WN-2)
	PostLimit             int           // posted messages per thread, 10000, 4000 at least (MSG-16)
	HookTimeout           time.Duration // a hook's time to answer, 300 ms (HK-8)
}

// Identity is a Linux identity.
type Identity struct {
	UID, GID uint32
	Groups   []uint32
}

// Event is something that happened, as observers and `station events` see it.
type Event struct {
	Seq     uint64            `json:"seq"` // ascending from 1
	Time    time.Time         `json:"time"`
	Kind    string            `json:"kind"` // one of the Event constants
	Session uint32            `json:"session"`
	Fields  map[string]string `json:"fields,omitempty"` // never changed after publishing
}

// Kinds of events.
const (
	EventSessionCreate    = "session-create"
	EventSessionLogon     = "session-logon"     // user, sid, logon
	EventSessionLogoff    = "session-logoff"    // user, sid, logon
	EventSessionLock      = "session-lock"      //
	EventSessionUnlock    = "session-unlock"    //
	EventSessionState     = "session-state"     // from, to
	EventSessionTerminal  = "session-terminal"  // from, to
	EventSessionHost      = "session-host"      // the session's holder runs (state=started) or is gone (state=gone)
	EventSessionTerminate = "session-terminate" //
	EventStationCreate    = "station-create"    // station
	EventStationClose     = "station-close"     // station
	EventDesktopCreate    = "desktop-create"    // station, desktop
	EventDesktopClose     = "desktop-close"     // station, desktop
	EventDesktopSwitch    = "desktop-switch"    // from, to: names in WinSta0
	EventSurface          = "desktop-surface"   // station, desktop, kind: the desktop's surface was made, or closed (kind empty)
	EventProcessStart     = "process-start"     // pid, program, desktop, user
	EventProcessConnect   = "process-connect"   // pid, station, desktop
	EventProcessExit      = "process-exit"      // pid, code
	EventConnectFailed    = "connect-failed"    // pid, object, step, reason (PC-18)
	EventDescriptorChange = "descriptor-change" // object
	EventTokenChange      = "token-change"      // pid of who changed the token of a process
	// EventsLost goes to observers alone, with number 0: events that programs
	// of the session caused came faster than the observers took them (count),
	// and the session should be looked at as a whole.
	EventsLost            = "events-lost"
	EventHeapExhausted    = "desktop-heap-exhausted"     // number 243 (DT-27)
	EventHeapCreateFailed = "desktop-heap-create-failed" // number 244 (DT-26)
)

// AuditRecord is one refusal: who wanted what, and what decided. With the code
// 0 it is an access that was granted and that an AUDIT ACE asks to be told of
// (SE-64); ACE is then that ACE of the SACL.
type AuditRecord struct {
	Seq     uint64           `json:"seq"` // ascending from 1
	Time    time.Time        `json:"time"`
	Session uint32           `json:"session"`
	PID     int              `json:"pid"`
	User    string           `json:"user"` // SID of the effective token
	Op      string           `json:"op"`
	Object  string           `json:"object"`
	Desired win32.AccessMask `json:"desired"`
	Missing win32.AccessMask `json:"missing"` // rights nothing granted
	Code    win32.Errno      `json:"code"`
	Rule    string           `json:"rule"`
	ACE     int              `json:"ace"`  // index of the ACE that decided, -1 for none
	Why     string           `json:"why"`  // one sentence
	Lost    uint64           `json:"lost"` // refusals of this process left out before this one
}

// SecurityAttributes is what a creating call says about the new object. A nil
// pointer means a handle that is not inherited and a default descriptor.
type SecurityAttributes struct {
	Descriptor *security.Descriptor // nil: default
	Inherit    bool
}

// DesktopOptions say what CreateDesktop is to make.
type DesktopOptions struct {
	Name       string
	Flags      uint32 // 0 or DF_ALLOWOTHERACCOUNTHOOK
	Access     win32.AccessMask
	HeapKB     uint32 // 0: the default of DT-22
	Inherit    bool
	Descriptor *security.Descriptor // nil: inherited from the station (DT-8)
	Surface    string               // SurfaceBuiltin, SurfaceX11 or ""
	Width      int                  // pixels; 0 for the default
	Height     int
}

// ProcessOptions say which program to start and how.
type ProcessOptions struct {
	Token   win32.Handle // CreateProcess only; 0: the caller's own
	Path    string       // absolute, or a bare name looked up in PATH; empty: Args[0]
	Args    []string     // argv with argv[0]; empty: Path
	Env     []string     // KEY=value; the engine adds the desktop's and STATION_*
	Dir     string
	Desktop *string // STARTUPINFO.lpDesktop: nil is NULL, "", `D` or `S\D`
	// InheritHandles gives the child copies of the inheritable handles.
	InheritHandles bool
	Files          []*os.File // descriptors 0, 1, 2, …; the caller keeps its copies
	CompatXP       bool       // plain names of its objects are global ones (OBJ-14)
	Tag            string     // kept with the process, also over a restart of the daemon
	// Connect connects the process to its station at once, as the service
	// manager does (PC-3). StartProcess only.
	Connect bool
}
