package apitest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const small = `
openapi: 3.1.1
info: {title: small, version: "1"}
paths:
  /things/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {type: string, maxLength: 8}}
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1}}
      responses:
        "200":
          description: one
          headers:
            X-Id: {required: true, schema: {type: integer}}
          content:
            application/json: {schema: {$ref: "#/components/schemas/Thing"}}
        "204": {description: none}
        "304": {description: same}
        "400":
          description: bad
          content:
            application/json:
              schema:
                $ref: "#/components/schemas/Error"
                properties: {code: {enum: [BAD]}}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Thing"}}
      responses:
        "200":
          description: stream
          content:
            text/event-stream: {schema: {type: string}}
  /things/all:
    get:
      responses:
        "204": {description: all}
components:
  schemas:
    Thing:
      type: object
      required: [n]
      additionalProperties: false
      properties:
        n: {type: [integer, "null"]}
    Error:
      type: object
      required: [code]
      additionalProperties: false
      properties: {code: {type: string}}
`

func TestResponse(t *testing.T) {
	v := New(t, []byte(small))
	for name, c := range map[string]struct {
		request, headers string
		status           int
		body             string
		want             string // part of the complaint; empty: none
	}{
		"right":                  {"GET /things/a", "X-Id: 1", 200, `{"n":1}`, ""},
		"null where it may be":   {"GET /things/a", "X-Id: 1", 200, `{"n":null}`, ""},
		"escaped slash":          {"GET /things/a%2Fb", "X-Id: 1", 200, `{"n":1}`, ""},
		"wrong type":             {"GET /things/a", "X-Id: 1", 200, `{"n":"1"}`, "schema"},
		"member missing":         {"GET /things/a", "X-Id: 1", 200, `{}`, "schema"},
		"member unknown":         {"GET /things/a", "X-Id: 1", 200, `{"n":1,"m":2}`, "schema"},
		"no JSON":                {"GET /things/a", "X-Id: 1", 200, `{"n":`, "JSON"},
		"header missing":         {"GET /things/a", "", 200, `{"n":1}`, "X-Id"},
		"header of another type": {"GET /things/a", "X-Id: one", 200, `{"n":1}`, "X-Id"},
		"media type":             {"GET /things/a", "X-Id: 1|Content-Type: text/html", 200, `{"n":1}`, "media type"},
		"status":                 {"GET /things/a", "", 500, `{}`, "status"},
		"body where none is":     {"GET /things/a", "", 204, `{}`, "body"},
		"body of a 304":          {"GET /things/a", "", 304, `{}`, "body"},
		"none of a 304":          {"GET /things/a", "", 304, ``, ""},
		"code":                   {"GET /things/a", "", 400, `{"code":"BAD"}`, ""},
		"code of another status": {"GET /things/a", "", 400, `{"code":"WORSE"}`, "schema"},
		"detail of an error":     {"GET /things/a", "", 400, `{"code":"BAD","detail":1}`, "schema"},
		"literal first":          {"GET /things/all", "", 204, ``, ""},
		"stream":                 {"POST /things/a", "Content-Type: text/event-stream; charset=utf-8", 200, "data: x\n", ""},
		"no such path":           {"GET /nothing", "", 404, `{"code":"NONE"}`, ""},
		"no such path, answered": {"GET /nothing", "", 200, `{}`, "not in the document"},
		"wrong error body":       {"GET /nothing", "", 404, `{}`, "code"},
		"trailing slash":         {"GET /things/a/", "", 200, `{}`, "not in the document"},
		"no such method":         {"PUT /things/a", "Allow: GET, POST", 405, `{"code":"X"}`, ""},
		"no such method, HEAD":   {"HEAD /things/a", "Allow: GET, POST", 405, ``, ""},
		"no such method, silent": {"PUT /things/a", "", 405, `{"code":"X"}`, "Allow"},
		"no such method, served": {"PUT /things/a", "Allow: GET", 200, `{}`, "not in the document"},
	} {
		t.Run(name, func(t *testing.T) {
			method, target, _ := strings.Cut(c.request, " ")
			resp := &http.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {"application/json"}}}
			for line := range strings.SplitSeq(c.headers, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					resp.Header.Set(name, value)
				}
			}
			err := v.response(t, httptest.NewRequest(method, target, nil), resp, []byte(c.body))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("complaint %v, want %q", err, c.want)
			}
		})
	}
}

// witness counts the complaints of a check.
type witness struct {
	testing.TB
	errors int
}

func (w *witness) Helper()               {}
func (w *witness) Errorf(string, ...any) { w.errors++ }

func TestTheChecksFailTheTest(t *testing.T) {
	v := New(t, []byte(small))
	request := func(target, body string) func(*witness) {
		return func(w *witness) {
			req := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			v.Request(w, req, []byte(body))
		}
	}
	for name, c := range map[string]struct {
		check func(*witness)
		want  int
	}{
		"request":           {request("/things/a", `{"n":1}`), 0},
		"request's body":    {request("/things/a", `{"n":"1"}`), 1},
		"request's path":    {request("/nothing", `{}`), 1},
		"request's segment": {request("/things/much-too-long", `{"n":1}`), 1},
		"request's query":   {func(w *witness) { v.Request(w, httptest.NewRequest(http.MethodGet, "/things/a?limit=0", nil), nil) }, 1},
		"request's method":  {func(w *witness) { v.Request(w, httptest.NewRequest(http.MethodPut, "/things/a", nil), nil) }, 1},
		"schema":            {func(w *witness) { v.Schema(w, "Thing", []byte(`{"n":null}`)) }, 0},
		"schema's type":     {func(w *witness) { v.Schema(w, "Thing", []byte(`{"n":true}`)) }, 1},
		"schema's JSON":     {func(w *witness) { v.Schema(w, "Thing", []byte(`{"n":1}{}`)) }, 1},
		"schema unknown":    {func(w *witness) { v.Schema(w, "Other", []byte(`{"n":1}`)) }, 1},
		"response": {func(w *witness) {
			v.Response(w, httptest.NewRequest(http.MethodGet, "/things/all", nil), &http.Response{StatusCode: http.StatusOK}, nil)
		}, 1},
	} {
		w := &witness{TB: t}
		if c.check(w); w.errors != c.want {
			t.Errorf("%s: %d complaints, want %d", name, w.errors, c.want)
		}
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no document":   "- 1",
		"version 3.0":   strings.Replace(small, "3.1.1", "3.0.3", 1),
		"dangling $ref": strings.Replace(small, "schemas/Thing\"}}", "schemas/Thong\"}}", 1),
		"no such type":  strings.Replace(small, "type: integer, minimum", "type: integral, minimum", 1),
		"no title":      strings.Replace(small, "title: small, ", "", 1),
	} {
		if _, err := load(t, []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOperations(t *testing.T) {
	got := New(t, []byte(small)).Operations()
	slices.Sort(got)
	if want := []string{"GET /things/all", "GET /things/{name}", "POST /things/{name}"}; !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
}
