// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"stationmaster/internal/api"
	"stationmaster/internal/object"
	"stationmaster/internal/rfb/encode"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// maxInputEvents bounds one SendInput, maxInputText the text to type in it.
const (
	maxInputEvents = 1024
	maxInputText   = 4096
)

// sees reports whether a token is granted rights on an object, without leaving
// an audit record: listings show what may be seen and say nothing of the rest.
func sees(tok *security.Token, o object.Object, rights win32.AccessMask) bool {
	h := o.Head()
	_, err := security.Check(tok, h.Descriptor(), rights, h.Kind().Mapping)
	return err == nil
}

// need checks the caller's rights on an object and audits a refusal.
func need(c *Call, op, name string, o object.Object, rights win32.AccessMask, rule string) error {
	h := o.Head()
	_, err := c.Thread.Check(op, name, h.Descriptor(), rights, h.Kind().Mapping, rule)
	return err
}

// ListDesktops lists the window stations and desktops of a session that the caller may see, with
// their facts. Rules: WS-31, DT-30.
func (s *Services) ListDesktops(_ context.Context, c *Call, q *api.SessionRequest) (*api.TreeReply, error) {
	se, err := c.Thread.CheckSession("ListDesktops", q.SessionID, win32.WINSTATION_QUERY)
	if err != nil {
		return nil, err
	}
	tok := c.Thread.EffectiveToken()
	r := &api.TreeReply{}
	for _, w := range se.Stations() {
		if !sees(tok, w, win32.WINSTA_ENUMERATE) {
			continue
		}
		row := api.WindowStation{Name: w.Name(), Interactive: w.Interactive(), SDDL: s.sddl(tok, w)}
		if sid := w.UserSID(); !sid.IsZero() {
			row.User = sid.String()
		}
		if u := se.User(); u != nil && w.Interactive() {
			row.LogonID = uint64(u.LogonID())
		}
		if sees(tok, w, win32.WINSTA_ENUMDESKTOPS) {
			for _, d := range w.Desktops() {
				if sees(tok, d, win32.DESKTOP_ENUMERATE) {
					row.Desktops = append(row.Desktops, s.desktop(tok, d))
				}
			}
		}
		r.Stations = append(r.Stations, row)
	}
	return r, nil
}

// desktop tells the facts of a desktop.
func (s *Services) desktop(tok *security.Token, d *station.Desktop) api.Desktop {
	w := d.Station()
	row := api.Desktop{
		Station: w.Name(), Name: d.Name(), Active: d.Active(), Secure: d.Secure(),
		HeapKB: d.HeapKB(), HeapUsed: d.HeapUsed(), SDDL: s.sddl(tok, d),
	}
	row.Threads, row.Processes = d.Users()
	if su := d.CurrentSurface(); su != nil {
		row.Surface = su.Kind()
		width, height := su.Size()
		row.Width, row.Height = uint32(width), uint32(height)
		if f, ok := su.(interface {
			Facts() (display, trouble string)
		}); ok {
			row.Display, row.Trouble = f.Facts()
		}
	}
	return row
}

// sddl prints the owner, group and DACL of an object for who may read them.
func (s *Services) sddl(tok *security.Token, o object.Object) string {
	if !sees(tok, o, win32.READ_CONTROL) {
		return ""
	}
	return o.Head().Descriptor().SDDL(readableParts, s.Engine.Machine())
}

// readableParts are those that READ_CONTROL shows.
const readableParts = security.OwnerInformation | security.GroupInformation | security.DACLInformation | security.LabelInformation

// stationOf finds a window station of a session from outside. A caller who may
// not enumerate it gets the same error as for one that is not there; only the
// audit log tells them apart.
func (s *Services) stationOf(c *Call, op string, session uint32, name string) (*station.Session, *station.WindowStation, error) {
	se, err := c.Thread.CheckSession(op, session, win32.WINSTATION_QUERY)
	if err != nil {
		return nil, nil, err
	}
	name = cmp.Or(name, "WinSta0")
	w, ok := se.Station(name)
	if !ok || need(c, op, name, w, win32.WINSTA_ENUMERATE, "WS-31") != nil {
		return nil, nil, &win32.Error{Op: op, Object: name, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "WS-31"}
	}
	return se, w, nil
}

