// SPDX-License-Identifier: Apache-2.0

// Package client speaks to a Stationmaster daemon. A Conn is what Windows calls
// a thread: it has a desktop, may impersonate and its calls are carried out in
// the order they are made, except those that wait, which run beside the others.
//
//	c, err := client.Dial(ctx, "")
//	if err != nil { … }
//	defer c.Close()
//	h, err := c.OpenDesktop(ctx, client.OpenDesktopRequest{Name: "Default", Access: win32.DESKTOP_READOBJECTS})
//
// There is one method per call of docs/CALLS.md, generated from the call table,
// and a few helpers on top: SendMessage, Follow, FollowAudit and package svc. A call
// that is refused gives a *win32.Error with the number Windows gives. When the
// daemon is gone every call gives win32.RPC_S_SERVER_UNAVAILABLE; Redial
// connects again.
//
// It may import win32, internal/api, internal/layout, internal/wire and the standard library.
package client
