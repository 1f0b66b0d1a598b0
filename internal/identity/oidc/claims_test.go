package oidc

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

func TestC44Audience(t *testing.T) {
	k := newES256(t, "k1")
	own := localIssuer("https://own.example", "own", k)
	own.Audiences = []string{"account"}
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k), own}})
	tests := map[string]struct {
		iss string
		aud any
		ok  bool
	}{
		"absent":              {testIssuer, nil, true},
		"text":                {testIssuer, "crud.secrets", true},
		"list with it":        {testIssuer, []string{"other", "crud.secrets"}, true},
		"other":               {testIssuer, []string{"other"}, false},
		"other text":          {testIssuer, "other", false},
		"empty list":          {testIssuer, []string{}, false},
		"empty text":          {testIssuer, "", false},
		"null":                {testIssuer, json.RawMessage("null"), false},
		"number":              {testIssuer, 7, false},
		"object":              {testIssuer, claims{"crud.secrets": true}, false},
		"another case":        {testIssuer, "CRUD.secrets", false},
		"with a suffix":       {testIssuer, "crud.secrets.evil", false},
		"issuer's own":        {own.URL, "account", true},
		"not the issuer's":    {own.URL, "crud.secrets", false},
		"another issuer's":    {testIssuer, "account", false},
		"text of two":         {testIssuer, "crud.secrets other", false},
		"list inside a list":  {testIssuer, []any{[]string{"crud.secrets"}}, false},
		"issuer's own absent": {own.URL, nil, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token := k.sign(t, goodClaims(test.iss).with(claims{"aud": test.aud}), nil)
			for range 2 { // the second time from memory
				if test.ok {
					accept(t, a, bearer(token))
				} else {
					reject(t, a, bearer(token), fault.Forbidden, identity.CodeAudience)
				}
			}
		})
	}
}

func TestC51AWrongAudienceDoesNotHarmTheSubject(t *testing.T) {
	k := newES256(t, "k1")
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	wrong := k.sign(t, goodClaims(testIssuer).with(claims{"aud": "other"}), nil)
	for range 50 {
		reject(t, a, bearer(wrong), fault.Forbidden, identity.CodeAudience)
	}
	accept(t, a, bearer(k.sign(t, goodClaims(testIssuer), nil)))
}

func TestDoorsHaveTheirOwnRules(t *testing.T) {
	k := newES256(t, "k1")
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	token := bearer(k.sign(t, goodClaims(testIssuer).with(claims{"aud": "account"}), nil))
	reject(t, a, token, fault.Forbidden, identity.CodeAudience)
	accept(t, a.For(Rules{Audiences: []string{"x", "account"}}), token)
	accept(t, a.For(Rules{AnyAudience: true}), token)
	reject(t, a.For(Rules{}), token, fault.Forbidden, identity.CodeAudience)

	clock.Add(time.Hour)
	reject(t, a.For(Rules{AnyAudience: true}), token, fault.Unauthenticated, identity.CodeUnauthenticated)
	accept(t, a.For(Rules{AnyAudience: true, ExpiryLeeway: time.Second}), token)
	clock.Add(time.Minute)
	reject(t, a.For(Rules{AnyAudience: true, ExpiryLeeway: time.Hour}), token, fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestPrincipalOfAToken(t *testing.T) {
	k := newES256(t, "k1")
	a := newAuthenticator(t, newFakeClock(), Config{Tenant: "acme", Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	p := accept(t, a, bearer(k.sign(t, goodClaims(testIssuer).with(claims{
		"preferred_username": "al", "name": "Alice", "azp": "web", "client_id": "api",
		"groups": []string{"/acme", "b"}, "realm_access": claims{"roles": []any{"admin", 7, "terminal"}},
		"act": claims{"sub": "proxy", "act": claims{"sub": "older"}},
	}), nil)))
	want := identity.Principal{
		Tenant: "acme", Subject: "auth:account:idp:alice", ID: "alice", Name: "al",
		Groups: []string{"/acme", "b"}, Roles: []string{"admin", "terminal"},
		Scopes: []string{"secrets.read", "secrets.write"}, Issuer: testIssuer, ClientID: "web",
		Audience: []string{"crud.secrets"}, TokenID: "t1", Expires: testNow().Add(time.Hour),
		Act: "auth:account:idp:proxy",
	}
	got, _ := json.Marshal(p)
	expected, _ := json.Marshal(want)
	if string(got) != string(expected) {
		t.Errorf("got  %s\nwant %s", got, expected)
	}
}

func TestNameFallsBack(t *testing.T) {
	k := newES256(t, "k1")
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	for want, change := range map[string]claims{
		"Alice": {"name": "Alice", "preferred_username": ""},
		"alice": {"name": 7},
	} {
		if p := accept(t, a, bearer(k.sign(t, goodClaims(testIssuer).with(change), nil))); p.Name != want {
			t.Errorf("got %s, want %s", p.Name, want)
		}
	}
}

func TestGroupsKeepTheirPlaces(t *testing.T) {
	for claim, want := range map[string][]string{
		`["a","b"]`:     {"a", "b"},
		`"a"`:           {"a"},
		`"a b"`:         {"a b"},
		`[]`:            {},
		`null`:          nil,
		`""`:            {""},
		`[7,"a"]`:       {"", "a"}, // the first group selects a tenant: "a" must not move up
		`[["x"],"a"]`:   {"", "a"},
		`[null]`:        {""},
		`7`:             {""},
		`{"a":true}`:    {""},
		`["\u002b"]`:    {"+"},
		`["/org/team"]`: {"/org/team"},
	} {
		o := object{"groups": json.RawMessage(claim)}
		got := o.texts("groups", keepPlace)
		if !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s: got %q, want %q", claim, got, want)
		}
	}
	if got := (object{}).texts("groups", keepPlace); got != nil {
		t.Errorf("absent: got %q", got)
	}
}

func TestClaimPaths(t *testing.T) {
	o := decodeObject([]byte(`{"realm_access":{"roles":["r"]},"https://x.example/groups":["g"],"a.b":["flat"],"a":{"b":["deep"]},"t":"x"}`))
	for path, want := range map[string][]string{
		"realm_access.roles":       {"r"},
		"https://x.example/groups": {"g"},
		"a.b":                      {"flat"},
		"realm_access.none":        nil,
		"t.x":                      nil,
		"none":                     nil,
	} {
		if got := o.texts(path, dropOthers); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	for claim, want := range map[string][]string{
		`{"scope":"a  b"}`:          {"a", "b"},
		`{"scope":""}`:              {},
		`{"scp":"a b"}`:             {"a", "b"},
		`{"scp":["a","b"]}`:         {"a", "b"},
		`{"scp":["a",7]}`:           {"a"},
		`{"scope":"a","scp":["b"]}`: {"a"},
		`{"scope":7,"scp":["b"]}`:   {"b"},
		`{}`:                        nil,
	} {
		if got := decodeObject([]byte(claim)).scopes(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", claim, got, want)
		}
	}
}
