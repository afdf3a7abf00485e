// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

// ownSession stands for "the caller's own session" on the wire.
const ownSession = win32.WTS_CURRENT_SESSION

// operatorSID is what the daemon takes whoever runs it for.
const operatorSID = "S-1-5-18"

func parseSession(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, usagef("%q is not a session id (see `station session list`)", s)
	}
	return uint32(n), nil
}

// password reads a password: from standard input when asked to, else from the
// terminal without echo.
func (a *app) password(stdin bool, prompt string) (string, error) {
	if stdin {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usagef("no terminal to ask for the password; use --password-stdin")
	}
	fmt.Fprint(a.err, prompt)
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return string(b), nil
}

func (a *app) logonCommand() *cobra.Command {
	var stdin, fresh bool
	var surface, size string
	cmd := &cobra.Command{
		Use:   "logon USER",
		Short: "Log a user on and print the id of the session",
		Long: `Logs a user on. A session the user already has and that is disconnected is
reconnected; else the console's logon screen is taken over if nobody is logged on
there; else a new session is made. --new always makes a new one.

Whoever runs the daemon logs users on without a password, unless one is given.`,
		Example: "  station logon alice\n  station logon bob --new --password-stdin < secret",
		Args:    wantArgs(1, 1, "USER"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c, "log on "+args[0], func(ctx context.Context, conn *client.Conn) error {
				if !knownSurface(surface) {
					return usagef("--surface is x11 or builtin, not %q", surface)
				}
				q := api.LogonSessionRequest{User: args[0], New: fresh, Surface: surface}
				if size != "" {
					w, h, err := parseSize(size)
					if err != nil {
						return err
					}
					q.Width, q.Height = w, h
				}
				if !stdin && conn.Hello().User == operatorSID {
					q.NoPassword = true
				} else {
					var err error
					if q.Password, err = a.password(stdin, "Password of "+args[0]+": "); err != nil {
						return err
					}
				}
				r, err := conn.LogonSession(ctx, q)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(r)
				}
				fmt.Fprintln(a.out, r.SessionID)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().BoolVar(&fresh, "new", false, "make a new session even if the user has one")
	cmd.Flags().StringVar(&surface, "surface", "", "what the Default desktop draws on: x11 or builtin")
	cmd.Flags().StringVar(&size, "size", "", "size of the Default desktop, such as 1280x800")
	return cmd
}

// knownSurface reports whether a --surface is one there is; empty is the default.
func knownSurface(s string) bool { return s == "" || s == "x11" || s == "builtin" }

func parseSize(s string) (w, h uint32, err error) {
	var n int
	if n, err = fmt.Sscanf(s, "%dx%d", &w, &h); err != nil || n != 2 || w == 0 || h == 0 || fmt.Sprintf("%dx%d", w, h) != s {
		return 0, 0, usagef("%q is not a size; write it as 1280x800", s)
	}
	return w, h, nil
}

func (a *app) sessionCommand() *cobra.Command {
	simple := func(use, short, example, action string, do func(ctx context.Context, conn *client.Conn, id uint32) error) *cobra.Command {
		return &cobra.Command{
			Use: use + " [ID]", Short: short, Example: example, Args: wantArgs(0, 1, "[ID]"),
			RunE: func(c *cobra.Command, args []string) error {
				id, what := ownSession, "the session this command runs in (no ID was given)"
				if len(args) == 1 {
					var err error
					if id, err = parseSession(args[0]); err != nil {
						return err
					}
					what = "session " + args[0]
				}
				return a.call(c, action+" "+what, func(ctx context.Context, conn *client.Conn) error {
					return do(ctx, conn, id)
				})
			},
		}
	}
	var stdin bool
	unlock := simple("unlock", "Unlock a session with the password of its user", "  station session unlock 1 --password-stdin < secret", "unlock",
		func(ctx context.Context, conn *client.Conn, id uint32) error {
			pw, err := a.password(stdin, "Password: ")
			if err != nil {
				return err
			}
			return conn.UnlockSession(ctx, api.UnlockSessionRequest{SessionID: id, Password: pw})
		})
	unlock.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	var connectStdin bool
	connect := simple("connect", "Give a disconnected session a terminal again", "  station session connect 2", "connect",
		func(ctx context.Context, conn *client.Conn, id uint32) error {
			q := api.ConnectSessionRequest{SessionID: id, Target: ownSession}
			if connectStdin {
				var err error
				if q.Password, err = a.password(true, ""); err != nil {
					return err
				}
			}
			return conn.WTSConnectSession(ctx, q)
		})
	connect.Flags().BoolVar(&connectStdin, "password-stdin", false, "read the password of the session's user from standard input")
	return parent("session", "List, log off, disconnect, connect, lock and unlock sessions",
		"Works on the sessions of this host, as query session, logoff, tsdiscon and tscon do.\nWithout ID the session that the command itself runs in is meant.",
		&cobra.Command{
			Use: "list", Short: "List the sessions", Example: "  station session list\n  station session list --json", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return a.call(c, "list sessions", func(ctx context.Context, conn *client.Conn) error {
					r, err := conn.WTSEnumerateSessions(ctx)
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(orEmpty(r.Sessions))
					}
					t := newTable("SESSION", ">ID", "STATE", "USER", "INPUT DESKTOP", ">PROCESSES", ">VIEWERS")
					for _, s := range r.Sessions {
						state := s.State.String()
						if s.Locked {
							state += ",locked"
						}
						t.add(strings.ToLower(s.Name), s.ID, state, s.User, s.InputDesktop, s.ProcessCount, s.Viewers)
					}
					t.write(a.out)
					return nil
				})
			},
		},
		simple("logoff", "End a session and every program in it", "  station session logoff 2", "log off",
			func(ctx context.Context, conn *client.Conn, id uint32) error {
				return conn.WTSLogoffSession(ctx, api.SessionWaitRequest{SessionID: id, Wait: true})
			}),
		simple("disconnect", "Take the terminal away; programs run on", "  station session disconnect 2", "disconnect",
			func(ctx context.Context, conn *client.Conn, id uint32) error {
				return conn.WTSDisconnectSession(ctx, api.SessionWaitRequest{SessionID: id, Wait: true})
			}),
		connect,
		simple("lock", "Lock a session", "  station session lock 1", "lock",
			func(ctx context.Context, conn *client.Conn, id uint32) error {
				return conn.LockSession(ctx, api.SessionRequest{SessionID: id})
			}),
		unlock,
	)
}

// orEmpty keeps an empty list `[]` in JSON.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
