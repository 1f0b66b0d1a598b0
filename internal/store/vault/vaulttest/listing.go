package vaulttest

import (
	"context"
	"strings"

	"github.com/coffer-dev/coffer/internal/secret"
)

func (h *Handler) listNames(ctx context.Context, r *request) reply {
	names, err := h.names(ctx, r)
	switch {
	case err != nil:
		return r.fail(err)
	case len(names) == 0:
		return missing()
	}
	return found(object{"keys": names})
}

// names reads one level, paged where the server can page.
func (h *Handler) names(ctx context.Context, r *request) ([]string, error) {
	var page secret.ListOptions
	if !h.cfg.HashiCorp {
		limit, err := r.queryInteger("limit")
		if err != nil {
			return nil, err
		}
		page = secret.ListOptions{After: r.query.Get("after"), Limit: int(max(limit, 0))}
	}
	return h.cfg.Store.List(ctx, h.ref(r), page)
}

func (h *Handler) scanNames(ctx context.Context, r *request) reply {
	names, err := h.cfg.Store.List(ctx, h.ref(r), secret.ListOptions{Recursive: true})
	switch {
	case err != nil:
		return r.fail(err)
	case len(names) == 0:
		return found(object{})
	}
	return found(object{"keys": names})
}

func (h *Handler) listDetailed(ctx context.Context, r *request) reply {
	names, err := h.names(ctx, r)
	switch {
	case err != nil:
		return r.fail(err)
	case len(names) == 0:
		return missing()
	}
	info := object{}
	for _, name := range names {
		info[name] = object{}
		if strings.HasSuffix(name, "/") {
			continue
		}
		ref := h.ref(r)
		ref.Path = strings.TrimPrefix(ref.Path+"/"+name, "/")
		m, err := h.cfg.Store.Meta(ctx, ref)
		if err != nil {
			return r.fail(err)
		}
		info[name] = h.metaData(m)
	}
	return found(object{"keys": names, "key_info": info})
}
