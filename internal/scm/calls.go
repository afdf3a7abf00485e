// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"stationmaster/internal/api"
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// OpenSCManager opens the service database. Database is empty or
// ServicesActive; ServicesFailed is 1065, anything else 123. The right to
// connect is always needed and always in the handle.
//
// Win32: OpenSCManager. Rules: SCM-7, SE-61.
func (m *Manager) OpenSCManager(t *station.Thread, q api.OpenSCManagerRequest) (api.HandleReply, error) {
	const op = "OpenSCManager"
	switch {
	case q.Database == "", strings.EqualFold(q.Database, "ServicesActive"):
	case strings.EqualFold(q.Database, "ServicesFailed"):
		return api.HandleReply{}, &win32.Error{Op: op, Object: q.Database, Code: win32.ERROR_DATABASE_DOES_NOT_EXIST, Rule: "SCM-7"}
	default:
		return api.HandleReply{}, &win32.Error{Op: op, Object: q.Database, Code: win32.ERROR_INVALID_NAME, Rule: "SCM-7"}
	}
	granted, err := t.Check(op, "ServicesActive", m.Descriptor(), q.Access|win32.SC_MANAGER_CONNECT, security.ScmMapping, "SCM-7")
	if err != nil {
		return api.HandleReply{}, err
	}
	h, err := t.InsertObject(m, granted, false)
	return api.HandleReply{Handle: h}, err
}

// managerHandle checks that a handle is one of OpenSCManager with a right.
func (m *Manager) managerHandle(t *station.Thread, op string, h win32.Handle, need win32.AccessMask, rule string) error {
	o, err := t.ObjectHandle(op, h, managerKind, need, rule)
	if err == nil && o != object.Object(m) {
		err = &win32.Error{Op: op, Code: win32.ERROR_INVALID_HANDLE, Rule: rule}
	}
	return err
}

// serviceHandle gives the service behind a handle with a right.
func (m *Manager) serviceHandle(t *station.Thread, op string, h win32.Handle, need win32.AccessMask, rule string) (*service, error) {
	o, err := t.ObjectHandle(op, h, serviceKind, need, rule)
	if err != nil {
		return nil, err
	}
	return o.(*service), nil
}

// CreateService adds a service to the database. What fails comes in the order
// of SCM-6: handle 6, right 5, name 123, binary, type and start type 87,
// account 1057 (87 for an interactive one of another account), name taken 1073
// or marked for deletion 1072, display name taken 1078, dependency cycle 1059.
//
// Win32: CreateService. Rules: SCM-1, SCM-2, SCM-3, SCM-5, SCM-6, SCM-11.
func (m *Manager) CreateService(t *station.Thread, q api.CreateServiceRequest) (api.HandleReply, error) {
	const op = "CreateService"
	fail := func(code win32.Errno, object, rule string) (api.HandleReply, error) {
		return api.HandleReply{}, &win32.Error{Op: op, Object: object, Code: code, Rule: rule}
	}
	if err := m.managerHandle(t, op, q.Manager, win32.SC_MANAGER_CREATE_SERVICE, "SCM-6"); err != nil {
		return api.HandleReply{}, err
	}
	if err := checkConfig(&q); err != nil {
		return api.HandleReply{}, err
	}
	if q.Access&^(serviceKind.Valid|anyRights) != 0 {
		return fail(win32.ERROR_ACCESS_DENIED, q.Name, "SCM-6")
	}
	account, kind, err := m.normalAccount(q.Account)
	if err != nil {
		return api.HandleReply{}, err
	}
	if q.Type&win32.SERVICE_INTERACTIVE_PROCESS != 0 && kind != accountSystem {
		return fail(win32.ERROR_INVALID_PARAMETER, q.Name+" as "+account, "SCM-5")
	}
	r := record{
		Name: q.Name, DisplayName: cmp.Or(q.DisplayName, q.Name), Type: q.Type, StartType: q.StartType,
		ErrorControl: q.ErrorControl, BinaryPath: q.BinaryPath, Account: account, Description: q.Description,
		Depends: slices.Clone(q.Depends), Plain: q.Plain, Env: slices.Clone(q.Env),
	}
	if kind == accountUser {
		if r.Credential, err = m.store.ServiceCredential(account, q.Password); err != nil {
			return api.HandleReply{}, err
		}
	}
	s, err := m.newService(r)
	if err != nil {
		return api.HandleReply{}, err
	}

	m.mu.Lock()
	if code, object, rule := m.clashLocked(&r); code != 0 {
		m.mu.Unlock()
		return fail(code, object, rule)
	}
	m.services[serviceKey(r.Name)] = s // the name is ours from here on
	m.mu.Unlock()

	// Made inside the table first: what is in it may be opened, but only while
	// this handle keeps it.
	granted := security.ServiceMapping.Map(q.Access)
	if q.Access&win32.MAXIMUM_ALLOWED != 0 {
		granted = granted&^win32.MAXIMUM_ALLOWED | win32.SERVICE_ALL_ACCESS
	}
	err = storeRecord(m.o.DB, &r)
	if err == nil {
		m.mu.Lock()
		s.rec.Seq = r.Seq
		m.mu.Unlock()
		var h win32.Handle
		if h, err = t.InsertObject(s, granted, false); err == nil {
			m.engine.Publish(EventServiceState, 0, map[string]string{"service": s.name, "state": "created", "pid": "0", "exit": "0"})
			return api.HandleReply{Handle: h}, nil
		}
		if undo := removeRecord(m.o.DB, r.Name); undo != nil {
			m.log.Error("cannot undo the creation of a service", "service", r.Name, "err", undo)
		}
	}
	m.mu.Lock()
	s.gone = true
	delete(m.services, serviceKey(r.Name))
	m.mu.Unlock()
	return api.HandleReply{}, err
}

