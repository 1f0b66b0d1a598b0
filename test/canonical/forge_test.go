package canonical

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// forge makes tokens that only look like those of the server's issuer.
type forge struct {
	valid           string
	header, payload map[string]any
	key             *rsa.PrivateKey // the issuer's own
}

func newForge(t testing.TB, s *server) *forge {
	t.Helper()
	f := &forge{valid: s.token(t, "--sub", "alice", "--groups", "dev")}
	parts := strings.Split(f.valid, ".")
	for i, into := range []*map[string]any{&f.header, &f.payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	body, err := os.ReadFile(filepath.Join(s.dir, "dev-issuer.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(body)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	f.key = key.(*rsa.PrivateKey)
	return f
}

func part(t testing.TB, v map[string]any, changes obj) string {
	t.Helper()
	out := map[string]any{}
	for name, value := range v {
		out[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func signRSA(t testing.TB, key *rsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func signMAC(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// forgeries are tokens that must be refused, by what is wrong with them.
func (f *forge) forgeries(t testing.TB) map[string]string {
	t.Helper()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	head := func(changes obj) string { return part(t, f.header, changes) }
	body := part(t, f.payload, nil)
	parts := strings.Split(f.valid, ".")
	jwk := obj{
		"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(stranger.N.Bytes()), "e": "AQAB",
	}
	return map[string]string{
		"alg none":              head(obj{"alg": "none"}) + "." + body + ".",
		"alg None":              head(obj{"alg": "None"}) + "." + body + ".",
		"no signature":          parts[0] + "." + parts[1] + ".",
		"two parts":             parts[0] + "." + parts[1],
		"four parts":            f.valid + ".x",
		"HS256 under the PEM":   signMAC(public, head(obj{"alg": "HS256"})+"."+body),
		"HS256 under the DER":   signMAC(der, head(obj{"alg": "HS256"})+"."+body),
		"HS256 under nothing":   signMAC(nil, head(obj{"alg": "HS256"})+"."+body),
		"a stranger's key":      signRSA(t, stranger, head(nil)+"."+body),
		"unknown kid":           signRSA(t, stranger, head(obj{"kid": "other"})+"."+body),
		"kid as a path":         signRSA(t, stranger, head(obj{"kid": "../../dev/null"})+"."+body),
		"a key of its own":      signRSA(t, stranger, head(obj{"jwk": jwk, "kid": nil})+"."+body),
		"a key set of its own":  signRSA(t, stranger, head(obj{"jku": "http://127.0.0.1:1/jwks", "kid": "x"})+"."+body),
		"other claims":          parts[0] + "." + part(t, f.payload, obj{"sub": "admin"}) + "." + parts[2],
		"critical extension":    signRSA(t, f.key, head(obj{"crit": []string{"x"}, "x": 1})+"."+body),
		"RS384 that is RS256":   signRSA(t, f.key, head(obj{"alg": "RS384"})+"."+body),
		"claims that are text":  signRSA(t, f.key, head(nil)+"."+base64.RawURLEncoding.EncodeToString([]byte(`"x"`))),
		"claims twice":          signRSA(t, f.key, head(nil)+"."+base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"a",`+strings.TrimPrefix(string(must(t, f.payload)), "{")))),
		"deep claims":           signRSA(t, f.key, head(nil)+"."+base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 10000)))),
		"expired":               signRSA(t, f.key, head(nil)+"."+part(t, f.payload, obj{"exp": 1})),
		"expiry beyond numbers": signRSA(t, f.key, head(nil)+"."+part(t, f.payload, obj{"exp": -1e300})),
		"padding":               parts[0] + "=." + parts[1] + "." + parts[2],
		"garbage":               "a.b.c",
		"dots":                  "..",
		"a long one":            strings.Repeat("a", 20000) + "." + parts[1] + "." + parts[2],
	}
}

func must(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// prover holds a DPoP key.
type prover struct{ key *ecdsa.PrivateKey }

func newProver(t testing.TB) prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return prover{key}
}

func (p prover) jwk(t testing.TB) (x, y string) {
	t.Helper()
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	return enc.EncodeToString(point[1:33]), enc.EncodeToString(point[33:])
}

// thumbprint is the jkt of RFC 7638.
func (p prover) thumbprint(t testing.TB) string {
	t.Helper()
	x, y := p.jwk(t)
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// proof is a DPoP proof for one request.
func (p prover) proof(t testing.TB, method, url, token, id string) with {
	t.Helper()
	x, y := p.jwk(t)
	ath := sha256.Sum256([]byte(token))
	text := part(t, obj{"typ": "dpop+jwt", "alg": "ES256", "jwk": obj{"kty": "EC", "crv": "P-256", "x": x, "y": y}}, nil) + "." +
		part(t, obj{"htm": method, "htu": url, "jti": id, "iat": time.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(ath[:])}, nil)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return header("DPoP", text+"."+base64.RawURLEncoding.EncodeToString(sig))
}
