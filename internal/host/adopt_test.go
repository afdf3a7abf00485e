// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stationmaster/internal/host"
	"stationmaster/station"
)

// daemonMain is a daemon that starts sessions until it is killed: three with
// programs if what is "three", else one after the other without end.
func daemonMain(dir, level, what string) int {
	h, err := host.Open(host.Options{Dir: filepath.Join(dir, "run"), PublicDir: filepath.Join(dir, "public"), Level: level, SingleUID: true})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx := context.Background()
	if what == "three" {
		for id := range uint32(3) {
			hs, err := h.StartSession(ctx, station.SessionSpec{ID: id, UID: 20001, GID: 20001})
			if err != nil {
				fmt.Println(err)
				return 1
			}
			for tag, script := range map[string]string{"seven": "exit 7", "stays": "sleep 1000", "later": "read x < /tmp/go; exit 9", "killed": "kill -KILL $$"} {
				if tag == "later" {
					script = "mkfifo /tmp/go; " + script
				}
				if _, err := hs.Spawn(ctx, station.ProcessSpec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: baseEnv, UID: 20001, GID: 20001, Tag: tag}); err != nil {
					fmt.Println(err)
					return 1
				}
			}
		}
		fmt.Println("ready")
		select {}
	}
	for id := uint32(1); ; id++ {
		fmt.Println("starting", id)
		hs, err := h.StartSession(ctx, station.SessionSpec{ID: id, UID: 20001, GID: 20001})
		if err == nil && id%3 == 0 {
			err = hs.End(ctx)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
}

// startDaemon starts daemonMain and waits until it has said line.
func startDaemon(t *testing.T, th *testHost, level, what, line string) (kill func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "prog", "daemon", filepath.Dir(th.dir), level, what)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(kill)
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		if sc.Text() == line {
			return kill
		}
		if !strings.HasPrefix(sc.Text(), "starting") {
			t.Fatalf("the daemon said %q", sc.Text())
		}
	}
	t.Fatalf("the daemon ended: %v", sc.Err())
	return nil
}

// adopt opens the directory again and adopts; the sessions end with the test.
func (th *testHost) adopt(t *testing.T, level string) []*host.Session {
	t.Helper()
	th.open(t, host.Options{Level: level, SingleUID: true})
	all, err := th.Adopt(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Cleanup(func() {
		for _, s := range all {
			endSession(t, s)
		}
	})
	return all
}

func TestAdopt(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		th.Close()
		kill := startDaemon(t, th, level, "three", "ready")
		if _, err := host.Open(host.Options{Dir: th.dir}); err == nil || !strings.Contains(err.Error(), "uses it already") {
			t.Errorf("second daemon on one directory: %v", err)
		}
		kill()
		began := time.Now()
		all := th.adopt(t, level)
		t.Logf("adopted %d sessions in %v, probe included", len(all), time.Since(began))
		if len(all) != 3 {
			t.Fatalf("%d sessions adopted, log:\n%s", len(all), th.log)
		}
		for i, s := range all {
			if s.ID() != uint32(i) || s.RuntimeDir() == "" || s.PublicPath() == "" {
				t.Errorf("session %d is adopted as %d, %s, %s", i, s.ID(), s.RuntimeDir(), s.PublicPath())
			}
			procs := map[string]station.HostProcess{}
			for _, p := range s.Processes() {
				procs[p.Tag()] = p
			}
			if len(procs) != 4 {
				t.Fatalf("session %d has processes %v", i, procs)
			}
			for tag, want := range map[string]station.ExitStatus{"seven": {Code: 7}, "killed": {Code: 137, Signal: 9}} {
				waitDone(t, procs[tag])
				if st := procs[tag].ExitStatus(); st != want {
					t.Errorf("%s of session %d ended with %+v, want %+v", tag, i, st, want)
				}
				if procs[tag].PID() <= 0 || procs[tag].StartTime() == 0 {
					t.Errorf("%s of session %d is process %d, start %d", tag, i, procs[tag].PID(), procs[tag].StartTime())
				}
				procs[tag].Forget()
			}
			// The session goes on as before: new programs, old ones' ends.
			sh(t, s, 20001, "while ! [ -p /tmp/go ]; do :; done; echo x > /tmp/go")
			waitDone(t, procs["later"])
			if st := procs["later"].ExitStatus(); st.Code != 9 {
				t.Errorf("later of session %d ended with %+v", i, st)
			}
			stays := procs["stays"]
			if err := stays.Signal(0); err != nil {
				t.Errorf("stays of session %d: %v", i, err)
			}
		}
		// A caller is known to the new daemon too.
		l := callSocket(t, th)
		p := startProg(t, th, all[1], 20001, "", "call", all[1].PublicPath()+"/call")
		peer, done := caller(t, th.Host, l)
		if !peer.InSession || peer.Session != 1 || peer.PID != p.PID() {
			t.Errorf("caller is identified as %+v", peer)
		}
		done()
		// Detach and adopt once more, in the same process.
		th.Close()
		select {
		case <-all[0].Done():
			t.Error("a session ended when its host was closed")
		default:
		}
		again := th.adopt(t, level)
		if len(again) != 3 || len(again[0].Processes()) != 2 {
			t.Fatalf("second adoption: %v", again)
		}
		for _, s := range again {
			endSession(t, s)
		}
	})
}

