// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// OfService names the service in the path.
type OfService struct {
	SignedIn
	Name string `path:"name" maxLength:"256" doc:"Service name."`
}

type startInput struct {
	OfService
	Body *struct {
		Args []string `json:"args,omitempty" maxItems:"4096"`
	}
}

type serviceLogInput struct {
	OfService
	Bytes uint32 `query:"bytes" default:"65536" maximum:"1048576" doc:"At most so many."`
}

type textOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *Server) registerServices() {
	const tag = "Services"
	register(s, http.MethodGet, "/v1/services", "listServices", tag, "List the services the caller may query",
		func(ctx context.Context, in *SignedIn) (*body[[]Service], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.ServicesReply, error) {
				m, err := c.OpenSCManager(ctx, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT | win32.SC_MANAGER_ENUMERATE_SERVICE})
				if err != nil {
					return api.ServicesReply{}, err
				}
				defer closeHandle(ctx, c, m.Handle)
				return c.EnumServicesStatus(ctx, api.HandleRequest(m))
			})
			if err != nil {
				return nil, err
			}
			return &body[[]Service]{list(got.Services, serviceOf)}, nil
		})
	register(s, http.MethodGet, "/v1/services/{name}", "getService", tag, "Tell status and configuration of a service",
		func(ctx context.Context, in *OfService) (*body[ServiceDetail], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (ServiceDetail, error) { return serviceDetail(ctx, c, in.Name) })
			if err != nil {
				return nil, err
			}
			return &body[ServiceDetail]{got}, nil
		})
	register(s, http.MethodPost, "/v1/services/{name}/start", "startService", tag, "Start a service",
		func(ctx context.Context, in *startInput) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return withService(ctx, c, in.Name, win32.SERVICE_START, func(h win32.Handle) error {
					req := api.StartServiceRequest{Service: h}
					if in.Body != nil {
						req.Args = in.Body.Args
					}
					return c.StartService(ctx, req)
				})
			})
		}, waits)
	register(s, http.MethodPost, "/v1/services/{name}/stop", "stopService", tag, "Ask a service to stop",
		func(ctx context.Context, in *OfService) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return withService(ctx, c, in.Name, win32.SERVICE_STOP, func(h win32.Handle) error {
					_, err := c.ControlService(ctx, api.ControlServiceRequest{Service: h, Control: win32.SERVICE_CONTROL_STOP})
					return err
				})
			})
		}, waits)
	register(s, http.MethodGet, "/v1/services/{name}/log", "serviceLog", tag, "Give the last lines the service's program wrote",
		func(ctx context.Context, in *serviceLogInput) (*textOutput, error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) ([]byte, error) {
				var data []byte
				err := withService(ctx, c, in.Name, win32.SERVICE_START, func(h win32.Handle) error {
					got, err := c.ServiceLog(ctx, api.ServiceLogRequest{Service: h, Bytes: in.Bytes})
					data = got.Data
					return err
				})
				return data, err
			})
			if err != nil {
				return nil, err
			}
			return &textOutput{"text/plain; charset=utf-8", got}, nil
		})
}

// withService opens a service for one call and closes what it opened.
func withService(ctx context.Context, c Conn, name string, access win32.AccessMask, call func(win32.Handle) error) error {
	m, err := c.OpenSCManager(ctx, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT})
	if err != nil {
		return err
	}
	defer closeHandle(ctx, c, m.Handle)
	h, err := c.OpenService(ctx, api.OpenServiceRequest{Manager: m.Handle, Name: name, Access: access})
	if err != nil {
		return err
	}
	defer closeHandle(ctx, c, h.Handle)
	return call(h.Handle)
}

func serviceDetail(ctx context.Context, c Conn, name string) (ServiceDetail, error) {
	var d ServiceDetail
	err := withService(ctx, c, name, win32.SERVICE_QUERY_CONFIG|win32.SERVICE_QUERY_STATUS, func(h win32.Handle) error {
		config, err := c.QueryServiceConfig(ctx, api.HandleRequest{Handle: h})
		if err != nil {
			return err
		}
		status, err := c.QueryServiceStatus(ctx, api.HandleRequest{Handle: h})
		if err != nil {
			return err
		}
		f := config.Config
		d = ServiceDetail{
			Service: serviceOf(api.Service{
				Name: f.Name, DisplayName: f.DisplayName, Account: f.Account, Station: f.WindowStation, Status: status.Status,
			}),
			BinaryPath: f.BinaryPath, StartType: startType(f.StartType), Description: f.Description, Depends: list(f.Depends, same), Plain: f.Plain,
		}
		return nil
	})
	return d, err
}
