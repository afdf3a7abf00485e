// SPDX-License-Identifier: Apache-2.0

package station

import (
	"stationmaster/internal/object"
	"stationmaster/security"
	"stationmaster/win32"
)

// The types of the engine's objects. Stations have two, because the generic
// rights of the interactive one mean more (AR-24, AR-25).
var (
	interactiveStationKind = &object.Kind{
		Name: "WindowStation", Mapping: security.InteractiveStationMapping,
		Valid: win32.WINSTA_ALL_ACCESS | win32.STANDARD_RIGHTS_REQUIRED,
	}
	stationKind = &object.Kind{
		Name: "WindowStation", Mapping: security.StationMapping,
		Valid: win32.WINSTA_ALL_ACCESS | win32.STANDARD_RIGHTS_REQUIRED,
	}
	desktopKind = &object.Kind{
		Name: "Desktop", Mapping: security.DesktopMapping,
		Valid: win32.DESKTOP_ALL_ACCESS | win32.STANDARD_RIGHTS_REQUIRED,
	}
	processKind = &object.Kind{
		Name: "Process", Mapping: security.ProcessMapping,
		Valid: win32.PROCESS_ALL_ACCESS, Synchronize: true,
	}
	tokenKind = &object.Kind{
		Name: "Token", Mapping: security.TokenMapping,
		Valid: win32.TOKEN_ALL_ACCESS,
	}
	sessionKind = &object.Kind{
		Name: "Session", Mapping: security.SessionMapping,
		Valid: win32.WINSTATION_ALL_ACCESS,
	}
)

const (
	genericRights = win32.GENERIC_ALL | win32.GENERIC_EXECUTE | win32.GENERIC_WRITE | win32.GENERIC_READ
	// requestable are the bits that may be asked of any object besides its own.
	requestable = genericRights | win32.MAXIMUM_ALLOWED | win32.ACCESS_SYSTEM_SECURITY
)
