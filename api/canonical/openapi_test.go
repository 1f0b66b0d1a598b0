package canonical_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/api/canonical"
)

func TestTheDocumentIsValid(t *testing.T) {
	v := apitest.New(t, canonical.OpenAPI())
	want := []string{
		"DELETE /api/secrets",
		"GET /api/secrets",
		"GET /api/secrets/audit",
		"GET /api/secrets/events",
		"GET /api/secrets/keys",
		"GET /api/secrets/metadata",
		"GET /api/secrets/metadata/detail",
		"GET /api/secrets/search",
		"GET /api/secrets/value",
		"GET /api/secrets/versions",
		"POST /api/secrets",
		"POST /api/secrets/bulk",
		"POST /api/secrets/copy",
		"POST /api/secrets/destroy-versions",
		"POST /api/secrets/metadata/owner",
		"POST /api/secrets/move",
		"POST /api/secrets/rotate",
		"POST /api/secrets/undelete",
	}
	got := v.Operations()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("operations %q, want %q", got, want)
	}
}

// The two renderings are one document.
func TestTheJSONRendering(t *testing.T) {
	text, err := canonical.OpenAPIJSON()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the rendering is not JSON")
	}
	a, b := apitest.New(t, canonical.OpenAPI()).Operations(), apitest.New(t, text).Operations()
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Fatalf("the renderings differ: %q, %q", a, b)
	}
}
