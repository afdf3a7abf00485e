// SPDX-License-Identifier: Apache-2.0

// Package capi builds C programs against the C library and runs them inside
// sessions of a real daemon. A program prints one line a check; each becomes a
// subtest named after the rule it proves.
package capi

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) { stationtest.Main(m, nil) }

const root = "../.."

// TestLibrary builds the C library once and tests it.
func TestLibrary(t *testing.T) {
	stationtest.NeedPrograms(t, "gcc", "make", "nm")
	dir := place(t)
	if out, err := exec.Command("make", "-s", "-j2", "-C", root+"/capi", "B="+dir).CombinedOutput(); err != nil {
		t.Fatalf("cannot build the library: %v\n%s", err, out)
	}
	t.Run("exports", func(t *testing.T) { testExports(t, dir) })
	t.Run("calls", func(t *testing.T) { testCalls(t, dir) })
	t.Run("life", func(t *testing.T) { testLife(t, dir) })
	t.Run("restart", func(t *testing.T) { testRestart(t, dir) })
	t.Run("service", func(t *testing.T) { testService(t, dir) })
}

// place makes a directory that sessions can see.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "station-capi-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// compile builds a program below dir with warnings as errors.
func compile(t *testing.T, dir, source string, flags ...string) string {
	t.Helper()
	out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), ".c"))
	args := append([]string{"-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-I" + root + "/capi/include", "-Itestdata", source, "-o", out, "-pthread"}, flags...)
	if msg, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", strings.Join(args, " "), err, msg)
	}
	return out
}

// shared links with the shared library, where sessions find it.
func shared(dir string) []string { return []string{"-L" + dir, "-lstation", "-Wl,-rpath," + dir} }

var ruleOf = regexp.MustCompile(`^[A-Z]+-[0-9]+`)

// report turns a program's lines into subtests.
func report(t *testing.T, out string) {
	t.Helper()
	if !strings.HasSuffix(strings.TrimSpace(out), "done") {
		t.Errorf("the program did not come to its end:\n%s", out)
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		word, name, _ := strings.Cut(line, " ")
		name, what, _ := strings.Cut(name, ": ")
		switch word {
		case "ok", "FAIL":
			t.Run(name, func(t *testing.T) {
				conform.Rule(t, ruleOf.FindString(name))
				if word == "FAIL" {
					t.Error(what)
				}
			})
		case "done", "waiting", "lost":
		default:
			t.Log(line)
		}
	}
}

// world is a daemon with alice logged on.
func world(t *testing.T) (*stationtest.Daemon, *client.Conn, uint32) {
	t.Helper()
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	c := d.Dial(t)
	stationtest.AddUser(t, c, "alice", false)
	return d, c, stationtest.Logon(t, c, "alice")
}

// run runs a program in a session and gives all it printed, whatever its exit code.
func run(t *testing.T, d *stationtest.Daemon, session uint32, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r := d.Station(ctx, append([]string{"run", "--session", fmt.Sprint(session), "--"}, args...)...)
	if r.Code != 0 || r.Err != "" {
		t.Errorf("%v: exit code %d\n%s", args, r.Code, r.Err)
	}
	return r.Out
}

func testCalls(t *testing.T, dir string) {
	conform.Rule(t, "WS-33", "UO-8", "UO-10", "WS-37", "WS-30", "WS-23", "WS-31", "DT-16", "DT-33", "DT-30", "DT-29", "UO-15", "ABI-31", "SYN-8", "SYN-9", "SYN-11", "ABI-60", "SE-20", "WTS-5", "WTS-8", "WTS-20", "ABI-5", "ABI-22", "ABI-40")
	conform.Rule(t, "ABI-15", "ABI-23", "ABI-30", "ABI-32", "ABI-34", "ABI-41", "ABI-42", "ABI-51", "ABI-53", "ABI-62", "SE-27", "UO-9", "UO-11")
	d, _, session := world(t)
	report(t, run(t, d, session, compile(t, dir, "testdata/core.c", shared(dir)...)))
}

func testLife(t *testing.T, dir string) {
	conform.Rule(t, "ABI-21", "ABI-36", "ABI-50", "ABI-63", "ABI-57")
	d, _, session := world(t)
	report(t, run(t, d, session, compile(t, dir, "testdata/life.c", shared(dir)...)))
}

