// SPDX-License-Identifier: Apache-2.0

// Package daemon is the call plane: it listens on the call socket, finds out
// from the kernel who is calling, binds each connection to a thread of the
// engine, decodes calls, runs them and answers. It decides nothing about
// objects: a handler is a few lines around a method of station.Thread or of a
// subsystem, which it sees through the interfaces of services.go.
//
// Goroutines: one accepts; each connection has one that reads its calls and
// runs those that do not wait, in order; a call that may wait has one of its
// own, owned by its connection; each process that calls and was not started by
// the engine has one that waits for its end. Close waits for all of them.
//
// Locks: Server.mu, then conn.mu; conn.wmu alone while a reply is written. None
// is held over a call.
package daemon
