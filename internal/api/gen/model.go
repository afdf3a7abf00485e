// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"stationmaster/internal/api"
)

// model is the call table with what the generator needs to know about its types.
type model struct {
	calls   []api.Call
	structs []reflect.Type          // every struct, by name
	bodies  []reflect.Type          // those that are a request or a reply, by name
	doc     map[string]string       // comment of a struct
	field   map[string][]fieldNotes // fields of a struct in order
	frames  string                  // how frames look, from the comment of package wire
}

type fieldNotes struct{ name, typ, note string }

func newModel(dir string) (*model, error) {
	m := &model{calls: api.Table(), doc: map[string]string{}, field: map[string][]fieldNotes{}}
	seen, body := map[reflect.Type]bool{}, map[reflect.Type]bool{}
	var visit func(t reflect.Type, where string) error
	visit = func(t reflect.Type, where string) error {
		switch t.Kind() {
		case reflect.Bool, reflect.Uint8, reflect.Uint32, reflect.Uint64, reflect.Int32, reflect.Int64, reflect.String:
			return nil
		case reflect.Slice:
			return visit(t.Elem(), where)
		case reflect.Pointer:
			if t.Elem().Kind() != reflect.String {
				return fmt.Errorf("%s: a pointer to %s has no wire form", where, t.Elem())
			}
			return nil
		case reflect.Struct:
			if seen[t] {
				return nil
			}
			seen[t] = true
			m.structs = append(m.structs, t)
			for i := range t.NumField() {
				f := t.Field(i)
				if !f.IsExported() {
					return fmt.Errorf("%s.%s is not exported", t.Name(), f.Name)
				}
				if err := visit(f.Type, t.Name()+"."+f.Name); err != nil {
					return err
				}
			}
			return nil
		}
		return fmt.Errorf("%s: %s has no wire form", where, t)
	}
	for _, c := range m.calls {
		for _, t := range []reflect.Type{c.Request, c.Reply} {
			if t == nil {
				continue
			}
			if err := visit(t, c.Name); err != nil {
				return nil, err
			}
			if !body[t] {
				body[t] = true
				m.bodies = append(m.bodies, t)
			}
		}
	}
	byName := func(l []reflect.Type) { sort.Slice(l, func(i, j int) bool { return l[i].Name() < l[j].Name() }) }
	byName(m.structs)
	byName(m.bodies)
	if err := m.readComments(dir); err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "..", "wire", "doc.go"), nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	_, m.frames, _ = strings.Cut(f.Doc.Text(), "\n\n")
	return m, nil
}

// readComments takes the comments of the structs from the source: reflection
// does not see them.
func (m *model) readComments(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				ts, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				m.doc[ts.Name.Name] = strings.TrimSpace(g.Doc.Text())
				for _, fl := range st.Fields.List {
					typ := string(src[fset.Position(fl.Type.Pos()).Offset:fset.Position(fl.Type.End()).Offset])
					note := oneLine(fl.Doc.Text() + " " + fl.Comment.Text())
					for _, n := range fl.Names {
						m.field[ts.Name.Name] = append(m.field[ts.Name.Name], fieldNotes{n.Name, typ, note})
					}
				}
			}
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// minSize is the least number of bytes a value of type t takes on the wire.
func minSize(t reflect.Type) int {
	switch t.Kind() {
	case reflect.Bool, reflect.Uint8, reflect.Pointer:
		return 1
	case reflect.Uint32, reflect.Int32, reflect.String, reflect.Slice:
		return 4
	case reflect.Uint64, reflect.Int64:
		return 8
	case reflect.Struct:
		n := 0
		for i := range t.NumField() {
			n += minSize(t.Field(i).Type)
		}
		return n
	}
	panic("no wire form: " + t.String())
}

// win32Name is the name an error of the call carries.
func win32Name(c api.Call) string {
	if c.Win32 != "" {
		return c.Win32
	}
	return c.Name
}

// wrap breaks text into comment lines.
func wrap(prefix, text string, width int) string {
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			b.WriteString(prefix + line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	b.WriteString(prefix + line)
	return b.String()
}
