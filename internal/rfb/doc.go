// SPDX-License-Identifier: Apache-2.0

// Package rfb is both ends of the picture's way: Serve shows a session to one
// viewer (any VNC program, or noVNC in a browser), and Backend reads the picture
// of a desktop's own X server into its frame.
//
// Neither side is trusted. A viewer may send anything; what comes from the X
// server may come from a program of the session's user that took its place. Every
// length, count, size and rectangle is bounded before memory or time is spent on
// it, and a fault ends that one connection and nothing else.
//
// Nothing runs while nothing changes: there is no ticker. A viewer has two
// goroutines, one that reads and one that waits for damage; a timer exists only
// while a change waits for its pace or a lossy area for its refresh.
//
// Who may view or type is decided before Serve is called; it offers security
// type None only. The package imports internal/surface, win32, its own encode, and
// the standard library.
package rfb
