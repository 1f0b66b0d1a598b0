package vaulttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	baoapi "github.com/openbao/openbao/api/v2"

	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// The time at which every test begins, and how the API shows it.
const (
	t0    = "2026-01-02T03:04:05.000000006Z"
	t0s10 = "2026-01-02T03:04:15.000000006Z"
)

// clock stands still unless a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// settings keeps the settings of the mount of a Memory.
type settings struct {
	memory *storetest.Memory
	mu     sync.Mutex
	now    secret.MountSettings
}

func (s *settings) Mount(context.Context, string, string) (secret.MountSettings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, nil
}

func (s *settings) SetMount(_ context.Context, _, _ string, m secret.MountSettings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = m
	s.memory.Mount(m)
	return nil
}

// world is one server and what a test may do to it.
type world struct {
	*testing.T
	url     string
	handler *vaulttest.Handler
	clock   *clock
	send    sender
}

// newWorld starts a server. change may alter its configuration.
func newWorld(t *testing.T, change func(*vaulttest.Config)) *world {
	t.Helper()
	start, err := time.Parse(time.RFC3339Nano, t0)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: start}
	m := storetest.NewMemory(c.Now)
	cfg := vaulttest.Config{
		Store: m, Tenant: "a", Clock: c.Now, Settings: &settings{memory: m},
		Tokens: map[string]vaulttest.Token{
			"root": {Policies: []string{vaulttest.RootPolicy}},
			"poor": {},
		},
	}
	if change != nil {
		change(&cfg)
	}
	h := vaulttest.New(cfg)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &world{T: t, url: server.URL, handler: h, clock: c, send: openBao(t, server.URL)}
}

// call is one request as a test writes it down.
type call struct {
	do     string        // method and path below /v1/, with query
	body   string        // JSON, or nothing
	header [2]string     // one header more
	token  string        // empty means root, "-" none
	wait   time.Duration // passes before
	status int
	want   string // the whole body; request ids shown as ID
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// sender sends a call by one of the official clients.
type sender func(c call) (answer, error)

func requestID() *regexp.Regexp { return regexp.MustCompile(`"request_id":"[0-9a-f-]{36}"`) }

func (w *world) run(calls ...call) {
	w.Helper()
	for i, c := range calls {
		w.clock.Advance(c.wait)
		a, err := w.send(c)
		if err != nil {
			w.Fatalf("step %d, %s: %v", i+1, c.do, err)
		}
		got := requestID().ReplaceAllString(a.body, `"request_id":"ID"`)
		if a.status != c.status {
			w.Fatalf("step %d, %s: status %d, want %d; body %s", i+1, c.do, a.status, c.status, got)
		}
		if got != c.want {
			w.Fatalf("step %d, %s: body\n%s\nwant\n%s", i+1, c.do, got, c.want)
		}
		if cc := a.header.Get("Cache-Control"); cc != "no-store" {
			w.Fatalf("step %d, %s: Cache-Control %q", i+1, c.do, cc)
		}
		if ct := a.header.Get("Content-Type"); len(got) > 0 && ct != "application/json" {
			w.Fatalf("step %d, %s: Content-Type %q", i+1, c.do, ct)
		}
	}
}

// data is the body of a plain answer.
func data(members string) string { return full(members, "null", "null") }

func full(members, warnings, auth string) string {
	return `{"request_id":"ID","lease_id":"","renewable":false,"lease_duration":0,"data":` + members +
		`,"wrap_info":null,"warnings":` + warnings + `,"auth":` + auth + "}\n"
}

// errs is the body of a refusal.
func errs(texts ...string) string {
	b, _ := json.Marshal(map[string][]string{"errors": append([]string{}, texts...)})
	return string(b) + "\n"
}

func multi(text string) string { return "1 error occurred:\n\t* " + text + "\n\n" }

// written is the answer to a write at t0.
func written(version int) string {
	return data(fmt.Sprintf(`{"created_time":%q,"custom_metadata":null,"deletion_time":"","destroyed":false,"version":%d}`, t0, version))
}

// readable is the answer to a read of a version written at t0.
func readable(value string, version int) string {
	return data(fmt.Sprintf(`{"data":%s,"metadata":{"created_time":%q,"custom_metadata":null,"deletion_time":"","destroyed":false,"version":%d}}`,
		value, t0, version))
}

func put(path, value string, version int) call {
	return call{do: "POST " + path, body: `{"data":` + value + `}`, status: 200, want: written(version)}
}

func (c call) parts() (method, path string, query map[string][]string) {
	method, target, _ := strings.Cut(c.do, " ")
	path, raw, _ := strings.Cut(target, "?")
	query = map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			query[k] = []string{v}
		}
	}
	return method, path, query
}

func (c call) tokenText() string {
	switch c.token {
	case "":
		return "root"
	case "-":
		return ""
	}
	return c.token
}

func openBao(t *testing.T, url string) sender {
	t.Helper()
	cfg := baoapi.NewConfig()
	cfg.Address, cfg.MaxRetries = url, 0
	client, err := baoapi.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return func(c call) (answer, error) {
		method, path, query := c.parts()
		r := client.NewRequest(method, "/v1/"+path)
		r.Params, r.ClientToken = query, c.tokenText()
		if c.body != "" {
			r.BodyBytes = []byte(c.body)
		}
		if c.header[0] != "" {
			r.Headers.Set(c.header[0], c.header[1])
		}
		asker := client
		if c.header[0] == "X-Vault-Namespace" { // the client sets this header itself
			asker = client.WithNamespace(c.header[1])
		}
		resp, err := asker.RawRequestWithContext(context.Background(), r)
		var refused *baoapi.ResponseError
		if err != nil && !errors.As(err, &refused) {
			return answer{}, err
		}
		return read(resp.Response)
	}
}

func hashiCorp(t *testing.T, url string) sender {
	t.Helper()
	cfg := vaultapi.DefaultConfig()
	cfg.Address, cfg.MaxRetries = url, 0
	client, err := vaultapi.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return func(c call) (answer, error) {
		method, path, query := c.parts()
		r := client.NewRequest(method, "/v1/"+path)
		r.Params, r.ClientToken = query, c.tokenText()
		if c.body != "" {
			r.BodyBytes = []byte(c.body)
		}
		if c.header[0] != "" {
			r.Headers.Set(c.header[0], c.header[1])
		}
		asker := client
		if c.header[0] == "X-Vault-Namespace" { // the client sets this header itself
			asker = client.WithNamespace(c.header[1])
		}
		resp, err := asker.RawRequestWithContext(context.Background(), r) //nolint:staticcheck // deprecated, and the one way to see an answer byte for byte
		var refused *vaultapi.ResponseError
		if err != nil && !errors.As(err, &refused) {
			return answer{}, err
		}
		return read(resp.Response)
	}
}

func read(resp *http.Response) (answer, error) {
	var buf bytes.Buffer
	_, err := io.Copy(&buf, resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: buf.String()}, errors.Join(err, resp.Body.Close())
}
