// SPDX-License-Identifier: Apache-2.0

package stations

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func init() {
	// ws/autoname, ws/createonly: as a user without rights of an administrator.
	scenarios["names"] = func(i *inside) {
		own := i.own()
		h, existed, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		want(i, "existed", existed, false)
		want(i, "the name", i.name(h), own)
		_, _, err = i.createStation("", win32.CWF_CREATE_ONLY, false)
		i.code("CWF_CREATE_ONLY", err, win32.ERROR_ALREADY_EXISTS)
		again, existed, err := i.createStation(strings.ToUpper(own), 0, false)
		i.ok("CreateWindowStation again", err)
		want(i, "existed", existed, true)
		want(i, "a new handle", again != h, true)
		want(i, "the name as first given", i.name(again), own)
		for _, name := range []string{"", "Service-0x00000000-00000000$", strings.ToUpper(own)} {
			o, err := i.openStation(name, win32.WINSTA_READATTRIBUTES)
			i.ok("OpenWindowStation "+name, err)
			want(i, "the name", i.name(o), own)
		}
		_, _, err = i.createStation("Mine", 0, false)
		i.code("a name of one's own", err, win32.ERROR_ACCESS_DENIED)
		_, _, err = i.createStation("Service-0x0-3e7$", 0, false)
		i.code("squatting LocalSystem's", err, win32.ERROR_ACCESS_DENIED)
		_, _, err = i.createStation(`WinSta0\x`, 0, false)
		i.code("a backslash", err, win32.ERROR_PATH_NOT_FOUND)
		_, _, err = i.createStation(strings.Repeat("n", 260), 0, false)
		i.code("too long", err, win32.ERROR_FILENAME_EXCED_RANGE)
		_, _, err = i.createStation("", 8, false)
		i.code("unknown flags", err, win32.ERROR_INVALID_PARAMETER)
		_, err = i.openStation("NoSuch", maxAllowed)
		i.code("a name that is not there", err, win32.ERROR_FILE_NOT_FOUND)
		_, err = i.openStation("WinSta0", win32.SYNCHRONIZE)
		i.code("SYNCHRONIZE", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.openStation("WinSta0", win32.ACCESS_SYSTEM_SECURITY)
		i.code("ACCESS_SYSTEM_SECURITY", err, win32.ERROR_PRIVILEGE_NOT_HELD)
	}
	// ws/close-process-station
	scenarios["process station"] = func(i *inside) {
		p := i.station()
		want(i, "the value", i.station(), p)
		want(i, "the name", i.name(p), "WinSta0")
		want(i, "WSF_VISIBLE", visible(i, p), 1)
		want(i, "fInherit", i.flag(p, win32.UOI_FLAGS), 0)
		i.code("CloseWindowStation", i.closeStation(p), win32.ERROR_ACCESS_DENIED)
		i.code("CloseHandle", i.closeHandle(p), win32.ERROR_INVALID_HANDLE)
		f, err := i.c.GetHandleInformation(i.ctx, client.HandleRequest{Handle: p})
		i.ok("GetHandleInformation", err)
		want(i, "flags", f.Flags, 0)
		i.ok("CloseWindowStation of a duplicate", i.closeStation(i.duplicate(p)))
		i.ok("CloseHandle of a duplicate", i.closeHandle(i.duplicate(p)))
		d := i.desktop()
		i.code("CloseDesktop of a station", i.closeDesktop(p), win32.ERROR_INVALID_HANDLE)
		i.code("CloseWindowStation of a desktop", i.closeStation(d), win32.ERROR_INVALID_HANDLE)
		i.code("CloseWindowStation of nothing", i.closeStation(0), win32.ERROR_INVALID_HANDLE)
		i.code("SetProcessWindowStation of a desktop", i.setStation(d), win32.ERROR_INVALID_HANDLE)

		h, _, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		want(i, "the station after a creation", i.station(), p)
		i.ok("SetProcessWindowStation", i.setStation(h))
		want(i, "the station", i.station(), h)
		want(i, "the thread's desktop", i.desktop(), d)
		want(i, "WSF_VISIBLE", visible(i, h), 0)
		i.code("CloseWindowStation of the new one", i.closeStation(h), win32.ERROR_ACCESS_DENIED)
		i.ok("CloseWindowStation of the one before", i.closeStation(p))
	}
	// ws/lifetime
	scenarios["lifetime"] = func(i *inside) {
		p, own := i.station(), i.own()
		h, _, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		copy := i.duplicate(h)
		i.ok("CloseWindowStation", i.closeStation(h))
		_, err = i.openStation(own, 0)
		i.ok("the duplicate keeps the name", err)
		i.ok("CloseHandle", i.closeHandle(copy))
		again, err := i.openStation(own, maxAllowed)
		i.ok("the handle that OpenWindowStation gave keeps it", err)
		i.ok("SetProcessWindowStation", i.setStation(again))
		d, existed, err := i.createDesktop("Default")
		i.ok("CreateDesktop", err)
		want(i, "existed", existed, false)
		i.ok("SetProcessWindowStation", i.setStation(p))
		for h := win32.Handle(4); h < 0x80; h += 4 { // whatever is open of it
			if h != p && h != d && h != i.desktop() {
				_ = i.closeStation(h)
			}
		}
		_, err = i.openStation(own, maxAllowed)
		i.code("the name after the last handle", err, win32.ERROR_FILE_NOT_FOUND)
		want(i, "the desktop that was left", i.name(d), "Default")
		fresh, existed, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		want(i, "existed", existed, false)
		_, err = i.c.EnumDesktops(i.ctx, client.HandleRequest{Handle: fresh})
		i.code("desktops of the new station", err, win32.ERROR_FILE_NOT_FOUND)
	}
	// ws/service-dacl, pc/service: as a service of a user account.
	scenarios["service"] = func(i *inside) {
		own := i.own()
		want(i, "the desktop", i.where(), own+`\Default`)
		s, d := i.station(), i.desktop()
		want(i, "WSF_VISIBLE", visible(i, s), 0)
		user := i.token().User
		for h, masks := range map[win32.Handle][2]win32.AccessMask{s: {0x000F006E, 0x000F016F}, d: {0x000F00CF, 0x000F01FF}} {
			sd := i.descriptor(h)
			want(i, "the owner", sd.Owner().String(), "S-1-5-18")
			acl, _ := sd.DACL()
			var got []string
			for _, ace := range acl.ACEs {
				got = append(got, ace.SID.String())
				switch ace.SID.String() {
				case user:
					want(i, "the account's rights", ace.Mask, masks[0])
				case "S-1-5-18":
					want(i, "the system's rights", ace.Mask, masks[1])
				}
			}
			want(i, "entries", len(got), 2)
			want(i, "the account's entry", slices.Contains(got, user), true)
		}
		_, err := i.c.EnumDesktops(i.ctx, client.HandleRequest{})
		i.code("EnumDesktops", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.c.EnumWindowStations(i.ctx)
		i.code("EnumWindowStations", err, win32.ERROR_FILE_NOT_FOUND)
		i.code("SwitchDesktop", i.switchTo(d), win32.ERROR_ACCESS_DENIED)
		_, err = i.openDesktop("Default", win32.DESKTOP_JOURNALRECORD)
		i.code("journal recording", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.openStation("WinSta0", win32.WINSTA_READATTRIBUTES)
		i.code("WinSta0 of session 0", err, win32.ERROR_ACCESS_DENIED)
		_, err = i.inputDesktop(win32.DESKTOP_READOBJECTS)
		i.code("OpenInputDesktop", err, win32.ERROR_INVALID_FUNCTION)
		code, out := i.child(nil, false, "where", own+`\Default`)
		want(i, "its child ("+out+")", code, 0)
	}
	scenarios["interactive service"] = func(i *inside) {
		want(i, "the desktop", i.where(), i.args[0])
		want(i, "WSF_VISIBLE", visible(i, i.station()) == 1, strings.HasPrefix(i.args[0], `WinSta0\`))
	}
	scenarios["system names"] = func(i *inside) {
		want(i, "LocalSystem's name", i.own(), "Service-0x0-3e7$")
		want(i, "the desktop", i.where(), `Service-0x0-3e7$\Default`)
		h, existed, err := i.createStation("", 0, false)
		i.ok("CreateWindowStation", err)
		want(i, "existed", existed, true) // the connection made it, and it is held (WS-45)
		want(i, "the name", i.name(h), "Service-0x0-3e7$")
		h, existed, err = i.createStation("Batch", win32.CWF_CREATE_ONLY, true)
		i.ok("CreateWindowStation Batch", err)
		want(i, "existed", existed, false)
		want(i, "fInherit", i.flag(h, win32.UOI_FLAGS), 1)
		want(i, "rights of everybody", slices.Contains(aclSIDs(i, h), "S-1-1-0"), false)
		names, err := i.c.EnumWindowStations(i.ctx)
		i.ok("EnumWindowStations", err)
		for _, n := range []string{"WinSta0", "Service-0x0-3e7$", "Batch"} {
			want(i, "listed: "+n, slices.Contains(names.Names, n), true)
		}
	}
}

// visible gives the WSF_VISIBLE bit.
func visible(i *inside, h win32.Handle) uint32 {
	b, err := i.info(h, win32.UOI_FLAGS)
	i.ok("UOI_FLAGS", err)
	if len(b) != 12 {
		i.fatalf("USEROBJECTFLAGS has %d bytes", len(b))
	}
	return uint32(b[8]) & win32.WSF_VISIBLE
}

func TestWindowStations(t *testing.T) {
	s := newStage(t)
	t.Run("ws/autoname, ws/createonly", func(t *testing.T) {
		conform.Rule(t, "WS-10", "WS-11", "WS-12", "WS-13", "WS-14", "WS-15", "WS-16", "WS-17", "WS-20", "WS-21", "WS-22", "WS-30", "AR-2", "AR-3")
		s.play(t, s.alice, "names")
	})
	t.Run("ws/close-process-station", func(t *testing.T) {
		conform.Rule(t, "WS-25", "WS-33", "WS-34", "WS-35", "WS-36", "WS-37", "WS-38", "WS-39", "WS-40", "PC-15", "PC-16", "HN-3", "UO-1")
		s.play(t, s.alice, "process station")
	})
	t.Run("ws/lifetime", func(t *testing.T) {
		conform.Rule(t, "WS-25", "WS-41", "WS-42", "WS-43", "DT-41")
		s.play(t, s.alice, "lifetime")
	})
	t.Run("LocalSystem", func(t *testing.T) {
		conform.Rule(t, "WS-8", "WS-12", "WS-15", "WS-27", "WS-28", "WS-31", "WS-45", "WS-51", "PC-12")
		s.system(t, "system names")
		s.system(t, "system names") // "Batch" went with its process
	})
}

// service runs a scenario as a service and waits for its answer.
func (s *stage) service(t *testing.T, name, account, password string, kind uint32, scenario string, args ...string) {
	t.Helper()
	m, err := s.c.OpenSCManager(t.Context(), client.OpenSCManagerRequest{Access: win32.SC_MANAGER_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	command := s.Program(t, scenario, args...)
	for k, w := range command {
		command[k] = "'" + w + "'"
	}
	h, err := s.c.CreateService(t.Context(), client.CreateServiceRequest{
		Manager: m.Handle, Name: name, Access: win32.SERVICE_ALL_ACCESS, Type: win32.SERVICE_WIN32_OWN_PROCESS | kind,
		StartType: win32.SERVICE_DEMAND_START, ErrorControl: 1, BinaryPath: strings.Join(command, " "), Account: account, Password: password, Plain: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.c.StartService(t.Context(), client.StartServiceRequest{Service: h.Handle}); err != nil {
		t.Fatal(err)
	}
	stationtest.Wait(t, 60*time.Second, "the service ends", func() (bool, string) {
		st, err := s.c.QueryServiceStatus(t.Context(), client.HandleRequest{Handle: h.Handle})
		return err == nil && st.Status.State == win32.SERVICE_STOPPED, ""
	})
	log, err := s.c.ServiceLog(t.Context(), client.ServiceLogRequest{Service: h.Handle})
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(log.Data)), "PASS") {
		t.Errorf("service %s: %v\n%s", name, err, log.Data)
	}
}

func TestServiceStations(t *testing.T) {
	s := newStage(t)
	stationtest.AddUser(t, s.c, "svc", false)
	t.Run("ws/service-dacl, pc/service", func(t *testing.T) {
		conform.Rule(t, "WS-47", "WS-48", "WS-49", "WS-53", "PC-3", "PC-8", "PC-12", "DT-7", "DT-44", "DT-46", "AR-4", "AR-11", "AR-18", "AR-22")
		s.service(t, "One", `.\svc`, "svc-pw", 0, "service")
	})
	t.Run("two services of one account", func(t *testing.T) {
		conform.Rule(t, "WS-50", "WS-13")
		s.service(t, "Two", `.\svc`, "svc-pw", 0, "service")
		var names []string
		for _, e := range s.events(t, "station-create") {
			if strings.HasPrefix(e.Object, "Service-0x0-") && e.SessionID == 0 && !slices.Contains([]string{"Service-0x0-3e7$", "Service-0x0-3e4$", "Service-0x0-3e5$"}, e.Object) {
				names = append(names, e.Object)
			}
		}
		if len(names) != 2 || names[0] == names[1] {
			t.Errorf("stations made for the two services: %q", names)
		}
	})
	t.Run("interactive", func(t *testing.T) {
		conform.Rule(t, "WS-51", "WS-52", "WS-53")
		s.service(t, "Three", "", "", win32.SERVICE_INTERACTIVE_PROCESS, "interactive service", `WinSta0\Default`)
		s.service(t, "Four", "", "", 0, "interactive service", `Service-0x0-3e7$\Default`)
	})
}

func TestNoInteractiveServices(t *testing.T) {
	conform.Rule(t, "WS-52", "UI0-4")
	s := newStage(t, "--no-interactive-services")
	s.service(t, "Three", "", "", win32.SERVICE_INTERACTIVE_PROCESS, "interactive service", `Service-0x0-3e7$\Default`)
}
