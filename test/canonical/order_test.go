package canonical

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A refusal comes before everything that would tell of the secret.
func TestOrder_decisionFirst(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	alice, mallory := s.as(t, "alice", "--groups", "dev"), s.as(t, "mallory")
	uri := s.versions(t, "order", 2, alice)
	key := header("Idempotency-Key", "order")
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, alice, key).want(t, 200)
	for name, ws := range map[string][]with{
		"a precondition that fails": {header("If-Match", `"9"`)}, "one that holds": {header("If-Match", `"3"`)}, "a used key": {key},
	} {
		a := s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, append(ws, mallory)...)
		if a.status != 403 {
			t.Errorf("%s: %s", name, a)
		}
	}
	// What is wrong with the request comes before the decision.
	s.post(t, "", obj{"uri": uri, "value": "x"}, mallory).fails(t, 400, "OBJECT_REQUIRED")
	s.del(t, q{"uri": uri + "#x"}, mallory).fails(t, 400, "FRAGMENT_NOT_ALLOWED")
	s.post(t, "/undelete", obj{"uri": uri, "versions": []int{}}, mallory).fails(t, 400, "EMPTY_VERSIONS")
	s.value(t, "openbao://secret/a", mallory).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.value(t, scheme+"other/a", mallory).fails(t, 400, "TENANT_MOUNT_MISMATCH")
	// The key belongs to its subject, method and route.
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 2}}, s.as(t, "bob", "--groups", "dev"), key).want(t, 200)
	s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 2}}, alice, key).want(t, 200)
	s.del(t, q{"uri": uri}, alice, key).want(t, 200)
}

// The reference of a secret is a MAC of its canonical URI under the tenant's salt.
func TestRefs(t *testing.T) {
	t.Parallel()
	const salt = "salt-0123456789-0123456789-abcdef"
	want := func(uri string) []byte {
		mac := hmac.New(sha256.New, []byte(salt))
		_, _ = mac.Write([]byte(uri))
		return mac.Sum(nil)
	}
	s := start(t, options{env: []string{"TENANT_SALT=" + salt}})
	a := s.post(t, "", obj{"uri": "OpenBao+KV2://secret/refs/a/#k", "value": mark("v")}).want(t, 200)
	if got := a.object(t)["resource_ref"]; got != base64.RawURLEncoding.EncodeToString(want("openbao+kv2://secret/refs/a#k")) {
		t.Errorf("%v", got)
	}
	for i, query := range []q{{"uri": scheme + "secret/refs/a#k?version=1"}, {"uri": scheme + "secret/refs/a#k", "version": "1"}} {
		id := fmt.Sprintf("refs-%d", i)
		s.get(t, "/value", query, header("X-Correlation-ID", id)).want(t, 200)
		items, _ := s.records(t, q{"correlation_id": id})
		if len(items) != 1 || items[0]["resource_ref"] != base64.RawURLEncoding.EncodeToString(want(scheme+"secret/refs/a#k?version=1")) {
			t.Errorf("%v", items)
		}
	}
	short := start(t, options{env: []string{"SECRET_TENANT_SALT=" + salt, "RESOURCE_REF_FORMAT=hex16"}})
	a = short.post(t, "", obj{"uri": scheme + "secret/refs/a", "value": obj{}}).want(t, 200)
	if got := a.object(t)["resource_ref"]; got != hex.EncodeToString(want(scheme + "secret/refs/a"))[:16] {
		t.Errorf("%v", got)
	}
}

func TestC45_anonymousInProduction(t *testing.T) {
	t.Parallel()
	s := start(t, options{env: []string{"ENVIRONMENT=prod", "SECRETS_PAGE_LIMIT=7"}})
	for _, p := range everywhere() {
		if a := p.call(t, s, fresh("prod")); a.status < 400 && p.name != "GET /search" {
			t.Errorf("%s", a)
		}
	}
	if got := s.search(t, q{"q": "x"}); got.Total != 0 || got.Limit != 7 {
		t.Errorf("%+v", got)
	}
	s.value(t, fresh("prod"), header("Authorization", "Bearer nonsense")).fails(t, 403, "SECRET_AUTHZ_FAILED") // credentials are not read
}

