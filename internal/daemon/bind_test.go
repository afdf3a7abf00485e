// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/internal/host"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

// child starts a process that waits to be killed, and opens its pidfd.
func child(t *testing.T) (*exec.Cmd, *os.File) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() { f.Close() })
	return cmd, f
}

// Who calls from outside is what its Linux user says; a process the engine did
// not start is forgotten when it ends, also long after its connection did.
func TestBinder(t *testing.T) {
	conform.Rule(t, "HND-12")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	a, err := op.AddAccount(ctx, client.AddAccountRequest{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	b := NewEngineBinder(h.engine, h.services, host.Ancestors, nil)
	defer b.Close()
	for _, c := range []struct {
		uid     uint32
		user    string
		outside bool
	}{
		{0, security.System.String(), true},
		{a.Account.UID, a.Account.SID, true},
		{4711, security.UnixUserSID(4711).String(), true},
	} {
		cmd, pidfd := child(t)
		peer := Peer{PID: cmd.Process.Pid, UID: c.uid, PIDFD: pidfd}
		th, err := b.Attach(peer)
		if err != nil {
			t.Fatal(err)
		}
		if got := th.EffectiveToken().User().String(); got != c.user {
			t.Errorf("uid %d is %s, want %s", c.uid, got, c.user)
		}
		if p := th.Process(); !strings.HasSuffix(p.Program(), "sleep") || len(p.Args()) != 2 || p.Session().ID() != 0 {
			t.Errorf("program %s %q in session %d", p.Program(), p.Args(), p.Session().ID())
		}
		if c.uid == 4711 {
			if th.EffectiveToken().IsMember(security.Users) || th.EffectiveToken().IsMember(security.AuthenticatedUsers) {
				t.Error("a stranger is a user")
			}
			_, err := th.ProcessWindowStation()
			if err == nil {
				t.Error("a stranger has a window station")
			}
		}
		b.Malformed(th, peer, errors.New("rubbish"))
		b.Detach(th, peer)
		pidfd.Close() // the binder has its own
		if _, ok := h.engine.Process(peer.PID); !ok {
			t.Error("the record went with the connection")
		}
		cmd.Process.Kill()
		cmd.Wait()
		until(t, "the record is gone", func() bool { _, ok := h.engine.Process(peer.PID); return !ok })
	}
	audit, err := op.ReadAudit(ctx, client.ReadLogRequest{})
	if err != nil || !strings.Contains(audit.Records[len(audit.Records)-1].ACEText, "rubbish") {
		t.Errorf("%+v %v", audit, err)
	}

	// A disabled account gets no thread.
	if err := h.services.Store.SetDisabled("alice", true); err != nil {
		t.Fatal(err)
	}
	cmd, pidfd := child(t)
	_, err = b.Attach(Peer{PID: cmd.Process.Pid, UID: a.Account.UID, PIDFD: pidfd})
	wantCode(t, err, win32.ERROR_ACCOUNT_DISABLED)
}

// A fork of a session's program is its parent's: token, station and desktop
// come from the nearest ancestor that is known.
func TestBinderFork(t *testing.T) {
	conform.Rule(t, "HND-12", "PC-4")
	h := newHouse(t)
	op := h.dial()
	one := h.logon(op, "alice")
	se, _ := h.engine.Session(one)
	desktop := `WinSta0\Default`
	parent, err := h.engine.StartProcess(t.Context(), se.User(), station.ProcessOptions{Path: "/bin/parent", Desktop: &desktop})
	if err != nil {
		t.Fatal(err)
	}
	b := NewEngineBinder(h.engine, h.services, func(int) []int { return []int{7, parent.ID(), 1} }, nil)
	cmd, pidfd := child(t)
	peer := Peer{PID: cmd.Process.Pid, UID: 4711, InSession: true, Session: one, PIDFD: pidfd}
	th, err := b.Attach(peer)
	if err != nil {
		t.Fatal(err)
	}
	if p := th.Process(); p.ParentID() != parent.ID() || p.Token().User() != se.User().User() {
		t.Errorf("parent %d, user %s", p.ParentID(), p.Token().User())
	}
	b.Detach(th, peer)
	b.Close() // ends the watching of a process that still runs
	if _, err := b.Attach(Peer{PID: cmd.Process.Pid, InSession: true, Session: 99}); win32.Code(err) != win32.ERROR_ACCESS_DENIED {
		t.Errorf("a session that does not exist: %v", err)
	}
}
