// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"stationmaster/internal/cli"
	"stationmaster/internal/host"
	"stationmaster/internal/layout"
	"stationmaster/station"
)

// defaultListen is where the console listens when nothing else is said.
const defaultListen = "127.0.0.1:8470"

// version is the version of this build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func serveCommand() *cobra.Command {
	var listen, mode, level, xvnc, logLevel string
	var settings station.Settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon in the foreground",
		Long: `Runs the daemon: session 0 with the services, the logon screen of the console in
session 1, and the web console as a service. It prints one line "ready" once it
answers. Interrupt it (or station shutdown) to end every session; SIGHUP or
station shutdown --keep-sessions ends the daemon alone, and the next one takes
the sessions over.

--desktop-heap is what SharedSection is on Windows: the heap that the windows,
menus and hooks of a desktop share. Three sizes in KB are the session's shared
heap, a desktop of WinSta0 and one of another window station; the sum of a
session's desktops is bounded by --session-heap. Desktops keep the size they
were made with.`,
		Example: "  station serve\n  station serve --dir /srv/agents --listen none\n  station serve --json --listen 127.0.0.1:0",
		Args:    cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := configure(c, listen, mode, level, logLevel)
			if err != nil {
				return err
			}
			cfg.settings = settings
			cfg.xvnc = xvnc
			return serve(c.Context(), cfg, func(x *executive) error { return announce(c, x) })
		},
	}
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "address of the web console, or none")
	cmd.Flags().StringVar(&mode, "mode", "isolated", "session model: isolated (Vista and later) or shared (XP)")
	cmd.Flags().StringVar(&level, "isolation", "", "isolation level to use: full, user, landlock or none (default the highest)")
	cmd.Flags().StringVar(&settings.DesktopHeap, "desktop-heap", "", "desktop heap: x64 (default), xp, vista32, safe, or SharedSection sizes a,b,c in KB")
	cmd.Flags().Uint32Var(&settings.SessionTotalKB, "session-heap", 0, "sum of a session's desktop heaps in KB (default that of the profile)")
	cmd.Flags().BoolVar(&settings.NoInteractiveServices, "no-interactive-services", false, "start every service without a desktop to show, whatever its type says")
	cmd.Flags().StringVar(&xvnc, "xvnc", "", "X server for X desktops (default Xvnc as found in PATH)")
	cmd.Flags().StringVar(&logLevel, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return cmd
}

// configure reads the flags that serve and demo share.
func configure(c *cobra.Command, listen, mode, level, logLevel string) (config, error) {
	dir, _ := c.Flags().GetString("dir")
	if dir == "" {
		dir = os.Getenv(layout.EnvDir)
	}
	cfg := config{layout: layout.For(dir), listen: listen, level: level}
	if listen == "none" {
		cfg.listen = ""
	}
	switch mode {
	case "isolated":
		cfg.mode = station.Isolated
	case "shared":
		cfg.mode = station.Shared
	default:
		return cfg, fmt.Errorf("--mode is isolated or shared, not %q", mode)
	}
	switch level {
	case "", host.LevelFull, host.LevelUser, host.LevelLandlock, host.LevelNone:
	default:
		return cfg, fmt.Errorf("--isolation is full, user, landlock or none, not %q", level)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(logLevel))); err != nil {
		return cfg, fmt.Errorf("--log is debug, info, warn or error, not %q", logLevel)
	}
	cfg.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
	return cfg, nil
}

// serve runs the daemon until it is asked to end.
func serve(ctx context.Context, cfg config, ready func(*executive) error) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	x, err := newExecutive(ctx, cfg)
	if err != nil {
		return failed("cannot start: %w", err)
	}
	if err := ready(x); err != nil {
		return failed("%w", joined(err, x.shutdown()))
	}
	keep := false
	select {
	case <-ctx.Done():
	case <-hangup:
		keep = true
	case keep = <-x.end:
	}
	if keep {
		x.detach()
		return nil
	}
	if err := x.shutdown(); err != nil {
		return failed("cannot end everything: %w", err)
	}
	return nil
}

// announce prints the line that says that the daemon answers.
func announce(c *cobra.Command, x *executive) error {
	if asJSON, _ := c.Flags().GetBool("json"); asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(struct {
			Ready                  bool
			Socket, Console, Level string
			PID                    int
			Adopted                uint32
		}{true, x.cfg.layout.Socket, x.console, x.host.Isolation().Level, os.Getpid(), x.adopted})
	}
	fmt.Fprintln(c.OutOrStdout(), "ready")
	if term.IsTerminal(int(os.Stderr.Fd())) {
		if x.console != "" {
			fmt.Fprintf(os.Stderr, "console at %s (sign in with the address that `station view` prints)\n", x.console)
		}
		if iso := x.host.Isolation(); iso.Why != "" {
			fmt.Fprintf(os.Stderr, "isolation level %s: %s\n", iso.Level, iso.Why)
		}
	}
	return nil
}
