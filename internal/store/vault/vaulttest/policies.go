package vaulttest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

const defaultPolicy = "default"

func (h *Handler) policyRoutes() []route {
	if h.cfg.Policies == nil {
		return nil
	}
	both := func(shape policyShape) []route {
		one := endpoint{
			read:   func(ctx context.Context, r *request) reply { return h.readPolicy(ctx, r, shape) },
			write:  h.writePolicy,
			remove: h.removePolicy,
		}
		all := func(ctx context.Context, r *request) reply { return h.listPolicies(ctx, r, shape) }
		return []route{{shape.path, guarded, endpoint{read: all, list: all}}, {shape.path + "/", guarded, one}}
	}
	return append(both(policyShape{path: "sys/policies/acl"}), both(policyShape{path: "sys/policy", legacy: true})...)
}

// policyShape tells the older form of the policy endpoints from the newer one.
type policyShape struct {
	path   string
	legacy bool
}

// policyName folds a name as servers do; folded says that its case changed.
func policyName(r *request) (name string, folded bool) {
	given := strings.TrimSpace(r.rest)
	name = strings.ToLower(given)
	return name, name != given
}

func (h *Handler) writePolicy(ctx context.Context, r *request) reply {
	name, folded := policyName(r)
	if name == RootPolicy {
		return invalid("cannot update %q policy", RootPolicy)
	}
	text := r.body.Text("policy")
	if text == "" {
		text = r.body.Text("rules")
	}
	if text == "" {
		return invalid("'policy' parameter not supplied or empty")
	}
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(plain)
	}
	if err := h.cfg.Policies.PutPolicy(ctx, name, text); err != nil {
		return r.fail(err)
	}
	if folded {
		return reply{status: http.StatusOK, warnings: []string{"policy name was converted to lowercase"}}
	}
	return done()
}

func (h *Handler) readPolicy(ctx context.Context, r *request, shape policyShape) reply {
	name, _ := policyName(r)
	p := Policy{Name: RootPolicy}
	if name != RootPolicy {
		var err error
		p, err = h.cfg.Policies.Policy(ctx, name)
		if errors.Is(err, fault.NotFound) && name == defaultPolicy {
			p, err = Policy{Name: defaultPolicy}, nil // exists always, granting nothing
		}
		if err != nil {
			return r.fail(err)
		}
	}
	if shape.legacy {
		return system(object{"name": p.Name, "rules": p.Text})
	}
	return system(object{
		"cas_required": false, "modified": wire.Stamp(p.Modified), "name": p.Name, "policy": p.Text, "version": p.Version,
	})
}

func (h *Handler) listPolicies(ctx context.Context, r *request, shape policyShape) reply {
	names, err := h.cfg.Policies.PolicyNames(ctx)
	if err != nil {
		return r.fail(err)
	}
	names = append(slices.Clone(names), defaultPolicy, RootPolicy)
	slices.Sort(names)
	names = slices.Compact(names)
	if shape.legacy {
		return system(object{"keys": names, "policies": names})
	}
	return system(object{"keys": names})
}

func (h *Handler) removePolicy(ctx context.Context, r *request) reply {
	name, _ := policyName(r)
	if name == RootPolicy || name == defaultPolicy {
		return invalid("cannot delete %s policy", name)
	}
	return h.nothingMissing(r, h.cfg.Policies.DeletePolicy(ctx, name))
}
