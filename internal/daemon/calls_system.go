// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

const (
	logDefault = 1000             // records in one answer
	logLongest = 60 * time.Second // one wait for news
	maxObjects = 4096             // entries of one directory in one answer
)

// errVersion ends a connection whose client speaks another version.
var errVersion = errors.New("the client speaks another version of the wire")

// Hello tells the caller who it is taken for. A client of another version is
// turned away with ERROR_UNKNOWN_REVISION.
func (s *Services) Hello(_ context.Context, c *Call, q *api.HelloRequest) (*api.HelloReply, error) {
	if q.Version != api.Version {
		return nil, fmt.Errorf("%w: it has %d, this daemon %d: %w", errVersion, q.Version, api.Version,
			&win32.Error{Op: "Hello", Object: fmt.Sprintf("version %d", q.Version), Code: win32.ERROR_UNKNOWN_REVISION})
	}
	p := c.Thread.Process()
	return &api.HelloReply{
		Version: api.Version, ProductString: s.Product, ProcessID: uint32(p.ID()), ThreadID: c.Thread.ID(),
		SessionID: p.Session().ID(), User: p.Token().User().String(), Mode: s.Engine.Mode().String(), DaemonID: s.Daemon,
	}, nil
}

// Ping gives the payload back; measures a round trip.
func (s *Services) Ping(_ context.Context, _ *Call, q *api.PingRequest) (*api.PingReply, error) {
	return &api.PingReply{Payload: q.Payload}, nil
}

// Status tells mode, isolation level and why, version and counts. Rules: SES-1.
func (s *Services) Status(_ context.Context, c *Call) (*api.StatusReply, error) {
	r := &api.StatusReply{
		Version: s.Version, Mode: s.Engine.Mode().String(), StartedNanos: nanos(s.Started),
		UptimeSeconds: uint64(time.Since(s.Started) / time.Second),
	}
	for _, se := range s.Engine.Sessions() {
		r.Sessions++
		r.Processes += uint32(len(se.Processes()))
		for _, w := range se.Stations() {
			r.Desktops += uint32(len(w.Desktops()))
		}
	}
	if c.server != nil {
		r.Connections = uint32(c.server.Connections())
	}
	if s.FillStatus != nil {
		s.FillStatus(r)
	}
	return r, nil
}

// ReadEvents gives the events of the caller's own session, or that of the user
// it acts as, the session events of those it may query, and everything to
// administrators.
func (s *Services) ReadEvents(ctx context.Context, c *Call, q *api.ReadLogRequest) (*api.EventsReply, error) {
	r := &api.EventsReply{Next: q.After}
	tok := c.Thread.EffectiveToken()
	all := tok.IsAdministrator()
	err := poll(ctx, q, func(ctx context.Context, max int) (found bool, err error) {
		events, err := s.Engine.ReadEvents(ctx, r.Next, max)
		for _, ev := range events {
			r.Lost += gap(&r.Next, ev.Seq)
			if all || s.ownSession(c.Thread, ev.Session) || strings.HasPrefix(ev.Kind, "session-") && s.mayQuery(tok, ev.Session) {
				r.Events = append(r.Events, event(ev))
			}
		}
		return len(r.Events) > 0, err
	})
	return r, err
}

// ReadAudit gives refusals to administrators.
func (s *Services) ReadAudit(ctx context.Context, c *Call, q *api.ReadLogRequest) (*api.AuditReply, error) {
	if err := requireAdministrator(c, "ReadAudit", "audit log", "SE-64"); err != nil {
		return nil, err
	}
	r := &api.AuditReply{Next: q.After}
	err := poll(ctx, q, func(ctx context.Context, max int) (found bool, err error) {
		records, err := s.Engine.ReadAudit(ctx, r.Next, max)
		for _, a := range records {
			r.Lost += gap(&r.Next, a.Seq) + a.Lost
			r.Records = append(r.Records, s.auditRecord(a))
		}
		return len(r.Records) > 0, err
	})
	return r, err
}

// gap counts the records between *next and seq, which the log no longer had,
// and moves *next on.
func gap(next *uint64, seq uint64) uint64 {
	n := seq - *next - 1
	*next = seq
	return n
}

