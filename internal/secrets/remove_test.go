package secrets_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func TestDeleteAndUndelete(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		out, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: base})
		if err != nil || out.Destroyed || out.URI != base {
			t.Errorf("%+v %v", out, err)
		}
		w.holds(base, "")
		got, err := w.Undelete(t.Context(), w.alice(), secrets.Versions{URI: base, Versions: []int64{9, 1, 1}})
		if err != nil || fmt.Sprint(got.Versions, got.Ignored) != "[1 9] [9]" {
			t.Errorf("%s: %+v %v", base, got, err)
		}
		w.holds(base, `{"a":1}`)
		events := w.told(event.SecretUpdated, event.SecretDeleted, event.SecretUndeleted)
		if string(events[1].New) != "{}" || events[1].Version != 1 || !strings.Contains(string(events[1].Old), `"version":1`) {
			t.Errorf("deleted: %s -> %s", events[1].Old, events[1].New)
		}
		if string(events[2].Old) != "{}" || !strings.Contains(string(events[2].New), `"version":1`) {
			t.Errorf("undeleted: %s -> %s", events[2].Old, events[2].New)
		}
		if n := len(w.audit.Records()); n != 8 {
			t.Errorf("%d records", n)
		}
	}
}

func TestDestroy(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		w.write(base, `{"a":2}`)
		got, err := w.DestroyVersions(t.Context(), w.alice(), secrets.Versions{URI: base, Versions: []int64{2, 7}})
		if err != nil || fmt.Sprint(got.Versions, got.Ignored) != "[2 7] [7]" {
			t.Errorf("%+v %v", got, err)
		}
		got, err = w.Undelete(t.Context(), w.alice(), secrets.Versions{URI: base, Versions: []int64{2}})
		if err != nil || fmt.Sprint(got.Ignored) != "[2]" {
			t.Errorf("undelete of a destroyed version: %+v %v", got, err)
		}
		out, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: base, Destroy: true})
		if err != nil || !out.Destroyed {
			t.Errorf("%+v %v", out, err)
		}
		if r := w.decider.asked[len(w.decider.asked)-1]; r.Purpose != policy.Destroy || !r.Whole {
			t.Errorf("decided as %+v", r)
		}
		_, err = w.Describe(t.Context(), w.alice(), secrets.Query{URI: base})
		refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
		if v := w.write(base, `{"a":3}`); v != 1 {
			t.Errorf("version %d after the destruction", v)
		}
	}
}

func TestRemovalOfNothing(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		for _, destroy := range []bool{false, true} {
			if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: base, Destroy: destroy}); err != nil {
				t.Error(err)
			}
		}
		_, err := w.Undelete(t.Context(), w.alice(), secrets.Versions{URI: base, Versions: []int64{1}})
		refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
		_, err = w.DestroyVersions(t.Context(), w.alice(), secrets.Versions{URI: base, Versions: []int64{1}})
		refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
		_, err = w.SetOwner(t.Context(), w.alice(), secrets.Ownership{URI: base, Owner: "x"})
		refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
		w.told() // nothing changed, nothing is told
	}
}

func TestRemovalRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	one, two := int64(1), int64(2)
	for _, c := range []struct {
		in   secrets.Removal
		kind fault.Kind
		code string
	}{
		{secrets.Removal{URI: inside + "#a"}, fault.Invalid, "FRAGMENT_NOT_ALLOWED"},
		{secrets.Removal{URI: inside + "#a", FragmentScope: "key"}, fault.Invalid, "BAD_REQUEST"},
		{secrets.Removal{URI: inside + "?version=1"}, fault.Invalid, "VERSION_NOT_ALLOWED"},
		{secrets.Removal{URI: inside, Match: secrets.Match{Version: &two}}, fault.Precondition, "PRECONDITION_FAILED"},
		{secrets.Removal{URI: inside + "/none", Match: secrets.Match{Any: true}}, fault.Precondition, "PRECONDITION_FAILED"},
		{secrets.Removal{URI: outside, Match: secrets.Match{Version: &one}}, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{secrets.Removal{URI: file}, fault.NotFound, "SECRET_NOT_FOUND"},
	} {
		_, err := w.Delete(t.Context(), w.alice(), c.in)
		refused(t, err, c.kind, c.code)
	}
	for _, c := range []struct {
		uri      string
		versions []int64
		code     string
	}{
		{inside, nil, "EMPTY_VERSIONS"}, {inside, []int64{}, "EMPTY_VERSIONS"}, {inside, []int64{0}, "INVALID_VERSION"},
		{inside, make([]int64, 1001), "INVALID_VERSION"}, {inside + "#a", []int64{1}, "FRAGMENT_NOT_ALLOWED"},
	} {
		_, err := w.DestroyVersions(t.Context(), w.alice(), secrets.Versions{URI: c.uri, Versions: c.versions})
		refused(t, err, fault.Invalid, c.code)
		_, err = w.Undelete(t.Context(), w.alice(), secrets.Versions{URI: c.uri, Versions: c.versions})
		refused(t, err, fault.Invalid, c.code)
	}
	w.holds(inside, `{"a":1}`)
	if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: inside + "#a", FragmentScope: "path", Match: secrets.Match{Version: &one}}); err != nil {
		t.Error(err)
	}
	w.holds(inside, "")
}

