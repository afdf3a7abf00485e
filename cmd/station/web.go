// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"stationmaster/client/svc"
	"stationmaster/internal/cli"
	"stationmaster/internal/layout"
	"stationmaster/internal/web"
	"stationmaster/win32"
)

func webCommand() *cobra.Command {
	var listen, service string
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Run the web console and the HTTP API",
		Long: `Runs the web console. It is a client of the daemon without any privilege: what it
does, it does with the token of who signed in. station serve runs it as a service
in session 0 under NetworkService; run by hand it works the same.`,
		Example: "  station web --listen 127.0.0.1:8470",
		Args:    cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, _ := c.Flags().GetString("dir")
			o := web.Options{
				Listen: listen, Socket: layout.Socket(dir),
				Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			}
			if service != "" {
				if err := svc.Run(service, &webService{ctx: c.Context(), o: o}); err != nil {
					return failed("cannot run as service %s: %w", service, err)
				}
				return nil
			}
			o.Ready = func(a net.Addr) { fmt.Fprintf(c.OutOrStdout(), "listening on http://%s\n", a) }
			if err := web.Main(c.Context(), o); err != nil {
				return failed("%w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "address to listen on")
	cmd.Flags().StringVar(&service, "service", "", "name of the service this process is")
	_ = cmd.Flags().MarkHidden("service")
	return cmd
}

// webService runs the console as a service.
type webService struct {
	ctx context.Context
	o   web.Options
}

// Execute implements svc.Handler.
func (w *webService) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	status <- svc.Status{State: svc.StartPending, WaitHint: 10_000}
	ready := make(chan net.Addr, 1)
	w.o.Ready = func(a net.Addr) { ready <- a }
	ended := make(chan error, 1)
	go func() { ended <- web.Main(ctx, w.o) }()
	for {
		select {
		case <-ready:
			status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
		case r := <-requests:
			switch r.Cmd {
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: 5_000}
				cancel()
			case svc.Interrogate:
				status <- r.CurrentStatus
			}
		case err := <-ended:
			if err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "station:", err)
				return false, uint32(win32.Code(err))
			}
			return false, 0
		}
	}
}

// failed gives an error that ends the program with code 1 and the message as
// it is.
func failed(format string, args ...any) error { return cli.Failed(fmt.Errorf(format, args...)) }
