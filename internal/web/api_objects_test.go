// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/http"
	"net/url"
	"testing"

	"stationmaster/conform"
	"stationmaster/win32"
)

// The object tree is listed and shown, and descriptors are set.
func TestObjects(t *testing.T) {
	conform.Rule(t, "OBJ-1", "SE-63")
	x := signedIn(t)
	at := func(path string) string { return "/v1/objects?path=" + url.QueryEscape(path) }
	var o ObjectDetail
	x.call(http.MethodGet, "/v1/objects", "", 200, &o)
	if o.Type != "Directory" || !o.Listed || len(o.Entries) != 1 || o.Entries[0].Name != "BaseNamedObjects" || o.SDDL == "" {
		t.Errorf("the root: %+v", o)
	}
	x.call(http.MethodGet, at(`\BaseNamedObjects`), "", 200, &o)
	if len(o.Entries) != 2 || o.Entries[0].Type != "Event" || o.Entries[1].SDDL != "" {
		t.Errorf("the directory: %+v", o)
	}
	x.call(http.MethodGet, at(`\BaseNamedObjects\ready`), "", 200, &o)
	if o.Handles != 2 || o.Listed || len(o.Entries) != 0 || len(o.Facts) != 1 || o.Facts[0] != (NamedFact{"signaled", "false"}) {
		t.Errorf("the event: %+v", o)
	}
	x.call(http.MethodPut, at(`\BaseNamedObjects\ready`), `{"sddl":"D:(A;;0x100000;;;AU)"}`, 200, &o)
	if o.SDDL != "D:(A;;0x100000;;;AU)" {
		t.Errorf("after it was set: %+v", o)
	}
	x.refused(http.MethodGet, at(`\BaseNamedObjects\hidden`), "", 403, win32.ERROR_ACCESS_DENIED)
	x.refused(http.MethodGet, at(`\Nothing`), "", 404, win32.ERROR_FILE_NOT_FOUND)
	x.refused(http.MethodPut, at(`\BaseNamedObjects\hidden`), `{"sddl":"D:"}`, 403, win32.ERROR_ACCESS_DENIED)
	x.refused(http.MethodPut, at(`\BaseNamedObjects\ready`), `{"sddl":"x"}`, 400, win32.ERROR_INVALID_PARAMETER)
	x.refused(http.MethodPut, at(`\BaseNamedObjects\ready`), `{"sddl":""}`, 422, win32.ERROR_INVALID_PARAMETER)
	x.refused(http.MethodPut, at(`\BaseNamedObjects\ready`), `{}`, 422, win32.ERROR_INVALID_PARAMETER)
}
