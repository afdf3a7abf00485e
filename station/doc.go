// SPDX-License-Identifier: Apache-2.0

// Package station is the engine: sessions, window stations, desktops,
// processes, threads, their handles and the rules by which they meet. It
// decides; it never does I/O. What it needs from the machine comes through two
// seams, Host (starts and kills processes) and Surface (what a desktop draws
// on), each with an in-memory and a real implementation.
//
// It may import win32, security, internal/object, internal/lockrank and the
// standard library without net and os/exec.
//
// Locks, outermost first:
//
//	Engine.mu            session table, Global\ directory, ID allocators
//	  Session.mu         all of one session; two only by ascending session ID
//	    object           handle table, directory: one object's own
//	      dispatch       signal state and wait list of one object; several by ascending number
//	      Queue.mu       one thread's messages; never two
//
// No lock is held over I/O, a Host or Surface call, a callback or a channel
// send that can block. What is slow is decided under the lock, done outside
// it, committed under it again; the state in between has a name.
package station