// anyRights may be asked of every object.
const anyRights = win32.GENERIC_ALL | win32.GENERIC_EXECUTE | win32.GENERIC_WRITE | win32.GENERIC_READ |
	win32.MAXIMUM_ALLOWED | win32.ACCESS_SYSTEM_SECURITY

// clashLocked says what a new record collides with.
func (m *Manager) clashLocked(r *record) (code win32.Errno, object, rule string) {
	if old := m.services[serviceKey(r.Name)]; old != nil {
		if old.deleted {
			return win32.ERROR_SERVICE_MARKED_FOR_DELETE, r.Name, "SCM-9"
		}
		return win32.ERROR_SERVICE_EXISTS, r.Name, "SCM-6"
	}
	for _, o := range m.services {
		if strings.EqualFold(o.rec.DisplayName, r.DisplayName) || strings.EqualFold(o.name, r.DisplayName) || strings.EqualFold(o.rec.DisplayName, r.Name) {
			return win32.ERROR_DUPLICATE_SERVICE_NAME, r.DisplayName, "SCM-1"
		}
	}
	// The new service closes a cycle if it can reach itself.
	seen := make(map[string]bool)
	var reaches func(names []string) bool
	reaches = func(names []string) bool {
		for _, n := range names {
			key := serviceKey(n)
			if key == serviceKey(r.Name) {
				return true
			}
			if seen[key] {
				continue
			}
			seen[key] = true
			if o := m.services[key]; o != nil && reaches(o.rec.Depends) {
				return true
			}
		}
		return false
	}
	if reaches(r.Depends) {
		return win32.ERROR_CIRCULAR_DEPENDENCY, r.Name, "SCM-31"
	}
	return 0, "", ""
}

// OpenService opens a service: 6 for a bad manager handle, 123 for an empty
// name, 1060 when there is none of that name, 5 when its descriptor denies.
//
// Win32: OpenService. Rules: SCM-8, SE-62.
func (m *Manager) OpenService(t *station.Thread, q api.OpenServiceRequest) (api.HandleReply, error) {
	const op = "OpenService"
	if err := m.managerHandle(t, op, q.Manager, win32.SC_MANAGER_CONNECT, "SCM-8"); err != nil {
		return api.HandleReply{}, err
	}
	if !checkName(q.Name) {
		return api.HandleReply{}, &win32.Error{Op: op, Object: q.Name, Code: win32.ERROR_INVALID_NAME, Rule: "SCM-1"}
	}
	s := m.find(q.Name)
	if s == nil {
		return api.HandleReply{}, &win32.Error{Op: op, Object: q.Name, Code: win32.ERROR_SERVICE_DOES_NOT_EXIST, Rule: "SCM-8"}
	}
	granted, err := t.Check(op, s.name, s.Descriptor(), q.Access, security.ServiceMapping, "SCM-8")
	if err != nil {
		return api.HandleReply{}, err
	}
	h, err := t.InsertObject(s, granted, false)
	return api.HandleReply{Handle: h}, err
}

// DeleteService marks a service for deletion. The record goes when the last
// handle is closed and the service is stopped; until then its name can't be
// used again (1072).
//
// Win32: DeleteService. Rules: SCM-9.
func (m *Manager) DeleteService(t *station.Thread, q api.HandleRequest) error {
	const op = "DeleteService"
	s, err := m.serviceHandle(t, op, q.Handle, win32.DELETE, "SCM-9")
	if err != nil {
		return err
	}
	m.mu.Lock()
	if s.deleted {
		m.mu.Unlock()
		return &win32.Error{Op: op, Object: s.name, Code: win32.ERROR_SERVICE_MARKED_FOR_DELETE, Rule: "SCM-9"}
	}
	s.deleted = true
	r := s.rec
	r.StartType, r.Deleted = win32.SERVICE_DISABLED, true
	m.mu.Unlock()
	if err := storeRecord(m.o.DB, &r); err != nil {
		m.mu.Lock()
		s.deleted = false
		m.mu.Unlock()
		return err
	}
	m.engine.Publish(EventServiceState, 0, map[string]string{"service": s.name, "state": "delete-pending", "pid": "0", "exit": "0"})
	return nil
}

