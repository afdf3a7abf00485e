// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"stationmaster/internal/api"
	"stationmaster/internal/logon"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// Kinds of the two objects that handles of this package refer to (SE-60).
var (
	managerKind = &object.Kind{Name: "SC_MANAGER", Mapping: security.ScmMapping, Valid: win32.SC_MANAGER_ALL_ACCESS}
	serviceKind = &object.Kind{Name: "Service", Mapping: security.ServiceMapping, Valid: win32.SERVICE_ALL_ACCESS}
)

// Default descriptors: examples 18 and 17 of SDDL-30 (SE-61, SE-62).
const (
	managerSDDL = `O:SYG:SYD:(A;;CC;;;AU)(A;;CCLCRPRC;;;IU)(A;;CCLCRPRC;;;SU)(A;;CCLCRPWPRC;;;SY)(A;;KA;;;BA)S:(AU;FA;KA;;;WD)`
	serviceSDDL = `O:SYG:SYD:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)`
)

// EventServiceState is published when a service's state changes; fields
// service, state, pid, exit. EventServiceTrouble tells what an administrator
// should know of a service; fields service, text.
const (
	EventServiceState   = "service-state"
	EventServiceTrouble = "service-trouble"
)

// Options say what a Manager works with. Zero times are the defaults of SCM-33.
type Options struct {
	DB     *bolt.DB // the durable database; stays the caller's
	Engine *station.Engine
	Store  *logon.Store
	Logger *slog.Logger

	// Environment gives the environment and home directory of an account's
	// programs (logon.Winlogon.EnvironmentFor). nil: a bare PATH and "/".
	Environment func(logon.Account) (env []string, home string, err error)

	LogDir  string // logs of services; empty: they write to /dev/null
	MaxLog  int64  // bytes a log may have before it is cut; 0: 1 MiB
	Journal string // file that says which process runs which service; empty: none

	PipeTimeout  time.Duration // process start to StartServiceCtrlDispatcher, and handler return: 30 s
	PendingGrace time.Duration // pending state without progress, besides the wait hint: 80 s
	StopGrace    time.Duration // SIGTERM to SIGKILL of a plain service: 10 s
	ShutdownTime time.Duration // all services at shutdown: 20 s

	NoInteractiveServices bool // SERVICE_INTERACTIVE_PROCESS has no effect (UI0-4)
	PerProcessControls    bool // not one control at a time engine-wide, only per process (SCM-20)
}

// Manager is the service manager. It is the object an OpenSCManager handle
// refers to.
type Manager struct {
	object.Header

	o       Options         // immutable, defaults filled in
	engine  *station.Engine // immutable
	store   *logon.Store    // immutable
	log     *slog.Logger    // immutable
	logs    *logs           // immutable
	ctx     context.Context // of everything that goes on after a call; ends at Close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	journal journal

	starting    chan struct{} // capacity 1: full while a start is under way (SCM-32)
	controlling chan struct{} // capacity 1: full while a control is delivered (SCM-20)

	mu       sync.Mutex
	services map[string]*service // guarded by mu; by lower-case name
	closed   bool                // guarded by mu
	watched  func()              // guarded by mu: ends the subscription to engine events
}

// service is a record with the state it is in. It is the object an OpenService
// handle refers to.
type service struct {
	object.Header
	manager *Manager // immutable
	name    string   // immutable, as first given

	// All guarded by manager.mu.
	rec     record            // replaced by field
	status  api.ServiceStatus // as QueryServiceStatus gives it
	deleted bool              // marked for deletion (SCM-9)
	gone    bool              // taken out of the table
	run     *run              // the program that runs it, nil while it is stopped
	changed chan struct{}     // closed and replaced at each change of status
}

// Open reads the service database, takes over the services that outlived an
// earlier daemon and begins to watch the engine. The engine has its sessions
// already. Close ends its work.
func Open(o Options) (*Manager, error) {
	o.PipeTimeout = cmp.Or(o.PipeTimeout, 30*time.Second)
	o.PendingGrace = cmp.Or(o.PendingGrace, 80*time.Second)
	o.StopGrace = cmp.Or(o.StopGrace, 10*time.Second)
	o.ShutdownTime = cmp.Or(o.ShutdownTime, 20*time.Second)
	o.MaxLog = cmp.Or(o.MaxLog, maxLog)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	records, err := loadRecords(o.DB)
	if err != nil {
		return nil, err
	}
	logs, err := openLogs(o.LogDir, o.MaxLog, o.Logger)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		o: o, engine: o.Engine, store: o.Store, log: o.Logger, logs: logs,
		starting: make(chan struct{}, 1), controlling: make(chan struct{}, 1),
		services: make(map[string]*service),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.journal.path = o.Journal
	m.Header.Init(managerKind, "ServicesActive", security.MustSDDL(managerSDDL), nil)
	for _, r := range records {
		s, err := m.newService(r)
		if err != nil {
			logs.close()
			return nil, err
		}
		m.services[serviceKey(r.Name)] = s
	}
	if err := m.adopt(); err != nil {
		logs.close()
		return nil, err
	}
	m.watched = m.engine.Subscribe(m.observe)
	return m, nil
}

func (m *Manager) newService(r record) (*service, error) {
	s := &service{manager: m, name: r.Name, rec: r, changed: make(chan struct{})}
	sddl := cmp.Or(r.SDDL, serviceSDDL)
	sd, err := security.ParseSDDL(sddl, m.store.Machine())
	if err != nil {
		return nil, fmt.Errorf("cannot read the descriptor of service %s: %w", r.Name, err)
	}
	s.Header.Init(serviceKind, r.Name, sd, s.lastClosed)
	s.status = api.ServiceStatus{Type: r.Type, State: win32.SERVICE_STOPPED, Win32ExitCode: uint32(win32.ERROR_SERVICE_NEVER_STARTED)}
	return s, nil
}

