// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/client/svc"
	"stationmaster/internal/cli"
	"stationmaster/internal/layout"
	"stationmaster/win32"
)

func joined(errs ...error) error { return errors.Join(errs...) }

func demoCommand() *cobra.Command {
	var listen, logLevel string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the daemon with two users, a service and X desktops to look at",
		Long: `Runs the daemon in a directory of its own that is removed at the end: alice in
session 1 and bob in session 2, each with an unmodified xterm on a desktop of
their own, and a service in session 0 that asks alice a question. It prints one
address; open it in a browser. Interrupt it to end everything.`,
		Example: "  station demo\n  station demo --listen 127.0.0.1:0",
		Args:    cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dir, _ := c.Flags().GetString("dir"); dir == "" {
				dir, err := os.MkdirTemp("/var/tmp", "station-demo-")
				if err != nil {
					return failed("cannot make a directory for the demo: %w", err)
				}
				defer os.RemoveAll(dir)
				if err := os.Chmod(dir, 0o711); err != nil {
					return failed("cannot make a directory for the demo: %w", err)
				}
				if err := c.Flags().Set("dir", dir); err != nil {
					return err
				}
			}
			cfg, err := configure(c, listen, "isolated", "", logLevel)
			if err != nil {
				return err
			}
			return serve(c.Context(), cfg, func(x *executive) error { return furnish(c.Context(), c, x) })
		},
	}
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "address of the web console")
	cmd.Flags().StringVar(&logLevel, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return cmd
}

// demoUsers are who the demo logs on, in the order of their sessions.
var demoUsers = []string{"alice", "bob"}

// furnish puts the demo's users, programs and service into a fresh daemon,
// through the same calls any client has.
func furnish(ctx context.Context, c *cobra.Command, x *executive) error {
	out := c.OutOrStdout()
	conn, err := client.Dial(ctx, x.cfg.layout.Socket)
	if err != nil {
		return fmt.Errorf("cannot reach the daemon just started: %w", err)
	}
	defer conn.Close()
	password := randomText()
	status, err := conn.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "isolation level %s", status.Isolation)
	if status.IsolationWhy != "" {
		fmt.Fprintf(out, " (not higher: %s)", status.IsolationWhy)
	}
	fmt.Fprintln(out)
	if status.Xserver == "" {
		fmt.Fprintf(out, "NO X DESKTOPS: %s\nDesktops are drawn by Stationmaster itself and stay empty; install the package and start again.\n", status.XserverWhy)
	}
	xterm, xtermErr := exec.LookPath("xterm")
	if xtermErr != nil && status.Xserver != "" {
		fmt.Fprintln(out, "no xterm here (Debian package xterm): the desktops stay empty")
	}
	for _, user := range demoUsers {
		if _, err := conn.AddAccount(ctx, client.AddAccountRequest{Name: user, Password: password}); err != nil {
			return fmt.Errorf("cannot add account %s: %w", user, err)
		}
		s, err := conn.LogonSession(ctx, client.LogonSessionRequest{User: user, Password: password, New: true})
		if err != nil {
			return fmt.Errorf("cannot log %s on: %w", user, err)
		}
		if status.Xserver != "" && xtermErr == nil {
			if err := startIn(ctx, conn, s.SessionID, xterm, "-geometry", "100x30+40+40", "-fa", "Monospace", "-fs", "11", "-title", user); err != nil {
				return fmt.Errorf("cannot start an xterm for %s: %w", user, err)
			}
		}
		fmt.Fprintf(out, "%s is logged on in session %d (password %s)\n", user, s.SessionID, password)
	}
	if err := startAsker(ctx, conn, x, password); err != nil {
		return fmt.Errorf("cannot start the service that asks: %w", err)
	}
	t, err := conn.CreateTicket(ctx, client.CreateTicketRequest{Person: true, Seconds: 24 * 3600})
	if err != nil {
		return fmt.Errorf("cannot make a sign-in ticket: %w", err)
	}
	fmt.Fprintf(out, "\nOpen this address; it signs one browser in, once:\n\n  %s/signin?ticket=%s\n\nThe command line reaches this demo from another terminal with\n\n  export STATION_DIR=%s\n  %s session list\n\nPress Ctrl+C to end the demo.\n", x.console, t.Ticket, filepath.Dir(x.cfg.layout.Run), os.Args[0])
	return nil
}

