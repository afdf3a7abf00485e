// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"strconv"
	"strings"

	"stationmaster/win32"
)

// LUID is a locally unique identifier: a number that no one else gets until
// the engine is started anew. The high part is in the upper 32 bits.
// Rules: SE-8.
type LUID uint64

// Well-known logon sessions and the first number that is handed out (SE-8).
const (
	SystemLUID         LUID = 0x3e7
	AnonymousLUID      LUID = 0x3e6
	LocalServiceLUID   LUID = 0x3e5
	NetworkServiceLUID LUID = 0x3e4
	FirstFreeLUID      LUID = 0x10001
)

// High is the HighPart.
func (l LUID) High() uint32 { return uint32(l >> 32) }

// Low is the LowPart.
func (l LUID) Low() uint32 { return uint32(l) }

// String prints both parts as 0x0:0x3e7.
func (l LUID) String() string { return fmt.Sprintf("0x%x:0x%x", l.High(), l.Low()) }

// StationName is the name of the window station of this logon session's
// processes without a desktop of their own, such as Service-0x0-3e7$.
// Rules: SE-6.
func (l LUID) StationName() string { return fmt.Sprintf("Service-0x%x-%x$", l.High(), l.Low()) }

// MarshalText gives String.
func (l LUID) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what MarshalText gave.
func (l *LUID) UnmarshalText(b []byte) error {
	hi, lo, ok := strings.Cut(string(b), ":")
	h, err1 := strconv.ParseUint(strings.TrimPrefix(hi, "0x"), 16, 32)
	w, err2 := strconv.ParseUint(strings.TrimPrefix(lo, "0x"), 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return &win32.Error{Op: "ParseLUID", Object: clip(string(b)), Code: win32.ERROR_INVALID_PARAMETER, Rule: "SE-8"}
	}
	*l = LUID(h<<32 | w)
	return nil
}
