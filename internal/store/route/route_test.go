package route_test

import (
	"errors"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/route"
)

func TestRoute(t *testing.T) {
	embedded := secret.Backend{Name: "embedded"}
	bao := secret.Backend{Name: "openbao"}
	prod := secret.Backend{Name: "hashicorp-prod"}
	file := secret.Backend{Name: "yaml"}
	full := route.New(route.Config{
		Embedded: embedded, Servers: map[string]secret.Backend{"openbao": bao, "hashicorp-prod": prod}, File: &file, Fallback: true,
	})
	bare := route.New(route.Config{Embedded: embedded})
	for _, c := range []struct {
		r        *route.Router
		provider string
		want     string // "" means Unsupported
	}{
		{full, "coffer", "embedded"}, {full, "openbao", "openbao"}, {full, "hashicorp", "embedded"},
		{full, "hashicorp-prod", "hashicorp-prod"}, {full, "yaml", "yaml"}, {full, "openbao-prod", ""},
		{bare, "coffer", "embedded"}, {bare, "openbao", ""}, {bare, "hashicorp", ""}, {bare, "yaml", ""}, {bare, "", ""},
	} {
		b, err := c.r.Route(secret.URI{Provider: c.provider})
		if b.Name != c.want || (c.want == "") != errors.Is(err, fault.Unsupported) {
			t.Errorf("%s: %q %v, want %q", c.provider, b.Name, err, c.want)
		}
	}
}
