package tenants

import (
	"errors"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

func TestFromClaim(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		nested      Nested
		claim, want string
	}{
		{NestedEncode, "acme", "acme"},
		{NestedEncode, "/acme", "acme"},
		{NestedEncode, "ACME", "ACME"},
		{NestedEncode, "7up._-", "7up._-"},
		{NestedEncode, long, long},
		{NestedEncode, "/org/team", "org~2Fteam"},
		{NestedEncode, "org~2Fteam", "org~2Fteam"},
		{"", "/org/team", "org~2Fteam"},
		{NestedReject, "/acme", "acme"},
		{NestedPath, "/org/team", "org/team"},
		{NestedEncode, "x/offline_access", "x~2Foffline_access"},
	} {
		if got, err := c.nested.FromClaim(c.claim); err != nil || got != c.want {
			t.Errorf("%q as %s: %q, %v, want %q", c.claim, c.nested, got, err, c.want)
		}
	}
}

// badNames are attacks: rule injection, wildcards, traversal, the identity provider's
// own roles, and names that only look alike.
func badNames() []string {
	return []string{
		"", "/", "//", "//acme", "+", "*", "a+", "a*", "a\"b", "a\nb", "a\x00b", "a b", " acme", "acme ", "acme/",
		"..", ".", ".a", "-x", "_x", "a/../b", "a//b", "a/./b", "a/+", "+/a", "a/*", "a%2Fb", "a%2fb", "%2e%2e", "a~b", "a~2fb",
		"~2Fa", "a~2F", "a~2F..~2Fb", `a\b`, "a#b", "a?b", "a{{b}}", "a$b", "a'b", "a;b", "caf\u00e9", "\u212aelvin", "acm\u0435", "a\u200bb", "\xff",
		"offline_access", "/offline_access", "OFFLINE_ACCESS", "uma_authorization", "default-roles-tmf", "Default-Roles-x", "default-roles-a/b",
		strings.Repeat("a", 64), strings.Repeat("a", 63) + "/" + strings.Repeat("b", 63), strings.Repeat("a/", 60) + "a",
	}
}

func TestFromClaimRefuses(t *testing.T) {
	for _, nested := range []Nested{NestedEncode, NestedReject, NestedPath} {
		for _, claim := range badNames() {
			name, err := nested.FromClaim(claim)
			if !errors.Is(err, fault.Invalid) || fault.CodeOf(err) != CodeBadGroup || name != "" {
				t.Errorf("%s: %q became %q, %v", nested, claim, name, err)
			}
		}
	}
	for nested, claim := range map[Nested]string{NestedReject: "/org/team", NestedPath: "org~2Fteam"} {
		if name, err := nested.FromClaim(claim); err == nil {
			t.Errorf("%s: %q became %q", nested, claim, name)
		}
	}
}

func TestPolicyName(t *testing.T) {
	for raw, want := range map[string]string{
		" Root": "root", "ROOT": "root", "Dev": "dev", "acme_policy": "acme_policy", "org~2Fteam_policy": "org~2fteam_policy", "\tp.1-x\n": "p.1-x",
	} {
		if got, ok := PolicyName(raw); !ok || got != want {
			t.Errorf("%q became %q, %v, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"", " ", "_x", ".x", "a b", "a/b", "a\"b", "a\x00", "caf\u00e9", "\u212a", "roo\u212a", "\u0130d", strings.Repeat("a", 129)} {
		if got, ok := PolicyName(raw); ok {
			t.Errorf("%q became %q", raw, got)
		}
	}
}

func TestFoldKeepsLookalikesApart(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		equal bool
	}{
		{"/ACME", "/acme", true}, {"\u00c9quipe", "\u00e9quipe", true}, {"\u212aelvin", "kelvin", false},
		{"\u0130d", "id", false}, {"\u017fales", "sales", false}, {"\xff", "\xfe", false}, {"\xff", "\ufffd", false},
	} {
		if got := fold(c.a) == fold(c.b); got != c.equal {
			t.Errorf("%q and %q: equal is %v", c.a, c.b, got)
		}
	}
}

// Whatever a claim holds, the policy made for it reaches the paths of that one group.
func FuzzFromClaim(f *testing.F) {
	for _, s := range append(badNames(), "acme", "/org/team", "org~2Fteam") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, claim string) {
		name, err := NestedEncode.FromClaim(claim)
		if err != nil {
			return
		}
		if again, err := NestedEncode.FromClaim(name); err != nil || again != name {
			t.Fatalf("%q is %q is %q, %v", claim, name, again, err)
		}
		if _, ok := PolicyName(PolicyOf(name)); !ok {
			t.Fatalf("%q has the illegal policy %q", claim, PolicyOf(name))
		}
		p, err := acl.Parse("p", Template{}.Text(name))
		if err != nil || !markedFor(Template{}.Text(name), name) {
			t.Fatalf("%q: %v", claim, err)
		}
		rules := acl.Compile(p)
		if !rules.Allows("secret/data/hypo/image-pull/"+name+"/x", acl.Read) {
			t.Fatalf("%q does not reach its own path", claim)
		}
		for _, other := range []string{"other-tenant", name + "x", "x" + name} {
			if rules.Allows("secret/data/hypo/image-pull/"+other+"/x", acl.Read) {
				t.Fatalf("%q reaches the path of %q", claim, other)
			}
		}
	})
}

func TestTemplate(t *testing.T) {
	p, err := acl.Parse("p", Template{}.Text("acme"))
	if err != nil {
		t.Fatal(err)
	}
	rules := acl.Compile(p)
	for _, c := range []struct {
		path string
		want string
	}{
		{"secret/data/hypo/image-pull/acme/x", "create,delete,patch,read,update"},
		{"secret/metadata/hypo/image-pull/acme/x", "delete,list,read"},
		{"secret/data/hypo/fabric-secret/acme/x", "create,delete,patch,read,update"},
		{"secret/data/hypo/service-order/acme/x", "read"},
		{"secret/metadata/hypo/service-order/acme/x", "list,read"},
		{"secret/data/hypo/image-pull/acme2/x", "deny"},
		{"secret/data/hypo/other/acme/x", "deny"},
	} {
		if got := rules.Capabilities(c.path).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	narrow := Template{Mount: "kv", Prefix: "p", Kinds: []string{"a"}, ReadKinds: []string{}}.Text("acme")
	if want := marker("acme") + "\n" +
		"path \"kv/data/p/a/acme/*\" { capabilities = [\"create\",\"read\",\"update\",\"patch\",\"delete\"] }\n" +
		"path \"kv/metadata/p/a/acme/*\" { capabilities = [\"read\",\"list\",\"delete\"] }\n"; narrow != want {
		t.Errorf("got %s", narrow)
	}
}
