// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) {
	stationtest.Main(m, map[string]func([]string) int{"agent": func(args []string) int {
		return stationtest.ServeAgent(args, map[string]stationtest.OwnCall{"map": mapView})
	}})
}

func sd(text string) []byte { return security.MustSDDL(text).Bytes() }

const modify = win32.SYNCHRONIZE | win32.EVENT_MODIFY_STATE

// Two users' programs and a service meet, or do not, by the names of objects.
func TestObjects(t *testing.T) {
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	h := stationtest.NewHall(t, d)
	c := d.Dial(t)
	serv := h.Service(t, c, "Objects")
	alice, aliceID := h.LogonAgent(t, c, "alice", false)
	bob, _ := h.LogonAgent(t, c, "bob", false)
	local := fmt.Sprintf(`Session\%d\`, aliceID)
	open := func(a *stationtest.Agent, code win32.Errno, name string) win32.Handle {
		t.Helper()
		return a.Handle(t, code, "OpenEvent", client.OpenRequest{Name: name, Access: modify})
	}
	t.Run("OBJ-13/matrix", func(t *testing.T) {
		conform.Rule(t, "OBJ-13", "OBJ-4", "OBJ-5", "OBJ-6", "OBJ-11", "SES-4", "HND-12")
		serv.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "x"})
		open(alice, win32.ERROR_FILE_NOT_FOUND, "x")
		open(alice, win32.ERROR_ACCESS_DENIED, `Global\x`)
		open(bob, win32.ERROR_ACCESS_DENIED, `Global\x`)
		shared := serv.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: `Global\y`, Descriptor: sd("D:(A;;GA;;;SY)(A;;0x100002;;;IU)")})
		ya, yb := open(alice, 0, `Global\y`), open(bob, 0, `Global\y`)
		alice.Handle(t, win32.ERROR_ACCESS_DENIED, "CreateFileMapping", client.CreateSectionRequest{Name: `Global\sect`, Protect: win32.PAGE_READWRITE, Size: 4096})
		alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: `Global\ev`})
		alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "ev2", Descriptor: sd("D:NO_ACCESS_CONTROL")})
		open(serv, win32.ERROR_FILE_NOT_FOUND, "ev2")
		open(serv, 0, local+"ev2")
		open(bob, win32.ERROR_FILE_NOT_FOUND, "ev2")
		open(bob, win32.ERROR_ACCESS_DENIED, local+"ev2")
		open(bob, win32.ERROR_PATH_NOT_FOUND, `Session\99\ev2`)
		bob.Handle(t, win32.ERROR_ACCESS_DENIED, "CreateEvent", client.CreateEventRequest{Name: local + "planted"})

		// A signal crosses the sessions by the global name.
		a := alice.Begin(t, 1, "WaitForSingleObject", client.WaitRequest{Handle: ya, Millis: 20000})
		bob.Do(t, 0, 1, "SetEvent", client.HandleRequest{Handle: yb}, nil)
		alice.End(t, a, 0, "WaitForSingleObject", nil)
		serv.Wait(t, shared, uint32(win32.WAIT_TIMEOUT)) // an auto-reset event, taken once
	})
	t.Run("OBJ-1/listing", func(t *testing.T) {
		conform.Rule(t, "OBJ-1", "OBJ-2", "OBJ-4", "SE-64")
		var list client.ObjectsReply
		alice.Do(t, 0, 1, "ListObjects", client.PathRequest{Path: fmt.Sprintf(`\Sessions\%d\BaseNamedObjects`, aliceID)}, &list)
		seen := map[string]string{}
		for _, o := range list.Objects {
			seen[o.Name] = o.Type
		}
		if seen["ev2"] != "Event" || seen["Global"] != "SymbolicLink" {
			t.Errorf("alice sees %v", seen)
		}
		bob.Do(t, win32.ERROR_ACCESS_DENIED, 1, "ListObjects", client.PathRequest{Path: fmt.Sprintf(`\Sessions\%d\BaseNamedObjects`, aliceID)}, nil)
		bob.Do(t, win32.ERROR_ACCESS_DENIED, 1, "ShowObject", client.PathRequest{Path: fmt.Sprintf(`\Sessions\%d\BaseNamedObjects\ev2`, aliceID)}, nil)
		bob.Do(t, 0, 1, "ListObjects", client.PathRequest{Path: `\BaseNamedObjects`}, &list)
		audit, err := c.ReadAudit(t.Context(), client.ReadLogRequest{})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, r := range audit.Records {
			found = found || r.ProcessID == bob.PID && r.Op == "OpenEvent" && strings.HasSuffix(r.Object, fmt.Sprintf(`\Sessions\%d\BaseNamedObjects`, aliceID))
		}
		if !found {
			t.Errorf("no audit record of bob's attempts (process %d) among %+v", bob.PID, audit.Records)
		}
		out := d.Must(t, "object", "show", fmt.Sprintf(`\Sessions\%d\BaseNamedObjects\ev2`, aliceID))
		if !strings.Contains(out, "signaled") {
			t.Errorf("station object show says\n%s", out)
		}
	})
	t.Run("SYN-8/mutex between processes", func(t *testing.T) {
		conform.Rule(t, "SYN-6", "SYN-8", "SYN-13", "HND-8")
		m := serv.Handle(t, 0, "CreateMutex", client.CreateMutexRequest{Name: `Global\m`, Descriptor: sd("D:(A;;GA;;;WD)")})
		am := alice.Handle(t, 0, "OpenMutex", client.OpenRequest{Name: `Global\m`, Access: win32.MUTEX_ALL_ACCESS})
		var r client.WaitReply
		alice.Do(t, 0, 2, "WaitForSingleObject", client.WaitRequest{Handle: am}, &r) // thread 2 owns it
		alice.Do(t, win32.ERROR_NOT_OWNER, 1, "ReleaseMutex", client.HandleRequest{Handle: am}, nil)
		serv.Wait(t, m, uint32(win32.WAIT_TIMEOUT))
		w := serv.Begin(t, 1, "WaitForSingleObject", client.WaitRequest{Handle: m, Millis: 20000})
		alice.Do(t, 0, 2, "close", struct{}{}, nil) // the connection is the thread
		serv.End(t, w, 0, "WaitForSingleObject", &r)
		if r.Result != win32.WAIT_ABANDONED_0 {
			t.Errorf("the wait gives %#x, want abandoned", r.Result)
		}
		serv.Do(t, 0, 1, "ReleaseMutex", client.HandleRequest{Handle: m}, nil)
		// The same when a process is killed.
		bm := bob.Handle(t, 0, "OpenMutex", client.OpenRequest{Name: `Global\m`, Access: win32.MUTEX_ALL_ACCESS})
		var child client.CreateProcessReply
		bob.Do(t, 0, 1, "CreateProcess", client.CreateProcessRequest{Path: h.Command(t)[0], Args: h.Command(t)}, &child)
		victim := h.Accept(t, "bob's child")
		vm := victim.Handle(t, 0, "OpenMutex", client.OpenRequest{Name: `Global\m`, Access: win32.MUTEX_ALL_ACCESS})
		victim.Wait(t, vm, win32.WAIT_OBJECT_0)
		w = bob.Begin(t, 1, "WaitForMultipleObjects", client.WaitManyRequest{Handles: []win32.Handle{child.Process, bm}, All: true, Millis: 20000})
		bob.Do(t, 0, 2, "TerminateProcess", client.TerminateProcessRequest{Process: child.Process, ExitCode: 9}, nil)
		bob.End(t, w, 0, "WaitForMultipleObjects", &r)
		if r.Result != win32.WAIT_ABANDONED_0 {
			t.Errorf("the wait for all gives %#x, want abandoned", r.Result)
		}
	})
	t.Run("SYN-12/shared memory", func(t *testing.T) {
		conform.Rule(t, "SYN-11", "SYN-12", "OBJ-11")
		s := serv.Handle(t, 0, "CreateFileMapping", client.CreateSectionRequest{Name: `Global\mem`, Protect: win32.PAGE_READWRITE, Size: 8192, Descriptor: sd("D:(A;;GA;;;SY)(A;;0x20005;;;IU)")})
		a := alice.Handle(t, 0, "OpenFileMapping", client.OpenRequest{Name: `Global\mem`, Access: win32.SECTION_MAP_READ})
		alice.Handle(t, win32.ERROR_ACCESS_DENIED, "OpenFileMapping", client.OpenRequest{Name: `Global\mem`, Access: win32.SECTION_MAP_WRITE})
		serv.Do(t, 0, 1, "map", view{Handle: s, Access: win32.SECTION_MAP_READ | win32.SECTION_MAP_WRITE, Write: "from the service"}, nil)
		var text string
		alice.Do(t, 0, 1, "map", view{Handle: a, Access: win32.SECTION_MAP_READ, Length: 16}, &text)
		if text != "from the service" {
			t.Errorf("alice reads %q", text)
		}
		alice.Do(t, win32.ERROR_ACCESS_DENIED, 1, "map", view{Handle: a, Access: win32.SECTION_MAP_READ | win32.SECTION_MAP_WRITE}, nil)
		alice.Do(t, win32.ERROR_ACCESS_DENIED, 1, "map", view{Handle: a, Access: win32.SECTION_MAP_READ, Force: true}, nil)
	})
	t.Run("HND-4/inherited", func(t *testing.T) {
		conform.Rule(t, "HND-4", "SYN-5")
		e := alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Inherit: true, Manual: true})
		var child client.CreateProcessReply
		alice.Do(t, 0, 1, "CreateProcess", client.CreateProcessRequest{Path: h.Command(t)[0], Args: h.Command(t), Inherit: true}, &child)
		kid := h.Accept(t, "alice's child")
		kid.Do(t, 0, 1, "SetEvent", client.HandleRequest{Handle: e}, nil)
		alice.Wait(t, e, win32.WAIT_OBJECT_0)
		bob.Do(t, win32.ERROR_INVALID_HANDLE, 1, "SetEvent", client.HandleRequest{Handle: e | 0x4000}, nil)
		// A job ends it.
		job := alice.Handle(t, 0, "CreateJobObject", client.CreateObjectRequest{Name: "job"})
		alice.Do(t, 0, 1, "AssignProcessToJobObject", client.JobProcessRequest{Job: job, Process: child.Process}, nil)
		alice.Do(t, 0, 1, "TerminateJobObject", client.TerminateJobRequest{Job: job, ExitCode: 77}, nil)
		var r client.WaitReply
		alice.Do(t, 0, 1, "WaitForSingleObject", client.WaitRequest{Handle: child.Process, Millis: 20000}, &r)
		var code client.ExitCodeReply
		alice.Do(t, 0, 1, "GetExitCodeProcess", client.HandleRequest{Handle: child.Process}, &code)
		if r.Result != 0 || code.Code != 77 {
			t.Errorf("the wait gives %#x, the exit code %d", r.Result, code.Code)
		}
	})
	t.Run("OBJ-14/shim", func(t *testing.T) {
		conform.Rule(t, "OBJ-14")
		var child client.CreateProcessReply
		alice.Do(t, 0, 1, "CreateProcess", client.CreateProcessRequest{Path: h.Command(t)[0], Args: h.Command(t), CompatXP: true}, &child)
		old := h.Accept(t, "alice's old program")
		old.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "OldProgram"})
		open(serv, 0, "OldProgram")
		old.Handle(t, 0, "CreateFileMapping", client.CreateSectionRequest{Name: "OldMemory", Protect: win32.PAGE_READWRITE, Size: 1})
		serv.Handle(t, 0, "OpenFileMapping", client.OpenRequest{Name: "OldMemory", Access: win32.SECTION_MAP_READ})
		d.Must(t, append([]string{"run", "--session", fmt.Sprint(aliceID), "--detach", "--compat", "xp", "--"}, h.Command(t)...)...)
		h.Accept(t, "alice's other old program").Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: "OtherProgram"})
		open(serv, 0, "OtherProgram")
		if r := d.Station(t.Context(), "run", "--compat", "nt", "--", "true"); r.Code != 2 || !strings.Contains(r.Err, "--compat knows xp") {
			t.Errorf("--compat nt: %+v", r)
		}
	})
	t.Run("OBJ-15/private namespace", func(t *testing.T) {
		conform.Rule(t, "OBJ-15")
		var who client.HelloReply
		alice.Do(t, 0, 1, "hello", struct{}{}, &who)
		ns := client.PrivateNamespaceRequest{Boundary: "Mine", SIDs: []string{who.User}, Alias: "p"}
		alice.Handle(t, 0, "CreatePrivateNamespace", ns)
		alice.Handle(t, 0, "CreateEvent", client.CreateEventRequest{Name: `p\e`})
		bob.Handle(t, win32.ERROR_ACCESS_DENIED, "CreatePrivateNamespace", ns)
		bob.Handle(t, win32.ERROR_ACCESS_DENIED, "OpenPrivateNamespace", ns)
		serv.Handle(t, 0, "OpenPrivateNamespace", ns)
		open(serv, 0, `p\e`)
	})
	t.Run("SYN-15/end of a session", func(t *testing.T) {
		conform.Rule(t, "SYN-15", "OBJ-3", "OBJ-9")
		theirs := open(serv, 0, local+"ev2")
		w := serv.Begin(t, 1, "WaitForSingleObject", client.WaitRequest{Handle: theirs, Millis: 20000})
		if err := c.WTSLogoffSession(t.Context(), client.SessionWaitRequest{SessionID: aliceID, Wait: true}); err != nil {
			t.Fatal(err)
		}
		serv.Do(t, 0, 2, "SetEvent", client.HandleRequest{Handle: theirs}, nil) // the object lives by its handle
		serv.End(t, w, 0, "WaitForSingleObject", nil)
		stationtest.Wait(t, 10*time.Second, "the end of the session's names", func() (bool, string) {
			_, err := c.ListObjects(t.Context(), client.PathRequest{Path: fmt.Sprintf(`\Sessions\%d`, aliceID)})
			return err != nil, fmt.Sprint(err)
		})
		open(serv, win32.ERROR_PATH_NOT_FOUND, local+"ev2")
	})
}
