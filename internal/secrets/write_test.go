package secrets_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// The places that hold versions, and the one that does not.
const (
	inside  = "coffer+kv2://secret/app/api"
	outside = "openbao+kv2://secret/app/api"
	file    = "yaml://secret/app/api"
)

func TestWriteShapes(t *testing.T) {
	for _, base := range []string{inside, outside, file} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1,"b":"two"}`)
		w.holds(base, `{"a":1,"b":"two"}`)
		w.write(base+"#b", `null`)
		w.holds(base+"#b", `null`)
		w.write(base+"#c", `{"c":[1.0]}`) // exactly the member: unpacked
		w.write(base+"#d", `{"x":1}`)
		w.holds(base+"#c", `[1.0]`)
		w.holds(base+"#d", `{"x":1}`)
		w.holds(base+"#a", `1`) // siblings survive
		w.holds(base+"#zz", "")
	}
}

func TestWriteRefusals(t *testing.T) {
	w := newWorld(t, func(c *secrets.Config) { c.Grammar.Mounts = []string{"secret"} })
	two := int64(2)
	for _, c := range []struct {
		uri, value string
		match      secrets.Match
		kind       fault.Kind
		code       string
	}{
		{inside, `"x"`, secrets.Match{}, fault.Invalid, "OBJECT_REQUIRED"},
		{inside, `[]`, secrets.Match{}, fault.Invalid, "OBJECT_REQUIRED"},
		{inside + "#k", `{"k":1,"o":2}`, secrets.Match{}, fault.Invalid, "AMBIGUOUS_VALUE"},
		{inside + "?version=2", `{}`, secrets.Match{}, fault.Invalid, "VERSION_NOT_ALLOWED"},
		{inside + "?x=2", `{}`, secrets.Match{}, fault.Invalid, "AMBIGUOUS_QUERY"},
		{"coffer+kv2://secret", `{}`, secrets.Match{}, fault.Invalid, "PATH_REQUIRED"},
		{"coffer+kv2://other/a", `{}`, secrets.Match{}, fault.Invalid, "TENANT_MOUNT_MISMATCH"},
		{"openbao://secret/a", `{}`, secrets.Match{}, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{file, `{}`, secrets.Match{Version: &two}, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{inside, `{}`, secrets.Match{Version: &two}, fault.Precondition, "PRECONDITION_FAILED"},
		{outside, `{}`, secrets.Match{Any: true}, fault.Precondition, "PRECONDITION_FAILED"},
		{inside, `{"k":"` + strings.Repeat("x", secret.MaxValue-8) + `"}`, secrets.Match{}, 0, ""},
	} {
		in := secrets.Write{URI: c.uri, Value: value(t, c.value), Match: c.match}
		_, err := w.Put(t.Context(), w.alice(), in)
		if c.code == "" {
			if err != nil {
				t.Errorf("%.40s: %v", c.uri, err)
			}
			continue
		}
		refused(t, err, c.kind, c.code)
	}
	_, err := w.Put(t.Context(), w.alice(), secrets.Write{URI: inside})
	refused(t, err, fault.Invalid, "BAD_REQUEST")
	_, err = w.Put(t.Context(), w.alice(), secrets.Write{URI: inside + "#more", Value: value(t, `"some more"`)})
	refused(t, err, fault.TooLarge, "VALUE_TOO_LARGE")
	if n := w.counts.mounts.Load(); n != 1 {
		t.Errorf("%d mount violations counted", n)
	}
}

func TestWriteStampsTheFirstWriter(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		if _, err := w.Put(t.Context(), w.bob(), secrets.Write{URI: base, Value: value(t, `{"a":2}`)}); err != nil {
			t.Fatal(err)
		}
		d, err := w.Describe(t.Context(), w.bob(), secrets.Query{URI: base + "#dropped"})
		if err != nil {
			t.Fatal(err)
		}
		at := shared.clock.Now().Format("2006-01-02T15:04:05Z")
		if got, want := fmt.Sprint(d.Meta.Custom), "map[created_at:"+at+" created_by:auth:account:test:alice owner:auth:account:test:alice]"; got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
	w := newWorld(t, nil)
	nobody := identity.Anonymous(w.tenant)
	if _, err := w.Put(t.Context(), nobody, secrets.Write{URI: inside, Value: value(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	d, err := w.Describe(t.Context(), nobody, secrets.Query{URI: inside})
	if _, owned := d.Meta.Custom["owner"]; err != nil || owned {
		t.Errorf("the anonymous writer became owner: %v %v", d.Meta.Custom, err)
	}
}

func TestWriteAfterDelete(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1,"b":2}`)
		if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: base}); err != nil {
			t.Fatal(err)
		}
		if v := w.write(base+"#k", `1`); v != 2 {
			t.Errorf("version %d", v)
		}
		w.holds(base, `{"k":1}`)
	}
}

