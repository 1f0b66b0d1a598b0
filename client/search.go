package client

import (
	"context"
	"iter"

	"github.com/coffer-dev/coffer/api/canonical"
)

// Query says what a search looks for.
type Query struct {
	// Text is searched for, in any case, in paths, fragment names, owners and custom
	// metadata, never in values. Empty finds everything below Prefix.
	Text string
	// Prefix is a canonical URI whose path segments are matched whole; empty searches
	// every mount that the server allows.
	Prefix string
	// PageSize is how many hits one request brings, at most 1,000; 0 leaves it to the
	// server.
	PageSize int
}

// Search gives what the caller may see of the secrets that match, ordered by URI,
// one request per page. An error ends it; ErrTruncated when not every path was
// visited. Secrets that come or go meanwhile may be missed or given twice.
func (c *Client) Search(ctx context.Context, q Query) iter.Seq2[canonical.Item, error] {
	return c.pages(func(offset int) (canonical.Page, error) { return c.SearchPage(ctx, q, offset) })
}

// List gives the secrets below a prefix, as Search does for an empty text.
func (c *Client) List(ctx context.Context, prefix string) iter.Seq2[canonical.Item, error] {
	return c.Search(ctx, Query{Prefix: prefix})
}

// SearchPage gives one page of Search.
func (c *Client) SearchPage(ctx context.Context, q Query, offset int) (canonical.Page, error) {
	r := get("/search", "prefix", q.Prefix, "offset", number(offset), "limit", number(q.PageSize))
	r.query.Set("q", q.Text) // empty is not absent
	return send[canonical.Page](ctx, c, r)
}

// Leaves gives every leaf of a developer's YAML file below a prefix, as Search gives
// its hits.
func (c *Client) Leaves(ctx context.Context, prefix string) iter.Seq2[canonical.Item, error] {
	return c.pages(func(offset int) (canonical.Page, error) {
		return send[canonical.Page](ctx, c, get("/metadata", "prefix", prefix, "offset", number(offset)))
	})
}

// Keys gives the keys of one map of a developer's YAML file, sorted.
func (c *Client) Keys(ctx context.Context, uri string) ([]string, error) {
	out, err := send[canonical.Keys](ctx, c, get("/keys", "uri", uri))
	return out.Keys, err
}

func (c *Client) pages(page func(offset int) (canonical.Page, error)) iter.Seq2[canonical.Item, error] {
	return func(yield func(canonical.Item, error) bool) {
		for offset := 0; ; {
			p, err := page(offset)
			if err != nil {
				yield(canonical.Item{}, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			offset += len(p.Items)
			if len(p.Items) > 0 && offset < p.Total {
				continue
			}
			if p.Truncated {
				yield(canonical.Item{}, ErrTruncated)
			}
			return
		}
	}
}
