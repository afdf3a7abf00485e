// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// body is an answer with nothing but a body.
type body[T any] struct {
	Body T
}

// InSession names the session in the path.
type InSession struct {
	SignedIn
	ID uint32 `path:"id" doc:"Session ID." example:"1"`
}

// newAPI registers every operation of /v1 on mux.
func (s *Server) newAPI(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("Stationmaster", "1")
	config.OpenAPIPath = "/v1/openapi"
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema fields, no Link headers
	config.Transformers = []huma.Transformer{plainProblems}
	config.Info.Description = "Sessions, window stations, desktops, processes and services of one host. " +
		"Every call is made with the rights of the account signed in; refusals carry the Win32 error number and the rule."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "Token of POST /v1/signin."},
		"cookie": {Type: "apiKey", In: "cookie", Name: s.cookie, Description: "Set by /signin?ticket=… for browsers."},
	}
	config.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
	s.api = humago.New(mux, config)
	s.registerSignIn()
	s.registerSystem()
	s.registerSessions()
	s.registerDesktops()
	s.registerProcesses()
	s.registerServices()
	s.registerObjects()
	s.describeStreams()
	return s.api
}

// register adds an operation with our error shape.
func register[I, O any](s *Server, method, path, id, tag, summary string, handler func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag},
		Metadata: map[string]any{"server": s},
	}
	op.Responses = map[string]*huma.Response{"default": s.problemResponse()}
	if open[path] {
		op.Security = []map[string][]string{}
	}
	for _, m := range more {
		m(&op)
	}
	huma.Register(s.api, op, handler)
}

func (s *Server) problemResponse() *huma.Response {
	return &huma.Response{
		Description: "What was refused or failed, with its Win32 number.",
		Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")},
		},
	}
}

// created makes the success status 201.
func created(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

// waits lifts the time limit of reading the request from calls that block.
func waits(op *huma.Operation) { op.BodyReadTimeout = -1 }
