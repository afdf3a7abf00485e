// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"errors"
	"testing"

	"stationmaster/security"
	"stationmaster/win32"
)

// FuzzSDDL feeds strings to the parser: it never panics, its errors carry a
// Win32 number and a position inside the string, and what it accepts prints
// and reads back the same.
func FuzzSDDL(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(e.sddl)
	}
	for _, s := range []string{"D:(A;;0x;;;WD)", "O:S-1-5-21-1-2-3-500D:", "S:(ML;;NW;;;LW)", "D:P( A;OI;GR0x1;;; SY )", "X", "D:(XA;;GA;;;WD;(a))", "O:LA"} {
		f.Add(s)
	}
	machine := security.MustSID("S-1-5-21-1-2-3")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := security.ParseSDDL(s, machine)
		if err != nil {
			var se *security.SDDLError
			if !errors.As(err, &se) || se.Pos < 0 || se.Pos > len(s) || win32.Code(err) == win32.ERROR_GEN_FAILURE {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		text := d.SDDL(security.AllInformation, machine)
		again, err := security.ParseSDDL(text, machine)
		if err != nil || !again.Equal(d) {
			t.Fatalf("%q prints %q, which reads as %v, %v", s, text, again, err)
		}
		usable(t, d)
	})
}

// FuzzDescriptor feeds bytes to the reader of binary descriptors.
func FuzzDescriptor(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(security.MustSDDL(e.sddl).Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := security.ParseDescriptor(b)
		if err != nil {
			if c := win32.Code(err); c == win32.ERROR_GEN_FAILURE {
				t.Fatalf("%x: %v", b, err)
			}
			return
		}
		usable(t, d)
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back security.Descriptor
		if err := back.UnmarshalText(text); err != nil || !back.Equal(d) {
			t.Fatalf("%x is %s, which reads as %s, %v", b, text, &back, err)
		}
	})
}

// usable does with a foreign descriptor all that the engine does with one.
func usable(t *testing.T, d *security.Descriptor) {
	bin := d.Bytes()
	again, err := security.ParseDescriptor(bin)
	if err != nil || !again.Equal(d) {
		t.Fatalf("%x reads back as %v, %v", bin, again, err)
	}
	tok := user(t)
	whole, err := security.Check(tok, d, win32.MAXIMUM_ALLOWED, security.DesktopMapping)
	if err == nil {
		if got, err := security.Check(tok, d, whole, security.DesktopMapping); got != whole || err != nil {
			t.Fatalf("%s: the maximum %v asked for by name gives %v, %v", d, whole, got, err)
		}
	}
	if n, err := security.Assign(d, nil, tok, true, security.DesktopMapping, security.AssignAutoInherit); err == nil {
		n.Bytes()
	}
	if n, err := security.Assign(nil, d, security.SystemToken(0), false, security.DesktopMapping, security.AssignNoPrivileges); err == nil {
		n.Bytes()
	}
	if n, err := d.Merge(security.AllInformation, d, security.SystemToken(0), security.DesktopMapping); err == nil {
		n.Bytes()
	}
}
