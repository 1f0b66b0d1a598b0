package secret_test

import (
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"pgregory.net/rapid"
)

func grammar() secret.Grammar {
	return secret.Grammar{Mounts: []string{"secret"}, Instances: []string{"openbao-prod", "hashicorp-eu-1"}}
}

func TestURIVectorsAccepted(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"U1", "OpenBao+KV2://secret/App/api#Token", "openbao+kv2://secret/App/api#Token"},
		{"U2", "openbao+kv2://secret/app/#t?version=3", "openbao+kv2://secret/app#t?version=3"},
		{"U3", "openbao+kv2://secret/a#k?z=1&a=2", "openbao+kv2://secret/a#k?a=2&z=1"},
		{"U4", "openbao+kv2://secret/a#", "openbao+kv2://secret/a"},
		{"U5", "openbao+kv2://secret/a?version=2#k", "openbao+kv2://secret/a#k?version=2"},
		{"U6", "vault+kv2://secret/a", "hashicorp+kv2://secret/a"},
		{"U7", "coffer+kv2://secret/app/api#token", "coffer+kv2://secret/app/api#token"},
		{"U7", "yaml://secret/env#MY_NEW", "yaml://secret/env#MY_NEW"},
		{"U7", "openbao://secret/a", "openbao://secret/a"},
		{"U8", "openbao-prod+kv2://secret/a", "openbao-prod+kv2://secret/a"},
		{"U8", "Vault-EU-1+kv2://secret/a", "hashicorp-eu-1+kv2://secret/a"},
		{"mount alone", "openbao+kv2://secret", "openbao+kv2://secret"},
		{"mount alone", "openbao+kv2://secret/", "openbao+kv2://secret"},
		{"escaped name", "coffer+kv2://secret/registry.example.eu~2Frepo", "coffer+kv2://secret/registry.example.eu~2Frepo"},
		{"empty pairs", "yaml://secret/a?&&b&=x&", "yaml://secret/a?=x&b="},
		{"leading zeros", "yaml://secret/a?version=007", "yaml://secret/a?version=7"},
		{"largest version", "yaml://secret/a?version=9223372036854775807", "yaml://secret/a?version=9223372036854775807"},
		{"fragment text", "yaml://secret/a#a/b ä://&=%2F", "yaml://secret/a#a/b ä://&=%2F"},
		{"longest fragment", "yaml://secret/a#" + strings.Repeat("f", 512), "yaml://secret/a#" + strings.Repeat("f", 512)},
	} {
		u, err := grammar().Parse(c.in)
		if err != nil || u.String() != c.want {
			t.Errorf("%s: %q gives %q, %v", c.name, c.in, u, err)
			continue
		}
		if again, err := grammar().Parse(c.want); err != nil || again.String() != c.want { // U19
			t.Errorf("U19: %q gives %q, %v", c.want, again, err)
		}
	}
}

func TestURIVectorsRefused(t *testing.T) {
	const a = "openbao+kv2://secret/a"
	for _, c := range []struct {
		name, code string
		in         []string
	}{
		{"U9", secret.IllegalSegment, []string{a + "#x#y", a + "?version=1#x#y"}},
		{"U10", secret.AmbiguousQuery, []string{a + "?version=1&version=1", a + "?version=1?x=2", a + "?mount=a&mount=b", a + "?=1&=2"}},
		{"U11", secret.DoubleMountSource, []string{a + "?mount=kv", a + "?version=x&mount=", "openbao+kv2://other/a?mount=kv"}},
		{"U12", secret.IllegalSegment, []string{"openbao+kv2://secret//a", "openbao+kv2:///secret/a", "openbao+kv2://", "openbao+kv2:///", "openbao+kv2://secret/app//"}},
		{"U13", secret.IllegalSegment, []string{
			a + "/../b", a + "..b", a + "%2Fb", a + "%2fb", a + " b", "openbao+kv2://secret/ä", a + "/.", a + "%20b", a + "+b", a + "\n",
			a + "#x\n", a + "?a=\x00", a + "\x7f", "openbao+kv2://sec\tret/a", a + `\b`, a + "/./b", a + "/*%2F", a + "//*",
		}},
		{"U14", secret.InvalidWildcard, []string{"openbao+kv2://secret/*/t", "openbao+kv2://secret/app/*", "openbao+kv2://secret/ap*", "openbao+kv2://secret/./*"}},
		{"U15", secret.UnsupportedEngine, []string{
			"yaml+kv2://secret/a", "aws://x/y", "openbao+kv9://secret/a", "openbao+kv1://secret/a", "openbao+://secret/a", "+kv2://secret/a",
			"openbao+kv2+kv2://secret/a", "openbao-test+kv2://secret/a", "openbao-+kv2://secret/a", "open bao+kv2://secret/a",
			"openbao+\u212Av2://secret/a", "openbao-prod\u212A+kv2://secret/a", "openbao+kv9://secret/../a",
		}},
		{"U16", secret.TenantMountMismatch, []string{"openbao+kv2://other/a", "openbao+kv2://Secret/a", "openbao+kv2://secret2/a", "openbao+kv2://secre/a"}},
		{"U17", secret.IllegalSegment, []string{"secret/a", "://secret/a", "db:credentials:0", "", "file:/etc/x", "db://secret/a", "file+kv2://secret/a", "#://secret/a"}},
		{"U18", secret.InvalidVersion, []string{a + "?version=0", a + "?version=-1", a + "?version=abc", a + "?version=1.0", a + "?version=", a + "?version=+1", a + "?version=9223372036854775808", a + "?version= 1"}},
		{"lengths", secret.IllegalSegment, []string{
			a + strings.Repeat("b", 2048), a + "#" + strings.Repeat("f", 513), "openbao+kv2://secret/" + strings.Repeat("s", 256),
			"openbao+kv2://secret/" + strings.Repeat("abcd/", 204) + "abcde", a + "#\xff", a + "#\u200b", a + "#\u0085",
		}},
		{"order", secret.IllegalSegment, []string{"x", "aws\x01://*", "zzz+kv9://a#x#y?b?c"}},
		{"order", secret.AmbiguousQuery, []string{"zzz://..?a?b"}},
	} {
		for _, in := range c.in {
			u, err := grammar().Parse(in)
			if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != c.code || !u.IsZero() {
				t.Errorf("%s: %q gives %q, %v (%s), want %s", c.name, in, u, err, fault.CodeOf(err), c.code)
			}
		}
	}
}

