// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

func TestServiceLogIsBounded(t *testing.T) {
	l, err := openLogs(filepath.Join(t.TempDir(), "logs"), 4096, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	f, err := l.open("Noisy Service")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	path := l.path("noisy service")
	deadline := time.Now().Add(20 * time.Second)
	cut := false
	for i := 0; !cut; i++ {
		if time.Now().After(deadline) {
			t.Fatal("the log was never cut")
		}
		if _, err := fmt.Fprintf(f, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".1"); err == nil {
			cut = true
		}
	}
	for { // the cut is done under the lock
		l.mu.Lock()
		info, err := os.Stat(path)
		l.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() <= 4096 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d bytes", info.Size())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := fmt.Fprintln(f, "the last line"); err != nil {
		t.Fatal(err)
	}
	b, err := l.tail(context.Background(), "NOISY service", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 1000 || !strings.HasPrefix(string(b), "line ") || !strings.HasSuffix(string(b), "the last line\n") {
		t.Errorf("the tail is %q", b)
	}
	l.remove("noisy service")
	if b, err := l.tail(context.Background(), "noisy service", 1000); err != nil || len(b) != 0 {
		t.Errorf("after removal: %q, %v", b, err)
	}
}

func TestServiceLogPaths(t *testing.T) {
	l := &logs{dir: "/logs"}
	seen := make(map[string]string)
	for _, name := range []string{"a", "..", ".", "a b", "a:b", "a%b", "ä", strings.Repeat("n", 250), strings.Repeat("n", 251), strings.Repeat("ü", 200)} {
		p := l.path(name)
		if filepath.Dir(p) != "/logs" || len(filepath.Base(p)) > 240 || strings.HasPrefix(filepath.Base(p), ".") {
			t.Errorf("%q: %s", name, p)
		}
		if other, taken := seen[p]; taken {
			t.Errorf("%q and %q share a log", other, name)
		}
		seen[p] = name
	}
	if l.path("A") != l.path("a") {
		t.Error("one service has two logs")
	}
}

func TestServiceLogCall(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.LogDir = filepath.Join(t.TempDir(), "logs") })
	defer w.close()
	w.install("/bin/p", nil)
	h := w.create(api.CreateServiceRequest{Name: "p", Plain: true})
	w.mustStart(h)
	files := w.host.Process(int(w.status(h).ProcessID)).Spec().Files
	if len(files) != 3 {
		t.Fatalf("%d descriptors", len(files))
	}
	f, err := w.m.logs.open("p") // what a program writes
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("hello\nworld\n")
	_ = f.Close()
	r, err := w.m.ServiceLog(w.ctx, w.operator, api.ServiceLogRequest{Service: h})
	if err != nil || string(r.Data) != "hello\nworld\n" {
		t.Errorf("got %q, %v", r.Data, err)
	}
	r, err = w.m.ServiceLog(w.ctx, w.operator, api.ServiceLogRequest{Service: h, Bytes: 8})
	if err != nil || string(r.Data) != "world\n" {
		t.Errorf("got %q, %v", r.Data, err)
	}
	_, err = w.m.ServiceLog(w.ctx, w.operator, api.ServiceLogRequest{})
	wantCode(t, err, win32.ERROR_INVALID_HANDLE)
}
