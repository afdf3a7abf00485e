// SPDX-License-Identifier: Apache-2.0

// Package restart kills the daemon, a holder and everything between with
// SIGKILL, and looks at what goes on, what comes back and what is gone.
package restart

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/rfb/rfbtest"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { stationtest.Main(m, nil) }

const limit = 30 * time.Second

// wtsUserName is the class WTSUserName of WTSQuerySessionInformation.
const wtsUserName = 5

// backWithin is how soon a killed daemon's successor has everything again.
const backWithin = 2 * time.Second

// clock is what the xterms show: something new five times a second.
var clock = []string{"xterm", "-geometry", "60x20+20+20", "-e", "sh", "-c", "while :; do date +%s.%N; sleep 0.2; done"}

// world is a daemon with a session for each of three users, each with an X
// server and an xterm that prints the time.
type world struct {
	*stationtest.Daemon
	c        *client.Conn
	users    []string
	sessions []uint32
}

func newWorld(t *testing.T, users ...string) *world {
	t.Helper()
	stationtest.NeedRoot(t)
	stationtest.NeedPrograms(t, "Xvnc", "xterm")
	w := &world{Daemon: stationtest.Serve(t, "--listen", "127.0.0.1:0"), users: users}
	w.c = w.Dial(t)
	for _, u := range users {
		stationtest.AddUser(t, w.c, u, false)
		id := stationtest.Logon(t, w.c, u)
		stationtest.Spawn(t, w.c, id, `WinSta0\Default`, clock...)
		w.sessions = append(w.sessions, id)
	}
	for _, id := range w.sessions {
		w.moves(t, id)
	}
	return w
}

// moves waits until two pictures of a session's Default desktop differ.
func (w *world) moves(t *testing.T, session uint32) {
	t.Helper()
	var first []byte
	stationtest.Wait(t, limit, fmt.Sprintf("the picture of session %d moves", session), func() (bool, string) {
		r, err := w.c.CaptureDesktop(t.Context(), client.CaptureRequest{SessionID: session, Desktop: "Default"})
		if err != nil {
			return false, err.Error()
		}
		img, err := png.Decode(bytes.NewReader(r.PNG))
		if err != nil {
			t.Fatal(err)
		}
		if stationtest.Drawn(stationtest.RGBA(img)) < 0.005 {
			return false, "nothing is drawn"
		}
		if first == nil {
			first = r.PNG
		}
		return !bytes.Equal(first, r.PNG), "it stands still"
	})
}

// view opens a viewer of a session.
func (w *world) view(t *testing.T, session uint32) *rfbtest.Client {
	t.Helper()
	_, stream, err := w.Dial(t).OpenViewer(t.Context(), client.OpenViewerRequest{SessionID: session})
	if err != nil {
		t.Fatalf("cannot view session %d: %v", session, err)
	}
	v, err := rfbtest.Connect(stream, rfbtest.ClientOptions{Encodings: []int32{0, rfbtest.DesktopSize}})
	if err != nil {
		t.Fatalf("cannot view session %d: %v", session, err)
	}
	t.Cleanup(v.Close)
	if err := v.WaitFor(limit, func(d *rfbtest.Decoder) bool { return stationtest.Drawn(d.Img) > 0.005 }); err != nil {
		t.Fatalf("the viewer of session %d sees nothing: %v", session, err)
	}
	return v
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(after, "Z")
}

// passing reports whether a process is one of the short ones that the loops of
// these tests start.
func passing(pid int) bool {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err != nil || slices.Contains([]string{"sleep\n", "date\n"}, string(comm))
}

