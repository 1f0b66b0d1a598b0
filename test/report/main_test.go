package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const good = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: no peer here\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB/x","Output":"    b_test.go:5: does not apply: no versions\n"}
{"Action":"skip","Package":"p","Test":"TestB/x"}
{"Action":"pass","Package":"p","Elapsed":1.25}
`
	const bad = `{"Action":"output","Package":"q","Test":"TestC","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"q","Test":"TestC"}
{"Action":"output","Package":"q","Output":"exit status 1\n"}
{"Action":"fail","Package":"q","Elapsed":2}
`
	for name, c := range map[string]struct {
		in   string
		code int
		want []string
		not  string
	}{
		"green":   {good, 0, []string{"ok   p 1.2s (1 cases do not apply)\n", "SKIP p TestB: b_test.go:3: no peer here", "1 passed, 0 failed, 2 skipped\n"}, "noise"},
		"red":     {good + bad, 1, []string{"c_test.go:9: wrong", "exit status 1", "FAIL q 2.0s", "1 passed, 1 failed, 2 skipped\n"}, "noise"},
		"build":   {`{"ImportPath":"r","Action":"build-output","Output":"r.go:1: syntax\n"}` + "\n" + `{"Action":"fail","Package":"r"}` + "\n", 1, []string{"r.go:1: syntax", "FAIL r"}, "ok"},
		"nothing": {"go: no packages\n", 1, []string{"go: no packages", "0 passed, 0 failed, 0 skipped\n"}, "ok"},
		"cut off": {strings.TrimSuffix(good, "\n"), 0, []string{"ok   p"}, "noise"},
	} {
		var out strings.Builder
		if code := report(strings.NewReader(c.in), &out); code != c.code {
			t.Errorf("%s: code %d, want %d", name, code, c.code)
		}
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: %q is missing in\n%s", name, w, out.String())
			}
		}
		if strings.Contains(out.String(), c.not) {
			t.Errorf("%s: %q is in\n%s", name, c.not, out.String())
		}
	}
}
