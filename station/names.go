// SPDX-License-Identifier: Apache-2.0

package station

import (
	"strings"
	"unicode/utf8"

	"stationmaster/win32"
)

// Names the session manager gives (WS-3, DT-5).
const (
	interactiveName = "WinSta0"
	defaultName     = "Default"
	winlogonName    = "Winlogon"
	screenSaverName = "Screen-saver"
	disconnectName  = "Disconnect"

	// screenSaverAlias is how the documentation spells Screen-saver; DT-5 lets
	// it be opened by that name too.
	screenSaverAlias = "ScreenSaver"
	// ownStationAlias means the caller's own Service-0xHI-LO$ station (WS-14).
	ownStationAlias = "Service-0x00000000-00000000$"

	maxName = 259 // UTF-16 units (WS-17, DT-3)
)

// checkName gives the error of a name that no object may have: 123 when it
// can't be a name at all, backslash when it holds one, 206 when it is too long.
func checkName(name string, backslash win32.Errno) win32.Errno {
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return win32.ERROR_INVALID_NAME
	}
	if strings.Contains(name, `\`) {
		return backslash
	}
	if utf16Len(name) > maxName {
		return win32.ERROR_FILENAME_EXCED_RANGE
	}
	return win32.ERROR_SUCCESS
}

// utf16Len gives the number of UTF-16 units of a valid UTF-8 string.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// isServiceName reports whether a station name has the form of an automatic
// one, Service-0x…$ (WS-16).
func isServiceName(name string) bool {
	const prefix = "service-0x"
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && strings.HasSuffix(name, "$")
}

// desktopSpec is a parsed STARTUPINFO.lpDesktop (SD-1 to SD-8).
type desktopSpec struct {
	station string // empty: found by the connection rules
	desktop string // empty: Default, or what is inherited
	bad     string // rule that makes the string a failure; the rest is empty then
}

func parseDesktop(lp *string) desktopSpec {
	if lp == nil || *lp == "" {
		return desktopSpec{}
	}
	station, desktop, found := strings.Cut(*lp, `\`)
	switch {
	case !found:
		return desktopSpec{desktop: *lp}
	case strings.Contains(desktop, `\`):
		return desktopSpec{bad: "SD-6"}
	case station == "" || desktop == "":
		return desktopSpec{bad: "SD-5"}
	}
	return desktopSpec{station: station, desktop: desktop}
}
