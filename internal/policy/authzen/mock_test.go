package authzen

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

const permit = `{"decision":true,"context":{"decision_id":"d-1","policy_version":"v1"}}`

// pdp is a decision point of the test: it answers what answer says and keeps what it
// was asked.
type pdp struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(c call) (status int, body string)
	// document is the discovery document, "" for none; set it before the first call.
	document string
}

type call struct {
	path   string
	header http.Header
	body   []byte
	n      int // from 1
}

func newPDP(t *testing.T, answer func(c call) (int, string)) *pdp {
	t.Helper()
	p := &pdp{answer: answer}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// always answers every evaluation with body.
func always(body string) func(call) (int, string) {
	return func(call) (int, string) { return http.StatusOK, body }
}

func (p *pdp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if p.document == "" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, p.document)
		return
	}
	body, _ := io.ReadAll(r.Body)
	c := call{path: r.URL.Path, header: r.Header.Clone(), body: body}
	p.mu.Lock()
	p.calls = append(p.calls, c)
	c.n = len(p.calls)
	answer := p.answer
	p.mu.Unlock()
	status, text := answer(c)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (p *pdp) asked() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]call(nil), p.calls...)
}

func (p *pdp) now(answer func(call) (int, string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *pdp) expectCalls(t *testing.T, want int) {
	t.Helper()
	if got := len(p.asked()); got != want {
		t.Fatalf("decision point was asked %d times, want %d", got, want)
	}
}

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newDecider has a clock of its own, no jitter and countable ids, until change says
// otherwise.
func newDecider(t *testing.T, url string, change func(*Config)) (*Decider, *clock) {
	t.Helper()
	c := &clock{at: time.Now()}
	var mu sync.Mutex
	ids := 0
	cfg := Config{
		URL: url, Now: c.now, Jitter: func() time.Duration { return 0 },
		NewID: func() string {
			mu.Lock()
			defer mu.Unlock()
			ids++
			return fmt.Sprintf("own-%d", ids)
		},
	}
	if change != nil {
		change(&cfg)
	}
	d, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d, c
}

func parse(t testing.TB, raw string) secret.URI {
	t.Helper()
	u, err := secret.Grammar{Mounts: []string{"secret"}}.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func alice() identity.Principal {
	return identity.Principal{
		Tenant: "dev", Subject: "auth:account:main:alice", Issuer: "https://issuer.example",
		ClientID: "web", Audience: []string{"crud.secrets"}, TokenID: "jti-1",
	}
}

func reading(t testing.TB) policy.Request {
	return policy.Request{
		Principal: alice(), Purpose: policy.Execute, Backend: "embedded", Kind: "embedded",
		URI: parse(t, "coffer+kv2://secret/app/api#token"), CorrelationID: "corr-1",
	}
}

func writing(t testing.TB, path string) policy.Request {
	r := reading(t)
	r.Purpose, r.URI = policy.Write, parse(t, "coffer+kv2://secret/"+path)
	return r
}

// expect checks effect and reason of one decision.
func expect(t *testing.T, dec policy.Decision, why policy.Reason) {
	t.Helper()
	if dec.Permit != (why == "") || dec.Reason != why {
		t.Fatalf("permit %v reason %q, want reason %q", dec.Permit, dec.Reason, why)
	}
	if dec.ID == "" || dec.PolicyVersion == "" {
		t.Fatalf("decision without id or policy version: %+v", dec)
	}
}

// evaluations are the questions of a batch call.
func evaluations(t *testing.T, c call) []evaluation {
	t.Helper()
	var b struct {
		Evaluations []evaluation `json:"evaluations"`
		Options     batchOptions `json:"options"`
	}
	if err := json.Unmarshal(c.body, &b); err != nil {
		t.Fatal(err)
	}
	if b.Options.Semantic != "execute_all" {
		t.Errorf("semantic %q", b.Options.Semantic)
	}
	return b.Evaluations
}

func decide(d *Decider, r policy.Request) policy.Decision { return d.Decide(context.Background(), r) }
