// Command report reads what go test -json writes and prints what a person wants to
// know: each package, what failed and how, and loudly every test that was skipped and
// why, which go test itself keeps to itself. Its exit code is 1 when anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that is built
	Test       string
	Output     string
	Elapsed    float64
}

func main() { os.Exit(report(os.Stdin, os.Stdout)) }

// report prints the run and gives the exit code.
func report(in io.Reader, out io.Writer) int {
	r := run{out: out, said: map[string]*strings.Builder{}, count: map[string]int{}, idle: map[string]int{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case json.Unmarshal(line, &e) == nil && e.Action != "":
			r.take(e)
		case len(line) > 0:
			_, _ = out.Write(line)
		}
		if err != nil {
			break
		}
	}
	_, _ = fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.count["pass"], r.count["fail"], r.count["skip"])
	if r.count["fail"] > 0 || r.broken || r.packages == 0 {
		return 1
	}
	return 0
}

// notMeant is what a case of a conformance suite says when the implementation does not
// declare what it is about: that is no gap in what was tested.
const notMeant = "does not apply: "

type run struct {
	out      io.Writer
	said     map[string]*strings.Builder // by package and test, until its end
	count    map[string]int              // tests by how they ended
	idle     map[string]int              // cases of a conformance suite that a package is not meant for
	packages int
	broken   bool // a package failed
}

func (r *run) take(e event) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		if r.said[key] == nil {
			r.said[key] = &strings.Builder{}
		}
		r.said[key].WriteString(e.Output)
	case "build-output":
		r.print(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e, key)
		} else {
			r.endTest(e, key)
		}
		delete(r.said, key)
	}
}

func (r *run) endTest(e event, key string) {
	r.count[e.Action]++
	switch e.Action {
	case "fail":
		r.print(r.text(key))
	case "skip":
		why := reason(r.text(key))
		if strings.Contains(why, notMeant) {
			r.idle[e.Package]++
			return
		}
		r.print(fmt.Sprintf("SKIP %s %s: %s\n", e.Package, e.Test, why))
	}
}

func (r *run) endPackage(e event, key string) {
	r.packages++
	switch e.Action {
	case "fail":
		r.broken = true
		for of, said := range r.said { // of tests that never ended too
			if strings.HasPrefix(of, e.Package+"\x00") && of != key {
				r.print(said.String())
			}
		}
		r.print(r.text(key))
		r.print(fmt.Sprintf("FAIL %s %.1fs\n", e.Package, e.Elapsed))
	case "pass":
		note := ""
		if n := r.idle[e.Package]; n > 0 {
			note = fmt.Sprintf(" (%d cases do not apply)", n)
		}
		r.print(fmt.Sprintf("ok   %s %.1fs%s\n", e.Package, e.Elapsed, note))
	}
}

func (r *run) text(key string) string {
	if b := r.said[key]; b != nil {
		return b.String()
	}
	return ""
}

func (r *run) print(s string) { _, _ = io.WriteString(r.out, s) }

// reason is what a skipped test said, without the frame that go test puts around it.
func reason(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
