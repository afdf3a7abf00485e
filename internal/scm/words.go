// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"errors"
	"strings"
)

// splitWords cuts a command line into words as a shell does: blanks separate,
// single quotes keep everything, double quotes keep everything but backslash
// before ", \, $ and `, and a backslash outside quotes keeps the next
// character. Nothing is expanded.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case '\'':
			inWord = true
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("a single quote is not closed")
			}
			word.WriteString(line[i+1 : i+1+end])
			i += end + 1
		case '"':
			inWord = true
			closed := false
			for i++; i < len(line); i++ {
				if line[i] == '"' {
					closed = true
					break
				}
				if line[i] == '\\' && i+1 < len(line) && strings.IndexByte("\"\\$`", line[i+1]) >= 0 {
					i++
				}
				word.WriteByte(line[i])
			}
			if !closed {
				return nil, errors.New("a double quote is not closed")
			}
		case '\\':
			if i+1 == len(line) {
				return nil, errors.New("a backslash stands at the end")
			}
			i++
			inWord = true
			word.WriteByte(line[i])
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
