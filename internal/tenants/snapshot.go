package tenants

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

// maxACLs bounds the united rules that one snapshot remembers.
const maxACLs = 10_000

// anonymousGroup is the group whose policies the anonymous caller holds.
const anonymousGroup = identity.AnonymousSubject

// snapshot holds the rules of one state of the head. It is immutable but for the
// united rules that it remembers.
type snapshot struct {
	revision int64  // of the head's record
	version  string // of the head, as decisions show it
	policies map[string]heldPolicy
	groups   map[string]heldGroup // by id
	names    map[string]*Group    // by folded name
	aliases  map[string]*Group    // by folded alias
	parents  map[string][]string  // id of a group -> ids of groups that it is a member of

	mu   sync.Mutex
	acls map[string]*acl.ACL // by sorted policy names
}

// heldPolicy is a parsed policy; nil rules are a policy that cannot be read.
type heldPolicy struct {
	revision int64
	rules    *acl.Policy
}

type heldGroup struct {
	revision int64
	group    *Group
}

// current gives the rules as they are now: the head is read each time, and the rules
// again when it moved. Unavailable when it cannot be read.
func (s *Service) current(ctx context.Context) (*snapshot, error) {
	r, _, err := s.c.Ledger.Get(ctx, s.key(kindHead, ""))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the policy revision cannot be read")
	}
	if now := s.rules.Load(); now != nil && now.revision == r.Revision {
		return now, nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	old := s.rules.Load()
	if old != nil && old.revision >= r.Revision {
		return old, nil
	}
	next, err := s.load(ctx, old)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the policies cannot be read")
	}
	s.rules.Store(next)
	return next, nil
}

// load reads one consistent state; what has not changed is taken from the old one.
func (s *Service) load(ctx context.Context, old *snapshot) (*snapshot, error) {
	if old == nil {
		old = &snapshot{}
	}
	next := &snapshot{
		version: "0", policies: map[string]heldPolicy{}, groups: map[string]heldGroup{},
		names: map[string]*Group{}, aliases: map[string]*Group{}, parents: map[string][]string{},
		acls: map[string]*acl.ACL{},
	}
	state := s.c.Ledger.Snapshot()
	r, ok, err := state.Get(ctx, s.key(kindHead, ""))
	if err != nil || !ok {
		return next, err
	}
	h, err := decode[head](r)
	if err != nil {
		return nil, err
	}
	next.revision, next.version = r.Revision, strconv.FormatInt(h.Version, 10)
	if err := next.readPolicies(ctx, s, state, old); err != nil {
		return nil, err
	}
	return next, next.readGroups(ctx, s, state, old)
}

// readPolicies parses what changed. A policy that cannot be read refuses those who
// hold it, for it may have denied something, and nobody else.
func (r *snapshot) readPolicies(ctx context.Context, s *Service, state *ledger.Snapshot, old *snapshot) error {
	names, err := state.Names(ctx, ledger.Under(s.c.Tenant, kindPolicy, ""), 0)
	if err != nil {
		return err
	}
	for _, n := range names {
		held := old.policies[n.Key.Path]
		if held.revision != n.Revision {
			held = heldPolicy{revision: n.Revision}
			record, _, err := state.Get(ctx, n.Key)
			if err != nil && !errors.Is(err, fault.Corrupt) {
				return err
			}
			if p, err := decode[Policy](record); err == nil {
				held.rules, _ = acl.Parse(p.Name, p.Text)
			}
		}
		r.policies[n.Key.Path] = held
	}
	return nil
}

// readGroups reads what changed. A group that cannot be read stops all decisions:
// nobody knows whose it is.
func (r *snapshot) readGroups(ctx context.Context, s *Service, state *ledger.Snapshot, old *snapshot) error {
	names, err := state.Names(ctx, ledger.Under(s.c.Tenant, kindGroup, ""), 0)
	if err != nil {
		return err
	}
	for _, n := range names {
		held := old.groups[n.Key.Path]
		if held.revision != n.Revision {
			record, _, err := state.Get(ctx, n.Key)
			if err != nil {
				return err
			}
			g, err := decode[Group](record)
			if err != nil {
				return err
			}
			held = heldGroup{n.Revision, g}
		}
		r.hold(held)
	}
	return nil
}

func (r *snapshot) hold(h heldGroup) {
	g := h.group
	r.groups[g.ID] = h
	r.names[g.nameKey()] = g
	if g.Alias != nil {
		r.aliases[g.aliasKey()] = g
	}
	for _, member := range g.MemberGroups {
		r.parents[member] = append(r.parents[member], g.ID)
	}
}

// group finds one group; nil when there is none.
func (r *snapshot) group(ref GroupRef, nested Nested) *Group {
	switch {
	case ref.ID != "":
		return r.groups[ref.ID].group
	case ref.Alias != "":
		return r.aliases[fold(ref.Alias)]
	}
	name, err := nested.FromClaim(ref.Name)
	if err != nil {
		return nil
	}
	return r.names[fold(name)]
}

// held names the policies of a caller, sorted: those of all groups whose alias a
// claim equals, of the groups that these are members of, and default.
func (r *snapshot) held(p identity.Principal) []string {
	var queue []*Group
	if p.IsAnonymous() {
		queue = append(queue, r.names[anonymousGroup])
	} else {
		for _, claim := range p.Groups {
			queue = append(queue, r.aliases[fold(claim)])
		}
	}
	names := []string{Default}
	seen := map[string]bool{}
	for ; len(queue) > 0; queue = queue[1:] {
		g := queue[0]
		if g == nil || seen[g.ID] {
			continue
		}
		seen[g.ID] = true
		names = append(names, g.Policies...)
		for _, id := range r.parents[g.ID] {
			queue = append(queue, r.groups[id].group)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rulesOf unites a caller's policies. A name without a policy gives nothing; ok is
// false when one of the policies cannot be read.
func (r *snapshot) rulesOf(p identity.Principal) (rules *acl.ACL, ok bool) {
	names := r.held(p)
	key := strings.Join(names, "\x00")
	r.mu.Lock()
	defer r.mu.Unlock()
	if rules, ok = r.acls[key]; ok {
		return rules, rules != nil
	}
	var policies []*acl.Policy
	ok = true
	for _, name := range names {
		if held, exists := r.policies[name]; exists && name != Root {
			policies = append(policies, held.rules)
			ok = ok && held.rules != nil
		}
	}
	if ok {
		rules = acl.Compile(policies...)
	}
	if len(r.acls) >= maxACLs {
		clear(r.acls)
	}
	r.acls[key] = rules
	return rules, ok
}
