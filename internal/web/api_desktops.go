// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// OnDesktop names a desktop in the path.
type OnDesktop struct {
	InSession
	Desktop string `path:"desktop" maxLength:"256" doc:"Desktop name." example:"Default"`
	Station string `query:"station" maxLength:"256" doc:"Window station; WinSta0 without it."`
}

func (in *OnDesktop) request() api.SessionDesktopRequest {
	return api.SessionDesktopRequest{SessionID: in.ID, Station: in.Station, Desktop: in.Desktop}
}

type createDesktopInput struct {
	InSession
	Body struct {
		Name    string `json:"name" minLength:"1" maxLength:"256"`
		Station string `json:"station,omitempty" maxLength:"256" doc:"Window station; WinSta0 without it."`
		Surface string `json:"surface,omitempty" enum:"x11,builtin"`
		Width   uint32 `json:"width,omitempty" maximum:"16384"`
		Height  uint32 `json:"height,omitempty" maximum:"16384"`
		HeapKB  uint32 `json:"heapKB,omitempty"`
	}
}

type pngOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type inputInput struct {
	InSession
	Body struct {
		Desktop string `json:"desktop,omitempty" maxLength:"256" doc:"Must be the active one; the active one without it."`
		Events  []struct {
			Type    string `json:"type" enum:"key,pointer,text"`
			Keysym  uint32 `json:"keysym,omitempty" doc:"X keysym of a key."`
			Down    bool   `json:"down,omitempty"`
			X       int32  `json:"x,omitempty"`
			Y       int32  `json:"y,omitempty"`
			Buttons uint8  `json:"buttons,omitempty" doc:"Bit mask of the buttons that are down."`
			Text    string `json:"text,omitempty" maxLength:"65536" doc:"Text to type."`
		} `json:"events" minItems:"1" maxItems:"1000"`
	}
}

// answersPNG says in the document that the answer is a picture.
func answersPNG(op *huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "The picture.",
		Content:     map[string]*huma.MediaType{"image/png": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}
}

func capture(ctx context.Context, v *visit, req api.CaptureRequest) (*pngOutput, error) {
	got, err := read(ctx, v, func(ctx context.Context, c Conn) (api.CaptureReply, error) { return c.CaptureDesktop(ctx, req) })
	if err != nil {
		return nil, err
	}
	return &pngOutput{ContentType: "image/png", Body: got.PNG}, nil
}

func (s *Server) registerDesktops() {
	const tag = "Desktops"
	register(s, http.MethodGet, "/v1/sessions/{id}/stations", "listStations", tag, "List a session's window stations and desktops",
		func(ctx context.Context, in *InSession) (*body[[]WindowStation], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.TreeReply, error) {
				return c.ListDesktops(ctx, api.SessionRequest{SessionID: in.ID})
			})
			if err != nil {
				return nil, err
			}
			return &body[[]WindowStation]{list(got.Stations, stationOf)}, nil
		})
	register(s, http.MethodPost, "/v1/sessions/{id}/desktops", "createDesktop", tag, "Create a desktop that the session manager holds",
		func(ctx context.Context, in *createDesktopInput) (*body[Desktop], error) {
			got, err := change(ctx, in.visit, func(ctx context.Context, c Conn) (api.DesktopReply, error) {
				b := &in.Body
				return c.CreateSessionDesktop(ctx, api.SessionDesktopRequest{
					SessionID: in.ID, Station: b.Station, Desktop: b.Name, Surface: b.Surface, Width: b.Width, Height: b.Height, HeapKB: b.HeapKB,
				})
			})
			if err != nil {
				return nil, err
			}
			return &body[Desktop]{desktopOf(got.Desktop)}, nil
		}, created, waits)
	register(s, http.MethodDelete, "/v1/sessions/{id}/desktops/{desktop}", "closeDesktop", tag, "Release a desktop that the session manager holds",
		func(ctx context.Context, in *OnDesktop) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error { return c.CloseSessionDesktop(ctx, in.request()) })
		})
	register(s, http.MethodPost, "/v1/sessions/{id}/desktops/{desktop}/switch", "switchDesktop", tag, "Make a desktop the active one",
		func(ctx context.Context, in *OnDesktop) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error { return c.SwitchSessionDesktop(ctx, in.request()) })
		})
	register(s, http.MethodGet, "/v1/sessions/{id}/desktops/{desktop}/screenshot.png", "screenshot", tag, "Take a picture of a desktop, active or not; never of Winlogon",
		func(ctx context.Context, in *OnDesktop) (*pngOutput, error) {
			return capture(ctx, in.visit, api.CaptureRequest{SessionID: in.ID, Station: in.Station, Desktop: in.Desktop})
		}, answersPNG)
	register(s, http.MethodGet, "/v1/sessions/{id}/screenshot.png", "screenshotActive", tag, "Take a picture of the active desktop",
		func(ctx context.Context, in *InSession) (*pngOutput, error) {
			return capture(ctx, in.visit, api.CaptureRequest{SessionID: in.ID})
		}, answersPNG)
	register(s, http.MethodPost, "/v1/sessions/{id}/input", "sendInput", tag,
		"Send keys, pointer moves and text to the active desktop; marked as injected, answers no box of the session manager (IN-9, IN-10)",
		func(ctx context.Context, in *inputInput) (*struct{}, error) {
			kinds := map[string]uint8{"key": 1, "pointer": 2, "text": 3}
			req := api.SendInputRequest{SessionID: in.ID, Desktop: in.Body.Desktop}
			for _, e := range in.Body.Events {
				req.Events = append(req.Events, api.InputEvent{
					Kind: kinds[e.Type], Down: e.Down, Keysym: e.Keysym, X: e.X, Y: e.Y, Buttons: e.Buttons, Text: e.Text,
				})
			}
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error { return c.SendInput(ctx, req) })
		})
}

