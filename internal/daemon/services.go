// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"image"
	"log/slog"
	"net"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// Services is the Handler: it answers every call of the table with the engine
// and the subsystems. Its fields are set before it serves and not changed. The
// calls of a Store, Winlogon or Display that is nil answer ERROR_NOT_SUPPORTED;
// Sessions and SCM must be there.
type Services struct {
	Engine   *station.Engine
	Store    *logon.Store
	Winlogon *logon.Winlogon
	Sessions Sessions
	SCM      ServiceManager
	Display  Display

	// FillStatus fills in what only the wiring knows: isolation, features, X
	// server, adopted sessions, console address.
	FillStatus func(*api.StatusReply)
	// BeginShutdown begins the end of the daemon and returns at once.
	BeginShutdown func(keepSessions bool)

	Version string
	Product string // shown to clients
	Daemon  uint64 // a number that differs from the daemon's before this one
	Started time.Time
	Logger  *slog.Logger

	// TicketState is a file in the live state that keeps who redeemed which
	// ticket, so that sign-ins outlive the daemon; empty for none.
	TicketState string

	tickets     tickets
	descriptors sync.Mutex // held while SetObjectSecurity replaces a descriptor
}

var _ Handler = (*Services)(nil)

// Sessions is internal/wts as the handlers see it.
type Sessions interface {
	WTSEnumerateSessions(t *station.Thread) (api.SessionsReply, error)
	WTSQuerySessionInformation(t *station.Thread, q api.SessionInformationRequest) (api.BytesReply, error)
	WTSQueryUserToken(t *station.Thread, q api.SessionRequest) (api.HandleReply, error)
	WTSSendMessage(ctx context.Context, t *station.Thread, q api.SendMessageRequest) (api.SendMessageReply, error)
	WTSDisconnectSession(ctx context.Context, t *station.Thread, q api.SessionWaitRequest) error
	WTSLogoffSession(ctx context.Context, t *station.Thread, q api.SessionWaitRequest) error
	WTSConnectSession(ctx context.Context, t *station.Thread, q api.ConnectSessionRequest) error
	ListMessages(t *station.Thread, q api.SessionRequest) (api.MessagesReply, error)
	EnumProcesses(t *station.Thread, q api.SessionRequest) (api.ProcessesReply, error)
}

// ServiceManager is internal/scm as the handlers see it.
type ServiceManager interface {
	OpenSCManager(t *station.Thread, q api.OpenSCManagerRequest) (api.HandleReply, error)
	CreateService(t *station.Thread, q api.CreateServiceRequest) (api.HandleReply, error)
	OpenService(t *station.Thread, q api.OpenServiceRequest) (api.HandleReply, error)
	StartService(ctx context.Context, t *station.Thread, q api.StartServiceRequest) error
	ControlService(ctx context.Context, t *station.Thread, q api.ControlServiceRequest) (api.ServiceStatusReply, error)
	QueryServiceStatus(t *station.Thread, q api.HandleRequest) (api.ServiceStatusReply, error)
	QueryServiceConfig(t *station.Thread, q api.HandleRequest) (api.ServiceConfigReply, error)
	EnumServicesStatus(t *station.Thread, q api.HandleRequest) (api.ServicesReply, error)
	DeleteService(t *station.Thread, q api.HandleRequest) error
	ServiceLog(ctx context.Context, t *station.Thread, q api.ServiceLogRequest) (api.BytesReply, error)
	StartServiceCtrlDispatcher(ctx context.Context, t *station.Thread, q api.DispatcherRequest) (api.DispatcherReply, error)
	SetServiceStatus(ctx context.Context, t *station.Thread, q api.SetServiceStatusRequest) error
	NextServiceControl(ctx context.Context, t *station.Thread, q api.NextControlRequest) (api.NextControlReply, error)
}

// Display is internal/display as the handlers see it.
type Display interface {
	// Capture takes a picture of a desktop, active or not.
	Capture(ctx context.Context, session uint32, stationName, desktop string) (*image.RGBA, error)
	// Inject feeds injected input to a session's active desktop.
	Inject(session uint32, desktop string, events []api.InputEvent) error
	// View serves a viewer on c until it leaves or ctx ends.
	View(ctx context.Context, c net.Conn, session uint32, o ViewOptions) error
}

// ViewOptions say what a viewer may do.
type ViewOptions struct {
	Person   bool   // its input is a person's (IN-9)
	ReadOnly bool   // its input is dropped
	Name     string // what the viewer shows as title
}

// settled answers a call that made or changed a session, a desktop or a process
// only when that has been written down: what was answered outlives the daemon.
func settled[T any](ctx context.Context, s *Services, v T, err error) (T, error) {
	if err == nil {
		// The caller who gave up waiting gets no answer anyway.
		_ = s.Engine.Settle(ctx)
	}
	return v, err
}

// without is the error of a call whose subsystem this daemon runs without.
func without(op, what string) error {
	return &win32.Error{Op: op, Object: what, Code: win32.ERROR_NOT_SUPPORTED}
}

// requireAdministrator refuses callers that are no administrators.
func requireAdministrator(c *Call, op, object, rule string) error {
	if c.Thread.EffectiveToken().IsAdministrator() {
		return nil
	}
	return c.Thread.Refuse(op, object, win32.ERROR_ACCESS_DENIED, rule, "the caller is not a member of Administrators")
}

// requireSystem refuses everybody but LocalSystem.
func requireSystem(c *Call, op, object, rule string) error {
	if c.Thread.EffectiveToken().IsSystem() {
		return nil
	}
	return c.Thread.Refuse(op, object, win32.ERROR_ACCESS_DENIED, rule, "the caller is not LocalSystem")
}

// nameOf gives DOMAIN\name of a SID, its text when it has no name.
func (s *Services) nameOf(sid security.SID) string {
	if s.Store == nil {
		return sid.String()
	}
	return s.Store.DisplayName(sid)
}

// NetworkToken makes a network logon of the account that a Linux user belongs
// to, for callers from outside every session.
func (s *Services) NetworkToken(uid uint32) (*security.Token, bool, error) {
	if s.Store == nil {
		return nil, false, nil
	}
	a, ok := s.Store.ByUID(uid)
	if !ok {
		return nil, false, nil
	}
	if a.Disabled {
		return nil, true, &win32.Error{Op: "LogonUser", Object: a.Name, Code: win32.ERROR_ACCOUNT_DISABLED, Rule: "LGN-6"}
	}
	tok, err := s.Store.NewToken(a, logon.TokenRequest{Type: win32.LOGON32_LOGON_NETWORK, Allocate: s.Engine.AllocateLUID})
	return tok, true, err
}
