package acl

import (
	"fmt"
	"strings"
	"testing"
)

// one builds an ACL from lines such as "secret/data/foo [read]"; each line is a
// policy of its own.
func one(t testing.TB, lines ...string) *ACL {
	t.Helper()
	var policies []*Policy
	for i, line := range lines {
		path, caps, _ := strings.Cut(line, " ")
		words := strings.Split(strings.Trim(caps, "[]"), ",")
		text := fmt.Sprintf("path %q { capabilities = [\"%s\"] }", path, strings.Join(words, `","`))
		p, err := Parse(fmt.Sprint("p", i), text)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		policies = append(policies, p)
	}
	return Compile(policies...)
}

func TestVectors(t *testing.T) {
	type ask struct {
		path string
		cap  Capability
		want bool
	}
	for _, c := range []struct {
		name  string
		rules []string
		asks  []ask
	}{
		{"A1", []string{"secret/data/foo [read]"}, []ask{
			{"secret/data/foo", Read, true}, {"secret/data/food", Read, false}, {"secret/data/foo/bar", Read, false}, {"secret/data/foo", Update, false}}},
		{"A2", []string{"secret/data/bar/* [read]"}, []ask{
			{"secret/data/bar/zip", Read, true}, {"secret/data/bar/zip/zap", Read, true}, {"secret/data/bars/zip", Read, false}, {"secret/data/bar", Read, false}}},
		{"A3", []string{"secret/data/zip-* [read]"}, []ask{
			{"secret/data/zip-zap", Read, true}, {"secret/data/zip-zap/zong", Read, true}, {"secret/data/zip/zap", Read, false}}},
		{"A4", []string{"secret/data/+/teamb [read]"}, []ask{
			{"secret/data/x/teamb", Read, true}, {"secret/data/x/y/teamb", Read, false}, {"secret/data/teamb", Read, false}}},
		{"A5", []string{"secret/data/hypo/*/acme/* [read]", "secret/data/hypo/*/acme/ [read]"}, []ask{
			{"secret/data/hypo/image-pull/acme/x", Read, false}}},
		{"A6", []string{"secret/data/hypo/+/acme/* [read]"}, []ask{
			{"secret/data/hypo/image-pull/acme/x", Read, true}, {"secret/data/hypo/image-pull/other/x", Read, false}}},
		{"A8 union", []string{"secret/data/x [read]", "secret/data/x [update]"}, []ask{
			{"secret/data/x", Read, true}, {"secret/data/x", Update, true}, {"secret/data/x", Read | Update, true}, {"secret/data/x", Delete, false}}},
		{"A8 deny", []string{"secret/data/x [read]", "secret/data/x [deny]"}, []ask{
			{"secret/data/x", Read, false}, {"secret/data/x", Deny, false}}},
		{"A8 deny first", []string{"secret/data/x [deny]", "secret/data/x [read]"}, []ask{{"secret/data/x", Read, false}}},
		{"A9", []string{"secret/* [read]", "secret/data/x [deny]"}, []ask{
			{"secret/data/y", Read, true}, {"secret/data/x", Read, false}}},
		{"A10", []string{"secret/* [read]", "secret/data/x [list]"}, []ask{{"secret/data/x", Read, false}}},
		{"A11", []string{"secret/* [read]", "secret/+/+/foo/* [deny]"}, []ask{{"secret/a/b/foo/c", Read, true}}},
		{"A12 bare", []string{"secret/metadata/t [list]"}, []ask{
			{"secret/metadata/t", List, true}, {"secret/metadata/t/", List, true}, {"secret/metadata/tt", List, false}, {"secret/metadata/t/", Read, false}}},
		{"A12 slash", []string{"secret/metadata/t/ [list]"}, []ask{{"secret/metadata/t", List, true}, {"secret/metadata/t/", List, true}}},
		{"A12 glob", []string{"secret/metadata/t/* [list,scan]"}, []ask{
			{"secret/metadata/t", List, true}, {"secret/metadata/t/", List, true}, {"secret/metadata/t", Scan, true}, {"secret/metadata/t", Read, false}}},
		{"deny beside others", []string{"secret/data/x [read,deny]"}, []ask{{"secret/data/x", Read, false}}},
		{"leading slash", []string{"/secret/data/x [read]"}, []ask{{"secret/data/x", Read, true}}},
		{"case", []string{"secret/data/App [read]"}, []ask{{"secret/data/app", Read, false}, {"secret/data/App", Read, true}}},
		{"literal plus", []string{"secret/data/a+b/c [read]", "secret/data/+x/* [read]"}, []ask{
			{"secret/data/axb/c", Read, false}, {"secret/data/a+b/c", Read, true}, {"secret/data/yx/z", Read, false}}},
		{"no rules", nil, []ask{{"secret/data/x", Read, false}, {"", Read, false}, {"secret/data", List, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := one(t, c.rules...)
			for _, q := range c.asks {
				if got := a.Allows(q.path, q.cap); got != q.want {
					t.Errorf("%s on %q: %v, want %v", q.cap, q.path, got, q.want)
				}
			}
		})
	}
}

func TestPriority(t *testing.T) {
	const path = "secret/data/bar/baz/qux"
	for _, c := range []struct{ name, winner, loser string }{
		{"exact over all", "secret/data/bar/baz/qux", "secret/data/bar/baz/qu*"},
		{"later wildcard", "secret/data/bar/+/qux", "secret/data/+/baz/qux"},
		{"later glob", "secret/data/bar/b*", "secret/data/bar/+/qux"},
		{"no glob", "secret/data/bar/+/qux", "secret/data/bar/+/qu*"},
		{"no glob at one place", "secret/data/bar/+/qux", "secret/data/bar/*"},
		{"fewer plus", "secret/data/+/baz/qux", "secret/data/+/+/qux"},
		{"fewer plus before length", "secret/data/+/*", "secret/data/+/+/qu*"},
		{"longer", "secret/data/+/baz/qu*", "secret/data/+/baz/q*"},
		{"lexically greater", "secret/data/+/baz/+", "secret/data/+/+/qux"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, order := range [][]string{{c.winner + " [read]", c.loser + " [deny]"}, {c.loser + " [deny]", c.winner + " [read]"}} {
				if !one(t, order...).Allows(path, Read) {
					t.Errorf("%s lost to %s", c.winner, c.loser)
				}
			}
		})
	}
}

func TestListOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []string
		want  Capability
	}{
		{"exact with slash first", []string{"secret/metadata/t/ [list]", "secret/metadata/t [deny]"}, List},
		{"exact without before patterns", []string{"secret/metadata/t [list]", "secret/metadata/t/* [deny]"}, List},
		{"patterns with before without", []string{"secret/metadata/t/* [list]", "secret/metadata/+ [deny]"}, List},
		{"patterns without at last", []string{"secret/metadata/+ [list]"}, List},
		{"nothing", []string{"secret/metadata/other/* [list]"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := one(t, c.rules...)
			for _, path := range []string{"secret/metadata/t", "secret/metadata/t/"} {
				if got := a.List(path); got != c.want {
					t.Errorf("List(%q) = %s, want %s", path, got, c.want)
				}
			}
		})
	}
}

func TestReadingIgnoresTheSlashRule(t *testing.T) {
	a := one(t, "secret/metadata/t/ [read,list]")
	if a.Allows("secret/metadata/t", Read) {
		t.Error("read of the bare path took the folder's rule")
	}
}

func TestZeroACLRefuses(t *testing.T) {
	var nobody *ACL
	for _, a := range []*ACL{nobody, {}, Compile(), Compile(nil)} {
		if a.Allows("secret/data/x", Read) || a.Allows("secret/metadata/", List) || a.Capabilities("") != 0 {
			t.Error("an empty ACL grants something")
		}
	}
}

func TestRulesOfOnePolicyUnite(t *testing.T) {
	p, err := Parse("p", `path "a" { capabilities = ["read"] } path "/a" { capabilities = ["list"] }`)
	if err != nil {
		t.Fatal(err)
	}
	if got := Compile(p).Capabilities("a"); got != Read|List {
		t.Errorf("got %s", got)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		set  Capability
		want string
	}{
		{0, "deny"}, {Deny, "deny"}, {Deny | Read, "deny"}, {Read | Create, "create,read"},
		{Every, "create,delete,list,patch,read,scan,sudo,update"},
	} {
		if got := c.set.String(); got != c.want {
			t.Errorf("%d: %s, want %s", c.set, got, c.want)
		}
	}
}

// large is a thousand rules as tenants have them, and as many of one head.
func large(tb testing.TB) (tenants, onehead *ACL) {
	var a, b []string
	for i := range 500 {
		a = append(a, fmt.Sprintf("secret/data/hypo/image-pull/tenant-%d/* [read]", i), fmt.Sprintf("secret/data/hypo/+/tenant-%d/* [read]", i))
		b = append(b, fmt.Sprintf("secret/data/+/team-%d/* [read]", i), fmt.Sprintf("secret/data/+/team-%d [list]", i))
	}
	return one(tb, a...), one(tb, b...)
}

func BenchmarkCapabilities(b *testing.B) {
	tenants, onehead := large(b)
	for _, c := range []struct {
		name, path string
		acl        *ACL
	}{
		{"prefix of 1000", "secret/data/hypo/image-pull/tenant-250/x", tenants},
		{"plus of 1000", "secret/data/hypo/kubeconfig/tenant-250/x", tenants},
		{"no match of 1000", "secret/data/hypo/kubeconfig/tenant-999/x", tenants},
		{"one head, no match", "secret/data/x/team-999/y", onehead},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.acl.Capabilities(c.path)
			}
		})
	}
}
