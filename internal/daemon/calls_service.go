// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"stationmaster/internal/api"
)

// OpenSCManager opens the service database. Win32: OpenSCManager. Rules: SCM-7, SE-61.
func (s *Services) OpenSCManager(_ context.Context, c *Call, q *api.OpenSCManagerRequest) (*api.HandleReply, error) {
	return reply(s.SCM.OpenSCManager(c.Thread, *q))
}

// CreateService adds a service to the database. Win32: CreateService. Rules: SCM-1, SCM-2, SCM-3,
// SCM-5, SCM-6.
func (s *Services) CreateService(_ context.Context, c *Call, q *api.CreateServiceRequest) (*api.HandleReply, error) {
	return reply(s.SCM.CreateService(c.Thread, *q))
}

// OpenService opens a service. Win32: OpenService. Rules: SCM-8.
func (s *Services) OpenService(_ context.Context, c *Call, q *api.OpenServiceRequest) (*api.HandleReply, error) {
	return reply(s.SCM.OpenService(c.Thread, *q))
}

// StartService starts a service; returns when its main has been called, not when it runs. Win32:
// StartService. Rules: SCM-26.
func (s *Services) StartService(ctx context.Context, c *Call, q *api.StartServiceRequest) error {
	return s.SCM.StartService(ctx, c.Thread, *q)
}

// ControlService sends a control to a service. Win32: ControlService. Rules: SCM-19, SCM-21,
// SCM-22, SCM-23.
func (s *Services) ControlService(ctx context.Context, c *Call, q *api.ControlServiceRequest) (*api.ServiceStatusReply, error) {
	return reply(s.SCM.ControlService(ctx, c.Thread, *q))
}

// QueryServiceStatus gives a service's status. Win32: QueryServiceStatusEx. Rules: SCM-18, SCM-30.
func (s *Services) QueryServiceStatus(_ context.Context, c *Call, q *api.HandleRequest) (*api.ServiceStatusReply, error) {
	return reply(s.SCM.QueryServiceStatus(c.Thread, *q))
}

// QueryServiceConfig gives a service's configuration. Win32: QueryServiceConfig.
func (s *Services) QueryServiceConfig(_ context.Context, c *Call, q *api.HandleRequest) (*api.ServiceConfigReply, error) {
	return reply(s.SCM.QueryServiceConfig(c.Thread, *q))
}

// EnumServicesStatus lists the services that the caller may query. Win32: EnumServicesStatusEx.
// Rules: SCM-39.
func (s *Services) EnumServicesStatus(_ context.Context, c *Call, q *api.HandleRequest) (*api.ServicesReply, error) {
	return reply(s.SCM.EnumServicesStatus(c.Thread, *q))
}

// DeleteService marks a service for deletion. Win32: DeleteService. Rules: SCM-9.
func (s *Services) DeleteService(_ context.Context, c *Call, q *api.HandleRequest) error {
	return s.SCM.DeleteService(c.Thread, *q)
}

// ServiceLog gives the last lines a service's program wrote to its standard output and error.
func (s *Services) ServiceLog(ctx context.Context, c *Call, q *api.ServiceLogRequest) (*api.BytesReply, error) {
	return reply(s.SCM.ServiceLog(ctx, c.Thread, *q))
}

// StartServiceCtrlDispatcher connects a service process to the service manager and waits for the
// service to start. Win32: StartServiceCtrlDispatcher. Rules: SCM-28.
func (s *Services) StartServiceCtrlDispatcher(ctx context.Context, c *Call, q *api.DispatcherRequest) (*api.DispatcherReply, error) {
	return reply(s.SCM.StartServiceCtrlDispatcher(ctx, c.Thread, *q))
}

// SetServiceStatus reports a service's status. Win32: SetServiceStatus. Rules: SCM-18.
func (s *Services) SetServiceStatus(ctx context.Context, c *Call, q *api.SetServiceStatusRequest) error {
	return s.SCM.SetServiceStatus(ctx, c.Thread, *q)
}

// NextServiceControl waits for the next control of a service; asking again says that the last one
// was handled. Win32: HandlerEx. Rules: SCM-20, SCM-21, NTF-2.
func (s *Services) NextServiceControl(ctx context.Context, c *Call, q *api.NextControlRequest) (*api.NextControlReply, error) {
	return reply(s.SCM.NextServiceControl(ctx, c.Thread, *q))
}
