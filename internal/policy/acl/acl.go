package acl

import "strings"

// ACL is what several policies give together. It is immutable and may be used
// concurrently. The zero ACL and a nil one grant nothing.
type ACL struct {
	exact    map[string]Capability
	patterns index
}

// Compile unites policies: equal paths have the union of their capabilities, and
// deny wins. A nil policy gives nothing.
func Compile(policies ...*Policy) *ACL {
	united := map[string]Capability{}
	for _, p := range policies {
		if p == nil {
			continue
		}
		for _, r := range p.rules {
			united[r.path] = united[r.path].Union(r.caps)
		}
	}
	a := &ACL{exact: map[string]Capability{}}
	var patterns []*pattern
	for path, caps := range united {
		if p, ok := newPattern(path, caps); ok {
			patterns = append(patterns, &p)
		} else {
			a.exact[path] = caps
		}
	}
	a.patterns = newIndex(patterns)
	return a
}

// Capabilities of path: those of its exact rule, else of its best pattern. Only the
// chosen rule counts. The path is taken as it is, case-sensitive and undecoded.
func (a *ACL) Capabilities(path string) Capability {
	if a == nil {
		return 0
	}
	if caps, ok := a.exact[path]; ok {
		return caps
	}
	if p := a.patterns.best(path); p != nil {
		return p.caps
	}
	return 0
}

// List is Capabilities for listing and scanning a folder, whose path may come with
// or without its trailing slash. The order is: exact with the slash, exact without,
// patterns with, patterns without.
func (a *ACL) List(path string) Capability {
	if a == nil {
		return 0
	}
	folder := path
	if !strings.HasSuffix(path, "/") {
		folder = path + "/"
	}
	bare := folder[:len(folder)-1]
	for _, name := range [...]string{folder, bare} {
		if caps, ok := a.exact[name]; ok {
			return caps
		}
	}
	for _, name := range [...]string{folder, bare} {
		if p := a.patterns.best(name); p != nil {
			return p.caps
		}
	}
	return 0
}

// Allows says whether path has every capability of want; List and Scan are looked
// up as List does.
func (a *ACL) Allows(path string, want Capability) bool {
	if want&(List|Scan) != 0 {
		return a.List(path).Has(want)
	}
	return a.Capabilities(path).Has(want)
}
