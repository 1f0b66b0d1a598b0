package canonical_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/internal/event"
)

// Each wire type has the members of its schema and no other, and what may be absent
// is what the schema does not require.
func TestTypesHaveTheMembersOfTheirSchemas(t *testing.T) {
	schemas := document(t).Components.Schemas
	for name, typ := range map[string]reflect.Type{
		"WriteRequest":     reflect.TypeFor[canonical.WriteRequest](),
		"VersionsRequest":  reflect.TypeFor[canonical.VersionsRequest](),
		"OwnerRequest":     reflect.TypeFor[canonical.OwnerRequest](),
		"TransferRequest":  reflect.TypeFor[canonical.TransferRequest](),
		"BulkRequest":      reflect.TypeFor[canonical.BulkRequest](),
		"BulkOperation":    reflect.TypeFor[canonical.BulkOperation](),
		"WriteResponse":    reflect.TypeFor[canonical.WriteResponse](),
		"RotateResponse":   reflect.TypeFor[canonical.RotateResponse](),
		"DeleteResponse":   reflect.TypeFor[canonical.DeleteResponse](),
		"VersionsResponse": reflect.TypeFor[canonical.VersionsResponse](),
		"Version":          reflect.TypeFor[canonical.Version](),
		"VersionsList":     reflect.TypeFor[canonical.VersionsList](),
		"Detail":           reflect.TypeFor[canonical.Detail](),
		"OwnerResponse":    reflect.TypeFor[canonical.OwnerResponse](),
		"Keys":             reflect.TypeFor[canonical.Keys](),
		"Item":             reflect.TypeFor[canonical.Item](),
		"Page":             reflect.TypeFor[canonical.Page](),
		"BulkResponse":     reflect.TypeFor[canonical.BulkResponse](),
		"BulkResult":       reflect.TypeFor[canonical.BulkResult](),
		"TransferResponse": reflect.TypeFor[canonical.TransferResponse](),
		"Event":            reflect.TypeFor[canonical.Event](),
		"Gap":              reflect.TypeFor[canonical.Gap](),
		"AuditRecord":      reflect.TypeFor[canonical.AuditRecord](),
		"AuditPage":        reflect.TypeFor[canonical.AuditPage](),
		"DeniedError":      reflect.TypeFor[canonical.Error](),
		"CopiedError":      reflect.TypeFor[canonical.Error](),
		"Denial":           reflect.TypeFor[canonical.Denial](),
	} {
		all, required := members(typ)
		if want := slices.Sorted(maps.Keys(schemas[name].Properties)); !slices.Equal(all, want) {
			t.Errorf("%s has members %q, its schema %q", name, all, want)
		}
		if want := slices.Sorted(slices.Values(schemas[name].Required)); !slices.Equal(required, want) {
			t.Errorf("%s always has %q, its schema requires %q", name, required, want)
		}
	}
}

func members(typ reflect.Type) (all, required []string) {
	for f := range typ.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
		if option == "" {
			required = append(required, name)
		}
	}
	slices.Sort(all)
	slices.Sort(required)
	return all, required
}

// A gap has the reasons that the event log gives, and no other.
func TestGapsHaveTheReasonsOfTheLog(t *testing.T) {
	reasons := document(t).Components.Schemas["Gap"].Properties["reason"].Enum
	if want := []any{event.Retention, event.Damage}; !slices.Equal(reasons, want) {
		t.Errorf("the document has %q, the log gives %q", reasons, want)
	}
}

// openAPI is what the tests look at of the document.
type openAPI struct {
	Components struct {
		Schemas   map[string]schema
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
}

type schema struct {
	Ref        string `json:"$ref"`
	Properties map[string]schema
	Required   []string
	Enum       []any
	Const      any
}

func document(t *testing.T) openAPI {
	t.Helper()
	text, err := canonical.OpenAPIJSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc openAPI
	// Properties that are the schema false have no members to look at.
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), ":false", ":{}")), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every code of the package is in the document and the other way round, but for
// that of 405, which belongs to no operation.
func TestCodesAreThoseOfTheDocument(t *testing.T) {
	doc := document(t)
	var want []string
	for _, r := range doc.Components.Responses {
		s := r.Content["application/json"].Schema
		code := s.Properties["code"]
		if code.Enum == nil && code.Const == nil {
			code = doc.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")].Properties["code"]
		}
		if code.Const != nil {
			code.Enum = append(code.Enum, code.Const)
		}
		for _, c := range code.Enum {
			want = append(want, c.(string))
		}
	}
	want = append(want, canonical.CodeMethodNotAllowed)
	slices.Sort(want)
	got := codes(t)
	if want = slices.Compact(want); len(want) < 40 || !slices.Equal(got, want) {
		t.Fatalf("codes   %q\ndocument %q", got, want)
	}
}

// codes reads the constants from the source, so that none can be forgotten here.
func codes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Code") {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
		return true
	})
	slices.Sort(out)
	return out
}

// Bodies as this package writes them match the document.
func TestBodiesMatchTheDocument(t *testing.T) {
	v := apitest.New(t, canonical.OpenAPI())
	one, ref := int64(1), strings.Repeat("a", 43)
	off := canonical.Truth(false)
	const uri = "coffer+kv2://secret/a"
	for name, body := range map[string]any{
		"WriteRequest": canonical.WriteRequest{URI: uri + "#k", Value: canonical.Text("v")},
		"BulkRequest": canonical.BulkRequest{ContinueOnError: &off, Operations: []canonical.BulkOperation{
			{Op: canonical.OpSet, URI: uri, Value: canonical.Text("v"), IfMatch: canonical.Match(0)},
			{Op: canonical.OpDestroy, URI: uri, Versions: []int64{1}, FragmentScope: "path", IfMatch: canonical.MatchAny},
		}},
		"TransferRequest":  canonical.TransferRequest{FromURI: uri, ToURI: uri + "b", Overwrite: true},
		"WriteResponse":    canonical.WriteResponse{Status: "ok", URI: uri, Version: &one, ResourceRef: ref},
		"RotateResponse":   canonical.RotateResponse{Status: "rotated", URI: uri, ResourceRef: ref},
		"VersionsResponse": canonical.VersionsResponse{Status: "ok", URI: uri, Versions: []int64{1}, Ignored: []int64{}},
		"Version":          canonical.Version{Version: 1, CreatedTime: "2026-01-02T15:04:05Z"},
		"Page":             canonical.Page{Items: []canonical.Item{{URI: uri, Path: "secret/a"}}, Total: 1, Limit: 100},
		"BulkResponse": canonical.BulkResponse{Failed: 1, Results: []canonical.BulkResult{
			{Op: canonical.OpSet, URI: uri, Status: canonical.StatusOK, Version: &one},
			{Op: canonical.OpDelete, URI: uri, Status: canonical.StatusError, HTTPStatus: 403, Code: "X", Message: "x"},
			{Op: canonical.OpDelete, URI: uri, Status: canonical.StatusSkipped},
		}},
		"TransferResponse": canonical.TransferResponse{Status: "ok", FromURI: uri, ToURI: uri},
		"Gap":              canonical.Gap{From: 1, To: 2, Reason: "retention"},
		"Error":            canonical.Error{Error: "Not Found", Code: canonical.CodeNotFound, Message: "no such route"},
	} {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		v.Schema(t, name, text)
	}
}
