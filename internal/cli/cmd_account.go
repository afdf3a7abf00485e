// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
)

func (a *app) accountCommand() *cobra.Command {
	var admin, stdin, noPassword bool
	var uid uint32
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add an account",
		Long: `Adds an account to the daemon's own store. When the daemon runs as root the
account is the Linux user of that name; if there is none, or with --uid, it gets
a Linux uid of its own.`,
		Example: "  station account add alice\n  station account add agent7 --no-password\n  echo secret | station account add boss --admin --password-stdin",
		Args:    wantArgs(1, 1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c, "add account "+args[0], func(ctx context.Context, conn *client.Conn) error {
				q := api.AddAccountRequest{Name: args[0], UID: uid, Admin: admin}
				if !noPassword {
					var err error
					if q.Password, err = a.password(stdin, "Password for "+args[0]+": "); err != nil {
						return err
					}
				}
				r, err := conn.AddAccount(ctx, q)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(r.Account)
				}
				fmt.Fprintf(a.out, "%s %s uid %d\n", r.Account.Name, r.Account.SID, r.Account.UID)
				return nil
			})
		},
	}
	add.Flags().BoolVar(&admin, "admin", false, "make it a member of Administrators")
	add.Flags().Uint32Var(&uid, "uid", 0, "Linux uid the account's programs run as")
	add.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	add.Flags().BoolVar(&noPassword, "no-password", false, "no password: only the operator can log it on")

	var pwStdin bool
	passwd := &cobra.Command{
		Use: "passwd NAME", Short: "Set an account's password", Args: wantArgs(1, 1, "NAME"),
		Long:    "Sets an account's password. Administrators need not know the old one; with\n--password-stdin the first line is the new one, or for the account itself the old\none and then the new one.",
		Example: "  station account passwd alice",
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c, "set the password of "+args[0], func(ctx context.Context, conn *client.Conn) error {
				q := api.SetPasswordRequest{Name: args[0]}
				var err error
				if conn.Hello().User != operatorSID {
					if q.Old, err = a.password(pwStdin, "Old password: "); err != nil {
						return err
					}
				}
				if q.New, err = a.password(pwStdin, "New password: "); err != nil {
					return err
				}
				return conn.SetAccountPassword(ctx, q)
			})
		},
	}
	passwd.Flags().BoolVar(&pwStdin, "password-stdin", false, "read passwords from standard input")

	return parent("account", "Add, list and remove accounts", "Works on the daemon's own account store.",
		add,
		&cobra.Command{
			Use: "list", Short: "List the accounts", Example: "  station account list", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return a.call(c, "list accounts", func(ctx context.Context, conn *client.Conn) error {
					r, err := conn.ListAccounts(ctx)
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(orEmpty(r.Accounts))
					}
					t := newTable("NAME", "SID", ">UID", "KIND")
					for _, x := range r.Accounts {
						kind := "user"
						if x.Admin {
							kind = "administrator"
						}
						if x.BuiltIn {
							kind += ", built-in"
						}
						if x.Disabled {
							kind += ", disabled"
						}
						t.add(x.Name, x.SID, x.UID, kind)
					}
					t.write(a.out)
					return nil
				})
			},
		},
		passwd,
		&cobra.Command{
			Use: "remove NAME", Short: "Remove an account that has no session", Example: "  station account remove alice", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c, "remove account "+args[0], func(ctx context.Context, conn *client.Conn) error {
					return conn.RemoveAccount(ctx, api.AccountRequest{Name: args[0]})
				})
			},
		},
	)
}
