package canonical

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pdp is a decision point that answers as it is told.
type pdp struct {
	*httptest.Server
	mu     sync.Mutex
	answer func() (int, string)
	asked  []map[string]any
}

func newPDP(t *testing.T) *pdp {
	t.Helper()
	p := &pdp{answer: func() (int, string) { return 200, `{"decision":true}` }}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *pdp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in map[string]any
	if r.URL.Path != "/access/v1/evaluation" || json.Unmarshal(body, &in) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, in)
	status, text := p.answer()
	p.mu.Unlock()
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (p *pdp) says(status int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.answer = nil, func() (int, string) { return status, text }
}

func (p *pdp) questions() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// decided starts a server whose decisions are made elsewhere.
func decided(t *testing.T, env ...string) (*server, *pdp) {
	t.Helper()
	p := newPDP(t)
	return start(t, options{env: append(env, "SECRETS_API_REQUIRE_AUTH=true", "PDP_URL="+p.URL)}), p
}

func TestC48_strangeAnswers(t *testing.T) {
	t.Parallel()
	s, p := decided(t)
	who := s.as(t, "alice")
	for i, c := range []struct {
		status int
		body   string
		want   int
		code   string
	}{
		{200, `{"decision":"true"}`, 403, "SECRET_AUTHZ_FAILED"}, {200, `{"decision":1}`, 403, "SECRET_AUTHZ_FAILED"},
		{200, `{"decision":null}`, 403, "SECRET_AUTHZ_FAILED"}, {200, `{"decision":false}`, 403, "SECRET_AUTHZ_FAILED"}, {200, `{"Decision":true}`, 403, "SECRET_AUTHZ_FAILED"},
		{200, `{"decision":true,"context":{"obligations":{"watermark":true}}}`, 403, "SECRET_AUTHZ_FAILED"},
		{200, `{"decision":true,"context":{"obligations":[{"id":"x","type":"y"}]}}`, 403, "SECRET_AUTHZ_FAILED"},
		{500, `{"decision":true}`, 503, "PDP_UNAVAILABLE"}, {0, "", 503, "PDP_UNAVAILABLE"}, {200, "no json", 503, "PDP_UNAVAILABLE"},
		{401, `{"decision":true}`, 503, "PDP_UNAVAILABLE"}, {201, `{"decision":true}`, 503, "PDP_UNAVAILABLE"}, {200, ``, 503, "PDP_UNAVAILABLE"},
		{302, `{"decision":true}`, 503, "PDP_UNAVAILABLE"},
	} {
		p.says(c.status, c.body)
		uri := fmt.Sprintf("%ssecret/c48-%d", scheme, i)
		s.value(t, uri, who).fails(t, c.want, c.code)
		s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, who).fails(t, c.want, c.code)
		n := len(p.questions())
		s.value(t, uri, who).fails(t, c.want, c.code) // the negative entry repeats it
		if len(p.questions()) != n {
			t.Errorf("%s: asked again within the life of a refusal", c.body)
		}
	}
	p.says(200, `{"decision":true}`)
	uri := scheme + "secret/c48-0"
	if v := s.put(t, uri, obj{"a": 1}, who); v != 1 {
		t.Errorf("version %d: a refused write has taken place", v)
	}
	p.Close()
	s.post(t, "", obj{"uri": uri, "value": obj{}}, who).fails(t, 503, "PDP_UNAVAILABLE")
}

