// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"stationmaster/win32"
)

// sse is a stream under way.
type sse struct {
	t      *testing.T
	cancel context.CancelFunc
	lines  *bufio.Scanner
	closed func() error
}

type sseEvent struct{ name, id, data string }

func (x *site) follow(path, lastID string) *sse {
	x.t.Helper()
	ctx, cancel := context.WithCancel(x.t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, x.url+path, nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+x.token)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := x.client.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		x.t.Fatalf("status %d, type %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
	e := &sse{t: x.t, cancel: cancel, lines: bufio.NewScanner(res.Body), closed: res.Body.Close}
	x.t.Cleanup(e.end)
	return e
}

func (e *sse) end() {
	e.cancel()
	e.closed()
}

// next gives the next event; comments are passed over.
func (e *sse) next() sseEvent {
	e.t.Helper()
	var ev sseEvent
	for e.lines.Scan() {
		line := e.lines.Text()
		if line == "" {
			if ev != (sseEvent{}) {
				return ev
			}
			continue
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "event":
			ev.name = value
		case "id":
			ev.id = value
		case "data":
			ev.data = value
		}
	}
	e.t.Fatalf("the stream ended: %v", e.lines.Err())
	return ev
}

// want reads one record with a text.
func (e *sse) want(text string) string {
	e.t.Helper()
	ev := e.next()
	var got Event
	if err := json.Unmarshal([]byte(ev.data), &got); err != nil || ev.name != "" || got.Text != text {
		e.t.Fatalf("event %+v, want a record %q", ev, text)
	}
	return ev.id
}

func (e *sse) wantName(name string) sseEvent {
	e.t.Helper()
	ev := e.next()
	if ev.name != name {
		e.t.Fatalf("event %+v, want %q", ev, name)
	}
	return ev
}

func TestStreamResumes(t *testing.T) {
	x := signedIn(t)
	e := x.follow("/v1/events", "")
	e.wantName("ready") // what was before is not told
	x.d.emit("a", 1, "one")
	x.d.emit("b", 1, "two")
	id := e.want("one")
	e.want("two")
	e.end()

	x.d.emit("c", 1, "three")
	again := x.follow("/v1/events", id)
	again.wantName("ready")
	again.want("two")
	again.want("three")
	again.end()

	// A browser's EventSource cannot send the header when the page opens anew.
	query := x.follow("/v1/events?lastEventId="+id, "")
	query.wantName("ready")
	query.want("two")
	query.end()
	x.refused(http.MethodGet, "/v1/events", "", 400, win32.ERROR_INVALID_PARAMETER, "Accept", "text/event-stream", "Last-Event-ID", "nonsense")
}

func TestStreamOverRestart(t *testing.T) {
	x := signedIn(t)
	e := x.follow("/v1/events", "")
	e.wantName("ready")
	x.d.emit("a", 1, "one")
	id := e.want("one")
	x.d.stop()
	e.wantName("gone")
	x.d.restart()
	if ev := e.wantName("reset"); !strings.HasSuffix(ev.id, ".0") {
		t.Errorf("the new daemon's log is followed from %s", ev.id)
	}
	e.next() // daemon-start
	x.d.emit("b", 1, "two")
	e.want("two")

	// A stream that asks for the old daemon's place is told to begin anew.
	late := x.follow("/v1/events", id)
	late.wantName("reset")
}

func TestStreamTellsOfLoss(t *testing.T) {
	x := signedIn(t)
	e := x.follow("/v1/events", "")
	e.wantName("ready")
	x.d.emit("a", 1, "one")
	id := e.want("one")
	e.end()
	for i := range 5 {
		x.d.emit("x", 1, fmt.Sprint(i))
	}
	x.d.mu.Lock()
	x.d.events = x.d.events[len(x.d.events)-2:] // the ring is full
	x.d.mu.Unlock()
	e = x.follow("/v1/events", id)
	e.wantName("ready")
	if ev := e.wantName("reset"); !strings.Contains(ev.data, `"lost":3`) {
		t.Errorf("data %s", ev.data)
	}
	e.want("3")
	e.want("4")
}

func TestStreamAuditIsRefused(t *testing.T) {
	x := newSite(t)
	x.d.ticket("bob", `DEMO\bob`)
	var got struct{ Token string }
	x.call(http.MethodPost, "/v1/signin", `{"ticket":"bob"}`, 200, &got)
	x.token = got.Token
	p := x.refused(http.MethodGet, "/v1/audit", "", 403, win32.ERROR_ACCESS_DENIED, "Accept", "text/event-stream")
	if p.Rule != "SE-64" {
		t.Errorf("problem %+v", p)
	}
}

func TestStreamBound(t *testing.T) {
	x := signedIn(t)
	for range maxStreams {
		x.follow("/v1/events", "").wantName("ready")
	}
	x.refused(http.MethodGet, "/v1/events", "", 429, win32.ERROR_NOT_ENOUGH_QUOTA, "Accept", "text/event-stream")
}

// A browser that leaves takes its connection to the daemon with it.
func TestStreamLeaves(t *testing.T) {
	x := signedIn(t)
	before := x.d.openConns()
	e := x.follow("/v1/events", "")
	e.wantName("ready")
	e.end()
	eventually(t, "the stream's connection is closed", func() bool { return x.d.openConns() <= before })
}

func TestOpenAPI(t *testing.T) {
	x := newSite(t)
	var doc struct {
		OpenAPI    string                               `json:"openapi"`
		Paths      map[string]map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas         map[string]any `json:"schemas"`
			SecuritySchemes map[string]any `json:"securitySchemes"`
		} `json:"components"`
	}
	raw := x.call(http.MethodGet, "/v1/openapi.json", "", 200, &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	ids, count := map[string]bool{}, 0
	for path, ops := range doc.Paths {
		for method, op := range ops {
			count++
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operation ID %q is missing or used twice", method, path, id)
			}
			ids[id] = true
			if op["summary"] == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
			responses, _ := op["responses"].(map[string]any)
			if len(responses) < 2 || responses["default"] == nil {
				t.Errorf("%s %s tells no error", method, path)
			}
			declared := map[string]bool{}
			params, _ := op["parameters"].([]any)
			for _, p := range params {
				p := p.(map[string]any)
				if p["in"] == "path" {
					declared[p["name"].(string)] = true
				}
			}
			for _, part := range strings.Split(path, "/") {
				if name, ok := strings.CutPrefix(part, "{"); ok {
					if !declared[strings.TrimSuffix(name, "}")] {
						t.Errorf("%s %s: parameter %s is not declared", method, path, part)
					}
				}
			}
		}
	}
	if count < 35 {
		t.Errorf("only %d operations", count)
	}
	for _, ref := range refs(t, raw) {
		name, ok := strings.CutPrefix(ref, "#/components/schemas/")
		if !ok || doc.Components.Schemas[name] == nil {
			t.Errorf("reference %s leads nowhere", ref)
		}
	}
	if doc.Components.SecuritySchemes["bearer"] == nil || doc.Components.Schemas["Problem"] == nil {
		t.Error("bearer scheme or Problem is missing")
	}
	shot, _ := doc.Paths["/v1/sessions/{id}/desktops/{desktop}/screenshot.png"]["get"]["responses"].(map[string]any)
	if b, _ := json.Marshal(shot["200"]); !strings.Contains(string(b), "image/png") {
		t.Errorf("screenshot answers %s", b)
	}
	x.call(http.MethodGet, "/docs", "", 404, nil)
}

// refs lists every $ref of a document.
func refs(t *testing.T, raw []byte) (out []string) {
	var any any
	if err := json.Unmarshal(raw, &any); err != nil {
		t.Fatal(err)
	}
	var walk func(v interface{})
	walk = func(v interface{}) {
		switch v := v.(type) {
		case map[string]interface{}:
			for k, e := range v {
				if s, ok := e.(string); ok && k == "$ref" {
					out = append(out, s)
				}
				walk(e)
			}
		case []interface{}:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(any)
	return out
}
