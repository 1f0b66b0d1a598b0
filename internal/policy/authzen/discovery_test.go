package authzen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/policy"
)

func TestDiscoveryNamesEndpoints(t *testing.T) {
	for name, c := range map[string]struct {
		document, suffix, one, many string
	}{
		"used": {
			`{"policy_decision_point":"%s","access_evaluation_endpoint":"%s/one","access_evaluations_endpoint":"%s/many"}`,
			"", "/one", "/many",
		},
		"below a path": {
			`{"policy_decision_point":"%s/t1","access_evaluation_endpoint":"%s/one","access_evaluations_endpoint":"%s/many"}`,
			"/t1", "/one", "/many",
		},
		"no batch": {`{"policy_decision_point":"%s/","access_evaluation_endpoint":"%s/one"}`, "", "/one", "/one"},
		"about another decision point": {
			`{"policy_decision_point":"https://evil.example","access_evaluation_endpoint":"%s/one"}`,
			"", "/access/v1/evaluation", "/access/v1/evaluations",
		},
		"endpoint elsewhere": {
			`{"policy_decision_point":"%s","access_evaluation_endpoint":"https://evil.example/one"}`,
			"", "/access/v1/evaluation", "/access/v1/evaluations",
		},
		"batch endpoint elsewhere": {
			`{"policy_decision_point":"%s","access_evaluation_endpoint":"%s/one","access_evaluations_endpoint":"//x/y"}`,
			"", "/access/v1/evaluation", "/access/v1/evaluations",
		},
		"unreadable": {`{"policy_decision_point":7}`, "", "/access/v1/evaluation", "/access/v1/evaluations"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, func(got call) (int, string) {
				if got.path == c.many && c.many != c.one {
					return http.StatusOK, `{"evaluations":[{"decision":true},{"decision":true}]}`
				}
				return http.StatusOK, permit
			})
			p.document = strings.ReplaceAll(c.document, "%s", p.URL) // %s is the decision point itself
			d, _ := newDecider(t, p.URL+c.suffix, nil)
			expect(t, decide(d, writing(t, "a")), "")
			for _, dec := range d.DecideAll(t.Context(), []policy.Request{writing(t, "a"), writing(t, "b")}) {
				expect(t, dec, "")
			}
			calls := p.asked()
			if calls[0].path != c.one || calls[1].path != c.many {
				t.Errorf("asked at %s and %s", calls[0].path, calls[1].path)
			}
		})
	}
}

func TestDiscoveryIsTriedAgainOnceAMinute(t *testing.T) {
	looked := 0
	status := http.StatusInternalServerError
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			looked++
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"policy_decision_point":"` + server.URL + `","access_evaluation_endpoint":"` + server.URL + `/one"}`))
			return
		}
		if r.URL.Path == "/one" {
			_, _ = w.Write([]byte(`{"decision":true,"context":{"id":"one"}}`))
			return
		}
		_, _ = w.Write([]byte(`{"decision":true,"context":{"id":"standard"}}`))
	}))
	defer server.Close()
	d, clock := newDecider(t, server.URL, nil)
	for _, step := range []struct {
		pause  time.Duration
		looked int
		id     string
	}{{0, 1, "standard"}, {59 * time.Second, 1, "standard"}, {time.Second, 2, "one"}, {time.Hour, 2, "one"}} {
		clock.pass(step.pause)
		if step.looked == 2 {
			status = http.StatusOK
		}
		if dec := decide(d, writing(t, "a")); dec.ID != step.id || looked != step.looked {
			t.Errorf("after %s: %s, looked %d times", step.pause, dec.ID, looked)
		}
	}
}

func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, leaf := selfSigned(t, dir)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 || !r.TLS.PeerCertificates[0].Equal(leaf) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(permit))
	}))
	clients := x509.NewCertPool()
	clients.AddCert(leaf)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.StartTLS()
	defer server.Close()
	caFile := writePEM(t, dir, "ca.pem", "CERTIFICATE", server.Certificate().Raw)
	for name, c := range map[string]struct {
		change func(*Config)
		why    policy.Reason
	}{
		"certificate and roots": {func(c *Config) { c.CAFile, c.CertFile, c.KeyFile = caFile, certFile, keyFile }, ""},
		"no certificate":        {func(c *Config) { c.CAFile = caFile }, policy.ReasonUnavailable},
		"unknown server":        {func(c *Config) { c.CertFile, c.KeyFile = certFile, keyFile }, policy.ReasonUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := newDecider(t, server.URL, c.change)
			expect(t, decide(d, writing(t, "a")), c.why)
		})
	}
}

func selfSigned(t *testing.T, dir string) (certFile, keyFile string, leaf *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, dir, "cert.pem", "CERTIFICATE", der), writePEM(t, dir, "key.pem", "PRIVATE KEY", keyDER), leaf
}

func writePEM(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
