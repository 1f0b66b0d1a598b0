package tenants

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Codes of refused groups.
const (
	CodeAliasInUse    = "ALIAS_IN_USE"
	CodeUnknownMember = "UNKNOWN_MEMBER"
)

// maxAlias bounds a claim text, in bytes; maxMembers the groups within a group.
const (
	maxAlias   = 512
	maxMembers = 64
)

// GroupChange is what a write of a group states. Nil keeps what is there.
type GroupChange struct {
	ID       string // of an existing group; "" finds the group by its name
	Name     string // with an ID: the new name, or "" to keep it
	Type     string // "" keeps it; a new group is then Internal
	Policies []string
	Metadata map[string]string
	// MemberGroups are ids of groups whose members are members of this internal one.
	MemberGroups []string
	// MemberEntities names stored identities, of which there are none.
	MemberEntities []string
	Alias          *string // of an external group; "" takes it away
}

// checked normalises a change and refuses what no group can be.
func (s *Service) checked(c GroupChange) (GroupChange, error) {
	var err error
	if c.Name != "" || c.ID == "" {
		if c.Name, err = s.c.Nested.FromClaim(c.Name); err != nil {
			return c, err
		}
	}
	if c.Type != "" && c.Type != Internal && c.Type != External {
		return c, fault.New(fault.Invalid, "invalid group type %.64q", c.Type)
	}
	if c.Policies, err = policyNames(c.Policies); err != nil {
		return c, err
	}
	if len(c.MemberGroups) > maxMembers {
		return c, fault.New(fault.TooLarge, "more than %d member groups", maxMembers)
	}
	if c.Alias != nil && *c.Alias != "" && !legalAlias(*c.Alias) {
		return c, fault.New(fault.Invalid, "alias name is not legal")
	}
	return c, secret.CheckCustom(c.Metadata)
}

// policyNames normalises a group's policies; their order is kept.
func policyNames(raw []string) ([]string, error) {
	if len(raw) > MaxGroupPolicies {
		return nil, fault.New(fault.TooLarge, "more than %d policies in a group", MaxGroupPolicies)
	}
	if raw == nil {
		return nil, nil
	}
	names := make([]string, 0, len(raw))
	for _, r := range raw {
		name, legal := PolicyName(r)
		switch {
		case !legal:
			return nil, fault.New(fault.Invalid, "policy name is not legal")
		case name == Root:
			return nil, fault.New(fault.Invalid, "policies cannot contain root")
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	return names, nil
}

// legalAlias takes any claim text without control characters.
func legalAlias(name string) bool {
	if name == "" || len(name) > maxAlias || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// apply gives the group as it will be.
func (u *unit) apply(before *Group, c GroupChange) (Group, error) {
	g := Group{Name: c.Name, Type: Internal, Policies: []string{}, Metadata: map[string]string{}, MemberGroups: []string{}}
	if before != nil {
		g = *before
		if c.ID != "" && c.Name != "" {
			g.Name = c.Name
		}
	}
	if c.Type != "" {
		if before != nil && c.Type != before.Type {
			return g, fault.New(fault.Invalid, "group type cannot be changed")
		}
		g.Type = c.Type
	}
	if c.Policies != nil {
		g.Policies = c.Policies
	}
	if c.Metadata != nil {
		g.Metadata = c.Metadata
	}
	if err := u.applyMembers(&g, c); err != nil {
		return g, err
	}
	if c.Alias == nil {
		return g, nil
	}
	return g, u.applyAlias(&g, *c.Alias, "")
}

func (u *unit) applyMembers(g *Group, c GroupChange) error {
	switch {
	case len(c.MemberEntities) > 0 && g.Type == External:
		return fault.New(fault.Invalid, "member entities can't be set manually for external groups")
	case len(c.MemberGroups) > 0 && g.Type == External:
		return fault.New(fault.Invalid, "member groups can't be set for external groups")
	case len(c.MemberEntities) > 0:
		return unknownMember()
	case c.MemberGroups == nil:
		return nil
	}
	for _, id := range c.MemberGroups {
		member, err := u.groupByID(id)
		if err != nil {
			return err
		}
		if member == nil || id == g.ID {
			return unknownMember()
		}
	}
	g.MemberGroups = slices.Clone(c.MemberGroups)
	return nil
}

func unknownMember() error {
	return fault.Coded(fault.Invalid, CodeUnknownMember, "a member is unknown")
}

// applyAlias sets the one alias of an external group; a second replaces the first.
func (u *unit) applyAlias(g *Group, name, mount string) error {
	if g.Type != External {
		return fault.New(fault.Invalid, "alias can't be set on an internal group")
	}
	if name == "" {
		g.Alias = nil
		return nil
	}
	now := u.record.Time
	alias := Alias{Name: name, MountAccessor: mount, Created: now, Modified: now}
	if old := g.Alias; old != nil && fold(old.Name) == fold(name) {
		alias.ID, alias.Created = old.ID, old.Created
	} else {
		alias.ID = u.s.c.NewID()
	}
	g.Alias = &alias
	return nil
}
