// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"stationmaster/internal/cli"
)

// TestHelp wants each command to say what it is for and how it is used, and
// each flag what it does.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		path := c.CommandPath()
		if c.Hidden || c.Name() == "help" || strings.HasPrefix(path, "station completion ") {
			return
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its short help is %q; want one sentence without a full stop", path, c.Short)
		}
		if !strings.HasPrefix(c.Example, "  station") && !strings.HasPrefix(c.Example, "  source <(station") {
			t.Errorf("%s: no example of a call", path)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: example %q is not indented by two blanks", path, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(cli.Root())
}

// call finds a command line of ours in a line of a code block.
var call = regexp.MustCompile(`(?:^ {4}|\$\()station ([^|)#]*)`)

// TestReadme wants the command lines in README.md to be ones we have.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "    ") {
			continue
		}
		for _, m := range call.FindAllStringSubmatch(line, -1) {
			found++
			words := strings.Fields(m[1])
			c, rest, err := cli.Root().Find(words)
			if err != nil || c.HasSubCommands() {
				t.Errorf("README: %q: no such command (%v)", strings.TrimSpace(line), err)
				continue
			}
			if err := c.ParseFlags(rest); err != nil {
				t.Errorf("README: %q: %v", strings.TrimSpace(line), err)
				continue
			}
			if err := c.Args(c, c.Flags().Args()); err != nil {
				t.Errorf("README: %q: %v", strings.TrimSpace(line), err)
			}
		}
	}
	if found < 10 {
		t.Errorf("README: found only %d command lines of ours", found)
	}
}