func TestC49_grants(t *testing.T) {
	t.Parallel()
	s, p := decided(t)
	who := s.as(t, "alice")
	uri := s.versions(t, "c49", 1, who)
	for _, text := range []string{
		`{"decision":true,"context":{"obligations":{"max_uses":2}}}`, `{"decision":true,"context":{"obligations":[{"id":"max_uses","parameters":{"value":2}}]}}`,
	} {
		p.says(200, text)
		for i, want := range []int{1, 1, 2} {
			s.value(t, uri, who).want(t, 200)
			if n := len(p.questions()); n != want {
				t.Errorf("asked %d times after read %d, want %d", n, i+1, want)
			}
		}
		s.value(t, uri, who).want(t, 200)
		s.value(t, uri+"#token", who).want(t, 200) // another URI, another grant
		if n := len(p.questions()); n != 3 {
			t.Errorf("asked %d times, want 3", n)
		}
		s.value(t, uri+"#token", who).want(t, 200)
	}
	q := p.questions()[0]
	resource := q["resource"].(map[string]any)
	properties := resource["properties"].(map[string]any)
	if resource["id"] != uri || resource["type"] != "secret" || properties["mount"] != "secret" || properties["pdp_application"] != "crud-secrets" ||
		properties["owner"] != "auth:account:dev:alice" || q["action"].(map[string]any)["name"] != "execute" ||
		q["subject"].(map[string]any)["id"] != "auth:account:dev:alice" || q["subject"].(map[string]any)["type"] != "account" {
		t.Errorf("asked %v", q)
	}
	if strings.Contains(fmt.Sprint(q), "<nil>") || strings.Contains(fmt.Sprint(q), marker) {
		t.Errorf("asked %v", q)
	}
}

func TestC50_bindingDrift(t *testing.T) {
	t.Parallel()
	s, p := decided(t)
	key, other := newProver(t), newProver(t)
	bound := func(k prover) string {
		return s.token(t, "--sub", "alice", "--claim", `cnf={"jkt":"`+k.thumbprint(t)+`"}`)
	}
	plain, mine, theirs := s.token(t, "--sub", "alice"), bound(key), bound(other)
	uri := s.versions(t, "c50", 1, bearer(plain))
	read := func(k prover, token string) answer {
		return s.value(t, uri, bearer(token), k.proof(t, "GET", s.url+base+"/value", token, unique("jti")))
	}
	s.value(t, uri, bearer(mine)).fails(t, 401, "SENDER_BINDING_MISMATCH")
	read(other, mine).fails(t, 401, "SENDER_BINDING_MISMATCH")
	p.says(200, `{"decision":true,"context":{"obligations":{"max_uses":10,"cnf_binding":"jkt:`+key.thumbprint(t)+`"}}}`)
	if a := read(key, mine); a.status != 200 {
		p.says(200, `{"decision":true,"context":{"obligations":{"max_uses":10,"cnf_binding":"`+key.thumbprint(t)+`"}}}`)
		read(key, mine).want(t, 200)
	}
	s.value(t, uri, bearer(plain)).fails(t, 403, "BINDING_DRIFT")
	read(other, theirs).fails(t, 403, "BINDING_DRIFT")
	read(key, mine).want(t, 200)
	// A proof serves once.
	proof := key.proof(t, "GET", s.url+base+"/value", mine, unique("jti"))
	s.value(t, uri, bearer(mine), proof).want(t, 200)
	if a := s.value(t, uri, bearer(mine), proof); a.status != 401 && a.status != 403 {
		t.Errorf("a proof is taken twice: %s", a)
	}
	for name, w := range map[string]with{
		"other method": key.proof(t, "POST", s.url+base+"/value", mine, unique("jti")), "other URL": key.proof(t, "GET", s.url+base, mine, unique("jti")),
		"other token": key.proof(t, "GET", s.url+base+"/value", plain, unique("jti")),
	} {
		if a := s.value(t, uri, bearer(mine), w); a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
	}
}

func TestC51_wrongAudienceHarmsNobody(t *testing.T) {
	t.Parallel()
	s, p := decided(t)
	uri := s.versions(t, "c51", 1, s.as(t, "alice"))
	wrong, right := s.as(t, "alice", "--aud", "other"), s.as(t, "alice")
	p.says(200, `{"decision":true}`)
	for range 20 {
		s.value(t, uri, wrong).fails(t, 403, "SECRET_AUTHZ_FAILED")
	}
	if n := len(p.questions()); n != 0 {
		t.Errorf("the decision point was asked %d times for a wrong audience", n)
	}
	s.value(t, uri, right).want(t, 200)
}

