package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func TestReadVersions(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		for i := 1; i <= 3; i++ {
			w.write(base, fmt.Sprintf(`{"n":%d}`, i))
		}
		if _, err := w.DestroyVersions(t.Context(), w.alice(), secrets.Versions{URI: base, Versions: []int64{1}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: base}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			uri     string
			version int64
			kind    fault.Kind
			code    string
		}{
			{base, 2, 0, ""}, {base + "?version=2", 0, 0, ""}, {base + "?version=2", 2, 0, ""},
			{base + "?version=2", 3, fault.Invalid, "AMBIGUOUS_QUERY"},
			{base, 1, fault.Destroyed, "SECRET_VERSION_DESTROYED"},
			{base, 3, fault.Deleted, "SECRET_VERSION_DELETED"},
			{base, 0, fault.NotFound, "SECRET_NOT_FOUND"},
			{base, 9, fault.VersionNotFound, "SECRET_VERSION_NOT_FOUND"},
			{base + "#zz", 2, fault.NotFound, "SECRET_NOT_FOUND"},
		} {
			got, err := w.Read(t.Context(), w.alice(), secrets.Query{URI: c.uri, Version: c.version})
			if c.code != "" {
				refused(t, err, c.kind, c.code)
				continue
			}
			if err != nil || got.Version != 2 || !strings.HasSuffix(got.URI.String(), "?version=2") {
				t.Errorf("%s at %d: %+v %v", c.uri, c.version, got, err)
			}
		}
	}
}

func TestReadWhereItCannotBe(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.ReadFile(t.Context(), w.alice(), secrets.Query{URI: inside})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
	_, err = w.Read(t.Context(), w.alice(), secrets.Query{URI: file, Version: 1})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
	_, err = w.Describe(t.Context(), w.alice(), secrets.Query{URI: file})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
	_, err = w.SetOwner(t.Context(), w.alice(), secrets.Ownership{URI: file, Owner: "x"})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
	_, _, err = w.Keys(t.Context(), w.alice(), secrets.Query{URI: inside})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
	_, err = w.Undelete(t.Context(), w.alice(), secrets.Versions{URI: file, Versions: []int64{1}})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
	if len(w.decider.asked) != 0 || len(w.audit.Records()) != 0 {
		t.Errorf("%d decisions, %d records for what cannot be done", len(w.decider.asked), len(w.audit.Records()))
	}
}

func TestReadFile(t *testing.T) {
	w := newWorld(t, func(c *secrets.Config) { c.ReadPurpose = policy.Execute })
	w.write(file, `{"a":{"deep":1},"b":"x"}`)
	for uri, want := range map[string]string{file: `{"a":{"deep":1},"b":"x"}`, file + "#b": `"x"`, file + "#a": `{"deep":1}`, file + "/b": `"x"`} {
		got, err := w.ReadFile(t.Context(), w.alice(), secrets.Query{URI: uri})
		if err != nil || string(got.Value.Reveal()) != want || got.Version != 0 {
			t.Errorf("%s: %s %v", uri, got.Value.Reveal(), err)
		}
	}
	_, err := w.ReadFile(t.Context(), w.alice(), secrets.Query{URI: file + "/b#x"}) // a member of a scalar
	refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
	if p := w.decider.asked[len(w.decider.asked)-1].Purpose; p != policy.Execute {
		t.Errorf("decided as %s", p)
	}
	uri, keys, err := w.Keys(t.Context(), w.alice(), secrets.Query{URI: file})
	if err != nil || uri != file || fmt.Sprint(keys) != "[a b]" {
		t.Errorf("keys %s %v %v", uri, keys, err)
	}
	_, _, err = w.Keys(t.Context(), w.alice(), secrets.Query{URI: file + "/b"})
	refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
}

