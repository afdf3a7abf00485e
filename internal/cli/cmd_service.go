// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
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
