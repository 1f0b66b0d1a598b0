package apitest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Validator knows one document. It is safe for concurrent use.
type Validator struct {
	doc     *openapi3.T
	paths   []template
	schemas *schemas
}

// New reads a document in YAML or JSON and fails the test unless it is valid
// OpenAPI 3.1, its examples and defaults included. It takes a good part of a second:
// make one per test binary where there are many tests.
func New(t testing.TB, document []byte) *Validator {
	t.Helper()
	v, err := load(t, document)
	if err != nil {
		t.Fatalf("OpenAPI document: %v", err)
	}
	return v
}

func load(t testing.TB, document []byte) (*Validator, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		return nil, fmt.Errorf("version is %s, not 3.1", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableMultiError()); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	s, err := newSchemas(document)
	if err != nil {
		return nil, fmt.Errorf("read the schemas: %w", err)
	}
	if doc.Components != nil {
		for name := range doc.Components.Schemas {
			if _, err := s.at(pointer("components", "schemas", name)); err != nil {
				return nil, err
			}
		}
	}
	return &Validator{doc: doc, paths: templates(doc), schemas: s}, nil
}

// Operations lists what the document describes, as "GET /path" in no order, for a
// test that holds the document against a route table.
func (v *Validator) Operations() []string {
	var out []string
	for path, item := range v.doc.Paths.Map() {
		for method := range item.Operations() {
			out = append(out, method+" "+path)
		}
	}
	return out
}

// Response fails the test when an answer to req does not match the document: an
// undocumented status, header or member, or a wrong type. A path or method that is
// not in the document must be answered 404 or 405. resp is not read; body is what
// was read of it. The body of a stream is not looked at: see Schema.
func (v *Validator) Response(t testing.TB, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	if err := v.response(t, req, resp, body); err != nil {
		t.Errorf("%s %s: %d does not match the document: %v", req.Method, req.URL.Path, resp.StatusCode, err)
	}
}

func (v *Validator) response(t testing.TB, req *http.Request, resp *http.Response, body []byte) error {
	path, params := v.find(req)
	if path == nil {
		return v.unrouted(resp, body, http.StatusNotFound)
	}
	op := path.item.GetOperation(req.Method)
	if op == nil {
		if resp.Header.Get("Allow") == "" {
			return errors.New("the header Allow is missing")
		}
		if req.Method == http.MethodHead {
			body = nil
		}
		return v.unrouted(resp, body, http.StatusMethodNotAllowed)
	}
	if err := v.responseBody(path, req.Method, op, resp, body); err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: v.input(req, path, op, params),
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: true},
	})
}

// unrouted holds an answer against the schema Error, where the document has one.
func (v *Validator) unrouted(resp *http.Response, body []byte, want int) error {
	if resp.StatusCode != want {
		return fmt.Errorf("the operation is not in the document, so want %d", want)
	}
	if len(body) == 0 || v.doc.Components == nil || v.doc.Components.Schemas["Error"] == nil {
		return nil
	}
	return v.schemas.check(pointer("components", "schemas", "Error"), body)
}

// Request fails the test when a request does not match the document: its path, its
// method, a parameter or its body. Credentials are not looked at.
func (v *Validator) Request(t testing.TB, req *http.Request, body []byte) {
	t.Helper()
	path, params := v.find(req)
	if path == nil || path.item.GetOperation(req.Method) == nil {
		t.Errorf("%s %s is not in the document", req.Method, req.URL.Path)
		return
	}
	if err := v.request(t, req, path, params, body); err != nil {
		t.Errorf("%s %s does not match the document: %v", req.Method, req.URL.Path, err)
	}
}

func (v *Validator) request(t testing.TB, req *http.Request, path *template, params map[string]string, body []byte) error {
	op := path.item.GetOperation(req.Method)
	in := v.input(req, path, op, params)
	in.Options = &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true, ExcludeRequestBody: true,
	}
	if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
		return err
	}
	return v.requestBody(path, req.Method, op, req, body)
}

// Schema fails the test when JSON does not match a named schema of the document,
// such as the data of one message of a stream.
func (v *Validator) Schema(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := v.schemas.check(pointer("components", "schemas", name), data); err != nil {
		t.Errorf("does not match the schema %s: %v", name, err)
	}
}

func (v *Validator) input(req *http.Request, path *template, op *openapi3.Operation, params map[string]string) *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params,
		Route: &routers.Route{Spec: v.doc, Path: path.text, PathItem: path.item, Method: req.Method, Operation: op},
	}
}
