// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// The model says what names there are and what handles keep them, without
// locks, tables, folding or reference counts: a station is listed while a
// handle of it is in some list, a desktop is in its station's list while one
// of its is, and that is all.
type (
	modelStation struct {
		name     string
		named    bool
		desktops []*modelDesktop
	}
	modelDesktop struct {
		name    string
		station *modelStation
	}
	modelProcess struct {
		th       *station.Thread
		handles  map[win32.Handle]any // *modelStation or *modelDesktop
		station  *modelStation
		stationH win32.Handle
		startupH win32.Handle
		deskH    win32.Handle
	}
	model struct {
		procs    []*modelProcess
		stations []*modelStation
		held     map[any]bool
	}
)

func (m *model) open(o any) bool {
	if m.held[o] {
		return true
	}
	for _, p := range m.procs {
		for _, x := range p.handles {
			if x == o {
				return true
			}
		}
	}
	return false
}

// settle drops what nothing keeps.
func (m *model) settle() {
	for _, s := range m.stations {
		s.named = m.open(s)
		s.desktops = slices.DeleteFunc(s.desktops, func(d *modelDesktop) bool { return !m.open(d) })
	}
	m.stations = slices.DeleteFunc(m.stations, func(s *modelStation) bool { return !s.named })
}

func (m *model) station(name string) *modelStation {
	for _, s := range m.stations {
		if strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

func (s *modelStation) desktop(name string) *modelDesktop {
	for _, d := range s.desktops {
		if strings.EqualFold(d.name, name) {
			return d
		}
	}
	return nil
}

// next is the lowest free handle value.
func (p *modelProcess) next() win32.Handle {
	for h := win32.Handle(4); ; h += 4 {
		if p.handles[h] == nil {
			return h
		}
	}
}

func (p *modelProcess) inUse(h win32.Handle) bool {
	return h == p.stationH || h == p.startupH || h == p.deskH
}

func TestModel(t *testing.T) {
	conform.Rule(t, "WS-10", "WS-21", "WS-22", "WS-30", "WS-34", "WS-37", "WS-42", "WS-43", "DT-16", "DT-29", "DT-34", "DT-39", "DT-40", "DT-41", "HN-2", "HN-4", "HND-8")
	rounds, steps := 100, 1000
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		seed := rand.Uint64()
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { modelRound(t, seed, steps) }) {
			return
		}
	}
}