func TestWriteEvents(t *testing.T) {
	w := newWorld(t, nil)
	w.write("openbao+kv2://secret/outside", `{"a":1}`)
	w.write("hashicorp+kv2://secret/app/api", `{"a":"marker-value"}`)
	w.write(inside+"#b", `"marker-value"`)
	if _, err := w.Rotate(t.Context(), w.bob(), secrets.Write{URI: inside, Value: value(t, `{"c":1}`)}); err != nil {
		t.Fatal(err)
	}
	events := w.told(event.SecretUpdated, event.SecretUpdated, event.SecretUpdated, event.SecretRotated)
	type side struct {
		ID, URI, DN, Owner string
		Version            int64
	}
	var old, now side
	for i, e := range events[1:] {
		old, now = side{}, side{}
		if json.Unmarshal(e.Old, &old) != nil || json.Unmarshal(e.New, &now) != nil {
			t.Fatalf("sides %s %s", e.Old, e.New)
		}
		if now.URI != inside || now.DN != inside || now.ID == "" || now.Owner != w.alice().Subject || now.Version != int64(i+1) {
			t.Errorf("new %+v", now)
		}
		if i == 0 && string(e.Old) != "{}" || i > 0 && (old.Version != int64(i) || old.ID != now.ID) {
			t.Errorf("old %s", e.Old)
		}
		if e.Version != int64(i+1) || !e.Success || e.Effect != "Permit" || e.DecisionID == "" || e.ResourceRef == "" {
			t.Errorf("event %+v", e)
		}
		if strings.Contains(fmt.Sprintf("%+v %s %s", e, e.Old, e.New), "marker") || strings.Contains(string(e.New), `"b"`) {
			t.Errorf("the event tells of the value: %s", e.New)
		}
	}
	if events[0].Backend != "openbao" || events[1].Backend != "embedded" || events[3].Subject != w.bob().Subject {
		t.Errorf("backends %s %s, subject %s", events[0].Backend, events[1].Backend, events[3].Subject)
	}
}

func TestRotateTellsBothVersions(t *testing.T) {
	for base, want := range map[string][2]int64{inside: {1, 2}, outside: {1, 2}, file: {0, 0}} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		out, err := w.Rotate(t.Context(), w.alice(), secrets.Write{URI: base, Value: value(t, `{"a":2}`)})
		if err != nil || out.Old != want[0] || out.Version != want[1] {
			t.Errorf("%s: %+v %v", base, out, err)
		}
	}
}

func TestWriteIsDecidedAsCreateOrUpdate(t *testing.T) {
	for _, base := range []string{inside, outside, file} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		w.write(base, `{"a":2}`)
		if w.decider.asked[0].Known || !w.decider.asked[1].Known {
			t.Errorf("%s: known %t, then %t", base, w.decider.asked[0].Known, w.decider.asked[1].Known)
		}
	}
}

// Whoever may only create must not overwrite what came between decision and write.
func TestWriteIsDecidedAnewWhenTheKeyAppears(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.decider.deny = func(r policy.Request) bool { return r.Known && r.Principal.Subject == w.bob().Subject }
		meanwhile := sync.OnceFunc(func() { w.write(base, `{"mine":1}`) })
		w.decider.after = func(r policy.Request) {
			if r.Principal.Subject == w.bob().Subject {
				meanwhile()
			}
		}
		_, err := w.Put(t.Context(), w.bob(), secrets.Write{URI: base, Value: value(t, `{"theirs":1}`)})
		refused(t, err, fault.Forbidden, "SECRET_AUTHZ_FAILED")
		w.recorded(
			"SECRET_UPDATED attempt false", "SECRET_UPDATED outcome true",
			"SECRET_UPDATED attempt false", "SECRET_UPDATED outcome false WRITE_CONFLICT",
			"SECRET_UPDATED final false SECRET_AUTHZ_FAILED",
		)
		w.decider.deny = nil
		w.holds(base, `{"mine":1}`)
	}
}

// The race is lost after the metadata was looked at, too: check-and-set holds.
func TestOutsideCreateIsCheckAndSet(t *testing.T) {
	w := newWorld(t, nil)
	w.decider.deny = func(r policy.Request) bool { return r.Known && r.Principal.Subject == w.bob().Subject }
	w.outside.once("put", func() { w.write(outside, `{"mine":1}`) })
	_, err := w.Put(t.Context(), w.bob(), secrets.Write{URI: outside, Value: value(t, `{"theirs":1}`)})
	refused(t, err, fault.Forbidden, "SECRET_AUTHZ_FAILED")
	w.holds(outside, `{"mine":1}`)
}

