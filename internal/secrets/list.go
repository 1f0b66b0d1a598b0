package secrets

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Limits of listing and search.
const (
	maxPage    = 1000
	maxVisited = 10_000
	maxQuery   = 256 // bytes
)

// Listing is the input of Leaves.
type Listing struct {
	Call
	Prefix string
	Paging
}

// Paging picks a page. Limit 0 takes the default.
type Paging struct{ Offset, Limit int }

// Search is the input of Search. An empty Prefix searches every allowed mount; an
// empty Text matches everything and needs a prefix.
type Search struct {
	Call
	Text   string
	Prefix string
	Paging
}

// Leaves lists every leaf of the YAML file below a prefix that the caller may read
// the metadata of.
func (s *Service) Leaves(ctx context.Context, p identity.Principal, in Listing) (Page, error) {
	page, err := s.paging(in.Paging)
	if err != nil {
		return Page{}, err
	}
	t, err := s.reach(p, in.Prefix, form{root: true}, ScopeReadMetadata)
	if err != nil {
		return Page{}, err
	}
	if !t.isFile() {
		return Page{}, unsupported("only file back ends list their leaves")
	}
	return s.visit(ctx, p, in.Call, []target{t}, "", page)
}

// Search finds what the caller may read the metadata of: by path, by the names of
// fragments, by owner and custom metadata, never by value.
func (s *Service) Search(ctx context.Context, p identity.Principal, in Search) (Page, error) {
	page, err := s.paging(in.Paging)
	if err != nil {
		return Page{}, err
	}
	if len(in.Text) > maxQuery {
		return Page{}, fault.Coded(fault.Invalid, "BAD_REQUEST", "q is longer than %d bytes", maxQuery)
	}
	if in.Text == "" && in.Prefix == "" {
		return Page{}, fault.Coded(fault.Invalid, "BAD_REQUEST", "an empty q needs a prefix")
	}
	var roots []target
	if in.Prefix != "" {
		t, err := s.reach(p, in.Prefix, form{root: true}, ScopeReadMetadata)
		if err != nil {
			return Page{}, err
		}
		roots = []target{t}
	} else {
		if err := s.scope(p, ScopeReadMetadata); err != nil {
			return Page{}, err
		}
		roots = s.mountRoots()
	}
	return s.visit(ctx, p, in.Call, roots, in.Text, page)
}

func (s *Service) paging(p Paging) (Paging, error) {
	if p.Limit == 0 {
		p.Limit = s.c.PageLimit
	}
	if p.Offset < 0 || p.Limit < 1 || p.Limit > maxPage {
		return p, fault.Coded(fault.Invalid, "INVALID_PAGINATION", "offset must be 0 or more, limit 1 to %d", maxPage)
	}
	return p, nil
}

func (s *Service) mountRoots() []target {
	scheme, b := s.c.Router.Default()
	var out []target
	for _, m := range s.c.Grammar.Mounts {
		u := secret.URI{Provider: scheme, Engine: secret.EngineKV2, Mount: m}
		out = append(out, target{uri: u, back: b, ref: u.Ref(s.c.Tenant)})
	}
	return out
}

// visit walks the roots and keeps one record of the whole look: a caller without
// any right sees an empty page.
func (s *Service) visit(ctx context.Context, p identity.Principal, call Call, roots []target, text string, pg Paging) (Page, error) {
	l := look{s: s, p: p, call: call, text: strings.ToLower(text), left: maxVisited}
	var err error
	for _, root := range roots {
		if err = errors.Join(needList(root), l.root(ctx, root)); err != nil {
			break
		}
	}
	// Whatever is shown was permitted one by one; the record tells of the look.
	tk := &ticket{s: s, record: s.newRecord(p, call, ask{
		t: roots[0], purpose: policy.ReadMetadata, event: secretListed,
	}, policy.Decision{Permit: true, ID: l.decision, PolicyVersion: l.version})}
	tk.record.Effect = audit.Permit
	if err := tk.final(ctx, 0, s.coded(err, false)); err != nil {
		return Page{}, err
	}
	slices.SortFunc(l.found, func(a, b Item) int { return strings.Compare(a.URI, b.URI) })
	out := Page{Total: len(l.found), Offset: pg.Offset, Limit: pg.Limit, Truncated: l.truncated, Items: []Item{}}
	if pg.Offset < len(l.found) {
		out.Items = l.found[pg.Offset:min(pg.Offset+pg.Limit, len(l.found))]
	}
	return out, nil
}

// look is one walk over the store.
type look struct {
	s         *Service
	p         identity.Principal
	call      Call
	text      string // lower case
	left      int    // paths that may still be visited
	found     []Item
	truncated bool
	decision  string // of the last decision, for the record
	version   string
}

// stretch is how many paths are listed and decided at once.
const stretch = 256

