package tenants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

func TestE34RulesAreEffectiveAtOnce(t *testing.T) {
	h := open(t, nil)
	h.group("g", "/g", "p", "unknown")
	h.reads(user("/g"), "foo", false)
	for _, c := range []struct {
		rule, path string
		want       bool
	}{
		{"secret/data/foo", "foo", true}, {"secret/data/foo", "food", false},
		{"secret/data/zip-*", "zip-zap/zong", true}, {"secret/data/+/teamb", "x/y/teamb", false},
		{"secret/data/hypo/*/acme/*", "hypo/image-pull/acme/x", false}, {"secret/data/hypo/+/acme/*", "hypo/image-pull/acme/x", true},
	} {
		h.policy("p", fmt.Sprintf("path %q { capabilities = [\"read\"] }", c.rule))
		h.reads(user("/g"), c.path, c.want)
	}
}

func TestE37AccessFollowsTheGroupOnEveryMember(t *testing.T) {
	one := open(t, nil)
	two := member(t, one.ledger, nil)
	both := func(want bool) {
		t.Helper()
		one.reads(user("/acme"), "x", want)
		two.reads(user("/acme"), "x", want)
	}
	one.policy("p", readAll)
	g := two.group("acme", "", "p")
	both(false)
	if _, err := one.PutAlias(t.Context(), admin(), Call{}, AliasChange{Name: "/acme", GroupID: g.ID}); err != nil {
		t.Fatal(err)
	}
	both(true)
	one.reads(user("/ACME"), "x", true)
	one.reads(user("acme"), "x", false)
	if err := two.DeleteGroup(t.Context(), admin(), Call{}, GroupRef{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	both(false)
}

func TestE38GroupsOfTheToken(t *testing.T) {
	h := open(t, nil)
	h.policy("a", `path "secret/data/a" { capabilities = ["read"] }`)
	h.policy("b", `path "secret/data/b" { capabilities = ["read"] }`)
	h.group("a", "/a", "a")
	h.group("b", "/b", "b")
	for _, p := range []identity.Principal{user("/a", "/b"), user("/b", "/a"), user("x", "/b", "/a", "/a")} {
		h.reads(p, "a", true)
		h.reads(p, "b", true)
	}
	h.reads(user("/a"), "b", false) // an older token of the same subject
	h.reads(user("/a", "/b"), "b", true)
	h.reads(user(), "a", false)
}

func TestE36NamesGiveNothingByThemselves(t *testing.T) {
	h := open(t, nil)
	h.group("g", "/g", "nothing", "default")
	h.reads(user("/g"), "x", false)
	// A group that lists root in the store gains nothing from it either.
	g := h.group("r", "/r")
	g.Policies = []string{Root}
	body, err := encode(g)
	if err != nil {
		t.Fatal(err)
	}
	h.putRaw(h.key(kindGroup, g.ID), body)
	text, err := encode(Policy{Name: Root, Text: readAll})
	if err != nil {
		t.Fatal(err)
	}
	h.putRaw(h.key(kindPolicy, Root), text)
	h.policy("touch", readAll)
	h.reads(user("/r"), "x", false)
}

func TestDenyWinsAcrossGroups(t *testing.T) {
	h := open(t, nil)
	h.policy("all", readAll)
	h.policy("no", `path "secret/*" { capabilities = ["deny"] }`)
	h.group("a", "/a", "all")
	h.group("b", "/b", "no")
	h.reads(user("/a"), "x", true)
	h.reads(user("/a", "/b"), "x", false)
}

func TestDefaultAppliesToAll(t *testing.T) {
	h := open(t, nil)
	if _, _, err := h.PutPolicy(t.Context(), System(tenant), Call{}, Default, readAll, Upsert); err != nil {
		t.Fatal(err)
	}
	h.reads(user(), "x", true)
	h.reads(identity.Anonymous(tenant), "x", true)
	h.reads(identity.Principal{Tenant: tenant}, "x", false)
	h.reads(identity.Principal{}, "x", false)
	stranger := user()
	stranger.Tenant = "dev2"
	h.reads(stranger, "x", false)
}

func TestInternalGroupsHoldGroups(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	h.policy("p", readAll)
	leaf := h.group("leaf", "/leaf")
	middle, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "middle", MemberGroups: []string{leaf.ID}}, Upsert)
	if err != nil {
		t.Fatal(err)
	}
	top := GroupChange{Name: "top", Policies: []string{"p"}, MemberGroups: []string{middle.ID}}
	outer, _, err := h.PutGroup(ctx, admin(), Call{}, top, Upsert)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "middle", MemberGroups: []string{leaf.ID, outer.ID}}, Upsert); err != nil {
		t.Fatal(err) // a circle gives every group in it the same
	}
	h.reads(user("/leaf"), "x", true)
	h.reads(user("middle"), "x", false)
	if got, err := h.GetGroup(ctx, admin(), GroupRef{Name: "leaf"}); err != nil || len(got.Parents) != 1 || got.Parents[0] != middle.ID {
		t.Errorf("parents %v, %v", got.Parents, err)
	}
	if err := h.DeleteGroup(ctx, admin(), Call{}, GroupRef{Name: "middle"}); err != nil {
		t.Fatal(err)
	}
	h.reads(user("/leaf"), "x", false)
}