// The same under AddressSanitizer and UndefinedBehaviorSanitizer, the library's
// own sources included.
func TestSanitized(t *testing.T) {
	stationtest.NeedPrograms(t, "gcc", "make")
	dir := place(t)
	const san = "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
	if out, err := exec.Command("make", "-s", "-j2", "-C", root+"/capi", "B="+dir, "CFLAGS=-O1 -g "+san, dir+"/libstation.a").CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	d, _, session := world(t)
	flags := append([]string{dir + "/libstation.a"}, strings.Fields(san)...)
	report(t, run(t, d, session, compile(t, dir, "testdata/core.c", flags...)))
}

// A daemon that is killed and replaced under a program.
func testRestart(t *testing.T, dir string) {
	d, c, session := world(t)
	program := compile(t, dir, "testdata/life.c", shared(dir)...)
	in, w := pipe(t)
	r, out := pipe(t)
	in.Fd() // a C program wants a descriptor that blocks
	token, err := c.WTSQueryUserToken(t.Context(), client.SessionRequest{SessionID: session})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateProcess(t.Context(), client.CreateProcessRequest{Token: token.Handle, Path: program, Args: []string{program, "restart"}}, in, out, out); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	if err := r.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	until := func(word string) {
		t.Helper()
		buf := make([]byte, 4096)
		for !strings.Contains(seen.String(), word+"\n") {
			n, err := r.Read(buf)
			seen.Write(buf[:n])
			if err != nil {
				t.Fatalf("%v before %q:\n%s", err, word, seen.String())
			}
		}
	}
	until("waiting")
	d.Kill(t)
	until("lost")
	d.Start(t)
	if _, err := io.WriteString(w, "go\n"); err != nil {
		t.Fatal(err)
	}
	until("done")
	report(t, seen.String())
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// examples/c/ask.c, started by the service manager, asks alice and is stopped.
func testService(t *testing.T, dir string) {
	conform.Rule(t, "ABI-66", "SCM-18", "SCM-27", "SCM-28", "WTS-31")
	d, c, session := world(t)
	program := compile(t, dir, root+"/examples/c/ask.c", shared(dir)...)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if r := d.Station(ctx, "run", "--session", fmt.Sprint(session), "--", program); r.Code != 1 || !strings.Contains(r.Err, "(1063)") {
		t.Errorf("outside a service: exit code %d, %q", r.Code, r.Err)
	}
	m, err := c.OpenSCManager(ctx, client.OpenSCManagerRequest{Access: win32.SC_MANAGER_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.CreateService(ctx, client.CreateServiceRequest{Manager: m.Handle, Name: "Ask", Access: win32.SERVICE_ALL_ACCESS, Type: win32.SERVICE_WIN32_OWN_PROCESS, StartType: win32.SERVICE_DEMAND_START, ErrorControl: 1, BinaryPath: program})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartService(ctx, client.StartServiceRequest{Service: s.Handle, Args: []string{"one", "two"}}); err != nil {
		t.Fatal(err)
	}
	h := client.HandleRequest{Handle: s.Handle}
	state := func(want uint32) {
		t.Helper()
		stationtest.Wait(t, 30*time.Second, fmt.Sprintf("service state %d", want), func() (bool, string) {
			r, err := c.QueryServiceStatus(ctx, h)
			return err == nil && r.Status.State == want, fmt.Sprint(r, err)
		})
	}
	state(win32.SERVICE_RUNNING)
	stationtest.Wait(t, 30*time.Second, "a box in alice's session", func() (bool, string) {
		r, err := c.ListMessages(ctx, client.SessionRequest{SessionID: session})
		return err == nil && len(r.Messages) == 1 && r.Messages[0].Text == "May the backup start now?", fmt.Sprint(r, err)
	})
	// The handler runs while ServiceMain's thread waits for the answer; the
	// box goes with the session.
	if _, err := c.ControlService(ctx, client.ControlServiceRequest{Service: s.Handle, Control: win32.SERVICE_CONTROL_STOP}); err != nil {
		t.Fatal(err)
	}
	if err := c.WTSLogoffSession(ctx, client.SessionWaitRequest{SessionID: session, Wait: true}); err != nil {
		t.Fatal(err)
	}
	state(win32.SERVICE_STOPPED)
	log, err := c.ServiceLog(ctx, client.ServiceLogRequest{Service: s.Handle})
	if err != nil || !strings.Contains(string(log.Data), "Ask runs with 3 arguments") {
		t.Errorf("the service wrote %q, %v", log.Data, err)
	}
}

// ABI-2: what is visible is what the specification lists, and station_*.
func testExports(t *testing.T, dir string) {
	conform.Rule(t, "ABI-2", "ABI-5")
	out, err := exec.Command("nm", "-D", "--defined-only", "--with-symbol-versions", dir+"/libstation.so.1").Output()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		name, version, _ := strings.Cut(f[len(f)-1], "@@")
		if f[1] == "A" { // the version itself
			continue
		}
		if version != "STATION_1" {
			t.Errorf("%s has version %q", name, version)
		}
		if !strings.HasPrefix(name, "station_") {
			have = append(have, name)
		}
	}
	slices.Sort(have)
	want := specNames(t)
	for _, n := range want {
		if !slices.Contains(have, n) {
			t.Errorf("%s is not exported", n)
		}
	}
	for _, n := range have {
		if !slices.Contains(want, n) {
			t.Errorf("%s is exported and not in the specification", n)
		}
	}
}

// specNames gives the names of part 8 of docs/spec/cabi.md.
func specNames(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/spec/cabi.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## 8. ")
	part, _, _ = strings.Cut(part, "\n## 9. ")
	word := regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*\*?`)
	var names []string
	for i, block := range strings.Split(part, "```") {
		if i%2 == 0 {
			continue
		}
		for l := range strings.Lines(block) {
			if !strings.HasPrefix(l, " ") {
				_, l, _ = strings.Cut(l, ": ")
			}
			for _, w := range word.FindAllString(l, -1) {
				if base, pair := strings.CutSuffix(w, "*"); pair {
					names = append(names, base+"A", base+"W")
				} else {
					names = append(names, w)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ABI-1, ABI-3: each header alone, in C and C++, before and after libc's.
func TestHeaders(t *testing.T) {
	stationtest.NeedPrograms(t, "gcc", "g++")
	conform.Rule(t, "ABI-1", "ABI-3", "ABI-4", "ABI-10", "ABI-11", "ABI-12", "ABI-13", "ABI-14", "ABI-20")
	headers, err := filepath.Glob(root + "/capi/include/*.h")
	if err != nil || len(headers) < 25 {
		t.Fatal(headers, err)
	}
	modes := [][]string{
		{"gcc", "-xc", "-std=c99", "-Wstrict-prototypes"},
		{"gcc", "-xc", "-std=gnu17", "-DUNICODE", "-fshort-wchar"},
		{"g++", "-xc++", "-std=c++17"},
		{"gcc", "-xc", "-std=gnu17", "-DWIN32_LEAN_AND_MEAN", "-DNOMINMAX", "-DNO_STRICT"},
	}
	if clang, err := exec.LookPath("clang"); err == nil {
		modes = append(modes, []string{clang, "-xc", "-std=c11"})
	}
	libc := "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <sys/wait.h>\n#include <sys/socket.h>\n#include <math.h>\n#include <pthread.h>\n"
	check := func(t *testing.T, mode []string, source string) {
		t.Helper()
		cmd := exec.Command(mode[0], append(slices.Clone(mode[1:]), "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"+root+"/capi/include", "-")...)
		cmd.Stdin = strings.NewReader(source)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", mode, err, out)
		}
	}
	for _, mode := range modes {
		for _, h := range headers {
			check(t, mode, "#include \""+filepath.Base(h)+"\"\nint main(void) { return 0; }\n")
		}
		all := ""
		for _, h := range headers {
			all = "#include \"" + filepath.Base(h) + "\"\n" + all
		}
		check(t, mode, libc+all+"int x;\n")
		check(t, mode, all+libc+"int x;\n")
	}
	sizes := "STARTUPINFOA 104 STARTUPINFOW 104 PROCESS_INFORMATION 24 SECURITY_ATTRIBUTES 24 SECURITY_DESCRIPTOR 40 ACL 8 ACCESS_ALLOWED_ACE 12 GENERIC_MAPPING 16 PRIVILEGE_SET 20 TOKEN_PRIVILEGES 16 TOKEN_GROUPS 24 TOKEN_USER 16 TOKEN_STATISTICS 56 SID_AND_ATTRIBUTES 16 LUID 8 MSG 48 WNDCLASSA 72 WNDCLASSW 72 WNDCLASSEXA 80 WNDCLASSEXW 80 CREATESTRUCTA 80 CWPSTRUCT 32 CWPRETSTRUCT 40 KBDLLHOOKSTRUCT 24 INPUT 40 COPYDATASTRUCT 24 USEROBJECTFLAGS 12 OVERLAPPED 32 RTL_CRITICAL_SECTION 40 BSMINFO 32 SYSTEMTIME 16 SERVICE_STATUS 28 SERVICE_STATUS_PROCESS 36 QUERY_SERVICE_CONFIGA 64 QUERY_SERVICE_CONFIGW 64 ENUM_SERVICE_STATUSA 48 ENUM_SERVICE_STATUS_PROCESSA 56 SERVICE_TABLE_ENTRYA 16 WTS_SESSION_INFOA 24 WTS_PROCESS_INFOA 24 WTSSESSION_NOTIFICATION 8 " +
		"BYTE 1 CHAR 1 WORD 2 SHORT 2 ATOM 2 WCHAR 2 BOOL 4 INT 4 UINT 4 LONG 4 ULONG 4 DWORD 4 HRESULT 4 NTSTATUS 4 LONGLONG 8 ULONGLONG 8 LARGE_INTEGER 8 FILETIME 8 INT_PTR 8 UINT_PTR 8 LONG_PTR 8 ULONG_PTR 8 DWORD_PTR 8 SIZE_T 8 WPARAM 8 LPARAM 8 LRESULT 8 HANDLE 8 HWINSTA 8 HDESK 8 SC_HANDLE 8"
	var b strings.Builder
	b.WriteString("#include <windows.h>\n#include <wtsapi32.h>\n#include <winsvc.h>\n#if defined(_WIN32) || defined(_MSC_VER) || STATION_ABI < 1\n#error ABI-4\n#endif\n")
	words := strings.Fields(sizes)
	for i := 0; i < len(words); i += 2 {
		fmt.Fprintf(&b, "_Static_assert(sizeof(%s) == %s, \"%s\");\n", words[i], words[i+1], words[i])
	}
	b.WriteString("INPUT input; OVERLAPPED ovl; LARGE_INTEGER li;\nint main(void) { HANDLE h = (HDESK)0; input.ki.wVk = 1; ovl.Offset = 1; li.LowPart = 1; return h != NULL; }\n")
	check(t, []string{"gcc", "-xc", "-std=c11"}, b.String())
}

// TestLater names the rules of the C surface that wait for later tiers or have
// no test of their own yet.
func TestLater(t *testing.T) {
	for _, r := range []struct{ rule, why string }{
		{"ABI-6", "the constants of the tiers that are built are there; nobody compares all of them with the specifications yet"},
		{"ABI-33", "of the functions that return their error only NtClose and RtlNtStatusToDosError are built"},
		{"ABI-35", "says what is undefined"},
		{"ABI-43", "windows and messages are a later tier"},
		{"ABI-52", "window procedures, hooks, timers and APCs are later tiers; enumerations and service handlers keep it"},
		{"ABI-54", "windows and messages are a later tier"},
		{"ABI-55", "hooks are a later tier"},
		{"ABI-56", "APCs and suspended threads are a later tier"},
		{"ABI-61", "an inherited handle of a child is tested through the engine only"},
		{"ABI-64", "CREATE_SUSPENDED fails with 50"},
		{"ABI-65", "pipes and files are a later tier"},
		{"ABI-67", "LocalAlloc and LocalFree only"},
	} {
		t.Run(r.rule, func(t *testing.T) { conform.Todo(t, r.rule, r.why, nil) })
	}
}
