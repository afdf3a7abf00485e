// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"
	"sync"

	"stationmaster/security"
)

// The descriptors the session manager gives to what it makes. logon is the
// logon SID of the user who is logged on, or the zero SID.

// Most sessions begin as logon screens: what they have then is made once.
var (
	emptyWinsta0 = sync.OnceValue(func() *security.Descriptor { return makeWinsta0Descriptor(security.SID{}) })
	emptySession = sync.OnceValue(func() *security.Descriptor { return makeSessionDescriptor(security.SID{}) })
	emptyDesktop = sync.OnceValue(func() map[string]*security.Descriptor {
		m := make(map[string]*security.Descriptor)
		for _, name := range []string{defaultName, winlogonName, screenSaverName, disconnectName} {
			m[name] = makeDesktopDescriptor(name, security.SID{})
		}
		return m
	})
	directoryDescriptor = sync.OnceValue(func() *security.Descriptor { // OBJ-4
		return security.MustSDDL("O:SYG:SYD:(A;;0xf000f;;;SY)(A;;0xf000f;;;BA)(A;;0x3;;;WD)")
	})
)

func winsta0Descriptor(logon security.SID) *security.Descriptor {
	if logon.IsZero() {
		return emptyWinsta0()
	}
	return makeWinsta0Descriptor(logon)
}

func builtinDesktopDescriptor(name string, logon security.SID) *security.Descriptor {
	if logon.IsZero() || name == winlogonName || name == disconnectName {
		return emptyDesktop()[name] // these two never name the user
	}
	return makeDesktopDescriptor(name, logon)
}

func sessionDescriptor(user security.SID) *security.Descriptor {
	if user.IsZero() {
		return emptySession()
	}
	return makeSessionDescriptor(user)
}

// makeWinsta0Descriptor is WS-46: SYSTEM everything, Administrators little, and
// the logon SID everything while somebody is logged on. The inherit-only ACEs
// are what new desktops of the station get (DT-8).
func makeWinsta0Descriptor(logon security.SID) *security.Descriptor {
	s := "O:SYG:SYD:(A;;0xf037f;;;SY)(A;OICIIO;GA;;;SY)(A;;0x102;;;BA)(A;OICIIO;0xc7;;;BA)"
	if !logon.IsZero() {
		s += fmt.Sprintf("(A;;0xf037f;;;%[1]s)(A;OICIIO;GA;;;%[1]s)", logon)
	}
	return security.MustSDDL(s)
}

// makeDesktopDescriptor is DT-9 to DT-12, by the desktop's name.
func makeDesktopDescriptor(name string, logon security.SID) *security.Descriptor {
	s := "O:SYG:SYD:(A;;0xf01ff;;;SY)"
	switch name {
	case defaultName:
		s += "(A;;0xc7;;;BA)"
		if !logon.IsZero() {
			s += fmt.Sprintf("(A;;0xf01ff;;;%s)", logon)
		}
	case winlogonName:
		s += "(A;;0x20040;;;BA)"
	case screenSaverName:
		s += "(A;;0xc7;;;BA)"
		if !logon.IsZero() {
			s += fmt.Sprintf("(A;;0x20043;;;%s)", logon)
		}
	}
	return security.MustSDDL(s)
}

// serviceStationDescriptor is WS-47: the account gets what a service needs and
// no more, SYSTEM all that means anything on such a station.
func serviceStationDescriptor(account security.SID) *security.Descriptor {
	if account == security.System {
		return security.MustSDDL("O:SYG:SYD:(A;;0xf016f;;;SY)")
	}
	return security.MustSDDL(fmt.Sprintf("O:SYG:SYD:(A;;0xf006e;;;%s)(A;;0xf016f;;;SY)", account))
}

// serviceDesktopDescriptor is WS-48, for the Default desktop of such a station.
func serviceDesktopDescriptor(account security.SID) *security.Descriptor {
	if account == security.System {
		return security.MustSDDL("O:SYG:SYD:(A;;0xf01ff;;;SY)")
	}
	return security.MustSDDL(fmt.Sprintf("O:SYG:SYD:(A;;0xf00cf;;;%s)(A;;0xf01ff;;;SY)", account))
}

// makeSessionDescriptor is WTS-1; user is the user who is logged on, or zero.
func makeSessionDescriptor(user security.SID) *security.Descriptor {
	s := "O:SYG:SYD:(A;;0xf03ff;;;SY)(A;;0xf03ff;;;BA)(A;;0x121;;;RD)(A;;0x20;;;BU)(A;;0x81;;;LS)(A;;0x81;;;NS)(A;;0x81;;;SU)"
	if !user.IsZero() {
		s += fmt.Sprintf("(A;;0x36f;;;%s)", user)
	}
	return security.MustSDDL(s)
}
