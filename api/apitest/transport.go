package apitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Transport gives a transport that holds every request and answer of an HTTP client
// against the document and fails the test where one does not match. The body of a
// stream is passed on unread. A nil base is http.DefaultTransport.
func (v *Validator) Transport(t testing.TB, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{v: v, t: t, base: base}
}

type transport struct {
	v    *Validator
	t    testing.TB
	base http.RoundTripper
}

// RoundTrip sends one request.
func (tr *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	tr.t.Helper()
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	tr.v.Request(tr.t, req, body)
	resp, err := tr.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	var answer []byte
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		if answer, err = io.ReadAll(resp.Body); err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(answer))
	}
	tr.v.Response(tr.t, req, resp, answer)
	return resp, nil
}