// sessions is an introspection endpoint that knows one session and one opaque token.
func sessions(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		active := r.PostForm.Get("token") == "session-0001"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(obj{"active": active, "sub": "alice", "groups": []string{"dev"}, "exp": 4102444800, "aud": "crud.secrets"})
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestC42_sessions(t *testing.T) {
	t.Parallel()
	secret := configFile(t, "introspection-secret")
	s := guarded(t, "COFFER_IDENTITY_INTROSPECTION_ENDPOINT="+sessions(t)+"/introspect", "COFFER_IDENTITY_INTROSPECTION_CLIENT_ID=coffer",
		"COFFER_IDENTITY_INTROSPECTION_SECRET_FILE="+secret)
	cookie := func(text string) with { return header("Cookie", text) }
	const csrf = "; _eid_csrf_v1=c5rf"
	uri := fresh("session")
	body := obj{"uri": uri, "value": obj{"a": 1}}
	s.value(t, uri, cookie("bff_session=session-0001")).fails(t, 404, "SECRET_NOT_FOUND")
	s.value(t, uri, cookie("bff_session=session-0002")).fails(t, 401, "UNAUTHENTICATED")
	s.value(t, uri, cookie("bff_session=internal")).fails(t, 401, "UNAUTHENTICATED")
	for name, ws := range map[string][]with{
		"neither": {cookie("bff_session=session-0001")}, "cookie alone": {cookie("bff_session=session-0001" + csrf)},
		"header alone": {cookie("bff_session=session-0001"), header("X-CSRF-Token", "c5rf")},
		"other":        {cookie("bff_session=session-0001" + csrf), header("X-CSRF-Token", "c5r")},
		"both empty":   {cookie("bff_session=session-0001; _eid_csrf_v1="), header("X-CSRF-Token", "")},
	} {
		if a := s.post(t, "", body, ws...); a.status != 403 || a.code() != "CSRF_FAILED" {
			t.Errorf("%s: %s", name, a)
		}
		if a := s.del(t, q{"uri": uri}, ws...); a.status != 403 || a.code() != "CSRF_FAILED" {
			t.Errorf("%s: %s", name, a)
		}
	}
	s.post(t, "", body, cookie("bff_session=session-0001"+csrf), header("X-CSRF-Token", "c5rf")).want(t, 200)
}

// All decisions of a bulk come from one question before its first effect.
func TestC48_batch(t *testing.T) {
	t.Parallel()
	var batches atomic.Int64
	var answer atomic.Value
	answer.Store(`{"evaluations":[{"decision":true},{"decision":false},{"decision":true}]}`)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if !strings.HasPrefix(r.URL.Path, "/access/v1/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		text := `{"decision":true}`
		if strings.HasSuffix(r.URL.Path, "evaluations") {
			batches.Add(1)
			text = answer.Load().(string)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	s := start(t, options{env: []string{"SECRETS_API_REQUIRE_AUTH=true", "PDP_URL=" + srv.URL}})
	who := s.as(t, "alice")
	ops := func() []obj {
		return []obj{items(fresh("batch"))[0], items(fresh("batch"))[0], items(fresh("batch"))[0]}
	}
	out := s.bulk(t, obj{"operations": ops()}, who)
	if out.Succeeded != 2 || out.Results[1].HTTPStatus != 403 || batches.Load() != 1 {
		t.Errorf("%+v after %d questions", out, batches.Load())
	}
	answer.Store(`{"evaluations":[{"decision":true}]}`) // a shorter answer denies the rest
	if out := s.bulk(t, obj{"operations": ops()}, who); out.Succeeded != 1 || out.Results[1].HTTPStatus != 403 || out.Results[2].HTTPStatus != 403 {
		t.Errorf("%+v", out)
	}
	answer.Store(`nonsense`)
	if out := s.bulkCode(t, obj{"operations": ops()}, who); out != "PDP_UNAVAILABLE" {
		t.Errorf("an unreadable answer: %s", out)
	}
}

// bulkCode gives the one code of all items, or of the whole answer.
func (s *server) bulkCode(t testing.TB, body obj, ws ...with) string {
	t.Helper()
	a := s.post(t, "/bulk", body, ws...)
	if a.status != 200 {
		return a.code()
	}
	var out bulkResult
	a.json(t, &out)
	for _, r := range out.Results {
		if r.Code != out.Results[0].Code || r.HTTPStatus != 503 {
			return fmt.Sprintf("%+v", out)
		}
	}
	return out.Results[0].Code
}
