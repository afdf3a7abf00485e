// SPDX-License-Identifier: Apache-2.0

// Package scm is the service manager: the database of services, their states,
// starting and stopping them in session 0 with the right account on the right
// window station, and the controls they are sent.
//
// Two kinds of program are services. One that speaks to the service manager
// calls StartServiceCtrlDispatcher, reports its status and asks for its next
// control. An unmodified one is marked Plain: it runs as soon as it was
// started, SIGTERM stops it and SIGKILL ends it when it does not.
//
// It may import win32, security, station, internal/object, internal/api,
// internal/logon and bbolt.
//
// Locks: Manager.mu guards the table of services and everything that says so
// in their fields. It is never held over the engine, the database, a file or a
// channel. Manager.starting is held by the one start that is under way, until
// the service it starts is no longer START_PENDING (SCM-32).
package scm
