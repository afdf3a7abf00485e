// SPDX-License-Identifier: Apache-2.0

package station

import (
	"encoding/binary"

	"stationmaster/security"
	"stationmaster/win32"
)

// Classes of GetTokenInformation (SE-20).
const (
	TokenUser               uint32 = 1
	TokenGroups             uint32 = 2
	TokenPrivileges         uint32 = 3
	TokenOwner              uint32 = 4
	TokenPrimaryGroup       uint32 = 5
	TokenDefaultDacl        uint32 = 6
	TokenSource             uint32 = 7
	TokenType               uint32 = 8
	TokenImpersonationLevel uint32 = 9
	TokenStatistics         uint32 = 10
	TokenRestrictedSids     uint32 = 11
	TokenSessionId          uint32 = 12
	TokenElevationType      uint32 = 18
	TokenLinkedToken        uint32 = 19
	TokenElevation          uint32 = 20
	TokenHasRestrictions    uint32 = 21
	TokenIntegrityLevel     uint32 = 25
	TokenUIAccess           uint32 = 26
	TokenMandatoryPolicy    uint32 = 27
	TokenLogonSid           uint32 = 28
	TokenIsAppContainer     uint32 = 29
	TokenIsRestricted       uint32 = 40
)

// TokenInformation gives one class of facts about a token, as bytes, and the
// token itself for callers that want typed fields. Classes that are fixed
// structures without pointers are the bytes of the Win32 structure. Those with
// SIDs are self-contained: a SID is its binary form; a list is a uint32 count
// and then for each entry uint32 attributes and the SID, or for privileges
// LUID and attributes as TOKEN_PRIVILEGES has them; an ACL is its binary form.
// TokenLinkedToken gives the value of a new handle.
//
// Win32: GetTokenInformation. Rules: SE-20, SE-32.
func (t *Thread) TokenInformation(h win32.Handle, class uint32) (*security.Token, []byte, error) {
	const op = "GetTokenInformation"
	need := win32.TOKEN_QUERY
	if class == TokenSource {
		need = win32.TOKEN_QUERY_SOURCE
	}
	o, _, err := t.tokenHandle(op, h, need, "SE-20")
	if err != nil {
		return nil, nil, err
	}
	tok := o.tok.Load()
	le := binary.LittleEndian
	word := func(v uint32) []byte { return le.AppendUint32(nil, v) }
	flag := func(v bool) []byte {
		if v {
			return word(1)
		}
		return word(0)
	}
	bad := func() (*security.Token, []byte, error) {
		return nil, nil, t.errorOf(op, "", win32.ERROR_INVALID_PARAMETER, "SE-20")
	}
	sids := func(list []security.Group) []byte {
		b := word(uint32(len(list)))
		for _, g := range list {
			b = append(le.AppendUint32(b, uint32(g.Attributes)), g.SID.Bytes()...)
		}
		return b
	}
	var b []byte
	switch class {
	case TokenUser:
		b = append(word(uint32(tok.UserAttributes())), tok.User().Bytes()...)
	case TokenGroups:
		b = sids(tok.Groups())
	case TokenRestrictedSids:
		b = sids(tok.RestrictingSIDs())
	case TokenPrivileges:
		list := tok.Privileges()
		b = word(uint32(len(list)))
		for _, p := range list {
			l := p.Privilege.LUID()
			b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, l.Low()), l.High()), uint32(p.Attributes))
		}
	case TokenOwner:
		b = tok.Owner().Bytes()
	case TokenPrimaryGroup:
		b = tok.PrimaryGroup().Bytes()
	case TokenDefaultDacl:
		b = []byte{}
		if acl := tok.DefaultDACL(); acl != nil {
			b = acl.Bytes()
		}
	case TokenSource:
		src := tok.Source()
		b = make([]byte, 8, 16)
		copy(b, src.Name)
		b = le.AppendUint32(le.AppendUint32(b, src.ID.Low()), src.ID.High())
	case TokenType:
		b = word(uint32(tok.Type()))
	case TokenImpersonationLevel:
		if tok.Type() == security.TokenPrimary {
			return bad()
		}
		b = word(uint32(tok.Level()))
	case TokenStatistics:
		b = statistics(tok)
	case TokenSessionId:
		b = word(tok.SessionID())
	case TokenElevationType:
		b = word(uint32(tok.ElevationType()))
	case TokenLinkedToken:
		linked, ok := tok.LinkedFor(t.EffectiveToken(), t.process.engine.AllocateLUID())
		if !ok {
			return nil, nil, t.errorOf(op, "", win32.ERROR_NO_TOKEN, "SE-32")
		}
		h, err := t.InsertToken(linked, 0, o.origin)
		if err != nil {
			return nil, nil, err
		}
		return tok, word(uint32(h)), nil
	case TokenElevation:
		b = flag(tok.IsElevated())
	case TokenHasRestrictions, TokenIsRestricted:
		b = flag(tok.IsRestricted())
	case TokenIntegrityLevel:
		b = append(word(0x60), security.LevelSID(tok.Integrity()).Bytes()...)
	case TokenUIAccess:
		b = flag(tok.UIAccess())
	case TokenMandatoryPolicy:
		b = word(tok.MandatoryPolicy())
	case TokenLogonSid:
		if tok.LogonSID().IsZero() {
			return nil, nil, t.errorOf(op, "", win32.ERROR_NOT_FOUND, "SE-20")
		}
		b = sids([]security.Group{{SID: tok.LogonSID(), Attributes: security.GroupLogonID | security.GroupMandatory | security.GroupEnabledByDefault | security.GroupEnabled}})
	case TokenIsAppContainer:
		b = word(0)
	default:
		return bad()
	}
	return tok, b, nil
}

// statistics gives TOKEN_STATISTICS, 56 bytes: TokenId, AuthenticationId,
// ExpirationTime, type, level, dynamic charged and available, counts of groups
// and privileges, ModifiedId.
func statistics(tok *security.Token) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, 56)
	luid := func(l security.LUID) { b = le.AppendUint32(le.AppendUint32(b, l.Low()), l.High()) }
	luid(tok.ID())
	luid(tok.LogonID())
	b = le.AppendUint64(b, 0x7FFFFFFFFFFFFFFF) // never expires
	b = le.AppendUint32(b, uint32(tok.Type()))
	b = le.AppendUint32(b, uint32(tok.Level()))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, uint32(len(tok.Groups())))
	b = le.AppendUint32(b, uint32(len(tok.Privileges())))
	luid(tok.ModifiedID())
	return b
}
