package canonical

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/apitest"
	door "github.com/coffer-dev/coffer/api/canonical"
)

const base = "/api/secrets"

// transport follows nothing and changes nothing.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
	Timeout:       60 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

var document = sync.OnceValue(func() []byte { return door.OpenAPI() })

var (
	validator     *apitest.Validator
	validatorOnce sync.Once
)

func held(t testing.TB) *apitest.Validator {
	validatorOnce.Do(func() { validator = apitest.New(t, document()) })
	return validator
}

func probe(url string) (int, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// obj is a JSON object, q a query; values of q are escaped.
type httpRequest = http.Request

type (
	obj map[string]any
	q   map[string]string
)

// with adds to a request.
type with func(*http.Request)

func header(name, value string) with {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func bearer(token string) with { return header("Authorization", "Bearer "+token) }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	what   string
}

// raw sends exactly this.
func (s *server) raw(t testing.TB, method, target string, body []byte, ws ...with) answer {
	t.Helper()
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+target, in)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, w := range ws {
		w(req)
	}
	s.remember(req)
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: read: %v", method, target, err)
	}
	a := answer{res.StatusCode, res.Header, got, method + " " + target}
	if req.URL.Path == base || strings.HasPrefix(req.URL.Path, base+"/") {
		held(t).Response(t, req, res, got)
		a.check(t, req)
	}
	return a
}

// remember keeps credentials for the scan of the files.
func (s *server) remember(r *http.Request) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(token) > 40 {
		s.mu.Lock()
		s.tokens = append(s.tokens, token)
		s.mu.Unlock()
	}
}

// check is what holds for every answer of the door.
func (a answer) check(t testing.TB, r *http.Request) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control %q", a.what, a.header.Get("Cache-Control"))
	}
	if id := a.header.Get("X-Correlation-Id"); id == "" || len(id) > 128 {
		t.Errorf("%s: X-Correlation-ID %q", a.what, id)
	}
	read := r.Method == http.MethodGet && (r.URL.Path == base || r.URL.Path == base+"/value") && a.status == 200
	if !read && bytes.Contains(a.body, []byte(marker)) {
		t.Errorf("%s: the answer holds a value: %s", a.what, a.body)
	}
	if a.status >= 400 && r.Method != http.MethodHead {
		a.checkError(t)
	}
	switch {
	case a.status == 401 && a.header.Get("WWW-Authenticate") != "Bearer":
		t.Errorf("%s: WWW-Authenticate %q", a.what, a.header.Get("WWW-Authenticate"))
	case (a.status == 429 || a.status == 503) && a.header.Get("Retry-After") == "":
		t.Errorf("%s: %d without Retry-After", a.what, a.status)
	}
}

// checkError is case C60: three texts, details only where they belong.
func (a answer) checkError(t testing.TB) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Errorf("%s: %d with body %q", a.what, a.status, a.body)
		return
	}
	for _, name := range []string{"error", "code", "message"} {
		if text, ok := body[name].(string); !ok || text == "" {
			t.Errorf("%s: %s is %v", a.what, name, body[name])
		}
	}
	if body["error"] != http.StatusText(a.status) {
		t.Errorf("%s: error is %v", a.what, body["error"])
	}
	delete(body, "error")
	delete(body, "code")
	delete(body, "message")
	if a.status == 403 || a.status == 502 {
		delete(body, "details")
	}
	if len(body) > 0 {
		t.Errorf("%s: the error body has more members: %s", a.what, a.body)
	}
}

func (s *server) get(t testing.TB, path string, query q, ws ...with) answer {
	t.Helper()
	return s.raw(t, http.MethodGet, base+path+query.encode(), nil, ws...)
}

func (s *server) del(t testing.TB, query q, ws ...with) answer {
	t.Helper()
	return s.raw(t, http.MethodDelete, base+query.encode(), nil, ws...)
}

func (s *server) post(t testing.TB, path string, body any, ws ...with) answer {
	t.Helper()
	raw, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
	}
	return s.raw(t, http.MethodPost, base+path, []byte(raw), ws...)
}

// put writes and returns the version.
func (s *server) put(t testing.TB, uri string, value any, ws ...with) int {
	t.Helper()
	a := s.post(t, "", obj{"uri": uri, "value": value}, ws...).want(t, 200)
	return a.number(t, "version")
}

func (s *server) value(t testing.TB, uri string, ws ...with) answer {
	t.Helper()
	return s.get(t, "/value", q{"uri": uri}, ws...)
}

func (in q) encode() string {
	if len(in) == 0 {
		return ""
	}
	v := url.Values{}
	for name, value := range in {
		v.Set(name, value)
	}
	return "?" + v.Encode()
}

func (a answer) String() string { return fmt.Sprintf("%s: %d %s", a.what, a.status, a.body) }

func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: want %d", a, status)
	}
	return a
}

// fails wants an error of this status and code.
func (a answer) fails(t testing.TB, status int, code string) answer {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Errorf("%s: want %d %s", a, status, code)
	}
	return a
}

func (a answer) code() string {
	var body struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &body)
	return body.Code
}

// is wants exactly this JSON, whatever the order of its members.
func (a answer) is(t testing.TB, want string) answer {
	t.Helper()
	a.want(t, 200)
	if got := tidy(t, a.body); got != tidy(t, []byte(want)) {
		t.Errorf("%s: want %s", a, want)
	}
	return a
}

// tidy sorts members and keeps the literals of numbers.
func tidy(t testing.TB, raw []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Errorf("no JSON: %q", raw)
		return string(raw)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func (a answer) json(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
}

func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	a.json(t, &out)
	return out
}

func (a answer) number(t testing.TB, name string) int {
	t.Helper()
	n, ok := a.object(t)[name].(float64)
	if !ok {
		t.Fatalf("%s: %s is no number", a, name)
	}
	return int(n)
}

func contains(body []byte, part string) bool { return bytes.Contains(body, []byte(part)) }
