package search

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

// MaxVisited is how many paths one search looks at; more make it truncated.
const MaxVisited = 10_000

// owner is the custom metadata key that is matched as the owner.
const owner = "owner"

// Item is one hit of a listing or search.
type Item struct {
	URI     string
	Path    string   // mount and path
	Key     string   // fragment name, of a leaf of the YAML file
	Matched []string // path, key, owner, metadata
	Keys    []string // fragment names that matched
}

// Paging picks a page.
type Paging struct{ Offset, Limit int }

// Page is one page of items; Total counts them all.
type Page struct {
	Items         []Item
	Total         int
	Offset, Limit int
	Truncated     bool // not every path was visited
}

// Input says who looks where for what.
type Input struct {
	Principal identity.Principal
	Call      guard.Call
	Roots     []guard.Target
	Text      string // empty matches everything
	Paging    Paging
	Event     string // as the audit record names the look
	// Coded gives the error of a store its stable token.
	Coded func(error) error
}

// Run walks the roots and keeps one record of the whole look: a caller without any
// right sees an empty page. A listing that fails is an error, never an empty page.
func Run(ctx context.Context, g *guard.Guard, in Input) (Page, error) {
	l := look{g: g, in: in, text: strings.ToLower(in.Text), left: MaxVisited, leaves: map[string]bool{}}
	var err error
	for _, root := range in.Roots {
		if err = l.root(ctx, root); err != nil {
			break
		}
	}
	// Whatever is shown was permitted one by one; the record tells of the look.
	tk := g.Ticket(in.Principal, in.Call, guard.Ask{
		Target: in.Roots[0], Purpose: policy.ReadMetadata, Event: in.Event,
	}, policy.Decision{Permit: true, ID: l.last.ID, PolicyVersion: l.last.PolicyVersion})
	if err := tk.Final(ctx, 0, in.Coded(err)); err != nil {
		return Page{}, err
	}
	slices.SortFunc(l.found, func(a, b Item) int { return strings.Compare(a.URI, b.URI) })
	out := Page{
		Total: len(l.found), Offset: in.Paging.Offset, Limit: in.Paging.Limit, Truncated: l.truncated, Items: []Item{},
	}
	if out.Offset < len(l.found) {
		out.Items = l.found[out.Offset:min(out.Offset+out.Limit, len(l.found))]
	}
	return out, nil
}

// look is one walk over the store.
type look struct {
	g         *guard.Guard
	in        Input
	text      string // lower case
	left      int    // paths that may still be visited
	found     []Item
	leaves    map[string]bool // URIs of the file's leaves that were looked at
	truncated bool
	last      policy.Decision // for the record
}

// stretch is how many paths are listed and decided at once.
const stretch = 256

// root visits the path of root itself and everything below it.
func (l *look) root(ctx context.Context, root guard.Target) error {
	itself, err := exists(ctx, root)
	if err != nil {
		return err
	}
	if itself {
		if err := l.paths(ctx, root, []string{root.Ref.Path}); err != nil {
			return err
		}
	}
	after := ""
	for {
		names, err := root.Back.Store.List(ctx, root.Ref, secret.ListOptions{Recursive: true, After: after, Limit: stretch})
		if err != nil || len(names) == 0 {
			return err
		}
		after = names[len(names)-1]
		if len(names) > l.left {
			names, l.truncated = names[:l.left], true
		}
		l.left -= len(names)
		paths := names
		if root.Ref.Path != "" {
			paths = make([]string, len(names))
			for i, n := range names {
				paths[i] = root.Ref.Path + "/" + n
			}
		}
		if err := l.paths(ctx, root, paths); err != nil || l.truncated {
			return err
		}
	}
}

// exists says whether the root of a walk is a secret itself; the file tells when it
// is looked at.
func exists(ctx context.Context, root guard.Target) (bool, error) {
	if root.Ref.Path == "" {
		return false, nil
	}
	if root.IsFile() {
		return true, nil
	}
	_, err := root.Back.Store.Meta(ctx, root.Ref)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// paths decides over paths at once and looks at those that are permitted: whole, or
// by name alone.
func (l *look) paths(ctx context.Context, root guard.Target, paths []string) error {
	whole := make([]guard.Ask, 0, len(paths))
	for _, path := range paths {
		t := root
		t.URI.Path, t.Ref.Path = path, path
		if t.IsFile() || t.Ref.Validate() == nil { // what has no address here cannot be shown
			whole = append(whole, guard.Ask{Target: t, Purpose: policy.ReadMetadata})
		}
	}
	full, err := l.decide(ctx, whole)
	if err != nil {
		return err
	}
	var names []guard.Ask
	for i, a := range whole {
		if !full[i] {
			a.NamesOnly = true
			names = append(names, a)
		}
	}
	named, err := l.decide(ctx, names)
	if err != nil {
		return err
	}
	for i, a := range whole {
		shown := full[i]
		if !shown {
			shown, named = named[0], named[1:]
		}
		if !shown {
			continue
		}
		if err := l.match(ctx, a.Target, full[i]); err != nil {
			return err
		}
	}
	return nil
}

// decide says what is permitted; a decider that cannot be asked ends the look.
func (l *look) decide(ctx context.Context, asks []guard.Ask) ([]bool, error) {
	out := make([]bool, len(asks))
	for i, d := range l.g.Decide(ctx, l.in.Principal, l.in.Call, asks) {
		if !d.Permit && d.Reason == policy.ReasonUnavailable {
			return nil, guard.Denial(d)
		}
		l.last, out[i] = d, d.Permit
	}
	return out, nil
}
