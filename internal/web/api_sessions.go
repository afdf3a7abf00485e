// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

type logonInput struct {
	SignedIn
	Body struct {
		User       string `json:"user" minLength:"1" maxLength:"256"`
		Password   string `json:"password,omitempty" maxLength:"1024"`
		NoPassword bool   `json:"noPassword,omitempty" doc:"Log on without the password; LocalSystem only."`
		New        bool   `json:"new,omitempty" doc:"A new session even if the user has one."`
		Width      uint32 `json:"width,omitempty" maximum:"16384"`
		Height     uint32 `json:"height,omitempty" maximum:"16384"`
		Surface    string `json:"surface,omitempty" enum:"x11,builtin" doc:"Kind of the Default desktop; empty for the best there is."`
	}
}

type logonOutput struct {
	SessionID   uint32 `json:"sessionId"`
	Reconnected bool   `json:"reconnected" doc:"Whether it is a session the user had before."`
}

type connectInput struct {
	InSession
	Body struct {
		Target   *uint32 `json:"target,omitempty" doc:"Session whose terminal is taken; a headless one without it."`
		Password string  `json:"password,omitempty" maxLength:"1024"`
	}
}

type unlockInput struct {
	InSession
	Body struct {
		Password string `json:"password" maxLength:"1024"`
	}
}

type waitInput struct {
	InSession
	Wait bool `query:"wait" doc:"Answer only when it is done."`
}

type messageInput struct {
	InSession
	Body struct {
		Title   string `json:"title" maxLength:"65536"`
		Text    string `json:"text" maxLength:"65536"`
		Style   string `json:"style,omitempty" enum:"ok,okcancel,abortretryignore,yesnocancel,yesno,retrycancel,canceltrycontinue" doc:"Buttons; ok without it."`
		Icon    string `json:"icon,omitempty" enum:"none,error,question,warning,information"`
		Timeout uint32 `json:"timeoutSeconds,omitempty" maximum:"86400" doc:"0: no time limit."`
		Wait    bool   `json:"wait,omitempty" doc:"Answer only when a person has answered or the time is over."`
	}
}

type messageOutput struct {
	Answer string `json:"answer" example:"IDYES" doc:"IDASYNC when nobody waited."`
	Code   uint32 `json:"code" example:"6"`
}

func (s *Server) registerSessions() {
	const tag = "Sessions"
	register(s, http.MethodGet, "/v1/sessions", "listSessions", tag, "List the sessions the caller may query",
		func(ctx context.Context, in *SignedIn) (*body[[]Session], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.SessionsReply, error) { return c.WTSEnumerateSessions(ctx) })
			if err != nil {
				return nil, err
			}
			return &body[[]Session]{list(got.Sessions, sessionOf)}, nil
		})
	register(s, http.MethodGet, "/v1/sessions/{id}", "getSession", tag, "Tell the facts of one session",
		func(ctx context.Context, in *InSession) (*body[Session], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.Session, error) { return oneSession(ctx, c, in.ID) })
			if err != nil {
				return nil, err
			}
			return &body[Session]{sessionOf(got)}, nil
		})
	register(s, http.MethodGet, "/v1/sessions/{id}/tree", "getTree", tag, "List a session's window stations, desktops, processes and waiting messages",
		func(ctx context.Context, in *InSession) (*body[Tree], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (Tree, error) {
				one, err := oneSession(ctx, c, in.ID)
				if err != nil {
					return Tree{}, err
				}
				return treeOf(ctx, c, one)
			})
			if err != nil {
				return nil, err
			}
			return &body[Tree]{got}, nil
		})
	register(s, http.MethodGet, "/v1/tree", "getTrees", tag, "List all sessions with everything in them",
		func(ctx context.Context, in *SignedIn) (*body[[]Tree], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) ([]Tree, error) {
				all, err := c.WTSEnumerateSessions(ctx)
				if err != nil {
					return nil, err
				}
				trees := make([]Tree, 0, len(all.Sessions))
				for _, one := range all.Sessions {
					t, err := treeOf(ctx, c, one)
					if win32.Code(err) == win32.ERROR_CTX_WINSTATION_NOT_FOUND {
						continue // it ended while we looked
					}
					if err != nil {
						return nil, err
					}
					trees = append(trees, t)
				}
				return trees, nil
			})
			if err != nil {
				return nil, err
			}
			return &body[[]Tree]{got}, nil
		})
	register(s, http.MethodPost, "/v1/sessions", "logon", tag, "Log a user on: a new session, or the user's own again",
		func(ctx context.Context, in *logonInput) (*body[logonOutput], error) {
			got, err := change(ctx, in.visit, func(ctx context.Context, c Conn) (api.LogonSessionReply, error) {
				b := &in.Body
				return c.LogonSession(ctx, api.LogonSessionRequest{
					User: b.User, Password: b.Password, NoPassword: b.NoPassword, New: b.New, Width: b.Width, Height: b.Height, Surface: b.Surface,
				})
			})
			if err != nil {
				return nil, err
			}
			return &body[logonOutput]{logonOutput{got.SessionID, got.Reconnected}}, nil
		}, created, waits)
	s.registerSessionActs(tag)
	s.registerMessages(tag)
}

