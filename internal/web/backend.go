// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"io"

	"stationmaster/internal/api"
)

// Conn is one connection to the daemon, and so one thread there: what it
// impersonates stays with it. Its methods are those of the generated client;
// it is safe for concurrent use.
type Conn interface {
	// DaemonID is the number the daemon gave in its Hello. It changes when the
	// daemon restarts, and then no handle of before is good any more.
	DaemonID() uint64
	Close() error

	RedeemTicket(context.Context, api.RedeemTicketRequest) (api.RedeemTicketReply, error)
	ImpersonateLoggedOnUser(context.Context, api.HandleRequest) error
	CloseHandle(context.Context, api.HandleRequest) error
	Ping(context.Context, api.PingRequest) (api.PingReply, error)

	Status(context.Context) (api.StatusReply, error)
	ReadEvents(context.Context, api.ReadLogRequest) (api.EventsReply, error)
	ReadAudit(context.Context, api.ReadLogRequest) (api.AuditReply, error)

	WTSEnumerateSessions(context.Context) (api.SessionsReply, error)
	WTSSendMessage(context.Context, api.SendMessageRequest) (api.SendMessageReply, error)
	WTSDisconnectSession(context.Context, api.SessionWaitRequest) error
	WTSLogoffSession(context.Context, api.SessionWaitRequest) error
	WTSConnectSession(context.Context, api.ConnectSessionRequest) error
	LockSession(context.Context, api.SessionRequest) error
	UnlockSession(context.Context, api.UnlockSessionRequest) error
	LogonSession(context.Context, api.LogonSessionRequest) (api.LogonSessionReply, error)
	ListMessages(context.Context, api.SessionRequest) (api.MessagesReply, error)

	ListDesktops(context.Context, api.SessionRequest) (api.TreeReply, error)
	CreateSessionDesktop(context.Context, api.SessionDesktopRequest) (api.DesktopReply, error)
	CloseSessionDesktop(context.Context, api.SessionDesktopRequest) error
	SwitchSessionDesktop(context.Context, api.SessionDesktopRequest) error
	CaptureDesktop(context.Context, api.CaptureRequest) (api.CaptureReply, error)
	SendInput(context.Context, api.SendInputRequest) error
	SecureAttention(context.Context, api.SessionRequest) error
	// OpenViewer takes the connection over: afterwards it is a raw RFB stream
	// and nothing else, and closing the stream closes it.
	OpenViewer(context.Context, api.OpenViewerRequest) (io.ReadWriteCloser, error)

	ListObjects(context.Context, api.PathRequest) (api.ObjectsReply, error)
	ShowObject(context.Context, api.PathRequest) (api.ObjectReply, error)
	SetObjectSecurity(context.Context, api.SetObjectSecurityRequest) error

	EnumProcesses(context.Context, api.SessionRequest) (api.ProcessesReply, error)
	RunInSession(context.Context, api.RunInSessionRequest) (api.CreateProcessReply, error)
	OpenProcess(context.Context, api.OpenProcessRequest) (api.HandleReply, error)
	TerminateProcess(context.Context, api.TerminateProcessRequest) error

	OpenSCManager(context.Context, api.OpenSCManagerRequest) (api.HandleReply, error)
	OpenService(context.Context, api.OpenServiceRequest) (api.HandleReply, error)
	StartService(context.Context, api.StartServiceRequest) error
	ControlService(context.Context, api.ControlServiceRequest) (api.ServiceStatusReply, error)
	QueryServiceStatus(context.Context, api.HandleRequest) (api.ServiceStatusReply, error)
	QueryServiceConfig(context.Context, api.HandleRequest) (api.ServiceConfigReply, error)
	EnumServicesStatus(context.Context, api.HandleRequest) (api.ServicesReply, error)
	ServiceLog(context.Context, api.ServiceLogRequest) (api.BytesReply, error)
	ListAccounts(context.Context) (api.AccountsReply, error)
}

// Dialer opens a new connection to the daemon.
type Dialer func(ctx context.Context) (Conn, error)