type runInput struct {
	InSession
	Body struct {
		Args    []string `json:"args" minItems:"1" maxItems:"4096" doc:"Program and its arguments."`
		Path    string   `json:"path,omitempty" doc:"File of the program; the first argument without it."`
		Env     []string `json:"env,omitempty" doc:"Environment; the session's own without it."`
		Dir     string   `json:"dir,omitempty"`
		Desktop string   `json:"desktop,omitempty" doc:"Where it runs; WinSta0\\Default without it." example:"WinSta0\\Default"`
	}
}

type runOutput struct {
	ProcessID uint32 `json:"processId"`
}

type killInput struct {
	InSession
	PID      uint32 `path:"pid" doc:"Linux process ID."`
	ExitCode uint32 `query:"exitCode" default:"1"`
}

func (s *Server) registerProcesses() {
	const tag = "Processes"
	processes := func(ctx context.Context, v *visit, id uint32) (*body[[]Process], error) {
		got, err := read(ctx, v, func(ctx context.Context, c Conn) (api.ProcessesReply, error) {
			return c.EnumProcesses(ctx, api.SessionRequest{SessionID: id})
		})
		if err != nil {
			return nil, err
		}
		return &body[[]Process]{list(got.Processes, processOf)}, nil
	}
	register(s, http.MethodGet, "/v1/processes", "listAllProcesses", tag, "List the processes of all sessions",
		func(ctx context.Context, in *SignedIn) (*body[[]Process], error) {
			return processes(ctx, in.visit, win32.WTS_ANY_SESSION)
		})
	register(s, http.MethodGet, "/v1/sessions/{id}/processes", "listProcesses", tag, "List a session's processes",
		func(ctx context.Context, in *InSession) (*body[[]Process], error) {
			return processes(ctx, in.visit, in.ID)
		})
	register(s, http.MethodPost, "/v1/sessions/{id}/processes", "run", tag, "Start a program as the session's user (RunInSession)",
		func(ctx context.Context, in *runInput) (*body[runOutput], error) {
			pid, err := change(ctx, in.visit, func(ctx context.Context, c Conn) (uint32, error) { return run(ctx, c, in) })
			if err != nil {
				return nil, err
			}
			return &body[runOutput]{runOutput{pid}}, nil
		}, created, waits)
	register(s, http.MethodDelete, "/v1/sessions/{id}/processes/{pid}", "terminate", tag, "End a process",
		func(ctx context.Context, in *killInput) (*struct{}, error) {
			return nil, act(ctx, in.visit, func(ctx context.Context, c Conn) error { return terminate(ctx, c, in) })
		})
}

func run(ctx context.Context, c Conn, in *runInput) (uint32, error) {
	got, err := c.RunInSession(ctx, api.RunInSessionRequest{
		SessionID: in.ID, Path: in.Body.Path, Args: in.Body.Args, Env: in.Body.Env, Dir: in.Body.Dir, Desktop: in.Body.Desktop,
	})
	if err != nil {
		return 0, err
	}
	closeHandle(ctx, c, got.Process)
	return got.ProcessID, nil
}

// terminate ends a process only when it is in the session that was named: a
// process ID alone may be another program by now.
func terminate(ctx context.Context, c Conn, in *killInput) error {
	const op = "TerminateProcess"
	h, err := c.OpenProcess(ctx, api.OpenProcessRequest{ProcessID: in.PID, Access: win32.PROCESS_TERMINATE})
	if err != nil {
		return err
	}
	defer closeHandle(ctx, c, h.Handle)
	// The handle holds the process, so its ID cannot change hands any more.
	got, err := c.EnumProcesses(ctx, api.SessionRequest{SessionID: in.ID})
	if err != nil {
		return err
	}
	for _, p := range got.Processes {
		if p.ProcessID == in.PID {
			return c.TerminateProcess(ctx, api.TerminateProcessRequest{Process: h.Handle, ExitCode: in.ExitCode})
		}
	}
	return &win32.Error{Op: op, Object: "process of the session", Code: win32.ERROR_NOT_FOUND}
}
