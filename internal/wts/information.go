// SPDX-License-Identifier: Apache-2.0

package wts

import (
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf16"

	"stationmaster/internal/api"
	"stationmaster/station"
	"stationmaster/win32"
)

// Classes of WTSQuerySessionInformation (WTS-10).
const (
	classInitialProgram   = 0
	classApplicationName  = 1
	classWorkingDirectory = 2
	classOEMID            = 3
	classSessionID        = 4
	classUserName         = 5
	classWinStationName   = 6
	classDomainName       = 7
	classConnectState     = 8
	classClientBuild      = 9
	classClientName       = 10
	classClientDirectory  = 11
	classClientProduct    = 12
	classClientHardware   = 13
	classClientAddress    = 14
	classClientDisplay    = 15
	classClientProtocol   = 16
	classIdleTime         = 17 // to 22: not supported
	classOutgoingFrames   = 22
	classClientInfo       = 23
	classSessionInfo      = 24
	classSessionInfoEx    = 25
	classConfigInfo       = 26
	classValidationInfo   = 27
	classSessionAddress   = 28
	classIsRemote         = 29
)

// WTSQuerySessionInformation gives one class of facts about a session, laid
// out as the W form of the 64-bit Windows structure. Errors: 7022, 5, 50 for
// classes that Windows refuses or that this daemon has nothing to say about,
// 87 for an unknown class.
//
// Win32: WTSQuerySessionInformation. Rules: WTS-8, WTS-9, WTS-10.
func (m *Manager) WTSQuerySessionInformation(t *station.Thread, q api.SessionInformationRequest) (api.BytesReply, error) {
	const op = "WTSQuerySessionInformation"
	s, err := t.CheckSession(op, q.SessionID, win32.WINSTATION_QUERY)
	if err != nil {
		return api.BytesReply{}, err
	}
	fail := func(code win32.Errno) (api.BytesReply, error) {
		return api.BytesReply{}, &win32.Error{Op: op, Object: fmt.Sprintf("class %d", q.Class), Code: code, Rule: "WTS-10"}
	}
	f := m.session(s)
	remote := !s.Services() && f.Name != "" && f.Name != "Console"
	var data []byte
	switch q.Class {
	case classInitialProgram, classApplicationName, classWorkingDirectory, classOEMID, classClientName, classClientDirectory:
		data = text("")
	case classSessionID:
		data = u32(f.ID)
	case classUserName:
		data = text(f.User)
	case classWinStationName:
		data = text(f.Name)
	case classDomainName:
		data = text(f.Domain)
	case classConnectState:
		data = u32(uint32(f.State))
	case classClientBuild, classClientHardware:
		data = u32(0)
	case classClientProduct:
		data = make([]byte, 2)
	case classClientProtocol:
		data = make([]byte, 2)
		if remote {
			data[0] = 2
		}
	case classClientAddress:
		data = make([]byte, 4+20) // family 0: no network address
	case classClientDisplay:
		w, h := size(s)
		data = append(append(u32(uint32(w)), u32(uint32(h))...), u32(32)...)
	case classSessionInfo:
		data = sessionInfo(f)
	case classSessionInfoEx:
		data = sessionInfoEx(f)
	case classClientInfo:
		data = clientInfo(s, f)
	case classConfigInfo:
		data = configInfo(f)
	case classIsRemote:
		data = u32(0)
		if remote {
			data[0] = 1
		}
	case classValidationInfo, classSessionAddress:
		return fail(win32.ERROR_NOT_SUPPORTED)
	default:
		if q.Class >= classIdleTime && q.Class <= classOutgoingFrames {
			return fail(win32.ERROR_NOT_SUPPORTED)
		}
		return fail(win32.ERROR_INVALID_PARAMETER)
	}
	return api.BytesReply{Data: data}, nil
}

// size gives the size of a session's active desktop in pixels, 0 for none.
func size(s *station.Session) (w, h int) {
	if d := s.ActiveDesktop(); d != nil && !s.Services() {
		if f := d.CurrentSurface(); f != nil {
			return f.Size()
		}
	}
	return 0, 0
}

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// text is a string in UTF-16 with its terminator.
func text(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}

// putText puts a string into a field of so many UTF-16 units, terminator
// included; what is longer is cut.
func putText(b []byte, units int, s string) {
	for i, u := range utf16.Encode([]rune(s)) {
		if i == units-1 {
			return
		}
		binary.LittleEndian.PutUint16(b[2*i:], u)
	}
}

// fileTime gives 100-nanosecond units since 1601 for Unix nanoseconds, 0 for 0.
func fileTime(nanos int64) uint64 {
	if nanos == 0 {
		return 0
	}
	const unixEpoch = 116444736000000000
	return uint64(nanos/100) + unixEpoch
}

// sessionInfo is WTSINFOW: 216 bytes.
func sessionInfo(f api.Session) []byte {
	le := binary.LittleEndian
	b := make([]byte, 216)
	le.PutUint32(b[0:], uint32(f.State))
	le.PutUint32(b[4:], f.ID)
	// Six byte and frame counters stay 0.
	putText(b[32:], 32, f.Name)
	putText(b[96:], 17, f.Domain)
	putText(b[130:], 21, f.User)
	for i, t := range []int64{f.ConnectNanos, f.DisconnectNanos, f.LastInputNanos, f.LogonNanos, time.Now().UnixNano()} {
		le.PutUint64(b[176+8*i:], fileTime(t))
	}
	return b
}

// sessionInfoEx is WTSINFOEXW at level 1: 232 bytes. Its flags are the lock
// state (SES-17): 0 locked, 1 unlocked, -1 when nobody is logged on.
func sessionInfoEx(f api.Session) []byte {
	le := binary.LittleEndian
	b := make([]byte, 232)
	le.PutUint32(b[0:], 1)
	v := b[8:]
	le.PutUint32(v[0:], f.ID)
	le.PutUint32(v[4:], uint32(f.State))
	flags := uint32(0xFFFFFFFF)
	switch {
	case f.User == "":
	case f.Locked:
		flags = 0
	default:
		flags = 1
	}
	le.PutUint32(v[8:], flags)
	putText(v[12:], 33, f.Name)
	putText(v[78:], 21, f.User)
	putText(v[120:], 18, f.Domain)
	for i, t := range []int64{f.LogonNanos, f.ConnectNanos, f.DisconnectNanos, f.LastInputNanos, time.Now().UnixNano()} {
		le.PutUint64(v[160+8*i:], fileTime(t))
	}
	return b
}

// clientInfo is WTSCLIENTW: 2304 bytes. A headless terminal has neither a name
// nor an address; what it has is the size of its desktop.
func clientInfo(s *station.Session, f api.Session) []byte {
	le := binary.LittleEndian
	b := make([]byte, 2304)
	putText(b[42:], 18, f.Domain)
	putText(b[78:], 21, f.User)
	// Working directory at 120, initial program at 642, encryption level at
	// 1164, address family at 1168, address at 1172 stay 0.
	w, h := size(s)
	le.PutUint16(b[1234:], uint16(w))
	le.PutUint16(b[1236:], uint16(h))
	le.PutUint16(b[1238:], 32) // colour depth
	// Client directory at 1240, build number, hardware and product, buffers and
	// device stay 0.
	return b
}

// configInfo is WTSCONFIGINFOW: 1668 bytes. No policy of the session is set by
// an administrator; it names who is logged on.
func configInfo(f api.Session) []byte {
	b := make([]byte, 1668)
	putText(b[24:], 21, f.User)
	putText(b[66:], 18, f.Domain)
	return b
}
