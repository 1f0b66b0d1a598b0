package acl

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// naive chooses a rule by the words of the contract: it asks every rule whether it
// matches, segment by segment, and keeps the one that no other beats.
func naive(rules map[string]Capability, path string) Capability {
	if caps, ok := rules[path]; ok && !isPattern(path) {
		return caps
	}
	winner := ""
	found := false
	for rule := range rules {
		if isPattern(rule) && naiveMatch(rule, path) && (!found || naiveLower(winner, rule)) {
			winner, found = rule, true
		}
	}
	if !found {
		return 0
	}
	return rules[winner]
}

func isPattern(rule string) bool {
	return strings.HasSuffix(rule, "*") || naivePlus(rule) > 0
}

func naivePlus(rule string) int {
	n := 0
	for _, s := range strings.Split(strings.TrimSuffix(rule, "*"), "/") {
		if s == "+" {
			n++
		}
	}
	return n
}

func naiveMatch(rule, path string) bool {
	glob := strings.HasSuffix(rule, "*")
	want, have := strings.Split(strings.TrimSuffix(rule, "*"), "/"), strings.Split(path, "/")
	if len(have) < len(want) || !glob && len(have) != len(want) {
		return false
	}
	for i, w := range want {
		last := i == len(want)-1
		switch {
		case w == "+", w == have[i]:
		case last && glob && strings.HasPrefix(have[i], w):
		default:
			return false
		}
	}
	return true
}

// naiveFirst is where the first wildcard that acts as one stands.
func naiveFirst(rule string) int {
	at := 0
	for _, s := range strings.Split(strings.TrimSuffix(rule, "*"), "/") {
		if s == "+" {
			return at
		}
		at += len(s) + 1
	}
	return len(rule) - 1
}

func naiveLower(a, b string) bool {
	if x, y := naiveFirst(a), naiveFirst(b); x != y {
		return x < y
	}
	if x, y := strings.HasSuffix(a, "*"), strings.HasSuffix(b, "*"); x != y {
		return x
	}
	if x, y := naivePlus(a), naivePlus(b); x != y {
		return x > y
	}
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func naiveList(rules map[string]Capability, path string) Capability {
	bare := strings.TrimSuffix(path, "/")
	exact, patterns := map[string]Capability{}, map[string]Capability{}
	for r, c := range rules {
		if isPattern(r) {
			patterns[r] = c
		} else {
			exact[r] = c
		}
	}
	for _, set := range []map[string]Capability{exact, patterns} {
		for _, p := range []string{bare + "/", bare} {
			if c := naive(set, p); c != 0 {
				return c
			}
		}
	}
	return 0
}

func compileRules(rules map[string]Capability) *ACL {
	p := &Policy{}
	for path, caps := range rules {
		p.rules = append(p.rules, rule{path, caps})
	}
	return Compile(p)
}

func compare(t rapid.TB, a *ACL, rules map[string]Capability, path string) {
	if got, want := a.Capabilities(path), naive(rules, path); got != want {
		t.Fatalf("%v: %q gives %d, want %d", rules, path, got, want)
	}
	if got, want := a.List(path), naiveList(rules, path); got != want {
		t.Fatalf("%v: List(%q) gives %d, want %d", rules, path, got, want)
	}
}

// A small alphabet makes collisions frequent. Every rule has bits of its own.
func TestMatcherAgainstNaive(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "+", "a+", "+a", "*", "a*b", "", "aa"})
	rapid.Check(t, func(t *rapid.T) {
		rules := map[string]Capability{}
		for i := range rapid.IntRange(0, 12).Draw(t, "rules") {
			path := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "rule"), "/")
			path += rapid.SampledFrom([]string{"", "", "*"}).Draw(t, "glob")
			if !strings.Contains(path, "+*") {
				rules[path] = Capability(i+1) << 1
			}
		}
		a := compileRules(rules)
		for range 8 {
			compare(t, a, rules, strings.Join(rapid.SliceOfN(segment, 1, 5).Draw(t, "path"), "/"))
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("a/+/b*\na/*\na/b", "a/x/b")
	f.Add("+\n*\n+/+", "a/")
	f.Add("secret/+/+/foo/*\nsecret/*", "secret/a/b/foo/c")
	f.Fuzz(func(t *testing.T, lines, path string) {
		rules := map[string]Capability{}
		for i, line := range strings.SplitN(lines, "\n", 60) {
			if !strings.Contains(line, "+*") {
				rules[line] = Capability(i+1) << 1
			}
		}
		compare(t, compileRules(rules), rules, path)
	})
}

func TestThousandRulesAgreeWithNaive(t *testing.T) {
	rules := map[string]Capability{}
	for i := range 1000 {
		path := fmt.Sprintf("secret/%s/%s/t%d", []string{"data", "+", "metadata"}[i%3], []string{"+", "x", "hypo/+"}[i/3%3], i%97)
		rules[path+[]string{"", "*", "/*", "/+"}[i%4]] = Capability(i%255+1) << 1
	}
	a := compileRules(rules)
	for i := range 97 {
		for _, head := range []string{"secret/data/x", "secret/metadata/hypo/y", "secret/z/x", "secret/data/hypo/x"} {
			for _, tail := range []string{"", "/", "/q", "/q/r", "7"} {
				compare(t, a, rules, fmt.Sprintf("%s/t%d%s", head, i, tail))
			}
		}
	}
}
