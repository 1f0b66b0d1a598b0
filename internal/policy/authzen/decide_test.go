package authzen

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

func TestAnswersFailClosed_C48(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		why    policy.Reason
	}{
		"permit":                {200, permit, ""},
		"bare permit":           {200, `{"decision":true}`, ""},
		"null context":          {200, `{"decision":true,"context":null}`, ""},
		"deny":                  {200, `{"decision":false}`, policy.ReasonPolicy},
		"text true":             {200, `{"decision":"true"}`, policy.ReasonPolicy},
		"number":                {200, `{"decision":1}`, policy.ReasonPolicy},
		"another case":          {200, `{"Decision":true}`, policy.ReasonPolicy},
		"missing":               {200, `{}`, policy.ReasonPolicy},
		"unknown obligation":    {200, `{"decision":true,"context":{"obligations":{"mfa":true}}}`, policy.ReasonPolicy},
		"unreadable context":    {200, `{"decision":true,"context":"x"}`, policy.ReasonPolicy},
		"decision twice":        {200, `{"decision":false,"decision":true}`, policy.ReasonUnavailable},
		"not JSON":              {200, `decision: true`, policy.ReasonUnavailable},
		"not an object":         {200, `true`, policy.ReasonUnavailable},
		"null":                  {200, `null`, policy.ReasonUnavailable},
		"empty":                 {200, ``, policy.ReasonUnavailable},
		"trailing data":         {200, permit + permit, policy.ReasonUnavailable},
		"too deep":              {200, `{"decision":true,"context":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70) + `}`, policy.ReasonUnavailable},
		"too large":             {200, `{"decision":true,"x":"` + strings.Repeat("x", maxAnswer) + `"}`, policy.ReasonUnavailable},
		"500":                   {500, permit, policy.ReasonUnavailable},
		"201":                   {201, permit, policy.ReasonUnavailable},
		"401":                   {401, permit, policy.ReasonUnavailable},
		"403 is no decision":    {403, `{"decision":false}`, policy.ReasonUnavailable},
		"404 of the evaluation": {404, permit, policy.ReasonUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			for _, purpose := range []policy.Purpose{policy.Execute, policy.Write} {
				p := newPDP(t, func(call) (int, string) { return c.status, c.body })
				d, _ := newDecider(t, p.URL, nil)
				r := reading(t)
				r.Purpose = purpose
				expect(t, decide(d, r), c.why)
			}
		})
	}
}

func TestNobodyAnswers_C48(t *testing.T) {
	release := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hang.Close()
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{hang.URL, gone.URL} {
		var failures []error
		d, _ := newDecider(t, url, func(c *Config) {
			c.Timeout = 50 * time.Millisecond
			c.Observe.Failed = func(err error) { failures = append(failures, err) }
		})
		expect(t, decide(d, reading(t)), policy.ReasonUnavailable)
		expect(t, decide(d, writing(t, "a")), policy.ReasonUnavailable)
		if len(failures) != 2 || strings.Contains(failures[0].Error(), "api#token") {
			t.Errorf("failures: %v", failures)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	other := newPDP(t, always(permit))
	p := httptest.NewServer(http.RedirectHandler(other.URL+"/access/v1/evaluation", http.StatusTemporaryRedirect))
	defer p.Close()
	d, _ := newDecider(t, p.URL, func(c *Config) { c.HTTP = &http.Client{} })
	expect(t, decide(d, reading(t)), policy.ReasonUnavailable)
	other.expectCalls(t, 0)
}

func TestRequestHasExactlyTheMembers(t *testing.T) {
	p := newPDP(t, always(permit))
	d, _ := newDecider(t, p.URL, nil)
	r := reading(t)
	r.Principal.Binding = identity.Binding{JKT: "thumb"}
	r.Origin = policy.Origin{WorkflowRunID: "run", NodeID: "node", SystemID: "sys"}
	r.URI = r.URI.At(3)
	r.Attributes = func(context.Context) (policy.Attributes, error) {
		return policy.Attributes{Owner: "team", CreatedBy: "bob", CreatedAt: "2026-01-02T03:04:05Z"}, nil
	}
	dec := decide(d, r)
	if dec.ID != "d-1" || dec.PolicyVersion != "v1" || dec.GrantID == "" || dec.Cached {
		t.Errorf("decision %+v", dec)
	}
	c := p.asked()[0]
	if c.path != "/access/v1/evaluation" || c.header.Get("X-Request-ID") != "corr-1" ||
		c.header.Get("Content-Type") != "application/json" || c.header.Get("Authorization") != "" {
		t.Errorf("path %s header %v", c.path, c.header)
	}
	sameJSON(t, c.body, `{
		"subject":{"type":"account","id":"auth:account:main:alice",
			"properties":{"tenant_id":"dev","client_id":"web","issuer":"https://issuer.example"}},
		"action":{"name":"execute"},
		"resource":{"type":"secret","id":"coffer+kv2://secret/app/api#token?version=3","properties":{
			"tenant_id":"dev","backend":"embedded","provider":"coffer","engine":"kv2","mount":"secret",
			"path":"app/api","fragment":"token","owner":"team","created_by":"bob",
			"created_at":"2026-01-02T03:04:05Z","pdp_application":"crud-secrets"}},
		"context":{"tenant_id":"dev","issuer":"https://issuer.example","client_id":"web","aud":["crud.secrets"],
			"token_jti":"jti-1","correlation_id":"corr-1","workflow_run_id":"run","node_id":"node",
			"system_id":"sys","cnf_binding":"jkt:thumb","resource_attributes":{
			"owner":"team","created_by":"bob","created_at":"2026-01-02T03:04:05Z"}}}`)
}

func TestUnknownMembersAreOmitted(t *testing.T) {
	p := newPDP(t, always(`{"decision":true,"context":{"cerbos.response":{"results":[{}]}}}`))
	d, _ := newDecider(t, p.URL, func(c *Config) { c.CerbosOutputs = true })
	r := policy.Request{
		Principal: identity.Anonymous("dev"), Purpose: policy.Write, URI: parse(t, "yaml://secret/a"),
		Attributes: func(context.Context) (policy.Attributes, error) {
			return policy.Attributes{Owner: "stale"}, errors.New("store is down")
		},
	}
	expect(t, decide(d, r), "")
	c := p.asked()[0]
	if c.header.Get("X-Request-ID") == "" {
		t.Error("no request id")
	}
	sameJSON(t, c.body, `{
		"subject":{"type":"account","id":"anonymous","properties":{"tenant_id":"dev"}},
		"action":{"name":"write"},
		"resource":{"type":"secret","id":"yaml://secret/a","properties":{"tenant_id":"dev",
			"provider":"yaml","mount":"secret","path":"a","pdp_application":"crud-secrets"}},
		"context":{"tenant_id":"dev","cerbos.includeMeta":true}}`)
}

func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	normal := func(data []byte) string {
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		out, _ := json.MarshalIndent(v, "", " ")
		return string(out)
	}
	if g, w := normal(got), normal([]byte(want)); g != w {
		t.Errorf("got %s\nwant %s", g, w)
	}
}

func TestDecisionLabels(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"decision":false,"context":{"decision_id":"a","id":"b","policy_version":"p"}}`: {"a", "p"},
		`{"decision":false,"context":{"id":"b","policy_version":7}}`:                     {"b", "7"},
		`{"decision":true}`: {"own", unknownVersion},
		`{"decision":true,"context":{"decision_id":["x"],"policy_version":{}}}`:             {"own", unknownVersion},
		`{"decision":true,"context":{"decision_id":"` + strings.Repeat("x", 300) + `"}}`:    {"own", unknownVersion},
		`{"decision":true,"context":{"decision_id":"a\nb","policy_version":"p\u0000"}}`:     {"own", unknownVersion},
		`{"decision":true,"context":{"decision_id":"a","policy_version":null,"id":"unus"}}`: {"a", unknownVersion},
	} {
		p := newPDP(t, always(body))
		d, _ := newDecider(t, p.URL, nil)
		dec := decide(d, writing(t, "a"))
		id, _, _ := strings.Cut(dec.ID, "-")
		if id != want[0] || dec.PolicyVersion != want[1] {
			t.Errorf("%s: id %q version %q", body, dec.ID, dec.PolicyVersion)
		}
	}
}

func TestTokenFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	p := newPDP(t, always(permit))
	var failure error
	d, _ := newDecider(t, p.URL, func(c *Config) {
		c.TokenFile = file
		c.Observe.Failed = func(err error) { failure = err }
	})
	bearer := func() string {
		expect(t, decide(d, writing(t, "a")), "")
		calls := p.asked()
		return calls[len(calls)-1].header.Get("Authorization")
	}
	if got := bearer(); got != "Bearer first" {
		t.Errorf("sent %q", got)
	}
	write("other\n") // as long as before
	if got := bearer(); got != "Bearer other" {
		t.Errorf("sent %q", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expect(t, decide(d, writing(t, "a")), policy.ReasonUnavailable)
	if failure == nil || strings.Contains(failure.Error(), file) || strings.Contains(failure.Error(), "other") {
		t.Errorf("failure: %v", failure)
	}
}

func TestNewRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"no URL":           {},
		"relative":         {URL: "/pdp"},
		"another scheme":   {URL: "file:///pdp"},
		"user in URL":      {URL: "https://u:p@pdp.example"},
		"query in URL":     {URL: "https://pdp.example?x=1"},
		"replay mode":      {URL: "https://pdp.example", Replay: "sometimes"},
		"negative timeout": {URL: "https://pdp.example", Timeout: -1},
		"no token file":    {URL: "https://pdp.example", TokenFile: empty + "x"},
		"empty token file": {URL: "https://pdp.example", TokenFile: empty},
		"no CA file":       {URL: "https://pdp.example", CAFile: empty + "x"},
		"empty CA file":    {URL: "https://pdp.example", CAFile: empty},
		"no key":           {URL: "https://pdp.example", CertFile: empty},
	} {
		if d, err := New(t.Context(), cfg); d != nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
