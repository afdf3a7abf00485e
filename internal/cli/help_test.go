// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
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
