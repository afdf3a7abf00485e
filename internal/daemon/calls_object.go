// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// CreateWindowStation creates a window station of the caller's session, or opens an existing one.
// Win32: CreateWindowStation. Rules: WS-12, WS-15, WS-16, WS-20, WS-21, WS-22, WS-23, WS-24.
func (s *Services) CreateWindowStation(_ context.Context, c *Call, q *api.CreateWindowStationRequest) (*api.OpenedReply, error) {
	sd, err := descriptor("CreateWindowStation", q.Descriptor)
	if err != nil {
		return nil, err
	}
	h, existed, err := c.Thread.CreateWindowStation(q.Name, q.Flags, q.Access, &station.SecurityAttributes{Descriptor: sd, Inherit: q.Inherit})
	if err != nil {
		return nil, err
	}
	return &api.OpenedReply{Handle: h, Existed: existed}, nil
}

// OpenWindowStation opens a window station of the caller's session. Win32: OpenWindowStation.
// Rules: WS-14, WS-30.
func (s *Services) OpenWindowStation(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenWindowStation(q.Name, q.Access, q.Inherit))
}

// CloseWindowStation closes a window-station handle; the process's own is refused. Win32:
// CloseWindowStation. Rules: WS-37, WS-39, WS-40.
func (s *Services) CloseWindowStation(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CloseWindowStation(q.Handle)
}

// EnumWindowStations lists the window stations of the session that the caller may enumerate.
// Win32: EnumWindowStations. Rules: WS-31.
func (s *Services) EnumWindowStations(_ context.Context, c *Call) (*api.NamesReply, error) {
	names, err := c.Thread.EnumWindowStations()
	return &api.NamesReply{Names: names}, err
}

// GetProcessWindowStation gives the process's window-station handle, connecting the process first
// if needed. Win32: GetProcessWindowStation. Rules: WS-33, PC-2.
func (s *Services) GetProcessWindowStation(_ context.Context, c *Call) (*api.HandleReply, error) {
	return handle(c.Thread.ProcessWindowStation())
}

// SetProcessWindowStation assigns a window station to the calling process. Win32:
// SetProcessWindowStation. Rules: WS-34, WS-35, WS-36.
func (s *Services) SetProcessWindowStation(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SetProcessWindowStation(q.Handle)
}

// CreateDesktop creates a desktop in the process's window station, or opens an existing one.
// Win32: CreateDesktopEx. Rules: DT-14, DT-15, DT-16, DT-17, DT-18, DT-24.
func (s *Services) CreateDesktop(_ context.Context, c *Call, q *api.CreateDesktopRequest) (*api.OpenedReply, error) {
	sd, err := descriptor("CreateDesktopEx", q.Descriptor)
	if err != nil {
		return nil, err
	}
	h, existed, err := c.Thread.CreateDesktop(station.DesktopOptions{
		Name: q.Name, Flags: q.Flags, Access: q.Access, HeapKB: q.HeapKB, Inherit: q.Inherit, Descriptor: sd,
		Surface: q.Surface, Width: int(q.Width), Height: int(q.Height),
	})
	if err != nil {
		return nil, err
	}
	return &api.OpenedReply{Handle: h, Existed: existed}, nil
}

// OpenDesktop opens a desktop of the process's window station. Win32: OpenDesktop. Rules: DT-13,
// DT-29.
func (s *Services) OpenDesktop(_ context.Context, c *Call, q *api.OpenDesktopRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenDesktop(q.Name, q.Flags, q.Access, q.Inherit))
}

// OpenInputDesktop opens the desktop that receives the session's input. Win32: OpenInputDesktop.
// Rules: DT-44, DT-45.
func (s *Services) OpenInputDesktop(_ context.Context, c *Call, q *api.OpenDesktopRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenInputDesktop(q.Flags, q.Access, q.Inherit))
}

// CloseDesktop closes a desktop handle that no thread of the process uses. Win32: CloseDesktop.
// Rules: DT-39, DT-41.
func (s *Services) CloseDesktop(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CloseDesktop(q.Handle)
}

// EnumDesktops lists the desktops of a window station; handle 0 is the process's own station.
// Win32: EnumDesktops. Rules: DT-30, DT-31.
func (s *Services) EnumDesktops(_ context.Context, c *Call, q *api.HandleRequest) (*api.NamesReply, error) {
	names, err := c.Thread.EnumDesktops(q.Handle)
	return &api.NamesReply{Names: names}, err
}

// GetThreadDesktop gives the desktop handle of a thread; thread 0 is not the caller but an error.
// Win32: GetThreadDesktop. Rules: DT-33.
func (s *Services) GetThreadDesktop(_ context.Context, c *Call, q *api.ThreadRequest) (*api.HandleReply, error) {
	return handle(c.Thread.ThreadDesktop(q.ThreadID))
}

