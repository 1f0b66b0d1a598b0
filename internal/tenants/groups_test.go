package tenants

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
)

func TestGroupRows(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	c := GroupChange{Name: "/Acme", Policies: []string{" Dev ", "dev", "ops"}, Metadata: map[string]string{"a": "b"}}
	g, created, err := h.PutGroup(ctx, admin(), Call{}, c, Upsert)
	if err != nil || !created || g.Name != "Acme" || g.Type != Internal || !slices.Equal(g.Policies, []string{"dev", "ops"}) || g.ModifyIndex != 1 {
		t.Fatalf("G1 create: %+v %v %v", g, created, err)
	}
	kept, created, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "ACME", Policies: []string{}}, Upsert)
	if err != nil || created || kept.ID != g.ID || kept.Name != "Acme" || len(kept.Policies) != 0 || kept.Metadata["a"] != "b" || kept.ModifyIndex != 2 {
		t.Fatalf("G1 update: %+v %v %v", kept, created, err)
	}
	renamed, created, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{ID: g.ID, Name: "org/team"}, Upsert)
	if err != nil || created || renamed.Name != "org~2Fteam" || renamed.ID != g.ID {
		t.Fatalf("G1 by id: %+v %v %v", renamed, created, err)
	}
	for _, ref := range []GroupRef{{ID: g.ID}, {Name: "org/team"}, {Name: "/ORG/team"}, {Name: "org~2Fteam"}} {
		if got, err := h.GetGroup(ctx, admin(), ref); err != nil || got.ID != g.ID || got.Policies == nil || got.MemberGroups == nil {
			t.Errorf("G2 %+v: %+v %v", ref, got, err)
		}
	}
	for _, ref := range []GroupRef{{ID: "x"}, {Name: "Acme"}, {Name: "+"}, {Alias: "/acme"}, {}} {
		_, err := h.GetGroup(ctx, admin(), ref)
		wantKind(t, err, fault.NotFound, "no such group")
	}
	h.group("b", "/b")
	h.group("a", "/a")
	list, err := h.ListGroups(ctx, admin())
	if err != nil || len(list) != 3 || list[0].Name != "a" || list[1].Name != "b" {
		t.Errorf("G3: %+v %v", list, err)
	}
	for _, ref := range []GroupRef{{Name: "A"}, {Name: "a"}, {ID: g.ID}, {ID: g.ID}, {Alias: "/B"}, {ID: "x\x00y"}, {Alias: "\x00"}, {Name: "+"}} {
		if err := h.DeleteGroup(ctx, admin(), Call{}, ref); err != nil {
			t.Errorf("G4 %+v: %v", ref, err)
		}
	}
	if list, err := h.ListGroups(ctx, admin()); err != nil || len(list) != 0 {
		t.Errorf("G4 left %+v %v", list, err)
	}
	again := h.group("A", "/a")
	if again.Name != "A" {
		t.Error("a deleted group's name and alias are not free again")
	}
}