// poll calls read until it found something or the request's time is over. The
// end of that time is no error; that of ctx is.
func poll(ctx context.Context, q *api.ReadLogRequest, read func(ctx context.Context, max int) (bool, error)) error {
	max := int(q.Max)
	if max == 0 || max > logDefault {
		max = logDefault
	}
	wait, cancel := context.WithTimeout(ctx, min(time.Duration(q.Millis)*time.Millisecond, logLongest))
	defer cancel()
	for {
		found, err := read(wait, max)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case found, errors.Is(err, context.DeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
	}
}

// ownSession reports whether a session is the caller's own: its program runs
// there and acts as itself, or the caller acts as the session's user. The
// console runs in session 0 and acts for others; callers from outside are
// counted to session 0 only.
func (s *Services) ownSession(t *station.Thread, id uint32) bool {
	tok := t.EffectiveToken()
	if !tok.MayAct() {
		return false
	}
	if p := t.Process(); !p.Outside() && p.Session().ID() == id && p.Token().User() == tok.User() {
		return true
	}
	se, ok := s.Engine.Session(id)
	return ok && se.User() != nil && se.User().User() == tok.User()
}

// mayQuery reports whether a token has QUERY on a session that is there.
func (s *Services) mayQuery(tok *security.Token, id uint32) bool {
	se, ok := s.Engine.Session(id)
	return ok && sees(tok, se, win32.WINSTATION_QUERY)
}

// event words an engine event for the wire.
func event(ev station.Event) api.Event {
	out := api.Event{Seq: ev.Seq, Nanos: nanos(ev.Time), Kind: ev.Kind, SessionID: ev.Session}
	out.Code, _ = logon.SessionChange(ev)
	var rest []string
	for k, v := range ev.Fields {
		switch k {
		case "pid":
			n, _ := strconv.ParseUint(v, 10, 32)
			out.ProcessID = uint32(n)
		case "object":
			out.Object = v
		case "station", "desktop":
		default:
			if v != "" {
				rest = append(rest, k+"="+v)
			}
		}
	}
	if out.Object == "" {
		out.Object = strings.Trim(ev.Fields["station"]+`\`+ev.Fields["desktop"], `\`)
	}
	slices.Sort(rest)
	out.Text = strings.Join(rest, " ")
	return out
}

func (s *Services) auditRecord(a station.AuditRecord) api.AuditRecord {
	out := api.AuditRecord{
		Seq: a.Seq, Nanos: nanos(a.Time), SessionID: a.Session, ProcessID: uint32(a.PID), User: a.User, Op: a.Op, Object: a.Object,
		Desired: uint32(a.Desired), Granted: uint32(a.Desired &^ a.Missing), Code: uint32(a.Code), ACE: int32(a.ACE), ACEText: a.Why, Rule: a.Rule,
	}
	if sid, err := security.ParseSID(a.User); err == nil {
		out.UserName = s.nameOf(sid)
	}
	return out
}

// listRight is what listing an object's entries needs.
func listRight(o object.Object) (right win32.AccessMask, ok bool) {
	switch o.(type) {
	case *object.Directory:
		return win32.DIRECTORY_QUERY, true
	case *station.WindowStation:
		return win32.WINSTA_ENUMDESKTOPS, true
	}
	return 0, false
}

// ListObjects lists a directory of the object tree, for who may pass every
// directory on the way and query the last. Rules: OBJ-1, OBJ-2, OBJ-4.
func (s *Services) ListObjects(_ context.Context, c *Call, q *api.PathRequest) (*api.ObjectsReply, error) {
	const op = "ListObjects"
	path := `\` + strings.Trim(q.Path, `\`)
	o, err := c.Thread.ObjectAt(op, path)
	if err != nil {
		return nil, err
	}
	if l, ok := o.(*object.Link); ok {
		if o, err = c.Thread.ObjectAt(op, l.Target()); err != nil {
			return nil, err
		}
	}
	right, ok := listRight(o)
	if !ok {
		return nil, &win32.Error{Op: op, Object: path, Code: win32.ERROR_PATH_NOT_FOUND, Rule: "OBJ-1"}
	}
	if err := need(c, op, path, o, right, "OBJ-1"); err != nil {
		return nil, err
	}
	var entries []object.Object
	tok := c.Thread.EffectiveToken()
	switch o := o.(type) {
	case *object.Directory:
		entries = o.List()
	case *station.WindowStation:
		for _, d := range o.Desktops() {
			if sees(tok, d, win32.DESKTOP_ENUMERATE) {
				entries = append(entries, d)
			}
		}
	}
	r := &api.ObjectsReply{}
	if len(entries) > maxObjects {
		// Whoever may name objects could else keep everybody from the list.
		r.Left = uint32(len(entries) - maxObjects)
		entries = entries[:maxObjects]
	}
	for _, e := range entries {
		if w, ok := e.(*station.WindowStation); ok && !sees(tok, w, win32.WINSTA_ENUMERATE) {
			continue // WS-31
		}
		r.Objects = append(r.Objects, s.object(tok, strings.TrimSuffix(path, `\`)+`\`+e.Head().ObjectName(), e))
	}
	return r, nil
}

// ShowObject tells the facts of one object of the tree, its descriptor included. Rules: OBJ-1.
func (s *Services) ShowObject(_ context.Context, c *Call, q *api.PathRequest) (*api.ObjectReply, error) {
	const op = "ShowObject"
	path := `\` + strings.Trim(q.Path, `\`)
	o, err := c.Thread.ObjectAt(op, path)
	if err != nil {
		return nil, err
	}
	if err := need(c, op, path, o, win32.READ_CONTROL, "SE-63"); err != nil {
		return nil, err
	}
	return &api.ObjectReply{Object: s.object(c.Thread.EffectiveToken(), path, o)}, nil
}

// object tells the facts of one entry of the tree.
func (s *Services) object(tok *security.Token, path string, o object.Object) api.Object {
	h := o.Head()
	out := api.Object{Path: path, Name: h.ObjectName(), Type: h.Kind().Name, SDDL: s.sddl(tok, o), Handles: uint32(max(h.Handles(), 0))}
	fact := func(name string, value any) {
		out.Facts = append(out.Facts, api.Fact{Name: name, Value: fmt.Sprint(value)})
	}
	if h.Permanent() {
		fact("permanent", true)
	}
	switch o := o.(type) {
	case station.Described:
		if !sees(tok, o.(object.Object), h.Kind().Mapping.Read) {
			break
		}
		for _, f := range o.Facts() {
			fact(f.Name, f.Value)
		}
	case *object.Link:
		out.Target = o.Target()
	case *object.Directory:
		fact("entries", o.Len())
	case *station.WindowStation:
		fact("session", o.Session().ID())
		fact("interactive", o.Interactive())
		fact("desktops", len(o.Desktops()))
		if sid := o.UserSID(); !sid.IsZero() {
			fact("user", s.nameOf(sid))
		}
	case *station.Desktop:
		d := s.desktop(tok, o)
		fact("session", o.Session().ID())
		fact("active", d.Active)
		fact("secure", d.Secure)
		fact("heap", fmt.Sprintf("%d KB, %d bytes used", d.HeapKB, d.HeapUsed))
		fact("threads", d.Threads)
		if d.Surface != "" {
			fact("surface", fmt.Sprintf("%s %dx%d", d.Surface, d.Width, d.Height))
		}
		if d.Display != "" {
			fact("display", d.Display)
		}
	}
	return out
}

// SetObjectSecurity replaces parts of the descriptor of an object of the tree,
// for who has the rights to on the object itself. Rules: SE-63, UO-16.
func (s *Services) SetObjectSecurity(_ context.Context, c *Call, q *api.SetObjectSecurityRequest) error {
	const op = "SetObjectSecurity"
	path := `\` + strings.Trim(q.Path, `\`)
	o, err := c.Thread.ObjectAt(op, path)
	if err != nil {
		return err
	}
	sd, err := security.ParseSDDL(q.SDDL, s.Engine.Machine())
	if err != nil {
		return err
	}
	parts := q.Parts
	if parts == 0 {
		parts = namedParts(sd)
	}
	if parts == 0 {
		return &win32.Error{Op: op, Object: path, Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-63"}
	}
	h := o.Head()
	if err := need(c, op, path, o, security.RightsToSet(parts), "SE-63"); err != nil {
		return err
	}
	s.descriptors.Lock()
	defer s.descriptors.Unlock()
	merged, err := h.Descriptor().Merge(parts, sd, c.Thread.EffectiveToken(), h.Kind().Mapping)
	if err != nil {
		return err
	}
	h.SetDescriptor(merged)
	session := uint32(0)
	switch o := o.(type) {
	case *station.WindowStation:
		session = o.Session().ID()
	case *station.Desktop:
		session = o.Session().ID()
	}
	s.Engine.Publish(station.EventDescriptorChange, session, map[string]string{"object": path, "pid": fmt.Sprint(c.Peer.PID)})
	return nil
}

// namedParts gives the SECURITY_INFORMATION bits of what a descriptor holds.
func namedParts(sd *security.Descriptor) uint32 {
	var parts uint32
	if !sd.Owner().IsZero() {
		parts |= security.OwnerInformation
	}
	if !sd.Group().IsZero() {
		parts |= security.GroupInformation
	}
	if _, ok := sd.DACL(); ok {
		parts |= security.DACLInformation
	}
	if acl, ok := sd.SACL(); ok {
		if _, _, label := sd.Label(); label && len(acl.ACEs) == 1 {
			parts |= security.LabelInformation
		} else {
			parts |= security.SACLInformation
		}
	}
	return parts
}

// Shutdown begins the end of the daemon. The privilege is not enabled in a
// token by default; whoever holds it may use this call, as there is none here
// that enables it.
func (s *Services) Shutdown(_ context.Context, c *Call, q *api.ShutdownRequest) error {
	const op = "ExitWindowsEx"
	if err := requireAdministrator(c, op, "daemon", "WTS-41"); err != nil {
		return err
	}
	if !c.Thread.EffectiveToken().HoldsPrivilege(security.SeShutdownPrivilege) {
		return c.Thread.Refuse(op, "daemon", win32.ERROR_PRIVILEGE_NOT_HELD, "WTS-41", "SeShutdownPrivilege is not held")
	}
	if s.BeginShutdown == nil {
		return without(op, "shutdown")
	}
	// The end of the daemon closes this connection, too.
	c.After(func() { s.BeginShutdown(q.KeepSessions) })
	return nil
}

func (s *Services) log() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}

// nanos is a time on the wire; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
