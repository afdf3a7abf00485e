// SPDX-License-Identifier: Apache-2.0

// Package layout says where a daemon keeps its files, so that daemon, client
// and command line agree. It imports the standard library only.
package layout

import (
	"os"
	"path/filepath"
	"strconv"
)

// Environment variables that name a daemon.
const (
	EnvDir    = "STATION_DIR"    // directory of the daemon
	EnvSocket = "STATION_SOCKET" // call socket; set for programs inside sessions
)

// Layout names the files of one daemon.
type Layout struct {
	Run    string // live state, 0711, memory-backed where the system has such a place
	State  string // durable state, 0700
	Homes  string // 0711, home directories of accounts that are no Linux users
	Public string // 0755, holds the call socket; bound into sessions
	Socket string // the call socket
}

// For gives the layout under dir, or the system's usual places when dir is
// empty: /run/stationmaster and below /var/lib/stationmaster for root, the XDG
// directories for anybody else.
func For(dir string) Layout {
	var run, state, homes string
	switch {
	case dir != "":
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		run, state, homes = filepath.Join(dir, "run"), filepath.Join(dir, "state"), filepath.Join(dir, "homes")
	case os.Geteuid() == 0:
		run, state, homes = "/run/stationmaster", "/var/lib/stationmaster/state", "/var/lib/stationmaster/homes"
	default:
		run = filepath.Join(xdg("XDG_RUNTIME_DIR", "/tmp/stationmaster-"+strconv.Itoa(os.Geteuid())), "stationmaster")
		home, _ := os.UserHomeDir()
		state = filepath.Join(xdg("XDG_STATE_HOME", filepath.Join(home, ".local", "state")), "stationmaster")
		homes = filepath.Join(xdg("XDG_DATA_HOME", filepath.Join(home, ".local", "share")), "stationmaster", "homes")
	}
	public := filepath.Join(run, "public")
	return Layout{Run: run, State: state, Homes: homes, Public: public, Socket: filepath.Join(public, "call")}
}

// Socket gives the call socket a client should use: the one of dir when that
// is given, else $STATION_SOCKET, else the one of $STATION_DIR, else the
// system's usual place.
func Socket(dir string) string {
	if dir == "" {
		if s := os.Getenv(EnvSocket); s != "" {
			return s
		}
		dir = os.Getenv(EnvDir)
	}
	return For(dir).Socket
}

func xdg(name, otherwise string) string {
	if v := os.Getenv(name); filepath.IsAbs(v) {
		return v
	}
	return otherwise
}
