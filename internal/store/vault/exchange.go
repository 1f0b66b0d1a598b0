package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/openbao/openbao/api/v2"

	"github.com/coffer-dev/coffer/internal/fault"
)

// maxAnswer bounds an answer, in bytes: a full listing of a large folder fits.
const maxAnswer = 64 << 20

const (
	jsonType  = "application/json"
	mergeType = "application/merge-patch+json"
)

// query is one request to the server.
type query struct {
	method  string
	path    string // below /v1/, unescaped
	params  url.Values
	body    []byte
	media   string // of body; empty means JSON
	wrapTTL int    // seconds; 0 asks for no wrapping
	token   string
}

// answer is what the server said.
type answer struct {
	status int
	body   []byte
}

// newClient makes the official client with everything switched off that this
// package decides itself: environment, retries, redirects, time limits.
func newClient(cfg *Config) (*api.Client, error) {
	c := api.NewConfig()
	c.Address = cfg.Address
	c.MaxRetries = 0
	c.Timeout = 0
	c.DisableRedirects = true
	c.CheckRetry = func(_ context.Context, _ *http.Response, err error) (bool, error) { return false, err }
	c.HttpClient = &http.Client{
		Transport:     cfg.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, fault.New(fault.Invalid, "vault back end: client cannot be made")
	}
	if cfg.Namespace != "" {
		client.SetNamespace(cfg.Namespace)
	}
	return client, nil
}

// exchange sends one request once. A standby's redirect to the same path on the
// active server is followed, one time; any other is an answer like others.
func (s *Store) exchange(ctx context.Context, q query) (answer, error) {
	r := s.client.NewRequest(q.method, "/v1/"+q.path)
	r.Params, r.ClientToken, r.WrapTTL = q.params, q.token, ""
	if q.wrapTTL > 0 {
		r.WrapTTL = strconv.Itoa(q.wrapTTL)
	}
	if q.body != nil {
		r.BodyBytes = q.body
		r.Headers.Set("Content-Type", orDefault(q.media, jsonType))
	}
	a, next, err := s.send(ctx, r)
	if err != nil || next == nil {
		return a, err
	}
	r.URL.Scheme, r.URL.Host, r.Host = next.Scheme, next.Host, next.Host
	a, _, err = s.send(ctx, r)
	return a, err
}

// send uses the raw request of the client: only it shows the body of a 404 and
// takes token and wrapping per request.
func (s *Store) send(ctx context.Context, r *api.Request) (a answer, active *url.URL, err error) {
	resp, err := s.client.RawRequestWithContext(ctx, r)
	var refused *api.ResponseError
	if err != nil && !errors.As(err, &refused) {
		return answer{}, nil, unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }() // the answer was read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, nil, unanswered(err)
	}
	return answer{status: resp.StatusCode, body: body}, activeServer(resp.Response, r.URL), nil
}

// activeServer is where a standby sends us: same path, and never from TLS to none.
func activeServer(resp *http.Response, asked *url.URL) *url.URL {
	if resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
		return nil
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" || to.User != nil || to.EscapedPath() != asked.EscapedPath() {
		return nil
	}
	if to.Scheme != "https" && (to.Scheme != "http" || asked.Scheme == "https") {
		return nil
	}
	return to
}

// lost says that no answer came; again says whether a read may be tried again.
type lost struct {
	fault *fault.Error
	again bool
}

// Error is for logs.
func (l *lost) Error() string { return l.fault.Error() }

// Unwrap lets errors.As find the fault.
func (l *lost) Unwrap() error { return l.fault }

// unanswered classifies a failed exchange. Its cause leaves out the URL, which
// holds a path.
func unanswered(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var dial *net.OpError
	var cert *tls.CertificateVerificationError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &cert):
		return &lost{fault.Wrap(fault.ProviderFailed, err, "the server's certificate is not trusted"), false}
	case errors.As(err, &large):
		return &lost{fault.New(fault.ProviderFailed, "the server's answer is too large"), false}
	case errors.As(err, &dial) && dial.Op == "dial" && !dial.Timeout():
		return &lost{fault.Wrap(fault.Unavailable, err, "the server cannot be reached"), true}
	}
	return &lost{fault.Wrap(fault.Timeout, err, "the server did not answer"), true}
}

// bounded caps every answer's body before the client buffers it.
type bounded struct{ next http.RoundTripper }

// RoundTrip passes a request on.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
