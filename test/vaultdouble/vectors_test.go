package vaultdouble_test

import (
	"fmt"
	"strings"
	"testing"
)

// vector is one of the cases A1 to A12: rules, and what they allow a token that has them.
type vector struct {
	name  string
	rules []string            // "path: capability,capability"
	want  map[string][]string // path -> capabilities, "deny" for none
}

func vectors() []vector {
	deny, read := []string{"deny"}, []string{"read"}
	return []vector{
		{"A1", []string{"secret/data/foo: read"}, map[string][]string{
			"secret/data/foo": read, "secret/data/food": deny, "secret/data/foo/bar": deny}},
		{"A2", []string{"secret/data/bar/*: read"}, map[string][]string{
			"secret/data/bar/zip": read, "secret/data/bar/zip/zap": read, "secret/data/bars/zip": deny, "secret/data/bar": deny}},
		{"A3", []string{"secret/data/zip-*: read"}, map[string][]string{
			"secret/data/zip-zap": read, "secret/data/zip-zap/zong": read, "secret/data/zip/zap": deny}},
		{"A4", []string{"secret/data/+/teamb: read"}, map[string][]string{
			"secret/data/x/teamb": read, "secret/data/x/y/teamb": deny}},
		{"A5", []string{"secret/data/hypo/*/acme/*: read"}, map[string][]string{"secret/data/hypo/image-pull/acme/x": deny}},
		{"A6", []string{"secret/data/hypo/+/acme/*: read"}, map[string][]string{"secret/data/hypo/image-pull/acme/x": read}},
		{"A8_union", []string{"secret/data/x: read", "secret/data/x: update"}, map[string][]string{"secret/data/x": {"read", "update"}}},
		{"A8_deny", []string{"secret/data/x: read", "secret/data/x: deny"}, map[string][]string{"secret/data/x": deny}},
		{"A9", []string{"secret/*: read", "secret/data/x: deny"}, map[string][]string{"secret/data/y": read, "secret/data/x": deny}},
		{"A10", []string{"secret/*: read", "secret/data/x: list"}, map[string][]string{"secret/data/x": {"list"}}},
		{"A11", []string{"secret/*: read", "secret/+/+/foo/*: deny"}, map[string][]string{"secret/a/b/foo/c": read}},
		{"A12_bare", []string{"secret/metadata/t: list"}, map[string][]string{"secret/metadata/t/": {"list"}}},
		{"A12_slash", []string{"secret/metadata/t/: list"}, map[string][]string{"secret/metadata/t/": {"list"}}},
		{"A12_star", []string{"secret/metadata/t/*: list"}, map[string][]string{"secret/metadata/t/": {"list"}}},
	}
}

// text writes rules as HCL.
func text(rules []string) string {
	var b strings.Builder
	for _, r := range rules {
		path, capabilities, _ := strings.Cut(r, ": ")
		fmt.Fprintf(&b, "path %q { capabilities = [\"%s\"] }\n", path, strings.ReplaceAll(capabilities, ",", `","`))
	}
	return b.String()
}

// Each vector is asked about right after its rules replaced those of the one before,
// and what may be read and listed is also tried.
func TestE34_vectors(t *testing.T) {
	each(t, func(w *world) {
		for _, v := range vectors() {
			w.run(put("dev", text(v.rules), 204, ""))
			for path, want := range v.want {
				shown := `["` + strings.Join(want, `","`) + `"]`
				members := fmt.Sprintf(`"capabilities":%s,%q:%s`, shown, path, shown)
				w.run(call{do: "POST sys/capabilities-self", token: "dev", body: `{"paths":["` + path + `"]}`, status: 200, want: lifted(members)})
				w.try(path, want)
			}
		}
	})
}

// try reads a path, or lists a folder, with a token that may do just this.
func (w *world) try(path string, capabilities []string) {
	w.Helper()
	method, needs := "GET ", "read"
	if strings.HasSuffix(path, "/") {
		method, needs = "LIST ", "list"
	}
	if !strings.HasPrefix(path, "secret/data/") && method == "GET " {
		return // no path of a versioned mount
	}
	c := call{do: method + strings.TrimSuffix(path, "/"), token: "dev", status: 403, want: denied()}
	for _, have := range capabilities {
		if have == needs {
			c.status, c.want = 404, notFound
		}
	}
	w.run(c)
}

// Policies in several names unite as several rules in one do.
func TestE34_A8_over_several_policies(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			put("first", text([]string{"secret/data/x: read"}), 204, ""),
			put("second", text([]string{"secret/data/x: update"}), 204, ""),
			group(`{"name":"acme","type":"external","policies":"first,second,never-written"}`, 200, created(1, "acme")),
			alias(`{"name":"/acme","canonical_id":"{1}"}`, 200, data(`{"canonical_id":"{1}","id":"{2}"}`)),
			self(`["read","update"]`),
			put("second", text([]string{"secret/data/x: deny"}), 204, ""),
			self(`["deny"]`),
			call{do: "DELETE sys/policies/acl/second", status: 204},
			self(`["read"]`),
		)
	})
}

// self asks what a member may do on secret/data/x.
func self(shown string) call {
	return call{do: "POST sys/capabilities-self", token: "member", body: `{"paths":["secret/data/x"]}`, status: 200,
		want: lifted(`"capabilities":` + shown + `,"secret/data/x":` + shown)}
}