// holder gives the process of a session's holder.
func (w *world) holder(t *testing.T, session uint32) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.Dir, "run/host/journal", fmt.Sprintf("s%d-*.json", session)))
	if err != nil || len(files) != 1 {
		t.Fatalf("session %d has the journal files %v, %v", session, files, err)
	}
	var rec struct{ HolderPID int }
	b, err := os.ReadFile(files[0])
	if err == nil {
		err = json.Unmarshal(b, &rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	if rec.HolderPID <= 1 || !alive(rec.HolderPID) {
		t.Fatalf("session %d has the holder %d", session, rec.HolderPID)
	}
	return rec.HolderPID
}

// sessionIDs gives the sessions there are.
func sessionIDs(t *testing.T, c *client.Conn) (ids []uint32) {
	t.Helper()
	r, err := c.WTSEnumerateSessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// TestDaemonKilled is what an upgrade or a crash of the daemon looks like to
// users: three sessions with X servers, a service, a program that ends while no
// daemon runs, a question that waits and somebody who watches.
func TestDaemonKilled(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	alice := w.sessions[0]

	flag := filepath.Join(w.Dir, "go")
	ending := stationtest.Spawn(t, w.c, alice, `WinSta0\Default`, "sh", "-c", "while [ ! -e "+flag+" ]; do sleep 0.05; done; exit 7")
	w.Must(t, "service", "create", "Ticker", "--plain", "--", "sh", "-c", "while :; do sleep 1; done")
	w.Must(t, "service", "start", "Ticker")
	services := servicePIDs(t, w.c)
	if services["Ticker"] == 0 || services["StationWeb"] == 0 {
		t.Fatalf("services run as %v", services)
	}

	answer := make(chan error, 1)
	asking := w.Dial(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		id, err := asking.SendMessage(ctx, client.SendMessageRequest{
			SessionID: alice, Title: "A question", Text: "Does this outlive the daemon?", Style: win32.MB_YESNO | win32.MB_ICONQUESTION, Wait: true,
		})
		if err == nil && id != win32.IDYES {
			err = fmt.Errorf("answer %d, want %d", id, win32.IDYES)
		}
		answer <- err
	}()
	w.pending(t, alice)
	old := w.view(t, alice)

	// What a shell has just forked looks like the shell: only what is there twice counts.
	first := w.Processes()
	w.moves(t, alice)
	before := slices.DeleteFunc(w.Processes(), func(pid int) bool {
		return !slices.Contains(first, pid) || passing(pid) || pid == int(ending.ProcessID)
	})
	if len(before) < 4+3*2+2+1 { // holders, an xterm and its X server each, services, the reserver of X names
		t.Fatalf("only %d processes run", len(before))
	}
	at, err := w.c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	programs := w.programs(t, ending.ProcessID)
	w.Kill(t)
	select {
	case <-old.Done():
	case <-time.After(limit):
		t.Error("the old viewer's connection is still there")
	}
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	stationtest.Wait(t, limit, "the program ends while no daemon runs", func() (bool, string) { return !alive(int(ending.ProcessID)), "" })
	select {
	case err := <-answer:
		t.Fatalf("the question was given up: %v", err)
	default:
	}

	began := time.Now()
	took := w.Start(t)
	w.c = w.Dial(t)
	v := w.view(t, alice)
	back := time.Since(began)
	t.Logf("answered after %v, viewer back after %v", took, back)
	if back > backWithin {
		t.Errorf("the viewer was back after %v, want %v", back, backWithin)
	}
	if want := uint32(1 + len(w.sessions)); w.Ready.Adopted != want {
		t.Errorf("%d sessions were adopted, want %d", w.Ready.Adopted, want)
	}

	t.Run("everything goes on", func(t *testing.T) {
		for _, pid := range before {
			if !alive(pid) {
				t.Errorf("process %d did not outlive the daemon", pid)
			}
		}
		for _, id := range w.sessions {
			w.moves(t, id)
		}
		if now := servicePIDs(t, w.c); now["Ticker"] != services["Ticker"] || now["StationWeb"] != services["StationWeb"] {
			t.Errorf("services run as %v, before %v", now, services)
		}
		if now := w.programs(t, ending.ProcessID); !slices.Equal(now, programs) {
			t.Errorf("programs are\n%q\nbefore\n%q", now, programs)
		}
		after, err := w.c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if after.Sessions != at.Sessions || after.ConsoleURL != at.ConsoleURL {
			t.Errorf("%d sessions and the console at %s, before %d and %s", after.Sessions, after.ConsoleURL, at.Sessions, at.ConsoleURL)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Ready.Console+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if r.StatusCode != http.StatusOK {
			t.Errorf("the console says %s", r.Status)
		}
		for i, id := range w.sessions {
			if got := w.In(t, id, "printenv", "USER"); got != w.users[i]+"\n" {
				t.Errorf("session %d runs programs as %q, want %s", id, got, w.users[i])
			}
		}
	})

	t.Run("exit code", func(t *testing.T) {
		h, err := w.c.OpenProcess(t.Context(), client.OpenProcessRequest{ProcessID: ending.ProcessID, Access: win32.PROCESS_QUERY_LIMITED_INFORMATION})
		if err == nil {
			r, err := w.c.GetExitCodeProcess(t.Context(), client.HandleRequest{Handle: h.Handle})
			if err != nil || r.Code != 7 {
				t.Errorf("GetExitCodeProcess: %d, %v, want 7", r.Code, err)
			}
			return
		}
		events, err2 := w.c.ReadEvents(t.Context(), client.ReadLogRequest{})
		if err2 != nil {
			t.Fatal(err2)
		}
		for _, ev := range events.Events {
			if ev.Kind == "process-exit" && ev.ProcessID == ending.ProcessID {
				if !strings.Contains(ev.Text, "code=7") {
					t.Errorf("the event says %q, want code 7", ev.Text)
				}
				return
			}
		}
		t.Errorf("no exit code of process %d: OpenProcess says %v, and no event", ending.ProcessID, err)
	})

	t.Run("the question", func(t *testing.T) {
		conform.Rule(t, "IN-10")
		w.pending(t, alice)
		var at struct{ X, Y int }
		if err := v.WaitFor(limit, func(d *rfbtest.Decoder) bool {
			p, ok := stationtest.DefaultButton(d.Img)
			at.X, at.Y = p.X, p.Y
			return ok
		}); err != nil {
			t.Fatalf("the box is not shown again: %v", err)
		}
		// A program's click is none.
		if err := w.c.SendInput(t.Context(), client.SendInputRequest{SessionID: alice, Events: []client.InputEvent{
			{Kind: 2, X: int32(at.X), Y: int32(at.Y)}, {Kind: 2, X: int32(at.X), Y: int32(at.Y), Buttons: 1}, {Kind: 2, X: int32(at.X), Y: int32(at.Y)},
		}}); err != nil {
			t.Errorf("SendInput: %v", err)
		}
		w.pending(t, alice)
		for _, buttons := range []uint8{0, 1, 0} {
			if err := v.Pointer(at.X, at.Y, buttons); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case err := <-answer:
			if err != nil {
				t.Errorf("the question: %v", err)
			}
		case <-time.After(limit):
			t.Error("the click was no answer")
		}
	})
}

// pending waits until one message box waits in a session.
func (w *world) pending(t *testing.T, session uint32) {
	t.Helper()
	stationtest.Wait(t, limit, "one box waits", func() (bool, string) {
		m, err := w.c.ListMessages(t.Context(), client.SessionRequest{SessionID: session})
		return err == nil && len(m.Messages) == 1, fmt.Sprint(m, err)
	})
}

// programs tells what the process list says of the sessions, but for one process
// and for the test's own.
func (w *world) programs(t *testing.T, but uint32) (list []string) {
	t.Helper()
	for _, id := range append([]uint32{0}, w.sessions...) {
		r, err := w.c.EnumProcesses(t.Context(), client.SessionRequest{SessionID: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Processes {
			if p.ProcessID != but && int(p.ProcessID) != os.Getpid() {
				list = append(list, fmt.Sprintf("%d: %d %s %v of %s on %s\\%s %s", id, p.ProcessID, p.Name, p.Args, p.User, p.WindowStation, p.Desktop, p.Service))
			}
		}
	}
	slices.Sort(list)
	return list
}

func servicePIDs(t *testing.T, c *client.Conn) map[string]uint32 {
	t.Helper()
	m, err := c.OpenSCManager(t.Context(), client.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT | win32.SC_MANAGER_ENUMERATE_SERVICE})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseHandle(t.Context(), client.HandleRequest(m))
	r, err := c.EnumServicesStatus(t.Context(), client.HandleRequest(m))
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]uint32{}
	for _, s := range r.Services {
		pids[s.Name] = s.Status.ProcessID
	}
	return pids
}

// TestHolderKilled: a holder is its session's critical process. Its end is the
// session's end, and nobody else's.
func TestHolderKilled(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	kill := func(t *testing.T, session uint32) {
		t.Helper()
		p, err := os.FindProcess(w.holder(t, session))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(t *testing.T, session uint32) {
		t.Helper()
		stationtest.Wait(t, limit, fmt.Sprintf("session %d ends", session), func() (bool, string) {
			ids := sessionIDs(t, w.c)
			return !slices.Contains(ids, session), fmt.Sprint("there are ", ids)
		})
	}
	t.Run("while the daemon runs", func(t *testing.T) {
		kill(t, w.sessions[0])
		gone(t, w.sessions[0])
		// It had the console, which gets a new logon screen.
		stationtest.Wait(t, limit, "a logon screen on the console", func() (bool, string) {
			r, err := w.c.GetActiveConsoleSession(t.Context())
			return err == nil && r.SessionID > w.sessions[2] && r.SessionID != win32.WTS_CURRENT_SESSION, fmt.Sprint(r, err)
		})
		w.moves(t, w.sessions[1])
		w.moves(t, w.sessions[2])
	})
	t.Run("while no daemon runs", func(t *testing.T) {
		w.Kill(t)
		kill(t, w.sessions[1])
		w.Start(t)
		w.c = w.Dial(t)
		gone(t, w.sessions[1])
		w.moves(t, w.sessions[2])
		_, err := w.c.WTSQuerySessionInformation(t.Context(), client.SessionInformationRequest{SessionID: w.sessions[1], Class: wtsUserName})
		stationtest.Want(t, "the dead session", err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	})
	t.Run("of session 0", func(t *testing.T) {
		before := servicePIDs(t, w.Dial(t))["StationWeb"]
		kill(t, 0)
		stationtest.Wait(t, limit, "the services are started again", func() (bool, string) {
			w.c = w.Dial(t) // the operator's processes are counted to session 0
			pids := servicePIDs(t, w.c)
			return pids["StationWeb"] != 0 && pids["StationWeb"] != before, fmt.Sprint(pids)
		})
		w.moves(t, w.sessions[2])
		w.Kill(t)
		w.Start(t)
		w.c = w.Dial(t)
		w.moves(t, w.sessions[2])
		if pids := servicePIDs(t, w.c); pids["StationWeb"] == 0 {
			t.Errorf("the next daemon runs no console: %v", pids)
		}
	})
}

// TestKilledDuringLogon kills the daemon at many moments of a logon. The next
// daemon has a session that works, or none and nothing of it.
func TestKilledDuringLogon(t *testing.T) {
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	c := d.Dial(t)
	stationtest.AddUser(t, c, "alice", false)
	var logon time.Duration // how long one takes, the second is as all others
	for range 2 {
		began := time.Now()
		r, err := c.LogonSession(t.Context(), client.LogonSessionRequest{User: "alice", NoPassword: true, New: true})
		if err != nil {
			t.Fatal(err)
		}
		logon = time.Since(began)
		recorded(t, d, r.SessionID)
	}
	const rounds = 8
	var whole, none int
	for i := range rounds {
		had := userSessions(t, c)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.LogonSession(context.Background(), client.LogonSessionRequest{User: "alice", NoPassword: true, New: true})
		}()
		<-time.After(logon * time.Duration(i) / (rounds - 3)) // the moment under test
		d.Kill(t)
		<-done
		d.Start(t)
		c = d.Dial(t)
		now := userSessions(t, c)
		for _, id := range had {
			if !slices.Contains(now, id) {
				t.Errorf("round %d: session %d is lost", i, id)
			}
		}
		if len(now) == len(had) {
			none++
		} else {
			whole++
		}
		for _, id := range now {
			if out := d.In(t, id, "echo", "works"); out != "works\n" {
				t.Errorf("round %d: session %d says %q", i, id, out)
			}
		}
		journal, err := os.ReadDir(filepath.Join(d.Dir, "run/host/journal"))
		if err != nil {
			t.Fatal(err)
		}
		if len(journal) != 1+len(now) {
			t.Errorf("round %d: the journal has %v for session 0 and %v", i, journal, now)
		}
	}
	if whole == 0 || none == 0 {
		t.Logf("the moments did not fit: a logon took %v", logon)
	}
	t.Logf("%d logons came through, %d left nothing", whole, none)
}

// recorded waits until the live state has a logon. It is written right after
// the call is answered, not before.
func recorded(t *testing.T, d *stationtest.Daemon, session uint32) {
	t.Helper()
	stationtest.Wait(t, limit, "the logon is in the live state", func() (bool, string) {
		b, err := os.ReadFile(filepath.Join(d.Dir, "run/live", fmt.Sprintf("session-%d.json", session)))
		var st struct {
			State win32.ConnectState
			Ready bool
		}
		return err == nil && json.Unmarshal(b, &st) == nil && st.State == win32.WTSActive && st.Ready, string(b)
	})
}

// userSessions gives the sessions in which somebody is logged on.
func userSessions(t *testing.T, c *client.Conn) (ids []uint32) {
	t.Helper()
	r, err := c.WTSEnumerateSessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sessions {
		if s.User != "" && s.ID != 0 {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
