package storetest

import (
	"github.com/coffer-dev/coffer/internal/secret"
)

func listCases() []conformance {
	l := need{list: true}
	return []conformance{
		{"E13_list_names_and_folders", l, listNames},
		{"E13_deleted_keys_are_listed", need{list: true, versions: true}, listDeleted},
		{"E13_paging", l, listPaging},
		{"E14_prefixes_are_whole_segments", l, wholeSegments},
		{"E14_tenants_never_meet", need{list: true, tenants: true}, tenantsNeverMeet},
		{"E14_tenants_never_meet_in_history", need{versions: true, metadata: true, tenants: true}, tenantHistories},
		{"K31_parent_and_child_are_two_keys", need{list: true, versions: true}, parentAndChild},
		{"K32_list_of_nothing_is_empty", l, listNothing},
		{"K33_recursive_list", l, listRecursive},
	}
}

func listNames(e *env) {
	e.put("a/b", `{"k":"v"}`)
	e.put("a/b/c", `{"k":"v"}`)
	e.put("a/d", `{"k":"v"}`)
	e.put("b", `{"k":"v"}`)
	e.lists("a", secret.ListOptions{}, "b", "b/", "d")
	e.lists("a/b", secret.ListOptions{}, "c")
	e.lists("a/b/c", secret.ListOptions{})
	e.lists("", secret.ListOptions{}, "a/", "b")
}

func listDeleted(e *env) {
	for _, p := range []string{"a/b", "a/d"} {
		e.put(p, `{"k":"v"}`)
	}
	e.remove("a/d")
	e.lists("a", secret.ListOptions{}, "b", "d")
	e.destroy("a/d", 1)
	e.lists("a", secret.ListOptions{}, "b", "d")
	_, err := e.Store.Destroy(e.ctx, e.ref("a/d"), secret.Selection{All: true})
	e.ok(err, "destroy all")
	e.lists("a", secret.ListOptions{}, "b")
}

func listPaging(e *env) {
	for _, p := range []string{"a/B", "a/b", "a/b/c", "a/b-x", "a/d", "a/e/f"} {
		e.put(p, `{"k":"v"}`)
	}
	all := []string{"B", "b", "b-x", "b/", "d", "e/"}
	e.lists("a", secret.ListOptions{}, all...)
	for limit := 1; limit <= len(all)+1; limit++ {
		var paged []string
		after := ""
		for {
			names, err := e.Store.List(e.ctx, e.ref("a"), secret.ListOptions{After: after, Limit: limit})
			e.ok(err, "page")
			if len(names) > limit {
				e.t.Fatalf("page of %d names, limit %d", len(names), limit)
			}
			if len(names) == 0 {
				break
			}
			paged = append(paged, names...)
			if after = names[len(names)-1]; len(paged) > len(all) {
				break
			}
		}
		e.equal("all pages", paged, all)
	}
	e.lists("a", secret.ListOptions{After: "b"}, "b-x", "b/", "d", "e/")
	e.lists("a", secret.ListOptions{After: "c"}, "d", "e/")
	e.lists("a", secret.ListOptions{After: "zzz"})
	e.lists("a", secret.ListOptions{Recursive: true, After: "b", Limit: 2}, "b-x", "b/c")
}

func wholeSegments(e *env) {
	e.put("app/x", `{"k":"app"}`)
	e.put("apple/x", `{"k":"apple"}`)
	e.lists("app", secret.ListOptions{}, "x")
	e.lists("apple", secret.ListOptions{}, "x")
	e.lists("ap", secret.ListOptions{})
	e.lists("app", secret.ListOptions{Recursive: true}, "x")
	e.holds("app/x", 0, `{"k":"app"}`)
	if e.Can.Versions {
		_, err := e.Store.Destroy(e.ctx, e.ref("app/x"), secret.Selection{All: true})
		e.ok(err, "destroy all")
	} else {
		e.remove("app/x")
	}
	e.holds("apple/x", 0, `{"k":"apple"}`)
	e.lists("apple", secret.ListOptions{}, "x")
}

// other is the same instance seen by the tenant whose name begins with this one's.
func (e *env) other() *env {
	o := *e
	o.Tenant += "b"
	return &o
}

func tenantsNeverMeet(e *env) {
	o := e.other()
	e.put("app/x", `{"k":"mine"}`)
	e.refusesAll(o, "app/x")
	o.put("app/x", `{"k":"theirs"}`)
	o.put("app/y", `{"k":"theirs"}`)
	e.lists("app", secret.ListOptions{}, "x")
	e.lists("", secret.ListOptions{Recursive: true}, "app/x")
	o.lists("", secret.ListOptions{Recursive: true}, "app/x", "app/y")
	o.remove("app/x")
	e.holds("app/x", 0, `{"k":"mine"}`)
}

// refusesAll asserts that o sees nothing at path.
func (e *env) refusesAll(o *env, path string) {
	e.t.Helper()
	o.missing(path)
	o.lists("", secret.ListOptions{})
	o.lists("", secret.ListOptions{Recursive: true})
}

func tenantHistories(e *env) {
	o := e.other()
	e.putTimes("p", 2)
	o.missing("p")
	_, err := o.Store.Meta(e.ctx, o.ref("p"))
	e.fails(err, notFound, "metadata of another tenant")
	o.remove("p", 1, 2)
	_, err = o.Store.Undelete(e.ctx, o.ref("p"), []int64{1})
	e.ok(err, "undelete as another tenant")
	_, err = o.Store.Destroy(e.ctx, o.ref("p"), secret.Selection{All: true})
	e.ok(err, "destroy as another tenant")
	o.change("p", secret.MetaChange{Replace: map[string]string{"owner": "them"}})
	e.holds("p", 1, `{"k":"v"}`)
	s := e.holds("p", 2, `{"k":"v"}`)
	e.equal("custom metadata", len(s.Custom), 0)
	e.equal("version of the other tenant", o.put("p", `{}`).Version, 1)
}

func parentAndChild(e *env) {
	e.put("a/b/c", `{"k":"child"}`)
	e.put("a/b", `{"k":"parent"}`)
	e.holds("a/b/c", 0, `{"k":"child"}`)
	e.holds("a/b", 0, `{"k":"parent"}`)
	e.remove("a/b")
	e.holds("a/b/c", 0, `{"k":"child"}`)
}

func listNothing(e *env) {
	e.lists("", secret.ListOptions{})
	e.lists("unknown/deep", secret.ListOptions{})
	e.lists("unknown", secret.ListOptions{Recursive: true})
	e.put("leaf", `{"k":"v"}`)
	e.lists("leaf", secret.ListOptions{})
	e.lists("leaf", secret.ListOptions{Recursive: true})
	_, err := e.Store.List(e.ctx, e.ref("a//b"), secret.ListOptions{})
	e.fails(err, invalid, "list of an illegal prefix")
}

func listRecursive(e *env) {
	for _, p := range []string{"a/b", "a/b/c/d", "a/b-x", "a/e", "top"} {
		e.put(p, `{"k":"v"}`)
	}
	e.lists("", secret.ListOptions{Recursive: true}, "a/b", "a/b-x", "a/b/c/d", "a/e", "top")
	e.lists("a", secret.ListOptions{Recursive: true}, "b", "b-x", "b/c/d", "e")
	e.lists("a/b", secret.ListOptions{Recursive: true}, "c/d")
}