func modelRound(t *testing.T, seed uint64, steps int) {
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	m := &model{held: make(map[any]bool)}
	own := &modelStation{name: "Service-0x0-3e7$", named: true}
	def := &modelDesktop{"Default", own}
	own.desktops = []*modelDesktop{def}
	m.stations = append(m.stations, own)
	m.held[own], m.held[def] = true, true
	spawn := func() {
		p := &modelProcess{th: w.system(), handles: make(map[win32.Handle]any)}
		w.ok(p.th.Connect())
		p.station, p.stationH, p.startupH, p.deskH = own, 4, 8, 8
		p.handles[4], p.handles[8] = own, def
		m.procs = append(m.procs, p)
	}
	spawn()
	spawn()
	names := []string{"a", "A", "bee", "Bee", "Service-0x0-3e7$"}
	desks := []string{"d", "D", "default", "Two"}
	log := []string{}
	check := func(what string, err error, want win32.Errno) {
		t.Helper()
		log = append(log, fmt.Sprintf("%s = %v", what, win32.Code(err)))
		if win32.Code(err) != want {
			t.Fatalf("seed %d: %s gives %v, the model says %d; before:\n%s", seed, what, err, want, strings.Join(log[max(0, len(log)-15):], "\n"))
		}
	}
	insert := func(p *modelProcess, what string, h win32.Handle, o any) {
		t.Helper()
		if want := p.next(); h != want {
			t.Fatalf("seed %d: %s gives handle %v, the model says %v", seed, what, h, want)
		}
		p.handles[h] = o
	}
	for range steps {
		p := m.procs[r.IntN(len(m.procs))]
		name, dname := names[r.IntN(len(names))], desks[r.IntN(len(desks))]
		h := win32.Handle(4 * (1 + r.IntN(8)))
		switch r.IntN(13) {
		case 0: // create a station
			flags := uint32(r.IntN(2))
			what := fmt.Sprintf("CreateWindowStation(%s, %d)", name, flags)
			got, existed, err := p.th.CreateWindowStation(name, flags, maxAllowed, nil)
			s := m.station(name)
			if s != nil && flags != 0 {
				check(what, err, win32.ERROR_ALREADY_EXISTS)
				break
			}
			check(what, err, 0)
			if existed != (s != nil) {
				t.Fatalf("seed %d: %s existed %v", seed, what, existed)
			}
			if s == nil {
				s = &modelStation{name: name}
				m.stations = append(m.stations, s)
			}
			insert(p, what, got, s)
		case 1: // open a station
			what := "OpenWindowStation(" + name + ")"
			got, err := p.th.OpenWindowStation(name, maxAllowed, false)
			if s := m.station(name); s == nil {
				check(what, err, win32.ERROR_FILE_NOT_FOUND)
			} else {
				check(what, err, 0)
				insert(p, what, got, s)
			}
		case 2, 3: // close
			what := fmt.Sprintf("CloseHandle(%d)", h)
			err := p.th.CloseHandle(h)
			if p.handles[h] == nil || p.inUse(h) {
				check(what, err, win32.ERROR_INVALID_HANDLE)
			} else {
				check(what, err, 0)
				delete(p.handles, h)
			}
		case 4: // close as a desktop
			what := fmt.Sprintf("CloseDesktop(%d)", h)
			err := p.th.CloseDesktop(h)
			if _, ok := p.handles[h].(*modelDesktop); !ok {
				check(what, err, win32.ERROR_INVALID_HANDLE)
			} else if p.inUse(h) {
				check(what, err, win32.ERROR_BUSY)
			} else {
				check(what, err, 0)
				delete(p.handles, h)
			}
		case 5: // close as a station
			what := fmt.Sprintf("CloseWindowStation(%d)", h)
			err := p.th.CloseWindowStation(h)
			if _, ok := p.handles[h].(*modelStation); !ok {
				check(what, err, win32.ERROR_INVALID_HANDLE)
			} else if p.inUse(h) {
				check(what, err, win32.ERROR_ACCESS_DENIED)
			} else {
				check(what, err, 0)
				delete(p.handles, h)
			}
		case 6: // another station
			what := fmt.Sprintf("SetProcessWindowStation(%d)", h)
			err := p.th.SetProcessWindowStation(h)
			if s, ok := p.handles[h].(*modelStation); ok {
				check(what, err, 0)
				p.station, p.stationH = s, h
			} else {
				check(what, err, win32.ERROR_INVALID_HANDLE)
			}
		case 7: // create a desktop
			what := "CreateDesktop(" + dname + ")"
			got, existed, err := p.th.CreateDesktop(station.DesktopOptions{Name: dname, Access: maxAllowed, HeapKB: 64})
			check(what, err, 0)
			d := p.station.desktop(dname)
			if existed != (d != nil) {
				t.Fatalf("seed %d: %s existed %v", seed, what, existed)
			}
			if d == nil {
				d = &modelDesktop{dname, p.station}
				p.station.desktops = append(p.station.desktops, d)
			}
			insert(p, what, got, d)
		case 8: // another desktop
			what := fmt.Sprintf("SetThreadDesktop(%d)", h)
			err := p.th.SetThreadDesktop(h)
			d, ok := p.handles[h].(*modelDesktop)
			switch {
			case !ok:
				check(what, err, win32.ERROR_INVALID_HANDLE)
			case d == p.handles[p.deskH], d.station == p.station, d == p.handles[p.startupH]:
				check(what, err, 0)
				p.deskH = h
			default:
				check(what, err, win32.ERROR_ACCESS_DENIED)
			}
		case 10: // open a desktop
			what := "OpenDesktop(" + dname + ")"
			got, err := p.th.OpenDesktop(dname, 0, maxAllowed, false)
			if d := p.station.desktop(dname); d == nil {
				check(what, err, win32.ERROR_FILE_NOT_FOUND)
			} else {
				check(what, err, 0)
				insert(p, what, got, d)
			}
		case 11, 12: // copy a handle into one of the processes
			to := m.procs[r.IntN(len(m.procs))]
			what := fmt.Sprintf("DuplicateHandle(%d)", h)
			target, err := p.th.OpenProcess(to.th.Process().ID(), win32.PROCESS_DUP_HANDLE, false)
			check("OpenProcess", err, 0)
			got, err := p.th.DuplicateHandle(win32.CurrentProcess, h, target, 0, false, win32.DUPLICATE_SAME_ACCESS)
			check("CloseHandle", p.th.CloseHandle(target), 0)
			// The handle of the process is a value of its own while it is open,
			// so the copy into the own table lands behind it.
			switch o := p.handles[h]; {
			case o == nil && h == target:
				check(what, err, 0)
				check("CloseHandle", to.th.CloseHandle(got), 0)
			case o == nil:
				check(what, err, win32.ERROR_INVALID_HANDLE)
			default:
				check(what, err, 0)
				if to == p {
					to.handles[got] = o
				} else {
					insert(to, what, got, o)
				}
			}
		case 9: // end and begin
			if r.IntN(4) != 0 {
				break
			}
			log = append(log, "process ends")
			w.host.Process(p.th.Process().ID()).Exit(0)
			<-p.th.Process().Done()
			m.procs = slices.DeleteFunc(m.procs, func(x *modelProcess) bool { return x == p })
			spawn()
		}
		m.settle()

		var want, got []string
		for _, s := range m.stations {
			want = append(want, s.name+":"+strings.Join(deskNames(s), ","))
		}
		for _, s := range w.zero.Stations() {
			if s.Interactive() {
				continue
			}
			var ds []string
			for _, d := range s.Desktops() {
				ds = append(ds, d.Name())
			}
			got = append(got, s.Name()+":"+strings.Join(ds, ","))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: stations are %q, the model says %q; before:\n%s", seed, got, want, strings.Join(log[max(0, len(log)-15):], "\n"))
		}
	}
}

