// SPDX-License-Identifier: Apache-2.0

// Package security decides who may do what: security identifiers, tokens,
// access control lists, security descriptors, their text form SDDL, the access
// check and the assignment of descriptors to new objects.
//
// Everything in it is immutable once made and safe for use by any number of
// goroutines; a change gives a new value. It keeps no state of the machine,
// opens no file and knows nothing of objects, handles or processes: callers
// hand in a token, a descriptor and a generic mapping, and get a granted mask
// or a Win32 number.
//
// The rules are docs/spec/security.md: SE for identities, tokens, descriptors
// and the access check, SDDL for the text form. It may import win32 and the
// standard library.
package security
