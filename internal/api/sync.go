// SPDX-License-Identifier: Apache-2.0

package api

import "stationmaster/win32"

var syncCalls = []Call{
	{800, "CreateEvent", "CreateEventEx", 0, of[CreateEventRequest](), of[OpenedReply](), "Creates an event, or opens the one of that name.", "OBJ-5,OBJ-6,OBJ-7,OBJ-8,OBJ-9,SYN-5"},
	{801, "OpenEvent", "OpenEvent", 0, of[OpenRequest](), of[HandleReply](), "Opens an event by name.", "OBJ-17,SE-50c"},
	{802, "SetEvent", "SetEvent", 0, of[HandleRequest](), nil, "Makes an event signaled.", "SYN-5"},
	{803, "ResetEvent", "ResetEvent", 0, of[HandleRequest](), nil, "Makes an event nonsignaled.", "SYN-5"},
	{804, "PulseEvent", "PulseEvent", 0, of[HandleRequest](), nil, "Lets those go who wait for an event now and leaves it nonsignaled.", "SYN-5"},
	{810, "CreateMutex", "CreateMutexEx", 0, of[CreateMutexRequest](), of[OpenedReply](), "Creates a mutex, or opens the one of that name.", "OBJ-8,SYN-6"},
	{811, "OpenMutex", "OpenMutex", 0, of[OpenRequest](), of[HandleReply](), "Opens a mutex by name.", "OBJ-17,SE-50c,SYN-7"},
	{812, "ReleaseMutex", "ReleaseMutex", 0, of[HandleRequest](), nil, "Gives a mutex back that the calling thread owns, once.", "SYN-6"},
	{820, "CreateSemaphore", "CreateSemaphoreEx", 0, of[CreateSemaphoreRequest](), of[OpenedReply](), "Creates a semaphore, or opens the one of that name.", "OBJ-8,SYN-9"},
	{821, "OpenSemaphore", "OpenSemaphore", 0, of[OpenRequest](), of[HandleReply](), "Opens a semaphore by name.", "OBJ-17,SE-50c"},
	{822, "ReleaseSemaphore", "ReleaseSemaphore", 0, of[ReleaseSemaphoreRequest](), of[CountReply](), "Adds to a semaphore's count and gives the count before.", "SYN-9"},
	{830, "CreateWaitableTimer", "CreateWaitableTimerEx", 0, of[CreateTimerRequest](), of[OpenedReply](), "Creates a timer that does not run, or opens the one of that name.", "OBJ-8,SYN-10"},
	{831, "OpenWaitableTimer", "OpenWaitableTimer", 0, of[OpenRequest](), of[HandleReply](), "Opens a timer by name.", "OBJ-17,SE-50c"},
	{832, "SetWaitableTimer", "SetWaitableTimer", 0, of[SetTimerRequest](), nil, "Starts a timer anew and makes it nonsignaled.", "SYN-10"},
	{833, "CancelWaitableTimer", "CancelWaitableTimer", 0, of[HandleRequest](), nil, "Stops a timer; whether it is signaled does not change.", "SYN-10"},
	{840, "CreateFileMapping", "CreateFileMapping", 0, of[CreateSectionRequest](), of[OpenedReply](), "Creates a section of memory, or opens the one of that name.", "OBJ-8,OBJ-11,SYN-11"},
	{841, "OpenFileMapping", "OpenFileMapping", 0, of[OpenRequest](), of[HandleReply](), "Opens a section by name.", "OBJ-17,SE-50c"},
	{842, "MapViewOfFile", "MapViewOfFile", GivesFiles, of[MapViewRequest](), of[MapViewReply](), "Gives the memory of a section as a descriptor to be mapped; it can write only when the request asks for that and the handle allows it.", "SYN-11,SYN-12"},
	{850, "CreateJobObject", "CreateJobObject", 0, of[CreateObjectRequest](), of[OpenedReply](), "Creates a job, or opens the one of that name.", "OBJ-8"},
	{851, "OpenJobObject", "OpenJobObject", 0, of[OpenRequest](), of[HandleReply](), "Opens a job by name.", "OBJ-17"},
	{852, "AssignProcessToJobObject", "AssignProcessToJobObject", 0, of[JobProcessRequest](), nil, "Makes a process a member of a job; what it starts from then on is a member too.", "SE-60"},
	{853, "TerminateJobObject", "TerminateJobObject", 0, of[TerminateJobRequest](), nil, "Ends every process of a job.", "SE-60"},
	{854, "IsProcessInJob", "IsProcessInJob", 0, of[JobProcessRequest](), of[BoolReply](), "Tells whether a process is in a job, or in any for job 0.", "SE-60"},
	{855, "QueryJobProcesses", "QueryInformationJobObject", 0, of[HandleRequest](), of[ProcessIDsReply](), "Lists the processes of a job.", "SE-60"},
	{860, "WaitForMultipleObjects", "WaitForMultipleObjects", Blocking, of[WaitManyRequest](), of[WaitReply](), "Waits until one object of up to 64 is signaled, or all are at once.", "SYN-1,SYN-2,SYN-3,SYN-4,SYN-8"},
	{861, "SignalObjectAndWait", "SignalObjectAndWait", Blocking, of[SignalAndWaitRequest](), of[WaitReply](), "Sets an event, releases a mutex or adds one to a semaphore, and waits for another object in the same breath.", "SYN-14"},
	{870, "CreatePrivateNamespace", "CreatePrivateNamespace", 0, of[PrivateNamespaceRequest](), of[HandleReply](), "Makes a private namespace, whose objects the process calls alias\\name.", "OBJ-15"},
	{871, "OpenPrivateNamespace", "OpenPrivateNamespace", 0, of[PrivateNamespaceRequest](), of[HandleReply](), "Opens the private namespace of a boundary.", "OBJ-15"},
	{872, "ClosePrivateNamespace", "ClosePrivateNamespace", 0, of[CloseNamespaceRequest](), nil, "Closes a private namespace and forgets its alias; with Destroy nobody can open it any more.", "OBJ-15"},
	{880, "CreateDirectoryObject", "", 0, of[CreateTreeRequest](), of[OpenedReply](), "Makes a directory of the object tree, or opens it (NtCreateDirectoryObject).", "OBJ-1,OBJ-4,OBJ-10"},
	{881, "OpenDirectoryObject", "", 0, of[OpenRequest](), of[HandleReply](), "Opens a directory of the object tree by its path (NtOpenDirectoryObject).", "OBJ-1,OBJ-4"},
	{882, "CreateSymbolicLinkObject", "", 0, of[CreateTreeRequest](), of[OpenedReply](), "Makes a link of the object tree, or opens it (NtCreateSymbolicLinkObject).", "OBJ-7,OBJ-10,OBJ-11"},
	{883, "OpenSymbolicLinkObject", "", 0, of[OpenRequest](), of[HandleReply](), "Opens a link of the object tree itself (NtOpenSymbolicLinkObject).", "OBJ-1"},
	{884, "QuerySymbolicLinkObject", "", 0, of[HandleRequest](), of[LinkTargetReply](), "Gives where a link leads (NtQuerySymbolicLinkObject).", "OBJ-3"},
	{885, "SetPermanentObject", "", 0, of[SetPermanentRequest](), nil, "Makes a directory or link stay without handles, or go with its last one (NtMakePermanentObject, NtMakeTemporaryObject).", "OBJ-10"},
	{890, "CompareObjectHandles", "CompareObjectHandles", 0, of[CompareHandlesRequest](), of[BoolReply](), "Tells whether two handles refer to the same object.", "HND-11"},
	{891, "QueryObject", "", 0, of[HandleRequest](), of[QueryObjectReply](), "Tells type, name, rights and handle count of the object behind a handle (NtQueryObject).", "UO-17"},
	{892, "OpenThread", "OpenThread", 0, of[OpenThreadRequest](), of[HandleReply](), "Opens a thread, which is a connection, by its ID.", "HND-14"},
	{893, "GetKernelObjectSecurity", "GetKernelObjectSecurity", 0, of[SecurityRequest](), of[BytesReply](), "Gives parts of the security descriptor of any object, self-relative.", "SE-63"},
	{894, "SetKernelObjectSecurity", "SetKernelObjectSecurity", 0, of[SetSecurityRequest](), nil, "Replaces parts of the security descriptor of any object; open handles keep their rights.", "SE-63"},
}

