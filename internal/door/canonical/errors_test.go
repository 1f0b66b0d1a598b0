package canonical

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func fail(t *testing.T, err error) (*httptest.ResponseRecorder, map[string]json.RawMessage) {
	t.Helper()
	w := httptest.NewRecorder()
	status, _ := shape{}.Fail(w, nil, err)
	var body map[string]json.RawMessage
	if e := json.Unmarshal(w.Body.Bytes(), &body); e != nil || status != w.Code {
		t.Fatalf("%v: %s %v", err, w.Body, e)
	}
	return w, body
}

func TestEveryKindHasItsAnswer(t *testing.T) {
	want := map[fault.Kind]struct {
		status int
		code   string
	}{
		fault.Internal: {500, "INTERNAL"}, fault.Invalid: {400, "BAD_REQUEST"}, fault.Unauthenticated: {401, "UNAUTHENTICATED"},
		fault.Forbidden: {403, "SECRET_AUTHZ_FAILED"}, fault.NotFound: {404, "SECRET_NOT_FOUND"}, fault.VersionNotFound: {404, "SECRET_VERSION_NOT_FOUND"},
		fault.Deleted: {409, "SECRET_VERSION_DELETED"}, fault.Destroyed: {409, "SECRET_VERSION_DESTROYED"}, fault.Exists: {409, "ALREADY_EXISTS"},
		fault.Conflict: {409, "WRITE_CONFLICT"}, fault.CASMismatch: {412, "PRECONDITION_FAILED"}, fault.CASRequired: {428, "PRECONDITION_REQUIRED"},
		fault.Precondition: {412, "PRECONDITION_FAILED"}, fault.TooLarge: {413, "VALUE_TOO_LARGE"}, fault.Unsupported: {501, "UNSUPPORTED_OPERATION"},
		fault.RateLimited: {429, "TOO_MANY_REQUESTS"}, fault.Unavailable: {503, "VAULT_CONNECTION_ERROR"}, fault.Timeout: {502, "VAULT_TIMEOUT"},
		fault.ProviderDenied: {502, "VAULT_AUTHZ_ERROR"}, fault.ProviderFailed: {502, "VAULT_OPERATION_ERROR"}, fault.Corrupt: {500, "INTEGRITY_FAILURE"},
	}
	for kind := fault.Internal; kind <= fault.Corrupt; kind++ {
		w, body := fail(t, fault.Wrap(kind, errors.New("cause with a marker"), "public"))
		c := want[kind]
		if w.Code != c.status || string(body["code"]) != `"`+c.code+`"` || len(body) != 3 {
			t.Errorf("%v: %d %s", kind, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "marker") || kind == fault.Internal && strings.Contains(w.Body.String(), "public") {
			t.Errorf("%v tells too much: %s", kind, w.Body)
		}
		if retry := w.Header().Get("Retry-After") != ""; retry != (w.Code == 429 || w.Code == 503) {
			t.Errorf("%v: Retry-After %q", kind, w.Header().Get("Retry-After"))
		}
		if auth := w.Header().Get("WWW-Authenticate"); (auth == "Bearer") != (w.Code == 401) {
			t.Errorf("%v: WWW-Authenticate %q", kind, auth)
		}
	}
	if w, body := fail(t, errors.New("nobody classified the marker")); w.Code != 500 || string(body["message"]) != `"internal error"` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestCodesDecide(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{fault.Coded(fault.Invalid, door.CodeMediaType, "x"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		{fault.Coded(fault.Unsupported, door.CodeNoMethod, "x"), 405, "METHOD_NOT_ALLOWED"},
		{fault.Coded(fault.TooLarge, door.CodeBodySize, "x"), 413, "BODY_TOO_LARGE"},
		{fault.Coded(fault.Precondition, "IDEMPOTENCY_KEY_REUSED", "x"), 422, "IDEMPOTENCY_KEY_REUSED"},
		{fault.Coded(fault.Conflict, "IDEMPOTENCY_IN_PROGRESS", "x"), 409, "IDEMPOTENCY_IN_PROGRESS"},
		{fault.Coded(fault.Forbidden, identity.CodeCSRF, "x"), 403, "CSRF_FAILED"},
		{fault.Coded(fault.Unauthenticated, identity.CodeBinding, "x"), 401, "SENDER_BINDING_MISMATCH"},
		{fault.Coded(fault.Forbidden, identity.CodeAudience, "x"), 403, "SECRET_AUTHZ_FAILED"},
		{fault.Coded(fault.Forbidden, identity.CodeReplay, "x"), 403, "SECRET_AUTHZ_FAILED"},
	} {
		if w, body := fail(t, c.err); w.Code != c.status || string(body["code"]) != `"`+c.code+`"` {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
	}
}

func TestDetails(t *testing.T) {
	refusal := &secrets.Refusal{Fault: fault.Coded(fault.Forbidden, "SECRET_AUTHZ_FAILED", "no"), Purpose: "read", DecisionID: "d", Ref: "r", Reason: "policy"}
	for err, want := range map[error]string{
		refusal: `{"purpose":"read","decision_id":"d","failures":[{"resource_ref":"r","code":"DENY","reason":"policy"}]}`,
		&secrets.Copied{Fault: fault.New(fault.ProviderFailed, "no")}:                                         `{"copied":true}`,
		fault.Wrap(fault.ProviderFailed, &secrets.Copied{Fault: fault.New(fault.ProviderFailed, "no")}, "no"): `{"copied":true}`,
		fault.Coded(fault.Forbidden, identity.CodeAudience, "no"):                                             `{"purpose":"","decision_id":"","failures":[{"resource_ref":"","code":"DENY","reason":"audience"}]}`,
		fault.New(fault.NotFound, "no"):                                                                       ``,
	} {
		if _, body := fail(t, err); string(body["details"]) != want {
			t.Errorf("%v: %s", err, body["details"])
		}
	}
	w, _ := fail(t, &fault.Error{Kind: fault.Unavailable, RetryAfter: 30 * time.Second})
	if got := w.Header().Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After %s", got)
	}
}

func TestAnswersWithoutADoor(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/nowhere", nil)
	r.Header.Set("X-Request-Id", "mine")
	missing, sealed := httptest.NewRecorder(), httptest.NewRecorder()
	NoRoute(missing, r)
	Unavailable(sealed, r)
	if missing.Code != 404 || sealed.Code != 503 || sealed.Header().Get("Retry-After") != "2" {
		t.Errorf("%d, %d", missing.Code, sealed.Code)
	}
	for _, w := range []*httptest.ResponseRecorder{missing, sealed} {
		if h := w.Header(); h.Get("X-Correlation-Id") != "mine" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
			t.Errorf("%v", h)
		}
	}
}

func TestBulkItemsShowTheirStatus(t *testing.T) {
	w := httptest.NewRecorder()
	err := writeBulk(w, secrets.BulkDone{Replayed: true, Items: []secrets.BulkItem{
		{Op: "set", URI: "a", Status: "ok", Version: 2}, {Op: "rotate", URI: "b", Status: "ok"}, {Op: "delete", URI: "c", Status: "ok"},
		{Op: "delete", URI: "d", Status: "error", Kind: fault.Forbidden, Code: "SECRET_AUTHZ_FAILED", Detail: "no"},
		{Op: "set", URI: "e", Status: "error", Code: "INTERNAL", Detail: "internal"}, {Op: "set", URI: "f", Status: "skipped"},
	}})
	want := []string{
		`{"results":[{"index":0,"op":"set","uri":"a","status":"ok","version":2}`, `{"index":1,"op":"rotate","uri":"b","status":"ok","version":null}`,
		`{"index":2,"op":"delete","uri":"c","status":"ok"}`,
		`{"index":3,"op":"delete","uri":"d","status":"error","http_status":403,"code":"SECRET_AUTHZ_FAILED","message":"no"}`,
		`{"index":4,"op":"set","uri":"e","status":"error","http_status":500,"code":"INTERNAL","message":"internal"}`,
		`{"index":5,"op":"set","uri":"f","status":"skipped"}],"succeeded":3,"failed":2,"skipped":1}`,
	}
	if got := w.Body.String(); err != nil || got != strings.Join(want, ",") {
		t.Errorf("%s %v", got, err)
	}
	if !slices.Equal(w.Header()["Idempotency-Replayed"], []string{"true"}) {
		t.Errorf("%v", w.Header())
	}
}
