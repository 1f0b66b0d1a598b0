package coffer_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every dependency was a decision: ARCHITECTURE.md names the direct requirements of
// go.mod, each with its reason and its licence, and nothing else.
func TestEveryDependencyHasAReason(t *testing.T) {
	wanted := submatches(t, "go.mod", `(?m)^\t(\S+) v\S+$`) // an indirect one has a comment behind it
	stated := submatches(t, "ARCHITECTURE.md", "(?m)^\\| `([^` ]+\\.[^` ]+/[^` ]+)` \\| [^|]+ \\| [^|]+ \\|$")
	if len(wanted) < 10 {
		t.Fatalf("go.mod was not understood: %q", wanted)
	}
	for _, m := range wanted {
		if !slices.Contains(stated, m) {
			t.Errorf("ARCHITECTURE.md gives no reason and licence for %s", m)
		}
	}
	for _, m := range stated {
		if !slices.Contains(wanted, m) {
			t.Errorf("ARCHITECTURE.md lists %s, which go.mod does not require directly", m)
		}
	}
}

// submatches gives what the first group of a pattern finds in a file.
func submatches(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(strings.ReplaceAll(string(text), "\r\n", "\n"), -1) {
		out = append(out, m[1])
	}
	return out
}
