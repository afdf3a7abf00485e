// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// How streams behave, in milliseconds for the daemon's long poll.
const (
	streamPoll   = 25_000           // an unanswered poll is the sign of life between events
	streamStall  = 30 * time.Second // a reader that takes longer for a write is gone
	browserRetry = 500              // milliseconds after which a browser opens a lost stream again
	redialFirst  = 100 * time.Millisecond
	redialMost   = time.Second
)

// streams takes the event streams out of the API's way: the same addresses
// answer a list of records or, asked for text/event-stream, follow the log.
func (s *Server) streams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			next.ServeHTTP(w, r)
			return
		}
		switch r.URL.Path {
		case "/v1/events":
			s.follow(w, r, func(ctx context.Context, c Conn, q api.ReadLogRequest) (chunk, error) {
				got, err := c.ReadEvents(ctx, q)
				return chunkOf(got.Events, got.Next, got.Lost, eventOf, func(e Event) uint64 { return e.Seq }), err
			})
		case "/v1/audit":
			s.follow(w, r, func(ctx context.Context, c Conn, q api.ReadLogRequest) (chunk, error) {
				got, err := c.ReadAudit(ctx, q)
				return chunkOf(got.Records, got.Next, got.Lost, refusalOf, func(r Refusal) uint64 { return r.Seq }), err
			})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// chunk is what one request to a log brought.
type chunk struct {
	records []record
	next    uint64
	lost    uint64
}

type record struct {
	seq  uint64
	json any
}

func chunkOf[F, T any](from []F, next, lost uint64, to func(F) T, seq func(T) uint64) chunk {
	return chunk{list(from, func(f F) record {
		t := to(f)
		return record{seq(t), t}
	}), next, lost}
}

// position is where a stream is: a sequence number counts only with the daemon
// that gave it, for it begins anew with the next.
type position struct {
	daemon uint64
	after  uint64
}

func (p position) String() string { return fmt.Sprintf("%x.%d", p.daemon, p.after) }

func parsePosition(text string) (position, error) {
	d, a, ok := strings.Cut(text, ".")
	daemon, err1 := strconv.ParseUint(d, 16, 64)
	after, err2 := strconv.ParseUint(a, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return position{}, newProblem(http.StatusBadRequest, win32.ERROR_INVALID_PARAMETER, fmt.Sprintf("cannot go on after %q: it is no ID of this stream", text))
	}
	return position{daemon, after}, nil
}

// follow writes a log as server-sent events. Besides the records ("message")
// there are "ready" (where the stream begins), "reset" (another daemon, or
// records were lost: read everything anew) and "gone" (no daemon just now; the
// stream goes on by itself when there is one).
func (s *Server) follow(w http.ResponseWriter, r *http.Request, poll func(context.Context, Conn, api.ReadLogRequest) (chunk, error)) {
	v := s.visitOf(r)
	if v == nil || !v.hold(&v.streams, maxStreams) {
		writeProblem(w, newProblem(http.StatusTooManyRequests, win32.ERROR_NOT_ENOUGH_QUOTA, "cannot follow one more log: this sign-in has too many streams"))
		return
	}
	defer v.release(&v.streams)

	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("lastEventId")
	}
	var at position
	if from != "" {
		var err error
		if at, err = parsePosition(from); err != nil {
			writeProblem(w, problemOf(err))
			return
		}
	}
	// The first request is made before the answer begins, so that a refusal is
	// an ordinary error.
	c, err := v.conn(r.Context(), true)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	if _, err := poll(r.Context(), c, api.ReadLogRequest{After: at.after, Max: 1}); err != nil {
		v.put(c, err)
		writeProblem(w, problemOf(err))
		return
	}
	out := &eventWriter{w: w, rc: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)

	for {
		err := s.pump(r.Context(), out, c, &at, from, poll)
		from = at.String()
		if !unreachable(err) {
			v.put(c, errors.Join(err, context.Canceled)) // a connection with a poll under way is not used again
			return
		}
		v.put(c, err)
		if out.send("gone", at.String(), map[string]string{"detail": err.Error()}) != nil {
			return
		}
		if c, err = reconnect(r.Context(), v); err != nil {
			return
		}
	}
}

