// SPDX-License-Identifier: Apache-2.0

package display

import (
	"context"
	"errors"
	"net"

	"stationmaster/internal/surface"
)

// connect speaks RFB with an X server.
func connect(ctx context.Context, c net.Conn, f *surface.Frame) (Backend, error) {
	return nil, errors.New("no RFB client yet")
}
