// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show mode, isolation level and why, version and counts",
		Example: "  station status\n  station status --json | jq .Isolation",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.call(c, "show the status", func(ctx context.Context, conn *client.Conn) error {
				s, err := conn.Status(ctx)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(s)
				}
				line := func(name, format string, args ...any) {
					fmt.Fprintf(a.out, "%-12s %s\n", name, fmt.Sprintf(format, args...))
				}
				line("version", "%s, pid %d, up %s", s.Version, s.PID, time.Duration(s.UptimeSeconds)*time.Second)
				line("directory", "%s", s.Dir)
				line("mode", "%s", s.Mode)
				line("isolation", "%s", s.Isolation)
				if s.IsolationWhy != "" {
					line("", "not higher: %s", s.IsolationWhy)
				}
				for _, f := range s.Features {
					if !f.Available {
						line("", "no %s: %s", f.Name, f.Instead)
					}
				}
				if s.Xserver != "" {
					line("screens", "X desktops by %s", s.Xserver)
				} else {
					line("screens", "built-in only: %s", s.XserverWhy)
				}
				if s.ConsoleURL != "" {
					line("console", "%s", s.ConsoleURL)
				}
				line("sessions", "%d (%d taken over from an earlier daemon)", s.Sessions, s.Adopted)
				line("desktops", "%d", s.Desktops)
				line("processes", "%d", s.Processes)
				line("connections", "%d", s.Connections)
				return nil
			})
		},
	}
}

func (a *app) shutdownCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "shutdown",
		Short: "End the daemon and, unless told otherwise, every session",
		Long: `Ends the daemon. Users are logged off, the highest session first, then services
are stopped, then session 0 ends. With --keep-sessions only the daemon ends;
sessions, X servers and programs go on and the next daemon takes them over.`,
		Example: "  station shutdown\n  station shutdown --keep-sessions",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.call(c, "shut down", func(ctx context.Context, conn *client.Conn) error {
				return conn.Shutdown(ctx, api.ShutdownRequest{KeepSessions: keep})
			})
		},
	}
	cmd.Flags().BoolVar(&keep, "keep-sessions", false, "leave sessions and their programs running")
	return cmd
}
