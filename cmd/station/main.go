// SPDX-License-Identifier: Apache-2.0

// Command station is the whole product in one binary: the daemon (serve), the
// console (web), the holder of a session (hidden) and the command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"stationmaster/internal/cli"
	"stationmaster/internal/host"
)

func main() { os.Exit(run()) }

func run() int {
	// The holder is PID 1 of its session and must stay small: nothing else is
	// set up before it takes over.
	if host.IsHolder(os.Args) {
		return host.HolderMain(os.Args)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, os.Args[1:], serveCommand(), webCommand(), demoCommand(), askerCommand())
}
