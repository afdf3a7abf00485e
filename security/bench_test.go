// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"testing"

	"stationmaster/security"
	"stationmaster/win32"
)

// typical is a token of 15 SIDs and a DACL of 10 ACEs of which the last one
// decides.
func typical() (*security.Token, *security.Descriptor) {
	tok, _ := security.UserToken(security.UserLogon{
		User: security.MustSID("S-1-5-21-1-2-3-1001"), LogonID: 0x10001, LogonType: win32.LOGON32_LOGON_INTERACTIVE, SessionID: 1,
		Groups: []security.SID{security.RemoteDesktopUsers, security.PerformanceLogUsers, security.EventLogReaders, security.DistributedCOMUsers},
	})
	var aces []security.ACE
	for rid := range uint32(9) {
		aces = append(aces, security.Allow(0xF037F, security.MustSID("S-1-5-21-1-2-3").Child(2000+rid)))
	}
	aces = append(aces, security.Allow(0xF037F, security.LogonSID(0x10001)))
	return tok, security.NewDescriptor(security.System, security.System, security.NewACL(aces...), nil, 0)
}

func BenchmarkCheck(b *testing.B) {
	tok, d := typical()
	if n := len(tok.Groups()) + 1; n != 15 {
		b.Fatalf("%d SIDs in the token", n)
	}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := security.Check(tok, d, win32.WINSTA_ALL_ACCESS, security.InteractiveStationMapping); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached refusal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := security.Check(tok, d, win32.ACCESS_SYSTEM_SECURITY, security.InteractiveStationMapping); err == nil {
				b.Fatal("granted")
			}
		}
	})
	b.Run("uncached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if dec := security.Explain(tok, d, win32.WINSTA_ALL_ACCESS, security.InteractiveStationMapping); dec.Err != nil {
				b.Fatal(dec.Err)
			}
		}
	})
	b.Run("uncached maximum", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if dec := security.Explain(tok, d, win32.MAXIMUM_ALLOWED, security.InteractiveStationMapping); dec.Err != nil {
				b.Fatal(dec.Err)
			}
		}
	})
	b.Run("cached parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = security.Check(tok, d, win32.WINSTA_ALL_ACCESS, security.InteractiveStationMapping)
			}
		})
	})
}

const serviceSDDL = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)"

func BenchmarkParseSDDL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := security.ParseSDDL(serviceSDDL, security.SID{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseDescriptor(b *testing.B) {
	bin := security.MustSDDL(serviceSDDL).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := security.ParseDescriptor(bin); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	tok, _ := typical()
	parent := security.MustSDDL("D:(A;OICI;GA;;;SY)(A;OICIIO;GA;;;CO)(A;CI;GR;;;BU)")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := security.Assign(parent, nil, tok, false, security.DesktopMapping, 0); err != nil {
			b.Fatal(err)
		}
	}
}
