// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/argon2"

	"stationmaster/security"
	"stationmaster/win32"
)

// rights names the account right each logon type needs, its deny twin and who
// has it unless a setting of that name says otherwise (LGN-5). A setting is a
// list of SIDs separated by commas; "none" is the empty list.
var rights = map[uint32]struct {
	grant, deny string
	holders     []security.SID
}{
	win32.LOGON32_LOGON_INTERACTIVE:       {"SeInteractiveLogonRight", "SeDenyInteractiveLogonRight", []security.SID{security.Users, security.Administrators}},
	win32.LOGON32_LOGON_UNLOCK:            {"SeInteractiveLogonRight", "SeDenyInteractiveLogonRight", []security.SID{security.Users, security.Administrators}},
	win32.LogonRemoteInteractive:          {"SeRemoteInteractiveLogonRight", "SeDenyRemoteInteractiveLogonRight", []security.SID{security.Administrators, security.RemoteDesktopUsers}},
	win32.LOGON32_LOGON_NETWORK:           {"SeNetworkLogonRight", "SeDenyNetworkLogonRight", []security.SID{security.Users, security.Administrators}},
	win32.LOGON32_LOGON_NETWORK_CLEARTEXT: {"SeNetworkLogonRight", "SeDenyNetworkLogonRight", []security.SID{security.Users, security.Administrators}},
	win32.LOGON32_LOGON_BATCH:             {"SeBatchLogonRight", "SeDenyBatchLogonRight", []security.SID{security.Administrators}},
	win32.LOGON32_LOGON_SERVICE:           {"SeServiceLogonRight", "SeDenyServiceLogonRight", []security.SID{security.AllServices}},
}

// TokenRequest says what token NewToken is to make.
type TokenRequest struct {
	Type     uint32               // LOGON32_LOGON_…, or win32.LogonRemoteInteractive
	Session  uint32               // terminal session of the token
	Allocate func() security.LUID // gives the LUIDs of the logon session and the tokens
	Origin   security.LUID        // logon session of whoever asked
	Service  security.SID         // service SID to add, zero for none
	HasRight bool                 // the account holds the right for this type by what it is, such as a configured service account
}

// NewToken makes a new logon session of an account and its token; the linked
// half of an administrator's split token is its Linked. It fails with 1385 when
// the account lacks the right for that logon type or is denied it, 87 for a
// type there is no right for.
//
// Rules: LGN-3, LGN-5, LGN-8, SE-16, SE-32.
func (s *Store) NewToken(a Account, q TokenRequest) (*security.Token, error) {
	right, ok := rights[q.Type]
	if !ok {
		return nil, &win32.Error{Op: "LogonUser", Object: a.Name, Code: win32.ERROR_INVALID_PARAMETER, Rule: "LGN-2"}
	}
	u := security.UserLogon{
		User: a.SID, Name: a.Name, Domain: s.o.Computer, Admin: a.Admin, Split: true,
		LogonID: q.Allocate(), LogonType: q.Type, SessionID: q.Session, Origin: q.Origin,
		TokenID: q.Allocate(), LinkedID: q.Allocate(), ServiceSID: q.Service,
	}
	if a.Remote {
		u.Groups = append(u.Groups, security.RemoteDesktopUsers)
	}
	token, linked := security.UserToken(u)
	whole := token
	if linked != nil {
		whole = linked // rights are the account's, whatever half is used
	}
	denied := s.holds(whole, right.deny, nil)
	if denied || !q.HasRight && !s.holds(whole, right.grant, right.holders) {
		return nil, &win32.Error{Op: "LogonUser", Object: a.Name, Code: win32.ERROR_LOGON_TYPE_NOT_GRANTED, Rule: "LGN-5"}
	}
	return token, nil
}

// holds says whether the account right is given to the token's user or one of
// its groups.
func (s *Store) holds(t *security.Token, right string, otherwise []security.SID) bool {
	holders := otherwise
	if text := s.Setting(right); text != "" {
		holders = nil
		for f := range strings.SplitSeq(text, ",") {
			if sid, err := security.ParseSID(strings.TrimSpace(f)); err == nil {
				holders = append(holders, sid)
			}
		}
	}
	return slices.ContainsFunc(holders, func(sid security.SID) bool { return sid == t.User() || t.IsMember(sid) })
}

// SetRight says who has an account right such as SeBatchLogonRight. No SIDs
// means nobody.
func (s *Store) SetRight(right string, holders ...security.SID) error {
	known := false
	for _, r := range rights {
		known = known || r.grant == right || r.deny == right
	}
	if !known {
		return &win32.Error{Op: "LsaAddAccountRights", Object: right, Code: win32.ERROR_INVALID_PARAMETER, Rule: "LGN-5"}
	}
	texts := []string{"none"}
	for i, h := range holders {
		if i == 0 {
			texts = nil
		}
		texts = append(texts, h.String())
	}
	return s.SetSetting(right, strings.Join(texts, ","))
}

// ServiceCredential makes what the service database keeps of a user account's
// password: its hash under the salt of the account, so that the password itself
// is stored nowhere and a change of the account's password makes the
// credential stale (SCM-17). An unknown account is 1057.
func (s *Store) ServiceCredential(name, password string) (string, error) {
	r, err := s.record("CreateService", name)
	if win32.Code(err) == win32.ERROR_NO_SUCH_USER {
		return "", &win32.Error{Op: "CreateService", Object: name, Code: win32.ERROR_INVALID_SERVICE_ACCOUNT, Rule: "SCM-6"}
	}
	if err != nil {
		return "", err
	}
	if r.Hash == "" || len(password) > MaxPassword {
		return "", nil
	}
	s.hashing <- struct{}{}
	defer func() { <-s.hashing }()
	key, err := rehash(r.Hash, password)
	if err != nil {
		return "", fmt.Errorf("cannot keep the password of %s: %w", name, err)
	}
	return key, nil
}

// rehash gives the PHC string of a password with the parameters and the salt of
// another.
func rehash(phc, password string) (string, error) {
	if _, err := verifyPassword(phc, password); err != nil { // checks the form
		return "", err
	}
	parts := strings.Split(phc, "$")
	var memory, passes, lanes uint32
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return "", err
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return "", err
	}
	key := argon2.IDKey([]byte(password), salt, passes, memory, uint8(lanes), argonKey)
	parts[5] = base64.RawStdEncoding.EncodeToString(key)
	return strings.Join(parts, "$"), nil
}

// VerifyService checks a service's stored credential and gives its account; a
// wrong one fails as Verify does.
func (s *Store) VerifyService(_ context.Context, name, credential string) (Account, error) {
	r, err := s.record("LogonUser", name)
	if win32.Code(err) == win32.ERROR_NO_SUCH_USER || err == nil && (r.Hash == "" || subtle.ConstantTimeCompare([]byte(r.Hash), []byte(credential)) != 1) {
		return Account{}, &win32.Error{Op: "LogonUser", Object: name, Code: win32.ERROR_LOGON_FAILURE, Rule: "LGN-6"}
	}
	if err != nil {
		return Account{}, err
	}
	if err := s.usable(r); err != nil {
		return Account{}, err
	}
	return s.account(r), nil
}
