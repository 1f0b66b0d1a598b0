package vault

import (
	"context"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// List gives the names below prefix. Names that no Ref can hold are left out, and
// pages are cut here, because one of the two servers cannot page.
func (s *Store) List(ctx context.Context, prefix secret.Ref, opts secret.ListOptions) (names []string, err error) {
	if err := s.admit(prefix, prefix.ValidatePrefix()); err != nil {
		return nil, err
	}
	err = s.perform(ctx, "list", func(ctx context.Context) error {
		if opts.Recursive {
			names, err = s.leaves(ctx, prefix)
		} else {
			names, err = s.level(ctx, prefix)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return page(names, opts), nil
}

func (s *Store) level(ctx context.Context, prefix secret.Ref) ([]string, error) {
	return s.keys(ctx, query{method: "LIST", path: at(prefix, "metadata")})
}

func (s *Store) keys(ctx context.Context, q query) ([]string, error) {
	a, err := s.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	names, err := readKeys(a)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return !addressable(name) }), nil
}

// leaves uses SCAN where the server has it and lets us; else it walks.
func (s *Store) leaves(ctx context.Context, prefix secret.Ref) ([]string, error) {
	if s.cfg.Kind == OpenBao && !s.noScan.Load() {
		names, err := s.keys(ctx, query{method: "SCAN", path: at(prefix, "metadata")})
		switch fault.KindOf(err) {
		case fault.Unsupported, fault.ProviderDenied:
			s.noScan.Store(true)
		default:
			return names, err
		}
	}
	return s.walk(ctx, prefix)
}

// walk lists folder after folder.
func (s *Store) walk(ctx context.Context, prefix secret.Ref) ([]string, error) {
	var out []string
	folders := []string{""}
	for len(folders) > 0 {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		below := prefix
		below.Path = strings.Trim(prefix.Path+"/"+folder, "/")
		if len(below.Path) > secret.MaxPath {
			continue // no Ref can name what lies there
		}
		names, err := s.level(ctx, below)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, "/") {
				folders = append(folders, folder+name)
				continue
			}
			out = append(out, folder+name)
		}
	}
	return out, nil
}

// addressable says whether every segment of a listed name is legal.
func addressable(name string) bool {
	for seg := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if !secret.ValidSegment(seg) {
			return false
		}
	}
	return true
}

// page sorts names and cuts out what the options ask for.
func page(names []string, opts secret.ListOptions) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	from, found := slices.BinarySearch(names, opts.After)
	if found {
		from++
	}
	names = names[from:]
	if opts.Limit > 0 && len(names) > opts.Limit {
		names = names[:opts.Limit]
	}
	return names
}

// at is the path of a request: mount, endpoint, path. The client escapes each
// segment; a Ref holds nothing that could make one into two.
func at(ref secret.Ref, endpoint string) string {
	return strings.TrimSuffix(ref.Mount+"/"+endpoint+"/"+ref.Path, "/")
}