func (s *Server) registerSessionActs(tag string) {
	register(s, http.MethodPost, "/v1/sessions/{id}/logoff", "logoff", tag, "Log off: end the session and every program in it",
		func(ctx context.Context, in *waitInput) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return c.WTSLogoffSession(ctx, api.SessionWaitRequest{SessionID: in.ID, Wait: in.Wait})
			})
		}, waits)
	register(s, http.MethodPost, "/v1/sessions/{id}/disconnect", "disconnect", tag, "Take the terminal away; programs run on",
		func(ctx context.Context, in *waitInput) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return c.WTSDisconnectSession(ctx, api.SessionWaitRequest{SessionID: in.ID, Wait: in.Wait})
			})
		}, waits)
	register(s, http.MethodPost, "/v1/sessions/{id}/connect", "connect", tag, "Give a disconnected session a terminal again",
		func(ctx context.Context, in *connectInput) (*struct{}, error) {
			target := win32.WTS_CURRENT_SESSION
			if in.Body.Target != nil {
				target = *in.Body.Target
			}
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return c.WTSConnectSession(ctx, api.ConnectSessionRequest{SessionID: in.ID, Target: target, Password: in.Body.Password})
			})
		}, waits)
	register(s, http.MethodPost, "/v1/sessions/{id}/lock", "lock", tag, "Lock: the Winlogon desktop becomes active",
		func(ctx context.Context, in *InSession) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return c.LockSession(ctx, api.SessionRequest{SessionID: in.ID})
			})
		})
	register(s, http.MethodPost, "/v1/sessions/{id}/unlock", "unlock", tag, "Unlock with the password of the session's user",
		func(ctx context.Context, in *unlockInput) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return c.UnlockSession(ctx, api.UnlockSessionRequest{SessionID: in.ID, Password: in.Body.Password})
			})
		}, waits)
	register(s, http.MethodPost, "/v1/sessions/{id}/secure-attention", "secureAttention", tag, "Do what Ctrl+Alt+Del does; for a person's sign-in only",
		func(ctx context.Context, in *InSession) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error {
				return c.SecureAttention(ctx, api.SessionRequest{SessionID: in.ID})
			})
		})
}

func (s *Server) registerMessages(tag string) {
	register(s, http.MethodGet, "/v1/sessions/{id}/messages", "listMessages", tag,
		"List message boxes that wait; answering them is for a person at a viewer only (IN-10)",
		func(ctx context.Context, in *InSession) (*body[[]Message], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.MessagesReply, error) {
				return c.ListMessages(ctx, api.SessionRequest{SessionID: in.ID})
			})
			if err != nil {
				return nil, err
			}
			return &body[[]Message]{list(got.Messages, messageOf)}, nil
		})
	register(s, http.MethodPost, "/v1/sessions/{id}/messages", "sendMessage", tag, "Show a message box in a session (WTSSendMessage)",
		func(ctx context.Context, in *messageInput) (*body[messageOutput], error) {
			got, err := sendMessage(ctx, in)
			if err != nil {
				return nil, err
			}
			return &body[messageOutput]{messageOutput{answer(got.Response), got.Response}}, nil
		}, waits)
}

// sendMessage asks with a key of its own: should the daemon restart while a
// person thinks, the same key asks the new one for the same box.
func sendMessage(ctx context.Context, in *messageInput) (api.SendMessageReply, error) {
	b := &in.Body
	key := make([]byte, 16)
	rand.Read(key) // never fails (crypto/rand)
	style := styles["ok"]
	if b.Style != "" {
		style = styles[b.Style]
	}
	if b.Icon != "" {
		style |= icons[b.Icon]
	}
	req := api.SendMessageRequest{SessionID: in.ID, Title: b.Title, Text: b.Text, Style: style, Seconds: b.Timeout, Wait: b.Wait, Key: key}
	call := func(ctx context.Context, c Conn) (api.SendMessageReply, error) { return c.WTSSendMessage(ctx, req) }
	if !b.Wait {
		return change(ctx, in.visit, call)
	}
	return persist(ctx, in.visit, call)
}

// oneSession finds a session in the list the caller may see.
func oneSession(ctx context.Context, c Conn, id uint32) (api.Session, error) {
	all, err := c.WTSEnumerateSessions(ctx)
	if err != nil {
		return api.Session{}, err
	}
	for _, one := range all.Sessions {
		if one.ID == id {
			return one, nil
		}
	}
	return api.Session{}, &win32.Error{Op: "WTSEnumerateSessions", Object: fmt.Sprintf("session %d", id), Code: win32.ERROR_CTX_WINSTATION_NOT_FOUND}
}

// treeOf collects what a session holds. What the caller may not see is left
// out and said in Trouble; a session that ended meanwhile is an error.
func treeOf(ctx context.Context, c Conn, one api.Session) (Tree, error) {
	t := Tree{Session: sessionOf(one), Stations: []WindowStation{}, Processes: []Process{}, Messages: []Message{}}
	part := func(what string, err error) error {
		if err == nil {
			return nil
		}
		switch win32.Code(err) {
		case win32.ERROR_ACCESS_DENIED, win32.ERROR_PRIVILEGE_NOT_HELD, win32.ERROR_CTX_WINSTATION_ACCESS_DENIED:
			t.Trouble = append(t.Trouble, what+": "+err.Error())
			return nil
		}
		return err
	}
	req := api.SessionRequest{SessionID: one.ID}
	stations, err := c.ListDesktops(ctx, req)
	if err := part("desktops", err); err != nil {
		return Tree{}, err
	}
	t.Stations = list(stations.Stations, stationOf)
	processes, err := c.EnumProcesses(ctx, req)
	if err := part("processes", err); err != nil {
		return Tree{}, err
	}
	t.Processes = list(processes.Processes, processOf)
	messages, err := c.ListMessages(ctx, req)
	if err := part("messages", err); err != nil {
		return Tree{}, err
	}
	t.Messages = list(messages.Messages, messageOf)
	return t, nil
}
