// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestUserObjectInformation(t *testing.T) { // uo/sizes, what the engine answers
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	ws, err := th.ProcessWindowStation()
	w.ok(err)
	d, err := th.ThreadDesktop(th.ID())
	w.ok(err)
	own, _, err := th.CreateWindowStation("", 0, 0, nil) // no right is needed (UO-12)
	w.ok(err)
	other, _, err := th.CreateDesktop(station.DesktopOptions{Name: "Work", Flags: win32.DF_ALLOWOTHERACCOUNTHOOK, HeapKB: 128, Access: win32.DESKTOP_CREATEWINDOW, Inherit: true})
	w.ok(err)
	weak, err := th.OpenDesktop("Work", 0, 0, false)
	w.ok(err)

	t.Run("UO-1/values", func(t *testing.T) {
		conform.Rule(t, "UO-1", "UO-2", "UO-3", "UO-4", "UO-5", "UO-6", "UO-12", "WS-5", "WS-53", "DT-25", "SES-4")
		word := func(v ...uint32) (b []byte) {
			for _, x := range v {
				b = binary.LittleEndian.AppendUint32(b, x)
			}
			return b
		}
		wide := func(s string) (b []byte) {
			for _, r := range s + "\x00" {
				b = append(b, byte(r), byte(r>>8))
			}
			return b
		}
		sid := alice.token.User().Bytes()
		for _, c := range []struct {
			name  string
			h     win32.Handle
			index uint32
			want  []byte
		}{
			{"WinSta0 flags", ws, win32.UOI_FLAGS, word(0, 0, 1)},
			{"own station flags", own, win32.UOI_FLAGS, word(0, 0, 0)},
			{"desktop flags", other, win32.UOI_FLAGS, word(1, 0, 1)},
			{"the flag is the process's, inheritance the handle's", weak, win32.UOI_FLAGS, word(0, 0, 1)},
			{"Default flags", d, win32.UOI_FLAGS, word(0, 0, 0)},
			{"station name", ws, win32.UOI_NAME, wide("WinSta0")},
			{"desktop name", other, win32.UOI_NAME, wide("Work")},
			{"station type", ws, win32.UOI_TYPE, wide("WindowStation")},
			{"desktop type", weak, win32.UOI_TYPE, wide("Desktop")},
			{"station user", ws, win32.UOI_USER_SID, sid},
			{"desktop user", other, win32.UOI_USER_SID, sid},
			{"no user", own, win32.UOI_USER_SID, nil},
			{"heap", other, win32.UOI_HEAPSIZE, word(128)},
			{"input", d, win32.UOI_IO, word(1)},
			{"no input", other, win32.UOI_IO, word(0)},
			{"station input", ws, win32.UOI_IO, word(0)},
		} {
			got, err := th.UserObjectInformation(c.h, c.index)
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("%s: % x, %v; want % x", c.name, got, err, c.want)
			}
		}
	})
	t.Run("UO-7/errors", func(t *testing.T) {
		conform.Rule(t, "UO-5", "UO-7")
		for _, index := range []uint32{0, 7, 8, 0xFFFFFFFF} {
			_, err := th.UserObjectInformation(d, index)
			rule(t, err, win32.ERROR_INVALID_PARAMETER, "UO-7")
		}
		_, err := th.UserObjectInformation(ws, win32.UOI_HEAPSIZE)
		rule(t, err, win32.ERROR_INVALID_PARAMETER, "UO-5")
		tok, err := th.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_QUERY)
		w.ok(err)
		for _, h := range []win32.Handle{0, 0x4000, tok, win32.CurrentProcess} {
			_, err := th.UserObjectInformation(h, 99) // the handle is looked at first
			rule(t, err, win32.ERROR_INVALID_HANDLE, "UO-10")
		}
	})
	t.Run("UO-13/set", func(t *testing.T) {
		conform.Rule(t, "UO-13", "UO-14", "DT-15")
		flags := func(inherit, fl uint32) []byte {
			b := make([]byte, 12)
			binary.LittleEndian.PutUint32(b, inherit)
			binary.LittleEndian.PutUint32(b[8:], fl)
			return b
		}
		w.ok(th.SetUserObjectInformation(ws, win32.UOI_FLAGS, flags(1, 1)))
		f, _ := th.HandleInformation(ws)
		same(t, "inherit", f, win32.HANDLE_FLAG_INHERIT)
		w.ok(th.SetUserObjectInformation(ws, win32.UOI_FLAGS, flags(0, 1)))
		rule(t, th.SetUserObjectInformation(ws, win32.UOI_FLAGS, flags(1, 0)), win32.ERROR_ACCESS_DENIED, "UO-14")
		rule(t, th.SetUserObjectInformation(own, win32.UOI_FLAGS, flags(0, 1)), win32.ERROR_ACCESS_DENIED, "UO-14")
		f, _ = th.HandleInformation(ws)
		same(t, "inherit", f, 0)
		w.ok(th.SetUserObjectInformation(weak, win32.UOI_FLAGS, flags(0, 0)))
		got, _ := th.UserObjectInformation(other, win32.UOI_FLAGS)
		same(t, "hook flag seen by the other handle", got[8], 0)
		rule(t, th.SetUserObjectInformation(other, win32.UOI_FLAGS, make([]byte, 11)), win32.ERROR_INVALID_PARAMETER, "UO-13")
		rule(t, th.SetUserObjectInformation(other, win32.UOI_NAME, make([]byte, 12)), win32.ERROR_INVALID_PARAMETER, "UO-13")
		rule(t, th.SetUserObjectInformation(0, win32.UOI_FLAGS, make([]byte, 12)), win32.ERROR_INVALID_HANDLE, "UO-10")
		w.ok(th.SetUserObjectInformation(win32.CurrentProcess, 7, make([]byte, 4)))
		rule(t, th.SetUserObjectInformation(ws, 7, make([]byte, 4)), win32.ERROR_INVALID_HANDLE, "UO-13")
		rule(t, th.SetUserObjectInformation(win32.CurrentProcess, 7, make([]byte, 3)), win32.ERROR_INVALID_PARAMETER, "UO-13")
	})
	t.Run("UO-17/names", func(t *testing.T) {
		conform.Rule(t, "UO-17", "WS-2")
		name, _ := th.ObjectName(ws)
		same(t, "station", name, `\Sessions\1\Windows\WindowStations\WinSta0`)
		name, _ = th.ObjectName(other)
		same(t, "desktop", name, `\Work`)
	})
}

