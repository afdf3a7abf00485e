// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/conform"
	"stationmaster/security"
	"stationmaster/win32"
)

func TestSharedMemory(t *testing.T) {
	conform.Rule(t, "SYN-11", "SYN-12")
	h := newHouse(t)
	a, b, ctx := h.dial(), h.dial(), t.Context()
	s, err := a.CreateFileMapping(ctx, client.CreateSectionRequest{Name: "mem", Protect: win32.PAGE_READWRITE, Size: 100})
	if err != nil || s.Existed {
		t.Fatal(s, err)
	}
	o, err := b.OpenFileMapping(ctx, client.OpenRequest{Name: `Global\mem`, Access: win32.SECTION_MAP_READ})
	if err != nil {
		t.Fatal(err)
	}
	r, files, err := a.MapViewOfFile(ctx, client.MapViewRequest{Handle: s.Handle, Access: win32.SECTION_MAP_READ | win32.SECTION_MAP_WRITE})
	if err != nil || r.Size != 100 || len(files) != 1 {
		t.Fatal(r, files, err)
	}
	defer files[0].Close()
	if _, err := files[0].WriteAt([]byte("shared"), 0); err != nil {
		t.Fatal(err)
	}
	// Other calls go on over the same connection, and come without files.
	if _, err := a.Ping(ctx, client.PingRequest{}); err != nil {
		t.Fatal(err)
	}
	_, more, err := b.MapViewOfFile(ctx, client.MapViewRequest{Handle: o.Handle, Access: win32.SECTION_MAP_READ})
	if err != nil || len(more) != 1 {
		t.Fatal(more, err)
	}
	defer more[0].Close()
	got := make([]byte, 6)
	if _, err := more[0].ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) || string(got) != "shared" {
		t.Errorf("the other process reads %q, %v", got, err)
	}
	if _, err := more[0].WriteAt([]byte("x"), 0); err == nil {
		t.Error("a view for reading is written to")
	}
	_, none, err := b.MapViewOfFile(ctx, client.MapViewRequest{Handle: o.Handle, Access: win32.SECTION_MAP_WRITE})
	wantCode(t, err, win32.ERROR_ACCESS_DENIED)
	if len(none) != 0 {
		t.Errorf("a refusal comes with %d files", len(none))
	}
}

