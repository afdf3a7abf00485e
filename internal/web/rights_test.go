// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"strings"
	"testing"
)

func TestRightsInWords(t *testing.T) {
	for _, c := range []struct {
		name                 string
		sddl                 string
		desktop, interactive bool
		want                 []string
	}{
		{"nothing to see", "", true, true, nil},
		{"no SDDL", "D:(x", true, true, nil},
		{"no list of rights", "O:SY", true, true, []string{"Everyone: everything: there is no list of rights"}},
		{"a list that lets nobody in", "D:", true, true, nil},
		{"WinSta0", "O:SYD:(A;;0xf037f;;;SY)(A;OICIIO;GA;;;SY)(A;;0x102;;;BA)(A;;0xf037f;;;S-1-5-5-0-99)", false, true, []string{
			`NT AUTHORITY\SYSTEM: everything`, `NT AUTHORITY\SYSTEM, inherited: everything`,
			`BUILTIN\Administrators: read attributes, be seen in lists`, `The logon 0-99: everything`,
		}},
		{"a service's station", "D:(A;;0xf006e;;;S-1-5-21-1-2-3-1001)(A;;0xf016f;;;SY)", false, false, []string{
			"S-1-5-21-1-2-3-1001: read attributes, clipboard, create desktops, global atoms, log off, close, read the descriptor, change rights, take ownership",
			`NT AUTHORITY\SYSTEM: everything`,
		}},
		{"a desktop", "D:(D;;0x10;;;WD)(A;;0x20040;;;BA)(A;;GX;;;AU)(A;;0x0;;;LS)", true, true, []string{
			"Everyone: not record input", `BUILTIN\Administrators: be seen in lists, read the descriptor`,
			`NT AUTHORITY\Authenticated Users: switch to it, read the descriptor`, `NT AUTHORITY\LOCAL SERVICE: nothing`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range rightsOf(c.sddl, c.desktop, c.interactive) {
				who := r.Who
				if r.Inherit {
					who += ", inherited"
				}
				if r.Denies {
					r.Words = "not " + r.Words
				}
				got = append(got, fmt.Sprintf("%s: %s", who, r.Words))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
