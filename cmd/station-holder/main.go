// SPDX-License-Identifier: Apache-2.0

// Command station-holder is the holder of a session and nothing else. It is
// not installed: station carries it (internal/host/small) and starts it from
// memory, because a session's first process should be small.
package main

import (
	"fmt"
	"os"

	"stationmaster/internal/host"
)

func main() {
	if !host.IsHolder(os.Args) {
		fmt.Fprintln(os.Stderr, "station-holder: started by station serve only")
		os.Exit(2)
	}
	os.Exit(host.HolderMain(os.Args))
}