func TestUserObjectSecurity(t *testing.T) {
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	h, _, err := th.CreateDesktop(desk("Mine"))
	w.ok(err)
	t.Run("UO-15/get", func(t *testing.T) {
		conform.Rule(t, "UO-15", "AR-1")
		sd, err := th.UserObjectSecurity(h, security.OwnerInformation|security.GroupInformation|security.DACLInformation)
		w.ok(err)
		same(t, "owner", sd.Owner(), alice.token.LogonSID()) // not the user, who has other logons (DT-8)
		weak, err := th.OpenDesktop("Mine", 0, win32.DESKTOP_READOBJECTS, false)
		w.ok(err)
		_, err = th.UserObjectSecurity(weak, security.DACLInformation)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "UO-15")
		_, err = th.UserObjectSecurity(h, security.SACLInformation)
		rule(t, err, win32.ERROR_ACCESS_DENIED, "UO-15")
		_, err = th.UserObjectSecurity(0, security.DACLInformation)
		rule(t, err, win32.ERROR_INVALID_HANDLE, "UO-15")
	})
	t.Run("UO-16/set", func(t *testing.T) {
		conform.Rule(t, "UO-16", "AR-29")
		// The new DACL lets nobody in; handles that are open keep their rights.
		w.ok(th.SetUserObjectSecurity(h, security.DACLInformation, security.MustSDDL("D:")))
		same(t, "rights of the open handle", granted(t, th, h), win32.AccessMask(0x000F01FF))
		_, err := th.OpenDesktop("Mine", 0, win32.DESKTOP_READOBJECTS, false)
		code(t, err, win32.ERROR_ACCESS_DENIED)
		w.ok(th.SetUserObjectSecurity(h, security.DACLInformation, security.MustSDDL("D:(A;;GR;;;WD)")))
		weak, err := th.OpenDesktop("Mine", 0, win32.DESKTOP_READOBJECTS, false)
		w.ok(err)
		// The owner may set the DACL without WRITE_DAC in the handle, nobody else.
		w.ok(th.SetUserObjectSecurity(weak, security.DACLInformation, security.MustSDDL("D:(A;;0x41;;;WD)")))
		rule(t, th.SetUserObjectSecurity(weak, security.OwnerInformation, security.MustSDDL("O:SY")), win32.ERROR_ACCESS_DENIED, "UO-16")
		code(t, th.SetUserObjectSecurity(h, security.OwnerInformation, security.MustSDDL("O:SY")), win32.ERROR_INVALID_OWNER)
		rule(t, th.SetUserObjectSecurity(h, security.SACLInformation, security.MustSDDL("S:")), win32.ERROR_ACCESS_DENIED, "UO-16")
		code(t, th.SetUserObjectSecurity(h, security.DACLInformation, nil), win32.ERROR_INVALID_SECURITY_DESCR)
		ws, err := th.OpenWindowStation("WinSta0", win32.WINSTA_ENUMDESKTOPS, false)
		w.ok(err)
		rule(t, th.SetUserObjectSecurity(ws, security.DACLInformation, security.MustSDDL("D:(A;;GA;;;WD)")), win32.ERROR_ACCESS_DENIED, "UO-16")
	})
}
