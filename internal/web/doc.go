// SPDX-License-Identifier: Apache-2.0

// Package web is the console: the page in the browser, the HTTP API under /v1
// and the bridge from a WebSocket to a session's viewer. It is the only HTTP
// in the house.
//
// It runs as a service in session 0 under NetworkService and has no privilege
// of its own. A browser signs in with a one-time ticket that the operator made;
// the daemon gives this process a token of the ticket's subject, and every
// call made for that browser runs on a connection that impersonates that
// token. So each access check is the daemon's, made with the rights of the
// person, and this package decides only who a request belongs to.
//
// What it does decide: the Host header names this machine (DNS rebinding),
// Origin is our own on every request that changes something and on every
// WebSocket, cookies are HttpOnly and SameSite=Strict, and the page may load
// nothing from anywhere else. Cookies are not kept apart by port in any
// browser: a web server of somebody else on the same host name can be sent
// ours when it is visited. Sec-Fetch-Site keeps its pages out of the API; the
// cookie itself it would see. docs/security.md names that.
//
// It may import client, internal/api and win32 of this module, never station.
package web
