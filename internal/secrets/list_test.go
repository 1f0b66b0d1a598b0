package secrets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// found shows each hit as "path key [matched] [keys]".
func found(p secrets.Page) []string {
	out := []string{}
	for _, i := range p.Items {
		out = append(out, fmt.Sprintf("%s %s %v %v", i.Path, i.Key, i.Matched, i.Keys))
	}
	return out
}

func (w *world) search(text, prefix string, want ...string) secrets.Page {
	w.Helper()
	page, err := w.Search(w.Context(), w.alice(), secrets.Search{Text: text, Prefix: prefix})
	if got := found(page); err != nil || !slices.Equal(got, want) {
		w.Errorf("search %q below %q: %v\n got %q\nwant %q", text, prefix, err, got, want)
	}
	return page
}

func TestSearch(t *testing.T) {
	for _, scheme := range []string{"coffer+kv2", "openbao+kv2"} {
		w := newWorld(t, nil)
		base := scheme + "://secret/"
		w.write(base+"app", `{"Token":"hidden-value"}`)
		w.write(base+"app/a/b", `{"x":"hidden-value"}`)
		w.write(base+"apple/c", `{"tok":1,"token2":2}`)
		w.write(base+"gone/TOKEN", `{"token":1}`)
		if _, err := w.Delete(t.Context(), w.alice(), secrets.Removal{URI: base + "gone/TOKEN"}); err != nil {
			t.Fatal(err)
		}
		w.search("hidden", base)
		w.search("", base+"app/", "secret/app  [path] []", "secret/app/a/b  [path] []")
		w.search("tOk", base, "secret/app  [key] [Token]", "secret/apple/c  [key] [tok token2]", "secret/gone/TOKEN  [path] []")
		w.search("ALICE", base+"apple", "secret/apple/c  [owner metadata] []")
		w.search("created_by", base+"apple/c", "secret/apple/c  [metadata] []")
		w.search("", base+"nowhere")
		if page := w.search("a/b", base, "secret/app/a/b  [path] []"); page.Items[0].URI != base+"app/a/b" || page.Total != 1 || page.Truncated {
			t.Errorf("%+v", page)
		}
		w.write("coffer+kv2://secret/without/prefix", `{}`)
		w.search("without", "", "secret/without/prefix  [path] []")
	}
}

// What the caller may not see is neither shown nor matched nor counted.
func TestSearchShowsWhatIsPermitted(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"whole", "names", "denied"} {
		w.write("coffer+kv2://secret/"+path+"/s", `{"fragment":1}`)
	}
	w.audit.Reset()
	w.decider.deny = func(r policy.Request) bool {
		return strings.HasPrefix(r.URI.Path, "denied") || strings.HasPrefix(r.URI.Path, "names") && !r.NamesOnly
	}
	all := "coffer+kv2://secret"
	if p := w.search("", all, "secret/names/s  [path] []", "secret/whole/s  [path] []"); p.Total != 2 {
		t.Errorf("total %d", p.Total)
	}
	w.search("frag", all, "secret/whole/s  [key] [fragment]")
	w.search("alice", all, "secret/whole/s  [owner metadata] []")
	w.decider.deny = func(policy.Request) bool { return true }
	if p := w.search("", all); p.Total != 0 {
		t.Errorf("total %d", p.Total)
	}
	w.recorded(slices.Repeat([]string{"SECRET_LISTED final true"}, 4)...)
}

func TestSearchRefusals(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		in   secrets.Search
		kind fault.Kind
		code string
	}{
		{secrets.Search{}, fault.Invalid, "BAD_REQUEST"},
		{secrets.Search{Text: strings.Repeat("x", 257)}, fault.Invalid, "BAD_REQUEST"},
		{secrets.Search{Text: "x", Prefix: "coffer+kv2://secret/app/../x/"}, fault.Invalid, "ILLEGAL_SEGMENT"},
		{secrets.Search{Text: "x", Prefix: "coffer+kv2://other"}, fault.Invalid, "TENANT_MOUNT_MISMATCH"},
		{secrets.Search{Text: "x", Prefix: inside + "#f"}, fault.Invalid, "FRAGMENT_NOT_ALLOWED"},
		{secrets.Search{Text: "x", Prefix: inside + "?version=1"}, fault.Invalid, "VERSION_NOT_ALLOWED"},
		{secrets.Search{Text: "x", Prefix: "openbao://secret"}, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{secrets.Search{Text: "x", Paging: secrets.Paging{Offset: -1}}, fault.Invalid, "INVALID_PAGINATION"},
		{secrets.Search{Text: "x", Paging: secrets.Paging{Limit: 1001}}, fault.Invalid, "INVALID_PAGINATION"},
		{secrets.Search{Text: "x", Paging: secrets.Paging{Limit: -1}}, fault.Invalid, "INVALID_PAGINATION"},
	} {
		_, err := w.Search(t.Context(), w.alice(), c.in)
		refused(t, err, c.kind, c.code)
	}
	_, err := w.Leaves(t.Context(), w.alice(), secrets.Listing{Prefix: inside})
	refused(t, err, fault.Unsupported, "UNSUPPORTED_OPERATION")
}

