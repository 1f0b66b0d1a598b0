package route

import (
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Config lists the back ends of a deployment.
type Config struct {
	Embedded secret.Backend
	// Servers are the outside back ends by provider name, such as "openbao" or
	// "openbao-prod".
	Servers map[string]secret.Backend
	File    *secret.Backend // the YAML file; nil: off
	// Fallback lets openbao and hashicorp mean the embedded engine where no server is
	// configured for them.
	Fallback bool
}

// Router resolves URIs. It may be used concurrently.
type Router struct{ c Config }

// New makes a router.
func New(c Config) *Router { return &Router{c} }

// Route finds the back end of u; Unsupported when there is none.
func (r *Router) Route(u secret.URI) (secret.Backend, error) {
	if b, ok := r.c.Servers[u.Provider]; ok {
		return b, nil
	}
	switch u.Provider {
	case secret.ProviderCoffer:
		return r.c.Embedded, nil
	case secret.ProviderYAML:
		if r.c.File != nil {
			return *r.c.File, nil
		}
	case secret.ProviderOpenBao, secret.ProviderHashicorp:
		if r.c.Fallback {
			return r.c.Embedded, nil
		}
	}
	return secret.Backend{}, fault.Coded(fault.Unsupported, "UNSUPPORTED_OPERATION", "no back end is configured for this provider")
}

// Default is the embedded engine.
func (r *Router) Default() (string, secret.Backend) { return secret.ProviderCoffer, r.c.Embedded }
