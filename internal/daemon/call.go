// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"net"
	"os"

	"stationmaster/station"
	"stationmaster/win32"
)

// Call is one call under way.
type Call struct {
	// Thread is who calls.
	Thread *station.Thread
	// Peer is what the kernel says about the calling process.
	Peer Peer
	// Files came with the call. They are closed when the call ends.
	Files []*os.File

	give     []*os.File // set by Give
	server   *Server
	share    *share
	takeover func(ctx context.Context, c net.Conn) // set by Takeover
	after    func()                                // set by After
}

// After runs f once a blocking call's reply has been written, or could not be.
func (c *Call) After(f func()) { c.after = f }

// Give lets files travel to the client with the reply; they are closed here
// once it has been written. Only calls with the flag GivesFiles may.
func (c *Call) Give(files ...*os.File) { c.give = append(c.give, files...) }

// Takeover lets a takeover call say what becomes of the connection after its
// reply: serve gets it as a raw stream, with a context that ends when the
// daemon stops, and the connection is closed when serve returns.
func (c *Call) Takeover(serve func(ctx context.Context, c net.Conn)) { c.takeover = serve }

// bodyError says that a body is not what the table says; the connection that
// sent it is closed.
type bodyError struct {
	op  string
	err error
}

func (e *bodyError) Error() string {
	return fmt.Sprintf("%s: %s (%d): %v", e.op, win32.ERROR_INVALID_USER_BUFFER.Error(), uint32(win32.ERROR_INVALID_USER_BUFFER), e.err)
}

func (e *bodyError) Unwrap() error {
	return &win32.Error{Op: e.op, Code: win32.ERROR_INVALID_USER_BUFFER}
}

func badBody(op string, err error) error { return &bodyError{op, err} }

func errNoCall(op uint16) error {
	return &win32.Error{Op: "Call", Object: fmt.Sprint(op), Code: win32.ERROR_CALL_NOT_IMPLEMENTED}
}
