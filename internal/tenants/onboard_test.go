package tenants

import (
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
)

func TestOnboard(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	first, err := h.Onboard(ctx, user("/acme"), Call{}, Onboarding{Claim: "/acme"})
	if err != nil || !first.Created || first.Policy != "acme_policy" || first.Group.Name != "acme" || first.Group.Alias.Name != "/acme" {
		t.Fatalf("%+v %v", first, err)
	}
	h.reads(user("/acme"), "hypo/image-pull/acme/x", true)
	h.reads(user("/acme"), "hypo/image-pull/other/x", false)
	told := len(h.events())
	again, err := h.Onboard(ctx, user("/acme"), Call{}, Onboarding{Claim: "/acme"})
	if err != nil || again.Created || again.Group.ID != first.Group.ID || len(h.events()) != told {
		t.Fatalf("again: %+v %v", again, err)
	}
	if err := h.DeletePolicy(ctx, admin(), Call{}, "acme_policy"); err != nil {
		t.Fatal(err)
	}
	if repaired, err := h.Onboard(ctx, user("/acme"), Call{}, Onboarding{Claim: "/acme"}); err != nil || repaired.Created {
		t.Fatalf("repair: %+v %v", repaired, err)
	}
	h.reads(user("/acme"), "hypo/image-pull/acme/x", true)
	nested, err := h.Onboard(ctx, user("/org/team"), Call{}, Onboarding{Claim: "/org/team"})
	if err != nil || nested.Group.Name != "org~2Fteam" || nested.Policy != "org~2fteam_policy" {
		t.Fatalf("nested: %+v %v", nested, err)
	}
	h.reads(user("/org/team"), "hypo/image-pull/org~2Fteam/x", true)
	other, err := h.Onboard(ctx, admin(), Call{}, Onboarding{Claim: "/other", Policies: []string{"Extra"}})
	if err != nil || len(other.Group.Policies) != 2 || other.Group.Policies[1] != "extra" {
		t.Fatalf("by an administrator: %+v %v", other, err)
	}
}

func TestE39OnboardRefuses(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	if _, err := h.Onboard(ctx, user("/acme"), Call{}, Onboarding{Claim: "/acme"}); err != nil {
		t.Fatal(err)
	}
	before := len(h.events())
	for _, claim := range []string{"ACME", "/Acme", "acme"} { // letter case, and a claim that is not the alias
		_, err := h.Onboard(ctx, user(claim), Call{}, Onboarding{Claim: claim})
		wantKind(t, err, fault.Exists, "")
	}
	if err := h.DeleteGroup(ctx, admin(), Call{}, GroupRef{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	_, err := h.Onboard(ctx, user("ACME"), Call{}, Onboarding{Claim: "ACME"}) // the policy alone is acme's
	wantKind(t, err, fault.Exists, "a policy of that name exists and is another one's")
	for _, claim := range []string{"+", `a"b`, "a/../b", "offline_access"} {
		_, err := h.Onboard(ctx, user(claim), Call{}, Onboarding{Claim: claim})
		wantKind(t, err, fault.Invalid, "group name is not legal")
	}
	h.policy("plain_policy", readAll)
	_, err = h.Onboard(ctx, user("plain"), Call{}, Onboarding{Claim: "plain"})
	wantKind(t, err, fault.Exists, "")
	h.group("holder", "/wanted")
	_, err = h.Onboard(ctx, user("/wanted"), Call{}, Onboarding{Claim: "/wanted"})
	wantKind(t, err, fault.Exists, "the alias is another group's")
	if _, _, err := h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "inner"}, Upsert); err != nil {
		t.Fatal(err)
	}
	_, err = h.Onboard(ctx, user("inner"), Call{}, Onboarding{Claim: "inner"})
	wantKind(t, err, fault.Exists, "")
	if got := len(h.events()); got != before+4 {
		t.Errorf("%d events, want those of the four set-up changes", got-before)
	}
	anonymous := user("/x")
	anonymous.Subject = "anonymous"
	_, err = h.Onboard(ctx, anonymous, Call{}, Onboarding{Claim: "/x"})
	wantKind(t, err, fault.Forbidden, "")
}