func TestAnonymous(t *testing.T) {
	h := open(t, nil)
	all := member(t, h.ledger, func(c *Config) { c.AnonymousAll = true })
	nobody := identity.Anonymous(tenant)
	all.reads(nobody, "x", true)
	all.reads(user(), "x", false)
	all.reads(identity.Anonymous("other"), "x", false)
	h.reads(nobody, "x", false)
	h.policy("p", readAll)
	h.group("anonymous", "", "p")
	h.reads(nobody, "x", true)
	h.reads(user("anonymous"), "x", false) // a claim of that text is no alias
	if c, err := all.Capabilities(t.Context(), nobody, "secret/data/x"); err != nil || c != acl.Every {
		t.Errorf("%s %v", c, err)
	}
}

func TestDecisionsAreNumbered(t *testing.T) {
	h := open(t, nil)
	first := h.Decider().Decide(t.Context(), read(user("/g"), "x"))
	if first.Permit || first.Reason != policy.ReasonPolicy || first.PolicyVersion != "0" || uuid.Validate(first.ID) != nil {
		t.Errorf("%+v", first)
	}
	h.policy("p", readAll)
	h.group("g", "/g", "p")
	ds := h.Decider().DecideAll(t.Context(), []policy.Request{read(user("/g"), "x"), read(user(), "x")})
	if len(ds) != 2 || !ds[0].Permit || ds[0].Reason != "" || ds[1].Permit || ds[0].ID == ds[1].ID || ds[0].PolicyVersion != "2" {
		t.Errorf("%+v", ds)
	}
	if ds := h.Decider().DecideAll(t.Context(), nil); len(ds) != 0 {
		t.Errorf("%+v", ds)
	}
	if d := (Decider{}).Decide(t.Context(), read(user("/g"), "x")); d.Permit || d.Reason != policy.ReasonPolicy {
		t.Errorf("the zero decider: %+v", d)
	}
}