func TestURIZeroGrammarAllowsNothing(t *testing.T) {
	for _, in := range []string{"coffer+kv2://secret/a", "openbao-prod+kv2://secret/a", "coffer+kv2:///a"} {
		if u, err := (secret.Grammar{}).Parse(in); err == nil {
			t.Errorf("%q was accepted as %q", in, u)
		}
	}
	without := secret.Grammar{Mounts: []string{"secret"}}
	if _, err := without.Parse("openbao-prod+kv2://secret/a"); fault.CodeOf(err) != secret.UnsupportedEngine { // U8
		t.Errorf("an instance that is not configured: %v", err)
	}
}

func TestURIErrorsRepeatNothing(t *testing.T) {
	for _, in := range []string{
		"canary", "canary://secret/a", "openbao+canary://secret/a", "openbao+kv2://canary/a", "openbao+kv2://secret/canary*",
		"openbao+kv2://secret/canary//", "openbao+kv2://secret/a?version=canary", "openbao+kv2://secret/a?canary=1&canary=2",
		"openbao+kv2://secret/a#canary#", "openbao+kv2://secret/canary%2f",
	} {
		if _, err := grammar().Parse(in); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestURIParts(t *testing.T) {
	u, err := grammar().Parse("openbao-prod+kv2://secret/app/api#token?version=3&x=1")
	if err != nil {
		t.Fatal(err)
	}
	if u.Provider != "openbao-prod" || u.Engine != "kv2" || u.Scheme() != "openbao-prod+kv2" || u.Version != 3 || u.Fragment != "token" {
		t.Errorf("parts are %+v", u)
	}
	if ref := u.Ref("acme"); ref != (secret.Ref{Tenant: "acme", Mount: "secret", Path: "app/api"}) || ref.Key() != "secret/app/api" {
		t.Errorf("ref is %v", ref)
	}
	if got := u.At(9).String(); got != "openbao-prod+kv2://secret/app/api#token?version=9&x=1" {
		t.Errorf("pinned: %s", got)
	}
	u.Others = nil
	if got := u.Whole().String(); got != "openbao-prod+kv2://secret/app/api" {
		t.Errorf("whole: %s", got)
	}
	if u.Version != 3 || u.Fragment != "token" {
		t.Error("a derived URI changed the original")
	}
}

func TestURIStringIsIdempotent(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-z0-9._~-]{1,8}`)
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.SampledFrom([]string{"openbao+kv2", "Vault+KV2", "yaml", "coffer+kv2", "openbao-prod+kv2", "hashicorp"}).Draw(rt, "scheme") +
			"://secret/" + strings.Join(rapid.SliceOfN(word, 1, 4).Draw(rt, "path"), "/") +
			rapid.SampledFrom([]string{"", "/"}).Draw(rt, "slash")
		fragment := rapid.StringMatching(`(#[^#?]{0,10})?`).Draw(rt, "fragment")
		query := rapid.StringMatching(`(\?([a-z]{0,3}(=[a-z=]{0,3})?&?){0,3}(version=[1-9][0-9]{0,3})?)?`).Draw(rt, "query")
		if rapid.Bool().Draw(rt, "query first") {
			fragment, query = query, fragment
		}
		idempotent(rt, in+fragment+query)
	})
}

// fataler is the part of rapid.T and testing.T that a property needs.
type fataler interface{ Fatalf(string, ...any) }

func idempotent(t fataler, in string) {
	u, err := grammar().Parse(in)
	if err != nil {
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) == "" {
			t.Fatalf("%q: %v has no code", in, err)
		}
		return
	}
	canonical := u.String()
	again, err := grammar().Parse(canonical)
	if err != nil || again.String() != canonical {
		t.Fatalf("%q is rendered as %q, which gives %q, %v", in, canonical, again, err)
	}
	if u.Path != "" && u.Ref("a").Validate() != nil {
		t.Fatalf("%q names a record that no store accepts", in)
	}
}

func FuzzURI(f *testing.F) {
	for _, seed := range []string{
		"OpenBao+KV2://secret/App/api#Token", "yaml://secret/a?version=2#k", "vault+kv2://secret/a/", "openbao-prod+kv2://secret/~2F?z=1&a=",
		"openbao+\u212Av2://secret/a", "coffer+kv2://secret/%2e%2e/a", "://", "#?#",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) { idempotent(t, in) })
}
