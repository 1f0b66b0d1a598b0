package tenants

import (
	"slices"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

const readAll = `path "secret/*" { capabilities = ["read"] }`

func TestPolicyRows(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	p, created, err := h.PutPolicy(ctx, admin(), Call{}, " Dev ", readAll, Upsert)
	if err != nil || !created || p.Name != "dev" || p.Version != 1 || p.Owner != admin().Subject || p.ID == "" {
		t.Fatalf("P1: %+v %v %v", p, created, err)
	}
	again, created, err := h.PutPolicy(ctx, admin(), Call{}, "dev", readAll+"\n", Upsert)
	if err != nil || created || again.Version != 2 || again.ID != p.ID || !again.Created.Equal(p.Created) {
		t.Fatalf("P1 again: %+v %v %v", again, created, err)
	}
	if got, err := h.GetPolicy(ctx, admin(), "DEV"); err != nil || got.Text != readAll+"\n" || got.Version != 2 {
		t.Errorf("P3: %+v %v", got, err)
	}
	for _, name := range []string{"nobody", "a/b", "", "x\x00policy\x00dev"} {
		_, err := h.GetPolicy(ctx, admin(), name)
		wantKind(t, err, fault.NotFound, "no such policy")
	}
	if names, err := h.ListPolicies(ctx, admin()); err != nil || !slices.Equal(names, []string{"default", "dev", "root"}) {
		t.Errorf("P4: %v %v", names, err)
	}
	for _, name := range []string{"dev", "dev", "never", "a/b"} {
		if err := h.DeletePolicy(ctx, admin(), Call{}, name); err != nil {
			t.Errorf("P5 %s: %v", name, err)
		}
	}
	wantKind(t, h.DeletePolicy(ctx, admin(), Call{}, "Default"), fault.Invalid, "cannot delete default policy")
	wantKind(t, h.DeletePolicy(ctx, admin(), Call{}, "root"), fault.Invalid, `cannot delete "root" policy`)
	if root, err := h.GetPolicy(ctx, admin(), "root"); err != nil || root.Text != "" {
		t.Errorf("root: %+v %v", root, err)
	}
	if def, err := h.GetPolicy(ctx, admin(), "default"); err != nil || def.Text == "" {
		t.Errorf("default: %+v %v", def, err)
	}
}

func TestPolicyRefusals(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	for _, c := range []struct{ name, text, detail string }{
		{" Root", readAll, `cannot update "root" policy`},
		{"ROOT", readAll, `cannot update "root" policy`},
		{"default", readAll, `cannot update "default" policy`},
		{"p", "", "'policy' parameter not supplied or empty"},
		{"p", " \n", "'policy' parameter not supplied or empty"},
		{"p", `path {`, ""},
		{"p", `path "x" { capabilities = ["fly"] }`, "failed to parse policy: line 1: invalid capability"},
		{"p", `path "x" { allowed_parameters = { "*" = [] } }`, "failed to parse policy: line 1: allowed_parameters is not supported"},
		{"p", `path "x" { control_group = {} }`, "failed to parse policy: line 1: control_group is not supported"},
		{"p", `path "x" { expiration = "2031-01-01T00:00:00Z" }`, "failed to parse policy: line 1: expiration is not supported"},
		{"p", `path "{{identity.entity.id}}" { policy = "read" }`, "failed to parse policy: line 1: templates are not supported"},
		{"p", readAll + "#" + strings.Repeat("x", acl.MaxText), ""},
		{"a/b", readAll, "policy name is not legal"},
		{"a\"b", readAll, "policy name is not legal"},
		{strings.Repeat("a", 129), readAll, "policy name is not legal"},
	} {
		_, _, err := h.PutPolicy(ctx, admin(), Call{}, c.name, c.text, Upsert)
		wantKind(t, err, fault.Invalid, c.detail)
	}
	if _, _, err := h.PutPolicy(ctx, System(tenant), Call{}, "default", readAll, Upsert); err != nil {
		t.Errorf("the engine itself writes default: %v", err)
	}
	if names, err := h.ListPolicies(ctx, admin()); err != nil || !slices.Equal(names, []string{"default", "root"}) {
		t.Errorf("E35: something refused is stored: %v %v", names, err)
	}
}

func TestPolicyModes(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	_, _, err := h.PutPolicy(ctx, admin(), Call{}, "p", readAll, Replace)
	wantKind(t, err, fault.NotFound, "")
	if _, created, err := h.PutPolicy(ctx, admin(), Call{}, "p", readAll, Create); err != nil || !created {
		t.Fatal(err)
	}
	_, _, err = h.PutPolicy(ctx, admin(), Call{}, "P", readAll, Create)
	wantKind(t, err, fault.Exists, "")
	if _, created, err := h.PutPolicy(ctx, admin(), Call{}, "p", readAll, Replace); err != nil || created {
		t.Fatal(err)
	}
}

func TestOnlyAdministratorsAdminister(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	h.policy("p", readAll)
	g := h.group("g", "/g", "p")
	before := len(h.events())
	h.audit.Reset()
	stranger := admin()
	stranger.Tenant = "other"
	nobody := admin()
	nobody.Subject = ""
	for _, p := range []struct {
		name string
		is   func() error
	}{
		{"PutPolicy", func() error { _, _, err := h.PutPolicy(ctx, user("/g"), Call{}, "p", readAll, Upsert); return err }},
		{"PutPolicy default", func() error { _, _, err := h.PutPolicy(ctx, user("/g"), Call{}, "", "", Upsert); return err }},
		{"GetPolicy", func() error { _, err := h.GetPolicy(ctx, user("/g"), "p"); return err }},
		{"ListPolicies", func() error { _, err := h.ListPolicies(ctx, user("/g")); return err }},
		{"DeletePolicy", func() error { return h.DeletePolicy(ctx, user("/g"), Call{}, "p") }},
		{"PutGroup", func() error {
			_, _, err := h.PutGroup(ctx, user("/g"), Call{}, GroupChange{Name: "g"}, Upsert)
			return err
		}},
		{"GetGroup", func() error { _, err := h.GetGroup(ctx, user("/g"), GroupRef{Name: "g"}); return err }},
		{"ListGroups", func() error { _, err := h.ListGroups(ctx, user("/g")); return err }},
		{"DeleteGroup", func() error { return h.DeleteGroup(ctx, user("/g"), Call{}, GroupRef{Name: "g"}) }},
		{"PutAlias", func() error {
			_, err := h.PutAlias(ctx, user("/g"), Call{}, AliasChange{Name: "x", GroupID: g.ID})
			return err
		}},
		{"LookupByAlias", func() error { _, err := h.LookupByAlias(ctx, user("/g"), "/g"); return err }},
		{"Bootstrap", func() error { return h.Bootstrap(ctx, user("/g"), []BootstrapPolicy{{"x", readAll}}, nil) }},
		{"Onboard another", func() error { _, err := h.Onboard(ctx, user("/g"), Call{}, Onboarding{Claim: "/h"}); return err }},
		{"Onboard with more", func() error {
			_, err := h.Onboard(ctx, user("/g"), Call{}, Onboarding{Claim: "/g", Policies: []string{"p"}})
			return err
		}},
		{"another tenant's admin", func() error { return h.DeletePolicy(ctx, stranger, Call{}, "p") }},
		{"nobody", func() error { return h.DeletePolicy(ctx, nobody, Call{}, "p") }},
	} {
		h.audit.Reset()
		wantKind(t, p.is(), fault.Forbidden, "not permitted")
		if r := h.audit.Records(); len(r) != 1 || r[0].Effect != audit.Deny || r[0].Phase != audit.Final || r[0].ErrorCode != "FORBIDDEN" {
			t.Errorf("%s: refusal is recorded as %+v", p.name, r)
		}
	}
	if len(h.events()) != before {
		t.Error("a refused change told an event")
	}
}

func TestNothingChangesWithoutAudit(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	h.audit.Fail(true)
	_, _, err := h.PutPolicy(ctx, admin(), Call{}, "p", readAll, Upsert)
	wantKind(t, err, fault.Unavailable, "")
	_, err = h.GetPolicy(ctx, user(), "p")
	wantKind(t, err, fault.Unavailable, "")
	h.audit.Fail(false)
	_, err = h.GetPolicy(ctx, admin(), "p")
	wantKind(t, err, fault.NotFound, "")
}

func TestChangesAreRecordedAndTold(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	call := Call{CorrelationID: "c-1"}
	const canary = "canary"
	text := "# " + canary + "\n" + readAll
	if _, _, err := h.PutPolicy(ctx, admin(), call, "p", text, Upsert); err != nil {
		t.Fatal(err)
	}
	h.policy("p", text)
	if err := h.DeletePolicy(ctx, admin(), call, "p"); err != nil {
		t.Fatal(err)
	}
	h.group("g", "/"+canary, "p")
	_, _, err := h.PutPolicy(ctx, admin(), call, "p", text, Replace)
	wantKind(t, err, fault.NotFound, "")

	var told []string
	for _, e := range h.events() {
		told = append(told, e.Topic+" "+e.Name)
		for _, side := range [][]byte{e.Old, e.New} {
			if strings.Contains(string(side), canary) {
				t.Errorf("event shows a text or alias: %s", side)
			}
			if string(side) == "{}" {
				continue
			}
			if got := keysOf(t, side); !slices.Equal(got, []string{
				"objectType", "id", "uri", "dn", "version", "owner", "created_at", "updated_at",
			}) {
				t.Errorf("members are %v", got)
			}
		}
	}
	if want := []string{"policies POLICY_UPDATED", "policies POLICY_UPDATED", "policies POLICY_DELETED", "groups GROUP_UPDATED"}; !slices.Equal(told, want) {
		t.Errorf("told %v", told)
	}
	first, last := h.events()[0], h.events()[2]
	if string(first.Old) != "{}" || string(last.New) != "{}" || first.CorrelationID != "c-1" || first.Subject != admin().Subject {
		t.Errorf("create %+v, delete %+v", first, last)
	}
	if !strings.Contains(string(first.New), `"objectType":"secrets/policies"`) || !strings.Contains(string(first.New), `"uri":"urn:coffer:policies:p"`) {
		t.Errorf("new is %s", first.New)
	}
	records := h.audit.Records()
	if len(records) != 10 {
		t.Fatalf("%d records, want two of each change", len(records))
	}
	for i := 0; i < len(records); i += 2 {
		a, o := records[i], records[i+1]
		if a.ID != o.ID || a.Phase != audit.Attempt || o.Phase != audit.Outcome || a.Success || o.Success == (o.ErrorCode != "") {
			t.Errorf("attempt %+v, outcome %+v", a, o)
		}
	}
	if failed := records[9]; failed.ErrorCode != "NOT_FOUND" || failed.CorrelationID != "c-1" {
		t.Errorf("outcome of a failed change: %+v", failed)
	}
}

func TestPolicyLimit(t *testing.T) {
	h, ctx := open(t, nil), t.Context()
	h.setHead(head{Version: 1, Policies: MaxPolicies - 1, Groups: MaxGroups - 1})
	h.policy("last", readAll)
	_, _, err := h.PutPolicy(ctx, admin(), Call{}, "more", readAll, Upsert)
	wantKind(t, err, fault.TooLarge, "more than 10000 policies")
	h.policy("last", readAll)
	if err := h.DeletePolicy(ctx, admin(), Call{}, "last"); err != nil {
		t.Fatal(err)
	}
	h.policy("more", readAll)
	h.group("last", "")
	_, _, err = h.PutGroup(ctx, admin(), Call{}, GroupChange{Name: "more"}, Upsert)
	wantKind(t, err, fault.TooLarge, "more than 10000 groups")
}

func (h *house) setHead(v head) {
	h.t.Helper()
	body, err := encode(v)
	if err != nil {
		h.t.Fatal(err)
	}
	h.putRaw(h.key(kindHead, ""), body)
}

func (h *house) putRaw(k ledger.Key, body []byte) {
	h.t.Helper()
	if _, err := h.ledger.Txn(h.t.Context(), func(tx *ledger.Tx) error { return tx.Put(k, body) }); err != nil {
		h.t.Fatal(err)
	}
}
