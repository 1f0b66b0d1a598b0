package config

import (
	"fmt"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Path string // of the setting, such as kek.active.file; empty for the file itself
	Line int    // in the file; 0 when the value is not from it
	Says string // what is wrong and how to mend it, without the value
}

// String is one line of the report.
func (p Problem) String() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Says)
	if p.Line > 0 {
		fmt.Fprintf(&b, " (line %d of the file)", p.Line)
	}
	return b.String()
}

// Problems is everything that is wrong, in the order found. Its kind is
// fault.Invalid.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps)+1)
	noun := "problems"
	if len(ps) == 1 {
		noun = "problem"
	}
	lines = append(lines, fmt.Sprintf("configuration has %d %s:", len(ps), noun))
	for _, p := range ps {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the kind.
func (Problems) Unwrap() error { return fault.Invalid }

func (ps *Problems) add(path string, line int, format string, args ...any) {
	*ps = append(*ps, Problem{Path: path, Line: line, Says: fmt.Sprintf(format, args...)})
}

// at says whether the setting at path is among the problems already, so that a
// value that could not be read is not reported as missing too.
func (ps Problems) at(path string) bool {
	for _, p := range ps {
		if p.Path == path {
			return true
		}
	}
	return false
}
