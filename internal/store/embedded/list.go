package embedded

import (
	"context"
	"strings"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/secret"
)

// List walks the metadata keys in order. One level below the prefix is told by
// jumping over each folder, so that its cost is what it shows.
func (v *view) List(ctx context.Context, prefix secret.Ref, opts secret.ListOptions) ([]string, error) {
	if err := v.s.check(prefix, prefix.ValidatePrefix()); err != nil {
		return nil, err
	}
	base := prefix.Mount + "/"
	if prefix.Path != "" {
		base += prefix.Path + "/"
	}
	w := walk{v: v, tenant: prefix.Tenant, base: base, span: ledger.Under(prefix.Tenant, kindMeta, base)}
	if opts.After != "" {
		w.skip(opts.After)
	}
	if opts.Recursive {
		return w.leaves(ctx, opts.Limit)
	}
	return w.level(ctx, opts.Limit)
}

type walk struct {
	v      *view
	tenant string
	base   string
	span   ledger.Span
}

// skip continues behind a name; behind a folder that is behind all it holds.
func (w *walk) skip(name string) {
	w.span = w.span.After(w.tenant, kindMeta, w.base+name, strings.HasSuffix(name, "/"))
}

func (w *walk) leaves(ctx context.Context, limit int) ([]string, error) {
	rs, err := w.v.r.Names(ctx, w.span, limit)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(rs))
	for _, r := range rs {
		names = append(names, strings.TrimPrefix(r.Key.Path, w.base))
	}
	return names, nil
}

// batch is how many keys are looked at before a jump.
const batch = 64

func (w *walk) level(ctx context.Context, limit int) ([]string, error) {
	names := []string{}
	for {
		rs, err := w.v.r.Names(ctx, w.span, batch)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			rest := strings.TrimPrefix(r.Key.Path, w.base)
			name, _, folder := strings.Cut(rest, "/")
			if folder {
				name += "/"
			}
			if len(names) > 0 && names[len(names)-1] == name {
				continue
			}
			if limit > 0 && len(names) == limit {
				return names, nil
			}
			names = append(names, name)
		}
		if len(rs) < batch {
			return names, nil
		}
		w.skip(names[len(names)-1])
	}
}
