// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"stationmaster/client"
	"stationmaster/internal/api"
)

// serveViewer accepts one VNC viewer on a Unix socket and joins it to a
// session.
func serveViewer(ctx context.Context, conn *client.Conn, session uint32, readOnly bool, path string, log io.Writer) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	fmt.Fprintf(log, "station: waiting for a VNC viewer on %s\n", path)
	viewer, err := l.Accept()
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer viewer.Close()
	l.Close()
	_, stream, err := conn.OpenViewer(ctx, api.OpenViewerRequest{SessionID: session, ReadOnly: readOnly})
	if err != nil {
		return err
	}
	defer stream.Close()
	stop2 := context.AfterFunc(ctx, func() { stream.Close(); viewer.Close() })
	defer stop2()
	done := make(chan error, 2)
	go func() { _, err := io.Copy(stream, viewer); stream.Close(); done <- err }()
	go func() { _, err := io.Copy(viewer, stream); viewer.Close(); done <- err }()
	err = <-done
	<-done
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

func marshalLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
