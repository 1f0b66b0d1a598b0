package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

func TestRetries(t *testing.T) {
	read := func(ctx context.Context, c *Client) error { _, err := c.Detail(ctx, uri); return err }
	write := func(ctx context.Context, c *Client) error { _, err := c.Put(ctx, uri, Text(canary)); return err }
	detail := step{status: 200, body: `{"uri":"` + uri + `","current_version":0,"oldest_version":0,"max_versions":0,"versions":[],"custom_metadata":{}}`}
	busy, down, cut := refusal(429, canonical.CodeTooManyRequests), refusal(503, canonical.CodeAuditUnavailable), step{}
	later := down
	later.headers = "Retry-After: 31"
	running, conflict := refusal(409, canonical.CodeIdempotencyRunning), refusal(409, canonical.CodeWriteConflict)
	ms := func(n ...int) (out []time.Duration) {
		for _, m := range n {
			out = append(out, time.Duration(m)*time.Millisecond)
		}
		return out
	}
	for name, c := range map[string]struct {
		call  func(context.Context, *Client) error
		steps []step
		waits []time.Duration
		code  string // of the error; "-": none; "": one without a code
	}{
		"read, busy":                 {read, []step{busy, down, detail}, ms(1000, 1000), "-"},
		"read, busy for good":        {read, []step{busy, busy, busy, busy}, ms(1000, 1000, 1000), "TOO_MANY_REQUESTS"},
		"read, busy for long":        {read, []step{later}, nil, "AUDIT_UNAVAILABLE"},
		"read, broken":               {read, []step{cut, cut, detail}, ms(200, 400), "-"},
		"read, broken for good":      {read, []step{cut, cut, cut, cut}, ms(200, 400, 800), ""},
		"read, refused":              {read, []step{refusal(403, canonical.CodeAuthzFailed)}, nil, "SECRET_AUTHZ_FAILED"},
		"read, bug":                  {read, []step{refusal(500, canonical.CodeInternal)}, nil, "INTERNAL"},
		"read, back end":             {read, []step{refusal(502, canonical.CodeVaultTimeout)}, nil, "VAULT_TIMEOUT"},
		"write, busy":                {write, []step{busy}, nil, "TOO_MANY_REQUESTS"},
		"write, down":                {write, []step{down}, nil, "AUDIT_UNAVAILABLE"},
		"write, conflict":            {write, []step{conflict}, nil, "WRITE_CONFLICT"},
		"write, broken":              {write, []step{cut, written("1")}, ms(200), "-"},
		"write, broken, in progress": {write, []step{cut, running, running, written("1")}, ms(200, 400, 800), "-"},
		"write, broken, conflict":    {write, []step{cut, conflict}, ms(200), "WRITE_CONFLICT"},
		"write, broken, down":        {write, []step{cut, down}, ms(200), "AUDIT_UNAVAILABLE"},
		"write, in progress":         {write, []step{running}, nil, "IDEMPOTENCY_IN_PROGRESS"},
		"write, broken for good":     {write, []step{cut, cut, cut, cut}, ms(200, 400, 800), ""},
	} {
		t.Run(name, func(t *testing.T) {
			client, s := play(t, c.steps...)
			err := c.call(t.Context(), client)
			if (err == nil) != (c.code == "-") || err != nil && CodeOf(err) != c.code {
				t.Fatalf("error %v, want %q", err, c.code)
			}
			if err != nil && (strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "app/api")) {
				t.Fatalf("the error tells too much: %v", err)
			}
			requests := s.done()
			if !slices.Equal(s.waits, c.waits) {
				t.Fatalf("waits %v, want %v", s.waits, c.waits)
			}
			for _, r := range requests {
				if r.header.Get("Idempotency-Key") != requests[0].header.Get("Idempotency-Key") {
					t.Fatal("a repetition has another key")
				}
			}
		})
	}
}

func TestEveryMutationHasItsOwnKey(t *testing.T) {
	client, s := play(t, written("1"), written("2"))
	for range 2 {
		if _, err := client.Put(t.Context(), uri, Text("v")); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.done(); r[0].header.Get("Idempotency-Key") == r[1].header.Get("Idempotency-Key") {
		t.Fatal("two mutations under one key: the second would have no effect")
	}
}

func TestACancelledCallIsNotRepeated(t *testing.T) {
	client, s := play(t, step{}, step{})
	ctx, cancel := context.WithCancel(t.Context())
	client.pause = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	if _, err := client.Get(ctx, uri); err == nil {
		t.Fatal("no error")
	}
	if _, err := client.Get(ctx, uri); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) != 1 {
		t.Fatalf("%d requests", len(s.seen))
	}
}

func TestATokenIsAskedForEachAttempt(t *testing.T) {
	n := 0
	client, s := playWith(t, Config{
		UserAgent: "mine/1", CorrelationID: func(context.Context) string { return "job-7" },
		Token: func(context.Context) (string, error) { n++; return fmt.Sprint("t", n), nil },
	}, step{}, step{status: 200, body: `{}`})
	if _, err := client.Get(t.Context(), uri); err != nil {
		t.Fatal(err)
	}
	r := s.done()
	if r[0].header.Get("Authorization") != "Bearer t1" || r[1].header.Get("Authorization") != "Bearer t2" {
		t.Fatal(r[0].header, r[1].header)
	}
	if r[0].header.Get("User-Agent") != "mine/1" || r[0].header.Get("X-Correlation-ID") != "job-7" {
		t.Fatal(r[0].header)
	}

	cause := errors.New("no credentials")
	client, s = playWith(t, Config{Token: func(context.Context) (string, error) { return "", cause }})
	if _, err := client.Get(t.Context(), uri); !errors.Is(err, cause) || len(s.done()) != 0 {
		t.Fatal(err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	client, s := play(t, step{status: 307, headers: "Location: /api/secrets/value?uri=x", foreign: true})
	var e *Error
	if _, err := client.Get(t.Context(), uri); !errors.As(err, &e) || e.Status != 307 || len(s.done()) != 1 {
		t.Fatal(err)
	}
}

func TestASlowAnswerIsGivenUp(t *testing.T) {
	client, s := playWith(t, Config{Timeout: time.Nanosecond, Attempts: 2})
	if _, err := client.Get(t.Context(), uri); !errors.Is(err, context.DeadlineExceeded) || len(s.waits) != 1 {
		t.Fatalf("%v after waits %v", err, s.waits)
	}
}

func TestConcurrentCalls(t *testing.T) {
	steps := make([]step, 40)
	for i := range steps {
		steps[i] = written("1")
	}
	client, s := play(t, steps...)
	var wg sync.WaitGroup
	for range len(steps) {
		wg.Go(func() {
			if _, err := client.Put(t.Context(), uri, Text("v")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.done()
}

func TestNew(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://127.0.0.1:8091": true, "https://coffer.example.eu/": true, "https://example.eu/coffer": true,
		"": false, "127.0.0.1:8091": false, "ftp://x": false, "http://": false, "http://u:p@h": false,
		"http://h?x": false, "http://h#x": false, "http://h\x7f": false,
	} {
		if _, err := New(Config{URL: url}); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
	given := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}
	if _, err := New(Config{URL: "http://h", HTTPClient: given}); err != nil || given.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestJitterAndPause(t *testing.T) {
	for range 100 {
		if d := jitter(10); d < 0 || d >= 10 {
			t.Fatal(d)
		}
	}
	if jitter(0) != 0 || jitter(1) != 0 {
		t.Fatal("jitter where none may be")
	}
	if err := pause(t.Context(), time.Microsecond); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