// pump copies the log to the stream until either fails.
func (s *Server) pump(ctx context.Context, out *eventWriter, c Conn, at *position, from string, poll func(context.Context, Conn, api.ReadLogRequest) (chunk, error)) error {
	event := "ready"
	if at.daemon != c.DaemonID() {
		if from != "" {
			event = "reset"
		}
		*at = position{daemon: c.DaemonID()}
		if from == "" {
			// A stream without a past begins now: what was is in the lists.
			for {
				got, err := poll(ctx, c, api.ReadLogRequest{After: at.after, Max: 1000})
				if err != nil {
					return err
				}
				// Records that the caller may not see move next on, too.
				if got.next <= at.after {
					break
				}
				at.after = got.next
			}
		}
	}
	if err := out.send(event, at.String(), struct{}{}); err != nil {
		return err
	}
	for {
		got, err := poll(ctx, c, api.ReadLogRequest{After: at.after, Max: 500, Millis: streamPoll})
		if err != nil {
			return err
		}
		if got.lost > 0 {
			if err := out.send("reset", at.String(), map[string]uint64{"lost": got.lost}); err != nil {
				return err
			}
		}
		for _, one := range got.records {
			at.after = max(at.after, one.seq)
			if err := out.send("", at.String(), one.json); err != nil {
				return err
			}
		}
		at.after = max(at.after, got.next)
		if len(got.records) == 0 {
			if err := out.alive(); err != nil {
				return err
			}
		}
	}
}

// reconnect waits for a daemon to come back.
func reconnect(ctx context.Context, v *visit) (Conn, error) {
	for pause := redialFirst; ; pause = min(2*pause, redialMost) {
		c, err := v.conn(ctx, true)
		if err == nil || !unreachable(err) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// persist is change for a call that may be made again: its request carries a
// key by which the daemon, or the one after it, knows it.
func persist[T any](ctx context.Context, v *visit, call func(context.Context, Conn) (T, error)) (T, error) {
	var zero T
	for {
		t, err := change(ctx, v, call)
		if p := (*Problem)(nil); !errors.As(err, &p) || p.Code != uint32(win32.RPC_S_SERVER_UNAVAILABLE) {
			return t, err
		}
		c, err := reconnect(ctx, v)
		if err != nil {
			return zero, problemOf(err)
		}
		v.put(c, nil)
	}
}

// eventWriter writes server-sent events and flushes each.
type eventWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (e *eventWriter) send(event, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("cannot write an event: %w", err)
	}
	var b bytes.Buffer
	if event == "ready" {
		fmt.Fprintf(&b, "retry: %d\n", browserRetry)
	}
	if event != "" {
		fmt.Fprintf(&b, "event: %s\n", event)
	}
	fmt.Fprintf(&b, "id: %s\ndata: %s\n\n", id, text)
	return e.write(b.Bytes())
}

// alive lets both ends notice that the other is gone.
func (e *eventWriter) alive() error { return e.write([]byte(": alive\n\n")) }

func (e *eventWriter) write(b []byte) error {
	// Not every writer knows deadlines (a test's recorder); then none is set.
	_ = e.rc.SetWriteDeadline(time.Now().Add(streamStall))
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.rc.Flush()
}

// describeStreams adds what huma did not register itself to the document.
func (s *Server) describeStreams() {
	doc := s.api.OpenAPI()
	for _, path := range []string{"/v1/events", "/v1/audit"} {
		op := doc.Paths[path].Get
		op.Description = "With `Accept: text/event-stream` the log is followed: one event per record, `ready` at the start, `reset` when everything " +
			"must be read anew, `gone` while no daemon answers. `Last-Event-ID` goes on where a stream ended."
		op.Responses["200"].Content["text/event-stream"] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Last-Event-ID", In: "header", Description: "ID of the last event of an earlier stream.", Schema: &huma.Schema{Type: "string"},
		})
	}
	doc.AddOperation(&huma.Operation{
		OperationID: "view", Method: http.MethodGet, Path: "/v1/sessions/{id}/view", Tags: []string{"Desktops"},
		Summary:     "View a session: a WebSocket (subprotocol binary) that carries RFB",
		Description: "The viewer's connection stays when the session's active desktop changes. It ends when the session ends or the daemon restarts.",
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "integer", Format: "int32"}, Description: "Session ID."},
			{Name: "readonly", In: "query", Schema: &huma.Schema{Type: "boolean"}, Description: "Take no input."},
		},
		Responses: map[string]*huma.Response{"101": {Description: "The stream begins."}, "default": s.problemResponse()},
	})
}
