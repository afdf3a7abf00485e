// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// options are what the creating calls have in common.
func options(op, name string, access win32.AccessMask, inherit bool, sd []byte) (station.NamedOptions, error) {
	d, err := descriptor(op, sd)
	return station.NamedOptions{Name: name, Access: access, Inherit: inherit, Descriptor: d}, err
}

func opened(h win32.Handle, existed bool, err error) (*api.OpenedReply, error) {
	return &api.OpenedReply{Handle: h, Existed: existed}, err
}

// CreateEvent creates an event, or opens the one of that name. Win32: CreateEventEx.
func (s *Services) CreateEvent(_ context.Context, c *Call, q *api.CreateEventRequest) (*api.OpenedReply, error) {
	o, err := options("CreateEvent", q.Name, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateEvent(o, q.Manual, q.Initial))
}

// OpenEvent opens an event by name. Win32: OpenEvent.
func (s *Services) OpenEvent(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenEvent(q.Name, q.Access, q.Inherit))
}

// SetEvent makes an event signaled. Win32: SetEvent.
func (s *Services) SetEvent(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SetEvent(q.Handle)
}

// ResetEvent makes an event nonsignaled. Win32: ResetEvent.
func (s *Services) ResetEvent(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.ResetEvent(q.Handle)
}

// PulseEvent lets those go who wait for an event now. Win32: PulseEvent.
func (s *Services) PulseEvent(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.PulseEvent(q.Handle)
}

// CreateMutex creates a mutex, or opens the one of that name. Win32: CreateMutexEx.
func (s *Services) CreateMutex(_ context.Context, c *Call, q *api.CreateMutexRequest) (*api.OpenedReply, error) {
	o, err := options("CreateMutex", q.Name, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateMutex(o, q.Owned))
}

// OpenMutex opens a mutex by name. Win32: OpenMutex.
func (s *Services) OpenMutex(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenMutex(q.Name, q.Access, q.Inherit))
}

// ReleaseMutex gives a mutex back once. Win32: ReleaseMutex.
func (s *Services) ReleaseMutex(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.ReleaseMutex(q.Handle)
}

// CreateSemaphore creates a semaphore, or opens the one of that name. Win32: CreateSemaphoreEx.
func (s *Services) CreateSemaphore(_ context.Context, c *Call, q *api.CreateSemaphoreRequest) (*api.OpenedReply, error) {
	o, err := options("CreateSemaphore", q.Name, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateSemaphore(o, q.Initial, q.Maximum))
}

// OpenSemaphore opens a semaphore by name. Win32: OpenSemaphore.
func (s *Services) OpenSemaphore(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenSemaphore(q.Name, q.Access, q.Inherit))
}

// ReleaseSemaphore adds to a semaphore's count. Win32: ReleaseSemaphore.
func (s *Services) ReleaseSemaphore(_ context.Context, c *Call, q *api.ReleaseSemaphoreRequest) (*api.CountReply, error) {
	n, err := c.Thread.ReleaseSemaphore(q.Handle, q.Count)
	return &api.CountReply{Previous: n}, err
}

// CreateWaitableTimer creates a timer, or opens the one of that name. Win32: CreateWaitableTimerEx.
func (s *Services) CreateWaitableTimer(_ context.Context, c *Call, q *api.CreateTimerRequest) (*api.OpenedReply, error) {
	o, err := options("CreateWaitableTimer", q.Name, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateWaitableTimer(o, q.Manual))
}

// OpenWaitableTimer opens a timer by name. Win32: OpenWaitableTimer.
func (s *Services) OpenWaitableTimer(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenWaitableTimer(q.Name, q.Access, q.Inherit))
}

// SetWaitableTimer starts a timer anew. Win32: SetWaitableTimer.
func (s *Services) SetWaitableTimer(_ context.Context, c *Call, q *api.SetTimerRequest) error {
	return c.Thread.SetWaitableTimer(q.Handle, q.Due, q.Period)
}

// CancelWaitableTimer stops a timer. Win32: CancelWaitableTimer.
func (s *Services) CancelWaitableTimer(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CancelWaitableTimer(q.Handle)
}

// CreateFileMapping creates a section of memory, or opens the one of that name. Win32: CreateFileMapping.
func (s *Services) CreateFileMapping(_ context.Context, c *Call, q *api.CreateSectionRequest) (*api.OpenedReply, error) {
	o, err := options("CreateFileMapping", q.Name, 0, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateFileMapping(o, q.Protect, q.Size))
}

