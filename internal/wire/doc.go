// SPDX-License-Identifier: Apache-2.0

// Package wire is how a call looks on the call socket: frames, the descriptors
// that travel with them, errors, and the generated codecs of every request and
// reply. It knows nothing of who calls or what a call does. It may import
// win32, internal/api and the standard library with x/sys.
//
// A connection carries requests one way and replies the other:
//
//	request  | len u32 | id u32 | op u16 | flags u8 | fds u8 | payload, len bytes |
//	reply    | len u32 | id u32 | code u32 | flags u8 | fds u8 | 0 u16 | payload, len bytes |
//
// All integers are little-endian. The id is the client's and comes back in the
// reply; a client uses an id again only after its reply came. flags are 0 in
// version 1. fds is the number of descriptors sent by SCM_RIGHTS with the
// frame's first bytes, 16 at most; no other frame's bytes go with them.
//
// code is 0 and the payload the reply's body, or code is a Win32 number and
// the payload four strings: operation, object, rule and, when the trouble was
// the machine's and not the caller's, a text. Op 0 is Cancel: its id is that of
// an earlier call that has not been answered; it has no payload and no reply of
// its own, and the cancelled call is answered as soon as it has stopped.
//
// The first call on a connection is Hello. The reply to a takeover call is the
// last frame; raw bytes follow both ways. Whoever breaks these rules gets an
// error reply where that is possible, and the connection is closed.
package wire
