// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTell(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		ok             bool
	}{
		{"passed and skipped", `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestX"}
{"Action":"output","Package":"a","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"a","Test":"TestX","Output":"    a_test.go:3: said before\n"}
{"Action":"output","Package":"a","Test":"TestX","Output":"--- PASS: TestX (0.00s)\n"}
{"Action":"pass","Package":"a","Test":"TestX","Elapsed":0}
{"Action":"output","Package":"a","Test":"TestY","Output":"=== RUN   TestY\n"}
{"Action":"output","Package":"a","Test":"TestY","Output":"    a_test.go:9: no Xvnc here: install it\n"}
{"Action":"output","Package":"a","Test":"TestY","Output":"--- SKIP: TestY (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestY","Elapsed":0}
{"Action":"output","Package":"a","Output":"PASS\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}
{"Action":"pass","Package":"a","Elapsed":0.1}
{"Action":"output","Package":"b","Output":"?   \tb\t[no test files]\n"}
{"Action":"skip","Package":"b","Elapsed":0}
`, "SKIP\tTestY: no Xvnc here: install it\nok  \ta\t0.1s\n?   \tb\t[no test files]\n", true},
		{"failed", `{"Action":"output","Package":"a","Test":"TestX","Output":"    a_test.go:3: wrong\n"}
{"Action":"output","Package":"a","Test":"TestX","Output":"--- FAIL: TestX (0.00s)\n"}
{"Action":"fail","Package":"a","Test":"TestX"}
{"Action":"output","Package":"a","Output":"FAIL\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}
`, "    a_test.go:3: wrong\n--- FAIL: TestX (0.00s)\nFAIL\nFAIL\ta\t0.1s\n", false},
		{"died in a test", `{"Action":"output","Package":"a","Test":"TestX","Output":"panic: oh\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}
`, "panic: oh\nFAIL\ta\t0.1s\n", false},
		{"does not build", `{"ImportPath":"a [a.test]","Action":"build-output","Output":"a.go:1: bad\n"}
{"ImportPath":"a [a.test]","Action":"build-fail"}
{"Action":"output","Package":"a","Output":"FAIL\ta [build failed]\n"}
{"Action":"fail","Package":"a","FailedBuild":"a [a.test]"}
`, "a.go:1: bad\nFAIL\ta [build failed]\n", false},
		{"cut short", `{"Action":"output","Package":"a","Test":"TestX","Output":"    half\n"}` + "\n", "    half\nFAIL\ta [ended without a result]\n", false},
		{"nothing", "no Go files\n", "no Go files\nFAIL: nothing was tested\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			if ok := tell(strings.NewReader(c.in), &b); ok != c.ok {
				t.Errorf("passed: %v", ok)
			}
			if d := cmp.Diff(c.want, b.String()); d != "" {
				t.Error(d)
			}
		})
	}
}
