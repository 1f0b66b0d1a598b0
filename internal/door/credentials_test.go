package door_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/door"
)

func certificate(t *testing.T, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestForwardedCertificates(t *testing.T) {
	client, proxy := certificate(t, 1), certificate(t, 2)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Raw}))
	bare := base64.StdEncoding.EncodeToString(client.Raw)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: client.Raw}))
	source := door.CredentialSource{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	verified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{proxy}, VerifiedChains: [][]*x509.Certificate{{proxy}}}
	unverified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{proxy}}
	for name, c := range map[string]struct {
		remote string
		tls    *tls.ConnectionState
		header []string
		want   *x509.Certificate
	}{
		"escaped PEM of a proxy":          {"10.1.2.3:4", nil, []string{url.PathEscape(text)}, client},
		"bare Base64":                     {"10.1.2.3:4", nil, []string{bare}, client},
		"mapped address":                  {"[::ffff:10.1.2.3]:4", nil, []string{bare}, client},
		"IPv6":                            {"[fd00::1]:4", nil, []string{bare}, client},
		"untrusted peer":                  {"11.1.2.3:4", nil, []string{bare}, nil},
		"untrusted peer with its own":     {"11.1.2.3:4", verified, []string{bare}, proxy},
		"unverified chain":                {"11.1.2.3:4", unverified, nil, nil},
		"a proxy is not its client":       {"10.1.2.3:4", verified, nil, nil},
		"a proxy over TLS":                {"10.1.2.3:4", verified, []string{bare}, client},
		"the client wrote one of the two": {"10.1.2.3:4", nil, []string{bare, bare}, nil},
		"a chain":                         {"10.1.2.3:4", nil, []string{bare + "," + bare}, nil},
		"not a certificate":               {"10.1.2.3:4", nil, []string{url.PathEscape(key)}, nil},
		"garbage":                         {"10.1.2.3:4", nil, []string{"%zz"}, nil},
		"empty":                           {"10.1.2.3:4", nil, []string{""}, nil},
		"no address":                      {"@", nil, []string{bare}, nil},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.TLS = c.remote, c.tls
		r.Header["X-Forwarded-Tls-Client-Cert"] = c.header
		got := source.Read(r).Client
		if (got == nil) != (c.want == nil) || got != nil && !got.Equal(c.want) {
			t.Errorf("%s: %v", name, got != nil)
		}
	}
}

func TestCredentials(t *testing.T) {
	source := door.CredentialSource{ExternalURL: "https://coffer.example", SessionCookie: "bff_session"}
	r := httptest.NewRequest(http.MethodPost, "/api/secrets?uri=x", nil)
	r.AddCookie(&http.Cookie{Name: "bff_session", Value: "sess"})
	r.AddCookie(&http.Cookie{Name: "_eid_csrf_v1", Value: "csrf"})
	r.Header.Set("X-CSRF-Token", "header")
	r.Header.Set("X-Subject", "root")
	c := source.Read(r)
	if c.Session != "sess" || c.CSRFCookie != "csrf" || c.CSRFHeader != "header" || !c.Mutation || c.Bearer != "" || c.Client != nil {
		t.Errorf("session: %#v", c)
	}
	if c.URL != "https://coffer.example/api/secrets" || c.Method != http.MethodPost {
		t.Errorf("proof is about %s %s", c.Method, c.URL)
	}
	r.Header.Set("Authorization", "Bearer  token ")
	r.Header.Add("DPoP", "one")
	if c = source.Read(r); c.Bearer != "token" || c.Session != "" || c.CSRFCookie != "" || c.Proof != "one" {
		t.Error("a token stands above a session")
	}
	r.Header.Add("DPoP", "two")
	if c = source.Read(r); c.Proof == "one" || c.Proof == "two" || !c.HasProof() {
		t.Errorf("two proofs are none: %q", c.Proof)
	}
	r.Header.Del("Authorization")
	if c = (door.CredentialSource{}).Read(r); c.Session != "" {
		t.Error("a session was read though none is configured")
	}
	for method, mutation := range map[string]bool{"GET": false, "HEAD": false, "DELETE": true, "PATCH": true, "get": true} {
		if c := source.Read(httptest.NewRequest(method, "/", nil)); c.Mutation != mutation {
			t.Errorf("%s: mutation %t", method, c.Mutation)
		}
	}
	for header, want := range map[string]string{"": "", "Bearer": "", "Bearer ": "", "token": "", "DPoP x": "x", "bEARER x": "x", "Basic x": "", "Bearerx y": ""} {
		if got := door.Bearer(http.Header{"Authorization": {header}}); got != want {
			t.Errorf("%q: %q", header, got)
		}
	}
}
