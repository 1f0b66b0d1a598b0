package vaulttest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// policies understands one rule a line, "path = capability,capability", and refuses
// what a real parser refuses by the sight of it.
type policies struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]vaulttest.Policy
}

func (p *policies) PutPolicy(_ context.Context, name, text string) error {
	for _, word := range []string{"zzz", "{", "+*", "allowed_parameters", "control_group", "expiration"} {
		if strings.Contains(text, word) {
			return fault.New(fault.Invalid, "failed to parse policy: rule is not supported")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[name] = vaulttest.Policy{Name: name, Text: text, Version: p.all[name].Version + 1, Modified: p.now()}
	return nil
}

func (p *policies) Policy(_ context.Context, name string) (vaulttest.Policy, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.all[name]
	if !ok {
		return found, fault.New(fault.NotFound, "no such policy")
	}
	return found, nil
}

func (p *policies) PolicyNames(context.Context) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for n := range p.all {
		names = append(names, n)
	}
	return names, nil
}

func (p *policies) DeletePolicy(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, name)
	return nil
}

func (p *policies) Capabilities(_ context.Context, names []string, path string) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, n := range names {
		for line := range strings.SplitSeq(p.all[n].Text, "\n") {
			if at, caps, ok := strings.Cut(line, " = "); ok && at == path {
				out = append(out, strings.Split(caps, ",")...)
			}
		}
	}
	return out, nil
}

// groups keeps groups as a server does, on a map.
type groups struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]vaulttest.Group // by id
}

func (g *groups) find(key vaulttest.GroupKey) (vaulttest.Group, bool) {
	for _, x := range g.all {
		if key.ID != "" && x.ID == key.ID || key.ID == "" && strings.EqualFold(x.Name, key.Name) {
			return x, true
		}
	}
	return vaulttest.Group{}, false
}

func (g *groups) PutGroup(_ context.Context, in vaulttest.Group) (vaulttest.Group, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(in.Entities) > 0 {
		return in, false, fault.New(fault.NotFound, "invalid entity ID")
	}
	for _, child := range in.Children {
		if _, ok := g.all[child]; !ok {
			return in, false, fault.New(fault.NotFound, "invalid group ID")
		}
	}
	old, known := g.find(vaulttest.GroupKey{ID: in.ID, Name: in.Name})
	if in.ID, in.Created = old.ID, old.Created; !known {
		in.ID, in.Created = fmt.Sprintf("id-%d", len(g.all)+1), g.now()
	}
	in.Revision, in.Updated = old.Revision+1, g.now()
	g.all[in.ID] = in
	return in, !known, nil
}

func (g *groups) Group(_ context.Context, key vaulttest.GroupKey) (vaulttest.Group, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.find(key)
	if !ok {
		return found, fault.New(fault.NotFound, "no such group")
	}
	return found, nil
}

func (g *groups) AllGroups(context.Context) ([]vaulttest.Group, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []vaulttest.Group
	for _, x := range g.all {
		out = append(out, x)
	}
	return out, nil
}

func (g *groups) DeleteGroup(_ context.Context, key vaulttest.GroupKey) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, _ := g.find(key)
	delete(g.all, found.ID)
	return nil
}

func (g *groups) PutAlias(_ context.Context, a vaulttest.Alias) (vaulttest.Alias, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	owner, ok := g.all[a.GroupID]
	if !ok || owner.Type != "external" {
		return a, fault.New(fault.Invalid, "alias needs an external group")
	}
	taken := func(x vaulttest.Group) bool { return x.Alias != nil && x.Alias.Name == a.Name && x.ID != a.GroupID }
	for _, x := range g.all {
		if taken(x) {
			return a, fault.New(fault.Exists, "combination of mount and group alias name is already in use")
		}
	}
	a.ID, a.Created, a.Updated = "alias-of-"+a.GroupID, g.now(), g.now()
	owner.Alias = &a
	g.all[a.GroupID] = owner
	return a, nil
}

var (
	_ vaulttest.Policies = (*policies)(nil)
	_ vaulttest.Groups   = (*groups)(nil)
)

func withPolicies(c *vaulttest.Config) {
	c.Policies = &policies{now: c.Clock, all: map[string]vaulttest.Policy{}}
	c.Groups = &groups{now: c.Clock, all: map[string]vaulttest.Group{}}
	c.Tokens["dev"] = vaulttest.Token{Policies: []string{"dev"}}
}

func sorted(items []string) []string {
	out := slices.Clone(items)
	slices.Sort(out)
	return out
}