// desktopOf finds a desktop of a session from outside; an empty name is the
// active one.
func (s *Services) desktopOf(c *Call, op string, session uint32, stationName, name string) (*station.Session, *station.Desktop, error) {
	if st, d, ok := strings.Cut(name, `\`); ok && stationName == "" {
		stationName, name = st, d
	}
	se, w, err := s.stationOf(c, op, session, stationName)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		if d := se.ActiveDesktop(); d != nil && d.Station() == w {
			return se, d, nil
		}
		return nil, nil, &win32.Error{Op: op, Object: w.Name() + `\`, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "DT-44"}
	}
	d, ok := w.Desktop(name)
	if !ok {
		return nil, nil, &win32.Error{Op: op, Object: w.Name() + `\` + name, Code: win32.ERROR_FILE_NOT_FOUND, Rule: "DT-29"}
	}
	return se, d, nil
}

// CreateSessionDesktop creates a desktop in another session and lets the session manager hold it;
// needs WINSTA_CREATEDESKTOP on that station. Rules: DT-16, DT-26, DT-42.
func (s *Services) CreateSessionDesktop(ctx context.Context, c *Call, q *api.SessionDesktopRequest) (*api.DesktopReply, error) {
	const op = "CreateSessionDesktop"
	se, w, err := s.stationOf(c, op, q.SessionID, q.Station)
	if err != nil {
		return nil, err
	}
	if err := need(c, op, w.Name(), w, win32.WINSTA_CREATEDESKTOP, "DT-16"); err != nil {
		return nil, err
	}
	d, err := s.Engine.CreateHeldDesktop(se, w.Name(), station.DesktopOptions{
		Name: q.Desktop, HeapKB: q.HeapKB, Surface: q.Surface, Width: int(q.Width), Height: int(q.Height),
	})
	if err != nil {
		return nil, err
	}
	if _, err := d.Surface(ctx); err != nil { // making it is cheap, and tells whether the kind can be had
		s.Engine.ReleaseDesktop(d)
		return nil, fmt.Errorf("cannot make the surface of %s: %w", d.Path(), err)
	}
	return settled(ctx, s, &api.DesktopReply{Desktop: s.desktop(c.Thread.EffectiveToken(), d)}, nil)
}

// CloseSessionDesktop lets a desktop go that the session manager holds. The
// four desktops of WinSta0 live as long as their session (DT-42).
func (s *Services) CloseSessionDesktop(_ context.Context, c *Call, q *api.SessionDesktopRequest) error {
	const op = "CloseSessionDesktop"
	_, d, err := s.desktopOf(c, op, q.SessionID, q.Station, q.Desktop)
	if err != nil {
		return err
	}
	if err := need(c, op, d.Path(), d, win32.DELETE, "DT-41"); err != nil {
		return err
	}
	if d.Secure() || d.Station().Interactive() && strings.EqualFold(d.Name(), "Default") {
		return &win32.Error{Op: op, Object: d.Path(), Code: win32.ERROR_BUSY, Rule: "DT-42"}
	}
	s.Engine.ReleaseDesktop(d)
	return nil
}

// SwitchSessionDesktop makes a desktop of a session active; needs DESKTOP_SWITCHDESKTOP, refused
// while a secure desktop is active. Rules: DT-46.
func (s *Services) SwitchSessionDesktop(_ context.Context, c *Call, q *api.SessionDesktopRequest) error {
	const op = "SwitchSessionDesktop"
	se, d, err := s.desktopOf(c, op, q.SessionID, q.Station, q.Desktop)
	if err != nil {
		return err
	}
	if err := need(c, op, d.Path(), d, win32.DESKTOP_SWITCHDESKTOP, "DT-46"); err != nil {
		return err
	}
	if !d.Station().Interactive() || d.Secure() {
		return c.Thread.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "DT-46", "it is no desktop that programs are shown on")
	}
	if now := se.ActiveDesktop(); now != nil && now.Secure() {
		return c.Thread.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "DT-46", "a secure desktop is active")
	}
	return s.Engine.SwitchDesktop(se, d.Name())
}

// CreateSessionStation makes a window station in a session; administrators
// only, as for CreateWindowStation with a name.
func (s *Services) CreateSessionStation(_ context.Context, c *Call, q *api.SessionDesktopRequest) error {
	const op = "CreateSessionStation"
	se, err := c.Thread.CheckSession(op, q.SessionID, win32.WINSTATION_SET)
	if err != nil {
		return err
	}
	if err := requireAdministrator(c, op, q.Station, "WS-15"); err != nil {
		return err
	}
	_, err = s.Engine.CreateHeldStation(se, q.Station, c.Thread.EffectiveToken())
	return err
}

// CaptureDesktop takes a picture of a desktop, active or not; needs DESKTOP_READOBJECTS and
// WINSTA_READSCREEN. Never of Winlogon. Rules: IN-11.
func (s *Services) CaptureDesktop(ctx context.Context, c *Call, q *api.CaptureRequest) (*api.CaptureReply, error) {
	const op = "CaptureDesktop"
	if s.Display == nil {
		return nil, without(op, "display")
	}
	se, d, err := s.desktopOf(c, op, q.SessionID, q.Station, q.Desktop)
	if err != nil {
		return nil, err
	}
	w := d.Station()
	if d.Secure() {
		return nil, c.Thread.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "IN-11", "nobody may read the pixels of a secure desktop")
	}
	if err := need(c, op, d.Path(), d, win32.DESKTOP_READOBJECTS, "IN-11"); err != nil {
		return nil, err
	}
	if w.Interactive() { // the right means nothing on other stations (AR-28)
		if err := need(c, op, w.Name(), w, win32.WINSTA_READSCREEN, "IN-11"); err != nil {
			return nil, err
		}
	}
	if _, err := d.Surface(ctx); err != nil { // a desktop nobody has used has none yet
		return nil, fmt.Errorf("cannot make the surface of %s: %w", d.Path(), err)
	}
	img, err := s.Display.Capture(ctx, se.ID(), w.Name(), d.Name())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := encode.PNG(&b, img); err != nil {
		return nil, fmt.Errorf("cannot encode the picture of %s: %w", d.Path(), err)
	}
	return &api.CaptureReply{PNG: b.Bytes(), Width: uint32(img.Rect.Dx()), Height: uint32(img.Rect.Dy())}, nil
}

// SendInput feeds injected input to the active desktop. It never waits for a
// desktop to become active (IN-11), and answers no box of the session manager
// (IN-10).
func (s *Services) SendInput(_ context.Context, c *Call, q *api.SendInputRequest) error {
	const op = "SendInput"
	if s.Display == nil {
		return without(op, "display")
	}
	text := 0
	for i := range q.Events {
		text += len(q.Events[i].Text)
		if k := q.Events[i].Kind; k < inputKey || k > inputText {
			return &win32.Error{Op: op, Object: fmt.Sprintf("event %d", i), Code: win32.ERROR_INVALID_PARAMETER, Rule: "IN-2"}
		}
	}
	if len(q.Events) > maxInputEvents || text > maxInputText {
		return &win32.Error{Op: op, Object: "events", Code: win32.ERROR_INVALID_PARAMETER, Rule: "IN-2"}
	}
	se, d, err := s.desktopOf(c, op, q.SessionID, "", q.Desktop)
	if err != nil {
		return err
	}
	if err := need(c, op, d.Path(), d, win32.DESKTOP_JOURNALPLAYBACK, "IN-2"); err != nil {
		return err
	}
	if !d.Active() {
		return c.Thread.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "IN-11", "the desktop is not the input desktop of its session")
	}
	err = s.Display.Inject(se.ID(), d.Name(), q.Events)
	if win32.Code(err) == win32.ERROR_ACCESS_DENIED {
		// Its own check stands where no desktop can change in between.
		return c.Thread.Refuse(op, d.Path(), win32.ERROR_ACCESS_DENIED, "IN-10", "programs type on no secure desktop, and on the active one only")
	}
	return err
}

// person reports whether the caller's viewer input is a person's: it came with
// a token redeemed from a person's ticket, or the operator's own program opened
// the viewer. Whatever runs inside a session is a program (IN-9).
func person(c *Call) bool {
	return c.Thread.Origin() == originPerson || !c.Peer.InSession && c.Thread.Origin() == "" && c.Thread.EffectiveToken().IsSystem()
}

// screenOf gives a session for whoever may sit at its screen: CONNECT, which
// everybody has who may log on, and for somebody else's screen SHADOW.
func screenOf(c *Call, op string, id uint32) (*station.Session, error) {
	se, err := c.Thread.CheckSession(op, id, win32.WINSTATION_CONNECT)
	if err != nil {
		return nil, err
	}
	if u := se.User(); u == nil || u.User() != c.Thread.EffectiveToken().User() {
		if _, err := c.Thread.CheckSession(op, id, win32.WINSTATION_SHADOW); err != nil {
			return nil, err
		}
	}
	return se, nil
}

// OpenViewer turns the connection into an RFB stream that shows a session and, unless it is
// read-only, takes a person's input. Rules: IN-9, SES-23.
func (s *Services) OpenViewer(ctx context.Context, c *Call, q *api.OpenViewerRequest) (*api.OpenViewerReply, error) {
	const op = "OpenViewer"
	if s.Display == nil {
		return nil, without(op, "display")
	}
	se, err := screenOf(c, op, q.SessionID)
	if err != nil {
		return nil, err
	}
	if se.ID() == 0 && s.Engine.Mode() == station.Isolated {
		return nil, &win32.Error{Op: op, Object: "session 0", Code: win32.ERROR_CTX_WINSTATION_ACCESS_DENIED, Rule: "SES-12"}
	}
	if d := se.ActiveDesktop(); d != nil {
		if _, err := d.Surface(ctx); err != nil {
			return nil, fmt.Errorf("cannot make the surface of %s: %w", d.Path(), err)
		}
	}
	o := ViewOptions{Person: person(c), ReadOnly: q.ReadOnly, Name: fmt.Sprintf("session %d", se.ID())}
	if _, user := se.UserName(); user != "" {
		o.Name = fmt.Sprintf("%s (session %d)", user, se.ID())
	}
	who, pid := c.Thread.EffectiveToken().User().String(), c.Peer.PID
	c.Takeover(func(ctx context.Context, conn net.Conn) {
		s.Engine.Publish(EventViewerOpen, se.ID(), map[string]string{"pid": fmt.Sprint(pid), "user": who})
		err := s.Display.View(ctx, conn, se.ID(), o)
		if err != nil && !errors.Is(err, net.ErrClosed) && ctx.Err() == nil {
			s.log().Info("a viewer left", "session", se.ID(), "err", err)
		}
		s.Engine.Publish(EventViewerClose, se.ID(), map[string]string{"pid": fmt.Sprint(pid), "user": who})
	})
	return &api.OpenViewerReply{Name: o.Name}, nil
}

// Kinds of events of viewers.
const (
	EventViewerOpen  = "viewer-open"  // pid, user
	EventViewerClose = "viewer-close" // pid, user
)

// SecureAttention does what Ctrl+Alt+Del does, for a person only.
func (s *Services) SecureAttention(_ context.Context, c *Call, q *api.SessionRequest) error {
	const op = "SecureAttention"
	if s.Winlogon == nil {
		return without(op, "accounts")
	}
	se, err := screenOf(c, op, q.SessionID)
	if err != nil {
		return err
	}
	if !person(c) {
		return c.Thread.Refuse(op, fmt.Sprintf("session %d", se.ID()), win32.ERROR_ACCESS_DENIED, "LGN-14", "only a person at a viewer may ask for it")
	}
	s.Winlogon.SecureAttention(se.ID())
	return nil
}
