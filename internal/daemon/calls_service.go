// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
)

func (s *Services) OpenSCManager(_ context.Context, c *Call, q *api.OpenSCManagerRequest) (*api.HandleReply, error) {
	return reply(s.SCM.OpenSCManager(c.Thread, *q))
}

func (s *Services) CreateService(_ context.Context, c *Call, q *api.CreateServiceRequest) (*api.HandleReply, error) {
	return reply(s.SCM.CreateService(c.Thread, *q))
}

func (s *Services) OpenService(_ context.Context, c *Call, q *api.OpenServiceRequest) (*api.HandleReply, error) {
	return reply(s.SCM.OpenService(c.Thread, *q))
}

func (s *Services) StartService(ctx context.Context, c *Call, q *api.StartServiceRequest) error {
	return s.SCM.StartService(ctx, c.Thread, *q)
}

func (s *Services) ControlService(ctx context.Context, c *Call, q *api.ControlServiceRequest) (*api.ServiceStatusReply, error) {
	return reply(s.SCM.ControlService(ctx, c.Thread, *q))
}

func (s *Services) QueryServiceStatus(_ context.Context, c *Call, q *api.HandleRequest) (*api.ServiceStatusReply, error) {
	return reply(s.SCM.QueryServiceStatus(c.Thread, *q))
}

func (s *Services) QueryServiceConfig(_ context.Context, c *Call, q *api.HandleRequest) (*api.ServiceConfigReply, error) {
	return reply(s.SCM.QueryServiceConfig(c.Thread, *q))
}

func (s *Services) EnumServicesStatus(_ context.Context, c *Call, q *api.HandleRequest) (*api.ServicesReply, error) {
	return reply(s.SCM.EnumServicesStatus(c.Thread, *q))
}

func (s *Services) DeleteService(_ context.Context, c *Call, q *api.HandleRequest) error {
	return s.SCM.DeleteService(c.Thread, *q)
}

func (s *Services) ServiceLog(ctx context.Context, c *Call, q *api.ServiceLogRequest) (*api.BytesReply, error) {
	return reply(s.SCM.ServiceLog(ctx, c.Thread, *q))
}

func (s *Services) StartServiceCtrlDispatcher(ctx context.Context, c *Call, q *api.DispatcherRequest) (*api.DispatcherReply, error) {
	return reply(s.SCM.StartServiceCtrlDispatcher(ctx, c.Thread, *q))
}

func (s *Services) SetServiceStatus(ctx context.Context, c *Call, q *api.SetServiceStatusRequest) error {
	return s.SCM.SetServiceStatus(ctx, c.Thread, *q)
}

func (s *Services) NextServiceControl(ctx context.Context, c *Call, q *api.NextControlRequest) (*api.NextControlReply, error) {
	return reply(s.SCM.NextServiceControl(ctx, c.Thread, *q))
}
