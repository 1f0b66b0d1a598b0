package vaultdouble

import (
	"context"
	"errors"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy/acl"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
	"github.com/coffer-dev/coffer/internal/tenants"
)

// claimPrefix begins no legal policy name.
const claimPrefix = "claim:"

// Claim makes the policy name by which a token of the double carries a group claim.
// Such a token has what the groups of its claims give at the time of each request.
func Claim(text string) string { return claimPrefix + text }

// policies serves the policies of the use case. It acts as the deployment itself, for
// the handler has already decided whether its caller may administer.
type policies struct {
	service *tenants.Service
	tenant  string
}

var _ vaulttest.Policies = policies{}

func (p policies) PutPolicy(ctx context.Context, name, text string) error {
	_, _, err := p.service.PutPolicy(ctx, tenants.System(p.tenant), tenants.Call{}, name, text, tenants.Upsert)
	return err
}

func (p policies) Policy(ctx context.Context, name string) (vaulttest.Policy, error) {
	stored, err := p.service.GetPolicy(ctx, tenants.System(p.tenant), name)
	return vaulttest.Policy{
		Name: stored.Name, Text: stored.Text, Version: stored.Version, Modified: stored.Modified,
	}, err
}

func (p policies) PolicyNames(ctx context.Context) ([]string, error) {
	return p.service.ListPolicies(ctx, tenants.System(p.tenant))
}

func (p policies) DeletePolicy(ctx context.Context, name string) error {
	return p.service.DeletePolicy(ctx, tenants.System(p.tenant), tenants.Call{}, name)
}

// Capabilities evaluates the named policies, or the groups of the claims when there
// are any: the use case gives a caller no policy but through groups.
func (p policies) Capabilities(ctx context.Context, names []string, path string) ([]string, error) {
	caller := identity.Principal{Tenant: p.tenant, Subject: "auth:account:idp:member"}
	var held []*acl.Policy
	for _, name := range names {
		if claim, ok := strings.CutPrefix(name, claimPrefix); ok {
			caller.Groups = append(caller.Groups, claim)
			continue
		}
		parsed, err := p.parsed(ctx, name)
		if err != nil {
			return nil, err
		}
		held = append(held, parsed)
	}
	if len(caller.Groups) > 0 {
		granted, err := p.service.Capabilities(ctx, caller, path)
		return granted.Names(), err
	}
	united := acl.Compile(held...)
	if strings.HasSuffix(path, "/") {
		return united.List(path).Names(), nil
	}
	return united.Capabilities(path).Names(), nil
}

// parsed is a stored policy; one that does not exist gives nothing.
func (p policies) parsed(ctx context.Context, name string) (*acl.Policy, error) {
	stored, err := p.Policy(ctx, name)
	if errors.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // nothing is what such a policy gives
	}
	if err != nil {
		return nil, err
	}
	return acl.Parse(name, stored.Text)
}