// CreateObjectRequest makes an object that has nothing but a name.
type CreateObjectRequest struct {
	Name       string           // empty: no name
	Access     win32.AccessMask // 0: the type's ALL access
	Inherit    bool
	Descriptor []byte // self-relative; empty for the default
}

type CreateEventRequest struct {
	Name       string           // empty: no name
	Access     win32.AccessMask // 0: EVENT_ALL_ACCESS
	Inherit    bool
	Descriptor []byte // self-relative; empty for the default
	Manual     bool   // stays signaled until it is reset
	Initial    bool   // signaled from the start
}

type CreateMutexRequest struct {
	Name       string           // empty: no name
	Access     win32.AccessMask // 0: MUTEX_ALL_ACCESS
	Inherit    bool
	Descriptor []byte // self-relative; empty for the default
	Owned      bool   // the calling thread owns it if it is new
}

type CreateSemaphoreRequest struct {
	Name       string           // empty: no name
	Access     win32.AccessMask // 0: SEMAPHORE_ALL_ACCESS
	Inherit    bool
	Descriptor []byte // self-relative; empty for the default
	Initial    int32
	Maximum    int32
}

type ReleaseSemaphoreRequest struct {
	Handle win32.Handle
	Count  int32
}

type CountReply struct{ Previous int32 }