// OpenFileMapping opens a section by name. Win32: OpenFileMapping.
func (s *Services) OpenFileMapping(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenFileMapping(q.Name, q.Access, q.Inherit))
}

// MapViewOfFile gives the memory of a section to be mapped. Win32: MapViewOfFile.
func (s *Services) MapViewOfFile(_ context.Context, c *Call, q *api.MapViewRequest) (*api.MapViewReply, error) {
	f, size, err := c.Thread.MapViewOfFile(q.Handle, q.Access)
	if err != nil {
		return nil, err
	}
	c.Give(f)
	return &api.MapViewReply{Size: size}, nil
}

// CreateJobObject creates a job, or opens the one of that name. Win32: CreateJobObject.
func (s *Services) CreateJobObject(_ context.Context, c *Call, q *api.CreateObjectRequest) (*api.OpenedReply, error) {
	o, err := options("CreateJobObject", q.Name, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateJobObject(o))
}

// OpenJobObject opens a job by name. Win32: OpenJobObject.
func (s *Services) OpenJobObject(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenJobObject(q.Name, q.Access, q.Inherit))
}

// AssignProcessToJobObject makes a process a member of a job. Win32: AssignProcessToJobObject.
func (s *Services) AssignProcessToJobObject(_ context.Context, c *Call, q *api.JobProcessRequest) error {
	return c.Thread.AssignProcessToJob(q.Job, q.Process)
}

// TerminateJobObject ends every process of a job. Win32: TerminateJobObject.
func (s *Services) TerminateJobObject(_ context.Context, c *Call, q *api.TerminateJobRequest) error {
	return c.Thread.TerminateJob(q.Job, q.ExitCode)
}

// IsProcessInJob tells whether a process is in a job. Win32: IsProcessInJob.
func (s *Services) IsProcessInJob(_ context.Context, c *Call, q *api.JobProcessRequest) (*api.BoolReply, error) {
	in, err := c.Thread.IsProcessInJob(q.Process, q.Job)
	return &api.BoolReply{Value: in}, err
}

// QueryJobProcesses lists the processes of a job. Win32: QueryInformationJobObject.
func (s *Services) QueryJobProcesses(_ context.Context, c *Call, q *api.HandleRequest) (*api.ProcessIDsReply, error) {
	ids, err := c.Thread.JobProcesses(q.Handle)
	return &api.ProcessIDsReply{ProcessIDs: ids}, err
}

// WaitForMultipleObjects waits until one object of several is signaled, or all are. Win32:
// WaitForMultipleObjects.
func (s *Services) WaitForMultipleObjects(ctx context.Context, c *Call, q *api.WaitManyRequest) (*api.WaitReply, error) {
	r, err := c.Thread.WaitForMultipleObjects(ctx, q.Handles, q.All, q.Millis)
	return &api.WaitReply{Result: r}, err
}

// SignalObjectAndWait signals one object and waits for another in the same breath. Win32:
// SignalObjectAndWait.
func (s *Services) SignalObjectAndWait(ctx context.Context, c *Call, q *api.SignalAndWaitRequest) (*api.WaitReply, error) {
	r, err := c.Thread.SignalObjectAndWait(ctx, q.Signal, q.Wait, q.Millis)
	return &api.WaitReply{Result: r}, err
}

// boundary reads the SIDs of a boundary.
func (s *Services) boundary(op string, q *api.PrivateNamespaceRequest) (station.Boundary, error) {
	b := station.Boundary{Name: q.Boundary}
	for _, text := range q.SIDs {
		sid, err := security.ParseSID(text)
		if err != nil {
			return b, &win32.Error{Op: op, Object: text, Code: win32.ERROR_INVALID_SID, Rule: "OBJ-15"}
		}
		b.SIDs = append(b.SIDs, sid)
	}
	return b, nil
}

