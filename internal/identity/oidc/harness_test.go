package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// testNow is when the tests play.
func testNow() time.Time { return time.Unix(1_800_000_000, 0) }

// fakeClock is a clock that the test moves.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: testNow()} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// signingKey is a private key of a test issuer.
type signingKey struct {
	private crypto.Signer
	kid     string
	alg     jose.SignatureAlgorithm
}

func (k signingKey) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Use: "sig"}
}

func newRSA(t testing.TB, kid string, bits int) signingKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	return signingKey{private: private, kid: kid, alg: jose.RS256}
}

func newEC(t testing.TB, kid string, curve elliptic.Curve, alg jose.SignatureAlgorithm) signingKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(t, err)
	return signingKey{private: private, kid: kid, alg: alg}
}

func newES256(t testing.TB, kid string) signingKey {
	t.Helper()
	return newEC(t, kid, elliptic.P256(), jose.ES256)
}

func newEd(t testing.TB, kid string) signingKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return signingKey{private: private, kid: kid, alg: jose.EdDSA}
}

type claims map[string]any

// with is c with some claims replaced; a nil value removes one.
func (c claims) with(changes claims) claims {
	out := maps.Clone(c)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = value
	}
	return out
}

// goodClaims are those of a token that is accepted.
func goodClaims(iss string) claims {
	return claims{
		"iss": iss, "sub": "alice", "aud": "crud.secrets", "jti": "t1", "scope": "secrets.read secrets.write",
		"exp": testNow().Add(time.Hour).Unix(), "iat": testNow().Unix(),
	}
}

// sign makes a token by hand, with whatever header the test wants on top.
func (k signingKey) sign(t testing.TB, payload any, header map[jose.HeaderKey]any) string {
	t.Helper()
	raw, isRaw := payload.([]byte)
	if !isRaw {
		var err error
		raw, err = json.Marshal(payload)
		must(t, err)
	}
	options := &jose.SignerOptions{}
	if k.kid != "" {
		options.WithHeader("kid", k.kid)
	}
	for name, value := range header {
		options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.private}, options)
	must(t, err)
	signed, err := signer.Sign(raw)
	must(t, err)
	token, err := signed.CompactSerialize()
	must(t, err)
	return token
}

// fakeIssuer is an issuer on loopback that counts how often it is asked for keys.
type fakeIssuer struct {
	*httptest.Server
	fetches atomic.Int64

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	control string
	down    bool
	hold    chan struct{} // closed to let key set requests go on
}

func newFakeIssuer(t testing.TB, keys ...signingKey) *fakeIssuer {
	t.Helper()
	f := &fakeIssuer{}
	f.publish(keys...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": f.URL, "jwks_uri": f.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", f.serveKeys)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeIssuer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	f.fetches.Add(1)
	f.mu.Lock()
	keys, control, down, hold := f.keys, f.control, f.down, f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if control != "" {
		w.Header().Set("Cache-Control", control)
	}
	_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: keys})
}

func (f *fakeIssuer) publish(keys ...signingKey) {
	list := []jose.JSONWebKey{}
	for _, k := range keys {
		list = append(list, k.jwk())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = list
}

func (f *fakeIssuer) set(change func(*fakeIssuer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// issuer is the configuration that trusts f.
func (f *fakeIssuer) issuer(alias string) Issuer {
	return Issuer{URL: f.URL, Alias: alias, Reach: Reach{AllowPrivate: true}}
}

const testIssuer = "https://issuer.example"

// localIssuer trusts keys without any server.
func localIssuer(url, alias string, keys ...signingKey) Issuer {
	set := &jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.jwk())
	}
	return Issuer{URL: url, Alias: alias, Keys: set}
}

func newAuthenticator(t testing.TB, clock *fakeClock, config Config) *Authenticator {
	t.Helper()
	config.Clock = clock.Now
	if config.Tenant == "" {
		config.Tenant = "dev"
	}
	a, err := New(config)
	must(t, err)
	return a
}

func bearer(token string) identity.Credentials { return identity.Credentials{Bearer: token} }

func accept(t testing.TB, a identity.Authenticator, c identity.Credentials) identity.Principal {
	t.Helper()
	p, err := a.Authenticate(context.Background(), c)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return p
}

func reject(t testing.TB, a identity.Authenticator, c identity.Credentials, kind fault.Kind, code string) {
	t.Helper()
	p, err := a.Authenticate(context.Background(), c)
	if err == nil {
		t.Fatalf("accepted as %s", p.Subject)
	}
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got %v with code %q, want %v with %q: %v", fault.KindOf(err), fault.CodeOf(err), kind, code, err)
	}
	if p.Subject != "" {
		t.Fatalf("a refusal came with the principal %s", p.Subject)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
