// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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

const (
	uidA         = 20001
	uidB         = 20003
	unprivileged = 20002
)

func TestMain(m *testing.M) {
	if host.IsHolder(os.Args) {
		os.Exit(host.HolderMain(os.Args))
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "victim":
			os.Exit(victimMain(os.Args[2], os.Args[3]))
		case "attacker":
			os.Exit(attackerMain())
		}
	}
	os.Exit(m.Run())
}

var env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SECRET=" + secret, "GORACE=atexit_sleep_ms=0"}

// openRows are the rows that stay open between two sessions, with the reason.
func openRows(ownNetwork bool) map[string]string {
	if ownNetwork {
		return map[string]string{rowSquat: "only inside the attacker's own network: harmless"}
	}
	return map[string]string{
		rowSquat:     "Landlock scopes connect, not bind; the names of X servers are reserved",
		rowUnixNames: "the network namespace is shared",
		rowLoopback:  "the network namespace is shared",
	}
}

// outside says of a row whether it succeeds between two programs of one uid
// outside any session. Rows not tried there are in sessionOnly.
var sessionOnly = map[string]bool{rowCgroup: true, rowHolderSocket: true, rowJournal: true, rowOwnHolder: true, rowPeel: true, rowCaps: true, "signal its holder": true, rowSquatX: true}

// TestAttack is the suite: control outside, then the sessions.
func TestAttack(t *testing.T) {
	table := newTable()
	t.Cleanup(func() { t.Logf("attacks; x = succeeds, . = blocked\n%s", table) })
	own := uint32(os.Getuid())
	root := own == 0
	outsideUID := own
	if root {
		outsideUID = uidA
	}
	control := startOutside(t, outsideUID)
	t.Run("control", func(t *testing.T) {
		got := attackOutside(t, outsideUID, control)
		table.add("outside", got)
		yama, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
		for _, a := range attacks {
			if got[a.name] != "" && !sessionOnly[a.name] {
				if len(yama) > 0 && yama[0] != '0' && (strings.Contains(a.name, "ptrace") || strings.Contains(a.name, "vm_readv") || strings.Contains(a.name, "getfd") || strings.Contains(a.name, "/mem")) {
					t.Logf("%s: blocked by Yama outside sessions too", a.name)
					continue
				}
				t.Errorf("the attack %q does not work outside: %s", a.name, got[a.name])
			}
		}
	})
	for _, c := range []struct {
		name, level string
		uids        [2]uint32
		network     bool
		needRoot    bool
	}{
		{"full, one uid", host.LevelFull, [2]uint32{uidA, uidA}, false, true},
		{"full, two uids", host.LevelFull, [2]uint32{uidA, uidB}, false, true},
		{"full, own network", host.LevelFull, [2]uint32{uidA, uidA}, true, true},
		{"user", host.LevelUser, [2]uint32{own, own}, false, false},
		{"user, own network", host.LevelUser, [2]uint32{own, own}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.needRoot && !root {
				t.Skip("needs root")
			}
			if !c.needRoot && root {
				t.Skip("done by TestAttackRootless as an unprivileged uid")
			}
			got := attackSessions(t, c.level, c.uids, c.network, control)
			table.add(c.name, got)
			open := openRows(c.network)
			for _, a := range attacks {
				_, expected := open[a.name]
				switch {
				case got[a.name] == "" && !expected:
					t.Errorf("the attack %q succeeds", a.name)
				case got[a.name] != "" && expected && !strings.HasPrefix(got[a.name], "not tried"):
					t.Errorf("the row %q is closed now (%s): take it from the open ones", a.name, got[a.name])
				}
			}
		})
	}
}

// TestAttackRootless runs the suite again as a uid without any right.
func TestAttackRootless(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is it")
	}
	tmp, err := os.MkdirTemp("/tmp", "sm-attack-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	os.Chown(tmp, unprivileged, unprivileged)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run", "^TestAttack$", "-test.v")
	cmd.Env = append([]string{"TMPDIR=" + tmp, "HOME=" + tmp}, env...)
	cmd.Dir = tmp
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := cmd.CombinedOutput()
	t.Logf("as uid %d:\n%s", unprivileged, out)
	if err != nil {
		t.Fatalf("as uid %d: %v", unprivileged, err)
	}
	if !bytes.Contains(out, []byte("--- PASS: TestAttack/user")) {
		t.Fatalf("as uid %d the level user was not tested", unprivileged)
	}
}

func nonce() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// startOutside starts a victim outside any session; it lives as long as the
// test.
func startOutside(t *testing.T, uid uint32) *victimInfo {
	t.Helper()
	dir, err := os.MkdirTemp("", "sm-victim-")
	if err != nil {
		t.Fatal(err)
	}
	os.Chown(dir, int(uid), int(uid))
	cmd := exec.Command("/proc/self/exe", "victim", nonce(), dir)
	cmd.Env, cmd.Stderr, cmd.Dir = env, os.Stderr, "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it removes its things
		cmd.Wait()
		os.RemoveAll(dir)
	})
	return readVictim(t, out)
}

func readVictim(t *testing.T, r io.Reader) *victimInfo {
	t.Helper()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	var v victimInfo
	if err == nil {
		err = json.Unmarshal(line, &v)
	}
	if err != nil {
		t.Fatalf("the victim said %q: %v", line, err)
	}
	return &v
}

