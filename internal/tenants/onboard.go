package tenants

import (
	"context"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

// Onboarding asks that a tenant's group, its policy and its alias be there.
type Onboarding struct {
	Claim    string   // the exact claim text; FromClaim names the group
	Policies []string // further policies of the group; for administrators
}

// Onboarded tells what is there now.
type Onboarded struct {
	Group   Group
	Policy  string // name of the tenant's own policy
	Created bool   // this call created the group
}

// Onboard makes a tenant complete, or repairs a partial one, in one transaction.
// Members may, for a claim of their own token, and administrators. Exists: the
// policy or the group belongs to somebody else, as when two names differ by letter
// case alone. A policy that was made for this group and then edited is put back for
// administrators and left alone for members.
func (s *Service) Onboard(ctx context.Context, p identity.Principal, call Call, o Onboarding) (Onboarded, error) {
	admin := s.c.MayAdminister(p)
	member := !p.IsAnonymous() && slices.Contains(p.Groups, o.Claim) && len(o.Policies) == 0
	r, err := s.admit(ctx, p, call, deed{GroupUpdated, policy.Write, uriOf(TopicGroups, o.Claim)}, admin || member)
	if err != nil {
		return Onboarded{}, err
	}
	name, err := s.c.Nested.FromClaim(o.Claim)
	if err != nil {
		return Onboarded{}, err
	}
	extra, err := policyNames(o.Policies)
	if err != nil {
		return Onboarded{}, err
	}
	out := Onboarded{Policy: PolicyOf(name)}
	err = s.change(ctx, r, func(u *unit) error {
		before, err := u.groupBy(kindGroupName, fold(name))
		if err != nil {
			return err
		}
		if foreign(before, name, o.Claim) {
			return fault.New(fault.Exists, "a group of that name exists and is another one's")
		}
		if err := u.onboardPolicy(before, name, admin); err != nil {
			return err
		}
		out.Created = before == nil
		out.Group, err = u.onboardGroup(before, name, o.Claim, append([]string{out.Policy}, extra...))
		if fault.CodeOf(err) == CodeAliasInUse {
			return fault.Wrap(fault.Exists, err, "the alias is another group's")
		}
		return err
	})
	return out, err
}

// foreign says whether a group is not the one that a claim stands for.
func foreign(g *Group, name, claim string) bool {
	if g == nil {
		return false
	}
	return g.Name != name || g.Type != External || g.Alias != nil && g.aliasKey() != fold(claim)
}

// onboardPolicy writes the tenant's policy where it is missing. A policy without a
// marker is left alone when the group has it already: somebody meant it so.
func (u *unit) onboardPolicy(g *Group, name string, admin bool) error {
	text := u.s.c.Template.Text(name)
	before, err := find[Policy](u, kindPolicy, PolicyOf(name))
	switch {
	case err != nil:
		return err
	case before == nil:
	case markedFor(before.Text, name):
		if before.Text == text || !admin {
			return nil
		}
	case !isManaged(before.Text) && g != nil && slices.Contains(g.Policies, before.Name):
		return nil
	default:
		return fault.New(fault.Exists, "a policy of that name exists and is another one's")
	}
	if _, err := acl.Parse(PolicyOf(name), text); err != nil {
		return fault.Wrap(fault.Internal, err, "the tenant policy's template does not parse")
	}
	_, err = u.setPolicy(before, Policy{Name: PolicyOf(name), Text: text})
	return err
}

func (u *unit) onboardGroup(before *Group, name, claim string, policies []string) (Group, error) {
	g := Group{Name: name, Type: External, Metadata: map[string]string{}, MemberGroups: []string{}}
	if before != nil {
		g = *before
	}
	missing := slices.DeleteFunc(policies, func(p string) bool { return slices.Contains(g.Policies, p) })
	if before != nil && before.Alias != nil && len(missing) == 0 {
		return g, nil
	}
	g.Policies = append(slices.Clip(g.Policies), missing...)
	if g.Alias == nil {
		if err := u.applyAlias(&g, claim, ""); err != nil {
			return g, err
		}
	}
	return u.setGroup(before, g)
}
