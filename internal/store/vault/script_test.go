package vault_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

// script is a server that answers what a test tells it and remembers what it was
// asked.
type script struct {
	mu      sync.Mutex
	asked   []asked
	respond func(asked) said
}

// asked is one request as it came in.
type asked struct {
	method, target, token, body string
	header                      http.Header
}

// said is one answer; silence says nothing until the asker gives up.
type said struct {
	status   int
	body     string
	location string
	silence  bool
	hangUp   bool
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	q := asked{method: r.Method, target: r.URL.RequestURI(), token: r.Header.Get("X-Vault-Token"), body: string(body), header: r.Header}
	s.mu.Lock()
	s.asked = append(s.asked, q)
	a := s.respond(q)
	s.mu.Unlock()
	switch {
	case a.silence:
		<-r.Context().Done()
		return
	case a.hangUp:
		panic(http.ErrAbortHandler)
	case a.location != "":
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (s *script) targets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, q := range s.asked {
		out = append(out, q.method+" "+q.target)
	}
	return out
}

func (s *script) count() int { return len(s.targets()) }

// always answers the same.
func always(status int, body string) func(asked) said {
	return func(asked) said { return said{status: status, body: body} }
}

// bench is an adapter on a scripted server, with its clock, log and metrics.
type bench struct {
	*testing.T
	*vault.Store
	script *script
	clock  *clock
	pauses chan time.Duration
	tick   chan time.Time
	opened int
	mu     sync.Mutex
	seen   []string
	log    bytes.Buffer
}

// newBench makes an adapter whose attempts give up after 50 ms and whose pauses
// take no time.
func newBench(t *testing.T, respond func(asked) said, change func(*vault.Config)) *bench {
	t.Helper()
	b := &bench{T: t, script: &script{respond: respond}, clock: &clock{}, pauses: make(chan time.Duration, 100)}
	server := httptest.NewServer(b.script)
	t.Cleanup(server.Close)
	cfg := vault.Config{
		Kind: vault.OpenBao, Address: server.URL, Tenant: "a", Token: "broker-token",
		Timeout: 5 * time.Second, AttemptTimeout: 50 * time.Millisecond, Clock: b.clock.Now,
		After:  b.after,
		Random: func() float64 { return 0.5 },
		Observe: func(op string, _ time.Duration, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if err != nil {
				op += " " + fault.KindOf(err).Error()
			}
			b.seen = append(b.seen, op)
		},
		OnCircuitOpen: func() { b.opened++ },
		Log:           slog.New(slog.NewTextHandler(&b.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := vault.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Store = s
	return b
}

// after notes a pause and ends it at once, or with the next tick when the test
// gives them.
func (b *bench) after(d time.Duration) <-chan time.Time {
	b.pauses <- d
	if b.tick != nil {
		return b.tick
	}
	over := make(chan time.Time, 1)
	over <- time.Time{}
	return over
}

func (b *bench) get(version int64) (secret.Secret, error) {
	return b.Get(context.Background(), ref("app/api"), version)
}

func (b *bench) put() error {
	_, err := b.Put(context.Background(), ref("app/api"), secret.Stored([]byte(`{"k":"marker-value"}`)), nil)
	return err
}

func (b *bench) fails(err error, kind fault.Kind) {
	b.Helper()
	if err == nil || fault.KindOf(err) != kind {
		b.Fatalf("got %v, want %v", err, kind)
	}
	for _, hidden := range []string{"broker-token", "marker-value", "app/api", "the server's words"} {
		if strings.Contains(err.Error(), hidden) {
			b.Fatalf("the error tells %q: %v", hidden, err)
		}
	}
}

func (b *bench) asks(want ...string) {
	b.Helper()
	got := b.script.targets()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.Fatalf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func ref(path string) secret.Ref { return secret.Ref{Tenant: "a", Mount: "secret", Path: path} }

const alive = `{"data":{"data":{"k":"v","n":12345678901234567890,"f":1.0},"metadata":{"created_time":"2026-01-02T03:04:05Z",` +
	`"custom_metadata":{"owner":"me"},"deletion_time":"","destroyed":false,"version":3}}}`