func TestConcurrentFragmentsAllSurvive(t *testing.T) {
	for _, base := range []string{inside, outside, file} {
		w := newWorld(t, nil)
		var all sync.WaitGroup
		var mu sync.Mutex
		var written []string
		for i := range 12 {
			all.Go(func() {
				key := fmt.Sprintf("k%d", i)
				_, err := w.Put(t.Context(), w.alice(), secrets.Write{URI: base + "#" + key, Value: value(t, `1`)})
				if err == nil {
					mu.Lock()
					written = append(written, key)
					mu.Unlock()
				} else if secrets.Code(err) != "WRITE_CONFLICT" {
					t.Errorf("%s: %v", base, err)
				}
			})
		}
		all.Wait()
		if len(written) == 0 {
			t.Errorf("%s: nobody got through", base)
		}
		for _, key := range written {
			w.holds(base+"#"+key, `1`)
		}
	}
}

func TestPreconditionsHoldInTheWrite(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		none := int64(0)
		var all sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			all.Go(func() {
				in := secrets.Write{URI: base, Value: value(t, fmt.Sprintf(`{"n":%d}`, i)), Match: secrets.Match{Version: &none}}
				_, results[i] = w.Put(t.Context(), w.alice(), in)
			})
		}
		all.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			} else {
				if secrets.Code(err) != "PRECONDITION_FAILED" {
					t.Errorf("%s: %v", base, err)
				}
			}
		}
		if won != 1 {
			t.Errorf("%s: %d writers won", base, won)
		}
		if d, err := w.Describe(t.Context(), w.alice(), secrets.Query{URI: base}); err != nil || d.Meta.Current != 1 {
			t.Errorf("%s: current %d %v", base, d.Meta.Current, err)
		}
	}
}

func TestCASRequiredIsTheCallersToSatisfy(t *testing.T) {
	yes := true
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		ref := secret.Ref{Tenant: w.tenant, Mount: "secret", Path: "app/api"}
		var store secret.Store = w.engine
		if base == outside {
			store = w.outside
		}
		if _, err := store.SetMeta(t.Context(), ref, secret.MetaChange{CASRequired: &yes}); err != nil {
			t.Fatal(err)
		}
		for _, uri := range []string{base, base + "#a"} {
			_, err := w.Put(t.Context(), w.alice(), secrets.Write{URI: uri, Value: value(t, `{"a":2}`)})
			refused(t, err, fault.CASRequired, "PRECONDITION_REQUIRED")
		}
		one := int64(1)
		in := secrets.Write{URI: base + "#b", Value: value(t, `2`), Match: secrets.Match{Version: &one}}
		if _, err := w.Put(t.Context(), w.alice(), in); err != nil {
			t.Error(err)
		}
		w.holds(base, `{"a":1,"b":2}`)
	}
}

// What is written outside stays written when its metadata cannot be touched.
func TestOutsideWriteStandsWithoutMetadata(t *testing.T) {
	w := newWorld(t, nil)
	w.outside.set("setmeta", fault.New(fault.ProviderFailed, "no"))
	if v := w.write(outside, `{"a":1}`); v != 1 {
		t.Errorf("version %d", v)
	}
	w.holds(outside, `{"a":1}`)
	if e := w.told(event.SecretUpdated)[0]; !strings.Contains(string(e.New), `"version":1`) {
		t.Errorf("new side %s", e.New)
	}
	w.outside.set("setmeta", nil)
	w.write(outside, `{"a":2}`) // the stamp is made up for
	d, err := w.Describe(t.Context(), w.alice(), secrets.Query{URI: outside})
	if err != nil || d.Meta.Custom["created_by"] != w.alice().Subject {
		t.Errorf("custom %v %v", d.Meta.Custom, err)
	}
}

func TestFileWritesAreForDevelopment(t *testing.T) {
	w := newWorld(t, func(c *secrets.Config) { c.FileWrites = false })
	_, err := w.Put(t.Context(), w.alice(), secrets.Write{URI: file, Value: value(t, `{}`)})
	refused(t, err, fault.Forbidden, "YAML_WRITES_DISABLED")
	_, err = w.Delete(t.Context(), w.alice(), secrets.Removal{URI: file})
	refused(t, err, fault.Forbidden, "YAML_WRITES_DISABLED")
	w.write(inside, `{"a":1}`)
	_, err = w.Copy(t.Context(), w.alice(), secrets.Transfer{From: inside, To: file})
	refused(t, err, fault.Forbidden, "YAML_WRITES_DISABLED")
	_, err = w.Move(t.Context(), w.alice(), secrets.Transfer{From: file, To: inside + "2"})
	refused(t, err, fault.Forbidden, "YAML_WRITES_DISABLED")
}
