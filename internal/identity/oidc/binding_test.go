package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

const testTarget = "https://coffer.example/api/secrets"

// proofs makes DPoP proofs for one token.
type proofs struct {
	key   signingKey
	token string
}

func (p proofs) claims() claims {
	sum := sha256.Sum256([]byte(p.token))
	return claims{
		"jti": "p1", "htm": "GET", "htu": testTarget, "iat": testNow().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
}

func (p proofs) make(t testing.TB, payload claims, header map[jose.HeaderKey]any) string {
	t.Helper()
	jwk := p.key.jwk()
	jwk.KeyID, jwk.Use = "", ""
	full := map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jwk}
	for name, value := range header {
		full[name] = value
	}
	return p.key.sign(t, payload, full)
}

func (p proofs) request(proof string) identity.Credentials {
	return identity.Credentials{Bearer: p.token, Proof: proof, Method: "GET", URL: testTarget}
}

func thumbprint(t testing.TB, k signingKey) string {
	t.Helper()
	text, ok := thumbprintOf(k.jwk())
	if !ok {
		t.Fatal("no thumbprint")
	}
	return text
}

// boundToken gives an authenticator and a token bound to a fresh key.
func boundToken(t testing.TB, clock *fakeClock, config Config) (*Authenticator, proofs) {
	t.Helper()
	k, holder := newES256(t, "k1"), newES256(t, "")
	config.Issuers = []Issuer{localIssuer(testIssuer, "idp", k)}
	token := k.sign(t, goodClaims(testIssuer).with(claims{"cnf": claims{"jkt": thumbprint(t, holder)}, "typ": "DPoP"}), nil)
	return newAuthenticator(t, clock, config), proofs{key: holder, token: token}
}

func TestProofOfPossession(t *testing.T) {
	a, p := boundToken(t, newFakeClock(), Config{})
	in := func(d time.Duration) int64 { return testNow().Add(d).Unix() }
	tests := map[string]struct {
		claims claims
		header map[jose.HeaderKey]any
		ok     bool
	}{
		"good":                      {claims{}, nil, true},
		"typ in capitals":           {claims{}, map[jose.HeaderKey]any{"typ": "DPoP+JWT"}, true},
		"address with query":        {claims{"htu": testTarget + "?uri=x#y"}, nil, true},
		"address in capitals":       {claims{"htu": "HTTPS://COFFER.example:443/api/secrets"}, nil, true},
		"made 299 s ago":            {claims{"iat": in(-299 * time.Second)}, nil, true},
		"made in 60 s":              {claims{"iat": in(60 * time.Second)}, nil, true},
		"typ of a token":            {claims{}, map[jose.HeaderKey]any{"typ": "JWT"}, false},
		"method of another request": {claims{"htm": "POST"}, nil, false},
		"method in small letters":   {claims{"htm": "get"}, nil, false},
		"no method":                 {claims{"htm": nil}, nil, false},
		"path of another request":   {claims{"htu": "https://coffer.example/api/secrets/value"}, nil, false},
		"path in capitals":          {claims{"htu": "https://coffer.example/API/secrets"}, nil, false},
		"another host":              {claims{"htu": "https://evil.example/api/secrets"}, nil, false},
		"another port":              {claims{"htu": "https://coffer.example:8443/api/secrets"}, nil, false},
		"another scheme":            {claims{"htu": "http://coffer.example/api/secrets"}, nil, false},
		"host of the userinfo":      {claims{"htu": "https://coffer.example@evil.example/api/secrets"}, nil, false},
		"no address":                {claims{"htu": nil}, nil, false},
		"path alone":                {claims{"htu": "/api/secrets"}, nil, false},
		"made 300 s ago":            {claims{"iat": in(-300 * time.Second)}, nil, false},
		"made in 61 s":              {claims{"iat": in(61 * time.Second)}, nil, false},
		"no iat":                    {claims{"iat": nil}, nil, false},
		"iat as text":               {claims{"iat": "now"}, nil, false},
		"token of another":          {claims{"ath": encode("x")}, nil, false},
		"no token":                  {claims{"ath": nil}, nil, false},
		"no jti":                    {claims{"jti": nil}, nil, false},
		"jti as a number":           {claims{"jti": 7}, nil, false},
		"jti of 257":                {claims{"jti": strings.Repeat("j", 257)}, nil, false},
		"critical extension":        {claims{}, map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}, false},
		"key that is no key":        {claims{}, map[jose.HeaderKey]any{"jwk": "x"}, false},
		"key of another":            {claims{}, map[jose.HeaderKey]any{"jwk": newES256(t, "").jwk()}, false},
		"key with its private part": {claims{}, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: p.key.private}}, false},
		"key for another algorithm": {claims{}, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: p.key.private.Public(), Algorithm: "ES384"}}, false},
		"too large":                 {claims{"x": strings.Repeat("x", maxProof)}, nil, false},
		"nested beyond all limits":  {claims{"x": json.RawMessage(strings.Repeat("[", 2000) + strings.Repeat("]", 2000))}, nil, false},
	}
	n := 0
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n++
			payload := p.claims().with(claims{"jti": fmt.Sprint("p-", n)}).with(test.claims)
			c := p.request(p.make(t, payload, test.header))
			if test.ok {
				if got := accept(t, a, c); got.Binding.JKT != thumbprint(t, p.key) {
					t.Errorf("got binding %s", got.Binding)
				}
				return
			}
			reject(t, a, c, fault.Unauthenticated, identity.CodeBinding)
		})
	}
}