func TestOnboardAndEditedPolicies(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	if _, err := h.Onboard(ctx, user("/acme"), Call{}, Onboarding{Claim: "/acme"}); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		p, err := h.GetPolicy(ctx, admin(), "acme_policy")
		if err != nil {
			t.Fatal(err)
		}
		return p.Text
	}
	edited := marker("acme") + "\n" + readAll
	h.policy("acme_policy", edited)
	if _, err := h.Onboard(ctx, user("/acme"), Call{}, Onboarding{Claim: "/acme"}); err != nil || text() != edited {
		t.Errorf("a member's call changed an edited policy: %v", err)
	}
	if _, err := h.Onboard(ctx, admin(), Call{}, Onboarding{Claim: "/acme"}); err != nil || text() != (Template{}).Text("acme") {
		t.Errorf("an administrator's call left an edited policy: %v", err)
	}
	h.policy("acme_policy", readAll) // without a marker, and attached
	if _, err := h.Onboard(ctx, admin(), Call{}, Onboarding{Claim: "/acme"}); err != nil || text() != readAll {
		t.Errorf("an unmarked policy of the group was touched: %v", err)
	}
	h.policy("acme_policy", marker("ACME")+"\n"+readAll)
	_, err := h.Onboard(ctx, admin(), Call{}, Onboarding{Claim: "/acme"})
	wantKind(t, err, fault.Exists, "")
	if !strings.HasPrefix(text(), marker("ACME")) {
		t.Error("another group's policy was rewritten")
	}
}

func TestOnboardOnceOfMany(t *testing.T) {
	h := open(t, nil)
	type result struct {
		created bool
		err     error
	}
	results := make(chan result, 20)
	for range 20 {
		go func() {
			o, err := h.Onboard(t.Context(), user("/acme"), Call{}, Onboarding{Claim: "/acme"})
			results <- result{o.Created, err}
		}()
	}
	created := 0
	for range 20 {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
		}
		if r.created {
			created++
		}
	}
	if created != 1 || len(h.events()) != 2 {
		t.Errorf("%d callers created the group, %d events", created, len(h.events()))
	}
}

func TestBootstrap(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	policies := []BootstrapPolicy{{"dev", readAll}}
	groups := []BootstrapGroup{{Name: "dev", Policies: []string{"dev"}}}
	boot := func() {
		t.Helper()
		if err := h.Bootstrap(ctx, System(tenant), policies, groups); err != nil {
			t.Fatal(err)
		}
	}
	boot()
	h.reads(user("dev"), "x", true)
	h.policy("dev", `path "secret/data/x" { capabilities = ["deny"] }`)
	boot()
	h.reads(user("dev"), "x", false)
	if err := h.DeletePolicy(ctx, admin(), Call{}, "dev"); err != nil {
		t.Fatal(err)
	}
	boot()
	h.reads(user("dev"), "x", true)
	wantKind(t, h.Bootstrap(ctx, System(tenant), []BootstrapPolicy{{"bad", "path {"}}, nil), fault.Invalid, "")
	wantKind(t, h.Bootstrap(ctx, System(tenant), nil, []BootstrapGroup{{Name: "+"}}), fault.Invalid, "")
	h.group("heir", "/moved")
	err := h.Bootstrap(ctx, System(tenant), nil, []BootstrapGroup{{Name: "first", Alias: "/moved"}, {Name: "second"}})
	if fault.CodeOf(err) != CodeAliasInUse || !strings.Contains(err.Error(), "group 1") {
		t.Errorf("an alias that moved on: %v", err)
	}
	if _, err := h.GetGroup(ctx, admin(), GroupRef{Name: "second"}); err != nil {
		t.Errorf("one bad group hindered the next: %v", err)
	}
}
