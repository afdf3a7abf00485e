// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line: one file a command, each a client of the
// daemon like any other. It may import client, win32, internal/api and
// internal/layout, never the engine: what needs the daemon's own code (serve,
// web, demo) is wired in by cmd/station.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/layout"
	"stationmaster/win32"
)

// Exit codes of every command but run, which passes on the program's own.
const (
	exitFine    = 0
	exitRefused = 1
	exitUsage   = 2
)

// app is what all commands share.
type app struct {
	dir  string // --dir
	json bool   // --json
	out  io.Writer
	err  io.Writer
	in   io.Reader
}

// exitError ends the program with a code and, unless empty, a message.
type exitError struct {
	code  int
	text  string
	cause error // what was refused; may be nil
}

func (e *exitError) Error() string { return e.text }
func (e *exitError) Unwrap() error { return e.cause }

func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, text: fmt.Sprintf(format, args...)}
}

// cannot words a failure as `cannot ACTION: <Win32 text> (<number>)`, or with
// the error's own text when it carries no Win32 number.
func cannot(action string, err error) error {
	if err == nil {
		return nil
	}
	var code win32.Errno
	if errors.As(err, &code) {
		if code == win32.ERROR_GEN_FAILURE {
			// The number says nothing: what went wrong on the machine is told
			// in the daemon's own words.
			return &exitError{exitRefused, fmt.Sprintf("cannot %s: %v (%d)", action, err, uint32(code)), err}
		}
		if code == win32.RPC_S_SERVER_UNAVAILABLE {
			return &exitError{exitRefused, fmt.Sprintf("cannot %s: %s (%d): is `station serve` running?", action, code.Error(), uint32(code)), err}
		}
		return &exitError{exitRefused, fmt.Sprintf("cannot %s: %s (%d)", action, code.Error(), uint32(code)), err}
	}
	return &exitError{exitRefused, fmt.Sprintf("cannot %s: %v", action, err), err}
}

// Failed words the failure of a command that is wired in: its message as it
// is, and exit code 1.
func Failed(err error) error { return &exitError{exitRefused, err.Error(), err} }

// Main runs the command line and returns the exit code. extra are commands
// wired in by cmd/station.
func Main(ctx context.Context, args []string, extra ...*cobra.Command) int {
	a := &app{out: os.Stdout, err: os.Stderr, in: os.Stdin}
	root := a.root(extra)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	var ee *exitError
	if !errors.As(err, &ee) {
		ee = &exitError{code: exitUsage, text: err.Error()}
	}
	if ee.text != "" {
		fmt.Fprintf(a.err, "station: %s\n", ee.text)
	}
	return ee.code
}

// Root gives the command tree, for completion and manual pages.
func Root(extra ...*cobra.Command) *cobra.Command {
	return (&app{out: os.Stdout, err: os.Stderr, in: os.Stdin}).root(extra)
}

func (a *app) root(extra []*cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:   "station",
		Short: "Windows' session architecture for real programs on Linux",
		Long: `Stationmaster runs services alone in session 0 and each user in a session of
their own; in it are window stations, in those desktops, each desktop a display
of its own that nothing outside it can see, type into or message.

Start with ` + "`station demo`" + `, or ` + "`station serve`" + ` for the daemon alone.`,
		Example: `  station demo
  station session list
  station run --session 1 -- xterm
  source <(station completion bash)`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&a.dir, "dir", "", "directory of the daemon (default $"+layout.EnvDir+", or the system's)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v (see `%s --help`)", err, c.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: "daemon", Title: "The daemon:"},
		&cobra.Group{ID: "session", Title: "Sessions and programs:"},
		&cobra.Group{ID: "object", Title: "Objects and security:"},
		&cobra.Group{ID: "service", Title: "Services:"},
	)
	for _, c := range extra {
		if c.GroupID == "" && !c.Hidden {
			c.GroupID = "daemon"
		}
		root.AddCommand(c)
	}
	group := func(id string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("daemon", a.statusCommand(), a.shutdownCommand(), a.eventsCommand(), a.auditCommand())
	group("session", a.accountCommand(), a.logonCommand(), a.sessionCommand(), a.runCommand(), a.psCommand(), a.msgCommand(), a.viewCommand())
	group("object", a.winstaCommand(), a.desktopCommand(), a.objectCommand(), a.sdCommand())
	group("service", a.serviceCommand())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Example = "  source <(station completion bash)\n  station completion bash > /etc/bash_completion.d/station"
		}
	}
	return root
}

// connect opens a connection to the daemon.
func (a *app) connect(c *cobra.Command) (*client.Conn, error) {
	conn, err := client.Dial(c.Context(), layout.Socket(a.dir))
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// call connects, runs fn and words its failure with action.
func (a *app) call(c *cobra.Command, action string, fn func(ctx context.Context, conn *client.Conn) error) error {
	conn, err := a.connect(c)
	if err != nil {
		return cannot(action, err)
	}
	defer conn.Close()
	err = fn(c.Context(), conn)
	var ee *exitError
	if errors.As(err, &ee) {
		return err
	}
	return cannot(action, err)
}

// printJSON writes v indented, with a newline.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// noArgs and exactArgs give usage errors in our own words.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, got %q (see `%s --help`)", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

func wantArgs(min, max int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < min || max >= 0 && len(args) > max {
			return usagef("usage: %s %s (see `%s --help`)", c.CommandPath(), names, c.CommandPath())
		}
		return nil
	}
}

// NoArgs is the Args of a command that is wired in and takes no argument.
func NoArgs(c *cobra.Command, args []string) error { return noArgs(c, args) }

// parent is a command that only has subcommands. Its examples are the first of
// each of theirs.
func parent(use, short, long string, subs ...*cobra.Command) *cobra.Command {
	var examples []string
	for _, s := range subs {
		if first, _, _ := strings.Cut(s.Example, "\n"); first != "" {
			examples = append(examples, first)
		}
	}
	p := &cobra.Command{Use: use, Short: short, Long: long, Example: strings.Join(examples, "\n"), Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%s has no command %q (see `%s --help`)", c.CommandPath(), args[0], c.CommandPath())
			}
			return c.Help()
		}}
	p.AddCommand(subs...)
	return p
}
