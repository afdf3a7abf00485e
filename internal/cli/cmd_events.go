// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
)

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "events", Short: "Show session and process events", Example: "  station events --follow", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.call(c, "read the events", func(ctx context.Context, conn *client.Conn) error {
				return a.follow(ctx, follow, func(after uint64, millis uint32) (uint64, int, error) {
					r, err := conn.ReadEvents(ctx, api.ReadLogRequest{After: after, Millis: millis})
					if err != nil {
						return after, 0, err
					}
					if r.Lost > 0 {
						fmt.Fprintf(a.err, "station: %d older events are gone\n", r.Lost)
					}
					for _, e := range r.Events {
						if a.json {
							if err := a.printLine(e); err != nil {
								return 0, 0, err
							}
							continue
						}
						fmt.Fprintf(a.out, "%s  %-20s session %d", when(e.Nanos), e.Kind, e.SessionID)
						if e.ProcessID != 0 {
							fmt.Fprintf(a.out, " pid %d", e.ProcessID)
						}
						fmt.Fprintf(a.out, "  %s\n", clean(strings.TrimSpace(e.Object+"  "+e.Text)))
					}
					return r.Next, len(r.Events), nil
				})
			})
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on as events happen")
	return cmd
}

func (a *app) auditCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "audit", Short: "Show refusals: who, what right, which object, which ACE decided; and accesses that an AUDIT ACE asks about", Example: "  station audit --follow", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.call(c, "read the audit log", func(ctx context.Context, conn *client.Conn) error {
				return a.follow(ctx, follow, func(after uint64, millis uint32) (uint64, int, error) {
					r, err := conn.ReadAudit(ctx, api.ReadLogRequest{After: after, Millis: millis})
					if err != nil {
						return after, 0, err
					}
					if r.Lost > 0 {
						fmt.Fprintf(a.err, "station: %d older records are gone\n", r.Lost)
					}
					for _, e := range r.Records {
						if a.json {
							if err := a.printLine(e); err != nil {
								return 0, 0, err
							}
							continue
						}
						who := e.UserName
						if who == "" {
							who = e.User
						}
						fmt.Fprintf(a.out, "%s  %s (session %d, pid %d) ", when(e.Nanos), clean(who), e.SessionID, e.ProcessID)
						if e.Code == 0 {
							fmt.Fprintf(a.out, "was granted %s %s: 0x%08x", e.Op, clean(e.Object), e.Granted)
						} else {
							fmt.Fprintf(a.out, "refused %s %s: wanted 0x%08x, had 0x%08x, error %d", e.Op, clean(e.Object), e.Desired, e.Granted, e.Code)
						}
						fmt.Fprintf(a.out, ", rule %s", e.Rule)
						if e.ACEText != "" {
							fmt.Fprintf(a.out, ": %s", clean(e.ACEText))
						}
						fmt.Fprintln(a.out)
					}
					return r.Next, len(r.Records), nil
				})
			})
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on as refusals happen")
	return cmd
}

// follow reads a log to its end or, when asked to go on, until interrupted.
func (a *app) follow(ctx context.Context, goOn bool, read func(after uint64, millis uint32) (next uint64, n int, err error)) error {
	after := uint64(0)
	for {
		millis := uint32(0)
		if goOn {
			millis = 30_000
		}
		next, n, err := read(after, millis)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if !goOn && n == 0 {
			return nil
		}
		after = next
	}
}

// printLine writes v as one line of JSON.
func (a *app) printLine(v any) error {
	b, err := marshalLine(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(b)
	return err
}
