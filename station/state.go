// SPDX-License-Identifier: Apache-2.0

package station

import (
	"context"
	"errors"
	"fmt"

	"stationmaster/security"
	"stationmaster/win32"
)

// SessionState is what is needed to bring a session back after the daemon was
// gone and its programs were not. It is written after every event that
// changes it.
type SessionState struct {
	ID       uint32              `json:"id"`
	Terminal string              `json:"terminal"`
	State    win32.ConnectState  `json:"state"`
	Domain   string              `json:"domain,omitempty"`
	Name     string              `json:"name,omitempty"`
	User     *security.TokenSpec `json:"user,omitempty"` // nil: nobody is logged on
	Ready    bool                `json:"ready,omitempty"`
	Locked   bool                `json:"locked,omitempty"`
	Screen   uint8               `json:"screen,omitempty"`
	Times    SessionTimes        `json:"times"`
	Spec     SessionSpec         `json:"spec"`
	Hosted   bool                `json:"hosted"` // it has a host to be adopted

	Descriptor *security.Descriptor `json:"descriptor,omitempty"`
	Stations   []StationState       `json:"stations"`
	Processes  []ProcessState       `json:"processes,omitempty"`

	// Counters of the engine, so that no number is given twice.
	NextSession uint32        `json:"nextSession"`
	NextLUID    security.LUID `json:"nextLuid"`
	DeadPID     uint32        `json:"deadPid"`
}

// StationState is a window station in a SessionState.
type StationState struct {
	Name       string               `json:"name"`
	Held       bool                 `json:"held,omitempty"`
	Auto       bool                 `json:"auto,omitempty"` // made by PC-12
	App        string               `json:"app,omitempty"`  // WinSta0: the application desktop
	Descriptor *security.Descriptor `json:"descriptor"`
	Desktops   []DesktopState       `json:"desktops"`
}

// DesktopState is a desktop in a SessionState.
type DesktopState struct {
	Name        string               `json:"name"`
	Held        bool                 `json:"held,omitempty"`
	Kind        string               `json:"kind,omitempty"`
	Width       int                  `json:"width,omitempty"`
	Height      int                  `json:"height,omitempty"`
	HeapKB      uint32               `json:"heapKb"`
	Surface     string               `json:"surface,omitempty"` // Surface.State
	SurfaceKind string               `json:"surfaceKind,omitempty"`
	Descriptor  *security.Descriptor `json:"descriptor"`
}

// ProcessState is a process in a SessionState.
type ProcessState struct {
	PID      int                `json:"pid"`
	Start    uint64             `json:"start"`
	Parent   int                `json:"parent,omitempty"`
	Program  string             `json:"program"`
	Args     []string           `json:"args,omitempty"`
	Tag      string             `json:"tag,omitempty"`
	Started  int64              `json:"started"` // Unix nanoseconds
	Token    security.TokenSpec `json:"token"`
	Station  string             `json:"station,omitempty"`
	Desktop  string             `json:"desktop,omitempty"`
	Lp       *string            `json:"lpDesktop,omitempty"`
	Forced   *uint32            `json:"forced,omitempty"` // exit code that was given to it
	Outsider bool               `json:"-"`
}

var _ = context.Background
var _ = errors.New
var _ = fmt.Sprint
