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
		// In a recursive listing every name is a leaf, and nothing is skipped with it.
		w.span = w.span.After(w.tenant, kindMeta, base+opts.After, !opts.Recursive && folder(opts.After))
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

func folder(name string) bool { return strings.HasSuffix(name, "/") }

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

// How many keys are looked at before a jump: few where folders are jumped over, more
// and more along a row of leaves.
const (
	firstBatch = 64
	lastBatch  = 4096
)

func (w *walk) level(ctx context.Context, limit int) ([]string, error) {
	names := []string{}
	for batch := firstBatch; ; batch = min(2*batch, lastBatch) {
		rs, err := w.v.r.Names(ctx, w.span, batch)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			rest := strings.TrimPrefix(r.Key.Path, w.base)
			name, _, below := strings.Cut(rest, "/")
			if below {
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
		last := names[len(names)-1]
		if folder(last) {
			batch = firstBatch / 2
		}
		w.span = w.span.After(w.tenant, kindMeta, w.base+last, folder(last))
	}
}
