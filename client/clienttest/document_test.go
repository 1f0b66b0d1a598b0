package clienttest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/client/clienttest"
)

// raw sends a request that no client of ours would send. The line is method, path
// and query, and perhaps one header.
type raw struct {
	line, body string
	status     int
	code       string
}

func (r raw) send(t *testing.T, v *apitest.Validator, base string) {
	t.Helper()
	parts := strings.SplitN(r.line, " ", 3)
	req, err := http.NewRequestWithContext(t.Context(), parts[0], base+parts[1], strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if len(parts) == 3 {
		name, value, _ := strings.Cut(parts[2], ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	v.Response(t, req, resp, body)
	var got canonical.Error
	if r.code != "" {
		err = json.Unmarshal(body, &got)
	}
	if err != nil || resp.StatusCode != r.status || got.Code != r.code {
		t.Errorf("%s: %d %s, want %d %s", r.line, resp.StatusCode, body, r.status, r.code)
	}
}

// Whatever a real Coffer answers to odd requests is in the document.
func TestAnswersMatchTheDocument(t *testing.T) {
	v := apitest.New(t, canonical.OpenAPI())
	s := clienttest.Start(t)
	q := "?uri=" + url.QueryEscape(uri)
	body := func(rest string) string { return `{"uri":"` + uri + rest }
	put := body(`","value":{"a":1}}`)
	for _, r := range []raw{
		{"POST /api/secrets", put, 200, ""},
		{"POST /api/secrets Idempotency-Key: k", put, 200, ""},
		{"POST /api/secrets Idempotency-Key: k", put, 200, ""},
		{"POST /api/secrets Idempotency-Key: k", body(`","value":{}}`), 422, canonical.CodeIdempotencyKeyReused},
		{`POST /api/secrets If-Match: "9"`, put, 412, canonical.CodePreconditionFailed},
		{`POST /api/secrets If-Match: W/"9"`, put, 400, canonical.CodeBadRequest},
		{"POST /api/secrets", `{`, 400, canonical.CodeBadRequest},
		{"POST /api/secrets", body(`"}`), 400, canonical.CodeBadRequest},
		{"POST /api/secrets", strings.Repeat("[", 65) + strings.Repeat("]", 65), 400, canonical.CodeBadRequest},
		{"POST /api/secrets", body(`","uri":"x","value":{}}`), 400, canonical.CodeBadRequest},
		{"POST /api/secrets Content-Type: text/plain", put, 415, canonical.CodeUnsupportedMediaType},
		{"POST /api/secrets", body(`","value":"x"}`), 400, canonical.CodeObjectRequired},
		{"POST /api/secrets", body(`?version=1","value":{}}`), 400, canonical.CodeVersionNotAllowed},
		{"POST /api/secrets", body(`#a","value":{"a":1,"b":2}}`), 400, canonical.CodeAmbiguousValue},
		{"POST /api/secrets", `{"uri":"coffer+kv2://other/a","value":{}}`, 400, canonical.CodeTenantMountMismatch},
		{"POST /api/secrets", body(`","value":"` + strings.Repeat("x", 2<<20) + `"}`), 413, canonical.CodeBodyTooLarge},
		{"POST /api/secrets", body(`","value":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`), 413, canonical.CodeValueTooLarge},
		{"GET /api/secrets" + q, "", 501, canonical.CodeUnsupportedOperation},
		{"GET /api/secrets/value" + q, "", 200, ""},
		{"GET /api/secrets/value" + q + ` If-None-Match: "2"`, "", 304, ""},
		{"GET /api/secrets/value" + q + "&version=99", "", 404, canonical.CodeVersionNotFound},
		{"GET /api/secrets/value" + q + "&uri=x", "", 400, canonical.CodeAmbiguousQuery},
		{"GET /api/secrets/value", "", 400, canonical.CodeBadRequest},
		{"HEAD /api/secrets", "", 405, ""},
		{"PUT /api/secrets", "", 405, canonical.CodeMethodNotAllowed},
		{"GET /api/secrets/", "", 404, canonical.CodeNotFound},
		{"DELETE /api/secrets" + q + "%23a", "", 400, canonical.CodeFragmentNotAllowed},
		{"POST /api/secrets/undelete", body(`","versions":[]}`), 400, canonical.CodeEmptyVersions},
		{"POST /api/secrets/undelete", body(`","versions":["1"]}`), 400, canonical.CodeInvalidVersion},
		{"POST /api/secrets/destroy-versions", body(`","versions":[1,1,77]}`), 200, ""},
		{"GET /api/secrets/value" + q + "&version=1", "", 409, canonical.CodeVersionDestroyed},
		{"POST /api/secrets/metadata/owner", body(`","owner":""}`), 400, canonical.CodeInvalidOwner},
		{"GET /api/secrets/keys" + q, "", 501, canonical.CodeUnsupportedOperation},
		{"GET /api/secrets/metadata?prefix=yaml://secret/", "", 200, ""},
		{"GET /api/secrets/search?q=a&limit=", "", 400, canonical.CodeInvalidPagination},
		{"POST /api/secrets/bulk", `{"operations":[]}`, 400, canonical.CodeBadRequest},
		{"POST /api/secrets/bulk", `{"continueOnError":"False","operations":[{"op":"set","uri":"x","value":1},{"op":"delete","uri":"` + uri + `"}]}`, 200, ""},
		{"POST /api/secrets/bulk", `{"operations":[{"op":"set","uri":"` + uri + `","value":{},"ifMatch":"\"77\""},{"op":"rotate","uri":"yaml://secret/a#b","value":"x"}]}`, 200, ""},
		{"POST /api/secrets/copy", `{"fromUri":"` + uri + `","toUri":"` + uri + `"}`, 400, canonical.CodeSameSourceAndTarget},
		{"GET /api/secrets/events Last-Event-ID: x", "", 400, canonical.CodeBadRequest},
		{"GET /api/secrets/audit?limit=1000", "", 200, ""},
		{"GET /api/secrets/audit?since=yesterday", "", 400, canonical.CodeBadRequest},
	} {
		r.send(t, v, s.URL)
	}
	closed := clienttest.Start(t, "SECRETS_API_REQUIRE_AUTH=true", "ENVIRONMENT=test")
	for _, r := range []raw{
		{"GET /api/secrets/value" + q, "", 401, canonical.CodeUnauthenticated},
		{"GET /api/secrets/value" + q + " Authorization: Bearer internal", "", 401, canonical.CodeUnauthenticated},
		{"GET /api/secrets/value" + q + " Authorization: Bearer " + closed.Token(clienttest.Caller{Groups: []string{"x"}}), "", 403, canonical.CodeAuthzFailed},
	} {
		r.send(t, v, closed.URL)
	}
}

func TestEventsMatchTheDocument(t *testing.T) {
	v := apitest.New(t, canonical.OpenAPI())
	s := clienttest.Start(t)
	c := s.Client(clienttest.Caller{})
	if _, err := c.Put(t.Context(), uri, object(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Move(t.Context(), canonical.TransferRequest{FromURI: uri, ToURI: uri + "2"}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/secrets/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "0")
	resp, err := (&http.Client{Transport: v.Transport(t, nil)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for n := 0; n < 2; {
		if !lines.Scan() {
			t.Fatal("the stream ended")
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			v.Schema(t, "Event", []byte(data))
			n++
		}
	}
}
