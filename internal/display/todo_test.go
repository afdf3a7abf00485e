// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"testing"

	"stationmaster/conform"
)

// What the rules ask of displays and is not there yet.

func TestTodoScreenSaver(t *testing.T) {
	conform.Todo(t, "LGN-18", "input on the Screen-saver desktop is told to nobody, so nothing ends a screen saver", nil)
}

func TestTodoInjectedMarks(t *testing.T) {
	conform.Todo(t, "IN-9", "the origin is kept up to the X server and the windows; hooks that could see it marked come with window messages", nil)
}

func TestTodoRightToLeft(t *testing.T) {
	conform.Todo(t, "WTS-33", "the right-to-left bit aligns the text; it does not mirror the box", nil)
}
