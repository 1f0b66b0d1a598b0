package canonical

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"
)

// In mode jti a token serves once for one secret and purpose.
func TestC49_replay(t *testing.T) {
	t.Parallel()
	s, p := decided(t, "ANTI_REPLAY_MODE=jti")
	uri := s.versions(t, "replay", 1, s.as(t, "alice"))
	one, two := s.as(t, "alice"), s.as(t, "alice")
	p.says(200, `{"decision":true}`)
	s.value(t, uri, one).want(t, 200)
	a := s.value(t, uri, one).fails(t, 403, "SECRET_AUTHZ_FAILED")
	if !contains(a.body, `"reason":"replay"`) || len(p.questions()) != 1 {
		t.Errorf("%s after %d questions", a, len(p.questions()))
	}
	s.value(t, uri, two).want(t, 200) // a refused replay is remembered against nobody
	if s.metric(t, "anti_replay_total") != 1 {
		t.Error("the replay is not counted")
	}
}

func TestC49_refusalEnds(t *testing.T) {
	t.Parallel()
	s, p := decided(t, "NEGATIVE_CACHE_TTL_S=1", "GRANT_TTL_DEFAULT=1", "GRANT_MAX_USES_DEFAULT=100")
	who := s.as(t, "alice")
	uri := s.versions(t, "ends", 1, who)
	p.says(200, `{"decision":false}`)
	s.value(t, uri, who).want(t, 403)
	p.says(200, `{"decision":true}`)
	s.value(t, uri, who).want(t, 403)
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, who).want(t, 200) // writes ask each time
	time.Sleep(1600 * time.Millisecond)
	s.value(t, uri, who).want(t, 200)
	s.value(t, uri, who).want(t, 200)
	p.says(200, `{"decision":false}`)
	time.Sleep(1100 * time.Millisecond)
	s.value(t, uri, who).want(t, 403) // the grant has ended
}

func TestC49_sampling(t *testing.T) {
	t.Parallel()
	s, p := decided(t, "AUDIT_SAMPLE_CACHE_HIT_N=10")
	who := s.as(t, "alice")
	uri := s.versions(t, "sampled", 1, who)
	p.says(200, `{"decision":true,"context":{"obligations":{"max_uses":1000}}}`)
	for range 51 {
		s.value(t, uri, who).want(t, 200)
	}
	if n := len(s.auditFile(t, obj{"event": "SECRET_READ", "effect": "Permit"})); n < 2 || n > 20 {
		t.Errorf("%d records of 51 reads, one in ten is to be kept", n)
	}
	p.says(200, `{"decision":false}`)
	for range 5 {
		s.value(t, uri+"#token", who).want(t, 403)
	}
	if n := len(s.auditFile(t, obj{"event": "SECRET_READ", "effect": "Deny"})); n != 5 {
		t.Errorf("%d records of 5 refusals", n)
	}
}

// certificate is a client certificate as a proxy passes it on, and its thumbprint.
func certificate(t testing.TB) (text, thumbprint string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))), base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestC50_certificates(t *testing.T) {
	t.Parallel()
	cert, thumbprint := certificate(t)
	other, _ := certificate(t)
	for _, trusted := range []bool{true, false} {
		var env []string
		if trusted {
			env = append(env, "COFFER_IDENTITY_TRUSTED_PROXIES=127.0.0.1")
		}
		s := guarded(t, env...)
		who := s.as(t, "alice", "--groups", "dev", "--claim", `cnf={"x5t#S256":"`+thumbprint+`"}`)
		uri := fresh("cert")
		s.value(t, uri, who).fails(t, 401, "SENDER_BINDING_MISMATCH")
		s.value(t, uri, who, header("X-Forwarded-Tls-Client-Cert", other)).fails(t, 401, "SENDER_BINDING_MISMATCH")
		s.value(t, uri, who, header("X-Forwarded-Tls-Client-Cert", "nonsense")).fails(t, 401, "SENDER_BINDING_MISMATCH")
		a := s.value(t, uri, who, header("X-Forwarded-Tls-Client-Cert", cert))
		if trusted {
			a.fails(t, 404, "SECRET_NOT_FOUND")
		} else {
			a.fails(t, 401, "SENDER_BINDING_MISMATCH")
		}
		s.value(t, uri, s.as(t, "alice", "--groups", "dev", "--claim", `cnf={"other":"x"}`)).want(t, 401)
	}
}
