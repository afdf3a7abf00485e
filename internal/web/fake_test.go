// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// fakeDaemon answers the calls the console makes, from memory. It checks what
// the console must get right: that a connection impersonates before it calls,
// that handles are closed, that tickets are used once.
type fakeDaemon struct {
	mu       sync.Mutex
	changed  *sync.Cond
	id       uint64
	down     bool
	handles  map[win32.Handle]string // open handles and what they are
	nextH    win32.Handle
	tickets  map[string]api.RedeemTicketReply
	redeemed map[string]bool // by the console's process: may be shown again to a new daemon
	sessions []api.Session
	trees    map[uint32][]api.WindowStation
	procs    []api.Process
	messages []api.Message
	services []api.Service
	accounts []api.Account
	events   []api.Event
	audit    []api.AuditRecord
	conns    map[*fakeConn]bool
	dials    int
	keys     []rune // typed at viewers
	inputs   []api.InputEvent
	sent     []api.SendMessageRequest
	answers  map[string]chan uint32 // by key
	fail     map[string]error       // by call
	objects  []api.Object
	raw      chan net.Conn // when set, OpenViewer hands the far end here instead of drawing
}

const pid0 = 4100

func newFakeDaemon() *fakeDaemon {
	d := &fakeDaemon{
		id: 0x51a7, nextH: 0x1000, handles: map[win32.Handle]string{},
		tickets: map[string]api.RedeemTicketReply{}, redeemed: map[string]bool{}, trees: map[uint32][]api.WindowStation{},
		conns: map[*fakeConn]bool{}, answers: map[string]chan uint32{}, fail: map[string]error{},
	}
	d.changed = sync.NewCond(&d.mu)
	start := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC).UnixNano()
	alice, bob := "S-1-5-21-1004336348-1177238915-682003330-1001", "S-1-5-21-1004336348-1177238915-682003330-1002"
	d.sessions = []api.Session{
		{ID: 0, Name: "Services", State: win32.WTSDisconnected, UserSID: "S-1-5-18", LogonID: 0x3e7, ProcessCount: 5},
		{ID: 1, Name: "Console", State: win32.WTSActive, User: "alice", Domain: "DEMO", UserSID: alice, LogonID: 0x2f0a1, InputDesktop: `WinSta0\Default`, LogonNanos: start, ConnectNanos: start, ProcessCount: 3, Viewers: 1},
		{ID: 2, Name: "VNC-Tcp#0", State: win32.WTSActive, User: "bob", Domain: "DEMO", UserSID: bob, LogonID: 0x31c44, InputDesktop: `WinSta0\Winlogon`, Locked: true, LogonNanos: start, ConnectNanos: start, ProcessCount: 2},
		{ID: 3, Name: "", State: win32.WTSDisconnected, User: "carol", Domain: "DEMO", UserSID: "S-1-5-21-1004336348-1177238915-682003330-1003", LogonID: 0x33b02, InputDesktop: `WinSta0\Disconnect`, LogonNanos: start, DisconnectNanos: start, ProcessCount: 1},
	}
	user := func(display string, active string) []api.WindowStation {
		return []api.WindowStation{{
			Name: "WinSta0", Interactive: true, User: alice, LogonID: 0x2f0a1, SDDL: "D:(A;;0xf037f;;;S-1-5-5-0-192673)(A;;0xf037f;;;SY)(A;;0x20327;;;BA)",
			Desktops: []api.Desktop{
				{Name: "Default", Active: active == "Default", Surface: "x11", Width: 1280, Height: 800, HeapKB: 20480, HeapUsed: 183_204, Threads: 6, Processes: 2, Display: display, SDDL: "D:(A;;0xf01ff;;;S-1-5-5-0-192673)(A;;0xf01ff;;;SY)"},
				{Name: "Winlogon", Active: active == "Winlogon", Secure: true, Surface: "builtin", Width: 1280, Height: 800, HeapKB: 128, HeapUsed: 2_048},
				{Name: "Disconnect", Active: active == "Disconnect", Secure: true, Surface: "builtin", Width: 1280, Height: 800, HeapKB: 96, HeapUsed: 512},
			},
		}}
	}
	d.trees[0] = []api.WindowStation{
		{Name: "Service-0x0-3e7$", User: "S-1-5-18", LogonID: 0x3e7, Desktops: []api.Desktop{{Name: "Default", Surface: "builtin", Width: 1024, Height: 768, HeapKB: 768, HeapUsed: 41_010, Threads: 9, Processes: 2}}},
		{Name: "Service-0x0-3e4$", User: "S-1-5-20", LogonID: 0x3e4, Desktops: []api.Desktop{{Name: "Default", Surface: "builtin", Width: 1024, Height: 768, HeapKB: 768, HeapUsed: 12_288, Threads: 4, Processes: 1}}},
		{Name: "Service-0x0-1d2f3$", User: alice, LogonID: 0x1d2f3, Desktops: []api.Desktop{{Name: "Default", Surface: "builtin", Width: 1024, Height: 768, HeapKB: 768, HeapUsed: 8_192, Threads: 1, Processes: 1}}},
	}
	d.trees[1], d.trees[2], d.trees[3] = user(":101", "Default"), user(":102", "Winlogon"), user(":103", "Disconnect")
	d.trees[1][0].Desktops = append(d.trees[1][0].Desktops, api.Desktop{Name: "Research", Surface: "x11", Width: 1280, Height: 800, HeapKB: 20480, HeapUsed: 65_536, Threads: 2, Processes: 1, Display: ":104"})
	proc := func(session, id uint32, name, user, station, desktop, service string, args ...string) {
		d.procs = append(d.procs, api.Process{SessionID: session, ProcessID: id, ParentID: 1, Name: name, User: user, WindowStation: station, Desktop: desktop, Service: service, StartedNanos: start, Args: args})
	}
	proc(0, 4101, "station", `NT AUTHORITY\NETWORK SERVICE`, "Service-0x0-3e4$", "Default", "console", "station", "web")
	proc(0, 4102, "backup", `DEMO\alice`, "Service-0x0-1d2f3$", "Default", "backup", "/usr/lib/demo/backup", "--ask")
	proc(0, 4103, "spooler", `NT AUTHORITY\SYSTEM`, "Service-0x0-3e7$", "Default", "spooler", "/usr/sbin/spooler")
	proc(1, 4201, "xterm", `DEMO\alice`, "WinSta0", "Default", "", "xterm", "-fa", "Mono")
	proc(1, 4203, "bash", `DEMO\alice`, "WinSta0", "Default", "", "bash")
	proc(1, 4210, "chromium", `DEMO\alice`, "WinSta0", "Research", "", "chromium", "--app=https://example.org")
	proc(2, 4301, "xterm", `DEMO\bob`, "WinSta0", "Default", "", "xterm")
	proc(2, 4303, "bash", `DEMO\bob`, "WinSta0", "Default", "", "bash")
	proc(3, 4401, "make", `DEMO\carol`, "WinSta0", "Default", "", "make", "-j2", "world")
	status := func(state, pid uint32) api.ServiceStatus {
		return api.ServiceStatus{Type: 16, State: state, ProcessID: pid, Accepts: win32.SERVICE_ACCEPT_STOP}
	}
	d.services = []api.Service{
		{Name: "backup", DisplayName: "Nightly backup", Account: `DEMO\alice`, Station: `Service-0x0-1d2f3$\Default`, Status: status(win32.SERVICE_RUNNING, 4102)},
		{Name: "console", DisplayName: "Stationmaster console", Account: `NT AUTHORITY\NetworkService`, Station: `Service-0x0-3e4$\Default`, Status: status(win32.SERVICE_RUNNING, 4101)},
		{Name: "spooler", DisplayName: "Print spooler", Account: "LocalSystem", Station: `Service-0x0-3e7$\Default`, Status: status(win32.SERVICE_RUNNING, 4103)},
		{Name: "updates", DisplayName: "Software updates", Account: "LocalSystem", Station: `Service-0x0-3e7$\Default`, Status: api.ServiceStatus{Type: 16, State: win32.SERVICE_STOPPED, Win32ExitCode: 1077}},
	}
	d.accounts = []api.Account{
		{Name: "alice", SID: alice, UID: 70001, GID: 70001, Admin: true}, {Name: "bob", SID: bob, UID: 70002, GID: 70002},
		{Name: "carol", UID: 70003, GID: 70003}, {Name: "SYSTEM", SID: "S-1-5-18", BuiltIn: true},
	}
	d.messages = []api.Message{{
		ID: 7, SessionID: 1, Desktop: `WinSta0\Default`, Title: "Nightly backup", Text: "Back up /home/alice to the archive now? It takes about four minutes.",
		Style: win32.MB_YESNO | win32.MB_ICONQUESTION, SenderPID: 4102, CreatedNanos: start, DeadlineNanos: time.Now().Add(9 * time.Minute).UnixNano(),
	}}
	d.sessions[1].Messages = 1
	d.objects = []api.Object{
		{Path: `\`, Type: "Directory", SDDL: "O:SYG:SYD:(A;;0x3;;;WD)"},
		{Path: `\BaseNamedObjects`, Name: "BaseNamedObjects", Type: "Directory", SDDL: "O:SYG:SYD:(A;;0xf;;;WD)"},
		{Path: `\BaseNamedObjects\ready`, Name: "ready", Type: "Event", SDDL: "O:SYG:SYD:(A;;0x1f0003;;;SY)", Handles: 2, Facts: []api.Fact{{Name: "signaled", Value: "false"}}},
		{Path: `\BaseNamedObjects\hidden`, Name: "hidden", Type: "Mutant", Handles: 1},
	}
	for i, e := range []struct {
		kind    string
		session uint32
		object  string
		text    string
	}{
		{"session-create", 0, "", "session 0 for services"}, {"service-start", 0, "spooler", "Print spooler runs as LocalSystem"},
		{"session-logon", 1, `DEMO\alice`, "logged on at the console"}, {"process-start", 1, "xterm", "pid 4201 on WinSta0\\Default"},
		{"session-logon", 2, `DEMO\bob`, "logged on through VNC-Tcp#0"}, {"session-lock", 2, "", ""}, {"desktop-switch", 2, `WinSta0\Winlogon`, ""},
		{"message-show", 1, "Nightly backup", "asked by pid 4102"},
	} {
		d.events = append(d.events, api.Event{Seq: uint64(i + 1), Nanos: start + int64(i)*1e9, Kind: e.kind, SessionID: e.session, Object: e.object, Text: e.text})
	}
	d.audit = []api.AuditRecord{
		{Seq: 1, Nanos: start, SessionID: 2, ProcessID: 4303, User: bob, UserName: `DEMO\bob`, Op: "OpenDesktop", Object: `WinSta0\Winlogon`, Desired: 0x100, Code: 5, ACE: -1, Rule: "DT-9"},
		{Seq: 2, Nanos: start + 4e9, SessionID: 2, ProcessID: 4303, User: bob, UserName: `DEMO\bob`, Op: "WTSSendMessage", Object: "session 1", Desired: 0x80, Code: 5, ACE: 2, ACEText: "(A;;0x80;;;BA)", Rule: "WTS-30"},
	}
	return d
}

// ticket makes a ticket for a person.
func (d *fakeDaemon) ticket(name, user string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tickets[name] = api.RedeemTicketReply{Person: true, User: user, Admin: user == `DEMO\alice`}
	return name
}

// emit adds an event and wakes those who wait for one.
func (d *fakeDaemon) emit(kind string, session uint32, text string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.emitLocked(kind, session, text)
}

func (d *fakeDaemon) emitLocked(kind string, session uint32, text string) uint64 {
	seq := uint64(1)
	if n := len(d.events); n > 0 {
		seq = d.events[n-1].Seq + 1
	}
	d.events = append(d.events, api.Event{Seq: seq, Nanos: time.Now().UnixNano(), Kind: kind, SessionID: session, Text: text})
	d.changed.Broadcast()
	return seq
}

// stop closes every connection and refuses new ones until restart.
func (d *fakeDaemon) stop() {
	d.mu.Lock()
	d.down = true
	all := make([]*fakeConn, 0, len(d.conns))
	for c := range d.conns {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// restart is a new daemon: another number, no handles, no events.
func (d *fakeDaemon) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down, d.id = false, d.id+1
	d.handles = map[win32.Handle]string{}
	d.events = []api.Event{{Seq: 1, Nanos: time.Now().UnixNano(), Kind: "daemon-start"}}
}

func (d *fakeDaemon) openConns() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// handlesOf lists what is open besides tokens of sign-ins.
func (d *fakeDaemon) openHandles(kind string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.handles {
		if k == kind {
			n++
		}
	}
	return n
}

func (d *fakeDaemon) Dial(ctx context.Context) (Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.down {
		return nil, &win32.Error{Op: "Connect", Code: win32.RPC_S_SERVER_UNAVAILABLE}
	}
	d.dials++
	c := &fakeConn{d: d, id: d.id, gone: make(chan struct{})}
	d.conns[c] = true
	return c, nil
}

type fakeConn struct {
	d    *fakeDaemon
	id   uint64
	gone chan struct{}

	once   sync.Once
	user   string    // guarded by d.mu: whom it impersonates
	stream io.Closer // guarded by d.mu
}

func (c *fakeConn) DaemonID() uint64 { return c.id }

func (c *fakeConn) Close() error {
	c.once.Do(func() {
		c.d.mu.Lock()
		delete(c.d.conns, c)
		stream := c.stream
		close(c.gone)
		c.d.changed.Broadcast()
		c.d.mu.Unlock()
		if stream != nil {
			stream.Close()
		}
	})
	return nil
}

// enter takes the lock for a call; leave it with d.mu.Unlock unless it fails.
func (c *fakeConn) enter(ctx context.Context, op string, impersonated bool) error {
	c.d.mu.Lock()
	err := ctx.Err()
	if err == nil && !c.d.conns[c] {
		err = &win32.Error{Op: op, Code: win32.RPC_S_SERVER_UNAVAILABLE}
	}
	if err == nil && impersonated && c.user == "" {
		err = fmt.Errorf("the console called %s without impersonating", op)
	}
	if err == nil {
		err = c.d.fail[op]
	}
	if err != nil {
		c.d.mu.Unlock()
	}
	return err
}

func (c *fakeConn) open(kind string) win32.Handle {
	c.d.nextH += 4
	c.d.handles[c.d.nextH] = kind
	return c.d.nextH
}

func (c *fakeConn) RedeemTicket(ctx context.Context, q api.RedeemTicketRequest) (api.RedeemTicketReply, error) {
	if err := c.enter(ctx, "RedeemTicket", false); err != nil {
		return api.RedeemTicketReply{}, err
	}
	defer c.d.mu.Unlock()
	r, ok := c.d.tickets[q.Ticket]
	if !ok {
		return api.RedeemTicketReply{}, &win32.Error{Op: "RedeemTicket", Code: win32.ERROR_LOGON_FAILURE}
	}
	c.d.redeemed[q.Ticket] = true
	h := c.open("token " + r.User)
	r.Token = uint32(h)
	return r, nil
}

func (c *fakeConn) ImpersonateLoggedOnUser(ctx context.Context, q api.HandleRequest) error {
	if err := c.enter(ctx, "ImpersonateLoggedOnUser", false); err != nil {
		return err
	}
	defer c.d.mu.Unlock()
	kind := c.d.handles[q.Handle]
	if len(kind) < 7 || kind[:6] != "token " {
		return &win32.Error{Op: "ImpersonateLoggedOnUser", Code: win32.ERROR_INVALID_HANDLE}
	}
	c.user = kind[6:]
	return nil
}

func (c *fakeConn) CloseHandle(ctx context.Context, q api.HandleRequest) error {
	if err := c.enter(ctx, "CloseHandle", false); err != nil {
		return err
	}
	defer c.d.mu.Unlock()
	if c.d.handles[q.Handle] == "" {
		return &win32.Error{Op: "CloseHandle", Code: win32.ERROR_INVALID_HANDLE}
	}
	delete(c.d.handles, q.Handle)
	return nil
}

func (c *fakeConn) Ping(ctx context.Context, q api.PingRequest) (api.PingReply, error) {
	if err := c.enter(ctx, "Ping", true); err != nil {
		return api.PingReply{}, err
	}
	defer c.d.mu.Unlock()
	return api.PingReply(q), nil
}

func (c *fakeConn) Status(ctx context.Context) (api.StatusReply, error) {
	if err := c.enter(ctx, "Status", true); err != nil {
		return api.StatusReply{}, err
	}
	defer c.d.mu.Unlock()
	return api.StatusReply{
		Version: "0.1", Mode: "isolated", Isolation: "full", Xserver: "/usr/bin/Xvnc", PID: pid0, Dir: "/run/stationmaster",
		StartedNanos: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC).UnixNano(), Sessions: uint32(len(c.d.sessions)), Processes: uint32(len(c.d.procs)),
		Desktops: 13, Connections: uint32(len(c.d.conns)), UptimeSeconds: 5400,
		Features: []api.Feature{{Name: "SO_PEERPIDFD", Available: true}, {Name: "Landlock scopes", Instead: "abstract sockets are reserved by name"}},
	}, nil
}

// waitLocked waits for news, the end of the connection or of ctx.
func (c *fakeConn) waitLocked(ctx context.Context, millis uint32, news func() bool) {
	if millis == 0 {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		c.d.mu.Lock()
		c.d.changed.Broadcast()
		c.d.mu.Unlock()
	})
	defer stop()
	over := false
	t := time.AfterFunc(time.Duration(millis)*time.Millisecond, func() {
		c.d.mu.Lock()
		over = true
		c.d.changed.Broadcast()
		c.d.mu.Unlock()
	})
	defer t.Stop()
	for !news() && ctx.Err() == nil && c.d.conns[c] && !over {
		c.d.changed.Wait()
	}
}

func (c *fakeConn) ReadEvents(ctx context.Context, q api.ReadLogRequest) (api.EventsReply, error) {
	if err := c.enter(ctx, "ReadEvents", true); err != nil {
		return api.EventsReply{}, err
	}
	defer c.d.mu.Unlock()
	out := api.EventsReply{Next: q.After}
	c.waitLocked(ctx, q.Millis, func() bool {
		return len(c.d.events) > 0 && c.d.events[len(c.d.events)-1].Seq > q.After
	})
	if !c.d.conns[c] {
		return out, &win32.Error{Op: "ReadEvents", Code: win32.RPC_S_SERVER_UNAVAILABLE}
	}
	for _, e := range c.d.events {
		if e.Seq > q.After && (q.Max == 0 || len(out.Events) < int(q.Max)) {
			if len(out.Events) == 0 && e.Seq > q.After+1 && q.After > 0 {
				out.Lost = e.Seq - q.After - 1
			}
			out.Events, out.Next = append(out.Events, e), e.Seq
		}
	}
	return out, ctx.Err()
}

func (c *fakeConn) ReadAudit(ctx context.Context, q api.ReadLogRequest) (api.AuditReply, error) {
	if err := c.enter(ctx, "ReadAudit", true); err != nil {
		return api.AuditReply{}, err
	}
	defer c.d.mu.Unlock()
	if c.user == `DEMO\bob` {
		return api.AuditReply{}, &win32.Error{Op: "ReadAudit", Code: win32.ERROR_ACCESS_DENIED, Rule: "SE-64"}
	}
	out := api.AuditReply{Next: q.After}
	c.waitLocked(ctx, q.Millis, func() bool { return len(c.d.audit) > 0 && c.d.audit[len(c.d.audit)-1].Seq > q.After })
	for _, r := range c.d.audit {
		if r.Seq > q.After {
			out.Records, out.Next = append(out.Records, r), r.Seq
		}
	}
	return out, ctx.Err()
}
