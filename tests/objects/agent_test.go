// SPDX-License-Identifier: Apache-2.0

// Package objects tests named objects, waits and shared memory between real
// processes of two sessions and a service, through the daemon.
package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"stationmaster/client"
	"stationmaster/win32"
)

// view asks the agent to map a section and write to it, or read it.
type view struct {
	Handle win32.Handle
	Access win32.AccessMask
	Write  string
	Length int
	Force  bool // map for writing whatever the access is
}

// mapView maps a section and writes to it, or reads it.
func mapView(ctx context.Context, c *client.Conn, request json.RawMessage) (any, error) {
	var v view
	if err := json.Unmarshal(request, &v); err != nil {
		return nil, err
	}
	r, files, err := c.MapViewOfFile(ctx, client.MapViewRequest{Handle: v.Handle, Access: v.Access})
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("%d files came", len(files))
	}
	defer files[0].Close()
	prot := unix.PROT_READ
	if v.Force || v.Access&win32.SECTION_MAP_WRITE != 0 {
		prot |= unix.PROT_WRITE
	}
	mem, err := unix.Mmap(int(files[0].Fd()), 0, int(r.Size), prot, unix.MAP_SHARED)
	if err != nil {
		if errors.Is(err, unix.EACCES) {
			err = win32.ERROR_ACCESS_DENIED
		}
		return nil, fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(mem)
	copy(mem, v.Write)
	return string(mem[:v.Length]), nil
}
