// SPDX-License-Identifier: Apache-2.0

// Package wts shows sessions as the WTS functions do: enumeration, facts, the
// user's token, message boxes and the calls that disconnect, connect and log
// off. Every right is checked against the session's descriptor with the
// caller's effective token (WTS-1 to WTS-3); what changes a session is done by
// internal/logon.
package wts
