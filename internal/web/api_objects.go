// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"

	"stationmaster/internal/api"
	"stationmaster/win32"
)

// Object is an entry of the object tree.
type Object struct {
	Path    string      `json:"path" example:"\\Sessions\\1\\BaseNamedObjects"`
	Name    string      `json:"name"`
	Type    string      `json:"type" example:"Directory"`
	Target  string      `json:"target,omitempty" doc:"Where a link leads."`
	SDDL    string      `json:"sddl,omitempty" doc:"Owner, group, DACL and label; left out when the caller may not read them."`
	Handles uint32      `json:"handles"`
	Facts   []NamedFact `json:"facts"`
}

// NamedFact is one fact about an object, in words.
type NamedFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ObjectDetail is an object with what it holds.
type ObjectDetail struct {
	Object
	Entries []Object `json:"entries" doc:"What a directory or window station holds, as far as the caller may list it."`
	Left    uint32   `json:"left" doc:"Entries that are left out because there are too many."`
	Listed  bool     `json:"listed" doc:"False when it holds nothing or the caller may not list it."`
}

// AtPath names the object in the query.
type AtPath struct {
	SignedIn
	Path string `query:"path" default:"\\" maxLength:"1024" doc:"Path in the object tree." example:"\\Sessions\\1\\Windows\\WindowStations\\WinSta0"`
}

type sddlInput struct {
	AtPath
	Body struct {
		SDDL string `json:"sddl" minLength:"1" maxLength:"65535" doc:"Parts that it names are replaced; open handles keep their rights." example:"D:(A;;0xf037f;;;SY)"`
	}
}

func objectOf(o api.Object) Object {
	return Object{
		Path: o.Path, Name: o.Name, Type: o.Type, Target: o.Target, SDDL: o.SDDL, Handles: o.Handles,
		Facts: list(o.Facts, func(f api.Fact) NamedFact { return NamedFact(f) }),
	}
}

func (s *Server) registerObjects() {
	const tag, path = "Objects", "/v1/objects"
	register(s, http.MethodGet, path, "getObject", tag, "Tell the facts of an object of the tree, and list what it holds",
		func(ctx context.Context, in *AtPath) (*body[ObjectDetail], error) {
			got, err := read(ctx, in.visit, func(ctx context.Context, c Conn) (ObjectDetail, error) { return objectDetail(ctx, c, in.Path) })
			if err != nil {
				return nil, err
			}
			return &body[ObjectDetail]{got}, nil
		})
	register(s, http.MethodPut, path, "setObjectSecurity", tag, "Replace parts of an object's security descriptor",
		func(ctx context.Context, in *sddlInput) (*body[ObjectDetail], error) {
			got, err := change(ctx, in.visit, func(ctx context.Context, c Conn) (ObjectDetail, error) {
				if err := c.SetObjectSecurity(ctx, api.SetObjectSecurityRequest{Path: in.Path, SDDL: in.Body.SDDL}); err != nil {
					return ObjectDetail{}, err
				}
				got, err := objectDetail(ctx, c, in.Path)
				if win32.Code(err) == win32.ERROR_ACCESS_DENIED { // the caller has just taken the right from itself
					return ObjectDetail{Object: objectOf(api.Object{Path: in.Path}), Entries: []Object{}}, nil
				}
				return got, err
			})
			if err != nil {
				return nil, err
			}
			return &body[ObjectDetail]{got}, nil
		})
}

// objectDetail shows an object and lists it if that can be done. Who may list
// a directory need not be allowed to read its descriptor.
func objectDetail(ctx context.Context, c Conn, path string) (ObjectDetail, error) {
	shown, showErr := c.ShowObject(ctx, api.PathRequest{Path: path})
	if showErr != nil && win32.Code(showErr) != win32.ERROR_ACCESS_DENIED {
		return ObjectDetail{}, showErr
	}
	d := ObjectDetail{Object: objectOf(shown.Object), Entries: []Object{}}
	if showErr != nil {
		d.Path = path
	}
	entries, err := c.ListObjects(ctx, api.PathRequest{Path: path})
	switch code := win32.Code(err); {
	case err == nil:
		d.Listed, d.Entries, d.Left = true, list(entries.Objects, objectOf), entries.Left
	case code != win32.ERROR_ACCESS_DENIED && code != win32.ERROR_PATH_NOT_FOUND && code != win32.ERROR_FILE_NOT_FOUND:
		return ObjectDetail{}, err // not: it holds nothing, or may not be listed
	case showErr != nil:
		return ObjectDetail{}, showErr
	}
	return d, nil
}
