package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/coffer-dev/coffer/api/canonical"
)

// Value is the JSON of a secret. It prints as [redacted].
type Value = canonical.Value

// Text makes a Value of a string.
func Text(s string) Value { return canonical.Text(s) }

// JSON makes a Value of one JSON text. Its error repeats nothing of the text.
func JSON(text []byte) (Value, error) { return canonical.JSON(text) }

// Secret is a value as read.
type Secret struct {
	// Value is what the fragment of the URI names, or the whole object without one.
	Value Value
	// Version is the version read; 0 on a back end without versions.
	Version int64
}

// ReadOption narrows one Get.
type ReadOption func(*call)

// AtVersion reads one version instead of the latest.
func AtVersion(version int64) ReadOption {
	return func(r *call) { r.query.Set("version", strconv.FormatInt(version, 10)) }
}

// UnlessVersion gives ErrNotModified instead of the value while version is current.
func UnlessVersion(version int64) ReadOption {
	return func(r *call) { r.header.Set("If-None-Match", string(canonical.Match(version))) }
}

// Get reads a value.
func (c *Client) Get(ctx context.Context, uri string, opts ...ReadOption) (Secret, error) {
	r := get("/value", "uri", uri)
	for _, o := range opts {
		o(r)
	}
	a, err := c.perform(ctx, r)
	if err != nil {
		return Secret{}, err
	}
	if a.status == http.StatusNotModified {
		return Secret{}, ErrNotModified
	}
	var s Secret
	if text := a.header.Get("X-Secret-Version"); text != "" {
		if s.Version, err = strconv.ParseInt(text, 10, 64); err != nil {
			return Secret{}, errors.New("the version of the answer is no number")
		}
	}
	if !hasFragment(uri) {
		s.Value, err = canonical.JSON(a.body)
		return s, err
	}
	var wrapped canonical.FragmentResponse
	if json.Unmarshal(a.body, &wrapped) != nil || wrapped.Value.IsZero() {
		return Secret{}, errors.New("the answer holds no value")
	}
	s.Value = wrapped.Value
	return s, nil
}

// hasFragment says whether a URI names one member. Fragment and query may stand in
// either order; an empty fragment is none.
func hasFragment(uri string) bool {
	_, fragment, _ := strings.Cut(uri, "#")
	fragment, _, _ = strings.Cut(fragment, "?")
	return fragment != ""
}

// Put writes a value: under the fragment of the URI, leaving its siblings, or as the
// whole object without one.
func (c *Client) Put(ctx context.Context, uri string, value Value, opts ...Option) (canonical.WriteResponse, error) {
	return mutate[canonical.WriteResponse](ctx, c, "", canonical.WriteRequest{URI: uri, Value: value}, opts)
}

// Rotate writes a value as Put does and tells of it as a rotation.
func (c *Client) Rotate(ctx context.Context, uri string, value Value, opts ...Option) (canonical.RotateResponse, error) {
	return mutate[canonical.RotateResponse](ctx, c, "/rotate", canonical.WriteRequest{URI: uri, Value: value}, opts)
}

// Delete deletes the latest version softly; Undelete brings it back. The URI has no
// fragment. A path that was never written is no error.
func (c *Client) Delete(ctx context.Context, uri string, opts ...Option) (canonical.DeleteResponse, error) {
	r := &call{method: http.MethodDelete, query: query("uri", uri), header: mutation(opts)}
	return send[canonical.DeleteResponse](ctx, c, r)
}

// Destroy removes the key, its metadata and all versions for good. The URI has no
// fragment.
func (c *Client) Destroy(ctx context.Context, uri string, opts ...Option) (canonical.DeleteResponse, error) {
	r := &call{method: http.MethodDelete, query: query("uri", uri, "destroy", "true"), header: mutation(opts)}
	return send[canonical.DeleteResponse](ctx, c, r)
}
