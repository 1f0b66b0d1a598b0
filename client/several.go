package client

import (
	"context"

	"github.com/coffer-dev/coffer/api/canonical"
)

// Bulk runs up to canonical.MaxBulk operations in order, without roll-back. An error
// of one operation is in its result; the error returned is one of the whole call.
func (c *Client) Bulk(ctx context.Context, in canonical.BulkRequest, opts ...Option) (canonical.BulkResponse, error) {
	return mutate[canonical.BulkResponse](ctx, c, "/bulk", in, opts)
}

// Copy copies a value from any provider to any provider. Preconditions are about the
// target.
func (c *Client) Copy(ctx context.Context, in canonical.TransferRequest, opts ...Option) (canonical.TransferResponse, error) {
	return mutate[canonical.TransferResponse](ctx, c, "/copy", in, opts)
}

// Move copies a value and then deletes its source softly. When the copy was made and
// the source stayed, Copied of the error says so.
func (c *Client) Move(ctx context.Context, in canonical.TransferRequest, opts ...Option) (canonical.TransferResponse, error) {
	return mutate[canonical.TransferResponse](ctx, c, "/move", in, opts)
}
