// SPDX-License-Identifier: Apache-2.0

package surface

import (
	"strings"
	"testing"
)

// BenchmarkLayoutLongMessage is the longest message there is.
func BenchmarkLayoutLongMessage(b *testing.B) {
	text := strings.Repeat("word ", MaxText/5)
	for b.Loop() {
		w, err := MessageBox{Text: text}.Window()
		if err != nil {
			b.Fatal(err)
		}
		w.Layout(screen)
	}
}
