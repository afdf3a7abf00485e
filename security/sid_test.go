// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

func TestSID(t *testing.T) {
	t.Run("SE-1/binary form", func(t *testing.T) {
		conform.Rule(t, "SE-1")
		s := security.MustSID("S-1-5-21-1-2-4294967295")
		if got := hex.EncodeToString(s.Bytes()); got != "010400000000000515000000010000000200"+"0000ffffffff" {
			t.Errorf("bytes %s", got)
		}
		back, err := security.SIDFromBytes(s.Bytes())
		if err != nil || back != s {
			t.Errorf("read back as %v, %v", back, err)
		}
		for _, bad := range []string{"", "01", "0100000000000", "0200000000000005", "0110000000000005", "0101000000000005", "010100000000000512000000ff"} {
			b, _ := hex.DecodeString(bad)
			if _, err := security.SIDFromBytes(b); win32.Code(err) != win32.ERROR_INVALID_SID {
				t.Errorf("bytes %q: %v, want 1337", bad, err)
			}
		}
		longest := security.MustSID("S-1-5" + strings.Repeat("-1", 15))
		if longest.Len() != 68 || security.MustSID("S-1-5").Len() != 8 {
			t.Errorf("lengths %d and %d, want 68 and 8", longest.Len(), security.MustSID("S-1-5").Len())
		}
		if !longest.Child(1).IsZero() {
			t.Error("a SID with 16 sub-authorities exists")
		}
	})
	t.Run("SE-2/string form", func(t *testing.T) {
		conform.Rule(t, "SE-2")
		for in, want := range map[string]string{
			"S-1-5-18":               "S-1-5-18",
			"s-1-5-18":               "S-1-5-18",
			"S-1-0x5-0x12":           "S-1-5-18",
			"S-1-4294967295-1":       "S-1-4294967295-1",
			"S-1-4294967296-1":       "S-1-0x000100000000-1",
			"S-1-0xFFFFFFFFFFFF":     "S-1-0xffffffffffff",
			"SY":                     "S-1-5-18",
			"wd":                     "S-1-1-0",
			"S-1-5-21-1-2-3-0x3e9":   "S-1-5-21-1-2-3-1001",
			"S-1-0x0000000000000005": "S-1-5",
		} {
			got, err := security.ParseSID(in)
			if err != nil || got.String() != want {
				t.Errorf("%q reads as %v (%v), want %s", in, got, err, want)
			}
		}
		for _, in := range []string{"", "S", "S-", "S-1", "S-1-", "S-2-5-18", "S-1-5-", "S-1-5-18-", "S-1--5", "S-1-5-4294967296",
			"S-1-281474976710656", "S-1-5-+1", "S-1-5-1_0", "S-1-5- 1", "X-1-5-18", "ZZ", "SYSTEM", "S-1-0x-1", "S-1-5-0x",
			"S-1-5" + strings.Repeat("-1", 16)} {
			_, err := security.ParseSID(in)
			var we *win32.Error
			if win32.Code(err) != win32.ERROR_INVALID_SID || !errors.As(err, &we) || we.Rule != "SE-2" {
				t.Errorf("%q: %v, want 1337 by SE-2", in, err)
			}
		}
	})
	t.Run("SE-3/equality", func(t *testing.T) {
		conform.Rule(t, "SE-3")
		a, b, c := security.MustSID("S-1-5-21-1-2-3-500"), security.MustSID("S-1-5-21-1-2-3-501"), security.MustSID("S-1-5-21-1-2-4-500")
		if a != security.MustSID("S-1-0x5-21-1-2-3-500") || a == b {
			t.Error("== is not bytewise equality")
		}
		if !a.EqualPrefix(b) || a.EqualPrefix(c) || a.EqualPrefix(a.Domain()) {
			t.Error("EqualPrefix does not ignore just the last sub-authority")
		}
		if security.MustSID("S-1-5").EqualPrefix(security.MustSID("S-1-6")) {
			t.Error("SIDs without sub-authority and with other authorities have equal prefixes")
		}
		if a.Domain() != security.MustSID("S-1-5-21-1-2-3") || a.RID() != 500 || a.Domain().Child(500) != a {
			t.Error("Domain, RID and Child do not fit together")
		}
	})
	t.Run("SE-4/logon SID", func(t *testing.T) {
		conform.Rule(t, "SE-4", "SE-5")
		l := security.LUID(7)<<32 | 0x3e7
		s := security.LogonSID(l)
		if s.String() != "S-1-5-5-7-999" || !s.IsLogonSID() || security.System.IsLogonSID() || security.MustSID("S-1-5-5-1").IsLogonSID() {
			t.Errorf("logon SID %v", s)
		}
	})
	t.Run("SE-6/station names", func(t *testing.T) {
		conform.Rule(t, "SE-6", "SE-8")
		for l, want := range map[security.LUID]string{
			security.SystemLUID: "Service-0x0-3e7$", security.LocalServiceLUID: "Service-0x0-3e5$",
			security.NetworkServiceLUID: "Service-0x0-3e4$", 0xABC<<32 | 0x1001: "Service-0xabc-1001$",
		} {
			if got := l.StationName(); got != want {
				t.Errorf("%v: %s, want %s", l, got, want)
			}
		}
		if s := security.SystemLUID.String(); s != "0x0:0x3e7" {
			t.Errorf("LUID prints %s", s)
		}
		if security.AnonymousLUID != 998 || security.FirstFreeLUID != 0x10001 {
			t.Error("well-known LUIDs are wrong")
		}
		var l security.LUID
		if err := l.UnmarshalText([]byte("0xabc:0x1001")); err != nil || l != 0xABC<<32|0x1001 {
			t.Errorf("LUID reads back as %v, %v", l, err)
		}
		if err := l.UnmarshalText([]byte("12")); win32.Code(err) != win32.ERROR_INVALID_PARAMETER {
			t.Errorf("bad LUID: %v", err)
		}
	})
	t.Run("SE-7/machine SID", func(t *testing.T) {
		conform.Rule(t, "SE-7")
		m, err := security.NewMachineSID(bytes.NewReader([]byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0x80}))
		if err != nil || m.String() != "S-1-5-21-1-2-2147483651" {
			t.Errorf("machine SID %v, %v", m, err)
		}
		if _, err := security.NewMachineSID(strings.NewReader("short")); err == nil {
			t.Error("a machine SID is made of too little random")
		}
	})
	t.Run("SE-10/service SIDs", func(t *testing.T) {
		conform.Rule(t, "SE-9", "SE-10")
		for name, want := range map[string]string{
			"TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
			"DPS":              "S-1-5-80-2970612574-78537857-698502321-558674196-1451644582",
			"Spooler":          "S-1-5-80-3951239711-1671533544-1416304335-3763227691-3930497994",
			"UI0Detect":        "S-1-5-80-997887591-2350776071-3817597635-4146973621-2526406719",
			"EventLog":         "S-1-5-80-880578595-1860270145-482643319-2788375705-1540778122",
		} {
			for _, n := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				if got := security.ServiceSID(n).String(); got != want {
					t.Errorf("%s: %s, want %s", n, got, want)
				}
			}
		}
		if s, ok := security.LookupWellKnown(`NT SERVICE\spooler`); !ok || s != security.ServiceSID("Spooler") {
			t.Error(`NT SERVICE\spooler is not the service SID`)
		}
		if security.AllServices.String() != "S-1-5-80-0" {
			t.Error("ALL SERVICES is wrong")
		}
	})
	t.Run("SE-11/well-known SIDs", func(t *testing.T) {
		conform.Rule(t, "SE-11", "SE-12")
		for sid, want := range map[string]string{
			"S-1-0-0": "NULL SID", "S-1-1-0": "Everyone", "S-1-2-0": "LOCAL", "S-1-2-1": "CONSOLE LOGON", "S-1-3-0": "CREATOR OWNER",
			"S-1-3-1": "CREATOR GROUP", "S-1-3-4": "OWNER RIGHTS", "S-1-5-2": `NT AUTHORITY\NETWORK`, "S-1-5-3": `NT AUTHORITY\BATCH`,
			"S-1-5-4": `NT AUTHORITY\INTERACTIVE`, "S-1-5-6": `NT AUTHORITY\SERVICE`, "S-1-5-7": `NT AUTHORITY\ANONYMOUS LOGON`,
			"S-1-5-10": `NT AUTHORITY\SELF`, "S-1-5-11": `NT AUTHORITY\Authenticated Users`, "S-1-5-12": `NT AUTHORITY\RESTRICTED`,
			"S-1-5-13": `NT AUTHORITY\TERMINAL SERVER USER`, "S-1-5-14": `NT AUTHORITY\REMOTE INTERACTIVE LOGON`,
			"S-1-5-15": `NT AUTHORITY\This Organization`, "S-1-5-18": `NT AUTHORITY\SYSTEM`, "S-1-5-19": `NT AUTHORITY\LOCAL SERVICE`,
			"S-1-5-20": `NT AUTHORITY\NETWORK SERVICE`, "S-1-5-33": `NT AUTHORITY\WRITE RESTRICTED`, "S-1-5-64-10": `NT AUTHORITY\NTLM Authentication`,
			"S-1-5-80-0": `NT SERVICE\ALL SERVICES`, "S-1-5-84-0-0-0-0-0": `NT AUTHORITY\USER MODE DRIVERS`, "S-1-5-90-0": `Window Manager\Window Manager Group`,
			"S-1-5-113": `NT AUTHORITY\Local account`, "S-1-5-114": `NT AUTHORITY\Local account and member of Administrators group`,
			"S-1-5-32-544": `BUILTIN\Administrators`, "S-1-5-32-545": `BUILTIN\Users`, "S-1-5-32-546": `BUILTIN\Guests`, "S-1-5-32-547": `BUILTIN\Power Users`,
			"S-1-5-32-555": `BUILTIN\Remote Desktop Users`, "S-1-5-32-559": `BUILTIN\Performance Log Users`,
			"S-1-5-32-562": `BUILTIN\Distributed COM Users`, "S-1-5-32-573": `BUILTIN\Event Log Readers`,
			"S-1-16-0": `Mandatory Label\Untrusted Mandatory Level`, "S-1-16-4096": `Mandatory Label\Low Mandatory Level`,
			"S-1-16-8192": `Mandatory Label\Medium Mandatory Level`, "S-1-16-8448": `Mandatory Label\Medium Plus Mandatory Level`,
			"S-1-16-12288": `Mandatory Label\High Mandatory Level`, "S-1-16-16384": `Mandatory Label\System Mandatory Level`,
			"S-1-16-20480": `Mandatory Label\Protected Process Mandatory Level`, "S-1-15-2-1": `APPLICATION PACKAGE AUTHORITY\ALL APPLICATION PACKAGES`,
			"S-1-5-5-0-999": `NT AUTHORITY\LogonSessionId_0_999`, "S-1-22-1-1000": `Unix User\1000`, "S-1-22-2-100": `Unix Group\100`,
		} {
			s := security.MustSID(sid)
			if got := s.Name(); got != want {
				t.Errorf("%s is %q, want %q", sid, got, want)
			}
			if s.IsLogonSID() || s.Authority() == 22 {
				continue
			}
			for _, n := range []string{want, strings.ToLower(want), strings.ToUpper(want)} {
				if back, ok := security.LookupWellKnown(n); !ok || back != s {
					t.Errorf("%q is %v, want %s", n, back, sid)
				}
			}
		}
		for _, n := range []string{"LocalSystem", `.\LocalSystem`, `NT AUTHORITY\SYSTEM`, "system"} {
			if s, ok := security.LookupWellKnown(n); !ok || s != security.System {
				t.Errorf("%q is %v", n, s)
			}
		}
		if s, ok := security.LookupWellKnown(`NT AUTHORITY\LocalService`); !ok || s != security.LocalService {
			t.Errorf("LocalService is %v", s)
		}
		for _, n := range []string{"", "alice", `BUILTIN\SYSTEM`, `NT SERVICE\`, `\SYSTEM`} {
			if s, ok := security.LookupWellKnown(n); ok {
				t.Errorf("%q is %v", n, s)
			}
		}
		if _, _, ok := security.WellKnownName(security.MustSID("S-1-5-21-1-2-3-1001")); ok {
			t.Error("an account's SID is well known")
		}
	})
	t.Run("SE-13/Linux accounts", func(t *testing.T) {
		conform.Rule(t, "SE-13")
		if security.UnixUserSID(1000).String() != "S-1-22-1-1000" || security.UnixGroupSID(7).String() != "S-1-22-2-7" {
			t.Error("SIDs of Linux users and groups are wrong")
		}
	})
	t.Run("text", func(t *testing.T) {
		in := map[security.SID][]security.SID{security.System: {security.Everyone, {}}}
		b, err := json.Marshal(in)
		if err != nil || string(b) != `{"S-1-5-18":["S-1-1-0",""]}` {
			t.Fatalf("%s, %v", b, err)
		}
		var out map[security.SID][]security.SID
		if err := json.Unmarshal(b, &out); err != nil || out[security.System][0] != security.Everyone || !out[security.System][1].IsZero() {
			t.Errorf("read back as %v, %v", out, err)
		}
		var s security.SID
		if err := s.UnmarshalText([]byte("S-1")); win32.Code(err) != win32.ERROR_INVALID_SID {
			t.Errorf("bad text: %v", err)
		}
		if s.String() != "" || s.Bytes() != nil || s.RID() != 0 || s.Authority() != 0 || s.SubAuthorities() != nil || !s.Domain().IsZero() || !s.Child(1).IsZero() {
			t.Error("the zero SID has parts")
		}
	})
}