func TestABoundTokenIsNothingWithoutItsKey(t *testing.T) {
	a, p := boundToken(t, newFakeClock(), Config{})
	accept(t, a, p.request(p.make(t, p.claims(), nil))) // now the token is remembered
	thief := proofs{key: newES256(t, ""), token: p.token}
	for name, proof := range map[string]string{
		"no proof":            "",
		"the token itself":    p.token,
		"signed by the thief": thief.make(t, p.claims().with(claims{"jti": "x"}), nil),
		"thief's signature, holder's key": thief.make(t, p.claims().with(claims{"jti": "y"}),
			map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: p.key.private.Public()}}),
		"alg none": encode(`{"typ":"dpop+jwt","alg":"none"}`) + "." + encode(`{}`) + ".x",
		"garbage":  "x.y.z",
	} {
		t.Run(name, func(t *testing.T) {
			reject(t, a, p.request(proof), fault.Unauthenticated, identity.CodeBinding)
		})
	}
}

func TestAProofIsUsedOnce(t *testing.T) {
	clock := newFakeClock()
	a, p := boundToken(t, clock, Config{})
	c := p.request(p.make(t, p.claims(), nil))
	accept(t, a, c)
	reject(t, a, c, fault.Forbidden, identity.CodeReplay)
	clock.Add(DefaultProofWindow - time.Second)
	reject(t, a, c, fault.Forbidden, identity.CodeReplay)
	clock.Add(time.Second)
	reject(t, a, c, fault.Unauthenticated, identity.CodeBinding) // no longer fresh

	another := p.claims().with(claims{"jti": "p2", "iat": clock.Now().Unix()})
	accept(t, a, p.request(p.make(t, another, nil)))
	again := another.with(claims{"iat": clock.Now().Unix() - 1})
	reject(t, a, p.request(p.make(t, again, nil)), fault.Forbidden, identity.CodeReplay) // by its jti
}

func TestAFailedProofDoesNotUseItsNameUp(t *testing.T) {
	a, p := boundToken(t, newFakeClock(), Config{})
	reject(t, a, p.request(p.make(t, p.claims().with(claims{"htm": "PUT"}), nil)), fault.Unauthenticated, identity.CodeBinding)
	accept(t, a, p.request(p.make(t, p.claims(), nil)))
}

