// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
)

// tree asks for a session's window stations.
func (a *app) tree(ctx context.Context, conn *client.Conn, session string) (uint32, []api.WindowStation, error) {
	id, err := a.targetSession(ctx, conn, session)
	if err != nil {
		return 0, nil, err
	}
	r, err := conn.ListDesktops(ctx, api.SessionRequest{SessionID: id})
	return id, r.Stations, err
}

func (a *app) winstaCommand() *cobra.Command {
	var session string
	var rights bool
	list := &cobra.Command{
		Use: "list", Short: "List the window stations of a session", Example: "  station winsta list --session 0", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.call(c, "list window stations", func(ctx context.Context, conn *client.Conn) error {
				_, stations, err := a.tree(ctx, conn, session)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(orEmpty(stations))
				}
				if rights {
					t := newTable("WINDOW STATION", "DESCRIPTOR")
					for _, s := range stations {
						t.add(s.Name, s.SDDL)
					}
					t.write(a.out)
					return nil
				}
				t := newTable("WINDOW STATION", "INTERACTIVE", ">DESKTOPS", "LOGON SESSION", "USER")
				for _, s := range stations {
					interactive := "no"
					if s.Interactive {
						interactive = "yes"
					}
					logon := ""
					if s.LogonID != 0 {
						logon = fmt.Sprintf("0x%x:0x%x", s.LogonID>>32, uint32(s.LogonID))
					}
					t.add(s.Name, interactive, len(s.Desktops), logon, s.User)
				}
				t.write(a.out)
				return nil
			})
		},
	}
	list.Flags().BoolVar(&rights, "rights", false, "show the descriptors instead, as SDDL (station sd sets them)")
	create := &cobra.Command{
		Use: "create NAME", Short: "Create a window station in a session", Example: "  station winsta create Batch --session 0", Args: wantArgs(1, 1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c, "create window station "+args[0], func(ctx context.Context, conn *client.Conn) error {
				id, err := a.targetSession(ctx, conn, session)
				if err != nil {
					return err
				}
				return conn.CreateSessionStation(ctx, api.SessionDesktopRequest{SessionID: id, Station: args[0]})
			})
		},
	}
	p := parent("winsta", "List and create window stations", "Works on the window stations of a session.", list, create)
	p.PersistentFlags().StringVar(&session, "session", "", "id of the session (default the own one, or the console's)")
	return p
}
