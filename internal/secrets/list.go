package secrets

import (
	"context"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
	"github.com/coffer-dev/coffer/internal/secrets/search"
)

// Limits of listing and search.
const (
	maxPage  = 1000
	maxQuery = 256 // bytes
)

// Listing is the input of Leaves.
type Listing struct {
	Call
	Prefix string
	Paging
}

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
	if !t.IsFile() {
		return Page{}, unsupported("only file back ends list their leaves")
	}
	return s.look(ctx, p, in.Call, []guard.Target{t}, "", page)
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
	if in.Prefix == "" {
		if err := s.scope(p, ScopeReadMetadata); err != nil {
			return Page{}, err
		}
		return s.look(ctx, p, in.Call, s.mountRoots(), in.Text, page)
	}
	t, err := s.reach(p, in.Prefix, form{root: true}, ScopeReadMetadata)
	if err != nil {
		return Page{}, err
	}
	if err := needList(t); err != nil {
		return Page{}, err
	}
	return s.look(ctx, p, in.Call, []guard.Target{t}, in.Text, page)
}

func (s *Service) look(ctx context.Context, p identity.Principal, call Call, roots []guard.Target, text string, pg Paging) (Page, error) {
	if len(roots) == 0 {
		return Page{Items: []Item{}, Offset: pg.Offset, Limit: pg.Limit}, nil // no mount is allowed
	}
	return search.Run(ctx, s.guard, search.Input{
		Principal: p, Call: call.guard(), Roots: roots, Text: text, Paging: pg, Event: secretListed,
		Coded: func(err error) error { return codes.Coded(err, false) },
	})
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

func (s *Service) mountRoots() []guard.Target {
	scheme, b := s.c.Router.Default()
	var out []guard.Target
	for _, m := range s.c.Grammar.Mounts {
		u := secret.URI{Provider: scheme, Engine: secret.EngineKV2, Mount: m}
		out = append(out, guard.Target{URI: u, Back: b, Ref: u.Ref(s.c.Tenant)})
	}
	return out
}