func TestGroupRefusals(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	ext := h.group("ext", "/ext")
	in, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "in"}, Upsert)
	if err != nil {
		t.Fatal(err)
	}
	before, err := h.ListGroups(ctx, admin())
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		name   string
		change GroupChange
		kind   fault.Kind
		detail string
	}{
		{"G4 type", GroupChange{Name: "x", Type: "x"}, fault.Invalid, `invalid group type "x"`},
		{"type change", GroupChange{Name: "ext", Type: Internal}, fault.Invalid, "group type cannot be changed"},
		{"E36 root", GroupChange{Name: "ext", Policies: []string{"a", " ROOT"}}, fault.Invalid, "policies cannot contain root"},
		{"policy name", GroupChange{Name: "ext", Policies: []string{"a b"}}, fault.Invalid, "policy name is not legal"},
		{"too many policies", GroupChange{Name: "ext", Policies: make([]string, MaxGroupPolicies+1)}, fault.TooLarge, ""},
		{"alias on internal", GroupChange{Name: "in", Alias: text("/in")}, fault.Invalid, "alias can't be set on an internal group"},
		{"alias taken", GroupChange{Name: "x", Type: External, Alias: text("/EXT")}, fault.Invalid, "combination of mount and group alias name is already in use"},
		{"alias control", GroupChange{Name: "x", Type: External, Alias: text("a\nb")}, fault.Invalid, "alias name is not legal"},
		{"alias long", GroupChange{Name: "x", Type: External, Alias: text(strings.Repeat("a", maxAlias+1))}, fault.Invalid, "alias name is not legal"},
		{"alias encoding", GroupChange{Name: "x", Type: External, Alias: text("\xff")}, fault.Invalid, "alias name is not legal"},
		{"entities of external", GroupChange{Name: "ext", MemberEntities: []string{"e"}}, fault.Invalid, "member entities can't be set manually for external groups"},
		{"groups of external", GroupChange{Name: "ext", MemberGroups: []string{in.ID}}, fault.Invalid, "member groups can't be set for external groups"},
		{"unknown entity", GroupChange{Name: "in", MemberEntities: []string{"e"}}, fault.Invalid, "a member is unknown"},
		{"unknown group", GroupChange{Name: "in", MemberGroups: []string{"nobody"}}, fault.Invalid, "a member is unknown"},
		{"member of itself", GroupChange{Name: "in", MemberGroups: []string{in.ID}}, fault.Invalid, "a member is unknown"},
		{"injected id", GroupChange{Name: "in", MemberGroups: []string{"x\x00y"}}, fault.Invalid, "a member is unknown"},
		{"many members", GroupChange{Name: "in", MemberGroups: make([]string, maxMembers+1)}, fault.TooLarge, ""},
		{"metadata", GroupChange{Name: "in", Metadata: map[string]string{"a": ""}}, fault.Invalid, ""},
		{"name of another", GroupChange{ID: in.ID, Name: "EXT"}, fault.Exists, ""},
		{"unknown id", GroupChange{ID: "nobody", Name: "x"}, fault.NotFound, "no such group"},
		{"no name", GroupChange{}, fault.Invalid, "group name is not legal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := h.PutGroup(ctx, admin(), Call{}, c.change, Upsert)
			wantKind(t, err, c.kind, c.detail)
		})
	}
	for _, name := range badNames() {
		_, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: name}, Upsert)
		wantKind(t, err, fault.Invalid, "group name is not legal")
	}
	_, _, err = h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "Ext"}, Create)
	wantKind(t, err, fault.Exists, "")
	_, _, err = h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "absent"}, Replace)
	wantKind(t, err, fault.NotFound, "")
	_, err = h.PutAlias(ctx, admin(), Call{}, AliasChange{Name: "/x", GroupID: "nobody"})
	wantKind(t, err, fault.NotFound, "")
	_, err = h.PutAlias(ctx, admin(), Call{}, AliasChange{Name: "/x"})
	wantKind(t, err, fault.NotFound, "")
	_, err = h.PutAlias(ctx, admin(), Call{}, AliasChange{Name: "", GroupID: ext.ID})
	wantKind(t, err, fault.Invalid, "alias name is not legal")
	after, err := h.ListGroups(ctx, admin())
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("a refused change changed something: %+v", after)
	}
}

func TestAlias(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	g := h.group("acme", "")
	set, err := h.PutAlias(ctx, admin(), Call{}, AliasChange{Name: "/acme", MountAccessor: "jwt_1", GroupID: g.ID})
	if err != nil || set.Alias == nil || set.Alias.Name != "/acme" || set.Alias.MountAccessor != "jwt_1" {
		t.Fatalf("G5: %+v %v", set, err)
	}
	same, err := h.PutAlias(ctx, admin(), Call{}, AliasChange{Name: "/Acme", GroupID: g.ID})
	if err != nil || same.Alias.ID != set.Alias.ID || same.Alias.Name != "/Acme" {
		t.Errorf("same alias again: %+v %v", same.Alias, err)
	}
	second, err := h.PutAlias(ctx, admin(), Call{}, AliasChange{Name: "/other", GroupID: g.ID})
	if err != nil || second.Alias.ID == set.Alias.ID {
		t.Errorf("a second alias: %+v %v", second.Alias, err)
	}
	_, err = h.LookupByAlias(ctx, admin(), "/acme")
	wantKind(t, err, fault.NotFound, "")
	if got, err := h.LookupByAlias(ctx, admin(), "/OTHER"); err != nil || got.ID != g.ID {
		t.Errorf("lookup: %+v %v", got, err)
	}
	h.group("new", "/acme") // the replaced alias is free
	none := ""
	bare, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "acme", Alias: &none}, Replace)
	if err != nil || bare.Alias != nil {
		t.Errorf("alias taken away: %+v %v", bare, err)
	}
	h.group("heir", "/other")
}

func TestViewsAreCopies(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	h.group("acme", "/acme", "p")
	got, err := h.GetGroup(ctx, admin(), GroupRef{Name: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	got.Policies[0], got.Alias.Name = "root", "/evil"
	again, err := h.GetGroup(ctx, admin(), GroupRef{Name: "acme"})
	if err != nil || again.Policies[0] != "p" || again.Alias.Name != "/acme" {
		t.Errorf("a caller changed the rules in memory: %+v", again)
	}
}

func TestConcurrentGroupsKeepTheirCounts(t *testing.T) {
	h := open(t, nil)
	errs := make(chan error, 20)
	for i := range 20 {
		go func() {
			_, _, err := h.PutGroup(t.Context(), admin(), Call{}, GroupChange{Name: fmt.Sprint("g", i%10)}, Upsert)
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	list, err := h.ListGroups(t.Context(), admin())
	if err != nil || len(list) != 10 {
		t.Fatalf("%d groups, %v", len(list), err)
	}
	r, _, err := h.ledger.Get(t.Context(), h.key(kindHead, ""))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decode[head](r); err != nil || got.Groups != 10 || got.Version != 20 {
		t.Errorf("head is %+v %v", got, err)
	}
}
