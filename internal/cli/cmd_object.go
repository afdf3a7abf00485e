// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

func (a *app) objectCommand() *cobra.Command {
	return parent("object", "List and show the object tree", "Works on the tree of named objects, such as \\Sessions\\1\\Windows\\WindowStations.",
		&cobra.Command{
			Use: "list [PATH]", Short: "List a directory of the object tree", Example: `  station object list '\Sessions\1'`, Args: wantArgs(0, 1, "[PATH]"),
			RunE: func(c *cobra.Command, args []string) error {
				path := `\`
				if len(args) == 1 {
					path = args[0]
				}
				return a.call(c, "list "+path, func(ctx context.Context, conn *client.Conn) error {
					r, err := conn.ListObjects(ctx, api.PathRequest{Path: path})
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(orEmpty(r.Objects))
					}
					t := newTable("NAME", "TYPE", "TARGET")
					for _, o := range r.Objects {
						t.add(o.Name, o.Type, o.Target)
					}
					t.write(a.out)
					if r.Left > 0 {
						fmt.Fprintf(a.err, "station: %d more entries are left out\n", r.Left)
					}
					return nil
				})
			},
		},
		&cobra.Command{
			Use: "show PATH", Short: "Show one object", Example: `  station object show '\Sessions\1\Windows\WindowStations\WinSta0'`, Args: wantArgs(1, 1, "PATH"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c, "show "+args[0], func(ctx context.Context, conn *client.Conn) error {
					r, err := conn.ShowObject(ctx, api.PathRequest{Path: args[0]})
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(r.Object)
					}
					o := r.Object
					line := func(name, value string) {
						if value != "" {
							fmt.Fprintf(a.out, "%-12s %s\n", name, clean(value))
						}
					}
					line("path", o.Path)
					line("type", o.Type)
					line("target", o.Target)
					line("descriptor", o.SDDL)
					line("handles", fmt.Sprint(o.Handles))
					for _, f := range o.Facts {
						line(f.Name, f.Value)
					}
					return nil
				})
			},
		},
	)
}

func (a *app) sdCommand() *cobra.Command {
	return parent("sd", "Show and set security descriptors", "Descriptors are told in SDDL.",
		&cobra.Command{
			Use: "show PATH", Short: "Show the security descriptor of an object", Example: `  station sd show '\Sessions\1\Windows\WindowStations\WinSta0\Default'`, Args: wantArgs(1, 1, "PATH"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c, "show the descriptor of "+args[0], func(ctx context.Context, conn *client.Conn) error {
					r, err := conn.ShowObject(ctx, api.PathRequest{Path: args[0]})
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(struct{ Path, SDDL string }{r.Object.Path, r.Object.SDDL})
					}
					fmt.Fprintln(a.out, r.Object.SDDL)
					return nil
				})
			},
		},
		&cobra.Command{
			Use: "set PATH SDDL", Short: "Replace the parts of a security descriptor that the SDDL names; open handles keep their rights",
			Example: `  station sd set '\Sessions\1\Windows\WindowStations\WinSta0' 'D:(A;;0xf037f;;;SY)'`, Args: wantArgs(2, 2, "PATH SDDL"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c, "set the descriptor of "+args[0], func(ctx context.Context, conn *client.Conn) error {
					err := conn.SetObjectSecurity(ctx, api.SetObjectSecurityRequest{Path: args[0], SDDL: args[1]})
					if errors.Is(err, win32.ERROR_INVALID_PARAMETER) {
						return cannot(fmt.Sprintf("set the descriptor of %s to %q, which is no SDDL such as 'D:(A;;GA;;;SY)'", args[0], args[1]), err)
					}
					return err
				})
			},
		},
	)
}
