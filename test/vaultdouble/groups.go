package vaultdouble

import (
	"context"
	"errors"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
	"github.com/coffer-dev/coffer/internal/tenants"
)

// groups serves the groups of the use case, as the deployment itself.
type groups struct {
	service *tenants.Service
	tenant  string
}

var _ vaulttest.Groups = groups{}

// PutGroup states the whole group but its alias, which has an endpoint of its own.
func (g groups) PutGroup(ctx context.Context, in vaulttest.Group) (vaulttest.Group, bool, error) {
	stored, created, err := g.service.PutGroup(ctx, tenants.System(g.tenant), tenants.Call{}, tenants.GroupChange{
		ID: in.ID, Name: in.Name, Type: in.Type, Policies: orEmpty(in.Policies), Metadata: in.Metadata,
		MemberGroups: orEmpty(in.Children), MemberEntities: in.Entities,
	}, tenants.Upsert)
	if fault.CodeOf(err) == tenants.CodeUnknownMember {
		err = fault.New(fault.NotFound, "%s", unknownMember(in))
	}
	return shown(stored), created, err
}

func unknownMember(in vaulttest.Group) string {
	if len(in.Entities) > 0 {
		return "invalid entity ID"
	}
	return "invalid group ID"
}

func (g groups) Group(ctx context.Context, key vaulttest.GroupKey) (vaulttest.Group, error) {
	stored, err := g.service.GetGroup(ctx, tenants.System(g.tenant), tenants.GroupRef{ID: key.ID, Name: key.Name})
	return shown(stored), err
}

func (g groups) AllGroups(ctx context.Context) ([]vaulttest.Group, error) {
	stored, err := g.service.ListGroups(ctx, tenants.System(g.tenant))
	out := make([]vaulttest.Group, 0, len(stored))
	for _, one := range stored {
		out = append(out, shown(one))
	}
	return out, err
}

func (g groups) DeleteGroup(ctx context.Context, key vaulttest.GroupKey) error {
	return g.service.DeleteGroup(ctx, tenants.System(g.tenant), tenants.Call{}, tenants.GroupRef{ID: key.ID, Name: key.Name})
}

func (g groups) PutAlias(ctx context.Context, a vaulttest.Alias) (vaulttest.Alias, error) {
	stored, err := g.service.PutAlias(ctx, tenants.System(g.tenant), tenants.Call{}, tenants.AliasChange{
		Name: a.Name, MountAccessor: a.MountAccessor, GroupID: a.GroupID,
	})
	if errors.Is(err, fault.NotFound) {
		err = fault.New(fault.Invalid, "invalid group ID given in 'canonical_id'")
	}
	if err != nil {
		return a, err
	}
	return *shownAlias(stored), nil
}

func shown(g tenants.Group) vaulttest.Group {
	out := vaulttest.Group{
		ID: g.ID, Name: g.Name, Type: g.Type, Policies: g.Policies, Children: g.MemberGroups, Parents: g.Parents,
		Alias: shownAlias(g), Created: g.Created, Updated: g.Modified, Revision: g.ModifyIndex,
	}
	if len(g.Metadata) > 0 {
		out.Metadata = g.Metadata
	}
	return out
}

func shownAlias(g tenants.Group) *vaulttest.Alias {
	if g.Alias == nil {
		return nil
	}
	return &vaulttest.Alias{
		ID: g.Alias.ID, Name: g.Alias.Name, MountAccessor: g.Alias.MountAccessor, GroupID: g.ID,
		Created: g.Alias.Created, Updated: g.Alias.Modified,
	}
}

// orEmpty tells the use case that nothing is meant, and not that nothing was said.
func orEmpty(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}
