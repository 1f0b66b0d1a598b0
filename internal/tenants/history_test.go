package tenants

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

// model is what policies and groups come to, said naively: texts are the one path
// that a policy lets read, groups are found by walking all of them.
type model struct {
	policies map[string]string
	groups   map[string]*modelGroup // by folded name
}

type modelGroup struct {
	alias    string
	policies []string
}

func (m *model) aliasHolder(alias string) string {
	for name, g := range m.groups {
		if alias != "" && strings.EqualFold(g.alias, alias) {
			return name
		}
	}
	return ""
}

func (m *model) reads(claims []string, path string) bool {
	for _, g := range m.groups {
		for _, c := range claims {
			if g.alias == "" || !strings.EqualFold(g.alias, c) {
				continue
			}
			for _, p := range g.policies {
				if m.policies[p] == path {
					return true
				}
			}
		}
	}
	return false
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// Two members take turns in random changes; after each both must decide as the model.
func TestRandomHistoriesDecideAsTheModel(t *testing.T) {
	l := ledgertest.Open(t, nil)
	one := member(t, l, nil)
	members := []*house{one, member(t, l, nil)}
	m := &model{policies: map[string]string{}, groups: map[string]*modelGroup{}}
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 7))
		for range 60 {
			step(pick(r, members...), m, r)
			claims := []string{pick(r, "/a", "/A", "/b", "/c", "none"), pick(r, "/a", "/B", "/c", "none")}
			for _, path := range []string{"x", "y", "z"} {
				for _, h := range members {
					h.reads(user(claims...), path, m.reads(claims, path))
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d, model %+v", seed, m)
			}
		}
	}
	one.countsAre(m)
	member(t, l, nil).countsAre(m) // as after a restart
}

// step makes one change on a member and the same on the model.
func step(h *house, m *model, r *rand.Rand) {
	h.t.Helper()
	ctx := h.t.Context()
	name, group := pick(r, "p", "q", "s"), pick(r, "a", "b", "C")
	key := strings.ToLower(group)
	switch r.IntN(6) {
	case 0, 1:
		path := pick(r, "x", "y", "z")
		h.policy(strings.ToUpper(name), fmt.Sprintf("path \"secret/data/%s\" { policy = \"read\" }", path))
		m.policies[name] = path
	case 2:
		if err := h.DeletePolicy(ctx, admin(), Call{}, name); err != nil {
			h.t.Fatal(err)
		}
		delete(m.policies, name)
	case 3, 4:
		alias, policies := pick(r, "/a", "/b", "/c", ""), []string{name, pick(r, "p", "q")}
		_, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: group, Type: External, Policies: policies, Alias: &alias}, Upsert)
		if holder := m.aliasHolder(alias); holder != "" && holder != key {
			if err == nil {
				h.t.Fatalf("alias %s of %s was given to %s", alias, holder, key)
			}
			return
		}
		if err != nil {
			h.t.Fatal(err)
		}
		m.groups[key] = &modelGroup{alias, policies}
	case 5:
		if err := h.DeleteGroup(ctx, admin(), Call{}, GroupRef{Name: group}); err != nil {
			h.t.Fatal(err)
		}
		delete(m.groups, key)
	}
}

// countsAre compares what the store holds, counts and indexes included.
func (h *house) countsAre(m *model) {
	h.t.Helper()
	names, err := h.ListPolicies(h.t.Context(), admin())
	want := slices.AppendSeq([]string{Default, Root}, maps.Keys(m.policies))
	if slices.Sort(want); err != nil || !slices.Equal(names, want) {
		h.t.Errorf("policies %v, want %v, %v", names, want, err)
	}
	groups, err := h.ListGroups(h.t.Context(), admin())
	if err != nil || len(groups) != len(m.groups) {
		h.t.Errorf("groups %+v, want %d, %v", groups, len(m.groups), err)
	}
	for _, g := range groups {
		if want := m.groups[g.nameKey()]; want == nil || g.aliasKey() != want.alias {
			h.t.Errorf("group %+v, want %+v", g, want)
		}
	}
	r, _, err := h.ledger.Get(h.t.Context(), h.key(kindHead, ""))
	if err != nil {
		h.t.Fatal(err)
	}
	got, err := decode[head](r)
	if err != nil || got.Policies != len(m.policies) || got.Groups != len(m.groups) {
		h.t.Errorf("head %+v, want %d and %d, %v", got, len(m.policies), len(m.groups), err)
	}
}
