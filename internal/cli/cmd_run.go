// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

func (a *app) runCommand() *cobra.Command {
	var session, desktop, workdir, compat string
	var detach bool
	var env []string
	cmd := &cobra.Command{
		Use:   "run [--session ID] [--desktop 'STATION\\DESKTOP'] [--detach] -- CMD [ARG …]",
		Short: "Run a program in a session (CreateProcessAsUser)",
		Long: `Runs a program in a session with the token of the user logged on there, on its
WinSta0\Default unless --desktop says otherwise. The program gets this command's
standard input, output and error; signals are passed on; the exit code is the
program's. With --detach it goes on by itself and its process id is printed.

Without --session the caller's own session is meant; outside every session the
console session.`,
		Example: "  station run --session 1 -- xterm\n  station run --session 1 --desktop 'WinSta0\\Work' --detach -- firefox\n  station run --session 2 -- sh -c 'echo $DISPLAY'",
		Args:    wantArgs(1, -1, "[flags] -- CMD [ARG …]"),
		RunE: func(c *cobra.Command, args []string) error {
			if compat != "" && compat != "xp" {
				return usagef("--compat knows xp, not %q", compat)
			}
			conn, err := a.connect(c)
			if err != nil {
				return cannot("run "+args[0], err)
			}
			defer conn.Close()
			q := api.CreateProcessRequest{Path: args[0], Args: args, Dir: workdir, Env: env, CompatXP: compat == "xp"}
			id, err := a.targetSession(c.Context(), conn, session)
			if err != nil {
				return err
			}
			if c.Flags().Changed("desktop") {
				q.Desktop = &desktop
			}
			own := id == conn.Hello().SessionID
			// In mode shared session 0 has a user, too, and the operator outside
			// every session is counted to it.
			shared := own && id == 0 && session != "" && conn.Hello().Mode == "shared"
			if !own || shared {
				token, err := conn.WTSQueryUserToken(c.Context(), api.SessionRequest{SessionID: id})
				if err != nil && shared {
					return a.spawn(c.Context(), conn, q, detach) // nobody is logged on, or the caller is a program of the session
				}
				if errors.Is(err, win32.ERROR_FILE_NOT_FOUND) { // so WTS-20; the program is not meant
					err = win32.ERROR_CTX_WINSTATION_NOT_FOUND
				}
				if err != nil {
					return cannot(fmt.Sprintf("run %s in session %d", args[0], id), err)
				}
				q.Token = token.Handle
				if q.Desktop == nil {
					d := `WinSta0\Default`
					q.Desktop = &d
				}
			}
			return a.spawn(c.Context(), conn, q, detach)
		},
	}
	cmd.Flags().StringVar(&session, "session", "", "id of the session")
	cmd.Flags().StringVar(&desktop, "desktop", "", `window station and desktop, such as WinSta0\Default`)
	cmd.Flags().BoolVar(&detach, "detach", false, "print the process id and leave the program running")
	cmd.Flags().StringVar(&workdir, "workdir", "", "working directory inside the session (default the user's home)")
	cmd.Flags().StringArrayVar(&env, "env", nil, "KEY=VALUE to add to the program's environment; may be repeated")
	cmd.Flags().StringVar(&compat, "compat", "", "xp: plain names of the program's objects are global ones, as in session 0 of Windows XP")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// targetSession finds the session a command means.
func (a *app) targetSession(ctx context.Context, conn *client.Conn, flag string) (uint32, error) {
	if flag != "" {
		return parseSession(flag)
	}
	if own := conn.Hello().SessionID; own != 0 {
		return own, nil
	}
	console, err := conn.GetActiveConsoleSession(ctx)
	if err != nil {
		return 0, cannot("find the console session", err)
	}
	if console.SessionID == win32.WTS_CURRENT_SESSION {
		return 0, usagef("no session is on the console; say which with --session")
	}
	return console.SessionID, nil
}

// spawn starts a program and, unless detached, stays until it ends.
func (a *app) spawn(ctx context.Context, conn *client.Conn, q api.CreateProcessRequest, detach bool) error {
	var files []*os.File
	if !detach {
		files = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	}
	p, err := conn.CreateProcess(ctx, q, files...)
	if err != nil {
		return cannot("run "+q.Path, err)
	}
	if detach {
		if a.json {
			return a.printJSON(p)
		}
		fmt.Fprintln(a.out, p.ProcessID)
		return nil
	}
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(sigs)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-sigs:
				// A failure means that the program has just ended, which the wait below tells.
				_ = conn.SignalProcess(ctx, api.SignalProcessRequest{Process: p.Process, Signal: uint32(s.(syscall.Signal))})
			case <-done:
				return
			}
		}
	}()
	if _, err := conn.WaitForSingleObject(context.WithoutCancel(ctx), api.WaitRequest{Handle: p.Process, Millis: 0xFFFFFFFF}); err != nil {
		return cannot("wait for "+q.Path, err)
	}
	end, err := conn.GetExitCodeProcess(ctx, api.HandleRequest{Handle: p.Process})
	if err != nil {
		return cannot("learn how "+q.Path+" ended", err)
	}
	if end.Code == win32.STATUS_DLL_INIT_FAILED {
		return &exitError{128, fmt.Sprintf("%s could not connect to its window station or desktop (0x%x); `station events` says why", q.Path, end.Code)}
	}
	if end.Code != 0 {
		return &exitError{int(end.Code & 0xff), ""}
	}
	return nil
}

func (a *app) psCommand() *cobra.Command {
	var session string
	cmd := &cobra.Command{
		Use: "ps", Short: "List processes with session, window station, desktop and user", Args: noArgs,
		Example: "  station ps\n  station ps --session 1 --json",
		RunE: func(c *cobra.Command, _ []string) error {
			id := win32.WTS_ANY_SESSION
			if session != "" {
				var err error
				if id, err = parseSession(session); err != nil {
					return err
				}
			}
			return a.call(c, "list processes", func(ctx context.Context, conn *client.Conn) error {
				r, err := conn.EnumProcesses(ctx, api.SessionRequest{SessionID: id})
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(orEmpty(r.Processes))
				}
				t := newTable(">SESSION", ">PID", "USER", "DESKTOP", "SERVICE", "COMMAND")
				for _, p := range r.Processes {
					where := ""
					if p.WindowStation != "" {
						where = p.WindowStation + `\` + p.Desktop
					}
					command := strings.Join(p.Args, " ")
					if command == "" {
						command = filepath.Base(p.Name)
					}
					t.add(p.SessionID, p.ProcessID, p.User, where, p.Service, command)
				}
				t.write(a.out)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&session, "session", "", "only this session")
	return cmd
}
