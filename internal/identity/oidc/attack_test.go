package oidc

import (
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// unsigned puts a token together without any signer.
func unsigned(t *testing.T, header string, payload claims, signature []byte) string {
	t.Helper()
	body, err := json.Marshal(payload)
	must(t, err)
	return encode(header) + "." + encode(string(body)) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// symmetric signs with HMAC under whatever the attacker takes for a key.
func symmetric(t *testing.T, key []byte, kid string) string {
	t.Helper()
	token := unsigned(t, `{"alg":"HS256","kid":"`+kid+`"}`, goodClaims(testIssuer), nil)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.TrimSuffix(token, ".")))
	return token + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// flipUnused changes a bit of a last base64url character that encodes nothing, as the
// last of 342 characters for the 256 bytes of an RSA signature has.
func flipUnused(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

func TestGoodTokensOfEveryAlgorithm(t *testing.T) {
	rsaKey := newRSA(t, "rsa", 2048)
	keys := []signingKey{
		newES256(t, "p256"), newEC(t, "p384", elliptic.P384(), jose.ES384),
		newEC(t, "p521", elliptic.P521(), jose.ES512), newEd(t, "ed"),
	}
	for _, alg := range []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	} {
		keys = append(keys, signingKey{private: rsaKey.private, kid: rsaKey.kid, alg: alg})
	}
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", keys[:5]...)}})
	for _, k := range keys {
		t.Run(string(k.alg), func(t *testing.T) {
			p := accept(t, a, bearer(k.sign(t, goodClaims(testIssuer), nil)))
			if p.Subject != "auth:account:idp:alice" || p.Tenant != "dev" || p.Issuer != testIssuer {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestForgedSignatures(t *testing.T) {
	good, other := newRSA(t, "k1", 2048), newRSA(t, "k1", 2048)
	ec := newES256(t, "ec")
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", good, ec)}})
	token := good.sign(t, goodClaims(testIssuer), nil)
	parts := strings.Split(token, ".")
	der, err := x509.MarshalPKIXPublicKey(good.private.Public())
	must(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	changed, err := json.Marshal(goodClaims(testIssuer).with(claims{"sub": "root"}))
	must(t, err)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: other.private.Public()})
	must(t, err)

	tokens := map[string]string{
		"alg none":                unsigned(t, `{"alg":"none"}`, goodClaims(testIssuer), nil),
		"alg None with a rest":    unsigned(t, `{"alg":"None","kid":"k1"}`, goodClaims(testIssuer), []byte("x")),
		"alg missing":             unsigned(t, `{"kid":"k1"}`, goodClaims(testIssuer), []byte("x")),
		"alg of another case":     unsigned(t, `{"alg":"rs256","kid":"k1"}`, goodClaims(testIssuer), []byte("x")),
		"alg twice":               unsigned(t, `{"alg":"none","alg":"RS256","kid":"k1"}`, goodClaims(testIssuer), []byte("x")),
		"HS256 with public PEM":   symmetric(t, public, "k1"),
		"HS256 with public DER":   symmetric(t, der, "k1"),
		"HS256 with empty key":    symmetric(t, nil, "k1"),
		"wrong key, right kid":    other.sign(t, goodClaims(testIssuer), nil),
		"key of its own header":   other.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"jwk": json.RawMessage(jwk)}),
		"kid of the other key":    signingKey{private: good.private, kid: "ec", alg: jose.RS256}.sign(t, goodClaims(testIssuer), nil),
		"alg of the other key":    signingKey{private: ec.private, kid: "k1", alg: jose.ES256}.sign(t, goodClaims(testIssuer), nil),
		"kid as a path":           signingKey{private: good.private, kid: "../k1", alg: jose.RS256}.sign(t, goodClaims(testIssuer), nil),
		"no kid among several":    signingKey{private: other.private, alg: jose.RS256}.sign(t, goodClaims(testIssuer), nil),
		"claims exchanged":        parts[0] + "." + encode(string(changed)) + "." + parts[2],
		"signature cut":           parts[0] + "." + parts[1] + "." + parts[2][:20],
		"signature empty":         parts[0] + "." + parts[1] + ".",
		"two parts":               parts[0] + "." + parts[1],
		"four parts":              token + ".x",
		"trailing space":          token + " ",
		"line end at the end":     token + "\n",
		"unused bits of base64":   token[:len(token)-1] + flipUnused(token[len(token)-1]),
		"line end inside":         parts[0] + ".\n" + parts[1] + "." + parts[2],
		"padding":                 parts[0] + "=." + parts[1] + "." + parts[2],
		"critical extension":      good.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}),
		"empty crit":              good.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"crit": []string{}}),
		"unencoded payload":       good.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"b64": true}),
		"typ of a proof":          good.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"typ": "dpop+jwt"}),
		"typ of a logout token":   good.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"typ": "logout+jwt"}),
		"typ that is no text":     good.sign(t, goodClaims(testIssuer), map[jose.HeaderKey]any{"typ": 1}),
		"JSON serialization":      `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"the reserved word":       "internal",
		"opaque":                  "2YotnFZFEjr1zCsicMWpAA",
		"no credentials":          "",
		"header that is no JSON":  encode("x") + "." + parts[1] + "." + parts[2],
		"header that is an array": encode("[]") + "." + parts[1] + "." + parts[2],
	}
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			reject(t, a, bearer(token), fault.Unauthenticated, identity.CodeUnauthenticated)
		})
	}
	accept(t, a, bearer(token))
}

func TestClaimsOfIssuerAndTime(t *testing.T) {
	k := newES256(t, "k1")
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	in := func(d time.Duration) int64 { return testNow().Add(d).Unix() }
	tests := map[string]struct {
		change claims
		ok     bool
	}{
		"unchanged":                   {claims{}, true},
		"other issuer":                {claims{"iss": "https://evil.example"}, false},
		"issuer with a slash":         {claims{"iss": testIssuer + "/"}, false},
		"issuer in capitals":          {claims{"iss": strings.ToUpper(testIssuer)}, false},
		"issuer as a list":            {claims{"iss": []string{testIssuer}}, false},
		"no issuer":                   {claims{"iss": nil}, false},
		"ISS beside iss":              {claims{"ISS": "https://evil.example"}, true},
		"ISS instead of iss":          {claims{"iss": nil, "ISS": testIssuer}, false},
		"no exp":                      {claims{"exp": nil}, false},
		"exp as text":                 {claims{"exp": "9999999999"}, false},
		"exp null":                    {claims{"exp": json.RawMessage("null")}, false},
		"exp absurd":                  {claims{"exp": json.RawMessage("1e400")}, false},
		"exp beyond the year 9999":    {claims{"exp": json.RawMessage("1e15")}, false},
		"exp zero":                    {claims{"exp": 0}, false},
		"exp negative":                {claims{"exp": -1}, false},
		"exp with a fraction":         {claims{"exp": json.RawMessage("1900000000.5")}, true},
		"expired 59 s ago":            {claims{"exp": in(-59 * time.Second)}, true},
		"expired 60 s ago":            {claims{"exp": in(-60 * time.Second)}, false},
		"nbf in 60 s":                 {claims{"nbf": in(60 * time.Second)}, true},
		"nbf in 61 s":                 {claims{"nbf": in(61 * time.Second)}, false},
		"nbf as text":                 {claims{"nbf": "soon"}, false},
		"iat in 60 s":                 {claims{"iat": in(60 * time.Second)}, true},
		"iat in 61 s":                 {claims{"iat": in(61 * time.Second)}, false},
		"no iat":                      {claims{"iat": nil}, true},
		"no sub":                      {claims{"sub": nil}, false},
		"empty sub":                   {claims{"sub": ""}, false},
		"sub as a number":             {claims{"sub": 7}, false},
		"sub with a line end":         {claims{"sub": "a\nb"}, false},
		"sub of 256":                  {claims{"sub": strings.Repeat("a", 256)}, false},
		"typ Refresh":                 {claims{"typ": "Refresh"}, false},
		"typ ID":                      {claims{"typ": "ID"}, false},
		"typ Bearer":                  {claims{"typ": "Bearer"}, true},
		"typ DPoP without a binding":  {claims{"typ": "DPoP"}, false},
		"cnf of an unknown kind":      {claims{"cnf": claims{"kid": "x"}}, false},
		"cnf of two kinds":            {claims{"cnf": claims{"jkt": "x", "kid": "x"}}, false},
		"cnf empty":                   {claims{"cnf": claims{}}, false},
		"cnf as text":                 {claims{"cnf": "x"}, false},
		"cnf with a number":           {claims{"cnf": claims{"jkt": 1}}, false},
		"actor without sub":           {claims{"act": claims{"client_id": "x"}}, false},
		"actor as text":               {claims{"act": "bob"}, false},
		"groups nested without limit": {claims{"x": json.RawMessage(strings.Repeat("[", 60) + strings.Repeat("]", 60))}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token := k.sign(t, goodClaims(testIssuer).with(test.change), nil)
			if test.ok {
				accept(t, a, bearer(token))
				return
			}
			reject(t, a, bearer(token), fault.Unauthenticated, identity.CodeUnauthenticated)
		})
	}
}

func TestHostileJSONIsRefusedAndCostsLittle(t *testing.T) {
	k := newES256(t, "k1")
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	good, err := json.Marshal(goodClaims(testIssuer))
	must(t, err)
	body := strings.TrimSuffix(string(good), "}")
	payloads := map[string]string{
		"deep claim":        body + `,"x":` + deep + `}`,
		"only brackets":     strings.Repeat("[", 11_000),
		"deep object":       strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
		"duplicate sub":     body + `,"sub":"root"}`,
		"trailing data":     string(good) + "{}",
		"invalid UTF-8":     body + ",\"x\":\"\xff\"}",
		"an array":          "[" + string(good) + "]",
		"null":              "null",
		"empty":             "",
		"too large a token": body + `,"x":"` + strings.Repeat("a", maxToken) + `"}`,
	}
	for name, payload := range payloads {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			reject(t, a, bearer(k.sign(t, []byte(payload), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	header := encode(`{"alg":"ES256","kid":"k1","x":` + deep + `}`)
	token := k.sign(t, goodClaims(testIssuer), nil)
	_, rest, _ := strings.Cut(token, ".")
	reject(t, a, bearer(header+"."+rest), fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestTwoIssuersWithTheSameKid(t *testing.T) {
	one, two := newES256(t, "shared"), newES256(t, "shared")
	const second = "https://second.example"
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{
		localIssuer(testIssuer, "one", one), localIssuer(second, "two", two),
	}})
	if p := accept(t, a, bearer(one.sign(t, goodClaims(testIssuer), nil))); p.Subject != "auth:account:one:alice" {
		t.Errorf("got %s", p.Subject)
	}
	if p := accept(t, a, bearer(two.sign(t, goodClaims(second), nil))); p.Subject != "auth:account:two:alice" {
		t.Errorf("got %s", p.Subject)
	}
	reject(t, a, bearer(two.sign(t, goodClaims(testIssuer), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, bearer(one.sign(t, goodClaims(second), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestKeysThatMustNotVerify(t *testing.T) {
	good := newRSA(t, "good", 2048)
	pinned := good.jwk()
	pinned.KeyID, pinned.Algorithm = "pinned", "RS256"
	encryption := good.jwk()
	encryption.KeyID, encryption.Use = "enc", "enc"
	weak := newRSA(t, "weak", 1024)
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{good.jwk(), good.jwk(), pinned, encryption, weak.jwk()}}
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{{URL: testIssuer, Alias: "idp", Keys: set}}})
	by := func(kid string, alg jose.SignatureAlgorithm) string {
		return signingKey{private: good.private, kid: kid, alg: alg}.sign(t, goodClaims(testIssuer), nil)
	}
	accept(t, a, bearer(by("good", jose.PS256)))
	accept(t, a, bearer(by("pinned", jose.RS256)))
	reject(t, a, bearer(by("pinned", jose.PS256)), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, bearer(by("enc", jose.RS256)), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, bearer(weak.sign(t, goodClaims(testIssuer), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestAlgorithmAllowList(t *testing.T) {
	rsaKey, ec := newRSA(t, "rsa", 2048), newES256(t, "ec")
	issuer := localIssuer(testIssuer, "idp", rsaKey, ec)
	issuer.Algorithms = []string{"ES256"}
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{issuer}})
	accept(t, a, bearer(ec.sign(t, goodClaims(testIssuer), nil)))
	reject(t, a, bearer(rsaKey.sign(t, goodClaims(testIssuer), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
}
