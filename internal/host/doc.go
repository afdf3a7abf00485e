// SPDX-License-Identifier: Apache-2.0

// Package host starts and kills the real Linux processes of sessions. It is
// the implementation of station.Host with namespaces, cgroups, uids, Landlock
// and pidfds; the in-memory one is station.NewMemoryHost.
//
// Each session has one holder: the same binary under the hidden verb
// `station holder`, PID 1 of the session's namespaces. It outlives the daemon:
// it spawns, reaps, keeps exit statuses, and answers over a Unix socket that
// only the daemon can reach. Only one of its threads forks, and that thread
// alone has given up what programs must not have (see confine.go), so every
// program inherits the confinement and no exec shim is needed.
//
// What a machine cannot give is probed by doing it once, named in Isolation
// and never replaced silently.
//
// The package is not for deciding who may start what: that is the engine's.
// It may import station (the seam), golang.org/x/sys/unix,
// golang.org/x/net/bpf and the standard library.
//
// Locks: Host.mu and Session.mu are never held over a system call that can
// block, and Session.mu is never taken before Host.mu is released.
package host