func attackOutside(t *testing.T, uid uint32, v *victimInfo) map[string]string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "attacker")
	cmd.Env, cmd.Stderr, cmd.Dir = env, os.Stderr, "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	js, _ := json.Marshal(v)
	cmd.Stdin = bytes.NewReader(js)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return readAnswers(t, out)
}

func readAnswers(t *testing.T, out []byte) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(attacks) {
		t.Fatalf("the attacker said %q: %v", out, err)
	}
	return got
}

// attackSessions runs a victim in session 1 and an attacker in session 2.
func attackSessions(t *testing.T, level string, uids [2]uint32, network bool, control *victimInfo) map[string]string {
	t.Helper()
	base, err := os.MkdirTemp("", "sm-attack-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	os.Chmod(base, 0o755)
	public := filepath.Join(base, "public")
	os.Mkdir(public, 0o755)
	// Programs find this binary in the public directory.
	if err := copyFile("/proc/self/exe", filepath.Join(public, "suite")); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(host.Options{Dir: filepath.Join(base, "run"), PublicDir: public, Level: level, SingleUID: true})
	if err != nil {
		t.Skipf("no level %s here: %v", level, err)
	}
	defer h.Close()
	if _, err := h.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer h.Unreserve()
	var sessions [2]*host.Session
	for i := range sessions {
		hs, err := h.StartSession(t.Context(), station.SessionSpec{ID: uint32(i + 1), UID: uids[i], GID: uids[i], OwnNetwork: network})
		if err != nil {
			t.Fatal(err)
		}
		sessions[i] = hs.(*host.Session)
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := hs.End(ctx); err != nil {
				t.Error(err)
			}
		}()
	}
	vr, vw, _ := os.Pipe()
	defer vr.Close()
	hold, holdW, _ := os.Pipe() // keeps the victim waiting
	defer holdW.Close()
	s := sessions[0]
	p, err := s.Spawn(t.Context(), station.ProcessSpec{
		Path: s.PublicPath() + "/suite", Args: []string{"suite", "victim", nonce(), s.RuntimeDir()}, Env: env,
		UID: uids[0], GID: uids[0], Files: []*os.File{hold, vw, os.Stderr}})
	vw.Close()
	hold.Close()
	if err != nil {
		t.Fatal(err)
	}
	v := readVictim(t, vr)
	v.PID = p.PID()
	if v.PID < 100 {
		t.Fatalf("the victim has number %d, which the attacker's session may have too", v.PID)
	}
	v.Key = control.Key // planted where no border but the session's is
	v.Session = true
	v.HolderID = s.HolderPID()
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", v.PID)); err == nil {
		for _, line := range strings.Split(string(b), "\n") {
			if path, ok := strings.CutPrefix(line, "0::"); ok && strings.Contains(path, "/station-") {
				for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
					if _, err := os.Stat(mount + filepath.Dir(path) + "/cgroup.kill"); err == nil {
						v.Cgroup = mount + filepath.Dir(path)
					}
				}
			}
		}
	}
	first := func(pattern string) string {
		all, _ := filepath.Glob(filepath.Join(base, "run", pattern))
		if len(all) == 0 {
			t.Fatalf("no %s", pattern)
		}
		return all[0]
	}
	v.Holder, v.Journal = first("holder/s1-*"), first("journal/s1-*")

	js, _ := json.Marshal(v)
	inR, inW, _ := os.Pipe()
	outR, outW, _ := os.Pipe()
	defer outR.Close()
	a := sessions[1]
	ap, err := a.Spawn(t.Context(), station.ProcessSpec{
		Path: a.PublicPath() + "/suite", Args: []string{"suite", "attacker"}, Env: env,
		UID: uids[1], GID: uids[1], Files: []*os.File{inR, outW, os.Stderr}})
	inR.Close()
	outW.Close()
	if err != nil {
		t.Fatal(err)
	}
	inW.Write(js)
	inW.Close()
	out, _ := io.ReadAll(outR)
	<-ap.Done()
	if st := ap.ExitStatus(); st.Code != 0 {
		t.Fatalf("the attacker ended with %+v", st)
	}
	for i, s := range sessions {
		select {
		case <-s.Done():
			t.Errorf("session %d did not survive", i+1)
		default:
		}
	}
	select {
	case <-p.Done():
		t.Errorf("the victim did not survive: %+v", p.ExitStatus())
	default:
	}
	return readAnswers(t, out)
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}

// resultTable collects the columns of the matrix.
type resultTable struct {
	names []string
	cols  []map[string]string
}

func newTable() *resultTable { return &resultTable{} }

func (r *resultTable) add(name string, got map[string]string) {
	r.names = append(r.names, name)
	r.cols = append(r.cols, got)
}

// String prints the matrix, one row per attack.
func (r *resultTable) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-34s| %s\n", "attack", strings.Join(r.names, " | "))
	for _, a := range attacks {
		fmt.Fprintf(&b, "%-34s|", a.name)
		for i, col := range r.cols {
			mark := "x"
			if why := col[a.name]; strings.HasPrefix(why, "not tried") {
				mark = "-"
			} else if why != "" {
				mark = "."
			}
			fmt.Fprintf(&b, " %-*s |", len(r.names[i]), mark)
		}
		b.WriteString("\n")
	}
	return b.String()
}
