// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

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

func (s *Services) OpenWindowStation(_ context.Context, c *Call, q *api.OpenRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenWindowStation(q.Name, q.Access, q.Inherit))
}

func (s *Services) CloseWindowStation(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CloseWindowStation(q.Handle)
}

func (s *Services) EnumWindowStations(_ context.Context, c *Call) (*api.NamesReply, error) {
	names, err := c.Thread.EnumWindowStations()
	return &api.NamesReply{Names: names}, err
}

func (s *Services) GetProcessWindowStation(_ context.Context, c *Call) (*api.HandleReply, error) {
	return handle(c.Thread.ProcessWindowStation())
}

func (s *Services) SetProcessWindowStation(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SetProcessWindowStation(q.Handle)
}

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

func (s *Services) OpenDesktop(_ context.Context, c *Call, q *api.OpenDesktopRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenDesktop(q.Name, q.Flags, q.Access, q.Inherit))
}

func (s *Services) OpenInputDesktop(_ context.Context, c *Call, q *api.OpenDesktopRequest) (*api.HandleReply, error) {
	return handle(c.Thread.OpenInputDesktop(q.Flags, q.Access, q.Inherit))
}

func (s *Services) CloseDesktop(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CloseDesktop(q.Handle)
}

func (s *Services) EnumDesktops(_ context.Context, c *Call, q *api.HandleRequest) (*api.NamesReply, error) {
	names, err := c.Thread.EnumDesktops(q.Handle)
	return &api.NamesReply{Names: names}, err
}

func (s *Services) GetThreadDesktop(_ context.Context, c *Call, q *api.ThreadRequest) (*api.HandleReply, error) {
	return handle(c.Thread.ThreadDesktop(q.ThreadID))
}

func (s *Services) SetThreadDesktop(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SetThreadDesktop(q.Handle)
}

func (s *Services) SwitchDesktop(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.SwitchDesktop(q.Handle)
}

func (s *Services) GetUserObjectInformation(_ context.Context, c *Call, q *api.IndexRequest) (*api.BytesReply, error) {
	return data(c.Thread.UserObjectInformation(q.Handle, q.Index))
}

func (s *Services) SetUserObjectInformation(_ context.Context, c *Call, q *api.SetIndexRequest) error {
	return c.Thread.SetUserObjectInformation(q.Handle, q.Index, q.Data)
}

func (s *Services) GetUserObjectSecurity(_ context.Context, c *Call, q *api.SecurityRequest) (*api.BytesReply, error) {
	sd, err := c.Thread.UserObjectSecurity(q.Handle, q.Parts)
	if err != nil {
		return nil, err
	}
	return &api.BytesReply{Data: sd.Bytes()}, nil
}

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

func (s *Services) IsGUIThread(_ context.Context, c *Call) error { return c.Thread.Connect() }

func (s *Services) CloseHandle(_ context.Context, c *Call, q *api.HandleRequest) error {
	return c.Thread.CloseHandle(q.Handle)
}

func (s *Services) DuplicateHandle(_ context.Context, c *Call, q *api.DuplicateHandleRequest) (*api.HandleReply, error) {
	return handle(c.Thread.DuplicateHandle(q.SourceProcess, q.Source, q.TargetProcess, q.Access, q.Inherit, q.Options))
}

func (s *Services) GetHandleInformation(_ context.Context, c *Call, q *api.HandleRequest) (*api.FlagsReply, error) {
	flags, err := c.Thread.HandleInformation(q.Handle)
	return &api.FlagsReply{Flags: flags}, err
}

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