func deskNames(s *modelStation) (names []string) {
	for _, d := range s.desktops {
		names = append(names, d.name)
	}
	return names
}

// Many callers at once, of several sessions, while sessions come and go. There
// is nothing to compare with; the race detector, lockdep and the leak checks
// of newWorld judge.
func TestStress(t *testing.T) {
	w := newWorld(t)
	var people []person
	for i := range 3 {
		people = append(people, w.logon(uint32(1001+i)))
	}
	sys := w.system()
	n := 300
	if testing.Short() {
		n = 60
	}
	var wg sync.WaitGroup
	for i, p := range people {
		for k := range 2 {
			th := w.start(p.token, nil)
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(k)))
				for range n {
					// Errors are expected: handles of others, ends of sessions.
					name := []string{"x", "y"}[r.IntN(2)]
					h, _, err := th.CreateDesktop(station.DesktopOptions{Name: name, Access: maxAllowed, Inherit: true})
					if err != nil {
						continue
					}
					switch r.IntN(6) {
					case 0:
						_ = th.SwitchDesktop(h)
					case 1:
						_ = th.SetThreadDesktop(h)
					case 2:
						_, pid, err := th.CreateProcess(t.Context(), station.ProcessOptions{Path: "/bin/x", InheritHandles: true, Desktop: text(name)})
						if mp := w.host.Process(pid); err == nil && mp != nil {
							mp.Exit(0)
						}
					case 3:
						_ = th.SetUserObjectSecurity(h, security.DACLInformation, security.MustSDDL("D:(A;;GA;;;WD)"))
					case 4:
						_, _ = th.EnumDesktops(0)
						_, _ = th.UserObjectInformation(h, win32.UOI_IO)
					case 5:
						if ph, err := sys.OpenProcess(th.Process().ID(), win32.PROCESS_DUP_HANDLE, false); err == nil {
							if d, err := sys.DuplicateHandle(ph, h, win32.CurrentProcess, 0, false, win32.DUPLICATE_SAME_ACCESS); err == nil {
								_, _ = sys.UserObjectInformation(d, win32.UOI_NAME)
								_ = sys.CloseHandle(d)
							}
							_ = sys.CloseHandle(ph)
						}
					}
					_ = th.CloseHandle(h)
				}
			})
		}
	}
	wg.Go(func() {
		for i := range n / 10 {
			s := people[i%2].session
			_ = w.e.Lock(s)
			_ = w.e.Disconnect(s)
			_, _ = w.e.SessionState(s.ID())
			_ = w.e.Reconnect(s, "VNC-Tcp#0")
			_ = w.e.Unlock(s)
		}
		_ = w.e.LogoffSession(t.Context(), people[2].session)
		_ = w.e.EndSession(t.Context(), people[2].session.ID())
	})
	wg.Wait()
}
