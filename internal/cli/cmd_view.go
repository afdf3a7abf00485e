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
	"slices"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
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

func (a *app) viewCommand() *cobra.Command {
	var unix, user string
	var readOnly, automation bool
	cmd := &cobra.Command{
		Use:   "view [ID]",
		Short: "Print a one-time address of the console, or serve one VNC viewer",
		Long: `Prints an address that signs one browser in to the web console, with the given
session chosen. With --unix PATH it serves one VNC viewer on a Unix socket
instead and ends when that viewer leaves.

The address holds a ticket, good once. A script can redeem it, too, for a bearer
token at POST /v1/signin; with --automation what comes by it is no person's: message
boxes and Winlogon take no input from it.`,
		Example: "  station view 1\n  station view 1 --unix /tmp/alice.vnc & vncviewer /tmp/alice.vnc\n  station view --automation",
		Args:    wantArgs(0, 1, "[ID]"),
		RunE: func(c *cobra.Command, args []string) error {
			id := uint32(0)
			if len(args) == 1 {
				var err error
				if id, err = parseSession(args[0]); err != nil {
					return err
				}
			}
			return a.call(c, "open a view", func(ctx context.Context, conn *client.Conn) error {
				if len(args) == 1 {
					r, err := conn.WTSEnumerateSessions(ctx)
					if err != nil {
						return err
					}
					if !slices.ContainsFunc(r.Sessions, func(s api.Session) bool { return s.ID == id }) {
						return cannot("open a view of session "+args[0], win32.ERROR_CTX_WINSTATION_NOT_FOUND)
					}
				}
				if unix != "" {
					if len(args) == 0 {
						return usagef("say which session to serve: station view ID --unix %s", unix)
					}
					return serveViewer(ctx, conn, id, readOnly, unix, a.err)
				}
				s, err := conn.Status(ctx)
				if err != nil {
					return err
				}
				if s.ConsoleURL == "" {
					return &exitError{code: exitRefused, text: "cannot open a view: no web console runs; start `station serve --listen 127.0.0.1:8470` or use --unix"}
				}
				t, err := conn.CreateTicket(ctx, api.CreateTicketRequest{Subject: user, Person: !automation})
				if err != nil {
					return err
				}
				url := s.ConsoleURL + "/signin?ticket=" + t.Ticket
				if len(args) == 1 {
					url += fmt.Sprintf("#session=%d", id)
				}
				if a.json {
					return a.printJSON(struct{ URL string }{url})
				}
				fmt.Fprintln(a.out, url)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&unix, "unix", "", "serve one VNC viewer on this Unix socket")
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "take no input from the viewer")
	cmd.Flags().BoolVar(&automation, "automation", false, "make the ticket for a program, not for a person")
	cmd.Flags().StringVar(&user, "user", "", "account that the browser gets the rights of (default: whoever runs the daemon)")
	_ = cmd.MarkFlagFilename("unix")
	return cmd
}
