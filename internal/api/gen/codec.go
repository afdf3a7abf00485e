// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"strings"

	"stationmaster/internal/api"
)

// typeName is how a type of the table is written outside package api.
func typeName(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return "*" + typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + typeName(t.Elem())
	}
	return t.String() // api.X, win32.X or a basic type
}

// writeCodec writes the operation numbers and AppendX/DecodeX of every struct.
func writeCodec(w *writer, m *model) {
	imports := []string{"encoding/binary", "", "stationmaster/internal/api"}
	for _, t := range m.structs {
		if usesWin32(t) {
			imports = append(imports, "stationmaster/win32")
			break
		}
	}
	w.header("wire", imports...)
	w.p("// Numbers of the calls. OpCancel is not a call: see Frame.")
	w.p("const (")
	for _, c := range m.calls {
		w.p("Op%s uint16 = %d", c.Name, c.Op)
	}
	w.p(")\n")
	w.p("// Describe tells a call's name in the Go client, the name its errors carry and")
	w.p("// how it is run; ok is false for a number that no call has.")
	w.p("func Describe(op uint16) (name, win32Name string, flags api.Flags, ok bool) {")
	w.p("switch op {")
	for _, c := range m.calls {
		w.p("case Op%s: return %q, %q, %d, true", c.Name, c.Name, win32Name(c), c.Flags)
	}
	w.p("}\nreturn \"\", \"\", 0, false\n}\n")
	for _, t := range m.structs {
		n := t.Name()
		w.p("// Append%s appends the wire form of v to b.", n)
		w.p("func Append%s(b []byte, v *api.%s) []byte {", n, n)
		for i := range t.NumField() {
			appendField(w, t.Field(i).Type, "v."+t.Field(i).Name, 0)
		}
		w.p("return b\n}\n")
		w.p("func (d *decoder) decode%s(v *api.%s) {", n, n)
		for i := range t.NumField() {
			decodeField(w, t.Field(i).Type, "v."+t.Field(i).Name, 0)
		}
		w.p("}\n")
	}
	for _, t := range m.bodies {
		n := t.Name()
		w.p("// Decode%s reads the wire form of a whole body.", n)
		w.p("func Decode%s(b []byte) (*api.%s, error) {", n, n)
		w.p("d, v := decoder{b: b}, new(api.%s)", n)
		w.p("d.decode%s(v)", n)
		w.p("if err := d.end(); err != nil { return nil, err }")
		w.p("return v, nil\n}\n")
	}
}

func usesWin32(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i).Type
		for f.Kind() == reflect.Slice || f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if strings.HasPrefix(f.String(), "win32.") {
			return true
		}
	}
	return false
}

func appendField(w *writer, t reflect.Type, x string, depth int) {
	switch t.Kind() {
	case reflect.Bool:
		w.p("b = appendBool(b, %s)", x)
	case reflect.Uint8:
		w.p("b = append(b, uint8(%s))", x)
	case reflect.Uint32, reflect.Int32:
		w.p("b = binary.LittleEndian.AppendUint32(b, uint32(%s))", x)
	case reflect.Uint64, reflect.Int64:
		w.p("b = binary.LittleEndian.AppendUint64(b, uint64(%s))", x)
	case reflect.String:
		w.p("b = appendString(b, string(%s))", x)
	case reflect.Pointer:
		w.p("b = appendOptional(b, %s)", x)
	case reflect.Struct:
		w.p("b = Append%s(b, &%s)", t.Name(), x)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			w.p("b = appendBytes(b, %s)", x)
			return
		}
		i := "i" + strings.Repeat("i", depth)
		w.p("b = binary.LittleEndian.AppendUint32(b, uint32(len(%s)))", x)
		w.p("for %s := range %s {", i, x)
		appendField(w, t.Elem(), x+"["+i+"]", depth+1)
		w.p("}")
	}
}

