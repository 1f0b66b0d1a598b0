package tenants

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

// GroupRef names one group by exactly one of its members; letter case of name and
// alias plays no part.
type GroupRef struct{ ID, Name, Alias string }

// PutGroup writes a group and says whether it is new. Only administrators may. What
// the change leaves out is kept, or empty in a new group. Exists: another group has
// the name. Invalid: an illegal member, or an alias of another group (CodeAliasInUse).
func (s *Service) PutGroup(ctx context.Context, p identity.Principal, call Call, c GroupChange, mode Mode) (Group, bool, error) {
	r, err := s.administer(ctx, p, call, deed{GroupUpdated, policy.Write, uriOf(TopicGroups, cmp.Or(c.Name, c.ID))})
	if err != nil {
		return Group{}, false, err
	}
	if c, err = s.checked(c); err != nil {
		return Group{}, false, err
	}
	var after Group
	var created bool
	err = s.change(ctx, r, func(u *unit) error {
		before, err := u.target(c)
		if err != nil {
			return err
		}
		created = before == nil
		if err := expect(mode, !created, "group"); err != nil {
			return err
		}
		if after, err = u.apply(before, c); err != nil {
			return err
		}
		after, err = u.setGroup(before, after)
		return err
	})
	return after, created, err
}

// target is the group that a change is for; nil for a new one. An unknown id is NotFound.
func (u *unit) target(c GroupChange) (*Group, error) {
	if c.ID == "" {
		return u.groupBy(kindGroupName, fold(c.Name))
	}
	g, err := u.groupByID(c.ID)
	if err == nil && g == nil {
		err = fault.New(fault.NotFound, "no such group")
	}
	return g, err
}

func (u *unit) groupByID(id string) (*Group, error) {
	if !legalName(id, maxSegment, "-") {
		return nil, nil // no group has such an id
	}
	return find[Group](u, kindGroup, id)
}

// GetGroup reads one group. Only administrators may. NotFound also for names that no
// group can have.
func (s *Service) GetGroup(ctx context.Context, p identity.Principal, ref GroupRef) (Group, error) {
	d := deed{GroupRead, policy.ReadMetadata, uriOf(TopicGroups, cmp.Or(ref.Name, ref.ID, ref.Alias))}
	if _, err := s.administer(ctx, p, Call{}, d); err != nil {
		return Group{}, err
	}
	rules, err := s.current(ctx)
	if err != nil {
		return Group{}, err
	}
	if g := rules.group(ref, s.c.Nested); g != nil {
		return rules.view(g), nil
	}
	return Group{}, fault.New(fault.NotFound, "no such group")
}

// ListGroups reads all groups, sorted by name. Only administrators may.
func (s *Service) ListGroups(ctx context.Context, p identity.Principal) ([]Group, error) {
	if _, err := s.administer(ctx, p, Call{}, deed{GroupRead, policy.ReadMetadata, uriOf(TopicGroups, "")}); err != nil {
		return nil, err
	}
	rules, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Group, 0, len(rules.groups))
	for _, g := range rules.groups {
		list = append(list, rules.view(g.group))
	}
	slices.SortFunc(list, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// view is a copy of a group for a caller.
func (r *snapshot) view(g *Group) Group {
	out := *g
	out.Policies, out.MemberGroups = slices.Clone(g.Policies), slices.Clone(g.MemberGroups)
	out.Metadata = maps.Clone(g.Metadata)
	out.Parents = slices.Clone(r.parents[g.ID])
	if g.Alias != nil {
		alias := *g.Alias
		out.Alias = &alias
	}
	return out
}

// DeleteGroup removes a group with its alias; an absent one is no error. The access
// that it gave ends at once. Only administrators may.
func (s *Service) DeleteGroup(ctx context.Context, p identity.Principal, call Call, ref GroupRef) error {
	r, err := s.administer(ctx, p, call, deed{GroupDeleted, policy.Delete, uriOf(TopicGroups, cmp.Or(ref.Name, ref.ID, ref.Alias))})
	if err != nil {
		return err
	}
	return s.change(ctx, r, func(u *unit) error {
		before, err := u.resolve(ref)
		if err != nil || before == nil {
			return err
		}
		return u.dropGroup(before)
	})
}

// resolve finds a group; nil when there is none.
func (u *unit) resolve(ref GroupRef) (*Group, error) {
	switch {
	case ref.ID != "":
		return u.groupByID(ref.ID)
	case ref.Alias != "":
		if !legalAlias(ref.Alias) {
			return nil, nil // no group has such an alias
		}
		return u.groupBy(kindGroupAlias, fold(ref.Alias))
	}
	name, err := u.s.c.Nested.FromClaim(ref.Name)
	if err != nil {
		return nil, nil //nolint:nilerr // no group has such a name
	}
	return u.groupBy(kindGroupName, fold(name))
}