// SetThreadDesktop assigns a desktop to the calling thread. Win32: SetThreadDesktop. Rules: DT-34,
// DT-37.
func (s *Services) SetThreadDesktop(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SetThreadDesktop(q.Handle)
}

// SwitchDesktop makes a desktop the active one of its session. Win32: SwitchDesktop. Rules: DT-46,
// DT-48.
func (s *Services) SwitchDesktop(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SwitchDesktop(q.Handle)
}

// GetUserObjectInformation gives facts about a station or desktop handle; names are UTF-16LE with
// a terminator. Win32: GetUserObjectInformation. Rules: UO-1, UO-7, UO-12.
func (s *Services) GetUserObjectInformation(_ context.Context, c *Call, q *api.IndexRequest) (*api.BytesReply, error) {
	return data(c.Thread.UserObjectInformation(q.Handle, q.Index))
}

// SetUserObjectInformation sets the flags of a station or desktop handle. Win32:
// SetUserObjectInformation. Rules: UO-13, UO-14.
func (s *Services) SetUserObjectInformation(_ context.Context, c *Call, q *api.SetIndexRequest) error {
	return c.Thread.SetUserObjectInformation(q.Handle, q.Index, q.Data)
}

// GetUserObjectSecurity gives parts of an object's security descriptor, self-relative. Win32:
// GetUserObjectSecurity. Rules: UO-15.
func (s *Services) GetUserObjectSecurity(_ context.Context, c *Call, q *api.SecurityRequest) (*api.BytesReply, error) {
	sd, err := c.Thread.UserObjectSecurity(q.Handle, q.Parts)
	if err != nil {
		return nil, err
	}
	return &api.BytesReply{Data: sd.Bytes()}, nil
}

// SetUserObjectSecurity replaces parts of an object's security descriptor; open handles keep their
// rights. Win32: SetUserObjectSecurity. Rules: UO-16.
func (s *Services) SetUserObjectSecurity(_ context.Context, c *Call, q *api.SetSecurityRequest) error {
	const op = "SetUserObjectSecurity"
	sd, err := descriptor(op, q.Descriptor)
	if err != nil {
		return err
	}
	if sd == nil {
		return &win32.Error{Op: op, Code: win32.ERROR_INVALID_SECURITY_DESCR, Rule: "UO-16"}
	}
	return c.Thread.SetUserObjectSecurity(q.Handle, q.Parts, sd)
}

// IsGUIThread connects the process to its window station and the thread to its desktop. Win32:
// IsGUIThread. Rules: PC-1, PC-2, TC-1.
func (s *Services) IsGUIThread(_ context.Context, c *Call) error { return c.Thread.Connect() }

// CloseHandle closes a handle. Win32: CloseHandle. Rules: HND-2, HND-3, WS-38, DT-40.
func (s *Services) CloseHandle(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CloseHandle(q.Handle)
}

// DuplicateHandle copies a handle within or between processes. Win32: DuplicateHandle. Rules:
// HN-4, HND-6.
func (s *Services) DuplicateHandle(_ context.Context, c *Call, q *api.DuplicateHandleRequest) (*api.HandleReply, error) {
	return handle(c.Thread.DuplicateHandle(q.SourceProcess, q.Source, q.TargetProcess, q.Access, q.Inherit, q.Options))
}

// GetHandleInformation gives a handle's flags. Win32: GetHandleInformation. Rules: HN-3.
func (s *Services) GetHandleInformation(_ context.Context, c *Call, q *api.HandleRequest) (*api.FlagsReply, error) {
	flags, err := c.Thread.HandleInformation(q.Handle)
	return &api.FlagsReply{Flags: flags}, err
}

// SetHandleInformation sets a handle's flags. Win32: SetHandleInformation. Rules: HN-3.
func (s *Services) SetHandleInformation(_ context.Context, c *Call, q *api.SetHandleInformationRequest) error {
	return c.Thread.SetHandleInformation(q.Handle, q.Mask, q.Flags)
}

// descriptor parses a self-relative descriptor; no bytes are no descriptor.
func descriptor(op string, b []byte) (*security.Descriptor, error) {
	if len(b) == 0 {
		return nil, nil
	}
	sd, err := security.ParseDescriptor(b)
	if err != nil {
		return nil, &win32.Error{Op: op, Object: "security descriptor", Code: win32.Code(err)}
	}
	return sd, nil
}

func handle(h win32.Handle, err error) (*api.HandleReply, error) {
	return &api.HandleReply{Handle: h}, err
}

func data(b []byte, err error) (*api.BytesReply, error) { return &api.BytesReply{Data: b}, err }
