package oidc

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// FuzzAuthenticate sends anything as a token. Nothing but the seeds signed by the
// issuer may be accepted, and every refusal must be one that a door can answer.
func FuzzAuthenticate(f *testing.F) {
	k := newES256(f, "k1")
	a := newAuthenticator(f, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	good := k.sign(f, goodClaims(testIssuer), nil)
	f.Add(good, "")
	f.Add(newES256(f, "k1").sign(f, goodClaims(testIssuer), nil), good)
	f.Add(encode(`{"alg":"none"}`)+"."+encode(`{"iss":"`+testIssuer+`"}`)+".x", "a.b.c")
	f.Add("ey.ey.ey", "internal")
	f.Add(encode(strings.Repeat("[", 100))+".e.e", "..")
	f.Fuzz(func(t *testing.T, token, proof string) {
		p, err := a.Authenticate(context.Background(), identity.Credentials{
			Bearer: token, Proof: proof, Method: "GET", URL: testTarget,
		})
		if err == nil {
			if token != good || p.Subject != "auth:account:idp:alice" {
				t.Fatalf("accepted as %s", p.Subject)
			}
			return
		}
		if kind := fault.KindOf(err); kind != fault.Unauthenticated && kind != fault.Forbidden {
			t.Fatalf("got %v", err)
		}
	})
}

// FuzzSignedClaims signs anything: an issuer that is believed still cannot break us,
// nor make a caller without a name.
func FuzzSignedClaims(f *testing.F) {
	k := newEd(f, "k1")
	a := newAuthenticator(f, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	good, err := json.Marshal(goodClaims(testIssuer))
	must(f, err)
	f.Add(good)
	f.Add([]byte(`{"iss":"` + testIssuer + `","exp":1e99,"sub":"a"}`))
	f.Add([]byte(`{"iss":"` + testIssuer + `","exp":1900000000,"sub":"a","groups":[[]],"aud":{},"cnf":null,"act":[]}`))
	f.Add([]byte(`{"iss":"` + testIssuer + `","exp":1900000000,"sub":"a","realm_access":{"roles":{"x":1}},"scp":7}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := a.Authenticate(context.Background(), bearer(k.sign(t, payload, nil)))
		if err != nil {
			return
		}
		if p.ID == "" || !strings.HasPrefix(p.Subject, "auth:account:idp:") || p.Expires.IsZero() || p.Name == "" {
			t.Fatalf("accepted as %+v", p)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	jwk, err := newES256(f, "k1").jwk().MarshalJSON()
	must(f, err)
	f.Add([]byte(`{"keys":[` + string(jwk) + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := parseKeys(document)
		if err != nil && keys != nil {
			t.Fatal("keys of a document that is refused")
		}
		for _, k := range keys {
			if algorithmsOf(k.public) == nil || k.thumbprint == "" {
				t.Fatalf("a key that fits no algorithm: %+v", k)
			}
		}
	})
}

// The canary stands in every place of a credential where an attacker or a careless
// client could have put something that must not be repeated.
const canary = "CANARY-3f9a"

func TestNoErrorRepeatsACredential(t *testing.T) {
	k := newES256(t, "k1")
	named := newES256(t, canary)
	f := newFakeServer(t, map[string]any{canary: claims{"active": true, "sub": canary, "aud": canary}})
	a := newAuthenticator(t, newFakeClock(), Config{
		Introspection: f.config(t), Issuers: []Issuer{localIssuer(testIssuer, "idp", k)},
	})
	good := goodClaims(testIssuer)
	bound := k.sign(t, good.with(claims{"cnf": claims{"jkt": canary}}), nil)
	credentials := map[string]identity.Credentials{
		"opaque":            bearer(canary),
		"opaque, unknown":   bearer(canary + "x"),
		"kid":               bearer(named.sign(t, good, nil)),
		"alg":               bearer(encode(`{"alg":"`+canary+`"}`) + "." + encode(`{"iss":"x"}`) + ".x"),
		"kid of wrong type": bearer(encode(`{"alg":"ES256","kid":["`+canary+`"]}`) + "." + encode(`{}`) + ".x"),
		"typ":               bearer(k.sign(t, good, map[jose.HeaderKey]any{"typ": canary})),
		"x5c":               bearer(k.sign(t, good, map[jose.HeaderKey]any{"x5c": []string{canary}})),
		"jwk":               bearer(k.sign(t, good, map[jose.HeaderKey]any{"jwk": canary})),
		"iss":               bearer(k.sign(t, good.with(claims{"iss": canary}), nil)),
		"aud":               bearer(k.sign(t, good.with(claims{"aud": canary}), nil)),
		"exp":               bearer(k.sign(t, good.with(claims{"exp": canary}), nil)),
		"sub":               bearer(k.sign(t, good.with(claims{"sub": canary + "\n"}), nil)),
		"cnf":               bearer(k.sign(t, good.with(claims{"cnf": claims{canary: canary}}), nil)),
		"act":               bearer(k.sign(t, good.with(claims{"act": canary}), nil)),
		"claims":            bearer("eyJhbGciOiJFUzI1NiJ9." + encode(canary) + ".x"),
		"signature":         bearer("eyJhbGciOiJFUzI1NiJ9.e30." + canary),
		"session":           {Session: canary + "y"},
		"CSRF":              {Session: k.sign(t, good, nil), Mutation: true, CSRFHeader: canary, CSRFCookie: canary + "z"},
		"proof":             {Bearer: bound, Proof: canary},
		"proof's claims":    {Bearer: bound, Proof: proofs{key: k, token: bound}.make(t, claims{"jti": canary, "htu": canary}, nil)},
		"address":           {Bearer: bound, Method: canary, URL: "https://" + canary},
		"certificate":       {Client: &x509.Certificate{Raw: []byte(canary)}},
	}
	for name, c := range credentials {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(context.Background(), c)
			if err == nil {
				t.Fatal("accepted")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				text := fmt.Sprintf("%v %+v", e, e)
				if strings.Contains(text, canary) || c.Bearer != "" && strings.Contains(text, c.Bearer) {
					t.Errorf("%q repeats the credential", text)
				}
			}
		})
	}
}
