package acl

import (
	"iter"
	"slices"
	"strings"
)

// index finds the best of many patterns without asking each. Patterns are grouped
// by head, and within a head by the text behind their first "+".
type index []group

// group holds what shares one text. All texts that begin a path begin each other,
// so they form a chain from the longest to the shortest.
type group struct {
	text     string
	shorter  int        // the group of the longest other text that begins this one, or -1
	patterns []*pattern // by priority; empty at the level of heads
	star     *pattern   // head + "*", at the level of heads
	behind   index      // by the text behind the first "+", at the level of heads
}

func newIndex(patterns []*pattern) index {
	heads := groupBy(patterns, func(p *pattern) string { return p.head })
	for i := range heads {
		h := &heads[i]
		var plus []*pattern
		for _, p := range h.patterns {
			if len(p.chunks) == 0 {
				h.star = p
			} else {
				plus = append(plus, p)
			}
		}
		h.patterns = nil
		h.behind = groupBy(plus, func(p *pattern) string { return p.chunks[0] })
	}
	return heads
}

// groupBy sorts once: groups by text, and each by priority.
func groupBy(patterns []*pattern, text func(*pattern) string) index {
	byText := map[string][]*pattern{}
	for _, p := range patterns {
		byText[text(p)] = append(byText[text(p)], p)
	}
	var groups index
	for t, ps := range byText {
		slices.SortFunc(ps, byPriority)
		groups = append(groups, group{text: t, patterns: ps})
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.text, b.text) })
	for i := range groups {
		shorter := i - 1
		for shorter >= 0 && !strings.HasPrefix(groups[i].text, groups[shorter].text) {
			shorter = groups[shorter].shorter
		}
		groups[i].shorter = shorter
	}
	return groups
}

// beginning yields the groups whose text begins path, longest first. All of them
// lie on the chain of the greatest text that is not above path.
func (x index) beginning(path string) iter.Seq[*group] {
	return func(yield func(*group) bool) {
		i, found := slices.BinarySearchFunc(x, path, func(g group, path string) int {
			return strings.Compare(g.text, path)
		})
		if !found {
			i--
		}
		for ; i >= 0; i = x[i].shorter {
			if strings.HasPrefix(path, x[i].text) && !yield(&x[i]) {
				return
			}
		}
	}
}

// best is the winning pattern of a path, or nil. The pattern whose first wildcard
// comes latest wins, so heads are tried from the longest down.
func (x index) best(path string) *pattern {
	for head := range x.beginning(path) {
		rest := path[len(head.text):]
		winner := head.star
		for g := range head.behind.beginning(behindSegment(rest)) {
			i := slices.IndexFunc(g.patterns, func(p *pattern) bool { return p.matches(rest) })
			if i >= 0 && (winner == nil || byPriority(g.patterns[i], winner) < 0) {
				winner = g.patterns[i]
			}
		}
		if winner != nil {
			return winner
		}
	}
	return nil
}