func TestOfConcurrentProofsOneWins(t *testing.T) {
	a, p := boundToken(t, newFakeClock(), Config{})
	c := p.request(p.make(t, p.claims(), nil))
	var won, replayed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			_, err := a.Authenticate(context.Background(), c)
			if err == nil {
				won.Add(1)
			} else if fault.CodeOf(err) == identity.CodeReplay {
				replayed.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || replayed.Load() != 63 {
		t.Errorf("%d won and %d were replays", won.Load(), replayed.Load())
	}
}

func TestProofsMayBeReusedWhenConfiguredSo(t *testing.T) {
	a, p := boundToken(t, newFakeClock(), Config{ReuseProofs: true})
	c := p.request(p.make(t, p.claims(), nil))
	accept(t, a, c)
	accept(t, a, c)
	reject(t, a, p.request(""), fault.Unauthenticated, identity.CodeBinding)
}

func TestTheMemoryOfProofsFailsClosed(t *testing.T) {
	clock := newFakeClock()
	a, p := boundToken(t, clock, Config{ReplaySize: 2})
	use := func(jti string) identity.Credentials {
		return p.request(p.make(t, p.claims().with(claims{"jti": jti, "iat": clock.Now().Unix()}), nil))
	}
	first := use("a")
	accept(t, a, first)
	accept(t, a, use("b"))
	reject(t, a, use("c"), fault.Unavailable, "")
	reject(t, a, first, fault.Forbidden, identity.CodeReplay)
	clock.Add(DefaultProofWindow + bucketWidth)
	accept(t, a, use("c"))
}

func TestForgottenProofsMakeRoom(t *testing.T) {
	clock := newFakeClock()
	memory := newProcessReplay(10, clock.Now)
	for i := range 1000 {
		id := sha256.Sum256(fmt.Append(nil, i))
		first, err := memory.Use(context.Background(), id, clock.Now().Add(10*time.Second))
		if err != nil || !first {
			t.Fatalf("proof %d: %v, %v", i, first, err)
		}
		clock.Add(bucketWidth)
	}
	if len(memory.buckets) > 3 {
		t.Errorf("%d buckets are kept", len(memory.buckets))
	}
}

type brokenMemory struct{ err error }

func (b brokenMemory) Use(context.Context, [32]byte, time.Time) (bool, error) { return true, b.err }

func TestAMemoryThatFailsRefuses(t *testing.T) {
	a, p := boundToken(t, newFakeClock(), Config{Replay: brokenMemory{err: errors.New("disk")}})
	reject(t, a, p.request(p.make(t, p.claims(), nil)), fault.Unavailable, "")
}

func TestCertificateBoundToken(t *testing.T) {
	k := newES256(t, "k1")
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	mine, other := &x509.Certificate{Raw: []byte("mine")}, &x509.Certificate{Raw: []byte("other")}
	token := k.sign(t, goodClaims(testIssuer).with(claims{"cnf": claims{"x5t#S256": identity.Thumbprint(mine)}}), nil)
	p := accept(t, a, identity.Credentials{Bearer: token, Client: mine})
	if p.Binding.Thumbprint != identity.Thumbprint(mine) {
		t.Errorf("got %s", p.Binding)
	}
	reject(t, a, identity.Credentials{Bearer: token, Client: other}, fault.Unauthenticated, identity.CodeBinding)
	reject(t, a, identity.Credentials{Bearer: token}, fault.Unauthenticated, identity.CodeBinding)

	both := k.sign(t, goodClaims(testIssuer).with(claims{"cnf": claims{
		"x5t#S256": identity.Thumbprint(mine), "jkt": thumbprint(t, newES256(t, "")),
	}}), nil)
	reject(t, a, identity.Credentials{Bearer: both, Client: mine}, fault.Unauthenticated, identity.CodeBinding)
}

func TestAnUnboundTokenIsNotBoundByWhatComesWithIt(t *testing.T) {
	k := newES256(t, "k1")
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	p := accept(t, a, identity.Credentials{
		Bearer: k.sign(t, goodClaims(testIssuer), nil), Client: &x509.Certificate{Raw: []byte("x")}, Proof: "x",
	})
	if p.Binding.String() != "" {
		t.Errorf("got %s", p.Binding)
	}
}

func TestCertificateWithoutAToken(t *testing.T) {
	clock := newFakeClock()
	cert := &x509.Certificate{
		Raw: []byte("cert"), NotBefore: testNow().Add(-time.Hour), NotAfter: testNow().Add(time.Hour),
	}
	c := identity.Credentials{Client: cert}
	reject(t, newAuthenticator(t, clock, Config{}), c, fault.Unauthenticated, identity.CodeUnauthenticated)

	a := newAuthenticator(t, clock, Config{AcceptCertificates: true})
	p := accept(t, a, c)
	if p.Subject != "auth:account:x509:sha256:"+identity.Thumbprint(cert) || p.Binding.Thumbprint == "" || p.Tenant != "dev" {
		t.Errorf("got %+v", p)
	}
	// A bad token is not made good by a good certificate.
	reject(t, a, identity.Credentials{Client: cert, Bearer: "internal"}, fault.Unauthenticated, identity.CodeUnauthenticated)
	clock.Add(2 * time.Hour)
	reject(t, a, c, fault.Unauthenticated, identity.CodeUnauthenticated)
}