// lastClosed runs when the last handle to a service was closed.
func (s *service) lastClosed() { s.vanish() }

// vanish takes a service out of the database if it is marked for deletion,
// stopped and nobody has a handle to it (SCM-9).
func (s *service) vanish() {
	m := s.manager
	m.mu.Lock()
	if s.gone || !s.deleted || s.status.State != win32.SERVICE_STOPPED || s.Handles() > 0 {
		m.mu.Unlock()
		return
	}
	s.gone = true
	m.mu.Unlock()
	// The name stays taken until the record is gone.
	if err := removeRecord(m.o.DB, s.name); err != nil {
		m.log.Error("cannot remove a deleted service", "service", s.name, "err", err)
	}
	m.logs.remove(s.name)
	m.mu.Lock()
	delete(m.services, serviceKey(s.name))
	m.mu.Unlock()
	m.engine.Publish(EventServiceState, 0, map[string]string{"service": s.name, "state": "deleted", "pid": "0", "exit": "0"})
}

// QueryServiceStatus gives a service's status. Win32: QueryServiceStatusEx.
// Rules: SCM-18, SCM-30.
func (m *Manager) QueryServiceStatus(t *station.Thread, q api.HandleRequest) (api.ServiceStatusReply, error) {
	s, err := m.serviceHandle(t, "QueryServiceStatus", q.Handle, win32.SERVICE_QUERY_STATUS, "SCM-10")
	if err != nil {
		return api.ServiceStatusReply{}, err
	}
	st, _ := s.snapshot()
	return api.ServiceStatusReply{Status: st}, nil
}

// QueryServiceConfig gives a service's configuration.
// Win32: QueryServiceConfig. Rules: SCM-11.
func (m *Manager) QueryServiceConfig(t *station.Thread, q api.HandleRequest) (api.ServiceConfigReply, error) {
	s, err := m.serviceHandle(t, "QueryServiceConfig", q.Handle, win32.SERVICE_QUERY_CONFIG, "SCM-10")
	if err != nil {
		return api.ServiceConfigReply{}, err
	}
	m.mu.Lock()
	r, run := s.rec, s.run
	if s.deleted {
		r.StartType = win32.SERVICE_DISABLED
	}
	m.mu.Unlock()
	return api.ServiceConfigReply{Config: api.ServiceConfig{
		Name: r.Name, DisplayName: r.DisplayName, Type: r.Type, StartType: r.StartType, ErrorControl: r.ErrorControl,
		BinaryPath: r.BinaryPath, Account: r.Account, Depends: slices.Clone(r.Depends), Description: r.Description,
		Plain: r.Plain, Env: slices.Clone(r.Env), WindowStation: m.station(s, &r, run),
	}}, nil
}

// EnumServicesStatus lists the services that the caller may query, in database
// order; the others are left out silently.
//
// Win32: EnumServicesStatusEx. Rules: SCM-39.
func (m *Manager) EnumServicesStatus(t *station.Thread, q api.HandleRequest) (api.ServicesReply, error) {
	if err := m.managerHandle(t, "EnumServicesStatus", q.Handle, win32.SC_MANAGER_ENUMERATE_SERVICE, "SCM-39"); err != nil {
		return api.ServicesReply{}, err
	}
	token := t.EffectiveToken()
	out := api.ServicesReply{}
	for _, s := range m.ordered() {
		if _, err := security.Check(token, s.Descriptor(), win32.SERVICE_QUERY_STATUS, security.ServiceMapping); err != nil {
			continue
		}
		m.mu.Lock()
		r, st, run := s.rec, s.status, s.run
		m.mu.Unlock()
		out.Services = append(out.Services, api.Service{
			Name: r.Name, DisplayName: r.DisplayName, Account: r.Account, Station: m.station(s, &r, run), Status: st,
		})
	}
	return out, nil
}

// ServiceLog gives the last lines a service's program wrote. It needs the
// right to start the service: what a service writes is for who runs it.
func (m *Manager) ServiceLog(ctx context.Context, t *station.Thread, q api.ServiceLogRequest) (api.BytesReply, error) {
	s, err := m.serviceHandle(t, "ServiceLog", q.Service, win32.SERVICE_START, "SCM-10")
	if err != nil {
		return api.BytesReply{}, err
	}
	b, err := m.logs.tail(ctx, s.name, int64(min(cmp.Or(q.Bytes, 64<<10), 4<<20)))
	return api.BytesReply{Data: b}, err
}

// ServiceOf gives the name of the service that a process runs, empty for none.
func (m *Manager) ServiceOf(pid int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.services {
		if s.run != nil && s.run.process != nil && s.run.process.ID() == pid {
			return s.name
		}
	}
	return ""
}
