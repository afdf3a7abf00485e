// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"
	"reflect"

	"stationmaster/internal/api"
)

var problemType = reflect.TypeFor[Problem]()

// logInput asks for a part of the event or audit log.
type logInput struct {
	SignedIn
	After uint64 `query:"after" doc:"Give records after this sequence number."`
	Max   uint32 `query:"max" default:"200" minimum:"1" maximum:"1000" doc:"At most so many."`
	Wait  uint32 `query:"wait" maximum:"60000" doc:"Wait so many milliseconds for the first one."`
}

type logOf[T any] struct {
	Records []T    `json:"records"`
	Next    uint64 `json:"next" doc:"Value of after for the next request."`
	Lost    uint64 `json:"lost" doc:"Records that were dropped before the first one given."`
}

func (s *Server) registerSystem() {
	register(s, http.MethodGet, "/v1/status", "status", "System", "Tell mode, isolation level, version and counts",
		func(ctx context.Context, in *SignedIn) (*body[Status], error) {
			st, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.StatusReply, error) { return c.Status(ctx) })
			if err != nil {
				return nil, err
			}
			return &body[Status]{statusReport(st)}, nil
		})
	register(s, http.MethodGet, "/v1/events", "listEvents", "System", "List events; with Accept: text/event-stream, follow them",
		func(ctx context.Context, in *logInput) (*body[logOf[Event]], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.EventsReply, error) {
				return c.ReadEvents(ctx, api.ReadLogRequest{After: in.After, Max: in.Max, Millis: in.Wait})
			})
			if err != nil {
				return nil, err
			}
			return &body[logOf[Event]]{logOf[Event]{list(got.Events, eventOf), got.Next, got.Lost}}, nil
		}, waits)
	register(s, http.MethodGet, "/v1/audit", "listAudit", "System", "List refusals; with Accept: text/event-stream, follow them",
		func(ctx context.Context, in *logInput) (*body[logOf[Refusal]], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.AuditReply, error) {
				return c.ReadAudit(ctx, api.ReadLogRequest{After: in.After, Max: in.Max, Millis: in.Wait})
			})
			if err != nil {
				return nil, err
			}
			return &body[logOf[Refusal]]{logOf[Refusal]{list(got.Records, refusalOf), got.Next, got.Lost}}, nil
		}, waits)
	register(s, http.MethodGet, "/v1/accounts", "listAccounts", "System", "List the accounts",
		func(ctx context.Context, in *SignedIn) (*body[[]Account], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (api.AccountsReply, error) { return c.ListAccounts(ctx) })
			if err != nil {
				return nil, err
			}
			return &body[[]Account]{list(got.Accounts, accountOf)}, nil
		})
}
