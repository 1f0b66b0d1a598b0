package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for _, address := range []string{
		"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
		"100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%eth0",
		"fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1", "fec0::1",
	} {
		if !errors.Is(checkAddress(joined(address)), errAddress) {
			t.Errorf("%s would be dialled", address)
		}
	}
	for _, address := range []string{"93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"} {
		if err := checkAddress(joined(address)); err != nil {
			t.Errorf("%s would not be dialled: %v", address, err)
		}
	}
	if checkAddress("no address") == nil || checkAddress("name.example:80") == nil {
		t.Error("what is no address would be dialled")
	}
}

func joined(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]:443"
	}
	return address + ":443"
}

func TestTheGuardSitsAtTheDial(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	// A name passes every check of texts and resolves to loopback.
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, target := range []string{server.URL, named} {
		if _, _, err := newCaller(Reach{}).get(context.Background(), target); !errors.Is(err, errAddress) {
			t.Errorf("got %v", err)
		}
		if _, _, err := newCaller(Reach{AllowPrivate: true}).get(context.Background(), target); err != nil {
			t.Errorf("a private address that is allowed: %v", err)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("the server was asked %d times, want 2", asked.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer target.Close()
	for _, location := range []string{
		"file:///etc/passwd", target.URL, "http://169.254.169.254/latest/meta-data/", "/elsewhere", "gopher://x/", "//" + strings.TrimPrefix(target.URL, "http://"),
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}))
			_, _, err := newCaller(Reach{AllowPrivate: true}).get(context.Background(), server.URL)
			if !errors.Is(err, errRedirect) {
				t.Errorf("%d to %s: got %v", status, location, err)
			}
			server.Close()
		}
	}
	if reached.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	transport, ok := newCaller(Reach{}).client.Transport.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Error("a proxy would be dialled instead of the checked address")
	}
}

func TestURLsThatMayBeCalled(t *testing.T) {
	for target, want := range map[string]bool{
		"https://issuer.example":         true,
		"https://issuer.example/realm/x": true,
		"http://issuer.example":          false,
		"file:///etc/passwd":             false,
		"ftp://issuer.example":           false,
		"https://u:p@issuer.example":     false,
		"https://issuer.example#f":       false,
		"//issuer.example":               false,
		"https:issuer.example":           false,
		"issuer.example":                 false,
		"":                               false,
		"https://%zz":                    false,
	} {
		if got := (Reach{}).checkURL(target) == nil; got != want {
			t.Errorf("%s: got %v", target, got)
		}
	}
	if (Reach{AllowPrivate: true}).checkURL("http://127.0.0.1:8091") != nil {
		t.Error("http is refused where private addresses are allowed")
	}
	if (Reach{AllowPrivate: true}).checkURL("file:///x") == nil {
		t.Error("a file is taken where private addresses are allowed")
	}
}

func TestPublicNeedsAValidAddress(t *testing.T) {
	if isPublic(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

func TestConfigurationSaysAllThatIsWrong(t *testing.T) {
	k := newES256(t, "k1")
	good := localIssuer(testIssuer, "idp", k)
	tests := map[string]struct {
		config Config
		says   []string
	}{
		"alias with a colon":     {Config{Issuers: []Issuer{localIssuer(testIssuer, "a:b", k)}}, []string{"alias"}},
		"alias of a certificate": {Config{Issuers: []Issuer{localIssuer(testIssuer, "x509", k)}}, []string{"alias"}},
		"twice":                  {Config{Issuers: []Issuer{good, good}}, []string{"twice"}},
		"no URL":                 {Config{Issuers: []Issuer{localIssuer("", "idp", k)}}, []string{"no URL"}},
		"no keys":                {Config{Issuers: []Issuer{localIssuer(testIssuer, "idp")}}, []string{"idp"}},
		"http":                   {Config{Issuers: []Issuer{{URL: "http://x.example", Alias: "idp"}}}, []string{"http"}},
		"JWKS of a file":         {Config{Issuers: []Issuer{{URL: testIssuer, JWKSURL: "file:///x", Alias: "idp"}}}, []string{"JWKS"}},
		"algorithms": {Config{Issuers: []Issuer{
			{URL: testIssuer, Alias: "idp", Algorithms: []string{"HS256", "none", "RS256"}},
		}}, []string{"HS256", "none"}},
		"introspection without a secret": {Config{Introspection: &Introspection{
			Endpoint: "http://x.example", Alias: "as", ClientID: "me", SecretFile: "/does/not/exist",
		}}, []string{"endpoint", "secret"}},
		"introspection without a client": {Config{Introspection: &Introspection{
			Endpoint: "https://x.example", Alias: "as",
		}}, []string{"client"}},
		"negative": {Config{Leeway: -1}, []string{"negative"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.config)
			if fault.KindOf(err) != fault.Invalid || err == nil {
				t.Fatalf("got %v", err)
			}
			for _, word := range test.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if strings.Contains(err.Error(), "/does/not/exist") {
				t.Errorf("%q names a path", err)
			}
		})
	}
}
