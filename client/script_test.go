package client

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/api/canonical"
)

const (
	uri    = "coffer+kv2://secret/app/api"
	canary = "canary-51c9"
)

// step is what the scripted server does with one request.
type step struct {
	status  int    // 0: the connection breaks before an answer
	headers string // name: value|name: value
	body    string
	foreign bool // the answer is not one of the document
}

// seen is one request as it arrived.
type seen struct {
	method, path, rawQuery string
	query                  map[string][]string
	header                 http.Header
	body                   string
}

// script is a server that answers step by step. Every request, and every answer that
// claims to be Coffer's, is held against the document.
type script struct {
	t     *testing.T
	doc   *apitest.Validator
	mu    sync.Mutex
	steps []step
	seen  []seen
	waits []time.Duration
}

// document reads the document once: it takes a quarter of a second.
func document(t *testing.T) *apitest.Validator {
	t.Helper()
	theDocument.Do(func() { theDocument.v = apitest.New(t, canonical.OpenAPI()) })
	return theDocument.v
}

var theDocument struct {
	sync.Once
	v *apitest.Validator
}

func play(t *testing.T, steps ...step) (*Client, *script) {
	t.Helper()
	return playWith(t, Config{}, steps...)
}

func playWith(t *testing.T, cfg Config, steps ...step) (*Client, *script) {
	t.Helper()
	s := &script{t: t, doc: document(t), steps: steps}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cfg.URL = server.URL
	// net/http repeats a request by itself where a kept connection turns out broken.
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.jitter = func(time.Duration) time.Duration { return 0 }
	c.pause = func(ctx context.Context, d time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waits = append(s.waits, d)
		return ctx.Err()
	}
	return c, s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.doc.Request(s.t, r, body)
	s.mu.Lock()
	s.seen = append(s.seen, seen{r.Method, r.URL.Path, r.URL.RawQuery, r.URL.Query(), r.Header, string(body)})
	if len(s.steps) == 0 {
		s.mu.Unlock()
		s.t.Errorf("an unexpected request: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	now := s.steps[0]
	s.steps = s.steps[1:]
	s.mu.Unlock()
	if now.status == 0 {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	if !now.foreign {
		h.Set("X-Correlation-ID", "c-1")
		h.Set("Cache-Control", "no-store")
	}
	if now.body != "" {
		h.Set("Content-Type", "application/json")
	}
	for line := range strings.SplitSeq(now.headers, "|") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Set(name, value)
		}
	}
	if !now.foreign {
		s.doc.Response(s.t, r, &http.Response{StatusCode: now.status, Header: h}, []byte(now.body))
	}
	w.WriteHeader(now.status)
	_, _ = io.WriteString(w, now.body)
}

// done gives what arrived and fails the test when steps are left.
func (s *script) done() []seen {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.steps) > 0 {
		s.t.Errorf("%d steps were not asked for", len(s.steps))
	}
	return s.seen
}

func refusal(status int, code string) step {
	s := step{status: status, body: `{"error":"` + http.StatusText(status) + `","code":"` + code + `","message":"told why"}`}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		s.headers = "Retry-After: 1"
	case http.StatusUnauthorized:
		s.headers = "WWW-Authenticate: Bearer"
	}
	return s
}

func written(version string) step {
	return step{status: 200, body: `{"status":"ok","uri":"` + uri + `","version":` + version + `,"resource_ref":"` + strings.Repeat("r", 43) + `"}`}
}
