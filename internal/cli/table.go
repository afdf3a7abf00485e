// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// table prints aligned columns. A header starting with ">" is right-aligned.
type table struct {
	right []bool
	rows  [][]string
}

func newTable(header ...string) *table {
	t := &table{right: make([]bool, len(header))}
	row := make([]string, len(header))
	for i, h := range header {
		t.right[i] = strings.HasPrefix(h, ">")
		row[i] = strings.TrimPrefix(h, ">")
	}
	t.rows = append(t.rows, row)
	return t
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = clean(fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(w io.Writer) {
	width := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, c := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if t.right[i] {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c + pad)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// clean keeps control characters of names chosen by others off the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}

// when prints a time given in Unix nanoseconds; empty for 0.
func when(nanos int64) string {
	if nanos == 0 {
		return ""
	}
	return time.Unix(0, nanos).Format("2006-01-02 15:04:05")
}
