package vaultdouble_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	baoapi "github.com/openbao/openbao/api/v2"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
	"github.com/coffer-dev/coffer/test/vaultdouble"
)

// t0 is the time of every test, as the API shows it.
const t0 = "2026-01-02T03:04:05.000000006Z"

func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) }

const notFound = `{"errors":[]}` + "\n"

// call is one request as a test writes it down. Ids in body and path are written as
// the answers show them: {1} is the first that appeared.
type call struct {
	do     string // method and path below /v1/, with query
	token  string // empty means root
	body   string
	status int
	want   string // the whole body
}

// sender sends one request by an official client and gives the answer as it came.
type sender func(method, path, query, token, body string) (*http.Response, error)

// world is one double and the ids that its answers had.
type world struct {
	*testing.T
	double *vaultdouble.Double
	send   sender
	ids    []string
}

// each runs a test against a fresh tenant by each of the official clients. All share
// one ledger.
func each(t *testing.T, run func(*world)) {
	t.Helper()
	l := ledgertest.Open(t, func(c *ledger.Config) { c.Now = clock })
	tenants := 0
	for name, client := range map[string]func(*testing.T, string) sender{"openbao": openBao, "hashicorp": hashiCorp} {
		tenants++
		t.Run(name, func(t *testing.T) {
			d := vaultdouble.On(t, l, options(fmt.Sprintf("t%d", tenants)))
			run(&world{T: t, double: d, send: client(t, d.URL)})
		})
	}
}

func options(tenant string) vaultdouble.Options {
	return vaultdouble.Options{Tenant: tenant, Clock: clock, Tokens: map[string]vaulttest.Token{
		"dev":    {Policies: []string{"dev"}},
		"poor":   {},
		"member": {Policies: []string{vaultdouble.Claim("/acme")}},
		"both":   {Policies: []string{vaultdouble.Claim("/acme"), vaultdouble.Claim("other")}},
		"around": {Policies: []string{vaultdouble.Claim("other"), vaultdouble.Claim("/acme")}},
	}}
}

func (w *world) run(calls ...call) {
	w.Helper()
	for i, c := range calls {
		status, got := w.do(c)
		if status != c.status || got != c.want {
			w.Fatalf("step %d, %s:\n%d %s\nwant\n%d %s", i+1, c.do, status, got, c.status, c.want)
		}
	}
}

func (w *world) do(c call) (int, string) {
	w.Helper()
	method, target, _ := strings.Cut(w.real(c.do), " ")
	path, query, _ := strings.Cut(target, "?")
	if c.token == "" {
		c.token = vaultdouble.RootToken
	}
	res, err := w.send(method, path, query, c.token, w.real(c.body))
	if err != nil {
		w.Fatalf("%s: %v", c.do, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatalf("%s: %v", c.do, err)
	}
	return res.StatusCode, w.shown(string(body))
}

func uuids() *regexp.Regexp {
	return regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
}

// shown replaces the request's id by R and the others by {n}.
func (w *world) shown(body string) string {
	request := regexp.MustCompile(`"request_id":"` + uuids().String() + `"`)
	body = request.ReplaceAllString(body, `"request_id":"R"`)
	return uuids().ReplaceAllStringFunc(body, func(id string) string {
		for i, known := range w.ids {
			if known == id {
				return fmt.Sprintf("{%d}", i+1)
			}
		}
		w.ids = append(w.ids, id)
		return fmt.Sprintf("{%d}", len(w.ids))
	})
}

func (w *world) real(text string) string {
	for i, id := range w.ids {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i+1), id)
	}
	return text
}

// data is the body of a plain answer; lifted that of a system path, whose members
// stand at top level, too.
func data(members string) string { return full(members, "null") }

func full(members, warnings string) string {
	return `{"request_id":"R","lease_id":"","renewable":false,"lease_duration":0,"data":` + members +
		`,"wrap_info":null,"warnings":` + warnings + `,"auth":null}` + "\n"
}

func lifted(members string) string {
	return "{" + members + "," + strings.TrimPrefix(data("{"+members+"}"), "{")
}

func errs(text string) string {
	b, _ := json.Marshal(map[string][]string{"errors": {text}})
	return string(b) + "\n"
}

func multi(text string) string { return "1 error occurred:\n\t* " + text + "\n\n" }

func denied() string { return errs(multi("permission denied")) }

// body is a JSON body with one text member.
func body(name, text string) string {
	b, _ := json.Marshal(map[string]string{name: text})
	return string(b)
}

func values(query string) map[string][]string {
	out := map[string][]string{}
	if name, value, ok := strings.Cut(query, "="); ok {
		out[name] = []string{value}
	}
	return out
}

func openBao(t *testing.T, url string) sender {
	t.Helper()
	client := baoClient(t, url)
	return func(method, path, query, token, body string) (*http.Response, error) {
		r := client.NewRequest(method, "/v1/"+path)
		r.Params, r.ClientToken = values(query), token
		if body != "" {
			r.BodyBytes = []byte(body)
		}
		res, err := client.RawRequestWithContext(context.Background(), r)
		var refused *baoapi.ResponseError
		if err != nil && !errors.As(err, &refused) {
			return nil, err
		}
		return res.Response, nil
	}
}

func baoClient(t *testing.T, url string) *baoapi.Client {
	t.Helper()
	cfg := baoapi.NewConfig()
	cfg.Address, cfg.MaxRetries = url, 0
	client, err := baoapi.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(vaultdouble.RootToken)
	return client
}

func hashiCorp(t *testing.T, url string) sender {
	t.Helper()
	cfg := vaultapi.DefaultConfig()
	cfg.Address, cfg.MaxRetries = url, 0
	client, err := vaultapi.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return func(method, path, query, token, body string) (*http.Response, error) {
		r := client.NewRequest(method, "/v1/"+path)
		r.Params, r.ClientToken = values(query), token
		if body != "" {
			r.BodyBytes = []byte(body)
		}
		res, err := client.RawRequestWithContext(context.Background(), r) //nolint:staticcheck // deprecated, and the one way to see an answer byte for byte
		var refused *vaultapi.ResponseError
		if err != nil && !errors.As(err, &refused) {
			return nil, err
		}
		return res.Response, nil
	}
}