// startIn starts a program on the Default desktop of a session, as the user
// logged on there.
func startIn(ctx context.Context, conn *client.Conn, session uint32, path string, args ...string) error {
	token, err := conn.WTSQueryUserToken(ctx, client.SessionRequest{SessionID: session})
	if err != nil {
		return err
	}
	desktop := `WinSta0\Default`
	p, err := conn.CreateProcess(ctx, client.CreateProcessRequest{Token: token.Handle, Path: path, Args: append([]string{path}, args...), Desktop: &desktop})
	if err != nil {
		return err
	}
	return errors.Join(conn.CloseHandle(ctx, client.HandleRequest{Handle: p.Process}), conn.CloseHandle(ctx, client.HandleRequest{Handle: token.Handle}))
}

// startAsker makes and starts a service under a user account that asks the
// first user a question.
func startAsker(ctx context.Context, conn *client.Conn, x *executive, password string) error {
	if _, err := conn.AddAccount(ctx, client.AddAccountRequest{Name: "svc", Password: password}); err != nil {
		return err
	}
	binary, err := x.binaryInSessions()
	if err != nil {
		return err
	}
	m, err := conn.OpenSCManager(ctx, client.OpenSCManagerRequest{Access: win32.SC_MANAGER_CONNECT | win32.SC_MANAGER_CREATE_SERVICE})
	if err != nil {
		return err
	}
	s, err := conn.CreateService(ctx, client.CreateServiceRequest{
		Manager: m.Handle, Name: "Asker", DisplayName: "Asks alice a question", Access: win32.SERVICE_ALL_ACCESS,
		Type: win32.SERVICE_WIN32_OWN_PROCESS, StartType: win32.SERVICE_DEMAND_START, ErrorControl: 1,
		BinaryPath: binary + " asker", Account: `.\svc`, Password: password,
		Description: "Runs in session 0 under a user account and reaches alice by WTSSendMessage, the only way there is.",
	})
	if err != nil {
		return err
	}
	return conn.StartService(ctx, client.StartServiceRequest{Service: s.Handle, Args: []string{"1"}})
}

func askerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "asker", Short: "The demo's service that asks a question", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := svc.Run("Asker", asker{}); err != nil {
				return failed("cannot run as a service: %w", err)
			}
			return nil
		},
	}
}

// asker asks the user of the session it was started for until it is stopped.
type asker struct{}

// Execute implements svc.Handler.
func (asker) Execute(args []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	session := uint32(1)
	if len(args) > 1 {
		if _, err := fmt.Sscan(args[1], &session); err != nil {
			fmt.Printf("%q is no session\n", args[1])
			return false, uint32(win32.ERROR_INVALID_PARAMETER)
		}
	}
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- ask(ctx, session) }()
	for {
		select {
		case r := <-requests:
			switch r.Cmd {
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				cancel()
				if answered != nil {
					<-answered
				}
				return false, 0
			case svc.Interrogate:
				status <- r.CurrentStatus
			}
		case err := <-answered:
			answered = nil
			if err != nil {
				fmt.Printf("cannot ask session %d: %v\n", session, err)
				return false, uint32(win32.Code(err))
			}
		}
	}
}

// ask shows one yes/no question and prints the answer.
func ask(ctx context.Context, session uint32) error {
	conn, err := client.Dial(ctx, layout.Socket(""))
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Printf("asking session %d\n", session)
	response, err := conn.SendMessage(ctx, client.SendMessageRequest{
		SessionID: session, Title: "A service asks", Style: win32.MB_YESNO | win32.MB_ICONQUESTION, Wait: true,
		Text: "I am a service in session 0. I cannot put a window on your desktop; this box is the session manager's.\n\nMay I go on?",
	})
	if err != nil {
		return err
	}
	answer := map[uint32]string{win32.IDYES: "yes", win32.IDNO: "no"}[response]
	fmt.Printf("%s: session %d answered %s (%d)\n", time.Now().Format(time.TimeOnly), session, answer, response)
	return nil
}

func randomText() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
