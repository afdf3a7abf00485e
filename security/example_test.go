// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"errors"
	"fmt"
	"io/fs"

	"stationmaster/security"
	"stationmaster/win32"
)

// A user may look at a service and not stop it.
func ExampleCheck() {
	alice, _ := security.UserToken(security.UserLogon{
		User: security.MustSID("S-1-5-21-1-2-3-1001"), LogonID: 0x10001,
		LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: 1,
	})
	for _, desired := range []win32.AccessMask{win32.SERVICE_QUERY_STATUS, win32.SERVICE_STOP} {
		granted, err := security.Check(alice, security.DefaultServiceDescriptor, desired, security.ServiceMapping)
		fmt.Println(granted, err, errors.Is(err, fs.ErrPermission))
	}
	// Output:
	// 0x00000004 <nil> false
	// 0x00000000 Access is denied. true
}

// What a desktop gets that is created without a descriptor in a window
// station that passes on full access for LocalSystem.
func ExampleAssign() {
	station := security.MustSDDL("O:SYG:SYD:(A;;0xf037f;;;SY)(A;OIIO;GA;;;SY)")
	d, err := security.Assign(station, nil, security.SystemToken(0), false, security.DesktopMapping, 0)
	fmt.Println(d, err)
	// Output:
	// O:BAG:SYD:(A;ID;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY) <nil>
}

// Errors say where the string is wrong.
func ExampleParseSDDL() {
	_, err := security.ParseSDDL("O:SYD:(A;;GAZZ;;;WD)", security.SID{})
	fmt.Println(err)
	// Output:
	// cannot read SDDL at offset 12: unknown right "ZZ" (1336)
}