// Denied callers learn nothing: not of existence, not of the state of the store.
func TestDeniedLearnNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	w.write(outside, `{"a":1}`)
	w.decider.deny = func(policy.Request) bool { return true }
	w.outside.set("meta", fault.New(fault.Timeout, "slow"))
	w.outside.set("get", fault.New(fault.Corrupt, "broken"))
	ctx, p := t.Context(), w.alice()
	for name, do := range map[string]func(uri string) error{
		"read":     func(u string) error { _, err := w.Read(ctx, p, secrets.Query{URI: u}); return err },
		"describe": func(u string) error { _, err := w.Describe(ctx, p, secrets.Query{URI: u}); return err },
		"put": func(u string) error {
			_, err := w.Put(ctx, p, secrets.Write{URI: u, Value: value(t, `{}`)})
			return err
		},
		"rotate": func(u string) error {
			_, err := w.Rotate(ctx, p, secrets.Write{URI: u, Value: value(t, `{}`)})
			return err
		},
		"delete":  func(u string) error { _, err := w.Delete(ctx, p, secrets.Removal{URI: u}); return err },
		"destroy": func(u string) error { _, err := w.Delete(ctx, p, secrets.Removal{URI: u, Destroy: true}); return err },
		"undelete": func(u string) error {
			_, err := w.Undelete(ctx, p, secrets.Versions{URI: u, Versions: []int64{1}})
			return err
		},
		"owner": func(u string) error { _, err := w.SetOwner(ctx, p, secrets.Ownership{URI: u, Owner: "x"}); return err },
		"copy": func(u string) error {
			_, err := w.Copy(ctx, p, secrets.Transfer{From: inside, To: u + "/target"})
			return err
		},
		"move": func(u string) error {
			_, err := w.Move(ctx, p, secrets.Transfer{From: u, To: inside + "/target"})
			return err
		},
	} {
		for _, uri := range []string{inside, inside + "/none", outside, outside + "/none", file} {
			if uri == file && (name == "describe" || name == "undelete" || name == "owner") {
				continue
			}
			w.audit.Reset()
			err := do(uri)
			refused(t, err, fault.Forbidden, "SECRET_AUTHZ_FAILED")
			if got := secrets.Detail(err); got != "not permitted" {
				t.Errorf("%s %s: %q", name, uri, got)
			}
			records := w.audit.Records()
			if len(records) == 0 {
				t.Errorf("%s %s: a refusal without a record", name, uri)
			}
			for _, r := range records {
				if r.Effect != audit.Deny || r.Phase != audit.Final || r.Success {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
	}
	w.told(event.SecretUpdated, event.SecretUpdated)
}

// Who is permitted hears of the store's trouble, and it is on record.
func TestPermittedHearOfTheStore(t *testing.T) {
	for kind, code := range map[fault.Kind]string{
		fault.Timeout: "VAULT_TIMEOUT", fault.Unavailable: "VAULT_CONNECTION_ERROR", fault.ProviderDenied: "VAULT_AUTHZ_ERROR",
		fault.ProviderFailed: "VAULT_OPERATION_ERROR", fault.RateLimited: "TOO_MANY_REQUESTS", fault.Corrupt: "INTEGRITY_FAILURE",
	} {
		w := newWorld(t, nil)
		w.outside.set("meta", fault.New(kind, "x"))
		w.outside.set("get", fault.New(kind, "x"))
		_, err := w.Put(t.Context(), w.alice(), secrets.Write{URI: outside, Value: value(t, `{}`)})
		refused(t, err, kind, code)
		w.recorded("SECRET_UPDATED final false " + code)
		_, err = w.Read(t.Context(), w.alice(), secrets.Query{URI: outside})
		refused(t, err, kind, code)
		w.recorded("SECRET_READ final false " + code)
		_, err = w.Copy(t.Context(), w.alice(), secrets.Transfer{From: inside, To: outside})
		refused(t, err, kind, code)
		w.recorded("SECRET_READ final false "+code, "SECRET_UPDATED final false "+code)
		out, err := w.Bulk(t.Context(), w.alice(), secrets.Bulk{Ops: []secrets.Op{{Op: "set", URI: outside, Value: value(t, `{}`)}}})
		if err != nil || out.Items[0].Code != code {
			t.Errorf("bulk %+v %v", out, err)
		}
		w.recorded("SECRET_UPDATED final false " + code)
	}
}

func TestNobodyClassifiedIsInternal(t *testing.T) {
	w := newWorld(t, nil)
	w.outside.set("get", errors.New("driver says marker"))
	_, err := w.Read(t.Context(), w.alice(), secrets.Query{URI: outside})
	refused(t, err, fault.Internal, "INTERNAL")
	if strings.Contains(secrets.Detail(err), "marker") {
		t.Errorf("detail %q", secrets.Detail(err))
	}
}

func TestAuditRecordsOfReads(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	w.audit.Reset()
	w.decider.give = policy.Decision{PolicyVersion: "p1", Classification: "high", Cached: true}
	p := w.alice()
	p.TokenID, p.Act, p.Binding = "jti", "actor", identity.Binding{JKT: "key"}
	in := secrets.Query{URI: inside + "#a", Call: secrets.Call{CorrelationID: "corr", Origin: secrets.Origin{WorkflowRunID: "run", NodeID: "node", SystemID: "sys"}}}
	if _, err := w.Read(t.Context(), p, in); err != nil {
		t.Fatal(err)
	}
	r := w.recorded("SECRET_READ final true")[0]
	if r.ID == "" || r.Subject != p.Subject || r.TokenJTI != "jti" || r.Act != "actor" || r.CnfJKT != "key" || r.CorrelationID != "corr" ||
		r.WorkflowRunID != "run" || r.NodeID != "node" || r.SystemID != "sys" || r.PolicyVersion != "p1" || r.Classification != "high" ||
		!r.Cached || r.KVVersion != 1 || r.Tenant != w.tenant || r.Action != "use" || r.Purpose != "execute" || len(r.ResourceRef) != 43 {
		t.Errorf("record %+v", r)
	}
	if strings.Contains(fmt.Sprintf("%+v", r), "app") {
		t.Errorf("the record names the path: %+v", r)
	}
}

// A reader that has gone has read the secret all the same.
func TestRecordsOutliveTheCaller(t *testing.T) {
	w := newWorld(t, nil)
	w.write(outside, `{"a":1}`)
	w.audit.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	w.outside.once("get", cancel)
	if _, err := w.Read(ctx, w.alice(), secrets.Query{URI: outside}); err != nil {
		t.Error(err)
	}
	w.recorded("SECRET_READ final true")
	w.decider.deny = denying(policy.Execute)
	_, err := w.Read(ctx, w.alice(), secrets.Query{URI: outside})
	refused(t, err, fault.Forbidden, "SECRET_AUTHZ_FAILED")
	w.recorded("SECRET_READ final false SECRET_AUTHZ_FAILED")
}

func TestWithoutAuditNothingHappens(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	w.audit.Fail(true)
	ctx, p := t.Context(), w.alice()
	_, put := w.Put(ctx, p, secrets.Write{URI: inside, Value: value(t, `{"a":2}`)})
	_, read := w.Read(ctx, p, secrets.Query{URI: inside})
	_, del := w.Delete(ctx, p, secrets.Removal{URI: inside, Destroy: true})
	_, undel := w.Undelete(ctx, p, secrets.Versions{URI: inside, Versions: []int64{1}})
	_, owner := w.SetOwner(ctx, p, secrets.Ownership{URI: inside, Owner: "x"})
	_, move := w.Move(ctx, p, secrets.Transfer{From: inside, To: inside + "2"})
	_, look := w.Search(ctx, p, secrets.Search{Text: "a"})
	_, detail := w.Describe(ctx, p, secrets.Query{URI: inside})
	for _, err := range []error{put, read, del, undel, owner, move, look, detail} {
		refused(t, err, fault.Unavailable, "AUDIT_UNAVAILABLE")
	}
	bulk, err := w.Bulk(ctx, p, secrets.Bulk{Ops: []secrets.Op{{Op: "delete", URI: inside}}})
	if err != nil || bulk.Items[0].Code != "AUDIT_UNAVAILABLE" {
		t.Errorf("bulk %+v %v", bulk, err)
	}
	w.decider.deny = denying(policy.Delete)
	_, err = w.Bulk(ctx, p, secrets.Bulk{Ops: []secrets.Op{{Op: "delete", URI: inside}}})
	refused(t, err, fault.Unavailable, "AUDIT_UNAVAILABLE")
	w.audit.Fail(false)
	w.holds(inside, `{"a":1}`)
	w.told(event.SecretUpdated)
}

// What was changed is answered; its outcome waits for the sink.
func TestOutcomeIsQueued(t *testing.T) {
	w := newWorld(t, nil)
	w.audit.Reset()
	w.outside.once("put", func() { w.audit.Fail(true) })
	if v := w.write(outside, `{"a":1}`); v != 1 {
		t.Errorf("version %d", v)
	}
	w.audit.Fail(false)
	w.holds(outside, `{"a":1}`)
	w.recorded("SECRET_UPDATED attempt false", "SECRET_UPDATED outcome true", "SECRET_READ final true")
}

func TestReadsAreTold(t *testing.T) {
	w := newWorld(t, func(c *secrets.Config) { c.TellReads = true })
	w.write(inside, `{"a":1}`)
	w.holds(inside, `{"a":1}`)
	w.holds(inside+"/none", "")
	deadline := time.Now().Add(5 * time.Second)
	for len(w.events()) < 2 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	e := w.told(event.SecretUpdated, event.SecretRead)[1]
	if e.Old != nil || e.New != nil || e.Version != 1 || e.Purpose != "execute" {
		t.Errorf("event %+v", e)
	}
	w.Close()
	w.holds(inside, `{"a":1}`) // after the end nothing breaks
}

func TestScopes(t *testing.T) {
	w := newWorld(t, func(c *secrets.Config) { c.EnforceScopes = true })
	ctx := t.Context()
	for scope, do := range map[string]func(p identity.Principal) error{
		"secrets.write": func(p identity.Principal) error {
			_, err := w.Put(ctx, p, secrets.Write{URI: inside, Value: value(t, `{}`)})
			return err
		},
		"secrets.rotate": func(p identity.Principal) error {
			_, err := w.Rotate(ctx, p, secrets.Write{URI: inside + "/r", Value: value(t, `{}`)})
			return err
		},
		"secrets.delete": func(p identity.Principal) error {
			_, err := w.Delete(ctx, p, secrets.Removal{URI: inside + "/d"})
			return err
		},
		"secrets.destroy": func(p identity.Principal) error {
			_, err := w.Delete(ctx, p, secrets.Removal{URI: inside + "/d", Destroy: true})
			return err
		},
		"secrets.read_metadata": func(p identity.Principal) error {
			_, err := w.Search(ctx, p, secrets.Search{Text: "a"})
			return err
		},
	} {
		p := w.alice()
		p.Scopes = []string{"secrets.unrelated"}
		refused(t, do(p), fault.Forbidden, "INSUFFICIENT_SCOPE")
		p.Scopes = []string{scope}
		if err := do(p); err != nil {
			t.Errorf("%s: %v", scope, err)
		}
	}
	p := w.alice()
	p.Scopes = []string{"secrets.read"}
	_, err := w.Copy(ctx, p, secrets.Transfer{From: inside, To: inside + "2"})
	refused(t, err, fault.Forbidden, "INSUFFICIENT_SCOPE")
	if _, err := w.Read(ctx, identity.Anonymous(w.tenant), secrets.Query{URI: inside}); err != nil {
		t.Errorf("anonymous needs no scope: %v", err)
	}
}