// CreatePrivateNamespace makes a private namespace. Win32: CreatePrivateNamespace.
func (s *Services) CreatePrivateNamespace(_ context.Context, c *Call, q *api.PrivateNamespaceRequest) (*api.HandleReply, error) {
	const op = "CreatePrivateNamespace"
	b, err := s.boundary(op, q)
	if err != nil {
		return nil, err
	}
	sd, err := descriptor(op, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return handle(c.Thread.CreatePrivateNamespace(b, q.Alias, &station.SecurityAttributes{Descriptor: sd, Inherit: q.Inherit}))
}

// OpenPrivateNamespace opens the private namespace of a boundary. Win32: OpenPrivateNamespace.
func (s *Services) OpenPrivateNamespace(_ context.Context, c *Call, q *api.PrivateNamespaceRequest) (*api.HandleReply, error) {
	b, err := s.boundary("OpenPrivateNamespace", q)
	if err != nil {
		return nil, err
	}
	return handle(c.Thread.OpenPrivateNamespace(b, q.Alias))
}

// ClosePrivateNamespace closes a private namespace. Win32: ClosePrivateNamespace.
func (s *Services) ClosePrivateNamespace(_ context.Context, c *Call, q *api.CloseNamespaceRequest) error {
	return c.Thread.ClosePrivateNamespace(q.Handle, q.Destroy)
}

// CreateDirectoryObject makes a directory of the object tree, or opens it.
func (s *Services) CreateDirectoryObject(_ context.Context, c *Call, q *api.CreateTreeRequest) (*api.OpenedReply, error) {
	o, err := options("NtCreateDirectoryObject", q.Path, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateDirectoryObject(o, q.Permanent))
}

// OpenDirectoryObject opens a directory of the object tree.
func (s *Services) OpenDirectoryObject(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenDirectoryObject(q.Name, q.Access, q.Inherit))
}

// CreateSymbolicLinkObject makes a link of the object tree, or opens it.
func (s *Services) CreateSymbolicLinkObject(_ context.Context, c *Call, q *api.CreateTreeRequest) (*api.OpenedReply, error) {
	o, err := options("NtCreateSymbolicLinkObject", q.Path, q.Access, q.Inherit, q.Descriptor)
	if err != nil {
		return nil, err
	}
	return opened(c.Thread.CreateSymbolicLink(o, q.Target, q.Permanent))
}

// OpenSymbolicLinkObject opens a link of the object tree itself.
func (s *Services) OpenSymbolicLinkObject(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenSymbolicLink(q.Name, q.Access, q.Inherit))
}

// QuerySymbolicLinkObject gives where a link leads.
func (s *Services) QuerySymbolicLinkObject(_ context.Context, c *Call, q *api.HandleRequest) (*api.LinkTargetReply, error) {
	target, err := c.Thread.SymbolicLinkTarget(q.Handle)
	return &api.LinkTargetReply{Target: target}, err
}

// SetPermanentObject makes a directory or link stay without handles, or not.
func (s *Services) SetPermanentObject(_ context.Context, c *Call, q *api.SetPermanentRequest) error {
	return c.Thread.SetPermanent(q.Handle, q.Permanent)
}

// CompareObjectHandles tells whether two handles refer to the same object. Win32: CompareObjectHandles.
func (s *Services) CompareObjectHandles(_ context.Context, c *Call, q *api.CompareHandlesRequest) (*api.BoolReply, error) {
	same, err := c.Thread.CompareObjectHandles(q.First, q.Second)
	return &api.BoolReply{Value: same}, err
}

// QueryObject tells type, name, rights and handle count of the object behind a handle.
func (s *Services) QueryObject(_ context.Context, c *Call, q *api.HandleRequest) (*api.QueryObjectReply, error) {
	i, err := c.Thread.QueryObject(q.Handle)
	return &api.QueryObjectReply{Type: i.Type, Name: i.Name, Access: i.Access, Flags: i.Flags, Handles: uint32(max(i.Handles, 0))}, err
}

// OpenThread opens a thread, which is a connection, by its ID. Win32: OpenThread.
func (s *Services) OpenThread(_ context.Context, c *Call, q *api.OpenThreadRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenThread(q.ThreadID, q.Access, q.Inherit))
}

// GetKernelObjectSecurity gives parts of the descriptor of any object. Win32: GetKernelObjectSecurity.
func (s *Services) GetKernelObjectSecurity(_ context.Context, c *Call, q *api.SecurityRequest) (*api.BytesReply, error) {
	sd, err := c.Thread.KernelObjectSecurity(q.Handle, q.Parts)
	if err != nil {
		return nil, err
	}
	return &api.BytesReply{Data: sd.Bytes()}, nil
}

// SetKernelObjectSecurity replaces parts of the descriptor of any object. Win32:
// SetKernelObjectSecurity.
func (s *Services) SetKernelObjectSecurity(_ context.Context, c *Call, q *api.SetSecurityRequest) error {
	const op = "SetKernelObjectSecurity"
	sd, err := descriptor(op, q.Descriptor)
	if err != nil {
		return err
	}
	if sd == nil {
		return &win32.Error{Op: op, Code: win32.ERROR_INVALID_SECURITY_DESCR, Rule: "SE-63"}
	}
	return c.Thread.SetKernelObjectSecurity(q.Handle, q.Parts, sd)
}
