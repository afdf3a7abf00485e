// SPDX-License-Identifier: Apache-2.0

// Package surface is what desktops are drawn on: the framebuffer with damage
// per viewer (Frame), the drawing of the session manager's own windows
// (message boxes, the secure screens, notices), and the Compositor that lays
// them over the picture of an X server.
//
// It is not a toolkit for programs, knows no session, desktop or process and
// opens nothing. It imports win32, the standard library and golang.org/x/image.
package surface
