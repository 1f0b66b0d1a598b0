package acl

import (
	"cmp"
	"strings"
)

// pattern is a rule whose path has a wildcard: "+" as a whole segment, or "*" as
// the last character. A wildcard sign anywhere else is literal.
type pattern struct {
	path   string
	head   string   // literal text before the first wildcard
	chunks []string // literal texts behind each "+", in order
	glob   bool     // ends in "*"
	caps   Capability
}

// newPattern splits a rule's path; ok is false for a path without wildcards.
func newPattern(path string, caps Capability) (p pattern, ok bool) {
	literal, glob := strings.CutSuffix(path, "*")
	chunks := splitAtPlus(literal)
	p = pattern{path: path, head: chunks[0], chunks: chunks[1:], glob: glob, caps: caps}
	return p, glob || len(p.chunks) > 0
}

func splitAtPlus(path string) []string {
	var chunks []string
	start := 0
	for i := range len(path) {
		opens := i == 0 || path[i-1] == '/'
		closes := i+1 == len(path) || path[i+1] == '/'
		if path[i] == '+' && opens && closes {
			chunks = append(chunks, path[start:i])
			start = i + 1
		}
	}
	return append(chunks, path[start:])
}

// matches looks at what follows the head in a request's path.
func (p *pattern) matches(rest string) bool {
	for i, chunk := range p.chunks {
		rest = behindSegment(rest)
		if i == len(p.chunks)-1 && !p.glob {
			return rest == chunk
		}
		if !strings.HasPrefix(rest, chunk) {
			return false
		}
		rest = rest[len(chunk):]
	}
	return p.glob
}

// behindSegment drops what one "+" takes: a whole segment, the empty one behind a
// trailing slash included.
func behindSegment(rest string) string {
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return ""
}

// byPriority puts the pattern that wins first, among patterns of one head: one that
// does not end in "*", then fewer "+", then the longer, then the lexically greater.
func byPriority(a, b *pattern) int {
	if a.glob != b.glob {
		if b.glob {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(len(a.chunks), len(b.chunks)),
		cmp.Compare(len(b.path), len(a.path)),
		strings.Compare(b.path, a.path),
	)
}
