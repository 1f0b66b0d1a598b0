package client

import (
	"context"

	"github.com/coffer-dev/coffer/api/canonical"
)

// Detail reads metadata and versions of a key, newest first, never values.
func (c *Client) Detail(ctx context.Context, uri string) (canonical.Detail, error) {
	return send[canonical.Detail](ctx, c, get("/metadata/detail", "uri", uri))
}

// Versions reads the versions of a key, newest first.
func (c *Client) Versions(ctx context.Context, uri string) (canonical.VersionsList, error) {
	return send[canonical.VersionsList](ctx, c, get("/versions", "uri", uri))
}

// Undelete makes deleted versions readable again. Unknown and destroyed numbers are
// in Ignored of the answer.
func (c *Client) Undelete(ctx context.Context, uri string, versions []int64, opts ...Option) (canonical.VersionsResponse, error) {
	return mutate[canonical.VersionsResponse](ctx, c, "/undelete", canonical.VersionsRequest{URI: uri, Versions: versions}, opts)
}

// DestroyVersions erases the data of versions for good.
func (c *Client) DestroyVersions(ctx context.Context, uri string, versions []int64, opts ...Option) (canonical.VersionsResponse, error) {
	return mutate[canonical.VersionsResponse](ctx, c, "/destroy-versions", canonical.VersionsRequest{URI: uri, Versions: versions}, opts)
}

// SetOwner sets the owner, a subject or a group of 1 to 512 printable bytes.
func (c *Client) SetOwner(ctx context.Context, uri, owner string, opts ...Option) (canonical.OwnerResponse, error) {
	return mutate[canonical.OwnerResponse](ctx, c, "/metadata/owner", canonical.OwnerRequest{URI: uri, Owner: owner}, opts)
}