// TestAdoptHalfMade kills daemons at all moments of starting and ending
// sessions.
func TestAdoptHalfMade(t *testing.T) {
	levels(t, func(t *testing.T, level string) {
		th := newHost(t, host.Options{Level: level})
		th.Close()
		for round := range 12 {
			last := 1 + round%5
			kill := startDaemon(t, th, level, "loop", fmt.Sprintf("starting %d", last))
			for range round * 20 { // a little later each time, without a clock
				syscall.Getppid()
				os.ReadFile("/proc/self/stat")
			}
			kill()
			all := th.adopt(t, level)
			ids := map[uint32]bool{}
			for _, s := range all {
				ids[s.ID()] = true
				if got := sh(t, s, 20001, "echo ok"); got != "ok" {
					t.Errorf("session %d: %q", s.ID(), got)
				}
			}
			for id := uint32(1); id < uint32(last); id++ {
				if id%3 != 0 && !ids[id] {
					t.Errorf("round %d: session %d was complete and is lost", round, id)
				}
			}
			for _, s := range all {
				endSession(t, s)
			}
			th.Close()
			checkNothingLeft(t, th.dir)
		}
	})
}

func TestAdoptStrays(t *testing.T) {
	th := newHost(t, host.Options{})
	s := th.start(t, station.SessionSpec{ID: 1})
	gone := th.start(t, station.SessionSpec{ID: 2})
	stray := th.start(t, station.SessionSpec{ID: 3})
	strayPID, holder2 := stray.HolderPID(), gone.HolderPID()
	th.Close()

	// Session 3 has a group and a socket, but no record; session 2's holder is
	// gone; session 4 was about to be made; one file nobody can read.
	journal := filepath.Join(th.dir, "journal")
	if err := os.Remove(filepath.Join(journal, "s3-"+stray.Nonce()+".json")); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(holder2, syscall.SIGKILL)
	intent, _ := json.Marshal(map[string]any{"Version": 1, "State": "intent", "ID": 4, "Nonce": "abc"})
	os.WriteFile(filepath.Join(journal, "s4-abc.json"), intent, 0o600)
	os.WriteFile(filepath.Join(journal, "s5-x.json.new"), []byte("{"), 0o600)
	if f, err := net.Listen("unix", filepath.Join(th.dir, "holder", "s9-z.sock")); err == nil {
		f.(*net.UnixListener).SetUnlinkOnClose(false)
		f.Close()
	}
	eventually(t, "the holder does not end", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", holder2))
		return err != nil || strings.Contains(string(b), ") Z ")
	})
	all := th.adopt(t, "")
	if len(all) != 1 || all[0].ID() != 1 {
		t.Fatalf("adopted %v, log:\n%s", all, th.log)
	}
	if th.Isolation().Feature("cgroup-v2") {
		eventually(t, "the stray holder runs", func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", strayPID))
			return err != nil || strings.Contains(string(b), ") Z ")
		})
		if !strings.Contains(th.log.String(), "cgroup without a session") {
			t.Errorf("the log is silent about the stray cgroup:\n%s", th.log)
		}
	} else {
		syscall.Kill(strayPID, syscall.SIGKILL)
	}
	for _, want := range []string{"session=2", "session=4", "s9-z.sock", "session adopted"} {
		if !strings.Contains(th.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, th.log)
		}
	}
	endSession(t, s) // of the closed host: an error, no harm
	// A record that cannot be read is reported, and nothing else is touched.
	th.Close()
	bad := filepath.Join(journal, "s8-bad.json")
	os.WriteFile(bad, []byte("{"), 0o600)
	th.open(t, host.Options{})
	all, err := th.Adopt(t.Context())
	if err == nil || !strings.Contains(err.Error(), bad) || len(all) != 1 {
		t.Errorf("with an unreadable record: %v, %v", all, err)
	}
	os.Remove(bad)
	for _, s := range all {
		endSession(t, s)
	}
}

// TestHolderRefuses: nobody but the daemon may talk to a holder.
func TestHolderRefuses(t *testing.T) {
	th := newHost(t, host.Options{})
	s := th.start(t, station.SessionSpec{ID: 1})
	sock := filepath.Join(th.dir, "holder", "s1-"+s.Nonce()+".sock")
	c, err := net.Dial("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := `{"Version":1,"Key":"AAAA"}`
	c.Write([]byte{byte(len(body)), 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0})
	c.Write([]byte(body))
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, _ := io.ReadAll(c)
	if !strings.Contains(string(b), "refused") {
		t.Errorf("wrong key: %q", b)
	}
	for _, junk := range []string{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "x", strings.Repeat("\x00", 12), "\x02\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00{}"} {
		c, err := net.Dial("unix", sock)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(junk))
		c.(*net.UnixConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		io.ReadAll(c)
		c.Close()
	}
	if got := sh(t, s, 0, "echo ok"); got != "ok" { // the true daemon was not disturbed
		t.Errorf("got %q", got)
	}
}
