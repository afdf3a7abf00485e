// SPDX-License-Identifier: Apache-2.0

package surface

import "unicode/utf8"

// X key symbols that windows and input routing know. Viewers name keys by them.
const (
	KeyBackSpace = 0xFF08
	KeyTab       = 0xFF09
	KeyReturn    = 0xFF0D
	KeyEscape    = 0xFF1B
	KeyHome      = 0xFF50
	KeyLeft      = 0xFF51
	KeyUp        = 0xFF52
	KeyRight     = 0xFF53
	KeyDown      = 0xFF54
	KeyPageUp    = 0xFF55
	KeyPageDown  = 0xFF56
	KeyEnd       = 0xFF57
	KeyKPEnter   = 0xFF8D
	KeyKPDelete  = 0xFF9F
	KeyShiftL    = 0xFFE1
	KeyShiftR    = 0xFFE2
	KeyControlL  = 0xFFE3
	KeyControlR  = 0xFFE4
	KeyAltL      = 0xFFE9
	KeyAltR      = 0xFFEA
	KeyDelete    = 0xFFFF
	KeyLeftTab   = 0xFE20 // Shift+Tab on many keyboards
)

// Rune gives the character a key symbol writes, or 0 when it writes none.
func Rune(keysym uint32) rune {
	switch {
	case keysym >= 0x20 && keysym < 0x7F, keysym >= 0xA0 && keysym <= 0xFF:
		return rune(keysym)
	case keysym > 0x01000000 && keysym <= 0x0110FFFF:
		if r := rune(keysym - 0x01000000); utf8.ValidRune(r) && r >= 0x20 && (r < 0x7F || r >= 0xA0) {
			return r
		}
	case keysym >= 0xFFB0 && keysym <= 0xFFB9: // digits of the keypad
		return '0' + rune(keysym-0xFFB0)
	case keysym >= 0xFFAA && keysym <= 0xFFAF: // * + , - . / of the keypad
		return rune("*+,-./"[keysym-0xFFAA])
	case keysym == 0x20AC: // the one symbol above Latin-1 that keyboards send in its old form
		return '€'
	}
	return 0
}

// Keysym gives the key symbol that writes r.
func Keysym(r rune) uint32 {
	switch {
	case r == '\n' || r == '\r':
		return KeyReturn
	case r == '\t':
		return KeyTab
	case r == '\b':
		return KeyBackSpace
	case r == 0x1B:
		return KeyEscape
	case r >= 0x20 && r < 0x7F, r >= 0xA0 && r <= 0xFF:
		return uint32(r)
	}
	return 0x01000000 | uint32(r)
}
