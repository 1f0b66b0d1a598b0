package apitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// schemas validates JSON by JSON Schema 2020-12, as OpenAPI 3.1 wants it. The whole
// document is one resource, and a schema is a place in it. (kin-openapi knows the
// document, but falls back to the rules of OpenAPI 3.0 for many a schema.)
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

const resource = "urn:openapi"

func newSchemas(document []byte) (*schemas, error) {
	var doc any
	if err := yaml.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(resource, doc); err != nil {
		return nil, err
	}
	return &schemas{compiler: c, compiled: map[string]*jsonschema.Schema{}}, nil
}

// check validates one JSON text by the schema at a place, such as
// #/components/schemas/Error.
func (s *schemas) check(place string, text []byte) error {
	schema, err := s.at(place)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("schema %s: %w", place, err)
	}
	return nil
}

func (s *schemas) at(place string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema, ok := s.compiled[place]; ok {
		return schema, nil
	}
	schema, err := s.compiler.Compile(resource + place)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	s.compiled[place] = schema
	return schema, nil
}

// pointer renders a place in the document.
func pointer(names ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D")
	var b strings.Builder
	b.WriteByte('#')
	for _, n := range names {
		b.WriteString("/" + escape.Replace(n))
	}
	return b.String()
}

// responseBody validates the body of an answer; one that is not JSON is not looked at.
func (v *Validator) responseBody(path *template, method string, op *openapi3.Operation, resp *http.Response, body []byte) error {
	status := fmt.Sprint(resp.StatusCode)
	ref := op.Responses.Value(status)
	if ref == nil {
		status, ref = "default", op.Responses.Default()
	}
	if ref == nil {
		return errors.New("the status is not in the document")
	}
	if len(ref.Value.Content) == 0 {
		if len(body) > 0 {
			return errors.New("there is a body and none is described")
		}
		return nil
	}
	place := ref.Ref
	if place == "" {
		place = pointer("paths", path.text, strings.ToLower(method), "responses", status)
	}
	return v.content(place, ref.Value.Content, resp.Header, body)
}

// requestBody validates the body of a request.
func (v *Validator) requestBody(path *template, method string, op *openapi3.Operation, req *http.Request, body []byte) error {
	ref := op.RequestBody
	switch {
	case ref == nil && len(body) > 0:
		return errors.New("there is a body and none is described")
	case ref == nil:
		return nil
	case len(body) == 0 && ref.Value.Required:
		return errors.New("the body is missing")
	case len(body) == 0:
		return nil
	}
	place := ref.Ref
	if place == "" {
		place = pointer("paths", path.text, strings.ToLower(method), "requestBody")
	}
	return v.content(place, ref.Value.Content, req.Header, body)
}

func (v *Validator) content(place string, content openapi3.Content, h http.Header, body []byte) error {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	described := content[media]
	if err != nil || described == nil {
		return fmt.Errorf("the media type %q is not in the document", h.Get("Content-Type"))
	}
	if media != "application/json" && !strings.HasSuffix(media, "+json") || described.Schema == nil {
		return nil
	}
	return v.schemas.check(place+strings.TrimPrefix(pointer("content", media, "schema"), "#"), body)
}
