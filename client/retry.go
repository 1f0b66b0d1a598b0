package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

// patience is the longest wait for a server that names a time; beyond it the caller
// is told.
const patience = 30 * time.Second

// perform sends a call until it is answered, its attempts are used up or ctx ends.
//
// A read is sent again after 429, 503 and a broken connection. A mutation is sent
// again after a broken connection alone, under the same key, so that it happens
// once; until the server has finished the first one it says so, and is asked again.
func (c *Client) perform(ctx context.Context, r *call) (answer, error) {
	broken := false
	for n := 1; ; n++ {
		a, err := c.attempt(ctx, r)
		if err == nil || ctx.Err() != nil || n == c.cfg.Attempts {
			return a, err
		}
		var cut *brokenError
		broken = broken || errors.As(err, &cut)
		wait := backoff(n)
		if !errors.As(err, &cut) {
			var e *Error
			if !errors.As(err, &e) || e.RetryAfter > patience || !worthwhile(r, e, broken) {
				return a, err
			}
			wait = max(wait, e.RetryAfter)
		}
		if c.pause(ctx, wait+c.jitter(wait/2)) != nil {
			return a, err
		}
	}
}

func worthwhile(r *call, e *Error, broken bool) bool {
	if r.method == http.MethodGet {
		return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
	}
	return broken && e.Code == canonical.CodeIdempotencyRunning
}

// backoff is the wait behind the n-th attempt: 0.2 s, 0.4 s, 0.8 s … up to 6.4 s.
func backoff(n int) time.Duration { return 200 * time.Millisecond << min(n-1, 5) }
