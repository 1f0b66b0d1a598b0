package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

// maxAnswer bounds what is read of one answer: no answer of the door is near it.
const maxAnswer = 64 << 20

// call is one operation, which may take several attempts.
type call struct {
	method string
	route  string // below /api/secrets
	query  url.Values
	header http.Header
	body   []byte
}

// answer is a success: 200 with its body, or 304.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send performs a call and decodes its answer.
func send[T any](ctx context.Context, c *Client, r *call) (T, error) {
	var out, none T
	a, err := c.perform(ctx, r)
	if err != nil {
		return none, err
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		return none, fmt.Errorf("the answer is no %T", out) // without the cause, which may quote it
	}
	return out, nil
}

// mutate performs a mutation that has a body.
func mutate[T any](ctx context.Context, c *Client, route string, body any, opts []Option) (T, error) {
	text, err := encode(body)
	if err != nil {
		var none T
		return none, err
	}
	return send[T](ctx, c, &call{method: http.MethodPost, route: route, header: mutation(opts), body: text})
}

// attempt sends a call once and reads its answer.
func (c *Client) attempt(ctx context.Context, r *call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	resp, err := c.open(ctx, r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, &brokenError{fmt.Errorf("read the answer: %w", err)}
	}
	if len(body) > maxAnswer {
		return answer{}, errors.New("the answer is too large")
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified:
		return answer{resp.StatusCode, resp.Header, body}, nil
	}
	return answer{}, refused(resp, body)
}

// open sends a call once; the caller reads and closes what comes.
func (c *Client) open(ctx context.Context, r *call) (*http.Response, error) {
	target := c.base + r.route
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cfg.CorrelationID != nil {
		if id := c.cfg.CorrelationID(ctx); id != "" {
			req.Header.Set("X-Correlation-ID", id)
		}
	}
	if c.cfg.Token != nil {
		token, err := c.cfg.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("get a token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &brokenError{fmt.Errorf("send the request: %w", withoutURL(err))}
	}
	return resp, nil
}

// brokenError is an attempt without an answer: nobody knows whether it had an effect.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// withoutURL drops the URL from an error of net/http, for it names a secret.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refused reads an answer that is no success. Of one that is not Coffer's nothing is
// kept but the status.
func refused(resp *http.Response, body []byte) *Error {
	e := &Error{Status: resp.StatusCode, CorrelationID: resp.Header.Get("X-Correlation-ID")}
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	var wire canonical.Error
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media == "application/json" && json.Unmarshal(body, &wire) == nil {
		e.Code, e.Message, e.Details = wire.Code, wire.Message, wire.Details
	}
	return e
}

// encode renders a body with its texts as they are.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
