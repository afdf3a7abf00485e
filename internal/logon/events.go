// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"stationmaster/station"
	"stationmaster/win32"
)

// EventDesktopReady is published when the user's desktop becomes the input
// desktop for the first time after a logon (NTF-1, WTS_SESSION_DESKTOP_READY).
const EventDesktopReady = "session-desktop-ready"

// consoleTerminal is the name of the one console terminal (SES-11, SES-22).
const consoleTerminal = "Console"

// SessionChange gives the WTS_* number of a session change that an event of the
// engine is (NTF-1), false when it is none. It is what services and windows
// are told, and what event lists show as the code.
func SessionChange(ev station.Event) (code uint32, ok bool) {
	switch ev.Kind {
	case station.EventSessionCreate:
		return attached(ev.Session, ev.Fields["terminal"])
	case station.EventSessionTerminal:
		switch from := ev.Fields["from"]; {
		case ev.Fields["to"] != "":
			return attached(ev.Session, ev.Fields["to"])
		case from == consoleTerminal:
			return win32.WTS_CONSOLE_DISCONNECT, true
		default:
			return win32.WTS_REMOTE_DISCONNECT, true
		}
	case station.EventSessionLogon:
		return win32.WTS_SESSION_LOGON, true
	case station.EventSessionLogoff:
		return win32.WTS_SESSION_LOGOFF, true
	case station.EventSessionLock:
		return win32.WTS_SESSION_LOCK, true
	case station.EventSessionUnlock:
		return win32.WTS_SESSION_UNLOCK, true
	case EventDesktopReady:
		return win32.WTS_SESSION_DESKTOP_READY, true
	}
	return 0, false
}

func attached(session uint32, terminal string) (uint32, bool) {
	switch {
	case terminal == "", session == 0:
		return 0, false
	case terminal == consoleTerminal:
		return win32.WTS_CONSOLE_CONNECT, true
	}
	return win32.WTS_REMOTE_CONNECT, true
}