func TestWaitsOverTheWire(t *testing.T) {
	conform.Rule(t, "SYN-8", "SYN-13", "SYN-14", "SYN-3", "HND-11", "HND-12")
	h := newHouse(t)
	a, b, ctx := h.dial(), h.dial(), t.Context()
	everybody := security.MustSDDL("D:(A;;GA;;;WD)").Bytes()
	m, err := a.CreateMutex(ctx, client.CreateMutexRequest{Name: "m", Descriptor: everybody, Owned: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := a.CreateEvent(ctx, client.CreateEventRequest{Name: "e", Descriptor: everybody})
	if err != nil {
		t.Fatal(err)
	}
	q, err := a.QueryObject(ctx, client.HandleRequest{Handle: m.Handle})
	if err != nil || q.Type != "Mutant" || q.Name != `\BaseNamedObjects\m` || q.Access != win32.MUTEX_ALL_ACCESS || q.Handles != 1 {
		t.Errorf("%+v %v", q, err)
	}
	bm, err := b.OpenMutex(ctx, client.OpenRequest{Name: "m", Access: win32.MUTEX_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	be, err := b.OpenEvent(ctx, client.OpenRequest{Name: "e", Access: win32.EVENT_ALL_ACCESS})
	if err != nil {
		t.Fatal(err)
	}
	eq, err := b.CompareObjectHandles(ctx, client.CompareHandlesRequest{First: bm.Handle, Second: be.Handle})
	if err != nil || eq.Value {
		t.Errorf("a mutex and an event are the same: %v", err)
	}
	// A cancelled wait leaves the connection as it was.
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := b.WaitForSingleObject(short, client.WaitRequest{Handle: be.Handle, Millis: win32.INFINITE}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled wait gives %v", err)
	}
	w, err := b.WaitForMultipleObjects(ctx, client.WaitManyRequest{Handles: []win32.Handle{be.Handle, bm.Handle}, Millis: 1})
	if err != nil || w.Result != uint32(win32.WAIT_TIMEOUT) {
		t.Errorf("%+v %v", w, err)
	}
	// The end of a connection is the end of a thread.
	type answer struct {
		r   client.WaitReply
		err error
	}
	all := make(chan answer, 1)
	go func() {
		r, err := b.WaitForMultipleObjects(ctx, client.WaitManyRequest{Handles: []win32.Handle{be.Handle, bm.Handle}, All: true, Millis: 20000})
		all <- answer{r, err}
	}()
	if err := a.SetEvent(ctx, client.HandleRequest{Handle: e.Handle}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if got := <-all; got.err != nil || got.r.Result != win32.WAIT_ABANDONED_0 {
		t.Errorf("%+v", got)
	}
	w, err = b.SignalObjectAndWait(ctx, client.SignalAndWaitRequest{Signal: bm.Handle, Wait: bm.Handle, Millis: 0})
	if err != nil || w.Result != 0 {
		t.Errorf("released and taken again: %+v %v", w, err)
	}
	_, err = b.WaitForMultipleObjects(ctx, client.WaitManyRequest{Handles: make([]win32.Handle, 65)})
	wantCode(t, err, win32.ERROR_INVALID_PARAMETER)
}

// The whole tree is listed and its descriptors are shown and set, as far as
// the caller may.
func TestNamedObjectTree(t *testing.T) {
	conform.Rule(t, "OBJ-1", "OBJ-3", "OBJ-4", "SE-63")
	h := newHouse(t)
	op, ctx := h.dial(), t.Context()
	one := h.logon(op, "alice")
	if _, err := op.CreateSemaphore(ctx, client.CreateSemaphoreRequest{Name: "sem", Initial: 1, Maximum: 2}); err != nil {
		t.Fatal(err)
	}
	show := func(c *client.Conn, path string) (client.Object, error) {
		r, err := c.ShowObject(ctx, client.PathRequest{Path: path})
		return r.Object, err
	}
	o, err := show(op, `\Sessions\1\BaseNamedObjects\Global\sem`)
	if err != nil || o.Type != "Semaphore" || len(o.Facts) != 2 || o.Facts[0] != (client.Fact{Name: "count", Value: "1"}) || o.SDDL == "" {
		t.Errorf("%+v %v", o, err)
	}
	o, err = show(op, `\Sessions\BNOLINKS\1`)
	if err != nil || o.Target != `\Sessions\1\BaseNamedObjects` {
		t.Errorf("%+v %v", o, err)
	}
	// State and size are for who may query the object, not for who may list.
	h.as(one, func() {
		l, err := h.dial().ListObjects(ctx, client.PathRequest{Path: `\BaseNamedObjects`})
		if err != nil || len(l.Objects) != 4 || l.Objects[3].Name != "sem" || len(l.Objects[3].Facts) != 0 || l.Objects[3].SDDL != "" {
			t.Errorf("alice sees %+v %v", l.Objects, err)
		}
	})
	set := client.SetObjectSecurityRequest{Path: `\BaseNamedObjects\sem`, SDDL: "D:(A;;GR;;;WD)"}
	h.as(one, func() {
		alice := h.dial()
		_, err := show(alice, `\BaseNamedObjects\sem`)
		wantCode(t, err, win32.ERROR_ACCESS_DENIED)
		wantCode(t, alice.SetObjectSecurity(ctx, set), win32.ERROR_ACCESS_DENIED)
		if err := op.SetObjectSecurity(ctx, set); err != nil {
			t.Error(err)
		}
		if _, err = show(alice, `\BaseNamedObjects\sem`); err != nil {
			t.Error(err)
		}
	})
	l, err := op.ListObjects(ctx, client.PathRequest{Path: `\Sessions\1\BaseNamedObjects\Local`})
	if err != nil || len(l.Objects) != 3 {
		t.Errorf("the names of session 1: %+v %v", l, err)
	}
	d, err := op.CreateDirectoryObject(ctx, client.CreateTreeRequest{Path: `\BaseNamedObjects\dir`, Permanent: true})
	if err != nil {
		t.Fatal(err)
	}
	if o, err = show(op, `\BaseNamedObjects\dir`); err != nil || o.Facts[0].Name != "permanent" {
		t.Errorf("%+v %v", o, err)
	}
	if err := op.SetPermanentObject(ctx, client.SetPermanentRequest{Handle: d.Handle}); err != nil {
		t.Error(err)
	}
	if err := op.CloseHandle(ctx, client.HandleRequest{Handle: d.Handle}); err != nil {
		t.Error(err)
	}
	_, err = show(op, `\BaseNamedObjects\dir`)
	wantCode(t, err, win32.ERROR_FILE_NOT_FOUND)
	// A directory that somebody filled can still be listed.
	for i := range 4096 {
		if _, err := op.CreateEvent(ctx, client.CreateEventRequest{Name: fmt.Sprint("full", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if l, err = op.ListObjects(ctx, client.PathRequest{Path: `\BaseNamedObjects`}); err != nil || len(l.Objects) != 4096 || l.Left != 4 {
		t.Errorf("%d objects and %d more, %v", len(l.Objects), l.Left, err)
	}
}
