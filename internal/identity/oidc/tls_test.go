package oidc

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
)

// trusting is a TLS configuration that trusts the server and, if asked, shows its own
// certificate as the client's.
func trusting(server *httptest.Server, show bool) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: roots}
	if show {
		config.Certificates = server.TLS.Certificates
	}
	return config
}

func TestIssuersOverTLS(t *testing.T) {
	k := newES256(t, "k1")
	plain := newFakeIssuer(t, k)
	var server *httptest.Server
	keys := "/keys"
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": server.URL, "jwks_uri": server.URL + keys})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.jwk()}})
	})
	mux.HandleFunc("/leaving/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": server.URL + "/leaving", "jwks_uri": plain.URL + "/keys"})
	})
	server = httptest.NewTLSServer(mux)
	defer server.Close()
	with := func(url string, config *tls.Config) *Authenticator {
		return newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{
			{URL: url, Alias: "idp", Reach: Reach{AllowPrivate: true, TLS: config}},
		}})
	}
	token := bearer(k.sign(t, goodClaims(server.URL), nil))
	accept(t, with(server.URL, trusting(server, false)), token)
	reject(t, with(server.URL, nil), token, fault.Unavailable, "")

	leaving := bearer(k.sign(t, goodClaims(server.URL+"/leaving"), nil))
	reject(t, with(server.URL+"/leaving", trusting(server, false)), leaving, fault.Unavailable, "")
	if plain.fetches.Load() != 0 {
		t.Error("keys of an https issuer were fetched by http")
	}
}

func TestIntrospectionByClientCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(active(nil))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: &Introspection{
		Endpoint: server.URL, Alias: "as", Reach: Reach{AllowPrivate: true, TLS: trusting(server, true)},
	}})
	accept(t, a, bearer("opaque-token"))
}

func TestKeysFromAnAddressOfTheirOwn(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeIssuer(t, k)
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{
		{URL: testIssuer, JWKSURL: f.URL + "/keys", Alias: "idp", Reach: Reach{AllowPrivate: true}},
	}})
	accept(t, a, bearer(k.sign(t, goodClaims(testIssuer), nil)))
}
