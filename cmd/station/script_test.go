// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"stationmaster/client"
	"stationmaster/internal/host"
)

func TestMain(m *testing.M) {
	if host.IsHolder(os.Args) {
		os.Exit(host.HolderMain(os.Args))
	}
	testscript.Main(m, map[string]func(){"station": main})
}

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata/script")

// TestScript runs the command line against real daemons, one script a topic.
func TestScript(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: daemons run rootless")
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("STATION_DIR", filepath.Join(env.WorkDir, "state"))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { l.Close() })
			env.Setenv("TAKEN", l.Addr().String()) // an address somebody listens on
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitready": waitReady,
			"nothingleft": func(ts *testscript.TestScript, _ bool, _ []string) {
				if left := leftovers(ts.MkAbs("state")); left != "" {
					ts.Fatalf("left behind:\n%s", left)
				}
			},
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// waitReady waits until the daemon of a directory answers.
func waitReady(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs("state")
	if len(args) == 1 {
		dir = ts.MkAbs(args[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		c, err := client.Dial(ctx, client.SocketIn(dir))
		if err == nil {
			_, err = c.Status(ctx)
			c.Close()
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the daemon in %s does not answer: %v", dir, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// leftovers tells what a daemon that ended left of dir on this machine: mounts,
// and sockets in its run directory.
func leftovers(dir string) string {
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			found = append(found, "mount: "+strings.TrimSpace(line))
		}
	}
	_ = filepath.WalkDir(filepath.Join(dir, "run"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSocket != 0 {
			found = append(found, "socket: "+path)
		}
		return nil
	})
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(b), dir) {
			found = append(found, "process: "+p+" "+strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return strings.Join(found, "\n")
}
