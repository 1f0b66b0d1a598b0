package tenants

import (
	"context"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

// AliasChange gives an external group the claim text by which it applies.
type AliasChange struct {
	Name          string // the exact claim text
	MountAccessor string // kept and shown, without effect
	GroupID       string
}

// PutAlias sets the alias of an external group and gives the group. Only
// administrators may. NotFound: no such group. Invalid: an internal group, an illegal
// text, or one that another group has (CodeAliasInUse).
func (s *Service) PutAlias(ctx context.Context, p identity.Principal, call Call, c AliasChange) (Group, error) {
	r, err := s.administer(ctx, p, call, deed{GroupUpdated, policy.Write, uriOf(TopicGroups, c.GroupID)})
	if err != nil {
		return Group{}, err
	}
	if !legalAlias(c.Name) || len(c.MountAccessor) > maxAlias {
		return Group{}, fault.New(fault.Invalid, "alias name is not legal")
	}
	var after Group
	err = s.change(ctx, r, func(u *unit) error {
		before, err := u.target(GroupChange{ID: c.GroupID})
		if err != nil {
			return err
		}
		if before == nil {
			return fault.New(fault.NotFound, "no such group")
		}
		after = *before
		if err := u.applyAlias(&after, c.Name, c.MountAccessor); err != nil {
			return err
		}
		after, err = u.setGroup(before, after)
		return err
	})
	return after, err
}

// LookupByAlias finds the group of a claim text, letter case aside. Only
// administrators may. NotFound: none has it.
func (s *Service) LookupByAlias(ctx context.Context, p identity.Principal, claim string) (Group, error) {
	return s.GetGroup(ctx, p, GroupRef{Alias: claim})
}
