package tenants

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

func TestE14TenantsNeverSeeEachOther(t *testing.T) {
	l := ledgertest.Open(t, nil)
	houses := map[string]*house{}
	for _, name := range []string{"a", "ab"} {
		houses[name] = member(t, l, func(c *Config) { c.Tenant = name })
	}
	who := admin()
	who.Tenant = "ab"
	ab := houses["ab"]
	if _, _, err := ab.PutPolicy(t.Context(), who, Call{}, "p", readAll, Upsert); err != nil {
		t.Fatal(err)
	}
	alias := "/g"
	c := GroupChange{Name: "g", Type: External, Policies: []string{"p"}, Alias: &alias}
	if _, _, err := ab.PutGroup(t.Context(), who, Call{}, c, Upsert); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]bool{"a": false, "ab": true} {
		p := user("/g")
		p.Tenant = tenant
		houses[tenant].reads(p, "x", want)
	}
	who.Tenant = "a"
	if names, err := houses["a"].ListPolicies(t.Context(), who); err != nil || len(names) != 2 {
		t.Errorf("%v %v", names, err)
	}
	_, err := houses["a"].GetPolicy(t.Context(), who, "p")
	wantKind(t, err, fault.NotFound, "")
	_, err = houses["a"].ListGroups(t.Context(), System("ab"))
	wantKind(t, err, fault.Forbidden, "")
}

func TestE23PolicyTextsAreSealed(t *testing.T) {
	const canary = "canary-in-a-policy"
	dir, file := t.TempDir(), t.TempDir()+"/kek"
	if err := kek.CreateFile(file); err != nil {
		t.Fatal(err)
	}
	h := member(t, ledgertest.OpenAt(t, dir, file, nil), nil)
	h.policy("p", "# "+canary+"\n"+readAll)
	h.reads(user(), "x", false)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if bytes.Contains(body, []byte(canary)) {
			t.Errorf("%s holds the text", filepath.Base(path))
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}

func TestAChangeThatCannotBeMadeIsRecordedAsFailed(t *testing.T) {
	h := open(t, nil)
	h.policy("p", readAll)
	h.audit.Reset()
	sink := &cutter{Sink: h.audit}
	ctx, cancel := context.WithCancel(t.Context())
	sink.cut = cancel
	h.c.Audit = sink
	err := h.DeletePolicy(ctx, admin(), Call{}, "p")
	if err == nil {
		t.Fatal("the change was made although the caller had gone before it")
	}
	if r := h.audit.Records(); len(r) != 2 || r[1].Phase != audit.Outcome || r[1].Success || r[1].ErrorCode == "" {
		t.Errorf("records %+v", r)
	}
	h.c.Audit = h.audit
	if _, err := h.GetPolicy(t.Context(), admin(), "p"); err != nil {
		t.Errorf("the policy is gone: %v", err)
	}
}

// cutter is a sink after which the caller goes away.
type cutter struct {
	audit.Sink
	cut context.CancelFunc
}

// Keep keeps and then cuts the caller off.
func (c *cutter) Keep(ctx context.Context, records ...audit.Record) error {
	defer c.cut()
	return c.Sink.Keep(ctx, records...)
}

func TestReadsWithoutTheStoreAreUnavailable(t *testing.T) {
	h := open(t, nil)
	h.policy("p", readAll)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.ListPolicies(gone, admin())
	wantKind(t, err, fault.Unavailable, "")
	_, err = h.ListGroups(gone, admin())
	wantKind(t, err, fault.Unavailable, "")
	_, err = h.GetGroup(gone, admin(), GroupRef{Name: "g"})
	wantKind(t, err, fault.Unavailable, "")
	if _, err := h.GetPolicy(gone, admin(), "p"); err == nil {
		t.Error("a policy was read without the store")
	}
}

// A full house: loading every policy once, and one changed policy after that.
func BenchmarkLoad(b *testing.B) {
	h := open(b, nil)
	const n, batch = 2000, 50
	for i := 0; i < n; i += batch {
		_, err := h.ledger.Txn(b.Context(), func(tx *ledger.Tx) error {
			for j := i; j < i+batch; j++ {
				name := fmt.Sprintf("tenant-%d", j)
				p, err := encode(Policy{Name: PolicyOf(name), Text: (Template{}).Text(name)})
				if err != nil {
					return err
				}
				g, err := encode(Group{ID: name, Name: name, Type: External, Policies: []string{PolicyOf(name)}, Alias: &Alias{Name: name}})
				if err != nil {
					return err
				}
				if err := tx.Put(h.key(kindPolicy, PolicyOf(name)), p); err != nil {
					return err
				}
				if err := tx.Put(h.key(kindGroup, name), g); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	h.policy("touch", readAll)
	full, err := h.load(b.Context(), nil)
	if err != nil || len(full.policies) != n+1 || len(full.groups) != n {
		b.Fatalf("%d policies, %d groups, %v", len(full.policies), len(full.groups), err)
	}
	for name, old := range map[string]*snapshot{"everything": nil, "after a change": full} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.load(b.Context(), old); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
