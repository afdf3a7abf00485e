// SPDX-License-Identifier: Apache-2.0

// Package api is the one call table of Stationmaster: every call a program can
// make, with its number, its request and its reply. It is data only. The
// generator reads it and writes the codecs (internal/wire), the dispatch
// (internal/daemon), the Go client (client) and docs/CALLS.md. A new call is
// one row here, one method behind it and one conformance test.
//
// Fields of requests and replies may be bool, uint8, uint32, uint64,
// int32, int64, string, []byte, []string, []uint32, other structs of this
// package, slices of those, pointers to string (nil is kept apart from empty),
// and the named integer types of package win32. Integers travel little-endian
// in field order; strings, byte strings and slices have a uint32 length before
// them; a pointer has a presence byte.
package api

//go:generate go run ./gen -root ../..

import "reflect"

// Flags say how a call is run.
type Flags uint8

const (
	// Blocking calls may wait; they run beside the connection's other calls
	// and are answered later. Closing the connection cancels them.
	Blocking Flags = 1 << iota
	// Takeover calls turn the connection into a raw byte stream after the reply.
	Takeover
	// Files calls carry descriptors from the client (SCM_RIGHTS).
	Files
	// GivesFiles calls carry descriptors to the client with the reply.
	GivesFiles
)

// Call is one row of the table.
type Call struct {
	Op      uint16
	Name    string // Go method name in the client and the dispatch
	Win32   string // Win32 function it is, or "" for one of our own
	Flags   Flags
	Request reflect.Type // nil: no fields
	Reply   reflect.Type // nil: no fields
	Doc     string       // what it does, one or two sentences
	Rules   string       // rules of docs/spec, comma separated
}

// Version is the wire version that Hello exchanges. A client and a daemon with
// the same version understand each other; fields are only ever added at the
// end of a new version.
const Version = 1

// MaxRequest bounds the body of a request, MaxReply that of a reply, in bytes.
const (
	MaxRequest = 1 << 20
	MaxReply   = 64 << 20
)

// Table returns every call in ascending order of its number.
func Table() []Call {
	var all []Call
	for _, part := range [][]Call{connectionCalls, objectCalls, processCalls, tokenCalls, sessionCalls, serviceCalls, accountCalls, displayCalls, systemCalls, syncCalls, windowCalls} {
		all = append(all, part...)
	}
	return all
}

func of[T any]() reflect.Type { return reflect.TypeFor[T]() }
