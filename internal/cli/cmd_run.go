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
			id, err := a.targetSession(c.Context(), conn, session)
			if err != nil {
				return err
			}
			own := id == conn.Hello().SessionID
			// In mode shared session 0 has a user, too, and the operator outside
			// every session is counted to it.
			shared := own && id == 0 && session != "" && conn.Hello().Mode == "shared"
			q := api.RunInSessionRequest{SessionID: id, Path: args[0], Args: args, Dir: workdir, Env: env, Desktop: desktop, CompatXP: compat == "xp"}
			if !own || shared {
				err := a.spawn(c.Context(), conn, args[0], detach, func(ctx context.Context, files []*os.File) (api.CreateProcessReply, error) {
					return conn.RunInSession(ctx, q, files...)
				})
				if !shared || !errors.Is(err, win32.ERROR_NO_TOKEN) && !errors.Is(err, win32.ERROR_ACCESS_DENIED) {
					return err
				}
				// Nobody is logged on there, or the caller is a program of the session.
			}
			p := api.CreateProcessRequest{Path: q.Path, Args: q.Args, Dir: q.Dir, CompatXP: q.CompatXP}
			if len(env) > 0 {
				p.Env = append(os.Environ(), env...)
			}
			if c.Flags().Changed("desktop") {
				p.Desktop = &desktop
			}
			return a.spawn(c.Context(), conn, args[0], detach, func(ctx context.Context, files []*os.File) (api.CreateProcessReply, error) {
				return conn.CreateProcess(ctx, p, files...)
			})
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

// spawn starts a program by start, which gets the descriptors to pass on, and
// stays until it ends unless it is detached.
func (a *app) spawn(ctx context.Context, conn *client.Conn, program string, detach bool, start func(context.Context, []*os.File) (api.CreateProcessReply, error)) error {
	var files []*os.File
	if !detach {
		files = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	}
	p, err := start(ctx, files)
	if err != nil {
		return cannot("run "+program, err)
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
		return cannot("wait for "+program, err)
	}
	end, err := conn.GetExitCodeProcess(ctx, api.HandleRequest{Handle: p.Process})
	if err != nil {
		return cannot("learn how "+program+" ended", err)
	}
	if end.Code == win32.STATUS_DLL_INIT_FAILED {
		return &exitError{code: 128, text: fmt.Sprintf("%s could not connect to its window station or desktop (0x%x); `station events` says why", program, end.Code)}
	}
	if end.Code != 0 {
		return &exitError{code: int(end.Code & 0xff)}
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
