// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

var serviceStates = map[uint32]string{
	win32.SERVICE_STOPPED: "stopped", win32.SERVICE_START_PENDING: "start pending", win32.SERVICE_STOP_PENDING: "stop pending",
	win32.SERVICE_RUNNING: "running", win32.SERVICE_CONTINUE_PENDING: "continue pending",
	win32.SERVICE_PAUSE_PENDING: "pause pending", win32.SERVICE_PAUSED: "paused",
}

var startTypes = map[string]uint32{
	"auto": win32.SERVICE_AUTO_START, "demand": win32.SERVICE_DEMAND_START, "disabled": win32.SERVICE_DISABLED,
}

// withService opens the service database and a service for fn.
func (a *app) withService(c *cobra.Command, action, name string, access win32.AccessMask, fn func(ctx context.Context, conn *client.Conn, service win32.Handle) error) error {
	return a.call(c, action+" service "+name, func(ctx context.Context, conn *client.Conn) error {
		m, err := conn.OpenSCManager(ctx, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT})
		if err != nil {
			return err
		}
		s, err := conn.OpenService(ctx, api.OpenServiceRequest{Manager: m.Handle, Name: name, Access: access})
		if err != nil {
			return err
		}
		err = fn(ctx, conn, s.Handle)
		// Closed here and not by the end of this process, so that a service
		// marked for deletion is gone when the command returns.
		return errors.Join(err, conn.CloseHandle(ctx, api.HandleRequest{Handle: s.Handle}))
	})
}

func (a *app) serviceCommand() *cobra.Command {
	var account, display, start, description string
	var plain, interactive, stdin bool
	var depends, env []string
	create := &cobra.Command{
		Use:   "create NAME [flags] -- PROGRAM [ARG …]",
		Short: "Add a service",
		Long: `Adds a service. Its program runs in session 0 under LocalSystem, or under
--account: "NT AUTHORITY\LocalService", "NT AUTHORITY\NetworkService" or ".\name".
A program that does not talk to the service manager is added with --plain: it is
running as soon as it has started, and SIGTERM stops it.`,
		Example: "  station service create clock --plain -- /usr/bin/sleep infinity\n  station service create asker --account '.\\svc' --password-stdin -- /opt/asker < secret",
		Args:    wantArgs(2, -1, "NAME [flags] -- PROGRAM [ARG …]"),
		RunE: func(c *cobra.Command, args []string) error {
			startType, ok := startTypes[start]
			if !ok {
				return usagef("--start is auto, demand or disabled, not %q", start)
			}
			return a.call(c, "create service "+args[0], func(ctx context.Context, conn *client.Conn) error {
				q := api.CreateServiceRequest{Name: args[0], DisplayName: display, Access: win32.SERVICE_ALL_ACCESS,
					Type: win32.SERVICE_WIN32_OWN_PROCESS, StartType: startType, ErrorControl: 1,
					BinaryPath: quoteWords(args[1:]), Account: account, Depends: depends, Description: description, Plain: plain, Env: env}
				if interactive {
					q.Type |= win32.SERVICE_INTERACTIVE_PROCESS
				}
				var err error
				if stdin {
					if q.Password, err = a.password(true, ""); err != nil {
						return err
					}
				}
				m, err := conn.OpenSCManager(ctx, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT | win32.SC_MANAGER_CREATE_SERVICE})
				if err != nil {
					return err
				}
				q.Manager = m.Handle
				_, err = conn.CreateService(ctx, q)
				return err
			})
		},
	}
	create.Flags().StringVar(&account, "account", "", "account it runs under (default LocalSystem)")
	create.Flags().StringVar(&display, "display-name", "", "name people read")
	create.Flags().StringVar(&start, "start", "demand", "auto, demand or disabled")
	create.Flags().StringVar(&description, "description", "", "what it is for")
	create.Flags().BoolVar(&plain, "plain", false, "the program does not talk to the service manager")
	create.Flags().BoolVar(&interactive, "interactive", false, "SERVICE_INTERACTIVE_PROCESS (LocalSystem only)")
	create.Flags().BoolVar(&stdin, "password-stdin", false, "read the account's password from standard input")
	create.Flags().StringSliceVar(&depends, "depends", nil, "services that start first")
	create.Flags().StringArrayVar(&env, "env", nil, "KEY=VALUE for its environment; may be repeated")
	create.Flags().SetInterspersed(true)

	printStatus := func(name string, s api.ServiceStatus) error {
		if a.json {
			return a.printJSON(s)
		}
		fmt.Fprintf(a.out, "%s: %s", name, serviceStates[s.State])
		if s.ProcessID != 0 {
			fmt.Fprintf(a.out, ", pid %d", s.ProcessID)
		}
		if s.State == win32.SERVICE_STOPPED && s.Win32ExitCode != 0 {
			fmt.Fprintf(a.out, ", %s (%d)", win32.Errno(s.Win32ExitCode).Error(), s.Win32ExitCode)
		}
		fmt.Fprintln(a.out)
		return nil
	}

	return parent("service", "Create, start, stop, query, list and delete services", "The words of sc.",
		create,
		&cobra.Command{
			Use: "start NAME [ARG …]", Short: "Start a service", Example: "  station service start clock", Args: wantArgs(1, -1, "NAME [ARG …]"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.withService(c, "start", args[0], win32.SERVICE_START|win32.SERVICE_QUERY_STATUS, func(ctx context.Context, conn *client.Conn, h win32.Handle) error {
					if err := conn.StartService(ctx, api.StartServiceRequest{Service: h, Args: args[1:]}); err != nil {
						return err
					}
					return awaitService(ctx, conn, h, win32.SERVICE_START_PENDING, win32.SERVICE_RUNNING)
				})
			},
		},
		&cobra.Command{
			Use: "stop NAME", Short: "Stop a service", Example: "  station service stop clock", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.withService(c, "stop", args[0], win32.SERVICE_STOP|win32.SERVICE_QUERY_STATUS, func(ctx context.Context, conn *client.Conn, h win32.Handle) error {
					if _, err := conn.ControlService(ctx, api.ControlServiceRequest{Service: h, Control: win32.SERVICE_CONTROL_STOP}); err != nil {
						return err
					}
					return awaitService(ctx, conn, h, win32.SERVICE_STOP_PENDING, win32.SERVICE_STOPPED)
				})
			},
		},
		&cobra.Command{
			Use: "query NAME", Short: "Show a service's state", Example: "  station service query clock", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.withService(c, "query", args[0], win32.SERVICE_QUERY_STATUS, func(ctx context.Context, conn *client.Conn, h win32.Handle) error {
					r, err := conn.QueryServiceStatus(ctx, api.HandleRequest{Handle: h})
					if err != nil {
						return err
					}
					return printStatus(args[0], r.Status)
				})
			},
		},
		&cobra.Command{
			Use: "config NAME", Short: "Show a service's configuration", Example: "  station service config clock --json", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.withService(c, "show the configuration of", args[0], win32.SERVICE_QUERY_CONFIG, func(ctx context.Context, conn *client.Conn, h win32.Handle) error {
					r, err := conn.QueryServiceConfig(ctx, api.HandleRequest{Handle: h})
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(r.Config)
					}
					s := r.Config
					for _, row := range [][2]string{{"name", s.Name}, {"display name", s.DisplayName}, {"program", s.BinaryPath},
						{"account", s.Account}, {"desktop", s.WindowStation}, {"depends", strings.Join(s.Depends, ", ")}, {"description", s.Description}} {
						fmt.Fprintf(a.out, "%-13s %s\n", row[0], clean(row[1]))
					}
					return nil
				})
			},
		},
		&cobra.Command{
			Use: "log NAME", Short: "Show what a service's program printed", Example: "  station service log clock", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.withService(c, "read the log of", args[0], win32.SERVICE_START, func(ctx context.Context, conn *client.Conn, h win32.Handle) error {
					r, err := conn.ServiceLog(ctx, api.ServiceLogRequest{Service: h})
					if err != nil {
						return err
					}
					_, err = a.out.Write(r.Data)
					return err
				})
			},
		},
		&cobra.Command{
			Use: "list", Short: "List the services", Example: "  station service list", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return a.call(c, "list services", func(ctx context.Context, conn *client.Conn) error {
					m, err := conn.OpenSCManager(ctx, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT | win32.SC_MANAGER_ENUMERATE_SERVICE})
					if err != nil {
						return err
					}
					r, err := conn.EnumServicesStatus(ctx, api.HandleRequest{Handle: m.Handle})
					if err != nil {
						return err
					}
					if a.json {
						return a.printJSON(orEmpty(r.Services))
					}
					t := newTable("SERVICE", "STATE", ">PID", "ACCOUNT", "WINDOW STATION")
					for _, s := range r.Services {
						pid := ""
						if s.Status.ProcessID != 0 {
							pid = fmt.Sprint(s.Status.ProcessID)
						}
						t.add(s.Name, serviceStates[s.Status.State], pid, s.Account, s.Station)
					}
					t.write(a.out)
					return nil
				})
			},
		},
		&cobra.Command{
			Use: "delete NAME", Short: "Mark a service for deletion", Example: "  station service delete clock", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.withService(c, "delete", args[0], win32.DELETE, func(ctx context.Context, conn *client.Conn, h win32.Handle) error {
					return conn.DeleteService(ctx, api.HandleRequest{Handle: h})
				})
			},
		},
	)
}