func TestNoDecisionWithoutTheRevision(t *testing.T) {
	h := open(t, func(c *Config) { c.AnonymousAll = true })
	h.policy("p", readAll)
	h.group("g", "/g", "p")
	h.reads(user("/g"), "x", true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range []identity.Principal{user("/g"), identity.Anonymous(tenant)} {
		if d := h.Decider().Decide(gone, read(p, "x")); d.Permit || d.Reason != policy.ReasonUnavailable || d.ID == "" {
			t.Errorf("an old rule decided: %+v", d)
		}
	}
	_, err := h.Capabilities(gone, user("/g"), "secret/data/x")
	wantKind(t, err, fault.Unavailable, "")
}

func TestUnreadableRecordsFailClosed(t *testing.T) {
	h := open(t, nil)
	h.policy("good", readAll)
	h.policy("bad", readAll)
	h.group("g", "/g", "good")
	b := h.group("b", "/b", "good", "bad")
	h.putRaw(h.key(kindPolicy, "bad"), []byte(`{"name":"bad","text":"path {"}`))
	h.policy("touch", readAll)
	h.reads(user("/g"), "x", true)
	for range 2 {
		if d := h.Decider().Decide(t.Context(), read(user("/b"), "x")); d.Permit || d.Reason != policy.ReasonUnavailable {
			t.Errorf("half of the caller's policies decided: %+v", d)
		}
	}
	_, err := h.Capabilities(t.Context(), user("/b"), "secret/data/x")
	wantKind(t, err, fault.Unavailable, "")
	h.policy("bad", readAll)
	h.reads(user("/b"), "x", true)
	h.putRaw(h.key(kindGroup, b.ID), []byte("{"))
	h.setHead(head{Version: 99})
	if d := h.Decider().Decide(t.Context(), read(user("/g"), "x")); d.Permit || d.Reason != policy.ReasonUnavailable {
		t.Errorf("decided without knowing all groups: %+v", d)
	}
}

func TestCapabilitiesP7(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	h.policy("p", `path "secret/data/x" { capabilities = ["update","read"] } path "secret/metadata/t" { capabilities = ["list"] }`)
	h.group("g", "/g", "p")
	for path, want := range map[string]string{
		"secret/data/x": "read,update", "/secret/data/x": "read,update", "secret/data/y": "deny", "": "deny",
		"secret/metadata/t/": "list", "secret/metadata/t": "list",
	} {
		if got, err := h.Capabilities(ctx, user("/g"), path); err != nil || got.String() != want {
			t.Errorf("%q: %s %v, want %s", path, got, err, want)
		}
	}
	if got, err := h.Capabilities(ctx, identity.Principal{}, "secret/data/x"); err != nil || got != 0 {
		t.Errorf("nobody has %s %v", got, err)
	}
}

func TestDecisionsWhileRulesChange(t *testing.T) {
	h := open(t, nil)
	h.policy("on", readAll)
	h.policy("off", `path "secret/*" { capabilities = ["deny"] }`)
	h.group("g", "/g", "on")
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if d := h.Decider().Decide(context.Background(), read(user("/g"), "x")); d.Reason == policy.ReasonUnavailable {
					t.Error("no decision")
				}
			}
		})
	}
	for i := range 30 {
		h.group("g", "/g", []string{"on", "off"}[i%2])
		h.reads(user("/g"), "x", i%2 == 0)
	}
	close(done)
	readers.Wait()
}

func TestAPolicyNameNeverLeaksIntoAnother(t *testing.T) {
	h := open(t, nil)
	h.policy("a", `path "secret/data/a" { capabilities = ["read"] }`)
	h.policy("ab", readAll)
	h.group("g", "/g", "a", "b")
	h.reads(user("/g"), "other", false)
	for _, claim := range badNames() {
		h.reads(user(claim), "a", false)
	}
}

func BenchmarkDecide(b *testing.B) {
	h := open(b, nil)
	for i := range 100 {
		claim := fmt.Sprintf("/tenant-%d", i)
		if _, err := h.Onboard(b.Context(), user(claim), Call{}, Onboarding{Claim: claim}); err != nil {
			b.Fatal(err)
		}
	}
	r := read(user("/tenant-7", "/tenant-8"), "hypo/image-pull/tenant-7/x")
	b.Run("with the ledger", func(b *testing.B) {
		for b.Loop() {
			if d := h.Decider().Decide(b.Context(), r); !d.Permit {
				b.Fatal(d)
			}
		}
	})
	rules, err := h.current(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("rules alone", func(b *testing.B) {
		for b.Loop() {
			var d policy.Decision
			if h.decide(rules, r, &d); !d.Permit {
				b.Fatal(d)
			}
		}
	})
	b.Run("after a change", func(b *testing.B) {
		for b.Loop() {
			h.policy("touch", "# "+strings.Repeat("x", b.N%7))
			if d := h.Decider().Decide(b.Context(), r); !d.Permit {
				b.Fatal(errors.New("denied"))
			}
		}
	})
}