// vaultServer is an outside server that does as it is told with each request.
func vaultServer(t *testing.T, do http.HandlerFunc) (url string, count func(method string) int) {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/data/") {
			mu.Lock()
			seen[r.Method]++
			mu.Unlock()
		}
		do(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func(method string) int { mu.Lock(); defer mu.Unlock(); return seen[method] }
}

func TestC57_timeouts(t *testing.T) {
	t.Parallel()
	var quick atomic.Bool
	url, count := vaultServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/data/") && !quick.Load() {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		}
		panic(http.ErrAbortHandler) // no answer, at once
	})
	s := start(t, options{env: []string{"OPENBAO_URL=" + url, "OPENBAO_TOKEN=t-0123456789", "VAULT_TIMEOUT=6"}})
	uri := "openbao+kv2://secret/gone"
	began := time.Now()
	s.value(t, uri).fails(t, 502, "VAULT_TIMEOUT")
	if n, took := count("GET"), time.Since(began); n != 3 || took > 10*time.Second {
		t.Errorf("%d attempts in %s", n, took)
	}
	quick.Store(true)
	s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 1}}).want(t, 502)
	if n := count("POST") + count("PUT"); n > 1 {
		t.Errorf("%d attempts of a write", n)
	}
	var last answer
	for range 6 {
		if last = s.value(t, uri); last.status == 503 {
			break
		}
	}
	last.fails(t, 503, "VAULT_CONNECTION_ERROR")
	before := count("GET")
	s.value(t, uri).fails(t, 503, "VAULT_CONNECTION_ERROR")
	if count("GET") != before {
		t.Error("an open circuit lets requests through")
	}
	s.put(t, fresh("c57"), obj{"a": 1})
}

func TestC57_otherFailures(t *testing.T) {
	t.Parallel()
	answers := map[string]int{"/v1/secret/data/denied": 403, "/v1/secret/data/broken": 500, "/v1/secret/data/busy": 429, "/v1/secret/data/none": 404}
	url, _ := vaultServer(t, func(w http.ResponseWriter, r *http.Request) {
		status, ok := answers[r.URL.Path]
		if !ok {
			status = 404
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"errors":["`+mark("upstream")+`"]}`)
	})
	config := "vault_providers:\n  openbao-prod: {url: " + url + ", auth: {token: t-0123456789}}\n"
	s := start(t, options{config: config})
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"denied": {502, "VAULT_AUTHZ_ERROR"}, "broken": {502, "VAULT_OPERATION_ERROR"}, "busy": {429, "TOO_MANY_REQUESTS"}, "none": {404, "SECRET_NOT_FOUND"},
	} {
		s.value(t, "openbao-prod+kv2://secret/"+path).fails(t, want.status, want.code)
	}
	s.value(t, "OpenBao-Prod+kv2://secret/none").fails(t, 404, "SECRET_NOT_FOUND") // U8
	s.value(t, "openbao-test+kv2://secret/none").fails(t, 400, "UNSUPPORTED_ENGINE")
	s.value(t, "hashicorp-prod+kv2://secret/none").fails(t, 400, "UNSUPPORTED_ENGINE")
	s.del(t, q{"uri": "openbao-prod+kv2://secret/none"}, header("If-Match", `"1"`)).fails(t, 501, "UNSUPPORTED_OPERATION")
	_, log, code := coffer(t, nil, "dev", "--listen", freePort(t), "--data-dir", t.TempDir(), "--kafka", "off", "--config", configFile(t,
		"vault_providers:\n  openbao-prod: {url: "+url+"}\n  OpenBao-Prod: {url: "+url+"}\n"))
	if code == 0 || log == "" {
		t.Errorf("two instances of one name: %d %s", code, log)
	}
}