func TestSearchFailsWhole(t *testing.T) {
	w := newWorld(t, nil)
	w.write(outside, `{"a":1}`)
	w.audit.Reset()
	w.outside.set("get", fault.New(fault.Timeout, "slow"))
	_, err := w.Search(t.Context(), w.alice(), secrets.Search{Text: "a", Prefix: "openbao+kv2://secret"})
	refused(t, err, fault.Timeout, "VAULT_TIMEOUT")
	w.recorded("SECRET_LISTED final false VAULT_TIMEOUT")
	w.decider.deny = func(policy.Request) bool { return true }
	w.decider.give.Reason = policy.ReasonUnavailable
	_, err = w.Search(t.Context(), w.alice(), secrets.Search{Text: "a", Prefix: "coffer+kv2://secret/app"})
	if err != nil { // nothing is there to decide over
		t.Error(err)
	}
	_, err = w.Search(t.Context(), w.alice(), secrets.Search{Text: "a", Prefix: "openbao+kv2://secret"})
	refused(t, err, fault.Unavailable, "PDP_UNAVAILABLE")
}

func TestPages(t *testing.T) {
	w := newWorld(t, func(c *secrets.Config) { c.PageLimit = 7 })
	ref := secret.Ref{Tenant: w.tenant, Mount: "secret"}
	for i := range 300 { // more than one stretch of the walk
		ref.Path = fmt.Sprintf("p/%03d", i)
		if _, err := w.outside.Store.Put(t.Context(), ref, value(t, `{}`), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ offset, limit, first, n int }{{0, 0, 0, 7}, {295, 10, 295, 5}, {300, 10, 0, 0}, {1 << 40, 1, 0, 0}, {0, 1000, 0, 300}} {
		page, err := w.Search(t.Context(), w.alice(), secrets.Search{Prefix: "openbao+kv2://secret", Paging: secrets.Paging{Offset: c.offset, Limit: c.limit}})
		if err != nil || page.Total != 300 || len(page.Items) != c.n || page.Offset != c.offset || page.Items == nil {
			t.Fatalf("%+v: %d items of %d, %v", c, len(page.Items), page.Total, err)
		}
		if c.n > 0 && page.Items[0].Path != fmt.Sprintf("secret/p/%03d", c.first) {
			t.Errorf("%+v: begins with %s", c, page.Items[0].Path)
		}
	}
}

func TestLeavesOfTheFile(t *testing.T) {
	w := newWorld(t, nil)
	w.write("yaml://secret/env", `{"A":"hidden","B":{"C":1}}`)
	w.write("yaml://secret/other", `{"A":2}`)
	leaves := func(prefix string, want ...string) {
		t.Helper()
		page, err := w.Leaves(t.Context(), w.alice(), secrets.Listing{Prefix: prefix})
		var got []string
		for _, i := range page.Items {
			got = append(got, i.URI)
		}
		if err != nil || !slices.Equal(got, want) || page.Total != len(want) {
			t.Errorf("%s: %q %v, want %q", prefix, got, err, want)
		}
	}
	leaves("yaml://secret/env/", "yaml://secret/env#A", "yaml://secret/env/B#C")
	leaves("yaml://secret", "yaml://secret/env#A", "yaml://secret/env/B#C", "yaml://secret/other#A")
	leaves("yaml://secret/env/A", "yaml://secret/env#A")
	leaves("yaml://secret/none")
	w.search("a", "yaml://secret", "secret/env A [key] [A]", "secret/other A [key] [A]")
	w.search("hidden", "yaml://secret")
	w.decider.deny = func(r policy.Request) bool { return r.URI.Path == "env" || !r.NamesOnly && r.URI.Path == "other" }
	leaves("yaml://secret", "yaml://secret/env/B#C") // the members of other are names inside it
}