func TestDeleteInTheFile(t *testing.T) {
	w := newWorld(t, nil)
	w.write(file, `{"a":1,"b":2}`)
	if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: file + "#a"}); err != nil {
		t.Fatal(err)
	}
	w.holds(file, `{"b":2}`)
	_, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: file + "#a"})
	refused(t, err, fault.NotFound, "SECRET_NOT_FOUND")
	out, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: file, Destroy: true})
	if err != nil || out.Destroyed {
		t.Errorf("%+v %v", out, err)
	}
	w.holds(file, "")
	if body, err := os.ReadFile(w.file); err != nil || strings.Contains(string(body), "b:") {
		t.Errorf("file %q %v", body, err)
	}
}

func TestSetOwner(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		out, err := w.SetOwner(t.Context(), w.bob(), secrets.Ownership{URI: base, Owner: "group:x"})
		if err != nil || out.Owner != "group:x" || out.Custom["owner"] != "group:x" || out.Custom["created_by"] != w.alice().Subject {
			t.Errorf("%+v %v", out, err)
		}
		d, err := w.Describe(t.Context(), w.bob(), secrets.Query{URI: base})
		if err != nil || fmt.Sprint(d.Meta.Custom) != fmt.Sprint(out.Custom) || d.Meta.Current != 1 {
			t.Errorf("%+v %v", d.Meta, err)
		}
		e := w.told(event.SecretUpdated, event.SecretOwnerUpdated)[1]
		if !strings.Contains(string(e.New), `"owner":"group:x"`) || strings.Contains(string(e.Old), "group:x") {
			t.Errorf("%s -> %s", e.Old, e.New)
		}
		for _, owner := range []string{"", strings.Repeat("x", 513), "a\nb", "\xff"} {
			_, err := w.SetOwner(t.Context(), w.bob(), secrets.Ownership{URI: base, Owner: owner})
			refused(t, err, fault.Invalid, "INVALID_OWNER")
		}
		_, err = w.SetOwner(t.Context(), w.bob(), secrets.Ownership{URI: base + "#a", Owner: "x"})
		refused(t, err, fault.Invalid, "FRAGMENT_NOT_ALLOWED")
	}
}

// A change outside stands although nobody can look at it afterwards.
func TestOutsideChangeStands(t *testing.T) {
	w := newWorld(t, nil)
	w.write(outside, `{"a":1}`)
	w.audit.Reset()
	broken := fault.New(fault.ProviderFailed, "no")
	w.outside.once("delete", func() { w.outside.set("meta", broken) })
	if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: outside}); err != nil {
		t.Error(err)
	}
	w.recorded("SECRET_DELETED attempt false", "SECRET_DELETED outcome true")
	w.outside.set("meta", nil)
	w.outside.once("setmeta", func() { w.outside.set("meta", broken) })
	if out, err := w.SetOwner(t.Context(), w.alice(), secrets.Ownership{URI: outside, Owner: "x"}); err != nil || out.Custom["owner"] != "x" {
		t.Errorf("%+v %v", out, err)
	}
	events := w.told(event.SecretUpdated, event.SecretDeleted, event.SecretOwnerUpdated)
	if string(events[1].New) != "{}" {
		t.Errorf("new side %s", events[1].New)
	}
}
