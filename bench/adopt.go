// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"stationmaster/client"
	"stationmaster/internal/layout"
)

// daemonIn starts a daemon on a directory and gives the time until it is ready.
func (b *bench) daemonIn(dir string) (*exec.Cmd, time.Duration, error) {
	cmd := exec.CommandContext(b.ctx, b.binary, "serve", "--dir", dir, "--listen", "none", "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("cannot start %s: %w", b.binary, err)
	}
	var ready struct{ Ready bool }
	if err := json.NewDecoder(out).Decode(&ready); err != nil || !ready.Ready {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, 0, fmt.Errorf("the daemon did not get ready: %w", err)
	}
	return cmd, time.Since(start), nil
}

// killed measures how long a daemon that was killed is away: from the start of
// the next one to its ready, with many sessions to take over and with none but
// session 0.
func (b *bench) killed() (err error) {
	const sessions = 50
	dir, err := os.MkdirTemp("/var/tmp", "station-bench-adopt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	cmd, _, err := b.daemonIn(dir)
	if err != nil {
		return err
	}
	defer func() { // whatever happened, the last daemon ends everything
		conn, derr := client.Dial(b.ctx, layout.For(dir).Socket)
		if derr != nil {
			err = errors.Join(err, derr, cmd.Process.Kill(), cmd.Wait())
			return
		}
		err = errors.Join(err, conn.Shutdown(b.ctx, client.ShutdownRequest{}))
		conn.Close()
		err = errors.Join(err, cmd.Wait())
	}()
	again := func(want uint32) (time.Duration, error) {
		if err := cmd.Process.Kill(); err != nil {
			return 0, err
		}
		_ = cmd.Wait() // it says that it was killed
		next, d, err := b.daemonIn(dir)
		if err != nil {
			return 0, err
		}
		cmd = next
		conn, err := client.Dial(b.ctx, layout.For(dir).Socket)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		st, err := conn.Status(b.ctx)
		if err == nil && st.Adopted < want {
			err = fmt.Errorf("only %d of %d sessions were taken over", st.Adopted, want)
		}
		return d, err
	}
	empty, err := measure(b.n(15), func() (time.Duration, error) { return again(0) })
	if err != nil {
		return err
	}

	conn, err := client.Dial(b.ctx, layout.For(dir).Socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.AddAccount(b.ctx, client.AddAccountRequest{Name: "many"}); err != nil {
		return err
	}
	own := b.conn
	b.conn = conn
	for range sessions {
		id, err := b.logon("many", "builtin")
		if err == nil {
			_, err = b.begin(id, "/bin/sleep", "1000")
		}
		if err != nil {
			b.conn = own
			return err
		}
	}
	b.conn = own
	full, err := measure(b.n(15), func() (time.Duration, error) { return again(sessions) })
	if err != nil {
		return err
	}
	extra := make([]time.Duration, len(full))
	for i, d := range full {
		extra[i] = d - median(empty)
	}
	slices.Sort(extra)
	b.add(fmt.Sprintf("daemon killed: %d sessions with a program each taken over (start to ready, less a start with none)", sessions),
		text(extra, time.Millisecond, "ms"), "start with none "+text(empty, time.Millisecond, "ms"), "", verdict(median(extra) <= 50*time.Millisecond, "≤ 50 ms"))
	return nil
}