// serviceWait bounds how long start and stop wait for a service to get there.
const serviceWait = 60 * time.Second

// awaitService waits while a service is in a pending state, and makes an error
// of any other state than the wanted one.
func awaitService(ctx context.Context, conn *client.Conn, service win32.Handle, pending, want uint32) error {
	ctx, cancel := context.WithTimeout(ctx, serviceWait)
	defer cancel()
	for {
		r, err := conn.QueryServiceStatus(ctx, api.HandleRequest{Handle: service})
		if err != nil {
			return err
		}
		switch st := r.Status; st.State {
		case want:
			return nil
		case pending:
		case win32.SERVICE_STOPPED:
			if st.Win32ExitCode == 0 {
				return nil // it has done its work already
			}
			return win32.Errno(st.Win32ExitCode)
		default:
			return fmt.Errorf("it is %s", serviceStates[st.State])
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return win32.ERROR_SERVICE_REQUEST_TIMEOUT
		}
	}
}

// quoteWords joins a command line so that the daemon splits it into the same words.
func quoteWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if w != "" && !strings.ContainsAny(w, " \t\n\"'\\$`") {
			out[i] = w
			continue
		}
		out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}

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
		Use: "audit", Short: "Show refusals: who, what right, which object, which ACE decided", Example: "  station audit --follow", Args: noArgs,
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
						fmt.Fprintf(a.out, "%s  %s (session %d, pid %d) refused %s %s: wanted 0x%08x, had 0x%08x, error %d, rule %s",
							when(e.Nanos), clean(who), e.SessionID, e.ProcessID, e.Op, clean(e.Object), e.Desired, e.Granted, e.Code, e.Rule)
						if e.ACE >= 0 {
							fmt.Fprintf(a.out, ", by ACE %d %s", e.ACE, clean(e.ACEText))
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
					return &exitError{exitRefused, "cannot open a view: no web console runs; start `station serve --listen 127.0.0.1:8470` or use --unix"}
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