func decodeField(w *writer, t reflect.Type, x string, depth int) {
	conv := func(call string) {
		if t.PkgPath() != "" {
			call = typeName(t) + "(" + call + ")"
		}
		w.p("%s = %s", x, call)
	}
	switch t.Kind() {
	case reflect.Bool:
		conv("d.bool()")
	case reflect.Uint8:
		conv("d.u8()")
	case reflect.Uint32:
		conv("d.u32()")
	case reflect.Int32:
		conv("int32(d.u32())")
	case reflect.Uint64:
		conv("d.u64()")
	case reflect.Int64:
		conv("int64(d.u64())")
	case reflect.String:
		conv("d.string()")
	case reflect.Pointer:
		w.p("%s = d.optional()", x)
	case reflect.Struct:
		w.p("d.decode%s(&%s)", t.Name(), x)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			w.p("%s = d.bytes()", x)
			return
		}
		i := "i" + strings.Repeat("i", depth)
		w.p("if n := d.count(%d); n > 0 {", minSize(t.Elem()))
		w.p("%s = make(%s, n)", x, typeName(t))
		w.p("for %s := range %s {", i, x)
		decodeField(w, t.Elem(), x+"["+i+"]", depth+1)
		w.p("}\n}")
	}
}

// writeBodies writes the table that the round-trip and fuzz tests run over.
func writeBodies(w *writer, m *model) {
	w.header("wire", "stationmaster/internal/api")
	w.p("// bodies lists the codec of every request and reply.")
	w.p("var bodies = []body{")
	for _, t := range m.bodies {
		n := t.Name()
		w.p("{%q, func() any { return new(api.%s) }, func(b []byte, v any) []byte { return Append%s(b, v.(*api.%s)) }, func(b []byte) (any, error) { return Decode%s(b) }},", n, n, n, n, n)
	}
	w.p("}")
}

// writeDispatch writes the Handler interface and the switch over the numbers.
func writeDispatch(w *writer, m *model) {
	w.header("daemon", "context", "", "stationmaster/internal/api", "stationmaster/internal/wire")
	w.p("// Handler has one method per call. The caller is c.Thread.")
	w.p("type Handler interface {")
	for _, c := range m.calls {
		w.p("%s", wrap("// ", c.Name+": "+c.Doc+rules(c), 100))
		args, res := "ctx context.Context, c *Call", "error"
		if c.Request != nil {
			args += ", q *api." + c.Request.Name()
		}
		if c.Reply != nil {
			res = "(*api." + c.Reply.Name() + ", error)"
		}
		w.p("%s(%s) %s\n", c.Name, args, res)
	}
	w.p("}\n")
	w.p("// dispatch decodes the body of a call, runs it and appends the encoded reply to out.")
	w.p("func dispatch(ctx context.Context, h Handler, c *Call, op uint16, body, out []byte) ([]byte, error) {")
	w.p("switch op {")
	for _, c := range m.calls {
		w.p("case wire.Op%s:", c.Name)
		call := "h." + c.Name + "(ctx, c)"
		if c.Request != nil {
			w.p("q, err := wire.Decode%s(body)", c.Request.Name())
			w.p("if err != nil { return out, badBody(%q, err) }", win32Name(c))
			call = "h." + c.Name + "(ctx, c, q)"
		} else {
			w.p("if len(body) != 0 { return out, badBody(%q, wire.ErrTrailing) }", win32Name(c))
		}
		if c.Reply == nil {
			w.p("return out, %s", call)
			continue
		}
		w.p("r, err := %s", call)
		w.p("if err != nil { return out, err }")
		w.p("return wire.Append%s(out, r), nil", c.Reply.Name())
	}
	w.p("}\nreturn out, errNoCall(op)\n}")
}

func rules(c api.Call) string {
	s := ""
	if c.Win32 != "" {
		s += " Win32: " + c.Win32 + "."
	}
	if c.Rules != "" {
		s += " Rules: " + strings.ReplaceAll(c.Rules, ",", ", ") + "."
	}
	return s
}
