package canonical_test

import (
	"slices"
	"testing"

	api "github.com/coffer-dev/coffer/api/canonical"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/door/canonical"
)

func TestRoutesAreTheDocument(t *testing.T) {
	var routes []string
	for _, r := range canonical.Routes(canonical.Config{Activity: &activity.Service{}}) {
		routes = append(routes, r.Method+" "+r.Path)
	}
	documented := apitest.New(t, api.OpenAPI()).Operations()
	slices.Sort(routes)
	slices.Sort(documented)
	if !slices.Equal(routes, documented) {
		t.Fatalf("routes      %q\ndescription %q", routes, documented)
	}
	if len(routes) != 18 {
		t.Fatalf("%d routes, want 18", len(routes))
	}
}
