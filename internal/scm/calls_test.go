// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/win32"
)

func TestOpenSCManager(t *testing.T) {
	conform.Rule(t, "SCM-7", "SE-61")
	w := newWorld(t, nil)
	defer w.close()
	alice := w.user(101, "alice", false)
	for _, c := range []struct {
		database string
		access   win32.AccessMask
		want     win32.Errno
	}{
		{"", 0, 0},
		{"ServicesActive", win32.SC_MANAGER_ENUMERATE_SERVICE, 0},
		{"servicesactive", win32.GENERIC_READ, 0},
		{"ServicesFailed", 0, win32.ERROR_DATABASE_DOES_NOT_EXIST},
		{"other", 0, win32.ERROR_INVALID_NAME},
		{"", win32.SC_MANAGER_CREATE_SERVICE, win32.ERROR_ACCESS_DENIED},
		{"", win32.SC_MANAGER_ALL_ACCESS, win32.ERROR_ACCESS_DENIED},
	} {
		_, err := w.m.OpenSCManager(alice, api.OpenSCManagerRequest{Database: c.database, Access: c.access})
		if win32.Code(err) != c.want {
			t.Errorf("%q %v: got %v, want %d", c.database, c.access, err, uint32(c.want))
		}
	}
	r, err := w.m.OpenSCManager(alice, api.OpenSCManagerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	// CONNECT is in the handle, nothing else is.
	_, err = w.m.OpenService(alice, api.OpenServiceRequest{Manager: r.Handle, Name: "none"})
	wantCode(t, err, win32.ERROR_SERVICE_DOES_NOT_EXIST)
	_, err = w.m.EnumServicesStatus(alice, api.HandleRequest(r))
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	if err := alice.CloseHandle(r.Handle); err != nil {
		t.Fatal(err)
	}
	_, err = w.m.OpenService(alice, api.OpenServiceRequest{Manager: r.Handle, Name: "none"})
	wantCode(t, err, win32.ERROR_INVALID_HANDLE)
}

func TestCreateServiceChecks(t *testing.T) {
	conform.Rule(t, "SCM-1", "SCM-2", "SCM-3", "SCM-4", "SCM-5", "SCM-6", "SCM-11", "SCM-31")
	w := newWorld(t, nil)
	defer w.close()
	w.user(101, "alice", false)
	w.create(api.CreateServiceRequest{Name: "Taken", DisplayName: "Taken Name", Depends: []string{"later"}})
	own, demand := win32.SERVICE_WIN32_OWN_PROCESS, win32.SERVICE_DEMAND_START
	long := strings.Repeat("n", 257)
	for _, c := range []struct {
		what string
		q    api.CreateServiceRequest
		want win32.Errno
	}{
		{"fine", api.CreateServiceRequest{Name: "fine", Type: own, StartType: demand, BinaryPath: "/x"}, 0},
		{"256 characters", api.CreateServiceRequest{Name: long[1:], Type: own, StartType: demand, BinaryPath: "/x"}, 0},
		{"blank and comma", api.CreateServiceRequest{Name: "a, b", Type: own, StartType: demand, BinaryPath: "/x"}, 0},
		{"no name", api.CreateServiceRequest{Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_NAME},
		{"slash", api.CreateServiceRequest{Name: "a/b", Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_NAME},
		{"backslash", api.CreateServiceRequest{Name: `a\b`, Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_NAME},
		{"257 characters", api.CreateServiceRequest{Name: long, Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_NAME},
		{"long display name", api.CreateServiceRequest{Name: "d", DisplayName: long, Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_NAME},
		{"no binary", api.CreateServiceRequest{Name: "b", Type: own, StartType: demand}, win32.ERROR_INVALID_PARAMETER},
		{"open quote", api.CreateServiceRequest{Name: "b", Type: own, StartType: demand, BinaryPath: `/x "a`}, win32.ERROR_INVALID_PARAMETER},
		{"no type", api.CreateServiceRequest{Name: "t", StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"two types", api.CreateServiceRequest{Name: "t", Type: 0x30, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"interactive alone", api.CreateServiceRequest{Name: "t", Type: 0x100, StartType: demand, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"boot start", api.CreateServiceRequest{Name: "t", Type: own, StartType: 0, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"system start", api.CreateServiceRequest{Name: "t", Type: own, StartType: 1, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"start 5", api.CreateServiceRequest{Name: "t", Type: own, StartType: 5, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"driver at boot", api.CreateServiceRequest{Name: "drv", Type: 1, StartType: 0, BinaryPath: "/x"}, 0},
		{"error control", api.CreateServiceRequest{Name: "t", Type: own, StartType: demand, ErrorControl: 4, BinaryPath: "/x"}, win32.ERROR_INVALID_PARAMETER},
		{"environment", api.CreateServiceRequest{Name: "t", Type: own, StartType: demand, BinaryPath: "/x", Env: []string{"noequals"}}, win32.ERROR_INVALID_PARAMETER},
		{"unknown account", api.CreateServiceRequest{Name: "t", Type: own, StartType: demand, BinaryPath: "/x", Account: `.\nobody`}, win32.ERROR_INVALID_SERVICE_ACCOUNT},
		{"other domain", api.CreateServiceRequest{Name: "t", Type: own, StartType: demand, BinaryPath: "/x", Account: `ELSEWHERE\alice`}, win32.ERROR_INVALID_SERVICE_ACCOUNT},
		{"interactive user", api.CreateServiceRequest{Name: "t", Type: own | 0x100, StartType: demand, BinaryPath: "/x", Account: `.\alice`}, win32.ERROR_INVALID_PARAMETER},
		{"interactive LocalService", api.CreateServiceRequest{Name: "t", Type: own | 0x100, StartType: demand, BinaryPath: "/x", Account: `NT AUTHORITY\LocalService`}, win32.ERROR_INVALID_PARAMETER},
		{"name taken", api.CreateServiceRequest{Name: "tAKEN", Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_SERVICE_EXISTS},
		{"display name taken", api.CreateServiceRequest{Name: "u", DisplayName: "TAKEN NAME", Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_DUPLICATE_SERVICE_NAME},
		{"display name is a service's", api.CreateServiceRequest{Name: "u", DisplayName: "taken", Type: own, StartType: demand, BinaryPath: "/x"}, win32.ERROR_DUPLICATE_SERVICE_NAME},
		{"cycle", api.CreateServiceRequest{Name: "later", Type: own, StartType: demand, BinaryPath: "/x", Depends: []string{"TAKEN"}}, win32.ERROR_CIRCULAR_DEPENDENCY},
		{"own dependency", api.CreateServiceRequest{Name: "self", Type: own, StartType: demand, BinaryPath: "/x", Depends: []string{"SELF"}}, win32.ERROR_CIRCULAR_DEPENDENCY},
		{"type before account", api.CreateServiceRequest{Name: "t", Type: 0x30, StartType: demand, BinaryPath: "/x", Account: `.\nobody`}, win32.ERROR_INVALID_PARAMETER},
		{"account before name", api.CreateServiceRequest{Name: "taken", Type: own, StartType: demand, BinaryPath: "/x", Account: `.\nobody`}, win32.ERROR_INVALID_SERVICE_ACCOUNT},
	} {
		c.q.Manager = w.scm
		_, err := w.m.CreateService(w.operator, c.q)
		if win32.Code(err) != c.want {
			t.Errorf("%s: got %v, want %d", c.what, err, uint32(c.want))
		}
	}
	_, err := w.m.CreateService(w.operator, api.CreateServiceRequest{Name: "x", Manager: 0})
	wantCode(t, err, win32.ERROR_INVALID_HANDLE)
	weak, err := w.m.OpenSCManager(w.operator, api.OpenSCManagerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.m.CreateService(w.operator, api.CreateServiceRequest{Manager: weak.Handle}) // right before name
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
}

func TestServiceRights(t *testing.T) {
	conform.Rule(t, "SCM-8", "SCM-10", "SCM-39", "SE-62")
	w := newWorld(t, nil)
	defer w.close()
	alice := w.user(101, "alice", false)
	w.install("/bin/clock", behaves(acceptStop, nil))
	h := w.create(api.CreateServiceRequest{Name: "Clock", Description: "tells the time", Depends: nil, Env: []string{"TZ=UTC"}})
	scm, err := w.m.OpenSCManager(alice, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_ENUMERATE_SERVICE})
	if err != nil {
		t.Fatal(err)
	}
	open := func(access win32.AccessMask) (win32.Handle, error) {
		r, err := w.m.OpenService(alice, api.OpenServiceRequest{Manager: scm.Handle, Name: "CLOCK", Access: access})
		return r.Handle, err
	}
	for _, right := range []win32.AccessMask{win32.SERVICE_START, win32.SERVICE_STOP, win32.SERVICE_CHANGE_CONFIG, win32.DELETE, win32.SERVICE_ALL_ACCESS} {
		_, err := open(right)
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	}
	user, err := open(win32.SERVICE_QUERY_CONFIG | win32.SERVICE_QUERY_STATUS | win32.SERVICE_INTERROGATE | win32.SERVICE_USER_DEFINED_CONTROL)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.m.StartService(w.ctx, alice, api.StartServiceRequest{Service: user}), win32.ERROR_ACCESS_DENIED)
	_, err = w.m.ControlService(w.ctx, alice, api.ControlServiceRequest{Service: user, Control: win32.SERVICE_CONTROL_STOP})
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	wantCode(t, w.m.DeleteService(alice, api.HandleRequest{Handle: user}), win32.ERROR_ACCESS_DENIED)
	_, err = w.m.ServiceLog(w.ctx, alice, api.ServiceLogRequest{Service: user})
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	_, err = w.m.QueryServiceStatus(alice, api.HandleRequest(scm))
	wantCode(t, err, win32.ERROR_INVALID_HANDLE)
	_, err = w.m.OpenService(alice, api.OpenServiceRequest{Manager: scm.Handle, Name: ""})
	wantCode(t, err, win32.ERROR_INVALID_NAME)
	weak, err := open(0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.m.QueryServiceStatus(alice, api.HandleRequest{Handle: weak})
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)

	c := w.config(h)
	if c.Name != "Clock" || c.DisplayName != "Clock" || c.Account != "LocalSystem" || c.Description != "tells the time" || c.Env[0] != "TZ=UTC" || c.WindowStation != `Service-0x0-3e7$\default` {
		t.Errorf("configuration %+v", c)
	}
	if st := w.status(h); st.State != win32.SERVICE_STOPPED || st.Win32ExitCode != uint32(win32.ERROR_SERVICE_NEVER_STARTED) {
		t.Errorf("never started: %+v", st)
	}
	list, err := w.m.EnumServicesStatus(alice, api.HandleRequest(scm))
	if err != nil || len(list.Services) != 1 || list.Services[0].Name != "Clock" {
		t.Errorf("list %+v, %v", list, err)
	}
	// A service she may not query is left out.
	o, err := w.operator.ObjectHandle("", h, serviceKind, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	o.(*service).SetDescriptor(security.MustSDDL("O:SYG:SYD:(A;;KA;;;SY)(A;;KA;;;BA)"))
	list, err = w.m.EnumServicesStatus(alice, api.HandleRequest(scm))
	if err != nil || len(list.Services) != 0 {
		t.Errorf("list %+v, %v", list, err)
	}
	_, err = open(win32.SERVICE_QUERY_STATUS)
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
}

func TestDeleteService(t *testing.T) {
	conform.Rule(t, "SCM-9")
	w := newWorld(t, nil)
	defer w.close()
	w.install("/bin/a", behaves(acceptStop, nil))
	h := w.create(api.CreateServiceRequest{Name: "a"})
	w.mustStart(h)
	if err := w.m.DeleteService(w.operator, api.HandleRequest{Handle: h}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.m.DeleteService(w.operator, api.HandleRequest{Handle: h}), win32.ERROR_SERVICE_MARKED_FOR_DELETE)
	_, err := w.tryCreate(api.CreateServiceRequest{Name: "A"})
	wantCode(t, err, win32.ERROR_SERVICE_MARKED_FOR_DELETE)
	if c := w.config(h); c.StartType != win32.SERVICE_DISABLED {
		t.Errorf("start type %d", c.StartType)
	}
	if _, err := w.control(h, win32.SERVICE_CONTROL_STOP); err != nil {
		t.Fatal(err)
	}
	w.await(h, win32.SERVICE_STOPPED)
	wantCode(t, w.start(h), win32.ERROR_SERVICE_MARKED_FOR_DELETE)
	if w.m.find("a") == nil {
		t.Error("it is gone while there is a handle")
	}
	if err := w.operator.CloseHandle(h); err != nil {
		t.Fatal(err)
	}
	if w.m.find("a") != nil {
		t.Error("it is still there")
	}
	w.create(api.CreateServiceRequest{Name: "a"})

	// A stopped one goes with its handle, a running one when it stops.
	w.install("/bin/b", behaves(acceptStop, nil))
	b := w.create(api.CreateServiceRequest{Name: "b"})
	w.mustStart(b)
	r, _ := w.m.OpenService(w.operator, api.OpenServiceRequest{Manager: w.scm, Name: "b", Access: win32.SERVICE_STOP})
	if err := w.m.DeleteService(w.operator, api.HandleRequest{Handle: b}); err != nil {
		t.Fatal(err)
	}
	if err := w.operator.CloseHandle(b); err != nil {
		t.Fatal(err)
	}
	if _, err := w.control(r.Handle, win32.SERVICE_CONTROL_STOP); err != nil {
		t.Fatal(err)
	}
	w.await(r.Handle, win32.SERVICE_STOPPED)
	if err := w.operator.CloseHandle(r.Handle); err != nil {
		t.Fatal(err)
	}
	if w.m.find("b") != nil {
		t.Error("b is still there")
	}
	if records, err := loadRecords(w.db); err != nil || len(records) != 1 {
		t.Errorf("the database has %d services, %v", len(records), err)
	}
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string]string{
		`/bin/a`: "/bin/a", ` /bin/a  b	c `: "/bin/a|b|c", `"/a b/c" 'd e' f\ g`: "/a b/c|d e|f g",
		`a "b\"c\\d\e" 'f\g'`: `a|b"c\d\e|f\g`, `a "" ''`: "a||", `a"b"'c'd`: "abcd", "": "",
	} {
		words, err := splitWords(line)
		if got := strings.Join(words, "|"); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
	for _, bad := range []string{`"a`, `'a`, `a\`} {
		if _, err := splitWords(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