// root visits the path of root itself and everything below it.
func (l *look) root(ctx context.Context, root target) error {
	if root.ref.Path != "" {
		if _, err := root.back.Store.Meta(ctx, root.ref); err == nil || root.isFile() {
			if err := l.paths(ctx, root, []string{root.ref.Path}); err != nil {
				return err
			}
		}
	}
	after := ""
	for {
		names, err := root.back.Store.List(ctx, root.ref, secret.ListOptions{Recursive: true, After: after, Limit: stretch})
		if err != nil || len(names) == 0 {
			return err
		}
		after = names[len(names)-1]
		if len(names) > l.left {
			names, l.truncated = names[:l.left], true
		}
		l.left -= len(names)
		paths := make([]string, len(names))
		for i, n := range names {
			paths[i] = n
			if root.ref.Path != "" {
				paths[i] = root.ref.Path + "/" + n
			}
		}
		if err := l.paths(ctx, root, paths); err != nil || l.truncated {
			return err
		}
	}
}

// paths decides over paths at once and keeps those that match.
func (l *look) paths(ctx context.Context, root target, paths []string) error {
	ts := make([]target, len(paths))
	asks := make([]policy.Request, 0, 2*len(paths))
	for i, path := range paths {
		t := root
		t.uri.Path, t.ref.Path = path, path
		ts[i] = t
		asks = append(asks, l.ask(t, false))
	}
	full := l.s.c.Decider.DecideAll(ctx, asks)
	asks = asks[:0]
	for _, t := range ts {
		asks = append(asks, l.ask(t, true))
	}
	names := l.s.c.Decider.DecideAll(ctx, asks)
	for i, t := range ts {
		l.decision, l.version = full[i].ID, full[i].PolicyVersion
		for _, d := range []policy.Decision{full[i], names[i]} {
			if !d.Permit && d.Reason == policy.ReasonUnavailable {
				return refusal(d)
			}
		}
		if !full[i].Permit && !names[i].Permit {
			continue
		}
		if err := l.match(ctx, t, full[i].Permit); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) ask(t target, namesOnly bool) policy.Request {
	return l.s.request(l.p, l.call, ask{t: t, purpose: policy.ReadMetadata, namesOnly: namesOnly})
}

// match adds what a path has to show. full says whether fragment names and custom
// metadata may be looked at, not the name alone.
func (l *look) match(ctx context.Context, t target, full bool) error {
	if t.isFile() {
		return l.matchFile(ctx, t)
	}
	item := Item{URI: t.uri.String(), Path: t.ref.Key()}
	if l.in(item.Path) {
		item.Matched = append(item.Matched, "path")
	}
	if full && l.text != "" {
		if err := l.matchFragments(ctx, t, &item); err != nil {
			return err
		}
		if err := l.matchCustom(ctx, t, &item); err != nil {
			return err
		}
	}
	if len(item.Matched) > 0 {
		l.found = append(l.found, item)
	}
	return nil
}

func (l *look) matchFragments(ctx context.Context, t target, item *Item) error {
	got, err := t.back.Store.Get(ctx, t.ref, 0)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.VersionNotFound, fault.Deleted, fault.Destroyed:
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range got.Value.Names() {
		if l.in(name) {
			item.Keys = append(item.Keys, name)
		}
	}
	if len(item.Keys) > 0 {
		item.Matched = append(item.Matched, "key")
	}
	return nil
}

func (l *look) matchCustom(ctx context.Context, t target, item *Item) error {
	if !t.back.Can.Metadata {
		return nil
	}
	m, err := metaOf(ctx, t.back.Store, t)
	if err != nil || m == nil {
		return err
	}
	if owner := m.Custom[customOwner]; owner != "" && l.in(owner) {
		item.Matched = append(item.Matched, "owner")
	}
	for k, v := range m.Custom {
		if k != customOwner && (l.in(k) || l.in(v)) {
			item.Matched = append(item.Matched, "metadata")
			break
		}
	}
	return nil
}

// matchFile adds the leaves of one map of the file: an item per member that is not
// a map itself.
func (l *look) matchFile(ctx context.Context, t target) error {
	got, err := t.back.Store.Get(ctx, t.ref, 0)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	case !got.Value.IsObject():
		l.addLeaf(leafOf(t))
		return nil
	}
	for _, name := range got.Value.Names() {
		if v, ok := got.Value.Field(name); ok && !v.IsObject() {
			u := t.uri
			u.Fragment = name
			l.addLeaf(Item{URI: u.String(), Path: t.ref.Key(), Key: name})
		}
	}
	return nil
}

// leafOf names a scalar node as a member of its parent.
func leafOf(t target) Item {
	u := t.uri
	i := strings.LastIndexByte(u.Path, '/')
	u.Fragment, u.Path = u.Path[i+1:], u.Path[:max(i, 0)]
	return Item{URI: u.String(), Path: strings.TrimSuffix(u.Ref(t.ref.Tenant).Key(), "/"), Key: u.Fragment}
}

func (l *look) addLeaf(item Item) {
	if slices.ContainsFunc(l.found, func(i Item) bool { return i.URI == item.URI }) {
		return
	}
	if l.in(item.Path) {
		item.Matched = append(item.Matched, "path")
	}
	if l.text != "" && l.in(item.Key) {
		item.Matched = append(item.Matched, "key")
		item.Keys = []string{item.Key}
	}
	if len(item.Matched) > 0 {
		l.found = append(l.found, item)
	}
}

func (l *look) in(s string) bool { return strings.Contains(strings.ToLower(s), l.text) }