// Close stops the manager's work and leaves the services running, for the next
// daemon to take over.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	watched := m.watched
	m.watched = nil
	m.mu.Unlock()
	if watched != nil {
		watched()
	}
	m.cancel()
	m.work.Wait()
	m.logs.close()
}

// goWork runs f on a goroutine that Close waits for; false when the manager is
// closed.
func (m *Manager) goWork(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.work.Go(f)
	return true
}

// find gives a service by name, nil for none.
func (m *Manager) find(name string) *service {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.services[serviceKey(name)]
}

// ordered gives the services in database order.
func (m *Manager) ordered() []*service {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.orderedLocked()
}

func (m *Manager) orderedLocked() []*service {
	all := make([]*service, 0, len(m.services))
	for _, s := range m.services {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *service) int { return cmp.Compare(a.rec.Seq, b.rec.Seq) })
	return all
}

// setStatusLocked changes a service's status and tells who waits for it. The
// caller calls m.told afterwards, with no lock held.
func (s *service) setStatusLocked(st api.ServiceStatus) {
	s.status = st
	close(s.changed)
	s.changed = make(chan struct{})
}

// snapshot gives a service's status and a channel that is closed when it
// changes.
func (s *service) snapshot() (api.ServiceStatus, <-chan struct{}) {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	return s.status, s.changed
}

// told publishes a service's status and writes it down.
func (m *Manager) told(s *service, st api.ServiceStatus) {
	m.engine.Publish(EventServiceState, 0, map[string]string{
		"service": s.name, "state": stateName(st.State), "pid": fmt.Sprint(st.ProcessID), "exit": fmt.Sprint(st.Win32ExitCode),
	})
	m.saveJournal()
}

func (m *Manager) trouble(s *service, text string) {
	m.log.Warn("service trouble", "service", s.name, "text", text)
	m.engine.Publish(EventServiceTrouble, 0, map[string]string{"service": s.name, "text": text})
}

func stateName(state uint32) string {
	switch state {
	case win32.SERVICE_STOPPED:
		return "stopped"
	case win32.SERVICE_START_PENDING:
		return "start-pending"
	case win32.SERVICE_STOP_PENDING:
		return "stop-pending"
	case win32.SERVICE_RUNNING:
		return "running"
	case win32.SERVICE_CONTINUE_PENDING:
		return "continue-pending"
	case win32.SERVICE_PAUSE_PENDING:
		return "pause-pending"
	case win32.SERVICE_PAUSED:
		return "paused"
	}
	return fmt.Sprint(state)
}

// accountKind says which of SCM-11's accounts a service runs under.
type accountKind uint8

const (
	accountSystem accountKind = iota
	accountLocalService
	accountNetworkService
	accountUser
)

// normalAccount gives the account of a service as QueryServiceConfig prints it
// (SCM-11). Virtual accounts and names that mean no account are 1057.
func (m *Manager) normalAccount(name string) (string, accountKind, error) {
	domain, user, qualified := strings.Cut(name, `\`)
	if !qualified {
		domain, user = "", name
	}
	local := domain == "" || domain == "." || strings.EqualFold(domain, m.store.Computer())
	nt := domain == "" || strings.EqualFold(domain, security.DomainNTAuthority)
	switch plain := strings.ToLower(strings.ReplaceAll(user, " ", "")); {
	case name == "", plain == "localsystem" && local, plain == "system" && nt:
		return "LocalSystem", accountSystem, nil
	case plain == "localservice" && nt:
		return `NT AUTHORITY\LocalService`, accountLocalService, nil
	case plain == "networkservice" && nt:
		return `NT AUTHORITY\NetworkService`, accountNetworkService, nil
	case local && user != "":
		if a, err := m.store.Lookup(user); err == nil {
			return `.\` + a.Name, accountUser, nil
		} else if win32.Code(err) != win32.ERROR_NO_SUCH_USER {
			return "", 0, err
		}
	}
	return "", 0, &win32.Error{Op: "CreateService", Object: name, Code: win32.ERROR_INVALID_SERVICE_ACCOUNT, Rule: "SCM-6"}
}

// kindOf gives the kind of an account as stored.
func kindOf(account string) accountKind {
	switch account {
	case "LocalSystem":
		return accountSystem
	case `NT AUTHORITY\LocalService`:
		return accountLocalService
	case `NT AUTHORITY\NetworkService`:
		return accountNetworkService
	}
	return accountUser
}

// interactiveNow says whether a service would run on WinSta0 if it started now
// (SCM-12).
func (m *Manager) interactiveNow(r *record) bool {
	return r.interactive() && kindOf(r.Account) == accountSystem && !m.o.NoInteractiveServices
}

// station gives `station\desktop` that a service runs on, or would run on;
// empty for a user account that is not running, whose station gets its name
// from a logon session that does not exist yet.
func (m *Manager) station(s *service, r *record, run *run) string {
	if run != nil && run.process != nil {
		if station, desktop := run.process.Location(); station != "" {
			return station + `\` + desktop
		}
	}
	switch kindOf(r.Account) {
	case accountSystem:
		if m.interactiveNow(r) {
			return `WinSta0\default`
		}
		return security.SystemLUID.StationName() + `\default`
	case accountLocalService:
		return security.LocalServiceLUID.StationName() + `\default`
	case accountNetworkService:
		return security.NetworkServiceLUID.StationName() + `\default`
	}
	return ""
}