type CreateTimerRequest struct {
	Name       string           // empty: no name
	Access     win32.AccessMask // 0: TIMER_ALL_ACCESS
	Inherit    bool
	Descriptor []byte // self-relative; empty for the default
	Manual     bool   // stays signaled until it is set again
}

type SetTimerRequest struct {
	Handle win32.Handle
	Due    int64 // units of 100 ns; negative: from now, else since 1601 in UTC
	Period int32 // milliseconds; 0: once
}

type CreateSectionRequest struct {
	Name       string // empty: no name
	Inherit    bool
	Descriptor []byte // self-relative; empty for the default
	Protect    uint32 // PAGE_READWRITE and its like; decides the handle's rights
	Size       uint64 // bytes
}

// MapViewRequest names by SECTION_MAP bits what the view is for.
type MapViewRequest struct {
	Handle win32.Handle
	Access win32.AccessMask
}

// MapViewReply comes with one descriptor.
type MapViewReply struct{ Size uint64 }

type JobProcessRequest struct {
	Job     win32.Handle
	Process win32.Handle
}

type TerminateJobRequest struct {
	Job      win32.Handle
	ExitCode uint32
}

type BoolReply struct{ Value bool }
type ProcessIDsReply struct{ ProcessIDs []uint32 }

type WaitManyRequest struct {
	Handles []win32.Handle
	All     bool
	Millis  uint32 // 0xFFFFFFFF: for ever
}

type SignalAndWaitRequest struct {
	Signal win32.Handle
	Wait   win32.Handle
	Millis uint32
}

// PrivateNamespaceRequest names a boundary: its name and SIDs together are the
// identity of the namespace. The label of an integrity level means at least
// that level.
type PrivateNamespaceRequest struct {
	Boundary   string
	SIDs       []string
	Alias      string // what the process calls it
	Inherit    bool   // CreatePrivateNamespace only
	Descriptor []byte // CreatePrivateNamespace only
}

type CloseNamespaceRequest struct {
	Handle  win32.Handle
	Destroy bool
}

type CreateTreeRequest struct {
	Path       string // absolute, such as \BaseNamedObjects\x
	Target     string // of a link: an absolute path
	Access     win32.AccessMask
	Inherit    bool
	Descriptor []byte
	Permanent  bool // needs SeCreatePermanentPrivilege
}

type LinkTargetReply struct{ Target string }

type SetPermanentRequest struct {
	Handle    win32.Handle
	Permanent bool
}

type CompareHandlesRequest struct {
	First  win32.Handle
	Second win32.Handle
}

type QueryObjectReply struct {
	Type    string
	Name    string // path in the object tree, empty for none
	Access  win32.AccessMask
	Flags   uint32
	Handles uint32
}

type OpenThreadRequest struct {
	ThreadID uint32
	Access   win32.AccessMask
	Inherit  bool
}
