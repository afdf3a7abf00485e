// SPDX-License-Identifier: Apache-2.0

package station_test

import (
	"encoding/binary"
	"testing"

	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

func TestImpersonation(t *testing.T) {
	conform.Rule(t, "SE-27", "SE-28", "AR-29")
	w := newWorld(t)
	alice := w.logon(1001)
	web := w.start(security.NetworkServiceToken(0), nil)
	h, err := web.InsertToken(alice.token, 0, "person")
	w.ok(err)
	same(t, "origin of the process", web.Origin(), "")
	_, err = web.CheckSession("Test", 1, win32.WINSTATION_QUERY)
	w.ok(err) // NetworkService may look (WTS-1)
	_, err = web.CheckSession("Test", 1, win32.WINSTATION_LOGOFF)
	code(t, err, win32.ERROR_ACCESS_DENIED)
	w.ok(web.Impersonate(h))
	same(t, "effective user", web.EffectiveToken().User(), alice.token.User())
	same(t, "origin", web.Origin(), "person")
	_, err = web.CheckSession("Test", 1, win32.WINSTATION_LOGOFF)
	w.ok(err)
	_, err = web.CheckSession("Test", 0, win32.WINSTATION_QUERY)
	code(t, err, win32.ERROR_ACCESS_DENIED)
	th, err := web.OpenThreadToken(win32.CurrentThread, win32.TOKEN_QUERY, true)
	code(t, err, win32.ERROR_ACCESS_DENIED) // the token is alice's, NetworkService may not open it
	same(t, "handle", th, 0)
	w.ok(web.Revert())
	same(t, "effective user", web.EffectiveToken().User(), security.NetworkService)
	_, err = web.OpenThreadToken(win32.CurrentThread, win32.TOKEN_QUERY, true)
	code(t, err, win32.ERROR_NO_TOKEN)

	// Another connection of the process is not impersonating.
	second := w.attach(web.Process())
	w.ok(web.Impersonate(h))
	same(t, "other thread", second.EffectiveToken().User(), security.NetworkService)
	w.ok(web.Revert())

	// Without the privilege a foreign token can only be looked at.
	user := w.start(alice.token, nil)
	h, err = user.InsertToken(w.userToken(1, 1002, false), 0, "")
	w.ok(err)
	w.ok(user.Impersonate(h))
	same(t, "level", user.EffectiveToken().Level(), security.SecurityIdentification)
	_, err = user.OpenWindowStation("WinSta0", maxAllowed, false)
	code(t, err, win32.ERROR_BAD_IMPERSONATION_LEVEL)
	w.ok(user.Revert())
	own, err := user.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_QUERY|win32.TOKEN_DUPLICATE)
	w.ok(err)
	w.ok(user.Impersonate(own))
	same(t, "level of its own", user.EffectiveToken().Level(), security.SecurityImpersonation)
	weak, err := user.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_QUERY)
	w.ok(err)
	code(t, user.Impersonate(weak), win32.ERROR_ACCESS_DENIED)
	code(t, user.Impersonate(0x4000), win32.ERROR_INVALID_HANDLE)
	w.ok(user.Revert())
}

func TestTokenInformation(t *testing.T) {
	conform.Rule(t, "SE-20", "SE-19", "SE-28")
	w := newWorld(t)
	alice := w.logon(1001)
	th := w.start(alice.token, nil)
	own := win32.CurrentProcessToken
	for class := range uint32(64) {
		tok, b, err := th.TokenInformation(own, class)
		switch class {
		case station.TokenUser, station.TokenGroups, station.TokenPrivileges, station.TokenOwner, station.TokenPrimaryGroup,
			station.TokenDefaultDacl, station.TokenSource, station.TokenType, station.TokenStatistics, station.TokenRestrictedSids,
			station.TokenSessionId, station.TokenElevationType, station.TokenElevation, station.TokenHasRestrictions,
			station.TokenIntegrityLevel, station.TokenUIAccess, station.TokenMandatoryPolicy, station.TokenLogonSid,
			station.TokenIsAppContainer, station.TokenIsRestricted:
			if err != nil || tok == nil || len(b) == 0 {
				t.Errorf("class %d: %v, %d bytes", class, err, len(b))
			}
		case station.TokenLinkedToken:
			code(t, err, win32.ERROR_NO_TOKEN) // not split
		default: // also ImpersonationLevel of a primary token
			code(t, err, win32.ERROR_INVALID_PARAMETER)
		}
	}
	_, b, err := th.TokenInformation(own, station.TokenSessionId)
	w.ok(err)
	same(t, "session", binary.LittleEndian.Uint32(b), 1)
	_, b, err = th.TokenInformation(own, station.TokenStatistics)
	w.ok(err)
	same(t, "TOKEN_STATISTICS", len(b), 56)
	same(t, "logon", binary.LittleEndian.Uint64(b[8:]), uint64(alice.token.LogonID()))
	_, _, err = th.TokenInformation(0x4000, station.TokenUser)
	code(t, err, win32.ERROR_INVALID_HANDLE)
	blind, err := th.InsertToken(alice.token, win32.TOKEN_DUPLICATE, "")
	w.ok(err)
	_, _, err = th.TokenInformation(blind, station.TokenUser)
	code(t, err, win32.ERROR_ACCESS_DENIED)

	// Duplicates: no more level than before, the rights of the source.
	h, err := th.OpenProcessToken(win32.CurrentProcess, win32.TOKEN_QUERY|win32.TOKEN_DUPLICATE)
	w.ok(err)
	imp, err := th.DuplicateToken(h, 0, security.TokenImpersonation, security.SecurityIdentification, false)
	w.ok(err)
	same(t, "granted", granted(t, th, imp), win32.TOKEN_QUERY|win32.TOKEN_DUPLICATE)
	_, err = th.DuplicateToken(imp, 0, security.TokenImpersonation, security.SecurityImpersonation, false)
	code(t, err, win32.ERROR_BAD_IMPERSONATION_LEVEL)
	_, err = th.DuplicateToken(imp, 0, security.TokenPrimary, security.SecurityImpersonation, false)
	code(t, err, win32.ERROR_BAD_IMPERSONATION_LEVEL)
}
